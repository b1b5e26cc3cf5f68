/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Making compressed extents, the other direction of compression.h.
 */
#ifndef KERNEL_SHARED_COMPRESS_H
#define KERNEL_SHARED_COMPRESS_H

#include "common/types.h"

/* Contexts of one algorithm at one level; one for each thread. */
struct btrfs_compressor;

/*
 * @type: BTRFS_COMPRESS_ZLIB, _LZO or _ZSTD.  @level 0: the default of the
 * algorithm (3).  NULL: no memory, or no such type.
 */
struct btrfs_compressor *btrfs_compressor_create(unsigned int type, int level);
void btrfs_compressor_free(struct btrfs_compressor *comp);	/* NULL is fine */

/*
 * Compress @in, at most BTRFS_MAX_COMPRESSED bytes, into at most @out_cap bytes; *@out_len is
 * what it took.  -E2BIG: it does not fit.  -ENOMEM.
 */
int btrfs_compress(struct btrfs_compressor *comp, const void *in, size_t in_len, void *out,
		   size_t out_cap, u32 sectorsize, size_t *out_len);

/*
 * "zlib", "lzo:1", "zstd:15", "none": the type and the level, 0 if none is
 * given.  -EINVAL: no such type, or a level that it does not have.
 */
int btrfs_parse_compression(const char *text, unsigned int *type, int *level);

#endif
