// SPDX-License-Identifier: GPL-2.0-only
/*
 * btrfs inspect-internal dump-super: what the superblocks of a device say.
 *
 * Looks at bytes only and opens no file system, so it works on anything that
 * once was a btrfs, mounted or not.
 */
#include "cmds/cmds.h"

#include <errno.h>

#include "common/blockdev.h"
#include "common/message.h"
#include "common/string-utils.h"
#include "kernel-shared/print-super.h"
#include "kernel-shared/super.h"

static const char *const cmd_inspect_dump_super_usage[] = {
	"btrfs inspect-internal dump-super [options] <device> [<device>...]",
	"Print the superblock of a device or image",
	"",
	"-f|--full           also the system chunk array and the backup roots",
	"-a|--all            all copies, one after the other",
	"-s|--super <copy>   which copy: 0, 1 or 2 (any other number: as --bytenr)",
	"--bytenr <offset>   read it from this offset of the device",
	"-F|--force          print it although the magic is not there",
	"-i <copy>           old form of --super",
	NULL,
};

struct dump_super {
	bool full;
	bool all;
	bool force;
	u64 bytenr;
	struct format_ctx *json;	/* NULL: text */
};

/*
 * A device that ends before a further copy simply has none of it.  The first
 * is what makes it a btrfs, and an offset of the user's own should be there.
 */
static bool may_be_absent(const struct blockdev *dev, u64 bytenr)
{
	return bytenr >= dev->size &&
	       (bytenr == btrfs_sb_offset(1) || bytenr == btrfs_sb_offset(2));
}

static void show(const struct dump_super *dump, const struct blockdev *dev, u64 bytenr,
		 const struct btrfs_super_block *sb)
{
	if (!dump->json) {
		btrfs_print_superblock(stdout, sb, dump->full);
		return;
	}
	format_object_begin(dump->json, NULL);
	format_name(dump->json, "device", dev->path, strlen(dev->path));
	format_u64(dump->json, "offset", bytenr);
	btrfs_format_superblock(dump->json, sb);
	format_object_end(dump->json);
}

static int dump_at(const struct dump_super *dump, struct blockdev *dev, u64 bytenr)
{
	struct btrfs_super_block sb;
	int ret;

	if (may_be_absent(dev, bytenr))
		return 0;
	if (bytenr >= dev->size || dev->size - bytenr < sizeof(sb)) {
		error("failed to read the superblock on %s at %llu: the device ends at %llu",
		      dev->path, bytenr, dev->size);
		return -EINVAL;
	}
	ret = blockdev_pread(dev, &sb, sizeof(sb), bytenr);
	if (ret) {
		error("failed to read the superblock on %s at %llu: %s", dev->path, bytenr,
		      errno_text(ret));
		return ret;
	}
	if (!dump->json) {
		printf("superblock: bytenr=%llu, device=%s\n", bytenr, dev->path);
		printf("---------------------------------------------------------\n");
	}
	if (!btrfs_super_has_magic(&sb) && !dump->force) {
		error("bad magic on superblock on %s at %llu (use --force to dump it anyway)",
		      dev->path, bytenr);
		return -EINVAL;
	}
	show(dump, dev, bytenr, &sb);
	return 0;
}

/* One copy and the blank line behind it, which stands also for a copy that is not there. */
static int dump_copy(const struct dump_super *dump, struct blockdev *dev, u64 bytenr)
{
	int ret = dump_at(dump, dev, bytenr);

	if (!ret && !dump->json)
		putchar('\n');
	return ret;
}

static int dump_device(const struct dump_super *dump, const char *path)
{
	struct blockdev *dev;
	int ret;

	/* One block is read at once and stays what it is; no lock is needed for that. */
	ret = blockdev_open(path, BLOCKDEV_NO_LOCK, &dev);
	if (ret) {
		error("cannot open %s: %s", path, ret == -ENOTBLK ?
		      "neither a block device nor a regular file" : errno_text(ret));
		return ret;
	}
	if (!dump->all)
		ret = dump_copy(dump, dev, dump->bytenr);
	for (int i = 0; dump->all && !ret && i < BTRFS_SUPER_MIRROR_MAX; i++)
		ret = dump_copy(dump, dev, btrfs_sb_offset(i));
	blockdev_close(dev);
	return ret;
}

static int dump_devices(const struct dump_super *dump, char **paths, int nr)
{
	int ret = 0;

	for (int i = 0; !ret && i < nr; i++)
		ret = dump_device(dump, paths[i]);
	return ret;
}

/* What was read before a failure is reported all the same. */
static int dump_devices_json(struct dump_super *dump, char **paths, int nr)
{
	struct format_ctx ctx;
	int ret, end;

	dump->json = &ctx;
	format_begin(&ctx);
	format_array_begin(&ctx, "superblocks");
	ret = dump_devices(dump, paths, nr);
	format_array_end(&ctx);
	end = format_end(&ctx, stdout);
	if (end)
		error("cannot write the output: %s", errno_text(end));
	return ret ? ret : end;
}

/* Where copy @arg stands.  0, or an exit code. */
static int parse_copy(const struct cmd *cmd, const char *arg, bool or_bytenr, u64 *bytenr)
{
	u64 number;

	if (parse_u64(arg, &number))
		return usage_error(cmd, "%s is not a valid numeric value", arg);
	if (number < BTRFS_SUPER_MIRROR_MAX) {
		*bytenr = btrfs_sb_offset((int)number);
		return 0;
	}
	if (!or_bytenr)
		return usage_error(cmd, "super mirror too big: %llu >= %d", number,
				   BTRFS_SUPER_MIRROR_MAX);
	warning("deprecated use of -s <bytenr> with %llu, assuming --bytenr", number);
	*bytenr = number;
	return 0;
}

enum {
	OPT_BYTENR = OPTION_FIRST_LONG,
};

static int parse_option(const struct cmd *cmd, struct dump_super *dump, int c)
{
	switch (c) {
	case 'f':
		dump->full = true;
		return 0;
	case 'a':
		dump->all = true;
		return 0;
	case 'F':
		dump->force = true;
		return 0;
	case 's':
		dump->all = false;
		return parse_copy(cmd, optarg, true, &dump->bytenr);
	case 'i':
		warning("option -i is deprecated, please use -s or --super");
		dump->all = false;
		return parse_copy(cmd, optarg, false, &dump->bytenr);
	case OPT_BYTENR:
		dump->all = false;
		if (parse_u64(optarg, &dump->bytenr))
			return usage_error(cmd, "%s is not a valid numeric value", optarg);
		return 0;
	default:
		return -1;
	}
}

static int cmd_inspect_dump_super_fn(const struct cmd *cmd, int argc, char **argv)
{
	static const struct option longopts[] = {
		{ "full", no_argument, NULL, 'f' },
		{ "all", no_argument, NULL, 'a' },
		{ "super", required_argument, NULL, 's' },
		{ "bytenr", required_argument, NULL, OPT_BYTENR },
		{ "force", no_argument, NULL, 'F' },
		{ NULL, 0, NULL, 0 },
	};
	struct dump_super dump = { .bytenr = btrfs_sb_offset(0) };
	int c, ret;

	while ((c = options_next(argc, argv, "fFai:s:", longopts)) != OPTION_END) {
		ret = parse_option(cmd, &dump, c);
		if (ret < 0)
			return cmd_option_exit(cmd, c);
		if (ret)
			return ret;
	}
	if (check_operands(cmd, argc, 1, -1))
		return CMD_USAGE;
	if (cmd_format_json(cmd))
		ret = dump_devices_json(&dump, argv + optind, argc - optind);
	else
		ret = dump_devices(&dump, argv + optind, argc - optind);
	return ret ? CMD_FAILED : CMD_OK;
}

const struct cmd cmd_inspect_dump_super = {
	.name = "dump-super",
	.fn = cmd_inspect_dump_super_fn,
	.usage = cmd_inspect_dump_super_usage,
	.flags = CMD_FLAG_JSON,
};
