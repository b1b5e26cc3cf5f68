// SPDX-License-Identifier: GPL-2.0-only
/*
 * Block groups: loading them, finding them, and their accounts.
 *
 * The item of a group is written when the transaction is committed; until then
 * a group whose use has changed is on the list of dirty ones.
 */
#include "kernel-shared/block-group.h"

#include <errno.h>
#include <stdlib.h>

#include "common/message.h"
#include "kernel-shared/accessors-set.h"
#include "kernel-shared/block-group-impl.h"
#include "kernel-shared/chunk-alloc.h"
#include "kernel-shared/ctree.h"
#include "kernel-shared/free-space-tree.h"
#include "kernel-shared/root-tree.h"
#include "kernel-shared/super-stripes.h"
#include "kernel-shared/transaction.h"

/* ---- finding ---- */

/* The group that starts at @bytenr, else the next one; *@prev, when not NULL, the one before. */
static struct btrfs_block_group *lookup_from(const struct btrfs_fs_info *fs_info, u64 bytenr,
					     struct btrfs_block_group **prev)
{
	struct rb_node *node = fs_info->block_groups ? fs_info->block_groups->groups.rb_node : NULL;
	struct btrfs_block_group *next = NULL;

	*prev = NULL;
	while (node) {
		struct btrfs_block_group *group = rb_entry(node, struct btrfs_block_group, node);

		if (group->start >= bytenr) {
			next = group;
			node = node->rb_left;
		} else {
			*prev = group;
			node = node->rb_right;
		}
	}
	return next;
}

struct btrfs_block_group *btrfs_lookup_first_block_group(const struct btrfs_fs_info *fs_info,
							 u64 bytenr)
{
	struct btrfs_block_group *prev;

	return lookup_from(fs_info, bytenr, &prev);
}

struct btrfs_block_group *btrfs_lookup_block_group(const struct btrfs_fs_info *fs_info, u64 bytenr)
{
	struct btrfs_block_group *prev;
	struct btrfs_block_group *group = lookup_from(fs_info, bytenr, &prev);

	if (group && group->start == bytenr)
		return group;
	return prev && bytenr - prev->start < prev->length ? prev : NULL;
}

struct btrfs_space_info *btrfs_find_space_info(const struct btrfs_fs_info *fs_info, u64 type)
{
	struct btrfs_space_info *space;

	list_for_each_entry(space, &fs_info->block_groups->spaces, list)
		if (space->flags & type)
			return space;
	return NULL;
}

struct btrfs_space_info *btrfs_get_space_info(struct btrfs_fs_info *fs_info, u64 flags)
{
	struct btrfs_space_info *space;

	list_for_each_entry(space, &fs_info->block_groups->spaces, list)
		if (space->flags == flags)
			return space;
	space = calloc(1, sizeof(*space));
	if (!space)
		return NULL;
	space->flags = flags;
	INIT_LIST_HEAD(&space->groups);
	list_add_tail(&space->list, &fs_info->block_groups->spaces);
	return space;
}

/* ---- superblock copies ---- */

/*
 * The places of superblock copies as a set.  The kernel never uses what is below
 * 64 KiB of the logical addresses either.
 */
static int super_ranges(const struct btrfs_chunk_map *map, struct btrfs_free_space *ranges)
{
	struct vec stripes = VEC_INIT(struct btrfs_super_stripe);
	const struct btrfs_super_stripe *stripe;
	u64 end = map->logical + map->length;
	int ret = btrfs_find_super_stripes(map, &stripes);

	if (!ret && map->logical < BTRFS_SUPER_INFO_OFFSET)
		ret = btrfs_free_space_add(ranges, map->logical,
					   min(end, (u64)BTRFS_SUPER_INFO_OFFSET) - map->logical);
	vec_for_each(&stripes, stripe) {
		if (ret || stripe->logical >= end)
			break;
		ret = btrfs_free_space_exclude(ranges, stripe->logical, stripe->len);
		if (!ret)
			ret = btrfs_free_space_add(ranges, stripe->logical,
						   min(stripe->len, end - stripe->logical));
	}
	vec_free(&stripes);
	return ret;
}

static int count_super_bytes(struct btrfs_block_group *group)
{
	struct btrfs_free_space ranges = { .bytes = 0 };
	int ret = super_ranges(group->map, &ranges);

	group->super_bytes = ranges.bytes;
	btrfs_free_space_clear(&ranges);
	return ret;
}

int btrfs_exclude_super_ranges(struct btrfs_block_group *group)
{
	struct btrfs_free_space ranges = { .bytes = 0 };
	struct btrfs_free_extent *range;
	int ret = super_ranges(group->map, &ranges);

	for (range = btrfs_free_space_first(&ranges, 0); range && !ret;
	     range = btrfs_free_space_next(range))
		ret = btrfs_free_space_exclude(&group->free_space, range->start, range->len);
	btrfs_free_space_clear(&ranges);
	return ret;
}

/* ---- groups in memory ---- */

static void link_group(struct btrfs_block_groups *groups, struct btrfs_block_group *group)
{
	struct rb_node **p = &groups->groups.rb_node, *parent = NULL;

	while (*p) {
		parent = *p;
		p = group->start < rb_entry(parent, struct btrfs_block_group, node)->start ?
		    &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&group->node, parent, p);
	rb_insert_color(&group->node, &groups->groups);
}

static void update_avail_profiles(struct btrfs_space_info *space)
{
	const struct btrfs_block_group *group;

	space->avail_profiles = 0;
	list_for_each_entry(group, &space->groups, space_list) {
		u64 profile = group->flags & BTRFS_BLOCK_GROUP_PROFILE_MASK;

		space->avail_profiles |= profile ? profile : BTRFS_AVAIL_ALLOC_BIT_SINGLE;
	}
}

struct btrfs_block_group *btrfs_add_block_group(struct btrfs_fs_info *fs_info,
						const struct btrfs_chunk_map *map, u64 used)
{
	u64 profile = map->type & BTRFS_BLOCK_GROUP_PROFILE_MASK;
	struct btrfs_block_group *group = calloc(1, sizeof(*group));
	struct btrfs_space_info *space;

	space = btrfs_get_space_info(fs_info, map->type & BTRFS_BLOCK_GROUP_TYPE_MASK);
	if (!group || !space) {
		free(group);
		return NULL;
	}
	group->fs_info = fs_info;
	group->start = map->logical;
	group->length = map->length;
	group->flags = map->type;
	group->map = map;
	group->used = group->disk_used = used;
	group->cursor = group->start;
	group->space_info = space;
	INIT_LIST_HEAD(&group->dirty_list);
	INIT_LIST_HEAD(&group->new_list);
	if (count_super_bytes(group)) {
		free(group);
		return NULL;
	}
	btrfs_set_free_space_tree_thresholds(group);
	link_group(fs_info->block_groups, group);
	list_add_tail(&group->space_list, &space->groups);
	space->avail_profiles |= profile ? profile : BTRFS_AVAIL_ALLOC_BIT_SINGLE;
	space->total += group->length;
	space->used += used;
	space->super_bytes += group->super_bytes;
	return group;
}

void btrfs_forget_block_group(struct btrfs_block_group *group)
{
	struct btrfs_space_info *space = group->space_info;

	while (group->ro)
		btrfs_dec_block_group_ro(group);
	rb_erase(&group->node, &group->fs_info->block_groups->groups);
	list_del(&group->space_list);
	list_del_init(&group->dirty_list);
	list_del_init(&group->new_list);
	update_avail_profiles(space);
	space->total -= group->length;
	space->used -= group->used;
	space->super_bytes -= group->super_bytes;
	if (space->cursor == group)
		space->cursor = NULL;
	btrfs_free_space_clear(&group->free_space);
	free(group);
}

/*
 * What is unused in a read-only group counts as such; it is worked out anew when its
 * use changes.
 */
void btrfs_inc_block_group_ro(struct btrfs_block_group *group)
{
	if (group->ro++ == 0)
		group->space_info->readonly += btrfs_group_free(group);
}

void btrfs_dec_block_group_ro(struct btrfs_block_group *group)
{
	if (--group->ro == 0)
		group->space_info->readonly -= btrfs_group_free(group);
}

/* ---- opening ---- */

/* As many devices are there and ours as the profile needs to be written to. */
static bool chunk_is_writable(const struct btrfs_fs_info *fs_info,
			      const struct btrfs_chunk_map *map)
{
	const struct btrfs_raid_attr *attr = btrfs_raid_attr(map->type);
	unsigned int missing = 0;

	for (u16 i = 0; i < map->num_stripes; i++) {
		if (!btrfs_device_is_own(fs_info, map->stripes[i].dev))
			return false;
		if (!map->stripes[i].dev->bdev)
			missing++;
	}
	return missing == 0 || (attr && missing <= attr->tolerated_failures);
}

/* The item of the group that the chunk @map has. */
static int read_group_item(struct btrfs_fs_info *fs_info, struct btrfs_path *path,
			   const struct btrfs_chunk_map *map, u64 *used)
{
	const struct btrfs_key key = { map->logical, BTRFS_BLOCK_GROUP_ITEM_KEY, map->length };
	const u64 mask = BTRFS_BLOCK_GROUP_TYPE_MASK | BTRFS_BLOCK_GROUP_PROFILE_MASK;
	const struct btrfs_block_group_item *item;
	int ret = btrfs_search_slot(btrfs_block_group_tree(fs_info), &key, path);

	if (ret < 0)
		return ret;
	if (ret) {
		error("the chunk at %llu, %llu bytes, has no block group", map->logical,
		      map->length);
		return -EUCLEAN;
	}
	item = btrfs_item_ptr(path->nodes[0], path->slots[0], struct btrfs_block_group_item);
	*used = btrfs_block_group_used(path->nodes[0], item);
	if ((btrfs_block_group_flags(path->nodes[0], item) & mask) != (map->type & mask)) {
		error("block group at %llu: flags are 0x%llx, those of the chunk 0x%llx",
		      map->logical, btrfs_block_group_flags(path->nodes[0], item), map->type);
		return -EUCLEAN;
	}
	return 0;
}

static int read_all_groups(struct btrfs_fs_info *fs_info)
{
	const struct btrfs_chunk_map *map = btrfs_next_chunk_map(fs_info, 0);
	struct btrfs_path path = { .reada = READA_NONE };
	int ret = 0;

	for (; map; map = btrfs_next_chunk_map(fs_info, map->logical + map->length)) {
		struct btrfs_block_group *group;
		u64 used;

		ret = read_group_item(fs_info, &path, map, &used);
		if (ret)
			break;
		group = btrfs_add_block_group(fs_info, map, used);
		if (!group) {
			ret = -ENOMEM;
			break;
		}
		if (!chunk_is_writable(fs_info, map))
			btrfs_inc_block_group_ro(group);
	}
	btrfs_release_path(&path);
	return ret;
}

int btrfs_read_block_groups(struct btrfs_fs_info *fs_info)
{
	struct btrfs_block_groups *groups;
	int ret;

	if (!fs_info->extent_root)
		return btrfs_missing_root_error(fs_info, BTRFS_EXTENT_TREE_OBJECTID);
	if (!btrfs_block_group_tree(fs_info))
		return btrfs_missing_root_error(fs_info, BTRFS_BLOCK_GROUP_TREE_OBJECTID);
	groups = calloc(1, sizeof(*groups));
	if (!groups)
		return -ENOMEM;
	INIT_LIST_HEAD(&groups->spaces);
	INIT_LIST_HEAD(&groups->dirty);
	INIT_LIST_HEAD(&groups->new);
	vec_init(&groups->removed_maps, sizeof(const struct btrfs_chunk_map *));
	fs_info->block_groups = groups;
	ret = read_all_groups(fs_info);
	if (!ret)
		ret = btrfs_load_dev_space(fs_info, &groups->dev_space);
	if (ret)
		btrfs_free_block_groups(fs_info);
	return ret;
}

void btrfs_free_block_groups(struct btrfs_fs_info *fs_info)
{
	struct btrfs_block_groups *groups = fs_info->block_groups;
	struct btrfs_block_group *group, *next_group;
	struct btrfs_space_info *space, *next_space;

	if (!groups)
		return;
	rbtree_postorder_for_each_entry_safe(group, next_group, &groups->groups, node) {
		btrfs_free_space_clear(&group->free_space);
		free(group);
	}
	list_for_each_entry_safe(space, next_space, &groups->spaces, list)
		free(space);
	btrfs_free_space_clear(&groups->pinned);
	btrfs_free_dev_space(groups->dev_space);
	vec_free(&groups->removed_maps);
	free(groups);
	fs_info->block_groups = NULL;
}

/* ---- free space in memory ---- */

static int add_loaded_extent(u64 start, u64 len, void *ctx)
{
	struct btrfs_block_group *group = ctx;

	return btrfs_free_space_add(&group->free_space, start, len);
}

struct gap_walk {
	struct btrfs_block_group *group;
	u64 last_end;			/* of the extents so far */
};

/* A btrfs_iter_fn over the extent tree: what lies between two extents is free. */
static int add_gap(struct btrfs_root *root __unused, const struct extent_buffer *leaf,
		   u32 slot __unused, const struct btrfs_key *key, void *ctx)
{
	struct gap_walk *walk = ctx;
	u64 len;
	int ret = 0;

	if (key->type != BTRFS_EXTENT_ITEM_KEY && key->type != BTRFS_METADATA_ITEM_KEY)
		return 0;
	len = key->type == BTRFS_EXTENT_ITEM_KEY ? key->offset : leaf->len;
	if (key->objectid < walk->last_end)
		return -EUCLEAN;
	if (key->objectid > walk->last_end)
		ret = btrfs_free_space_add(&walk->group->free_space, walk->last_end,
					   key->objectid - walk->last_end);
	walk->last_end = key->objectid + len;
	return ret;
}

static int load_from_extent_tree(struct btrfs_block_group *group)
{
	u64 end = group->start + group->length;
	struct gap_walk walk = { .group = group, .last_end = group->start };
	const struct btrfs_key from = { .objectid = group->start };
	const struct btrfs_key to = { end - 1, 255, (u64)-1 };
	int ret = btrfs_for_each_item(group->fs_info->extent_root, &from, &to, add_gap, &walk);

	if (ret)
		return ret;
	if (walk.last_end > end)
		return -EUCLEAN;
	return btrfs_free_space_add(&group->free_space, walk.last_end, end - walk.last_end);
}

/* Both trees count what was freed in this transaction as free. */
static int exclude_pinned(struct btrfs_block_group *group)
{
	const struct btrfs_free_space *pinned = &group->fs_info->block_groups->pinned;
	struct btrfs_free_extent *extent = btrfs_free_space_first(pinned, group->start);
	u64 end = group->start + group->length;

	for (; extent && extent->start < end; extent = btrfs_free_space_next(extent)) {
		int ret = btrfs_free_space_exclude(&group->free_space, extent->start, extent->len);

		if (ret)
			return ret;
	}
	return 0;
}

/* A group whose free space makes no sense is left alone rather than given up with. */
static int distrust_group(struct btrfs_block_group *group, const char *why)
{
	warning("block group at %llu: %s, nothing is allocated there (check it)", group->start,
		why);
	btrfs_free_space_clear(&group->free_space);
	btrfs_inc_block_group_ro(group);
	group->loaded = true;
	return 0;
}

int btrfs_cache_block_group(struct btrfs_block_group *group)
{
	int ret;

	if (group->loaded)
		return 0;
	if (btrfs_free_space_tree_valid(group->fs_info))
		ret = btrfs_load_free_space_tree(group, add_loaded_extent, group);
	else
		ret = load_from_extent_tree(group);
	if (ret == -EUCLEAN || ret == -EEXIST)
		return distrust_group(group, "its free space contradicts itself");
	if (!ret && group->free_space.bytes != group->length - group->used)
		return distrust_group(group, "its free space is not what its item says");
	if (!ret)
		ret = btrfs_exclude_super_ranges(group);
	if (!ret)
		ret = exclude_pinned(group);
	if (ret)
		btrfs_free_space_clear(&group->free_space);
	else
		group->loaded = true;
	return ret;
}

/* ---- accounts ---- */

static void mark_dirty(struct btrfs_block_group *group)
{
	if (list_empty(&group->dirty_list))
		list_add_tail(&group->dirty_list, &group->fs_info->block_groups->dirty);
}

static void add_super_bytes_used(struct btrfs_fs_info *fs_info, s64 mod)
{
	struct btrfs_super_block *sb = &fs_info->super_copy;

	sb->bytes_used = htole64(le64toh(sb->bytes_used) + (u64)mod);
}

static struct btrfs_block_group *group_of(const struct btrfs_fs_info *fs_info, u64 start, u64 len)
{
	struct btrfs_block_group *group = btrfs_lookup_block_group(fs_info, start);

	if (group && len <= group->start + group->length - start)
		return group;
	error("extent at %llu, %llu bytes, is not inside of a block group", start, len);
	return NULL;
}

int btrfs_prepare_extent_change(struct btrfs_fs_info *fs_info, u64 start, u64 len)
{
	struct btrfs_block_group *group = group_of(fs_info, start, len);

	if (!group)
		return -EUCLEAN;
	return group->flags & (BTRFS_BLOCK_GROUP_METADATA | BTRFS_BLOCK_GROUP_SYSTEM) ?
	       btrfs_cache_block_group(group) : 0;
}

int btrfs_account_new_extent(struct btrfs_trans_handle *trans, u64 start, u64 len)
{
	struct btrfs_block_group *group = group_of(trans->fs_info, start, len);

	if (!group || group->reserved < len)
		return -EUCLEAN;
	group->reserved -= len;
	group->used += len;
	group->space_info->reserved -= len;
	group->space_info->used += len;
	mark_dirty(group);
	add_super_bytes_used(trans->fs_info, (s64)len);
	return btrfs_remove_from_free_space_tree(trans, start, len);
}

int btrfs_account_freed_extent(struct btrfs_trans_handle *trans, u64 start, u64 len)
{
	struct btrfs_block_group *group = group_of(trans->fs_info, start, len);
	int ret;

	if (!group)
		return -EUCLEAN;
	if (group->used < len) {
		error("block group at %llu: %llu bytes are used, %llu are freed", group->start,
		      group->used, len);
		return -EUCLEAN;
	}
	ret = btrfs_free_space_add(&trans->fs_info->block_groups->pinned, start, len);
	if (ret)
		return ret == -EEXIST ? -EUCLEAN : ret;
	group->used -= len;
	group->pinned += len;
	group->space_info->used -= len;
	group->space_info->pinned += len;
	mark_dirty(group);
	add_super_bytes_used(trans->fs_info, -(s64)len);
	return btrfs_add_to_free_space_tree(trans, start, len);
}

int btrfs_pin_reserved_extent(struct btrfs_fs_info *fs_info, u64 start, u64 len)
{
	struct btrfs_block_group *group = group_of(fs_info, start, len);
	int ret;

	if (!group || group->reserved < len)
		return -EUCLEAN;
	ret = btrfs_free_space_add(&fs_info->block_groups->pinned, start, len);
	if (ret)
		return ret == -EEXIST ? -EUCLEAN : ret;
	group->reserved -= len;
	group->pinned += len;
	group->space_info->reserved -= len;
	group->space_info->pinned += len;
	return 0;
}

/* Space that memory is too short to remember is lost until the file system is opened again. */
static void give_back(struct btrfs_block_group *group, u64 start, u64 len)
{
	int ret = group->loaded ? btrfs_free_space_add(&group->free_space, start, len) : 0;

	if (ret)
		warning("block group at %llu: free space at %llu is left unused: %s", group->start,
			start, errno_text(ret));
}

void btrfs_unreserve_extent(struct btrfs_fs_info *fs_info, u64 start, u64 len)
{
	struct btrfs_block_group *group = group_of(fs_info, start, len);

	if (!group || group->reserved < len)
		return;
	group->reserved -= len;
	group->space_info->reserved -= len;
	if (group->ro)
		group->space_info->readonly += len;
	give_back(group, start, len);
}

u64 btrfs_pinned_bytes(const struct btrfs_fs_info *fs_info, u64 type)
{
	const struct btrfs_space_info *space;
	u64 bytes = 0;

	list_for_each_entry(space, &fs_info->block_groups->spaces, list)
		if (space->flags & type)
			bytes += space->pinned;
	return bytes;
}

/* ---- commit ---- */

static int write_group_item(struct btrfs_trans_handle *trans, struct btrfs_block_group *group)
{
	const struct btrfs_key key = { group->start, BTRFS_BLOCK_GROUP_ITEM_KEY, group->length };
	struct btrfs_path path = { .reada = READA_NONE };
	int ret;

	if (group->used == group->disk_used)
		return 0;
	ret = btrfs_search_slot_cow(trans, btrfs_block_group_tree(trans->fs_info), &key, &path, 0);
	if (ret > 0) {
		error("block group at %llu: its item is gone", group->start);
		ret = -EUCLEAN;
	}
	if (!ret) {
		btrfs_set_block_group_used(path.nodes[0],
					   btrfs_item_ptr_mut(path.nodes[0], path.slots[0],
							      struct btrfs_block_group_item),
					   group->used);
		group->disk_used = group->used;
	}
	btrfs_release_path(&path);
	return ret;
}

int btrfs_write_dirty_block_groups(struct btrfs_trans_handle *trans)
{
	struct btrfs_block_groups *groups = trans->fs_info->block_groups;
	int ret = btrfs_create_pending_block_groups(trans);

	while (!ret && !list_empty(&groups->dirty)) {
		struct btrfs_block_group *group =
			list_first_entry(&groups->dirty, struct btrfs_block_group, dirty_list);

		list_del_init(&group->dirty_list);
		ret = write_group_item(trans, group);
		if (!ret)
			ret = btrfs_create_pending_block_groups(trans);
	}
	if (ret)
		btrfs_abort_transaction(trans, ret);
	return ret;
}

bool btrfs_has_dirty_block_groups(const struct btrfs_fs_info *fs_info)
{
	return !list_empty(&fs_info->block_groups->dirty) ||
	       !list_empty(&fs_info->block_groups->new);
}

/* The part of a pinned range that lies in one group. */
static void unpin(struct btrfs_block_group *group, u64 start, u64 len)
{
	group->pinned -= len;
	group->space_info->pinned -= len;
	if (group->ro)
		group->space_info->readonly += len;
	give_back(group, start, len);
}

void btrfs_finish_extent_commit(struct btrfs_fs_info *fs_info)
{
	struct btrfs_block_groups *groups = fs_info->block_groups;
	struct btrfs_free_extent *extent = btrfs_free_space_first(&groups->pinned, 0);
	const struct btrfs_chunk_map **map;

	for (; extent; extent = btrfs_free_space_next(extent)) {
		u64 start = extent->start, end = extent->start + extent->len;

		/* What was freed on both sides of a border between groups is one range. */
		while (start < end) {
			struct btrfs_block_group *group = btrfs_lookup_block_group(fs_info, start);
			u64 len = min(end, group->start + group->length) - start;

			unpin(group, start, len);
			start += len;
		}
	}
	btrfs_free_space_clear(&groups->pinned);
	vec_for_each(&groups->removed_maps, map)
		if (btrfs_unplan_chunk(groups->dev_space, *map))
			warning("the room of the removed chunk at %llu is left unused",
				(*map)->logical);
	vec_clear(&groups->removed_maps);
}
