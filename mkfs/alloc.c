// SPDX-License-Identifier: GPL-2.0-only
/*
 * Block groups filled from their start; alloc.h says what others may rely on.
 */
#include "mkfs/alloc.h"

#include <errno.h>
#include <stdlib.h>


/*
 * Sizes of the first chunks, in bytes.  They are what the field's tool makes:
 * small ones of the single profile, which stay only if that is what was asked for.
 */
#define FIRST_SYSTEM_SIZE	(4ULL * SZ_1M)
#define FIRST_GROUP_SIZE	(8ULL * SZ_1M)

/*
 * With --shrink the system chunk and the data stand at the start of the device,
 * one behind the other.  How much metadata there will be shows only at the end, so it
 * is put far behind the data and moved up to it when all is known (shrink.c).
 */
#define SHRINK_SYSTEM_SIZE	(1ULL * SZ_1M)
#define SHRINK_DATA_SIZE	(1024ULL * SZ_1M)
#define SHRINK_METADATA_SIZE	(32ULL * SZ_1M)

enum group_kind {
	KIND_SYSTEM,
	KIND_METADATA,
	KIND_DATA,
	NR_KINDS,
};

struct mkfs_alloc {
	struct btrfs_fs_info *fs_info;
	const struct mkfs_plan *plan;
	struct btrfs_dev_space *space;
	struct vec groups;		/* of struct mkfs_block_group *, by start */
	struct mkfs_block_group *current[NR_KINDS];	/* with mixed groups two are the same */
	struct vec blocks;		/* of struct mkfs_tree_block */
	bool blocks_sorted;
	u64 far;			/* with --shrink: where the next metadata goes, physical */
};

static u64 kind_flags(const struct mkfs_alloc *alloc, enum group_kind kind)
{
	const struct mkfs_plan *plan = alloc->plan;

	switch (kind) {
	case KIND_SYSTEM:
		return BTRFS_BLOCK_GROUP_SYSTEM | plan->metadata_profile;
	case KIND_METADATA:
		return BTRFS_BLOCK_GROUP_METADATA | plan->metadata_profile |
		       (plan->mixed ? BTRFS_BLOCK_GROUP_DATA : 0);
	default:
		return plan->mixed ? kind_flags(alloc, KIND_METADATA) :
				     BTRFS_BLOCK_GROUP_DATA | plan->data_profile;
	}
}

/* ---- chunks ---- */

static int add_group(struct mkfs_alloc *alloc, const struct btrfs_chunk_map *map,
		     struct mkfs_block_group **ret)
{
	struct mkfs_block_group *group = calloc(1, sizeof(*group));
	int err;

	if (!group)
		return -ENOMEM;
	group->start = map->logical;
	group->length = map->length;
	group->flags = map->type;
	group->cursor = map->logical;
	vec_init(&group->excluded, sizeof(struct btrfs_super_stripe));
	vec_init(&group->skipped, sizeof(struct mkfs_range));
	err = btrfs_find_super_stripes(map, &group->excluded);
	if (!err)
		err = vec_push_copy(&alloc->groups, &group);
	if (err) {
		vec_free(&group->excluded);
		free(group);
		return err;
	}
	*ret = group;
	return 0;
}

/* Make @map a chunk of the file system, with a block group. */
static int adopt_chunk(struct mkfs_alloc *alloc, struct btrfs_chunk_map *map,
		       struct mkfs_block_group **group)
{
	int ret = add_group(alloc, map, group);

	if (ret) {
		btrfs_free_chunk_map(map);
		return ret;
	}
	return btrfs_add_chunk_map(alloc->fs_info, map);
}

static int cmp_stripe(const void *a, const void *b)
{
	const __typeof__(((struct btrfs_chunk_map *)NULL)->stripes[0]) *x = a, *y = b;

	if (x->dev->devid != y->dev->devid)
		return x->dev->devid < y->dev->devid ? -1 : 1;
	return x->physical < y->physical ? -1 : x->physical > y->physical;
}

/* @max_size, @max_stripe_size: 0 as in the kernel. */
static int new_chunk(struct mkfs_alloc *alloc, u64 flags, u64 logical, u64 max_size,
		     u64 max_stripe_size, struct mkfs_block_group **group)
{
	struct btrfs_chunk_request req = {
		.type = flags,
		.logical = logical,
		.max_chunk_size = max_size,
		.max_stripe_size = max_stripe_size,
	};
	struct btrfs_chunk_map *map;
	int ret = btrfs_plan_chunk(alloc->space, &req, &map);

	if (ret)
		return ret;
	/* The planner's order is that of free space; on new devices that says nothing. */
	qsort(map->stripes, map->num_stripes, sizeof(map->stripes[0]), cmp_stripe);
	return adopt_chunk(alloc, map, group);
}

/* Metadata of a file system that will be shrunk. */
static int far_chunk(struct mkfs_alloc *alloc)
{
	u64 flags = kind_flags(alloc, KIND_METADATA);
	u16 nr_stripes = flags & BTRFS_BLOCK_GROUP_DUP ? 2 : 1;
	struct btrfs_device *dev = btrfs_find_device(alloc->fs_info, 1, NULL);
	struct btrfs_chunk_map *map;

	if (alloc->far + nr_stripes * SHRINK_METADATA_SIZE > dev->total_bytes)
		return -ENOSPC;
	map = btrfs_alloc_chunk_map(nr_stripes);
	if (!map)
		return -ENOMEM;
	map->logical = btrfs_next_chunk_logical(alloc->fs_info);
	map->length = map->stripe_size = SHRINK_METADATA_SIZE;
	map->type = flags;
	map->stripe_len = BTRFS_STRIPE_LEN;
	map->sub_stripes = 1;
	for (u16 i = 0; i < nr_stripes; i++) {
		map->stripes[i].dev = dev;
		map->stripes[i].physical = alloc->far;
		alloc->far += SHRINK_METADATA_SIZE;
	}
	return adopt_chunk(alloc, map, &alloc->current[KIND_METADATA]);
}

/* The next chunk of a kind, when the last one is full. */
static int grow(struct mkfs_alloc *alloc, enum group_kind kind)
{
	bool shrink = alloc->plan->shrink;
	u64 max_size = 0;
	int ret;

	if (shrink && kind == KIND_METADATA && !alloc->plan->mixed)
		return far_chunk(alloc);
	if (shrink)
		max_size = kind == KIND_SYSTEM ? SHRINK_SYSTEM_SIZE : SHRINK_DATA_SIZE;
	ret = new_chunk(alloc, kind_flags(alloc, kind), btrfs_next_chunk_logical(alloc->fs_info),
			max_size, 0, &alloc->current[kind]);
	if (!ret && alloc->plan->mixed && kind != KIND_SYSTEM)
		alloc->current[KIND_DATA] = alloc->current[KIND_METADATA] = alloc->current[kind];
	return ret;
}

/* Space on the first device that the field's tool takes for a while, and its addresses. */
struct first_chunk {
	enum group_kind kind;
	u64 start;		/* logical and physical */
	u64 size;
	bool stays;
};

/*
 * One of the small single chunks at the start of the first device.  Those of
 * another profile than asked for never come to be, but the addresses behind
 * them are used all the same.
 */
static int first_chunk(struct mkfs_alloc *alloc, const struct first_chunk *first)
{
	struct btrfs_chunk_map *map;
	int ret;

	ret = btrfs_dev_space_take(alloc->space, 1, first->start, first->size);
	if (ret || !first->stays)
		return ret;
	map = btrfs_alloc_chunk_map(1);
	if (!map)
		return -ENOMEM;
	map->logical = first->start;
	map->length = first->size;
	map->type = kind_flags(alloc, first->kind);
	map->stripe_len = BTRFS_STRIPE_LEN;
	map->stripe_size = first->size;
	/* The field's tool writes its very first chunk by hand, and leaves this out. */
	map->sub_stripes = first->kind != KIND_SYSTEM;
	map->stripes[0].dev = btrfs_find_device(alloc->fs_info, 1, NULL);
	map->stripes[0].physical = first->start;
	return adopt_chunk(alloc, map, &alloc->current[first->kind]);
}

/* The rules of the field's tool for the chunks that follow; later ones go by those of the kernel. */
struct size_rule {
	u64 stripe_size;	/* at most, in bytes as all here */
	u64 min_stripe_size;
	u64 max_chunk_size;	/* all stripes together, less copies */
};

static struct size_rule size_rule(u64 flags, u64 total_bytes)
{
	u64 metadata = total_bytes > 50 * 1024ULL * SZ_1M ? 1024ULL * SZ_1M : 256ULL * SZ_1M;

	if (flags & BTRFS_BLOCK_GROUP_SYSTEM)
		return (struct size_rule){ 8ULL * SZ_1M, SZ_1M, 16ULL * SZ_1M };
	if (flags & BTRFS_BLOCK_GROUP_DATA)
		return (struct size_rule){ 1024ULL * SZ_1M, 64ULL * SZ_1M, 10240ULL * SZ_1M };
	return (struct size_rule){ metadata, 32ULL * SZ_1M, metadata };
}

/* How many stripes a chunk of the profile has, and how many of them hold different data. */
static unsigned int nr_stripes(const struct btrfs_raid_attr *attr, unsigned int nr_devices)
{
	unsigned int nr = attr->devs_max ? min((unsigned int)attr->devs_max, nr_devices) : nr_devices;

	return (nr - nr % attr->devs_increment) * attr->dev_stripes;
}

static u64 first_stripe_size(const struct mkfs_alloc *alloc, u64 flags)
{
	const struct btrfs_raid_attr *attr = btrfs_raid_attr(flags & BTRFS_BLOCK_GROUP_PROFILE_MASK);
	u64 total = btrfs_dev_space_total_bytes(alloc->space);
	struct size_rule rule = size_rule(flags, total);
	unsigned int nr = nr_stripes(attr, alloc->fs_info->fs_devices->nr_devices);
	u64 size = rule.stripe_size, most = min(rule.max_chunk_size, total / 10);

	if (size * (nr - attr->nparity) / attr->ncopies > most)
		size = round_down(most / nr, BTRFS_STRIPE_LEN);
	return max(size, rule.min_stripe_size);
}

static int first_group(struct mkfs_alloc *alloc, enum group_kind kind, u64 logical)
{
	u64 flags = kind_flags(alloc, kind);

	return new_chunk(alloc, flags, logical, U64_MAX, first_stripe_size(alloc, flags),
			 &alloc->current[kind]);
}

/* Chunks of the profiles that are not single follow the small ones. */
static int first_groups_of_profile(struct mkfs_alloc *alloc, u64 logical)
{
	int ret = 0;

	if (alloc->plan->metadata_profile) {
		ret = first_group(alloc, KIND_SYSTEM, logical);
		if (!ret)
			ret = first_group(alloc, KIND_METADATA,
					  btrfs_next_chunk_logical(alloc->fs_info));
	}
	if (!ret && !alloc->plan->mixed && alloc->plan->data_profile)
		ret = first_group(alloc, KIND_DATA,
				  max(logical, btrfs_next_chunk_logical(alloc->fs_info)));
	return ret;
}

static int make_first_groups(struct mkfs_alloc *alloc)
{
	const struct mkfs_plan *plan = alloc->plan;
	struct first_chunk chunks[] = {
		{ KIND_SYSTEM, SZ_1M, FIRST_SYSTEM_SIZE, !plan->metadata_profile },
		{ KIND_METADATA, 0, FIRST_GROUP_SIZE, !plan->metadata_profile },
		{ KIND_DATA, 0, FIRST_GROUP_SIZE, !plan->data_profile },
	};
	unsigned int nr = plan->mixed ? 2 : 3;
	u64 end = SZ_1M;
	int ret = 0;

	for (unsigned int i = 0; i < nr && !ret; i++) {
		chunks[i].start = end;
		end += chunks[i].size;
		ret = first_chunk(alloc, &chunks[i]);
	}
	if (!ret)
		ret = first_groups_of_profile(alloc, end);
	for (unsigned int i = 0; i < nr && !ret; i++)
		if (!chunks[i].stays)
			ret = btrfs_dev_space_give(alloc->space, 1, chunks[i].start, chunks[i].size);
	if (plan->mixed)
		alloc->current[KIND_DATA] = alloc->current[KIND_METADATA];
	return ret;
}

int mkfs_alloc_create(struct btrfs_fs_info *fs_info, const struct mkfs_plan *plan,
		      struct mkfs_alloc **ret_alloc)
{
	struct mkfs_alloc *alloc = calloc(1, sizeof(*alloc));
	int ret;

	if (!alloc)
		return -ENOMEM;
	alloc->fs_info = fs_info;
	alloc->plan = plan;
	vec_init(&alloc->groups, sizeof(struct mkfs_block_group *));
	vec_init(&alloc->blocks, sizeof(struct mkfs_tree_block));
	ret = btrfs_new_dev_space(fs_info, &alloc->space);
	/* The second half of the device is for metadata. */
	alloc->far = round_down(btrfs_find_device(fs_info, 1, NULL)->total_bytes / 2,
				BTRFS_STRIPE_LEN);
	if (!ret)
		ret = plan->shrink ? grow(alloc, KIND_SYSTEM) : make_first_groups(alloc);
	if (ret) {
		mkfs_alloc_free(alloc);
		return ret;
	}
	*ret_alloc = alloc;
	return 0;
}

void mkfs_alloc_free(struct mkfs_alloc *alloc)
{
	struct mkfs_block_group **group;

	if (!alloc)
		return;
	vec_for_each(&alloc->groups, group) {
		vec_free(&(*group)->excluded);
		vec_free(&(*group)->skipped);
		free(*group);
	}
	vec_free(&alloc->groups);
	vec_free(&alloc->blocks);
	btrfs_free_dev_space(alloc->space);
	free(alloc);
}

/* ---- places ---- */

static int skip_to(struct mkfs_block_group *group, u64 to)
{
	struct mkfs_range range = { group->cursor, to - group->cursor };
	int ret = range.len ? vec_push_copy(&group->skipped, &range) : 0;

	group->cursor = to;
	return ret;
}

/*
 * The free range at the cursor, behind superblocks: its length, 0 when the group
 * is full.
 */
static u64 free_at_cursor(struct mkfs_block_group *group)
{
	u64 end = group->start + group->length;
	struct btrfs_super_stripe *stripe;

	vec_for_each(&group->excluded, stripe) {
		if (stripe->logical + stripe->len <= group->cursor)
			continue;
		if (stripe->logical > group->cursor) {
			end = stripe->logical;
			break;
		}
		group->cursor = stripe->logical + stripe->len;
	}
	return min(end, group->start + group->length) - group->cursor;
}

/*
 * At least @min and up to @len bytes from @group.  A range that is too short is
 * left free.  -ENOSPC.
 */
static int take_from_group(struct mkfs_block_group *group, u64 len, u64 min, u64 *bytenr, u64 *got)
{
	u64 avail;
	int ret;

	while ((avail = free_at_cursor(group)) != 0) {
		if (avail >= min) {
			*bytenr = group->cursor;
			*got = min(avail, len);
			group->cursor += *got;
			group->used += *got;
			return 0;
		}
		ret = skip_to(group, group->cursor + avail);
		if (ret)
			return ret;
	}
	return -ENOSPC;
}

static int take(struct mkfs_alloc *alloc, enum group_kind kind, u64 len, u64 min, u64 *bytenr,
		u64 *got)
{
	int ret = -ENOSPC;

	if (alloc->current[kind])
		ret = take_from_group(alloc->current[kind], len, min, bytenr, got);
	if (ret != -ENOSPC)
		return ret;
	ret = grow(alloc, kind);
	return ret ? ret : take_from_group(alloc->current[kind], len, min, bytenr, got);
}

int mkfs_alloc_data(struct mkfs_alloc *alloc, u64 len, u64 min, u64 *bytenr, u64 *got)
{
	return take(alloc, KIND_DATA, len, min, bytenr, got);
}

int mkfs_alloc_block(struct mkfs_alloc *alloc, u64 owner, u8 level, u64 generation, u64 *bytenr)
{
	enum group_kind kind = owner == BTRFS_CHUNK_TREE_OBJECTID ? KIND_SYSTEM : KIND_METADATA;
	u32 nodesize = alloc->fs_info->nodesize;
	struct mkfs_tree_block block = { .owner = owner, .generation = generation, .level = level };
	u64 got;
	int ret = take(alloc, kind, nodesize, nodesize, &block.bytenr, &got);

	if (ret)
		return ret;
	*bytenr = block.bytenr;
	alloc->blocks_sorted = false;
	return vec_push_copy(&alloc->blocks, &block);
}

/* ---- what has been allocated ---- */

static int cmp_group(const void *a, const void *b)
{
	const struct mkfs_block_group *x = *(struct mkfs_block_group *const *)a;
	const struct mkfs_block_group *y = *(struct mkfs_block_group *const *)b;

	return x->start < y->start ? -1 : x->start > y->start;
}

const struct vec *mkfs_alloc_groups(struct mkfs_alloc *alloc)
{
	vec_sort(&alloc->groups, cmp_group);
	return &alloc->groups;
}

static int cmp_block(const void *a, const void *b)
{
	const struct mkfs_tree_block *x = a, *y = b;

	return x->bytenr < y->bytenr ? -1 : x->bytenr > y->bytenr;
}

struct vec *mkfs_alloc_blocks(struct mkfs_alloc *alloc)
{
	if (!alloc->blocks_sorted)
		vec_sort(&alloc->blocks, cmp_block);
	alloc->blocks_sorted = true;
	return &alloc->blocks;
}

static struct mkfs_tree_block *find_block(struct mkfs_alloc *alloc, u64 bytenr)
{
	const struct mkfs_tree_block key = { .bytenr = bytenr };
	const struct vec *blocks = mkfs_alloc_blocks(alloc);

	if (!blocks->nr)
		return NULL;
	return bsearch(&key, blocks->data, blocks->nr, sizeof(key), cmp_block);
}

bool mkfs_set_block_level(struct mkfs_alloc *alloc, u64 bytenr, u8 level)
{
	struct mkfs_tree_block *block = find_block(alloc, bytenr);

	if (!block || block->level == level)
		return false;
	block->level = level;
	return true;
}

static int cmp_range(const void *a, const void *b)
{
	const struct mkfs_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

int mkfs_free_range(struct mkfs_alloc *alloc, u64 start, u64 len)
{
	const struct mkfs_range range = { start, len };
	struct mkfs_block_group **group;
	int ret;

	vec_for_each(&alloc->groups, group) {
		if (start < (*group)->start || start - (*group)->start >= (*group)->length)
			continue;
		ret = vec_push_copy(&(*group)->skipped, &range);
		if (ret)
			return ret;
		vec_sort(&(*group)->skipped, cmp_range);
		(*group)->used -= len;
		return 0;
	}
	return -ENOENT;
}

int mkfs_free_block(struct mkfs_alloc *alloc, u64 bytenr)
{
	struct mkfs_tree_block *block = find_block(alloc, bytenr);

	if (!block)
		return -ENOENT;
	vec_remove(&alloc->blocks,
		   (size_t)(block - (struct mkfs_tree_block *)alloc->blocks.data));
	return mkfs_free_range(alloc, bytenr, alloc->fs_info->nodesize);
}
