/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of the tree-checker share: tree-checker.c walks the leaf and
 * calls, by type of key, one function that judges the item's content.
 *
 * When an item gets there, its data is known to lie inside the block and its
 * key to be greater than the one before.  The functions below tree-checker.c
 * read structs in place, having compared their size with the item's.
 */
#ifndef KERNEL_SHARED_TREE_CHECKER_ITEMS_H
#define KERNEL_SHARED_TREE_CHECKER_ITEMS_H

#include "kernel-shared/tree-checker.h"

struct leaf_item {
	const struct btrfs_fs_info *fs_info;
	const struct extent_buffer *eb;
	struct btrfs_check_report *report;
	u32 slot;
	u32 size; /* bytes at @data */
	const u8 *data;
	struct btrfs_key key;

	/* The item before it; has_prev is false for the first, and the rest then 0. */
	bool has_prev;
	u32 prev_size;
	const u8 *prev_data;
	struct btrfs_key prev_key;
};

/* Say in the report why the item is bad; always -EUCLEAN. */
__printf(2, 3) __attribute__((cold, noinline)) int reject_item(const struct leaf_item *item,
							       const char *fmt, ...);

static inline bool is_sector_aligned(const struct leaf_item *item, u64 value)
{
	return IS_ALIGNED(value, (u64)item->fs_info->sectorsize);
}

/* One more than the super's: the log tree and a transaction that has not ended. */
static inline u64 max_generation(const struct leaf_item *item)
{
	return item->fs_info->generation + 1;
}

static inline bool is_inode_objectid(u64 objectid)
{
	return objectid >= BTRFS_FIRST_FREE_OBJECTID && objectid <= BTRFS_LAST_FREE_OBJECTID;
}

/* An item of exactly, or at least, @size bytes. */
int check_exact_size(const struct leaf_item *item, size_t size);
int check_min_size(const struct leaf_item *item, size_t size);

/*
 * In a file tree every item of a file comes behind its inode item.  So, but
 * for the first item of a leaf, the one before it belongs to the same inode.
 */
int check_inode_precedes(const struct leaf_item *item);

/* tree-checker-inode.c */
int check_inode_item(const struct leaf_item *item);
int check_inode_ref(const struct leaf_item *item);
int check_inode_extref(const struct leaf_item *item);
int check_dir_item(const struct leaf_item *item);

/* tree-checker-file.c */
int check_file_extent(const struct leaf_item *item);
int check_csum_item(const struct leaf_item *item);
int check_verity_desc(const struct leaf_item *item);

/* tree-checker-extent.c */
int check_extent_item(const struct leaf_item *item);
int check_keyed_block_ref(const struct leaf_item *item);
int check_keyed_data_ref(const struct leaf_item *item);
int check_keyed_shared_data_ref(const struct leaf_item *item);
int check_block_group_item(const struct leaf_item *item);
int check_free_space_bitmap(const struct leaf_item *item);

/* tree-checker-root.c */
int check_root_item(const struct leaf_item *item);
int check_root_ref(const struct leaf_item *item);

/* tree-checker-chunk.c */
int check_chunk_item(const struct leaf_item *item);
int check_dev_item(const struct leaf_item *item);
int check_dev_extent(const struct leaf_item *item);
int check_raid_stripe(const struct leaf_item *item);

#endif
