// SPDX-License-Identifier: GPL-2.0-only
/*
 * The report on send streams that were checked: as text one line for each, as
 * soon as it is known to be good, since a tape takes its time; as JSON all of
 * them in the end.  The rules are in kernel-shared/stream-verify.c.
 */
#include "cmds/receive-verify.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/format-output.h"
#include "common/message.h"
#include "common/string-utils.h"
#include "kernel-shared/stream-verify.h"

/*
 * A JSON document is made in memory, and a hostile input can hold any number of
 * streams: what is listed ends here.  An entry counts more than its name.
 */
#define JSON_MAX_BYTES		(4U * SZ_1M)
#define JSON_ENTRY_BYTES	256U

struct report {
	struct format_ctx *json;	/* NULL: text */
	size_t json_bytes;		/* an estimate */
	u64 nr_unlisted;		/* streams that found no place */
	bool quiet;
};

/* ---- text ---- */

static void print_plural(u64 nr, const char *what)
{
	printf("%llu %s%s", nr, what, nr == 1 ? "" : "s");
}

static int print_names(const struct btrfs_stream_summary *summary)
{
	const char *before = ": ";
	char **name;

	vec_for_each(&summary->subvols, name) {
		size_t len = strlen(*name);
		char *escaped = malloc(ESCAPED_SIZE(len));

		if (!escaped)
			return -ENOMEM;
		escape_path(*name, len, escaped, ESCAPED_SIZE(len));
		printf("%s%s", before, escaped);
		free(escaped);
		before = ", ";
	}
	if (summary->nr_subvols > summary->subvols.nr)
		fputs(", ...", stdout);
	return 0;
}

static int print_text(const struct btrfs_stream_summary *summary)
{
	int ret;

	printf("version %u, ", summary->version);
	print_plural(summary->nr_cmds, "command");
	fputs(", ", stdout);
	print_plural(summary->bytes, "byte");
	fputs(", ", stdout);
	print_plural(summary->data_bytes, "byte");
	fputs(" of data, ", stdout);
	print_plural(summary->nr_subvols, "subvolume");
	ret = print_names(summary);
	putchar('\n');
	/* Nobody listens any more: do not read gigabytes for them. */
	if (!ret && (fflush(stdout) != 0 || ferror(stdout)))
		ret = -EIO;
	return ret;
}

/* ---- JSON ---- */

static void format_subvols(struct report *report, const struct btrfs_stream_summary *summary)
{
	struct format_ctx *ctx = report->json;
	char **name;

	format_array_begin(ctx, "subvolumes");
	vec_for_each(&summary->subvols, name) {
		size_t len = strlen(*name);

		format_object_begin(ctx, NULL);
		format_name(ctx, "path", *name, len);
		format_object_end(ctx);
		report->json_bytes += JSON_ENTRY_BYTES + len;
	}
	format_array_end(ctx);
}

static void format_summary(struct report *report, const struct btrfs_stream_summary *summary)
{
	struct format_ctx *ctx = report->json;

	if (report->json_bytes >= JSON_MAX_BYTES) {
		report->nr_unlisted++;
		return;
	}
	report->json_bytes += JSON_ENTRY_BYTES;
	format_object_begin(ctx, NULL);
	format_u64(ctx, "offset", summary->offset);
	format_u64(ctx, "version", summary->version);
	format_u64(ctx, "commands", summary->nr_cmds);
	format_u64(ctx, "bytes", summary->bytes);
	format_u64(ctx, "data_bytes", summary->data_bytes);
	format_u64(ctx, "subvolume_count", summary->nr_subvols);
	format_subvols(report, summary);
	format_object_end(ctx);
}

static int finish_json(const struct report *report, const char *name)
{
	int ret;

	format_array_end(report->json);
	if (report->nr_unlisted)
		warning("%llu more streams in %s are good, but not listed", report->nr_unlisted,
			name);
	ret = format_end(report->json, stdout);
	/* A stdout that takes no more is told by whoever closes it. */
	if (ret == -ENOMEM)
		error("cannot report on %s: %s", name, errno_text(ret));
	return ret;
}

/* ---- the streams ---- */

static int report_stream(struct report *report, const struct btrfs_stream_summary *summary,
			 const char *name)
{
	int ret = 0;

	if (report->quiet)
		return 0;
	if (report->json)
		format_summary(report, summary);
	else
		ret = print_text(summary);
	if (ret == -ENOMEM)
		error("cannot report on %s: %s", name, errno_text(ret));
	return ret;
}

static int verify_all(struct btrfs_stream *stream, struct report *report)
{
	struct btrfs_stream_summary summary;
	int ret;

	do {
		ret = btrfs_stream_verify(stream, &summary);
		if (!ret)
			ret = report_stream(report, &summary, stream->name);
		btrfs_stream_summary_free(&summary);
		if (!ret)
			ret = btrfs_stream_at_end(stream);
	} while (!ret);
	return ret < 0 ? ret : 0;
}

int receive_verify(int fd, const char *name, bool json)
{
	struct report report = { .quiet = message_verbosity() <= MSG_QUIET };
	struct btrfs_stream stream;
	struct format_ctx ctx;
	int ret;

	ret = btrfs_stream_open(&stream, fd, name);
	if (ret)
		return ret;
	if (json && !report.quiet) {
		report.json = &ctx;
		format_begin(&ctx);
		format_array_begin(&ctx, "receive-verify");
	}
	ret = verify_all(&stream, &report);
	if (report.json && !ret)
		ret = finish_json(&report, name);
	else if (report.json)
		format_cancel(&ctx);
	btrfs_stream_close(&stream);
	return ret;
}
