// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tree-checker: the extent tree (extent items, references inside them and
 * beside them), block groups and the free space tree.
 *
 * Promises that walking the inline references by their types ends exactly
 * where the item ends, and that every count of references is at least 1.
 */
#include "common/hash.h"
#include "kernel-shared/tree-checker-items.h"

/* Files, relocated data, and (in the tree of roots) the old free space cache have data. */
static bool may_own_data(u64 root)
{
	return btrfs_is_fstree(root) || root == BTRFS_DATA_RELOC_TREE_OBJECTID ||
	       root == BTRFS_ROOT_TREE_OBJECTID;
}

/* The cache of free inodes that some old kernels kept is a file as well. */
static bool may_be_data_inode(u64 objectid)
{
	return is_inode_objectid(objectid) || objectid == BTRFS_FREE_INO_OBJECTID;
}

static int check_data_ref(const struct leaf_item *item, const struct btrfs_extent_data_ref *ref)
{
	if (unlikely(!may_own_data(le64toh(ref->root))))
		return reject_item(item, "data reference from tree %llu", (u64)le64toh(ref->root));
	if (unlikely(!may_be_data_inode(le64toh(ref->objectid))))
		return reject_item(item, "data reference from inode %llu",
				   (u64)le64toh(ref->objectid));
	if (unlikely(!is_sector_aligned(item, le64toh(ref->offset))))
		return reject_item(item, "data reference with offset %llu",
				   (u64)le64toh(ref->offset));
	if (unlikely(ref->count == 0))
		return reject_item(item, "data reference with count 0");
	return 0;
}

/* The order of inline data references, and the key of those that have items of their own. */
static u64 data_ref_hash(const struct btrfs_extent_data_ref *ref)
{
	u32 high = crc32c(~0U, &ref->root, sizeof(ref->root));
	u32 low = crc32c(~0U, &ref->objectid, sizeof(ref->objectid));

	low = crc32c(low, &ref->offset, sizeof(ref->offset));
	return (u64)high << 31 ^ low;
}

static const struct btrfs_extent_data_ref *
inline_data_ref(const struct btrfs_extent_inline_ref *iref)
{
	return (const struct btrfs_extent_data_ref *)&iref->offset;
}

/* One inline ref, known to lie inside the item.  *@count: the references it stands for. */
static int check_inline_ref(const struct leaf_item *item,
			    const struct btrfs_extent_inline_ref *iref, u32 *count)
{
	switch (iref->type) {
	case BTRFS_EXTENT_DATA_REF_KEY:
		*count = le32toh(inline_data_ref(iref)->count);
		return check_data_ref(item, inline_data_ref(iref));
	case BTRFS_EXTENT_OWNER_REF_KEY:
		*count = 0;
		return 0;
	case BTRFS_TREE_BLOCK_REF_KEY:
		*count = 1;
		return 0;
	case BTRFS_SHARED_DATA_REF_KEY:
		*count = get_unaligned_le32(iref + 1);
		if (unlikely(*count == 0))
			return reject_item(item, "shared data reference with count 0");
		break;
	default:
		*count = 1;
		break;
	}
	/* Shared ones name the block that they come from. */
	if (unlikely(!is_sector_aligned(item, le64toh(iref->offset))))
		return reject_item(item, "reference from block %llu", (u64)le64toh(iref->offset));
	return 0;
}

/*
 * Types ascend, and within a type the addresses or hashes descend.  Hashing is
 * left for the case that an extent has more than one data reference.
 */
static bool inline_refs_in_order(const struct btrfs_extent_inline_ref *prev,
				 const struct btrfs_extent_inline_ref *iref)
{
	if (prev->type != iref->type)
		return prev->type < iref->type;
	if (iref->type == BTRFS_EXTENT_DATA_REF_KEY)
		return data_ref_hash(inline_data_ref(prev)) >= data_ref_hash(inline_data_ref(iref));
	return le64toh(prev->offset) >= le64toh(iref->offset);
}

static int check_inline_refs(const struct leaf_item *item, const u8 *pos, u64 total_refs)
{
	const u8 *end = item->data + item->size;
	const struct btrfs_extent_inline_ref *prev = NULL;
	u64 inline_refs = 0;

	while (pos < end) {
		const struct btrfs_extent_inline_ref *iref =
			(const struct btrfs_extent_inline_ref *)pos;
		u32 len = btrfs_extent_inline_ref_size(iref->type), count;
		int ret;

		if (unlikely(len == 0))
			return reject_item(item, "inline reference of type %u", iref->type);
		if (unlikely(len > (size_t)(end - pos)))
			return reject_item(item, "inline reference of %u bytes, %zu left", len,
					   (size_t)(end - pos));
		ret = check_inline_ref(item, iref, &count);
		if (unlikely(ret))
			return ret;
		if (prev && unlikely(!inline_refs_in_order(prev, iref)))
			return reject_item(item, "inline references of type %u out of order",
					   iref->type);
		/* Cannot overflow: a leaf has no room for that many. */
		inline_refs += count;
		prev = iref;
		pos += len;
	}
	if (unlikely(inline_refs > total_refs))
		return reject_item(item, "%llu references, but %llu inline", total_refs,
				   inline_refs);
	return 0;
}

/* The address and, for tree blocks, the level or length in the key. */
static int check_extent_key(const struct leaf_item *item)
{
	const struct btrfs_fs_info *fs_info = item->fs_info;
	u64 end;

	if (unlikely(!is_sector_aligned(item, item->key.objectid)))
		return reject_item(item, "address is not aligned");
	if (item->key.type == BTRFS_METADATA_ITEM_KEY) {
		if (unlikely(!btrfs_fs_incompat(fs_info, BTRFS_FEATURE_INCOMPAT_SKINNY_METADATA)))
			return reject_item(item, "without the skinny metadata feature");
		if (unlikely(item->key.offset >= BTRFS_MAX_LEVEL))
			return reject_item(item, "level is out of range");
		end = fs_info->nodesize;
	} else {
		end = item->key.offset;
	}
	if (unlikely(__builtin_add_overflow(item->key.objectid, end, &end)))
		return reject_item(item, "end overflows");
	return 0;
}

/* Data or tree block, not both, and the key that belongs to it. */
static int check_extent_kind(const struct leaf_item *item, u64 flags)
{
	bool is_data = flags & BTRFS_EXTENT_FLAG_DATA;
	bool is_block = flags & BTRFS_EXTENT_FLAG_TREE_BLOCK;

	if (unlikely(is_data == is_block))
		return reject_item(item, "extent flags 0x%llx", flags);
	if (is_block) {
		if (unlikely(item->key.type == BTRFS_EXTENT_ITEM_KEY &&
			     item->key.offset != item->fs_info->nodesize))
			return reject_item(item, "tree block is not of node size");
		return 0;
	}
	if (unlikely(item->key.type != BTRFS_EXTENT_ITEM_KEY))
		return reject_item(item, "data extent with the key of a tree block");
	if (unlikely(!is_sector_aligned(item, item->key.offset)))
		return reject_item(item, "length is not aligned");
	if (unlikely(flags & BTRFS_BLOCK_FLAG_FULL_BACKREF))
		return reject_item(item, "data extent with full backrefs");
	return 0;
}

static int check_previous_extent_end(const struct leaf_item *item)
{
	const struct btrfs_key *prev = &item->prev_key;
	u64 end;

	if (prev->type == BTRFS_EXTENT_ITEM_KEY)
		end = prev->objectid + prev->offset;
	else if (prev->type == BTRFS_METADATA_ITEM_KEY)
		end = prev->objectid + item->fs_info->nodesize;
	else
		return 0;
	if (unlikely(end > item->key.objectid))
		return reject_item(item, "overlaps extent " BTRFS_KEY_FMT, BTRFS_KEY_ARGS(prev));
	return 0;
}

int check_extent_item(const struct leaf_item *item)
{
	const struct btrfs_extent_item *ei = (const struct btrfs_extent_item *)item->data;
	size_t head = sizeof(*ei);
	int ret = check_extent_key(item);

	if (unlikely(ret))
		return ret;
	ret = check_min_size(item, head);
	if (unlikely(ret))
		return ret;
	if (unlikely(le64toh(ei->generation) > max_generation(item)))
		return reject_item(item, "generation %llu is in the future",
				   (u64)le64toh(ei->generation));
	ret = check_extent_kind(item, le64toh(ei->flags));
	if (unlikely(ret))
		return ret;
	/* The key of a skinny item has the level, the others keep it in here. */
	if (item->key.type == BTRFS_EXTENT_ITEM_KEY &&
	    (le64toh(ei->flags) & BTRFS_EXTENT_FLAG_TREE_BLOCK)) {
		const struct btrfs_tree_block_info *info =
			(const struct btrfs_tree_block_info *)(ei + 1);

		head += sizeof(*info);
		ret = check_min_size(item, head);
		if (unlikely(ret))
			return ret;
		if (unlikely(info->level >= BTRFS_MAX_LEVEL))
			return reject_item(item, "level %u", info->level);
	}
	ret = check_inline_refs(item, item->data + head, le64toh(ei->refs));
	if (unlikely(ret))
		return ret;
	return check_previous_extent_end(item);
}

int check_keyed_block_ref(const struct leaf_item *item)
{
	int ret = check_exact_size(item, 0);

	if (unlikely(ret))
		return ret;
	if (unlikely(!is_sector_aligned(item, item->key.objectid)))
		return reject_item(item, "address is not aligned");
	if (item->key.type == BTRFS_SHARED_BLOCK_REF_KEY &&
	    unlikely(!is_sector_aligned(item, item->key.offset)))
		return reject_item(item, "address of the parent is not aligned");
	return 0;
}

int check_keyed_shared_data_ref(const struct leaf_item *item)
{
	int ret = check_exact_size(item, sizeof(struct btrfs_shared_data_ref));

	if (unlikely(ret))
		return ret;
	if (unlikely(!is_sector_aligned(item, item->key.objectid | item->key.offset)))
		return reject_item(item, "addresses are not aligned");
	if (unlikely(get_unaligned_le32(item->data) == 0))
		return reject_item(item, "shared data reference with count 0");
	return 0;
}

/* One reference; the format would allow for more. */
int check_keyed_data_ref(const struct leaf_item *item)
{
	const struct btrfs_extent_data_ref *ref = (const struct btrfs_extent_data_ref *)item->data;

	if (unlikely(!is_sector_aligned(item, item->key.objectid)))
		return reject_item(item, "address is not aligned");
	if (unlikely(item->size == 0 || item->size % sizeof(*ref)))
		return reject_item(item, "item size %u is not a number of references", item->size);
	for (u32 i = 0; i < item->size / sizeof(*ref); i++) {
		int ret = check_data_ref(item, &ref[i]);

		if (unlikely(ret))
			return ret;
	}
	return 0;
}

/* The type: data, metadata, both (mixed groups) or system. */
static bool is_valid_group_type(u64 flags)
{
	u64 type = flags & BTRFS_BLOCK_GROUP_TYPE_MASK;

	return type == BTRFS_BLOCK_GROUP_DATA || type == BTRFS_BLOCK_GROUP_METADATA ||
	       type == BTRFS_BLOCK_GROUP_SYSTEM ||
	       type == (BTRFS_BLOCK_GROUP_DATA | BTRFS_BLOCK_GROUP_METADATA);
}

int check_block_group_item(const struct leaf_item *item)
{
	const struct btrfs_block_group_item *bg = (const struct btrfs_block_group_item *)item->data;
	u64 end, flags;
	int ret = check_exact_size(item, sizeof(*bg));

	if (unlikely(ret))
		return ret;
	if (unlikely(item->key.offset == 0))
		return reject_item(item, "block group without length");
	if (unlikely(__builtin_add_overflow(item->key.objectid, item->key.offset, &end)))
		return reject_item(item, "end overflows");
	/* With extent tree v2 it is the number of the tree that the group belongs to. */
	if (unlikely(le64toh(bg->chunk_objectid) != BTRFS_FIRST_CHUNK_TREE_OBJECTID &&
		     !btrfs_fs_incompat(item->fs_info, BTRFS_FEATURE_INCOMPAT_EXTENT_TREE_V2)))
		return reject_item(item, "chunk objectid %llu", (u64)le64toh(bg->chunk_objectid));
	if (unlikely(le64toh(bg->used) > item->key.offset))
		return reject_item(item, "%llu bytes used", (u64)le64toh(bg->used));
	flags = le64toh(bg->flags);
	if (unlikely(__builtin_popcountll(flags & BTRFS_BLOCK_GROUP_PROFILE_MASK) > 1 ||
		     !is_valid_group_type(flags)))
		return reject_item(item, "block group flags 0x%llx", flags);
	return 0;
}

/* One bit for each sector. */
int check_free_space_bitmap(const struct leaf_item *item)
{
	u64 bits = item->key.offset / item->fs_info->sectorsize;
	u64 end;

	if (unlikely(item->size < DIV_ROUND_UP(bits, 8)))
		return reject_item(item, "item size %u is too small for %llu bits", item->size,
				   bits);
	if (unlikely(__builtin_add_overflow(item->key.objectid, item->key.offset, &end)))
		return reject_item(item, "end overflows");
	return 0;
}
