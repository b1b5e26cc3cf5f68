/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one way in for tree blocks, and the cache that they live in.
 *
 * A block enters the process in btrfs_read_tree_block() and nowhere else (the
 * read ahead ends in the same function).  It is read from one mirror after the
 * other until a copy has the right checksum, address, fsid and level and
 * passes the tree-checker; then the promises of the parent are compared.
 *
 * The cache is bounded in bytes, sharded by address and safe for threads.
 * Blocks in it are immutable.
 */
#ifndef KERNEL_SHARED_DISK_IO_H
#define KERNEL_SHARED_DISK_IO_H

#include "kernel-shared/fs.h"

/* What the pointer to a block promises about it. */
struct btrfs_tree_parent_check {
	u64 owner_root;		/* 0: any */
	u64 transid;		/* 0: any */
	struct btrfs_key first_key;
	bool has_first_key;
	u8 level;
	bool any_level;
};

/*
 * Get the block at @bytenr with a reference that free_extent_buffer() drops.
 *
 * -EIO: no copy could be read or verified.  -EUCLEAN: good copies, but not
 * what @check promises.  -ENOMEM.  Failures are reported with the logical
 * address and the reason, once.
 */
int btrfs_read_tree_block(struct btrfs_fs_info *fs_info, u64 bytenr,
			  const struct btrfs_tree_parent_check *check,
			  struct extent_buffer **ret);
/* The child that @slot of @node points to. */
int btrfs_read_node_slot(const struct extent_buffer *node, u32 slot, u64 owner_root,
			 struct extent_buffer **ret);

struct extent_buffer *extent_buffer_get(struct extent_buffer *eb);
void free_extent_buffer(struct extent_buffer *eb);	/* NULL is fine */

/*
 * Bring children [first, last] of @node into the cache in the background,
 * in physical order, neighbours in one request.  Errors are left for whoever
 * asks for the block.
 */
void btrfs_readahead_node_children(const struct extent_buffer *node, u32 first, u32 last);

/* The checksum of @len bytes, little endian, fs_info->csum_size bytes to @out (32 at most). */
void btrfs_csum_data(u16 csum_type, const void *data, size_t len, u8 *out);
/* As said by the superblock; 0 for a type that is not known. */
u16 btrfs_csum_type_size(u16 csum_type);
const char *btrfs_csum_type_name(u16 csum_type);

int btrfs_block_cache_create(u64 max_bytes, u32 nodesize, struct btrfs_block_cache **ret);
void btrfs_block_cache_destroy(struct btrfs_block_cache *cache);

#endif
