/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the sources share while they read: making inodes and names, and the
 * finishing touches.  For source*.c alone.
 */
#ifndef MKFS_SOURCE_TREE_H
#define MKFS_SOURCE_TREE_H

#include "common/arena.h"
#include "common/hashtable.h"
#include "mkfs/source.h"

/* What every source begins with. */
struct source_tree {
	struct mkfs_source source;
	struct arena arena;	/* everything that source.root leads to */
};

/* All-zero but for nlink (1); NULL: no memory. */
struct source_inode *source_new_inode(struct source_tree *tree);

/*
 * Entries of a directory while they are being collected: of struct source_entry.
 * source_set_entries() sorts them, copies them into @dir, ties the inodes that
 * have no parent yet to it, and empties the vector.  -EEXIST: a name twice
 * (reported with @dir's path).
 */
int source_add_entry(struct source_tree *tree, struct vec *entries, const char *name, size_t len,
		     struct source_inode *inode);
int source_set_entries(struct source_tree *tree, struct source_inode *dir, struct vec *entries);

/* Copy xattrs into @inode, sorted by name. */
int source_set_xattrs(struct source_tree *tree, struct source_inode *inode,
		      const struct source_xattr *xattrs, u32 nr);

/* The sources.  @tree is made, filled and freed by them. */
int source_load_dir(const struct source_options *options, struct mkfs_source **source);
int source_load_tar(const struct source_options *options, struct mkfs_source **source);

/*
 * The access or default ACL of an archive's entry as the value of its xattr, to be
 * freed; NULL: it has none.  The access ACL changes @mode.  -EINVAL: an ACL that
 * cannot be.  For source-tar.c.
 */
struct archive_entry;
int source_tar_acl(struct archive_entry *entry, bool is_default, u32 *mode, void **bytes,
		   size_t *len);

/* Names of subvolumes, sockets and so on that a source leaves out are told by it. */

/* Ids, times and overrides; called by source_load() on what a source has loaded. */
int source_finish(const struct source_options *options, struct mkfs_source *source);
int source_apply_overrides(const char *path, struct source_tree *tree);

#endif
