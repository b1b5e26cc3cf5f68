// SPDX-License-Identifier: GPL-2.0-only
/*
 * Extents compressed with lzo, which knows no container of its own, so that
 * btrfs has one:
 *
 *	le32 total	bytes of all that follows and of itself
 *	le32 len	of the first segment
 *	...		len bytes of lzo1x
 *	le32 len	and so on, up to total
 *
 * A segment becomes one sector (the last may give less).  The four bytes of a
 * length never straddle a sector boundary of the compressed data: where fewer
 * than four bytes remain before one they are left unused.  The data of a
 * segment may well straddle it.  An inline extent is a single segment.
 */
#include <errno.h>
#include <lzo/lzo1x.h>

#include "kernel-shared/compression-impl.h"

#define LZO_LEN 4U

/* Incompressible data grows by a sixteenth and some bytes. */
static size_t lzo_worst_compress(size_t len)
{
	return len + len / 16 + 64 + 3 + 2;
}

/* The stated total, or 0 where it cannot be. */
static size_t lzo_total_len(const struct decompress_job *job)
{
	size_t total;

	if (job->in_len < LZO_LEN)
		return 0;
	total = get_unaligned_le32(job->in);
	if (total < LZO_LEN || total > job->in_len)
		return 0;
	if (job->is_inline)
		return total == job->in_len ? total : 0;
	/* A sector that is not used would not have been allocated. */
	return round_up(total, (size_t)job->sectorsize) >= job->in_len ? total : 0;
}

static size_t skip_to_segment_header(size_t pos, u32 sectorsize)
{
	size_t left = sectorsize - (pos & (sectorsize - 1));

	return left < LZO_LEN ? pos + left : pos;
}

/*
 * Decompress one segment behind the bytes that are there already.  Where less
 * than a sector of room is left it goes through a buffer and is cut.
 */
static int decompress_segment(struct btrfs_decompressor *dec, struct decompress_job *job,
			      const u8 *seg, size_t seg_len)
{
	size_t room = job->out_len - job->produced;
	bool direct = room >= job->sectorsize;
	u8 *dst = direct ? job->out + job->produced : dec->lzo_sector;
	lzo_uint dst_len = job->sectorsize;

	if (lzo1x_decompress_safe(seg, seg_len, dst, &dst_len, NULL) != LZO_E_OK)
		return -EUCLEAN;
	if (!direct) {
		dst_len = min(dst_len, (lzo_uint)room);
		memcpy(job->out + job->produced, dst, dst_len);
	}
	job->produced += dst_len;
	return 0;
}

int lzo_decompress_extent(struct btrfs_decompressor *dec, struct decompress_job *job)
{
	size_t total, pos = LZO_LEN;

	if (!is_power_of_2(job->sectorsize) || job->sectorsize > sizeof(dec->lzo_sector))
		return -EUCLEAN;
	total = lzo_total_len(job);
	if (total == 0)
		return -EUCLEAN;

	while (pos < total && job->produced < job->out_len) {
		size_t seg_len;
		int ret;

		if (total - pos < LZO_LEN)
			return -EUCLEAN;
		seg_len = get_unaligned_le32(job->in + pos);
		pos += LZO_LEN;
		if (seg_len == 0 || seg_len > total - pos ||
		    seg_len > lzo_worst_compress(job->sectorsize))
			return -EUCLEAN;
		ret = decompress_segment(dec, job, job->in + pos, seg_len);
		if (ret)
			return ret;
		pos = skip_to_segment_header(pos + seg_len, job->sectorsize);
	}
	return 0;
}
