/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A line on stderr that tells how far a long work has come: what is done, a bar,
 * the rate and the time that is left.  It is drawn over itself, at most five
 * times a second, and gone when the work ends.
 *
 *	struct progress *progress = progress_begin(mode, "Sending", PROGRESS_BYTES, total);
 *
 *	progress_add(progress, len);		(from any thread)
 *	progress_end(progress);
 *
 * progress_begin() returns NULL where there is nothing to be shown, and all other
 * functions take that: what works need not know whether anybody looks on.  Lines
 * of message.h may be printed meanwhile, by any thread; they take the place of
 * the bar, which comes back below.  One bar at a time: end it before the next
 * begins, and before a result is printed to a stdout that may be the terminal.
 */
#ifndef BTRFS_COMMON_PROGRESS_H
#define BTRFS_COMMON_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include "common/types.h"

struct progress;

enum progress_mode {
	PROGRESS_AUTO,	 /* where stderr is a terminal, unless -q */
	PROGRESS_ALWAYS, /* also into a file or pipe, as for a width of 80 */
	PROGRESS_NEVER,
};

enum progress_unit {
	PROGRESS_BYTES, /* told as "1.20GiB" */
	PROGRESS_ITEMS, /* as plain numbers */
};

/* "auto", "always" or "never"; -EINVAL for any other name. */
int progress_mode_parse(const char *name, enum progress_mode *mode);

/* Whether a bar would be seen: for work that is done for the bar alone. */
bool progress_is_shown(enum progress_mode mode);

/*
 * @title is copied, and should be short and printable.  @total in units, 0: not
 * known (yet).  NULL where nothing is shown, or for lack of memory.
 */
struct progress *progress_begin(enum progress_mode mode, const char *title,
				enum progress_unit unit, u64 total);
void progress_set_total(struct progress *progress, u64 total);
/* More is done; and, all that is done. */
void progress_add(struct progress *progress, u64 nr);
void progress_set(struct progress *progress, u64 done);
/* Take the line away.  @progress is gone. */
void progress_end(struct progress *progress);

/* What a line is made of. */
struct progress_view {
	const char *title;
	enum progress_unit unit;
	u64 done;
	u64 total;	/* 0: not known, then there is no bar */
	u64 per_second; /* 0: not known, then there is no time left */
	u64 elapsed;	/* seconds, told where there is no total */
};

/*
 * The line in text, less than @width columns wide and without control
 * characters.  What has no room is left out, what matters least first.  Always
 * terminated; 4 * @width bytes are enough.
 */
void progress_format(const struct progress_view *view, unsigned int width, char *buf, size_t size);

#endif
