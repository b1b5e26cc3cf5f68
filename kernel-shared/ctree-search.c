// SPDX-License-Identifier: GPL-2.0-only
/*
 * The way down for those who will change what they find: every block on it is
 * COWed, and nodes are split or merged before the leaf needs it.
 */
#include <errno.h>

#include "kernel-shared/ctree-internal.h"
#include "kernel-shared/disk-io.h"

/* See that the leaf can take @ins_len bytes more at slots[0]. */
static int make_room_in_leaf(struct btrfs_trans_handle *trans, struct btrfs_root *root,
			     const struct btrfs_key *key, struct btrfs_path *path, u32 ins_len,
			     bool found)
{
	/* An item that is there can only grow, and needs no further header for that. */
	if (found && !path->search_for_extension)
		ins_len -= min(ins_len, (u32)sizeof(struct btrfs_item));
	if (btrfs_leaf_free_space(path->nodes[0]) >= ins_len)
		return 0;
	return btrfs_split_leaf(trans, root, key, path, ins_len, found);
}

static int balance_node(struct btrfs_trans_handle *trans, struct btrfs_root *root,
			struct btrfs_path *path, int level, int ins_len)
{
	if (ins_len > 0)
		return btrfs_make_room_in_node(trans, root, path, level);
	if (ins_len < 0)
		return btrfs_balance_level(trans, root, path, level);
	return 0;
}

/* 1: the root is another one now, begin anew. */
static int go_down(struct btrfs_trans_handle *trans, struct btrfs_root *root,
		   const struct btrfs_key *key, struct btrfs_path *path, int ins_len, bool *found)
{
	struct extent_buffer *eb;
	int level, ret;

	ret = btrfs_cow_block(trans, root, root->node, NULL, 0, &eb);
	if (ret)
		return ret;
	level = eb->level;
	btrfs_path_set_node(path, level, eb);
	for (;; level--) {
		*found = btrfs_bin_search(path->nodes[level], key, &path->slots[level]) == 0;
		if (level == 0)
			return 0;
		if (!*found && path->slots[level] > 0)
			path->slots[level]--;
		ret = balance_node(trans, root, path, level, ins_len);
		if (ret)
			return ret;
		if (!path->nodes[level])
			return 1;
		if (level <= path->lowest_level)
			return 0;
		ret = btrfs_read_and_cow_child(trans, root, path->nodes[level], path->slots[level],
					       &eb);
		if (ret)
			return ret;
		btrfs_path_set_node(path, level - 1, eb);
	}
}

int btrfs_search_slot_cow(struct btrfs_trans_handle *trans, struct btrfs_root *root,
			  const struct btrfs_key *key, struct btrfs_path *path, int ins_len)
{
	bool found = false;
	int ret;

	do {
		btrfs_release_path(path);
		ret = go_down(trans, root, key, path, ins_len, &found);
	} while (ret == 1);
	if (!ret && ins_len > 0 && path->nodes[0])
		ret = make_room_in_leaf(trans, root, key, path, (u32)ins_len, found);
	if (ret) {
		btrfs_release_path(path);
		return ret;
	}
	return found ? 0 : 1;
}
