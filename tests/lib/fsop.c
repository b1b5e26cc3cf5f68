// SPDX-License-Identifier: GPL-2.0
/*
 * fsop: the file operations that the shell scenarios need and that no common
 * tool offers (or offers only slowly): repeatable data at any offset, clones of
 * byte ranges, sockets, and where an extent lies.
 *
 * It relies on libc alone, so the harness can compile it when no build exists.
 * The data depend on the seed and on the position in the file only: the same
 * call gives the same bytes on every machine.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <linux/fiemap.h>
#include <linux/fs.h>

#define BUFFER_BYTES (1024 * 1024)
#define UNIT_BYTES   16

static int fail(const char *what)
{
	fprintf(stderr, "fsop: %s: %s\n", what, strerror(errno));
	return -1;
}

/* Numbers may carry K, M or G (powers of 1024). */
static int parse_bytes(const char *text, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 0);
	if (errno || end == text) {
		errno = EINVAL;
		return fail(text);
	}
	switch (*end) {
	case 'G':
		*value *= 1024;
		/* fallthrough */
	case 'M':
		*value *= 1024;
		/* fallthrough */
	case 'K':
		*value *= 1024;
	}
	return 0;
}

static int parse_all(char **args, int nr, uint64_t *values)
{
	for (int i = 0; i < nr; i++)
		if (parse_bytes(args[i], &values[i]))
			return -1;
	return 0;
}

static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ULL;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

/* One unit of noise: no compressor gains anything on it. */
static void noise_unit(char *unit, uint64_t index, uint64_t seed)
{
	uint64_t words[2] = { mix(seed ^ mix(2 * index)), mix(seed ^ mix(2 * index + 1)) };

	memcpy(unit, words, UNIT_BYTES);
}

/* One unit of text: every compressor gains on it, yet no two units are equal. */
static void text_unit(char *unit, uint64_t index, uint64_t seed)
{
	static const char digits[] = "0123456789abcdef";

	for (int i = 14; i > 5; i--, index >>= 4)
		unit[i] = digits[index & 15];
	for (int i = 4; i >= 0; i--, seed >>= 4)
		unit[i] = digits[seed & 15];
	unit[5] = ' ';
	unit[15] = '\n';
}

static int write_all(int fd, const char *buf, size_t len, uint64_t offset)
{
	while (len) {
		ssize_t done = pwrite(fd, buf, len, offset);

		if (done <= 0)
			return -1;
		buf += done;
		offset += done;
		len -= done;
	}
	return 0;
}

static int write_data(const char *path, uint64_t offset, uint64_t len, uint64_t seed,
		      void (*unit)(char *, uint64_t, uint64_t))
{
	static char buf[BUFFER_BYTES + UNIT_BYTES];
	int fd = open(path, O_WRONLY | O_CREAT, 0644);

	if (fd < 0)
		return fail(path);
	while (len) {
		uint64_t first = offset / UNIT_BYTES;
		size_t skip = offset % UNIT_BYTES;
		size_t part = len < BUFFER_BYTES ? len : BUFFER_BYTES;

		for (uint64_t i = 0; i * UNIT_BYTES < skip + part; i++)
			unit(buf + i * UNIT_BYTES, first + i, seed);
		if (write_all(fd, buf + skip, part, offset)) {
			fail(path);
			close(fd);
			return -1;
		}
		offset += part;
		len -= part;
	}
	return close(fd);
}

static int fill(char **args, int nr)
{
	uint64_t v[3];

	(void)nr;
	return parse_all(args + 1, 3, v) ? -1 : write_data(args[0], v[0], v[1], v[2], noise_unit);
}

static int text(char **args, int nr)
{
	uint64_t v[3];

	(void)nr;
	return parse_all(args + 1, 3, v) ? -1 : write_data(args[0], v[0], v[1], v[2], text_unit);
}

static int clone(char **args, int nr)
{
	struct file_clone_range range;
	uint64_t v[2], to, count = 1, step = 0;
	int ret = -1, src = -1, dst = -1;

	if (parse_all(args + 1, 2, v) || parse_all(args + 4, 1, &to) ||
	    (nr > 5 && parse_all(args + 5, 1, &count)) || (nr > 6 && parse_all(args + 6, 1, &step)))
		return -1;
	src = open(args[0], O_RDONLY);
	dst = open(args[3], O_WRONLY | O_CREAT, 0644);
	if (src < 0 || dst < 0) {
		fail(src < 0 ? args[0] : args[3]);
		goto out;
	}
	for (; count; count--, to += step) {
		range = (struct file_clone_range){
			.src_fd = src,
			.src_offset = v[0],
			.src_length = v[1],
			.dest_offset = to,
		};
		if (ioctl(dst, FICLONERANGE, &range)) {
			fail(args[3]);
			goto out;
		}
	}
	ret = 0;
out:
	if (dst >= 0)
		close(dst);
	if (src >= 0)
		close(src);
	return ret;
}

static int make_socket(char **args, int nr)
{
	(void)nr;
	return mknod(args[0], S_IFSOCK | 0644, 0) ? fail(args[0]) : 0;
}

/* FIEMAP's "physical" address is, on btrfs, the logical address of the byte. */
static int extent(char **args, int nr)
{
	struct {
		struct fiemap map;
		struct fiemap_extent extent;
	} ask = { .map = { .fm_length = 1, .fm_flags = FIEMAP_FLAG_SYNC, .fm_extent_count = 1 } };
	uint64_t offset;
	int fd, ret;

	(void)nr;
	if (parse_bytes(args[1], &offset))
		return -1;
	ask.map.fm_start = offset;
	fd = open(args[0], O_RDONLY);
	if (fd < 0)
		return fail(args[0]);
	ret = ioctl(fd, FS_IOC_FIEMAP, &ask);
	close(fd);
	if (ret || !ask.map.fm_mapped_extents)
		return fail(args[0]);
	printf("%llu\n", ask.extent.fe_flags & FIEMAP_EXTENT_ENCODED ?
				 (unsigned long long)ask.extent.fe_physical :
				 (unsigned long long)(ask.extent.fe_physical + offset -
						      ask.extent.fe_logical));
	return 0;
}

static const struct operation {
	const char *name;
	int min_args, max_args;
	int (*run)(char **args, int nr);
	const char *usage;
} operations[] = {
	{ "fill", 4, 4, fill,
	  "FILE OFFSET LENGTH SEED                  data that do not compress" },
	{ "text", 4, 4, text, "FILE OFFSET LENGTH SEED                  data that compress well" },
	{ "clone", 5, 7, clone, "SRC OFFSET LENGTH DST OFFSET [COUNT STEP]  LENGTH 0: to the end" },
	{ "socket", 1, 1, make_socket, "PATH" },
	{ "extent", 2, 2, extent, "FILE OFFSET                            its logical address" },
};

int main(int argc, char **argv)
{
	size_t nr_operations = sizeof(operations) / sizeof(operations[0]);

	for (size_t i = 0; argc > 1 && i < nr_operations; i++) {
		const struct operation *op = &operations[i];

		if (!strcmp(op->name, argv[1]) && argc - 2 >= op->min_args &&
		    argc - 2 <= op->max_args)
			return op->run(argv + 2, argc - 2) ? 1 : 0;
	}
	for (size_t i = 0; i < nr_operations; i++)
		fprintf(stderr, "usage: fsop %s %s\n", operations[i].name, operations[i].usage);
	return 2;
}
