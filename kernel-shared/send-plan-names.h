/* SPDX-License-Identifier: GPL-2.0-only */
/* Names for the receiver, when many subvolumes come to lie in one directory; for send-plan.c. */
#ifndef KERNEL_SHARED_SEND_PLAN_NAMES_H
#define KERNEL_SHARED_SEND_PLAN_NAMES_H

#include "common/vec.h"

/*
 * Each step has its own name at first.  Where several are called alike, each of
 * them gets its path as name, with dashes for the slashes, and if that does not
 * tell them apart or is too long, its id behind it.  -ENOMEM.
 */
int btrfs_send_plan_names(struct vec *steps);

#endif
