// SPDX-License-Identifier: GPL-2.0-only
/*
 * Opening for writing: what the write path cannot keep right is refused, with a
 * line that names it, before anything is changed.
 */
#include <errno.h>

#include "common/message.h"
#include "kernel-shared/block-group.h"
#include "kernel-shared/ctree.h"
#include "kernel-shared/delayed-ref.h"
#include "kernel-shared/root-tree.h"
#include "kernel-shared/super.h"
#include "kernel-shared/transaction.h"
#include "kernel-shared/volumes.h"

#define WRITABLE_COMPAT_RO \
	(BTRFS_FEATURE_COMPAT_RO_FREE_SPACE_TREE | BTRFS_FEATURE_COMPAT_RO_FREE_SPACE_TREE_VALID | \
	 BTRFS_FEATURE_COMPAT_RO_VERITY | BTRFS_FEATURE_COMPAT_RO_BLOCK_GROUP_TREE)

#define UNWRITABLE_INCOMPAT \
	(BTRFS_FEATURE_INCOMPAT_ZONED | BTRFS_FEATURE_INCOMPAT_EXTENT_TREE_V2 | \
	 BTRFS_FEATURE_INCOMPAT_RAID_STRIPE_TREE | BTRFS_FEATURE_INCOMPAT_REMAP_TREE)

/* Half of something that another tool began, or no complete file system. */
#define UNWRITABLE_SUPER_FLAGS \
	(BTRFS_SUPER_FLAG_METADUMP | BTRFS_SUPER_FLAG_METADUMP_V2 | \
	 BTRFS_SUPER_FLAG_CHANGING_FSID | BTRFS_SUPER_FLAG_CHANGING_FSID_V2 | \
	 BTRFS_SUPER_FLAG_CHANGING_BG_TREE | BTRFS_SUPER_FLAG_CHANGING_DATA_CSUM | \
	 BTRFS_SUPER_FLAG_CHANGING_META_CSUM)

static int refuse(const struct btrfs_fs_info *fs_info, int err, const char *why)
{
	error("cannot open %s for writing: %s", fs_info->name, why);
	return err;
}

static int refuse_bits(const struct btrfs_fs_info *fs_info, u64 bits, const char *what,
		       const char *(*name_of)(u64 bit))
{
	u64 bit = bits & -bits;
	const char *name = name_of(bit);

	if (name)
		error("cannot open %s for writing: %s %s is not supported", fs_info->name, what,
		      name);
	else
		error("cannot open %s for writing: %s 0x%llx is not known", fs_info->name, what,
		      bit);
	return -EOPNOTSUPP;
}

static int check_features(const struct btrfs_fs_info *fs_info)
{
	const struct btrfs_super_block *sb = &fs_info->super_copy;
	u64 compat_ro = fs_info->compat_ro & ~WRITABLE_COMPAT_RO;
	u64 incompat = fs_info->incompat & (UNWRITABLE_INCOMPAT | ~BTRFS_SUPPORTED_INCOMPAT);
	u64 flags = le64toh(sb->flags) & UNWRITABLE_SUPER_FLAGS;

	if (compat_ro)
		return refuse_bits(fs_info, compat_ro, "read-only compatible feature",
				   btrfs_compat_ro_name);
	if (incompat)
		return refuse_bits(fs_info, incompat, "feature", btrfs_incompat_name);
	if (flags)
		return refuse_bits(fs_info, flags, "superblock flag", btrfs_super_flag_name);
	if (le64toh(sb->flags) & BTRFS_SUPER_FLAG_SEEDING)
		return refuse(fs_info, -EROFS, "it is a seed");
	if (le64toh(sb->log_root))
		return refuse(fs_info, -EOPNOTSUPP, "it has a log tree that must be replayed first "
			      "(the kernel does that when it is mounted)");
	return 0;
}

static int check_devices(const struct btrfs_fs_info *fs_info, bool degraded)
{
	const struct btrfs_fs_devices *devs = fs_info->fs_devices;

	if (devs->nr_missing && !degraded)
		return refuse(fs_info, -ENODEV, "devices are missing (--degraded writes to the "
			      "others)");
	for (unsigned int i = 0; i < devs->nr_devices; i++) {
		if (!btrfs_device_is_own(fs_info, devs->devices[i]))
			return refuse(fs_info, -EOPNOTSUPP, "it has a seed device");
	}
	return 0;
}

/* Every tree that a commit changes has to be there. */
static int check_trees(struct btrfs_fs_info *fs_info)
{
	const struct {
		u64 objectid;
		const struct btrfs_root *root;
		bool wanted;
		const char *why;
	} trees[] = {
		{ BTRFS_EXTENT_TREE_OBJECTID, fs_info->extent_root, true,
		  "the extent tree cannot be read" },
		{ BTRFS_DEV_TREE_OBJECTID, fs_info->dev_root, true,
		  "the device tree cannot be read" },
		{ BTRFS_CSUM_TREE_OBJECTID, fs_info->csum_root, true,
		  "the checksum tree cannot be read" },
		{ BTRFS_FREE_SPACE_TREE_OBJECTID, fs_info->free_space_root,
		  btrfs_fs_compat_ro(fs_info, BTRFS_FEATURE_COMPAT_RO_FREE_SPACE_TREE),
		  "the free space tree cannot be read" },
		{ BTRFS_BLOCK_GROUP_TREE_OBJECTID, fs_info->block_group_root,
		  btrfs_fs_compat_ro(fs_info, BTRFS_FEATURE_COMPAT_RO_BLOCK_GROUP_TREE),
		  "the block group tree cannot be read" },
		{ BTRFS_UUID_TREE_OBJECTID, fs_info->uuid_root, false,
		  "the uuid tree cannot be read" },
		{ BTRFS_QUOTA_TREE_OBJECTID, fs_info->quota_root, false,
		  "the quota tree cannot be read" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(trees); i++) {
		int ret;

		if (trees[i].root)
			continue;
		ret = btrfs_missing_root_error(fs_info, trees[i].objectid);
		if (ret != -ENOENT || trees[i].wanted)
			return refuse(fs_info, ret == -ENOENT ? -EUCLEAN : ret, trees[i].why);
	}
	if (fs_info->quota_root)
		return refuse(fs_info, -EOPNOTSUPP, "quotas are enabled, and keeping them right is "
			      "not supported yet");
	return 0;
}

/* 1: @root has an item with this objectid and type. */
static int has_item(struct btrfs_root *root, u64 objectid, u8 type)
{
	const struct btrfs_key key = { .objectid = objectid, .type = type };
	struct btrfs_path path = { 0 };
	struct btrfs_key found;
	int ret = btrfs_search_slot_for_read(root, &key, &path, false);

	if (ret == 0) {
		btrfs_item_key_to_cpu(path.nodes[0], &found, path.slots[0]);
		ret = found.objectid == objectid && found.type == type;
	} else if (ret > 0) {
		ret = 0;
	}
	btrfs_release_path(&path);
	return ret;
}

/* Device replacement that is under way: writes would have to go to both devices. */
static int dev_replace_runs(struct btrfs_fs_info *fs_info)
{
	const struct btrfs_key key = { 0, BTRFS_DEV_REPLACE_KEY, 0 };
	struct btrfs_path path = { 0 };
	const struct btrfs_dev_replace_item *item;
	int ret = btrfs_search_slot(fs_info->dev_root, &key, &path);
	u64 state;

	if (ret == 0) {
		item = btrfs_item_ptr(path.nodes[0], path.slots[0], struct btrfs_dev_replace_item);
		state = eb_holds(path.nodes[0], item, sizeof(*item)) ?
			le64toh(item->replace_state) : 0;
		ret = state == BTRFS_DEV_REPLACE_STARTED || state == BTRFS_DEV_REPLACE_SUSPENDED;
	} else if (ret > 0) {
		ret = 0;
	}
	btrfs_release_path(&path);
	return ret;
}

static int check_unfinished_work(struct btrfs_fs_info *fs_info)
{
	int ret = has_item(fs_info->tree_root, BTRFS_TREE_RELOC_OBJECTID, BTRFS_ROOT_ITEM_KEY);

	if (ret)
		return ret < 0 ? ret : refuse(fs_info, -EOPNOTSUPP, "a balance was interrupted and "
					      "must be finished first");
	ret = dev_replace_runs(fs_info);
	if (ret)
		return ret < 0 ? ret : refuse(fs_info, -EOPNOTSUPP, "a device replacement was "
					      "interrupted and must be finished first");
	return 0;
}

int btrfs_begin_writing(struct btrfs_fs_info *fs_info, bool degraded)
{
	const struct btrfs_super_block *sb = &fs_info->super_copy;
	int ret;

	if (!fs_info->tree_root)
		return refuse(fs_info, -EUCLEAN, "the root tree cannot be read");
	ret = check_features(fs_info);
	if (!ret)
		ret = check_devices(fs_info, degraded);
	if (!ret)
		ret = check_trees(fs_info);
	if (!ret)
		ret = check_unfinished_work(fs_info);
	if (ret)
		return ret;
	memcpy(fs_info->chunk_tree_uuid, btrfs_header(fs_info->chunk_root->node)->chunk_tree_uuid,
	       BTRFS_UUID_SIZE);
	fs_info->uuid_tree_current = fs_info->uuid_root &&
				     sb->uuid_tree_generation == sb->generation;
	ret = btrfs_init_delayed_refs(fs_info);
	if (!ret)
		ret = btrfs_read_block_groups(fs_info);
	fs_info->writable = ret == 0;
	return ret;
}
