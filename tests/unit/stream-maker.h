/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Send streams for unit tests: what they are made of, and a file in memory that
 * holds one.
 */
#ifndef TESTS_STREAM_MAKER_H
#define TESTS_STREAM_MAKER_H

#include "tests/unit/common-unit.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/hash.h"
#include "common/vec.h"
#include "kernel-shared/send-stream.h"

static inline void put(struct vec *out, const void *data, size_t len)
{
	assert_int_equal(vec_append_bytes(out, data, len), 0);
}

static inline void put_stream_header(struct vec *out, u32 version)
{
	struct btrfs_stream_header header = { .magic = BTRFS_SEND_STREAM_MAGIC };

	header.version = htole32(version);
	put(out, &header, sizeof(header));
}

static inline void put_attr(struct vec *out, u16 type, const void *data, u16 len)
{
	u8 head[4];

	put_unaligned_le16(type, head);
	put_unaligned_le16(len, head + 2);
	put(out, head, sizeof(head));
	put(out, data, len);
}

static inline void put_attr_u64(struct vec *out, u16 type, u64 value)
{
	u8 raw[8];

	put_unaligned_le64(value, raw);
	put_attr(out, type, raw, sizeof(raw));
}

static inline void put_cmd(struct vec *out, u16 cmd, const struct vec *attrs)
{
	struct btrfs_cmd_header header = { 0 };
	u32 crc;

	header.len = htole32((u32)attrs->nr);
	header.cmd = htole16(cmd);
	crc = crc32c(0, &header, sizeof(header));
	crc = crc32c(crc, attrs->data, attrs->nr);
	header.crc = htole32(crc);
	put(out, &header, sizeof(header));
	put(out, attrs->data, attrs->nr);
}

static inline void put_end(struct vec *out)
{
	const struct vec none = VEC_INIT(u8);

	put_cmd(out, BTRFS_SEND_C_END, &none);
}

static inline int memory_file(const struct vec *bytes)
{
	int fd = memfd_create("stream", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes->data, bytes->nr), bytes->nr);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

/* Messages are not what is tested here. */
static inline int silence(void)
{
	int saved = dup(STDERR_FILENO);

	assert_true(saved >= 0);
	assert_non_null(freopen("/dev/null", "w", stderr));
	return saved;
}

static inline void unsilence(int saved)
{
	dup2(saved, STDERR_FILENO);
	close(saved);
}

#endif
