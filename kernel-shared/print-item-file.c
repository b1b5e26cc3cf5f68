// SPDX-License-Identifier: GPL-2.0-only
/*
 * Items of files and directories as text: inodes, names, xattrs, extents, and
 * the items that a log tree or an orphan adds.
 */
#include "kernel-shared/print-item.h"

static const struct print_flag inode_flags[] = {
	{ BTRFS_INODE_NODATASUM, "NODATASUM" }, { BTRFS_INODE_NODATACOW, "NODATACOW" },
	{ BTRFS_INODE_READONLY, "READONLY" },	{ BTRFS_INODE_NOCOMPRESS, "NOCOMPRESS" },
	{ BTRFS_INODE_PREALLOC, "PREALLOC" },	{ BTRFS_INODE_SYNC, "SYNC" },
	{ BTRFS_INODE_IMMUTABLE, "IMMUTABLE" }, { BTRFS_INODE_APPEND, "APPEND" },
	{ BTRFS_INODE_NODUMP, "NODUMP" },	{ BTRFS_INODE_NOATIME, "NOATIME" },
	{ BTRFS_INODE_DIRSYNC, "DIRSYNC" },	{ BTRFS_INODE_COMPRESS, "COMPRESS" },
};

void print_inode_item(const struct print_item *item)
{
	const struct btrfs_inode_item *inode = item_ptr(item, struct btrfs_inode_item);
	const struct extent_buffer *eb = item->eb;
	FILE *out = item->ctx->out;

	fprintf(out, "\t\tgeneration %llu transid %llu size %llu nbytes %llu\n",
		btrfs_inode_generation(eb, inode), btrfs_inode_transid(eb, inode),
		btrfs_inode_size(eb, inode), btrfs_inode_nbytes(eb, inode));
	fprintf(out, "\t\tblock group %llu mode %o links %u uid %u gid %u rdev %llu\n",
		btrfs_inode_block_group(eb, inode), btrfs_inode_mode(eb, inode),
		btrfs_inode_nlink(eb, inode), btrfs_inode_uid(eb, inode),
		btrfs_inode_gid(eb, inode), btrfs_inode_rdev(eb, inode));
	fprintf(out, "\t\tsequence %llu flags 0x%llx(", btrfs_inode_sequence(eb, inode),
		btrfs_inode_flags(eb, inode));
	print_flag_names(out, btrfs_inode_flags(eb, inode), inode_flags, ARRAY_SIZE(inode_flags),
			 "none");
	fputs(")\n", out);
	print_timespec(out, "atime", &inode->atime);
	print_timespec(out, "ctime", &inode->ctime);
	print_timespec(out, "mtime", &inode->mtime);
	print_timespec(out, "otime", &inode->otime);
}

/* ---- names ---- */

/* All links of a file into one directory share an item. */
void print_inode_ref_item(const struct print_item *item)
{
	FILE *out = item->ctx->out;
	const u8 *cur = item->data;

	while (item_left(item, cur) >= sizeof(struct btrfs_inode_ref)) {
		const struct btrfs_inode_ref *ref = (const struct btrfs_inode_ref *)cur;
		u16 name_len = btrfs_inode_ref_name_len(item->eb, ref);

		fprintf(out,
			"\t\tindex %llu namelen %u name: ", btrfs_inode_ref_index(item->eb, ref),
			name_len);
		print_name(item, ref + 1, name_len);
		putc('\n', out);
		cur += sizeof(*ref) + name_len;
	}
}

/* The same for names that no longer fit there, and whose directories' hashes meet. */
void print_inode_extref_item(const struct print_item *item)
{
	FILE *out = item->ctx->out;
	const u8 *cur = item->data;

	while (item_left(item, cur) >= sizeof(struct btrfs_inode_extref)) {
		const struct btrfs_inode_extref *ref = (const struct btrfs_inode_extref *)cur;
		u16 name_len = btrfs_inode_extref_name_len(item->eb, ref);

		fprintf(out, "\t\tindex %llu parent %llu namelen %u name: ",
			btrfs_inode_extref_index(item->eb, ref),
			btrfs_inode_extref_parent(item->eb, ref), name_len);
		print_name(item, ref->name, name_len);
		putc('\n', out);
		cur += sizeof(*ref) + name_len;
	}
}

static void print_file_type(FILE *out, u8 type)
{
	static const char *const names[] = {
		[BTRFS_FT_REG_FILE] = "FILE",	[BTRFS_FT_DIR] = "DIR",
		[BTRFS_FT_CHRDEV] = "CHRDEV",	[BTRFS_FT_BLKDEV] = "BLKDEV",
		[BTRFS_FT_FIFO] = "FIFO",	[BTRFS_FT_SOCK] = "SOCK",
		[BTRFS_FT_SYMLINK] = "SYMLINK", [BTRFS_FT_XATTR] = "XATTR",
	};

	if (type < ARRAY_SIZE(names) && names[type])
		fputs(names[type], out);
	else
		fprintf(out, "DIR_ITEM.%u", type);
}

static void print_one_dir_item(const struct print_item *item, const struct btrfs_dir_item *di)
{
	const u8 *name = (const u8 *)(di + 1);
	u16 name_len = btrfs_dir_name_len(item->eb, di);
	u16 data_len = btrfs_dir_data_len(item->eb, di);
	FILE *out = item->ctx->out;
	struct btrfs_key location;

	btrfs_dir_item_key_to_cpu(item->eb, di, &location);
	fputs("\t\tlocation ", out);
	btrfs_print_key(out, &location);
	fputs(" type ", out);
	print_file_type(out, btrfs_dir_flags(item->eb, di));
	fprintf(out, "\n\t\ttransid %llu data_len %u name_len %u\n",
		btrfs_dir_transid(item->eb, di), data_len, name_len);
	fputs("\t\tname: ", out);
	print_name(item, name, name_len);
	putc('\n', out);
	if (data_len) {
		fputs("\t\tdata ", out);
		print_name(item, name + name_len, data_len);
		putc('\n', out);
	}
}

/* Directory entries and xattrs; those with the same hash share an item. */
void print_dir_item(const struct print_item *item)
{
	const u8 *cur = item->data;

	while (item_left(item, cur) >= sizeof(struct btrfs_dir_item)) {
		const struct btrfs_dir_item *di = (const struct btrfs_dir_item *)cur;

		print_one_dir_item(item, di);
		cur += sizeof(*di) + btrfs_dir_name_len(item->eb, di) +
		       btrfs_dir_data_len(item->eb, di);
	}
}

void print_dir_log_item(const struct print_item *item)
{
	fprintf(item->ctx->out, "\t\tdir log end %llu\n",
		btrfs_dir_log_end(item->eb, item_ptr(item, struct btrfs_dir_log_item)));
}

void print_orphan_item(const struct print_item *item)
{
	fputs("\t\torphan item\n", item->ctx->out);
}

/* ---- file extents ---- */

static void print_compression(FILE *out, u8 type)
{
	static const char *const names[BTRFS_NR_COMPRESS_TYPES] = {
		[BTRFS_COMPRESS_NONE] = "none",
		[BTRFS_COMPRESS_ZLIB] = "zlib",
		[BTRFS_COMPRESS_LZO] = "lzo",
		[BTRFS_COMPRESS_ZSTD] = "zstd",
	};

	if (type < ARRAY_SIZE(names))
		fprintf(out, "compression %u (%s)\n", type, names[type]);
	else
		fprintf(out, "compression %u (UNKNOWN.%u)\n", type, type);
}

static const char *file_extent_type_name(u8 type)
{
	switch (type) {
	case BTRFS_FILE_EXTENT_INLINE:
		return "inline";
	case BTRFS_FILE_EXTENT_REG:
		return "regular";
	case BTRFS_FILE_EXTENT_PREALLOC:
		return "prealloc";
	default:
		return "unknown";
	}
}

static void print_inline_extent(const struct print_item *item,
				const struct btrfs_file_extent_item *fi)
{
	fprintf(item->ctx->out, "\t\tinline extent data size %u ram_bytes %llu ",
		btrfs_file_extent_inline_item_len(item->eb, item->slot),
		btrfs_file_extent_ram_bytes(item->eb, fi));
	print_compression(item->ctx->out, btrfs_file_extent_compression(item->eb, fi));
}

static void print_prealloc_extent(const struct print_item *item,
				  const struct btrfs_file_extent_item *fi)
{
	fprintf(item->ctx->out, "\t\tprealloc data disk byte %llu nr %llu\n",
		btrfs_file_extent_disk_bytenr(item->eb, fi),
		btrfs_file_extent_disk_num_bytes(item->eb, fi));
	fprintf(item->ctx->out, "\t\tprealloc data offset %llu nr %llu\n",
		btrfs_file_extent_offset(item->eb, fi), btrfs_file_extent_num_bytes(item->eb, fi));
}

static void print_regular_extent(const struct print_item *item,
				 const struct btrfs_file_extent_item *fi)
{
	fprintf(item->ctx->out, "\t\textent data disk byte %llu nr %llu\n",
		btrfs_file_extent_disk_bytenr(item->eb, fi),
		btrfs_file_extent_disk_num_bytes(item->eb, fi));
	fprintf(item->ctx->out, "\t\textent data offset %llu nr %llu ram %llu\n",
		btrfs_file_extent_offset(item->eb, fi), btrfs_file_extent_num_bytes(item->eb, fi),
		btrfs_file_extent_ram_bytes(item->eb, fi));
	fputs("\t\textent ", item->ctx->out);
	print_compression(item->ctx->out, btrfs_file_extent_compression(item->eb, fi));
}

void print_file_extent_item(const struct print_item *item)
{
	const struct btrfs_file_extent_item *fi = item_ptr(item, struct btrfs_file_extent_item);
	u8 type = btrfs_file_extent_type(item->eb, fi);

	fprintf(item->ctx->out, "\t\tgeneration %llu type %u (%s)\n",
		btrfs_file_extent_generation(item->eb, fi), type, file_extent_type_name(type));
	switch (type) {
	case BTRFS_FILE_EXTENT_INLINE:
		print_inline_extent(item, fi);
		break;
	case BTRFS_FILE_EXTENT_PREALLOC:
		print_prealloc_extent(item, fi);
		break;
	default:
		print_regular_extent(item, fi);
		break;
	}
}
