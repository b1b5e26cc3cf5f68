// SPDX-License-Identifier: GPL-2.0-only
/*
 * Filling the gaps of a batch with file data.
 *
 * The tasks of a batch are sorted by place on disk and neighbours are read with
 * one request.  Plain data goes straight into the gaps; what cannot (compressed
 * extents, the sector at an unaligned end) goes through a buffer.  With crc32c
 * checksums every byte is hashed once: the checksums of the sectors, computed
 * to verify them, are put together to the checksum of the command.
 *
 * A request that fails ends the send or, with skip_damaged, is taken apart down
 * to the sectors that are bad.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/string-utils.h"
#include "kernel-shared/send-batch.h"

/* What one request may span, and what of it may go through the buffer. */
#define GROUP_MAX_BYTES		(2 * SZ_1M)
#define GROUP_MAX_IOV		512U
#define DISK_BUF_BYTES		(2 * SZ_1M)

/* A task with what its reading needs. */
struct task_read {
	struct send_task *task;
	u64 logical;		/* first sector to read */
	u64 len;		/* bytes, whole sectors */
	bool direct;		/* gaps are filled by the read itself */
	u32 buf_pos;		/* in disk_buf: of everything, or of the last sector if direct */
	u32 first_sector;	/* index into sector_crcs */
};

struct send_reader *send_reader_create(struct btrfs_fs_info *fs_info)
{
	struct send_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return NULL;
	btrfs_data_reader_init(&reader->data, fs_info);
	crc32c_shift_init(&reader->sector_shift, fs_info->sectorsize);
	reader->decompressor = btrfs_decompressor_create();
	reader->disk_buf = malloc(DISK_BUF_BYTES);
	reader->ram_buf = malloc(BTRFS_MAX_COMPRESSED);
	reader->sector_crcs = calloc(GROUP_MAX_BYTES / SZ_4K, sizeof(u32));
	if (!reader->decompressor || !reader->disk_buf || !reader->ram_buf ||
	    !reader->sector_crcs) {
		send_reader_free(reader);
		return NULL;
	}
	return reader;
}

void send_reader_free(struct send_reader *reader)
{
	if (!reader)
		return;
	btrfs_data_reader_release(&reader->data);
	btrfs_decompressor_free(reader->decompressor);
	free(reader->disk_buf);
	free(reader->ram_buf);
	free(reader->sector_crcs);
	free(reader);
}

static struct send_gap *task_gap(const struct send_batch *batch, const struct send_task *task,
				 u32 index)
{
	return vec_at(&batch->gaps, task->first_gap + index);
}

/* Of such an extent nothing is worth anything when a part is damaged. */
static bool is_packed(const struct send_task *task)
{
	return task->source.compression != BTRFS_COMPRESS_NONE;
}

static bool is_compressed(const struct send_task *task)
{
	return task->source.compression != BTRFS_COMPRESS_NONE && !task->source.encoded;
}

/* Sectors and gaps have the same borders, except perhaps at the end of the last gap. */
static bool gaps_are_sectors(const struct send_batch *batch, const struct send_task *task,
			     u32 sectorsize)
{
	if (!IS_ALIGNED(task->source.offset, sectorsize))
		return false;
	for (u32 i = 0; i + 1 < task->nr_gaps; i++)
		if (!IS_ALIGNED(task_gap(batch, task, i)->len, sectorsize))
			return false;
	return true;
}

static void prepare_task(const struct btrfs_fs_info *fs_info, const struct send_batch *batch,
			 struct send_task *task, struct task_read *read)
{
	u32 sectorsize = fs_info->sectorsize;

	read->task = task;
	if (is_compressed(task)) {
		read->logical = task->source.disk_bytenr;
		read->len = round_up(task->source.disk_num_bytes, sectorsize);
		read->direct = false;
		return;
	}
	read->logical = task->source.disk_bytenr + round_down(task->source.offset, sectorsize);
	read->len = round_up(task->source.offset % sectorsize + task->len, sectorsize);
	read->direct = gaps_are_sectors(batch, task, sectorsize);
}

/* Bytes of disk_buf that the task needs. */
static u32 buf_bytes(const struct task_read *read, u32 sectorsize)
{
	return read->direct ? sectorsize : (u32)read->len;
}

static int cmp_task_read(const void *a, const void *b)
{
	const struct task_read *x = a, *y = b;

	return x->logical < y->logical ? -1 : x->logical > y->logical;
}

/* One request: neighbouring tasks and where their bytes go. */
struct read_group {
	struct iovec iov[GROUP_MAX_IOV];
	u32 nr_iov;
	u64 logical;
	u64 len;
	u32 buf_used;
};

static bool group_takes(const struct read_group *group, const struct task_read *first,
			const struct task_read *read, u32 sectorsize)
{
	return read->logical == group->logical + group->len &&
	       read->task->source.nodatasum == first->task->source.nodatasum &&
	       group->len + read->len <= GROUP_MAX_BYTES &&
	       group->nr_iov + read->task->nr_gaps + 1 <= GROUP_MAX_IOV &&
	       group->buf_used + buf_bytes(read, sectorsize) <= DISK_BUF_BYTES;
}

static void add_iov(struct read_group *group, void *base, size_t len)
{
	if (len)
		group->iov[group->nr_iov++] = (struct iovec){ base, len };
}

static void group_add(struct send_reader *reader, const struct send_batch *batch,
		      struct read_group *group, struct task_read *read)
{
	u32 sectorsize = reader->data.fs_info->sectorsize;

	read->first_sector = (u32)(group->len / sectorsize);
	read->buf_pos = group->buf_used;
	group->buf_used += buf_bytes(read, sectorsize);
	group->len += read->len;
	if (!read->direct) {
		add_iov(group, reader->disk_buf + read->buf_pos, read->len);
		return;
	}
	for (u32 i = 0; i < read->task->nr_gaps; i++) {
		const struct send_gap *gap = task_gap(batch, read->task, i);

		add_iov(group, batch->buf + gap->data_pos, round_down(gap->len, sectorsize));
		if (!IS_ALIGNED(gap->len, sectorsize))	/* the last one */
			add_iov(group, reader->disk_buf + read->buf_pos, sectorsize);
	}
}

/* The path that the command at @pos is about, made printable. */
static void cmd_path(const struct send_batch *batch, u32 pos, char *out, size_t size)
{
	const u8 *attr = batch->buf + pos + sizeof(struct btrfs_cmd_header);

	/* The path is the first attribute of every command with data. */
	escape_path((const char *)attr + sizeof(struct btrfs_tlv_header),
		    get_unaligned_le16(attr + 2), out, size);
}

static void report_bad_gap(struct send_batch *batch, const struct send_gap *gap, u64 pos,
			   u64 logical, const char *why)
{
	char path[1024];

	cmd_path(batch, gap->cmd_pos, path, sizeof(path));
	snprintf(batch->message, sizeof(batch->message),
		 "cannot read %s at offset %llu: %s at logical address %llu", path,
		 gap->file_offset + pos, why, logical);
}

static void report_bad_data(struct send_batch *batch, const struct task_read *reads, u32 nr,
			    u64 logical, const char *why)
{
	const struct task_read *read = reads;
	const struct send_task *task;
	u64 start, pos;
	u32 i = 0;

	while (nr-- > 1 && logical >= read->logical + read->len)
		read++;
	task = read->task;
	start = task->source.disk_bytenr + task->source.offset;
	pos = is_packed(task) || logical < start ? 0 : logical - start;
	/* One extent may fill gaps of several files. */
	for (; i + 1 < task->nr_gaps && pos >= task_gap(batch, task, i)->len; i++)
		pos -= task_gap(batch, task, i)->len;
	report_bad_gap(batch, task_gap(batch, task, i), pos, logical, why);
}

static void put_crc(struct send_batch *batch, const struct send_gap *gap, u32 crc)
{
	put_unaligned_le32(crc, batch->buf + gap->cmd_pos + offsetof(struct btrfs_cmd_header, crc));
}

/* The checksum of a command whose data was not hashed yet. */
static void finish_gap(struct send_batch *batch, const struct send_gap *gap)
{
	const u8 *cmd = batch->buf + gap->cmd_pos;

	put_crc(batch, gap, crc32c(0, cmd, gap->data_pos + gap->len - gap->cmd_pos));
}

/* The same from the checksums of the sectors; returns how many there were. */
static u32 finish_gap_by_sectors(struct send_reader *reader, struct send_batch *batch,
				 const struct send_gap *gap, u32 sector)
{
	u32 nr_whole = gap->len / reader->data.fs_info->sectorsize;
	u32 tail = gap->len % reader->data.fs_info->sectorsize;
	u32 crc = crc32c(0, batch->buf + gap->cmd_pos, gap->data_pos - gap->cmd_pos);

	for (u32 i = 0; i < nr_whole; i++)
		crc = crc32c_shift(&reader->sector_shift, crc) ^ reader->sector_crcs[sector + i];
	if (tail)
		crc = crc32c(crc, batch->buf + gap->data_pos + gap->len - tail, tail);
	put_crc(batch, gap, crc);
	return nr_whole + (tail != 0);
}

static void finish_direct(struct send_reader *reader, struct send_batch *batch,
			  const struct task_read *read, bool have_crcs)
{
	u32 sectorsize = reader->data.fs_info->sectorsize;
	u32 sector = read->first_sector;

	for (u32 i = 0; i < read->task->nr_gaps; i++) {
		const struct send_gap *gap = task_gap(batch, read->task, i);
		u32 tail = gap->len % sectorsize;

		memcpy(batch->buf + gap->data_pos + gap->len - tail,
		       reader->disk_buf + read->buf_pos, tail);
		if (have_crcs)
			sector += finish_gap_by_sectors(reader, batch, gap, sector);
		else
			finish_gap(batch, gap);
	}
}

/* Deal @data, the bytes of all gaps in one piece, out to the gaps. */
static void finish_from(struct send_batch *batch, const struct send_task *task, const u8 *data)
{
	for (u32 i = 0; i < task->nr_gaps; i++) {
		const struct send_gap *gap = task_gap(batch, task, i);

		if (data)
			memcpy(batch->buf + gap->data_pos, data, gap->len);
		finish_gap(batch, gap);
		if (data)
			data += gap->len;
	}
}

/* Bytes [start, end) of a task without compression are left out. */
static int note_bad_bytes(struct send_batch *batch, const struct send_task *task, u64 start,
			  u64 end, const char *why)
{
	u64 pos = 0;
	int ret = 0;

	for (u32 i = 0; i < task->nr_gaps && !ret; i++) {
		const struct send_gap *gap = task_gap(batch, task, i);
		u64 from = max(start, pos), to = min(end, pos + gap->len);
		struct send_bad_range range = {
			.ino = gap->ino, .file_offset = gap->file_offset + (from - pos),
			.len = to - from, .why = why,
			.logical = task->source.disk_bytenr + task->source.offset + from,
			.cmd_pos = gap->cmd_pos, .gap = task->first_gap + i,
		};

		if (from < to)
			ret = send_note_bad_range(&batch->bad, &range);
		pos += gap->len;
	}
	return ret;
}

/* Leave out all that a compressed extent was wanted for. */
static int leave_out_packed(struct send_reader *reader, struct send_batch *batch,
			    const struct send_task *task, u64 logical, const char *why)
{
	int ret = 0;

	for (u32 i = 0; i < task->nr_gaps && !ret; i++) {
		const struct send_gap *gap = task_gap(batch, task, i);
		struct send_bad_range range = {
			.ino = gap->ino, .file_offset = gap->file_offset, .len = gap->file_len,
			.logical = logical, .why = why, .packed = true,
			.cmd_pos = gap->cmd_pos, .gap = task->first_gap + i,
		};

		ret = send_note_bad_range(&batch->bad, &range);
	}
	/* An encoded write cannot stay, whatever its data. */
	if (ret || task->source.encoded)
		return ret;
	memset(reader->ram_buf, 0, task->len);
	finish_from(batch, task, reader->ram_buf);
	return 0;
}

static int finish_compressed(struct send_reader *reader, struct send_batch *batch,
			     const struct task_read *read)
{
	const struct send_task *task = read->task;
	const struct send_extent_source *source = &task->source;
	const struct send_gap *gap = task_gap(batch, task, 0);
	bool whole = task->nr_gaps == 1 && source->offset == 0 && gap->len == source->ram_bytes;
	u8 *out = whole ? batch->buf + gap->data_pos : reader->ram_buf;
	const char *why = send_damaged_data_text(source->compression);
	int ret;

	ret = btrfs_decompress(reader->decompressor, source->compression,
			       reader->disk_buf + read->buf_pos, source->disk_num_bytes, out,
			       source->ram_bytes, reader->data.fs_info->sectorsize, false);
	if (ret && batch->skip_damaged)
		return leave_out_packed(reader, batch, task, source->disk_bytenr, why);
	if (ret) {
		report_bad_gap(batch, gap, 0, source->disk_bytenr, why);
		return -EIO;
	}
	finish_from(batch, task, whole ? NULL : reader->ram_buf + source->offset);
	return 0;
}

static int finish_task(struct send_reader *reader, struct send_batch *batch,
		       const struct task_read *read, bool have_crcs)
{
	if (is_compressed(read->task))
		return finish_compressed(reader, batch, read);
	if (read->direct)
		finish_direct(reader, batch, read, have_crcs);
	else
		finish_from(batch, read->task, reader->disk_buf + read->buf_pos +
			    read->task->source.offset % reader->data.fs_info->sectorsize);
	return 0;
}

/* Read @len bytes of one task, from @at on, into the buffer. */
static int read_part(struct send_reader *reader, const struct task_read *read, u64 at, u64 len,
		     u64 *bad_logical, const char **why)
{
	const struct iovec iov = { reader->disk_buf + at, len };

	return btrfs_read_data(&reader->data, read->logical + at, len, &iov, 1,
			       !read->task->source.nodatasum, NULL, bad_logical, why);
}

/* Read every sector by itself; those that are bad become zeros. */
static int salvage_sectors(struct send_reader *reader, struct send_batch *batch,
			   const struct task_read *read)
{
	u32 sectorsize = reader->data.fs_info->sectorsize;
	u64 before = read->task->source.offset % sectorsize;
	u64 bad_logical;
	const char *why;

	for (u64 at = 0; at < read->len; at += sectorsize) {
		int ret = read_part(reader, read, at, sectorsize, &bad_logical, &why);

		if (!ret)
			continue;
		if (!why)
			return ret;
		memset(reader->disk_buf + at, 0, sectorsize);
		ret = note_bad_bytes(batch, read->task, at > before ? at - before : 0,
				     at + sectorsize - before, why);
		if (ret)
			return ret;
	}
	return 0;
}

/* One task of a request that failed. */
static int salvage_task(struct send_reader *reader, struct send_batch *batch,
			struct task_read *read)
{
	u64 bad_logical;
	const char *why;
	int ret;

	/* What a batch wants of one extent fits into the buffer. */
	read->direct = false;
	read->buf_pos = 0;
	ret = read_part(reader, read, 0, read->len, &bad_logical, &why);
	if (ret && !why)
		return ret;
	if (ret && is_packed(read->task))
		return leave_out_packed(reader, batch, read->task, bad_logical, why);
	if (ret)
		ret = salvage_sectors(reader, batch, read);
	return ret ? ret : finish_task(reader, batch, read, false);
}

/* Read as many of @reads as are neighbours; *@done tells how many. */
static int fill_group(struct send_reader *reader, struct send_batch *batch,
		      struct task_read *reads, u32 nr, u32 *done)
{
	struct btrfs_fs_info *fs_info = reader->data.fs_info;
	bool verify = !reads[0].task->source.nodatasum;
	struct read_group group = { .logical = reads[0].logical };
	const char *why;
	u64 bad_logical;
	u32 i = 0;
	int ret;

	do
		group_add(reader, batch, &group, &reads[i++]);
	while (i < nr && group_takes(&group, &reads[0], &reads[i], fs_info->sectorsize));
	*done = i;
	ret = btrfs_read_data(&reader->data, group.logical, group.len, group.iov,
			      (int)group.nr_iov, verify, reader->sector_crcs, &bad_logical, &why);
	if (unlikely(ret && why && batch->skip_damaged)) {
		for (i = 0, ret = 0; i < *done && !ret; i++)
			ret = salvage_task(reader, batch, &reads[i]);
		return ret;
	}
	if (ret && why)
		report_bad_data(batch, reads, *done, bad_logical, why);
	if (ret)
		return ret;
	for (i = 0; i < *done && !ret; i++)
		ret = finish_task(reader, batch, &reads[i],
				  verify && fs_info->csum_type == BTRFS_CSUM_TYPE_CRC32);
	return ret;
}

int send_fill_batch(struct send_reader *reader, struct send_batch *batch)
{
	u32 nr = (u32)batch->tasks.nr, done = 0;
	struct task_read *reads = malloc(nr * sizeof(*reads));
	int ret = 0;

	if (!reads)
		return -ENOMEM;
	for (u32 i = 0; i < nr; i++)
		prepare_task(reader->data.fs_info, batch, vec_at(&batch->tasks, i), &reads[i]);
	qsort(reads, nr, sizeof(*reads), cmp_task_read);
	for (u32 i = 0; i < nr && !ret; i += done)
		ret = fill_group(reader, batch, reads + i, nr - i, &done);
	free(reads);
	vec_sort(&batch->bad, send_cmp_bad_range);
	return ret;
}
