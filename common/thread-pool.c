// SPDX-License-Identifier: GPL-2.0-only
/*
 * The thread pool: one queue, one mutex, one condition.  Jobs are meant to be
 * large (a readahead window, a checksum batch), so that the lock is not what
 * they wait for.
 */
#include "common/thread-pool.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

struct job {
	struct job *next;
	void (*fn)(void *arg);
	void *arg;
};

struct thread_pool {
	pthread_mutex_t lock; /* all below but the threads */
	pthread_cond_t wake;  /* a job was queued, or the end has come */
	struct job *first;
	struct job **tail; /* where the next job is linked */
	unsigned running;  /* jobs being run: each may still queue more */
	bool ending;

	unsigned nr_threads;
	pthread_t threads[];
};

unsigned nr_cpus_available(void)
{
	/* Machines with more CPUs than a cpu_set_t holds: grow until it fits. */
	for (int bits = CPU_SETSIZE; bits <= CPU_SETSIZE * 64; bits *= 2) {
		cpu_set_t *set = CPU_ALLOC(bits);
		size_t size = CPU_ALLOC_SIZE(bits);
		int ret, nr;

		if (!set)
			return 1;
		ret = sched_getaffinity(0, size, set);
		nr = ret == 0 ? CPU_COUNT_S(size, set) : 0;
		CPU_FREE(set);
		if (ret == 0)
			return nr > 0 ? (unsigned)nr : 1;
		if (errno != EINVAL)
			return 1;
	}
	return 1;
}

static void *pool_thread(void *arg)
{
	struct thread_pool *pool = arg;

	pthread_mutex_lock(&pool->lock);
	for (;;) {
		struct job *job = pool->first;

		if (!job) {
			if (pool->ending && pool->running == 0)
				break;
			pthread_cond_wait(&pool->wake, &pool->lock);
			continue;
		}
		pool->first = job->next;
		if (!pool->first)
			pool->tail = &pool->first;
		pool->running++;
		pthread_mutex_unlock(&pool->lock);

		job->fn(job->arg);
		free(job);

		pthread_mutex_lock(&pool->lock);
		pool->running--;
		if (pool->ending && pool->running == 0 && !pool->first)
			pthread_cond_broadcast(&pool->wake);
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

struct thread_pool *thread_pool_create(unsigned nr_threads)
{
	struct thread_pool *pool;
	sigset_t all, old;

	if (nr_threads == 0)
		nr_threads = nr_cpus_available();
	pool = calloc(1, sizeof(*pool) + nr_threads * sizeof(pool->threads[0]));
	if (!pool)
		return NULL;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->wake, NULL);
	pool->tail = &pool->first;

	/* Threads inherit the mask of their creator. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	while (pool->nr_threads < nr_threads) {
		if (pthread_create(&pool->threads[pool->nr_threads], NULL, pool_thread, pool) != 0)
			break;
		pool->nr_threads++;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);

	/* Fewer than wanted still do the work; none at all would hang it. */
	if (pool->nr_threads == 0) {
		thread_pool_destroy(pool);
		return NULL;
	}
	return pool;
}

static int submit(struct thread_pool *pool, void (*fn)(void *arg), void *arg, bool urgent)
{
	struct job *job = malloc(sizeof(*job));

	if (!job)
		return -ENOMEM;
	job->fn = fn;
	job->arg = arg;
	job->next = NULL;

	pthread_mutex_lock(&pool->lock);
	if (urgent && pool->first) {
		job->next = pool->first;
		pool->first = job;
	} else {
		*pool->tail = job;
		pool->tail = &job->next;
	}
	pthread_cond_signal(&pool->wake);
	pthread_mutex_unlock(&pool->lock);
	return 0;
}

int thread_pool_submit(struct thread_pool *pool, void (*fn)(void *arg), void *arg)
{
	return submit(pool, fn, arg, false);
}

int thread_pool_submit_urgent(struct thread_pool *pool, void (*fn)(void *arg), void *arg)
{
	return submit(pool, fn, arg, true);
}

void thread_pool_destroy(struct thread_pool *pool)
{
	if (!pool)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->ending = true;
	pthread_cond_broadcast(&pool->wake);
	pthread_mutex_unlock(&pool->lock);
	for (unsigned i = 0; i < pool->nr_threads; i++)
		pthread_join(pool->threads[i], NULL);
	pthread_cond_destroy(&pool->wake);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

unsigned thread_pool_size(const struct thread_pool *pool)
{
	return pool->nr_threads;
}
