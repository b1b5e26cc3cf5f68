// SPDX-License-Identifier: GPL-2.0-only
/*
 * The checks of a tree block as such: keys, places of items, pointers; and the
 * choice of who judges an item's content (tree-checker-*.c, by subject).
 *
 * A block that the kernel reads must pass.  So beyond what later code needs to
 * be safe, only that is refused which the kernel refuses as well.
 */
#include "kernel-shared/tree-checker.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "kernel-shared/tree-checker-items.h"

__printf(3, 4)
	__attribute__((cold, noinline)) static int reject_block(const struct extent_buffer *eb,
								struct btrfs_check_report *report,
								const char *fmt, ...)
{
	int len = snprintf(report->text, sizeof(report->text),
			   "%s of tree %llu: ", eb->level ? "node" : "leaf", eb->owner);
	va_list args;

	va_start(args, fmt);
	if (len >= 0 && (size_t)len < sizeof(report->text))
		vsnprintf(report->text + len, sizeof(report->text) - (size_t)len, fmt, args);
	va_end(args);
	return -EUCLEAN;
}

int reject_item(const struct leaf_item *item, const char *fmt, ...)
{
	struct btrfs_check_report *report = item->report;
	int len = snprintf(report->text, sizeof(report->text),
			   "leaf of tree %llu: slot %u key " BTRFS_KEY_FMT ": ", item->eb->owner,
			   item->slot, BTRFS_KEY_ARGS(&item->key));
	va_list args;

	va_start(args, fmt);
	if (len >= 0 && (size_t)len < sizeof(report->text))
		vsnprintf(report->text + len, sizeof(report->text) - (size_t)len, fmt, args);
	va_end(args);
	return -EUCLEAN;
}

int check_exact_size(const struct leaf_item *item, size_t size)
{
	if (unlikely(item->size != size))
		return reject_item(item, "item size %u instead of %zu", item->size, size);
	return 0;
}

int check_min_size(const struct leaf_item *item, size_t size)
{
	if (unlikely(item->size < size))
		return reject_item(item, "item size %u, at least %zu needed", item->size, size);
	return 0;
}

int check_inode_precedes(const struct leaf_item *item)
{
	if (likely(item->prev_key.objectid == item->key.objectid) || !item->has_prev ||
	    !btrfs_is_fstree(item->eb->owner))
		return 0;
	return reject_item(item, "item without inode item, follows one of inode %llu",
			   item->prev_key.objectid);
}

/* Items whose content is known by the object id as well as by the type. */
static int check_special_item(const struct leaf_item *item)
{
	const struct btrfs_key *key = &item->key;

	if (key->type == 0 && key->objectid == BTRFS_FREE_SPACE_OBJECTID)
		return check_min_size(item, sizeof(struct btrfs_free_space_header));
	if (key->type == BTRFS_TEMPORARY_ITEM_KEY && key->objectid == BTRFS_BALANCE_OBJECTID)
		return check_min_size(item, sizeof(struct btrfs_balance_item));
	if (key->type == BTRFS_PERSISTENT_ITEM_KEY && key->objectid == BTRFS_DEV_STATS_OBJECTID)
		return check_min_size(item, sizeof(struct btrfs_dev_stats_item));
	return 0;
}

static int check_uuid_item(const struct leaf_item *item)
{
	if (item->size % sizeof(__le64))
		return reject_item(item, "item size %u is not a number of subvolume ids",
				   item->size);
	return 0;
}

static int check_item_content(const struct leaf_item *item)
{
	switch (item->key.type) {
	case BTRFS_INODE_ITEM_KEY:
		return check_inode_item(item);
	case BTRFS_INODE_REF_KEY:
		return check_inode_ref(item);
	case BTRFS_INODE_EXTREF_KEY:
		return check_inode_extref(item);
	case BTRFS_XATTR_ITEM_KEY:
	case BTRFS_DIR_ITEM_KEY:
	case BTRFS_DIR_INDEX_KEY:
		return check_dir_item(item);
	case BTRFS_VERITY_DESC_ITEM_KEY:
		return check_verity_desc(item);
	case BTRFS_DIR_LOG_ITEM_KEY:
	case BTRFS_DIR_LOG_INDEX_KEY:
		return check_min_size(item, sizeof(struct btrfs_dir_log_item));
	case BTRFS_EXTENT_DATA_KEY:
		return check_file_extent(item);
	case BTRFS_EXTENT_CSUM_KEY:
		return check_csum_item(item);
	case BTRFS_ROOT_ITEM_KEY:
		return check_root_item(item);
	case BTRFS_ROOT_REF_KEY:
	case BTRFS_ROOT_BACKREF_KEY:
		return check_root_ref(item);
	case BTRFS_EXTENT_ITEM_KEY:
	case BTRFS_METADATA_ITEM_KEY:
		return check_extent_item(item);
	case BTRFS_EXTENT_OWNER_REF_KEY:
		return check_min_size(item, sizeof(struct btrfs_extent_owner_ref));
	case BTRFS_TREE_BLOCK_REF_KEY:
	case BTRFS_SHARED_BLOCK_REF_KEY:
		return check_keyed_block_ref(item);
	case BTRFS_EXTENT_DATA_REF_KEY:
		return check_keyed_data_ref(item);
	case BTRFS_SHARED_DATA_REF_KEY:
		return check_keyed_shared_data_ref(item);
	case BTRFS_BLOCK_GROUP_ITEM_KEY:
		return check_block_group_item(item);
	case BTRFS_FREE_SPACE_INFO_KEY:
		return check_min_size(item, sizeof(struct btrfs_free_space_info));
	case BTRFS_FREE_SPACE_BITMAP_KEY:
		return check_free_space_bitmap(item);
	case BTRFS_DEV_EXTENT_KEY:
		return check_dev_extent(item);
	case BTRFS_DEV_ITEM_KEY:
		return check_dev_item(item);
	case BTRFS_CHUNK_ITEM_KEY:
		return check_chunk_item(item);
	case BTRFS_RAID_STRIPE_KEY:
		return check_raid_stripe(item);
	case BTRFS_QGROUP_STATUS_KEY:
		return check_min_size(item, offsetof(struct btrfs_qgroup_status_item, enable_gen));
	case BTRFS_QGROUP_INFO_KEY:
		return check_min_size(item, sizeof(struct btrfs_qgroup_info_item));
	case BTRFS_QGROUP_LIMIT_KEY:
		return check_min_size(item, sizeof(struct btrfs_qgroup_limit_item));
	case BTRFS_DEV_REPLACE_KEY:
		return check_min_size(item, sizeof(struct btrfs_dev_replace_item));
	case BTRFS_UUID_KEY_SUBVOL:
	case BTRFS_UUID_KEY_RECEIVED_SUBVOL:
		return check_uuid_item(item);
	default:
		return check_special_item(item);
	}
}

/*
 * Relocation trees carry the id of the subvolume they stand for, so that for
 * their blocks nothing can be said.  Of the others some always hold an item.
 */
static int check_empty_leaf(const struct extent_buffer *eb, struct btrfs_check_report *report)
{
	if (btrfs_header_flags(eb) & BTRFS_HEADER_FLAG_RELOC)
		return 0;
	switch (eb->owner) {
	case 0:
	case BTRFS_ROOT_TREE_OBJECTID:
	case BTRFS_CHUNK_TREE_OBJECTID:
	case BTRFS_DEV_TREE_OBJECTID:
	case BTRFS_FS_TREE_OBJECTID:
	case BTRFS_DATA_RELOC_TREE_OBJECTID:
		return reject_block(eb, report, "no items, but this tree is never empty");
	case BTRFS_EXTENT_TREE_OBJECTID:
		/* With extent tree v2 there are several, and some have nothing to hold. */
		if (btrfs_fs_incompat(eb->fs_info, BTRFS_FEATURE_INCOMPAT_EXTENT_TREE_V2))
			return 0;
		return reject_block(eb, report, "no items, but this tree is never empty");
	default:
		return 0;
	}
}

static int check_leaf_header(const struct extent_buffer *eb, struct btrfs_check_report *report)
{
	u32 max_items = btrfs_leaf_data_size(eb) / (u32)sizeof(struct btrfs_item);

	if (eb->level != 0)
		return reject_block(eb, report, "level %u instead of 0", eb->level);
	if (!(btrfs_header_flags(eb) & BTRFS_HEADER_FLAG_WRITTEN))
		return reject_block(eb, report, "not marked as written");
	if (eb->nritems > max_items)
		return reject_block(eb, report, "%u items, at most %u have room", eb->nritems,
				    max_items);
	return 0;
}

/*
 * Items' data is packed from the end of the leaf towards the headers, each
 * item's in front of the one before.  @end is where it has to end, counted
 * (as the offsets are) from the end of the block header; *@start where it
 * starts.
 */
static int check_item_place(const struct leaf_item *item, u32 offset, u32 end)
{
	u32 headers_end = (item->slot + 1) * (u32)sizeof(struct btrfs_item);

	if (unlikely((u64)offset + item->size != end))
		return reject_item(item, "data at %u of %u bytes, should end at %u", offset,
				   item->size, end);
	if (unlikely(offset < headers_end))
		return reject_item(item, "data at %u overlaps the item headers", offset);
	return 0;
}

int btrfs_check_leaf(const struct extent_buffer *eb, struct btrfs_check_report *report)
{
	const u8 *base = eb->data + sizeof(struct btrfs_header);
	struct leaf_item item = {
		.fs_info = eb->fs_info,
		.eb = eb,
		.report = report,
	};
	u32 end = btrfs_leaf_data_size(eb);
	int ret = check_leaf_header(eb, report);

	if (ret)
		return ret;
	if (eb->nritems == 0)
		return check_empty_leaf(eb, report);

	for (item.slot = 0; item.slot < eb->nritems; item.slot++) {
		const struct btrfs_item *header = btrfs_item(eb, item.slot);
		u32 offset = le32toh(header->offset);

		btrfs_disk_key_to_cpu(&item.key, &header->key);
		item.size = le32toh(header->size);
		/* The first is compared with a key of zeros, which no item has. */
		if (unlikely(btrfs_comp_cpu_keys(&item.prev_key, &item.key) >= 0))
			return reject_item(&item, "key not behind " BTRFS_KEY_FMT,
					   BTRFS_KEY_ARGS(&item.prev_key));
		ret = check_item_place(&item, offset, end);
		if (unlikely(ret))
			return ret;
		item.data = base + offset;
		ret = check_item_content(&item);
		if (unlikely(ret))
			return ret;

		item.has_prev = true;
		item.prev_key = item.key;
		item.prev_size = item.size;
		item.prev_data = item.data;
		end = offset;
	}
	return 0;
}

static int check_key_ptr(const struct extent_buffer *eb, u32 slot,
			 struct btrfs_check_report *report)
{
	u64 blockptr = btrfs_node_blockptr(eb, slot);

	if (unlikely(blockptr == 0 || !IS_ALIGNED(blockptr, (u64)eb->fs_info->sectorsize)))
		return reject_block(eb, report, "slot %u: bad block pointer %llu", slot, blockptr);
	if (unlikely(btrfs_node_ptr_generation(eb, slot) == 0))
		return reject_block(eb, report, "slot %u: generation 0 of block %llu", slot,
				    blockptr);
	return 0;
}

int btrfs_check_node(const struct extent_buffer *eb, struct btrfs_check_report *report)
{
	u32 max_ptrs = btrfs_max_nodeptrs(eb->len);
	struct btrfs_key prev = { 0 }, key;

	if (eb->level == 0 || eb->level >= BTRFS_MAX_LEVEL)
		return reject_block(eb, report, "level %u of a node", eb->level);
	if (!(btrfs_header_flags(eb) & BTRFS_HEADER_FLAG_WRITTEN))
		return reject_block(eb, report, "not marked as written");
	if (eb->nritems == 0 || eb->nritems > max_ptrs)
		return reject_block(eb, report, "%u pointers instead of 1 to %u", eb->nritems,
				    max_ptrs);

	for (u32 slot = 0; slot < eb->nritems; slot++) {
		int ret = check_key_ptr(eb, slot, report);

		if (unlikely(ret))
			return ret;
		btrfs_node_key_to_cpu(eb, &key, slot);
		if (unlikely(slot && btrfs_comp_cpu_keys(&prev, &key) >= 0))
			return reject_block(eb, report,
					    "slot %u: key " BTRFS_KEY_FMT
					    " not behind " BTRFS_KEY_FMT,
					    slot, BTRFS_KEY_ARGS(&key), BTRFS_KEY_ARGS(&prev));
		prev = key;
	}
	return 0;
}

int btrfs_check_eb_owner(const struct extent_buffer *eb, u64 root_owner)
{
	/* Blocks of log and relocation trees carry the id of the subvolume behind them. */
	if (root_owner == 0 || root_owner == BTRFS_TREE_LOG_OBJECTID ||
	    root_owner == BTRFS_TREE_RELOC_OBJECTID)
		return 0;
	if (btrfs_is_fstree(root_owner))
		return btrfs_is_fstree(eb->owner) ? 0 : -EUCLEAN;
	return root_owner == eb->owner ? 0 : -EUCLEAN;
}
