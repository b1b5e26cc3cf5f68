// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nodes that get too full or too empty.  All of it happens on the way down, before
 * anything below is changed: a node is left with room for the pointers that splits below
 * may bring, or with enough pointers to lose some.  So nothing ever has to
 * go back up.
 */
#include <errno.h>

#include "common/message.h"
#include "kernel-shared/ctree-internal.h"
#include "kernel-shared/disk-io.h"

/* Pointers that one operation below may add to a node. */
#define NODE_SPARE_PTRS		3U
/* A node with fewer pointers than this may not be left to deletions. */
#define NODE_MIN_PTRS		4U

void btrfs_path_set_node(struct btrfs_path *path, int level, struct extent_buffer *eb)
{
	free_extent_buffer(path->nodes[level]);
	path->nodes[level] = eb;
}

int btrfs_check_sibling_keys(struct btrfs_trans_handle *trans, const struct extent_buffer *left,
			     const struct extent_buffer *right)
{
	struct btrfs_key last, first;

	if (!left->nritems || !right->nritems)
		return 0;
	if (left->level) {
		btrfs_node_key_to_cpu(left, &last, left->nritems - 1);
		btrfs_node_key_to_cpu(right, &first, 0);
	} else {
		btrfs_item_key_to_cpu(left, &last, left->nritems - 1);
		btrfs_item_key_to_cpu(right, &first, 0);
	}
	if (btrfs_comp_cpu_keys(&last, &first) < 0)
		return 0;
	error("%s: tree blocks at %llu and %llu are neighbours but their keys are not in order",
	      trans->fs_info->name, left->start, right->start);
	btrfs_abort_transaction(trans, -EUCLEAN);
	return -EUCLEAN;
}

/* ---- pointers ---- */

static void open_ptr_gap(struct extent_buffer *node, u32 slot, u32 nr)
{
	memmove_extent_buffer(node, btrfs_key_ptr_mut(node, slot + nr), btrfs_key_ptr(node, slot),
			      (node->nritems - slot) * sizeof(struct btrfs_key_ptr));
	btrfs_set_header_nritems(node, node->nritems + nr);
}

static void remove_ptrs(struct extent_buffer *node, u32 slot, u32 nr)
{
	memmove_extent_buffer(node, btrfs_key_ptr_mut(node, slot), btrfs_key_ptr(node, slot + nr),
			      (node->nritems - slot - nr) * sizeof(struct btrfs_key_ptr));
	btrfs_set_header_nritems(node, node->nritems - nr);
}

static void move_ptrs(struct extent_buffer *dst, u32 dst_slot, struct extent_buffer *src,
		      u32 src_slot, u32 nr)
{
	open_ptr_gap(dst, dst_slot, nr);
	write_extent_buffer(dst, btrfs_key_ptr(src, src_slot), btrfs_key_ptr_mut(dst, dst_slot),
			    nr * sizeof(struct btrfs_key_ptr));
	remove_ptrs(src, src_slot, nr);
}

static void set_key_of_child(struct extent_buffer *parent, u32 slot,
			     const struct extent_buffer *child)
{
	struct btrfs_disk_key key;

	btrfs_first_disk_key(child, &key);
	btrfs_set_node_key(parent, &key, slot);
}

void btrfs_fixup_low_keys(struct btrfs_path *path, const struct btrfs_disk_key *key, int level)
{
	for (; level < BTRFS_MAX_LEVEL && path->nodes[level]; level++) {
		btrfs_set_node_key(path->nodes[level], key, path->slots[level]);
		if (path->slots[level])
			break;
	}
}

void btrfs_insert_ptr(struct btrfs_trans_handle *trans, struct btrfs_path *path,
		      const struct btrfs_disk_key *key, u64 bytenr, u32 slot, int level)
{
	struct extent_buffer *node = path->nodes[level];

	open_ptr_gap(node, slot, 1);
	btrfs_set_node_key(node, key, slot);
	btrfs_set_node_blockptr(node, slot, bytenr);
	btrfs_set_node_ptr_generation(node, slot, trans->transid);
}

int btrfs_del_ptr(struct btrfs_trans_handle *trans, struct btrfs_path *path, int level, u32 slot)
{
	struct extent_buffer *node = path->nodes[level];
	struct btrfs_disk_key key;

	if (slot >= node->nritems) {
		error("%s: node at %llu has no pointer in slot %u", trans->fs_info->name,
		      node->start, slot);
		btrfs_abort_transaction(trans, -EUCLEAN);
		return -EUCLEAN;
	}
	remove_ptrs(node, slot, 1);
	/* A search for deletion has balanced the nodes above, so this cannot be. */
	if (!node->nritems) {
		error("%s: node at %llu lost its last pointer", trans->fs_info->name, node->start);
		btrfs_abort_transaction(trans, -EUCLEAN);
		return -EUCLEAN;
	}
	if (slot == 0) {
		btrfs_first_disk_key(node, &key);
		btrfs_fixup_low_keys(path, &key, level + 1);
	}
	return 0;
}

/* ---- growing ---- */

int btrfs_insert_new_root(struct btrfs_trans_handle *trans, struct btrfs_root *root,
			  struct btrfs_path *path, int level)
{
	struct extent_buffer *lower = path->nodes[level - 1];
	struct extent_buffer *node;
	struct btrfs_disk_key key;
	int ret;

	if (level >= BTRFS_MAX_LEVEL)
		return -EOVERFLOW;
	btrfs_first_disk_key(lower, &key);
	ret = btrfs_add_tree_block(trans, root, &key, (u8)level, lower->start, &node);
	if (ret)
		return ret;
	btrfs_set_header_nritems(node, 1);
	btrfs_set_node_key(node, &key, 0);
	btrfs_set_node_blockptr(node, 0, lower->start);
	btrfs_set_node_ptr_generation(node, 0, lower->generation);
	free_extent_buffer(root->node);
	root->node = extent_buffer_get(node);
	btrfs_path_set_node(path, level, node);
	path->slots[level] = 0;
	ret = btrfs_add_dirty_root(trans, root);
	if (ret)
		btrfs_abort_transaction(trans, ret);
	return ret;
}

/* Let the left neighbour take pointers of a full node.  1: it has no room to speak of. */
static int push_node_left(struct btrfs_trans_handle *trans, struct btrfs_root *root,
			  struct btrfs_path *path, int level)
{
	struct extent_buffer *node = path->nodes[level], *parent = path->nodes[level + 1];
	u32 pslot = path->slots[level + 1], max_ptrs = btrfs_eb_max_ptrs(node);
	struct extent_buffer *left;
	u32 left_nr, nr;
	int ret;

	if (pslot == 0)
		return 1;
	ret = btrfs_read_node_slot(parent, pslot - 1, btrfs_root_id(root), &left);
	if (ret)
		return ret;
	left_nr = left->nritems;
	free_extent_buffer(left);
	if (left_nr > max_ptrs / 4 * 3)
		return 1;
	ret = btrfs_read_and_cow_child(trans, root, parent, pslot - 1, &left);
	if (ret)
		return ret;
	ret = btrfs_check_sibling_keys(trans, left, node);
	if (ret) {
		free_extent_buffer(left);
		return ret;
	}
	nr = min((max_ptrs - left_nr) / 2 + 1, node->nritems / 2);
	move_ptrs(left, left_nr, node, 0, nr);
	set_key_of_child(parent, pslot, node);
	if (path->slots[level] < nr) {
		path->slots[level] += left_nr;
		path->slots[level + 1]--;
		btrfs_path_set_node(path, level, left);
	} else {
		path->slots[level] -= nr;
		free_extent_buffer(left);
	}
	return 0;
}

static int push_node_right(struct btrfs_trans_handle *trans, struct btrfs_root *root,
			   struct btrfs_path *path, int level)
{
	struct extent_buffer *node = path->nodes[level], *parent = path->nodes[level + 1];
	u32 pslot = path->slots[level + 1], max_ptrs = btrfs_eb_max_ptrs(node);
	struct extent_buffer *right;
	u32 right_nr, nr, keep;
	int ret;

	if (pslot + 1 >= parent->nritems)
		return 1;
	ret = btrfs_read_node_slot(parent, pslot + 1, btrfs_root_id(root), &right);
	if (ret)
		return ret;
	right_nr = right->nritems;
	free_extent_buffer(right);
	if (right_nr > max_ptrs / 4 * 3)
		return 1;
	ret = btrfs_read_and_cow_child(trans, root, parent, pslot + 1, &right);
	if (ret)
		return ret;
	ret = btrfs_check_sibling_keys(trans, node, right);
	if (ret) {
		free_extent_buffer(right);
		return ret;
	}
	nr = min((max_ptrs - right_nr) / 2 + 1, node->nritems / 2);
	keep = node->nritems - nr;
	move_ptrs(right, 0, node, keep, nr);
	set_key_of_child(parent, pslot + 1, right);
	if (path->slots[level] >= keep) {
		path->slots[level] -= keep;
		path->slots[level + 1]++;
		btrfs_path_set_node(path, level, right);
	} else {
		free_extent_buffer(right);
	}
	return 0;
}

/* Where the tree grows at its end, what is behind stays full. */
static bool is_right_edge(const struct btrfs_path *path, int level)
{
	for (; level < BTRFS_MAX_LEVEL && path->nodes[level]; level++) {
		if (path->slots[level] + 1 < path->nodes[level]->nritems)
			return false;
	}
	return true;
}

static int split_node(struct btrfs_trans_handle *trans, struct btrfs_root *root,
		      struct btrfs_path *path, int level)
{
	struct extent_buffer *node = path->nodes[level];
	struct extent_buffer *split;
	struct btrfs_disk_key key;
	u32 keep = is_right_edge(path, level) ? node->nritems - NODE_MIN_PTRS :
						(node->nritems + 1) / 2;
	int ret;

	btrfs_node_key(node, &key, keep);
	ret = btrfs_add_tree_block(trans, root, &key, (u8)level, node->start, &split);
	if (ret)
		return ret;
	move_ptrs(split, 0, node, keep, node->nritems - keep);
	btrfs_insert_ptr(trans, path, &key, split->start, path->slots[level + 1] + 1, level + 1);
	if (path->slots[level] >= keep) {
		path->slots[level] -= keep;
		path->slots[level + 1]++;
		btrfs_path_set_node(path, level, split);
	} else {
		free_extent_buffer(split);
	}
	return 0;
}

int btrfs_make_room_in_node(struct btrfs_trans_handle *trans, struct btrfs_root *root,
			    struct btrfs_path *path, int level)
{
	int ret;

	if (path->nodes[level]->nritems + NODE_SPARE_PTRS < btrfs_eb_max_ptrs(path->nodes[level]))
		return 0;
	if (path->nodes[level] == root->node) {
		ret = btrfs_insert_new_root(trans, root, path, level + 1);
		return ret ? ret : split_node(trans, root, path, level);
	}
	if (is_right_edge(path, level))
		return split_node(trans, root, path, level);
	ret = push_node_left(trans, root, path, level);
	if (ret == 1)
		ret = push_node_right(trans, root, path, level);
	return ret == 1 ? split_node(trans, root, path, level) : ret;
}

/* ---- shrinking ---- */

/* The root has one child, which becomes the root. */
static int promote_child(struct btrfs_trans_handle *trans, struct btrfs_root *root,
			 struct btrfs_path *path, int level)
{
	struct extent_buffer *node = path->nodes[level];
	struct extent_buffer *child;
	int ret = btrfs_read_and_cow_child(trans, root, node, 0, &child);

	if (ret)
		return ret;
	free_extent_buffer(root->node);
	root->node = child;
	path->nodes[level] = NULL;
	ret = btrfs_add_dirty_root(trans, root);
	if (ret)
		btrfs_abort_transaction(trans, ret);
	else
		ret = btrfs_drop_tree_block(trans, root, node);
	free_extent_buffer(node);
	return ret;
}

/* The pointers of the node at @pslot go to the one before it, and the node itself goes. */
static int merge_into_left(struct btrfs_trans_handle *trans, struct btrfs_root *root,
			   struct btrfs_path *path, int level, u32 pslot,
			   struct extent_buffer *left, struct extent_buffer *right)
{
	int ret = btrfs_check_sibling_keys(trans, left, right);

	if (ret)
		return ret;
	move_ptrs(left, left->nritems, right, 0, right->nritems);
	ret = btrfs_del_ptr(trans, path, level + 1, pslot);
	return ret ? ret : btrfs_drop_tree_block(trans, root, right);
}

/* Take pointers from a neighbour, so that both have about as many. */
static int borrow(struct btrfs_trans_handle *trans, struct btrfs_path *path, int level, u32 pslot,
		  struct extent_buffer *left, struct extent_buffer *right)
{
	struct extent_buffer *parent = path->nodes[level + 1];
	u32 total = left->nritems + right->nritems;
	u32 nr;
	int ret = btrfs_check_sibling_keys(trans, left, right);

	if (ret)
		return ret;
	if (path->nodes[level] == right) {
		nr = left->nritems - total / 2;
		move_ptrs(right, 0, left, left->nritems - nr, nr);
		path->slots[level] += nr;
	} else {
		nr = right->nritems - total / 2;
		move_ptrs(left, left->nritems, right, 0, nr);
	}
	/* @pslot is that of the right one. */
	set_key_of_child(parent, pslot, right);
	return 0;
}

/* Merge with or borrow from the neighbour at @other_slot.  1: neither is called for. */
static int balance_with(struct btrfs_trans_handle *trans, struct btrfs_root *root,
			struct btrfs_path *path, int level, u32 other_slot, bool may_borrow)
{
	struct extent_buffer *node = path->nodes[level], *parent = path->nodes[level + 1];
	bool other_is_left = other_slot < path->slots[level + 1];
	struct extent_buffer *other;
	u32 other_nr;
	bool merge;
	int ret;

	ret = btrfs_read_node_slot(parent, other_slot, btrfs_root_id(root), &other);
	if (ret)
		return ret;
	other_nr = other->nritems;
	free_extent_buffer(other);
	merge = other_nr + node->nritems <= btrfs_eb_max_ptrs(node) / 4 * 3;
	if (!merge && !may_borrow)
		return 1;
	ret = btrfs_read_and_cow_child(trans, root, parent, other_slot, &other);
	if (ret)
		return ret;
	if (!merge) {
		ret = other_is_left ? borrow(trans, path, level, other_slot + 1, other, node) :
				      borrow(trans, path, level, other_slot, node, other);
	} else if (other_is_left) {
		ret = merge_into_left(trans, root, path, level, other_slot + 1, other, node);
		path->slots[level] += other_nr;
		path->slots[level + 1]--;
		btrfs_path_set_node(path, level, extent_buffer_get(other));
	} else {
		ret = merge_into_left(trans, root, path, level, other_slot, node, other);
	}
	free_extent_buffer(other);
	return ret;
}

int btrfs_balance_level(struct btrfs_trans_handle *trans, struct btrfs_root *root,
			struct btrfs_path *path, int level)
{
	struct extent_buffer *node = path->nodes[level];
	struct extent_buffer *parent = level + 1 < BTRFS_MAX_LEVEL ? path->nodes[level + 1] : NULL;
	u32 pslot = level + 1 < BTRFS_MAX_LEVEL ? path->slots[level + 1] : 0;
	bool has_left = pslot > 0, has_right;
	int ret = 1;

	if (!parent)
		return node->nritems == 1 ? promote_child(trans, root, path, level) : 0;
	if (node->nritems > btrfs_eb_max_ptrs(node) / 4)
		return 0;
	has_right = pslot + 1 < parent->nritems;
	if (has_left)
		ret = balance_with(trans, root, path, level, pslot - 1, false);
	if (ret == 1 && has_right)
		ret = balance_with(trans, root, path, level, pslot + 1, false);
	if (ret != 1 || node->nritems >= NODE_MIN_PTRS)
		return min(ret, 0);
	if (!has_left && !has_right) {
		error("%s: node at %llu is the only child of one that is not the root",
		      trans->fs_info->name, node->start);
		return -EUCLEAN;
	}
	return balance_with(trans, root, path, level, has_left ? pslot - 1 : pslot + 1, true);
}
