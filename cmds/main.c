// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of commands and the way from argv to one of them.  A command is
 * named in full or by any beginning that only it has ("btrfs sub li").
 */
#include "cmds/cmds.h"

#include <errno.h>
#include <string.h>

#include "common/message.h"
#include "common/string-utils.h"

static const struct cmd cmd_inspect = {
	.name = "inspect-internal",
	.group = &inspect_cmd_group,
};

static const struct cmd cmd_rescue = {
	.name = "rescue",
	.group = &rescue_cmd_group,
};

static const struct cmd cmd_subvolume = {
	.name = "subvolume",
	.group = &subvolume_cmd_group,
};

static const struct cmd cmd_help;

static const struct cmd *const commands[] = {
	&cmd_help, &cmd_inspect, &cmd_mkfs, &cmd_receive, &cmd_rescue, &cmd_send, &cmd_subvolume,
	&cmd_version, NULL,
};

static const char *const btrfs_usage[] = {
	"btrfs [global options] <command> [<subcommand>] [options] [arguments]",
	NULL,
};

static const struct cmd_group btrfs_cmd_group = {
	.usage = btrfs_usage,
	.info = "All commands work on devices and image files that are not mounted.\n"
		"'btrfs <command> --help' tells more about one, 'btrfs help --full' about all.",
	.commands = commands,
};

static const char *const cmd_help_usage[] = {
	"btrfs help [--full] [<command> [<subcommand>]]",
	"Print the list of commands, or the help of one",
	"",
	"--full              all commands with all that is known about them",
	NULL,
};

static int run_group(const struct cmd_group *group, const char *path, int argc, char **argv);

static int cmd_help_fn(const struct cmd *cmd, int argc, char **argv)
{
	static const struct option longopts[] = {
		{ "full", no_argument, NULL, OPTION_FIRST_LONG },
		{ NULL, 0, NULL, 0 },
	};
	/* One word for each level of groups, then --help. */
	char *words[8] = { NULL };
	bool full = false;
	int c, nr = 0;

	while ((c = options_next(argc, argv, "", longopts)) != OPTION_END) {
		if (c != OPTION_FIRST_LONG)
			return cmd_option_exit(cmd, c);
		full = true;
	}
	if (check_operands(cmd, argc, 0, (int)ARRAY_SIZE(words) - 2))
		return CMD_USAGE;
	if (optind == argc) {
		usage_all(&btrfs_cmd_group, full, stdout);
		return CMD_OK;
	}
	while (optind < argc)
		words[nr++] = argv[optind++];
	words[nr++] = (char *)"--help";
	return run_group(&btrfs_cmd_group, "btrfs", nr, words);
}

static const struct cmd cmd_help = {
	.name = "help",
	.fn = cmd_help_fn,
	.usage = cmd_help_usage,
};

/* The command that @word names; NULL after an ERROR line. */
static const struct cmd *find_command(const struct cmd_group *group, const char *path,
				      const char *word)
{
	const struct cmd *found = NULL;
	bool ambiguous = false;

	for (const struct cmd *const *p = group->commands; *p; p++) {
		if (strcmp((*p)->name, word) == 0)
			return *p;
		if (!*word || !string_has_prefix((*p)->name, word) ||
		    ((*p)->flags & CMD_FLAG_HIDDEN))
			continue;
		ambiguous = found != NULL;
		if (ambiguous)
			break;
		found = *p;
	}
	if (ambiguous)
		error("ambiguous command '%s %s'", path, word);
	else if (!found)
		error("unknown command '%s %s'", path, word);
	return ambiguous ? NULL : found;
}

/* argv[0] names a command of @group; @path is what was typed before it. */
static int run_group(const struct cmd_group *group, const char *path, int argc, char **argv)
{
	const struct cmd *cmd;
	char full_path[128];

	if (argc < 1) {
		usage_group(group, stderr);
		return CMD_USAGE;
	}
	if (strcmp(argv[0], "--help") == 0) {
		usage_group(group, stdout);
		return CMD_OK;
	}
	cmd = find_command(group, path, argv[0]);
	if (!cmd)
		return CMD_USAGE;
	if (cmd->group) {
		snprintf(full_path, sizeof(full_path), "%s %s", path, cmd->name);
		return run_group(cmd->group, full_path, argc - 1, argv + 1);
	}
	options_reset();
	return cmd->fn(cmd, argc, argv);
}

/*
 * A result that did not reach its reader is a failure, whatever the command
 * thought.  EBADF: stdout was closed before we began.
 */
static int close_stdout(int ret)
{
	int err = ferror(stdout) ? EIO : 0;

	if (fflush(stdout) != 0)
		err = errno;
	if (err == 0 || err == EBADF)
		return ret;
	/* Whoever reads through "| head" has what they wanted. */
	if (err != EPIPE)
		error("cannot write to standard output: %s", errno_text(-err));
	return ret == CMD_OK ? CMD_FAILED : ret;
}

/* Called by the name of another tool, the binary is that tool. */
static const struct {
	const char *name;
	const struct cmd *cmd;
} tools[] = {
	{ "mkfs.btrfs", &cmd_mkfs },
};

static const struct cmd *find_tool(const char *argv0)
{
	const char *slash = strrchr(argv0, '/');
	const char *name = slash ? slash + 1 : argv0;

	for (size_t i = 0; i < ARRAY_SIZE(tools); i++)
		if (!strcmp(name, tools[i].name))
			return tools[i].cmd;
	return NULL;
}

int main(int argc, char **argv)
{
	const struct cmd *tool = argc ? find_tool(argv[0]) : NULL;
	static const struct option longopts[] = {
		{ "version", no_argument, NULL, 'V' },
		{ "full", no_argument, NULL, 'F' },
		{ NULL, 0, NULL, 0 },
	};
	static char version_name[] = "version";
	char *version_argv[] = { version_name, NULL };
	bool help = false, full = false;
	int c;

	options_reset();
	if (tool)
		return close_stdout(tool->fn(tool, argc, argv));
	while ((c = options_next(argc, argv, "+", longopts)) != OPTION_END) {
		switch (c) {
		case 'V':
			options_reset();
			return close_stdout(cmd_version.fn(&cmd_version, 1, version_argv));
		case 'F':
			full = true;
			break;
		case OPTION_HELP:
			help = true;
			break;
		default:
			fprintf(stderr, "Try 'btrfs --help'\n");
			return CMD_USAGE;
		}
	}
	if (help) {
		usage_all(&btrfs_cmd_group, full, stdout);
		return close_stdout(CMD_OK);
	}
	if (optind == argc) {
		usage_all(&btrfs_cmd_group, false, stderr);
		return CMD_USAGE;
	}
	return close_stdout(run_group(&btrfs_cmd_group, "btrfs", argc - optind, argv + optind));
}
