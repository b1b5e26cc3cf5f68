/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Back references: who points to an extent.
 *
 * The order in which references are reported is the kernel's, since send's
 * choice of a clone source depends on it.
 */
#ifndef KERNEL_SHARED_BACKREF_H
#define KERNEL_SHARED_BACKREF_H

#include "kernel-shared/ctree.h"

/* Returned by a callback to end the walk early and without an error. */
#define BTRFS_ITERATE_EXTENT_INODES_STOP	5

struct btrfs_backref_walk {
	struct btrfs_fs_info *fs_info;
	u64 bytenr;			/* of the data extent */
	/*
	 * Offset in the extent that a file extent has to cover to be reported,
	 * bytes.  Compressed extents are always reported.
	 */
	u64 extent_item_pos;
	struct btrfs_path *extent_path;	/* for searches in the extent tree; the caller's, kept */

	/*
	 * A file extent item of @num_bytes at @offset of inode @ino in @root
	 * refers to the extent.  0: go on; BTRFS_ITERATE_EXTENT_INODES_STOP;
	 * negative errno.
	 */
	int (*iterate)(u64 ino, u64 offset, u64 num_bytes, u64 root, void *ctx);
	/* Looks at each extent item on the way; -ENOENT: leave it alone.  May be NULL. */
	int (*check_extent_item)(u64 bytenr, u64 refs, void *ctx);
	/* True for a reference that is not to be followed.  May be NULL. */
	bool (*skip_data_ref)(u64 root, u64 ino, u64 offset, void *ctx);
	/*
	 * Which roots lead to a leaf, from earlier walks.  cache_lookup says
	 * whether it knows; both may be NULL.
	 */
	bool (*cache_lookup)(u64 leaf, const u64 **roots, u32 *nr, void *ctx);
	void (*cache_store)(u64 leaf, const u64 *roots, u32 nr, void *ctx);
	void *ctx;
};

/*
 * Report every file extent that refers to walk->bytenr, in every root.
 * 0 or a negative errno.
 */
int btrfs_iterate_extent_inodes(struct btrfs_backref_walk *walk);

#endif
