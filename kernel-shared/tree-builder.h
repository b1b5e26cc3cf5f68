/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A whole tree from items that come in key order, without a transaction: leaves
 * are filled one after the other, and the nodes above grow as they do.  Only
 * one block of each level is in memory, and every block is handed on once,
 * finished but for its checksum.  For mkfs and whoever else writes a tree anew.
 */
#ifndef KERNEL_SHARED_TREE_BUILDER_H
#define KERNEL_SHARED_TREE_BUILDER_H

#include "kernel-shared/fs.h"

/* Where blocks go. */
struct btrfs_tree_sink {
	/* The address for a block of @owner. */
	int (*alloc)(void *ctx, u64 owner, u8 level, u64 *bytenr);
	/* Take the finished block; the @nodesize bytes are only lent. */
	int (*write)(void *ctx, u64 bytenr, const void *block);
	void *ctx;
};

struct btrfs_built_tree {
	u64 bytenr;		/* of the root node */
	u64 nr_blocks;
	u8 level;
};

struct btrfs_tree_builder;

/* @sink may be NULL: then nothing is written, and blocks are only counted. */
int btrfs_tree_builder_create(struct btrfs_fs_info *fs_info, u64 owner, u64 generation,
			      const u8 *chunk_tree_uuid, const struct btrfs_tree_sink *sink,
			      struct btrfs_tree_builder **ret);
void btrfs_tree_builder_free(struct btrfs_tree_builder *builder);

/*
 * Append an item.  *@data is where its @size bytes belong, to be filled before the
 * next call; they are zero.  -EUCLEAN: the key does not follow the last one.
 * -EOVERFLOW: larger than a leaf holds.
 */
int btrfs_tree_builder_add(struct btrfs_tree_builder *builder, const struct btrfs_key *key,
			   u32 size, void **data);
/* The same with content. */
int btrfs_tree_builder_add_item(struct btrfs_tree_builder *builder, const struct btrfs_key *key,
				const void *data, u32 size);

/* Hand on what is left.  A tree without items is one empty leaf. */
int btrfs_tree_builder_finish(struct btrfs_tree_builder *builder, struct btrfs_built_tree *tree);

/* The largest item that fits into a leaf, in bytes. */
static inline u32 btrfs_max_item_size(u32 nodesize)
{
	return nodesize - (u32)sizeof(struct btrfs_header) - (u32)sizeof(struct btrfs_item);
}

#endif
