/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tree blocks as text, for people and for scripts: one line about the block,
 * its ids, then every key with what its item says.
 *
 * The text is byte for byte that of the existing tools (btrfs-progs 6.2).
 * Blocks come from btrfs_read_tree_block(), so their items are well-formed;
 * item types that are not known are shown by key and size alone.
 */
#ifndef KERNEL_SHARED_PRINT_TREE_H
#define KERNEL_SHARED_PRINT_TREE_H

#include <stdio.h>

#include "kernel-shared/fs.h"

/* How to print; all zero but @out is the usual way. */
struct btrfs_print_ctx {
	FILE *out;
	bool hide_names;   /* HIDDEN in place of names and the values of xattrs */
	bool csum_headers; /* the checksum of every block */
	bool csum_items;   /* every checksum of the checksum tree */
};

/* Print @eb and nothing below it. */
void btrfs_print_block(const struct btrfs_print_ctx *ctx, const struct extent_buffer *eb);

enum btrfs_walk_order {
	BTRFS_WALK_BFS,	   /* level by level, the root first and leaves last */
	BTRFS_WALK_DFS,	   /* every block right behind its parent */
	BTRFS_WALK_LEAVES, /* the leaves alone, in key order */
};

/* 0 to go on; -ENOMEM ends the walk; any other error is kept for its end. */
typedef int (*btrfs_visit_fn)(const struct extent_buffer *eb, void *data);

/*
 * Visit the blocks of the tree or branch whose topmost block is @eb.  A block
 * that cannot be read is left out with all that is below it (its reader says
 * why), and the walk goes on: whoever looks at a damaged tree wants the rest.
 *
 * 0; -EIO: something was left out, or a visit failed; -ENOMEM.
 */
int btrfs_walk_blocks(const struct extent_buffer *eb, enum btrfs_walk_order order,
		      btrfs_visit_fn visit, void *data);

/* Print all of these blocks. */
int btrfs_print_tree(const struct btrfs_print_ctx *ctx, const struct extent_buffer *eb,
		     enum btrfs_walk_order order);

/*
 * The lines of a chunk item of @item_size bytes, which may stand in a tree
 * block or in a superblock's array.  Stripes that do not fit in are left out.
 */
void btrfs_print_chunk(FILE *out, const struct btrfs_chunk *chunk, u32 item_size);

/* "DATA|RAID1", as chunks and block groups name their type. */
#define BTRFS_BG_FLAGS_TEXT_SIZE 64
void btrfs_bg_flags_to_text(u64 flags, char *text);

#endif
