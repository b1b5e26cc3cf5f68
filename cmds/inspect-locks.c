// SPDX-License-Identifier: GPL-2.0-only
/*
 * btrfs inspect-internal locks: who works on a file system right now.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <uuid/uuid.h>

#include "cmds/cmds.h"
#include "cmds/open-fs.h"
#include "common/format-output.h"
#include "common/lockfile.h"
#include "common/message.h"
#include "kernel-shared/locking.h"
#include "kernel-shared/super.h"

static const char *const cmd_inspect_locks_usage[] = {
	"btrfs inspect-internal locks [options] <device>",
	"Show who holds the lock of a file system",
	"",
	"Sends share the lock, whatever relocates or writes has it alone.  Other readers",
	"take no part.  Only processes that use the same lock directory are seen.",
	NULL
};

/* The fsid of what is on @device, which may well be locked. */
static int read_fsid(const char *device, u8 *fsid)
{
	struct btrfs_super_block sb;
	struct blockdev *bdev;
	int ret = blockdev_open(device, BLOCKDEV_NO_LOCK, &bdev);

	if (ret) {
		error("cannot open %s: %s", device, ret == -ENOTBLK ?
		      "neither a block device nor a regular file" : errno_text(ret));
		return ret;
	}
	ret = btrfs_read_dev_super(bdev, 0, SBREAD_TEMPORARY_ANY_FEATURE, &sb);
	blockdev_close(bdev);
	if (!ret)
		memcpy(fsid, sb.fsid, BTRFS_FSID_SIZE);
	return ret;
}

static void time_text(time_t when, char *text, size_t size)
{
	struct tm tm;

	if (!localtime_r(&when, &tm) || !strftime(text, size, "%F %T %z", &tm))
		snprintf(text, size, "?");
}

static void print_text(const char *uuid, const char *path, const struct lockfile_holder *holders,
		       int nr)
{
	char since[64];

	printf("fsid:\t\t%s\nlock file:\t%s\nholders:\t%d\n", uuid, path, nr);
	for (int i = 0; i < nr; i++) {
		time_text(holders[i].since, since, sizeof(since));
		printf("\tpid %d\t%s\t%s\tsince %s\n", (int)holders[i].pid, holders[i].what,
		       holders[i].exclusive ? "exclusive" : "shared", since);
	}
}

static int print_json(const char *uuid, const char *path, const struct lockfile_holder *holders,
		      int nr)
{
	struct format_ctx ctx;
	char since[64];

	format_begin(&ctx);
	format_string(&ctx, "fsid", uuid);
	format_string(&ctx, "lock_file", path);
	format_array_begin(&ctx, "holders");
	for (int i = 0; i < nr; i++) {
		time_text(holders[i].since, since, sizeof(since));
		format_object_begin(&ctx, NULL);
		format_s64(&ctx, "pid", holders[i].pid);
		format_string(&ctx, "command", holders[i].what);
		format_bool(&ctx, "exclusive", holders[i].exclusive);
		format_string(&ctx, "since", since);
		format_object_end(&ctx);
	}
	format_array_end(&ctx);
	return format_end(&ctx, stdout);
}

static int cmd_inspect_locks_fn(const struct cmd *cmd, int argc, char **argv)
{
	struct lockfile_holder holders[LOCKFILE_MAX_HOLDERS];
	char path[PATH_MAX] = "", uuid[UUID_STR_LEN];
	u8 fsid[BTRFS_FSID_SIZE];
	int c, nr = 0, ret;

	while ((c = options_next(argc, argv, "", NULL)) != OPTION_END)
		return cmd_option_exit(cmd, c);
	if (check_operands(cmd, argc, 1, 1))
		return CMD_USAGE;
	if (read_fsid(argv[optind], fsid))
		return CMD_FAILED;
	uuid_unparse_lower(fsid, uuid);
	ret = btrfs_lockfile_path(fsid, path, sizeof(path));
	if (!ret)
		ret = nr = lockfile_holders(path, holders, LOCKFILE_MAX_HOLDERS);
	if (ret < 0) {
		error("cannot look at the lock file of %s: %s", argv[optind], errno_text(ret));
		return CMD_FAILED;
	}
	if (cmd_format_json(cmd))
		return print_json(uuid, path, holders, nr) ? CMD_FAILED : CMD_OK;
	print_text(uuid, path, holders, nr);
	return CMD_OK;
}

const struct cmd cmd_inspect_locks = {
	.name = "locks",
	.fn = cmd_inspect_locks_fn,
	.usage = cmd_inspect_locks_usage,
	.flags = CMD_FLAG_JSON,
};
