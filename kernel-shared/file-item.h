/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * File extent items and the checksums of file data.
 */
#ifndef KERNEL_SHARED_FILE_ITEM_H
#define KERNEL_SHARED_FILE_ITEM_H

#include "kernel-shared/ctree.h"

/*
 * Where the extent item at @slot of @leaf ends in its file, bytes.  An inline
 * extent counts as a whole number of sectors, as its page does in memory.
 */
u64 btrfs_file_extent_end(const struct extent_buffer *leaf, u32 slot);

/*
 * Copy the checksums of @nr sectors from @logical on to @csums (csum_size bytes
 * each); have[i] tells whether sector i has one.  @path is the caller's, kept
 * from call to call, so that neighbouring look-ups cost little.
 * 0 or a negative errno from reading the checksum tree.
 */
int btrfs_lookup_csums(struct btrfs_fs_info *fs_info, struct btrfs_path *path, u64 logical,
		       u32 nr, u8 *csums, bool *have);

/* ---- changing ---- */

/* A regular extent at @offset of the file, or, with disk_bytenr 0, a hole. */
struct btrfs_new_file_extent {
	u64 offset;		/* in the file, bytes */
	u64 num_bytes;		/* in the file */
	u64 disk_bytenr;
	u64 disk_num_bytes;
	u64 extent_offset;	/* into the (unpacked) extent */
	u64 ram_bytes;
	u8 compression;
	bool prealloc;
};
/* -EEXIST.  The reference to the extent is the caller's to add. */
int btrfs_insert_file_extent(struct btrfs_trans_handle *trans, struct btrfs_root *root, u64 ino,
			     const struct btrfs_new_file_extent *extent);
/* Data in the leaf: @size bytes that unpack to @ram_bytes.  -EEXIST.  -EOVERFLOW: too long. */
int btrfs_insert_inline_extent(struct btrfs_trans_handle *trans, struct btrfs_root *root, u64 ino,
			       const void *data, u32 size, u64 ram_bytes, u8 compression);

/*
 * Drop what [start, end) of the file has: extents inside go, those that reach in
 * are cut (or split), with their references.  @start and @end are aligned to
 * sectors.  An inline extent goes if the range begins at 0 and covers it, else it is
 * -EOPNOTSUPP.  *@bytes_dropped (may be NULL): what nbytes of the inode
 * shrinks by.
 */
int btrfs_drop_extents(struct btrfs_trans_handle *trans, struct btrfs_root *root, u64 ino,
		       u64 start, u64 end, u64 *bytes_dropped);

/*
 * Checksums (csum_size bytes each) of the sectors from @logical on; together with
 * those that stand right before, in items as long as the kernel makes them.
 * Sectors that have one already: -EEXIST.
 */
int btrfs_insert_csums(struct btrfs_trans_handle *trans, struct btrfs_root *csum_root,
		       u64 logical, u64 nr_bytes, const u8 *csums);
/* Delete the checksums of [logical, logical + nr_bytes), wherever their items begin and end. */
int btrfs_del_csums(struct btrfs_trans_handle *trans, struct btrfs_root *csum_root, u64 logical,
		    u64 nr_bytes);

#endif
