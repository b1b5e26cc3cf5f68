// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rules of send streams.  Two tables hold most of them: what an attribute
 * is, and which attributes a command needs.  What values must have to do with
 * each other is a small function per command.
 *
 * The rules ask what any receiver needs to apply the command, not what the kernel
 * happens to send: attributes beyond the needed ones are allowed, as receivers
 * skip them.
 */
#include "kernel-shared/stream-verify.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <linux/falloc.h>
#include <linux/limits.h>

#include "common/message.h"

/* No file reaches beyond what loff_t holds. */
#define MAX_FILE_OFFSET		((u64)INT64_MAX)

/* Compressed extents: neither their packed nor their unpacked size is larger. */
#define MAX_ENCODED_LEN		SZ_128K

#define NSEC_PER_SEC		1000000000U

/* ---- attributes ---- */

enum attr_kind {
	KIND_NONE,
	KIND_U8,
	KIND_U32,
	KIND_U64,
	KIND_UUID,
	KIND_TIME,
	KIND_PATH,	/* inside the subvolume */
	KIND_LINK,	/* a path for a hard link, any text for a symbolic one */
	KIND_NAME,	/* of an xattr */
	KIND_BYTES,
};

static const u8 attr_kinds[BTRFS_SEND_A_MAX + 1] = {
	[BTRFS_SEND_A_UUID] = KIND_UUID,
	[BTRFS_SEND_A_CTRANSID] = KIND_U64,
	[BTRFS_SEND_A_INO] = KIND_U64,
	[BTRFS_SEND_A_SIZE] = KIND_U64,
	[BTRFS_SEND_A_MODE] = KIND_U64,
	[BTRFS_SEND_A_UID] = KIND_U64,
	[BTRFS_SEND_A_GID] = KIND_U64,
	[BTRFS_SEND_A_RDEV] = KIND_U64,
	[BTRFS_SEND_A_CTIME] = KIND_TIME,
	[BTRFS_SEND_A_MTIME] = KIND_TIME,
	[BTRFS_SEND_A_ATIME] = KIND_TIME,
	[BTRFS_SEND_A_OTIME] = KIND_TIME,
	[BTRFS_SEND_A_XATTR_NAME] = KIND_NAME,
	[BTRFS_SEND_A_XATTR_DATA] = KIND_BYTES,
	[BTRFS_SEND_A_PATH] = KIND_PATH,
	[BTRFS_SEND_A_PATH_TO] = KIND_PATH,
	[BTRFS_SEND_A_PATH_LINK] = KIND_LINK,
	[BTRFS_SEND_A_FILE_OFFSET] = KIND_U64,
	[BTRFS_SEND_A_DATA] = KIND_BYTES,
	[BTRFS_SEND_A_CLONE_UUID] = KIND_UUID,
	[BTRFS_SEND_A_CLONE_CTRANSID] = KIND_U64,
	[BTRFS_SEND_A_CLONE_PATH] = KIND_PATH,
	[BTRFS_SEND_A_CLONE_OFFSET] = KIND_U64,
	[BTRFS_SEND_A_CLONE_LEN] = KIND_U64,
	[BTRFS_SEND_A_FALLOCATE_MODE] = KIND_U32,
	[BTRFS_SEND_A_FILEATTR] = KIND_U64,
	[BTRFS_SEND_A_UNENCODED_FILE_LEN] = KIND_U64,
	[BTRFS_SEND_A_UNENCODED_LEN] = KIND_U64,
	[BTRFS_SEND_A_UNENCODED_OFFSET] = KIND_U64,
	[BTRFS_SEND_A_COMPRESSION] = KIND_U32,
	[BTRFS_SEND_A_ENCRYPTION] = KIND_U32,
	[BTRFS_SEND_A_VERITY_ALGORITHM] = KIND_U8,
	[BTRFS_SEND_A_VERITY_BLOCK_SIZE] = KIND_U32,
	[BTRFS_SEND_A_VERITY_SALT_DATA] = KIND_BYTES,
	[BTRFS_SEND_A_VERITY_SIG_DATA] = KIND_BYTES,
};

static unsigned int version_of_attr(unsigned int attr)
{
	if (attr <= BTRFS_SEND_A_MAX_V1)
		return 1;
	return attr <= BTRFS_SEND_A_MAX_V2 ? 2 : 3;
}

/* Text that ends up in a system call: not empty, no NUL, @max bytes at most. */
static int check_text(const struct btrfs_stream *stream, const struct btrfs_stream_cmd *cmd,
		      enum btrfs_send_attr attr, u32 max)
{
	const struct btrfs_stream_attr *text = &cmd->attrs[attr];
	const char *name = btrfs_send_attr_name(attr);

	if (text->len == 0)
		return btrfs_stream_error(stream, "attribute %s is empty", name);
	if (text->len > max)
		return btrfs_stream_error(stream, "attribute %s has %u bytes, more than %u", name,
					  text->len, max);
	if (memchr(text->data, 0, text->len))
		return btrfs_stream_error(stream, "attribute %s has a NUL byte", name);
	return 0;
}

/* A path that stays inside the subvolume, as far as that can be told from the path. */
static int check_path(const struct btrfs_stream *stream, const struct btrfs_stream_cmd *cmd,
		      enum btrfs_send_attr attr)
{
	const char *name = (const char *)cmd->attrs[attr].data;
	const char *end = name + cmd->attrs[attr].len;
	int ret;

	ret = check_text(stream, cmd, attr, PATH_MAX - 1);
	if (ret)
		return ret;
	if (*name == '/')
		return btrfs_stream_error(stream, "attribute %s is an absolute path",
					  btrfs_send_attr_name(attr));
	while (name < end) {
		const char *slash = memchr(name, '/', (size_t)(end - name));
		size_t len = (size_t)((slash ? slash : end) - name);

		if (len == 2 && memcmp(name, "..", 2) == 0)
			return btrfs_stream_error(stream, "attribute %s goes through \"..\"",
						  btrfs_send_attr_name(attr));
		if (len > NAME_MAX)
			return btrfs_stream_error(stream, "attribute %s has a name of %zu bytes",
						  btrfs_send_attr_name(attr), len);
		name += len + 1;
	}
	return 0;
}

static int check_size(const struct btrfs_stream *stream, const struct btrfs_stream_cmd *cmd,
		      enum btrfs_send_attr attr, u32 size)
{
	if (cmd->attrs[attr].len == size)
		return 0;
	return btrfs_stream_error(stream, "attribute %s has %u bytes instead of %u",
				  btrfs_send_attr_name(attr), cmd->attrs[attr].len, size);
}

static int check_time(const struct btrfs_stream *stream, const struct btrfs_stream_cmd *cmd,
		      enum btrfs_send_attr attr)
{
	struct btrfs_timespec ts;
	int ret;

	ret = btrfs_stream_get_timespec(stream, cmd, attr, &ts);
	if (ret)
		return ret;
	if (le32toh(ts.nsec) >= NSEC_PER_SEC)
		return btrfs_stream_error(stream, "attribute %s has %u nanoseconds",
					  btrfs_send_attr_name(attr), le32toh(ts.nsec));
	return 0;
}

static int check_attr(const struct btrfs_stream *stream, const struct btrfs_stream_cmd *cmd,
		      enum btrfs_send_attr attr)
{
	if (version_of_attr(attr) > stream->version)
		return btrfs_stream_error(stream, "attribute %s is of version %u",
					  btrfs_send_attr_name(attr), version_of_attr(attr));
	switch (attr_kinds[attr]) {
	case KIND_U8:
		return check_size(stream, cmd, attr, sizeof(u8));
	case KIND_U32:
		return check_size(stream, cmd, attr, sizeof(u32));
	case KIND_U64:
		return check_size(stream, cmd, attr, sizeof(u64));
	case KIND_UUID:
		return check_size(stream, cmd, attr, BTRFS_UUID_SIZE);
	case KIND_TIME:
		return check_time(stream, cmd, attr);
	case KIND_PATH:
		return check_path(stream, cmd, attr);
	case KIND_LINK:
		if (cmd->cmd == BTRFS_SEND_C_SYMLINK)
			return check_text(stream, cmd, attr, PATH_MAX - 1);
		return check_path(stream, cmd, attr);
	case KIND_NAME:
		return check_text(stream, cmd, attr, XATTR_NAME_MAX);
	default:
		return 0;
	}
}

/* ---- values that depend on the command ---- */

/* Of attributes that the command needs: they are there and have their sizes. */
static u64 value_u64(const struct btrfs_stream_cmd *cmd, enum btrfs_send_attr attr)
{
	return get_unaligned_le64(cmd->attrs[attr].data);
}

static u32 value_u32(const struct btrfs_stream_cmd *cmd, enum btrfs_send_attr attr)
{
	return get_unaligned_le32(cmd->attrs[attr].data);
}

/* [offset, offset + len) has to be a place in a file. */
static int check_range(const struct btrfs_stream *stream, enum btrfs_send_attr attr, u64 offset,
		       u64 len)
{
	u64 end;

	if (__builtin_add_overflow(offset, len, &end) || end > MAX_FILE_OFFSET)
		return btrfs_stream_error(stream, "%llu bytes at %s %llu are beyond any file", len,
					  btrfs_send_attr_name(attr), offset);
	return 0;
}

static int check_write(const struct btrfs_stream *stream, const struct btrfs_stream_cmd *cmd)
{
	u32 len = cmd->attrs[BTRFS_SEND_A_DATA].len;

	if (len == 0)
		return btrfs_stream_error(stream, "no data is written");
	return check_range(stream, BTRFS_SEND_A_FILE_OFFSET,
			   value_u64(cmd, BTRFS_SEND_A_FILE_OFFSET), len);
}

/* What is wanted of the unpacked extent has to lie inside it. */
static int check_encoded_lens(const struct btrfs_stream *stream, const struct btrfs_stream_cmd *cmd)
{
	u64 file_len = value_u64(cmd, BTRFS_SEND_A_UNENCODED_FILE_LEN);
	u64 len = value_u64(cmd, BTRFS_SEND_A_UNENCODED_LEN);
	u64 offset = value_u64(cmd, BTRFS_SEND_A_UNENCODED_OFFSET);
	u32 data_len = cmd->attrs[BTRFS_SEND_A_DATA].len;

	if (data_len == 0 || data_len > MAX_ENCODED_LEN)
		return btrfs_stream_error(stream, "%u bytes of data, not 1 to %u", data_len,
					  MAX_ENCODED_LEN);
	if (len == 0 || len > MAX_ENCODED_LEN)
		return btrfs_stream_error(stream, "unencoded_len is %llu, not 1 to %u", len,
					  MAX_ENCODED_LEN);
	if (offset > len || file_len > len - offset || file_len == 0)
		return btrfs_stream_error(stream, "unencoded_file_len %llu at unencoded_offset "
					  "%llu does not fit unencoded_len %llu", file_len, offset,
					  len);
	return check_range(stream, BTRFS_SEND_A_FILE_OFFSET,
			   value_u64(cmd, BTRFS_SEND_A_FILE_OFFSET), file_len);
}

static int check_encoded_write(const struct btrfs_stream *stream,
			       const struct btrfs_stream_cmd *cmd)
{
	u32 compression = value_u32(cmd, BTRFS_SEND_A_COMPRESSION);

	/* Data that is not packed comes as a write; no receiver takes it here. */
	if (compression == BTRFS_SEND_COMPRESSION_NONE ||
	    compression > BTRFS_SEND_COMPRESSION_LZO_64K)
		return btrfs_stream_error(stream, "there is no compression %u", compression);
	if (cmd->attrs[BTRFS_SEND_A_ENCRYPTION].data && value_u32(cmd, BTRFS_SEND_A_ENCRYPTION))
		return btrfs_stream_error(stream, "there is no encryption %u",
					  value_u32(cmd, BTRFS_SEND_A_ENCRYPTION));
	return check_encoded_lens(stream, cmd);
}

static int check_clone(const struct btrfs_stream *stream, const struct btrfs_stream_cmd *cmd)
{
	u64 len = value_u64(cmd, BTRFS_SEND_A_CLONE_LEN);
	int ret;

	/* To the system call 0 means all that follows, which no sender means. */
	if (len == 0)
		return btrfs_stream_error(stream, "clone_len is 0");
	ret = check_range(stream, BTRFS_SEND_A_CLONE_OFFSET,
			  value_u64(cmd, BTRFS_SEND_A_CLONE_OFFSET), len);
	if (ret)
		return ret;
	return check_range(stream, BTRFS_SEND_A_FILE_OFFSET,
			   value_u64(cmd, BTRFS_SEND_A_FILE_OFFSET), len);
}

static int check_truncate(const struct btrfs_stream *stream, const struct btrfs_stream_cmd *cmd)
{
	return check_range(stream, BTRFS_SEND_A_SIZE, value_u64(cmd, BTRFS_SEND_A_SIZE), 0);
}

/* The kernel counts the size in 32 bits, so that 0 may stand for 4 GiB. */
static int check_update_extent(const struct btrfs_stream *stream,
			       const struct btrfs_stream_cmd *cmd)
{
	return check_range(stream, BTRFS_SEND_A_FILE_OFFSET,
			   value_u64(cmd, BTRFS_SEND_A_FILE_OFFSET),
			   value_u64(cmd, BTRFS_SEND_A_SIZE));
}

#define FALLOCATE_MODES	(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_COLLAPSE_RANGE | \
			 FALLOC_FL_ZERO_RANGE | FALLOC_FL_INSERT_RANGE | FALLOC_FL_UNSHARE_RANGE)

static int check_fallocate(const struct btrfs_stream *stream, const struct btrfs_stream_cmd *cmd)
{
	u32 mode = value_u32(cmd, BTRFS_SEND_A_FALLOCATE_MODE);
	u64 len = value_u64(cmd, BTRFS_SEND_A_SIZE);

	if (mode & ~(u32)FALLOCATE_MODES)
		return btrfs_stream_error(stream, "there is no fallocate_mode 0x%x", mode);
	if (len == 0)
		return btrfs_stream_error(stream, "size is 0");
	return check_range(stream, BTRFS_SEND_A_FILE_OFFSET,
			   value_u64(cmd, BTRFS_SEND_A_FILE_OFFSET), len);
}

static int check_mknod(const struct btrfs_stream *stream, const struct btrfs_stream_cmd *cmd)
{
	u64 mode = value_u64(cmd, BTRFS_SEND_A_MODE);

	switch (mode & ~07777ULL) {
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		return 0;
	default:
		return btrfs_stream_error(stream, "mode 0%llo is of no device", mode);
	}
}

/* The type of the file may stand in it, as it has no effect. */
static int check_chmod(const struct btrfs_stream *stream, const struct btrfs_stream_cmd *cmd)
{
	u64 mode = value_u64(cmd, BTRFS_SEND_A_MODE);

	if (mode & ~(u64)(S_IFMT | 07777))
		return btrfs_stream_error(stream, "there is no mode 0%llo", mode);
	return 0;
}

static int check_chown(const struct btrfs_stream *stream, const struct btrfs_stream_cmd *cmd)
{
	static const enum btrfs_send_attr attrs[] = { BTRFS_SEND_A_UID, BTRFS_SEND_A_GID };

	for (size_t i = 0; i < ARRAY_SIZE(attrs); i++) {
		u64 id = value_u64(cmd, attrs[i]);

		if (id > UINT32_MAX)
			return btrfs_stream_error(stream, "%s %llu has more than 32 bits",
						  btrfs_send_attr_name(attrs[i]), id);
	}
	return 0;
}

/* ---- commands ---- */

struct cmd_rule {
	u64 needs;	/* attributes, a bit each */
	bool on_subvol;	/* may be about the subvolume itself: then its path is empty */
	int (*check)(const struct btrfs_stream *stream, const struct btrfs_stream_cmd *cmd);
};

#define A(attr)		(1ULL << BTRFS_SEND_A_##attr)

static const struct cmd_rule cmd_rules[BTRFS_SEND_C_MAX + 1] = {
	[BTRFS_SEND_C_SUBVOL] = { .needs = A(PATH) | A(UUID) | A(CTRANSID) },
	[BTRFS_SEND_C_SNAPSHOT] = { .needs = A(PATH) | A(UUID) | A(CTRANSID) | A(CLONE_UUID) |
					     A(CLONE_CTRANSID) },
	[BTRFS_SEND_C_MKFILE] = { .needs = A(PATH) | A(INO) },
	[BTRFS_SEND_C_MKDIR] = { .needs = A(PATH) | A(INO) },
	[BTRFS_SEND_C_MKNOD] = { .needs = A(PATH) | A(INO) | A(MODE) | A(RDEV),
				 .check = check_mknod },
	[BTRFS_SEND_C_MKFIFO] = { .needs = A(PATH) | A(INO) },
	[BTRFS_SEND_C_MKSOCK] = { .needs = A(PATH) | A(INO) },
	[BTRFS_SEND_C_SYMLINK] = { .needs = A(PATH) | A(INO) | A(PATH_LINK) },
	[BTRFS_SEND_C_RENAME] = { .needs = A(PATH) | A(PATH_TO) },
	[BTRFS_SEND_C_LINK] = { .needs = A(PATH) | A(PATH_LINK) },
	[BTRFS_SEND_C_UNLINK] = { .needs = A(PATH) },
	[BTRFS_SEND_C_RMDIR] = { .needs = A(PATH) },
	[BTRFS_SEND_C_SET_XATTR] = { .needs = A(PATH) | A(XATTR_NAME) | A(XATTR_DATA),
				     .on_subvol = true },
	[BTRFS_SEND_C_REMOVE_XATTR] = { .needs = A(PATH) | A(XATTR_NAME), .on_subvol = true },
	[BTRFS_SEND_C_WRITE] = { .needs = A(PATH) | A(FILE_OFFSET) | A(DATA),
				 .check = check_write },
	[BTRFS_SEND_C_CLONE] = { .needs = A(PATH) | A(FILE_OFFSET) | A(CLONE_LEN) | A(CLONE_UUID) |
					  A(CLONE_CTRANSID) | A(CLONE_PATH) | A(CLONE_OFFSET),
				 .check = check_clone },
	[BTRFS_SEND_C_TRUNCATE] = { .needs = A(PATH) | A(SIZE), .check = check_truncate },
	[BTRFS_SEND_C_CHMOD] = { .needs = A(PATH) | A(MODE), .on_subvol = true,
				 .check = check_chmod },
	[BTRFS_SEND_C_CHOWN] = { .needs = A(PATH) | A(UID) | A(GID), .on_subvol = true,
				 .check = check_chown },
	[BTRFS_SEND_C_UTIMES] = { .needs = A(PATH) | A(ATIME) | A(MTIME) | A(CTIME),
				  .on_subvol = true },
	[BTRFS_SEND_C_END] = { .needs = 0 },
	[BTRFS_SEND_C_UPDATE_EXTENT] = { .needs = A(PATH) | A(FILE_OFFSET) | A(SIZE),
					 .check = check_update_extent },
	[BTRFS_SEND_C_FALLOCATE] = { .needs = A(PATH) | A(FALLOCATE_MODE) | A(FILE_OFFSET) |
					      A(SIZE),
				     .check = check_fallocate },
	[BTRFS_SEND_C_FILEATTR] = { .needs = A(PATH) | A(FILEATTR), .on_subvol = true },
	[BTRFS_SEND_C_ENCODED_WRITE] = { .needs = A(PATH) | A(FILE_OFFSET) |
						  A(UNENCODED_FILE_LEN) | A(UNENCODED_LEN) |
						  A(UNENCODED_OFFSET) | A(COMPRESSION) | A(DATA),
					 .check = check_encoded_write },
	[BTRFS_SEND_C_ENABLE_VERITY] = { .needs = A(PATH) | A(VERITY_ALGORITHM) |
						  A(VERITY_BLOCK_SIZE) | A(VERITY_SALT_DATA) |
						  A(VERITY_SIG_DATA) },
};

static unsigned int version_of_cmd(unsigned int cmd)
{
	if (cmd <= BTRFS_SEND_C_MAX_V1)
		return 1;
	return cmd <= BTRFS_SEND_C_MAX_V2 ? 2 : 3;
}

static int check_attrs(const struct btrfs_stream *stream, const struct btrfs_stream_cmd *cmd,
		       const struct cmd_rule *rule)
{
	for (unsigned int attr = 1; attr <= BTRFS_SEND_A_MAX; attr++) {
		bool here = cmd->attrs[attr].data != NULL;
		int ret;

		if (!here && (rule->needs & (1ULL << attr)))
			return btrfs_stream_error(stream, "attribute %s is missing",
						  btrfs_send_attr_name(attr));
		if (!here || (attr == BTRFS_SEND_A_PATH && rule->on_subvol &&
			      cmd->attrs[attr].len == 0))
			continue;
		ret = check_attr(stream, cmd, (enum btrfs_send_attr)attr);
		if (ret)
			return ret;
	}
	return 0;
}

int btrfs_stream_check_cmd(const struct btrfs_stream *stream, const struct btrfs_stream_cmd *cmd)
{
	const char *name = btrfs_send_cmd_name(cmd->cmd);
	u64 bytes = stream->offset - stream->cmd_offset;
	const struct cmd_rule *rule;
	int ret;

	if (!name)
		return btrfs_stream_error(stream, "there is no command type %u", cmd->cmd);
	if (version_of_cmd(cmd->cmd) > stream->version)
		return btrfs_stream_error(stream, "%s is of version %u, the stream of version %u",
					  name, version_of_cmd(cmd->cmd), stream->version);
	/* Old receivers have a buffer of this size, and attribute lengths hardly need more. */
	if (stream->version == 1 && bytes > BTRFS_SEND_BUF_SIZE_V1)
		return btrfs_stream_error(stream, "the command has %llu bytes, more than %u", bytes,
					  BTRFS_SEND_BUF_SIZE_V1);
	if (cmd->repeated)
		return btrfs_stream_error(stream, "attribute %s is there more than once",
					  btrfs_send_attr_name(cmd->repeated));
	rule = &cmd_rules[cmd->cmd];
	ret = check_attrs(stream, cmd, rule);
	return !ret && rule->check ? rule->check(stream, cmd) : ret;
}

/* ---- a whole stream ---- */

static bool begins_subvol(unsigned int cmd)
{
	return cmd == BTRFS_SEND_C_SUBVOL || cmd == BTRFS_SEND_C_SNAPSHOT;
}

/*
 * A stream is a row of subvolumes, one unless it was made with "send -e", and one
 * end.  That nothing but another stream follows the end is the reader's to see.
 */
static int check_order(const struct btrfs_stream *stream, const struct btrfs_stream_cmd *cmd,
		       const struct btrfs_stream_summary *summary)
{
	if (summary->nr_subvols > 0 || begins_subvol(cmd->cmd))
		return 0;
	return btrfs_stream_error(stream, "no subvol or snapshot stands before it");
}

static int keep_name(const struct btrfs_stream *stream, const struct btrfs_stream_attr *path,
		     struct btrfs_stream_summary *summary)
{
	char *name;

	if (summary->subvols.nr >= BTRFS_STREAM_MAX_NAMES)
		return 0;
	name = strndup((const char *)path->data, path->len);
	if (name && vec_push_copy(&summary->subvols, &name) == 0)
		return 0;
	free(name);
	error("cannot verify send stream in %s: %s", stream->name, errno_text(-ENOMEM));
	return -ENOMEM;
}

static int count_cmd(const struct btrfs_stream *stream, const struct btrfs_stream_cmd *cmd,
		     struct btrfs_stream_summary *summary)
{
	summary->nr_cmds = stream->nr_cmds;
	summary->bytes = stream->offset - summary->offset;
	if (cmd->cmd == BTRFS_SEND_C_WRITE || cmd->cmd == BTRFS_SEND_C_ENCODED_WRITE)
		summary->data_bytes += cmd->attrs[BTRFS_SEND_A_DATA].len;
	if (!begins_subvol(cmd->cmd))
		return 0;
	summary->nr_subvols++;
	return keep_name(stream, &cmd->attrs[BTRFS_SEND_A_PATH], summary);
}

int btrfs_stream_verify(struct btrfs_stream *stream, struct btrfs_stream_summary *summary)
{
	struct btrfs_stream_cmd cmd;
	int ret;

	*summary = (struct btrfs_stream_summary){
		.offset = stream->offset,
		.subvols = VEC_INIT(char *),
	};
	stream->tell_cmd = true;
	ret = btrfs_stream_read_header(stream);
	summary->version = stream->version;
	while (!ret) {
		ret = btrfs_stream_read_cmd(stream, &cmd);
		if (!ret)
			ret = btrfs_stream_check_cmd(stream, &cmd);
		if (!ret)
			ret = check_order(stream, &cmd, summary);
		if (!ret)
			ret = count_cmd(stream, &cmd, summary);
		if (ret || cmd.cmd == BTRFS_SEND_C_END)
			break;
	}
	return ret;
}

void btrfs_stream_summary_free(struct btrfs_stream_summary *summary)
{
	char **name;

	vec_for_each(&summary->subvols, name)
		free(*name);
	vec_free(&summary->subvols);
}
