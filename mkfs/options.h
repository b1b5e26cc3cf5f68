/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The command line of mkfs: what was said, not yet what follows from it.
 */
#ifndef MKFS_OPTIONS_H
#define MKFS_OPTIONS_H

#include "cmds/cmds.h"
#include "common/progress.h"
#include "mkfs/plan.h"

struct mkfs_options {
	const char *data_profile;	/* NULL where the option was not given, as below */
	const char *metadata_profile;
	bool mixed;
	u32 nodesize;			/* 0: not given */
	u32 sectorsize;
	u64 byte_count;			/* of each device; 0: not given */
	const char *label;
	const char *csum;
	bool have_uuid, have_device_uuid;
	u8 uuid[BTRFS_UUID_SIZE];
	u8 device_uuid[BTRFS_UUID_SIZE];
	u64 incompat;
	u64 compat_ro;
	bool quota, simple_quota;
	bool force;
	bool no_discard;
	bool dry_run;
	const char *undo;
	enum progress_mode progress;

	bool have_source;
	struct source_options source;
	struct vec subvols;		/* of struct mkfs_subvol_spec */
	struct vec inode_flags;		/* of struct mkfs_inode_flags_spec */
	unsigned int compression;
	int compression_level;
	bool shrink;
	unsigned int nr_threads;

	char **devices;
	unsigned int nr_devices;
};

extern const char *const mkfs_usage[];

#define MKFS_OPTIONS_DONE	(-2)	/* help or a list was printed */

/* 0, MKFS_OPTIONS_DONE, or the exit code with the reason printed. */
int mkfs_parse_options(const struct cmd *cmd, int argc, char **argv, struct mkfs_options *opts);
void mkfs_options_free(struct mkfs_options *opts);

/* ---- features.c ---- */

/*
 * Change the defaults by a list as -O and -R take it: names, with ^ before those that
 * are not wanted.  -EINVAL, said.  1: "list-all", and the list was printed.
 */
int mkfs_parse_features(const char *list, struct mkfs_options *opts);
void mkfs_default_features(struct mkfs_options *opts);
/* Names for the summary: "extref, no-holes", or "" for none. */
void mkfs_feature_names(u64 incompat, u64 compat_ro, bool quota, bool simple_quota,
			char *incompat_names, char *runtime_names, size_t size);

/* The profile bit of "raid1"; -EINVAL. */
int mkfs_parse_profile(const char *name, u64 *profile);

/* ---- plan.c ---- */

/* Choose defaults, and refuse what does not go together.  Devices not included. */
int mkfs_make_plan(const struct cmd *cmd, const struct mkfs_options *opts, struct mkfs_plan *plan);
/* When the devices are known: are they enough, and large enough? */
int mkfs_check_devices(const struct mkfs_options *opts, const struct mkfs_plan *plan);

/* ---- device.c ---- */

struct undo_writer;

/*
 * Open, or create, the targets into plan->devices.  Refuses what is mounted, and,
 * unless forced, what holds something.  Nothing is written yet.
 */
int mkfs_open_devices(const struct mkfs_options *opts, struct mkfs_plan *plan,
		      struct undo_writer **undo);
/* Close those that mkfs_make() did not take over. */
void mkfs_close_devices(struct mkfs_plan *plan);

/* The least bytes of a device for these. */
u64 mkfs_min_device_size(const struct mkfs_plan *plan);

#endif
