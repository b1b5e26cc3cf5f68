// SPDX-License-Identifier: GPL-2.0-only
/*
 * Free ranges of devices.
 *
 * For each device a sorted array of the holes between its device extents; there
 * are about as many as chunks at most, and looking for one is a walk along the
 * array, as the kernel walks along its device tree.
 */
#include "kernel-shared/dev-space.h"

#include <errno.h>
#include <stdlib.h>

#include "common/message.h"
#include "common/vec.h"
#include "kernel-shared/ctree.h"

/* Free bytes [start, end). */
struct hole {
	u64 start;
	u64 end;
};

struct space_device {
	struct btrfs_device *dev;
	u64 total_bytes;
	u64 taken;
	struct vec holes;	/* struct hole, ascending, none touches the next */
};

struct btrfs_dev_space {
	u32 nodesize;
	struct vec devices;	/* struct space_device, by devid */
};

/* ---- devices ---- */

static int compare_devids(const void *a, const void *b)
{
	u64 x = ((const struct space_device *)a)->dev->devid;
	u64 y = ((const struct space_device *)b)->dev->devid;

	return x < y ? -1 : x > y;
}

static struct space_device *find_device(const struct btrfs_dev_space *space, u64 devid)
{
	struct space_device *sd;

	vec_for_each(&space->devices, sd) {
		if (sd->dev->devid == devid)
			return sd;
	}
	return NULL;
}

/* All of it is free. */
static int add_device(struct btrfs_dev_space *space, struct btrfs_device *dev)
{
	const struct hole all = { 0, dev->total_bytes };
	struct space_device sd = { .dev = dev, .total_bytes = dev->total_bytes };

	vec_init(&sd.holes, sizeof(struct hole));
	if ((all.end && vec_push_copy(&sd.holes, &all)) || vec_push_copy(&space->devices, &sd)) {
		vec_free(&sd.holes);
		return -ENOMEM;
	}
	vec_sort(&space->devices, compare_devids);
	return 0;
}

int btrfs_new_dev_space(struct btrfs_fs_info *fs_info, struct btrfs_dev_space **ret_space)
{
	const struct btrfs_fs_devices *devs = fs_info->fs_devices;
	struct btrfs_dev_space *space = calloc(1, sizeof(*space));

	if (!space)
		return -ENOMEM;
	space->nodesize = fs_info->nodesize;
	vec_init(&space->devices, sizeof(struct space_device));
	for (unsigned int i = 0; i < devs->nr_devices; i++) {
		if (btrfs_device_is_writable(fs_info, devs->devices[i]) &&
		    add_device(space, devs->devices[i])) {
			btrfs_free_dev_space(space);
			return -ENOMEM;
		}
	}
	*ret_space = space;
	return 0;
}

void btrfs_free_dev_space(struct btrfs_dev_space *space)
{
	struct space_device *sd;

	if (!space)
		return;
	vec_for_each(&space->devices, sd)
		vec_free(&sd->holes);
	vec_free(&space->devices);
	free(space);
}

/* ---- taking and giving ---- */

static struct hole *hole_at(const struct space_device *sd, size_t i)
{
	return vec_at(&sd->holes, i);
}

/* Index of the first hole that ends behind @at. */
static size_t first_hole_after(const struct space_device *sd, u64 at)
{
	size_t low = 0, high = sd->holes.nr;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (hole_at(sd, mid)->end > at)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

static int insert_hole(struct space_device *sd, size_t i, u64 start, u64 end)
{
	if (!vec_push(&sd->holes))
		return -ENOMEM;
	memmove(hole_at(sd, i + 1), hole_at(sd, i),
		(sd->holes.nr - 1 - i) * sizeof(struct hole));
	*hole_at(sd, i) = (struct hole){ start, end };
	return 0;
}

static int take_range(struct space_device *sd, u64 start, u64 end)
{
	size_t i = first_hole_after(sd, start);
	struct hole *hole = hole_at(sd, i);

	if (i == sd->holes.nr || hole->start > start || hole->end < end)
		return -EEXIST;
	if (hole->start < start && hole->end > end) {
		/* The latter part first: it may have to grow the array. */
		if (insert_hole(sd, i + 1, end, hole->end))
			return -ENOMEM;
		hole_at(sd, i)->end = start;
	} else if (hole->start < start) {
		hole->end = start;
	} else if (hole->end > end) {
		hole->start = end;
	} else {
		vec_remove(&sd->holes, i);
	}
	sd->taken += end - start;
	return 0;
}

static int give_range(struct space_device *sd, u64 start, u64 end)
{
	size_t i = first_hole_after(sd, start);
	struct hole *next = i < sd->holes.nr ? hole_at(sd, i) : NULL;
	struct hole *prev = i > 0 ? hole_at(sd, i - 1) : NULL;

	if (end > sd->total_bytes || (next && next->start < end))
		return -EINVAL;
	if (prev && prev->end == start && next && next->start == end) {
		prev->end = next->end;
		vec_remove(&sd->holes, i);
	} else if (prev && prev->end == start) {
		prev->end = end;
	} else if (next && next->start == end) {
		next->start = start;
	} else if (insert_hole(sd, i, start, end)) {
		return -ENOMEM;
	}
	sd->taken -= end - start;
	return 0;
}

int btrfs_dev_space_take(struct btrfs_dev_space *space, u64 devid, u64 start, u64 len)
{
	struct space_device *sd = find_device(space, devid);
	u64 end;

	if (!sd)
		return -ENODEV;
	if (__builtin_add_overflow(start, len, &end))
		return -EEXIST;
	return len ? take_range(sd, start, end) : 0;
}

int btrfs_dev_space_give(struct btrfs_dev_space *space, u64 devid, u64 start, u64 len)
{
	struct space_device *sd = find_device(space, devid);
	u64 end;

	if (!sd)
		return -ENODEV;
	if (__builtin_add_overflow(start, len, &end))
		return -EINVAL;
	return len ? give_range(sd, start, end) : 0;
}

int btrfs_dev_space_update_device(struct btrfs_dev_space *space, struct btrfs_device *dev)
{
	struct space_device *sd = find_device(space, dev->devid);
	u64 old, new = dev->total_bytes;
	int ret = 0;

	if (!sd)
		return add_device(space, dev);
	old = sd->total_bytes;
	if (new > old) {
		sd->total_bytes = new;
		sd->taken += new - old;
		ret = give_range(sd, old, new);
		if (ret) {
			sd->total_bytes = old;
			sd->taken -= new - old;
		}
	} else if (new < old) {
		ret = take_range(sd, new, old);
		if (!ret) {
			sd->total_bytes = new;
			sd->taken -= old - new;
		}
	}
	return ret;
}

/* ---- what is left ---- */

unsigned int btrfs_dev_space_nr_devices(const struct btrfs_dev_space *space)
{
	return (unsigned int)space->devices.nr;
}

u32 btrfs_dev_space_nodesize(const struct btrfs_dev_space *space)
{
	return space->nodesize;
}

u64 btrfs_dev_space_total_bytes(const struct btrfs_dev_space *space)
{
	const struct space_device *sd;
	u64 total = 0;

	vec_for_each(&space->devices, sd)
		total += sd->total_bytes;
	return total;
}

void btrfs_dev_space_find_hole(const struct btrfs_dev_space *space, unsigned int i, u64 want,
			       struct btrfs_dev_avail *avail)
{
	const struct space_device *sd = vec_at(&space->devices, i);
	const struct hole *hole;

	*avail = (struct btrfs_dev_avail){
		.dev = sd->dev,
		.total_avail = sd->total_bytes - sd->taken,
	};
	vec_for_each(&sd->holes, hole) {
		u64 start = max(hole->start, BTRFS_DEVICE_RANGE_RESERVED);
		u64 len = hole->end > start ? hole->end - start : 0;

		if (len <= avail->max_avail)
			continue;
		avail->start = start;
		avail->max_avail = min(len, want);
		if (len >= want)
			return;
	}
}

/* ---- loading ---- */

struct load_walk {
	struct btrfs_fs_info *fs_info;
	struct btrfs_dev_space *space;
	u64 nr_extents;
};

static int bad_dev_extent(u64 devid, u64 start, const char *why)
{
	error("device extent of devid %llu at %llu: %s", devid, start, why);
	return -EUCLEAN;
}

static bool has_stripe(const struct btrfs_chunk_map *map, u64 devid, u64 physical)
{
	for (u16 i = 0; i < map->num_stripes; i++) {
		if (map->stripes[i].dev->devid == devid && map->stripes[i].physical == physical)
			return true;
	}
	return false;
}

/* Devices that nothing is allocated from are none of ours. */
static int take_reported(struct btrfs_dev_space *space, u64 devid, u64 start, u64 len)
{
	int ret = btrfs_dev_space_take(space, devid, start, len);

	if (ret == -EEXIST)
		return bad_dev_extent(devid, start,
				      "overlaps another one, or ends past the device");
	return ret == -ENODEV ? 0 : ret;
}

/* A btrfs_iter_fn. */
static int take_dev_extent(struct btrfs_root *root __unused, const struct extent_buffer *leaf,
			   u32 slot, const struct btrfs_key *key, void *ctx)
{
	struct load_walk *walk = ctx;
	const struct btrfs_dev_extent *extent;
	const struct btrfs_chunk_map *map;
	u64 logical;

	if (key->type != BTRFS_DEV_EXTENT_KEY)
		return 0;
	extent = btrfs_item_ptr(leaf, slot, struct btrfs_dev_extent);
	logical = le64toh(extent->chunk_offset);
	map = btrfs_find_chunk_map(walk->fs_info, logical);
	if (!map || map->logical != logical || !has_stripe(map, key->objectid, key->offset))
		return bad_dev_extent(key->objectid, key->offset, "no stripe of a chunk is there");
	if (le64toh(extent->length) != map->stripe_size)
		return bad_dev_extent(key->objectid, key->offset,
				      "its length is not that of the chunk's stripe");
	walk->nr_extents++;
	return take_reported(walk->space, key->objectid, key->offset, map->stripe_size);
}

/* Each extent has a stripe, so they are as many only if each stripe has an extent. */
static int check_nr_extents(const struct load_walk *walk)
{
	const struct btrfs_chunk_map *map = NULL;
	u64 nr_stripes = 0;

	while ((map = btrfs_next_chunk_map(walk->fs_info, map ? map->logical + map->length : 0)))
		nr_stripes += map->num_stripes;
	if (nr_stripes == walk->nr_extents)
		return 0;
	error("the chunks have %llu stripes, but the device tree has %llu device extents",
	      nr_stripes, walk->nr_extents);
	return -EUCLEAN;
}

static int take_from_tree(struct load_walk *walk)
{
	const struct btrfs_key from = { .objectid = 0 };
	const struct btrfs_key to = { .objectid = (u64)-1, .type = 255, .offset = (u64)-1 };
	int ret;

	ret = btrfs_for_each_item(walk->fs_info->dev_root, &from, &to, take_dev_extent, walk);
	return ret ? ret : check_nr_extents(walk);
}

static int take_from_maps(const struct load_walk *walk)
{
	const struct btrfs_chunk_map *map = NULL;

	while ((map = btrfs_next_chunk_map(walk->fs_info, map ? map->logical + map->length : 0))) {
		for (u16 i = 0; i < map->num_stripes; i++) {
			int ret = take_reported(walk->space, map->stripes[i].dev->devid,
						map->stripes[i].physical, map->stripe_size);

			if (ret)
				return ret;
		}
	}
	return 0;
}

int btrfs_load_dev_space(struct btrfs_fs_info *fs_info, struct btrfs_dev_space **ret_space)
{
	struct load_walk walk = { .fs_info = fs_info };
	int ret;

	ret = btrfs_new_dev_space(fs_info, &walk.space);
	if (ret)
		return ret;
	ret = fs_info->dev_root ? take_from_tree(&walk) : take_from_maps(&walk);
	if (ret) {
		btrfs_free_dev_space(walk.space);
		return ret;
	}
	*ret_space = walk.space;
	return 0;
}
