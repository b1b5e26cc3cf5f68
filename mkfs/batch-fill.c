// SPDX-License-Identifier: GPL-2.0-only
/*
 * Filling a batch: the work of one thread on up to a megabyte of file data.
 *
 * Data that is stored as it is gets read straight to where it is written from.
 * Compressed extents cover 128 KiB of a file at most, and are kept when they
 * save at least a sector, as in the kernel.
 */
#include <errno.h>
#include <stdlib.h>

#include "common/message.h"
#include "kernel-shared/disk-io.h"
#include "mkfs/file-data.h"

/* The state of filling one batch. */
struct fill {
	struct mkfs *mkfs;
	struct batch_filler *filler;
	struct data_batch *batch;
	struct batch_piece *piece;
	struct source_file *file;
	const struct vec *ranges;
	u32 sectorsize;
};

u64 ranges_nbytes(const struct vec *ranges, u64 size, u32 sectorsize)
{
	const struct source_range *range;
	u64 nbytes = 0, end = 0;

	vec_for_each(ranges, range) {
		u64 from = max(round_down(range->offset, sectorsize), end);
		u64 to = round_up(min(range->offset + range->len, size), sectorsize);

		if (to > from) {
			nbytes += to - from;
			end = to;
		}
	}
	return nbytes;
}

int shared_file_put(struct mkfs *mkfs, struct shared_file *shared)
{
	int ret = 0;

	if (__atomic_sub_fetch(&shared->refs, 1, __ATOMIC_ACQ_REL))
		return 0;
	if (shared->file)
		ret = mkfs->plan->source->ops->close(shared->file);
	vec_free(&shared->ranges);
	free(shared);
	return ret;
}

static int read_file(const struct fill *fill, void *buf, u64 offset, u64 len)
{
	return fill->mkfs->plan->source->ops->read(fill->file, buf, len, offset);
}

static bool may_compress(const struct fill *fill)
{
	return fill->filler->compressor &&
	       !(fill->piece->inode->inode_flags &
		 (BTRFS_INODE_NOCOMPRESS | BTRFS_INODE_NODATACOW | BTRFS_INODE_NODATASUM));
}

static int add_segment(struct fill *fill, u64 file_offset, u32 disk_len, u32 ram_len,
		       u8 compression)
{
	struct data_batch *batch = fill->batch;
	const struct batch_segment segment = {
		.file_offset = file_offset,
		.disk_pos = batch->disk_len,
		.disk_len = disk_len,
		.ram_len = ram_len,
		.compression = compression,
		.nodatasum = fill->piece->inode->inode_flags & BTRFS_INODE_NODATASUM,
	};

	batch->disk_len += disk_len;
	fill->piece->nr_segments++;
	return vec_push_copy(&batch->segments, &segment);
}

/* [from, to) of the file are whole sectors; the last one may pass its end. */
static int add_plain(struct fill *fill, u64 from, u64 to)
{
	struct data_batch *batch = fill->batch;
	u8 *dest = batch->disk + batch->disk_len;
	u64 len = min(to, fill->piece->inode->size) - from;
	int ret;

	if (to - from > BATCH_BYTES - batch->disk_len)
		return -EOVERFLOW;
	ret = read_file(fill, dest, from, len);
	if (ret)
		return ret;
	memset(dest + len, 0, to - from - len);
	return add_segment(fill, from, (u32)(to - from), (u32)(to - from), BTRFS_COMPRESS_NONE);
}

/* The same for at most BTRFS_MAX_COMPRESSED bytes, compressed if that saves a sector. */
static int add_compressed(struct fill *fill, u64 from, u64 to)
{
	struct data_batch *batch = fill->batch;
	u8 *dest = batch->disk + batch->disk_len, *raw = fill->filler->raw;
	u64 len = min(to, fill->piece->inode->size) - from;
	u8 type = fill->mkfs->plan->compression;
	size_t out_len;
	u32 disk_len;
	int ret;

	if (to - from > BATCH_BYTES - batch->disk_len)
		return -EOVERFLOW;
	ret = read_file(fill, raw, from, len);
	if (ret)
		return ret;
	memset(raw + len, 0, to - from - len);
	ret = to - from <= fill->sectorsize ? -E2BIG :
	      btrfs_compress(fill->filler->compressor, raw, to - from, dest,
			     to - from - fill->sectorsize, fill->sectorsize, &out_len);
	if (ret == -E2BIG) {
		memcpy(dest, raw, to - from);
		return add_segment(fill, from, (u32)(to - from), (u32)(to - from),
				   BTRFS_COMPRESS_NONE);
	}
	if (ret)
		return ret;
	disk_len = round_up((u32)out_len, fill->sectorsize);
	memset(dest + out_len, 0, disk_len - out_len);
	return add_segment(fill, from, disk_len, (u32)(to - from), type);
}

static int add_range(struct fill *fill, u64 from, u64 to)
{
	int ret = 0;

	if (!may_compress(fill))
		return add_plain(fill, from, to);
	while (from < to && !ret) {
		u64 next = min(to, round_down(from, BTRFS_MAX_COMPRESSED) + BTRFS_MAX_COMPRESSED);

		ret = add_compressed(fill, from, next);
		from = next;
	}
	return ret;
}

/* The sectors of the piece that hold data. */
static int add_data(struct fill *fill)
{
	u64 piece_end = fill->piece->offset + fill->piece->len;
	u64 done = fill->piece->offset;
	const struct source_range *range;
	int ret = 0;

	vec_for_each(fill->ranges, range) {
		u64 from = max(round_down(range->offset, fill->sectorsize), done);
		u64 to = min(round_up(range->offset + range->len, fill->sectorsize),
			     round_up(piece_end, fill->sectorsize));

		if (from >= to)
			continue;
		ret = add_range(fill, from, to);
		if (ret)
			break;
		done = to;
	}
	return ret;
}

/* ---- inline ---- */

static bool without_holes(const struct fill *fill)
{
	const struct source_range *range = vec_at(fill->ranges, 0);

	return fill->ranges->nr == 1 && range->offset == 0 &&
	       range->len >= fill->piece->inode->size;
}

/*
 * Store the file in its leaf, where it is small enough for that.  1: done.
 * Compressed it may be as large as a sector before.
 */
static int try_inline(struct fill *fill)
{
	struct batch_piece *piece = fill->piece;
	struct data_batch *batch = fill->batch;
	u8 *dest = batch->inline_bytes + batch->inline_len;
	u64 size = piece->inode->size;
	size_t len = size;
	int ret;

	if (piece->shared || !mkfs_inline_possible(fill->mkfs, size) || !without_holes(fill) ||
	    piece->inode->inode_flags & (BTRFS_INODE_NODATACOW | BTRFS_INODE_NODATASUM))
		return 0;
	if (batch->inline_len + size > BATCH_INLINE_BYTES)
		return 0;
	if (may_compress(fill)) {
		ret = read_file(fill, fill->filler->raw, 0, size);
		if (ret)
			return ret;
		ret = btrfs_compress(fill->filler->compressor, fill->filler->raw, size, dest,
				     min(size - 1, (u64)MKFS_MAX_INLINE), fill->sectorsize, &len);
		if (!ret)
			piece->inline_compression = fill->mkfs->plan->compression;
		else if (ret != -E2BIG)
			return ret;
		else
			memcpy(dest, fill->filler->raw, size);
	} else {
		ret = read_file(fill, dest, 0, size);
		if (ret)
			return ret;
	}
	if (!piece->inline_compression && (size > MKFS_MAX_INLINE || size >= fill->sectorsize))
		return 0;
	piece->is_inline = true;
	piece->inline_pos = batch->inline_len;
	piece->inline_len = (u32)len;
	piece->nbytes = size;
	batch->inline_len += (u32)len;
	return 1;
}

/* ---- pieces ---- */

static int fill_whole_file(struct fill *fill)
{
	const struct source_ops *ops = fill->mkfs->plan->source->ops;
	struct batch_piece *piece = fill->piece;
	int ret, err;

	ret = ops->open(fill->mkfs->plan->source, piece->inode, &fill->file);
	if (ret)
		return ret;
	vec_clear(&fill->filler->ranges);
	fill->ranges = &fill->filler->ranges;
	ret = ops->ranges(fill->file, &fill->filler->ranges);
	if (!ret) {
		piece->nbytes = ranges_nbytes(fill->ranges, piece->inode->size, fill->sectorsize);
		ret = try_inline(fill);
		if (!ret)
			ret = add_data(fill);
	}
	err = ops->close(fill->file);
	return ret < 0 ? ret : err;
}

static int fill_part(struct fill *fill)
{
	struct shared_file *shared = fill->piece->shared;
	int ret, err;

	fill->file = shared->file;
	fill->ranges = &shared->ranges;
	fill->piece->nbytes = shared->nbytes;
	ret = add_data(fill);
	err = shared_file_put(fill->mkfs, shared);
	return ret ? ret : err;
}

int batch_fill(struct mkfs *mkfs, struct batch_filler *filler, struct data_batch *batch)
{
	struct btrfs_fs_info *fs_info = mkfs->fs_info;
	struct fill fill = {
		.mkfs = mkfs,
		.filler = filler,
		.batch = batch,
		.sectorsize = fs_info->sectorsize,
	};
	int ret = 0;

	vec_for_each(&batch->pieces, fill.piece) {
		int err;

		fill.piece->first_segment = (u32)batch->segments.nr;
		/* After an error the others still let go of their files. */
		if (ret && fill.piece->shared)
			shared_file_put(mkfs, fill.piece->shared);
		if (ret)
			continue;
		err = fill.piece->shared ? fill_part(&fill) : fill_whole_file(&fill);
		ret = err;
	}
	for (u32 pos = 0; pos < batch->disk_len && !ret; pos += fs_info->sectorsize)
		btrfs_csum_data(fs_info->csum_type, batch->disk + pos, fs_info->sectorsize,
				batch->csums + (size_t)(pos / fs_info->sectorsize) *
				fs_info->csum_size);
	return ret;
}
