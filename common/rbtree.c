// SPDX-License-Identifier: GPL-2.0-only
/*
 * Balancing and walking of red-black trees.  The rules: the root is black, no
 * red node has a red child, and every way from a node down to a missing child
 * passes the same number of black nodes.  A missing child counts as black.
 */
#include "common/rbtree.h"

static bool is_red(const struct rb_node *node)
{
	return node && node->rb_red;
}

/* What pointed to @old now points to @new; @new's own parent is set as well. */
static void replace_child(struct rb_node *old, struct rb_node *new, struct rb_node *parent,
			  struct rb_root *root)
{
	if (!parent)
		root->rb_node = new;
	else if (parent->rb_left == old)
		parent->rb_left = new;
	else
		parent->rb_right = new;
	if (new)
		new->rb_parent = parent;
}

/* @node's right child rises above it. */
static void rotate_left(struct rb_node *node, struct rb_root *root)
{
	struct rb_node *right = node->rb_right;

	replace_child(node, right, node->rb_parent, root);
	node->rb_right = right->rb_left;
	if (node->rb_right)
		node->rb_right->rb_parent = node;
	right->rb_left = node;
	node->rb_parent = right;
}

/* @node's left child rises above it. */
static void rotate_right(struct rb_node *node, struct rb_root *root)
{
	struct rb_node *left = node->rb_left;

	replace_child(node, left, node->rb_parent, root);
	node->rb_left = left->rb_right;
	if (node->rb_left)
		node->rb_left->rb_parent = node;
	left->rb_right = node;
	node->rb_parent = left;
}

void rb_insert_color(struct rb_node *node, struct rb_root *root)
{
	struct rb_node *parent, *grand, *uncle;

	node->rb_red = true;
	while (is_red(node->rb_parent)) {
		parent = node->rb_parent;
		/* A red node is not the root: there is a grandparent, and it is black. */
		grand = parent->rb_parent;
		uncle = grand->rb_left == parent ? grand->rb_right : grand->rb_left;
		if (is_red(uncle)) {
			/* Push the black of the grandparent down; look again from there. */
			parent->rb_red = uncle->rb_red = false;
			grand->rb_red = true;
			node = grand;
			continue;
		}
		if (parent == grand->rb_left) {
			if (node == parent->rb_right) {
				rotate_left(parent, root);
				parent = node;
			}
			rotate_right(grand, root);
		} else {
			if (node == parent->rb_left) {
				rotate_right(parent, root);
				parent = node;
			}
			rotate_left(grand, root);
		}
		parent->rb_red = false;
		grand->rb_red = true;
		break;
	}
	root->rb_node->rb_red = false;
}

/*
 * The ways through @node (possibly a missing child of @parent) are one black
 * node short of those through its sibling.
 */
static void rebalance_erased(struct rb_node *node, struct rb_node *parent, struct rb_root *root)
{
	struct rb_node *sibling;

	while (parent && !is_red(node)) {
		bool left = parent->rb_left == node;

		/* The sibling's side has a black more, so there is a sibling. */
		sibling = left ? parent->rb_right : parent->rb_left;
		if (is_red(sibling)) {
			sibling->rb_red = false;
			parent->rb_red = true;
			if (left)
				rotate_left(parent, root);
			else
				rotate_right(parent, root);
			sibling = left ? parent->rb_right : parent->rb_left;
		}
		if (!is_red(sibling->rb_left) && !is_red(sibling->rb_right)) {
			/* Take a black from the sibling's side too; the parent is short now. */
			sibling->rb_red = true;
			node = parent;
			parent = node->rb_parent;
			continue;
		}
		if (left) {
			if (!is_red(sibling->rb_right)) {
				sibling->rb_left->rb_red = false;
				sibling->rb_red = true;
				rotate_right(sibling, root);
				sibling = parent->rb_right;
			}
			sibling->rb_right->rb_red = false;
		} else {
			if (!is_red(sibling->rb_left)) {
				sibling->rb_right->rb_red = false;
				sibling->rb_red = true;
				rotate_left(sibling, root);
				sibling = parent->rb_left;
			}
			sibling->rb_left->rb_red = false;
		}
		sibling->rb_red = parent->rb_red;
		parent->rb_red = false;
		if (left)
			rotate_left(parent, root);
		else
			rotate_right(parent, root);
		return;
	}
	if (node)
		node->rb_red = false;
}

void rb_erase(struct rb_node *node, struct rb_root *root)
{
	struct rb_node *child, *parent, *next;
	bool removed_red;

	if (node->rb_left && node->rb_right) {
		/* Its successor has no left child: take that out, then give it @node's place. */
		next = node->rb_right;
		while (next->rb_left)
			next = next->rb_left;
		child = next->rb_right;
		removed_red = next->rb_red;
		if (next->rb_parent == node) {
			parent = next;
		} else {
			parent = next->rb_parent;
			replace_child(next, child, parent, root);
			next->rb_right = node->rb_right;
			next->rb_right->rb_parent = next;
		}
		next->rb_left = node->rb_left;
		next->rb_left->rb_parent = next;
		next->rb_red = node->rb_red;
		replace_child(node, next, node->rb_parent, root);
	} else {
		child = node->rb_left ? node->rb_left : node->rb_right;
		parent = node->rb_parent;
		removed_red = node->rb_red;
		replace_child(node, child, parent, root);
	}
	if (!removed_red)
		rebalance_erased(child, parent, root);
}

void rb_replace_node(struct rb_node *victim, struct rb_node *new, struct rb_root *root)
{
	*new = *victim;
	replace_child(victim, new, victim->rb_parent, root);
	if (new->rb_left)
		new->rb_left->rb_parent = new;
	if (new->rb_right)
		new->rb_right->rb_parent = new;
}

struct rb_node *rb_first(const struct rb_root *root)
{
	struct rb_node *node = root->rb_node;

	while (node && node->rb_left)
		node = node->rb_left;
	return node;
}

struct rb_node *rb_last(const struct rb_root *root)
{
	struct rb_node *node = root->rb_node;

	while (node && node->rb_right)
		node = node->rb_right;
	return node;
}

struct rb_node *rb_next(const struct rb_node *node)
{
	struct rb_node *up;

	if (node->rb_right) {
		up = node->rb_right;
		while (up->rb_left)
			up = up->rb_left;
		return up;
	}
	/* Up, until the way up was from the left. */
	up = node->rb_parent;
	while (up && node == up->rb_right) {
		node = up;
		up = up->rb_parent;
	}
	return up;
}

struct rb_node *rb_prev(const struct rb_node *node)
{
	struct rb_node *up;

	if (node->rb_left) {
		up = node->rb_left;
		while (up->rb_right)
			up = up->rb_right;
		return up;
	}
	up = node->rb_parent;
	while (up && node == up->rb_left) {
		node = up;
		up = up->rb_parent;
	}
	return up;
}

static struct rb_node *deepest_left(struct rb_node *node)
{
	while (node->rb_left || node->rb_right)
		node = node->rb_left ? node->rb_left : node->rb_right;
	return node;
}

struct rb_node *rb_first_postorder(const struct rb_root *root)
{
	return root->rb_node ? deepest_left(root->rb_node) : NULL;
}

struct rb_node *rb_next_postorder(const struct rb_node *node)
{
	struct rb_node *parent = node->rb_parent;

	if (parent && node == parent->rb_left && parent->rb_right)
		return deepest_left(parent->rb_right);
	return parent;
}
