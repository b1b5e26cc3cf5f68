/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A set of ranges of addresses, found by place and by size: the free space of a
 * block group in memory, and the pinned space of a transaction.
 */
#ifndef KERNEL_SHARED_FREE_SPACE_H
#define KERNEL_SHARED_FREE_SPACE_H

#include "common/rbtree.h"

struct btrfs_free_extent {
	struct rb_node by_offset;
	struct rb_node by_size;
	u64 start;
	u64 len;
};

struct btrfs_free_space {
	struct rb_root by_offset;
	struct rb_root by_size;		/* ascending, and by start within one size */
	u64 bytes;
	u64 nr_extents;
};

/* Add a range; neighbours become one.  -EEXIST: part of it is there already.  -ENOMEM. */
int btrfs_free_space_add(struct btrfs_free_space *space, u64 start, u64 len);
/* Take out a range all of which is there.  -ENOENT: it is not.  -ENOMEM. */
int btrfs_free_space_take(struct btrfs_free_space *space, u64 start, u64 len);
/* Take out whatever of a range is there.  -ENOMEM: some of it may be left. */
int btrfs_free_space_exclude(struct btrfs_free_space *space, u64 start, u64 len);
void btrfs_free_space_clear(struct btrfs_free_space *space);

/* The first extent that ends behind @start, or NULL. */
struct btrfs_free_extent *btrfs_free_space_first(const struct btrfs_free_space *space, u64 start);
struct btrfs_free_extent *btrfs_free_space_next(const struct btrfs_free_extent *extent);
/* The largest one; of equal ones the last.  NULL: nothing is there. */
struct btrfs_free_extent *btrfs_free_space_largest(const struct btrfs_free_space *space);
/* The smallest one that has at least @len bytes, or NULL. */
struct btrfs_free_extent *btrfs_free_space_best_fit(const struct btrfs_free_space *space, u64 len);

#endif
