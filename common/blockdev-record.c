// SPDX-License-Identifier: GPL-2.0-only
/*
 * The write recorder and its log; see the header.
 *
 * What is durable must not be overstated.  A write is therefore logged when it is
 * complete, and a flush covers what had been logged before it began.
 */
#include "common/blockdev-record.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/iov.h"
#include "common/vec.h"

#define LOG_MAGIC		0x676f4c42U	/* "BLog" */
#define REPLAY_SECTOR_BYTES	4096ULL

/* In the file, with the data of a write behind it.  Read on the machine that wrote it. */
struct raw_entry {
	u32 magic;
	u32 op;
	u32 device;
	u32 reserved;
	u64 offset;
	u64 len;
	u64 covers;
};

struct blockdev_log {
	int fd;
	pthread_mutex_t lock;	/* all below */
	struct vec entries;	/* struct blockdev_log_entry */
	u64 pos;		/* where the next entry goes */
	int err;		/* the first failure; a log with holes is none */
};

struct record_dev {
	struct blockdev dev;
	struct blockdev *lower;
	struct blockdev_log *log;
	unsigned int device;
};

static struct record_dev *record_dev(struct blockdev *dev)
{
	return container_of(dev, struct record_dev, dev);
}

/* ---- logging ---- */

static int write_at(int fd, const void *buf, size_t len, u64 pos)
{
	const char *p = buf;

	while (len > 0) {
		ssize_t n = pwrite(fd, p, len, (off_t)pos);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		p += n;
		pos += (u64)n;
		len -= (size_t)n;
	}
	return 0;
}

/* The data goes first: an entry without it is then none at all. */
static int write_entry(struct blockdev_log *log, struct blockdev_log_entry *entry,
		       const struct iovec *iov, int iovcnt)
{
	struct raw_entry raw = {
		.magic = LOG_MAGIC,
		.op = entry->op,
		.device = entry->device,
		.offset = entry->offset,
		.len = entry->len,
		.covers = entry->covers,
	};
	u64 pos = log->pos + sizeof(raw);
	int ret = 0;

	entry->pos = pos;
	for (int i = 0; !ret && i < iovcnt; i++) {
		ret = write_at(log->fd, iov[i].iov_base, iov[i].iov_len, pos);
		pos += iov[i].iov_len;
	}
	if (!ret)
		ret = write_at(log->fd, &raw, sizeof(raw), log->pos);
	if (!ret)
		ret = vec_push_copy(&log->entries, entry);
	if (!ret)
		log->pos = pos;
	return ret;
}

static int log_entry(struct record_dev *rec, struct blockdev_log_entry entry,
		     const struct iovec *iov, int iovcnt)
{
	struct blockdev_log *log = rec->log;
	int ret;

	entry.device = rec->device;
	pthread_mutex_lock(&log->lock);
	if (!log->err)
		log->err = write_entry(log, &entry, iov, iovcnt);
	ret = log->err;
	pthread_mutex_unlock(&log->lock);
	return ret;
}

static u64 nr_logged(struct blockdev_log *log)
{
	u64 nr;

	pthread_mutex_lock(&log->lock);
	nr = log->entries.nr;
	pthread_mutex_unlock(&log->lock);
	return nr;
}

/* ---- the calls ---- */

static int record_preadv(struct blockdev *dev, const struct iovec *iov, int iovcnt, u64 offset)
{
	return blockdev_preadv(record_dev(dev)->lower, iov, iovcnt, offset);
}

/* Also what fails: some of it may have been written. */
static int record_pwritev(struct blockdev *dev, const struct iovec *iov, int iovcnt, u64 offset)
{
	struct record_dev *rec = record_dev(dev);
	int ret = blockdev_pwritev(rec->lower, iov, iovcnt, offset);
	int err = log_entry(rec, (struct blockdev_log_entry){
		.op = BLOCKDEV_LOG_WRITE,
		.offset = offset,
		.len = iov_total(iov, iovcnt),
	}, iov, iovcnt);

	return ret ? ret : err;
}

static int record_zero(struct blockdev *dev, u64 offset, u64 len)
{
	struct record_dev *rec = record_dev(dev);
	int ret = blockdev_zero(rec->lower, offset, len);
	int err = log_entry(rec, (struct blockdev_log_entry){
		.op = BLOCKDEV_LOG_ZERO,
		.offset = offset,
		.len = len,
	}, NULL, 0);

	return ret ? ret : err;
}

static int record_discard(struct blockdev *dev, u64 offset, u64 len)
{
	struct record_dev *rec = record_dev(dev);
	int ret = blockdev_discard(rec->lower, offset, len);

	if (ret)
		return ret;
	return log_entry(rec, (struct blockdev_log_entry){
		.op = BLOCKDEV_LOG_DISCARD,
		.offset = offset,
		.len = len,
	}, NULL, 0);
}

static int record_resize(struct blockdev *dev, u64 size)
{
	struct record_dev *rec = record_dev(dev);
	int ret = blockdev_resize(rec->lower, size);

	if (ret)
		return ret;
	return log_entry(rec, (struct blockdev_log_entry){
		.op = BLOCKDEV_LOG_RESIZE,
		.offset = size,
	}, NULL, 0);
}

static int flush_lower(struct blockdev *dev, int (*flush)(struct blockdev *dev))
{
	struct record_dev *rec = record_dev(dev);
	u64 covers = nr_logged(rec->log);
	int ret = flush(rec->lower);

	if (ret)
		return ret;
	return log_entry(rec, (struct blockdev_log_entry){
		.op = BLOCKDEV_LOG_FLUSH,
		.covers = covers,
	}, NULL, 0);
}

static int record_flush(struct blockdev *dev)
{
	return flush_lower(dev, blockdev_flush);
}

static int record_commit(struct blockdev *dev)
{
	return flush_lower(dev, blockdev_commit);
}

static void record_readahead(struct blockdev *dev, u64 offset, u64 len)
{
	blockdev_readahead(record_dev(dev)->lower, offset, len);
}

static void record_close(struct blockdev *dev)
{
	struct record_dev *rec = record_dev(dev);

	blockdev_close(rec->lower);
	free(rec);
}

static const struct blockdev_ops record_ops = {
	.preadv = record_preadv,
	.readahead = record_readahead,
	.close = record_close,
	.pwritev = record_pwritev,
	.flush = record_flush,
	.discard = record_discard,
	.zero = record_zero,
	.resize = record_resize,
	.commit = record_commit,
};

int blockdev_open_record(struct blockdev *lower, struct blockdev_log *log, unsigned int device,
			 struct blockdev **ret)
{
	struct record_dev *rec;

	if (!blockdev_is_writable(lower))
		return -EROFS;
	rec = calloc(1, sizeof(*rec));
	if (!rec)
		return -ENOMEM;
	rec->dev = (struct blockdev){
		.ops = &record_ops,
		.path = lower->path,
		.size = lower->size,
		.resizable = lower->resizable,
	};
	rec->lower = lower;
	rec->log = log;
	rec->device = device;
	*ret = &rec->dev;
	return 0;
}

/* ---- the log ---- */

static int open_log_file(struct blockdev_log *log, const char *path, bool create)
{
	if (!path)
		log->fd = memfd_create("blockdev-log", MFD_CLOEXEC);
	else if (create)
		log->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	else
		log->fd = open(path, O_RDONLY | O_CLOEXEC);
	return log->fd < 0 ? -errno : 0;
}

/* The entries of a file, up to where it ends or was being written. */
static int read_entries(struct blockdev_log *log)
{
	struct raw_entry raw;
	struct stat st;
	int ret = 0;

	if (fstat(log->fd, &st))
		return -errno;
	while (!ret && pread(log->fd, &raw, sizeof(raw), (off_t)log->pos) == sizeof(raw) &&
	       raw.magic == LOG_MAGIC) {
		struct blockdev_log_entry entry = {
			.op = (enum blockdev_log_op)raw.op,
			.device = raw.device,
			.offset = raw.offset,
			.len = raw.len,
			.covers = raw.covers,
			.pos = log->pos + sizeof(raw),
		};
		u64 data = raw.op == BLOCKDEV_LOG_WRITE ? raw.len : 0;

		if (data > (u64)st.st_size - min(entry.pos, (u64)st.st_size))
			break;
		ret = vec_push_copy(&log->entries, &entry);
		log->pos = entry.pos + data;
	}
	return ret ? ret : log->entries.nr || st.st_size == 0 ? 0 : -EINVAL;
}

static int new_log(const char *path, bool create, struct blockdev_log **ret_log)
{
	struct blockdev_log *log = calloc(1, sizeof(*log));
	int ret;

	if (!log)
		return -ENOMEM;
	pthread_mutex_init(&log->lock, NULL);
	vec_init(&log->entries, sizeof(struct blockdev_log_entry));
	ret = open_log_file(log, path, create);
	if (!ret && !create)
		ret = read_entries(log);
	if (ret)
		blockdev_log_close(log);
	else
		*ret_log = log;
	return ret;
}

int blockdev_log_create(const char *path, struct blockdev_log **ret)
{
	return new_log(path, true, ret);
}

int blockdev_log_open(const char *path, struct blockdev_log **ret)
{
	return new_log(path, false, ret);
}

int blockdev_log_close(struct blockdev_log *log)
{
	int ret = log->err;

	if (log->fd >= 0 && close(log->fd) && !ret)
		ret = -errno;
	vec_free(&log->entries);
	pthread_mutex_destroy(&log->lock);
	free(log);
	return ret;
}

size_t blockdev_log_nr(const struct blockdev_log *log)
{
	return log->entries.nr;
}

const struct blockdev_log_entry *blockdev_log_entry(const struct blockdev_log *log, size_t i)
{
	return vec_at(&log->entries, i);
}

size_t blockdev_log_after_flush(const struct blockdev_log *log, size_t from)
{
	while (from < log->entries.nr && blockdev_log_entry(log, from)->op != BLOCKDEV_LOG_FLUSH)
		from++;
	return from + 1;
}

int blockdev_log_read(const struct blockdev_log *log, const struct blockdev_log_entry *entry,
		      void *buf)
{
	u64 done = 0;

	while (done < entry->len) {
		ssize_t n = pread(log->fd, (char *)buf + done, entry->len - done,
				  (off_t)(entry->pos + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		done += (u64)n;
	}
	return 0;
}

/* ---- replaying ---- */

/* A replay under way. */
struct replay {
	const struct blockdev_log *log;
	const struct blockdev_log_choice *choice;
	struct blockdev *target;
	u64 random;		/* state of the generator */
	unsigned int keep_of_8;	/* how likely a write is kept */
};

/* splitmix64: the same seed, the same image, on every machine. */
static u64 next_random(struct replay *replay)
{
	u64 z = replay->random += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static bool is_kept(struct replay *replay)
{
	switch (replay->choice->keep) {
	case BLOCKDEV_LOG_KEEP_ALL:
		return true;
	case BLOCKDEV_LOG_KEEP_NONE:
		return false;
	default:
		return next_random(replay) % 8 < replay->keep_of_8;
	}
}

/* What of a write reaches the storage, sector by sector when it is torn. */
static int replay_data(struct replay *replay, const struct blockdev_log_entry *entry,
		       const u8 *data, bool durable)
{
	bool torn = !durable && replay->choice->torn &&
		    replay->choice->keep == BLOCKDEV_LOG_KEEP_RANDOM;
	u64 offset = entry->offset, end = entry->offset + entry->len;
	int ret = 0;

	if (!torn)
		return blockdev_pwrite(replay->target, data, entry->len, offset);
	while (!ret && offset < end) {
		u64 len = min(end - offset, REPLAY_SECTOR_BYTES - offset % REPLAY_SECTOR_BYTES);

		if (next_random(replay) % 2)
			ret = blockdev_pwrite(replay->target, data, len, offset);
		data += len;
		offset += len;
	}
	return ret;
}

static int replay_write(struct replay *replay, const struct blockdev_log_entry *entry, bool durable)
{
	void *data = malloc(entry->len ? entry->len : 1);
	int ret = data ? blockdev_log_read(replay->log, entry, data) : -ENOMEM;

	if (!ret)
		ret = replay_data(replay, entry, data, durable);
	free(data);
	return ret;
}

static bool lies_inside(const struct replay *replay, const struct blockdev_log_entry *entry)
{
	u64 end;

	return !__builtin_add_overflow(entry->offset, entry->len, &end) &&
	       end <= blockdev_size(replay->target);
}

static int replay_entry(struct replay *replay, const struct blockdev_log_entry *entry, bool durable)
{
	if (!durable && !is_kept(replay))
		return 0;
	if (entry->op == BLOCKDEV_LOG_RESIZE)
		return blockdev_resize(replay->target, entry->offset);
	if (!lies_inside(replay, entry))
		return 0;
	switch (entry->op) {
	case BLOCKDEV_LOG_WRITE:
		return replay_write(replay, entry, durable);
	case BLOCKDEV_LOG_ZERO:
	case BLOCKDEV_LOG_DISCARD:
		return blockdev_zero(replay->target, entry->offset, entry->len);
	default:
		return -EINVAL;
	}
}

/* The number below which entries of @device are durable after the first @upto. */
static u64 durable_below(const struct blockdev_log *log, unsigned int device, size_t upto)
{
	u64 below = 0;

	for (size_t i = 0; i < upto; i++) {
		const struct blockdev_log_entry *entry = blockdev_log_entry(log, i);

		if (entry->op == BLOCKDEV_LOG_FLUSH && entry->device == device)
			below = max(below, entry->covers);
	}
	return below;
}

int blockdev_log_replay(const struct blockdev_log *log, unsigned int device, size_t upto,
			const struct blockdev_log_choice *choice, struct blockdev *target)
{
	struct replay replay = {
		.log = log,
		.choice = choice,
		.target = target,
		.random = choice->seed,
	};
	u64 durable;
	int ret = 0;

	upto = min(upto, log->entries.nr);
	durable = durable_below(log, device, upto);
	replay.keep_of_8 = (unsigned int)(next_random(&replay) % 9);
	for (size_t i = 0; !ret && i < upto; i++) {
		const struct blockdev_log_entry *entry = blockdev_log_entry(log, i);

		if (entry->device == device && entry->op != BLOCKDEV_LOG_FLUSH)
			ret = replay_entry(&replay, entry, i < durable);
	}
	return ret;
}
