// SPDX-License-Identifier: GPL-2.0-only
/*
 * Comparing a device with an undo file, and putting back what was there.  Both go
 * through the saved ranges in the order of the device, with old and present content
 * side by side, and look at them sector by sector.
 */
#include "common/undo-file.h"

#include <errno.h>
#include <stdlib.h>

#include "common/message.h"

/* One stretch of the device: a range, or a part of one that is all zeros. */
struct piece {
	u64 offset;
	u64 len;
	u64 there;		/* bytes of it that the device has now */
	u64 there_after;	/* bytes of it that it had when the operation ended */
	bool zeros;
	const __le32 *sums;	/* of its sectors when the operation ended; NULL: not known */
	u8 *before;		/* not for zeros */
	u8 *now;
};

struct visit {
	const struct undo_file *undo;
	const struct undo_device *udev;
	struct blockdev *dev;
	struct undo_counts *counts;	/* verifying; NULL: putting back */
	struct progress *progress;
	u8 *before;
	u8 *now;
	__le32 *sums;
};

/* How much of [offset, offset + len) lies below @size. */
static u64 part_below(u64 offset, u64 len, u64 size)
{
	return offset < size ? min(len, size - offset) : 0;
}

/* ---- sectors ---- */

static u64 sector_len(u64 at, u64 len)
{
	return at < len ? min_t(u64, UNDO_SECTOR_BYTES, len - at) : 0;
}

static bool is_zero(const u8 *buf, u64 len)
{
	return len == 0 || (buf[0] == 0 && memcmp(buf, buf + 1, len - 1) == 0);
}

/* The sector at @at is there in full and as it was before. */
static bool sector_is_old(const struct piece *piece, u64 at)
{
	u64 len = sector_len(at, piece->len);

	if (sector_len(at, piece->there) < len)
		return false;
	return piece->zeros ? is_zero(piece->now + at, len) :
			      memcmp(piece->now + at, piece->before + at, len) == 0;
}

static bool sector_is_as_left(const struct piece *piece, u64 at)
{
	return !piece->sums || undo_sector_sum(piece->now + at,
					       sector_len(at, piece->there_after)) ==
				       piece->sums[at / UNDO_SECTOR_BYTES];
}

static int verify_piece(const struct visit *visit, const struct piece *piece)
{
	for (u64 at = 0; at < piece->len; at += UNDO_SECTOR_BYTES) {
		if (sector_is_old(piece, at))
			continue;
		if (!sector_is_as_left(piece, at)) {
			error("cannot undo %s: it has changed since %s was written (at byte %llu)",
			      visit->dev->path, visit->undo->path, piece->offset + at);
			return -ESTALE;
		}
		visit->counts->bytes_different += sector_len(at, piece->len);
	}
	return 0;
}

static int put_back(const struct visit *visit, const struct piece *piece, u64 start, u64 end)
{
	u64 offset = piece->offset + start;
	int ret;

	if (piece->zeros)
		ret = blockdev_zero(visit->dev, offset, end - start);
	else
		ret = blockdev_pwrite(visit->dev, piece->before + start, end - start, offset);
	if (ret)
		error("cannot write to %s at byte %llu: %s", visit->dev->path, offset,
		      errno_text(ret));
	return ret;
}

/* Only what differs is written, in runs. */
static int put_back_piece(const struct visit *visit, const struct piece *piece)
{
	u64 start = 0;
	int ret = 0;

	for (u64 at = 0; !ret && at < piece->len; at += UNDO_SECTOR_BYTES) {
		if (!sector_is_old(piece, at))
			continue;
		if (start < at)
			ret = put_back(visit, piece, start, at);
		start = at + UNDO_SECTOR_BYTES;
	}
	if (!ret && start < piece->len)
		ret = put_back(visit, piece, start, piece->len);
	return ret;
}

/* ---- ranges ---- */

static int visit_piece(struct visit *visit, struct piece *piece)
{
	int ret;

	piece->there = part_below(piece->offset, piece->len, blockdev_size(visit->dev));
	piece->there_after = part_below(piece->offset, piece->len,
					min(visit->udev->old_size, visit->udev->new_size));
	piece->before = visit->before;
	piece->now = visit->now;
	if (piece->there) {
		ret = blockdev_pread(visit->dev, piece->now, piece->there, piece->offset);
		if (ret) {
			error("cannot read %s at byte %llu: %s", visit->dev->path, piece->offset,
			      errno_text(ret));
			return ret;
		}
	}
	ret = visit->counts ? verify_piece(visit, piece) : put_back_piece(visit, piece);
	progress_add(visit->progress, piece->len);
	return ret;
}

static int visit_range(struct visit *visit, const struct undo_range *range)
{
	bool sums = visit->counts && visit->undo->finished;
	int ret = 0;

	if (range->pos)
		ret = undo_file_load(visit->undo, range, visit->before);
	if (!ret && sums)
		ret = undo_file_load_sums(visit->undo, range, visit->sums);
	for (u64 at = 0; !ret && at < range->len; at += UNDO_MAX_PAYLOAD) {
		struct piece piece = {
			.offset = range->offset + at,
			.len = min_t(u64, UNDO_MAX_PAYLOAD, range->len - at),
			.zeros = !range->pos,
			.sums = sums ? visit->sums + at / UNDO_SECTOR_BYTES : NULL,
		};

		ret = visit_piece(visit, &piece);
	}
	return ret;
}

static int visit_ranges(struct visit *visit)
{
	const struct undo_range *range;
	int ret = 0;

	visit->before = malloc(UNDO_MAX_PAYLOAD);
	visit->now = malloc(UNDO_MAX_PAYLOAD);
	visit->sums = malloc(UNDO_MAX_PAYLOAD);
	if (!visit->before || !visit->now || !visit->sums) {
		error("cannot undo %s: %s", visit->dev->path, errno_text(-ENOMEM));
		ret = -ENOMEM;
	}
	vec_for_each(&visit->udev->ranges, range) {
		if (!ret)
			ret = visit_range(visit, range);
	}
	free(visit->before);
	free(visit->now);
	free(visit->sums);
	return ret;
}

/* ---- devices ---- */

/* A size that the operation, or an undo, may have left. */
static bool size_is_known(const struct undo_file *undo, const struct undo_device *udev, u64 size)
{
	const u64 *between;

	if (size == udev->old_size || size == udev->new_size)
		return true;
	vec_for_each(&udev->sizes, between) {
		if (!undo->finished && size == *between)
			return true;
	}
	return false;
}

int undo_file_verify(const struct undo_file *undo, size_t index, struct blockdev *dev,
		     struct undo_counts *counts, struct progress *progress)
{
	const struct undo_device *udev = undo_file_device(undo, index);
	u64 size = blockdev_size(dev);
	struct visit visit = {
		.undo = undo,
		.udev = udev,
		.dev = dev,
		.counts = counts,
		.progress = progress,
	};

	*counts = (struct undo_counts){ .resize = size != udev->old_size };
	if (!size_is_known(undo, udev, size) || (counts->resize && !dev->resizable)) {
		error("cannot undo %s: it has %llu bytes, but %s is about one of %llu", dev->path,
		      size, undo->path, udev->new_size);
		return -ESTALE;
	}
	return visit_ranges(&visit);
}

static int restore_size(struct blockdev *dev, u64 size)
{
	int ret = blockdev_resize(dev, size);

	if (ret)
		error("cannot change the size of %s to %llu bytes: %s", dev->path, size,
		      errno_text(ret));
	return ret;
}

int undo_file_apply(const struct undo_file *undo, size_t index, struct blockdev *dev,
		    struct progress *progress)
{
	const struct undo_device *udev = undo_file_device(undo, index);
	struct visit visit = {
		.undo = undo,
		.udev = udev,
		.dev = dev,
		.progress = progress,
	};
	int ret = 0;

	if (blockdev_size(dev) < udev->old_size)
		ret = restore_size(dev, udev->old_size);
	if (!ret)
		ret = visit_ranges(&visit);
	if (!ret && blockdev_size(dev) > udev->old_size)
		ret = restore_size(dev, udev->old_size);
	if (ret)
		return ret;
	ret = blockdev_flush(dev);
	if (ret)
		error("cannot write to %s: %s", dev->path, errno_text(ret));
	return ret;
}
