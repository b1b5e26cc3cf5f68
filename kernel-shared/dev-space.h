/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The space on the devices that no chunk uses, in memory.
 *
 * Seed devices and missing ones have none: nothing is ever allocated there.
 * Not for threads; whoever allocates chunks has it alone.
 */
#ifndef KERNEL_SHARED_DEV_SPACE_H
#define KERNEL_SHARED_DEV_SPACE_H

#include "kernel-shared/volumes.h"

/*
 * Where allocation begins on every device: boot loaders live before it, and the
 * first superblock.  Old file systems may have chunks there nevertheless.
 */
#define BTRFS_DEVICE_RANGE_RESERVED	((u64)SZ_1M)

struct btrfs_dev_space;

/* Every device of @fs_info as if empty: free from 1 MiB to its total_bytes.  -ENOMEM. */
int btrfs_new_dev_space(struct btrfs_fs_info *fs_info, struct btrfs_dev_space **ret);

/*
 * The same less what the device tree says is in use, and checked against the
 * chunk map: each stripe has exactly one device extent and the other way round.
 * Without a device tree (mkfs) the chunk map alone counts.
 *
 * -EUCLEAN: they differ, or overlap, or run past the end of a device
 * (reported).  -ENOMEM, or from reading the tree (reported).
 */
int btrfs_load_dev_space(struct btrfs_fs_info *fs_info, struct btrfs_dev_space **ret);

void btrfs_free_dev_space(struct btrfs_dev_space *space);	/* NULL is fine */

/*
 * Take [start, start + len) of device @devid.  What lies before 1 MiB may be
 * taken, but never counts as free.  -EEXIST: part of it is taken already, or
 * lies past the end of the device.  -ENODEV: nothing is known of that device.
 * -ENOMEM.
 */
int btrfs_dev_space_take(struct btrfs_dev_space *space, u64 devid, u64 start, u64 len);
/* Give it back.  -EINVAL: part of it is free already.  -ENODEV, -ENOMEM. */
int btrfs_dev_space_give(struct btrfs_dev_space *space, u64 devid, u64 start, u64 len);

/* A device was added, or its total_bytes have changed (it must have no chunk past them). */
int btrfs_dev_space_update_device(struct btrfs_dev_space *space, struct btrfs_device *dev);

/* One device as the allocator sees it. */
struct btrfs_dev_avail {
	struct btrfs_device *dev;
	u64 start;		/* where the hole begins */
	u64 max_avail;		/* its bytes, but not more than were asked for */
	u64 total_avail;	/* total_bytes less what is taken, reserved space included */
};

unsigned int btrfs_dev_space_nr_devices(const struct btrfs_dev_space *space);
/* Of the file system, bytes. */
u32 btrfs_dev_space_nodesize(const struct btrfs_dev_space *space);
/* Of all devices, the bytes they have (not only the free ones). */
u64 btrfs_dev_space_total_bytes(const struct btrfs_dev_space *space);
/*
 * The first hole of at least @want bytes on device number @i (of
 * btrfs_dev_space_nr_devices(), in the order of devids), or else the first of
 * its largest ones; max_avail is 0 when it is full.
 */
void btrfs_dev_space_find_hole(const struct btrfs_dev_space *space, unsigned int i, u64 want,
			       struct btrfs_dev_avail *ret);

#endif
