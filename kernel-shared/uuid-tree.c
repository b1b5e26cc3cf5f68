// SPDX-License-Identifier: GPL-2.0-only
/*
 * The uuid tree: its keys are the two halves of a UUID, its items the ids of
 * the subvolumes that have it.  The kernel keeps it as an index that can be
 * rebuilt, and a mount by a kernel that does not know it leaves it stale; so it
 * is trusted only at the superblock's generation, and never against a root item.
 */
#include "kernel-shared/uuid-tree.h"

#include <errno.h>

#include "common/message.h"
#include "common/vec.h"
#include "kernel-shared/ctree.h"
#include "kernel-shared/root-tree.h"

struct uuid_walk {
	const u8 *uuid;
	u8 type;
	btrfs_uuid_fn fn;
	void *ctx;
};

static int visit_if_it_matches(struct btrfs_fs_info *fs_info, const struct uuid_walk *walk,
			       u64 subvolid, const struct btrfs_root_item *item)
{
	const u8 *has = walk->type == BTRFS_UUID_KEY_SUBVOL ? item->uuid : item->received_uuid;

	if (!btrfs_is_fstree(subvolid) || item->refs == 0 ||
	    memcmp(has, walk->uuid, BTRFS_UUID_SIZE) != 0)
		return 0;
	return walk->fn(fs_info, subvolid, item, walk->ctx);
}

static bool uuid_tree_is_current(const struct btrfs_fs_info *fs_info)
{
	const struct btrfs_super_block *sb = &fs_info->super_copy;

	return fs_info->uuid_root && sb->uuid_tree_generation == sb->generation;
}

/* The ids that the uuid tree has, copied, as the visitor may search trees, too. */
static int read_uuid_item(struct btrfs_fs_info *fs_info, const struct uuid_walk *walk,
			  struct vec *ids)
{
	const struct btrfs_key key = {
		.objectid = get_unaligned_le64(walk->uuid),
		.type = walk->type,
		.offset = get_unaligned_le64(walk->uuid + sizeof(u64)),
	};
	struct btrfs_path path = { 0 };
	const u8 *data;
	u32 size;
	int ret;

	ret = btrfs_search_slot(fs_info->uuid_root, &key, &path);
	if (ret < 0)
		return ret;
	if (ret == 0) {
		data = btrfs_item_data(path.nodes[0], path.slots[0]);
		size = btrfs_item_size(path.nodes[0], path.slots[0]);
		if (!eb_holds(path.nodes[0], data, size))
			ret = -EUCLEAN;
		for (u32 at = 0; !ret && at + sizeof(u64) <= size; at += sizeof(u64)) {
			u64 id = get_unaligned_le64(data + at);

			ret = vec_push_copy(ids, &id);
		}
	} else {
		ret = 0;
	}
	btrfs_release_path(&path);
	return ret;
}

static int visit_ids(struct btrfs_fs_info *fs_info, const struct uuid_walk *walk,
		     const struct vec *ids)
{
	struct btrfs_root_item item;
	const u64 *id;
	int ret;

	vec_for_each(ids, id) {
		ret = btrfs_find_root_item(fs_info, *id, NULL, &item);
		if (ret == 0)
			ret = visit_if_it_matches(fs_info, walk, *id, &item);
		else if (ret == -ENOENT)
			ret = 0;
		if (ret)
			return ret;
	}
	return 0;
}

static int scan_item(struct btrfs_root *root, const struct extent_buffer *leaf, u32 slot,
		     const struct btrfs_key *key, void *ctx)
{
	struct btrfs_root_item item;

	if (key->type != BTRFS_ROOT_ITEM_KEY)
		return 0;
	btrfs_read_root_item(leaf, slot, &item);
	return visit_if_it_matches(root->fs_info, ctx, key->objectid, &item);
}

static int scan_root_tree(struct btrfs_fs_info *fs_info, struct uuid_walk *walk)
{
	const struct btrfs_key first = { .objectid = BTRFS_FS_TREE_OBJECTID };
	const struct btrfs_key last = {
		.objectid = BTRFS_LAST_FREE_OBJECTID,
		.type = UINT8_MAX,
		.offset = UINT64_MAX,
	};

	return btrfs_for_each_item(fs_info->tree_root, &first, &last, scan_item, walk);
}

int btrfs_for_each_uuid(struct btrfs_fs_info *fs_info, const u8 *uuid, u8 type, btrfs_uuid_fn fn,
			void *ctx)
{
	struct uuid_walk walk = { .uuid = uuid, .type = type, .fn = fn, .ctx = ctx };
	struct vec ids = VEC_INIT(u64);
	int ret;

	if (!uuid_tree_is_current(fs_info))
		return scan_root_tree(fs_info, &walk);
	ret = read_uuid_item(fs_info, &walk, &ids);
	if (ret == 0) {
		ret = visit_ids(fs_info, &walk, &ids);
	} else if (ret == -EIO || ret == -EUCLEAN) {
		warning("the uuid tree cannot be read: looking through all subvolumes instead");
		ret = scan_root_tree(fs_info, &walk);
	}
	vec_free(&ids);
	return ret;
}

/* 1 ends the walk: found. */
static int take_first(struct btrfs_fs_info *fs_info, u64 subvolid,
		      const struct btrfs_root_item *item, void *ctx)
{
	(void)fs_info;
	(void)item;
	*(u64 *)ctx = subvolid;
	return 1;
}

static int find_first(struct btrfs_fs_info *fs_info, const u8 *uuid, u8 type, u64 *subvolid)
{
	int ret = btrfs_for_each_uuid(fs_info, uuid, type, take_first, subvolid);

	if (ret == 0)
		return -ENOENT;
	return ret < 0 ? ret : 0;
}

int btrfs_find_subvol_by_uuid(struct btrfs_fs_info *fs_info, const u8 *uuid, u64 *subvolid)
{
	return find_first(fs_info, uuid, BTRFS_UUID_KEY_SUBVOL, subvolid);
}

int btrfs_find_subvol_by_received_uuid(struct btrfs_fs_info *fs_info, const u8 *uuid,
				       u64 *subvolid)
{
	return find_first(fs_info, uuid, BTRFS_UUID_KEY_RECEIVED_SUBVOL, subvolid);
}
