/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fault injector: a device in front of another, of which chosen calls fail.
 *
 *	// the third write and all after it: no space
 *	blockdev_open_faulty_dev(lower, &dev);
 *	blockdev_add_fault(dev, &(struct blockdev_fault){
 *		.op = BLOCKDEV_FAULT_WRITE, .err = -ENOSPC, .skip_calls = 2 });
 */
#ifndef COMMON_BLOCKDEV_FAULTY_H
#define COMMON_BLOCKDEV_FAULTY_H

#include "common/blockdev.h"

enum blockdev_fault_op {
	BLOCKDEV_FAULT_READ,
	BLOCKDEV_FAULT_WRITE,	/* also blockdev_zero() */
	BLOCKDEV_FAULT_DISCARD,
	BLOCKDEV_FAULT_RESIZE,
	BLOCKDEV_FAULT_FLUSH,	/* also what blockdev_commit() does */
};

/*
 * Which calls fail.  All that is left 0 limits nothing.  A call counts if it is of
 * kind @op and touches the range; of these the first @skip_calls pass, and so does what
 * fits into the first @skip_bytes; then @nr_calls fail.
 */
struct blockdev_fault {
	enum blockdev_fault_op op;
	int err;		/* negative errno; 0 for reads: every bit of the range inverted */
	u64 start;		/* the range, bytes; not for resize and flush */
	u64 len;		/* 0: up to the end */
	u64 skip_calls;
	u64 skip_bytes;
	u64 nr_calls;		/* 0: all from there on */
	bool partial;		/* a write that fails has written its first half */
};

/* Wrap @lower, which is taken over.  Without faults everything passes. */
int blockdev_open_faulty_dev(struct blockdev *lower, struct blockdev **ret);

/* Add a rule (copied) to those of @dev; the first that fits decides.  -ENOMEM. */
int blockdev_add_fault(struct blockdev *dev, const struct blockdev_fault *fault);

/* How many calls have been made to fail, inverted reads included. */
u64 blockdev_nr_faults(struct blockdev *dev);

/*
 * With one rule for reads: those of [start, start + len) fail with @err (negative
 * errno), or, with @err 0, come back with every bit of the range inverted.
 */
int blockdev_open_faulty(struct blockdev *lower, u64 start, u64 len, int err,
			 struct blockdev **ret);

#endif
