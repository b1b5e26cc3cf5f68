// SPDX-License-Identifier: GPL-2.0-only
/*
 * Links, renames and removals: the names of one inode that come and go are
 * recorded as the walk meets them and turned into commands together, since new
 * names must be handled before old ones are taken away.
 */
#include <stdlib.h>

#include "kernel-shared/send-internal.h"

/* ---- recording ---- */

static struct recorded_ref *alloc_ref(u64 dir, u64 dir_gen)
{
	struct recorded_ref *ref = calloc(1, sizeof(*ref));

	if (ref) {
		INIT_LIST_HEAD(&ref->list);
		ref->dir = dir;
		ref->dir_gen = dir_gen;
	}
	return ref;
}

static void free_ref(struct recorded_ref *ref)
{
	if (ref->root)
		rb_erase(&ref->node, ref->root);
	list_del(&ref->list);
	free(ref->full_path);
	free(ref);
}

int send_dup_ref(const struct recorded_ref *ref, struct list_head *list)
{
	struct recorded_ref *dup = alloc_ref(ref->dir, ref->dir_gen);

	if (!dup)
		return -ENOMEM;
	list_add_tail(&dup->list, list);
	return 0;
}

void send_free_recorded_refs(struct list_head *head)
{
	while (!list_empty(head))
		free_ref(list_first_entry(head, struct recorded_ref, list));
}

static int comp_u64(u64 a, u64 b)
{
	return a < b ? -1 : a > b;
}

/* Order by directory, then (unless @name is NULL: only directories are compared) by name. */
static int comp_ref(u64 dir, u64 dir_gen, const char *name, u32 len,
		    const struct recorded_ref *ref)
{
	int cmp = comp_u64(dir, ref->dir);

	if (!cmp)
		cmp = comp_u64(dir_gen, ref->dir_gen);
	if (cmp || !name)
		return cmp;
	cmp = comp_u64(len, ref->name_len);
	return cmp ? cmp : memcmp(name, recorded_ref_name(ref), len);
}

/* Find the equal of a reference in @root, or the place where it would go. */
static struct recorded_ref *find_ref(struct rb_root *root, u64 dir, u64 dir_gen,
				     const char *name, u32 len, struct rb_node **ret_parent,
				     struct rb_node ***ret_link)
{
	struct rb_node **link = &root->rb_node, *parent = NULL;

	while (*link) {
		struct recorded_ref *ref = rb_entry(*link, struct recorded_ref, node);
		int cmp = comp_ref(dir, dir_gen, name, len, ref);

		if (!cmp)
			return ref;
		parent = *link;
		link = cmp < 0 ? &parent->rb_left : &parent->rb_right;
	}
	*ret_parent = parent;
	*ret_link = link;
	return NULL;
}

static void insert_ref(struct rb_root *root, struct recorded_ref *ref, struct rb_node *parent,
		       struct rb_node **link)
{
	rb_link_node(&ref->node, parent, link);
	rb_insert_color(&ref->node, root);
	ref->root = root;
}

/* Note a name in @root and @list, with its path as it is now. */
static int record_ref(struct send_ctx *sctx, struct rb_root *root, struct list_head *list,
		      u64 dir, u64 dir_gen, const char *name, u32 len)
{
	struct recorded_ref *ref = alloc_ref(dir, dir_gen);
	struct rb_node *parent, **link;
	int ret = -ENOMEM;

	if (!ref)
		return -ENOMEM;
	ref->full_path = malloc(sizeof(*ref->full_path));
	if (ref->full_path)
		ret = send_get_cur_path(sctx, dir, dir_gen, ref->full_path);
	if (!ret)
		ret = fs_path_add(ref->full_path, name, len);
	if (ret) {
		free_ref(ref);
		return ret;
	}
	ref->name_len = len;
	list_add_tail(&ref->list, list);
	/* A damaged tree may have one name twice; the list keeps both, the tree one. */
	if (!find_ref(root, dir, dir_gen, name, len, &parent, &link))
		insert_ref(root, ref, parent, link);
	return 0;
}

/*
 * A name that is in both trees neither comes nor goes: whichever side is met
 * second takes the first off its list again.
 */
static int record_ref_if_needed(struct send_ctx *sctx, struct btrfs_root *tree,
				struct rb_root *root, struct list_head *list,
				struct rb_root *other_root, u64 dir, const char *name, u32 len)
{
	struct rb_node *parent, **link;
	struct recorded_ref *same;
	u64 dir_gen;
	int ret = send_get_inode_gen(sctx, tree, dir, &dir_gen);

	if (ret)
		return ret;
	same = find_ref(other_root, dir, dir_gen, name, len, &parent, &link);
	if (same) {
		free_ref(same);
		return 0;
	}
	return record_ref(sctx, root, list, dir, dir_gen, name, len);
}

int send_record_new_ref(struct send_ctx *sctx, u64 dir, const char *name, u32 len)
{
	return record_ref_if_needed(sctx, sctx->send_root, &sctx->rbtree_new_refs, &sctx->new_refs,
				    &sctx->rbtree_deleted_refs, dir, name, len);
}

int send_record_deleted_ref(struct send_ctx *sctx, u64 dir, const char *name, u32 len)
{
	return record_ref_if_needed(sctx, sctx->parent_root, &sctx->rbtree_deleted_refs,
				    &sctx->deleted_refs, &sctx->rbtree_new_refs, dir, name, len);
}

/* Compute the path of @ref again, after something above it was renamed. */
static int refresh_ref_path(struct send_ctx *sctx, struct recorded_ref *ref)
{
	char name[BTRFS_NAME_LEN];
	u32 len = min_t(u32, ref->name_len, sizeof(name));
	int ret;

	memcpy(name, recorded_ref_name(ref), len);
	ret = send_get_cur_path(sctx, ref->dir, ref->dir_gen, ref->full_path);
	return ret ? ret : fs_path_add(ref->full_path, name, len);
}

/* ---- processing ---- */

/* The state of one send_process_recorded_refs(). */
struct ref_work {
	struct send_ctx *sctx;
	struct fs_path valid_path;	/* one name that the inode has at the receiver */
	bool is_orphan;			/* ...and it is its orphan name */
	bool can_rename;
	bool orphanized_dir;		/* paths recorded before may be out of date */
	bool orphanized_ancestor;
	struct list_head check_dirs;	/* directories to look after at the end, each once */
	struct rb_root check_dirs_tree;
};

static int check_dir_later(struct ref_work *work, const struct recorded_ref *ref)
{
	struct rb_node *parent, **link;
	int ret;

	if (find_ref(&work->check_dirs_tree, ref->dir, ref->dir_gen, NULL, 0, &parent, &link))
		return 0;
	ret = send_dup_ref(ref, &work->check_dirs);
	if (!ret)
		insert_ref(&work->check_dirs_tree,
			   list_last_entry(&work->check_dirs, struct recorded_ref, list), parent,
			   link);
	return ret;
}

/* Give an inode its orphan name. */
static int orphanize_inode(struct send_ctx *sctx, u64 ino, u64 gen, const struct fs_path *path)
{
	struct fs_path orphan = { .len = 0 };
	int ret = send_gen_unique_name(sctx, ino, gen, &orphan);

	if (!ret)
		ret = send_cmd_rename(sctx, path, &orphan);
	if (!ret && ino == sctx->cur_ino && gen == sctx->cur_inode_gen)
		fs_path_copy(&sctx->cur_inode_path, &orphan);
	return ret;
}

/* Where the inode is to begin with: a new one under its orphan name. */
static int find_valid_path(struct ref_work *work)
{
	struct send_ctx *sctx = work->sctx;
	int overwritten = 0;

	if (!sctx->cur_inode_new)
		overwritten = send_did_overwrite_first_ref(sctx, sctx->cur_ino,
							   sctx->cur_inode_gen);
	if (overwritten < 0)
		return overwritten;
	if (sctx->cur_inode_new || overwritten) {
		work->is_orphan = true;
		return send_gen_unique_name(sctx, sctx->cur_ino, sctx->cur_inode_gen,
					    &work->valid_path);
	}
	return send_get_cur_path(sctx, sctx->cur_ino, sctx->cur_inode_gen, &work->valid_path);
}

/* The first name of @ino is in the way of @ref: move that inode to its orphan name. */
static int orphanize_owner(struct ref_work *work, struct recorded_ref *ref, u64 ino, u64 gen,
			   u64 mode)
{
	struct send_ctx *sctx = work->sctx;
	struct waiting_dir_move *wdm;
	int ret = orphanize_inode(sctx, ino, gen, ref->full_path);

	if (ret)
		return ret;
	if (S_ISDIR(mode))
		work->orphanized_dir = true;
	/* Should its own rename be pending, it now starts from the orphan name. */
	wdm = send_get_waiting_dir_move(sctx, ino);
	if (wdm)
		wdm->orphanized = true;
	send_name_cache_forget(sctx, ino, gen);
	ret = send_is_ancestor(sctx, sctx->parent_root, ino, gen, sctx->cur_ino);
	if (ret <= 0)
		return ret;
	/* The path to the inode in hand led through what was just renamed. */
	work->orphanized_ancestor = true;
	fs_path_reset(&sctx->cur_inode_path);
	return send_get_cur_path(sctx, sctx->cur_ino, sctx->cur_inode_gen, &work->valid_path);
}

/*
 * First pass: clear the way.  Inodes not yet processed may still have, at the
 * receiver, a name that the inode in hand is to get.
 */
static int clear_conflicting_ref(struct ref_work *work, struct recorded_ref *ref)
{
	struct send_ctx *sctx = work->sctx;
	u64 ino, gen, mode;
	int first, ret;

	ret = send_get_cur_inode_state(sctx, ref->dir, ref->dir_gen, NULL, NULL);
	if (ret < 0)
		return ret;
	if (ret == INODE_WILL_CREATE)	/* the directory is not there, so nothing is in it */
		return 0;
	ret = send_will_overwrite_ref(sctx, ref->dir, ref->dir_gen, recorded_ref_name(ref),
				      ref->name_len, &ino, &gen, &mode);
	if (ret <= 0)
		return ret;
	first = send_is_first_ref(sctx, sctx->parent_root, ino, ref->dir, recorded_ref_name(ref),
				  ref->name_len);
	if (first < 0)
		return first;
	if (work->orphanized_dir) {
		ret = refresh_ref_path(sctx, ref);
		if (ret)
			return ret;
	}
	/* Any other name of that inode will do for it; only its first one must be kept. */
	if (!first)
		return send_cmd_path(sctx, BTRFS_SEND_C_UNLINK, ref->full_path);
	return orphanize_owner(work, ref, ino, gen, mode);
}

/* A directory with a higher number than what goes into it has to be made ahead of its turn. */
static int create_dir_early(struct ref_work *work, const struct recorded_ref *ref)
{
	struct send_ctx *sctx = work->sctx;
	int ret;

	ret = send_get_cur_inode_state(sctx, ref->dir, ref->dir_gen, NULL, NULL);
	if (ret < 0)
		return ret;
	if (ret != INODE_WILL_CREATE || u64_map_lookup(&sctx->dirs_created_early, ref->dir, NULL))
		return 0;
	ret = send_cmd_create_inode(sctx, ref->dir);
	return ret ? ret : u64_map_insert(&sctx->dirs_created_early, ref->dir, NULL);
}

/* For a directory that exists already: must its rename wait for another? */
static int wait_if_needed(struct ref_work *work, const struct recorded_ref *ref, bool *pending_move)
{
	struct send_ctx *sctx = work->sctx;
	int ret;

	if (!S_ISDIR(sctx->cur_inode_mode) || !sctx->parent_root)
		return 0;
	ret = send_wait_for_dest_dir_move(sctx, ref, work->is_orphan);
	if (ret == 1)
		work->can_rename = false;
	if (ret >= 0 && work->can_rename) {
		ret = send_wait_for_parent_move(sctx, ref, work->is_orphan);
		if (ret == 1)
			work->can_rename = false;
	}
	if (ret < 0)
		return ret;
	if (!work->can_rename)
		*pending_move = true;
	return 0;
}

static int rename_current_inode(struct ref_work *work, const struct fs_path *to)
{
	int ret = send_cmd_rename(work->sctx, &work->valid_path, to);

	if (ret)
		return ret;
	fs_path_copy(&work->sctx->cur_inode_path, to);
	fs_path_copy(&work->valid_path, to);
	return 0;
}

/* Second pass: put one new name in place. */
static int add_new_ref(struct ref_work *work, struct recorded_ref *ref, bool *pending_move)
{
	struct send_ctx *sctx = work->sctx;
	int ret = create_dir_early(work, ref);

	if (!ret)
		ret = wait_if_needed(work, ref, pending_move);
	if (ret)
		return ret;
	if (work->can_rename && (work->is_orphan || S_ISDIR(sctx->cur_inode_mode))) {
		ret = rename_current_inode(work, ref->full_path);
		work->is_orphan = false;
	} else if (work->can_rename) {
		if (work->orphanized_dir)
			ret = refresh_ref_path(sctx, ref);
		if (!ret)
			ret = send_cmd_link(sctx, ref->full_path, &work->valid_path);
	}
	return ret ? ret : check_dir_later(work, ref);
}

static int remove_deleted_dir(struct ref_work *work)
{
	struct send_ctx *sctx = work->sctx;
	struct recorded_ref *ref;
	int ret = send_can_rmdir(sctx, sctx->cur_ino, sctx->cur_inode_gen);

	if (ret < 0)
		return ret;
	if (ret) {
		ret = send_cmd_path(sctx, BTRFS_SEND_C_RMDIR, &work->valid_path);
	} else if (!work->is_orphan) {
		ret = orphanize_inode(sctx, sctx->cur_ino, sctx->cur_inode_gen,
				      &work->valid_path);
		work->is_orphan = true;
	}
	list_for_each_entry(ref, &sctx->deleted_refs, list) {
		if (ret)
			break;
		ret = check_dir_later(work, ref);
	}
	return ret;
}

static bool is_cur_inode_path(const struct send_ctx *sctx, const struct fs_path *path)
{
	const struct fs_path *cur = &sctx->cur_inode_path;

	/* A prefix is enough, as in the kernel; forgetting the path costs nothing but time. */
	return path->len >= cur->len && !memcmp(path->buf, cur->buf, cur->len);
}

static int remove_file_ref(struct ref_work *work, struct recorded_ref *ref)
{
	struct send_ctx *sctx = work->sctx;
	int ret = send_did_overwrite_ref(sctx, ref->dir, ref->dir_gen, sctx->cur_ino,
					 sctx->cur_inode_gen, recorded_ref_name(ref),
					 ref->name_len);

	if (ret < 0)
		return ret;
	if (!ret) {
		if (work->orphanized_ancestor)
			ret = refresh_ref_path(sctx, ref);
		if (!ret)
			ret = send_cmd_path(sctx, BTRFS_SEND_C_UNLINK, ref->full_path);
		if (ret)
			return ret;
		if (is_cur_inode_path(sctx, ref->full_path))
			fs_path_reset(&sctx->cur_inode_path);
	}
	return check_dir_later(work, ref);
}

/* Third pass: take away the names that are gone. */
static int remove_old_refs(struct ref_work *work)
{
	struct send_ctx *sctx = work->sctx;
	struct recorded_ref *ref;
	int ret;

	if (S_ISDIR(sctx->cur_inode_mode)) {
		if (sctx->cur_inode_deleted)
			return remove_deleted_dir(work);
		if (list_empty(&sctx->deleted_refs))
			return 0;
		/* Moved: the rename took the old name away. */
		return check_dir_later(work, list_first_entry(&sctx->deleted_refs,
							      struct recorded_ref, list));
	}
	list_for_each_entry(ref, &sctx->deleted_refs, list) {
		ret = remove_file_ref(work, ref);
		if (ret)
			return ret;
	}
	/* Its first name was taken, and it got no other since. */
	if (work->is_orphan)
		return send_cmd_path(sctx, BTRFS_SEND_C_UNLINK, &work->valid_path);
	return 0;
}

/* A directory that names came to or left: its times change, or it can go at last. */
static int look_after_dir(struct ref_work *work, const struct recorded_ref *ref)
{
	struct send_ctx *sctx = work->sctx;
	int ret;

	if (ref->dir > sctx->cur_ino)	/* its turn is still to come */
		return 0;
	ret = send_get_cur_inode_state(sctx, ref->dir, ref->dir_gen, NULL, NULL);
	if (ret < 0)
		return ret;
	if (ret == INODE_DID_CREATE || ret == INODE_NO_CHANGE)
		return send_cache_dir_utimes(sctx, ref->dir, ref->dir_gen);
	if (ret != INODE_DID_DELETE)
		return 0;
	ret = send_can_rmdir(sctx, ref->dir, ref->dir_gen);
	if (ret <= 0)
		return ret;
	ret = send_get_cur_path(sctx, ref->dir, ref->dir_gen, &work->valid_path);
	return ret ? ret : send_cmd_path(sctx, BTRFS_SEND_C_RMDIR, &work->valid_path);
}

static int process_refs(struct ref_work *work, bool *pending_move)
{
	struct send_ctx *sctx = work->sctx;
	struct recorded_ref *ref;
	int ret = find_valid_path(work);

	if (ret)
		return ret;
	list_for_each_entry(ref, &sctx->new_refs, list) {
		ret = clear_conflicting_ref(work, ref);
		if (ret)
			return ret;
	}
	list_for_each_entry(ref, &sctx->new_refs, list) {
		ret = add_new_ref(work, ref, pending_move);
		if (ret)
			return ret;
	}
	ret = remove_old_refs(work);
	if (ret)
		return ret;
	list_for_each_entry(ref, &work->check_dirs, list) {
		ret = look_after_dir(work, ref);
		if (ret)
			return ret;
	}
	return 0;
}

int send_process_recorded_refs(struct send_ctx *sctx, bool *pending_move)
{
	struct ref_work work = { .sctx = sctx, .can_rename = true, .check_dirs_tree = RB_ROOT };
	int ret;

	INIT_LIST_HEAD(&work.check_dirs);
	ret = process_refs(&work, pending_move);
	send_free_recorded_refs(&work.check_dirs);
	send_free_recorded_refs(&sctx->new_refs);
	send_free_recorded_refs(&sctx->deleted_refs);
	return ret;
}

int send_process_all_refs(struct send_ctx *sctx, bool deleted)
{
	struct btrfs_root *root = deleted ? sctx->parent_root : sctx->send_root;
	struct btrfs_key key = { sctx->cur_ino, BTRFS_INODE_REF_KEY, 0 };
	struct btrfs_path path = { 0 };
	bool pending_move = false;
	int ret;

	for (ret = btrfs_search_slot_for_read(root, &key, &path, false); ret == 0;
	     ret = btrfs_next_item(root, &path)) {
		btrfs_item_key_to_cpu(path.nodes[0], &key, path.slots[0]);
		if (key.objectid != sctx->cur_ino || (key.type != BTRFS_INODE_REF_KEY &&
						      key.type != BTRFS_INODE_EXTREF_KEY))
			break;
		ret = send_iterate_inode_ref(sctx, &path, &key, deleted ? send_record_deleted_ref :
					     send_record_new_ref);
		if (ret)
			break;
	}
	btrfs_release_path(&path);
	if (ret < 0)
		return ret;
	/* The inode is made anew and lands in the right place with its directory: no need to wait. */
	return send_process_recorded_refs(sctx, &pending_move);
}
