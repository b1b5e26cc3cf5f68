/* SPDX-License-Identifier: GPL-2.0-only */
/* Sizes as people type them and as they read them. */
#ifndef BTRFS_COMMON_UNITS_H
#define BTRFS_COMMON_UNITS_H

#include "common/types.h"

/*
 * A number, then at most one unit: B, or K M G T P E (of 1024, either case),
 * optionally written out as KiB.  No sign, no fraction, no blanks.
 * -EINVAL: not a size.  -ERANGE: does not fit 64 bits.
 */
int parse_size(const char *str, u64 *size);

/*
 * How a size is printed.  The human modes choose the unit; a unit of
 * UNITS_KBYTES and so on may be or'ed in to fix it.
 */
#define UNITS_RAW	0u /* "1073741824" */
#define UNITS_BINARY	1u /* "1.00GiB" */
#define UNITS_DECIMAL	2u /* "1.07GB" */
#define UNITS_HUMAN	UNITS_BINARY
#define UNITS_BASE_MASK 0xffu
#define UNITS_KBYTES	(1u << 8)
#define UNITS_MBYTES	(2u << 8)
#define UNITS_GBYTES	(3u << 8)
#define UNITS_TBYTES	(4u << 8)

#define PRETTY_SIZE_LEN 32

/* Both print into @buf and return it. */
const char *pretty_size_mode(u64 size, unsigned mode, char buf[PRETTY_SIZE_LEN]);
const char *pretty_size(u64 size, char buf[PRETTY_SIZE_LEN]);

#endif
