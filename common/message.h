/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Messages to the person at the terminal.  Everything here goes to stderr, one
 * write(2) per line, so that lines of several threads never mix and stdout
 * carries nothing but a command's result (a send stream, a listing, JSON).
 *
 * The verbosity is the one process-wide setting below cmds/: a message is
 * printed where its reason is known, often many calls below the options.
 */
#ifndef BTRFS_COMMON_MESSAGE_H
#define BTRFS_COMMON_MESSAGE_H

/* Verbosity levels; each includes those below it.  Errors are always printed. */
#define MSG_QUIET   (-1) /* -q: errors and warnings only */
#define MSG_DEFAULT 0	 /* info() is seen */
#define MSG_VERBOSE 1	 /* -v: pr_verbose(1, ...) too */
#define MSG_DEBUG   2	 /* -vv */

/*
 * A line is "ERROR: text" or "WARNING: text"; info() and pr_verbose() print
 * the bare text.  The newline is added.  errno is left as it was.
 */
void error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void warning(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/*
 * How many errors have been printed.  Who passes a failure on compares two
 * readings to learn whether the reason has been said.
 */
unsigned long message_nr_errors(void);

void pr_verbose(int level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * What every line begins with, as part of the same write: for progress.c, whose
 * bar has to be erased first.  A string that lives for ever; "" at first.
 */
void message_set_line_start(const char *start);

void message_set_verbosity(int level);
int message_verbosity(void);

/* quiet, default, info, verbose, debug; -EINVAL for any other name. */
int message_set_log_level(const char *name);

/* What a negative errno means, in words: errno_text(-ENOENT).  Never NULL, never to be freed. */
const char *errno_text(int neg_errno);

#endif
