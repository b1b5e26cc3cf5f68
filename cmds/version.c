// SPDX-License-Identifier: GPL-2.0-only
/* btrfs version: which toolkit this is. */
#include "cmds/cmds.h"

static const char *const cmd_version_usage[] = {
	"btrfs version",
	"Print the version of this toolkit",
	NULL,
};

static int cmd_version_fn(const struct cmd *cmd, int argc, char **argv)
{
	int c = options_next(argc, argv, "", NULL);

	if (c != OPTION_END)
		return cmd_option_exit(cmd, c);
	if (check_operands(cmd, argc, 0, 0))
		return CMD_USAGE;
	printf("btrfs offline toolkit v%s\n", PACKAGE_VERSION);
	return CMD_OK;
}

const struct cmd cmd_version = {
	.name = "version",
	.fn = cmd_version_fn,
	.usage = cmd_version_usage,
};
