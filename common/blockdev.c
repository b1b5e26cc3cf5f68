// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices: the plain one (a file or a block device) and the fault injector that
 * tests put in front of another.  See the header for what callers may expect.
 */
#include "common/blockdev.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

struct file_dev {
	struct blockdev dev;
	int fd;
};

static bool range_inside(const struct blockdev *dev, u64 offset, u64 len)
{
	u64 end;

	return !__builtin_add_overflow(offset, len, &end) && end <= dev->size;
}

static u64 iov_len(const struct iovec *iov, int iovcnt)
{
	u64 len = 0;

	for (int i = 0; i < iovcnt; i++)
		len += iov[i].iov_len;
	return len;
}

/* Finish what preadv() left short, one buffer at a time. */
static int read_rest(int fd, const struct iovec *iov, int iovcnt, u64 offset, u64 done)
{
	for (int i = 0; i < iovcnt; i++) {
		size_t at = 0;

		if (done >= iov[i].iov_len) {
			done -= iov[i].iov_len;
			offset += iov[i].iov_len;
			continue;
		}
		at = done;
		done = 0;
		while (at < iov[i].iov_len) {
			ssize_t n = pread(fd, (char *)iov[i].iov_base + at, iov[i].iov_len - at,
					  (off_t)(offset + at));

			if (n < 0 && errno == EINTR)
				continue;
			if (n < 0)
				return -errno;
			if (n == 0)	/* the image was cut while we read */
				return -EIO;
			at += (size_t)n;
		}
		offset += iov[i].iov_len;
	}
	return 0;
}

static int file_preadv(struct blockdev *dev, const struct iovec *iov, int iovcnt, u64 offset)
{
	struct file_dev *file = container_of(dev, struct file_dev, dev);

	while (iovcnt > 0) {
		int nr = min(iovcnt, IOV_MAX);
		u64 len = iov_len(iov, nr);
		ssize_t n;
		int ret;

		do {
			n = preadv(file->fd, iov, nr, (off_t)offset);
		} while (n < 0 && errno == EINTR);
		if (n < 0)
			return -errno;
		if ((u64)n < len) {
			ret = read_rest(file->fd, iov, nr, offset, (u64)n);
			if (ret)
				return ret;
		}
		offset += len;
		iov += nr;
		iovcnt -= nr;
	}
	return 0;
}

static void file_readahead(struct blockdev *dev, u64 offset, u64 len)
{
	struct file_dev *file = container_of(dev, struct file_dev, dev);

	posix_fadvise(file->fd, (off_t)offset, (off_t)len, POSIX_FADV_WILLNEED);
}

static void file_close(struct blockdev *dev)
{
	struct file_dev *file = container_of(dev, struct file_dev, dev);

	close(file->fd);
	free(dev->path);
	free(file);
}

static const struct blockdev_ops file_ops = {
	.preadv = file_preadv,
	.readahead = file_readahead,
	.close = file_close,
};

static int file_size(int fd, u64 *size)
{
	struct stat st;
	uint64_t bytes;

	if (fstat(fd, &st))
		return -errno;
	if (S_ISREG(st.st_mode)) {
		*size = (u64)st.st_size;
		return 0;
	}
	if (!S_ISBLK(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -ENOTBLK;
	if (ioctl(fd, BLKGETSIZE64, &bytes))
		return -errno;
	*size = bytes;
	return 0;
}

int blockdev_open(const char *path, unsigned int flags, struct blockdev **ret_dev)
{
	int open_flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
	struct file_dev *file;
	struct stat st;
	int ret;

	/* For a regular file O_EXCL alone has no meaning. */
	if ((flags & BLOCKDEV_EXCLUSIVE) && stat(path, &st) == 0 && S_ISBLK(st.st_mode))
		open_flags |= O_EXCL;
	file = calloc(1, sizeof(*file));
	if (!file)
		return -ENOMEM;
	file->dev.ops = &file_ops;
	/* O_NONBLOCK: a fifo given by mistake must not hang us. */
	file->fd = open(path, open_flags);
	if (file->fd < 0) {
		ret = -errno;
		goto out_free;
	}
	ret = file_size(file->fd, &file->dev.size);
	if (ret)
		goto out_close;
	/* Some media know no locks; only a lock that is held stops us. */
	if (!(flags & BLOCKDEV_NO_LOCK) &&
	    flock(file->fd, (flags & BLOCKDEV_EXCLUSIVE ? LOCK_EX : LOCK_SH) | LOCK_NB) &&
	    errno == EWOULDBLOCK) {
		ret = -EWOULDBLOCK;
		goto out_close;
	}
	file->dev.path = strdup(path);
	if (!file->dev.path) {
		ret = -ENOMEM;
		goto out_close;
	}
	*ret_dev = &file->dev;
	return 0;

out_close:
	close(file->fd);
out_free:
	free(file);
	return ret;
}

struct faulty_dev {
	struct blockdev dev;
	struct blockdev *lower;
	u64 start;
	u64 len;
	int err;
};

static void invert_overlap(const struct faulty_dev *faulty, const struct iovec *iov, int iovcnt,
			   u64 offset)
{
	u64 bad_end = faulty->start + faulty->len;

	for (int i = 0; i < iovcnt; offset += iov[i].iov_len, i++) {
		u64 from = max(offset, faulty->start);
		u64 to = min(offset + iov[i].iov_len, bad_end);

		for (u64 at = from; at < to; at++)
			((u8 *)iov[i].iov_base)[at - offset] ^= 0xff;
	}
}

static int faulty_preadv(struct blockdev *dev, const struct iovec *iov, int iovcnt, u64 offset)
{
	struct faulty_dev *faulty = container_of(dev, struct faulty_dev, dev);
	u64 len = iov_len(iov, iovcnt);
	bool hit = offset < faulty->start + faulty->len && faulty->start < offset + len;
	int ret;

	if (hit && faulty->err)
		return faulty->err;
	ret = blockdev_preadv(faulty->lower, iov, iovcnt, offset);
	if (!ret && hit)
		invert_overlap(faulty, iov, iovcnt, offset);
	return ret;
}

static void faulty_readahead(struct blockdev *dev, u64 offset, u64 len)
{
	blockdev_readahead(container_of(dev, struct faulty_dev, dev)->lower, offset, len);
}

static void faulty_close(struct blockdev *dev)
{
	struct faulty_dev *faulty = container_of(dev, struct faulty_dev, dev);

	blockdev_close(faulty->lower);
	free(faulty);
}

static const struct blockdev_ops faulty_ops = {
	.preadv = faulty_preadv,
	.readahead = faulty_readahead,
	.close = faulty_close,
};

int blockdev_open_faulty(struct blockdev *lower, u64 start, u64 len, int err,
			 struct blockdev **ret)
{
	struct faulty_dev *faulty = calloc(1, sizeof(*faulty));

	if (!faulty)
		return -ENOMEM;
	faulty->dev.ops = &faulty_ops;
	faulty->dev.path = lower->path;
	faulty->dev.size = lower->size;
	faulty->lower = lower;
	faulty->start = start;
	faulty->len = len;
	faulty->err = err;
	*ret = &faulty->dev;
	return 0;
}

void blockdev_close(struct blockdev *dev)
{
	if (dev)
		dev->ops->close(dev);
}

int blockdev_preadv(struct blockdev *dev, const struct iovec *iov, int iovcnt, u64 offset)
{
	if (!range_inside(dev, offset, iov_len(iov, iovcnt)))
		return -EIO;
	return dev->ops->preadv(dev, iov, iovcnt, offset);
}

int blockdev_pread(struct blockdev *dev, void *buf, size_t len, u64 offset)
{
	struct iovec iov = { .iov_base = buf, .iov_len = len };

	return blockdev_preadv(dev, &iov, 1, offset);
}

void blockdev_readahead(struct blockdev *dev, u64 offset, u64 len)
{
	if (offset < dev->size)
		dev->ops->readahead(dev, offset, min(len, dev->size - offset));
}
