/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Send: turning a subvolume, or its difference from another, into the commands
 * that make it anew elsewhere.
 *
 * The stream is the kernel's, byte for byte, whatever the number of threads.
 */
#ifndef KERNEL_SHARED_SEND_H
#define KERNEL_SHARED_SEND_H

#include "kernel-shared/fs.h"

struct progress;

/* Values of the send ioctl. */
#define BTRFS_SEND_FLAG_NO_FILE_DATA		(1U << 0)	/* extents without their data */
#define BTRFS_SEND_FLAG_OMIT_STREAM_HEADER	(1U << 1)
#define BTRFS_SEND_FLAG_OMIT_END_CMD		(1U << 2)
#define BTRFS_SEND_FLAG_COMPRESSED		(1U << 4)	/* protocol 2: encoded writes */

#define BTRFS_SEND_PROTO_MAX			2

/* Damaged file data that a stream does without; the receiver reads zeros there. */
struct btrfs_send_left_out {
	u64 bytes;
	u64 files;
};

struct btrfs_send_args {
	struct btrfs_root *root;		/* what is sent */
	struct btrfs_root *parent;		/* what the receiver has; NULL: a full send */
	struct btrfs_root *const *clone_sources;	/* further subvolumes that it has */
	unsigned int nr_clone_sources;
	const char *name;			/* what the receiver is to call it; NULL: as it is called */
	u32 flags;				/* BTRFS_SEND_FLAG_* */
	u32 proto;				/* 1 or 2 */
	/*
	 * Takes the next @len bytes of the stream; 0 or negative errno, which
	 * ends the send.  Called from any thread, never from two at once.
	 */
	int (*write)(void *ctx, const void *buf, size_t len);
	void *write_ctx;
	struct progress *progress;		/* told of the bytes as they go out; NULL: not */
	/*
	 * File data that has no good copy is left out instead of ending the
	 * send.  A warning says so for each piece, and what they come to is put
	 * into *@left_out.
	 */
	bool skip_damaged;
	struct btrfs_send_left_out *left_out;
};

/*
 * Write the stream.  0, what @write returned, or the negative errno of what
 * went wrong, which has then been reported with path, offset and address.
 */
int btrfs_send(struct btrfs_fs_info *fs_info, const struct btrfs_send_args *args);

/*
 * Count the bytes that btrfs_send() would write, from metadata alone: exact,
 * unless data turns out to be damaged.  @args->write is not called and may be
 * NULL.  Errors as above.
 */
int btrfs_send_estimate(struct btrfs_fs_info *fs_info, const struct btrfs_send_args *args,
			u64 *bytes);
/* The same, but -EFBIG (not reported) as soon as it is more than @max_bytes. */
int btrfs_send_estimate_up_to(struct btrfs_fs_info *fs_info, const struct btrfs_send_args *args,
			      u64 max_bytes, u64 *bytes);

/*
 * The name that the stream gives to @root, terminated: its own or, for the top
 * level, which has none, the label of the file system where that can be a file
 * name, and "top-level" otherwise.  -ENOENT is reported.
 */
int btrfs_send_name(const struct btrfs_root *root, char name[BTRFS_NAME_LEN + 1], u32 *len);

/*
 * The UUID by which the stream names @root, and by which a receiver finds it
 * again: the one that it was received with, else its own.  Of a subvolume that
 * can be written it is always its own, as it may differ by now from what was
 * received; of a top level without UUID that of the file system.
 */
const u8 *btrfs_send_uuid(const struct btrfs_root *root);

/*
 * Pick the best parent for @root among subvolumes that the receiver has: what
 * @root is a snapshot of, else the snapshot of the same subvolume that is
 * nearest to it in time.  -ENOENT: none of them is related.
 */
int btrfs_send_choose_parent(struct btrfs_fs_info *fs_info, struct btrfs_root *root,
			     struct btrfs_root *const *clone_sources, unsigned int nr,
			     struct btrfs_root **parent);

#endif
