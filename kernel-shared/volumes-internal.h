/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the volumes files share with each other and with nobody else: the tree
 * of chunk maps, and the arithmetic of stripes.
 */
#ifndef KERNEL_SHARED_VOLUMES_INTERNAL_H
#define KERNEL_SHARED_VOLUMES_INTERNAL_H

#include <pthread.h>

#include "common/iov.h"
#include "common/vec.h"
#include "kernel-shared/volumes.h"

/* ---- the tree of maps (volumes-map.c) ---- */

/* More devices than any file system has; bounds what a hostile image can ask for. */
#define BTRFS_MAX_DEVICES	4096

#define NR_FULL_STRIPE_LOCKS	64

/*
 * Maps are kept sorted in an array: they change rarely and are looked up for
 * every block.  A tree that has not been published belongs to whoever builds it.
 */
struct btrfs_chunk_map_tree {
	pthread_rwlock_t lock;			/* protects the maps, once it is published */
	struct btrfs_chunk_map **maps;		/* ascending, without overlap */
	size_t nr_maps;
	size_t max_maps;
	struct vec removed;			/* maps that somebody may still look at */
	struct btrfs_device **devices;		/* what the maps point to */
	unsigned int nr_devices;
	unsigned int max_devices;
	unsigned int nr_missing;
	struct btrfs_chunk_map_tree *older;
	/* By a hash of the address: more than one full stripe may share a lock. */
	pthread_mutex_t full_stripe_locks[NR_FULL_STRIPE_LOCKS];
};

/* A tree to add to, with copies of all that the published one has.  NULL: no memory. */
struct btrfs_chunk_map_tree *btrfs_map_tree_begin(const struct btrfs_fs_info *fs_info);
/* From now on @tree is what everybody sees. */
void btrfs_map_tree_publish(struct btrfs_fs_info *fs_info, struct btrfs_chunk_map_tree *tree);
/* For one that was not published; NULL is fine. */
void btrfs_map_tree_free(struct btrfs_chunk_map_tree *tree);

struct btrfs_device *btrfs_map_tree_find_device(const struct btrfs_chunk_map_tree *tree,
						u64 devid, const u8 *uuid);
/* A zeroed device of the tree.  -EOVERFLOW: there are too many.  -ENOMEM. */
int btrfs_map_tree_new_device(struct btrfs_chunk_map_tree *tree, struct btrfs_device **ret);

/* Index of the first map that ends behind @logical; nr_maps when none does. */
size_t btrfs_map_tree_first_after(const struct btrfs_chunk_map_tree *tree, u64 logical);
/* Put @map, which overlaps no other, where btrfs_map_tree_first_after() says.  -ENOMEM. */
int btrfs_map_tree_insert(struct btrfs_chunk_map_tree *tree, size_t i,
			  struct btrfs_chunk_map *map);

/* ---- stripes ---- */

static inline bool chunk_is_raid56(const struct btrfs_chunk_map *map)
{
	return (map->type & BTRFS_BLOCK_GROUP_RAID56_MASK) != 0;
}

static inline unsigned int chunk_data_stripes(const struct btrfs_chunk_map *map)
{
	return btrfs_chunk_data_stripes(map->type, map->num_stripes, map->sub_stripes);
}

/* A place in a chunk: the row of 64 KiB stripes, and where in it. */
struct chunk_pos {
	u64 row;
	unsigned int column;	/* which of the data stripes */
	u32 offset;		/* bytes into the stripe */
};

static inline struct chunk_pos chunk_pos(const struct btrfs_chunk_map *map, u64 offset)
{
	unsigned int columns = chunk_data_stripes(map);
	u64 stripe_nr = offset / BTRFS_STRIPE_LEN;

	return (struct chunk_pos){
		.row = stripe_nr / columns,
		.column = (unsigned int)(stripe_nr % columns),
		.offset = (u32)(offset % BTRFS_STRIPE_LEN),
	};
}

/*
 * Parity would wear out one device if it stood on it always, so a RAID5/6 row
 * begins one device further than the row above.  @index counts data, P, Q.
 */
static inline unsigned int rotated_stripe(const struct btrfs_chunk_map *map, u64 row,
					  unsigned int index)
{
	return (unsigned int)((row + index) % map->num_stripes);
}

/*
 * Held by whoever writes to a part of a RAID5/6 row, or rebuilds a part of it
 * from the rest.  Never two at once.
 */
pthread_mutex_t *btrfs_full_stripe_lock(const struct btrfs_fs_info *fs_info,
					const struct btrfs_chunk_map *map, u64 row);

/*
 * Read @len bytes at @offset of every data stripe of a RAID5/6 row into @bufs,
 * which has num_stripes buffers: data, P, Q.  What cannot be read is rebuilt;
 * P and Q are read for that alone, so what their buffers hold afterwards is
 * undefined.  Under the lock of the row.  As btrfs_read_logical().
 */
int btrfs_read_row(const struct btrfs_chunk_map *map, u64 row, u32 offset, size_t len,
		   void **bufs);

/* Of a stripe buffer: as much as @len asks for and memory for num_stripes of them allows. */
size_t btrfs_row_step(const struct btrfs_chunk_map *map, u64 len);

#endif
