// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writing a batch around the data that is left out of it, and telling the user
 * what that was; see the header.
 */
#include "kernel-shared/send-damage.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/hash.h"
#include "common/message.h"
#include "common/string-utils.h"
#include "kernel-shared/compression.h"
#include "kernel-shared/namei.h"
#include "kernel-shared/send-batch.h"

/* All of it belongs to whoever is writing. */
struct send_damage {
	struct btrfs_root *root;
	u32 proto;
	struct btrfs_send_left_out *total;
	/*
	 * All there has been so far, for the clones that follow.  Inodes and
	 * their data are sent in ascending order, so this is sorted by both.
	 */
	struct vec ranges;		/* of struct send_bad_range */
	struct send_bad_range line;	/* not printed yet, as it may grow; without length: none */
	u8 cmd[BTRFS_SEND_BUF_SIZE_V2];	/* a command that takes the place of another */
	u32 cmd_len;
};

struct send_damage *send_damage_create(struct btrfs_root *root, u32 proto,
				       struct btrfs_send_left_out *total)
{
	struct send_damage *damage = calloc(1, sizeof(*damage));

	if (!damage)
		return NULL;
	damage->root = root;
	damage->proto = proto;
	damage->total = total;
	vec_init(&damage->ranges, sizeof(struct send_bad_range));
	return damage;
}

const char *send_damaged_data_text(u8 compression)
{
	switch (compression) {
	case BTRFS_COMPRESS_ZLIB:
		return "damaged zlib data";
	case BTRFS_COMPRESS_LZO:
		return "damaged lzo data";
	case BTRFS_COMPRESS_ZSTD:
		return "damaged zstd data";
	default:
		return "data of an unknown compression";
	}
}

/* ---- ranges ---- */

int send_cmp_bad_range(const void *a, const void *b)
{
	const struct send_bad_range *x = a, *y = b;

	if (x->cmd_pos != y->cmd_pos)
		return x->cmd_pos < y->cmd_pos ? -1 : 1;
	return x->file_offset < y->file_offset ? -1 : x->file_offset > y->file_offset;
}

static bool is_neighbour(const struct send_bad_range *range, const struct send_bad_range *next)
{
	return range->ino == next->ino && range->file_offset + range->len == next->file_offset &&
	       range->why == next->why;
}

/* Neighbours whose logical addresses go on as well (or are the same, if packed). */
static bool continues(const struct send_bad_range *range, const struct send_bad_range *next)
{
	return is_neighbour(range, next) && range->packed == next->packed &&
	       range->logical + (range->packed ? 0 : range->len) == next->logical;
}

int send_note_bad_range(struct vec *ranges, const struct send_bad_range *range)
{
	struct send_bad_range *last = vec_last(ranges);

	if (!last || last->cmd_pos != range->cmd_pos || !continues(last, range))
		return vec_push_copy(ranges, range);
	last->len += range->len;
	return 0;
}

/* ---- the listing ---- */

static void print_line(struct send_damage *damage)
{
	const struct send_bad_range *line = &damage->line;
	char escaped[1024], *path;

	if (!line->len)
		return;
	/* Not the stream's name for it, which may be a temporary one. */
	if (btrfs_inode_path(damage->root, line->ino, &path)) {
		snprintf(escaped, sizeof(escaped), "inode %llu", line->ino);
	} else {
		escape_path(path, strlen(path), escaped, sizeof(escaped));
		free(path);
	}
	warning("left out %s: offset %llu, %llu bytes: %s at logical address %llu", escaped,
		line->file_offset, line->len, line->why, line->logical);
	damage->line.len = 0;
}

static int list_range(struct send_damage *damage, const struct send_bad_range *range)
{
	const struct send_bad_range *last = vec_last(&damage->ranges);
	struct send_bad_range copy = *range;

	damage->total->bytes += range->len;
	if (!last || last->ino != range->ino)
		damage->total->files++;
	if (damage->line.len && is_neighbour(&damage->line, range)) {
		damage->line.len += range->len;
	} else {
		print_line(damage);
		damage->line = *range;
	}
	/* Positions in a batch mean nothing any more. */
	copy.cmd_pos = 0;
	copy.gap = SEND_NO_GAP;
	return send_note_bad_range(&damage->ranges, &copy);
}

/* The first range that ends behind @offset of @ino. */
static size_t find_range(const struct vec *ranges, u64 ino, u64 offset)
{
	size_t low = 0, high = ranges->nr;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct send_bad_range *range = vec_at(ranges, mid);

		if (range->ino < ino ||
		    (range->ino == ino && range->file_offset + range->len <= offset))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* What is missing from the source of a clone is missing from its target. */
static int list_clone(struct send_damage *damage, const struct send_clone_note *clone)
{
	size_t nr = damage->ranges.nr;	/* without what is added here */
	u64 src_end = clone->src_offset + clone->len;
	int ret = 0;

	for (size_t i = find_range(&damage->ranges, clone->src_ino, clone->src_offset);
	     i < nr && !ret; i++) {
		struct send_bad_range range =
			*(const struct send_bad_range *)vec_at(&damage->ranges, i);
		u64 from = max(range.file_offset, clone->src_offset);
		u64 to = min(range.file_offset + range.len, src_end);

		if (range.ino != clone->src_ino || from >= to)
			break;
		if (!range.packed)
			range.logical += from - range.file_offset;
		range.ino = clone->ino;
		range.file_offset = clone->file_offset + (from - clone->src_offset);
		range.len = to - from;
		ret = list_range(damage, &range);
	}
	return ret;
}

void send_damage_free(struct send_damage *damage)
{
	if (!damage)
		return;
	print_line(damage);
	vec_free(&damage->ranges);
	free(damage);
}

/* ---- other commands instead ---- */

struct batch_writer {
	struct send_damage *damage;
	const struct send_batch *batch;
	send_write_fn write;
	void *write_ctx;
	u32 done;		/* bytes of the batch that are written or replaced */
};

static int write_up_to(struct batch_writer *writer, u32 pos)
{
	const u8 *from = writer->batch->buf + writer->done;
	u32 len = pos - writer->done;

	writer->done = pos;
	return len ? writer->write(writer->write_ctx, from, len) : 0;
}

/* Begin a command about the same path as that of @gap. */
static void begin_cmd(struct batch_writer *writer, const struct send_gap *gap,
		      enum btrfs_send_cmd cmd)
{
	const struct btrfs_cmd_header header = { .cmd = htole16((u16)cmd) };
	/* The path is the first attribute of every command with data. */
	const u8 *attr = writer->batch->buf + gap->cmd_pos + sizeof(header);
	u32 attr_len = (u32)sizeof(struct btrfs_tlv_header) + get_unaligned_le16(attr + 2);
	struct send_damage *damage = writer->damage;

	memcpy(damage->cmd, &header, sizeof(header));
	memcpy(damage->cmd + sizeof(header), attr, attr_len);
	damage->cmd_len = (u32)sizeof(header) + attr_len;
}

static void put_u64(struct send_damage *damage, enum btrfs_send_attr attr, u64 value)
{
	u8 *at = damage->cmd + damage->cmd_len;

	put_unaligned_le16((u16)attr, at);
	put_unaligned_le16(sizeof(value), at + 2);
	put_unaligned_le64(value, at + 4);
	damage->cmd_len += 4 + (u32)sizeof(value);
}

static int end_cmd(struct batch_writer *writer)
{
	struct send_damage *damage = writer->damage;

	put_unaligned_le32(damage->cmd_len - (u32)sizeof(struct btrfs_cmd_header), damage->cmd);
	put_unaligned_le32(crc32c(0, damage->cmd, damage->cmd_len),
			   damage->cmd + offsetof(struct btrfs_cmd_header, crc));
	return writer->write(writer->write_ctx, damage->cmd, damage->cmd_len);
}

/* Lengthen the file without data. */
static int write_truncate(struct batch_writer *writer, const struct send_gap *gap, u64 size)
{
	begin_cmd(writer, gap, BTRFS_SEND_C_TRUNCATE);
	put_u64(writer->damage, BTRFS_SEND_A_SIZE, size);
	return end_cmd(writer);
}

/* Write @len bytes to the file, from @pos of the gap's range on; @data NULL: zeros. */
static int write_data(struct batch_writer *writer, const struct send_gap *gap, u32 pos,
		      const u8 *data, u32 len)
{
	struct send_damage *damage = writer->damage;
	u8 *at;

	begin_cmd(writer, gap, BTRFS_SEND_C_WRITE);
	put_u64(damage, BTRFS_SEND_A_FILE_OFFSET, gap->file_offset + pos);
	at = damage->cmd + damage->cmd_len;
	put_unaligned_le16(BTRFS_SEND_A_DATA, at);
	at += 2;
	if (damage->proto < 2) {
		put_unaligned_le16((u16)len, at);
		at += 2;
	}
	/* Only what an encoded write stood for may be longer than the command it replaces. */
	if (len > (size_t)(damage->cmd + sizeof(damage->cmd) - at))
		return -EOVERFLOW;
	if (data)
		memcpy(at, data, len);
	else
		memset(at, 0, len);
	damage->cmd_len = (u32)(at - damage->cmd) + len;
	return end_cmd(writer);
}

/*
 * Where the receiver's file ends before the gap, good parts are written and bad
 * ones left out; the write behind one makes the hole.
 */
static int write_good_parts(struct batch_writer *writer, const struct send_gap *gap,
			    const struct send_bad_range *bad, u32 nr)
{
	const u8 *data = writer->batch->buf + gap->data_pos;
	u32 pos = 0;
	int ret = 0;

	for (u32 i = 0; i < nr && !ret; i++) {
		u32 start = (u32)(bad[i].file_offset - gap->file_offset);

		if (start > pos)
			ret = write_data(writer, gap, pos, data + pos, start - pos);
		pos = start + (u32)bad[i].len;
	}
	if (ret)
		return ret;
	if (pos < gap->len)
		return write_data(writer, gap, pos, data + pos, gap->len - pos);
	return write_truncate(writer, gap, gap->file_offset + gap->len);
}

/* The command of a gap of which the @nr ranges @bad are left out. */
static int write_damaged_gap(struct batch_writer *writer, const struct send_gap *gap,
			     const struct send_bad_range *bad, u32 nr)
{
	int ret;

	/* The zeros are in the gap. */
	if (!gap->appends && !gap->encoded)
		return 0;
	ret = write_up_to(writer, gap->cmd_pos);
	writer->done = gap->data_pos + gap->len;
	if (ret)
		return ret;
	if (!gap->encoded)
		return write_good_parts(writer, gap, bad, nr);
	if (gap->appends)
		return write_truncate(writer, gap, gap->file_offset + gap->file_len);
	return write_data(writer, gap, 0, NULL, gap->file_len);
}

/* The ranges of the command that @bad[0] belongs to; *@used tells how many. */
static int write_around(struct batch_writer *writer, const struct send_bad_range *bad, size_t nr,
			size_t *used)
{
	size_t i = 0;
	int ret = 0;

	while (i < nr && bad[i].cmd_pos == bad[0].cmd_pos && !ret)
		ret = list_range(writer->damage, &bad[i++]);
	*used = i;
	if (ret || bad[0].gap == SEND_NO_GAP)
		return ret;
	return write_damaged_gap(writer, vec_at(&writer->batch->gaps, bad[0].gap), bad, (u32)i);
}

int send_damage_write_batch(struct send_damage *damage, const struct send_batch *batch,
			    send_write_fn write, void *write_ctx)
{
	struct batch_writer writer = {
		.damage = damage, .batch = batch, .write = write, .write_ctx = write_ctx,
	};
	const struct send_bad_range *bad = batch->bad.data;
	const struct send_clone_note *clones = batch->clones.data;
	size_t nr_bad = batch->bad.nr, nr_clones = batch->clones.nr, used;
	int ret = 0;

	while ((nr_bad || nr_clones) && !ret) {
		if (nr_bad && (!nr_clones || bad->cmd_pos < clones->cmd_pos)) {
			ret = write_around(&writer, bad, nr_bad, &used);
			bad += used;
			nr_bad -= used;
		} else {
			ret = list_clone(damage, clones++);
			nr_clones--;
		}
	}
	return ret ? ret : write_up_to(&writer, batch->len);
}
