// SPDX-License-Identifier: GPL-2.0-only
/*
 * Holes: where a file that the receiver has from the parent has no data any
 * more.  A new file needs nothing of this, as what is not written is a hole.
 */
#include <linux/falloc.h>

#include "kernel-shared/file-item.h"
#include "kernel-shared/send-internal.h"

bool send_need_hole(const struct send_ctx *sctx)
{
	return sctx->parent_root && !sctx->cur_inode_new && !sctx->cur_inode_new_gen &&
	       !sctx->cur_inode_deleted && S_ISREG(sctx->cur_inode_mode);
}

/* Everything from the last extent to @end is a hole now, and was not in the parent. */
static int send_hole(struct send_ctx *sctx, u64 end)
{
	u64 offset = sctx->cur_inode_last_extent;
	int ret;

	/* Protocol 1 knows no holes: they are written as zeroes. */
	if (sctx->proto >= 2)
		return send_cmd_fallocate(sctx, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset,
					  end - offset);
	if (offset >= sctx->cur_inode_size)
		return 0;
	end = min(end, sctx->cur_inode_size);
	if (sctx->flags & BTRFS_SEND_FLAG_NO_FILE_DATA)
		return send_cmd_update_extent(sctx, offset, end - offset);
	ret = send_write_zeroes(sctx, offset, end - offset);
	sctx->cur_inode_next_write_offset = end;
	return ret;
}

/* Set cur_inode_last_extent to the end of the last extent that starts at or before @offset. */
static int get_last_extent(struct send_ctx *sctx, u64 offset)
{
	struct btrfs_key key = { sctx->cur_ino, BTRFS_EXTENT_DATA_KEY, offset };
	struct btrfs_path path = { 0 };
	int ret = btrfs_search_slot_for_read(sctx->send_root, &key, &path, true);

	sctx->cur_inode_last_extent = 0;
	if (ret == 0) {
		btrfs_item_key_to_cpu(path.nodes[0], &key, path.slots[0]);
		if (key.objectid == sctx->cur_ino && key.type == BTRFS_EXTENT_DATA_KEY)
			sctx->cur_inode_last_extent = btrfs_file_extent_end(path.nodes[0],
									    path.slots[0]);
	}
	btrfs_release_path(&path);
	return min(ret, 0);
}

/* 1: the parent has nothing but holes in [start, end) of the inode in hand. */
static int range_is_hole_in_parent(struct send_ctx *sctx, u64 start, u64 end)
{
	struct btrfs_key key = { sctx->cur_ino, BTRFS_EXTENT_DATA_KEY, start };
	struct btrfs_root *root = sctx->parent_root;
	struct btrfs_path path = { 0 };
	int is_hole = 1, ret;

	ret = btrfs_search_slot_for_read(root, &key, &path, true);
	if (ret > 0)	/* nothing before it; begin with what follows */
		ret = btrfs_search_slot_for_read(root, &key, &path, false);
	for (; ret == 0 && start < end; ret = btrfs_next_item(root, &path)) {
		const struct btrfs_file_extent_item *fi;
		u64 extent_end;

		btrfs_item_key_to_cpu(path.nodes[0], &key, path.slots[0]);
		if (key.objectid < sctx->cur_ino || key.type < BTRFS_EXTENT_DATA_KEY)
			continue;
		if (key.objectid > sctx->cur_ino || key.type > BTRFS_EXTENT_DATA_KEY ||
		    key.offset >= end)
			break;
		extent_end = btrfs_file_extent_end(path.nodes[0], path.slots[0]);
		if (extent_end <= start)
			continue;
		fi = btrfs_item_ptr(path.nodes[0], path.slots[0], struct btrfs_file_extent_item);
		if (btrfs_file_extent_type(path.nodes[0], fi) == BTRFS_FILE_EXTENT_INLINE ||
		    btrfs_file_extent_disk_bytenr(path.nodes[0], fi) != 0) {
			is_hole = 0;
			break;
		}
		start = extent_end;
	}
	btrfs_release_path(&path);
	return ret < 0 ? ret : is_hole;
}

/* Send the gap between the last extent and @end, if the parent had data there. */
static int hole_up_to(struct send_ctx *sctx, u64 end)
{
	int ret;

	if (sctx->cur_inode_last_extent >= end)
		return 0;
	ret = range_is_hole_in_parent(sctx, sctx->cur_inode_last_extent, end);
	if (ret)
		return min(ret, 0);
	return send_hole(sctx, end);
}

int send_maybe_hole(struct send_ctx *sctx, const struct btrfs_path *path,
		    const struct btrfs_key *key)
{
	int ret;

	if (sctx->cur_ino != key->objectid || !send_need_hole(sctx))
		return 0;
	/*
	 * At the beginning of a leaf, leaves that both trees share may have been
	 * skipped, and extents of the file with them.
	 */
	if (sctx->cur_inode_last_extent == (u64)-1 ||
	    (path->slots[0] == 0 && sctx->cur_inode_last_extent < key->offset)) {
		ret = get_last_extent(sctx, key->offset - 1);
		if (ret)
			return ret;
	}
	ret = hole_up_to(sctx, key->offset);
	sctx->cur_inode_last_extent = btrfs_file_extent_end(path->nodes[0], path->slots[0]);
	return ret;
}

int send_final_hole(struct send_ctx *sctx)
{
	int ret;

	if (sctx->cur_inode_last_extent == (u64)-1 ||
	    sctx->cur_inode_last_extent < sctx->cur_inode_size) {
		ret = get_last_extent(sctx, (u64)-1);
		if (ret)
			return ret;
	}
	return hole_up_to(sctx, sctx->cur_inode_size);
}
