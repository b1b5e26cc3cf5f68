// SPDX-License-Identifier: GPL-2.0-only
/*
 * Finding where the receiver already has an extent, so that it can be cloned
 * instead of sent again.
 *
 * Of all the places that share the extent those count that the receiver has by
 * now: in a clone source, or in the sent subvolume itself before the place in
 * hand.  The candidate with the most bytes wins, the first of equals.
 */
#include <stdlib.h>

#include "kernel-shared/backref.h"
#include "kernel-shared/send-internal.h"

/* Beyond this many references finding the best one costs more than it saves. */
#define SEND_MAX_EXTENT_REFS		1024
/* A leaf that more clone roots than this lead to is not remembered. */
#define SEND_MAX_BACKREF_CACHE_ROOTS	17

struct backref_cache_entry {
	struct lru_entry entry;		/* by address of the leaf */
	u32 nr;
	u64 roots[SEND_MAX_BACKREF_CACHE_ROOTS];
};

struct backref_ctx {
	struct send_ctx *sctx;
	u64 bytenr;
	u64 cur_ino;
	u64 cur_offset;
	u64 extent_len;			/* of what is wanted, cut at the end of the file */
	/* How the reference in hand is recorded in the extent tree. */
	u64 backref_owner;
	u64 backref_offset;
	bool found;
};

static struct clone_root *find_clone_root(struct send_ctx *sctx, u64 root_id)
{
	u32 low = 0, high = sctx->nr_clone_roots;

	while (low < high) {
		u32 mid = low + (high - low) / 2;
		u64 id = btrfs_root_id(sctx->clone_roots[mid].root);

		if (id == root_id)
			return &sctx->clone_roots[mid];
		if (id < root_id)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

/* Is this place in the sent subvolume at the receiver already? */
static bool was_sent(const struct backref_ctx *bctx, u64 ino, u64 offset)
{
	if (ino != bctx->cur_ino)
		return ino < bctx->cur_ino;
	return offset + bctx->extent_len <= bctx->sctx->cur_inode_next_write_offset;
}

static int iterate_backrefs(u64 ino, u64 offset, u64 num_bytes, u64 root_id, void *ctx)
{
	struct backref_ctx *bctx = ctx;
	struct clone_root *clone_root = find_clone_root(bctx->sctx, root_id);

	if (!clone_root)
		return 0;
	if (clone_root->root == bctx->sctx->send_root &&
	    ((ino == bctx->cur_ino && offset == bctx->cur_offset) || !was_sent(bctx, ino, offset)))
		return 0;
	bctx->found = true;
	clone_root->found_ref = true;
	if (num_bytes <= clone_root->num_bytes)
		return 0;
	clone_root->ino = ino;
	clone_root->offset = offset;
	clone_root->num_bytes = num_bytes;
	return num_bytes >= bctx->extent_len ? BTRFS_ITERATE_EXTENT_INODES_STOP : 0;
}

static int check_extent_item(u64 bytenr, u64 refs, void *ctx)
{
	const struct backref_ctx *bctx = ctx;

	/* Ours is the only reference, and nobody else's would do. */
	if (bytenr == bctx->bytenr && refs == 1 && bctx->sctx->nr_clone_roots == 1)
		return -ENOENT;
	return refs > SEND_MAX_EXTENT_REFS ? -ENOENT : 0;
}

static bool skip_self_data_ref(u64 root, u64 ino, u64 offset, void *ctx)
{
	const struct backref_ctx *bctx = ctx;

	return ino == bctx->cur_ino && root == bctx->backref_owner &&
	       offset == bctx->backref_offset;
}

static bool lookup_backref_cache(u64 leaf, const u64 **roots, u32 *nr, void *ctx)
{
	struct backref_ctx *bctx = ctx;
	struct lru_entry *entry = lru_cache_lookup(&bctx->sctx->backref_cache, leaf, 0);
	struct backref_cache_entry *cached;

	if (!entry)
		return false;
	cached = container_of(entry, struct backref_cache_entry, entry);
	*roots = cached->roots;
	*nr = cached->nr;
	return true;
}

static void store_backref_cache(u64 leaf, const u64 *roots, u32 nr, void *ctx)
{
	struct backref_ctx *bctx = ctx;
	struct backref_cache_entry *cached = calloc(1, sizeof(*cached));

	if (!cached)	/* it only saves time */
		return;
	cached->entry.key = leaf;
	for (u32 i = 0; i < nr; i++) {
		if (!find_clone_root(bctx->sctx, roots[i]))
			continue;
		if (cached->nr == SEND_MAX_BACKREF_CACHE_ROOTS) {
			free(cached);
			return;
		}
		cached->roots[cached->nr++] = roots[i];
	}
	if (lru_cache_store(&bctx->sctx->backref_cache, &cached->entry))
		free(cached);
}

static void reset_clone_roots(struct send_ctx *sctx)
{
	for (u32 i = 0; i < sctx->nr_clone_roots; i++) {
		sctx->clone_roots[i].ino = (u64)-1;
		sctx->clone_roots[i].offset = 0;
		sctx->clone_roots[i].num_bytes = 0;
		sctx->clone_roots[i].found_ref = false;
	}
}

static struct clone_root *best_clone_root(struct send_ctx *sctx, u64 extent_len)
{
	struct clone_root *best = NULL;

	for (u32 i = 0; i < sctx->nr_clone_roots; i++) {
		struct clone_root *clone_root = &sctx->clone_roots[i];

		if (!clone_root->found_ref ||
		    (best && clone_root->num_bytes <= best->num_bytes))
			continue;
		best = clone_root;
		if (best->num_bytes >= extent_len)
			break;
	}
	return best;
}

int send_find_extent_clone(struct send_ctx *sctx, const struct btrfs_path *path, u64 ino,
			   u64 file_offset, struct clone_root **found)
{
	const struct extent_buffer *leaf = path->nodes[0];
	const struct btrfs_file_extent_item *fi =
		btrfs_item_ptr(leaf, path->slots[0], struct btrfs_file_extent_item);
	u64 ino_size = sctx->cur_inode_size;
	struct btrfs_backref_walk walk = {
		.fs_info = sctx->fs_info, .extent_path = &sctx->extent_path,
		.iterate = iterate_backrefs, .check_extent_item = check_extent_item,
		.cache_lookup = lookup_backref_cache, .cache_store = store_backref_cache,
	};
	struct backref_ctx bctx = { .sctx = sctx, .cur_ino = ino, .cur_offset = file_offset };
	u64 num_bytes;
	int ret;

	*found = NULL;
	/* Preallocated behind the end of the file: nothing of it is sent. */
	if (file_offset >= ino_size)
		return 0;
	if (btrfs_file_extent_type(leaf, fi) == BTRFS_FILE_EXTENT_INLINE ||
	    btrfs_file_extent_disk_bytenr(leaf, fi) == 0)
		return -ENOENT;
	num_bytes = btrfs_file_extent_num_bytes(leaf, fi);
	bctx.bytenr = btrfs_file_extent_disk_bytenr(leaf, fi);
	/* A leaf that snapshots share is recorded under its owner, not under who we send. */
	bctx.backref_owner = leaf->owner;
	bctx.backref_offset = file_offset - btrfs_file_extent_offset(leaf, fi);
	bctx.extent_len = file_offset + num_bytes >= ino_size ? ino_size - file_offset : num_bytes;
	walk.ctx = &bctx;
	walk.bytenr = bctx.bytenr;
	if (btrfs_file_extent_compression(leaf, fi) == BTRFS_COMPRESS_NONE)
		walk.extent_item_pos = btrfs_file_extent_offset(leaf, fi);
	if (sctx->nr_clone_roots == 1)
		walk.skip_data_ref = skip_self_data_ref;
	reset_clone_roots(sctx);
	ret = btrfs_iterate_extent_inodes(&walk);
	if (ret)
		return ret;
	*found = bctx.found ? best_clone_root(sctx, bctx.extent_len) : NULL;
	return *found ? 0 : -ENOENT;
}
