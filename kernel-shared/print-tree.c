// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tree blocks as text: header, keys, the choice of printer for every item,
 * and the walks through a tree.  What items say is printed by print-item-*.c.
 */
#include "kernel-shared/print-tree.h"

#include <errno.h>

#include "common/vec.h"
#include "kernel-shared/disk-io.h"
#include "kernel-shared/key-names.h"
#include "kernel-shared/print-item.h"

/* ---- one block ---- */

/* Types that are not here are shown by their key alone. */
static const print_item_fn item_printers[256] = {
	[BTRFS_INODE_ITEM_KEY] = print_inode_item,
	[BTRFS_INODE_REF_KEY] = print_inode_ref_item,
	[BTRFS_INODE_EXTREF_KEY] = print_inode_extref_item,
	[BTRFS_XATTR_ITEM_KEY] = print_dir_item,
	[BTRFS_ORPHAN_ITEM_KEY] = print_orphan_item,
	[BTRFS_DIR_LOG_ITEM_KEY] = print_dir_log_item,
	[BTRFS_DIR_LOG_INDEX_KEY] = print_dir_log_item,
	[BTRFS_DIR_ITEM_KEY] = print_dir_item,
	[BTRFS_DIR_INDEX_KEY] = print_dir_item,
	[BTRFS_EXTENT_DATA_KEY] = print_file_extent_item,
	[BTRFS_OLD_CSUM_ITEM_KEY] = print_old_csum_item,
	[BTRFS_EXTENT_CSUM_KEY] = print_extent_csum_item,
	[BTRFS_ROOT_ITEM_KEY] = print_root_item,
	[BTRFS_ROOT_BACKREF_KEY] = print_root_ref_item,
	[BTRFS_ROOT_REF_KEY] = print_root_ref_item,
	[BTRFS_EXTENT_ITEM_KEY] = print_extent_item,
	[BTRFS_METADATA_ITEM_KEY] = print_extent_item,
	[BTRFS_TREE_BLOCK_REF_KEY] = print_tree_block_ref_item,
	[BTRFS_EXTENT_DATA_REF_KEY] = print_extent_data_ref_item,
	[BTRFS_EXTENT_REF_V0_KEY] = print_extent_ref_v0_item,
	[BTRFS_SHARED_BLOCK_REF_KEY] = print_shared_block_ref_item,
	[BTRFS_SHARED_DATA_REF_KEY] = print_shared_data_ref_item,
	[BTRFS_BLOCK_GROUP_ITEM_KEY] = print_block_group_item,
	[BTRFS_FREE_SPACE_INFO_KEY] = print_free_space_info_item,
	[BTRFS_FREE_SPACE_EXTENT_KEY] = print_free_space_extent_item,
	[BTRFS_FREE_SPACE_BITMAP_KEY] = print_free_space_bitmap_item,
	[BTRFS_DEV_EXTENT_KEY] = print_dev_extent_item,
	[BTRFS_DEV_ITEM_KEY] = print_dev_item,
	[BTRFS_CHUNK_ITEM_KEY] = print_chunk_item,
	[BTRFS_QGROUP_STATUS_KEY] = print_qgroup_status_item,
	[BTRFS_QGROUP_INFO_KEY] = print_qgroup_info_item,
	[BTRFS_QGROUP_LIMIT_KEY] = print_qgroup_limit_item,
	[BTRFS_TEMPORARY_ITEM_KEY] = print_temporary_item,
	[BTRFS_PERSISTENT_ITEM_KEY] = print_persistent_item,
	[BTRFS_UUID_KEY_SUBVOL] = print_uuid_item,
	[BTRFS_UUID_KEY_RECEIVED_SUBVOL] = print_uuid_item,
	[BTRFS_STRING_ITEM_KEY] = print_string_item,
};

static print_item_fn find_printer(const struct btrfs_key *key)
{
	if (key->type == 0 && key->objectid == BTRFS_FREE_SPACE_OBJECTID)
		return print_free_space_header_item;
	return item_printers[key->type];
}

static void print_slot(const struct btrfs_print_ctx *ctx, const struct extent_buffer *eb, u32 slot)
{
	struct print_item item = {
		.ctx = ctx,
		.eb = eb,
		.slot = slot,
		.data = btrfs_item_data(eb, slot),
		.size = btrfs_item_size(eb, slot),
	};
	print_item_fn printer;

	btrfs_item_key_to_cpu(eb, &item.key, slot);
	fprintf(ctx->out, "\titem %u ", slot);
	btrfs_print_key(ctx->out, &item.key);
	fprintf(ctx->out, " itemoff %u itemsize %u\n", btrfs_item_offset(eb, slot), item.size);
	printer = find_printer(&item.key);
	if (printer && eb_holds(eb, item.data, item.size))
		printer(&item);
}

static u32 leaf_free_space(const struct extent_buffer *eb)
{
	u32 nritems = btrfs_header_nritems(eb);
	u32 data_start = nritems ? btrfs_item_offset(eb, nritems - 1) : btrfs_leaf_data_size(eb);

	return data_start - nritems * (u32)sizeof(struct btrfs_item);
}

static void print_counts(FILE *out, const struct extent_buffer *eb)
{
	u32 nritems = btrfs_header_nritems(eb);

	if (btrfs_header_level(eb))
		fprintf(out, "node %llu level %u items %u free space %u", eb->start,
			btrfs_header_level(eb), nritems, btrfs_max_nodeptrs(eb->len) - nritems);
	else
		fprintf(out, "leaf %llu items %u free space %u", eb->start, nritems,
			leaf_free_space(eb));
	fprintf(out, " generation %llu owner ", btrfs_header_generation(eb));
	btrfs_print_objectid(out, btrfs_header_owner(eb), 0);
	putc('\n', out);
}

static void print_header(const struct btrfs_print_ctx *ctx, const struct extent_buffer *eb)
{
	static const struct print_flag flag_names[] = {
		{ BTRFS_HEADER_FLAG_WRITTEN, "WRITTEN" },
		{ BTRFS_HEADER_FLAG_RELOC, "RELOC" },
	};
	u64 flags = btrfs_header_flags(eb);
	FILE *out = ctx->out;

	print_counts(out, eb);
	fprintf(out, "%s %llu flags 0x%llx(", btrfs_header_level(eb) ? "node" : "leaf", eb->start,
		flags);
	print_flag_names(out, flags, flag_names, ARRAY_SIZE(flag_names), "");
	fprintf(out, ") backref revision %u", btrfs_header_backref_rev(eb));
	if (ctx->csum_headers) {
		fputs(" csum 0x", out);
		print_hex(out, btrfs_header(eb)->csum, eb->fs_info->csum_size);
	}
	putc('\n', out);
	print_uuid(out, "fs uuid", btrfs_header(eb)->fsid);
	print_uuid(out, "chunk uuid", btrfs_header(eb)->chunk_tree_uuid);
}

static void print_node_ptr(FILE *out, const struct extent_buffer *eb, u32 slot)
{
	struct btrfs_key key;

	btrfs_node_key_to_cpu(eb, &key, slot);
	putc('\t', out);
	btrfs_print_key(out, &key);
	fprintf(out, " block %llu gen %llu\n", btrfs_node_blockptr(eb, slot),
		btrfs_node_ptr_generation(eb, slot));
}

void btrfs_print_block(const struct btrfs_print_ctx *ctx, const struct extent_buffer *eb)
{
	u32 nritems = btrfs_header_nritems(eb);

	print_header(ctx, eb);
	for (u32 slot = 0; slot < nritems; slot++) {
		if (btrfs_header_level(eb))
			print_node_ptr(ctx->out, eb, slot);
		else
			print_slot(ctx, eb, slot);
	}
}

/* ---- walks ---- */

struct block_walk {
	btrfs_visit_fn visit;
	void *data;
	bool leaves_only;
	/*
	 * Breadth first only: nodes whose children come next.  Addresses, not
	 * blocks: the nodes of a large tree would fill the memory, and those
	 * just visited mostly are still in the cache.
	 */
	struct vec next;
};

struct queued_node {
	u64 bytenr;
	u64 generation;
};

typedef int (*child_fn)(struct block_walk *walk, const struct extent_buffer *child);

/* What is left of a walk after a step of it ended with @err. */
static int walk_result(int so_far, int err)
{
	if (err == -ENOMEM || so_far == -ENOMEM)
		return -ENOMEM;
	return so_far || err ? -EIO : 0;
}

/* Children are asked for in windows: enough for large requests, little enough to stay cached. */
#define READAHEAD_WINDOW 32U

static void readahead_from(const struct extent_buffer *node, u32 slot)
{
	u32 nritems = btrfs_header_nritems(node);

	if (slot < nritems)
		btrfs_readahead_node_children(node, slot,
					      min(slot + READAHEAD_WINDOW, nritems) - 1);
}

/* One window is always on its way while another is in use. */
static int for_each_child(struct block_walk *walk, const struct extent_buffer *node, child_fn fn)
{
	u32 nritems = btrfs_header_nritems(node);
	struct extent_buffer *child;
	int ret = 0;

	readahead_from(node, 0);
	for (u32 slot = 0; slot < nritems && ret != -ENOMEM; slot++) {
		int err;

		if (slot % READAHEAD_WINDOW == 0)
			readahead_from(node, slot + READAHEAD_WINDOW);
		err = btrfs_read_node_slot(node, slot, 0, &child);
		if (!err) {
			err = fn(walk, child);
			free_extent_buffer(child);
		}
		ret = walk_result(ret, err);
	}
	return ret;
}

/* As deep as the tree is: BTRFS_MAX_LEVEL calls at most, since levels are verified. */
static int walk_depth_first(struct block_walk *walk, const struct extent_buffer *eb)
{
	int ret = 0;

	if (!walk->leaves_only || !btrfs_header_level(eb))
		ret = walk_result(0, walk->visit(eb, walk->data));
	if (btrfs_header_level(eb) && ret != -ENOMEM)
		ret = walk_result(ret, for_each_child(walk, eb, walk_depth_first));
	return ret;
}

static int visit_and_queue(struct block_walk *walk, const struct extent_buffer *eb)
{
	struct queued_node node = { eb->start, btrfs_header_generation(eb) };
	int ret = walk->visit(eb, walk->data);

	if (btrfs_header_level(eb))
		ret = walk_result(ret, vec_push_copy(&walk->next, &node));
	return ret;
}

static int walk_children_of(struct block_walk *walk, struct btrfs_fs_info *fs_info,
			    const struct queued_node *queued, u8 level)
{
	struct btrfs_tree_parent_check check = {
		.transid = queued->generation,
		.level = level,
	};
	struct extent_buffer *node;
	int ret = btrfs_read_tree_block(fs_info, queued->bytenr, &check, &node);

	if (ret)
		return ret;
	ret = for_each_child(walk, node, visit_and_queue);
	free_extent_buffer(node);
	return ret;
}

static int walk_breadth_first(struct block_walk *walk, const struct extent_buffer *eb)
{
	int ret = walk_result(0, visit_and_queue(walk, eb));

	for (u8 level = btrfs_header_level(eb); level && ret != -ENOMEM; level--) {
		struct vec queue = walk->next;

		vec_init(&walk->next, sizeof(struct queued_node));
		for (size_t i = 0; i < queue.nr && ret != -ENOMEM; i++)
			ret = walk_result(ret, walk_children_of(walk, eb->fs_info,
								vec_at(&queue, i), level));
		vec_free(&queue);
	}
	vec_free(&walk->next);
	return ret;
}

int btrfs_walk_blocks(const struct extent_buffer *eb, enum btrfs_walk_order order,
		      btrfs_visit_fn visit, void *data)
{
	struct block_walk walk = {
		.visit = visit,
		.data = data,
		.leaves_only = order == BTRFS_WALK_LEAVES,
		.next = VEC_INIT(struct queued_node),
	};

	if (order == BTRFS_WALK_BFS)
		return walk_breadth_first(&walk, eb);
	return walk_depth_first(&walk, eb);
}

static int print_visited(const struct extent_buffer *eb, void *data)
{
	btrfs_print_block(data, eb);
	return 0;
}

int btrfs_print_tree(const struct btrfs_print_ctx *ctx, const struct extent_buffer *eb,
		     enum btrfs_walk_order order)
{
	struct btrfs_print_ctx copy = *ctx;

	return btrfs_walk_blocks(eb, order, print_visited, &copy);
}
