// SPDX-License-Identifier: GPL-2.0-only
/*
 * Directory entries and xattrs.  An item holds all names of one directory (or
 * inode) that share a hash, one after the other.  The tree-checker has seen
 * that the entries fit the item; the walk here keeps inside it all the same.
 */
#include "kernel-shared/dir-item.h"

#include <errno.h>

#include "common/hash.h"
#include "kernel-shared/ctree.h"

u64 btrfs_name_hash(const void *name, size_t len)
{
	return crc32c(~1U, name, len);
}

u64 btrfs_extref_hash(u64 parent_objectid, const void *name, size_t len)
{
	/* The lower half of the inode number is the seed. */
	return crc32c((u32)parent_objectid, name, len);
}

int btrfs_for_each_dir_entry(const struct extent_buffer *leaf, u32 slot, btrfs_dir_item_fn fn,
			     void *ctx)
{
	const char *item = btrfs_item_data(leaf, slot);
	size_t size = btrfs_item_size(leaf, slot);
	size_t at = 0;

	if (!eb_holds(leaf, item, size))
		return -EUCLEAN;
	while (at < size) {
		const struct btrfs_dir_item *di = (const void *)(item + at);
		const char *name = (const char *)(di + 1);
		size_t need;
		u16 name_len, data_len;
		int ret;

		if (size - at < sizeof(*di))
			return -EUCLEAN;
		name_len = btrfs_dir_name_len(leaf, di);
		data_len = btrfs_dir_data_len(leaf, di);
		need = sizeof(*di) + name_len + data_len;
		if (size - at < need)
			return -EUCLEAN;
		ret = fn(leaf, di, name, name_len, name + name_len, data_len, ctx);
		if (ret)
			return ret;
		at += need;
	}
	return 0;
}

struct name_match {
	const void *name;
	size_t len;
	struct btrfs_key *location;
	u8 *ftype;
};

/* 1 ends the walk: found. */
static int match_name(const struct extent_buffer *leaf, const struct btrfs_dir_item *di,
		      const char *name, u16 name_len, const void *data, u16 data_len, void *ctx)
{
	const struct name_match *wanted = ctx;

	(void)data;
	(void)data_len;
	if (name_len != wanted->len || memcmp(name, wanted->name, name_len) != 0)
		return 0;
	btrfs_dir_item_key_to_cpu(leaf, di, wanted->location);
	if (wanted->ftype)
		*wanted->ftype = btrfs_dir_ftype(leaf, di);
	return 1;
}

int btrfs_lookup_dir_item(struct btrfs_root *root, u64 dir, const void *name, size_t len,
			  struct btrfs_key *location, u8 *ftype)
{
	const struct btrfs_key key = {
		.objectid = dir,
		.type = BTRFS_DIR_ITEM_KEY,
		.offset = btrfs_name_hash(name, len),
	};
	struct name_match wanted = {
		.name = name,
		.len = len,
		.location = location,
		.ftype = ftype,
	};
	struct btrfs_path path = { 0 };
	int ret;

	ret = btrfs_search_slot(root, &key, &path);
	if (ret < 0)
		return ret;
	if (ret == 0) {
		ret = btrfs_for_each_dir_entry(path.nodes[0], path.slots[0], match_name, &wanted);
		if (ret == 0)
			ret = -ENOENT;
		else if (ret == 1)
			ret = 0;
	} else {
		ret = -ENOENT;
	}
	btrfs_release_path(&path);
	return ret;
}
