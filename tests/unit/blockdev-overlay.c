// SPDX-License-Identifier: GPL-2.0-only
/* The overlay reads like what was written, and leaves the lower device alone. */
#include "tests/unit/blockdev-test.h"

#include <pthread.h>

#include "common/blockdev-overlay.h"

static struct blockdev *open_overlay(const char *path)
{
	struct blockdev *dev;

	assert_int_equal(blockdev_open_overlay(open_image(path, BLOCKDEV_RDONLY), &dev), 0);
	return dev;
}

static void random_operations_stay_in_memory(void **state)
{
	size_t size = 2 * SZ_1M + 1234;

	for (u64 seed = 1; seed <= 4; seed++) {
		u8 *before = make_image("image", size, seed);
		struct blockdev *dev = open_overlay("image");
		struct model model = { .size = size, .max_size = 3 * SZ_1M, .seed = seed };

		model.data = calloc(1, model.max_size);
		assert_non_null(model.data);
		memcpy(model.data, before, size);
		for (int i = 0; i < 800; i++)
			model_step(&model, dev, seed > 1);
		model_read(&model, dev, 0, model.size);
		blockdev_close(dev);
		assert_file_is("image", before, size);
		free(model.data);
		free(before);
	}
}

static void what_is_cut_off_does_not_come_back(void **state)
{
	u8 back[3 * SZ_4K], want[3 * SZ_4K];
	struct blockdev *dev;

	memset(want, 'x', sizeof(want));
	write_file("image", want, sizeof(want));
	dev = open_overlay("image");
	assert_int_equal(blockdev_pwrite(dev, "yy", 2, 5000), 0);
	assert_int_equal(blockdev_resize(dev, 100), 0);
	assert_int_equal(blockdev_pwrite(dev, "z", 1, 100), -ENOSPC);
	assert_int_equal(blockdev_resize(dev, sizeof(want)), 0);
	assert_int_equal(blockdev_pread(dev, back, sizeof(back), 0), 0);
	memset(want + 100, 0, sizeof(want) - 100);
	assert_memory_equal(back, want, sizeof(want));
	blockdev_close(dev);
}

static void long_zeros_cost_nothing(void **state)
{
	struct blockdev_overlay_stats stats;
	struct blockdev *lower, *dev;
	u8 buf[SZ_4K];

	unlink("image");
	assert_int_equal(blockdev_create("image", 1ULL << 42, 0, &lower), 0);
	assert_int_equal(blockdev_pwrite(lower, "x", 1, 1ULL << 41), 0);
	assert_int_equal(blockdev_open_overlay(lower, &dev), 0);
	assert_int_equal(blockdev_pwrite(dev, "abc", 3, (1ULL << 41) + SZ_1M), 0);
	assert_int_equal(blockdev_pwrite(dev, "abc", 3, SZ_1M), 0);
	assert_int_equal(blockdev_zero(dev, 0, SZ_1M), 0);
	assert_int_equal(blockdev_discard(dev, 2 * SZ_1M, (1ULL << 42) - 2 * SZ_1M), 0);
	blockdev_overlay_stats(dev, &stats);
	assert_int_equal(stats.bytes_zeroed, (1ULL << 42) - SZ_1M);
	assert_int_equal(stats.bytes_changed, SZ_4K);
	assert_int_equal(stats.bytes_written, 6);
	assert_int_equal(stats.nr_writes, 2);
	assert_int_equal(blockdev_pread(dev, buf, sizeof(buf), 1ULL << 41), 0);
	assert_int_equal(buf[0], 0);
	assert_int_equal(blockdev_pread(dev, buf, 3, SZ_1M), 0);
	assert_memory_equal(buf, "abc", 3);
	/* The gap between the two is closed. */
	assert_int_equal(blockdev_zero(dev, SZ_1M, SZ_1M), 0);
	blockdev_overlay_stats(dev, &stats);
	assert_int_equal(stats.bytes_zeroed, 1ULL << 42);
	assert_int_equal(stats.bytes_changed, 0);
	blockdev_close(dev);
}

/* Each thread has every fourth block: what it reads there is what it wrote. */
struct worker {
	struct blockdev *dev;
	unsigned int nr;
	bool failed;
};

static void *work(void *arg)
{
	struct worker *worker = arg;
	u64 seed = worker->nr;
	u8 data[SZ_16K], back[SZ_16K];

	for (int i = 0; i < 300 && !worker->failed; i++) {
		u64 block = test_random(&seed) % 16 * 4 + worker->nr;
		bool zero = i % 5 == 0;

		fill_random(data, sizeof(data), test_random(&seed));
		if (zero)
			memset(data, 0, sizeof(data));
		worker->failed =
			(zero ? blockdev_zero(worker->dev, block * SZ_16K, SZ_16K) :
				blockdev_pwrite(worker->dev, data, SZ_16K, block * SZ_16K)) ||
			blockdev_pread(worker->dev, back, SZ_16K, block * SZ_16K) ||
			memcmp(data, back, SZ_16K) != 0;
	}
	return NULL;
}

static void threads_do_not_disturb_one_another(void **state)
{
	struct worker workers[4];
	pthread_t threads[4];
	struct blockdev *dev;

	free(make_image("image", SZ_1M, 7));
	dev = open_overlay("image");
	for (unsigned int i = 0; i < 4; i++) {
		workers[i] = (struct worker){ .dev = dev, .nr = i };
		assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	}
	for (unsigned int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		assert_false(workers[i].failed);
	}
	blockdev_close(dev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_operations_stay_in_memory),
		cmocka_unit_test(what_is_cut_off_does_not_come_back),
		cmocka_unit_test(long_zeros_cost_nothing),
		cmocka_unit_test(threads_do_not_disturb_one_another),
	};

	return cmocka_run_group_tests_name("blockdev-overlay", tests, enter_test_dir,
					   leave_test_dir);
}
