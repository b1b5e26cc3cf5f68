/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one interface to bytes that live on a device or in an image file.
 *
 * Nothing above common/ opens, reads or writes a device by itself: it holds a
 * struct blockdev and calls the functions below.  What is behind it is decided
 * by whoever opened it: a file or block device, a fault injector around
 * another device, and whatever else learns to answer the same calls.
 */
#ifndef COMMON_BLOCKDEV_H
#define COMMON_BLOCKDEV_H

#include <sys/uio.h>

#include "common/types.h"

struct blockdev;

struct blockdev_ops {
	/*
	 * Read all of @iov from byte @offset on.  0 or negative errno; a read
	 * that ends past the end of the device is -EIO and fills nothing that
	 * the caller may rely on.  Safe to call from many threads.
	 */
	int (*preadv)(struct blockdev *dev, const struct iovec *iov, int iovcnt, u64 offset);
	/* Tell that the range will be wanted soon.  Advice only. */
	void (*readahead)(struct blockdev *dev, u64 offset, u64 len);
	void (*close)(struct blockdev *dev);
};

/*
 * The part that every implementation starts with.  @size is in bytes and does
 * not change while the device is open.
 */
struct blockdev {
	const struct blockdev_ops *ops;
	char *path;
	u64 size;
};

#define BLOCKDEV_RDONLY		0U
/* Open although somebody else holds the exclusive flock on it. */
#define BLOCKDEV_NO_LOCK	(1U << 0)
/* Take the BSD lock for us alone, as whoever writes does; a block device is opened O_EXCL. */
#define BLOCKDEV_EXCLUSIVE	(1U << 1)

/*
 * Open the file or block device at @path.  The shared BSD lock that udev and
 * systemd honour is held until blockdev_close().
 *
 * -ENOTBLK: neither a regular file nor a block device.  -EWOULDBLOCK: a writer
 * (for BLOCKDEV_EXCLUSIVE: anybody) holds the lock.  Otherwise what open(2) says.  Nothing is printed.
 */
int blockdev_open(const char *path, unsigned int flags, struct blockdev **ret);

/*
 * Wrap @lower so that reads of the bytes [start, start + len) fail with
 * @err (negative errno), or, with @err 0, come back with every bit inverted.
 * Takes over @lower: closing the result closes it.
 */
int blockdev_open_faulty(struct blockdev *lower, u64 start, u64 len, int err,
			 struct blockdev **ret);

void blockdev_close(struct blockdev *dev);

int blockdev_preadv(struct blockdev *dev, const struct iovec *iov, int iovcnt, u64 offset);
int blockdev_pread(struct blockdev *dev, void *buf, size_t len, u64 offset);
void blockdev_readahead(struct blockdev *dev, u64 offset, u64 len);

#endif
