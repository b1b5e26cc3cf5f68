// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rules of send streams, on a stream that has every command: each rule is
 * broken in turn, each bit is turned, each byte is the last one.  A fault is said
 * exactly once, and at the command that has it.
 */
#include "tests/unit/stream-commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/message.h"
#include "kernel-shared/stream-verify.h"

/* ---- making streams ---- */

/* Where commands begin, so that a fault can be looked for there. */
static size_t starts[64];
static unsigned int nr_starts;

static void note_start(const struct vec *out)
{
	assert_true(nr_starts < ARRAY_SIZE(starts));
	starts[nr_starts++] = out->nr;
}

static void put_noted(struct vec *out, u32 version, const struct command *command)
{
	note_start(out);
	put_changed(out, version, command, NULL);
}

/* Every command that @version has, in two subvolumes as "send -e" makes them. */
static void put_everything(struct vec *out, u32 version)
{
	note_start(out);
	put_stream_header(out, version);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (version_of(commands[i].cmd) <= version)
			put_noted(out, version, &commands[i]);
	}
	note_start(out);
	put_end(out);
}

/* ---- judging ---- */

/*
 * One for all tests: with a sanitizer, a new buffer for each of many thousand
 * streams takes longer than all the rest.
 */
static struct btrfs_stream stream;

static void open_stream(int fd)
{
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	if (!stream.buf) {
		assert_int_equal(btrfs_stream_open(&stream, fd, "test"), 0);
		return;
	}
	stream = (struct btrfs_stream){
		.name = "test", .fd = fd, .buf = stream.buf, .buf_size = stream.buf_size,
	};
}

static int close_stream(void **state)
{
	btrfs_stream_close(&stream);
	return 0;
}

/* All streams in @fd; a fault is where stream stands.  @sum: of the last one, unless NULL. */
static int verify_fd(int fd, struct btrfs_stream_summary *sum)
{
	unsigned long nr_errors = message_nr_errors();
	struct btrfs_stream_summary summary;
	int ret;

	open_stream(fd);
	do {
		ret = btrfs_stream_verify(&stream, &summary);
		if (sum)
			*sum = summary;
		btrfs_stream_summary_free(&summary);
		if (!ret)
			ret = btrfs_stream_at_end(&stream);
	} while (!ret);
	ret = ret < 0 ? ret : 0;
	if (message_nr_errors() - nr_errors != (ret ? 1 : 0))
		fail_msg("%lu errors said for %d", message_nr_errors() - nr_errors, ret);
	return ret;
}

static int verify(const struct vec *bytes, struct btrfs_stream_summary *sum)
{
	int fd = memory_file(bytes);
	int ret = verify_fd(fd, sum);

	close(fd);
	return ret;
}

/* A stream with one command that may be changed, and what follows. */
static int verdict(u32 version, const struct command *command, const struct change *change)
{
	struct vec bytes = VEC_INIT(u8);
	u64 at;
	int ret;

	put_stream_header(&bytes, version);
	put_changed(&bytes, version, &subvol, NULL);
	at = bytes.nr;
	put_changed(&bytes, version, command, change);
	put_end(&bytes);
	ret = verify(&bytes, NULL);
	if (ret) {
		assert_int_equal(stream.cmd_offset, at);
		assert_int_equal(stream.nr_cmds, 2);
		assert_int_equal(stream.cmd, command->cmd);
	}
	vec_free(&bytes);
	return ret;
}

/* ---- tests ---- */

static void all_commands_are_good(void **state)
{
	struct btrfs_stream_summary sum;

	for (u32 version = 1; version <= 2; version++) {
		struct vec bytes = VEC_INIT(u8);

		nr_starts = 0;
		put_everything(&bytes, version);
		assert_int_equal(verify(&bytes, &sum), 0);
		assert_int_equal(sum.version, version);
		assert_int_equal(sum.offset, 0);
		assert_int_equal(sum.bytes, bytes.nr);
		assert_int_equal(sum.nr_cmds, nr_starts - 1);
		assert_int_equal(sum.nr_subvols, 2);
		assert_int_equal(sum.data_bytes, version == 1 ? 19 : 19 + 6);
		vec_free(&bytes);
	}
	/* Nothing was left out above. */
	assert_int_equal(nr_starts - 2, BTRFS_SEND_C_MAX_V2 - 1);
}

/* The command that the byte at @at belongs to; a header counts as one. */
static size_t start_of(size_t at)
{
	unsigned int i = 0;

	while (i + 1 < nr_starts && starts[i + 1] <= at)
		i++;
	return starts[i];
}

static void turn_bits(const struct vec *bytes)
{
	int fd = memory_file(bytes);

	for (size_t at = 0; at < bytes->nr; at++) {
		const u8 good = ((const u8 *)bytes->data)[at];

		for (int bit = 0; bit < 8; bit++) {
			const u8 bad = good ^ (u8)(1 << bit);
			int ret;

			assert_int_equal(pwrite(fd, &bad, 1, (off_t)at), 1);
			ret = verify_fd(fd, NULL);
			if (ret != -EPROTO && ret != -EPROTONOSUPPORT)
				fail_msg("bit %d of byte %zu turned: %d", bit, at, ret);
			if (stream.cmd_offset != start_of(at))
				fail_msg("bit %d of byte %zu turned: said of byte %llu, not %zu",
					 bit, at, stream.cmd_offset, start_of(at));
		}
		assert_int_equal(pwrite(fd, &good, 1, (off_t)at), 1);
	}
	close(fd);
}

static void every_bit_matters(void **state)
{
	struct vec bytes = VEC_INIT(u8);
	int saved = silence();

	nr_starts = 0;
	put_everything(&bytes, 2);
	turn_bits(&bytes);
	vec_clear(&bytes);
	/* Two streams, the second in the other version. */
	nr_starts = 0;
	put_everything(&bytes, 1);
	note_start(&bytes);
	put_stream_header(&bytes, 2);
	put_noted(&bytes, 2, &subvol);
	put_noted(&bytes, 2, command_of(BTRFS_SEND_C_WRITE));
	note_start(&bytes);
	put_end(&bytes);
	turn_bits(&bytes);
	unsilence(saved);
	vec_free(&bytes);
}

static void every_cut_is_found(void **state)
{
	struct vec bytes = VEC_INIT(u8);
	int saved = silence();
	size_t whole;
	int fd;

	nr_starts = 0;
	put_everything(&bytes, 1);
	whole = bytes.nr;
	put_everything(&bytes, 2);
	fd = memory_file(&bytes);
	for (size_t len = bytes.nr; len-- > 0;) {
		int ret, want = -EPROTO;

		if (len == 0)
			want = -ENODATA;
		else if (len == whole)
			want = 0;
		assert_int_equal(ftruncate(fd, (off_t)len), 0);
		ret = verify_fd(fd, NULL);
		if (ret != want)
			fail_msg("cut after %zu bytes: %d", len, ret);
		if (ret && stream.cmd_offset != (len ? start_of(len) : 0))
			fail_msg("cut after %zu bytes: said of byte %llu", len, stream.cmd_offset);
	}
	close(fd);
	unsilence(saved);
	vec_free(&bytes);
}

static void needed_attributes_are_missed(void **state)
{
	int saved = silence();

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		for (const struct attr *attr = commands[i].attrs; attr->type; attr++) {
			const struct change without = { .type = attr->type };
			int ret = verdict(2, &commands[i], &without);

			if (ret != (attr->optional ? 0 : -EPROTO))
				fail_msg("command %u without attribute %u: %d", commands[i].cmd,
					 attr->type, ret);
		}
	}
	unsilence(saved);
}

static bool has_fixed_size(u16 type)
{
	switch (type) {
	case BTRFS_SEND_A_PATH:
	case BTRFS_SEND_A_PATH_TO:
	case BTRFS_SEND_A_PATH_LINK:
	case BTRFS_SEND_A_CLONE_PATH:
	case BTRFS_SEND_A_XATTR_NAME:
	case BTRFS_SEND_A_XATTR_DATA:
	case BTRFS_SEND_A_DATA:
		return false;
	default:
		return true;
	}
}

static void sizes_have_to_be_right(void **state)
{
	static const u8 zeroes[24];
	int saved = silence();

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		for (const struct attr *attr = commands[i].attrs; attr->type; attr++) {
			for (u32 len = 0; has_fixed_size(attr->type) && len <= 24; len++) {
				const struct change change = { attr->type, len, zeroes };

				if (len == attr->len)
					continue;
				if (verdict(2, &commands[i], &change) != -EPROTO)
					fail_msg("command %u, attribute %u of %u bytes",
						 commands[i].cmd, attr->type, len);
			}
		}
	}
	unsilence(saved);
}

/* Sizes hold for attributes that a command has no use for, too. */
static void surplus_attributes_are_checked(void **state)
{
	static const struct command good = { BTRFS_SEND_C_UNLINK, {
		TEXT(PATH, "f"), NUM64(INO, 1) } };
	static const struct command bad = { BTRFS_SEND_C_UNLINK, {
		TEXT(PATH, "f"), NUM32(INO, 1) } };
	static const struct command twice = { BTRFS_SEND_C_UNLINK, {
		TEXT(PATH, "f"), TEXT(PATH, "f") } };
	static const struct command newer = { BTRFS_SEND_C_UNLINK, {
		TEXT(PATH, "f"), NUM64(FILEATTR, 1) } };
	static const struct command newest = { BTRFS_SEND_C_UNLINK, {
		TEXT(PATH, "f"), NUM32(VERITY_BLOCK_SIZE, 1) } };
	int saved = silence();

	assert_int_equal(verdict(1, &good, NULL), 0);
	assert_int_equal(verdict(1, &bad, NULL), -EPROTO);
	assert_int_equal(verdict(1, &twice, NULL), -EPROTO);
	assert_int_equal(verdict(1, &newer, NULL), -EPROTO);
	assert_int_equal(verdict(2, &newer, NULL), 0);
	assert_int_equal(verdict(2, &newest, NULL), -EPROTO);
	unsilence(saved);
}

static const struct {
	u16 cmd, attr;
	bool good;
	u64 value;
} numbers[] = {
#define N(cmd, attr, good, value) { BTRFS_SEND_C_##cmd, BTRFS_SEND_A_##attr, good, value }
	N(WRITE, FILE_OFFSET, true, INT64_MAX - 19),
	N(WRITE, FILE_OFFSET, false, INT64_MAX - 18),
	N(WRITE, FILE_OFFSET, false, UINT64_MAX),
	N(CLONE, FILE_OFFSET, true, INT64_MAX - 4096),
	N(CLONE, FILE_OFFSET, false, INT64_MAX - 4095),
	N(CLONE, CLONE_OFFSET, true, INT64_MAX - 4096),
	N(CLONE, CLONE_OFFSET, false, UINT64_MAX - 4095),
	N(CLONE, CLONE_LEN, true, 1),
	N(CLONE, CLONE_LEN, false, 0),
	N(CLONE, CLONE_LEN, false, INT64_MAX),
	N(TRUNCATE, SIZE, true, 0),
	N(TRUNCATE, SIZE, true, INT64_MAX),
	N(TRUNCATE, SIZE, false, 1ULL << 63),
	N(UPDATE_EXTENT, SIZE, true, INT64_MAX),
	N(UPDATE_EXTENT, SIZE, false, UINT64_MAX),
	N(UPDATE_EXTENT, FILE_OFFSET, false, 1ULL << 63),
	N(FALLOCATE, SIZE, false, 0),
	N(FALLOCATE, SIZE, true, INT64_MAX),
	N(FALLOCATE, SIZE, false, 1ULL << 63),
	N(FALLOCATE, FALLOCATE_MODE, true, 0),
	N(FALLOCATE, FALLOCATE_MODE, false, 0x80),
	N(FALLOCATE, FALLOCATE_MODE, false, 1U << 31),
	N(MKNOD, MODE, true, S_IFBLK | 07777),
	N(MKNOD, MODE, true, S_IFIFO),
	N(MKNOD, MODE, false, S_IFREG | 0644),
	N(MKNOD, MODE, false, 0644),
	N(MKNOD, MODE, false, S_IFBLK | 1ULL << 32),
	N(CHMOD, MODE, true, 0),
	N(CHMOD, MODE, true, S_IFREG | 07777),
	N(CHMOD, MODE, false, 1 << 16),
	N(CHOWN, UID, true, UINT32_MAX),
	N(CHOWN, UID, false, 1ULL << 32),
	N(CHOWN, GID, true, UINT32_MAX),
	N(CHOWN, GID, false, UINT64_MAX),
	N(FILEATTR, FILEATTR, true, UINT64_MAX),
	N(SUBVOL, CTRANSID, true, UINT64_MAX),
	N(MKFILE, INO, true, 1),
	N(ENCODED_WRITE, COMPRESSION, false, BTRFS_SEND_COMPRESSION_NONE),
	N(ENCODED_WRITE, COMPRESSION, true, BTRFS_SEND_COMPRESSION_ZLIB),
	N(ENCODED_WRITE, COMPRESSION, true, BTRFS_SEND_COMPRESSION_LZO_64K),
	N(ENCODED_WRITE, COMPRESSION, false, BTRFS_SEND_COMPRESSION_LZO_64K + 1),
	N(ENCODED_WRITE, ENCRYPTION, false, 1),
	N(ENCODED_WRITE, FILE_OFFSET, true, INT64_MAX - 4096),
	N(ENCODED_WRITE, FILE_OFFSET, false, INT64_MAX),
	N(ENCODED_WRITE, UNENCODED_FILE_LEN, true, 1),
	N(ENCODED_WRITE, UNENCODED_FILE_LEN, false, 0),
	N(ENCODED_WRITE, UNENCODED_FILE_LEN, false, 4097),
	N(ENCODED_WRITE, UNENCODED_FILE_LEN, false, UINT64_MAX),
	N(ENCODED_WRITE, UNENCODED_LEN, false, 0),
	N(ENCODED_WRITE, UNENCODED_LEN, false, 4096),
	N(ENCODED_WRITE, UNENCODED_LEN, false, 8191),
	N(ENCODED_WRITE, UNENCODED_LEN, true, SZ_128K),
	N(ENCODED_WRITE, UNENCODED_LEN, false, SZ_128K + 1),
	N(ENCODED_WRITE, UNENCODED_OFFSET, true, 0),
	N(ENCODED_WRITE, UNENCODED_OFFSET, false, 4097),
	N(ENCODED_WRITE, UNENCODED_OFFSET, false, UINT64_MAX),
#undef N
};

static u16 size_of(const struct command *command, u16 type)
{
	for (const struct attr *attr = command->attrs; attr->type; attr++) {
		if (attr->type == type)
			return attr->len;
	}
	fail_msg("command %u has no attribute %u", command->cmd, type);
	return 0;
}

static void numbers_have_their_limits(void **state)
{
	int saved = silence();

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		const struct command *command = command_of(numbers[i].cmd);
		u8 raw[8];
		const struct change change = { numbers[i].attr, size_of(command, numbers[i].attr),
					       raw };

		put_unaligned_le64(numbers[i].value, raw);
		if ((verdict(2, command, &change) == 0) != numbers[i].good)
			fail_msg("command %u, attribute %u: 0x%llx", numbers[i].cmd,
				 numbers[i].attr, numbers[i].value);
	}
	unsilence(saved);
}

static void times_have_nanoseconds(void **state)
{
	static const struct attr good = TIME(MTIME, INT64_MIN, 999999999);
	static const struct attr bad = TIME(MTIME, 0, 1000000000);
	const struct command *utimes = command_of(BTRFS_SEND_C_UTIMES);
	struct change change = { BTRFS_SEND_A_MTIME, good.len, good.data };
	int saved = silence();

	assert_int_equal(verdict(1, utimes, &change), 0);
	change.data = bad.data;
	assert_int_equal(verdict(1, utimes, &change), -EPROTO);
	unsilence(saved);
}

static int verdict_on_text(unsigned int cmd, u16 attr, const char *text, size_t len)
{
	const struct change change = { attr, (u32)len, text };

	return verdict(1, command_of(cmd), &change);
}

static const struct {
	bool good;
	const char *path;
} paths[] = {
	{ true, "a" }, { true, "a/b/c" }, { true, "..." }, { true, "..a/b.." }, { true, "\xff\n " },
	{ false, ".." }, { false, "../a" }, { false, "a/.." }, { false, "a/../b" },
	{ false, "/" }, { false, "/a" }, { false, "" },
};

static const struct {
	u16 cmd, attr;
} path_attrs[] = {
	{ BTRFS_SEND_C_SUBVOL, BTRFS_SEND_A_PATH },
	{ BTRFS_SEND_C_SNAPSHOT, BTRFS_SEND_A_PATH },
	{ BTRFS_SEND_C_MKFILE, BTRFS_SEND_A_PATH },
	{ BTRFS_SEND_C_WRITE, BTRFS_SEND_A_PATH },
	{ BTRFS_SEND_C_RENAME, BTRFS_SEND_A_PATH },
	{ BTRFS_SEND_C_RENAME, BTRFS_SEND_A_PATH_TO },
	{ BTRFS_SEND_C_LINK, BTRFS_SEND_A_PATH_LINK },
	{ BTRFS_SEND_C_CLONE, BTRFS_SEND_A_CLONE_PATH },
};

static void paths_stay_inside(void **state)
{
	int saved = silence();

	for (size_t i = 0; i < ARRAY_SIZE(path_attrs); i++) {
		u16 cmd = path_attrs[i].cmd, attr = path_attrs[i].attr;

		for (size_t j = 0; j < ARRAY_SIZE(paths); j++) {
			const char *path = paths[j].path;

			if ((verdict_on_text(cmd, attr, path, strlen(path)) == 0) != paths[j].good)
				fail_msg("command %u, attribute %u: \"%s\"", cmd, attr, path);
		}
		assert_int_equal(verdict_on_text(cmd, attr, "a\0b", 3), -EPROTO);
		assert_int_equal(verdict_on_text(cmd, attr, "a\0", 2), -EPROTO);
	}
	unsilence(saved);
}

static void the_subvolume_itself_has_no_path(void **state)
{
	static const u16 allowed[] = {
		BTRFS_SEND_C_SET_XATTR, BTRFS_SEND_C_REMOVE_XATTR, BTRFS_SEND_C_CHMOD,
		BTRFS_SEND_C_CHOWN, BTRFS_SEND_C_UTIMES, BTRFS_SEND_C_FILEATTR,
	};
	const struct change empty = { BTRFS_SEND_A_PATH, 0, "" };
	int saved = silence();

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		bool good = false;

		for (size_t j = 0; j < ARRAY_SIZE(allowed); j++)
			good |= commands[i].cmd == allowed[j];
		if ((verdict(2, &commands[i], &empty) == 0) != good)
			fail_msg("command %u without a path", commands[i].cmd);
	}
	unsilence(saved);
}

/* @len bytes of names as long as they may be, or of one that is @name_len long. */
static int verdict_on_length(unsigned int cmd, u16 attr, size_t len, size_t name_len)
{
	char *text = malloc(len + 1);
	int ret;

	assert_non_null(text);
	for (size_t i = 0; i < len; i++)
		text[i] = (i + 1) % (name_len + 1) ? 'n' : '/';
	ret = verdict_on_text(cmd, attr, text, len);
	free(text);
	return ret;
}

static const struct {
	u16 cmd, attr;
	bool good;
	size_t len, name_len;
} lengths[] = {
	{ BTRFS_SEND_C_MKDIR, BTRFS_SEND_A_PATH, true, 4095, 255 },
	{ BTRFS_SEND_C_MKDIR, BTRFS_SEND_A_PATH, false, 4096, 255 },
	{ BTRFS_SEND_C_MKDIR, BTRFS_SEND_A_PATH, false, 60000, 255 },
	{ BTRFS_SEND_C_MKDIR, BTRFS_SEND_A_PATH, false, 256, 256 },
	{ BTRFS_SEND_C_MKDIR, BTRFS_SEND_A_PATH, false, 600, 256 },
	{ BTRFS_SEND_C_SYMLINK, BTRFS_SEND_A_PATH_LINK, true, 4095, 5000 },
	{ BTRFS_SEND_C_SYMLINK, BTRFS_SEND_A_PATH_LINK, false, 4096, 5000 },
	{ BTRFS_SEND_C_SYMLINK, BTRFS_SEND_A_PATH_LINK, false, 0, 5000 },
	{ BTRFS_SEND_C_SET_XATTR, BTRFS_SEND_A_XATTR_NAME, true, 255, 5000 },
	{ BTRFS_SEND_C_SET_XATTR, BTRFS_SEND_A_XATTR_NAME, false, 256, 5000 },
	{ BTRFS_SEND_C_SET_XATTR, BTRFS_SEND_A_XATTR_NAME, false, 0, 5000 },
	{ BTRFS_SEND_C_SET_XATTR, BTRFS_SEND_A_XATTR_DATA, true, 0, 5000 },
	{ BTRFS_SEND_C_SET_XATTR, BTRFS_SEND_A_XATTR_DATA, true, 50000, 5000 },
};

static void lengths_have_limits(void **state)
{
	int saved = silence();

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		int ret = verdict_on_length(lengths[i].cmd, lengths[i].attr, lengths[i].len,
					    lengths[i].name_len);

		if ((ret == 0) != lengths[i].good)
			fail_msg("command %u, attribute %u: %zu bytes, names of %zu: %d",
				 lengths[i].cmd, lengths[i].attr, lengths[i].len,
				 lengths[i].name_len, ret);
	}
	/* A symbolic link holds any text but NUL, and so does the name of an xattr. */
	assert_int_equal(verdict_on_text(BTRFS_SEND_C_SYMLINK, BTRFS_SEND_A_PATH_LINK, "a\0b", 3),
			 -EPROTO);
	assert_int_equal(verdict_on_text(BTRFS_SEND_C_SET_XATTR, BTRFS_SEND_A_XATTR_NAME, "\0", 1),
			 -EPROTO);
	unsilence(saved);
}

static void data_has_limits(void **state)
{
	const struct command *write = command_of(BTRFS_SEND_C_WRITE);
	const struct command *encoded = command_of(BTRFS_SEND_C_ENCODED_WRITE);
	struct change change = { BTRFS_SEND_A_DATA, 0, NULL };
	u8 *data = calloc(1, SZ_1M);
	int saved = silence();

	assert_non_null(data);
	change.data = data;
	assert_int_equal(verdict(1, write, &change), -EPROTO);
	assert_int_equal(verdict(2, write, &change), -EPROTO);
	assert_int_equal(verdict(2, encoded, &change), -EPROTO);
	/* Header, path, offset and the head of the data take 35 bytes. */
	change.len = BTRFS_SEND_BUF_SIZE_V1 - 35;
	assert_int_equal(verdict(1, write, &change), 0);
	change.len++;
	assert_int_equal(verdict(1, write, &change), -EPROTO);
	change.len = SZ_1M;
	assert_int_equal(verdict(2, write, &change), 0);
	change.len = SZ_128K;
	assert_int_equal(verdict(2, encoded, &change), 0);
	change.len++;
	assert_int_equal(verdict(2, encoded, &change), -EPROTO);
	unsilence(saved);
	free(data);
}

static void newer_commands_need_a_newer_stream(void **state)
{
	static const struct command verity = { BTRFS_SEND_C_ENABLE_VERITY, { TEXT(PATH, "f") } };
	static const struct command unknown = { BTRFS_SEND_C_MAX + 1, { TEXT(PATH, "f") } };
	static const struct command none = { BTRFS_SEND_C_UNSPEC, { TEXT(PATH, "f") } };
	int saved = silence();

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		assert_int_equal(verdict(1, &commands[i], NULL),
				 version_of(commands[i].cmd) > 1 ? -EPROTO : 0);
	assert_int_equal(verdict(2, &verity, NULL), -EPROTO);
	assert_int_equal(verdict(2, &unknown, NULL), -EPROTO);
	assert_int_equal(verdict(2, &none, NULL), -EPROTO);
	unsilence(saved);
}

static void a_subvolume_comes_first(void **state)
{
	int saved = silence();

	for (size_t i = 0; i <= ARRAY_SIZE(commands); i++) {
		struct vec bytes = VEC_INIT(u8);
		bool good = i < 2;
		int ret;

		put_stream_header(&bytes, 2);
		if (i < ARRAY_SIZE(commands))
			put_changed(&bytes, 2, &commands[i], NULL);
		put_end(&bytes);
		ret = verify(&bytes, NULL);
		if ((ret == 0) != good)
			fail_msg("command %zu of the list comes first: %d", i, ret);
		vec_free(&bytes);
	}
	unsilence(saved);
}

static void only_a_stream_follows_the_end(void **state)
{
	struct vec bytes = VEC_INIT(u8);
	struct btrfs_stream_summary sum;
	int saved = silence();
	size_t whole;

	nr_starts = 0;
	put_everything(&bytes, 2);
	whole = bytes.nr;
	for (size_t len = 1; len < 40; len++) {
		static const u8 zeroes[40];

		bytes.nr = whole;
		put(&bytes, zeroes, len);
		assert_int_equal(verify(&bytes, NULL), -EPROTO);
		assert_int_equal(stream.cmd_offset, whole);
	}
	/* A command, a second end. */
	bytes.nr = whole;
	put_changed(&bytes, 2, &subvol, NULL);
	put_end(&bytes);
	assert_int_equal(verify(&bytes, NULL), -EPROTO);
	assert_int_equal(stream.cmd_offset, whole);
	bytes.nr = whole;
	put_end(&bytes);
	assert_int_equal(verify(&bytes, NULL), -EPROTO);
	/* A header where a command is due. */
	bytes.nr = whole - sizeof(struct btrfs_cmd_header);
	put_everything(&bytes, 2);
	assert_int_equal(verify(&bytes, NULL), -EPROTO);
	unsilence(saved);
	/* Another stream of another version; the sums are its own. */
	vec_clear(&bytes);
	nr_starts = 0;
	put_everything(&bytes, 2);
	put_stream_header(&bytes, 1);
	put_changed(&bytes, 1, &subvol, NULL);
	put_end(&bytes);
	assert_int_equal(verify(&bytes, &sum), 0);
	assert_int_equal(sum.offset, whole);
	assert_int_equal(sum.bytes, bytes.nr - whole);
	assert_int_equal(sum.version, 1);
	assert_int_equal(sum.nr_cmds, 2);
	assert_int_equal(sum.data_bytes, 0);
	assert_int_equal(stream.nr_streams, 2);
	vec_free(&bytes);
}

static void names_are_bounded(void **state)
{
	struct vec bytes = VEC_INIT(u8);
	struct btrfs_stream_summary sum;
	int fd;

	put_stream_header(&bytes, 1);
	for (int i = 0; i < 2 * BTRFS_STREAM_MAX_NAMES; i++)
		put_changed(&bytes, 1, &subvol, NULL);
	put_end(&bytes);
	fd = memory_file(&bytes);
	open_stream(fd);
	assert_int_equal(btrfs_stream_verify(&stream, &sum), 0);
	assert_int_equal(sum.nr_subvols, 2 * BTRFS_STREAM_MAX_NAMES);
	assert_int_equal(sum.subvols.nr, BTRFS_STREAM_MAX_NAMES);
	assert_string_equal(*(char **)vec_last(&sum.subvols), "home");
	btrfs_stream_summary_free(&sum);
	close(fd);
	vec_free(&bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_commands_are_good),
		cmocka_unit_test(every_bit_matters),
		cmocka_unit_test(every_cut_is_found),
		cmocka_unit_test(needed_attributes_are_missed),
		cmocka_unit_test(sizes_have_to_be_right),
		cmocka_unit_test(surplus_attributes_are_checked),
		cmocka_unit_test(numbers_have_their_limits),
		cmocka_unit_test(times_have_nanoseconds),
		cmocka_unit_test(paths_stay_inside),
		cmocka_unit_test(the_subvolume_itself_has_no_path),
		cmocka_unit_test(lengths_have_limits),
		cmocka_unit_test(data_has_limits),
		cmocka_unit_test(newer_commands_need_a_newer_stream),
		cmocka_unit_test(a_subvolume_comes_first),
		cmocka_unit_test(only_a_stream_follows_the_end),
		cmocka_unit_test(names_are_bounded),
	};

	return cmocka_run_group_tests_name("stream-verify", tests, NULL, close_stream);
}
