/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Paths inside the file system: from a path to an inode, across subvolumes,
 * and from an inode or subvolume back to a path.
 */
#ifndef KERNEL_SHARED_NAMEI_H
#define KERNEL_SHARED_NAMEI_H

#include "kernel-shared/fs.h"

struct btrfs_resolved_path {
	struct btrfs_root *root;	/* owned by fs_info */
	u64 ino;
	u8 ftype;			/* BTRFS_FT_* of the entry */
};

/*
 * Resolve @path, relative to the top-level subvolume (id 5), with or without a
 * leading slash; "id:N" or "id:N/more" starts at subvolume N.  "." and empty
 * components are skipped, ".." is refused (-EINVAL), symlinks are not
 * followed.  Prints nothing.  -ENOENT, -ENOTDIR, -EINVAL or what reading says.
 */
int btrfs_resolve_path(struct btrfs_fs_info *fs_info, const char *path,
		       struct btrfs_resolved_path *ret);

/* As above, but it must be a subvolume: -ENOTSUP when it is something else. */
int btrfs_resolve_subvol(struct btrfs_fs_info *fs_info, const char *path,
			 struct btrfs_root **ret);

/* BTRFS_FIRST_FREE_OBJECTID in every subvolume. */
static inline u64 btrfs_root_dirid(const struct btrfs_root *root)
{
	u64 dirid = le64toh(root->root_item.root_dirid);

	return dirid ? dirid : BTRFS_FIRST_FREE_OBJECTID;
}

/*
 * Path of subvolume @objectid from the top level, without a leading slash ("" for
 * the top level itself), allocated.  -ENOENT where a reference is missing;
 * -EUCLEAN where the references form a loop.
 */
int btrfs_subvol_path(struct btrfs_fs_info *fs_info, u64 objectid, char **ret);

/* Path of an inode within its subvolume by its first name, allocated. Same errors. */
int btrfs_inode_path(struct btrfs_root *root, u64 ino, char **ret);

#endif
