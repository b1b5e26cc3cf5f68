// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which subvolumes there will be, and the numbers of all inodes: in the order of
 * a walk that goes down into each directory as it is met, entries by name.
 */
#include <errno.h>
#include <stdlib.h>

#include "common/message.h"
#include "mkfs/make.h"

static struct mkfs_subvol *new_subvol(struct mkfs *mkfs, u64 objectid, struct source_inode *root)
{
	struct mkfs_subvol *subvol = calloc(1, sizeof(*subvol));

	if (!subvol)
		return NULL;
	subvol->objectid = objectid;
	subvol->root_dir = root;
	vec_init(&subvol->inodes, sizeof(struct source_inode *));
	mkfs_new_uuid(mkfs->plan, "subvolume", objectid, subvol->uuid);
	if (vec_push_copy(&mkfs->subvols, &subvol)) {
		free(subvol);
		return NULL;
	}
	return subvol;
}

/* Directories become subvolumes in the order in which the walk meets them. */
static int mark_subvols(struct mkfs *mkfs)
{
	const struct mkfs_subvol_spec *spec;

	vec_for_each(&mkfs->plan->subvols, spec) {
		struct source_inode *dir;
		int ret = source_lookup(mkfs->plan->source, spec->path, &dir);

		if (!ret && !S_ISDIR(dir->mode))
			ret = -ENOTDIR;
		if (ret) {
			error("cannot make %s a subvolume: %s", spec->path, errno_text(ret));
			return ret;
		}
		dir->subvol_spec = spec;
	}
	return 0;
}

static int set_inode_flags(struct mkfs *mkfs)
{
	const struct mkfs_inode_flags_spec *spec;

	vec_for_each(&mkfs->plan->inode_flags, spec) {
		struct source_inode *inode;
		int ret = source_lookup(mkfs->plan->source, spec->path, &inode);

		if (ret) {
			error("cannot set flags of %s: %s", spec->path, errno_text(ret));
			return ret;
		}
		inode->inode_flags |= spec->flags;
	}
	return 0;
}

static int number_inode(struct mkfs_subvol *subvol, struct source_inode *inode)
{
	inode->ino = BTRFS_FIRST_FREE_OBJECTID + subvol->inodes.nr;
	inode->subvol = subvol;
	return vec_push_copy(&subvol->inodes, &inode);
}

/* A directory on the way down of the walk. */
struct walk_level {
	struct source_inode *dir;
	u32 next;
};

/* The subvolume that @dir was asked to be, as an entry of @parent. */
static int enter_subvol(struct mkfs *mkfs, const struct walk_level *level,
			struct source_inode *dir)
{
	const struct mkfs_subvol_spec *spec = dir->subvol_spec;
	struct mkfs_subvol *subvol;

	subvol = new_subvol(mkfs, BTRFS_FIRST_FREE_OBJECTID + mkfs->subvols.nr - 1, dir);
	if (!subvol)
		return -ENOMEM;
	subvol->parent = level->dir->subvol;
	subvol->parent_dirid = level->dir->ino;
	subvol->dir_index = BTRFS_DIR_START_INDEX + level->next - 1;
	subvol->name = dir->name;
	subvol->name_len = dir->name_len;
	subvol->readonly = spec->readonly;
	if (spec->is_default)
		mkfs->default_subvol = subvol->objectid;
	return number_inode(subvol, dir);
}

/* One entry of the walk's lowest directory.  A directory is to be gone down into. */
static int visit_entry(struct mkfs *mkfs, struct vec *levels)
{
	struct walk_level *level = vec_last(levels);
	struct source_entry *entry = &level->dir->entries[level->next++];
	struct source_inode *inode = entry->inode;
	struct mkfs_subvol *subvol = level->dir->subvol;
	struct walk_level below = { inode, 0 };
	int ret;

	if (inode->subvol_spec) {
		ret = enter_subvol(mkfs, level, inode);
	} else if (!inode->ino) {
		ret = number_inode(subvol, inode);
	} else {
		ret = 0;
		if (inode->subvol != subvol) {
			char path[1024];

			source_path(inode, path, sizeof(path));
			error("cannot put %s into the file system: hard links of it are in "
			      "different subvolumes", path);
			return -EXDEV;
		}
	}
	if (!ret && S_ISDIR(inode->mode))
		ret = vec_push_copy(levels, &below);
	return ret;
}

int mkfs_number_inodes(struct mkfs *mkfs)
{
	struct mkfs_source *source = mkfs->plan->source;
	struct mkfs_subvol *top = new_subvol(mkfs, BTRFS_FS_TREE_OBJECTID,
					     source ? source->root : NULL);
	struct vec levels = VEC_INIT(struct walk_level);
	struct walk_level first = { 0 };
	int ret;

	if (!top)
		return -ENOMEM;
	mkfs->default_subvol = BTRFS_FS_TREE_OBJECTID;
	if (!source)
		return 0;
	ret = mark_subvols(mkfs);
	if (!ret)
		ret = set_inode_flags(mkfs);
	if (!ret)
		ret = number_inode(top, source->root);
	first.dir = source->root;
	if (!ret)
		ret = vec_push_copy(&levels, &first);
	while (!ret && levels.nr) {
		const struct walk_level *level = vec_last(&levels);

		if (level->next < level->dir->nr_entries)
			ret = visit_entry(mkfs, &levels);
		else
			vec_pop(&levels);
	}
	vec_free(&levels);
	return ret;
}
