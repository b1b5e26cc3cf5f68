/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * btrfs receive --verify: whether a send stream is whole, without applying it.
 */
#ifndef CMDS_RECEIVE_VERIFY_H
#define CMDS_RECEIVE_VERIFY_H

#include <stdbool.h>

/*
 * Check all streams that @fd holds, one after the other.  For each that is good
 * a line goes to stdout, unless -q was given; with @json one document, when all
 * are.  @name is for messages.  0 or negative errno, said; -EIO also when stdout
 * takes no more, which is left for whoever closes it to say.
 */
int receive_verify(int fd, const char *name, bool json);

#endif
