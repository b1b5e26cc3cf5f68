/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The way of a send stream out of the process.
 *
 * What a stream looks like depends on metadata alone, so one thread lays it
 * out command by command, and leaves gaps where file data belongs.  Batches of
 * about a megabyte then go to the worker threads, which read the data straight
 * into the gaps (in physical order, neighbours in one request), verify and
 * decompress it and add the checksums of the commands.  Finished batches are
 * written in order by whichever worker finds the next one ready.
 *
 * All functions are for the one thread that lays out.  Errors stick: after the
 * first every call returns it.
 */
#ifndef KERNEL_SHARED_SEND_OUTPUT_H
#define KERNEL_SHARED_SEND_OUTPUT_H

#include "kernel-shared/fs.h"
#include "kernel-shared/send-stream.h"

struct progress;
struct send_output;

typedef int (*send_write_fn)(void *ctx, const void *buf, size_t len);

/*
 * Without @write the bytes are only counted: then no data is read, and nothing
 * is left to the workers.  From more than @max_count bytes on (else not looked
 * at) every call returns -EFBIG.
 */
int send_output_create(struct btrfs_fs_info *fs_info, u32 proto, send_write_fn write,
		       void *write_ctx, u64 max_count, struct send_output **ret);
/* Tell @progress, unless it is NULL, of all that is written or counted. */
void send_output_set_progress(struct send_output *out, struct progress *progress);
/* Write what is left and wait for it.  0 or the first error. */
int send_output_finish(struct send_output *out);
/* What was counted, after send_output_finish(). */
u64 send_output_count(const struct send_output *out);
/* Waits for work under way; NULL is fine. */
void send_output_destroy(struct send_output *out);

/* Raw bytes, for the stream header. */
int send_output_raw(struct send_output *out, const void *bytes, u32 len);

/*
 * A command: begin it, put its attributes, end it.  -EOVERFLOW when it does not
 * fit into what the protocol allows, as in the kernel.
 */
int send_cmd_begin(struct send_output *out, enum btrfs_send_cmd cmd);
int send_put(struct send_output *out, enum btrfs_send_attr attr, const void *data, u32 len);
int send_put_u32(struct send_output *out, enum btrfs_send_attr attr, u32 value);
int send_put_u64(struct send_output *out, enum btrfs_send_attr attr, u64 value);
int send_cmd_end(struct send_output *out);

/*
 * The data attribute, always the last of its command.  send_put_data() returns
 * where the caller itself puts the @len bytes before it ends the command.
 */
int send_put_data(struct send_output *out, u32 len, u8 **data);

/* Where the data of a gap comes from. */
struct send_extent_source {
	u64 disk_bytenr;	/* of the whole extent, as all fields to ram_bytes */
	u64 disk_num_bytes;
	u64 ram_bytes;
	u8 compression;
	bool encoded;		/* wanted as it stands on disk, compressed */
	bool nodatasum;
	u64 offset;		/* into the (decompressed) extent, where the data starts */

	/* What it is for, in case that it cannot be read. */
	u64 ino;
	u64 file_offset;	/* of the byte at @offset or, if encoded, of what it stands for */
	u32 encoded_file_len;	/* bytes of the file that an encoded write stands for */
	bool appends;		/* the receiver's file ends at @file_offset or before */
};

/*
 * The data attribute again, but a worker fills it; ends the command.  @source
 * says where the first of the @len bytes is.  Sources that continue one another
 * are read together.
 */
int send_put_extent_data(struct send_output *out, const struct send_extent_source *source,
			 u32 len);

/*
 * Leave data out that has no good copy, instead of failing; see send-damage.h.
 * Before the first command; @damage must live as long as @out.
 */
struct send_damage;
struct send_bad_range;
struct send_clone_note;
void send_output_skip_damaged(struct send_output *out, struct send_damage *damage);
/*
 * Notes about the command that was ended last: what it does without (ino to
 * packed are taken), and what it clones from the sent subvolume itself.
 */
int send_note_left_out(struct send_output *out, const struct send_bad_range *range);
int send_note_clone(struct send_output *out, const struct send_clone_note *clone);

#endif
