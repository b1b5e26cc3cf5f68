// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writing to logical addresses: every copy, and the parities.
 *
 * Relies on chunk maps that have been checked, as volumes-io.c does.  Promises
 * that no device is written outside the chunk's stripes.  What is gathered for
 * one device is sent in as few requests as the layout allows: the rows of a
 * striped chunk follow one another on each of its devices.
 */
#include "kernel-shared/volumes-write.h"

#include <errno.h>
#include <stdlib.h>

#include "common/message.h"
#include "kernel-shared/raid56.h"
#include "kernel-shared/volumes-internal.h"

/* Buffers handed down in one call where they are gathered on the stack. */
#define IOV_BATCH		256
/* Logical bytes of a striped chunk that are gathered before they are written. */
#define STRIPED_BATCH_BYTES	(16ULL * SZ_1M)
/* The same of a RAID5/6 chunk, parities included; they are held in memory. */
#define PARITY_BATCH_BYTES	(4ULL * SZ_1M)

/* ---- one device ---- */

/* Many threads may be writing to a device when it fails: one of them says so. */
static int report_failure(struct btrfs_device *dev, u64 len, u64 physical, int ret)
{
	if (__atomic_exchange_n(&dev->write_error_told, true, __ATOMIC_RELAXED))
		return ret;
	error("%s: cannot write %llu bytes at %llu: %s", dev->bdev->path, len, physical,
	      errno_text(ret));
	return ret;
}

/* Write to stripe number @stripe, @at bytes into it.  A missing device is passed by. */
static int write_stripe(const struct btrfs_fs_info *fs_info, const struct btrfs_chunk_map *map,
			unsigned int stripe, u64 at, const struct iovec *iov, int iovcnt)
{
	struct btrfs_device *dev = map->stripes[stripe].dev;
	u64 physical = map->stripes[stripe].physical + at;
	int ret;

	if (!dev->bdev)
		return 0;
	if (!btrfs_device_is_own(fs_info, dev))
		ret = -EROFS;
	else
		ret = blockdev_pwritev(dev->bdev, iov, iovcnt, physical);
	return ret ? report_failure(dev, iov_total(iov, iovcnt), physical, ret) : 0;
}

/* ---- which devices have to be there ---- */

static unsigned int count_missing(const struct btrfs_chunk_map *map, unsigned int first,
				  unsigned int nr)
{
	unsigned int missing = 0;

	for (unsigned int i = first; i < first + nr; i++)
		missing += !map->stripes[i].dev->bdev;
	return missing;
}

/* How many stripes have the same content, where there are no parities. */
static unsigned int group_size(const struct btrfs_chunk_map *map)
{
	return map->num_stripes / chunk_data_stripes(map);
}

/* The stripes of one column of a chunk without parities. */
static int check_column(const struct btrfs_chunk_map *map, unsigned int column)
{
	unsigned int copies = group_size(map);

	if (count_missing(map, column * copies, copies) < copies)
		return 0;
	error("cannot write to the chunk at logical %llu: %s of it is on devices that are missing",
	      map->logical, chunk_data_stripes(map) == 1 ? "all" : "a part");
	return -ENODEV;
}

static int check_parity_chunk(const struct btrfs_chunk_map *map)
{
	unsigned int nr_parity = map->num_stripes - chunk_data_stripes(map);
	unsigned int missing = count_missing(map, 0, map->num_stripes);

	if (missing <= nr_parity)
		return 0;
	error("cannot write to the chunk at logical %llu: %u devices are missing, %s bears %u",
	      map->logical, missing, btrfs_bg_type_to_raid_name(map->type), nr_parity);
	return -ENODEV;
}

/*
 * No chunk that anybody makes ends amid a row.  Reading such a one does no harm,
 * but where it ends is not where its device extents end.
 */
static int check_whole_rows(const struct btrfs_chunk_map *map)
{
	if (IS_ALIGNED(map->stripe_size, BTRFS_STRIPE_LEN))
		return 0;
	error("cannot write to the chunk at logical %llu: its stripes are no multiple of 64 KiB",
	      map->logical);
	return -EUCLEAN;
}

/* ---- one copy or several, nothing side by side ---- */

static int write_mirrored(const struct btrfs_fs_info *fs_info, const struct btrfs_chunk_map *map,
			  u64 offset, u64 len, struct iov_cursor *cursor)
{
	int ret = check_column(map, 0);

	while (!ret && len > 0) {
		struct iovec parts[IOV_BATCH];
		u64 bytes = 0;
		int nr = 0;

		while (nr < IOV_BATCH && bytes < len) {
			u64 piece = len - bytes;

			parts[nr].iov_base = iov_next(cursor, &piece);
			parts[nr++].iov_len = (size_t)piece;
			bytes += piece;
		}
		for (unsigned int i = 0; !ret && i < map->num_stripes; i++)
			ret = write_stripe(fs_info, map, i, offset, parts, nr);
		offset += bytes;
		len -= bytes;
	}
	return ret;
}

/* ---- runs: what goes to one stripe in one request ---- */

struct run {
	struct vec iovs;	/* struct iovec */
	u64 start;		/* bytes into the stripe */
	u64 len;
};

struct runs {
	const struct btrfs_fs_info *fs_info;
	const struct btrfs_chunk_map *map;
	struct run *runs;	/* by column, or with parities by stripe */
	unsigned int nr;
};

static int runs_init(struct runs *runs, const struct btrfs_fs_info *fs_info,
		     const struct btrfs_chunk_map *map, unsigned int nr)
{
	*runs = (struct runs){ .fs_info = fs_info, .map = map, .nr = nr };
	runs->runs = calloc(nr, sizeof(*runs->runs));
	if (!runs->runs)
		return -ENOMEM;
	for (unsigned int i = 0; i < nr; i++)
		vec_init(&runs->runs[i].iovs, sizeof(struct iovec));
	return 0;
}

static void runs_free(struct runs *runs)
{
	for (unsigned int i = 0; i < runs->nr; i++)
		vec_free(&runs->runs[i].iovs);
	free(runs->runs);
}

/* The pieces of a run have to follow one another. */
static int runs_add(struct runs *runs, unsigned int i, u64 at, void *data, u64 len)
{
	struct iovec part = { .iov_base = data, .iov_len = (size_t)len };
	struct run *run = &runs->runs[i];

	if (run->len == 0)
		run->start = at;
	run->len += len;
	return vec_push_copy(&run->iovs, &part);
}

/* Write all runs, each to the @copies stripes that begin with @copies times its number. */
static int runs_write(struct runs *runs, unsigned int copies)
{
	int ret = 0;

	for (unsigned int i = 0; i < runs->nr; i++) {
		struct run *run = &runs->runs[i];

		for (unsigned int c = 0; !ret && run->len && c < copies; c++)
			ret = write_stripe(runs->fs_info, runs->map, i * copies + c, run->start,
					   run->iovs.data, (int)run->iovs.nr);
		vec_clear(&run->iovs);
		run->len = 0;
	}
	return ret;
}

/* ---- RAID0 and RAID10 ---- */

static int gather_striped(struct runs *runs, u64 offset, u64 len, struct iov_cursor *cursor)
{
	while (len > 0) {
		struct chunk_pos pos = chunk_pos(runs->map, offset);
		u64 piece = min(len, (u64)(BTRFS_STRIPE_LEN - pos.offset));
		void *data = iov_next(cursor, &piece);
		int ret = check_column(runs->map, pos.column);

		if (!ret)
			ret = runs_add(runs, pos.column, pos.row * BTRFS_STRIPE_LEN + pos.offset,
				       data, piece);
		if (ret)
			return ret;
		offset += piece;
		len -= piece;
	}
	return 0;
}

static int write_striped(const struct btrfs_fs_info *fs_info, const struct btrfs_chunk_map *map,
			 u64 offset, u64 len, struct iov_cursor *cursor)
{
	struct runs runs;
	int ret;

	ret = runs_init(&runs, fs_info, map, chunk_data_stripes(map));
	if (ret)
		return ret;
	while (!ret && len > 0) {
		u64 batch = min(len, STRIPED_BATCH_BYTES);

		ret = gather_striped(&runs, offset, batch, cursor);
		if (!ret)
			ret = runs_write(&runs, group_size(map));
		offset += batch;
		len -= batch;
	}
	runs_free(&runs);
	return ret;
}

/* ---- whole rows of RAID5 and RAID6 ---- */

struct full_rows {
	struct runs runs;
	unsigned int nr_data;
	bool has_q;
	u64 max_rows;		/* that are gathered before they are written */
	u8 *memory;		/* max_rows times a stripe for each device */
	void **ptrs;		/* of the row at hand: data, P, Q */
};

static u64 row_bytes(const struct btrfs_chunk_map *map)
{
	return (u64)chunk_data_stripes(map) * BTRFS_STRIPE_LEN;
}

static int full_rows_init(struct full_rows *rows, const struct btrfs_fs_info *fs_info,
			  const struct btrfs_chunk_map *map, u64 nr_rows)
{
	u64 with_parity = (u64)map->num_stripes * BTRFS_STRIPE_LEN;
	int ret;

	*rows = (struct full_rows){
		.nr_data = chunk_data_stripes(map),
		.has_q = (map->type & BTRFS_BLOCK_GROUP_RAID6) != 0,
		.max_rows = min(max(PARITY_BATCH_BYTES / with_parity, 1ULL), nr_rows),
	};
	ret = runs_init(&rows->runs, fs_info, map, map->num_stripes);
	if (ret)
		return ret;
	rows->ptrs = calloc(map->num_stripes, sizeof(*rows->ptrs));
	/* What is never touched of it costs nothing. */
	rows->memory = aligned_alloc(SZ_4K, (size_t)(rows->max_rows * with_parity));
	return rows->ptrs && rows->memory ? 0 : -ENOMEM;
}

static void full_rows_free(struct full_rows *rows)
{
	runs_free(&rows->runs);
	free(rows->memory);
	free(rows->ptrs);
}

/* A whole stripe in one piece: where it stands, or copied to @buf. */
static void *take_stripe(struct iov_cursor *cursor, u8 *buf)
{
	u64 piece = BTRFS_STRIPE_LEN;
	u8 *data = iov_next(cursor, &piece);

	if (piece == BTRFS_STRIPE_LEN)
		return data;
	for (u64 done = 0;;) {
		memcpy(buf + done, data, (size_t)piece);
		done += piece;
		if (done == BTRFS_STRIPE_LEN)
			return buf;
		piece = BTRFS_STRIPE_LEN - done;
		data = iov_next(cursor, &piece);
	}
}

/* Row number @row, the @i-th of those gathered. */
static int gather_row(struct full_rows *rows, u64 row, u64 i, struct iov_cursor *cursor)
{
	const struct btrfs_chunk_map *map = rows->runs.map;
	u8 *memory = rows->memory + i * map->num_stripes * BTRFS_STRIPE_LEN;
	int ret;

	for (unsigned int c = 0; c < map->num_stripes; c++, memory += BTRFS_STRIPE_LEN)
		rows->ptrs[c] = c < rows->nr_data ? take_stripe(cursor, memory) : memory;
	ret = btrfs_raid56_parity(rows->nr_data, rows->has_q, BTRFS_STRIPE_LEN, rows->ptrs);
	for (unsigned int c = 0; !ret && c < map->num_stripes; c++)
		ret = runs_add(&rows->runs, rotated_stripe(map, row, c), row * BTRFS_STRIPE_LEN,
			       rows->ptrs[c], BTRFS_STRIPE_LEN);
	return ret;
}

/*
 * Nobody else may write to these rows or read them, since every byte of them is
 * being written; so there is nothing to lock.
 */
static int write_full_rows(const struct btrfs_fs_info *fs_info, const struct btrfs_chunk_map *map,
			   u64 row, u64 nr_rows, struct iov_cursor *cursor)
{
	struct full_rows rows;
	int ret;

	ret = full_rows_init(&rows, fs_info, map, nr_rows);
	while (!ret && nr_rows > 0) {
		u64 batch = min(nr_rows, rows.max_rows);

		for (u64 i = 0; !ret && i < batch; i++)
			ret = gather_row(&rows, row + i, i, cursor);
		if (!ret)
			ret = runs_write(&rows.runs, 1);
		row += batch;
		nr_rows -= batch;
	}
	full_rows_free(&rows);
	return ret;
}

/* ---- a part of a row of RAID5 and RAID6 ---- */

/* A range of a row that gets new content, and with it new parity. */
struct row_update {
	const struct btrfs_fs_info *fs_info;
	const struct btrfs_chunk_map *map;
	u64 row;
	u64 start;		/* bytes into the data of the row */
	u64 len;
	const u8 *src;
	unsigned int nr_data;
	bool has_q;
	u32 low;		/* what parity has to be made anew: bytes into the stripes */
	u32 high;
	void **bufs;		/* data, P, Q: as many bytes of each stripe as are done at a time */
};

/* Bytes into a stripe. */
struct stripe_range {
	u32 start;
	u32 end;
};

/* What of data stripe @column is new, as far as it lies in [at, at + len). */
static struct stripe_range new_range(const struct row_update *upd, unsigned int column, u32 at,
				     size_t len)
{
	u64 base = (u64)column * BTRFS_STRIPE_LEN;
	u64 start = max(upd->start, base + at);
	u64 end = min(upd->start + upd->len, base + at + len);

	if (start >= end)
		return (struct stripe_range){ at, at };
	return (struct stripe_range){ (u32)(start - base), (u32)(end - base) };
}

static bool is_all_new(const struct row_update *upd, unsigned int column, u32 at, size_t len)
{
	struct stripe_range range = new_range(upd, column, at, len);

	return range.end - range.start == len;
}

/* Read of the row what will stay as it is. */
static int read_old(const struct row_update *upd, u32 at, size_t len)
{
	const struct btrfs_chunk_map *map = upd->map;

	for (unsigned int c = 0; c < upd->nr_data; c++) {
		unsigned int stripe = rotated_stripe(map, upd->row, c);
		const struct btrfs_device *dev = map->stripes[stripe].dev;
		u64 physical = map->stripes[stripe].physical + upd->row * BTRFS_STRIPE_LEN + at;

		if (is_all_new(upd, c, at, len))
			continue;
		if (!dev->bdev || blockdev_pread(dev->bdev, upd->bufs[c], len, physical))
			return btrfs_read_row(map, upd->row, at, len, upd->bufs);
	}
	return 0;
}

static void put_new(const struct row_update *upd, u32 at, size_t len)
{
	for (unsigned int c = 0; c < upd->nr_data; c++) {
		struct stripe_range range = new_range(upd, c, at, len);
		u64 in_row = (u64)c * BTRFS_STRIPE_LEN + range.start;

		if (range.start < range.end)
			memcpy((u8 *)upd->bufs[c] + (range.start - at),
			       upd->src + (in_row - upd->start), range.end - range.start);
	}
}

static int write_index(const struct row_update *upd, unsigned int index, struct stripe_range range,
		       u32 at)
{
	struct iovec iov = {
		.iov_base = (u8 *)upd->bufs[index] + (range.start - at),
		.iov_len = range.end - range.start,
	};

	if (iov.iov_len == 0)
		return 0;
	return write_stripe(upd->fs_info, upd->map, rotated_stripe(upd->map, upd->row, index),
			    upd->row * BTRFS_STRIPE_LEN + range.start, &iov, 1);
}

static int update_range(const struct row_update *upd, u32 at, size_t len)
{
	const struct stripe_range all = { at, at + (u32)len };
	int ret;

	ret = read_old(upd, at, len);
	if (ret) {
		error("cannot write to logical %llu: cannot read what shares its parity: %s",
		      upd->map->logical + upd->row * row_bytes(upd->map) + upd->start,
		      errno_text(ret));
		return ret;
	}
	put_new(upd, at, len);
	ret = btrfs_raid56_parity(upd->nr_data, upd->has_q, len, upd->bufs);
	for (unsigned int i = 0; !ret && i < upd->nr_data; i++)
		ret = write_index(upd, i, new_range(upd, i, at, len), at);
	for (unsigned int i = upd->nr_data; !ret && i < upd->map->num_stripes; i++)
		ret = write_index(upd, i, all, at);
	return ret;
}

static int update_row(struct row_update *upd)
{
	pthread_mutex_t *lock = btrfs_full_stripe_lock(upd->fs_info, upd->map, upd->row);
	unsigned int nr_stripes = upd->map->num_stripes;
	size_t step = round_up(btrfs_row_step(upd->map, upd->high - upd->low), (size_t)SZ_4K);
	u8 *memory = aligned_alloc(SZ_4K, step * nr_stripes);
	int ret = -ENOMEM;

	upd->bufs = calloc(nr_stripes, sizeof(*upd->bufs));
	if (!memory || !upd->bufs)
		goto out;
	for (unsigned int i = 0; i < nr_stripes; i++)
		upd->bufs[i] = memory + i * step;
	ret = 0;
	pthread_mutex_lock(lock);
	for (u32 at = upd->low; !ret && at < upd->high; at += (u32)step)
		ret = update_range(upd, at, min(step, (size_t)(upd->high - at)));
	pthread_mutex_unlock(lock);
out:
	free(upd->bufs);
	free(memory);
	return ret;
}

/* @len bytes out of @src to byte @start of row @row. */
static int write_in_row(const struct btrfs_fs_info *fs_info, const struct btrfs_chunk_map *map,
			u64 row, u64 start, u64 len, const u8 *src)
{
	u32 offset = (u32)(start % BTRFS_STRIPE_LEN);
	bool in_one = offset + len <= BTRFS_STRIPE_LEN;
	struct row_update upd = {
		.fs_info = fs_info,
		.map = map,
		.row = row,
		.start = start,
		.len = len,
		.src = src,
		.nr_data = chunk_data_stripes(map),
		.has_q = (map->type & BTRFS_BLOCK_GROUP_RAID6) != 0,
		.low = in_one ? offset : 0,
		.high = in_one ? offset + (u32)len : BTRFS_STRIPE_LEN,
	};

	return update_row(&upd);
}

static int write_partial_row(const struct btrfs_fs_info *fs_info,
			     const struct btrfs_chunk_map *map, u64 row, u64 start, u64 len,
			     struct iov_cursor *cursor)
{
	u64 piece = len;
	u8 *data = iov_next(cursor, &piece);
	u8 *copy;
	int ret;

	if (piece == len)
		return write_in_row(fs_info, map, row, start, len, data);
	copy = malloc((size_t)len);
	if (!copy)
		return -ENOMEM;
	for (u64 done = 0;;) {
		memcpy(copy + done, data, (size_t)piece);
		done += piece;
		if (done == len)
			break;
		piece = len - done;
		data = iov_next(cursor, &piece);
	}
	ret = write_in_row(fs_info, map, row, start, len, copy);
	free(copy);
	return ret;
}

static int write_with_parity(const struct btrfs_fs_info *fs_info,
			     const struct btrfs_chunk_map *map, u64 offset, u64 len,
			     struct iov_cursor *cursor)
{
	u64 per_row = row_bytes(map);
	int ret = check_parity_chunk(map);

	while (!ret && len > 0) {
		u64 start = offset % per_row;
		u64 piece;

		if (start == 0 && len >= per_row) {
			piece = len - len % per_row;
			ret = write_full_rows(fs_info, map, offset / per_row, piece / per_row,
					      cursor);
		} else {
			piece = min(len, per_row - start);
			ret = write_partial_row(fs_info, map, offset / per_row, start, piece,
						cursor);
		}
		offset += piece;
		len -= piece;
	}
	return ret;
}

/* ---- all together ---- */

static int write_chunk(const struct btrfs_fs_info *fs_info, const struct btrfs_chunk_map *map,
		       u64 offset, u64 len, struct iov_cursor *cursor)
{
	int ret;

	if (!chunk_is_raid56(map) && chunk_data_stripes(map) == 1)
		return write_mirrored(fs_info, map, offset, len, cursor);
	ret = check_whole_rows(map);
	if (ret)
		return ret;
	if (chunk_is_raid56(map))
		return write_with_parity(fs_info, map, offset, len, cursor);
	return write_striped(fs_info, map, offset, len, cursor);
}

int btrfs_write_logical_iov(struct btrfs_fs_info *fs_info, u64 logical, u64 len,
			    const struct iovec *iov, int iovcnt)
{
	struct iov_cursor cursor = { .iov = iov };

	if (iov_total(iov, iovcnt) < len)
		return -EINVAL;
	while (len > 0) {
		const struct btrfs_chunk_map *map = btrfs_find_chunk_map(fs_info, logical);
		u64 piece;
		int ret;

		if (!map) {
			error("cannot write to logical %llu: no chunk is there", logical);
			return -ENOENT;
		}
		piece = min(len, map->logical + map->length - logical);
		ret = write_chunk(fs_info, map, logical - map->logical, piece, &cursor);
		if (ret)
			return ret;
		logical += piece;
		len -= piece;
	}
	return 0;
}

int btrfs_write_logical(struct btrfs_fs_info *fs_info, u64 logical, u64 len, const void *buf)
{
	struct iovec iov = { .iov_base = (void *)buf, .iov_len = (size_t)len };

	return btrfs_write_logical_iov(fs_info, logical, len, &iov, 1);
}

int btrfs_flush_devices(struct btrfs_fs_info *fs_info)
{
	const struct btrfs_fs_devices *devs = fs_info->fs_devices;
	int first = 0;

	for (unsigned int i = 0; i < devs->nr_devices; i++) {
		const struct btrfs_device *dev = devs->devices[i];
		int ret;

		if (!btrfs_device_is_writable(fs_info, dev))
			continue;
		ret = blockdev_flush(dev->bdev);
		if (ret)
			error("%s: cannot flush: %s", dev->bdev->path, errno_text(ret));
		first = first ? first : ret;
	}
	return first;
}
