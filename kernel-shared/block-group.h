/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Block groups: the space of the file system, who uses it, and taking more of
 * the devices for it (chunks) or giving back what is empty.
 *
 * Every byte of a group is exactly one of: used (an extent item is in the
 * tree), reserved (taken, the item is still to come), pinned (freed in the
 * running transaction, so that the last commit may still need it), a superblock
 * copy, or free.  Free space is kept in memory, by offset and by size; it is
 * loaded from the free space tree, or from the extent tree where there is none
 * that is valid.
 *
 * One thread writes, nothing is locked.
 */
#ifndef KERNEL_SHARED_BLOCK_GROUP_H
#define KERNEL_SHARED_BLOCK_GROUP_H

#include "common/list.h"
#include "common/rbtree.h"
#include "kernel-shared/free-space.h"
#include "kernel-shared/volumes.h"

struct btrfs_trans_handle;
struct btrfs_space_info;

struct btrfs_block_group {
	struct btrfs_fs_info *fs_info;
	struct rb_node node;		/* by start */
	struct list_head space_list;	/* space_info->groups, ascending */
	struct list_head dirty_list;	/* item to be written; empty: clean */
	struct list_head new_list;	/* items of the chunk to be inserted; empty: it is on disk */
	struct btrfs_space_info *space_info;
	u64 start;			/* logical, bytes, as all that follow */
	u64 length;
	u64 flags;			/* type and profile */
	u64 used;
	u64 disk_used;			/* what the item says */
	u64 reserved;
	u64 pinned;
	u64 super_bytes;		/* in superblock copies, of which none is ever allocated */
	struct btrfs_free_space free_space;	/* empty until @loaded */
	u64 cursor;			/* where the last allocation ended */
	u32 bitmap_high_thresh;		/* free space tree: extents from which on bitmaps are smaller */
	u32 bitmap_low_thresh;
	unsigned int ro;		/* nothing is allocated from it while > 0 */
	bool loaded;			/* free space is in memory */
	const struct btrfs_chunk_map *map;
};

/* All groups of one type: data, metadata, system, or data and metadata mixed. */
struct btrfs_space_info {
	struct list_head list;
	struct list_head groups;
	u64 flags;			/* type alone */
	u64 avail_profiles;		/* of its groups; BTRFS_AVAIL_ALLOC_BIT_SINGLE for single */
	/* What new chunks get, with BTRFS_AVAIL_ALLOC_BIT_SINGLE for single; 0: as the groups. */
	u64 target_profile;
	u64 total;
	u64 used;
	u64 reserved;
	u64 pinned;
	u64 readonly;			/* unused bytes of groups that are read-only */
	u64 super_bytes;
	struct btrfs_block_group *cursor;	/* the group that the last allocation came from */
};

/* ---- opening for writing ---- */

/*
 * Load all block groups and make fs_info->block_groups.  Needs the chunk map
 * and the global roots.  Groups on seeds, or with more devices missing than the
 * profile bears, are read-only.  Each chunk has to have one group of the same
 * place, length and type.  -EUCLEAN (told), -ENOENT (no extent tree; told),
 * -EIO, -ENOMEM.
 */
int btrfs_read_block_groups(struct btrfs_fs_info *fs_info);
void btrfs_free_block_groups(struct btrfs_fs_info *fs_info);	/* also without any */

/* ---- looking ---- */

/* The group that holds @bytenr, or NULL. */
struct btrfs_block_group *btrfs_lookup_block_group(const struct btrfs_fs_info *fs_info,
						   u64 bytenr);
/* The first group that starts at or after @bytenr, or NULL. */
struct btrfs_block_group *btrfs_lookup_first_block_group(const struct btrfs_fs_info *fs_info,
							 u64 bytenr);
/* For a type of extent: one of DATA, METADATA, SYSTEM.  NULL: there is no such group yet. */
struct btrfs_space_info *btrfs_find_space_info(const struct btrfs_fs_info *fs_info, u64 type);

/* ---- reserve ---- */

/*
 * Make sure that the running transaction can do operations that touch @nr_items
 * items more, and still be committed: to be called before each operation (and
 * from nowhere inside one, since it may change trees).  Runs delayed references
 * when there are many, or to learn what they really need, and allocates chunks.
 *
 * -ENOSPC: it cannot, and what was done before can be committed.  A commit may
 * give space back (btrfs_pinned_bytes()): try again after it.  Other errors have
 * aborted the transaction.
 */
int btrfs_reserve_metadata(struct btrfs_trans_handle *trans, unsigned int nr_items);
/*
 * The same for an operation that sets more space free than it takes, once it is
 * committed: it may use half of what others have to leave, so that a full file
 * system can be emptied.
 */
int btrfs_reserve_metadata_to_remove(struct btrfs_trans_handle *trans, unsigned int nr_items);
/* Bytes that the commit of the running transaction will set free, of all types in @type. */
u64 btrfs_pinned_bytes(const struct btrfs_fs_info *fs_info, u64 type);

/* ---- commit; for transaction.c ---- */

/*
 * The steps of a commit that are of the extent tree and below.  In a loop,
 * together with the updates of root items, until nothing is dirty any more:
 *
 *	btrfs_run_delayed_refs(trans, (u64)-1);
 *	btrfs_write_dirty_block_groups(trans);		(dirties trees and adds delayed refs)
 *
 * super_copy.bytes_used is kept current by these.  After the superblocks are on
 * disk: btrfs_finish_extent_commit(), which makes pinned space free again.
 */
int btrfs_write_dirty_block_groups(struct btrfs_trans_handle *trans);
bool btrfs_has_dirty_block_groups(const struct btrfs_fs_info *fs_info);	/* new ones included */
void btrfs_finish_extent_commit(struct btrfs_fs_info *fs_info);

/* ---- chunks ---- */

/*
 * Take a new chunk for @type (one of DATA, METADATA, SYSTEM) with the profile
 * that is due.  The group can be allocated from at once; its items are inserted
 * by the next btrfs_run_delayed_refs().  -ENOSPC: the devices have no room for
 * one (not told).  @ret may be NULL.
 */
int btrfs_chunk_alloc(struct btrfs_trans_handle *trans, u64 type, struct btrfs_block_group **ret);
/* The same for exactly these flags, type and profile. */
int btrfs_chunk_alloc_profile(struct btrfs_trans_handle *trans, u64 flags,
			      struct btrfs_block_group **ret);
/*
 * Make a block group of the chunk that @map describes, which is in the chunk map
 * already, and queue its items: block group, chunk, dev extents, free space.
 */
int btrfs_make_block_group(struct btrfs_trans_handle *trans, const struct btrfs_chunk_map *map,
			   struct btrfs_block_group **ret);
/* Insert what btrfs_make_block_group() has queued.  Part of running delayed references. */
int btrfs_create_pending_block_groups(struct btrfs_trans_handle *trans);

/*
 * Delete the group at @start with its chunk.  It has to be empty: nothing
 * used, reserved or pinned.  The room on the devices is free after the commit.
 * -EBUSY: it is not empty.  -ENOENT.
 */
int btrfs_remove_block_group(struct btrfs_trans_handle *trans, u64 start);
/*
 * Delete every group of data or metadata that is empty, but for the last of its
 * type and profile, as the kernel does.  *@nr_removed may be NULL.
 */
int btrfs_delete_unused_bgs(struct btrfs_trans_handle *trans, unsigned int *nr_removed);

/* Nest; a read-only group is never allocated from. */
void btrfs_inc_block_group_ro(struct btrfs_block_group *group);
void btrfs_dec_block_group_ro(struct btrfs_block_group *group);

/* ---- for extent-tree.c ---- */

/*
 * Take @num_bytes of a group of @type, as btrfs_reserve_extent(); @min_bytes ==
 * @num_bytes for tree blocks.  The space is reserved then.
 */
int btrfs_find_free_extent(struct btrfs_trans_handle *trans, u64 type, u64 num_bytes,
			   u64 min_bytes, u64 hint, u64 *start, u64 *len);
/*
 * Before an extent item is made or deleted: amid that, or amid the accounting
 * for it, the trees and the group disagree, and free space for new tree blocks
 * cannot be loaded from them.
 */
int btrfs_prepare_extent_change(struct btrfs_fs_info *fs_info, u64 start, u64 len);
/* reserved -> used, with the free space tree; the extent's item has just been made. */
int btrfs_account_new_extent(struct btrfs_trans_handle *trans, u64 start, u64 len);
/* used -> pinned, with the free space tree; the extent's item is gone. */
int btrfs_account_freed_extent(struct btrfs_trans_handle *trans, u64 start, u64 len);
/* reserved -> pinned: it may have been written to, but never had an item. */
int btrfs_pin_reserved_extent(struct btrfs_fs_info *fs_info, u64 start, u64 len);
/* reserved -> free. */
void btrfs_unreserve_extent(struct btrfs_fs_info *fs_info, u64 start, u64 len);

/* Load the group's free space into memory if it is not there. */
int btrfs_cache_block_group(struct btrfs_block_group *group);

#endif
