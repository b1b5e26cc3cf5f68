/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Walking the trees: search, and steps to the next and previous item.
 *
 * A struct btrfs_path is the way from the root (highest level) to a leaf
 * (level 0); it holds a reference on every block of it.  Begin with one that
 * is all zero, end with btrfs_release_path(), which leaves it so.
 */
#ifndef KERNEL_SHARED_CTREE_H
#define KERNEL_SHARED_CTREE_H

#include "kernel-shared/fs.h"

enum btrfs_readahead_mode {
	READA_NONE = 0,
	READA_FORWARD,		/* bring in the leaves that follow */
};

struct btrfs_path {
	struct extent_buffer *nodes[BTRFS_MAX_LEVEL];
	u32 slots[BTRFS_MAX_LEVEL];
	u8 lowest_level;	/* search stops at this level */
	u8 reada;		/* enum btrfs_readahead_mode */
	/* The cache's own: up to which slot of the lowest node readahead was asked for. */
	u32 reada_end;
	u64 reada_node;
};

/*
 * Find @key in @root.
 *
 * 0: found, @path points to it.  1: not there, @path points to where it would
 * stand (possibly one past the last item of the leaf).  Else negative errno
 * and an empty path.  A path that is not empty is reused where it can be.
 */
int btrfs_search_slot(struct btrfs_root *root, const struct btrfs_key *key,
		      struct btrfs_path *path);

/*
 * As btrfs_search_slot(), but always ends on an item: the one found, else the
 * next (for @prev the previous) one.  1 when there is none.
 */
int btrfs_search_slot_for_read(struct btrfs_root *root, const struct btrfs_key *key,
			       struct btrfs_path *path, bool prev);

/*
 * Step to the first item of the next leaf, the next item, or the previous one.
 * 0, 1 when there is none (the path then stays where it is), or negative errno
 * (the path is then empty).
 */
int btrfs_next_leaf(struct btrfs_root *root, struct btrfs_path *path);
int btrfs_next_item(struct btrfs_root *root, struct btrfs_path *path);
int btrfs_prev_leaf(struct btrfs_root *root, struct btrfs_path *path);
int btrfs_previous_item(struct btrfs_root *root, struct btrfs_path *path);

void btrfs_release_path(struct btrfs_path *path);

/* 0 when found, else 1; *@slot is the place in both cases. */
int btrfs_bin_search(const struct extent_buffer *eb, const struct btrfs_key *key, u32 *slot);

/*
 * Visit every item from @from to @to (both included) in key order.  @fn
 * returns 0 to go on; anything else ends the walk and is returned.  For loops
 * that need no state but their own, this saves the search and the steps.
 */
typedef int (*btrfs_iter_fn)(struct btrfs_root *root, const struct extent_buffer *leaf, u32 slot,
			     const struct btrfs_key *key, void *ctx);
int btrfs_for_each_item(struct btrfs_root *root, const struct btrfs_key *from,
			const struct btrfs_key *to, btrfs_iter_fn fn, void *ctx);

#endif
