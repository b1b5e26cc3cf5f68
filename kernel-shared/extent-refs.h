/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Extent items and the references in them and beside them, as they stand in
 * the extent tree: for extent-tree.c alone.
 *
 * Each function is one change of the tree with a path of its own.  -EUCLEAN
 * means that the tree is not what it should be, and has been told.
 */
#ifndef KERNEL_SHARED_EXTENT_REFS_H
#define KERNEL_SHARED_EXTENT_REFS_H

#include "kernel-shared/extent-tree.h"

/* The item of the new extent of @head with its first references, @ref. */
int btrfs_insert_extent_item(struct btrfs_trans_handle *trans,
			     const struct btrfs_delayed_ref_head *head,
			     const struct btrfs_delayed_ref_node *ref);
/* Add ref->ref_mod (positive) references to an extent that has an item. */
int btrfs_insert_extent_backref(struct btrfs_trans_handle *trans,
				const struct btrfs_delayed_ref_head *head,
				const struct btrfs_delayed_ref_node *ref);
/*
 * Take -ref->ref_mod references from it.  With the last one the item goes too,
 * and *@gone is set.
 */
int btrfs_remove_extent_backref(struct btrfs_trans_handle *trans,
				const struct btrfs_delayed_ref_head *head,
				const struct btrfs_delayed_ref_node *ref, bool *gone);
/* Apply head->extent_op to the item. */
int btrfs_run_delayed_extent_op(struct btrfs_trans_handle *trans,
				const struct btrfs_delayed_ref_head *head);

/* The root that an extent is charged to (simple quotas): of its owner reference, or 0. */
u64 btrfs_get_extent_owner_root(const struct extent_buffer *leaf, u32 slot);

#endif
