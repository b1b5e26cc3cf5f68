// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writing superblocks, and remembering roots in their backup slots.
 *
 * Relies on super_copy being complete.  Whatever is written has passed the
 * checks that reading it will make.
 */
#include "kernel-shared/super-write.h"

#include <errno.h>

#include "common/message.h"
#include "kernel-shared/disk-io.h"
#include "kernel-shared/root-tree.h"
#include "kernel-shared/super.h"
#include "kernel-shared/volumes-write.h"

/* ---- the copies of one device ---- */

static void make_copy(const struct btrfs_fs_info *fs_info, const struct btrfs_device *dev,
		      u64 bytenr, struct btrfs_super_block *sb)
{
	*sb = fs_info->super_copy;
	sb->bytenr = htole64(bytenr);
	sb->flags |= htole64(BTRFS_HEADER_FLAG_WRITTEN);
	btrfs_set_dev_item(dev, &sb->dev_item);
	memset(sb->csum, 0, sizeof(sb->csum));
	btrfs_csum_data(le16toh(sb->csum_type), (const u8 *)sb + BTRFS_CSUM_SIZE,
			BTRFS_SUPER_INFO_SIZE - BTRFS_CSUM_SIZE, sb->csum);
}

/* Whether the device, as far as the file system has it, reaches that far. */
static bool has_copy(const struct btrfs_device *dev, int mirror)
{
	return btrfs_sb_offset(mirror) + BTRFS_SUPER_INFO_SIZE <= dev->total_bytes;
}

static int write_copy(const struct btrfs_fs_info *fs_info, const struct btrfs_device *dev,
		      int mirror)
{
	u64 bytenr = btrfs_sb_offset(mirror);
	struct btrfs_super_block sb;
	int ret;

	make_copy(fs_info, dev, bytenr, &sb);
	ret = blockdev_pwrite(dev->bdev, &sb, sizeof(sb), bytenr);
	if (ret)
		error("%s: cannot write the superblock at %llu: %s", dev->bdev->path, bytenr,
		      errno_text(ret));
	return ret;
}

/* ---- all devices ---- */

static int write_copies(const struct btrfs_fs_info *fs_info, int first, int last)
{
	const struct btrfs_fs_devices *devs = fs_info->fs_devices;
	int ret = 0;

	for (unsigned int i = 0; !ret && i < devs->nr_devices; i++) {
		const struct btrfs_device *dev = devs->devices[i];

		for (int mirror = first; !ret && mirror <= last; mirror++) {
			if (btrfs_device_is_writable(fs_info, dev) && has_copy(dev, mirror))
				ret = write_copy(fs_info, dev, mirror);
		}
	}
	return ret;
}

/* Before anything is written: what would be refused when it is read must not get there. */
static int check_copies(const struct btrfs_fs_info *fs_info)
{
	const struct btrfs_fs_devices *devs = fs_info->fs_devices;
	unsigned int nr_written = 0;

	for (unsigned int i = 0; i < devs->nr_devices; i++) {
		const struct btrfs_device *dev = devs->devices[i];
		struct btrfs_super_block sb;
		const char *why;

		if (!btrfs_device_is_writable(fs_info, dev))
			continue;
		make_copy(fs_info, dev, btrfs_sb_offset(0), &sb);
		why = has_copy(dev, 0) ? btrfs_check_super(&sb, btrfs_sb_offset(0)) :
					 "the device has no room for it";
		if (why) {
			error("%s: superblock not written: %s", dev->bdev->path, why);
			return -EUCLEAN;
		}
		nr_written++;
	}
	if (nr_written)
		return 0;
	error("%s: superblock not written: no device to write to", fs_info->name);
	return -ENODEV;
}

int btrfs_write_supers(struct btrfs_fs_info *fs_info)
{
	int ret = check_copies(fs_info);

	if (!ret)
		ret = btrfs_flush_devices(fs_info);
	if (!ret)
		ret = write_copies(fs_info, 0, 0);
	if (!ret)
		ret = btrfs_flush_devices(fs_info);
	if (!ret)
		ret = write_copies(fs_info, 1, BTRFS_SUPER_MIRROR_MAX - 1);
	if (!ret)
		ret = btrfs_flush_devices(fs_info);
	return ret;
}

/* ---- backup slots ---- */

/* Generations above that of the superblock are leftovers or nonsense. */
static struct btrfs_root_backup *choose_slot(struct btrfs_super_block *sb, u64 generation)
{
	unsigned int newest = BTRFS_NUM_BACKUP_ROOTS - 1;
	u64 newest_gen = 0;

	for (unsigned int i = 0; i < BTRFS_NUM_BACKUP_ROOTS; i++) {
		u64 gen = le64toh(sb->super_roots[i].tree_root_gen);

		if (gen > newest_gen && gen <= generation) {
			newest = i;
			newest_gen = gen;
		}
	}
	if (newest_gen != 0 && newest_gen == generation)
		return &sb->super_roots[newest];
	return &sb->super_roots[(newest + 1) % BTRFS_NUM_BACKUP_ROOTS];
}

void btrfs_set_super_backup(struct btrfs_super_block *sb, const struct btrfs_backup_roots *roots)
{
	struct btrfs_root_backup *slot = choose_slot(sb, roots->tree_root.generation);

	memset(slot, 0, sizeof(*slot));
#define SET_ROOT(name)								\
	do {									\
		slot->name = htole64(roots->name.bytenr);			\
		slot->name##_gen = htole64(roots->name.generation);		\
		slot->name##_level = roots->name.level;				\
	} while (0)
	SET_ROOT(tree_root);
	SET_ROOT(chunk_root);
	SET_ROOT(extent_root);
	SET_ROOT(fs_root);
	SET_ROOT(dev_root);
	SET_ROOT(csum_root);
#undef SET_ROOT
	slot->total_bytes = sb->total_bytes;
	slot->bytes_used = sb->bytes_used;
	slot->num_devices = sb->num_devices;
}

static struct btrfs_backup_root_node node_of(const struct btrfs_root *root)
{
	struct btrfs_backup_root_node node = { 0 };

	if (root && root->node) {
		node.bytenr = root->node->start;
		node.generation = root->node->generation;
		node.level = root->node->level;
	}
	return node;
}

/* The top-level subvolume may not be open: then its root item tells. */
static struct btrfs_backup_root_node fs_root_node(struct btrfs_fs_info *fs_info)
{
	struct btrfs_backup_root_node node = { 0 };
	struct btrfs_root_item item;
	const struct btrfs_root *root;

	pthread_mutex_lock(&fs_info->roots_lock);
	root = u64_map_find(&fs_info->fs_roots, BTRFS_FS_TREE_OBJECTID);
	pthread_mutex_unlock(&fs_info->roots_lock);
	if (root)
		return node_of(root);
	if (fs_info->tree_root &&
	    btrfs_find_root_item(fs_info, BTRFS_FS_TREE_OBJECTID, NULL, &item) == 0) {
		node.bytenr = le64toh(item.bytenr);
		node.generation = le64toh(item.generation);
		node.level = item.level;
	}
	return node;
}

void btrfs_backup_super_roots(struct btrfs_fs_info *fs_info)
{
	const struct btrfs_backup_roots roots = {
		.tree_root = node_of(fs_info->tree_root),
		.chunk_root = node_of(fs_info->chunk_root),
		.extent_root = node_of(fs_info->extent_root),
		.fs_root = fs_root_node(fs_info),
		.dev_root = node_of(fs_info->dev_root),
		.csum_root = node_of(fs_info->csum_root),
	};

	btrfs_set_super_backup(&fs_info->super_copy, &roots);
}
