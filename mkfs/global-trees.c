// SPDX-License-Identifier: GPL-2.0-only
/*
 * The trees that describe the rest of the file system: chunks, devices, block
 * groups, extents, free space, roots.
 *
 * They describe one another too: the extent tree has an item for each of its own blocks,
 * a further block may need a further chunk, and that further items elsewhere.
 * So their blocks are counted with the items as they would be now, places are
 * allocated, and this is repeated until the counts agree.  Then all is written.
 */
#include <errno.h>
#include <stdlib.h>

#include "common/message.h"
#include "kernel-shared/dir-item.h"
#include "kernel-shared/super-write.h"
#include "mkfs/items.h"
#include "mkfs/make.h"

/* A tree whose blocks are allocated before its content is final. */
struct late_tree {
	u64 objectid;
	int (*fill)(struct mkfs *mkfs, struct btrfs_tree_builder *builder);
	struct vec bytenrs;		/* of u64, in the order of use */
	struct btrfs_built_tree built;
};

/* Counting settles after a few rounds; more than this is a mistake in it. */
#define MAX_ROUNDS	64

/* ---- extents and block groups ---- */

static int add_block_group_item(struct btrfs_tree_builder *builder,
				const struct mkfs_block_group *group)
{
	const struct btrfs_key key = { group->start, BTRFS_BLOCK_GROUP_ITEM_KEY, group->length };
	const struct btrfs_block_group_item item = {
		.used = htole64(group->used),
		.chunk_objectid = htole64(BTRFS_FIRST_CHUNK_TREE_OBJECTID),
		.flags = htole64(group->flags),
	};

	return btrfs_tree_builder_add_item(builder, &key, &item, sizeof(item));
}

static int fill_block_group_tree(struct mkfs *mkfs, struct btrfs_tree_builder *builder)
{
	struct mkfs_block_group **group;
	int ret = 0;

	vec_for_each(mkfs_alloc_groups(mkfs->alloc), group) {
		ret = add_block_group_item(builder, *group);
		if (ret)
			break;
	}
	return ret;
}

static int add_tree_block_item(struct mkfs *mkfs, struct btrfs_tree_builder *builder,
			       const struct mkfs_tree_block *block)
{
	bool skinny = mkfs->fs_info->incompat & BTRFS_FEATURE_INCOMPAT_SKINNY_METADATA;
	const struct btrfs_key key = {
		block->bytenr,
		skinny ? BTRFS_METADATA_ITEM_KEY : BTRFS_EXTENT_ITEM_KEY,
		skinny ? block->level : mkfs->fs_info->nodesize,
	};
	u32 size = sizeof(struct btrfs_extent_item) + sizeof(struct btrfs_extent_inline_ref) +
		   (skinny ? 0 : sizeof(struct btrfs_tree_block_info));
	struct btrfs_extent_inline_ref *ref;
	struct btrfs_extent_item *item;
	void *data;
	int ret = btrfs_tree_builder_add(builder, &key, size, &data);

	if (ret)
		return ret;
	item = data;
	item->refs = htole64(1);
	item->generation = htole64(block->generation);
	item->flags = htole64(BTRFS_EXTENT_FLAG_TREE_BLOCK);
	/* The first key of the block is informative and left 0. */
	if (!skinny)
		((struct btrfs_tree_block_info *)(item + 1))->level = block->level;
	ref = (struct btrfs_extent_inline_ref *)((u8 *)data + size - sizeof(*ref));
	ref->type = BTRFS_TREE_BLOCK_REF_KEY;
	ref->offset = htole64(block->owner);
	return 0;
}

static int add_data_extent_item(struct mkfs *mkfs, struct btrfs_tree_builder *builder,
				const struct mkfs_data_extent *extent)
{
	const struct mkfs_subvol *subvol =
		*(struct mkfs_subvol **)vec_at(&mkfs->subvols, extent->subvol);
	const struct btrfs_key key = {
		extent->bytenr, BTRFS_EXTENT_ITEM_KEY,
		(u64)extent->nr_sectors * mkfs->fs_info->sectorsize,
	};
	bool owner = mkfs->plan->simple_quota;
	u32 owner_size = owner ? sizeof(struct btrfs_extent_inline_ref) : 0;
	u32 ref_size = btrfs_extent_inline_ref_size(BTRFS_EXTENT_DATA_REF_KEY);
	struct btrfs_extent_inline_ref *ref;
	struct btrfs_extent_data_ref *data_ref;
	struct btrfs_extent_item *item;
	void *data;
	int ret = btrfs_tree_builder_add(builder, &key, sizeof(*item) + owner_size + ref_size,
					 &data);

	if (ret)
		return ret;
	item = data;
	item->refs = htole64(1);
	item->generation = htole64(MKFS_FS_GENERATION);
	item->flags = htole64(BTRFS_EXTENT_FLAG_DATA);
	ref = (struct btrfs_extent_inline_ref *)(item + 1);
	if (owner) {
		ref->type = BTRFS_EXTENT_OWNER_REF_KEY;
		ref->offset = htole64(subvol->objectid);
		ref++;
	}
	ref->type = BTRFS_EXTENT_DATA_REF_KEY;
	data_ref = (struct btrfs_extent_data_ref *)&ref->offset;
	data_ref->root = htole64(subvol->objectid);
	data_ref->objectid = htole64(extent->ino);
	data_ref->offset = htole64(extent->offset);
	data_ref->count = htole32(1);
	return 0;
}

/* Three lists, each by address, become one. */
static int fill_extent_tree(struct mkfs *mkfs, struct btrfs_tree_builder *builder)
{
	bool with_groups = !(mkfs->fs_info->compat_ro & BTRFS_FEATURE_COMPAT_RO_BLOCK_GROUP_TREE);
	const struct vec *groups = mkfs_alloc_groups(mkfs->alloc);
	const struct vec *blocks = mkfs_alloc_blocks(mkfs->alloc);
	size_t g = with_groups ? 0 : groups->nr, b = 0, d = 0;
	int ret = 0;

	while (!ret && (g < groups->nr || b < blocks->nr || d < mkfs->data_extents.nr)) {
		u64 group = g < groups->nr ?
			    (*(struct mkfs_block_group **)vec_at(groups, g))->start : U64_MAX;
		u64 block = b < blocks->nr ?
			    ((struct mkfs_tree_block *)vec_at(blocks, b))->bytenr : U64_MAX;
		u64 data = d < mkfs->data_extents.nr ?
			   ((struct mkfs_data_extent *)vec_at(&mkfs->data_extents, d))->bytenr :
			   U64_MAX;

		/* At the same address the item of the extent comes first, by its key type. */
		if (data < block && data <= group)
			ret = add_data_extent_item(mkfs, builder, vec_at(&mkfs->data_extents, d++));
		else if (block <= group)
			ret = add_tree_block_item(mkfs, builder, vec_at(blocks, b++));
		else
			ret = add_block_group_item(builder,
						   *(struct mkfs_block_group **)vec_at(groups, g++));
	}
	return ret;
}

/* ---- chunks and devices ---- */

static int fill_chunk_tree(struct mkfs *mkfs, struct btrfs_tree_builder *builder)
{
	struct btrfs_fs_info *fs_info = mkfs->fs_info;
	const struct btrfs_chunk_map *map;
	struct btrfs_dev_item dev_item;
	u64 logical = 0;
	int ret = 0;

	for (unsigned int i = 0; i < fs_info->fs_devices->nr_devices && !ret; i++) {
		const struct btrfs_device *dev = fs_info->fs_devices->devices[i];
		const struct btrfs_key key = {
			BTRFS_DEV_ITEMS_OBJECTID, BTRFS_DEV_ITEM_KEY, dev->devid,
		};

		btrfs_set_dev_item(dev, &dev_item);
		ret = btrfs_tree_builder_add_item(builder, &key, &dev_item, sizeof(dev_item));
	}
	for (; !ret && (map = btrfs_next_chunk_map(fs_info, logical));
	     logical = map->logical + map->length) {
		const struct btrfs_key key = {
			BTRFS_FIRST_CHUNK_TREE_OBJECTID, BTRFS_CHUNK_ITEM_KEY, map->logical,
		};
		void *data;

		ret = btrfs_tree_builder_add(builder, &key,
					     (u32)btrfs_chunk_item_size(map->num_stripes), &data);
		if (ret)
			break;
		btrfs_chunk_item_from_map(fs_info, map, data);
		if (!map->sub_stripes)	/* see alloc.c: these, too, are its own there */
			((struct btrfs_chunk *)data)->io_align =
			((struct btrfs_chunk *)data)->io_width = htole32(fs_info->sectorsize);
	}
	return ret;
}

static int fill_dev_tree(struct mkfs *mkfs, struct btrfs_tree_builder *builder)
{
	struct btrfs_fs_info *fs_info = mkfs->fs_info;
	const struct btrfs_chunk_map *map;
	struct btrfs_dev_extent extent;
	struct mkfs_items items;
	u64 logical = 0;
	int ret = 0;

	mkfs_items_init(&items);
	for (; !ret && (map = btrfs_next_chunk_map(fs_info, logical));
	     logical = map->logical + map->length) {
		btrfs_dev_extent_from_map(fs_info, map, &extent);
		for (u16 i = 0; i < map->num_stripes && !ret; i++)
			ret = mkfs_items_add(&items, map->stripes[i].dev->devid,
					     BTRFS_DEV_EXTENT_KEY, map->stripes[i].physical,
					     &extent, sizeof(extent));
	}
	if (!ret)
		ret = mkfs_items_build(&items, builder);
	mkfs_items_free(&items);
	return ret;
}

/* ---- free space ---- */

static int add_free_extent(struct btrfs_tree_builder *builder, u64 start, u64 end, u32 *count)
{
	const struct btrfs_key key = { start, BTRFS_FREE_SPACE_EXTENT_KEY, end - start };

	if (start >= end)
		return 0;
	++*count;
	return builder ? btrfs_tree_builder_add_item(builder, &key, NULL, 0) : 0;
}

/*
 * The free ranges of @group: those that were skipped, and from the cursor on all but the
 * places of superblocks.  Neighbours become one.  @builder NULL: only count.
 */
static int add_free_extents(const struct mkfs_block_group *group,
			    struct btrfs_tree_builder *builder, u32 *count)
{
	u64 start = group->cursor, end = group->start + group->length;
	const struct btrfs_super_stripe *stripe;
	const struct mkfs_range *range = NULL;
	int ret = 0;

	*count = 0;
	for (size_t i = 0; i < group->skipped.nr && !ret; i++) {
		u64 range_start, range_end;

		range = vec_at(&group->skipped, i);
		range_start = range->start;
		range_end = range->start + range->len;
		while (i + 1 < group->skipped.nr && (range = vec_at(&group->skipped, i + 1)) &&
		       range->start == range_end) {
			range_end += range->len;
			i++;
		}
		/* The last one may go on into what has not been touched yet. */
		if (i + 1 == group->skipped.nr && range_end == group->cursor)
			start = range_start;
		else
			ret = add_free_extent(builder, range_start, range_end, count);
	}
	vec_for_each(&group->excluded, stripe) {
		if (ret || stripe->logical + stripe->len <= start)
			continue;
		ret = add_free_extent(builder, start, min(stripe->logical, end), count);
		start = stripe->logical + stripe->len;
	}
	return ret ? ret : add_free_extent(builder, start, end, count);
}

static int fill_free_space_tree(struct mkfs *mkfs, struct btrfs_tree_builder *builder)
{
	struct mkfs_block_group **group;
	int ret = 0;

	vec_for_each(mkfs_alloc_groups(mkfs->alloc), group) {
		const struct btrfs_key key = {
			(*group)->start, BTRFS_FREE_SPACE_INFO_KEY, (*group)->length,
		};
		struct btrfs_free_space_info info = { 0 };
		u32 count;

		add_free_extents(*group, NULL, &count);
		info.extent_count = htole32(count);
		ret = btrfs_tree_builder_add_item(builder, &key, &info, sizeof(info));
		if (!ret)
			ret = add_free_extents(*group, builder, &count);
		if (ret)
			break;
	}
	return ret;
}

/* ---- roots ---- */

static void set_root_item(const struct mkfs *mkfs, struct btrfs_root_item *item, u64 objectid,
			  const struct btrfs_built_tree *built)
{
	u32 nodesize = mkfs->fs_info->nodesize;
	u64 generation = mkfs_tree_generation(objectid);

	memset(item, 0, sizeof(*item));
	item->inode.generation = htole64(1);
	item->inode.size = htole64(3);
	item->inode.nlink = htole32(1);
	item->inode.nbytes = htole64(nodesize);
	item->inode.mode = htole32(S_IFDIR | 0755);
	item->generation = htole64(generation);
	item->generation_v2 = htole64(generation);
	item->bytenr = htole64(built->bytenr);
	item->bytes_used = htole64(built->nr_blocks * nodesize);
	item->level = built->level;
	item->refs = htole32(1);
	if (btrfs_is_fstree(objectid) || objectid == BTRFS_DATA_RELOC_TREE_OBJECTID)
		item->root_dirid = htole64(BTRFS_FIRST_FREE_OBJECTID);
}

static int add_root(struct mkfs *mkfs, struct mkfs_items *items, u64 objectid,
		    const struct btrfs_built_tree *built)
{
	struct btrfs_root_item item;

	set_root_item(mkfs, &item, objectid, built);
	return mkfs_items_add(items, objectid, BTRFS_ROOT_ITEM_KEY, 0, &item, sizeof(item));
}

static int add_root_refs(struct mkfs_items *items, const struct mkfs_subvol *subvol)
{
	u8 buf[sizeof(struct btrfs_root_ref) + BTRFS_NAME_LEN];
	struct btrfs_root_ref *ref = (struct btrfs_root_ref *)buf;
	u32 size = (u32)sizeof(*ref) + subvol->name_len;
	int ret;

	ref->dirid = htole64(subvol->parent_dirid);
	ref->sequence = htole64(subvol->dir_index);
	ref->name_len = htole16(subvol->name_len);
	memcpy(ref + 1, subvol->name, subvol->name_len);
	ret = mkfs_items_add(items, subvol->parent->objectid, BTRFS_ROOT_REF_KEY,
			     subvol->objectid, ref, size);
	return ret ? ret : mkfs_items_add(items, subvol->objectid, BTRFS_ROOT_BACKREF_KEY,
					  subvol->parent->objectid, ref, size);
}

static int add_subvol_root(struct mkfs *mkfs, struct mkfs_items *items,
			   const struct mkfs_subvol *subvol)
{
	struct btrfs_root_item item;
	int ret;

	set_root_item(mkfs, &item, subvol->objectid, &subvol->built);
	memcpy(item.uuid, subvol->uuid, BTRFS_UUID_SIZE);
	mkfs_set_time(&item.otime, &mkfs->plan->now);
	mkfs_set_time(&item.ctime, &mkfs->plan->now);
	if (subvol->readonly)
		item.flags = htole64(BTRFS_ROOT_SUBVOL_RDONLY);
	if (subvol->parent) {
		item.inode.flags = htole64(BTRFS_INODE_ROOT_ITEM_INIT);
		item.ctransid = item.otransid = htole64(MKFS_FS_GENERATION);
	}
	ret = mkfs_items_add(items, subvol->objectid, BTRFS_ROOT_ITEM_KEY, 0, &item, sizeof(item));
	return ret || !subvol->parent ? ret : add_root_refs(items, subvol);
}

/* The directory of the root tree, whose only entry names the default subvolume. */
static int add_root_dir(struct mkfs *mkfs, struct mkfs_items *items)
{
	static const char name[7] = { 'd', 'e', 'f', 'a', 'u', 'l', 't' };
	u8 buf[sizeof(struct btrfs_dir_item) + sizeof(name)] = { 0 };
	struct btrfs_dir_item *di = (struct btrfs_dir_item *)buf;
	struct btrfs_inode_ref *ref = (struct btrfs_inode_ref *)buf;
	struct btrfs_inode_item inode = {
		.generation = htole64(3),
		.nbytes = htole64(mkfs->fs_info->nodesize),
		.nlink = htole32(1),
		.mode = htole32(S_IFDIR | 0755),
	};
	int ret;

	mkfs_set_time(&inode.atime, &mkfs->plan->now);
	inode.ctime = inode.mtime = inode.otime = inode.atime;
	ret = mkfs_items_add(items, BTRFS_ROOT_TREE_DIR_OBJECTID, BTRFS_INODE_ITEM_KEY, 0, &inode,
			     sizeof(inode));
	if (ret)
		return ret;
	di->location.objectid = htole64(mkfs->default_subvol);
	di->location.type = BTRFS_ROOT_ITEM_KEY;
	di->location.offset = htole64(U64_MAX);
	di->name_len = htole16(sizeof(name));
	di->type = BTRFS_FT_DIR;
	memcpy(di + 1, name, sizeof(name));
	ret = mkfs_items_add(items, BTRFS_ROOT_TREE_DIR_OBJECTID, BTRFS_DIR_ITEM_KEY,
			     btrfs_name_hash(name, sizeof(name)), di, sizeof(buf));
	if (ret)
		return ret;
	memset(buf, 0, sizeof(buf));
	ref->name_len = htole16(2);
	memcpy(ref + 1, "..", 2);
	ret = mkfs_items_add(items, BTRFS_ROOT_TREE_DIR_OBJECTID, BTRFS_INODE_REF_KEY,
			     BTRFS_ROOT_TREE_DIR_OBJECTID, ref, sizeof(*ref) + 2);
	if (ret)
		return ret;
	ref->name_len = htole16(sizeof(name));
	memcpy(ref + 1, name, sizeof(name));
	return mkfs_items_add(items, BTRFS_FS_TREE_OBJECTID, BTRFS_INODE_REF_KEY,
			      BTRFS_ROOT_TREE_DIR_OBJECTID, ref, sizeof(*ref) + sizeof(name));
}

static struct late_tree *find_late_tree(struct late_tree *trees, u64 objectid)
{
	while (trees->objectid != objectid)
		trees++;
	return trees;
}

static int fill_root_tree(struct mkfs *mkfs, struct btrfs_tree_builder *builder)
{
	struct mkfs_subvol **subvol;
	struct mkfs_items items;
	struct mkfs_tree *tree;
	struct late_tree *late;
	int ret;

	mkfs_items_init(&items);
	ret = add_root_dir(mkfs, &items);
	vec_for_each(&mkfs->subvols, subvol)
		if (!ret)
			ret = add_subvol_root(mkfs, &items, *subvol);
	vec_for_each(&mkfs->trees, tree)
		if (!ret)
			ret = add_root(mkfs, &items, tree->objectid, &tree->built);
	for (late = mkfs->late_trees; late->objectid && !ret; late++)
		if (late->objectid != BTRFS_ROOT_TREE_OBJECTID &&
		    late->objectid != BTRFS_CHUNK_TREE_OBJECTID)
			ret = add_root(mkfs, &items, late->objectid, &late->built);
	if (!ret)
		ret = mkfs_items_build(&items, builder);
	mkfs_items_free(&items);
	return ret;
}

/* ---- counting and placing ---- */

/* The levels of blocks in the order in which a builder asks for them. */
static int note_level(void *ctx, u64 owner, u8 level, u64 *bytenr)
{
	(void)owner;
	*bytenr = 0;
	return vec_push_copy(ctx, &level);
}

static int write_nothing(void *ctx, u64 bytenr, const void *block)
{
	(void)ctx;
	(void)bytenr;
	(void)block;
	return 0;
}

/* @sink NULL: the places reserved for the tree. */
static int build_late_tree(struct mkfs *mkfs, struct late_tree *tree,
			   const struct btrfs_tree_sink *sink, struct btrfs_built_tree *built)
{
	struct btrfs_tree_builder *builder;
	int ret = btrfs_tree_builder_create(mkfs->fs_info, tree->objectid,
					    mkfs_tree_generation(tree->objectid),
					    mkfs->plan->chunk_tree_uuid, sink, &builder);

	if (ret)
		return ret;
	ret = tree->fill(mkfs, builder);
	if (!ret)
		ret = btrfs_tree_builder_finish(builder, built);
	btrfs_tree_builder_free(builder);
	return ret;
}

/* Allocate what the tree lacks, give back what it has too much.  1: something changed. */
static int fit_places(struct mkfs *mkfs, struct late_tree *tree, const struct vec *levels)
{
	bool changed = false;
	u64 *bytenr, place;
	int ret = 0;

	while (tree->bytenrs.nr > levels->nr && !ret) {
		bytenr = vec_last(&tree->bytenrs);
		ret = mkfs_free_block(mkfs->alloc, *bytenr);
		vec_pop(&tree->bytenrs);
		changed = true;
	}
	while (tree->bytenrs.nr < levels->nr && !ret) {
		ret = mkfs_alloc_block(mkfs->alloc, tree->objectid, 0,
				       mkfs_tree_generation(tree->objectid), &place);
		if (!ret)
			ret = vec_push_copy(&tree->bytenrs, &place);
		changed = true;
	}
	if (ret)
		return ret;
	for (size_t i = 0; i < levels->nr; i++) {
		bytenr = vec_at(&tree->bytenrs, i);
		changed |= mkfs_set_block_level(mkfs->alloc, *bytenr, *(u8 *)vec_at(levels, i));
	}
	return changed;
}

/* One round of counting.  1: places have changed, so that others may have to. */
static int count_late_trees(struct mkfs *mkfs)
{
	struct vec levels = VEC_INIT(u8);
	const struct btrfs_tree_sink sink = { note_level, write_nothing, &levels };
	struct btrfs_built_tree built;
	struct late_tree *tree;
	bool changed = false;
	int ret = 0;

	for (tree = mkfs->late_trees; tree->objectid && ret >= 0; tree++) {
		vec_clear(&levels);
		ret = build_late_tree(mkfs, tree, &sink, &built);
		if (!ret)
			ret = fit_places(mkfs, tree, &levels);
		if (ret >= 0) {
			tree->built = (struct btrfs_built_tree) {
				.bytenr = *(u64 *)vec_last(&tree->bytenrs),
				.nr_blocks = built.nr_blocks,
				.level = built.level,
			};
			changed |= ret > 0;
		}
	}
	vec_free(&levels);
	return ret < 0 ? ret : changed;
}

static int place_late_trees(struct mkfs *mkfs)
{
	int ret = 1;

	for (int round = 0; round < MAX_ROUNDS && ret > 0; round++)
		ret = count_late_trees(mkfs);
	if (ret > 0) {
		error("cannot place the trees of the file system: their sizes do not settle");
		return -EDEADLK;
	}
	return ret;
}

/* Hands out the places of a tree. */
struct placed_tree {
	const struct vec *bytenrs;
	size_t next;
	const struct btrfs_tree_sink *writer;
};

static int next_place(void *ctx, u64 owner, u8 level, u64 *bytenr)
{
	struct placed_tree *placed = ctx;

	(void)owner;
	(void)level;
	if (placed->next == placed->bytenrs->nr)
		return -EOVERFLOW;
	*bytenr = *(u64 *)vec_at(placed->bytenrs, placed->next++);
	return 0;
}

static int write_placed(void *ctx, u64 bytenr, const void *block)
{
	const struct placed_tree *placed = ctx;

	return placed->writer->write(placed->writer->ctx, bytenr, block);
}

static int write_late_trees(struct mkfs *mkfs)
{
	struct btrfs_built_tree built;
	struct late_tree *tree;
	int ret = 0;

	for (tree = mkfs->late_trees; tree->objectid && !ret; tree++) {
		struct placed_tree placed = {
			.bytenrs = &tree->bytenrs,
			.writer = tree_writer_sink(mkfs->writer),
		};
		const struct btrfs_tree_sink sink = { next_place, write_placed, &placed };

		ret = build_late_tree(mkfs, tree, &sink, &built);
	}
	return ret;
}

/* ---- the superblock ---- */

static int fill_sys_chunk_array(struct mkfs *mkfs)
{
	struct btrfs_fs_info *fs_info = mkfs->fs_info;
	const struct btrfs_chunk_map *map;
	u64 logical = 0;
	int ret = 0;

	for (; !ret && (map = btrfs_next_chunk_map(fs_info, logical));
	     logical = map->logical + map->length)
		if (map->type & BTRFS_BLOCK_GROUP_SYSTEM)
			ret = btrfs_add_system_chunk(fs_info, &fs_info->super_copy, map);
	return ret;
}

static struct btrfs_backup_root_node backup_node(u64 objectid,
						 const struct btrfs_built_tree *built)
{
	return (struct btrfs_backup_root_node) {
		built->bytenr, mkfs_tree_generation(objectid), built->level,
	};
}

static const struct btrfs_built_tree *find_tree(const struct mkfs *mkfs, u64 objectid)
{
	struct mkfs_tree *tree;

	vec_for_each(&mkfs->trees, tree)
		if (tree->objectid == objectid)
			return &tree->built;
	return NULL;
}

static void set_backup_roots(struct mkfs *mkfs)
{
	const struct mkfs_subvol *top = *(struct mkfs_subvol **)vec_at(&mkfs->subvols, 0);
	struct btrfs_backup_roots roots = {
		.fs_root = backup_node(top->objectid, &top->built),
		.csum_root = backup_node(BTRFS_CSUM_TREE_OBJECTID,
					 find_tree(mkfs, BTRFS_CSUM_TREE_OBJECTID)),
	};
	const struct {
		u64 objectid;
		struct btrfs_backup_root_node *node;
	} late[] = {
		{ BTRFS_ROOT_TREE_OBJECTID, &roots.tree_root },
		{ BTRFS_CHUNK_TREE_OBJECTID, &roots.chunk_root },
		{ BTRFS_EXTENT_TREE_OBJECTID, &roots.extent_root },
		{ BTRFS_DEV_TREE_OBJECTID, &roots.dev_root },
	};

	for (size_t i = 0; i < ARRAY_SIZE(late); i++)
		*late[i].node = backup_node(late[i].objectid,
					    &find_late_tree(mkfs->late_trees, late[i].objectid)->built);
	btrfs_set_super_backup(&mkfs->fs_info->super_copy, &roots);
}

static int fill_super(struct mkfs *mkfs)
{
	const struct btrfs_built_tree *root =
		&find_late_tree(mkfs->late_trees, BTRFS_ROOT_TREE_OBJECTID)->built;
	const struct btrfs_built_tree *chunk =
		&find_late_tree(mkfs->late_trees, BTRFS_CHUNK_TREE_OBJECTID)->built;
	struct btrfs_super_block *sb = &mkfs->fs_info->super_copy;
	struct mkfs_block_group **group;
	u64 total_bytes = 0, bytes_used = 0;
	int ret = fill_sys_chunk_array(mkfs);

	if (ret)
		return ret;
	for (unsigned int i = 0; i < mkfs->fs_info->fs_devices->nr_devices; i++)
		total_bytes += mkfs->fs_info->fs_devices->devices[i]->total_bytes;
	vec_for_each(mkfs_alloc_groups(mkfs->alloc), group)
		bytes_used += (*group)->used;
	sb->total_bytes = htole64(total_bytes);
	sb->bytes_used = htole64(bytes_used);
	sb->root = htole64(root->bytenr);
	sb->root_level = root->level;
	sb->chunk_root = htole64(chunk->bytenr);
	sb->chunk_root_level = chunk->level;
	sb->chunk_root_generation = htole64(MKFS_GENERATION);
	set_backup_roots(mkfs);
	return 0;
}

int mkfs_write_global_trees(struct mkfs *mkfs)
{
	struct late_tree trees[] = {
		{ .objectid = BTRFS_CHUNK_TREE_OBJECTID, .fill = fill_chunk_tree },
		{ .objectid = BTRFS_DEV_TREE_OBJECTID, .fill = fill_dev_tree },
		{ .objectid = BTRFS_EXTENT_TREE_OBJECTID, .fill = fill_extent_tree },
		{ .objectid = BTRFS_ROOT_TREE_OBJECTID, .fill = fill_root_tree },
		{ .objectid = 0 },	/* room for the optional ones */
		{ .objectid = 0 },
		{ .objectid = 0 },
	};
	struct late_tree *next = &trees[4];
	int ret;

	if (mkfs->fs_info->compat_ro & BTRFS_FEATURE_COMPAT_RO_FREE_SPACE_TREE)
		*next++ = (struct late_tree){ .objectid = BTRFS_FREE_SPACE_TREE_OBJECTID,
					      .fill = fill_free_space_tree };
	if (mkfs->fs_info->compat_ro & BTRFS_FEATURE_COMPAT_RO_BLOCK_GROUP_TREE)
		*next++ = (struct late_tree){ .objectid = BTRFS_BLOCK_GROUP_TREE_OBJECTID,
					      .fill = fill_block_group_tree };
	for (size_t i = 0; i < ARRAY_SIZE(trees); i++)
		vec_init(&trees[i].bytenrs, sizeof(u64));
	mkfs->late_trees = trees;
	ret = place_late_trees(mkfs);
	if (!ret && mkfs->plan->shrink) {
		ret = tree_writer_flush(mkfs->writer);
		if (!ret)
			ret = mkfs_shrink(mkfs);
		/* With smaller block groups there is less to tell, never more. */
		if (!ret)
			ret = place_late_trees(mkfs);
	}
	if (!ret)
		ret = write_late_trees(mkfs);
	if (!ret)
		ret = fill_super(mkfs);
	mkfs->late_trees = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(trees); i++)
		vec_free(&trees[i].bytenrs);
	return ret;
}
