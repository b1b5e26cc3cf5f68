// SPDX-License-Identifier: GPL-2.0-only
/*
 * Adding up what a source will take.
 */
#include "mkfs/estimate.h"

#include <errno.h>

#include "common/message.h"
#include "kernel-shared/chunk-alloc.h"
#include "kernel-shared/disk-io.h"
#include "kernel-shared/tree-builder.h"
#include "mkfs/file-data.h"
#include "mkfs/options.h"

struct content {
	const struct mkfs_plan *plan;
	u64 data;		/* bytes in data block groups */
	u64 items;		/* bytes of all items, their headers included */
};

static u64 item(u64 size)
{
	return size + sizeof(struct btrfs_item);
}

/* One name: the reference, and two entries in the directory. */
static void add_name(struct content *content, u32 name_len)
{
	content->items += item(sizeof(struct btrfs_inode_ref) + name_len) +
			  2 * item(sizeof(struct btrfs_dir_item) + name_len);
}

/* A file's data, its extents in two trees, and its checksums. */
static void add_file(struct content *content, const struct source_inode *inode, u64 bytes)
{
	const struct mkfs_plan *plan = content->plan;
	u64 extent_size = plan->compression ? BTRFS_MAX_COMPRESSED : BTRFS_MAX_EXTENT_SIZE;
	u64 nr_extents = DIV_ROUND_UP(bytes, extent_size);

	if (inode->size <= MKFS_MAX_INLINE && inode->size < plan->sectorsize) {
		content->items += item(BTRFS_FILE_EXTENT_INLINE_DATA_START + inode->size);
		return;
	}
	bytes = round_up(bytes, plan->sectorsize);
	content->data += bytes;
	content->items += nr_extents * (item(sizeof(struct btrfs_file_extent_item)) +
					item(sizeof(struct btrfs_extent_item) + 29));
	content->items += bytes / plan->sectorsize * btrfs_csum_type_size(plan->csum_type);
}

static void add_inode(struct content *content, const struct source_inode *inode)
{
	content->items += item(sizeof(struct btrfs_inode_item));
	for (u32 i = 0; i < inode->nr_xattrs; i++)
		content->items += item(sizeof(struct btrfs_dir_item) + inode->xattrs[i].name_len +
				       inode->xattrs[i].value_len);
	if (S_ISLNK(inode->mode))
		content->items += item(BTRFS_FILE_EXTENT_INLINE_DATA_START + inode->size);
	if (S_ISREG(inode->mode) && inode->size)
		add_file(content, inode, inode->data_bytes);
}

static int add_tree(struct content *content, const struct source_inode *root)
{
	struct vec todo = VEC_INIT(const struct source_inode *);
	int ret = vec_push_copy(&todo, &root);

	while (!ret && todo.nr) {
		const struct source_inode *dir = *(const struct source_inode **)vec_last(&todo);

		vec_pop(&todo);
		add_inode(content, dir);
		for (u32 i = 0; i < dir->nr_entries && !ret; i++) {
			const struct source_inode *inode = dir->entries[i].inode;

			add_name(content, dir->entries[i].name_len);
			if (inode->name == dir->entries[i].name)
				ret = vec_push_copy(&todo, &inode);
		}
	}
	vec_free(&todo);
	return ret;
}

/* Bytes on devices for each byte of a profile, in 1/16. */
static u64 copies(u64 profile, unsigned int nr_devices)
{
	const struct btrfs_raid_attr *attr = btrfs_raid_attr(profile);

	if (attr->nparity && nr_devices > attr->nparity)
		return 16ULL * nr_devices / (nr_devices - attr->nparity);
	return 16ULL * attr->ncopies;
}

/* What the trees take: leaves are full but for what the next item does not fit into. */
static u64 metadata_bytes(const struct content *content)
{
	u64 items = content->items;

	return items + items / 50 + 16ULL * content->plan->nodesize;
}

static u64 bytes_needed(const struct content *content, bool with_data)
{
	const struct mkfs_plan *plan = content->plan;
	unsigned int nr_devices = max(1U, (unsigned int)plan->devices.nr);
	u64 metadata = metadata_bytes(content);

	return (with_data ? content->data / 16 * copies(plan->data_profile, nr_devices) : 0) +
	       metadata / 16 * copies(plan->metadata_profile, nr_devices);
}

u64 mkfs_estimate_size(const struct mkfs_plan *plan)
{
	struct content content = { .plan = plan };
	u64 needed;

	if (add_tree(&content, plan->source->root))
		return 0;
	needed = bytes_needed(&content, true);
	/* A chunk takes up to a tenth, and the last one of each kind is not full. */
	return round_up(mkfs_min_device_size(plan) + needed + needed * 4 / 10, SZ_1M);
}

int mkfs_check_content_fits(const struct mkfs_plan *plan)
{
	struct content content = { .plan = plan };
	const struct mkfs_device *device;
	u64 needed, there = 0;
	int ret = add_tree(&content, plan->source->root);

	if (ret)
		return ret;
	vec_for_each(&plan->devices, device) {
		if (device->grows)
			return 0;
		there += device->size - min(device->size, (u64)SZ_1M);
	}
	needed = bytes_needed(&content, !plan->compression);
	if (needed <= there)
		return 0;
	device = plan->devices.data;
	error("cannot make a file system on %s: its content needs %llu bytes, and there are %llu; "
	      "make it %llu bytes large", device->path, needed, there, mkfs_estimate_size(plan));
	return -ENOSPC;
}
