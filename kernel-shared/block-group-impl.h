/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files that manage space share: block-group.c (groups and their
 * accounts), find-free-extent.c (choosing), block-group-chunk.c (new and removed
 * chunks), block-rsv.c (how much has to be kept back).
 */
#ifndef KERNEL_SHARED_BLOCK_GROUP_IMPL_H
#define KERNEL_SHARED_BLOCK_GROUP_IMPL_H

#include "common/vec.h"
#include "kernel-shared/block-group.h"

struct btrfs_dev_space;

/* fs_info->block_groups. */
struct btrfs_block_groups {
	struct rb_root groups;			/* struct btrfs_block_group, by start */
	struct list_head spaces;		/* struct btrfs_space_info */
	struct list_head dirty;			/* groups whose item is to be written */
	struct list_head new;			/* groups whose items are to be inserted */
	struct btrfs_free_space pinned;		/* free after the commit */
	struct btrfs_dev_space *dev_space;
	struct vec removed_maps;		/* const struct btrfs_chunk_map *: room after the commit */
	bool allocating_system;			/* no system chunk for the sake of a system chunk */
};

/* Bytes of @space that nobody has taken; not all of it need be in one piece or loaded. */
static inline u64 btrfs_space_free(const struct btrfs_space_info *space)
{
	u64 taken = space->used + space->reserved + space->pinned + space->readonly +
		    space->super_bytes;

	return space->total > taken ? space->total - taken : 0;
}

/* The same of one group. */
static inline u64 btrfs_group_free(const struct btrfs_block_group *group)
{
	u64 taken = group->used + group->reserved + group->pinned + group->super_bytes;

	return group->length > taken ? group->length - taken : 0;
}

/* A group for the chunk @map, in every index; its items are the caller's.  NULL: no memory. */
struct btrfs_block_group *btrfs_add_block_group(struct btrfs_fs_info *fs_info,
						const struct btrfs_chunk_map *map, u64 used);
/* Out of every index, and freed. */
void btrfs_forget_block_group(struct btrfs_block_group *group);
/* The space info for exactly @flags (types alone), made if need be.  NULL: no memory. */
struct btrfs_space_info *btrfs_get_space_info(struct btrfs_fs_info *fs_info, u64 flags);

/* Where block group items are. */
static inline struct btrfs_root *btrfs_block_group_tree(const struct btrfs_fs_info *fs_info)
{
	return btrfs_fs_compat_ro(fs_info, BTRFS_FEATURE_COMPAT_RO_BLOCK_GROUP_TREE) ?
	       fs_info->block_group_root : fs_info->extent_root;
}

/* Take the places of superblock copies out of the group's free space in memory.  -ENOMEM. */
int btrfs_exclude_super_ranges(struct btrfs_block_group *group);

/* Type and profile that an allocation of @space (a new chunk, if there is none) has to have. */
u64 btrfs_alloc_profile(const struct btrfs_fs_info *fs_info, const struct btrfs_space_info *space);

/* Metadata space, in bytes, that is to be left for the commit. */
u64 btrfs_global_reserve(const struct btrfs_fs_info *fs_info);

#endif
