// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keeping metadata space back, so that what was begun can be committed.
 *
 * A commit copies blocks of the trees that record the space itself: at worst
 * all of them, and none twice.  As much is kept back from operations.  Only the
 * commit uses it, and whatever an operation turns out to need beyond what it
 * asked for.
 */
#include <errno.h>

#include "kernel-shared/block-group-impl.h"
#include "kernel-shared/delayed-ref.h"
#include "kernel-shared/transaction.h"

/* The kernel's bounds. */
#define RESERVE_MAX		(512ULL * SZ_1M)
#define RESERVE_MIN_BLOCKS	64U

/* Blocks that the change of one item may take: a leaf and two nodes, each with a neighbour. */
#define BLOCKS_PER_ITEM		6U

/* Heads to be run at once when there are more. */
#define MAX_DELAYED_HEADS	8192U

static u64 tree_bytes(const struct btrfs_root *root)
{
	return root ? le64toh(root->root_item.bytes_used) : 0;
}

u64 btrfs_global_reserve(const struct btrfs_fs_info *fs_info)
{
	u64 bytes = tree_bytes(fs_info->extent_root) + tree_bytes(fs_info->csum_root) +
		    tree_bytes(fs_info->free_space_root) + tree_bytes(fs_info->block_group_root);

	bytes += (u64)RESERVE_MIN_BLOCKS * fs_info->nodesize;
	return min(bytes, RESERVE_MAX);
}

/* What the references that wait may need, beyond blocks that have been copied already. */
static u64 delayed_refs_bytes(const struct btrfs_fs_info *fs_info)
{
	/* The extent tree and the free space tree. */
	return fs_info->delayed_refs->nr_heads * 2 * fs_info->nodesize;
}

static bool has_room(const struct btrfs_fs_info *fs_info, u64 bytes)
{
	const struct btrfs_space_info *space =
		btrfs_find_space_info(fs_info, BTRFS_BLOCK_GROUP_METADATA);

	return space && btrfs_space_free(space) >= bytes;
}

static int reserve(struct btrfs_trans_handle *trans, unsigned int nr_items, u64 keep)
{
	struct btrfs_fs_info *fs_info = trans->fs_info;
	u64 own = (u64)nr_items * BLOCKS_PER_ITEM * fs_info->nodesize;
	u64 want = own + keep + min(delayed_refs_bytes(fs_info), keep);
	int ret;

	if (fs_info->delayed_refs->nr_heads > MAX_DELAYED_HEADS ||
	    (fs_info->delayed_refs->nr_heads && !has_room(fs_info, want))) {
		ret = btrfs_run_delayed_refs(trans, 0);
		if (ret)
			return ret;
		want = own + keep;
	}
	while (!has_room(fs_info, want)) {
		ret = btrfs_chunk_alloc(trans, BTRFS_BLOCK_GROUP_METADATA, NULL);
		if (ret)
			return ret;
	}
	return 0;
}

int btrfs_reserve_metadata(struct btrfs_trans_handle *trans, unsigned int nr_items)
{
	return reserve(trans, nr_items, btrfs_global_reserve(trans->fs_info));
}

int btrfs_reserve_metadata_to_remove(struct btrfs_trans_handle *trans, unsigned int nr_items)
{
	return reserve(trans, nr_items, btrfs_global_reserve(trans->fs_info) / 2);
}
