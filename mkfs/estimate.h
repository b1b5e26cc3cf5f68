/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How large a file system has to be for its content, before anything is written.
 */
#ifndef MKFS_ESTIMATE_H
#define MKFS_ESTIMATE_H

#include "mkfs/plan.h"

/* A sensible size in bytes for a new image: the content, and some room to work in. */
u64 mkfs_estimate_size(const struct mkfs_plan *plan);

/*
 * -ENOSPC, said with the size that would do, when the content cannot fit into the
 * plan's devices.  What compression will save is not known and not counted on:
 * with it only the metadata is.
 */
int mkfs_check_content_fits(const struct mkfs_plan *plan);

#endif
