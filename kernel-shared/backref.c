// SPDX-License-Identifier: GPL-2.0-only
/*
 * Walking back references from a data extent to files, and from a leaf to the
 * roots that lead to it.
 *
 * The references of an extent are of two kinds.  Direct ones (shared) name the
 * block that points to the extent.  Indirect ones name a root and a key, and
 * the block is found by searching that tree.  Both end up in one sorted set of
 * blocks, which is then gone through; for metadata this repeats upwards until
 * the roots are reached.
 */
#include "kernel-shared/backref.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "common/hashtable.h"
#include "common/message.h"
#include "common/rbtree.h"
#include "common/vec.h"
#include "kernel-shared/disk-io.h"
#include "kernel-shared/root-tree.h"

/* A file extent item that refers to the extent. */
struct extent_inode_elem {
	struct extent_inode_elem *next;
	struct extent_inode_elem *next_alloc;	/* all of a walk, for freeing */
	u64 ino;
	u64 offset;
	u64 num_bytes;
};

/* A set of blocks (or roots) in the order of their first appearance. */
struct ulist_node {
	u64 val;
	struct extent_inode_elem *inodes;
};

struct ulist {
	struct vec nodes;		/* of struct ulist_node */
	struct u64_map index;		/* val -> index + 1 */
};

/* A reference on its way from the extent tree to a block. */
struct prelim_ref {
	struct rb_node node;
	u64 root_id;			/* 0: direct */
	struct btrfs_key key;		/* to search for; all zero: direct */
	u8 level;			/* of the block that refers */
	u64 parent;			/* that block; 0: not known, or there is none (a root) */
	u64 count;
	u64 wanted_bytenr;
	struct extent_inode_elem *inodes;
};

/* What one call of find_parent_nodes() works on. */
struct parent_search {
	struct btrfs_backref_walk *walk;
	u64 bytenr;
	bool want_inodes;		/* a data extent: collect the items */
	struct ulist *leafs;		/* results */
	struct ulist *roots;		/* NULL: not wanted */
	struct rb_root direct;
	struct rb_root indirect;
	struct rb_root missing_keys;	/* indirect refs of a tree block, key not known yet */
	struct extent_inode_elem **allocated;
};

/* ---- ulist ---- */

static void ulist_init(struct ulist *ulist)
{
	vec_init(&ulist->nodes, sizeof(struct ulist_node));
	u64_map_init(&ulist->index);
}

static void ulist_release(struct ulist *ulist)
{
	vec_free(&ulist->nodes);
	u64_map_free(&ulist->index);
}

/* Append @inodes to those of @val, which is added when it is new. */
static int ulist_add(struct ulist *ulist, u64 val, struct extent_inode_elem *inodes)
{
	size_t index = (size_t)u64_map_find(&ulist->index, val);
	struct extent_inode_elem **tail;
	struct ulist_node *node;

	if (!index) {
		node = vec_push(&ulist->nodes);
		if (!node)
			return -ENOMEM;
		node->val = val;
		node->inodes = inodes;
		return u64_map_insert(&ulist->index, val, (void *)ulist->nodes.nr);
	}
	node = vec_at(&ulist->nodes, index - 1);
	tail = &node->inodes;
	while (*tail)
		tail = &(*tail)->next;
	*tail = inodes;
	return 0;
}

/* ---- prelim refs ---- */

static int comp_u64(u64 a, u64 b)
{
	return a < b ? -1 : a > b;
}

/*
 * The order in which references are followed and reported.  It descends, as the
 * kernel's does: whether a candidate is seen first decides between equals.
 */
static int comp_prelim_ref(const struct prelim_ref *b, const struct prelim_ref *a)
{
	int cmp = comp_u64(a->level, b->level);

	if (!cmp)
		cmp = comp_u64(a->root_id, b->root_id);
	if (!cmp)
		cmp = comp_u64(a->key.type, b->key.type);
	if (!cmp)
		cmp = comp_u64(a->key.objectid, b->key.objectid);
	if (!cmp)
		cmp = comp_u64(a->key.offset, b->key.offset);
	return cmp ? cmp : comp_u64(a->parent, b->parent);
}

/* Takes over @ref; equal ones become one. */
static void insert_prelim_ref(struct rb_root *root, struct prelim_ref *ref)
{
	struct rb_node **link = &root->rb_node, *parent = NULL;

	while (*link) {
		struct prelim_ref *other = rb_entry(*link, struct prelim_ref, node);
		int cmp = comp_prelim_ref(ref, other);

		if (!cmp) {
			struct extent_inode_elem **tail = &other->inodes;

			while (*tail)
				tail = &(*tail)->next;
			*tail = ref->inodes;
			other->count += ref->count;
			free(ref);
			return;
		}
		parent = *link;
		link = cmp < 0 ? &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&ref->node, parent, link);
	rb_insert_color(&ref->node, root);
}

static int add_prelim_ref(struct parent_search *search, struct rb_root *root, u64 root_id,
			  const struct btrfs_key *key, u8 level, u64 parent, u64 count)
{
	struct prelim_ref *ref;

	/* Blocks of a relocation under way are found by their proper owners. */
	if (root_id == BTRFS_DATA_RELOC_TREE_OBJECTID)
		return 0;
	ref = calloc(1, sizeof(*ref));
	if (!ref)
		return -ENOMEM;
	ref->root_id = root_id;
	if (key)
		ref->key = *key;
	ref->level = level;
	ref->parent = parent;
	ref->count = count;
	ref->wanted_bytenr = search->bytenr;
	insert_prelim_ref(root, ref);
	return 0;
}

static void free_prelim_refs(struct rb_root *root)
{
	struct prelim_ref *ref, *next;

	rbtree_postorder_for_each_entry_safe(ref, next, root, node)
		free(ref);
	*root = RB_ROOT;
}

/* ---- from the extent tree ---- */

static int add_data_ref(struct parent_search *search, const struct extent_buffer *leaf,
			const struct btrfs_extent_data_ref *dref)
{
	struct btrfs_backref_walk *walk = search->walk;
	u64 root = btrfs_extent_data_ref_root(leaf, dref);
	struct btrfs_key key = {
		.objectid = btrfs_extent_data_ref_objectid(leaf, dref),
		.type = BTRFS_EXTENT_DATA_KEY,
		.offset = btrfs_extent_data_ref_offset(leaf, dref),
	};

	if (walk->skip_data_ref && walk->skip_data_ref(root, key.objectid, key.offset, walk->ctx))
		return 0;
	return add_prelim_ref(search, &search->indirect, root, &key, 0, 0,
			      btrfs_extent_data_ref_count(leaf, dref));
}

/* One reference of @type; @data points to what the type has besides @offset. */
static int add_ref(struct parent_search *search, const struct extent_buffer *leaf, u8 type,
		   u64 offset, const void *data, u8 level)
{
	switch (type) {
	case BTRFS_SHARED_BLOCK_REF_KEY:
		return add_prelim_ref(search, &search->direct, 0, NULL, level + 1, offset, 1);
	case BTRFS_SHARED_DATA_REF_KEY:
		return add_prelim_ref(search, &search->direct, 0, NULL, 0, offset,
				      btrfs_shared_data_ref_count(leaf, data));
	case BTRFS_TREE_BLOCK_REF_KEY:
		return add_prelim_ref(search, &search->missing_keys, offset, NULL, level + 1, 0, 1);
	case BTRFS_EXTENT_DATA_REF_KEY:
		return add_data_ref(search, leaf, data);
	default:	/* the owner of simple quotas refers to nothing */
		return 0;
	}
}

static int add_inline_refs(struct parent_search *search, const struct btrfs_path *path,
			   const struct btrfs_key *key, u8 *level)
{
	struct btrfs_backref_walk *walk = search->walk;
	const struct extent_buffer *leaf = path->nodes[0];
	const struct btrfs_extent_item *ei =
		btrfs_item_ptr(leaf, path->slots[0], struct btrfs_extent_item);
	const u8 *ptr = (const u8 *)(ei + 1);
	const u8 *end = (const u8 *)ei + btrfs_item_size(leaf, path->slots[0]);
	int ret = 0;

	if (walk->check_extent_item)
		ret = walk->check_extent_item(search->bytenr, btrfs_extent_refs(leaf, ei),
					      walk->ctx);
	if (ret)
		return ret;
	if (key->type == BTRFS_METADATA_ITEM_KEY) {
		*level = (u8)key->offset;
	} else if (btrfs_extent_flags(leaf, ei) & BTRFS_EXTENT_FLAG_TREE_BLOCK) {
		*level = btrfs_tree_block_level(leaf, (const struct btrfs_tree_block_info *)ptr);
		ptr += sizeof(struct btrfs_tree_block_info);
	}
	while (ptr < end && !ret) {
		const struct btrfs_extent_inline_ref *iref = (const void *)ptr;
		u8 type = btrfs_extent_inline_ref_type(leaf, iref);
		u32 size = btrfs_extent_inline_ref_size(type);

		if (!size || size > (size_t)(end - ptr))
			return -EUCLEAN;
		ret = add_ref(search, leaf, type, btrfs_extent_inline_ref_offset(leaf, iref),
			      type == BTRFS_EXTENT_DATA_REF_KEY ? (const void *)&iref->offset :
								  (const void *)(iref + 1),
			      *level);
		ptr += size;
	}
	return ret;
}

static int add_keyed_refs(struct parent_search *search, struct btrfs_path *path, u8 level)
{
	struct btrfs_root *root = search->walk->fs_info->extent_root;
	struct btrfs_key key;
	int ret;

	for (ret = btrfs_next_item(root, path); ret == 0; ret = btrfs_next_item(root, path)) {
		btrfs_item_key_to_cpu(path->nodes[0], &key, path->slots[0]);
		if (key.objectid != search->bytenr || key.type > BTRFS_SHARED_DATA_REF_KEY)
			break;
		if (key.type < BTRFS_TREE_BLOCK_REF_KEY)
			continue;
		ret = add_ref(search, path->nodes[0], key.type, key.offset,
			      btrfs_item_data(path->nodes[0], path->slots[0]), level);
		if (ret)
			return ret;
	}
	return min(ret, 0);
}

static int collect_refs(struct parent_search *search)
{
	struct btrfs_fs_info *fs_info = search->walk->fs_info;
	struct btrfs_path *path = search->walk->extent_path;
	struct btrfs_key key = { search->bytenr, BTRFS_METADATA_ITEM_KEY, (u64)-1 };
	u8 level = 0;
	int ret;

	if (!fs_info->extent_root) {
		ret = btrfs_missing_root_error(fs_info, BTRFS_EXTENT_TREE_OBJECTID);
		if (ret != -ENOENT)
			return ret;
		error("cannot find who uses the extent at %llu: there is no extent tree",
		      search->bytenr);
		return -EUCLEAN;
	}
	ret = btrfs_search_slot_for_read(fs_info->extent_root, &key, path, true);
	if (ret)
		return min(ret, 0);
	btrfs_item_key_to_cpu(path->nodes[0], &key, path->slots[0]);
	if (key.objectid != search->bytenr || (key.type != BTRFS_EXTENT_ITEM_KEY &&
					       key.type != BTRFS_METADATA_ITEM_KEY))
		return 0;
	ret = add_inline_refs(search, path, &key, &level);
	return ret ? ret : add_keyed_refs(search, path, level);
}

/* ---- file extent items ---- */

/*
 * The item at @slot refers to the data extent.  Add it to @list: at the end of
 * it for @append, else at its front.  1: it does not cover the wanted offset.
 */
static int add_inode_elem(struct parent_search *search, const struct extent_buffer *leaf, u32 slot,
			  struct extent_inode_elem **list)
{
	struct btrfs_backref_walk *walk = search->walk;
	const struct btrfs_file_extent_item *fi =
		btrfs_item_ptr(leaf, slot, struct btrfs_file_extent_item);
	u64 num_bytes = btrfs_file_extent_num_bytes(leaf, fi);
	struct extent_inode_elem *elem;
	struct btrfs_key key;
	const u64 *roots;
	u32 nr_roots;
	u64 offset;

	btrfs_item_key_to_cpu(leaf, &key, slot);
	offset = key.offset;
	if (btrfs_file_extent_compression(leaf, fi) == BTRFS_COMPRESS_NONE) {
		u64 data_offset = btrfs_file_extent_offset(leaf, fi);

		if (walk->extent_item_pos < data_offset ||
		    walk->extent_item_pos >= data_offset + num_bytes)
			return 1;
		offset += walk->extent_item_pos - data_offset;
	}
	/* When it is known which roots the leaf belongs to, the good news need not wait. */
	if (walk->cache_lookup && walk->cache_lookup(leaf->start, &roots, &nr_roots, walk->ctx)) {
		for (u32 i = 0; i < nr_roots; i++) {
			int ret = walk->iterate(key.objectid, offset, num_bytes, roots[i],
						walk->ctx);

			if (ret)
				return ret;
		}
	}
	elem = malloc(sizeof(*elem));
	if (!elem)
		return -ENOMEM;
	*elem = (struct extent_inode_elem) {
		.next = *list, .next_alloc = *search->allocated,
		.ino = key.objectid, .offset = offset, .num_bytes = num_bytes,
	};
	*search->allocated = elem;
	*list = elem;
	return 0;
}

static bool item_refers_to(const struct extent_buffer *leaf, u32 slot, u64 bytenr)
{
	const struct btrfs_file_extent_item *fi =
		btrfs_item_ptr(leaf, slot, struct btrfs_file_extent_item);

	return btrfs_file_extent_type(leaf, fi) != BTRFS_FILE_EXTENT_INLINE &&
	       btrfs_file_extent_disk_bytenr(leaf, fi) == bytenr;
}

/* For a direct reference: every item of the leaf that refers to the extent, the last one first. */
static int find_extent_in_leaf(struct parent_search *search, u64 bytenr,
			       struct extent_inode_elem **list)
{
	struct btrfs_tree_parent_check check = { .level = 0 };
	struct extent_buffer *leaf;
	int ret = btrfs_read_tree_block(search->walk->fs_info, bytenr, &check, &leaf);

	if (ret)
		return ret;
	for (u32 slot = 0; slot < leaf->nritems; slot++) {
		struct btrfs_key key;

		btrfs_item_key_to_cpu(leaf, &key, slot);
		if (key.type != BTRFS_EXTENT_DATA_KEY ||
		    !item_refers_to(leaf, slot, search->bytenr))
			continue;
		ret = add_inode_elem(search, leaf, slot, list);
		if (ret < 0 || ret == BTRFS_ITERATE_EXTENT_INODES_STOP)
			break;
		ret = 0;
	}
	free_extent_buffer(leaf);
	return ret;
}

/* ---- indirect references ---- */

static bool is_shared_data_backref(const struct parent_search *search, u64 bytenr)
{
	struct prelim_ref want = { .parent = bytenr };
	struct rb_node *node = search->direct.rb_node;

	while (node) {
		int cmp = comp_prelim_ref(&want, rb_entry(node, struct prelim_ref, node));

		if (!cmp)
			return true;
		node = cmp < 0 ? node->rb_left : node->rb_right;
	}
	return false;
}

/* Items in leaves of another owner, or named by a direct reference, do not count here. */
static bool leaf_counts(const struct parent_search *search, const struct prelim_ref *ref,
			const struct extent_buffer *leaf)
{
	return ref->root_id == leaf->owner && !is_shared_data_backref(search, leaf->start);
}

/* Follow a data reference: the leaves of @root with items of its inode that it counts. */
static int add_data_parents(struct parent_search *search, struct btrfs_root *root,
			    struct btrfs_path *path, const struct prelim_ref *ref,
			    struct ulist *parents)
{
	u64 count = 0;
	int ret = 0;

	if (path->slots[0] >= path->nodes[0]->nritems || !leaf_counts(search, ref, path->nodes[0]))
		ret = btrfs_next_leaf(root, path);
	while (ret == 0 && count < ref->count) {
		const struct extent_buffer *leaf = path->nodes[0];
		u32 slot = path->slots[0];
		struct extent_inode_elem *elem = NULL;
		const struct btrfs_file_extent_item *fi;
		struct btrfs_key key;

		btrfs_item_key_to_cpu(leaf, &key, slot);
		if (key.objectid != ref->key.objectid || key.type != BTRFS_EXTENT_DATA_KEY)
			break;
		if (slot == 0 && !leaf_counts(search, ref, leaf)) {
			ret = btrfs_next_leaf(root, path);
			continue;
		}
		fi = btrfs_item_ptr(leaf, slot, struct btrfs_file_extent_item);
		if (item_refers_to(leaf, slot, search->bytenr) &&
		    ref->key.offset == key.offset - btrfs_file_extent_offset(leaf, fi)) {
			count++;
			ret = add_inode_elem(search, leaf, slot, &elem);
			if (ret < 0 || ret == BTRFS_ITERATE_EXTENT_INODES_STOP)
				return ret;
			if (ret == 0)
				ret = ulist_add(parents, leaf->start, elem);
			if (ret < 0)
				return ret;
		}
		ret = btrfs_next_item(root, path);
	}
	return min(ret, 0);
}

/* Find the blocks that an indirect reference is about.  -ENOENT: its root is gone. */
static int resolve_indirect_ref(struct parent_search *search, const struct prelim_ref *ref,
				struct ulist *parents)
{
	struct btrfs_path path = { .lowest_level = ref->level };
	struct btrfs_key key = ref->key;
	struct btrfs_root *root;
	int level = ref->level;
	int ret;

	ret = btrfs_get_fs_root(search->walk->fs_info, ref->root_id, &root);
	if (ret)
		return ret;
	if (root->node->level + 1 == level)	/* it is the root itself: no parent */
		return 0;
	/* Clones may have made the offset negative; then the inode's items are all gone through. */
	if (key.type == BTRFS_EXTENT_DATA_KEY && key.offset >= LLONG_MAX)
		key.offset = 0;
	ret = btrfs_search_slot(root, &key, &path);
	if (ret < 0)
		return ret;
	while (level && !path.nodes[level])
		level--;
	if (level)
		ret = ulist_add(parents, path.nodes[level]->start, NULL);
	else
		ret = add_data_parents(search, root, &path, ref, parents);
	btrfs_release_path(&path);
	return ret;
}

/* A tree block's reference is searched for by the block's first key. */
static int add_missing_keys(struct parent_search *search)
{
	struct rb_node *node;

	while ((node = rb_first(&search->missing_keys)) != NULL) {
		struct prelim_ref *ref = rb_entry(node, struct prelim_ref, node);
		struct btrfs_tree_parent_check check = {
			.level = (u8)(ref->level - 1), .owner_root = ref->root_id,
		};
		struct extent_buffer *eb;
		int ret;

		rb_erase(node, &search->missing_keys);
		ret = btrfs_read_tree_block(search->walk->fs_info, ref->wanted_bytenr, &check, &eb);
		if (ret) {
			free(ref);
			return ret;
		}
		if (eb->level)
			btrfs_node_key_to_cpu(eb, &ref->key, 0);
		else
			btrfs_item_key_to_cpu(eb, &ref->key, 0);
		free_extent_buffer(eb);
		insert_prelim_ref(&search->indirect, ref);
	}
	return 0;
}

/* @ref is resolved: one direct reference for each of @parents. */
static int ref_becomes_direct(struct parent_search *search, struct prelim_ref *ref,
			      const struct ulist *parents)
{
	for (size_t i = 1; i < parents->nodes.nr; i++) {
		const struct ulist_node *node = vec_at(&parents->nodes, i);
		struct prelim_ref *more = malloc(sizeof(*more));

		if (!more) {
			free(ref);
			return -ENOMEM;
		}
		*more = *ref;
		more->parent = node->val;
		more->inodes = node->inodes;
		insert_prelim_ref(&search->direct, more);
	}
	if (parents->nodes.nr) {
		const struct ulist_node *node = vec_at(&parents->nodes, 0);

		ref->parent = node->val;
		ref->inodes = node->inodes;
	}
	insert_prelim_ref(&search->direct, ref);
	return 0;
}

static int resolve_indirect_refs(struct parent_search *search)
{
	struct rb_node *node;
	int ret = 0;

	while (!ret && (node = rb_first(&search->indirect)) != NULL) {
		struct prelim_ref *ref = rb_entry(node, struct prelim_ref, node);
		struct ulist parents;

		rb_erase(node, &search->indirect);
		ulist_init(&parents);
		ret = ref->count ? resolve_indirect_ref(search, ref, &parents) : 0;
		if (ret == -ENOENT) {
			insert_prelim_ref(&search->direct, ref);
			ret = 0;
		} else if (ret || !ref->count) {
			free(ref);
		} else {
			ret = ref_becomes_direct(search, ref, &parents);
		}
		ulist_release(&parents);
	}
	return ret;
}

/* All references are direct now: hand them to the result lists, in their order. */
static int report_direct_refs(struct parent_search *search)
{
	int ret = 0;

	for (struct rb_node *node = rb_first(&search->direct); node && !ret; node = rb_next(node)) {
		struct prelim_ref *ref = rb_entry(node, struct prelim_ref, node);

		if (!ref->count)
			continue;
		if (!ref->parent) {
			if (search->roots && ref->root_id)
				ret = ulist_add(search->roots, ref->root_id, NULL);
			continue;
		}
		if (search->want_inodes && !ref->inodes && ref->level == 0)
			ret = find_extent_in_leaf(search, ref->parent, &ref->inodes);
		if (!ret)
			ret = ulist_add(search->leafs, ref->parent, ref->inodes);
	}
	return ret;
}

/* The blocks that refer to search->bytenr directly, or by root and key. */
static int find_parent_nodes(struct parent_search *search)
{
	int ret = collect_refs(search);

	if (!ret)
		ret = add_missing_keys(search);
	if (!ret)
		ret = resolve_indirect_refs(search);
	if (!ret)
		ret = report_direct_refs(search);
	free_prelim_refs(&search->direct);
	free_prelim_refs(&search->indirect);
	free_prelim_refs(&search->missing_keys);
	return ret;
}

/* Which roots lead to the block at @bytenr? */
static int find_all_roots(struct btrfs_backref_walk *walk, u64 bytenr, struct ulist *roots)
{
	struct ulist blocks;
	size_t next = 0;
	int ret;

	ulist_init(&blocks);
	do {
		struct parent_search search = {
			.walk = walk, .bytenr = bytenr, .leafs = &blocks, .roots = roots,
		};

		ret = find_parent_nodes(&search);
		if (ret && ret != -ENOENT)
			break;
		ret = 0;
		if (next < blocks.nodes.nr)
			bytenr = ((struct ulist_node *)vec_at(&blocks.nodes, next))->val;
	} while (next++ < blocks.nodes.nr);
	ulist_release(&blocks);
	return ret;
}

static int iterate_leaf_refs(struct btrfs_backref_walk *walk,
			     const struct extent_inode_elem *elem, u64 root)
{
	int ret = 0;

	for (; elem && !ret; elem = elem->next)
		ret = walk->iterate(elem->ino, elem->offset, elem->num_bytes, root, walk->ctx);
	return ret;
}

/* Report the items of one leaf, once for each root that leads to it. */
static int iterate_leaf(struct btrfs_backref_walk *walk, const struct ulist_node *leaf)
{
	const u64 *cached;
	struct ulist roots;
	struct vec ids;
	u32 nr_cached;
	int ret = 0;

	if (walk->cache_lookup && walk->cache_lookup(leaf->val, &cached, &nr_cached, walk->ctx)) {
		for (u32 i = 0; i < nr_cached && !ret; i++)
			ret = iterate_leaf_refs(walk, leaf->inodes, cached[i]);
		return ret;
	}
	ulist_init(&roots);
	vec_init(&ids, sizeof(u64));
	ret = find_all_roots(walk, leaf->val, &roots);
	for (size_t i = 0; i < roots.nodes.nr && !ret; i++)
		ret = vec_push_copy(&ids, &((struct ulist_node *)vec_at(&roots.nodes, i))->val);
	if (!ret && walk->cache_store)
		walk->cache_store(leaf->val, ids.data, (u32)ids.nr, walk->ctx);
	for (size_t i = 0; i < ids.nr && !ret; i++)
		ret = iterate_leaf_refs(walk, leaf->inodes, *(u64 *)vec_at(&ids, i));
	vec_free(&ids);
	ulist_release(&roots);
	return ret;
}

int btrfs_iterate_extent_inodes(struct btrfs_backref_walk *walk)
{
	struct extent_inode_elem *allocated = NULL;
	struct ulist leafs;
	struct parent_search search = {
		.walk = walk, .bytenr = walk->bytenr, .want_inodes = true, .leafs = &leafs,
		.allocated = &allocated,
	};
	int ret;

	ulist_init(&leafs);
	ret = find_parent_nodes(&search);
	if (ret == -ENOENT)
		ret = 0;
	for (size_t i = 0; i < leafs.nodes.nr && !ret; i++)
		ret = iterate_leaf(walk, vec_at(&leafs.nodes, i));
	ulist_release(&leafs);
	while (allocated) {
		struct extent_inode_elem *next = allocated->next_alloc;

		free(allocated);
		allocated = next;
	}
	return ret == BTRFS_ITERATE_EXTENT_INODES_STOP ? 0 : ret;
}
