/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory for many small things that live and die together.
 */
#ifndef BTRFS_COMMON_ARENA_H
#define BTRFS_COMMON_ARENA_H

#include <stddef.h>

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks;
	size_t used;		/* bytes of the newest one */
};

/* @len bytes, zeroed and aligned for any type; NULL: no memory.  Begin with an all-zero arena. */
void *arena_alloc(struct arena *arena, size_t len);
/* A copy of @len bytes, which need no alignment. */
void *arena_copy(struct arena *arena, const void *bytes, size_t len);
/* Everything at once. */
void arena_free(struct arena *arena);

#endif
