// SPDX-License-Identifier: GPL-2.0-only
/*
 * Choosing where a new extent goes.
 *
 * Allocations of one type follow one another: each begins where the last one
 * ended, so that what is written together stands together and is written in
 * few requests.  Where that ends, the largest hole of the group is next; and
 * when no hole of any group will do, a new chunk.
 */
#include <errno.h>

#include "common/message.h"
#include "kernel-shared/block-group-impl.h"
#include "kernel-shared/chunk-alloc.h"
#include "kernel-shared/transaction.h"

/* From the most to the least redundant: the kernel's order of preference. */
static const u64 profiles_by_redundancy[] = {
	BTRFS_BLOCK_GROUP_RAID1C4, BTRFS_BLOCK_GROUP_RAID6, BTRFS_BLOCK_GROUP_RAID1C3,
	BTRFS_BLOCK_GROUP_RAID5, BTRFS_BLOCK_GROUP_RAID10, BTRFS_BLOCK_GROUP_RAID1,
	BTRFS_BLOCK_GROUP_DUP, BTRFS_BLOCK_GROUP_RAID0,
};

static unsigned int nr_own_devices(const struct btrfs_fs_info *fs_info)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < fs_info->fs_devices->nr_devices; i++)
		if (btrfs_device_is_own(fs_info, fs_info->fs_devices->devices[i]))
			nr++;
	return nr;
}

/*
 * Devices that are missing count: while they are, nothing is allocated with less
 * redundancy than the file system has.
 */
u64 btrfs_alloc_profile(const struct btrfs_fs_info *fs_info, const struct btrfs_space_info *space)
{
	u64 profiles = space->target_profile ? space->target_profile : space->avail_profiles;
	unsigned int nr_devices = nr_own_devices(fs_info);

	for (size_t i = 0; i < ARRAY_SIZE(profiles_by_redundancy); i++) {
		u64 profile = profiles_by_redundancy[i];

		if ((profiles & profile) && nr_devices >= btrfs_raid_attr(profile)->devs_min)
			return space->flags | profile;
	}
	return space->flags;
}

/* What is asked for. */
struct alloc_request {
	struct btrfs_space_info *space;
	u64 flags;		/* that a group has to have */
	u64 num_bytes;
	u64 align;
	u64 hint;		/* 0: none */
};

/* Whether the part of @extent from @from on has room; *@start is where. */
static bool fits(const struct btrfs_free_extent *extent, u64 from, const struct alloc_request *req,
		 u64 *start)
{
	u64 begin = round_up(max(extent->start, from), req->align);
	u64 end = extent->start + extent->len;

	*start = begin;
	return begin < end && end - begin >= req->num_bytes;
}

/* A place where the last allocation ended, or else in the largest hole. */
static bool find_in_group(const struct btrfs_block_group *group, const struct alloc_request *req,
			  u64 *start)
{
	struct btrfs_free_extent *extent =
		btrfs_free_space_first(&group->free_space, group->cursor);

	if (extent && extent->start <= group->cursor && fits(extent, group->cursor, req, start))
		return true;
	extent = btrfs_free_space_largest(&group->free_space);
	if (!extent || extent->len < req->num_bytes)
		return false;
	if (fits(extent, 0, req, start))
		return true;
	/* Only alignment stands in the way: another one may lie better. */
	extent = btrfs_free_space_first(&group->free_space, group->start);
	for (; extent; extent = btrfs_free_space_next(extent))
		if (fits(extent, 0, req, start))
			return true;
	return false;
}

/* Ready to be allocated from: 0; not: 1. */
static int prepare_group(struct btrfs_block_group *group, const struct alloc_request *req)
{
	int ret;

	if (group->ro || (group->flags & req->flags) != req->flags ||
	    btrfs_group_free(group) < req->num_bytes)
		return 1;
	ret = btrfs_cache_block_group(group);
	if (ret)
		return ret;
	return group->ro ? 1 : 0;	/* its free space may have turned out not to be trusted */
}

static int take(struct btrfs_block_group *group, const struct alloc_request *req, u64 start)
{
	int ret = btrfs_free_space_take(&group->free_space, start, req->num_bytes);

	if (ret)
		return ret;
	group->reserved += req->num_bytes;
	group->cursor = start + req->num_bytes;
	group->space_info->reserved += req->num_bytes;
	group->space_info->cursor = group;
	return 0;
}

/* 0: taken; 1: not in this group. */
static int alloc_from_group(struct btrfs_block_group *group, const struct alloc_request *req,
			    u64 *start)
{
	int ret = prepare_group(group, req);

	if (ret)
		return ret;
	return find_in_group(group, req, start) ? take(group, req, *start) : 1;
}

/* Exactly where the caller would like it, so that a file goes on where it ended. */
static int alloc_at_hint(const struct btrfs_fs_info *fs_info, const struct alloc_request *req,
			 u64 *start)
{
	struct btrfs_block_group *group = btrfs_lookup_block_group(fs_info, req->hint);
	const struct btrfs_free_extent *extent;
	int ret;

	if (!req->hint || !group || group->space_info != req->space)
		return 1;
	ret = prepare_group(group, req);
	if (ret)
		return ret;
	extent = btrfs_free_space_first(&group->free_space, req->hint);
	if (!extent || extent->start > req->hint || !fits(extent, req->hint, req, start))
		return 1;
	return take(group, req, *start);
}

/* All groups of the space, beginning with the one that the last allocation came from. */
static int alloc_from_groups(const struct btrfs_fs_info *fs_info, const struct alloc_request *req,
			     u64 *start)
{
	struct btrfs_space_info *space = req->space;
	struct btrfs_block_group *first = space->cursor, *group;
	int ret = alloc_at_hint(fs_info, req, start);

	if (ret > 0 && first)
		ret = alloc_from_group(first, req, start);
	if (ret <= 0)
		return ret;
	list_for_each_entry(group, &space->groups, space_list) {
		if (group == first)
			continue;
		ret = alloc_from_group(group, req, start);
		if (ret <= 0)
			return ret;
	}
	return 1;
}

/* The longest piece that could be had without a new chunk, in sectors, as bytes. */
static u64 largest_piece(const struct btrfs_fs_info *fs_info, const struct alloc_request *req)
{
	struct btrfs_block_group *group;
	u64 largest = 0;

	list_for_each_entry(group, &req->space->groups, space_list) {
		const struct btrfs_free_extent *extent;

		if (group->ro || !group->loaded || (group->flags & req->flags) != req->flags)
			continue;
		extent = btrfs_free_space_largest(&group->free_space);
		if (extent)
			largest = max(largest, extent->len);
	}
	return round_down(largest, fs_info->sectorsize);
}

/* In mixed groups data must not take what metadata needs for the commit. */
static bool would_touch_reserve(const struct btrfs_fs_info *fs_info,
				const struct btrfs_space_info *space, u64 type, u64 num_bytes)
{
	u64 free_bytes = btrfs_space_free(space);

	return type == BTRFS_BLOCK_GROUP_DATA && (space->flags & BTRFS_BLOCK_GROUP_METADATA) &&
	       (free_bytes < num_bytes ||
		free_bytes - num_bytes < btrfs_global_reserve(fs_info));
}

static int alloc_or_grow(struct btrfs_trans_handle *trans, u64 type,
			 const struct alloc_request *req, u64 *start)
{
	int ret = 1;

	if (!would_touch_reserve(trans->fs_info, req->space, type, req->num_bytes))
		ret = alloc_from_groups(trans->fs_info, req, start);
	if (ret <= 0)
		return ret;
	ret = btrfs_chunk_alloc(trans, type, NULL);
	if (ret)
		return ret;
	if (would_touch_reserve(trans->fs_info, req->space, type, req->num_bytes))
		return -ENOSPC;
	ret = alloc_from_groups(trans->fs_info, req, start);
	return ret > 0 ? -ENOSPC : ret;
}

int btrfs_find_free_extent(struct btrfs_trans_handle *trans, u64 type, u64 num_bytes,
			   u64 min_bytes, u64 hint, u64 *start, u64 *len)
{
	struct btrfs_fs_info *fs_info = trans->fs_info;
	struct alloc_request req = { .num_bytes = num_bytes, .align = fs_info->sectorsize };
	u64 piece;
	int ret;

	req.space = btrfs_find_space_info(fs_info, type);
	if (!req.space) {
		ret = btrfs_chunk_alloc(trans, type, NULL);
		if (ret)
			return ret;
		req.space = btrfs_find_space_info(fs_info, type);
	}
	/* New tree blocks are to be in one row, not each beside the one that it is a copy of. */
	if (type == BTRFS_BLOCK_GROUP_DATA)
		req.hint = hint;
	else
		req.align = fs_info->nodesize;
	req.flags = btrfs_alloc_profile(fs_info, req.space);
	ret = alloc_or_grow(trans, type, &req, start);
	while (ret == -ENOSPC && req.num_bytes > min_bytes) {
		piece = largest_piece(fs_info, &req);
		if (would_touch_reserve(fs_info, req.space, type, req.num_bytes))
			piece = req.num_bytes / 2;
		req.num_bytes = max(min_bytes, min(piece, round_down(req.num_bytes - 1,
								     fs_info->sectorsize)));
		ret = 1;
		if (!would_touch_reserve(fs_info, req.space, type, req.num_bytes))
			ret = alloc_from_groups(fs_info, &req, start);
		if (ret > 0)
			ret = -ENOSPC;
	}
	*len = req.num_bytes;
	return ret;
}
