/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A fixed pool of threads with one queue.  The pool only runs functions; who
 * submits keeps track of completion and joins results in key order, so that no
 * output depends on timing.
 */
#ifndef BTRFS_COMMON_THREAD_POOL_H
#define BTRFS_COMMON_THREAD_POOL_H

struct thread_pool;

/*
 * @nr_threads 0: as many as this process may use CPUs (taskset and cpusets are
 * honoured).  NULL: no memory, or not one thread could be started.  The threads
 * run with all signals blocked: signals are the main thread's affair.
 */
struct thread_pool *thread_pool_create(unsigned nr_threads);

/*
 * Queue fn(arg), first in first out.  May be called from any thread, a pool
 * thread included.  -ENOMEM: not queued.
 */
int thread_pool_submit(struct thread_pool *pool, void (*fn)(void *arg), void *arg);

/* The same, but ahead of all that waits: for what the main thread is blocked on. */
int thread_pool_submit_urgent(struct thread_pool *pool, void (*fn)(void *arg), void *arg);

/* Run all that is queued (and what that submits), then end the threads.  NULL is fine. */
void thread_pool_destroy(struct thread_pool *pool);

unsigned thread_pool_size(const struct thread_pool *pool);

/* The number of CPUs this process may use, at least 1. */
unsigned nr_cpus_available(void);

#endif
