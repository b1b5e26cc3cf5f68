// SPDX-License-Identifier: GPL-2.0-only
/*
 * Renames of directories that have to wait.
 *
 * Inodes are processed by number, but a directory can only be moved below
 * another once that one is where it belongs: when the two changed places, the
 * one with the lower number has to wait for the one with the higher.  Likewise
 * a directory that was removed cannot go before its last child has moved out.
 */
#include <stdlib.h>

#include "kernel-shared/dir-item.h"
#include "kernel-shared/send-internal.h"

/* A move put off.  Those that wait for the same directory are in one list, the first in the tree. */
struct pending_dir_move {
	struct rb_node node;
	struct list_head list;
	bool in_tree;
	u64 parent_ino;			/* what it waits for */
	u64 ino;
	u64 gen;
	struct list_head update_refs;	/* directories whose times change by the move */
};

/* A directory that is gone but still holds something at the receiver. */
struct orphan_dir_info {
	struct rb_node node;
	u64 ino;
	u64 gen;
	u64 last_dir_index_offset;	/* entries before this one are done with */
	u64 dir_high_seq_ino;		/* the highest inode that it held */
};

/* ---- directories that wait to be moved ---- */

struct waiting_dir_move *send_get_waiting_dir_move(struct send_ctx *sctx, u64 ino)
{
	struct rb_node *node = sctx->waiting_dir_moves.rb_node;

	while (node) {
		struct waiting_dir_move *wdm = rb_entry(node, struct waiting_dir_move, node);

		if (ino == wdm->ino)
			return wdm;
		node = ino < wdm->ino ? node->rb_left : node->rb_right;
	}
	return NULL;
}

static int add_waiting_dir_move(struct send_ctx *sctx, u64 ino, bool orphanized)
{
	struct rb_node **link = &sctx->waiting_dir_moves.rb_node, *parent = NULL;
	struct waiting_dir_move *wdm;

	while (*link) {
		parent = *link;
		wdm = rb_entry(parent, struct waiting_dir_move, node);
		if (ino == wdm->ino)
			return -EEXIST;
		link = ino < wdm->ino ? &parent->rb_left : &parent->rb_right;
	}
	wdm = calloc(1, sizeof(*wdm));
	if (!wdm)
		return -ENOMEM;
	wdm->ino = ino;
	wdm->orphanized = orphanized;
	rb_link_node(&wdm->node, parent, link);
	rb_insert_color(&wdm->node, &sctx->waiting_dir_moves);
	return 0;
}

static void free_waiting_dir_move(struct send_ctx *sctx, struct waiting_dir_move *wdm)
{
	rb_erase(&wdm->node, &sctx->waiting_dir_moves);
	free(wdm);
}

/* ---- directories that wait to be removed ---- */

/* Find the entry, or the place where it would go. */
static struct orphan_dir_info *find_orphan_dir(struct send_ctx *sctx, u64 ino, u64 gen,
					       struct rb_node **ret_parent,
					       struct rb_node ***ret_link)
{
	struct rb_node **link = &sctx->orphan_dirs.rb_node, *parent = NULL;

	while (*link) {
		struct orphan_dir_info *odi = rb_entry(*link, struct orphan_dir_info, node);

		if (ino == odi->ino && gen == odi->gen)
			return odi;
		parent = *link;
		link = ino < odi->ino || (ino == odi->ino && gen < odi->gen) ?
		       &parent->rb_left : &parent->rb_right;
	}
	*ret_parent = parent;
	*ret_link = link;
	return NULL;
}

static struct orphan_dir_info *get_orphan_dir(struct send_ctx *sctx, u64 ino, u64 gen)
{
	struct rb_node *parent, **link;

	return find_orphan_dir(sctx, ino, gen, &parent, &link);
}

static struct orphan_dir_info *add_orphan_dir(struct send_ctx *sctx, u64 ino, u64 gen)
{
	struct rb_node *parent, **link;
	struct orphan_dir_info *odi = find_orphan_dir(sctx, ino, gen, &parent, &link);

	if (odi)
		return odi;
	odi = calloc(1, sizeof(*odi));
	if (!odi)
		return NULL;
	odi->ino = ino;
	odi->gen = gen;
	rb_link_node(&odi->node, parent, link);
	rb_insert_color(&odi->node, &sctx->orphan_dirs);
	return odi;
}

bool send_is_waiting_for_rm(struct send_ctx *sctx, u64 dir, u64 gen)
{
	return get_orphan_dir(sctx, dir, gen) != NULL;
}

/* The inode that the last entry of @dir points to: most likely the highest.  -ENOENT: empty. */
static int last_dir_entry(struct btrfs_root *root, u64 dir, u64 *ino)
{
	struct btrfs_key key = { dir, BTRFS_DIR_INDEX_KEY, (u64)-1 };
	struct btrfs_path path = { 0 };
	int ret = btrfs_search_slot_for_read(root, &key, &path, true);

	if (ret == 0) {
		btrfs_item_key_to_cpu(path.nodes[0], &key, path.slots[0]);
		if (key.objectid != dir || key.type != BTRFS_DIR_INDEX_KEY)
			ret = 1;
	}
	if (ret == 0) {
		btrfs_dir_item_key_to_cpu(path.nodes[0],
					  btrfs_item_ptr(path.nodes[0], path.slots[0],
							 struct btrfs_dir_item), &key);
		*ino = key.objectid;
	}
	btrfs_release_path(&path);
	return ret > 0 ? -ENOENT : ret;
}

/*
 * Go through the entries of @dir from *@offset on until one is found that the
 * receiver still has there.  1: none; 0: there is one, at *@offset.
 */
static int first_remaining_entry(struct send_ctx *sctx, u64 dir, u64 gen, u64 start, u64 *offset,
				 u64 *high_ino)
{
	struct btrfs_key key = { dir, BTRFS_DIR_INDEX_KEY, start };
	struct btrfs_root *root = sctx->parent_root;
	struct btrfs_path path = { 0 };
	int ret;

	for (ret = btrfs_search_slot_for_read(root, &key, &path, false); ret == 0;
	     ret = btrfs_next_item(root, &path)) {
		struct waiting_dir_move *wdm;
		struct btrfs_key location;

		btrfs_item_key_to_cpu(path.nodes[0], &key, path.slots[0]);
		if (key.objectid != dir || key.type != BTRFS_DIR_INDEX_KEY) {
			ret = 1;
			break;
		}
		btrfs_dir_item_key_to_cpu(path.nodes[0],
					  btrfs_item_ptr(path.nodes[0], path.slots[0],
							 struct btrfs_dir_item), &location);
		*high_ino = max(*high_ino, location.objectid);
		*offset = key.offset;
		wdm = send_get_waiting_dir_move(sctx, location.objectid);
		if (wdm) {
			wdm->rmdir_ino = dir;
			wdm->rmdir_gen = gen;
			break;
		}
		if (location.objectid > sctx->cur_ino)
			break;
	}
	btrfs_release_path(&path);
	return ret;
}

int send_can_rmdir(struct send_ctx *sctx, u64 dir, u64 gen)
{
	struct orphan_dir_info *odi;
	u64 high_ino = 0, offset = 0;
	int ret;

	if (dir == BTRFS_FIRST_FREE_OBJECTID)
		return 0;
	odi = get_orphan_dir(sctx, dir, gen);
	if (odi && sctx->cur_ino < odi->dir_high_seq_ino)
		return 0;
	if (!odi) {
		ret = last_dir_entry(sctx->parent_root, dir, &high_ino);
		if (ret)
			return ret == -ENOENT ? 1 : ret;
	}
	if (odi || sctx->cur_ino >= high_ino) {
		ret = first_remaining_entry(sctx, dir, gen, odi ? odi->last_dir_index_offset : 0,
					    &offset, &high_ino);
		if (ret > 0 && odi) {
			rb_erase(&odi->node, &sctx->orphan_dirs);
			free(odi);
		}
		if (ret)
			return ret;
	}
	if (!odi)
		odi = add_orphan_dir(sctx, dir, gen);
	if (!odi)
		return -ENOMEM;
	odi->last_dir_index_offset = offset;
	odi->dir_high_seq_ino = max(odi->dir_high_seq_ino, high_ino);
	return 0;
}

/* ---- pending moves ---- */

static struct pending_dir_move *get_pending_dir_moves(struct send_ctx *sctx, u64 parent_ino,
						      struct rb_node **ret_parent,
						      struct rb_node ***ret_link)
{
	struct rb_node **link = &sctx->pending_dir_moves.rb_node, *parent = NULL;

	while (*link) {
		struct pending_dir_move *pm = rb_entry(*link, struct pending_dir_move, node);

		if (parent_ino == pm->parent_ino)
			return pm;
		parent = *link;
		link = parent_ino < pm->parent_ino ? &parent->rb_left : &parent->rb_right;
	}
	*ret_parent = parent;
	*ret_link = link;
	return NULL;
}

static int dup_refs(struct list_head *from, struct list_head *to)
{
	struct recorded_ref *ref;
	int ret;

	list_for_each_entry(ref, from, list) {
		ret = send_dup_ref(ref, to);
		if (ret)
			return ret;
	}
	return 0;
}

/* Put the move of @ino off until @parent_ino has been moved.  The lists may be NULL. */
static int add_pending_dir_move(struct send_ctx *sctx, u64 ino, u64 gen, u64 parent_ino,
				struct list_head *deleted_refs, struct list_head *new_refs,
				bool is_orphan)
{
	struct pending_dir_move *pm = calloc(1, sizeof(*pm)), *first;
	struct rb_node *parent, **link;
	int ret;

	if (!pm)
		return -ENOMEM;
	pm->parent_ino = parent_ino;
	pm->ino = ino;
	pm->gen = gen;
	INIT_LIST_HEAD(&pm->list);
	INIT_LIST_HEAD(&pm->update_refs);
	ret = deleted_refs ? dup_refs(deleted_refs, &pm->update_refs) : 0;
	if (!ret)
		ret = dup_refs(new_refs, &pm->update_refs);
	if (!ret)
		ret = add_waiting_dir_move(sctx, ino, is_orphan);
	if (ret) {
		send_free_recorded_refs(&pm->update_refs);
		free(pm);
		return ret;
	}
	first = get_pending_dir_moves(sctx, parent_ino, &parent, &link);
	if (first) {
		list_add_tail(&pm->list, &first->list);
	} else {
		rb_link_node(&pm->node, parent, link);
		rb_insert_color(&pm->node, &sctx->pending_dir_moves);
		pm->in_tree = true;
	}
	return 0;
}

static int delay_current_inode(struct send_ctx *sctx, u64 parent_ino, bool is_orphan)
{
	int ret = add_pending_dir_move(sctx, sctx->cur_ino, sctx->cur_inode_gen, parent_ino,
				       &sctx->deleted_refs, &sctx->new_refs, is_orphan);

	return ret ? ret : 1;
}

int send_wait_for_dest_dir_move(struct send_ctx *sctx, const struct recorded_ref *ref,
				bool is_orphan)
{
	struct waiting_dir_move *wdm;
	u64 parent_gen, send_gen;
	struct btrfs_key owner;
	int ret;

	if (RB_EMPTY_ROOT(&sctx->waiting_dir_moves))
		return 0;
	/* Who had the new name in the parent tree?  If that one still waits, so must we. */
	ret = btrfs_lookup_dir_item(sctx->parent_root, ref->dir, recorded_ref_name(ref),
				    ref->name_len, &owner, NULL);
	if (ret)
		return ret == -ENOENT ? 0 : ret;
	if (owner.type != BTRFS_INODE_ITEM_KEY)
		return 0;
	ret = send_get_inode_gen(sctx, sctx->parent_root, owner.objectid, &parent_gen);
	if (ret)
		return ret;
	ret = send_get_inode_gen(sctx, sctx->send_root, owner.objectid, &send_gen);
	if (ret)
		return ret == -ENOENT ? 0 : ret;
	wdm = send_get_waiting_dir_move(sctx, owner.objectid);
	if (parent_gen != send_gen || !wdm || wdm->orphanized)
		return 0;
	return delay_current_inode(sctx, owner.objectid, is_orphan);
}

/*
 * Whether the directory @ino, still to be processed, is called something else
 * or lies elsewhere in the sent tree; *@parent is where it lies there.
 * -ENOENT: it is not in the parent tree.
 */
static int dir_will_move(struct send_ctx *sctx, u64 ino, u64 gen, u64 *parent, u64 *parent_gen)
{
	struct fs_path before = { .len = 0 }, after = { .len = 0 };
	u64 parent_before, gen_before;
	int ret;

	ret = send_get_first_ref(sctx, sctx->send_root, ino, parent, parent_gen, &after);
	if (ret)	/* an inode that links lead to has a reference: do not take it for missing */
		return ret == -ENOENT ? -EUCLEAN : ret;
	ret = send_get_first_ref(sctx, sctx->parent_root, ino, &parent_before, NULL, &before);
	if (ret)
		return ret;
	if (ino <= sctx->cur_ino ||
	    (parent_before == *parent && before.len == after.len &&
	     !memcmp(before.buf, after.buf, before.len)))
		return 0;
	ret = send_get_inode_gen(sctx, sctx->parent_root, ino, &gen_before);
	return ret ? ret : gen == gen_before;
}

int send_wait_for_parent_move(struct send_ctx *sctx, const struct recorded_ref *ref,
			      bool is_orphan)
{
	u64 ino = ref->dir, gen = ref->dir_gen;
	u32 depth = 0;
	int ret = 0;

	/* Look at everything above the new place. */
	while (ino > BTRFS_FIRST_FREE_OBJECTID) {
		u64 parent, parent_gen;

		if (send_get_waiting_dir_move(sctx, ino)) {
			/*
			 * That one was inside us: without waiting the path would
			 * bite its tail.  Otherwise waiting might do just that.
			 */
			ret = send_is_ancestor(sctx, sctx->parent_root, sctx->cur_ino,
					       sctx->cur_inode_gen, ino);
			if (ret)
				break;
		}
		ret = dir_will_move(sctx, ino, gen, &parent, &parent_gen);
		if (ret == -ENOENT) {
			ret = 0;
			break;
		}
		if (ret)
			break;
		if (++depth > PATH_MAX)
			return -ELOOP;
		ino = parent;
		gen = parent_gen;
	}
	return ret == 1 ? delay_current_inode(sctx, ino, is_orphan) : ret;
}

/* ---- doing what was put off ---- */

/*
 * Would moving @start_ino now put it below itself?  1, and *@ancestor is what
 * has to move first; 0; negative errno.
 */
static int path_loop(struct send_ctx *sctx, u64 start_ino, u64 gen, u64 *ancestor)
{
	u64 ino = start_ino;
	u32 depth = 0;

	*ancestor = 0;
	while (ino != BTRFS_FIRST_FREE_OBJECTID) {
		struct fs_path name = { .len = 0 };
		u64 parent = 0, parent_gen = 0;
		int ret;

		if (send_is_waiting_for_rm(sctx, ino, gen))
			return 0;
		if (send_get_waiting_dir_move(sctx, ino)) {
			if (!*ancestor)
				*ancestor = ino;
			ret = send_get_first_ref(sctx, sctx->parent_root, ino, &parent,
						 &parent_gen, &name);
		} else {
			ret = send_get_cur_name_and_parent(sctx, ino, gen, &parent, &parent_gen,
							   &name);
			if (ret > 0)
				return 0;
		}
		if (ret)
			return ret;
		if (parent == start_ino) {
			if (!*ancestor)
				*ancestor = ino;
			return 1;
		}
		if (++depth > PATH_MAX)
			return -ELOOP;
		ino = parent;
		gen = parent_gen;
	}
	return 0;
}

/* Where the directory is now, before its move. */
static int path_before_move(struct send_ctx *sctx, const struct pending_dir_move *pm,
			    bool is_orphan, struct fs_path *from)
{
	struct fs_path name = { .len = 0 };
	u64 parent, parent_gen;
	int ret;

	fs_path_reset(from);
	if (is_orphan)
		return send_gen_unique_name(sctx, pm->ino, pm->gen, from);
	ret = send_get_first_ref(sctx, sctx->parent_root, pm->ino, &parent, &parent_gen, &name);
	if (!ret)
		ret = send_get_cur_path(sctx, parent, parent_gen, from);
	return ret ? ret : fs_path_add(from, name.buf, name.len);
}

/* A removed directory that had only waited for this move. */
static int rmdir_after_move(struct send_ctx *sctx, u64 ino, u64 gen)
{
	struct fs_path path;
	int ret;

	if (!ino || !get_orphan_dir(sctx, ino, gen))
		return 0;
	ret = send_can_rmdir(sctx, ino, gen);
	if (ret <= 0)
		return ret;
	ret = send_get_cur_path(sctx, ino, gen, &path);
	return ret ? ret : send_cmd_path(sctx, BTRFS_SEND_C_RMDIR, &path);
}

static int update_times_after_move(struct send_ctx *sctx, struct pending_dir_move *pm)
{
	struct recorded_ref *ref;
	u64 gen;
	int ret = send_cache_dir_utimes(sctx, pm->ino, pm->gen);

	list_for_each_entry(ref, &pm->update_refs, list) {
		if (ret)
			break;
		ret = send_get_inode_gen(sctx, sctx->send_root, ref->dir, &gen);
		if (!ret)
			ret = send_cache_dir_utimes(sctx, ref->dir, ref->dir_gen);
		else if (ret == -ENOENT)	/* removed meanwhile */
			ret = 0;
	}
	return ret;
}

static int wait_once_more(struct send_ctx *sctx, struct pending_dir_move *pm, u64 ancestor,
			  const struct waiting_dir_move *before)
{
	struct waiting_dir_move *wdm;
	int ret = add_pending_dir_move(sctx, pm->ino, pm->gen, ancestor, NULL, &pm->update_refs,
				       before->orphanized);

	if (ret || !before->rmdir_ino)
		return ret;
	wdm = send_get_waiting_dir_move(sctx, pm->ino);
	wdm->rmdir_ino = before->rmdir_ino;
	wdm->rmdir_gen = before->rmdir_gen;
	return 0;
}

static int apply_dir_move(struct send_ctx *sctx, struct pending_dir_move *pm)
{
	struct waiting_dir_move *wdm = send_get_waiting_dir_move(sctx, pm->ino);
	u64 orig_progress = sctx->send_progress;
	struct waiting_dir_move before;
	struct fs_path from, to;
	u64 ancestor;
	int ret;

	if (!wdm)
		return -EUCLEAN;
	before = *wdm;
	free_waiting_dir_move(sctx, wdm);
	ret = path_before_move(sctx, pm, before.orphanized, &from);
	if (ret)
		return ret;
	sctx->send_progress = sctx->cur_ino + 1;
	ret = path_loop(sctx, pm->ino, pm->gen, &ancestor);
	if (ret == 1) {
		ret = wait_once_more(sctx, pm, ancestor, &before);
		goto out;
	}
	if (!ret)
		ret = send_get_cur_path(sctx, pm->ino, pm->gen, &to);
	if (!ret)
		ret = send_cmd_rename(sctx, &from, &to);
	if (!ret)
		ret = rmdir_after_move(sctx, before.rmdir_ino, before.rmdir_gen);
	if (!ret)
		ret = update_times_after_move(sctx, pm);
out:
	sctx->send_progress = orig_progress;
	return ret;
}

static void free_pending_move(struct send_ctx *sctx, struct pending_dir_move *pm)
{
	if (pm->in_tree)
		rb_erase(&pm->node, &sctx->pending_dir_moves);
	list_del(&pm->list);
	send_free_recorded_refs(&pm->update_refs);
	free(pm);
}

/* Move all that waits for one directory from the tree to the end of @stack. */
static void append_pending_moves(struct send_ctx *sctx, u64 parent_ino, struct list_head *stack)
{
	struct rb_node *parent, **link;
	struct pending_dir_move *first = get_pending_dir_moves(sctx, parent_ino, &parent, &link);
	LIST_HEAD(others);

	if (!first)
		return;
	rb_erase(&first->node, &sctx->pending_dir_moves);
	first->in_tree = false;
	/*
	 * The others hang in a ring that the first is the head of.  It goes in
	 * front of them, as it came first.
	 */
	list_splice_tail_init(&first->list, &others);
	list_add_tail(&first->list, stack);
	list_splice_tail_init(&others, stack);
}

int send_apply_children_dir_moves(struct send_ctx *sctx)
{
	struct pending_dir_move *pm;
	LIST_HEAD(stack);
	int ret = 0;

	append_pending_moves(sctx, sctx->cur_ino, &stack);
	while (!list_empty(&stack)) {
		u64 ino;

		pm = list_first_entry(&stack, struct pending_dir_move, list);
		ino = pm->ino;
		if (!ret)
			ret = apply_dir_move(sctx, pm);
		free_pending_move(sctx, pm);
		if (!ret)
			append_pending_moves(sctx, ino, &stack);
	}
	return ret;
}

void send_free_dir_moves(struct send_ctx *sctx)
{
	struct waiting_dir_move *wdm, *next_wdm;
	struct orphan_dir_info *odi, *next_odi;
	struct rb_node *node;

	while ((node = rb_first(&sctx->pending_dir_moves)) != NULL) {
		struct pending_dir_move *pm = rb_entry(node, struct pending_dir_move, node);

		while (!list_empty(&pm->list))
			free_pending_move(sctx, list_first_entry(&pm->list,
								 struct pending_dir_move, list));
		free_pending_move(sctx, pm);
	}
	rbtree_postorder_for_each_entry_safe(wdm, next_wdm, &sctx->waiting_dir_moves, node)
		free(wdm);
	sctx->waiting_dir_moves = RB_ROOT;
	rbtree_postorder_for_each_entry_safe(odi, next_odi, &sctx->orphan_dirs, node)
		free(odi);
	sctx->orphan_dirs = RB_ROOT;
}
