// SPDX-License-Identifier: GPL-2.0-only
/*
 * btrfs subvolume show: everything that the root item of one subvolume tells,
 * its snapshots and its quota group, in the layout of the field's tool.
 */
#include "cmds/subvolume-common.h"

#include <errno.h>
#include <stdlib.h>
#include <uuid/uuid.h>

#include "cmds/open-fs.h"
#include "common/format-output.h"
#include "common/message.h"
#include "common/string-utils.h"
#include "common/units.h"
#include "kernel-shared/ctree.h"
#include "kernel-shared/namei.h"
#include "kernel-shared/root-tree.h"
#include "kernel-shared/uuid-tree.h"

/* How the subvolume is named on the command line. */
struct show_options {
	struct open_fs_options open;
	unsigned int units;
	bool by_id;
	bool by_uuid;
	u64 rootid;
	uuid_t uuid;
};

enum qgroup_state {
	QGROUP_OFF,		/* quotas are off: nothing is shown */
	QGROUP_NONE,		/* on, but this subvolume has no group */
	QGROUP_FOUND,
};

struct show_qgroup {
	enum qgroup_state state;
	u64 rfer;
	u64 excl;
	u64 max_rfer;		/* 0: no limit */
	u64 max_excl;
};

/* All that is shown. */
struct show {
	struct btrfs_fs_info *fs_info;
	const struct show_options *opts;
	struct subvol_table table;
	const struct subvol *subvol;
	char *path;
	struct vec snapshots;	/* char *, paths */
	struct show_qgroup qgroup;
};

/* ---- quota group ---- */

/*
 * Copy the item of @key to @buf of @size bytes; what a shorter one lacks stays
 * as it is.  -ENOENT: there is none.
 */
static int read_qgroup_item(struct btrfs_root *root, const struct btrfs_key *key, void *buf,
			    size_t size)
{
	struct btrfs_path path = { 0 };
	const void *data;
	int ret;

	ret = btrfs_search_slot(root, key, &path);
	if (ret < 0)
		return ret;
	if (ret == 0) {
		data = btrfs_item_data(path.nodes[0], path.slots[0]);
		size = min_t(size_t, size, btrfs_item_size(path.nodes[0], path.slots[0]));
		if (eb_holds(path.nodes[0], data, size))
			memcpy(buf, data, size);
		else
			ret = -EUCLEAN;
	} else {
		ret = -ENOENT;
	}
	btrfs_release_path(&path);
	return ret;
}

static int read_quota_is_on(struct btrfs_root *root, bool *on)
{
	const struct btrfs_key key = { .type = BTRFS_QGROUP_STATUS_KEY };
	struct btrfs_qgroup_status_item status = { 0 };
	int ret;

	ret = read_qgroup_item(root, &key, &status, sizeof(status));
	*on = ret == 0 && (le64toh(status.flags) & BTRFS_QGROUP_STATUS_FLAG_ON);
	return ret == -ENOENT ? 0 : ret;
}

static int read_qgroup_numbers(struct btrfs_root *root, u64 id, struct show_qgroup *qgroup)
{
	struct btrfs_key key = { .type = BTRFS_QGROUP_INFO_KEY, .offset = id };
	struct btrfs_qgroup_info_item info = { 0 };
	struct btrfs_qgroup_limit_item limit = { 0 };
	int ret;

	ret = read_qgroup_item(root, &key, &info, sizeof(info));
	if (ret)
		return ret;
	key.type = BTRFS_QGROUP_LIMIT_KEY;
	ret = read_qgroup_item(root, &key, &limit, sizeof(limit));
	if (ret && ret != -ENOENT)
		return ret;
	qgroup->rfer = le64toh(info.rfer);
	qgroup->excl = le64toh(info.excl);
	if (le64toh(limit.flags) & BTRFS_QGROUP_LIMIT_MAX_RFER)
		qgroup->max_rfer = le64toh(limit.max_rfer);
	if (le64toh(limit.flags) & BTRFS_QGROUP_LIMIT_MAX_EXCL)
		qgroup->max_excl = le64toh(limit.max_excl);
	qgroup->state = QGROUP_FOUND;
	return 0;
}

static int read_qgroup(struct show *show)
{
	struct btrfs_root *root = show->fs_info->quota_root;
	bool on = false;
	int ret;

	if (!root) {
		/* No quotas is a fact to show by silence, an unreadable tree is not. */
		ret = btrfs_missing_root_error(show->fs_info, BTRFS_QUOTA_TREE_OBJECTID);
		return ret == -ENOENT ? 0 : ret;
	}
	ret = read_quota_is_on(root, &on);
	if (ret || !on)
		goto out;
	show->qgroup.state = QGROUP_NONE;
	ret = read_qgroup_numbers(root, show->subvol->id, &show->qgroup);
	if (ret == -ENOENT)
		ret = 0;
out:
	if (ret)
		subvol_error(ret, "read quota group 0/%llu", show->subvol->id);
	return ret;
}

/* ---- snapshots ---- */

/* The ids from the top level down to a subvolume. */
struct ancestry {
	const struct subvol *subvol;
	u64 *ids;
	size_t nr;
};

/* How many steps it is to the top; a loop of references counts as no way. */
static size_t depth_of(const struct subvol_table *table, const struct subvol *subvol)
{
	size_t depth = 0;

	while (subvol && subvol->parent) {
		if (++depth > table->subvols.nr)
			return 0;
		subvol = subvol_find(table, subvol->parent);
	}
	return subvol ? depth : 0;
}

static int add_ancestry(const struct subvol_table *table, const struct subvol *subvol,
			struct vec *lines)
{
	size_t depth = depth_of(table, subvol);
	struct ancestry *line;

	if (depth == 0)
		return 0;
	line = vec_push(lines);
	if (!line)
		return -ENOMEM;
	line->ids = calloc(depth, sizeof(*line->ids));
	if (!line->ids)
		return -ENOMEM;
	line->subvol = subvol;
	line->nr = depth;
	while (depth > 0) {
		line->ids[--depth] = subvol->id;
		subvol = subvol_find(table, subvol->parent);
	}
	return 0;
}

/*
 * The order of a walk that goes down into each subvolume before it goes on to
 * the next, which is the order in which the field's tool finds snapshots.
 */
static int compare_ancestry(const void *pa, const void *pb)
{
	const struct ancestry *a = pa, *b = pb;

	for (size_t i = 0; i < a->nr && i < b->nr; i++) {
		if (a->ids[i] != b->ids[i])
			return a->ids[i] < b->ids[i] ? -1 : 1;
	}
	return a->nr < b->nr ? -1 : a->nr > b->nr;
}

static int add_snapshot_paths(struct show *show, const struct vec *lines)
{
	const struct ancestry *line;
	char *path;
	int ret;

	vec_for_each(lines, line) {
		ret = btrfs_subvol_path(show->fs_info, line->subvol->id, &path);
		if (ret)
			return ret;
		ret = vec_push_copy(&show->snapshots, &path);
		if (ret) {
			free(path);
			return ret;
		}
	}
	return 0;
}

static int find_snapshots(struct show *show)
{
	struct vec lines = VEC_INIT(struct ancestry);
	const struct subvol *subvol;
	struct ancestry *line;
	int ret = 0;

	if (uuid_is_null(show->subvol->item.uuid))
		return 0;
	vec_for_each(&show->table.subvols, subvol) {
		if (memcmp(subvol->item.parent_uuid, show->subvol->item.uuid,
			   BTRFS_UUID_SIZE) != 0)
			continue;
		ret = add_ancestry(&show->table, subvol, &lines);
		if (ret)
			goto out;
	}
	vec_sort(&lines, compare_ancestry);
	ret = add_snapshot_paths(show, &lines);
out:
	if (ret)
		subvol_error(ret, "find the snapshots of subvolume %llu", show->subvol->id);
	vec_for_each(&lines, line)
		free(line->ids);
	vec_free(&lines);
	return ret;
}

/* ---- output ---- */

static bool is_toplevel(const struct show *show)
{
	return show->subvol->id == BTRFS_FS_TREE_OBJECTID;
}

static const char *subvol_name(const struct show *show)
{
	if (is_toplevel(show))
		return "<FS_TREE>";
	return show->subvol->name ? show->subvol->name : "";
}

static bool is_readonly(const struct show *show)
{
	return (le64toh(show->subvol->item.flags) & BTRFS_ROOT_SUBVOL_RDONLY) != 0;
}

static void print_uuid(const char *heading, const u8 *uuid)
{
	char text[SUBVOL_UUID_LEN];

	subvol_uuid_text(uuid, text);
	printf("\t%s%s\n", heading, text);
}

static void print_number(const char *heading, u64 number)
{
	printf("\t%s%llu\n", heading, number);
}

static void print_time(const char *heading, const struct btrfs_timespec *ts)
{
	char text[SUBVOL_TIME_LEN];

	subvol_time_text(ts, "%Y-%m-%d %X %z", text);
	printf("\t%s%s\n", heading, text);
}

static void print_size(const struct show *show, const char *heading, u64 size, bool none)
{
	char text[PRETTY_SIZE_LEN];

	printf("\t  %s%s\n", heading, none ? "-" : pretty_size_mode(size, show->opts->units, text));
}

static void print_snapshots(const struct show *show)
{
	char *const *path;

	printf("\tSnapshot(s):\n");
	vec_for_each(&show->snapshots, path)
		printf("\t\t\t\t%s\n", *path);
}

static void print_qgroup(const struct show *show)
{
	const struct show_qgroup *qgroup = &show->qgroup;

	if (qgroup->state == QGROUP_OFF)
		return;
	if (qgroup->state == QGROUP_NONE) {
		printf("\tQuota group:\t\tn/a\n");
		return;
	}
	printf("\tQuota group:\t\t0/%llu\n", show->subvol->id);
	print_size(show, "Limit referenced:\t", qgroup->max_rfer, qgroup->max_rfer == 0);
	print_size(show, "Limit exclusive:\t", qgroup->max_excl, qgroup->max_excl == 0);
	print_size(show, "Usage referenced:\t", qgroup->rfer, false);
	print_size(show, "Usage exclusive:\t", qgroup->excl, false);
}

static void print_text(const struct show *show)
{
	const struct btrfs_root_item *item = &show->subvol->item;

	printf("%s\n", is_toplevel(show) ? "/" : show->path);
	printf("\tName: \t\t\t%s\n", subvol_name(show));
	print_uuid("UUID: \t\t\t", item->uuid);
	print_uuid("Parent UUID: \t\t", item->parent_uuid);
	print_uuid("Received UUID: \t\t", item->received_uuid);
	print_time("Creation time: \t\t", &item->otime);
	print_number("Subvolume ID: \t\t", show->subvol->id);
	print_number("Generation: \t\t", le64toh(item->generation));
	print_number("Gen at creation: \t", le64toh(item->otransid));
	print_number("Parent ID: \t\t", show->subvol->parent);
	print_number("Top level ID: \t\t", show->subvol->parent);
	printf("\tFlags: \t\t\t%s\n", is_readonly(show) ? "readonly" : "-");
	print_number("Send transid: \t\t", le64toh(item->stransid));
	/*
	 * Nobody sets a send time, and the field's tool has always shown the
	 * creation time here.  Scripts compare; JSON tells what is on disk.
	 */
	print_time("Send time: \t\t", &item->otime);
	print_number("Receive transid: \t", le64toh(item->rtransid));
	print_time("Receive time: \t\t", &item->rtime);
	print_snapshots(show);
	print_qgroup(show);
}

static void format_limit(struct format_ctx *ctx, const char *key, u64 limit)
{
	if (limit)
		format_u64(ctx, key, limit);
	else
		format_null(ctx, key);
}

static void format_qgroup(struct format_ctx *ctx, const struct show *show)
{
	const struct show_qgroup *qgroup = &show->qgroup;

	if (qgroup->state != QGROUP_FOUND) {
		format_null(ctx, "quota_group");
		return;
	}
	format_object_begin(ctx, "quota_group");
	format_stringf(ctx, "qgroupid", "0/%llu", show->subvol->id);
	format_limit(ctx, "max_referenced", qgroup->max_rfer);
	format_limit(ctx, "max_exclusive", qgroup->max_excl);
	format_u64(ctx, "referenced", qgroup->rfer);
	format_u64(ctx, "exclusive", qgroup->excl);
	format_object_end(ctx);
}

static void format_snapshots(struct format_ctx *ctx, const struct show *show)
{
	char *const *path;

	format_array_begin(ctx, "snapshots");
	vec_for_each(&show->snapshots, path) {
		format_object_begin(ctx, NULL);
		format_name(ctx, "path", *path, strlen(*path));
		format_object_end(ctx);
	}
	format_array_end(ctx);
}

static int print_json(const struct show *show)
{
	const struct btrfs_root_item *item = &show->subvol->item;
	const char *path = is_toplevel(show) ? "/" : show->path;
	struct format_ctx ctx;

	format_begin(&ctx);
	format_object_begin(&ctx, "subvolume-show");
	format_name(&ctx, "path", path, strlen(path));
	format_name(&ctx, "name", subvol_name(show), strlen(subvol_name(show)));
	subvol_format_uuid(&ctx, "uuid", item->uuid);
	subvol_format_uuid(&ctx, "parent_uuid", item->parent_uuid);
	subvol_format_uuid(&ctx, "received_uuid", item->received_uuid);
	subvol_format_time(&ctx, "otime", &item->otime);
	format_u64(&ctx, "subvolume_id", show->subvol->id);
	format_u64(&ctx, "generation", le64toh(item->generation));
	format_u64(&ctx, "ogeneration", le64toh(item->otransid));
	format_u64(&ctx, "parent_id", show->subvol->parent);
	format_u64(&ctx, "top_level_id", show->subvol->parent);
	format_bool(&ctx, "readonly", is_readonly(show));
	format_u64(&ctx, "send_transid", le64toh(item->stransid));
	subvol_format_time(&ctx, "send_time", &item->stime);
	format_u64(&ctx, "receive_transid", le64toh(item->rtransid));
	subvol_format_time(&ctx, "receive_time", &item->rtime);
	format_snapshots(&ctx, show);
	format_qgroup(&ctx, show);
	format_object_end(&ctx);
	return subvol_format_end(&ctx);
}

/* ---- the command ---- */

static int find_by_path(struct show *show, const char *path, u64 *id)
{
	struct btrfs_root *root;
	int ret;

	ret = btrfs_resolve_subvol(show->fs_info, path, &root);
	if (ret == -ENOTSUP)
		error("cannot show '%s': not a subvolume", path);
	else if (ret)
		subvol_error(ret, "show '%s'", path);
	else
		*id = btrfs_root_id(root);
	return ret;
}

static int find_by_uuid(struct show *show, u64 *id)
{
	char text[SUBVOL_UUID_LEN];
	int ret;

	ret = btrfs_find_subvol_by_uuid(show->fs_info, show->opts->uuid, id);
	uuid_unparse_lower(show->opts->uuid, text);
	if (ret == -ENOENT)
		error("cannot show UUID %s: no subvolume has it", text);
	else if (ret)
		subvol_error(ret, "show UUID %s", text);
	return ret;
}

static int find_subvol(struct show *show, const char *path)
{
	u64 id = show->opts->rootid;
	int ret = 0;

	if (show->opts->by_uuid)
		ret = find_by_uuid(show, &id);
	else if (!show->opts->by_id)
		ret = find_by_path(show, path, &id);
	if (ret)
		return ret;
	show->subvol = subvol_find(&show->table, id);
	/* Without references it is about to vanish, and has no name any more. */
	if (!show->subvol || show->subvol->item.refs == 0) {
		error("cannot show subvolume %llu: there is none", id);
		return -ENOENT;
	}
	ret = btrfs_subvol_path(show->fs_info, id, &show->path);
	if (ret)
		subvol_error(ret, "find the path of subvolume %llu", id);
	return ret;
}

static int gather(struct show *show, const char *path)
{
	int ret;

	ret = subvol_table_load(show->fs_info, &show->table);
	if (!ret)
		ret = find_subvol(show, path);
	if (!ret)
		ret = find_snapshots(show);
	if (!ret)
		ret = read_qgroup(show);
	return ret;
}

static void free_show(struct show *show)
{
	char **path;

	vec_for_each(&show->snapshots, path)
		free(*path);
	vec_free(&show->snapshots);
	free(show->path);
	subvol_table_free(&show->table);
}

/* A received subvolume that can be written to may differ from what was sent. */
static void warn_of_writable_received(const struct show *show)
{
	if (!is_readonly(show) && !uuid_is_null(show->subvol->item.received_uuid))
		warning("subvolume %llu has a received UUID but is writable: "
			"do not base an incremental send on it", show->subvol->id);
}

static int show_subvolume(const struct cmd *cmd, const struct show_options *opts,
			  const char *image, const char *path)
{
	struct show show = {
		.opts = opts,
		.snapshots = VEC_INIT(char *),
		.table = { .subvols = VEC_INIT(struct subvol) },
	};
	int exit_code = CMD_FAILED;

	if (open_fs_readonly(image, &opts->open, NULL, &show.fs_info))
		return CMD_FAILED;
	if (gather(&show, path) == 0) {
		exit_code = CMD_OK;
		if (cmd_format_json(cmd))
			exit_code = print_json(&show);
		else
			print_text(&show);
		warn_of_writable_received(&show);
	}
	free_show(&show);
	btrfs_close_fs(show.fs_info);
	return exit_code;
}

#define GETOPT_VAL_RAW		(GETOPT_VAL_FIRST_FREE + 0)
#define GETOPT_VAL_IEC		(GETOPT_VAL_FIRST_FREE + 1)
#define GETOPT_VAL_SI		(GETOPT_VAL_FIRST_FREE + 2)

/* True when @c was an option about units. */
static bool parse_units(unsigned int *units, int c)
{
	unsigned int base = *units & UNITS_BASE_MASK;
	unsigned int fixed = *units & ~UNITS_BASE_MASK;

	switch (c) {
	case 'b':
	case GETOPT_VAL_RAW: base = UNITS_RAW; fixed = 0; break;
	case 'h': base = UNITS_BINARY; fixed = 0; break;
	case 'H': base = UNITS_DECIMAL; fixed = 0; break;
	case GETOPT_VAL_IEC: base = UNITS_BINARY; break;
	case GETOPT_VAL_SI: base = UNITS_DECIMAL; break;
	case 'k': fixed = UNITS_KBYTES; break;
	case 'm': fixed = UNITS_MBYTES; break;
	case 'g': fixed = UNITS_GBYTES; break;
	case 't': fixed = UNITS_TBYTES; break;
	default: return false;
	}
	*units = base | fixed;
	return true;
}

/* CMD_OK, or the exit code. */
static int parse_option(const struct cmd *cmd, struct show_options *opts, int c)
{
	if (parse_units(&opts->units, c))
		return CMD_OK;
	switch (c) {
	case 'r':
		if (parse_u64(optarg, &opts->rootid))
			return usage_error(cmd, "not a subvolume id: '%s'", optarg);
		opts->by_id = true;
		return CMD_OK;
	case 'u':
		if (uuid_parse(optarg, opts->uuid))
			return usage_error(cmd, "not a UUID: '%s'", optarg);
		opts->by_uuid = true;
		return CMD_OK;
	default:
		return open_fs_parse(&opts->open, c, optarg) ? CMD_OK : cmd_option_exit(cmd, c);
	}
}

static int check_arguments(const struct cmd *cmd, const struct show_options *opts, int argc)
{
	if (opts->by_id && opts->by_uuid)
		return usage_error(cmd, "--rootid and --uuid exclude each other");
	if (check_operands(cmd, argc, 1, 2))
		return CMD_USAGE;
	if ((opts->by_id || opts->by_uuid) && argc - optind > 1)
		return usage_error(cmd, "a path and %s exclude each other",
				   opts->by_id ? "--rootid" : "--uuid");
	return CMD_OK;
}

static int cmd_subvolume_show_fn(const struct cmd *cmd, int argc, char **argv)
{
	static const struct option longopts[] = {
		{ "rootid", required_argument, NULL, 'r' },
		{ "uuid", required_argument, NULL, 'u' },
		{ "raw", no_argument, NULL, GETOPT_VAL_RAW },
		{ "human-readable", no_argument, NULL, 'h' },
		{ "iec", no_argument, NULL, GETOPT_VAL_IEC },
		{ "si", no_argument, NULL, GETOPT_VAL_SI },
		{ "kbytes", no_argument, NULL, 'k' },
		{ "mbytes", no_argument, NULL, 'm' },
		{ "gbytes", no_argument, NULL, 'g' },
		{ "tbytes", no_argument, NULL, 't' },
		OPEN_FS_LONG_OPTIONS,
		{ NULL, 0, NULL, 0 }
	};
	struct show_options opts = { .units = UNITS_HUMAN };
	int exit_code = CMD_OK;
	bool done = false;
	int c;

	while (!done && (c = options_next(argc, argv, "r:u:bhHkmgt", longopts)) != OPTION_END) {
		exit_code = parse_option(cmd, &opts, c);
		/* The help is an end, too, though a good one. */
		done = exit_code != CMD_OK || c == OPTION_HELP;
	}
	if (!done)
		exit_code = check_arguments(cmd, &opts, argc);
	if (!done && exit_code == CMD_OK)
		exit_code = show_subvolume(cmd, &opts, argv[optind],
					   optind + 1 < argc ? argv[optind + 1] : "");
	open_fs_options_free(&opts.open);
	return exit_code;
}

static const char *const cmd_subvolume_show_usage[] = {
	"btrfs subvolume show [options] <device> [<path>]",
	"Show all that is known about a subvolume",
	"",
	"Without <path>, of the top level.",
	"",
	"-r|--rootid ID     the subvolume with this id",
	"-u|--uuid UUID     the subvolume with this UUID",
	"-b|--raw           sizes in bytes",
	"-h|--human-readable",
	"                   sizes in the unit that fits, of 1024 (the default)",
	"-H                 sizes in the unit that fits, of 1000",
	"--iec              units of 1024 (KiB, MiB, GiB, TiB)",
	"--si               units of 1000 (kB, MB, GB, TB)",
	"-k|--kbytes        sizes in KiB, or kB with --si",
	"-m|--mbytes        sizes in MiB, or MB with --si",
	"-g|--gbytes        sizes in GiB, or GB with --si",
	"-t|--tbytes        sizes in TiB, or TB with --si",
	"",
	OPEN_FS_USAGE,
	NULL
};

const struct cmd cmd_subvolume_show = {
	.name = "show",
	.fn = cmd_subvolume_show_fn,
	.usage = cmd_subvolume_show_usage,
	.flags = CMD_FLAG_JSON,
};
