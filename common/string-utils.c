// SPDX-License-Identifier: GPL-2.0-only
/* Strings from outside; see the header. */
#include "common/string-utils.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

int parse_u64(const char *str, u64 *value)
{
	u64 base = 10;
	u64 v = 0;

	if (str[0] == '0' && (str[1] == 'x' || str[1] == 'X')) {
		base = 16;
		str += 2;
	}
	if (!*str)
		return -EINVAL;
	for (const char *p = str; *p; p++) {
		if ((u64)digit_value(*p) >= base)
			return -EINVAL;
	}
	for (; *str; str++) {
		if (__builtin_mul_overflow(v, base, &v) ||
		    __builtin_add_overflow(v, (u64)digit_value(*str), &v))
			return -ERANGE;
	}
	*value = v;
	return 0;
}

/*
 * The length of the UTF-8 character at @s, 0 if there is none.  Only shortest
 * forms count, and neither surrogates nor what lies past U+10FFFF.
 */
static size_t utf8_char_len(const unsigned char *s, size_t len)
{
	unsigned char low = 0x80, high = 0xbf; /* bounds of the second byte */
	size_t n;

	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		n = 2;
	else if (s[0] >= 0xe0 && s[0] <= 0xef)
		n = 3;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		n = 4;
	else
		return 0;
	if (s[0] == 0xe0)
		low = 0xa0;
	else if (s[0] == 0xed)
		high = 0x9f;
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xf4)
		high = 0x8f;
	if (len < n || s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++) {
		if (s[i] < 0x80 || s[i] > 0xbf)
			return 0;
	}
	return n;
}

bool is_utf8(const char *str, size_t len)
{
	const unsigned char *s = (const unsigned char *)str;

	while (len > 0) {
		size_t n = utf8_char_len(s, len);

		if (n == 0)
			return false;
		s += n;
		len -= n;
	}
	return true;
}

/* The C escape of one byte; its length is returned. */
static size_t escape_byte(unsigned char c, char text[5])
{
	static const char from[] = "\a\b\t\n\v\f\r\\";
	static const char to[] = "abtnvfr\\";
	const char *found = c ? strchr(from, c) : NULL;

	if (found)
		return (size_t)snprintf(text, 5, "\\%c", to[found - from]);
	return (size_t)snprintf(text, 5, "\\x%02x", c);
}

void escape_path(const char *in, size_t len, char *out, size_t outlen)
{
	const unsigned char *s = (const unsigned char *)in;
	size_t used = 0;

	if (outlen == 0)
		return;
	while (len > 0) {
		size_t n = utf8_char_len(s, len);
		bool control = s[0] < 0x20 || s[0] == 0x7f;
		char text[5];
		const char *from = (const char *)s;
		size_t from_len = n;

		/* U+0080 to U+009F are control characters too. */
		if (n == 2 && s[0] == 0xc2 && s[1] < 0xa0)
			n = 0;
		if (n == 0 || control || s[0] == '\\') {
			n = 1;
			from = text;
			from_len = escape_byte(s[0], text);
		}
		if (from_len >= outlen - used)
			break;
		memcpy(out + used, from, from_len);
		used += from_len;
		s += n;
		len -= n;
	}
	out[used] = '\0';
}

bool string_has_prefix(const char *str, const char *prefix)
{
	return strncmp(str, prefix, strlen(prefix)) == 0;
}

bool string_copy(char *dst, size_t dst_size, const char *src)
{
	size_t len = strlen(src);
	bool fits = len < dst_size;

	if (dst_size == 0)
		return false;
	if (!fits)
		len = dst_size - 1;
	memcpy(dst, src, len);
	dst[len] = '\0';
	return fits;
}
