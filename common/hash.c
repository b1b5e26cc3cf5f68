// SPDX-License-Identifier: GPL-2.0-only
/*
 * Checksums: ISA-L does crc32c (it picks the CPU's best instructions at run
 * time), xxhash its own, libgcrypt the two cryptographic ones.  The shift
 * algebra of crc32c is written here, as no library offers it.
 */
#include "common/hash.h"

#include <gcrypt.h>
#include <isa-l/crc.h>
#include <pthread.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

u32 crc32c(u32 seed, const void *buf, size_t len)
{
	/* ISA-L takes an int: large buffers go in pieces. */
	const size_t piece = 1U << 30;
	unsigned char *p = (unsigned char *)buf; /* it only reads */

	while (len > piece) {
		seed = crc32_iscsi(p, (int)piece, seed);
		p += piece;
		len -= piece;
	}
	return len ? crc32_iscsi(p, (int)len, seed) : seed;
}

/*
 * A raw crc is a polynomial over GF(2) modulo the Castagnoli polynomial, held
 * bit-reversed: the highest bit is the coefficient of x^0.  A zero byte after
 * the data multiplies it by x^8, so @len of them multiply it by x^(8 * len).
 */
#define CRC32C_POLY_REVERSED 0x82f63b78U
#define POLY_ONE	     0x80000000U
#define POLY_X8		     0x00800000U

static u32 poly_mul(u32 a, u32 b)
{
	u32 product = 0;

	for (int i = 0; i < 32; i++) {
		/* The next coefficient of @a, from x^0 on, meets b * x^i. */
		product ^= b & -(a >> 31);
		a <<= 1;
		b = (b >> 1) ^ (CRC32C_POLY_REVERSED & -(b & 1));
	}
	return product;
}

/* x^(8 * 2^i) for every bit i of a length. */
static u32 power_table[64];
static pthread_once_t power_table_once = PTHREAD_ONCE_INIT;

static void init_power_table(void)
{
	u32 power = POLY_X8;

	for (int i = 0; i < 64; i++) {
		power_table[i] = power;
		power = poly_mul(power, power);
	}
}

/* x^(8 * len): what @len zero bytes multiply a crc by. */
static u32 poly_of_length(u64 len)
{
	u32 poly = POLY_ONE;

	pthread_once(&power_table_once, init_power_table);
	while (len) {
		poly = poly_mul(poly, power_table[__builtin_ctzll(len)]);
		len &= len - 1;
	}
	return poly;
}

u32 crc32c_combine_raw(u32 crc_a, u32 crc_b_seed0, u64 len_b)
{
	return poly_mul(crc_a, poly_of_length(len_b)) ^ crc_b_seed0;
}

void crc32c_shift_init(struct crc32c_shift *shift, u64 len)
{
	u32 poly = poly_of_length(len);

	/* Multiplication is linear: a table entry is the xor of its bits' entries. */
	for (int byte = 0; byte < 4; byte++) {
		u32 *table = shift->table[byte];

		table[0] = 0;
		for (unsigned int i = 1; i < 256; i++) {
			unsigned int low = i & -i;

			if (i == low)
				table[i] = poly_mul(i << (8 * byte), poly);
			else
				table[i] = table[low] ^ table[i ^ low];
		}
	}
}

u64 hash_xxhash64(const void *buf, size_t len)
{
	return XXH64(buf, len, 0);
}

static pthread_once_t gcrypt_once = PTHREAD_ONCE_INIT;

static void init_gcrypt(void)
{
	/* Another library in the process may have done all this already. */
	if (gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P))
		return;
	gcry_check_version(NULL);
	/* Nothing here is secret: no locked memory. */
	gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
	gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
}

void hash_sha256(const void *buf, size_t len, u8 out[32])
{
	pthread_once(&gcrypt_once, init_gcrypt);
	gcry_md_hash_buffer(GCRY_MD_SHA256, out, buf, len);
}

void hash_blake2b(const void *buf, size_t len, u8 out[32])
{
	pthread_once(&gcrypt_once, init_gcrypt);
	gcry_md_hash_buffer(GCRY_MD_BLAKE2B_256, out, buf, len);
}
