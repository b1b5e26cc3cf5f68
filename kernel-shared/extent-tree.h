/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The extent tree: allocating and freeing extents, and their references.
 *
 * Everything here only takes space (block-group.h) and notes references
 * (delayed-ref.h); the extent tree itself changes when btrfs_run_delayed_refs()
 * is called.  One thread writes, nothing is locked.
 */
#ifndef KERNEL_SHARED_EXTENT_TREE_H
#define KERNEL_SHARED_EXTENT_TREE_H

#include "kernel-shared/ctree.h"
#include "kernel-shared/delayed-ref.h"

struct btrfs_trans_handle;

/* ---- tree blocks ---- */

/*
 * A new tree block for @root.
 *
 * Takes nodesize bytes of a metadata (for the chunk tree: system) group,
 * allocating a chunk when there is no other way.  @hint and @empty_size are not
 * looked at: new blocks follow one another.  @parent 0: the reference is by the
 * root's id; else a shared one by that block (relocation trees always get a
 * shared one, by the block itself if @parent is 0).  @key is the first key that
 * the block will have (may be NULL for an empty one): kept in the extent item
 * where metadata is not skinny.
 *
 * *@eb is dirty and known to the running transaction, zeroed, with a complete
 * header (nritems 0, owner the root's id, generation the transaction's) and a
 * reference for the caller (free_extent_buffer()).
 *
 * -ENOSPC (not told), -ENOMEM, -EUCLEAN.  May use what is kept back for the
 * commit: see btrfs_reserve_metadata().
 */
int btrfs_alloc_tree_block(struct btrfs_trans_handle *trans, struct btrfs_root *root, u64 parent,
			   const struct btrfs_disk_key *key, u8 level, u64 hint, u64 empty_size,
			   struct extent_buffer **eb);

/*
 * Drop the reference of tree @root_id (or, shared, of block @parent) to @eb.
 *
 * @last_ref: nobody else refers to it.  If it was born in this transaction it
 * is then taken out of the dirty blocks; and if it had not been written yet and
 * its item not been made, its space is free again at once.  Else the space
 * comes back after the commit.  The caller keeps its reference on @eb.
 */
int btrfs_free_tree_block(struct btrfs_trans_handle *trans, u64 root_id, struct extent_buffer *eb,
			  u64 parent, bool last_ref);

/*
 * Add (drop) one reference for everything that @eb points to: child blocks of a
 * node, data extents of a leaf (which subvolumes and relocation trees alone have).
 * @full_backref: shared references by @eb's address; else by eb's owner.
 */
int btrfs_inc_ref(struct btrfs_trans_handle *trans, struct btrfs_root *root,
		  const struct extent_buffer *eb, bool full_backref);
int btrfs_dec_ref(struct btrfs_trans_handle *trans, struct btrfs_root *root,
		  const struct extent_buffer *eb, bool full_backref);

/* Note that the item of the tree block @eb gets @flags (BTRFS_BLOCK_FLAG_FULL_BACKREF). */
int btrfs_set_disk_extent_flags(struct btrfs_trans_handle *trans, const struct extent_buffer *eb,
				u64 flags);

/* ---- any extent ---- */

/* One more reference to, or one less of, an extent that exists; ref->is_data says which kind. */
int btrfs_inc_extent_ref(struct btrfs_trans_handle *trans, const struct btrfs_ref *ref);
/*
 * With the last reference the extent goes when the delayed references are run: the
 * item, for data the checksums, and, after the commit, the space.
 */
int btrfs_free_extent(struct btrfs_trans_handle *trans, const struct btrfs_ref *ref);

/*
 * How many references the extent at @bytenr has and the flags of its item, with
 * what is noted but not yet in the tree.  @level_or_len is the level of the
 * block for @metadata, else the length of the data in bytes.  @refs, @flags and
 * @owning_root (simple quotas, else 0) may each be NULL.  -ENOENT: there is no
 * such extent.
 */
int btrfs_lookup_extent_info(struct btrfs_trans_handle *trans, u64 bytenr, u64 level_or_len,
			     bool metadata, u64 *refs, u64 *flags, u64 *owning_root);

/* ---- data ---- */

/*
 * Reserve space for data: between @min_bytes and @num_bytes in one piece, as
 * much as can be had (both are multiples of the sector size), at exactly @hint
 * if that is free (0: no matter where).  Allocates chunks.  *@start and *@len are
 * what was got.  -ENOSPC (not told).  The caller writes the data there and then
 * calls btrfs_alloc_reserved_file_extent(), or btrfs_free_reserved_extent().
 */
int btrfs_reserve_extent(struct btrfs_trans_handle *trans, u64 num_bytes, u64 min_bytes, u64 hint,
			 u64 *start, u64 *len);
void btrfs_free_reserved_extent(struct btrfs_fs_info *fs_info, u64 start, u64 len);
/*
 * The reserved extent becomes one with a first reference, from inode @ino of
 * @root at @offset (as in struct btrfs_ref).
 */
int btrfs_alloc_reserved_file_extent(struct btrfs_trans_handle *trans, struct btrfs_root *root,
				     u64 ino, u64 offset, u64 start, u64 len);

/* The key offset of a keyed data reference, and the order of the inline ones. */
u64 hash_extent_data_ref(u64 root_objectid, u64 ino, u64 offset);

#endif
