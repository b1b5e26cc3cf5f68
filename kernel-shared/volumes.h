/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Devices of a file system and the map from logical to physical addresses.
 *
 * Mirrors are counted from 1, as in the kernel.  For DUP, RAID1* and RAID10
 * each copy is a mirror.  For RAID5 and RAID6 mirror 1 is the data as it stands
 * and the others are ways to rebuild it: 2 from the other data and P; for RAID6
 * also 3, as if P were bad, and 4 up to the number of stripes, each as if one
 * more data stripe were bad.  Whoever tries them all mends any two bad stripes.
 * Devices that are missing or do not answer count among the bad ones.
 */
#ifndef KERNEL_SHARED_VOLUMES_H
#define KERNEL_SHARED_VOLUMES_H

#include "common/blockdev.h"
#include "kernel-shared/fs.h"

struct btrfs_device {
	u64 devid;
	u8 uuid[BTRFS_UUID_SIZE];
	u8 fsid[BTRFS_FSID_SIZE];	/* of the seed file system for a seed device */
	u64 total_bytes;
	u64 bytes_used;			/* sum of its device extents */
	u64 generation;			/* of its own superblock; 0 when missing */
	u64 type;			/* these four as the device item has them */
	u32 io_align;
	u32 io_width;
	u32 sector_size;
	struct blockdev *bdev;		/* NULL: missing */
	bool write_error_told;		/* atomic: the others are much the same */
};

struct btrfs_device_pool;

struct btrfs_fs_devices {
	/*
	 * As the chunk tree names them, missing ones included.  Once the file
	 * system is open a device stays where it is, but the array may move when
	 * one is added.
	 */
	struct btrfs_device **devices;
	unsigned int nr_devices;
	unsigned int nr_missing;
	struct btrfs_device_pool *pool;	/* what was opened; see device-scan.h */
};

/* A chunk as it stands in memory, everything checked and in host order. */
struct btrfs_chunk_map {
	u64 logical;			/* bytes, as all lengths here */
	u64 length;
	u64 type;
	u64 stripe_len;
	u64 stripe_size;		/* bytes of the chunk on one device */
	u16 num_stripes;
	u16 sub_stripes;
	struct {
		struct btrfs_device *dev;	/* never NULL, but its bdev may be */
		u64 physical;
	} stripes[];
};

/* It belongs to this file system itself, not to a seed that it was made from. */
static inline bool btrfs_device_is_own(const struct btrfs_fs_info *fs_info,
				       const struct btrfs_device *dev)
{
	return memcmp(dev->fsid, fs_info->metadata_uuid, BTRFS_FSID_SIZE) == 0;
}

/* It may be written to. */
static inline bool btrfs_device_is_writable(const struct btrfs_fs_info *fs_info,
					    const struct btrfs_device *dev)
{
	return dev->bdev && btrfs_device_is_own(fs_info, dev);
}

/*
 * Maps are looked up by any number of threads, also while one thread adds and
 * removes others.  A map that was found stays valid memory until the file
 * system is closed, even when it is removed meanwhile.
 */

/* The chunk that holds @logical, or NULL. */
const struct btrfs_chunk_map *btrfs_find_chunk_map(const struct btrfs_fs_info *fs_info,
						   u64 logical);
/* The chunk with the smallest address at or after @logical, or NULL. */
const struct btrfs_chunk_map *btrfs_next_chunk_map(const struct btrfs_fs_info *fs_info,
						   u64 logical);
/* The chunk with the highest address, or NULL. */
const struct btrfs_chunk_map *btrfs_last_chunk_map(const struct btrfs_fs_info *fs_info);

/*
 * Room for a map to be filled in, of @num_stripes.  All zero but num_stripes;
 * NULL: no memory.  Free with btrfs_free_chunk_map() unless it was added.
 */
struct btrfs_chunk_map *btrfs_alloc_chunk_map(u16 num_stripes);
void btrfs_free_chunk_map(struct btrfs_chunk_map *map);	/* NULL is fine */

/*
 * From now on @map is part of @fs_info, which owns it, also on error.  The
 * bytes_used of its devices grow by what it takes there.  -EEXIST: it overlaps
 * another chunk.  -EINVAL: it makes no sense, or has a device that is not
 * @fs_info's.  -ENOMEM.
 */
int btrfs_add_chunk_map(struct btrfs_fs_info *fs_info, struct btrfs_chunk_map *map);
/* Forget the chunk at exactly @logical; bytes_used shrink again.  -ENOENT. */
int btrfs_remove_chunk_map(struct btrfs_fs_info *fs_info, u64 logical);

/*
 * How many mirrors the bytes at @logical have, ways to rebuild them included
 * (RAID5: 2, RAID6: the number of stripes); 0 when no chunk holds them.
 */
int btrfs_num_copies(const struct btrfs_fs_info *fs_info, u64 logical);

/* One piece of a logical range on one device. */
struct btrfs_io_stripe {
	struct btrfs_device *dev;
	u64 physical;
	u64 length;		/* bytes from @logical that lie there in one piece */
};

/*
 * Where the bytes at @logical stand for @mirror, without any rebuilding
 * (mirrors above 1 of RAID5/6: -EOPNOTSUPP).  -ENOENT: no chunk there.
 * -EINVAL: no such mirror.  The device may be a missing one.
 */
int btrfs_map_block(const struct btrfs_fs_info *fs_info, u64 logical, u64 len, int mirror,
		    struct btrfs_io_stripe *stripe);

/*
 * Read @len bytes of logical address space from @mirror into @iov, across
 * stripes and chunks.  No verification is done here.
 *
 * -ENOENT: part of it lies in no chunk.  -ENODEV: the device is missing (or,
 * rebuilding, too many are).  -EINVAL: part of it has no such mirror, or @iov
 * is shorter than @len.  -EIO and others: from the device.  Prints nothing.
 * Safe for threads.
 */
int btrfs_read_logical_iov(const struct btrfs_fs_info *fs_info, u64 logical, u64 len, int mirror,
			   const struct iovec *iov, int iovcnt);
int btrfs_read_logical(const struct btrfs_fs_info *fs_info, u64 logical, u64 len, int mirror,
		       void *buf);

/*
 * The first mirror worth trying for @logical: one whose device is there.
 * Always between 1 and btrfs_num_copies().
 */
int btrfs_first_mirror(const struct btrfs_fs_info *fs_info, u64 logical);

/* A device by id and, when not NULL, uuid; NULL when unknown. */
struct btrfs_device *btrfs_find_device(const struct btrfs_fs_info *fs_info, u64 devid,
				       const u8 *uuid);

/*
 * Add a device that @fs_info does not have yet; *@ret (may be NULL) is it.  No
 * other thread may use @fs_info meanwhile.  Takes over new_dev->bdev, also on
 * error.  -EEXIST: devid or uuid is known already.  -EOVERFLOW: too many devices.
 * -ENOMEM.
 */
int btrfs_add_device(struct btrfs_fs_info *fs_info, const struct btrfs_new_device *new_dev,
		     struct btrfs_device **ret);

/* The device item of @dev: for the chunk tree, and for its own superblocks. */
void btrfs_set_dev_item(const struct btrfs_device *dev, struct btrfs_dev_item *item);

const char *btrfs_bg_type_to_raid_name(u64 type);	/* "single", "RAID1", ... */

/* Of a chunk with this profile: stripes that hold different data side by side. */
unsigned int btrfs_chunk_data_stripes(u64 type, u16 num_stripes, u16 sub_stripes);

/* How the devices are to be opened, for blockdev_open(). */
static inline unsigned int btrfs_blockdev_flags(const struct btrfs_open_args *args)
{
	if (args->writable)
		return BLOCKDEV_WRITE;
	if (args->lock_exclusive)
		return BLOCKDEV_EXCLUSIVE;
	return args->ignore_lock ? BLOCKDEV_NO_LOCK : BLOCKDEV_RDONLY;
}

/*
 * Used by btrfs_open_fs(), in this order.  btrfs_scan_devices() opens @bdev's
 * companions (those named in @args, then, if some are still missing and unless
 * args->no_scan, block devices that carry the fsid) into a pool by device uuid.
 * It takes over @bdev, also when it fails, and, unless args->sb_bytenr names a
 * copy, replaces fs_info->super_copy by a newer superblock of a companion.
 * btrfs_read_sys_array() maps the chunks of the superblock;
 * btrfs_read_chunk_tree() the rest, ties devices to the pool and adds the
 * missing ones.  Addresses may be read meanwhile, by other threads too.
 */
int btrfs_scan_devices(struct btrfs_fs_info *fs_info, struct blockdev *bdev,
		       const struct btrfs_open_args *args);
int btrfs_read_sys_array(struct btrfs_fs_info *fs_info);
int btrfs_read_chunk_tree(struct btrfs_fs_info *fs_info);
/* Instead of these three: no device and no chunk yet (btrfs_new_fs_info()).  -ENOMEM. */
int btrfs_new_volumes(struct btrfs_fs_info *fs_info);
void btrfs_free_volumes(struct btrfs_fs_info *fs_info);

/*
 * Everything about a chunk item that can be checked without other items.
 * @item_size bytes stand at @chunk.  NULL, or a static text that says what is
 * wrong.  For the tree-checker too: of fs_info only the sector size is used.
 */
const char *btrfs_chunk_problem(const struct btrfs_fs_info *fs_info, u64 logical,
				const struct btrfs_chunk *chunk, size_t item_size);
/* The same with an error line.  -EUCLEAN or 0. */
int btrfs_check_chunk_valid(const struct btrfs_fs_info *fs_info, u64 logical,
			    const struct btrfs_chunk *chunk, size_t item_size);

#endif
