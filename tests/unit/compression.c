// SPDX-License-Identifier: GPL-2.0-only
/*
 * Decompression of extents.  The data is compressed here with the libraries
 * and put into btrfs's framing, padded to whole sectors as on disk.  Buffers
 * are allocated to the byte, so that a sanitizer sees each step outside.
 */
#include "tests/unit/common-unit.h"

#include <errno.h>
#include <lzo/lzo1x.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "kernel-shared/compression.h"
#include "kernel-shared/ondisk.h"

#define SECTOR 4096U

struct stream {
	u8 *data;
	size_t len;	 /* of what the algorithm wrote */
	size_t disk_len; /* with zeros up to the sector */
};

static struct btrfs_decompressor *dec;

/* ---- data and streams ---- */

/* Text-like: repetitions of many lengths, and some noise. */
static u8 *make_data(size_t len, unsigned int seed)
{
	u8 *data = malloc(len ? len : 1);

	assert_non_null(data);
	for (size_t i = 0; i < len; i++) {
		seed = seed * 1103515245 + 12345;
		data[i] = i > 64 && (seed >> 16 & 7) ? data[i - 1 - (seed >> 20 & 63)] :
						       (u8)(seed >> 24);
	}
	return data;
}

static u8 *make_noise(size_t len)
{
	u8 *data = malloc(len);
	u64 state = 1;

	assert_non_null(data);
	for (size_t i = 0; i < len; i++)
		data[i] = (u8)test_random(&state);
	return data;
}

static struct stream stream_alloc(size_t max_len)
{
	struct stream s = { .disk_len = round_up(max_len, (size_t)SECTOR) };

	s.data = calloc(1, s.disk_len);
	assert_non_null(s.data);
	return s;
}

static void stream_set_len(struct stream *s, size_t len)
{
	s->len = len;
	s->disk_len = round_up(len, (size_t)SECTOR);
	s->data = realloc(s->data, s->disk_len);
	assert_non_null(s->data);
}

static struct stream deflate_data(const u8 *data, size_t len)
{
	struct stream s = stream_alloc(compressBound(len));
	uLongf out_len = compressBound(len);

	assert_int_equal(compress2(s.data, &out_len, data, len, 3), Z_OK);
	stream_set_len(&s, out_len);
	return s;
}

static struct stream zstd_data_params(const u8 *data, size_t len, int content_size, int checksum)
{
	struct stream s = stream_alloc(ZSTD_compressBound(len));
	ZSTD_CCtx *cctx = ZSTD_createCCtx();
	ZSTD_inBuffer in = { data, len, 0 };
	ZSTD_outBuffer out = { s.data, ZSTD_compressBound(len), 0 };

	assert_non_null(cctx);
	ZSTD_CCtx_setParameter(cctx, ZSTD_c_windowLog, 17);
	ZSTD_CCtx_setParameter(cctx, ZSTD_c_contentSizeFlag, content_size);
	ZSTD_CCtx_setParameter(cctx, ZSTD_c_checksumFlag, checksum);
	if (content_size)
		ZSTD_CCtx_setPledgedSrcSize(cctx, len);
	/* Two calls, or the library finds out the size by itself. */
	if (!content_size)
		ZSTD_compressStream2(cctx, &out, &in, ZSTD_e_flush);
	assert_int_equal(ZSTD_compressStream2(cctx, &out, &in, ZSTD_e_end), 0);
	ZSTD_freeCCtx(cctx);
	stream_set_len(&s, out.pos);
	return s;
}

static struct stream zstd_data(const u8 *data, size_t len)
{
	return zstd_data_params(data, len, 1, 0);
}

static struct stream zstd_data_no_size(const u8 *data, size_t len)
{
	return zstd_data_params(data, len, 0, 0);
}

static struct stream zstd_data_checksum(const u8 *data, size_t len)
{
	return zstd_data_params(data, len, 0, 1);
}

static struct stream lzo_data(const u8 *data, size_t len)
{
	size_t max_len = 4 + DIV_ROUND_UP(len, SECTOR) * (4 + SECTOR + SECTOR / 16 + 67 + 4);
	struct stream s = stream_alloc(max_len);
	void *work = malloc(LZO1X_1_MEM_COMPRESS);
	size_t pos = 4;

	assert_non_null(work);
	for (size_t at = 0; at < len; at += SECTOR) {
		lzo_uint seg_len = 0;

		if (SECTOR - pos % SECTOR < 4)
			pos = round_up(pos, (size_t)SECTOR);
		lzo1x_1_compress(data + at, min_t(size_t, SECTOR, len - at), s.data + pos + 4,
				 &seg_len, work);
		put_unaligned_le32((u32)seg_len, s.data + pos);
		pos += 4 + seg_len;
	}
	put_unaligned_le32((u32)pos, s.data);
	free(work);
	stream_set_len(&s, pos);
	return s;
}

enum { ALGO_ZLIB, ALGO_LZO, ALGO_ZSTD, ALGO_ZSTD_NO_SIZE, ALGO_ZSTD_CHECKSUM };

static const struct {
	unsigned int type;
	struct stream (*compress)(const u8 *data, size_t len);
} algos[] = {
	[ALGO_ZLIB] = { BTRFS_COMPRESS_ZLIB, deflate_data },
	[ALGO_LZO] = { BTRFS_COMPRESS_LZO, lzo_data },
	[ALGO_ZSTD] = { BTRFS_COMPRESS_ZSTD, zstd_data },
	[ALGO_ZSTD_NO_SIZE] = { BTRFS_COMPRESS_ZSTD, zstd_data_no_size },
	[ALGO_ZSTD_CHECKSUM] = { BTRFS_COMPRESS_ZSTD, zstd_data_checksum },
};

/* Decompress from and into buffers of exactly these sizes; *@out is the caller's to free. */
static int decompress(unsigned int type, const u8 *in, size_t in_len, u8 **out, size_t out_len,
		      bool is_inline)
{
	u8 *exact_in = malloc(in_len ? in_len : 1);
	int ret;

	*out = malloc(out_len ? out_len : 1);
	assert_non_null(exact_in);
	assert_non_null(*out);
	memcpy(exact_in, in, in_len);
	memset(*out, 0xa5, out_len);
	ret = btrfs_decompress(dec, type, exact_in, in_len, *out, out_len, SECTOR, is_inline);
	free(exact_in);
	return ret;
}

static bool is_zero(const u8 *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (data[i])
			return false;
	return true;
}

/* ---- tests ---- */

static void check_extent(unsigned int algo, const u8 *data, size_t len, size_t out_len)
{
	struct stream s = algos[algo].compress(data, len);
	size_t kept = min(len, out_len);
	u8 *out;

	assert_int_equal(decompress(algos[algo].type, s.data, s.disk_len, &out, out_len, false), 0);
	assert_memory_equal(out, data, kept);
	assert_true(is_zero(out + kept, out_len - kept));
	free(out);
	free(s.data);
}

static void test_round_trip(void **state)
{
	static const size_t lens[] = { 1, 100, 4095, 4096, 4097, 8192, 65536, 131072 };

	(void)state;
	for (unsigned int algo = 0; algo < ARRAY_SIZE(algos); algo++)
		for (unsigned int i = 0; i < ARRAY_SIZE(lens); i++) {
			u8 *data = make_data(lens[i], i), *noise = make_noise(lens[i]);

			check_extent(algo, data, lens[i], lens[i]);
			check_extent(algo, noise, lens[i], lens[i]);
			free(data);
			free(noise);
		}
}

static void test_short_stream_is_filled_with_zeros(void **state)
{
	(void)state;
	for (unsigned int algo = 0; algo < ARRAY_SIZE(algos); algo++) {
		u8 *data = make_data(10000, 1);

		check_extent(algo, data, 10000, 131072);
		check_extent(algo, data, 10000, 10001);
		check_extent(algo, data, 1, 4096);
		free(data);
	}
}

static void test_long_stream_is_cut(void **state)
{
	static const size_t cuts[] = { 1, 2, 4095, 4096, 4097, 12000, 131071 };

	(void)state;
	for (unsigned int algo = 0; algo < ARRAY_SIZE(algos); algo++) {
		u8 *data = make_data(131072, 2);

		for (unsigned int i = 0; i < ARRAY_SIZE(cuts); i++)
			check_extent(algo, data, 131072, cuts[i]);
		free(data);
	}
}

/* A small file: a sector is compressed, the size of the file is wanted, nothing is padded. */
static void test_inline_extent(void **state)
{
	(void)state;
	for (unsigned int algo = 0; algo < ARRAY_SIZE(algos); algo++) {
		u8 *data = make_data(4096, 3);
		struct stream s = algos[algo].compress(data, 4096);

		for (size_t size = 1; size <= 4096; size += 273) {
			u8 *out;

			assert_int_equal(
				decompress(algos[algo].type, s.data, s.len, &out, size, true), 0);
			assert_memory_equal(out, data, size);
			free(out);
		}
		free(s.data);
		free(data);
	}
}

static void test_nothing_in_or_out(void **state)
{
	u8 *out;

	(void)state;
	for (unsigned int algo = 0; algo < ARRAY_SIZE(algos); algo++) {
		u8 byte = 0;

		assert_int_equal(decompress(algos[algo].type, &byte, 0, &out, 0, false), 0);
		free(out);
		assert_int_equal(decompress(algos[algo].type, &byte, 1, &out, 0, false), 0);
		free(out);
		assert_int_equal(decompress(algos[algo].type, &byte, 0, &out, 10, false), -EUCLEAN);
		free(out);
	}
}

static void test_unknown_type(void **state)
{
	u8 in[16] = { 0 }, out[16];

	(void)state;
	assert_int_equal(btrfs_decompress(dec, 4, in, 16, out, 16, SECTOR, false), -EOPNOTSUPP);
	assert_int_equal(btrfs_decompress(dec, 0, in, 16, out, 16, SECTOR, false), -EOPNOTSUPP);
	assert_int_equal(btrfs_decompress(dec, 255, in, 16, out, 16, SECTOR, false), -EOPNOTSUPP);
	assert_string_equal(btrfs_compress_type_name(BTRFS_COMPRESS_NONE), "none");
	assert_string_equal(btrfs_compress_type_name(BTRFS_COMPRESS_ZLIB), "zlib");
	assert_string_equal(btrfs_compress_type_name(BTRFS_COMPRESS_LZO), "lzo");
	assert_string_equal(btrfs_compress_type_name(BTRFS_COMPRESS_ZSTD), "zstd");
	assert_string_equal(btrfs_compress_type_name(4), "unknown");
}

/* Every length of input: damage, unless all that is left out is padding or a checksum. */
static void test_truncated(void **state)
{
	(void)state;
	for (unsigned int algo = 0; algo < ARRAY_SIZE(algos); algo++) {
		u8 *data = make_data(9000, 4);
		struct stream s = algos[algo].compress(data, 9000);

		for (size_t len = 0; len < s.len; len++) {
			u8 *out;
			int ret = decompress(algos[algo].type, s.data, len, &out, 9000, false);

			if (ret == 0)
				assert_memory_equal(out, data, 9000);
			else
				assert_int_equal(ret, -EUCLEAN);
			if (len < s.len - 8)
				assert_int_equal(ret, -EUCLEAN);
			free(out);
		}
		free(s.data);
		free(data);
	}
}

/* No input may do more than yield other data or -EUCLEAN; the context stays usable. */
static void test_every_byte_damaged(void **state)
{
	static const u8 masks[] = { 0x01, 0x80, 0xff, 0x10 };

	(void)state;
	for (unsigned int algo = 0; algo < ARRAY_SIZE(algos); algo++) {
		u8 *data = make_data(5000, 5);
		struct stream s = algos[algo].compress(data, 5000);

		for (size_t i = 0; i < s.len * ARRAY_SIZE(masks); i++) {
			u8 mask = masks[i % ARRAY_SIZE(masks)], *out;
			size_t at = i / ARRAY_SIZE(masks);
			int ret;

			s.data[at] ^= mask;
			ret = decompress(algos[algo].type, s.data, s.disk_len, &out, 5000, false);
			assert_true(ret == 0 || ret == -EUCLEAN);
			free(out);
			ret = decompress(algos[algo].type, s.data, s.len, &out, 700, true);
			assert_true(ret == 0 || ret == -EUCLEAN);
			free(out);
			s.data[at] ^= mask;
		}
		free(s.data);
		check_extent(algo, data, 5000, 5000);
		free(data);
	}
}

static void test_noise_as_input(void **state)
{
	(void)state;
	for (size_t len = 1; len < 600; len++) {
		u8 *noise = make_noise(len), *out;

		for (unsigned int type = BTRFS_COMPRESS_ZLIB; type < BTRFS_NR_COMPRESS_TYPES;
		     type++) {
			assert_int_equal(decompress(type, noise, len, &out, 4096, false), -EUCLEAN);
			free(out);
		}
		free(noise);
	}
}

static void test_zstd_giant_window(void **state)
{
	u8 *data = make_data(100000, 6), *out;
	struct stream s = zstd_data_no_size(data, 100000);

	(void)state;
	/* The exponent of the window: 1 KiB << 31, then just beyond 128 KiB. */
	s.data[5] = 31 << 3;
	assert_int_equal(decompress(BTRFS_COMPRESS_ZSTD, s.data, s.disk_len, &out, 100000, false),
			 -EUCLEAN);
	free(out);
	s.data[5] = 7 << 3 | 1;
	assert_int_equal(decompress(BTRFS_COMPRESS_ZSTD, s.data, s.disk_len, &out, 100000, false),
			 -EUCLEAN);
	free(out);
	free(s.data);
	free(data);
}

static void test_zstd_foreign_frames(void **state)
{
	static const u32 magics[] = { 0xFD2FB527, 0xFD2FB522, 0x184D2A50, 0 };
	u8 in[SECTOR] = { 0 }, *out;

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(magics); i++) {
		put_unaligned_le32(magics[i], in);
		assert_int_equal(decompress(BTRFS_COMPRESS_ZSTD, in, SECTOR, &out, 100, false),
				 -EUCLEAN);
		free(out);
	}
}

static int decompress_lzo_with_header(struct stream *s, u32 total, u32 seg_len, bool is_inline)
{
	u32 old_total = get_unaligned_le32(s->data), old_len = get_unaligned_le32(s->data + 4);
	u8 *out;
	int ret;

	put_unaligned_le32(total, s->data);
	put_unaligned_le32(seg_len, s->data + 4);
	ret = decompress(BTRFS_COMPRESS_LZO, s->data, is_inline ? s->len : s->disk_len, &out, 4096,
			 is_inline);
	free(out);
	put_unaligned_le32(old_total, s->data);
	put_unaligned_le32(old_len, s->data + 4);
	return ret;
}

static void test_lzo_lengths(void **state)
{
	u8 *data = make_data(4096, 7);
	struct stream s = lzo_data(data, 4096);
	u32 total = get_unaligned_le32(s.data), len = get_unaligned_le32(s.data + 4);

	(void)state;
	assert_int_equal(decompress_lzo_with_header(&s, total, len, false), 0);
	assert_int_equal(decompress_lzo_with_header(&s, total, len, true), 0);
	assert_int_equal(decompress_lzo_with_header(&s, total - 1, len, true), -EUCLEAN);
	assert_int_equal(decompress_lzo_with_header(&s, total - 1, len, false), -EUCLEAN);
	assert_int_equal(decompress_lzo_with_header(&s, 0, len, false), -EUCLEAN);
	assert_int_equal(decompress_lzo_with_header(&s, UINT32_MAX, len, false), -EUCLEAN);
	assert_int_equal(decompress_lzo_with_header(&s, (u32)s.disk_len + 1, len, false), -EUCLEAN);
	assert_int_equal(decompress_lzo_with_header(&s, total, 0, false), -EUCLEAN);
	assert_int_equal(decompress_lzo_with_header(&s, total, len + 1, false), -EUCLEAN);
	assert_int_equal(decompress_lzo_with_header(&s, total, len - 1, false), -EUCLEAN);
	assert_int_equal(decompress_lzo_with_header(&s, total, UINT32_MAX, false), -EUCLEAN);
	free(s.data);
	free(data);
}

/* A segment that would become more than a sector. */
static void test_lzo_segment_too_large(void **state)
{
	u8 *zeros = calloc(1, 2 * SECTOR), *out;
	u8 *work = malloc(LZO1X_1_MEM_COMPRESS);
	struct stream s = stream_alloc(3 * SECTOR);
	lzo_uint seg_len = 0;

	(void)state;
	lzo1x_1_compress(zeros, 2 * SECTOR, s.data + 8, &seg_len, work);
	put_unaligned_le32((u32)seg_len + 8, s.data);
	put_unaligned_le32((u32)seg_len, s.data + 4);
	stream_set_len(&s, seg_len + 8);
	assert_int_equal(decompress(BTRFS_COMPRESS_LZO, s.data, s.disk_len, &out, 2 * SECTOR,
				    false),
			 -EUCLEAN);
	free(out);
	free(s.data);
	free(work);
	free(zeros);
}

static void test_lzo_bad_sectorsize(void **state)
{
	static const u32 sizes[] = { 0, 1000, 131072, 0x80000000U };
	u8 *data = make_data(4096, 8), *out = malloc(4096);
	struct stream s = lzo_data(data, 4096);

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++)
		assert_int_equal(btrfs_decompress(dec, BTRFS_COMPRESS_LZO, s.data, s.disk_len, out,
						  4096, sizes[i], false),
				 -EUCLEAN);
	free(out);
	free(s.data);
	free(data);
}

/* A header that would straddle a sector stands at the start of the next, for every remainder. */
static void test_lzo_padding_before_header(void **state)
{
	bool seen[SECTOR] = { false };

	(void)state;
	for (size_t lead = 3900; lead < 4096; lead++) {
		u8 *data = make_noise(3 * SECTOR);
		struct stream s;

		/* The more zeros, the shorter the first segment. */
		memset(data, 0, SECTOR - lead);
		check_extent(ALGO_LZO, data, 3 * SECTOR, 3 * SECTOR);
		s = lzo_data(data, SECTOR);
		seen[SECTOR - 1 - (s.len - 1) % SECTOR] = true;
		free(s.data);
		free(data);
	}
	for (unsigned int left = 0; left <= 4; left++)
		assert_true(seen[left]);
}

static int setup(void **state)
{
	(void)state;
	dec = btrfs_decompressor_create();
	return dec ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	btrfs_decompressor_free(dec);
	btrfs_decompressor_free(NULL);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_short_stream_is_filled_with_zeros),
		cmocka_unit_test(test_long_stream_is_cut),
		cmocka_unit_test(test_inline_extent),
		cmocka_unit_test(test_nothing_in_or_out),
		cmocka_unit_test(test_unknown_type),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_every_byte_damaged),
		cmocka_unit_test(test_noise_as_input),
		cmocka_unit_test(test_zstd_giant_window),
		cmocka_unit_test(test_zstd_foreign_frames),
		cmocka_unit_test(test_lzo_lengths),
		cmocka_unit_test(test_lzo_segment_too_large),
		cmocka_unit_test(test_lzo_bad_sectorsize),
		cmocka_unit_test(test_lzo_padding_before_header),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
