// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an inode is called at the receiver at this point of the stream.
 */
#include <stdio.h>
#include <stdlib.h>

#include "kernel-shared/dir-item.h"
#include "kernel-shared/send-internal.h"

/* ---- states ---- */

/* An inode that nothing links to any more counts as not there. */
static int lookup_linked_inode(struct send_ctx *sctx, struct btrfs_root *root, u64 ino, u64 *gen)
{
	struct send_inode_info info;
	int ret = send_get_inode_info(sctx, root, ino, &info);

	*gen = 0;
	if (ret)
		return ret;
	if (info.nlink == 0)
		return -ENOENT;
	*gen = info.gen;
	return 0;
}

int send_get_cur_inode_state(struct send_ctx *sctx, u64 ino, u64 gen, u64 *ret_send_gen,
			     u64 *ret_parent_gen)
{
	bool processed = ino < sctx->send_progress;
	bool in_send, in_parent = false;
	u64 send_gen, parent_gen = 0;
	int ret;

	ret = lookup_linked_inode(sctx, sctx->send_root, ino, &send_gen);
	if (ret && ret != -ENOENT)
		return ret;
	in_send = !ret;
	if (sctx->parent_root) {
		ret = lookup_linked_inode(sctx, sctx->parent_root, ino, &parent_gen);
		if (ret && ret != -ENOENT)
			return ret;
		in_parent = !ret;
	}
	if (ret_send_gen)
		*ret_send_gen = send_gen;
	if (ret_parent_gen)
		*ret_parent_gen = parent_gen;

	if (in_send && in_parent && send_gen == gen && parent_gen == gen)
		return INODE_NO_CHANGE;
	if (in_send && send_gen == gen)
		return processed ? INODE_DID_CREATE : INODE_WILL_CREATE;
	if (in_parent && parent_gen == gen)
		return processed ? INODE_DID_DELETE : INODE_WILL_DELETE;
	return -ENOENT;
}

/* Is the inode at the receiver now?  1, 0, or negative errno (-ENOENT: in neither tree). */
static int is_inode_existent(struct send_ctx *sctx, u64 ino, u64 gen, u64 *send_gen,
			     u64 *parent_gen)
{
	int state;

	if (ino == BTRFS_FIRST_FREE_OBJECTID)
		return 1;
	state = send_get_cur_inode_state(sctx, ino, gen, send_gen, parent_gen);
	if (state < 0)
		return state;
	return state == INODE_NO_CHANGE || state == INODE_DID_CREATE ||
	       state == INODE_WILL_DELETE;
}

/* ---- orphan names ---- */

static bool looks_like_orphan_name(const char *name, u32 len)
{
	return len >= 6 && name[0] == 'o' && name[1] >= '0' && name[1] <= '9';
}

static int find_orphan_like_name(const struct extent_buffer *leaf __unused,
				 const struct btrfs_dir_item *di __unused, const char *name,
				 u16 name_len, const void *data __unused, u16 data_len __unused,
				 void *ctx __unused)
{
	return looks_like_orphan_name(name, name_len);
}

static int item_has_orphan_name(struct btrfs_root *root __unused, const struct extent_buffer *leaf,
				u32 slot, const struct btrfs_key *key __unused, void *ctx)
{
	return btrfs_for_each_dir_entry(leaf, slot, find_orphan_like_name, ctx);
}

/*
 * An orphan name is asked for twice for every new inode.  Nearly always no name
 * in the top directory is anything like one, and then no look-up can hit.
 */
static int root_dir_has_orphan_names(struct send_ctx *sctx)
{
	struct btrfs_key from = { BTRFS_FIRST_FREE_OBJECTID, BTRFS_DIR_INDEX_KEY, 0 };
	struct btrfs_key to = { BTRFS_FIRST_FREE_OBJECTID, BTRFS_DIR_INDEX_KEY, (u64)-1 };
	struct btrfs_root *roots[] = { sctx->send_root, sctx->parent_root };

	for (size_t i = 0; sctx->root_dir_has_orphan_names < 0 && i < ARRAY_SIZE(roots); i++) {
		int ret = roots[i] ? btrfs_for_each_item(roots[i], &from, &to,
							 item_has_orphan_name, NULL) : 0;

		if (ret < 0)
			return ret;
		if (ret || i + 1 == ARRAY_SIZE(roots))
			sctx->root_dir_has_orphan_names = ret;
	}
	return sctx->root_dir_has_orphan_names;
}

static int name_in_root_dir(struct btrfs_root *root, const char *name, u32 len)
{
	struct btrfs_key location;
	int ret;

	if (!root)
		return 0;
	ret = btrfs_lookup_dir_item(root, BTRFS_FIRST_FREE_OBJECTID, name, len, &location, NULL);
	if (ret == -ENOENT)
		return 0;
	return ret ? ret : 1;
}

int send_gen_unique_name(struct send_ctx *sctx, u64 ino, u64 gen, struct fs_path *dest)
{
	int may_exist = root_dir_has_orphan_names(sctx);
	char name[64];

	if (may_exist < 0)
		return may_exist;
	for (u64 index = 0;; index++) {
		u32 len = (u32)snprintf(name, sizeof(name), "o%llu-%llu-%llu", ino, gen, index);
		int ret = 0;

		if (may_exist)
			ret = name_in_root_dir(sctx->send_root, name, len);
		if (may_exist && !ret)
			ret = name_in_root_dir(sctx->parent_root, name, len);
		if (ret < 0)
			return ret;
		if (!ret)
			return fs_path_add(dest, name, len);
	}
}

/* ---- overwritten references ---- */

int send_is_first_ref(struct send_ctx *sctx, struct btrfs_root *root, u64 ino, u64 dir,
		      const char *name, u32 len)
{
	struct fs_path first = { .len = 0 };
	u64 first_dir;
	int ret = send_get_first_ref(sctx, root, ino, &first_dir, NULL, &first);

	if (ret)
		return ret;
	return dir == first_dir && len == first.len && !memcmp(first.buf, name, len);
}

int send_will_overwrite_ref(struct send_ctx *sctx, u64 dir, u64 dir_gen, const char *name,
			    u32 len, u64 *who_ino, u64 *who_gen, u64 *who_mode)
{
	struct send_inode_info info;
	u64 parent_dir_gen = 0, other;
	int ret;

	if (!sctx->parent_root)
		return 0;
	if (is_inode_existent(sctx, dir, dir_gen, NULL, &parent_dir_gen) <= 0)
		return 0;
	/* A directory that was made anew is empty, whatever the old one held. */
	if (dir != BTRFS_FIRST_FREE_OBJECTID && parent_dir_gen != dir_gen)
		return 0;
	ret = send_lookup_dir_item_inode(sctx->parent_root, dir, name, len, &other);
	if (ret)
		return ret == -ENOENT ? 0 : ret;
	/* An inode that was processed has given the name up already. */
	if (other <= sctx->send_progress && !send_get_waiting_dir_move(sctx, other))
		return 0;
	ret = send_get_inode_info(sctx, sctx->parent_root, other, &info);
	if (ret)
		return ret;
	*who_ino = other;
	*who_gen = info.gen;
	*who_mode = info.mode;
	return 1;
}

int send_did_overwrite_ref(struct send_ctx *sctx, u64 dir, u64 dir_gen, u64 ino, u64 ino_gen,
			   const char *name, u32 len)
{
	u64 send_dir_gen = 0, owner, owner_gen = 0;
	int ret;

	if (!sctx->parent_root)
		return 0;
	ret = is_inode_existent(sctx, dir, dir_gen, &send_dir_gen, NULL);
	if (ret <= 0)
		return ret;
	if (dir != BTRFS_FIRST_FREE_OBJECTID && send_dir_gen != dir_gen)
		return 0;
	ret = send_lookup_dir_item_inode(sctx->send_root, dir, name, len, &owner);
	if (ret)
		return ret == -ENOENT ? 0 : ret;
	if (owner == ino) {
		ret = send_get_inode_gen(sctx, sctx->send_root, owner, &owner_gen);
		if (ret)
			return ret;
		if (owner_gen == ino_gen)
			return 0;
	}
	/* It is or will be taken by @owner.  Is it already? */
	if (owner < sctx->send_progress)
		return 1;
	if (ino == sctx->cur_ino || owner != sctx->cur_ino)
		return 0;
	ret = send_get_inode_gen(sctx, sctx->send_root, owner, &owner_gen);
	if (ret)
		return ret;
	return owner_gen == sctx->cur_inode_gen;
}

int send_did_overwrite_first_ref(struct send_ctx *sctx, u64 ino, u64 gen)
{
	struct fs_path name = { .len = 0 };
	u64 dir, dir_gen;
	int ret;

	if (!sctx->parent_root)
		return 0;
	ret = send_get_first_ref(sctx, sctx->parent_root, ino, &dir, &dir_gen, &name);
	if (ret)
		return ret;
	return send_did_overwrite_ref(sctx, dir, dir_gen, ino, gen, name.buf, name.len);
}

/* ---- names ---- */

struct name_cache_entry {
	struct lru_entry entry;
	u64 parent_ino;
	u64 parent_gen;
	int ret;			/* what send_get_cur_name_and_parent() returned */
	bool need_later_update;		/* holds only until the inode is processed */
	u32 name_len;
	char name[];
};

static struct name_cache_entry *name_cache_search(struct send_ctx *sctx, u64 ino, u64 gen)
{
	struct lru_entry *entry = lru_cache_lookup(&sctx->name_cache, ino, gen);

	return entry ? container_of(entry, struct name_cache_entry, entry) : NULL;
}

void send_name_cache_forget(struct send_ctx *sctx, u64 ino, u64 gen)
{
	struct lru_entry *entry = lru_cache_lookup(&sctx->name_cache, ino, gen);

	if (entry)
		lru_cache_remove(&sctx->name_cache, entry);
}

static int name_cache_store(struct send_ctx *sctx, u64 ino, u64 gen, u64 parent_ino,
			    u64 parent_gen, int result, const struct fs_path *name)
{
	struct name_cache_entry *nce = malloc(sizeof(*nce) + name->len);
	int ret;

	if (!nce)
		return -ENOMEM;
	nce->entry.key = ino;
	nce->entry.gen = gen;
	nce->parent_ino = parent_ino;
	nce->parent_gen = parent_gen;
	nce->ret = result;
	nce->need_later_update = ino >= sctx->send_progress;
	nce->name_len = name->len;
	memcpy(nce->name, name->buf, name->len);
	ret = lru_cache_store(&sctx->name_cache, &nce->entry);
	if (ret)
		free(nce);
	return ret;
}

/* The part of send_get_cur_name_and_parent() that asks the trees. */
static int find_cur_name_and_parent(struct send_ctx *sctx, u64 ino, u64 gen, u64 *parent_ino,
				    u64 *parent_gen, struct fs_path *dest)
{
	struct btrfs_root *root = ino < sctx->send_progress ? sctx->send_root : sctx->parent_root;
	int ret = is_inode_existent(sctx, ino, gen, NULL, NULL);

	if (ret < 0)
		return ret;
	if (ret) {
		ret = send_get_first_ref(sctx, root, ino, parent_ino, parent_gen, dest);
		if (!ret)
			ret = send_did_overwrite_ref(sctx, *parent_ino, *parent_gen, ino, gen,
						     dest->buf, dest->len);
		if (ret <= 0)
			return ret;
	}
	/* Not there yet, or its name was taken: it goes by its orphan name. */
	fs_path_reset(dest);
	ret = send_gen_unique_name(sctx, ino, gen, dest);
	return ret ? ret : 1;
}

int send_get_cur_name_and_parent(struct send_ctx *sctx, u64 ino, u64 gen, u64 *parent_ino,
				 u64 *parent_gen, struct fs_path *dest)
{
	struct name_cache_entry *nce = name_cache_search(sctx, ino, gen);
	int ret, err;

	if (nce && nce->need_later_update && ino < sctx->send_progress) {
		lru_cache_remove(&sctx->name_cache, &nce->entry);
		nce = NULL;
	}
	if (nce) {
		*parent_ino = nce->parent_ino;
		*parent_gen = nce->parent_gen;
		ret = fs_path_add(dest, nce->name, nce->name_len);
		return ret ? ret : nce->ret;
	}
	ret = find_cur_name_and_parent(sctx, ino, gen, parent_ino, parent_gen, dest);
	if (ret < 0)
		return ret;
	err = name_cache_store(sctx, ino, gen, *parent_ino, *parent_gen, ret, dest);
	return err ? err : ret;
}

/*
 * One step of send_get_cur_path(): the name of @ino and its parent.  1 when the
 * name is the top of the path.
 */
static int cur_path_step(struct send_ctx *sctx, u64 ino, u64 gen, u64 *parent_ino,
			 u64 *parent_gen, struct fs_path *name)
{
	struct waiting_dir_move *wdm;
	int ret;

	wdm = send_get_waiting_dir_move(sctx, ino);
	if ((wdm && wdm->orphanized) || send_is_waiting_for_rm(sctx, ino, gen)) {
		ret = send_gen_unique_name(sctx, ino, gen, name);
		return ret ? ret : 1;
	}
	/* Not renamed yet, hence still where the parent has it. */
	if (wdm)
		return send_get_first_ref(sctx, sctx->parent_root, ino, parent_ino, parent_gen,
					  name);
	return send_get_cur_name_and_parent(sctx, ino, gen, parent_ino, parent_gen, name);
}

int send_get_cur_path(struct send_ctx *sctx, u64 ino, u64 gen, struct fs_path *dest)
{
	bool is_cur_inode = ino == sctx->cur_ino && gen == sctx->cur_inode_gen;
	char reversed[PATH_MAX];
	u32 start = PATH_MAX;
	struct fs_path name;
	int ret = 0;

	if (is_cur_inode && sctx->cur_inode_path.len) {
		fs_path_copy(dest, &sctx->cur_inode_path);
		return 0;
	}
	/* Built from its end; every step takes room, so a loop ends as well. */
	while (ret == 0 && ino != BTRFS_FIRST_FREE_OBJECTID) {
		u64 parent_ino = 0, parent_gen = 0;

		fs_path_reset(&name);
		ret = cur_path_step(sctx, ino, gen, &parent_ino, &parent_gen, &name);
		if (ret < 0)
			return ret;
		if (name.len + 2 > start)
			return -ENAMETOOLONG;
		if (start != PATH_MAX)
			reversed[--start] = '/';
		start -= name.len;
		memcpy(reversed + start, name.buf, name.len);
		ino = parent_ino;
		gen = parent_gen;
	}
	dest->len = PATH_MAX - start;
	memcpy(dest->buf, reversed + start, dest->len);
	if (is_cur_inode)
		fs_path_copy(&sctx->cur_inode_path, dest);
	return 0;
}

const struct fs_path *send_cur_inode_path(struct send_ctx *sctx, int *err)
{
	*err = 0;
	if (!sctx->cur_inode_path.len)
		*err = send_get_cur_path(sctx, sctx->cur_ino, sctx->cur_inode_gen,
					 &sctx->cur_inode_path);
	return *err ? NULL : &sctx->cur_inode_path;
}
