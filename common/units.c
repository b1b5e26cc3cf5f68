// SPDX-License-Identifier: GPL-2.0-only
/* Sizes: parsing and printing, with the spellings that scripts around btrfs know. */
#include "common/units.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

static const char unit_letters[] = "KMGTPE";

/* The power of 1024 that @c stands for, or -1. */
static int unit_power(char c)
{
	for (int i = 0; unit_letters[i]; i++) {
		if (toupper((unsigned char)c) == unit_letters[i])
			return i + 1;
	}
	return -1;
}

int parse_size(const char *str, u64 *size)
{
	u64 value = 0;
	int power;

	if (!isdigit((unsigned char)*str))
		return -EINVAL;
	for (; isdigit((unsigned char)*str); str++) {
		if (__builtin_mul_overflow(value, 10ULL, &value) ||
		    __builtin_add_overflow(value, (u64)(*str - '0'), &value))
			return -ERANGE;
	}

	if (*str == 'b' || *str == 'B') {
		str++;
	} else if (*str) {
		power = unit_power(*str++);
		if (power < 0)
			return -EINVAL;
		if (str[0] == 'i' && (str[1] == 'B' || str[1] == 'b'))
			str += 2;
		while (power-- > 0) {
			if (__builtin_mul_overflow(value, 1024ULL, &value))
				return -ERANGE;
		}
	}
	if (*str)
		return -EINVAL;
	*size = value;
	return 0;
}

const char *pretty_size_mode(u64 size, unsigned mode, char buf[PRETTY_SIZE_LEN])
{
	static const char *const binary[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	static const char *const decimal[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
	unsigned fixed = mode >> 8;
	bool si = (mode & UNITS_BASE_MASK) == UNITS_DECIMAL;
	u64 base = si ? 1000 : 1024;
	double divisor = 1;
	unsigned power = 0;

	if ((mode & UNITS_BASE_MASK) == UNITS_RAW && !fixed) {
		snprintf(buf, PRETTY_SIZE_LEN, "%llu", size);
		return buf;
	}
	if (fixed) {
		for (; power < fixed && power < ARRAY_SIZE(binary) - 1; power++)
			divisor *= (double)base;
	} else {
		for (u64 rest = size; rest >= base; rest /= base, power++)
			divisor *= (double)base;
	}
	snprintf(buf, PRETTY_SIZE_LEN, "%.2f%s", (double)size / divisor,
		 si ? decimal[power] : binary[power]);
	return buf;
}

const char *pretty_size(u64 size, char buf[PRETTY_SIZE_LEN])
{
	return pretty_size_mode(size, UNITS_HUMAN, buf);
}
