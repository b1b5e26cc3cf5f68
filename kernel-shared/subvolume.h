/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Making and removing subvolumes and snapshots.
 *
 * The functions that take a handle make their change as part of the running
 * transaction; an error after which it is half done has aborted it.
 */
#ifndef KERNEL_SHARED_SUBVOLUME_H
#define KERNEL_SHARED_SUBVOLUME_H

#include "kernel-shared/fs.h"

struct btrfs_trans_handle;

/* An entry of a directory that leads to a subvolume. */
struct btrfs_subvol_place {
	struct btrfs_root *parent;	/* the subvolume that the entry is in */
	u64 dirid;			/* the directory */
	const void *name;
	size_t name_len;
};

/*
 * A new, empty subvolume; *@objectid is its id.  @uuid NULL: a random one.
 * -EEXIST: the name is taken.  -ENOENT: there is no such directory.
 */
int btrfs_create_subvol(struct btrfs_trans_handle *trans, const struct btrfs_subvol_place *place,
			const u8 *uuid, u64 *objectid);

/*
 * A snapshot of @source, as it is now.  Until the next commit every change of
 * @source copies the way down anew, and the snapshot itself can neither be changed
 * nor be snapshotted (-EBUSY, said), so commit before anything else is done.
 */
int btrfs_create_snapshot(struct btrfs_trans_handle *trans, struct btrfs_root *source,
			  const struct btrfs_subvol_place *place, bool readonly, const u8 *uuid,
			  u64 *objectid);

/*
 * Take the entry away and mark the subvolume as deleted: from the next commit
 * on it is nobody's, and whoever comes next (btrfs_drop_snapshot(), or the kernel) frees its
 * blocks.  *@objectid (may be NULL) is its id.  -ENOENT: no such entry, or not a
 * subvolume.  -ENOTEMPTY: it has subvolumes of its own.  -EPERM: it is the default one.
 */
int btrfs_delete_subvol(struct btrfs_trans_handle *trans, const struct btrfs_subvol_place *place,
			u64 *objectid);

/*
 * Free the tree of a deleted subvolume, in as many transactions as that takes,
 * going on where an earlier attempt was interrupted.  No transaction may be
 * running, and what btrfs_get_fs_root() returned for it is gone afterwards.
 * -ENOENT: there is none.  -EBUSY: it is not deleted.
 */
int btrfs_drop_snapshot(struct btrfs_fs_info *fs_info, u64 objectid);
/* The same for all that wait for it; *@nr (may be NULL) is how many. */
int btrfs_drop_dead_roots(struct btrfs_fs_info *fs_info, unsigned int *nr);

#endif
