// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stand in for one side of the exclusion of send and relocation:
 *
 *	hold-lock send|relocation IMAGE [--wait[=SECONDS]] [--late] [--witness=ID]
 *
 * prints "held" once it has its side and keeps it until standard input ends.
 * What is tested is the library: this is all that balance will do, but for the
 * work itself.  With --late the file system is opened by a reader and the side is
 * taken afterwards, so that the lock file stands alone, without the lock of the
 * devices.  Exit status 1, with the library's message, when it is refused; 3
 * when it was let in although, by the witness (see witness.h), it should not.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/lockfile.h"
#include "kernel-shared/locking.h"
#include "tests/helpers/witness.h"

struct options {
	bool reloc;
	const char *image;
	int wait_seconds;
	bool late;
	int witness;		/* -1: none */
};

static int parse_options(int argc, char **argv, struct options *opts)
{
	*opts = (struct options){ .witness = -1 };
	if (argc < 3)
		return -1;
	opts->reloc = strcmp(argv[1], "relocation") == 0;
	opts->image = argv[2];
	for (int i = 3; i < argc; i++) {
		if (strcmp(argv[i], "--wait") == 0)
			opts->wait_seconds = LOCKFILE_WAIT_FOREVER;
		else if (strncmp(argv[i], "--wait=", 7) == 0)
			opts->wait_seconds = atoi(argv[i] + 7);
		else if (strcmp(argv[i], "--late") == 0)
			opts->late = true;
		else if (strncmp(argv[i], "--witness=", 10) == 0)
			opts->witness = atoi(argv[i] + 10);
		else
			return -1;
	}
	return opts->reloc || strcmp(argv[1], "send") == 0 ? 0 : -1;
}

/* Inside: until standard input ends.  The exit status. */
static int stay(const struct options *opts)
{
	int ret = opts->witness < 0 ? 0 : witness_enter(opts->witness, opts->reloc);

	if (!ret) {
		puts("held");
		fflush(stdout);
		while (getchar() != EOF)
			;
		ret = opts->witness < 0 ? 0 : witness_leave(opts->witness, opts->reloc);
	}
	if (ret)
		fprintf(stderr, "witness: %s although others are inside: %s\n",
			opts->reloc ? "relocation" : "send", strerror(-ret));
	return ret ? 3 : 0;
}

static int take_side(const struct options *opts, struct btrfs_fs_info *fs_info)
{
	int wait_seconds = opts->late ? opts->wait_seconds : 0;

	return opts->reloc ? btrfs_reloc_begin(fs_info, "balance", wait_seconds) :
			     btrfs_send_begin(fs_info, wait_seconds);
}

int main(int argc, char **argv)
{
	struct btrfs_open_args args = { 0 };
	struct btrfs_fs_info *fs_info;
	struct options opts;
	int status = 1;

	if (parse_options(argc, argv, &opts))
		return 2;
	if (!opts.late) {
		args.lock_exclusive = opts.reloc;
		args.lock_as = opts.reloc ? "balance" : "send";
		args.lock_wait_seconds = opts.wait_seconds;
	}
	if (btrfs_open_fs(opts.image, &args, &fs_info))
		return 1;
	if (take_side(&opts, fs_info) == 0) {
		status = stay(&opts);
		if (opts.reloc)
			btrfs_reloc_end(fs_info);
		else
			btrfs_send_end(fs_info);
	}
	btrfs_close_fs(fs_info);
	return status;
}
