// SPDX-License-Identifier: GPL-2.0-only
/*
 * The undo recorder.  Which granules of the device have been saved, durably, is
 * kept in a bitmap that is read without a lock: a write to saved granules goes
 * straight through.  Everything else happens under one lock for each device.
 */
#include "common/blockdev-undo.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "common/iov.h"
#include "common/message.h"

#define GRANULE_BYTES		((u64)SZ_64K)
/* What is saved beyond a write: at first, and at most when one write follows another. */
#define AHEAD_FIRST		3U
#define AHEAD_MAX		128U
/* Writes that go on in as many places at once are each recognized. */
#define NR_STREAMS		4U
/* A write this little behind the last one still follows it. */
#define STREAM_GAP		4U

struct stream {
	u64 next;		/* the granule behind what was saved for it */
	u64 ahead;		/* granules; 0: no stream yet */
};

struct undo_dev {
	struct blockdev dev;
	struct blockdev *lower;
	struct undo_writer *writer;
	u16 index;		/* of the device in the undo file */
	u64 old_size;		/* content behind it is none to be saved */
	u64 *saved;		/* a bit for each granule; set atomically */
	size_t saved_bytes;

	pthread_mutex_t lock;	/* all below; whoever saves holds it */
	struct vec ranges;	/* struct undo_range: what there are records of, durable or not */
	struct stream streams[NR_STREAMS];
	unsigned int victim;	/* the stream that is given up next */
	u8 *buf;		/* UNDO_MAX_PAYLOAD */
};

static struct undo_dev *undo_dev(struct blockdev *dev)
{
	return container_of(dev, struct undo_dev, dev);
}

/* ---- which granules are saved ---- */

static bool is_saved(const struct undo_dev *undo, u64 granule)
{
	return __atomic_load_n(&undo->saved[granule / 64], __ATOMIC_ACQUIRE) &
	       (1ULL << (granule % 64));
}

static void set_saved(struct undo_dev *undo, u64 granule)
{
	__atomic_fetch_or(&undo->saved[granule / 64], 1ULL << (granule % 64), __ATOMIC_RELEASE);
}

static u64 nr_granules(const struct undo_dev *undo)
{
	return DIV_ROUND_UP(undo->old_size, GRANULE_BYTES);
}

/* The granules [*first, *last) that [offset, offset + len) touches and that need saving. */
static bool unsaved_granules(const struct undo_dev *undo, u64 offset, u64 len, u64 *first,
			     u64 *last)
{
	*first = offset / GRANULE_BYTES;
	*last = min(DIV_ROUND_UP(offset + len, GRANULE_BYTES), nr_granules(undo));
	while (*first < *last && is_saved(undo, *first))
		(*first)++;
	while (*first < *last && is_saved(undo, *last - 1))
		(*last)--;
	return *first < *last;
}

/* ---- saving, with the lock held ---- */

static bool is_zero(const u8 *buf, u64 len)
{
	return buf[0] == 0 && memcmp(buf, buf + 1, len - 1) == 0;
}

/* A record for the range; @data NULL: zeros. */
static int save_range(struct undo_dev *undo, u64 offset, const void *data, u64 len)
{
	struct undo_range *range;
	int ret;

	if (!len)
		return 0;
	/* Room first: there must be no record that the list does not know. */
	ret = vec_reserve(&undo->ranges, undo->ranges.nr + 1);
	if (!ret)
		ret = undo_writer_save(undo->writer, undo->index, offset, data, len);
	if (ret)
		return ret;
	range = vec_push(&undo->ranges);
	range->offset = offset;
	range->len = len;
	return 0;
}

/* Zeros that have been read and have no record yet. */
struct zero_run {
	u64 offset;
	u64 len;
};

static int end_zero_run(struct undo_dev *undo, struct zero_run *zeros)
{
	int ret = save_range(undo, zeros->offset, NULL, zeros->len);

	zeros->len = 0;
	return ret;
}

static int add_zeros(struct undo_dev *undo, struct zero_run *zeros, u64 offset, u64 len)
{
	int ret = 0;

	if (zeros->len + len > UNDO_MAX_ZERO_LEN)
		ret = end_zero_run(undo, zeros);
	if (!zeros->len)
		zeros->offset = offset;
	zeros->len += len;
	return ret;
}

/* What stands in buf, in records of data and, granule by granule, zeros. */
static int save_buf(struct undo_dev *undo, u64 offset, u64 len, struct zero_run *zeros)
{
	u64 data_start = 0, at = 0;
	int ret = 0;

	while (!ret && at < len) {
		u64 piece = min(GRANULE_BYTES, len - at);

		if (is_zero(undo->buf + at, piece)) {
			ret = save_range(undo, offset + data_start, undo->buf + data_start,
					 at - data_start);
			if (!ret)
				ret = add_zeros(undo, zeros, offset + at, piece);
			data_start = at + piece;
		} else {
			ret = end_zero_run(undo, zeros);
		}
		at += piece;
	}
	return ret ? ret : save_range(undo, offset + data_start, undo->buf + data_start,
				      at - data_start);
}

/* Granules [first, last), none of them saved.  An error leaves the first few with records. */
static int save_granules(struct undo_dev *undo, u64 first, u64 last)
{
	u64 offset = first * GRANULE_BYTES;
	u64 end = min(last * GRANULE_BYTES, undo->old_size);
	struct zero_run zeros = { 0 };
	int ret = 0, err;

	while (!ret && offset < end) {
		u64 len = min_t(u64, UNDO_MAX_PAYLOAD, end - offset);

		ret = blockdev_pread(undo->lower, undo->buf, len, offset);
		if (!ret)
			ret = save_buf(undo, offset, len, &zeros);
		offset += len;
	}
	err = end_zero_run(undo, &zeros);
	return ret ? ret : err;
}

/* Those of [first, last) that are not saved yet. */
static int save_unsaved(struct undo_dev *undo, u64 first, u64 last)
{
	int ret = 0;

	while (!ret && first < last) {
		u64 end = first;

		while (end < last && !is_saved(undo, end))
			end++;
		if (end > first)
			ret = save_granules(undo, first, end);
		first = end + 1;
	}
	return ret;
}

/* How many granules behind [first, last) to save with them. */
static u64 granules_ahead(struct undo_dev *undo, u64 first, u64 last)
{
	struct stream *stream = NULL;

	for (unsigned int i = 0; i < NR_STREAMS && !stream; i++) {
		struct stream *s = &undo->streams[i];

		if (s->ahead && first >= s->next && first - s->next <= STREAM_GAP)
			stream = s;
	}
	if (stream) {
		stream->ahead = min(2 * stream->ahead, (u64)AHEAD_MAX);
	} else {
		stream = &undo->streams[undo->victim++ % NR_STREAMS];
		stream->ahead = AHEAD_FIRST;
	}
	stream->next = min(last + stream->ahead, nr_granules(undo));
	return stream->next - last;
}

/* Have the new records, from number @first_range on, durable, and let writes through. */
static int make_durable(struct undo_dev *undo, size_t first_range)
{
	int ret = undo_writer_sync(undo->writer);

	for (size_t i = first_range; !ret && i < undo->ranges.nr; i++) {
		const struct undo_range *range = vec_at(&undo->ranges, i);
		u64 last = DIV_ROUND_UP(range->offset + range->len, GRANULE_BYTES);

		for (u64 granule = range->offset / GRANULE_BYTES; granule < last; granule++)
			set_saved(undo, granule);
	}
	return ret;
}

/* Nothing that [offset, offset + len) holds is lost if it is written from now on. */
static int save_before_write(struct undo_dev *undo, u64 offset, u64 len, bool read_ahead)
{
	u64 first, last, ahead;
	size_t first_range;
	int ret = 0, err;

	if (!unsaved_granules(undo, offset, len, &first, &last))
		return 0;
	pthread_mutex_lock(&undo->lock);
	if (!unsaved_granules(undo, offset, len, &first, &last))
		goto out;
	ahead = read_ahead ? granules_ahead(undo, first, last) : 0;
	first_range = undo->ranges.nr;
	ret = save_unsaved(undo, first, last);
	/* What cannot be read there is nobody's concern yet. */
	if (!ret)
		save_unsaved(undo, last, last + ahead);
	err = make_durable(undo, first_range);
	ret = ret ? ret : err;
out:
	pthread_mutex_unlock(&undo->lock);
	return ret;
}

int blockdev_undo_save(struct blockdev *dev, u64 offset, u64 len)
{
	u64 end = min_t(u64, offset + len, blockdev_size(dev));

	return offset < end ? save_before_write(undo_dev(dev), offset, end - offset, false) : 0;
}

/* ---- the calls ---- */

static int undo_preadv(struct blockdev *dev, const struct iovec *iov, int iovcnt, u64 offset)
{
	return blockdev_preadv(undo_dev(dev)->lower, iov, iovcnt, offset);
}

static int undo_pwritev(struct blockdev *dev, const struct iovec *iov, int iovcnt, u64 offset)
{
	struct undo_dev *undo = undo_dev(dev);
	int ret = save_before_write(undo, offset, iov_total(iov, iovcnt), true);

	return ret ? ret : blockdev_pwritev(undo->lower, iov, iovcnt, offset);
}

static int undo_zero(struct blockdev *dev, u64 offset, u64 len)
{
	struct undo_dev *undo = undo_dev(dev);
	int ret = save_before_write(undo, offset, len, false);

	return ret ? ret : blockdev_zero(undo->lower, offset, len);
}

static int undo_discard(struct blockdev *dev, u64 offset, u64 len)
{
	struct undo_dev *undo = undo_dev(dev);
	int ret = save_before_write(undo, offset, len, false);

	return ret ? ret : blockdev_discard(undo->lower, offset, len);
}

static int undo_flush(struct blockdev *dev)
{
	return blockdev_flush(undo_dev(dev)->lower);
}

static int undo_commit(struct blockdev *dev)
{
	return blockdev_commit(undo_dev(dev)->lower);
}

static int undo_resize(struct blockdev *dev, u64 size)
{
	struct undo_dev *undo = undo_dev(dev);
	u64 old = blockdev_size(dev);
	int ret = 0;

	if (size < old)
		ret = save_before_write(undo, size, old - size, false);
	if (!ret)
		ret = undo_writer_resize(undo->writer, undo->index, old, size);
	if (!ret)
		ret = undo_writer_sync(undo->writer);
	if (ret)
		return ret;
	ret = blockdev_resize(undo->lower, size);
	if (ret)	/* the file has it, so it has to be taken back */
		undo_writer_resize(undo->writer, undo->index, size, old);
	return ret;
}

static void undo_readahead(struct blockdev *dev, u64 offset, u64 len)
{
	blockdev_readahead(undo_dev(dev)->lower, offset, len);
}

/* ---- what the device is like at the end ---- */

/* The checksums of one range, as far as the device still goes. */
static int sum_range(struct undo_dev *undo, const struct undo_range *range, __le32 *sums)
{
	u64 size = min(blockdev_size(undo->lower), undo->old_size);
	u64 offset = range->offset, end = range->offset + range->len;
	int ret = 0;

	while (!ret && offset < end) {
		u64 len = min_t(u64, UNDO_MAX_PAYLOAD, end - offset);
		u64 there = offset < size ? min(len, size - offset) : 0;

		if (there)
			ret = blockdev_pread(undo->lower, undo->buf, there, offset);
		for (u64 at = 0; !ret && at < len; at += UNDO_SECTOR_BYTES) {
			u64 part = at < there ? min_t(u64, UNDO_SECTOR_BYTES, there - at) : 0;

			*sums++ = undo_sector_sum(undo->buf + at, part);
		}
		offset += len;
	}
	return ret;
}

static int write_sums(struct undo_dev *undo)
{
	__le32 *sums = malloc(UNDO_MAX_PAYLOAD);
	struct undo_range *range;
	int ret = sums ? 0 : -ENOMEM;

	vec_for_each(&undo->ranges, range) {
		if (!ret)
			ret = sum_range(undo, range, sums);
		if (!ret)
			ret = undo_writer_sums(undo->writer, undo->index, range->offset, range->len,
					       sums);
	}
	free(sums);
	return ret;
}

/* Without the last record the undo file counts as one of an operation that did not end. */
static void end_device(struct undo_dev *undo)
{
	unsigned long said = message_nr_errors();
	int ret = blockdev_flush(undo->lower);

	if (!ret)
		ret = write_sums(undo);
	if (!ret)
		ret = undo_writer_device_end(undo->writer, undo->index, blockdev_size(undo->lower));
	if (ret && message_nr_errors() == said)
		warning("%s: cannot note what it is like now: %s", undo->dev.path, errno_text(ret));
}

static void free_undo_dev(struct undo_dev *undo)
{
	if (undo->saved)
		munmap(undo->saved, undo->saved_bytes);
	vec_free(&undo->ranges);
	pthread_mutex_destroy(&undo->lock);
	free(undo->buf);
	free(undo);
}

static void undo_close(struct blockdev *dev)
{
	struct undo_dev *undo = undo_dev(dev);

	end_device(undo);
	blockdev_close(undo->lower);
	free_undo_dev(undo);
}

static const struct blockdev_ops undo_ops = {
	.preadv = undo_preadv,
	.readahead = undo_readahead,
	.close = undo_close,
	.pwritev = undo_pwritev,
	.flush = undo_flush,
	.discard = undo_discard,
	.zero = undo_zero,
	.resize = undo_resize,
	.commit = undo_commit,
};

/* ---- opening ---- */

static int alloc_undo_dev(struct undo_dev *undo)
{
	undo->buf = malloc(UNDO_MAX_PAYLOAD);
	if (!undo->buf)
		return -ENOMEM;
	/* Only what is used of it takes memory, however large the device. */
	undo->saved_bytes = max_t(u64, DIV_ROUND_UP(nr_granules(undo), 64) * sizeof(u64), 1);
	undo->saved = mmap(NULL, undo->saved_bytes, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (undo->saved == MAP_FAILED) {
		undo->saved = NULL;
		return -ENOMEM;
	}
	return 0;
}

/* The path is to be found from anywhere. */
static int add_device(struct undo_dev *undo, const char *id)
{
	char *path = realpath(undo->dev.path, NULL);
	int ret = undo_writer_add_device(undo->writer, path ? path : undo->dev.path, id,
					 undo->old_size, &undo->index);

	free(path);
	return ret;
}

int blockdev_open_undo(struct blockdev *lower, struct undo_writer *writer, const char *id,
		       struct blockdev **ret_dev)
{
	struct undo_dev *undo;
	int ret;

	if (!blockdev_is_writable(lower))
		return -EROFS;
	undo = calloc(1, sizeof(*undo));
	if (!undo)
		return -ENOMEM;
	undo->dev = (struct blockdev){
		.ops = &undo_ops,
		.path = lower->path,
		.size = lower->size,
		.resizable = lower->resizable,
	};
	undo->lower = lower;
	undo->writer = writer;
	undo->old_size = lower->size;
	vec_init(&undo->ranges, sizeof(struct undo_range));
	pthread_mutex_init(&undo->lock, NULL);
	ret = alloc_undo_dev(undo);
	if (!ret)
		ret = add_device(undo, id);
	if (ret)
		free_undo_dev(undo);
	else
		*ret_dev = &undo->dev;
	return ret;
}
