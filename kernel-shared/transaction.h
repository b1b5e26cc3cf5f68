/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Transactions: what is changed between two superblocks.
 *
 * One thread writes; worker threads only do checksums and I/O for it.  There is
 * at most one running transaction for each file system.  Work is done through
 * handles: btrfs_start_transaction() begins the transaction or joins the one
 * that runs, btrfs_end_transaction() lets go of it (what was changed stays in
 * memory and is committed with the rest), btrfs_commit_transaction() brings
 * everything to disk.
 *
 *	ret = btrfs_start_transaction(fs_info, &trans);
 *	...	change trees; on an error that leaves half a change behind:
 *		btrfs_abort_transaction(trans, ret)
 *	ret = btrfs_commit_transaction(trans);
 *
 * Nothing that the last superblock reaches is overwritten: until a commit has
 * written its superblocks, what is on disk is the last committed state.  After
 * an abort, or a commit that failed, no superblock of this fs_info is ever
 * written again; all that is left to do is btrfs_close_fs().
 *
 * Blocks that the transaction made are *dirty*: they live in its map from
 * bytenr to block, not in the block cache, and may be changed through
 * accessors-set.h as long as the WRITTEN flag is not set in their header
 * (btrfs_search_slot_cow() sees to that).  btrfs_read_tree_block() finds them
 * there.
 */
#ifndef KERNEL_SHARED_TRANSACTION_H
#define KERNEL_SHARED_TRANSACTION_H

#include "common/vec.h"
#include "kernel-shared/fs.h"

/* The running transaction; fs_info->running_transaction. */
struct btrfs_transaction {
	struct btrfs_fs_info *fs_info;
	u64 transid;				/* generation that the commit will have */
	unsigned int num_handles;
	int aborted;				/* negative errno; 0: it may still be committed */
	bool committing;			/* inside btrfs_commit_transaction() */

	struct u64_map dirty_blocks;		/* bytenr -> struct extent_buffer, one reference */
	u64 dirty_bytes;			/* of blocks in it */
	struct vec dirty_roots;			/* struct btrfs_root *, whose root item is to be updated */
	struct vec dropped_roots;		/* struct btrfs_root *, to be freed with the transaction */
};

/* One user of the running transaction. */
struct btrfs_trans_handle {
	struct btrfs_fs_info *fs_info;
	struct btrfs_transaction *transaction;
	u64 transid;
};

/*
 * Begin or join.  -EROFS: the file system was not opened for writing, or a
 * transaction of it was aborted.  -ENOMEM.
 */
int btrfs_start_transaction(struct btrfs_fs_info *fs_info, struct btrfs_trans_handle **ret);

/*
 * Let go of the handle without committing.  No path may be held.  Writes some
 * blocks out early when very many are dirty.  The transaction's error, if it
 * was aborted; else 0 or what writing said.
 */
int btrfs_end_transaction(struct btrfs_trans_handle *trans);

/*
 * Bring everything to disk and free the handle, whatever comes of it: delayed
 * refs, root items, block groups and free space until nothing changes any more,
 * then tree blocks, flush, superblocks.  No other handle and no path may be
 * held.  0: it is on disk, and what it freed may be used again.  Else negative
 * errno: it has been aborted, no superblock was written (-EIO while the
 * superblocks themselves are written: see super-write.h).
 */
int btrfs_commit_transaction(struct btrfs_trans_handle *trans);

/*
 * Mark the transaction as not to be committed, for the reason @err (negative
 * errno); the first reason counts.  Said once, with @err, the function and the
 * line.  The handle stays to be ended by btrfs_end_transaction().
 */
#define btrfs_abort_transaction(trans, err) \
	btrfs_abort_transaction_at((trans), (err), __func__, __LINE__)
void btrfs_abort_transaction_at(struct btrfs_trans_handle *trans, int err, const char *function,
				int line);

static inline bool btrfs_trans_aborted(const struct btrfs_trans_handle *trans)
{
	return trans->transaction->aborted != 0;
}

/*
 * To be called between two operations of a long transaction, without any path
 * held: when dirty blocks take more than the limit (64 MiB,
 * BTRFS_DIRTY_LIMIT), leaves (and if that is not enough, nodes) are written out
 * and leave the map; they are COWed anew if they are changed again.
 */
int btrfs_btree_balance_dirty(struct btrfs_trans_handle *trans);

/* ---- for ctree-*.c and extent-tree.c ---- */

/*
 * A new block at @bytenr, which has just been allocated: zero but for a header
 * with bytenr, generation, owner @root_id, level, fsid, chunk tree uuid and
 * backref revision.  It is dirty from now on; *@ret carries a reference for the
 * caller.  What the cache knows about the address is forgotten.  -ENOMEM;
 * -EUCLEAN (said) when the address is that of a dirty block: the allocator was
 * told something wrong.
 */
int btrfs_init_new_buffer(struct btrfs_trans_handle *trans, u64 bytenr, u64 root_id, u8 level,
			  struct extent_buffer **ret);

/*
 * The block is no longer wanted: it leaves the map and will not be written.
 * Nothing happens to one that is not dirty.  The caller's reference stays.
 * btrfs_free_tree_block() calls it when the last reference of a tree goes, and
 * so do the tree functions; twice does no harm.
 */
void btrfs_clear_buffer_dirty(struct btrfs_trans_handle *trans, struct extent_buffer *eb);

/* The dirty block at @bytenr with a new reference, or NULL. */
struct extent_buffer *btrfs_find_dirty_block(struct btrfs_transaction *transaction, u64 bytenr);

/* root->node has changed (or @root_item has): its root item is updated by the commit. */
int btrfs_add_dirty_root(struct btrfs_trans_handle *trans, struct btrfs_root *root);

/* The root item of @root is gone: nothing is to be updated. */
void btrfs_forget_dirty_root(struct btrfs_trans_handle *trans, struct btrfs_root *root);

/* Free @root (which no table knows any more) when the transaction ends. */
int btrfs_add_dropped_root(struct btrfs_trans_handle *trans, struct btrfs_root *root);

/*
 * For btrfs_open_fs() and btrfs_close_fs().  The first refuses (as fs.h says) or
 * makes @fs_info ready for transactions, the second forgets all that and a
 * transaction that was never committed.
 */
int btrfs_begin_writing(struct btrfs_fs_info *fs_info, bool degraded);
void btrfs_end_writing(struct btrfs_fs_info *fs_info);

#endif
