/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Compressed extents: zlib, lzo (in btrfs's framing) and zstd.
 */
#ifndef KERNEL_SHARED_COMPRESSION_H
#define KERNEL_SHARED_COMPRESSION_H

#include "common/types.h"

/* Contexts of the libraries, reused from extent to extent; one for each thread. */
struct btrfs_decompressor;

struct btrfs_decompressor *btrfs_decompressor_create(void);
void btrfs_decompressor_free(struct btrfs_decompressor *dec);

/*
 * Decompress @in into @out.  A stream that ends early leaves the rest of @out
 * zero, as the kernel does; more output than @out_len is cut off.  For lzo
 * @sectorsize matters (a segment header never crosses a sector), for the
 * others it does not; @is_inline: the data of an inline extent.
 *
 * -EUCLEAN: damaged data.  -EOPNOTSUPP: an unknown algorithm.  Prints nothing.
 */
int btrfs_decompress(struct btrfs_decompressor *dec, unsigned int type, const void *in,
		     size_t in_len, void *out, size_t out_len, u32 sectorsize, bool is_inline);

const char *btrfs_compress_type_name(unsigned int type);	/* "none", "zlib", "lzo", "zstd" or "unknown" */

#endif
