/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Superblocks on their way to the devices: the last step of a commit.
 */
#ifndef KERNEL_SHARED_SUPER_WRITE_H
#define KERNEL_SHARED_SUPER_WRITE_H

#include "kernel-shared/volumes.h"

/*
 * Make what fs_info->super_copy describes the state of the file system.
 *
 * All devices are flushed; then the first copies are written and flushed, then
 * the others (64 MiB, 256 GiB, as far as they lie inside the device's
 * total_bytes) and flushed.  So the newest generation always stands in first
 * copies, and readers of either kind (the kernel looks at first copies alone,
 * others at the newest of all) agree about it: a younger second copy, left by a
 * crash, could name trees that a mount since then has overwritten.
 *
 * Each device gets its own device item (btrfs_set_dev_item()), bytenr and
 * checksum; super_copy itself is not changed.  Devices that are missing or
 * belong to a seed are left out.
 *
 * -EUCLEAN: super_copy would not pass btrfs_check_super(); nothing is written.
 * -ENODEV: there is no device to write to.  Otherwise from a device: writing
 * stops there, and either generation may be what is found next time.  Errors
 * are reported.
 */
int btrfs_write_supers(struct btrfs_fs_info *fs_info);

/* A root as the backup slots remember it. */
struct btrfs_backup_root_node {
	u64 bytenr;
	u64 generation;
	u8 level;
};

/* All zero for a tree that is not there. */
struct btrfs_backup_roots {
	struct btrfs_backup_root_node tree_root;
	struct btrfs_backup_root_node chunk_root;
	struct btrfs_backup_root_node extent_root;
	struct btrfs_backup_root_node fs_root;
	struct btrfs_backup_root_node dev_root;
	struct btrfs_backup_root_node csum_root;
};

/*
 * Put @roots, and total_bytes, bytes_used and num_devices as @sb has them now,
 * into the oldest of the four backup slots of @sb: the one after that with the
 * highest generation, or that one itself if it is of the same generation.
 */
void btrfs_set_super_backup(struct btrfs_super_block *sb, const struct btrfs_backup_roots *roots);

/*
 * The same with the trees that @fs_info has open, whose root nodes must be those
 * about to be committed, into its super_copy.  To be called after everything
 * else in super_copy is set and before btrfs_write_supers().
 */
void btrfs_backup_super_roots(struct btrfs_fs_info *fs_info);

#endif
