// SPDX-License-Identifier: GPL-2.0-only
/*
 * The command line of mkfs.
 */
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uuid/uuid.h>

#include "common/message.h"
#include "common/string-utils.h"
#include "common/units.h"
#include "kernel-shared/compress.h"
#include "mkfs/options.h"

const char *const mkfs_usage[] = {
	"mkfs.btrfs [options] <device> [<device>...]",
	"Make a btrfs file system on devices or image files",
	"",
	"Each <device> is a block device or an image file; a file that is not there is",
	"created.  With --rootdir the file system is filled at once, without mounting it",
	"and without root.",
	"",
	"Layout:",
	"-d|--data PROFILE          profile for data: single, dup, raid0, raid1, raid1c3,",
	"                           raid1c4, raid10, raid5 or raid6 (default: single)",
	"-m|--metadata PROFILE      profile for metadata (default: dup; raid1 with several",
	"                           devices)",
	"-M|--mixed                 data and metadata in the same block groups",
	"-n|--nodesize SIZE         size of tree nodes (default: 16K)",
	"-s|--sectorsize SIZE       size of data blocks (default: 4K)",
	"-b|--byte-count SIZE       use SIZE bytes of each device; the size of a new image",
	"",
	"Identity:",
	"-L|--label LABEL           label, at most 255 bytes",
	"-U|--uuid UUID             uuid of the file system; all others are derived from it",
	"--device-uuid UUID         uuid of the first device",
	"",
	"Features:",
	"--csum|--checksum TYPE     crc32c (default), xxhash, sha256 or blake2",
	"-O|--features LIST         features to add, or with ^ to leave out; 'list-all' lists",
	"                           them",
	"-R|--runtime-features LIST the same",
	"",
	"Content:",
	"-r|--rootdir SOURCE        fill it from a directory, from an archive (tar and others,",
	"                           compressed or not), or from an archive on stdin ('-')",
	"--subvol [TYPE:]PATH       make the directory PATH of the source a subvolume; TYPE is",
	"                           rw (default), ro, default or default-ro (repeatable)",
	"--inode-flags FLAGS:PATH   set flags of an inode: nodatacow, nodatasum (repeatable)",
	"--compress ALGO[:LEVEL]    compress file data: zlib, lzo or zstd",
	"--shrink                   make the image as small as it can be",
	"--owner USER[:GROUP]       everything belongs to these",
	"--all-root                 everything belongs to root",
	"--uid-map FROM:TO[:COUNT]  change owners (repeatable)",
	"--gid-map FROM:TO[:COUNT]  change groups (repeatable)",
	"--overrides FILE           set owner, mode, device and xattrs of paths as FILE says",
	"--threads N                use N threads (default: one for each CPU)",
	"",
	"Creation:",
	"-f|--force                 overwrite a file system that is there",
	"-K|--nodiscard             do not discard the devices first",
	"--dry-run                  do everything but leave the devices as they are",
	"--undo FILE                keep what is overwritten in FILE; see 'btrfs rescue undo'",
	"--progress auto|always|never",
	"                           show how far it is (default: on a terminal)",
	"-V|--version               print the version",
	NULL
};

enum {
	OPT_CSUM = OPTION_FIRST_LONG,
	OPT_DEVICE_UUID,
	OPT_SUBVOL,
	OPT_INODE_FLAGS,
	OPT_COMPRESS,
	OPT_SHRINK,
	OPT_OWNER,
	OPT_ALL_ROOT,
	OPT_UID_MAP,
	OPT_GID_MAP,
	OPT_OVERRIDES,
	OPT_THREADS,
	OPT_DRY_RUN,
	OPT_UNDO,
	OPT_PROGRESS,
};

static const struct option long_options[] = {
	{ "data", required_argument, NULL, 'd' },
	{ "metadata", required_argument, NULL, 'm' },
	{ "mixed", no_argument, NULL, 'M' },
	{ "nodesize", required_argument, NULL, 'n' },
	{ "sectorsize", required_argument, NULL, 's' },
	{ "byte-count", required_argument, NULL, 'b' },
	{ "label", required_argument, NULL, 'L' },
	{ "uuid", required_argument, NULL, 'U' },
	{ "device-uuid", required_argument, NULL, OPT_DEVICE_UUID },
	{ "csum", required_argument, NULL, OPT_CSUM },
	{ "checksum", required_argument, NULL, OPT_CSUM },
	{ "features", required_argument, NULL, 'O' },
	{ "runtime-features", required_argument, NULL, 'R' },
	{ "rootdir", required_argument, NULL, 'r' },
	{ "subvol", required_argument, NULL, OPT_SUBVOL },
	{ "inode-flags", required_argument, NULL, OPT_INODE_FLAGS },
	{ "compress", required_argument, NULL, OPT_COMPRESS },
	{ "shrink", no_argument, NULL, OPT_SHRINK },
	{ "owner", required_argument, NULL, OPT_OWNER },
	{ "all-root", no_argument, NULL, OPT_ALL_ROOT },
	{ "uid-map", required_argument, NULL, OPT_UID_MAP },
	{ "gid-map", required_argument, NULL, OPT_GID_MAP },
	{ "overrides", required_argument, NULL, OPT_OVERRIDES },
	{ "threads", required_argument, NULL, OPT_THREADS },
	{ "force", no_argument, NULL, 'f' },
	{ "nodiscard", no_argument, NULL, 'K' },
	{ "dry-run", no_argument, NULL, OPT_DRY_RUN },
	{ "undo", required_argument, NULL, OPT_UNDO },
	{ "progress", required_argument, NULL, OPT_PROGRESS },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

/* The sizes here are below 4 GiB; 0 is none. */
static int parse_block_size(const struct cmd *cmd, const char *what, const char *arg, u32 *size)
{
	u64 value;

	if (parse_size(arg, &value) || !value || value > UINT_MAX)
		return usage_error(cmd, "invalid %s '%s'", what, arg);
	*size = (u32)value;
	return 0;
}

static int parse_uuid(const struct cmd *cmd, const char *arg, u8 *uuid, bool *have)
{
	if (uuid_parse(arg, uuid))
		return usage_error(cmd, "invalid UUID '%s'", arg);
	*have = true;
	return 0;
}

static int parse_subvol(const struct cmd *cmd, const char *arg, struct mkfs_options *opts)
{
	static const struct {
		const char *prefix;
		bool readonly, is_default;
	} types[] = {
		{ "rw:", false, false },
		{ "ro:", true, false },
		{ "default:", false, true },
		{ "default-ro:", true, true },
	};
	struct mkfs_subvol_spec spec = { .path = arg }, *other;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		if (!string_has_prefix(arg, types[i].prefix))
			continue;
		spec.path = arg + strlen(types[i].prefix);
		spec.readonly = types[i].readonly;
		spec.is_default = types[i].is_default;
	}
	if (!*spec.path)
		return usage_error(cmd, "invalid subvolume '%s': no path", arg);
	vec_for_each(&opts->subvols, other)
		if (other->is_default && spec.is_default)
			return usage_error(cmd, "only one subvolume can be the default one");
	return vec_push_copy(&opts->subvols, &spec) ? CMD_FAILED : 0;
}

static int parse_inode_flags(const struct cmd *cmd, const char *arg, struct mkfs_options *opts)
{
	struct mkfs_inode_flags_spec spec = { 0 };
	const char *colon = strchr(arg, ':');
	const char *pos = arg;

	if (!colon || !colon[1])
		return usage_error(cmd, "invalid inode flags '%s': FLAGS:PATH is expected", arg);
	spec.path = colon + 1;
	while (pos < colon) {
		size_t len = strcspn(pos, ",:");

		/* What is not copied on write has no checksums. */
		if (len == 9 && !strncmp(pos, "nodatacow", len))
			spec.flags |= BTRFS_INODE_NODATACOW | BTRFS_INODE_NODATASUM;
		else if (len == 9 && !strncmp(pos, "nodatasum", len))
			spec.flags |= BTRFS_INODE_NODATASUM;
		else
			return usage_error(cmd, "unknown inode flag '%.*s'", (int)len, pos);
		pos += len + 1;
	}
	return vec_push_copy(&opts->inode_flags, &spec) ? CMD_FAILED : 0;
}

static bool parse_id(const char *text, u32 *id)
{
	u64 value;

	/* The highest one means "no id" to the kernel. */
	if (parse_u64(text, &value) || value >= UINT_MAX)
		return false;
	*id = (u32)value;
	return true;
}

static int parse_owner(const struct cmd *cmd, const char *arg, struct source_options *source)
{
	char *name = strdup(arg), *group;
	int ret = 0;

	if (!name)
		return CMD_FAILED;
	group = strchr(name, ':');
	if (group)
		*group++ = '\0';
	if (!parse_id(name, &source->owner_uid)) {
		const struct passwd *pw = getpwnam(name);

		if (pw) {
			source->owner_uid = pw->pw_uid;
			source->owner_gid = pw->pw_gid;
		} else {
			ret = usage_error(cmd, "unknown user '%s'", name);
		}
	} else {
		source->owner_gid = source->owner_uid;
	}
	if (!ret && group && !parse_id(group, &source->owner_gid)) {
		const struct group *gr = getgrnam(group);

		if (gr)
			source->owner_gid = gr->gr_gid;
		else
			ret = usage_error(cmd, "unknown group '%s'", group);
	}
	source->have_owner = true;
	free(name);
	return ret;
}

static int parse_id_map(const struct cmd *cmd, const char *arg, struct vec *maps)
{
	struct source_id_map map = { .count = 1 };
	char *copy = strdup(arg), *save = NULL, *from, *to, *count;
	bool good;

	if (!copy)
		return CMD_FAILED;
	from = strtok_r(copy, ":", &save);
	to = strtok_r(NULL, ":", &save);
	count = strtok_r(NULL, ":", &save);
	good = from && to && parse_id(from, &map.from) && parse_id(to, &map.to) &&
	       (!count || parse_id(count, &map.count)) && !strtok_r(NULL, ":", &save) &&
	       map.count <= UINT_MAX - map.from && map.count <= UINT_MAX - map.to;
	free(copy);
	if (!good)
		return usage_error(cmd, "invalid id map '%s': FROM:TO[:COUNT] is expected", arg);
	return vec_push_copy(maps, &map) ? CMD_FAILED : 0;
}

static int parse_threads(const struct cmd *cmd, const char *arg, unsigned int *nr)
{
	u64 value;

	if (parse_u64(arg, &value) || !value || value > 1024)
		return usage_error(cmd, "invalid number of threads '%s'", arg);
	*nr = (unsigned int)value;
	return 0;
}

static int parse_features(const char *list, struct mkfs_options *opts)
{
	int ret = mkfs_parse_features(list, opts);

	return ret > 0 ? MKFS_OPTIONS_DONE : ret ? CMD_USAGE : 0;
}

/* Options about what goes into the file system.  -1: it is none of them. */
static int parse_content_option(const struct cmd *cmd, int c, struct mkfs_options *opts)
{
	switch (c) {
	case 'r':
		opts->have_source = true;
		opts->source.path = optarg;
		return 0;
	case OPT_SUBVOL:
		return parse_subvol(cmd, optarg, opts);
	case OPT_INODE_FLAGS:
		return parse_inode_flags(cmd, optarg, opts);
	case OPT_COMPRESS:
		if (btrfs_parse_compression(optarg, &opts->compression, &opts->compression_level))
			return usage_error(cmd, "invalid compression '%s'", optarg);
		return 0;
	case OPT_SHRINK:
		opts->shrink = true;
		return 0;
	case OPT_OWNER:
		return parse_owner(cmd, optarg, &opts->source);
	case OPT_ALL_ROOT:
		opts->source.all_root = true;
		return 0;
	case OPT_UID_MAP:
		return parse_id_map(cmd, optarg, &opts->source.uid_map);
	case OPT_GID_MAP:
		return parse_id_map(cmd, optarg, &opts->source.gid_map);
	case OPT_OVERRIDES:
		opts->source.overrides = optarg;
		return 0;
	default:
		return -1;
	}
}

/* Options about the file system itself.  -1: it is none of them. */
static int parse_layout_option(const struct cmd *cmd, int c, struct mkfs_options *opts)
{
	switch (c) {
	case 'd':
		opts->data_profile = optarg;
		return 0;
	case 'm':
		opts->metadata_profile = optarg;
		return 0;
	case 'M':
		opts->mixed = true;
		return 0;
	case 'n':
		return parse_block_size(cmd, "nodesize", optarg, &opts->nodesize);
	case 's':
		return parse_block_size(cmd, "sectorsize", optarg, &opts->sectorsize);
	case 'b':
		if (parse_size(optarg, &opts->byte_count) || !opts->byte_count)
			return usage_error(cmd, "invalid size '%s'", optarg);
		return 0;
	case 'L':
		opts->label = optarg;
		return 0;
	case 'U':
		return parse_uuid(cmd, optarg, opts->uuid, &opts->have_uuid);
	case OPT_DEVICE_UUID:
		return parse_uuid(cmd, optarg, opts->device_uuid, &opts->have_device_uuid);
	case OPT_CSUM:
		opts->csum = optarg;
		return 0;
	case 'O':
	case 'R':
		return parse_features(optarg, opts);
	default:
		return -1;
	}
}

static int parse_option(const struct cmd *cmd, int c, struct mkfs_options *opts)
{
	int ret = parse_layout_option(cmd, c, opts);

	if (ret == -1)
		ret = parse_content_option(cmd, c, opts);
	if (ret != -1)
		return ret;
	switch (c) {
	case OPT_THREADS:
		return parse_threads(cmd, optarg, &opts->nr_threads);
	case 'f':
		opts->force = true;
		return 0;
	case 'K':
		opts->no_discard = true;
		return 0;
	case OPT_DRY_RUN:
		opts->dry_run = true;
		return 0;
	case OPT_UNDO:
		opts->undo = optarg;
		return 0;
	case OPT_PROGRESS:
		if (progress_mode_parse(optarg, &opts->progress))
			return usage_error(cmd, "invalid argument of --progress '%s'", optarg);
		return 0;
	default:
		ret = cmd_option_exit(cmd, c);
		return ret ? ret : MKFS_OPTIONS_DONE;
	}
}

/* What only makes sense together. */
static int check_options(const struct cmd *cmd, const struct mkfs_options *opts)
{
	if (opts->dry_run && opts->undo)
		return usage_error(cmd, "--dry-run changes nothing that --undo could save");
	if (opts->have_source)
		return 0;
	if (opts->subvols.nr)
		return usage_error(cmd, "--subvol needs --rootdir");
	if (opts->inode_flags.nr)
		return usage_error(cmd, "--inode-flags needs --rootdir");
	if (opts->shrink)
		return usage_error(cmd, "--shrink needs --rootdir");
	if (opts->compression)
		return usage_error(cmd, "--compress needs --rootdir");
	if (opts->source.all_root || opts->source.have_owner || opts->source.overrides ||
	    opts->source.uid_map.nr || opts->source.gid_map.nr)
		return usage_error(cmd, "options about owners and metadata need --rootdir");
	return 0;
}

int mkfs_parse_options(const struct cmd *cmd, int argc, char **argv, struct mkfs_options *opts)
{
	int c, ret;

	memset(opts, 0, sizeof(*opts));
	vec_init(&opts->subvols, sizeof(struct mkfs_subvol_spec));
	vec_init(&opts->inode_flags, sizeof(struct mkfs_inode_flags_spec));
	vec_init(&opts->source.uid_map, sizeof(struct source_id_map));
	vec_init(&opts->source.gid_map, sizeof(struct source_id_map));
	mkfs_default_features(opts);
	while ((c = options_next(argc, argv, "d:m:Mn:s:b:L:U:O:R:r:fKV", long_options)) !=
	       OPTION_END) {
		if (c == 'V') {
			cmd_version.fn(&cmd_version, 1, argv);
			return MKFS_OPTIONS_DONE;
		}
		ret = parse_option(cmd, c, opts);
		if (ret)
			return ret;
	}
	ret = check_options(cmd, opts);
	if (!ret)
		ret = check_operands(cmd, argc, 1, -1);
	opts->devices = argv + optind;
	opts->nr_devices = (unsigned int)(argc - optind);
	opts->source.targets = opts->devices;
	opts->source.nr_targets = opts->nr_devices;
	return ret;
}

void mkfs_options_free(struct mkfs_options *opts)
{
	vec_free(&opts->subvols);
	vec_free(&opts->inode_flags);
	vec_free(&opts->source.uid_map);
	vec_free(&opts->source.gid_map);
}
