// SPDX-License-Identifier: GPL-2.0-only
/*
 * Send: the walk over one tree, or over two side by side, and what is done for
 * each item and at the end of each inode.  send-internal.h lists the other
 * parts.
 */
#include "kernel-shared/send.h"

#include <stdlib.h>

#include "common/message.h"
#include "kernel-shared/compression.h"
#include "kernel-shared/disk-io.h"
#include "kernel-shared/locking.h"
#include "kernel-shared/send-damage.h"
#include "kernel-shared/send-internal.h"

#define SEND_MAX_NAME_CACHE_SIZE	256
#define SEND_MAX_BACKREF_CACHE_SIZE	128

/* What the comparison of the two trees found about one key. */
enum tree_result {
	TREE_NEW,
	TREE_DELETED,
	TREE_CHANGED,
	TREE_SAME,
};

/* ---- the end of an inode ---- */

static int process_recorded_refs_if_needed(struct send_ctx *sctx, bool at_end, bool *pending_move,
					   bool *refs_processed)
{
	int ret;

	if (sctx->cur_ino == 0)
		return 0;
	/* More of them may follow. */
	if (!at_end && sctx->cur_ino == sctx->cmp_key->objectid &&
	    sctx->cmp_key->type <= BTRFS_INODE_EXTREF_KEY)
		return 0;
	if (list_empty(&sctx->new_refs) && list_empty(&sctx->deleted_refs))
		return 0;
	ret = send_process_recorded_refs(sctx, pending_move);
	if (!ret)
		*refs_processed = true;
	return ret;
}

/* Which of its attributes the inode in hand needs commands for. */
struct inode_changes {
	bool chown;
	bool chmod;
	bool fileattr;
	bool truncate;
	struct send_inode_info now;
};

static int find_inode_changes(struct send_ctx *sctx, struct inode_changes *changes)
{
	bool is_symlink = S_ISLNK(sctx->cur_inode_mode);
	bool written_to_end = sctx->cur_inode_next_write_offset == sctx->cur_inode_size;
	struct send_inode_info old;
	int ret = send_get_inode_info(sctx, sctx->send_root, sctx->cur_ino, &changes->now);

	if (ret)
		return ret;
	if (!sctx->parent_root || sctx->cur_inode_new) {
		changes->chown = true;
		changes->chmod = !is_symlink;
		changes->truncate = !written_to_end;
		return 0;
	}
	ret = send_get_inode_info(sctx, sctx->parent_root, sctx->cur_ino, &old);
	if (ret)
		return ret;
	changes->chown = changes->now.uid != old.uid || changes->now.gid != old.gid;
	changes->chmod = !is_symlink && changes->now.mode != old.mode;
	changes->fileattr = !is_symlink && changes->now.flags != old.flags;
	changes->truncate = old.size != sctx->cur_inode_size &&
			    !(sctx->cur_inode_size > old.size && written_to_end);
	return 0;
}

static int send_inode_changes(struct send_ctx *sctx)
{
	struct inode_changes changes = { 0 };
	int ret = find_inode_changes(sctx, &changes);

	if (!ret && send_need_hole(sctx))
		ret = send_final_hole(sctx);
	if (!ret && changes.truncate && S_ISREG(sctx->cur_inode_mode))
		ret = send_cmd_truncate(sctx, sctx->cur_inode_size);
	if (!ret && changes.chown)
		ret = send_cmd_chown(sctx, changes.now.uid, changes.now.gid);
	if (!ret && changes.chmod)
		ret = send_cmd_chmod(sctx, changes.now.mode);
	if (!ret && changes.fileattr)
		ret = send_cmd_fileattr(sctx, changes.now.flags);
	return ret ? ret : send_capabilities(sctx);
}

/* The last commands of an inode: what waited for it to be in place, and its times. */
static int settle_inode(struct send_ctx *sctx)
{
	int ret;

	/* Its times follow when it has been moved. */
	if (send_get_waiting_dir_move(sctx, sctx->cur_ino))
		return 0;
	ret = send_apply_children_dir_moves(sctx);
	if (ret)
		return ret;
	sctx->send_progress = sctx->cur_ino + 1;
	/* A directory will most likely get entries yet, and these change its times. */
	if (S_ISDIR(sctx->cur_inode_mode) && sctx->cur_inode_size > 0)
		return send_cache_dir_utimes(sctx, sctx->cur_ino, sctx->cur_inode_gen);
	return send_cmd_utimes(sctx, sctx->cur_ino, sctx->cur_inode_gen);
}

/* Called before each item: is the inode in hand complete? */
static int finish_inode_if_needed(struct send_ctx *sctx, bool at_end)
{
	bool pending_move = false, refs_processed = false;
	int ret;

	if (sctx->ignore_cur_inode)
		return 0;
	ret = process_recorded_refs_if_needed(sctx, at_end, &pending_move, &refs_processed);
	if (ret)
		return ret;
	/* From here on its new names are valid, unless it still waits to be moved. */
	if (refs_processed && !pending_move)
		sctx->send_progress = sctx->cur_ino + 1;
	if (sctx->cur_ino != 0 && !sctx->cur_inode_deleted &&
	    (at_end || sctx->cmp_key->objectid != sctx->cur_ino)) {
		ret = send_inode_changes(sctx);
		if (!ret)
			ret = settle_inode(sctx);
	}
	return ret ? ret : send_trim_dir_utimes_cache(sctx);
}

/* ---- inode items ---- */

static void take_inode(struct send_ctx *sctx, const struct btrfs_path *path, bool is_new,
		       bool deleted)
{
	const struct extent_buffer *leaf = path->nodes[0];
	const struct btrfs_inode_item *ii =
		btrfs_item_ptr(leaf, path->slots[0], struct btrfs_inode_item);

	sctx->cur_inode_gen = btrfs_inode_generation(leaf, ii);
	sctx->cur_inode_size = btrfs_inode_size(leaf, ii);
	sctx->cur_inode_mode = btrfs_inode_mode(leaf, ii);
	sctx->cur_inode_rdev = btrfs_inode_rdev(leaf, ii);
	sctx->cur_inode_flags = btrfs_inode_flags(leaf, ii);
	sctx->cur_inode_new = is_new;
	sctx->cur_inode_deleted = deleted;
}

static u32 inode_nlink(const struct btrfs_path *path)
{
	return btrfs_inode_nlink(path->nodes[0], btrfs_item_ptr(path->nodes[0], path->slots[0],
								struct btrfs_inode_item));
}

static u64 inode_gen(const struct btrfs_path *path)
{
	return btrfs_inode_generation(path->nodes[0],
				      btrfs_item_ptr(path->nodes[0], path->slots[0],
						     struct btrfs_inode_item));
}

/* A directory may have been made already, for a child with a lower number. */
static int create_inode_if_needed(struct send_ctx *sctx)
{
	if (S_ISDIR(sctx->cur_inode_mode) &&
	    u64_map_lookup(&sctx->dirs_created_early, sctx->cur_ino, NULL)) {
		u64_map_remove(&sctx->dirs_created_early, sctx->cur_ino);
		return 0;
	}
	return send_cmd_create_inode(sctx, sctx->cur_ino);
}

static int new_inode(struct send_ctx *sctx)
{
	/* Unlinked, but still open when the snapshot was made. */
	if (inode_nlink(sctx->left_path) == 0) {
		sctx->ignore_cur_inode = true;
		return 0;
	}
	take_inode(sctx, sctx->left_path, true, false);
	return sctx->cur_ino == BTRFS_FIRST_FREE_OBJECTID ? 0 : create_inode_if_needed(sctx);
}

/* The number was given to another inode: the old one goes, the new one comes, whole. */
static int reused_inode(struct send_ctx *sctx, bool had_links, bool has_links)
{
	int ret = 0;

	sctx->cur_inode_new_gen = true;
	if (had_links) {
		take_inode(sctx, sctx->right_path, false, true);
		ret = send_process_all_refs(sctx, true);
	}
	if (ret || !has_links)
		return ret;
	take_inode(sctx, sctx->left_path, true, false);
	ret = create_inode_if_needed(sctx);
	if (!ret)
		ret = send_process_all_refs(sctx, false);
	if (ret)
		return ret;
	sctx->send_progress = sctx->cur_ino + 1;
	ret = send_process_all_extents(sctx);
	return ret ? ret : send_process_all_new_xattrs(sctx);
}

static int changed_inode_item(struct send_ctx *sctx)
{
	bool had_links = inode_nlink(sctx->right_path) > 0;
	bool has_links = inode_nlink(sctx->left_path) > 0;

	if (!had_links && !has_links) {
		sctx->ignore_cur_inode = true;
		return 0;
	}
	/* The top directory is never made anew, whatever its generation says. */
	if (had_links != has_links || (inode_gen(sctx->left_path) != inode_gen(sctx->right_path) &&
				       sctx->cur_ino != BTRFS_FIRST_FREE_OBJECTID))
		return reused_inode(sctx, had_links, has_links);
	take_inode(sctx, sctx->left_path, false, false);
	return 0;
}

static int changed_inode(struct send_ctx *sctx, enum tree_result result)
{
	sctx->cur_ino = sctx->cmp_key->objectid;
	sctx->cur_inode_new_gen = false;
	sctx->cur_inode_last_extent = (u64)-1;
	sctx->cur_inode_next_write_offset = 0;
	sctx->ignore_cur_inode = false;
	fs_path_reset(&sctx->cur_inode_path);
	/* Its own names still count as the old ones. */
	sctx->send_progress = sctx->cur_ino;
	switch (result) {
	case TREE_NEW:
		return new_inode(sctx);
	case TREE_DELETED:
		take_inode(sctx, sctx->right_path, false, true);
		return 0;
	default:
		return changed_inode_item(sctx);
	}
}

/* ---- other items ---- */

static int inconsistent(struct send_ctx *sctx, const char *what)
{
	error("cannot send subvolume %llu: it has %s of inode %llu without that inode",
	      btrfs_root_id(sctx->send_root), what, sctx->cmp_key->objectid);
	return -EIO;
}

static int changed_ref(struct send_ctx *sctx, enum tree_result result)
{
	int ret = 0;

	if (sctx->cur_ino != sctx->cmp_key->objectid)
		return inconsistent(sctx, "references");
	if (sctx->cur_inode_new_gen || sctx->cur_ino == BTRFS_FIRST_FREE_OBJECTID)
		return 0;
	if (result != TREE_DELETED)
		ret = send_iterate_inode_ref(sctx, sctx->left_path, sctx->cmp_key,
					     send_record_new_ref);
	if (!ret && result != TREE_NEW)
		ret = send_iterate_inode_ref(sctx, sctx->right_path, sctx->cmp_key,
					     send_record_deleted_ref);
	return ret;
}

static int changed_xattr(struct send_ctx *sctx, enum tree_result result)
{
	if (sctx->cur_ino != sctx->cmp_key->objectid)
		return inconsistent(sctx, "xattrs");
	if (sctx->cur_inode_new_gen || sctx->cur_inode_deleted)
		return 0;
	switch (result) {
	case TREE_NEW:
		return send_process_new_xattr(sctx);
	case TREE_DELETED:
		return send_process_deleted_xattr(sctx);
	default:
		return send_process_changed_xattr(sctx);
	}
}

static int changed_extent(struct send_ctx *sctx, enum tree_result result)
{
	/*
	 * Relocation and deduplication change extents and leave the inode alone.
	 * The data is the same then, and there is nothing to send.
	 */
	if (sctx->cur_ino != sctx->cmp_key->objectid || sctx->cur_inode_new_gen ||
	    sctx->cur_inode_deleted || result == TREE_DELETED)
		return 0;
	return send_process_extent(sctx, sctx->left_path, sctx->cmp_key);
}

/* Was the directory @dir made anew?  Then equal references to it are not the same. */
static int dir_changed(struct send_ctx *sctx, u64 dir)
{
	u64 new_gen, old_gen;
	int ret = send_get_inode_gen(sctx, sctx->send_root, dir, &new_gen);

	if (!ret)
		ret = send_get_inode_gen(sctx, sctx->parent_root, dir, &old_gen);
	return ret ? ret : new_gen != old_gen;
}

static int check_ref_dir(struct send_ctx *sctx, u64 dir, const char *name __unused,
			 u32 len __unused)
{
	return dir_changed(sctx, dir);
}

/* An item that is the same in both trees.  1: treat it as changed nevertheless. */
static int same_item(struct send_ctx *sctx, struct btrfs_path *left_path,
		     const struct btrfs_key *key)
{
	switch (key->type) {
	case BTRFS_INODE_REF_KEY:
		return dir_changed(sctx, key->offset);
	case BTRFS_INODE_EXTREF_KEY:
		return send_iterate_inode_ref(sctx, left_path, key, check_ref_dir);
	case BTRFS_EXTENT_DATA_KEY:
		return send_maybe_hole(sctx, left_path, key);
	default:
		return 0;
	}
}

/* One key of one or both trees. */
static int process_item(struct send_ctx *sctx, struct btrfs_path *left_path,
			struct btrfs_path *right_path, const struct btrfs_key *key,
			enum tree_result result)
{
	int ret;

	if (result == TREE_SAME) {
		ret = same_item(sctx, left_path, key);
		if (ret <= 0)
			return ret;
		result = TREE_CHANGED;
	}
	sctx->left_path = left_path;
	sctx->right_path = right_path;
	sctx->cmp_key = key;
	ret = finish_inode_if_needed(sctx, false);
	if (ret)
		return ret;
	/* Left by old kernels, and no files. */
	if (key->objectid == BTRFS_FREE_INO_OBJECTID || key->objectid == BTRFS_FREE_SPACE_OBJECTID)
		return 0;
	if (key->type == BTRFS_INODE_ITEM_KEY)
		return changed_inode(sctx, result);
	if (sctx->ignore_cur_inode)
		return 0;
	switch (key->type) {
	case BTRFS_INODE_REF_KEY:
	case BTRFS_INODE_EXTREF_KEY:
		return changed_ref(sctx, result);
	case BTRFS_XATTR_ITEM_KEY:
		return changed_xattr(sctx, result);
	case BTRFS_EXTENT_DATA_KEY:
		return changed_extent(sctx, result);
	default:
		return 0;
	}
}

/* ---- walks ---- */

static int full_send_tree(struct send_ctx *sctx)
{
	struct btrfs_key key = { BTRFS_FIRST_FREE_OBJECTID, BTRFS_INODE_ITEM_KEY, 0 };
	struct btrfs_path path = { .reada = READA_FORWARD };
	int ret;

	for (ret = btrfs_search_slot_for_read(sctx->send_root, &key, &path, false); ret == 0;
	     ret = btrfs_next_item(sctx->send_root, &path)) {
		btrfs_item_key_to_cpu(path.nodes[0], &key, path.slots[0]);
		ret = process_item(sctx, &path, NULL, &key, TREE_NEW);
		if (ret)
			break;
	}
	if (ret >= 0)
		ret = finish_inode_if_needed(sctx, true);
	btrfs_release_path(&path);
	return ret;
}

/* One of the two trees of a comparison. */
struct tree_cursor {
	struct btrfs_root *root;
	struct btrfs_path path;
	struct btrfs_key key;		/* of the item or pointer that it stands on */
	int level;			/* where it stands */
	bool at_end;
	bool advance;
	bool may_descend;
};

static void cursor_read_key(struct tree_cursor *cursor)
{
	struct extent_buffer *eb = cursor->path.nodes[cursor->level];

	if (cursor->level)
		btrfs_node_key_to_cpu(eb, &cursor->key, cursor->path.slots[cursor->level]);
	else
		btrfs_item_key_to_cpu(eb, &cursor->key, cursor->path.slots[0]);
}

static void cursor_init(struct tree_cursor *cursor, struct btrfs_root *root)
{
	*cursor = (struct tree_cursor){ .root = root, .level = root->node->level };
	cursor->path.nodes[cursor->level] = extent_buffer_get(root->node);
	cursor->at_end = root->node->nritems == 0;
	if (!cursor->at_end)
		cursor_read_key(cursor);
}

static int cursor_descend(struct tree_cursor *cursor)
{
	struct btrfs_path *path = &cursor->path;
	int ret = btrfs_read_node_slot(path->nodes[cursor->level], path->slots[cursor->level],
				       btrfs_root_id(cursor->root), &path->nodes[cursor->level - 1]);

	if (ret)
		return ret;
	cursor->level--;
	path->slots[cursor->level] = 0;
	return 0;
}

/* To the next slot, going up while there is none. */
static void cursor_next(struct tree_cursor *cursor)
{
	struct btrfs_path *path = &cursor->path;

	while (path->slots[cursor->level] + 1 >= path->nodes[cursor->level]->nritems) {
		if (cursor->level == cursor->root->node->level) {
			cursor->at_end = true;
			return;
		}
		free_extent_buffer(path->nodes[cursor->level]);
		path->nodes[cursor->level] = NULL;
		path->slots[cursor->level] = 0;
		cursor->level++;
	}
	path->slots[cursor->level]++;
}

static int cursor_step(struct tree_cursor *cursor)
{
	struct btrfs_key last = cursor->key;
	int ret;

	if (!cursor->advance || cursor->at_end)
		return 0;
	cursor->advance = false;
	if (cursor->level && cursor->may_descend) {
		ret = cursor_descend(cursor);
		if (ret)
			return ret;
		cursor_read_key(cursor);
		return 0;
	}
	cursor_next(cursor);
	if (cursor->at_end)
		return 0;
	cursor_read_key(cursor);
	if (btrfs_comp_cpu_keys(&last, &cursor->key) >= 0) {
		error("tree block at %llu: keys of subvolume %llu are not in order",
		      cursor->path.nodes[cursor->level]->start, btrfs_root_id(cursor->root));
		return -EUCLEAN;
	}
	return 0;
}

static void cursor_go(struct tree_cursor *cursor, bool may_descend)
{
	cursor->advance = true;
	cursor->may_descend = may_descend;
}

static bool same_item_data(const struct tree_cursor *left, const struct tree_cursor *right)
{
	u32 size = btrfs_item_size(left->path.nodes[0], left->path.slots[0]);

	return size == btrfs_item_size(right->path.nodes[0], right->path.slots[0]) &&
	       !memcmp(btrfs_item_data(left->path.nodes[0], left->path.slots[0]),
		       btrfs_item_data(right->path.nodes[0], right->path.slots[0]), size);
}

static bool same_block(const struct tree_cursor *left, const struct tree_cursor *right)
{
	const struct extent_buffer *a = left->path.nodes[left->level];
	const struct extent_buffer *b = right->path.nodes[right->level];
	u32 slot_a = left->path.slots[left->level], slot_b = right->path.slots[right->level];

	return btrfs_node_blockptr(a, slot_a) == btrfs_node_blockptr(b, slot_b) &&
	       btrfs_node_ptr_generation(a, slot_a) == btrfs_node_ptr_generation(b, slot_b);
}

/* Both cursors stand on items. */
static int compare_items(struct send_ctx *sctx, struct tree_cursor *left,
			 struct tree_cursor *right)
{
	int cmp = btrfs_comp_cpu_keys(&left->key, &right->key);

	if (cmp <= 0)
		cursor_go(left, true);
	if (cmp >= 0)
		cursor_go(right, true);
	if (cmp < 0)
		return process_item(sctx, &left->path, &right->path, &left->key, TREE_NEW);
	if (cmp > 0)
		return process_item(sctx, &left->path, &right->path, &right->key, TREE_DELETED);
	return process_item(sctx, &left->path, &right->path, &left->key,
			    same_item_data(left, right) ? TREE_SAME : TREE_CHANGED);
}

/* Both stand on pointers of the same level: what they share is left out unread. */
static void compare_pointers(struct tree_cursor *left, struct tree_cursor *right)
{
	int cmp = btrfs_comp_cpu_keys(&left->key, &right->key);
	bool shared = cmp == 0 && same_block(left, right);

	if (cmp <= 0)
		cursor_go(left, !shared);
	if (cmp >= 0)
		cursor_go(right, !shared);
}

/* One tree is through: the rest of @cursor is on one side only. */
static int take_rest(struct send_ctx *sctx, struct tree_cursor *left, struct tree_cursor *right,
		     struct tree_cursor *cursor, enum tree_result result)
{
	cursor_go(cursor, true);
	if (cursor->level)
		return 0;
	return process_item(sctx, &left->path, &right->path, &cursor->key, result);
}

static int compare_step(struct send_ctx *sctx, struct tree_cursor *left, struct tree_cursor *right)
{
	if (left->at_end)
		return take_rest(sctx, left, right, right, TREE_DELETED);
	if (right->at_end)
		return take_rest(sctx, left, right, left, TREE_NEW);
	if (left->level == 0 && right->level == 0)
		return compare_items(sctx, left, right);
	if (left->level == right->level)
		compare_pointers(left, right);
	else
		cursor_go(left->level < right->level ? right : left, true);
	return 0;
}

static int compare_trees(struct send_ctx *sctx)
{
	struct tree_cursor left, right;
	int ret = 0;

	cursor_init(&left, sctx->send_root);
	cursor_init(&right, sctx->parent_root);
	while (!ret) {
		ret = cursor_step(&left);
		if (!ret)
			ret = cursor_step(&right);
		if (ret || (left.at_end && right.at_end))
			break;
		ret = compare_step(sctx, &left, &right);
	}
	if (!ret)
		ret = finish_inode_if_needed(sctx, true);
	btrfs_release_path(&left.path);
	btrfs_release_path(&right.path);
	return ret;
}

/* ---- set-up ---- */

static int send_header(struct send_ctx *sctx)
{
	struct btrfs_stream_header header = { .magic = BTRFS_SEND_STREAM_MAGIC };

	if (sctx->flags & BTRFS_SEND_FLAG_OMIT_STREAM_HEADER)
		return 0;
	header.version = htole32(sctx->proto);
	return send_output_raw(sctx->out, &header, sizeof(header));
}

static int send_end(struct send_ctx *sctx)
{
	int ret;

	if (sctx->flags & BTRFS_SEND_FLAG_OMIT_END_CMD)
		return 0;
	ret = send_cmd_begin(sctx->out, BTRFS_SEND_C_END);
	return ret ? ret : send_cmd_end(sctx->out);
}

static int send_subvol(struct send_ctx *sctx)
{
	int ret = send_header(sctx);

	if (!ret)
		ret = send_cmd_subvol(sctx);
	if (!ret)
		ret = sctx->parent_root ? compare_trees(sctx) : full_send_tree(sctx);
	if (!ret)
		ret = send_flush_dir_utimes_cache(sctx);
	if (!ret)
		ret = send_end(sctx);
	return ret ? ret : send_output_finish(sctx->out);
}

static int cmp_clone_root(const void *a, const void *b)
{
	u64 x = btrfs_root_id(((const struct clone_root *)a)->root);
	u64 y = btrfs_root_id(((const struct clone_root *)b)->root);

	return x < y ? -1 : x > y;
}

static int init_clone_roots(struct send_ctx *sctx, const struct btrfs_send_args *args)
{
	sctx->clone_roots = calloc((size_t)args->nr_clone_sources + 1, sizeof(*sctx->clone_roots));
	if (!sctx->clone_roots)
		return -ENOMEM;
	for (u32 i = 0; i < args->nr_clone_sources; i++)
		sctx->clone_roots[sctx->nr_clone_roots++].root = args->clone_sources[i];
	sctx->clone_roots[sctx->nr_clone_roots++].root = sctx->send_root;
	qsort(sctx->clone_roots, sctx->nr_clone_roots, sizeof(*sctx->clone_roots), cmp_clone_root);
	return 0;
}

static int init_damage(struct send_ctx *sctx, const struct btrfs_send_args *args)
{
	sctx->skip_damaged = args->skip_damaged;
	if (!args->skip_damaged || !args->write)
		return 0;
	*args->left_out = (struct btrfs_send_left_out){ 0 };
	sctx->damage = send_damage_create(args->root, args->proto, args->left_out);
	if (!sctx->damage)
		return -ENOMEM;
	send_output_skip_damaged(sctx->out, sctx->damage);
	return 0;
}

static int init_ctx(struct send_ctx *sctx, struct btrfs_fs_info *fs_info,
		    const struct btrfs_send_args *args, u64 max_bytes)
{
	int ret;

	sctx->fs_info = fs_info;
	sctx->send_root = args->root;
	sctx->parent_root = args->parent;
	sctx->subvol_name = args->name;
	sctx->flags = args->flags;
	sctx->proto = args->proto;
	sctx->root_dir_has_orphan_names = -1;
	INIT_LIST_HEAD(&sctx->new_refs);
	INIT_LIST_HEAD(&sctx->deleted_refs);
	lru_cache_init(&sctx->name_cache, SEND_MAX_NAME_CACHE_SIZE);
	lru_cache_init(&sctx->backref_cache, SEND_MAX_BACKREF_CACHE_SIZE);
	lru_cache_init(&sctx->dir_utimes_cache, 0);
	u64_map_init(&sctx->dirs_created_early);
	ret = send_lookup_init(sctx);
	if (!ret)
		ret = init_clone_roots(sctx, args);
	if (ret)
		return ret;
	sctx->decompressor = btrfs_decompressor_create();
	if (!sctx->decompressor)
		return -ENOMEM;
	ret = send_output_create(fs_info, args->proto, args->write, args->write_ctx, max_bytes,
				 &sctx->out);
	if (ret)
		return ret;
	send_output_set_progress(sctx->out, args->progress);
	return init_damage(sctx, args);
}

static void free_ctx(struct send_ctx *sctx)
{
	/* First of all the workers: they may still be reading. */
	send_output_destroy(sctx->out);
	send_damage_free(sctx->damage);
	send_free_recorded_refs(&sctx->new_refs);
	send_free_recorded_refs(&sctx->deleted_refs);
	send_free_dir_moves(sctx);
	lru_cache_release(&sctx->name_cache);
	lru_cache_release(&sctx->backref_cache);
	lru_cache_release(&sctx->dir_utimes_cache);
	u64_map_free(&sctx->dirs_created_early);
	btrfs_release_path(&sctx->extent_path);
	btrfs_decompressor_free(sctx->decompressor);
	send_lookup_release(sctx);
	free(sctx->clone_roots);
	free(sctx);
}

/* What is wrong with the tree was said where it was found; what is too large was not. */
static void report_limit(struct send_ctx *sctx, int err)
{
	if (err == -ENAMETOOLONG)
		error("cannot send inode %llu of subvolume %llu: its path is longer than %u bytes",
		      sctx->cur_ino, btrfs_root_id(sctx->send_root), PATH_MAX - 1);
	else if (err == -EOVERFLOW)
		error("cannot send inode %llu of subvolume %llu: an attribute does not fit into a command",
		      sctx->cur_ino, btrfs_root_id(sctx->send_root));
	else if (err == -ENOENT || err == -ELOOP)
		error("cannot send inode %llu of subvolume %llu: its references are damaged",
		      sctx->cur_ino, btrfs_root_id(sctx->send_root));
}

/* Send or, where @args have nowhere to write to, count up to @max_bytes. */
static int run_send(struct btrfs_fs_info *fs_info, const struct btrfs_send_args *args,
		    u64 max_bytes, u64 *bytes)
{
	struct send_ctx *sctx;
	int ret = btrfs_send_begin(fs_info, 0);

	if (ret)
		return ret;
	sctx = calloc(1, sizeof(*sctx));
	if (!sctx) {
		btrfs_send_end(fs_info);
		return -ENOMEM;
	}
	ret = init_ctx(sctx, fs_info, args, max_bytes);
	if (!ret)
		ret = send_subvol(sctx);
	if (ret)
		report_limit(sctx, ret);
	else if (bytes)
		*bytes = send_output_count(sctx->out);
	free_ctx(sctx);
	btrfs_send_end(fs_info);
	return ret;
}

int btrfs_send(struct btrfs_fs_info *fs_info, const struct btrfs_send_args *args)
{
	return run_send(fs_info, args, 0, NULL);
}

int btrfs_send_estimate_up_to(struct btrfs_fs_info *fs_info, const struct btrfs_send_args *args,
			      u64 max_bytes, u64 *bytes)
{
	struct btrfs_send_args counting = *args;

	counting.write = NULL;
	return run_send(fs_info, &counting, max_bytes, bytes);
}

int btrfs_send_estimate(struct btrfs_fs_info *fs_info, const struct btrfs_send_args *args,
			u64 *bytes)
{
	return btrfs_send_estimate_up_to(fs_info, args, (u64)-1, bytes);
}
