// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changing directory entries and extended attributes, which share an item
 * format: all names of one hash stand in one item, one behind the other.
 */
#include <errno.h>

#include "kernel-shared/accessors-set.h"
#include "kernel-shared/ctree.h"
#include "kernel-shared/dir-item.h"
#include "kernel-shared/transaction.h"

/* Index 0 and 1 are for the "." and ".." that no item stands for. */
#define FIRST_DIR_INDEX		2U

int btrfs_next_dir_index(struct btrfs_root *root, u64 dir, u64 *index)
{
	struct btrfs_key key = { dir, BTRFS_DIR_INDEX_KEY, (u64)-1 };
	struct btrfs_path path = { 0 };
	int ret = btrfs_search_slot_for_read(root, &key, &path, true);

	*index = FIRST_DIR_INDEX;
	if (ret == 0) {
		btrfs_item_key_to_cpu(path.nodes[0], &key, path.slots[0]);
		if (key.objectid == dir && key.type == BTRFS_DIR_INDEX_KEY) {
			*index = key.offset + 1;
			ret = key.offset == (u64)-1 ? -ENOSPC : 0;
		}
	}
	btrfs_release_path(&path);
	return min(ret, 0);
}

/* One name with what belongs to it. */
struct dir_name {
	const void *name;
	size_t name_len;
	const void *data;
	size_t data_len;
	struct btrfs_key location;
	u8 type;
};

static u32 entry_size(const struct dir_name *entry)
{
	return (u32)(sizeof(struct btrfs_dir_item) + entry->name_len + entry->data_len);
}

/* Where in the item the name stands, and how many bytes it takes.  -ENOENT. */
static int find_entry(const struct extent_buffer *leaf, u32 slot, const struct dir_name *entry,
		      u32 *found_at, u32 *found_size)
{
	const u8 *item = btrfs_item_data(leaf, slot);
	u32 size = btrfs_item_size(leaf, slot);

	if (!eb_holds(leaf, item, size))
		return -EUCLEAN;
	for (u32 at = 0; at + sizeof(struct btrfs_dir_item) <= size;) {
		const struct btrfs_dir_item *di = (const void *)(item + at);
		u32 name_len = btrfs_dir_name_len(leaf, di);
		u32 need = (u32)sizeof(*di) + name_len + btrfs_dir_data_len(leaf, di);

		if (need > size - at)
			return -EUCLEAN;
		if (name_len == entry->name_len && memcmp(di + 1, entry->name, name_len) == 0) {
			*found_at = at;
			*found_size = need;
			return 0;
		}
		at += need;
	}
	return -ENOENT;
}

static void write_entry(struct extent_buffer *leaf, u8 *at, const struct dir_name *entry,
			u64 transid)
{
	struct btrfs_dir_item *di = (void *)at;
	struct btrfs_disk_key location;

	btrfs_cpu_key_to_disk(&location, &entry->location);
	btrfs_set_dir_item_key(leaf, di, &location);
	btrfs_set_dir_transid(leaf, di, transid);
	btrfs_set_dir_data_len(leaf, di, (u16)entry->data_len);
	btrfs_set_dir_name_len(leaf, di, (u16)entry->name_len);
	btrfs_set_dir_flags(leaf, di, entry->type);
	write_extent_buffer(leaf, entry->name, di + 1, entry->name_len);
	write_extent_buffer(leaf, entry->data, (u8 *)(di + 1) + entry->name_len, entry->data_len);
}

/* Into the item with @key, which may have other names already. */
static int insert_entry(struct btrfs_trans_handle *trans, struct btrfs_root *root,
			const struct btrfs_key *key, const struct dir_name *entry)
{
	struct btrfs_path path = { .search_for_extension = true };
	u32 bytes = entry_size(entry), old_size = 0, at, size;
	const struct btrfs_item_batch batch = { key, &bytes, 1 };
	int ret;

	ret = btrfs_search_slot_cow(trans, root, key, &path,
				    (int)(bytes + sizeof(struct btrfs_item)));
	if (ret < 0)
		return ret;
	if (ret == 0) {
		ret = find_entry(path.nodes[0], path.slots[0], entry, &at, &size);
		if (ret != -ENOENT) {
			btrfs_release_path(&path);
			return ret ? ret : -EEXIST;
		}
		old_size = btrfs_item_size(path.nodes[0], path.slots[0]);
		btrfs_extend_item(&path, bytes);
	} else {
		btrfs_setup_items_for_insert(&path, &batch);
	}
	write_entry(path.nodes[0],
		    (u8 *)btrfs_item_data_mut(path.nodes[0], path.slots[0]) + old_size, entry,
		    trans->transid);
	btrfs_release_path(&path);
	return 0;
}

static int delete_entry(struct btrfs_trans_handle *trans, struct btrfs_root *root,
			const struct btrfs_key *key, const struct dir_name *entry)
{
	struct btrfs_path path = { 0 };
	u32 at, size, item_size;
	int ret = btrfs_search_slot_cow(trans, root, key, &path, -1);

	if (ret == 0)
		ret = find_entry(path.nodes[0], path.slots[0], entry, &at, &size);
	else if (ret > 0)
		ret = -ENOENT;
	if (ret)
		goto out;
	item_size = btrfs_item_size(path.nodes[0], path.slots[0]);
	if (size == item_size) {
		ret = btrfs_del_item(trans, root, &path);
	} else {
		u8 *data = btrfs_item_data_mut(path.nodes[0], path.slots[0]);

		memmove_extent_buffer(path.nodes[0], data + at, data + at + size,
				      item_size - at - size);
		btrfs_truncate_item(&path, item_size - size, true);
	}
out:
	btrfs_release_path(&path);
	return ret;
}

/* ---- directories ---- */

int btrfs_insert_dir_entry(struct btrfs_trans_handle *trans, struct btrfs_root *root, u64 dir,
			   const void *name, size_t name_len, const struct btrfs_key *location,
			   u8 ftype, u64 index)
{
	const struct btrfs_key item_key = {
		dir, BTRFS_DIR_ITEM_KEY, btrfs_name_hash(name, name_len)
	};
	const struct btrfs_key index_key = { dir, BTRFS_DIR_INDEX_KEY, index };
	const struct dir_name entry = {
		.name = name, .name_len = name_len, .location = *location, .type = ftype,
	};
	int ret = insert_entry(trans, root, &item_key, &entry);

	if (ret)
		return ret;
	ret = insert_entry(trans, root, &index_key, &entry);
	if (ret)
		btrfs_abort_transaction(trans, ret);
	return ret;
}

int btrfs_delete_dir_entry(struct btrfs_trans_handle *trans, struct btrfs_root *root, u64 dir,
			   const void *name, size_t name_len, u64 index)
{
	const struct btrfs_key item_key = {
		dir, BTRFS_DIR_ITEM_KEY, btrfs_name_hash(name, name_len)
	};
	const struct btrfs_key index_key = { dir, BTRFS_DIR_INDEX_KEY, index };
	const struct dir_name entry = { .name = name, .name_len = name_len };
	int ret = delete_entry(trans, root, &item_key, &entry);

	if (ret)
		return ret;
	ret = delete_entry(trans, root, &index_key, &entry);
	if (ret)
		btrfs_abort_transaction(trans, ret);
	return ret;
}

/* ---- extended attributes ---- */

int btrfs_del_xattr(struct btrfs_trans_handle *trans, struct btrfs_root *root, u64 ino,
		    const void *name, size_t name_len)
{
	const struct btrfs_key key = { ino, BTRFS_XATTR_ITEM_KEY, btrfs_name_hash(name, name_len) };
	const struct dir_name entry = { .name = name, .name_len = name_len };

	return delete_entry(trans, root, &key, &entry);
}

int btrfs_set_xattr(struct btrfs_trans_handle *trans, struct btrfs_root *root, u64 ino,
		    const void *name, size_t name_len, const void *value, size_t size)
{
	const struct btrfs_key key = { ino, BTRFS_XATTR_ITEM_KEY, btrfs_name_hash(name, name_len) };
	const struct dir_name entry = {
		.name = name, .name_len = name_len, .data = value, .data_len = size,
		.type = BTRFS_FT_XATTR,
	};
	int ret;

	if (sizeof(struct btrfs_dir_item) + name_len + size + sizeof(struct btrfs_item) >
	    trans->fs_info->nodesize - sizeof(struct btrfs_header))
		return -ENOSPC;
	ret = btrfs_del_xattr(trans, root, ino, name, name_len);
	if (ret == -ENOENT)
		return insert_entry(trans, root, &key, &entry);
	if (ret)
		return ret;
	ret = insert_entry(trans, root, &key, &entry);
	if (ret)	/* the old value is gone */
		btrfs_abort_transaction(trans, ret);
	return ret;
}
