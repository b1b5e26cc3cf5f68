// SPDX-License-Identifier: GPL-2.0-only
/*
 * Inode items, inode references, orphan items.
 *
 * An INODE_REF item holds all names that an inode has in one directory.  When
 * it is as long as a leaf allows, further names become items of their own, keyed
 * by a hash (INODE_EXTREF), where those of one hash share an item.
 */
#include "kernel-shared/inode-item.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "kernel-shared/accessors-set.h"
#include "kernel-shared/dir-item.h"
#include "kernel-shared/root-tree.h"
#include "kernel-shared/transaction.h"

struct btrfs_timespec btrfs_current_time(void)
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	struct timespec now = { 0 };

	if (epoch && *epoch)
		now.tv_sec = strtoll(epoch, NULL, 10);
	else
		clock_gettime(CLOCK_REALTIME, &now);
	return (struct btrfs_timespec) {
		.sec = htole64((u64)now.tv_sec),
		.nsec = htole32((u32)now.tv_nsec),
	};
}

/* ---- inodes ---- */

int btrfs_lookup_inode(struct btrfs_root *root, u64 ino, struct btrfs_inode_item *item)
{
	const struct btrfs_key key = { ino, BTRFS_INODE_ITEM_KEY, 0 };
	struct btrfs_path path = { 0 };
	int ret = btrfs_search_slot(root, &key, &path);

	if (ret == 0)
		memcpy(item, btrfs_item_data(path.nodes[0], path.slots[0]), sizeof(*item));
	btrfs_release_path(&path);
	return ret > 0 ? -ENOENT : ret;
}

int btrfs_insert_inode(struct btrfs_trans_handle *trans, struct btrfs_root *root, u64 ino,
		       const struct btrfs_inode_item *item)
{
	const struct btrfs_key key = { ino, BTRFS_INODE_ITEM_KEY, 0 };
	int ret = btrfs_insert_item(trans, root, &key, item, sizeof(*item));

	return ret ? ret : btrfs_update_root_times(trans, root);
}

int btrfs_update_inode(struct btrfs_trans_handle *trans, struct btrfs_root *root, u64 ino,
		       const struct btrfs_inode_item *item)
{
	const struct btrfs_key key = { ino, BTRFS_INODE_ITEM_KEY, 0 };
	struct btrfs_path path = { 0 };
	int ret = btrfs_search_slot_cow(trans, root, &key, &path, 0);

	if (ret == 0)
		write_extent_buffer(path.nodes[0], item,
				    btrfs_item_data_mut(path.nodes[0], path.slots[0]),
				    sizeof(*item));
	btrfs_release_path(&path);
	if (ret)
		return ret > 0 ? -ENOENT : ret;
	return btrfs_update_root_times(trans, root);
}

/* ---- names ---- */

/* One name, in either kind of item. */
struct ref_name {
	u64 parent;
	u64 index;
	const void *name;
	size_t len;
	bool extended;
};

static struct btrfs_key ref_key(u64 ino, const struct ref_name *ref)
{
	return (struct btrfs_key) {
		.objectid = ino,
		.type = ref->extended ? BTRFS_INODE_EXTREF_KEY : BTRFS_INODE_REF_KEY,
		.offset = ref->extended ? btrfs_extref_hash(ref->parent, ref->name, ref->len) :
					  ref->parent,
	};
}

static u32 ref_header_size(bool extended)
{
	return extended ? (u32)sizeof(struct btrfs_inode_extref) :
			  (u32)sizeof(struct btrfs_inode_ref);
}

/* Where in the item the name stands, in bytes, and how many bytes it takes.  -ENOENT. */
static int find_ref(const struct extent_buffer *leaf, u32 slot, const struct ref_name *ref,
		    u32 *found_at, u32 *found_size, u64 *index)
{
	const u8 *item = btrfs_item_data(leaf, slot);
	u32 size = btrfs_item_size(leaf, slot), head = ref_header_size(ref->extended);

	if (!eb_holds(leaf, item, size))
		return -EUCLEAN;
	for (u32 at = 0; at + head <= size;) {
		const struct btrfs_inode_ref *plain = (const void *)(item + at);
		const struct btrfs_inode_extref *ext = (const void *)(item + at);
		u32 len = ref->extended ? btrfs_inode_extref_name_len(leaf, ext) :
					  btrfs_inode_ref_name_len(leaf, plain);
		u64 parent = ref->extended ? btrfs_inode_extref_parent(leaf, ext) : ref->parent;

		if (len > size - at - head)
			return -EUCLEAN;
		if (parent == ref->parent && len == ref->len &&
		    memcmp(item + at + head, ref->name, len) == 0) {
			*found_at = at;
			*found_size = head + len;
			if (index)
				*index = ref->extended ? btrfs_inode_extref_index(leaf, ext) :
							 btrfs_inode_ref_index(leaf, plain);
			return 0;
		}
		at += head + len;
	}
	return -ENOENT;
}

static void write_ref(struct extent_buffer *leaf, u8 *at, const struct ref_name *ref)
{
	struct btrfs_inode_ref *plain = (void *)at;
	struct btrfs_inode_extref *ext = (void *)at;

	if (ref->extended) {
		btrfs_set_inode_extref_parent(leaf, ext, ref->parent);
		btrfs_set_inode_extref_index(leaf, ext, ref->index);
		btrfs_set_inode_extref_name_len(leaf, ext, (u16)ref->len);
	} else {
		btrfs_set_inode_ref_index(leaf, plain, ref->index);
		btrfs_set_inode_ref_name_len(leaf, plain, (u16)ref->len);
	}
	write_extent_buffer(leaf, ref->name, at + ref_header_size(ref->extended), ref->len);
}

/* -EOVERFLOW: the item would get longer than a leaf. */
static int insert_ref(struct btrfs_trans_handle *trans, struct btrfs_root *root, u64 ino,
		      const struct ref_name *ref)
{
	u32 bytes = ref_header_size(ref->extended) + (u32)ref->len;
	const struct btrfs_key key = ref_key(ino, ref);
	struct btrfs_path path = { .search_for_extension = true };
	u32 old_size = 0, at, size;
	int ret;

	ret = btrfs_search_slot_cow(trans, root, &key, &path,
				    (int)(bytes + sizeof(struct btrfs_item)));
	if (ret < 0)
		return ret;
	if (ret == 0) {
		ret = find_ref(path.nodes[0], path.slots[0], ref, &at, &size, NULL);
		if (ret != -ENOENT) {
			btrfs_release_path(&path);
			return ret ? ret : -EEXIST;
		}
		old_size = btrfs_item_size(path.nodes[0], path.slots[0]);
		btrfs_extend_item(&path, bytes);
	} else {
		const struct btrfs_item_batch batch = { &key, &bytes, 1 };

		btrfs_setup_items_for_insert(&path, &batch);
	}
	write_ref(path.nodes[0], (u8 *)btrfs_item_data_mut(path.nodes[0], path.slots[0]) + old_size,
		  ref);
	btrfs_release_path(&path);
	return 0;
}

int btrfs_insert_inode_ref(struct btrfs_trans_handle *trans, struct btrfs_root *root, u64 ino,
			   u64 parent, u64 index, const void *name, size_t name_len)
{
	struct ref_name ref = { .parent = parent, .index = index, .name = name, .len = name_len };
	int ret = insert_ref(trans, root, ino, &ref);

	if (ret != -EOVERFLOW)
		return ret;
	if (!btrfs_fs_incompat(trans->fs_info, BTRFS_FEATURE_INCOMPAT_EXTENDED_IREF))
		return -EMLINK;
	ref.extended = true;
	ret = insert_ref(trans, root, ino, &ref);
	return ret == -EOVERFLOW ? -EMLINK : ret;
}

/* Take @size bytes at @at out of the item, or the item itself if that is all of it. */
static int cut_item(struct btrfs_trans_handle *trans, struct btrfs_root *root,
		    struct btrfs_path *path, u32 at, u32 size)
{
	struct extent_buffer *leaf = path->nodes[0];
	u32 item_size = btrfs_item_size(leaf, path->slots[0]);
	u8 *data = btrfs_item_data_mut(leaf, path->slots[0]);

	if (size == item_size)
		return btrfs_del_item(trans, root, path);
	memmove_extent_buffer(leaf, data + at, data + at + size, item_size - at - size);
	btrfs_truncate_item(path, item_size - size, true);
	return 0;
}

static int del_ref(struct btrfs_trans_handle *trans, struct btrfs_root *root, u64 ino,
		   const struct ref_name *ref, u64 *index)
{
	const struct btrfs_key key = ref_key(ino, ref);
	struct btrfs_path path = { 0 };
	u32 at, size;
	int ret = btrfs_search_slot_cow(trans, root, &key, &path, -1);

	if (ret > 0)
		ret = -ENOENT;
	if (!ret)
		ret = find_ref(path.nodes[0], path.slots[0], ref, &at, &size, index);
	if (!ret)
		ret = cut_item(trans, root, &path, at, size);
	btrfs_release_path(&path);
	return ret;
}

int btrfs_del_inode_ref(struct btrfs_trans_handle *trans, struct btrfs_root *root, u64 ino,
			u64 parent, u64 *index, const void *name, size_t name_len)
{
	struct ref_name ref = { .parent = parent, .name = name, .len = name_len };
	int ret = del_ref(trans, root, ino, &ref, index);

	if (ret != -ENOENT)
		return ret;
	ref.extended = true;
	return del_ref(trans, root, ino, &ref, index);
}

/* ---- orphans ---- */

int btrfs_insert_orphan_item(struct btrfs_trans_handle *trans, struct btrfs_root *root, u64 ino)
{
	const struct btrfs_key key = { BTRFS_ORPHAN_OBJECTID, BTRFS_ORPHAN_ITEM_KEY, ino };

	return btrfs_insert_item(trans, root, &key, NULL, 0);
}

int btrfs_del_orphan_item(struct btrfs_trans_handle *trans, struct btrfs_root *root, u64 ino)
{
	const struct btrfs_key key = { BTRFS_ORPHAN_OBJECTID, BTRFS_ORPHAN_ITEM_KEY, ino };

	return btrfs_del_item_by_key(trans, root, &key);
}
