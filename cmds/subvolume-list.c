// SPDX-License-Identifier: GPL-2.0-only
/*
 * btrfs subvolume list: what is shown, in which order, and how paths are told.
 *
 * The output is that of the field's tool, which knows three ways to tell a
 * path.  Seen from a subvolume (the top level, or the one that PATH lies in):
 * by default what lies below it is relative to it, and all else to the top
 * level; with -o only its own children are shown, from the top level on; with
 * -a all are shown from the top level on, and those which are not its own
 * children are marked by "<FS_TREE>/".
 */
#include "cmds/subvolume-common.h"

#include <errno.h>
#include <stdlib.h>

#include "cmds/open-fs.h"
#include "common/format-output.h"
#include "common/message.h"
#include "common/string-utils.h"
#include "kernel-shared/namei.h"

enum sort_key {
	SORT_ROOTID,
	SORT_GEN,
	SORT_OGEN,
	SORT_PATH,
};

struct sort_term {
	enum sort_key key;
	bool descending;
};

/* Any number is accepted on the command line, but a key is worth naming once. */
#define MAX_SORT_TERMS	8

struct gen_range {
	u64 min;
	u64 max;
};

struct list_options {
	struct open_fs_options open;
	bool only_below;	/* -o */
	bool all;		/* -a */
	bool snapshots;		/* -s */
	bool readonly;		/* -r */
	bool deleted;		/* -d */
	bool table;		/* -t */
	/* Columns that are not always there. */
	bool ogen;
	bool parent;
	bool uuid;
	bool parent_uuid;
	bool received_uuid;
	struct gen_range gen_range;
	struct gen_range ogen_range;
	bool ogen_filter;	/* -C, which also shows what it filters by */
	struct sort_term sort[MAX_SORT_TERMS];
	unsigned int nr_sort;
};

/* A line to be: the subvolume and its path as it will be shown. */
struct list_entry {
	const struct subvol *subvol;
	char *path;		/* NULL: deleted */
};

struct subvol_list {
	struct btrfs_fs_info *fs_info;
	const struct list_options *opts;
	struct subvol_table table;
	struct vec entries;	/* struct list_entry */
	u64 base;		/* the subvolume that we look from */
	char *base_path;
	bool incomplete;	/* something could not be read; said */
};

/* ---- which and how ---- */

static bool in_range(const struct gen_range *range, u64 gen)
{
	return gen >= range->min && gen <= range->max;
}

static bool is_wanted(const struct list_options *opts, const struct subvol *subvol, u64 base)
{
	const struct btrfs_root_item *item = &subvol->item;

	if (subvol->id == BTRFS_FS_TREE_OBJECTID)
		return false;
	if (opts->only_below && !opts->all && subvol->parent != base)
		return false;
	if (opts->snapshots && subvol->snapshot_gen == 0)
		return false;
	if (opts->readonly && !(le64toh(item->flags) & BTRFS_ROOT_SUBVOL_RDONLY))
		return false;
	return in_range(&opts->gen_range, le64toh(item->generation)) &&
	       in_range(&opts->ogen_range, le64toh(item->otransid));
}

/* @base is among the parents of @subvol, which form no loop. */
static bool is_below(const struct subvol_list *list, const struct subvol *subvol)
{
	while (subvol && subvol->parent) {
		if (subvol->parent == list->base)
			return true;
		subvol = subvol_find(&list->table, subvol->parent);
	}
	return false;
}

/* Turn the path from the top level on into the one that is shown.  Takes over @path. */
static int path_to_show(const struct subvol_list *list, const struct subvol *subvol, char *path,
			char **ret)
{
	size_t skip = strlen(list->base_path);

	*ret = path;
	if (list->opts->all) {
		if (subvol->parent == list->base)
			return 0;
		if (asprintf(ret, "<FS_TREE>/%s", path) < 0)
			*ret = NULL;
		free(path);
		return *ret ? 0 : -ENOMEM;
	}
	if (skip > 0 && !list->opts->only_below && is_below(list, subvol) && strlen(path) > skip) {
		/* The slash between the two goes, too. */
		*ret = strdup(path + skip + 1);
		free(path);
		return *ret ? 0 : -ENOMEM;
	}
	return 0;
}

/* 1: not to be shown. */
static int entry_path(struct subvol_list *list, const struct subvol *subvol, char **path)
{
	char *full;
	int ret;

	*path = NULL;
	ret = subvol->parent ? btrfs_subvol_path(list->fs_info, subvol->id, &full) : -ENOENT;
	if (ret == -ENOENT)	/* nothing leads to it any more */
		return list->opts->deleted ? 0 : 1;
	if (ret == -ENOMEM)
		return ret;
	if (ret) {
		subvol_error(ret, "find the path of subvolume %llu", subvol->id);
		warning("subvolume %llu is left out: where it is cannot be read", subvol->id);
		list->incomplete = true;
		return 1;
	}
	if (list->opts->deleted) {
		free(full);
		return 1;
	}
	return path_to_show(list, subvol, full, path);
}

static int collect(struct subvol_list *list)
{
	const struct subvol *subvol;
	struct list_entry *entry;
	char *path;
	int ret;

	vec_for_each(&list->table.subvols, subvol) {
		if (!is_wanted(list->opts, subvol, list->base))
			continue;
		ret = entry_path(list, subvol, &path);
		if (ret < 0)
			return ret;
		if (ret > 0)
			continue;
		entry = vec_push(&list->entries);
		if (!entry) {
			free(path);
			return -ENOMEM;
		}
		entry->subvol = subvol;
		entry->path = path;
	}
	return 0;
}

/* ---- order ---- */

static int compare_u64(u64 a, u64 b)
{
	return a < b ? -1 : a > b;
}

static int compare_by(enum sort_key key, const struct list_entry *a, const struct list_entry *b)
{
	switch (key) {
	case SORT_GEN:
		return compare_u64(le64toh(a->subvol->item.generation),
				   le64toh(b->subvol->item.generation));
	case SORT_OGEN:
		return compare_u64(le64toh(a->subvol->item.otransid),
				   le64toh(b->subvol->item.otransid));
	case SORT_PATH:
		return strcmp(a->path ? a->path : "", b->path ? b->path : "");
	case SORT_ROOTID:
		break;
	}
	return compare_u64(a->subvol->id, b->subvol->id);
}

static int compare_entries(const void *pa, const void *pb, void *ctx)
{
	const struct list_options *opts = ctx;

	for (unsigned int i = 0; i < opts->nr_sort; i++) {
		int cmp = compare_by(opts->sort[i].key, pa, pb);

		if (cmp)
			return opts->sort[i].descending ? -cmp : cmp;
	}
	return compare_by(SORT_ROOTID, pa, pb);
}

static void sort_entries(struct subvol_list *list)
{
	if (list->entries.nr > 1)
		qsort_r(list->entries.data, list->entries.nr, list->entries.elem, compare_entries,
			(void *)list->opts);
}

/* ---- output ---- */

enum column {
	COL_ID, COL_GEN, COL_CGEN, COL_PARENT, COL_TOP_LEVEL, COL_OTIME, COL_PARENT_UUID,
	COL_RECEIVED_UUID, COL_UUID, COL_PATH, NR_COLUMNS
};

static const char *const column_names[NR_COLUMNS] = {
	"ID", "gen", "cgen", "parent", "top level", "otime", "parent_uuid", "received_uuid",
	"uuid", "path",
};

static bool has_column(const struct list_options *opts, enum column col)
{
	switch (col) {
	case COL_CGEN:
		return opts->ogen || opts->snapshots || opts->ogen_filter;
	case COL_PARENT:
		return opts->parent;
	case COL_OTIME:
		return opts->snapshots;
	case COL_PARENT_UUID:
		return opts->parent_uuid;
	case COL_RECEIVED_UUID:
		return opts->received_uuid;
	case COL_UUID:
		return opts->uuid;
	default:
		return true;
	}
}

static void print_uuid(const u8 *uuid)
{
	char text[SUBVOL_UUID_LEN];

	subvol_uuid_text(uuid, text);
	printf("%-36s", text);
}

static void print_path(const struct list_options *opts, const struct list_entry *entry)
{
	if (entry->path)
		fputs(entry->path, stdout);
	else
		printf("%sDELETED", opts->all ? "<FS_TREE>/" : "");
}

static void print_field(const struct list_options *opts, const struct list_entry *entry,
			enum column col)
{
	const struct btrfs_root_item *item = &entry->subvol->item;
	char time_text[SUBVOL_TIME_LEN];

	switch (col) {
	case COL_ID:
		printf("%llu", entry->subvol->id);
		break;
	case COL_GEN:
		printf("%llu", (u64)le64toh(item->generation));
		break;
	case COL_CGEN:
		printf("%llu", (u64)le64toh(item->otransid));
		break;
	case COL_PARENT:
	case COL_TOP_LEVEL:
		printf("%llu", entry->subvol->parent);
		break;
	case COL_OTIME:
		subvol_time_text(&item->otime, "%Y-%m-%d %X", time_text);
		fputs(time_text, stdout);
		break;
	case COL_PARENT_UUID:
		print_uuid(item->parent_uuid);
		break;
	case COL_RECEIVED_UUID:
		print_uuid(item->received_uuid);
		break;
	case COL_UUID:
		print_uuid(item->uuid);
		break;
	case COL_PATH:
		print_path(opts, entry);
		break;
	case NR_COLUMNS:
		break;
	}
}

static void print_line(const struct list_options *opts, const struct list_entry *entry)
{
	for (enum column col = 0; col < NR_COLUMNS; col++) {
		if (!has_column(opts, col))
			continue;
		printf("%s%s ", col == COL_ID ? "" : " ", column_names[col]);
		print_field(opts, entry, col);
	}
	putchar('\n');
}

/* A heading ends in a tab, a row does not; one heading is two tabs wide. */
static void print_table_heading(const struct list_options *opts)
{
	for (enum column col = 0; col < NR_COLUMNS; col++) {
		if (has_column(opts, col))
			printf("%s\t", column_names[col]);
	}
	putchar('\n');
	for (enum column col = 0; col < NR_COLUMNS; col++) {
		if (!has_column(opts, col))
			continue;
		for (size_t i = 0; i < strlen(column_names[col]); i++)
			putchar('-');
		putchar('\t');
	}
	putchar('\n');
}

static void print_table_row(const struct list_options *opts, const struct list_entry *entry)
{
	for (enum column col = 0; col < NR_COLUMNS; col++) {
		if (!has_column(opts, col))
			continue;
		if (col != COL_ID)
			putchar('\t');
		print_field(opts, entry, col);
		if (col == COL_TOP_LEVEL)
			putchar('\t');
	}
	putchar('\n');
}

static void print_text(const struct subvol_list *list)
{
	const struct list_entry *entry;

	if (list->opts->table)
		print_table_heading(list->opts);
	vec_for_each(&list->entries, entry) {
		if (list->opts->table)
			print_table_row(list->opts, entry);
		else
			print_line(list->opts, entry);
	}
}

static void format_entry(struct format_ctx *ctx, const struct list_entry *entry)
{
	const struct btrfs_root_item *item = &entry->subvol->item;

	format_object_begin(ctx, NULL);
	format_u64(ctx, "id", entry->subvol->id);
	format_u64(ctx, "generation", le64toh(item->generation));
	format_u64(ctx, "ogeneration", le64toh(item->otransid));
	format_u64(ctx, "parent", entry->subvol->parent);
	format_u64(ctx, "top_level", entry->subvol->parent);
	subvol_format_time(ctx, "otime", &item->otime);
	subvol_format_uuid(ctx, "parent_uuid", item->parent_uuid);
	subvol_format_uuid(ctx, "received_uuid", item->received_uuid);
	subvol_format_uuid(ctx, "uuid", item->uuid);
	format_bool(ctx, "snapshot", entry->subvol->snapshot_gen != 0);
	format_bool(ctx, "readonly", le64toh(item->flags) & BTRFS_ROOT_SUBVOL_RDONLY);
	format_bool(ctx, "deleted", !entry->path);
	if (entry->path)
		format_name(ctx, "path", entry->path, strlen(entry->path));
	else
		format_null(ctx, "path");
	format_object_end(ctx);
}

/* Every field is there whatever columns were asked for: a script may rely on them. */
static int print_json(const struct subvol_list *list)
{
	const struct list_entry *entry;
	struct format_ctx ctx;

	format_begin(&ctx);
	format_array_begin(&ctx, "subvolume-list");
	vec_for_each(&list->entries, entry)
		format_entry(&ctx, entry);
	format_array_end(&ctx);
	return subvol_format_end(&ctx);
}

/* ---- the command ---- */

/* The subvolume that we look from: the one that @path lies in. */
static int find_base(struct subvol_list *list, const char *path)
{
	struct btrfs_resolved_path at;
	int ret;

	ret = btrfs_resolve_path(list->fs_info, path, &at);
	if (!ret && at.ftype != BTRFS_FT_DIR)
		ret = -ENOTDIR;
	if (!ret) {
		list->base = btrfs_root_id(at.root);
		ret = btrfs_subvol_path(list->fs_info, list->base, &list->base_path);
	}
	if (ret)
		subvol_error(ret, "list subvolumes of '%s'", path);
	return ret;
}

static int make_list(struct subvol_list *list, const char *path)
{
	int ret;

	ret = find_base(list, path);
	if (ret)
		return ret;
	ret = subvol_table_load(list->fs_info, &list->table);
	if (ret)
		return ret;
	ret = collect(list);
	if (ret)
		subvol_error(ret, "list subvolumes");
	sort_entries(list);
	return ret;
}

static void free_list(struct subvol_list *list)
{
	struct list_entry *entry;

	vec_for_each(&list->entries, entry)
		free(entry->path);
	vec_free(&list->entries);
	subvol_table_free(&list->table);
	free(list->base_path);
}

static int list_subvolumes(const struct cmd *cmd, const struct list_options *opts,
			   const char *image, const char *path)
{
	struct subvol_list list = {
		.opts = opts,
		.entries = VEC_INIT(struct list_entry),
		.table = { .subvols = VEC_INIT(struct subvol) },
	};
	int exit_code = CMD_FAILED;

	if (open_fs_readonly(image, &opts->open, NULL, &list.fs_info))
		return CMD_FAILED;
	if (make_list(&list, path) == 0) {
		exit_code = CMD_OK;
		if (cmd_format_json(cmd))
			exit_code = print_json(&list);
		else
			print_text(&list);
		if (list.incomplete)
			exit_code = CMD_FAILED;
	}
	free_list(&list);
	btrfs_close_fs(list.fs_info);
	return exit_code;
}

/* [+|-]GENERATION: at least, at most, or exactly.  Given twice, both hold. */
static bool parse_gen(const char *arg, struct gen_range *range)
{
	const char *digits = arg + (*arg == '+' || *arg == '-');
	u64 gen;

	if (parse_u64(digits, &gen))
		return false;
	if (*arg != '-')
		range->min = max(range->min, gen);
	if (*arg != '+')
		range->max = min(range->max, gen);
	return true;
}

static bool parse_sort_term(const char *word, size_t len, struct sort_term *term)
{
	static const char *const names[] = {
		[SORT_ROOTID] = "rootid", [SORT_GEN] = "gen", [SORT_OGEN] = "ogen",
		[SORT_PATH] = "path",
	};

	term->descending = *word == '-';
	if (*word == '+' || *word == '-') {
		word++;
		len--;
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strlen(names[i]) == len && memcmp(names[i], word, len) == 0) {
			term->key = (enum sort_key)i;
			return true;
		}
	}
	return false;
}

static bool parse_sort(const char *arg, struct list_options *opts)
{
	struct sort_term term;

	while (*arg) {
		size_t len = strcspn(arg, ",");

		if (len > 0) {
			if (!parse_sort_term(arg, len, &term))
				return false;
			/* A key that comes back late changes nothing any more. */
			if (opts->nr_sort < MAX_SORT_TERMS)
				opts->sort[opts->nr_sort++] = term;
		}
		arg += len;
		arg += *arg == ',';
	}
	return true;
}

#define GETOPT_VAL_SORT		GETOPT_VAL_FIRST_FREE

/* CMD_OK, or the exit code. */
static int parse_option(const struct cmd *cmd, struct list_options *opts, int c)
{
	switch (c) {
	case 'o': opts->only_below = true; return CMD_OK;
	case 'a': opts->all = true; return CMD_OK;
	case 'p': opts->parent = true; return CMD_OK;
	case 'c': opts->ogen = true; return CMD_OK;
	case 'g': return CMD_OK;	/* always shown */
	case 'u': opts->uuid = true; return CMD_OK;
	case 'q': opts->parent_uuid = true; return CMD_OK;
	case 'R': opts->received_uuid = true; return CMD_OK;
	case 's': opts->snapshots = true; return CMD_OK;
	case 'r': opts->readonly = true; return CMD_OK;
	case 'd': opts->deleted = true; return CMD_OK;
	case 't': opts->table = true; return CMD_OK;
	case 'G':
	case 'C':
		opts->ogen_filter |= c == 'C';
		if (parse_gen(optarg, c == 'G' ? &opts->gen_range : &opts->ogen_range))
			return CMD_OK;
		return usage_error(cmd, "not a generation: '%s'", optarg);
	case GETOPT_VAL_SORT:
		if (parse_sort(optarg, opts))
			return CMD_OK;
		return usage_error(cmd, "not a sort order: '%s'", optarg);
	default:
		return open_fs_parse(&opts->open, c, optarg) ? CMD_OK : cmd_option_exit(cmd, c);
	}
}

static int cmd_subvolume_list_fn(const struct cmd *cmd, int argc, char **argv)
{
	static const struct option longopts[] = {
		{ "sort", required_argument, NULL, GETOPT_VAL_SORT },
		OPEN_FS_LONG_OPTIONS,
		{ NULL, 0, NULL, 0 }
	};
	struct list_options opts = {
		.gen_range = { .max = UINT64_MAX },
		.ogen_range = { .max = UINT64_MAX },
	};
	bool done = false;
	int exit_code = CMD_OK;
	int c;

	while (!done && (c = options_next(argc, argv, "oapcguqRsrdtG:C:", longopts)) != OPTION_END) {
		exit_code = parse_option(cmd, &opts, c);
		/* The help is an end, too, though a good one. */
		done = exit_code != CMD_OK || c == OPTION_HELP;
	}
	if (!done)
		exit_code = check_operands(cmd, argc, 1, 2) ? CMD_USAGE :
			    list_subvolumes(cmd, &opts, argv[optind],
					    optind + 1 < argc ? argv[optind + 1] : "");
	open_fs_options_free(&opts.open);
	return exit_code;
}

static const char *const cmd_subvolume_list_usage[] = {
	"btrfs subvolume list [options] <device> [<path>]",
	"List subvolumes and snapshots",
	"",
	"Paths are told as seen from the top level, or from the subvolume that",
	"<path> lies in.",
	"",
	"Which:",
	"-o                 only those directly below that subvolume",
	"-a                 all, and mark with <FS_TREE>/ those which are not below it",
	"-s                 only snapshots",
	"-r                 only read-only ones",
	"-d                 only deleted ones that are not yet cleaned up",
	"-G [+|-]GEN        only with this generation (+: or later, -: or earlier)",
	"-C [+|-]GEN        the same for the generation at creation",
	"",
	"What is shown besides id, generation, top level and path:",
	"-p                 parent id",
	"-c                 generation at creation",
	"-g                 generation (always shown)",
	"-u                 UUID",
	"-q                 UUID of the subvolume that it is a snapshot of",
	"-R                 UUID of the subvolume that it was received from",
	"-t                 as a table",
	"--sort=gen,ogen,rootid,path",
	"                   order by these, each with + or - (descending) before it",
	"",
	OPEN_FS_USAGE,
	NULL
};

const struct cmd cmd_subvolume_list = {
	.name = "list",
	.fn = cmd_subvolume_list_fn,
	.usage = cmd_subvolume_list_usage,
	.flags = CMD_FLAG_JSON,
};
