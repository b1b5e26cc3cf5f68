// SPDX-License-Identifier: GPL-2.0-only
/*
 * An operation with an undo file, for tests of "rescue undo":
 *
 *	undo-op [--plain] UNDO-FILE IMAGE... -- STEP...
 *
 * The steps are done one after the other; N is the number of the image, from 0:
 *
 *	N:write:OFFSET:LENGTH:BYTE	N:zero:OFFSET:LENGTH	N:discard:OFFSET:LENGTH
 *	N:resize:BYTES			N:flush			kill
 *
 * "kill" is SIGKILL: an operation that is interrupted.  --plain: without superblocks
 * being saved, as by a program that knows nothing of btrfs.  Ends with 1 on an error.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/message.h"
#include "kernel-shared/undo.h"

#define MAX_IMAGES 8

static int step_write(struct blockdev *dev, u64 offset, u64 len, int byte)
{
	u8 *data = malloc(len + 1);
	int ret;

	if (!data)
		return -ENOMEM;
	memset(data, byte, len);
	ret = blockdev_pwrite(dev, data, len, offset);
	free(data);
	return ret;
}

static int do_step(struct blockdev **devs, int nr_devs, const char *step)
{
	u64 offset = 0, len = 0;
	char what[16] = "";
	int nr = 0, byte = 0;

	if (strcmp(step, "kill") == 0)
		return kill(getpid(), SIGKILL);
	if (sscanf(step, "%d:%15[a-z]:%llu:%llu:%d", &nr, what, &offset, &len, &byte) < 2 ||
	    nr < 0 || nr >= nr_devs)
		return -EINVAL;
	if (strcmp(what, "write") == 0)
		return step_write(devs[nr], offset, len, byte);
	if (strcmp(what, "zero") == 0)
		return blockdev_zero(devs[nr], offset, len);
	if (strcmp(what, "discard") == 0)
		return blockdev_discard(devs[nr], offset, len);
	if (strcmp(what, "resize") == 0)
		return blockdev_resize(devs[nr], offset);
	if (strcmp(what, "flush") == 0)
		return blockdev_flush(devs[nr]);
	return -EINVAL;
}

static int open_image(const char *path, struct undo_writer *writer, bool plain,
		      struct blockdev **dev)
{
	struct blockdev *lower;
	int ret = blockdev_open(path, BLOCKDEV_WRITE, &lower);

	if (ret)
		return ret;
	return plain ? blockdev_open_undo(lower, writer, "", dev) :
		       btrfs_open_undo(lower, writer, dev);
}

static int report(const char *what, int ret)
{
	if (ret)
		error("undo-op: %s: %s", what, errno_text(ret));
	return ret;
}

int main(int argc, char **argv)
{
	bool plain = argc > 1 && strcmp(argv[1], "--plain") == 0;
	struct blockdev *devs[MAX_IMAGES];
	struct undo_writer *writer;
	int nr_devs = 0, i = plain ? 2 : 1, ret;

	if (i >= argc || report(argv[i], undo_writer_create(argv[i], "test", &writer)))
		return 1;
	ret = 0;
	for (i++; !ret && i < argc && strcmp(argv[i], "--") != 0 && nr_devs < MAX_IMAGES; i++) {
		ret = report(argv[i], open_image(argv[i], writer, plain, &devs[nr_devs]));
		nr_devs += ret == 0;
	}
	for (i++; !ret && i < argc; i++)
		ret = report(argv[i], do_step(devs, nr_devs, argv[i]));
	while (nr_devs > 0)
		blockdev_close(devs[--nr_devs]);
	return report("close", undo_writer_close(writer)) || ret;
}
