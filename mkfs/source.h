/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a new file system is filled with: a tree of files from a directory
 * (source-dir.c) or from an archive (source-tar.c), read before the first block is
 * written.  The tree holds all metadata; file data stays where it is until it
 * is asked for.
 *
 * Names in a directory are sorted bytewise and every walk goes by that order, so that
 * the same input makes the same file system.  Ids, times and overrides
 * have been applied when source_load() returns.
 */
#ifndef MKFS_SOURCE_H
#define MKFS_SOURCE_H

#include <sys/stat.h>
#include <time.h>

#include "common/types.h"
#include "common/vec.h"

struct mkfs_subvol;
struct mkfs_subvol_spec;

struct source_xattr {
	const char *name;	/* with its prefix: "user.x", "system.posix_acl_access" */
	const void *value;
	u16 name_len;
	u32 value_len;
};

/* One name of an inode in a directory. */
struct source_entry {
	struct source_inode *inode;
	const char *name;	/* not terminated */
	u16 name_len;
};

/*
 * An inode.  Names that are hard links of one another share it.  Belongs to
 * the source, as all that it points to.
 */
struct source_inode {
	u32 mode;		/* type and permissions */
	u32 uid;
	u32 gid;
	u32 nlink;		/* names in the source tree (for directories not counted: 1) */
	u64 rdev;		/* as dev_t of the C library */
	u64 size;		/* of a file in bytes; of a symlink its length; else 0 */
	u64 data_bytes;		/* of a file: about what is left of @size without its holes */
	struct timespec atime;
	struct timespec mtime;
	struct timespec ctime;
	struct timespec otime;	/* mtime where the source does not know */

	struct source_xattr *xattrs;	/* sorted by name */
	u32 nr_xattrs;

	const char *symlink;		/* @size bytes */
	struct source_entry *entries;	/* of a directory, sorted by name */
	u32 nr_entries;
	struct source_inode *parent;	/* the directory of its first name; NULL for the root */
	const char *name;		/* that name */
	u16 name_len;

	/* For the source alone: where the data is. */
	u64 data_pos;
	u64 data_id[2];

	/* For fs-tree.c alone. */
	const struct mkfs_subvol_spec *subvol_spec;	/* this directory is to be a subvolume */
	struct mkfs_subvol *subvol;	/* that it is in, or that it is the root of */
	u64 ino;
	u64 inode_flags;		/* BTRFS_INODE_* asked for by --inode-flags */
};

/* A range of a file that holds data; between two is a hole. */
struct source_range {
	u64 offset;		/* bytes, as @len; ranges ascend and do not touch */
	u64 len;
};

struct source_file;	/* a file that is open for reading */

struct mkfs_source {
	const struct source_ops *ops;
	struct source_inode *root;
	u64 nr_inodes;		/* each counted once */
	u64 nr_entries;
	u64 data_bytes;		/* of regular files, holes not counted where that is known */
};

/*
 * All of these may be called from any thread, for different files at once.
 * What fails is told with the path; negative errno.
 */
struct source_ops {
	/* -ENOENT, -ESTALE and the like: the file went or changed since it was loaded. */
	int (*open)(struct mkfs_source *source, const struct source_inode *inode,
		    struct source_file **file);
	/* All of [offset, offset + len), which lies in the file.  -ESTALE: it is shorter now. */
	int (*read)(struct source_file *file, void *buf, size_t len, u64 offset);
	/* Append its data ranges (struct source_range), clipped to the size. */
	int (*ranges)(struct source_file *file, struct vec *ranges);
	/* -ESTALE, reported, when the file has changed since it was loaded. */
	int (*close)(struct source_file *file);
	void (*free)(struct mkfs_source *source);
};

/* A line of the table of --uid-map and --gid-map. */
struct source_id_map {
	u32 from;		/* in the source */
	u32 to;			/* in the file system */
	u32 count;
};

struct source_options {
	const char *path;		/* a directory, an archive, or "-": an archive on standard input */
	struct vec uid_map;		/* of struct source_id_map */
	struct vec gid_map;
	bool all_root;			/* everything belongs to 0:0 */
	bool have_owner;		/* --owner: everything belongs to these */
	u32 owner_uid;
	u32 owner_gid;
	const char *overrides;		/* file with metadata overrides; NULL: none */
	bool clamp_times;		/* SOURCE_DATE_EPOCH: no time is later than @epoch */
	struct timespec epoch;
	const char *spool_dir;		/* where the data of archives may be put meanwhile */
	char *const *targets;		/* paths of what is being made */
	unsigned int nr_targets;
};

/*
 * Read the tree.  Says what is wrong and with which path.  0 or negative errno;
 * free with source->ops->free().
 */
int source_load(const struct source_options *options, struct mkfs_source **source);

/*
 * The inode at @path, relative to the root, "." and repeated slashes ignored.
 * -ENOENT, -ENOTDIR; prints nothing.
 */
int source_lookup(struct mkfs_source *source, const char *path, struct source_inode **inode);

/* Path of an inode below the root by its first names, for messages: "usr/bin/x"; "/" for the root. */
void source_path(const struct source_inode *inode, char *buf, size_t size);

#endif
