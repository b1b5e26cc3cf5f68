// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices and the chunk map: built from the superblock's system chunk array,
 * then from the chunk tree.
 *
 * While the chunk tree is read, readahead threads look addresses up in the map
 * of the system chunks.  A map that has been published is therefore never
 * changed: the next one is built beside it, published in one store, and the
 * older ones live until the file system is closed.
 */
#include "kernel-shared/volumes.h"

#include <errno.h>
#include <stdlib.h>
#include <uuid/uuid.h>

#include "common/message.h"
#include "kernel-shared/ctree.h"
#include "kernel-shared/device-scan.h"

/* More devices than any file system has; bounds what a hostile image can ask for. */
#define MAX_DEVICES		4096
/* Missing devices that are named one by one. */
#define MAX_MISSING_NAMED	16

struct btrfs_chunk_map_tree {
	struct btrfs_chunk_map **maps;		/* ascending, without overlap */
	size_t nr_maps;
	size_t max_maps;
	struct btrfs_device *devices;		/* what the maps point into */
	unsigned int nr_devices;
	unsigned int max_devices;
	unsigned int nr_missing;
	struct btrfs_chunk_map_tree *older;
};

/* ---- looking up ---- */

static const struct btrfs_chunk_map_tree *current_tree(const struct btrfs_fs_info *fs_info)
{
	return __atomic_load_n(&fs_info->chunk_map, __ATOMIC_ACQUIRE);
}

/* Index of the first map that ends behind @logical; nr_maps when none does. */
static size_t first_ending_after(const struct btrfs_chunk_map_tree *tree, u64 logical)
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
	const struct btrfs_chunk_map_tree *tree = current_tree(fs_info);
	size_t i;

	if (!tree)
		return NULL;
	i = first_ending_after(tree, logical);
	if (i == tree->nr_maps || tree->maps[i]->logical > logical)
		return NULL;
	return tree->maps[i];
}

const struct btrfs_chunk_map *btrfs_next_chunk_map(const struct btrfs_fs_info *fs_info,
						   u64 logical)
{
	const struct btrfs_chunk_map_tree *tree = current_tree(fs_info);
	size_t i;

	if (!tree)
		return NULL;
	i = first_ending_after(tree, logical);
	if (i < tree->nr_maps && tree->maps[i]->logical < logical)
		i++;
	return i < tree->nr_maps ? tree->maps[i] : NULL;
}

struct btrfs_device *btrfs_find_device(const struct btrfs_fs_info *fs_info, u64 devid,
				       const u8 *uuid)
{
	const struct btrfs_chunk_map_tree *tree = current_tree(fs_info);

	for (unsigned int i = 0; tree && i < tree->nr_devices; i++) {
		struct btrfs_device *dev = &tree->devices[i];

		if (dev->devid == devid &&
		    (!uuid || memcmp(dev->uuid, uuid, BTRFS_UUID_SIZE) == 0))
			return dev;
	}
	return NULL;
}

/* ---- a tree that is being built ---- */

static size_t map_bytes(u16 num_stripes)
{
	return sizeof(struct btrfs_chunk_map) +
	       num_stripes * sizeof(((struct btrfs_chunk_map *)NULL)->stripes[0]);
}

static void free_tree(struct btrfs_chunk_map_tree *tree)
{
	if (!tree)
		return;
	for (size_t i = 0; i < tree->nr_maps; i++)
		free(tree->maps[i]);
	free(tree->maps);
	free(tree->devices);
	free(tree);
}

/* The same device in another array. */
static void move_map(struct btrfs_chunk_map *map, const struct btrfs_device *from,
		     struct btrfs_device *to)
{
	for (u16 i = 0; i < map->num_stripes; i++)
		map->stripes[i].dev = to + (map->stripes[i].dev - from);
}

static int reserve_devices(struct btrfs_chunk_map_tree *tree, unsigned int nr)
{
	unsigned int max_devices = max(tree->max_devices, 4U);
	struct btrfs_device *devices;

	if (nr <= tree->max_devices)
		return 0;
	while (max_devices < nr)
		max_devices *= 2;
	devices = calloc(max_devices, sizeof(*devices));
	if (!devices)
		return -ENOMEM;
	if (tree->nr_devices)
		memcpy(devices, tree->devices, tree->nr_devices * sizeof(*devices));
	for (size_t i = 0; i < tree->nr_maps; i++)
		move_map(tree->maps[i], tree->devices, devices);
	free(tree->devices);
	tree->devices = devices;
	tree->max_devices = max_devices;
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
	maps = reallocarray(tree->maps, max_maps, sizeof(*maps));
	if (!maps)
		return -ENOMEM;
	tree->maps = maps;
	tree->max_maps = max_maps;
	return 0;
}

static int copy_tree(const struct btrfs_chunk_map_tree *from, struct btrfs_chunk_map_tree *to)
{
	if (reserve_devices(to, from->nr_devices) || reserve_maps(to, from->nr_maps))
		return -ENOMEM;
	if (from->nr_devices)
		memcpy(to->devices, from->devices, from->nr_devices * sizeof(*to->devices));
	to->nr_devices = from->nr_devices;
	to->nr_missing = from->nr_missing;
	for (size_t i = 0; i < from->nr_maps; i++) {
		size_t bytes = map_bytes(from->maps[i]->num_stripes);
		struct btrfs_chunk_map *map = malloc(bytes);

		if (!map)
			return -ENOMEM;
		memcpy(map, from->maps[i], bytes);
		move_map(map, from->devices, to->devices);
		to->maps[to->nr_maps++] = map;
	}
	return 0;
}

/* A tree to add to, with all that the published one has.  NULL: no memory. */
static struct btrfs_chunk_map_tree *begin_tree(const struct btrfs_fs_info *fs_info)
{
	struct btrfs_chunk_map_tree *tree = calloc(1, sizeof(*tree));

	if (tree && fs_info->chunk_map && copy_tree(fs_info->chunk_map, tree)) {
		free_tree(tree);
		return NULL;
	}
	return tree;
}

static void publish_tree(struct btrfs_fs_info *fs_info, struct btrfs_chunk_map_tree *tree)
{
	tree->older = fs_info->chunk_map;
	fs_info->fs_devices->devices = tree->devices;
	fs_info->fs_devices->nr_devices = tree->nr_devices;
	fs_info->fs_devices->nr_missing = tree->nr_missing;
	__atomic_store_n(&fs_info->chunk_map, tree, __ATOMIC_RELEASE);
}

/* ---- devices ---- */

static void warn_missing(const struct btrfs_device *dev, unsigned int nr_missing)
{
	char text[UUID_STR_LEN];

	if (nr_missing > MAX_MISSING_NAMED)
		return;
	uuid_unparse(dev->uuid, text);
	warning("device missing: devid %llu uuid %s%s", dev->devid, text,
		nr_missing == MAX_MISSING_NAMED ? " (further ones are not listed)" : "");
}

static void warn_stale(const struct btrfs_fs_info *fs_info, const struct btrfs_device *dev)
{
	u64 newest = le64toh(fs_info->super_copy.generation);

	if (dev->generation < newest &&
	    memcmp(dev->fsid, fs_info->metadata_uuid, BTRFS_FSID_SIZE) == 0)
		warning("%s: device is behind: its superblock has generation %llu, the newest %llu",
			dev->bdev->path, dev->generation, newest);
}

/*
 * Give @dev the block device that was opened for it, if there is one.  @fsid
 * NULL: not known yet.
 */
static void tie_device(const struct btrfs_fs_info *fs_info, struct btrfs_device *dev,
		       const u8 *fsid)
{
	const struct btrfs_pool_device *found = btrfs_pool_take(fs_info, dev->uuid, fsid);

	dev->bdev = found ? found->bdev : NULL;
	dev->generation = found ? found->generation : 0;
	memcpy(dev->fsid, fsid ? fsid : found ? found->fsid : fs_info->metadata_uuid,
	       BTRFS_FSID_SIZE);
}

static struct btrfs_device *find_in_tree(const struct btrfs_chunk_map_tree *tree, u64 devid,
					 const u8 *uuid)
{
	for (unsigned int i = 0; i < tree->nr_devices; i++) {
		if (tree->devices[i].devid == devid &&
		    memcmp(tree->devices[i].uuid, uuid, BTRFS_UUID_SIZE) == 0)
			return &tree->devices[i];
	}
	return NULL;
}

/* Find or add the device.  May move the array. */
static int get_device(const struct btrfs_fs_info *fs_info, struct btrfs_chunk_map_tree *tree,
		      u64 devid, const u8 *uuid, const u8 *fsid, struct btrfs_device **ret_dev)
{
	struct btrfs_device *dev = find_in_tree(tree, devid, uuid);

	if (dev) {
		*ret_dev = dev;
		return 0;
	}
	if (tree->nr_devices >= MAX_DEVICES) {
		error("chunk tree: more than %u devices", MAX_DEVICES);
		return -EUCLEAN;
	}
	if (reserve_devices(tree, tree->nr_devices + 1))
		return -ENOMEM;
	dev = &tree->devices[tree->nr_devices++];
	dev->devid = devid;
	memcpy(dev->uuid, uuid, BTRFS_UUID_SIZE);
	tie_device(fs_info, dev, fsid);
	if (dev->bdev)
		warn_stale(fs_info, dev);
	else
		warn_missing(dev, ++tree->nr_missing);
	*ret_dev = dev;
	return 0;
}

/* The device item knows the fsid, which decides between devices of one uuid. */
static void correct_fsid(const struct btrfs_fs_info *fs_info, struct btrfs_chunk_map_tree *tree,
			 struct btrfs_device *dev, const u8 *fsid)
{
	bool was_missing = !dev->bdev;

	if (memcmp(dev->fsid, fsid, BTRFS_FSID_SIZE) == 0)
		return;
	tie_device(fs_info, dev, fsid);
	if (was_missing && dev->bdev)
		tree->nr_missing--;
	else if (!was_missing && !dev->bdev)
		warn_missing(dev, ++tree->nr_missing);
}

static void check_device_size(const struct btrfs_device *dev)
{
	if (dev->bdev && dev->bdev->size < dev->total_bytes)
		warning("%s: device is cut short: %llu bytes, the file system has %llu on it",
			dev->bdev->path, dev->bdev->size, dev->total_bytes);
}

static int add_dev_item(const struct btrfs_fs_info *fs_info, struct btrfs_chunk_map_tree *tree,
			const struct btrfs_dev_item *item)
{
	struct btrfs_device *dev;
	int ret;

	ret = get_device(fs_info, tree, le64toh(item->devid), item->uuid, item->fsid, &dev);
	if (ret)
		return ret;
	correct_fsid(fs_info, tree, dev, item->fsid);
	dev->total_bytes = le64toh(item->total_bytes);
	dev->bytes_used = le64toh(item->bytes_used);
	check_device_size(dev);
	return 0;
}

/* ---- chunks ---- */

/* Names every device first: that may move the array, which a map points into. */
static int get_chunk_devices(const struct btrfs_fs_info *fs_info,
			     struct btrfs_chunk_map_tree *tree, const struct btrfs_chunk *chunk)
{
	const struct btrfs_stripe *stripes = &chunk->stripe;

	for (u16 i = 0; i < le16toh(chunk->num_stripes); i++) {
		struct btrfs_device *dev;
		int ret = get_device(fs_info, tree, le64toh(stripes[i].devid),
				     stripes[i].dev_uuid, NULL, &dev);

		if (ret)
			return ret;
	}
	return 0;
}

static struct btrfs_chunk_map *new_map(const struct btrfs_chunk_map_tree *tree, u64 logical,
				       const struct btrfs_chunk *chunk)
{
	const struct btrfs_stripe *stripes = &chunk->stripe;
	struct btrfs_chunk_map *map = calloc(1, map_bytes(le16toh(chunk->num_stripes)));

	if (!map)
		return NULL;
	map->logical = logical;
	map->length = le64toh(chunk->length);
	map->type = le64toh(chunk->type);
	map->stripe_len = le64toh(chunk->stripe_len);
	map->num_stripes = le16toh(chunk->num_stripes);
	map->sub_stripes = le16toh(chunk->sub_stripes);
	map->stripe_size = map->length / btrfs_chunk_data_stripes(map->type, map->num_stripes,
								  map->sub_stripes);
	for (u16 i = 0; i < map->num_stripes; i++) {
		map->stripes[i].dev = find_in_tree(tree, le64toh(stripes[i].devid),
						   stripes[i].dev_uuid);
		map->stripes[i].physical = le64toh(stripes[i].offset);
	}
	return map;
}

static bool same_map(const struct btrfs_chunk_map *a, const struct btrfs_chunk_map *b)
{
	if (a->logical != b->logical || a->length != b->length || a->type != b->type ||
	    a->num_stripes != b->num_stripes || a->sub_stripes != b->sub_stripes)
		return false;
	for (u16 i = 0; i < a->num_stripes; i++) {
		if (a->stripes[i].dev != b->stripes[i].dev ||
		    a->stripes[i].physical != b->stripes[i].physical)
			return false;
	}
	return true;
}

/*
 * Takes over @map.  System chunks come twice, from the superblock and from the
 * tree; the superblock's stay, as the tree has been read through them.
 */
static int insert_map(struct btrfs_chunk_map_tree *tree, struct btrfs_chunk_map *map)
{
	size_t i = first_ending_after(tree, map->logical);
	struct btrfs_chunk_map *next = i < tree->nr_maps ? tree->maps[i] : NULL;

	if (next && next->logical < map->logical + map->length) {
		bool twice = next->logical == map->logical && next->length == map->length;

		if (!twice)
			error("chunk at logical %llu overlaps the chunk at %llu", map->logical,
			      next->logical);
		else if (!same_map(map, next))
			warning("chunk at logical %llu: superblock and chunk tree differ, using "
				"the superblock's", map->logical);
		free(map);
		return twice ? 0 : -EUCLEAN;
	}
	if (reserve_maps(tree, tree->nr_maps + 1)) {
		free(map);
		return -ENOMEM;
	}
	memmove(&tree->maps[i + 1], &tree->maps[i], (tree->nr_maps - i) * sizeof(*tree->maps));
	tree->maps[i] = map;
	tree->nr_maps++;
	return 0;
}

static int add_chunk(const struct btrfs_fs_info *fs_info, struct btrfs_chunk_map_tree *tree,
		     u64 logical, const struct btrfs_chunk *chunk, size_t item_size)
{
	struct btrfs_chunk_map *map;
	int ret;

	ret = btrfs_check_chunk_valid(fs_info, logical, chunk, item_size);
	if (ret)
		return ret;
	ret = get_chunk_devices(fs_info, tree, chunk);
	if (ret)
		return ret;
	map = new_map(tree, logical, chunk);
	if (!map)
		return -ENOMEM;
	return insert_map(tree, map);
}

/* ---- the superblock's array ---- */

static int bad_array(size_t at, const char *why)
{
	error("superblock: system chunk array is invalid at byte %zu: %s", at, why);
	return -EUCLEAN;
}

/* One key and chunk of the array, @left bytes before its end; *@used is what they take. */
static int add_array_entry(const struct btrfs_fs_info *fs_info,
			   struct btrfs_chunk_map_tree *tree, size_t at, size_t left,
			   size_t *used)
{
	const u8 *entry = fs_info->super_copy.sys_chunk_array + at;
	const struct btrfs_disk_key *key = (const struct btrfs_disk_key *)entry;
	const struct btrfs_chunk *chunk = (const struct btrfs_chunk *)(entry + sizeof(*key));
	size_t item_size;

	if (left < sizeof(*key) + sizeof(*chunk))
		return bad_array(at, "cut off");
	if (key->type != BTRFS_CHUNK_ITEM_KEY ||
	    le64toh(key->objectid) != BTRFS_FIRST_CHUNK_TREE_OBJECTID)
		return bad_array(at, "not the key of a chunk");
	if (le16toh(chunk->num_stripes) == 0)
		return bad_array(at, "a chunk without stripes");
	item_size = btrfs_chunk_item_size(le16toh(chunk->num_stripes));
	if (item_size > left - sizeof(*key))
		return bad_array(at, "cut off");
	if (!(le64toh(chunk->type) & BTRFS_BLOCK_GROUP_SYSTEM))
		return bad_array(at, "not a system chunk");
	*used = sizeof(*key) + item_size;
	return add_chunk(fs_info, tree, le64toh(key->offset), chunk, item_size);
}

int btrfs_read_sys_array(struct btrfs_fs_info *fs_info)
{
	size_t size = le32toh(fs_info->super_copy.sys_chunk_array_size);
	struct btrfs_chunk_map_tree *tree;
	size_t used;

	if (size > BTRFS_SYSTEM_CHUNK_ARRAY_SIZE)
		return bad_array(size, "too long");
	tree = begin_tree(fs_info);
	if (!tree)
		return -ENOMEM;
	for (size_t at = 0; at < size; at += used) {
		int ret = add_array_entry(fs_info, tree, at, size - at, &used);

		if (ret) {
			free_tree(tree);
			return ret;
		}
	}
	publish_tree(fs_info, tree);
	return 0;
}

/* ---- the chunk tree ---- */

struct chunk_walk {
	const struct btrfs_fs_info *fs_info;
	struct btrfs_chunk_map_tree *tree;
	u64 nr_dev_items;
};

/* A btrfs_iter_fn; items other than devices and chunks are none of ours. */
static int add_tree_item(struct btrfs_root *root __unused, const struct extent_buffer *leaf,
			 u32 slot, const struct btrfs_key *key, void *ctx)
{
	struct chunk_walk *walk = ctx;

	if (key->objectid == BTRFS_DEV_ITEMS_OBJECTID && key->type == BTRFS_DEV_ITEM_KEY) {
		walk->nr_dev_items++;
		return add_dev_item(walk->fs_info, walk->tree,
				    btrfs_item_ptr(leaf, slot, struct btrfs_dev_item));
	}
	if (key->objectid == BTRFS_FIRST_CHUNK_TREE_OBJECTID && key->type == BTRFS_CHUNK_ITEM_KEY)
		return add_chunk(walk->fs_info, walk->tree, key->offset,
				 btrfs_item_ptr(leaf, slot, struct btrfs_chunk),
				 btrfs_item_size(leaf, slot));
	return 0;
}

int btrfs_read_chunk_tree(struct btrfs_fs_info *fs_info)
{
	const struct btrfs_key from = { .objectid = 0 };
	const struct btrfs_key to = { .objectid = (u64)-1, .type = 255, .offset = (u64)-1 };
	u64 nr_devices = le64toh(fs_info->super_copy.num_devices);
	struct chunk_walk walk = { .fs_info = fs_info };
	int ret;

	walk.tree = begin_tree(fs_info);
	if (!walk.tree)
		return -ENOMEM;
	ret = btrfs_for_each_item(fs_info->chunk_root, &from, &to, add_tree_item, &walk);
	if (ret) {
		free_tree(walk.tree);
		return ret;
	}
	if (walk.nr_dev_items != nr_devices)
		warning("superblock counts %llu devices, the chunk tree %llu", nr_devices,
			walk.nr_dev_items);
	publish_tree(fs_info, walk.tree);
	btrfs_pool_close_unused(fs_info->fs_devices->pool);
	return 0;
}

void btrfs_free_volumes(struct btrfs_fs_info *fs_info)
{
	while (fs_info->chunk_map) {
		struct btrfs_chunk_map_tree *older = fs_info->chunk_map->older;

		free_tree(fs_info->chunk_map);
		fs_info->chunk_map = older;
	}
	if (fs_info->fs_devices)
		btrfs_pool_free(fs_info->fs_devices->pool);
	free(fs_info->fs_devices);
	fs_info->fs_devices = NULL;
}
