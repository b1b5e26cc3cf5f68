// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tree-checker: chunks, devices and their extents, raid stripes.
 */
#include "kernel-shared/tree-checker-items.h"
#include "kernel-shared/volumes.h"

int check_chunk_item(const struct leaf_item *item)
{
	const char *why = btrfs_chunk_problem(item->fs_info, item->key.offset,
					      (const struct btrfs_chunk *)item->data, item->size);

	if (unlikely(why))
		return reject_item(item, "chunk: %s", why);
	return 0;
}

int check_dev_item(const struct leaf_item *item)
{
	const struct btrfs_dev_item *dev = (const struct btrfs_dev_item *)item->data;
	int ret = check_exact_size(item, sizeof(*dev));

	if (unlikely(ret))
		return ret;
	if (unlikely(item->key.objectid != BTRFS_DEV_ITEMS_OBJECTID))
		return reject_item(item, "not the key of a device");
	if (unlikely(le64toh(dev->devid) != item->key.offset))
		return reject_item(item, "device id is %llu", (u64)le64toh(dev->devid));
	/* The total may be 0, while the device is being removed. */
	if (unlikely(le64toh(dev->bytes_used) > le64toh(dev->total_bytes)))
		return reject_item(item, "%llu of %llu bytes used", (u64)le64toh(dev->bytes_used),
				   (u64)le64toh(dev->total_bytes));
	return 0;
}

static int check_dev_extent_place(const struct leaf_item *item,
				  const struct btrfs_dev_extent *extent)
{
	u64 length = le64toh(extent->length), end;

	if (unlikely(length == 0))
		return reject_item(item, "device extent without length");
	if (unlikely(!is_sector_aligned(item,
					item->key.offset | length | le64toh(extent->chunk_offset))))
		return reject_item(item, "not aligned: %llu bytes of chunk %llu", length,
				   (u64)le64toh(extent->chunk_offset));
	if (unlikely(__builtin_add_overflow(item->key.offset, length, &end)))
		return reject_item(item, "end overflows");
	return 0;
}

int check_dev_extent(const struct leaf_item *item)
{
	const struct btrfs_dev_extent *extent = (const struct btrfs_dev_extent *)item->data;
	int ret = check_exact_size(item, sizeof(*extent));

	if (unlikely(ret))
		return ret;
	if (unlikely(le64toh(extent->chunk_tree) != BTRFS_CHUNK_TREE_OBJECTID ||
		     le64toh(extent->chunk_objectid) != BTRFS_FIRST_CHUNK_TREE_OBJECTID))
		return reject_item(item, "belongs to chunk tree %llu, objectid %llu",
				   (u64)le64toh(extent->chunk_tree),
				   (u64)le64toh(extent->chunk_objectid));
	ret = check_dev_extent_place(item, extent);
	if (unlikely(ret))
		return ret;
	if (item->prev_key.objectid == item->key.objectid &&
	    item->prev_key.type == BTRFS_DEV_EXTENT_KEY) {
		const struct btrfs_dev_extent *prev =
			(const struct btrfs_dev_extent *)item->prev_data;

		if (unlikely(item->prev_key.offset + le64toh(prev->length) > item->key.offset))
			return reject_item(item, "overlaps the device extent at %llu",
					   item->prev_key.offset);
	}
	return 0;
}

int check_raid_stripe(const struct leaf_item *item)
{
	if (unlikely(!btrfs_fs_incompat(item->fs_info, BTRFS_FEATURE_INCOMPAT_RAID_STRIPE_TREE)))
		return reject_item(item, "without the raid stripe tree feature");
	if (unlikely(!is_sector_aligned(item, item->key.objectid)))
		return reject_item(item, "address is not aligned");
	return check_min_size(item, sizeof(struct btrfs_raid_stride));
}
