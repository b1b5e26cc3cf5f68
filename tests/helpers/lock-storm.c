// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random starts, kills and waits of processes that want one side or the other of
 * the exclusion of send and relocation on one image:
 *
 *	lock-storm MODE HOLD-LOCK BTRFS IMAGE SNAPSHOT ROUNDS SEED
 *
 * MODE: "both", or one of the two things that keep them apart alone: "lockfile",
 * or "devices" (everybody has one of two lock directories, BTRFS_LOCK_DIR and
 * BTRFS_LOCK_DIR_2).
 *
 * Each round starts a hold-lock of either side, or "btrfs send" of SNAPSHOT (none
 * when it is empty) into a pipe; some wait, some do not.  Each one ends by itself
 * or by SIGKILL, SIGTERM or SIGINT, while it is inside or at any other moment.
 *
 * What must hold, or it is reported and the exit status is 1: those inside keep
 * each other out, by the witness; whoever is refused was alive at the same time
 * as one of the other side, and is told of a process that was alive too; nobody
 * ends in another way than it was made to; at quiet moments, when all have been
 * killed, both sides begin at once.
 *
 * Relies on nothing of the library.  The seed fixes who is started and how long
 * each may take; what comes of it depends on the moment.
 */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/helpers/witness.h"

#define MAX_CHILDREN	8
#define MAX_SEEN	64	/* processes that one child meets in its life */
#define QUIET_EVERY	50	/* rounds */
#define STUCK_MS	240000	/* longer than anything takes on a busy machine */

enum kind { HOLD_SEND, HOLD_RELOCATION, REAL_SEND };

/* How a child's life ends, unless it is refused. */
enum fate { LET_GO, KILL_INSIDE, KILL_ANYTIME };

enum state { STARTED, INSIDE, LEAVING, KILLED };

struct child {
	pid_t pid;		/* 0: the place is free */
	enum kind kind;
	enum fate fate;
	enum state state;
	int sig;
	int wait_seconds;	/* 0 none, -1 for ever */
	int to, from, err;	/* its stdin, stdout, stderr; -1 when closed */
	int64_t due;		/* ms: when its fate comes; counted from the start or from inside */
	int64_t since;		/* of the state, for what is stuck */
	bool met_other_side;	/* that somebody was alive of whom it may be refused */
	pid_t seen[MAX_SEEN];	/* all who lived at the same time */
	int nr_seen;
};

static struct {
	bool late, two_dirs;	/* the mode */
	const char *hold_lock, *btrfs, *image, *snapshot;
	int rounds;
	uint64_t random;
	pid_t pid;
	int witness;
	struct child children[MAX_CHILDREN];
	int started, inside[3], refused[3], killed_inside, killed_elsewhere, quiet;
	int problems;
} storm;

#define for_each_child(child) \
	for ((child) = storm.children; (child) < storm.children + MAX_CHILDREN; (child)++) \
		if ((child)->pid)

static __attribute__((format(printf, 2, 3))) void problem(const struct child *child,
							  const char *fmt, ...)
{
	static const char *const names[] = { "hold-lock send", "hold-lock relocation",
					     "btrfs send" };
	va_list ap;

	storm.problems++;
	printf("round %d: ", storm.started);
	if (child)
		printf("%s (pid %d): ", names[child->kind], (int)child->pid);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* Below @end. */
static int below(int end)
{
	storm.random = storm.random * 6364136223846793005ULL + 1442695040888963407ULL;
	return (int)((storm.random >> 33) % (uint64_t)end);
}

static bool is_reloc(const struct child *child)
{
	return child->kind == HOLD_RELOCATION;
}

/* ---- starting ---- */

/* Two children have lived at the same time: each may speak of the other. */
static void meet(struct child *a, const struct child *b)
{
	if (is_reloc(a) || is_reloc(b))
		a->met_other_side = true;
	if (a->nr_seen < MAX_SEEN)
		a->seen[a->nr_seen] = b->pid;
	a->nr_seen++;
}

static void exec_child(const struct child *child)
{
	char wait[32] = "--wait", witness[32];
	const char *argv[8];
	int n = 0;

	if (child->wait_seconds > 0)
		snprintf(wait, sizeof(wait), "--wait=%d", child->wait_seconds);
	if (child->kind == REAL_SEND) {
		argv[n++] = storm.btrfs;
		argv[n++] = "-q";
		argv[n++] = "send";
		if (child->wait_seconds)
			argv[n++] = wait;
		argv[n++] = storm.image;
		argv[n++] = storm.snapshot;
	} else {
		snprintf(witness, sizeof(witness), "--witness=%d", storm.witness);
		argv[n++] = storm.hold_lock;
		argv[n++] = is_reloc(child) ? "relocation" : "send";
		argv[n++] = storm.image;
		argv[n++] = witness;
		if (child->wait_seconds)
			argv[n++] = wait;
		if (storm.late)
			argv[n++] = "--late";
	}
	argv[n] = NULL;
	execv(argv[0], (char **)argv);
}

/* An end of another one's pipe left open in a child, and that one never sees its end. */
static void spawn(struct child *child)
{
	int to[2], from[2];
	bool second_dir;

	child->err = memfd_create("stderr", MFD_CLOEXEC);
	if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC) || child->err < 0) {
		perror("lock-storm");
		exit(2);
	}
	second_dir = storm.two_dirs && below(2);
	child->pid = fork();
	if (child->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* In the background a shell has SIGINT ignored. */
		signal(SIGINT, SIG_DFL);
		dup2(to[0], STDIN_FILENO);
		dup2(from[1], STDOUT_FILENO);
		dup2(child->err, STDERR_FILENO);
		if (second_dir)
			setenv("BTRFS_LOCK_DIR", getenv("BTRFS_LOCK_DIR_2"), 1);
		exec_child(child);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	child->to = to[1];
	child->from = from[0];
	fcntl(child->from, F_SETFL, O_NONBLOCK);
}

static struct child *free_place(void)
{
	for (int i = 0; i < MAX_CHILDREN; i++)
		if (!storm.children[i].pid)
			return &storm.children[i];
	return NULL;
}

static struct child *start(enum kind kind, enum fate fate, int wait_seconds)
{
	static const int signals[] = { SIGKILL, SIGTERM, SIGINT };
	struct child *child = free_place(), *other;

	*child = (struct child){
		.kind = kind, .fate = fate, .wait_seconds = wait_seconds,
		.sig = signals[below(3)], .since = now_ms(),
	};
	spawn(child);
	child->due = fate == KILL_ANYTIME ? now_ms() + below(40) : INT64_MAX;
	for_each_child(other) {
		if (other != child) {
			meet(child, other);
			meet(other, child);
		}
	}
	storm.started++;
	return child;
}

/* For a while one side is favoured, so that the other has to wait, or comes in late. */
static void start_random(void)
{
	static const int favour[][3] = { { 4, 1, 5 }, { 1, 8, 1 }, { 3, 4, 3 } };	/* of 10 */
	static const int waits[] = { 0, 0, 1, -1 };
	const int *shares = favour[storm.started / 16 % 3];
	int pick = below(10);
	enum kind kind = pick < shares[0] ? HOLD_SEND :
			 pick < shares[0] + shares[1] ? HOLD_RELOCATION : REAL_SEND;

	if (kind == REAL_SEND && !*storm.snapshot)
		kind = HOLD_SEND;
	start(kind, (enum fate)below(3), waits[below(4)]);
}

/* ---- inside ---- */

/* A real send knows no witness: while its stream fills the pipe it is counted for it. */
static void leave_for(const struct child *child)
{
	if (child->kind == REAL_SEND && child->state == INSIDE &&
	    witness_leave(storm.witness, false))
		problem(child, "the witness lost a send");
}

static void come_inside(struct child *child)
{
	int ret = child->kind == REAL_SEND ? witness_enter(storm.witness, false) : 0;

	if (ret)
		problem(child, "inside although a relocation is: %s", strerror(-ret));
	child->state = INSIDE;
	child->since = now_ms();
	if (child->fate != KILL_ANYTIME)
		child->due = now_ms() + below(25);
	storm.inside[child->kind]++;
}

static void close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* The first output says that it is inside.  Later only the stream that is let go is read. */
static void read_output(struct child *child)
{
	char buf[65536];
	ssize_t n = read(child->from, buf, child->state == STARTED ? 4096 : sizeof(buf));

	if (n == 0)
		close_end(&child->from);
	else if (n > 0 && child->state == STARTED)
		come_inside(child);
}

static void let_go(struct child *child)
{
	leave_for(child);
	child->state = LEAVING;
	child->since = now_ms();
	child->due = INT64_MAX;
	close_end(&child->to);
}

static void kill_child(struct child *child)
{
	leave_for(child);
	if (child->state == INSIDE)
		storm.killed_inside++;
	else
		storm.killed_elsewhere++;
	child->state = KILLED;
	child->since = now_ms();
	child->due = INT64_MAX;
	kill(child->pid, child->sig);
}

/* ---- the end of a child ---- */

static void read_stderr(const struct child *child, char *text, size_t size)
{
	ssize_t n = pread(child->err, text, size - 1, 0);

	text[n > 0 ? n : 0] = '\0';
}

/* Whom the refusal names must have been there. */
static bool names_a_stranger(const struct child *child, const char *text)
{
	const char *at = strstr(text, "(pid ");

	if (!at || child->nr_seen > MAX_SEEN)
		return false;
	for (int i = 0; i < child->nr_seen; i++)
		if (child->seen[i] == atoi(at + 5))
			return false;
	return true;
}

static void judge_refusal(struct child *child, const char *text)
{
	storm.refused[child->kind]++;
	if (!strstr(text, "is in use by") && !strstr(text, "another program"))
		problem(child, "failed: %s", text);
	else if (!child->met_other_side)
		problem(child, "refused although nobody was in the way: %s", text);
	else if (child->wait_seconds < 0)
		problem(child, "refused, but was to wait: %s", text);
	else if (names_a_stranger(child, text))
		problem(child, "refused because of somebody who was not there: %s", text);
}

static void judge(struct child *child, int status)
{
	char text[2048];

	read_stderr(child, text, sizeof(text));
	if (strstr(text, "Sanitizer"))
		problem(child, "%s", text);
	if (WIFSIGNALED(status)) {
		if (child->state != KILLED || WTERMSIG(status) != child->sig)
			problem(child, "ended by signal %d: %s", WTERMSIG(status), text);
	} else if (WEXITSTATUS(status) == 1 && child->state != INSIDE && child->state != LEAVING) {
		judge_refusal(child, text);
	} else if (WEXITSTATUS(status) != 0 || child->state == STARTED || child->state == INSIDE) {
		problem(child, "exit status %d: %s", WEXITSTATUS(status), text);
	}
}

static void bury(struct child *child, int status)
{
	judge(child, status);
	leave_for(child);
	close_end(&child->to);
	close_end(&child->from);
	close_end(&child->err);
	child->pid = 0;
}

static void reap(void)
{
	struct child *child;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for_each_child(child) {
			if (child->pid == pid)
				bury(child, status);
		}
	}
}

/* ---- the loop ---- */

static int nr_alive(void)
{
	struct child *child;
	int nr = 0;

	for_each_child(child)
		nr++;
	return nr;
}

/* Until something happens, at most @ms. */
static void watch(int64_t ms)
{
	struct pollfd fds[MAX_CHILDREN];
	struct child *children[MAX_CHILDREN], *child;
	nfds_t nr = 0;

	for_each_child(child) {
		/* A stream that is not read keeps its send inside. */
		if (child->from < 0 || child->state == INSIDE)
			continue;
		children[nr] = child;
		fds[nr++] = (struct pollfd){ .fd = child->from, .events = POLLIN };
	}
	poll(fds, nr, (int)(ms < 0 ? 0 : ms > 20 ? 20 : ms));
	for (nfds_t i = 0; i < nr; i++)
		if (fds[i].revents)
			read_output(children[i]);
	reap();
}

static void meet_fates(void)
{
	int64_t now = now_ms();
	struct child *child;

	for_each_child(child) {
		if (child->due <= now && child->state != KILLED) {
			if (child->fate == LET_GO)
				let_go(child);
			else
				kill_child(child);
		} else if (now - child->since > STUCK_MS) {
			problem(child, "does not get on: state %d", child->state);
			child->sig = SIGKILL;
			kill_child(child);
		}
	}
}

static void run_until_empty(void)
{
	while (nr_alive()) {
		watch(20);
		meet_fates();
	}
}

/* With nobody alive that side begins without waiting. */
static void begins_at_once(enum kind kind, enum fate fate)
{
	int before = storm.inside[kind];

	start(kind, fate, 0);
	run_until_empty();
	if (storm.inside[kind] == before)
		problem(NULL, "kind %d does not begin although nobody is there", kind);
}

/* All are killed, wherever they are; then both sides begin at once. */
static void quiet_moment(void)
{
	struct child *child;

	for_each_child(child) {
		if (child->state == KILLED)
			continue;
		child->sig = SIGKILL;
		kill_child(child);
	}
	run_until_empty();
	if (witness_count(storm.witness, false) || witness_count(storm.witness, true))
		problem(NULL, "the witness still counts somebody");
	begins_at_once(HOLD_RELOCATION, below(2) ? LET_GO : KILL_INSIDE);
	if (*storm.snapshot)
		begins_at_once(REAL_SEND, below(2) ? LET_GO : KILL_INSIDE);
	begins_at_once(HOLD_SEND, LET_GO);
	storm.quiet++;
}

static void run_storm(void)
{
	int64_t next = 0;
	int quiet_at = QUIET_EVERY;

	while (storm.started < storm.rounds) {
		int64_t now = now_ms();

		if (now >= next && free_place()) {
			start_random();
			next = now + below(12);
		}
		watch(free_place() ? next - now_ms() : 5);
		meet_fates();
		if (storm.started >= quiet_at) {
			quiet_moment();
			quiet_at = storm.started + QUIET_EVERY;
		}
	}
	run_until_empty();
	quiet_moment();
}

/* Semaphores outlive processes.  A child that is killed before its exec comes here, too. */
static void give_up(int sig)
{
	if (getpid() == storm.pid)
		witness_remove(storm.witness);
	signal(sig, SIG_DFL);
	raise(sig);
}

int main(int argc, char **argv)
{
	if (argc != 8)
		return 2;
	storm.late = strcmp(argv[1], "lockfile") == 0;
	storm.two_dirs = strcmp(argv[1], "devices") == 0;
	storm.hold_lock = argv[2];
	storm.btrfs = argv[3];
	storm.image = argv[4];
	storm.snapshot = argv[5];
	storm.rounds = atoi(argv[6]);
	storm.random = strtoull(argv[7], NULL, 0);
	storm.pid = getpid();
	storm.witness = witness_create();
	if (storm.witness < 0) {
		perror("lock-storm: no semaphores");
		return 2;
	}
	signal(SIGTERM, give_up);
	signal(SIGHUP, give_up);
	signal(SIGINT, give_up);
	run_storm();
	witness_remove(storm.witness);
	printf("%d started: %d sends, %d relocations and %d streams were inside, %d were refused\n",
	       storm.started, storm.inside[HOLD_SEND], storm.inside[HOLD_RELOCATION],
	       storm.inside[REAL_SEND],
	       storm.refused[0] + storm.refused[1] + storm.refused[2]);
	printf("%d killed inside, %d elsewhere, %d quiet moments, %d problems\n",
	       storm.killed_inside, storm.killed_elsewhere, storm.quiet, storm.problems);
	return storm.problems ? 1 : 0;
}
