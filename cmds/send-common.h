/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of "btrfs send" share:
 *
 *	send.c		options, and which of the others is called for
 *	send-subvols.c	the subvolumes that were named, and their streams
 *	send-estimate.c	--estimate
 *	send-all.c	--all-snapshots
 */
#ifndef CMDS_SEND_COMMON_H
#define CMDS_SEND_COMMON_H

#include "cmds/cmds.h"
#include "cmds/open-fs.h"
#include "common/output-file.h"
#include "common/progress.h"
#include "common/vec.h"
#include "kernel-shared/send.h"

struct send_options {
	struct open_fs_options open;
	const char *outfile;		/* NULL: standard output */
	const char *all_dir;		/* for all snapshots; NULL: those that are named */
	const char *parent;
	struct vec clone_sources;	/* of const char * */
	u32 proto;
	int wait_seconds;
	enum progress_mode progress;
	bool one_stream;
	bool no_data;
	bool compressed_data;
	bool skip_damaged;
	bool writable;
	bool estimate;
	bool json;
};

/* ---- send-subvols.c ---- */

/* The subvolumes that the options and operands name, once they are found. */
struct send_roots {
	struct btrfs_root *parent;
	struct vec clone_sources;	/* of struct btrfs_root * */
	struct btrfs_root **subvols;
	char **paths;
	unsigned int nr;
};

/*
 * Find all that is named: it must be there before the first byte is written.
 * Reported; free @roots in any case.
 */
int send_find_roots(struct btrfs_fs_info *fs_info, const struct send_options *opts, char **paths,
		    unsigned int nr, struct send_roots *roots);
void send_roots_free(struct send_roots *roots);

/* What is the same for every stream. */
void send_common_args(const struct send_options *opts, struct btrfs_send_args *args);
/* What to send for subvolume @index, the parent chosen; without an output.  Reported. */
int send_make_args(struct btrfs_fs_info *fs_info, const struct send_options *opts,
		   const struct send_roots *roots, unsigned int index,
		   struct btrfs_send_args *args);
/* Subvolume @index goes before those that follow: it may be their parent.  -ENOMEM. */
int send_add_sent(const struct send_options *opts, struct send_roots *roots, unsigned int index);

/* Where a stream goes, for the write callback. */
struct send_target {
	struct output_file *file;
	int error;			/* the callback's own, as opposed to those of send */
	bool left_out;			/* --skip-damaged had something to skip; reported */
};
/* Send what @args say, apart from where to; @name is for messages. */
int send_stream(struct btrfs_fs_info *fs_info, struct btrfs_send_args *args, const char *name,
		struct send_target *target);

/* "cannot write PATH: why"; returns @err. */
int send_write_error(const char *path, int err);

/* Send all of @roots to the chosen output, which becomes visible only when all went well. */
int send_to_output(struct btrfs_fs_info *fs_info, const struct send_options *opts,
		   struct send_roots *roots);

/* ---- send-estimate.c ---- */

/* Count without a word; *@bytes of all streams together.  @progress may be NULL. */
int send_count(struct btrfs_fs_info *fs_info, const struct send_options *opts,
	       struct send_roots *roots, struct progress *progress, u64 *bytes);
/* Count and print. */
int send_estimate(struct btrfs_fs_info *fs_info, const struct send_options *opts,
		  struct send_roots *roots);
/* "12.00MiB (12582912 bytes)". */
#define SEND_SIZE_LEN	64
const char *send_size_text(u64 bytes, char buf[SEND_SIZE_LEN]);

/* ---- send-all.c ---- */

/* Send everything into opts->all_dir or, with --estimate, print what would be sent. */
int send_all_snapshots(struct btrfs_fs_info *fs_info, const struct send_options *opts);

#endif
