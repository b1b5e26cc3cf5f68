/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Options that every command understands, over getopt_long():
 *
 *	--help  -q|--quiet  -v|--verbose  --log=LEVEL  --format=text|json  --offline
 *
 * options_next() adds them to a command's own, handles them, and returns only
 * the command's.  A command that declares one of them itself gets it itself.
 */
#ifndef BTRFS_COMMON_OPTIONS_H
#define BTRFS_COMMON_OPTIONS_H

#include <getopt.h>
#include <stdbool.h>
#include "common/format-output.h"

struct global_options {
	enum output_format format;
	bool offline; /* --offline was given; changes nothing */
};

/*
 * What was given before the command and among its options.  There is one set
 * for the process, as there is one command line.
 */
struct global_options *global_options(void);

/* A command's values for long options without a letter start here. */
#define OPTION_FIRST_LONG 256

#define OPTION_END   (-1)
#define OPTION_HELP  (-2) /* --help was given */
#define OPTION_ERROR (-3) /* one ERROR line has been printed */

/* Before the first options_next() of an argv. */
void options_reset(void);

/*
 * The next option of the command: its letter or value, with getopt's optarg.
 * OPTION_END leaves optind at the first operand.  @shortopts may begin with '+'
 * (stop at the first operand); @longopts ends with a zeroed entry or is NULL.
 */
int options_next(int argc, char **argv, const char *shortopts, const struct option *longopts);

#endif
