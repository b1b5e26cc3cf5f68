// SPDX-License-Identifier: GPL-2.0-only
/*
 * A send stream as text, in the form of the field's tool, so that scripts and
 * eyes that know it need not learn another:
 *
 *	COMMAND         ./SUBVOL/PATH                   key=value key=value
 *
 * That form has corners, kept here because the output is compared: paths that
 * the command acts on are escaped, but a clone's source and xattrs are not; a
 * file attribute is decimal behind "0x"; commands we do not know, and the end
 * command, print nothing, and nothing after it is looked at.
 */
#include "cmds/receive-dump.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <time.h>
#include <uuid/uuid.h>

#include "common/message.h"
#include "kernel-shared/stream-read.h"

struct dump {
	struct btrfs_stream *stream;
	const struct btrfs_stream_cmd *cmd;
	/* "./" and the subvolume's path: all later paths are relative to it. */
	char subvol[PATH_MAX];
	bool told_unknown;
};

/* ---- pieces of lines ---- */

/* Paths and names end at a NUL, should somebody have put one there. */
static int get_string(const struct dump *dump, enum btrfs_send_attr attr, const char **str,
		      size_t *len)
{
	const u8 *data;
	u32 data_len;
	int ret;

	ret = btrfs_stream_get_data(dump->stream, dump->cmd, attr, &data, &data_len);
	if (ret)
		return ret;
	*str = (const char *)data;
	*len = strnlen(*str, data_len);
	return 0;
}

static int get_u64(const struct dump *dump, enum btrfs_send_attr attr, u64 *value)
{
	return btrfs_stream_get_u64(dump->stream, dump->cmd, attr, value);
}

/* The letter behind the backslash, or 0 for a byte without one. */
static char escape_letter(unsigned char c)
{
	switch (c) {
	case '\a': return 'a';
	case '\b': return 'b';
	case 0x1b: return 'e';
	case '\f': return 'f';
	case '\n': return 'n';
	case '\r': return 'r';
	case '\t': return 't';
	case '\v': return 'v';
	case ' ':  return ' ';
	case '\\': return '\\';
	default:   return 0;
	}
}

/* Returns the columns that it took. */
static int print_escaped(const char *str, size_t len)
{
	int width = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)str[i];
		char letter = escape_letter(c);

		if (letter)
			width += printf("\\%c", letter);
		else if (c < 0x20 || c >= 0x7f)
			width += printf("\\%03o", c);
		else
			width += putchar(c) == c;
	}
	return width;
}

/* One slash at an end does not count; more are the stream's own. */
static size_t without_slash(const char *path, size_t len)
{
	return len > 0 && path[len - 1] == '/' ? len - 1 : len;
}

/* @base/@name to @out of PATH_MAX bytes.  -ENAMETOOLONG is said. */
static int join_path(const struct dump *dump, const char *base, const char *name, size_t len,
		     char *out)
{
	size_t base_len = without_slash(base, strlen(base));

	len = without_slash(name, len);
	if (base_len + len + 2 >= PATH_MAX) {
		error("bad send stream in %s: at byte %llu: a path of %zu bytes is too long",
		      dump->stream->name, dump->stream->cmd_offset, base_len + 1 + len);
		return -ENAMETOOLONG;
	}
	memcpy(out, base, base_len);
	out[base_len] = '/';
	memcpy(out + base_len + 1, name, len);
	out[base_len + 1 + len] = '\0';
	return 0;
}

/* A path attribute, from the subvolume's parent on. */
static int get_path(const struct dump *dump, enum btrfs_send_attr attr, char *out)
{
	const char *str;
	size_t len;
	int ret;

	ret = get_string(dump, attr, &str, &len);
	if (ret)
		return ret;
	return join_path(dump, dump->subvol, str, len, out);
}

/* The beginning of a line; @more: key=value pairs follow. */
static void print_head(const struct dump *dump, const char *path, bool more)
{
	int width;

	printf("%-16s", btrfs_send_cmd_name(dump->cmd->cmd));
	width = print_escaped(path, strlen(path));
	if (!more)
		putchar('\n');
	else
		printf("%*s", width < 32 ? 32 - width : 1, "");
}

/* ---- one function for commands of one shape ---- */

/*
 * The subvolume that all that follows is relative to, for both commands which
 * begin one.
 */
static int enter_subvol(struct dump *dump, u64 *transid, char uuid_text[UUID_STR_LEN])
{
	const char *name;
	const u8 *uuid;
	size_t len;
	int ret;

	ret = get_string(dump, BTRFS_SEND_A_PATH, &name, &len);
	if (!ret)
		ret = btrfs_stream_get_uuid(dump->stream, dump->cmd, BTRFS_SEND_A_UUID, &uuid);
	if (!ret)
		ret = get_u64(dump, BTRFS_SEND_A_CTRANSID, transid);
	if (!ret)
		ret = join_path(dump, ".", name, len, dump->subvol);
	if (!ret)
		uuid_unparse_lower(uuid, uuid_text);
	return ret;
}

static int dump_subvol(struct dump *dump)
{
	char uuid[UUID_STR_LEN];
	u64 transid;
	int ret;

	ret = enter_subvol(dump, &transid, uuid);
	if (ret)
		return ret;
	print_head(dump, dump->subvol, true);
	printf("uuid=%s transid=%llu\n", uuid, transid);
	return 0;
}

static int dump_snapshot(struct dump *dump)
{
	char uuid[UUID_STR_LEN], parent_text[UUID_STR_LEN];
	u64 transid, parent_transid;
	const u8 *parent;
	int ret;

	ret = btrfs_stream_get_uuid(dump->stream, dump->cmd, BTRFS_SEND_A_CLONE_UUID, &parent);
	if (!ret)
		ret = get_u64(dump, BTRFS_SEND_A_CLONE_CTRANSID, &parent_transid);
	if (!ret)
		ret = enter_subvol(dump, &transid, uuid);
	if (ret)
		return ret;
	uuid_unparse_lower(parent, parent_text);
	print_head(dump, dump->subvol, true);
	printf("uuid=%s transid=%llu parent_uuid=%s parent_transid=%llu\n", uuid, transid,
	       parent_text, parent_transid);
	return 0;
}

/* unlink, rmdir */
static int dump_path_only(struct dump *dump)
{
	char path[PATH_MAX];
	int ret;

	ret = get_path(dump, BTRFS_SEND_A_PATH, path);
	if (!ret)
		print_head(dump, path, false);
	return ret;
}

/* mkfile, mkdir, mkfifo, mksock: the inode number must be there, but is not printed. */
static int dump_create(struct dump *dump)
{
	u64 ino;
	int ret;

	ret = get_u64(dump, BTRFS_SEND_A_INO, &ino);
	return ret ? ret : dump_path_only(dump);
}

static int dump_mknod(struct dump *dump)
{
	char path[PATH_MAX];
	u64 ino, mode, rdev;
	int ret;

	ret = get_path(dump, BTRFS_SEND_A_PATH, path);
	if (!ret)
		ret = get_u64(dump, BTRFS_SEND_A_INO, &ino);
	if (!ret)
		ret = get_u64(dump, BTRFS_SEND_A_MODE, &mode);
	if (!ret)
		ret = get_u64(dump, BTRFS_SEND_A_RDEV, &rdev);
	if (ret)
		return ret;
	print_head(dump, path, true);
	printf("mode=%llo dev=0x%llx\n", mode, rdev);
	return 0;
}

static void print_dest(const struct dump *dump, const char *path, const char *dest, size_t len)
{
	print_head(dump, path, true);
	fputs("dest=", stdout);
	print_escaped(dest, len);
	putchar('\n');
}

static int dump_rename(struct dump *dump)
{
	char path[PATH_MAX], dest[PATH_MAX];
	int ret;

	ret = get_path(dump, BTRFS_SEND_A_PATH, path);
	if (!ret)
		ret = get_path(dump, BTRFS_SEND_A_PATH_TO, dest);
	if (!ret)
		print_dest(dump, path, dest, strlen(dest));
	return ret;
}

/* link and symlink: where they lead stands as it is in the stream. */
static int dump_link(struct dump *dump)
{
	char path[PATH_MAX];
	const char *dest;
	size_t len;
	u64 ino;
	int ret = 0;

	if (dump->cmd->cmd == BTRFS_SEND_C_SYMLINK)
		ret = get_u64(dump, BTRFS_SEND_A_INO, &ino);
	if (!ret)
		ret = get_path(dump, BTRFS_SEND_A_PATH, path);
	if (!ret)
		ret = get_string(dump, BTRFS_SEND_A_PATH_LINK, &dest, &len);
	if (!ret)
		print_dest(dump, path, dest, len);
	return ret;
}

static int dump_set_xattr(struct dump *dump)
{
	char path[PATH_MAX];
	const char *name;
	size_t name_len;
	const u8 *data;
	u32 len;
	int ret;

	ret = get_path(dump, BTRFS_SEND_A_PATH, path);
	if (!ret)
		ret = get_string(dump, BTRFS_SEND_A_XATTR_NAME, &name, &name_len);
	if (!ret)
		ret = btrfs_stream_get_data(dump->stream, dump->cmd, BTRFS_SEND_A_XATTR_DATA,
					    &data, &len);
	if (ret)
		return ret;
	print_head(dump, path, true);
	printf("name=%.*s data=%.*s len=%u\n", (int)name_len, name, (int)len, (const char *)data,
	       len);
	return 0;
}

static int dump_remove_xattr(struct dump *dump)
{
	char path[PATH_MAX];
	const char *name;
	size_t len;
	int ret;

	ret = get_path(dump, BTRFS_SEND_A_PATH, path);
	if (!ret)
		ret = get_string(dump, BTRFS_SEND_A_XATTR_NAME, &name, &len);
	if (ret)
		return ret;
	print_head(dump, path, true);
	printf("name=%.*s\n", (int)len, name);
	return 0;
}

static int dump_write(struct dump *dump)
{
	char path[PATH_MAX];
	const u8 *data;
	u64 offset;
	u32 len;
	int ret;

	ret = get_path(dump, BTRFS_SEND_A_PATH, path);
	if (!ret)
		ret = get_u64(dump, BTRFS_SEND_A_FILE_OFFSET, &offset);
	if (!ret)
		ret = btrfs_stream_get_data(dump->stream, dump->cmd, BTRFS_SEND_A_DATA, &data,
					    &len);
	if (ret)
		return ret;
	print_head(dump, path, true);
	printf("offset=%llu len=%u\n", offset, len);
	return 0;
}

/* Absent means none: 0. */
static int get_optional_u32(const struct dump *dump, enum btrfs_send_attr attr, u32 *value)
{
	*value = 0;
	if (!dump->cmd->attrs[attr].data)
		return 0;
	return btrfs_stream_get_u32(dump->stream, dump->cmd, attr, value);
}

static int dump_encoded_write(struct dump *dump)
{
	u64 offset, file_len, unencoded_len, unencoded_offset;
	u32 len, compression, encryption;
	char path[PATH_MAX];
	const u8 *data;
	int ret;

	ret = get_path(dump, BTRFS_SEND_A_PATH, path);
	if (!ret)
		ret = get_u64(dump, BTRFS_SEND_A_FILE_OFFSET, &offset);
	if (!ret)
		ret = get_u64(dump, BTRFS_SEND_A_UNENCODED_FILE_LEN, &file_len);
	if (!ret)
		ret = get_u64(dump, BTRFS_SEND_A_UNENCODED_LEN, &unencoded_len);
	if (!ret)
		ret = get_u64(dump, BTRFS_SEND_A_UNENCODED_OFFSET, &unencoded_offset);
	if (!ret)
		ret = get_optional_u32(dump, BTRFS_SEND_A_COMPRESSION, &compression);
	if (!ret)
		ret = get_optional_u32(dump, BTRFS_SEND_A_ENCRYPTION, &encryption);
	if (!ret)
		ret = btrfs_stream_get_data(dump->stream, dump->cmd, BTRFS_SEND_A_DATA, &data,
					    &len);
	if (ret)
		return ret;
	print_head(dump, path, true);
	printf("offset=%llu len=%u, unencoded_file_len=%llu, unencoded_len=%llu, "
	       "unencoded_offset=%llu, compression=%u, encryption=%u\n", offset, len, file_len,
	       unencoded_len, unencoded_offset, compression, encryption);
	return 0;
}

static int dump_clone(struct dump *dump)
{
	char path[PATH_MAX], source[PATH_MAX];
	u64 offset, len, transid, clone_offset;
	const u8 *uuid;
	int ret;

	ret = get_path(dump, BTRFS_SEND_A_PATH, path);
	if (!ret)
		ret = get_u64(dump, BTRFS_SEND_A_FILE_OFFSET, &offset);
	if (!ret)
		ret = get_u64(dump, BTRFS_SEND_A_CLONE_LEN, &len);
	/* The source may be another subvolume; the line does not tell, but it has to be there. */
	if (!ret)
		ret = btrfs_stream_get_uuid(dump->stream, dump->cmd, BTRFS_SEND_A_CLONE_UUID,
					    &uuid);
	if (!ret)
		ret = get_u64(dump, BTRFS_SEND_A_CLONE_CTRANSID, &transid);
	if (!ret)
		ret = get_path(dump, BTRFS_SEND_A_CLONE_PATH, source);
	if (!ret)
		ret = get_u64(dump, BTRFS_SEND_A_CLONE_OFFSET, &clone_offset);
	if (ret)
		return ret;
	print_head(dump, path, true);
	printf("offset=%llu len=%llu from=%s clone_offset=%llu\n", offset, len, source,
	       clone_offset);
	return 0;
}

static int dump_truncate(struct dump *dump)
{
	char path[PATH_MAX];
	u64 size;
	int ret;

	ret = get_path(dump, BTRFS_SEND_A_PATH, path);
	if (!ret)
		ret = get_u64(dump, BTRFS_SEND_A_SIZE, &size);
	if (ret)
		return ret;
	print_head(dump, path, true);
	printf("size=%llu\n", size);
	return 0;
}

static int dump_chmod(struct dump *dump)
{
	char path[PATH_MAX];
	u64 mode;
	int ret;

	ret = get_path(dump, BTRFS_SEND_A_PATH, path);
	if (!ret)
		ret = get_u64(dump, BTRFS_SEND_A_MODE, &mode);
	if (ret)
		return ret;
	print_head(dump, path, true);
	printf("mode=%llo\n", mode);
	return 0;
}

static int dump_chown(struct dump *dump)
{
	char path[PATH_MAX];
	u64 uid, gid;
	int ret;

	ret = get_path(dump, BTRFS_SEND_A_PATH, path);
	if (!ret)
		ret = get_u64(dump, BTRFS_SEND_A_UID, &uid);
	if (!ret)
		ret = get_u64(dump, BTRFS_SEND_A_GID, &gid);
	if (ret)
		return ret;
	print_head(dump, path, true);
	printf("gid=%llu uid=%llu\n", gid, uid);
	return 0;
}

#define TIME_TEXT_LEN	64

/* Local time with its offset from UTC, whole seconds. */
static int get_time(const struct dump *dump, enum btrfs_send_attr attr, char text[TIME_TEXT_LEN])
{
	struct btrfs_timespec ts;
	struct tm tm;
	time_t sec;
	int ret;

	ret = btrfs_stream_get_timespec(dump->stream, dump->cmd, attr, &ts);
	if (ret)
		return ret;
	sec = (time_t)le64toh(ts.sec);
	if (!localtime_r(&sec, &tm) || !strftime(text, TIME_TEXT_LEN, "%FT%T%z", &tm)) {
		error("bad send stream in %s: at byte %llu: %s is out of range: %lld seconds",
		      dump->stream->name, dump->stream->cmd_offset, btrfs_send_attr_name(attr),
		      (s64)sec);
		return -EPROTO;
	}
	return 0;
}

static int dump_utimes(struct dump *dump)
{
	char atime[TIME_TEXT_LEN], mtime[TIME_TEXT_LEN], ctime[TIME_TEXT_LEN];
	char path[PATH_MAX];
	int ret;

	ret = get_path(dump, BTRFS_SEND_A_PATH, path);
	if (!ret)
		ret = get_time(dump, BTRFS_SEND_A_ATIME, atime);
	if (!ret)
		ret = get_time(dump, BTRFS_SEND_A_MTIME, mtime);
	if (!ret)
		ret = get_time(dump, BTRFS_SEND_A_CTIME, ctime);
	if (ret)
		return ret;
	print_head(dump, path, true);
	printf("atime=%s mtime=%s ctime=%s\n", atime, mtime, ctime);
	return 0;
}

static int dump_update_extent(struct dump *dump)
{
	char path[PATH_MAX];
	u64 offset, len;
	int ret;

	ret = get_path(dump, BTRFS_SEND_A_PATH, path);
	if (!ret)
		ret = get_u64(dump, BTRFS_SEND_A_FILE_OFFSET, &offset);
	if (!ret)
		ret = get_u64(dump, BTRFS_SEND_A_SIZE, &len);
	if (ret)
		return ret;
	print_head(dump, path, true);
	printf("offset=%llu len=%llu\n", offset, len);
	return 0;
}

static int dump_fallocate(struct dump *dump)
{
	char path[PATH_MAX];
	u64 offset, len;
	u32 mode;
	int ret;

	ret = get_path(dump, BTRFS_SEND_A_PATH, path);
	if (!ret)
		ret = btrfs_stream_get_u32(dump->stream, dump->cmd, BTRFS_SEND_A_FALLOCATE_MODE,
					   &mode);
	if (!ret)
		ret = get_u64(dump, BTRFS_SEND_A_FILE_OFFSET, &offset);
	if (!ret)
		ret = get_u64(dump, BTRFS_SEND_A_SIZE, &len);
	if (ret)
		return ret;
	print_head(dump, path, true);
	printf("mode=%d offset=%llu len=%llu\n", (int)mode, offset, len);
	return 0;
}

static int dump_fileattr(struct dump *dump)
{
	char path[PATH_MAX];
	u64 attr;
	int ret;

	ret = get_path(dump, BTRFS_SEND_A_PATH, path);
	if (!ret)
		ret = get_u64(dump, BTRFS_SEND_A_FILEATTR, &attr);
	if (ret)
		return ret;
	print_head(dump, path, true);
	printf("fileattr=0x%llu\n", attr);
	return 0;
}

static int dump_enable_verity(struct dump *dump)
{
	u32 block_size, salt_len, sig_len;
	char path[PATH_MAX];
	const u8 *data;
	u8 algorithm;
	int ret;

	ret = get_path(dump, BTRFS_SEND_A_PATH, path);
	if (!ret)
		ret = btrfs_stream_get_u8(dump->stream, dump->cmd, BTRFS_SEND_A_VERITY_ALGORITHM,
					  &algorithm);
	if (!ret)
		ret = btrfs_stream_get_u32(dump->stream, dump->cmd,
					   BTRFS_SEND_A_VERITY_BLOCK_SIZE, &block_size);
	if (!ret)
		ret = btrfs_stream_get_data(dump->stream, dump->cmd,
					    BTRFS_SEND_A_VERITY_SALT_DATA, &data, &salt_len);
	if (!ret)
		ret = btrfs_stream_get_data(dump->stream, dump->cmd,
					    BTRFS_SEND_A_VERITY_SIG_DATA, &data, &sig_len);
	if (ret)
		return ret;
	print_head(dump, path, true);
	printf("algorithm=%d block_size=%u salt_len=%u sig_len=%u\n", algorithm, block_size,
	       salt_len, sig_len);
	return 0;
}

/* ---- the stream ---- */

static int (*const dump_fns[BTRFS_SEND_C_MAX + 1])(struct dump *) = {
	[BTRFS_SEND_C_SUBVOL] = dump_subvol,
	[BTRFS_SEND_C_SNAPSHOT] = dump_snapshot,
	[BTRFS_SEND_C_MKFILE] = dump_create,
	[BTRFS_SEND_C_MKDIR] = dump_create,
	[BTRFS_SEND_C_MKNOD] = dump_mknod,
	[BTRFS_SEND_C_MKFIFO] = dump_create,
	[BTRFS_SEND_C_MKSOCK] = dump_create,
	[BTRFS_SEND_C_SYMLINK] = dump_link,
	[BTRFS_SEND_C_RENAME] = dump_rename,
	[BTRFS_SEND_C_LINK] = dump_link,
	[BTRFS_SEND_C_UNLINK] = dump_path_only,
	[BTRFS_SEND_C_RMDIR] = dump_path_only,
	[BTRFS_SEND_C_SET_XATTR] = dump_set_xattr,
	[BTRFS_SEND_C_REMOVE_XATTR] = dump_remove_xattr,
	[BTRFS_SEND_C_WRITE] = dump_write,
	[BTRFS_SEND_C_CLONE] = dump_clone,
	[BTRFS_SEND_C_TRUNCATE] = dump_truncate,
	[BTRFS_SEND_C_CHMOD] = dump_chmod,
	[BTRFS_SEND_C_CHOWN] = dump_chown,
	[BTRFS_SEND_C_UTIMES] = dump_utimes,
	[BTRFS_SEND_C_UPDATE_EXTENT] = dump_update_extent,
	[BTRFS_SEND_C_FALLOCATE] = dump_fallocate,
	[BTRFS_SEND_C_FILEATTR] = dump_fileattr,
	[BTRFS_SEND_C_ENCODED_WRITE] = dump_encoded_write,
	[BTRFS_SEND_C_ENABLE_VERITY] = dump_enable_verity,
};

static int dump_cmd(struct dump *dump)
{
	unsigned int nr = dump->cmd->cmd;

	if (nr < ARRAY_SIZE(dump_fns) && dump_fns[nr])
		return dump_fns[nr](dump);
	if (!dump->told_unknown)
		warning("send stream in %s: at byte %llu: unknown command %u is left out",
			dump->stream->name, dump->stream->cmd_offset, nr);
	dump->told_unknown = true;
	return 0;
}

static int dump_stream(struct btrfs_stream *stream)
{
	struct btrfs_stream_cmd cmd;
	struct dump dump = { .stream = stream, .cmd = &cmd, .subvol = "." };
	int ret;

	ret = btrfs_stream_read_header(stream);
	while (!ret) {
		ret = btrfs_stream_read_cmd(stream, &cmd);
		if (ret || cmd.cmd == BTRFS_SEND_C_END)
			break;
		ret = dump_cmd(&dump);
		/* Nobody listens any more: do not read gigabytes for them. */
		if (!ret && ferror(stdout))
			ret = -EIO;
	}
	return ret;
}

int receive_dump(int fd, const char *name)
{
	struct btrfs_stream stream;
	int ret;

	ret = btrfs_stream_open(&stream, fd, name);
	if (ret)
		return ret;
	ret = dump_stream(&stream);
	btrfs_stream_close(&stream);
	return ret;
}
