/* SPDX-License-Identifier: GPL-2.0-only */
/* For tests of devices: a folder of their own, images in it, and a model to compare with. */
#ifndef TESTS_BLOCKDEV_TEST_H
#define TESTS_BLOCKDEV_TEST_H

#include "tests/unit/common-unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/blockdev.h"

/* ---- the folder ---- */

static char test_dir[256];

static inline int enter_test_dir(void **state __unused)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(test_dir, sizeof(test_dir), "%s/blockdev-test.XXXXXX", tmp ? tmp : "/tmp");
	return mkdtemp(test_dir) ? chdir(test_dir) : -1;
}

/* Remove what is there.  How many files that were. */
static inline int empty_test_dir(void)
{
	DIR *dir = opendir(".");
	struct dirent *entry;
	int nr = 0;

	while (dir && (entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
			unlink(entry->d_name);
			nr++;
		}
	}
	if (dir)
		closedir(dir);
	return nr;
}

static inline int leave_test_dir(void **state __unused)
{
	empty_test_dir();
	return chdir("/") < 0 ? -1 : rmdir(test_dir);
}

/* ---- content ---- */

static inline void fill_random(u8 *buf, size_t len, u64 seed)
{
	for (size_t i = 0; i < len; i += sizeof(u64)) {
		u64 random = test_random(&seed);

		memcpy(buf + i, &random, min(len - i, sizeof(random)));
	}
}

static inline void write_file(const char *path, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	close(fd);
}

/* The whole file, allocated. */
static inline u8 *read_file(const char *path, size_t *len)
{
	struct stat st;
	u8 *data;
	int fd = open(path, O_RDONLY);

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	*len = (size_t)st.st_size;
	data = malloc(*len + 1);
	assert_non_null(data);
	assert_int_equal(read(fd, data, *len), *len);
	close(fd);
	return data;
}

static inline void assert_file_is(const char *path, const void *want, size_t len)
{
	size_t got_len;
	u8 *got = read_file(path, &got_len);

	assert_int_equal(got_len, len);
	for (size_t i = 0; memcmp(got, want, len) != 0 && i < len; i++) {
		if (got[i] != ((const u8 *)want)[i])
			fail_msg("%s differs at byte %zu", path, i);
	}
	free(got);
}

static inline struct blockdev *open_image(const char *path, unsigned int flags)
{
	struct blockdev *dev;

	assert_int_equal(blockdev_open(path, flags, &dev), 0);
	return dev;
}

/* An image of zero, noise or both by granules of 64 KiB, and its content, allocated. */
static inline u8 *make_image(const char *path, size_t len, u64 seed)
{
	u8 *data = calloc(1, len);

	assert_non_null(data);
	for (size_t at = 0; at < len; at += SZ_64K) {
		if (test_random(&seed) % 3)
			fill_random(data + at, min(len - at, (size_t)SZ_64K), seed + at);
	}
	write_file(path, data, len);
	return data;
}

/* ---- random operations, done to a device and to a model in memory ---- */

struct model {
	u8 *data;
	size_t size;
	size_t max_size;	/* data has room for that much */
	u64 seed;
};

static inline void model_write(struct model *model, struct blockdev *dev, u64 offset, u64 len)
{
	u64 first = len ? test_random(&model->seed) % len : 0;
	struct iovec iov[] = {
		{ .iov_base = model->data + offset, .iov_len = first },
		{ .iov_base = NULL, .iov_len = 0 },
		{ .iov_base = model->data + offset + first, .iov_len = len - first },
	};

	fill_random(model->data + offset, len, test_random(&model->seed));
	assert_int_equal(blockdev_pwritev(dev, iov, ARRAY_SIZE(iov), offset), 0);
}

static inline void model_read(struct model *model, struct blockdev *dev, u64 offset, u64 len)
{
	u8 *buf = malloc(len + 1);
	u64 first = len ? test_random(&model->seed) % len : 0;
	struct iovec iov[] = {
		{ .iov_base = buf, .iov_len = first },
		{ .iov_base = buf + first, .iov_len = len - first },
	};

	assert_non_null(buf);
	assert_int_equal(blockdev_preadv(dev, iov, ARRAY_SIZE(iov), offset), 0);
	assert_memory_equal(buf, model->data + offset, len);
	free(buf);
}

static inline void model_resize(struct model *model, struct blockdev *dev, size_t size)
{
	if (size > model->size)
		memset(model->data + model->size, 0, size - model->size);
	model->size = size;
	assert_int_equal(blockdev_resize(dev, size), 0);
	assert_int_equal(blockdev_size(dev), size);
}

/* One operation of any kind; with @resize also on the size. */
static inline void model_step(struct model *model, struct blockdev *dev, bool resize)
{
	u64 kind = test_random(&model->seed) % 16;
	u64 offset = test_random(&model->seed) % model->size;
	u64 limit = 1ULL << (test_random(&model->seed) % 19);
	u64 len = min(test_random(&model->seed) % limit + 1, model->size - offset);

	if (test_random(&model->seed) % 2) {	/* as file systems do it */
		offset = round_down(offset, (u64)SZ_4K);
		len = min(round_up(len, (u64)SZ_4K), model->size - offset);
	}
	if (kind < 8) {
		model_write(model, dev, offset, len);
	} else if (kind < 10) {
		memset(model->data + offset, 0, len);
		assert_int_equal(blockdev_zero(dev, offset, len), 0);
	} else if (kind == 10) {
		assert_int_equal(blockdev_flush(dev), 0);
	} else if (kind == 11 && resize) {
		model_resize(model, dev, test_random(&model->seed) % model->max_size + 1);
	} else {
		model_read(model, dev, offset, len);
	}
}

#endif
