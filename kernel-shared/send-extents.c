// SPDX-License-Identifier: GPL-2.0-only
/*
 * File data: what is written and what is cloned.  Holes are in send-holes.c.
 */
#include "common/message.h"
#include "common/string-utils.h"
#include "kernel-shared/compression.h"
#include "kernel-shared/file-item.h"
#include "kernel-shared/send-damage.h"
#include "kernel-shared/send-internal.h"

/*
 * The end of a source file that is not a whole number of sectors can only be
 * cloned to the end of a file.  The receiver's sector size is not known, so the
 * largest there is counts.
 */
#define CLONE_ALIGNMENT		SZ_64K

static u64 max_read_size(const struct send_ctx *sctx)
{
	return (sctx->proto >= 2 ? BTRFS_SEND_BUF_SIZE_V2 : BTRFS_SEND_BUF_SIZE_V1) - SZ_16K;
}

static const struct btrfs_file_extent_item *extent_at(const struct btrfs_path *path)
{
	return btrfs_item_ptr(path->nodes[0], path->slots[0], struct btrfs_file_extent_item);
}

/* ---- writes ---- */

static int begin_write(struct send_ctx *sctx, u64 offset)
{
	const struct fs_path *path;
	int ret;

	path = send_cur_inode_path(sctx, &ret);
	if (!ret)
		ret = send_cmd_begin(sctx->out, BTRFS_SEND_C_WRITE);
	if (!ret)
		ret = send_put(sctx->out, BTRFS_SEND_A_PATH, path->buf, path->len);
	return ret ? ret : send_put_u64(sctx->out, BTRFS_SEND_A_FILE_OFFSET, offset);
}

static int write_zeroes(struct send_ctx *sctx, u64 offset, u32 len)
{
	u8 *data;
	int ret = begin_write(sctx, offset);

	if (!ret)
		ret = send_put_data(sctx->out, len, &data);
	if (ret)
		return ret;
	memset(data, 0, len);
	return send_cmd_end(sctx->out);
}

static int bad_extent(struct send_ctx *sctx, u64 offset, const char *why)
{
	char escaped[1024] = "?";
	const struct fs_path *path;
	int ret;

	/* One line, whoever is faster: what the workers find before this place comes first. */
	ret = send_output_finish(sctx->out);
	if (ret)
		return ret;
	path = send_cur_inode_path(sctx, &ret);
	if (path)
		escape_path(path->buf, path->len, escaped, sizeof(escaped));
	error("cannot read %s at offset %llu: %s (inode %llu of subvolume %llu)", escaped, offset,
	      why, sctx->cur_ino, btrfs_root_id(sctx->send_root));
	return -EUCLEAN;
}

/*
 * Does the receiver's file end at @offset or before?  So it is while a new file
 * is filled in ascending order; of overlapping extents one may come too late.
 */
static bool appends(const struct send_ctx *sctx, u64 offset)
{
	return sctx->cur_inode_new && offset >= sctx->cur_inode_next_write_offset;
}

/* In place of damaged data that is known as such already. */
static int leave_out_inline(struct send_ctx *sctx, const struct btrfs_path *path, u64 offset,
			    u32 len)
{
	const struct extent_buffer *leaf = path->nodes[0];
	u8 compression = btrfs_file_extent_compression(leaf, extent_at(path));
	const struct send_bad_range range = {
		.ino = sctx->cur_ino, .file_offset = offset, .len = len, .logical = leaf->start,
		.why = send_damaged_data_text(compression), .packed = true,
	};
	int ret;

	ret = appends(sctx, offset) ? send_cmd_truncate(sctx, offset + len) :
				      write_zeroes(sctx, offset, len);
	return ret ? ret : send_note_left_out(sctx->out, &range);
}

/* Data of an inline extent from @offset (bytes into the file) on; zeroes behind its end. */
static int write_inline(struct send_ctx *sctx, const struct btrfs_path *path, u64 offset, u32 len)
{
	const struct btrfs_file_extent_item *fi = extent_at(path);
	const struct extent_buffer *leaf = path->nodes[0];
	const u8 *from = btrfs_file_extent_inline_data(fi);
	u32 have = btrfs_file_extent_inline_item_len(leaf, path->slots[0]);
	u8 ram[BTRFS_MAX_METADATA_BLOCKSIZE];
	u8 *data;
	int ret;

	if (btrfs_file_extent_compression(leaf, fi) != BTRFS_COMPRESS_NONE) {
		u64 ram_bytes = btrfs_file_extent_ram_bytes(leaf, fi);

		if (ram_bytes > sizeof(ram))
			return bad_extent(sctx, offset, "inline extent is too large");
		ret = btrfs_decompress(sctx->decompressor, btrfs_file_extent_compression(leaf, fi),
				       from, have, ram, ram_bytes, sctx->fs_info->sectorsize,
				       true);
		if (ret && sctx->skip_damaged)
			return leave_out_inline(sctx, path, offset, len);
		if (ret)
			return bad_extent(sctx, offset, "damaged compressed data");
		from = ram;
		have = (u32)ram_bytes;
	}
	ret = begin_write(sctx, offset);
	if (!ret)
		ret = send_put_data(sctx->out, len, &data);
	if (ret)
		return ret;
	/* Inline extents start at offset 0 of their file. */
	have = offset < have ? min_t(u32, have - (u32)offset, len) : 0;
	memcpy(data, from + (have ? offset : 0), have);
	memset(data + have, 0, len - have);
	return send_cmd_end(sctx->out);
}

/* Where the bytes at @offset of the file, inside the extent at @path, stand. */
static int extent_source(struct send_ctx *sctx, const struct btrfs_path *path, u64 offset, u64 len,
			 struct send_extent_source *source)
{
	const struct btrfs_file_extent_item *fi = extent_at(path);
	const struct extent_buffer *leaf = path->nodes[0];
	struct btrfs_key key;
	u64 end, limit;

	btrfs_item_key_to_cpu(leaf, &key, path->slots[0]);
	*source = (struct send_extent_source) {
		.disk_bytenr = btrfs_file_extent_disk_bytenr(leaf, fi),
		.disk_num_bytes = btrfs_file_extent_disk_num_bytes(leaf, fi),
		.ram_bytes = btrfs_file_extent_ram_bytes(leaf, fi),
		.compression = btrfs_file_extent_compression(leaf, fi),
		.nodatasum = (sctx->cur_inode_flags & BTRFS_INODE_NODATASUM) != 0,
		.offset = offset - key.offset + btrfs_file_extent_offset(leaf, fi),
		.ino = sctx->cur_ino,
		.file_offset = offset,
		.appends = appends(sctx, offset),
	};
	limit = source->disk_num_bytes;
	if (source->compression != BTRFS_COMPRESS_NONE) {
		if (source->disk_num_bytes > BTRFS_MAX_COMPRESSED ||
		    source->ram_bytes > BTRFS_MAX_COMPRESSED)
			return bad_extent(sctx, offset, "compressed extent is too large");
		limit = source->ram_bytes;
	}
	if (__builtin_add_overflow(source->offset, len, &end) || end > limit)
		return bad_extent(sctx, offset, "file extent reaches beyond its data");
	return 0;
}

static int write_extent(struct send_ctx *sctx, const struct btrfs_path *path, u64 offset, u64 len)
{
	struct send_extent_source source;
	int ret = extent_source(sctx, path, offset, len, &source);

	while (!ret && len) {
		u32 piece = (u32)min(len, max_read_size(sctx));

		ret = begin_write(sctx, source.file_offset);
		if (!ret)
			ret = send_put_extent_data(sctx->out, &source, piece);
		source.offset += piece;
		source.file_offset += piece;
		len -= piece;
	}
	return ret;
}

/* Data that is not on disk: holes and preallocated extents read as zeroes. */
int send_write_zeroes(struct send_ctx *sctx, u64 offset, u64 len)
{
	int ret = 0;

	while (!ret && len) {
		u32 piece = (u32)min(len, max_read_size(sctx));

		ret = write_zeroes(sctx, offset, piece);
		offset += piece;
		len -= piece;
	}
	return ret;
}

static u32 send_compression(const struct send_ctx *sctx, u8 compression)
{
	switch (compression) {
	case BTRFS_COMPRESS_ZLIB:
		return BTRFS_SEND_COMPRESSION_ZLIB;
	case BTRFS_COMPRESS_ZSTD:
		return BTRFS_SEND_COMPRESSION_ZSTD;
	default:	/* lzo, one kind for each sector size */
		return BTRFS_SEND_COMPRESSION_LZO_4K +
		       (sctx->fs_info->sectorsize_bits - 12);
	}
}

/* The attributes of an encoded write up to its data; @num_bytes: of the extent in the file. */
static int begin_encoded_write(struct send_ctx *sctx, const struct btrfs_path *path, u64 offset,
			       u64 len, u64 num_bytes, u64 extent_offset)
{
	const struct btrfs_file_extent_item *fi = extent_at(path);
	const struct extent_buffer *leaf = path->nodes[0];
	const struct fs_path *name;
	struct btrfs_key key;
	int ret;

	btrfs_item_key_to_cpu(leaf, &key, path->slots[0]);
	name = send_cur_inode_path(sctx, &ret);
	if (!ret)
		ret = send_cmd_begin(sctx->out, BTRFS_SEND_C_ENCODED_WRITE);
	if (!ret)
		ret = send_put(sctx->out, BTRFS_SEND_A_PATH, name->buf, name->len);
	if (!ret)
		ret = send_put_u64(sctx->out, BTRFS_SEND_A_FILE_OFFSET, offset);
	if (!ret)
		ret = send_put_u64(sctx->out, BTRFS_SEND_A_UNENCODED_FILE_LEN,
				   min(key.offset + num_bytes - offset, len));
	if (!ret)
		ret = send_put_u64(sctx->out, BTRFS_SEND_A_UNENCODED_LEN,
				   btrfs_file_extent_ram_bytes(leaf, fi));
	if (!ret)
		ret = send_put_u64(sctx->out, BTRFS_SEND_A_UNENCODED_OFFSET,
				   offset - key.offset + extent_offset);
	return ret ? ret : send_put_u32(sctx->out, BTRFS_SEND_A_COMPRESSION,
					send_compression(sctx,
							 btrfs_file_extent_compression(leaf, fi)));
}

static int write_encoded_inline(struct send_ctx *sctx, const struct btrfs_path *path, u64 offset,
				u64 len)
{
	const struct btrfs_file_extent_item *fi = extent_at(path);
	u32 size = btrfs_file_extent_inline_item_len(path->nodes[0], path->slots[0]);
	u8 *data;
	int ret;

	ret = begin_encoded_write(sctx, path, offset, len,
				  btrfs_file_extent_ram_bytes(path->nodes[0], fi), 0);
	if (!ret)
		ret = send_put_data(sctx->out, size, &data);
	if (ret)
		return ret;
	memcpy(data, btrfs_file_extent_inline_data(fi), size);
	return send_cmd_end(sctx->out);
}

static int write_encoded(struct send_ctx *sctx, const struct btrfs_path *path, u64 offset, u64 len)
{
	const struct btrfs_file_extent_item *fi = extent_at(path);
	const struct extent_buffer *leaf = path->nodes[0];
	struct send_extent_source source;
	int ret;

	ret = extent_source(sctx, path, offset, len, &source);
	if (!ret)
		ret = begin_encoded_write(sctx, path, offset, len,
					  btrfs_file_extent_num_bytes(leaf, fi),
					  btrfs_file_extent_offset(leaf, fi));
	if (!ret)
		ret = send_put_u32(sctx->out, BTRFS_SEND_A_ENCRYPTION, 0);
	if (ret)
		return ret;
	source.encoded = true;
	source.offset = 0;
	source.encoded_file_len = (u32)len;
	return send_put_extent_data(sctx->out, &source, (u32)source.disk_num_bytes);
}

/* Send [offset, offset + len) of the file, which lies inside the extent at @path, as data. */
static int send_extent_data(struct send_ctx *sctx, const struct btrfs_path *path, u64 offset,
			    u64 len)
{
	const struct btrfs_file_extent_item *fi = extent_at(path);
	const struct extent_buffer *leaf = path->nodes[0];
	u8 type = btrfs_file_extent_type(leaf, fi);
	bool is_inline = type == BTRFS_FILE_EXTENT_INLINE;

	if (sctx->flags & BTRFS_SEND_FLAG_NO_FILE_DATA)
		return send_cmd_update_extent(sctx, offset, len);
	/* Packed data is worth it only while it is smaller than what is wanted of it. */
	if ((sctx->flags & BTRFS_SEND_FLAG_COMPRESSED) &&
	    btrfs_file_extent_compression(leaf, fi) != BTRFS_COMPRESS_NONE) {
		if (is_inline && btrfs_file_extent_inline_item_len(leaf, path->slots[0]) <= len)
			return write_encoded_inline(sctx, path, offset, len);
		if (!is_inline && btrfs_file_extent_disk_num_bytes(leaf, fi) <= len)
			return write_encoded(sctx, path, offset, len);
	}
	if (is_inline) {
		int ret = 0;

		while (!ret && len) {
			u32 piece = (u32)min(len, max_read_size(sctx));

			ret = write_inline(sctx, path, offset, piece);
			offset += piece;
			len -= piece;
		}
		return ret;
	}
	if (type == BTRFS_FILE_EXTENT_PREALLOC || btrfs_file_extent_disk_bytenr(leaf, fi) == 0)
		return send_write_zeroes(sctx, offset, len);
	return write_extent(sctx, path, offset, len);
}

/* ---- clones ---- */

/* The range that clone_range() still has to bring over, and where it is in the source. */
struct clone_work {
	struct send_ctx *sctx;
	const struct btrfs_path *dst_path;
	struct clone_root *source;	/* its offset moves along */
	u64 disk_byte;
	u64 data_offset;		/* into the extent, of the range's start */
	u64 offset;			/* in the file in hand */
	u64 len;
	u64 src_i_size;
};

static int write_instead(struct clone_work *work, u64 len)
{
	return send_extent_data(work->sctx, work->dst_path, work->offset, len);
}

static void clone_advance(struct clone_work *work, u64 len)
{
	work->len -= len;
	work->offset += len;
	work->source->offset += len;
	work->data_offset += len;
}

static int put_clone(struct clone_work *work, u64 len)
{
	struct send_ctx *sctx = work->sctx;
	const struct send_clone_note note = {
		.ino = sctx->cur_ino, .file_offset = work->offset, .len = len,
		.src_ino = work->source->ino, .src_offset = work->source->offset,
	};
	int ret = send_cmd_clone(sctx, work->offset, len, work->source);

	if (ret || work->source->root != sctx->send_root)
		return ret;
	return send_note_clone(sctx->out, &note);
}

static int clone_piece(struct clone_work *work, u64 clone_len)
{
	u64 src_end = work->source->offset + clone_len;
	u64 aligned;
	int ret;

	if (src_end != work->src_i_size || IS_ALIGNED(src_end, CLONE_ALIGNMENT) ||
	    work->offset + clone_len >= work->sctx->cur_inode_size)
		return put_clone(work, clone_len);
	/* An unaligned end of the source would come to lie inside our file. */
	aligned = round_down(clone_len, CLONE_ALIGNMENT);
	if (aligned) {
		ret = put_clone(work, aligned);
		if (ret)
			return ret;
	}
	return send_extent_data(work->sctx, work->dst_path, work->offset + aligned,
				clone_len - aligned);
}

/*
 * Deal with the part of the range that the source's extent item at @path covers.
 * 1: the rest of the range cannot be cloned.
 */
static int clone_from_item(struct clone_work *work, const struct btrfs_path *path,
			   const struct btrfs_key *key)
{
	const struct btrfs_file_extent_item *fi = extent_at(path);
	const struct extent_buffer *leaf = path->nodes[0];
	u64 ext_len = btrfs_file_extent_end(leaf, path->slots[0]) - key->offset;
	u64 data_offset, clone_len;
	bool crossed_i_size = false, same_extent, is_inline;
	int ret;

	/* The kernel counts an inline extent in pages here. */
	is_inline = btrfs_file_extent_type(leaf, fi) == BTRFS_FILE_EXTENT_INLINE;
	if (is_inline)
		ext_len = round_up(btrfs_file_extent_ram_bytes(leaf, fi), SZ_4K);
	if (key->offset + ext_len <= work->source->offset)
		return 0;
	if (key->offset > work->source->offset) {
		u64 hole_len = min(key->offset - work->source->offset, work->len);

		ret = write_instead(work, hole_len);
		if (ret)
			return ret;
		clone_advance(work, hole_len);
		if (!work->len)
			return 0;
	}
	if (key->offset >= work->source->offset + work->len || key->offset >= work->src_i_size)
		return 1;
	if (key->offset + ext_len > work->src_i_size) {
		ext_len = work->src_i_size - key->offset;
		crossed_i_size = true;
	}
	same_extent = !is_inline && btrfs_file_extent_disk_bytenr(leaf, fi) == work->disk_byte;
	data_offset = is_inline ? 0 : btrfs_file_extent_offset(leaf, fi);
	if (same_extent) {
		work->source->offset = key->offset;
		if (data_offset < work->data_offset && data_offset + ext_len > work->data_offset) {
			u64 skip = work->data_offset - data_offset;

			ext_len -= skip;
			data_offset += skip;
			work->source->offset += skip;
		}
	}
	clone_len = min(ext_len, work->len);
	if (same_extent && data_offset == work->data_offset)
		ret = clone_piece(work, clone_len);
	else if (crossed_i_size && clone_len < work->len)
		return 1;	/* one write for all that is left */
	else
		ret = write_instead(work, clone_len);
	if (ret)
		return ret;
	clone_advance(work, clone_len);
	/* From ourselves only what the receiver has already. */
	return work->len && work->source->root == work->sctx->send_root &&
	       work->source->ino == work->sctx->cur_ino &&
	       work->source->offset >= work->sctx->cur_inode_next_write_offset;
}

/* Find the source's first extent item that may hold its offset. */
static int search_clone_source(const struct clone_root *source, struct btrfs_path *path)
{
	struct btrfs_key key = { source->ino, BTRFS_EXTENT_DATA_KEY, source->offset };
	int ret = btrfs_search_slot(source->root, &key, path);

	if (ret <= 0)
		return ret;
	if (path->slots[0] > 0) {
		btrfs_item_key_to_cpu(path->nodes[0], &key, path->slots[0] - 1);
		if (key.objectid == source->ino && key.type == BTRFS_EXTENT_DATA_KEY) {
			path->slots[0]--;
			return 0;
		}
	}
	return path->slots[0] < path->nodes[0]->nritems ? 0 : btrfs_next_leaf(source->root, path);
}

/* Clone what can be cloned of the range, and write the rest. */
static int clone_range(struct clone_work *work)
{
	struct btrfs_root *root = work->source->root;
	struct send_inode_info info;
	struct btrfs_path path = { 0 };
	int ret;

	/* A receiver that compresses might have inlined such a source. */
	if (work->source->offset == 0 && work->len == work->sctx->fs_info->sectorsize)
		return write_instead(work, work->len);
	ret = send_get_inode_info(work->sctx, root, work->source->ino, &info);
	if (ret)
		return ret;
	work->src_i_size = info.size;
	ret = search_clone_source(work->source, &path);
	while (ret == 0 && work->len) {
		struct btrfs_key key;

		btrfs_item_key_to_cpu(path.nodes[0], &key, path.slots[0]);
		if (key.objectid != work->source->ino || key.type != BTRFS_EXTENT_DATA_KEY)
			break;
		ret = clone_from_item(work, &path, &key);
		if (ret == 0 && work->len)
			ret = btrfs_next_item(root, &path);
	}
	btrfs_release_path(&path);
	if (ret < 0 || !work->len)
		return min(ret, 0);
	return write_instead(work, work->len);
}

/*
 * An extent that ends inside a sector can be cloned only where that is the end
 * of both files.  1: it can; 0: it must be written.
 */
static int can_clone_end(struct send_ctx *sctx, const struct clone_root *source, u64 offset,
			 u64 end)
{
	struct send_inode_info info;
	int ret;

	if (IS_ALIGNED(end, sctx->fs_info->sectorsize))
		return 1;
	if (end != sctx->cur_inode_size)
		return 0;
	ret = send_get_inode_info(sctx, source->root, source->ino, &info);
	if (ret)
		return ret;
	if (source->offset + (end - offset) != info.size)
		return 0;
	/* Should the receiver's file be longer now, the clone would end inside it. */
	if (sctx->parent_root) {
		ret = send_cmd_truncate(sctx, offset);
		if (ret)
			return ret;
	}
	return 1;
}

static int write_or_clone(struct send_ctx *sctx, const struct btrfs_path *path,
			  const struct btrfs_key *key, struct clone_root *source)
{
	const struct btrfs_file_extent_item *fi = extent_at(path);
	u64 offset = key->offset;
	u64 end = min(btrfs_file_extent_end(path->nodes[0], path->slots[0]),
		      sctx->cur_inode_size);
	int ret = 0;

	if (offset >= end)
		return 0;
	if (source) {
		ret = can_clone_end(sctx, source, offset, end);
		if (ret < 0)
			return ret;
	}
	if (ret) {
		struct clone_work work = {
			.sctx = sctx, .dst_path = path, .source = source,
			.disk_byte = btrfs_file_extent_disk_bytenr(path->nodes[0], fi),
			.data_offset = btrfs_file_extent_offset(path->nodes[0], fi),
			.offset = offset, .len = end - offset,
		};

		ret = clone_range(&work);
	} else {
		ret = send_extent_data(sctx, path, offset, end - offset);
	}
	sctx->cur_inode_next_write_offset = end;
	return ret;
}

/* ---- what changed ---- */

/* An extent as is_extent_unchanged() compares it. */
struct extent_id {
	u8 type;
	u64 disk_bytenr;
	u64 offset;
	u64 len;
	u64 gen;
};

static struct extent_id get_extent_id(const struct btrfs_path *path)
{
	const struct btrfs_file_extent_item *fi = extent_at(path);
	const struct extent_buffer *leaf = path->nodes[0];
	struct extent_id id = { .type = btrfs_file_extent_type(leaf, fi) };

	id.gen = btrfs_file_extent_generation(leaf, fi);
	if (id.type == BTRFS_FILE_EXTENT_INLINE) {
		id.len = round_up(btrfs_file_extent_ram_bytes(leaf, fi), SZ_4K);
		return id;
	}
	id.disk_bytenr = btrfs_file_extent_disk_bytenr(leaf, fi);
	id.offset = btrfs_file_extent_offset(leaf, fi);
	id.len = btrfs_file_extent_num_bytes(leaf, fi);
	return id;
}

/* Walk the parent's extents below the extent @left at @key.  1: all are the same data. */
static int compare_with_parent(struct send_ctx *sctx, struct btrfs_path *path,
			       const struct btrfs_key *ekey, const struct extent_id *left)
{
	u64 end = ekey->offset + left->len;
	struct btrfs_key key, next;

	btrfs_item_key_to_cpu(path->nodes[0], &key, path->slots[0]);
	if (key.objectid != ekey->objectid || key.type != BTRFS_EXTENT_DATA_KEY)
		return left->disk_bytenr == 0;	/* nothing there: only a hole is the same */
	next = key;
	while (key.offset < end) {
		struct extent_id right = get_extent_id(path);
		u64 left_offset = left->offset, right_offset = right.offset;
		int ret;

		if (right.type != BTRFS_FILE_EXTENT_REG && right.type != BTRFS_FILE_EXTENT_INLINE)
			return 0;
		if (next.offset + right.len <= ekey->offset)
			return left->disk_bytenr == 0;
		if (right.type == BTRFS_FILE_EXTENT_INLINE)
			return 0;
		/* Compare the data at the same place of the file. */
		if (key.offset < ekey->offset)
			right_offset += ekey->offset - key.offset;
		else
			left_offset += key.offset - ekey->offset;
		if (left->disk_bytenr != right.disk_bytenr || left_offset != right_offset ||
		    left->gen != right.gen)
			return 0;
		ret = btrfs_next_item(sctx->parent_root, path);
		if (ret < 0)
			return ret;
		if (ret == 0)
			btrfs_item_key_to_cpu(path->nodes[0], &next, path->slots[0]);
		if (ret || next.objectid != ekey->objectid || next.type != key.type) {
			key.offset += right.len;
			break;
		}
		if (next.offset != key.offset + right.len)
			return 0;
		key = next;
	}
	return key.offset >= end;
}

static int is_extent_unchanged(struct send_ctx *sctx, const struct btrfs_path *left_path,
			       const struct btrfs_key *ekey)
{
	struct extent_id left = get_extent_id(left_path);
	struct btrfs_key key = *ekey;
	struct btrfs_path path = { 0 };
	int ret;

	if (left.type != BTRFS_FILE_EXTENT_REG)
		return 0;
	/* The parent's extent that covers our start begins at or before it. */
	ret = btrfs_search_slot_for_read(sctx->parent_root, &key, &path, true);
	if (ret == 0)
		ret = compare_with_parent(sctx, &path, ekey, &left);
	else if (ret > 0)
		ret = 0;
	btrfs_release_path(&path);
	return ret;
}

int send_process_extent(struct send_ctx *sctx, struct btrfs_path *path, const struct btrfs_key *key)
{
	const struct btrfs_file_extent_item *fi = extent_at(path);
	struct clone_root *source = NULL;
	int ret;

	if (S_ISLNK(sctx->cur_inode_mode))
		return 0;
	if (sctx->parent_root && !sctx->cur_inode_new) {
		ret = is_extent_unchanged(sctx, path, key);
		if (ret < 0)
			return ret;
		if (ret)
			return send_maybe_hole(sctx, path, key);
	} else {
		u8 type = btrfs_file_extent_type(path->nodes[0], fi);

		/* A new file needs neither: a hole is what it has where nothing is written. */
		if (type == BTRFS_FILE_EXTENT_PREALLOC ||
		    (type == BTRFS_FILE_EXTENT_REG &&
		     btrfs_file_extent_disk_bytenr(path->nodes[0], fi) == 0))
			return 0;
	}
	ret = send_find_extent_clone(sctx, path, key->objectid, key->offset, &source);
	if (ret && ret != -ENOENT)
		return ret;
	ret = write_or_clone(sctx, path, key, source);
	return ret ? ret : send_maybe_hole(sctx, path, key);
}

int send_process_all_extents(struct send_ctx *sctx)
{
	struct btrfs_key key = { sctx->cur_ino, BTRFS_EXTENT_DATA_KEY, 0 };
	struct btrfs_path path = { .reada = READA_FORWARD };
	int ret;

	for (ret = btrfs_search_slot_for_read(sctx->send_root, &key, &path, false); ret == 0;
	     ret = btrfs_next_item(sctx->send_root, &path)) {
		btrfs_item_key_to_cpu(path.nodes[0], &key, path.slots[0]);
		if (key.objectid != sctx->cur_ino || key.type != BTRFS_EXTENT_DATA_KEY)
			break;
		ret = send_process_extent(sctx, &path, &key);
		if (ret)
			break;
	}
	btrfs_release_path(&path);
	return min(ret, 0);
}
