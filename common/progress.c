// SPDX-License-Identifier: GPL-2.0-only
/*
 * Progress on a terminal.  There is no thread that draws: whoever reports
 * progress looks at the clock, and the one who finds that a fifth of a second
 * has passed draws the line.
 */
#include "common/progress.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "common/message.h"
#include "common/units.h"

#define NSEC_PER_SEC	1000000000ULL
#define DRAW_INTERVAL	(NSEC_PER_SEC / 5)
/* The rate is an average that forgets what is older than about this. */
#define RATE_MEMORY	(3 * NSEC_PER_SEC)

#define DEFAULT_WIDTH	80U
#define MAX_WIDTH	512U
#define MAX_BAR		40U
#define MIN_BAR		10U

/* Seconds; what is still further off is no news. */
#define MAX_TIME_LEFT	(100 * 3600ULL)

/* To the start of the line, and erase it. */
#define CLEAR_LINE	"\r\033[K"

struct progress {
	char *title;
	enum progress_unit unit;
	u64 started;		/* nanoseconds, as all times here */

	/* Atomic. */
	u64 done;
	u64 total;
	u64 next_draw;

	pthread_mutex_t lock;	/* held by who draws; protects what follows */
	bool drawn;
	u64 last_time;
	u64 last_done;
	double per_second;	/* 0: not known yet */
};

/* ---- the line ---- */

/* Columns of UTF-8 text, each character taken for one. */
static unsigned int text_width(const char *text)
{
	unsigned int width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

/* Bytes of the first @width characters. */
static int text_prefix(const char *text, unsigned int width)
{
	const char *end = text;

	while (*end) {
		if (((unsigned char)*end & 0xc0) != 0x80 && width-- == 0)
			break;
		end++;
	}
	return (int)(end - text);
}

static const char *format_amount(enum progress_unit unit, u64 amount, char buf[PRETTY_SIZE_LEN])
{
	return pretty_size_mode(amount, unit == PROGRESS_BYTES ? UNITS_HUMAN : UNITS_RAW, buf);
}

static void format_time(u64 seconds, char *buf, size_t size)
{
	if (seconds >= 3600)
		snprintf(buf, size, "%llu:%02llu:%02llu", seconds / 3600, seconds / 60 % 60,
			 seconds % 60);
	else
		snprintf(buf, size, "%llu:%02llu", seconds / 60, seconds % 60);
}

/* What follows the title, in this order. */
enum piece {
	PIECE_PERCENT,
	PIECE_BAR,
	PIECE_AMOUNT,
	PIECE_RATE,
	PIECE_TIME,
	NR_PIECES
};

struct pieces {
	char text[NR_PIECES][80];
	bool shown[NR_PIECES];
};

static void fill_pieces(const struct progress_view *view, struct pieces *pieces)
{
	char amount[PRETTY_SIZE_LEN], of[PRETTY_SIZE_LEN], time[32] = "-:--";
	u64 done = view->done;

	format_amount(view->unit, done, amount);
	if (view->total) {
		done = min(done, view->total);
		snprintf(pieces->text[PIECE_PERCENT], sizeof(pieces->text[0]), "%3u%%",
			 (unsigned int)(100.0 * (double)done / (double)view->total));
		snprintf(pieces->text[PIECE_AMOUNT], sizeof(pieces->text[0]), "%s of %s", amount,
			 format_amount(view->unit, view->total, of));
		if (view->per_second && (view->total - done) / view->per_second <= MAX_TIME_LEFT)
			format_time((view->total - done) / view->per_second, time, sizeof(time));
		snprintf(pieces->text[PIECE_TIME], sizeof(pieces->text[0]), "ETA %s", time);
	} else {
		snprintf(pieces->text[PIECE_AMOUNT], sizeof(pieces->text[0]), "%s", amount);
		format_time(view->elapsed, time, sizeof(time));
		snprintf(pieces->text[PIECE_TIME], sizeof(pieces->text[0]), "%s", time);
	}
	if (view->per_second)
		snprintf(pieces->text[PIECE_RATE], sizeof(pieces->text[0]), "%s/s",
			 format_amount(view->unit, view->per_second, of));
}

/* "[####      ]", @width columns in all. */
static void fill_bar(const struct progress_view *view, unsigned int width, char *bar)
{
	double share = (double)min(view->done, view->total) / (double)view->total;
	unsigned int inside = width - 2;
	unsigned int full = (unsigned int)(share * inside);

	bar[0] = '[';
	memset(bar + 1, '#', full);
	memset(bar + 1 + full, ' ', inside - full);
	bar[width - 1] = ']';
	bar[width] = '\0';
}

/* Choose what there is room for; the columns that are left come back. */
static unsigned int choose_pieces(struct pieces *pieces, unsigned int room)
{
	/* What matters most first. */
	static const enum piece order[] = { PIECE_PERCENT, PIECE_TIME, PIECE_AMOUNT, PIECE_RATE };

	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		unsigned int need = text_width(pieces->text[order[i]]) + 2;

		if (need == 2 || need > room)
			continue;
		pieces->shown[order[i]] = true;
		room -= need;
	}
	return room;
}

void progress_format(const struct progress_view *view, unsigned int width, char *buf, size_t size)
{
	struct pieces pieces = { 0 };
	unsigned int room, title_width;
	size_t len = 0;

	/* The last column stays free: some terminals go to the next line after it. */
	width = min(width, MAX_WIDTH);
	room = width ? width - 1 : 0;
	/* A long title may take half of the line, and no more. */
	title_width = min(text_width(view->title), room / 2);
	fill_pieces(view, &pieces);
	room = choose_pieces(&pieces, room - title_width);
	if (view->total && room >= MIN_BAR + 2) {
		fill_bar(view, min(room - 2, MAX_BAR), pieces.text[PIECE_BAR]);
		pieces.shown[PIECE_BAR] = true;
	}
	if (size)
		len = (size_t)snprintf(buf, size, "%.*s", text_prefix(view->title, title_width),
				       view->title);
	for (enum piece piece = 0; piece < NR_PIECES && len < size; piece++) {
		if (pieces.shown[piece])
			len += (size_t)snprintf(buf + len, size - len, "%s%s", len ? "  " : "",
						pieces.text[piece]);
	}
}

/* ---- drawing ---- */

static u64 now(void)
{
	struct timespec ts;

	/* Some milliseconds do not matter, and this one is cheap enough to ask often. */
	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (u64)ts.tv_sec * NSEC_PER_SEC + (u64)ts.tv_nsec;
}

static unsigned int terminal_width(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	return DEFAULT_WIDTH;
}

/* A line that is lost does no harm. */
static void write_stderr(const char *buf, size_t len)
{
	ssize_t ret = write(STDERR_FILENO, buf, len);

	(void)ret;
}

static void update_rate(struct progress *progress, u64 time, u64 done)
{
	u64 passed = time - progress->last_time;
	double rate, weight;

	if (passed == 0)
		return;
	rate = done > progress->last_done ?
	       (double)(done - progress->last_done) * (double)NSEC_PER_SEC / (double)passed : 0;
	weight = (double)passed / (double)(passed + RATE_MEMORY);
	if (progress->per_second == 0)
		weight = 1;
	progress->per_second += weight * (rate - progress->per_second);
	progress->last_time = time;
	progress->last_done = done;
}

/* With the lock held. */
static void draw(struct progress *progress, u64 time)
{
	struct progress_view view = {
		.title = progress->title,
		.unit = progress->unit,
		.done = __atomic_load_n(&progress->done, __ATOMIC_RELAXED),
		.total = __atomic_load_n(&progress->total, __ATOMIC_RELAXED),
		.elapsed = (time - progress->started) / NSEC_PER_SEC,
	};
	char line[4 * MAX_WIDTH + sizeof(CLEAR_LINE)] = CLEAR_LINE;
	size_t head = strlen(line);

	update_rate(progress, time, view.done);
	view.per_second = (u64)progress->per_second;
	progress_format(&view, terminal_width(), line + head, sizeof(line) - head);
	if (!progress->drawn)
		message_set_line_start(CLEAR_LINE);
	progress->drawn = true;
	write_stderr(line, strlen(line));
}

static void draw_if_due(struct progress *progress)
{
	u64 time = now();

	if (time < __atomic_load_n(&progress->next_draw, __ATOMIC_RELAXED))
		return;
	/* Somebody else is at it. */
	if (pthread_mutex_trylock(&progress->lock))
		return;
	if (time >= __atomic_load_n(&progress->next_draw, __ATOMIC_RELAXED)) {
		__atomic_store_n(&progress->next_draw, time + DRAW_INTERVAL, __ATOMIC_RELAXED);
		draw(progress, time);
	}
	pthread_mutex_unlock(&progress->lock);
}

/* ---- for the outside ---- */

int progress_mode_parse(const char *name, enum progress_mode *mode)
{
	if (strcmp(name, "auto") == 0)
		*mode = PROGRESS_AUTO;
	else if (strcmp(name, "always") == 0)
		*mode = PROGRESS_ALWAYS;
	else if (strcmp(name, "never") == 0)
		*mode = PROGRESS_NEVER;
	else
		return -EINVAL;
	return 0;
}

bool progress_is_shown(enum progress_mode mode)
{
	const char *term;

	if (mode != PROGRESS_AUTO)
		return mode == PROGRESS_ALWAYS;
	/* A terminal that cannot erase a line would be littered with them. */
	term = getenv("TERM");
	return message_verbosity() >= MSG_DEFAULT && isatty(STDERR_FILENO) && term &&
	       strcmp(term, "dumb") != 0;
}

struct progress *progress_begin(enum progress_mode mode, const char *title,
				enum progress_unit unit, u64 total)
{
	struct progress *progress;

	if (!progress_is_shown(mode))
		return NULL;
	progress = calloc(1, sizeof(*progress));
	if (!progress)
		return NULL;
	progress->title = strdup(title);
	if (!progress->title) {
		free(progress);
		return NULL;
	}
	progress->unit = unit;
	progress->total = total;
	progress->started = now();
	progress->last_time = progress->started;
	/* Short work is over before a line could be read; but who says always gets one. */
	progress->next_draw = progress->started + (mode == PROGRESS_ALWAYS ? 0 : DRAW_INTERVAL);
	pthread_mutex_init(&progress->lock, NULL);
	draw_if_due(progress);
	return progress;
}

void progress_set_total(struct progress *progress, u64 total)
{
	if (!progress)
		return;
	__atomic_store_n(&progress->total, total, __ATOMIC_RELAXED);
	draw_if_due(progress);
}

void progress_add(struct progress *progress, u64 nr)
{
	if (!progress)
		return;
	__atomic_add_fetch(&progress->done, nr, __ATOMIC_RELAXED);
	draw_if_due(progress);
}

void progress_set(struct progress *progress, u64 done)
{
	if (!progress)
		return;
	__atomic_store_n(&progress->done, done, __ATOMIC_RELAXED);
	draw_if_due(progress);
}

void progress_end(struct progress *progress)
{
	if (!progress)
		return;
	if (progress->drawn) {
		write_stderr(CLEAR_LINE, strlen(CLEAR_LINE));
		message_set_line_start("");
	}
	pthread_mutex_destroy(&progress->lock);
	free(progress->title);
	free(progress);
}
