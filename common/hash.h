/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The four checksums of the on-disk format, plus the algebra of crc32c that
 * lets two checksums of neighbouring buffers become the checksum of both
 * without reading them again.  All functions are safe for threads.
 */
#ifndef BTRFS_COMMON_HASH_H
#define BTRFS_COMMON_HASH_H

#include <stddef.h>
#include "common/types.h"

/*
 * Raw crc32c with the kernel's meaning: nothing is inverted, neither before nor
 * after.  A checksum as btrfs stores it is ~crc32c(~0, buf, len); the hash of a
 * name in a directory is crc32c(~1, name, len).
 */
u32 crc32c(u32 seed, const void *buf, size_t len);

/*
 * Raw crc of A followed by B, from the raw crc of A (begun with whatever seed)
 * and the raw crc of B begun with seed 0.  Takes O(log len_b), no input.
 */
u32 crc32c_combine_raw(u32 crc_a, u32 crc_b_seed0, u64 len_b);

/*
 * The same for many blocks of one length: crc32c_shift() is what @crc becomes
 * after @len zero bytes, in four table look-ups, so
 *	crc(A||B) = crc32c_shift(&shift_of_len_b, crc_a) ^ crc_b_seed0.
 */
struct crc32c_shift {
	u32 table[4][256];
};

void crc32c_shift_init(struct crc32c_shift *shift, u64 len);

static inline u32 crc32c_shift(const struct crc32c_shift *shift, u32 crc)
{
	return shift->table[0][crc & 0xff] ^ shift->table[1][(crc >> 8) & 0xff] ^
	       shift->table[2][(crc >> 16) & 0xff] ^ shift->table[3][crc >> 24];
}

/* XXH64, seed 0.  On disk it is stored little endian. */
u64 hash_xxhash64(const void *buf, size_t len);

void hash_sha256(const void *buf, size_t len, u8 out[32]);

/* BLAKE2b with a digest of 256 bits, no key. */
void hash_blake2b(const void *buf, size_t len, u8 out[32]);

#endif
