// SPDX-License-Identifier: GPL-2.0-only
/* btrfs rescue: getting back what was. */
#include "cmds/cmds.h"

extern const struct cmd cmd_rescue_undo;

static const char *const rescue_usage[] = {
	"btrfs rescue <command> [options] <arguments>",
	NULL,
};

static const struct cmd *const rescue_commands[] = {
	&cmd_rescue_undo,
	NULL,
};

const struct cmd_group rescue_cmd_group = {
	.usage = rescue_usage,
	.info = "bring back what an operation has overwritten",
	.commands = rescue_commands,
};
