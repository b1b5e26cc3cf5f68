// SPDX-License-Identifier: GPL-2.0-only
/* What the write recorder logs can be replayed: whole, in part, and not too much of it. */
#include "tests/unit/blockdev-test.h"

#include <pthread.h>

#include "common/blockdev-overlay.h"
#include "common/blockdev-record.h"

#define IMAGE_BYTES (512 * 1024)

static const struct blockdev_log_choice keep_all = { .keep = BLOCKDEV_LOG_KEEP_ALL };
static const struct blockdev_log_choice keep_none = { .keep = BLOCKDEV_LOG_KEEP_NONE };

/* The recorder on an overlay: the image stays the base. */
static struct blockdev *open_recorder(struct blockdev_log *log, unsigned int device)
{
	struct blockdev *overlay, *dev;

	assert_int_equal(blockdev_open_overlay(open_image("image", BLOCKDEV_RDONLY), &overlay), 0);
	assert_int_equal(blockdev_open_record(overlay, log, device, &dev), 0);
	return dev;
}

/* An overlay on the base, with a part of the log in it. */
static struct blockdev *replayed(const struct blockdev_log *log, unsigned int device, size_t upto,
				 const struct blockdev_log_choice *choice)
{
	struct blockdev *dev;

	assert_int_equal(blockdev_open_overlay(open_image("image", BLOCKDEV_RDONLY), &dev), 0);
	assert_int_equal(blockdev_log_replay(log, device, upto, choice, dev), 0);
	return dev;
}

static u8 byte_at(struct blockdev *dev, u64 offset)
{
	u8 byte;

	assert_int_equal(blockdev_pread(dev, &byte, 1, offset), 0);
	return byte;
}

static void all_of_it_is_what_was_written(void **state)
{
	struct model model = { .size = IMAGE_BYTES, .max_size = 2 * IMAGE_BYTES, .seed = 11 };
	struct blockdev_log *log;
	struct blockdev *dev;
	u8 *before = make_image("image", IMAGE_BYTES, 1);

	model.data = calloc(1, model.max_size);
	assert_non_null(model.data);
	memcpy(model.data, before, IMAGE_BYTES);
	assert_int_equal(blockdev_log_create("log", &log), 0);
	dev = open_recorder(log, 0);
	for (int i = 0; i < 300; i++)
		model_step(&model, dev, true);
	blockdev_close(dev);
	assert_int_equal(blockdev_log_close(log), 0);

	assert_int_equal(blockdev_log_open("log", &log), 0);
	assert_true(blockdev_log_nr(log) > 100);
	dev = replayed(log, 0, SIZE_MAX, &keep_all);
	assert_int_equal(blockdev_size(dev), model.size);
	model_read(&model, dev, 0, model.size);
	blockdev_close(dev);
	assert_int_equal(blockdev_log_close(log), 0);
	assert_file_is("image", before, IMAGE_BYTES);
	free(before);
	free(model.data);
}

static void a_flush_makes_durable_what_came_before(void **state)
{
	struct blockdev_log *log;
	struct blockdev *dev;
	size_t first_flush, second_flush;

	write_file("image", (u8[8]){ 0 }, 8);
	assert_int_equal(blockdev_log_create(NULL, &log), 0);
	dev = open_recorder(log, 0);
	assert_int_equal(blockdev_pwrite(dev, "A", 1, 0), 0);
	assert_int_equal(blockdev_flush(dev), 0);
	assert_int_equal(blockdev_pwrite(dev, "B", 1, 1), 0);
	assert_int_equal(blockdev_pwrite(dev, "C", 1, 2), 0);
	assert_int_equal(blockdev_flush(dev), 0);
	blockdev_close(dev);

	first_flush = blockdev_log_after_flush(log, 0);
	second_flush = blockdev_log_after_flush(log, first_flush);
	assert_int_equal(first_flush, 2);
	assert_int_equal(second_flush, 5);
	assert_true(blockdev_log_after_flush(log, second_flush) > blockdev_log_nr(log));

	dev = replayed(log, 0, 1, &keep_none);
	assert_int_equal(byte_at(dev, 0), 0);
	blockdev_close(dev);
	dev = replayed(log, 0, 4, &keep_none);
	assert_int_equal(byte_at(dev, 0), 'A');
	assert_int_equal(byte_at(dev, 1), 0);
	blockdev_close(dev);
	dev = replayed(log, 0, 4, &keep_all);
	assert_int_equal(byte_at(dev, 2), 'C');
	blockdev_close(dev);
	dev = replayed(log, 0, 5, &keep_none);
	assert_int_equal(byte_at(dev, 2), 'C');
	blockdev_close(dev);
	blockdev_log_close(log);
}

/* Of each other's flushes devices have nothing. */
static void devices_are_flushed_one_by_one(void **state)
{
	struct blockdev_log *log;
	struct blockdev *a, *b, *dev;

	write_file("image", (u8[8]){ 0 }, 8);
	assert_int_equal(blockdev_log_create(NULL, &log), 0);
	a = open_recorder(log, 0);
	b = open_recorder(log, 1);
	assert_int_equal(blockdev_pwrite(a, "A", 1, 0), 0);
	assert_int_equal(blockdev_pwrite(b, "B", 1, 0), 0);
	assert_int_equal(blockdev_flush(b), 0);
	blockdev_close(a);
	blockdev_close(b);
	dev = replayed(log, 0, SIZE_MAX, &keep_none);
	assert_int_equal(byte_at(dev, 0), 0);
	blockdev_close(dev);
	dev = replayed(log, 1, SIZE_MAX, &keep_none);
	assert_int_equal(byte_at(dev, 0), 'B');
	blockdev_close(dev);
	blockdev_log_close(log);
}

/* Which of 64 writes arrive goes by the seed, and by nothing else. */
static u64 kept_writes(const struct blockdev_log *log, u64 seed, bool torn)
{
	struct blockdev_log_choice choice = {
		.keep = BLOCKDEV_LOG_KEEP_RANDOM, .seed = seed, .torn = torn };
	struct blockdev *dev = replayed(log, 0, SIZE_MAX, &choice);
	u64 kept = 0;

	for (int i = 0; i < 64; i++) {
		u8 first = byte_at(dev, (u64)i * SZ_4K * 2);
		u8 second = byte_at(dev, (u64)i * SZ_4K * 2 + SZ_4K);

		assert_true(first <= 1 && second <= 1);
		if (!torn)
			assert_int_equal(first, second);
		kept |= (u64)first << i;
	}
	blockdev_close(dev);
	return kept;
}

static void a_seed_chooses_what_arrives(void **state)
{
	u8 data[2 * SZ_4K];
	struct blockdev_log *log;
	struct blockdev *dev;
	u64 different = 0, first = 0;

	memset(data, 1, sizeof(data));
	unlink("image");
	assert_int_equal(blockdev_create("image", IMAGE_BYTES, 0, &dev), 0);
	blockdev_close(dev);
	assert_int_equal(blockdev_log_create(NULL, &log), 0);
	dev = open_recorder(log, 0);
	for (u64 i = 0; i < 64; i++)
		assert_int_equal(blockdev_pwrite(dev, data, sizeof(data), i * sizeof(data)), 0);
	blockdev_close(dev);
	for (u64 seed = 1; seed <= 20; seed++) {
		u64 kept = kept_writes(log, seed, false);

		assert_int_equal(kept, kept_writes(log, seed, false));
		different |= kept ^ (first ? first : kept);
		first = first ? first : kept;
		kept_writes(log, seed, true);
	}
	assert_true(different != 0);
	blockdev_log_close(log);
}

static void a_log_that_was_cut_off_ends_earlier(void **state)
{
	struct blockdev_log *log;
	struct blockdev *dev;
	struct stat st;

	write_file("image", (u8[8]){ 0 }, 8);
	assert_int_equal(blockdev_log_create("log", &log), 0);
	dev = open_recorder(log, 0);
	assert_int_equal(blockdev_pwrite(dev, "AB", 2, 0), 0);
	assert_int_equal(blockdev_pwrite(dev, "CD", 2, 2), 0);
	blockdev_close(dev);
	blockdev_log_close(log);
	assert_int_equal(stat("log", &st), 0);
	assert_int_equal(truncate("log", st.st_size - 1), 0);
	assert_int_equal(blockdev_log_open("log", &log), 0);
	assert_int_equal(blockdev_log_nr(log), 1);
	dev = replayed(log, 0, SIZE_MAX, &keep_all);
	assert_int_equal(byte_at(dev, 1), 'B');
	assert_int_equal(byte_at(dev, 2), 0);
	blockdev_close(dev);
	blockdev_log_close(log);
	assert_int_equal(blockdev_log_open("none", &log), -ENOENT);
	write_file("log", "no log of ours, whatever it is, but long enough for one", 55);
	assert_int_equal(blockdev_log_open("log", &log), -EINVAL);
}

/* What a thread had written when it flushed is there afterwards, whoever wrote meanwhile. */
static void *write_and_flush(void *arg)
{
	struct blockdev *dev = ((void **)arg)[0];
	u64 nr = (u64)(uintptr_t)((void **)arg)[1];

	for (u8 i = 1; i <= 50; i++) {
		if (blockdev_pwrite(dev, &i, 1, nr) || blockdev_flush(dev))
			return dev;
	}
	return NULL;
}

static void threads_are_logged(void **state)
{
	struct blockdev_log *log;
	struct blockdev *dev;
	pthread_t threads[4];
	void *args[4][2], *failed;

	write_file("image", (u8[8]){ 0 }, 8);
	assert_int_equal(blockdev_log_create(NULL, &log), 0);
	dev = open_recorder(log, 0);
	for (uintptr_t i = 0; i < 4; i++) {
		args[i][0] = dev;
		args[i][1] = (void *)i;
		assert_int_equal(pthread_create(&threads[i], NULL, write_and_flush, args[i]), 0);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	blockdev_close(dev);
	assert_int_equal(blockdev_log_nr(log), 400);
	dev = replayed(log, 0, SIZE_MAX, &keep_none);
	for (u64 i = 0; i < 4; i++)
		assert_int_equal(byte_at(dev, i), 50);
	blockdev_close(dev);
	blockdev_log_close(log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_of_it_is_what_was_written),
		cmocka_unit_test(a_flush_makes_durable_what_came_before),
		cmocka_unit_test(devices_are_flushed_one_by_one),
		cmocka_unit_test(a_seed_chooses_what_arrives),
		cmocka_unit_test(a_log_that_was_cut_off_ends_earlier),
		cmocka_unit_test(threads_are_logged),
	};

	return cmocka_run_group_tests_name("blockdev-record", tests, enter_test_dir,
					   leave_test_dir);
}
