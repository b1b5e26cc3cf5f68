// SPDX-License-Identifier: GPL-2.0-only
/*
 * Numbers for new inodes and subvolumes.
 */
#include <errno.h>

#include "kernel-shared/ctree.h"

static int highest_objectid(struct btrfs_root *root, u64 *objectid)
{
	struct btrfs_key key = { BTRFS_LAST_FREE_OBJECTID, 255, (u64)-1 };
	struct btrfs_path path = { 0 };
	int ret = btrfs_search_slot_for_read(root, &key, &path, true);

	*objectid = 0;
	if (ret == 0) {
		btrfs_item_key_to_cpu(path.nodes[0], &key, path.slots[0]);
		*objectid = key.objectid;
	}
	btrfs_release_path(&path);
	return min(ret, 0);
}

int btrfs_get_free_objectid(struct btrfs_root *root, u64 *objectid)
{
	u64 highest;
	int ret;

	if (!root->next_objectid) {
		ret = highest_objectid(root, &highest);
		if (ret)
			return ret;
		root->next_objectid = max_t(u64, highest + 1, BTRFS_FIRST_FREE_OBJECTID);
	}
	if (root->next_objectid >= BTRFS_LAST_FREE_OBJECTID)
		return -ENOSPC;
	*objectid = root->next_objectid++;
	return 0;
}
