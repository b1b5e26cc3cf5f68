// SPDX-License-Identifier: GPL-2.0-only
/*
 * Making compressed extents.  The containers are described where they are
 * taken apart (lzo.c, zstd.c).
 */
#include "kernel-shared/compress.h"

#include <errno.h>
#include <lzo/lzo1x.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "common/string-utils.h"
#include "kernel-shared/ondisk.h"

#define DEFAULT_LEVEL		3
#define LZO_LEN			4U

struct btrfs_compressor {
	unsigned int type;
	int level;
	z_stream zlib;
	bool zlib_ready;
	ZSTD_CCtx *zstd;
	u8 *lzo_work;
	u8 *lzo_segment;	/* what one sector may become at worst */
};

static int zlib_setup(struct btrfs_compressor *comp)
{
	comp->zlib_ready = deflateInit(&comp->zlib, comp->level) == Z_OK;
	return comp->zlib_ready ? 0 : -ENOMEM;
}

static int zstd_setup(struct btrfs_compressor *comp)
{
	comp->zstd = ZSTD_createCCtx();
	if (!comp->zstd)
		return -ENOMEM;
	ZSTD_CCtx_setParameter(comp->zstd, ZSTD_c_compressionLevel, comp->level);
	return 0;
}

static int lzo_setup(struct btrfs_compressor *comp)
{
	comp->lzo_work = malloc(LZO1X_1_MEM_COMPRESS);
	comp->lzo_segment = malloc(SZ_64K + SZ_64K / 16 + 64 + 3);
	return comp->lzo_work && comp->lzo_segment ? 0 : -ENOMEM;
}

struct btrfs_compressor *btrfs_compressor_create(unsigned int type, int level)
{
	struct btrfs_compressor *comp = calloc(1, sizeof(*comp));
	int ret;

	if (!comp)
		return NULL;
	comp->type = type;
	comp->level = level ? level : DEFAULT_LEVEL;
	switch (type) {
	case BTRFS_COMPRESS_ZLIB:
		ret = zlib_setup(comp);
		break;
	case BTRFS_COMPRESS_LZO:
		ret = lzo_setup(comp);
		break;
	case BTRFS_COMPRESS_ZSTD:
		ret = zstd_setup(comp);
		break;
	default:
		ret = -EINVAL;
	}
	if (!ret)
		return comp;
	btrfs_compressor_free(comp);
	return NULL;
}

void btrfs_compressor_free(struct btrfs_compressor *comp)
{
	if (!comp)
		return;
	if (comp->zlib_ready)
		deflateEnd(&comp->zlib);
	ZSTD_freeCCtx(comp->zstd);
	free(comp->lzo_work);
	free(comp->lzo_segment);
	free(comp);
}

static int compress_zlib(struct btrfs_compressor *comp, const u8 *in, size_t in_len, u8 *out,
			 size_t out_cap, size_t *out_len)
{
	z_stream *stream = &comp->zlib;

	if (deflateReset(stream) != Z_OK)
		return -EINVAL;
	stream->next_in = (u8 *)in;
	stream->avail_in = (uInt)in_len;
	stream->next_out = out;
	stream->avail_out = (uInt)out_cap;
	if (deflate(stream, Z_FINISH) != Z_STREAM_END)
		return -E2BIG;
	*out_len = out_cap - stream->avail_out;
	return 0;
}

static int compress_zstd(struct btrfs_compressor *comp, const u8 *in, size_t in_len, u8 *out,
			 size_t out_cap, size_t *out_len)
{
	/* The window never grows past the input, and so not past what kernels make room for. */
	size_t ret = ZSTD_compress2(comp->zstd, out, out_cap, in, in_len);

	if (ZSTD_isError(ret))
		return -E2BIG;
	*out_len = ret;
	return 0;
}

static int compress_lzo(struct btrfs_compressor *comp, const u8 *in, size_t in_len, u8 *out,
			size_t out_cap, u32 sectorsize, size_t *out_len)
{
	size_t pos = LZO_LEN;

	while (in_len) {
		size_t len = min(in_len, (size_t)sectorsize), left;
		lzo_uint seg_len;

		if (lzo1x_1_compress(in, len, comp->lzo_segment, &seg_len, comp->lzo_work) !=
		    LZO_E_OK)
			return -EINVAL;
		if (pos > out_cap || seg_len + LZO_LEN > out_cap - pos)
			return -E2BIG;
		put_unaligned_le32((u32)seg_len, out + pos);
		memcpy(out + pos + LZO_LEN, comp->lzo_segment, seg_len);
		pos += LZO_LEN + seg_len;
		in += len;
		in_len -= len;
		/* A length does not straddle a sector; behind the last segment there is none. */
		left = sectorsize - pos % sectorsize;
		if (left < LZO_LEN && in_len) {
			if (left > out_cap - pos)
				return -E2BIG;
			memset(out + pos, 0, left);
			pos += left;
		}
	}
	put_unaligned_le32((u32)pos, out);
	*out_len = pos;
	return 0;
}

int btrfs_compress(struct btrfs_compressor *comp, const void *in, size_t in_len, void *out,
		   size_t out_cap, u32 sectorsize, size_t *out_len)
{
	if (out_cap < LZO_LEN || in_len > BTRFS_MAX_COMPRESSED)
		return -E2BIG;
	switch (comp->type) {
	case BTRFS_COMPRESS_ZLIB:
		return compress_zlib(comp, in, in_len, out, out_cap, out_len);
	case BTRFS_COMPRESS_LZO:
		return compress_lzo(comp, in, in_len, out, out_cap, sectorsize, out_len);
	default:
		return compress_zstd(comp, in, in_len, out, out_cap, out_len);
	}
}

int btrfs_parse_compression(const char *text, unsigned int *type, int *level)
{
	static const struct {
		const char *name;
		unsigned int type;
		u64 max_level;
	} algorithms[] = {
		{ "none", BTRFS_COMPRESS_NONE, 0 },
		{ "no", BTRFS_COMPRESS_NONE, 0 },
		{ "zlib", BTRFS_COMPRESS_ZLIB, 9 },
		{ "lzo", BTRFS_COMPRESS_LZO, 0 },
		{ "zstd", BTRFS_COMPRESS_ZSTD, 15 },
	};
	const char *colon = strchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : strlen(text);

	for (size_t i = 0; i < ARRAY_SIZE(algorithms); i++) {
		u64 value = 0;

		if (strlen(algorithms[i].name) != len || strncmp(text, algorithms[i].name, len))
			continue;
		if (colon && (parse_u64(colon + 1, &value) || value < 1 ||
			      value > algorithms[i].max_level))
			return -EINVAL;
		*type = algorithms[i].type;
		*level = (int)value;
		return 0;
	}
	return -EINVAL;
}
