// SPDX-License-Identifier: GPL-2.0-only
/*
 * An archive as the source, in any format and compression that libarchive reads.
 *
 * An archive can only be read from its beginning to its end, and has no order
 * that could be relied on.  So it is read once: metadata into the tree, file data
 * into a file without a name, from where it is taken when it is wanted.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/hash.h"
#include "common/message.h"
#include "common/string-utils.h"
#include "mkfs/source-tree.h"

#define READ_BLOCK	(256 * 1024)
#define MAX_NAME	255U

/* Data of a file in the spool file. */
struct spooled {
	u64 offset;		/* bytes in the file */
	u64 len;
	u64 pos;		/* bytes in the spool file */
};

struct source_tar {
	struct source_tree tree;
	const char *label;		/* of the archive, for messages */
	int spool_fd;
	u64 spool_size;
	struct timespec time;		/* for what has none of its own */
	struct vec names;		/* of struct tar_name */
	struct u64_map by_hash;		/* hash of directory and name -> 1 + index into names */
	u64 nr_dirs;
	struct vec pieces;		/* of struct spooled: the file at hand */
	struct vec xattrs;		/* of struct source_xattr: the inode at hand */
};

/*
 * A name in a directory.  While the archive is read, data_id[0] of directories is
 * their number; an inode that is no directory uses it and data_id[1] for its pieces.
 */
struct tar_name {
	u64 dir;		/* number of the directory */
	struct source_entry entry;
	size_t next;		/* 1 + index of another with the same hash; 0: none */
};

struct source_file {
	struct source_tar *tar;
	const struct source_inode *inode;
};

static struct source_tar *to_tar(struct mkfs_source *source)
{
	return container_of(source, struct source_tar, tree.source);
}

static int refuse(const struct source_tar *tar, const char *path, int err, const char *why)
{
	char shown[1024];

	escape_path(path, strlen(path), shown, sizeof(shown));
	error("cannot use %s of the archive %s: %s", shown, tar->label,
	      why ? why : errno_text(err));
	return err;
}

static int refuse_archive(const struct source_tar *tar, struct archive *archive)
{
	const char *why = archive_error_string(archive);

	error("cannot read the archive %s: %s", tar->label, why ? why : "it is damaged");
	return -EIO;
}

/* ---- file data ---- */

static const struct spooled *pieces_of(const struct source_inode *inode)
{
	return (const struct spooled *)(uintptr_t)inode->data_id[0];
}

static int tar_open(struct mkfs_source *source, const struct source_inode *inode,
		    struct source_file **ret_file)
{
	struct source_file *file = calloc(1, sizeof(*file));

	if (!file)
		return -ENOMEM;
	file->tar = to_tar(source);
	file->inode = inode;
	*ret_file = file;
	return 0;
}

static int read_spool(const struct source_file *file, char *buf, u64 len, u64 pos)
{
	while (len) {
		ssize_t done = pread(file->tar->spool_fd, buf, len, (off_t)pos);
		char path[1024];

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0) {
			int err = done ? -errno : -EIO;

			source_path(file->inode, path, sizeof(path));
			error("cannot read %s from the spool file: %s", path, errno_text(err));
			return err;
		}
		buf += done;
		len -= (u64)done;
		pos += (u64)done;
	}
	return 0;
}

/* The first piece that ends behind @offset. */
static u64 find_piece(const struct source_inode *inode, u64 offset)
{
	const struct spooled *pieces = pieces_of(inode);
	u64 low = 0, high = inode->data_id[1];

	while (low < high) {
		u64 mid = low + (high - low) / 2;

		if (pieces[mid].offset + pieces[mid].len <= offset)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static int tar_read(struct source_file *file, void *buf, size_t len, u64 offset)
{
	const struct source_inode *inode = file->inode;
	const struct spooled *pieces = pieces_of(inode);
	u64 end = offset + len;
	int ret = 0;

	memset(buf, 0, len);
	for (u64 i = find_piece(inode, offset); i < inode->data_id[1] && !ret; i++) {
		u64 from = max(offset, pieces[i].offset);
		u64 to = min(end, pieces[i].offset + pieces[i].len);

		if (pieces[i].offset >= end)
			break;
		ret = read_spool(file, (char *)buf + (from - offset), to - from,
				 pieces[i].pos + (from - pieces[i].offset));
	}
	return ret;
}

static int tar_ranges(struct source_file *file, struct vec *ranges)
{
	const struct spooled *pieces = pieces_of(file->inode);
	int ret = 0;

	for (u64 i = 0; i < file->inode->data_id[1] && !ret; i++) {
		const struct source_range range = { pieces[i].offset, pieces[i].len };

		ret = vec_push_copy(ranges, &range);
	}
	return ret;
}

static int tar_close(struct source_file *file)
{
	free(file);
	return 0;
}

static void tar_free(struct mkfs_source *source)
{
	struct source_tar *tar = to_tar(source);

	if (tar->spool_fd >= 0)
		close(tar->spool_fd);
	vec_free(&tar->names);
	vec_free(&tar->pieces);
	vec_free(&tar->xattrs);
	u64_map_free(&tar->by_hash);
	arena_free(&tar->tree.arena);
	free(tar);
}

static const struct source_ops tar_ops = {
	.open = tar_open,
	.read = tar_read,
	.ranges = tar_ranges,
	.close = tar_close,
	.free = tar_free,
};

/* ---- the spool file ---- */

static int open_spool(struct source_tar *tar, const char *dir)
{
	char path[PATH_MAX];

	if (!dir)
		dir = getenv("TMPDIR");
	if (!dir || !*dir)
		dir = "/var/tmp";
	tar->spool_fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (tar->spool_fd < 0 && (size_t)snprintf(path, sizeof(path), "%s/mkfs-spool.XXXXXX",
						  dir) < sizeof(path)) {
		/* Not every file system makes files without a name. */
		tar->spool_fd = mkostemp(path, O_CLOEXEC);
		if (tar->spool_fd >= 0)
			unlink(path);
	}
	if (tar->spool_fd < 0) {
		int err = -errno;

		error("cannot make a temporary file in %s: %s", dir, errno_text(err));
		return err;
	}
	return 0;
}

static int write_spool(struct source_tar *tar, const char *buf, size_t len)
{
	while (len) {
		ssize_t done = pwrite(tar->spool_fd, buf, len, (off_t)tar->spool_size);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0) {
			int err = done ? -errno : -EIO;

			error("cannot write the data of %s to a temporary file: %s", tar->label,
			      errno_text(err));
			return err;
		}
		buf += done;
		len -= (size_t)done;
		tar->spool_size += (u64)done;
	}
	return 0;
}

/* One block of data, which may continue the last. */
static int add_block(struct source_tar *tar, const void *buf, size_t len, u64 offset)
{
	struct spooled *last = vec_last(&tar->pieces);
	const struct spooled piece = { offset, len, tar->spool_size };

	if (last && last->offset + last->len == offset)
		last->len += len;
	else if (vec_push_copy(&tar->pieces, &piece))
		return -ENOMEM;
	return write_spool(tar, buf, len);
}

/* Copy the data of the entry at hand; holes are what no block covers. */
static int copy_data(struct source_tar *tar, struct archive *archive, const char *path,
		     u64 size, u64 *ret_end, u64 *ret_bytes)
{
	u64 end = 0;

	vec_clear(&tar->pieces);
	*ret_bytes = 0;
	for (;;) {
		const void *buf;
		size_t len;
		la_int64_t offset;
		int ret = archive_read_data_block(archive, &buf, &len, &offset);

		if (ret == ARCHIVE_EOF)
			break;
		if (ret != ARCHIVE_OK && ret != ARCHIVE_WARN)
			return refuse_archive(tar, archive);
		if (!len)
			continue;
		if (offset < 0 || (u64)offset < end || (u64)offset > size ||
		    len > size - (u64)offset)
			return refuse(tar, path, -EIO, "its data does not fit its size");
		ret = add_block(tar, buf, len, (u64)offset);
		if (ret)
			return ret;
		end = (u64)offset + len;
		*ret_bytes += len;
	}
	*ret_end = end;
	return 0;
}

static int read_data(struct source_tar *tar, struct archive *archive,
		     struct archive_entry *entry, struct source_inode *inode)
{
	bool known = archive_entry_size_is_set(entry);
	u64 size = known ? (u64)archive_entry_size(entry) : (u64)S64_MAX;
	size_t nr_bytes;
	void *pieces;
	u64 end = 0, bytes = 0;
	int ret;

	if (size > (u64)S64_MAX)
		return refuse(tar, archive_entry_pathname(entry), -EFBIG, NULL);
	ret = copy_data(tar, archive, archive_entry_pathname(entry), size, &end, &bytes);
	if (ret)
		return ret;
	nr_bytes = tar->pieces.nr * sizeof(struct spooled);
	pieces = arena_alloc(&tar->tree.arena, nr_bytes);
	if (!pieces)
		return -ENOMEM;
	if (nr_bytes)
		memcpy(pieces, tar->pieces.data, nr_bytes);
	tar->tree.source.data_bytes += bytes - inode->data_bytes;
	inode->size = known ? size : end;
	inode->data_bytes = bytes;
	inode->data_id[0] = (uintptr_t)pieces;
	inode->data_id[1] = tar->pieces.nr;
	inode->data_pos = tar->pieces.nr ? ((struct spooled *)tar->pieces.data)->pos : 0;
	return 0;
}

/* ---- names ---- */

static u64 hash_name(u64 dir, const char *name, size_t len)
{
	char key[sizeof(dir) + MAX_NAME];

	memcpy(key, &dir, sizeof(dir));
	memcpy(key + sizeof(dir), name, len);
	return hash_xxhash64(key, sizeof(dir) + len);
}

static struct tar_name *find_name(const struct source_tar *tar, const struct source_inode *dir,
				  const char *name, size_t len)
{
	u64 hash = hash_name(dir->data_id[0], name, len);
	size_t index = (size_t)(uintptr_t)u64_map_find(&tar->by_hash, hash);

	while (index) {
		struct tar_name *found = vec_at(&tar->names, index - 1);

		if (found->dir == dir->data_id[0] && found->entry.name_len == len &&
		    !memcmp(found->entry.name, name, len))
			return found;
		index = found->next;
	}
	return NULL;
}

static int add_name(struct source_tar *tar, const struct source_inode *dir, const char *name,
		    size_t len, struct source_inode *inode)
{
	u64 hash = hash_name(dir->data_id[0], name, len);
	const struct tar_name entry = {
		.dir = dir->data_id[0],
		.entry = {
			.inode = inode,
			.name = arena_copy(&tar->tree.arena, name, len),
			.name_len = (u16)len,
		},
		.next = (size_t)(uintptr_t)u64_map_find(&tar->by_hash, hash),
	};

	if (!entry.entry.name || vec_push_copy(&tar->names, &entry))
		return -ENOMEM;
	return u64_map_set(&tar->by_hash, hash, (void *)(uintptr_t)tar->names.nr);
}

static struct source_inode *new_dir(struct source_tar *tar)
{
	struct source_inode *inode = source_new_inode(&tar->tree);

	if (inode) {
		inode->mode = S_IFDIR | 0755;
		inode->atime = inode->mtime = inode->ctime = inode->otime = tar->time;
		inode->data_id[0] = tar->nr_dirs++;
	}
	return inode;
}

/* The next name of @path, which moves on; 0: none is left. */
static size_t next_part(const char **path)
{
	size_t len;

	for (;;) {
		*path += strspn(*path, "/");
		len = strcspn(*path, "/");
		if (len != 1 || (*path)[0] != '.')
			return len;
		*path += len;
	}
}

static int check_part(const struct source_tar *tar, const char *path, const char *name, size_t len)
{
	if (len == 2 && !memcmp(name, "..", 2))
		return refuse(tar, path, -EINVAL, "the path leads upwards with ..");
	return len > MAX_NAME ? refuse(tar, path, -ENAMETOOLONG, NULL) : 0;
}

/*
 * The directory that @path lies in, and its last name (@name, @len); @len is 0 for
 * the root itself.  Directories on the way that are not there are made if @make.
 */
static int walk(struct source_tar *tar, const char *path, bool make,
		struct source_inode **ret_dir, const char **name, size_t *len)
{
	struct source_inode *dir = tar->tree.source.root;
	const char *pos = path;
	size_t part = next_part(&pos);
	int ret;

	*name = pos;
	*len = part;
	while (part) {
		struct tar_name *found;
		const char *next = pos + part;
		size_t next_len = next_part(&next);

		ret = check_part(tar, path, pos, part);
		if (ret)
			return ret;
		*name = pos;
		*len = part;
		if (!next_len)
			break;
		found = find_name(tar, dir, pos, part);
		if (found) {
			dir = found->entry.inode;
		} else {
			struct source_inode *made = make ? new_dir(tar) : NULL;

			if (!made)
				return make ? -ENOMEM : -ENOENT;
			ret = add_name(tar, dir, pos, part, made);
			if (ret)
				return ret;
			dir = made;
		}
		if (!S_ISDIR(dir->mode))
			return refuse(tar, path, -ENOTDIR, NULL);
		pos = next;
		part = next_len;
	}
	*ret_dir = dir;
	return 0;
}

/* ---- metadata ---- */

static int add_xattr(struct source_tar *tar, const char *name, const void *value, size_t len)
{
	const struct source_xattr xattr = {
		.name = name,
		.name_len = (u16)strlen(name),
		.value = value,
		.value_len = (u32)len,
	};
	const struct source_xattr *other;

	vec_for_each(&tar->xattrs, other)
		if (!strcmp(other->name, name))
			return 0;
	return vec_push_copy(&tar->xattrs, &xattr);
}

/* What a file system keeps as an xattr. */
static bool xattr_is_data(const char *name)
{
	return !strncmp(name, "user.", 5) || !strncmp(name, "security.", 9) ||
	       !strncmp(name, "trusted.", 8) || !strncmp(name, "system.posix_acl_", 17) ||
	       !strcmp(name, "btrfs.compression");
}

static int read_xattrs(struct source_tar *tar, struct archive_entry *entry,
		       struct source_inode *inode)
{
	const char *path = archive_entry_pathname(entry), *name;
	const void *value;
	size_t len;
	int ret = 0;

	vec_clear(&tar->xattrs);
	archive_entry_xattr_reset(entry);
	while (!ret && archive_entry_xattr_next(entry, &name, &value, &len) == ARCHIVE_OK) {
		if (!name || !xattr_is_data(name))
			continue;
		if (strlen(name) > MAX_NAME || len > UINT16_MAX)
			return refuse(tar, path, -E2BIG, "an xattr is too large");
		ret = add_xattr(tar, name, value, len);
	}
	for (int i = 0; i < 2 && !ret; i++) {
		void *acl = NULL;

		ret = source_tar_acl(entry, i == 1, &inode->mode, &acl, &len);
		if (ret)
			return refuse(tar, path, ret, "its ACL names a user or group that is "
						      "not known here, or makes no sense");
		if (!acl)
			continue;
		value = arena_copy(&tar->tree.arena, acl, len);
		free(acl);
		ret = value ? add_xattr(tar, i ? "system.posix_acl_default" :
					"system.posix_acl_access", value, len) : -ENOMEM;
	}
	return ret ? ret : source_set_xattrs(&tar->tree, inode, tar->xattrs.data,
					     (u32)tar->xattrs.nr);
}

static struct timespec timespec_of(time_t sec, long nsec)
{
	return (struct timespec){ .tv_sec = sec, .tv_nsec = nsec };
}

static void read_times(const struct source_tar *tar, struct archive_entry *entry,
		       struct source_inode *inode)
{
	inode->mtime = archive_entry_mtime_is_set(entry) ?
		timespec_of(archive_entry_mtime(entry), archive_entry_mtime_nsec(entry)) :
		tar->time;
	inode->atime = archive_entry_atime_is_set(entry) ?
		timespec_of(archive_entry_atime(entry), archive_entry_atime_nsec(entry)) :
		inode->mtime;
	inode->ctime = archive_entry_ctime_is_set(entry) ?
		timespec_of(archive_entry_ctime(entry), archive_entry_ctime_nsec(entry)) :
		inode->mtime;
	inode->otime = archive_entry_birthtime_is_set(entry) ?
		timespec_of(archive_entry_birthtime(entry), archive_entry_birthtime_nsec(entry)) :
		inode->mtime;
}

static int read_symlink(struct source_tar *tar, struct archive_entry *entry,
			struct source_inode *inode)
{
	const char *target = archive_entry_symlink(entry);
	size_t len = target ? strlen(target) : 0;

	if (!len || len >= PATH_MAX)
		return refuse(tar, archive_entry_pathname(entry), -EINVAL,
			      "its target is empty or too long");
	inode->size = len;
	inode->symlink = arena_copy(&tar->tree.arena, target, len);
	return inode->symlink ? 0 : -ENOMEM;
}

static int read_metadata(struct source_tar *tar, struct archive_entry *entry,
			 struct source_inode *inode)
{
	la_int64_t uid = archive_entry_uid(entry), gid = archive_entry_gid(entry);
	const char *path = archive_entry_pathname(entry);

	inode->mode = archive_entry_mode(entry);
	if (!(inode->mode & S_IFMT))
		inode->mode |= S_IFREG;
	if (uid < 0 || uid >= UINT32_MAX || gid < 0 || gid >= UINT32_MAX)
		return refuse(tar, path, -EINVAL, "its owner does not fit into 32 bits");
	inode->uid = (u32)uid;
	inode->gid = (u32)gid;
	read_times(tar, entry, inode);
	switch (inode->mode & S_IFMT) {
	case S_IFCHR:
	case S_IFBLK:
		inode->rdev = archive_entry_rdev(entry);
		break;
	case S_IFREG:
	case S_IFDIR:
	case S_IFLNK:
	case S_IFIFO:
	case S_IFSOCK:
		break;
	default:
		return refuse(tar, path, -EINVAL, "its type is unknown");
	}
	return read_xattrs(tar, entry, inode);
}

/* ---- entries ---- */

/* A name less. */
static void drop_inode(struct source_tar *tar, struct source_inode *inode)
{
	if (--inode->nlink)
		return;
	tar->tree.source.nr_inodes--;
	tar->tree.source.data_bytes -= inode->data_bytes;
}

static bool dir_is_empty(const struct source_tar *tar, const struct source_inode *dir)
{
	const struct tar_name *name;

	vec_for_each(&tar->names, name)
		if (name->dir == dir->data_id[0])
			return false;
	return true;
}

/* Let @name in @dir be @inode.  What comes later replaces what was there. */
static int set_name(struct source_tar *tar, struct source_inode *dir, const char *path,
		    const char *name, size_t len, struct source_inode *inode)
{
	struct tar_name *there = find_name(tar, dir, name, len);

	if (!there)
		return add_name(tar, dir, name, len, inode);
	if (S_ISDIR(there->entry.inode->mode) && !dir_is_empty(tar, there->entry.inode))
		return refuse(tar, path, -ENOTEMPTY, "it would replace a directory that is "
						     "not empty");
	drop_inode(tar, there->entry.inode);
	there->entry.inode = inode;
	return 0;
}

static int add_hard_link(struct source_tar *tar, struct archive *archive,
			 struct archive_entry *entry)
{
	const char *path = archive_entry_pathname(entry), *target = archive_entry_hardlink(entry);
	struct source_inode *inode, *dir;
	struct tar_name *found;
	const char *name;
	size_t len;
	int ret;

	ret = walk(tar, target, false, &dir, &name, &len);
	if (ret && ret != -ENOENT)
		return ret;
	found = ret || !len ? NULL : find_name(tar, dir, name, len);
	if (!found || S_ISDIR(found->entry.inode->mode))
		return refuse(tar, path, -ENOENT, "it is a hard link of something that is not "
						  "in the archive before it");
	inode = found->entry.inode;
	ret = walk(tar, path, true, &dir, &name, &len);
	if (ret)
		return ret;
	if (!len)
		return refuse(tar, path, -EISDIR, NULL);
	found = find_name(tar, dir, name, len);
	if (!found || found->entry.inode != inode) {
		inode->nlink++;
		ret = set_name(tar, dir, path, name, len, inode);
	}
	/* Some formats have the data with the last name. */
	if (!ret && S_ISREG(inode->mode) && archive_entry_size_is_set(entry) &&
	    archive_entry_size(entry))
		ret = read_data(tar, archive, entry, inode);
	return ret;
}

/* The inode for an entry that is no hard link; a directory stays what it was. */
static int make_inode(struct source_tar *tar, struct archive_entry *entry,
		      struct source_inode **ret_inode)
{
	const char *path = archive_entry_pathname(entry), *name;
	bool is_dir = archive_entry_filetype(entry) == AE_IFDIR;
	struct source_inode *dir;
	struct tar_name *there;
	size_t len;
	int ret = walk(tar, path, true, &dir, &name, &len);

	if (ret)
		return ret;
	*ret_inode = dir;
	if (!len)
		return is_dir ? 0 : refuse(tar, path, -EISDIR, NULL);
	there = find_name(tar, dir, name, len);
	if (there && is_dir && S_ISDIR(there->entry.inode->mode)) {
		*ret_inode = there->entry.inode;
		return 0;
	}
	*ret_inode = is_dir ? new_dir(tar) : source_new_inode(&tar->tree);
	return *ret_inode ? set_name(tar, dir, path, name, len, *ret_inode) : -ENOMEM;
}

static int read_entry(struct source_tar *tar, struct archive *archive,
		      struct archive_entry *entry)
{
	struct source_inode *inode;
	int ret;

	if (!archive_entry_pathname(entry) || !*archive_entry_pathname(entry)) {
		error("cannot read the archive %s: an entry has no name", tar->label);
		return -EINVAL;
	}
	if (archive_entry_hardlink(entry))
		return add_hard_link(tar, archive, entry);
	ret = make_inode(tar, entry, &inode);
	if (!ret)
		ret = read_metadata(tar, entry, inode);
	if (!ret && S_ISLNK(inode->mode))
		ret = read_symlink(tar, entry, inode);
	if (!ret && S_ISREG(inode->mode))
		ret = read_data(tar, archive, entry, inode);
	return ret;
}

/* ---- the whole ---- */

static int cmp_dir(const void *a, const void *b)
{
	const struct tar_name *x = a, *y = b;

	return x->dir < y->dir ? -1 : x->dir > y->dir;
}

/*
 * Give the directories their entries.  The names, sorted by directory, are in the
 * order of the numbers; each directory is the inode of a name, or the root.
 */
static int set_all_entries(struct source_tar *tar)
{
	struct vec entries = VEC_INIT(struct source_entry);
	struct source_inode **dirs = calloc(tar->nr_dirs, sizeof(*dirs));
	struct tar_name *name;
	int ret = 0;

	if (!dirs)
		return -ENOMEM;
	dirs[0] = tar->tree.source.root;
	vec_for_each(&tar->names, name)
		if (S_ISDIR(name->entry.inode->mode))
			dirs[name->entry.inode->data_id[0]] = name->entry.inode;
	vec_sort(&tar->names, cmp_dir);
	for (size_t i = 0; i < tar->names.nr && !ret; i++) {
		name = vec_at(&tar->names, i);
		ret = vec_push_copy(&entries, &name->entry);
		if (!ret && (i + 1 == tar->names.nr || name[1].dir != name->dir))
			ret = source_set_entries(&tar->tree, dirs[name->dir], &entries);
	}
	vec_free(&entries);
	free(dirs);
	return ret;
}

static int read_archive(struct source_tar *tar, struct archive *archive)
{
	struct archive_entry *entry;
	int ret;

	/* A header that libarchive would skip is damage, too. */
	while ((ret = archive_read_next_header(archive, &entry)) != ARCHIVE_EOF) {
		if (ret == ARCHIVE_WARN) {
			const char *why = archive_error_string(archive);

			if (why && strstr(why, "convert"))
				return refuse_archive(tar, archive);
			warning("the archive %s: %s", tar->label, why ? why : "unknown");
		} else if (ret != ARCHIVE_OK) {
			return refuse_archive(tar, archive);
		}
		ret = read_entry(tar, archive, entry);
		if (ret)
			return ret;
	}
	return set_all_entries(tar);
}

/* All but mtree, a list that would have files of this machine read. */
static void support_formats(struct archive *archive)
{
	archive_read_support_filter_all(archive);
	archive_read_support_format_7zip(archive);
	archive_read_support_format_ar(archive);
	archive_read_support_format_cab(archive);
	archive_read_support_format_cpio(archive);
	archive_read_support_format_iso9660(archive);
	archive_read_support_format_lha(archive);
	archive_read_support_format_rar(archive);
	archive_read_support_format_rar5(archive);
	archive_read_support_format_tar(archive);
	archive_read_support_format_warc(archive);
	archive_read_support_format_xar(archive);
	archive_read_support_format_zip(archive);
}

/* For what has no time of its own: the same archive, the same time. */
static void choose_time(struct source_tar *tar, const struct source_options *options)
{
	struct stat st;

	if (options->clamp_times)
		tar->time = options->epoch;
	else if (strcmp(options->path, "-") && !stat(options->path, &st))
		tar->time = st.st_mtim;
	else
		clock_gettime(CLOCK_REALTIME, &tar->time);
}

static int open_and_read(struct source_tar *tar, const struct source_options *options)
{
	struct archive *archive = archive_read_new();
	int ret;

	if (!archive)
		return -ENOMEM;
	support_formats(archive);
	if (!strcmp(options->path, "-"))
		ret = archive_read_open_fd(archive, STDIN_FILENO, READ_BLOCK);
	else
		ret = archive_read_open_filename(archive, options->path, READ_BLOCK);
	if (ret != ARCHIVE_OK && ret != ARCHIVE_WARN)
		ret = refuse_archive(tar, archive);
	else
		ret = read_archive(tar, archive);
	archive_read_free(archive);
	return ret;
}

/* Names are bytes, and UTF-8 where a format says so; that must not depend on the user. */
static int read_in_utf8(struct source_tar *tar, const struct source_options *options)
{
	locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0), old;
	int ret;

	if (!utf8)
		return open_and_read(tar, options);
	old = uselocale(utf8);
	ret = open_and_read(tar, options);
	uselocale(old);
	freelocale(utf8);
	return ret;
}

int source_load_tar(const struct source_options *options, struct mkfs_source **source)
{
	struct source_tar *tar = calloc(1, sizeof(*tar));
	int ret;

	if (!tar)
		return -ENOMEM;
	tar->tree.source.ops = &tar_ops;
	tar->label = strcmp(options->path, "-") ? options->path : "on standard input";
	vec_init(&tar->names, sizeof(struct tar_name));
	vec_init(&tar->pieces, sizeof(struct spooled));
	vec_init(&tar->xattrs, sizeof(struct source_xattr));
	u64_map_init(&tar->by_hash);
	choose_time(tar, options);
	ret = open_spool(tar, options->spool_dir);
	if (!ret) {
		tar->tree.source.root = new_dir(tar);
		ret = tar->tree.source.root ? read_in_utf8(tar, options) : -ENOMEM;
	}
	if (ret) {
		tar_free(&tar->tree.source);
		return ret;
	}
	*source = &tar->tree.source;
	return 0;
}
