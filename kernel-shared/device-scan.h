/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The pool: every device or image that was opened for one file system, before
 * and after the chunk tree says which of them it knows.
 *
 * It holds at most one entry for each pair of device uuid and fsid, and owns
 * the block devices.  Filled by btrfs_scan_devices() (volumes.h).
 */
#ifndef KERNEL_SHARED_DEVICE_SCAN_H
#define KERNEL_SHARED_DEVICE_SCAN_H

#include <sys/types.h>

#include "common/vec.h"
#include "kernel-shared/volumes.h"

struct btrfs_pool_device {
	struct blockdev *bdev;
	dev_t rdev;			/* of a block device; 0 for a file */
	u64 devid;
	u8 uuid[BTRFS_UUID_SIZE];
	u8 fsid[BTRFS_FSID_SIZE];	/* as device items carry it; its own for a seed */
	u64 generation;
	bool given;			/* by name, not found by looking around */
	bool used;			/* the chunk tree knows it */
};

struct btrfs_device_pool {
	struct vec devices;		/* struct btrfs_pool_device */
};

/*
 * The entry for a device, marked as used, or NULL.  @fsid NULL: of a device
 * that only a chunk has named so far; the file system's own is preferred to a
 * seed's.
 */
const struct btrfs_pool_device *btrfs_pool_take(const struct btrfs_fs_info *fs_info,
						const u8 *uuid, const u8 *fsid);

/* Once all devices are known: close what no one took, with a warning if it was given. */
void btrfs_pool_close_unused(struct btrfs_device_pool *pool);
void btrfs_pool_free(struct btrfs_device_pool *pool);

#endif
