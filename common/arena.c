// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory for many small things that live and die together.
 */
#include "common/arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "common/types.h"

#define CHUNK_BYTES	((size_t)SZ_1M)

struct arena_chunk {
	struct arena_chunk *next;
	size_t size;		/* bytes of @data */
	alignas(max_align_t) unsigned char data[];
};

static void *take(struct arena *arena, size_t len, size_t align)
{
	size_t used = round_up(arena->used, align);
	struct arena_chunk *chunk = arena->chunks;

	if (!chunk || used > chunk->size || len > chunk->size - used) {
		size_t size = max(len, CHUNK_BYTES);

		if (size > (size_t)-1 - sizeof(*chunk))
			return NULL;
		chunk = malloc(sizeof(*chunk) + size);
		if (!chunk)
			return NULL;
		chunk->size = size;
		chunk->next = arena->chunks;
		arena->chunks = chunk;
		used = 0;
	}
	arena->used = used + len;
	return chunk->data + used;
}

void *arena_alloc(struct arena *arena, size_t len)
{
	void *p = take(arena, len, alignof(max_align_t));

	return p ? memset(p, 0, len) : NULL;
}

void *arena_copy(struct arena *arena, const void *bytes, size_t len)
{
	void *p = take(arena, len, 1);

	if (p && len)
		memcpy(p, bytes, len);
	return p;
}

void arena_free(struct arena *arena)
{
	while (arena->chunks) {
		struct arena_chunk *next = arena->chunks->next;

		free(arena->chunks);
		arena->chunks = next;
	}
	arena->used = 0;
}
