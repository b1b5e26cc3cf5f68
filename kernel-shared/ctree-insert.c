// SPDX-License-Identifier: GPL-2.0-only
/*
 * New items, items that grow or shrink, and items with another key.
 */
#include <errno.h>
#include <stdlib.h>

#include "common/message.h"
#include "kernel-shared/ctree-internal.h"

static u32 batch_bytes(const struct btrfs_item_batch *batch)
{
	u32 bytes = 0;

	for (u32 i = 0; i < batch->nr; i++)
		bytes += batch->data_sizes[i];
	return bytes;
}

void btrfs_setup_items_for_insert(struct btrfs_path *path, const struct btrfs_item_batch *batch)
{
	struct extent_buffer *leaf = path->nodes[0];
	u32 slot = path->slots[0];
	u32 top = btrfs_leaf_open_gap(leaf, slot, batch->nr, batch_bytes(batch));
	struct btrfs_disk_key key;

	for (u32 i = 0; i < batch->nr; i++) {
		top -= batch->data_sizes[i];
		btrfs_cpu_key_to_disk(&key, &batch->keys[i]);
		btrfs_set_item_key(leaf, &key, slot + i);
		btrfs_set_item_offset(leaf, slot + i, top);
		btrfs_set_item_size(leaf, slot + i, batch->data_sizes[i]);
	}
	if (slot == 0) {
		btrfs_cpu_key_to_disk(&key, &batch->keys[0]);
		btrfs_fixup_low_keys(path, &key, 1);
	}
}

int btrfs_insert_empty_items(struct btrfs_trans_handle *trans, struct btrfs_root *root,
			     struct btrfs_path *path, const struct btrfs_item_batch *batch)
{
	u64 bytes = batch->nr * (u64)sizeof(struct btrfs_item);
	int ret;

	for (u32 i = 0; i < batch->nr; i++)
		bytes += batch->data_sizes[i];
	if (bytes > trans->fs_info->nodesize) {
		btrfs_release_path(path);
		return -EOVERFLOW;
	}
	ret = btrfs_search_slot_cow(trans, root, &batch->keys[0], path, (int)bytes);
	if (ret < 0)
		return ret;
	if (ret == 0) {
		btrfs_release_path(path);
		return -EEXIST;
	}
	btrfs_setup_items_for_insert(path, batch);
	return 0;
}

int btrfs_insert_empty_item(struct btrfs_trans_handle *trans, struct btrfs_root *root,
			    struct btrfs_path *path, const struct btrfs_key *key, u32 data_size)
{
	const struct btrfs_item_batch batch = { .keys = key, .data_sizes = &data_size, .nr = 1 };

	return btrfs_insert_empty_items(trans, root, path, &batch);
}

int btrfs_insert_item(struct btrfs_trans_handle *trans, struct btrfs_root *root,
		      const struct btrfs_key *key, const void *data, u32 data_size)
{
	struct btrfs_path path = { 0 };
	int ret = btrfs_insert_empty_item(trans, root, &path, key, data_size);

	if (ret)
		return ret;
	write_extent_buffer(path.nodes[0], data, btrfs_item_data_mut(path.nodes[0], path.slots[0]),
			    data_size);
	btrfs_release_path(&path);
	return 0;
}

/* ---- changing the size ---- */

/* Move the data that lies below @from_top by @by bytes, > 0 is towards the front of the leaf. */
static void shift_data(struct extent_buffer *leaf, u32 slot, u32 from_top, s32 by)
{
	u8 *data = leaf->data + sizeof(struct btrfs_header);
	u32 end = btrfs_leaf_data_end(leaf);

	memmove_extent_buffer(leaf, data + end - by, data + end, from_top - end);
	for (u32 i = slot; i < leaf->nritems; i++)
		btrfs_set_item_offset(leaf, i, btrfs_item_offset(leaf, i) - (u32)by);
}

void btrfs_extend_item(struct btrfs_path *path, u32 by)
{
	struct extent_buffer *leaf = path->nodes[0];
	u32 slot = path->slots[0];

	shift_data(leaf, slot, btrfs_leaf_data_top(leaf, slot), (s32)by);
	btrfs_set_item_size(leaf, slot, btrfs_item_size(leaf, slot) + by);
}

void btrfs_truncate_item(struct btrfs_path *path, u32 new_size, bool from_end)
{
	struct extent_buffer *leaf = path->nodes[0];
	u32 slot = path->slots[0], size = btrfs_item_size(leaf, slot);
	u32 cut;

	if (new_size >= size)
		return;
	cut = size - new_size;
	/* What stays ends where the item's data has to end; what is below follows. */
	shift_data(leaf, slot, btrfs_item_offset(leaf, slot) + (from_end ? new_size : 0),
		   -(s32)cut);
	btrfs_set_item_size(leaf, slot, new_size);
}

/* ---- two items from one ---- */

/*
 * Room for a further item of @bytes behind the one at @path, which is searched
 * anew if the leaf is too full.
 */
static int make_room_behind(struct btrfs_trans_handle *trans, struct btrfs_root *root,
			    struct btrfs_path *path, u32 bytes)
{
	struct btrfs_key key;
	int ret;

	if (btrfs_leaf_free_space(path->nodes[0]) >= bytes)
		return 0;
	btrfs_item_key_to_cpu(path->nodes[0], &key, path->slots[0]);
	path->search_for_extension = true;
	ret = btrfs_search_slot_cow(trans, root, &key, path, (int)bytes);
	path->search_for_extension = false;
	if (ret > 0) {
		btrfs_release_path(path);
		return -EAGAIN;
	}
	return ret;
}

/* Data of the later of two items stands lower: what was first in one item is now last. */
static int swap_halves(struct extent_buffer *leaf, u32 offset, u32 size, u32 first_size)
{
	u8 *data = leaf->data + sizeof(struct btrfs_header) + offset;
	u8 *copy = malloc(size);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, data, size);
	write_extent_buffer(leaf, copy + first_size, data, size - first_size);
	write_extent_buffer(leaf, copy, data + size - first_size, first_size);
	free(copy);
	return 0;
}

int btrfs_split_item(struct btrfs_trans_handle *trans, struct btrfs_root *root,
		     struct btrfs_path *path, const struct btrfs_key *new_key, u32 split_offset)
{
	struct extent_buffer *leaf;
	struct btrfs_disk_key key;
	u32 slot, size, offset;
	int ret;

	ret = make_room_behind(trans, root, path, sizeof(struct btrfs_item));
	if (ret)
		return ret;
	leaf = path->nodes[0];
	slot = path->slots[0];
	size = btrfs_item_size(leaf, slot);
	offset = btrfs_item_offset(leaf, slot);
	if (split_offset == 0 || split_offset >= size) {
		btrfs_release_path(path);
		return -EINVAL;
	}
	ret = swap_halves(leaf, offset, size, split_offset);
	if (ret) {
		btrfs_release_path(path);
		return ret;
	}
	btrfs_leaf_open_gap(leaf, slot + 1, 1, 0);
	btrfs_cpu_key_to_disk(&key, new_key);
	btrfs_set_item_key(leaf, &key, slot + 1);
	btrfs_set_item_offset(leaf, slot, offset + size - split_offset);
	btrfs_set_item_size(leaf, slot, split_offset);
	btrfs_set_item_offset(leaf, slot + 1, offset);
	btrfs_set_item_size(leaf, slot + 1, size - split_offset);
	return 0;
}

int btrfs_duplicate_item(struct btrfs_trans_handle *trans, struct btrfs_root *root,
			 struct btrfs_path *path, const struct btrfs_key *new_key)
{
	u32 size = btrfs_item_size(path->nodes[0], path->slots[0]);
	const struct btrfs_item_batch batch = { .keys = new_key, .data_sizes = &size, .nr = 1 };
	struct extent_buffer *leaf;
	int ret = make_room_behind(trans, root, path, size + (u32)sizeof(struct btrfs_item));

	if (ret)
		return ret;
	path->slots[0]++;
	btrfs_setup_items_for_insert(path, &batch);
	leaf = path->nodes[0];
	write_extent_buffer(leaf, btrfs_item_data(leaf, path->slots[0] - 1),
			    btrfs_item_data_mut(leaf, path->slots[0]), size);
	return 0;
}

/* ---- another key ---- */

int btrfs_set_item_key_safe(struct btrfs_path *path, const struct btrfs_key *key)
{
	struct extent_buffer *leaf = path->nodes[0];
	struct btrfs_disk_key disk_key;
	u32 slot = path->slots[0];
	struct btrfs_key other;
	bool ok = true;

	if (slot > 0) {
		btrfs_item_key_to_cpu(leaf, &other, slot - 1);
		ok = btrfs_comp_cpu_keys(&other, key) < 0;
	}
	if (ok && slot + 1 < leaf->nritems) {
		btrfs_item_key_to_cpu(leaf, &other, slot + 1);
		ok = btrfs_comp_cpu_keys(key, &other) < 0;
	}
	if (!ok) {
		error("leaf at %llu: the item in slot %u cannot get the key " BTRFS_KEY_FMT
		      " and stay in order", leaf->start, slot, BTRFS_KEY_ARGS(key));
		return -EUCLEAN;
	}
	btrfs_cpu_key_to_disk(&disk_key, key);
	btrfs_set_item_key(leaf, &disk_key, slot);
	if (slot == 0)
		btrfs_fixup_low_keys(path, &disk_key, 1);
	return 0;
}
