// SPDX-License-Identifier: GPL-2.0-only
/* The plain device and the fault injector: reading, writing, and what is refused. */
#include "tests/unit/blockdev-test.h"

#include <signal.h>
#include <sys/wait.h>

#include "common/blockdev-faulty.h"

#define IMAGE_BYTES (1 << 20)

/* ---- writing ---- */

static void random_operations_are_those_of_an_array(void **state)
{
	struct model model = { .size = IMAGE_BYTES + 777, .max_size = 2 * IMAGE_BYTES, .seed = 1 };
	struct blockdev *dev;

	model.data = calloc(1, model.max_size);
	assert_non_null(model.data);
	assert_int_equal(blockdev_create("image", model.size, 0, &dev), 0);
	for (int i = 0; i < 600; i++)
		model_step(&model, dev, true);
	model_read(&model, dev, 0, model.size);
	blockdev_close(dev);
	assert_file_is("image", model.data, model.size);
	free(model.data);
}

static void nothing_is_written_past_the_end(void **state)
{
	u8 data[100] = { 1 };
	struct blockdev *dev;

	write_file("image", data, sizeof(data));
	dev = open_image("image", BLOCKDEV_WRITE);
	assert_int_equal(blockdev_pwrite(dev, data, 50, 51), -ENOSPC);
	assert_int_equal(blockdev_pwrite(dev, data, 1, UINT64_MAX), -ENOSPC);
	assert_int_equal(blockdev_pwrite(dev, data, 2, UINT64_MAX - 1), -ENOSPC);
	assert_int_equal(blockdev_zero(dev, 0, 101), -ENOSPC);
	assert_int_equal(blockdev_discard(dev, 100, 1), -ENOSPC);
	assert_int_equal(blockdev_pread(dev, data, 1, 100), -EIO);
	assert_int_equal(blockdev_pwrite(dev, data, 0, 100), 0);
	blockdev_close(dev);
	assert_file_is("image", data, sizeof(data));
}

static void a_device_for_reading_is_not_written(void **state)
{
	u8 data[100] = { 1 };
	struct blockdev *dev;

	write_file("image", data, sizeof(data));
	dev = open_image("image", BLOCKDEV_EXCLUSIVE);
	assert_false(blockdev_is_writable(dev));
	assert_int_equal(blockdev_pwrite(dev, data, 1, 0), -EROFS);
	assert_int_equal(blockdev_zero(dev, 0, 1), -EROFS);
	assert_int_equal(blockdev_discard(dev, 0, 1), -EROFS);
	assert_int_equal(blockdev_resize(dev, 50), -EROFS);
	assert_int_equal(blockdev_flush(dev), -EROFS);
	blockdev_close(dev);
	assert_file_is("image", data, sizeof(data));
}

/* More buffers than one system call takes. */
static void many_buffers_are_written_and_read(void **state)
{
	enum { NR = 3000 };
	static struct iovec iov[NR];
	u8 *data = malloc(NR * 7), *back = calloc(1, NR * 7);
	struct blockdev *dev;

	assert_true(data && back);
	fill_random(data, NR * 7, 5);
	empty_test_dir();
	assert_int_equal(blockdev_create("image", NR * 7 + 3, 0, &dev), 0);
	for (int i = 0; i < NR; i++)
		iov[i] = (struct iovec){ .iov_base = data + i * 7, .iov_len = 7 };
	assert_int_equal(blockdev_pwritev(dev, iov, NR, 3), 0);
	for (int i = 0; i < NR; i++)
		iov[i].iov_base = back + i * 7;
	assert_int_equal(blockdev_preadv(dev, iov, NR, 3), 0);
	assert_memory_equal(data, back, NR * 7);
	blockdev_close(dev);
	free(data);
	free(back);
}

static void zeros_and_discards_free_space(void **state)
{
	struct stat before, after;
	u8 *data = make_image("image", IMAGE_BYTES, 3);
	struct blockdev *dev;

	fill_random(data, IMAGE_BYTES, 4);
	write_file("image", data, IMAGE_BYTES);
	dev = open_image("image", BLOCKDEV_WRITE);
	assert_int_equal(blockdev_flush(dev), 0);
	assert_int_equal(stat("image", &before), 0);
	assert_int_equal(blockdev_zero(dev, SZ_64K, SZ_128K), 0);
	if (blockdev_discard(dev, 512 * 1024, SZ_128K) == 0)
		memset(data + 512 * 1024, 0, SZ_128K);
	memset(data + SZ_64K, 0, SZ_128K);
	assert_int_equal(blockdev_flush(dev), 0);
	blockdev_close(dev);
	assert_file_is("image", data, IMAGE_BYTES);
	assert_int_equal(stat("image", &after), 0);
	assert_true(after.st_blocks <= before.st_blocks);
	free(data);
}

/* ---- opening ---- */

static void locks_are_those_of_readers_and_writers(void **state)
{
	struct blockdev *writer, *reader, *other;

	write_file("image", "abc", 3);
	writer = open_image("image", BLOCKDEV_WRITE);
	assert_int_equal(blockdev_open("image", BLOCKDEV_WRITE, &other), -EWOULDBLOCK);
	assert_int_equal(blockdev_open("image", BLOCKDEV_RDONLY, &other), -EWOULDBLOCK);
	other = open_image("image", BLOCKDEV_NO_LOCK);
	blockdev_close(other);
	blockdev_close(writer);
	reader = open_image("image", BLOCKDEV_RDONLY);
	other = open_image("image", BLOCKDEV_RDONLY);
	assert_int_equal(blockdev_open("image", BLOCKDEV_WRITE, &writer), -EWOULDBLOCK);
	blockdev_close(other);
	blockdev_close(reader);
	assert_int_equal(blockdev_open("image", BLOCKDEV_WRITE | BLOCKDEV_NO_LOCK, &other),
			 -EINVAL);
}

static void what_is_no_device_is_refused(void **state)
{
	struct blockdev *dev;

	empty_test_dir();
	assert_int_equal(blockdev_open("none", BLOCKDEV_WRITE, &dev), -ENOENT);
	assert_int_equal(blockdev_open(".", BLOCKDEV_RDONLY, &dev), -EISDIR);
	assert_int_equal(blockdev_open(".", BLOCKDEV_WRITE, &dev), -EISDIR);
	assert_int_equal(blockdev_open("/dev/null", BLOCKDEV_WRITE, &dev), -ENOTBLK);
	assert_int_equal(mkfifo("fifo", 0600), 0);
	assert_int_equal(blockdev_open("fifo", BLOCKDEV_WRITE, &dev), -ENOTBLK);
	assert_int_equal(blockdev_open("fifo", BLOCKDEV_RDONLY, &dev), -ENOTBLK);
	assert_int_equal(blockdev_create_temp("fifo", 1, &dev), -EEXIST);
	assert_int_equal(blockdev_create("fifo", 1, 0, &dev), -EEXIST);
	assert_int_equal(blockdev_create("none/image", 1, 0, &dev), -ENOENT);
	assert_int_equal(blockdev_create("image", 1, BLOCKDEV_NO_LOCK, &dev), -EINVAL);
	assert_int_equal(blockdev_create("image", UINT64_MAX, 0, &dev), -EFBIG);
	assert_int_equal(empty_test_dir(), 1);
}

/* ---- temporary names ---- */

static void commit_gives_the_image_its_name(void **state)
{
	struct blockdev *dev;

	empty_test_dir();
	assert_int_equal(blockdev_create_temp("image", 3, &dev), 0);
	assert_string_equal(dev->path, "image");
	assert_int_equal(access("image", F_OK), -1);
	assert_int_equal(blockdev_pwrite(dev, "abc", 3, 0), 0);
	assert_int_equal(blockdev_commit(dev), 0);
	assert_file_is("image", "abc", 3);
	/* It is still open, and a second commit has nothing to do. */
	assert_int_equal(blockdev_pwrite(dev, "x", 1, 1), 0);
	assert_int_equal(blockdev_commit(dev), 0);
	blockdev_close(dev);
	assert_file_is("image", "axc", 3);

	/* The older file stays until then. */
	assert_int_equal(blockdev_create_temp("image", 2, &dev), 0);
	assert_file_is("image", "axc", 3);
	blockdev_close(dev);
	assert_file_is("image", "axc", 3);
	assert_int_equal(empty_test_dir(), 1);
}

static void a_failed_commit_leaves_nothing(void **state)
{
	struct blockdev *dev;

	empty_test_dir();
	assert_int_equal(blockdev_create_temp("image", 3, &dev), 0);
	assert_int_equal(mkdir("image", 0700), 0);
	assert_int_equal(blockdev_commit(dev), -EISDIR);
	blockdev_close(dev);
	assert_int_equal(rmdir("image"), 0);
	assert_int_equal(empty_test_dir(), 0);
}

static void a_signal_removes_the_image(void **state)
{
	int status;
	pid_t pid;

	empty_test_dir();
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct blockdev *dev;

		if (blockdev_create_temp("image", SZ_1M, &dev) || blockdev_pwrite(dev, "x", 1, 0))
			_exit(3);
		raise(SIGTERM);
		_exit(4);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	assert_int_equal(empty_test_dir(), 0);
}

/* ---- faults ---- */

static struct blockdev *faulty_image(const struct blockdev_fault *fault)
{
	struct blockdev *lower, *dev;

	unlink("image");
	assert_int_equal(blockdev_create("image", IMAGE_BYTES, 0, &lower), 0);
	assert_int_equal(blockdev_open_faulty_dev(lower, &dev), 0);
	assert_int_equal(blockdev_add_fault(dev, fault), 0);
	return dev;
}

static void the_nth_write_fails(void **state)
{
	struct blockdev *dev = faulty_image(&(struct blockdev_fault){
		.op = BLOCKDEV_FAULT_WRITE, .err = -EIO, .skip_calls = 2, .nr_calls = 1 });

	assert_int_equal(blockdev_pwrite(dev, "a", 1, 0), 0);
	assert_int_equal(blockdev_zero(dev, 0, 1), 0);
	assert_int_equal(blockdev_pwrite(dev, "b", 1, 0), -EIO);
	assert_int_equal(blockdev_pwrite(dev, "c", 1, 0), 0);
	assert_int_equal(blockdev_nr_faults(dev), 1);
	blockdev_close(dev);
}

static void writes_to_a_range_fail(void **state)
{
	struct blockdev *dev = faulty_image(&(struct blockdev_fault){
		.op = BLOCKDEV_FAULT_WRITE, .err = -EIO, .start = 100, .len = 10 });
	u8 data[20] = { 0 };

	assert_int_equal(blockdev_pwrite(dev, data, 20, 80), 0);
	assert_int_equal(blockdev_pwrite(dev, data, 20, 81), -EIO);
	assert_int_equal(blockdev_pwrite(dev, data, 1, 109), -EIO);
	assert_int_equal(blockdev_pwrite(dev, data, 20, 110), 0);
	assert_int_equal(blockdev_zero(dev, 0, IMAGE_BYTES), -EIO);
	assert_int_equal(blockdev_pread(dev, data, 20, 100), 0);
	blockdev_close(dev);
}

static void space_runs_out(void **state)
{
	struct blockdev *dev = faulty_image(&(struct blockdev_fault){
		.op = BLOCKDEV_FAULT_WRITE, .err = -ENOSPC, .skip_bytes = 25, .partial = true });
	u8 data[10] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 }, back[10];

	assert_int_equal(blockdev_pwrite(dev, data, 10, 0), 0);
	assert_int_equal(blockdev_pwrite(dev, data, 10, 10), 0);
	assert_int_equal(blockdev_pwrite(dev, data, 10, 20), -ENOSPC);
	assert_int_equal(blockdev_pwrite(dev, data, 1, 0), -ENOSPC);
	/* Half of it arrived. */
	assert_int_equal(blockdev_pread(dev, back, 10, 20), 0);
	assert_memory_equal(back, ((u8[]){ 1, 1, 1, 1, 1, 0, 0, 0, 0, 0 }), 10);
	blockdev_close(dev);
}

static void flushes_and_others_fail(void **state)
{
	struct blockdev *dev = faulty_image(&(struct blockdev_fault){
		.op = BLOCKDEV_FAULT_FLUSH, .err = -EIO, .skip_calls = 1 });

	assert_int_equal(blockdev_add_fault(dev, &(struct blockdev_fault){
		.op = BLOCKDEV_FAULT_RESIZE, .err = -EFBIG }), 0);
	assert_int_equal(blockdev_add_fault(dev, &(struct blockdev_fault){
		.op = BLOCKDEV_FAULT_DISCARD, .err = -EOPNOTSUPP }), 0);
	assert_int_equal(blockdev_flush(dev), 0);
	assert_int_equal(blockdev_flush(dev), -EIO);
	assert_int_equal(blockdev_resize(dev, 1), -EFBIG);
	assert_int_equal(blockdev_size(dev), IMAGE_BYTES);
	assert_int_equal(blockdev_discard(dev, 0, 1), -EOPNOTSUPP);
	assert_int_equal(blockdev_commit(dev), -EIO);
	blockdev_close(dev);
}

static void reads_fail_or_lie(void **state)
{
	u8 data[64], back[64];
	struct blockdev *dev;

	fill_random(data, sizeof(data), 9);
	write_file("image", data, sizeof(data));
	assert_int_equal(blockdev_open_faulty(open_image("image", 0), 10, 4, -EIO, &dev), 0);
	assert_false(blockdev_is_writable(dev));
	assert_int_equal(blockdev_pread(dev, back, 10, 0), 0);
	assert_int_equal(blockdev_pread(dev, back, 11, 0), -EIO);
	assert_int_equal(blockdev_pread(dev, back, 50, 14), 0);
	blockdev_close(dev);

	assert_int_equal(blockdev_open_faulty(open_image("image", 0), 10, 4, 0, &dev), 0);
	assert_int_equal(blockdev_pread(dev, back, 64, 0), 0);
	for (int i = 0; i < 64; i++)
		assert_int_equal(back[i], i >= 10 && i < 14 ? data[i] ^ 0xff : data[i]);
	blockdev_close(dev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* The child wants no handlers of the parent: it comes first. */
		cmocka_unit_test(a_signal_removes_the_image),
		cmocka_unit_test(what_is_no_device_is_refused),
		cmocka_unit_test(random_operations_are_those_of_an_array),
		cmocka_unit_test(nothing_is_written_past_the_end),
		cmocka_unit_test(a_device_for_reading_is_not_written),
		cmocka_unit_test(many_buffers_are_written_and_read),
		cmocka_unit_test(zeros_and_discards_free_space),
		cmocka_unit_test(locks_are_those_of_readers_and_writers),
		cmocka_unit_test(commit_gives_the_image_its_name),
		cmocka_unit_test(a_failed_commit_leaves_nothing),
		cmocka_unit_test(the_nth_write_fails),
		cmocka_unit_test(writes_to_a_range_fail),
		cmocka_unit_test(space_runs_out),
		cmocka_unit_test(flushes_and_others_fail),
		cmocka_unit_test(reads_fail_or_lie),
	};

	return cmocka_run_group_tests_name("blockdev", tests, enter_test_dir, leave_test_dir);
}
