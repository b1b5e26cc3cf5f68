// SPDX-License-Identifier: GPL-2.0-only
/* What people type and read: sizes, numbers, escaped names, JSON, messages. */
#include "tests/unit/common-unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/format-output.h"
#include "common/message.h"
#include "common/string-utils.h"
#include "common/units.h"

static void sizes_are_parsed(void **state)
{
	static const struct {
		const char *str;
		int ret;
		u64 size;
	} cases[] = {
		{ "0", 0, 0 },
		{ "4096", 0, 4096 },
		{ "17b", 0, 17 },
		{ "4k", 0, 4096 },
		{ "4K", 0, 4096 },
		{ "4KiB", 0, 4096 },
		{ "3m", 0, 3 << 20 },
		{ "2G", 0, 2ULL << 30 },
		{ "2GiB", 0, 2ULL << 30 },
		{ "1T", 0, 1ULL << 40 },
		{ "1P", 0, 1ULL << 50 },
		{ "15E", 0, 15ULL << 60 },
		{ "18446744073709551615", 0, ~0ULL },
		{ "16E", -ERANGE, 0 },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "18014398509481984K", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "k", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ "+1", -EINVAL, 0 },
		{ " 1", -EINVAL, 0 },
		{ "1 ", -EINVAL, 0 },
		{ "1KB", -EINVAL, 0 },
		{ "1Ki", -EINVAL, 0 },
		{ "1KiBx", -EINVAL, 0 },
		{ "1Z", -EINVAL, 0 },
		{ "1.5G", -EINVAL, 0 },
		{ "0x10", -EINVAL, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		u64 size = 0;

		print_message("# %s\n", cases[i].str);
		assert_int_equal(parse_size(cases[i].str, &size), cases[i].ret);
		assert_true(size == cases[i].size);
	}
}

static void sizes_are_printed(void **state)
{
	static const struct {
		u64 size;
		unsigned mode;
		const char *want;
	} cases[] = {
		{ 0, UNITS_BINARY, "0.00B" },
		{ 1023, UNITS_BINARY, "1023.00B" },
		{ 1024, UNITS_BINARY, "1.00KiB" },
		{ 147456, UNITS_BINARY, "144.00KiB" },
		{ 1ULL << 30, UNITS_BINARY, "1.00GiB" },
		{ 1ULL << 30, UNITS_RAW, "1073741824" },
		{ 1ULL << 30, UNITS_DECIMAL, "1.07GB" },
		{ 1000, UNITS_DECIMAL, "1.00kB" },
		{ ~0ULL, UNITS_BINARY, "16.00EiB" },
		{ ~0ULL, UNITS_RAW, "18446744073709551615" },
		{ 8 << 20, UNITS_BINARY | UNITS_KBYTES, "8192.00KiB" },
		{ 1ULL << 30, UNITS_BINARY | UNITS_TBYTES, "0.00TiB" },
		{ 5000000, UNITS_DECIMAL | UNITS_MBYTES, "5.00MB" },
	};
	char buf[PRETTY_SIZE_LEN];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(pretty_size_mode(cases[i].size, cases[i].mode, buf),
				    cases[i].want);
	assert_string_equal(pretty_size(1536, buf), "1.50KiB");
}

static void numbers_are_strict(void **state)
{
	static const struct {
		const char *str;
		int ret;
		u64 value;
	} cases[] = {
		{ "0", 0, 0 },
		{ "257", 0, 257 },
		{ "010", 0, 10 },
		{ "0x1F", 0, 31 },
		{ "18446744073709551615", 0, ~0ULL },
		{ "0xffffffffffffffff", 0, ~0ULL },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "0x10000000000000000", -ERANGE, 0 },
		{ "99999999999999999999x", -EINVAL, 0 },
		{ "", -EINVAL, 0 },
		{ "0x", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ " 1", -EINVAL, 0 },
		{ "1a", -EINVAL, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		u64 value = 0;

		assert_int_equal(parse_u64(cases[i].str, &value), cases[i].ret);
		assert_true(value == cases[i].value);
	}
}

static void assert_escaped(const char *in, size_t len, const char *want)
{
	char out[256];

	escape_path(in, len, out, sizeof(out));
	assert_string_equal(out, want);
}

static void names_are_escaped(void **state)
{
	char out[8];

	assert_escaped("plain name", 10, "plain name");
	assert_escaped("", 0, "");
	assert_escaped("a\nb\tc\\d\x7f\x1b[", 10, "a\\nb\\tc\\\\d\\x7f\\x1b[");
	assert_escaped("a\0b", 3, "a\\x00b");
	assert_escaped("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9,
		       "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
	/* A control character in UTF-8, an overlong slash, a surrogate, a cut character. */
	assert_escaped("\xc2\x9b", 2, "\\xc2\\x9b");
	assert_escaped("\xc0\xaf", 2, "\\xc0\\xaf");
	assert_escaped("\xed\xa0\x80", 3, "\\xed\\xa0\\x80");
	assert_escaped("\xe2\x82", 2, "\\xe2\\x82");
	assert_escaped("\xff", 1, "\\xff");

	/* No half escape, no half character, always an end. */
	escape_path("abcd\nx", 6, out, 6);
	assert_string_equal(out, "abcd");
	escape_path("abcd\nx", 6, out, 7);
	assert_string_equal(out, "abcd\\n");
	escape_path("abcd\xe2\x82\xac", 7, out, 7);
	assert_string_equal(out, "abcd");
	escape_path("abc", 3, out, 1);
	assert_string_equal(out, "");
	escape_path("abc", 3, NULL, 0);
}

static void prefixes_and_copies(void **state)
{
	char dst[4];

	assert_true(string_has_prefix("subvolume", "sub"));
	assert_true(string_has_prefix("sub", ""));
	assert_false(string_has_prefix("su", "sub"));
	assert_true(string_copy(dst, sizeof(dst), "abc"));
	assert_string_equal(dst, "abc");
	assert_false(string_copy(dst, sizeof(dst), "abcd"));
	assert_string_equal(dst, "abc");
	assert_false(string_copy(NULL, 0, "a"));
}

static void json_is_built(void **state)
{
	struct format_ctx ctx;
	char *text = NULL;
	size_t len;
	FILE *file = open_memstream(&text, &len);

	assert_non_null(file);
	format_begin(&ctx);
	format_array_begin(&ctx, "subvolumes");
	format_object_begin(&ctx, NULL);
	format_u64(&ctx, "id", ~0ULL);
	format_name(&ctx, "path", "a/\"b\"", 5);
	format_name(&ctx, "bad", "x\xff", 2);
	format_s64(&ctx, "delta", -3);
	format_bool(&ctx, "ro", true);
	format_null(&ctx, "parent");
	format_stringf(&ctx, "label", "%d-%s", 7, "x");
	format_object_end(&ctx);
	format_array_end(&ctx);
	assert_int_equal(format_end(&ctx, file), 0);
	fclose(file);
	assert_string_equal(text, "{\n"
				  "  \"__header\": {\n"
				  "    \"version\": \"1\"\n"
				  "  },\n"
				  "  \"subvolumes\": [\n"
				  "    {\n"
				  "      \"id\": 18446744073709551615,\n"
				  "      \"path\": \"a/\\\"b\\\"\",\n"
				  "      \"bad\": \"x\\\\xff\",\n"
				  "      \"bad_hex\": \"78ff\",\n"
				  "      \"delta\": -3,\n"
				  "      \"ro\": true,\n"
				  "      \"parent\": null,\n"
				  "      \"label\": \"7-x\"\n"
				  "    }\n"
				  "  ]\n"
				  "}\n");
	free(text);
}

static void json_nesting_errors_are_kept(void **state)
{
	FILE *null = fopen("/dev/null", "w");
	struct format_ctx ctx;

	assert_non_null(null);
	format_begin(&ctx);
	format_array_begin(&ctx, "open");
	assert_int_equal(format_end(&ctx, null), -EINVAL);

	format_begin(&ctx);
	format_object_end(&ctx);
	assert_int_equal(format_end(&ctx, null), -EINVAL);

	format_begin(&ctx);
	format_u64(&ctx, NULL, 1);
	format_u64(&ctx, "fine", 1);
	assert_int_equal(format_end(&ctx, null), -EINVAL);

	format_begin(&ctx);
	for (int i = 0; i < 2 * FORMAT_MAX_DEPTH; i++)
		format_object_begin(&ctx, "deeper");
	assert_int_equal(format_end(&ctx, null), -EINVAL);
	fclose(null);

	format_begin(&ctx);
	format_cancel(&ctx);
}

static void json_tells_write_errors(void **state)
{
	FILE *full = fopen("/dev/full", "w");
	struct format_ctx ctx;

	if (!full)
		skip();
	format_begin(&ctx);
	assert_int_equal(format_end(&ctx, full), -ENOSPC);
	fclose(full);
}

/* What @print writes to stderr. */
static void capture_stderr(void (*print)(void), char *out, size_t size)
{
	int saved = dup(STDERR_FILENO);
	FILE *tmp = tmpfile();
	size_t len;

	assert_non_null(tmp);
	dup2(fileno(tmp), STDERR_FILENO);
	print();
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(tmp);
	len = fread(out, 1, size - 1, tmp);
	out[len] = '\0';
	fclose(tmp);
}

static void print_one_of_each(void)
{
	error("e%d", 1);
	warning("w");
	info("i");
	pr_verbose(MSG_VERBOSE, "v");
	pr_verbose(MSG_DEBUG, "d");
}

static void print_long_line(void)
{
	char text[3000];

	memset(text, 'x', sizeof(text));
	error("%.*s", (int)sizeof(text), text);
}

static void messages_follow_the_level(void **state)
{
	static const struct {
		const char *level;
		const char *want;
	} cases[] = {
		{ "quiet", "ERROR: e1\nWARNING: w\n" },
		{ "default", "ERROR: e1\nWARNING: w\ni\n" },
		{ "info", "ERROR: e1\nWARNING: w\ni\n" },
		{ "verbose", "ERROR: e1\nWARNING: w\ni\nv\n" },
		{ "debug", "ERROR: e1\nWARNING: w\ni\nv\nd\n" },
	};
	char out[4096];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(message_set_log_level(cases[i].level), 0);
		capture_stderr(print_one_of_each, out, sizeof(out));
		assert_string_equal(out, cases[i].want);
	}
	assert_int_equal(message_set_log_level("loud"), -EINVAL);
	assert_int_equal(message_verbosity(), MSG_DEBUG);
	message_set_verbosity(MSG_DEFAULT);

	capture_stderr(print_long_line, out, sizeof(out));
	assert_int_equal(strlen(out), 7 + 3000 + 1);
	assert_memory_equal(out, "ERROR: xxx", 10);
	assert_int_equal(out[7 + 3000], '\n');
}

static void lines_around_the_buffer_size(void **state)
{
	static char text[600];
	char out[700];
	int saved, fds[2];

	memset(text, 'y', sizeof(text));
	for (int len = 495; len < 520; len++) {
		ssize_t n;

		assert_int_equal(pipe(fds), 0);
		saved = dup(STDERR_FILENO);
		dup2(fds[1], STDERR_FILENO);
		error("%.*s", len, text);
		dup2(saved, STDERR_FILENO);
		close(saved);
		n = read(fds[0], out, sizeof(out));
		close(fds[0]);
		close(fds[1]);
		assert_int_equal(n, 7 + len + 1);
		assert_int_equal(out[n - 1], '\n');
		assert_int_equal(out[n - 2], 'y');
	}
}

static void errno_has_words(void **state)
{
	assert_string_equal(errno_text(-ENOENT), "No such file or directory");
	assert_string_equal(errno_text(-99999), "unknown error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_are_parsed),
		cmocka_unit_test(sizes_are_printed),
		cmocka_unit_test(numbers_are_strict),
		cmocka_unit_test(names_are_escaped),
		cmocka_unit_test(prefixes_and_copies),
		cmocka_unit_test(json_is_built),
		cmocka_unit_test(json_nesting_errors_are_kept),
		cmocka_unit_test(json_tells_write_errors),
		cmocka_unit_test(messages_follow_the_level),
		cmocka_unit_test(lines_around_the_buffer_size),
		cmocka_unit_test(errno_has_words),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
