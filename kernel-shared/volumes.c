// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading the chunk map and the devices: from the superblock's system chunk
 * array, then from the chunk tree.
 *
 * While the chunk tree is read, readahead threads look addresses up in the map
 * of the system chunks, and in the devices that it points to.  What has been
 * published is therefore not touched by reading the tree: the next tree of maps
 * is built beside it and published as a whole.
 */
#include "kernel-shared/volumes.h"

#include <errno.h>
#include <stdlib.h>
#include <uuid/uuid.h>

#include "common/message.h"
#include "kernel-shared/ctree.h"
#include "kernel-shared/device-scan.h"
#include "kernel-shared/volumes-internal.h"

/* Missing devices that are named one by one. */
#define MAX_MISSING_NAMED	16

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

/* Find or add the device. */
static int get_device(const struct btrfs_fs_info *fs_info, struct btrfs_chunk_map_tree *tree,
		      u64 devid, const u8 *uuid, const u8 *fsid, struct btrfs_device **ret_dev)
{
	struct btrfs_device *dev = btrfs_map_tree_find_device(tree, devid, uuid);
	int ret;

	if (dev) {
		*ret_dev = dev;
		return 0;
	}
	ret = btrfs_map_tree_new_device(tree, &dev);
	if (ret == -EOVERFLOW) {
		error("chunk tree: more than %u devices", BTRFS_MAX_DEVICES);
		return -EUCLEAN;
	}
	if (ret)
		return ret;
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
	dev->type = le64toh(item->type);
	dev->io_align = le32toh(item->io_align);
	dev->io_width = le32toh(item->io_width);
	dev->sector_size = le32toh(item->sector_size);
	check_device_size(dev);
	return 0;
}

/* ---- chunks ---- */

static int map_from_chunk(const struct btrfs_fs_info *fs_info, struct btrfs_chunk_map_tree *tree,
			  u64 logical, const struct btrfs_chunk *chunk,
			  struct btrfs_chunk_map **ret_map)
{
	const struct btrfs_stripe *stripes = &chunk->stripe;
	struct btrfs_chunk_map *map = btrfs_alloc_chunk_map(le16toh(chunk->num_stripes));

	if (!map)
		return -ENOMEM;
	map->logical = logical;
	map->length = le64toh(chunk->length);
	map->type = le64toh(chunk->type);
	map->stripe_len = le64toh(chunk->stripe_len);
	map->sub_stripes = le16toh(chunk->sub_stripes);
	map->stripe_size = map->length / chunk_data_stripes(map);
	for (u16 i = 0; i < map->num_stripes; i++) {
		int ret = get_device(fs_info, tree, le64toh(stripes[i].devid),
				     stripes[i].dev_uuid, NULL, &map->stripes[i].dev);

		if (ret) {
			btrfs_free_chunk_map(map);
			return ret;
		}
		map->stripes[i].physical = le64toh(stripes[i].offset);
	}
	*ret_map = map;
	return 0;
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
	size_t i = btrfs_map_tree_first_after(tree, map->logical);
	struct btrfs_chunk_map *next = i < tree->nr_maps ? tree->maps[i] : NULL;

	if (next && next->logical < map->logical + map->length) {
		bool twice = next->logical == map->logical && next->length == map->length;

		if (!twice)
			error("chunk at logical %llu overlaps the chunk at %llu", map->logical,
			      next->logical);
		else if (!same_map(map, next))
			warning("chunk at logical %llu: superblock and chunk tree differ, using "
				"the superblock's", map->logical);
		btrfs_free_chunk_map(map);
		return twice ? 0 : -EUCLEAN;
	}
	if (btrfs_map_tree_insert(tree, i, map)) {
		btrfs_free_chunk_map(map);
		return -ENOMEM;
	}
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
	ret = map_from_chunk(fs_info, tree, logical, chunk, &map);
	return ret ? ret : insert_map(tree, map);
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
	tree = btrfs_map_tree_begin(fs_info);
	if (!tree)
		return -ENOMEM;
	for (size_t at = 0; at < size; at += used) {
		int ret = add_array_entry(fs_info, tree, at, size - at, &used);

		if (ret) {
			btrfs_map_tree_free(tree);
			return ret;
		}
	}
	btrfs_map_tree_publish(fs_info, tree);
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

	walk.tree = btrfs_map_tree_begin(fs_info);
	if (!walk.tree)
		return -ENOMEM;
	ret = btrfs_for_each_item(fs_info->chunk_root, &from, &to, add_tree_item, &walk);
	if (ret) {
		btrfs_map_tree_free(walk.tree);
		return ret;
	}
	if (walk.nr_dev_items != nr_devices)
		warning("superblock counts %llu devices, the chunk tree %llu", nr_devices,
			walk.nr_dev_items);
	btrfs_map_tree_publish(fs_info, walk.tree);
	btrfs_pool_close_unused(fs_info->fs_devices->pool);
	return 0;
}
