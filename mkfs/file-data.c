// SPDX-License-Identifier: GPL-2.0-only
/*
 * File data on its way from the source to the devices.
 *
 * The one thread that makes the file system plans batches ahead of where it
 * is, workers fill them, and when a batch's turn comes its data gets its place on
 * disk, so that places follow from the order of the files alone.  Workers
 * write it while the next batches are taken up.
 */
#include <errno.h>
#include <stdlib.h>

#include "common/message.h"
#include "kernel-shared/volumes-write.h"
#include "mkfs/file-data.h"

struct file_data {
	struct mkfs *mkfs;
	/* The planner: where the next piece is. */
	u32 plan_subvol;
	size_t plan_inode;
	struct shared_file *plan_shared;	/* a file over several batches; NULL: none */
	u64 plan_offset;			/* in it */
	/* The consumer. */
	struct data_batch *current;
	size_t next_piece;
	struct data_batch *batches;
	unsigned int nr_batches;

	pthread_mutex_t lock;		/* protects what follows, and the states of batches */
	pthread_cond_t changed;
	struct list_head queue;		/* batches that are planned, in order */
	struct list_head free;
	struct list_head fillers;	/* idle ones */
	int error;			/* of a write */
};

/* ---- filling and writing, in workers ---- */

static struct batch_filler *get_filler(struct file_data *data)
{
	const struct mkfs_plan *plan = data->mkfs->plan;
	struct batch_filler *filler = NULL;

	pthread_mutex_lock(&data->lock);
	if (!list_empty(&data->fillers)) {
		filler = list_first_entry(&data->fillers, struct batch_filler, list);
		list_del(&filler->list);
	}
	pthread_mutex_unlock(&data->lock);
	if (filler)
		return filler;
	filler = calloc(1, sizeof(*filler));
	if (!filler)
		return NULL;
	vec_init(&filler->ranges, sizeof(struct source_range));
	if (plan->compression) {
		filler->compressor = btrfs_compressor_create(plan->compression,
							     plan->compression_level);
		filler->raw = malloc(BTRFS_MAX_COMPRESSED);
		if (!filler->compressor || !filler->raw) {
			btrfs_compressor_free(filler->compressor);
			free(filler->raw);
			free(filler);
			return NULL;
		}
	}
	return filler;
}

static void put_filler(struct file_data *data, struct batch_filler *filler)
{
	pthread_mutex_lock(&data->lock);
	list_add_tail(&filler->list, &data->fillers);
	pthread_mutex_unlock(&data->lock);
}

static void fill_worker(void *arg)
{
	struct data_batch *batch = arg;
	struct file_data *data = batch->data;
	struct batch_filler *filler = get_filler(data);
	int ret = filler ? batch_fill(data->mkfs, filler, batch) : -ENOMEM;

	if (filler)
		put_filler(data, filler);
	pthread_mutex_lock(&data->lock);
	batch->error = ret;
	batch->state = BATCH_FILLED;
	pthread_cond_broadcast(&data->changed);
	pthread_mutex_unlock(&data->lock);
}

/* One user fewer; the last one makes the batch free. */
static void put_batch(struct data_batch *batch, int error)
{
	struct file_data *data = batch->data;

	pthread_mutex_lock(&data->lock);
	if (error && !data->error)
		data->error = error;
	if (--batch->users == 0) {
		batch->state = BATCH_FREE;
		list_add_tail(&batch->list, &data->free);
		pthread_cond_broadcast(&data->changed);
	}
	pthread_mutex_unlock(&data->lock);
}

/* Bytes of a batch that have one place on disk. */
struct data_write {
	struct data_batch *batch;
	u64 bytenr;
	u32 disk_pos;
	u32 len;
};

static void write_worker(void *arg)
{
	struct data_write *write = arg;
	struct data_batch *batch = write->batch;
	int ret = btrfs_write_logical(batch->data->mkfs->fs_info, write->bytenr, write->len,
				      batch->disk + write->disk_pos);

	free(write);
	put_batch(batch, ret);
}

static int submit_write(struct data_batch *batch, u64 bytenr, u32 disk_pos, u32 len)
{
	struct data_write *write = malloc(sizeof(*write));

	if (!write)
		return -ENOMEM;
	*write = (struct data_write){ batch, bytenr, disk_pos, len };
	pthread_mutex_lock(&batch->data->lock);
	batch->users++;
	pthread_mutex_unlock(&batch->data->lock);
	if (thread_pool_submit_urgent(batch->data->mkfs->workers, write_worker, write))
		write_worker(write);
	return 0;
}

/* ---- planning ---- */

/* The next regular file with data, without going past it. */
static const struct source_inode *next_file(struct file_data *data)
{
	while (data->plan_subvol < data->mkfs->subvols.nr) {
		const struct mkfs_subvol *subvol =
			*(struct mkfs_subvol **)vec_at(&data->mkfs->subvols, data->plan_subvol);

		while (data->plan_inode < subvol->inodes.nr) {
			const struct source_inode *inode =
				*(struct source_inode **)vec_at(&subvol->inodes, data->plan_inode);

			if (S_ISREG(inode->mode) && inode->size)
				return inode;
			data->plan_inode++;
		}
		data->plan_subvol++;
		data->plan_inode = 0;
	}
	return NULL;
}

/* Does a file, as a whole, still go into the batch?  If so it is counted. */
static bool batch_takes(struct data_batch *batch, const struct source_inode *inode)
{
	struct mkfs *mkfs = batch->data->mkfs;
	u64 bytes = round_up(inode->size, mkfs->fs_info->sectorsize);
	bool maybe_inline = mkfs_inline_possible(mkfs, inode->size);

	if (batch->pieces.nr >= BATCH_MAX_PIECES)
		return false;
	/*
	 * What may become inline and what may not is known only when it has been
	 * read, so such a file is counted on both sides.
	 */
	if (maybe_inline && batch->planned_inline + inode->size > BATCH_INLINE_BYTES)
		return false;
	if (batch->planned_bytes + bytes > BATCH_BYTES)
		return false;
	batch->planned_inline += maybe_inline ? inode->size : 0;
	batch->planned_bytes += bytes;
	return true;
}

static int open_shared(struct file_data *data, const struct source_inode *inode)
{
	struct mkfs_source *source = data->mkfs->plan->source;
	struct shared_file *shared = calloc(1, sizeof(*shared));
	int ret;

	if (!shared)
		return -ENOMEM;
	shared->refs = 1;
	vec_init(&shared->ranges, sizeof(struct source_range));
	ret = source->ops->open(source, inode, &shared->file);
	if (!ret)
		ret = source->ops->ranges(shared->file, &shared->ranges);
	if (ret) {
		shared_file_put(data->mkfs, shared);
		return ret;
	}
	shared->nbytes = ranges_nbytes(&shared->ranges, inode->size,
				       data->mkfs->fs_info->sectorsize);
	data->plan_shared = shared;
	data->plan_offset = 0;
	return 0;
}

/* From @offset on, the next place that is a multiple of BATCH_BYTES with data behind it; or @size. */
static u64 next_window(const struct vec *ranges, u64 offset, u64 size)
{
	const struct source_range *range;

	vec_for_each(ranges, range)
		if (range->offset + range->len > offset)
			return max(offset, round_down(range->offset, BATCH_BYTES));
	return size;
}

/* The next part of a file that is larger than a batch; it has the batch for itself. */
static int plan_part(struct file_data *data, struct data_batch *batch,
		     const struct source_inode *inode)
{
	struct batch_piece *piece = vec_push(&batch->pieces);
	struct shared_file *shared = data->plan_shared;
	u64 next;
	int ret = 0;

	if (!piece)
		return -ENOMEM;
	piece->inode = inode;
	piece->shared = shared;
	piece->first = data->plan_offset == 0;
	piece->offset = next_window(&shared->ranges, data->plan_offset, inode->size);
	piece->len = min(inode->size - piece->offset, (u64)BATCH_BYTES);
	next = next_window(&shared->ranges, piece->offset + piece->len, inode->size);
	__atomic_add_fetch(&shared->refs, 1, __ATOMIC_RELAXED);
	data->plan_offset = next;
	piece->last = next >= inode->size;
	if (piece->last) {
		data->plan_shared = NULL;
		data->plan_inode++;
		ret = shared_file_put(data->mkfs, shared);
	}
	return ret;
}

/* Put files, or a part of one, into @batch. */
static int plan_batch(struct file_data *data, struct data_batch *batch)
{
	const struct source_inode *inode;
	int ret = 0;

	while (!ret && (inode = next_file(data))) {
		struct batch_piece *piece;

		if (inode->size > BATCH_BYTES) {
			if (batch->pieces.nr)
				break;
			if (!data->plan_shared)
				ret = open_shared(data, inode);
			return ret ? ret : plan_part(data, batch, inode);
		}
		if (!batch_takes(batch, inode))
			break;
		piece = vec_push(&batch->pieces);
		if (!piece)
			return -ENOMEM;
		piece->inode = inode;
		piece->len = inode->size;
		piece->first = piece->last = true;
		data->plan_inode++;
	}
	return ret;
}

static void reset_batch(struct data_batch *batch)
{
	vec_clear(&batch->pieces);
	vec_clear(&batch->segments);
	vec_clear(&batch->placed);
	batch->disk_len = 0;
	batch->inline_len = 0;
	batch->planned_bytes = 0;
	batch->planned_inline = 0;
	batch->users = 1;
	batch->error = 0;
}

/* A free batch; with @wait only when there is none and one will be. */
static struct data_batch *get_free_batch(struct file_data *data, bool wait)
{
	struct data_batch *batch = NULL;

	pthread_mutex_lock(&data->lock);
	while (wait && list_empty(&data->free))
		pthread_cond_wait(&data->changed, &data->lock);
	if (!list_empty(&data->free)) {
		batch = list_first_entry(&data->free, struct data_batch, list);
		list_del(&batch->list);
	}
	pthread_mutex_unlock(&data->lock);
	return batch;
}

/* Plan as far ahead as there are batches; at least one when the queue is empty. */
static int plan_ahead(struct file_data *data)
{
	int ret = 0;

	while (!ret && next_file(data)) {
		bool queue_is_empty = list_empty(&data->queue);
		struct data_batch *batch = get_free_batch(data, queue_is_empty);

		if (!batch)
			break;
		reset_batch(batch);
		ret = plan_batch(data, batch);
		batch->state = BATCH_FILLING;
		list_add_tail(&batch->list, &data->queue);
		if (ret) {
			batch->error = ret;
			batch->state = BATCH_FILLED;
		} else if (thread_pool_submit(data->mkfs->workers, fill_worker, batch)) {
			fill_worker(batch);
		}
	}
	return ret;
}

/* ---- placing ---- */

static int place_segment(struct data_batch *batch, const struct batch_segment *segment,
			 u32 skip, u32 len, u64 bytenr)
{
	struct mkfs *mkfs = batch->data->mkfs;
	u32 sectorsize = mkfs->fs_info->sectorsize;
	const struct file_segment placed = {
		.file_offset = segment->file_offset + skip,
		.bytenr = bytenr,
		.disk_len = len,
		.ram_len = segment->compression ? segment->ram_len : len,
		.compression = segment->compression,
	};
	int ret = vec_push_copy(&batch->placed, &placed);

	if (!ret && !segment->nodatasum)
		ret = csum_writer_add(mkfs->csums, bytenr,
				      batch->csums + (size_t)((segment->disk_pos + skip) /
							      sectorsize) *
				      mkfs->fs_info->csum_size, len / sectorsize);
	return ret;
}

/* The space that the batch has got and not used yet. */
struct space {
	u64 bytenr;
	u64 left;
	u32 disk_pos;		/* of the batch, that belongs to the start of the space */
	u32 used;
};

/* Write what has its place, and give the rest back. */
static int end_space(struct data_batch *batch, struct space *space)
{
	int ret = 0;

	if (space->used)
		ret = submit_write(batch, space->bytenr - space->used, space->disk_pos,
				   space->used);
	if (!ret && space->left)
		ret = mkfs_free_range(batch->data->mkfs->alloc, space->bytenr, space->left);
	*space = (struct space){ .disk_pos = space->disk_pos + space->used };
	return ret;
}

/* Give @segment its place.  A compressed one must not be divided. */
static int place_whole_segment(struct data_batch *batch, const struct batch_segment *segment,
			       struct space *space)
{
	struct mkfs *mkfs = batch->data->mkfs;
	u32 done = 0;
	int ret = 0;

	while (done < segment->disk_len && !ret) {
		u32 want = segment->disk_len - done, len;
		u32 least = segment->compression ? want : mkfs->fs_info->sectorsize;

		if (space->left < least) {
			ret = end_space(batch, space);
			if (!ret)
				ret = mkfs_alloc_data(mkfs->alloc,
						      batch->disk_len - segment->disk_pos - done,
						      least, &space->bytenr, &space->left);
			continue;
		}
		len = (u32)min((u64)want, space->left);
		ret = place_segment(batch, segment, done, len, space->bytenr);
		space->bytenr += len;
		space->left -= len;
		space->used += len;
		done += len;
	}
	return ret;
}

static int place_batch(struct data_batch *batch)
{
	const struct batch_segment *segments = batch->segments.data;
	struct space space = { 0 };
	struct batch_piece *piece;
	int ret = 0;

	vec_for_each(&batch->pieces, piece) {
		u32 first = (u32)batch->placed.nr;

		for (u32 i = 0; i < piece->nr_segments && !ret; i++)
			ret = place_whole_segment(batch, &segments[piece->first_segment + i],
						  &space);
		piece->first_segment = first;
		piece->nr_segments = (u32)batch->placed.nr - first;
	}
	return ret ? ret : end_space(batch, &space);
}

/* ---- consuming ---- */

/* Go on to the next batch: wait until it is filled, and place it. */
static int next_batch(struct file_data *data)
{
	struct data_batch *batch;
	int ret;

	if (data->current)
		put_batch(data->current, 0);
	data->current = NULL;
	plan_ahead(data);	/* an error is in the batch */
	if (list_empty(&data->queue))
		return -ENODATA;
	batch = list_first_entry(&data->queue, struct data_batch, list);
	pthread_mutex_lock(&data->lock);
	while (batch->state != BATCH_FILLED)
		pthread_cond_wait(&data->changed, &data->lock);
	ret = batch->error ? batch->error : data->error;
	pthread_mutex_unlock(&data->lock);
	list_del(&batch->list);
	data->current = batch;
	data->next_piece = 0;
	return ret ? ret : place_batch(batch);
}

int file_data_next(struct file_data *data, struct file_piece *ret_piece)
{
	const struct batch_piece *piece;
	int ret = 0;

	if (!data->current || data->next_piece == data->current->pieces.nr)
		ret = next_batch(data);
	if (ret)
		return ret;
	piece = vec_at(&data->current->pieces, data->next_piece++);
	*ret_piece = (struct file_piece) {
		.nbytes = piece->nbytes,
		.segments = piece->nr_segments ?
			    vec_at(&data->current->placed, piece->first_segment) : NULL,
		.nr_segments = piece->nr_segments,
		.last = piece->last,
	};
	if (piece->is_inline) {
		ret_piece->inline_data = data->current->inline_bytes + piece->inline_pos;
		ret_piece->inline_len = piece->inline_len;
		ret_piece->inline_compression = piece->inline_compression;
	}
	return 0;
}

int file_data_finish(struct file_data *data)
{
	unsigned int nr_free = 0;
	int ret;

	if (data->current)
		put_batch(data->current, 0);
	data->current = NULL;
	pthread_mutex_lock(&data->lock);
	/* After an error some may be planned that nobody will take up. */
	while (!list_empty(&data->queue)) {
		struct data_batch *batch = list_first_entry(&data->queue, struct data_batch, list);

		while (batch->state != BATCH_FILLED)
			pthread_cond_wait(&data->changed, &data->lock);
		list_del(&batch->list);
		list_add_tail(&batch->list, &data->free);
	}
	for (;;) {
		struct list_head *pos;

		nr_free = 0;
		list_for_each(pos, &data->free)
			nr_free++;
		if (nr_free == data->nr_batches)
			break;
		pthread_cond_wait(&data->changed, &data->lock);
	}
	ret = data->error;
	pthread_mutex_unlock(&data->lock);
	return ret;
}

/* ---- the whole ---- */

static int init_batch(struct file_data *data, struct data_batch *batch)
{
	struct btrfs_fs_info *fs_info = data->mkfs->fs_info;

	batch->data = data;
	vec_init(&batch->pieces, sizeof(struct batch_piece));
	vec_init(&batch->segments, sizeof(struct batch_segment));
	vec_init(&batch->placed, sizeof(struct file_segment));
	batch->disk = malloc(BATCH_BYTES);
	batch->inline_bytes = malloc(BATCH_INLINE_BYTES);
	batch->csums = malloc((size_t)(BATCH_BYTES / fs_info->sectorsize) * fs_info->csum_size);
	list_add_tail(&batch->list, &data->free);
	return batch->disk && batch->inline_bytes && batch->csums ? 0 : -ENOMEM;
}

int file_data_create(struct mkfs *mkfs, struct file_data **ret_data)
{
	struct file_data *data = calloc(1, sizeof(*data));
	int ret = 0;

	if (!data)
		return -ENOMEM;
	data->mkfs = mkfs;
	pthread_mutex_init(&data->lock, NULL);
	pthread_cond_init(&data->changed, NULL);
	INIT_LIST_HEAD(&data->queue);
	INIT_LIST_HEAD(&data->free);
	INIT_LIST_HEAD(&data->fillers);
	data->nr_batches = 2 * thread_pool_size(mkfs->workers) + 4;
	data->batches = calloc(data->nr_batches, sizeof(*data->batches));
	for (unsigned int i = 0; data->batches && i < data->nr_batches && !ret; i++)
		ret = init_batch(data, &data->batches[i]);
	if (ret || !data->batches) {
		file_data_free(data);
		return -ENOMEM;
	}
	*ret_data = data;
	return 0;
}

void file_data_free(struct file_data *data)
{
	if (!data)
		return;
	for (unsigned int i = 0; data->batches && i < data->nr_batches; i++) {
		vec_free(&data->batches[i].pieces);
		vec_free(&data->batches[i].segments);
		vec_free(&data->batches[i].placed);
		free(data->batches[i].disk);
		free(data->batches[i].inline_bytes);
		free(data->batches[i].csums);
	}
	free(data->batches);
	while (!list_empty(&data->fillers)) {
		struct batch_filler *filler = list_first_entry(&data->fillers,
							       struct batch_filler, list);

		list_del(&filler->list);
		btrfs_compressor_free(filler->compressor);
		free(filler->raw);
		vec_free(&filler->ranges);
		free(filler);
	}
	if (data->plan_shared)
		shared_file_put(data->mkfs, data->plan_shared);
	pthread_cond_destroy(&data->changed);
	pthread_mutex_destroy(&data->lock);
	free(data);
}
