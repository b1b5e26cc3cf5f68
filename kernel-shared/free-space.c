// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sets of ranges in two red-black trees at once.  Ranges in a set never overlap
 * and never touch.
 */
#include "kernel-shared/free-space.h"

#include <errno.h>
#include <stdlib.h>

static struct btrfs_free_extent *offset_entry(struct rb_node *node)
{
	return rb_entry_safe(node, struct btrfs_free_extent, by_offset);
}

static struct btrfs_free_extent *size_entry(struct rb_node *node)
{
	return rb_entry_safe(node, struct btrfs_free_extent, by_size);
}

static void link_by_offset(struct btrfs_free_space *space, struct btrfs_free_extent *extent)
{
	struct rb_node **p = &space->by_offset.rb_node, *parent = NULL;

	while (*p) {
		parent = *p;
		p = extent->start < offset_entry(parent)->start ? &parent->rb_left :
								   &parent->rb_right;
	}
	rb_link_node(&extent->by_offset, parent, p);
	rb_insert_color(&extent->by_offset, &space->by_offset);
}

static void link_by_size(struct btrfs_free_space *space, struct btrfs_free_extent *extent)
{
	struct rb_node **p = &space->by_size.rb_node, *parent = NULL;

	while (*p) {
		const struct btrfs_free_extent *other = size_entry(*p);
		bool before = extent->len < other->len ||
			      (extent->len == other->len && extent->start < other->start);

		parent = *p;
		p = before ? &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&extent->by_size, parent, p);
	rb_insert_color(&extent->by_size, &space->by_size);
}

static void link_extent(struct btrfs_free_space *space, struct btrfs_free_extent *extent)
{
	link_by_offset(space, extent);
	link_by_size(space, extent);
	space->bytes += extent->len;
	space->nr_extents++;
}

static void unlink_extent(struct btrfs_free_space *space, struct btrfs_free_extent *extent)
{
	rb_erase(&extent->by_offset, &space->by_offset);
	rb_erase(&extent->by_size, &space->by_size);
	space->bytes -= extent->len;
	space->nr_extents--;
}

/* A new place and size that leave the order by offset as it is. */
static void resize_extent(struct btrfs_free_space *space, struct btrfs_free_extent *extent,
			  u64 start, u64 len)
{
	rb_erase(&extent->by_size, &space->by_size);
	space->bytes += len - extent->len;
	extent->start = start;
	extent->len = len;
	link_by_size(space, extent);
}

struct btrfs_free_extent *btrfs_free_space_first(const struct btrfs_free_space *space, u64 start)
{
	struct rb_node *node = space->by_offset.rb_node;
	struct btrfs_free_extent *found = NULL;

	while (node) {
		struct btrfs_free_extent *extent = offset_entry(node);

		if (extent->start + extent->len > start) {
			found = extent;
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}
	return found;
}

struct btrfs_free_extent *btrfs_free_space_next(const struct btrfs_free_extent *extent)
{
	return offset_entry(rb_next(&extent->by_offset));
}

struct btrfs_free_extent *btrfs_free_space_largest(const struct btrfs_free_space *space)
{
	return size_entry(rb_last(&space->by_size));
}

struct btrfs_free_extent *btrfs_free_space_best_fit(const struct btrfs_free_space *space, u64 len)
{
	struct rb_node *node = space->by_size.rb_node;
	struct btrfs_free_extent *found = NULL;

	while (node) {
		struct btrfs_free_extent *extent = size_entry(node);

		if (extent->len >= len) {
			found = extent;
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}
	return found;
}

int btrfs_free_space_add(struct btrfs_free_space *space, u64 start, u64 len)
{
	struct btrfs_free_extent *next, *prev, *extent;
	struct rb_node *node;

	if (!len)
		return 0;
	next = btrfs_free_space_first(space, start);
	if (next && next->start < start + len)
		return -EEXIST;
	node = next ? rb_prev(&next->by_offset) : rb_last(&space->by_offset);
	prev = offset_entry(node);
	if (prev && prev->start + prev->len != start)
		prev = NULL;
	if (next && next->start != start + len)
		next = NULL;

	if (prev && next) {
		u64 next_len = next->len;

		unlink_extent(space, next);
		free(next);
		resize_extent(space, prev, prev->start, prev->len + len + next_len);
	} else if (prev) {
		resize_extent(space, prev, prev->start, prev->len + len);
	} else if (next) {
		resize_extent(space, next, start, next->len + len);
	} else {
		extent = malloc(sizeof(*extent));
		if (!extent)
			return -ENOMEM;
		extent->start = start;
		extent->len = len;
		link_extent(space, extent);
	}
	return 0;
}

/* Take [start, start + len) out of @extent, which holds it. */
static int take_from(struct btrfs_free_space *space, struct btrfs_free_extent *extent, u64 start,
		     u64 len)
{
	u64 before = start - extent->start;
	u64 after = extent->len - before - len;
	struct btrfs_free_extent *rest;

	if (!before && !after) {
		unlink_extent(space, extent);
		free(extent);
	} else if (!before) {
		resize_extent(space, extent, start + len, after);
	} else if (!after) {
		resize_extent(space, extent, extent->start, before);
	} else {
		rest = malloc(sizeof(*rest));
		if (!rest)
			return -ENOMEM;
		resize_extent(space, extent, extent->start, before);
		rest->start = start + len;
		rest->len = after;
		link_extent(space, rest);
	}
	return 0;
}

int btrfs_free_space_take(struct btrfs_free_space *space, u64 start, u64 len)
{
	struct btrfs_free_extent *extent = btrfs_free_space_first(space, start);

	if (!len)
		return 0;
	if (!extent || extent->start > start || extent->start + extent->len < start + len)
		return -ENOENT;
	return take_from(space, extent, start, len);
}

int btrfs_free_space_exclude(struct btrfs_free_space *space, u64 start, u64 len)
{
	u64 end = start + len;

	for (;;) {
		struct btrfs_free_extent *extent = btrfs_free_space_first(space, start);
		u64 from, to;
		int ret;

		if (!extent || extent->start >= end)
			return 0;
		from = max(extent->start, start);
		to = min(extent->start + extent->len, end);
		ret = take_from(space, extent, from, to - from);
		if (ret)
			return ret;
	}
}

void btrfs_free_space_clear(struct btrfs_free_space *space)
{
	struct btrfs_free_extent *extent, *n;

	rbtree_postorder_for_each_entry_safe(extent, n, &space->by_offset, by_offset)
		free(extent);
	*space = (struct btrfs_free_space){ .bytes = 0 };
}
