// SPDX-License-Identifier: GPL-2.0-only
/*
 * Making subvolumes and snapshots, and taking their entries away.
 */
#include "kernel-shared/subvolume.h"

#include <errno.h>
#include <sys/stat.h>
#include <uuid/uuid.h>

#include "kernel-shared/accessors-set.h"
#include "kernel-shared/dir-item.h"
#include "kernel-shared/disk-io.h"
#include "kernel-shared/extent-tree.h"
#include "kernel-shared/inode-item.h"
#include "kernel-shared/root-tree.h"
#include "kernel-shared/transaction.h"
#include "kernel-shared/uuid-tree.h"

static void set_uuid(struct btrfs_root_item *item, const u8 *uuid)
{
	if (uuid)
		memcpy(item->uuid, uuid, BTRFS_UUID_SIZE);
	else
		uuid_generate(item->uuid);
}

/* ---- the entry ---- */

static int check_place(const struct btrfs_subvol_place *place)
{
	struct btrfs_inode_item inode;
	struct btrfs_key location;
	int ret;

	if (place->name_len == 0 || place->name_len > BTRFS_NAME_LEN)
		return -EINVAL;
	ret = btrfs_lookup_inode(place->parent, place->dirid, &inode);
	if (ret)
		return ret;
	if (!S_ISDIR(le32toh(inode.mode)))
		return -ENOTDIR;
	ret = btrfs_lookup_dir_item(place->parent, place->dirid, place->name, place->name_len,
				    &location, NULL);
	return ret == 0 ? -EEXIST : ret == -ENOENT ? 0 : ret;
}

/* Each name counts twice in the size of a directory. */
static int change_dir_size(struct btrfs_trans_handle *trans, const struct btrfs_subvol_place *place,
			   s64 by)
{
	struct btrfs_inode_item inode;
	int ret = btrfs_lookup_inode(place->parent, place->dirid, &inode);

	if (ret)
		return ret;
	inode.size = htole64(le64toh(inode.size) + (u64)(by * 2));
	inode.mtime = inode.ctime = btrfs_current_time();
	inode.transid = htole64(trans->transid);
	inode.sequence = htole64(le64toh(inode.sequence) + 1);
	return btrfs_update_inode(trans, place->parent, place->dirid, &inode);
}

static int add_entry(struct btrfs_trans_handle *trans, const struct btrfs_subvol_place *place,
		     const struct btrfs_key *location)
{
	u64 index;
	int ret = btrfs_next_dir_index(place->parent, place->dirid, &index);

	if (!ret)
		ret = btrfs_insert_dir_entry(trans, place->parent, place->dirid, place->name,
					     place->name_len, location, BTRFS_FT_DIR, index);
	if (!ret)
		ret = btrfs_add_root_ref(trans, location->objectid, btrfs_root_id(place->parent),
					 place->dirid, index, place->name, place->name_len);
	return ret ? ret : change_dir_size(trans, place, (s64)place->name_len);
}

/* ---- a new subvolume ---- */

static void init_root_item(struct btrfs_trans_handle *trans, const struct extent_buffer *leaf,
			   const u8 *uuid, struct btrfs_root_item *item)
{
	*item = (struct btrfs_root_item) {
		.inode = {
			.generation = htole64(1),
			.size = htole64(3),
			.nlink = htole32(1),
			.nbytes = htole64(leaf->len),
			.mode = htole32(S_IFDIR | 0755),
			.flags = htole64(BTRFS_INODE_ROOT_ITEM_INIT),
		},
		.root_dirid = htole64(BTRFS_FIRST_FREE_OBJECTID),
		.bytes_used = htole64(leaf->len),
		.refs = htole32(1),
		.ctransid = htole64(trans->transid),
		.otransid = htole64(trans->transid),
		.ctime = btrfs_current_time(),
	};
	item->otime = item->ctime;
	btrfs_set_root_node(item, leaf);
	set_uuid(item, uuid);
}

static int insert_root_dir(struct btrfs_trans_handle *trans, struct btrfs_root *root)
{
	const u64 ino = BTRFS_FIRST_FREE_OBJECTID;
	struct btrfs_inode_item inode = {
		.generation = htole64(trans->transid),
		.transid = htole64(trans->transid),
		.nlink = htole32(1),
		.mode = htole32(S_IFDIR | 0755),
		.atime = btrfs_current_time(),
	};
	int ret;

	inode.ctime = inode.mtime = inode.otime = inode.atime;
	ret = btrfs_insert_inode(trans, root, ino, &inode);
	return ret ? ret : btrfs_insert_inode_ref(trans, root, ino, ino, 0, "..", 2);
}

/* The tree with its one leaf and its root item, opened. */
static int create_tree(struct btrfs_trans_handle *trans, const struct btrfs_key *key,
		       const u8 *uuid, struct btrfs_root **ret_root)
{
	struct btrfs_root new_root = { .fs_info = trans->fs_info, .root_key = *key };
	struct btrfs_root_item item;
	struct extent_buffer *leaf;
	int ret = btrfs_alloc_tree_block(trans, &new_root, 0, NULL, 0, 0, 0, &leaf);

	if (ret)
		return ret;
	init_root_item(trans, leaf, uuid, &item);
	ret = btrfs_insert_root(trans, key, &item);
	free_extent_buffer(leaf);
	return ret ? ret : btrfs_get_fs_root(trans->fs_info, key->objectid, ret_root);
}

static int create_subvol(struct btrfs_trans_handle *trans, const struct btrfs_subvol_place *place,
			 const struct btrfs_key *key, const u8 *uuid)
{
	struct btrfs_root *root;
	int ret = create_tree(trans, key, uuid, &root);

	if (!ret)
		ret = insert_root_dir(trans, root);
	if (!ret)
		ret = add_entry(trans, place, key);
	if (!ret)
		ret = btrfs_uuid_tree_add(trans, root->root_item.uuid, BTRFS_UUID_KEY_SUBVOL,
					  key->objectid);
	return ret;
}

int btrfs_create_subvol(struct btrfs_trans_handle *trans, const struct btrfs_subvol_place *place,
			const u8 *uuid, u64 *objectid)
{
	struct btrfs_key key = { .type = BTRFS_ROOT_ITEM_KEY };
	int ret = check_place(place);

	if (!ret)
		ret = btrfs_get_free_objectid(trans->fs_info->tree_root, &key.objectid);
	if (ret)
		return ret;
	ret = create_subvol(trans, place, &key, uuid);
	if (ret)
		btrfs_abort_transaction(trans, ret);
	*objectid = key.objectid;
	return ret;
}

/* ---- a snapshot ---- */

static void init_snapshot_item(struct btrfs_trans_handle *trans, const struct btrfs_root *source,
			       bool readonly, const u8 *uuid, struct btrfs_root_item *item)
{
	u64 flags = le64toh(source->root_item.flags) & ~BTRFS_ROOT_SUBVOL_RDONLY;

	*item = source->root_item;
	item->flags = htole64(readonly ? flags | BTRFS_ROOT_SUBVOL_RDONLY : flags);
	memcpy(item->parent_uuid, source->root_item.uuid, BTRFS_UUID_SIZE);
	set_uuid(item, uuid);
	item->otime = btrfs_current_time();
	item->otransid = htole64(trans->transid);
	memset(&item->drop_progress, 0, sizeof(item->drop_progress));
	item->drop_level = 0;
	if (readonly)
		return;
	/* What is received and then changed is no longer what was received. */
	memset(item->received_uuid, 0, sizeof(item->received_uuid));
	memset(&item->stime, 0, sizeof(item->stime));
	memset(&item->rtime, 0, sizeof(item->rtime));
	item->stransid = item->rtransid = 0;
}

/* The tree of the snapshot: a copy of the root node, all below is shared. */
static int copy_tree(struct btrfs_trans_handle *trans, struct btrfs_root *source,
		     const struct btrfs_key *key, struct btrfs_root_item *item)
{
	struct extent_buffer *cow, *copy;
	int ret = btrfs_cow_block(trans, source, source->node, NULL, 0, &cow);

	if (ret)
		return ret;
	ret = btrfs_copy_root(trans, source, cow, key->objectid, &copy);
	free_extent_buffer(cow);
	if (ret)
		return ret;
	btrfs_set_root_node(item, copy);
	free_extent_buffer(copy);
	source->force_cow = true;
	ret = btrfs_add_dirty_root(trans, source);
	return ret ? ret : btrfs_insert_root(trans, key, item);
}

static int create_snapshot(struct btrfs_trans_handle *trans, struct btrfs_root *source,
			   const struct btrfs_subvol_place *place, const struct btrfs_key *key,
			   struct btrfs_root_item *item)
{
	struct btrfs_key location = *key;
	struct btrfs_root *root;
	int ret = copy_tree(trans, source, key, item);

	if (!ret)
		ret = btrfs_get_fs_root(trans->fs_info, key->objectid, &root);
	if (ret)
		return ret;
	root->force_cow = true;
	location.offset = (u64)-1;
	ret = add_entry(trans, place, &location);
	if (!ret)
		ret = btrfs_uuid_tree_add(trans, item->uuid, BTRFS_UUID_KEY_SUBVOL, key->objectid);
	if (!ret)
		ret = btrfs_uuid_tree_add(trans, item->received_uuid,
					  BTRFS_UUID_KEY_RECEIVED_SUBVOL, key->objectid);
	return ret;
}

int btrfs_create_snapshot(struct btrfs_trans_handle *trans, struct btrfs_root *source,
			  const struct btrfs_subvol_place *place, bool readonly, const u8 *uuid,
			  u64 *objectid)
{
	struct btrfs_key key = { .type = BTRFS_ROOT_ITEM_KEY, .offset = trans->transid };
	struct btrfs_root_item item;
	int ret = check_place(place);

	/* The source was made in this transaction: see ctree-cow.c. */
	if (!ret && (source->root_key.offset == trans->transid ||
		     place->parent->root_key.offset == trans->transid))
		ret = -EBUSY;
	if (!ret)
		ret = btrfs_get_free_objectid(trans->fs_info->tree_root, &key.objectid);
	if (ret)
		return ret;
	/* From here on blocks of this age and older may be shared. */
	source->root_item.last_snapshot = htole64(trans->transid);
	init_snapshot_item(trans, source, readonly, uuid, &item);
	ret = create_snapshot(trans, source, place, &key, &item);
	if (ret)
		btrfs_abort_transaction(trans, ret);
	*objectid = key.objectid;
	return ret;
}

/* ---- away with it ---- */

static int find_subvol(const struct btrfs_subvol_place *place, struct btrfs_root **root)
{
	struct btrfs_key location;
	int ret = btrfs_lookup_dir_item(place->parent, place->dirid, place->name, place->name_len,
					&location, NULL);

	if (ret)
		return ret;
	if (location.type != BTRFS_ROOT_ITEM_KEY)
		return -ENOENT;
	return btrfs_get_fs_root(place->parent->fs_info, location.objectid, root);
}

/* 1: another subvolume has its entry in this one. */
static int has_subvols(struct btrfs_root *root)
{
	const struct btrfs_key key = { btrfs_root_id(root), BTRFS_ROOT_REF_KEY, 0 };
	struct btrfs_path path = { 0 };
	struct btrfs_key found;
	int ret = btrfs_search_slot_for_read(root->fs_info->tree_root, &key, &path, false);

	if (ret == 0) {
		btrfs_item_key_to_cpu(path.nodes[0], &found, path.slots[0]);
		ret = found.objectid == key.objectid && found.type == key.type;
	} else if (ret > 0) {
		ret = 0;
	}
	btrfs_release_path(&path);
	return ret;
}

static int may_delete(struct btrfs_root *root)
{
	struct btrfs_fs_info *fs_info = root->fs_info;
	struct btrfs_key location;
	int ret = btrfs_lookup_dir_item(fs_info->tree_root,
					le64toh(fs_info->super_copy.root_dir_objectid), "default",
					7, &location, NULL);

	if (ret == 0 && location.objectid == btrfs_root_id(root))
		return -EPERM;
	if (ret && ret != -ENOENT)
		return ret;
	ret = has_subvols(root);
	return ret > 0 ? -ENOTEMPTY : ret;
}

static int remove_entry(struct btrfs_trans_handle *trans, const struct btrfs_subvol_place *place,
			u64 objectid)
{
	u64 index;
	int ret = btrfs_del_root_ref(trans, objectid, btrfs_root_id(place->parent), place->dirid,
				     &index, place->name, place->name_len);

	if (!ret)
		ret = btrfs_delete_dir_entry(trans, place->parent, place->dirid, place->name,
					     place->name_len, index);
	return ret ? ret : change_dir_size(trans, place, -(s64)place->name_len);
}

static int mark_dead(struct btrfs_trans_handle *trans, struct btrfs_root *root)
{
	struct btrfs_root_item *item = &root->root_item;
	u64 objectid = btrfs_root_id(root);
	int ret;

	ret = btrfs_uuid_tree_remove(trans, item->uuid, BTRFS_UUID_KEY_SUBVOL, objectid);
	if (!ret)
		ret = btrfs_uuid_tree_remove(trans, item->received_uuid,
					     BTRFS_UUID_KEY_RECEIVED_SUBVOL, objectid);
	item->refs = 0;
	item->flags = htole64(le64toh(item->flags) | BTRFS_ROOT_SUBVOL_DEAD);
	memset(&item->drop_progress, 0, sizeof(item->drop_progress));
	item->drop_level = 0;
	if (!ret)
		ret = btrfs_insert_orphan_item(trans, trans->fs_info->tree_root, objectid);
	return ret ? ret : btrfs_add_dirty_root(trans, root);
}

int btrfs_delete_subvol(struct btrfs_trans_handle *trans, const struct btrfs_subvol_place *place,
			u64 *objectid)
{
	struct btrfs_root *root;
	int ret = find_subvol(place, &root);

	if (!ret)
		ret = may_delete(root);
	if (ret)
		return ret;
	ret = remove_entry(trans, place, btrfs_root_id(root));
	if (!ret)
		ret = mark_dead(trans, root);
	if (ret)
		btrfs_abort_transaction(trans, ret);
	if (objectid)
		*objectid = btrfs_root_id(root);
	return ret;
}
