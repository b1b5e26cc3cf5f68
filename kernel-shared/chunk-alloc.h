/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a new chunk goes: policy alone, no trees.
 *
 * btrfs_plan_chunk() decides as the kernel does and takes the space from a
 * struct btrfs_dev_space.  The caller adds the map to the file system
 * (btrfs_add_chunk_map() in volumes.h) and writes the items, whose bytes the
 * functions at the end make.
 */
#ifndef KERNEL_SHARED_CHUNK_ALLOC_H
#define KERNEL_SHARED_CHUNK_ALLOC_H

#include "kernel-shared/dev-space.h"

/* The rules of one profile. */
struct btrfs_raid_attr {
	u64 profile;		/* bit of the block group flags; 0: single */
	u8 sub_stripes;
	u8 dev_stripes;		/* stripes on each device */
	u8 devs_max;		/* 0: as many as there are */
	u8 devs_min;
	u8 devs_increment;	/* their number is a multiple of it */
	u8 ncopies;
	u8 nparity;
	u8 tolerated_failures;	/* devices that may be lost */
};

/* Of the profile bits in @flags; NULL when they are more than one. */
const struct btrfs_raid_attr *btrfs_raid_attr(u64 flags);

/* What is wanted; all but @type may be 0. */
struct btrfs_chunk_request {
	u64 type;		/* of the block group: DATA, METADATA or SYSTEM, and profile */
	u64 logical;		/* where the chunk will begin; see btrfs_next_chunk_logical() */
	/*
	 * The chunk's length is not to be above this (but each stripe has 64 KiB
	 * at least).  0: as in the kernel (data 10 GiB,
	 * metadata 1 GiB, or 256 MiB on 50 GiB or less, system 32 MiB, and never
	 * more than a tenth of the devices; where that cuts a stripe, it is
	 * rounded up to 16 MiB).
	 */
	u64 max_chunk_size;
	/* The same for the bytes on one device; never more than 1 GiB.  0: max_chunk_size. */
	u64 max_stripe_size;
};

/*
 * Choose devices, size and places for a chunk and take them from @space.
 * As many devices as the profile allows take part; those with the largest hole
 * come first, then those with most free space, then those with the lowest
 * devid.  The result is the caller's: to hand to btrfs_add_chunk_map(), or to
 * btrfs_unplan_chunk().
 *
 * -ENOSPC: not enough devices with a hole of at least 64 KiB for each stripe
 * (nothing is printed).  -EINVAL: @req makes no sense.  -ENOMEM.
 */
int btrfs_plan_chunk(struct btrfs_dev_space *space, const struct btrfs_chunk_request *req,
		     struct btrfs_chunk_map **ret);

/* Give the space of @map back, whether planned or of a chunk that is removed.  -EINVAL, -ENOMEM. */
int btrfs_unplan_chunk(struct btrfs_dev_space *space, const struct btrfs_chunk_map *map);

/* The address behind all chunks of @fs_info; 1 MiB when there is none. */
u64 btrfs_next_chunk_logical(const struct btrfs_fs_info *fs_info);

/* ---- items ---- */

/* The CHUNK_ITEM of @map: btrfs_chunk_item_size(map->num_stripes) bytes at @chunk. */
void btrfs_chunk_item_from_map(const struct btrfs_fs_info *fs_info,
			       const struct btrfs_chunk_map *map, struct btrfs_chunk *chunk);
/*
 * The DEV_EXTENT that each stripe of @map has; its key is (devid, DEV_EXTENT,
 * stripes[i].physical).
 */
void btrfs_dev_extent_from_map(const struct btrfs_fs_info *fs_info,
			       const struct btrfs_chunk_map *map, struct btrfs_dev_extent *extent);

/*
 * Append the chunk to the system chunk array of @sb.  -EFBIG: the array is full.
 * -EEXIST: it has one at that address.  -EUCLEAN: the array is damaged.
 */
int btrfs_add_system_chunk(const struct btrfs_fs_info *fs_info, struct btrfs_super_block *sb,
			   const struct btrfs_chunk_map *map);
/* Take it out again.  -ENOENT: there is none.  -EUCLEAN: the array is damaged. */
int btrfs_del_system_chunk(struct btrfs_super_block *sb, u64 logical);

#endif
