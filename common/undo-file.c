// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading undo files.  The file may be cut off, torn at its end, damaged or
 * forged.  Opening goes through all records and verifies their checksums; where one
 * is bad it looks for the next that is good, and then decides: what had been
 * synced must be there, what had not may be missing.
 */
#include "common/undo-file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/hash.h"
#include "common/message.h"

/* Going through the records. */
struct scan {
	struct undo_file *undo;
	u64 pos;
	u64 next_seq;
	bool gap;		/* a record is missing between others */
	u64 first_missing;	/* its number */
	u64 durable_before;	/* records below were synced once */
	u64 bad_pos;		/* where the first bad bytes are; 0: nowhere */
	void *buf;		/* UNDO_MAX_PAYLOAD */
};

/* A record in the order of this machine. */
struct record {
	u16 type;
	u16 device;
	u64 seq;
	u64 durable_before;
	u64 offset;
	u64 len;
	u32 payload_len;
	u32 payload_csum;
	u64 payload_pos;
};

static u32 csum(const void *data, size_t len)
{
	return ~crc32c(~0U, data, len);
}

/* Exactly @len bytes; -EIO past the end. */
static int read_at(const struct undo_file *undo, void *buf, size_t len, u64 pos)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(undo->fd, (char *)buf + done, len - done, (off_t)(pos + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		done += (size_t)n;
	}
	return 0;
}

static int damaged(const struct undo_file *undo, u64 pos, const char *why)
{
	error("undo file %s is damaged at byte %llu: %s", undo->path, pos, why);
	return -EUCLEAN;
}

/* ---- the header ---- */

static int read_header(struct undo_file *undo)
{
	struct undo_header header;
	int ret;

	if (undo->size < UNDO_ALIGN) {
		error("cannot use %s: not an undo file", undo->path);
		return -EINVAL;
	}
	ret = read_at(undo, &header, sizeof(header), 0);
	if (ret) {
		error("cannot read undo file %s: %s", undo->path, errno_text(ret));
		return ret;
	}
	if (memcmp(header.magic, UNDO_MAGIC, sizeof(header.magic)) != 0) {
		error("cannot use %s: not an undo file", undo->path);
		return -EINVAL;
	}
	if (le32toh(header.version) != UNDO_VERSION) {
		error("cannot use undo file %s: version %u is not supported", undo->path,
		      le32toh(header.version));
		return -EOPNOTSUPP;
	}
	if (le32toh(header.csum) != csum(&header, offsetof(struct undo_header, csum)))
		return damaged(undo, 0, "wrong checksum of the header");
	undo->nonce = le64toh(header.nonce);
	undo->time = le64toh(header.time);
	memcpy(undo->what, header.what, sizeof(undo->what));
	undo->what[sizeof(undo->what) - 1] = '\0';
	return 0;
}

/* ---- what records mean ---- */

/* Payload: two strings. */
static int take_device(struct scan *scan, const struct record *rec)
{
	struct undo_file *undo = scan->undo;
	const char *path = scan->buf, *id = path + strnlen(path, rec->payload_len) + 1;
	struct undo_device *udev;

	if (rec->device != undo->devices.nr || rec->device >= UNDO_MAX_DEVICES) {
		/* One before it was torn away: neither has been written yet. */
		return scan->gap ? 0 : damaged(undo, scan->pos, "devices are out of order");
	}
	if (id >= path + rec->payload_len ||
	    id + strnlen(id, (size_t)(path + rec->payload_len - id)) + 1 != path + rec->payload_len)
		return damaged(undo, scan->pos, "a device has no name");
	udev = vec_push(&undo->devices);
	if (!udev)
		return -ENOMEM;
	udev->old_size = udev->new_size = rec->offset;
	vec_init(&udev->sizes, sizeof(u64));
	vec_init(&udev->ranges, sizeof(struct undo_range));
	vec_init(&udev->sums, sizeof(struct undo_range));
	udev->path = strdup(path);
	udev->id = strdup(id);
	return udev->path && udev->id ? 0 : -ENOMEM;
}

/* The range lies in the device as it was, and begins as ranges do. */
static bool range_is_sound(const struct undo_device *udev, const struct record *rec)
{
	u64 end;

	return rec->len > 0 && IS_ALIGNED(rec->offset, (u64)UNDO_SECTOR_BYTES) &&
	       !__builtin_add_overflow(rec->offset, rec->len, &end) && end <= udev->old_size;
}

static int take_range(struct scan *scan, struct undo_device *udev, const struct record *rec)
{
	bool zeros = rec->type == UNDO_ZERO;
	struct undo_range range = {
		.offset = rec->offset,
		.len = rec->len,
		.pos = zeros ? 0 : rec->payload_pos,
		.csum = rec->payload_csum,
	};

	if (!range_is_sound(udev, rec) || (zeros ? 0 : rec->len) != rec->payload_len ||
	    rec->len > UNDO_MAX_ZERO_LEN)
		return damaged(scan->undo, scan->pos, "a saved range makes no sense");
	udev->bytes += rec->len;
	return vec_push_copy(&udev->ranges, &range);
}

static int take_sums(struct scan *scan, struct undo_device *udev, const struct record *rec)
{
	struct undo_range range = {
		.offset = rec->offset,
		.len = rec->len,
		.sums_pos = rec->payload_pos,
		.sums_csum = rec->payload_csum,
	};

	if (!range_is_sound(udev, rec) || rec->len > UNDO_MAX_ZERO_LEN ||
	    rec->payload_len != undo_nr_sectors(rec->len) * sizeof(__le32))
		return damaged(scan->undo, scan->pos, "checksums make no sense");
	return vec_push_copy(&udev->sums, &range);
}

static int take_resize(struct scan *scan, struct undo_device *udev, const struct record *rec)
{
	if (rec->len != udev->new_size && !scan->gap)
		return damaged(scan->undo, scan->pos, "the size of a device makes no sense");
	udev->new_size = rec->offset;
	return vec_push_copy(&udev->sizes, &rec->offset);
}

static int take_device_end(struct scan *scan, struct undo_device *udev, const struct record *rec)
{
	if (rec->offset != udev->new_size && !scan->gap)
		return damaged(scan->undo, scan->pos, "the size of a device makes no sense");
	udev->ended = true;
	return 0;
}

static int take_record(struct scan *scan, const struct record *rec)
{
	struct undo_device *udev;

	if (rec->type == UNDO_DEVICE)
		return take_device(scan, rec);
	if (rec->type == UNDO_END) {
		scan->undo->finished = true;
		return 0;
	}
	if (rec->device >= scan->undo->devices.nr) {
		/* Torn away with the device, which then was not written yet. */
		return scan->gap ? 0 : damaged(scan->undo, scan->pos, "a device is not known");
	}
	udev = undo_file_device(scan->undo, rec->device);
	switch (rec->type) {
	case UNDO_DATA:
	case UNDO_ZERO:
		return take_range(scan, udev, rec);
	case UNDO_SUMS:
		return take_sums(scan, udev, rec);
	case UNDO_RESIZE:
		return take_resize(scan, udev, rec);
	case UNDO_DEVICE_END:
		return take_device_end(scan, udev, rec);
	default:
		return damaged(scan->undo, scan->pos, "a record of unknown type");
	}
}

/* ---- going through the file ---- */

/* Whether there is one of ours; its payload is another question. */
static bool read_record(const struct scan *scan, struct record *rec)
{
	struct undo_record raw;

	if (scan->undo->size - scan->pos < sizeof(raw) ||
	    read_at(scan->undo, &raw, sizeof(raw), scan->pos))
		return false;
	if (le32toh(raw.magic) != UNDO_RECORD_MAGIC || le64toh(raw.nonce) != scan->undo->nonce ||
	    le32toh(raw.csum) != csum(&raw, offsetof(struct undo_record, csum)))
		return false;
	*rec = (struct record){
		.type = le16toh(raw.type),
		.device = le16toh(raw.device),
		.seq = le64toh(raw.seq),
		.durable_before = le64toh(raw.durable_before),
		.offset = le64toh(raw.offset),
		.len = le64toh(raw.len),
		.payload_len = le32toh(raw.payload_len),
		.payload_csum = le32toh(raw.payload_csum),
		.payload_pos = scan->pos + sizeof(raw),
	};
	return rec->seq >= scan->next_seq && rec->seq < UINT64_MAX &&
	       rec->payload_len <= UNDO_MAX_PAYLOAD;
}

/* The payload is there and whole; it is in buf then. */
static bool read_payload(const struct scan *scan, const struct record *rec)
{
	return rec->payload_len <= scan->undo->size - rec->payload_pos &&
	       !read_at(scan->undo, scan->buf, rec->payload_len, rec->payload_pos) &&
	       csum(scan->buf, rec->payload_len) == rec->payload_csum;
}

/* Over what is no record, to where one might begin: not in a hole of the file. */
static void skip_bad(struct scan *scan)
{
	off_t data;

	if (!scan->bad_pos)
		scan->bad_pos = scan->pos;
	scan->pos += UNDO_ALIGN;
	data = lseek(scan->undo->fd, (off_t)scan->pos, SEEK_DATA);
	if (data < 0 && errno == ENXIO)
		scan->pos = scan->undo->size;
	else if (data > (off_t)scan->pos)
		scan->pos = round_down((u64)data, (u64)UNDO_ALIGN);
}

static int scan_records(struct scan *scan)
{
	struct record rec;
	int ret = 0;

	while (!ret && !scan->undo->finished && scan->pos < scan->undo->size) {
		if (!read_record(scan, &rec)) {
			skip_bad(scan);
			continue;
		}
		scan->durable_before = max(scan->durable_before, rec.durable_before);
		if (!read_payload(scan, &rec)) {
			if (!scan->bad_pos)
				scan->bad_pos = scan->pos;
		} else {
			if (rec.seq != scan->next_seq && !scan->gap) {
				scan->gap = true;
				scan->first_missing = scan->next_seq;
			}
			ret = take_record(scan, &rec);
			scan->next_seq = rec.seq + 1;
		}
		scan->pos += round_up(sizeof(struct undo_record) + (u64)rec.payload_len,
				      (u64)UNDO_ALIGN);
	}
	return ret;
}

/* A record that a write to the device relied on must not be missing. */
static int check_complete(struct scan *scan)
{
	u64 missing = scan->gap ? scan->first_missing : scan->next_seq;

	if (scan->durable_before > missing || (scan->undo->finished && scan->gap))
		return damaged(scan->undo, scan->bad_pos, "a record is missing");
	scan->undo->torn = scan->gap || scan->bad_pos;
	return 0;
}

/* ---- putting it together ---- */

static int compare_ranges(const void *a, const void *b)
{
	const struct undo_range *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Each range was saved once, or it would not be clear what was there at first. */
static bool ranges_overlap(const struct vec *ranges)
{
	const struct undo_range *prev = NULL, *range;

	vec_for_each(ranges, range) {
		if (prev && prev->offset + prev->len > range->offset)
			return true;
		prev = range;
	}
	return false;
}

/* In a finished file each saved range has its checksums. */
static bool join_sums(struct undo_device *udev)
{
	if (udev->sums.nr != udev->ranges.nr)
		return false;
	for (size_t i = 0; i < udev->ranges.nr; i++) {
		struct undo_range *range = vec_at(&udev->ranges, i);
		const struct undo_range *sums = vec_at(&udev->sums, i);

		if (range->offset != sums->offset || range->len != sums->len)
			return false;
		range->sums_pos = sums->sums_pos;
		range->sums_csum = sums->sums_csum;
	}
	return true;
}

static int join_device(const struct undo_file *undo, struct undo_device *udev)
{
	vec_sort(&udev->ranges, compare_ranges);
	vec_sort(&udev->sums, compare_ranges);
	if (ranges_overlap(&udev->ranges)) {
		error("undo file %s is damaged: a range is saved twice", undo->path);
		return -EUCLEAN;
	}
	if (undo->finished && (!udev->ended || !join_sums(udev))) {
		error("undo file %s is damaged: checksums are missing", undo->path);
		return -EUCLEAN;
	}
	return 0;
}

/* ---- opening ---- */

static int open_file(struct undo_file *undo)
{
	struct stat st;

	/* O_NONBLOCK: a fifo given by mistake must not hang us. */
	undo->fd = open(undo->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (undo->fd < 0 || fstat(undo->fd, &st)) {
		int err = -errno;

		error("cannot open undo file %s: %s", undo->path, errno_text(err));
		return err;
	}
	if (!S_ISREG(st.st_mode)) {
		error("cannot use %s: not an undo file", undo->path);
		return -EINVAL;
	}
	undo->size = (u64)st.st_size;
	return read_header(undo);
}

static int read_records(struct undo_file *undo)
{
	struct scan scan = { .undo = undo, .pos = UNDO_ALIGN };
	struct undo_device *udev;
	int ret;

	scan.buf = malloc(UNDO_MAX_PAYLOAD);
	ret = scan.buf ? scan_records(&scan) : -ENOMEM;
	if (!ret)
		ret = check_complete(&scan);
	free(scan.buf);
	vec_for_each(&undo->devices, udev) {
		if (!ret)
			ret = join_device(undo, udev);
	}
	if (ret == -ENOMEM)
		error("cannot read undo file %s: %s", undo->path, errno_text(ret));
	return ret;
}

int undo_file_open(const char *path, struct undo_file **ret_undo)
{
	struct undo_file *undo = calloc(1, sizeof(*undo));
	int ret;

	if (!undo)
		return -ENOMEM;
	undo->fd = -1;
	vec_init(&undo->devices, sizeof(struct undo_device));
	undo->path = strdup(path);
	ret = undo->path ? open_file(undo) : -ENOMEM;
	if (!ret)
		ret = read_records(undo);
	if (ret)
		undo_file_close(undo);
	else
		*ret_undo = undo;
	return ret;
}

void undo_file_close(struct undo_file *undo)
{
	struct undo_device *udev;

	if (!undo)
		return;
	vec_for_each(&undo->devices, udev) {
		free(udev->path);
		free(udev->id);
		vec_free(&udev->sizes);
		vec_free(&udev->ranges);
		vec_free(&udev->sums);
	}
	vec_free(&undo->devices);
	if (undo->fd >= 0)
		close(undo->fd);
	free(undo->path);
	free(undo);
}

/* ---- payloads ---- */

/* It was whole when the file was opened; what it is now counts. */
static int load(const struct undo_file *undo, u64 pos, size_t len, u32 expected, void *buf)
{
	int ret = read_at(undo, buf, len, pos);

	if (ret) {
		error("cannot read undo file %s: %s", undo->path, errno_text(ret));
		return ret;
	}
	return csum(buf, len) == expected ? 0 : damaged(undo, pos, "wrong checksum");
}

int undo_file_load(const struct undo_file *undo, const struct undo_range *range, void *buf)
{
	return load(undo, range->pos, range->len, range->csum, buf);
}

int undo_file_load_sums(const struct undo_file *undo, const struct undo_range *range, __le32 *sums)
{
	return load(undo, range->sums_pos, undo_nr_sectors(range->len) * sizeof(*sums),
		    range->sums_csum, sums);
}
