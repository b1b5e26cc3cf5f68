// SPDX-License-Identifier: GPL-2.0-only
/*
 * Extents compressed with zstd: one frame, followed by zeros up to the end of
 * the sector.
 *
 * A frame whose output fits is decompressed in one go, straight to its place.
 * Where the caller wants less than the frame holds (an inline extent, which
 * holds a whole sector whatever the size of the file) it is streamed and cut.
 */
#include <errno.h>
#include <zstd_errors.h>

#include "kernel-shared/compression-impl.h"
#include "kernel-shared/ondisk.h"

#define ZSTD_SINGLE_SEGMENT_BIT (1U << 5)
#define ZSTD_DESCRIPTOR_AT	4 /* behind the magic number */

/*
 * Whether this is a frame of today's format with a window that btrfs could
 * have used.  The library would also take skippable frames and those of its
 * first versions; no kernel has written either.
 */
static bool zstd_frame_is_acceptable(const u8 *in, size_t in_len)
{
	u64 base, window;
	u8 descriptor;

	if (in_len < ZSTD_DESCRIPTOR_AT + 2 || get_unaligned_le32(in) != ZSTD_MAGICNUMBER)
		return false;
	/* No window descriptor: the content is the window, and decompressed in place. */
	if (in[ZSTD_DESCRIPTOR_AT] & ZSTD_SINGLE_SEGMENT_BIT)
		return true;
	/* Five bits of exponent, from 1 KiB, and three of mantissa. */
	descriptor = in[ZSTD_DESCRIPTOR_AT + 1];
	base = 1ULL << (10 + (descriptor >> 3));
	window = base + base / 8 * (descriptor & 7);
	return window <= BTRFS_MAX_COMPRESSED;
}

/*
 * 0, -EUCLEAN, or -ENOBUFS when the frame holds more than the caller wants or
 * its end cannot be found (what is wanted may lie before the damage).
 */
static int decompress_at_once(ZSTD_DCtx *dctx, struct decompress_job *job)
{
	unsigned long long content = ZSTD_getFrameContentSize(job->in, job->in_len);
	size_t frame_len, ret;

	if (content == ZSTD_CONTENTSIZE_ERROR)
		return -EUCLEAN;
	if (content != ZSTD_CONTENTSIZE_UNKNOWN && content > job->out_len)
		return -ENOBUFS;
	/* Only block headers are looked at: one for each 128 KiB. */
	frame_len = ZSTD_findFrameCompressedSize(job->in, job->in_len);
	if (ZSTD_isError(frame_len))
		return -ENOBUFS;
	ret = ZSTD_decompressDCtx(dctx, job->out, job->out_len, job->in, frame_len);
	if (ZSTD_isError(ret))
		return ZSTD_getErrorCode(ret) == ZSTD_error_dstSize_tooSmall ? -ENOBUFS : -EUCLEAN;
	job->produced = ret;
	return 0;
}

static int decompress_stream(ZSTD_DCtx *dctx, struct decompress_job *job)
{
	ZSTD_inBuffer in = { job->in, job->in_len, 0 };
	ZSTD_outBuffer out = { job->out, job->out_len, 0 };
	size_t ret = 1;

	if (ZSTD_isError(ZSTD_DCtx_reset(dctx, ZSTD_reset_session_only)))
		return -EUCLEAN;
	while (ret != 0 && out.pos < out.size) {
		size_t in_before = in.pos, out_before = out.pos;

		ret = ZSTD_decompressStream(dctx, &out, &in);
		if (ZSTD_isError(ret))
			return -EUCLEAN;
		/* Everything eaten, and the frame still wants more. */
		if (ret != 0 && in.pos == in_before && out.pos == out_before)
			return -EUCLEAN;
	}
	job->produced = out.pos;
	return 0;
}

int zstd_decompress_extent(struct btrfs_decompressor *dec, struct decompress_job *job)
{
	int ret;

	if (!zstd_frame_is_acceptable(job->in, job->in_len))
		return -EUCLEAN;
	ret = decompress_at_once(dec->zstd, job);
	if (ret == -ENOBUFS)
		ret = decompress_stream(dec->zstd, job);
	return ret;
}
