// SPDX-License-Identifier: GPL-2.0-only
/*
 * From logical addresses to bytes: where a mirror stands, and reading it.
 *
 * Relies on chunk maps that chunk-check.c has passed, so that nothing here
 * divides by zero or overflows.  Verifies nothing of what it reads; the caller
 * has the checksums and goes on to the next mirror.  No state is kept: any
 * number of threads may read at once.
 */
#include <errno.h>
#include <stdlib.h>

#include "kernel-shared/raid56.h"
#include "kernel-shared/volumes.h"

/* Buffers handed down in one call. */
#define IOV_BATCH		64
/* Memory that one rebuild may take, as far as 4 KiB of each stripe allow. */
#define REBUILD_BUFFER_BYTES	(4U * SZ_1M)

static bool is_raid56(const struct btrfs_chunk_map *map)
{
	return (map->type & BTRFS_BLOCK_GROUP_RAID56_MASK) != 0;
}

static unsigned int data_stripes(const struct btrfs_chunk_map *map)
{
	return btrfs_chunk_data_stripes(map->type, map->num_stripes, map->sub_stripes);
}

static int chunk_num_copies(const struct btrfs_chunk_map *map)
{
	switch (map->type & BTRFS_BLOCK_GROUP_PROFILE_MASK) {
	case BTRFS_BLOCK_GROUP_DUP:
	case BTRFS_BLOCK_GROUP_RAID1:
	case BTRFS_BLOCK_GROUP_RAID1C3:
	case BTRFS_BLOCK_GROUP_RAID1C4:
	case BTRFS_BLOCK_GROUP_RAID6:
		return map->num_stripes;
	case BTRFS_BLOCK_GROUP_RAID10:
		return map->sub_stripes;
	case BTRFS_BLOCK_GROUP_RAID5:
		return 2;
	default:
		return 1;
	}
}

/* ---- mapping ---- */

/* A place in a chunk: the row of 64 KiB stripes, and where in it. */
struct chunk_pos {
	u64 row;
	unsigned int column;	/* which of the data stripes */
	u32 offset;		/* bytes into the stripe */
};

static struct chunk_pos chunk_pos(const struct btrfs_chunk_map *map, u64 offset)
{
	unsigned int columns = data_stripes(map);
	u64 stripe_nr = offset / BTRFS_STRIPE_LEN;

	return (struct chunk_pos){
		.row = stripe_nr / columns,
		.column = (unsigned int)(stripe_nr % columns),
		.offset = (u32)(offset % BTRFS_STRIPE_LEN),
	};
}

/*
 * Parity would wear out one device if it stood on it always, so a RAID5/6 row
 * begins one device further than the row above.  @index counts data, P, Q.
 */
static unsigned int rotated_stripe(const struct btrfs_chunk_map *map, u64 row, unsigned int index)
{
	return (unsigned int)((row + index) % map->num_stripes);
}

/* Map @offset bytes into the chunk, for a mirror that is on disk as such. */
static void map_in_chunk(const struct btrfs_chunk_map *map, u64 offset, int mirror,
			 struct btrfs_io_stripe *io)
{
	u64 left = map->length - offset;
	struct chunk_pos pos;
	unsigned int stripe;

	if (data_stripes(map) == 1 && !is_raid56(map)) {
		/* Nothing side by side: each mirror is one piece. */
		io->dev = map->stripes[mirror - 1].dev;
		io->physical = map->stripes[mirror - 1].physical + offset;
		io->length = left;
		return;
	}
	pos = chunk_pos(map, offset);
	if (is_raid56(map))
		stripe = rotated_stripe(map, pos.row, pos.column);
	else if (map->type & BTRFS_BLOCK_GROUP_RAID10)
		stripe = pos.column * map->sub_stripes + (unsigned int)mirror - 1;
	else
		stripe = pos.column;
	io->dev = map->stripes[stripe].dev;
	io->physical = map->stripes[stripe].physical + pos.row * BTRFS_STRIPE_LEN + pos.offset;
	io->length = min(left, (u64)(BTRFS_STRIPE_LEN - pos.offset));
}

int btrfs_num_copies(const struct btrfs_fs_info *fs_info, u64 logical)
{
	const struct btrfs_chunk_map *map = btrfs_find_chunk_map(fs_info, logical);

	return map ? chunk_num_copies(map) : 0;
}

int btrfs_map_block(const struct btrfs_fs_info *fs_info, u64 logical, u64 len, int mirror,
		    struct btrfs_io_stripe *stripe)
{
	const struct btrfs_chunk_map *map = btrfs_find_chunk_map(fs_info, logical);

	if (!map)
		return -ENOENT;
	if (mirror < 1 || mirror > chunk_num_copies(map))
		return -EINVAL;
	if (mirror > 1 && is_raid56(map))
		return -EOPNOTSUPP;
	map_in_chunk(map, logical - map->logical, mirror, stripe);
	stripe->length = min(stripe->length, len);
	return 0;
}

int btrfs_first_mirror(const struct btrfs_fs_info *fs_info, u64 logical)
{
	const struct btrfs_chunk_map *map = btrfs_find_chunk_map(fs_info, logical);
	struct btrfs_io_stripe io;

	if (!map)
		return 1;
	if (is_raid56(map)) {
		map_in_chunk(map, logical - map->logical, 1, &io);
		return io.dev->bdev ? 1 : 2;
	}
	for (int mirror = 1; mirror <= chunk_num_copies(map); mirror++) {
		map_in_chunk(map, logical - map->logical, mirror, &io);
		if (io.dev->bdev)
			return mirror;
	}
	return 1;
}

/* ---- buffers ---- */

/* How far an array of buffers is filled. */
struct iov_cursor {
	const struct iovec *iov;
	int nr;
	size_t done;		/* bytes of iov[0] */
};

/* Step over the next @len bytes at most; -EINVAL when the buffers are full. */
static int cursor_next(struct iov_cursor *cursor, u64 len, struct iovec *part)
{
	while (cursor->nr > 0 && cursor->done == cursor->iov->iov_len) {
		cursor->iov++;
		cursor->nr--;
		cursor->done = 0;
	}
	if (cursor->nr <= 0)
		return -EINVAL;
	part->iov_base = (u8 *)cursor->iov->iov_base + cursor->done;
	part->iov_len = (size_t)min(len, (u64)(cursor->iov->iov_len - cursor->done));
	cursor->done += part->iov_len;
	return 0;
}

static int cursor_copy(struct iov_cursor *cursor, const u8 *src, size_t len)
{
	struct iovec part;

	for (; len > 0; len -= part.iov_len, src += part.iov_len) {
		int ret = cursor_next(cursor, len, &part);

		if (ret)
			return ret;
		memcpy(part.iov_base, src, part.iov_len);
	}
	return 0;
}

/* ---- reading what is there ---- */

static int read_direct(const struct btrfs_io_stripe *io, u64 len, struct iov_cursor *cursor)
{
	u64 physical = io->physical;

	if (!io->dev->bdev)
		return -ENODEV;
	while (len > 0) {
		struct iovec parts[IOV_BATCH];
		u64 bytes = 0;
		int nr = 0;
		int ret;

		while (nr < IOV_BATCH && bytes < len) {
			ret = cursor_next(cursor, len - bytes, &parts[nr]);
			if (ret)
				return ret;
			bytes += parts[nr++].iov_len;
		}
		ret = blockdev_preadv(io->dev->bdev, parts, nr, physical);
		if (ret)
			return ret;
		physical += bytes;
		len -= bytes;
	}
	return 0;
}

/* ---- rebuilding ---- */

/* One row of a RAID5/6 chunk, of which a range of the data stripe @wanted is lost. */
struct rebuild {
	const struct btrfs_chunk_map *map;
	u64 row;
	unsigned int nr_data;
	unsigned int max_bad;		/* as many as there are parities */
	unsigned int bad[2];		/* indices: data, then P, then Q */
	unsigned int nr_bad;
	void **bufs;			/* by the same index */
};

static bool is_bad(const struct rebuild *rb, unsigned int index)
{
	for (unsigned int i = 0; i < rb->nr_bad; i++) {
		if (rb->bad[i] == index)
			return true;
	}
	return false;
}

/* What @mirror takes for bad from the start; see the head of volumes.h. */
static void assume_bad(struct rebuild *rb, unsigned int wanted, int mirror)
{
	rb->bad[0] = wanted;
	rb->nr_bad = 1;
	if (mirror == 3)
		rb->bad[rb->nr_bad++] = rb->nr_data;
	if (mirror > 3) {
		unsigned int other = (unsigned int)mirror - 4;

		rb->bad[rb->nr_bad++] = other < wanted ? other : other + 1;
	}
}

/* Read a stripe of the row, or count it among the bad ones. */
static int read_row_stripe(struct rebuild *rb, unsigned int index, u32 offset, size_t len)
{
	unsigned int stripe = rotated_stripe(rb->map, rb->row, index);
	const struct btrfs_device *dev = rb->map->stripes[stripe].dev;
	u64 physical = rb->map->stripes[stripe].physical + rb->row * BTRFS_STRIPE_LEN + offset;
	int ret = -ENODEV;

	if (is_bad(rb, index))
		return 0;
	if (dev->bdev)
		ret = blockdev_pread(dev->bdev, rb->bufs[index], len, physical);
	if (ret && rb->nr_bad < rb->max_bad) {
		rb->bad[rb->nr_bad++] = index;
		ret = 0;
	}
	return ret;
}

/* Q is read only when P does not suffice. */
static int rebuild_range(struct rebuild *rb, u32 offset, size_t len)
{
	bool use_q;
	int ret;

	for (unsigned int i = 0; i <= rb->nr_data; i++) {
		ret = read_row_stripe(rb, i, offset, len);
		if (ret)
			return ret;
	}
	use_q = rb->nr_bad > 1;
	if (use_q) {
		ret = read_row_stripe(rb, rb->nr_data + 1, offset, len);
		if (ret)
			return ret;
	}
	return btrfs_raid56_recover(rb->nr_data, use_q, len, rb->bufs, rb->bad, rb->nr_bad);
}

/* Bytes of each stripe to rebuild at a time. */
static size_t rebuild_step(const struct btrfs_chunk_map *map, u64 len)
{
	size_t step = round_down((size_t)REBUILD_BUFFER_BYTES / map->num_stripes,
				 (size_t)SZ_4K);

	return (size_t)min(len, (u64)max(step, (size_t)SZ_4K));
}

/* Rebuild @len bytes that lie in one stripe at @pos. */
static int read_rebuilt(const struct btrfs_chunk_map *map, struct chunk_pos pos, u64 len,
			int mirror, struct iov_cursor *cursor)
{
	struct rebuild rb = {
		.map = map,
		.row = pos.row,
		.nr_data = data_stripes(map),
		.max_bad = map->num_stripes - data_stripes(map),
	};
	size_t step = rebuild_step(map, len);
	u8 *memory = malloc(step * map->num_stripes);
	int ret = -ENOMEM;

	rb.bufs = malloc(map->num_stripes * sizeof(*rb.bufs));
	if (!memory || !rb.bufs)
		goto out;
	for (unsigned int i = 0; i < map->num_stripes; i++)
		rb.bufs[i] = memory + i * step;
	for (u64 done = 0; done < len; done += step) {
		size_t bytes = (size_t)min((u64)step, len - done);

		assume_bad(&rb, pos.column, mirror);
		ret = rebuild_range(&rb, pos.offset + (u32)done, bytes);
		if (!ret)
			ret = cursor_copy(cursor, rb.bufs[pos.column], bytes);
		if (ret)
			goto out;
	}
out:
	free(rb.bufs);
	free(memory);
	return ret;
}

/* ---- reading ---- */

/* Read what lies in one piece from @offset on, *@len bytes at most. */
static int read_piece(const struct btrfs_chunk_map *map, u64 offset, u64 *len, int mirror,
		      struct iov_cursor *cursor)
{
	struct btrfs_io_stripe io;

	if (mirror < 1 || mirror > chunk_num_copies(map))
		return -EINVAL;
	map_in_chunk(map, offset, is_raid56(map) ? 1 : mirror, &io);
	*len = min(*len, io.length);
	if (is_raid56(map) && mirror > 1)
		return read_rebuilt(map, chunk_pos(map, offset), *len, mirror, cursor);
	return read_direct(&io, *len, cursor);
}

int btrfs_read_logical_iov(const struct btrfs_fs_info *fs_info, u64 logical, u64 len, int mirror,
			   const struct iovec *iov, int iovcnt)
{
	struct iov_cursor cursor = { .iov = iov, .nr = iovcnt };

	while (len > 0) {
		const struct btrfs_chunk_map *map = btrfs_find_chunk_map(fs_info, logical);
		u64 piece = len;
		int ret;

		if (!map)
			return -ENOENT;
		ret = read_piece(map, logical - map->logical, &piece, mirror, &cursor);
		if (ret)
			return ret;
		logical += piece;
		len -= piece;
	}
	return 0;
}

int btrfs_read_logical(const struct btrfs_fs_info *fs_info, u64 logical, u64 len, int mirror,
		       void *buf)
{
	struct iovec iov = { .iov_base = buf, .iov_len = (size_t)len };

	return btrfs_read_logical_iov(fs_info, logical, len, mirror, &iov, 1);
}
