// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device interface: what is the same for all implementations.  Ranges are
 * checked here, and what an implementation leaves out is answered here.
 */
#include "common/blockdev.h"

#include <errno.h>
#include <stdlib.h>

#include "common/iov.h"

static bool range_inside(const struct blockdev *dev, u64 offset, u64 len)
{
	u64 end;

	return !__builtin_add_overflow(offset, len, &end) && end <= blockdev_size(dev);
}

/* 0, or why [offset, offset + len) cannot be written. */
static int check_write(const struct blockdev *dev, u64 offset, u64 len)
{
	if (!blockdev_is_writable(dev))
		return -EROFS;
	return range_inside(dev, offset, len) ? 0 : -ENOSPC;
}

void blockdev_close(struct blockdev *dev)
{
	if (dev)
		dev->ops->close(dev);
}

int blockdev_preadv(struct blockdev *dev, const struct iovec *iov, int iovcnt, u64 offset)
{
	u64 len = iov_total(iov, iovcnt);

	if (!range_inside(dev, offset, len))
		return -EIO;
	return len ? dev->ops->preadv(dev, iov, iovcnt, offset) : 0;
}

int blockdev_pread(struct blockdev *dev, void *buf, size_t len, u64 offset)
{
	struct iovec iov = { .iov_base = buf, .iov_len = len };

	return blockdev_preadv(dev, &iov, 1, offset);
}

void blockdev_readahead(struct blockdev *dev, u64 offset, u64 len)
{
	u64 size = blockdev_size(dev);

	if (offset < size)
		dev->ops->readahead(dev, offset, min(len, size - offset));
}

int blockdev_pwritev(struct blockdev *dev, const struct iovec *iov, int iovcnt, u64 offset)
{
	u64 len = iov_total(iov, iovcnt);
	int ret = check_write(dev, offset, len);

	if (ret || !len)
		return ret;
	return dev->ops->pwritev(dev, iov, iovcnt, offset);
}

int blockdev_pwrite(struct blockdev *dev, const void *buf, size_t len, u64 offset)
{
	struct iovec iov = { .iov_base = (void *)buf, .iov_len = len };

	return blockdev_pwritev(dev, &iov, 1, offset);
}

int blockdev_flush(struct blockdev *dev)
{
	if (!blockdev_is_writable(dev))
		return -EROFS;
	return dev->ops->flush ? dev->ops->flush(dev) : 0;
}

int blockdev_discard(struct blockdev *dev, u64 offset, u64 len)
{
	int ret = check_write(dev, offset, len);

	if (ret || !len)
		return ret;
	return dev->ops->discard ? dev->ops->discard(dev, offset, len) : -EOPNOTSUPP;
}

static int write_zeros(struct blockdev *dev, u64 offset, u64 len)
{
	/* Never written, so that it takes no memory: all of it is the zero page. */
	void *zeros = calloc(1, SZ_1M);
	int ret = zeros ? 0 : -ENOMEM;

	while (!ret && len > 0) {
		struct iovec iov = { .iov_base = zeros, .iov_len = min_t(u64, len, SZ_1M) };

		ret = dev->ops->pwritev(dev, &iov, 1, offset);
		offset += iov.iov_len;
		len -= iov.iov_len;
	}
	free(zeros);
	return ret;
}

int blockdev_zero(struct blockdev *dev, u64 offset, u64 len)
{
	int ret = check_write(dev, offset, len);

	if (ret || !len)
		return ret;
	if (dev->ops->zero) {
		ret = dev->ops->zero(dev, offset, len);
		if (ret != -EOPNOTSUPP)
			return ret;
	}
	return write_zeros(dev, offset, len);
}

int blockdev_resize(struct blockdev *dev, u64 size)
{
	int ret;

	if (!blockdev_is_writable(dev))
		return -EROFS;
	if (!dev->resizable || !dev->ops->resize)
		return -EOPNOTSUPP;
	if (size == blockdev_size(dev))
		return 0;
	ret = dev->ops->resize(dev, size);
	if (!ret)
		__atomic_store_n(&dev->size, size, __ATOMIC_RELAXED);
	return ret;
}

int blockdev_commit(struct blockdev *dev)
{
	return dev->ops->commit ? dev->ops->commit(dev) : 0;
}
