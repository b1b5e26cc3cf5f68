/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every command of a send stream, with good attributes, to make streams of or to
 * spoil one attribute of.
 */
#ifndef TESTS_STREAM_COMMANDS_H
#define TESTS_STREAM_COMMANDS_H

#include "tests/unit/stream-maker.h"

#include <sys/stat.h>

struct attr {
	u16 type;
	u16 len;
	bool optional;
	u8 data[24];
};

struct command {
	u16 cmd;
	struct attr attrs[10];	/* up to one of type 0 */
};

#define LE32(v)		(u8)(v), (u8)((u64)(v) >> 8), (u8)((u64)(v) >> 16), (u8)((u64)(v) >> 24)
#define LE64(v)		LE32(v), LE32((u64)(v) >> 32)

#define TEXT(t, s)	{ .type = BTRFS_SEND_A_##t, .len = sizeof(s) - 1, .data = s }
#define NUM64(t, v)	{ .type = BTRFS_SEND_A_##t, .len = 8, .data = { LE64(v) } }
#define NUM32(t, v)	{ .type = BTRFS_SEND_A_##t, .len = 4, .data = { LE32(v) } }
#define TIME(t, s, n)	{ .type = BTRFS_SEND_A_##t, .len = 12, .data = { LE64(s), LE32(n) } }
#define UUID(t)		TEXT(t, "sixteen bytes...")

static const struct command subvol = { BTRFS_SEND_C_SUBVOL, {
	TEXT(PATH, "home"), UUID(UUID), NUM64(CTRANSID, 9) } };

static const struct command commands[] = {
	{ BTRFS_SEND_C_SUBVOL, { TEXT(PATH, "s"), UUID(UUID), NUM64(CTRANSID, 9) } },
	{ BTRFS_SEND_C_SNAPSHOT, { TEXT(PATH, "snap"), UUID(UUID), NUM64(CTRANSID, 9),
				   UUID(CLONE_UUID), NUM64(CLONE_CTRANSID, 8) } },
	{ BTRFS_SEND_C_MKFILE, { TEXT(PATH, "o257-9-0"), NUM64(INO, 257) } },
	{ BTRFS_SEND_C_MKDIR, { TEXT(PATH, "dir"), NUM64(INO, 258) } },
	{ BTRFS_SEND_C_MKNOD, { TEXT(PATH, "n"), NUM64(INO, 259), NUM64(MODE, S_IFCHR | 0600),
				NUM64(RDEV, 259) } },
	{ BTRFS_SEND_C_MKFIFO, { TEXT(PATH, "p"), NUM64(INO, 260),
				 { BTRFS_SEND_A_RDEV, 8, true, { 0 } } } },
	{ BTRFS_SEND_C_MKSOCK, { TEXT(PATH, "k"), NUM64(INO, 261) } },
	{ BTRFS_SEND_C_SYMLINK, { TEXT(PATH, "l"), NUM64(INO, 262), TEXT(PATH_LINK, "/../x") } },
	{ BTRFS_SEND_C_RENAME, { TEXT(PATH, "o257-9-0"), TEXT(PATH_TO, "dir/f") } },
	{ BTRFS_SEND_C_LINK, { TEXT(PATH, "dir/g"), TEXT(PATH_LINK, "dir/f") } },
	{ BTRFS_SEND_C_UNLINK, { TEXT(PATH, "dir/g") } },
	{ BTRFS_SEND_C_RMDIR, { TEXT(PATH, "dir/d") } },
	{ BTRFS_SEND_C_SET_XATTR, { TEXT(PATH, "dir/f"), TEXT(XATTR_NAME, "user.x"),
				    TEXT(XATTR_DATA, "value") } },
	{ BTRFS_SEND_C_REMOVE_XATTR, { TEXT(PATH, "dir/f"), TEXT(XATTR_NAME, "user.x") } },
	{ BTRFS_SEND_C_WRITE, { TEXT(PATH, "dir/f"), NUM64(FILE_OFFSET, 0),
				TEXT(DATA, "what is in the file") } },
	{ BTRFS_SEND_C_CLONE, { NUM64(FILE_OFFSET, 8192), NUM64(CLONE_LEN, 4096),
				TEXT(PATH, "dir/f"), UUID(CLONE_UUID), NUM64(CLONE_CTRANSID, 9),
				TEXT(CLONE_PATH, "dir/f"), NUM64(CLONE_OFFSET, 0) } },
	{ BTRFS_SEND_C_TRUNCATE, { TEXT(PATH, "dir/f"), NUM64(SIZE, 12288) } },
	{ BTRFS_SEND_C_CHMOD, { TEXT(PATH, "dir/f"), NUM64(MODE, 04755) } },
	{ BTRFS_SEND_C_CHOWN, { TEXT(PATH, "dir/f"), NUM64(UID, 1000), NUM64(GID, 100) } },
	{ BTRFS_SEND_C_UTIMES, { TEXT(PATH, "dir/f"), TIME(ATIME, 1, 999999999), TIME(MTIME, -2, 0),
				 TIME(CTIME, 3, 4), { BTRFS_SEND_A_OTIME, 12, true, { 0 } } } },
	{ BTRFS_SEND_C_UPDATE_EXTENT, { TEXT(PATH, "dir/f"), NUM64(FILE_OFFSET, 0),
					NUM64(SIZE, 0) } },
	/* Version 2 from here on. */
	{ BTRFS_SEND_C_FALLOCATE, { TEXT(PATH, "dir/f"), NUM32(FALLOCATE_MODE, 3),
				    NUM64(FILE_OFFSET, 0), NUM64(SIZE, 4096) } },
	{ BTRFS_SEND_C_FILEATTR, { TEXT(PATH, "dir/f"), NUM64(FILEATTR, 0x4234) } },
	{ BTRFS_SEND_C_ENCODED_WRITE, { TEXT(PATH, "dir/f"), NUM64(FILE_OFFSET, 4096),
					NUM64(UNENCODED_FILE_LEN, 4096), NUM64(UNENCODED_LEN, 8192),
					NUM64(UNENCODED_OFFSET, 4096), NUM32(COMPRESSION, 2),
					{ BTRFS_SEND_A_ENCRYPTION, 4, true, { 0 } },
					TEXT(DATA, "packed") } },
};

static inline const struct command *command_of(unsigned int cmd)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (commands[i].cmd == cmd)
			return &commands[i];
	}
	fail_msg("no command %u", cmd);
	return NULL;
}

static inline u32 version_of(unsigned int cmd)
{
	return cmd <= BTRFS_SEND_C_MAX_V1 ? 1 : 2;
}

/* What is put instead of one attribute; .data NULL: nothing. */
struct change {
	u16 type;
	u32 len;
	const void *data;
};

static inline void put_data(struct vec *out, u32 version, u16 type, const void *data, size_t len)
{
	u8 head[2];

	if (version < 2 || type != BTRFS_SEND_A_DATA) {
		put_attr(out, type, data, (u16)len);
		return;
	}
	put_unaligned_le16(type, head);
	put(out, head, sizeof(head));
	put(out, data, len);
}

static inline void put_changed(struct vec *out, u32 version, const struct command *command,
			       const struct change *change)
{
	struct vec attrs = VEC_INIT(u8);

	for (const struct attr *attr = command->attrs; attr->type; attr++) {
		if (!change || change->type != attr->type)
			put_data(&attrs, version, attr->type, attr->data, attr->len);
		else if (change->data)
			put_data(&attrs, version, attr->type, change->data, change->len);
	}
	put_cmd(out, command->cmd, &attrs);
	vec_free(&attrs);
}

#endif
