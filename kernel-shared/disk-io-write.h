/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Dirty tree blocks on their way to the devices; for transaction.c.
 */
#ifndef KERNEL_SHARED_DISK_IO_WRITE_H
#define KERNEL_SHARED_DISK_IO_WRITE_H

#include "kernel-shared/transaction.h"

/*
 * Write the dirty blocks of levels up to @max_level to every copy: neighbours
 * in one request, in physical order, checksums and I/O in all threads.  Each is
 * checked by the tree-checker first, so that nothing is written that could not
 * be read.  The blocks then leave the transaction for the block cache; they
 * have the WRITTEN flag and are not to be changed any more.
 *
 * Nothing is flushed.  Errors are said: -EUCLEAN for a block that is not as it
 * should be, else from volumes-write.h.  After an error the blocks stay dirty.
 */
int btrfs_write_dirty_blocks(struct btrfs_transaction *transaction, u8 max_level);

#endif
