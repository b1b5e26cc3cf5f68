/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a command is, and what cmds/ files share.  A file defines its commands
 * or its group, main.c lists them, and the dispatch there calls
 *
 *	cmd->fn(cmd, argc, argv)	argv[0] is the command's own name
 *
 * whose return value is the exit code: CMD_OK, CMD_FAILED or CMD_USAGE.
 *
 *	static int cmd_foo_fn(const struct cmd *cmd, int argc, char **argv)
 *	{
 *		static const struct option longopts[] = {
 *			{ "bar", required_argument, NULL, OPTION_FIRST_LONG },
 *			{ NULL, 0, NULL, 0 },
 *		};
 *		int c;
 *
 *		while ((c = options_next(argc, argv, "f:", longopts)) != OPTION_END) {
 *			switch (c) {
 *			case 'f':
 *				...
 *			default:
 *				return cmd_option_exit(cmd, c);
 *			}
 *		}
 *		if (check_operands(cmd, argc, 1, 2))
 *			return CMD_USAGE;
 *		... argv[optind] ...
 *	}
 */
#ifndef BTRFS_CMDS_H
#define BTRFS_CMDS_H

#include <stdbool.h>
#include <stdio.h>
#include "common/options.h"

#define CMD_OK	   0
#define CMD_FAILED 1 /* the operation failed, or damage was found */
#define CMD_USAGE  2 /* the command line was wrong */

struct cmd_group;

/* struct cmd flags */
#define CMD_FLAG_JSON	(1u << 0) /* knows --format json */
#define CMD_FLAG_HIDDEN (1u << 1) /* not in listings; must be typed in full */

struct cmd {
	const char *name;
	/* Exactly one of the two: a command, or a group of commands. */
	int (*fn)(const struct cmd *cmd, int argc, char **argv);
	const struct cmd_group *group;
	/*
	 * NULL-terminated lines: the synopsis ("btrfs subvolume list [options]
	 * <device> [path]"), a short description, then, each after an empty
	 * line, longer text and the options.  Not for groups.
	 */
	const char *const *usage;
	unsigned flags;
};

struct cmd_group {
	const char *const *usage;	   /* NULL-terminated synopses */
	const char *info;		   /* what the group is for, one line */
	const struct cmd *const *commands; /* NULL-terminated */
};

/* Defined in the file of the name; each is listed once, in main.c. */
extern const struct cmd_group inspect_cmd_group;
extern const struct cmd_group rescue_cmd_group;
extern const struct cmd_group subvolume_cmd_group;
extern const struct cmd cmd_mkfs;	/* in mkfs/ */
extern const struct cmd cmd_receive;
extern const struct cmd cmd_send;
extern const struct cmd cmd_version;

/* Print the whole usage, as --help does. */
void usage(const struct cmd *cmd, FILE *file);

/* The commands of a group with a line each; and all commands, in full if wanted. */
void usage_group(const struct cmd_group *group, FILE *file);
void usage_all(const struct cmd_group *root, bool full, FILE *file);

/*
 * One ERROR line, then where to find help.  Returns CMD_USAGE, so that
 * "return usage_error(cmd, ...)" is the whole way out.
 */
int usage_error(const struct cmd *cmd, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * The exit code for what options_next() returned and the command does not
 * know: prints the usage for OPTION_HELP, points to it for OPTION_ERROR.
 */
int cmd_option_exit(const struct cmd *cmd, int option);

/*
 * After the options: are there @min to @max operands (@max < 0: any number),
 * and is the output format one that the command knows?  0, or CMD_USAGE with
 * the reason printed.
 */
int check_operands(const struct cmd *cmd, int argc, int min, int max);

/* True if the user asked for JSON and the command knows it. */
bool cmd_format_json(const struct cmd *cmd);

#endif
