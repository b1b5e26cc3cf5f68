/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The format of send streams, protocol versions 1 and 2 (and the numbers that
 * version 3 adds).  Constants and structs only: send.c writes the format,
 * stream-read.c reads it.
 *
 * A stream is one stream header and then commands.  A command is a command
 * header followed by attributes, each a type, a length and that many bytes.
 * All integers are little endian and nothing is aligned.  A file may hold
 * several streams one after the other, each with a header of its own.
 */
#ifndef KERNEL_SHARED_SEND_STREAM_H
#define KERNEL_SHARED_SEND_STREAM_H

#include "common/types.h"

/* With its terminating NUL, which is part of the format. */
#define BTRFS_SEND_STREAM_MAGIC		"btrfs-stream"
#define BTRFS_SEND_STREAM_MAGIC_LEN	sizeof(BTRFS_SEND_STREAM_MAGIC)

/*
 * Protocol 1: a whole command fits in 64 KiB, and a write carries at most
 * 48 KiB, as the rest is left for its path.  Protocol 2: a command may hold
 * one compressed extent (128 KiB) and 16 KiB of everything else; an attribute
 * length has 16 bits only, hence BTRFS_SEND_A_DATA comes last there and has no
 * length: its bytes reach to the end of the command.
 */
#define BTRFS_SEND_BUF_SIZE_V1		SZ_64K
#define BTRFS_SEND_READ_SIZE		SZ_48K
#define BTRFS_SEND_BUF_SIZE_V2		(SZ_16K + SZ_128K)

struct btrfs_stream_header {
	char magic[BTRFS_SEND_STREAM_MAGIC_LEN];
	__le32 version;
} __packed;

struct btrfs_cmd_header {
	__le32 len;		/* of the attributes, without this header */
	__le16 cmd;		/* enum btrfs_send_cmd */
	/* Raw crc32c, begun with 0, of header and attributes, this field taken as 0. */
	__le32 crc;
} __packed;

struct btrfs_tlv_header {
	__le16 tlv_type;	/* enum btrfs_send_attr */
	__le16 tlv_len;
} __packed;

enum btrfs_send_cmd {
	BTRFS_SEND_C_UNSPEC = 0,

	/* Version 1 */
	BTRFS_SEND_C_SUBVOL = 1,
	BTRFS_SEND_C_SNAPSHOT = 2,
	BTRFS_SEND_C_MKFILE = 3,
	BTRFS_SEND_C_MKDIR = 4,
	BTRFS_SEND_C_MKNOD = 5,
	BTRFS_SEND_C_MKFIFO = 6,
	BTRFS_SEND_C_MKSOCK = 7,
	BTRFS_SEND_C_SYMLINK = 8,
	BTRFS_SEND_C_RENAME = 9,
	BTRFS_SEND_C_LINK = 10,
	BTRFS_SEND_C_UNLINK = 11,
	BTRFS_SEND_C_RMDIR = 12,
	BTRFS_SEND_C_SET_XATTR = 13,
	BTRFS_SEND_C_REMOVE_XATTR = 14,
	BTRFS_SEND_C_WRITE = 15,
	BTRFS_SEND_C_CLONE = 16,
	BTRFS_SEND_C_TRUNCATE = 17,
	BTRFS_SEND_C_CHMOD = 18,
	BTRFS_SEND_C_CHOWN = 19,
	BTRFS_SEND_C_UTIMES = 20,
	BTRFS_SEND_C_END = 21,
	BTRFS_SEND_C_UPDATE_EXTENT = 22,	/* instead of a write, without the data */
	BTRFS_SEND_C_MAX_V1 = 22,

	/* Version 2 */
	BTRFS_SEND_C_FALLOCATE = 23,
	BTRFS_SEND_C_FILEATTR = 24,
	BTRFS_SEND_C_ENCODED_WRITE = 25,
	BTRFS_SEND_C_MAX_V2 = 25,

	/* Version 3 */
	BTRFS_SEND_C_ENABLE_VERITY = 26,
	BTRFS_SEND_C_MAX_V3 = 26,

	BTRFS_SEND_C_MAX = 26,
};

enum btrfs_send_attr {
	BTRFS_SEND_A_UNSPEC = 0,

	/* Version 1 */
	BTRFS_SEND_A_UUID = 1,
	BTRFS_SEND_A_CTRANSID = 2,		/* u64 */
	BTRFS_SEND_A_INO = 3,			/* u64 */
	BTRFS_SEND_A_SIZE = 4,			/* u64 */
	BTRFS_SEND_A_MODE = 5,			/* u64 */
	BTRFS_SEND_A_UID = 6,			/* u64 */
	BTRFS_SEND_A_GID = 7,			/* u64 */
	BTRFS_SEND_A_RDEV = 8,			/* u64 */
	BTRFS_SEND_A_CTIME = 9,			/* struct btrfs_timespec, as the next three */
	BTRFS_SEND_A_MTIME = 10,
	BTRFS_SEND_A_ATIME = 11,
	BTRFS_SEND_A_OTIME = 12,
	BTRFS_SEND_A_XATTR_NAME = 13,		/* string without NUL, as all that follow */
	BTRFS_SEND_A_XATTR_DATA = 14,
	BTRFS_SEND_A_PATH = 15,
	BTRFS_SEND_A_PATH_TO = 16,
	BTRFS_SEND_A_PATH_LINK = 17,
	BTRFS_SEND_A_FILE_OFFSET = 18,		/* u64 */
	BTRFS_SEND_A_DATA = 19,			/* last, and from version 2 on without a length */
	BTRFS_SEND_A_CLONE_UUID = 20,
	BTRFS_SEND_A_CLONE_CTRANSID = 21,	/* u64 */
	BTRFS_SEND_A_CLONE_PATH = 22,
	BTRFS_SEND_A_CLONE_OFFSET = 23,		/* u64 */
	BTRFS_SEND_A_CLONE_LEN = 24,		/* u64 */
	BTRFS_SEND_A_MAX_V1 = 24,

	/* Version 2 */
	BTRFS_SEND_A_FALLOCATE_MODE = 25,	/* u32 */
	BTRFS_SEND_A_FILEATTR = 26,		/* u64 */
	BTRFS_SEND_A_UNENCODED_FILE_LEN = 27,	/* u64, as the next two */
	BTRFS_SEND_A_UNENCODED_LEN = 28,
	BTRFS_SEND_A_UNENCODED_OFFSET = 29,
	BTRFS_SEND_A_COMPRESSION = 30,		/* u32, enum btrfs_send_compression */
	BTRFS_SEND_A_ENCRYPTION = 31,		/* u32 */
	BTRFS_SEND_A_MAX_V2 = 31,

	/* Version 3 */
	BTRFS_SEND_A_VERITY_ALGORITHM = 32,	/* u8 */
	BTRFS_SEND_A_VERITY_BLOCK_SIZE = 33,	/* u32 */
	BTRFS_SEND_A_VERITY_SALT_DATA = 34,
	BTRFS_SEND_A_VERITY_SIG_DATA = 35,
	BTRFS_SEND_A_MAX_V3 = 35,

	BTRFS_SEND_A_MAX = 35,
};

/*
 * How the data of an encoded write is packed.  Not the numbers that file
 * extents have on disk: lzo is cut at page size, so each size is a kind.
 */
enum btrfs_send_compression {
	BTRFS_SEND_COMPRESSION_NONE = 0,
	BTRFS_SEND_COMPRESSION_ZLIB = 1,
	BTRFS_SEND_COMPRESSION_ZSTD = 2,
	BTRFS_SEND_COMPRESSION_LZO_4K = 3,
	BTRFS_SEND_COMPRESSION_LZO_8K = 4,
	BTRFS_SEND_COMPRESSION_LZO_16K = 5,
	BTRFS_SEND_COMPRESSION_LZO_32K = 6,
	BTRFS_SEND_COMPRESSION_LZO_64K = 7,
};

#endif
