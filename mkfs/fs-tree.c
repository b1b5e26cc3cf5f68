// SPDX-License-Identifier: GPL-2.0-only
/*
 * The trees of subvolumes: the items of one inode after the other, by number,
 * which is the order of the tree.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/sysmacros.h>

#include "common/message.h"
#include "kernel-shared/dir-item.h"
#include "mkfs/make.h"

/* One name of an inode, wherever it is. */
struct inode_name {
	struct source_inode *inode;
	const struct source_inode *dir;
	const char *name;
	u64 index;
	u64 key;		/* where it is sorted by one: the hash */
	u16 name_len;
};

/* What the writing of one tree needs. */
struct fs_tree {
	struct mkfs *mkfs;
	struct mkfs_subvol *subvol;
	u32 subvol_index;
	struct btrfs_tree_builder *builder;
	struct vec names;	/* of struct inode_name: further links, by inode */
	size_t next_name;
	struct vec hashed;	/* of struct inode_name: a directory's entries, by hash */
	/* The data extent that may still grow. */
	struct file_segment open;
	bool have_open;
};

/* ---- inodes and names ---- */

static u8 mode_to_ftype(u32 mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return BTRFS_FT_REG_FILE;
	case S_IFDIR:
		return BTRFS_FT_DIR;
	case S_IFCHR:
		return BTRFS_FT_CHRDEV;
	case S_IFBLK:
		return BTRFS_FT_BLKDEV;
	case S_IFIFO:
		return BTRFS_FT_FIFO;
	case S_IFSOCK:
		return BTRFS_FT_SOCK;
	case S_IFLNK:
		return BTRFS_FT_SYMLINK;
	default:
		return BTRFS_FT_UNKNOWN;
	}
}

/* As the kernel encodes it in an inode item: 20 bits of minor, then the major. */
static u64 encode_rdev(u64 rdev)
{
	return (u64)major(rdev) << 20 | minor(rdev);
}

/* i_size of a directory: twice the length of every name. */
static u64 dir_size(const struct source_inode *dir)
{
	u64 size = 0;

	for (u32 i = 0; i < dir->nr_entries; i++)
		size += 2ULL * dir->entries[i].name_len;
	return size;
}

static int add_inode_item(struct fs_tree *tree, const struct source_inode *inode, u64 nbytes)
{
	const struct btrfs_key key = { inode->ino, BTRFS_INODE_ITEM_KEY, 0 };
	struct btrfs_inode_item item = {
		.generation = htole64(MKFS_FS_GENERATION),
		.transid = htole64(MKFS_FS_GENERATION),
		.size = htole64(S_ISDIR(inode->mode) ? dir_size(inode) : inode->size),
		.nbytes = htole64(nbytes),
		.nlink = htole32(S_ISDIR(inode->mode) ? 1 : inode->nlink),
		.uid = htole32(inode->uid),
		.gid = htole32(inode->gid),
		.mode = htole32(inode->mode),
		.flags = htole64(inode->inode_flags),
	};

	if (S_ISCHR(inode->mode) || S_ISBLK(inode->mode))
		item.rdev = htole64(encode_rdev(inode->rdev));
	mkfs_set_time(&item.atime, &inode->atime);
	mkfs_set_time(&item.mtime, &inode->mtime);
	mkfs_set_time(&item.ctime, &inode->ctime);
	mkfs_set_time(&item.otime, &inode->otime);
	return btrfs_tree_builder_add_item(tree->builder, &key, &item, sizeof(item));
}

/* The ".." of a root directory. */
static int add_root_dir_ref(struct btrfs_tree_builder *builder)
{
	const struct btrfs_key key = {
		BTRFS_FIRST_FREE_OBJECTID, BTRFS_INODE_REF_KEY, BTRFS_FIRST_FREE_OBJECTID,
	};
	struct btrfs_inode_ref *ref;
	void *data;
	int ret = btrfs_tree_builder_add(builder, &key, sizeof(*ref) + 2, &data);

	if (ret)
		return ret;
	ref = data;
	ref->name_len = htole16(2);
	memcpy(ref + 1, "..", 2);
	return 0;
}

/*
 * Collect every name in the subvolume, to be found by inode.  Directories are
 * visited by inode number and their entries by name, so that the order is fixed.
 */
static int cmp_name_by_inode(const void *a, const void *b)
{
	const struct inode_name *x = a, *y = b;

	if (x->inode->ino != y->inode->ino)
		return x->inode->ino < y->inode->ino ? -1 : 1;
	if (x->dir->ino != y->dir->ino)
		return x->dir->ino < y->dir->ino ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static int collect_names(struct fs_tree *tree)
{
	struct source_inode **pos;

	vec_for_each(&tree->subvol->inodes, pos) {
		const struct source_inode *dir = *pos;

		for (u32 i = 0; S_ISDIR(dir->mode) && i < dir->nr_entries; i++) {
			const struct source_entry *entry = &dir->entries[i];
			struct inode_name *name;

			if (entry->inode->subvol != tree->subvol)
				continue;
			name = vec_push(&tree->names);
			if (!name)
				return -ENOMEM;
			name->inode = entry->inode;
			name->dir = dir;
			name->name = entry->name;
			name->name_len = entry->name_len;
			name->index = BTRFS_DIR_START_INDEX + i;
		}
	}
	vec_sort(&tree->names, cmp_name_by_inode);
	return 0;
}

/*
 * One INODE_REF for the names from *@name to @end that are in the same directory.
 * Those that do not fit are left: *@name is the first of them.
 */
static int add_inode_ref(struct fs_tree *tree, struct inode_name **name, struct inode_name *end,
			 struct vec *extrefs)
{
	u32 max_size = btrfs_max_item_size(tree->mkfs->fs_info->nodesize), size = 0;
	struct inode_name *first = *name, *stop;
	struct btrfs_key key = { first->inode->ino, BTRFS_INODE_REF_KEY, first->dir->ino };
	struct btrfs_inode_ref *ref;
	void *data;
	int ret;

	for (stop = first; stop < end && stop->dir == first->dir; stop++) {
		u32 more = (u32)sizeof(*ref) + stop->name_len;

		if (size + more > max_size)
			break;
		size += more;
	}
	ret = btrfs_tree_builder_add(tree->builder, &key, size, &data);
	if (ret)
		return ret;
	for (; first < stop; first++) {
		ref = data;
		ref->index = htole64(first->index);
		ref->name_len = htole16(first->name_len);
		memcpy(ref + 1, first->name, first->name_len);
		data = (u8 *)(ref + 1) + first->name_len;
	}
	for (; stop < end && stop->dir == (*name)->dir; stop++) {
		stop->key = btrfs_extref_hash(stop->dir->ino, stop->name, stop->name_len);
		ret = vec_push_copy(extrefs, stop);
		if (ret)
			return ret;
	}
	*name = stop;
	return 0;
}

static int cmp_name_by_key(const void *a, const void *b)
{
	const struct inode_name *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static u32 nr_same_key(const struct vec *names, size_t first)
{
	u64 key = ((struct inode_name *)vec_at(names, first))->key;
	u32 nr = 0;

	while (first + nr < names->nr &&
	       ((struct inode_name *)vec_at(names, first + nr))->key == key)
		nr++;
	return nr;
}

/* Extended references; names whose hashes collide share an item. */
static int add_extrefs(struct fs_tree *tree, u64 ino, struct vec *extrefs)
{
	struct btrfs_inode_extref *ref;
	int ret = 0;

	vec_sort(extrefs, cmp_name_by_key);
	for (size_t i = 0; i < extrefs->nr && !ret;) {
		const struct inode_name *name = vec_at(extrefs, i);
		u32 nr = nr_same_key(extrefs, i), size = 0;
		const struct btrfs_key key = { ino, BTRFS_INODE_EXTREF_KEY, name->key };
		void *data;

		for (u32 k = 0; k < nr; k++)
			size += (u32)sizeof(*ref) + name[k].name_len;
		ret = btrfs_tree_builder_add(tree->builder, &key, size, &data);
		for (u32 k = 0; k < nr && !ret; k++) {
			ref = data;
			ref->parent_objectid = htole64(name[k].dir->ino);
			ref->index = htole64(name[k].index);
			ref->name_len = htole16(name[k].name_len);
			memcpy(ref + 1, name[k].name, name[k].name_len);
			data = (u8 *)(ref + 1) + name[k].name_len;
		}
		i += nr;
	}
	return ret;
}

static int add_refs(struct fs_tree *tree, const struct source_inode *inode)
{
	struct inode_name *names = tree->names.data, *name, *end;
	struct vec extrefs = VEC_INIT(struct inode_name);
	int ret = 0;

	if (inode->ino == BTRFS_FIRST_FREE_OBJECTID)
		return add_root_dir_ref(tree->builder);
	name = end = names + tree->next_name;
	while (end < names + tree->names.nr && end->inode == inode)
		end++;
	tree->next_name = (size_t)(end - names);
	while (name < end && !ret)
		ret = add_inode_ref(tree, &name, end, &extrefs);
	if (!ret && extrefs.nr && !(tree->mkfs->fs_info->incompat &
				    BTRFS_FEATURE_INCOMPAT_EXTENDED_IREF)) {
		error("cannot put a file with so many links into one directory without the "
		      "feature extref");
		ret = -EMLINK;
	}
	if (!ret)
		ret = add_extrefs(tree, inode->ino, &extrefs);
	vec_free(&extrefs);
	return ret;
}

/* ---- xattrs ---- */

struct hashed_xattr {
	u64 hash;
	const struct source_xattr *xattr;
};

static int cmp_hashed_xattr(const void *a, const void *b)
{
	const struct hashed_xattr *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->xattr < y->xattr ? -1 : x->xattr > y->xattr;
}

static u8 *put_xattr(u8 *data, const struct source_xattr *xattr)
{
	struct btrfs_dir_item *di = (struct btrfs_dir_item *)data;

	di->transid = htole64(MKFS_FS_GENERATION);
	di->data_len = htole16((u16)xattr->value_len);
	di->name_len = htole16(xattr->name_len);
	di->type = BTRFS_FT_XATTR;
	memcpy(di + 1, xattr->name, xattr->name_len);
	memcpy((u8 *)(di + 1) + xattr->name_len, xattr->value, xattr->value_len);
	return (u8 *)(di + 1) + xattr->name_len + xattr->value_len;
}

static int xattr_too_large(const struct source_inode *inode, const struct source_xattr *xattr)
{
	char path[1024];

	source_path(inode, path, sizeof(path));
	error("cannot store the xattr %.*s of %s: it does not fit into a tree node",
	      xattr->name_len, xattr->name, path);
	return -E2BIG;
}

static int add_xattrs(struct fs_tree *tree, const struct source_inode *inode)
{
	u32 max_size = btrfs_max_item_size(tree->mkfs->fs_info->nodesize);
	struct hashed_xattr *hashed;
	int ret = 0;

	if (!inode->nr_xattrs)
		return 0;
	hashed = calloc(inode->nr_xattrs, sizeof(*hashed));
	if (!hashed)
		return -ENOMEM;
	for (u32 i = 0; i < inode->nr_xattrs; i++) {
		hashed[i].xattr = &inode->xattrs[i];
		hashed[i].hash = btrfs_name_hash(inode->xattrs[i].name, inode->xattrs[i].name_len);
	}
	qsort(hashed, inode->nr_xattrs, sizeof(*hashed), cmp_hashed_xattr);
	for (u32 i = 0, end; i < inode->nr_xattrs && !ret; i = end) {
		const struct btrfs_key key = { inode->ino, BTRFS_XATTR_ITEM_KEY, hashed[i].hash };
		u64 size = 0;
		void *data;
		u8 *pos;

		for (end = i; end < inode->nr_xattrs && hashed[end].hash == key.offset; end++)
			size += sizeof(struct btrfs_dir_item) + hashed[end].xattr->name_len +
				(u64)hashed[end].xattr->value_len;
		if (size > max_size) {
			ret = xattr_too_large(inode, hashed[i].xattr);
			break;
		}
		ret = btrfs_tree_builder_add(tree->builder, &key, (u32)size, &data);
		pos = data;
		for (u32 k = i; k < end && !ret; k++)
			pos = put_xattr(pos, hashed[k].xattr);
	}
	free(hashed);
	return ret;
}

/* ---- directories ---- */

static u8 *put_dir_item(u8 *data, const struct inode_name *entry, const struct mkfs_subvol *in)
{
	struct btrfs_dir_item *di = (struct btrfs_dir_item *)data;

	if (entry->inode->subvol != in) {
		di->location.objectid = htole64(entry->inode->subvol->objectid);
		di->location.type = BTRFS_ROOT_ITEM_KEY;
		di->location.offset = htole64(U64_MAX);
	} else {
		di->location.objectid = htole64(entry->inode->ino);
		di->location.type = BTRFS_INODE_ITEM_KEY;
	}
	di->transid = htole64(MKFS_FS_GENERATION);
	di->name_len = htole16(entry->name_len);
	di->type = mode_to_ftype(entry->inode->mode);
	memcpy(di + 1, entry->name, entry->name_len);
	return (u8 *)(di + 1) + entry->name_len;
}

static int hash_entries(struct fs_tree *tree, const struct source_inode *dir)
{
	vec_clear(&tree->hashed);
	for (u32 i = 0; i < dir->nr_entries; i++) {
		struct inode_name *name = vec_push(&tree->hashed);

		if (!name)
			return -ENOMEM;
		name->inode = dir->entries[i].inode;
		name->name = dir->entries[i].name;
		name->name_len = dir->entries[i].name_len;
		name->index = BTRFS_DIR_START_INDEX + i;
		name->key = btrfs_name_hash(name->name, name->name_len);
	}
	vec_sort(&tree->hashed, cmp_name_by_key);
	return 0;
}

static int too_many_collisions(const struct source_inode *dir)
{
	char path[1024];

	source_path(dir, path, sizeof(path));
	error("cannot store the directory %s: too many of its names have the same hash", path);
	return -EOVERFLOW;
}

static int add_dir_items(struct fs_tree *tree, const struct source_inode *dir)
{
	int ret = hash_entries(tree, dir);

	for (size_t i = 0; i < tree->hashed.nr && !ret;) {
		const struct inode_name *name = vec_at(&tree->hashed, i);
		const struct btrfs_key key = { dir->ino, BTRFS_DIR_ITEM_KEY, name->key };
		u32 nr = nr_same_key(&tree->hashed, i);
		u64 size = 0;
		void *data;
		u8 *pos;

		for (u32 k = 0; k < nr; k++)
			size += sizeof(struct btrfs_dir_item) + name[k].name_len;
		if (size > btrfs_max_item_size(tree->mkfs->fs_info->nodesize))
			return too_many_collisions(dir);
		ret = btrfs_tree_builder_add(tree->builder, &key, (u32)size, &data);
		pos = data;
		for (u32 k = 0; k < nr && !ret; k++)
			pos = put_dir_item(pos, &name[k], tree->subvol);
		i += nr;
	}
	return ret;
}

static int add_dir_indexes(struct fs_tree *tree, const struct source_inode *dir)
{
	int ret = 0;

	for (u32 i = 0; i < dir->nr_entries && !ret; i++) {
		const struct inode_name name = {
			.inode = dir->entries[i].inode,
			.name = dir->entries[i].name,
			.name_len = dir->entries[i].name_len,
		};
		const struct btrfs_key key = {
			dir->ino, BTRFS_DIR_INDEX_KEY, BTRFS_DIR_START_INDEX + i,
		};
		void *data;

		ret = btrfs_tree_builder_add(tree->builder, &key, (u32)sizeof(struct btrfs_dir_item) +
					     name.name_len, &data);
		if (!ret)
			put_dir_item(data, &name, tree->subvol);
	}
	return ret;
}

/* ---- data ---- */

static int add_inline_extent(struct fs_tree *tree, u64 ino, const void *bytes, u32 len,
			     u64 ram_bytes, u8 compression)
{
	const struct btrfs_key key = { ino, BTRFS_EXTENT_DATA_KEY, 0 };
	struct btrfs_file_extent_item *fi;
	void *data;
	int ret = btrfs_tree_builder_add(tree->builder, &key,
					 (u32)BTRFS_FILE_EXTENT_INLINE_DATA_START + len, &data);

	if (ret)
		return ret;
	fi = data;
	fi->generation = htole64(MKFS_FS_GENERATION);
	fi->ram_bytes = htole64(ram_bytes);
	fi->compression = compression;
	fi->type = BTRFS_FILE_EXTENT_INLINE;
	memcpy((u8 *)data + BTRFS_FILE_EXTENT_INLINE_DATA_START, bytes, len);
	return 0;
}

static int add_hole(struct fs_tree *tree, u64 ino, u64 offset, u64 len)
{
	const struct btrfs_key key = { ino, BTRFS_EXTENT_DATA_KEY, offset };
	const struct btrfs_file_extent_item fi = {
		.generation = htole64(MKFS_FS_GENERATION),
		.ram_bytes = htole64(len),
		.type = BTRFS_FILE_EXTENT_REG,
		.num_bytes = htole64(len),
	};

	return btrfs_tree_builder_add_item(tree->builder, &key, &fi, sizeof(fi));
}

/* Holes are told where the feature that leaves them out is not there. */
static int fill_hole(struct fs_tree *tree, u64 ino, u64 from, u64 to)
{
	if (from >= to || tree->mkfs->fs_info->incompat & BTRFS_FEATURE_INCOMPAT_NO_HOLES)
		return 0;
	return add_hole(tree, ino, from, to - from);
}

/* Write the open extent as an item, and remember it for the extent tree. */
static int close_extent(struct fs_tree *tree, u64 ino)
{
	struct file_segment *seg = &tree->open;
	const struct btrfs_key key = { ino, BTRFS_EXTENT_DATA_KEY, seg->file_offset };
	const struct btrfs_file_extent_item fi = {
		.generation = htole64(MKFS_FS_GENERATION),
		.ram_bytes = htole64(seg->ram_len),
		.compression = seg->compression,
		.type = BTRFS_FILE_EXTENT_REG,
		.disk_bytenr = htole64(seg->bytenr),
		.disk_num_bytes = htole64(seg->disk_len),
		.num_bytes = htole64(seg->ram_len),
	};
	const struct mkfs_data_extent extent = {
		.bytenr = seg->bytenr,
		.ino = ino,
		.offset = seg->file_offset,
		.nr_sectors = seg->disk_len / tree->mkfs->fs_info->sectorsize,
		.subvol = tree->subvol_index,
	};
	int ret;

	if (!tree->have_open)
		return 0;
	tree->have_open = false;
	tree->subvol->nr_data_bytes += seg->disk_len;
	ret = btrfs_tree_builder_add_item(tree->builder, &key, &fi, sizeof(fi));
	return ret ? ret : vec_push_copy(&tree->mkfs->data_extents, &extent);
}

/* Is @seg the continuation of the open extent?  No extent lies in two block groups. */
static bool continues_extent(const struct fs_tree *tree, const struct file_segment *seg)
{
	const struct file_segment *open = &tree->open;

	return tree->have_open && !seg->compression && !open->compression &&
	       seg->file_offset == open->file_offset + open->ram_len &&
	       seg->bytenr == open->bytenr + open->disk_len &&
	       (u64)open->disk_len + seg->disk_len <= BTRFS_MAX_EXTENT_SIZE &&
	       btrfs_find_chunk_map(tree->mkfs->fs_info, seg->bytenr)->logical != seg->bytenr;
}

static int add_segment(struct fs_tree *tree, u64 ino, const struct file_segment *seg, u64 *end)
{
	struct file_segment *open = &tree->open;
	int ret;

	if (continues_extent(tree, seg)) {
		open->disk_len += seg->disk_len;
		open->ram_len += seg->ram_len;
		*end = seg->file_offset + seg->ram_len;
		return 0;
	}
	ret = close_extent(tree, ino);
	if (!ret)
		ret = fill_hole(tree, ino, *end, seg->file_offset);
	*open = *seg;
	tree->have_open = true;
	*end = seg->file_offset + seg->ram_len;
	return ret;
}

/* The inode's own items, then its data as it comes. */
static int add_file(struct fs_tree *tree, const struct source_inode *inode)
{
	u32 sectorsize = tree->mkfs->fs_info->sectorsize;
	struct file_piece piece = { .last = true };
	u64 end = 0;
	int ret = 0;

	if (inode->size)
		ret = file_data_next(tree->mkfs->file_data, &piece);
	if (!ret)
		ret = add_inode_item(tree, inode, piece.nbytes);
	if (!ret)
		ret = add_refs(tree, inode);
	if (!ret)
		ret = add_xattrs(tree, inode);
	if (ret)
		return ret;
	if (piece.inline_data)
		return add_inline_extent(tree, inode->ino, piece.inline_data, piece.inline_len,
					 inode->size, piece.inline_compression);
	for (;;) {
		for (u32 i = 0; i < piece.nr_segments && !ret; i++)
			ret = add_segment(tree, inode->ino, &piece.segments[i], &end);
		if (ret || piece.last)
			break;
		ret = file_data_next(tree->mkfs->file_data, &piece);
	}
	if (!ret)
		ret = close_extent(tree, inode->ino);
	return ret ? ret : fill_hole(tree, inode->ino, end, round_up(inode->size, sectorsize));
}

static int add_inode(struct fs_tree *tree, const struct source_inode *inode)
{
	u64 nbytes = S_ISLNK(inode->mode) ? inode->size : 0;
	int ret;

	if (S_ISREG(inode->mode))
		return add_file(tree, inode);
	ret = add_inode_item(tree, inode, nbytes);
	if (!ret)
		ret = add_refs(tree, inode);
	if (!ret)
		ret = add_xattrs(tree, inode);
	if (!ret && S_ISDIR(inode->mode)) {
		ret = add_dir_items(tree, inode);
		if (!ret)
			ret = add_dir_indexes(tree, inode);
	}
	if (!ret && S_ISLNK(inode->mode))
		ret = add_inline_extent(tree, inode->ino, inode->symlink, (u32)inode->size,
					inode->size, BTRFS_COMPRESS_NONE);
	return ret;
}

/* ---- trees ---- */

static int create_builder(struct mkfs *mkfs, u64 objectid, struct btrfs_tree_builder **builder)
{
	return btrfs_tree_builder_create(mkfs->fs_info, objectid, mkfs_tree_generation(objectid),
					 mkfs->plan->chunk_tree_uuid,
					 tree_writer_sink(mkfs->writer), builder);
}

int mkfs_write_empty_fs_tree(struct mkfs *mkfs, u64 objectid, const struct btrfs_inode_item *inode,
			     struct btrfs_built_tree *built)
{
	const struct btrfs_key key = { BTRFS_FIRST_FREE_OBJECTID, BTRFS_INODE_ITEM_KEY, 0 };
	struct btrfs_tree_builder *builder;
	int ret = create_builder(mkfs, objectid, &builder);

	if (ret)
		return ret;
	ret = btrfs_tree_builder_add_item(builder, &key, inode, sizeof(*inode));
	if (!ret)
		ret = add_root_dir_ref(builder);
	if (!ret)
		ret = btrfs_tree_builder_finish(builder, built);
	btrfs_tree_builder_free(builder);
	return ret;
}

static int write_subvol(struct mkfs *mkfs, u32 index)
{
	struct fs_tree tree = {
		.mkfs = mkfs,
		.subvol = *(struct mkfs_subvol **)vec_at(&mkfs->subvols, index),
		.subvol_index = index,
		.names = VEC_INIT(struct inode_name),
		.hashed = VEC_INIT(struct inode_name),
	};
	struct source_inode **inode;
	int ret;

	ret = create_builder(mkfs, tree.subvol->objectid, &tree.builder);
	if (ret)
		return ret;
	ret = collect_names(&tree);
	vec_for_each(&tree.subvol->inodes, inode)
		if (!ret)
			ret = add_inode(&tree, *inode);
	if (!ret)
		ret = btrfs_tree_builder_finish(tree.builder, &tree.subvol->built);
	btrfs_tree_builder_free(tree.builder);
	vec_free(&tree.names);
	vec_free(&tree.hashed);
	return ret;
}

int mkfs_write_fs_trees(struct mkfs *mkfs)
{
	int ret = 0;

	for (u32 i = 0; i < mkfs->subvols.nr && !ret; i++)
		ret = write_subvol(mkfs, i);
	return ret;
}
