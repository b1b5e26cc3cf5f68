// SPDX-License-Identifier: GPL-2.0-only
/* Common options beside a command's own. */
#include "tests/unit/common-unit.h"

#include <fcntl.h>
#include <unistd.h>

#include "common/message.h"
#include "common/options.h"

enum { OPT_BAR = OPTION_FIRST_LONG };

static const struct option own[] = {
	{ "bar", required_argument, NULL, OPT_BAR },
	{ "file", required_argument, NULL, 'f' },
	{ NULL, 0, NULL, 0 },
};

static int setup(void **state)
{
	/* The ERROR lines are provoked and would only confuse. */
	int null = open("/dev/null", O_WRONLY);

	if (null < 0 || dup2(null, STDERR_FILENO) < 0)
		return -1;
	return close(null);
}

static int reset(void **state)
{
	*global_options() = (struct global_options){ .format = OUTPUT_TEXT };
	message_set_verbosity(MSG_DEFAULT);
	options_reset();
	return 0;
}

/* getopt permutes the pointers; the strings it leaves alone. */
#define ARGV(...) ((char *[]){ (char *)"cmd", __VA_ARGS__, NULL })

static int count(char **argv)
{
	int argc = 0;

	while (argv[argc])
		argc++;
	return argc;
}

static int next(char **argv)
{
	return options_next(count(argv), argv, "f:x", own);
}

static void own_options_come_back(void **state)
{
	char **argv = ARGV("-q", "image", "-f", "out", "--bar=1", "-x", "path");

	assert_int_equal(next(argv), 'f');
	assert_string_equal(optarg, "out");
	assert_int_equal(next(argv), OPT_BAR);
	assert_string_equal(optarg, "1");
	assert_int_equal(next(argv), 'x');
	assert_int_equal(next(argv), OPTION_END);
	assert_string_equal(argv[optind], "image");
	assert_string_equal(argv[optind + 1], "path");
	assert_int_equal(message_verbosity(), MSG_QUIET);
}

static void common_options_are_handled(void **state)
{
	char **argv = ARGV("--format", "json", "--offline", "-vv", "x");

	assert_int_equal(next(argv), OPTION_END);
	assert_int_equal(global_options()->format, OUTPUT_JSON);
	assert_true(global_options()->offline);
	assert_int_equal(message_verbosity(), MSG_DEBUG);

	argv = ARGV("--log=debug", "--quiet");
	options_reset();
	assert_int_equal(next(argv), OPTION_END);
	assert_int_equal(message_verbosity(), MSG_QUIET);

	argv = ARGV("--help");
	options_reset();
	assert_int_equal(next(argv), OPTION_HELP);
}

static void wrong_options_are_errors(void **state)
{
	char **cases[] = {
		ARGV("-z"),
		ARGV("--nonsense"),
		ARGV("-f"),
		ARGV("--bar"),
		ARGV("--log=loud"),
		ARGV("--format=xml"),
		ARGV("--offline=yes"),
		ARGV("--format"),
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		options_reset();
		assert_int_equal(next(cases[i]), OPTION_ERROR);
	}
}

static void a_command_may_declare_them_itself(void **state)
{
	static const struct option longopts[] = {
		{ "format", required_argument, NULL, OPT_BAR },
		{ NULL, 0, NULL, 0 },
	};
	char **argv = ARGV("-v", "--format=xml");

	assert_int_equal(options_next(3, argv, "v", longopts), 'v');
	assert_int_equal(options_next(3, argv, "v", longopts), OPT_BAR);
	assert_int_equal(options_next(3, argv, "v", longopts), OPTION_END);
	assert_int_equal(message_verbosity(), MSG_DEFAULT);
}

static void after_two_dashes_all_are_operands(void **state)
{
	char **argv = ARGV("--", "-f", "x");

	assert_int_equal(next(argv), OPTION_END);
	assert_string_equal(argv[optind], "-f");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(own_options_come_back, reset),
		cmocka_unit_test_setup(common_options_are_handled, reset),
		cmocka_unit_test_setup(wrong_options_are_errors, reset),
		cmocka_unit_test_setup(a_command_may_declare_them_itself, reset),
		cmocka_unit_test_setup(after_two_dashes_all_are_operands, reset),
	};

	return cmocka_run_group_tests_name("options", tests, setup, NULL);
}
