/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What mkfs is going to make, all defaults chosen and all checks done: the
 * command line (options.c) fills it, plan.c completes it, make.c carries it out.
 */
#ifndef MKFS_PLAN_H
#define MKFS_PLAN_H

#include <time.h>

#include "common/blockdev.h"
#include "common/progress.h"
#include "common/vec.h"
#include "kernel-shared/ondisk.h"
#include "mkfs/source.h"

/* A target.  devid is its place in mkfs_plan.devices plus 1. */
struct mkfs_device {
	const char *path;
	u64 size;			/* bytes that the file system uses, a multiple of the sector size */
	u8 uuid[BTRFS_UUID_SIZE];
	struct blockdev *bdev;		/* open for writing, and nothing on it is wanted any more */
	bool grows;			/* a new image file whose size follows from its content */
};

/* --subvol: a directory of the source that becomes a subvolume. */
struct mkfs_subvol_spec {
	const char *path;		/* relative to the root of the source */
	bool readonly;
	bool is_default;		/* the one that is mounted when none is named */
};

/* --inode-flags: BTRFS_INODE_* for a path of the source. */
struct mkfs_inode_flags_spec {
	const char *path;
	u64 flags;
};

struct mkfs_plan {
	struct vec devices;		/* of struct mkfs_device */
	bool devices_taken;		/* mkfs_make() closes them */
	u64 data_profile;		/* one of BTRFS_BLOCK_GROUP_PROFILE_MASK, 0: single */
	u64 metadata_profile;
	bool mixed;			/* data and metadata in the same block groups */
	u32 nodesize;			/* bytes */
	u32 sectorsize;
	u16 csum_type;
	u64 incompat;			/* feature words of the superblock, complete */
	u64 compat_ro;
	bool quota;			/* quota tree, accounting enabled */
	bool simple_quota;
	char label[BTRFS_LABEL_SIZE];

	u8 fsid[BTRFS_FSID_SIZE];
	u8 chunk_tree_uuid[BTRFS_UUID_SIZE];
	/*
	 * Every further uuid (subvolumes) comes from here: random, or derived from
	 * fsid so that two runs with -U are the same.
	 */
	bool derive_uuids;
	struct timespec now;		/* of everything that the source gives no time for */

	/* --rootdir and what belongs to it. */
	struct mkfs_source *source;	/* NULL: an empty file system */
	struct vec subvols;		/* of struct mkfs_subvol_spec */
	struct vec inode_flags;		/* of struct mkfs_inode_flags_spec */
	u8 compression;			/* BTRFS_COMPRESS_*, for all files */
	int compression_level;		/* 0: the algorithm's default */
	bool shrink;			/* the least size that works; one device, an image file */
	unsigned int nr_threads;	/* 0: as many as there are CPUs */
	bool no_discard;
	bool dry_run;			/* new images do not get their names */
	enum progress_mode progress;
};

/* What came out, for the summary. */
struct mkfs_result {
	u64 total_bytes;		/* of all devices */
	u64 bytes_used;
	u64 data_bytes;			/* of the chunks, counted once whatever the profile */
	u64 metadata_bytes;
	u64 system_bytes;
};

/*
 * Make the file system on the plan's devices.  The superblocks come last: until
 * then the devices hold nothing that looks like a file system.  Says what goes
 * wrong; 0 or negative errno.  -ENOSPC: too small, with the size that would do.
 */
int mkfs_make(struct mkfs_plan *plan, struct mkfs_result *result);

/*
 * Discard the devices, and wipe where signatures of other formats are.  For
 * mkfs_make(), which calls it when everything that can be refused has been.
 */
int mkfs_prepare_devices(struct mkfs_plan *plan);

/* A uuid for @what and @number: random, or derived from the fsid and these. */
void mkfs_new_uuid(const struct mkfs_plan *plan, const char *what, u64 number, u8 *uuid);

#endif
