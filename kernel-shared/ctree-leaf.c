// SPDX-License-Identifier: GPL-2.0-only
/*
 * Items inside leaves, and their way from one leaf to another when one gets
 * full or nearly empty.
 *
 * Headers of items grow from the front of a leaf, their data from its end, in
 * the same order seen from there and without gaps.
 */
#include <errno.h>

#include "common/message.h"
#include "kernel-shared/ctree-internal.h"
#include "kernel-shared/disk-io.h"

static u8 *data_at(struct extent_buffer *leaf, u32 offset)
{
	return leaf->data + sizeof(struct btrfs_header) + offset;
}

static u32 item_bytes(const struct extent_buffer *leaf, u32 slot)
{
	return btrfs_item_size(leaf, slot) + (u32)sizeof(struct btrfs_item);
}

u32 btrfs_leaf_space_used(const struct extent_buffer *leaf, u32 slot, u32 nr)
{
	if (!nr)
		return 0;
	return btrfs_leaf_data_top(leaf, slot) - btrfs_item_offset(leaf, slot + nr - 1) +
	       nr * (u32)sizeof(struct btrfs_item);
}

u32 btrfs_leaf_free_space(const struct extent_buffer *leaf)
{
	u32 used = btrfs_leaf_space_used(leaf, 0, leaf->nritems);

	return used < btrfs_leaf_data_size(leaf) ? btrfs_leaf_data_size(leaf) - used : 0;
}

/* ---- moving items ---- */

static void shift_offsets(struct extent_buffer *leaf, u32 slot, u32 nr, u32 by)
{
	for (u32 i = slot; i < slot + nr; i++)
		btrfs_set_item_offset(leaf, i, btrfs_item_offset(leaf, i) + by);
}

u32 btrfs_leaf_open_gap(struct extent_buffer *leaf, u32 slot, u32 nr, u32 bytes)
{
	u32 top = btrfs_leaf_data_top(leaf, slot), end = btrfs_leaf_data_end(leaf);
	u32 behind = leaf->nritems - slot;

	if (behind) {
		memmove_extent_buffer(leaf, data_at(leaf, end - bytes), data_at(leaf, end),
				      top - end);
		shift_offsets(leaf, slot, behind, 0U - bytes);
		memmove_extent_buffer(leaf, btrfs_item_mut(leaf, slot + nr), btrfs_item(leaf, slot),
				      behind * sizeof(struct btrfs_item));
	}
	btrfs_set_header_nritems(leaf, leaf->nritems + nr);
	return top;
}

void btrfs_leaf_remove_items(struct extent_buffer *leaf, u32 slot, u32 nr)
{
	u32 end = btrfs_leaf_data_end(leaf), low = btrfs_leaf_data_top(leaf, slot + nr);
	u32 bytes = btrfs_leaf_data_top(leaf, slot) - low;
	u32 behind = leaf->nritems - slot - nr;

	if (behind) {
		memmove_extent_buffer(leaf, data_at(leaf, end + bytes), data_at(leaf, end),
				      low - end);
		shift_offsets(leaf, slot + nr, behind, bytes);
		memmove_extent_buffer(leaf, btrfs_item_mut(leaf, slot), btrfs_item(leaf, slot + nr),
				      behind * sizeof(struct btrfs_item));
	}
	btrfs_set_header_nritems(leaf, leaf->nritems - nr);
}

static void move_items(struct extent_buffer *dst, u32 dst_slot, struct extent_buffer *src,
		       u32 src_slot, u32 nr)
{
	u32 src_top = btrfs_leaf_data_top(src, src_slot);
	u32 low = btrfs_leaf_data_top(src, src_slot + nr);
	u32 top = btrfs_leaf_open_gap(dst, dst_slot, nr, src_top - low);

	write_extent_buffer(dst, data_at(src, low), data_at(dst, top - (src_top - low)),
			    src_top - low);
	write_extent_buffer(dst, btrfs_item(src, src_slot), btrfs_item_mut(dst, dst_slot),
			    nr * sizeof(struct btrfs_item));
	shift_offsets(dst, dst_slot, nr, top - src_top);
	btrfs_leaf_remove_items(src, src_slot, nr);
}

static void set_key_in_parent(struct btrfs_path *path, u32 slot, const struct extent_buffer *leaf)
{
	struct btrfs_disk_key key;

	btrfs_first_disk_key(leaf, &key);
	btrfs_set_node_key(path->nodes[1], &key, slot);
}

/* ---- pushing to neighbours ---- */

/* What is to be pushed, and why. */
struct leaf_push {
	u32 ins;	/* bytes wanted at path->slots[0]; they may go along to the neighbour */
	bool empty;	/* the leaf shall get empty; else it keeps an item and both get about equal */
};

/*
 * How many items may go to a neighbour with @room bytes, counting from the side
 * of it: @index(i) is the slot of the i-th.
 */
static u32 count_to_right(const struct extent_buffer *leaf, u32 slot, u32 room,
			  const struct leaf_push *push)
{
	u32 bytes = slot >= leaf->nritems ? push->ins : 0;
	u32 lowest = push->empty ? 0 : 1, nr = 0;

	for (u32 i = leaf->nritems; i-- > lowest; nr++) {
		/* Once the place of the insertion is past, all that matters is balance. */
		if (!push->empty && nr && (slot > i || (slot == i && btrfs_leaf_free_space(leaf) +
							2 * bytes > room)))
			break;
		if (slot == i)
			bytes += push->ins;
		if (bytes + item_bytes(leaf, i) > room)
			break;
		bytes += item_bytes(leaf, i);
	}
	return nr;
}

static u32 count_to_left(const struct extent_buffer *leaf, u32 slot, u32 room,
			 const struct leaf_push *push)
{
	u32 limit = push->empty ? leaf->nritems : leaf->nritems - 1;
	u32 bytes = 0, nr;

	for (nr = 0; nr < limit; nr++) {
		if (!push->empty && nr && (slot < nr || (slot == nr && btrfs_leaf_free_space(leaf) +
							 2 * bytes > room)))
			break;
		if (slot == nr)
			bytes += push->ins;
		if (bytes + item_bytes(leaf, nr) > room)
			break;
		bytes += item_bytes(leaf, nr);
	}
	return nr;
}

/* The neighbour in @slot of the parent, COWed, if it has @wanted bytes.  1: it has not. */
static int get_neighbour(struct btrfs_trans_handle *trans, struct btrfs_root *root,
			 struct btrfs_path *path, u32 slot, u32 wanted, struct extent_buffer **ret_eb)
{
	struct extent_buffer *eb;
	u32 room;
	int ret;

	ret = btrfs_read_node_slot(path->nodes[1], slot, btrfs_root_id(root), &eb);
	if (ret)
		return ret;
	room = btrfs_leaf_free_space(eb);
	free_extent_buffer(eb);
	if (room < max(wanted, 1U))
		return 1;
	ret = btrfs_read_and_cow_child(trans, root, path->nodes[1], slot, ret_eb);
	/* Without space for a copy there is nothing pushed, that is all. */
	return ret == -ENOSPC && !btrfs_trans_aborted(trans) ? 1 : ret;
}

/* 0: pushed, and the path points to the same place; 1: not; or negative errno. */
static int push_leaf_right(struct btrfs_trans_handle *trans, struct btrfs_root *root,
			   struct btrfs_path *path, const struct leaf_push *push)
{
	struct extent_buffer *leaf = path->nodes[0], *right;
	u32 pslot = path->slots[1], nr, keep;
	int ret;

	if (!path->nodes[1] || pslot + 1 >= path->nodes[1]->nritems || !leaf->nritems)
		return 1;
	ret = get_neighbour(trans, root, path, pslot + 1, push->ins, &right);
	if (ret)
		return ret;
	ret = btrfs_check_sibling_keys(trans, leaf, right);
	if (ret)
		goto out;
	if (path->slots[0] == leaf->nritems && !push->empty) {
		/* What comes belongs between the two, and the other one has room. */
		path->slots[0] = 0;
		path->slots[1]++;
		btrfs_path_set_node(path, 0, right);
		return 0;
	}
	nr = count_to_right(leaf, path->slots[0], btrfs_leaf_free_space(right), push);
	ret = nr ? 0 : 1;
	if (ret)
		goto out;
	keep = leaf->nritems - nr;
	move_items(right, 0, leaf, keep, nr);
	set_key_in_parent(path, pslot + 1, right);
	if (path->slots[0] >= keep && !push->empty) {
		path->slots[0] -= keep;
		path->slots[1]++;
		btrfs_path_set_node(path, 0, right);
		return 0;
	}
out:
	free_extent_buffer(right);
	return ret;
}

static int push_leaf_left(struct btrfs_trans_handle *trans, struct btrfs_root *root,
			  struct btrfs_path *path, const struct leaf_push *push)
{
	struct extent_buffer *leaf = path->nodes[0], *left;
	u32 pslot = path->slots[1], left_nr, nr;
	struct btrfs_disk_key key;
	int ret;

	if (!path->nodes[1] || pslot == 0 || !leaf->nritems)
		return 1;
	ret = get_neighbour(trans, root, path, pslot - 1, push->ins, &left);
	if (ret)
		return ret;
	ret = btrfs_check_sibling_keys(trans, left, leaf);
	if (ret)
		goto out;
	nr = count_to_left(leaf, path->slots[0], btrfs_leaf_free_space(left), push);
	ret = nr ? 0 : 1;
	if (ret)
		goto out;
	left_nr = left->nritems;
	move_items(left, left_nr, leaf, 0, nr);
	if (leaf->nritems) {
		btrfs_first_disk_key(leaf, &key);
		btrfs_fixup_low_keys(path, &key, 1);
	}
	if (path->slots[0] < nr && !push->empty) {
		path->slots[0] += left_nr;
		path->slots[1]--;
		btrfs_path_set_node(path, 0, left);
		return 0;
	}
	path->slots[0] -= min(path->slots[0], nr);
out:
	free_extent_buffer(left);
	return ret;
}

int btrfs_empty_leaf(struct btrfs_trans_handle *trans, struct btrfs_root *root,
		     struct btrfs_path *path)
{
	const struct leaf_push push = { .empty = true };
	int ret = push_leaf_left(trans, root, path, &push);

	if (ret >= 0 && path->nodes[0]->nritems)
		ret = push_leaf_right(trans, root, path, &push);
	return min(ret, 0);
}

/* ---- splitting ---- */

/* A way to cut a leaf in two: items from @mid on go to a new one on the right. */
struct leaf_cut {
	u32 mid;
	bool ins_right;		/* what is inserted (or grows) is on the right */
	u32 larger;		/* bytes in the fuller of the two */
};

static void try_cut(const struct extent_buffer *leaf, u32 mid, bool ins_right, u32 needed,
		    struct leaf_cut *best)
{
	u32 left = btrfs_leaf_space_used(leaf, 0, mid);
	u32 right = btrfs_leaf_space_used(leaf, mid, leaf->nritems - mid);

	if (ins_right)
		right += needed;
	else
		left += needed;
	if (max(left, right) >= best->larger)
		return;
	best->mid = mid;
	best->ins_right = ins_right;
	best->larger = max(left, right);
}

/*
 * The cut that leaves both sides about equal.  When what is inserted fits to
 * neither side, cut at its place: the next cut then has it stand alone.
 */
static struct leaf_cut choose_cut(const struct extent_buffer *leaf, u32 slot, u32 needed,
				  bool extend)
{
	struct leaf_cut best = {
		.mid = slot,
		.ins_right = extend,
		.larger = btrfs_leaf_data_size(leaf) + 1,
	};

	for (u32 mid = 0; mid <= leaf->nritems; mid++) {
		/* No side may stay empty. */
		if (slot >= mid && (mid > 0) && (mid < leaf->nritems || !extend))
			try_cut(leaf, mid, true, needed, &best);
		if ((extend ? slot < mid : slot <= mid) && mid < leaf->nritems)
			try_cut(leaf, mid, false, needed, &best);
	}
	return best;
}

static int cut_leaf(struct btrfs_trans_handle *trans, struct btrfs_root *root,
		    struct btrfs_path *path, const struct btrfs_key *ins_key,
		    const struct leaf_cut *cut)
{
	struct extent_buffer *leaf = path->nodes[0], *right;
	struct btrfs_disk_key key;
	int ret;

	if (cut->mid < leaf->nritems)
		btrfs_item_key(leaf, &key, cut->mid);
	else
		btrfs_cpu_key_to_disk(&key, ins_key);
	ret = btrfs_add_tree_block(trans, root, &key, 0, leaf->start, &right);
	if (ret)
		return ret;
	if (cut->mid < leaf->nritems)
		move_items(right, 0, leaf, cut->mid, leaf->nritems - cut->mid);
	btrfs_insert_ptr(trans, path, &key, right->start, path->slots[1] + 1, 1);
	if (!cut->ins_right) {
		free_extent_buffer(right);
		return 0;
	}
	path->slots[0] -= cut->mid;
	path->slots[1]++;
	btrfs_path_set_node(path, 0, right);
	return 0;
}

/* The last leaf of the tree, and something comes behind it. */
static bool grows_at_end(const struct btrfs_path *path)
{
	if (path->slots[0] < path->nodes[0]->nritems)
		return false;
	for (int level = 1; level < BTRFS_MAX_LEVEL && path->nodes[level]; level++) {
		if (path->slots[level] + 1 < path->nodes[level]->nritems)
			return false;
	}
	return true;
}

static int push_for_room(struct btrfs_trans_handle *trans, struct btrfs_root *root,
			 struct btrfs_path *path, u32 needed)
{
	struct extent_buffer *leaf = path->nodes[0];
	u32 room = btrfs_leaf_free_space(leaf);
	struct leaf_push push = { .ins = needed };
	int ret;

	/* What is inserted in the middle needs only what the leaf lacks. */
	if (path->slots[0] < leaf->nritems)
		push.ins = needed - room;
	ret = push_leaf_right(trans, root, path, &push);
	if (ret != 1)
		return ret;
	push.ins = path->slots[0] > 0 ? needed - room : needed;
	return push_leaf_left(trans, root, path, &push);
}

int btrfs_split_leaf(struct btrfs_trans_handle *trans, struct btrfs_root *root,
		     const struct btrfs_key *key, struct btrfs_path *path, u32 needed, bool extend)
{
	u32 size = btrfs_leaf_data_size(path->nodes[0]);
	bool at_end = !extend && grows_at_end(path);
	int ret;

	if (needed > size || (extend && needed > size - item_bytes(path->nodes[0], path->slots[0])))
		return -EOVERFLOW;
	if (!at_end) {
		ret = push_for_room(trans, root, path, needed);
		if (ret < 0)
			return ret;
	}
	if (!path->nodes[1] && btrfs_leaf_free_space(path->nodes[0]) < needed) {
		ret = btrfs_insert_new_root(trans, root, path, 1);
		if (ret)
			return ret;
	}
	while (btrfs_leaf_free_space(path->nodes[0]) < needed) {
		const struct extent_buffer *leaf = path->nodes[0];
		struct leaf_cut cut = { .mid = leaf->nritems, .ins_right = true };

		if (!at_end)
			cut = choose_cut(leaf, path->slots[0], needed, extend);
		ret = cut_leaf(trans, root, path, key, &cut);
		if (ret)
			return ret;
	}
	return 0;
}
