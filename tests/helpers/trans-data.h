/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The operations of trans-workload.c that change what is in files.
 */
#ifndef TESTS_HELPERS_TRANS_DATA_H
#define TESTS_HELPERS_TRANS_DATA_H

#include "kernel-shared/disk-io.h"
#include "kernel-shared/extent-tree.h"
#include "kernel-shared/file-item.h"
#include "kernel-shared/volumes-write.h"
#include "tests/helpers/trans-common.h"

/* ---- data ---- */

struct piece {
	u64 start;
	u64 len;
};

static inline void free_pieces(struct workload *w, const struct vec *pieces)
{
	const struct piece *piece;

	vec_for_each(pieces, piece)
		btrfs_free_reserved_extent(w->fs_info, piece->start, piece->len);
}

/* All the space first, so that nothing is half done when there is none. */
static inline int reserve_pieces(struct workload *w, u64 len, struct vec *pieces)
{
	while (len) {
		struct piece piece;
		int ret = btrfs_reserve_extent(w->trans, len, w->fs_info->sectorsize, 0,
					       &piece.start, &piece.len);

		if (!ret && vec_push_copy(pieces, &piece))
			ret = -ENOMEM;
		if (ret) {
			free_pieces(w, pieces);
			return ret;
		}
		len -= piece.len;
	}
	return 0;
}

static inline int insert_sums(struct workload *w, u64 logical, u64 len, const u8 *data)
{
	const struct btrfs_fs_info *fs_info = w->fs_info;
	u64 nr = len >> fs_info->sectorsize_bits;
	u8 *sums = must(calloc(nr, fs_info->csum_size));
	int ret;

	for (u64 i = 0; i < nr; i++)
		btrfs_csum_data(fs_info->csum_type, data + i * fs_info->sectorsize,
				fs_info->sectorsize, sums + i * fs_info->csum_size);
	ret = btrfs_insert_csums(w->trans, fs_info->csum_root, logical, len, sums);
	free(sums);
	return ret;
}

static inline int write_piece(struct workload *w, struct btrfs_root *root, const struct m_inode *inode,
		       u64 offset, const struct piece *piece, const u8 *data)
{
	const struct btrfs_new_file_extent extent = {
		.offset = offset,
		.num_bytes = piece->len,
		.disk_bytenr = piece->start,
		.disk_num_bytes = piece->len,
		.ram_bytes = piece->len,
	};
	int ret = btrfs_write_logical(w->fs_info, piece->start, piece->len, data);

	if (!ret)
		ret = btrfs_insert_file_extent(w->trans, root, inode->ino, &extent);
	if (!ret)
		ret = btrfs_alloc_reserved_file_extent(w->trans, root, inode->ino, offset,
						       piece->start, piece->len);
	if (!ret && !inode->nodatasum)
		ret = insert_sums(w, piece->start, piece->len, data);
	return ret;
}

/* Put the sectors [start, end) of the model's data into new extents. */
static inline int write_sectors(struct workload *w, struct btrfs_root *root, struct m_inode *inode,
			 u64 start, u64 end)
{
	struct vec pieces = VEC_INIT(struct piece);
	u8 *data = must(calloc(1, end - start));
	const struct piece *piece;
	u64 at = start, dropped;
	int ret = reserve_pieces(w, end - start, &pieces);

	if (ret)
		goto out;
	if (inode->size > start)
		memcpy(data, inode->data + start, min(end, inode->size) - start);
	ret = btrfs_drop_extents(w->trans, root, inode->ino, start, end, &dropped);
	inode->nbytes -= dropped;
	vec_for_each(&pieces, piece) {
		if (!ret)
			ret = write_piece(w, root, inode, at, piece, data + (at - start));
		at += piece->len;
		inode->nbytes += piece->len;
	}
out:
	vec_free(&pieces);
	free(data);
	return ret;
}

static inline int insert_hole(struct workload *w, struct btrfs_root *root, u64 ino, u64 start, u64 end)
{
	const struct btrfs_new_file_extent hole = {
		.offset = start, .num_bytes = end - start, .ram_bytes = end - start,
	};

	if (has_no_holes(w) || start >= end)
		return 0;
	return btrfs_insert_file_extent(w->trans, root, ino, &hole);
}

static inline void resize_data(struct m_inode *inode, u64 size)
{
	inode->data = must(realloc(inode->data, size + 1));
	if (size > inode->size)
		memset(inode->data + inode->size, 0, size - inode->size);
	inode->size = size;
}

/* An inline extent gives way to sectors before the file is changed in other ways. */
static inline int leave_inline(struct workload *w, struct btrfs_root *root, struct m_inode *inode)
{
	if (!inode->is_inline)
		return 0;
	inode->is_inline = false;
	return write_sectors(w, root, inode, 0, round_sector(w, inode->size));
}

static inline int write_inline(struct workload *w, struct btrfs_root *root, struct m_inode *inode)
{
	u64 size = 1 + below(w, min(MAX_INLINE_BYTES, w->fs_info->sectorsize - 1));
	u64 dropped;
	int ret = btrfs_drop_extents(w->trans, root, inode->ino, 0, (u64)1 << 40, &dropped);

	if (ret)
		return ret;
	resize_data(inode, size);
	fill_random(w, inode->data, size);
	inode->is_inline = true;
	inode->nbytes = size;
	ret = btrfs_insert_inline_extent(w->trans, root, inode->ino, inode->data, (u32)size, size,
					 0);
	return ret ? ret : put_inode(w, root, inode, false);
}

static inline int op_write(struct workload *w)
{
	struct m_subvol *subvol = pick_subvol(w, true);
	struct m_inode *inode = pick_inode(w, subvol, S_IFREG);
	u64 old_end, offset, len, new_size;
	struct btrfs_root *root;
	int ret = get_root(w, subvol, &root);

	if (ret || !inode)
		return ret;
	if (below(w, 6) == 0)
		return write_inline(w, root, inode);
	ret = leave_inline(w, root, inode);
	if (ret)
		return ret;
	old_end = round_sector(w, inode->size);
	offset = round_down(below(w, min_t(u64, old_end + 1, MAX_FILE_BYTES)),
			    w->fs_info->sectorsize);
	if (below(w, 6) == 0)
		offset = old_end + below(w, 4) * w->fs_info->sectorsize;
	len = 1 + below(w, below(w, 4) ? 20000 : 200000);
	new_size = max(inode->size, offset + len);
	if (offset > old_end) {
		ret = insert_hole(w, root, inode->ino, old_end, offset);
		if (ret)
			return ret;
	}
	resize_data(inode, new_size);
	fill_random(w, inode->data + offset, len);
	ret = write_sectors(w, root, inode, offset, round_sector(w, offset + len));
	return ret ? ret : put_inode(w, root, inode, false);
}

static inline int op_truncate(struct workload *w)
{
	struct m_subvol *subvol = pick_subvol(w, true);
	struct m_inode *inode = pick_inode(w, subvol, S_IFREG);
	u64 old_end, new_size, new_end, dropped = 0;
	struct btrfs_root *root;
	int ret = get_root(w, subvol, &root);

	if (ret || !inode)
		return ret;
	ret = leave_inline(w, root, inode);
	if (ret)
		return ret;
	old_end = round_sector(w, inode->size);
	new_size = below(w, inode->size + (below(w, 3) ? 1 : 50000));
	new_end = round_sector(w, new_size);
	if (new_end < old_end)
		ret = btrfs_drop_extents(w->trans, root, inode->ino, new_end, old_end, &dropped);
	else
		ret = insert_hole(w, root, inode->ino, old_end, new_end);
	inode->nbytes -= dropped;
	if (ret)
		return ret;
	/* What stands behind the end in the last sector has to be zero. */
	if (new_size < inode->size && new_size < new_end) {
		resize_data(inode, new_size);
		ret = write_sectors(w, root, inode, new_end - w->fs_info->sectorsize, new_end);
	}
	resize_data(inode, new_size);
	return ret ? ret : put_inode(w, root, inode, false);
}

static inline int op_punch(struct workload *w)
{
	struct m_subvol *subvol = pick_subvol(w, true);
	struct m_inode *inode = pick_inode(w, subvol, S_IFREG);
	u64 sectors, start, end, dropped;
	struct btrfs_root *root;
	int ret = get_root(w, subvol, &root);

	if (ret || !inode || inode->is_inline || !inode->size)
		return ret;
	sectors = round_sector(w, inode->size) / w->fs_info->sectorsize;
	start = below(w, sectors);
	end = start + 1 + below(w, sectors - start);
	start *= w->fs_info->sectorsize;
	end *= w->fs_info->sectorsize;
	ret = btrfs_drop_extents(w->trans, root, inode->ino, start, end, &dropped);
	if (!ret)
		ret = insert_hole(w, root, inode->ino, start, end);
	inode->nbytes -= dropped;
	if (inode->size > start)
		memset(inode->data + start, 0, min(end, inode->size) - start);
	return ret ? ret : put_inode(w, root, inode, false);
}

/* ---- clones ---- */

struct clone {
	struct vec extents;	/* struct btrfs_new_file_extent, at offsets of the target */
	u64 from, to, len;
};

static inline int collect_extent(struct btrfs_root *root __unused, const struct extent_buffer *leaf,
			  u32 slot, const struct btrfs_key *key, void *ctx)
{
	const struct btrfs_file_extent_item *fi =
		btrfs_item_ptr(leaf, slot, struct btrfs_file_extent_item);
	struct btrfs_new_file_extent extent;
	struct clone *clone = ctx;
	u64 start, end;

	if (btrfs_file_extent_type(leaf, fi) == BTRFS_FILE_EXTENT_INLINE)
		return 0;
	start = max(key->offset, clone->from);
	end = min(btrfs_file_extent_end(leaf, slot), clone->from + clone->len);
	if (start >= end)
		return 0;
	extent = (struct btrfs_new_file_extent) {
		.offset = start - clone->from + clone->to,
		.num_bytes = end - start,
		.disk_bytenr = btrfs_file_extent_disk_bytenr(leaf, fi),
		.disk_num_bytes = btrfs_file_extent_disk_num_bytes(leaf, fi),
		.ram_bytes = btrfs_file_extent_ram_bytes(leaf, fi),
	};
	if (extent.disk_bytenr)
		extent.extent_offset = btrfs_file_extent_offset(leaf, fi) + start - key->offset;
	else
		extent.ram_bytes = extent.num_bytes;
	return vec_push_copy(&clone->extents, &extent);
}

static inline int insert_clones(struct workload *w, struct btrfs_root *root, struct m_inode *inode,
			 const struct clone *clone)
{
	const struct btrfs_new_file_extent *extent;
	struct btrfs_ref ref;
	int ret = 0;

	vec_for_each(&clone->extents, extent) {
		ret = btrfs_insert_file_extent(w->trans, root, inode->ino, extent);
		if (!ret && extent->disk_bytenr) {
			btrfs_init_data_ref(&ref, extent->disk_bytenr, extent->disk_num_bytes, 0,
					    btrfs_root_id(root), inode->ino,
					    extent->offset - extent->extent_offset);
			ret = btrfs_inc_extent_ref(w->trans, &ref);
			inode->nbytes += extent->num_bytes;
		}
		if (ret)
			break;
	}
	return ret;
}

static inline int op_clone(struct workload *w)
{
	struct m_subvol *from_subvol = pick_subvol(w, false), *to_subvol = pick_subvol(w, true);
	struct m_inode *from = pick_inode(w, from_subvol, S_IFREG);
	struct m_inode *to = pick_inode(w, to_subvol, S_IFREG);
	struct clone clone = { .extents = VEC_INIT(struct btrfs_new_file_extent) };
	struct btrfs_root *from_root, *to_root;
	struct btrfs_key first, last;
	u64 sector = w->fs_info->sectorsize, dropped;
	int ret = get_root(w, from_subvol, &from_root);

	if (!ret)
		ret = get_root(w, to_subvol, &to_root);
	if (ret || !from || !to || from == to || from->is_inline || from->size < sector ||
	    from->nodatasum != to->nodatasum)
		return ret;
	ret = leave_inline(w, to_root, to);
	if (ret)
		return ret;
	clone.from = below(w, from->size / sector) * sector;
	clone.len = (1 + below(w, (from->size - clone.from) / sector)) * sector;
	clone.to = below(w, to->size / sector + 1) * sector;
	first = (struct btrfs_key){ from->ino, BTRFS_EXTENT_DATA_KEY, 0 };
	last = (struct btrfs_key){ from->ino, BTRFS_EXTENT_DATA_KEY, clone.from + clone.len - 1 };
	ret = btrfs_for_each_item(from_root, &first, &last, collect_extent, &clone);
	if (!ret)
		ret = btrfs_drop_extents(w->trans, to_root, to->ino, clone.to, clone.to + clone.len,
					 &dropped);
	if (ret)
		goto out;
	to->nbytes -= dropped;
	ret = insert_clones(w, to_root, to, &clone);
	resize_data(to, max(to->size, clone.to + clone.len));
	memcpy(to->data + clone.to, from->data + clone.from, clone.len);
	if (!ret)
		ret = put_inode(w, to_root, to, false);
out:
	vec_free(&clone.extents);
	return ret;
}

#endif
