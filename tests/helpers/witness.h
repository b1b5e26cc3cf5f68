/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An independent witness of who is inside: two counters of the kernel (System V
 * semaphores) that are checked and raised in one atomic step.
 *
 * A process that is killed inside leaves no count behind: the kernel takes it
 * back (SEM_UNDO), and does so before it closes the files of the process, which is
 * what gives the lock under test to the next.  So a count is never there without
 * the lock.
 */
#ifndef TESTS_HELPERS_WITNESS_H
#define TESTS_HELPERS_WITNESS_H

#include <errno.h>
#include <stdbool.h>
#include <sys/ipc.h>
#include <sys/sem.h>

enum {
	WITNESS_SENDS,
	WITNESS_RELOCATIONS,
	WITNESS_NR,
};

/* The id, or -1 (errno). */
static inline int witness_create(void)
{
	return semget(IPC_PRIVATE, WITNESS_NR, 0600);
}

static inline void witness_remove(int id)
{
	semctl(id, 0, IPC_RMID);
}

/* -EAGAIN: somebody is inside who must not be; otherwise negative errno. */
static inline int witness_enter(int id, bool reloc)
{
	/* All of it or nothing; "op 0" is the demand that the counter be 0. */
	struct sembuf send[] = {
		{ .sem_num = WITNESS_RELOCATIONS, .sem_op = 0, .sem_flg = IPC_NOWAIT },
		{ .sem_num = WITNESS_SENDS, .sem_op = 1, .sem_flg = IPC_NOWAIT | SEM_UNDO },
	};
	struct sembuf relocation[] = {
		{ .sem_num = WITNESS_SENDS, .sem_op = 0, .sem_flg = IPC_NOWAIT },
		{ .sem_num = WITNESS_RELOCATIONS, .sem_op = 0, .sem_flg = IPC_NOWAIT },
		{ .sem_num = WITNESS_RELOCATIONS, .sem_op = 1, .sem_flg = IPC_NOWAIT | SEM_UNDO },
	};
	int ret = reloc ? semop(id, relocation, 3) : semop(id, send, 2);

	return ret ? -errno : 0;
}

static inline int witness_leave(int id, bool reloc)
{
	struct sembuf op = {
		.sem_num = reloc ? WITNESS_RELOCATIONS : WITNESS_SENDS,
		.sem_op = -1, .sem_flg = IPC_NOWAIT | SEM_UNDO,
	};

	return semop(id, &op, 1) ? -errno : 0;
}

/* How many are inside. */
static inline int witness_count(int id, bool reloc)
{
	return semctl(id, reloc ? WITNESS_RELOCATIONS : WITNESS_SENDS, GETVAL);
}

#endif
