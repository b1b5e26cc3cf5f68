// SPDX-License-Identifier: GPL-2.0-only
/*
 * Linear probing at a load of at most one half, removal by shifting back (no
 * tombstones).
 *
 * A hash function that is known and fixed lets a hostile image choose keys that
 * all fall on one slot, and every insert walks past all of them.  A random seed
 * would end that, but also make two runs differ.  So the function changes only
 * when a probe has become longer than honest keys make it at this load, and by
 * a fixed sequence: keys would have to collide under each member of it, and the
 * number that can shrinks with every member by the size of the table.
 */
#include "common/hashtable.h"

#include <errno.h>
#include <stdlib.h>

#define MIN_SLOTS 16
#define MAX_PROBE 256
#define MAX_SEED  8

/* A bijective mixer: all bits of the key reach all bits of the result. */
static u64 mix(u64 key, unsigned seed)
{
	u64 h = key ^ (0x9e3779b97f4a7c15ULL * seed);

	h = (h ^ (h >> 32)) * (0xd6e8feb86659fd93ULL + 2 * seed);
	h = (h ^ (h >> 32)) * 0xd6e8feb86659fd93ULL;
	return h ^ (h >> 32);
}

static size_t home_of(const struct u64_map *map, u64 key)
{
	return (size_t)mix(key, map->seed) & (map->nr_slots - 1);
}

void u64_map_init(struct u64_map *map)
{
	*map = U64_MAP_INIT;
}

void u64_map_free(struct u64_map *map)
{
	free(map->slots);
	u64_map_init(map);
}

/* The slot of @key, or the empty one where it belongs.  The table is never full. */
static struct u64_map_slot *probe(const struct u64_map *map, u64 key, size_t *distance)
{
	size_t mask = map->nr_slots - 1;
	size_t i = home_of(map, key);
	size_t n = 0;

	while (map->slots[i].key != 0 && map->slots[i].key != key) {
		i = (i + 1) & mask;
		n++;
	}
	*distance = n;
	return &map->slots[i];
}

/* Into a table of @nr_slots under hash function @seed. */
static int rebuild(struct u64_map *map, size_t nr_slots, unsigned seed)
{
	struct u64_map old = *map;
	struct u64_map_slot *slots = calloc(nr_slots, sizeof(*slots));
	size_t distance;

	if (!slots)
		return -ENOMEM;
	map->slots = slots;
	map->nr_slots = nr_slots;
	map->seed = seed;
	for (size_t i = 0; i < old.nr_slots; i++) {
		if (old.slots[i].key != 0)
			*probe(map, old.slots[i].key, &distance) = old.slots[i];
	}
	free(old.slots);
	return 0;
}

static int add(struct u64_map *map, u64 key, void *value, bool replace)
{
	struct u64_map_slot *slot;
	size_t distance;

	if (key == 0) {
		if (map->has_zero && !replace)
			return -EEXIST;
		map->nr += !map->has_zero;
		map->has_zero = true;
		map->zero_value = value;
		return 0;
	}
	if (map->nr_slots) {
		slot = probe(map, key, &distance);
		if (slot->key == key) {
			if (!replace)
				return -EEXIST;
			slot->value = value;
			return 0;
		}
	}
	if (map->nr >= map->nr_slots / 2) {
		size_t nr_slots = map->nr_slots ? map->nr_slots * 2 : MIN_SLOTS;

		if (rebuild(map, nr_slots, map->seed) < 0)
			return -ENOMEM;
	}
	slot = probe(map, key, &distance);
	if (distance > MAX_PROBE && map->seed < MAX_SEED) {
		/* Slow is better than failing: without memory it stays as it is. */
		if (rebuild(map, map->nr_slots, map->seed + 1) == 0)
			slot = probe(map, key, &distance);
	}
	slot->key = key;
	slot->value = value;
	map->nr++;
	return 0;
}

int u64_map_insert(struct u64_map *map, u64 key, void *value)
{
	return add(map, key, value, false);
}

int u64_map_set(struct u64_map *map, u64 key, void *value)
{
	return add(map, key, value, true);
}

bool u64_map_lookup(const struct u64_map *map, u64 key, void **value)
{
	const struct u64_map_slot *slot;
	size_t distance;

	if (key == 0) {
		if (map->has_zero && value)
			*value = map->zero_value;
		return map->has_zero;
	}
	if (map->nr_slots == 0)
		return false;
	slot = probe(map, key, &distance);
	if (slot->key != key)
		return false;
	if (value)
		*value = slot->value;
	return true;
}

void *u64_map_find(const struct u64_map *map, u64 key)
{
	void *value = NULL;

	u64_map_lookup(map, key, &value);
	return value;
}

void *u64_map_remove(struct u64_map *map, u64 key)
{
	struct u64_map_slot *slot;
	size_t mask = map->nr_slots - 1;
	size_t distance, gap, i;
	void *value;

	if (key == 0) {
		value = map->has_zero ? map->zero_value : NULL;
		map->nr -= map->has_zero;
		map->has_zero = false;
		map->zero_value = NULL;
		return value;
	}
	if (map->nr_slots == 0)
		return NULL;
	slot = probe(map, key, &distance);
	if (slot->key != key)
		return NULL;
	value = slot->value;

	/* Move back whatever a probe would no longer reach over the gap. */
	gap = (size_t)(slot - map->slots);
	for (i = (gap + 1) & mask; map->slots[i].key != 0; i = (i + 1) & mask) {
		size_t home = home_of(map, map->slots[i].key);

		if (((i - home) & mask) >= ((i - gap) & mask)) {
			map->slots[gap] = map->slots[i];
			gap = i;
		}
	}
	map->slots[gap] = (struct u64_map_slot){ .key = 0 };
	map->nr--;
	return value;
}

bool u64_map_next(const struct u64_map *map, size_t *pos, u64 *key, void **value)
{
	/* Position 0 is key 0, position i + 1 is slot i. */
	if (*pos == 0) {
		*pos = 1;
		if (map->has_zero) {
			*key = 0;
			if (value)
				*value = map->zero_value;
			return true;
		}
	}
	while (*pos - 1 < map->nr_slots) {
		const struct u64_map_slot *slot = &map->slots[*pos - 1];

		(*pos)++;
		if (slot->key != 0) {
			*key = slot->key;
			if (value)
				*value = slot->value;
			return true;
		}
	}
	return false;
}
