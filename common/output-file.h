/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A file that a command writes (send -f, dump --output): it appears under its
 * name whole, or not at all.  Until the commit it grows under a temporary name (see
 * temp-file.h, also for what signals do); an older file of that name is replaced
 * in one step.
 *
 * stdout, pipes, sockets and devices cannot appear in one step and are written
 * as they are.  SIGPIPE is ignored from the first open on: a reader that has
 * gone is told as -EPIPE.
 */
#ifndef BTRFS_COMMON_OUTPUT_FILE_H
#define BTRFS_COMMON_OUTPUT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include "common/types.h"

struct output_file;

/* @path NULL: stdout.  Nothing is printed here: negative errno, the caller has the words. */
int output_file_open(struct output_file **ofp, const char *path);

/* All of it, or a negative errno. */
int output_file_write(struct output_file *of, const void *buf, size_t len);

/* Also fsync file and directory at the commit.  Off by default, as in cp and send -f. */
void output_file_set_fsync(struct output_file *of, bool fsync);

/*
 * Close and give the file its name.  On an error nothing is left under the
 * temporary name.  @of is gone either way.
 */
int output_file_commit(struct output_file *of);

/* Close and remove.  @of is gone; NULL is fine. */
void output_file_abort(struct output_file *of);

/* For isatty(), fstat(), splice(); owned by @of. */
int output_file_fd(const struct output_file *of);

/* Bytes written so far. */
u64 output_file_written(const struct output_file *of);

#endif
