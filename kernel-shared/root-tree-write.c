// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changing root items and root references.
 */
#include <errno.h>

#include "common/message.h"
#include "kernel-shared/accessors-set.h"
#include "kernel-shared/ctree.h"
#include "kernel-shared/inode-item.h"
#include "kernel-shared/root-tree.h"
#include "kernel-shared/transaction.h"

void btrfs_set_root_node(struct btrfs_root_item *item, const struct extent_buffer *node)
{
	item->bytenr = htole64(node->start);
	item->level = node->level;
	item->generation = htole64(node->generation);
}

int btrfs_update_root_times(struct btrfs_trans_handle *trans, struct btrfs_root *root)
{
	root->root_item.ctransid = htole64(trans->transid);
	root->root_item.ctime = btrfs_current_time();
	return btrfs_add_dirty_root(trans, root);
}

int btrfs_insert_root(struct btrfs_trans_handle *trans, const struct btrfs_key *key,
		      struct btrfs_root_item *item)
{
	item->generation_v2 = item->generation;
	return btrfs_insert_item(trans, trans->fs_info->tree_root, key, item, sizeof(*item));
}

static int root_item_missing(struct btrfs_trans_handle *trans, const struct btrfs_key *key)
{
	error("%s: root item " BTRFS_KEY_FMT " is missing", trans->fs_info->name,
	      BTRFS_KEY_ARGS(key));
	btrfs_abort_transaction(trans, -EUCLEAN);
	return -EUCLEAN;
}

int btrfs_update_root(struct btrfs_trans_handle *trans, const struct btrfs_key *key,
		      struct btrfs_root_item *item)
{
	struct btrfs_root *tree_root = trans->fs_info->tree_root;
	struct btrfs_path path = { 0 };
	struct extent_buffer *leaf;
	int ret;

	item->generation_v2 = item->generation;
	ret = btrfs_search_slot_cow(trans, tree_root, key, &path, 0);
	if (ret > 0) {
		btrfs_release_path(&path);
		return root_item_missing(trans, key);
	}
	if (ret < 0)
		return ret;
	leaf = path.nodes[0];
	if (btrfs_item_size(leaf, path.slots[0]) >= sizeof(*item)) {
		write_extent_buffer(leaf, item, btrfs_item_data_mut(leaf, path.slots[0]),
				    sizeof(*item));
		btrfs_release_path(&path);
		return 0;
	}
	/* An old, short item. */
	btrfs_release_path(&path);
	ret = btrfs_del_item_by_key(trans, tree_root, key);
	if (!ret)
		ret = btrfs_insert_item(trans, tree_root, key, item, sizeof(*item));
	if (ret)
		btrfs_abort_transaction(trans, ret);
	return ret;
}

int btrfs_del_root(struct btrfs_trans_handle *trans, const struct btrfs_key *key)
{
	int ret = btrfs_del_item_by_key(trans, trans->fs_info->tree_root, key);

	return ret == -ENOENT ? root_item_missing(trans, key) : ret;
}

/* ---- references ---- */

static int insert_ref(struct btrfs_trans_handle *trans, const struct btrfs_key *key, u64 dirid,
		      u64 sequence, const void *name, size_t name_len)
{
	struct btrfs_root *tree_root = trans->fs_info->tree_root;
	struct btrfs_path path = { 0 };
	struct extent_buffer *leaf;
	struct btrfs_root_ref *ref;
	int ret;

	ret = btrfs_insert_empty_item(trans, tree_root, &path, key, (u32)(sizeof(*ref) + name_len));
	if (ret)
		return ret;
	leaf = path.nodes[0];
	ref = btrfs_item_ptr_mut(leaf, path.slots[0], struct btrfs_root_ref);
	btrfs_set_root_ref_dirid(leaf, ref, dirid);
	btrfs_set_root_ref_sequence(leaf, ref, sequence);
	btrfs_set_root_ref_name_len(leaf, ref, (u16)name_len);
	write_extent_buffer(leaf, name, ref + 1, name_len);
	btrfs_release_path(&path);
	return 0;
}

int btrfs_add_root_ref(struct btrfs_trans_handle *trans, u64 root_id, u64 parent_id, u64 dirid,
		       u64 sequence, const void *name, size_t name_len)
{
	const struct btrfs_key back = { root_id, BTRFS_ROOT_BACKREF_KEY, parent_id };
	const struct btrfs_key forward = { parent_id, BTRFS_ROOT_REF_KEY, root_id };
	int ret = insert_ref(trans, &back, dirid, sequence, name, name_len);

	if (ret)
		return ret;
	ret = insert_ref(trans, &forward, dirid, sequence, name, name_len);
	if (ret)
		btrfs_abort_transaction(trans, ret);
	return ret;
}

static int delete_ref(struct btrfs_trans_handle *trans, const struct btrfs_key *key, u64 dirid,
		      u64 *sequence, const void *name, size_t name_len)
{
	struct btrfs_root *tree_root = trans->fs_info->tree_root;
	struct btrfs_path path = { 0 };
	const struct btrfs_root_ref *ref;
	int ret = btrfs_search_slot_cow(trans, tree_root, key, &path, -1);

	if (ret) {
		btrfs_release_path(&path);
		return ret > 0 ? -ENOENT : ret;
	}
	ref = btrfs_item_ptr(path.nodes[0], path.slots[0], struct btrfs_root_ref);
	if (btrfs_root_ref_dirid(path.nodes[0], ref) != dirid ||
	    btrfs_root_ref_name_len(path.nodes[0], ref) != name_len ||
	    memcmp(ref + 1, name, name_len))
		ret = -ENOENT;
	else if (sequence)
		*sequence = btrfs_root_ref_sequence(path.nodes[0], ref);
	if (!ret)
		ret = btrfs_del_item(trans, tree_root, &path);
	btrfs_release_path(&path);
	return ret;
}

int btrfs_del_root_ref(struct btrfs_trans_handle *trans, u64 root_id, u64 parent_id, u64 dirid,
		       u64 *sequence, const void *name, size_t name_len)
{
	const struct btrfs_key back = { root_id, BTRFS_ROOT_BACKREF_KEY, parent_id };
	const struct btrfs_key forward = { parent_id, BTRFS_ROOT_REF_KEY, root_id };
	int ret = delete_ref(trans, &back, dirid, sequence, name, name_len);

	if (ret)
		return ret;
	ret = delete_ref(trans, &forward, dirid, NULL, name, name_len);
	if (ret)
		btrfs_abort_transaction(trans, ret);
	return ret;
}
