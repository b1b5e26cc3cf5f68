// SPDX-License-Identifier: GPL-2.0-only
/*
 * Making a file system: the order of things.
 *
 * Trees with files come first, together with the data of these; then the trees that
 * describe what has been written, and when everything is durable, the
 * superblocks.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "common/hash.h"
#include "common/message.h"
#include "kernel-shared/super-write.h"
#include "kernel-shared/volumes-write.h"
#include "mkfs/make.h"

/* ---- uuids ---- */

/* Version 4 and the usual variant, as whatever is random has them. */
static void mark_uuid(u8 *uuid)
{
	uuid[6] = (u8)((uuid[6] & 0x0f) | 0x40);
	uuid[8] = (u8)((uuid[8] & 0x3f) | 0x80);
}

void mkfs_new_uuid(const struct mkfs_plan *plan, const char *what, u64 number, u8 *uuid)
{
	struct {
		u8 fsid[BTRFS_FSID_SIZE];
		char what[24];
		__le64 number;
	} seed = { .number = htole64(number) };
	u8 digest[32];

	if (!plan->derive_uuids) {
		if (getrandom(uuid, BTRFS_UUID_SIZE, 0) == BTRFS_UUID_SIZE) {
			mark_uuid(uuid);
			return;
		}
	}
	memcpy(seed.fsid, plan->fsid, BTRFS_FSID_SIZE);
	strncpy(seed.what, what, sizeof(seed.what) - 1);
	hash_sha256(&seed, sizeof(seed), digest);
	memcpy(uuid, digest, BTRFS_UUID_SIZE);
	mark_uuid(uuid);
}

/* ---- the file system in memory ---- */

static void init_super(const struct mkfs_plan *plan, struct btrfs_super_block *sb)
{
	memset(sb, 0, sizeof(*sb));
	memcpy(sb->fsid, plan->fsid, BTRFS_FSID_SIZE);
	sb->flags = htole64(BTRFS_HEADER_FLAG_WRITTEN);
	sb->magic = htole64(BTRFS_MAGIC);
	sb->generation = htole64(MKFS_GENERATION);
	sb->root_dir_objectid = htole64(BTRFS_ROOT_TREE_DIR_OBJECTID);
	sb->num_devices = htole64(plan->devices.nr);
	sb->sectorsize = htole32(plan->sectorsize);
	sb->nodesize = htole32(plan->nodesize);
	sb->leafsize = htole32(plan->nodesize);
	sb->stripesize = htole32(plan->sectorsize);
	sb->compat_ro_flags = htole64(plan->compat_ro);
	sb->incompat_flags = htole64(plan->incompat);
	sb->csum_type = htole16(plan->csum_type);
	memcpy(sb->label, plan->label, sizeof(sb->label));
	/* Without a free space tree the kernel is to build its cache anew. */
	if (!(plan->compat_ro & BTRFS_FEATURE_COMPAT_RO_FREE_SPACE_TREE))
		sb->cache_generation = htole64(U64_MAX);
}

/* From here on the devices are the fs_info's to close. */
static int create_fs_info(struct mkfs *mkfs)
{
	struct mkfs_plan *plan = mkfs->plan;
	struct mkfs_device *first = plan->devices.data;
	struct btrfs_new_device *devices = calloc(plan->devices.nr, sizeof(*devices));
	struct btrfs_super_block sb;
	int ret;

	if (!devices)
		return -ENOMEM;
	for (unsigned int i = 0; i < plan->devices.nr; i++) {
		devices[i].bdev = first[i].bdev;
		devices[i].devid = i + 1;
		devices[i].total_bytes = first[i].size;
		memcpy(devices[i].uuid, first[i].uuid, BTRFS_UUID_SIZE);
	}
	init_super(plan, &sb);
	ret = btrfs_new_fs_info(first->path, &sb, devices, (unsigned int)plan->devices.nr,
				&mkfs->fs_info);
	plan->devices_taken = true;
	free(devices);
	if (!ret)
		memcpy(mkfs->fs_info->chunk_tree_uuid, plan->chunk_tree_uuid, BTRFS_UUID_SIZE);
	return ret;
}

/* ---- trees with little in them ---- */

static int add_tree(struct mkfs *mkfs, u64 objectid, const struct btrfs_built_tree *built)
{
	const struct mkfs_tree tree = { .objectid = objectid, .built = *built };

	return vec_push_copy(&mkfs->trees, &tree);
}

static void empty_dir_inode(const struct mkfs *mkfs, struct btrfs_inode_item *inode, u64 generation)
{
	memset(inode, 0, sizeof(*inode));
	inode->generation = htole64(generation);
	inode->nlink = htole32(1);
	inode->mode = htole32(S_IFDIR | 0755);
	mkfs_set_time(&inode->atime, &mkfs->plan->now);
	inode->ctime = inode->mtime = inode->atime;
}

/* The top level of a file system without files. */
static int write_empty_top_level(struct mkfs *mkfs)
{
	struct mkfs_subvol *top = *(struct mkfs_subvol **)vec_at(&mkfs->subvols, 0);
	struct btrfs_inode_item inode;

	/* As the field's tool leaves it, which makes it by copying from the root tree. */
	empty_dir_inode(mkfs, &inode, 3);
	inode.nbytes = htole64(mkfs->fs_info->nodesize);
	inode.otime = inode.atime;
	return mkfs_write_empty_fs_tree(mkfs, top->objectid, &inode, &top->built);
}

static int write_data_reloc_tree(struct mkfs *mkfs)
{
	struct btrfs_built_tree built;
	struct btrfs_inode_item inode;
	int ret;

	empty_dir_inode(mkfs, &inode, MKFS_FS_GENERATION);
	ret = mkfs_write_empty_fs_tree(mkfs, BTRFS_DATA_RELOC_TREE_OBJECTID, &inode, &built);
	return ret ? ret : add_tree(mkfs, BTRFS_DATA_RELOC_TREE_OBJECTID, &built);
}

/* ---- the whole ---- */

static int write_csum_tree(struct mkfs *mkfs)
{
	struct btrfs_built_tree built;
	int ret = csum_writer_finish(mkfs->csums, &built);

	return ret ? ret : add_tree(mkfs, BTRFS_CSUM_TREE_OBJECTID, &built);
}

static int write_files(struct mkfs *mkfs)
{
	int ret, err;

	if (!mkfs->plan->source)
		return write_empty_top_level(mkfs);
	ret = file_data_create(mkfs, &mkfs->file_data);
	if (ret)
		return ret;
	ret = mkfs_write_fs_trees(mkfs);
	err = file_data_finish(mkfs->file_data);
	return ret ? ret : err;
}

static int write_trees(struct mkfs *mkfs)
{
	int ret = write_files(mkfs);

	if (!ret)
		ret = write_csum_tree(mkfs);
	if (!ret)
		ret = write_data_reloc_tree(mkfs);
	if (!ret)
		ret = mkfs_write_uuid_tree(mkfs);
	if (!ret && (mkfs->plan->quota || mkfs->plan->simple_quota))
		ret = mkfs_write_quota_tree(mkfs);
	if (!ret)
		ret = mkfs_write_global_trees(mkfs);
	return ret ? ret : tree_writer_flush(mkfs->writer);
}

static int prepare(struct mkfs *mkfs)
{
	int ret = create_fs_info(mkfs);

	if (!ret) {
		mkfs->workers = thread_pool_create(mkfs->plan->nr_threads);
		ret = mkfs->workers ? 0 : -ENOMEM;
	}
	if (!ret)
		ret = mkfs_alloc_create(mkfs->fs_info, mkfs->plan, &mkfs->alloc);
	if (!ret)
		ret = tree_writer_create(mkfs, &mkfs->writer);
	return ret ? ret : csum_writer_create(mkfs, &mkfs->csums);
}

static void clean_up(struct mkfs *mkfs)
{
	struct mkfs_subvol **subvol;

	file_data_free(mkfs->file_data);
	csum_writer_free(mkfs->csums);
	tree_writer_free(mkfs->writer);
	thread_pool_destroy(mkfs->workers);
	mkfs_alloc_free(mkfs->alloc);
	vec_for_each(&mkfs->subvols, subvol) {
		vec_free(&(*subvol)->inodes);
		free(*subvol);
	}
	vec_free(&mkfs->subvols);
	vec_free(&mkfs->trees);
	vec_free(&mkfs->data_extents);
	if (mkfs->fs_info)
		btrfs_close_fs(mkfs->fs_info);
}

static void fill_result(struct mkfs *mkfs, struct mkfs_result *result)
{
	struct mkfs_block_group **group;

	memset(result, 0, sizeof(*result));
	result->total_bytes = le64toh(mkfs->fs_info->super_copy.total_bytes);
	result->bytes_used = le64toh(mkfs->fs_info->super_copy.bytes_used);
	vec_for_each(mkfs_alloc_groups(mkfs->alloc), group) {
		if ((*group)->flags & BTRFS_BLOCK_GROUP_DATA)
			result->data_bytes += (*group)->length;
		else if ((*group)->flags & BTRFS_BLOCK_GROUP_SYSTEM)
			result->system_bytes += (*group)->length;
		else
			result->metadata_bytes += (*group)->length;
	}
}

/* The image ends where the file system does. */
static int cut_off(struct mkfs *mkfs)
{
	struct mkfs_device *device = mkfs->plan->devices.data;
	int ret;

	device->size = mkfs->fs_info->fs_devices->devices[0]->total_bytes;
	ret = blockdev_resize(device->bdev, device->size);
	if (ret)
		error("cannot cut %s off at %llu: %s", device->path, device->size,
		      ret == -EOPNOTSUPP ? "not an image file" : errno_text(ret));
	return ret;
}

/* New image files appear under their names now that they are whole. */
static int commit_images(struct mkfs_plan *plan)
{
	struct mkfs_device *device;

	vec_for_each(&plan->devices, device) {
		int ret = blockdev_commit(device->bdev);

		if (ret) {
			error("cannot finish %s: %s", device->path, errno_text(ret));
			return ret;
		}
	}
	return 0;
}

int mkfs_make(struct mkfs_plan *plan, struct mkfs_result *result)
{
	unsigned long nr_errors = message_nr_errors();
	struct mkfs mkfs = {
		.plan = plan,
		.subvols = VEC_INIT(struct mkfs_subvol *),
		.trees = VEC_INIT(struct mkfs_tree),
		.data_extents = VEC_INIT(struct mkfs_data_extent),
	};
	const struct mkfs_device *first = plan->devices.data;
	int ret = mkfs_number_inodes(&mkfs);

	/* What could be refused has been; from here on the devices are changed. */
	if (!ret)
		ret = mkfs_prepare_devices(plan);
	if (!ret)
		ret = prepare(&mkfs);
	if (!ret)
		ret = write_trees(&mkfs);
	if (!ret && plan->shrink)
		ret = cut_off(&mkfs);
	if (!ret)
		ret = btrfs_write_supers(mkfs.fs_info);
	if (!ret && !plan->dry_run)
		ret = commit_images(plan);
	if (!ret)
		fill_result(&mkfs, result);
	else if (message_nr_errors() == nr_errors)
		error("cannot make a file system on %s: %s", first->path, ret == -ENOSPC ?
		      "it is too small for what it is to hold" : errno_text(ret));
	clean_up(&mkfs);
	return ret;
}
