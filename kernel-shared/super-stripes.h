/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Superblock copies that lie inside a chunk.  Their places never hold anything
 * else, and count as neither used nor free.
 */
#ifndef KERNEL_SHARED_SUPER_STRIPES_H
#define KERNEL_SHARED_SUPER_STRIPES_H

#include "common/vec.h"
#include "kernel-shared/volumes.h"

struct btrfs_super_stripe {
	u64 logical;		/* bytes, as @len */
	u64 len;		/* a stripe; of RAID5/6 a full one */
};

/*
 * Append to @stripes (of struct btrfs_super_stripe) the ranges of the chunk that
 * share a stripe with a superblock copy, ascending, each once.  -ENOMEM.
 */
int btrfs_find_super_stripes(const struct btrfs_chunk_map *map, struct vec *stripes);

#endif
