// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stand in for one side of the exclusion of send and relocation:
 *
 *	hold-lock send|relocation IMAGE [--wait[=SECONDS]]
 *
 * prints "held" once it has its side and keeps it until standard input ends.
 * What is tested is the library: this is all that balance will do, but for the
 * work itself.  Exit status 1, with the library's message, when it is refused.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/lockfile.h"
#include "kernel-shared/locking.h"

static int parse_wait(int argc, char **argv)
{
	if (argc < 4)
		return 0;
	return argv[3][6] == '=' ? atoi(argv[3] + 7) : LOCKFILE_WAIT_FOREVER;
}

int main(int argc, char **argv)
{
	bool reloc = argc > 2 && !strcmp(argv[1], "relocation");
	struct btrfs_open_args args = { .lock_exclusive = reloc };
	struct btrfs_fs_info *fs_info;

	if (argc < 3)
		return 2;
	args.lock_as = reloc ? "balance" : "send";
	args.lock_wait_seconds = parse_wait(argc, argv);
	if (btrfs_open_fs(argv[2], &args, &fs_info))
		return 1;
	if (reloc ? btrfs_reloc_begin(fs_info, "balance", 0) : btrfs_send_begin(fs_info, 0)) {
		btrfs_close_fs(fs_info);
		return 1;
	}
	puts("held");
	fflush(stdout);
	while (getchar() != EOF)
		;
	if (reloc)
		btrfs_reloc_end(fs_info);
	else
		btrfs_send_end(fs_info);
	btrfs_close_fs(fs_info);
	return 0;
}
