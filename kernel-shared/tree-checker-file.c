// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tree-checker: what describes the data of files: file extents, checksums of
 * data, verity descriptors.
 *
 * Promises for file extents that sums of places and lengths do not overflow,
 * that a compressed extent is no longer than BTRFS_MAX_COMPRESSED on either
 * side, and that what a file shows of it lies inside it.  num_bytes may be 0.
 */
#include "kernel-shared/tree-checker-items.h"

static int check_inline_extent(const struct leaf_item *item,
			       const struct btrfs_file_extent_item *fe)
{
	u64 ram_bytes = le64toh(fe->ram_bytes);
	u32 data_len = item->size - (u32)BTRFS_FILE_EXTENT_INLINE_DATA_START;

	if (unlikely(item->key.offset != 0))
		return reject_item(item, "inline extent not at the start of the file");
	if (fe->compression == BTRFS_COMPRESS_NONE) {
		if (unlikely(ram_bytes != data_len))
			return reject_item(item, "inline extent of %llu bytes holds %u", ram_bytes,
					   data_len);
	} else if (unlikely(ram_bytes > BTRFS_MAX_COMPRESSED)) {
		return reject_item(item, "compressed inline extent of %llu bytes", ram_bytes);
	}
	return 0;
}

static int check_extent_alignment(const struct leaf_item *item,
				  const struct btrfs_file_extent_item *fe)
{
	/* All of them in one: only powers of two are asked for. */
	u64 all = le64toh(fe->ram_bytes) | le64toh(fe->disk_bytenr) | le64toh(fe->disk_num_bytes) |
		  le64toh(fe->offset) | le64toh(fe->num_bytes);

	if (unlikely(!is_sector_aligned(item, all)))
		return reject_item(item,
				   "not aligned: disk %llu+%llu, offset %llu, %llu of %llu bytes",
				   (u64)le64toh(fe->disk_bytenr), (u64)le64toh(fe->disk_num_bytes),
				   (u64)le64toh(fe->offset), (u64)le64toh(fe->num_bytes),
				   (u64)le64toh(fe->ram_bytes));
	return 0;
}

static int check_extent_sums(const struct leaf_item *item, const struct btrfs_file_extent_item *fe)
{
	u64 offset = le64toh(fe->offset), num_bytes = le64toh(fe->num_bytes);
	u64 disk_bytenr = le64toh(fe->disk_bytenr), disk_num_bytes = le64toh(fe->disk_num_bytes);
	u64 sum, shown_end;

	if (unlikely(__builtin_add_overflow(item->key.offset, num_bytes, &sum)))
		return reject_item(item, "end overflows, %llu bytes", num_bytes);
	if (unlikely(__builtin_add_overflow(offset, num_bytes, &shown_end)))
		return reject_item(item, "offset %llu and length %llu overflow", offset, num_bytes);
	if (unlikely(__builtin_add_overflow(disk_bytenr, disk_num_bytes, &sum) ||
		     __builtin_add_overflow(disk_bytenr, shown_end, &sum)))
		return reject_item(item, "end of extent %llu overflows", disk_bytenr);
	return 0;
}

/*
 * For plain extents ram_bytes has been wrong now and then, and nothing depends
 * on it.  The buffer for a decompressed one is made by it.
 */
static int check_compressed_extent(const struct leaf_item *item,
				   const struct btrfs_file_extent_item *fe)
{
	u64 ram_bytes = le64toh(fe->ram_bytes), disk_num_bytes = le64toh(fe->disk_num_bytes);

	if (unlikely(ram_bytes > BTRFS_MAX_COMPRESSED || disk_num_bytes > BTRFS_MAX_COMPRESSED))
		return reject_item(item, "compressed extent of %llu bytes, %llu on disk", ram_bytes,
				   disk_num_bytes);
	if (unlikely(le64toh(fe->offset) + le64toh(fe->num_bytes) > ram_bytes))
		return reject_item(item, "%llu bytes at %llu of a compressed extent of %llu",
				   (u64)le64toh(fe->num_bytes), (u64)le64toh(fe->offset),
				   ram_bytes);
	return 0;
}

static u64 file_extent_end(const struct leaf_item *item, const struct btrfs_key *key,
			   const struct btrfs_file_extent_item *fe)
{
	if (fe->type == BTRFS_FILE_EXTENT_INLINE)
		return key->offset +
		       round_up((u64)le64toh(fe->ram_bytes), (u64)item->fs_info->sectorsize);
	return key->offset + le64toh(fe->num_bytes);
}

static int check_extent_overlap(const struct leaf_item *item)
{
	const struct btrfs_file_extent_item *prev;
	u64 prev_end;

	if (item->prev_key.objectid != item->key.objectid ||
	    item->prev_key.type != BTRFS_EXTENT_DATA_KEY)
		return 0;
	prev = (const struct btrfs_file_extent_item *)item->prev_data;
	prev_end = file_extent_end(item, &item->prev_key, prev);
	if (unlikely(prev_end > item->key.offset))
		return reject_item(item, "the extent before it ends at %llu", prev_end);
	return 0;
}

static int check_regular_extent(const struct leaf_item *item,
				const struct btrfs_file_extent_item *fe)
{
	int ret = check_exact_size(item, sizeof(*fe));

	if (unlikely(ret))
		return ret;
	ret = check_extent_alignment(item, fe);
	if (unlikely(ret))
		return ret;
	ret = check_extent_sums(item, fe);
	if (unlikely(ret))
		return ret;
	if (fe->compression != BTRFS_COMPRESS_NONE && fe->disk_bytenr) {
		ret = check_compressed_extent(item, fe);
		if (unlikely(ret))
			return ret;
	}
	return check_extent_overlap(item);
}

int check_file_extent(const struct leaf_item *item)
{
	const struct btrfs_file_extent_item *fe = (const struct btrfs_file_extent_item *)item->data;
	int ret;

	if (unlikely(!is_sector_aligned(item, item->key.offset)))
		return reject_item(item, "file offset is not aligned");
	ret = check_inode_precedes(item);
	if (unlikely(ret))
		return ret;
	ret = check_min_size(item, BTRFS_FILE_EXTENT_INLINE_DATA_START);
	if (unlikely(ret))
		return ret;
	if (unlikely(fe->type > BTRFS_FILE_EXTENT_PREALLOC))
		return reject_item(item, "file extent of type %u", fe->type);
	if (unlikely(fe->compression >= BTRFS_NR_COMPRESS_TYPES))
		return reject_item(item, "compression %u", fe->compression);
	if (unlikely(fe->encryption))
		return reject_item(item, "encryption %u", fe->encryption);
	if (fe->type == BTRFS_FILE_EXTENT_INLINE)
		return check_inline_extent(item, fe);
	return check_regular_extent(item, fe);
}

static u64 csum_item_bytes(const struct leaf_item *item, u32 size)
{
	return (u64)(size / item->fs_info->csum_size) * item->fs_info->sectorsize;
}

int check_csum_item(const struct leaf_item *item)
{
	u64 end;

	if (unlikely(item->key.objectid != BTRFS_EXTENT_CSUM_OBJECTID))
		return reject_item(item, "not the key of checksums");
	if (unlikely(!is_sector_aligned(item, item->key.offset)))
		return reject_item(item, "address is not aligned");
	if (unlikely(item->size == 0 || item->size % item->fs_info->csum_size))
		return reject_item(item, "item size %u is not a number of checksums", item->size);
	if (unlikely(__builtin_add_overflow(item->key.offset, csum_item_bytes(item, item->size),
					    &end)))
		return reject_item(item, "end overflows");
	if (item->prev_key.type != BTRFS_EXTENT_CSUM_KEY)
		return 0;
	end = item->prev_key.offset + csum_item_bytes(item, item->prev_size);
	if (unlikely(end > item->key.offset))
		return reject_item(item, "the checksums before it end at %llu", end);
	return 0;
}

/* At offset 0 what btrfs keeps, from offset 1 on fsverity's own descriptor. */
int check_verity_desc(const struct leaf_item *item)
{
	if (item->key.offset == 0)
		return check_min_size(item, sizeof(struct btrfs_verity_descriptor_item));
	return 0;
}
