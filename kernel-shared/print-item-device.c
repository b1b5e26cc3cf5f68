// SPDX-License-Identifier: GPL-2.0-only
/*
 * Items about devices as text: chunks, devices and their extents, device
 * statistics, and what a balance leaves to find its way again.
 */
#include "kernel-shared/print-item.h"

/* ---- chunks ---- */

/* A profile is one bit; of several, which no sane chunk has, none is named. */
static const char *profile_name(u64 flags)
{
	switch (flags & BTRFS_BLOCK_GROUP_PROFILE_MASK) {
	case 0:
		return "single";
	case BTRFS_BLOCK_GROUP_RAID0:
		return "RAID0";
	case BTRFS_BLOCK_GROUP_RAID1:
		return "RAID1";
	case BTRFS_BLOCK_GROUP_DUP:
		return "DUP";
	case BTRFS_BLOCK_GROUP_RAID10:
		return "RAID10";
	case BTRFS_BLOCK_GROUP_RAID5:
		return "RAID5";
	case BTRFS_BLOCK_GROUP_RAID6:
		return "RAID6";
	case BTRFS_BLOCK_GROUP_RAID1C3:
		return "RAID1C3";
	case BTRFS_BLOCK_GROUP_RAID1C4:
		return "RAID1C4";
	default:
		return "UNKNOWN";
	}
}

void btrfs_bg_flags_to_text(u64 flags, char *text)
{
	static const struct print_flag types[] = {
		{ BTRFS_BLOCK_GROUP_DATA, "DATA|" },
		{ BTRFS_BLOCK_GROUP_METADATA, "METADATA|" },
		{ BTRFS_BLOCK_GROUP_SYSTEM, "SYSTEM|" },
	};
	char *end = text;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (flags & types[i].bit)
			end = stpcpy(end, types[i].name);
	if (end == text)
		end = stpcpy(end, "|");
	strcpy(end, profile_name(flags));
}

static u16 count_stripes(const struct btrfs_chunk *chunk, u32 item_size)
{
	u16 nr = le16toh(chunk->num_stripes);

	while (nr && btrfs_chunk_item_size(nr) > item_size)
		nr--;
	return nr;
}

void btrfs_print_chunk(FILE *out, const struct btrfs_chunk *chunk, u32 item_size)
{
	const struct btrfs_stripe *stripe = &chunk->stripe;
	char type[BTRFS_BG_FLAGS_TEXT_SIZE];
	u16 nr;

	if (item_size < sizeof(*chunk))
		return;
	nr = count_stripes(chunk, item_size);
	btrfs_bg_flags_to_text(le64toh(chunk->type), type);
	fprintf(out, "\t\tlength %llu owner %llu stripe_len %llu type %s\n",
		(u64)le64toh(chunk->length), (u64)le64toh(chunk->owner),
		(u64)le64toh(chunk->stripe_len), type);
	fprintf(out, "\t\tio_align %u io_width %u sector_size %u\n", le32toh(chunk->io_align),
		le32toh(chunk->io_width), le32toh(chunk->sector_size));
	fprintf(out, "\t\tnum_stripes %u sub_stripes %u\n", le16toh(chunk->num_stripes),
		le16toh(chunk->sub_stripes));
	for (u16 i = 0; i < nr; i++) {
		fprintf(out, "\t\t\tstripe %u devid %llu offset %llu\n", i,
			(u64)le64toh(stripe[i].devid), (u64)le64toh(stripe[i].offset));
		print_uuid(out, "\t\t\tdev_uuid", stripe[i].dev_uuid);
	}
}

void print_chunk_item(const struct print_item *item)
{
	btrfs_print_chunk(item->ctx->out, item_ptr(item, struct btrfs_chunk), item->size);
}

/* ---- devices ---- */

void print_dev_item(const struct print_item *item)
{
	const struct btrfs_dev_item *dev = item_ptr(item, struct btrfs_dev_item);
	const struct extent_buffer *eb = item->eb;
	FILE *out = item->ctx->out;

	if (item->size < sizeof(*dev))
		return;
	fprintf(out, "\t\tdevid %llu total_bytes %llu bytes_used %llu\n", btrfs_device_id(eb, dev),
		btrfs_device_total_bytes(eb, dev), btrfs_device_bytes_used(eb, dev));
	fprintf(out, "\t\tio_align %u io_width %u sector_size %u type %llu\n",
		btrfs_device_io_align(eb, dev), btrfs_device_io_width(eb, dev),
		btrfs_device_sector_size(eb, dev), btrfs_device_type(eb, dev));
	fprintf(out, "\t\tgeneration %llu start_offset %llu dev_group %u\n",
		btrfs_device_generation(eb, dev), btrfs_device_start_offset(eb, dev),
		btrfs_device_group(eb, dev));
	fprintf(out, "\t\tseek_speed %u bandwidth %u\n", btrfs_device_seek_speed(eb, dev),
		btrfs_device_bandwidth(eb, dev));
	print_uuid(out, "\t\tuuid", dev->uuid);
	print_uuid(out, "\t\tfsid", dev->fsid);
}

void print_dev_extent_item(const struct print_item *item)
{
	const struct btrfs_dev_extent *extent = item_ptr(item, struct btrfs_dev_extent);
	FILE *out = item->ctx->out;

	if (item->size < sizeof(*extent))
		return;
	fprintf(out, "\t\tdev extent chunk_tree %llu\n",
		btrfs_dev_extent_chunk_tree(item->eb, extent));
	fprintf(out, "\t\tchunk_objectid %llu chunk_offset %llu length %llu\n",
		btrfs_dev_extent_chunk_objectid(item->eb, extent),
		btrfs_dev_extent_chunk_offset(item->eb, extent),
		btrfs_dev_extent_length(item->eb, extent));
	print_uuid(out, "\t\tchunk_tree_uuid", extent->chunk_tree_uuid);
}

/* ---- items whose object id says what they are ---- */

static void print_item_ids(const struct print_item *item, const char *label)
{
	FILE *out = item->ctx->out;

	fprintf(out, "\t\t%s item objectid ", label);
	btrfs_print_objectid(out, item->key.objectid, item->key.type);
	fprintf(out, " offset %llu\n", item->key.offset);
}

/* An item may end early, written by a kernel that counted less. */
static u64 dev_stat(const struct print_item *item, size_t index)
{
	size_t at = index * sizeof(u64);

	return at + sizeof(u64) <= item->size ? get_unaligned_le64(item->data + at) : 0;
}

static void print_dev_stats(const struct print_item *item)
{
	FILE *out = item->ctx->out;
	u32 known = sizeof(struct btrfs_dev_stats_item);

	fputs("\t\tdevice stats\n", out);
	fprintf(out,
		"\t\twrite_errs %llu read_errs %llu flush_errs %llu corruption_errs %llu"
		" generation %llu\n",
		dev_stat(item, 0), dev_stat(item, 1), dev_stat(item, 2), dev_stat(item, 3),
		dev_stat(item, 4));
	if (item->size <= known)
		return;
	/* No newline: that is how readers know it. */
	fprintf(out, "\t\tunknown stats item bytes %u", item->size - known);
	for (u32 i = BTRFS_DEV_STAT_VALUES_MAX; (i + 1) * sizeof(u64) <= item->size; i++)
		fprintf(out, "\t\tunknown item %u offset %zu value %llu\n", i, i * sizeof(u64),
			dev_stat(item, i));
}

void print_persistent_item(const struct print_item *item)
{
	print_item_ids(item, "persistent");
	if (item->key.objectid == BTRFS_DEV_STATS_OBJECTID)
		print_dev_stats(item);
	else
		fprintf(item->ctx->out, "\t\tunknown persistent item objectid %llu\n",
			item->key.objectid);
}

static void print_balance_args(FILE *out, const char *what,
			       const struct btrfs_disk_balance_args *args)
{
	fprintf(out, "\t\t%s\n", what);
	fprintf(out, "\t\tprofiles %llu devid %llu target %llu flags %llu\n",
		(u64)le64toh(args->profiles), (u64)le64toh(args->devid), (u64)le64toh(args->target),
		(u64)le64toh(args->flags));
	fprintf(out, "\t\tusage_min %u usage_max %u pstart %llu pend %llu\n",
		le32toh(args->usage_min), le32toh(args->usage_max), (u64)le64toh(args->pstart),
		(u64)le64toh(args->pend));
	fprintf(out, "\t\tvstart %llu vend %llu limit_min %u limit_max %u\n",
		(u64)le64toh(args->vstart), (u64)le64toh(args->vend), le32toh(args->limit_min),
		le32toh(args->limit_max));
	fprintf(out, "\t\tstripes_min %u stripes_max %u\n", le32toh(args->stripes_min),
		le32toh(args->stripes_max));
}

static void print_balance_item(const struct print_item *item)
{
	struct btrfs_balance_item balance = { 0 };
	FILE *out = item->ctx->out;

	memcpy(&balance, item->data, min_t(size_t, item->size, sizeof(balance)));
	fprintf(out, "\t\tbalance status flags %llu\n", (u64)le64toh(balance.flags));
	print_balance_args(out, "DATA", &balance.data);
	print_balance_args(out, "METADATA", &balance.meta);
	print_balance_args(out, "SYSTEM", &balance.sys);
}

void print_temporary_item(const struct print_item *item)
{
	print_item_ids(item, "temporary");
	if (item->key.objectid == BTRFS_BALANCE_OBJECTID)
		print_balance_item(item);
	else
		fprintf(item->ctx->out, "\t\tunknown temporary item objectid %llu\n",
			item->key.objectid);
}
