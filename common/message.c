// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages on stderr: each line is formatted whole and written at once.  See
 * the header for who may print what, and when.
 */
#include "common/message.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/types.h"

/*
 * The accepted exception from "no globals": see the header.  Atomic, since it
 * is read by every thread; set once by the options.
 */
static int verbosity = MSG_DEFAULT;

/* Also one for the process, as stderr is: what stands on the line that we come to. */
static const char *line_start = "";

/* All of @buf, as far as it goes: where would an error about stderr be told? */
static void write_stderr(const char *buf, size_t len)
{
	while (len > 0) {
		ssize_t n = write(STDERR_FILENO, buf, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		buf += n;
		len -= (size_t)n;
	}
}

static void print_line(const char *kind, const char *fmt, va_list ap)
{
	int saved_errno = errno;
	char prefix[32];
	size_t prefix_len;
	char small[512];
	char *line = small;
	va_list again;
	int len;

	snprintf(prefix, sizeof(prefix), "%s%s", __atomic_load_n(&line_start, __ATOMIC_RELAXED),
		 kind);
	prefix_len = strlen(prefix);
	va_copy(again, ap);
	memcpy(small, prefix, prefix_len);
	len = vsnprintf(small + prefix_len, sizeof(small) - prefix_len, fmt, ap);
	if (len < 0)
		len = 0;
	if (prefix_len + (size_t)len >= sizeof(small)) {
		line = malloc(prefix_len + (size_t)len + 1);
		if (line) {
			memcpy(line, prefix, prefix_len);
			vsnprintf(line + prefix_len, (size_t)len + 1, fmt, again);
		} else {
			/* No memory: a line cut short says more than none. */
			line = small;
			len = (int)(sizeof(small) - prefix_len - 1);
		}
	}
	va_end(again);

	/* The newline takes the place of the terminator. */
	line[prefix_len + (size_t)len] = '\n';
	write_stderr(line, prefix_len + (size_t)len + 1);
	if (line != small)
		free(line);
	errno = saved_errno;
}

static unsigned long nr_errors;

unsigned long message_nr_errors(void)
{
	return __atomic_load_n(&nr_errors, __ATOMIC_RELAXED);
}

void error(const char *fmt, ...)
{
	va_list ap;

	__atomic_add_fetch(&nr_errors, 1, __ATOMIC_RELAXED);
	va_start(ap, fmt);
	print_line("ERROR: ", fmt, ap);
	va_end(ap);
}

void warning(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print_line("WARNING: ", fmt, ap);
	va_end(ap);
}

void info(const char *fmt, ...)
{
	va_list ap;

	if (message_verbosity() < MSG_DEFAULT)
		return;
	va_start(ap, fmt);
	print_line("", fmt, ap);
	va_end(ap);
}

void pr_verbose(int level, const char *fmt, ...)
{
	va_list ap;

	if (message_verbosity() < level)
		return;
	va_start(ap, fmt);
	print_line("", fmt, ap);
	va_end(ap);
}

void message_set_line_start(const char *start)
{
	__atomic_store_n(&line_start, start, __ATOMIC_RELAXED);
}

void message_set_verbosity(int level)
{
	__atomic_store_n(&verbosity, level, __ATOMIC_RELAXED);
}

int message_verbosity(void)
{
	return __atomic_load_n(&verbosity, __ATOMIC_RELAXED);
}

int message_set_log_level(const char *name)
{
	static const struct {
		const char *name;
		int level;
	} levels[] = {
		{ "quiet", MSG_QUIET },	    { "default", MSG_DEFAULT }, { "info", MSG_DEFAULT },
		{ "verbose", MSG_VERBOSE }, { "debug", MSG_DEBUG },
	};

	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		if (strcmp(name, levels[i].name) == 0) {
			message_set_verbosity(levels[i].level);
			return 0;
		}
	}
	return -EINVAL;
}

const char *errno_text(int neg_errno)
{
	/* Unlike strerror() this has no buffer that threads would share. */
	const char *text = strerrordesc_np(-neg_errno);

	return text ? text : "unknown error";
}
