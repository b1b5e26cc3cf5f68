// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading tree blocks: mirrors, verification, read ahead, and the checksum
 * algorithms of the format.  The header says what callers may rely on.
 */
#include "kernel-shared/disk-io.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/hash.h"
#include "common/message.h"
#include "common/thread-pool.h"
#include "kernel-shared/block-cache.h"
#include "kernel-shared/transaction.h"
#include "kernel-shared/tree-checker.h"
#include "kernel-shared/volumes.h"

/* ---- checksums ---- */

static const struct {
	const char *name;
	u16 size;
} csum_types[] = {
	[BTRFS_CSUM_TYPE_CRC32] = { "crc32c", 4 },
	[BTRFS_CSUM_TYPE_XXHASH] = { "xxhash64", 8 },
	[BTRFS_CSUM_TYPE_SHA256] = { "sha256", 32 },
	[BTRFS_CSUM_TYPE_BLAKE2] = { "blake2", 32 },
};

u16 btrfs_csum_type_size(u16 csum_type)
{
	return csum_type < ARRAY_SIZE(csum_types) ? csum_types[csum_type].size : 0;
}

const char *btrfs_csum_type_name(u16 csum_type)
{
	return csum_type < ARRAY_SIZE(csum_types) ? csum_types[csum_type].name : "invalid";
}

void btrfs_csum_data(u16 csum_type, const void *data, size_t len, u8 *out)
{
	switch (csum_type) {
	case BTRFS_CSUM_TYPE_CRC32:
		put_unaligned_le32(~crc32c(~0U, data, len), out);
		break;
	case BTRFS_CSUM_TYPE_XXHASH:
		put_unaligned_le64(hash_xxhash64(data, len), out);
		break;
	case BTRFS_CSUM_TYPE_SHA256:
		hash_sha256(data, len, out);
		break;
	case BTRFS_CSUM_TYPE_BLAKE2:
		hash_blake2b(data, len, out);
		break;
	}
}

/* ---- verification ---- */

static bool fsid_known(const struct btrfs_fs_info *fs_info, const u8 *fsid)
{
	if (!memcmp(fsid, fs_info->metadata_uuid, BTRFS_FSID_SIZE))
		return true;
	/* Blocks of a seed carry the seed's. */
	for (unsigned int i = 0; fs_info->fs_devices && i < fs_info->fs_devices->nr_devices; i++)
		if (!memcmp(fsid, fs_info->fs_devices->devices[i]->fsid, BTRFS_FSID_SIZE))
			return true;
	return false;
}

/* Does the block stand for itself?  Fills the decoded header fields of @eb. */
static int verify_block(struct extent_buffer *eb, struct btrfs_check_report *report)
{
	const struct btrfs_header *header = btrfs_header(eb);
	struct btrfs_fs_info *fs_info = eb->fs_info;
	u8 csum[BTRFS_CSUM_SIZE];

	btrfs_csum_data(fs_info->csum_type, eb->data + BTRFS_CSUM_SIZE, eb->len - BTRFS_CSUM_SIZE,
			csum);
	if (memcmp(csum, header->csum, fs_info->csum_size)) {
		snprintf(report->text, sizeof(report->text), "checksum mismatch");
		return -EUCLEAN;
	}
	if (le64toh(header->bytenr) != eb->start) {
		snprintf(report->text, sizeof(report->text), "block says that it belongs to %llu",
			 (u64)le64toh(header->bytenr));
		return -EUCLEAN;
	}
	if (!fsid_known(fs_info, header->fsid)) {
		snprintf(report->text, sizeof(report->text), "block of another file system");
		return -EUCLEAN;
	}
	eb->level = header->level;
	eb->nritems = le32toh(header->nritems);
	eb->generation = le64toh(header->generation);
	eb->owner = le64toh(header->owner);
	if (eb->level >= BTRFS_MAX_LEVEL) {
		snprintf(report->text, sizeof(report->text), "level %u is too high", eb->level);
		return -EUCLEAN;
	}
	return eb->level ? btrfs_check_node(eb, report) : btrfs_check_leaf(eb, report);
}

static void first_key(const struct extent_buffer *eb, struct btrfs_key *key)
{
	if (eb->level)
		btrfs_node_key_to_cpu(eb, key, 0);
	else
		btrfs_item_key_to_cpu(eb, key, 0);
}

/* Is it the block that the parent points to? */
static int verify_parent_promise(const struct extent_buffer *eb,
				 const struct btrfs_tree_parent_check *check,
				 struct btrfs_check_report *report)
{
	struct btrfs_key key;

	if (!check->any_level && eb->level != check->level) {
		snprintf(report->text, sizeof(report->text), "level is %u, the parent says %u",
			 eb->level, check->level);
		return -EUCLEAN;
	}
	if (check->transid && eb->generation != check->transid) {
		snprintf(report->text, sizeof(report->text),
			 "generation is %llu, the parent says %llu", eb->generation,
			 check->transid);
		return -EUCLEAN;
	}
	if (check->has_first_key) {
		if (!eb->nritems) {
			snprintf(report->text, sizeof(report->text), "block below a node is empty");
			return -EUCLEAN;
		}
		first_key(eb, &key);
		if (btrfs_comp_cpu_keys(&key, &check->first_key)) {
			snprintf(report->text, sizeof(report->text),
				 "first key is " BTRFS_KEY_FMT ", the parent says " BTRFS_KEY_FMT,
				 BTRFS_KEY_ARGS(&key), BTRFS_KEY_ARGS(&check->first_key));
			return -EUCLEAN;
		}
	}
	if (check->owner_root && btrfs_check_eb_owner(eb, check->owner_root)) {
		snprintf(report->text, sizeof(report->text), "owner is %llu, not %llu", eb->owner,
			 check->owner_root);
		return -EUCLEAN;
	}
	return 0;
}

static int verify_all(struct extent_buffer *eb, const struct btrfs_tree_parent_check *check,
		      struct btrfs_check_report *report)
{
	int ret = verify_block(eb, report);

	return ret ? ret : verify_parent_promise(eb, check, report);
}

/* ---- reading ---- */

/* How loudly a bad block was told of; the value in fs_info->reported_blocks. */
#define TOLD_AS_WARNING		((void *)1)
#define TOLD_AS_ERROR		((void *)2)

/*
 * Tell what is wrong with a block, unless that has been told: one bad block may
 * be asked for many times.
 */
static void report_bad_block(struct btrfs_fs_info *fs_info, u64 bytenr, const char *why,
			     const char *more)
{
	void *level = fs_info->bad_blocks_only_warn ? TOLD_AS_WARNING : TOLD_AS_ERROR;
	void *told;

	pthread_mutex_lock(&fs_info->report_lock);
	told = u64_map_find(&fs_info->reported_blocks, bytenr);
	if (told < level)
		u64_map_set(&fs_info->reported_blocks, bytenr, level);
	pthread_mutex_unlock(&fs_info->report_lock);
	if (told >= level)
		return;
	if (level == TOLD_AS_ERROR)
		error("%s: tree block at %llu: %s%s", fs_info->name, bytenr, why, more);
	else
		warning("%s: tree block at %llu: %s%s", fs_info->name, bytenr, why, more);
}

/* Try every mirror.  On failure the first reason is told. */
static int read_mirrors(struct extent_buffer *eb, const struct btrfs_tree_parent_check *check)
{
	struct btrfs_fs_info *fs_info = eb->fs_info;
	int nr_copies = btrfs_num_copies(fs_info, eb->start);
	int first = btrfs_first_mirror(fs_info, eb->start);
	struct btrfs_check_report first_report = { "" }, report;
	int first_ret = 0;

	if (!nr_copies || !IS_ALIGNED(eb->start, fs_info->sectorsize)) {
		report_bad_block(fs_info, eb->start, "no chunk holds this address", "");
		return -EIO;
	}
	for (int i = 0; i < nr_copies; i++) {
		int mirror = (first - 1 + i) % nr_copies + 1;
		int ret = btrfs_read_logical(fs_info, eb->start, eb->len, mirror, eb->data);

		if (ret)
			snprintf(report.text, sizeof(report.text), "%s", errno_text(ret));
		else
			ret = verify_all(eb, check, &report);
		if (!ret) {
			if (first_ret)
				warning("%s: tree block at %llu: bad copy: %s; copy %d is good",
					fs_info->name, eb->start, first_report.text, mirror);
			return 0;
		}
		if (!first_ret) {
			first_ret = ret;
			first_report = report;
		}
	}
	report_bad_block(fs_info, eb->start, first_report.text,
			 nr_copies > 1 ? ", and no other copy is good" : "");
	return -EIO;
}

/*
 * Where blocks are written too, a worker that read ahead may have put one into the
 * cache that has been replaced on disk meanwhile: then the disk is asked once more.
 */
static bool forget_stale(struct btrfs_fs_info *fs_info, struct extent_buffer *eb,
			 const struct btrfs_tree_parent_check *check)
{
	if (!fs_info->writable || !check->transid || eb->generation == check->transid)
		return false;
	block_cache_forget(fs_info->cache, eb->start);
	return true;
}

static int find_dirty(struct btrfs_fs_info *fs_info, u64 bytenr,
		      const struct btrfs_tree_parent_check *check, struct extent_buffer **ret_eb)
{
	struct btrfs_check_report report;
	struct extent_buffer *eb = btrfs_find_dirty_block(fs_info->running_transaction, bytenr);

	if (!eb)
		return -ENOENT;
	if (verify_parent_promise(eb, check, &report)) {
		error("%s: changed tree block at %llu: %s", fs_info->name, bytenr, report.text);
		free_extent_buffer(eb);
		return -EUCLEAN;
	}
	*ret_eb = eb;
	return 0;
}

int btrfs_read_tree_block(struct btrfs_fs_info *fs_info, u64 bytenr,
			  const struct btrfs_tree_parent_check *check, struct extent_buffer **ret_eb)
{
	struct btrfs_check_report report;
	struct extent_buffer *eb;
	int ret;

	if (fs_info->running_transaction) {
		ret = find_dirty(fs_info, bytenr, check, ret_eb);
		if (ret != -ENOENT)
			return ret;
	}
	ret = block_cache_get(fs_info->cache, fs_info, bytenr, true, &eb);
	if (ret == BLOCK_CACHE_HIT && forget_stale(fs_info, eb, check)) {
		free_extent_buffer(eb);
		ret = block_cache_get(fs_info->cache, fs_info, bytenr, true, &eb);
	}
	if (ret < 0)
		return ret;
	if (ret == BLOCK_CACHE_MISS) {
		ret = read_mirrors(eb, check);
		if (ret) {
			block_cache_drop(fs_info->cache, eb);
			return ret;
		}
		block_cache_publish(fs_info->cache, eb);
	} else if (verify_parent_promise(eb, check, &report)) {
		report_bad_block(fs_info, bytenr, report.text, "");
		free_extent_buffer(eb);
		return -EUCLEAN;
	}
	*ret_eb = eb;
	return 0;
}

static void child_check(const struct extent_buffer *node, u32 slot, u64 owner_root,
			struct btrfs_tree_parent_check *check)
{
	*check = (struct btrfs_tree_parent_check) {
		.owner_root = owner_root,
		.transid = btrfs_node_ptr_generation(node, slot),
		.has_first_key = true,
		.level = (u8)(node->level - 1),
	};
	btrfs_node_key_to_cpu(node, &check->first_key, slot);
}

int btrfs_read_node_slot(const struct extent_buffer *node, u32 slot, u64 owner_root,
			 struct extent_buffer **ret)
{
	struct btrfs_tree_parent_check check;

	if (!node->level || slot >= node->nritems)
		return -ENOENT;
	child_check(node, slot, owner_root, &check);
	return btrfs_read_tree_block(node->fs_info, btrfs_node_blockptr(node, slot), &check, ret);
}

/* ---- read ahead ---- */

#define READAHEAD_MAX_BYTES	SZ_1M
#define READAHEAD_MAX_BLOCKS	(READAHEAD_MAX_BYTES / SZ_4K)

struct readahead_child {
	u64 bytenr;
	struct btrfs_tree_parent_check check;
};

/* Children that are neighbours on disk; read with one request. */
struct readahead_run {
	struct btrfs_fs_info *fs_info;
	u32 nr;
	struct readahead_child children[];
};

/* Read [first, first + nr) of @run in one go; blocks that are not good are left to the reader. */
static void readahead_read(struct readahead_run *run, struct extent_buffer **ebs, u32 first, u32 nr)
{
	struct btrfs_fs_info *fs_info = run->fs_info;
	struct iovec iov[READAHEAD_MAX_BLOCKS];
	struct btrfs_check_report report;
	u64 start = run->children[first].bytenr;
	int ret;

	for (u32 i = 0; i < nr; i++)
		iov[i] = (struct iovec){ ebs[first + i]->data, fs_info->nodesize };
	ret = btrfs_read_logical_iov(fs_info, start, (u64)nr * fs_info->nodesize,
				     btrfs_first_mirror(fs_info, start), iov, (int)nr);
	for (u32 i = first; i < first + nr; i++) {
		if (ret || verify_all(ebs[i], &run->children[i].check, &report)) {
			block_cache_drop(fs_info->cache, ebs[i]);
			continue;
		}
		block_cache_publish(fs_info->cache, ebs[i]);
		free_extent_buffer(ebs[i]);
	}
}

/* Runs in a worker. */
static void readahead_worker(void *arg)
{
	struct readahead_run *run = arg;
	struct extent_buffer *ebs[READAHEAD_MAX_BLOCKS];
	u32 first = 0, nr = 0;

	for (u32 i = 0; i < run->nr; i++) {
		int ret = block_cache_get(run->fs_info->cache, run->fs_info,
					  run->children[i].bytenr, false, &ebs[i]);

		if (ret == BLOCK_CACHE_MISS) {
			if (!nr++)
				first = i;
			continue;
		}
		if (ret == BLOCK_CACHE_HIT)
			free_extent_buffer(ebs[i]);
		if (nr)
			readahead_read(run, ebs, first, nr);
		nr = 0;
	}
	if (nr)
		readahead_read(run, ebs, first, nr);
	free(run);
}

static int cmp_readahead_child(const void *a, const void *b)
{
	const struct readahead_child *x = a, *y = b;

	return x->bytenr < y->bytenr ? -1 : x->bytenr > y->bytenr;
}

static void submit_run(struct btrfs_fs_info *fs_info, const struct readahead_child *children, u32 nr)
{
	struct readahead_run *run = malloc(sizeof(*run) + nr * sizeof(*children));

	if (!run)
		return;
	run->fs_info = fs_info;
	run->nr = nr;
	memcpy(run->children, children, nr * sizeof(*children));
	if (thread_pool_submit_urgent(fs_info->workers, readahead_worker, run))
		free(run);
}

/* Only the thread that writes asks, and with it who reads while a transaction runs. */
static bool block_is_dirty(const struct btrfs_fs_info *fs_info, u64 bytenr)
{
	return fs_info->running_transaction &&
	       u64_map_find(&fs_info->running_transaction->dirty_blocks, bytenr);
}

void btrfs_readahead_node_children(const struct extent_buffer *node, u32 first, u32 last)
{
	struct btrfs_fs_info *fs_info = node->fs_info;
	u32 max_run = max(READAHEAD_MAX_BYTES / fs_info->nodesize, 1U);
	struct readahead_child *children;
	u32 nr = 0, run = 0;

	if (!fs_info->workers || !node->level || first >= node->nritems)
		return;
	last = min(last, node->nritems - 1);
	children = malloc((last - first + 1) * sizeof(*children));
	if (!children)
		return;
	for (u32 slot = first; slot <= last; slot++) {
		children[nr].bytenr = btrfs_node_blockptr(node, slot);
		child_check(node, slot, 0, &children[nr].check);
		if (!block_is_dirty(fs_info, children[nr].bytenr) &&
		    !block_cache_contains(fs_info->cache, children[nr].bytenr))
			nr++;
	}
	qsort(children, nr, sizeof(*children), cmp_readahead_child);
	for (u32 i = 1; i <= nr; i++) {
		if (i < nr && i - run < max_run &&
		    children[i].bytenr == children[i - 1].bytenr + fs_info->nodesize)
			continue;
		submit_run(fs_info, children + run, i - run);
		run = i;
	}
	free(children);
}
