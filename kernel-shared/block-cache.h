/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The cache of verified tree blocks, for disk-io.c alone: everybody else gets
 * blocks from btrfs_read_tree_block().
 *
 * The cache is split into shards by address, each with a lock of its own, a
 * hash table and a ring that the clock hand of the replacement goes round.  A
 * block that is being read has an entry already, so that it is read once even
 * when several threads want it; the others wait for the one that does.  Who
 * made such an entry is always a running thread, hence waiting cannot deadlock.
 */
#ifndef KERNEL_SHARED_BLOCK_CACHE_H
#define KERNEL_SHARED_BLOCK_CACHE_H

#include "kernel-shared/disk-io.h"

enum block_cache_result {
	BLOCK_CACHE_HIT,	/* *@eb is verified and carries a reference for the caller */
	BLOCK_CACHE_MISS,	/* *@eb is the caller's to fill, then to publish or to drop */
};

/*
 * Find or begin the block at @bytenr.  With @wait false a block that another
 * thread is reading counts as -EBUSY.  -ENOMEM.
 */
int block_cache_get(struct btrfs_block_cache *cache, struct btrfs_fs_info *fs_info, u64 bytenr,
		    bool wait, struct extent_buffer **eb);
/* The filled block is verified: others may have it.  The caller keeps its reference. */
void block_cache_publish(struct btrfs_block_cache *cache, struct extent_buffer *eb);
/* It could not be read: forget it and let those who wait try for themselves. */
void block_cache_drop(struct btrfs_block_cache *cache, struct extent_buffer *eb);
/* Whether the block is there or on its way; may be out of date at once. */
bool block_cache_contains(struct btrfs_block_cache *cache, u64 bytenr);
/*
 * Memory for a block that the cache does not know, zeroed, with one reference.
 * NULL: no memory.
 */
struct extent_buffer *block_cache_alloc(struct btrfs_block_cache *cache,
					struct btrfs_fs_info *fs_info, u64 bytenr);
/*
 * Make a block from block_cache_alloc() known: from now on it is immutable and what is read at
 * its address.  It replaces an older one.  The caller keeps its reference.
 */
void block_cache_insert(struct btrfs_block_cache *cache, struct extent_buffer *eb);
/* Whatever the cache has at @bytenr is no longer what stands there. */
void block_cache_forget(struct btrfs_block_cache *cache, u64 bytenr);
/* How many blocks the cache may hold. */
u32 block_cache_capacity(const struct btrfs_block_cache *cache);

#endif
