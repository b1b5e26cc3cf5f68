/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sending every snapshot of a file system: in which order, and each as the
 * difference from which other, so that the streams together are small.
 *
 * Steps come in the order in which their contents came to be (ctransid), and a
 * parent is always an earlier step, so the streams can be received in the order
 * of the plan.  Only relatives are compared: subvolumes that are snapshots of
 * one another, or of the same one, over any number of steps.  Of these some are
 * tried, each with its exact number of bytes: the nearest ancestor that is sent,
 * the nearest siblings and snapshots of it, and the nearest of all.  A full
 * stream is tried, too.
 */
#ifndef KERNEL_SHARED_SEND_PLAN_H
#define KERNEL_SHARED_SEND_PLAN_H

#include "common/vec.h"
#include "kernel-shared/send.h"

struct progress;

#define BTRFS_SEND_NO_PARENT	((u32)-1)

struct btrfs_send_step {
	struct btrfs_root *root;	/* owned by the fs_info */
	struct btrfs_root *parent;	/* NULL: a full stream */
	u32 parent_step;		/* its index, BTRFS_SEND_NO_PARENT without one */
	char *path;			/* from the top level, without a slash in front */
	char *name;			/* what the receiver calls it, no two steps the same */
	bool renamed;			/* since several are called alike; the name is the path then */
	u64 bytes;			/* of the stream */
};

struct btrfs_send_plan {
	struct vec steps;		/* of struct btrfs_send_step */
	u64 bytes;
};

struct btrfs_send_plan_args {
	struct btrfs_send_args send;	/* what all streams have in common: flags, protocol... */
	bool writable;			/* take all subvolumes, not only those that are read-only */
	struct progress *progress;	/* told of each step; NULL: of none */
};

/*
 * Make the plan; free it in any case.  Reads metadata alone, but much of it.
 * Subvolumes that are being deleted are left out.  0 or negative errno, which is
 * reported unless it is for lack of memory.
 */
int btrfs_send_plan_make(struct btrfs_fs_info *fs_info, const struct btrfs_send_plan_args *args,
			 struct btrfs_send_plan *plan);
void btrfs_send_plan_free(struct btrfs_send_plan *plan);

/* Put what a step sends into @send_args; what all have in common and the output are there. */
void btrfs_send_step_args(const struct btrfs_send_step *step, struct btrfs_send_args *send_args);

#endif
