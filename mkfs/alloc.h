/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Block groups of the file system being made, and the places in them.  Each
 * kind of block group is filled from its start; a new chunk is made when the last
 * one is full.  Places of superblock copies are stepped over.
 */
#ifndef MKFS_ALLOC_H
#define MKFS_ALLOC_H

#include "common/vec.h"
#include "kernel-shared/chunk-alloc.h"
#include "kernel-shared/super-stripes.h"
#include "mkfs/plan.h"

struct mkfs_range {
	u64 start;		/* logical, bytes */
	u64 len;
};

struct mkfs_block_group {
	u64 start;
	u64 length;
	u64 flags;		/* BTRFS_BLOCK_GROUP_* */
	u64 used;		/* bytes */
	u64 cursor;		/* everything from here on is free */
	struct vec excluded;	/* of struct btrfs_super_stripe, ascending */
	struct vec skipped;	/* of struct mkfs_range, ascending: free, but behind the cursor */
};

/* A tree block, for the extent tree. */
struct mkfs_tree_block {
	u64 bytenr;
	u64 owner;
	u64 generation;
	u8 level;
};

struct mkfs_alloc;

int mkfs_alloc_create(struct btrfs_fs_info *fs_info, const struct mkfs_plan *plan,
		      struct mkfs_alloc **ret);
void mkfs_alloc_free(struct mkfs_alloc *alloc);

/*
 * Up to @len bytes for data in one piece: *@got of them, at least @min.
 * -ENOSPC.  All are multiples of the sector size.
 */
int mkfs_alloc_data(struct mkfs_alloc *alloc, u64 len, u64 min, u64 *bytenr, u64 *got);

/* A tree block, which is remembered. */
int mkfs_alloc_block(struct mkfs_alloc *alloc, u64 owner, u8 level, u64 generation, u64 *bytenr);

/* Give bytes back; their place stays free.  -ENOENT: not in a block group. */
int mkfs_free_range(struct mkfs_alloc *alloc, u64 start, u64 len);
/* The same for a tree block, which is forgotten. */
int mkfs_free_block(struct mkfs_alloc *alloc, u64 bytenr);
/* Whether the level of the block was another one before. */
bool mkfs_set_block_level(struct mkfs_alloc *alloc, u64 bytenr, u8 level);

/* By start address.  The chunk of each is in the fs_info's chunk map. */
const struct vec *mkfs_alloc_groups(struct mkfs_alloc *alloc);	/* of struct mkfs_block_group * */
/* By address. */
struct vec *mkfs_alloc_blocks(struct mkfs_alloc *alloc);	/* of struct mkfs_tree_block */

#endif
