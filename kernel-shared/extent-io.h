/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading file data: whole sectors by logical address, verified against the
 * checksum tree, mended from another mirror where a copy is bad.
 */
#ifndef KERNEL_SHARED_EXTENT_IO_H
#define KERNEL_SHARED_EXTENT_IO_H

#include <sys/uio.h>

#include "kernel-shared/ctree.h"

/*
 * What one thread keeps from read to read.  Not shared between threads; any
 * number of them may read from one fs_info.
 */
struct btrfs_data_reader {
	struct btrfs_fs_info *fs_info;
	struct btrfs_path csum_path;
	u8 *csums;		/* of the range being read */
	bool *have_csum;
	u32 nr_alloc;		/* sectors that the two arrays have room for */
};

void btrfs_data_reader_init(struct btrfs_data_reader *reader, struct btrfs_fs_info *fs_info);
void btrfs_data_reader_release(struct btrfs_data_reader *reader);

/*
 * Read the sectors of [logical, logical + len) into @iov, whose pieces are whole
 * sectors and add up to @len.
 *
 * With @verify each sector must have a checksum and match it; without (the
 * inode says nodatasum) the first copy that can be read is taken.  With
 * @sector_crcs and crc32c checksums, the raw crc32c begun with 0 of every
 * sector is left there, since it comes for nothing.
 *
 * -EIO when a sector has no good copy; *@bad_logical is its address and *@why a
 * static text.  When the checksum tree cannot be read *@why is NULL, as that has
 * been reported.  Buffers then hold whatever was read.
 */
int btrfs_read_data(struct btrfs_data_reader *reader, u64 logical, u64 len,
		    const struct iovec *iov, int iovcnt, bool verify, u32 *sector_crcs,
		    u64 *bad_logical, const char **why);

#endif
