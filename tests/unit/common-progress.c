// SPDX-License-Identifier: GPL-2.0-only
/* The progress line: what it says, what is left out where it is narrow, and the drawing. */
#include "tests/unit/common-unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/message.h"
#include "common/progress.h"

#define GIB (1ULL << 30)

/* ---- the line ---- */

static void lines_say_what_they_should(void **state)
{
	static const struct {
		struct progress_view view;
		unsigned int width;
		const char *line;
	} cases[] = {
		{ { "Sending", PROGRESS_BYTES, GIB, 4 * GIB, 256 << 20, 4 }, 100,
		  "Sending   25%  [#########                             ]  1.00GiB of 4.00GiB"
		  "  256.00MiB/s  ETA 0:12" },
		{ { "Sending", PROGRESS_BYTES, 0, 4 * GIB, 0, 0 }, 80,
		  "Sending    0%  [                                  ]  0.00B of 4.00GiB  ETA -:--" },
		{ { "Checking", PROGRESS_ITEMS, 300000, 300000, 1000, 300 }, 80,
		  "Checking  100%  [#########################]  300000 of 300000  1000/s  ETA 0:00" },
		{ { "Reading", PROGRESS_BYTES, 1536, 0, 512, 3 }, 80,
		  "Reading  1.50KiB  512.00B/s  0:03" },
		{ { "Reading", PROGRESS_ITEMS, 7, 0, 0, 3 * 3600 + 62 }, 80, "Reading  7  3:01:02" },
		/* More than was estimated is still all of it. */
		{ { "Sending", PROGRESS_ITEMS, 12, 10, 1, 12 }, 40,
		  "Sending  100%  12 of 10  1/s  ETA 0:00" },
		{ { "Sending", PROGRESS_ITEMS, 1, ~0ULL, 1, 1 }, 60,
		  "Sending    0%  1 of 18446744073709551615  1/s  ETA -:--" },
	};
	char line[512];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		progress_format(&cases[i].view, cases[i].width, line, sizeof(line));
		print_message("# %s\n", line);
		assert_string_equal(line, cases[i].line);
	}
}

static unsigned int columns(const char *text)
{
	unsigned int nr = 0;

	for (; *text; text++)
		nr += ((unsigned char)*text & 0xc0) != 0x80;
	return nr;
}

/* Never as wide as the terminal, whatever there is to say. */
static void lines_fit(void **state)
{
	static const char *const titles[] = {
		"", "Sending", "\xc3\xa9t\xc3\xa9 \xe2\x82\xac",
		"a title that is longer than anybody would think of, and longer than a line is",
	};
	static const u64 amounts[] = { 0, 1, 999, 5 * GIB, ~0ULL };
	char line[4 * 600];

	for (unsigned int width = 0; width < 600; width++) {
		for (size_t i = 0; i < ARRAY_SIZE(titles) * ARRAY_SIZE(amounts); i++) {
			u64 amount = amounts[i % ARRAY_SIZE(amounts)];
			struct progress_view view = {
				.title = titles[i / ARRAY_SIZE(amounts)],
				.unit = width % 2 ? PROGRESS_BYTES : PROGRESS_ITEMS,
				.done = amount / 2, .total = amount, .per_second = amount / 100,
				.elapsed = amount,
			};

			progress_format(&view, width, line, sizeof(line));
			assert_true(columns(line) < width || !line[0]);
		}
	}
}

static void what_matters_stays_longest(void **state)
{
	const struct progress_view view = { "Sending", PROGRESS_BYTES, GIB, 4 * GIB, 1 << 20, 4 };
	static const struct {
		unsigned int width;
		bool percent, eta, amount, rate, bar;
	} cases[] = {
		{ 100, true, true, true, true, true },
		{ 62, true, true, true, true, false },
		{ 48, true, true, true, false, false },
		{ 30, true, true, false, false, false },
		{ 16, true, false, false, false, false },
	};
	char line[512];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		progress_format(&view, cases[i].width, line, sizeof(line));
		print_message("# %s\n", line);
		assert_int_equal(!!strstr(line, "25%"), cases[i].percent);
		assert_int_equal(!!strstr(line, "ETA"), cases[i].eta);
		assert_int_equal(!!strstr(line, " of "), cases[i].amount);
		assert_int_equal(!!strstr(line, "/s"), cases[i].rate);
		assert_int_equal(!!strchr(line, '['), cases[i].bar);
	}
}

/* A character of several bytes is cut off whole, and so is what has no room at all. */
static void buffers_are_not_overrun(void **state)
{
	const struct progress_view view = {
		"\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac", PROGRESS_BYTES, GIB, 0, 0, 4,
	};
	char line[64];

	progress_format(&view, 5, line, sizeof(line));
	assert_string_equal(line, "\xe2\x82\xac\xe2\x82\xac");
	for (size_t size = 1; size < sizeof(line); size++) {
		memset(line, 'x', sizeof(line));
		progress_format(&view, 80, line, size);
		assert_true(memchr(line, '\0', size) != NULL);
		assert_true(size == sizeof(line) || line[size] == 'x');
	}
	line[0] = 'x';
	progress_format(&view, 80, line, 0);
	assert_true(line[0] == 'x');
}

/* ---- drawing ---- */

/* stderr into a file for a while. */
struct captured {
	int saved;
	int fd;
	char text[1 << 16];
};

static void capture_begin(struct captured *captured)
{
	char name[] = "/tmp/progress.XXXXXX";

	captured->fd = mkstemp(name);
	assert_true(captured->fd >= 0);
	unlink(name);
	fflush(stderr);
	captured->saved = dup(STDERR_FILENO);
	assert_true(captured->saved >= 0 && dup2(captured->fd, STDERR_FILENO) >= 0);
}

static void capture_end(struct captured *captured)
{
	ssize_t len;

	dup2(captured->saved, STDERR_FILENO);
	close(captured->saved);
	len = pread(captured->fd, captured->text, sizeof(captured->text) - 1, 0);
	close(captured->fd);
	assert_true(len >= 0);
	captured->text[len] = '\0';
}

static void modes_are_parsed(void **state)
{
	enum progress_mode mode;

	assert_int_equal(progress_mode_parse("auto", &mode), 0);
	assert_int_equal(mode, PROGRESS_AUTO);
	assert_int_equal(progress_mode_parse("always", &mode), 0);
	assert_int_equal(mode, PROGRESS_ALWAYS);
	assert_int_equal(progress_mode_parse("never", &mode), 0);
	assert_int_equal(mode, PROGRESS_NEVER);
	assert_int_equal(progress_mode_parse("", &mode), -EINVAL);
	assert_int_equal(progress_mode_parse("Auto", &mode), -EINVAL);
}

static void nothing_without_a_terminal(void **state)
{
	struct captured captured;
	struct progress *progress;

	capture_begin(&captured);
	progress = progress_begin(PROGRESS_AUTO, "Sending", PROGRESS_BYTES, 10);
	progress_add(progress, 5);
	progress_set(progress, 6);
	progress_set_total(progress, 7);
	progress_end(progress);
	error("a line");
	capture_end(&captured);
	assert_null(progress);
	assert_string_equal(captured.text, "ERROR: a line\n");
}

/* A message takes the line of the bar; behind the bar, and after its end, it is as ever. */
static void messages_take_the_line(void **state)
{
	struct captured captured;
	struct progress *progress;
	const char *at;

	capture_begin(&captured);
	progress = progress_begin(PROGRESS_ALWAYS, "Sending", PROGRESS_BYTES, 10);
	error("in between");
	progress_end(progress);
	warning("afterwards");
	capture_end(&captured);
	at = strstr(captured.text, "ERROR");
	assert_non_null(at);
	assert_true(strncmp(captured.text, "\r\033[KSending    0%", 17) == 0);
	assert_string_equal(at - 4, "\r\033[KERROR: in between\n\r\033[KWARNING: afterwards\n");
	assert_true(at[-5] != '\n');
}

static void *add_much(void *arg)
{
	for (int i = 0; i < 100000; i++)
		progress_add(arg, 1);
	return NULL;
}

/* Five times a second is enough, whoever reports however often. */
static void many_reports_draw_little(void **state)
{
	struct captured captured;
	struct progress *progress;
	pthread_t threads[4];
	unsigned int drawn = 0;

	capture_begin(&captured);
	progress = progress_begin(PROGRESS_ALWAYS, "Adding", PROGRESS_ITEMS, 400000);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, add_much, progress), 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	/* The last report is drawn when its time has come. */
	usleep(250000);
	progress_add(progress, 0);
	progress_end(progress);
	capture_end(&captured);
	for (const char *at = captured.text; (at = strchr(at, '\r')) != NULL; at++)
		drawn++;
	assert_true(drawn >= 3 && drawn < 400);
	assert_non_null(strstr(captured.text, "400000 of 400000"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_say_what_they_should),
		cmocka_unit_test(lines_fit),
		cmocka_unit_test(what_matters_stays_longest),
		cmocka_unit_test(buffers_are_not_overrun),
		cmocka_unit_test(modes_are_parsed),
		cmocka_unit_test(nothing_without_a_terminal),
		cmocka_unit_test(messages_take_the_line),
		cmocka_unit_test(many_reports_draw_little),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
