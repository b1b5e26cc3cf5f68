// SPDX-License-Identifier: GPL-2.0-only
/*
 * Allocating and freeing extents, and running what was noted about one.
 *
 * The changes of the items themselves are in extent-refs.c, space is accounted
 * for by block-group.c.
 */
#include "kernel-shared/extent-tree.h"

#include <errno.h>

#include "common/message.h"
#include "kernel-shared/block-group.h"
#include "kernel-shared/disk-io.h"
#include "kernel-shared/extent-refs.h"
#include "kernel-shared/file-item.h"
#include "kernel-shared/transaction.h"

/* ---- tree blocks ---- */

static u64 tree_space_type(u64 root_id)
{
	return root_id == BTRFS_CHUNK_TREE_OBJECTID ? BTRFS_BLOCK_GROUP_SYSTEM :
						      BTRFS_BLOCK_GROUP_METADATA;
}

/* Note the first reference of the new block.  Those of log trees get no item. */
static int note_new_block(struct btrfs_trans_handle *trans, u64 root_id, u64 bytenr, u64 parent,
			  const struct btrfs_disk_key *key, u8 level)
{
	struct btrfs_fs_info *fs_info = trans->fs_info;
	struct btrfs_delayed_extent_op op = { .update_key = false };
	struct btrfs_ref ref;

	if (root_id == BTRFS_TREE_LOG_OBJECTID)
		return 0;
	if (root_id == BTRFS_TREE_RELOC_OBJECTID) {
		if (!parent)
			parent = bytenr;
		op.flags_to_set = BTRFS_BLOCK_FLAG_FULL_BACKREF;
		op.update_flags = true;
	}
	if (key)
		op.key = *key;
	op.update_key = !btrfs_fs_incompat(fs_info, BTRFS_FEATURE_INCOMPAT_SKINNY_METADATA);
	btrfs_init_tree_ref(&ref, bytenr, fs_info->nodesize, parent, root_id, level);
	return btrfs_add_new_tree_ref(trans, &ref, &op);
}

int btrfs_alloc_tree_block(struct btrfs_trans_handle *trans, struct btrfs_root *root, u64 parent,
			   const struct btrfs_disk_key *key, u8 level, u64 hint,
			   u64 empty_size __unused, struct extent_buffer **ret_eb)
{
	struct btrfs_fs_info *fs_info = trans->fs_info;
	u64 root_id = btrfs_root_id(root);
	struct extent_buffer *eb;
	u64 start, len;
	int ret;

	ret = btrfs_find_free_extent(trans, tree_space_type(root_id), fs_info->nodesize,
				     fs_info->nodesize, hint, &start, &len);
	if (ret)
		return ret;
	ret = btrfs_init_new_buffer(trans, start, root_id, level, &eb);
	if (ret) {
		btrfs_unreserve_extent(fs_info, start, len);
		return ret;
	}
	ret = note_new_block(trans, root_id, start, parent, key, level);
	if (ret) {
		btrfs_clear_buffer_dirty(trans, eb);
		free_extent_buffer(eb);
		btrfs_unreserve_extent(fs_info, start, len);
		return ret;
	}
	*ret_eb = eb;
	return 0;
}

/* The block was born in this transaction, and nobody has a use for it any more. */
static int free_newborn(struct btrfs_trans_handle *trans, u64 root_id, struct extent_buffer *eb)
{
	struct btrfs_fs_info *fs_info = trans->fs_info;
	bool written = btrfs_header_flags(eb) & BTRFS_HEADER_FLAG_WRITTEN;

	btrfs_clear_buffer_dirty(trans, eb);
	/* With an item made already the space comes back the long way, when it is deleted. */
	if (root_id != BTRFS_TREE_LOG_OBJECTID && !btrfs_forget_new_extent(trans, eb->start))
		return 0;
	if (written)
		return btrfs_pin_reserved_extent(fs_info, eb->start, eb->len);
	btrfs_unreserve_extent(fs_info, eb->start, eb->len);
	return 0;
}

int btrfs_free_tree_block(struct btrfs_trans_handle *trans, u64 root_id, struct extent_buffer *eb,
			  u64 parent, bool last_ref)
{
	struct btrfs_ref ref;
	int ret;

	if (root_id != BTRFS_TREE_LOG_OBJECTID) {
		btrfs_init_tree_ref(&ref, eb->start, eb->len, parent, root_id, eb->level);
		ret = btrfs_add_delayed_tree_ref(trans, &ref, true);
		if (ret)
			return ret;
	}
	if (last_ref && eb->generation == trans->transid)
		return free_newborn(trans, root_id, eb);
	return 0;
}

int btrfs_set_disk_extent_flags(struct btrfs_trans_handle *trans, const struct extent_buffer *eb,
				u64 flags)
{
	const struct btrfs_delayed_extent_op op = { .flags_to_set = flags, .update_flags = true };

	return btrfs_add_delayed_extent_op(trans, eb->start, eb->len, eb->level, &op);
}

/* ---- what a block points to ---- */

static int mod_leaf_refs(struct btrfs_trans_handle *trans, const struct extent_buffer *leaf,
			 u64 parent, bool drop)
{
	for (u32 slot = 0; slot < leaf->nritems; slot++) {
		const struct btrfs_file_extent_item *fi;
		struct btrfs_key key;
		struct btrfs_ref ref;
		u64 bytenr;
		int ret;

		btrfs_item_key_to_cpu(leaf, &key, slot);
		if (key.type != BTRFS_EXTENT_DATA_KEY)
			continue;
		fi = btrfs_item_ptr(leaf, slot, struct btrfs_file_extent_item);
		if (btrfs_file_extent_type(leaf, fi) == BTRFS_FILE_EXTENT_INLINE)
			continue;
		bytenr = btrfs_file_extent_disk_bytenr(leaf, fi);
		if (!bytenr)
			continue;
		btrfs_init_data_ref(&ref, bytenr, btrfs_file_extent_disk_num_bytes(leaf, fi),
				    parent, leaf->owner, key.objectid,
				    key.offset - btrfs_file_extent_offset(leaf, fi));
		ret = btrfs_add_delayed_data_ref(trans, &ref, drop);
		if (ret)
			return ret;
	}
	return 0;
}

static int mod_node_refs(struct btrfs_trans_handle *trans, const struct extent_buffer *node,
			 u64 parent, bool drop)
{
	for (u32 slot = 0; slot < node->nritems; slot++) {
		struct btrfs_ref ref;
		int ret;

		btrfs_init_tree_ref(&ref, btrfs_node_blockptr(node, slot), node->len, parent,
				    node->owner, (u8)(node->level - 1));
		ret = btrfs_add_delayed_tree_ref(trans, &ref, drop);
		if (ret)
			return ret;
	}
	return 0;
}

static int mod_refs(struct btrfs_trans_handle *trans, const struct btrfs_root *root,
		    const struct extent_buffer *eb, bool full_backref, bool drop)
{
	u64 parent = full_backref ? eb->start : 0;

	if (eb->level)
		return mod_node_refs(trans, eb, parent, drop);
	return root->shareable ? mod_leaf_refs(trans, eb, parent, drop) : 0;
}

int btrfs_inc_ref(struct btrfs_trans_handle *trans, struct btrfs_root *root,
		  const struct extent_buffer *eb, bool full_backref)
{
	return mod_refs(trans, root, eb, full_backref, false);
}

int btrfs_dec_ref(struct btrfs_trans_handle *trans, struct btrfs_root *root,
		  const struct extent_buffer *eb, bool full_backref)
{
	return mod_refs(trans, root, eb, full_backref, true);
}

/* ---- any extent ---- */

static int mod_extent_ref(struct btrfs_trans_handle *trans, const struct btrfs_ref *ref, bool drop)
{
	return ref->is_data ? btrfs_add_delayed_data_ref(trans, ref, drop) :
			      btrfs_add_delayed_tree_ref(trans, ref, drop);
}

int btrfs_inc_extent_ref(struct btrfs_trans_handle *trans, const struct btrfs_ref *ref)
{
	return mod_extent_ref(trans, ref, false);
}

int btrfs_free_extent(struct btrfs_trans_handle *trans, const struct btrfs_ref *ref)
{
	return mod_extent_ref(trans, ref, true);
}

/* What the tree has; all 0 when it has no item. */
struct extent_info {
	u64 refs;
	u64 flags;
	u64 owning_root;
};

static int read_extent_info(struct btrfs_root *root, const struct btrfs_key *key,
			    struct extent_info *info)
{
	struct btrfs_path path = { .reada = READA_NONE };
	const struct btrfs_extent_item *ei;
	int ret = btrfs_search_slot(root, key, &path);

	if (ret == 0) {
		ei = btrfs_item_ptr(path.nodes[0], path.slots[0], struct btrfs_extent_item);
		info->refs = btrfs_extent_refs(path.nodes[0], ei);
		info->flags = btrfs_extent_flags(path.nodes[0], ei);
		info->owning_root = btrfs_get_extent_owner_root(path.nodes[0], path.slots[0]);
	}
	btrfs_release_path(&path);
	return ret;
}

int btrfs_lookup_extent_info(struct btrfs_trans_handle *trans, u64 bytenr, u64 level_or_len,
			     bool metadata, u64 *refs, u64 *flags, u64 *owning_root)
{
	struct btrfs_fs_info *fs_info = trans->fs_info;
	bool skinny = metadata &&
		      btrfs_fs_incompat(fs_info, BTRFS_FEATURE_INCOMPAT_SKINNY_METADATA);
	struct btrfs_key key = { bytenr, BTRFS_EXTENT_ITEM_KEY,
				 metadata ? fs_info->nodesize : level_or_len };
	const struct btrfs_key skinny_key = { bytenr, BTRFS_METADATA_ITEM_KEY, level_or_len };
	const struct btrfs_delayed_ref_head *head;
	struct extent_info info = { .refs = 0 };
	int ret = 1;

	if (skinny)
		ret = read_extent_info(fs_info->extent_root, &skinny_key, &info);
	if (ret > 0)
		ret = read_extent_info(fs_info->extent_root, &key, &info);
	if (ret < 0)
		return ret;
	head = btrfs_find_delayed_ref_head(fs_info, bytenr);
	if (head) {
		info.refs += (u64)head->ref_mod;
		if (head->extent_op.update_flags)
			info.flags |= head->extent_op.flags_to_set;
		if (head->must_insert_reserved && head->is_data)
			info.owning_root = head->owning_root;
	}
	if (!info.refs)
		return -ENOENT;
	if (refs)
		*refs = info.refs;
	if (flags)
		*flags = info.flags;
	if (owning_root)
		*owning_root = info.owning_root;
	return 0;
}

/* ---- data ---- */

int btrfs_reserve_extent(struct btrfs_trans_handle *trans, u64 num_bytes, u64 min_bytes, u64 hint,
			 u64 *start, u64 *len)
{
	return btrfs_find_free_extent(trans, BTRFS_BLOCK_GROUP_DATA, num_bytes, min_bytes, hint,
				      start, len);
}

void btrfs_free_reserved_extent(struct btrfs_fs_info *fs_info, u64 start, u64 len)
{
	btrfs_unreserve_extent(fs_info, start, len);
}

int btrfs_alloc_reserved_file_extent(struct btrfs_trans_handle *trans, struct btrfs_root *root,
				     u64 ino, u64 offset, u64 start, u64 len)
{
	struct btrfs_ref ref;

	btrfs_init_data_ref(&ref, start, len, 0, btrfs_root_id(root), ino, offset);
	return btrfs_add_new_data_ref(trans, &ref);
}

/* ---- running what is noted about one extent ---- */

/* It was to be made, and every reference has been dropped before that. */
static int drop_unborn_extent(struct btrfs_trans_handle *trans,
			      const struct btrfs_delayed_ref_head *head)
{
	struct btrfs_fs_info *fs_info = trans->fs_info;
	int ret = 0;

	if (head->is_data)
		ret = btrfs_del_csums(trans, fs_info->csum_root, head->bytenr, head->num_bytes);
	return ret ? ret : btrfs_pin_reserved_extent(fs_info, head->bytenr, head->num_bytes);
}

static int add_refs(struct btrfs_trans_handle *trans, struct btrfs_delayed_ref_head *head,
		    const struct btrfs_delayed_ref_node *ref)
{
	int ret;

	if (!head->must_insert_reserved)
		return btrfs_insert_extent_backref(trans, head, ref);
	ret = btrfs_insert_extent_item(trans, head, ref);
	if (ret)
		return ret;
	head->must_insert_reserved = false;
	head->extent_op = (struct btrfs_delayed_extent_op){ .update_key = false };
	return btrfs_account_new_extent(trans, head->bytenr, head->num_bytes);
}

static int drop_refs(struct btrfs_trans_handle *trans, struct btrfs_delayed_ref_head *head,
		     const struct btrfs_delayed_ref_node *ref)
{
	struct btrfs_fs_info *fs_info = trans->fs_info;
	bool gone;
	int ret = btrfs_remove_extent_backref(trans, head, ref, &gone);

	if (ret || !gone)
		return ret;
	/* Nothing is left that flags could be set of. */
	head->extent_op = (struct btrfs_delayed_extent_op){ .update_key = false };
	if (head->is_data) {
		ret = btrfs_del_csums(trans, fs_info->csum_root, head->bytenr, head->num_bytes);
		if (ret)
			return ret;
	}
	return btrfs_account_freed_extent(trans, head->bytenr, head->num_bytes);
}

/* Additions first: an extent must not seem to lose its last reference in between. */
int btrfs_run_delayed_ref_head(struct btrfs_trans_handle *trans,
			       struct btrfs_delayed_ref_head *head)
{
	struct rb_node *node;
	int ret;

	ret = btrfs_prepare_extent_change(trans->fs_info, head->bytenr, head->num_bytes);
	if (ret)
		return ret;
	if (head->must_insert_reserved && RB_EMPTY_ROOT(&head->refs))
		return drop_unborn_extent(trans, head);
	for (node = rb_first(&head->refs); node; node = rb_next(node)) {
		const struct btrfs_delayed_ref_node *ref =
			rb_entry(node, struct btrfs_delayed_ref_node, node);

		ret = ref->ref_mod > 0 ? add_refs(trans, head, ref) : 0;
		if (ret)
			return ret;
	}
	if (head->must_insert_reserved) {
		error("extent at %llu is new, but references are only to be dropped",
		      head->bytenr);
		return -EUCLEAN;
	}
	for (node = rb_first(&head->refs); node; node = rb_next(node)) {
		const struct btrfs_delayed_ref_node *ref =
			rb_entry(node, struct btrfs_delayed_ref_node, node);

		ret = ref->ref_mod < 0 ? drop_refs(trans, head, ref) : 0;
		if (ret)
			return ret;
	}
	if (head->extent_op.update_flags || head->extent_op.update_key)
		return btrfs_run_delayed_extent_op(trans, head);
	return 0;
}
