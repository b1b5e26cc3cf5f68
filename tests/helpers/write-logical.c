// SPDX-License-Identifier: GPL-2.0-only
/*
 * Puts the bytes of a file straight to logical addresses, and writes the
 * superblocks anew:
 *
 *	write-logical [--degraded] IMAGE... -- FILE LABEL LOGICAL:OFFSET:LENGTH...
 *
 * LENGTH bytes at OFFSET of FILE go to LOGICAL, in pieces of all sizes and out of
 * order, by several threads.  LABEL becomes that of the file system.  Nothing
 * else changes: what is overwritten must be data without checksums.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>

#include "kernel-shared/super-write.h"
#include "kernel-shared/volumes-write.h"

#define NR_THREADS	3

struct extent {
	u64 logical;
	u64 offset;
	u64 len;
};

struct job {
	struct btrfs_fs_info *fs_info;
	const u8 *bytes;
	struct extent extent;
	unsigned int number;
	pthread_t thread;
	int ret;
};

/* The length of piece number @i; the sizes come round again. */
static u64 piece_len(u64 i)
{
	static const u64 lens[] = { 4096, 1, 70000, 511, 16384, 65536, 300000, 4096, 3 };

	return lens[i % ARRAY_SIZE(lens)];
}

/* The pieces whose number is that of the thread, the last one first. */
static void *write_pieces(void *arg)
{
	struct job *job = arg;
	u64 nr = 0, end = 0;

	while (end < job->extent.len)
		end += piece_len(nr++);
	while (nr-- > 0 && !job->ret) {
		u64 start = end - piece_len(nr);

		if (nr % NR_THREADS == job->number)
			job->ret = btrfs_write_logical(job->fs_info, job->extent.logical + start,
						       min(end, job->extent.len) - start,
						       job->bytes + job->extent.offset + start);
		end = start;
	}
	return NULL;
}

static int write_extent(struct btrfs_fs_info *fs_info, const u8 *bytes, const char *text)
{
	struct job jobs[NR_THREADS];
	struct extent extent;
	int ret = 0;

	if (sscanf(text, "%llu:%llu:%llu", &extent.logical, &extent.offset, &extent.len) != 3)
		return -EINVAL;
	for (unsigned int i = 0; i < NR_THREADS; i++) {
		jobs[i] = (struct job){ fs_info, bytes, extent, i, 0, 0 };
		if (pthread_create(&jobs[i].thread, NULL, write_pieces, &jobs[i]))
			abort();
	}
	for (unsigned int i = 0; i < NR_THREADS; i++) {
		pthread_join(jobs[i].thread, NULL);
		ret = ret ? ret : jobs[i].ret;
	}
	return ret;
}

static const u8 *map_file(const char *path)
{
	struct stat st;
	void *bytes;
	int fd = open(path, O_RDONLY);

	if (fd < 0 || fstat(fd, &st))
		return NULL;
	bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	return bytes == MAP_FAILED ? NULL : bytes;
}

static int write_all(struct btrfs_fs_info *fs_info, char **argv)
{
	const u8 *bytes = map_file(argv[0]);
	int ret = bytes ? 0 : -ENOENT;

	strncpy(fs_info->super_copy.label, argv[1], BTRFS_LABEL_SIZE - 1);
	for (argv += 2; !ret && *argv; argv++)
		ret = write_extent(fs_info, bytes, *argv);
	return ret ? ret : btrfs_write_supers(fs_info);
}

int main(int argc, char **argv)
{
	struct btrfs_open_args args = { .no_scan = true, .writable = true };
	struct btrfs_fs_info *fs_info;
	int at = 1, ret;

	if (argc > 1 && strcmp(argv[1], "--degraded") == 0)
		args.degraded = at++;
	args.devices = (const char *const *)argv + at + 1;
	while (at + 1 + (int)args.nr_devices < argc &&
	       strcmp(args.devices[args.nr_devices], "--") != 0)
		args.nr_devices++;
	if (at + (int)args.nr_devices + 4 > argc) {
		fprintf(stderr, "usage: write-logical [--degraded] IMAGE... -- FILE LABEL "
				"LOGICAL:OFFSET:LENGTH...\n");
		return 2;
	}
	if (btrfs_open_fs(argv[at], &args, &fs_info))
		return 1;
	ret = write_all(fs_info, argv + at + 2 + args.nr_devices);
	btrfs_close_fs(fs_info);
	return ret ? 1 : 0;
}
