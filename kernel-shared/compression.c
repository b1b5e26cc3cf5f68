// SPDX-License-Identifier: GPL-2.0-only
/*
 * Decompression of extents: the contexts that live from one extent to the
 * next, and the choice of the algorithm.  zlib.c, lzo.c and zstd.c do the work
 * and say how many bytes the stream gave; what is missing is filled here.
 */
#include "kernel-shared/compression.h"

#include <errno.h>
#include <lzo/lzoconf.h>
#include <stdlib.h>

#include "kernel-shared/compression-impl.h"
#include "kernel-shared/ondisk.h"

/* btrfs compresses pieces of 128 KiB, so no honest stream needs a larger window. */
#define BTRFS_ZSTD_WINDOW_LOG_MAX 17

struct btrfs_decompressor *btrfs_decompressor_create(void)
{
	struct btrfs_decompressor *dec;

	/* Only compares sizes of types with those the library was built with. */
	if (lzo_init() != LZO_E_OK)
		return NULL;
	dec = malloc(sizeof(*dec));
	if (!dec)
		return NULL;

	memset(&dec->zlib, 0, sizeof(dec->zlib));
	/* Negative: no zlib header, see zlib.c. */
	if (inflateInit2(&dec->zlib, -MAX_WBITS) != Z_OK)
		goto fail;
	dec->zstd = ZSTD_createDCtx();
	if (!dec->zstd)
		goto fail_zlib;
	if (ZSTD_isError(ZSTD_DCtx_setParameter(dec->zstd, ZSTD_d_windowLogMax,
						BTRFS_ZSTD_WINDOW_LOG_MAX)))
		goto fail_zstd;
	return dec;

fail_zstd:
	ZSTD_freeDCtx(dec->zstd);
fail_zlib:
	inflateEnd(&dec->zlib);
fail:
	free(dec);
	return NULL;
}

void btrfs_decompressor_free(struct btrfs_decompressor *dec)
{
	if (!dec)
		return;
	ZSTD_freeDCtx(dec->zstd);
	inflateEnd(&dec->zlib);
	free(dec);
}

static int decompress_extent(struct btrfs_decompressor *dec, unsigned int type,
			     struct decompress_job *job)
{
	switch (type) {
	case BTRFS_COMPRESS_ZLIB:
		return zlib_decompress_extent(dec, job);
	case BTRFS_COMPRESS_LZO:
		return lzo_decompress_extent(dec, job);
	default:
		return zstd_decompress_extent(dec, job);
	}
}

int btrfs_decompress(struct btrfs_decompressor *dec, unsigned int type, const void *in,
		     size_t in_len, void *out, size_t out_len, u32 sectorsize, bool is_inline)
{
	struct decompress_job job = {
		.in = in,
		.in_len = in_len,
		.out = out,
		.out_len = out_len,
		.sectorsize = sectorsize,
		.is_inline = is_inline,
	};
	int ret;

	if (type == BTRFS_COMPRESS_NONE || type >= BTRFS_NR_COMPRESS_TYPES)
		return -EOPNOTSUPP;
	if (out_len == 0)
		return 0;
	if (in_len == 0)
		return -EUCLEAN;
	ret = decompress_extent(dec, type, &job);
	if (ret)
		return ret;
	memset(job.out + job.produced, 0, out_len - job.produced);
	return 0;
}

const char *btrfs_compress_type_name(unsigned int type)
{
	static const char *const names[BTRFS_NR_COMPRESS_TYPES] = {
		[BTRFS_COMPRESS_NONE] = "none",
		[BTRFS_COMPRESS_ZLIB] = "zlib",
		[BTRFS_COMPRESS_LZO] = "lzo",
		[BTRFS_COMPRESS_ZSTD] = "zstd",
	};

	return type < ARRAY_SIZE(names) ? names[type] : "unknown";
}
