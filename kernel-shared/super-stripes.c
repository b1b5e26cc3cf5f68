// SPDX-License-Identifier: GPL-2.0-only
/*
 * The places of superblock copies, seen from inside a chunk.
 */
#include "kernel-shared/super-stripes.h"

#include <errno.h>

#include "kernel-shared/super.h"

/* Which logical range of @map the stripe unit at @offset of stripe @index holds. */
static struct btrfs_super_stripe logical_stripe(const struct btrfs_chunk_map *map, u16 index,
						u64 offset)
{
	u64 nr = offset / map->stripe_len;
	u64 unit = map->stripe_len;

	if (map->type & BTRFS_BLOCK_GROUP_RAID10)
		nr = (nr * map->num_stripes + index) / map->sub_stripes;
	else if (map->type & BTRFS_BLOCK_GROUP_RAID0)
		nr = nr * map->num_stripes + index;
	else if (map->type & BTRFS_BLOCK_GROUP_RAID56_MASK)
		unit *= btrfs_chunk_data_stripes(map->type, map->num_stripes, map->sub_stripes);
	return (struct btrfs_super_stripe){ map->logical + nr * unit, unit };
}

static int cmp_stripe(const void *a, const void *b)
{
	const struct btrfs_super_stripe *x = a, *y = b;

	return x->logical < y->logical ? -1 : x->logical > y->logical;
}

int btrfs_find_super_stripes(const struct btrfs_chunk_map *map, struct vec *stripes)
{
	struct vec found = VEC_INIT(struct btrfs_super_stripe);
	struct btrfs_super_stripe stripe, *pos, *last;
	int ret = 0;

	for (int mirror = 0; mirror < BTRFS_SUPER_MIRROR_MAX; mirror++) {
		u64 physical = btrfs_sb_offset(mirror);

		for (u16 i = 0; i < map->num_stripes && !ret; i++) {
			if (physical < map->stripes[i].physical ||
			    physical - map->stripes[i].physical >= map->stripe_size)
				continue;
			stripe = logical_stripe(map, i, physical - map->stripes[i].physical);
			ret = vec_push_copy(&found, &stripe);
		}
	}
	vec_sort(&found, cmp_stripe);
	vec_for_each(&found, pos) {
		last = vec_last(stripes);
		if (!ret && !(last && last->logical == pos->logical))
			ret = vec_push_copy(stripes, pos);
	}
	vec_free(&found);
	return ret;
}
