// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whether a chunk item makes sense by itself: sizes, profile, stripes.
 *
 * Chunk items are the first thing read that decides where other reads go, so
 * nothing of them is taken on trust.  After this the mapping may divide and add
 * without looking.
 */
#include <errno.h>

#include "common/message.h"
#include "kernel-shared/volumes.h"

/* Q of RAID6 can tell no more data stripes apart than 255. */
#define RAID6_MAX_STRIPES	257

/* What a profile demands of its number of stripes. */
struct profile_rule {
	u64 profile;
	const char *name;
	u16 min_stripes;
	u16 max_stripes;
};

static const struct profile_rule *find_rule(u64 profile)
{
	static const struct profile_rule rules[] = {
		{ 0, "single", 1, 1 },
		{ BTRFS_BLOCK_GROUP_RAID0, "RAID0", 1, UINT16_MAX },
		{ BTRFS_BLOCK_GROUP_RAID1, "RAID1", 2, 2 },
		{ BTRFS_BLOCK_GROUP_DUP, "DUP", 2, 2 },
		{ BTRFS_BLOCK_GROUP_RAID10, "RAID10", 2, UINT16_MAX },
		{ BTRFS_BLOCK_GROUP_RAID5, "RAID5", 2, UINT16_MAX },
		{ BTRFS_BLOCK_GROUP_RAID6, "RAID6", 3, RAID6_MAX_STRIPES },
		{ BTRFS_BLOCK_GROUP_RAID1C3, "RAID1C3", 3, 3 },
		{ BTRFS_BLOCK_GROUP_RAID1C4, "RAID1C4", 4, 4 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		if (rules[i].profile == profile)
			return &rules[i];
	}
	return NULL;
}

const char *btrfs_bg_type_to_raid_name(u64 type)
{
	const struct profile_rule *rule = find_rule(type & BTRFS_BLOCK_GROUP_PROFILE_MASK);

	return rule ? rule->name : "unknown";
}

unsigned int btrfs_chunk_data_stripes(u64 type, u16 num_stripes, u16 sub_stripes)
{
	switch (type & BTRFS_BLOCK_GROUP_PROFILE_MASK) {
	case BTRFS_BLOCK_GROUP_RAID0:
		return num_stripes;
	case BTRFS_BLOCK_GROUP_RAID10:
		return num_stripes / sub_stripes;
	case BTRFS_BLOCK_GROUP_RAID5:
		return num_stripes - 1U;
	case BTRFS_BLOCK_GROUP_RAID6:
		return num_stripes - 2U;
	default:
		return 1;
	}
}

static const char *check_type(u64 type)
{
	const u64 known = BTRFS_BLOCK_GROUP_TYPE_MASK | BTRFS_BLOCK_GROUP_PROFILE_MASK;

	if (type & ~known)
		return "unknown bits in its type";
	if (!(type & BTRFS_BLOCK_GROUP_TYPE_MASK))
		return "neither data, metadata nor system";
	if ((type & BTRFS_BLOCK_GROUP_SYSTEM) &&
	    (type & (BTRFS_BLOCK_GROUP_DATA | BTRFS_BLOCK_GROUP_METADATA)))
		return "system and something else at once";
	if (!find_rule(type & BTRFS_BLOCK_GROUP_PROFILE_MASK))
		return "more than one profile";
	return NULL;
}

static const char *check_stripe_count(const struct btrfs_chunk *chunk)
{
	u64 type = le64toh(chunk->type);
	u16 num_stripes = le16toh(chunk->num_stripes);
	const struct profile_rule *rule = find_rule(type & BTRFS_BLOCK_GROUP_PROFILE_MASK);

	if (num_stripes < rule->min_stripes || num_stripes > rule->max_stripes)
		return "wrong number of stripes for its profile";
	if (rule->profile != BTRFS_BLOCK_GROUP_RAID10)
		return NULL;
	if (le16toh(chunk->sub_stripes) != 2 || num_stripes % 2)
		return "wrong number of sub-stripes";
	return NULL;
}

static const char *check_lengths(const struct btrfs_fs_info *fs_info, u64 logical,
				 const struct btrfs_chunk *chunk)
{
	u64 length = le64toh(chunk->length);
	u64 end;

	if (!IS_ALIGNED(logical, fs_info->sectorsize))
		return "address is not aligned";
	if (length == 0 || !IS_ALIGNED(length, fs_info->sectorsize))
		return "length is 0 or not aligned";
	if (__builtin_add_overflow(logical, length, &end))
		return "address and length overflow";
	if (le64toh(chunk->stripe_len) != BTRFS_STRIPE_LEN)
		return "stripe length is not 64 KiB";
	if (le32toh(chunk->sector_size) != fs_info->sectorsize)
		return "sector size is not that of the file system";
	return NULL;
}

static const char *check_stripes(const struct btrfs_fs_info *fs_info,
				 const struct btrfs_chunk *chunk)
{
	const struct btrfs_stripe *stripes = &chunk->stripe;
	u16 num_stripes = le16toh(chunk->num_stripes);
	unsigned int nr_data = btrfs_chunk_data_stripes(le64toh(chunk->type), num_stripes,
							le16toh(chunk->sub_stripes));
	u64 length = le64toh(chunk->length);
	u64 stripe_size, end;

	if (length % ((u64)nr_data * fs_info->sectorsize))
		return "length cannot be divided among its data stripes";
	/* The last stripe is addressed as a whole even if the chunk ends in it. */
	if (__builtin_add_overflow(length / nr_data, (u64)BTRFS_STRIPE_LEN, &stripe_size))
		return "length overflows";
	for (u16 i = 0; i < num_stripes; i++) {
		u64 physical = le64toh(stripes[i].offset);

		if (!IS_ALIGNED(physical, fs_info->sectorsize))
			return "address of a stripe is not aligned";
		if (__builtin_add_overflow(physical, stripe_size, &end))
			return "address of a stripe overflows";
	}
	return NULL;
}

const char *btrfs_chunk_problem(const struct btrfs_fs_info *fs_info, u64 logical,
				const struct btrfs_chunk *chunk, size_t item_size)
{
	const char *why;

	if (item_size < sizeof(*chunk))
		return "item is too short";
	if (le16toh(chunk->num_stripes) == 0)
		return "no stripes";
	if (item_size != btrfs_chunk_item_size(le16toh(chunk->num_stripes)))
		return "item size does not fit the number of stripes";
	why = check_lengths(fs_info, logical, chunk);
	if (!why)
		why = check_type(le64toh(chunk->type));
	if (!why)
		why = check_stripe_count(chunk);
	if (!why)
		why = check_stripes(fs_info, chunk);
	return why;
}

int btrfs_check_chunk_valid(const struct btrfs_fs_info *fs_info, u64 logical,
			    const struct btrfs_chunk *chunk, size_t item_size)
{
	const char *why = btrfs_chunk_problem(fs_info, logical, chunk, item_size);

	if (!why)
		return 0;
	error("chunk at logical %llu is invalid: %s", logical, why);
	return -EUCLEAN;
}
