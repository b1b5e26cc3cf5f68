/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Send: turning a read-only subvolume, or its difference from another, into
 * the commands that make it anew elsewhere.
 *
 * The stream is the kernel's, byte for byte, whatever the number of threads.
 */
#ifndef KERNEL_SHARED_SEND_H
#define KERNEL_SHARED_SEND_H

#include "kernel-shared/fs.h"

/* Values of the send ioctl. */
#define BTRFS_SEND_FLAG_NO_FILE_DATA		(1U << 0)	/* extents without their data */
#define BTRFS_SEND_FLAG_OMIT_STREAM_HEADER	(1U << 1)
#define BTRFS_SEND_FLAG_OMIT_END_CMD		(1U << 2)
#define BTRFS_SEND_FLAG_COMPRESSED		(1U << 4)	/* protocol 2: encoded writes */

#define BTRFS_SEND_PROTO_MAX			2

struct btrfs_send_args {
	struct btrfs_root *root;		/* what is sent */
	struct btrfs_root *parent;		/* what the receiver has; NULL: a full send */
	struct btrfs_root *const *clone_sources;	/* further subvolumes that it has */
	unsigned int nr_clone_sources;
	u32 flags;				/* BTRFS_SEND_FLAG_* */
	u32 proto;				/* 1 or 2 */
	/*
	 * Takes the next @len bytes of the stream; 0 or negative errno, which
	 * ends the send.  Called from any thread, never from two at once.
	 */
	int (*write)(void *ctx, const void *buf, size_t len);
	void *write_ctx;
};

/*
 * Write the stream.  0, what @write returned, or the negative errno of what
 * went wrong, which has then been reported with path, offset and address.
 */
int btrfs_send(struct btrfs_fs_info *fs_info, const struct btrfs_send_args *args);

/*
 * Pick the best parent for @root among subvolumes that the receiver has: what
 * @root is a snapshot of, else the snapshot of the same subvolume that is
 * nearest to it in time.  -ENOENT: none of them is related.
 */
int btrfs_send_choose_parent(struct btrfs_fs_info *fs_info, struct btrfs_root *root,
			     struct btrfs_root *const *clone_sources, unsigned int nr,
			     struct btrfs_root **parent);

#endif
