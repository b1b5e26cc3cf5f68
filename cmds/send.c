// SPDX-License-Identifier: GPL-2.0-only
/*
 * btrfs send: write subvolumes of an unmounted file system as a stream.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmds/cmds.h"
#include "cmds/open-fs.h"
#include "common/message.h"
#include "common/output-file.h"
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
};

static const char *const cmd_send_usage[] = {
	"btrfs send [-e] [-f <outfile>] [--no-data] [options] <device> <subvol> [<subvol>...]",
	"Write subvolumes of an unmounted file system as a stream of commands",
	"",
	"Sends each read-only subvolume <subvol>, a path inside the file system on",
	"<device> (a block device or an image) relative to its top level, or id:N.",
	"The stream is the same as the kernel's and goes to the standard output, or to",
	"<outfile>, which appears when it is complete.",
	"",
	"-e                 put several subvolumes into one stream, with one header and",
	"                   one end, instead of a stream for each",
	"-f <outfile>       write to this file",
	"--no-data          leave file data out; such a stream tells what differs but",
	"                   cannot be received",
	OPEN_FS_USAGE,
	NULL
};

struct send_options {
	struct open_fs_options open;
	const char *outfile;
	bool one_stream;
	bool no_data;
};

static int parse_options(const struct cmd *cmd, int argc, char **argv, struct send_options *opts)
{
	static const struct option longopts[] = {
		{ "no-data", no_argument, NULL, OPT_NO_DATA },
		OPEN_FS_LONG_OPTIONS,
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = options_next(argc, argv, "ef:", longopts)) != OPTION_END) {
		switch (c) {
		case 'e':
			opts->one_stream = true;
			break;
		case 'f':
			opts->outfile = optarg;
			break;
		case OPT_NO_DATA:
			opts->no_data = true;
			break;
		default:
			if (!open_fs_parse(&opts->open, c, optarg))
				return cmd_option_exit(cmd, c);
		}
	}
	return check_operands(cmd, argc, 2, -1) ? CMD_USAGE : -1;
}

/* Look a subvolume up and see that it can be sent. */
static int find_subvol(struct btrfs_fs_info *fs_info, const char *path, struct btrfs_root **root)
{
	int ret = btrfs_resolve_subvol(fs_info, path, root);

	if (ret == -ENOTSUP) {
		error("cannot send %s: it is not a subvolume", path);
		return ret;
	}
	if (ret) {
		error("cannot send %s: %s", path, errno_text(ret));
		return ret;
	}
	if (btrfs_root_dead(*root)) {
		error("cannot send %s: it is being deleted", path);
		return -EPERM;
	}
	if (!btrfs_root_readonly(*root)) {
		error("cannot send %s: it is not read-only; make a read-only snapshot of it, or "
		      "set it with 'btrfs property set %s ro true' where it is mounted", path,
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

static int send_all(struct btrfs_fs_info *fs_info, const struct send_options *opts,
		    struct btrfs_root **roots, char **paths, unsigned int nr,
		    struct send_target *target)
{
	int ret = 0;

	for (unsigned int i = 0; i < nr && !ret; i++) {
		struct btrfs_send_args args = {
			.root = roots[i],
			/* The receiver has those that went before. */
			.clone_sources = roots,
			.nr_clone_sources = i,
			.proto = 1,
			.write = write_stream,
			.write_ctx = target,
		};

		if (opts->no_data)
			args.flags |= BTRFS_SEND_FLAG_NO_FILE_DATA;
		if (opts->one_stream && i > 0)
			args.flags |= BTRFS_SEND_FLAG_OMIT_STREAM_HEADER;
		if (opts->one_stream && i + 1 < nr)
			args.flags |= BTRFS_SEND_FLAG_OMIT_END_CMD;
		info("At subvol %s", paths[i]);
		ret = btrfs_send(fs_info, &args);
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
			  struct btrfs_root **roots, char **paths, unsigned int nr)
{
	struct send_target target = { NULL, 0 };
	int ret = output_file_open(&target.file, opts->outfile);

	if (ret)
		return write_error(opts, ret);
	ret = send_all(fs_info, opts, roots, paths, nr, &target);
	if (ret) {
		if (target.error)
			write_error(opts, target.error);
		else
			error("cannot send: %s", errno_text(ret));
		output_file_abort(target.file);
		return ret;
	}
	ret = output_file_commit(target.file);
	return ret ? write_error(opts, ret) : 0;
}

static int send_subvols(const char *device, const struct send_options *opts, char **paths,
			unsigned int nr)
{
	const struct btrfs_open_args more = { .cache_bytes = SEND_CACHE_BYTES };
	struct btrfs_root **roots = calloc(nr, sizeof(*roots));
	struct btrfs_fs_info *fs_info = NULL;
	int ret;

	if (!roots)
		return -ENOMEM;
	ret = open_fs_readonly(device, &opts->open, &more, &fs_info);
	for (unsigned int i = 0; i < nr && !ret; i++)
		ret = find_subvol(fs_info, paths[i], &roots[i]);
	if (!ret)
		ret = send_to_output(fs_info, opts, roots, paths, nr);
	if (fs_info)
		btrfs_close_fs(fs_info);
	free(roots);
	return ret;
}

static int cmd_send_fn(const struct cmd *cmd, int argc, char **argv)
{
	struct send_options opts = { .outfile = NULL };
	int ret = parse_options(cmd, argc, argv, &opts);

	if (ret >= 0)
		goto out;
	if (!opts.outfile && isatty(STDOUT_FILENO)) {
		error("cannot write the stream: the output is a terminal; use -f or redirect it");
		ret = CMD_FAILED;
		goto out;
	}
	ret = send_subvols(argv[optind], &opts, argv + optind + 1,
			   (unsigned int)(argc - optind - 1)) ? CMD_FAILED : CMD_OK;
out:
	open_fs_options_free(&opts.open);
	return ret;
}

const struct cmd cmd_send = {
	.name = "send",
	.fn = cmd_send_fn,
	.usage = cmd_send_usage,
};
