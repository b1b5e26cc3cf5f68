// SPDX-License-Identifier: GPL-2.0-only
/*
 * Transactions: the map of dirty blocks, the commit and giving up.
 *
 * A commit is a loop that ends.  Updating root items changes the root tree;
 * that, like all changes, allocates and frees blocks, which changes extent tree,
 * block group items and free space tree, whose roots may then have new addresses.
 * But a block is copied once in a transaction, so every round leaves less to do.
 */
#include "kernel-shared/transaction.h"

#include <errno.h>
#include <stdlib.h>

#include "common/message.h"
#include "common/units.h"
#include "kernel-shared/accessors-set.h"
#include "kernel-shared/block-cache.h"
#include "kernel-shared/block-group.h"
#include "kernel-shared/ctree.h"
#include "kernel-shared/delayed-ref.h"
#include "kernel-shared/disk-io-write.h"
#include "kernel-shared/root-tree.h"
#include "kernel-shared/super-write.h"

#define DEFAULT_DIRTY_LIMIT	(64ULL * SZ_1M)

/* ---- handles ---- */

static struct btrfs_transaction *new_transaction(struct btrfs_fs_info *fs_info)
{
	struct btrfs_transaction *transaction = calloc(1, sizeof(*transaction));

	if (!transaction)
		return NULL;
	transaction->fs_info = fs_info;
	transaction->transid = fs_info->generation + 1;
	u64_map_init(&transaction->dirty_blocks);
	vec_init(&transaction->dirty_roots, sizeof(struct btrfs_root *));
	vec_init(&transaction->dropped_roots, sizeof(struct btrfs_root *));
	return transaction;
}

int btrfs_start_transaction(struct btrfs_fs_info *fs_info, struct btrfs_trans_handle **ret)
{
	struct btrfs_trans_handle *trans;

	if (!fs_info->writable || fs_info->aborted)
		return -EROFS;
	trans = calloc(1, sizeof(*trans));
	if (!trans)
		return -ENOMEM;
	if (!fs_info->running_transaction) {
		fs_info->running_transaction = new_transaction(fs_info);
		if (!fs_info->running_transaction) {
			free(trans);
			return -ENOMEM;
		}
		fs_info->generation++;
	}
	trans->fs_info = fs_info;
	trans->transaction = fs_info->running_transaction;
	trans->transid = trans->transaction->transid;
	trans->transaction->num_handles++;
	*ret = trans;
	return 0;
}

void btrfs_abort_transaction_at(struct btrfs_trans_handle *trans, int err, const char *function,
				int line)
{
	struct btrfs_transaction *transaction = trans->transaction;

	if (transaction->aborted)
		return;
	transaction->aborted = err;
	trans->fs_info->aborted = err;
	error("%s: transaction %llu is given up, nothing of it is kept: %s (%s:%d)",
	      trans->fs_info->name, trans->transid, errno_text(err), function, line);
}

static void free_handle(struct btrfs_trans_handle *trans)
{
	trans->transaction->num_handles--;
	free(trans);
}

int btrfs_end_transaction(struct btrfs_trans_handle *trans)
{
	int ret = trans->transaction->aborted;

	if (!ret && trans->transaction->num_handles == 1)
		ret = btrfs_btree_balance_dirty(trans);
	free_handle(trans);
	return ret;
}

/* ---- dirty blocks ---- */

static void set_new_header(struct extent_buffer *eb, u64 transid, u64 root_id, u8 level)
{
	const struct btrfs_fs_info *fs_info = eb->fs_info;
	struct btrfs_header *header = btrfs_header_mut(eb);

	btrfs_set_header_bytenr(eb, eb->start);
	btrfs_set_header_generation(eb, transid);
	btrfs_set_header_owner(eb, root_id);
	btrfs_set_header_level(eb, level);
	btrfs_set_header_nritems(eb, 0);
	btrfs_set_header_backref_rev(eb, BTRFS_MIXED_BACKREF_REV);
	memcpy(header->fsid, fs_info->metadata_uuid, BTRFS_FSID_SIZE);
	memcpy(header->chunk_tree_uuid, fs_info->chunk_tree_uuid, BTRFS_UUID_SIZE);
}

int btrfs_init_new_buffer(struct btrfs_trans_handle *trans, u64 bytenr, u64 root_id, u8 level,
			  struct extent_buffer **ret_eb)
{
	struct btrfs_transaction *transaction = trans->transaction;
	struct btrfs_fs_info *fs_info = trans->fs_info;
	struct extent_buffer *eb;
	int ret;

	block_cache_forget(fs_info->cache, bytenr);
	eb = block_cache_alloc(fs_info->cache, fs_info, bytenr);
	if (!eb)
		return -ENOMEM;
	ret = u64_map_insert(&transaction->dirty_blocks, bytenr, eb);
	if (ret) {
		if (ret == -EEXIST) {
			error("%s: the tree block at %llu has been allocated twice", fs_info->name,
			      bytenr);
			ret = -EUCLEAN;
		}
		free_extent_buffer(eb);
		return ret;
	}
	transaction->dirty_bytes += eb->len;
	set_new_header(eb, trans->transid, root_id, level);
	*ret_eb = extent_buffer_get(eb);
	return 0;
}

void btrfs_clear_buffer_dirty(struct btrfs_trans_handle *trans, struct extent_buffer *eb)
{
	struct btrfs_transaction *transaction = trans->transaction;

	if (u64_map_find(&transaction->dirty_blocks, eb->start) != eb)
		return;
	u64_map_remove(&transaction->dirty_blocks, eb->start);
	transaction->dirty_bytes -= eb->len;
	free_extent_buffer(eb);
}

struct extent_buffer *btrfs_find_dirty_block(struct btrfs_transaction *transaction, u64 bytenr)
{
	struct extent_buffer *eb = u64_map_find(&transaction->dirty_blocks, bytenr);

	return eb ? extent_buffer_get(eb) : NULL;
}

static u64 dirty_limit(void)
{
	const char *env = getenv("BTRFS_DIRTY_LIMIT");
	u64 bytes;

	return env && parse_size(env, &bytes) == 0 ? bytes : DEFAULT_DIRTY_LIMIT;
}

int btrfs_btree_balance_dirty(struct btrfs_trans_handle *trans)
{
	struct btrfs_transaction *transaction = trans->transaction;
	u64 limit = dirty_limit();
	int ret = transaction->aborted;

	if (ret || transaction->dirty_bytes <= limit)
		return ret;
	/* Nodes are few and change often: they go only if leaves alone do not make room. */
	ret = btrfs_write_dirty_blocks(transaction, 0);
	if (!ret && transaction->dirty_bytes > limit / 2)
		ret = btrfs_write_dirty_blocks(transaction, BTRFS_MAX_LEVEL);
	if (ret)
		btrfs_abort_transaction(trans, ret);
	return ret;
}

/* ---- roots ---- */

int btrfs_add_dirty_root(struct btrfs_trans_handle *trans, struct btrfs_root *root)
{
	if (root->dirty)
		return 0;
	if (vec_push_copy(&trans->transaction->dirty_roots, &root))
		return -ENOMEM;
	root->dirty = true;
	return 0;
}

void btrfs_forget_dirty_root(struct btrfs_trans_handle *trans, struct btrfs_root *root)
{
	struct vec *roots = &trans->transaction->dirty_roots;

	for (size_t i = 0; root->dirty && i < roots->nr; i++) {
		if (*(struct btrfs_root **)vec_at(roots, i) == root) {
			vec_remove(roots, i);
			root->dirty = false;
		}
	}
}

int btrfs_add_dropped_root(struct btrfs_trans_handle *trans, struct btrfs_root *root)
{
	return vec_push_copy(&trans->transaction->dropped_roots, &root);
}

/* The superblock points to these two; they have no root item. */
static bool has_root_item(const struct btrfs_root *root)
{
	return btrfs_root_id(root) != BTRFS_ROOT_TREE_OBJECTID &&
	       btrfs_root_id(root) != BTRFS_CHUNK_TREE_OBJECTID;
}

static int update_dirty_roots(struct btrfs_trans_handle *trans)
{
	struct vec *roots = &trans->transaction->dirty_roots;
	int ret = 0;

	/* An update may dirty others, or the same tree once more. */
	while (!ret && roots->nr) {
		struct btrfs_root *root = *(struct btrfs_root **)vec_last(roots);

		vec_pop(roots);
		root->dirty = false;
		if (!has_root_item(root))
			continue;
		btrfs_set_root_node(&root->root_item, root->node);
		ret = btrfs_update_root(trans, &root->root_key, &root->root_item);
	}
	return ret;
}

/* ---- commit ---- */

static int cow_tree_root(struct btrfs_trans_handle *trans)
{
	struct btrfs_root *root = trans->fs_info->tree_root;
	struct extent_buffer *cow;
	int ret = btrfs_cow_block(trans, root, root->node, NULL, 0, &cow);

	if (!ret)
		free_extent_buffer(cow);
	return ret;
}

/* Until no tree changes any more. */
static int settle_trees(struct btrfs_trans_handle *trans)
{
	const struct btrfs_fs_info *fs_info = trans->fs_info;
	int ret;

	/* The root tree's generation is that of the file system, changed or not. */
	ret = cow_tree_root(trans);
	while (!ret && (trans->transaction->dirty_roots.nr || btrfs_has_delayed_refs(fs_info) ||
			btrfs_has_dirty_block_groups(fs_info))) {
		ret = btrfs_run_delayed_refs(trans, (u64)-1);
		if (!ret)
			ret = update_dirty_roots(trans);
		if (!ret)
			ret = btrfs_run_delayed_refs(trans, (u64)-1);
		if (!ret)
			ret = btrfs_write_dirty_block_groups(trans);
	}
	return ret;
}

static void set_super(struct btrfs_fs_info *fs_info)
{
	struct btrfs_super_block *sb = &fs_info->super_copy;

	sb->generation = htole64(fs_info->generation);
	sb->root = htole64(fs_info->tree_root->node->start);
	sb->root_level = fs_info->tree_root->node->level;
	sb->chunk_root = htole64(fs_info->chunk_root->node->start);
	sb->chunk_root_level = fs_info->chunk_root->node->level;
	sb->chunk_root_generation = htole64(fs_info->chunk_root->node->generation);
	if (fs_info->uuid_tree_current)
		sb->uuid_tree_generation = htole64(fs_info->generation);
	/*
	 * cache_generation stays behind on purpose: that is how the kernel
	 * learns that free space caches (v1) are out of date.
	 */
	btrfs_backup_super_roots(fs_info);
}

static void clear_force_cow(struct btrfs_fs_info *fs_info)
{
	size_t pos = 0;
	void *value;
	u64 id;

	while (u64_map_next(&fs_info->fs_roots, &pos, &id, &value))
		((struct btrfs_root *)value)->force_cow = false;
}

static void free_transaction(struct btrfs_fs_info *fs_info)
{
	struct btrfs_transaction *transaction = fs_info->running_transaction;
	struct btrfs_root **root;
	size_t pos = 0;
	void *value;
	u64 bytenr;

	while (u64_map_next(&transaction->dirty_blocks, &pos, &bytenr, &value))
		free_extent_buffer(value);
	u64_map_free(&transaction->dirty_blocks);
	vec_for_each(&transaction->dropped_roots, root)
		btrfs_free_root(*root);
	vec_free(&transaction->dropped_roots);
	vec_free(&transaction->dirty_roots);
	free(transaction);
	fs_info->running_transaction = NULL;
}

static int commit_steps(struct btrfs_trans_handle *trans)
{
	struct btrfs_super_block *old = malloc(sizeof(*old));
	struct btrfs_fs_info *fs_info = trans->fs_info;
	int ret = trans->transaction->aborted;

	if (!old)
		return -ENOMEM;
	if (!ret)
		ret = settle_trees(trans);
	if (!ret)
		ret = btrfs_write_dirty_blocks(trans->transaction, BTRFS_MAX_LEVEL);
	/* Somebody may have aborted and not passed it up. */
	if (!ret)
		ret = trans->transaction->aborted;
	if (!ret) {
		*old = fs_info->super_copy;
		set_super(fs_info);
		ret = btrfs_write_supers(fs_info);
		if (ret)
			fs_info->super_copy = *old;
	}
	free(old);
	return ret;
}

int btrfs_commit_transaction(struct btrfs_trans_handle *trans)
{
	struct btrfs_fs_info *fs_info = trans->fs_info;
	int ret;

	trans->transaction->committing = true;
	ret = trans->transaction->num_handles == 1 ? commit_steps(trans) : -EBUSY;
	if (ret)
		btrfs_abort_transaction(trans, ret);
	free_handle(trans);
	if (ret)
		return ret;
	free_transaction(fs_info);
	clear_force_cow(fs_info);
	btrfs_finish_extent_commit(fs_info);
	return 0;
}

void btrfs_end_writing(struct btrfs_fs_info *fs_info)
{
	if (fs_info->running_transaction)
		free_transaction(fs_info);
	btrfs_destroy_delayed_refs(fs_info);
	btrfs_free_block_groups(fs_info);
}
