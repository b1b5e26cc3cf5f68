/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What compression.c shares with zlib.c, lzo.c and zstd.c, and nobody else.
 */
#ifndef KERNEL_SHARED_COMPRESSION_IMPL_H
#define KERNEL_SHARED_COMPRESSION_IMPL_H

#include <isa-l/igzip_lib.h>
#include <zlib.h>
#include <zstd.h>

#include "common/types.h"

struct btrfs_decompressor {
	struct inflate_state igzip;
	z_stream zlib;
	ZSTD_DCtx *zstd;
	u8 lzo_sector[SZ_64K]; /* a whole segment, where the caller wants part of it */
};

/* One extent, and where its bytes go. */
struct decompress_job {
	const u8 *in;
	size_t in_len; /* not 0 */
	u8 *out;
	size_t out_len;	 /* not 0 */
	size_t produced; /* set: bytes at the start of @out that the stream gave */
	u32 sectorsize;
	bool is_inline;
};

/* Each sets job->produced and returns 0, or returns -EUCLEAN. */
int zlib_decompress_extent(struct btrfs_decompressor *dec, struct decompress_job *job);
int lzo_decompress_extent(struct btrfs_decompressor *dec, struct decompress_job *job);
int zstd_decompress_extent(struct btrfs_decompressor *dec, struct decompress_job *job);

#endif
