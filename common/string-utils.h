/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Strings that come from outside: numbers from a command line, names from a
 * disk.
 */
#ifndef BTRFS_COMMON_STRING_UTILS_H
#define BTRFS_COMMON_STRING_UTILS_H

#include <stdbool.h>
#include <stddef.h>
#include "common/types.h"

/*
 * The whole string is one unsigned number, decimal or 0x...; no sign, no blanks,
 * and a leading 0 is just a 0.  -EINVAL: not a number.  -ERANGE: too large.
 */
int parse_u64(const char *str, u64 *value);

/* The bytes that escape_path() needs at most for @len bytes of input. */
#define ESCAPED_SIZE(len) (4 * (size_t)(len) + 1)

/*
 * Make any bytes fit to print on one line of a terminal: control characters,
 * backslashes and bytes that are not UTF-8 become C escapes (\n, \\, \xff), so
 * what is printed can be turned back.  Everything else, UTF-8 included, stays.
 * Cut between two characters where @outlen ends; always terminated.
 */
void escape_path(const char *in, size_t len, char *out, size_t outlen);

/* True if @len bytes are UTF-8 throughout (shortest forms, no surrogates). */
bool is_utf8(const char *str, size_t len);

bool string_has_prefix(const char *str, const char *prefix);

/* Copy with termination; false if it had to be cut. */
bool string_copy(char *dst, size_t dst_size, const char *src);

#endif
