// SPDX-License-Identifier: GPL-2.0-only
/*
 * Search and iteration in the b-trees.  Blocks come from disk-io.c and are
 * verified; what this file adds is that keys ascend from leaf to leaf too, so
 * that no walk over a hostile tree is endless.
 */
#include "kernel-shared/ctree.h"

#include <errno.h>

#include "common/message.h"
#include "kernel-shared/disk-io.h"

/* Leaves asked for ahead of a forward walk, and how many must be left before it asks for more. */
#define READAHEAD_LEAVES	64U
#define READAHEAD_LOW_WATER	32U

void btrfs_release_path(struct btrfs_path *path)
{
	for (int level = 0; level < BTRFS_MAX_LEVEL; level++) {
		free_extent_buffer(path->nodes[level]);
		path->nodes[level] = NULL;
		path->slots[level] = 0;
	}
	path->reada_node = 0;
	path->reada_end = 0;
}

static const struct btrfs_disk_key *disk_key(const struct extent_buffer *eb, u32 slot)
{
	return eb->level ? &btrfs_key_ptr(eb, slot)->key : &btrfs_item(eb, slot)->key;
}

static int comp_disk_key(const struct btrfs_disk_key *disk, const struct btrfs_key *key)
{
	struct btrfs_key cpu;

	btrfs_disk_key_to_cpu(&cpu, disk);
	return btrfs_comp_cpu_keys(&cpu, key);
}

int btrfs_bin_search(const struct extent_buffer *eb, const struct btrfs_key *key, u32 *slot)
{
	u32 low = 0, high = eb->nritems;

	while (low < high) {
		u32 mid = low + (high - low) / 2;
		int cmp = comp_disk_key(disk_key(eb, mid), key);

		if (cmp < 0) {
			low = mid + 1;
		} else if (cmp > 0) {
			high = mid;
		} else {
			*slot = mid;
			return 0;
		}
	}
	*slot = low;
	return 1;
}

/*
 * Whether @key must be in the leaf that @path points to, so that the way down
 * need not be walked again.
 */
static bool leaf_covers(const struct btrfs_root *root, const struct btrfs_path *path,
			const struct btrfs_key *key)
{
	const struct extent_buffer *leaf = path->nodes[0];

	return leaf && path->lowest_level == 0 && path->nodes[root->node->level] == root->node &&
	       leaf->nritems && comp_disk_key(disk_key(leaf, 0), key) <= 0 &&
	       comp_disk_key(disk_key(leaf, leaf->nritems - 1), key) >= 0;
}

/* Keep the readahead window of a forward walk ahead of @path. */
static void reada_forward(struct btrfs_path *path, int level)
{
	const struct extent_buffer *node = path->nodes[level];
	u32 slot = path->slots[level];

	if (path->reada != READA_FORWARD || level != 1)
		return;
	if (path->reada_node != node->start) {
		path->reada_node = node->start;
		path->reada_end = slot + 1;
	}
	if (path->reada_end >= node->nritems || path->reada_end > slot + READAHEAD_LOW_WATER)
		return;
	path->reada_end = max(path->reada_end, slot + 1);
	btrfs_readahead_node_children(node, path->reada_end, slot + READAHEAD_LEAVES);
	path->reada_end = slot + READAHEAD_LEAVES + 1;
}

/* Put the child at slots[level] into nodes[level - 1], in place of what is there. */
static int descend(struct btrfs_root *root, struct btrfs_path *path, int level)
{
	struct extent_buffer *child;
	int ret;

	ret = btrfs_read_node_slot(path->nodes[level], path->slots[level], btrfs_root_id(root),
				   &child);
	if (ret)
		return ret;
	free_extent_buffer(path->nodes[level - 1]);
	path->nodes[level - 1] = child;
	reada_forward(path, level);
	return 0;
}

/* Takes over the caller's reference on @eb. */
static void set_node(struct btrfs_path *path, int level, struct extent_buffer *eb)
{
	free_extent_buffer(path->nodes[level]);
	path->nodes[level] = eb;
}

int btrfs_search_slot(struct btrfs_root *root, const struct btrfs_key *key, struct btrfs_path *path)
{
	int level = root->node->level;
	int ret;

	if (leaf_covers(root, path, key))
		return btrfs_bin_search(path->nodes[0], key, &path->slots[0]);

	for (int above = level + 1; above < BTRFS_MAX_LEVEL; above++)
		set_node(path, above, NULL);
	if (path->nodes[level] != root->node)
		set_node(path, level, extent_buffer_get(root->node));
	for (;;) {
		ret = btrfs_bin_search(path->nodes[level], key, &path->slots[level]);
		if (level <= path->lowest_level)
			return ret;
		/* In a node the child that may hold the key is the one before a greater key. */
		if (ret && path->slots[level] > 0)
			path->slots[level]--;
		ret = descend(root, path, level);
		if (ret) {
			btrfs_release_path(path);
			return ret;
		}
		level--;
	}
}

int btrfs_search_slot_for_read(struct btrfs_root *root, const struct btrfs_key *key,
			       struct btrfs_path *path, bool prev)
{
	int ret = btrfs_search_slot(root, key, path);

	if (ret <= 0)
		return ret;
	if (prev)
		return btrfs_previous_item(root, path);
	if (path->slots[0] < path->nodes[0]->nritems)
		return 0;
	return btrfs_next_leaf(root, path);
}

static int keys_out_of_order(struct btrfs_root *root, struct btrfs_path *path)
{
	error("tree block at %llu: keys of tree %llu are not in order from leaf to leaf",
	      path->nodes[0]->start, btrfs_root_id(root));
	btrfs_release_path(path);
	return -EUCLEAN;
}

/* Go down to the first (or last) item below slots[level]. */
static int descend_to_edge(struct btrfs_root *root, struct btrfs_path *path, int level, bool last)
{
	while (level > 0) {
		int ret = descend(root, path, level);

		if (ret) {
			btrfs_release_path(path);
			return ret;
		}
		level--;
		path->slots[level] = last && path->nodes[level]->nritems ?
				     path->nodes[level]->nritems - 1 : 0;
	}
	return 0;
}

int btrfs_next_leaf(struct btrfs_root *root, struct btrfs_path *path)
{
	const struct extent_buffer *leaf = path->nodes[0];
	struct btrfs_key last = { 0 }, first;
	int level = 1;
	int ret;

	if (!leaf)
		return 1;
	while (level < BTRFS_MAX_LEVEL && path->nodes[level] &&
	       path->slots[level] + 1 >= path->nodes[level]->nritems)
		level++;
	if (level == BTRFS_MAX_LEVEL || !path->nodes[level])
		return 1;
	if (leaf->nritems)
		btrfs_item_key_to_cpu(leaf, &last, leaf->nritems - 1);
	path->slots[level]++;
	ret = descend_to_edge(root, path, level, false);
	if (ret)
		return ret;
	btrfs_item_key_to_cpu(path->nodes[0], &first, 0);
	if (!path->nodes[0]->nritems || btrfs_comp_cpu_keys(&last, &first) >= 0)
		return keys_out_of_order(root, path);
	return 0;
}

int btrfs_next_item(struct btrfs_root *root, struct btrfs_path *path)
{
	if (path->nodes[0] && path->slots[0] + 1 < path->nodes[0]->nritems) {
		path->slots[0]++;
		return 0;
	}
	return btrfs_next_leaf(root, path);
}

int btrfs_prev_leaf(struct btrfs_root *root, struct btrfs_path *path)
{
	const struct extent_buffer *leaf = path->nodes[0];
	struct btrfs_key last, first;
	int level = 1;
	int ret;

	if (!leaf)
		return 1;
	while (level < BTRFS_MAX_LEVEL && path->nodes[level] && path->slots[level] == 0)
		level++;
	if (level == BTRFS_MAX_LEVEL || !path->nodes[level])
		return 1;
	btrfs_item_key_to_cpu(leaf, &first, 0);
	path->slots[level]--;
	ret = descend_to_edge(root, path, level, true);
	if (ret)
		return ret;
	leaf = path->nodes[0];
	if (!leaf->nritems)
		return keys_out_of_order(root, path);
	btrfs_item_key_to_cpu(leaf, &last, leaf->nritems - 1);
	if (btrfs_comp_cpu_keys(&last, &first) >= 0)
		return keys_out_of_order(root, path);
	return 0;
}

int btrfs_previous_item(struct btrfs_root *root, struct btrfs_path *path)
{
	if (path->nodes[0] && path->slots[0] > 0) {
		path->slots[0]--;
		return 0;
	}
	return btrfs_prev_leaf(root, path);
}

int btrfs_for_each_item(struct btrfs_root *root, const struct btrfs_key *from,
			const struct btrfs_key *to, btrfs_iter_fn fn, void *ctx)
{
	struct btrfs_path path = { .reada = READA_FORWARD };
	struct btrfs_key key;
	int ret, step;

	step = btrfs_search_slot_for_read(root, from, &path, false);
	for (ret = 0; step == 0 && ret == 0; step = ret ? 0 : btrfs_next_item(root, &path)) {
		btrfs_item_key_to_cpu(path.nodes[0], &key, path.slots[0]);
		if (btrfs_comp_cpu_keys(&key, to) > 0)
			break;
		ret = fn(root, path.nodes[0], path.slots[0], &key, ctx);
	}
	btrfs_release_path(&path);
	return step < 0 ? step : ret;
}
