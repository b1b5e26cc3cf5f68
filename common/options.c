// SPDX-License-Identifier: GPL-2.0-only
/*
 * The options that all commands share: merged with a command's own before
 * getopt_long() sees them, and handled here.  getopt's own messages are replaced
 * by one ERROR line each.
 */
#include "common/options.h"

#include <stdio.h>
#include <string.h>

#include "common/message.h"
#include "common/string-utils.h"
#include "common/types.h"

/* Far from any value that a command would choose. */
enum {
	OPT_HELP = 0x10000,
	OPT_QUIET,
	OPT_VERBOSE,
	OPT_LOG,
	OPT_FORMAT,
	OPT_OFFLINE,
};

static const struct option common_longopts[] = {
	{ "help", no_argument, NULL, OPT_HELP },
	{ "quiet", no_argument, NULL, OPT_QUIET },
	{ "verbose", no_argument, NULL, OPT_VERBOSE },
	{ "log", required_argument, NULL, OPT_LOG },
	{ "format", required_argument, NULL, OPT_FORMAT },
	{ "offline", no_argument, NULL, OPT_OFFLINE },
};

#define MAX_OWN_LONGOPTS  64
#define MAX_OWN_SHORTOPTS 120

struct global_options *global_options(void)
{
	static struct global_options options;

	return &options;
}

void options_reset(void)
{
	/* 0, not 1: glibc then forgets where it was inside "-abc", too. */
	optind = 0;
	opterr = 0;
}

static bool declares_letter(const char *shortopts, char letter)
{
	return strchr(shortopts, letter) != NULL;
}

static bool declares_name(const struct option *longopts, size_t nr, const char *name)
{
	for (size_t i = 0; i < nr; i++) {
		if (strcmp(longopts[i].name, name) == 0)
			return true;
	}
	return false;
}

/* What getopt_long() answered with '?' to, in words. */
static void complain(char **argv, const char *shortopts)
{
	/* Letters tell themselves; for long options the word before optind is it. */
	if (optopt > 0 && optopt < OPTION_FIRST_LONG) {
		if (declares_letter(shortopts, (char)optopt))
			error("option '-%c' needs an argument", optopt);
		else
			error("unknown option '-%c'", optopt);
	} else if (optopt == 0) {
		error("unknown or ambiguous option '%s'", argv[optind - 1]);
	} else if (strchr(argv[optind - 1], '=')) {
		error("option '%.*s' takes no argument", (int)strcspn(argv[optind - 1], "="),
		      argv[optind - 1]);
	} else {
		error("option '%s' needs an argument", argv[optind - 1]);
	}
}

/* One of the common options.  0, or OPTION_HELP or OPTION_ERROR. */
static int handle_common(int c)
{
	int level = message_verbosity();

	switch (c) {
	case OPT_HELP:
		return OPTION_HELP;
	case OPT_QUIET:
		message_set_verbosity(MSG_QUIET);
		return 0;
	case OPT_VERBOSE:
		message_set_verbosity(level < MSG_DEFAULT ? MSG_VERBOSE : level + 1);
		return 0;
	case OPT_LOG:
		if (message_set_log_level(optarg) == 0)
			return 0;
		error("unknown log level '%s': quiet, default, info, verbose or debug", optarg);
		return OPTION_ERROR;
	case OPT_FORMAT:
		if (output_format_parse(optarg, &global_options()->format) == 0)
			return 0;
		error("unknown output format '%s': text or json", optarg);
		return OPTION_ERROR;
	case OPT_OFFLINE:
		global_options()->offline = true;
		return 0;
	}
	return OPTION_ERROR;
}

int options_next(int argc, char **argv, const char *shortopts, const struct option *longopts)
{
	struct option all[MAX_OWN_LONGOPTS + ARRAY_SIZE(common_longopts) + 1] = { 0 };
	char letters[MAX_OWN_SHORTOPTS + 3];
	size_t nr = 0, nr_own;
	int c, ret;

	while (longopts && longopts[nr].name && nr < MAX_OWN_LONGOPTS) {
		all[nr] = longopts[nr];
		nr++;
	}
	nr_own = nr;
	for (size_t i = 0; i < ARRAY_SIZE(common_longopts); i++) {
		if (!declares_name(longopts, nr_own, common_longopts[i].name))
			all[nr++] = common_longopts[i];
	}
	snprintf(letters, sizeof(letters), "%.*s%s%s", MAX_OWN_SHORTOPTS, shortopts,
		 declares_letter(shortopts, 'q') ? "" : "q",
		 declares_letter(shortopts, 'v') ? "" : "v");

	for (;;) {
		c = getopt_long(argc, argv, letters, all, NULL);
		if (c == 'q' && !declares_letter(shortopts, 'q'))
			c = OPT_QUIET;
		if (c == 'v' && !declares_letter(shortopts, 'v'))
			c = OPT_VERBOSE;
		if (c == '?') {
			complain(argv, letters);
			return OPTION_ERROR;
		}
		if (c < OPT_HELP)
			return c;
		ret = handle_common(c);
		if (ret != 0)
			return ret;
	}
}
