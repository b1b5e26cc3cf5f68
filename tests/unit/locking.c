// SPDX-License-Identifier: GPL-2.0-only
/*
 * Send and relocation keep one another out within a process: threads that share
 * an fs_info, and a file system that is open twice.  Between processes see
 * tests/cli/locks.t and locks-random.t.
 *
 * Who is inside is counted apart from the code under test, in "inside" below.
 */
#include "tests/unit/memdev.h"

#include <pthread.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "kernel-shared/locking.h"

#define MAX_THREADS	8
#define STEPS		2000	/* of each thread */

static char folder[] = "/tmp/btrfs-locking.XXXXXX";
static char image[64];
static char lock_dir[64];

/* ---- the witness ---- */

static struct {
	int senders;
	int relocators;
	int most_senders;	/* at once */
	long sends;
	long relocations;
	long refusals;
	long bad;		/* exclusion broken */
} inside;

static void witness_reset(void)
{
	memset(&inside, 0, sizeof(inside));
}

static int count(int *counter, int by)
{
	return __atomic_add_fetch(counter, by, __ATOMIC_SEQ_CST);
}

static int now_inside(const int *counter)
{
	return __atomic_load_n(counter, __ATOMIC_SEQ_CST);
}

static void add_long(long *counter)
{
	__atomic_add_fetch(counter, 1, __ATOMIC_RELAXED);
}

/* Two sides that come in together cannot both miss the other: each counts itself first. */
static void witness_enter(bool reloc)
{
	int nr = count(reloc ? &inside.relocators : &inside.senders, 1);

	if (reloc && nr > 1)
		add_long(&inside.bad);
	if (now_inside(reloc ? &inside.senders : &inside.relocators))
		add_long(&inside.bad);
	if (!reloc && nr > __atomic_load_n(&inside.most_senders, __ATOMIC_RELAXED))
		__atomic_store_n(&inside.most_senders, nr, __ATOMIC_RELAXED);
	add_long(reloc ? &inside.relocations : &inside.sends);
}

static void witness_leave(bool reloc)
{
	if (now_inside(reloc ? &inside.senders : &inside.relocators))
		add_long(&inside.bad);
	count(reloc ? &inside.relocators : &inside.senders, -1);
}

/* ---- opening ---- */

static struct btrfs_fs_info *open_as(const char *lock_as, bool exclusive)
{
	const struct btrfs_open_args args = {
		.lock_as = lock_as, .lock_exclusive = exclusive, .no_scan = true,
	};
	struct btrfs_fs_info *fs_info;

	assert_int_equal(btrfs_open_fs(image, &args, &fs_info), 0);
	return fs_info;
}

/* The lock file is taken by the sides, not by opening. */
static struct btrfs_fs_info *open_plain(void)
{
	return open_as(NULL, false);
}

static int begin(struct btrfs_fs_info *fs_info, bool reloc, int wait_seconds)
{
	return reloc ? btrfs_reloc_begin(fs_info, "balance", wait_seconds) :
		       btrfs_send_begin(fs_info, wait_seconds);
}

static void end(struct btrfs_fs_info *fs_info, bool reloc)
{
	if (reloc)
		btrfs_reloc_end(fs_info);
	else
		btrfs_send_end(fs_info);
}

/* What a caller may look at when nothing runs: as after opening. */
static void assert_idle(const struct btrfs_fs_info *fs_info)
{
	assert_int_equal(fs_info->sends_running, 0);
	assert_false(fs_info->reloc_running);
	if (!fs_info->lockfile_pinned)
		assert_null(fs_info->lockfile);
}

static int nr_holders(struct lockfile_holder *holders)
{
	struct btrfs_fs_info *fs_info = open_plain();
	char path[256];
	int nr;

	assert_int_equal(btrfs_lockfile_path(fs_info->fsid, path, sizeof(path)), 0);
	assert_int_equal(strncmp(path, lock_dir, strlen(lock_dir)), 0);
	nr = lockfile_holders(path, holders, LOCKFILE_MAX_HOLDERS);
	btrfs_close_fs(fs_info);
	return nr;
}

static void assert_nothing_left(void)
{
	struct lockfile_holder holders[LOCKFILE_MAX_HOLDERS];

	assert_int_equal(nr_holders(holders), 0);
}

/* ---- one after the other ---- */

static void any_number_of_sends_run_together(void **state __unused)
{
	struct btrfs_fs_info *fs_info = open_plain();
	struct lockfile_holder holders[LOCKFILE_MAX_HOLDERS];

	for (unsigned int i = 1; i <= 1000; i++) {
		assert_int_equal(btrfs_send_begin(fs_info, 0), 0);
		assert_int_equal(fs_info->sends_running, i);
	}
	assert_int_equal(nr_holders(holders), 1);
	assert_int_equal(holders[0].pid, getpid());
	assert_string_equal(holders[0].what, "send");
	assert_false(holders[0].exclusive);
	for (int i = 0; i < 1000; i++)
		btrfs_send_end(fs_info);
	assert_idle(fs_info);
	assert_nothing_left();
	btrfs_close_fs(fs_info);
}

/* Waiting would be for ever: who has the other side is the thread that asks. */
static void the_other_side_is_refused_at_once(void **state __unused)
{
	struct btrfs_fs_info *fs_info = open_plain();
	struct capture said;

	capture_begin(&said);
	assert_int_equal(btrfs_send_begin(fs_info, 0), 0);
	assert_int_equal(btrfs_send_begin(fs_info, 0), 0);
	assert_int_equal(begin(fs_info, true, LOCKFILE_WAIT_FOREVER), -EAGAIN);
	btrfs_send_end(fs_info);
	assert_int_equal(begin(fs_info, true, LOCKFILE_WAIT_FOREVER), -EAGAIN);
	btrfs_send_end(fs_info);
	assert_int_equal(begin(fs_info, true, 0), 0);
	capture_end(&said);
	assert_says(&said, "cannot balance: ");
	assert_says(&said, "is being sent by 2 threads of this process");
	assert_says(&said, "is being sent by 1 threads");

	capture_begin(&said);
	assert_int_equal(begin(fs_info, false, LOCKFILE_WAIT_FOREVER), -EAGAIN);
	assert_int_equal(begin(fs_info, true, LOCKFILE_WAIT_FOREVER), -EAGAIN);
	btrfs_reloc_end(fs_info);
	assert_int_equal(begin(fs_info, false, 0), 0);
	btrfs_send_end(fs_info);
	capture_end(&said);
	assert_says(&said, "cannot send: ");
	assert_says(&said, "is being relocated by this process");
	assert_idle(fs_info);
	btrfs_close_fs(fs_info);
	assert_nothing_left();
}

static void a_file_system_open_twice_is_one(void **state __unused)
{
	struct btrfs_fs_info *a = open_plain(), *b = open_plain();
	struct capture said;

	capture_begin(&said);
	assert_int_equal(btrfs_send_begin(a, 0), 0);
	assert_int_equal(btrfs_send_begin(b, 0), 0);
	btrfs_send_end(a);
	assert_int_equal(begin(a, true, 0), -EAGAIN);	/* b still sends */
	btrfs_send_end(b);
	assert_int_equal(begin(a, true, 0), 0);
	assert_int_equal(begin(b, true, 0), -EAGAIN);
	assert_int_equal(begin(b, false, 0), -EAGAIN);
	assert_idle(b);
	btrfs_close_fs(b);				/* gives back nothing that is not its own */
	b = open_plain();
	assert_int_equal(begin(b, false, 0), -EAGAIN);
	btrfs_close_fs(a);				/* also ends what was running */
	assert_int_equal(begin(b, true, 0), 0);
	btrfs_reloc_end(b);
	capture_end(&said);
	assert_says(&said, "is in use by send (pid ");
	assert_says(&said, "is in use by balance (pid ");
	btrfs_close_fs(b);
	assert_nothing_left();
}

static void what_was_locked_for_reading_does_not_relocate(void **state __unused)
{
	struct btrfs_fs_info *a = open_as("send", false), *b = open_as("send", false);
	const struct btrfs_open_args writer = {
		.lock_as = "balance", .lock_exclusive = true, .no_scan = true,
	};
	struct btrfs_fs_info *c;
	struct capture said;

	capture_begin(&said);
	assert_int_equal(btrfs_open_fs(image, &writer, &c), -EAGAIN);
	assert_int_equal(begin(a, true, 0), -EPERM);
	assert_int_equal(btrfs_send_begin(a, 0), 0);
	assert_int_equal(begin(a, true, 0), -EAGAIN);
	btrfs_send_end(a);
	btrfs_close_fs(a);
	assert_int_equal(begin(b, true, 0), -EPERM);	/* alone, but that is not promised to last */
	btrfs_close_fs(b);
	capture_end(&said);
	assert_says(&said, "in use by 2 processes, the first of them send (pid ");
	assert_says(&said, "was opened only for reading");
	assert_nothing_left();
}

static void what_was_locked_for_writing_has_both_sides(void **state __unused)
{
	struct btrfs_fs_info *a = open_as("balance", true);
	const struct btrfs_open_args reader = { .lock_as = "send", .no_scan = true };
	struct btrfs_fs_info *b;
	struct capture said;

	for (int i = 0; i < 3; i++) {
		assert_int_equal(begin(a, true, 0), 0);
		btrfs_reloc_end(a);
		assert_int_equal(begin(a, false, 0), 0);
		btrfs_send_end(a);
		/* The lock stays until it is closed. */
		capture_begin(&said);
		assert_int_equal(btrfs_open_fs(image, &reader, &b), -EAGAIN);
		capture_end(&said);
		assert_says(&said, "in use by balance (pid ");
	}
	btrfs_close_fs(a);
	assert_nothing_left();
}

/* Slots run out, the lock does not. */
static void more_holders_than_can_be_named(void **state __unused)
{
	struct lockfile_holder holders[LOCKFILE_MAX_HOLDERS + 1];
	struct lockfile *locks[LOCKFILE_MAX_HOLDERS + 20], *other = NULL;
	char path[96];

	snprintf(path, sizeof(path), "%s/many", folder);
	for (size_t i = 0; i < ARRAY_SIZE(locks); i++)
		assert_int_equal(lockfile_acquire(path, false, "a holder's name that is longer "
						  "than there is room for in the list of "
						  "holders", &locks[i]), 0);
	assert_int_equal(lockfile_acquire(path, true, "balance", &other), -EAGAIN);
	assert_null(other);
	assert_int_equal(lockfile_holders(path, holders, LOCKFILE_MAX_HOLDERS + 1),
			 LOCKFILE_MAX_HOLDERS);
	assert_int_equal(strlen(holders[0].what), sizeof(holders[0].what) - 1);
	assert_int_equal(lockfile_holders(path, holders, 3), 3);
	/* A slot in the middle is used again. */
	lockfile_release(locks[5]);
	assert_int_equal(lockfile_acquire(path, false, "new", &locks[5]), 0);
	assert_int_equal(lockfile_holders(path, holders, 6), 6);
	assert_string_equal(holders[5].what, "new");
	for (size_t i = 0; i < ARRAY_SIZE(locks); i++)
		lockfile_release(locks[i]);
	assert_int_equal(lockfile_holders(path, holders, 3), 0);
	assert_int_equal(lockfile_acquire(path, true, "balance", &other), 0);
	lockfile_release(other);
}

static void whoever_comes_next_may_use_the_lock_file(void **state __unused)
{
	struct lockfile *lock;
	struct stat st;
	char path[96];
	mode_t mask = umask(077);

	snprintf(path, sizeof(path), "%s/shared", folder);
	assert_int_equal(lockfile_acquire(path, true, "balance", &lock), 0);
	umask(mask);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0666);
	lockfile_release(lock);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink(image, path), 0);
	assert_int_equal(lockfile_acquire(path, true, "balance", &lock), -ELOOP);
	assert_int_equal(lockfile_acquire(path, false, "send", &lock), -ELOOP);
}

/* ---- threads ---- */

struct worker {
	pthread_t thread;
	struct btrfs_fs_info *fs_info;
	u64 seed;
	int wait_seconds;
	int err;		/* what was neither 0 nor -EAGAIN */
};

/* Sends nest: a thread may have several of its own.  Now one side is rare, now the other. */
static void *send_and_relocate(void *arg)
{
	struct worker *worker = arg;
	int sends = 0;

	for (int i = 0; i < STEPS && !worker->err; i++) {
		bool reloc = test_random(&worker->seed) % 10 < (i / 64 % 2 ? 9 : 3);
		int ret;

		if (sends && test_random(&worker->seed) % 4) {
			witness_leave(false);
			btrfs_send_end(worker->fs_info);
			sends--;
			continue;
		}
		ret = begin(worker->fs_info, reloc, 0);
		if (ret == -EAGAIN) {
			add_long(&inside.refusals);
			if (test_random(&worker->seed) % 4 == 0)
				sched_yield();
			continue;
		}
		worker->err = ret;
		if (ret)
			continue;
		witness_enter(reloc);
		if (test_random(&worker->seed) % 2)
			sched_yield();
		if (reloc) {
			witness_leave(true);
			btrfs_reloc_end(worker->fs_info);
		} else {
			sends++;
		}
	}
	for (; sends; sends--) {
		witness_leave(false);
		btrfs_send_end(worker->fs_info);
	}
	return NULL;
}

/* @nr_threads spread over @nr_fs file systems; then everything must be as before. */
static void run_threads(struct btrfs_fs_info *const *fs_infos, unsigned int nr_fs,
			unsigned int nr_threads)
{
	struct worker workers[MAX_THREADS];
	struct capture said;

	witness_reset();
	capture_begin(&said);	/* every refusal is one line */
	for (unsigned int i = 0; i < nr_threads; i++) {
		workers[i] = (struct worker){ .fs_info = fs_infos[i % nr_fs], .seed = i + 1 };
		assert_int_equal(pthread_create(&workers[i].thread, NULL, send_and_relocate,
						&workers[i]), 0);
	}
	for (unsigned int i = 0; i < nr_threads; i++)
		pthread_join(workers[i].thread, NULL);
	capture_end(&said);
	if (strstr(said.text, "Sanitizer"))
		fail_msg("%s", said.text);
	for (unsigned int i = 0; i < nr_threads; i++)
		assert_int_equal(workers[i].err, 0);
	assert_int_equal(inside.bad, 0);
	assert_int_equal(inside.senders, 0);
	assert_int_equal(inside.relocators, 0);
	print_message("# %u threads, %u opened: %ld sends (%d at once), %ld relocations, %ld refused\n",
		      nr_threads, nr_fs, inside.sends, inside.most_senders, inside.relocations,
		      inside.refusals);
	/* Otherwise nothing was tested. */
	assert_true(inside.sends > 0 && inside.relocations > 0 && inside.refusals > 0);
	for (unsigned int i = 0; i < nr_fs; i++)
		assert_idle(fs_infos[i]);
	/* Nothing stale: both sides begin. */
	for (unsigned int i = 0; i < 2 * nr_fs; i++) {
		assert_int_equal(begin(fs_infos[i / 2], i % 2, 0), 0);
		end(fs_infos[i / 2], i % 2);
	}
}

static void threads_that_share_an_fs_info(void **state __unused)
{
	struct btrfs_fs_info *fs_info = open_plain();

	for (unsigned int nr = 2; nr <= MAX_THREADS; nr *= 2)
		run_threads(&fs_info, 1, nr);
	btrfs_close_fs(fs_info);
	assert_nothing_left();
}

static void threads_of_a_writer(void **state __unused)
{
	struct btrfs_fs_info *fs_info = open_as("balance", true);

	run_threads(&fs_info, 1, 4);
	btrfs_close_fs(fs_info);
	assert_nothing_left();
}

static void threads_of_a_file_system_open_twice(void **state __unused)
{
	struct btrfs_fs_info *fs_infos[3] = { open_plain(), open_plain(), open_plain() };

	run_threads(fs_infos, 2, 2);
	run_threads(fs_infos, 2, 6);
	run_threads(fs_infos, 3, 6);
	for (size_t i = 0; i < ARRAY_SIZE(fs_infos); i++)
		btrfs_close_fs(fs_infos[i]);
	assert_nothing_left();
}

/* ---- waiting ---- */

static void *wait_and_hold(void *arg)
{
	struct worker *worker = arg;
	bool reloc = worker->seed;

	worker->err = begin(worker->fs_info, reloc, worker->wait_seconds);
	if (worker->err)
		return NULL;
	witness_enter(reloc);
	witness_leave(reloc);
	end(worker->fs_info, reloc);
	return NULL;
}

/* A thread that waits for others must not make those of its own fs_info wait. */
static void waiting_blocks_nobody_else(void **state __unused)
{
	struct btrfs_fs_info *a = open_plain(), *b = open_plain();
	struct capture said;

	for (int reloc = 0; reloc < 2; reloc++) {
		struct worker waiter = {
			.fs_info = b, .seed = (u64)reloc, .wait_seconds = LOCKFILE_WAIT_FOREVER,
		};

		witness_reset();
		capture_begin(&said);
		assert_int_equal(begin(a, true, 0), 0);
		witness_enter(true);
		assert_int_equal(pthread_create(&waiter.thread, NULL, wait_and_hold, &waiter), 0);
		for (int i = 0; i < 20; i++) {
			usleep(10000);
			assert_int_equal(begin(b, i % 2, 0), -EAGAIN);
		}
		witness_leave(true);
		btrfs_reloc_end(a);
		pthread_join(waiter.thread, NULL);
		capture_end(&said);
		assert_int_equal(waiter.err, 0);
		assert_int_equal(inside.bad, 0);
		assert_int_equal(inside.sends + inside.relocations, 2);
	}
	assert_idle(b);
	btrfs_close_fs(a);
	btrfs_close_fs(b);
	assert_nothing_left();
}

/* Not early, whatever part of a second the clock stands at. */
static void a_wait_lasts_as_long_as_it_says(void **state __unused)
{
	struct timespec before, after;
	struct lock_wait wait;
	double seconds;

	clock_gettime(CLOCK_MONOTONIC, &before);
	lock_wait_begin(&wait, 1);
	while (lock_wait_pause(&wait) == 0)
		;
	clock_gettime(CLOCK_MONOTONIC, &after);
	seconds = (double)(after.tv_sec - before.tv_sec) +
		  (double)(after.tv_nsec - before.tv_nsec) / 1e9;
	assert_true(seconds >= 1.0);
	assert_int_equal(lock_wait_pause(&wait), -EAGAIN);
	lock_wait_begin(&wait, 0);
	assert_int_equal(lock_wait_pause(&wait), -EAGAIN);
}

/* ---- the image ---- */

static int run_shell(const char *line)
{
	char *const argv[] = { "sh", "-c", (char *)line, NULL };
	extern char **environ;
	int status;
	pid_t pid;

	if (posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ) ||
	    waitpid(pid, &status, 0) != pid)
		return -1;
	return status;
}

static int make_image(void **state __unused)
{
	char line[256];

	if (!mkdtemp(folder))
		return -1;
	snprintf(image, sizeof(image), "%s/image", folder);
	snprintf(lock_dir, sizeof(lock_dir), "%s/locks", folder);
	setenv("BTRFS_LOCK_DIR", lock_dir, 1);
	snprintf(line, sizeof(line), "PATH=$PATH:/usr/sbin:/sbin && truncate -s 128M %s && "
		 "mkfs.btrfs -q %s >/dev/null", image, image);
	return run_shell(line);
}

static int remove_image(void **state __unused)
{
	char line[256];

	snprintf(line, sizeof(line), "rm -rf %s", folder);
	return run_shell(line);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_number_of_sends_run_together),
		cmocka_unit_test(the_other_side_is_refused_at_once),
		cmocka_unit_test(a_file_system_open_twice_is_one),
		cmocka_unit_test(what_was_locked_for_reading_does_not_relocate),
		cmocka_unit_test(what_was_locked_for_writing_has_both_sides),
		cmocka_unit_test(more_holders_than_can_be_named),
		cmocka_unit_test(whoever_comes_next_may_use_the_lock_file),
		cmocka_unit_test(threads_that_share_an_fs_info),
		cmocka_unit_test(threads_of_a_writer),
		cmocka_unit_test(threads_of_a_file_system_open_twice),
		cmocka_unit_test(waiting_blocks_nobody_else),
		cmocka_unit_test(a_wait_lasts_as_long_as_it_says),
	};

	alarm(600);	/* what must not wait must not hang the tests either */
	return cmocka_run_group_tests(tests, make_image, remove_image);
}
