/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Finding subvolumes by UUID: their own, or the one that they were received
 * with.
 */
#ifndef KERNEL_SHARED_UUID_TREE_H
#define KERNEL_SHARED_UUID_TREE_H

#include "kernel-shared/fs.h"

struct btrfs_trans_handle;

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

/*
 * Note in the uuid tree, or no longer, that the subvolume has this uuid (@type as
 * above).  Nothing happens without a uuid tree, for a uuid that is all zero, and
 * for an entry that is there (not there) already.
 */
int btrfs_uuid_tree_add(struct btrfs_trans_handle *trans, const u8 *uuid, u8 type, u64 subvolid);
int btrfs_uuid_tree_remove(struct btrfs_trans_handle *trans, const u8 *uuid, u8 type,
			   u64 subvolid);

#endif
