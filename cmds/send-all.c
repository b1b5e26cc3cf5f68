// SPDX-License-Identifier: GPL-2.0-only
/*
 * btrfs send --all-snapshots: a folder with a stream for each snapshot, and
 * an index that tells in which order they are received.  The index comes last, so
 * where it is, the rest is there.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cmds/send-common.h"
#include "cmds/subvolume-common.h"
#include "common/format-output.h"
#include "common/message.h"
#include "common/string-utils.h"
#include "kernel-shared/root-tree.h"
#include "kernel-shared/send-plan.h"

#define INDEX_NAME	"index.json"
/* Of a file name: the part that tells the path. */
#define MAX_SAFE_NAME	200

struct send_all {
	struct btrfs_fs_info *fs_info;
	const struct send_options *opts;
	struct btrfs_send_plan plan;
	char **files;		/* of each step, without the folder */
	bool left_out;		/* there are streams without some data; reported */
};

static struct btrfs_send_step *step_at(const struct send_all *all, size_t index)
{
	return vec_at(&all->plan.steps, index);
}

static const char *parent_file(const struct send_all *all, const struct btrfs_send_step *step)
{
	return step->parent ? all->files[step->parent_step] : NULL;
}

/* ---- names ---- */

/*
 * Write @path so that no shell and no file system minds it: a dash for a slash,
 * an underline for whatever else is not a letter, a digit or harmless.  Letters
 * beyond ASCII stay.
 */
static void safe_name(const char *path, char name[MAX_SAFE_NAME + 1])
{
	bool utf8 = is_utf8(path, strlen(path));
	size_t len = 0;

	for (; path[len] && len < MAX_SAFE_NAME; len++) {
		unsigned char c = (unsigned char)path[len];

		if (c == '/')
			name[len] = '-';
		else if (c < 0x80 ? isalnum(c) || strchr("._-+@=,", c) : utf8)
			name[len] = (char)c;
		else
			name[len] = '_';
	}
	/* Not half a character. */
	while (utf8 && path[len] && len > 0 && ((unsigned char)path[len] & 0xc0) == 0x80)
		len--;
	name[len] = '\0';
}

/* The number keeps files apart whose paths look alike, and in order. */
static int name_files(struct send_all *all)
{
	size_t nr = all->plan.steps.nr;
	int digits = snprintf(NULL, 0, "%zu", nr);
	char name[MAX_SAFE_NAME + 1];

	all->files = calloc(nr + 1, sizeof(*all->files));
	if (!all->files)
		return -ENOMEM;
	for (size_t i = 0; i < nr; i++) {
		const struct btrfs_send_step *step = step_at(all, i);

		safe_name(*step->path ? step->path : step->name, name);
		if (asprintf(&all->files[i], "%0*zu-%s.btrfs", max(digits, 4), i + 1, name) < 0) {
			all->files[i] = NULL;
			return -ENOMEM;
		}
	}
	return 0;
}

/* A path inside the file system as it is typed, made printable; allocated. */
static char *printable_path(const struct btrfs_send_step *step)
{
	size_t size = ESCAPED_SIZE(strlen(step->path)) + 1;
	char *text = malloc(size);

	if (text) {
		text[0] = '/';
		escape_path(step->path, strlen(step->path), text + 1, size - 1);
	}
	return text;
}

/* ---- the report ---- */

static int print_text(const struct send_all *all)
{
	char size[SEND_SIZE_LEN];

	for (size_t i = 0; i < all->plan.steps.nr; i++) {
		const struct btrfs_send_step *step = step_at(all, i);
		const char *parent = parent_file(all, step);
		char *path = printable_path(step);

		if (!path)
			return -ENOMEM;
		printf("%s: %s, %s%s\n", path, send_size_text(step->bytes, size),
		       parent ? "from " : "full", parent ? parent : "");
		free(path);
	}
	printf("total: %s\n", send_size_text(all->plan.bytes, size));
	return 0;
}

static void format_step(struct format_ctx *ctx, const struct send_all *all, size_t index)
{
	const struct btrfs_send_step *step = step_at(all, index);
	const char *parent = parent_file(all, step);

	format_object_begin(ctx, NULL);
	format_string(ctx, "file", all->files[index]);
	format_u64(ctx, "bytes", step->bytes);
	format_name(ctx, "path", step->path, strlen(step->path));
	format_name(ctx, "name", step->name, strlen(step->name));
	format_u64(ctx, "id", btrfs_root_id(step->root));
	subvol_format_uuid(ctx, "uuid", btrfs_send_uuid(step->root));
	format_u64(ctx, "ctransid", le64toh(step->root->root_item.ctransid));
	format_u64(ctx, "generation", le64toh(step->root->root_item.generation));
	format_bool(ctx, "readonly", btrfs_root_readonly(step->root));
	if (parent) {
		format_string(ctx, "parent_file", parent);
		subvol_format_uuid(ctx, "parent_uuid", btrfs_send_uuid(step->parent));
	} else {
		format_null(ctx, "parent_file");
		format_null(ctx, "parent_uuid");
	}
	format_u64(ctx, "proto", all->opts->proto);
	format_object_end(ctx);
}

static int write_json(const struct send_all *all, FILE *file)
{
	struct format_ctx ctx;

	format_begin(&ctx);
	subvol_format_uuid(&ctx, "fsid", all->fs_info->fsid);
	format_array_begin(&ctx, "streams");
	for (size_t i = 0; i < all->plan.steps.nr; i++)
		format_step(&ctx, all, i);
	format_array_end(&ctx);
	format_u64(&ctx, "total_bytes", all->plan.bytes);
	return format_end(&ctx, file);
}

static int print_plan(const struct send_all *all)
{
	int ret;

	if (!all->opts->json)
		return print_text(all);
	ret = write_json(all, stdout);
	/* What fails in writing is told when stdout is closed. */
	return ret == -ENOMEM ? ret : 0;
}

/* ---- the folder ---- */

static bool is_empty(DIR *dir)
{
	const struct dirent *entry;

	while ((entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			return false;
	}
	return true;
}

/* What is there already is not ours to mix with, let alone to replace. */
static int prepare_folder(const char *path)
{
	int ret = 0;
	DIR *dir;

	if (mkdir(path, 0777) == 0)
		return 0;
	if (errno != EEXIST)
		return send_write_error(path, -errno);
	dir = opendir(path);
	if (!dir)
		return send_write_error(path, -errno);
	if (!is_empty(dir)) {
		error("cannot write to %s: it is not empty", path);
		ret = -ENOTEMPTY;
	}
	closedir(dir);
	return ret;
}

/* ---- sending ---- */

static int send_step_to(struct send_all *all, struct btrfs_send_step *step, const char *name,
			const char *path, struct progress *progress)
{
	struct send_target target = { 0 };
	struct btrfs_send_args args;
	int ret = output_file_open(&target.file, path);

	if (ret)
		return send_write_error(path, ret);
	send_common_args(all->opts, &args);
	btrfs_send_step_args(step, &args);
	args.progress = progress;
	ret = send_stream(all->fs_info, &args, name, &target);
	if (ret) {
		if (target.error)
			send_write_error(path, target.error);
		output_file_abort(target.file);
		return ret;
	}
	all->left_out |= target.left_out;
	step->bytes = output_file_written(target.file);
	ret = output_file_commit(target.file);
	return ret ? send_write_error(path, ret) : 0;
}

static int send_step(struct send_all *all, size_t index, struct progress *progress)
{
	struct btrfs_send_step *step = step_at(all, index);
	char *path, *shown = printable_path(step);
	int ret = -ENOMEM;

	if (shown && asprintf(&path, "%s/%s", all->opts->all_dir, all->files[index]) >= 0) {
		ret = send_step_to(all, step, shown, path, progress);
		free(path);
	}
	free(shown);
	return ret;
}

static int write_index_to(const char *path, const void *text, size_t len)
{
	struct output_file *file;
	int ret = output_file_open(&file, path);

	if (ret)
		return send_write_error(path, ret);
	ret = output_file_write(file, text, len);
	if (ret) {
		output_file_abort(file);
		return send_write_error(path, ret);
	}
	ret = output_file_commit(file);
	return ret ? send_write_error(path, ret) : 0;
}

static int write_index(const struct send_all *all)
{
	char *text = NULL, *path;
	size_t len = 0;
	FILE *file = open_memstream(&text, &len);
	int ret;

	if (!file)
		return -ENOMEM;
	ret = write_json(all, file);
	if (fclose(file) != 0 && !ret)
		ret = -ENOMEM;
	if (!ret && asprintf(&path, "%s/" INDEX_NAME, all->opts->all_dir) < 0)
		ret = -ENOMEM;
	if (!ret) {
		ret = write_index_to(path, text, len);
		free(path);
	}
	free(text);
	return ret;
}

static int send_plan(struct send_all *all)
{
	struct progress *progress;
	int ret = prepare_folder(all->opts->all_dir);

	if (ret)
		return ret;
	progress = progress_begin(all->opts->progress, "Sending", PROGRESS_BYTES, all->plan.bytes);
	all->plan.bytes = 0;
	for (size_t i = 0; i < all->plan.steps.nr && !ret; i++) {
		ret = send_step(all, i, progress);
		all->plan.bytes += step_at(all, i)->bytes;
	}
	progress_end(progress);
	if (!ret)
		ret = write_index(all);
	/* All streams are there, but not all that was asked for. */
	return !ret && all->left_out ? -EIO : ret;
}

static int make_plan(struct send_all *all)
{
	struct btrfs_send_plan_args args = { .writable = all->opts->writable };
	int ret;

	send_common_args(all->opts, &args.send);
	args.progress = progress_begin(all->opts->progress, "Planning", PROGRESS_ITEMS, 0);
	ret = btrfs_send_plan_make(all->fs_info, &args, &all->plan);
	progress_end(args.progress);
	if (!ret && !all->plan.steps.nr) {
		error("cannot send all snapshots: there is no read-only subvolume "
		      "(--writable takes the others)");
		ret = -ENOENT;
	}
	return ret ? ret : name_files(all);
}

int send_all_snapshots(struct btrfs_fs_info *fs_info, const struct send_options *opts)
{
	struct send_all all = { .fs_info = fs_info, .opts = opts };
	int ret = make_plan(&all);

	if (!ret)
		ret = opts->estimate ? print_plan(&all) : send_plan(&all);
	for (size_t i = 0; all.files && all.files[i]; i++)
		free(all.files[i]);
	free(all.files);
	btrfs_send_plan_free(&all.plan);
	return ret;
}
