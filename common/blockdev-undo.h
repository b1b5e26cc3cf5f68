/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device that saves what is about to be overwritten, in front of one that is open
 * for writing: for --undo.  Before a write reaches the lower device, the old
 * content of the place is in the undo file, durably.
 *
 * To make that affordable it saves pieces of 64 KiB, each once, and for writes
 * that come one behind the other ever more of them in advance, up to 8 MiB, so
 * that a sync of the undo file stands for many writes.
 *
 * A discard is saved like any other write.  Who discards as a favour to the storage
 * rather than because the user wants it should leave that out here.
 */
#ifndef COMMON_BLOCKDEV_UNDO_H
#define COMMON_BLOCKDEV_UNDO_H

#include "common/blockdev.h"
#include "common/undo-file.h"

/*
 * Wrap @lower, which is taken over.  @writer is not; it must live longer, and may
 * serve several devices.  @id tells the device from others when it is undone
 * ("" if nothing does).  -EROFS: @lower is read-only.
 *
 * Closing the result flushes @lower and notes what the device is like then.  What
 * fails in that is told by undo_writer_close().
 */
int blockdev_open_undo(struct blockdev *lower, struct undo_writer *writer, const char *id,
		       struct blockdev **ret);

/*
 * Save the range now, whether it is going to be written or not: to have one sync for
 * many places, and because only what was saved is compared when the operation is
 * undone.  What tells one state of the image from the next, such as superblocks,
 * should be saved for that reason.  @dev is from blockdev_open_undo().
 */
int blockdev_undo_save(struct blockdev *dev, u64 offset, u64 len);

#endif
