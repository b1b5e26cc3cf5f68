// SPDX-License-Identifier: GPL-2.0-only
/*
 * The exclusion of send and relocation; see the header.
 *
 * All sends of one fs_info share one lock on the file: the first takes it, the
 * last gives it back, unless it was taken when the file system was opened.
 */
#include "kernel-shared/locking.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <uuid/uuid.h>

#include "common/message.h"

int btrfs_lockfile_path(const u8 *fsid, char *path, size_t size)
{
	char name[UUID_STR_LEN + sizeof(".lock")];

	uuid_unparse_lower(fsid, name);
	strcat(name, ".lock");
	return lockfile_path(name, path, size);
}

/* The one line that says who is in the way. */
static void report_holders(const struct btrfs_fs_info *fs_info, const char *what)
{
	struct lockfile_holder holders[LOCKFILE_MAX_HOLDERS];
	char path[PATH_MAX], since[32] = "?";
	struct tm tm;
	int nr = btrfs_lockfile_path(fs_info->fsid, path, sizeof(path));

	if (!nr)
		nr = lockfile_holders(path, holders, LOCKFILE_MAX_HOLDERS);
	if (nr <= 0) {
		error("cannot %s: %s is in use by another process", what, fs_info->name);
		return;
	}
	if (localtime_r(&holders[0].since, &tm))
		strftime(since, sizeof(since), "%F %T", &tm);
	if (nr == 1)
		error("cannot %s: %s is in use by %s (pid %d, since %s)", what, fs_info->name,
		      holders[0].what, (int)holders[0].pid, since);
	else
		error("cannot %s: %s is in use by %d processes, the first of them %s (pid %d, since %s)",
		      what, fs_info->name, nr, holders[0].what, (int)holders[0].pid, since);
}

/*
 * Try to take the file's lock for this process.  -EAGAIN: others have it; nothing
 * has been said.  Called with excl_lock held, or before there are threads.
 */
static int try_lockfile(struct btrfs_fs_info *fs_info, bool exclusive, const char *what)
{
	char path[PATH_MAX];
	int ret = btrfs_lockfile_path(fs_info->fsid, path, sizeof(path));

	if (!ret)
		ret = lockfile_acquire(path, exclusive, what, &fs_info->lockfile);
	if (!ret || ret == -EAGAIN)
		return ret;
	if (exclusive) {
		error("cannot %s: no lock file for %s: %s", what, fs_info->name, errno_text(ret));
		return ret;
	}
	pr_verbose(1, "no lock file for %s (%s); only its devices are locked", fs_info->name,
		   errno_text(ret));
	return 0;
}

int btrfs_pin_lockfile(struct btrfs_fs_info *fs_info, bool exclusive, const char *what,
		       int wait_seconds)
{
	struct lock_wait wait;
	int ret;

	fs_info->lockfile_pinned = true;
	fs_info->lockfile_exclusive = exclusive;
	lock_wait_begin(&wait, wait_seconds);
	do {
		ret = try_lockfile(fs_info, exclusive, what);
	} while (ret == -EAGAIN && !(ret = lock_wait_pause(&wait)));
	if (ret == -EAGAIN)
		report_holders(fs_info, what);
	return ret;
}

/* What within this process forbids the side; said here.  Called with excl_lock held. */
static int refuse_here(const struct btrfs_fs_info *fs_info, bool reloc, const char *what)
{
	if (fs_info->reloc_running) {
		error("cannot %s: %s is being relocated by this process", what, fs_info->name);
		return -EAGAIN;
	}
	if (!reloc)
		return 0;
	if (fs_info->sends_running) {
		error("cannot %s: %s is being sent by %u threads of this process", what,
		      fs_info->name, fs_info->sends_running);
		return -EAGAIN;
	}
	if (fs_info->lockfile_pinned && !fs_info->lockfile_exclusive) {
		error("cannot %s: %s was opened only for reading", what, fs_info->name);
		return -EPERM;
	}
	return 0;
}

static int begin(struct btrfs_fs_info *fs_info, bool reloc, const char *what, int wait_seconds)
{
	struct lock_wait wait;
	int ret;

	lock_wait_begin(&wait, wait_seconds);
	pthread_mutex_lock(&fs_info->excl_lock);
	while (!(ret = refuse_here(fs_info, reloc, what))) {
		ret = fs_info->lockfile ? 0 : try_lockfile(fs_info, reloc, what);
		if (ret != -EAGAIN)
			break;
		/* Who waits does not keep other threads from being answered. */
		pthread_mutex_unlock(&fs_info->excl_lock);
		ret = lock_wait_pause(&wait);
		if (ret == -EAGAIN)
			report_holders(fs_info, what);
		if (ret)
			return ret;
		pthread_mutex_lock(&fs_info->excl_lock);
	}
	if (!ret && reloc)
		fs_info->reloc_running = true;
	else if (!ret)
		fs_info->sends_running++;
	pthread_mutex_unlock(&fs_info->excl_lock);
	return ret;
}

int btrfs_send_begin(struct btrfs_fs_info *fs_info, int wait_seconds)
{
	return begin(fs_info, false, "send", wait_seconds);
}

int btrfs_reloc_begin(struct btrfs_fs_info *fs_info, const char *what, int wait_seconds)
{
	return begin(fs_info, true, what, wait_seconds);
}

static void unlock_against_processes(struct btrfs_fs_info *fs_info)
{
	if (fs_info->lockfile_pinned)
		return;
	lockfile_release(fs_info->lockfile);
	fs_info->lockfile = NULL;
}

void btrfs_send_end(struct btrfs_fs_info *fs_info)
{
	pthread_mutex_lock(&fs_info->excl_lock);
	if (--fs_info->sends_running == 0)
		unlock_against_processes(fs_info);
	pthread_mutex_unlock(&fs_info->excl_lock);
}

void btrfs_reloc_end(struct btrfs_fs_info *fs_info)
{
	pthread_mutex_lock(&fs_info->excl_lock);
	fs_info->reloc_running = false;
	unlock_against_processes(fs_info);
	pthread_mutex_unlock(&fs_info->excl_lock);
}
