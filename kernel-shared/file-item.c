// SPDX-License-Identifier: GPL-2.0-only
/*
 * File extent items and the checksum tree.
 */
#include "kernel-shared/file-item.h"

#include <errno.h>

#include "kernel-shared/root-tree.h"

u64 btrfs_file_extent_end(const struct extent_buffer *leaf, u32 slot)
{
	const struct btrfs_file_extent_item *fi =
		btrfs_item_ptr(leaf, slot, struct btrfs_file_extent_item);
	struct btrfs_key key;

	btrfs_item_key_to_cpu(leaf, &key, slot);
	if (btrfs_file_extent_type(leaf, fi) == BTRFS_FILE_EXTENT_INLINE)
		return round_up(key.offset + btrfs_file_extent_ram_bytes(leaf, fi),
				leaf->fs_info->sectorsize);
	return key.offset + btrfs_file_extent_num_bytes(leaf, fi);
}

/* Take what the item at @path holds of the wanted range; *@item_end is where it ends. */
static void copy_csums(const struct btrfs_path *path, const struct btrfs_key *key, u64 logical,
		       u32 nr, u8 *csums, bool *have, u64 *item_end)
{
	const struct extent_buffer *leaf = path->nodes[0];
	const struct btrfs_fs_info *fs_info = leaf->fs_info;
	const u8 *data = btrfs_item_data(leaf, path->slots[0]);
	u32 csum_size = fs_info->csum_size;
	u64 nr_in_item = btrfs_item_size(leaf, path->slots[0]) / csum_size;
	u64 end = logical + ((u64)nr << fs_info->sectorsize_bits);
	u64 from, to;

	*item_end = key->offset + (nr_in_item << fs_info->sectorsize_bits);
	from = max(logical, key->offset);
	to = min(end, *item_end);
	if (from >= to)
		return;
	nr = (u32)((to - from) >> fs_info->sectorsize_bits);
	memcpy(csums + ((from - logical) >> fs_info->sectorsize_bits) * csum_size,
	       data + ((from - key->offset) >> fs_info->sectorsize_bits) * csum_size,
	       (size_t)nr * csum_size);
	memset(have + ((from - logical) >> fs_info->sectorsize_bits), true, nr);
}

int btrfs_lookup_csums(struct btrfs_fs_info *fs_info, struct btrfs_path *path, u64 logical,
		       u32 nr, u8 *csums, bool *have)
{
	struct btrfs_key key = { BTRFS_EXTENT_CSUM_OBJECTID, BTRFS_EXTENT_CSUM_KEY, logical };
	u64 end = logical + ((u64)nr << fs_info->sectorsize_bits);
	u64 item_end = 0;
	int ret;

	memset(have, false, nr);
	if (!fs_info->csum_root) {
		ret = btrfs_missing_root_error(fs_info, BTRFS_CSUM_TREE_OBJECTID);
		return ret == -ENOENT ? 0 : ret;
	}
	ret = btrfs_search_slot(fs_info->csum_root, &key, path);
	if (ret < 0)
		return ret;
	/* The item that holds @logical may well start before it. */
	if (ret > 0 && path->slots[0] > 0)
		path->slots[0]--;
	else if (ret > 0)
		ret = btrfs_previous_item(fs_info->csum_root, path);
	if (ret < 0)
		return ret;
	if (path->slots[0] >= path->nodes[0]->nritems)	/* an empty tree */
		return 0;
	while (item_end < end) {
		btrfs_item_key_to_cpu(path->nodes[0], &key, path->slots[0]);
		if (key.objectid > BTRFS_EXTENT_CSUM_OBJECTID || key.offset >= end)
			break;
		if (key.objectid == BTRFS_EXTENT_CSUM_OBJECTID && key.type == BTRFS_EXTENT_CSUM_KEY)
			copy_csums(path, &key, logical, nr, csums, have, &item_end);
		if (item_end >= end)
			break;
		ret = btrfs_next_item(fs_info->csum_root, path);
		if (ret)
			return min(ret, 0);
	}
	return 0;
}
