// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copying tree blocks before they are changed, and what that does to the
 * references of whatever they point to.
 *
 * References are of two kinds.  Usually a pointer in a block counts as one by
 * the tree that owns the block, wherever it hangs.  When the owner gives up a block
 * that snapshots still use, nobody could find it by the tree any more; from then on
 * its pointers count as references by the block itself, by its address (full back
 * references), and the flag in its extent item says so.
 */
#include <errno.h>

#include "common/message.h"
#include "kernel-shared/ctree-internal.h"
#include "kernel-shared/disk-io.h"
#include "kernel-shared/extent-tree.h"

static bool is_reloc_root(const struct btrfs_root *root)
{
	return btrfs_root_id(root) == BTRFS_TREE_RELOC_OBJECTID;
}

void btrfs_first_disk_key(const struct extent_buffer *eb, struct btrfs_disk_key *key)
{
	if (!eb->nritems)
		memset(key, 0, sizeof(*key));
	else if (eb->level)
		btrfs_node_key(eb, key, 0);
	else
		btrfs_item_key(eb, key, 0);
}

bool btrfs_block_can_be_shared(const struct btrfs_root *root, const struct extent_buffer *buf)
{
	/* A root node has no second parent; neither has what is younger than the last snapshot. */
	if (!root->shareable || buf == root->node)
		return false;
	return buf->generation <= le64toh(root->root_item.last_snapshot) ||
	       (btrfs_header_flags(buf) & BTRFS_HEADER_FLAG_RELOC);
}

/* How many references @buf has, and the flags of its extent. */
static int lookup_refs(struct btrfs_trans_handle *trans, struct btrfs_root *root,
		       const struct extent_buffer *buf, u64 *refs, u64 *flags)
{
	int ret;

	if (!btrfs_block_can_be_shared(root, buf)) {
		*refs = 1;
		*flags = is_reloc_root(root) ||
			 btrfs_header_backref_rev(buf) < BTRFS_MIXED_BACKREF_REV ?
			 BTRFS_BLOCK_FLAG_FULL_BACKREF : 0;
		return 0;
	}
	ret = btrfs_lookup_extent_info(trans, buf->start, buf->level, true, refs, flags, NULL);
	if (!ret && *refs)
		return 0;
	if (!ret || ret == -ENOENT) {
		error("%s: tree block at %llu of tree %llu has no reference", trans->fs_info->name,
		      buf->start, btrfs_root_id(root));
		return -EUCLEAN;
	}
	return ret;
}

/* @buf stays, others use it; @cow is one more block that points to the same. */
static int ref_shared_block(struct btrfs_trans_handle *trans, struct btrfs_root *root,
			    struct extent_buffer *buf, struct extent_buffer *cow, u64 flags)
{
	bool reloc = is_reloc_root(root);
	bool owner_leaves = (buf->owner == btrfs_root_id(root) || reloc) &&
			    !(flags & BTRFS_BLOCK_FLAG_FULL_BACKREF);
	int ret;

	if (!owner_leaves)
		return btrfs_inc_ref(trans, root, cow, reloc);
	/*
	 * The references by the tree go over to @cow, those of @buf become its own.
	 * For a relocation tree both are full ones.
	 */
	ret = btrfs_inc_ref(trans, root, buf, true);
	if (!ret && reloc)
		ret = btrfs_dec_ref(trans, root, buf, false);
	if (!ret && reloc)
		ret = btrfs_inc_ref(trans, root, cow, true);
	if (!ret)
		ret = btrfs_set_disk_extent_flags(trans, buf, BTRFS_BLOCK_FLAG_FULL_BACKREF);
	return ret;
}

/* @cow takes @buf's place in @root.  *@last_ref: @buf goes. */
static int update_ref_for_cow(struct btrfs_trans_handle *trans, struct btrfs_root *root,
			      struct extent_buffer *buf, struct extent_buffer *cow, bool *last_ref)
{
	u64 refs, flags;
	int ret = lookup_refs(trans, root, buf, &refs, &flags);

	if (ret)
		return ret;
	if (buf->owner == BTRFS_TREE_RELOC_OBJECTID && !(flags & BTRFS_BLOCK_FLAG_FULL_BACKREF)) {
		error("%s: tree block at %llu of a relocation has no full back reference",
		      trans->fs_info->name, buf->start);
		return -EUCLEAN;
	}
	*last_ref = refs == 1;
	if (refs > 1)
		return ref_shared_block(trans, root, buf, cow, flags);
	if (!(flags & BTRFS_BLOCK_FLAG_FULL_BACKREF))
		return 0;	/* the same references by the same tree */
	ret = btrfs_inc_ref(trans, root, cow, is_reloc_root(root));
	return ret ? ret : btrfs_dec_ref(trans, root, buf, true);
}

/* @cow, a new block with a header of its own, gets the content of @buf. */
static void copy_block(struct btrfs_trans_handle *trans, u64 owner, const struct extent_buffer *buf,
		       struct extent_buffer *cow)
{
	const size_t body = sizeof(struct btrfs_header);

	memcpy(cow->data + body, buf->data + body, buf->len - body);
	btrfs_set_header_nritems(cow, buf->nritems);
	btrfs_set_header_level(cow, buf->level);
	btrfs_set_header_bytenr(cow, cow->start);
	btrfs_set_header_generation(cow, trans->transid);
	btrfs_set_header_flags(cow, 0);
	btrfs_set_header_backref_rev(cow, BTRFS_MIXED_BACKREF_REV);
	/* A block of a relocation tree goes on to name the subvolume behind it. */
	if (owner == BTRFS_TREE_RELOC_OBJECTID) {
		btrfs_set_header_flag(cow, BTRFS_HEADER_FLAG_RELOC);
		btrfs_set_header_owner(cow, buf->owner);
	} else {
		btrfs_set_header_owner(cow, owner);
	}
}

static int replace_root_node(struct btrfs_trans_handle *trans, struct btrfs_root *root,
			     struct extent_buffer *cow)
{
	free_extent_buffer(root->node);
	root->node = extent_buffer_get(cow);
	return btrfs_add_dirty_root(trans, root);
}

/* Everything after the allocation: an error is one of the transaction. */
static int replace_block(struct btrfs_trans_handle *trans, struct btrfs_root *root,
			 struct extent_buffer *buf, struct extent_buffer *parent, u32 parent_slot,
			 struct extent_buffer *cow)
{
	u64 parent_start = is_reloc_root(root) && parent ? parent->start : 0;
	bool was_root = buf == root->node;
	bool last_ref;
	int ret;

	copy_block(trans, btrfs_root_id(root), buf, cow);
	ret = update_ref_for_cow(trans, root, buf, cow, &last_ref);
	if (ret)
		return ret;
	if (was_root) {
		if (is_reloc_root(root) || btrfs_header_backref_rev(buf) < BTRFS_MIXED_BACKREF_REV)
			parent_start = buf->start;
		ret = replace_root_node(trans, root, cow);
		if (ret)
			return ret;
	} else {
		btrfs_set_node_blockptr(parent, parent_slot, cow->start);
		btrfs_set_node_ptr_generation(parent, parent_slot, trans->transid);
	}
	if (last_ref)
		btrfs_clear_buffer_dirty(trans, buf);
	return btrfs_free_tree_block(trans, btrfs_root_id(root), buf, parent_start, last_ref);
}

int btrfs_force_cow_block(struct btrfs_trans_handle *trans, struct btrfs_root *root,
			  struct extent_buffer *buf, struct extent_buffer *parent, u32 parent_slot,
			  struct extent_buffer **ret_cow)
{
	struct extent_buffer *cow;
	struct btrfs_disk_key key;
	int ret;

	btrfs_first_disk_key(buf, &key);
	ret = btrfs_alloc_tree_block(trans, root, is_reloc_root(root) && parent ? parent->start : 0,
				     &key, buf->level, buf->start, 0, &cow);
	if (ret)
		return ret;
	/* The caller's reference on @buf may be the one that root->node had. */
	extent_buffer_get(buf);
	ret = replace_block(trans, root, buf, parent, parent_slot, cow);
	free_extent_buffer(buf);
	if (ret) {
		btrfs_abort_transaction(trans, ret);
		free_extent_buffer(cow);
		return ret;
	}
	*ret_cow = cow;
	return 0;
}

static bool should_cow_block(const struct btrfs_trans_handle *trans, const struct btrfs_root *root,
			     const struct extent_buffer *buf)
{
	u64 flags = btrfs_header_flags(buf);

	if (buf->generation != trans->transid || (flags & BTRFS_HEADER_FLAG_WRITTEN) ||
	    root->force_cow)
		return true;
	return (flags & BTRFS_HEADER_FLAG_RELOC) && !is_reloc_root(root);
}

/*
 * The key offset of a snapshot is the transaction that made it, and whoever drops
 * it takes blocks of that age for older ones, which it does not own.  So a
 * snapshot is not changed before that transaction is committed.
 */
static bool is_newborn_snapshot(const struct btrfs_trans_handle *trans,
				const struct btrfs_root *root)
{
	return btrfs_is_fstree(btrfs_root_id(root)) && root->root_key.offset == trans->transid;
}

int btrfs_cow_block(struct btrfs_trans_handle *trans, struct btrfs_root *root,
		    struct extent_buffer *buf, struct extent_buffer *parent, u32 parent_slot,
		    struct extent_buffer **cow)
{
	if (btrfs_trans_aborted(trans))
		return trans->transaction->aborted;
	if (is_newborn_snapshot(trans, root)) {
		error("%s: snapshot %llu cannot be changed before it is committed",
		      trans->fs_info->name, btrfs_root_id(root));
		return -EBUSY;
	}
	if (!should_cow_block(trans, root, buf)) {
		*cow = extent_buffer_get(buf);
		return 0;
	}
	if (buf->generation > trans->transid) {
		error("%s: tree block at %llu is from the future: generation %llu, now is %llu",
		      trans->fs_info->name, buf->start, buf->generation, trans->transid);
		return -EUCLEAN;
	}
	return btrfs_force_cow_block(trans, root, buf, parent, parent_slot, cow);
}

int btrfs_copy_root(struct btrfs_trans_handle *trans, struct btrfs_root *root,
		    struct extent_buffer *buf, u64 new_root_objectid, struct extent_buffer **ret_cow)
{
	/* The reference to the new block is by the new tree, which nobody knows yet. */
	struct btrfs_root new_root = {
		.fs_info = root->fs_info,
		.root_key = { .objectid = new_root_objectid, .type = BTRFS_ROOT_ITEM_KEY },
	};
	struct extent_buffer *cow;
	struct btrfs_disk_key key;
	int ret;

	btrfs_first_disk_key(buf, &key);
	ret = btrfs_alloc_tree_block(trans, &new_root, 0, &key, buf->level, buf->start, 0, &cow);
	if (ret)
		return ret;
	copy_block(trans, new_root_objectid, buf, cow);
	ret = btrfs_inc_ref(trans, root, cow, new_root_objectid == BTRFS_TREE_RELOC_OBJECTID);
	if (ret) {
		btrfs_abort_transaction(trans, ret);
		free_extent_buffer(cow);
		return ret;
	}
	*ret_cow = cow;
	return 0;
}

int btrfs_read_and_cow_child(struct btrfs_trans_handle *trans, struct btrfs_root *root,
			     struct extent_buffer *node, u32 slot, struct extent_buffer **ret_eb)
{
	struct extent_buffer *child;
	int ret = btrfs_read_node_slot(node, slot, btrfs_root_id(root), &child);

	if (ret)
		return ret;
	ret = btrfs_cow_block(trans, root, child, node, slot, ret_eb);
	free_extent_buffer(child);
	return ret;
}

static void add_used_bytes(struct btrfs_root *root, s64 bytes)
{
	u64 used = le64toh(root->root_item.bytes_used) + (u64)bytes;

	root->root_item.bytes_used = htole64(used);
}

int btrfs_drop_tree_block(struct btrfs_trans_handle *trans, struct btrfs_root *root,
			  struct extent_buffer *eb)
{
	int ret;

	add_used_bytes(root, -(s64)eb->len);
	btrfs_clear_buffer_dirty(trans, eb);
	ret = btrfs_free_tree_block(trans, btrfs_root_id(root), eb, 0, true);
	if (ret)
		btrfs_abort_transaction(trans, ret);
	return ret;
}

int btrfs_add_tree_block(struct btrfs_trans_handle *trans, struct btrfs_root *root,
			 const struct btrfs_disk_key *key, u8 level, u64 hint,
			 struct extent_buffer **ret_eb)
{
	int ret = btrfs_alloc_tree_block(trans, root, 0, key, level, hint, 0, ret_eb);

	if (!ret)
		add_used_bytes(root, (s64)(*ret_eb)->len);
	return ret;
}
