/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files that appear under their name whole, or not at all: until then they have a
 * temporary one, .NAME.XXXXXX, in the same directory.
 *
 * SIGINT, SIGTERM and SIGHUP remove all temporaries of the process and then end it,
 * unless they were ignored or handled before the first of them was made.  Nothing
 * is printed here.
 */
#ifndef COMMON_TEMP_FILE_H
#define COMMON_TEMP_FILE_H

struct temp_file;

/*
 * The name that a file to be called @path really gets: through symbolic links, so
 * that what they lead to is replaced and not the link.  Allocated.
 *
 * -EEXIST: @path exists and is no regular file.  Otherwise what stat(2) says, and
 * -EACCES for a file that may not be written, and so not be replaced, either.
 */
int temp_file_target(const char *path, char **target);

/*
 * Make an empty temporary for @target (copied), open with @access, O_WRONLY or
 * O_RDWR.  Returns the descriptor, which is the caller's, or a negative errno.
 * -EMFILE: too many temporaries at once.
 */
int temp_file_create(const char *target, int access, struct temp_file **ret);

/*
 * Give it its name, in place of whatever had it, or, on an error, remove it.
 * @temp is gone either way.
 */
int temp_file_commit(struct temp_file *temp);

/* Remove it.  @temp is gone; NULL is fine. */
void temp_file_discard(struct temp_file *temp);

/* Make durable what happened to names in the directory of @path, where that is possible. */
int temp_file_sync_directory(const char *path);

/*
 * Remove all temporaries.  Async-signal-safe: for a signal handler that stands
 * where ours would and is about to end the process.
 */
void temp_file_unlink_all(void);

#endif
