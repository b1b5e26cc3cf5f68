// SPDX-License-Identifier: GPL-2.0-only
/*
 * A directory of this machine as the source.
 *
 * The tree is walked once, all metadata is read then.  Files are opened again for their
 * data and must still be what they were: same inode, size and mtime, before and
 * after.  The image that is being made is left out wherever it is met.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/message.h"
#include "kernel-shared/ondisk.h"
#include "mkfs/source-tree.h"

struct source_dir {
	struct source_tree tree;
	int root_fd;
	struct vec targets;		/* of struct target */
	struct vec linked;		/* of struct linked_inode: those with several links */
	struct u64_map by_ino;		/* inode number -> 1 + index into linked */
	char *list_buf;			/* XATTR_LIST_MAX */
	char *value_buf;		/* XATTR_SIZE_MAX */
	struct vec xattrs;		/* of struct source_xattr: the inode at hand */
	struct vec values;		/* bytes: their values */
};

/* An image file that is to be made. */
struct target {
	u64 dev;
	u64 ino;
	const char *path;
};

/* An inode with more than one link, to be recognised when it comes again. */
struct linked_inode {
	u64 dev;
	struct source_inode *inode;
	size_t next;			/* 1 + index of another with the same number; 0: none */
};

struct source_file {
	struct source_dir *dir;
	const struct source_inode *inode;
	int fd;
	bool sparse;			/* worth asking for holes */
};

static struct source_dir *to_dir(struct mkfs_source *source)
{
	return container_of(source, struct source_dir, tree.source);
}

static int report(const struct source_inode *inode, const char *what, int err)
{
	char path[1024];

	source_path(inode, path, sizeof(path));
	error("cannot %s %s: %s", what, path, err == -ESTALE ?
	      "it has changed since the start" : errno_text(err));
	return err;
}

/* ---- file data ---- */

/*
 * Open the inode by its first name.  A path may be longer than the kernel takes in one
 * go, so it is gone down in parts of some names each.
 */
static int open_parts(int fd, char *path, int flags)
{
	int at = fd, next;

	while (strlen(path) >= PATH_MAX) {
		char *cut = path + PATH_MAX - 1;

		while (*cut != '/')
			cut--;
		*cut = '\0';
		next = openat(at, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (at != fd)
			close(at);
		if (next < 0)
			return -errno;
		at = next;
		path = cut + 1;
	}
	next = openat(at, path, flags);
	if (next < 0)
		next = -errno;
	if (at != fd)
		close(at);
	return next;
}

static int open_inode(const struct source_dir *dir, const struct source_inode *inode, int flags)
{
	const struct source_inode *pos;
	size_t len = 1;
	char *path, *end;
	int fd;

	for (pos = inode; pos->parent; pos = pos->parent)
		len += (size_t)pos->name_len + 1;
	path = malloc(len + 1);
	if (!path)
		return -ENOMEM;
	end = path + len;
	*end = '\0';
	for (pos = inode; pos->parent; pos = pos->parent) {
		if (pos != inode)
			*--end = '/';
		end -= pos->name_len;
		memcpy(end, pos->name, pos->name_len);
	}
	fd = open_parts(dir->root_fd, *end ? end : strcpy(path, "."), flags);
	free(path);
	return fd;
}

/* The mtime in nanoseconds; far from today it wraps, and still tells one from another. */
static u64 mtime_ns(const struct stat *st)
{
	return (u64)st->st_mtim.tv_sec * 1000000000 + (u64)st->st_mtim.tv_nsec;
}

/* Is it still what was seen?  data_id holds device and inode number, data_pos the mtime. */
static bool is_unchanged(const struct source_inode *inode, const struct stat *st)
{
	return st->st_dev == inode->data_id[0] && st->st_ino == inode->data_id[1] &&
	       (u64)st->st_size == inode->size && mtime_ns(st) == inode->data_pos &&
	       (S_ISREG(st->st_mode) || !(st->st_mode & S_IFMT));
}

static int dir_open(struct mkfs_source *source, const struct source_inode *inode,
		    struct source_file **ret_file)
{
	struct source_dir *dir = to_dir(source);
	struct source_file *file = calloc(1, sizeof(*file));
	struct stat st;
	int ret;

	if (!file)
		return -ENOMEM;
	file->dir = dir;
	file->inode = inode;
	file->fd = open_inode(dir, inode, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	ret = file->fd < 0 ? file->fd : 0;
	if (!ret && fstat(file->fd, &st))
		ret = -errno;
	if (!ret && !is_unchanged(inode, &st))
		ret = -ESTALE;
	if (ret) {
		if (file->fd >= 0)
			close(file->fd);
		free(file);
		return report(inode, "read", ret);
	}
	file->sparse = (u64)st.st_blocks * 512 < inode->size;
	*ret_file = file;
	return 0;
}

static int dir_read(struct source_file *file, void *buf, size_t len, u64 offset)
{
	char *pos = buf;

	while (len) {
		ssize_t done = pread(file->fd, pos, len, (off_t)offset);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return report(file->inode, "read", done ? -errno : -ESTALE);
		pos += done;
		len -= (size_t)done;
		offset += (u64)done;
	}
	return 0;
}

static int dir_ranges(struct source_file *file, struct vec *ranges)
{
	u64 size = file->inode->size;
	struct source_range range = { 0, size };
	off_t pos = 0;

	if (!file->sparse)
		return vec_push_copy(ranges, &range);
	for (;;) {
		off_t data = lseek(file->fd, pos, SEEK_DATA), hole;
		int ret;

		if (data < 0 && errno == ENXIO)
			return 0;
		if (data < 0)	/* a file system that does not tell */
			return pos ? report(file->inode, "read", -errno) :
				     vec_push_copy(ranges, &range);
		hole = lseek(file->fd, data, SEEK_HOLE);
		if ((u64)data >= size)
			return 0;
		if (hole <= data)
			return report(file->inode, "read", -ESTALE);
		range.offset = (u64)data;
		range.len = min((u64)hole, size) - (u64)data;
		ret = vec_push_copy(ranges, &range);
		if (ret || (u64)hole >= size)
			return ret;
		pos = hole;
	}
}

static int dir_close(struct source_file *file)
{
	struct stat st;
	int ret = 0;

	if (fstat(file->fd, &st))
		ret = -errno;
	else if (!is_unchanged(file->inode, &st))
		ret = -ESTALE;
	if (ret)
		report(file->inode, "read", ret);
	close(file->fd);
	free(file);
	return ret;
}

static void dir_free(struct mkfs_source *source)
{
	struct source_dir *dir = to_dir(source);

	if (dir->root_fd >= 0)
		close(dir->root_fd);
	vec_free(&dir->targets);
	vec_free(&dir->linked);
	vec_free(&dir->xattrs);
	vec_free(&dir->values);
	u64_map_free(&dir->by_ino);
	free(dir->list_buf);
	free(dir->value_buf);
	arena_free(&dir->tree.arena);
	free(dir);
}

static const struct source_ops dir_ops = {
	.open = dir_open,
	.read = dir_read,
	.ranges = dir_ranges,
	.close = dir_close,
	.free = dir_free,
};

/* ---- metadata ---- */

static int add_xattr(struct source_dir *dir, const char *path, const char *name)
{
	struct source_xattr xattr = { .name = name, .name_len = (u16)strlen(name) };
	ssize_t len = lgetxattr(path, name, dir->value_buf, XATTR_SIZE_MAX);

	/* Gone meanwhile, or none of our business (trusted.* without root). */
	if (len < 0)
		return errno == ENODATA || errno == EPERM || errno == EACCES ? 0 : -errno;
	xattr.value_len = (u32)len;
	/* The values move as they grow: remember where, for now. */
	xattr.value = (void *)(uintptr_t)dir->values.nr;
	if (vec_append_bytes(&dir->values, dir->value_buf, (size_t)len))
		return -ENOMEM;
	return vec_push_copy(&dir->xattrs, &xattr);
}

/* btrfs.* are settings that the kernel keeps in the inode or elsewhere. */
static bool xattr_is_data(const char *name)
{
	return !strncmp(name, "user.", 5) || !strncmp(name, "security.", 9) ||
	       !strncmp(name, "trusted.", 8) || !strncmp(name, "system.posix_acl_", 17) ||
	       !strcmp(name, "btrfs.compression");
}

/* There is no call that takes a directory and a name, hence the detour over /proc. */
static int read_xattrs(struct source_dir *dir, struct source_inode *inode, int dir_fd,
		       const char *name)
{
	char path[64 + NAME_MAX];
	struct source_xattr *xattr;
	ssize_t len;
	int ret = 0;

	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dir_fd, name);
	len = llistxattr(path, dir->list_buf, XATTR_LIST_MAX);
	if (len <= 0)
		return len < 0 && errno != ENOTSUP ? -errno : 0;
	vec_clear(&dir->xattrs);
	vec_clear(&dir->values);
	for (const char *key = dir->list_buf; key < dir->list_buf + len && !ret;
	     key += strlen(key) + 1)
		if (xattr_is_data(key))
			ret = add_xattr(dir, path, key);
	if (ret || !dir->xattrs.nr)
		return ret;
	vec_for_each(&dir->xattrs, xattr)
		xattr->value = (u8 *)dir->values.data + (uintptr_t)xattr->value;
	return source_set_xattrs(&dir->tree, inode, dir->xattrs.data, (u32)dir->xattrs.nr);
}

static int read_symlink(struct source_dir *dir, struct source_inode *inode, int dir_fd,
			const char *name)
{
	char target[PATH_MAX];
	ssize_t len = readlinkat(dir_fd, name, target, sizeof(target));

	if (len < 0)
		return -errno;
	if (!len)
		return -EINVAL;
	inode->size = (u64)len;
	inode->symlink = arena_copy(&dir->tree.arena, target, (size_t)len);
	return inode->symlink ? 0 : -ENOMEM;
}

static void take_stat(struct source_inode *inode, const struct stat *st)
{
	inode->mode = st->st_mode;
	inode->uid = st->st_uid;
	inode->gid = st->st_gid;
	inode->rdev = st->st_rdev;
	inode->size = S_ISREG(st->st_mode) ? (u64)st->st_size : 0;
	/* More blocks than bytes: preallocated; fewer: holes, or compressed. */
	inode->data_bytes = min(inode->size, (u64)st->st_blocks * 512);
	inode->atime = st->st_atim;
	inode->mtime = st->st_mtim;
	inode->ctime = st->st_ctim;
	inode->otime = st->st_mtim;
	inode->data_id[0] = st->st_dev;
	inode->data_id[1] = st->st_ino;
	inode->data_pos = mtime_ns(st);
}

/* The inode that @st is, if it was met before by another name. */
static struct source_inode *find_linked(struct source_dir *dir, const struct stat *st)
{
	size_t index = (size_t)(uintptr_t)u64_map_find(&dir->by_ino, st->st_ino);

	while (index) {
		struct linked_inode *linked = vec_at(&dir->linked, index - 1);

		if (linked->dev == st->st_dev)
			return linked->inode;
		index = linked->next;
	}
	return NULL;
}

static int remember_linked(struct source_dir *dir, const struct stat *st,
			   struct source_inode *inode)
{
	const struct linked_inode linked = {
		.dev = st->st_dev,
		.inode = inode,
		.next = (size_t)(uintptr_t)u64_map_find(&dir->by_ino, st->st_ino),
	};
	int ret = vec_push_copy(&dir->linked, &linked);

	return ret ? ret : u64_map_set(&dir->by_ino, st->st_ino, (void *)(uintptr_t)dir->linked.nr);
}

/* A new inode for @name in the directory open at @dir_fd. */
static int read_inode(struct source_dir *dir, int dir_fd, const char *name, const struct stat *st,
		      struct source_inode **ret_inode)
{
	struct source_inode *inode = source_new_inode(&dir->tree);
	int ret = 0;

	if (!inode)
		return -ENOMEM;
	take_stat(inode, st);
	if (!(st->st_mode & S_IFMT))
		return -EINVAL;
	if (S_ISLNK(st->st_mode))
		ret = read_symlink(dir, inode, dir_fd, name);
	if (!ret)
		ret = read_xattrs(dir, inode, dir_fd, name);
	if (S_ISREG(st->st_mode))
		dir->tree.source.data_bytes += inode->data_bytes;
	*ret_inode = inode;
	return ret;
}

/* The target must not be read into itself. */
static bool leave_out(const struct source_dir *dir, const struct stat *st)
{
	const struct target *target;

	vec_for_each(&dir->targets, target) {
		if (target->dev != st->st_dev || target->ino != st->st_ino)
			continue;
		warning("leaving out %s, which lies in the source: it is what is being made",
			target->path);
		return true;
	}
	return false;
}

static int find_targets(struct source_dir *dir, const struct source_options *options)
{
	for (unsigned int i = 0; i < options->nr_targets; i++) {
		struct target *target;
		struct stat st;

		if (stat(options->targets[i], &st) || !S_ISREG(st.st_mode))
			continue;
		target = vec_push(&dir->targets);
		if (!target)
			return -ENOMEM;
		target->dev = st.st_dev;
		target->ino = st.st_ino;
		target->path = options->targets[i];
	}
	return 0;
}

static int read_entry(struct source_dir *dir, struct source_inode *parent, int dir_fd,
		      const struct dirent *de, struct vec *entries, struct vec *pending)
{
	const char *name = de->d_name;
	struct source_inode *inode;
	struct stat st;
	int ret;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW)) {
		ret = -errno;
		goto out;
	}
	/* fakeroot has lost the type of a file whose xattrs were set before all else. */
	if (!(st.st_mode & S_IFMT))
		st.st_mode |= DTTOIF(de->d_type);
	if (leave_out(dir, &st))
		return 0;
	inode = S_ISDIR(st.st_mode) || st.st_nlink < 2 ? NULL : find_linked(dir, &st);
	if (inode) {
		inode->nlink++;
		return source_add_entry(&dir->tree, entries, name, strlen(name), inode);
	}
	ret = read_inode(dir, dir_fd, name, &st, &inode);
	if (!ret && !S_ISDIR(st.st_mode) && st.st_nlink > 1)
		ret = remember_linked(dir, &st, inode);
	if (!ret)
		ret = source_add_entry(&dir->tree, entries, name, strlen(name), inode);
	if (!ret && S_ISDIR(st.st_mode))
		ret = vec_push_copy(pending, &inode);
out:
	if (ret) {
		char path[1024];

		source_path(parent, path, sizeof(path));
		error("cannot read %s/%s: %s", parent->parent ? path : "", name, errno_text(ret));
	}
	return ret;
}

static int read_dir(struct source_dir *dir, struct source_inode *inode, struct vec *pending)
{
	struct vec entries = VEC_INIT(struct source_entry);
	int fd = open_inode(dir, inode, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct dirent *de;
	DIR *stream;
	int ret = 0;

	stream = fd >= 0 ? fdopendir(fd) : NULL;
	if (!stream) {
		ret = fd < 0 ? fd : -errno;
		if (fd >= 0)
			close(fd);
		return report(inode, "read the directory", ret);
	}
	while (!ret && (errno = 0, de = readdir(stream)))
		if (strcmp(de->d_name, ".") && strcmp(de->d_name, ".."))
			ret = read_entry(dir, inode, fd, de, &entries, pending);
	if (!ret && errno)
		ret = report(inode, "read the directory", -errno);
	if (!ret)
		ret = source_set_entries(&dir->tree, inode, &entries);
	closedir(stream);
	vec_free(&entries);
	return ret;
}

static int read_tree(struct source_dir *dir)
{
	struct vec pending = VEC_INIT(struct source_inode *);
	struct source_inode *inode;
	struct stat st;
	int ret;

	if (fstat(dir->root_fd, &st))
		return -errno;
	ret = read_inode(dir, dir->root_fd, ".", &st, &inode);
	if (ret)
		return ret;
	dir->tree.source.root = inode;
	ret = vec_push_copy(&pending, &inode);
	while (!ret && pending.nr) {
		inode = *(struct source_inode **)vec_last(&pending);
		vec_pop(&pending);
		ret = read_dir(dir, inode, &pending);
	}
	vec_free(&pending);
	return ret;
}

int source_load_dir(const struct source_options *options, struct mkfs_source **source)
{
	struct source_dir *dir = calloc(1, sizeof(*dir));
	int ret = 0;

	if (!dir)
		return -ENOMEM;
	dir->tree.source.ops = &dir_ops;
	vec_init(&dir->targets, sizeof(struct target));
	vec_init(&dir->linked, sizeof(struct linked_inode));
	vec_init(&dir->xattrs, sizeof(struct source_xattr));
	vec_init(&dir->values, 1);
	u64_map_init(&dir->by_ino);
	dir->list_buf = malloc(XATTR_LIST_MAX);
	dir->value_buf = malloc(XATTR_SIZE_MAX);
	dir->root_fd = open(options->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir->root_fd < 0) {
		ret = -errno;
		error("cannot read %s: %s", options->path, errno_text(ret));
	} else if (!dir->list_buf || !dir->value_buf) {
		ret = -ENOMEM;
	} else {
		ret = find_targets(dir, options);
		if (!ret)
			ret = read_tree(dir);
	}
	if (ret) {
		dir_free(&dir->tree.source);
		return ret;
	}
	*source = &dir->tree.source;
	return 0;
}
