// SPDX-License-Identifier: GPL-2.0-only
/*
 * Trees from the bottom up; tree-builder.h says what for.
 */
#include "kernel-shared/tree-builder.h"

#include <errno.h>
#include <stdlib.h>

#include "common/message.h"

/* The block of a level that is being filled. */
struct open_block {
	u8 *data;
	u32 nritems;
	u32 data_start;		/* of a leaf: where the data of the last item begins */
	bool handed_on;		/* a block of this level is complete: there is a level above */
};

struct btrfs_tree_builder {
	struct btrfs_fs_info *fs_info;
	const struct btrfs_tree_sink *sink;
	u64 owner;
	u64 generation;
	u8 chunk_tree_uuid[BTRFS_UUID_SIZE];
	struct btrfs_key last_key;
	bool have_key;
	u64 nr_blocks;
	u64 last_bytenr;
	struct open_block levels[BTRFS_MAX_LEVEL];
};

static u32 leaf_data_size(const struct btrfs_tree_builder *builder)
{
	return builder->fs_info->nodesize - (u32)sizeof(struct btrfs_header);
}

int btrfs_tree_builder_create(struct btrfs_fs_info *fs_info, u64 owner, u64 generation,
			      const u8 *chunk_tree_uuid, const struct btrfs_tree_sink *sink,
			      struct btrfs_tree_builder **ret)
{
	struct btrfs_tree_builder *builder = calloc(1, sizeof(*builder));

	if (!builder)
		return -ENOMEM;
	builder->fs_info = fs_info;
	builder->sink = sink;
	builder->owner = owner;
	builder->generation = generation;
	memcpy(builder->chunk_tree_uuid, chunk_tree_uuid, BTRFS_UUID_SIZE);
	builder->levels[0].data = calloc(1, fs_info->nodesize);
	builder->levels[0].data_start = leaf_data_size(builder);
	if (!builder->levels[0].data) {
		free(builder);
		return -ENOMEM;
	}
	*ret = builder;
	return 0;
}

void btrfs_tree_builder_free(struct btrfs_tree_builder *builder)
{
	if (!builder)
		return;
	for (int level = 0; level < BTRFS_MAX_LEVEL; level++)
		free(builder->levels[level].data);
	free(builder);
}

static void cpu_key_to_disk(struct btrfs_disk_key *disk, const struct btrfs_key *cpu)
{
	disk->objectid = htole64(cpu->objectid);
	disk->type = cpu->type;
	disk->offset = htole64(cpu->offset);
}

static void fill_header(const struct btrfs_tree_builder *builder, u8 level, u64 bytenr)
{
	const struct open_block *block = &builder->levels[level];
	struct btrfs_header *header = (struct btrfs_header *)block->data;

	memcpy(header->fsid, builder->fs_info->metadata_uuid, BTRFS_FSID_SIZE);
	memcpy(header->chunk_tree_uuid, builder->chunk_tree_uuid, BTRFS_UUID_SIZE);
	header->bytenr = htole64(bytenr);
	header->flags = htole64(BTRFS_HEADER_FLAG_WRITTEN |
				(u64)BTRFS_MIXED_BACKREF_REV << BTRFS_BACKREF_REV_SHIFT);
	header->generation = htole64(builder->generation);
	header->owner = htole64(builder->owner);
	header->nritems = htole32(block->nritems);
	header->level = level;
}

static struct btrfs_disk_key first_key(const struct open_block *block, u8 level)
{
	if (level)
		return ((const struct btrfs_node *)block->data)->ptrs[0].key;
	return ((const struct btrfs_leaf *)block->data)->items[0].key;
}

/* Give the block of @level an address, hand it on, and begin another. */
static int hand_on(struct btrfs_tree_builder *builder, u8 level)
{
	struct open_block *block = &builder->levels[level];
	u64 bytenr = 0;
	int ret = 0;

	if (builder->sink) {
		ret = builder->sink->alloc(builder->sink->ctx, builder->owner, level, &bytenr);
		if (ret)
			return ret;
		fill_header(builder, level, bytenr);
		ret = builder->sink->write(builder->sink->ctx, bytenr, block->data);
	}
	memset(block->data, 0, builder->fs_info->nodesize);
	block->nritems = 0;
	block->data_start = leaf_data_size(builder);
	block->handed_on = true;
	builder->last_bytenr = bytenr;
	builder->nr_blocks++;
	return ret;
}

/* Hand a block on that is not the root, and all above that is full by it. */
static int push_up(struct btrfs_tree_builder *builder, u8 level)
{
	struct btrfs_disk_key key = first_key(&builder->levels[level], level);
	struct btrfs_key_ptr *ptr;
	struct open_block *node;
	int ret = hand_on(builder, level);
	u64 child = builder->last_bytenr;

	if (ret)
		return ret;
	if (level + 1 >= BTRFS_MAX_LEVEL)
		return -EOVERFLOW;
	node = &builder->levels[level + 1];
	if (!node->data)
		node->data = calloc(1, builder->fs_info->nodesize);
	if (!node->data)
		return -ENOMEM;
	if (node->nritems == btrfs_max_nodeptrs(builder->fs_info->nodesize)) {
		ret = push_up(builder, (u8)(level + 1));
		if (ret)
			return ret;
	}
	ptr = &((struct btrfs_node *)node->data)->ptrs[node->nritems++];
	ptr->key = key;
	ptr->blockptr = htole64(child);
	ptr->generation = htole64(builder->generation);
	return 0;
}

int btrfs_tree_builder_add(struct btrfs_tree_builder *builder, const struct btrfs_key *key,
			   u32 size, void **data)
{
	struct open_block *leaf = &builder->levels[0];
	struct btrfs_item *item;

	if (builder->have_key && btrfs_comp_cpu_keys(&builder->last_key, key) >= 0) {
		error("tree %llu: item " BTRFS_KEY_FMT " does not follow " BTRFS_KEY_FMT,
		      builder->owner, BTRFS_KEY_ARGS(key), BTRFS_KEY_ARGS(&builder->last_key));
		return -EUCLEAN;
	}
	if (size > btrfs_max_item_size(builder->fs_info->nodesize))
		return -EOVERFLOW;
	if ((leaf->nritems + 1) * sizeof(*item) + size > leaf->data_start) {
		int ret = push_up(builder, 0);

		if (ret)
			return ret;
	}
	leaf->data_start -= size;
	item = &((struct btrfs_leaf *)leaf->data)->items[leaf->nritems++];
	cpu_key_to_disk(&item->key, key);
	item->offset = htole32(leaf->data_start);
	item->size = htole32(size);
	*data = leaf->data + sizeof(struct btrfs_header) + leaf->data_start;
	builder->last_key = *key;
	builder->have_key = true;
	return 0;
}

int btrfs_tree_builder_add_item(struct btrfs_tree_builder *builder, const struct btrfs_key *key,
				const void *data, u32 size)
{
	void *dest;
	int ret = btrfs_tree_builder_add(builder, key, size, &dest);

	if (!ret && size)
		memcpy(dest, data, size);
	return ret;
}

int btrfs_tree_builder_finish(struct btrfs_tree_builder *builder, struct btrfs_built_tree *tree)
{
	u8 level = 0;
	int ret;

	/* The level that never handed a block on holds the root. */
	while (builder->levels[level].handed_on) {
		if (builder->levels[level].nritems) {
			ret = push_up(builder, level);
			if (ret)
				return ret;
		}
		level++;
	}
	ret = hand_on(builder, level);
	*tree = (struct btrfs_built_tree) {
		.bytenr = builder->last_bytenr,
		.nr_blocks = builder->nr_blocks,
		.level = level,
	};
	return ret;
}
