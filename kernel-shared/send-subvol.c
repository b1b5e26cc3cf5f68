// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a stream calls a subvolume: the name that the receiver gives it, and the
 * UUID by which it is found again there.
 */
#include <errno.h>

#include "common/message.h"
#include "kernel-shared/ctree.h"
#include "kernel-shared/root-tree.h"
#include "kernel-shared/send.h"

#define TOP_LEVEL_NAME	"top-level"

static bool is_null_uuid(const u8 *uuid)
{
	static const u8 none[BTRFS_UUID_SIZE];

	return memcmp(uuid, none, sizeof(none)) == 0;
}

const u8 *btrfs_send_uuid(const struct btrfs_root *root)
{
	const struct btrfs_root_item *item = &root->root_item;

	/* What may have been changed since is no longer what was received. */
	if (!is_null_uuid(item->received_uuid) && btrfs_root_readonly(root))
		return item->received_uuid;
	/* The one subvolume that old versions of mkfs made without. */
	if (btrfs_root_id(root) == BTRFS_FS_TREE_OBJECTID && is_null_uuid(item->uuid))
		return root->fs_info->fsid;
	return item->uuid;
}

/* The top level has no name of its own: the label will do where it can be a name. */
static void top_level_name(const struct btrfs_fs_info *fs_info, char *name, u32 *len)
{
	const char *label = fs_info->super_copy.label;

	*len = (u32)strnlen(label, sizeof(fs_info->super_copy.label));
	if (*len == 0 || *len > BTRFS_NAME_LEN || memchr(label, '/', *len) ||
	    (*len == 1 && label[0] == '.') || (*len == 2 && memcmp(label, "..", 2) == 0)) {
		label = TOP_LEVEL_NAME;
		*len = strlen(TOP_LEVEL_NAME);
	}
	memcpy(name, label, *len);
}

/* Any other has the name of its first back reference; the tree-checker has seen that it fits. */
static int backref_name(struct btrfs_fs_info *fs_info, u64 objectid, char *name, u32 *len)
{
	struct btrfs_key key = { objectid, BTRFS_ROOT_BACKREF_KEY, 0 };
	const struct btrfs_root_ref *ref;
	struct btrfs_path path = { 0 };
	int ret = btrfs_search_slot_for_read(fs_info->tree_root, &key, &path, false);

	if (ret == 0)
		btrfs_item_key_to_cpu(path.nodes[0], &key, path.slots[0]);
	if (ret > 0 || key.objectid != objectid || key.type != BTRFS_ROOT_BACKREF_KEY)
		ret = -ENOENT;
	if (ret == 0) {
		ref = btrfs_item_ptr(path.nodes[0], path.slots[0], struct btrfs_root_ref);
		*len = btrfs_root_ref_name_len(path.nodes[0], ref);
		memcpy(name, ref + 1, *len);
	} else if (ret == -ENOENT) {
		error("cannot send subvolume %llu: it has no name (no back reference)", objectid);
	}
	btrfs_release_path(&path);
	return ret;
}

int btrfs_send_name(const struct btrfs_root *root, char name[BTRFS_NAME_LEN + 1], u32 *len)
{
	int ret = 0;

	if (btrfs_root_id(root) == BTRFS_FS_TREE_OBJECTID)
		top_level_name(root->fs_info, name, len);
	else
		ret = backref_name(root->fs_info, btrfs_root_id(root), name, len);
	if (ret == 0)
		name[*len] = '\0';
	return ret;
}
