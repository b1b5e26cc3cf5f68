// SPDX-License-Identifier: GPL-2.0-only
/*
 * Output files that appear whole: what is written goes to a temporary file
 * (temp-file.h), or straight to where nothing can appear in one step.
 */
#include "common/output-file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/string-utils.h"
#include "common/temp-file.h"

struct output_file {
	int fd;
	char *path; /* the final name; NULL: written directly */
	struct temp_file *temp;
	bool keep_fd; /* stdout: not ours to close */
	bool fsync;
	u64 written;
};

static pthread_once_t sigpipe_once = PTHREAD_ONCE_INIT;

static void ignore_sigpipe(void)
{
	signal(SIGPIPE, SIG_IGN);
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
	int fd = fd_of_path(path);
	int ret;

	if (fd >= 0) {
		of->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		return of->fd < 0 ? -errno : 0;
	}
	ret = temp_file_target(path, &of->path);
	if (ret == -EEXIST) {
		of->fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
		return of->fd < 0 ? -errno : 0;
	}
	if (ret)
		return ret;
	of->fd = temp_file_create(of->path, O_WRONLY, &of->temp);
	return of->fd < 0 ? of->fd : 0;
}

static void free_output_file(struct output_file *of)
{
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
	pthread_once(&sigpipe_once, ignore_sigpipe);
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

int output_file_commit(struct output_file *of)
{
	int ret = 0;

	/* Pipes and terminals cannot be synced: EINVAL is their way to say so. */
	if (of->fsync && fsync(of->fd) < 0 && errno != EINVAL && errno != EROFS)
		ret = -errno;
	/* Some file systems (NFS, quota) tell of a failed write only here. */
	if (!of->keep_fd && close(of->fd) < 0 && ret == 0)
		ret = -errno;
	if (ret)
		temp_file_discard(of->temp);
	else if (of->temp)
		ret = temp_file_commit(of->temp);
	if (ret == 0 && of->path && of->fsync)
		ret = temp_file_sync_directory(of->path);
	free_output_file(of);
	return ret;
}

void output_file_abort(struct output_file *of)
{
	if (!of)
		return;
	if (!of->keep_fd)
		close(of->fd);
	temp_file_discard(of->temp);
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
