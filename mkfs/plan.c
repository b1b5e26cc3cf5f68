// SPDX-License-Identifier: GPL-2.0-only
/*
 * From options to a plan: defaults, and what cannot be made.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uuid/uuid.h>

#include "common/message.h"
#include "common/string-utils.h"
#include "kernel-shared/chunk-alloc.h"
#include "kernel-shared/disk-io.h"
#include "mkfs/options.h"

#define DEFAULT_NODESIZE	SZ_16K
#define DEFAULT_SECTORSIZE	SZ_4K

static int choose_sizes(const struct mkfs_options *opts, struct mkfs_plan *plan)
{
	plan->sectorsize = opts->sectorsize ? opts->sectorsize : DEFAULT_SECTORSIZE;
	if (!is_power_of_2(plan->sectorsize) || plan->sectorsize < SZ_4K ||
	    plan->sectorsize > SZ_64K) {
		error("illegal sectorsize %u: a power of two from 4096 to 65536 is needed",
		      plan->sectorsize);
		return -EINVAL;
	}
	if (opts->nodesize)
		plan->nodesize = opts->nodesize;
	else
		plan->nodesize = plan->mixed ? plan->sectorsize :
					       max(DEFAULT_NODESIZE, plan->sectorsize);
	if (plan->nodesize > BTRFS_MAX_METADATA_BLOCKSIZE) {
		error("illegal nodesize %u: larger than %u", plan->nodesize,
		      BTRFS_MAX_METADATA_BLOCKSIZE);
		return -EINVAL;
	}
	if (plan->nodesize < plan->sectorsize || !is_power_of_2(plan->nodesize)) {
		error("illegal nodesize %u: a power of two and at least %u is needed",
		      plan->nodesize, plan->sectorsize);
		return -EINVAL;
	}
	if (plan->mixed && plan->nodesize != plan->sectorsize) {
		error("illegal nodesize %u: not equal to %u for mixed block group",
		      plan->nodesize, plan->sectorsize);
		return -EINVAL;
	}
	return 0;
}

static int choose_profile(const char *name, const char *what, u64 standard, u64 *profile)
{
	*profile = standard;
	if (name && mkfs_parse_profile(name, profile)) {
		error("unknown %s profile: %s", what, name);
		return -EINVAL;
	}
	return 0;
}

static int choose_profiles(const struct mkfs_options *opts, struct mkfs_plan *plan)
{
	u64 metadata = opts->nr_devices > 1 ? BTRFS_BLOCK_GROUP_RAID1 : BTRFS_BLOCK_GROUP_DUP;
	int ret;

	if (plan->mixed)
		metadata = 0;
	ret = choose_profile(opts->metadata_profile, "metadata", metadata,
			     &plan->metadata_profile);
	if (!ret)
		ret = choose_profile(opts->data_profile, "data", 0, &plan->data_profile);
	if (ret || !plan->mixed)
		return ret;
	/* One of the two says it for both. */
	if (!opts->metadata_profile)
		plan->metadata_profile = plan->data_profile;
	if (!opts->data_profile)
		plan->data_profile = plan->metadata_profile;
	if (plan->data_profile != plan->metadata_profile) {
		error("cannot mix data and metadata: with mixed block groups their profiles must be "
		      "the same");
		return -EINVAL;
	}
	return 0;
}

static void choose_features(const struct mkfs_options *opts, struct mkfs_plan *plan)
{
	u64 profiles = plan->data_profile | plan->metadata_profile;

	plan->incompat = opts->incompat;
	plan->compat_ro = opts->compat_ro;
	if (plan->mixed)
		plan->incompat |= BTRFS_FEATURE_INCOMPAT_MIXED_GROUPS;
	if (profiles & BTRFS_BLOCK_GROUP_RAID56_MASK)
		plan->incompat |= BTRFS_FEATURE_INCOMPAT_RAID56;
	if (profiles & (BTRFS_BLOCK_GROUP_RAID1C3 | BTRFS_BLOCK_GROUP_RAID1C4))
		plan->incompat |= BTRFS_FEATURE_INCOMPAT_RAID1C34;
	if (plan->nodesize > SZ_4K)
		plan->incompat |= BTRFS_FEATURE_INCOMPAT_BIG_METADATA;
	if (plan->compression == BTRFS_COMPRESS_LZO)
		plan->incompat |= BTRFS_FEATURE_INCOMPAT_COMPRESS_LZO;
	if (plan->compression == BTRFS_COMPRESS_ZSTD)
		plan->incompat |= BTRFS_FEATURE_INCOMPAT_COMPRESS_ZSTD;
	plan->quota = opts->quota;
	plan->simple_quota = opts->simple_quota;
}

static int check_features(const struct mkfs_plan *plan)
{
	bool free_space_tree = plan->compat_ro & BTRFS_FEATURE_COMPAT_RO_FREE_SPACE_TREE;
	bool no_holes = plan->incompat & BTRFS_FEATURE_INCOMPAT_NO_HOLES;

	if (plan->compat_ro & BTRFS_FEATURE_COMPAT_RO_BLOCK_GROUP_TREE &&
	    (!free_space_tree || !no_holes)) {
		error("cannot make a block group tree: it needs free-space-tree and no-holes");
		return -EINVAL;
	}
	if (plan->quota && plan->simple_quota) {
		error("cannot enable quotas: quota and squota exclude each other");
		return -EINVAL;
	}
	return 0;
}

static int choose_csum(const struct mkfs_options *opts, struct mkfs_plan *plan)
{
	static const struct {
		const char *name;
		u16 type;
	} types[] = {
		{ "crc32c", BTRFS_CSUM_TYPE_CRC32 },
		{ "xxhash64", BTRFS_CSUM_TYPE_XXHASH },
		{ "xxhash", BTRFS_CSUM_TYPE_XXHASH },
		{ "sha256", BTRFS_CSUM_TYPE_SHA256 },
		{ "blake2b", BTRFS_CSUM_TYPE_BLAKE2 },
		{ "blake2", BTRFS_CSUM_TYPE_BLAKE2 },
	};

	plan->csum_type = BTRFS_CSUM_TYPE_CRC32;
	if (!opts->csum)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		if (!strcmp(opts->csum, types[i].name)) {
			plan->csum_type = types[i].type;
			return 0;
		}
	}
	error("unknown csum type: %s", opts->csum);
	return -EINVAL;
}

static int choose_label(const struct mkfs_options *opts, struct mkfs_plan *plan)
{
	if (!opts->label)
		return 0;
	if (strlen(opts->label) >= sizeof(plan->label)) {
		error("cannot use the label %s: too long (max %zu)", opts->label, sizeof(plan->label) - 1);
		return -EINVAL;
	}
	if (strpbrk(opts->label, "\n")) {
		error("cannot use the label: it contains a newline");
		return -EINVAL;
	}
	strcpy(plan->label, opts->label);
	return 0;
}

/* The time that stands in for all that is not known: SOURCE_DATE_EPOCH, or now. */
static int choose_time(struct mkfs_plan *plan, struct source_options *source)
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	u64 seconds;

	clock_gettime(CLOCK_REALTIME, &plan->now);
	if (!epoch || !*epoch)
		return 0;
	if (parse_u64(epoch, &seconds) || seconds > (u64)S64_MAX) {
		error("SOURCE_DATE_EPOCH is not a number of seconds: %s", epoch);
		return -EINVAL;
	}
	plan->now = (struct timespec){ .tv_sec = (time_t)seconds };
	source->clamp_times = true;
	source->epoch = plan->now;
	return 0;
}

static void choose_uuids(const struct mkfs_options *opts, struct mkfs_plan *plan)
{
	plan->derive_uuids = opts->have_uuid;
	if (opts->have_uuid)
		memcpy(plan->fsid, opts->uuid, BTRFS_FSID_SIZE);
	else
		uuid_generate(plan->fsid);
	mkfs_new_uuid(plan, "chunk tree", 0, plan->chunk_tree_uuid);
}

int mkfs_make_plan(const struct cmd *cmd, const struct mkfs_options *opts, struct mkfs_plan *plan)
{
	int ret;

	(void)cmd;
	plan->mixed = opts->mixed;
	plan->subvols = opts->subvols;
	plan->inode_flags = opts->inode_flags;
	plan->compression = (u8)opts->compression;
	plan->compression_level = opts->compression_level;
	plan->shrink = opts->shrink;
	plan->nr_threads = opts->nr_threads;
	plan->dry_run = opts->dry_run;
	/* What is discarded would have to be saved first. */
	plan->no_discard = opts->no_discard || opts->undo;
	plan->progress = opts->progress;
	ret = choose_sizes(opts, plan);
	if (!ret)
		ret = choose_profiles(opts, plan);
	if (!ret)
		ret = choose_csum(opts, plan);
	if (!ret)
		ret = choose_label(opts, plan);
	if (!ret)
		ret = choose_time(plan, (struct source_options *)&opts->source);
	if (ret)
		return ret;
	choose_features(opts, plan);
	choose_uuids(opts, plan);
	return check_features(plan);
}

/* ---- devices ---- */

static int check_nr_devices(const struct mkfs_plan *plan, const char *what, u64 profile)
{
	const struct btrfs_raid_attr *attr = btrfs_raid_attr(profile);

	if (plan->devices.nr >= attr->devs_min)
		return 0;
	error("unable to create FS with %s profile %s: have %zu devices but %u devices are "
	      "required", what, btrfs_bg_type_to_raid_name(profile), plan->devices.nr,
	      attr->devs_min);
	return -EINVAL;
}

/* Stripes that one chunk of the profile has on a device. */
static u64 stripes_on_device(u64 profile)
{
	return btrfs_raid_attr(profile)->dev_stripes;
}

u64 mkfs_min_device_size(const struct mkfs_plan *plan)
{
	/* Where allocation begins, and the first chunks, which are single. */
	u64 size = SZ_1M + 4ULL * SZ_1M + 8ULL * SZ_1M;

	if (plan->mixed)
		return size + (plan->metadata_profile ?
			       stripes_on_device(plan->metadata_profile) * (8 + 8) * SZ_1M : 0);
	size += 8ULL * SZ_1M;
	if (plan->metadata_profile)
		size += stripes_on_device(plan->metadata_profile) * (8ULL + 32) * SZ_1M;
	if (plan->data_profile)
		size += stripes_on_device(plan->data_profile) * 64ULL * SZ_1M;
	return size;
}

int mkfs_check_devices(const struct mkfs_options *opts, const struct mkfs_plan *plan)
{
	u64 least = mkfs_min_device_size(plan);
	const struct mkfs_device *device;
	int ret;

	ret = check_nr_devices(plan, "metadata", plan->metadata_profile);
	if (!ret)
		ret = check_nr_devices(plan, "data", plan->data_profile);
	if (ret)
		return ret;
	vec_for_each(&plan->devices, device) {
		if (device->size >= least || plan->shrink)
			continue;
		error("%s is too small to make a usable filesystem: it has %llu bytes, %llu are "
		      "needed", device->path, device->size, least);
		return -ENOSPC;
	}
	if (plan->shrink && plan->devices.nr > 1) {
		error("cannot shrink the file system: it is on several devices");
		return -EINVAL;
	}
	if (plan->devices.nr > 1 && plan->metadata_profile == BTRFS_BLOCK_GROUP_DUP)
		warning("DUP is not recommended on filesystem with multiple devices");
	if ((plan->data_profile | plan->metadata_profile) & BTRFS_BLOCK_GROUP_RAID56_MASK)
		warning("RAID5/6 support has known problems in the kernel: it can lose data at a "
			"power failure");
	(void)opts;
	return 0;
}
