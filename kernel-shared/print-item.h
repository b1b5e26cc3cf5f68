/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The private side of print-tree: a function for every kind of item, called by
 * the table in print-tree.c.  They print what stands below the line of the key.
 */
#ifndef KERNEL_SHARED_PRINT_ITEM_H
#define KERNEL_SHARED_PRINT_ITEM_H

#include "kernel-shared/key-names.h"
#include "kernel-shared/print-tree.h"

/* One item; everything that a printer may want to look at. */
struct print_item {
	const struct btrfs_print_ctx *ctx;
	const struct extent_buffer *eb;
	struct btrfs_key key;
	u32 slot;
	const u8 *data;
	u32 size;
};

typedef void (*print_item_fn)(const struct print_item *item);

/* The bytes of an item as the struct that its type says it is. */
#define item_ptr(item, type) ((const type *)(item)->data)

/* ---- print-item-file.c ---- */
void print_inode_item(const struct print_item *item);
void print_inode_ref_item(const struct print_item *item);
void print_inode_extref_item(const struct print_item *item);
void print_dir_item(const struct print_item *item);
void print_dir_log_item(const struct print_item *item);
void print_orphan_item(const struct print_item *item);
void print_file_extent_item(const struct print_item *item);

/* ---- print-item-root.c ---- */
void print_root_item(const struct print_item *item);
void print_root_ref_item(const struct print_item *item);
void print_uuid_item(const struct print_item *item);
void print_string_item(const struct print_item *item);

/* ---- print-item-extent.c ---- */
void print_extent_item(const struct print_item *item);
void print_tree_block_ref_item(const struct print_item *item);
void print_extent_data_ref_item(const struct print_item *item);
void print_extent_ref_v0_item(const struct print_item *item);
void print_shared_block_ref_item(const struct print_item *item);
void print_shared_data_ref_item(const struct print_item *item);
void print_block_group_item(const struct print_item *item);
void print_free_space_info_item(const struct print_item *item);
void print_free_space_extent_item(const struct print_item *item);
void print_free_space_bitmap_item(const struct print_item *item);
void print_free_space_header_item(const struct print_item *item);
void print_extent_csum_item(const struct print_item *item);
void print_old_csum_item(const struct print_item *item);

/* ---- print-item-device.c ---- */
void print_chunk_item(const struct print_item *item);
void print_dev_item(const struct print_item *item);
void print_dev_extent_item(const struct print_item *item);
void print_temporary_item(const struct print_item *item);
void print_persistent_item(const struct print_item *item);

/* ---- print-item-qgroup.c ---- */
void print_qgroup_status_item(const struct print_item *item);
void print_qgroup_info_item(const struct print_item *item);
void print_qgroup_limit_item(const struct print_item *item);

/* ---- shared by them, in print-item-text.c ---- */

struct print_flag {
	u64 bit;
	const char *name;
};

/* The names of the bits set in @flags, with '|' between them; bits without a name are left out. */
void print_flag_names(FILE *out, u64 flags, const struct print_flag *names, size_t nr,
		      const char *if_none);

/* "\t\tLABEL SECONDS.NANOSECONDS (local time)\n". */
void print_timespec(FILE *out, const char *label, const struct btrfs_timespec *ts);

/* Bytes as they are, up to the first NUL, since readers take them for a C string. */
void print_string(FILE *out, const void *str, size_t len);

/* The same for what --hide-names hides.  As long as a name at most, the values of xattrs, too. */
void print_name(const struct print_item *item, const void *name, size_t len);

/* "LABEL UUID\n", whatever stands in front of the label included in it. */
void print_uuid(FILE *out, const char *label, const u8 *uuid);

/* Lower case hex digits without a prefix, in the order of the bytes. */
void print_hex(FILE *out, const u8 *bytes, size_t len);

/* How many bytes of the item stand at and after @ptr. */
static inline size_t item_left(const struct print_item *item, const void *ptr)
{
	size_t at = (size_t)((const u8 *)ptr - item->data);

	return at < item->size ? item->size - at : 0;
}

#endif
