// SPDX-License-Identifier: GPL-2.0-only
/*
 * Choosing what an incremental send starts from, when only the subvolumes that
 * the receiver has are known.
 */
#include <errno.h>

#include "kernel-shared/root-tree.h"
#include "kernel-shared/send.h"
#include "kernel-shared/uuid-tree.h"

/* The subvolume that @root is a snapshot of.  -ENOENT: none, or it is gone. */
static int snapshot_source(struct btrfs_fs_info *fs_info, const struct btrfs_root *root,
			   struct btrfs_root **source)
{
	static const u8 none[BTRFS_UUID_SIZE];
	u64 id;
	int ret;

	if (!memcmp(root->root_item.parent_uuid, none, sizeof(none)))
		return -ENOENT;
	ret = btrfs_find_subvol_by_uuid(fs_info, root->root_item.parent_uuid, &id);
	return ret ? ret : btrfs_get_fs_root(fs_info, id, source);
}

int btrfs_send_choose_parent(struct btrfs_fs_info *fs_info, struct btrfs_root *root,
			     struct btrfs_root *const *clone_sources, unsigned int nr,
			     struct btrfs_root **parent)
{
	struct btrfs_root *source, *other, *best = NULL;
	u64 best_distance = (u64)-1;
	int ret = snapshot_source(fs_info, root, &source);

	if (ret)
		return ret;
	for (unsigned int i = 0; i < nr; i++) {
		if (clone_sources[i] == source) {
			*parent = source;
			return 0;
		}
	}
	/* Snapshots of the same subvolume: the nearest in time differs least. */
	for (unsigned int i = 0; i < nr; i++) {
		u64 at = le64toh(clone_sources[i]->root_item.ctransid);
		u64 now = le64toh(source->root_item.ctransid);
		u64 distance = at < now ? now - at : at - now;

		if (snapshot_source(fs_info, clone_sources[i], &other) || other != source ||
		    distance >= best_distance)
			continue;
		best = clone_sources[i];
		best_distance = distance;
	}
	if (!best)
		return -ENOENT;
	*parent = best;
	return 0;
}
