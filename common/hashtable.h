/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A map from u64 keys (inode numbers, block addresses, root ids) to pointers.
 *
 * Open addressing with linear probing: one cache line per look-up as a rule.
 * Nothing is random: the same calls give the same order of iteration on every
 * run.  That order means nothing, though; sort keys before they are printed.
 * Keys may come from a hostile image: a table whose keys were chosen to collide
 * changes its hash function (see hashtable.c).
 *
 * Not locked; the owner's lock covers it.
 */
#ifndef BTRFS_COMMON_HASHTABLE_H
#define BTRFS_COMMON_HASHTABLE_H

#include <stdbool.h>
#include <stddef.h>
#include "common/types.h"

struct u64_map_slot {
	u64 key; /* 0: empty; key 0 itself lives in struct u64_map */
	void *value;
};

struct u64_map {
	struct u64_map_slot *slots;
	size_t nr;	 /* keys in the map, key 0 included */
	size_t nr_slots; /* a power of two, or 0 before the first insert */
	unsigned seed;	 /* which hash function */
	bool has_zero;
	void *zero_value;
};

#define U64_MAP_INIT ((struct u64_map){ .slots = NULL })

void u64_map_init(struct u64_map *map);

/* Frees the table; what the values point to is the caller's. */
void u64_map_free(struct u64_map *map);

/* -EEXIST: @key is there already and keeps its value.  -ENOMEM. */
int u64_map_insert(struct u64_map *map, u64 key, void *value);

/* Insert or replace.  -ENOMEM. */
int u64_map_set(struct u64_map *map, u64 key, void *value);

/* True if @key is in the map; its value goes to *@value unless that is NULL. */
bool u64_map_lookup(const struct u64_map *map, u64 key, void **value);

/* The value of @key, NULL if it is not in the map. */
void *u64_map_find(const struct u64_map *map, u64 key);

/* The value that was removed, NULL if @key was not in the map. */
void *u64_map_remove(struct u64_map *map, u64 key);

/*
 * Iterate: start with *@pos = 0 and call until it returns false.  The map may
 * not change meanwhile.
 */
bool u64_map_next(const struct u64_map *map, size_t *pos, u64 *key, void **value);

#endif
