/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Undo files (common/undo-file.h) for devices of a btrfs: what tells such a device
 * from others, and what is always saved of it.
 */
#ifndef KERNEL_SHARED_UNDO_H
#define KERNEL_SHARED_UNDO_H

#include "common/blockdev-undo.h"
#include "kernel-shared/ondisk.h"

#define BTRFS_UNDO_ID_LEN	64

/* The first good superblock of @dev; false when there is none.  Nothing is printed. */
bool btrfs_undo_read_super(struct blockdev *dev, struct btrfs_super_block *sb);

/* The id of the device of @sb (NULL: of none, ""): its uuid, which no operation changes. */
void btrfs_undo_id(const struct btrfs_super_block *sb, char id[BTRFS_UNDO_ID_LEN]);

/*
 * blockdev_open_undo() with the id of the device, and with its superblocks saved: they
 * change with every commit, so that an undo notices when the file system has been
 * written since.  Takes over @lower, also when it fails.
 */
int btrfs_open_undo(struct blockdev *lower, struct undo_writer *writer, struct blockdev **ret);

#endif
