/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The free space tree: the free extents of each block group, as items or as
 * bitmaps, whichever is smaller.
 *
 * It holds what no extent item covers.  Superblock copies count as free here, as
 * they do for the kernel; who loads the tree leaves them out.  A tree that is
 * not marked valid is not kept up to date: the kernel makes it anew when it
 * mounts.
 */
#ifndef KERNEL_SHARED_FREE_SPACE_TREE_H
#define KERNEL_SHARED_FREE_SPACE_TREE_H

#include "kernel-shared/block-group.h"

#define BTRFS_FREE_SPACE_BITMAP_SIZE	256U				/* bytes */
#define BTRFS_FREE_SPACE_BITMAP_BITS	(BTRFS_FREE_SPACE_BITMAP_SIZE * 8)

/* Whether the file system has a free space tree that is valid (and is to be kept so). */
bool btrfs_free_space_tree_valid(const struct btrfs_fs_info *fs_info);

/* Called for each free extent, ascending and never touching; non-zero ends the walk. */
typedef int (*btrfs_free_extent_fn)(u64 start, u64 len, void *ctx);
/* Read the free extents of @group.  -EUCLEAN: items contradict one another (told). */
int btrfs_load_free_space_tree(struct btrfs_block_group *group, btrfs_free_extent_fn fn, void *ctx);

/*
 * Make [start, start + len) of one group free (no longer free).  None of it (all
 * of it) must be free before, else -EUCLEAN (told).  Converts the group's items
 * to bitmaps or back when the number of extents passes a threshold.  Does
 * nothing without a valid tree.
 */
int btrfs_add_to_free_space_tree(struct btrfs_trans_handle *trans, u64 start, u64 len);
int btrfs_remove_from_free_space_tree(struct btrfs_trans_handle *trans, u64 start, u64 len);

/* The items of a new group, all of it free; those of a group that goes. */
int btrfs_add_block_group_free_space(struct btrfs_trans_handle *trans,
				     struct btrfs_block_group *group);
int btrfs_remove_block_group_free_space(struct btrfs_trans_handle *trans,
					struct btrfs_block_group *group);
/* The thresholds of @group, from its length. */
void btrfs_set_free_space_tree_thresholds(struct btrfs_block_group *group);

#endif
