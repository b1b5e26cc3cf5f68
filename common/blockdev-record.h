/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device that logs every write, in front of another, and the replay of such a
 * log: for crash tests.
 *
 * The log holds what a crash leaves open: writes in the order in which they were
 * completed, and for each flush, which of them it made durable.  From a base image
 * and a log, the image after a crash at any moment is built again: all writes that
 * a flush before that moment covers, and of the others any subset.
 *
 *	for (size_t at = 0; at <= nr; at = blockdev_log_after_flush(log, at))
 *		for (seed = 1; seed <= 5; seed++)
 *			a copy of the base, or an overlay on it, as target
 *			blockdev_log_replay(log, 0, at, &choice, target)
 *			is it whole?
 *
 * One log may take the writes of several devices; their common order is kept.
 */
#ifndef COMMON_BLOCKDEV_RECORD_H
#define COMMON_BLOCKDEV_RECORD_H

#include "common/blockdev.h"

enum blockdev_log_op {
	BLOCKDEV_LOG_WRITE = 1,
	BLOCKDEV_LOG_ZERO,
	BLOCKDEV_LOG_DISCARD,
	BLOCKDEV_LOG_RESIZE,	/* offset: the new size */
	BLOCKDEV_LOG_FLUSH,
};

struct blockdev_log_entry {
	enum blockdev_log_op op;
	unsigned int device;
	u64 offset;
	u64 len;
	u64 covers;	/* FLUSH: entries of its device below this number are durable */
	u64 pos;	/* of the data of a WRITE, in the log's file */
};

struct blockdev_log;

/*
 * A new log, in the file @path, which is replaced, or in memory when @path is NULL.
 * A log in a file survives the process, to be opened by another.
 */
int blockdev_log_create(const char *path, struct blockdev_log **ret);

/* For reading.  What a killed process wrote in part is left out.  -EINVAL: no log. */
int blockdev_log_open(const char *path, struct blockdev_log **ret);

/* The first error of logging, if there was one.  @log is gone. */
int blockdev_log_close(struct blockdev_log *log);

/*
 * Wrap @lower, which is taken over, as device number @device of @log, which must live
 * longer.  To leave the image alone, let @lower be an overlay.
 */
int blockdev_open_record(struct blockdev *lower, struct blockdev_log *log, unsigned int device,
			 struct blockdev **ret);

/* ---- replaying, when nobody writes to the log any more ---- */

size_t blockdev_log_nr(const struct blockdev_log *log);
const struct blockdev_log_entry *blockdev_log_entry(const struct blockdev_log *log, size_t i);

/* The number of entries up to the next flush from @from on, included; nr + 1: there is none. */
size_t blockdev_log_after_flush(const struct blockdev_log *log, size_t from);

/* The data of a WRITE into @buf, of entry->len bytes. */
int blockdev_log_read(const struct blockdev_log *log, const struct blockdev_log_entry *entry,
		      void *buf);

enum blockdev_log_keep {
	BLOCKDEV_LOG_KEEP_ALL,
	BLOCKDEV_LOG_KEEP_NONE,
	BLOCKDEV_LOG_KEEP_RANDOM,	/* by seed; the share that is kept varies, too */
};

/* What becomes of writes that no flush covers. */
struct blockdev_log_choice {
	enum blockdev_log_keep keep;
	u64 seed;
	bool torn;	/* with KEEP_RANDOM: of a write, too, some sectors of 4 KiB only */
};

/*
 * Write to @target, which has the content of the base, what device @device has on
 * storage after a crash behind the first @upto entries.  What lies past the end
 * of @target, because a resize was not kept, is left out.  0 or negative errno.
 */
int blockdev_log_replay(const struct blockdev_log *log, unsigned int device, size_t upto,
			const struct blockdev_log_choice *choice, struct blockdev *target);

#endif
