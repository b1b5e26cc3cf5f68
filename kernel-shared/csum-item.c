// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changing the checksum tree.  An item holds the checksums of sectors that are
 * neighbours, as many as fit, so items begin and end anywhere.
 */
#include <errno.h>

#include "common/message.h"
#include "kernel-shared/accessors-set.h"
#include "kernel-shared/file-item.h"
#include "kernel-shared/transaction.h"

/* A leaf is to hold two items at least; the kernel has a limit of its own besides. */
static u64 max_csums_in_item(const struct btrfs_fs_info *fs_info)
{
	u64 leaf = fs_info->nodesize - sizeof(struct btrfs_header);
	u64 nr = (leaf - 2 * sizeof(struct btrfs_item)) / fs_info->csum_size - 1;

	return min_t(u64, nr, SZ_4K);
}

/* The item at a path of the checksum tree: which sectors it covers. */
struct csum_range {
	u64 start;
	u64 end;
};

static bool take_range(const struct btrfs_path *path, struct csum_range *range)
{
	const struct extent_buffer *leaf = path->nodes[0];
	const struct btrfs_fs_info *fs_info = leaf->fs_info;
	struct btrfs_key key;

	btrfs_item_key_to_cpu(leaf, &key, path->slots[0]);
	if (key.objectid != BTRFS_EXTENT_CSUM_OBJECTID || key.type != BTRFS_EXTENT_CSUM_KEY)
		return false;
	range->start = key.offset;
	range->end = key.offset + ((u64)(btrfs_item_size(leaf, path->slots[0]) /
					 fs_info->csum_size) << fs_info->sectorsize_bits);
	return true;
}

static struct btrfs_key csum_key(u64 logical)
{
	return (struct btrfs_key){ BTRFS_EXTENT_CSUM_OBJECTID, BTRFS_EXTENT_CSUM_KEY, logical };
}

/* ---- inserting ---- */

/* How far the gap reaches that begins at @logical.  -EEXIST: there is none. */
static int find_gap(struct btrfs_root *root, u64 logical, u64 *gap_end, struct csum_range *before)
{
	const struct btrfs_key key = csum_key(logical);
	struct btrfs_path path = { 0 };
	struct csum_range range;
	int ret = btrfs_search_slot(root, &key, &path);

	*before = (struct csum_range){ 0 };
	*gap_end = (u64)-1;
	if (ret == 0)
		ret = -EEXIST;
	if (ret < 0)
		goto out;
	ret = 0;
	if (path.slots[0] > 0) {
		path.slots[0]--;
		if (take_range(&path, &range))
			*before = range;
		ret = btrfs_next_item(root, &path);
	} else if (!path.nodes[0]->nritems) {
		ret = 1;
	}
	if (ret == 0 && take_range(&path, &range))
		*gap_end = range.start;
	if (ret >= 0)
		ret = before->end > logical ? -EEXIST : 0;
out:
	btrfs_release_path(&path);
	return ret;
}

/*
 * Append to the item that ends where @logical begins, as much as its leaf has
 * room for.  *@nr: wanted, then done.
 */
static int append_csums(struct btrfs_trans_handle *trans, struct btrfs_root *root,
			const struct csum_range *before, u64 *nr, const u8 *csums)
{
	const struct btrfs_fs_info *fs_info = trans->fs_info;
	const struct btrfs_key key = csum_key(before->start);
	u64 have = (before->end - before->start) >> fs_info->sectorsize_bits;
	struct btrfs_path path = { 0 };
	u32 old_size, bytes;
	int ret;

	*nr = have < max_csums_in_item(fs_info) ? min(*nr, max_csums_in_item(fs_info) - have) : 0;
	if (!*nr)
		return 0;
	ret = btrfs_search_slot_cow(trans, root, &key, &path, 0);
	if (ret) {
		btrfs_release_path(&path);
		return ret > 0 ? -EUCLEAN : ret;
	}
	*nr = min_t(u64, *nr, btrfs_leaf_free_space(path.nodes[0]) / fs_info->csum_size);
	bytes = (u32)*nr * fs_info->csum_size;
	old_size = btrfs_item_size(path.nodes[0], path.slots[0]);
	if (bytes) {
		btrfs_extend_item(&path, bytes);
		write_extent_buffer(path.nodes[0], csums,
				    (u8 *)btrfs_item_data_mut(path.nodes[0], path.slots[0]) +
				    old_size, bytes);
	}
	btrfs_release_path(&path);
	return 0;
}

/* One step: *@nr is how many are left, then how many were inserted. */
static int insert_some(struct btrfs_trans_handle *trans, struct btrfs_root *root, u64 logical,
		       u64 *nr, const u8 *csums)
{
	const struct btrfs_fs_info *fs_info = trans->fs_info;
	struct csum_range before;
	struct btrfs_key key;
	u64 gap_end, wanted;
	int ret = find_gap(root, logical, &gap_end, &before);

	if (ret)
		return ret;
	*nr = wanted = min(*nr, (gap_end - logical) >> fs_info->sectorsize_bits);
	if (before.end == logical) {
		ret = append_csums(trans, root, &before, nr, csums);
		if (ret || *nr)
			return ret;
	}
	*nr = min(wanted, max_csums_in_item(fs_info));
	key = csum_key(logical);
	return btrfs_insert_item(trans, root, &key, csums, (u32)*nr * fs_info->csum_size);
}

int btrfs_insert_csums(struct btrfs_trans_handle *trans, struct btrfs_root *csum_root,
		       u64 logical, u64 nr_bytes, const u8 *csums)
{
	const struct btrfs_fs_info *fs_info = trans->fs_info;
	u64 left = nr_bytes >> fs_info->sectorsize_bits;
	bool changed = false;

	while (left) {
		u64 nr = left;
		int ret = insert_some(trans, csum_root, logical, &nr, csums);

		if (ret) {
			if (changed)
				btrfs_abort_transaction(trans, ret);
			return ret;
		}
		changed = true;
		left -= nr;
		logical += nr << fs_info->sectorsize_bits;
		csums += nr * fs_info->csum_size;
	}
	return 0;
}

/* ---- deleting ---- */

static u32 csum_bytes(const struct btrfs_fs_info *fs_info, u64 nr_bytes)
{
	return (u32)(nr_bytes >> fs_info->sectorsize_bits) * fs_info->csum_size;
}

/* Take what [start, end) has of the item at @path, which reaches into it. */
static int cut_csums(struct btrfs_trans_handle *trans, struct btrfs_root *root,
		     struct btrfs_path *path, const struct csum_range *range, u64 start, u64 end)
{
	const struct btrfs_fs_info *fs_info = trans->fs_info;
	const struct btrfs_key key = csum_key(end);

	if (range->start >= start && range->end <= end)
		return btrfs_del_item(trans, root, path);
	if (range->start >= start) {
		btrfs_truncate_item(path, csum_bytes(fs_info, range->end - end), false);
		return btrfs_set_item_key_safe(path, &key);
	}
	if (range->end > end) {
		int ret = btrfs_split_item(trans, root, path, &key,
					   csum_bytes(fs_info, end - range->start));

		if (ret)
			return ret;
	}
	btrfs_truncate_item(path, csum_bytes(fs_info, start - range->start), true);
	return 0;
}

/* The last item that reaches into [start, end).  1: it is done, there is none any more. */
static int del_some(struct btrfs_trans_handle *trans, struct btrfs_root *root, u64 start, u64 end)
{
	const struct btrfs_key key = csum_key(end - 1);
	struct btrfs_path path = { 0 };
	struct csum_range range = { 0 };
	int ret = btrfs_search_slot_cow(trans, root, &key, &path, -1);

	/* No item begins there, keys are aligned: it stands right before, in the same leaf. */
	if (ret == 0)
		ret = -EUCLEAN;
	if (ret == 1 && path.slots[0] > 0) {
		path.slots[0]--;
		if (take_range(&path, &range) && range.end > start)
			ret = cut_csums(trans, root, &path, &range, start, end);
	}
	btrfs_release_path(&path);
	return ret;
}

int btrfs_del_csums(struct btrfs_trans_handle *trans, struct btrfs_root *csum_root, u64 logical,
		    u64 nr_bytes)
{
	u64 end;
	int ret;

	if (!nr_bytes || __builtin_add_overflow(logical, nr_bytes, &end))
		return nr_bytes ? -EINVAL : 0;
	do {
		ret = del_some(trans, csum_root, logical, end);
	} while (ret == 0);
	return min(ret, 0);
}
