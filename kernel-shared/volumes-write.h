/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Writing to logical addresses.
 *
 * What is written reaches every copy that the profile keeps: each mirror of
 * DUP, RAID1* and RAID10, and for RAID5/6 the parities too.  A full stripe that
 * is written as a whole is computed and written without reading; of one that is
 * written in part, the rest is read first (rebuilt, where its device is missing
 * or fails) and the parities are made anew.
 *
 * All functions are safe for threads, provided that no two of them write the
 * same bytes at once: partial updates of one full stripe of RAID5/6 exclude one
 * another, and so does whoever rebuilds bytes from it (btrfs_read_logical()
 * with a mirror above 1).
 *
 * Nothing is durable before btrfs_flush_devices() has returned 0.
 *
 * A crash amid a partial update of a RAID5/6 full stripe may leave its parities
 * wrong for what stood in it before, as with the kernel (the "write hole"): such
 * data stays readable as long as the devices it stands on are there.
 */
#ifndef KERNEL_SHARED_VOLUMES_WRITE_H
#define KERNEL_SHARED_VOLUMES_WRITE_H

#include <sys/uio.h>

#include "kernel-shared/fs.h"

/*
 * Write @len bytes to @logical and on, out of @iov, across stripes and chunks.
 * No alignment is asked for; whole full stripes of RAID5/6 are by far the
 * cheapest.  Where neighbouring pieces of the range are neighbours on a device
 * too, they go there in one request.
 *
 * Devices that are missing are passed by as long as the bytes could be read
 * back from the others.
 *
 * -ENODEV: too many devices are missing.  -ENOENT: part of the range lies in no
 * chunk.  -EINVAL: @iov is shorter than @len.  -EROFS: a device of a seed.
 * -ENOMEM.  -EIO and others: from a device that is there; no copy more or less
 * makes up for that, since the device would be believed later.  After an error
 * any part of the range may have been written.  An error line names the device
 * (the first time that writing to it fails) or the address (-ENOMEM, -EINVAL: none).
 */
int btrfs_write_logical_iov(struct btrfs_fs_info *fs_info, u64 logical, u64 len,
			    const struct iovec *iov, int iovcnt);
int btrfs_write_logical(struct btrfs_fs_info *fs_info, u64 logical, u64 len, const void *buf);

/*
 * Make durable what was written so far, on every device that is there.  0 or
 * the first error, which has been reported; the other devices are flushed all
 * the same.
 */
int btrfs_flush_devices(struct btrfs_fs_info *fs_info);

#endif
