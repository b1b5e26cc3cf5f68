// SPDX-License-Identifier: GPL-2.0-only
/*
 * The chunk allocator: which devices, how large, and the bytes of the items.
 *
 * The rules are the kernel's, so that a file system goes on to look the same
 * whoever allocates.  Everything here is arithmetic on the free space that
 * dev-space.c knows.
 */
#include "kernel-shared/chunk-alloc.h"

#include <errno.h>
#include <stdlib.h>

/* What a chunk may be at most, by type. */
#define MAX_DATA_CHUNK		(10 * SZ_1G)
#define MAX_METADATA_CHUNK	SZ_1G
#define MAX_SMALL_METADATA	(256ULL * SZ_1M)
#define MAX_SYSTEM_CHUNK	(32ULL * SZ_1M)
/* Up to this size of all devices metadata chunks are small. */
#define SMALL_FS		(50 * SZ_1G)
#define MAX_STRIPE		SZ_1G
/* A stripe that the limit of the chunk cuts is rounded up to this. */
#define STRIPE_ROUNDING		(16ULL * SZ_1M)
/* Q of RAID6 can tell no more data stripes apart than 255. */
#define RAID6_MAX_DEVICES	257U

/* ---- profiles ---- */

const struct btrfs_raid_attr *btrfs_raid_attr(u64 flags)
{
	static const struct btrfs_raid_attr attrs[] = {
		/* profile	sub dev max min inc copies parity tolerated */
		{ 0,			    1, 1, 1, 1, 1, 1, 0, 0 },
		{ BTRFS_BLOCK_GROUP_DUP,     1, 2, 1, 1, 1, 2, 0, 0 },
		{ BTRFS_BLOCK_GROUP_RAID0,   1, 1, 0, 1, 1, 1, 0, 0 },
		{ BTRFS_BLOCK_GROUP_RAID1,   1, 1, 2, 2, 2, 2, 0, 1 },
		{ BTRFS_BLOCK_GROUP_RAID1C3, 1, 1, 3, 3, 3, 3, 0, 2 },
		{ BTRFS_BLOCK_GROUP_RAID1C4, 1, 1, 4, 4, 4, 4, 0, 3 },
		{ BTRFS_BLOCK_GROUP_RAID10,  2, 1, 0, 2, 2, 2, 0, 1 },
		{ BTRFS_BLOCK_GROUP_RAID5,   1, 1, 0, 2, 1, 1, 1, 1 },
		{ BTRFS_BLOCK_GROUP_RAID6,   1, 1, 0, 3, 1, 1, 2, 2 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(attrs); i++) {
		if (attrs[i].profile == (flags & BTRFS_BLOCK_GROUP_PROFILE_MASK))
			return &attrs[i];
	}
	return NULL;
}

/* ---- planning ---- */

struct plan {
	const struct btrfs_chunk_request *req;
	const struct btrfs_raid_attr *attr;
	unsigned int devs_max;
	u64 max_chunk_size;
	u64 max_stripe_size;
	struct btrfs_dev_avail *avail;	/* devices that could take part, the best first */
	unsigned int nr_avail;
	/* decided */
	unsigned int nr_devices;
	u64 stripe_size;
};

/*
 * As many stripes as the item has room for: in a leaf, or in the superblock
 * beside another of one stripe.
 */
static unsigned int item_stripes(u64 type, u32 nodesize)
{
	size_t room;

	if (type & BTRFS_BLOCK_GROUP_SYSTEM)
		room = BTRFS_SYSTEM_CHUNK_ARRAY_SIZE - 2 * sizeof(struct btrfs_disk_key) -
		       btrfs_chunk_item_size(1);
	else
		room = nodesize - sizeof(struct btrfs_header) - sizeof(struct btrfs_item);
	return (unsigned int)((room - btrfs_chunk_item_size(0)) / sizeof(struct btrfs_stripe));
}

static u64 kernel_chunk_size(u64 type, u64 total_bytes)
{
	if (type & BTRFS_BLOCK_GROUP_DATA)
		return MAX_DATA_CHUNK;
	if (type & BTRFS_BLOCK_GROUP_SYSTEM)
		return MAX_SYSTEM_CHUNK;
	return total_bytes > SMALL_FS ? MAX_METADATA_CHUNK : MAX_SMALL_METADATA;
}

static bool is_type(u64 type)
{
	u64 data_or_metadata = type & (BTRFS_BLOCK_GROUP_DATA | BTRFS_BLOCK_GROUP_METADATA);

	if (type & ~(u64)(BTRFS_BLOCK_GROUP_TYPE_MASK | BTRFS_BLOCK_GROUP_PROFILE_MASK))
		return false;
	return !data_or_metadata != !(type & BTRFS_BLOCK_GROUP_SYSTEM);
}

static int set_limits(struct plan *plan, const struct btrfs_dev_space *space)
{
	const struct btrfs_chunk_request *req = plan->req;
	u64 total_bytes = btrfs_dev_space_total_bytes(space);

	plan->attr = btrfs_raid_attr(req->type);
	if (!plan->attr || !is_type(req->type))
		return -EINVAL;
	plan->devs_max = item_stripes(req->type, btrfs_dev_space_nodesize(space));
	if (plan->attr->devs_max)
		plan->devs_max = min(plan->devs_max, (unsigned int)plan->attr->devs_max);
	if (req->type & BTRFS_BLOCK_GROUP_RAID6)
		plan->devs_max = min(plan->devs_max, RAID6_MAX_DEVICES);
	plan->max_chunk_size = req->max_chunk_size;
	if (!plan->max_chunk_size)
		plan->max_chunk_size = kernel_chunk_size(req->type, total_bytes);
	plan->max_stripe_size = req->max_stripe_size;
	if (!plan->max_stripe_size)
		plan->max_stripe_size = plan->max_chunk_size;
	plan->max_stripe_size = min(plan->max_stripe_size, MAX_STRIPE);
	if (!req->max_chunk_size)
		plan->max_chunk_size = min(plan->max_chunk_size, total_bytes / 10);
	return 0;
}

static int better_device(const void *a, const void *b)
{
	const struct btrfs_dev_avail *x = a, *y = b;

	if (x->max_avail != y->max_avail)
		return x->max_avail > y->max_avail ? -1 : 1;
	if (x->total_avail != y->total_avail)
		return x->total_avail > y->total_avail ? -1 : 1;
	return x->dev->devid < y->dev->devid ? -1 : 1;
}

static int find_devices(struct plan *plan, const struct btrfs_dev_space *space)
{
	unsigned int nr = btrfs_dev_space_nr_devices(space);
	u64 least = (u64)BTRFS_STRIPE_LEN * plan->attr->dev_stripes;
	u64 want = max(plan->max_stripe_size * plan->attr->dev_stripes, least);

	plan->avail = calloc(nr + 1, sizeof(*plan->avail));
	if (!plan->avail)
		return -ENOMEM;
	for (unsigned int i = 0; i < nr; i++) {
		struct btrfs_dev_avail *avail = &plan->avail[plan->nr_avail];

		btrfs_dev_space_find_hole(space, i, want, avail);
		if (avail->max_avail >= least)
			plan->nr_avail++;
	}
	qsort(plan->avail, plan->nr_avail, sizeof(*plan->avail), better_device);
	return 0;
}

static unsigned int plan_data_stripes(const struct plan *plan)
{
	return (plan->nr_devices * plan->attr->dev_stripes - plan->attr->nparity) /
	       plan->attr->ncopies;
}

/*
 * First of all there are to be many devices, however little the last one has.
 * The kernel's limit on the size of a chunk bends to whole 16 MiB of stripe; one
 * that was asked for does not.
 */
static int decide_size(struct plan *plan)
{
	const struct btrfs_raid_attr *attr = plan->attr;
	u64 limit;

	plan->nr_devices = plan->nr_avail - plan->nr_avail % attr->devs_increment;
	if (plan->nr_devices < attr->devs_min)
		return -ENOSPC;
	plan->nr_devices = min(plan->nr_devices, plan->devs_max);
	plan->nr_devices -= plan->nr_devices % attr->devs_increment;

	plan->stripe_size = plan->avail[plan->nr_devices - 1].max_avail / attr->dev_stripes;
	limit = plan->max_chunk_size / plan_data_stripes(plan);
	if (plan->req->max_chunk_size)
		plan->stripe_size = min(plan->stripe_size, limit);
	else if (plan->stripe_size > limit)
		plan->stripe_size = min(plan->stripe_size, round_up(limit, STRIPE_ROUNDING));
	plan->stripe_size = min(plan->stripe_size, MAX_STRIPE);
	plan->stripe_size = round_down(plan->stripe_size, (u64)BTRFS_STRIPE_LEN);
	/* Only a limit that was asked for can be so low. */
	plan->stripe_size = max(plan->stripe_size, (u64)BTRFS_STRIPE_LEN);
	return 0;
}

static struct btrfs_chunk_map *map_from_plan(const struct plan *plan)
{
	unsigned int dev_stripes = plan->attr->dev_stripes;
	struct btrfs_chunk_map *map;

	map = btrfs_alloc_chunk_map((u16)(plan->nr_devices * dev_stripes));
	if (!map)
		return NULL;
	map->logical = plan->req->logical;
	map->length = plan->stripe_size * plan_data_stripes(plan);
	map->type = plan->req->type;
	map->stripe_len = BTRFS_STRIPE_LEN;
	map->stripe_size = plan->stripe_size;
	map->sub_stripes = plan->attr->sub_stripes;
	for (u16 i = 0; i < map->num_stripes; i++) {
		const struct btrfs_dev_avail *avail = &plan->avail[i / dev_stripes];

		map->stripes[i].dev = avail->dev;
		map->stripes[i].physical = avail->start + i % dev_stripes * plan->stripe_size;
	}
	return map;
}

static int give_stripes(struct btrfs_dev_space *space, const struct btrfs_chunk_map *map, u16 nr)
{
	int first = 0;

	for (u16 i = 0; i < nr; i++) {
		int ret = btrfs_dev_space_give(space, map->stripes[i].dev->devid,
					       map->stripes[i].physical, map->stripe_size);

		/* Nothing was ever taken from a device that is missing. */
		if (ret && ret != -ENODEV && !first)
			first = ret;
	}
	return first;
}

static int take_stripes(struct btrfs_dev_space *space, const struct btrfs_chunk_map *map)
{
	for (u16 i = 0; i < map->num_stripes; i++) {
		int ret = btrfs_dev_space_take(space, map->stripes[i].dev->devid,
					       map->stripes[i].physical, map->stripe_size);

		if (ret) {
			give_stripes(space, map, i);
			return ret;
		}
	}
	return 0;
}

/* Make the map and take what it says. */
static int carry_out(const struct plan *plan, struct btrfs_dev_space *space,
		     struct btrfs_chunk_map **ret_map)
{
	struct btrfs_chunk_map *map = map_from_plan(plan);
	u64 end;
	int ret;

	if (!map)
		return -ENOMEM;
	ret = __builtin_add_overflow(map->logical, map->length, &end) ? -EINVAL : 0;
	if (!ret)
		ret = take_stripes(space, map);
	if (ret) {
		btrfs_free_chunk_map(map);
		return ret;
	}
	*ret_map = map;
	return 0;
}

int btrfs_plan_chunk(struct btrfs_dev_space *space, const struct btrfs_chunk_request *req,
		     struct btrfs_chunk_map **ret_map)
{
	struct plan plan = { .req = req };
	int ret;

	ret = set_limits(&plan, space);
	if (!ret)
		ret = find_devices(&plan, space);
	if (!ret)
		ret = decide_size(&plan);
	if (!ret)
		ret = carry_out(&plan, space, ret_map);
	free(plan.avail);
	return ret;
}

int btrfs_unplan_chunk(struct btrfs_dev_space *space, const struct btrfs_chunk_map *map)
{
	return give_stripes(space, map, map->num_stripes);
}

u64 btrfs_next_chunk_logical(const struct btrfs_fs_info *fs_info)
{
	const struct btrfs_chunk_map *last = btrfs_last_chunk_map(fs_info);

	return last ? last->logical + last->length : SZ_1M;
}

/* ---- items ---- */

void btrfs_chunk_item_from_map(const struct btrfs_fs_info *fs_info,
			       const struct btrfs_chunk_map *map, struct btrfs_chunk *chunk)
{
	struct btrfs_stripe *stripes = &chunk->stripe;

	chunk->length = htole64(map->length);
	chunk->owner = htole64(BTRFS_EXTENT_TREE_OBJECTID);
	chunk->stripe_len = htole64(BTRFS_STRIPE_LEN);
	chunk->type = htole64(map->type);
	chunk->io_align = htole32(BTRFS_STRIPE_LEN);
	chunk->io_width = htole32(BTRFS_STRIPE_LEN);
	chunk->sector_size = htole32(fs_info->sectorsize);
	chunk->num_stripes = htole16(map->num_stripes);
	chunk->sub_stripes = htole16(map->sub_stripes);
	for (u16 i = 0; i < map->num_stripes; i++) {
		stripes[i].devid = htole64(map->stripes[i].dev->devid);
		stripes[i].offset = htole64(map->stripes[i].physical);
		memcpy(stripes[i].dev_uuid, map->stripes[i].dev->uuid, BTRFS_UUID_SIZE);
	}
}

void btrfs_dev_extent_from_map(const struct btrfs_fs_info *fs_info,
			       const struct btrfs_chunk_map *map, struct btrfs_dev_extent *extent)
{
	extent->chunk_tree = htole64(BTRFS_CHUNK_TREE_OBJECTID);
	extent->chunk_objectid = htole64(BTRFS_FIRST_CHUNK_TREE_OBJECTID);
	extent->chunk_offset = htole64(map->logical);
	extent->length = htole64(map->stripe_size);
	memcpy(extent->chunk_tree_uuid, fs_info->chunk_tree_uuid, BTRFS_UUID_SIZE);
}

/* ---- the superblock's array ---- */

/*
 * Find the entry of the chunk at @logical, between *@at and *@end bytes of the
 * array.  -ENOENT.  -EUCLEAN: an entry does not fit.
 */
static int find_system_chunk(const struct btrfs_super_block *sb, u64 logical, size_t *at,
			     size_t *end)
{
	size_t size = le32toh(sb->sys_chunk_array_size);

	if (size > BTRFS_SYSTEM_CHUNK_ARRAY_SIZE)
		return -EUCLEAN;
	for (*at = 0; *at < size; *at = *end) {
		const struct btrfs_disk_key *key = (const void *)(sb->sys_chunk_array + *at);
		const struct btrfs_chunk *chunk = (const void *)(key + 1);

		if (size - *at < sizeof(*key) + sizeof(*chunk))
			return -EUCLEAN;
		*end = *at + sizeof(*key) + btrfs_chunk_item_size(le16toh(chunk->num_stripes));
		if (*end > size)
			return -EUCLEAN;
		if (le64toh(key->offset) == logical)
			return 0;
	}
	return -ENOENT;
}

int btrfs_add_system_chunk(const struct btrfs_fs_info *fs_info, struct btrfs_super_block *sb,
			   const struct btrfs_chunk_map *map)
{
	size_t size = le32toh(sb->sys_chunk_array_size);
	size_t need = sizeof(struct btrfs_disk_key) + btrfs_chunk_item_size(map->num_stripes);
	struct btrfs_disk_key *key = (void *)(sb->sys_chunk_array + size);
	size_t at, end;
	int ret;

	ret = find_system_chunk(sb, map->logical, &at, &end);
	if (ret != -ENOENT)
		return ret ? ret : -EEXIST;
	if (need > BTRFS_SYSTEM_CHUNK_ARRAY_SIZE - size)
		return -EFBIG;
	key->objectid = htole64(BTRFS_FIRST_CHUNK_TREE_OBJECTID);
	key->type = BTRFS_CHUNK_ITEM_KEY;
	key->offset = htole64(map->logical);
	btrfs_chunk_item_from_map(fs_info, map, (void *)(key + 1));
	sb->sys_chunk_array_size = htole32((u32)(size + need));
	return 0;
}

int btrfs_del_system_chunk(struct btrfs_super_block *sb, u64 logical)
{
	size_t size = le32toh(sb->sys_chunk_array_size);
	size_t at, end;
	int ret = find_system_chunk(sb, logical, &at, &end);

	if (ret)
		return ret;
	memmove(sb->sys_chunk_array + at, sb->sys_chunk_array + end, size - end);
	size -= end - at;
	memset(sb->sys_chunk_array + size, 0, end - at);
	sb->sys_chunk_array_size = htole32((u32)size);
	return 0;
}
