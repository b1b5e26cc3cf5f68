/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tree of tree roots: root items, and opening a tree by its id.
 */
#ifndef KERNEL_SHARED_ROOT_TREE_H
#define KERNEL_SHARED_ROOT_TREE_H

#include "kernel-shared/fs.h"

/*
 * Read the root item of the tree @objectid (for a tree with several, the one
 * with the highest key offset).  Fields that an old, short item lacks, or that
 * an old kernel left stale, come back as 0.  @key may be NULL.
 * 0, -ENOENT, or another negative errno.
 */
int btrfs_find_root_item(struct btrfs_fs_info *fs_info, u64 objectid, struct btrfs_key *key,
			 struct btrfs_root_item *item);
/* The same from an item in hand. */
void btrfs_read_root_item(const struct extent_buffer *leaf, u32 slot,
			  struct btrfs_root_item *item);

/*
 * Open the tree @objectid through its root item; the caller frees it with
 * btrfs_free_root().  -ENOENT: no such root.
 */
int btrfs_read_tree_root(struct btrfs_fs_info *fs_info, u64 objectid, struct btrfs_root **ret);
/*
 * Open a tree whose root block is known, and that has no root item (root tree,
 * chunk tree, log trees).
 */
int btrfs_read_root_at(struct btrfs_fs_info *fs_info, u64 objectid, u64 bytenr, u64 transid,
		       u8 level, struct btrfs_root **ret);
void btrfs_free_root(struct btrfs_root *root);
/*
 * Why a global root of @fs_info is NULL: -ENOENT when the file system has no
 * such tree, else what reading it says, which is now told as an error.
 */
int btrfs_missing_root_error(struct btrfs_fs_info *fs_info, u64 objectid);

/*
 * A subvolume by id; opened once, kept until the fs is closed, owned by
 * @fs_info.  -ENOENT: there is none, or it is being deleted (no reference).
 */
int btrfs_get_fs_root(struct btrfs_fs_info *fs_info, u64 objectid, struct btrfs_root **ret);

static inline bool btrfs_root_readonly(const struct btrfs_root *root)
{
	return (le64toh(root->root_item.flags) & BTRFS_ROOT_SUBVOL_RDONLY) != 0;
}

static inline bool btrfs_root_dead(const struct btrfs_root *root)
{
	return (le64toh(root->root_item.flags) & BTRFS_ROOT_SUBVOL_DEAD) != 0;
}

#endif
