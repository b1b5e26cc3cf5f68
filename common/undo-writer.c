// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writing undo files: records are appended in one call each, under a lock, and
 * synced when somebody is about to depend on them.
 */
#include "common/undo-file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "common/hash.h"
#include "common/message.h"
#include "common/string-utils.h"
#include "common/temp-file.h"

struct undo_writer {
	char *path;
	int fd;
	u64 nonce;

	pthread_mutex_t lock;	/* all below; held while writing and syncing */
	u64 pos;		/* where the next record goes */
	u64 seq;		/* its number */
	u64 durable_before;	/* records below are synced */
	u64 bytes_saved;
	u64 nr_syncs;
	unsigned int nr_devices;
	unsigned int nr_ended;
	int err;		/* the first failure; nothing is written after it */
};

static u32 csum(const void *data, size_t len)
{
	return ~crc32c(~0U, data, len);
}

__le32 undo_sector_sum(const void *data, size_t len)
{
	return htole32(csum(data, len));
}

/* Keep the first error, and say it: those who come later only pass it on. */
static int fail(struct undo_writer *writer, int err)
{
	if (!writer->err) {
		error("cannot write undo file %s: %s", writer->path, errno_text(err));
		writer->err = err;
	}
	return writer->err;
}

/* All of @iov (which is used up) at @pos. */
static int write_all(int fd, struct iovec *iov, int nr, u64 pos)
{
	while (nr > 0) {
		ssize_t n = pwritev(fd, iov, nr, (off_t)pos);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;
		pos += (u64)n;
		while (nr > 0 && (size_t)n >= iov->iov_len) {
			n -= (ssize_t)iov->iov_len;
			iov++;
			nr--;
		}
		if (nr > 0) {
			iov->iov_base = (char *)iov->iov_base + n;
			iov->iov_len -= (size_t)n;
		}
	}
	return 0;
}

/*
 * Append a record; what it is about is in @record already, and the lock is held.
 * The payload has a few bytes behind it, so that the next begins where it should.
 */
static int append(struct undo_writer *writer, struct undo_record *record, const void *payload,
		  u32 payload_len)
{
	static const u8 padding[UNDO_ALIGN];
	u64 len = sizeof(*record) + payload_len;
	u64 end = round_up(len, (u64)UNDO_ALIGN);
	struct iovec iov[] = {
		{ .iov_base = record, .iov_len = sizeof(*record) },
		{ .iov_base = (void *)payload, .iov_len = payload_len },
		{ .iov_base = (void *)padding, .iov_len = end - len },
	};
	int ret;

	if (writer->err)
		return writer->err;
	record->magic = htole32(UNDO_RECORD_MAGIC);
	record->nonce = htole64(writer->nonce);
	record->seq = htole64(writer->seq);
	record->durable_before = htole64(writer->durable_before);
	record->payload_len = htole32(payload_len);
	record->payload_csum = htole32(csum(payload, payload_len));
	record->csum = htole32(csum(record, offsetof(struct undo_record, csum)));
	ret = write_all(writer->fd, iov, ARRAY_SIZE(iov), writer->pos);
	if (ret)
		return fail(writer, ret);
	writer->pos += end;
	writer->seq++;
	return 0;
}

static int append_locked(struct undo_writer *writer, struct undo_record record,
			 const void *payload, u32 payload_len)
{
	int ret;

	pthread_mutex_lock(&writer->lock);
	ret = append(writer, &record, payload, payload_len);
	pthread_mutex_unlock(&writer->lock);
	return ret;
}

/* With the lock held. */
static int sync_records(struct undo_writer *writer)
{
	if (writer->err || writer->durable_before == writer->seq)
		return writer->err;
	while (fdatasync(writer->fd)) {
		if (errno != EINTR)
			return fail(writer, -errno);
	}
	writer->durable_before = writer->seq;
	writer->nr_syncs++;
	return 0;
}

/* ---- the file ---- */

static int write_header(struct undo_writer *writer, const char *what)
{
	u8 block[UNDO_ALIGN] = { 0 };
	struct undo_header *header = (struct undo_header *)block;
	struct iovec iov = { .iov_base = block, .iov_len = sizeof(block) };

	memcpy(header->magic, UNDO_MAGIC, sizeof(header->magic));
	header->version = htole32(UNDO_VERSION);
	header->nonce = htole64(writer->nonce);
	header->time = htole64((u64)time(NULL));
	string_copy(header->what, sizeof(header->what), what);
	header->csum = htole32(csum(header, offsetof(struct undo_header, csum)));
	writer->pos = sizeof(block);
	return write_all(writer->fd, &iov, 1, 0);
}

/* The file, with its header, and its name in the directory. */
static int create_file(struct undo_writer *writer, const char *what)
{
	int ret;

	if (getrandom(&writer->nonce, sizeof(writer->nonce), 0) != sizeof(writer->nonce))
		return -EIO;
	writer->fd = open(writer->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (writer->fd < 0)
		return -errno;
	ret = write_header(writer, what);
	if (!ret && fdatasync(writer->fd))
		ret = -errno;
	if (!ret)
		ret = temp_file_sync_directory(writer->path);
	if (ret)
		unlink(writer->path);
	return ret;
}

static void free_writer(struct undo_writer *writer)
{
	if (writer->fd >= 0)
		close(writer->fd);
	pthread_mutex_destroy(&writer->lock);
	free(writer->path);
	free(writer);
}

int undo_writer_create(const char *path, const char *what, struct undo_writer **ret_writer)
{
	struct undo_writer *writer = calloc(1, sizeof(*writer));
	int ret;

	if (!writer)
		return -ENOMEM;
	writer->fd = -1;
	pthread_mutex_init(&writer->lock, NULL);
	writer->path = strdup(path);
	ret = writer->path ? create_file(writer, what) : -ENOMEM;
	if (ret)
		free_writer(writer);
	else
		*ret_writer = writer;
	return ret;
}

/*
 * The end is written only when all before it is durable: where it stands,
 * nothing before it may be missing.
 */
static int write_end(struct undo_writer *writer)
{
	struct undo_record end = { .type = htole16(UNDO_END) };
	int ret = sync_records(writer);

	/* Why a device has no end was said when it was closed. */
	if (!ret && writer->nr_ended < writer->nr_devices)
		ret = -EIO;
	if (!ret)
		ret = append(writer, &end, NULL, 0);
	return ret ? ret : sync_records(writer);
}

int undo_writer_close(struct undo_writer *writer)
{
	int ret;

	pthread_mutex_lock(&writer->lock);
	ret = write_end(writer);
	pthread_mutex_unlock(&writer->lock);
	if (ret)
		warning("undo file %s has no end: it can be used, but cannot tell whether the "
			"image has changed since", writer->path);
	free_writer(writer);
	return ret;
}

void undo_writer_stats(struct undo_writer *writer, struct undo_writer_stats *stats)
{
	pthread_mutex_lock(&writer->lock);
	*stats = (struct undo_writer_stats){
		.bytes_saved = writer->bytes_saved,
		.file_bytes = writer->pos,
		.nr_syncs = writer->nr_syncs,
	};
	pthread_mutex_unlock(&writer->lock);
}

/* ---- records ---- */

int undo_writer_add_device(struct undo_writer *writer, const char *path, const char *id, u64 size,
			   u16 *index)
{
	size_t path_len = strlen(path) + 1, id_len = strlen(id) + 1;
	struct undo_record record = { .type = htole16(UNDO_DEVICE), .offset = htole64(size) };
	char *payload;
	int ret;

	if (path_len > PATH_MAX || id_len > PATH_MAX)
		return -ENAMETOOLONG;
	payload = malloc(path_len + id_len);
	if (!payload)
		return -ENOMEM;
	memcpy(payload, path, path_len);
	memcpy(payload + path_len, id, id_len);
	pthread_mutex_lock(&writer->lock);
	ret = writer->nr_devices < UNDO_MAX_DEVICES ? 0 : -EMFILE;
	if (!ret) {
		record.device = htole16((u16)writer->nr_devices);
		ret = append(writer, &record, payload, (u32)(path_len + id_len));
	}
	if (!ret)
		*index = (u16)writer->nr_devices++;
	pthread_mutex_unlock(&writer->lock);
	free(payload);
	return ret;
}

int undo_writer_save(struct undo_writer *writer, u16 device, u64 offset, const void *data, u64 len)
{
	struct undo_record record = {
		.type = htole16(data ? UNDO_DATA : UNDO_ZERO),
		.device = htole16(device),
		.offset = htole64(offset),
		.len = htole64(len),
	};
	int ret;

	pthread_mutex_lock(&writer->lock);
	ret = append(writer, &record, data, data ? (u32)len : 0);
	if (!ret)
		writer->bytes_saved += len;
	pthread_mutex_unlock(&writer->lock);
	return ret;
}

int undo_writer_resize(struct undo_writer *writer, u16 device, u64 old_size, u64 new_size)
{
	return append_locked(writer, (struct undo_record){
		.type = htole16(UNDO_RESIZE),
		.device = htole16(device),
		.offset = htole64(new_size),
		.len = htole64(old_size),
	}, NULL, 0);
}

int undo_writer_sums(struct undo_writer *writer, u16 device, u64 offset, u64 len,
		     const __le32 *sums)
{
	return append_locked(writer, (struct undo_record){
		.type = htole16(UNDO_SUMS),
		.device = htole16(device),
		.offset = htole64(offset),
		.len = htole64(len),
	}, sums, (u32)(undo_nr_sectors(len) * sizeof(*sums)));
}

int undo_writer_device_end(struct undo_writer *writer, u16 device, u64 size)
{
	struct undo_record record = {
		.type = htole16(UNDO_DEVICE_END),
		.device = htole16(device),
		.offset = htole64(size),
	};
	int ret;

	pthread_mutex_lock(&writer->lock);
	ret = append(writer, &record, NULL, 0);
	if (!ret)
		writer->nr_ended++;
	pthread_mutex_unlock(&writer->lock);
	return ret;
}

int undo_writer_sync(struct undo_writer *writer)
{
	int ret;

	pthread_mutex_lock(&writer->lock);
	ret = sync_records(writer);
	pthread_mutex_unlock(&writer->lock);
	return ret;
}
