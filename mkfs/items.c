// SPDX-License-Identifier: GPL-2.0-only
/*
 * Items gathered in any order.
 */
#include "mkfs/items.h"

#include "kernel-shared/accessors.h"

struct mkfs_item {
	struct btrfs_key key;
	size_t pos;		/* in mkfs_items.bytes */
	u32 size;
};

void mkfs_items_init(struct mkfs_items *items)
{
	vec_init(&items->items, sizeof(struct mkfs_item));
	vec_init(&items->bytes, 1);
}

void mkfs_items_free(struct mkfs_items *items)
{
	vec_free(&items->items);
	vec_free(&items->bytes);
}

void mkfs_items_clear(struct mkfs_items *items)
{
	vec_clear(&items->items);
	vec_clear(&items->bytes);
}

int mkfs_items_add(struct mkfs_items *items, u64 objectid, u8 type, u64 offset, const void *data,
		   u32 size)
{
	struct mkfs_item item = {
		.key = { objectid, type, offset },
		.pos = items->bytes.nr,
		.size = size,
	};
	int ret = vec_append_bytes(&items->bytes, data, size);

	return ret ? ret : vec_push_copy(&items->items, &item);
}

static int cmp_item(const void *a, const void *b)
{
	const struct mkfs_item *x = a, *y = b;

	return btrfs_comp_cpu_keys(&x->key, &y->key);
}

int mkfs_items_build(struct mkfs_items *items, struct btrfs_tree_builder *builder)
{
	struct mkfs_item *item;
	int ret = 0;

	vec_sort(&items->items, cmp_item);
	vec_for_each(&items->items, item) {
		ret = btrfs_tree_builder_add_item(builder, &item->key,
						  (const u8 *)items->bytes.data + item->pos,
						  item->size);
		if (ret)
			break;
	}
	return ret;
}
