// SPDX-License-Identifier: GPL-2.0-only
/*
 * The devices and the chunk map in memory: looking up, and changing them once
 * the file system is open.
 *
 * Each tree of maps is published in one store.  While the file system is being
 * opened there are several, one after the other, and they live until it is
 * closed.  The last one takes and loses single chunks under its lock; of what it
 * loses the memory stays too, so that nobody who looks a chunk up needs more
 * than the lookup itself under the lock.
 */
#include <errno.h>
#include <stdlib.h>

#include "common/message.h"
#include "kernel-shared/chunk-alloc.h"
#include "kernel-shared/device-scan.h"
#include "kernel-shared/volumes-internal.h"

/* ---- looking up ---- */

static struct btrfs_chunk_map_tree *current_tree(const struct btrfs_fs_info *fs_info)
{
	return __atomic_load_n(&fs_info->chunk_map, __ATOMIC_ACQUIRE);
}

size_t btrfs_map_tree_first_after(const struct btrfs_chunk_map_tree *tree, u64 logical)
{
	size_t low = 0, high = tree->nr_maps;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (tree->maps[mid]->logical + tree->maps[mid]->length > logical)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

const struct btrfs_chunk_map *btrfs_find_chunk_map(const struct btrfs_fs_info *fs_info,
						   u64 logical)
{
	struct btrfs_chunk_map_tree *tree = current_tree(fs_info);
	const struct btrfs_chunk_map *map = NULL;
	size_t i;

	if (!tree)
		return NULL;
	pthread_rwlock_rdlock(&tree->lock);
	i = btrfs_map_tree_first_after(tree, logical);
	if (i < tree->nr_maps && tree->maps[i]->logical <= logical)
		map = tree->maps[i];
	pthread_rwlock_unlock(&tree->lock);
	return map;
}

const struct btrfs_chunk_map *btrfs_next_chunk_map(const struct btrfs_fs_info *fs_info,
						   u64 logical)
{
	struct btrfs_chunk_map_tree *tree = current_tree(fs_info);
	const struct btrfs_chunk_map *map = NULL;
	size_t i;

	if (!tree)
		return NULL;
	pthread_rwlock_rdlock(&tree->lock);
	i = btrfs_map_tree_first_after(tree, logical);
	if (i < tree->nr_maps && tree->maps[i]->logical < logical)
		i++;
	if (i < tree->nr_maps)
		map = tree->maps[i];
	pthread_rwlock_unlock(&tree->lock);
	return map;
}

const struct btrfs_chunk_map *btrfs_last_chunk_map(const struct btrfs_fs_info *fs_info)
{
	struct btrfs_chunk_map_tree *tree = current_tree(fs_info);
	const struct btrfs_chunk_map *map;

	if (!tree)
		return NULL;
	pthread_rwlock_rdlock(&tree->lock);
	map = tree->nr_maps ? tree->maps[tree->nr_maps - 1] : NULL;
	pthread_rwlock_unlock(&tree->lock);
	return map;
}

struct btrfs_device *btrfs_find_device(const struct btrfs_fs_info *fs_info, u64 devid,
				       const u8 *uuid)
{
	const struct btrfs_chunk_map_tree *tree = current_tree(fs_info);

	for (unsigned int i = 0; tree && i < tree->nr_devices; i++) {
		struct btrfs_device *dev = tree->devices[i];

		if (dev->devid == devid &&
		    (!uuid || memcmp(dev->uuid, uuid, BTRFS_UUID_SIZE) == 0))
			return dev;
	}
	return NULL;
}

pthread_mutex_t *btrfs_full_stripe_lock(const struct btrfs_fs_info *fs_info,
					const struct btrfs_chunk_map *map, u64 row)
{
	u64 nr = map->logical / BTRFS_STRIPE_LEN + row;

	return &current_tree(fs_info)->full_stripe_locks[nr % NR_FULL_STRIPE_LOCKS];
}

/* ---- maps ---- */

static size_t map_bytes(u16 num_stripes)
{
	return sizeof(struct btrfs_chunk_map) +
	       num_stripes * sizeof(((struct btrfs_chunk_map *)NULL)->stripes[0]);
}

struct btrfs_chunk_map *btrfs_alloc_chunk_map(u16 num_stripes)
{
	struct btrfs_chunk_map *map = calloc(1, map_bytes(num_stripes));

	if (map)
		map->num_stripes = num_stripes;
	return map;
}

void btrfs_free_chunk_map(struct btrfs_chunk_map *map)
{
	free(map);
}

/* ---- trees ---- */

void btrfs_map_tree_free(struct btrfs_chunk_map_tree *tree)
{
	struct btrfs_chunk_map **removed;

	if (!tree)
		return;
	for (size_t i = 0; i < tree->nr_maps; i++)
		btrfs_free_chunk_map(tree->maps[i]);
	vec_for_each(&tree->removed, removed)
		btrfs_free_chunk_map(*removed);
	for (unsigned int i = 0; i < tree->nr_devices; i++)
		free(tree->devices[i]);
	for (size_t i = 0; i < NR_FULL_STRIPE_LOCKS; i++)
		pthread_mutex_destroy(&tree->full_stripe_locks[i]);
	pthread_rwlock_destroy(&tree->lock);
	vec_free(&tree->removed);
	free(tree->maps);
	free(tree->devices);
	free(tree);
}

struct btrfs_device *btrfs_map_tree_find_device(const struct btrfs_chunk_map_tree *tree,
						u64 devid, const u8 *uuid)
{
	for (unsigned int i = 0; i < tree->nr_devices; i++) {
		if (tree->devices[i]->devid == devid &&
		    memcmp(tree->devices[i]->uuid, uuid, BTRFS_UUID_SIZE) == 0)
			return tree->devices[i];
	}
	return NULL;
}

int btrfs_map_tree_new_device(struct btrfs_chunk_map_tree *tree, struct btrfs_device **ret_dev)
{
	struct btrfs_device *dev;

	if (tree->nr_devices >= BTRFS_MAX_DEVICES)
		return -EOVERFLOW;
	if (tree->nr_devices == tree->max_devices) {
		unsigned int max_devices = max(2 * tree->max_devices, 4U);
		struct btrfs_device **devices;

		devices = reallocarray(tree->devices, max_devices, sizeof(struct btrfs_device *));
		if (!devices)
			return -ENOMEM;
		tree->devices = devices;
		tree->max_devices = max_devices;
	}
	dev = calloc(1, sizeof(*dev));
	if (!dev)
		return -ENOMEM;
	tree->devices[tree->nr_devices++] = dev;
	*ret_dev = dev;
	return 0;
}

static int reserve_maps(struct btrfs_chunk_map_tree *tree, size_t nr)
{
	size_t max_maps = max(tree->max_maps, (size_t)16);
	struct btrfs_chunk_map **maps;

	if (nr <= tree->max_maps)
		return 0;
	while (max_maps < nr)
		max_maps *= 2;
	maps = reallocarray(tree->maps, max_maps, sizeof(struct btrfs_chunk_map *));
	if (!maps)
		return -ENOMEM;
	tree->maps = maps;
	tree->max_maps = max_maps;
	return 0;
}

int btrfs_map_tree_insert(struct btrfs_chunk_map_tree *tree, size_t i,
			  struct btrfs_chunk_map *map)
{
	if (reserve_maps(tree, tree->nr_maps + 1))
		return -ENOMEM;
	memmove(&tree->maps[i + 1], &tree->maps[i],
		(tree->nr_maps - i) * sizeof(struct btrfs_chunk_map *));
	tree->maps[i] = map;
	tree->nr_maps++;
	return 0;
}

static int copy_devices(const struct btrfs_chunk_map_tree *from, struct btrfs_chunk_map_tree *to)
{
	for (unsigned int i = 0; i < from->nr_devices; i++) {
		struct btrfs_device *dev;
		int ret = btrfs_map_tree_new_device(to, &dev);

		if (ret)
			return ret;
		*dev = *from->devices[i];
	}
	to->nr_missing = from->nr_missing;
	return 0;
}

/* The stripes of the copies point to the copies of the devices. */
static int copy_maps(const struct btrfs_chunk_map_tree *from, struct btrfs_chunk_map_tree *to)
{
	if (reserve_maps(to, from->nr_maps))
		return -ENOMEM;
	for (size_t i = 0; i < from->nr_maps; i++) {
		const struct btrfs_chunk_map *old = from->maps[i];
		struct btrfs_chunk_map *map = btrfs_alloc_chunk_map(old->num_stripes);

		if (!map)
			return -ENOMEM;
		memcpy(map, old, map_bytes(old->num_stripes));
		for (u16 s = 0; s < map->num_stripes; s++)
			map->stripes[s].dev =
				btrfs_map_tree_find_device(to, old->stripes[s].dev->devid,
							   old->stripes[s].dev->uuid);
		to->maps[to->nr_maps++] = map;
	}
	return 0;
}

static struct btrfs_chunk_map_tree *alloc_tree(void)
{
	struct btrfs_chunk_map_tree *tree = calloc(1, sizeof(*tree));

	if (!tree)
		return NULL;
	pthread_rwlock_init(&tree->lock, NULL);
	for (size_t i = 0; i < NR_FULL_STRIPE_LOCKS; i++)
		pthread_mutex_init(&tree->full_stripe_locks[i], NULL);
	vec_init(&tree->removed, sizeof(struct btrfs_chunk_map *));
	return tree;
}

struct btrfs_chunk_map_tree *btrfs_map_tree_begin(const struct btrfs_fs_info *fs_info)
{
	const struct btrfs_chunk_map_tree *from = fs_info->chunk_map;
	struct btrfs_chunk_map_tree *tree = alloc_tree();

	if (tree && from && (copy_devices(from, tree) || copy_maps(from, tree))) {
		btrfs_map_tree_free(tree);
		return NULL;
	}
	return tree;
}

static void show_devices(struct btrfs_fs_info *fs_info, const struct btrfs_chunk_map_tree *tree)
{
	fs_info->fs_devices->devices = tree->devices;
	fs_info->fs_devices->nr_devices = tree->nr_devices;
	fs_info->fs_devices->nr_missing = tree->nr_missing;
}

void btrfs_map_tree_publish(struct btrfs_fs_info *fs_info, struct btrfs_chunk_map_tree *tree)
{
	tree->older = fs_info->chunk_map;
	show_devices(fs_info, tree);
	__atomic_store_n(&fs_info->chunk_map, tree, __ATOMIC_RELEASE);
}

/* ---- chunks come and go ---- */

static bool has_device(const struct btrfs_chunk_map_tree *tree, const struct btrfs_device *dev)
{
	for (unsigned int i = 0; i < tree->nr_devices; i++) {
		if (tree->devices[i] == dev)
			return true;
	}
	return false;
}

/* As strict as with a chunk that comes from disk. */
static int check_new_map(const struct btrfs_fs_info *fs_info, const struct btrfs_chunk_map *map)
{
	const struct btrfs_chunk_map_tree *tree = current_tree(fs_info);
	size_t item_size = btrfs_chunk_item_size(map->num_stripes);
	struct btrfs_chunk *chunk;
	const char *why;

	if (!tree)
		return -EINVAL;
	for (u16 i = 0; i < map->num_stripes; i++) {
		if (!has_device(tree, map->stripes[i].dev))
			return -EINVAL;
	}
	chunk = malloc(max(item_size, sizeof(*chunk)));
	if (!chunk)
		return -ENOMEM;
	btrfs_chunk_item_from_map(fs_info, map, chunk);
	why = btrfs_chunk_problem(fs_info, map->logical, chunk, item_size);
	free(chunk);
	if (why || map->stripe_size != map->length / chunk_data_stripes(map))
		return -EINVAL;
	return 0;
}

static int insert_if_free(struct btrfs_chunk_map_tree *tree, struct btrfs_chunk_map *map)
{
	size_t i;
	int ret;

	pthread_rwlock_wrlock(&tree->lock);
	i = btrfs_map_tree_first_after(tree, map->logical);
	if (i < tree->nr_maps && tree->maps[i]->logical < map->logical + map->length)
		ret = -EEXIST;
	else
		ret = btrfs_map_tree_insert(tree, i, map);
	pthread_rwlock_unlock(&tree->lock);
	return ret;
}

int btrfs_add_chunk_map(struct btrfs_fs_info *fs_info, struct btrfs_chunk_map *map)
{
	int ret = check_new_map(fs_info, map);

	if (!ret)
		ret = insert_if_free(current_tree(fs_info), map);
	if (ret) {
		btrfs_free_chunk_map(map);
		return ret;
	}
	for (u16 i = 0; i < map->num_stripes; i++)
		map->stripes[i].dev->bytes_used += map->stripe_size;
	return 0;
}

int btrfs_remove_chunk_map(struct btrfs_fs_info *fs_info, u64 logical)
{
	struct btrfs_chunk_map_tree *tree = current_tree(fs_info);
	struct btrfs_chunk_map *map = NULL;
	int ret = 0;
	size_t i;

	if (!tree)
		return -ENOENT;
	pthread_rwlock_wrlock(&tree->lock);
	i = btrfs_map_tree_first_after(tree, logical);
	if (i == tree->nr_maps || tree->maps[i]->logical != logical)
		ret = -ENOENT;
	else
		ret = vec_push_copy(&tree->removed, &tree->maps[i]);
	if (!ret) {
		map = tree->maps[i];
		tree->nr_maps--;
		memmove(&tree->maps[i], &tree->maps[i + 1],
			(tree->nr_maps - i) * sizeof(struct btrfs_chunk_map *));
	}
	pthread_rwlock_unlock(&tree->lock);
	for (u16 s = 0; map && s < map->num_stripes; s++)
		map->stripes[s].dev->bytes_used -= map->stripe_size;
	return ret;
}

/* ---- devices ---- */

/* The pool owns the block device. */
static int add_to_pool(struct btrfs_device_pool *pool, const struct btrfs_fs_info *fs_info,
		       const struct btrfs_new_device *new_dev)
{
	struct btrfs_pool_device entry = {
		.bdev = new_dev->bdev,
		.devid = new_dev->devid,
		.generation = fs_info->generation,
		.given = true,
		.used = true,
	};

	memcpy(entry.uuid, new_dev->uuid, BTRFS_UUID_SIZE);
	memcpy(entry.fsid, fs_info->metadata_uuid, BTRFS_FSID_SIZE);
	return vec_push_copy(&pool->devices, &entry);
}

static bool device_is_known(const struct btrfs_chunk_map_tree *tree,
			    const struct btrfs_new_device *new_dev)
{
	for (unsigned int i = 0; i < tree->nr_devices; i++) {
		const struct btrfs_device *dev = tree->devices[i];

		if (dev->devid == new_dev->devid ||
		    memcmp(dev->uuid, new_dev->uuid, BTRFS_UUID_SIZE) == 0)
			return true;
	}
	return false;
}

int btrfs_add_device(struct btrfs_fs_info *fs_info, const struct btrfs_new_device *new_dev,
		     struct btrfs_device **ret_dev)
{
	struct btrfs_chunk_map_tree *tree = current_tree(fs_info);
	struct btrfs_device *dev;
	int ret = -EEXIST;

	if (device_is_known(tree, new_dev))
		goto out_close;
	ret = add_to_pool(fs_info->fs_devices->pool, fs_info, new_dev);
	if (ret)
		goto out_close;
	ret = btrfs_map_tree_new_device(tree, &dev);
	if (ret) {
		vec_pop(&fs_info->fs_devices->pool->devices);
		goto out_close;
	}
	dev->devid = new_dev->devid;
	memcpy(dev->uuid, new_dev->uuid, BTRFS_UUID_SIZE);
	memcpy(dev->fsid, fs_info->metadata_uuid, BTRFS_FSID_SIZE);
	dev->total_bytes = new_dev->total_bytes;
	dev->generation = fs_info->generation;
	dev->io_align = dev->io_width = dev->sector_size = fs_info->sectorsize;
	dev->bdev = new_dev->bdev;
	show_devices(fs_info, tree);
	if (ret_dev)
		*ret_dev = dev;
	return 0;

out_close:
	blockdev_close(new_dev->bdev);
	return ret;
}

void btrfs_set_dev_item(const struct btrfs_device *dev, struct btrfs_dev_item *item)
{
	memset(item, 0, sizeof(*item));
	item->devid = htole64(dev->devid);
	item->total_bytes = htole64(dev->total_bytes);
	item->bytes_used = htole64(dev->bytes_used);
	item->type = htole64(dev->type);
	item->io_align = htole32(dev->io_align);
	item->io_width = htole32(dev->io_width);
	item->sector_size = htole32(dev->sector_size);
	memcpy(item->uuid, dev->uuid, BTRFS_UUID_SIZE);
	memcpy(item->fsid, dev->fsid, BTRFS_FSID_SIZE);
}

/* ---- the whole ---- */

int btrfs_new_volumes(struct btrfs_fs_info *fs_info)
{
	struct btrfs_chunk_map_tree *tree = btrfs_map_tree_begin(fs_info);
	struct btrfs_device_pool *pool = calloc(1, sizeof(*pool));

	fs_info->fs_devices = calloc(1, sizeof(*fs_info->fs_devices));
	if (!tree || !pool || !fs_info->fs_devices) {
		btrfs_map_tree_free(tree);
		free(pool);
		return -ENOMEM;
	}
	vec_init(&pool->devices, sizeof(struct btrfs_pool_device));
	fs_info->fs_devices->pool = pool;
	btrfs_map_tree_publish(fs_info, tree);
	return 0;
}

void btrfs_free_volumes(struct btrfs_fs_info *fs_info)
{
	while (fs_info->chunk_map) {
		struct btrfs_chunk_map_tree *older = fs_info->chunk_map->older;

		btrfs_map_tree_free(fs_info->chunk_map);
		fs_info->chunk_map = older;
	}
	if (fs_info->fs_devices)
		btrfs_pool_free(fs_info->fs_devices->pool);
	free(fs_info->fs_devices);
	fs_info->fs_devices = NULL;
}
