/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Walking the trees: search, and steps to the next and previous item; and
 * changing them: COW, insertion, deletion.
 *
 * A struct btrfs_path is the way from the root (highest level) to a leaf
 * (level 0); it holds a reference on every block of it.  Begin with one that
 * is all zero, end with btrfs_release_path(), which leaves it so.
 *
 * While a transaction runs, a path is a path only until something else changes
 * the same tree: release it before any other call that may, and search anew.
 */
#ifndef KERNEL_SHARED_CTREE_H
#define KERNEL_SHARED_CTREE_H

#include "kernel-shared/fs.h"

enum btrfs_readahead_mode {
	READA_NONE = 0,
	READA_FORWARD,		/* bring in the leaves that follow */
};

struct btrfs_trans_handle;

struct btrfs_path {
	struct extent_buffer *nodes[BTRFS_MAX_LEVEL];
	u32 slots[BTRFS_MAX_LEVEL];
	u8 lowest_level;	/* search stops at this level */
	u8 reada;		/* enum btrfs_readahead_mode */
	/*
	 * For btrfs_search_slot_cow() with room.  If the key is found, the room is
	 * for the item there to grow, and ins_len is taken to count an item header
	 * that is not needed; set this if it does not.
	 */
	bool search_for_extension;
	/* The cache's own: up to which slot of the lowest node readahead was asked for. */
	u32 reada_end;
	u64 reada_node;
};

/*
 * Find @key in @root.
 *
 * 0: found, @path points to it.  1: not there, @path points to where it would
 * stand (possibly one past the last item of the leaf).  Else negative errno
 * and an empty path.  A path that is not empty is reused where it can be.
 */
int btrfs_search_slot(struct btrfs_root *root, const struct btrfs_key *key,
		      struct btrfs_path *path);

/*
 * As btrfs_search_slot(), but always ends on an item: the one found, else the
 * next (for @prev the previous) one.  1 when there is none.
 */
int btrfs_search_slot_for_read(struct btrfs_root *root, const struct btrfs_key *key,
			       struct btrfs_path *path, bool prev);

/*
 * Step to the first item of the next leaf, the next item, or the previous one.
 * 0, 1 when there is none (the path then stays where it is), or negative errno
 * (the path is then empty).
 */
int btrfs_next_leaf(struct btrfs_root *root, struct btrfs_path *path);
int btrfs_next_item(struct btrfs_root *root, struct btrfs_path *path);
int btrfs_prev_leaf(struct btrfs_root *root, struct btrfs_path *path);
int btrfs_previous_item(struct btrfs_root *root, struct btrfs_path *path);

void btrfs_release_path(struct btrfs_path *path);

/* 0 when found, else 1; *@slot is the place in both cases. */
int btrfs_bin_search(const struct extent_buffer *eb, const struct btrfs_key *key, u32 *slot);

/*
 * Visit every item from @from to @to (both included) in key order.  @fn
 * returns 0 to go on; anything else ends the walk and is returned.  For loops
 * that need no state but their own, this saves the search and the steps.
 */
typedef int (*btrfs_iter_fn)(struct btrfs_root *root, const struct extent_buffer *leaf, u32 slot,
			     const struct btrfs_key *key, void *ctx);
int btrfs_for_each_item(struct btrfs_root *root, const struct btrfs_key *from,
			const struct btrfs_key *to, btrfs_iter_fn fn, void *ctx);

/*
 * ---- changing trees ----
 *
 * All of it needs a running transaction.  An error after which a tree may be
 * half changed has aborted the transaction before it is returned; every other
 * error leaves the trees as they were, except that blocks may have been COWed,
 * split or balanced.  Errors of the allocator (-ENOSPC) and of reading come
 * through.  A path that a failed call got is empty afterwards.
 */

/*
 * As btrfs_search_slot(), but every block of the path has been COWed and may be
 * changed.  @ins_len > 0: as many bytes are free in the leaf (count
 * sizeof(struct btrfs_item) for each item that will be new), which is split, or
 * emptied into its neighbours, where they are not; more than a leaf can hold is
 * -EOVERFLOW.  @ins_len < 0: items are going to be deleted, nodes with few
 * pointers are merged on the way.  0: neither.
 *
 * path->lowest_level > 0 stops at a node.  What @path held is released first.
 */
int btrfs_search_slot_cow(struct btrfs_trans_handle *trans, struct btrfs_root *root,
			  const struct btrfs_key *key, struct btrfs_path *path, int ins_len);

/*
 * COW one block, unless this transaction made it and has not written it yet.
 * @parent (NULL for the root) has been COWed and gets the new address in
 * @parent_slot.  *@cow carries a reference; that on @buf stays the caller's (so
 * with *@cow == @buf there are two).
 */
int btrfs_cow_block(struct btrfs_trans_handle *trans, struct btrfs_root *root,
		    struct extent_buffer *buf, struct extent_buffer *parent, u32 parent_slot,
		    struct extent_buffer **cow);
/* The same whatever the block's age; *@cow is always a new block. */
int btrfs_force_cow_block(struct btrfs_trans_handle *trans, struct btrfs_root *root,
			  struct extent_buffer *buf, struct extent_buffer *parent, u32 parent_slot,
			  struct extent_buffer **cow);
/* A second tree with the id @new_root_objectid that begins with a copy of @buf, a root node. */
int btrfs_copy_root(struct btrfs_trans_handle *trans, struct btrfs_root *root,
		    struct extent_buffer *buf, u64 new_root_objectid, struct extent_buffer **cow);

/* Whether a block of @root may also be referenced by another tree. */
bool btrfs_block_can_be_shared(const struct btrfs_root *root, const struct extent_buffer *buf);

/* Bytes that a new item (header and data) may take in @leaf. */
u32 btrfs_leaf_free_space(const struct extent_buffer *leaf);

/*
 * Make items with these keys, which must ascend and stand where nothing else
 * belongs between them; the data is undefined and the caller's to fill.  @path
 * points to the first.  -EEXIST: there is an item with the first key.
 */
struct btrfs_item_batch {
	const struct btrfs_key *keys;
	const u32 *data_sizes;
	u32 nr;
};
int btrfs_insert_empty_items(struct btrfs_trans_handle *trans, struct btrfs_root *root,
			     struct btrfs_path *path, const struct btrfs_item_batch *batch);
int btrfs_insert_empty_item(struct btrfs_trans_handle *trans, struct btrfs_root *root,
			    struct btrfs_path *path, const struct btrfs_key *key, u32 data_size);
/* With data, and a path of its own. */
int btrfs_insert_item(struct btrfs_trans_handle *trans, struct btrfs_root *root,
		      const struct btrfs_key *key, const void *data, u32 data_size);
/* The lower part alone: the leaf at @path has room and path->slots[0] is the place. */
void btrfs_setup_items_for_insert(struct btrfs_path *path, const struct btrfs_item_batch *batch);

/*
 * Delete @nr items from @slot on; @path comes from btrfs_search_slot_cow() with
 * ins_len < 0.  A leaf that gets (nearly) empty is merged or goes.  Release @path
 * then: it need not point to anything of use.
 */
int btrfs_del_items(struct btrfs_trans_handle *trans, struct btrfs_root *root,
		    struct btrfs_path *path, u32 slot, u32 nr);
static inline int btrfs_del_item(struct btrfs_trans_handle *trans, struct btrfs_root *root,
				 struct btrfs_path *path)
{
	return btrfs_del_items(trans, root, path, path->slots[0], 1);
}
/* Search and delete one.  -ENOENT. */
int btrfs_del_item_by_key(struct btrfs_trans_handle *trans, struct btrfs_root *root,
			  const struct btrfs_key *key);
/* Take the pointer in @slot out of the COWed node at @level; the block itself is not freed. */
int btrfs_del_ptr(struct btrfs_trans_handle *trans, struct btrfs_path *path, int level, u32 slot);

/*
 * Make the item at @path longer by @by bytes, at its end, in a leaf that has
 * the room; or cut it to @new_size bytes, from its end or (@from_end false)
 * its beginning.  The key stays.
 */
void btrfs_extend_item(struct btrfs_path *path, u32 by);
void btrfs_truncate_item(struct btrfs_path *path, u32 new_size, bool from_end);
/*
 * Two items from the one at @path (COWed): the bytes from @split_offset on get
 * @new_key and follow it.  @path points to the first.
 */
int btrfs_split_item(struct btrfs_trans_handle *trans, struct btrfs_root *root,
		     struct btrfs_path *path, const struct btrfs_key *new_key, u32 split_offset);
/* A second item behind the one at @path (COWed) with the same data; @path points to the new one. */
int btrfs_duplicate_item(struct btrfs_trans_handle *trans, struct btrfs_root *root,
			 struct btrfs_path *path, const struct btrfs_key *new_key);
/*
 * Change the key of the item at @path (COWed), and those of the nodes above
 * where it is the first.  -EUCLEAN (said), nothing changed: it would not keep
 * its place.
 */
int btrfs_set_item_key_safe(struct btrfs_path *path, const struct btrfs_key *key);

/*
 * The lowest inode (or, for the root tree, subvolume) number that has never
 * been used in @root.  -ENOSPC when there is none.
 */
int btrfs_get_free_objectid(struct btrfs_root *root, u64 *objectid);

#endif
