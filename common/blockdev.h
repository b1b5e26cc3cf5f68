/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one interface to bytes that live on a device or in an image file.
 *
 * Nothing above common/ opens, reads or writes a device by itself: it holds a
 * struct blockdev and calls the functions below.  What is behind it is decided
 * by whoever opened it: a file or block device, or one of those that stand in
 * front of another device, which they take over when they are opened (if that
 * succeeds) and close with themselves:
 *
 *	blockdev-overlay.h	writes stay in memory (--dry-run)
 *	blockdev-undo.h		old content is saved before it is overwritten (--undo)
 *	blockdev-record.h	every write is logged, to be replayed in part (crash tests)
 *	blockdev-faulty.h	chosen calls fail (tests)
 *
 * All functions print nothing.  All may be called from many threads at once,
 * but for close, commit and resize.  What overlapping reads and writes that run at
 * the same time see of each other is undefined.
 */
#ifndef COMMON_BLOCKDEV_H
#define COMMON_BLOCKDEV_H

#include <sys/uio.h>

#include "common/types.h"

struct blockdev;

/*
 * What an implementation provides.  Ranges have been checked and are not empty.
 * Where pwritev is NULL the device is read-only, and nothing below it is called.
 */
struct blockdev_ops {
	/* Read all of @iov from byte @offset on, or a negative errno. */
	int (*preadv)(struct blockdev *dev, const struct iovec *iov, int iovcnt, u64 offset);
	/* Tell that the range will be wanted soon.  Advice only. */
	void (*readahead)(struct blockdev *dev, u64 offset, u64 len);
	void (*close)(struct blockdev *dev);

	int (*pwritev)(struct blockdev *dev, const struct iovec *iov, int iovcnt, u64 offset);
	/* NULL: nothing is ever held back. */
	int (*flush)(struct blockdev *dev);
	/* NULL or -EOPNOTSUPP: it cannot be done. */
	int (*discard)(struct blockdev *dev, u64 offset, u64 len);
	/* NULL or -EOPNOTSUPP: blockdev_zero() writes zeros instead. */
	int (*zero)(struct blockdev *dev, u64 offset, u64 len);
	/* NULL: the size is fixed.  dev->size is set by the caller. */
	int (*resize)(struct blockdev *dev, u64 size);
	/* NULL: nothing is there to be committed. */
	int (*commit)(struct blockdev *dev);
};

/*
 * The part that every implementation starts with.  @size is in bytes and changes
 * by blockdev_resize() only.
 */
struct blockdev {
	const struct blockdev_ops *ops;
	char *path;
	u64 size;
	bool resizable;		/* a regular file, or something in front of one */
};

#define BLOCKDEV_RDONLY		0U
/* Open although somebody else holds the exclusive flock on it.  Not for writing. */
#define BLOCKDEV_NO_LOCK	(1U << 0)
/* Take the BSD lock for us alone, as whoever writes does; a block device is opened O_EXCL. */
#define BLOCKDEV_EXCLUSIVE	(1U << 1)
/* Open for writing; implies BLOCKDEV_EXCLUSIVE. */
#define BLOCKDEV_WRITE		(1U << 2)
/* blockdev_create(): the name appears by blockdev_commit(), or never. */
#define BLOCKDEV_TEMPORARY	(1U << 3)

/*
 * Open the file or block device at @path.  The shared BSD lock that udev and
 * systemd honour, or the exclusive one, is held until blockdev_close().
 *
 * -ENOTBLK: neither a regular file nor a block device.  -EWOULDBLOCK: a writer
 * (for BLOCKDEV_EXCLUSIVE: anybody) holds the lock.  -EBUSY: a block device that
 * should be ours alone is mounted or otherwise in use.  Otherwise what open(2) says.
 */
int blockdev_open(const char *path, unsigned int flags, struct blockdev **ret);

/*
 * Make a new image file of @size bytes, all zero and sparse, and open it for
 * writing.  -EEXIST: @path exists.  @flags: 0 or BLOCKDEV_TEMPORARY.
 *
 * With BLOCKDEV_TEMPORARY the file grows under another name beside @path, gets its
 * name by blockdev_commit(), in one step, and is removed when it is closed before
 * that, or when a signal ends the process (common/temp-file.h).  A regular file
 * that has the name already is then replaced; whether it may be is for the caller to
 * ask.  -EEXIST: @path exists and is something else.
 */
int blockdev_create(const char *path, u64 size, unsigned int flags, struct blockdev **ret);

static inline int blockdev_create_temp(const char *path, u64 size, struct blockdev **ret)
{
	return blockdev_create(path, size, BLOCKDEV_TEMPORARY, ret);
}

/*
 * Flush, and give a file that has a temporary name its own, durably.  The device
 * stays open.  After an error nothing stands under either name, unless only the
 * directory could not be synced.  0 and nothing done for whatever is no such file.
 */
int blockdev_commit(struct blockdev *dev);

/* NULL is fine.  Flushes nothing. */
void blockdev_close(struct blockdev *dev);

static inline u64 blockdev_size(const struct blockdev *dev)
{
	return __atomic_load_n(&dev->size, __ATOMIC_RELAXED);
}

static inline bool blockdev_is_writable(const struct blockdev *dev)
{
	return dev->ops->pwritev != NULL;
}

/* ---- reading: all of it, or a negative errno; -EIO past the end ---- */

int blockdev_preadv(struct blockdev *dev, const struct iovec *iov, int iovcnt, u64 offset);
int blockdev_pread(struct blockdev *dev, void *buf, size_t len, u64 offset);
void blockdev_readahead(struct blockdev *dev, u64 offset, u64 len);

/*
 * ---- writing ----
 *
 * All of it, or a negative errno, after which any part may have been written.
 * -EROFS: the device was not opened for writing.  -ENOSPC: the range ends past the
 * end of the device, and nothing was written (no file grows by a write), or
 * storage ran out below us.
 */

int blockdev_pwritev(struct blockdev *dev, const struct iovec *iov, int iovcnt, u64 offset);
int blockdev_pwrite(struct blockdev *dev, const void *buf, size_t len, u64 offset);

/*
 * What was written before the call is on stable storage afterwards.  A failure
 * means that some of it may be lost for good: every later flush of the device
 * fails as well.
 */
int blockdev_flush(struct blockdev *dev);

/*
 * The content of the range is of no more use.  What is read from it afterwards is
 * undefined.  -EOPNOTSUPP: not possible here, and nothing has changed.
 */
int blockdev_discard(struct blockdev *dev, u64 offset, u64 len);

/* The range reads as zeros afterwards; without writing them where that is possible. */
int blockdev_zero(struct blockdev *dev, u64 offset, u64 len);

/*
 * Make a file longer (by zeros) or shorter.  Nobody else may use the device
 * meanwhile.  -EOPNOTSUPP: a block device.
 */
int blockdev_resize(struct blockdev *dev, u64 size);

#endif
