// SPDX-License-Identifier: GPL-2.0-only
/*
 * Looking up inodes and references for send.  Neither tree ever changes, so
 * what was found once is kept: the last place of each kind of search, and a
 * small table of inodes, since the same directories are asked for again and
 * again.
 */
#include <stdlib.h>

#include "kernel-shared/dir-item.h"
#include "kernel-shared/send-internal.h"

#define NR_CACHED_INODES	4096U	/* a power of two */

struct cached_inode {
	const struct btrfs_root *root;
	u64 ino;
	int ret;			/* -ENOENT is worth remembering too */
	struct send_inode_info info;
};

struct send_lookup_cache {
	struct btrfs_path inode_path[2];	/* in the sent tree, in any other */
	struct btrfs_path ref_path[2];
	struct cached_inode inodes[NR_CACHED_INODES];
};

int send_lookup_init(struct send_ctx *sctx)
{
	sctx->lookup = calloc(1, sizeof(*sctx->lookup));
	return sctx->lookup ? 0 : -ENOMEM;
}

void send_lookup_release(struct send_ctx *sctx)
{
	if (!sctx->lookup)
		return;
	for (int i = 0; i < 2; i++) {
		btrfs_release_path(&sctx->lookup->inode_path[i]);
		btrfs_release_path(&sctx->lookup->ref_path[i]);
	}
	free(sctx->lookup);
}

int fs_path_add(struct fs_path *path, const char *name, u32 len)
{
	u32 slash = path->len != 0;

	/* One byte is left for the receiver's terminating NUL. */
	if (len >= PATH_MAX || path->len + slash + len >= PATH_MAX)
		return -ENAMETOOLONG;
	if (slash)
		path->buf[path->len++] = '/';
	memcpy(path->buf + path->len, name, len);
	path->len += len;
	return 0;
}

void fs_path_copy(struct fs_path *to, const struct fs_path *from)
{
	if (to == from)
		return;
	to->len = from->len;
	memcpy(to->buf, from->buf, from->len);
}

static int is_other_root(const struct send_ctx *sctx, const struct btrfs_root *root)
{
	return root != sctx->send_root;
}

static int read_inode_info(struct send_ctx *sctx, struct btrfs_root *root, u64 ino,
			   struct send_inode_info *info)
{
	struct btrfs_path *path = &sctx->lookup->inode_path[is_other_root(sctx, root)];
	struct btrfs_key key = { ino, BTRFS_INODE_ITEM_KEY, 0 };
	const struct btrfs_inode_item *ii;
	const struct extent_buffer *leaf;
	int ret = btrfs_search_slot(root, &key, path);

	if (ret)
		return ret > 0 ? -ENOENT : ret;
	leaf = path->nodes[0];
	ii = btrfs_item_ptr(leaf, path->slots[0], struct btrfs_inode_item);
	info->size = btrfs_inode_size(leaf, ii);
	info->gen = btrfs_inode_generation(leaf, ii);
	info->mode = btrfs_inode_mode(leaf, ii);
	info->uid = btrfs_inode_uid(leaf, ii);
	info->gid = btrfs_inode_gid(leaf, ii);
	info->rdev = btrfs_inode_rdev(leaf, ii);
	info->flags = btrfs_inode_flags(leaf, ii);
	info->nlink = btrfs_inode_nlink(leaf, ii);
	return 0;
}

int send_get_inode_info(struct send_ctx *sctx, struct btrfs_root *root, u64 ino,
			struct send_inode_info *info)
{
	u64 hash = (ino ^ btrfs_root_id(root) << 7) * 0x9e3779b97f4a7c15ULL;
	struct cached_inode *cached = &sctx->lookup->inodes[hash >> 52 & (NR_CACHED_INODES - 1)];

	if (cached->root != root || cached->ino != ino) {
		int ret = read_inode_info(sctx, root, ino, &cached->info);

		cached->root = NULL;
		if (ret && ret != -ENOENT)
			return ret;
		cached->root = root;
		cached->ino = ino;
		cached->ret = ret;
	}
	if (!cached->ret)
		*info = cached->info;
	return cached->ret;
}

int send_get_inode_gen(struct send_ctx *sctx, struct btrfs_root *root, u64 ino, u64 *gen)
{
	struct send_inode_info info = { 0 };
	int ret = send_get_inode_info(sctx, root, ino, &info);

	*gen = info.gen;
	return ret;
}

/* The name and directory of the first reference in the item at @path. */
static int first_ref_of_item(const struct btrfs_path *path, const struct btrfs_key *key, u64 *dir,
			     struct fs_path *name)
{
	const struct extent_buffer *leaf = path->nodes[0];

	if (key->type == BTRFS_INODE_REF_KEY) {
		const struct btrfs_inode_ref *ref =
			btrfs_item_ptr(leaf, path->slots[0], struct btrfs_inode_ref);

		*dir = key->offset;
		return fs_path_add(name, (const char *)(ref + 1),
				   btrfs_inode_ref_name_len(leaf, ref));
	} else {
		const struct btrfs_inode_extref *ref =
			btrfs_item_ptr(leaf, path->slots[0], struct btrfs_inode_extref);

		*dir = btrfs_inode_extref_parent(leaf, ref);
		return fs_path_add(name, (const char *)ref->name,
				   btrfs_inode_extref_name_len(leaf, ref));
	}
}

int send_get_first_ref(struct send_ctx *sctx, struct btrfs_root *root, u64 ino, u64 *dir,
		       u64 *dir_gen, struct fs_path *name)
{
	struct btrfs_path *path = &sctx->lookup->ref_path[is_other_root(sctx, root)];
	struct btrfs_key key = { ino, BTRFS_INODE_REF_KEY, 0 };
	int ret = btrfs_search_slot_for_read(root, &key, path, false);

	if (ret < 0)
		return ret;
	if (ret == 0)
		btrfs_item_key_to_cpu(path->nodes[0], &key, path->slots[0]);
	if (ret || key.objectid != ino ||
	    (key.type != BTRFS_INODE_REF_KEY && key.type != BTRFS_INODE_EXTREF_KEY))
		return -ENOENT;
	ret = first_ref_of_item(path, &key, dir, name);
	if (!ret && dir_gen)
		ret = send_get_inode_gen(sctx, root, *dir, dir_gen);
	return ret;
}

int send_lookup_dir_item_inode(struct btrfs_root *root, u64 dir, const char *name, u32 len,
			       u64 *ino)
{
	struct btrfs_key location;
	int ret = btrfs_lookup_dir_item(root, dir, name, len, &location, NULL);

	if (ret)
		return ret;
	if (location.type == BTRFS_ROOT_ITEM_KEY)
		return -ENOENT;
	*ino = location.objectid;
	return 0;
}

int send_get_inode_path(struct send_ctx *sctx, struct btrfs_root *root, u64 ino,
			struct fs_path *path)
{
	char reversed[PATH_MAX];
	u32 start = PATH_MAX;
	struct fs_path name;

	/* Every step takes room, so a loop of directories ends too. */
	while (ino != BTRFS_FIRST_FREE_OBJECTID) {
		int ret;

		fs_path_reset(&name);
		ret = send_get_first_ref(sctx, root, ino, &ino, NULL, &name);
		if (ret)
			return ret;
		if (name.len + 2 > start)
			return -ENAMETOOLONG;
		if (start != PATH_MAX)
			reversed[--start] = '/';
		start -= name.len;
		memcpy(reversed + start, name.buf, name.len);
	}
	fs_path_reset(path);
	return fs_path_add(path, reversed + start, PATH_MAX - start);
}

int send_iterate_inode_ref(struct send_ctx *sctx, const struct btrfs_path *path,
			   const struct btrfs_key *key, send_inode_ref_fn fn)
{
	const struct extent_buffer *leaf = path->nodes[0];
	const u8 *item = btrfs_item_data(leaf, path->slots[0]);
	u32 size = btrfs_item_size(leaf, path->slots[0]);
	u32 at = 0;
	int ret = 0;

	while (at < size && !ret) {
		if (key->type == BTRFS_INODE_REF_KEY) {
			const struct btrfs_inode_ref *ref = (const void *)(item + at);
			u32 len = btrfs_inode_ref_name_len(leaf, ref);

			ret = fn(sctx, key->offset, (const char *)(ref + 1), len);
			at += (u32)sizeof(*ref) + len;
		} else {
			const struct btrfs_inode_extref *ref = (const void *)(item + at);
			u32 len = btrfs_inode_extref_name_len(leaf, ref);

			ret = fn(sctx, btrfs_inode_extref_parent(leaf, ref),
				 (const char *)ref->name, len);
			at += (u32)sizeof(*ref) + len;
		}
	}
	return ret;
}

/* Whether @ancestor is @ino or above it, going up by first names. */
static int is_above(struct send_ctx *sctx, struct btrfs_root *root, u64 ancestor,
		    u64 ancestor_gen, u64 ino, u64 gen)
{
	u32 depth = 0;

	if (ino == ancestor)
		return gen == ancestor_gen;
	while (ino > BTRFS_FIRST_FREE_OBJECTID) {
		struct fs_path name = { .len = 0 };
		u64 parent, parent_gen;
		int ret = send_get_first_ref(sctx, root, ino, &parent, &parent_gen, &name);

		if (ret)
			return ret;
		if (parent == ancestor)
			return parent_gen == ancestor_gen;
		if (++depth > PATH_MAX)
			return -ELOOP;
		ino = parent;
	}
	return 0;
}

int send_is_ancestor(struct send_ctx *sctx, struct btrfs_root *root, u64 ancestor,
		     u64 ancestor_gen, u64 ino)
{
	struct btrfs_key key = { ino, BTRFS_INODE_REF_KEY, 0 };
	struct btrfs_path path = { 0 };
	int ret, found = 0;

	for (ret = btrfs_search_slot_for_read(root, &key, &path, false); !ret && !found;
	     ret = found ? 0 : btrfs_next_item(root, &path)) {
		const struct extent_buffer *leaf = path.nodes[0];
		u32 size = btrfs_item_size(leaf, path.slots[0]), at = 0;

		btrfs_item_key_to_cpu(leaf, &key, path.slots[0]);
		if (key.objectid != ino || (key.type != BTRFS_INODE_REF_KEY &&
					    key.type != BTRFS_INODE_EXTREF_KEY))
			break;
		while (at < size && !found) {
			u64 parent = key.offset, gen;

			if (key.type == BTRFS_INODE_REF_KEY) {
				at = size;	/* all names of the item are in one directory */
			} else {
				const struct btrfs_inode_extref *ref = (const void *)
					((const u8 *)btrfs_item_data(leaf, path.slots[0]) + at);

				parent = btrfs_inode_extref_parent(leaf, ref);
				at += (u32)sizeof(*ref) + btrfs_inode_extref_name_len(leaf, ref);
			}
			found = send_get_inode_gen(sctx, root, parent, &gen);
			if (!found)
				found = is_above(sctx, root, ancestor, ancestor_gen, parent, gen);
		}
	}
	btrfs_release_path(&path);
	return found ? found : min(ret, 0);
}
