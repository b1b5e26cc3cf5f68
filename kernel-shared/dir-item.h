/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Directory entries and xattrs, which share one item format.
 */
#ifndef KERNEL_SHARED_DIR_ITEM_H
#define KERNEL_SHARED_DIR_ITEM_H

#include "kernel-shared/fs.h"

struct btrfs_trans_handle;

/* Key offset of the DIR_ITEM or XATTR_ITEM of a name. */
u64 btrfs_name_hash(const void *name, size_t len);
/* Key offset of the INODE_EXTREF of a name in @parent_objectid. */
u64 btrfs_extref_hash(u64 parent_objectid, const void *name, size_t len);

/*
 * Look @name up in the directory @dir of @root.  @location: the inode, or the
 * root (type BTRFS_ROOT_ITEM_KEY) that the entry points to; @ftype (may be
 * NULL) BTRFS_FT_*.  0, -ENOENT or another negative errno.
 */
int btrfs_lookup_dir_item(struct btrfs_root *root, u64 dir, const void *name, size_t len,
			  struct btrfs_key *location, u8 *ftype);

/*
 * Visit the entries that one DIR_ITEM, DIR_INDEX or XATTR_ITEM holds.  @fn
 * returns 0 to go on; anything else ends the walk and is returned.
 */
typedef int (*btrfs_dir_item_fn)(const struct extent_buffer *leaf, const struct btrfs_dir_item *di,
				 const char *name, u16 name_len, const void *data, u16 data_len,
				 void *ctx);
int btrfs_for_each_dir_entry(const struct extent_buffer *leaf, u32 slot, btrfs_dir_item_fn fn,
			     void *ctx);

/* ---- changing ---- */

/* The index that the next entry of @dir gets. */
int btrfs_next_dir_index(struct btrfs_root *root, u64 dir, u64 *index);

/*
 * An entry @name in @dir of @root: DIR_ITEM and DIR_INDEX.  @location is the key of
 * an inode or a root, @ftype BTRFS_FT_*.  -EEXIST: @dir has the name already.
 * -EOVERFLOW: too many names with this hash.  An error after half of it has
 * aborted the transaction.
 */
int btrfs_insert_dir_entry(struct btrfs_trans_handle *trans, struct btrfs_root *root, u64 dir,
			   const void *name, size_t name_len, const struct btrfs_key *location,
			   u8 ftype, u64 index);
/* Both items again.  -ENOENT. */
int btrfs_delete_dir_entry(struct btrfs_trans_handle *trans, struct btrfs_root *root, u64 dir,
			   const void *name, size_t name_len, u64 index);

/*
 * Set (replacing an older value), or delete, an extended attribute.
 * -ENOENT: there is none to delete.  -ENOSPC, -EOVERFLOW: it does not fit into a leaf.
 */
int btrfs_set_xattr(struct btrfs_trans_handle *trans, struct btrfs_root *root, u64 ino,
		    const void *name, size_t name_len, const void *value, size_t size);
int btrfs_del_xattr(struct btrfs_trans_handle *trans, struct btrfs_root *root, u64 ino,
		    const void *name, size_t name_len);

#endif
