// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asking the machine for block devices with btrfs on them.
 *
 * Both ways only name candidates; whoever opens them reads the superblock
 * himself.  Nothing is printed: a machine without udev is no error.
 */
#include "kernel-shared/block-scan.h"

#include <blkid.h>
#include <errno.h>
#include <libudev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/types.h"

static int walk_udev_list(struct udev *udev, struct udev_enumerate *enumerate, btrfs_block_fn fn,
			  void *ctx)
{
	struct udev_list_entry *entry;
	int ret = 0;

	udev_list_entry_foreach(entry, udev_enumerate_get_list_entry(enumerate))
	{
		struct udev_device *device =
			udev_device_new_from_syspath(udev, udev_list_entry_get_name(entry));
		const char *path;

		if (!device)
			continue;	/* has gone meanwhile */
		path = udev_device_get_devnode(device);
		if (path)
			ret = fn(path, ctx);
		udev_device_unref(device);
		if (ret)
			break;
	}
	return ret;
}

int btrfs_for_each_udev_device(btrfs_block_fn fn, void *ctx)
{
	struct udev *udev = udev_new();
	struct udev_enumerate *enumerate;
	int ret = 0;

	if (!udev)
		return 0;
	enumerate = udev_enumerate_new(udev);
	if (enumerate && udev_enumerate_add_match_subsystem(enumerate, "block") >= 0 &&
	    udev_enumerate_add_match_property(enumerate, "ID_FS_TYPE", "btrfs") >= 0 &&
	    udev_enumerate_scan_devices(enumerate) >= 0)
		ret = walk_udev_list(udev, enumerate, fn, ctx);
	udev_enumerate_unref(enumerate);
	udev_unref(udev);
	return ret;
}

/* Devices that cannot be opened, and those that are two things at once, are not btrfs. */
static bool blkid_says_btrfs(const char *path)
{
	blkid_probe probe = blkid_new_probe_from_filename(path);
	const char *type = NULL;
	bool yes;

	if (!probe)
		return false;
	blkid_probe_enable_superblocks(probe, 1);
	blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE);
	yes = blkid_do_safeprobe(probe) == 0 &&
	      blkid_probe_lookup_value(probe, "TYPE", &type, NULL) == 0 &&
	      strcmp(type, "btrfs") == 0;
	blkid_free_probe(probe);
	return yes;
}

int btrfs_for_each_probed_device(btrfs_block_fn fn, void *ctx)
{
	FILE *partitions = fopen("/proc/partitions", "re");
	char line[512];
	int ret = 0;

	if (!partitions)
		return 0;
	while (!ret && fgets(line, sizeof(line), partitions)) {
		char name[256];
		char path[sizeof("/dev/") + sizeof(name)];

		if (sscanf(line, " %*u %*u %*u %255s", name) != 1)
			continue;	/* the heading */
		snprintf(path, sizeof(path), "/dev/%s", name);
		if (blkid_says_btrfs(path))
			ret = fn(path, ctx);
	}
	fclose(partitions);
	return ret;
}
