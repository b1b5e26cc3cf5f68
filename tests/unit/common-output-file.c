// SPDX-License-Identifier: GPL-2.0-only
/* Output files appear whole or not at all, and leave nothing behind. */
#include "tests/unit/common-unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/output-file.h"

static char dir[] = "/tmp/output-file-test.XXXXXX";

static int enter_dir(void **state)
{
	if (!mkdtemp(dir))
		return -1;
	return chdir(dir);
}

static int leave_dir(void **state)
{
	return chdir("/") < 0 ? -1 : rmdir(dir);
}

static int nr_entries(void)
{
	DIR *d = opendir(".");
	int nr = -2; /* . and .. */

	assert_non_null(d);
	while (readdir(d))
		nr++;
	closedir(d);
	return nr;
}

static void assert_content(const char *path, const char *want)
{
	char buf[256];
	FILE *f = fopen(path, "r");
	size_t len;

	assert_non_null(f);
	len = fread(buf, 1, sizeof(buf) - 1, f);
	buf[len] = '\0';
	fclose(f);
	assert_string_equal(buf, want);
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void commit_gives_the_name(void **state)
{
	struct output_file *of;
	struct stat st;
	mode_t old = umask(027);

	assert_int_equal(output_file_open(&of, "new"), 0);
	assert_int_equal(access("new", F_OK), -1);
	assert_int_equal(nr_entries(), 1);
	assert_int_equal(output_file_write(of, "hello ", 6), 0);
	assert_int_equal(output_file_write(of, "world", 5), 0);
	assert_int_equal(output_file_written(of), 11);
	output_file_set_fsync(of, true);
	assert_int_equal(output_file_commit(of), 0);
	umask(old);
	assert_content("new", "hello world");
	assert_int_equal(stat("new", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(nr_entries(), 1);
	unlink("new");
}

static void abort_keeps_the_old_file(void **state)
{
	struct output_file *of;

	write_file("old", "before");
	assert_int_equal(output_file_open(&of, "old"), 0);
	assert_int_equal(output_file_write(of, "after", 5), 0);
	assert_content("old", "before");
	output_file_abort(of);
	assert_content("old", "before");
	assert_int_equal(nr_entries(), 1);

	assert_int_equal(output_file_open(&of, "./old"), 0);
	assert_int_equal(output_file_write(of, "after", 5), 0);
	assert_int_equal(output_file_commit(of), 0);
	assert_content("old", "after");
	assert_int_equal(nr_entries(), 1);
	unlink("old");
	output_file_abort(NULL);
}

static void symlink_stays_a_symlink(void **state)
{
	struct output_file *of;
	struct stat st;

	write_file("target", "before");
	assert_int_equal(symlink("target", "link"), 0);
	assert_int_equal(output_file_open(&of, "link"), 0);
	assert_int_equal(output_file_write(of, "after", 5), 0);
	assert_int_equal(output_file_commit(of), 0);
	assert_int_equal(lstat("link", &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_content("target", "after");
	unlink("link");
	unlink("target");
}

static void devices_and_pipes_are_written_directly(void **state)
{
	struct output_file *of;
	struct stat st;
	int fd;
	char buf[8];

	assert_int_equal(output_file_open(&of, "/dev/null"), 0);
	assert_int_equal(output_file_write(of, "x", 1), 0);
	assert_int_equal(output_file_commit(of), 0);
	assert_int_equal(stat("/dev/null", &st), 0);
	assert_true(S_ISCHR(st.st_mode));

	assert_int_equal(mkfifo("fifo", 0600), 0);
	fd = open("fifo", O_RDONLY | O_NONBLOCK);
	assert_true(fd >= 0);
	assert_int_equal(output_file_open(&of, "fifo"), 0);
	assert_int_equal(nr_entries(), 1);
	assert_int_equal(output_file_write(of, "abc", 3), 0);
	assert_int_equal(read(fd, buf, sizeof(buf)), 3);
	/* The reader goes: an error, not the death of the process. */
	close(fd);
	assert_int_equal(output_file_write(of, "abc", 3), -EPIPE);
	output_file_abort(of);
	unlink("fifo");
}

static void own_descriptors_are_not_replaced(void **state)
{
	struct output_file *of;
	char path[32];
	int fd = open("shared", O_RDWR | O_CREAT, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "one ", 4), 4);
	snprintf(path, sizeof(path), "/dev/fd/%d", fd);
	assert_int_equal(output_file_open(&of, path), 0);
	assert_int_equal(output_file_write(of, "two", 3), 0);
	assert_int_equal(output_file_commit(of), 0);
	assert_int_equal(write(fd, " three", 6), 6);
	close(fd);
	assert_content("shared", "one two three");
	unlink("shared");
}

static void open_errors(void **state)
{
	struct output_file *of;
	char name[300];

	assert_int_equal(output_file_open(&of, "no/such/dir"), -ENOENT);
	assert_null(of);
	assert_int_equal(output_file_open(&of, "."), -EISDIR);
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(output_file_open(&of, name), -ENAMETOOLONG);
	/* The longest name that there may be still has room for its temporary. */
	name[255] = '\0';
	assert_int_equal(output_file_open(&of, name), 0);
	assert_int_equal(output_file_commit(of), 0);
	assert_int_equal(unlink(name), 0);
}

static void write_errors_are_told(void **state)
{
	struct output_file *of;

	if (access("/dev/full", W_OK) < 0)
		skip();
	assert_int_equal(output_file_open(&of, "/dev/full"), 0);
	assert_int_equal(output_file_write(of, "x", 1), -ENOSPC);
	output_file_abort(of);
}

static void failed_rename_leaves_nothing(void **state)
{
	struct output_file *of;

	assert_int_equal(output_file_open(&of, "name"), 0);
	assert_int_equal(mkdir("name", 0700), 0);
	assert_int_equal(output_file_commit(of), -EISDIR);
	assert_int_equal(nr_entries(), 1);
	rmdir("name");
}

static void many_at_once(void **state)
{
	struct output_file *files[16], *one_more;
	char name[16];

	for (int i = 0; i < 16; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		assert_int_equal(output_file_open(&files[i], name), 0);
	}
	assert_int_equal(output_file_open(&one_more, "f16"), -EMFILE);
	for (int i = 0; i < 16; i++)
		output_file_abort(files[i]);
	assert_int_equal(nr_entries(), 0);
}

/* A child opens a file and meets @sig; returns how it ended. */
static int status_of_signalled_child(int sig, bool ignored)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct output_file *of;

		if (ignored)
			signal(sig, SIG_IGN);
		if (output_file_open(&of, "victim") < 0)
			_exit(3);
		if (output_file_write(of, "x", 1) < 0)
			_exit(4);
		raise(sig);
		/* Only with the signal ignored does it get here. */
		_exit(output_file_commit(of) == 0 ? 0 : 5);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void signals_remove_the_temporary(void **state)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		int status = status_of_signalled_child(signals[i], false);

		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), signals[i]);
		assert_int_equal(nr_entries(), 0);
	}
}

static void ignored_signals_stay_ignored(void **state)
{
	int status = status_of_signalled_child(SIGHUP, true);

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_content("victim", "x");
	unlink("victim");
}

int main(void)
{
	/*
	 * The children come first: a parent that has opened a file has the
	 * handlers installed already, and they would inherit that.
	 */
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signals_remove_the_temporary),
		cmocka_unit_test(ignored_signals_stay_ignored),
		cmocka_unit_test(commit_gives_the_name),
		cmocka_unit_test(abort_keeps_the_old_file),
		cmocka_unit_test(symlink_stays_a_symlink),
		cmocka_unit_test(devices_and_pipes_are_written_directly),
		cmocka_unit_test(own_descriptors_are_not_replaced),
		cmocka_unit_test(open_errors),
		cmocka_unit_test(write_errors_are_told),
		cmocka_unit_test(failed_rename_leaves_nothing),
		cmocka_unit_test(many_at_once),
	};

	return cmocka_run_group_tests_name("output-file", tests, enter_dir, leave_dir);
}
