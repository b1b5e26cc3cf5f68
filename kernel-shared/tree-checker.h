/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a tree block must be like before anyone else may look at it.
 *
 * On return of 0 the rest of the code relies on this, for a leaf: keys are
 * strictly ascending; every item's data lies inside the block, behind the
 * item headers, items back to back without overlap; every item of a known
 * type has at least the fixed size of its struct, and every length inside
 * (names, inline refs, stripes, arrays) stays inside the item; enumerations
 * (file extent type, compression, dir type, inline ref type, chunk profile)
 * are known values, counts that must not be 0 are not, addresses and lengths
 * are aligned to the sector size where the format demands it and sums do not
 * overflow.  For a node: 1 to the maximum of pointers, ascending keys, block
 * pointers aligned and not 0, generations not 0.
 */
#ifndef KERNEL_SHARED_TREE_CHECKER_H
#define KERNEL_SHARED_TREE_CHECKER_H

#include "kernel-shared/fs.h"

/* The reason for -EUCLEAN, in a buffer of the caller's. */
struct btrfs_check_report {
	char text[256];
};

/*
 * Check @eb, whose header fields (nritems, level, owner, generation) are
 * filled in from its data.  0 or -EUCLEAN with the reason in @report.  Prints
 * nothing, allocates nothing, safe for threads.
 */
int btrfs_check_leaf(const struct extent_buffer *eb, struct btrfs_check_report *report);
int btrfs_check_node(const struct extent_buffer *eb, struct btrfs_check_report *report);

/*
 * Whether a block with this owner may stand in the tree of @root_owner
 * (0: any).  Snapshots share blocks, so any file tree may own another's.
 */
int btrfs_check_eb_owner(const struct extent_buffer *eb, u64 root_owner);

#endif
