// SPDX-License-Identifier: GPL-2.0-only
/*
 * The commands of the stream that are about metadata, each with its attributes
 * in the order that the kernel gives them.
 */
#include <stdlib.h>
#include <sys/sysmacros.h>

#include "common/message.h"
#include "kernel-shared/send-internal.h"

/* Directories whose times are held back; beyond, the oldest is sent after each inode. */
#define SEND_MAX_DIR_UTIMES_CACHE_SIZE	64

static int put_path(struct send_ctx *sctx, enum btrfs_send_attr attr, const struct fs_path *path)
{
	return send_put(sctx->out, attr, path->buf, path->len);
}

static int put_root_uuid(struct send_ctx *sctx, enum btrfs_send_attr attr,
			 const struct btrfs_root *root)
{
	return send_put(sctx->out, attr, btrfs_send_uuid(root), BTRFS_UUID_SIZE);
}

static int put_ctransid(struct send_ctx *sctx, enum btrfs_send_attr attr,
			const struct btrfs_root *root)
{
	return send_put_u64(sctx->out, attr, le64toh(root->root_item.ctransid));
}

/* Begin a command whose first attribute is the path of the inode in hand. */
static int begin_with_cur_path(struct send_ctx *sctx, enum btrfs_send_cmd cmd)
{
	const struct fs_path *path;
	int ret;

	path = send_cur_inode_path(sctx, &ret);
	if (!ret)
		ret = send_cmd_begin(sctx->out, cmd);
	return ret ? ret : put_path(sctx, BTRFS_SEND_A_PATH, path);
}

static int put_subvol_name(struct send_ctx *sctx)
{
	char name[BTRFS_NAME_LEN + 1];
	u32 len;
	int ret;

	if (sctx->subvol_name)
		return send_put(sctx->out, BTRFS_SEND_A_PATH, sctx->subvol_name,
				(u32)strlen(sctx->subvol_name));
	ret = btrfs_send_name(sctx->send_root, name, &len);
	return ret ? ret : send_put(sctx->out, BTRFS_SEND_A_PATH, name, len);
}

int send_cmd_subvol(struct send_ctx *sctx)
{
	int ret = send_cmd_begin(sctx->out, sctx->parent_root ? BTRFS_SEND_C_SNAPSHOT :
				 BTRFS_SEND_C_SUBVOL);

	if (!ret)
		ret = put_subvol_name(sctx);
	if (!ret)
		ret = put_root_uuid(sctx, BTRFS_SEND_A_UUID, sctx->send_root);
	if (!ret)
		ret = put_ctransid(sctx, BTRFS_SEND_A_CTRANSID, sctx->send_root);
	if (!ret && sctx->parent_root)
		ret = put_root_uuid(sctx, BTRFS_SEND_A_CLONE_UUID, sctx->parent_root);
	if (!ret && sctx->parent_root)
		ret = put_ctransid(sctx, BTRFS_SEND_A_CLONE_CTRANSID, sctx->parent_root);
	return ret ? ret : send_cmd_end(sctx->out);
}

static int cmd_two_paths(struct send_ctx *sctx, enum btrfs_send_cmd cmd,
			 const struct fs_path *path, enum btrfs_send_attr attr,
			 const struct fs_path *other)
{
	int ret = send_cmd_begin(sctx->out, cmd);

	if (!ret)
		ret = put_path(sctx, BTRFS_SEND_A_PATH, path);
	if (!ret)
		ret = put_path(sctx, attr, other);
	return ret ? ret : send_cmd_end(sctx->out);
}

int send_cmd_rename(struct send_ctx *sctx, const struct fs_path *from, const struct fs_path *to)
{
	return cmd_two_paths(sctx, BTRFS_SEND_C_RENAME, from, BTRFS_SEND_A_PATH_TO, to);
}

int send_cmd_link(struct send_ctx *sctx, const struct fs_path *path, const struct fs_path *target)
{
	return cmd_two_paths(sctx, BTRFS_SEND_C_LINK, path, BTRFS_SEND_A_PATH_LINK, target);
}

int send_cmd_path(struct send_ctx *sctx, enum btrfs_send_cmd cmd, const struct fs_path *path)
{
	int ret = send_cmd_begin(sctx->out, cmd);

	if (!ret)
		ret = put_path(sctx, BTRFS_SEND_A_PATH, path);
	return ret ? ret : send_cmd_end(sctx->out);
}

static int cmd_cur_path_u64(struct send_ctx *sctx, enum btrfs_send_cmd cmd,
			    enum btrfs_send_attr attr, u64 value)
{
	int ret = begin_with_cur_path(sctx, cmd);

	if (!ret)
		ret = send_put_u64(sctx->out, attr, value);
	return ret ? ret : send_cmd_end(sctx->out);
}

int send_cmd_truncate(struct send_ctx *sctx, u64 size)
{
	return cmd_cur_path_u64(sctx, BTRFS_SEND_C_TRUNCATE, BTRFS_SEND_A_SIZE, size);
}

int send_cmd_chmod(struct send_ctx *sctx, u64 mode)
{
	return cmd_cur_path_u64(sctx, BTRFS_SEND_C_CHMOD, BTRFS_SEND_A_MODE, mode & 07777);
}

int send_cmd_fileattr(struct send_ctx *sctx, u64 flags)
{
	if (sctx->proto < 2)
		return 0;
	return cmd_cur_path_u64(sctx, BTRFS_SEND_C_FILEATTR, BTRFS_SEND_A_FILEATTR, flags);
}

int send_cmd_chown(struct send_ctx *sctx, u64 uid, u64 gid)
{
	int ret = begin_with_cur_path(sctx, BTRFS_SEND_C_CHOWN);

	if (!ret)
		ret = send_put_u64(sctx->out, BTRFS_SEND_A_UID, uid);
	if (!ret)
		ret = send_put_u64(sctx->out, BTRFS_SEND_A_GID, gid);
	return ret ? ret : send_cmd_end(sctx->out);
}

int send_cmd_update_extent(struct send_ctx *sctx, u64 offset, u64 len)
{
	int ret = begin_with_cur_path(sctx, BTRFS_SEND_C_UPDATE_EXTENT);

	if (!ret)
		ret = send_put_u64(sctx->out, BTRFS_SEND_A_FILE_OFFSET, offset);
	/* The kernel counts in 32 bits here. */
	if (!ret)
		ret = send_put_u64(sctx->out, BTRFS_SEND_A_SIZE, (u32)len);
	return ret ? ret : send_cmd_end(sctx->out);
}

int send_cmd_fallocate(struct send_ctx *sctx, u32 mode, u64 offset, u64 len)
{
	int ret = begin_with_cur_path(sctx, BTRFS_SEND_C_FALLOCATE);

	if (!ret)
		ret = send_put_u32(sctx->out, BTRFS_SEND_A_FALLOCATE_MODE, mode);
	if (!ret)
		ret = send_put_u64(sctx->out, BTRFS_SEND_A_FILE_OFFSET, offset);
	if (!ret)
		ret = send_put_u64(sctx->out, BTRFS_SEND_A_SIZE, len);
	return ret ? ret : send_cmd_end(sctx->out);
}

int send_cmd_clone(struct send_ctx *sctx, u64 offset, u64 len, const struct clone_root *source)
{
	const struct fs_path *path;
	struct fs_path source_path;
	u64 gen;
	int ret;

	path = send_cur_inode_path(sctx, &ret);
	if (ret)
		return ret;
	if (source->root == sctx->send_root) {
		ret = send_get_inode_gen(sctx, sctx->send_root, source->ino, &gen);
		if (!ret)
			ret = send_get_cur_path(sctx, source->ino, gen, &source_path);
	} else {
		ret = send_get_inode_path(sctx, source->root, source->ino, &source_path);
	}
	if (!ret)
		ret = send_cmd_begin(sctx->out, BTRFS_SEND_C_CLONE);
	if (!ret)
		ret = send_put_u64(sctx->out, BTRFS_SEND_A_FILE_OFFSET, offset);
	/* The kernel counts in 32 bits here. */
	if (!ret)
		ret = send_put_u64(sctx->out, BTRFS_SEND_A_CLONE_LEN, (u32)len);
	if (!ret)
		ret = put_path(sctx, BTRFS_SEND_A_PATH, path);
	if (!ret)
		ret = put_root_uuid(sctx, BTRFS_SEND_A_CLONE_UUID, source->root);
	if (!ret)
		ret = put_ctransid(sctx, BTRFS_SEND_A_CLONE_CTRANSID, source->root);
	if (!ret)
		ret = put_path(sctx, BTRFS_SEND_A_CLONE_PATH, &source_path);
	if (!ret)
		ret = send_put_u64(sctx->out, BTRFS_SEND_A_CLONE_OFFSET, source->offset);
	return ret ? ret : send_cmd_end(sctx->out);
}

static int put_times(struct send_ctx *sctx, const struct btrfs_inode_item *ii)
{
	const struct {
		enum btrfs_send_attr attr;
		const struct btrfs_timespec *time;
		u32 since_proto;
	} times[] = {
		{ BTRFS_SEND_A_ATIME, &ii->atime, 1 },
		{ BTRFS_SEND_A_MTIME, &ii->mtime, 1 },
		{ BTRFS_SEND_A_CTIME, &ii->ctime, 1 },
		{ BTRFS_SEND_A_OTIME, &ii->otime, 2 },
	};
	int ret = 0;

	for (size_t i = 0; i < ARRAY_SIZE(times) && !ret; i++)
		if (sctx->proto >= times[i].since_proto)
			ret = send_put(sctx->out, times[i].attr, times[i].time,
				       sizeof(*times[i].time));
	return ret;
}

int send_cmd_utimes(struct send_ctx *sctx, u64 ino, u64 gen)
{
	struct btrfs_key key = { ino, BTRFS_INODE_ITEM_KEY, 0 };
	struct btrfs_path path = { 0 };
	struct fs_path name;
	int ret;

	ret = send_get_cur_path(sctx, ino, gen, &name);
	if (ret)
		return ret;
	ret = btrfs_search_slot(sctx->send_root, &key, &path);
	if (ret > 0)
		ret = -ENOENT;
	if (!ret)
		ret = send_cmd_begin(sctx->out, BTRFS_SEND_C_UTIMES);
	if (!ret)
		ret = put_path(sctx, BTRFS_SEND_A_PATH, &name);
	if (!ret)
		ret = put_times(sctx, btrfs_item_ptr(path.nodes[0], path.slots[0],
						     struct btrfs_inode_item));
	btrfs_release_path(&path);
	return ret ? ret : send_cmd_end(sctx->out);
}

int send_cache_dir_utimes(struct send_ctx *sctx, u64 dir, u64 gen)
{
	struct lru_entry *entry = lru_cache_lookup(&sctx->dir_utimes_cache, dir, gen);
	int ret;

	if (entry)
		return 0;
	entry = malloc(sizeof(*entry));
	if (!entry)
		return -ENOMEM;
	entry->key = dir;
	entry->gen = gen;
	ret = lru_cache_store(&sctx->dir_utimes_cache, entry);
	if (ret)
		free(entry);
	return ret;
}

static int send_cached_dir_utimes(struct send_ctx *sctx, struct lru_entry *entry)
{
	int ret = send_cmd_utimes(sctx, entry->key, entry->gen);

	if (!ret)
		lru_cache_remove(&sctx->dir_utimes_cache, entry);
	return ret;
}

int send_trim_dir_utimes_cache(struct send_ctx *sctx)
{
	int ret = 0;

	while (!ret && sctx->dir_utimes_cache.nr > SEND_MAX_DIR_UTIMES_CACHE_SIZE)
		ret = send_cached_dir_utimes(sctx, lru_cache_oldest(&sctx->dir_utimes_cache));
	return ret;
}

int send_flush_dir_utimes_cache(struct send_ctx *sctx)
{
	int ret = 0;

	/* The other way round than above; that is how the kernel's streams end. */
	while (!ret && sctx->dir_utimes_cache.nr)
		ret = send_cached_dir_utimes(sctx, lru_cache_newest(&sctx->dir_utimes_cache));
	return ret;
}

static int create_cmd_of_mode(u64 mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return BTRFS_SEND_C_MKFILE;
	case S_IFDIR:
		return BTRFS_SEND_C_MKDIR;
	case S_IFLNK:
		return BTRFS_SEND_C_SYMLINK;
	case S_IFCHR:
	case S_IFBLK:
		return BTRFS_SEND_C_MKNOD;
	case S_IFIFO:
		return BTRFS_SEND_C_MKFIFO;
	case S_IFSOCK:
		return BTRFS_SEND_C_MKSOCK;
	default:
		return -EOPNOTSUPP;
	}
}

/* Where a symlink points to stands in its one extent, inline and plain. */
static int put_symlink_target(struct send_ctx *sctx, u64 ino)
{
	struct btrfs_key key = { ino, BTRFS_EXTENT_DATA_KEY, 0 };
	const struct btrfs_file_extent_item *fi;
	struct btrfs_path path = { 0 };
	const char *why = NULL;
	int ret;

	ret = btrfs_search_slot(sctx->send_root, &key, &path);
	if (ret < 0)
		return ret;
	if (ret > 0) {
		why = "it has no target";
		ret = -EIO;
	} else {
		fi = btrfs_item_ptr(path.nodes[0], path.slots[0], struct btrfs_file_extent_item);
		if (btrfs_file_extent_type(path.nodes[0], fi) != BTRFS_FILE_EXTENT_INLINE ||
		    btrfs_file_extent_compression(path.nodes[0], fi) != BTRFS_COMPRESS_NONE) {
			why = "its target is not inline";
			ret = -EUCLEAN;
		} else {
			ret = send_put(sctx->out, BTRFS_SEND_A_PATH_LINK,
				       btrfs_file_extent_inline_data(fi),
				       btrfs_file_extent_inline_item_len(path.nodes[0],
									 path.slots[0]));
		}
	}
	if (why)
		error("cannot send symlink, inode %llu of subvolume %llu: %s", ino,
		      btrfs_root_id(sctx->send_root), why);
	btrfs_release_path(&path);
	return ret;
}

/* The device number as Linux passes it to user space in 32 bits. */
static u64 encode_dev(u64 rdev)
{
	/* On disk: 20 bits of minor below the major. */
	u64 major = rdev >> 20, minor = rdev & 0xfffff;

	return (u32)((minor & 0xff) | major << 8 | (minor & ~0xffULL) << 12);
}

int send_cmd_create_inode(struct send_ctx *sctx, u64 ino)
{
	struct fs_path name = { .len = 0 };
	struct send_inode_info info;
	int cmd, ret;

	ret = send_get_inode_info(sctx, sctx->send_root, ino, &info);
	if (ret)
		return ret;
	cmd = create_cmd_of_mode(info.mode);
	if (cmd < 0) {
		error("cannot send inode %llu of subvolume %llu: unknown file type %llo", ino,
		      btrfs_root_id(sctx->send_root), info.mode & S_IFMT);
		return cmd;
	}
	ret = send_gen_unique_name(sctx, ino, info.gen, &name);
	if (!ret)
		ret = send_cmd_begin(sctx->out, (enum btrfs_send_cmd)cmd);
	if (!ret)
		ret = put_path(sctx, BTRFS_SEND_A_PATH, &name);
	if (!ret)
		ret = send_put_u64(sctx->out, BTRFS_SEND_A_INO, ino);
	if (!ret && cmd == BTRFS_SEND_C_SYMLINK) {
		ret = put_symlink_target(sctx, ino);
	} else if (!ret && cmd != BTRFS_SEND_C_MKFILE && cmd != BTRFS_SEND_C_MKDIR) {
		ret = send_put_u64(sctx->out, BTRFS_SEND_A_RDEV, encode_dev(info.rdev));
		if (!ret)
			ret = send_put_u64(sctx->out, BTRFS_SEND_A_MODE, info.mode);
	}
	return ret ? ret : send_cmd_end(sctx->out);
}
