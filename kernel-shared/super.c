// SPDX-License-Identifier: GPL-2.0-only
/*
 * Superblocks: where the copies stand, what makes one good, which one to use.
 *
 * Relies on nothing but the bytes themselves and the checksums of disk-io.c.
 * What btrfs_read_dev_super() returns may be trusted as far as
 * btrfs_check_super() looks: sizes, levels, alignments, checksum type.
 */
#include "kernel-shared/super.h"

#include <errno.h>

#include "common/message.h"
#include "kernel-shared/disk-io.h"

u64 btrfs_sb_offset(int mirror)
{
	if (mirror == 0)
		return BTRFS_SUPER_INFO_OFFSET;
	return (u64)SZ_16K << (BTRFS_SUPER_MIRROR_SHIFT * mirror);
}

bool btrfs_super_has_magic(const struct btrfs_super_block *sb)
{
	return le64toh(sb->magic) == BTRFS_MAGIC;
}

bool btrfs_super_csum_ok(const struct btrfs_super_block *sb)
{
	u16 type = le16toh(sb->csum_type);
	u16 size = btrfs_csum_type_size(type);
	u8 csum[BTRFS_CSUM_SIZE] = { 0 };

	if (!size)
		return false;
	btrfs_csum_data(type, (const u8 *)sb + BTRFS_CSUM_SIZE,
			BTRFS_SUPER_INFO_SIZE - BTRFS_CSUM_SIZE, csum);
	return memcmp(csum, sb->csum, size) == 0;
}

/* ---- judging one copy ---- */

static const char *check_sizes(const struct btrfs_super_block *sb)
{
	u32 sectorsize = le32toh(sb->sectorsize);
	u32 nodesize = le32toh(sb->nodesize);
	u32 array_size = le32toh(sb->sys_chunk_array_size);

	if (!is_power_of_2(sectorsize) || sectorsize < BTRFS_MIN_BLOCKSIZE ||
	    sectorsize > BTRFS_MAX_METADATA_BLOCKSIZE)
		return "invalid sectorsize";
	if (!is_power_of_2(nodesize) || nodesize < sectorsize ||
	    nodesize > BTRFS_MAX_METADATA_BLOCKSIZE)
		return "invalid nodesize";
	if (le32toh(sb->leafsize) != nodesize)
		return "leafsize differs from nodesize";
	if (array_size > BTRFS_SYSTEM_CHUNK_ARRAY_SIZE)
		return "system chunk array is too long";
	if (array_size < sizeof(struct btrfs_disk_key) + sizeof(struct btrfs_chunk))
		return "system chunk array is too short to hold one chunk";
	return NULL;
}

static const char *check_roots(const struct btrfs_super_block *sb)
{
	u32 sectorsize = le32toh(sb->sectorsize);

	if (sb->root_level >= BTRFS_MAX_LEVEL || sb->chunk_root_level >= BTRFS_MAX_LEVEL ||
	    sb->log_root_level >= BTRFS_MAX_LEVEL)
		return "level of a root is too high";
	if (!IS_ALIGNED(le64toh(sb->root), sectorsize))
		return "tree root is not aligned";
	if (!IS_ALIGNED(le64toh(sb->chunk_root), sectorsize))
		return "chunk root is not aligned";
	if (!IS_ALIGNED(le64toh(sb->log_root), sectorsize))
		return "log root is not aligned";
	return NULL;
}

/*
 * The device item carries the fsid that tree blocks carry.  While the fsid is
 * being changed the two may differ, and after an interruption they stay so.
 */
static const char *check_fsid(const struct btrfs_super_block *sb)
{
	u64 flags = le64toh(sb->flags);
	const u8 *expected = sb->fsid;

	if (flags & (BTRFS_SUPER_FLAG_CHANGING_FSID | BTRFS_SUPER_FLAG_CHANGING_FSID_V2))
		return NULL;
	if (le64toh(sb->incompat_flags) & BTRFS_FEATURE_INCOMPAT_METADATA_UUID)
		expected = sb->metadata_uuid;
	if (memcmp(expected, sb->dev_item.fsid, BTRFS_FSID_SIZE))
		return "fsid differs from that of the device item";
	return NULL;
}

static const char *check_counts(const struct btrfs_super_block *sb)
{
	if (le64toh(sb->num_devices) == 0)
		return "number of devices is 0";
	if (le64toh(sb->total_bytes) == 0 || le64toh(sb->dev_item.total_bytes) == 0)
		return "total size is 0";
	if (le64toh(sb->generation) == 0)
		return "generation is 0";
	return NULL;
}

const char *btrfs_check_super(const struct btrfs_super_block *sb, u64 bytenr)
{
	const char *why;

	if (!btrfs_super_has_magic(sb))
		return "no magic";
	if (!btrfs_csum_type_size(le16toh(sb->csum_type)))
		return "unknown checksum type";
	if (!btrfs_super_csum_ok(sb))
		return "checksum mismatch";
	if (le64toh(sb->bytenr) != bytenr)
		return "written for another address";
	why = check_sizes(sb);
	if (!why)
		why = check_roots(sb);
	if (!why)
		why = check_counts(sb);
	if (!why)
		why = check_fsid(sb);
	return why;
}

/* ---- names ---- */

struct bit_name {
	u64 bit;
	const char *name;
};

static const char *find_bit_name(const struct bit_name *table, size_t nr, u64 bit)
{
	for (size_t i = 0; i < nr; i++) {
		if (table[i].bit == bit)
			return table[i].name;
	}
	return NULL;
}

const char *btrfs_incompat_name(u64 bit)
{
	static const struct bit_name names[] = {
		{ BTRFS_FEATURE_INCOMPAT_MIXED_BACKREF, "MIXED_BACKREF" },
		{ BTRFS_FEATURE_INCOMPAT_DEFAULT_SUBVOL, "DEFAULT_SUBVOL" },
		{ BTRFS_FEATURE_INCOMPAT_MIXED_GROUPS, "MIXED_GROUPS" },
		{ BTRFS_FEATURE_INCOMPAT_COMPRESS_LZO, "COMPRESS_LZO" },
		{ BTRFS_FEATURE_INCOMPAT_COMPRESS_ZSTD, "COMPRESS_ZSTD" },
		{ BTRFS_FEATURE_INCOMPAT_BIG_METADATA, "BIG_METADATA" },
		{ BTRFS_FEATURE_INCOMPAT_EXTENDED_IREF, "EXTENDED_IREF" },
		{ BTRFS_FEATURE_INCOMPAT_RAID56, "RAID56" },
		{ BTRFS_FEATURE_INCOMPAT_SKINNY_METADATA, "SKINNY_METADATA" },
		{ BTRFS_FEATURE_INCOMPAT_NO_HOLES, "NO_HOLES" },
		{ BTRFS_FEATURE_INCOMPAT_METADATA_UUID, "METADATA_UUID" },
		{ BTRFS_FEATURE_INCOMPAT_RAID1C34, "RAID1C34" },
		{ BTRFS_FEATURE_INCOMPAT_ZONED, "ZONED" },
		{ BTRFS_FEATURE_INCOMPAT_EXTENT_TREE_V2, "EXTENT_TREE_V2" },
		{ BTRFS_FEATURE_INCOMPAT_RAID_STRIPE_TREE, "RAID_STRIPE_TREE" },
		{ BTRFS_FEATURE_INCOMPAT_SIMPLE_QUOTA, "SIMPLE_QUOTA" },
		{ BTRFS_FEATURE_INCOMPAT_REMAP_TREE, "REMAP_TREE" },
	};

	return find_bit_name(names, ARRAY_SIZE(names), bit);
}

const char *btrfs_compat_ro_name(u64 bit)
{
	static const struct bit_name names[] = {
		{ BTRFS_FEATURE_COMPAT_RO_FREE_SPACE_TREE, "FREE_SPACE_TREE" },
		{ BTRFS_FEATURE_COMPAT_RO_FREE_SPACE_TREE_VALID, "FREE_SPACE_TREE_VALID" },
		{ BTRFS_FEATURE_COMPAT_RO_VERITY, "VERITY" },
		{ BTRFS_FEATURE_COMPAT_RO_BLOCK_GROUP_TREE, "BLOCK_GROUP_TREE" },
	};

	return find_bit_name(names, ARRAY_SIZE(names), bit);
}

const char *btrfs_super_flag_name(u64 bit)
{
	static const struct bit_name names[] = {
		{ BTRFS_HEADER_FLAG_WRITTEN, "WRITTEN" },
		{ BTRFS_HEADER_FLAG_RELOC, "RELOC" },
		{ BTRFS_SUPER_FLAG_ERROR, "ERROR" },
		{ BTRFS_SUPER_FLAG_SEEDING, "SEEDING" },
		{ BTRFS_SUPER_FLAG_METADUMP, "METADUMP" },
		{ BTRFS_SUPER_FLAG_METADUMP_V2, "METADUMP_V2" },
		{ BTRFS_SUPER_FLAG_CHANGING_FSID, "CHANGING_FSID" },
		{ BTRFS_SUPER_FLAG_CHANGING_FSID_V2, "CHANGING_FSID_V2" },
		{ BTRFS_SUPER_FLAG_CHANGING_BG_TREE, "CHANGING_BG_TREE" },
		{ BTRFS_SUPER_FLAG_CHANGING_DATA_CSUM, "CHANGING_DATA_CSUM" },
		{ BTRFS_SUPER_FLAG_CHANGING_META_CSUM, "CHANGING_META_CSUM" },
	};

	return find_bit_name(names, ARRAY_SIZE(names), bit);
}

/* ---- choosing ---- */

/* What became of reading one copy. */
struct sb_copy {
	struct btrfs_super_block sb;
	u64 bytenr;
	int err;		/* from the device; 0: @sb is filled */
	const char *why;	/* what is wrong with it; NULL: good */
	bool has_magic;
};

static void read_copy(struct blockdev *dev, u64 bytenr, struct sb_copy *copy)
{
	copy->bytenr = bytenr;
	copy->has_magic = false;
	copy->err = blockdev_pread(dev, &copy->sb, sizeof(copy->sb), bytenr);
	if (copy->err) {
		copy->why = errno_text(copy->err);
		return;
	}
	copy->has_magic = btrfs_super_has_magic(&copy->sb);
	copy->why = btrfs_check_super(&copy->sb, bytenr);
}

/* All copies that lie inside the device; their number. */
static int read_all_copies(struct blockdev *dev, struct sb_copy *copies)
{
	int nr = 0;

	while (nr < BTRFS_SUPER_MIRROR_MAX &&
	       btrfs_sb_offset(nr) + BTRFS_SUPER_INFO_SIZE <= dev->size) {
		read_copy(dev, btrfs_sb_offset(nr), &copies[nr]);
		nr++;
	}
	return nr;
}

/*
 * Whether @copy is of the same file system, and inside it, as @first says.
 * mkfs leaves alone what stands behind the end of a file system smaller than
 * the device, so an old stranger may stand in the place of a copy.
 */
static bool copy_belongs(const struct sb_copy *copy, const struct sb_copy *first)
{
	return memcmp(copy->sb.fsid, first->sb.fsid, BTRFS_FSID_SIZE) == 0 &&
	       memcmp(copy->sb.dev_item.uuid, first->sb.dev_item.uuid, BTRFS_UUID_SIZE) == 0 &&
	       copy->bytenr < le64toh(first->sb.dev_item.total_bytes);
}

static const struct sb_copy *best_copy(const struct sb_copy *copies, int nr)
{
	const struct sb_copy *best = NULL;
	const struct sb_copy *first = nr > 0 && !copies[0].why ? &copies[0] : NULL;

	for (int i = 0; i < nr; i++) {
		const struct sb_copy *copy = &copies[i];

		if (copy->why || (first && !copy_belongs(copy, first)))
			continue;
		if (!best || le64toh(copy->sb.generation) > le64toh(best->sb.generation))
			best = copy;
	}
	return best;
}

/* A copy that is simply absent is no damage worth a line, save the first. */
static void warn_of_damaged(const struct blockdev *dev, const struct sb_copy *copies, int nr,
			    const struct sb_copy *best)
{
	for (int i = 0; i < nr; i++) {
		const struct sb_copy *copy = &copies[i];

		if (!copy->why || copy->bytenr >= le64toh(best->sb.dev_item.total_bytes))
			continue;
		if (i > 0 && !copy->err && !copy->has_magic)
			pr_verbose(MSG_VERBOSE, "%s: no superblock copy at %llu", dev->path,
				   copy->bytenr);
		else
			warning("%s: superblock copy at %llu is damaged: %s", dev->path,
				copy->bytenr, copy->why);
	}
}

static int report_none(const struct blockdev *dev, const struct sb_copy *copies, int nr)
{
	bool has_magic = false;
	int err = 0;

	for (int i = 0; i < nr; i++) {
		has_magic |= copies[i].has_magic;
		if (copies[i].err)
			err = copies[i].err;
		if (copies[i].has_magic || copies[i].err)
			error("%s: bad superblock at %llu: %s", dev->path, copies[i].bytenr,
			      copies[i].why);
	}
	if (has_magic)
		return -EUCLEAN;
	if (err)
		return -EIO;
	error("%s: not a btrfs file system: no superblock found", dev->path);
	return -EINVAL;
}

/* The first bit that is not understood is named; one is reason enough. */
static int check_incompat(const struct blockdev *dev, const struct btrfs_super_block *sb)
{
	u64 unknown = le64toh(sb->incompat_flags) & ~BTRFS_SUPPORTED_INCOMPAT;
	u64 bit = unknown & -unknown;
	const char *name = btrfs_incompat_name(bit);

	if (!unknown)
		return 0;
	if (name)
		error("%s: cannot open: incompatible feature %s is not supported", dev->path,
		      name);
	else
		error("%s: cannot open: incompatible feature, unknown bit 0x%llx", dev->path,
		      bit);
	return -EOPNOTSUPP;
}

static void warn_of_unfinished(const struct blockdev *dev, const struct btrfs_super_block *sb)
{
	static const u64 unfinished[] = {
		BTRFS_SUPER_FLAG_CHANGING_FSID,      BTRFS_SUPER_FLAG_CHANGING_FSID_V2,
		BTRFS_SUPER_FLAG_CHANGING_BG_TREE,   BTRFS_SUPER_FLAG_CHANGING_DATA_CSUM,
		BTRFS_SUPER_FLAG_CHANGING_META_CSUM,
	};

	for (size_t i = 0; i < ARRAY_SIZE(unfinished); i++) {
		if (le64toh(sb->flags) & unfinished[i])
			warning("%s: a conversion was interrupted: superblock flag %s is set",
				dev->path, btrfs_super_flag_name(unfinished[i]));
	}
}

int btrfs_read_dev_super(struct blockdev *dev, u64 sb_bytenr, unsigned int flags,
			 struct btrfs_super_block *ret_sb)
{
	struct sb_copy copies[BTRFS_SUPER_MIRROR_MAX];
	const struct sb_copy *best;
	int nr = 1;
	int ret;

	if (sb_bytenr)
		read_copy(dev, sb_bytenr, &copies[0]);
	else
		nr = read_all_copies(dev, copies);
	best = best_copy(copies, nr);
	if (!best)
		return report_none(dev, copies, nr);
	warn_of_damaged(dev, copies, nr, best);
	warn_of_unfinished(dev, &best->sb);
	if (!(flags & SBREAD_TEMPORARY_ANY_FEATURE)) {
		ret = check_incompat(dev, &best->sb);
		if (ret)
			return ret;
	}
	*ret_sb = best->sb;
	/* Whoever prints the label may rely on its end. */
	ret_sb->label[BTRFS_LABEL_SIZE - 1] = '\0';
	return 0;
}
