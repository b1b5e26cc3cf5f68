// SPDX-License-Identifier: GPL-2.0-only
/* btrfs inspect-internal: looking at a file system's insides. */
#include "cmds/cmds.h"

extern const struct cmd cmd_inspect_dump_super;
extern const struct cmd cmd_inspect_dump_tree;
extern const struct cmd cmd_inspect_locks;

static const char *const inspect_usage[] = {
	"btrfs inspect-internal <command> [options] <device>",
	NULL,
};

static const struct cmd *const inspect_commands[] = {
	&cmd_inspect_dump_super,
	&cmd_inspect_dump_tree,
	&cmd_inspect_locks,
	NULL,
};

const struct cmd_group inspect_cmd_group = {
	.usage = inspect_usage,
	.info = "show what stands on a device, for experts",
	.commands = inspect_commands,
};
