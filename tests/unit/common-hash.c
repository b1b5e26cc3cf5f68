// SPDX-License-Identifier: GPL-2.0-only
/* The checksums against published vectors, and crc32c's algebra against itself. */
#include "tests/unit/common-unit.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/hash.h"

static u8 hex_digit(char c)
{
	return (u8)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static void assert_digest(const u8 digest[32], const char *hex)
{
	u8 want[32];

	for (int i = 0; i < 32; i++)
		want[i] = (u8)(hex_digit(hex[2 * i]) << 4 | hex_digit(hex[2 * i + 1]));
	assert_memory_equal(digest, want, 32);
}

static void crc32c_vectors(void **state)
{
	u8 block[32];

	assert_int_equal(~crc32c(~0U, "123456789", 9), 0xe3069283);
	assert_int_equal(crc32c(7, "", 0), 7);

	/* RFC 3720, B.4. */
	memset(block, 0, sizeof(block));
	assert_int_equal(~crc32c(~0U, block, 32), 0x8a9136aa);
	memset(block, 0xff, sizeof(block));
	assert_int_equal(~crc32c(~0U, block, 32), 0x62a8ab43);
	for (int i = 0; i < 32; i++)
		block[i] = (u8)i;
	assert_int_equal(~crc32c(~0U, block, 32), 0x46dd794e);
}

/* The bit-by-bit definition: no seed handling or inversion hides in the library. */
static u32 crc32c_slow(u32 crc, const u8 *p, size_t len)
{
	while (len--) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = (crc >> 1) ^ (0x82f63b78U & -(crc & 1));
	}
	return crc;
}

static void crc32c_equals_its_definition(void **state)
{
	u8 buf[600];
	u64 rnd = 1;

	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (u8)test_random(&rnd);
	for (size_t len = 0; len < 300; len++) {
		size_t offset = test_random(&rnd) % 300;
		u32 seed = (u32)test_random(&rnd);

		assert_int_equal(crc32c(seed, buf + offset, len),
				 crc32c_slow(seed, buf + offset, len));
	}
}

static void crc32c_combine_equals_direct(void **state)
{
	enum { LEN = 200000 };
	u8 *buf = malloc(LEN);
	u64 rnd = 2;

	assert_non_null(buf);
	for (size_t i = 0; i < LEN; i++)
		buf[i] = (u8)test_random(&rnd);
	for (int round = 0; round < 300; round++) {
		size_t len = test_random(&rnd) % LEN;
		size_t cut = len ? test_random(&rnd) % len : 0;
		u32 seed = (u32)test_random(&rnd);
		u32 a = crc32c(seed, buf, cut);
		u32 b = crc32c(0, buf + cut, len - cut);

		assert_int_equal(crc32c_combine_raw(a, b, len - cut), crc32c(seed, buf, len));
	}
	free(buf);
}

static void crc32c_combine_of_no_length(void **state)
{
	assert_int_equal(crc32c_combine_raw(0x12345678, 0, 0), 0x12345678);
}

static void crc32c_shift_equals_zero_bytes(void **state)
{
	static const u64 lengths[] = { 0, 1, 3, 32, 4096, 65536, 100001 };
	u8 *zeros = calloc(1, 100001);
	struct crc32c_shift shift;
	u64 rnd = 3;

	assert_non_null(zeros);
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		crc32c_shift_init(&shift, lengths[i]);
		for (int round = 0; round < 20; round++) {
			u32 crc = (u32)test_random(&rnd);

			assert_int_equal(crc32c_shift(&shift, crc), crc32c(crc, zeros, lengths[i]));
		}
	}
	free(zeros);
}

/* Lengths that no buffer has: a jump must equal its two halves. */
static void crc32c_shift_of_huge_length(void **state)
{
	const u64 huge = 0xfedcba9876543210ULL;
	u32 whole = crc32c_combine_raw(0xdeadbeef, 0, huge);
	u32 parts = crc32c_combine_raw(0xdeadbeef, 0, huge - (1ULL << 40) - 7);

	parts = crc32c_combine_raw(parts, 0, 7);
	parts = crc32c_combine_raw(parts, 0, 1ULL << 40);
	assert_int_equal(whole, parts);
}

static void xxhash64_vectors(void **state)
{
	assert_true(hash_xxhash64("", 0) == 0xef46db3751d8e999ULL);
	assert_true(hash_xxhash64("abc", 3) == 0x44bc2cf5ad770999ULL);
}

static void sha256_vectors(void **state)
{
	u8 digest[32];

	hash_sha256("", 0, digest);
	assert_digest(digest, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	hash_sha256("abc", 3, digest);
	assert_digest(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void blake2b_vectors(void **state)
{
	u8 digest[32];

	hash_blake2b("", 0, digest);
	assert_digest(digest, "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
	hash_blake2b("abc", 3, digest);
	assert_digest(digest, "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
}

static void *hash_often(void *arg)
{
	u8 *digest = arg;
	u8 block[4096];

	memset(block, 0x5a, sizeof(block));
	for (int i = 0; i < 200; i++) {
		hash_sha256(block, sizeof(block), digest);
		hash_blake2b(digest, 32, digest);
	}
	return NULL;
}

static void digests_in_many_threads(void **state)
{
	pthread_t threads[4];
	u8 digests[4][32];

	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hash_often, digests[i]), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	for (int i = 1; i < 4; i++)
		assert_memory_equal(digests[i], digests[0], 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crc32c_vectors),
		cmocka_unit_test(crc32c_equals_its_definition),
		cmocka_unit_test(crc32c_combine_equals_direct),
		cmocka_unit_test(crc32c_combine_of_no_length),
		cmocka_unit_test(crc32c_shift_equals_zero_bytes),
		cmocka_unit_test(crc32c_shift_of_huge_length),
		cmocka_unit_test(xxhash64_vectors),
		cmocka_unit_test(sha256_vectors),
		cmocka_unit_test(blake2b_vectors),
		cmocka_unit_test(digests_in_many_threads),
	};

	return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
