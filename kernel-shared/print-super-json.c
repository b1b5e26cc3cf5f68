// SPDX-License-Identifier: GPL-2.0-only
/*
 * A superblock as JSON: every field under its name on disk, whatever its value,
 * so that the schema never depends on the content.  Flags come as a number and,
 * under "KEY_names", as the list of those that have a name.
 */
#include "kernel-shared/print-super.h"

#include <uuid/uuid.h>

#include "kernel-shared/disk-io.h"
#include "kernel-shared/super.h"

static void format_uuid(struct format_ctx *ctx, const char *key, const u8 *uuid)
{
	char text[UUID_STR_LEN];

	uuid_unparse(uuid, text);
	format_string(ctx, key, text);
}

static void format_flag_name(const char *name, void *ctx)
{
	format_string(ctx, NULL, name);
}

static void format_flags(struct format_ctx *ctx, const char *key, const char *names_key, u64 flags,
			 const char *(*name_of)(u64 bit))
{
	format_u64(ctx, key, flags);
	format_array_begin(ctx, names_key);
	btrfs_for_each_bit_name(flags, name_of, format_flag_name, ctx);
	format_array_end(ctx);
}

static void format_csum(struct format_ctx *ctx, const struct btrfs_super_block *sb)
{
	const char *name = btrfs_super_csum_name(sb);
	u16 size = btrfs_super_shown_csum_size(sb);
	char hex[2 + 2 * BTRFS_CSUM_SIZE + 1] = "0x";

	for (u16 i = 0; i < size; i++)
		snprintf(hex + 2 + 2 * i, 3, "%02x", sb->csum[i]);
	format_u64(ctx, "csum_type", le16toh(sb->csum_type));
	if (name)
		format_string(ctx, "csum_name", name);
	else
		format_null(ctx, "csum_name");
	format_u64(ctx, "csum_size", size);
	format_string(ctx, "csum", hex);
	format_bool(ctx, "csum_valid", btrfs_super_csum_ok(sb));
}

static void format_identity(struct format_ctx *ctx, const struct btrfs_super_block *sb)
{
	format_csum(ctx, sb);
	format_u64(ctx, "bytenr", le64toh(sb->bytenr));
	format_flags(ctx, "flags", "flags_names", le64toh(sb->flags), btrfs_super_flag_name);
	format_u64(ctx, "magic", le64toh(sb->magic));
	format_bool(ctx, "magic_valid", btrfs_super_has_magic(sb));
	format_uuid(ctx, "fsid", sb->fsid);
	format_uuid(ctx, "metadata_uuid", btrfs_super_tree_fsid(sb));
	format_name(ctx, "label", sb->label, strnlen(sb->label, BTRFS_LABEL_SIZE));
}

static void format_roots(struct format_ctx *ctx, const struct btrfs_super_block *sb)
{
	format_u64(ctx, "generation", le64toh(sb->generation));
	format_u64(ctx, "root", le64toh(sb->root));
	format_u64(ctx, "root_level", sb->root_level);
	format_u64(ctx, "chunk_root", le64toh(sb->chunk_root));
	format_u64(ctx, "chunk_root_generation", le64toh(sb->chunk_root_generation));
	format_u64(ctx, "chunk_root_level", sb->chunk_root_level);
	format_u64(ctx, "log_root", le64toh(sb->log_root));
	format_u64(ctx, "log_root_transid", le64toh(sb->log_root_transid));
	format_u64(ctx, "log_root_level", sb->log_root_level);
}

static void format_sizes(struct format_ctx *ctx, const struct btrfs_super_block *sb)
{
	format_u64(ctx, "total_bytes", le64toh(sb->total_bytes));
	format_u64(ctx, "bytes_used", le64toh(sb->bytes_used));
	format_u64(ctx, "sectorsize", le32toh(sb->sectorsize));
	format_u64(ctx, "nodesize", le32toh(sb->nodesize));
	format_u64(ctx, "leafsize", le32toh(sb->leafsize));
	format_u64(ctx, "stripesize", le32toh(sb->stripesize));
	format_u64(ctx, "root_dir", le64toh(sb->root_dir_objectid));
	format_u64(ctx, "num_devices", le64toh(sb->num_devices));
	format_u64(ctx, "sys_array_size", le32toh(sb->sys_chunk_array_size));
}

static void format_features(struct format_ctx *ctx, const struct btrfs_super_block *sb)
{
	format_u64(ctx, "compat_flags", le64toh(sb->compat_flags));
	format_flags(ctx, "compat_ro_flags", "compat_ro_flags_names", le64toh(sb->compat_ro_flags),
		     btrfs_compat_ro_name);
	format_flags(ctx, "incompat_flags", "incompat_flags_names", le64toh(sb->incompat_flags),
		     btrfs_incompat_name);
	format_u64(ctx, "cache_generation", le64toh(sb->cache_generation));
	format_u64(ctx, "uuid_tree_generation", le64toh(sb->uuid_tree_generation));
}

static void format_dev_item(struct format_ctx *ctx, const struct btrfs_super_block *sb)
{
	const struct btrfs_dev_item *dev = &sb->dev_item;

	format_object_begin(ctx, "dev_item");
	format_u64(ctx, "devid", le64toh(dev->devid));
	format_uuid(ctx, "uuid", dev->uuid);
	format_uuid(ctx, "fsid", dev->fsid);
	format_bool(ctx, "fsid_valid",
		    memcmp(dev->fsid, btrfs_super_tree_fsid(sb), BTRFS_FSID_SIZE) == 0);
	format_u64(ctx, "type", le64toh(dev->type));
	format_u64(ctx, "total_bytes", le64toh(dev->total_bytes));
	format_u64(ctx, "bytes_used", le64toh(dev->bytes_used));
	format_u64(ctx, "io_align", le32toh(dev->io_align));
	format_u64(ctx, "io_width", le32toh(dev->io_width));
	format_u64(ctx, "sector_size", le32toh(dev->sector_size));
	format_u64(ctx, "dev_group", le32toh(dev->dev_group));
	format_u64(ctx, "seek_speed", dev->seek_speed);
	format_u64(ctx, "bandwidth", dev->bandwidth);
	format_u64(ctx, "generation", le64toh(dev->generation));
	format_object_end(ctx);
}

static void format_stripes(struct format_ctx *ctx, const struct btrfs_chunk *chunk)
{
	const struct btrfs_stripe *stripes = &chunk->stripe;

	format_array_begin(ctx, "stripes");
	for (u16 i = 0; i < le16toh(chunk->num_stripes); i++) {
		format_object_begin(ctx, NULL);
		format_u64(ctx, "devid", le64toh(stripes[i].devid));
		format_u64(ctx, "offset", le64toh(stripes[i].offset));
		format_uuid(ctx, "dev_uuid", stripes[i].dev_uuid);
		format_object_end(ctx);
	}
	format_array_end(ctx);
}

static void format_sys_array(struct format_ctx *ctx, const struct btrfs_super_block *sb)
{
	const struct btrfs_disk_key *key;
	const struct btrfs_chunk *chunk;
	u32 next;

	format_array_begin(ctx, "sys_chunk_array");
	for (u32 at = 0; btrfs_next_sys_chunk(sb, at, &next, &key, &chunk) > 0; at = next) {
		format_object_begin(ctx, NULL);
		format_u64(ctx, "objectid", le64toh(key->objectid));
		format_u64(ctx, "logical", le64toh(key->offset));
		format_u64(ctx, "length", le64toh(chunk->length));
		format_u64(ctx, "owner", le64toh(chunk->owner));
		format_u64(ctx, "stripe_len", le64toh(chunk->stripe_len));
		format_u64(ctx, "type", le64toh(chunk->type));
		format_u64(ctx, "io_align", le32toh(chunk->io_align));
		format_u64(ctx, "io_width", le32toh(chunk->io_width));
		format_u64(ctx, "sector_size", le32toh(chunk->sector_size));
		format_u64(ctx, "num_stripes", le16toh(chunk->num_stripes));
		format_u64(ctx, "sub_stripes", le16toh(chunk->sub_stripes));
		format_stripes(ctx, chunk);
		format_object_end(ctx);
	}
	format_array_end(ctx);
}

static void format_backup_tree(struct format_ctx *ctx, const char *key, u64 bytenr, u64 gen,
			       u8 level)
{
	format_object_begin(ctx, key);
	format_u64(ctx, "bytenr", bytenr);
	format_u64(ctx, "generation", gen);
	format_u64(ctx, "level", level);
	format_object_end(ctx);
}

static void format_backup_roots(struct format_ctx *ctx, const struct btrfs_super_block *sb)
{
	format_array_begin(ctx, "backup_roots");
	for (int i = 0; i < BTRFS_NUM_BACKUP_ROOTS; i++) {
		const struct btrfs_root_backup *b = &sb->super_roots[i];

		format_object_begin(ctx, NULL);
		format_backup_tree(ctx, "tree_root", le64toh(b->tree_root),
				   le64toh(b->tree_root_gen), b->tree_root_level);
		format_backup_tree(ctx, "chunk_root", le64toh(b->chunk_root),
				   le64toh(b->chunk_root_gen), b->chunk_root_level);
		format_backup_tree(ctx, "extent_root", le64toh(b->extent_root),
				   le64toh(b->extent_root_gen), b->extent_root_level);
		format_backup_tree(ctx, "fs_root", le64toh(b->fs_root), le64toh(b->fs_root_gen),
				   b->fs_root_level);
		format_backup_tree(ctx, "dev_root", le64toh(b->dev_root), le64toh(b->dev_root_gen),
				   b->dev_root_level);
		format_backup_tree(ctx, "csum_root", le64toh(b->csum_root),
				   le64toh(b->csum_root_gen), b->csum_root_level);
		format_u64(ctx, "total_bytes", le64toh(b->total_bytes));
		format_u64(ctx, "bytes_used", le64toh(b->bytes_used));
		format_u64(ctx, "num_devices", le64toh(b->num_devices));
		format_object_end(ctx);
	}
	format_array_end(ctx);
}

void btrfs_format_superblock(struct format_ctx *ctx, const struct btrfs_super_block *sb)
{
	format_identity(ctx, sb);
	format_roots(ctx, sb);
	format_sizes(ctx, sb);
	format_features(ctx, sb);
	format_dev_item(ctx, sb);
	format_sys_array(ctx, sb);
	format_backup_roots(ctx, sb);
}
