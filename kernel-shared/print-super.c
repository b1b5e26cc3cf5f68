// SPDX-License-Identifier: GPL-2.0-only
/*
 * A superblock as text.  Scripts parse these lines, so names, tabs and blank
 * lines are those of the existing tools.
 */
#include "kernel-shared/print-super.h"

#include <ctype.h>
#include <errno.h>
#include <uuid/uuid.h>

#include "common/message.h"
#include "kernel-shared/disk-io.h"
#include "kernel-shared/key-names.h"
#include "kernel-shared/print-tree.h"
#include "kernel-shared/super.h"

/* ---- what the superblock says of itself ---- */

const u8 *btrfs_super_tree_fsid(const struct btrfs_super_block *sb)
{
	if (le64toh(sb->incompat_flags) & BTRFS_FEATURE_INCOMPAT_METADATA_UUID)
		return sb->metadata_uuid;
	return sb->fsid;
}

u16 btrfs_super_shown_csum_size(const struct btrfs_super_block *sb)
{
	u16 size = btrfs_csum_type_size(le16toh(sb->csum_type));

	return size ? size : BTRFS_CSUM_SIZE;
}

const char *btrfs_super_csum_name(const struct btrfs_super_block *sb)
{
	u16 type = le16toh(sb->csum_type);

	return btrfs_csum_type_size(type) ? btrfs_csum_type_name(type) : NULL;
}

u64 btrfs_for_each_bit_name(u64 bits, const char *(*name_of)(u64 bit),
			    void (*fn)(const char *name, void *ctx), void *ctx)
{
	u64 unknown = 0;

	for (; bits; bits &= bits - 1) {
		u64 bit = bits & -bits;
		const char *name = name_of(bit);

		if (name)
			fn(name, ctx);
		else
			unknown |= bit;
	}
	return unknown;
}

static int array_too_short(size_t bytes, size_t at)
{
	error("sys_array too short to read %zu bytes at offset %zu", bytes, at);
	return -EUCLEAN;
}

int btrfs_next_sys_chunk(const struct btrfs_super_block *sb, u32 at, u32 *next,
			 const struct btrfs_disk_key **ret_key,
			 const struct btrfs_chunk **ret_chunk)
{
	u32 size = le32toh(sb->sys_chunk_array_size);
	const struct btrfs_disk_key *key = (const void *)(sb->sys_chunk_array + at);
	const struct btrfs_chunk *chunk = (const void *)(key + 1);
	size_t item_at = at + sizeof(*key);
	size_t item_size;
	u16 num_stripes;

	*ret_key = NULL;
	if (size > BTRFS_SYSTEM_CHUNK_ARRAY_SIZE) {
		error("sys_array_size %u shouldn't exceed %u bytes", size,
		      BTRFS_SYSTEM_CHUNK_ARRAY_SIZE);
		return -EUCLEAN;
	}
	if (at >= size)
		return 0;
	if (sizeof(*key) > size - at)
		return array_too_short(sizeof(*key), at);
	*ret_key = key;
	if (key->type != BTRFS_CHUNK_ITEM_KEY) {
		error("unexpected item type %u in sys_array at offset %zu", key->type, item_at);
		return -EUCLEAN;
	}
	if (sizeof(*chunk) > size - item_at)
		return array_too_short(sizeof(*chunk), item_at);
	num_stripes = le16toh(chunk->num_stripes);
	if (num_stripes == 0) {
		error("invalid number of stripes %u in sys_array at offset %zu", num_stripes,
		      item_at);
		return -EUCLEAN;
	}
	item_size = btrfs_chunk_item_size(num_stripes);
	if (item_size > size - item_at)
		return array_too_short(item_size, item_at);
	*ret_chunk = chunk;
	*next = (u32)(item_at + item_size);
	return 1;
}

/* ---- printing ---- */

static void print_u64(FILE *out, const char *name, u64 value)
{
	fprintf(out, "%s%llu\n", name, value);
}

static void print_uuid(FILE *out, const char *name, const u8 *uuid, const char *verdict)
{
	char text[UUID_STR_LEN];

	uuid_unparse(uuid, text);
	fprintf(out, "%s%s%s\n", name, text, verdict);
}

/* Bytes of an unknown disk go to a terminal: what is not printable becomes a dot. */
static void print_text(FILE *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		fputc(isprint((unsigned char)text[i]) ? text[i] : '.', out);
}

static void print_csum(FILE *out, const struct btrfs_super_block *sb)
{
	const char *name = btrfs_super_csum_name(sb);
	u16 size = btrfs_super_shown_csum_size(sb);

	fprintf(out, "csum_type\t\t%u (%s)\n", le16toh(sb->csum_type), name ? name : "INVALID");
	fprintf(out, "csum_size\t\t%u\n", size);
	fprintf(out, "csum\t\t\t0x");
	for (u16 i = 0; i < size; i++)
		fprintf(out, "%02x", sb->csum[i]);
	fprintf(out, "%s\n",
		!name			? " [UNKNOWN CSUM TYPE OR SIZE]" :
		btrfs_super_csum_ok(sb) ? " [match]" :
					  " [DON'T MATCH]");
}

struct flag_list {
	FILE *out;
	bool started;
};

static void print_flag_name(const char *name, void *ctx)
{
	struct flag_list *list = ctx;

	fprintf(list->out, "%s%s", list->started ? " |\n\t\t\t  " : "\t\t\t( ", name);
	list->started = true;
}

static void print_flags(FILE *out, const char *name, u64 flags, const char *(*name_of)(u64 bit))
{
	struct flag_list list = { .out = out };
	char text[64];
	u64 unknown;

	fprintf(out, "%s0x%llx\n", name, flags);
	unknown = btrfs_for_each_bit_name(flags, name_of, print_flag_name, &list);
	if (unknown) {
		snprintf(text, sizeof(text), "unknown flag: 0x%llx", unknown);
		print_flag_name(text, &list);
	}
	if (list.started)
		fprintf(out, " )\n");
}

static void print_identity(FILE *out, const struct btrfs_super_block *sb)
{
	const char *magic = (const char *)&sb->magic;

	print_csum(out, sb);
	print_u64(out, "bytenr\t\t\t", le64toh(sb->bytenr));
	print_flags(out, "flags\t\t\t", le64toh(sb->flags), btrfs_super_flag_name);
	fprintf(out, "magic\t\t\t");
	print_text(out, magic, sizeof(sb->magic));
	fprintf(out, "%s\n", btrfs_super_has_magic(sb) ? " [match]" : " [DON'T MATCH]");
	print_uuid(out, "fsid\t\t\t", sb->fsid, "");
	print_uuid(out, "metadata_uuid\t\t", btrfs_super_tree_fsid(sb), "");
	fprintf(out, "label\t\t\t");
	print_text(out, sb->label, strnlen(sb->label, BTRFS_LABEL_SIZE));
	fprintf(out, "\n");
}

static void print_roots(FILE *out, const struct btrfs_super_block *sb)
{
	print_u64(out, "generation\t\t", le64toh(sb->generation));
	print_u64(out, "root\t\t\t", le64toh(sb->root));
	print_u64(out, "sys_array_size\t\t", le32toh(sb->sys_chunk_array_size));
	print_u64(out, "chunk_root_generation\t", le64toh(sb->chunk_root_generation));
	print_u64(out, "root_level\t\t", sb->root_level);
	print_u64(out, "chunk_root\t\t", le64toh(sb->chunk_root));
	print_u64(out, "chunk_root_level\t", sb->chunk_root_level);
	print_u64(out, "log_root\t\t", le64toh(sb->log_root));
	print_u64(out, "log_root_transid (deprecated)\t", le64toh(sb->log_root_transid));
	print_u64(out, "log_root_level\t\t", sb->log_root_level);
}

static void print_sizes(FILE *out, const struct btrfs_super_block *sb)
{
	print_u64(out, "total_bytes\t\t", le64toh(sb->total_bytes));
	print_u64(out, "bytes_used\t\t", le64toh(sb->bytes_used));
	print_u64(out, "sectorsize\t\t", le32toh(sb->sectorsize));
	print_u64(out, "nodesize\t\t", le32toh(sb->nodesize));
	print_u64(out, "leafsize (deprecated)\t", le32toh(sb->leafsize));
	print_u64(out, "stripesize\t\t", le32toh(sb->stripesize));
	print_u64(out, "root_dir\t\t", le64toh(sb->root_dir_objectid));
	print_u64(out, "num_devices\t\t", le64toh(sb->num_devices));
}

static void print_features(FILE *out, const struct btrfs_super_block *sb)
{
	fprintf(out, "compat_flags\t\t0x%llx\n", (u64)le64toh(sb->compat_flags));
	print_flags(out, "compat_ro_flags\t\t", le64toh(sb->compat_ro_flags), btrfs_compat_ro_name);
	print_flags(out, "incompat_flags\t\t", le64toh(sb->incompat_flags), btrfs_incompat_name);
	print_u64(out, "cache_generation\t", le64toh(sb->cache_generation));
	print_u64(out, "uuid_tree_generation\t", le64toh(sb->uuid_tree_generation));
}

static void print_dev_item(FILE *out, const struct btrfs_super_block *sb)
{
	const struct btrfs_dev_item *dev = &sb->dev_item;
	bool match = memcmp(dev->fsid, btrfs_super_tree_fsid(sb), BTRFS_FSID_SIZE) == 0;

	print_uuid(out, "dev_item.uuid\t\t", dev->uuid, "");
	print_uuid(out, "dev_item.fsid\t\t", dev->fsid, match ? " [match]" : " [DON'T MATCH]");
	print_u64(out, "dev_item.type\t\t", le64toh(dev->type));
	print_u64(out, "dev_item.total_bytes\t", le64toh(dev->total_bytes));
	print_u64(out, "dev_item.bytes_used\t", le64toh(dev->bytes_used));
	print_u64(out, "dev_item.io_align\t", le32toh(dev->io_align));
	print_u64(out, "dev_item.io_width\t", le32toh(dev->io_width));
	print_u64(out, "dev_item.sector_size\t", le32toh(dev->sector_size));
	print_u64(out, "dev_item.devid\t\t", le64toh(dev->devid));
	print_u64(out, "dev_item.dev_group\t", le32toh(dev->dev_group));
	print_u64(out, "dev_item.seek_speed\t", dev->seek_speed);
	print_u64(out, "dev_item.bandwidth\t", dev->bandwidth);
	print_u64(out, "dev_item.generation\t", le64toh(dev->generation));
}

static void print_sys_array(FILE *out, const struct btrfs_super_block *sb)
{
	const struct btrfs_disk_key *disk_key;
	const struct btrfs_chunk *chunk;
	struct btrfs_key key;
	u32 next = 0;
	int ret = 1;

	fprintf(out, "sys_chunk_array[%d]:\n", BTRFS_SYSTEM_CHUNK_ARRAY_SIZE);
	for (u32 at = 0, nr = 0; ret > 0; at = next, nr++) {
		ret = btrfs_next_sys_chunk(sb, at, &next, &disk_key, &chunk);
		if (disk_key) {
			btrfs_disk_key_to_cpu(&key, disk_key);
			fprintf(out, "\titem %u ", nr);
			btrfs_print_key(out, &key);
			fprintf(out, "\n");
		}
		if (ret > 0)
			btrfs_print_chunk(out, chunk,
					  (u32)btrfs_chunk_item_size(le16toh(chunk->num_stripes)));
	}
}

static void print_backup_tree(FILE *out, const char *name, u64 bytenr, u64 gen, u8 level)
{
	fprintf(out, "\t\t%s%llu\tgen: %llu\tlevel: %u\n", name, bytenr, gen, level);
}

static void print_backup_root(FILE *out, const struct btrfs_root_backup *b, bool has_bg_root)
{
	print_backup_tree(out, "backup_tree_root:\t", le64toh(b->tree_root),
			  le64toh(b->tree_root_gen), b->tree_root_level);
	print_backup_tree(out, "backup_chunk_root:\t", le64toh(b->chunk_root),
			  le64toh(b->chunk_root_gen), b->chunk_root_level);
	/* With the extent tree of the second version its place holds another root. */
	print_backup_tree(out, has_bg_root ? "backup_block_group_root:\t" : "backup_extent_root:\t",
			  le64toh(b->extent_root), le64toh(b->extent_root_gen),
			  b->extent_root_level);
	print_backup_tree(out, "backup_fs_root:\t\t", le64toh(b->fs_root), le64toh(b->fs_root_gen),
			  b->fs_root_level);
	print_backup_tree(out, "backup_dev_root:\t", le64toh(b->dev_root), le64toh(b->dev_root_gen),
			  b->dev_root_level);
	print_backup_tree(out, "csum_root:\t", le64toh(b->csum_root), le64toh(b->csum_root_gen),
			  b->csum_root_level);
	print_u64(out, "\t\tbackup_total_bytes:\t", le64toh(b->total_bytes));
	print_u64(out, "\t\tbackup_bytes_used:\t", le64toh(b->bytes_used));
	print_u64(out, "\t\tbackup_num_devices:\t", le64toh(b->num_devices));
	fprintf(out, "\n");
}

static void print_backup_roots(FILE *out, const struct btrfs_super_block *sb)
{
	bool has_bg_root =
		(le64toh(sb->incompat_flags) & BTRFS_FEATURE_INCOMPAT_EXTENT_TREE_V2) != 0;

	fprintf(out, "backup_roots[%d]:\n", BTRFS_NUM_BACKUP_ROOTS);
	for (int i = 0; i < BTRFS_NUM_BACKUP_ROOTS; i++) {
		fprintf(out, "\tbackup %d:\n", i);
		print_backup_root(out, &sb->super_roots[i], has_bg_root);
	}
}

void btrfs_print_superblock(FILE *out, const struct btrfs_super_block *sb, bool full)
{
	print_identity(out, sb);
	print_roots(out, sb);
	print_sizes(out, sb);
	print_features(out, sb);
	print_dev_item(out, sb);
	if (!full)
		return;
	print_sys_array(out, sb);
	print_backup_roots(out, sb);
}
