// SPDX-License-Identifier: GPL-2.0-only
/*
 * Root items and opening trees by id.
 */
#include "kernel-shared/root-tree.h"

#include <errno.h>
#include <stdlib.h>

#include "common/message.h"
#include "kernel-shared/ctree.h"
#include "kernel-shared/disk-io.h"

void btrfs_read_root_item(const struct extent_buffer *leaf, u32 slot, struct btrfs_root_item *item)
{
	size_t size = min_t(size_t, btrfs_item_size(leaf, slot), sizeof(*item));

	memset(item, 0, sizeof(*item));
	memcpy(item, btrfs_item_data(leaf, slot), size);
	/* A kernel that knew only the short item left the rest as it was: stale, not to be used. */
	if (item->generation_v2 != item->generation)
		memset((char *)item + BTRFS_LEGACY_ROOT_ITEM_SIZE, 0,
		       sizeof(*item) - BTRFS_LEGACY_ROOT_ITEM_SIZE);
}

int btrfs_find_root_item(struct btrfs_fs_info *fs_info, u64 objectid, struct btrfs_key *ret_key,
			 struct btrfs_root_item *item)
{
	struct btrfs_key key = { objectid, BTRFS_ROOT_ITEM_KEY, (u64)-1 };
	struct btrfs_path path = { 0 };
	int ret;

	ret = btrfs_search_slot_for_read(fs_info->tree_root, &key, &path, true);
	if (ret == 0) {
		btrfs_item_key_to_cpu(path.nodes[0], &key, path.slots[0]);
		if (key.objectid != objectid || key.type != BTRFS_ROOT_ITEM_KEY)
			ret = 1;
	}
	if (ret == 0) {
		btrfs_read_root_item(path.nodes[0], path.slots[0], item);
		if (ret_key)
			*ret_key = key;
	}
	btrfs_release_path(&path);
	return ret > 0 ? -ENOENT : ret;
}

int btrfs_read_root_at(struct btrfs_fs_info *fs_info, u64 objectid, u64 bytenr, u64 transid,
		       u8 level, struct btrfs_root **ret_root)
{
	struct btrfs_tree_parent_check check = {
		.owner_root = objectid,
		.transid = transid,
		.level = level,
	};
	struct btrfs_root *root = calloc(1, sizeof(*root));
	int ret;

	if (!root)
		return -ENOMEM;
	ret = btrfs_read_tree_block(fs_info, bytenr, &check, &root->node);
	if (ret) {
		free(root);
		return ret;
	}
	root->fs_info = fs_info;
	root->root_key.objectid = objectid;
	root->root_key.type = BTRFS_ROOT_ITEM_KEY;
	root->shareable = btrfs_is_fstree(objectid) || objectid == BTRFS_TREE_RELOC_OBJECTID;
	*ret_root = root;
	return 0;
}

static int open_root_item(struct btrfs_fs_info *fs_info, const struct btrfs_key *key,
			  const struct btrfs_root_item *item, struct btrfs_root **ret_root)
{
	struct btrfs_root *root;
	int ret;

	ret = btrfs_read_root_at(fs_info, key->objectid, le64toh(item->bytenr),
				 le64toh(item->generation), item->level, &root);
	if (ret)
		return ret;
	root->root_key = *key;
	root->root_item = *item;
	*ret_root = root;
	return 0;
}

int btrfs_read_tree_root(struct btrfs_fs_info *fs_info, u64 objectid, struct btrfs_root **ret_root)
{
	struct btrfs_root_item item;
	struct btrfs_key key;
	int ret = btrfs_find_root_item(fs_info, objectid, &key, &item);

	return ret ? ret : open_root_item(fs_info, &key, &item, ret_root);
}

int btrfs_missing_root_error(struct btrfs_fs_info *fs_info, u64 objectid)
{
	struct btrfs_root *root;
	int ret = btrfs_read_tree_root(fs_info, objectid, &root);

	if (ret)
		return ret;
	/* It can be read now: the medium is not to be trusted. */
	btrfs_free_root(root);
	return -EIO;
}

void btrfs_free_root(struct btrfs_root *root)
{
	if (!root)
		return;
	free_extent_buffer(root->node);
	free(root);
}

int btrfs_get_fs_root(struct btrfs_fs_info *fs_info, u64 objectid, struct btrfs_root **ret_root)
{
	struct btrfs_root_item item;
	struct btrfs_root *root;
	struct btrfs_key key;
	int ret = 0;

	if (!btrfs_is_fstree(objectid))
		return -ENOENT;
	pthread_mutex_lock(&fs_info->roots_lock);
	root = u64_map_find(&fs_info->fs_roots, objectid);
	if (root && !root->root_item.refs) {	/* deleted since */
		root = NULL;
		ret = -ENOENT;
	}
	if (root || ret)
		goto out;
	ret = btrfs_find_root_item(fs_info, objectid, &key, &item);
	if (!ret && item.refs == 0)
		ret = -ENOENT;
	if (!ret)
		ret = open_root_item(fs_info, &key, &item, &root);
	if (!ret)
		ret = u64_map_insert(&fs_info->fs_roots, objectid, root);
	if (ret) {
		btrfs_free_root(root);
		root = NULL;
	}
out:
	pthread_mutex_unlock(&fs_info->roots_lock);
	*ret_root = root;
	return ret;
}
