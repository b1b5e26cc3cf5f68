/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the subvolume commands share: the table of all subvolumes, read in one
 * walk of the root tree, and the commands themselves.
 */
#ifndef CMDS_SUBVOLUME_COMMON_H
#define CMDS_SUBVOLUME_COMMON_H

#include "cmds/cmds.h"
#include "common/hashtable.h"
#include "common/vec.h"
#include "kernel-shared/fs.h"

extern const struct cmd cmd_subvolume_list;
extern const struct cmd cmd_subvolume_show;

struct subvol {
	u64 id;
	u64 snapshot_gen;	/* generation in which it was made as a snapshot, else 0 */
	u64 parent;		/* the subvolume that has its name; 0: deleted, or the top level */
	char *name;		/* NULL where @parent is 0 */
	struct btrfs_root_item item;
};

/* In order of ids, the top level first.  Not changed once it is loaded. */
struct subvol_table {
	struct vec subvols;	/* struct subvol */
	struct u64_map by_id;	/* into @subvols */
};

/* 0 or negative errno, which is said.  Free it in both cases. */
int subvol_table_load(struct btrfs_fs_info *fs_info, struct subvol_table *table);
void subvol_table_free(struct subvol_table *table);
const struct subvol *subvol_find(const struct subvol_table *table, u64 id);

/*
 * What a failed look-up means to the user, as ERROR line: "cannot WHAT: why".
 * Silent for -EIO, which the reading of blocks has told about, with addresses.
 */
void subvol_error(int ret, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* UUID in text, or "-" for one that is all zero. */
#define SUBVOL_UUID_LEN		37
void subvol_uuid_text(const u8 *uuid, char text[SUBVOL_UUID_LEN]);
/* Local time as strftime() has it in @format, or "-" for none. */
#define SUBVOL_TIME_LEN		64
void subvol_time_text(const struct btrfs_timespec *ts, const char *format,
		      char text[SUBVOL_TIME_LEN]);

struct format_ctx;
/* The same for JSON, where none is null. */
void subvol_format_uuid(struct format_ctx *ctx, const char *key, const u8 *uuid);
void subvol_format_time(struct format_ctx *ctx, const char *key, const struct btrfs_timespec *ts);
/* Write the document; the exit code. */
int subvol_format_end(struct format_ctx *ctx);

#endif
