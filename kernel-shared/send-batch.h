/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A batch of the send stream: what send-output.c lays out, send-data.c fills
 * and send-damage.c writes around.  Private to the three.
 */
#ifndef KERNEL_SHARED_SEND_BATCH_H
#define KERNEL_SHARED_SEND_BATCH_H

#include "common/hash.h"
#include "common/list.h"
#include "common/vec.h"
#include "kernel-shared/compression.h"
#include "kernel-shared/extent-io.h"
#include "kernel-shared/send-damage.h"
#include "kernel-shared/send-output.h"

/* A place in the batch for file data, the end of one command. */
struct send_gap {
	u32 cmd_pos;		/* of the command's header */
	u32 data_pos;
	u32 len;
	u32 file_len;		/* bytes of the file that these stand for: @len unless @encoded */
	u64 ino;
	u64 file_offset;
	bool encoded;
	bool appends;		/* the receiver's file ends at @file_offset or before */
};

/* Gaps that one extent fills, one after the other. */
struct send_task {
	struct send_extent_source source;
	u64 len;		/* bytes in all gaps */
	u32 first_gap;
	u32 nr_gaps;
};

struct send_batch {
	struct list_head list;
	struct send_output *out;
	bool ready;		/* under the output's lock */
	int error;		/* why it could not be filled; its turn comes in stream order */
	char message[1400];	/* what to say then; empty: it has been said */
	u8 *buf;
	u32 len;
	struct vec gaps;	/* of struct send_gap */
	struct vec tasks;	/* of struct send_task */

	bool skip_damaged;	/* what cannot be read is no error but left out */
	struct vec bad;		/* of struct send_bad_range */
	struct vec clones;	/* of struct send_clone_note, in stream order */
};

/* What a worker needs to fill batches; one worker at a time uses it. */
struct send_reader {
	struct list_head list;
	struct btrfs_data_reader data;
	struct btrfs_decompressor *decompressor;
	u8 *disk_buf;			/* what is read but not straight into a gap */
	u8 *ram_buf;			/* one decompressed extent */
	u32 *sector_crcs;
	struct crc32c_shift sector_shift;
};

struct send_reader *send_reader_create(struct btrfs_fs_info *fs_info);
void send_reader_free(struct send_reader *reader);

/*
 * Read all data that @batch wants into its gaps and complete the checksums of
 * the commands.  On failure batch->message names path, file offset and address;
 * with skip_damaged what has no good copy is zeros in the gaps, and batch->bad
 * says what that is, in the order of the stream.
 */
int send_fill_batch(struct send_reader *reader, struct send_batch *batch);

#endif
