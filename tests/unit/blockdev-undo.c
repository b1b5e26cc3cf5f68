// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whatever an operation does to a device, its undo file brings back every byte: after
 * a good end, after a crash at any moment, and not when something else has changed the
 * image since.
 */
#include "tests/unit/blockdev-test.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "common/blockdev-faulty.h"
#include "common/blockdev-undo.h"
#include "common/hash.h"
#include "tests/unit/memdev.h"

#define IMAGE_BYTES (2 * SZ_1M + 4321)

static struct undo_writer *new_writer(void)
{
	struct undo_writer *writer;

	unlink("undo");
	assert_int_equal(undo_writer_create("undo", "test", &writer), 0);
	return writer;
}

static struct blockdev *open_undo(const char *path, struct undo_writer *writer)
{
	struct blockdev *dev;

	assert_int_equal(blockdev_open_undo(open_image(path, BLOCKDEV_WRITE), writer, "id", &dev),
			 0);
	return dev;
}

/* What verifying and, if that is fine, applying come to; messages are swallowed. */
static int undo_image(const char *path, size_t index, struct capture *said)
{
	struct undo_counts counts;
	struct undo_file *undo;
	struct blockdev *dev;
	int ret;

	capture_begin(said);
	ret = undo_file_open("undo", &undo);
	if (!ret) {
		dev = open_image(path, BLOCKDEV_WRITE);
		ret = index < undo->devices.nr ?
			undo_file_verify(undo, index, dev, &counts, NULL) : -ENODEV;
		if (!ret)
			ret = undo_file_apply(undo, index, dev, NULL);
		if (!ret) {
			ret = undo_file_verify(undo, index, dev, &counts, NULL);
			if (!ret && (counts.bytes_different || counts.resize))
				ret = -EBADE;
		}
		blockdev_close(dev);
		undo_file_close(undo);
	}
	capture_end(said);
	return ret;
}

static void assert_undone(const char *path, size_t index, const u8 *before, size_t len)
{
	struct capture said;
	int ret = undo_image(path, index, &said);

	if (ret)
		fail_msg("undo: %d: %s", ret, said.text);
	assert_file_is(path, before, len);
}

/* ---- the good end ---- */

static void random_operations_are_undone(void **state)
{
	for (u64 seed = 1; seed <= 4; seed++) {
		u8 *before = make_image("image", IMAGE_BYTES, seed);
		struct undo_writer *writer = new_writer();
		struct blockdev *dev = open_undo("image", writer);
		struct model model = { .size = IMAGE_BYTES, .max_size = 2 * IMAGE_BYTES,
				       .seed = seed };

		model.data = calloc(1, model.max_size);
		assert_non_null(model.data);
		memcpy(model.data, before, IMAGE_BYTES);
		for (int i = 0; i < 60 * (int)seed; i++)
			model_step(&model, dev, seed > 2);
		model_read(&model, dev, 0, model.size);
		blockdev_close(dev);
		assert_int_equal(undo_writer_close(writer), 0);
		assert_file_is("image", model.data, model.size);
		assert_undone("image", 0, before, IMAGE_BYTES);
		/* Once more does no harm. */
		assert_undone("image", 0, before, IMAGE_BYTES);
		free(model.data);
		free(before);
	}
}

static void nothing_done_is_nothing_undone(void **state)
{
	u8 *before = make_image("image", SZ_1M, 1);
	struct undo_writer *writer = new_writer();
	struct undo_file *undo;

	blockdev_close(open_undo("image", writer));
	assert_int_equal(undo_writer_close(writer), 0);
	assert_int_equal(undo_file_open("undo", &undo), 0);
	assert_true(undo->finished && !undo->torn);
	assert_int_equal(undo->devices.nr, 1);
	assert_false(undo_device_touched(undo_file_device(undo, 0)));
	assert_string_equal(undo_file_device(undo, 0)->id, "id");
	assert_string_equal(undo->what, "test");
	undo_file_close(undo);
	assert_undone("image", 0, before, SZ_1M);
	free(before);
}

static void an_undo_file_is_never_overwritten(void **state)
{
	struct undo_writer *writer;

	write_file("undo", "precious", 8);
	assert_int_equal(undo_writer_create("undo", "test", &writer), -EEXIST);
	assert_file_is("undo", "precious", 8);
	assert_int_equal(undo_writer_create("none/undo", "test", &writer), -ENOENT);
}

static void several_devices_share_a_file(void **state)
{
	u8 *a = make_image("a", IMAGE_BYTES, 1), *b = make_image("b", SZ_1M, 2);
	struct undo_writer *writer = new_writer();
	struct blockdev *dev_a = open_undo("a", writer), *dev_b = open_undo("b", writer);

	for (u64 i = 0; i < 8; i++) {
		assert_int_equal(blockdev_pwrite(dev_a, "aaa", 3, i * SZ_128K), 0);
		assert_int_equal(blockdev_pwrite(dev_b, "bbb", 3, SZ_1M - 3 - i * SZ_64K), 0);
	}
	blockdev_close(dev_b);
	assert_int_equal(blockdev_resize(dev_a, SZ_64K), 0);
	blockdev_close(dev_a);
	assert_int_equal(undo_writer_close(writer), 0);
	assert_undone("b", 1, b, SZ_1M);
	assert_undone("a", 0, a, IMAGE_BYTES);
	free(a);
	free(b);
}

/* ---- what it costs ---- */

static void sequential_writes_need_few_syncs(void **state)
{
	struct undo_writer_stats stats;
	struct undo_writer *writer = new_writer();
	u8 data[SZ_4K] = { 1 };
	struct blockdev *dev;

	unlink("image");
	assert_int_equal(blockdev_create("image", 64 * SZ_1M, 0, &dev), 0);
	blockdev_close(dev);
	dev = open_undo("image", writer);
	/* Two places at once, 8192 writes. */
	for (u64 i = 0; i < 4096; i++) {
		u64 at = i * SZ_4K;

		assert_int_equal(blockdev_pwrite(dev, data, sizeof(data), at), 0);
		assert_int_equal(blockdev_pwrite(dev, data, sizeof(data), 32 * SZ_1M + at), 0);
	}
	undo_writer_stats(writer, &stats);
	assert_true(stats.nr_syncs < 20);
	assert_true(stats.bytes_saved <= 64 * SZ_1M);
	/* The zeros that were there take no space. */
	assert_true(stats.file_bytes < SZ_1M);
	blockdev_close(dev);
	assert_int_equal(undo_writer_close(writer), 0);
}

static void what_is_saved_in_advance_needs_no_sync(void **state)
{
	struct undo_writer_stats stats;
	u8 *before = make_image("image", IMAGE_BYTES, 1);
	struct undo_writer *writer = new_writer();
	struct blockdev *dev = open_undo("image", writer);
	u64 syncs;

	assert_int_equal(blockdev_undo_save(dev, 0, UINT64_MAX), 0);
	assert_int_equal(blockdev_undo_save(dev, 0, IMAGE_BYTES + 5), 0);
	undo_writer_stats(writer, &stats);
	syncs = stats.nr_syncs;
	assert_int_equal(stats.bytes_saved, IMAGE_BYTES);
	for (u64 at = 0; at < IMAGE_BYTES; at += 77777)
		assert_int_equal(blockdev_pwrite(dev, "x", 1, at), 0);
	undo_writer_stats(writer, &stats);
	assert_int_equal(stats.nr_syncs, syncs);
	blockdev_close(dev);
	assert_int_equal(undo_writer_close(writer), 0);
	assert_undone("image", 0, before, IMAGE_BYTES);
	free(before);
}

/* ---- changed since ---- */

/* An image of which the first and the last byte were written. */
static u8 *changed_image(void)
{
	u8 *before = make_image("image", IMAGE_BYTES, 5);
	struct undo_writer *writer = new_writer();
	struct blockdev *dev = open_undo("image", writer);

	assert_int_equal(blockdev_pwrite(dev, "first", 5, 0), 0);
	assert_int_equal(blockdev_pwrite(dev, "last", 4, IMAGE_BYTES - 4), 0);
	blockdev_close(dev);
	assert_int_equal(undo_writer_close(writer), 0);
	return before;
}

static void poke(const char *path, const void *data, size_t len, u64 offset)
{
	int fd = open(path, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, data, len, (off_t)offset), len);
	close(fd);
}

static void a_later_change_is_refused(void **state)
{
	static const u64 places[] = { 0, 4, 5, SZ_64K - 1, IMAGE_BYTES - 1, IMAGE_BYTES - 4000 };
	u8 *before = changed_image();
	size_t len;

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		u8 *after = read_file("image", &len);
		struct capture said;

		after[places[i]] ^= 0x40;
		poke("image", after + places[i], 1, places[i]);
		assert_int_equal(undo_image("image", 0, &said), -ESTALE);
		assert_says(&said, "has changed since");
		assert_file_is("image", after, len);
		after[places[i]] ^= 0x40;
		poke("image", after + places[i], 1, places[i]);
		free(after);
	}
	assert_int_equal(truncate("image", IMAGE_BYTES + 1), 0);
	assert_int_equal(undo_image("image", 0, &(struct capture){ 0 }), -ESTALE);
	assert_int_equal(truncate("image", IMAGE_BYTES), 0);
	assert_undone("image", 0, before, IMAGE_BYTES);
	free(before);
}

/* A half-undone image is neither what it was nor what the operation left. */
static void an_interrupted_undo_is_taken_up_again(void **state)
{
	u8 *before = changed_image();

	poke("image", before, SZ_4K, 0);
	assert_undone("image", 0, before, IMAGE_BYTES);
	free(before);
}

/* ---- interrupted ---- */

static void interrupt_after(unsigned int nr_steps, u64 seed)
{
	u8 *before = make_image("image", IMAGE_BYTES, seed);
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct undo_writer *writer = new_writer();
		struct blockdev *dev = open_undo("image", writer);
		struct model model = { .size = IMAGE_BYTES, .max_size = 2 * IMAGE_BYTES,
				       .seed = seed };

		model.data = calloc(1, model.max_size);
		memcpy(model.data, before, IMAGE_BYTES);
		for (unsigned int i = 0; i < nr_steps; i++)
			model_step(&model, dev, true);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_undone("image", 0, before, IMAGE_BYTES);
	free(before);
}

static void a_killed_operation_is_undone(void **state)
{
	for (unsigned int i = 0; i < 8; i++)
		interrupt_after(i * 15, i + 1);
}

/* The same, but at moments that nobody chose, in the middle of whatever is going on. */
static void killed_at_any_moment(void **state)
{
	for (u64 seed = 1; seed <= 8; seed++) {
		u8 *before = make_image("image", IMAGE_BYTES, seed);
		int status, pipes[2];
		char byte;
		pid_t pid;

		assert_int_equal(pipe(pipes), 0);
		unlink("undo");
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			struct undo_writer *writer = new_writer();
			struct blockdev *dev = open_undo("image", writer);
			u8 *data = malloc(SZ_256K);
			u64 random = seed;

			for (int i = 0;; i++) {
				u64 at = test_random(&random) % (IMAGE_BYTES - SZ_256K);

				fill_random(data, SZ_256K, random);
				if (blockdev_pwrite(dev, data, SZ_256K, at))
					_exit(1);
				if (i == (int)seed && write(pipes[1], "x", 1) != 1)
					_exit(1);
			}
		}
		assert_int_equal(read(pipes[0], &byte, 1), 1);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		close(pipes[0]);
		close(pipes[1]);
		assert_undone("image", 0, before, IMAGE_BYTES);
		free(before);
	}
}

/* ---- the undo file in bad condition ---- */

static int open_quietly(struct undo_file **undo, struct capture *said)
{
	int ret;

	capture_begin(said);
	ret = undo_file_open("undo", undo);
	capture_end(said);
	return ret;
}

/*
 * Cut off anywhere, it holds what it holds or is refused; whole up to a point that was
 * synced, it brings back what had been overwritten by then.
 */
static void an_undo_file_may_be_cut_off(void **state)
{
	u8 *before = changed_image(), *bytes;
	size_t len;

	bytes = read_file("undo", &len);
	for (size_t cut = 0; cut <= len - UNDO_ALIGN; cut += cut < 2000 ? 61 : 9973) {
		struct undo_file *undo = NULL;
		struct capture said;
		int ret;

		write_file("undo", bytes, cut);
		ret = open_quietly(&undo, &said);
		if (cut < UNDO_ALIGN) {
			assert_int_equal(ret, -EINVAL);
			continue;
		}
		assert_int_equal(ret, 0);
		assert_false(undo->finished);
		undo_file_close(undo);
	}
	/* Without its end, but otherwise whole. */
	write_file("undo", bytes, len - UNDO_ALIGN);
	assert_undone("image", 0, before, IMAGE_BYTES);
	free(bytes);
	free(before);
}

/* Of a finished file every byte counts, but for the padding. */
static void a_damaged_undo_file_is_refused(void **state)
{
	u8 *before = changed_image(), *bytes;
	size_t len, refused = 0, tried = 0;
	u64 seed = 3;

	bytes = read_file("undo", &len);
	for (int i = 0; i < 150; i++) {
		size_t at = i < 70 ? (size_t)i * 9 : test_random(&seed) % len;
		struct undo_file *undo = NULL;
		struct capture said;
		int ret;

		poke("undo", (u8[]){ (u8)~bytes[at] }, 1, at);
		ret = open_quietly(&undo, &said);
		tried++;
		if (ret) {
			assert_says(&said, "undo");
			refused++;
		} else {
			undo_file_close(undo);
			/* The end is gone, or what is behind a record. */
			assert_undone("image", 0, before, IMAGE_BYTES);
			free(before);
			before = changed_image();
			free(bytes);
			bytes = read_file("undo", &len);
			continue;
		}
		poke("undo", bytes + at, 1, at);
	}
	assert_true(refused > tried / 2);
	free(bytes);
	free(before);
}

/* Where the records of an undo file begin. */
static size_t find_records(const u8 *bytes, size_t len, size_t *at, size_t max)
{
	size_t nr = 0;

	for (size_t pos = UNDO_ALIGN; pos < len && nr < max; pos += UNDO_ALIGN) {
		if (get_unaligned_le32(bytes + pos) == UNDO_RECORD_MAGIC)
			at[nr++] = pos;
	}
	return nr;
}

/* Put a strange value into one field, and make the checksum right. */
static void forge(u8 *record, u64 *seed)
{
	static const u64 values[] = { 0, 1, 4096, 4097, SZ_1M, INT64_MAX, UINT64_MAX, 1ULL << 40 };
	size_t fields = offsetof(struct undo_record, csum);
	size_t at = 4 + test_random(seed) % (fields - 4);
	u64 value = values[test_random(seed) % ARRAY_SIZE(values)];

	if (test_random(seed) % 2)
		record[at] ^= (u8)(1 << test_random(seed) % 8);
	else
		memcpy(record + at, &value, min(fields - at, (size_t)(at % 8 ? 2 : 8)));
	put_unaligned_le32(~crc32c(~0U, record, fields), record + fields);
}

/* Whatever a forged file says, the image is either refused or only put back what it holds. */
static void a_forged_undo_file_does_no_harm(void **state)
{
	u8 *before = changed_image(), *bytes, *copy, *after;
	size_t len, image_len, nr, at[64];
	u64 seed = 7;

	bytes = read_file("undo", &len);
	after = read_file("image", &image_len);
	copy = malloc(len);
	assert_non_null(copy);
	nr = find_records(bytes, len, at, ARRAY_SIZE(at));
	assert_true(nr > 4);
	for (int i = 0; i < 200; i++) {
		struct capture said;

		memcpy(copy, bytes, len);
		for (u64 times = test_random(&seed) % 3 + 1; times > 0; times--)
			forge(copy + at[test_random(&seed) % nr], &seed);
		write_file("undo", copy, len);
		undo_image("image", 0, &said);
		write_file("image", after, image_len);
	}
	free(copy);
	free(bytes);
	free(after);
	free(before);
}

/* A power cut: of what was not synced, any part may be missing, and zeros may stand there. */
static void what_was_not_synced_may_be_torn(void **state)
{
	u8 *before = make_image("image", IMAGE_BYTES, 5);
	struct undo_writer *writer = new_writer();
	struct undo_file *undo;
	struct stat st;
	struct capture said;
	u16 index;
	u64 synced;
	u8 *data = malloc(SZ_64K);

	fill_random(data, SZ_64K, 1);
	assert_int_equal(undo_writer_add_device(writer, "image", "", IMAGE_BYTES, &index), 0);
	assert_int_equal(undo_writer_save(writer, index, 0, before, SZ_64K), 0);
	assert_int_equal(undo_writer_sync(writer), 0);
	assert_int_equal(stat("undo", &st), 0);
	synced = (u64)st.st_size;
	poke("image", data, SZ_64K, 0);
	for (u64 i = 1; i <= 3; i++)
		assert_int_equal(undo_writer_save(writer, index, i * SZ_64K, before + i * SZ_64K,
						  SZ_64K), 0);
	/* The first of the three is gone, the second damaged, the third whole. */
	poke("undo", data, 512, synced);
	poke("undo", data, 1, synced + SZ_64K + 1024 + 512);
	assert_int_equal(open_quietly(&undo, &said), 0);
	assert_true(undo->torn && !undo->finished);
	assert_int_equal(undo_file_device(undo, 0)->ranges.nr, 2);
	undo_file_close(undo);
	assert_undone("image", 0, before, IMAGE_BYTES);

	/* But what had been synced must be there. */
	poke("undo", data, 1, synced - 1024);
	assert_int_equal(open_quietly(&undo, &said), -EUCLEAN);
	assert_says(&said, "a record is missing");
	capture_begin(&said);
	undo_writer_close(writer);
	capture_end(&said);
	free(data);
	free(before);
}

/* ---- errors ---- */

static void no_write_without_its_undo(void **state)
{
	u8 *before = malloc(IMAGE_BYTES);
	struct undo_writer *writer;
	struct rlimit old, small;
	struct capture said;
	struct blockdev *dev;
	int ret = 0;

	assert_non_null(before);
	fill_random(before, IMAGE_BYTES, 6);
	write_file("image", before, IMAGE_BYTES);
	writer = new_writer();
	dev = open_undo("image", writer);
	/* No file can be written past 1 MiB, so the undo file has no room for as much. */
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = SZ_1M;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	capture_begin(&said);
	for (u64 at = 0; at < SZ_1M && !ret; at += SZ_4K)
		ret = blockdev_pwrite(dev, "x", 1, at);
	assert_int_equal(ret, -EFBIG);
	assert_int_equal(blockdev_pwrite(dev, "x", 1, SZ_1M - 1), -EFBIG);
	assert_int_equal(blockdev_undo_save(dev, 0, UINT64_MAX), -EFBIG);
	/* What is saved may be written all the same. */
	assert_int_equal(blockdev_pwrite(dev, "x", 1, 0), 0);
	blockdev_close(dev);
	assert_int_equal(undo_writer_close(writer), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	capture_end(&said);
	assert_says(&said, "ERROR: cannot write undo file undo: File too large");
	assert_null(strstr(strstr(said.text, "ERROR: ") + 1, "ERROR: "));
	assert_undone("image", 0, before, IMAGE_BYTES);
	free(before);
}

static void what_cannot_be_read_is_not_overwritten(void **state)
{
	u8 *before = make_image("image", IMAGE_BYTES, 7);
	struct undo_writer *writer = new_writer();
	struct blockdev *lower = open_image("image", BLOCKDEV_WRITE), *faulty, *dev;

	assert_int_equal(blockdev_open_faulty(lower, SZ_256K, SZ_4K, -EIO, &faulty), 0);
	assert_int_equal(blockdev_open_undo(faulty, writer, "", &dev), 0);
	/* Its neighbour can be written, though saving in advance comes upon it. */
	assert_int_equal(blockdev_pwrite(dev, "x", 1, SZ_256K - 1), 0);
	assert_int_equal(blockdev_pwrite(dev, "x", 1, SZ_256K), -EIO);
	assert_int_equal(blockdev_pwrite(dev, "xy", 2, SZ_256K - 1), -EIO);
	assert_int_equal(blockdev_zero(dev, 0, IMAGE_BYTES), -EIO);
	assert_int_equal(blockdev_pwrite(dev, "x", 1, SZ_256K - 1), 0);
	assert_int_equal(blockdev_pwrite(dev, "x", 1, IMAGE_BYTES - 1), 0);
	blockdev_close(dev);
	assert_int_equal(undo_writer_close(writer), 0);
	assert_undone("image", 0, before, IMAGE_BYTES);
	free(before);
}

static void a_failed_resize_is_taken_back(void **state)
{
	u8 *before = make_image("image", IMAGE_BYTES, 8);
	struct undo_writer *writer = new_writer();
	struct blockdev *faulty, *dev;

	assert_int_equal(blockdev_open_faulty_dev(open_image("image", BLOCKDEV_WRITE), &faulty), 0);
	assert_int_equal(blockdev_add_fault(faulty, &(struct blockdev_fault){
		.op = BLOCKDEV_FAULT_RESIZE, .err = -EIO, .nr_calls = 2 }), 0);
	assert_int_equal(blockdev_open_undo(faulty, writer, "", &dev), 0);
	assert_int_equal(blockdev_resize(dev, 1000), -EIO);
	assert_int_equal(blockdev_resize(dev, 2 * IMAGE_BYTES), -EIO);
	assert_int_equal(blockdev_size(dev), IMAGE_BYTES);
	assert_int_equal(blockdev_resize(dev, 3000), 0);
	blockdev_close(dev);
	assert_int_equal(undo_writer_close(writer), 0);
	assert_undone("image", 0, before, IMAGE_BYTES);
	free(before);
}

static void a_device_without_end_leaves_the_file_without(void **state)
{
	u8 *before = make_image("image", IMAGE_BYTES, 9);
	struct undo_writer *writer = new_writer();
	struct blockdev *faulty, *dev;
	struct capture said;

	assert_int_equal(blockdev_open_faulty_dev(open_image("image", BLOCKDEV_WRITE), &faulty), 0);
	assert_int_equal(blockdev_add_fault(faulty, &(struct blockdev_fault){
		.op = BLOCKDEV_FAULT_FLUSH, .err = -EIO }), 0);
	assert_int_equal(blockdev_open_undo(faulty, writer, "", &dev), 0);
	assert_int_equal(blockdev_pwrite(dev, "x", 1, 0), 0);
	capture_begin(&said);
	blockdev_close(dev);
	assert_int_equal(undo_writer_close(writer), -EIO);
	capture_end(&said);
	assert_says(&said, "has no end");
	assert_undone("image", 0, before, IMAGE_BYTES);
	free(before);
}

static void a_device_for_reading_needs_no_undo(void **state)
{
	struct blockdev *lower, *dev;

	write_file("image", "abc", 3);
	lower = open_image("image", BLOCKDEV_RDONLY);
	assert_int_equal(blockdev_open_undo(lower, NULL, "", &dev), -EROFS);
	blockdev_close(lower);
}

/* ---- threads ---- */

struct worker {
	struct blockdev *dev;
	u64 nr;
	bool failed;
};

static void *work(void *arg)
{
	struct worker *worker = arg;
	u64 seed = worker->nr;
	u8 data[SZ_4K];

	for (int i = 0; i < 200 && !worker->failed; i++) {
		u64 sector = test_random(&seed) % (IMAGE_BYTES / SZ_4K / 4) * 4 + worker->nr;

		fill_random(data, sizeof(data), test_random(&seed));
		worker->failed = i % 9 ? blockdev_pwrite(worker->dev, data, SZ_4K, sector * SZ_4K) :
					 blockdev_zero(worker->dev, sector * SZ_4K, SZ_4K);
	}
	return NULL;
}

static void threads_save_before_they_write(void **state)
{
	u8 *before = make_image("image", IMAGE_BYTES, 10);
	u8 *other = make_image("other", IMAGE_BYTES, 11);
	struct undo_writer *writer = new_writer();
	struct blockdev *devs[2] = { open_undo("image", writer), open_undo("other", writer) };
	struct worker workers[8];
	pthread_t threads[8];

	for (unsigned int i = 0; i < 8; i++) {
		workers[i] = (struct worker){ .dev = devs[i / 4], .nr = i % 4 };
		assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	}
	for (unsigned int i = 0; i < 8; i++) {
		pthread_join(threads[i], NULL);
		assert_false(workers[i].failed);
	}
	blockdev_close(devs[0]);
	blockdev_close(devs[1]);
	assert_int_equal(undo_writer_close(writer), 0);
	assert_undone("image", 0, before, IMAGE_BYTES);
	assert_undone("other", 1, other, IMAGE_BYTES);
	free(before);
	free(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_operations_are_undone),
		cmocka_unit_test(nothing_done_is_nothing_undone),
		cmocka_unit_test(an_undo_file_is_never_overwritten),
		cmocka_unit_test(several_devices_share_a_file),
		cmocka_unit_test(sequential_writes_need_few_syncs),
		cmocka_unit_test(what_is_saved_in_advance_needs_no_sync),
		cmocka_unit_test(a_later_change_is_refused),
		cmocka_unit_test(an_interrupted_undo_is_taken_up_again),
		cmocka_unit_test(a_killed_operation_is_undone),
		cmocka_unit_test(killed_at_any_moment),
		cmocka_unit_test(an_undo_file_may_be_cut_off),
		cmocka_unit_test(a_damaged_undo_file_is_refused),
		cmocka_unit_test(a_forged_undo_file_does_no_harm),
		cmocka_unit_test(what_was_not_synced_may_be_torn),
		cmocka_unit_test(no_write_without_its_undo),
		cmocka_unit_test(what_cannot_be_read_is_not_overwritten),
		cmocka_unit_test(a_failed_resize_is_taken_back),
		cmocka_unit_test(a_device_without_end_leaves_the_file_without),
		cmocka_unit_test(a_device_for_reading_needs_no_undo),
		cmocka_unit_test(threads_save_before_they_write),
	};

	return cmocka_run_group_tests_name("blockdev-undo", tests, enter_test_dir, leave_test_dir);
}
