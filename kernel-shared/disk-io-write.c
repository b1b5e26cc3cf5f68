// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writing tree blocks.  The thread that commits sorts them and cuts the order
 * into runs; workers check, hash and write one run each.
 */
#include "kernel-shared/disk-io-write.h"

#include <errno.h>
#include <stdlib.h>

#include "common/message.h"
#include "common/thread-pool.h"
#include "kernel-shared/accessors-set.h"
#include "kernel-shared/block-cache.h"
#include "kernel-shared/tree-checker.h"
#include "kernel-shared/volumes-write.h"
#include "kernel-shared/volumes.h"

#define MAX_RUN_BYTES	SZ_1M
#define MAX_RUN_BLOCKS	(MAX_RUN_BYTES / SZ_4K)

struct write_out {
	struct btrfs_fs_info *fs_info;
	pthread_mutex_t lock;		/* protects the two that follow */
	pthread_cond_t all_done;
	size_t nr_runs_left;
	int error;			/* the first; no further run is begun then */
};

/* One block and its place, for sorting. */
struct write_block {
	struct extent_buffer *eb;
	u64 devid;
	u64 physical;
};

/* Blocks that are neighbours in logical addresses. */
struct write_run {
	struct write_out *out;
	const struct write_block *blocks;
	u32 nr;
};

/* ---- in the workers ---- */

static int finish_block(struct extent_buffer *eb)
{
	struct btrfs_fs_info *fs_info = eb->fs_info;
	struct btrfs_check_report report;
	u8 csum[BTRFS_CSUM_SIZE] = { 0 };
	int ret;

	btrfs_set_header_flag(eb, BTRFS_HEADER_FLAG_WRITTEN);
	ret = eb->level ? btrfs_check_node(eb, &report) : btrfs_check_leaf(eb, &report);
	if (ret) {
		error("%s: tree block at %llu of tree %llu is not fit to be written: %s",
		      fs_info->name, eb->start, eb->owner, report.text);
		return ret;
	}
	btrfs_csum_data(fs_info->csum_type, eb->data + BTRFS_CSUM_SIZE, eb->len - BTRFS_CSUM_SIZE,
			csum);
	memcpy(btrfs_header_mut(eb)->csum, csum, sizeof(csum));
	return 0;
}

static int write_run(const struct write_run *run)
{
	struct iovec iov[MAX_RUN_BLOCKS];
	u64 len = 0;

	for (u32 i = 0; i < run->nr; i++) {
		struct extent_buffer *eb = run->blocks[i].eb;
		int ret = finish_block(eb);

		if (ret)
			return ret;
		iov[i] = (struct iovec){ eb->data, eb->len };
		len += eb->len;
	}
	return btrfs_write_logical_iov(run->out->fs_info, run->blocks[0].eb->start, len, iov,
				       (int)run->nr);
}

static void run_done(struct write_out *out, int ret)
{
	pthread_mutex_lock(&out->lock);
	if (ret && !out->error)
		out->error = ret;
	if (--out->nr_runs_left == 0)
		pthread_cond_signal(&out->all_done);
	pthread_mutex_unlock(&out->lock);
}

static bool has_failed(struct write_out *out)
{
	bool failed;

	pthread_mutex_lock(&out->lock);
	failed = out->error != 0;
	pthread_mutex_unlock(&out->lock);
	return failed;
}

static void write_worker(void *arg)
{
	struct write_run *run = arg;

	run_done(run->out, has_failed(run->out) ? 0 : write_run(run));
}

/* ---- in the thread that commits ---- */

static int cmp_write_block(const void *a, const void *b)
{
	const struct write_block *x = a, *y = b;

	if (x->devid != y->devid)
		return x->devid < y->devid ? -1 : 1;
	if (x->physical != y->physical)
		return x->physical < y->physical ? -1 : 1;
	return x->eb->start < y->eb->start ? -1 : x->eb->start > y->eb->start;
}

static int collect_blocks(struct btrfs_transaction *transaction, u8 max_level, struct vec *blocks)
{
	struct btrfs_fs_info *fs_info = transaction->fs_info;
	struct btrfs_io_stripe stripe;
	size_t pos = 0;
	void *value;
	u64 bytenr;

	while (u64_map_next(&transaction->dirty_blocks, &pos, &bytenr, &value)) {
		struct write_block block = { .eb = value };

		if (block.eb->level > max_level)
			continue;
		/* Where it fails, writing will say so. */
		if (btrfs_map_block(fs_info, bytenr, fs_info->nodesize, 1, &stripe) == 0) {
			block.devid = stripe.dev->devid;
			block.physical = stripe.physical;
		}
		if (vec_push_copy(blocks, &block))
			return -ENOMEM;
	}
	vec_sort(blocks, cmp_write_block);
	return 0;
}

static int cut_into_runs(struct write_out *out, const struct vec *blocks, struct vec *runs)
{
	u32 nodesize = out->fs_info->nodesize;
	const struct write_block *block, *before = NULL;

	vec_for_each(blocks, block) {
		struct write_run *run = vec_last(runs);

		if (run && run->nr < MAX_RUN_BYTES / nodesize &&
		    before->eb->start + nodesize == block->eb->start) {
			run->nr++;
		} else {
			run = vec_push(runs);
			if (!run)
				return -ENOMEM;
			*run = (struct write_run){ .out = out, .blocks = block, .nr = 1 };
		}
		before = block;
	}
	return 0;
}

static int write_runs(struct write_out *out, const struct vec *runs)
{
	struct write_run *run;

	out->nr_runs_left = runs->nr;
	vec_for_each(runs, run) {
		/* Without memory for the queue this thread does it. */
		if (thread_pool_submit(out->fs_info->workers, write_worker, run))
			write_worker(run);
	}
	pthread_mutex_lock(&out->lock);
	while (out->nr_runs_left)
		pthread_cond_wait(&out->all_done, &out->lock);
	pthread_mutex_unlock(&out->lock);
	return out->error;
}

static void hand_to_cache(struct btrfs_transaction *transaction, const struct vec *blocks)
{
	const struct write_block *block;

	vec_for_each(blocks, block) {
		u64_map_remove(&transaction->dirty_blocks, block->eb->start);
		transaction->dirty_bytes -= block->eb->len;
		block_cache_insert(transaction->fs_info->cache, block->eb);
		free_extent_buffer(block->eb);
	}
}

int btrfs_write_dirty_blocks(struct btrfs_transaction *transaction, u8 max_level)
{
	struct write_out out = { .fs_info = transaction->fs_info };
	struct vec blocks = VEC_INIT(struct write_block);
	struct vec runs = VEC_INIT(struct write_run);
	int ret;

	pthread_mutex_init(&out.lock, NULL);
	pthread_cond_init(&out.all_done, NULL);
	ret = collect_blocks(transaction, max_level, &blocks);
	if (!ret)
		ret = cut_into_runs(&out, &blocks, &runs);
	if (!ret && runs.nr)
		ret = write_runs(&out, &runs);
	if (!ret)
		hand_to_cache(transaction, &blocks);
	vec_free(&runs);
	vec_free(&blocks);
	pthread_cond_destroy(&out.all_done);
	pthread_mutex_destroy(&out.lock);
	return ret;
}
