// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cache with exact least-recently-used order; see the header.
 */
#include "kernel-shared/lru-cache.h"

#include <errno.h>
#include <stdlib.h>

void lru_cache_init(struct lru_cache *cache, u32 max)
{
	INIT_LIST_HEAD(&cache->lru);
	u64_map_init(&cache->map);
	cache->nr = 0;
	cache->max = max;
}

static struct lru_entry *find_entry(const struct lru_cache *cache, u64 key, u64 gen)
{
	struct lru_entry *entry = u64_map_find(&cache->map, key);

	while (entry && entry->gen != gen)
		entry = entry->next;
	return entry;
}

struct lru_entry *lru_cache_lookup(struct lru_cache *cache, u64 key, u64 gen)
{
	struct lru_entry *entry = find_entry(cache, key, gen);

	if (entry)
		list_move_tail(&entry->lru, &cache->lru);
	return entry;
}

void lru_cache_remove(struct lru_cache *cache, struct lru_entry *entry)
{
	struct lru_entry *first = u64_map_find(&cache->map, entry->key);

	if (first == entry) {
		/* Replacing the value of a key that is there needs no memory. */
		if (entry->next)
			u64_map_set(&cache->map, entry->key, entry->next);
		else
			u64_map_remove(&cache->map, entry->key);
	} else {
		while (first->next != entry)
			first = first->next;
		first->next = entry->next;
	}
	list_del(&entry->lru);
	cache->nr--;
	free(entry);
}

int lru_cache_store(struct lru_cache *cache, struct lru_entry *entry)
{
	int ret;

	if (find_entry(cache, entry->key, entry->gen))
		return -EEXIST;
	if (cache->max && cache->nr == cache->max)
		lru_cache_remove(cache, lru_cache_oldest(cache));
	entry->next = u64_map_find(&cache->map, entry->key);
	ret = u64_map_set(&cache->map, entry->key, entry);
	if (ret)
		return ret;
	list_add_tail(&entry->lru, &cache->lru);
	cache->nr++;
	return 0;
}

struct lru_entry *lru_cache_oldest(struct lru_cache *cache)
{
	return list_empty(&cache->lru) ? NULL :
	       list_first_entry(&cache->lru, struct lru_entry, lru);
}

struct lru_entry *lru_cache_newest(struct lru_cache *cache)
{
	return list_empty(&cache->lru) ? NULL :
	       list_last_entry(&cache->lru, struct lru_entry, lru);
}

void lru_cache_release(struct lru_cache *cache)
{
	struct lru_entry *entry;

	while ((entry = lru_cache_oldest(cache)) != NULL)
		lru_cache_remove(cache, entry);
	u64_map_free(&cache->map);
}
