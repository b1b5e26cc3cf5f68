// SPDX-License-Identifier: GPL-2.0-only
/*
 * The checksum tree, written as data gets its places.
 */
#include <errno.h>
#include <stdlib.h>

#include "mkfs/make.h"

struct csum_writer {
	struct btrfs_fs_info *fs_info;
	struct btrfs_tree_builder *builder;
	u32 max_bytes;		/* of an item */
	u64 start;		/* address of the first checksum in @buf */
	u32 len;		/* bytes in @buf */
	u8 *buf;
};

int csum_writer_create(struct mkfs *mkfs, struct csum_writer **ret_writer)
{
	struct btrfs_fs_info *fs_info = mkfs->fs_info;
	u32 max_item = btrfs_max_item_size(fs_info->nodesize) - (u32)sizeof(struct btrfs_item);
	struct csum_writer *writer = calloc(1, sizeof(*writer));
	int ret;

	if (!writer)
		return -ENOMEM;
	writer->fs_info = fs_info;
	/* One fewer than fits, as everywhere: the kernel splits items on that size. */
	writer->max_bytes = (max_item / fs_info->csum_size - 1) * fs_info->csum_size;
	writer->buf = malloc(writer->max_bytes);
	ret = writer->buf ? 0 : -ENOMEM;
	if (!ret)
		ret = btrfs_tree_builder_create(fs_info, BTRFS_CSUM_TREE_OBJECTID,
						mkfs_tree_generation(BTRFS_CSUM_TREE_OBJECTID),
						mkfs->plan->chunk_tree_uuid,
						tree_writer_sink(mkfs->writer), &writer->builder);
	if (ret) {
		csum_writer_free(writer);
		return ret;
	}
	*ret_writer = writer;
	return 0;
}

static int write_item(struct csum_writer *writer)
{
	const struct btrfs_key key = {
		BTRFS_EXTENT_CSUM_OBJECTID, BTRFS_EXTENT_CSUM_KEY, writer->start,
	};
	u32 len = writer->len;

	writer->len = 0;
	return len ? btrfs_tree_builder_add_item(writer->builder, &key, writer->buf, len) : 0;
}

int csum_writer_add(struct csum_writer *writer, u64 bytenr, const u8 *csums, u32 nr_sectors)
{
	u32 csum_size = writer->fs_info->csum_size, sectorsize = writer->fs_info->sectorsize;
	int ret = 0;

	if (writer->len && writer->start + (u64)writer->len / csum_size * sectorsize != bytenr)
		ret = write_item(writer);
	while (nr_sectors && !ret) {
		u32 nr;

		if (!writer->len)
			writer->start = bytenr;
		nr = min(nr_sectors, (writer->max_bytes - writer->len) / csum_size);
		memcpy(writer->buf + writer->len, csums, (size_t)nr * csum_size);
		writer->len += nr * csum_size;
		csums += (size_t)nr * csum_size;
		bytenr += (u64)nr * sectorsize;
		nr_sectors -= nr;
		if (writer->len == writer->max_bytes)
			ret = write_item(writer);
	}
	return ret;
}

int csum_writer_finish(struct csum_writer *writer, struct btrfs_built_tree *built)
{
	int ret = write_item(writer);

	return ret ? ret : btrfs_tree_builder_finish(writer->builder, built);
}

void csum_writer_free(struct csum_writer *writer)
{
	if (!writer)
		return;
	btrfs_tree_builder_free(writer->builder);
	free(writer->buf);
	free(writer);
}
