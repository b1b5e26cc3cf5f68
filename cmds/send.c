// SPDX-License-Identifier: GPL-2.0-only
/*
 * btrfs send: write subvolumes of an unmounted file system as a stream.  Here
 * are the options; send-common.h lists the other parts.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmds/send-common.h"
#include "common/lockfile.h"
#include "common/message.h"
#include "common/string-utils.h"

/*
 * Send reads metadata once, in order; more cache than this only takes memory
 * from others.
 */
#define SEND_CACHE_BYTES	(96ULL * SZ_1M)

enum {
	OPT_NO_DATA = GETOPT_VAL_FIRST_FREE,
	OPT_PROTO,
	OPT_COMPRESSED_DATA,
	OPT_WAIT,
	OPT_WRITABLE,
	OPT_ESTIMATE,
	OPT_PROGRESS,
	OPT_ALL_SNAPSHOTS,
	OPT_SKIP_DAMAGED,
};

static const char *const cmd_send_usage[] = {
	"btrfs send [-e] [-p <parent>] [-c <clone-src>] [-f <outfile>] [options] <device> <subvol> [<subvol>...]",
	"Write subvolumes of an unmounted file system as a stream of commands",
	"",
	"or: btrfs send --all-snapshots <dir> [options] <device>",
	"",
	"Sends each read-only subvolume <subvol>, a path inside the file system on",
	"<device> (a block device or an image) relative to its top level, or id:N.",
	"The stream is the same as the kernel's and goes to the standard output, or to",
	"<outfile>, which appears when it is complete.",
	"",
	"With a parent, only the difference from it is sent.  With clone sources alone",
	"the best parent among them is chosen.  The receiver must have them all.",
	"",
	"-e                 put several subvolumes into one stream, with one header and",
	"                   one end, instead of a stream for each",
	"-p <parent>        send the difference from this subvolume",
	"-c <clone-src>     subvolume whose data may be cloned (repeatable)",
	"-f <outfile>       write to this file",
	"--proto <N>        protocol version: 1 (the default), 2, or 0 for the highest",
	"--compressed-data  send compressed extents as they are; needs protocol 2,",
	"                   and takes it unless --proto says otherwise",
	"--no-data          leave file data out; such a stream tells what differs but",
	"                   cannot be received",
	"--skip-damaged     leave data out that is damaged in every copy instead of",
	"                   giving up: the receiver gets zeros, each piece is listed, and",
	"                   the exit status is 1 though the stream is whole",
	"--writable         take subvolumes that are not read-only, too: nobody can change",
	"                   them here; so the top level (\"/\" or id:5) can be sent as well",
	"--all-snapshots <dir>",
	"                   write every read-only subvolume (with --writable: every",
	"                   subvolume) into a file of its own in <dir>, each as the",
	"                   smallest difference from one before it, and an index.json",
	"                   that tells in which order to receive them",
	"--estimate         only print how many bytes would be written; no file is touched",
	"--progress=WHEN    show on standard error how far it is: auto (on a terminal, the",
	"                   default), always or never",
	"--wait[=SECONDS]   when something relocates in the file system, wait for its end",
	"                   instead of giving up at once",
	OPEN_FS_USAGE,
	NULL
};

static int parse_proto(const struct cmd *cmd, const char *arg, u32 *proto)
{
	u64 value;

	if (parse_u64(arg, &value) || value > BTRFS_SEND_PROTO_MAX)
		return usage_error(cmd, "invalid protocol version '%s': 0 to %u are supported", arg,
				   BTRFS_SEND_PROTO_MAX);
	*proto = value ? (u32)value : BTRFS_SEND_PROTO_MAX;
	return 0;
}

/* The argument of --wait, NULL when it has none. */
static int parse_wait(const struct cmd *cmd, const char *arg, int *seconds)
{
	u64 value;

	*seconds = LOCKFILE_WAIT_FOREVER;
	if (!arg)
		return 0;
	if (parse_u64(arg, &value) || value > INT_MAX)
		return usage_error(cmd, "invalid number of seconds '%s'", arg);
	*seconds = (int)value;
	return 0;
}

/* Options that belong together, checked when all are known. */
static int check_options(const struct cmd *cmd, int argc, struct send_options *opts)
{
	if (opts->compressed_data && opts->proto == 1)
		return usage_error(cmd, "--compressed-data needs protocol version 2");
	if (!opts->proto)
		opts->proto = opts->compressed_data ? 2 : 1;
	opts->json = cmd_format_json(cmd);
	if (opts->json && !opts->estimate)
		return usage_error(cmd, "no JSON output: only --estimate has it");
	if (!opts->all_dir)
		return check_operands(cmd, argc, 2, -1);
	if (opts->outfile || opts->parent || opts->clone_sources.nr || opts->one_stream)
		return usage_error(cmd, "--all-snapshots chooses files and parents itself: "
				   "no -e, -p, -c or -f");
	return check_operands(cmd, argc, 1, 1);
}

/* 0, or the exit code with the reason printed; -1 when help was asked for. */
static int parse_options(const struct cmd *cmd, int argc, char **argv, struct send_options *opts)
{
	static const struct option longopts[] = {
		{ "no-data", no_argument, NULL, OPT_NO_DATA },
		{ "proto", required_argument, NULL, OPT_PROTO },
		{ "compressed-data", no_argument, NULL, OPT_COMPRESSED_DATA },
		{ "wait", optional_argument, NULL, OPT_WAIT },
		{ "writable", no_argument, NULL, OPT_WRITABLE },
		{ "estimate", no_argument, NULL, OPT_ESTIMATE },
		{ "progress", required_argument, NULL, OPT_PROGRESS },
		{ "all-snapshots", required_argument, NULL, OPT_ALL_SNAPSHOTS },
		{ "skip-damaged", no_argument, NULL, OPT_SKIP_DAMAGED },
		OPEN_FS_LONG_OPTIONS,
		{ NULL, 0, NULL, 0 },
	};
	int c, ret;

	while ((c = options_next(argc, argv, "ef:p:c:", longopts)) != OPTION_END) {
		switch (c) {
		case 'e':
			opts->one_stream = true;
			break;
		case 'f':
			opts->outfile = optarg;
			break;
		case 'p':
			if (opts->parent)
				return usage_error(cmd, "only one parent can be given");
			opts->parent = optarg;
			break;
		case 'c':
			if (vec_push_copy(&opts->clone_sources, &optarg))
				return CMD_FAILED;
			break;
		case OPT_NO_DATA:
			opts->no_data = true;
			break;
		case OPT_PROTO:
			ret = parse_proto(cmd, optarg, &opts->proto);
			if (ret)
				return ret;
			break;
		case OPT_COMPRESSED_DATA:
			opts->compressed_data = true;
			break;
		case OPT_WAIT:
			ret = parse_wait(cmd, optarg, &opts->wait_seconds);
			if (ret)
				return ret;
			break;
		case OPT_WRITABLE:
			opts->writable = true;
			break;
		case OPT_ESTIMATE:
			opts->estimate = true;
			break;
		case OPT_PROGRESS:
			if (progress_mode_parse(optarg, &opts->progress))
				return usage_error(cmd, "unknown progress mode '%s': auto, always "
						   "or never", optarg);
			break;
		case OPT_ALL_SNAPSHOTS:
			opts->all_dir = optarg;
			break;
		case OPT_SKIP_DAMAGED:
			opts->skip_damaged = true;
			break;
		default:
			if (open_fs_parse(&opts->open, c, optarg))
				break;
			ret = cmd_option_exit(cmd, c);
			return ret ? ret : -1;
		}
	}
	return check_options(cmd, argc, opts);
}

static int open_fs(const char *device, const struct send_options *opts,
		   struct btrfs_fs_info **fs_info)
{
	const struct btrfs_open_args more = {
		.cache_bytes = SEND_CACHE_BYTES,
		.lock_as = "send",
		.lock_wait_seconds = opts->wait_seconds,
	};
	int ret = open_fs_readonly(device, &opts->open, &more, fs_info);

	/* It holds what was fsynced since the last commit: never in a snapshot, but possibly in this. */
	if (!ret && (*fs_info)->super_copy.log_root)
		warning("%s: there is a log tree, which only mounting replays; it is not sent",
			(*fs_info)->name);
	return ret;
}

static int send_named(struct btrfs_fs_info *fs_info, const struct send_options *opts, char **paths,
		      unsigned int nr)
{
	struct send_roots roots;
	int ret = send_find_roots(fs_info, opts, paths, nr, &roots);

	if (!ret)
		ret = opts->estimate ? send_estimate(fs_info, opts, &roots) :
				       send_to_output(fs_info, opts, &roots);
	send_roots_free(&roots);
	return ret;
}

static int send_from(const char *device, const struct send_options *opts, char **paths,
		     unsigned int nr)
{
	struct btrfs_fs_info *fs_info;
	int ret = open_fs(device, opts, &fs_info);

	if (ret)
		return ret;
	ret = opts->all_dir ? send_all_snapshots(fs_info, opts) :
			      send_named(fs_info, opts, paths, nr);
	btrfs_close_fs(fs_info);
	return ret;
}

static int cmd_send_fn(const struct cmd *cmd, int argc, char **argv)
{
	struct send_options opts = { .clone_sources = VEC_INIT(const char *) };
	unsigned long nr_errors = message_nr_errors();
	int ret = parse_options(cmd, argc, argv, &opts);

	if (ret) {
		ret = max(ret, CMD_OK);
		goto out;
	}
	if (!opts.outfile && !opts.estimate && !opts.all_dir && isatty(STDOUT_FILENO)) {
		error("cannot write the stream: the output is a terminal; use -f or redirect it");
		ret = CMD_FAILED;
		goto out;
	}
	ret = send_from(argv[optind], &opts, argv + optind + 1,
			(unsigned int)(argc - optind - 1));
	/* What is wrong was said where it was found; lack of memory is not. */
	if (ret && message_nr_errors() == nr_errors)
		error("cannot send: %s", errno_text(ret));
	ret = ret ? CMD_FAILED : CMD_OK;
out:
	open_fs_options_free(&opts.open);
	vec_free(&opts.clone_sources);
	return ret;
}

const struct cmd cmd_send = {
	.name = "send",
	.fn = cmd_send_fn,
	.usage = cmd_send_usage,
	.flags = CMD_FLAG_JSON,
};
