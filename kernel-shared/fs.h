/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * struct btrfs_fs_info: one open file system, and struct btrfs_root: one tree.
 *
 * Everything hangs off fs_info and it is passed explicitly, so that two file
 * systems can be open in one process.  After btrfs_open_fs() returns nothing
 * in it changes but the block cache and the table of subvolume roots, and both
 * have locks of their own; many threads may then use one fs_info.
 */
#ifndef KERNEL_SHARED_FS_H
#define KERNEL_SHARED_FS_H

#include <pthread.h>

#include "common/hashtable.h"
#include "kernel-shared/accessors.h"

struct blockdev;
struct btrfs_block_cache;
struct btrfs_chunk_map_tree;
struct btrfs_block_groups;
struct btrfs_delayed_ref_root;
struct btrfs_fs_devices;
struct btrfs_transaction;
struct lockfile;
struct thread_pool;

/* Trees that hold files (snapshots and the top level), as opposed to metadata of the fs. */
static inline bool btrfs_is_fstree(u64 objectid)
{
	return objectid == BTRFS_FS_TREE_OBJECTID ||
	       ((s64)objectid >= (s64)BTRFS_FIRST_FREE_OBJECTID &&
		objectid >> BTRFS_QGROUP_LEVEL_SHIFT == 0);
}

/*
 * One tree.  The root node is read when the root is opened and stays
 * referenced.  @root_item is all zero for the root and the chunk tree, which
 * the superblock points to.
 */
struct btrfs_root {
	struct btrfs_fs_info *fs_info;
	struct btrfs_key root_key;
	struct btrfs_root_item root_item;	/* little endian, a copy */
	struct extent_buffer *node;

	/* For writing; see ctree.h and transaction.h. */
	bool shareable;			/* a subvolume or relocation tree: blocks may be shared */
	bool force_cow;			/* snapshotted in this transaction: COW whatever its age */
	bool dirty;			/* in the transaction's dirty_roots */
	u64 next_objectid;		/* btrfs_get_free_objectid(); 0: not looked up yet */
};

static inline u64 btrfs_root_id(const struct btrfs_root *root)
{
	return root->root_key.objectid;
}

struct btrfs_fs_info {
	char *name;				/* what it was opened as, for messages */
	struct btrfs_super_block super_copy;	/* the best copy, verified */
	u8 fsid[BTRFS_FSID_SIZE];
	u8 metadata_uuid[BTRFS_FSID_SIZE];	/* what tree blocks carry; fsid if there is none */
	u64 generation;
	u64 incompat;				/* feature words of the superblock */
	u64 compat_ro;
	u32 nodesize;				/* bytes */
	u32 sectorsize;				/* bytes */
	u32 sectorsize_bits;
	u16 csum_type;
	u16 csum_size;				/* bytes of one checksum */

	struct btrfs_fs_devices *fs_devices;
	struct btrfs_chunk_map_tree *chunk_map;
	struct btrfs_block_cache *cache;
	struct thread_pool *workers;		/* shared by readahead and data work */

	struct btrfs_root *tree_root;
	struct btrfs_root *chunk_root;
	/* NULL where the file system has no such tree, or where it could not be read. */
	struct btrfs_root *extent_root;
	struct btrfs_root *dev_root;
	struct btrfs_root *csum_root;
	struct btrfs_root *quota_root;
	struct btrfs_root *uuid_root;
	struct btrfs_root *free_space_root;
	struct btrfs_root *block_group_root;
	struct btrfs_root *raid_stripe_root;

	/*
	 * Writing is one thread's business, so none of these has a lock.
	 * @generation above is that of the last commit, and while a transaction
	 * runs that transaction's.
	 */
	bool writable;				/* opened with args->writable */
	int aborted;				/* negative errno: nothing is written any more */
	bool uuid_tree_current;			/* goes on to be complete: keep its generation */
	struct btrfs_transaction *running_transaction;	/* NULL: none */
	struct btrfs_block_groups *block_groups;	/* block-group.h; NULL unless writable */
	struct btrfs_delayed_ref_root *delayed_refs;	/* delayed-ref.h; the same */
	u8 chunk_tree_uuid[BTRFS_UUID_SIZE];

	pthread_mutex_t roots_lock;		/* protects fs_roots */
	struct u64_map fs_roots;		/* objectid -> struct btrfs_root, opened on demand */

	/* Send against relocation; locking.c alone touches these. */
	pthread_mutex_t excl_lock;		/* protects those that follow */
	unsigned int sends_running;
	bool reloc_running;
	struct lockfile *lockfile;		/* held while any of them runs... */
	bool lockfile_pinned;			/* ...or as long as the fs is open, */
	bool lockfile_exclusive;		/* and then in this way */

	pthread_mutex_t report_lock;		/* protects reported_blocks */
	struct u64_map reported_blocks;		/* bad tree blocks, and how they were told of */
	bool bad_blocks_only_warn;		/* while what may be bad may also be done without */
};

static inline bool btrfs_fs_incompat(const struct btrfs_fs_info *fs_info, u64 bit)
{
	return (fs_info->incompat & bit) != 0;
}

static inline bool btrfs_fs_compat_ro(const struct btrfs_fs_info *fs_info, u64 bit)
{
	return (fs_info->compat_ro & bit) != 0;
}

/* How to open; all zero is the plain way. */
struct btrfs_open_args {
	const char *const *devices;	/* further images or devices, not scanned for */
	unsigned int nr_devices;
	u64 cache_bytes;		/* upper limit of the default block cache; 0: none */
	u64 sb_bytenr;			/* superblock copy to use; 0: the best one */
	u64 chunk_root_bytenr;		/* instead of the superblock's; 0: as it says */
	u64 tree_root_bytenr;
	int backup_root;		/* 1 + index into super_roots; 0: none */
	bool no_scan;			/* do not look for further block devices */
	bool partial;			/* go on when the root tree cannot be read */
	bool ignore_lock;		/* --force: read although a writer holds the device */
	bool writable;			/* open for transactions; implies exclusive locks */
	bool degraded;			/* writable although devices are missing */
	const char *lock_as;		/* take the lock file first, as this ("send"); NULL: do not */
	bool lock_exclusive;
	int lock_wait_seconds;		/* for the lock file and the devices; see lockfile.h */
};

/*
 * Open the file system on @path, read-only unless args->writable.
 *
 * Finds the superblock and the other devices, reads the chunk tree and opens
 * the global roots.  Says on stderr what is wrong where it fails (except that
 * memory is short), and warns of what it got round.  0 or negative errno.  Free with btrfs_close_fs().
 */
int btrfs_open_fs(const char *path, const struct btrfs_open_args *args,
		  struct btrfs_fs_info **ret);
void btrfs_close_fs(struct btrfs_fs_info *fs_info);

/* A device that is to become part of a file system. */
struct btrfs_new_device {
	struct blockdev *bdev;		/* open for writing */
	u64 devid;
	u8 uuid[BTRFS_UUID_SIZE];
	u64 total_bytes;		/* a multiple of the sector size, bdev->size at most */
};

/*
 * A file system in memory alone, for whoever is about to make one: nothing is
 * read from the devices, or written to them.
 *
 * @sb becomes super_copy.  It need not be complete; what is used of it now are
 * fsid, metadata_uuid, the feature words, generation, sizes, csum_type and
 * flags (a change of these later has to be made in @fs_info as well).
 * There are no chunks, no trees (all roots are NULL) and no lock file, but a
 * block cache and workers.  Takes over the bdev of every device, also on error.
 *
 * -EINVAL: node size, sector size or checksum type that no file system has.
 * -EEXIST: a devid or uuid twice.  -ENOMEM.  Nothing is printed.  Free with
 * btrfs_close_fs().
 */
int btrfs_new_fs_info(const char *name, const struct btrfs_super_block *sb,
		      const struct btrfs_new_device *devices, unsigned int nr_devices,
		      struct btrfs_fs_info **ret);

#endif
