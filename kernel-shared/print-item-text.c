// SPDX-License-Identifier: GPL-2.0-only
/*
 * The small pieces of text that items of several kinds share: flags, times,
 * names, uuids, hex.
 */
#include <time.h>
#include <uuid.h>

#include "kernel-shared/print-item.h"

void print_flag_names(FILE *out, u64 flags, const struct print_flag *names, size_t nr,
		      const char *if_none)
{
	bool any = false;

	for (size_t i = 0; i < nr; i++) {
		if (!(flags & names[i].bit))
			continue;
		if (any)
			putc('|', out);
		fputs(names[i].name, out);
		any = true;
	}
	if (!any)
		fputs(if_none, out);
}

void print_timespec(FILE *out, const char *label, const struct btrfs_timespec *ts)
{
	u64 sec = le64toh(ts->sec);
	time_t time = (time_t)sec;
	char text[64] = "";
	struct tm tm;

	/* A year that does not fit into an int: only the number is left. */
	if (localtime_r(&time, &tm))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	fprintf(out, "\t\t%s %llu.%u (%s)\n", label, sec, le32toh(ts->nsec), text);
}

void print_string(FILE *out, const void *str, size_t len)
{
	fwrite(str, 1, strnlen(str, len), out);
}

void print_name(const struct print_item *item, const void *name, size_t len)
{
	if (item->ctx->hide_names)
		fputs("HIDDEN", item->ctx->out);
	else
		print_string(item->ctx->out, name,
			     min(min_t(size_t, len, BTRFS_NAME_LEN), item_left(item, name)));
}

void print_uuid(FILE *out, const char *label, const u8 *uuid)
{
	char text[UUID_STR_LEN];

	uuid_unparse(uuid, text);
	fprintf(out, "%s %s\n", label, text);
}

void print_hex(FILE *out, const u8 *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		putc(digits[bytes[i] >> 4], out);
		putc(digits[bytes[i] & 15], out);
	}
}
