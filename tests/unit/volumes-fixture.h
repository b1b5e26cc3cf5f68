/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A file system of devices in memory, as btrfs_new_fs_info() makes it, with
 * chunks wherever a test wants them.
 */
#ifndef TESTS_VOLUMES_FIXTURE_H
#define TESTS_VOLUMES_FIXTURE_H

#include "tests/unit/memdev.h"

#include "kernel-shared/chunk-alloc.h"
#include "kernel-shared/volumes.h"

#define MAX_DEVS	8

struct new_fs {
	struct btrfs_fs_info *fs_info;
	struct memdev *mem[MAX_DEVS];	/* of devid 1 and on; freed with fs_info */
	unsigned int nr_devs;
};

static inline void new_fs_uuid(u8 *uuid, unsigned int devid)
{
	memset(uuid, 0x40, BTRFS_UUID_SIZE);
	uuid[0] = (u8)devid;
}

/* What a superblock has to have before there is anything to point to. */
static inline void new_fs_super(struct btrfs_super_block *sb)
{
	memset(sb, 0, sizeof(*sb));
	memset(sb->fsid, 0x11, BTRFS_FSID_SIZE);
	sb->magic = htole64(BTRFS_MAGIC);
	sb->generation = htole64(1);
	sb->sectorsize = htole32(SZ_4K);
	sb->nodesize = htole32(SZ_16K);
	sb->leafsize = sb->nodesize;
	sb->stripesize = sb->sectorsize;
}

/*
 * Device i + 1 has @sizes[i] bytes, of which there are @memory at most: for those
 * who do not want to write to it, only to know how large it is.
 */
static inline void new_fs_init(struct new_fs *fs, const u64 *sizes, unsigned int nr_devs,
			       u64 memory)
{
	struct btrfs_new_device devices[MAX_DEVS];
	struct btrfs_super_block sb;

	memset(fs, 0, sizeof(*fs));
	fs->nr_devs = nr_devs;
	for (unsigned int i = 0; i < nr_devs; i++) {
		char path[16];

		snprintf(path, sizeof(path), "disk%u", i + 1);
		fs->mem[i] = memdev_new(path, min(sizes[i], memory));
		devices[i] = (struct btrfs_new_device){
			.bdev = &fs->mem[i]->dev,
			.devid = i + 1,
			.total_bytes = sizes[i],
		};
		new_fs_uuid(devices[i].uuid, i + 1);
	}
	new_fs_super(&sb);
	setenv("BTRFS_CACHE_SIZE", "1M", 1);
	assert_int_equal(btrfs_new_fs_info("test", &sb, devices, nr_devs, &fs->fs_info), 0);
}

static inline void new_fs_free(struct new_fs *fs)
{
	btrfs_close_fs(fs->fs_info);
}

static inline struct btrfs_device *new_fs_device(const struct new_fs *fs, unsigned int devid)
{
	return btrfs_find_device(fs->fs_info, devid, NULL);
}

#endif
