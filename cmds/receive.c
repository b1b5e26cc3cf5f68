// SPDX-License-Identifier: GPL-2.0-only
/*
 * btrfs receive.  So far it shows what a stream holds (--dump), or checks that it
 * is whole (--verify).
 */
#include "cmds/cmds.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "cmds/receive-dump.h"
#include "cmds/receive-verify.h"
#include "common/message.h"

static const char *const cmd_receive_usage[] = {
	"btrfs receive (--dump|--verify) [-f FILE]",
	"Show the commands of a send stream, or check it, without receiving it",
	"",
	"Streams of versions 1 and 2 are understood.  Every command is checked against",
	"its checksum.",
	"",
	"--dump shows the commands of one stream, one a line, up to its end command.",
	"",
	"--verify reads everything, which may be several streams one after the other.",
	"Every command must have what its type needs, with sizes and values that make",
	"sense, and stand where it may; each stream must have its end.  For each good",
	"stream a line tells its version, commands, bytes and subvolumes; -q leaves it",
	"out.  Otherwise one error tells where the first damage is: the byte, and the",
	"number of the command.",
	"",
	"--dump             show the stream instead of receiving it",
	"--verify           check the streams instead of receiving them",
	"-f FILE            read from FILE instead of standard input",
	NULL
};

/* What is done with the stream, which @name is for messages.  Returns negative errno, said. */
typedef int (*stream_fn)(int fd, const char *name);

static int verify_text(int fd, const char *name)
{
	return receive_verify(fd, name, false);
}

static int verify_json(int fd, const char *name)
{
	return receive_verify(fd, name, true);
}

static int with_file(const char *path, stream_fn fn)
{
	int fd, ret;

	if (!path)
		return fn(STDIN_FILENO, "standard input");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		ret = -errno;
		error("cannot open %s: %s", path, errno_text(ret));
		return ret;
	}
	ret = fn(fd, path);
	close(fd);
	return ret;
}

enum {
	OPT_DUMP = OPTION_FIRST_LONG,
	OPT_VERIFY,
};

static int cmd_receive_fn(const struct cmd *cmd, int argc, char **argv)
{
	static const struct option longopts[] = {
		{ "dump", no_argument, NULL, OPT_DUMP },
		{ "verify", no_argument, NULL, OPT_VERIFY },
		{ NULL, 0, NULL, 0 }
	};
	bool dump = false, verify = false;
	const char *path = NULL;
	stream_fn fn;
	int c;

	while ((c = options_next(argc, argv, "f:", longopts)) != OPTION_END) {
		switch (c) {
		case OPT_DUMP:
			dump = true;
			break;
		case OPT_VERIFY:
			verify = true;
			break;
		case 'f':
			path = optarg;
			break;
		default:
			return cmd_option_exit(cmd, c);
		}
	}
	if (!dump && !verify)
		return usage_error(cmd, "receiving into a file system is not available: "
				   "only --dump and --verify are");
	if (dump && verify)
		return usage_error(cmd, "--dump and --verify exclude each other");
	if (check_operands(cmd, argc, 0, 0))
		return CMD_USAGE;
	if (dump && cmd_format_json(cmd))
		return usage_error(cmd, "no JSON output: --dump has text only");
	fn = dump ? receive_dump : cmd_format_json(cmd) ? verify_json : verify_text;
	return with_file(path, fn) ? CMD_FAILED : CMD_OK;
}

const struct cmd cmd_receive = {
	.name = "receive",
	.fn = cmd_receive_fn,
	.usage = cmd_receive_usage,
	.flags = CMD_FLAG_JSON,
};
