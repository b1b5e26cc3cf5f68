/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Is a send stream whole, and does it make sense?  stream-read.h sees to the
 * form (headers, checksums, lengths of attributes); here are the rules about
 * what is in it: which attributes each command needs, their sizes and values,
 * and the order of commands.  Nothing outside the stream is looked at, so whether
 * a path exists at the receiver stays open.
 *
 *	btrfs_stream_open(&stream, fd, "standard input");
 *	do {
 *		ret = btrfs_stream_verify(&stream, &summary);
 *		...
 *		btrfs_stream_summary_free(&summary);
 *		if (!ret)
 *			ret = btrfs_stream_at_end(&stream);
 *	} while (!ret);
 *	btrfs_stream_close(&stream);
 */
#ifndef KERNEL_SHARED_STREAM_VERIFY_H
#define KERNEL_SHARED_STREAM_VERIFY_H

#include "common/vec.h"
#include "kernel-shared/stream-read.h"

/* A stream may hold any number of subvolumes; so many names of them are kept. */
#define BTRFS_STREAM_MAX_NAMES	1024

/* What a stream holds. */
struct btrfs_stream_summary {
	u64 offset;		/* where it begins in the input, in bytes */
	u32 version;
	u64 bytes;		/* from its header to its end command, both included */
	u64 data_bytes;		/* file data in write and encoded_write, as it lies there */
	u64 nr_cmds;		/* of any kind, the end included */
	u64 nr_subvols;		/* subvol and snapshot commands */
	struct vec subvols;	/* of char *: their paths, BTRFS_STREAM_MAX_NAMES at most */
};

/*
 * Read one stream, from its header to its end command, and check all of it.
 * @stream stands where a header is due, and afterwards behind the end command.
 *
 * -EPROTO and -EPROTONOSUPPORT: the first fault was said, with the byte where
 * its command begins, the command's number and, if it is known, its type.
 * -ENODATA: the input is empty.  Or what read(2) says, or -ENOMEM; all are said.
 * @summary is to be freed in any case.
 */
int btrfs_stream_verify(struct btrfs_stream *stream, struct btrfs_stream_summary *summary);
void btrfs_stream_summary_free(struct btrfs_stream_summary *summary);

/*
 * The rules about a single command, which btrfs_stream_read_cmd() has just
 * handed out.  After 0 its required attributes may be taken as present, and all
 * that it has as of the right size.  -EPROTO is said.
 */
int btrfs_stream_check_cmd(const struct btrfs_stream *stream, const struct btrfs_stream_cmd *cmd);

#endif
