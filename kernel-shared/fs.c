// SPDX-License-Identifier: GPL-2.0-only
/*
 * Opening a file system: superblock, devices, chunks, then the global trees.
 * Or beginning a new one, with nothing but devices.
 */
#include "kernel-shared/fs.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/message.h"
#include "common/units.h"
#include "common/thread-pool.h"
#include "kernel-shared/disk-io.h"
#include "kernel-shared/locking.h"
#include "kernel-shared/root-tree.h"
#include "kernel-shared/super.h"
#include "kernel-shared/transaction.h"
#include "kernel-shared/volumes.h"

/*
 * BTRFS_CACHE_SIZE (bytes, with the usual suffixes) if it is set, else an eighth
 * of memory or what the caller thinks is enough.
 */
static u64 cache_bytes(const struct btrfs_open_args *args)
{
	const char *env = getenv("BTRFS_CACHE_SIZE");
	u64 bytes;

	if (env && parse_size(env, &bytes) == 0)
		return bytes;
	bytes = (u64)sysconf(_SC_PHYS_PAGES) * (u64)sysconf(_SC_PAGESIZE) / 8;
	return args->cache_bytes ? min(args->cache_bytes, bytes) : bytes;
}

static void take_super(struct btrfs_fs_info *fs_info)
{
	const struct btrfs_super_block *sb = &fs_info->super_copy;

	memcpy(fs_info->fsid, sb->fsid, BTRFS_FSID_SIZE);
	fs_info->incompat = le64toh(sb->incompat_flags);
	fs_info->compat_ro = le64toh(sb->compat_ro_flags);
	memcpy(fs_info->metadata_uuid,
	       btrfs_fs_incompat(fs_info, BTRFS_FEATURE_INCOMPAT_METADATA_UUID) ?
	       sb->metadata_uuid : sb->fsid, BTRFS_FSID_SIZE);
	fs_info->generation = le64toh(sb->generation);
	fs_info->nodesize = le32toh(sb->nodesize);
	fs_info->sectorsize = le32toh(sb->sectorsize);
	fs_info->sectorsize_bits = (u32)__builtin_ctz(fs_info->sectorsize);
	fs_info->csum_type = le16toh(sb->csum_type);
	fs_info->csum_size = btrfs_csum_type_size(fs_info->csum_type);
}

/* The lock file is named after the fsid, so the superblock has to be looked at first. */
static int take_lockfile(struct btrfs_fs_info *fs_info, const char *path,
			 const struct btrfs_open_args *args)
{
	struct btrfs_super_block sb;
	struct blockdev *bdev;
	int ret = blockdev_open(path, BLOCKDEV_NO_LOCK, &bdev);

	if (ret)	/* open_devices() will say why */
		return 0;
	ret = btrfs_read_dev_super(bdev, args->sb_bytenr, SBREAD_DEFAULT, &sb);
	blockdev_close(bdev);
	if (ret)
		return ret;
	memcpy(fs_info->fsid, sb.fsid, BTRFS_FSID_SIZE);
	return btrfs_pin_lockfile(fs_info, args->lock_exclusive, args->lock_as,
				  args->lock_wait_seconds);
}

/* Who has another lock directory is kept out by the lock on the device, and waited for there. */
static int open_first_device(const char *path, const struct btrfs_open_args *args,
			     struct blockdev **bdev)
{
	unsigned int flags = btrfs_blockdev_flags(args);
	struct lock_wait wait;
	int ret;

	lock_wait_begin(&wait, args->lock_wait_seconds);
	do {
		ret = blockdev_open(path, flags, bdev);
	} while (ret == -EWOULDBLOCK && !(ret = lock_wait_pause(&wait)));
	return ret;
}

/* Superblock and devices; from here on addresses in the system chunks can be read. */
static int open_devices(struct btrfs_fs_info *fs_info, const char *path,
			const struct btrfs_open_args *args)
{
	struct blockdev *bdev;
	int ret;

	ret = args->lock_as ? take_lockfile(fs_info, path, args) : 0;
	if (ret)
		return ret;
	ret = open_first_device(path, args, &bdev);
	if (ret == -EWOULDBLOCK) {
		error("cannot open %s: another program %s it", path,
		      args->lock_exclusive ? "uses" : "is writing to");
		return ret;
	}
	if (ret) {
		error("cannot open %s: %s", path, ret == -ENOTBLK ?
		      "neither a block device nor a regular file" : errno_text(ret));
		return ret;
	}
	ret = btrfs_read_dev_super(bdev, args->sb_bytenr, SBREAD_DEFAULT, &fs_info->super_copy);
	if (ret) {
		blockdev_close(bdev);
		return ret;
	}
	take_super(fs_info);
	ret = btrfs_scan_devices(fs_info, bdev, args);
	if (ret)
		return ret;
	take_super(fs_info);	/* another device may have had a newer one */
	return btrfs_block_cache_create(cache_bytes(args), fs_info->nodesize, &fs_info->cache);
}

static const struct btrfs_root_backup *backup_root(const struct btrfs_fs_info *fs_info,
						   const struct btrfs_open_args *args)
{
	if (args->backup_root < 1 || args->backup_root > BTRFS_NUM_BACKUP_ROOTS)
		return NULL;
	return &fs_info->super_copy.super_roots[args->backup_root - 1];
}

/* A root that an option names by address alone may have any level and age. */
static int open_root_by_address(struct btrfs_fs_info *fs_info, u64 objectid, u64 bytenr,
				struct btrfs_root **ret_root)
{
	struct btrfs_tree_parent_check check = { .owner_root = objectid, .any_level = true };
	struct extent_buffer *eb;
	int ret = btrfs_read_tree_block(fs_info, bytenr, &check, &eb);

	if (ret)
		return ret;
	ret = btrfs_read_root_at(fs_info, objectid, bytenr, 0, eb->level, ret_root);
	free_extent_buffer(eb);
	return ret;
}

static int open_chunk_root(struct btrfs_fs_info *fs_info, const struct btrfs_open_args *args)
{
	const struct btrfs_super_block *sb = &fs_info->super_copy;
	const struct btrfs_root_backup *backup = backup_root(fs_info, args);
	int ret;

	ret = btrfs_read_sys_array(fs_info);
	if (ret)
		return ret;
	if (args->chunk_root_bytenr)
		ret = open_root_by_address(fs_info, BTRFS_CHUNK_TREE_OBJECTID,
					   args->chunk_root_bytenr, &fs_info->chunk_root);
	else if (backup)
		ret = btrfs_read_root_at(fs_info, BTRFS_CHUNK_TREE_OBJECTID,
					 le64toh(backup->chunk_root),
					 le64toh(backup->chunk_root_gen),
					 backup->chunk_root_level, &fs_info->chunk_root);
	else
		ret = btrfs_read_root_at(fs_info, BTRFS_CHUNK_TREE_OBJECTID,
					 le64toh(sb->chunk_root),
					 le64toh(sb->chunk_root_generation),
					 sb->chunk_root_level, &fs_info->chunk_root);
	return ret ? ret : btrfs_read_chunk_tree(fs_info);
}

static int open_tree_root(struct btrfs_fs_info *fs_info, const struct btrfs_open_args *args)
{
	const struct btrfs_super_block *sb = &fs_info->super_copy;
	const struct btrfs_root_backup *backup = backup_root(fs_info, args);

	if (args->tree_root_bytenr)
		return open_root_by_address(fs_info, BTRFS_ROOT_TREE_OBJECTID,
					    args->tree_root_bytenr, &fs_info->tree_root);
	if (backup)
		return btrfs_read_root_at(fs_info, BTRFS_ROOT_TREE_OBJECTID,
					  le64toh(backup->tree_root),
					  le64toh(backup->tree_root_gen), backup->tree_root_level,
					  &fs_info->tree_root);
	return btrfs_read_root_at(fs_info, BTRFS_ROOT_TREE_OBJECTID, le64toh(sb->root),
				  le64toh(sb->generation), sb->root_level, &fs_info->tree_root);
}

/*
 * The trees that the file system has one of.  A tree that is not there is no
 * error; one that cannot be read is left out with a warning, since what the
 * caller wants may do without it, and whoever needs it says so.
 */
static void open_global_roots(struct btrfs_fs_info *fs_info)
{
	const struct {
		u64 objectid;
		struct btrfs_root **root;
		const char *name;
	} trees[] = {
		{ BTRFS_EXTENT_TREE_OBJECTID, &fs_info->extent_root, "extent" },
		{ BTRFS_DEV_TREE_OBJECTID, &fs_info->dev_root, "device" },
		{ BTRFS_CSUM_TREE_OBJECTID, &fs_info->csum_root, "checksum" },
		{ BTRFS_QUOTA_TREE_OBJECTID, &fs_info->quota_root, "quota" },
		{ BTRFS_UUID_TREE_OBJECTID, &fs_info->uuid_root, "uuid" },
		{ BTRFS_FREE_SPACE_TREE_OBJECTID, &fs_info->free_space_root, "free space" },
		{ BTRFS_BLOCK_GROUP_TREE_OBJECTID, &fs_info->block_group_root, "block group" },
		{ BTRFS_RAID_STRIPE_TREE_OBJECTID, &fs_info->raid_stripe_root, "raid stripe" },
	};

	fs_info->bad_blocks_only_warn = true;
	for (size_t i = 0; i < ARRAY_SIZE(trees); i++) {
		int ret = btrfs_read_tree_root(fs_info, trees[i].objectid, trees[i].root);

		if (ret && ret != -ENOENT)
			warning("%s: cannot read the %s tree: %s", fs_info->name, trees[i].name,
				errno_text(ret));
	}
	fs_info->bad_blocks_only_warn = false;
}

/* What btrfs_close_fs() can close.  NULL: no memory. */
static struct btrfs_fs_info *alloc_fs_info(const char *name)
{
	struct btrfs_fs_info *fs_info = calloc(1, sizeof(*fs_info));

	if (!fs_info)
		return NULL;
	pthread_mutex_init(&fs_info->roots_lock, NULL);
	pthread_mutex_init(&fs_info->report_lock, NULL);
	pthread_mutex_init(&fs_info->excl_lock, NULL);
	u64_map_init(&fs_info->fs_roots);
	u64_map_init(&fs_info->reported_blocks);
	fs_info->name = strdup(name);
	if (!fs_info->name) {
		btrfs_close_fs(fs_info);
		return NULL;
	}
	return fs_info;
}

int btrfs_open_fs(const char *path, const struct btrfs_open_args *args,
		  struct btrfs_fs_info **ret_fs)
{
	static const struct btrfs_open_args plain;
	struct btrfs_fs_info *fs_info = alloc_fs_info(path);
	struct btrfs_open_args writing;
	int ret;

	if (!fs_info)
		return -ENOMEM;
	if (!args)
		args = &plain;
	if (args->writable) {
		writing = *args;
		writing.lock_exclusive = true;
		writing.lock_as = args->lock_as ? args->lock_as : "write";
		args = &writing;
	}
	ret = open_devices(fs_info, path, args);
	if (ret)
		goto out_close;
	fs_info->workers = thread_pool_create(0);
	if (!fs_info->workers) {
		error("cannot start threads: %s", errno_text(-ENOMEM));
		ret = -ENOMEM;
		goto out_close;
	}
	ret = open_chunk_root(fs_info, args);
	if (ret)
		goto out_close;
	ret = open_tree_root(fs_info, args);
	if (ret && !args->partial)
		goto out_close;
	if (fs_info->tree_root)
		open_global_roots(fs_info);
	ret = args->writable ? btrfs_begin_writing(fs_info, args->degraded) : 0;
	if (ret)
		goto out_close;
	*ret_fs = fs_info;
	return 0;

out_close:
	btrfs_close_fs(fs_info);
	return ret;
}

static bool sizes_make_sense(const struct btrfs_super_block *sb)
{
	u32 sectorsize = le32toh(sb->sectorsize);
	u32 nodesize = le32toh(sb->nodesize);

	return is_power_of_2(sectorsize) && is_power_of_2(nodesize) &&
	       sectorsize >= BTRFS_MIN_BLOCKSIZE && nodesize >= sectorsize &&
	       nodesize <= BTRFS_MAX_METADATA_BLOCKSIZE &&
	       btrfs_csum_type_size(le16toh(sb->csum_type)) != 0;
}

static int init_new_fs(struct btrfs_fs_info *fs_info, const struct btrfs_super_block *sb)
{
	static const struct btrfs_open_args plain;
	int ret;

	fs_info->super_copy = *sb;
	if (!sizes_make_sense(sb))
		return -EINVAL;
	take_super(fs_info);
	ret = btrfs_new_volumes(fs_info);
	if (!ret)
		ret = btrfs_block_cache_create(cache_bytes(&plain), fs_info->nodesize,
					       &fs_info->cache);
	if (ret)
		return ret;
	fs_info->workers = thread_pool_create(0);
	return fs_info->workers ? 0 : -ENOMEM;
}

int btrfs_new_fs_info(const char *name, const struct btrfs_super_block *sb,
		      const struct btrfs_new_device *devices, unsigned int nr_devices,
		      struct btrfs_fs_info **ret_fs)
{
	struct btrfs_fs_info *fs_info = alloc_fs_info(name);
	int ret = fs_info ? init_new_fs(fs_info, sb) : -ENOMEM;

	/* Whatever happens, the block devices are ours to close. */
	for (unsigned int i = 0; i < nr_devices; i++) {
		if (ret)
			blockdev_close(devices[i].bdev);
		else
			ret = btrfs_add_device(fs_info, &devices[i], NULL);
	}
	if (ret) {
		if (fs_info)
			btrfs_close_fs(fs_info);
		return ret;
	}
	*ret_fs = fs_info;
	return 0;
}

static void free_fs_roots(struct btrfs_fs_info *fs_info)
{
	size_t pos = 0;
	void *root;
	u64 id;

	while (u64_map_next(&fs_info->fs_roots, &pos, &id, &root))
		btrfs_free_root(root);
	u64_map_free(&fs_info->fs_roots);
}

void btrfs_close_fs(struct btrfs_fs_info *fs_info)
{
	struct btrfs_root **roots[] = {
		&fs_info->tree_root, &fs_info->chunk_root, &fs_info->extent_root,
		&fs_info->dev_root, &fs_info->csum_root, &fs_info->quota_root,
		&fs_info->uuid_root, &fs_info->free_space_root, &fs_info->block_group_root,
		&fs_info->raid_stripe_root,
	};

	/* First of all the threads: they may still be reading ahead. */
	thread_pool_destroy(fs_info->workers);
	btrfs_end_writing(fs_info);
	free_fs_roots(fs_info);
	for (size_t i = 0; i < ARRAY_SIZE(roots); i++)
		btrfs_free_root(*roots[i]);
	btrfs_block_cache_destroy(fs_info->cache);
	btrfs_free_volumes(fs_info);
	lockfile_release(fs_info->lockfile);
	u64_map_free(&fs_info->reported_blocks);
	pthread_mutex_destroy(&fs_info->report_lock);
	pthread_mutex_destroy(&fs_info->excl_lock);
	pthread_mutex_destroy(&fs_info->roots_lock);
	free(fs_info->name);
	free(fs_info);
}
