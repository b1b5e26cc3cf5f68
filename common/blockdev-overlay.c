// SPDX-License-Identifier: GPL-2.0-only
/*
 * The copy-on-write overlay.  What a byte reads as is decided in three layers: the
 * blocks that were written, below them the ranges that were zeroed, below these
 * the lower device, which ends in endless zeros.  Zeroing a range drops what was
 * written there, so that the order of the layers is always right.
 */
#include "common/blockdev-overlay.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "common/hashtable.h"
#include "common/iov.h"
#include "common/rbtree.h"
#include "common/vec.h"

#define SECTOR_BYTES		4096ULL
#define BLOCK_BYTES		16384ULL
#define SECTORS_PER_BLOCK	(BLOCK_BYTES / SECTOR_BYTES)

struct overlay_block {
	unsigned int written;	/* a bit for each sector that is there */
	u8 data[BLOCK_BYTES];
};

/* [start, end), in bytes; disjoint, and never touching one another. */
struct zero_range {
	struct rb_node node;
	u64 start;
	u64 end;
};

struct overlay_dev {
	struct blockdev dev;
	struct blockdev *lower;

	pthread_rwlock_t lock;	/* all below */
	struct u64_map blocks;	/* number of the block -> struct overlay_block */
	struct rb_root zeros;	/* struct zero_range by start */
	u64 nr_sectors;		/* bits set in the blocks */
	struct blockdev_overlay_stats stats;	/* but for bytes_changed */
};

static struct overlay_dev *overlay_dev(struct blockdev *dev)
{
	return container_of(dev, struct overlay_dev, dev);
}

/* ---- zeroed ranges ---- */

/* The first range that ends at @offset or later: touching counts. */
static struct zero_range *find_zeros(const struct overlay_dev *ov, u64 offset)
{
	struct rb_node *node = ov->zeros.rb_node;
	struct zero_range *found = NULL;

	while (node) {
		struct zero_range *range = rb_entry(node, struct zero_range, node);

		if (range->end < offset) {
			node = node->rb_right;
		} else {
			found = range;
			node = node->rb_left;
		}
	}
	return found;
}

static struct zero_range *next_zeros(const struct zero_range *range)
{
	return rb_entry_safe(rb_next(&range->node), struct zero_range, node);
}

static void link_zeros(struct overlay_dev *ov, struct zero_range *new)
{
	struct rb_node **p = &ov->zeros.rb_node, *parent = NULL;

	while (*p) {
		parent = *p;
		p = new->start < rb_entry(parent, struct zero_range, node)->start ?
			&parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&new->node, parent, p);
	rb_insert_color(&new->node, &ov->zeros);
	ov->stats.bytes_zeroed += new->end - new->start;
}

/* Add [start, end), swallowing what it overlaps or touches. */
static int add_zeros(struct overlay_dev *ov, u64 start, u64 end)
{
	struct zero_range *new = malloc(sizeof(*new));
	struct zero_range *range = find_zeros(ov, start);

	if (!new)
		return -ENOMEM;
	while (range && range->start <= end) {
		struct zero_range *next = next_zeros(range);

		start = min(start, range->start);
		end = max(end, range->end);
		ov->stats.bytes_zeroed -= range->end - range->start;
		rb_erase(&range->node, &ov->zeros);
		free(range);
		range = next;
	}
	new->start = start;
	new->end = end;
	link_zeros(ov, new);
	return 0;
}

/* ---- below the blocks ---- */

/* The lower device may be shorter than we are: zeros follow it. */
static int read_lower(struct overlay_dev *ov, u8 *buf, u64 len, u64 offset)
{
	u64 size = blockdev_size(ov->lower);
	u64 there = offset < size ? min(len, size - offset) : 0;

	memset(buf + there, 0, len - there);
	return there ? blockdev_pread(ov->lower, buf, there, offset) : 0;
}

/* Zeroed ranges and the lower device, with the lock held. */
static int read_below(struct overlay_dev *ov, u8 *buf, u64 len, u64 offset)
{
	struct zero_range *range = find_zeros(ov, offset);
	u64 end = offset + len;
	int ret = 0;

	while (!ret && offset < end) {
		u64 piece = end - offset;

		if (range && range->end <= offset) {
			range = next_zeros(range);
			continue;
		}
		if (range && range->start <= offset) {
			piece = min(end, range->end) - offset;
			memset(buf, 0, piece);
		} else {
			if (range && range->start < end)
				piece = range->start - offset;
			ret = read_lower(ov, buf, piece, offset);
		}
		buf += piece;
		offset += piece;
	}
	return ret;
}

/* ---- blocks ---- */

static struct overlay_block *find_block(const struct overlay_dev *ov, u64 offset)
{
	return u64_map_find(&ov->blocks, offset / BLOCK_BYTES);
}

static struct overlay_block *get_block(struct overlay_dev *ov, u64 offset)
{
	struct overlay_block *block = find_block(ov, offset);

	if (block)
		return block;
	block = malloc(sizeof(*block));
	if (!block)
		return NULL;
	block->written = 0;
	if (u64_map_insert(&ov->blocks, offset / BLOCK_BYTES, block)) {
		free(block);
		return NULL;
	}
	return block;
}

static bool sector_written(const struct overlay_block *block, u64 offset)
{
	return block && (block->written & (1U << (offset % BLOCK_BYTES / SECTOR_BYTES)));
}

/* The bytes from @offset to the end of its sector, at most @len. */
static u64 rest_of_sector(u64 offset, u64 len)
{
	return min(len, SECTOR_BYTES - offset % SECTOR_BYTES);
}

/*
 * The bytes from @offset on, at most @len, that are alike: all in one block
 * (returned) and written, or all not (NULL), in any number of blocks.
 */
static const struct overlay_block *next_run(const struct overlay_dev *ov, u64 offset, u64 *len)
{
	const struct overlay_block *first = find_block(ov, offset), *block = first;
	bool written = sector_written(first, offset);
	u64 at = offset, end = offset + *len;

	for (;;) {
		at += rest_of_sector(at, end - at);
		if (at == end)
			break;
		if (at % BLOCK_BYTES == 0) {
			if (written)
				break;
			block = find_block(ov, at);
		}
		if (sector_written(block, at) != written)
			break;
	}
	*len = at - offset;
	return written ? first : NULL;
}

/* Have the whole sector at @offset in @block, because only part of it is to be written. */
static int fill_sector(struct overlay_dev *ov, struct overlay_block *block, u64 offset)
{
	u64 start = round_down(offset, SECTOR_BYTES);

	if (sector_written(block, offset))
		return 0;
	return read_below(ov, block->data + start % BLOCK_BYTES, SECTOR_BYTES, start);
}

static void mark_written(struct overlay_dev *ov, struct overlay_block *block, u64 offset)
{
	if (sector_written(block, offset))
		return;
	block->written |= 1U << (offset % BLOCK_BYTES / SECTOR_BYTES);
	ov->nr_sectors++;
}

/* @len bytes inside of one sector; @data NULL: zeros. */
static int write_sector(struct overlay_dev *ov, const void *data, u64 len, u64 offset)
{
	struct overlay_block *block = get_block(ov, offset);
	int ret = block ? 0 : -ENOMEM;

	if (!ret && len < SECTOR_BYTES)
		ret = fill_sector(ov, block, offset);
	if (ret)
		return ret;
	if (data)
		memcpy(block->data + offset % BLOCK_BYTES, data, len);
	else
		memset(block->data + offset % BLOCK_BYTES, 0, len);
	mark_written(ov, block, offset);
	return 0;
}

/* Forget sectors [first, last) of block @nr; the block, when nothing is left of it. */
static void drop_sectors(struct overlay_dev *ov, u64 nr, unsigned int first, unsigned int last)
{
	struct overlay_block *block = u64_map_find(&ov->blocks, nr);
	unsigned int mask = ((1U << last) - 1) & ~((1U << first) - 1);

	if (!block)
		return;
	ov->nr_sectors -= (u64)__builtin_popcount(block->written & mask);
	block->written &= ~mask;
	if (!block->written) {
		u64_map_remove(&ov->blocks, nr);
		free(block);
	}
}

static void drop_part(struct overlay_dev *ov, u64 nr, u64 start, u64 end)
{
	u64 base = nr * BLOCK_BYTES;
	u64 first = (max(start, base) - base) / SECTOR_BYTES;
	u64 last = (min(end, base + BLOCK_BYTES) - base) / SECTOR_BYTES;

	drop_sectors(ov, nr, (unsigned int)first, (unsigned int)last);
}

/* Forget what was written in [start, end), whole sectors. */
static int drop_range(struct overlay_dev *ov, u64 start, u64 end)
{
	u64 first = start / BLOCK_BYTES, last = DIV_ROUND_UP(end, BLOCK_BYTES);
	struct vec found = VEC_INIT(u64);
	u64 *nr, key;
	size_t pos = 0;
	int ret = 0;

	if (last - first <= ov->blocks.nr) {
		for (key = first; key < last; key++)
			drop_part(ov, key, start, end);
		return 0;
	}
	/* A range of which hardly anything was written: go by what was. */
	while (!ret && u64_map_next(&ov->blocks, &pos, &key, NULL)) {
		if (key >= first && key < last)
			ret = vec_push_copy(&found, &key);
	}
	if (!ret) {
		vec_for_each(&found, nr)
			drop_part(ov, *nr, start, end);
	}
	vec_free(&found);
	return ret;
}

/* ---- the calls ---- */

/* Neither written nor zeroed, and not behind the end of the lower device. */
static bool is_untouched(const struct overlay_dev *ov, u64 offset, u64 len)
{
	const struct zero_range *range;
	u64 end = offset + len;

	if (end > blockdev_size(ov->lower))
		return false;
	range = find_zeros(ov, offset + 1);
	if (range && range->start < end)
		return false;
	for (u64 nr = offset / BLOCK_BYTES; nr * BLOCK_BYTES < end; nr++) {
		if (u64_map_find(&ov->blocks, nr))
			return false;
	}
	return true;
}

/* Into one buffer, with the lock held. */
static int read_merged(struct overlay_dev *ov, u8 *buf, u64 len, u64 offset)
{
	int ret = 0;

	while (!ret && len > 0) {
		u64 run = len;
		const struct overlay_block *block = next_run(ov, offset, &run);

		if (block)
			memcpy(buf, block->data + offset % BLOCK_BYTES, run);
		else
			ret = read_below(ov, buf, run, offset);
		buf += run;
		offset += run;
		len -= run;
	}
	return ret;
}

static int overlay_preadv(struct blockdev *dev, const struct iovec *iov, int iovcnt, u64 offset)
{
	struct overlay_dev *ov = overlay_dev(dev);
	bool untouched;
	int ret = 0;

	pthread_rwlock_rdlock(&ov->lock);
	untouched = is_untouched(ov, offset, iov_total(iov, iovcnt));
	for (int i = 0; !untouched && !ret && i < iovcnt; i++) {
		ret = read_merged(ov, iov[i].iov_base, iov[i].iov_len, offset);
		offset += iov[i].iov_len;
	}
	pthread_rwlock_unlock(&ov->lock);
	/* The lower device never changes: a write of this moment may well be missed. */
	return untouched ? blockdev_preadv(ov->lower, iov, iovcnt, offset) : ret;
}

static int overlay_pwritev(struct blockdev *dev, const struct iovec *iov, int iovcnt, u64 offset)
{
	struct overlay_dev *ov = overlay_dev(dev);
	int ret = 0;

	pthread_rwlock_wrlock(&ov->lock);
	ov->stats.nr_writes++;
	for (int i = 0; !ret && i < iovcnt; i++) {
		const u8 *data = iov[i].iov_base;
		u64 left = iov[i].iov_len;

		while (!ret && left > 0) {
			u64 len = rest_of_sector(offset, left);

			ret = write_sector(ov, data, len, offset);
			data += len;
			offset += len;
			left -= len;
			ov->stats.bytes_written += len;
		}
	}
	pthread_rwlock_unlock(&ov->lock);
	return ret;
}

/* Whole sectors become a zeroed range; what is left at either end is written. */
static int zero_range(struct overlay_dev *ov, u64 offset, u64 end)
{
	u64 size = blockdev_size(&ov->dev);
	u64 first = round_up(offset, SECTOR_BYTES);
	/* Nobody sees the rest of the last sector of all. */
	u64 last = end == size ? round_up(end, SECTOR_BYTES) : round_down(end, SECTOR_BYTES);
	int ret = 0;

	if (offset < first)
		ret = write_sector(ov, NULL, min(first, end) - offset, offset);
	if (!ret && first < last) {
		ret = add_zeros(ov, first, last);
		if (!ret)
			ret = drop_range(ov, first, last);
	}
	if (!ret && first <= last && last < end)
		ret = write_sector(ov, NULL, end - last, last);
	return ret;
}

static int overlay_zero(struct blockdev *dev, u64 offset, u64 len)
{
	struct overlay_dev *ov = overlay_dev(dev);
	int ret;

	pthread_rwlock_wrlock(&ov->lock);
	ret = zero_range(ov, offset, offset + len);
	pthread_rwlock_unlock(&ov->lock);
	return ret;
}

/* What is cut off must not come back when the device grows again. */
static int overlay_resize(struct blockdev *dev, u64 size)
{
	u64 old = blockdev_size(dev);

	if (size > INT64_MAX)
		return -EFBIG;
	return size < old ? overlay_zero(dev, size, old - size) : 0;
}

static int overlay_flush(struct blockdev *dev)
{
	struct overlay_dev *ov = overlay_dev(dev);

	pthread_rwlock_wrlock(&ov->lock);
	ov->stats.nr_flushes++;
	pthread_rwlock_unlock(&ov->lock);
	return 0;
}

static void overlay_readahead(struct blockdev *dev, u64 offset, u64 len)
{
	blockdev_readahead(overlay_dev(dev)->lower, offset, len);
}

static void overlay_close(struct blockdev *dev)
{
	struct overlay_dev *ov = overlay_dev(dev);
	struct zero_range *range, *next;
	size_t pos = 0;
	void *block;
	u64 nr;

	while (u64_map_next(&ov->blocks, &pos, &nr, &block))
		free(block);
	u64_map_free(&ov->blocks);
	rbtree_postorder_for_each_entry_safe(range, next, &ov->zeros, node)
		free(range);
	pthread_rwlock_destroy(&ov->lock);
	blockdev_close(ov->lower);
	free(ov);
}

static const struct blockdev_ops overlay_ops = {
	.preadv = overlay_preadv,
	.readahead = overlay_readahead,
	.close = overlay_close,
	.pwritev = overlay_pwritev,
	.flush = overlay_flush,
	.discard = overlay_zero,
	.zero = overlay_zero,
	.resize = overlay_resize,
};

int blockdev_open_overlay(struct blockdev *lower, struct blockdev **ret)
{
	struct overlay_dev *ov = calloc(1, sizeof(*ov));

	if (!ov)
		return -ENOMEM;
	ov->dev = (struct blockdev){
		.ops = &overlay_ops,
		.path = lower->path,
		.size = lower->size,
		.resizable = lower->resizable,
	};
	ov->lower = lower;
	pthread_rwlock_init(&ov->lock, NULL);
	u64_map_init(&ov->blocks);
	ov->zeros = RB_ROOT;
	*ret = &ov->dev;
	return 0;
}

void blockdev_overlay_stats(struct blockdev *dev, struct blockdev_overlay_stats *stats)
{
	struct overlay_dev *ov = overlay_dev(dev);

	pthread_rwlock_rdlock(&ov->lock);
	*stats = ov->stats;
	stats->bytes_changed = ov->nr_sectors * SECTOR_BYTES;
	pthread_rwlock_unlock(&ov->lock);
}
