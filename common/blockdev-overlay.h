/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device whose writes stay in memory, in front of one that is only read: for
 * --dry-run.  Reads see what was written.  Nothing is left of it when it is closed.
 *
 * Memory goes by what is written (in pieces of 16 KiB); ranges of zeros, however
 * long, take next to none.
 */
#ifndef COMMON_BLOCKDEV_OVERLAY_H
#define COMMON_BLOCKDEV_OVERLAY_H

#include "common/blockdev.h"

struct blockdev_overlay_stats {
	u64 nr_writes;		/* calls of blockdev_pwritev() */
	u64 bytes_written;	/* by them, the same place counted each time */
	u64 bytes_changed;	/* kept in memory, in sectors of 4 KiB */
	u64 bytes_zeroed;	/* below ranges that were zeroed or discarded */
	u64 nr_flushes;
};

/* Wrap @lower, which may be open for reading only and is taken over.  -ENOMEM. */
int blockdev_open_overlay(struct blockdev *lower, struct blockdev **ret);

/* @dev is an overlay. */
void blockdev_overlay_stats(struct blockdev *dev, struct blockdev_overlay_stats *stats);

#endif
