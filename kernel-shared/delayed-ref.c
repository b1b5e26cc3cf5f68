// SPDX-License-Identifier: GPL-2.0-only
/*
 * Noting references, merging them, and running the notes in order of addresses.
 * What running one head means to the extent tree is in extent-tree.c.
 */
#include "kernel-shared/delayed-ref.h"

#include <errno.h>
#include <stdlib.h>

#include "common/message.h"
#include "kernel-shared/block-group.h"
#include "kernel-shared/transaction.h"

/* ---- heads ---- */

/* The head at @bytenr, or (@or_next) the first one behind it. */
static struct btrfs_delayed_ref_head *lookup_head(const struct btrfs_delayed_ref_root *root,
						  u64 bytenr, bool or_next)
{
	struct btrfs_delayed_ref_head *next = NULL;
	struct rb_node *node = root->heads.rb_node;

	while (node) {
		struct btrfs_delayed_ref_head *head =
			rb_entry(node, struct btrfs_delayed_ref_head, node);

		if (head->bytenr == bytenr)
			return head;
		if (head->bytenr > bytenr)
			next = head;
		node = bytenr < head->bytenr ? node->rb_left : node->rb_right;
	}
	return or_next ? next : NULL;
}

struct btrfs_delayed_ref_head *btrfs_find_delayed_ref_head(const struct btrfs_fs_info *fs_info,
							   u64 bytenr)
{
	const struct btrfs_delayed_ref_root *root = fs_info->delayed_refs;

	return root ? lookup_head(root, bytenr, false) : NULL;
}

static void insert_head(struct btrfs_delayed_ref_root *root, struct btrfs_delayed_ref_head *head)
{
	struct rb_node **p = &root->heads.rb_node, *parent = NULL;

	while (*p) {
		parent = *p;
		p = head->bytenr < rb_entry(parent, struct btrfs_delayed_ref_head, node)->bytenr ?
		    &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&head->node, parent, p);
	rb_insert_color(&head->node, &root->heads);
	root->nr_heads++;
}

static void erase_head(struct btrfs_delayed_ref_root *root, struct btrfs_delayed_ref_head *head)
{
	rb_erase(&head->node, &root->heads);
	root->nr_heads--;
}

static void free_head(struct btrfs_delayed_ref_head *head)
{
	struct btrfs_delayed_ref_node *ref, *n;

	rbtree_postorder_for_each_entry_safe(ref, n, &head->refs, node)
		free(ref);
	free(head);
}

/* The head of the extent, new if need be. */
static int get_head(struct btrfs_delayed_ref_root *root, u64 bytenr, u64 num_bytes, bool is_data,
		    u8 level, struct btrfs_delayed_ref_head **ret)
{
	struct btrfs_delayed_ref_head *head = lookup_head(root, bytenr, false);

	if (head) {
		if (head->num_bytes != num_bytes || head->is_data != is_data) {
			error("extent at %llu is referenced as %llu bytes of %s and %llu of %s",
			      bytenr, head->num_bytes, head->is_data ? "data" : "metadata",
			      num_bytes, is_data ? "data" : "metadata");
			return -EUCLEAN;
		}
		*ret = head;
		return 0;
	}
	head = calloc(1, sizeof(*head));
	if (!head)
		return -ENOMEM;
	head->bytenr = bytenr;
	head->num_bytes = num_bytes;
	head->is_data = is_data;
	head->level = level;
	insert_head(root, head);
	*ret = head;
	return 0;
}

static bool has_extent_op(const struct btrfs_delayed_ref_head *head)
{
	return head->extent_op.update_key || head->extent_op.update_flags;
}

static void drop_head_if_idle(struct btrfs_delayed_ref_root *root,
			      struct btrfs_delayed_ref_head *head)
{
	if (!RB_EMPTY_ROOT(&head->refs) || head->must_insert_reserved || has_extent_op(head))
		return;
	erase_head(root, head);
	free_head(head);
}

/* ---- references of a head ---- */

static int comp_u64(u64 a, u64 b)
{
	return a < b ? -1 : a > b;
}

static int comp_refs(const struct btrfs_delayed_ref_node *a, const struct btrfs_delayed_ref_node *b)
{
	int cmp = comp_u64(a->type, b->type);

	if (!cmp)
		cmp = comp_u64(a->parent, b->parent);
	if (!cmp)
		cmp = comp_u64(a->ref_root, b->ref_root);
	if (!cmp)
		cmp = comp_u64(a->ino, b->ino);
	return cmp ? cmp : comp_u64(a->offset, b->offset);
}

/* Add @ref to what is noted already; takes it over. */
static void merge_ref(struct btrfs_delayed_ref_head *head, struct btrfs_delayed_ref_node *ref)
{
	struct rb_node **p = &head->refs.rb_node, *parent = NULL;

	head->ref_mod += ref->ref_mod;
	while (*p) {
		struct btrfs_delayed_ref_node *old =
			rb_entry(*p, struct btrfs_delayed_ref_node, node);
		int cmp = comp_refs(ref, old);

		if (cmp == 0) {
			old->ref_mod += ref->ref_mod;
			free(ref);
			if (old->ref_mod == 0) {
				rb_erase(&old->node, &head->refs);
				free(old);
			}
			return;
		}
		parent = *p;
		p = cmp < 0 ? &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&ref->node, parent, p);
	rb_insert_color(&ref->node, &head->refs);
}

static void merge_extent_op(struct btrfs_delayed_ref_head *head,
			    const struct btrfs_delayed_extent_op *op)
{
	if (op->update_key) {
		head->extent_op.key = op->key;
		head->extent_op.update_key = true;
	}
	if (op->update_flags) {
		head->extent_op.flags_to_set |= op->flags_to_set;
		head->extent_op.update_flags = true;
	}
}

static struct btrfs_delayed_ref_node *new_node(const struct btrfs_ref *ref, bool drop)
{
	struct btrfs_delayed_ref_node *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	if (ref->is_data)
		node->type = ref->parent ? BTRFS_SHARED_DATA_REF_KEY : BTRFS_EXTENT_DATA_REF_KEY;
	else
		node->type = ref->parent ? BTRFS_SHARED_BLOCK_REF_KEY : BTRFS_TREE_BLOCK_REF_KEY;
	node->parent = ref->parent;
	if (!ref->parent) {
		node->ref_root = ref->ref_root;
		node->ino = ref->is_data ? ref->ino : 0;
		node->offset = ref->is_data ? ref->offset : 0;
	}
	node->ref_mod = drop ? -1 : 1;
	return node;
}

static int add_ref(struct btrfs_trans_handle *trans, const struct btrfs_ref *ref, bool drop,
		   bool is_new, const struct btrfs_delayed_extent_op *op)
{
	struct btrfs_delayed_ref_root *root = trans->fs_info->delayed_refs;
	struct btrfs_delayed_ref_node *node = new_node(ref, drop);
	struct btrfs_delayed_ref_head *head;
	int ret;

	if (!node)
		return -ENOMEM;
	ret = get_head(root, ref->bytenr, ref->num_bytes, ref->is_data, ref->level, &head);
	if (ret) {
		free(node);
		return ret;
	}
	if (is_new) {
		head->must_insert_reserved = true;
		head->owning_root = ref->owning_root ? ref->owning_root : ref->ref_root;
	}
	merge_ref(head, node);
	if (op)
		merge_extent_op(head, op);
	drop_head_if_idle(root, head);
	return 0;
}

int btrfs_add_delayed_tree_ref(struct btrfs_trans_handle *trans, const struct btrfs_ref *ref,
			       bool drop)
{
	return add_ref(trans, ref, drop, false, NULL);
}

int btrfs_add_delayed_data_ref(struct btrfs_trans_handle *trans, const struct btrfs_ref *ref,
			       bool drop)
{
	return add_ref(trans, ref, drop, false, NULL);
}

int btrfs_add_new_tree_ref(struct btrfs_trans_handle *trans, const struct btrfs_ref *ref,
			   const struct btrfs_delayed_extent_op *op)
{
	return add_ref(trans, ref, false, true, op);
}

int btrfs_add_new_data_ref(struct btrfs_trans_handle *trans, const struct btrfs_ref *ref)
{
	return add_ref(trans, ref, false, true, NULL);
}

int btrfs_add_delayed_extent_op(struct btrfs_trans_handle *trans, u64 bytenr, u64 num_bytes,
				u8 level, const struct btrfs_delayed_extent_op *op)
{
	struct btrfs_delayed_ref_root *root = trans->fs_info->delayed_refs;
	struct btrfs_delayed_ref_head *head;
	int ret;

	ret = get_head(root, bytenr, num_bytes, false, level, &head);
	if (ret)
		return ret;
	merge_extent_op(head, op);
	return 0;
}

bool btrfs_forget_new_extent(struct btrfs_trans_handle *trans, u64 bytenr)
{
	struct btrfs_delayed_ref_root *root = trans->fs_info->delayed_refs;
	struct btrfs_delayed_ref_head *head = lookup_head(root, bytenr, false);

	if (!head || !head->must_insert_reserved || !RB_EMPTY_ROOT(&head->refs))
		return false;
	erase_head(root, head);
	free_head(head);
	return true;
}

/* ---- running ---- */

bool btrfs_has_delayed_refs(const struct btrfs_fs_info *fs_info)
{
	const struct btrfs_delayed_ref_root *root = fs_info->delayed_refs;

	return root && root->nr_heads;
}

/* The next head at or after *@cursor, from the start again at the end. */
static struct btrfs_delayed_ref_head *next_head(struct btrfs_delayed_ref_root *root, u64 cursor)
{
	struct btrfs_delayed_ref_head *head = lookup_head(root, cursor, true);

	return head ? head : lookup_head(root, 0, true);
}

/*
 * A head leaves the tree before it is run: what is noted about its extent
 * meanwhile (an extent tree block may be freed while its own item is made)
 * is new work.
 */
static int run_heads(struct btrfs_trans_handle *trans, struct btrfs_delayed_ref_root *root,
		     u64 max_heads, u64 max_bytes)
{
	u64 cursor = 0, bytes = 0;
	int ret = 0;

	while (root->nr_heads && max_heads-- && bytes < max_bytes && !ret) {
		struct btrfs_delayed_ref_head *head = next_head(root, cursor);

		cursor = head->bytenr + 1;
		bytes += head->num_bytes;
		erase_head(root, head);
		ret = btrfs_run_delayed_ref_head(trans, head);
		free_head(head);
		if (!ret)
			ret = btrfs_create_pending_block_groups(trans);
	}
	return ret;
}

int btrfs_run_delayed_refs(struct btrfs_trans_handle *trans, u64 min_bytes)
{
	struct btrfs_delayed_ref_root *root = trans->fs_info->delayed_refs;
	int ret;

	if (root->running)
		return 0;
	if (trans->transaction->aborted)
		return trans->transaction->aborted;
	root->running = true;
	ret = btrfs_create_pending_block_groups(trans);
	if (!ret)
		ret = run_heads(trans, root, min_bytes ? (u64)-1 : root->nr_heads,
				min_bytes ? min_bytes : (u64)-1);
	root->running = false;
	if (ret)
		btrfs_abort_transaction(trans, ret);
	return ret;
}

int btrfs_init_delayed_refs(struct btrfs_fs_info *fs_info)
{
	fs_info->delayed_refs = calloc(1, sizeof(*fs_info->delayed_refs));
	return fs_info->delayed_refs ? 0 : -ENOMEM;
}

void btrfs_destroy_delayed_refs(struct btrfs_fs_info *fs_info)
{
	struct btrfs_delayed_ref_root *root = fs_info->delayed_refs;
	struct btrfs_delayed_ref_head *head, *n;

	fs_info->delayed_refs = NULL;
	if (!root)
		return;
	rbtree_postorder_for_each_entry_safe(head, n, &root->heads, node)
		free_head(head);
	free(root);
}
