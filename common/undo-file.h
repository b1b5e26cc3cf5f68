/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Undo files: what a device was like before an operation wrote to it (--undo), and
 * how to put that back (rescue undo).  undo-format.h describes the file.
 *
 * Writing is for the undo device (blockdev-undo.h), which decides what is saved
 * and when.  A command makes the writer, opens its devices through
 * blockdev_open_undo(), closes them when it is done, and then the writer.
 */
#ifndef COMMON_UNDO_FILE_H
#define COMMON_UNDO_FILE_H

#include "common/blockdev.h"
#include "common/progress.h"
#include "common/undo-format.h"
#include "common/vec.h"

/* ---- writing (undo-writer.c); safe for threads ---- */

struct undo_writer;

/*
 * Make the undo file @path for the operation @what ("balance start").  Readable by
 * its owner only, as it holds what the device holds.  -EEXIST: an undo file is
 * never overwritten.  Prints nothing; later errors of writing are printed, once.
 */
int undo_writer_create(const char *path, const char *what, struct undo_writer **ret);

/*
 * End the file: with END, if all devices have had their end, so that later changes
 * of the image can be told from those of the operation.  @writer is gone either way.
 * After a failure (a warning is printed) the file still has all the old content.
 */
int undo_writer_close(struct undo_writer *writer);

struct undo_writer_stats {
	u64 bytes_saved;	/* of devices, zeros included */
	u64 file_bytes;
	u64 nr_syncs;
};

void undo_writer_stats(struct undo_writer *writer, struct undo_writer_stats *stats);

/*
 * Records.  They are durable after the next undo_writer_sync() only.  Once one has
 * failed, all that follow fail in the same way.
 *
 * add_device: @path as it will be looked for, @id whatever tells the device from
 * others ("" if nothing does), @size in bytes; *@index is for the other calls.
 * save: @data NULL for zeros; @len up to UNDO_MAX_PAYLOAD, or UNDO_MAX_ZERO_LEN.
 */
int undo_writer_add_device(struct undo_writer *writer, const char *path, const char *id, u64 size,
			   u16 *index);
int undo_writer_save(struct undo_writer *writer, u16 device, u64 offset, const void *data, u64 len);
int undo_writer_resize(struct undo_writer *writer, u16 device, u64 old_size, u64 new_size);
int undo_writer_sums(struct undo_writer *writer, u16 device, u64 offset, u64 len,
		     const __le32 *sums);
int undo_writer_device_end(struct undo_writer *writer, u16 device, u64 size);

/* Have all records so far on stable storage.  Cheap when nothing was added. */
int undo_writer_sync(struct undo_writer *writer);

/* The checksum of one sector, or of what there is of it. */
__le32 undo_sector_sum(const void *data, size_t len);
/* Of how many sectors @len bytes consist. */
static inline u64 undo_nr_sectors(u64 len)
{
	return DIV_ROUND_UP(len, (u64)UNDO_SECTOR_BYTES);
}

/* ---- reading (undo-file.c) and putting back (undo-apply.c); one thread ---- */

/* A range whose old content is in the file. */
struct undo_range {
	u64 offset;		/* of the device, bytes */
	u64 len;
	u64 pos;		/* of the payload in the file; 0: zeros */
	u32 csum;		/* of the payload */
	u64 sums_pos;		/* of the checksums afterwards; finished files only */
	u32 sums_csum;
};

struct undo_device {
	char *path;		/* when the operation ran */
	char *id;
	u64 old_size;
	u64 new_size;		/* after the last RESIZE */
	struct vec sizes;	/* u64: all that it had in between */
	struct vec ranges;	/* struct undo_range, by offset, disjoint */
	u64 bytes;		/* of all ranges */
	/* Used while reading. */
	struct vec sums;
	bool ended;
};

struct undo_file {
	char *path;
	int fd;
	u64 size;
	u64 nonce;
	u64 time;		/* when the operation began */
	char what[128];
	bool finished;		/* it ended in good order, so changes since can be seen */
	bool torn;		/* the last records, on which nothing depends, are not whole */
	struct vec devices;	/* struct undo_device */
};

/*
 * Read all of the file at @path but the content, which is verified only.  Errors
 * are printed.  -EINVAL: no undo file, -EOPNOTSUPP: of another version,
 * -EUCLEAN: damaged.
 */
int undo_file_open(const char *path, struct undo_file **ret);
void undo_file_close(struct undo_file *undo);

static inline struct undo_device *undo_file_device(const struct undo_file *undo, size_t i)
{
	return vec_at(&undo->devices, i);
}

/* Whether the operation may have written to the device at all. */
static inline bool undo_device_touched(const struct undo_device *udev)
{
	return udev->ranges.nr > 0 || udev->sizes.nr > 0;
}

/* The old content of @range into @buf, of UNDO_MAX_PAYLOAD; not for ranges of zeros.  Printed. */
int undo_file_load(const struct undo_file *undo, const struct undo_range *range, void *buf);
int undo_file_load_sums(const struct undo_file *undo, const struct undo_range *range, __le32 *sums);

/* What is to be done to one device. */
struct undo_counts {
	u64 bytes_different;	/* in whole sectors */
	bool resize;
};

/*
 * Is @dev what the operation left on device @index?  Counts what differs from what it
 * was before.  A half-undone device passes, so that an undo that was interrupted
 * can be done again.
 *
 * -ESTALE: something else has changed it since, or it has another size; printed.
 * In a file that is not finished only sizes can be compared.  @progress (NULL: none)
 * goes on by the bytes of all ranges, as it does in undo_file_apply().
 */
int undo_file_verify(const struct undo_file *undo, size_t index, struct blockdev *dev,
		     struct undo_counts *counts, struct progress *progress);

/* Put it all back and flush.  Verify first.  Errors are printed. */
int undo_file_apply(const struct undo_file *undo, size_t index, struct blockdev *dev,
		    struct progress *progress);

#endif
