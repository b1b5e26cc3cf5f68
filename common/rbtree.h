/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Red-black trees threaded through the structs they hold, under the names that
 * kernel readers expect.  The tree knows no keys: the user descends from
 * root->rb_node, links the new node where the descent ended, and has it
 * balanced:
 *
 *	struct rb_node **p = &root->rb_node, *parent = NULL;
 *
 *	while (*p) {
 *		parent = *p;
 *		p = key < rb_entry(parent, struct item, node)->key ?
 *			&parent->rb_left : &parent->rb_right;
 *	}
 *	rb_link_node(&item->node, parent, p);
 *	rb_insert_color(&item->node, root);
 */
#ifndef BTRFS_COMMON_RBTREE_H
#define BTRFS_COMMON_RBTREE_H

#include <stdbool.h>
#include <stddef.h>
#include "common/types.h"

struct rb_node {
	struct rb_node *rb_parent; /* NULL: the root; itself: in no tree */
	struct rb_node *rb_left;
	struct rb_node *rb_right;
	bool rb_red;
};

struct rb_root {
	struct rb_node *rb_node;
};

#define RB_ROOT			    ((struct rb_root){ NULL })
#define rb_entry(ptr, type, member) container_of(ptr, type, member)
#define RB_EMPTY_ROOT(root)	    ((root)->rb_node == NULL)

/* Mark a node that is in no tree, and ask: only for users who mark theirs. */
#define RB_CLEAR_NODE(node) ((node)->rb_parent = (node))
#define RB_EMPTY_NODE(node) ((node)->rb_parent == (node))

static inline void rb_link_node(struct rb_node *node, struct rb_node *parent, struct rb_node **link)
{
	node->rb_parent = parent;
	node->rb_left = node->rb_right = NULL;
	*link = node;
}

/* Balance after rb_link_node(). */
void rb_insert_color(struct rb_node *node, struct rb_root *root);

void rb_erase(struct rb_node *node, struct rb_root *root);

/* @new takes @victim's place; the order must not change by it. */
void rb_replace_node(struct rb_node *victim, struct rb_node *new, struct rb_root *root);

/* In key order; NULL past the ends. */
struct rb_node *rb_first(const struct rb_root *root);
struct rb_node *rb_last(const struct rb_root *root);
struct rb_node *rb_next(const struct rb_node *node);
struct rb_node *rb_prev(const struct rb_node *node);

/* Children before parents: for freeing a whole tree without rb_erase(). */
struct rb_node *rb_first_postorder(const struct rb_root *root);
struct rb_node *rb_next_postorder(const struct rb_node *node);

#define rb_entry_safe(ptr, type, member)                        \
	({                                                      \
		struct rb_node *__node = (ptr);                 \
		__node ? rb_entry(__node, type, member) : NULL; \
	})

/* @pos may be freed inside; the tree is unusable until its root is set to RB_ROOT again. */
#define rbtree_postorder_for_each_entry_safe(pos, n, root, field)                              \
	for ((pos) = rb_entry_safe(rb_first_postorder(root), __typeof__(*(pos)), field);       \
	     (pos) && ({                                                                       \
		     (n) = rb_entry_safe(rb_next_postorder(&(pos)->field), __typeof__(*(pos)), \
					 field);                                               \
		     1;                                                                        \
	     });                                                                               \
	     (pos) = (n))

#endif
