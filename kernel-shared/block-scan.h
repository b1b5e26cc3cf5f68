/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Block devices of the machine that carry btrfs, as udev or libblkid see them.
 */
#ifndef KERNEL_SHARED_BLOCK_SCAN_H
#define KERNEL_SHARED_BLOCK_SCAN_H

/*
 * Call @fn with the path of each.  It returns 0 to go on; anything else ends
 * the walk and is returned.  The first asks udev's database, which costs no
 * access to a disk; the second probes every partition, for where udev is not.
 */
typedef int (*btrfs_block_fn)(const char *path, void *ctx);
int btrfs_for_each_udev_device(btrfs_block_fn fn, void *ctx);
int btrfs_for_each_probed_device(btrfs_block_fn fn, void *ctx);

#endif
