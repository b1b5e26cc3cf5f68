/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Writing the fields of tree blocks: the counterparts of accessors.h.
 *
 * Only for blocks that the running transaction made or COWed (transaction.h):
 * a block from the cache is shared and never changed.  Setters check the bounds
 * of the block, as the getters do, and drop a write that would fall outside.
 * The header fields that struct extent_buffer mirrors are changed through the
 * setters here, which keep both in step.
 */
#ifndef KERNEL_SHARED_ACCESSORS_SET_H
#define KERNEL_SHARED_ACCESSORS_SET_H

#include "kernel-shared/accessors.h"

#define htole8(x) (x)

/* btrfs_set_NAME(eb, s, value), where @s points into eb->data. */
#define BTRFS_SET_FUNC(name, type, member, bits)					\
static inline void btrfs_set_##name(struct extent_buffer *eb, type *s, u##bits value)	\
{											\
	if (eb_holds(eb, &s->member, sizeof(s->member)))				\
		s->member = htole##bits(value);						\
}

/* The same for a struct on its own, outside of any block. */
#define BTRFS_SET_STACK_FUNC(name, type, member, bits)					\
static inline void btrfs_set_stack_##name(type *s, u##bits value)			\
{											\
	s->member = htole##bits(value);							\
}

/* ---- bytes ---- */

/* Copy @len bytes to @dst, which points into @eb. */
static inline void write_extent_buffer(struct extent_buffer *eb, const void *src, void *dst,
				       size_t len)
{
	if (eb_holds(eb, dst, len) && len)
		memcpy(dst, src, len);
}

static inline void memset_extent_buffer(struct extent_buffer *eb, int byte, void *dst, size_t len)
{
	if (eb_holds(eb, dst, len) && len)
		memset(dst, byte, len);
}

/* Both ranges inside @eb; they may overlap. */
static inline void memmove_extent_buffer(struct extent_buffer *eb, void *dst, const void *src,
					 size_t len)
{
	if (eb_holds(eb, dst, len) && eb_holds(eb, src, len) && len)
		memmove(dst, src, len);
}

/* ---- keys ---- */

static inline void btrfs_cpu_key_to_disk(struct btrfs_disk_key *disk, const struct btrfs_key *cpu)
{
	disk->objectid = htole64(cpu->objectid);
	disk->type = cpu->type;
	disk->offset = htole64(cpu->offset);
}

/* ---- header ---- */

static inline struct btrfs_header *btrfs_header_mut(struct extent_buffer *eb)
{
	return (struct btrfs_header *)eb->data;
}

static inline void btrfs_set_header_nritems(struct extent_buffer *eb, u32 nritems)
{
	eb->nritems = nritems;
	btrfs_header_mut(eb)->nritems = htole32(nritems);
}

static inline void btrfs_set_header_level(struct extent_buffer *eb, u8 level)
{
	eb->level = level;
	btrfs_header_mut(eb)->level = level;
}

static inline void btrfs_set_header_generation(struct extent_buffer *eb, u64 generation)
{
	eb->generation = generation;
	btrfs_header_mut(eb)->generation = htole64(generation);
}

static inline void btrfs_set_header_owner(struct extent_buffer *eb, u64 owner)
{
	eb->owner = owner;
	btrfs_header_mut(eb)->owner = htole64(owner);
}

static inline void btrfs_set_header_bytenr(struct extent_buffer *eb, u64 bytenr)
{
	btrfs_header_mut(eb)->bytenr = htole64(bytenr);
}

/* The flags alone; the backref revision in the top byte stays. */
static inline void btrfs_set_header_flags(struct extent_buffer *eb, u64 flags)
{
	u64 rev = (u64)btrfs_header_backref_rev(eb) << BTRFS_BACKREF_REV_SHIFT;

	btrfs_header_mut(eb)->flags =
		htole64(rev | (flags & ((1ULL << BTRFS_BACKREF_REV_SHIFT) - 1)));
}

static inline void btrfs_set_header_flag(struct extent_buffer *eb, u64 flag)
{
	btrfs_set_header_flags(eb, btrfs_header_flags(eb) | flag);
}

static inline void btrfs_clear_header_flag(struct extent_buffer *eb, u64 flag)
{
	btrfs_set_header_flags(eb, btrfs_header_flags(eb) & ~flag);
}

static inline void btrfs_set_header_backref_rev(struct extent_buffer *eb, u8 rev)
{
	btrfs_header_mut(eb)->flags =
		htole64(btrfs_header_flags(eb) | (u64)rev << BTRFS_BACKREF_REV_SHIFT);
}

/* ---- nodes ---- */

static inline struct btrfs_key_ptr *btrfs_key_ptr_mut(struct extent_buffer *eb, u32 slot)
{
	return &((struct btrfs_node *)eb->data)->ptrs[slot];
}

static inline void btrfs_set_node_key(struct extent_buffer *eb, const struct btrfs_disk_key *key,
				      u32 slot)
{
	write_extent_buffer(eb, key, &btrfs_key_ptr_mut(eb, slot)->key, sizeof(*key));
}

static inline void btrfs_set_node_blockptr(struct extent_buffer *eb, u32 slot, u64 bytenr)
{
	struct btrfs_key_ptr *ptr = btrfs_key_ptr_mut(eb, slot);

	if (eb_holds(eb, ptr, sizeof(*ptr)))
		ptr->blockptr = htole64(bytenr);
}

static inline void btrfs_set_node_ptr_generation(struct extent_buffer *eb, u32 slot,
						 u64 generation)
{
	struct btrfs_key_ptr *ptr = btrfs_key_ptr_mut(eb, slot);

	if (eb_holds(eb, ptr, sizeof(*ptr)))
		ptr->generation = htole64(generation);
}

/* ---- leaves ---- */

static inline struct btrfs_item *btrfs_item_mut(struct extent_buffer *eb, u32 slot)
{
	return &((struct btrfs_leaf *)eb->data)->items[slot];
}

/* The raw key of an item, and of a node's pointer; all zero outside of the block. */
static inline void btrfs_item_key(const struct extent_buffer *eb, struct btrfs_disk_key *key,
				  u32 slot)
{
	const struct btrfs_item *item = btrfs_item(eb, slot);

	if (eb_holds(eb, item, sizeof(*item)))
		*key = item->key;
	else
		memset(key, 0, sizeof(*key));
}

static inline void btrfs_node_key(const struct extent_buffer *eb, struct btrfs_disk_key *key,
				  u32 slot)
{
	const struct btrfs_key_ptr *ptr = btrfs_key_ptr(eb, slot);

	if (eb_holds(eb, ptr, sizeof(*ptr)))
		*key = ptr->key;
	else
		memset(key, 0, sizeof(*key));
}

static inline void btrfs_set_item_key(struct extent_buffer *eb, const struct btrfs_disk_key *key,
				      u32 slot)
{
	write_extent_buffer(eb, key, &btrfs_item_mut(eb, slot)->key, sizeof(*key));
}

static inline void btrfs_set_item_offset(struct extent_buffer *eb, u32 slot, u32 offset)
{
	struct btrfs_item *item = btrfs_item_mut(eb, slot);

	if (eb_holds(eb, item, sizeof(*item)))
		item->offset = htole32(offset);
}

static inline void btrfs_set_item_size(struct extent_buffer *eb, u32 slot, u32 size)
{
	struct btrfs_item *item = btrfs_item_mut(eb, slot);

	if (eb_holds(eb, item, sizeof(*item)))
		item->size = htole32(size);
}

/* Where the data of the item in @slot starts, to be written to. */
static inline void *btrfs_item_data_mut(struct extent_buffer *eb, u32 slot)
{
	return eb->data + sizeof(struct btrfs_header) + btrfs_item_offset(eb, slot);
}

#define btrfs_item_ptr_mut(eb, slot, type)	((type *)btrfs_item_data_mut(eb, slot))

/* ---- inodes ---- */

BTRFS_SET_FUNC(inode_generation, struct btrfs_inode_item, generation, 64)
BTRFS_SET_FUNC(inode_transid, struct btrfs_inode_item, transid, 64)
BTRFS_SET_FUNC(inode_size, struct btrfs_inode_item, size, 64)
BTRFS_SET_FUNC(inode_nbytes, struct btrfs_inode_item, nbytes, 64)
BTRFS_SET_FUNC(inode_block_group, struct btrfs_inode_item, block_group, 64)
BTRFS_SET_FUNC(inode_nlink, struct btrfs_inode_item, nlink, 32)
BTRFS_SET_FUNC(inode_uid, struct btrfs_inode_item, uid, 32)
BTRFS_SET_FUNC(inode_gid, struct btrfs_inode_item, gid, 32)
BTRFS_SET_FUNC(inode_mode, struct btrfs_inode_item, mode, 32)
BTRFS_SET_FUNC(inode_rdev, struct btrfs_inode_item, rdev, 64)
BTRFS_SET_FUNC(inode_flags, struct btrfs_inode_item, flags, 64)
BTRFS_SET_FUNC(inode_sequence, struct btrfs_inode_item, sequence, 64)
BTRFS_SET_FUNC(timespec_sec, struct btrfs_timespec, sec, 64)
BTRFS_SET_FUNC(timespec_nsec, struct btrfs_timespec, nsec, 32)

BTRFS_SET_FUNC(inode_ref_index, struct btrfs_inode_ref, index, 64)
BTRFS_SET_FUNC(inode_ref_name_len, struct btrfs_inode_ref, name_len, 16)
BTRFS_SET_FUNC(inode_extref_parent, struct btrfs_inode_extref, parent_objectid, 64)
BTRFS_SET_FUNC(inode_extref_index, struct btrfs_inode_extref, index, 64)
BTRFS_SET_FUNC(inode_extref_name_len, struct btrfs_inode_extref, name_len, 16)

BTRFS_SET_FUNC(dir_transid, struct btrfs_dir_item, transid, 64)
BTRFS_SET_FUNC(dir_data_len, struct btrfs_dir_item, data_len, 16)
BTRFS_SET_FUNC(dir_name_len, struct btrfs_dir_item, name_len, 16)
BTRFS_SET_FUNC(dir_flags, struct btrfs_dir_item, type, 8)

static inline void btrfs_set_dir_item_key(struct extent_buffer *eb, struct btrfs_dir_item *di,
					  const struct btrfs_disk_key *key)
{
	write_extent_buffer(eb, key, &di->location, sizeof(*key));
}

BTRFS_SET_FUNC(file_extent_generation, struct btrfs_file_extent_item, generation, 64)
BTRFS_SET_FUNC(file_extent_ram_bytes, struct btrfs_file_extent_item, ram_bytes, 64)
BTRFS_SET_FUNC(file_extent_compression, struct btrfs_file_extent_item, compression, 8)
BTRFS_SET_FUNC(file_extent_encryption, struct btrfs_file_extent_item, encryption, 8)
BTRFS_SET_FUNC(file_extent_other_encoding, struct btrfs_file_extent_item, other_encoding, 16)
BTRFS_SET_FUNC(file_extent_type, struct btrfs_file_extent_item, type, 8)
BTRFS_SET_FUNC(file_extent_disk_bytenr, struct btrfs_file_extent_item, disk_bytenr, 64)
BTRFS_SET_FUNC(file_extent_disk_num_bytes, struct btrfs_file_extent_item, disk_num_bytes, 64)
BTRFS_SET_FUNC(file_extent_offset, struct btrfs_file_extent_item, offset, 64)
BTRFS_SET_FUNC(file_extent_num_bytes, struct btrfs_file_extent_item, num_bytes, 64)

/* ---- roots ---- */

BTRFS_SET_FUNC(root_ref_dirid, struct btrfs_root_ref, dirid, 64)
BTRFS_SET_FUNC(root_ref_sequence, struct btrfs_root_ref, sequence, 64)
BTRFS_SET_FUNC(root_ref_name_len, struct btrfs_root_ref, name_len, 16)

/* ---- extents ---- */

BTRFS_SET_FUNC(extent_refs, struct btrfs_extent_item, refs, 64)
BTRFS_SET_FUNC(extent_generation, struct btrfs_extent_item, generation, 64)
BTRFS_SET_FUNC(extent_flags, struct btrfs_extent_item, flags, 64)
BTRFS_SET_FUNC(tree_block_level, struct btrfs_tree_block_info, level, 8)

static inline void btrfs_set_tree_block_key(struct extent_buffer *eb,
					    struct btrfs_tree_block_info *info,
					    const struct btrfs_disk_key *key)
{
	write_extent_buffer(eb, key, &info->key, sizeof(*key));
}

BTRFS_SET_FUNC(extent_data_ref_root, struct btrfs_extent_data_ref, root, 64)
BTRFS_SET_FUNC(extent_data_ref_objectid, struct btrfs_extent_data_ref, objectid, 64)
BTRFS_SET_FUNC(extent_data_ref_offset, struct btrfs_extent_data_ref, offset, 64)
BTRFS_SET_FUNC(extent_data_ref_count, struct btrfs_extent_data_ref, count, 32)
BTRFS_SET_FUNC(shared_data_ref_count, struct btrfs_shared_data_ref, count, 32)
BTRFS_SET_FUNC(extent_owner_ref_root_id, struct btrfs_extent_owner_ref, root_id, 64)
BTRFS_SET_FUNC(extent_inline_ref_type, struct btrfs_extent_inline_ref, type, 8)
BTRFS_SET_FUNC(extent_inline_ref_offset, struct btrfs_extent_inline_ref, offset, 64)

BTRFS_SET_FUNC(block_group_used, struct btrfs_block_group_item, used, 64)
BTRFS_SET_FUNC(block_group_chunk_objectid, struct btrfs_block_group_item, chunk_objectid, 64)
BTRFS_SET_FUNC(block_group_flags, struct btrfs_block_group_item, flags, 64)

BTRFS_SET_FUNC(free_space_extent_count, struct btrfs_free_space_info, extent_count, 32)
BTRFS_SET_FUNC(free_space_flags, struct btrfs_free_space_info, flags, 32)
BTRFS_SET_FUNC(free_space_entries, struct btrfs_free_space_header, num_entries, 64)
BTRFS_SET_FUNC(free_space_bitmaps, struct btrfs_free_space_header, num_bitmaps, 64)
BTRFS_SET_FUNC(free_space_generation, struct btrfs_free_space_header, generation, 64)

/* ---- chunks and devices ---- */

BTRFS_SET_FUNC(dev_extent_chunk_tree, struct btrfs_dev_extent, chunk_tree, 64)
BTRFS_SET_FUNC(dev_extent_chunk_objectid, struct btrfs_dev_extent, chunk_objectid, 64)
BTRFS_SET_FUNC(dev_extent_chunk_offset, struct btrfs_dev_extent, chunk_offset, 64)
BTRFS_SET_FUNC(dev_extent_length, struct btrfs_dev_extent, length, 64)

BTRFS_SET_FUNC(device_id, struct btrfs_dev_item, devid, 64)
BTRFS_SET_FUNC(device_total_bytes, struct btrfs_dev_item, total_bytes, 64)
BTRFS_SET_FUNC(device_bytes_used, struct btrfs_dev_item, bytes_used, 64)
BTRFS_SET_FUNC(device_io_align, struct btrfs_dev_item, io_align, 32)
BTRFS_SET_FUNC(device_io_width, struct btrfs_dev_item, io_width, 32)
BTRFS_SET_FUNC(device_sector_size, struct btrfs_dev_item, sector_size, 32)
BTRFS_SET_FUNC(device_type, struct btrfs_dev_item, type, 64)
BTRFS_SET_FUNC(device_generation, struct btrfs_dev_item, generation, 64)
BTRFS_SET_FUNC(device_start_offset, struct btrfs_dev_item, start_offset, 64)
BTRFS_SET_FUNC(device_group, struct btrfs_dev_item, dev_group, 32)
BTRFS_SET_FUNC(device_seek_speed, struct btrfs_dev_item, seek_speed, 8)
BTRFS_SET_FUNC(device_bandwidth, struct btrfs_dev_item, bandwidth, 8)

/* ---- quota ---- */

BTRFS_SET_FUNC(qgroup_status_version, struct btrfs_qgroup_status_item, version, 64)
BTRFS_SET_FUNC(qgroup_status_generation, struct btrfs_qgroup_status_item, generation, 64)
BTRFS_SET_FUNC(qgroup_status_flags, struct btrfs_qgroup_status_item, flags, 64)
BTRFS_SET_FUNC(qgroup_status_rescan, struct btrfs_qgroup_status_item, rescan, 64)
BTRFS_SET_FUNC(qgroup_status_enable_gen, struct btrfs_qgroup_status_item, enable_gen, 64)
BTRFS_SET_FUNC(qgroup_info_generation, struct btrfs_qgroup_info_item, generation, 64)
BTRFS_SET_FUNC(qgroup_info_rfer, struct btrfs_qgroup_info_item, rfer, 64)
BTRFS_SET_FUNC(qgroup_info_rfer_cmpr, struct btrfs_qgroup_info_item, rfer_cmpr, 64)
BTRFS_SET_FUNC(qgroup_info_excl, struct btrfs_qgroup_info_item, excl, 64)
BTRFS_SET_FUNC(qgroup_info_excl_cmpr, struct btrfs_qgroup_info_item, excl_cmpr, 64)
BTRFS_SET_FUNC(qgroup_limit_flags, struct btrfs_qgroup_limit_item, flags, 64)
BTRFS_SET_FUNC(qgroup_limit_max_rfer, struct btrfs_qgroup_limit_item, max_rfer, 64)
BTRFS_SET_FUNC(qgroup_limit_max_excl, struct btrfs_qgroup_limit_item, max_excl, 64)
BTRFS_SET_FUNC(qgroup_limit_rsv_rfer, struct btrfs_qgroup_limit_item, rsv_rfer, 64)
BTRFS_SET_FUNC(qgroup_limit_rsv_excl, struct btrfs_qgroup_limit_item, rsv_excl, 64)

#endif
