// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading and verifying file data; see the header.
 *
 * The common case is one large request to the first mirror and one pass of the
 * checksum over it.  Only what fails is looked at closer: by stripe, then by
 * sector, each on every other mirror.
 */
#include "kernel-shared/extent-io.h"

#include <errno.h>
#include <stdlib.h>

#include "common/hash.h"
#include "common/message.h"
#include "kernel-shared/disk-io.h"
#include "kernel-shared/file-item.h"
#include "kernel-shared/volumes.h"

void btrfs_data_reader_init(struct btrfs_data_reader *reader, struct btrfs_fs_info *fs_info)
{
	*reader = (struct btrfs_data_reader){ .fs_info = fs_info };
}

void btrfs_data_reader_release(struct btrfs_data_reader *reader)
{
	btrfs_release_path(&reader->csum_path);
	free(reader->csums);
	free(reader->have_csum);
	*reader = (struct btrfs_data_reader){ .fs_info = reader->fs_info };
}

static int reserve_csums(struct btrfs_data_reader *reader, u32 nr)
{
	u8 *csums;
	bool *have;

	if (nr <= reader->nr_alloc)
		return 0;
	csums = realloc(reader->csums, (size_t)nr * reader->fs_info->csum_size);
	if (!csums)
		return -ENOMEM;
	reader->csums = csums;
	have = realloc(reader->have_csum, nr * sizeof(*have));
	if (!have)
		return -ENOMEM;
	reader->have_csum = have;
	reader->nr_alloc = nr;
	return 0;
}

/* One read request, and what is needed to judge it sector by sector. */
struct data_read {
	struct btrfs_data_reader *reader;
	u64 logical;
	bool verify;
	u32 *sector_crcs;
	u32 crc_of_seed;	/* what the inverted seed of a checksum becomes over one sector */
};

static bool sector_good(const struct data_read *read, u32 index, const u8 *data)
{
	const struct btrfs_fs_info *fs_info = read->reader->fs_info;
	const u8 *want = read->reader->csums + (size_t)index * fs_info->csum_size;
	u8 csum[BTRFS_CSUM_SIZE];
	u32 crc;

	if (!read->verify)
		return true;
	if (!read->reader->have_csum[index])
		return false;
	if (fs_info->csum_type != BTRFS_CSUM_TYPE_CRC32) {
		btrfs_csum_data(fs_info->csum_type, data, fs_info->sectorsize, csum);
		return memcmp(csum, want, fs_info->csum_size) == 0;
	}
	crc = crc32c(~0U, data, fs_info->sectorsize);
	if (~crc != get_unaligned_le32(want))
		return false;
	if (read->sector_crcs)
		read->sector_crcs[index] = crc ^ read->crc_of_seed;
	return true;
}

/* Get one sector from whatever mirror has it right. */
static int mend_sector(const struct data_read *read, u32 index, u8 *data, const char **why)
{
	struct btrfs_fs_info *fs_info = read->reader->fs_info;
	u64 logical = read->logical + ((u64)index << fs_info->sectorsize_bits);
	int nr_copies = btrfs_num_copies(fs_info, logical);

	*why = nr_copies ? "no copy could be read" : "no chunk holds this address";
	if (read->verify && !read->reader->have_csum[index]) {
		*why = "the checksum is missing";
		return -EIO;
	}
	for (int mirror = 1; mirror <= nr_copies; mirror++) {
		if (btrfs_read_logical(fs_info, logical, fs_info->sectorsize, mirror, data))
			continue;
		if (sector_good(read, index, data))
			return 0;
		*why = "checksum mismatch";
	}
	return -EIO;
}

/*
 * The piece of the range that one iovec element and one stripe have in common
 * could not be read in the large request: try each mirror for all of it, so
 * that a missing device costs large reads and not one for each sector.
 */
static bool read_piece(const struct data_read *read, u64 logical, u32 len, u8 *data)
{
	struct btrfs_fs_info *fs_info = read->reader->fs_info;
	int nr_copies = btrfs_num_copies(fs_info, logical);
	int first = btrfs_first_mirror(fs_info, logical);

	for (int i = 0; i < nr_copies; i++)
		if (!btrfs_read_logical(fs_info, logical, len, (first - 1 + i) % nr_copies + 1, data))
			return true;
	return false;
}

static void read_in_pieces(const struct data_read *read, u64 logical, const struct iovec *iov,
			   int iovcnt)
{
	for (int i = 0; i < iovcnt; i++) {
		size_t at = 0;

		while (at < iov[i].iov_len) {
			u64 stripe_left = BTRFS_STRIPE_LEN - logical % BTRFS_STRIPE_LEN;
			u32 len = (u32)min_t(u64, stripe_left, iov[i].iov_len - at);

			/* What this leaves unread, verification finds out. */
			if (!read_piece(read, logical, len, (u8 *)iov[i].iov_base + at))
				memset((u8 *)iov[i].iov_base + at, 0, len);
			at += len;
			logical += len;
		}
	}
}

/* Verify every sector, mending where needed. */
static int verify_sectors(const struct data_read *read, const struct iovec *iov, int iovcnt,
			  u64 *bad_logical, const char **why)
{
	const struct btrfs_fs_info *fs_info = read->reader->fs_info;
	u32 index = 0;

	for (int i = 0; i < iovcnt; i++) {
		for (size_t at = 0; at < iov[i].iov_len; at += fs_info->sectorsize, index++) {
			u8 *data = (u8 *)iov[i].iov_base + at;

			if (likely(sector_good(read, index, data)))
				continue;
			*bad_logical = read->logical + ((u64)index << fs_info->sectorsize_bits);
			if (mend_sector(read, index, data, why))
				return -EIO;
			pr_verbose(1, "data at %llu: bad copy, another is good", *bad_logical);
		}
	}
	return 0;
}

/* Without checksums nothing tells a bad copy, but one that cannot be read at all is known. */
static int reread_sectors(const struct data_read *read, const struct iovec *iov, int iovcnt,
			  u64 *bad_logical, const char **why)
{
	const struct btrfs_fs_info *fs_info = read->reader->fs_info;
	u32 index = 0;

	for (int i = 0; i < iovcnt; i++) {
		for (size_t at = 0; at < iov[i].iov_len; at += fs_info->sectorsize, index++) {
			*bad_logical = read->logical + ((u64)index << fs_info->sectorsize_bits);
			if (mend_sector(read, index, (u8 *)iov[i].iov_base + at, why))
				return -EIO;
		}
	}
	return 0;
}

int btrfs_read_data(struct btrfs_data_reader *reader, u64 logical, u64 len,
		    const struct iovec *iov, int iovcnt, bool verify, u32 *sector_crcs,
		    u64 *bad_logical, const char **why)
{
	struct btrfs_fs_info *fs_info = reader->fs_info;
	struct data_read read = {
		.reader = reader, .logical = logical, .verify = verify,
		.sector_crcs = fs_info->csum_type == BTRFS_CSUM_TYPE_CRC32 ? sector_crcs : NULL,
	};
	u32 nr = (u32)(len >> fs_info->sectorsize_bits);
	int ret;

	*bad_logical = logical;
	*why = NULL;
	if (verify) {
		ret = reserve_csums(reader, nr);
		if (!ret)
			ret = btrfs_lookup_csums(fs_info, &reader->csum_path, logical, nr,
						 reader->csums, reader->have_csum);
		if (ret)
			return ret;
		if (read.sector_crcs)
			read.crc_of_seed = crc32c_combine_raw(~0U, 0, fs_info->sectorsize);
	}
	ret = btrfs_read_logical_iov(fs_info, logical, len, btrfs_first_mirror(fs_info, logical),
				     iov, iovcnt);
	if (ret && !verify)
		return reread_sectors(&read, iov, iovcnt, bad_logical, why);
	if (ret)
		read_in_pieces(&read, logical, iov, iovcnt);
	return verify ? verify_sectors(&read, iov, iovcnt, bad_logical, why) : 0;
}
