/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sending in spite of damage: what happens to file data that no copy has.
 *
 * Workers find out what cannot be read (send-data.c) and leave a note of it
 * with their batch.  Whoever writes the batch puts other commands in the place
 * of those that wanted it, so that the receiver reads zeros there and every
 * file has its size after each command as it would have without damage.  So all
 * that follows in the stream, clones included, works as it was laid out.
 *
 * Where the receiver's file ends before the place, it is lengthened without
 * data: a hole.  Where the receiver may have older data, zeros are written.
 *
 * What is left out is said in the order of the stream, neighbours in one line.
 */
#ifndef KERNEL_SHARED_SEND_DAMAGE_H
#define KERNEL_SHARED_SEND_DAMAGE_H

#include "common/vec.h"
#include "kernel-shared/send-output.h"
#include "kernel-shared/send.h"

struct send_batch;
struct send_damage;

/* Bytes of a file that are left out. */
struct send_bad_range {
	u64 ino;
	u64 file_offset;
	u64 len;
	u64 logical;		/* of the first byte or, if packed, where the damage is */
	const char *why;	/* static */
	bool packed;		/* part of a compressed extent, which is good or bad as a whole */
	/* Which command of the batch wanted them. */
	u32 cmd_pos;
	u32 gap;		/* index, or SEND_NO_GAP: it was laid out without them */
};

#define SEND_NO_GAP	((u32)-1)

/*
 * A clone from the sent subvolume itself.  What is left out of its source is
 * missing from its target as well.
 */
struct send_clone_note {
	u32 cmd_pos;
	u64 ino;
	u64 file_offset;
	u64 len;
	u64 src_ino;
	u64 src_offset;
};

/* *@total is added to while the stream is written.  NULL: no memory. */
struct send_damage *send_damage_create(struct btrfs_root *root, u32 proto,
				       struct btrfs_send_left_out *total);
/* Says what has not been said yet; NULL is fine. */
void send_damage_free(struct send_damage *damage);

/*
 * Write @batch, which has notes, by calls of @write.  Batches come in stream
 * order, one at a time, whatever the thread.
 */
int send_damage_write_batch(struct send_damage *damage, const struct send_batch *batch,
			    send_write_fn write, void *write_ctx);

/* What is wrong with data that cannot be unpacked: "damaged zlib data". */
const char *send_damaged_data_text(u8 compression);

/* For vec_sort(): as the stream goes. */
int send_cmp_bad_range(const void *a, const void *b);

/* Append a note, or lengthen the last one of the same command.  -ENOMEM. */
int send_note_bad_range(struct vec *ranges, const struct send_bad_range *range);

#endif
