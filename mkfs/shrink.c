// SPDX-License-Identifier: GPL-2.0-only
/*
 * --shrink: the least size that works.
 *
 * While the file system is made, data stands at the start of the device and
 * metadata far behind.  At the end each chunk is cut to what it holds, with some
 * room for metadata, since even a deletion needs that; then metadata chunks move up to the
 * data.  Only the chunk map changes by it: logical addresses, and so all
 * trees, stay as they are.
 */
#include <errno.h>
#include <stdlib.h>

#include "common/message.h"
#include "kernel-shared/super.h"
#include "mkfs/make.h"

/* Metadata that stays free: this much, or a sixteenth of what is used if that is more. */
#define METADATA_ROOM	(4ULL * SZ_1M)

#define COPY_BYTES	SZ_1M

/* Bytes at the end of a stripe's place that hold a superblock copy: nothing may stand there. */
static u64 behind_super(u64 start, u64 len)
{
	for (int i = 1; i < BTRFS_SUPER_MIRROR_MAX; i++) {
		u64 super = btrfs_sb_offset(i);

		if (start < super + BTRFS_STRIPE_LEN && super < start + len)
			return super + BTRFS_STRIPE_LEN;
	}
	return start;
}

static int copy_bytes(struct blockdev *bdev, u64 from, u64 to, u64 len)
{
	void *buf = malloc(COPY_BYTES);
	int ret = buf ? 0 : -ENOMEM;

	for (u64 pos = 0; pos < len && !ret; pos += COPY_BYTES) {
		size_t part = min(len - pos, (u64)COPY_BYTES);

		ret = blockdev_pread(bdev, buf, part, from + pos);
		if (!ret)
			ret = blockdev_pwrite(bdev, buf, part, to + pos);
	}
	free(buf);
	return ret;
}

/* The end of the last chunk that stays where it is. */
static u64 end_of_fixed(const struct btrfs_fs_info *fs_info)
{
	const struct btrfs_chunk_map *map;
	u64 logical = 0, end = SZ_1M;

	for (; (map = btrfs_next_chunk_map(fs_info, logical)); logical = map->logical + map->length)
		for (u16 i = 0; i < map->num_stripes; i++)
			if (map->type & (BTRFS_BLOCK_GROUP_DATA | BTRFS_BLOCK_GROUP_SYSTEM))
				end = max(end, map->stripes[i].physical + map->stripe_size);
	return end;
}

/* How long the chunk of @group has to be. */
static u64 needed_length(const struct mkfs *mkfs, const struct mkfs_block_group *group, bool is_last)
{
	const struct mkfs_block_group *const *pos;
	u64 len = group->cursor - group->start, used = 0;

	if (is_last && group->flags & BTRFS_BLOCK_GROUP_METADATA) {
		vec_for_each(mkfs_alloc_groups(mkfs->alloc), pos)
			if ((*pos)->flags & BTRFS_BLOCK_GROUP_METADATA)
				used += mkfs->plan->mixed ? 0 : (*pos)->used;
		len += max(METADATA_ROOM, used / 16);
	}
	len = max(round_up(len, BTRFS_STRIPE_LEN), (u64)BTRFS_STRIPE_LEN);
	return min(len, group->length);
}

/* Give the chunk at group->start its new length, and places if @places is not NULL. */
static int change_chunk(struct mkfs *mkfs, struct mkfs_block_group *group, u64 length,
			const u64 *places)
{
	const struct btrfs_chunk_map *old = btrfs_find_chunk_map(mkfs->fs_info, group->start);
	struct btrfs_chunk_map *map = btrfs_alloc_chunk_map(old->num_stripes);
	int ret;

	if (!map)
		return -ENOMEM;
	memcpy(map, old, sizeof(*map) + old->num_stripes * sizeof(map->stripes[0]));
	/* Only single and DUP get here, so a stripe is as long as the chunk. */
	map->length = map->stripe_size = length;
	for (u16 i = 0; places && i < map->num_stripes; i++)
		map->stripes[i].physical = places[i];
	ret = btrfs_remove_chunk_map(mkfs->fs_info, group->start);
	if (ret) {
		btrfs_free_chunk_map(map);
		return ret;
	}
	group->length = length;
	return btrfs_add_chunk_map(mkfs->fs_info, map);
}

static bool is_last_of_kind(const struct vec *groups, size_t index)
{
	const struct mkfs_block_group *group = *(struct mkfs_block_group **)vec_at(groups, index);

	for (size_t i = index + 1; i < groups->nr; i++)
		if ((*(struct mkfs_block_group **)vec_at(groups, i))->flags == group->flags)
			return false;
	return true;
}

static int cut_chunks(struct mkfs *mkfs)
{
	const struct vec *groups = mkfs_alloc_groups(mkfs->alloc);
	int ret = 0;

	for (size_t i = 0; i < groups->nr && !ret; i++) {
		struct mkfs_block_group *group = *(struct mkfs_block_group **)vec_at(groups, i);

		/* The system chunk is small already. */
		if (!(group->flags & BTRFS_BLOCK_GROUP_SYSTEM))
			ret = change_chunk(mkfs, group,
					   needed_length(mkfs, group, is_last_of_kind(groups, i)),
					   NULL);
	}
	return ret;
}

/* Move the stripes of @group to @*end, which moves on. */
static int move_chunk(struct mkfs *mkfs, struct mkfs_block_group *group, u64 *end)
{
	const struct btrfs_chunk_map *map = btrfs_find_chunk_map(mkfs->fs_info, group->start);
	u64 places[2];
	int ret = 0;

	for (u16 i = 0; i < map->num_stripes && !ret; i++) {
		places[i] = behind_super(*end, map->stripe_size);
		*end = places[i] + map->stripe_size;
		if (places[i] < map->stripes[i].physical)
			ret = copy_bytes(map->stripes[i].dev->bdev, map->stripes[i].physical,
					 places[i], group->cursor - group->start);
		else
			places[i] = map->stripes[i].physical;
		*end = places[i] + map->stripe_size;
	}
	return ret ? ret : change_chunk(mkfs, group, map->length, places);
}

int mkfs_shrink(struct mkfs *mkfs)
{
	struct btrfs_device *dev = mkfs->fs_info->fs_devices->devices[0];
	const struct vec *groups = mkfs_alloc_groups(mkfs->alloc);
	u64 end;
	int ret = cut_chunks(mkfs);

	end = end_of_fixed(mkfs->fs_info);
	for (size_t i = 0; i < groups->nr && !ret; i++) {
		struct mkfs_block_group *group = *(struct mkfs_block_group **)vec_at(groups, i);

		if (!(group->flags & (BTRFS_BLOCK_GROUP_DATA | BTRFS_BLOCK_GROUP_SYSTEM)))
			ret = move_chunk(mkfs, group, &end);
	}
	dev->total_bytes = end;
	return ret;
}
