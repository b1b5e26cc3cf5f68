// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lock files; see the header.
 *
 * Byte 0 of the file is the lock.  Slot i is the line of SLOT_BYTES bytes at
 * SLOT_START + i * SLOT_BYTES.  The lock on its first byte says that it is taken,
 * the one on its second that the line is there: before, it may be that of a former
 * holder.  Readers of slots take no locks, they only ask for them.
 */
#include "common/lockfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/string-utils.h"

#define SLOT_START	128
#define SLOT_BYTES	128

#define DEFAULT_DIR	"/run/lock/btrfs"

#define NS_PER_SECOND	1000000000LL
#define PAUSE_NS	(50 * 1000 * 1000LL)

struct lockfile {
	int fd;
};

/* ---- waiting ---- */

void lock_wait_begin(struct lock_wait *wait, int wait_seconds)
{
	clock_gettime(CLOCK_MONOTONIC, &wait->start);
	wait->seconds = wait_seconds;
}

int lock_wait_pause(const struct lock_wait *wait)
{
	struct timespec now, pause = { .tv_nsec = PAUSE_NS };
	long long left;

	if (wait->seconds >= 0) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		left = (wait->start.tv_sec + wait->seconds - now.tv_sec) * NS_PER_SECOND +
		       wait->start.tv_nsec - now.tv_nsec;
		if (left <= 0)
			return -EAGAIN;
		if (left < PAUSE_NS)
			pause.tv_nsec = (long)left;
	}
	return nanosleep(&pause, NULL) ? -EINTR : 0;
}

/* ---- where ---- */

/* Make @dir if it is not there; is it one that files can be made in? */
static bool usable_dir(const char *dir, mode_t mode)
{
	if (mkdir(dir, mode) == 0)
		chmod(dir, mode);	/* past the umask: others lock here too */
	return access(dir, W_OK | X_OK) == 0;
}

int lockfile_path(const char *name, char *path, size_t size)
{
	const char *dir = getenv("BTRFS_LOCK_DIR");
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char runtime_dir[PATH_MAX] = "";
	int len;

	if (runtime)
		snprintf(runtime_dir, sizeof(runtime_dir), "%s/btrfs", runtime);
	if (dir && *dir)
		usable_dir(dir, 01777);
	else if (usable_dir(DEFAULT_DIR, 01777))
		dir = DEFAULT_DIR;
	else if (*runtime_dir && usable_dir(runtime_dir, 0700))
		dir = runtime_dir;
	else
		return -ENOENT;
	len = snprintf(path, size, "%s/%s", dir, name);
	return len < 0 || (size_t)len >= size ? -ENAMETOOLONG : 0;
}

/* ---- locks ---- */

static int lock_byte(int fd, off_t at, short type)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = 1 };

	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	return errno == EACCES ? -EAGAIN : -errno;
}

static off_t slot_start(int i)
{
	return SLOT_START + (off_t)i * SLOT_BYTES;
}

/* The type of the lock that others have on the byte; F_UNLCK for none. */
static short lock_of_others(int fd, off_t at)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 1 };

	return fcntl(fd, F_OFD_GETLK, &lock) ? F_UNLCK : lock.l_type;
}

/* Without a free slot, or where the file may only be read, the holder stays nameless. */
static void write_slot(int fd, bool exclusive, const char *what)
{
	char line[SLOT_BYTES + 1];
	int len = snprintf(line, sizeof(line), "%d %d %lld %.63s", (int)getpid(), exclusive,
			   (long long)time(NULL), what);

	memset(line + len, ' ', (size_t)(SLOT_BYTES - len));
	line[SLOT_BYTES - 1] = '\n';
	for (int i = 0; i < LOCKFILE_MAX_HOLDERS; i++) {
		off_t at = slot_start(i);

		if (lock_byte(fd, at, F_WRLCK))
			continue;
		if (pwrite(fd, line, SLOT_BYTES, at) != SLOT_BYTES)
			lock_byte(fd, at, F_UNLCK);
		else
			lock_byte(fd, at + 1, F_WRLCK);
		return;
	}
}

/*
 * Only when it is not there is it made: in a directory with the sticky bit the
 * kernel lets not even root open another's file with O_CREAT.
 */
static int open_or_create(const char *path)
{
	const int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW;
	int fd = open(path, flags);

	if (fd >= 0 || errno != ENOENT)
		return fd < 0 ? -errno : fd;
	fd = open(path, flags | O_CREAT | O_EXCL, 0666);
	if (fd >= 0)
		fchmod(fd, 0666);	/* past the umask */
	else if (errno == EEXIST)	/* somebody was faster */
		fd = open(path, flags);
	return fd < 0 ? -errno : fd;
}

static int open_lockfile(const char *path, bool exclusive)
{
	int fd = open_or_create(path);

	/* A reader need not be allowed to write about itself. */
	if ((fd == -EACCES || fd == -EROFS) && !exclusive) {
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0)
			fd = -errno;
	}
	return fd;
}

int lockfile_acquire(const char *path, bool exclusive, const char *what,
		     struct lockfile **ret_lock)
{
	struct lockfile *lock = malloc(sizeof(*lock));
	int ret;

	if (!lock)
		return -ENOMEM;
	lock->fd = open_lockfile(path, exclusive);
	if (lock->fd < 0) {
		ret = lock->fd;
		free(lock);
		return ret;
	}
	ret = lock_byte(lock->fd, 0, exclusive ? F_WRLCK : F_RDLCK);
	if (ret) {
		lockfile_release(lock);
		return ret;
	}
	write_slot(lock->fd, exclusive, what);
	*ret_lock = lock;
	return 0;
}

void lockfile_release(struct lockfile *lock)
{
	if (!lock)
		return;
	/* The file stays: removing it would leave others with locks on a file without a name. */
	close(lock->fd);
	free(lock);
}

/* ---- holders ---- */

static bool parse_slot(const char *line, struct lockfile_holder *holder)
{
	int pid, exclusive;
	long long since;
	char what[64];

	if (sscanf(line, "%d %d %lld %63[^\n]", &pid, &exclusive, &since, what) != 4 || pid <= 0)
		return false;
	*holder = (struct lockfile_holder) {
		.pid = pid, .exclusive = exclusive != 0, .since = (time_t)since,
	};
	for (size_t len = strlen(what); len && what[len - 1] == ' '; len--)
		what[len - 1] = '\0';
	string_copy(holder->what, sizeof(holder->what), what);
	return true;
}

int lockfile_holders(const char *path, struct lockfile_holder *holders, int max)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	int nr = 0;

	if (fd < 0)
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	for (int i = 0; i < LOCKFILE_MAX_HOLDERS && nr < max; i++) {
		off_t at = slot_start(i);
		char line[SLOT_BYTES + 1] = "";

		if (lock_of_others(fd, at + 1) == F_UNLCK)
			continue;
		if (pread(fd, line, SLOT_BYTES, at) == SLOT_BYTES && parse_slot(line, &holders[nr]))
			nr++;
	}
	close(fd);
	return nr;
}
