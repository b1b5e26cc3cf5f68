// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tree of files that a new file system gets: what is the same whether it
 * comes from a directory or from an archive.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/message.h"
#include "common/string-utils.h"
#include "mkfs/source-tree.h"

struct source_inode *source_new_inode(struct source_tree *tree)
{
	struct source_inode *inode = arena_alloc(&tree->arena, sizeof(*inode));

	if (inode) {
		inode->nlink = 1;
		tree->source.nr_inodes++;
	}
	return inode;
}

int source_add_entry(struct source_tree *tree, struct vec *entries, const char *name, size_t len,
		     struct source_inode *inode)
{
	const struct source_entry entry = {
		.inode = inode,
		.name = arena_copy(&tree->arena, name, len),
		.name_len = (u16)len,
	};

	return entry.name ? vec_push_copy(entries, &entry) : -ENOMEM;
}

static int cmp_name(const char *a, u16 a_len, const char *b, u16 b_len)
{
	int cmp = memcmp(a, b, min(a_len, b_len));

	return cmp ? cmp : (int)a_len - (int)b_len;
}

static int cmp_entry(const void *a, const void *b)
{
	const struct source_entry *x = a, *y = b;

	return cmp_name(x->name, x->name_len, y->name, y->name_len);
}

int source_set_entries(struct source_tree *tree, struct source_inode *dir, struct vec *entries)
{
	struct source_entry *sorted;
	char path[1024];

	vec_sort(entries, cmp_entry);
	sorted = arena_alloc(&tree->arena, entries->nr * sizeof(*sorted));
	if (!sorted)
		return -ENOMEM;
	if (entries->nr)
		memcpy(sorted, entries->data, entries->nr * sizeof(*sorted));
	dir->entries = sorted;
	dir->nr_entries = (u32)entries->nr;
	tree->source.nr_entries += entries->nr;
	vec_clear(entries);
	for (u32 i = 0; i < dir->nr_entries; i++) {
		if (i && !cmp_entry(&sorted[i - 1], &sorted[i])) {
			source_path(dir, path, sizeof(path));
			error("cannot use %s: it has the name %.*s twice", path,
			      sorted[i].name_len, sorted[i].name);
			return -EEXIST;
		}
		if (sorted[i].inode->parent)
			continue;
		sorted[i].inode->parent = dir;
		sorted[i].inode->name = sorted[i].name;
		sorted[i].inode->name_len = sorted[i].name_len;
	}
	return 0;
}

static int cmp_xattr(const void *a, const void *b)
{
	const struct source_xattr *x = a, *y = b;

	return cmp_name(x->name, x->name_len, y->name, y->name_len);
}

int source_set_xattrs(struct source_tree *tree, struct source_inode *inode,
		      const struct source_xattr *xattrs, u32 nr)
{
	struct source_xattr *copy = arena_alloc(&tree->arena, nr * sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	for (u32 i = 0; i < nr; i++) {
		copy[i] = xattrs[i];
		copy[i].name = arena_copy(&tree->arena, xattrs[i].name, xattrs[i].name_len);
		copy[i].value = arena_copy(&tree->arena, xattrs[i].value, xattrs[i].value_len);
		if (!copy[i].name || !copy[i].value)
			return -ENOMEM;
	}
	qsort(copy, nr, sizeof(*copy), cmp_xattr);
	inode->xattrs = copy;
	inode->nr_xattrs = nr;
	return 0;
}

/* ---- finding and naming ---- */

static struct source_inode *find_entry(const struct source_inode *dir, const char *name, size_t len)
{
	const struct source_entry key = { .name = name, .name_len = (u16)len };
	const struct source_entry *entry;

	if (len > 0xffff || !dir->nr_entries)
		return NULL;
	entry = bsearch(&key, dir->entries, dir->nr_entries, sizeof(key), cmp_entry);
	return entry ? entry->inode : NULL;
}

int source_lookup(struct mkfs_source *source, const char *path, struct source_inode **ret)
{
	struct source_inode *inode = source->root;

	for (;;) {
		size_t len;

		path += strspn(path, "/");
		len = strcspn(path, "/");
		if (!len)
			break;
		if (!(len == 1 && path[0] == '.')) {
			if (!S_ISDIR(inode->mode))
				return -ENOTDIR;
			inode = find_entry(inode, path, len);
			if (!inode)
				return -ENOENT;
		}
		path += len;
	}
	*ret = inode;
	return 0;
}

void source_path(const struct source_inode *inode, char *buf, size_t size)
{
	char raw[4096];
	size_t pos = sizeof(raw);

	/* From the end, as far as there is room: the last names say most. */
	for (; inode->parent; inode = inode->parent) {
		if (pos < (size_t)inode->name_len + 1)
			break;
		if (pos < sizeof(raw))
			raw[--pos] = '/';
		pos -= inode->name_len;
		memcpy(raw + pos, inode->name, inode->name_len);
	}
	if (pos == sizeof(raw))
		raw[--pos] = '/';
	escape_path(raw + pos, sizeof(raw) - pos, buf, size);
}

/* ---- finishing ---- */

static u32 map_id(const struct vec *maps, u32 id)
{
	const struct source_id_map *map;

	vec_for_each(maps, map)
		if (id >= map->from && id - map->from < map->count)
			return map->to + (id - map->from);
	return id;
}

static void set_owner(const struct source_options *options, struct source_inode *inode)
{
	if (options->all_root) {
		inode->uid = inode->gid = 0;
	} else if (options->have_owner) {
		inode->uid = options->owner_uid;
		inode->gid = options->owner_gid;
	} else {
		inode->uid = map_id(&options->uid_map, inode->uid);
		inode->gid = map_id(&options->gid_map, inode->gid);
	}
}

static void clamp_time(const struct timespec *epoch, struct timespec *ts)
{
	if (ts->tv_sec > epoch->tv_sec ||
	    (ts->tv_sec == epoch->tv_sec && ts->tv_nsec > epoch->tv_nsec))
		*ts = *epoch;
}

/*
 * The times that no archive and no copy keeps (access, change, birth) are when the
 * source happened to be touched: with a fixed epoch they follow mtime.
 */
static void set_times(const struct source_options *options, struct source_inode *inode)
{
	if (!options->clamp_times)
		return;
	clamp_time(&options->epoch, &inode->mtime);
	inode->atime = inode->ctime = inode->otime = inode->mtime;
}

/* Walk everything once; an inode with several names is met at its first one. */
static int finish_dir(const struct source_options *options, struct source_inode *root)
{
	struct vec todo = VEC_INIT(struct source_inode *);
	struct source_inode *inode = root;
	int ret = vec_push_copy(&todo, &inode);

	while (!ret && todo.nr) {
		struct source_inode *dir = *(struct source_inode **)vec_last(&todo);

		vec_pop(&todo);
		set_owner(options, dir);
		set_times(options, dir);
		for (u32 i = 0; i < dir->nr_entries && !ret; i++) {
			inode = dir->entries[i].inode;
			if (inode->parent != dir || inode->name != dir->entries[i].name)
				continue;
			ret = vec_push_copy(&todo, &inode);
		}
	}
	vec_free(&todo);
	return ret;
}

int source_finish(const struct source_options *options, struct mkfs_source *source)
{
	int ret = finish_dir(options, source->root);

	if (!ret && options->overrides)
		ret = source_apply_overrides(options->overrides,
					     container_of(source, struct source_tree, source));
	return ret;
}

/* An archive that would be overwritten. */
static bool is_target(const struct source_options *options, const struct stat *st)
{
	struct stat target;

	for (unsigned int i = 0; i < options->nr_targets; i++)
		if (!stat(options->targets[i], &target) && target.st_dev == st->st_dev &&
		    target.st_ino == st->st_ino)
			return true;
	return false;
}

int source_load(const struct source_options *options, struct mkfs_source **ret_source)
{
	struct mkfs_source *source;
	struct stat st;
	int ret;

	if (strcmp(options->path, "-") && stat(options->path, &st)) {
		ret = -errno;
		error("cannot read %s: %s", options->path, errno_text(ret));
		return ret;
	}
	if (strcmp(options->path, "-") && is_target(options, &st)) {
		error("cannot use %s: it is the source and a target", options->path);
		return -EINVAL;
	}
	if (strcmp(options->path, "-") && S_ISDIR(st.st_mode))
		ret = source_load_dir(options, &source);
	else
		ret = source_load_tar(options, &source);
	if (ret)
		return ret;
	ret = source_finish(options, source);
	if (ret) {
		source->ops->free(source);
		return ret;
	}
	*ret_source = source;
	return 0;
}
