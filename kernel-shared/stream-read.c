// SPDX-License-Identifier: GPL-2.0-only
/*
 * The parser of send streams.  Input is read in pieces as large as the buffer
 * holds; a command is looked at where it lies, nothing is copied but the tail
 * that has to move to the front before the next read.
 */
#include "kernel-shared/stream-read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/hash.h"
#include "common/message.h"

/* Holds a few commands and still fits the second-level cache, where the checksum finds it. */
#define STREAM_BUF_SIZE		((size_t)SZ_256K * 2)

static const char *const cmd_names[BTRFS_SEND_C_MAX + 1] = {
	[BTRFS_SEND_C_SUBVOL] = "subvol",
	[BTRFS_SEND_C_SNAPSHOT] = "snapshot",
	[BTRFS_SEND_C_MKFILE] = "mkfile",
	[BTRFS_SEND_C_MKDIR] = "mkdir",
	[BTRFS_SEND_C_MKNOD] = "mknod",
	[BTRFS_SEND_C_MKFIFO] = "mkfifo",
	[BTRFS_SEND_C_MKSOCK] = "mksock",
	[BTRFS_SEND_C_SYMLINK] = "symlink",
	[BTRFS_SEND_C_RENAME] = "rename",
	[BTRFS_SEND_C_LINK] = "link",
	[BTRFS_SEND_C_UNLINK] = "unlink",
	[BTRFS_SEND_C_RMDIR] = "rmdir",
	[BTRFS_SEND_C_SET_XATTR] = "set_xattr",
	[BTRFS_SEND_C_REMOVE_XATTR] = "remove_xattr",
	[BTRFS_SEND_C_WRITE] = "write",
	[BTRFS_SEND_C_CLONE] = "clone",
	[BTRFS_SEND_C_TRUNCATE] = "truncate",
	[BTRFS_SEND_C_CHMOD] = "chmod",
	[BTRFS_SEND_C_CHOWN] = "chown",
	[BTRFS_SEND_C_UTIMES] = "utimes",
	[BTRFS_SEND_C_END] = "end",
	[BTRFS_SEND_C_UPDATE_EXTENT] = "update_extent",
	[BTRFS_SEND_C_FALLOCATE] = "fallocate",
	[BTRFS_SEND_C_FILEATTR] = "fileattr",
	[BTRFS_SEND_C_ENCODED_WRITE] = "encoded_write",
	[BTRFS_SEND_C_ENABLE_VERITY] = "enable_verity",
};

static const char *const attr_names[BTRFS_SEND_A_MAX + 1] = {
	[BTRFS_SEND_A_UUID] = "uuid",
	[BTRFS_SEND_A_CTRANSID] = "ctransid",
	[BTRFS_SEND_A_INO] = "ino",
	[BTRFS_SEND_A_SIZE] = "size",
	[BTRFS_SEND_A_MODE] = "mode",
	[BTRFS_SEND_A_UID] = "uid",
	[BTRFS_SEND_A_GID] = "gid",
	[BTRFS_SEND_A_RDEV] = "rdev",
	[BTRFS_SEND_A_CTIME] = "ctime",
	[BTRFS_SEND_A_MTIME] = "mtime",
	[BTRFS_SEND_A_ATIME] = "atime",
	[BTRFS_SEND_A_OTIME] = "otime",
	[BTRFS_SEND_A_XATTR_NAME] = "xattr_name",
	[BTRFS_SEND_A_XATTR_DATA] = "xattr_data",
	[BTRFS_SEND_A_PATH] = "path",
	[BTRFS_SEND_A_PATH_TO] = "path_to",
	[BTRFS_SEND_A_PATH_LINK] = "path_link",
	[BTRFS_SEND_A_FILE_OFFSET] = "file_offset",
	[BTRFS_SEND_A_DATA] = "data",
	[BTRFS_SEND_A_CLONE_UUID] = "clone_uuid",
	[BTRFS_SEND_A_CLONE_CTRANSID] = "clone_ctransid",
	[BTRFS_SEND_A_CLONE_PATH] = "clone_path",
	[BTRFS_SEND_A_CLONE_OFFSET] = "clone_offset",
	[BTRFS_SEND_A_CLONE_LEN] = "clone_len",
	[BTRFS_SEND_A_FALLOCATE_MODE] = "fallocate_mode",
	[BTRFS_SEND_A_FILEATTR] = "fileattr",
	[BTRFS_SEND_A_UNENCODED_FILE_LEN] = "unencoded_file_len",
	[BTRFS_SEND_A_UNENCODED_LEN] = "unencoded_len",
	[BTRFS_SEND_A_UNENCODED_OFFSET] = "unencoded_offset",
	[BTRFS_SEND_A_COMPRESSION] = "compression",
	[BTRFS_SEND_A_ENCRYPTION] = "encryption",
	[BTRFS_SEND_A_VERITY_ALGORITHM] = "verity_algorithm",
	[BTRFS_SEND_A_VERITY_BLOCK_SIZE] = "verity_block_size",
	[BTRFS_SEND_A_VERITY_SALT_DATA] = "verity_salt_data",
	[BTRFS_SEND_A_VERITY_SIG_DATA] = "verity_sig_data",
};

const char *btrfs_send_cmd_name(unsigned int cmd)
{
	return cmd < ARRAY_SIZE(cmd_names) ? cmd_names[cmd] : NULL;
}

const char *btrfs_send_attr_name(unsigned int attr)
{
	const char *name = attr < ARRAY_SIZE(attr_names) ? attr_names[attr] : NULL;

	return name ? name : "unknown";
}

/* " of stream 2, command 7 (write)", as far as it is known and wanted. */
static void describe_cmd(const struct btrfs_stream *stream, char *text, size_t size)
{
	const char *name = btrfs_send_cmd_name(stream->cmd);
	int len = 0;

	text[0] = '\0';
	if (!stream->tell_cmd)
		return;
	if (stream->nr_cmds > 0)
		len = snprintf(text, size, ", command %llu", stream->nr_cmds);
	if (stream->nr_cmds > 0 && name)
		len += snprintf(text + len, size - (size_t)len, " (%s)", name);
	if (stream->nr_cmds > 0 && stream->nr_streams > 1)
		snprintf(text + len, size - (size_t)len, " of stream %llu", stream->nr_streams);
}

int btrfs_stream_error(const struct btrfs_stream *stream, const char *fmt, ...)
{
	char what[160], cmd[96];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	describe_cmd(stream, cmd, sizeof(cmd));
	error("bad send stream in %s: at byte %llu%s: %s", stream->name, stream->cmd_offset, cmd,
	      what);
	return -EPROTO;
}

int btrfs_stream_open(struct btrfs_stream *stream, int fd, const char *name)
{
	*stream = (struct btrfs_stream){
		.name = name,
		.fd = fd,
		.buf_size = STREAM_BUF_SIZE,
		.buf = malloc(STREAM_BUF_SIZE),
	};
	if (!stream->buf) {
		error("cannot read send stream from %s: %s", name, errno_text(-ENOMEM));
		return -ENOMEM;
	}
	/* Advice only; a pipe knows none. */
	posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	return 0;
}

void btrfs_stream_close(struct btrfs_stream *stream)
{
	free(stream->buf);
	stream->buf = NULL;
}

/* ---- input ---- */

static size_t available(const struct btrfs_stream *stream)
{
	return stream->end - stream->start;
}

static int grow_buffer(struct btrfs_stream *stream)
{
	u8 *buf = realloc(stream->buf, stream->buf_size * 2);

	if (!buf) {
		error("cannot read send stream from %s: %s", stream->name, errno_text(-ENOMEM));
		return -ENOMEM;
	}
	stream->buf = buf;
	stream->buf_size *= 2;
	return 0;
}

/* One read(2) behind what is there. */
static int read_more(struct btrfs_stream *stream)
{
	ssize_t n;

	do {
		n = read(stream->fd, stream->buf + stream->end, stream->buf_size - stream->end);
	} while (n < 0 && errno == EINTR);
	if (n < 0) {
		int ret = -errno;

		error("cannot read send stream from %s: %s", stream->name, errno_text(ret));
		return ret;
	}
	stream->eof = n == 0;
	stream->end += (size_t)n;
	return 0;
}

/*
 * Have @len bytes available, or as many as the input still holds.  The buffer
 * grows only when it is full of bytes that were really there.
 */
static int fill_buffer(struct btrfs_stream *stream, size_t len)
{
	int ret;

	if (available(stream) >= len)
		return 0;
	if (stream->start > 0) {
		memmove(stream->buf, stream->buf + stream->start, available(stream));
		stream->end -= stream->start;
		stream->start = 0;
	}
	while (stream->end < len && !stream->eof) {
		if (stream->end == stream->buf_size) {
			ret = grow_buffer(stream);
			if (ret)
				return ret;
		}
		ret = read_more(stream);
		if (ret)
			return ret;
	}
	return 0;
}

static void consume(struct btrfs_stream *stream, size_t len)
{
	stream->start += len;
	stream->offset += len;
}

/* ---- headers ---- */

int btrfs_stream_read_header(struct btrfs_stream *stream)
{
	struct btrfs_stream_header header;
	int ret;

	stream->cmd_offset = stream->offset;
	stream->nr_cmds = 0;
	stream->cmd = BTRFS_SEND_C_UNSPEC;
	ret = fill_buffer(stream, sizeof(header));
	if (ret)
		return ret;
	if (available(stream) == 0) {
		error("cannot read send stream from %s: it is empty", stream->name);
		return -ENODATA;
	}
	if (available(stream) < sizeof(header))
		return btrfs_stream_error(stream, stream->nr_streams ?
					  "what follows the end command is no whole stream header" :
					  "the stream header is cut short");
	memcpy(&header, stream->buf + stream->start, sizeof(header));
	if (memcmp(header.magic, BTRFS_SEND_STREAM_MAGIC, sizeof(header.magic)) != 0)
		return btrfs_stream_error(stream, stream->nr_streams ?
					  "what follows the end command is no send stream" :
					  "no send stream: the magic is missing");
	stream->version = le32toh(header.version);
	if (stream->version < 1 || stream->version > BTRFS_SEND_STREAM_VERSION_MAX) {
		btrfs_stream_error(stream, "version %u is not supported (1 to %d are)",
				   stream->version, BTRFS_SEND_STREAM_VERSION_MAX);
		return -EPROTONOSUPPORT;
	}
	consume(stream, sizeof(header));
	stream->nr_streams++;
	return 0;
}

int btrfs_stream_at_end(struct btrfs_stream *stream)
{
	int ret = fill_buffer(stream, 1);

	return ret ? ret : available(stream) == 0;
}

/* Have a whole command in the buffer and tell its header. */
static int load_cmd(struct btrfs_stream *stream, struct btrfs_cmd_header *header)
{
	size_t have;
	u32 len;
	int ret;

	ret = fill_buffer(stream, sizeof(*header));
	if (ret)
		return ret;
	if (available(stream) == 0)
		return btrfs_stream_error(stream, "the stream ends without an end command");
	if (available(stream) < sizeof(*header))
		return btrfs_stream_error(stream, "the command header is cut short");
	memcpy(header, stream->buf + stream->start, sizeof(*header));
	stream->cmd = le16toh(header->cmd);
	len = le32toh(header->len);
	if (len > BTRFS_STREAM_MAX_CMD_LEN)
		return btrfs_stream_error(stream, "the length of the command is %u bytes", len);
	ret = fill_buffer(stream, sizeof(*header) + len);
	if (ret)
		return ret;
	have = available(stream) - sizeof(*header);
	if (have < len)
		return btrfs_stream_error(stream, "the command is cut short: %zu of %u bytes",
					  have, len);
	return 0;
}

static bool crc_is_good(const struct btrfs_cmd_header *header, const u8 *payload, u32 len)
{
	struct btrfs_cmd_header blank = *header;
	u32 crc;

	blank.crc = 0;
	crc = crc32c(0, &blank, sizeof(blank));
	return crc32c(crc, payload, len) == le32toh(header->crc);
}

/* ---- attributes ---- */

/*
 * One attribute at @at of @len bytes; *@used is what it takes.  A length
 * follows the type, except for the data of version 2 (see send-stream.h).
 */
static int parse_attr(const struct btrfs_stream *stream, const u8 *at, u32 len,
		      struct btrfs_stream_cmd *cmd, u32 *used)
{
	u32 type, head, attr_len;

	if (len < sizeof(u16))
		return btrfs_stream_error(stream, "%u bytes are left behind the attributes", len);
	type = get_unaligned_le16(at);
	if (type == BTRFS_SEND_A_UNSPEC || type > BTRFS_SEND_A_MAX)
		return btrfs_stream_error(stream, "there is no attribute type %u", type);
	if (stream->version >= 2 && type == BTRFS_SEND_A_DATA) {
		head = sizeof(u16);
		attr_len = len - head;
	} else {
		head = sizeof(struct btrfs_tlv_header);
		if (len < head)
			return btrfs_stream_error(stream, "attribute %s is cut short",
						  btrfs_send_attr_name(type));
		attr_len = get_unaligned_le16(at + sizeof(u16));
	}
	if (attr_len > len - head)
		return btrfs_stream_error(stream,
					  "attribute %s of %u bytes reaches past the command",
					  btrfs_send_attr_name(type), attr_len);
	if (cmd->attrs[type].data)
		cmd->repeated = (u16)type;
	cmd->attrs[type].data = at + head;
	cmd->attrs[type].len = attr_len;
	*used = head + attr_len;
	return 0;
}

int btrfs_stream_read_cmd(struct btrfs_stream *stream, struct btrfs_stream_cmd *cmd)
{
	struct btrfs_cmd_header header;
	const u8 *payload;
	u32 len, at, used = 0;
	int ret;

	stream->cmd_offset = stream->offset;
	stream->nr_cmds++;
	stream->cmd = BTRFS_SEND_C_UNSPEC;
	ret = load_cmd(stream, &header);
	if (ret)
		return ret;
	len = le32toh(header.len);
	payload = stream->buf + stream->start + sizeof(header);
	if (!crc_is_good(&header, payload, len))
		return btrfs_stream_error(stream, "the checksum of the command is wrong");
	memset(cmd, 0, sizeof(*cmd));
	cmd->cmd = stream->cmd;
	for (at = 0; at < len; at += used) {
		ret = parse_attr(stream, payload + at, len - at, cmd, &used);
		if (ret)
			return ret;
	}
	consume(stream, sizeof(header) + len);
	return 0;
}

int btrfs_stream_get_data(const struct btrfs_stream *stream, const struct btrfs_stream_cmd *cmd,
			  enum btrfs_send_attr attr, const u8 **data, u32 *len)
{
	const char *name = btrfs_send_cmd_name(cmd->cmd);

	if (!cmd->attrs[attr].data)
		return btrfs_stream_error(stream, "%s has no %s", name ? name : "the command",
					  btrfs_send_attr_name(attr));
	*data = cmd->attrs[attr].data;
	*len = cmd->attrs[attr].len;
	return 0;
}

/* An attribute whose type has the size @size. */
static int get_fixed(const struct btrfs_stream *stream, const struct btrfs_stream_cmd *cmd,
		     enum btrfs_send_attr attr, const u8 **data, u32 size)
{
	u32 len = 0;
	int ret;

	ret = btrfs_stream_get_data(stream, cmd, attr, data, &len);
	if (ret)
		return ret;
	if (len != size)
		return btrfs_stream_error(stream, "attribute %s has %u bytes instead of %u",
					  btrfs_send_attr_name(attr), len, size);
	return 0;
}

int btrfs_stream_get_u64(const struct btrfs_stream *stream, const struct btrfs_stream_cmd *cmd,
			 enum btrfs_send_attr attr, u64 *value)
{
	const u8 *data;
	int ret = get_fixed(stream, cmd, attr, &data, sizeof(*value));

	if (!ret)
		*value = get_unaligned_le64(data);
	return ret;
}

int btrfs_stream_get_u32(const struct btrfs_stream *stream, const struct btrfs_stream_cmd *cmd,
			 enum btrfs_send_attr attr, u32 *value)
{
	const u8 *data;
	int ret = get_fixed(stream, cmd, attr, &data, sizeof(*value));

	if (!ret)
		*value = get_unaligned_le32(data);
	return ret;
}

int btrfs_stream_get_u8(const struct btrfs_stream *stream, const struct btrfs_stream_cmd *cmd,
			enum btrfs_send_attr attr, u8 *value)
{
	const u8 *data;
	int ret = get_fixed(stream, cmd, attr, &data, sizeof(*value));

	if (!ret)
		*value = *data;
	return ret;
}

int btrfs_stream_get_uuid(const struct btrfs_stream *stream, const struct btrfs_stream_cmd *cmd,
			  enum btrfs_send_attr attr, const u8 **uuid)
{
	return get_fixed(stream, cmd, attr, uuid, BTRFS_UUID_SIZE);
}

int btrfs_stream_get_timespec(const struct btrfs_stream *stream,
			      const struct btrfs_stream_cmd *cmd, enum btrfs_send_attr attr,
			      struct btrfs_timespec *ts)
{
	const u8 *data;
	int ret = get_fixed(stream, cmd, attr, &data, sizeof(*ts));

	if (!ret)
		memcpy(ts, data, sizeof(*ts));
	return ret;
}
