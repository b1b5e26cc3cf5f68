// SPDX-License-Identifier: GPL-2.0-only
/*
 * Help and usage errors.  All is printed from the usage lines that each command
 * carries; nothing about a command is known here.
 */
#include "cmds/cmds.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/message.h"

static const char *const common_help[] = {
	"--format text|json  how to report, where there is a choice",
	"-v|--verbose        say more; repeat for still more",
	"-q|--quiet          print errors and warnings only",
	"--log LEVEL         quiet, default, info, verbose or debug",
	"--offline           accepted; the device is never mounted anyway",
	"--help              print this help",
	NULL,
};

void usage(const struct cmd *cmd, FILE *file)
{
	const char *const *line = cmd->usage;

	fprintf(file, "usage: %s\n", *line++);
	if (*line)
		fprintf(file, "\n    %s\n", *line++);
	for (; *line; line++)
		fprintf(file, **line ? "    %s\n" : "\n", *line);
	fprintf(file, "\n    Common options:\n");
	for (line = common_help; *line; line++) {
		if (strncmp(*line, "--format", 8) == 0 && !(cmd->flags & CMD_FLAG_JSON))
			continue;
		fprintf(file, "    %s\n", *line);
	}
}

/* One command in a listing: synopsis and short description, or all of it. */
static void print_command(const struct cmd *cmd, bool full, FILE *file)
{
	if (cmd->flags & CMD_FLAG_HIDDEN)
		return;
	fprintf(file, "    %s\n", cmd->usage[0]);
	if (!cmd->usage[1])
		return;
	fprintf(file, "        %s\n", cmd->usage[1]);
	if (!full)
		return;
	for (const char *const *line = cmd->usage + 2; *line; line++)
		fprintf(file, **line ? "        %s\n" : "\n", *line);
	fprintf(file, "\n");
}

static void print_group(const struct cmd_group *group, bool full, FILE *file)
{
	for (const struct cmd *const *cmd = group->commands; *cmd; cmd++) {
		if ((*cmd)->group)
			print_group((*cmd)->group, full, file);
		else
			print_command(*cmd, full, file);
	}
}

void usage_group(const struct cmd_group *group, FILE *file)
{
	const char *prefix = "usage: ";

	for (const char *const *line = group->usage; *line; line++) {
		fprintf(file, "%s%s\n", prefix, *line);
		prefix = "       ";
	}
	fprintf(file, "\n");
	print_group(group, false, file);
	if (group->info)
		fprintf(file, "\n%s\n", group->info);
}

void usage_all(const struct cmd_group *root, bool full, FILE *file)
{
	const char *prefix = "usage: ";

	for (const char *const *line = root->usage; *line; line++) {
		fprintf(file, "%s%s\n", prefix, *line);
		prefix = "       ";
	}
	fprintf(file, "\n");
	print_group(root, full, file);
	fprintf(file, "\nGlobal options:\n");
	for (const char *const *line = common_help; *line; line++)
		fprintf(file, "    %s\n", *line);
	fprintf(file, "    --version           print the version\n");
	if (root->info)
		fprintf(file, "\n%s\n", root->info);
}

/* The words of the synopsis that name the command: all before the first operand. */
static size_t command_name_len(const char *synopsis)
{
	size_t len = 0;

	for (;;) {
		size_t word = strspn(synopsis + len, "abcdefghijklmnopqrstuvwxyz0123456789-.");
		bool is_option = synopsis[len] == '-';
		char end = synopsis[len + word];

		if (word == 0 || is_option || (end != ' ' && end != '\0'))
			break;
		len += word;
		if (end == '\0')
			return len;
		len++;
	}
	/* Without the blank after the last word. */
	return len > 0 ? len - 1 : 0;
}

static void point_to_help(const struct cmd *cmd)
{
	const char *synopsis = cmd->usage[0];

	fprintf(stderr, "Try '%.*s --help'\n", (int)command_name_len(synopsis), synopsis);
}

int usage_error(const struct cmd *cmd, const char *fmt, ...)
{
	va_list ap;
	char *text;
	int ret;

	va_start(ap, fmt);
	ret = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (ret >= 0) {
		error("%s", text);
		free(text);
	}
	point_to_help(cmd);
	return CMD_USAGE;
}

int cmd_option_exit(const struct cmd *cmd, int option)
{
	if (option == OPTION_HELP) {
		usage(cmd, stdout);
		return CMD_OK;
	}
	point_to_help(cmd);
	return CMD_USAGE;
}

int check_operands(const struct cmd *cmd, int argc, int min, int max)
{
	int nr = argc - optind;

	if (nr < min)
		return usage_error(cmd, "too few arguments: %d given, %s%d needed", nr,
				   min == max ? "" : "at least ", min);
	if (max >= 0 && nr > max)
		return usage_error(cmd, "too many arguments: %d given, %s%d accepted", nr,
				   min == max ? "" : "at most ", max);
	if (global_options()->format == OUTPUT_JSON && !(cmd->flags & CMD_FLAG_JSON))
		return usage_error(cmd, "no JSON output: this command has text only");
	return 0;
}

bool cmd_format_json(const struct cmd *cmd)
{
	return (cmd->flags & CMD_FLAG_JSON) && global_options()->format == OUTPUT_JSON;
}
