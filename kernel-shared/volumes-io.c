// SPDX-License-Identifier: GPL-2.0-only
/*
 * From logical addresses to bytes: where a mirror stands, and reading it.
 *
 * Relies on chunk maps that chunk-check.c has passed, so that nothing here
 * divides by zero or overflows.  Verifies nothing of what it reads; the caller
 * has the checksums and goes on to the next mirror.  No state is kept, and any
 * number of threads may read at once; only who rebuilds a row of RAID5/6 keeps
 * those out who write to it.
 */
#include <errno.h>
#include <stdlib.h>

#include "kernel-shared/raid56.h"
#include "kernel-shared/volumes-internal.h"

/* Buffers handed down in one call. */
#define IOV_BATCH		64
/* Memory that one rebuild may take, as far as 4 KiB of each stripe allow. */
#define REBUILD_BUFFER_BYTES	(4U * SZ_1M)

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

/* Map @offset bytes into the chunk, for a mirror that is on disk as such. */
static void map_in_chunk(const struct btrfs_chunk_map *map, u64 offset, int mirror,
			 struct btrfs_io_stripe *io)
{
	u64 left = map->length - offset;
	struct chunk_pos pos;
	unsigned int stripe;

	if (chunk_data_stripes(map) == 1 && !chunk_is_raid56(map)) {
		/* Nothing side by side: each mirror is one piece. */
		io->dev = map->stripes[mirror - 1].dev;
		io->physical = map->stripes[mirror - 1].physical + offset;
		io->length = left;
		return;
	}
	pos = chunk_pos(map, offset);
	if (chunk_is_raid56(map))
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
	if (mirror > 1 && chunk_is_raid56(map))
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
	if (chunk_is_raid56(map)) {
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

/* ---- reading what is there ---- */

/* The buffers are known to have room for @len bytes. */
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
			u64 piece = len - bytes;

			parts[nr].iov_base = iov_next(cursor, &piece);
			parts[nr++].iov_len = (size_t)piece;
			bytes += piece;
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

/* One row of a RAID5/6 chunk, of which something is lost. */
struct rebuild {
	const struct btrfs_chunk_map *map;
	u64 row;
	unsigned int nr_data;
	unsigned int max_bad;		/* as many as there are parities */
	unsigned int bad[2];		/* indices: data, then P, then Q */
	unsigned int nr_bad;
	void **bufs;			/* by the same index */
};

static struct rebuild rebuild_of(const struct btrfs_chunk_map *map, u64 row, void **bufs)
{
	return (struct rebuild){
		.map = map,
		.row = row,
		.nr_data = chunk_data_stripes(map),
		.max_bad = map->num_stripes - chunk_data_stripes(map),
		.bufs = bufs,
	};
}

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

int btrfs_read_row(const struct btrfs_chunk_map *map, u64 row, u32 offset, size_t len,
		   void **bufs)
{
	struct rebuild rb = rebuild_of(map, row, bufs);

	return rebuild_range(&rb, offset, len);
}

size_t btrfs_row_step(const struct btrfs_chunk_map *map, u64 len)
{
	size_t step = round_down((size_t)REBUILD_BUFFER_BYTES / map->num_stripes,
				 (size_t)SZ_4K);

	return (size_t)min(len, (u64)max(step, (size_t)SZ_4K));
}

static void copy_out(struct iov_cursor *cursor, const u8 *src, u64 len)
{
	while (len > 0) {
		u64 piece = len;
		void *to = iov_next(cursor, &piece);

		memcpy(to, src, (size_t)piece);
		src += piece;
		len -= piece;
	}
}

/* Rebuild @len bytes that lie in one stripe at @pos, by way of @bufs of @step bytes each. */
static int rebuild_steps(const struct btrfs_chunk_map *map, struct chunk_pos pos, u64 len,
			 int mirror, void **bufs, size_t step, struct iov_cursor *cursor)
{
	struct rebuild rb = rebuild_of(map, pos.row, bufs);

	for (u64 done = 0; done < len; done += step) {
		size_t bytes = (size_t)min((u64)step, len - done);
		int ret;

		assume_bad(&rb, pos.column, mirror);
		ret = rebuild_range(&rb, pos.offset + (u32)done, bytes);
		if (ret)
			return ret;
		copy_out(cursor, bufs[pos.column], bytes);
	}
	return 0;
}

static int read_rebuilt(const struct btrfs_fs_info *fs_info, const struct btrfs_chunk_map *map,
			struct chunk_pos pos, u64 len, int mirror, struct iov_cursor *cursor)
{
	pthread_mutex_t *lock = btrfs_full_stripe_lock(fs_info, map, pos.row);
	size_t step = btrfs_row_step(map, len);
	void **bufs = malloc(map->num_stripes * sizeof(*bufs));
	u8 *memory = malloc(step * map->num_stripes);
	int ret = -ENOMEM;

	if (bufs && memory) {
		for (unsigned int i = 0; i < map->num_stripes; i++)
			bufs[i] = memory + i * step;
		pthread_mutex_lock(lock);
		ret = rebuild_steps(map, pos, len, mirror, bufs, step, cursor);
		pthread_mutex_unlock(lock);
	}
	free(memory);
	free(bufs);
	return ret;
}

/* ---- reading ---- */

/* Read what lies in one piece from @offset on, *@len bytes at most. */
static int read_piece(const struct btrfs_fs_info *fs_info, const struct btrfs_chunk_map *map,
		      u64 offset, u64 *len, int mirror, struct iov_cursor *cursor)
{
	struct btrfs_io_stripe io;

	if (mirror < 1 || mirror > chunk_num_copies(map))
		return -EINVAL;
	map_in_chunk(map, offset, chunk_is_raid56(map) ? 1 : mirror, &io);
	*len = min(*len, io.length);
	if (chunk_is_raid56(map) && mirror > 1)
		return read_rebuilt(fs_info, map, chunk_pos(map, offset), *len, mirror, cursor);
	return read_direct(&io, *len, cursor);
}

int btrfs_read_logical_iov(const struct btrfs_fs_info *fs_info, u64 logical, u64 len, int mirror,
			   const struct iovec *iov, int iovcnt)
{
	struct iov_cursor cursor = { .iov = iov };

	if (iov_total(iov, iovcnt) < len)
		return -EINVAL;
	while (len > 0) {
		const struct btrfs_chunk_map *map = btrfs_find_chunk_map(fs_info, logical);
		u64 piece = len;
		int ret;

		if (!map)
			return -ENOENT;
		ret = read_piece(fs_info, map, logical - map->logical, &piece, mirror, &cursor);
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
