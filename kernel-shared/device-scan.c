// SPDX-License-Identifier: GPL-2.0-only
/*
 * Opening the companions of a device: those that the user names, then what the
 * machine has of the same fsid.
 *
 * Relies on superblocks that super.c has judged.  Two devices are never mixed
 * up: an entry answers to device uuid and fsid together, and of two that claim
 * both (a copy of a disk, a loop device on an image that was given) one is
 * chosen here and the other is closed.
 */
#include "kernel-shared/device-scan.h"

#include <sys/stat.h>

#include "common/message.h"
#include "kernel-shared/block-scan.h"
#include "kernel-shared/super.h"

struct scan {
	struct btrfs_fs_info *fs_info;
	struct btrfs_device_pool *pool;
	const struct btrfs_open_args *args;
};

/* ---- the pool ---- */

static dev_t block_rdev(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISBLK(st.st_mode) ? st.st_rdev : 0;
}

static bool pool_has_rdev(const struct btrfs_device_pool *pool, dev_t rdev)
{
	const struct btrfs_pool_device *dev;

	vec_for_each(&pool->devices, dev) {
		if (rdev && dev->rdev == rdev)
			return true;
	}
	return false;
}

static struct btrfs_pool_device *pool_find(const struct btrfs_device_pool *pool, const u8 *uuid,
					   const u8 *fsid)
{
	struct btrfs_pool_device *dev;

	vec_for_each(&pool->devices, dev) {
		if (memcmp(dev->uuid, uuid, BTRFS_UUID_SIZE) == 0 &&
		    (!fsid || memcmp(dev->fsid, fsid, BTRFS_FSID_SIZE) == 0))
			return dev;
	}
	return NULL;
}

/* True if @new should take the place of @old. */
static bool is_preferred(const struct btrfs_pool_device *new, const struct btrfs_pool_device *old)
{
	if (new->given != old->given)
		return new->given;
	return new->generation > old->generation;
}

/*
 * Two for one place: say so, keep the better, close the other.  The first entry
 * stays.  True if the new one was kept.
 */
static bool settle_duplicate(struct btrfs_pool_device *old, struct btrfs_pool_device *new,
			     bool old_is_first)
{
	bool replace = !old_is_first && is_preferred(new, old);
	const struct btrfs_pool_device *kept = replace ? new : old;
	const struct btrfs_pool_device *left = replace ? old : new;

	warning("%s and %s are the same device of the file system: using %s", old->bdev->path,
		new->bdev->path, kept->bdev->path);
	blockdev_close(left->bdev);
	if (replace)
		*old = *new;
	return replace;
}

/*
 * Takes over @bdev, also on -ENOMEM.  1: added.  0: not needed, there is a
 * better one.
 */
static int pool_add(struct btrfs_device_pool *pool, struct blockdev *bdev,
		    const struct btrfs_super_block *sb, bool given)
{
	struct btrfs_pool_device dev = {
		.bdev = bdev,
		.rdev = block_rdev(bdev->path),
		.devid = le64toh(sb->dev_item.devid),
		.generation = le64toh(sb->generation),
		.given = given,
	};
	struct btrfs_pool_device *old;

	memcpy(dev.uuid, sb->dev_item.uuid, BTRFS_UUID_SIZE);
	memcpy(dev.fsid, sb->dev_item.fsid, BTRFS_FSID_SIZE);
	old = pool_find(pool, dev.uuid, dev.fsid);
	if (old)
		return settle_duplicate(old, &dev, old == vec_at(&pool->devices, 0));
	if (vec_push_copy(&pool->devices, &dev)) {
		blockdev_close(bdev);
		return -ENOMEM;
	}
	return 1;
}

const struct btrfs_pool_device *btrfs_pool_take(const struct btrfs_fs_info *fs_info,
						const u8 *uuid, const u8 *fsid)
{
	const struct btrfs_device_pool *pool = fs_info->fs_devices->pool;
	u64 flags = le64toh(fs_info->super_copy.flags);
	struct btrfs_pool_device *dev;

	dev = pool_find(pool, uuid, fsid ? fsid : fs_info->metadata_uuid);
	/* Amid a change of the fsid superblock and device item may tell different ones. */
	if (!dev && (!fsid || (flags & (BTRFS_SUPER_FLAG_CHANGING_FSID |
					BTRFS_SUPER_FLAG_CHANGING_FSID_V2))))
		dev = pool_find(pool, uuid, NULL);
	if (dev)
		dev->used = true;
	return dev;
}

void btrfs_pool_close_unused(struct btrfs_device_pool *pool)
{
	for (size_t i = pool->devices.nr; i-- > 0;) {
		struct btrfs_pool_device *dev = vec_at(&pool->devices, i);

		if (dev->used)
			continue;
		if (dev->given)
			warning("%s: not used: the file system does not know this device",
				dev->bdev->path);
		blockdev_close(dev->bdev);
		vec_remove(&pool->devices, i);
	}
}

void btrfs_pool_free(struct btrfs_device_pool *pool)
{
	struct btrfs_pool_device *dev;

	if (!pool)
		return;
	vec_for_each(&pool->devices, dev)
		blockdev_close(dev->bdev);
	vec_free(&pool->devices);
	free(pool);
}

/* ---- filling it ---- */

static bool same_fs(const struct btrfs_fs_info *fs_info, const struct btrfs_super_block *sb)
{
	return memcmp(sb->fsid, fs_info->super_copy.fsid, BTRFS_FSID_SIZE) == 0;
}

/* A seed has another fsid; whether it is ours only the chunk tree tells. */
static bool may_be_ours(const struct btrfs_fs_info *fs_info, const struct btrfs_super_block *sb)
{
	return same_fs(fs_info, sb) || (le64toh(sb->flags) & BTRFS_SUPER_FLAG_SEEDING);
}

/*
 * Put a companion into the pool.  What was written last knows the trees, so its
 * superblock becomes that of the file system if it is newer.
 */
static int add_companion(const struct scan *scan, struct blockdev *bdev,
			 const struct btrfs_super_block *sb, bool given)
{
	struct btrfs_super_block *current = &scan->fs_info->super_copy;
	int ret = pool_add(scan->pool, bdev, sb, given);

	if (ret <= 0)
		return ret;
	if (!scan->args->sb_bytenr && same_fs(scan->fs_info, sb) &&
	    le64toh(sb->generation) > le64toh(current->generation))
		*current = *sb;
	return 0;
}

static int open_flags(const struct scan *scan)
{
	return btrfs_blockdev_flags(scan->args);
}

static int add_given(const struct scan *scan, const char *path)
{
	struct btrfs_super_block sb;
	struct blockdev *bdev;
	int ret;

	ret = blockdev_open(path, open_flags(scan), &bdev);
	if (ret) {
		error("cannot open %s: %s", path,
		      ret == -EWOULDBLOCK ? "another program is writing to it" :
		      ret == -ENOTBLK ? "neither a block device nor a regular file" :
		      errno_text(ret));
		return ret;
	}
	ret = btrfs_read_dev_super(bdev, 0, SBREAD_DEFAULT, &sb);
	if (ret)
		goto out_close;
	if (!may_be_ours(scan->fs_info, &sb)) {
		warning("%s: not used: it belongs to another file system", path);
		goto out_close;
	}
	return add_companion(scan, bdev, &sb, true);

out_close:
	blockdev_close(bdev);
	return ret;
}

/* Of devices that nobody named only the first superblock is looked at before they matter. */
static bool looks_like_ours(const struct scan *scan, struct blockdev *bdev)
{
	struct btrfs_super_block sb;

	return blockdev_pread(bdev, &sb, sizeof(sb), btrfs_sb_offset(0)) == 0 &&
	       btrfs_super_has_magic(&sb) && may_be_ours(scan->fs_info, &sb);
}

static bool is_complete(const struct scan *scan)
{
	return scan->pool->devices.nr >= le64toh(scan->fs_info->super_copy.num_devices);
}

/* A btrfs_block_fn.  What cannot be used is passed by. */
static int add_found(const char *path, void *ctx)
{
	struct scan *scan = ctx;
	struct btrfs_super_block sb;
	struct blockdev *bdev;
	int ret;

	if (pool_has_rdev(scan->pool, block_rdev(path)))
		return 0;
	ret = blockdev_open(path, open_flags(scan), &bdev);
	if (ret) {
		pr_verbose(MSG_VERBOSE, "%s: passed by: %s", path, errno_text(ret));
		return 0;
	}
	if (!looks_like_ours(scan, bdev) ||
	    btrfs_read_dev_super(bdev, 0, SBREAD_DEFAULT, &sb) != 0 ||
	    !may_be_ours(scan->fs_info, &sb)) {
		blockdev_close(bdev);
		return 0;
	}
	return add_companion(scan, bdev, &sb, false);
}

static int scan_machine(struct scan *scan)
{
	int ret = btrfs_for_each_udev_device(add_found, scan);

	/* A container has no udev, and a fresh loop device may not be in its database yet. */
	if (!ret && !is_complete(scan))
		ret = btrfs_for_each_probed_device(add_found, scan);
	return ret;
}

int btrfs_scan_devices(struct btrfs_fs_info *fs_info, struct blockdev *bdev,
		       const struct btrfs_open_args *args)
{
	struct scan scan = { .fs_info = fs_info, .args = args };
	int ret;

	fs_info->fs_devices = calloc(1, sizeof(*fs_info->fs_devices));
	scan.pool = calloc(1, sizeof(*scan.pool));
	if (!fs_info->fs_devices || !scan.pool) {
		free(scan.pool);
		blockdev_close(bdev);
		return -ENOMEM;
	}
	vec_init(&scan.pool->devices, sizeof(struct btrfs_pool_device));
	fs_info->fs_devices->pool = scan.pool;
	ret = pool_add(scan.pool, bdev, &fs_info->super_copy, true);
	if (ret < 0)
		return ret;
	ret = 0;
	for (unsigned int i = 0; !ret && i < args->nr_devices; i++)
		ret = add_given(&scan, args->devices[i]);
	if (!ret && !args->no_scan && !is_complete(&scan))
		ret = scan_machine(&scan);
	return ret;
}
