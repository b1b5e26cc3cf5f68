// SPDX-License-Identifier: GPL-2.0-only
/* The pool under load: every job runs once, in order where there is one thread. */
#include "tests/unit/common-unit.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>

#include "common/thread-pool.h"

struct counter {
	struct thread_pool *pool;
	pthread_mutex_t lock;
	unsigned long sum;
};

struct number {
	struct counter *counter;
	unsigned long value;
};

static void add_number(void *arg)
{
	struct number *n = arg;

	pthread_mutex_lock(&n->counter->lock);
	n->counter->sum += n->value;
	pthread_mutex_unlock(&n->counter->lock);
}

static void every_job_runs_once(void **state)
{
	enum { NR = 20000 };
	static struct number numbers[NR];
	struct counter counter = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct thread_pool *pool = thread_pool_create(4);

	assert_non_null(pool);
	assert_int_equal(thread_pool_size(pool), 4);
	for (unsigned long i = 0; i < NR; i++) {
		numbers[i] = (struct number){ .counter = &counter, .value = i };
		if (i % 3)
			assert_int_equal(thread_pool_submit(pool, add_number, &numbers[i]), 0);
		else
			assert_int_equal(thread_pool_submit_urgent(pool, add_number, &numbers[i]),
					 0);
	}
	thread_pool_destroy(pool);
	assert_int_equal(counter.sum, (unsigned long)NR * (NR - 1) / 2);
}

/* A binary tree of jobs: each queues two more until the depth is reached. */
struct tree_job {
	struct counter *counter;
	int depth;
};

static struct tree_job tree_jobs[1 << 10];

static void run_tree_job(void *arg)
{
	struct tree_job *job = arg;
	struct counter *counter = job->counter;
	size_t index = (size_t)(job - tree_jobs);

	pthread_mutex_lock(&counter->lock);
	counter->sum++;
	pthread_mutex_unlock(&counter->lock);
	if (job->depth == 0)
		return;
	for (size_t child = 2 * index; child <= 2 * index + 1; child++) {
		tree_jobs[child] = (struct tree_job){ counter, job->depth - 1 };
		thread_pool_submit(counter->pool, run_tree_job, &tree_jobs[child]);
	}
}

static void destroy_waits_for_jobs_of_jobs(void **state)
{
	struct counter counter = { .lock = PTHREAD_MUTEX_INITIALIZER };

	counter.pool = thread_pool_create(3);
	assert_non_null(counter.pool);
	tree_jobs[1] = (struct tree_job){ &counter, 8 };
	assert_int_equal(thread_pool_submit(counter.pool, run_tree_job, &tree_jobs[1]), 0);
	thread_pool_destroy(counter.pool);
	assert_int_equal(counter.sum, (1 << 9) - 1);
}

static sem_t gate;
static int order[16];
static int nr_order;

static void wait_at_gate(void *arg)
{
	sem_wait(&gate);
}

static void note_order(void *arg)
{
	order[nr_order++] = *(int *)arg;
}

static void first_in_first_out_but_urgent_first(void **state)
{
	static int ids[] = { 0, 1, 2, 3, 4 };
	static const int want[] = { 4, 0, 1, 2, 3 };
	struct thread_pool *pool = thread_pool_create(1);

	assert_non_null(pool);
	sem_init(&gate, 0, 0);
	nr_order = 0;
	thread_pool_submit(pool, wait_at_gate, NULL);
	for (int i = 0; i < 4; i++)
		thread_pool_submit(pool, note_order, &ids[i]);
	/* The one thread may not have taken the gate job yet: then this is ahead of it. */
	thread_pool_submit_urgent(pool, note_order, &ids[4]);
	sem_post(&gate);
	thread_pool_destroy(pool);
	assert_int_equal(nr_order, 5);
	assert_memory_equal(order, want, sizeof(want));
	sem_destroy(&gate);
}

/* The queue's tail must be right after it ran empty and after an urgent job alone. */
static void queue_survives_running_empty(void **state)
{
	struct counter counter = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct number one = { &counter, 1 };
	struct thread_pool *pool = thread_pool_create(2);
	unsigned long sum;

	assert_non_null(pool);
	for (unsigned long i = 1; i <= 500; i++) {
		if (i % 2)
			thread_pool_submit_urgent(pool, add_number, &one);
		else
			thread_pool_submit(pool, add_number, &one);
		do {
			pthread_mutex_lock(&counter.lock);
			sum = counter.sum;
			pthread_mutex_unlock(&counter.lock);
		} while (sum != i);
	}
	thread_pool_destroy(pool);
}

static void read_mask(void *arg)
{
	pthread_sigmask(SIG_SETMASK, NULL, arg);
}

static void signals_are_blocked(void **state)
{
	struct thread_pool *pool = thread_pool_create(1);
	sigset_t pool_mask, own_mask;

	assert_non_null(pool);
	thread_pool_submit(pool, read_mask, &pool_mask);
	thread_pool_destroy(pool);
	assert_true(sigismember(&pool_mask, SIGINT));
	assert_true(sigismember(&pool_mask, SIGTERM));
	read_mask(&own_mask);
	assert_false(sigismember(&own_mask, SIGINT));
}

static void default_size_is_the_cpus(void **state)
{
	struct thread_pool *pool = thread_pool_create(0);

	assert_non_null(pool);
	assert_int_equal(thread_pool_size(pool), nr_cpus_available());
	thread_pool_destroy(pool);
	thread_pool_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_job_runs_once),
		cmocka_unit_test(destroy_waits_for_jobs_of_jobs),
		cmocka_unit_test(first_in_first_out_but_urgent_first),
		cmocka_unit_test(queue_survives_running_empty),
		cmocka_unit_test(signals_are_blocked),
		cmocka_unit_test(default_size_is_the_cpus),
	};

	return cmocka_run_group_tests_name("thread-pool", tests, NULL, NULL);
}
