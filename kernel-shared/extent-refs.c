// SPDX-License-Identifier: GPL-2.0-only
/*
 * The items of the extent tree, changed.
 *
 * References stand inside the extent item, ordered by type and, within a type,
 * descending by hash, root or parent.  When the item gets too long, further
 * ones get items of their own behind it; and once an extent has such an item,
 * no more references are put inside, so that none is ever in both places.
 */
#include "kernel-shared/extent-refs.h"

#include <errno.h>

#include "common/hash.h"
#include "common/message.h"
#include "kernel-shared/accessors-set.h"
#include "kernel-shared/transaction.h"

u64 hash_extent_data_ref(u64 root_objectid, u64 ino, u64 offset)
{
	__le64 root_le = htole64(root_objectid);
	__le64 owner_le[2] = { htole64(ino), htole64(offset) };
	u32 high = crc32c(~0U, &root_le, sizeof(root_le));
	u32 low = crc32c(~0U, owner_le, sizeof(owner_le));

	return (u64)high << 31 ^ low;
}

/* ---- which item ---- */

static bool has_block_info(const struct btrfs_fs_info *fs_info,
			   const struct btrfs_delayed_ref_head *head)
{
	return !head->is_data &&
	       !btrfs_fs_incompat(fs_info, BTRFS_FEATURE_INCOMPAT_SKINNY_METADATA);
}

static void extent_item_key(const struct btrfs_fs_info *fs_info,
			    const struct btrfs_delayed_ref_head *head, struct btrfs_key *key)
{
	bool skinny = !head->is_data && !has_block_info(fs_info, head);

	key->objectid = head->bytenr;
	key->type = skinny ? BTRFS_METADATA_ITEM_KEY : BTRFS_EXTENT_ITEM_KEY;
	key->offset = skinny ? head->level : head->num_bytes;
}

static int no_such_extent(const struct btrfs_delayed_ref_head *head)
{
	error("extent tree: no item for the %s at %llu, %llu bytes",
	      head->is_data ? "data" : "tree block", head->bytenr, head->num_bytes);
	return -EUCLEAN;
}

/*
 * COW the way to the extent's item, with room for it to grow by @ins_len (or, if
 * that is negative, so that it can be deleted).  With skinny metadata the item
 * may nevertheless be of the old kind, from the time before.
 */
static int search_extent_item(struct btrfs_trans_handle *trans,
			      const struct btrfs_delayed_ref_head *head, struct btrfs_path *path,
			      int ins_len)
{
	struct btrfs_root *root = trans->fs_info->extent_root;
	struct btrfs_key key;
	int ret;

	extent_item_key(trans->fs_info, head, &key);
	path->search_for_extension = ins_len > 0;
	ret = btrfs_search_slot_cow(trans, root, &key, path, ins_len);
	if (ret > 0 && key.type == BTRFS_METADATA_ITEM_KEY) {
		btrfs_release_path(path);
		key.type = BTRFS_EXTENT_ITEM_KEY;
		key.offset = head->num_bytes;
		ret = btrfs_search_slot_cow(trans, root, &key, path, ins_len);
	}
	path->search_for_extension = false;
	return ret > 0 ? no_such_extent(head) : ret;
}

static struct btrfs_extent_item *extent_item(const struct btrfs_path *path)
{
	return btrfs_item_ptr_mut(path->nodes[0], path->slots[0], struct btrfs_extent_item);
}

/* Bytes of the item before the inline references. */
static u32 inline_refs_start(const struct btrfs_path *path)
{
	const struct extent_buffer *leaf = path->nodes[0];
	struct btrfs_key key;

	btrfs_item_key_to_cpu(leaf, &key, path->slots[0]);
	if (key.type == BTRFS_EXTENT_ITEM_KEY &&
	    (btrfs_extent_flags(leaf, extent_item(path)) & BTRFS_EXTENT_FLAG_TREE_BLOCK))
		return sizeof(struct btrfs_extent_item) + sizeof(struct btrfs_tree_block_info);
	return sizeof(struct btrfs_extent_item);
}

static struct btrfs_extent_inline_ref *inline_ref_at(const struct btrfs_path *path, u32 pos)
{
	return (struct btrfs_extent_inline_ref *)((u8 *)extent_item(path) + pos);
}

u64 btrfs_get_extent_owner_root(const struct extent_buffer *leaf, u32 slot)
{
	const struct btrfs_extent_item *ei = btrfs_item_ptr(leaf, slot, struct btrfs_extent_item);
	const struct btrfs_extent_inline_ref *iref =
		(const struct btrfs_extent_inline_ref *)(ei + 1);

	if (!(btrfs_extent_flags(leaf, ei) & BTRFS_EXTENT_FLAG_DATA) ||
	    btrfs_item_size(leaf, slot) < sizeof(*ei) + sizeof(*iref) ||
	    btrfs_extent_inline_ref_type(leaf, iref) != BTRFS_EXTENT_OWNER_REF_KEY)
		return 0;
	return btrfs_extent_inline_ref_offset(leaf, iref);
}

/* ---- references inside the item ---- */

static struct btrfs_extent_data_ref *inline_data_ref(struct btrfs_extent_inline_ref *iref)
{
	return (struct btrfs_extent_data_ref *)&iref->offset;
}

static struct btrfs_shared_data_ref *inline_shared_data_ref(struct btrfs_extent_inline_ref *iref)
{
	return (struct btrfs_shared_data_ref *)(iref + 1);
}

/*
 * Where @ref stands against the inline reference at @iref, which is of the same
 * type: 0, it is that one; < 0: it belongs before it; > 0: behind.
 */
static int comp_inline_ref(const struct extent_buffer *leaf, struct btrfs_extent_inline_ref *iref,
			   const struct btrfs_delayed_ref_node *ref)
{
	u64 theirs, ours;

	if (ref->type == BTRFS_EXTENT_DATA_REF_KEY) {
		const struct btrfs_extent_data_ref *data = inline_data_ref(iref);
		u64 root = btrfs_extent_data_ref_root(leaf, data);
		u64 ino = btrfs_extent_data_ref_objectid(leaf, data);
		u64 offset = btrfs_extent_data_ref_offset(leaf, data);

		if (root == ref->ref_root && ino == ref->ino && offset == ref->offset)
			return 0;
		theirs = hash_extent_data_ref(root, ino, offset);
		ours = hash_extent_data_ref(ref->ref_root, ref->ino, ref->offset);
	} else {
		theirs = btrfs_extent_inline_ref_offset(leaf, iref);
		ours = ref->parent ? ref->parent : ref->ref_root;
		if (theirs == ours)
			return 0;
	}
	return theirs < ours ? -1 : 1;
}

/* 0: *@pos is the offset of @ref in the item; 1: where it would have to be inserted. */
static int find_inline_ref(const struct btrfs_path *path, const struct btrfs_delayed_ref_node *ref,
			   u32 *pos)
{
	const struct extent_buffer *leaf = path->nodes[0];
	u32 end = btrfs_item_size(leaf, path->slots[0]);

	*pos = inline_refs_start(path);
	while (*pos < end) {
		struct btrfs_extent_inline_ref *iref = inline_ref_at(path, *pos);
		u8 type = btrfs_extent_inline_ref_type(leaf, iref);
		u32 size = btrfs_extent_inline_ref_size(type);
		int cmp = 1;

		if (!size || size > end - *pos) {
			error("extent tree: block %llu: inline reference of type %u does not fit",
			      leaf->start, type);
			return -EUCLEAN;
		}
		if (type == ref->type)
			cmp = comp_inline_ref(leaf, iref, ref);
		else if (type > ref->type)
			cmp = -1;
		if (cmp == 0)
			return 0;
		if (cmp < 0)
			return 1;
		*pos += size;
	}
	return 1;
}

static void write_inline_ref(struct extent_buffer *leaf, struct btrfs_extent_inline_ref *iref,
			     const struct btrfs_delayed_ref_node *ref, u32 count)
{
	btrfs_set_extent_inline_ref_type(leaf, iref, ref->type);
	if (ref->type == BTRFS_EXTENT_DATA_REF_KEY) {
		struct btrfs_extent_data_ref *data = inline_data_ref(iref);

		btrfs_set_extent_data_ref_root(leaf, data, ref->ref_root);
		btrfs_set_extent_data_ref_objectid(leaf, data, ref->ino);
		btrfs_set_extent_data_ref_offset(leaf, data, ref->offset);
		btrfs_set_extent_data_ref_count(leaf, data, count);
		return;
	}
	btrfs_set_extent_inline_ref_offset(leaf, iref, ref->parent ? ref->parent : ref->ref_root);
	if (ref->type == BTRFS_SHARED_DATA_REF_KEY)
		btrfs_set_shared_data_ref_count(leaf, inline_shared_data_ref(iref), count);
}

static u32 inline_ref_count(const struct extent_buffer *leaf, struct btrfs_extent_inline_ref *iref)
{
	switch (btrfs_extent_inline_ref_type(leaf, iref)) {
	case BTRFS_EXTENT_DATA_REF_KEY:
		return btrfs_extent_data_ref_count(leaf, inline_data_ref(iref));
	case BTRFS_SHARED_DATA_REF_KEY:
		return btrfs_shared_data_ref_count(leaf, inline_shared_data_ref(iref));
	default:
		return 1;
	}
}

static void set_inline_ref_count(struct extent_buffer *leaf, struct btrfs_extent_inline_ref *iref,
				 u32 count)
{
	if (btrfs_extent_inline_ref_type(leaf, iref) == BTRFS_EXTENT_DATA_REF_KEY)
		btrfs_set_extent_data_ref_count(leaf, inline_data_ref(iref), count);
	else
		btrfs_set_shared_data_ref_count(leaf, inline_shared_data_ref(iref), count);
}

/* Make room at @pos and write @ref there; the leaf has been given room. */
static void insert_inline_ref(struct btrfs_path *path, const struct btrfs_delayed_ref_node *ref,
			      u32 pos)
{
	struct extent_buffer *leaf = path->nodes[0];
	u32 size = btrfs_extent_inline_ref_size(ref->type);
	u32 old_size = btrfs_item_size(leaf, path->slots[0]);
	u8 *at;

	btrfs_extend_item(path, size);
	at = (u8 *)inline_ref_at(path, pos);
	memmove_extent_buffer(leaf, at + size, at, old_size - pos);
	write_inline_ref(leaf, inline_ref_at(path, pos), ref, (u32)ref->ref_mod);
}

static void remove_inline_ref(struct btrfs_path *path, u32 pos, u32 size)
{
	struct extent_buffer *leaf = path->nodes[0];
	u32 old_size = btrfs_item_size(leaf, path->slots[0]);
	u8 *at = (u8 *)inline_ref_at(path, pos);

	memmove_extent_buffer(leaf, at, at + size, old_size - pos - size);
	btrfs_truncate_item(path, old_size - size, true);
}

/* ---- references beside the item ---- */

static void keyed_ref_key(u64 bytenr, const struct btrfs_delayed_ref_node *ref,
			  struct btrfs_key *key)
{
	key->objectid = bytenr;
	key->type = ref->type;
	if (ref->type == BTRFS_EXTENT_DATA_REF_KEY)
		key->offset = hash_extent_data_ref(ref->ref_root, ref->ino, ref->offset);
	else
		key->offset = ref->parent ? ref->parent : ref->ref_root;
}

static bool keyed_data_ref_matches(const struct btrfs_path *path,
				   const struct btrfs_delayed_ref_node *ref)
{
	const struct extent_buffer *leaf = path->nodes[0];
	const struct btrfs_extent_data_ref *data =
		btrfs_item_ptr(leaf, path->slots[0], struct btrfs_extent_data_ref);

	return btrfs_extent_data_ref_root(leaf, data) == ref->ref_root &&
	       btrfs_extent_data_ref_objectid(leaf, data) == ref->ino &&
	       btrfs_extent_data_ref_offset(leaf, data) == ref->offset;
}

/*
 * Search the item of @ref.  Data references whose hashes are equal have keys that
 * follow one another: where the item there is another's, the next key is tried.
 * 0: found; 1: *@key is free, and path is where it belongs.
 */
static int search_keyed_ref(struct btrfs_trans_handle *trans, u64 bytenr,
			    const struct btrfs_delayed_ref_node *ref, struct btrfs_path *path,
			    struct btrfs_key *key, int ins_len)
{
	int ret;

	keyed_ref_key(bytenr, ref, key);
	for (;;) {
		ret = btrfs_search_slot_cow(trans, trans->fs_info->extent_root, key, path, ins_len);
		if (ret || ref->type != BTRFS_EXTENT_DATA_REF_KEY ||
		    keyed_data_ref_matches(path, ref))
			return ret;
		btrfs_release_path(path);
		key->offset++;
	}
}

/*
 * The next key being free does not mean that a later one of the same hash is
 * not ours: items in between may have gone.
 */
static int find_keyed_ref(struct btrfs_trans_handle *trans, u64 bytenr,
			  const struct btrfs_delayed_ref_node *ref, struct btrfs_path *path)
{
	struct btrfs_root *root = trans->fs_info->extent_root;
	struct btrfs_key key, found;
	int ret = search_keyed_ref(trans, bytenr, ref, path, &key, -1);

	if (ret <= 0 || ref->type != BTRFS_EXTENT_DATA_REF_KEY)
		return ret > 0 ? -ENOENT : ret;
	btrfs_release_path(path);
	for (ret = btrfs_search_slot_for_read(root, &key, path, false); ret == 0;
	     ret = btrfs_next_item(root, path)) {
		btrfs_item_key_to_cpu(path->nodes[0], &found, path->slots[0]);
		if (found.objectid != bytenr || found.type != ref->type) {
			ret = 1;
			break;
		}
		if (keyed_data_ref_matches(path, ref))
			break;
	}
	btrfs_release_path(path);
	if (ret)
		return ret < 0 ? ret : -ENOENT;
	ret = btrfs_search_slot_cow(trans, root, &found, path, -1);
	return ret > 0 ? -ENOENT : ret;
}

static u32 keyed_ref_size(u8 type)
{
	switch (type) {
	case BTRFS_EXTENT_DATA_REF_KEY:
		return sizeof(struct btrfs_extent_data_ref);
	case BTRFS_SHARED_DATA_REF_KEY:
		return sizeof(struct btrfs_shared_data_ref);
	default:
		return 0;
	}
}

static u32 keyed_ref_count(const struct btrfs_path *path, u8 type)
{
	const struct extent_buffer *leaf = path->nodes[0];
	const void *data = btrfs_item_data(leaf, path->slots[0]);

	if (type == BTRFS_EXTENT_DATA_REF_KEY)
		return btrfs_extent_data_ref_count(leaf, data);
	return type == BTRFS_SHARED_DATA_REF_KEY ? btrfs_shared_data_ref_count(leaf, data) : 1;
}

static void set_keyed_ref_count(struct btrfs_path *path, u8 type, u32 count)
{
	struct extent_buffer *leaf = path->nodes[0];
	void *data = btrfs_item_data_mut(leaf, path->slots[0]);

	if (type == BTRFS_EXTENT_DATA_REF_KEY)
		btrfs_set_extent_data_ref_count(leaf, data, count);
	else if (type == BTRFS_SHARED_DATA_REF_KEY)
		btrfs_set_shared_data_ref_count(leaf, data, count);
}

static int twice(u64 bytenr, const struct btrfs_delayed_ref_node *ref)
{
	error("extent tree: tree block at %llu is already referenced by %s %llu", bytenr,
	      ref->parent ? "block" : "tree", ref->parent ? ref->parent : ref->ref_root);
	return -EUCLEAN;
}

static int insert_keyed_ref(struct btrfs_trans_handle *trans, u64 bytenr,
			    const struct btrfs_delayed_ref_node *ref)
{
	u32 size = keyed_ref_size(ref->type);
	struct btrfs_path path = { .reada = READA_NONE };
	struct btrfs_key key;
	int ret;

	ret = search_keyed_ref(trans, bytenr, ref, &path, &key,
			       (int)(size + sizeof(struct btrfs_item)));
	if (ret == 0 && !size) {
		ret = twice(bytenr, ref);
	} else if (ret == 0) {
		set_keyed_ref_count(&path, ref->type,
				    keyed_ref_count(&path, ref->type) + (u32)ref->ref_mod);
	} else if (ret > 0) {
		const struct btrfs_item_batch batch = { .keys = &key, .data_sizes = &size, .nr = 1 };

		btrfs_setup_items_for_insert(&path, &batch);
		if (ref->type == BTRFS_EXTENT_DATA_REF_KEY) {
			struct extent_buffer *leaf = path.nodes[0];
			struct btrfs_extent_data_ref *data =
				btrfs_item_data_mut(leaf, path.slots[0]);

			btrfs_set_extent_data_ref_root(leaf, data, ref->ref_root);
			btrfs_set_extent_data_ref_objectid(leaf, data, ref->ino);
			btrfs_set_extent_data_ref_offset(leaf, data, ref->offset);
		}
		set_keyed_ref_count(&path, ref->type, (u32)ref->ref_mod);
		ret = 0;
	}
	btrfs_release_path(&path);
	return ret;
}

/* ---- a new extent ---- */

static void write_extent_item(struct btrfs_trans_handle *trans, struct btrfs_path *path,
			      const struct btrfs_delayed_ref_head *head,
			      const struct btrfs_delayed_ref_node *ref, bool owner_ref)
{
	struct extent_buffer *leaf = path->nodes[0];
	struct btrfs_extent_item *ei = extent_item(path);
	u64 flags = head->is_data ? BTRFS_EXTENT_FLAG_DATA : BTRFS_EXTENT_FLAG_TREE_BLOCK;
	u32 pos = sizeof(*ei);

	if (head->extent_op.update_flags)
		flags |= head->extent_op.flags_to_set;
	btrfs_set_extent_refs(leaf, ei, (u64)ref->ref_mod);
	btrfs_set_extent_generation(leaf, ei, trans->transid);
	btrfs_set_extent_flags(leaf, ei, flags);
	if (has_block_info(trans->fs_info, head)) {
		struct btrfs_tree_block_info *info = (struct btrfs_tree_block_info *)(ei + 1);

		btrfs_set_tree_block_key(leaf, info, &head->extent_op.key);
		btrfs_set_tree_block_level(leaf, info, head->level);
		pos += sizeof(*info);
	}
	if (owner_ref) {
		struct btrfs_extent_inline_ref *iref = inline_ref_at(path, pos);

		btrfs_set_extent_inline_ref_type(leaf, iref, BTRFS_EXTENT_OWNER_REF_KEY);
		btrfs_set_extent_inline_ref_offset(leaf, iref, head->owning_root);
		pos += btrfs_extent_inline_ref_size(BTRFS_EXTENT_OWNER_REF_KEY);
	}
	write_inline_ref(leaf, inline_ref_at(path, pos), ref, (u32)ref->ref_mod);
}

int btrfs_insert_extent_item(struct btrfs_trans_handle *trans,
			     const struct btrfs_delayed_ref_head *head,
			     const struct btrfs_delayed_ref_node *ref)
{
	struct btrfs_fs_info *fs_info = trans->fs_info;
	bool owner_ref = head->is_data &&
			 btrfs_fs_incompat(fs_info, BTRFS_FEATURE_INCOMPAT_SIMPLE_QUOTA);
	u32 size = sizeof(struct btrfs_extent_item) + btrfs_extent_inline_ref_size(ref->type);
	struct btrfs_path path = { .reada = READA_NONE };
	struct btrfs_key key;
	int ret;

	if (has_block_info(fs_info, head))
		size += sizeof(struct btrfs_tree_block_info);
	if (owner_ref)
		size += btrfs_extent_inline_ref_size(BTRFS_EXTENT_OWNER_REF_KEY);
	extent_item_key(fs_info, head, &key);
	ret = btrfs_insert_empty_item(trans, fs_info->extent_root, &path, &key, size);
	if (ret == -EEXIST) {
		error("extent tree: space at %llu that was free has an extent item already",
		      head->bytenr);
		ret = -EUCLEAN;
	}
	if (!ret)
		write_extent_item(trans, &path, head, ref, owner_ref);
	btrfs_release_path(&path);
	return ret;
}

/* ---- one more ---- */

/* Whether the extent at @path has references in items of their own. */
static bool has_keyed_refs(const struct btrfs_path *path, u64 bytenr)
{
	const struct extent_buffer *leaf = path->nodes[0];
	struct btrfs_key key;

	if (path->slots[0] + 1 < leaf->nritems) {
		btrfs_item_key_to_cpu(leaf, &key, path->slots[0] + 1);
		return key.objectid == bytenr && key.type < BTRFS_BLOCK_GROUP_ITEM_KEY;
	}
	for (int level = 1; level < BTRFS_MAX_LEVEL && path->nodes[level]; level++) {
		if (path->slots[level] + 1 >= path->nodes[level]->nritems)
			continue;
		btrfs_node_key_to_cpu(path->nodes[level], &key, path->slots[level] + 1);
		return key.objectid == bytenr && key.type < BTRFS_BLOCK_GROUP_ITEM_KEY;
	}
	return false;
}

/* The longest that an extent item may get by taking references in. */
static u32 max_extent_item_size(const struct extent_buffer *leaf)
{
	return (btrfs_leaf_data_size(leaf) >> 4) - (u32)sizeof(struct btrfs_item);
}

static void add_to_extent_refs(struct btrfs_path *path, s64 mod)
{
	struct extent_buffer *leaf = path->nodes[0];
	struct btrfs_extent_item *ei = extent_item(path);

	btrfs_set_extent_refs(leaf, ei, btrfs_extent_refs(leaf, ei) + (u64)mod);
}

/* 0: done; 1: the reference has to get an item of its own. */
static int insert_inline_backref(struct btrfs_path *path,
				 const struct btrfs_delayed_ref_head *head,
				 const struct btrfs_delayed_ref_node *ref)
{
	struct extent_buffer *leaf = path->nodes[0];
	u32 size = btrfs_extent_inline_ref_size(ref->type);
	u32 pos;
	int ret = find_inline_ref(path, ref, &pos);

	if (ret < 0)
		return ret;
	if (ret == 0) {
		struct btrfs_extent_inline_ref *iref = inline_ref_at(path, pos);

		if (!head->is_data)
			return twice(head->bytenr, ref);
		set_inline_ref_count(leaf, iref,
				     inline_ref_count(leaf, iref) + (u32)ref->ref_mod);
		return 0;
	}
	if (btrfs_item_size(leaf, path->slots[0]) + size >= max_extent_item_size(leaf) ||
	    has_keyed_refs(path, head->bytenr))
		return 1;
	insert_inline_ref(path, ref, pos);
	return 0;
}

int btrfs_insert_extent_backref(struct btrfs_trans_handle *trans,
				const struct btrfs_delayed_ref_head *head,
				const struct btrfs_delayed_ref_node *ref)
{
	struct btrfs_path path = { .reada = READA_NONE };
	int inserted, ret;

	ret = search_extent_item(trans, head, &path, (int)btrfs_extent_inline_ref_size(ref->type));
	if (ret)
		goto out;
	inserted = insert_inline_backref(&path, head, ref);
	ret = inserted < 0 ? inserted : 0;
	if (ret)
		goto out;
	add_to_extent_refs(&path, ref->ref_mod);
	btrfs_release_path(&path);
	if (inserted == 1)
		ret = insert_keyed_ref(trans, head->bytenr, ref);
out:
	btrfs_release_path(&path);
	return ret;
}

/* ---- one less ---- */

static int missing_ref(const struct btrfs_delayed_ref_head *head,
		       const struct btrfs_delayed_ref_node *ref, u32 there)
{
	if (ref->type == BTRFS_EXTENT_DATA_REF_KEY)
		error("extent tree: data at %llu has %u references of tree %llu inode %llu "
		      "offset %llu, %llu are to be dropped", head->bytenr, there, ref->ref_root,
		      ref->ino, ref->offset, (u64)-ref->ref_mod);
	else
		error("extent tree: %s at %llu has %u references of %s %llu, %llu are to be dropped",
		      head->is_data ? "data" : "tree block", head->bytenr, there,
		      ref->parent ? "block" : "tree", ref->parent ? ref->parent : ref->ref_root,
		      (u64)-ref->ref_mod);
	return -EUCLEAN;
}

static int drop_inline_ref(struct btrfs_path *path, const struct btrfs_delayed_ref_head *head,
			   const struct btrfs_delayed_ref_node *ref, u32 pos)
{
	struct extent_buffer *leaf = path->nodes[0];
	struct btrfs_extent_inline_ref *iref = inline_ref_at(path, pos);
	u32 count = inline_ref_count(leaf, iref);
	u64 drop = (u64)-ref->ref_mod;

	if (drop > count)
		return missing_ref(head, ref, count);
	if (drop == count)
		remove_inline_ref(path, pos, btrfs_extent_inline_ref_size(ref->type));
	else
		set_inline_ref_count(leaf, iref, count - (u32)drop);
	return 0;
}

static int drop_keyed_ref(struct btrfs_trans_handle *trans,
			  const struct btrfs_delayed_ref_head *head,
			  const struct btrfs_delayed_ref_node *ref)
{
	struct btrfs_path path = { .reada = READA_NONE };
	u64 drop = (u64)-ref->ref_mod;
	u32 count;
	int ret = find_keyed_ref(trans, head->bytenr, ref, &path);

	if (ret) {
		btrfs_release_path(&path);
		return ret == -ENOENT ? missing_ref(head, ref, 0) : ret;
	}
	count = keyed_ref_count(&path, ref->type);
	if (drop > count)
		ret = missing_ref(head, ref, count);
	else if (drop == count)
		ret = btrfs_del_item(trans, trans->fs_info->extent_root, &path);
	else
		set_keyed_ref_count(&path, ref->type, count - (u32)drop);
	btrfs_release_path(&path);
	return ret;
}

/* The total has been seen to be enough. */
static int drop_from_total(struct btrfs_trans_handle *trans, struct btrfs_path *path,
			   const struct btrfs_delayed_ref_node *ref, bool *gone)
{
	add_to_extent_refs(path, ref->ref_mod);
	*gone = btrfs_extent_refs(path->nodes[0], extent_item(path)) == 0;
	return *gone ? btrfs_del_item(trans, trans->fs_info->extent_root, path) : 0;
}

int btrfs_remove_extent_backref(struct btrfs_trans_handle *trans,
				const struct btrfs_delayed_ref_head *head,
				const struct btrfs_delayed_ref_node *ref, bool *gone)
{
	struct btrfs_path path = { .reada = READA_NONE };
	bool is_keyed;
	u64 refs;
	u32 pos;
	int ret;

	*gone = false;
	ret = search_extent_item(trans, head, &path, -1);
	if (ret)
		goto out;
	refs = btrfs_extent_refs(path.nodes[0], extent_item(&path));
	if (refs < (u64)-ref->ref_mod) {
		ret = missing_ref(head, ref, (u32)refs);
		goto out;
	}
	ret = find_inline_ref(&path, ref, &pos);
	if (ret < 0)
		goto out;
	is_keyed = ret > 0;
	if (is_keyed) {
		btrfs_release_path(&path);
		ret = drop_keyed_ref(trans, head, ref);
		if (!ret)
			ret = search_extent_item(trans, head, &path, -1);
	} else {
		ret = drop_inline_ref(&path, head, ref, pos);
	}
	if (!ret)
		ret = drop_from_total(trans, &path, ref, gone);
out:
	btrfs_release_path(&path);
	return ret;
}

/* ---- flags and keys ---- */

int btrfs_run_delayed_extent_op(struct btrfs_trans_handle *trans,
				const struct btrfs_delayed_ref_head *head)
{
	const struct btrfs_delayed_extent_op *op = &head->extent_op;
	struct btrfs_path path = { .reada = READA_NONE };
	struct extent_buffer *leaf;
	struct btrfs_extent_item *ei;
	int ret = search_extent_item(trans, head, &path, 0);

	if (ret)
		goto out;
	leaf = path.nodes[0];
	ei = extent_item(&path);
	if (op->update_flags)
		btrfs_set_extent_flags(leaf, ei, btrfs_extent_flags(leaf, ei) | op->flags_to_set);
	if (op->update_key && inline_refs_start(&path) > sizeof(*ei))
		btrfs_set_tree_block_key(leaf, (struct btrfs_tree_block_info *)(ei + 1), &op->key);
out:
	btrfs_release_path(&path);
	return ret;
}
