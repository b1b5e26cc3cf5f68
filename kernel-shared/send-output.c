// SPDX-License-Identifier: GPL-2.0-only
/*
 * Laying out commands in batches, and passing the batches on.  What workers do
 * with the gaps in them is in send-data.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "common/hash.h"
#include "common/message.h"
#include "common/progress.h"
#include "common/thread-pool.h"
#include "kernel-shared/send-batch.h"
#include "kernel-shared/send-output.h"

/* A batch is passed on when it has this much... */
#define BATCH_FULL	SZ_1M
/* ...and can therefore take one command of any protocol more.  A huge page, for fewer faults. */
#define BATCH_ALLOC	(2U * SZ_1M)

_Static_assert(BATCH_ALLOC >= BATCH_FULL + BTRFS_SEND_BUF_SIZE_V2, "room for a command");

struct send_output {
	struct btrfs_fs_info *fs_info;
	u32 proto;
	u32 max_cmd_size;
	send_write_fn write;		/* NULL: count */
	void *write_ctx;
	u64 count;			/* of what is not in @cur any more */
	u64 max_count;
	struct progress *progress;	/* or NULL */
	struct send_damage *damage;	/* NULL: damage ends the send */

	/* The layout thread's own. */
	struct send_batch *cur;
	u32 cmd_pos;			/* of the command that is open */
	u32 max_batches;
	u32 nr_batches;

	pthread_mutex_t lock;		/* protects what follows */
	pthread_cond_t changed;
	struct list_head queue;		/* batches in stream order, whatever their state */
	struct list_head free;
	struct list_head readers;	/* contexts of workers, when not in use */
	u32 nr_queued;
	bool writing;			/* somebody is in the write callback */
	int error;
};

static void set_error(struct send_output *out, int error)
{
	pthread_mutex_lock(&out->lock);
	if (!out->error)
		out->error = error;
	pthread_cond_broadcast(&out->changed);
	pthread_mutex_unlock(&out->lock);
}

int send_output_create(struct btrfs_fs_info *fs_info, u32 proto, send_write_fn write,
		       void *write_ctx, u64 max_count, struct send_output **ret)
{
	struct send_output *out = calloc(1, sizeof(*out));

	if (!out)
		return -ENOMEM;
	out->fs_info = fs_info;
	out->proto = proto;
	out->max_cmd_size = proto >= 2 ? BTRFS_SEND_BUF_SIZE_V2 : BTRFS_SEND_BUF_SIZE_V1;
	out->write = write;
	out->write_ctx = write_ctx;
	out->max_count = max_count;
	out->max_batches = 2 * thread_pool_size(fs_info->workers) + 3;
	/* Whatever the machine, the batches together stay below 64 MiB. */
	out->max_batches = min(out->max_batches, 32U);
	pthread_mutex_init(&out->lock, NULL);
	pthread_cond_init(&out->changed, NULL);
	INIT_LIST_HEAD(&out->queue);
	INIT_LIST_HEAD(&out->free);
	INIT_LIST_HEAD(&out->readers);
	*ret = out;
	return 0;
}

void send_output_set_progress(struct send_output *out, struct progress *progress)
{
	out->progress = progress;
}

static void free_batch(struct send_batch *batch)
{
	if (!batch)
		return;
	vec_free(&batch->tasks);
	vec_free(&batch->gaps);
	vec_free(&batch->bad);
	vec_free(&batch->clones);
	free(batch->buf);
	free(batch);
}

static struct send_batch *alloc_batch(void)
{
	struct send_batch *batch = calloc(1, sizeof(*batch));

	if (!batch)
		return NULL;
	vec_init(&batch->tasks, sizeof(struct send_task));
	vec_init(&batch->gaps, sizeof(struct send_gap));
	vec_init(&batch->bad, sizeof(struct send_bad_range));
	vec_init(&batch->clones, sizeof(struct send_clone_note));
	batch->buf = aligned_alloc(BATCH_ALLOC, BATCH_ALLOC);
	if (!batch->buf) {
		free_batch(batch);
		return NULL;
	}
	madvise(batch->buf, BATCH_ALLOC, MADV_HUGEPAGE);
	return batch;
}

/* A batch to lay out in: a used one, a new one, or wait until one is free. */
static int get_batch(struct send_output *out)
{
	int ret;

	pthread_mutex_lock(&out->lock);
	while (!out->error && list_empty(&out->free) && out->nr_batches >= out->max_batches)
		pthread_cond_wait(&out->changed, &out->lock);
	ret = out->error;
	if (!ret && !list_empty(&out->free)) {
		out->cur = list_first_entry(&out->free, struct send_batch, list);
		list_del(&out->cur->list);
	}
	pthread_mutex_unlock(&out->lock);
	if (!ret && !out->cur) {
		out->cur = alloc_batch();
		if (!out->cur)
			return -ENOMEM;
		out->cur->skip_damaged = out->damage != NULL;
		out->nr_batches++;
	}
	return ret;
}

/* Called by whoever has set @writing. */
static int write_batch(struct send_output *out, const struct send_batch *batch)
{
	if (unlikely(batch->bad.nr || batch->clones.nr))
		return send_damage_write_batch(out->damage, batch, out->write, out->write_ctx);
	return out->write(out->write_ctx, batch->buf, batch->len);
}

/*
 * Write all batches that are ready and next, unless somebody else is at it, who
 * will then find ours too.  Called with the lock held.
 */
static void write_ready(struct send_output *out)
{
	while (!out->writing && !list_empty(&out->queue)) {
		struct send_batch *batch = list_first_entry(&out->queue, struct send_batch, list);
		int ret = 0;

		if (!batch->ready)
			return;
		if (!out->error && batch->error) {
			out->error = batch->error;
			if (batch->message[0])
				error("%s", batch->message);
		}
		if (!out->error) {
			out->writing = true;
			pthread_mutex_unlock(&out->lock);
			ret = write_batch(out, batch);
			if (!ret)
				progress_add(out->progress, batch->len);
			pthread_mutex_lock(&out->lock);
			out->writing = false;
		}
		if (ret && !out->error)
			out->error = ret;
		list_del(&batch->list);
		batch->ready = false;
		batch->error = 0;
		batch->message[0] = '\0';
		batch->len = 0;
		vec_clear(&batch->tasks);
		vec_clear(&batch->gaps);
		vec_clear(&batch->bad);
		vec_clear(&batch->clones);
		list_add(&batch->list, &out->free);
		out->nr_queued--;
		pthread_cond_broadcast(&out->changed);
	}
}

static struct send_reader *get_reader(struct send_output *out)
{
	struct send_reader *reader = NULL;

	pthread_mutex_lock(&out->lock);
	if (!list_empty(&out->readers)) {
		reader = list_first_entry(&out->readers, struct send_reader, list);
		list_del(&reader->list);
	}
	pthread_mutex_unlock(&out->lock);
	return reader ? reader : send_reader_create(out->fs_info);
}

/* Runs in a worker, and after an error only drains. */
static void batch_worker(void *arg)
{
	struct send_batch *batch = arg;
	struct send_output *out = batch->out;
	struct send_reader *reader = NULL;
	bool failed;
	int ret = 0;

	pthread_mutex_lock(&out->lock);
	failed = out->error != 0;
	pthread_mutex_unlock(&out->lock);
	if (!failed && batch->tasks.nr) {
		reader = get_reader(out);
		ret = reader ? send_fill_batch(reader, batch) : -ENOMEM;
	}
	pthread_mutex_lock(&out->lock);
	if (reader)
		list_add(&reader->list, &out->readers);
	batch->ready = true;
	batch->error = ret;
	write_ready(out);
	pthread_cond_broadcast(&out->changed);
	pthread_mutex_unlock(&out->lock);
}

static int submit_batch(struct send_output *out)
{
	struct send_batch *batch = out->cur;
	int ret;

	if (!batch || !batch->len)
		return 0;
	out->cur = NULL;
	batch->out = out;
	pthread_mutex_lock(&out->lock);
	list_add_tail(&batch->list, &out->queue);
	out->nr_queued++;
	pthread_mutex_unlock(&out->lock);
	ret = thread_pool_submit(out->fs_info->workers, batch_worker, batch);
	if (ret) {
		/* Nobody will work on it; mark it done so that the queue can be drained. */
		set_error(out, ret);
		batch_worker(batch);
	}
	return ret;
}

/* Where bytes are only counted, the one batch is laid out again and again. */
static int count_batch(struct send_output *out)
{
	if (out->cur->len > out->max_count - out->count)
		return -EFBIG;
	if (out->cur->len >= BATCH_FULL) {
		out->count += out->cur->len;
		progress_add(out->progress, out->cur->len);
		out->cur->len = 0;
	}
	return 0;
}

static int need_batch(struct send_output *out)
{
	int ret;

	if (!out->write && out->cur)
		return count_batch(out);
	if (out->cur && out->cur->len >= BATCH_FULL) {
		ret = submit_batch(out);
		if (ret)
			return ret;
	}
	return out->cur ? 0 : get_batch(out);
}

int send_output_raw(struct send_output *out, const void *bytes, u32 len)
{
	int ret = need_batch(out);

	if (ret)
		return ret;
	memcpy(out->cur->buf + out->cur->len, bytes, len);
	out->cur->len += len;
	return 0;
}

int send_cmd_begin(struct send_output *out, enum btrfs_send_cmd cmd)
{
	struct btrfs_cmd_header header = { .cmd = htole16((u16)cmd) };
	int ret = need_batch(out);

	if (ret)
		return ret;
	out->cmd_pos = out->cur->len;
	memcpy(out->cur->buf + out->cmd_pos, &header, sizeof(header));
	out->cur->len += sizeof(header);
	return 0;
}

static bool cmd_fits(const struct send_output *out, u32 len)
{
	u32 used = out->cur->len - out->cmd_pos;

	return len <= out->max_cmd_size - used;
}

/* A command that cannot be finished leaves nothing behind. */
static int cmd_overflow(struct send_output *out)
{
	out->cur->len = out->cmd_pos;
	return -EOVERFLOW;
}

int send_put(struct send_output *out, enum btrfs_send_attr attr, const void *data, u32 len)
{
	u8 *at = out->cur->buf + out->cur->len;

	if (len > UINT16_MAX || !cmd_fits(out, (u32)sizeof(struct btrfs_tlv_header) + len))
		return cmd_overflow(out);
	put_unaligned_le16((u16)attr, at);
	put_unaligned_le16((u16)len, at + 2);
	memcpy(at + sizeof(struct btrfs_tlv_header), data, len);
	out->cur->len += (u32)sizeof(struct btrfs_tlv_header) + len;
	return 0;
}

int send_put_u32(struct send_output *out, enum btrfs_send_attr attr, u32 value)
{
	u8 le[4];

	put_unaligned_le32(value, le);
	return send_put(out, attr, le, sizeof(le));
}

int send_put_u64(struct send_output *out, enum btrfs_send_attr attr, u64 value)
{
	u8 le[8];

	put_unaligned_le64(value, le);
	return send_put(out, attr, le, sizeof(le));
}

static void set_cmd_len(struct send_output *out)
{
	u32 len = out->cur->len - out->cmd_pos - (u32)sizeof(struct btrfs_cmd_header);

	put_unaligned_le32(len, out->cur->buf + out->cmd_pos);
}

int send_cmd_end(struct send_output *out)
{
	u8 *cmd = out->cur->buf + out->cmd_pos;

	if (!out->write)
		return 0;
	set_cmd_len(out);
	put_unaligned_le32(crc32c(0, cmd, out->cur->len - out->cmd_pos),
			   cmd + offsetof(struct btrfs_cmd_header, crc));
	return 0;
}

/* The header of the data attribute, which has no length from protocol 2 on. */
static int put_data_header(struct send_output *out, u32 len)
{
	u32 header_len = out->proto >= 2 ? 2 : (u32)sizeof(struct btrfs_tlv_header);
	u8 *at = out->cur->buf + out->cur->len;

	if (len > out->max_cmd_size || !cmd_fits(out, header_len + len))
		return cmd_overflow(out);
	put_unaligned_le16(BTRFS_SEND_A_DATA, at);
	if (out->proto < 2)
		put_unaligned_le16((u16)len, at + 2);
	out->cur->len += header_len;
	return 0;
}

int send_put_data(struct send_output *out, u32 len, u8 **data)
{
	int ret = put_data_header(out, len);

	if (ret)
		return ret;
	*data = out->cur->buf + out->cur->len;
	out->cur->len += len;
	return 0;
}

/* Does @source go on where @task ends? */
static bool continues(const struct send_task *task, const struct send_extent_source *source)
{
	return task->source.disk_bytenr == source->disk_bytenr &&
	       task->source.disk_num_bytes == source->disk_num_bytes &&
	       task->source.compression == source->compression &&
	       task->source.encoded == source->encoded &&
	       task->source.nodatasum == source->nodatasum &&
	       task->source.offset + task->len == source->offset;
}

int send_put_extent_data(struct send_output *out, const struct send_extent_source *source,
			 u32 len)
{
	struct send_batch *batch = out->cur;
	struct send_task *task;
	struct send_gap *gap;
	int ret = put_data_header(out, len);

	if (ret)
		return ret;
	if (!out->write) {
		batch->len += len;
		return 0;
	}
	gap = vec_push(&batch->gaps);
	if (!gap)
		return -ENOMEM;
	gap->cmd_pos = out->cmd_pos;
	gap->data_pos = batch->len;
	gap->len = len;
	gap->file_len = source->encoded ? source->encoded_file_len : len;
	gap->ino = source->ino;
	gap->file_offset = source->file_offset;
	gap->encoded = source->encoded;
	gap->appends = source->appends;
	task = vec_last(&batch->tasks);
	if (!task || !continues(task, source)) {
		task = vec_push(&batch->tasks);
		if (!task)
			return -ENOMEM;
		task->source = *source;
		task->first_gap = (u32)batch->gaps.nr - 1;
	}
	task->nr_gaps++;
	task->len += len;
	batch->len += len;
	set_cmd_len(out);
	return 0;
}

void send_output_skip_damaged(struct send_output *out, struct send_damage *damage)
{
	out->damage = damage;
}

int send_note_left_out(struct send_output *out, const struct send_bad_range *range)
{
	struct send_bad_range *note;

	if (!out->damage)
		return 0;
	note = vec_push(&out->cur->bad);
	if (!note)
		return -ENOMEM;
	*note = *range;
	note->cmd_pos = out->cmd_pos;
	note->gap = SEND_NO_GAP;
	return 0;
}

int send_note_clone(struct send_output *out, const struct send_clone_note *clone)
{
	struct send_clone_note *note;

	if (!out->damage)
		return 0;
	note = vec_push(&out->cur->clones);
	if (!note)
		return -ENOMEM;
	*note = *clone;
	note->cmd_pos = out->cmd_pos;
	return 0;
}

static int finish_count(struct send_output *out)
{
	int ret = out->cur ? count_batch(out) : 0;

	if (ret || !out->cur)
		return ret;
	out->count += out->cur->len;
	progress_add(out->progress, out->cur->len);
	out->cur->len = 0;
	return 0;
}

u64 send_output_count(const struct send_output *out)
{
	return out->count;
}

int send_output_finish(struct send_output *out)
{
	int ret;

	if (!out->write)
		return finish_count(out);
	ret = submit_batch(out);
	pthread_mutex_lock(&out->lock);
	while (out->nr_queued)
		pthread_cond_wait(&out->changed, &out->lock);
	if (!ret)
		ret = out->error;
	pthread_mutex_unlock(&out->lock);
	return ret;
}

void send_output_destroy(struct send_output *out)
{
	struct send_batch *batch, *next_batch;
	struct send_reader *reader, *next_reader;

	if (!out)
		return;
	pthread_mutex_lock(&out->lock);
	/* Whoever comes here without send_output_finish() wants no more of the stream. */
	if (!out->error)
		out->error = -ECANCELED;
	while (out->nr_queued)
		pthread_cond_wait(&out->changed, &out->lock);
	pthread_mutex_unlock(&out->lock);
	free_batch(out->cur);
	list_for_each_entry_safe(batch, next_batch, &out->free, list)
		free_batch(batch);
	list_for_each_entry_safe(reader, next_reader, &out->readers, list)
		send_reader_free(reader);
	pthread_cond_destroy(&out->changed);
	pthread_mutex_destroy(&out->lock);
	free(out);
}
