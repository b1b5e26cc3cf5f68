/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Options that every command has which opens an unmounted file system, and the
 * opening itself.
 */
#ifndef CMDS_OPEN_FS_H
#define CMDS_OPEN_FS_H

#include <getopt.h>

#include "kernel-shared/fs.h"

/* Values of long options that no short one stands for. */
enum open_fs_option {
	GETOPT_VAL_DEVICE = 0x1000,
	GETOPT_VAL_FORCE,
	GETOPT_VAL_FIRST_FREE,		/* a command's own options start here */
};

/* Put into a command's struct option table. */
#define OPEN_FS_LONG_OPTIONS							\
	{ "device", required_argument, NULL, GETOPT_VAL_DEVICE },		\
	{ "force", no_argument, NULL, GETOPT_VAL_FORCE }

/* And into its usage text. */
#define OPEN_FS_USAGE								\
	"--device FILE      another device or image of the same file system (repeatable)",	\
	"--force            read although it is mounted or being written"

/* Zero it, then feed it the options that the command does not know. */
struct open_fs_options {
	const char **devices;
	unsigned int nr_devices;
	bool force;
	u64 cache_bytes;
};

/* True when @opt was one of ours. */
bool open_fs_parse(struct open_fs_options *opts, int opt, const char *arg);
void open_fs_options_free(struct open_fs_options *opts);

/*
 * Open @path for reading.  Refuses one that is mounted, also through a loop
 * device, unless forced.  All errors are said.  0 or negative errno.
 */
int open_fs_readonly(const char *path, const struct open_fs_options *opts,
		     const struct btrfs_open_args *more, struct btrfs_fs_info **ret);

/*
 * For what writes to @path, or opens it in a way of its own: -EBUSY, said, when it is
 * mounted, also through a loop device; 0 when not, or when it cannot be seen.
 */
int open_fs_refuse_mounted(const char *path);

/* Whether an output to @path would overwrite a device or image of the open file system. */
bool open_fs_is_own_device(const struct btrfs_fs_info *fs_info, const char *path);

#endif
