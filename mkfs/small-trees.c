// SPDX-License-Identifier: GPL-2.0-only
/*
 * The uuid tree and the quota tree, which say things about subvolumes.
 */
#include "mkfs/items.h"
#include "mkfs/make.h"

/* Build the tree from @items, and remember it for the root tree. */
static int write_items(struct mkfs *mkfs, u64 objectid, struct mkfs_items *items)
{
	struct mkfs_tree tree = { .objectid = objectid };
	struct btrfs_tree_builder *builder;
	int ret = btrfs_tree_builder_create(mkfs->fs_info, objectid, mkfs_tree_generation(objectid),
					    mkfs->plan->chunk_tree_uuid,
					    tree_writer_sink(mkfs->writer), &builder);

	if (ret)
		return ret;
	ret = mkfs_items_build(items, builder);
	if (!ret)
		ret = btrfs_tree_builder_finish(builder, &tree.built);
	btrfs_tree_builder_free(builder);
	return ret ? ret : vec_push_copy(&mkfs->trees, &tree);
}

/* Item by subvolume uuid, whose halves are the key. */
int mkfs_write_uuid_tree(struct mkfs *mkfs)
{
	struct mkfs_subvol **subvol;
	struct mkfs_items items;
	int ret = 0;

	mkfs_items_init(&items);
	vec_for_each(&mkfs->subvols, subvol) {
		const __le64 id = htole64((*subvol)->objectid);

		ret = mkfs_items_add(&items, get_unaligned_le64((*subvol)->uuid),
				     BTRFS_UUID_KEY_SUBVOL,
				     get_unaligned_le64((*subvol)->uuid + 8), &id, sizeof(id));
		if (ret)
			break;
	}
	if (!ret)
		ret = write_items(mkfs, BTRFS_UUID_TREE_OBJECTID, &items);
	mkfs_items_free(&items);
	return ret;
}

/* Nothing is shared yet, so what a subvolume refers to is its own. */
static int add_qgroup(struct mkfs *mkfs, struct mkfs_items *items, const struct mkfs_subvol *subvol)
{
	u64 bytes = subvol->built.nr_blocks * mkfs->fs_info->nodesize + subvol->nr_data_bytes;
	struct btrfs_qgroup_info_item info = {
		.generation = htole64(MKFS_GENERATION),
		.rfer = htole64(bytes),
		.rfer_cmpr = htole64(bytes),
		.excl = htole64(bytes),
		.excl_cmpr = htole64(bytes),
	};
	const struct btrfs_qgroup_limit_item limit = { 0 };
	int ret;

	ret = mkfs_items_add(items, 0, BTRFS_QGROUP_INFO_KEY, subvol->objectid, &info,
			     sizeof(info));
	return ret ? ret : mkfs_items_add(items, 0, BTRFS_QGROUP_LIMIT_KEY, subvol->objectid,
					  &limit, sizeof(limit));
}

int mkfs_write_quota_tree(struct mkfs *mkfs)
{
	struct btrfs_qgroup_status_item status = {
		.version = htole64(1),
		.generation = htole64(MKFS_GENERATION),
		.flags = htole64(BTRFS_QGROUP_STATUS_FLAG_ON),
	};
	u32 status_size = offsetof(struct btrfs_qgroup_status_item, enable_gen);
	struct mkfs_subvol **subvol;
	struct mkfs_items items;
	int ret;

	if (mkfs->plan->simple_quota) {
		status.flags |= htole64(BTRFS_QGROUP_STATUS_FLAG_SIMPLE_MODE);
		status.enable_gen = htole64(1);
		status_size = sizeof(status);
	}
	mkfs_items_init(&items);
	ret = mkfs_items_add(&items, 0, BTRFS_QGROUP_STATUS_KEY, 0, &status, status_size);
	vec_for_each(&mkfs->subvols, subvol)
		if (!ret)
			ret = add_qgroup(mkfs, &items, *subvol);
	if (!ret)
		ret = write_items(mkfs, BTRFS_QUOTA_TREE_OBJECTID, &items);
	mkfs_items_free(&items);
	return ret;
}
