// SPDX-License-Identifier: GPL-2.0-only
/*
 * Paths inside the file system.  Downwards a path is followed name by name
 * through directory items; upwards an inode is named by its first back
 * reference, and a subvolume by its ROOT_BACKREF and the directory that this
 * stands in.  References come from disk and may form loops: whoever climbs
 * remembers where it has been.
 */
#include "kernel-shared/namei.h"

#include <errno.h>
#include <stdlib.h>

#include "common/hashtable.h"
#include "common/string-utils.h"
#include "kernel-shared/ctree.h"
#include "kernel-shared/dir-item.h"
#include "kernel-shared/root-tree.h"

/* ---- from a path to an inode ---- */

/*
 * An entry that points to a subvolume leads there only where the subvolume says
 * so, too: a snapshot copies the entries of nested subvolumes, not the
 * subvolumes.  There the entry stands for an empty directory.
 */
static int root_ref_exists(struct btrfs_fs_info *fs_info, u64 parent, u64 child, u64 dir,
			   const char *name, size_t len)
{
	const struct btrfs_key key = {
		.objectid = parent,
		.type = BTRFS_ROOT_REF_KEY,
		.offset = child,
	};
	const struct btrfs_root_ref *ref;
	struct btrfs_path path = { 0 };
	int ret;

	ret = btrfs_search_slot(fs_info->tree_root, &key, &path);
	if (ret < 0)
		return ret;
	if (ret == 0) {
		ref = btrfs_item_ptr(path.nodes[0], path.slots[0], struct btrfs_root_ref);
		ret = btrfs_root_ref_dirid(path.nodes[0], ref) == dir &&
		      btrfs_root_ref_name_len(path.nodes[0], ref) == len &&
		      eb_holds(path.nodes[0], ref + 1, len) &&
		      memcmp(ref + 1, name, len) == 0;
	} else {
		ret = 0;
	}
	btrfs_release_path(&path);
	return ret;
}

static int enter_subvol(struct btrfs_resolved_path *at, u64 objectid, const char *name, size_t len)
{
	struct btrfs_fs_info *fs_info = at->root->fs_info;
	int ret;

	if (!btrfs_is_fstree(objectid))
		return -ENOENT;
	ret = root_ref_exists(fs_info, btrfs_root_id(at->root), objectid, at->ino, name, len);
	if (ret < 0)
		return ret;
	at->ftype = BTRFS_FT_DIR;
	if (ret == 0) {
		at->ino = BTRFS_EMPTY_SUBVOL_DIR_OBJECTID;
		return 0;
	}
	ret = btrfs_get_fs_root(fs_info, objectid, &at->root);
	if (ret)
		return ret;
	at->ino = btrfs_root_dirid(at->root);
	return 0;
}

static int step_into(struct btrfs_resolved_path *at, const char *name, size_t len)
{
	struct btrfs_key location;
	u8 ftype;
	int ret;

	if (len == 2 && memcmp(name, "..", 2) == 0)
		return -EINVAL;
	if (len > BTRFS_NAME_LEN)
		return -ENAMETOOLONG;
	ret = btrfs_lookup_dir_item(at->root, at->ino, name, len, &location, &ftype);
	if (ret)
		return ret;
	if (location.type == BTRFS_ROOT_ITEM_KEY)
		return enter_subvol(at, location.objectid, name, len);
	if (location.type != BTRFS_INODE_ITEM_KEY)
		return -EUCLEAN;
	at->ino = location.objectid;
	at->ftype = ftype;
	return 0;
}

/* The subvolume that a path starts in; *@path is then what follows it. */
static int starting_root(struct btrfs_fs_info *fs_info, const char **path,
			 struct btrfs_root **root)
{
	u64 objectid = BTRFS_FS_TREE_OBJECTID;
	char number[24];
	size_t len;

	if (string_has_prefix(*path, "id:")) {
		*path += strlen("id:");
		len = strcspn(*path, "/");
		if (len >= sizeof(number))
			return -EINVAL;
		memcpy(number, *path, len);
		number[len] = '\0';
		if (parse_u64(number, &objectid))
			return -EINVAL;
		*path += len;
		if (!btrfs_is_fstree(objectid))
			return -ENOENT;
	}
	return btrfs_get_fs_root(fs_info, objectid, root);
}

int btrfs_resolve_path(struct btrfs_fs_info *fs_info, const char *path,
		       struct btrfs_resolved_path *ret_path)
{
	struct btrfs_resolved_path at = { .ftype = BTRFS_FT_DIR };
	int ret;

	ret = starting_root(fs_info, &path, &at.root);
	if (ret)
		return ret;
	at.ino = btrfs_root_dirid(at.root);
	while (*path) {
		size_t len = strcspn(path, "/");

		/* Also for a slash at the end: "file/" is no directory either. */
		if (at.ftype != BTRFS_FT_DIR)
			return -ENOTDIR;
		if (len > 0 && !(len == 1 && path[0] == '.')) {
			ret = step_into(&at, path, len);
			if (ret)
				return ret;
		}
		path += len;
		if (*path == '/' && at.ftype != BTRFS_FT_DIR)
			return -ENOTDIR;
		path += strspn(path, "/");
	}
	*ret_path = at;
	return 0;
}

int btrfs_resolve_subvol(struct btrfs_fs_info *fs_info, const char *path,
			 struct btrfs_root **ret_root)
{
	struct btrfs_resolved_path at;
	int ret;

	ret = btrfs_resolve_path(fs_info, path, &at);
	if (ret)
		return ret;
	if (at.ino != btrfs_root_dirid(at.root))
		return -ENOTSUP;
	*ret_root = at.root;
	return 0;
}

/* ---- from an inode to a path ---- */

/* A path that grows at its front; it ends at the end of the buffer. */
struct path_builder {
	char *buf;
	size_t size;
	size_t start;
};

static int prepend(struct path_builder *path, const void *name, size_t len)
{
	size_t used = path->size - path->start;
	/* A slash before what is there, or the final NUL when nothing is. */
	size_t need = len + 1;

	if (need > path->start) {
		size_t size = max_t(size_t, path->size * 2, used + need + 256);
		char *buf = malloc(size);

		if (!buf)
			return -ENOMEM;
		if (used)
			memcpy(buf + size - used, path->buf + path->start, used);
		free(path->buf);
		path->buf = buf;
		path->size = size;
		path->start = size - used;
	}
	path->buf[--path->start] = used ? '/' : '\0';
	path->start -= len;
	memcpy(path->buf + path->start, name, len);
	return 0;
}

/* The path as a string of its own; the builder is empty afterwards. */
static int finish_path(struct path_builder *path, char **ret)
{
	*ret = strdup(path->start < path->size ? path->buf + path->start : "");
	free(path->buf);
	*path = (struct path_builder){ 0 };
	return *ret ? 0 : -ENOMEM;
}

static void abandon_path(struct path_builder *path)
{
	free(path->buf);
	*path = (struct path_builder){ 0 };
}

/* -EUCLEAN when @id has been seen before. */
static int mark_seen(struct u64_map *seen, u64 id)
{
	int ret = u64_map_insert(seen, id, NULL);

	return ret == -EEXIST ? -EUCLEAN : ret;
}

/* Prepend the name that the INODE_REF or INODE_EXTREF in @slot begins with. */
static int prepend_inode_ref(const struct extent_buffer *leaf, u32 slot,
			     const struct btrfs_key *key, struct path_builder *path, u64 *parent)
{
	const void *item = btrfs_item_data(leaf, slot);
	size_t size = btrfs_item_size(leaf, slot);
	const struct btrfs_inode_extref *extref = item;
	const struct btrfs_inode_ref *ref = item;
	size_t head, len;

	if (key->type == BTRFS_INODE_REF_KEY) {
		head = sizeof(*ref);
		len = btrfs_inode_ref_name_len(leaf, ref);
		*parent = key->offset;
	} else {
		head = sizeof(*extref);
		len = btrfs_inode_extref_name_len(leaf, extref);
		*parent = btrfs_inode_extref_parent(leaf, extref);
	}
	if (size < head || len > size - head || !eb_holds(leaf, item, head + len))
		return -EUCLEAN;
	return prepend(path, (const char *)item + head, len);
}

static int prepend_inode_name(struct btrfs_root *root, u64 ino, struct path_builder *path,
			      u64 *parent)
{
	const struct btrfs_key first = { .objectid = ino, .type = BTRFS_INODE_REF_KEY };
	struct btrfs_path tree_path = { 0 };
	struct btrfs_key key;
	int ret;

	ret = btrfs_search_slot_for_read(root, &first, &tree_path, false);
	if (ret < 0)
		return ret;
	if (ret > 0) {
		ret = -ENOENT;
		goto out;
	}
	btrfs_item_key_to_cpu(tree_path.nodes[0], &key, tree_path.slots[0]);
	if (key.objectid != ino ||
	    (key.type != BTRFS_INODE_REF_KEY && key.type != BTRFS_INODE_EXTREF_KEY))
		ret = -ENOENT;
	else
		ret = prepend_inode_ref(tree_path.nodes[0], tree_path.slots[0], &key, path, parent);
out:
	btrfs_release_path(&tree_path);
	return ret;
}

static int prepend_inode_path(struct btrfs_root *root, u64 ino, struct path_builder *path)
{
	struct u64_map seen = U64_MAP_INIT;
	int ret = 0;

	while (ino != btrfs_root_dirid(root)) {
		ret = mark_seen(&seen, ino);
		if (ret)
			break;
		ret = prepend_inode_name(root, ino, path, &ino);
		if (ret)
			break;
	}
	u64_map_free(&seen);
	return ret;
}

int btrfs_inode_path(struct btrfs_root *root, u64 ino, char **ret_path)
{
	struct path_builder path = { 0 };
	int ret;

	ret = prepend_inode_path(root, ino, &path);
	if (ret) {
		abandon_path(&path);
		return ret;
	}
	return finish_path(&path, ret_path);
}

/* ---- from a subvolume to a path ---- */

/* Prepend the name of @objectid, and tell where that name stands. */
static int prepend_subvol_name(struct btrfs_fs_info *fs_info, u64 objectid,
			       struct path_builder *path, u64 *parent, u64 *dirid)
{
	const struct btrfs_key first = { .objectid = objectid, .type = BTRFS_ROOT_BACKREF_KEY };
	const struct btrfs_root_ref *ref;
	struct btrfs_path tree_path = { 0 };
	struct btrfs_key key;
	size_t len;
	int ret;

	ret = btrfs_search_slot_for_read(fs_info->tree_root, &first, &tree_path, false);
	if (ret < 0)
		return ret;
	if (ret > 0) {
		ret = -ENOENT;
		goto out;
	}
	btrfs_item_key_to_cpu(tree_path.nodes[0], &key, tree_path.slots[0]);
	if (key.objectid != objectid || key.type != BTRFS_ROOT_BACKREF_KEY) {
		ret = -ENOENT;
		goto out;
	}
	ref = btrfs_item_ptr(tree_path.nodes[0], tree_path.slots[0], struct btrfs_root_ref);
	len = btrfs_root_ref_name_len(tree_path.nodes[0], ref);
	if (!eb_holds(tree_path.nodes[0], ref, sizeof(*ref) + len)) {
		ret = -EUCLEAN;
		goto out;
	}
	*parent = key.offset;
	*dirid = btrfs_root_ref_dirid(tree_path.nodes[0], ref);
	ret = prepend(path, ref + 1, len);
out:
	btrfs_release_path(&tree_path);
	return ret;
}

/* One step up: the subvolume's name and the directories above it in its parent. */
static int climb_subvol(struct btrfs_fs_info *fs_info, u64 *objectid, struct path_builder *path)
{
	struct btrfs_root *parent_root;
	u64 parent, dirid;
	int ret;

	ret = prepend_subvol_name(fs_info, *objectid, path, &parent, &dirid);
	if (ret)
		return ret;
	if (!btrfs_is_fstree(parent))
		return -EUCLEAN;
	ret = btrfs_get_fs_root(fs_info, parent, &parent_root);
	if (ret)
		return ret;
	*objectid = parent;
	return prepend_inode_path(parent_root, dirid, path);
}

int btrfs_subvol_path(struct btrfs_fs_info *fs_info, u64 objectid, char **ret_path)
{
	struct u64_map seen = U64_MAP_INIT;
	struct path_builder path = { 0 };
	int ret = 0;

	while (objectid != BTRFS_FS_TREE_OBJECTID) {
		ret = mark_seen(&seen, objectid);
		if (ret)
			break;
		ret = climb_subvol(fs_info, &objectid, &path);
		if (ret)
			break;
	}
	u64_map_free(&seen);
	if (ret) {
		abandon_path(&path);
		return ret;
	}
	return finish_path(&path, ret_path);
}
