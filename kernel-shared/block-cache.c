// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cache of tree blocks; block-cache.h says how it is meant.
 */
#include "kernel-shared/block-cache.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "common/vec.h"

#define NR_SHARDS	16U
/* Even a tiny limit must hold the paths of a few threads. */
#define MIN_BLOCKS	(NR_SHARDS * 8U)

enum eb_state {
	EB_READING,
	EB_VALID,
	EB_DROPPED,
};

/* One block: the public struct, the cache's own fields, the content. */
struct cached_block {
	struct extent_buffer eb;
	struct btrfs_block_cache *cache;
	enum eb_state state;		/* under the shard's lock */
	struct cached_block *next_free;
	u8 *data;
};

/*
 * Blocks are cut from slabs of this size, which is that of a huge page: filling
 * a cache page by page would cost as much in page faults as in reading.
 */
#define SLAB_BYTES	(2U * SZ_1M)

struct shard {
	pthread_mutex_t lock;		/* protects everything below and the links of its blocks */
	pthread_cond_t state_changed;
	struct extent_buffer **buckets;
	struct extent_buffer *hand;	/* a ring through lru_prev and lru_next; NULL when empty */
	u32 nr_blocks;
};

struct btrfs_block_cache {
	u32 nodesize;
	pthread_mutex_t free_lock;	/* protects free and slabs */
	struct cached_block *free;
	struct vec slabs;		/* of void *, to be freed at the end */
	u32 max_per_shard;
	u32 bucket_mask;
	struct shard shards[NR_SHARDS];
};

static struct cached_block *to_cached(struct extent_buffer *eb)
{
	return container_of(eb, struct cached_block, eb);
}

static u64 hash_bytenr(u64 bytenr)
{
	return (bytenr >> 12) * 0x9e3779b97f4a7c15ULL;
}

static struct shard *shard_of(struct btrfs_block_cache *cache, u64 hash)
{
	return &cache->shards[hash >> 60 & (NR_SHARDS - 1)];
}

static struct extent_buffer **bucket_of(const struct btrfs_block_cache *cache, struct shard *shard,
					u64 hash)
{
	return &shard->buckets[(hash >> 32) & cache->bucket_mask];
}

/* Cut a new slab into free blocks.  Called with free_lock held. */
static int add_slab(struct btrfs_block_cache *cache)
{
	size_t nr = max(SLAB_BYTES / cache->nodesize, 1U);
	struct cached_block *blocks = calloc(nr, sizeof(*blocks));
	u8 *slab = aligned_alloc(SLAB_BYTES, SLAB_BYTES);

	if (!blocks || !slab || vec_reserve(&cache->slabs, cache->slabs.nr + 2)) {
		free(blocks);
		free(slab);
		return -ENOMEM;
	}
	madvise(slab, SLAB_BYTES, MADV_HUGEPAGE);
	vec_push_copy(&cache->slabs, &slab);
	vec_push_copy(&cache->slabs, &blocks);
	for (size_t i = nr; i-- > 0;) {
		blocks[i].cache = cache;
		blocks[i].data = slab + i * cache->nodesize;
		blocks[i].next_free = cache->free;
		cache->free = &blocks[i];
	}
	return 0;
}

static struct cached_block *get_free_block(struct btrfs_block_cache *cache)
{
	struct cached_block *block = NULL;

	pthread_mutex_lock(&cache->free_lock);
	if (cache->free || add_slab(cache) == 0) {
		block = cache->free;
		cache->free = block->next_free;
	}
	pthread_mutex_unlock(&cache->free_lock);
	return block;
}

static void put_free_block(struct cached_block *block)
{
	struct btrfs_block_cache *cache = block->cache;

	pthread_mutex_lock(&cache->free_lock);
	block->next_free = cache->free;
	cache->free = block;
	pthread_mutex_unlock(&cache->free_lock);
}

static void free_slabs(struct btrfs_block_cache *cache)
{
	void **memory;

	vec_for_each(&cache->slabs, memory)
		free(*memory);
	vec_free(&cache->slabs);
	pthread_mutex_destroy(&cache->free_lock);
}

int btrfs_block_cache_create(u64 max_bytes, u32 nodesize, struct btrfs_block_cache **ret)
{
	u64 max_blocks = max_t(u64, max_bytes / nodesize, MIN_BLOCKS);
	struct btrfs_block_cache *cache = calloc(1, sizeof(*cache));
	u32 nr_buckets = 16;

	if (!cache)
		return -ENOMEM;
	cache->nodesize = nodesize;
	pthread_mutex_init(&cache->free_lock, NULL);
	vec_init(&cache->slabs, sizeof(void *));
	cache->max_per_shard = (u32)min_t(u64, max_blocks / NR_SHARDS, 1U << 24);
	while (nr_buckets < cache->max_per_shard)
		nr_buckets *= 2;
	cache->bucket_mask = nr_buckets - 1;
	for (u32 i = 0; i < NR_SHARDS; i++) {
		pthread_mutex_init(&cache->shards[i].lock, NULL);
		pthread_cond_init(&cache->shards[i].state_changed, NULL);
		cache->shards[i].buckets = calloc(nr_buckets, sizeof(struct extent_buffer *));
		if (!cache->shards[i].buckets) {
			btrfs_block_cache_destroy(cache);
			return -ENOMEM;
		}
	}
	*ret = cache;
	return 0;
}

void btrfs_block_cache_destroy(struct btrfs_block_cache *cache)
{
	if (!cache)
		return;
	for (u32 i = 0; i < NR_SHARDS; i++) {
		struct shard *shard = &cache->shards[i];
		struct extent_buffer *eb = shard->hand;

		while (shard->nr_blocks--) {
			struct extent_buffer *next = eb->lru_next;

			free_extent_buffer(eb);
			eb = next;
		}
		free(shard->buckets);
	}
	free_slabs(cache);
	free(cache);
}

u32 block_cache_capacity(const struct btrfs_block_cache *cache)
{
	return cache->max_per_shard * NR_SHARDS;
}

struct extent_buffer *extent_buffer_get(struct extent_buffer *eb)
{
	__atomic_add_fetch(&eb->refs, 1, __ATOMIC_RELAXED);
	return eb;
}

void free_extent_buffer(struct extent_buffer *eb)
{
	if (eb && __atomic_sub_fetch(&eb->refs, 1, __ATOMIC_ACQ_REL) == 0)
		put_free_block(to_cached(eb));
}

static struct extent_buffer *find_block(struct btrfs_block_cache *cache, struct shard *shard,
					u64 hash, u64 bytenr)
{
	struct extent_buffer *eb = *bucket_of(cache, shard, hash);

	while (eb && eb->start != bytenr)
		eb = eb->hash_next;
	return eb;
}

static void link_block(struct btrfs_block_cache *cache, struct shard *shard, u64 hash,
		       struct extent_buffer *eb)
{
	struct extent_buffer **bucket = bucket_of(cache, shard, hash);

	eb->hash_next = *bucket;
	*bucket = eb;
	if (shard->hand) {
		eb->lru_next = shard->hand;
		eb->lru_prev = shard->hand->lru_prev;
		eb->lru_prev->lru_next = eb;
		eb->lru_next->lru_prev = eb;
	} else {
		eb->lru_next = eb->lru_prev = eb;
		shard->hand = eb;
	}
	shard->nr_blocks++;
}

static void unlink_block(struct btrfs_block_cache *cache, struct shard *shard,
			 struct extent_buffer *eb)
{
	struct extent_buffer **link = bucket_of(cache, shard, hash_bytenr(eb->start));

	while (*link != eb)
		link = &(*link)->hash_next;
	*link = eb->hash_next;
	if (shard->hand == eb)
		shard->hand = eb->lru_next == eb ? NULL : eb->lru_next;
	eb->lru_prev->lru_next = eb->lru_next;
	eb->lru_next->lru_prev = eb->lru_prev;
	shard->nr_blocks--;
}

/*
 * Throw out blocks that nobody holds and nobody asked for since the hand came
 * by last.  When all are held the shard grows past its limit for a while.
 */
static void make_room(struct btrfs_block_cache *cache, struct shard *shard)
{
	u32 looked_at = 0;

	while (shard->nr_blocks >= cache->max_per_shard && looked_at++ < 2 * cache->max_per_shard) {
		struct extent_buffer *eb = shard->hand;

		shard->hand = eb->lru_next;
		if (eb->referenced) {
			eb->referenced = 0;
			continue;
		}
		/* Only the cache's own reference, and new ones need the lock we hold. */
		if (__atomic_load_n(&eb->refs, __ATOMIC_ACQUIRE) == 1) {
			unlink_block(cache, shard, eb);
			free_extent_buffer(eb);
		}
	}
}

static struct extent_buffer *alloc_block(struct btrfs_block_cache *cache,
					 struct btrfs_fs_info *fs_info, u64 bytenr)
{
	struct cached_block *block = get_free_block(cache);

	if (!block)
		return NULL;
	block->state = EB_READING;
	block->eb = (struct extent_buffer) {
		.fs_info = fs_info,
		.start = bytenr,
		.len = cache->nodesize,
		.data = block->data,
		.refs = 2,		/* the cache's and the caller's */
		.referenced = 1,
	};
	return &block->eb;
}

int block_cache_get(struct btrfs_block_cache *cache, struct btrfs_fs_info *fs_info, u64 bytenr,
		    bool wait, struct extent_buffer **ret_eb)
{
	u64 hash = hash_bytenr(bytenr);
	struct shard *shard = shard_of(cache, hash);
	struct extent_buffer *eb;
	int ret = BLOCK_CACHE_HIT;

	pthread_mutex_lock(&shard->lock);
	while ((eb = find_block(cache, shard, hash, bytenr)) != NULL &&
	       to_cached(eb)->state == EB_READING) {
		if (!wait) {
			ret = -EBUSY;
			goto out;
		}
		pthread_cond_wait(&shard->state_changed, &shard->lock);
	}
	if (eb) {
		extent_buffer_get(eb);
		eb->referenced = 1;
	} else {
		make_room(cache, shard);
		eb = alloc_block(cache, fs_info, bytenr);
		if (eb)
			link_block(cache, shard, hash, eb);
		ret = eb ? BLOCK_CACHE_MISS : -ENOMEM;
	}
	*ret_eb = eb;
out:
	pthread_mutex_unlock(&shard->lock);
	return ret;
}

void block_cache_publish(struct btrfs_block_cache *cache, struct extent_buffer *eb)
{
	struct shard *shard = shard_of(cache, hash_bytenr(eb->start));

	pthread_mutex_lock(&shard->lock);
	to_cached(eb)->state = EB_VALID;
	pthread_cond_broadcast(&shard->state_changed);
	pthread_mutex_unlock(&shard->lock);
}

void block_cache_drop(struct btrfs_block_cache *cache, struct extent_buffer *eb)
{
	struct shard *shard = shard_of(cache, hash_bytenr(eb->start));

	pthread_mutex_lock(&shard->lock);
	to_cached(eb)->state = EB_DROPPED;
	unlink_block(cache, shard, eb);
	pthread_cond_broadcast(&shard->state_changed);
	pthread_mutex_unlock(&shard->lock);
	free_extent_buffer(eb);		/* the cache's */
	free_extent_buffer(eb);		/* the caller's */
}

struct extent_buffer *block_cache_alloc(struct btrfs_block_cache *cache,
					struct btrfs_fs_info *fs_info, u64 bytenr)
{
	struct extent_buffer *eb = alloc_block(cache, fs_info, bytenr);

	if (!eb)
		return NULL;
	eb->refs = 1;
	memset(eb->data, 0, eb->len);
	return eb;
}

/* Under the shard's lock; who is reading it would publish what is out of date, so wait. */
static void forget_locked(struct btrfs_block_cache *cache, struct shard *shard, u64 hash,
			  u64 bytenr)
{
	struct extent_buffer *eb;

	while ((eb = find_block(cache, shard, hash, bytenr)) != NULL &&
	       to_cached(eb)->state == EB_READING)
		pthread_cond_wait(&shard->state_changed, &shard->lock);
	if (!eb)
		return;
	to_cached(eb)->state = EB_DROPPED;
	unlink_block(cache, shard, eb);
	free_extent_buffer(eb);
}

void block_cache_insert(struct btrfs_block_cache *cache, struct extent_buffer *eb)
{
	u64 hash = hash_bytenr(eb->start);
	struct shard *shard = shard_of(cache, hash);

	pthread_mutex_lock(&shard->lock);
	forget_locked(cache, shard, hash, eb->start);
	make_room(cache, shard);
	to_cached(eb)->state = EB_VALID;
	eb->referenced = 1;
	link_block(cache, shard, hash, extent_buffer_get(eb));
	pthread_mutex_unlock(&shard->lock);
}

void block_cache_forget(struct btrfs_block_cache *cache, u64 bytenr)
{
	u64 hash = hash_bytenr(bytenr);
	struct shard *shard = shard_of(cache, hash);

	pthread_mutex_lock(&shard->lock);
	forget_locked(cache, shard, hash, bytenr);
	pthread_mutex_unlock(&shard->lock);
}

bool block_cache_contains(struct btrfs_block_cache *cache, u64 bytenr)
{
	u64 hash = hash_bytenr(bytenr);
	struct shard *shard = shard_of(cache, hash);
	bool found;

	pthread_mutex_lock(&shard->lock);
	found = find_block(cache, shard, hash, bytenr) != NULL;
	pthread_mutex_unlock(&shard->lock);
	return found;
}
