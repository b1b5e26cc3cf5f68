// SPDX-License-Identifier: GPL-2.0-only
/*
 * Move the block group items of an image into a tree of their own, for tests
 * where no tool at hand makes such images:
 *
 *	to-block-group-tree IMAGE [DEVICE...]
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/message.h"
#include "kernel-shared/block-group.h"
#include "kernel-shared/ctree.h"
#include "kernel-shared/disk-io.h"
#include "kernel-shared/extent-tree.h"
#include "kernel-shared/root-tree.h"
#include "kernel-shared/transaction.h"

/* An empty tree, which the root tree knows; fs_info takes it over. */
static int create_tree(struct btrfs_trans_handle *trans)
{
	struct btrfs_fs_info *fs_info = trans->fs_info;
	struct btrfs_root *root = calloc(1, sizeof(*root));
	int ret;

	if (!root)
		return -1;
	root->fs_info = fs_info;
	root->root_key = (struct btrfs_key){ BTRFS_BLOCK_GROUP_TREE_OBJECTID, BTRFS_ROOT_ITEM_KEY,
					     0 };
	ret = btrfs_alloc_tree_block(trans, root, 0, NULL, 0, 0, 0, &root->node);
	if (ret) {
		free(root);
		return ret;
	}
	fs_info->block_group_root = root;
	root->root_item.refs = htole32(1);
	root->root_item.bytes_used = htole64(fs_info->nodesize);
	btrfs_set_root_node(&root->root_item, root->node);
	return btrfs_insert_root(trans, &root->root_key, &root->root_item);
}

static int move_item(struct btrfs_trans_handle *trans, const struct btrfs_block_group *group)
{
	const struct btrfs_key key = { group->start, BTRFS_BLOCK_GROUP_ITEM_KEY, group->length };
	const struct btrfs_block_group_item item = {
		.used = htole64(group->disk_used),
		.chunk_objectid = htole64(BTRFS_FIRST_CHUNK_TREE_OBJECTID),
		.flags = htole64(group->flags),
	};
	int ret = btrfs_insert_item(trans, trans->fs_info->block_group_root, &key, &item,
				    sizeof(item));

	return ret ? ret : btrfs_del_item_by_key(trans, trans->fs_info->extent_root, &key);
}

static int convert(struct btrfs_trans_handle *trans)
{
	struct btrfs_fs_info *fs_info = trans->fs_info;
	const struct btrfs_block_group *group = btrfs_lookup_first_block_group(fs_info, 0);
	int ret = create_tree(trans);

	for (; group && !ret; group = btrfs_lookup_first_block_group(fs_info, group->start + 1))
		ret = move_item(trans, group);
	fs_info->compat_ro |= BTRFS_FEATURE_COMPAT_RO_BLOCK_GROUP_TREE;
	fs_info->super_copy.compat_ro_flags = htole64(fs_info->compat_ro);
	return ret;
}

int main(int argc, char **argv)
{
	const struct btrfs_open_args args = { .writable = true, .no_scan = true,
					      .devices = (const char *const *)argv + 2,
					      .nr_devices = argc > 2 ? (unsigned int)argc - 2 : 0 };
	struct btrfs_trans_handle *trans;
	struct btrfs_fs_info *fs_info;
	int ret;

	if (argc < 2 || btrfs_open_fs(argv[1], &args, &fs_info))
		return 1;
	ret = btrfs_start_transaction(fs_info, &trans);
	if (!ret) {
		ret = convert(trans);
		if (ret)
			btrfs_abort_transaction(trans, ret);
		ret = ret ? btrfs_end_transaction(trans) : btrfs_commit_transaction(trans);
	}
	if (ret)
		error("block group tree: %s", errno_text(ret));
	btrfs_close_fs(fs_info);
	return ret ? 1 : 0;
}
