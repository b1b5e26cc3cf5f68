// SPDX-License-Identifier: GPL-2.0-only
/*
 * Temporary files that get their name when they are complete.  A named temporary
 * rather than O_TMPFILE: an unnamed file cannot be linked over an existing one, so
 * replacing the old file would not be one step.
 */
#include "common/temp-file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/types.h"

struct temp_file {
	char *target;
	char *path;	/* the temporary name */
	int slot;	/* in tmp_slots */
};

/*
 * The names that a signal handler removes: what the process has open under a
 * temporary name is a fact of the process.  A slot is claimed under the lock;
 * the handler, which can take no lock, reads the pointers atomically.  A name
 * is freed only after its slot was emptied with the signals blocked.
 */
#define MAX_TEMPORARIES 16

static char *tmp_slots[MAX_TEMPORARIES];
static pthread_mutex_t tmp_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t signals_once = PTHREAD_ONCE_INIT;

static const int fatal_signals[] = { SIGINT, SIGTERM, SIGHUP };

void temp_file_unlink_all(void)
{
	int saved_errno = errno;

	for (int i = 0; i < MAX_TEMPORARIES; i++) {
		const char *path = __atomic_load_n(&tmp_slots[i], __ATOMIC_ACQUIRE);

		if (path)
			unlink(path);
	}
	errno = saved_errno;
}

/* Remove, then let the signal do what it would have done without us. */
static void on_fatal_signal(int sig)
{
	temp_file_unlink_all();
	signal(sig, SIG_DFL);
	/* Delivered when this handler returns, which unblocks it. */
	raise(sig);
}

static void install_signals(void)
{
	struct sigaction action = { .sa_handler = on_fatal_signal };
	struct sigaction old;

	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < ARRAY_SIZE(fatal_signals); i++)
		sigaddset(&action.sa_mask, fatal_signals[i]);
	for (size_t i = 0; i < ARRAY_SIZE(fatal_signals); i++) {
		/*
		 * Under nohup SIGHUP is ignored and stays so; a handler that is
		 * there already may let the process live, file and all.
		 */
		if (sigaction(fatal_signals[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
			sigaction(fatal_signals[i], &action, NULL);
	}
}

/*
 * From the creation of a temporary to its registration, and back, no fatal
 * signal may come: the handler would miss the file, or use a freed name.  This
 * blocks them in the calling thread; threads of a pool have them blocked anyway.
 */
static void lock_temporaries(sigset_t *old)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(fatal_signals); i++)
		sigaddset(&set, fatal_signals[i]);
	pthread_sigmask(SIG_BLOCK, &set, old);
	pthread_mutex_lock(&tmp_lock);
}

static void unlock_temporaries(const sigset_t *old)
{
	pthread_mutex_unlock(&tmp_lock);
	pthread_sigmask(SIG_SETMASK, old, NULL);
}

int temp_file_target(const char *path, char **target)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		if (errno != ENOENT)
			return -errno;
		*target = strdup(path);
		return *target ? 0 : -ENOMEM;
	}
	if (!S_ISREG(st.st_mode))
		return -EEXIST;
	if (faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) < 0)
		return -errno;
	*target = realpath(path, NULL);
	return *target ? 0 : -errno;
}

/* .NAME.XXXXXX beside @path; the name part is cut where it would grow too long. */
static char *temporary_template(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	char *template;

	if (asprintf(&template, "%.*s.%.200s.XXXXXX", (int)(name - path), path, name) < 0)
		return NULL;
	return template;
}

/*
 * Like mkstemp(), but with the mode that the finished file is to have: the umask
 * can only be asked for by changing it, which is not safe with threads.
 */
static int create_temporary(char *template, int access)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	char *suffix = template + strlen(template) - 6;

	for (int attempt = 0; attempt < 100; attempt++) {
		unsigned char random[6];
		int fd;

		if (getrandom(random, sizeof(random), 0) != sizeof(random))
			return -EIO;
		for (size_t i = 0; i < sizeof(random); i++)
			suffix[i] = chars[random[i] % (sizeof(chars) - 1)];
		fd = open(template, access | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
		if (fd >= 0)
			return fd;
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

/* Create the file and have the signal handler know it.  The descriptor. */
static int create_registered(struct temp_file *temp, int access)
{
	sigset_t old;
	int ret = -EMFILE;

	lock_temporaries(&old);
	for (int i = 0; i < MAX_TEMPORARIES; i++) {
		if (tmp_slots[i])
			continue;
		ret = create_temporary(temp->path, access);
		if (ret >= 0) {
			temp->slot = i;
			__atomic_store_n(&tmp_slots[i], temp->path, __ATOMIC_RELEASE);
		}
		break;
	}
	unlock_temporaries(&old);
	return ret;
}

static void free_temp_file(struct temp_file *temp)
{
	free(temp->target);
	free(temp->path);
	free(temp);
}

int temp_file_create(const char *target, int access, struct temp_file **ret_temp)
{
	struct temp_file *temp = calloc(1, sizeof(*temp));
	int ret = -ENOMEM;

	if (!temp)
		return -ENOMEM;
	pthread_once(&signals_once, install_signals);
	temp->target = strdup(target);
	temp->path = temporary_template(target);
	if (temp->target && temp->path)
		ret = create_registered(temp, access);
	if (ret < 0)
		free_temp_file(temp);
	else
		*ret_temp = temp;
	return ret;
}

/* Give the temporary its final name, or remove it. */
static int finish(struct temp_file *temp, bool commit)
{
	sigset_t old;
	int ret = 0;

	lock_temporaries(&old);
	if (commit && rename(temp->path, temp->target) < 0)
		ret = -errno;
	if (!commit || ret < 0)
		unlink(temp->path);
	__atomic_store_n(&tmp_slots[temp->slot], NULL, __ATOMIC_RELEASE);
	unlock_temporaries(&old);
	free_temp_file(temp);
	return ret;
}

int temp_file_commit(struct temp_file *temp)
{
	return finish(temp, true);
}

void temp_file_discard(struct temp_file *temp)
{
	if (temp)
		finish(temp, false);
}

int temp_file_sync_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
	int ret = 0;
	int fd;

	if (!dir)
		return -ENOMEM;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(dir);
	/* One that may be written, but not read, and media that know no such thing. */
	if (fd < 0)
		return errno == EACCES ? 0 : -errno;
	if (fsync(fd) < 0 && errno != EINVAL)
		ret = -errno;
	close(fd);
	return ret;
}
