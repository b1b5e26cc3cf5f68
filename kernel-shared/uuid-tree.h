/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Finding subvolumes by UUID: their own, or the one that they were received
 * with.
 */
#ifndef KERNEL_SHARED_UUID_TREE_H
#define KERNEL_SHARED_UUID_TREE_H

#include "kernel-shared/fs.h"

/*
 * Visit every subvolume that has @uuid as its own (@type BTRFS_UUID_KEY_SUBVOL)
 * or as its received one (BTRFS_UUID_KEY_RECEIVED_SUBVOL), in order of ids.
 * Subvolumes that are being deleted are left out.  @fn returns 0 to go on;
 * anything else ends the walk and is returned.
 *
 * The uuid tree is asked where it is up to date; every answer is compared with
 * the root item.  Otherwise all root items are read.
 */
typedef int (*btrfs_uuid_fn)(struct btrfs_fs_info *fs_info, u64 subvolid,
			     const struct btrfs_root_item *item, void *ctx);
int btrfs_for_each_uuid(struct btrfs_fs_info *fs_info, const u8 *uuid, u8 type, btrfs_uuid_fn fn,
			void *ctx);

/* The first one.  0, -ENOENT or another negative errno. */
int btrfs_find_subvol_by_uuid(struct btrfs_fs_info *fs_info, const u8 *uuid, u64 *subvolid);
int btrfs_find_subvol_by_received_uuid(struct btrfs_fs_info *fs_info, const u8 *uuid,
				       u64 *subvolid);

#endif
