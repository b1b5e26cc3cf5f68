// SPDX-License-Identifier: GPL-2.0-only
/*
 * The plain device: a regular file or a block device.  Reads and writes go through
 * the page cache, so they need no alignment; a flush is fdatasync(2).
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

#include "common/iov.h"
#include "common/temp-file.h"

struct file_dev {
	struct blockdev dev;
	int fd;
	int flush_err;		/* of a flush that failed; atomic */
	struct temp_file *temp;	/* until the commit */
	char *target;		/* what it will be called then */
};

static struct file_dev *file_dev(struct blockdev *dev)
{
	return container_of(dev, struct file_dev, dev);
}

/* ---- reading and writing ---- */

static ssize_t transfer_once(int fd, bool write, const struct iovec *iov, int nr, u64 offset)
{
	ssize_t n;

	do {
		n = write ? pwritev(fd, iov, nr, (off_t)offset) :
			    preadv(fd, iov, nr, (off_t)offset);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* Finish what was left short after @done bytes, one buffer at a time. */
static int transfer_rest(int fd, bool write, const struct iovec *iov, int nr, u64 offset, u64 done)
{
	struct iov_cursor cursor = { .iov = iov };
	u64 left = iov_total(iov, nr) - done;

	iov_skip(&cursor, done);
	offset += done;
	while (left > 0) {
		u64 len = left;
		struct iovec piece = { .iov_base = iov_next(&cursor, &len), .iov_len = len };

		left -= len;
		while (piece.iov_len > 0) {
			ssize_t n = transfer_once(fd, write, &piece, 1, offset);

			if (n < 0)
				return (int)n;
			if (n == 0)	/* the image was cut while we read */
				return write ? -ENOSPC : -EIO;
			piece.iov_base = (char *)piece.iov_base + n;
			piece.iov_len -= (size_t)n;
			offset += (u64)n;
		}
	}
	return 0;
}

static int transfer(int fd, bool write, const struct iovec *iov, int iovcnt, u64 offset)
{
	while (iovcnt > 0) {
		int nr = min(iovcnt, IOV_MAX);
		u64 len = iov_total(iov, nr);
		ssize_t n = transfer_once(fd, write, iov, nr, offset);
		int ret = n < 0 ? (int)n : 0;

		if (!ret && (u64)n < len)
			ret = transfer_rest(fd, write, iov, nr, offset, (u64)n);
		if (ret)
			return ret;
		offset += len;
		iov += nr;
		iovcnt -= nr;
	}
	return 0;
}

static int file_preadv(struct blockdev *dev, const struct iovec *iov, int iovcnt, u64 offset)
{
	return transfer(file_dev(dev)->fd, false, iov, iovcnt, offset);
}

static int file_pwritev(struct blockdev *dev, const struct iovec *iov, int iovcnt, u64 offset)
{
	return transfer(file_dev(dev)->fd, true, iov, iovcnt, offset);
}

static void file_readahead(struct blockdev *dev, u64 offset, u64 len)
{
	posix_fadvise(file_dev(dev)->fd, (off_t)offset, (off_t)len, POSIX_FADV_WILLNEED);
}

/*
 * After a failure the kernel has dropped what it could not write, and forgets
 * the error once it was told: the next fdatasync() would succeed.
 */
static int file_flush(struct blockdev *dev)
{
	struct file_dev *file = file_dev(dev);
	int err = __atomic_load_n(&file->flush_err, __ATOMIC_RELAXED);

	while (!err && fdatasync(file->fd)) {
		if (errno == EINTR)
			continue;
		err = -errno;
		__atomic_store_n(&file->flush_err, err, __ATOMIC_RELAXED);
	}
	return err;
}

/* ---- ranges ---- */

/* What fallocate() says where a file system has no such thing. */
static bool means_unsupported(int err)
{
	return err == EOPNOTSUPP || err == ENOSYS || err == ENOTTY || err == EINVAL;
}

static int file_fallocate(struct file_dev *file, int mode, u64 offset, u64 len)
{
	while (fallocate(file->fd, mode, (off_t)offset, (off_t)len)) {
		if (errno == EINTR)
			continue;
		return means_unsupported(errno) ? -EOPNOTSUPP : -errno;
	}
	return 0;
}

static int file_discard(struct blockdev *dev, u64 offset, u64 len)
{
	return file_fallocate(file_dev(dev), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset,
			      len);
}

/* A hole is the cheapest zero.  Some file systems have only one of the two. */
static int file_zero(struct blockdev *dev, u64 offset, u64 len)
{
	int ret = file_discard(dev, offset, len);

	if (ret == -EOPNOTSUPP)
		ret = file_fallocate(file_dev(dev), FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
				     offset, len);
	return ret;
}

static int file_resize(struct blockdev *dev, u64 size)
{
	if (size > INT64_MAX)
		return -EFBIG;
	while (ftruncate(file_dev(dev)->fd, (off_t)size)) {
		if (errno != EINTR)
			return -errno;
	}
	return 0;
}

static int range_ioctl(int fd, unsigned long request, u64 offset, u64 len)
{
	uint64_t range[2] = { offset, len };

	if (ioctl(fd, request, range))
		return means_unsupported(errno) ? -EOPNOTSUPP : -errno;
	return 0;
}

/* Whole sectors of the device only: what is cut off stays, as it may. */
static int disk_discard(struct blockdev *dev, u64 offset, u64 len)
{
	int fd = file_dev(dev)->fd;
	int sector_bytes = 0;
	u64 start, end;

	if (ioctl(fd, BLKSSZGET, &sector_bytes) || sector_bytes <= 0)
		return -EOPNOTSUPP;
	start = round_up(offset, (u64)sector_bytes);
	end = round_down(offset + len, (u64)sector_bytes);
	return start < end ? range_ioctl(fd, BLKDISCARD, start, end - start) : 0;
}

/* A range that is not made of whole sectors is refused by the kernel, and written. */
static int disk_zero(struct blockdev *dev, u64 offset, u64 len)
{
	return range_ioctl(file_dev(dev)->fd, BLKZEROOUT, offset, len);
}

/* ---- the end ---- */

static int file_commit(struct blockdev *dev)
{
	struct file_dev *file = file_dev(dev);
	int ret;

	if (!file->temp)
		return 0;
	ret = file_flush(dev);
	if (ret) {
		temp_file_discard(file->temp);
		file->temp = NULL;
		return ret;
	}
	ret = temp_file_commit(file->temp);
	file->temp = NULL;
	return ret ? ret : temp_file_sync_directory(file->target);
}

static void file_close(struct blockdev *dev)
{
	struct file_dev *file = file_dev(dev);

	temp_file_discard(file->temp);
	if (file->fd >= 0)
		close(file->fd);
	free(file->target);
	free(dev->path);
	free(file);
}

static const struct blockdev_ops readonly_ops = {
	.preadv = file_preadv,
	.readahead = file_readahead,
	.close = file_close,
};

static const struct blockdev_ops file_ops = {
	.preadv = file_preadv,
	.readahead = file_readahead,
	.close = file_close,
	.pwritev = file_pwritev,
	.flush = file_flush,
	.discard = file_discard,
	.zero = file_zero,
	.resize = file_resize,
	.commit = file_commit,
};

static const struct blockdev_ops disk_ops = {
	.preadv = file_preadv,
	.readahead = file_readahead,
	.close = file_close,
	.pwritev = file_pwritev,
	.flush = file_flush,
	.discard = disk_discard,
	.zero = disk_zero,
};

/* ---- opening ---- */

static struct file_dev *new_file_dev(const char *path)
{
	struct file_dev *file = calloc(1, sizeof(*file));

	if (!file)
		return NULL;
	file->fd = -1;
	file->dev.ops = &readonly_ops;
	file->dev.path = strdup(path);
	if (!file->dev.path) {
		free(file);
		return NULL;
	}
	return file;
}

/* What is open, how large it is, and what can be done with it. */
static int look_at_file(struct file_dev *file, bool writable)
{
	struct blockdev *dev = &file->dev;
	struct stat st;
	uint64_t bytes;

	if (fstat(file->fd, &st))
		return -errno;
	if (S_ISREG(st.st_mode)) {
		dev->size = (u64)st.st_size;
		dev->resizable = true;
		dev->ops = writable ? &file_ops : &readonly_ops;
		return 0;
	}
	if (!S_ISBLK(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -ENOTBLK;
	if (ioctl(file->fd, BLKGETSIZE64, &bytes))
		return -errno;
	dev->size = bytes;
	dev->ops = writable ? &disk_ops : &readonly_ops;
	return 0;
}

/* Some media know no locks; only a lock that is held stops us. */
static int lock_file(const struct file_dev *file, bool exclusive)
{
	if (flock(file->fd, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) && errno == EWOULDBLOCK)
		return -EWOULDBLOCK;
	return 0;
}

int blockdev_open(const char *path, unsigned int flags, struct blockdev **ret_dev)
{
	bool writable = flags & BLOCKDEV_WRITE;
	bool exclusive = flags & (BLOCKDEV_EXCLUSIVE | BLOCKDEV_WRITE);
	/* O_NONBLOCK: a fifo given by mistake must not hang us. */
	int open_flags = O_CLOEXEC | O_NONBLOCK | (writable ? O_RDWR : O_RDONLY);
	struct file_dev *file;
	struct stat st;
	int ret;

	if (writable && (flags & BLOCKDEV_NO_LOCK))
		return -EINVAL;
	/* For a regular file O_EXCL alone has no meaning. */
	if (exclusive && stat(path, &st) == 0 && S_ISBLK(st.st_mode))
		open_flags |= O_EXCL;
	file = new_file_dev(path);
	if (!file)
		return -ENOMEM;
	file->fd = open(path, open_flags);
	ret = file->fd < 0 ? -errno : look_at_file(file, writable);
	if (!ret && !(flags & BLOCKDEV_NO_LOCK))
		ret = lock_file(file, exclusive);
	if (ret)
		file_close(&file->dev);
	else
		*ret_dev = &file->dev;
	return ret;
}

/* The descriptor, or a negative errno. */
static int create_file(struct file_dev *file, const char *path, bool temporary)
{
	int ret;

	if (!temporary) {
		ret = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
		return ret < 0 ? -errno : ret;
	}
	ret = temp_file_target(path, &file->target);
	return ret ? ret : temp_file_create(file->target, O_RDWR, &file->temp);
}

int blockdev_create(const char *path, u64 size, unsigned int flags, struct blockdev **ret_dev)
{
	bool temporary = flags & BLOCKDEV_TEMPORARY;
	struct file_dev *file;
	int ret;

	if (flags & ~BLOCKDEV_TEMPORARY)
		return -EINVAL;
	file = new_file_dev(path);
	if (!file)
		return -ENOMEM;
	ret = create_file(file, path, temporary);
	if (ret < 0)
		goto out_close;
	file->fd = ret;
	ret = lock_file(file, true);
	if (!ret)
		ret = look_at_file(file, true);
	if (!ret)
		ret = blockdev_resize(&file->dev, size);
	if (ret)
		goto out_unlink;
	*ret_dev = &file->dev;
	return 0;

out_unlink:
	if (!temporary)
		unlink(path);
out_close:
	file_close(&file->dev);
	return ret;
}
