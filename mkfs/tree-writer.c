// SPDX-License-Identifier: GPL-2.0-only
/*
 * Finished tree blocks on their way to the devices: gathered to runs of
 * neighbours, which workers hash and write.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "kernel-shared/disk-io.h"
#include "kernel-shared/volumes-write.h"
#include "mkfs/make.h"

#define RUN_BYTES	SZ_1M
#define NR_RUNS		6U

/* Blocks whose addresses follow one another. */
struct block_run {
	struct tree_writer *writer;
	struct block_run *next_free;
	u64 bytenr;
	u32 len;		/* bytes */
	u8 *data;
};

struct tree_writer {
	struct mkfs *mkfs;
	struct btrfs_tree_sink sink;
	struct block_run runs[NR_RUNS];
	struct block_run *current;	/* being filled; NULL: none */
	pthread_mutex_t lock;		/* protects what follows */
	pthread_cond_t run_done;
	struct block_run *free_runs;
	unsigned int nr_under_way;
	int error;			/* the first one */
};

/* Runs in a worker. */
static void write_run(void *arg)
{
	struct block_run *run = arg;
	struct tree_writer *writer = run->writer;
	struct btrfs_fs_info *fs_info = writer->mkfs->fs_info;
	int ret;

	for (u32 pos = 0; pos < run->len; pos += fs_info->nodesize)
		btrfs_csum_data(fs_info->csum_type, run->data + pos + BTRFS_CSUM_SIZE,
				fs_info->nodesize - BTRFS_CSUM_SIZE, run->data + pos);
	ret = btrfs_write_logical(fs_info, run->bytenr, run->len, run->data);
	pthread_mutex_lock(&writer->lock);
	if (ret && !writer->error)
		writer->error = ret;
	run->next_free = writer->free_runs;
	writer->free_runs = run;
	writer->nr_under_way--;
	pthread_cond_signal(&writer->run_done);
	pthread_mutex_unlock(&writer->lock);
}

static void submit_current(struct tree_writer *writer)
{
	struct block_run *run = writer->current;

	if (!run)
		return;
	writer->current = NULL;
	pthread_mutex_lock(&writer->lock);
	writer->nr_under_way++;
	pthread_mutex_unlock(&writer->lock);
	if (thread_pool_submit_urgent(writer->mkfs->workers, write_run, run))
		write_run(run);
}

/* A free run, when there is one again; NULL after an error. */
static struct block_run *get_run(struct tree_writer *writer)
{
	struct block_run *run = NULL;

	pthread_mutex_lock(&writer->lock);
	while (!writer->free_runs)
		pthread_cond_wait(&writer->run_done, &writer->lock);
	if (!writer->error) {
		run = writer->free_runs;
		writer->free_runs = run->next_free;
	}
	pthread_mutex_unlock(&writer->lock);
	return run;
}

static int write_block(void *ctx, u64 bytenr, const void *block)
{
	struct tree_writer *writer = ctx;
	u32 nodesize = writer->mkfs->fs_info->nodesize;
	struct block_run *run = writer->current;

	if (run && (run->bytenr + run->len != bytenr || run->len + nodesize > RUN_BYTES))
		submit_current(writer);
	if (!writer->current) {
		writer->current = get_run(writer);
		if (!writer->current)
			return writer->error;
		writer->current->bytenr = bytenr;
		writer->current->len = 0;
	}
	run = writer->current;
	memcpy(run->data + run->len, block, nodesize);
	run->len += nodesize;
	return 0;
}

static int alloc_block(void *ctx, u64 owner, u8 level, u64 *bytenr)
{
	struct tree_writer *writer = ctx;

	return mkfs_alloc_block(writer->mkfs->alloc, owner, level, mkfs_tree_generation(owner),
				bytenr);
}

int tree_writer_create(struct mkfs *mkfs, struct tree_writer **ret)
{
	struct tree_writer *writer = calloc(1, sizeof(*writer));

	if (!writer)
		return -ENOMEM;
	writer->mkfs = mkfs;
	writer->sink = (struct btrfs_tree_sink){ alloc_block, write_block, writer };
	pthread_mutex_init(&writer->lock, NULL);
	pthread_cond_init(&writer->run_done, NULL);
	for (unsigned int i = 0; i < NR_RUNS; i++) {
		struct block_run *run = &writer->runs[i];

		run->writer = writer;
		run->data = malloc(RUN_BYTES);
		if (!run->data) {
			tree_writer_free(writer);
			return -ENOMEM;
		}
		run->next_free = writer->free_runs;
		writer->free_runs = run;
	}
	*ret = writer;
	return 0;
}

int tree_writer_flush(struct tree_writer *writer)
{
	int ret;

	submit_current(writer);
	pthread_mutex_lock(&writer->lock);
	while (writer->nr_under_way)
		pthread_cond_wait(&writer->run_done, &writer->lock);
	ret = writer->error;
	pthread_mutex_unlock(&writer->lock);
	return ret;
}

void tree_writer_free(struct tree_writer *writer)
{
	if (!writer)
		return;
	tree_writer_flush(writer);
	for (unsigned int i = 0; i < NR_RUNS; i++)
		free(writer->runs[i].data);
	pthread_cond_destroy(&writer->run_done);
	pthread_mutex_destroy(&writer->lock);
	free(writer);
}

const struct btrfs_tree_sink *tree_writer_sink(struct tree_writer *writer)
{
	return &writer->sink;
}
