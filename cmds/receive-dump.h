/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * btrfs receive --dump: a send stream as text, one line for each command.
 */
#ifndef CMDS_RECEIVE_DUMP_H
#define CMDS_RECEIVE_DUMP_H

/*
 * Print the stream that @fd holds, up to its end command, to stdout.  @name is
 * for messages.  What comes before a fault is printed all the same.
 * 0 or negative errno; -EPIPE and the like are left for whoever closes stdout.
 */
int receive_dump(int fd, const char *name);

#endif
