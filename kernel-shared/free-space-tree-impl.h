/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What free-space-tree.c and free-space-tree-convert.c share.
 */
#ifndef KERNEL_SHARED_FREE_SPACE_TREE_IMPL_H
#define KERNEL_SHARED_FREE_SPACE_TREE_IMPL_H

#include "kernel-shared/ctree.h"
#include "kernel-shared/free-space-tree.h"

/* Bytes of a bitmap for @bytes of space. */
static inline u32 btrfs_free_space_bitmap_size(const struct btrfs_fs_info *fs_info, u64 bytes)
{
	return (u32)DIV_ROUND_UP(bytes >> fs_info->sectorsize_bits, 8);
}

/* The free space info item of @group. */
struct btrfs_free_space_state {
	u32 extent_count;
	u32 flags;
};
/* -EUCLEAN (told): there is none. */
int btrfs_read_free_space_info(struct btrfs_block_group *group,
			       struct btrfs_free_space_state *state);
int btrfs_write_free_space_info(struct btrfs_trans_handle *trans, struct btrfs_block_group *group,
				const struct btrfs_free_space_state *state);
/* Delete every item of the group behind its info item. */
int btrfs_delete_free_space_items(struct btrfs_trans_handle *trans,
				  struct btrfs_block_group *group);
/* Say that the items of @group are wrong.  Returns -EUCLEAN. */
int btrfs_bad_free_space(const struct btrfs_block_group *group, const char *why, u64 where);

/* Rewrite all items of @group as bitmaps or as extents, whichever they are not; updates *@state. */
int btrfs_convert_free_space(struct btrfs_trans_handle *trans, struct btrfs_block_group *group,
			     struct btrfs_free_space_state *state);

#endif
