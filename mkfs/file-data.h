/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A batch of file data: what file-data.c plans and places, and batch-fill.c
 * fills.  Private to the two.
 */
#ifndef MKFS_FILE_DATA_H
#define MKFS_FILE_DATA_H

#include "common/list.h"
#include "kernel-shared/compress.h"
#include "mkfs/make.h"

/* Bytes of file data in a batch, holes and padding included; a multiple of BTRFS_MAX_COMPRESSED. */
#define BATCH_BYTES		SZ_1M
#define BATCH_INLINE_BYTES	SZ_256K
#define BATCH_MAX_PIECES	1024U

/* A file that several batches read. */
struct shared_file {
	struct source_file *file;
	struct vec ranges;		/* of struct source_range */
	u64 nbytes;
	unsigned int refs;		/* pieces that are not read yet, and the planner; atomic */
};

struct batch_piece {
	const struct source_inode *inode;
	struct shared_file *shared;	/* NULL: the piece is the whole file */
	u64 offset;			/* bytes in the file, as @len */
	u64 len;
	bool first;
	bool last;
	/* What filling finds. */
	u64 nbytes;
	u32 first_segment, nr_segments;
	u32 inline_pos, inline_len;
	u8 inline_compression;
	bool is_inline;
};

struct batch_segment {
	u64 file_offset;
	u32 disk_pos;			/* in batch->disk */
	u32 disk_len;
	u32 ram_len;
	u8 compression;
	bool nodatasum;
};

enum batch_state {
	BATCH_FREE,
	BATCH_FILLING,
	BATCH_FILLED,
};

struct data_batch {
	struct list_head list;		/* in the order of the files, or among the free ones */
	struct file_data *data;
	struct vec pieces;		/* of struct batch_piece */
	struct vec segments;		/* of struct batch_segment, as filled */
	struct vec placed;		/* of struct file_segment */
	u8 *disk;			/* BATCH_BYTES: what goes to the disk, in one piece */
	u32 disk_len;
	u8 *inline_bytes;		/* BATCH_INLINE_BYTES */
	u32 inline_len;
	u8 *csums;			/* of every sector of @disk */
	u64 planned_bytes;
	u64 planned_inline;
	/* Under file_data's lock. */
	enum batch_state state;
	unsigned int users;		/* writes under way, and the consumer */
	int error;
};

/* What a thread needs to fill batches. */
struct batch_filler {
	struct list_head list;
	struct btrfs_compressor *compressor;	/* NULL without compression */
	u8 *raw;			/* BTRFS_MAX_COMPRESSED: file data to be compressed */
	struct vec ranges;
};

/* Files up to this size are stored inline where nothing else speaks against it. */
#define MKFS_MAX_INLINE		2048U

/* Whether a file of @size bytes may end up inline; compressed, it may be a whole sector. */
static inline bool mkfs_inline_possible(const struct mkfs *mkfs, u64 size)
{
	if (mkfs->plan->compression)
		return size <= mkfs->fs_info->sectorsize;
	return size <= MKFS_MAX_INLINE && size < mkfs->fs_info->sectorsize;
}

/* Read, compress and hash everything in @batch.  Reported; negative errno. */
int batch_fill(struct mkfs *mkfs, struct batch_filler *filler, struct data_batch *batch);

/* Whole sectors that @ranges (of a file of @size bytes) touch, in bytes. */
u64 ranges_nbytes(const struct vec *ranges, u64 size, u32 sectorsize);

/* Done with a file; closes it for the last user.  0 or why it could not be read as it was. */
int shared_file_put(struct mkfs *mkfs, struct shared_file *shared);

#endif
