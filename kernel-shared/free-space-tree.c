// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keeping the free space tree: ranges come and go.
 *
 * A group has an info item (number of free extents, format), behind which there
 * is either an item for each free extent, or bitmaps that together cover the
 * group.  The number of extents is kept for bitmaps too: it decides about the format.
 */
#include "kernel-shared/free-space-tree.h"

#include <errno.h>

#include "common/message.h"
#include "kernel-shared/accessors-set.h"
#include "kernel-shared/free-space-tree-impl.h"
#include "kernel-shared/transaction.h"

bool btrfs_free_space_tree_valid(const struct btrfs_fs_info *fs_info)
{
	return btrfs_fs_compat_ro(fs_info, BTRFS_FEATURE_COMPAT_RO_FREE_SPACE_TREE) &&
	       btrfs_fs_compat_ro(fs_info, BTRFS_FEATURE_COMPAT_RO_FREE_SPACE_TREE_VALID);
}

/* Bitmaps pay off as soon as the items of extents take more room than they do. */
void btrfs_set_free_space_tree_thresholds(struct btrfs_block_group *group)
{
	u64 range = (u64)group->fs_info->sectorsize * BTRFS_FREE_SPACE_BITMAP_BITS;
	u64 nr_bitmaps = DIV_ROUND_UP(group->length, range);
	u64 bytes = nr_bitmaps * (sizeof(struct btrfs_item) + BTRFS_FREE_SPACE_BITMAP_SIZE);

	group->bitmap_high_thresh = (u32)min(bytes / sizeof(struct btrfs_item), (u64)UINT32_MAX);
	/* A distance, so that a group does not go back and forth. */
	group->bitmap_low_thresh = group->bitmap_high_thresh > 100 ?
				   group->bitmap_high_thresh - 100 : 0;
}

int btrfs_bad_free_space(const struct btrfs_block_group *group, const char *why, u64 where)
{
	error("free space tree: block group at %llu: %s at %llu", group->start, why, where);
	return -EUCLEAN;
}

static u64 group_end(const struct btrfs_block_group *group)
{
	return group->start + group->length;
}

/* ---- the info item ---- */

static void info_key(const struct btrfs_block_group *group, struct btrfs_key *key)
{
	*key = (struct btrfs_key){ group->start, BTRFS_FREE_SPACE_INFO_KEY, group->length };
}

int btrfs_read_free_space_info(struct btrfs_block_group *group,
			       struct btrfs_free_space_state *state)
{
	struct btrfs_path path = { .reada = READA_NONE };
	const struct btrfs_free_space_info *info;
	struct btrfs_key key;
	int ret;

	info_key(group, &key);
	ret = btrfs_search_slot(group->fs_info->free_space_root, &key, &path);
	if (ret > 0)
		ret = btrfs_bad_free_space(group, "no info item", group->start);
	if (!ret) {
		info = btrfs_item_ptr(path.nodes[0], path.slots[0], struct btrfs_free_space_info);
		state->extent_count = btrfs_free_space_extent_count(path.nodes[0], info);
		state->flags = btrfs_free_space_flags(path.nodes[0], info);
	}
	btrfs_release_path(&path);
	return ret;
}

int btrfs_write_free_space_info(struct btrfs_trans_handle *trans, struct btrfs_block_group *group,
				const struct btrfs_free_space_state *state)
{
	struct btrfs_path path = { .reada = READA_NONE };
	struct btrfs_free_space_info *info;
	struct btrfs_key key;
	int ret;

	info_key(group, &key);
	ret = btrfs_search_slot_cow(trans, group->fs_info->free_space_root, &key, &path, 0);
	if (ret > 0)
		ret = btrfs_bad_free_space(group, "no info item", group->start);
	if (!ret) {
		info = btrfs_item_ptr_mut(path.nodes[0], path.slots[0],
					  struct btrfs_free_space_info);
		btrfs_set_free_space_extent_count(path.nodes[0], info, state->extent_count);
		btrfs_set_free_space_flags(path.nodes[0], info, state->flags);
	}
	btrfs_release_path(&path);
	return ret;
}

/* @mod more extents than before; perhaps the other format is the better one now. */
static int change_extent_count(struct btrfs_trans_handle *trans, struct btrfs_block_group *group,
			       struct btrfs_free_space_state *state, int mod)
{
	bool bitmaps = state->flags & BTRFS_FREE_SPACE_USING_BITMAPS;
	int ret;

	if (!mod)
		return 0;
	state->extent_count += (u32)mod;
	ret = btrfs_write_free_space_info(trans, group, state);
	if (ret)
		return ret;
	if ((!bitmaps && state->extent_count > group->bitmap_high_thresh) ||
	    (bitmaps && state->extent_count < group->bitmap_low_thresh))
		return btrfs_convert_free_space(trans, group, state);
	return 0;
}

/* ---- extents ---- */

/*
 * The last item of the group that starts at or before @bytenr.  The info item precedes
 * all others, so that there is always one.  @cow: to be changed.
 */
static int search_at_or_before(struct btrfs_trans_handle *trans, struct btrfs_block_group *group,
			       u64 bytenr, bool cow, struct btrfs_path *path,
			       struct btrfs_key *found)
{
	struct btrfs_root *root = group->fs_info->free_space_root;
	const struct btrfs_key key = { bytenr, 255, (u64)-1 };
	int ret;

	ret = cow ? btrfs_search_slot_cow(trans, root, &key, path, 0) :
		    btrfs_search_slot(root, &key, path);
	if (ret < 0)
		return ret;
	if (path->slots[0] == 0)
		return btrfs_bad_free_space(group, "no item", bytenr);
	path->slots[0]--;
	btrfs_item_key_to_cpu(path->nodes[0], found, path->slots[0]);
	return 0;
}

static bool is_extent(const struct btrfs_key *key)
{
	return key->type == BTRFS_FREE_SPACE_EXTENT_KEY;
}

static int insert_extent(struct btrfs_trans_handle *trans, struct btrfs_block_group *group,
			 u64 start, u64 end)
{
	const struct btrfs_key key = { start, BTRFS_FREE_SPACE_EXTENT_KEY, end - start };

	return btrfs_insert_item(trans, group->fs_info->free_space_root, &key, NULL, 0);
}

static int set_extent(struct btrfs_path *path, u64 start, u64 end)
{
	const struct btrfs_key key = { start, BTRFS_FREE_SPACE_EXTENT_KEY, end - start };

	return btrfs_set_item_key_safe(path, &key);
}

/* The extent that holds [start, end) loses it.  *@mod: how many extents more there are then. */
static int remove_extent(struct btrfs_trans_handle *trans, struct btrfs_block_group *group,
			 u64 start, u64 end, int *mod)
{
	struct btrfs_root *root = group->fs_info->free_space_root;
	struct btrfs_path path = { .reada = READA_NONE };
	struct btrfs_key found;
	u64 found_end;
	int ret;

	*mod = 0;
	ret = search_at_or_before(trans, group, start, true, &path, &found);
	if (ret)
		goto out;
	found_end = found.objectid + found.offset;
	if (!is_extent(&found) || found_end < end) {
		ret = btrfs_bad_free_space(group, "space is taken that is not free", start);
	} else if (found.objectid < start) {
		ret = set_extent(&path, found.objectid, start);
		btrfs_release_path(&path);
		if (!ret && end < found_end) {
			ret = insert_extent(trans, group, end, found_end);
			*mod = 1;
		}
	} else if (end < found_end) {
		ret = set_extent(&path, end, found_end);
	} else {
		btrfs_release_path(&path);
		ret = btrfs_del_item_by_key(trans, root, &found);
		*mod = -1;
	}
out:
	btrfs_release_path(&path);
	return ret;
}

/* Whether free extents end at @start and begin at @end; *@prev and *@next are they. */
static int find_neighbours(struct btrfs_block_group *group, u64 start, u64 end,
			   struct btrfs_key *prev, bool *has_prev, struct btrfs_key *next,
			   bool *has_next)
{
	struct btrfs_path path = { .reada = READA_NONE };
	u64 prev_end;
	int ret;

	ret = search_at_or_before(NULL, group, start, false, &path, prev);
	if (ret)
		goto out;
	prev_end = prev->objectid + prev->offset;
	*has_prev = is_extent(prev) && prev_end == start;
	if (is_extent(prev) && prev_end > start) {
		ret = btrfs_bad_free_space(group, "space is freed twice", start);
		goto out;
	}
	ret = btrfs_next_item(group->fs_info->free_space_root, &path);
	if (ret < 0)
		goto out;
	*has_next = false;
	if (ret == 0) {
		btrfs_item_key_to_cpu(path.nodes[0], next, path.slots[0]);
		*has_next = is_extent(next) && next->objectid == end && end < group_end(group);
		if (is_extent(next) && next->objectid < end)
			ret = btrfs_bad_free_space(group, "space is freed twice", next->objectid);
	}
	if (ret > 0)
		ret = 0;
out:
	btrfs_release_path(&path);
	return ret;
}

/* [start, end) becomes free: part of an extent beside it, of two that meet, or one of its own. */
static int add_extent(struct btrfs_trans_handle *trans, struct btrfs_block_group *group, u64 start,
		      u64 end, int *mod)
{
	struct btrfs_root *root = group->fs_info->free_space_root;
	struct btrfs_path path = { .reada = READA_NONE };
	struct btrfs_key prev, next;
	bool has_prev = false, has_next = false;
	int ret;

	ret = find_neighbours(group, start, end, &prev, &has_prev, &next, &has_next);
	if (ret)
		return ret;
	*mod = 1 - (int)has_prev - (int)has_next;
	if (!has_prev && !has_next)
		return insert_extent(trans, group, start, end);
	if (has_prev && has_next) {
		ret = btrfs_del_item_by_key(trans, root, &next);
		if (ret)
			return ret;
	}
	ret = btrfs_search_slot_cow(trans, root, has_prev ? &prev : &next, &path, 0);
	if (ret > 0)
		ret = btrfs_bad_free_space(group, "an extent vanished", start);
	if (!ret)
		ret = set_extent(&path, has_prev ? prev.objectid : start,
				 has_next ? next.objectid + next.offset : end);
	btrfs_release_path(&path);
	return ret;
}

/* ---- bitmaps ---- */

/* The bit of @bytenr: 0 or 1, or a negative errno. */
static int test_bit(struct btrfs_block_group *group, u64 bytenr)
{
	struct btrfs_path path = { .reada = READA_NONE };
	struct btrfs_key found;
	u64 bit;
	int ret = search_at_or_before(NULL, group, bytenr, false, &path, &found);

	if (!ret && (found.type != BTRFS_FREE_SPACE_BITMAP_KEY ||
		     bytenr - found.objectid >= found.offset))
		ret = btrfs_bad_free_space(group, "no bitmap", bytenr);
	if (!ret) {
		const u8 *bits = btrfs_item_data(path.nodes[0], path.slots[0]);

		bit = (bytenr - found.objectid) >> group->fs_info->sectorsize_bits;
		ret = bits[bit / 8] >> bit % 8 & 1;
	}
	btrfs_release_path(&path);
	return ret;
}

/* Change bits [first, last), all of which have to be the other way round.  False: they are not. */
static bool flip_bits(u8 *bits, u64 first, u64 last, bool set)
{
	for (u64 bit = first; bit < last; ) {
		u8 mask = (u8)(1U << bit % 8);

		if (bit % 8 == 0 && last - bit >= 8) {
			if (bits[bit / 8] != (set ? 0 : 0xff))
				return false;
			bits[bit / 8] = set ? 0xff : 0;
			bit += 8;
			continue;
		}
		if (!(bits[bit / 8] & mask) != set)
			return false;
		bits[bit / 8] ^= mask;
		bit++;
	}
	return true;
}

/* The part of [start, end) that one bitmap has; *@done is where it ends. */
static int modify_one_bitmap(struct btrfs_trans_handle *trans, struct btrfs_block_group *group,
			     u64 start, u64 end, bool set, u64 *done)
{
	u32 shift = group->fs_info->sectorsize_bits;
	struct btrfs_path path = { .reada = READA_NONE };
	struct btrfs_key found;
	int ret = search_at_or_before(trans, group, start, true, &path, &found);

	if (!ret && (found.type != BTRFS_FREE_SPACE_BITMAP_KEY ||
		     start - found.objectid >= found.offset))
		ret = btrfs_bad_free_space(group, "no bitmap", start);
	if (!ret) {
		*done = min(end, found.objectid + found.offset);
		if (!flip_bits(btrfs_item_data_mut(path.nodes[0], path.slots[0]),
			       (start - found.objectid) >> shift,
			       (*done - found.objectid) >> shift, set))
			ret = btrfs_bad_free_space(group, set ? "space is freed twice" :
						   "space is taken that is not free", start);
	}
	btrfs_release_path(&path);
	return ret;
}

static int modify_bitmaps(struct btrfs_trans_handle *trans, struct btrfs_block_group *group,
			  u64 start, u64 end, bool set, int *mod)
{
	u32 sectorsize = group->fs_info->sectorsize;
	int prev = 0, next = 0, ret = 0;
	u64 pos = start;

	if (start > group->start)
		prev = test_bit(group, start - sectorsize);
	if (prev >= 0 && end < group_end(group))
		next = test_bit(group, end);
	if (prev < 0 || next < 0)
		return prev < 0 ? prev : next;
	*mod = set ? 1 - prev - next : prev + next - 1;
	while (pos < end && !ret)
		ret = modify_one_bitmap(trans, group, pos, end, set, &pos);
	return ret;
}

/* ---- a range comes or goes ---- */

static int modify(struct btrfs_trans_handle *trans, u64 start, u64 len, bool add)
{
	struct btrfs_fs_info *fs_info = trans->fs_info;
	struct btrfs_free_space_state state;
	struct btrfs_block_group *group;
	int mod = 0, ret;

	if (!btrfs_free_space_tree_valid(fs_info))
		return 0;
	group = btrfs_lookup_block_group(fs_info, start);
	if (!group)
		return -EUCLEAN;
	ret = btrfs_read_free_space_info(group, &state);
	if (ret)
		return ret;
	if (state.flags & BTRFS_FREE_SPACE_USING_BITMAPS)
		ret = modify_bitmaps(trans, group, start, start + len, add, &mod);
	else if (add)
		ret = add_extent(trans, group, start, start + len, &mod);
	else
		ret = remove_extent(trans, group, start, start + len, &mod);
	return ret ? ret : change_extent_count(trans, group, &state, mod);
}

int btrfs_add_to_free_space_tree(struct btrfs_trans_handle *trans, u64 start, u64 len)
{
	return modify(trans, start, len, true);
}

int btrfs_remove_from_free_space_tree(struct btrfs_trans_handle *trans, u64 start, u64 len)
{
	return modify(trans, start, len, false);
}

/* ---- groups ---- */

int btrfs_add_block_group_free_space(struct btrfs_trans_handle *trans,
				     struct btrfs_block_group *group)
{
	const struct btrfs_free_space_info info = { .extent_count = htole32(1) };
	struct btrfs_key key;
	int ret;

	if (!btrfs_free_space_tree_valid(trans->fs_info))
		return 0;
	info_key(group, &key);
	ret = btrfs_insert_item(trans, trans->fs_info->free_space_root, &key, &info, sizeof(info));
	return ret ? ret : insert_extent(trans, group, group->start, group_end(group));
}

/* From the last item of the group backwards, a leaf at a time. */
int btrfs_delete_free_space_items(struct btrfs_trans_handle *trans,
				  struct btrfs_block_group *group)
{
	struct btrfs_root *root = trans->fs_info->free_space_root;
	const struct btrfs_key last = { group_end(group) - 1, 255, (u64)-1 };
	struct btrfs_path path = { .reada = READA_NONE };
	struct btrfs_key key;
	bool more = true;
	int ret = 0;

	while (more && !ret) {
		u32 slot, nr = 0;

		ret = btrfs_search_slot_cow(trans, root, &last, &path, -1);
		if (ret < 0)
			break;
		ret = 0;
		for (slot = path.slots[0]; slot > 0; slot--, nr++) {
			btrfs_item_key_to_cpu(path.nodes[0], &key, slot - 1);
			if (key.objectid < group->start || key.type == BTRFS_FREE_SPACE_INFO_KEY)
				break;
		}
		more = slot == 0 && nr;
		if (nr)
			ret = btrfs_del_items(trans, root, &path, slot, nr);
		btrfs_release_path(&path);
	}
	btrfs_release_path(&path);
	return ret;
}

int btrfs_remove_block_group_free_space(struct btrfs_trans_handle *trans,
					struct btrfs_block_group *group)
{
	struct btrfs_key key;
	int ret;

	if (!btrfs_free_space_tree_valid(trans->fs_info))
		return 0;
	ret = btrfs_delete_free_space_items(trans, group);
	if (ret)
		return ret;
	info_key(group, &key);
	return btrfs_del_item_by_key(trans, trans->fs_info->free_space_root, &key);
}
