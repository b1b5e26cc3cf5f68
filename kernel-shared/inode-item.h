/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inode items and the references from an inode to its names.
 *
 * These change items and nothing else: sizes and times of directories, link
 * counts and entries are the caller's to keep in step.
 */
#ifndef KERNEL_SHARED_INODE_ITEM_H
#define KERNEL_SHARED_INODE_ITEM_H

#include "kernel-shared/ctree.h"

/* Now, or SOURCE_DATE_EPOCH if that is set. */
struct btrfs_timespec btrfs_current_time(void);

/* A copy of the inode item.  -ENOENT. */
int btrfs_lookup_inode(struct btrfs_root *root, u64 ino, struct btrfs_inode_item *item);
/* -EEXIST. */
int btrfs_insert_inode(struct btrfs_trans_handle *trans, struct btrfs_root *root, u64 ino,
		       const struct btrfs_inode_item *item);
/* Overwrite it, and note that the subvolume has changed.  -ENOENT. */
int btrfs_update_inode(struct btrfs_trans_handle *trans, struct btrfs_root *root, u64 ino,
		       const struct btrfs_inode_item *item);

/*
 * @ino is called @name in the directory @parent, where the entry has @index.  An
 * INODE_REF, or where that has no room left an INODE_EXTREF.  -EEXIST: it has that
 * name already.  -EMLINK: no more names of this parent fit (and the file system
 * has no extended references).
 */
int btrfs_insert_inode_ref(struct btrfs_trans_handle *trans, struct btrfs_root *root, u64 ino,
			   u64 parent, u64 index, const void *name, size_t name_len);
/* -ENOENT.  *@index (may be NULL) is what it was. */
int btrfs_del_inode_ref(struct btrfs_trans_handle *trans, struct btrfs_root *root, u64 ino,
			u64 parent, u64 *index, const void *name, size_t name_len);

/* The inode is to be cleaned up by the next mount (its last name is gone).  -EEXIST; -ENOENT. */
int btrfs_insert_orphan_item(struct btrfs_trans_handle *trans, struct btrfs_root *root, u64 ino);
int btrfs_del_orphan_item(struct btrfs_trans_handle *trans, struct btrfs_root *root, u64 ino);

#endif
