// SPDX-License-Identifier: GPL-2.0-only
/*
 * btrfs receive.  So far it only shows what a stream holds (--dump).
 */
#include "cmds/cmds.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "cmds/receive-dump.h"
#include "common/message.h"

static const char *const cmd_receive_usage[] = {
	"btrfs receive --dump [-f FILE]",
	"Show the commands of a send stream, one a line",
	"",
	"Reads the stream up to its end command; versions 1 and 2 are understood.",
	"Every command is checked against its checksum before it is shown.",
	"",
	"--dump             show the stream instead of receiving it",
	"-f FILE            read the stream from FILE instead of standard input",
	NULL
};

static int dump_file(const char *path)
{
	int fd, ret;

	if (!path)
		return receive_dump(STDIN_FILENO, "standard input");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		ret = -errno;
		error("cannot open %s: %s", path, errno_text(ret));
		return ret;
	}
	ret = receive_dump(fd, path);
	close(fd);
	return ret;
}

static int cmd_receive_fn(const struct cmd *cmd, int argc, char **argv)
{
	static const struct option longopts[] = {
		{ "dump", no_argument, NULL, OPTION_FIRST_LONG },
		{ NULL, 0, NULL, 0 }
	};
	const char *path = NULL;
	bool dump = false;
	int c;

	while ((c = options_next(argc, argv, "f:", longopts)) != OPTION_END) {
		switch (c) {
		case OPTION_FIRST_LONG:
			dump = true;
			break;
		case 'f':
			path = optarg;
			break;
		default:
			return cmd_option_exit(cmd, c);
		}
	}
	if (!dump)
		return usage_error(cmd, "receiving into a file system is not available: "
				   "only --dump is");
	if (check_operands(cmd, argc, 0, 0))
		return CMD_USAGE;
	return dump_file(path) ? CMD_FAILED : CMD_OK;
}

const struct cmd cmd_receive = {
	.name = "receive",
	.fn = cmd_receive_fn,
	.usage = cmd_receive_usage,
};
