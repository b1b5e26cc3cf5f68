// SPDX-License-Identifier: GPL-2.0-only
/*
 * btrfs send: write subvolumes of an unmounted file system as a stream.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmds/cmds.h"
#include "cmds/open-fs.h"
#include "common/lockfile.h"
#include "common/message.h"
#include "common/output-file.h"
#include "common/string-utils.h"
#include "common/vec.h"
#include "kernel-shared/namei.h"
#include "kernel-shared/root-tree.h"
#include "kernel-shared/send.h"

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
};

static const char *const cmd_send_usage[] = {
	"btrfs send [-e] [-p <parent>] [-c <clone-src>] [-f <outfile>] [options] <device> <subvol> [<subvol>...]",
	"Write subvolumes of an unmounted file system as a stream of commands",
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
	"--wait[=SECONDS]   when something relocates in the file system, wait for its end",
	"                   instead of giving up at once",
	OPEN_FS_USAGE,
	NULL
};

struct send_options {
	struct open_fs_options open;
	const char *outfile;
	const char *parent;
	struct vec clone_sources;	/* of const char * */
	u32 proto;
	int wait_seconds;
	bool one_stream;
	bool no_data;
	bool compressed_data;
};

/* The subvolumes that the options and operands name, once they are found. */
struct send_roots {
	struct btrfs_root *parent;
	struct vec clone_sources;	/* of struct btrfs_root * */
	struct btrfs_root **subvols;
	char **paths;
	unsigned int nr;
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
	return check_operands(cmd, argc, 2, -1);
}

/* 0, or the exit code with the reason printed; -1 when help was asked for. */
static int parse_options(const struct cmd *cmd, int argc, char **argv, struct send_options *opts)
{
	static const struct option longopts[] = {
		{ "no-data", no_argument, NULL, OPT_NO_DATA },
		{ "proto", required_argument, NULL, OPT_PROTO },
		{ "compressed-data", no_argument, NULL, OPT_COMPRESSED_DATA },
		{ "wait", optional_argument, NULL, OPT_WAIT },
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
		default:
			if (open_fs_parse(&opts->open, c, optarg))
				break;
			ret = cmd_option_exit(cmd, c);
			return ret ? ret : -1;
		}
	}
	return check_options(cmd, argc, opts);
}

/* Look a subvolume up and see that it can be sent. */
static int find_subvol(struct btrfs_fs_info *fs_info, const char *path, struct btrfs_root **root)
{
	unsigned long nr_errors = message_nr_errors();
	int ret = btrfs_resolve_subvol(fs_info, path, root);

	if (ret == -ENOTSUP) {
		error("cannot send %s: it is not a subvolume", path);
		return ret;
	}
	if (ret) {
		if (message_nr_errors() == nr_errors)
			error("cannot send %s: %s", path, errno_text(ret));
		return ret;
	}
	if (btrfs_root_dead(*root)) {
		error("cannot send %s: it is being deleted", path);
		return -EPERM;
	}
	if (!btrfs_root_readonly(*root)) {
		error("cannot send %s: it is not read-only; make a read-only snapshot of it, or "
		      "set it read-only where it is mounted ('btrfs property set PATH ro true')",
		      path);
		return -EPERM;
	}
	return 0;
}

/* What the write callback needs to tell its own failures from those of send. */
struct send_target {
	struct output_file *file;
	int error;
};

static int write_stream(void *ctx, const void *buf, size_t len)
{
	struct send_target *target = ctx;
	int ret = output_file_write(target->file, buf, len);

	if (ret)
		target->error = ret;
	return ret;
}

/* Send one of the subvolumes. */
static int send_one(struct btrfs_fs_info *fs_info, const struct send_options *opts,
		    struct send_roots *roots, unsigned int index, struct send_target *target)
{
	struct btrfs_send_args args = {
		.root = roots->subvols[index],
		.parent = roots->parent,
		.clone_sources = roots->clone_sources.data,
		.nr_clone_sources = (unsigned int)roots->clone_sources.nr,
		.proto = opts->proto,
		.write = write_stream,
		.write_ctx = target,
	};
	int ret;

	if (!opts->parent && opts->clone_sources.nr) {
		ret = btrfs_send_choose_parent(fs_info, args.root, args.clone_sources,
					       args.nr_clone_sources, &args.parent);
		if (ret) {
			error("cannot send %s: no parent found among the clone sources: %s",
			      roots->paths[index], errno_text(ret));
			return ret;
		}
	}
	if (opts->no_data)
		args.flags |= BTRFS_SEND_FLAG_NO_FILE_DATA;
	if (opts->compressed_data)
		args.flags |= BTRFS_SEND_FLAG_COMPRESSED;
	if (opts->one_stream && index > 0)
		args.flags |= BTRFS_SEND_FLAG_OMIT_STREAM_HEADER;
	if (opts->one_stream && index + 1 < roots->nr)
		args.flags |= BTRFS_SEND_FLAG_OMIT_END_CMD;
	info("At subvol %s", roots->paths[index]);
	return btrfs_send(fs_info, &args);
}

static int add_clone_source(struct send_roots *roots, struct btrfs_root *root)
{
	struct btrfs_root **known;

	vec_for_each(&roots->clone_sources, known)
		if (*known == root)
			return 0;
	return vec_push_copy(&roots->clone_sources, &root);
}

static int send_all(struct btrfs_fs_info *fs_info, const struct send_options *opts,
		    struct send_roots *roots, struct send_target *target)
{
	/*
	 * Full sends stay full, so that each can be received on its own, and a
	 * parent that was named is the only one.  Where parents are chosen, those
	 * that went before are candidates.
	 */
	bool grow_sources = !opts->parent && opts->clone_sources.nr;
	int ret = 0;

	for (unsigned int i = 0; i < roots->nr && !ret; i++) {
		ret = send_one(fs_info, opts, roots, i, target);
		if (!ret && grow_sources)
			ret = add_clone_source(roots, roots->subvols[i]);
	}
	return ret;
}

static int write_error(const struct send_options *opts, int err)
{
	error("cannot write %s: %s", opts->outfile ? opts->outfile : "the stream",
	      errno_text(err));
	return err;
}

/* Send to the chosen output, which becomes visible only when all went well. */
static int send_to_output(struct btrfs_fs_info *fs_info, const struct send_options *opts,
			  struct send_roots *roots)
{
	struct send_target target = { NULL, 0 };
	int ret;

	if (opts->outfile && open_fs_is_own_device(fs_info, opts->outfile)) {
		error("cannot write %s: it is what is being sent", opts->outfile);
		return -EBUSY;
	}
	ret = output_file_open(&target.file, opts->outfile);
	if (ret)
		return write_error(opts, ret);
	ret = send_all(fs_info, opts, roots, &target);
	if (ret) {
		if (target.error)
			write_error(opts, target.error);
		output_file_abort(target.file);
		return ret;
	}
	ret = output_file_commit(target.file);
	return ret ? write_error(opts, ret) : 0;
}

/* Everything that was named must be there before the first byte is written. */
static int find_roots(struct btrfs_fs_info *fs_info, const struct send_options *opts,
		      struct send_roots *roots)
{
	struct btrfs_root *root;
	const char **path;
	int ret = 0;

	if (opts->parent) {
		ret = find_subvol(fs_info, opts->parent, &roots->parent);
		if (!ret)
			ret = add_clone_source(roots, roots->parent);
	}
	vec_for_each(&opts->clone_sources, path) {
		if (!ret)
			ret = find_subvol(fs_info, *path, &root);
		if (!ret)
			ret = add_clone_source(roots, root);
	}
	for (unsigned int i = 0; i < roots->nr && !ret; i++)
		ret = find_subvol(fs_info, roots->paths[i], &roots->subvols[i]);
	return ret;
}

static int send_subvols(const char *device, const struct send_options *opts, char **paths,
			unsigned int nr)
{
	const struct btrfs_open_args more = {
		.cache_bytes = SEND_CACHE_BYTES,
		.lock_as = "send",
		.lock_wait_seconds = opts->wait_seconds,
	};
	struct send_roots roots = {
		.clone_sources = VEC_INIT(struct btrfs_root *), .paths = paths, .nr = nr,
	};
	struct btrfs_fs_info *fs_info = NULL;
	int ret;

	roots.subvols = calloc(nr, sizeof(*roots.subvols));
	if (!roots.subvols)
		return -ENOMEM;
	ret = open_fs_readonly(device, &opts->open, &more, &fs_info);
	/* It holds what was fsynced since the last commit: never in a snapshot, but possibly in this. */
	if (!ret && fs_info->super_copy.log_root)
		warning("%s: there is a log tree, which only mounting replays; it is not sent",
			fs_info->name);
	if (!ret)
		ret = find_roots(fs_info, opts, &roots);
	if (!ret)
		ret = send_to_output(fs_info, opts, &roots);
	if (fs_info)
		btrfs_close_fs(fs_info);
	vec_free(&roots.clone_sources);
	free(roots.subvols);
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
	if (!opts.outfile && isatty(STDOUT_FILENO)) {
		error("cannot write the stream: the output is a terminal; use -f or redirect it");
		ret = CMD_FAILED;
		goto out;
	}
	ret = send_subvols(argv[optind], &opts, argv + optind + 1,
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
};
