// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changing the uuid tree: an item for each uuid, with the ids of all the
 * subvolumes that have it.
 */
#include <errno.h>

#include "kernel-shared/accessors-set.h"
#include "kernel-shared/ctree.h"
#include "kernel-shared/transaction.h"
#include "kernel-shared/uuid-tree.h"

static bool is_zero_uuid(const u8 *uuid)
{
	static const u8 zero[BTRFS_UUID_SIZE];

	return memcmp(uuid, zero, sizeof(zero)) == 0;
}

static struct btrfs_key uuid_key(const u8 *uuid, u8 type)
{
	return (struct btrfs_key) {
		.objectid = get_unaligned_le64(uuid),
		.type = type,
		.offset = get_unaligned_le64(uuid + sizeof(u64)),
	};
}

/* Where in the item the id stands, in bytes; its size when it does not. */
static u32 find_id(const struct btrfs_path *path, u64 subvolid)
{
	const u8 *data = btrfs_item_data(path->nodes[0], path->slots[0]);
	u32 size = btrfs_item_size(path->nodes[0], path->slots[0]);

	for (u32 at = 0; at + sizeof(u64) <= size; at += sizeof(u64)) {
		if (eb_holds(path->nodes[0], data + at, sizeof(u64)) &&
		    get_unaligned_le64(data + at) == subvolid)
			return at;
	}
	return size;
}

int btrfs_uuid_tree_add(struct btrfs_trans_handle *trans, const u8 *uuid, u8 type, u64 subvolid)
{
	struct btrfs_root *root = trans->fs_info->uuid_root;
	const struct btrfs_key key = uuid_key(uuid, type);
	const u32 bytes = sizeof(__le64);
	const struct btrfs_item_batch batch = { &key, &bytes, 1 };
	struct btrfs_path path = { .search_for_extension = true };
	__le64 id = htole64(subvolid);
	u32 at = 0;
	int ret;

	if (!root || is_zero_uuid(uuid))
		return 0;
	ret = btrfs_search_slot_cow(trans, root, &key, &path,
				    (int)(bytes + sizeof(struct btrfs_item)));
	if (ret < 0)
		return ret;
	if (ret > 0) {
		btrfs_setup_items_for_insert(&path, &batch);
	} else {
		at = find_id(&path, subvolid);
		if (at == btrfs_item_size(path.nodes[0], path.slots[0]))
			btrfs_extend_item(&path, bytes);
	}
	write_extent_buffer(path.nodes[0], &id,
			    (u8 *)btrfs_item_data_mut(path.nodes[0], path.slots[0]) + at, bytes);
	btrfs_release_path(&path);
	return 0;
}

int btrfs_uuid_tree_remove(struct btrfs_trans_handle *trans, const u8 *uuid, u8 type, u64 subvolid)
{
	struct btrfs_root *root = trans->fs_info->uuid_root;
	const struct btrfs_key key = uuid_key(uuid, type);
	struct btrfs_path path = { 0 };
	u32 at, size;
	int ret;

	if (!root || is_zero_uuid(uuid))
		return 0;
	ret = btrfs_search_slot_cow(trans, root, &key, &path, -1);
	if (ret)
		goto out;
	size = btrfs_item_size(path.nodes[0], path.slots[0]);
	at = find_id(&path, subvolid);
	if (at == size)
		goto out;
	if (size == sizeof(u64)) {
		ret = btrfs_del_item(trans, root, &path);
	} else {
		u8 *data = btrfs_item_data_mut(path.nodes[0], path.slots[0]);

		memmove_extent_buffer(path.nodes[0], data + at, data + at + sizeof(u64),
				      size - at - sizeof(u64));
		btrfs_truncate_item(&path, size - (u32)sizeof(u64), true);
	}
out:
	btrfs_release_path(&path);
	return min(ret, 0);
}
