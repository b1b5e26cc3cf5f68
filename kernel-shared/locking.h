/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Send keeps relocation out, and the other way round.
 *
 * Send walks trees that relocation rewrites.  The two never run at once, neither
 * in one process (a count and a flag in fs_info, under a mutex) nor in two (the
 * lock file of the fsid).  These functions are the only way into either; what
 * else writes takes the side of relocation.
 */
#ifndef KERNEL_SHARED_LOCKING_H
#define KERNEL_SHARED_LOCKING_H

#include "common/lockfile.h"
#include "kernel-shared/fs.h"

/*
 * Begin a send of, or something that relocates or writes in, @fs_info; @what
 * names it for others ("send", "balance").  @wait_seconds as in
 * lock_wait_begin(); waiting is for other processes (and for who has opened the
 * file system a second time), since a thread that has the other side of this
 * fs_info is ours to order.
 *
 * -EAGAIN: the other side is running; reported, naming it.  -EINTR: a signal came
 * while waiting.  Where no lock file can be made, send relies on the lock of the
 * devices (said with -v), and what writes fails.  -EPERM: the file system was
 * opened with the lock of those who only read.
 */
int btrfs_send_begin(struct btrfs_fs_info *fs_info, int wait_seconds);
void btrfs_send_end(struct btrfs_fs_info *fs_info);
int btrfs_reloc_begin(struct btrfs_fs_info *fs_info, const char *what, int wait_seconds);
void btrfs_reloc_end(struct btrfs_fs_info *fs_info);

/*
 * For btrfs_open_fs(): take the lock file before the file system is looked at, so
 * that what is read is not about to change, and keep it until it is closed.
 */
int btrfs_pin_lockfile(struct btrfs_fs_info *fs_info, bool exclusive, const char *what,
		       int wait_seconds);

/* The lock file of the file system, for those who only look.  As lockfile_path(). */
int btrfs_lockfile_path(const u8 *fsid, char *path, size_t size);

#endif
