// SPDX-License-Identifier: GPL-2.0-only
/*
 * The stream parser on streams made here: the seams of its buffer, the limits
 * of its lengths, and damage at every byte.
 */
#include "tests/unit/stream-maker.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "kernel-shared/stream-read.h"

/* ---- making streams ---- */

/* A write in the form of @version with @len bytes of data. */
static void put_write(struct vec *out, u32 version, u64 offset, size_t len)
{
	struct vec attrs = VEC_INIT(u8);
	u8 *data = malloc(len + 1);
	u8 type[2];

	assert_non_null(data);
	for (size_t i = 0; i < len; i++)
		data[i] = (u8)(offset + i);
	put_attr(&attrs, BTRFS_SEND_A_PATH, "file", 4);
	put_attr_u64(&attrs, BTRFS_SEND_A_FILE_OFFSET, offset);
	if (version == 1) {
		put_attr(&attrs, BTRFS_SEND_A_DATA, data, (u16)len);
	} else {
		put_unaligned_le16(BTRFS_SEND_A_DATA, type);
		put(&attrs, type, sizeof(type));
		put(&attrs, data, len);
	}
	put_cmd(out, BTRFS_SEND_C_WRITE, &attrs);
	vec_free(&attrs);
	free(data);
}

/* ---- reading ---- */

/* Read all of @bytes; the first error, or 0 after an end command. */
static int read_all(const struct vec *bytes, unsigned int *nr_cmds)
{
	struct btrfs_stream_cmd cmd = { 0 };
	struct btrfs_stream stream;
	int fd = memory_file(bytes);
	int ret;

	*nr_cmds = 0;
	assert_int_equal(btrfs_stream_open(&stream, fd, "test"), 0);
	ret = btrfs_stream_read_header(&stream);
	while (!ret) {
		ret = btrfs_stream_read_cmd(&stream, &cmd);
		if (ret || cmd.cmd == BTRFS_SEND_C_END)
			break;
		(*nr_cmds)++;
	}
	btrfs_stream_close(&stream);
	close(fd);
	return ret;
}

static void check_write(const struct btrfs_stream *stream, const struct btrfs_stream_cmd *cmd,
			u64 want_offset, size_t want_len)
{
	const u8 *data;
	u64 offset;
	u32 len;

	assert_int_equal(cmd->cmd, BTRFS_SEND_C_WRITE);
	assert_int_equal(btrfs_stream_get_u64(stream, cmd, BTRFS_SEND_A_FILE_OFFSET, &offset), 0);
	assert_int_equal(offset, want_offset);
	assert_int_equal(btrfs_stream_get_data(stream, cmd, BTRFS_SEND_A_DATA, &data, &len), 0);
	assert_int_equal(len, want_len);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(data[i], (u8)(offset + i));
}

/* Sizes that let commands end at, before and behind every edge of the buffer. */
static void commands_cross_the_buffer(void **state)
{
	static const size_t sizes[] = { 0, 1, 4096, 49152, 65000, 131072, 524288 - 40, 524288,
					1 << 20, 3 << 20, 7 };
	struct vec bytes = VEC_INIT(u8);
	struct btrfs_stream_cmd cmd;
	struct btrfs_stream stream;
	int fd;

	(void)state;
	put_stream_header(&bytes, 2);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (size_t extra = 0; extra < 3; extra++)
			put_write(&bytes, 2, i * 10 + extra, sizes[i] + extra);
	}
	put_end(&bytes);
	fd = memory_file(&bytes);
	assert_int_equal(btrfs_stream_open(&stream, fd, "test"), 0);
	assert_int_equal(btrfs_stream_read_header(&stream), 0);
	assert_int_equal(stream.version, 2);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (size_t extra = 0; extra < 3; extra++) {
			assert_int_equal(btrfs_stream_read_cmd(&stream, &cmd), 0);
			check_write(&stream, &cmd, i * 10 + extra, sizes[i] + extra);
		}
	}
	assert_int_equal(btrfs_stream_read_cmd(&stream, &cmd), 0);
	assert_int_equal(cmd.cmd, BTRFS_SEND_C_END);
	assert_int_equal(stream.offset, bytes.nr);
	btrfs_stream_close(&stream);
	close(fd);
	vec_free(&bytes);
}

static void cut_or_turned_is_told(void **state)
{
	struct vec bytes = VEC_INIT(u8);
	unsigned int nr_cmds;
	int saved;

	(void)state;
	put_stream_header(&bytes, 1);
	put_write(&bytes, 1, 0, 10);
	put_write(&bytes, 1, 10, 20);
	put_end(&bytes);
	assert_int_equal(read_all(&bytes, &nr_cmds), 0);
	assert_int_equal(nr_cmds, 2);

	saved = silence();
	for (size_t len = 0; len < bytes.nr; len++) {
		struct vec cut = bytes;
		int ret;

		cut.nr = len;
		ret = read_all(&cut, &nr_cmds);
		if (ret != (len ? -EPROTO : -ENODATA))
			fail_msg("cut after %zu bytes: %d", len, ret);
	}
	for (size_t at = 0; at < bytes.nr; at++) {
		for (int bit = 0; bit < 8; bit++) {
			int ret;

			((u8 *)bytes.data)[at] ^= 1 << bit;
			ret = read_all(&bytes, &nr_cmds);
			((u8 *)bytes.data)[at] ^= 1 << bit;
			/* Version 1 with a bit turned can be a version nobody has, or 0. */
			if (ret != -EPROTO && ret != -EPROTONOSUPPORT)
				fail_msg("bit %d of byte %zu turned: %d", bit, at, ret);
		}
	}
	unsilence(saved);
	vec_free(&bytes);
}

/* A length that was never written must not make us allocate it. */
static void huge_lengths_cost_nothing(void **state)
{
	static const u32 lens[] = { BTRFS_STREAM_MAX_CMD_LEN, BTRFS_STREAM_MAX_CMD_LEN + 1,
				    0x7fffffff, 0xffffffff };
	int saved = silence();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		struct btrfs_cmd_header header = { .len = htole32(lens[i]) };
		struct vec bytes = VEC_INIT(u8);
		struct btrfs_stream_cmd cmd;
		struct btrfs_stream stream;
		int fd;

		put_stream_header(&bytes, 1);
		put(&bytes, &header, sizeof(header));
		fd = memory_file(&bytes);
		assert_int_equal(btrfs_stream_open(&stream, fd, "test"), 0);
		assert_int_equal(btrfs_stream_read_header(&stream), 0);
		assert_int_equal(btrfs_stream_read_cmd(&stream, &cmd), -EPROTO);
		assert_true(stream.buf_size <= SZ_1M);
		btrfs_stream_close(&stream);
		close(fd);
		vec_free(&bytes);
	}
	unsilence(saved);
}

static void sizes_of_types_are_checked(void **state)
{
	struct btrfs_stream stream = { .name = "test" };
	struct btrfs_stream_cmd cmd = { .cmd = BTRFS_SEND_C_UTIMES };
	struct btrfs_timespec ts;
	const u8 data[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };
	const u8 *uuid;
	int saved = silence();
	u64 v64;
	u32 v32;
	u8 v8;

	(void)state;
	assert_int_equal(btrfs_stream_get_u64(&stream, &cmd, BTRFS_SEND_A_SIZE, &v64), -EPROTO);
	for (u32 len = 0; len <= sizeof(data); len++) {
		cmd.attrs[BTRFS_SEND_A_SIZE].data = data;
		cmd.attrs[BTRFS_SEND_A_SIZE].len = len;
		assert_int_equal(btrfs_stream_get_u64(&stream, &cmd, BTRFS_SEND_A_SIZE, &v64),
				 len == 8 ? 0 : -EPROTO);
		assert_int_equal(btrfs_stream_get_u32(&stream, &cmd, BTRFS_SEND_A_SIZE, &v32),
				 len == 4 ? 0 : -EPROTO);
		assert_int_equal(btrfs_stream_get_u8(&stream, &cmd, BTRFS_SEND_A_SIZE, &v8),
				 len == 1 ? 0 : -EPROTO);
		assert_int_equal(btrfs_stream_get_uuid(&stream, &cmd, BTRFS_SEND_A_SIZE, &uuid),
				 len == 16 ? 0 : -EPROTO);
		assert_int_equal(btrfs_stream_get_timespec(&stream, &cmd, BTRFS_SEND_A_SIZE, &ts),
				 len == 12 ? 0 : -EPROTO);
	}
	assert_int_equal(v64, 0x0807060504030201ULL);
	assert_int_equal(v32, 0x04030201U);
	assert_int_equal(v8, 1);
	assert_int_equal(le32toh(ts.nsec), 0x0c0b0a09U);
	unsilence(saved);
}

static void every_number_has_a_name(void **state)
{
	(void)state;
	for (unsigned int i = 1; i <= BTRFS_SEND_C_MAX; i++)
		assert_non_null(btrfs_send_cmd_name(i));
	assert_null(btrfs_send_cmd_name(0));
	assert_null(btrfs_send_cmd_name(BTRFS_SEND_C_MAX + 1));
	for (unsigned int i = 1; i <= BTRFS_SEND_A_MAX; i++)
		assert_string_not_equal(btrfs_send_attr_name(i), "unknown");
	assert_string_equal(btrfs_send_attr_name(BTRFS_SEND_A_MAX + 1), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_cross_the_buffer),
		cmocka_unit_test(cut_or_turned_is_told),
		cmocka_unit_test(huge_lengths_cost_nothing),
		cmocka_unit_test(sizes_of_types_are_checked),
		cmocka_unit_test(every_number_has_a_name),
	};

	return cmocka_run_group_tests_name("stream-read", tests, NULL, NULL);
}
