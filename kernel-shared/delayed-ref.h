/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Delayed references: what a transaction still has to write into the extent
 * tree.
 *
 * Whoever adds or drops a reference to an extent only notes it here.  Notes
 * about one extent meet in one head, where an addition and a drop of the same
 * reference cancel out; heads are sorted by address.  btrfs_run_delayed_refs()
 * brings them into the extent tree in that order.  Doing so changes the extent
 * tree and the free space tree themselves, whose new and old blocks are noted
 * here in turn; it ends because a block is copied once in a transaction.
 *
 * Nothing is locked: the one thread that writes uses this.
 */
#ifndef KERNEL_SHARED_DELAYED_REF_H
#define KERNEL_SHARED_DELAYED_REF_H

#include "common/rbtree.h"
#include "kernel-shared/fs.h"

struct btrfs_trans_handle;

/*
 * One reference to an extent, as those who add or drop it name it.  Of a tree
 * block: @parent (a shared reference, by the address of the block that points
 * to it) or, when that is 0, @ref_root.  Of data: @parent, a leaf, or else
 * @ref_root with @ino and @offset (file offset of the extent's first byte, that
 * is the key's offset less the item's "offset"; it may be "negative").
 */
struct btrfs_ref {
	u64 bytenr;
	u64 num_bytes;
	u64 parent;
	u64 ref_root;
	u64 owning_root;	/* who is charged for a new extent (simple quotas); 0: ref_root */
	u64 ino;		/* data only */
	u64 offset;		/* data only */
	u8 level;		/* tree blocks only */
	bool is_data;
};

static inline void btrfs_init_tree_ref(struct btrfs_ref *ref, u64 bytenr, u64 num_bytes, u64 parent,
				       u64 ref_root, u8 level)
{
	*ref = (struct btrfs_ref){ .bytenr = bytenr, .num_bytes = num_bytes, .parent = parent,
				   .ref_root = ref_root, .level = level };
}

static inline void btrfs_init_data_ref(struct btrfs_ref *ref, u64 bytenr, u64 num_bytes, u64 parent,
				       u64 ref_root, u64 ino, u64 offset)
{
	*ref = (struct btrfs_ref){ .bytenr = bytenr, .num_bytes = num_bytes, .parent = parent,
				   .ref_root = ref_root, .ino = ino, .offset = offset,
				   .is_data = true };
}

/* A change of an extent item beside its references. */
struct btrfs_delayed_extent_op {
	struct btrfs_disk_key key;	/* first key of a tree block; without skinny metadata */
	u64 flags_to_set;
	bool update_key;
	bool update_flags;
};

/* All that is to be done about one reference; the sum of what was noted. */
struct btrfs_delayed_ref_node {
	struct rb_node node;		/* in the head, by type, parent or root, ino, offset */
	u8 type;			/* the key type of such a reference */
	u64 parent;			/* shared types; else 0 */
	u64 ref_root;			/* the others; 0 for shared types */
	u64 ino;
	u64 offset;
	s64 ref_mod;			/* added less dropped, never 0 */
};

struct btrfs_delayed_ref_head {
	struct rb_node node;		/* by bytenr */
	u64 bytenr;
	u64 num_bytes;
	struct rb_root refs;
	s64 ref_mod;			/* sum over refs */
	u64 owning_root;		/* of an extent that is new */
	struct btrfs_delayed_extent_op extent_op;
	u8 level;
	bool is_data;
	bool must_insert_reserved;	/* the extent is new: its space is reserved, no item yet */
};

struct btrfs_delayed_ref_root {
	struct rb_root heads;
	u64 nr_heads;
	bool running;			/* inside btrfs_run_delayed_refs() */
};

/*
 * Note one more (one less) reference.  @op may be NULL; it is merged into what
 * the head has.  btrfs_add_new_*: the reference comes with the extent itself,
 * whose space has been taken by btrfs_reserve_extent() or the like.
 * -ENOMEM; -EUCLEAN: contradicts what has been noted (told).
 */
int btrfs_add_delayed_tree_ref(struct btrfs_trans_handle *trans, const struct btrfs_ref *ref,
			       bool drop);
int btrfs_add_delayed_data_ref(struct btrfs_trans_handle *trans, const struct btrfs_ref *ref,
			       bool drop);
int btrfs_add_new_tree_ref(struct btrfs_trans_handle *trans, const struct btrfs_ref *ref,
			   const struct btrfs_delayed_extent_op *op);
int btrfs_add_new_data_ref(struct btrfs_trans_handle *trans, const struct btrfs_ref *ref);
/* Note flags to be set in the extent item of the tree block at @bytenr. */
int btrfs_add_delayed_extent_op(struct btrfs_trans_handle *trans, u64 bytenr, u64 num_bytes,
				u8 level, const struct btrfs_delayed_extent_op *op);

/* What has been noted about the extent at @bytenr; NULL: nothing. */
struct btrfs_delayed_ref_head *btrfs_find_delayed_ref_head(const struct btrfs_fs_info *fs_info,
							   u64 bytenr);
/*
 * A new extent of which every reference has been dropped again before any of it
 * reached the extent tree: forget it.  False when it is not that, or has
 * something left to be done.  Its space is the caller's to give back.
 */
bool btrfs_forget_new_extent(struct btrfs_trans_handle *trans, u64 bytenr);

/*
 * Bring notes into the extent tree, in order of addresses.  @min_bytes 0: those
 * that are there now (what is noted meanwhile stays); a number: until about as
 * many bytes of extents were dealt with; (u64)-1: until nothing is left.
 *
 * Also inserts the items of chunks that were allocated meanwhile.  Must not be
 * called from inside a tree operation.  -ENOSPC, -EUCLEAN (the extent tree
 * lacks what is to be dropped: told), -EIO, -ENOMEM: the transaction has to be
 * aborted.
 */
int btrfs_run_delayed_refs(struct btrfs_trans_handle *trans, u64 min_bytes);
bool btrfs_has_delayed_refs(const struct btrfs_fs_info *fs_info);

/* fs_info->delayed_refs, for opening for writing and closing; what is noted is lost. */
int btrfs_init_delayed_refs(struct btrfs_fs_info *fs_info);
void btrfs_destroy_delayed_refs(struct btrfs_fs_info *fs_info);

/* For delayed-ref.c: see extent-tree.c. */
int btrfs_run_delayed_ref_head(struct btrfs_trans_handle *trans,
			       struct btrfs_delayed_ref_head *head);

#endif
