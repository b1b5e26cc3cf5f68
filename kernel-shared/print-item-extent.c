// SPDX-License-Identifier: GPL-2.0-only
/*
 * Items about space as text: extents and their backrefs, block groups, the
 * free space tree, the old space cache's headers, and checksums of data.
 */
#include "kernel-shared/print-item.h"

/* ---- extents ---- */

static void print_extent_flags(FILE *out, u64 flags)
{
	static const struct print_flag names[] = {
		{ BTRFS_EXTENT_FLAG_DATA, "DATA" },
		{ BTRFS_EXTENT_FLAG_TREE_BLOCK, "TREE_BLOCK" },
	};

	print_flag_names(out, flags, names, ARRAY_SIZE(names), "");
	/* Readers know it with the bar in front, whatever stands before. */
	if (flags & BTRFS_BLOCK_FLAG_FULL_BACKREF)
		fputs("|FULL_BACKREF", out);
}

static void print_extent_data_ref(const struct print_item *item,
				  const struct btrfs_extent_data_ref *ref)
{
	FILE *out = item->ctx->out;

	fputs("\t\textent data backref root ", out);
	btrfs_print_objectid(out, btrfs_extent_data_ref_root(item->eb, ref), 0);
	fprintf(out, " objectid %llu offset %llu count %u\n",
		btrfs_extent_data_ref_objectid(item->eb, ref),
		btrfs_extent_data_ref_offset(item->eb, ref),
		btrfs_extent_data_ref_count(item->eb, ref));
}

static void print_inline_ref(const struct print_item *item,
			     const struct btrfs_extent_inline_ref *ref)
{
	u64 offset = btrfs_extent_inline_ref_offset(item->eb, ref);
	FILE *out = item->ctx->out;

	switch (btrfs_extent_inline_ref_type(item->eb, ref)) {
	case BTRFS_TREE_BLOCK_REF_KEY:
		fputs("\t\ttree block backref root ", out);
		btrfs_print_objectid(out, offset, 0);
		putc('\n', out);
		break;
	case BTRFS_SHARED_BLOCK_REF_KEY:
		fprintf(out, "\t\tshared block backref parent %llu\n", offset);
		break;
	case BTRFS_EXTENT_DATA_REF_KEY:
		print_extent_data_ref(item, (const struct btrfs_extent_data_ref *)&ref->offset);
		break;
	case BTRFS_SHARED_DATA_REF_KEY:
		fprintf(out, "\t\tshared data backref parent %llu count %u\n", offset,
			btrfs_shared_data_ref_count(
				item->eb, (const struct btrfs_shared_data_ref *)(ref + 1)));
		break;
	case BTRFS_EXTENT_OWNER_REF_KEY:
		fputs("\t\textent owner root ", out);
		btrfs_print_objectid(out, offset, 0);
		putc('\n', out);
		break;
	}
}

static void print_inline_refs(const struct print_item *item, const u8 *cur)
{
	while (item_left(item, cur) >= sizeof(struct btrfs_extent_inline_ref)) {
		const struct btrfs_extent_inline_ref *ref =
			(const struct btrfs_extent_inline_ref *)cur;
		u32 size =
			btrfs_extent_inline_ref_size(btrfs_extent_inline_ref_type(item->eb, ref));

		if (!size || size > item_left(item, cur))
			return;
		print_inline_ref(item, ref);
		cur += size;
	}
}

static void print_tree_block_info(const struct print_item *item,
				  const struct btrfs_tree_block_info *info)
{
	FILE *out = item->ctx->out;
	struct btrfs_key key;

	btrfs_disk_key_to_cpu(&key, &info->key);
	fputs("\t\ttree block ", out);
	btrfs_print_key(out, &key);
	fprintf(out, " level %u\n", btrfs_tree_block_level(item->eb, info));
}

void print_extent_item(const struct print_item *item)
{
	const struct btrfs_extent_item *ei = item_ptr(item, struct btrfs_extent_item);
	const struct btrfs_tree_block_info *info = (const struct btrfs_tree_block_info *)(ei + 1);
	const u8 *refs = (const u8 *)info;
	u64 flags = btrfs_extent_flags(item->eb, ei);
	FILE *out = item->ctx->out;

	if (item->size < sizeof(*ei))
		return;
	fprintf(out, "\t\trefs %llu gen %llu flags ", btrfs_extent_refs(item->eb, ei),
		btrfs_extent_generation(item->eb, ei));
	print_extent_flags(out, flags);
	putc('\n', out);
	if (item->key.type == BTRFS_METADATA_ITEM_KEY) {
		fprintf(out, "\t\ttree block skinny level %d\n", (int)item->key.offset);
	} else if (flags & BTRFS_EXTENT_FLAG_TREE_BLOCK) {
		if (item_left(item, info) < sizeof(*info))
			return;
		print_tree_block_info(item, info);
		refs = (const u8 *)(info + 1);
	}
	print_inline_refs(item, refs);
}

/* ---- backrefs with a key of their own ---- */

void print_tree_block_ref_item(const struct print_item *item)
{
	fputs("\t\ttree block backref\n", item->ctx->out);
}

void print_extent_data_ref_item(const struct print_item *item)
{
	print_extent_data_ref(item, item_ptr(item, struct btrfs_extent_data_ref));
}

void print_extent_ref_v0_item(const struct print_item *item)
{
	fputs("\t\textent ref v0 (deprecated)\n", item->ctx->out);
}

void print_shared_block_ref_item(const struct print_item *item)
{
	fputs("\t\tshared block backref\n", item->ctx->out);
}

void print_shared_data_ref_item(const struct print_item *item)
{
	fprintf(item->ctx->out, "\t\tshared data backref count %u\n",
		btrfs_shared_data_ref_count(item->eb,
					    item_ptr(item, struct btrfs_shared_data_ref)));
}

/* ---- block groups and free space ---- */

void print_block_group_item(const struct print_item *item)
{
	const struct btrfs_block_group_item *bg = item_ptr(item, struct btrfs_block_group_item);
	char flags[BTRFS_BG_FLAGS_TEXT_SIZE];

	btrfs_bg_flags_to_text(btrfs_block_group_flags(item->eb, bg), flags);
	fprintf(item->ctx->out, "\t\tblock group used %llu chunk_objectid %llu flags %s\n",
		btrfs_block_group_used(item->eb, bg),
		btrfs_block_group_chunk_objectid(item->eb, bg), flags);
}

void print_free_space_info_item(const struct print_item *item)
{
	const struct btrfs_free_space_info *info = item_ptr(item, struct btrfs_free_space_info);

	fprintf(item->ctx->out, "\t\tfree space info extent count %u flags %u\n",
		btrfs_free_space_extent_count(item->eb, info),
		btrfs_free_space_flags(item->eb, info));
}

void print_free_space_extent_item(const struct print_item *item)
{
	fputs("\t\tfree space extent\n", item->ctx->out);
}

void print_free_space_bitmap_item(const struct print_item *item)
{
	fputs("\t\tfree space bitmap\n", item->ctx->out);
}

/* Where the space cache of a block group is kept in a file: the one item of type 0. */
void print_free_space_header_item(const struct print_item *item)
{
	const struct btrfs_free_space_header *header =
		item_ptr(item, struct btrfs_free_space_header);
	FILE *out = item->ctx->out;
	struct btrfs_key location;

	if (item->size < sizeof(*header))
		return;
	btrfs_disk_key_to_cpu(&location, &header->location);
	fputs("\t\tlocation ", out);
	btrfs_print_key(out, &location);
	fprintf(out, "\n\t\tcache generation %llu entries %llu bitmaps %llu\n",
		btrfs_free_space_generation(item->eb, header),
		btrfs_free_space_entries(item->eb, header),
		btrfs_free_space_bitmaps(item->eb, header));
}

/* ---- checksums of data ---- */

/* As many on a line as fit into some 70 columns. */
static u32 csums_per_line(u16 csum_size)
{
	return csum_size <= 4 ? 4 : csum_size <= 8 ? 2 : 1;
}

static void print_csums(const struct print_item *item, u16 csum_size, u32 sectorsize)
{
	u32 per_line = csums_per_line(csum_size);
	FILE *out = item->ctx->out;
	u64 bytenr = item->key.offset;

	for (u32 i = 0; i < item->size / csum_size; i++) {
		fputs(i % per_line ? " " : i ? "\n\t\t" : "\t\t", out);
		fprintf(out, "[%llu] 0x", bytenr);
		print_hex(out, item->data + (size_t)i * csum_size, csum_size);
		bytenr += sectorsize;
	}
	putc('\n', out);
}

void print_extent_csum_item(const struct print_item *item)
{
	const struct btrfs_fs_info *fs_info = item->eb->fs_info;
	u64 len = (u64)(item->size / fs_info->csum_size) * fs_info->sectorsize;

	fprintf(item->ctx->out, "\t\trange start %llu end %llu length %llu\n", item->key.offset,
		item->key.offset + len, len);
	if (item->ctx->csum_items)
		print_csums(item, fs_info->csum_size, fs_info->sectorsize);
}

void print_old_csum_item(const struct print_item *item)
{
	fputs("\t\tcsum item\n", item->ctx->out);
}
