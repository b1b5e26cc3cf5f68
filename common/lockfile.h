/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Lock files that say who holds them.
 *
 * The lock is an open-file-description lock, so the kernel drops it with the
 * process and nothing is ever stale; any number of holders may share it, or one
 * has it alone.  Each holder also writes a line about itself into a slot of the
 * file and locks that too: a line counts only as long as its writer lives.
 */
#ifndef BTRFS_COMMON_LOCKFILE_H
#define BTRFS_COMMON_LOCKFILE_H

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>
#include "common/types.h"

struct lockfile;

/* ---- waiting ---- */

#define LOCKFILE_WAIT_FOREVER	(-1)

/*
 * A lock cannot be waited for with a time limit, so those who wait ask again
 * every so often:
 *
 *	lock_wait_begin(&wait, wait_seconds);
 *	do {
 *		ret = ask();
 *	} while (ret == -EAGAIN && !(ret = lock_wait_pause(&wait)));
 */
struct lock_wait {
	struct timespec start;
	int seconds;
};

/* @wait_seconds: 0 not at all, LOCKFILE_WAIT_FOREVER without limit. */
void lock_wait_begin(struct lock_wait *wait, int wait_seconds);

/* 0: a moment has passed, ask again.  -EAGAIN: the time is over.  -EINTR: a signal came. */
int lock_wait_pause(const struct lock_wait *wait);

/* ---- lock files ---- */

/* Who holds a lock. */
struct lockfile_holder {
	pid_t pid;
	bool exclusive;
	time_t since;
	char what[64];		/* what it does: "send", "balance" */
};

#define LOCKFILE_MAX_HOLDERS	64

/*
 * The path of the lock file @name: in $BTRFS_LOCK_DIR, else /run/lock/btrfs
 * (which is made), else, for those who may not write there, in btrfs/ below
 * $XDG_RUNTIME_DIR.  -ENOENT: there is no such place.  @size bytes at @path.
 */
int lockfile_path(const char *name, char *path, size_t size);

/*
 * Take the lock at @path, shared or exclusive, as @what, without waiting.
 *
 * -EAGAIN: held by others; lockfile_holders() tells by whom.  Otherwise what
 * open(2) and fcntl(2) say.  Prints nothing.
 */
int lockfile_acquire(const char *path, bool exclusive, const char *what, struct lockfile **ret);

/* NULL is fine. */
void lockfile_release(struct lockfile *lock);

/*
 * Who holds the lock at @path now: up to @max entries, in the order of slots.
 * The number of them, 0 when there is no such file, or negative errno.
 */
int lockfile_holders(const char *path, struct lockfile_holder *holders, int max);

#endif
