/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an undo file looks like.
 *
 * A header, then records one after the other, only ever appended.  Each record is
 * a struct undo_record with its payload right behind it and begins at a multiple
 * of UNDO_ALIGN.  All numbers are little endian; checksums are crc32c as btrfs has
 * them.
 *
 *	DEVICE		a device that is going to be written, before all else about it
 *	DATA, ZERO	what a range of it was like before the first write to it
 *	RESIZE		the device is about to get another size
 *	SUMS		checksums of what a saved range is like after the operation
 *	DEVICE_END	the device was closed: all its SUMS stand before this
 *	END		the operation is over
 *
 * The promise: whatever a record saves is on stable storage before the device is
 * written there.  So a file that just ends, because the process or the machine
 * died, still has every byte that may have been overwritten.  What stands behind
 * its last sync may be torn, and nothing depends on it; how far the file was
 * synced is told by the records that follow (durable_before).
 *
 * A file that ends with END also knows what the operation left, and so whether
 * anything has changed since.  There is one checksum for every UNDO_SECTOR_BYTES: a
 * sector that is neither as it was before nor as the operation left it has changed.
 */
#ifndef COMMON_UNDO_FORMAT_H
#define COMMON_UNDO_FORMAT_H

#include "common/types.h"

#define UNDO_MAGIC		"BtrUndo\n"
#define UNDO_VERSION		1U
#define UNDO_RECORD_MAGIC	0x6f646e55U	/* "Undo" */
#define UNDO_ALIGN		512U
#define UNDO_SECTOR_BYTES	4096U
/* Of one record. */
#define UNDO_MAX_PAYLOAD	SZ_1M
/* A range of zeros has its checksums in one payload, too. */
#define UNDO_MAX_ZERO_LEN	((u64)UNDO_MAX_PAYLOAD / 4 * UNDO_SECTOR_BYTES)
#define UNDO_MAX_DEVICES	4096U

struct undo_header {
	u8 magic[8];
	__le32 version;
	__le32 reserved;
	__le64 nonce;		/* of this file; in every record of it */
	__le64 time;		/* seconds since the epoch */
	char what[128];		/* the operation, NUL-terminated */
	__le32 zero;
	__le32 csum;		/* of all before it */
} __packed;

enum undo_record_type {
	UNDO_DEVICE = 1,	/* offset: its size; payload: path and id, each with a NUL */
	UNDO_DATA,		/* offset, len; payload: the old content */
	UNDO_ZERO,		/* offset, len; the old content was zero */
	UNDO_RESIZE,		/* offset: the new size, len: the one before */
	UNDO_SUMS,		/* offset, len as a DATA or ZERO has them; payload: __le32 each */
	UNDO_DEVICE_END,	/* offset: its size now */
	UNDO_END,
};

struct undo_record {
	__le32 magic;
	__le16 type;
	__le16 device;		/* devices count from 0 in the order of their DEVICE records */
	__le64 nonce;
	__le64 seq;		/* records count from 0 */
	__le64 durable_before;	/* every record below was synced before this was written */
	__le64 offset;
	__le64 len;
	__le32 payload_len;
	__le32 payload_csum;
	__le32 zero;
	__le32 csum;		/* of all before it */
} __packed;

_Static_assert(sizeof(struct undo_header) <= UNDO_ALIGN, "the header has a place of its own");
_Static_assert(sizeof(struct undo_record) == 64, "no hidden padding");

#endif
