// SPDX-License-Identifier: GPL-2.0-only
/*
 * The targets of mkfs: opened when nothing on them is wanted any more, or made.
 */
#include <blkid.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uuid/uuid.h>

#include "cmds/open-fs.h"
#include "common/blockdev-overlay.h"
#include "common/blockdev-undo.h"
#include "common/message.h"
#include "common/undo-file.h"
#include "kernel-shared/super.h"
#include "mkfs/estimate.h"
#include "mkfs/options.h"

/* Signatures of other formats stand at either end. */
#define WIPE_START	(1ULL * SZ_1M)
#define WIPE_END	(2ULL * SZ_1M)
#define DISCARD_STEP	(1024ULL * SZ_1M)

/* ---- is there anything? ---- */

/* 1 and what it is, 0, or negative errno. */
static int find_signature(const char *path, char *what, size_t size)
{
	blkid_probe probe = blkid_new_probe_from_filename(path);
	const char *type = NULL;
	int ret;

	if (!probe)
		return -errno;
	blkid_probe_enable_superblocks(probe, 1);
	blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_BADCSUM);
	blkid_probe_enable_partitions(probe, 1);
	ret = blkid_do_probe(probe);
	if (ret == 0 && blkid_probe_lookup_value(probe, "TYPE", &type, NULL) &&
	    blkid_probe_lookup_value(probe, "PTTYPE", &type, NULL))
		type = "unknown";
	if (ret == 0)
		snprintf(what, size, "%s", type);
	blkid_free_probe(probe);
	return ret == 0 ? 1 : ret == 1 ? 0 : -EIO;
}

static int refuse_content(const char *path)
{
	char what[64];
	int ret = find_signature(path, what, sizeof(what));

	if (ret < 0) {
		error("cannot look for signatures on %s: %s", path, errno_text(ret));
		return ret;
	}
	if (!ret)
		return 0;
	error("%s: appears to contain an existing filesystem or partition table (%s); use -f to "
	      "overwrite it", path, what);
	return -EEXIST;
}

/* ---- opening ---- */

/*
 * A file system that is shrunk in the end is made in a file with room for data in its
 * first half, metadata in the second, and whole chunks.  What is not used is a hole.
 */
static u64 scratch_size(const struct mkfs_plan *plan)
{
	return 2 * (mkfs_estimate_size(plan) + 2048ULL * SZ_1M);
}

/* The bytes that the file system is to use. */
static int choose_size(const struct mkfs_options *opts, const struct mkfs_plan *plan,
		       struct mkfs_device *device)
{
	if (plan->shrink) {
		int ret = blockdev_resize(device->bdev, scratch_size(plan));

		device->size = round_down(device->bdev->size, plan->sectorsize);
		device->grows = true;
		if (ret)
			error("cannot shrink a file system on %s: %s", device->path,
			      ret == -EOPNOTSUPP ? "not an image file" : errno_text(ret));
		return ret;
	}
	if (opts->byte_count > device->bdev->size) {
		error("%s: smaller than requested size, expected %llu, found %llu",
		      device->path, opts->byte_count, device->bdev->size);
		return -ENOSPC;
	}
	device->size = round_down(opts->byte_count ? opts->byte_count : device->bdev->size,
				  plan->sectorsize);
	return 0;
}

/* Whatever stands between us and the device. */
static int wrap_device(const struct mkfs_options *opts, struct undo_writer *undo,
		       struct mkfs_device *device)
{
	struct blockdev *upper;
	int ret;

	if (opts->dry_run)
		ret = blockdev_open_overlay(device->bdev, &upper);
	else if (undo)
		ret = blockdev_open_undo(device->bdev, undo, "", &upper);
	else
		return 0;
	if (!ret)
		device->bdev = upper;
	else
		error("cannot open %s: %s", device->path, errno_text(ret));
	return ret;
}

static int create_image(const struct mkfs_options *opts, struct mkfs_plan *plan,
			struct mkfs_device *device)
{
	u64 size = opts->byte_count;
	int ret;

	if (plan->shrink)
		size = scratch_size(plan);
	else if (!size && plan->source)
		size = mkfs_estimate_size(plan);
	device->grows = size != opts->byte_count;
	if (!size) {
		error("cannot create %s: give its size with -b", device->path);
		return -ENOENT;
	}
	/* A dry run ends without giving it its name, and so it is gone. */
	ret = blockdev_create_temp(device->path, size, &device->bdev);
	if (ret)
		error("cannot create %s: %s", device->path, errno_text(ret));
	return ret;
}

static int open_device(const struct mkfs_options *opts, struct mkfs_plan *plan,
		       struct undo_writer *undo, struct mkfs_device *device)
{
	struct stat st;
	int ret;

	if (stat(device->path, &st)) {
		if (errno == ENOENT) {
			ret = create_image(opts, plan, device);
			return ret ? ret : choose_size(opts, plan, device);
		}
		ret = -errno;
		error("cannot open %s: %s", device->path, errno_text(ret));
		return ret;
	}
	ret = open_fs_refuse_mounted(device->path);
	if (!ret && !opts->force)
		ret = refuse_content(device->path);
	if (ret)
		return ret;
	ret = blockdev_open(device->path, BLOCKDEV_WRITE, &device->bdev);
	if (ret) {
		error("cannot open %s: %s", device->path,
		      ret == -ENOTBLK ? "neither a block device nor a regular file" :
		      ret == -EWOULDBLOCK ? "another program uses it" : errno_text(ret));
		return ret;
	}
	ret = wrap_device(opts, undo, device);
	return ret ? ret : choose_size(opts, plan, device);
}

static int refuse_twice(const struct mkfs_options *opts)
{
	for (unsigned int i = 0; i < opts->nr_devices; i++) {
		for (unsigned int k = 0; k < i; k++) {
			struct stat a, b;
			bool same = !strcmp(opts->devices[i], opts->devices[k]);

			if (!same && !stat(opts->devices[i], &a) && !stat(opts->devices[k], &b))
				same = S_ISBLK(a.st_mode) && S_ISBLK(b.st_mode) ?
				       a.st_rdev == b.st_rdev :
				       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
			if (!same)
				continue;
			error("cannot use %s: it is named twice", opts->devices[i]);
			return -EINVAL;
		}
	}
	return 0;
}

int mkfs_open_devices(const struct mkfs_options *opts, struct mkfs_plan *plan,
		      struct undo_writer **undo)
{
	int ret = refuse_twice(opts);

	if (ret)
		return ret;
	if (opts->undo) {
		ret = undo_writer_create(opts->undo, "mkfs", undo);
		if (ret) {
			error("cannot create %s: %s", opts->undo, errno_text(ret));
			return ret;
		}
	}
	for (unsigned int i = 0; i < opts->nr_devices && !ret; i++) {
		struct mkfs_device *device = vec_push(&plan->devices);

		if (!device)
			return -ENOMEM;
		device->path = opts->devices[i];
		mkfs_new_uuid(plan, "device", i + 1, device->uuid);
		if (i == 0 && opts->have_device_uuid)
			memcpy(device->uuid, opts->device_uuid, BTRFS_UUID_SIZE);
		ret = open_device(opts, plan, *undo, device);
	}
	return ret;
}

void mkfs_close_devices(struct mkfs_plan *plan)
{
	struct mkfs_device *device;

	vec_for_each(&plan->devices, device)
		if (!plan->devices_taken)
			blockdev_close(device->bdev);
	vec_free(&plan->devices);
}

/* ---- preparing ---- */

static int discard(const struct mkfs_plan *plan, struct mkfs_device *device)
{
	struct progress *progress = progress_begin(plan->progress, "Discarding", PROGRESS_BYTES,
						   device->size);
	int ret = 0;

	for (u64 pos = 0; pos < device->size && !ret; pos += DISCARD_STEP) {
		u64 len = min(DISCARD_STEP, device->size - pos);

		ret = blockdev_discard(device->bdev, pos, len);
		progress_add(progress, len);
	}
	progress_end(progress);
	/* A favour to the storage: what cannot be discarded is overwritten in time. */
	return ret == -EOPNOTSUPP || ret == -EIO ? 0 : ret;
}

static int zero(struct mkfs_device *device, u64 start, u64 len)
{
	u64 size = device->bdev->size;

	if (start >= size)
		return 0;
	return blockdev_zero(device->bdev, start, min(len, size - start));
}

static int wipe(struct mkfs_device *device)
{
	u64 size = device->bdev->size;
	int ret = zero(device, 0, WIPE_START);

	for (int i = 1; i < BTRFS_SUPER_MIRROR_MAX && !ret; i++)
		ret = zero(device, btrfs_sb_offset(i), BTRFS_SUPER_INFO_SIZE);
	if (!ret)
		ret = zero(device, size - min(size, WIPE_END), WIPE_END);
	return ret;
}

int mkfs_prepare_devices(struct mkfs_plan *plan)
{
	struct mkfs_device *device;

	vec_for_each(&plan->devices, device) {
		int ret = plan->no_discard ? 0 : discard(plan, device);

		if (!ret)
			ret = wipe(device);
		if (ret) {
			error("cannot write to %s: %s", device->path, errno_text(ret));
			return ret;
		}
	}
	return 0;
}
