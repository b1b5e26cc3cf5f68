// SPDX-License-Identifier: GPL-2.0-only
/*
 * New chunks and block groups, and the end of empty ones.
 *
 * A chunk may be needed amid a change of a tree, when no tree can be changed for
 * its sake.  So it exists in memory first, where it can be allocated from at
 * once; its items are inserted at the next chance between two changes.  Nothing
 * on disk refers to it before.
 */
#include <errno.h>
#include <stdlib.h>

#include "common/message.h"
#include "kernel-shared/accessors-set.h"
#include "kernel-shared/block-group-impl.h"
#include "kernel-shared/chunk-alloc.h"
#include "kernel-shared/ctree.h"
#include "kernel-shared/extent-tree.h"
#include "kernel-shared/free-space-tree.h"
#include "kernel-shared/transaction.h"

/* ---- making ---- */

/* Kernels that do not know a profile must not mount it. */
static void set_profile_incompat(struct btrfs_fs_info *fs_info, u64 flags)
{
	if (flags & BTRFS_BLOCK_GROUP_RAID56_MASK)
		fs_info->incompat |= BTRFS_FEATURE_INCOMPAT_RAID56;
	if (flags & (BTRFS_BLOCK_GROUP_RAID1C3 | BTRFS_BLOCK_GROUP_RAID1C4))
		fs_info->incompat |= BTRFS_FEATURE_INCOMPAT_RAID1C34;
	fs_info->super_copy.incompat_flags = htole64(fs_info->incompat);
}

int btrfs_make_block_group(struct btrfs_trans_handle *trans, const struct btrfs_chunk_map *map,
			   struct btrfs_block_group **ret_group)
{
	struct btrfs_fs_info *fs_info = trans->fs_info;
	struct btrfs_block_group *group;
	int ret;

	if (map->type & BTRFS_BLOCK_GROUP_SYSTEM) {
		ret = btrfs_add_system_chunk(fs_info, &fs_info->super_copy, map);
		if (ret)
			return ret == -EFBIG ? -ENOSPC : ret;
	}
	group = btrfs_add_block_group(fs_info, map, 0);
	ret = group ? btrfs_free_space_add(&group->free_space, group->start, group->length) :
		      -ENOMEM;
	if (!ret) {
		/* Copies of the superblock may lie in the new chunk. */
		group->loaded = true;
		ret = btrfs_exclude_super_ranges(group);
	}
	if (ret) {
		if (group)
			btrfs_forget_block_group(group);
		if (map->type & BTRFS_BLOCK_GROUP_SYSTEM)
			btrfs_del_system_chunk(&fs_info->super_copy, map->logical);
		return ret;
	}
	list_add_tail(&group->new_list, &fs_info->block_groups->new);
	set_profile_incompat(fs_info, map->type);
	if (ret_group)
		*ret_group = group;
	return 0;
}

/*
 * The chunk tree lives in system chunks, and the items of a new chunk make it
 * grow.  See that there is room for that; when none can be had, perhaps
 * what is left is enough.
 */
static int ensure_system_space(struct btrfs_trans_handle *trans)
{
	struct btrfs_block_groups *groups = trans->fs_info->block_groups;
	const struct btrfs_space_info *space =
		btrfs_find_space_info(trans->fs_info, BTRFS_BLOCK_GROUP_SYSTEM);
	u64 want = 4ULL * BTRFS_MAX_LEVEL * trans->fs_info->nodesize;
	int ret;

	if (groups->allocating_system || (space && btrfs_space_free(space) >= want))
		return 0;
	groups->allocating_system = true;
	ret = btrfs_chunk_alloc(trans, BTRFS_BLOCK_GROUP_SYSTEM, NULL);
	groups->allocating_system = false;
	return ret == -ENOSPC ? 0 : ret;
}

int btrfs_chunk_alloc_profile(struct btrfs_trans_handle *trans, u64 flags,
			      struct btrfs_block_group **ret_group)
{
	struct btrfs_fs_info *fs_info = trans->fs_info;
	struct btrfs_block_groups *groups = fs_info->block_groups;
	struct btrfs_chunk_request req = { .type = flags };
	struct btrfs_chunk_map *map;
	u64 logical;
	int ret;

	if (!(flags & BTRFS_BLOCK_GROUP_SYSTEM)) {
		ret = ensure_system_space(trans);
		if (ret)
			return ret;
	}
	req.logical = logical = btrfs_next_chunk_logical(fs_info);
	ret = btrfs_plan_chunk(groups->dev_space, &req, &map);
	if (ret)
		return ret;
	ret = btrfs_add_chunk_map(fs_info, map);
	if (ret)
		return ret;
	ret = btrfs_make_block_group(trans, map, ret_group);
	if (ret) {
		btrfs_remove_chunk_map(fs_info, logical);
		btrfs_unplan_chunk(groups->dev_space, map);
	}
	return ret;
}

int btrfs_chunk_alloc(struct btrfs_trans_handle *trans, u64 type, struct btrfs_block_group **ret)
{
	struct btrfs_fs_info *fs_info = trans->fs_info;
	struct btrfs_space_info *space = btrfs_find_space_info(fs_info, type);

	if (!space && btrfs_fs_incompat(fs_info, BTRFS_FEATURE_INCOMPAT_MIXED_GROUPS) &&
	    type != BTRFS_BLOCK_GROUP_SYSTEM)
		type = BTRFS_BLOCK_GROUP_DATA | BTRFS_BLOCK_GROUP_METADATA;
	if (!space)
		space = btrfs_get_space_info(fs_info, type);
	if (!space)
		return -ENOMEM;
	return btrfs_chunk_alloc_profile(trans, btrfs_alloc_profile(fs_info, space), ret);
}

/* ---- the items of a new chunk ---- */

static int insert_group_item(struct btrfs_trans_handle *trans, struct btrfs_block_group *group)
{
	const struct btrfs_key key = { group->start, BTRFS_BLOCK_GROUP_ITEM_KEY, group->length };
	const struct btrfs_block_group_item item = {
		.used = htole64(group->used),
		.chunk_objectid = htole64(BTRFS_FIRST_CHUNK_TREE_OBJECTID),
		.flags = htole64(group->flags),
	};

	group->disk_used = group->used;
	return btrfs_insert_item(trans, btrfs_block_group_tree(trans->fs_info), &key, &item,
				 sizeof(item));
}

static int insert_chunk_item(struct btrfs_trans_handle *trans, const struct btrfs_chunk_map *map)
{
	const struct btrfs_key key = { BTRFS_FIRST_CHUNK_TREE_OBJECTID, BTRFS_CHUNK_ITEM_KEY,
				       map->logical };
	size_t size = btrfs_chunk_item_size(map->num_stripes);
	struct btrfs_chunk *chunk = calloc(1, size);
	int ret;

	if (!chunk)
		return -ENOMEM;
	btrfs_chunk_item_from_map(trans->fs_info, map, chunk);
	ret = btrfs_insert_item(trans, trans->fs_info->chunk_root, &key, chunk, (u32)size);
	free(chunk);
	return ret;
}

static int insert_dev_extents(struct btrfs_trans_handle *trans, const struct btrfs_chunk_map *map)
{
	struct btrfs_dev_extent extent;
	int ret = 0;

	btrfs_dev_extent_from_map(trans->fs_info, map, &extent);
	for (u16 i = 0; i < map->num_stripes && !ret; i++) {
		const struct btrfs_key key = { map->stripes[i].dev->devid, BTRFS_DEV_EXTENT_KEY,
					       map->stripes[i].physical };

		ret = btrfs_insert_item(trans, trans->fs_info->dev_root, &key, &extent,
					sizeof(extent));
	}
	return ret;
}

static int update_dev_item(struct btrfs_trans_handle *trans, const struct btrfs_device *dev)
{
	const struct btrfs_key key = { BTRFS_DEV_ITEMS_OBJECTID, BTRFS_DEV_ITEM_KEY, dev->devid };
	struct btrfs_path path = { .reada = READA_NONE };
	int ret = btrfs_search_slot_cow(trans, trans->fs_info->chunk_root, &key, &path, 0);

	if (ret > 0) {
		error("chunk tree: device %llu has no item", dev->devid);
		ret = -EUCLEAN;
	}
	if (!ret)
		btrfs_set_device_bytes_used(path.nodes[0],
					    btrfs_item_ptr_mut(path.nodes[0], path.slots[0],
							       struct btrfs_dev_item),
					    dev->bytes_used);
	btrfs_release_path(&path);
	return ret;
}

static int update_dev_items(struct btrfs_trans_handle *trans, const struct btrfs_chunk_map *map)
{
	int ret = 0;

	for (u16 i = 0; i < map->num_stripes && !ret; i++)
		if (i == 0 || map->stripes[i].dev != map->stripes[i - 1].dev)
			ret = update_dev_item(trans, map->stripes[i].dev);
	return ret;
}

static int insert_items(struct btrfs_trans_handle *trans, struct btrfs_block_group *group)
{
	int ret = insert_group_item(trans, group);

	if (!ret)
		ret = insert_chunk_item(trans, group->map);
	if (!ret)
		ret = insert_dev_extents(trans, group->map);
	if (!ret)
		ret = update_dev_items(trans, group->map);
	if (!ret)
		ret = btrfs_add_block_group_free_space(trans, group);
	return ret;
}

/* Further groups may join the queue while these are at work. */
int btrfs_create_pending_block_groups(struct btrfs_trans_handle *trans)
{
	struct btrfs_block_groups *groups = trans->fs_info->block_groups;

	while (!list_empty(&groups->new)) {
		struct btrfs_block_group *group =
			list_first_entry(&groups->new, struct btrfs_block_group, new_list);
		int ret;

		list_del_init(&group->new_list);
		ret = insert_items(trans, group);
		if (ret) {
			btrfs_abort_transaction(trans, ret);
			return ret;
		}
	}
	return 0;
}

/* ---- removing ---- */

static int delete_dev_extents(struct btrfs_trans_handle *trans, const struct btrfs_chunk_map *map)
{
	int ret = 0;

	for (u16 i = 0; i < map->num_stripes && !ret; i++) {
		const struct btrfs_key key = { map->stripes[i].dev->devid, BTRFS_DEV_EXTENT_KEY,
					       map->stripes[i].physical };

		ret = btrfs_del_item_by_key(trans, trans->fs_info->dev_root, &key);
	}
	return ret;
}

/* The inode of the old free space cache that @group has, in the tree of roots; 0: none. */
static int find_cache_inode(struct btrfs_fs_info *fs_info, const struct btrfs_key *header_key,
			    u64 *ino)
{
	struct btrfs_path path = { .reada = READA_NONE };
	const struct btrfs_free_space_header *header;
	struct btrfs_key location;
	int ret = btrfs_search_slot(fs_info->tree_root, header_key, &path);

	*ino = 0;
	if (ret == 0) {
		header = btrfs_item_ptr(path.nodes[0], path.slots[0],
					struct btrfs_free_space_header);
		btrfs_disk_key_to_cpu(&location, &header->location);
		*ino = location.objectid;
	}
	btrfs_release_path(&path);
	return ret < 0 ? ret : 0;
}

/* Drop what the item at @path, of a cache inode, refers to. */
static int free_cache_extent(struct btrfs_trans_handle *trans, const struct btrfs_path *path,
			     const struct btrfs_key *key)
{
	const struct extent_buffer *leaf = path->nodes[0];
	const struct btrfs_file_extent_item *fi =
		btrfs_item_ptr(leaf, path->slots[0], struct btrfs_file_extent_item);
	struct btrfs_ref ref;

	if (key->type != BTRFS_EXTENT_DATA_KEY ||
	    btrfs_file_extent_type(leaf, fi) == BTRFS_FILE_EXTENT_INLINE ||
	    !btrfs_file_extent_disk_bytenr(leaf, fi))
		return 0;
	btrfs_init_data_ref(&ref, btrfs_file_extent_disk_bytenr(leaf, fi),
			    btrfs_file_extent_disk_num_bytes(leaf, fi), 0,
			    BTRFS_ROOT_TREE_OBJECTID, key->objectid,
			    key->offset - btrfs_file_extent_offset(leaf, fi));
	return btrfs_free_extent(trans, &ref);
}

/* The old free space cache is stale, but a file all the same, and goes with its group. */
static int remove_free_space_cache(struct btrfs_trans_handle *trans,
				   const struct btrfs_block_group *group)
{
	struct btrfs_root *root = trans->fs_info->tree_root;
	const struct btrfs_key header_key = { BTRFS_FREE_SPACE_OBJECTID, 0, group->start };
	struct btrfs_path path = { .reada = READA_NONE };
	struct btrfs_key key = { .type = 0 };
	u64 ino;
	int ret = find_cache_inode(trans->fs_info, &header_key, &ino);

	while (!ret && ino) {
		key = (struct btrfs_key){ .objectid = ino };
		ret = btrfs_search_slot_for_read(root, &key, &path, false);
		if (ret)
			break;
		btrfs_item_key_to_cpu(path.nodes[0], &key, path.slots[0]);
		if (key.objectid != ino)
			break;
		ret = free_cache_extent(trans, &path, &key);
		btrfs_release_path(&path);
		if (!ret)
			ret = btrfs_del_item_by_key(trans, root, &key);
	}
	btrfs_release_path(&path);
	if (ret >= 0 && ino)
		ret = btrfs_del_item_by_key(trans, root, &header_key);
	return ret;
}

static int delete_items(struct btrfs_trans_handle *trans, struct btrfs_block_group *group)
{
	struct btrfs_fs_info *fs_info = trans->fs_info;
	const struct btrfs_key group_key = { group->start, BTRFS_BLOCK_GROUP_ITEM_KEY,
					     group->length };
	const struct btrfs_key chunk_key = { BTRFS_FIRST_CHUNK_TREE_OBJECTID,
					     BTRFS_CHUNK_ITEM_KEY, group->start };
	int ret = remove_free_space_cache(trans, group);

	if (!ret)
		ret = btrfs_remove_block_group_free_space(trans, group);
	if (!ret)
		ret = btrfs_del_item_by_key(trans, btrfs_block_group_tree(fs_info), &group_key);
	if (!ret)
		ret = delete_dev_extents(trans, group->map);
	if (!ret)
		ret = btrfs_del_item_by_key(trans, fs_info->chunk_root, &chunk_key);
	if (!ret && (group->flags & BTRFS_BLOCK_GROUP_SYSTEM))
		ret = btrfs_del_system_chunk(&fs_info->super_copy, group->start);
	return ret;
}

/*
 * Once the items are gone nothing refers to the chunk, but the last commit
 * still knows it: its room on the devices is taken again only after this one.
 */
int btrfs_remove_block_group(struct btrfs_trans_handle *trans, u64 start)
{
	struct btrfs_fs_info *fs_info = trans->fs_info;
	struct btrfs_block_group *group = btrfs_lookup_block_group(fs_info, start);
	const struct btrfs_chunk_map **removed, *map;
	int ret;

	if (!group || group->start != start)
		return -ENOENT;
	ret = btrfs_create_pending_block_groups(trans);
	if (ret)
		return ret;
	if (group->used || group->reserved || group->pinned)
		return -EBUSY;
	removed = vec_push(&fs_info->block_groups->removed_maps);
	if (!removed)
		return -ENOMEM;
	map = *removed = group->map;
	btrfs_inc_block_group_ro(group);
	ret = delete_items(trans, group);
	btrfs_forget_block_group(group);
	if (!ret)
		ret = btrfs_remove_chunk_map(fs_info, start);
	if (!ret)
		ret = update_dev_items(trans, map);
	if (ret)
		btrfs_abort_transaction(trans, ret);
	return ret;
}

/* The only writable group of its type and profile stays, so that the profile is remembered. */
static bool is_last_of_its_kind(const struct btrfs_block_group *group)
{
	const struct btrfs_block_group *other;

	list_for_each_entry(other, &group->space_info->groups, space_list)
		if (other != group && !other->ro && other->flags == group->flags)
			return false;
	return true;
}

int btrfs_delete_unused_bgs(struct btrfs_trans_handle *trans, unsigned int *nr_removed)
{
	struct btrfs_fs_info *fs_info = trans->fs_info;
	struct btrfs_block_group *group;
	u64 start = 0;
	int ret = 0;

	if (nr_removed)
		*nr_removed = 0;
	while (!ret && (group = btrfs_lookup_first_block_group(fs_info, start))) {
		start = group->start + 1;
		if (group->ro || group->used || group->reserved || group->pinned ||
		    (group->flags & BTRFS_BLOCK_GROUP_SYSTEM) || is_last_of_its_kind(group))
			continue;
		ret = btrfs_remove_block_group(trans, group->start);
		if (!ret && nr_removed)
			(*nr_removed)++;
	}
	return ret;
}
