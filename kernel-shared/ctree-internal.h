/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files that change trees share: ctree-cow.c (COW and references),
 * ctree-search.c (the way down), ctree-node.c (full and empty nodes),
 * ctree-leaf.c (moving items, full and empty leaves), ctree-insert.c,
 * ctree-delete.c.
 *
 * All blocks handed to these functions have been COWed.
 */
#ifndef KERNEL_SHARED_CTREE_INTERNAL_H
#define KERNEL_SHARED_CTREE_INTERNAL_H

#include "kernel-shared/accessors-set.h"
#include "kernel-shared/ctree.h"
#include "kernel-shared/transaction.h"

static inline u32 btrfs_eb_max_ptrs(const struct extent_buffer *eb)
{
	return btrfs_max_nodeptrs(eb->len);
}

/* The first key of @eb, all zero for an empty leaf. */
void btrfs_first_disk_key(const struct extent_buffer *eb, struct btrfs_disk_key *key);

/* Take over the caller's reference on @eb into the path. */
void btrfs_path_set_node(struct btrfs_path *path, int level, struct extent_buffer *eb);

/*
 * Whether the keys of two neighbours ascend from one to the other.  0, or
 * -EUCLEAN (said): the transaction has been aborted.
 */
int btrfs_check_sibling_keys(struct btrfs_trans_handle *trans, const struct extent_buffer *left,
			     const struct extent_buffer *right);

/* Read a child of a COWed node and COW it. */
int btrfs_read_and_cow_child(struct btrfs_trans_handle *trans, struct btrfs_root *root,
			     struct extent_buffer *node, u32 slot, struct extent_buffer **ret);

/* Free a block of @root that is in no node any more.  Aborts on error. */
int btrfs_drop_tree_block(struct btrfs_trans_handle *trans, struct btrfs_root *root,
			  struct extent_buffer *eb);
/* A new block of @root at @level with a place in no node yet. */
int btrfs_add_tree_block(struct btrfs_trans_handle *trans, struct btrfs_root *root,
			 const struct btrfs_disk_key *key, u8 level, u64 hint,
			 struct extent_buffer **ret);

/* The keys in the nodes above when the first key of the block at @level - 1 has become @key. */
void btrfs_fixup_low_keys(struct btrfs_path *path, const struct btrfs_disk_key *key, int level);

/* A root node at @level, above the one that the path has there now. */
int btrfs_insert_new_root(struct btrfs_trans_handle *trans, struct btrfs_root *root,
			  struct btrfs_path *path, int level);
/* A pointer to @bytenr, which this transaction made, in the node at @level, which has room. */
void btrfs_insert_ptr(struct btrfs_trans_handle *trans, struct btrfs_path *path,
		      const struct btrfs_disk_key *key, u64 bytenr, u32 slot, int level);

/* See that the node at @level can take the pointers that an insertion below may bring. */
int btrfs_make_room_in_node(struct btrfs_trans_handle *trans, struct btrfs_root *root,
			    struct btrfs_path *path, int level);
/*
 * See that the node at @level can lose a pointer.  It may have become superfluous,
 * as the root with one child: path->nodes[level] is then NULL.
 */
int btrfs_balance_level(struct btrfs_trans_handle *trans, struct btrfs_root *root,
			struct btrfs_path *path, int level);

/* ---- leaves ---- */

/* Where the data of the items from @slot on ends, in bytes from the end of the header. */
static inline u32 btrfs_leaf_data_top(const struct extent_buffer *leaf, u32 slot)
{
	return slot ? btrfs_item_offset(leaf, slot - 1) : btrfs_leaf_data_size(leaf);
}

/* Where the data of the last item begins: what lies above is in use. */
static inline u32 btrfs_leaf_data_end(const struct extent_buffer *leaf)
{
	return btrfs_leaf_data_top(leaf, leaf->nritems);
}

/* Bytes that @nr items from @slot on take, headers included. */
u32 btrfs_leaf_space_used(const struct extent_buffer *leaf, u32 slot, u32 nr);
/*
 * Room for @nr items with @bytes of data at @slot, their headers undefined.  The
 * result is where their data ends, as btrfs_leaf_data_top().
 */
u32 btrfs_leaf_open_gap(struct extent_buffer *leaf, u32 slot, u32 nr, u32 bytes);
void btrfs_leaf_remove_items(struct extent_buffer *leaf, u32 slot, u32 nr);

/* Room for @needed bytes at path->slots[0], where an item with @key will come or (@extend) grow. */
int btrfs_split_leaf(struct btrfs_trans_handle *trans, struct btrfs_root *root,
		     const struct btrfs_key *key, struct btrfs_path *path, u32 needed, bool extend);
/* Move items into the neighbours, all of them if that is possible.  Errors are no harm: 0 or < 0. */
int btrfs_empty_leaf(struct btrfs_trans_handle *trans, struct btrfs_root *root,
		     struct btrfs_path *path);

#endif
