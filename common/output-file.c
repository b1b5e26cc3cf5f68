// SPDX-License-Identifier: GPL-2.0-only
/*
 * Output files that appear whole.  A named temporary rather than O_TMPFILE: an
 * unnamed file cannot be linked over an existing one, so replacing the old file
 * would not be one step.
 */
#include "common/output-file.h"

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

#include "common/string-utils.h"

struct output_file {
	int fd;
	char *path; /* the final name; NULL: written directly */
	char *tmp_path;
	int slot;     /* in tmp_slots */
	bool keep_fd; /* stdout: not ours to close */
	bool fsync;
	u64 written;
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

void output_file_unlink_all(void)
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
	output_file_unlink_all();
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
	signal(SIGPIPE, SIG_IGN);
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
static int create_temporary(char *template)
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
		fd = open(template, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
		if (fd >= 0)
			return fd;
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

static int open_temporary(struct output_file *of)
{
	sigset_t old;
	int ret = -EMFILE;

	of->tmp_path = temporary_template(of->path);
	if (!of->tmp_path)
		return -ENOMEM;
	lock_temporaries(&old);
	for (int i = 0; i < MAX_TEMPORARIES; i++) {
		if (tmp_slots[i])
			continue;
		ret = create_temporary(of->tmp_path);
		if (ret >= 0) {
			of->fd = ret;
			of->slot = i;
			__atomic_store_n(&tmp_slots[i], of->tmp_path, __ATOMIC_RELEASE);
		}
		break;
	}
	unlock_temporaries(&old);
	return ret < 0 ? ret : 0;
}

/* Give the temporary its final name, or remove it. */
static int finish_temporary(struct output_file *of, bool commit)
{
	sigset_t old;
	int ret = 0;

	lock_temporaries(&old);
	if (commit && rename(of->tmp_path, of->path) < 0)
		ret = -errno;
	if (!commit || ret < 0)
		unlink(of->tmp_path);
	__atomic_store_n(&tmp_slots[of->slot], NULL, __ATOMIC_RELEASE);
	unlock_temporaries(&old);
	return ret;
}

/* /dev/stdout and its like name a descriptor of ours, whatever is behind it; -1: no. */
static int fd_of_path(const char *path)
{
	u64 fd;

	if (strcmp(path, "/dev/stdout") == 0)
		return STDOUT_FILENO;
	if (strcmp(path, "/dev/stderr") == 0)
		return STDERR_FILENO;
	if (string_has_prefix(path, "/dev/fd/"))
		path += strlen("/dev/fd/");
	else if (string_has_prefix(path, "/proc/self/fd/"))
		path += strlen("/proc/self/fd/");
	else
		return -1;
	return parse_u64(path, &fd) == 0 && fd <= 0x7fffffff ? (int)fd : -1;
}

static int open_path(struct output_file *of, const char *path)
{
	struct stat st;
	int fd = fd_of_path(path);

	if (fd >= 0) {
		of->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		return of->fd < 0 ? -errno : 0;
	}
	if (stat(path, &st) < 0) {
		if (errno != ENOENT)
			return -errno;
		of->path = strdup(path);
	} else if (!S_ISREG(st.st_mode)) {
		of->fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
		return of->fd < 0 ? -errno : 0;
	} else {
		/* A file that may not be written may not be replaced, either. */
		if (faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) < 0)
			return -errno;
		/* Replace what a symbolic link leads to, not the link. */
		of->path = realpath(path, NULL);
		if (!of->path)
			return -errno;
	}
	if (!of->path)
		return -ENOMEM;
	return open_temporary(of);
}

static void free_output_file(struct output_file *of)
{
	free(of->tmp_path);
	free(of->path);
	free(of);
}

int output_file_open(struct output_file **ofp, const char *path)
{
	struct output_file *of = calloc(1, sizeof(*of));
	int ret;

	*ofp = NULL;
	if (!of)
		return -ENOMEM;
	pthread_once(&signals_once, install_signals);
	if (path) {
		ret = open_path(of, path);
		if (ret < 0) {
			free_output_file(of);
			return ret;
		}
	} else {
		of->fd = STDOUT_FILENO;
		of->keep_fd = true;
	}
	*ofp = of;
	return 0;
}

int output_file_write(struct output_file *of, const void *buf, size_t len)
{
	const char *p = buf;

	while (len > 0) {
		ssize_t n = write(of->fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;
		p += n;
		len -= (size_t)n;
		of->written += (u64)n;
	}
	return 0;
}

void output_file_set_fsync(struct output_file *of, bool fsync)
{
	of->fsync = fsync;
}

/* Make the rename itself durable. */
static int fsync_directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
	int ret = 0;
	int fd;

	if (!dir)
		return -ENOMEM;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(dir);
	if (fd < 0)
		return -errno;
	if (fsync(fd) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

int output_file_commit(struct output_file *of)
{
	int ret = 0;

	/* Pipes and terminals cannot be synced: EINVAL is their way to say so. */
	if (of->fsync && fsync(of->fd) < 0 && errno != EINVAL && errno != EROFS)
		ret = -errno;
	/* Some file systems (NFS, quota) tell of a failed write only here. */
	if (!of->keep_fd && close(of->fd) < 0 && ret == 0)
		ret = -errno;
	if (of->tmp_path) {
		int err = finish_temporary(of, ret == 0);

		if (ret == 0)
			ret = err;
		if (ret == 0 && of->fsync)
			ret = fsync_directory_of(of->path);
	}
	free_output_file(of);
	return ret;
}

void output_file_abort(struct output_file *of)
{
	if (!of)
		return;
	if (!of->keep_fd)
		close(of->fd);
	if (of->tmp_path)
		finish_temporary(of, false);
	free_output_file(of);
}

int output_file_fd(const struct output_file *of)
{
	return of->fd;
}

u64 output_file_written(const struct output_file *of)
{
	return of->written;
}
