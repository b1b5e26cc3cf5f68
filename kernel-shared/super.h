/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Superblocks: reading all copies, judging them, choosing the best.
 */
#ifndef KERNEL_SHARED_SUPER_H
#define KERNEL_SHARED_SUPER_H

#include "common/blockdev.h"
#include "kernel-shared/ondisk.h"

/* Where copy @mirror (0 to BTRFS_SUPER_MIRROR_MAX - 1) stands, bytes. */
u64 btrfs_sb_offset(int mirror);

enum btrfs_sb_flags {
	SBREAD_DEFAULT = 0,
	SBREAD_TEMPORARY_ANY_FEATURE = 1,	/* do not refuse unknown feature bits */
};

/*
 * Everything about one superblock that can be told from itself: magic,
 * checksum, sizes, alignments, levels, system chunk array, address @bytenr.
 * Returns NULL when it is good, else a static text that says why not.
 */
const char *btrfs_check_super(const struct btrfs_super_block *sb, u64 bytenr);

/* The magic is there (nothing else is looked at). */
bool btrfs_super_has_magic(const struct btrfs_super_block *sb);
bool btrfs_super_csum_ok(const struct btrfs_super_block *sb);

/*
 * Read the best superblock of @dev: of the copies that are valid the one with
 * the highest generation.  @sb_bytenr not 0: that copy and no other.  Warns of
 * copies that are damaged; prints an error when none is good or an incompat
 * bit is not understood (naming it).
 *
 * -EINVAL: no btrfs.  -EUCLEAN: a btrfs, but every copy is damaged.
 * -EOPNOTSUPP: a feature.  -EIO: from the device.
 */
int btrfs_read_dev_super(struct blockdev *dev, u64 sb_bytenr, unsigned int flags,
			 struct btrfs_super_block *ret);

/* Features by name. */
#define BTRFS_SUPPORTED_INCOMPAT \
	(BTRFS_FEATURE_INCOMPAT_MIXED_BACKREF | BTRFS_FEATURE_INCOMPAT_DEFAULT_SUBVOL | \
	 BTRFS_FEATURE_INCOMPAT_MIXED_GROUPS | BTRFS_FEATURE_INCOMPAT_COMPRESS_LZO | \
	 BTRFS_FEATURE_INCOMPAT_COMPRESS_ZSTD | BTRFS_FEATURE_INCOMPAT_BIG_METADATA | \
	 BTRFS_FEATURE_INCOMPAT_EXTENDED_IREF | BTRFS_FEATURE_INCOMPAT_RAID56 | \
	 BTRFS_FEATURE_INCOMPAT_SKINNY_METADATA | BTRFS_FEATURE_INCOMPAT_NO_HOLES | \
	 BTRFS_FEATURE_INCOMPAT_METADATA_UUID | BTRFS_FEATURE_INCOMPAT_RAID1C34 | \
	 BTRFS_FEATURE_INCOMPAT_ZONED | BTRFS_FEATURE_INCOMPAT_SIMPLE_QUOTA)

/* Name of the feature in @bit (a single bit); NULL when it has none. */
const char *btrfs_incompat_name(u64 bit);
const char *btrfs_compat_ro_name(u64 bit);
const char *btrfs_super_flag_name(u64 bit);

#endif
