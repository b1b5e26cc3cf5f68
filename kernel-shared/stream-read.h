/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading send streams, protocol versions 1 and 2.
 *
 *	btrfs_stream_open(&stream, fd, "standard input");
 *	ret = btrfs_stream_read_header(&stream);
 *	while (!ret) {
 *		ret = btrfs_stream_read_cmd(&stream, &cmd);
 *		if (ret || cmd.cmd == BTRFS_SEND_C_END)
 *			break;
 *		ret = btrfs_stream_get_u64(&stream, &cmd, BTRFS_SEND_A_SIZE, &size);
 *		...
 *	}
 *	btrfs_stream_close(&stream);
 *
 * A stream is as hostile as an image: every length is checked before it is
 * used, a command is handed out only after its checksum, and memory grows with
 * what was read, not with what a header claims.  What is wrong is said here,
 * with the name of the stream and the byte where the command begins.
 *
 * Where several streams stand one after the other, the next one is begun with
 * btrfs_stream_read_header() after the end command of the one before, unless
 * btrfs_stream_at_end().
 */
#ifndef KERNEL_SHARED_STREAM_READ_H
#define KERNEL_SHARED_STREAM_READ_H

#include "kernel-shared/ondisk.h"
#include "kernel-shared/send-stream.h"

#define BTRFS_SEND_STREAM_VERSION_MAX	2

/*
 * No sender makes a command of more than a few hundred KiB; a larger length is
 * damage that the checksum cannot tell before all of it has been read.
 */
#define BTRFS_STREAM_MAX_CMD_LEN	(16U * SZ_1M)

struct btrfs_stream {
	const char *name;	/* for messages; the caller's */
	int fd;			/* the caller's */
	u32 version;
	u8 *buf;
	size_t buf_size;
	size_t start;		/* the bytes in @buf not yet used are [start, end) */
	size_t end;
	u64 offset;		/* of @start in the stream */
	u64 cmd_offset;		/* where the current command begins */
	u64 nr_streams;		/* headers read, that of the current stream included */
	u64 nr_cmds;		/* of the current stream, up to the current one */
	u16 cmd;		/* type of the current one; 0 while it is not known */
	bool eof;
	bool tell_cmd;		/* the caller's: messages tell the command's number and type, too */
};

struct btrfs_stream_attr {
	const u8 *data;		/* NULL: the command does not have it */
	u32 len;
};

/* Valid until the next command is read: attributes point into the buffer. */
struct btrfs_stream_cmd {
	u16 cmd;		/* enum btrfs_send_cmd, or a number we do not know */
	u16 repeated;		/* an attribute that it has more than once, or 0 */
	struct btrfs_stream_attr attrs[BTRFS_SEND_A_MAX + 1];
};

/* -ENOMEM is said, too.  @fd is read from where it stands. */
int btrfs_stream_open(struct btrfs_stream *stream, int fd, const char *name);
void btrfs_stream_close(struct btrfs_stream *stream);

/*
 * -ENODATA: the input is empty.  -EPROTO: no stream, or not whole.
 * -EPROTONOSUPPORT: a version we do not know.  Or what read(2) says.
 */
int btrfs_stream_read_header(struct btrfs_stream *stream);

/*
 * -EPROTO: cut short, checksum, or attributes that are not well-formed.  The
 * end of input is such an error: a stream ends with BTRFS_SEND_C_END.  Of
 * an attribute that a command has twice the last one counts.
 */
int btrfs_stream_read_cmd(struct btrfs_stream *stream, struct btrfs_stream_cmd *cmd);

/* 1: the input has no more bytes.  0: it has.  Or what read(2) says, said. */
int btrfs_stream_at_end(struct btrfs_stream *stream);

/* Say what is wrong with the current command, and where.  Returns -EPROTO. */
int btrfs_stream_error(const struct btrfs_stream *stream, const char *fmt, ...) __printf(2, 3);

/*
 * One attribute of @cmd.  -EPROTO, said, when it is not there or has not the
 * size of its type.
 */
int btrfs_stream_get_data(const struct btrfs_stream *stream, const struct btrfs_stream_cmd *cmd,
			  enum btrfs_send_attr attr, const u8 **data, u32 *len);
int btrfs_stream_get_u64(const struct btrfs_stream *stream, const struct btrfs_stream_cmd *cmd,
			 enum btrfs_send_attr attr, u64 *value);
int btrfs_stream_get_u32(const struct btrfs_stream *stream, const struct btrfs_stream_cmd *cmd,
			 enum btrfs_send_attr attr, u32 *value);
int btrfs_stream_get_u8(const struct btrfs_stream *stream, const struct btrfs_stream_cmd *cmd,
			enum btrfs_send_attr attr, u8 *value);
int btrfs_stream_get_uuid(const struct btrfs_stream *stream, const struct btrfs_stream_cmd *cmd,
			  enum btrfs_send_attr attr, const u8 **uuid);
/* Little endian, as it stands in the stream. */
int btrfs_stream_get_timespec(const struct btrfs_stream *stream,
			      const struct btrfs_stream_cmd *cmd, enum btrfs_send_attr attr,
			      struct btrfs_timespec *ts);

/* "write", "encoded_write", ...; NULL for a number that has no name. */
const char *btrfs_send_cmd_name(unsigned int cmd);
/* "path", "clone_uuid", ...; never NULL. */
const char *btrfs_send_attr_name(unsigned int attr);

#endif
