// SPDX-License-Identifier: GPL-2.0-only
/*
 * Extents compressed with zlib: one zlib stream (RFC 1950), followed by zeros
 * up to the end of the sector.
 *
 * The header is read here and the rest inflated as raw deflate data.  That
 * leaves the Adler-32 at the end of the stream unread, as the kernel does:
 * extents have better checksums of their own, and summing takes time.
 *
 * ISA-L inflates more than twice as fast as zlib, but only a stream that is
 * whole and whose output fits.  All else is left to zlib.
 */
#include <errno.h>
#include <limits.h>

#include "kernel-shared/compression-impl.h"

#define ZLIB_HEADER_SIZE     2
#define ZLIB_METHOD_MASK     0x0f
#define ZLIB_WINDOW_SHIFT    4 /* log2 of the window, less 8; 7 is the largest */
#define ZLIB_FLAG_DICTIONARY 0x20

static bool zlib_header_is_valid(const u8 *in, size_t in_len)
{
	return in_len >= ZLIB_HEADER_SIZE && (in[0] & ZLIB_METHOD_MASK) == Z_DEFLATED &&
	       in[0] >> ZLIB_WINDOW_SHIFT <= MAX_WBITS - 8 && !(in[1] & ZLIB_FLAG_DICTIONARY) &&
	       (in[0] * 256U + in[1]) % 31 == 0;
}

/* Whether it was a whole stream that fits; job->produced is then set. */
static bool inflate_whole(struct inflate_state *state, struct decompress_job *job)
{
	isal_inflate_init(state); /* sets a few fields, clears no tables */
	state->crc_flag = ISAL_DEFLATE;
	state->next_in = (u8 *)job->in + ZLIB_HEADER_SIZE; /* it only reads */
	state->avail_in = (u32)(job->in_len - ZLIB_HEADER_SIZE);
	state->next_out = job->out;
	state->avail_out = (u32)job->out_len;
	if (isal_inflate_stateless(state) != ISAL_DECOMP_OK)
		return false;
	job->produced = job->out_len - state->avail_out;
	return true;
}

static int inflate_and_cut(z_stream *strm, struct decompress_job *job)
{
	int ret;

	if (inflateReset(strm) != Z_OK)
		return -EUCLEAN;
	strm->next_in = (u8 *)job->in + ZLIB_HEADER_SIZE;
	strm->avail_in = (uInt)(job->in_len - ZLIB_HEADER_SIZE);
	strm->next_out = job->out;
	strm->avail_out = (uInt)job->out_len;

	/* Z_FINISH: all there is is here, so that zlib need not keep a window of its own. */
	ret = inflate(strm, Z_FINISH);
	job->produced = job->out_len - strm->avail_out;
	if (ret == Z_STREAM_END)
		return 0;
	/* More output than asked for is no error, input that ends within the stream is one. */
	if ((ret == Z_OK || ret == Z_BUF_ERROR) && strm->avail_out == 0)
		return 0;
	return -EUCLEAN;
}

int zlib_decompress_extent(struct btrfs_decompressor *dec, struct decompress_job *job)
{
	if (!zlib_header_is_valid(job->in, job->in_len) || job->in_len > UINT_MAX ||
	    job->out_len > UINT_MAX)
		return -EUCLEAN;
	if (inflate_whole(&dec->igzip, job))
		return 0;
	return inflate_and_cut(&dec->zlib, job);
}
