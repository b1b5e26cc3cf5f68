/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tree of tree roots: root items, and opening a tree by its id.
 */
#ifndef KERNEL_SHARED_ROOT_TREE_H
#define KERNEL_SHARED_ROOT_TREE_H

#include "kernel-shared/fs.h"

struct btrfs_trans_handle;

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

/*
 * ---- changing ----
 *
 * Errors that leave half a change behind have aborted the transaction.
 */

/* @item points to @node from now on: address, level, generation. */
void btrfs_set_root_node(struct btrfs_root_item *item, const struct extent_buffer *node);
/* A subvolume has changed: its ctransid and ctime.  -ENOMEM. */
int btrfs_update_root_times(struct btrfs_trans_handle *trans, struct btrfs_root *root);

/*
 * Insert, overwrite or delete the root item at @key in the root tree.
 * generation_v2 of @item is set, and an item of an old kernel gets its full
 * length.  Insert: -EEXIST.  The others: -EUCLEAN (said) if it is not there.
 */
int btrfs_insert_root(struct btrfs_trans_handle *trans, const struct btrfs_key *key,
		      struct btrfs_root_item *item);
int btrfs_update_root(struct btrfs_trans_handle *trans, const struct btrfs_key *key,
		      struct btrfs_root_item *item);
int btrfs_del_root(struct btrfs_trans_handle *trans, const struct btrfs_key *key);

/*
 * The entry @name of directory @dirid in subvolume @parent_id leads to the
 * subvolume @root_id: ROOT_REF and ROOT_BACKREF.  @sequence is the index of the
 * entry.  Adding: -EEXIST; deleting: -ENOENT, and *@sequence (may be NULL) is
 * what it was.
 */
int btrfs_add_root_ref(struct btrfs_trans_handle *trans, u64 root_id, u64 parent_id, u64 dirid,
		       u64 sequence, const void *name, size_t name_len);
int btrfs_del_root_ref(struct btrfs_trans_handle *trans, u64 root_id, u64 parent_id, u64 dirid,
		       u64 *sequence, const void *name, size_t name_len);

static inline bool btrfs_root_readonly(const struct btrfs_root *root)
{
	return (le64toh(root->root_item.flags) & BTRFS_ROOT_SUBVOL_RDONLY) != 0;
}

static inline bool btrfs_root_dead(const struct btrfs_root *root)
{
	return (le64toh(root->root_item.flags) & BTRFS_ROOT_SUBVOL_DEAD) != 0;
}

#endif
