/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tree blocks in memory and the functions that read their fields.
 *
 * A struct extent_buffer that a caller holds has passed every check of
 * disk-io.c and tree-checker.c: its header is what the parent promised, every
 * item lies inside the block, is as large as its type needs, and holds inner
 * lengths that stay inside the item.  Accessors check the bounds of the block
 * once more, cheaply, and read a field outside of it as 0.
 *
 * Struct pointers handed to accessors point into eb->data.
 */
#ifndef KERNEL_SHARED_ACCESSORS_H
#define KERNEL_SHARED_ACCESSORS_H

#include "kernel-shared/ondisk.h"

struct btrfs_fs_info;

struct extent_buffer {
	struct btrfs_fs_info *fs_info;
	u64 start;		/* logical address, bytes */
	u32 len;		/* nodesize */
	u32 nritems;
	u64 generation;
	u64 owner;
	u8 level;
	u8 *data;		/* @len bytes, never written once the block is in the cache */

	/* The cache's own; see disk-io.c for who protects them. */
	u32 refs;
	u32 referenced;
	struct extent_buffer *hash_next;
	struct extent_buffer *lru_prev, *lru_next;
};

struct btrfs_key {
	u64 objectid;
	u8 type;
	u64 offset;
};

/* printf format and arguments of a key. */
#define BTRFS_KEY_FMT		"(%llu %u %llu)"
#define BTRFS_KEY_ARGS(key)	(key)->objectid, (key)->type, (key)->offset

static inline bool eb_holds(const struct extent_buffer *eb, const void *ptr, size_t size)
{
	size_t at = (size_t)((const u8 *)ptr - eb->data);

	return likely(at <= eb->len && size <= eb->len - at);
}

#define le8toh(x) (x)

#define BTRFS_GET_FUNC(name, type, member, bits)					\
static inline u##bits btrfs_##name(const struct extent_buffer *eb, const type *s)	\
{											\
	if (!eb_holds(eb, &s->member, sizeof(s->member)))				\
		return 0;								\
	return le##bits##toh(s->member);						\
}

/* ---- keys ---- */

static inline void btrfs_disk_key_to_cpu(struct btrfs_key *cpu, const struct btrfs_disk_key *disk)
{
	cpu->objectid = le64toh(disk->objectid);
	cpu->type = disk->type;
	cpu->offset = le64toh(disk->offset);
}

static inline int btrfs_comp_cpu_keys(const struct btrfs_key *a, const struct btrfs_key *b)
{
	if (a->objectid != b->objectid)
		return a->objectid < b->objectid ? -1 : 1;
	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	if (a->offset != b->offset)
		return a->offset < b->offset ? -1 : 1;
	return 0;
}

/* ---- header ---- */

static inline const struct btrfs_header *btrfs_header(const struct extent_buffer *eb)
{
	return (const struct btrfs_header *)eb->data;
}

static inline u32 btrfs_header_nritems(const struct extent_buffer *eb)
{
	return eb->nritems;
}

static inline u8 btrfs_header_level(const struct extent_buffer *eb)
{
	return eb->level;
}

static inline u64 btrfs_header_generation(const struct extent_buffer *eb)
{
	return eb->generation;
}

static inline u64 btrfs_header_owner(const struct extent_buffer *eb)
{
	return eb->owner;
}

/* The flags without the backref revision in the top byte. */
static inline u64 btrfs_header_flags(const struct extent_buffer *eb)
{
	return le64toh(btrfs_header(eb)->flags) & ((1ULL << BTRFS_BACKREF_REV_SHIFT) - 1);
}

static inline u8 btrfs_header_backref_rev(const struct extent_buffer *eb)
{
	return (u8)(le64toh(btrfs_header(eb)->flags) >> BTRFS_BACKREF_REV_SHIFT);
}

/* Bytes of a leaf that items and their data share. */
static inline u32 btrfs_leaf_data_size(const struct extent_buffer *eb)
{
	return eb->len - (u32)sizeof(struct btrfs_header);
}

static inline u32 btrfs_max_nodeptrs(u32 nodesize)
{
	return (nodesize - (u32)sizeof(struct btrfs_header)) / (u32)sizeof(struct btrfs_key_ptr);
}

/* ---- nodes ---- */

static inline const struct btrfs_key_ptr *btrfs_key_ptr(const struct extent_buffer *eb, u32 slot)
{
	return &((const struct btrfs_node *)eb->data)->ptrs[slot];
}

static inline u64 btrfs_node_blockptr(const struct extent_buffer *eb, u32 slot)
{
	const struct btrfs_key_ptr *ptr = btrfs_key_ptr(eb, slot);

	return eb_holds(eb, ptr, sizeof(*ptr)) ? le64toh(ptr->blockptr) : 0;
}

static inline u64 btrfs_node_ptr_generation(const struct extent_buffer *eb, u32 slot)
{
	const struct btrfs_key_ptr *ptr = btrfs_key_ptr(eb, slot);

	return eb_holds(eb, ptr, sizeof(*ptr)) ? le64toh(ptr->generation) : 0;
}

static inline void btrfs_node_key_to_cpu(const struct extent_buffer *eb, struct btrfs_key *key,
					 u32 slot)
{
	const struct btrfs_key_ptr *ptr = btrfs_key_ptr(eb, slot);

	if (eb_holds(eb, ptr, sizeof(*ptr)))
		btrfs_disk_key_to_cpu(key, &ptr->key);
	else
		memset(key, 0, sizeof(*key));
}

/* ---- leaves ---- */

static inline const struct btrfs_item *btrfs_item(const struct extent_buffer *eb, u32 slot)
{
	return &((const struct btrfs_leaf *)eb->data)->items[slot];
}

static inline u32 btrfs_item_offset(const struct extent_buffer *eb, u32 slot)
{
	const struct btrfs_item *item = btrfs_item(eb, slot);

	return eb_holds(eb, item, sizeof(*item)) ? le32toh(item->offset) : 0;
}

static inline u32 btrfs_item_size(const struct extent_buffer *eb, u32 slot)
{
	const struct btrfs_item *item = btrfs_item(eb, slot);

	return eb_holds(eb, item, sizeof(*item)) ? le32toh(item->size) : 0;
}

static inline void btrfs_item_key_to_cpu(const struct extent_buffer *eb, struct btrfs_key *key,
					 u32 slot)
{
	const struct btrfs_item *item = btrfs_item(eb, slot);

	if (eb_holds(eb, item, sizeof(*item)))
		btrfs_disk_key_to_cpu(key, &item->key);
	else
		memset(key, 0, sizeof(*key));
}

/* Where the data of the item in @slot starts; the tree-checker vouches for it. */
static inline const void *btrfs_item_data(const struct extent_buffer *eb, u32 slot)
{
	return eb->data + sizeof(struct btrfs_header) + btrfs_item_offset(eb, slot);
}

#define btrfs_item_ptr(eb, slot, type)	((const type *)btrfs_item_data(eb, slot))

/* ---- inodes ---- */

BTRFS_GET_FUNC(inode_generation, struct btrfs_inode_item, generation, 64)
BTRFS_GET_FUNC(inode_transid, struct btrfs_inode_item, transid, 64)
BTRFS_GET_FUNC(inode_size, struct btrfs_inode_item, size, 64)
BTRFS_GET_FUNC(inode_nbytes, struct btrfs_inode_item, nbytes, 64)
BTRFS_GET_FUNC(inode_block_group, struct btrfs_inode_item, block_group, 64)
BTRFS_GET_FUNC(inode_nlink, struct btrfs_inode_item, nlink, 32)
BTRFS_GET_FUNC(inode_uid, struct btrfs_inode_item, uid, 32)
BTRFS_GET_FUNC(inode_gid, struct btrfs_inode_item, gid, 32)
BTRFS_GET_FUNC(inode_mode, struct btrfs_inode_item, mode, 32)
BTRFS_GET_FUNC(inode_rdev, struct btrfs_inode_item, rdev, 64)
BTRFS_GET_FUNC(inode_flags, struct btrfs_inode_item, flags, 64)
BTRFS_GET_FUNC(inode_sequence, struct btrfs_inode_item, sequence, 64)

BTRFS_GET_FUNC(timespec_sec, struct btrfs_timespec, sec, 64)
BTRFS_GET_FUNC(timespec_nsec, struct btrfs_timespec, nsec, 32)

BTRFS_GET_FUNC(inode_ref_index, struct btrfs_inode_ref, index, 64)
BTRFS_GET_FUNC(inode_ref_name_len, struct btrfs_inode_ref, name_len, 16)
BTRFS_GET_FUNC(inode_extref_parent, struct btrfs_inode_extref, parent_objectid, 64)
BTRFS_GET_FUNC(inode_extref_index, struct btrfs_inode_extref, index, 64)
BTRFS_GET_FUNC(inode_extref_name_len, struct btrfs_inode_extref, name_len, 16)

BTRFS_GET_FUNC(dir_transid, struct btrfs_dir_item, transid, 64)
BTRFS_GET_FUNC(dir_data_len, struct btrfs_dir_item, data_len, 16)
BTRFS_GET_FUNC(dir_name_len, struct btrfs_dir_item, name_len, 16)
BTRFS_GET_FUNC(dir_flags, struct btrfs_dir_item, type, 8)

/* The file type without the encryption bit. */
static inline u8 btrfs_dir_ftype(const struct extent_buffer *eb, const struct btrfs_dir_item *di)
{
	return btrfs_dir_flags(eb, di) & (u8)~BTRFS_FT_ENCRYPTED;
}

static inline void btrfs_dir_item_key_to_cpu(const struct extent_buffer *eb,
					     const struct btrfs_dir_item *di, struct btrfs_key *key)
{
	if (eb_holds(eb, di, sizeof(*di)))
		btrfs_disk_key_to_cpu(key, &di->location);
	else
		memset(key, 0, sizeof(*key));
}

BTRFS_GET_FUNC(dir_log_end, struct btrfs_dir_log_item, end, 64)

BTRFS_GET_FUNC(file_extent_generation, struct btrfs_file_extent_item, generation, 64)
BTRFS_GET_FUNC(file_extent_ram_bytes, struct btrfs_file_extent_item, ram_bytes, 64)
BTRFS_GET_FUNC(file_extent_compression, struct btrfs_file_extent_item, compression, 8)
BTRFS_GET_FUNC(file_extent_encryption, struct btrfs_file_extent_item, encryption, 8)
BTRFS_GET_FUNC(file_extent_other_encoding, struct btrfs_file_extent_item, other_encoding, 16)
BTRFS_GET_FUNC(file_extent_type, struct btrfs_file_extent_item, type, 8)
BTRFS_GET_FUNC(file_extent_disk_bytenr, struct btrfs_file_extent_item, disk_bytenr, 64)
BTRFS_GET_FUNC(file_extent_disk_num_bytes, struct btrfs_file_extent_item, disk_num_bytes, 64)
BTRFS_GET_FUNC(file_extent_offset, struct btrfs_file_extent_item, offset, 64)
BTRFS_GET_FUNC(file_extent_num_bytes, struct btrfs_file_extent_item, num_bytes, 64)

/* Bytes that an inline extent keeps in the leaf, compressed or not. */
static inline u32 btrfs_file_extent_inline_item_len(const struct extent_buffer *eb, u32 slot)
{
	return btrfs_item_size(eb, slot) - (u32)BTRFS_FILE_EXTENT_INLINE_DATA_START;
}

static inline const u8 *btrfs_file_extent_inline_data(const struct btrfs_file_extent_item *fi)
{
	return (const u8 *)fi + BTRFS_FILE_EXTENT_INLINE_DATA_START;
}

BTRFS_GET_FUNC(verity_size, struct btrfs_verity_descriptor_item, size, 64)
BTRFS_GET_FUNC(verity_encryption, struct btrfs_verity_descriptor_item, encryption, 8)

/* ---- roots ---- */

BTRFS_GET_FUNC(root_ref_dirid, struct btrfs_root_ref, dirid, 64)
BTRFS_GET_FUNC(root_ref_sequence, struct btrfs_root_ref, sequence, 64)
BTRFS_GET_FUNC(root_ref_name_len, struct btrfs_root_ref, name_len, 16)

/* ---- extents ---- */

BTRFS_GET_FUNC(extent_refs, struct btrfs_extent_item, refs, 64)
BTRFS_GET_FUNC(extent_generation, struct btrfs_extent_item, generation, 64)
BTRFS_GET_FUNC(extent_flags, struct btrfs_extent_item, flags, 64)
BTRFS_GET_FUNC(tree_block_level, struct btrfs_tree_block_info, level, 8)
BTRFS_GET_FUNC(extent_data_ref_root, struct btrfs_extent_data_ref, root, 64)
BTRFS_GET_FUNC(extent_data_ref_objectid, struct btrfs_extent_data_ref, objectid, 64)
BTRFS_GET_FUNC(extent_data_ref_offset, struct btrfs_extent_data_ref, offset, 64)
BTRFS_GET_FUNC(extent_data_ref_count, struct btrfs_extent_data_ref, count, 32)
BTRFS_GET_FUNC(shared_data_ref_count, struct btrfs_shared_data_ref, count, 32)
BTRFS_GET_FUNC(extent_owner_ref_root_id, struct btrfs_extent_owner_ref, root_id, 64)
BTRFS_GET_FUNC(extent_inline_ref_type, struct btrfs_extent_inline_ref, type, 8)
BTRFS_GET_FUNC(extent_inline_ref_offset, struct btrfs_extent_inline_ref, offset, 64)

/* Bytes that an inline ref of @type takes, 0 for a type that is no inline ref. */
static inline u32 btrfs_extent_inline_ref_size(u8 type)
{
	switch (type) {
	case BTRFS_TREE_BLOCK_REF_KEY:
	case BTRFS_SHARED_BLOCK_REF_KEY:
	case BTRFS_EXTENT_OWNER_REF_KEY:
		return sizeof(struct btrfs_extent_inline_ref);
	case BTRFS_SHARED_DATA_REF_KEY:
		return sizeof(struct btrfs_extent_inline_ref) +
		       sizeof(struct btrfs_shared_data_ref);
	case BTRFS_EXTENT_DATA_REF_KEY:
		return offsetof(struct btrfs_extent_inline_ref, offset) +
		       sizeof(struct btrfs_extent_data_ref);
	default:
		return 0;
	}
}

BTRFS_GET_FUNC(block_group_used, struct btrfs_block_group_item, used, 64)
BTRFS_GET_FUNC(block_group_chunk_objectid, struct btrfs_block_group_item, chunk_objectid, 64)
BTRFS_GET_FUNC(block_group_flags, struct btrfs_block_group_item, flags, 64)

BTRFS_GET_FUNC(free_space_extent_count, struct btrfs_free_space_info, extent_count, 32)
BTRFS_GET_FUNC(free_space_flags, struct btrfs_free_space_info, flags, 32)
BTRFS_GET_FUNC(free_space_entries, struct btrfs_free_space_header, num_entries, 64)
BTRFS_GET_FUNC(free_space_bitmaps, struct btrfs_free_space_header, num_bitmaps, 64)
BTRFS_GET_FUNC(free_space_generation, struct btrfs_free_space_header, generation, 64)

/* ---- chunks and devices ---- */

BTRFS_GET_FUNC(chunk_length, struct btrfs_chunk, length, 64)
BTRFS_GET_FUNC(chunk_owner, struct btrfs_chunk, owner, 64)
BTRFS_GET_FUNC(chunk_stripe_len, struct btrfs_chunk, stripe_len, 64)
BTRFS_GET_FUNC(chunk_type, struct btrfs_chunk, type, 64)
BTRFS_GET_FUNC(chunk_io_align, struct btrfs_chunk, io_align, 32)
BTRFS_GET_FUNC(chunk_io_width, struct btrfs_chunk, io_width, 32)
BTRFS_GET_FUNC(chunk_sector_size, struct btrfs_chunk, sector_size, 32)
BTRFS_GET_FUNC(chunk_num_stripes, struct btrfs_chunk, num_stripes, 16)
BTRFS_GET_FUNC(chunk_sub_stripes, struct btrfs_chunk, sub_stripes, 16)
BTRFS_GET_FUNC(stripe_devid, struct btrfs_stripe, devid, 64)
BTRFS_GET_FUNC(stripe_offset, struct btrfs_stripe, offset, 64)

BTRFS_GET_FUNC(dev_extent_chunk_tree, struct btrfs_dev_extent, chunk_tree, 64)
BTRFS_GET_FUNC(dev_extent_chunk_objectid, struct btrfs_dev_extent, chunk_objectid, 64)
BTRFS_GET_FUNC(dev_extent_chunk_offset, struct btrfs_dev_extent, chunk_offset, 64)
BTRFS_GET_FUNC(dev_extent_length, struct btrfs_dev_extent, length, 64)

BTRFS_GET_FUNC(device_id, struct btrfs_dev_item, devid, 64)
BTRFS_GET_FUNC(device_total_bytes, struct btrfs_dev_item, total_bytes, 64)
BTRFS_GET_FUNC(device_bytes_used, struct btrfs_dev_item, bytes_used, 64)
BTRFS_GET_FUNC(device_io_align, struct btrfs_dev_item, io_align, 32)
BTRFS_GET_FUNC(device_io_width, struct btrfs_dev_item, io_width, 32)
BTRFS_GET_FUNC(device_sector_size, struct btrfs_dev_item, sector_size, 32)
BTRFS_GET_FUNC(device_type, struct btrfs_dev_item, type, 64)
BTRFS_GET_FUNC(device_generation, struct btrfs_dev_item, generation, 64)
BTRFS_GET_FUNC(device_start_offset, struct btrfs_dev_item, start_offset, 64)
BTRFS_GET_FUNC(device_group, struct btrfs_dev_item, dev_group, 32)
BTRFS_GET_FUNC(device_seek_speed, struct btrfs_dev_item, seek_speed, 8)
BTRFS_GET_FUNC(device_bandwidth, struct btrfs_dev_item, bandwidth, 8)

/* ---- quota ---- */

BTRFS_GET_FUNC(qgroup_status_version, struct btrfs_qgroup_status_item, version, 64)
BTRFS_GET_FUNC(qgroup_status_generation, struct btrfs_qgroup_status_item, generation, 64)
BTRFS_GET_FUNC(qgroup_status_flags, struct btrfs_qgroup_status_item, flags, 64)
BTRFS_GET_FUNC(qgroup_status_rescan, struct btrfs_qgroup_status_item, rescan, 64)
BTRFS_GET_FUNC(qgroup_status_enable_gen, struct btrfs_qgroup_status_item, enable_gen, 64)
BTRFS_GET_FUNC(qgroup_info_generation, struct btrfs_qgroup_info_item, generation, 64)
BTRFS_GET_FUNC(qgroup_info_rfer, struct btrfs_qgroup_info_item, rfer, 64)
BTRFS_GET_FUNC(qgroup_info_rfer_cmpr, struct btrfs_qgroup_info_item, rfer_cmpr, 64)
BTRFS_GET_FUNC(qgroup_info_excl, struct btrfs_qgroup_info_item, excl, 64)
BTRFS_GET_FUNC(qgroup_info_excl_cmpr, struct btrfs_qgroup_info_item, excl_cmpr, 64)
BTRFS_GET_FUNC(qgroup_limit_flags, struct btrfs_qgroup_limit_item, flags, 64)
BTRFS_GET_FUNC(qgroup_limit_max_rfer, struct btrfs_qgroup_limit_item, max_rfer, 64)
BTRFS_GET_FUNC(qgroup_limit_max_excl, struct btrfs_qgroup_limit_item, max_excl, 64)
BTRFS_GET_FUNC(qgroup_limit_rsv_rfer, struct btrfs_qgroup_limit_item, rsv_rfer, 64)
BTRFS_GET_FUNC(qgroup_limit_rsv_excl, struct btrfs_qgroup_limit_item, rsv_excl, 64)

#endif
