// SPDX-License-Identifier: GPL-2.0-only
/*
 * Making parity and rebuilding lost stripes, against parity made bit by bit from
 * the definition:
 * GF(2^8) with the polynomial 0x11d and the generator 2.
 */
#include "tests/unit/common-unit.h"

#include <errno.h>
#include <stdlib.h>

#include "kernel-shared/raid56.h"

#define MAX_STRIPES	320

static u64 seed = 1;

static u8 model_mul2(u8 value)
{
	return (u8)(value << 1) ^ (value & 0x80 ? 0x1d : 0);
}

/* One full stripe: data, P, Q, each in a buffer of its own, to the byte. */
struct full_stripe {
	unsigned int nr_data;
	unsigned int nr;
	size_t len;
	void *bufs[MAX_STRIPES];
	u8 *good[MAX_STRIPES];
};

static void fill_parity(struct full_stripe *fs, bool has_q)
{
	for (size_t at = 0; at < fs->len; at++) {
		u8 p = 0, q = 0;

		/* Horner: the last data stripe is multiplied most often. */
		for (unsigned int i = fs->nr_data; i-- > 0;) {
			p ^= fs->good[i][at];
			q = model_mul2(q) ^ fs->good[i][at];
		}
		fs->good[fs->nr_data][at] = p;
		if (has_q)
			fs->good[fs->nr_data + 1][at] = q;
	}
}

static void make_full_stripe(struct full_stripe *fs, unsigned int nr_data, bool has_q, size_t len)
{
	fs->nr_data = nr_data;
	fs->nr = nr_data + 1 + has_q;
	fs->len = len;
	for (unsigned int i = 0; i < fs->nr; i++) {
		fs->bufs[i] = malloc(len);
		fs->good[i] = malloc(len);
		assert_non_null(fs->bufs[i]);
		assert_non_null(fs->good[i]);
		for (size_t at = 0; at < len; at++)
			fs->good[i][at] = (u8)test_random(&seed);
	}
	fill_parity(fs, has_q);
}

static void free_full_stripe(struct full_stripe *fs)
{
	for (unsigned int i = 0; i < fs->nr; i++) {
		free(fs->bufs[i]);
		free(fs->good[i]);
	}
}

static void check_recovery(struct full_stripe *fs, bool has_q, const unsigned int *bad,
			   unsigned int nr_bad)
{
	for (unsigned int i = 0; i < fs->nr; i++)
		memcpy(fs->bufs[i], fs->good[i], fs->len);
	for (unsigned int i = 0; i < nr_bad; i++)
		memset(fs->bufs[bad[i]], 0x99, fs->len);
	assert_int_equal(btrfs_raid56_recover(fs->nr_data, has_q, fs->len, fs->bufs, bad, nr_bad),
			 0);
	for (unsigned int i = 0; i < fs->nr; i++) {
		if (memcmp(fs->bufs[i], fs->good[i], fs->len))
			fail_msg("%u data, q %d, len %zu, bad %u %u: stripe %u is wrong",
				 fs->nr_data, has_q, fs->len, bad[0], nr_bad > 1 ? bad[1] : 0, i);
	}
}

static void check_all_failures(unsigned int nr_data, bool has_q, size_t len)
{
	struct full_stripe fs;
	unsigned int bad[2];

	make_full_stripe(&fs, nr_data, has_q, len);
	for (bad[0] = 0; bad[0] < fs.nr; bad[0]++) {
		check_recovery(&fs, has_q, bad, 1);
		for (bad[1] = 0; has_q && bad[1] < fs.nr; bad[1]++) {
			if (bad[1] != bad[0])
				check_recovery(&fs, has_q, bad, 2);
		}
	}
	free_full_stripe(&fs);
}

static const size_t lengths[] = { 1, 7, 31, 32, 33, 63, 64, 65, 100, 511, 4096, 4999 };

static void any_one_stripe_of_raid5(void **state __unused)
{
	for (unsigned int nr_data = 1; nr_data <= 10; nr_data++) {
		for (size_t i = 0; i < ARRAY_SIZE(lengths); i++)
			check_all_failures(nr_data, false, lengths[i]);
	}
}

static void any_two_stripes_of_raid6(void **state __unused)
{
	for (unsigned int nr_data = 1; nr_data <= 10; nr_data++) {
		for (size_t i = 0; i < ARRAY_SIZE(lengths); i++)
			check_all_failures(nr_data, true, lengths[i]);
	}
}

/* Where powers of two wrap, and beyond what a byte can number. */
static void very_many_stripes(void **state __unused)
{
	static const unsigned int pairs[][2] = {
		{ 0, 254 }, { 253, 254 }, { 0, 1 }, { 254, 255 }, { 254, 256 }, { 100, 200 },
	};
	const unsigned int last = 299;
	struct full_stripe fs;

	make_full_stripe(&fs, 255, true, 97);
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		check_recovery(&fs, true, pairs[i], 2);
	free_full_stripe(&fs);

	make_full_stripe(&fs, 300, false, 97);
	check_recovery(&fs, false, &last, 1);
	free_full_stripe(&fs);
}

static void buffers_need_no_alignment(void **state __unused)
{
	u8 *memory = malloc(6 * 1025 + 16);
	unsigned int bad[] = { 1, 3 };
	void *bufs[6];
	u8 copy[1000];

	assert_non_null(memory);
	for (int i = 0; i < 6; i++) {
		bufs[i] = memory + i * 1025 + i;
		memset(bufs[i], i + 1, 1000);
	}
	/* Let it make its own parity, then lose data. */
	assert_int_equal(btrfs_raid56_recover(4, true, 1000, bufs, (unsigned int[]){ 4, 5 }, 2), 0);
	memcpy(copy, bufs[1], 1000);
	memset(bufs[1], 0, 1000);
	memset(bufs[3], 0, 1000);
	assert_int_equal(btrfs_raid56_recover(4, true, 1000, bufs, bad, 2), 0);
	assert_memory_equal(bufs[1], copy, 1000);
	free(memory);
}

/* Buffers @misalign bytes behind an address that the fast functions like. */
static void check_parity(unsigned int nr_data, bool has_q, size_t len, size_t misalign)
{
	size_t room = round_up(len + misalign, (size_t)64);
	struct full_stripe fs;
	void *ptrs[MAX_STRIPES];
	u8 *memory;

	make_full_stripe(&fs, nr_data, has_q, len);
	memory = aligned_alloc(64, room * fs.nr);
	assert_non_null(memory);
	for (unsigned int i = 0; i < fs.nr; i++) {
		ptrs[i] = memory + i * room + misalign;
		if (i < nr_data)
			memcpy(ptrs[i], fs.good[i], len);
		else
			memset(ptrs[i], 0x99, len);
	}
	assert_int_equal(btrfs_raid56_parity(nr_data, has_q, len, ptrs), 0);
	for (unsigned int i = 0; i < fs.nr; i++) {
		if (memcmp(ptrs[i], fs.good[i], len))
			fail_msg("%u data, q %d, len %zu at %zu: stripe %u is wrong", nr_data,
				 has_q, len, misalign, i);
	}
	free(memory);
	free_full_stripe(&fs);
}

static void parity_is_what_the_definition_says(void **state __unused)
{
	static const unsigned int nrs[] = { 1, 2, 3, 4, 7, 16, 255 };

	for (size_t n = 0; n < ARRAY_SIZE(nrs); n++) {
		for (int has_q = 0; has_q <= 1; has_q++) {
			for (size_t i = 0; i < ARRAY_SIZE(lengths); i++)
				check_parity(nrs[n], has_q, lengths[i], i % 3);
			check_parity(nrs[n], has_q, 4096, 0);
			check_parity(nrs[n], has_q, 4096, 32);
			check_parity(nrs[n], has_q, 192, 0);
		}
	}
	check_parity(300, false, 64, 0);
	assert_int_equal(btrfs_raid56_parity(256, true, 64, NULL), -EINVAL);
	assert_int_equal(btrfs_raid56_parity(0, false, 64, NULL), -EINVAL);
}

static void what_cannot_be_mended_is_refused(void **state __unused)
{
	static const unsigned int bad[] = { 0, 1, 2 }, twice[] = { 1, 1 }, beyond[] = { 4 };
	u8 byte[6] = { 0 };
	void *bufs[] = { &byte[0], &byte[1], &byte[2], &byte[3], &byte[4], &byte[5] };

	assert_int_equal(btrfs_raid56_recover(3, false, 1, bufs, bad, 2), -EINVAL);
	assert_int_equal(btrfs_raid56_recover(3, true, 1, bufs, bad, 3), -EINVAL);
	assert_int_equal(btrfs_raid56_recover(3, true, 1, bufs, twice, 2), -EINVAL);
	assert_int_equal(btrfs_raid56_recover(3, false, 1, bufs, beyond, 1), -EINVAL);
	assert_int_equal(btrfs_raid56_recover(0, true, 1, bufs, bad, 1), -EINVAL);
	assert_int_equal(btrfs_raid56_recover(256, true, 1, bufs, bad, 1), -EINVAL);
	assert_int_equal(btrfs_raid56_recover(3, true, 1, bufs, NULL, 0), 0);
	assert_int_equal(btrfs_raid56_recover(3, true, 0, bufs, bad, 2), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_one_stripe_of_raid5),
		cmocka_unit_test(any_two_stripes_of_raid6),
		cmocka_unit_test(very_many_stripes),
		cmocka_unit_test(buffers_need_no_alignment),
		cmocka_unit_test(parity_is_what_the_definition_says),
		cmocka_unit_test(what_cannot_be_mended_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
