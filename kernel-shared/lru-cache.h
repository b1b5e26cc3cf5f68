/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A small cache of entries by (key, generation), the least recently used one
 * first to go.  The entries are the caller's structs, each with a struct
 * lru_entry as its first member and from malloc(): the cache frees them.
 *
 * The order of use is part of the result where send is concerned (which
 * directory gets its times first), hence it is exact and not approximated.
 */
#ifndef KERNEL_SHARED_LRU_CACHE_H
#define KERNEL_SHARED_LRU_CACHE_H

#include "common/hashtable.h"
#include "common/list.h"

struct lru_entry {
	struct list_head lru;
	struct lru_entry *next;		/* the same key with another generation */
	u64 key;
	u64 gen;
};

struct lru_cache {
	struct list_head lru;		/* the least recently used first */
	struct u64_map map;		/* key -> first struct lru_entry of that key */
	u32 nr;
	u32 max;			/* 0: no limit */
};

void lru_cache_init(struct lru_cache *cache, u32 max);
void lru_cache_release(struct lru_cache *cache);

/* The entry, from now on the most recently used one, or NULL. */
struct lru_entry *lru_cache_lookup(struct lru_cache *cache, u64 key, u64 gen);

/* Takes over @entry (whose key and gen are set).  -EEXIST and -ENOMEM leave it to the caller. */
int lru_cache_store(struct lru_cache *cache, struct lru_entry *entry);
void lru_cache_remove(struct lru_cache *cache, struct lru_entry *entry);

/* The least and the most recently used entry; NULL when empty. */
struct lru_entry *lru_cache_oldest(struct lru_cache *cache);
struct lru_entry *lru_cache_newest(struct lru_cache *cache);

#endif
