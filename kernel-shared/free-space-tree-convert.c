// SPDX-License-Identifier: GPL-2.0-only
/*
 * The free space tree as a whole group sees it: reading all free extents of a
 * group, in either format, and changing the format.
 */
#include <errno.h>
#include <stdlib.h>

#include "common/vec.h"
#include "kernel-shared/accessors-set.h"
#include "kernel-shared/free-space-tree-impl.h"
#include "kernel-shared/transaction.h"

/* ---- reading ---- */

struct load_walk {
	struct btrfs_block_group *group;
	btrfs_free_extent_fn fn;
	void *ctx;
	/* The extent that is being put together; bitmaps may continue it.  Empty: none. */
	u64 start, end;
	u64 covered;		/* by items so far */
	u32 nr_extents;
	bool bitmaps;
};

static int emit(struct load_walk *walk)
{
	u64 start = walk->start, len = walk->end - walk->start;

	if (!len)
		return 0;
	walk->start = walk->end;
	walk->nr_extents++;
	return walk->fn(start, len, walk->ctx);
}

static int add_range(struct load_walk *walk, u64 start, u64 end)
{
	int ret = 0;

	if (start != walk->end || walk->start == walk->end) {
		ret = emit(walk);
		walk->start = start;
	}
	walk->end = end;
	return ret;
}

static int add_bitmap(struct load_walk *walk, const struct extent_buffer *leaf, u32 slot,
		      const struct btrfs_key *key)
{
	u32 shift = leaf->fs_info->sectorsize_bits;
	const u8 *bits = btrfs_item_data(leaf, slot);
	u64 nr = key->offset >> shift;
	int ret = 0;

	for (u64 bit = 0; bit < nr && !ret; bit++) {
		if (bit % 8 == 0 && bits[bit / 8] == 0)
			bit += 7;
		else if (bits[bit / 8] >> bit % 8 & 1)
			ret = add_range(walk, key->objectid + (bit << shift),
					key->objectid + ((bit + 1) << shift));
	}
	return ret;
}

/* A btrfs_iter_fn. */
static int load_item(struct btrfs_root *root __unused, const struct extent_buffer *leaf, u32 slot,
		     const struct btrfs_key *key, void *ctx)
{
	struct load_walk *walk = ctx;
	u64 end, group_end = walk->group->start + walk->group->length;
	bool touches = !walk->bitmaps && walk->nr_extents + (walk->start != walk->end) > 0 &&
		       key->objectid == walk->covered;

	if (key->type == BTRFS_FREE_SPACE_INFO_KEY && key->objectid == walk->group->start)
		return 0;
	if (key->type != (walk->bitmaps ? BTRFS_FREE_SPACE_BITMAP_KEY : BTRFS_FREE_SPACE_EXTENT_KEY))
		return btrfs_bad_free_space(walk->group, "an item of the wrong type",
					    key->objectid);
	if (__builtin_add_overflow(key->objectid, key->offset, &end) || end > group_end ||
	    key->objectid < walk->covered || touches || !key->offset ||
	    !IS_ALIGNED(key->objectid | key->offset, leaf->fs_info->sectorsize))
		return btrfs_bad_free_space(walk->group, "an item that does not fit",
					    key->objectid);
	walk->covered = end;
	return walk->bitmaps ? add_bitmap(walk, leaf, slot, key) :
			       add_range(walk, key->objectid, end);
}

int btrfs_load_free_space_tree(struct btrfs_block_group *group, btrfs_free_extent_fn fn, void *ctx)
{
	const struct btrfs_key from = { group->start, BTRFS_FREE_SPACE_INFO_KEY, 0 };
	const struct btrfs_key to = { group->start + group->length - 1, 255, (u64)-1 };
	struct load_walk walk = { .group = group, .fn = fn, .ctx = ctx, .covered = group->start };
	struct btrfs_free_space_state state;
	int ret;

	ret = btrfs_read_free_space_info(group, &state);
	if (ret)
		return ret;
	walk.bitmaps = state.flags & BTRFS_FREE_SPACE_USING_BITMAPS;
	ret = btrfs_for_each_item(group->fs_info->free_space_root, &from, &to, load_item, &walk);
	if (!ret)
		ret = emit(&walk);
	if (!ret && walk.nr_extents != state.extent_count)
		ret = btrfs_bad_free_space(group, "the number of free extents is wrong",
					   group->start);
	return ret;
}

/* ---- converting ---- */

struct range {
	u64 start;
	u64 len;
};

static int collect_range(u64 start, u64 len, void *ctx)
{
	const struct range range = { start, len };

	return vec_push_copy(ctx, &range);
}

static void set_bits(u8 *bits, u64 first, u64 last)
{
	for (u64 bit = first; bit < last; bit++)
		bits[bit / 8] |= (u8)(1U << bit % 8);
}

/* One bitmap item for [start, start + len); ranges from *@next on are not behind it yet. */
static int insert_bitmap(struct btrfs_trans_handle *trans, const struct vec *ranges, size_t *next,
			 u64 start, u64 len)
{
	struct btrfs_fs_info *fs_info = trans->fs_info;
	const struct btrfs_key key = { start, BTRFS_FREE_SPACE_BITMAP_KEY, len };
	u8 bits[BTRFS_FREE_SPACE_BITMAP_SIZE] = { 0 };

	for (; *next < ranges->nr; (*next)++) {
		const struct range *range = vec_at(ranges, *next);
		u64 from = max(range->start, start), to = min(range->start + range->len, start + len);

		if (from < to)
			set_bits(bits, (from - start) >> fs_info->sectorsize_bits,
				 (to - start) >> fs_info->sectorsize_bits);
		if (range->start + range->len > start + len)
			break;
	}
	return btrfs_insert_item(trans, fs_info->free_space_root, &key, bits,
				 btrfs_free_space_bitmap_size(fs_info, len));
}

static int insert_bitmaps(struct btrfs_trans_handle *trans, const struct btrfs_block_group *group,
			  const struct vec *ranges)
{
	u64 step = (u64)trans->fs_info->sectorsize * BTRFS_FREE_SPACE_BITMAP_BITS;
	u64 end = group->start + group->length;
	size_t next = 0;
	int ret = 0;

	for (u64 pos = group->start; pos < end && !ret; pos += step)
		ret = insert_bitmap(trans, ranges, &next, pos, min(step, end - pos));
	return ret;
}

static int insert_extents(struct btrfs_trans_handle *trans, const struct vec *ranges)
{
	const struct range *range;

	vec_for_each(ranges, range) {
		const struct btrfs_key key = { range->start, BTRFS_FREE_SPACE_EXTENT_KEY,
					       range->len };
		int ret = btrfs_insert_item(trans, trans->fs_info->free_space_root, &key, NULL, 0);

		if (ret)
			return ret;
	}
	return 0;
}

int btrfs_convert_free_space(struct btrfs_trans_handle *trans, struct btrfs_block_group *group,
			     struct btrfs_free_space_state *state)
{
	struct vec ranges = VEC_INIT(struct range);
	int ret;

	ret = btrfs_load_free_space_tree(group, collect_range, &ranges);
	if (!ret)
		ret = btrfs_delete_free_space_items(trans, group);
	if (!ret) {
		state->flags ^= BTRFS_FREE_SPACE_USING_BITMAPS;
		ret = btrfs_write_free_space_info(trans, group, state);
	}
	if (!ret)
		ret = state->flags & BTRFS_FREE_SPACE_USING_BITMAPS ?
		      insert_bitmaps(trans, group, &ranges) : insert_extents(trans, &ranges);
	vec_free(&ranges);
	return ret;
}
