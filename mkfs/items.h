/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Items that are gathered in any order and become a tree when all are known.
 */
#ifndef MKFS_ITEMS_H
#define MKFS_ITEMS_H

#include "common/vec.h"
#include "kernel-shared/tree-builder.h"

struct mkfs_items {
	struct vec items;	/* of struct mkfs_item */
	struct vec bytes;	/* their contents */
};

void mkfs_items_init(struct mkfs_items *items);
void mkfs_items_free(struct mkfs_items *items);
void mkfs_items_clear(struct mkfs_items *items);

/* Remember an item with a copy of its content.  -ENOMEM. */
int mkfs_items_add(struct mkfs_items *items, u64 objectid, u8 type, u64 offset, const void *data,
		   u32 size);
/* Hand all to @builder by key. */
int mkfs_items_build(struct mkfs_items *items, struct btrfs_tree_builder *builder);

#endif
