// SPDX-License-Identifier: GPL-2.0-only
/*
 * btrfs send --estimate: how long the streams will be.  All that decides about
 * their layout stands in the trees, so the answer is exact and no data is read.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmds/send-common.h"
#include "common/format-output.h"
#include "common/message.h"
#include "common/string-utils.h"
#include "common/units.h"

/* One stream, counted. */
struct estimate {
	u64 bytes;
	struct btrfs_root *parent;	/* may have been chosen */
};

/* Count all streams; the roots stay as they were found. */
static int count_each(struct btrfs_fs_info *fs_info, const struct send_options *opts,
		      struct send_roots *roots, struct progress *progress,
		      struct estimate *estimates)
{
	size_t nr_sources = roots->clone_sources.nr;
	struct btrfs_send_args args;
	int ret = 0;

	for (unsigned int i = 0; i < roots->nr && !ret; i++) {
		ret = send_make_args(fs_info, opts, roots, i, &args);
		if (ret)
			break;
		args.progress = progress;
		estimates[i].parent = args.parent;
		ret = btrfs_send_estimate(fs_info, &args, &estimates[i].bytes);
		if (!ret)
			ret = send_add_sent(opts, roots, i);
	}
	roots->clone_sources.nr = nr_sources;
	return ret;
}

static u64 sum(const struct estimate *estimates, unsigned int nr)
{
	u64 bytes = 0;

	for (unsigned int i = 0; i < nr; i++)
		bytes += estimates[i].bytes;
	return bytes;
}

int send_count(struct btrfs_fs_info *fs_info, const struct send_options *opts,
	       struct send_roots *roots, struct progress *progress, u64 *bytes)
{
	struct estimate *estimates = calloc(roots->nr, sizeof(*estimates));
	int ret;

	if (!estimates)
		return -ENOMEM;
	ret = count_each(fs_info, opts, roots, progress, estimates);
	*bytes = sum(estimates, roots->nr);
	free(estimates);
	return ret;
}

const char *send_size_text(u64 bytes, char buf[SEND_SIZE_LEN])
{
	char human[PRETTY_SIZE_LEN];

	snprintf(buf, SEND_SIZE_LEN, "%s (%llu bytes)", pretty_size(bytes, human), bytes);
	return buf;
}

static int print_text(const struct send_roots *roots, const struct estimate *estimates)
{
	char size[SEND_SIZE_LEN];

	for (unsigned int i = 0; i < roots->nr; i++) {
		size_t len = strlen(roots->paths[i]);
		char *path = malloc(ESCAPED_SIZE(len));

		if (!path)
			return -ENOMEM;
		escape_path(roots->paths[i], len, path, ESCAPED_SIZE(len));
		printf("%s: %s\n", path, send_size_text(estimates[i].bytes, size));
		free(path);
	}
	printf("total: %s\n", send_size_text(sum(estimates, roots->nr), size));
	return 0;
}

static int print_json(const struct send_roots *roots, const struct estimate *estimates)
{
	struct format_ctx ctx;
	int ret;

	format_begin(&ctx);
	format_array_begin(&ctx, "streams");
	for (unsigned int i = 0; i < roots->nr; i++) {
		format_object_begin(&ctx, NULL);
		format_name(&ctx, "path", roots->paths[i], strlen(roots->paths[i]));
		format_u64(&ctx, "id", btrfs_root_id(roots->subvols[i]));
		if (estimates[i].parent)
			format_u64(&ctx, "parent_id", btrfs_root_id(estimates[i].parent));
		else
			format_null(&ctx, "parent_id");
		format_u64(&ctx, "bytes", estimates[i].bytes);
		format_object_end(&ctx);
	}
	format_array_end(&ctx);
	format_u64(&ctx, "total_bytes", sum(estimates, roots->nr));
	ret = format_end(&ctx, stdout);
	/* What fails in writing is told when stdout is closed. */
	return ret == -ENOMEM ? ret : 0;
}

int send_estimate(struct btrfs_fs_info *fs_info, const struct send_options *opts,
		  struct send_roots *roots)
{
	struct estimate *estimates = calloc(roots->nr, sizeof(*estimates));
	struct progress *progress;
	int ret;

	if (!estimates)
		return -ENOMEM;
	progress = progress_begin(opts->progress, "Estimating", PROGRESS_BYTES, 0);
	ret = count_each(fs_info, opts, roots, progress, estimates);
	progress_end(progress);
	if (!ret)
		ret = opts->json ? print_json(roots, estimates) : print_text(roots, estimates);
	free(estimates);
	return ret;
}
