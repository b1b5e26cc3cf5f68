/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the rooms of mkfs share while a file system is being made:
 *
 *	make.c		the order of things
 *	alloc.c		block groups, and the places in them
 *	tree-writer.c	finished tree blocks on their way to the devices
 *	number.c	subvolumes, and the numbers of inodes
 *	fs-tree.c	the trees of subvolumes: inodes, names, xattrs, extents
 *	file-data.c	file data: read, compressed, hashed and written by many threads
 *	csums.c		the checksum tree
 *	small-trees.c	uuid tree, quota tree
 *	global-trees.c	the trees that describe the rest, last of all
 *
 * All is laid out by one thread in an order that follows from the input alone;
 * the other threads only work on what has been laid out.
 */
#ifndef MKFS_MAKE_H
#define MKFS_MAKE_H

#include "common/thread-pool.h"
#include "kernel-shared/tree-builder.h"
#include "kernel-shared/volumes.h"
#include "mkfs/alloc.h"
#include "mkfs/plan.h"

/*
 * The field's tool works in transactions and ends with these; so do we, which
 * also keeps clear of 0.
 */
#define MKFS_FS_GENERATION	5ULL	/* trees of files, and what goes with them */
#define MKFS_GENERATION		6ULL	/* the file system */

/* The generation of a tree's blocks. */
static inline u64 mkfs_tree_generation(u64 objectid)
{
	return btrfs_is_fstree(objectid) || objectid == BTRFS_CSUM_TREE_OBJECTID ||
	       objectid == BTRFS_UUID_TREE_OBJECTID || objectid == BTRFS_DATA_RELOC_TREE_OBJECTID ?
	       MKFS_FS_GENERATION : MKFS_GENERATION;
}

/* A tree that has been built and that the root tree will name; subvolumes apart. */
struct mkfs_tree {
	u64 objectid;
	struct btrfs_built_tree built;
};

/* A subvolume to be made; the top level is the first. */
struct mkfs_subvol {
	u64 objectid;
	struct source_inode *root_dir;	/* NULL: an empty one */
	struct mkfs_subvol *parent;	/* that has the entry; NULL for the top level */
	u64 parent_dirid;		/* inode of the directory there */
	u64 dir_index;
	const char *name;
	u16 name_len;
	bool readonly;
	u8 uuid[BTRFS_UUID_SIZE];
	struct vec inodes;		/* of struct source_inode *, by number */
	u64 nr_data_bytes;		/* on disk, of its extents, for quota */
	struct btrfs_built_tree built;
};

/* A data extent, in the order of addresses. */
struct mkfs_data_extent {
	u64 bytenr;
	u64 ino;
	u64 offset;			/* in the file, bytes */
	u32 nr_sectors;
	u32 subvol;			/* index into mkfs.subvols */
};

struct csum_writer;
struct file_data;
struct late_tree;
struct tree_writer;

struct mkfs {
	struct mkfs_plan *plan;
	struct btrfs_fs_info *fs_info;
	struct mkfs_alloc *alloc;
	struct tree_writer *writer;
	struct thread_pool *workers;

	struct vec subvols;		/* of struct mkfs_subvol * */
	u64 default_subvol;
	struct vec trees;		/* of struct mkfs_tree */
	struct late_tree *late_trees;	/* global-trees.c's own */
	struct vec data_extents;	/* of struct mkfs_data_extent, addresses ascending within a group */
	struct csum_writer *csums;
	struct file_data *file_data;
};

/* ---- tree-writer.c ---- */

/*
 * Blocks are gathered while their addresses follow one another, then hashed and
 * written by a worker.
 */
int tree_writer_create(struct mkfs *mkfs, struct tree_writer **ret);
/* Wait for all that is under way; 0 or the first error. */
int tree_writer_flush(struct tree_writer *writer);
void tree_writer_free(struct tree_writer *writer);
/* Where a builder puts the blocks of metadata trees (the chunk tree: system ones). */
const struct btrfs_tree_sink *tree_writer_sink(struct tree_writer *writer);

/* ---- number.c ---- */

/* The first index that a directory gives out; 0 and 1 stand for . and .. */
#define BTRFS_DIR_START_INDEX	2ULL

/* Find the subvolumes and number all inodes. */
int mkfs_number_inodes(struct mkfs *mkfs);

/* ---- fs-tree.c ---- */

/* Write the trees of all subvolumes, and their data. */
int mkfs_write_fs_trees(struct mkfs *mkfs);
/* A tree with nothing but a root directory. */
int mkfs_write_empty_fs_tree(struct mkfs *mkfs, u64 objectid, const struct btrfs_inode_item *inode,
			     struct btrfs_built_tree *built);

/* ---- file-data.c ---- */

/* Data of a file on its place, or inline. */
struct file_segment {
	u64 file_offset;
	u64 bytenr;		/* on disk */
	u32 disk_len;		/* bytes on disk, whole sectors */
	u32 ram_len;		/* bytes of the file, whole sectors */
	u8 compression;
};

struct file_piece {
	u64 nbytes;		/* of the inode: on its first piece only */
	const struct file_segment *segments;
	u32 nr_segments;
	const void *inline_data;	/* NULL: not inline */
	u32 inline_len;
	u8 inline_compression;
	bool last;		/* of its file */
};

/*
 * Begin to read the data of all regular files with any, in the order of
 * subvolumes and inode numbers.
 */
int file_data_create(struct mkfs *mkfs, struct file_data **ret);
/* The next piece of file data; valid until the next call. */
int file_data_next(struct file_data *data, struct file_piece *piece);
/* Wait until all is written. */
int file_data_finish(struct file_data *data);
void file_data_free(struct file_data *data);

/* ---- csums.c ---- */

/* Checksums come by ascending address; neighbours share an item. */
int csum_writer_create(struct mkfs *mkfs, struct csum_writer **ret);
int csum_writer_add(struct csum_writer *writer, u64 bytenr, const u8 *csums, u32 nr_sectors);
int csum_writer_finish(struct csum_writer *writer, struct btrfs_built_tree *built);
void csum_writer_free(struct csum_writer *writer);

/* ---- small-trees.c ---- */

int mkfs_write_uuid_tree(struct mkfs *mkfs);
int mkfs_write_quota_tree(struct mkfs *mkfs);

/* ---- shrink.c ---- */

/*
 * Cut off what is free at the end of each chunk, and move everything together.
 * Everything that has a place is settled and, but for the late trees,
 * written.  Changes chunks and the size of the device, not the file behind it.
 */
int mkfs_shrink(struct mkfs *mkfs);

/* ---- global-trees.c ---- */

/* All other trees, and the superblock in memory. */
int mkfs_write_global_trees(struct mkfs *mkfs);

static inline void mkfs_set_time(struct btrfs_timespec *dest, const struct timespec *ts)
{
	dest->sec = htole64((u64)ts->tv_sec);
	dest->nsec = htole32((u32)ts->tv_nsec);
}

#endif
