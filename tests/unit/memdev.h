/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For tests of what reads devices: a device in memory, and stderr caught in a
 * file, so that messages can be looked at and do not clutter the results.
 */
#ifndef TESTS_MEMDEV_H
#define TESTS_MEMDEV_H

#include "tests/unit/common-unit.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/blockdev.h"

struct memdev {
	struct blockdev dev;
	u8 *data;
	int err;		/* what every read comes back with, if not 0 */
	int write_err;		/* the same for writes and flushes */
	bool yields;		/* every call lets other threads go first */
	unsigned int nr_reads;	/* calls, counted with any number of threads */
	unsigned int nr_writes;
	/* Told of every call that changes something: 'w' or 'f'.  NULL: nobody. */
	void (*event)(struct memdev *mem, char what, u64 offset, u64 len);
};

static inline int memdev_preadv(struct blockdev *dev, const struct iovec *iov, int iovcnt,
				u64 offset)
{
	struct memdev *mem = container_of(dev, struct memdev, dev);

	__atomic_add_fetch(&mem->nr_reads, 1, __ATOMIC_RELAXED);
	if (mem->yields)
		sched_yield();
	for (int i = 0; i < iovcnt && !mem->err; i++) {
		memcpy(iov[i].iov_base, mem->data + offset, iov[i].iov_len);
		offset += iov[i].iov_len;
	}
	return mem->err;
}

static inline int memdev_pwritev(struct blockdev *dev, const struct iovec *iov, int iovcnt,
				 u64 offset)
{
	struct memdev *mem = container_of(dev, struct memdev, dev);
	u64 start = offset;

	__atomic_add_fetch(&mem->nr_writes, 1, __ATOMIC_RELAXED);
	if (mem->yields)
		sched_yield();
	for (int i = 0; i < iovcnt && !mem->write_err; i++) {
		memcpy(mem->data + offset, iov[i].iov_base, iov[i].iov_len);
		offset += iov[i].iov_len;
	}
	if (mem->event && !mem->write_err)
		mem->event(mem, 'w', start, offset - start);
	return mem->write_err;
}

static inline int memdev_flush(struct blockdev *dev)
{
	struct memdev *mem = container_of(dev, struct memdev, dev);

	if (mem->event && !mem->write_err)
		mem->event(mem, 'f', 0, 0);
	return mem->write_err;
}

static inline void memdev_readahead(struct blockdev *dev __unused, u64 offset __unused,
				    u64 len __unused)
{
}

static inline void memdev_close(struct blockdev *dev)
{
	struct memdev *mem = container_of(dev, struct memdev, dev);

	munmap(mem->data, dev->size);
	free(dev->path);
	free(mem);
}

static const struct blockdev_ops memdev_ops = {
	.preadv = memdev_preadv,
	.pwritev = memdev_pwritev,
	.flush = memdev_flush,
	.readahead = memdev_readahead,
	.close = memdev_close,
};

/* All zero; memory is used only where something is written. */
static inline struct memdev *memdev_new(const char *path, u64 size)
{
	struct memdev *mem = calloc(1, sizeof(*mem));

	assert_non_null(mem);
	mem->dev.ops = &memdev_ops;
	mem->dev.size = size;
	mem->dev.path = strdup(path);
	mem->data = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_ptr_not_equal(mem->data, MAP_FAILED);
	return mem;
}

/* ---- what is said on stderr ---- */

struct capture {
	int saved;
	int file;
	char text[4096];	/* filled by capture_end() */
};

static inline void capture_begin(struct capture *capture)
{
	fflush(stderr);
	capture->saved = dup(STDERR_FILENO);
	capture->file = memfd_create("stderr", MFD_CLOEXEC);
	assert_true(capture->file >= 0);
	dup2(capture->file, STDERR_FILENO);
}

static inline void capture_end(struct capture *capture)
{
	ssize_t len;

	fflush(stderr);
	dup2(capture->saved, STDERR_FILENO);
	close(capture->saved);
	len = pread(capture->file, capture->text, sizeof(capture->text) - 1, 0);
	capture->text[len > 0 ? len : 0] = '\0';
	close(capture->file);
}

#define assert_says(capture, words) \
	do { \
		if (!strstr((capture)->text, words)) \
			fail_msg("\"%s\" is not in \"%s\"", words, (capture)->text); \
	} while (0)

#endif
