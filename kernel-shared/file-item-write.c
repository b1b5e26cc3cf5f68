// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changing file extent items: new ones, and cutting what is there.
 */
#include <errno.h>

#include "kernel-shared/accessors-set.h"
#include "kernel-shared/extent-tree.h"
#include "kernel-shared/file-item.h"
#include "kernel-shared/transaction.h"

int btrfs_insert_file_extent(struct btrfs_trans_handle *trans, struct btrfs_root *root, u64 ino,
			     const struct btrfs_new_file_extent *extent)
{
	const struct btrfs_key key = { ino, BTRFS_EXTENT_DATA_KEY, extent->offset };
	const struct btrfs_file_extent_item item = {
		.generation = htole64(trans->transid),
		.ram_bytes = htole64(extent->ram_bytes),
		.compression = extent->compression,
		.type = extent->prealloc ? BTRFS_FILE_EXTENT_PREALLOC : BTRFS_FILE_EXTENT_REG,
		.disk_bytenr = htole64(extent->disk_bytenr),
		.disk_num_bytes = htole64(extent->disk_num_bytes),
		.offset = htole64(extent->extent_offset),
		.num_bytes = htole64(extent->num_bytes),
	};

	return btrfs_insert_item(trans, root, &key, &item, sizeof(item));
}

int btrfs_insert_inline_extent(struct btrfs_trans_handle *trans, struct btrfs_root *root, u64 ino,
			       const void *data, u32 size, u64 ram_bytes, u8 compression)
{
	const struct btrfs_key key = { ino, BTRFS_EXTENT_DATA_KEY, 0 };
	const u32 head = (u32)BTRFS_FILE_EXTENT_INLINE_DATA_START;
	const struct btrfs_file_extent_item item = {
		.generation = htole64(trans->transid),
		.ram_bytes = htole64(ram_bytes),
		.compression = compression,
		.type = BTRFS_FILE_EXTENT_INLINE,
	};
	struct btrfs_path path = { 0 };
	u8 *to;
	int ret;

	if (size > trans->fs_info->nodesize)
		return -EOVERFLOW;
	ret = btrfs_insert_empty_item(trans, root, &path, &key, head + size);
	if (ret)
		return ret;
	to = btrfs_item_data_mut(path.nodes[0], path.slots[0]);
	write_extent_buffer(path.nodes[0], &item, to, head);
	write_extent_buffer(path.nodes[0], data, to + head, size);
	btrfs_release_path(&path);
	return 0;
}

/* ---- cutting ---- */

/* An extent item of the file, in host order. */
struct file_extent {
	struct btrfs_key key;
	u64 end;
	u64 disk_bytenr;
	u64 disk_num_bytes;
	u64 extent_offset;
	u64 num_bytes;		/* inline: as nbytes counts it */
	bool is_inline;
};

static void take_extent(const struct btrfs_path *path, struct file_extent *extent)
{
	const struct extent_buffer *leaf = path->nodes[0];
	const struct btrfs_file_extent_item *fi =
		btrfs_item_ptr(leaf, path->slots[0], struct btrfs_file_extent_item);

	btrfs_item_key_to_cpu(leaf, &extent->key, path->slots[0]);
	extent->end = btrfs_file_extent_end(leaf, path->slots[0]);
	extent->is_inline = btrfs_file_extent_type(leaf, fi) == BTRFS_FILE_EXTENT_INLINE;
	if (extent->is_inline) {
		extent->num_bytes = btrfs_file_extent_ram_bytes(leaf, fi);
		return;
	}
	extent->disk_bytenr = btrfs_file_extent_disk_bytenr(leaf, fi);
	extent->disk_num_bytes = btrfs_file_extent_disk_num_bytes(leaf, fi);
	extent->extent_offset = btrfs_file_extent_offset(leaf, fi);
	extent->num_bytes = btrfs_file_extent_num_bytes(leaf, fi);
}

static bool is_extent_of(const struct btrfs_path *path, u64 ino, struct btrfs_key *key)
{
	if (path->slots[0] >= path->nodes[0]->nritems)
		return false;
	btrfs_item_key_to_cpu(path->nodes[0], key, path->slots[0]);
	return key->objectid == ino && key->type == BTRFS_EXTENT_DATA_KEY;
}

/* The first extent that lies in [start, end), wholly or in part.  1: none. */
static int find_extent(struct btrfs_root *root, u64 ino, u64 start, u64 end,
		       struct file_extent *extent)
{
	struct btrfs_key key = { ino, BTRFS_EXTENT_DATA_KEY, start };
	struct btrfs_path path = { 0 };
	int ret;

	ret = btrfs_search_slot_for_read(root, &key, &path, true);
	/* Before @start the last one counts only if it reaches in. */
	if (ret == 0 && (!is_extent_of(&path, ino, &key) ||
			 btrfs_file_extent_end(path.nodes[0], path.slots[0]) <= start))
		ret = btrfs_next_item(root, &path);
	else if (ret == 1)
		ret = path.nodes[0]->nritems ? 0 : 1;
	if (ret == 0 && (!is_extent_of(&path, ino, &key) || key.offset >= end))
		ret = 1;
	if (ret == 0)
		take_extent(&path, extent);
	btrfs_release_path(&path);
	return ret;
}

static void extent_ref(struct btrfs_root *root, const struct file_extent *extent,
		       struct btrfs_ref *ref)
{
	btrfs_init_data_ref(ref, extent->disk_bytenr, extent->disk_num_bytes, 0,
			    btrfs_root_id(root), extent->key.objectid,
			    extent->key.offset - extent->extent_offset);
}

static int drop_whole(struct btrfs_trans_handle *trans, struct btrfs_root *root,
		      const struct file_extent *extent)
{
	struct btrfs_ref ref;
	int ret = btrfs_del_item_by_key(trans, root, &extent->key);

	if (ret || extent->is_inline || !extent->disk_bytenr)
		return ret;
	extent_ref(root, extent, &ref);
	return btrfs_free_extent(trans, &ref);
}

/* The item at the key of @extent, COWed. */
static int search_extent(struct btrfs_trans_handle *trans, struct btrfs_root *root,
			 const struct file_extent *extent, struct btrfs_path *path)
{
	int ret = btrfs_search_slot_cow(trans, root, &extent->key, path, 0);

	if (ret <= 0)
		return ret;
	btrfs_release_path(path);
	return -EUCLEAN;
}

static int cut_end(struct btrfs_trans_handle *trans, struct btrfs_root *root,
		   const struct file_extent *extent, u64 new_end)
{
	struct btrfs_path path = { 0 };
	struct btrfs_file_extent_item *fi;
	int ret = search_extent(trans, root, extent, &path);

	if (ret)
		return ret;
	fi = btrfs_item_ptr_mut(path.nodes[0], path.slots[0], struct btrfs_file_extent_item);
	btrfs_set_file_extent_num_bytes(path.nodes[0], fi, new_end - extent->key.offset);
	btrfs_set_file_extent_generation(path.nodes[0], fi, trans->transid);
	btrfs_release_path(&path);
	return 0;
}

static int cut_start(struct btrfs_trans_handle *trans, struct btrfs_root *root,
		     const struct file_extent *extent, u64 new_start)
{
	u64 by = new_start - extent->key.offset;
	struct btrfs_key key = extent->key;
	struct btrfs_path path = { 0 };
	struct btrfs_file_extent_item *fi;
	int ret = search_extent(trans, root, extent, &path);

	if (ret)
		return ret;
	key.offset = new_start;
	ret = btrfs_set_item_key_safe(&path, &key);
	if (!ret) {
		fi = btrfs_item_ptr_mut(path.nodes[0], path.slots[0],
					struct btrfs_file_extent_item);
		btrfs_set_file_extent_num_bytes(path.nodes[0], fi, extent->num_bytes - by);
		btrfs_set_file_extent_offset(path.nodes[0], fi, extent->extent_offset + by);
		btrfs_set_file_extent_generation(path.nodes[0], fi, trans->transid);
	}
	btrfs_release_path(&path);
	return ret;
}

/* The part behind @end becomes an item, and a reference, of its own. */
static int split_off(struct btrfs_trans_handle *trans, struct btrfs_root *root,
		     const struct file_extent *extent, u64 end)
{
	u64 by = end - extent->key.offset;
	struct btrfs_key key = extent->key;
	struct btrfs_path path = { 0 };
	struct btrfs_file_extent_item *fi;
	struct btrfs_ref ref;
	int ret = search_extent(trans, root, extent, &path);

	if (ret)
		return ret;
	key.offset = end;
	ret = btrfs_duplicate_item(trans, root, &path, &key);
	if (ret)
		return ret;
	fi = btrfs_item_ptr_mut(path.nodes[0], path.slots[0], struct btrfs_file_extent_item);
	btrfs_set_file_extent_num_bytes(path.nodes[0], fi, extent->num_bytes - by);
	btrfs_set_file_extent_offset(path.nodes[0], fi, extent->extent_offset + by);
	btrfs_set_file_extent_generation(path.nodes[0], fi, trans->transid);
	btrfs_release_path(&path);
	if (!extent->disk_bytenr)
		return 0;
	extent_ref(root, extent, &ref);
	return btrfs_inc_extent_ref(trans, &ref);
}

static int drop_one(struct btrfs_trans_handle *trans, struct btrfs_root *root,
		    const struct file_extent *extent, u64 start, u64 end)
{
	bool keeps_start = extent->key.offset < start, keeps_end = extent->end > end;
	int ret;

	if (!keeps_start && !keeps_end)
		return drop_whole(trans, root, extent);
	if (extent->is_inline)
		return -EOPNOTSUPP;
	if (!keeps_start)
		return cut_start(trans, root, extent, end);
	if (keeps_end) {
		ret = split_off(trans, root, extent, end);
		if (ret)
			return ret;
	}
	return cut_end(trans, root, extent, start);
}

int btrfs_drop_extents(struct btrfs_trans_handle *trans, struct btrfs_root *root, u64 ino,
		       u64 start, u64 end, u64 *bytes_dropped)
{
	struct file_extent extent;
	u64 dropped = 0;
	bool changed = false;
	int ret;

	while ((ret = find_extent(root, ino, start, end, &extent)) == 0) {
		ret = drop_one(trans, root, &extent, start, end);
		if (ret)
			break;
		changed = true;
		if (extent.is_inline)
			dropped += extent.num_bytes;
		else if (extent.disk_bytenr)
			dropped += min(end, extent.end) - max(start, extent.key.offset);
	}
	if (ret < 0 && changed)
		btrfs_abort_transaction(trans, ret);
	if (bytes_dropped)
		*bytes_dropped = dropped;
	return min(ret, 0);
}
