// SPDX-License-Identifier: GPL-2.0-only
/*
 * Deleting items, and the leaves that they leave empty.
 */
#include <errno.h>

#include "kernel-shared/ctree-internal.h"
#include "kernel-shared/disk-io.h"

/* Below a third of its size a leaf is offered to its neighbours. */
static bool is_nearly_empty(const struct extent_buffer *leaf)
{
	return btrfs_leaf_space_used(leaf, 0, leaf->nritems) < btrfs_leaf_data_size(leaf) / 3;
}

/* The empty leaf goes, unless it is the whole tree. */
static int del_leaf(struct btrfs_trans_handle *trans, struct btrfs_root *root,
		    struct btrfs_path *path)
{
	struct extent_buffer *leaf = path->nodes[0];
	int ret;

	if (leaf == root->node)
		return 0;
	path->nodes[0] = NULL;
	ret = btrfs_del_ptr(trans, path, 1, path->slots[1]);
	if (!ret)
		ret = btrfs_drop_tree_block(trans, root, leaf);
	free_extent_buffer(leaf);
	return ret;
}

static int del_items(struct btrfs_trans_handle *trans, struct btrfs_root *root,
		     struct btrfs_path *path, u32 slot, u32 nr)
{
	struct extent_buffer *leaf = path->nodes[0];
	struct btrfs_disk_key key;
	int ret;

	btrfs_leaf_remove_items(leaf, slot, nr);
	if (!leaf->nritems)
		return del_leaf(trans, root, path);
	if (slot == 0) {
		btrfs_first_disk_key(leaf, &key);
		btrfs_fixup_low_keys(path, &key, 1);
	}
	if (!path->nodes[1] || !is_nearly_empty(leaf))
		return 0;
	ret = btrfs_empty_leaf(trans, root, path);
	if (ret || leaf->nritems)
		return ret;
	return del_leaf(trans, root, path);
}

int btrfs_del_items(struct btrfs_trans_handle *trans, struct btrfs_root *root,
		    struct btrfs_path *path, u32 slot, u32 nr)
{
	struct extent_buffer *leaf = path->nodes[0];
	int ret = -EINVAL;

	if (nr == 0)
		return 0;
	if (leaf && slot < leaf->nritems && nr <= leaf->nritems - slot)
		ret = del_items(trans, root, path, slot, nr);
	/* Items are gone but the rest was not done, or nothing was. */
	if (ret) {
		btrfs_abort_transaction(trans, ret);
		btrfs_release_path(path);
	}
	return ret;
}

int btrfs_del_item_by_key(struct btrfs_trans_handle *trans, struct btrfs_root *root,
			  const struct btrfs_key *key)
{
	struct btrfs_path path = { 0 };
	int ret = btrfs_search_slot_cow(trans, root, key, &path, -1);

	if (ret == 0)
		ret = btrfs_del_item(trans, root, &path);
	else if (ret > 0)
		ret = -ENOENT;
	btrfs_release_path(&path);
	return ret;
}
