// SPDX-License-Identifier: GPL-2.0-only
/*
 * Freeing the tree of a deleted subvolume.
 *
 * The walk goes down only where the tree is the last to refer to a block; that
 * block's references are dropped, then the block itself.  Of a block that others
 * use too only the tree's reference goes.  But the blocks below it may count as
 * referred to by this tree, by its id, which will mean nothing soon: if the
 * tree owns the block, those references first become the block's own (full
 * back references, see ctree-cow.c).
 *
 * The tree itself is never changed.  How far the walk has come stands in the
 * root item (drop_progress: the key of the first pointer that is still to be
 * dropped, in a node at drop_level), so that it can be interrupted by a commit,
 * or by a crash.
 */
#include <errno.h>
#include <stdlib.h>

#include "common/message.h"
#include "common/vec.h"
#include "kernel-shared/accessors-set.h"
#include "kernel-shared/block-group.h"
#include "kernel-shared/disk-io.h"
#include "kernel-shared/extent-tree.h"
#include "kernel-shared/inode-item.h"
#include "kernel-shared/root-tree.h"
#include "kernel-shared/subvolume.h"
#include "kernel-shared/transaction.h"

/* After so many blocks the transaction is asked whether it has had enough. */
#define BLOCKS_BETWEEN_CHECKS	16U
/* What dropping as many blocks changes in the extent tree, at the most. */
#define ITEMS_TO_RESERVE	32U

struct drop_walk {
	struct btrfs_fs_info *fs_info;
	struct btrfs_trans_handle *trans;
	struct btrfs_root *root;
	bool update_refs;	/* blocks below shared ones may need full back references */
	unsigned int nr_blocks;	/* since the last check */
};

/* A block on the way down, with what its extent item says. */
struct drop_block {
	struct extent_buffer *eb;
	u64 flags;
	const struct drop_block *parent;	/* NULL: the root */
};

static bool has_full_backref(const struct drop_block *block)
{
	return (block->flags & BTRFS_BLOCK_FLAG_FULL_BACKREF) != 0;
}

static int lookup_refs(struct drop_walk *walk, u64 bytenr, u8 level, u64 *refs, u64 *flags)
{
	int ret = btrfs_lookup_extent_info(walk->trans, bytenr, level, true, refs, flags, NULL);

	if (ret == -ENOENT || (!ret && !*refs)) {
		error("%s: tree block at %llu of tree %llu has no reference", walk->fs_info->name,
		      bytenr, btrfs_root_id(walk->root));
		return -EUCLEAN;
	}
	return ret;
}

/* A reference by the tree's id only counts if the tree owns the block that it is in. */
static int check_owner(struct drop_walk *walk, const struct drop_block *holder)
{
	if (has_full_backref(holder) || holder->eb->owner == btrfs_root_id(walk->root))
		return 0;
	error("%s: tree block at %llu belongs to tree %llu, but only tree %llu refers to it",
	      walk->fs_info->name, holder->eb->start, holder->eb->owner,
	      btrfs_root_id(walk->root));
	return -EUCLEAN;
}

/* ---- interruptions ---- */

static int save_progress(struct drop_walk *walk, const struct drop_block *node, u32 slot)
{
	struct btrfs_root_item *item = &walk->root->root_item;

	btrfs_node_key(node->eb, &item->drop_progress, slot);
	item->drop_level = node->eb->level;
	return btrfs_update_root(walk->trans, &walk->root->root_key, item);
}

/* A new transaction in place of the one that is committed. */
static int commit_and_go_on(struct drop_walk *walk)
{
	int ret = btrfs_commit_transaction(walk->trans);

	walk->trans = NULL;
	return ret ? ret : btrfs_start_transaction(walk->fs_info, &walk->trans);
}

/*
 * Before the child in @slot is dropped: see that there is space to do it, and
 * that the transaction does not grow without bound.
 */
static int pause_walk(struct drop_walk *walk, const struct drop_block *node, u32 slot)
{
	int ret;

	if (walk->nr_blocks < BLOCKS_BETWEEN_CHECKS)
		return 0;
	walk->nr_blocks = 0;
	ret = btrfs_reserve_metadata_to_remove(walk->trans, ITEMS_TO_RESERVE);
	if (ret != -ENOSPC)
		return ret ? ret : btrfs_btree_balance_dirty(walk->trans);
	/* What this transaction has freed is there after its commit. */
	ret = save_progress(walk, node, slot);
	if (!ret)
		ret = commit_and_go_on(walk);
	return ret ? ret : btrfs_reserve_metadata_to_remove(walk->trans, ITEMS_TO_RESERVE);
}

/* ---- full back references ---- */

/* Whether the blocks below a pointer of this age may count as this tree's alone. */
static bool is_younger_than_snapshot(const struct drop_walk *walk, const struct extent_buffer *node,
				     u32 slot)
{
	return btrfs_node_ptr_generation(node, slot) > walk->root->root_key.offset;
}

/* References in @eb and below that are by the tree's id become those of the blocks. */
static int update_backrefs(struct drop_walk *walk, struct extent_buffer *eb, u64 flags)
{
	int ret = 0;

	if (eb->owner != btrfs_root_id(walk->root))
		return 0;
	if (!(flags & BTRFS_BLOCK_FLAG_FULL_BACKREF)) {
		ret = btrfs_inc_ref(walk->trans, walk->root, eb, true);
		if (!ret)
			ret = btrfs_dec_ref(walk->trans, walk->root, eb, false);
		if (!ret)
			ret = btrfs_set_disk_extent_flags(walk->trans, eb,
							  BTRFS_BLOCK_FLAG_FULL_BACKREF);
	}
	walk->nr_blocks++;
	for (u32 slot = 0; !ret && eb->level && slot < eb->nritems; slot++) {
		struct extent_buffer *child;
		u64 refs, child_flags;

		if (!is_younger_than_snapshot(walk, eb, slot))
			continue;
		ret = lookup_refs(walk, btrfs_node_blockptr(eb, slot), eb->level - 1, &refs,
				  &child_flags);
		if (ret || (eb->level == 1 && (child_flags & BTRFS_BLOCK_FLAG_FULL_BACKREF)))
			continue;
		ret = btrfs_read_node_slot(eb, slot, btrfs_root_id(walk->root), &child);
		if (ret)
			break;
		ret = update_backrefs(walk, child, child_flags);
		free_extent_buffer(child);
	}
	return ret;
}

/* ---- dropping ---- */

/* The child goes on to be used by others: only our reference to it goes. */
static int drop_shared_child(struct drop_walk *walk, const struct drop_block *node, u32 slot,
			     u64 flags)
{
	u64 bytenr = btrfs_node_blockptr(node->eb, slot);
	u8 level = node->eb->level - 1;
	struct extent_buffer *child;
	struct btrfs_ref ref;
	int ret;

	if (walk->update_refs && is_younger_than_snapshot(walk, node->eb, slot) &&
	    !(level == 0 && (flags & BTRFS_BLOCK_FLAG_FULL_BACKREF))) {
		ret = btrfs_read_node_slot(node->eb, slot, btrfs_root_id(walk->root), &child);
		if (ret)
			return ret;
		ret = update_backrefs(walk, child, flags);
		free_extent_buffer(child);
		if (ret)
			return ret;
	}
	ret = check_owner(walk, node);
	if (ret)
		return ret;
	btrfs_init_tree_ref(&ref, bytenr, walk->fs_info->nodesize,
			    has_full_backref(node) ? node->eb->start : 0,
			    btrfs_root_id(walk->root), level);
	return btrfs_free_extent(walk->trans, &ref);
}

static int drop_children(struct drop_walk *walk, const struct drop_block *node, bool resume);

/* The block and all that only it refers to. */
static int drop_subtree(struct drop_walk *walk, const struct drop_block *block, bool resume)
{
	struct extent_buffer *eb = block->eb;
	const struct drop_block *holder = block->parent ? block->parent : block;
	u64 parent = 0;
	int ret;

	if (eb->level)
		ret = drop_children(walk, block, resume);
	else
		ret = btrfs_dec_ref(walk->trans, walk->root, eb, has_full_backref(block));
	if (!ret)
		ret = check_owner(walk, holder);
	if (ret)
		return ret;
	if (has_full_backref(holder))
		parent = holder->eb->start;
	walk->nr_blocks++;
	btrfs_clear_buffer_dirty(walk->trans, eb);
	return btrfs_free_tree_block(walk->trans, btrfs_root_id(walk->root), eb, parent, true);
}

static int drop_child(struct drop_walk *walk, const struct drop_block *node, u32 slot, bool resume)
{
	struct drop_block child = { .parent = node };
	u64 refs;
	int ret;

	ret = lookup_refs(walk, btrfs_node_blockptr(node->eb, slot), node->eb->level - 1, &refs,
			  &child.flags);
	if (ret)
		return ret;
	if (refs > 1)
		return drop_shared_child(walk, node, slot, child.flags);
	ret = btrfs_read_node_slot(node->eb, slot, btrfs_root_id(walk->root), &child.eb);
	if (ret)
		return ret;
	ret = drop_subtree(walk, &child, resume);
	free_extent_buffer(child.eb);
	return ret;
}

static int drop_children(struct drop_walk *walk, const struct drop_block *node, bool resume)
{
	const struct btrfs_root_item *item = &walk->root->root_item;
	struct btrfs_key progress;
	u32 slot = 0;
	int ret = 0;

	if (resume) {
		btrfs_disk_key_to_cpu(&progress, &item->drop_progress);
		ret = btrfs_bin_search(node->eb, &progress, &slot);
		if (ret && node->eb->level == item->drop_level) {
			error("%s: drop progress of tree %llu is not in the tree",
			      walk->fs_info->name, btrfs_root_id(walk->root));
			return -EUCLEAN;
		}
		if (ret && slot > 0)
			slot--;
		resume = node->eb->level > item->drop_level;
	}
	if (node->eb->level == 1)
		btrfs_readahead_node_children(node->eb, slot, node->eb->nritems - 1);
	for (ret = 0; !ret && slot < node->eb->nritems; slot++) {
		/* Inside the child that was begun, the place is further down. */
		if (!resume)
			ret = pause_walk(walk, node, slot);
		if (!ret)
			ret = drop_child(walk, node, slot, resume);
		resume = false;
	}
	return ret;
}

/* The tree is gone: so are its root item and the note that it has to be dropped. */
static int forget_root(struct drop_walk *walk)
{
	struct btrfs_root *tree_root = walk->fs_info->tree_root;
	u64 objectid = btrfs_root_id(walk->root);
	int ret;

	btrfs_forget_dirty_root(walk->trans, walk->root);
	ret = btrfs_del_root(walk->trans, &walk->root->root_key);
	if (!ret)
		ret = btrfs_del_orphan_item(walk->trans, tree_root, objectid);
	return ret == -ENOENT ? 0 : ret;
}

static int drop_tree(struct drop_walk *walk)
{
	struct btrfs_root *root = walk->root;
	struct drop_block top = { .eb = root->node };
	bool resume = root->root_item.drop_progress.objectid != 0;
	u64 refs;
	int ret;

	if (resume && (root->root_item.drop_level == 0 ||
		       root->root_item.drop_level > root->node->level)) {
		error("%s: drop level of tree %llu is invalid", walk->fs_info->name,
		      btrfs_root_id(root));
		return -EUCLEAN;
	}
	ret = lookup_refs(walk, root->node->start, root->node->level, &refs, &top.flags);
	if (ret)
		return ret;
	walk->update_refs = btrfs_header_backref_rev(root->node) >= BTRFS_MIXED_BACKREF_REV;
	walk->nr_blocks = BLOCKS_BETWEEN_CHECKS;
	ret = drop_subtree(walk, &top, resume);
	return ret ? ret : forget_root(walk);
}

static int drop_root(struct btrfs_fs_info *fs_info, struct btrfs_root *root)
{
	struct drop_walk walk = { .fs_info = fs_info, .root = root };
	int ret = btrfs_start_transaction(fs_info, &walk.trans);

	if (ret)
		return ret;
	ret = drop_tree(&walk);
	if (!walk.trans)	/* a commit on the way failed */
		return ret;
	if (!ret)
		return btrfs_commit_transaction(walk.trans);
	btrfs_abort_transaction(walk.trans, ret);
	btrfs_end_transaction(walk.trans);
	return ret;
}

int btrfs_drop_snapshot(struct btrfs_fs_info *fs_info, u64 objectid)
{
	struct btrfs_root *root, *known;
	int ret;

	if (fs_info->running_transaction || !btrfs_is_fstree(objectid))
		return -EINVAL;
	ret = btrfs_read_tree_root(fs_info, objectid, &root);
	if (ret)
		return ret;
	if (root->root_item.refs) {
		btrfs_free_root(root);
		return -EBUSY;
	}
	pthread_mutex_lock(&fs_info->roots_lock);
	known = u64_map_remove(&fs_info->fs_roots, objectid);
	pthread_mutex_unlock(&fs_info->roots_lock);
	btrfs_free_root(known);
	ret = drop_root(fs_info, root);
	btrfs_free_root(root);
	return ret;
}

/* ---- all of them ---- */

static int collect_dead_root(struct btrfs_root *tree_root __unused,
			     const struct extent_buffer *leaf __unused, u32 slot __unused,
			     const struct btrfs_key *key, void *ctx)
{
	if (key->type != BTRFS_ORPHAN_ITEM_KEY)
		return 0;
	return vec_push_copy(ctx, &key->offset);
}

int btrfs_drop_dead_roots(struct btrfs_fs_info *fs_info, unsigned int *nr)
{
	const struct btrfs_key from = { BTRFS_ORPHAN_OBJECTID, BTRFS_ORPHAN_ITEM_KEY, 0 };
	const struct btrfs_key to = { BTRFS_ORPHAN_OBJECTID, BTRFS_ORPHAN_ITEM_KEY, (u64)-1 };
	struct vec ids = VEC_INIT(u64);
	unsigned int dropped = 0;
	u64 *id;
	int ret;

	ret = btrfs_for_each_item(fs_info->tree_root, &from, &to, collect_dead_root, &ids);
	if (!ret) {
		vec_for_each(&ids, id) {
			ret = btrfs_is_fstree(*id) ? btrfs_drop_snapshot(fs_info, *id) : 0;
			/* Orphans of the root tree may also be inodes, of free space caches. */
			if (ret && ret != -ENOENT && ret != -EBUSY)
				break;
			dropped += ret == 0;
			ret = 0;
		}
	}
	vec_free(&ids);
	if (nr)
		*nr = dropped;
	return ret;
}
