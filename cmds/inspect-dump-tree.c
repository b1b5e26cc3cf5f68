// SPDX-License-Identifier: GPL-2.0-only
/*
 * btrfs inspect-internal dump-tree: the trees of a file system as text.
 *
 * Which trees in which order under which headings is decided here; blocks and
 * items are printed by print-tree.  What cannot be read is said on stderr, the
 * rest is printed, and the exit code is 1.
 */
#include <errno.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <uuid.h>

#include "cmds/cmds.h"
#include "cmds/open-fs.h"
#include "common/message.h"
#include "common/string-utils.h"
#include "common/vec.h"
#include "kernel-shared/disk-io.h"
#include "kernel-shared/key-names.h"
#include "kernel-shared/print-tree.h"

struct dump_options {
	struct open_fs_options open;
	bool extents; /* -e, -d, -u: these trees only */
	bool devices;
	bool uuids;
	bool roots;   /* -r: where trees stand, not what is in them */
	bool backups; /* -R */
	bool follow;
	bool no_scan;
	u64 tree_id;	   /* -t; 0: all */
	struct vec blocks; /* -b, u64 addresses */
	enum btrfs_walk_order order;
	struct btrfs_print_ctx print;
};

/* A tree as its root item points to it. */
struct tree_ref {
	struct btrfs_key key;
	u64 bytenr;
	u64 generation;
	u8 level;
};

/* What a dump needs to know while it runs. */
struct dump {
	const struct dump_options *opts;
	struct btrfs_fs_info *fs_info;
	/* The root of the log trees, there after a crash only; NULL: none, or log_err. */
	struct extent_buffer *log_root;
	int log_err;
	struct vec trees; /* struct tree_ref, in the order in which they are printed */
};

/* ---- blocks by address ---- */

static int dump_block(const struct dump *dump, u64 bytenr)
{
	struct btrfs_tree_parent_check check = { .any_level = true };
	u32 sectorsize = dump->fs_info->sectorsize;
	struct extent_buffer *eb;
	int ret;

	if (!IS_ALIGNED(bytenr, sectorsize)) {
		error("cannot read tree block %llu: not aligned to the sector size %u", bytenr,
		      sectorsize);
		return -EINVAL;
	}
	ret = btrfs_read_tree_block(dump->fs_info, bytenr, &check, &eb);
	if (ret)
		return ret;
	if (dump->opts->follow)
		ret = btrfs_print_tree(&dump->opts->print, eb, dump->opts->order);
	else
		btrfs_print_block(&dump->opts->print, eb);
	free_extent_buffer(eb);
	return ret;
}

static int dump_blocks(const struct dump *dump)
{
	int ret = 0;
	u64 *bytenr;

	vec_for_each(&dump->opts->blocks, bytenr) {
		int err = dump_block(dump, *bytenr);

		ret = ret ? ret : err;
	}
	return ret;
}

/* ---- trees that the superblock points to ---- */

/* Only what every root item has, however old, is looked at. */
static int add_tree(struct dump *dump, const struct extent_buffer *leaf, u32 slot)
{
	const struct btrfs_root_item *item = btrfs_item_ptr(leaf, slot, struct btrfs_root_item);
	struct tree_ref tree;

	btrfs_item_key_to_cpu(leaf, &tree.key, slot);
	if (tree.key.type != BTRFS_ROOT_ITEM_KEY ||
	    !eb_holds(leaf, item, BTRFS_LEGACY_ROOT_ITEM_SIZE))
		return 0;
	tree.bytenr = le64toh(item->bytenr);
	tree.generation = le64toh(item->generation);
	tree.level = item->level;
	return vec_push_copy(&dump->trees, &tree);
}

struct anchor_walk {
	struct dump *dump;
	bool print;
};

static int visit_anchor_block(const struct extent_buffer *eb, void *data)
{
	struct anchor_walk *walk = data;
	int ret = 0;

	if (walk->print)
		btrfs_print_block(&walk->dump->opts->print, eb);
	if (btrfs_header_level(eb))
		return 0;
	for (u32 slot = 0; slot < btrfs_header_nritems(eb) && !ret; slot++)
		ret = add_tree(walk->dump, eb, slot);
	return ret;
}

/*
 * A tree without a root item, and the trees that it lists.  Both in one walk,
 * so that a block that cannot be read is said once; with @show false the list
 * alone is wanted.  @eb NULL: it could not be read, which was said.
 */
static int dump_anchor_tree(struct dump *dump, const char *name, const struct extent_buffer *eb,
			    bool show)
{
	const struct dump_options *opts = dump->opts;
	struct anchor_walk walk = { .dump = dump, .print = show };

	if (!eb)
		return -EIO;
	if (show)
		fprintf(opts->print.out, "%s tree", name);
	if (show && opts->roots && !opts->tree_id) {
		fprintf(opts->print.out, ": %llu level %u", eb->start, btrfs_header_level(eb));
		walk.print = false;
	}
	if (show)
		putc('\n', opts->print.out);
	return btrfs_walk_blocks(eb, walk.print ? opts->order : BTRFS_WALK_LEAVES,
				 visit_anchor_block, &walk);
}

static const struct extent_buffer *root_node(const struct btrfs_root *root)
{
	return root ? root->node : NULL;
}

static void read_log_root(struct dump *dump)
{
	const struct btrfs_super_block *sb = &dump->fs_info->super_copy;
	struct btrfs_tree_parent_check check = { .level = sb->log_root_level };

	if (sb->log_root)
		dump->log_err = btrfs_read_tree_block(dump->fs_info, le64toh(sb->log_root), &check,
						      &dump->log_root);
}

static int dump_log_root_tree(struct dump *dump)
{
	if (!dump->log_root && !dump->log_err) {
		error("cannot print the log root tree: the file system has none");
		return -ENOENT;
	}
	return dump_anchor_tree(dump, "log root", dump->log_root, true);
}

/* It may be there without the feature's bit, while it is being made. */
static int dump_block_group_tree(struct dump *dump)
{
	const struct btrfs_root *root = dump->fs_info->block_group_root;

	if (!root && !btrfs_fs_compat_ro(dump->fs_info, BTRFS_FEATURE_COMPAT_RO_BLOCK_GROUP_TREE)) {
		error("cannot print the block group tree: the file system has none");
		return -ENOENT;
	}
	return dump_anchor_tree(dump, "block group", root_node(root), true);
}

/* The trees that -t names and that have no, or not the usual, heading.  1: not one of them. */
static int dump_special_tree(struct dump *dump)
{
	const struct btrfs_fs_info *fs_info = dump->fs_info;

	switch (dump->opts->tree_id) {
	case BTRFS_ROOT_TREE_OBJECTID:
		return dump_anchor_tree(dump, "root", root_node(fs_info->tree_root), true);
	case BTRFS_CHUNK_TREE_OBJECTID:
		return dump_anchor_tree(dump, "chunk", root_node(fs_info->chunk_root), true);
	case BTRFS_BLOCK_GROUP_TREE_OBJECTID:
		return dump_block_group_tree(dump);
	case BTRFS_TREE_LOG_OBJECTID:
		return dump_log_root_tree(dump);
	default:
		return 1;
	}
}

static int dump_anchor_trees(struct dump *dump, bool show)
{
	const struct btrfs_fs_info *fs_info = dump->fs_info;
	int ret = dump_anchor_tree(dump, "root", root_node(fs_info->tree_root), show);
	int err = 0;

	if (show)
		err = dump_anchor_tree(dump, "chunk", root_node(fs_info->chunk_root), true);
	ret = ret ? ret : err;
	err = dump->log_err;
	if (dump->log_root)
		err = dump_anchor_tree(dump, "log root", dump->log_root, show);
	return ret ? ret : err;
}

/* ---- trees with a root item ---- */

static const char *tree_heading(u64 objectid)
{
	switch (objectid) {
	case BTRFS_ROOT_TREE_OBJECTID:
		return "root";
	case BTRFS_EXTENT_TREE_OBJECTID:
		return "extent";
	case BTRFS_CHUNK_TREE_OBJECTID:
		return "chunk";
	case BTRFS_DEV_TREE_OBJECTID:
		return "device";
	case BTRFS_FS_TREE_OBJECTID:
		return "fs";
	case BTRFS_ROOT_TREE_DIR_OBJECTID:
		return "directory";
	case BTRFS_CSUM_TREE_OBJECTID:
		return "checksum";
	case BTRFS_QUOTA_TREE_OBJECTID:
		return "quota";
	case BTRFS_UUID_TREE_OBJECTID:
		return "uuid";
	case BTRFS_FREE_SPACE_TREE_OBJECTID:
		return "free space";
	case BTRFS_BLOCK_GROUP_TREE_OBJECTID:
		return "block group";
	case BTRFS_RAID_STRIPE_TREE_OBJECTID:
		return "raid stripe";
	case BTRFS_MULTIPLE_OBJECTIDS:
		return "multiple";
	case BTRFS_EXTENT_CSUM_OBJECTID:
		return "extent checksum";
	case BTRFS_DATA_RELOC_TREE_OBJECTID:
		return "data reloc";
	case BTRFS_TREE_RELOC_OBJECTID:
		return "reloc";
	case BTRFS_TREE_LOG_FIXUP_OBJECTID:
		return "log fixup";
	case BTRFS_TREE_LOG_OBJECTID:
		return "log";
	case BTRFS_ORPHAN_OBJECTID:
		return "orphan";
	default:
		return "file";
	}
}

static bool tree_wanted(const struct dump_options *opts, u64 objectid)
{
	if (opts->tree_id && opts->tree_id != objectid)
		return false;
	switch (objectid) {
	case BTRFS_EXTENT_TREE_OBJECTID:
		return !opts->devices && !opts->uuids;
	case BTRFS_DEV_TREE_OBJECTID:
		return !opts->uuids;
	case BTRFS_UUID_TREE_OBJECTID:
		return !opts->extents && !opts->devices;
	default:
		return !opts->extents && !opts->devices && !opts->uuids;
	}
}

/* Headings end in a blank, but with -e they don't, and only the leaves follow. */
static int dump_tree(const struct dump *dump, const struct btrfs_key *key,
		     const struct extent_buffer *eb)
{
	const struct dump_options *opts = dump->opts;
	FILE *out = opts->print.out;

	fprintf(out, "%s tree ", tree_heading(key->objectid));
	btrfs_print_key(out, key);
	if (opts->extents) {
		putc('\n', out);
		return btrfs_print_tree(&opts->print, eb, BTRFS_WALK_LEAVES);
	}
	if (opts->roots) {
		fprintf(out, " %llu level %u\n", eb->start, btrfs_header_level(eb));
		return 0;
	}
	fputs(" \n", out);
	return btrfs_print_tree(&opts->print, eb, opts->order);
}

static int read_and_dump_tree(const struct dump *dump, const struct tree_ref *tree)
{
	struct btrfs_tree_parent_check check = {
		.transid = tree->generation,
		.level = tree->level,
	};
	struct extent_buffer *eb;
	int ret;

	ret = btrfs_read_tree_block(dump->fs_info, tree->bytenr, &check, &eb);
	if (ret)
		return ret;
	ret = dump_tree(dump, &tree->key, eb);
	free_extent_buffer(eb);
	return ret;
}

static int dump_trees(const struct dump *dump)
{
	const struct tree_ref *tree;
	int ret = 0;

	vec_for_each(&dump->trees, tree) {
		int err;

		if (!tree_wanted(dump->opts, tree->key.objectid))
			continue;
		err = read_and_dump_tree(dump, tree);
		if (err == -ENOMEM)
			return err;
		ret = ret ? ret : err;
	}
	return ret;
}

/* ---- the end of the dump ---- */

static void dump_backup_root(FILE *out, const struct btrfs_root_backup *backup)
{
	fprintf(out, "\ttree root gen %llu block %llu\n", (u64)le64toh(backup->tree_root_gen),
		(u64)le64toh(backup->tree_root));
	fprintf(out, "\t\textent root gen %llu block %llu\n", (u64)le64toh(backup->extent_root_gen),
		(u64)le64toh(backup->extent_root));
	fprintf(out, "\t\tchunk root gen %llu block %llu\n", (u64)le64toh(backup->chunk_root_gen),
		(u64)le64toh(backup->chunk_root));
	fprintf(out, "\t\tdevice root gen %llu block %llu\n", (u64)le64toh(backup->dev_root_gen),
		(u64)le64toh(backup->dev_root));
	fprintf(out, "\t\tcsum root gen %llu block %llu\n", (u64)le64toh(backup->csum_root_gen),
		(u64)le64toh(backup->csum_root));
	fprintf(out, "\t\tfs root gen %llu block %llu\n", (u64)le64toh(backup->fs_root_gen),
		(u64)le64toh(backup->fs_root));
	fprintf(out, "\t\t%llu used %llu total %llu devices\n", (u64)le64toh(backup->bytes_used),
		(u64)le64toh(backup->total_bytes), (u64)le64toh(backup->num_devices));
}

static void dump_backup_roots(const struct dump *dump)
{
	const struct btrfs_super_block *sb = &dump->fs_info->super_copy;
	FILE *out = dump->opts->print.out;

	for (int i = 0; i < BTRFS_NUM_BACKUP_ROOTS; i++) {
		fprintf(out, "btrfs root backup slot %d\n", i);
		dump_backup_root(out, &sb->super_roots[i]);
	}
}

static void dump_totals(const struct dump *dump)
{
	const struct btrfs_super_block *sb = &dump->fs_info->super_copy;
	char uuid[UUID_STR_LEN];

	uuid_unparse(sb->fsid, uuid);
	fprintf(dump->opts->print.out, "total bytes %llu\nbytes used %llu\nuuid %s\n",
		(u64)le64toh(sb->total_bytes), (u64)le64toh(sb->bytes_used), uuid);
}

static int dump_fs(struct dump *dump)
{
	const struct dump_options *opts = dump->opts;
	int ret, err;

	if (opts->blocks.nr)
		return dump_blocks(dump);
	read_log_root(dump);
	ret = dump_special_tree(dump);
	if (ret <= 0)
		return ret;
	ret = dump_anchor_trees(dump, !opts->extents && !opts->uuids && !opts->tree_id);
	err = dump_trees(dump);
	ret = ret ? ret : err;
	if (opts->extents || opts->devices || opts->uuids)
		return ret;
	if (opts->backups)
		dump_backup_roots(dump);
	dump_totals(dump);
	return ret;
}

/* ---- command line ---- */

static const char *const cmd_inspect_dump_tree_usage[] = {
	"btrfs inspect-internal dump-tree [options] <device> [<device>...]",
	"Print trees as text",
	"",
	"Print the trees of a file system: every block with its header, every item with",
	"what it says.  Further operands are other devices of the same file system.",
	"A dump holds names of files; think of that before you hand it to someone.",
	"",
	"-e|--extents       the extent tree and the device tree only, their leaves",
	"-d                 the root tree, the chunk tree and the device tree only",
	"-u|--uuid          the uuid tree only",
	"-r|--roots         only where the root of every tree stands",
	"-R|--backups       the same, and the backup roots of the superblock",
	"-t|--tree TREE     this tree only: a number, or a name (root, chunk, extent, device,",
	"                   fs, csum, quota, uuid, free-space, block-group, log, data-reloc,",
	"                   tree-reloc, also as FS_TREE and the like)",
	"-b|--block BYTENR  the block at this logical address only (repeatable)",
	"--follow           with -b: also the blocks below it",
	"--bfs              level by level, leaves last (default)",
	"--dfs              each block right behind its parent",
	"--hide-names       HIDDEN for names of files and xattrs and for xattr values; names of",
	"                   subvolumes in the root tree stay",
	"--csum-headers     the checksum of every block",
	"--csum-items       every checksum in the checksum tree",
	"--noscan           do not look for other devices, use only those named",
	OPEN_FS_USAGE,
	"",
	"--device is not the long form of -d here, as it is elsewhere.",
	NULL,
};

enum {
	OPT_FOLLOW = GETOPT_VAL_FIRST_FREE,
	OPT_NOSCAN,
	OPT_BFS,
	OPT_DFS,
	OPT_HIDE_NAMES,
	OPT_CSUM_HEADERS,
	OPT_CSUM_ITEMS,
};

static int add_block(struct vec *blocks, const char *arg)
{
	u64 bytenr, *have;

	if (parse_u64(arg, &bytenr))
		return -EINVAL;
	vec_for_each(blocks, have) {
		if (*have == bytenr) {
			warning("tree block %llu is named twice", bytenr);
			return 0;
		}
	}
	return vec_push_copy(blocks, &bytenr);
}

/* True when @c was one of the options without an argument. */
static bool parse_switch(struct dump_options *opts, int c)
{
	switch (c) {
	case 'e':
		opts->extents = true;
		return true;
	case 'd':
		opts->devices = true;
		return true;
	case 'u':
		opts->uuids = true;
		return true;
	case 'R':
		opts->backups = true;
		opts->roots = true;
		return true;
	case 'r':
		opts->roots = true;
		return true;
	case OPT_FOLLOW:
		opts->follow = true;
		return true;
	case OPT_NOSCAN:
		opts->no_scan = true;
		return true;
	case OPT_BFS:
		opts->order = BTRFS_WALK_BFS;
		return true;
	case OPT_DFS:
		opts->order = BTRFS_WALK_DFS;
		return true;
	case OPT_HIDE_NAMES:
		opts->print.hide_names = true;
		return true;
	case OPT_CSUM_HEADERS:
		opts->print.csum_headers = true;
		return true;
	case OPT_CSUM_ITEMS:
		opts->print.csum_items = true;
		return true;
	default:
		return false;
	}
}

/* CMD_OK, or the exit code: for --help after printing it, and for what is wrong. */
static int parse_option(const struct cmd *cmd, struct dump_options *opts, int c, bool *done)
{
	*done = false;
	if (parse_switch(opts, c) || open_fs_parse(&opts->open, c, optarg))
		return CMD_OK;
	switch (c) {
	case 'b':
		if (!add_block(&opts->blocks, optarg))
			return CMD_OK;
		*done = true;
		return usage_error(cmd, "not the address of a tree block: '%s'", optarg);
	case 't':
		if (!btrfs_parse_tree_id(optarg, &opts->tree_id) && opts->tree_id)
			return CMD_OK;
		*done = true;
		return usage_error(cmd, "unknown tree: '%s'", optarg);
	default:
		*done = true;
		return cmd_option_exit(cmd, c);
	}
}

static int parse_options(const struct cmd *cmd, struct dump_options *opts, int argc, char **argv,
			 bool *done)
{
	static const struct option longopts[] = {
		{ "extents", no_argument, NULL, 'e' },
		{ "roots", no_argument, NULL, 'r' },
		{ "backups", no_argument, NULL, 'R' },
		{ "uuid", no_argument, NULL, 'u' },
		{ "block", required_argument, NULL, 'b' },
		{ "tree", required_argument, NULL, 't' },
		{ "follow", no_argument, NULL, OPT_FOLLOW },
		{ "noscan", no_argument, NULL, OPT_NOSCAN },
		{ "bfs", no_argument, NULL, OPT_BFS },
		{ "dfs", no_argument, NULL, OPT_DFS },
		{ "hide-names", no_argument, NULL, OPT_HIDE_NAMES },
		{ "csum-headers", no_argument, NULL, OPT_CSUM_HEADERS },
		{ "csum-items", no_argument, NULL, OPT_CSUM_ITEMS },
		OPEN_FS_LONG_OPTIONS,
		{ NULL, 0, NULL, 0 },
	};
	int c, ret;

	*done = false;
	while ((c = options_next(argc, argv, "edurRb:t:", longopts)) != OPTION_END) {
		ret = parse_option(cmd, opts, c, done);
		if (*done)
			return ret;
	}
	*done = true;
	if (check_operands(cmd, argc, 1, -1))
		return CMD_USAGE;
	for (int i = optind + 1; i < argc; i++)
		if (!open_fs_parse(&opts->open, GETOPT_VAL_DEVICE, argv[i]))
			return CMD_FAILED;
	*done = false;
	return CMD_OK;
}

static int compare_u64(const void *a, const void *b)
{
	u64 left = *(const u64 *)a, right = *(const u64 *)b;

	return left < right ? -1 : left > right;
}

/* A dump is many short lines; large writes and no locking of stdout for each of them. */
#define STDOUT_BUFFER_SIZE SZ_1M

/* The first line, which readers skip, says whose output it is. */
static void print_version_line(void)
{
	static char name[] = "version";
	char *argv[] = { name, NULL };

	options_reset();
	cmd_version.fn(&cmd_version, 1, argv);
}

static int dump_device(const struct dump_options *opts, const char *path)
{
	struct btrfs_open_args args = { .no_scan = opts->no_scan, .partial = true };
	struct dump dump = { .opts = opts, .trees = VEC_INIT(struct tree_ref) };
	int ret;

	ret = open_fs_readonly(path, &opts->open, &args, &dump.fs_info);
	if (ret)
		return ret;
	print_version_line();
	ret = dump_fs(&dump);
	if (ret == -ENOMEM)
		error("cannot print all of %s: %s", path, errno_text(ret));
	vec_free(&dump.trees);
	free_extent_buffer(dump.log_root);
	btrfs_close_fs(dump.fs_info);
	return ret;
}

static int cmd_inspect_dump_tree_fn(const struct cmd *cmd, int argc, char **argv)
{
	static char stdout_buffer[STDOUT_BUFFER_SIZE];
	struct dump_options opts = {
		.blocks = VEC_INIT(u64),
		.print.out = stdout,
	};
	bool done;
	int ret;

	ret = parse_options(cmd, &opts, argc, argv, &done);
	if (!done) {
		setvbuf(stdout, stdout_buffer, _IOFBF, sizeof(stdout_buffer));
		__fsetlocking(stdout, FSETLOCKING_BYCALLER);
		vec_sort(&opts.blocks, compare_u64);
		ret = dump_device(&opts, argv[optind]) ? CMD_FAILED : CMD_OK;
	}
	vec_free(&opts.blocks);
	open_fs_options_free(&opts.open);
	return ret;
}

const struct cmd cmd_inspect_dump_tree = {
	.name = "dump-tree",
	.fn = cmd_inspect_dump_tree_fn,
	.usage = cmd_inspect_dump_tree_usage,
};
