// SPDX-License-Identifier: GPL-2.0-only
/*
 * mkfs.btrfs, also known as btrfs mkfs: make a file system and tell what it is like.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uuid/uuid.h>

#include "cmds/cmds.h"
#include "common/message.h"
#include "common/undo-file.h"
#include "common/units.h"
#include "kernel-shared/disk-io.h"
#include "kernel-shared/volumes.h"
#include "mkfs/estimate.h"
#include "mkfs/options.h"

static void print_group_line(const char *what, u64 profile, u64 bytes)
{
	char size[PRETTY_SIZE_LEN];

	printf("  %-17s %-8s %15s\n", what, btrfs_bg_type_to_raid_name(profile),
	       pretty_size(bytes, size));
}

static void print_devices(const struct mkfs_plan *plan)
{
	const struct mkfs_device *device;
	char size[PRETTY_SIZE_LEN];
	unsigned int devid = 1;

	printf("Number of devices:  %zu\nDevices:\n   ID        SIZE  PATH\n", plan->devices.nr);
	vec_for_each(&plan->devices, device)
		printf("  %3u  %10s  %s\n", devid++, pretty_size(device->size, size), device->path);
	printf("\n");
}

static void print_summary(const struct mkfs_plan *plan, const struct mkfs_result *result)
{
	char incompat[256], runtime[256], uuid[37], size[PRETTY_SIZE_LEN];

	uuid_unparse(plan->fsid, uuid);
	printf("Label:              %s\n", *plan->label ? plan->label : "(null)");
	printf("UUID:               %s\n", uuid);
	printf("Node size:          %u\n", plan->nodesize);
	printf("Sector size:        %u\n", plan->sectorsize);
	printf("Filesystem size:    %s\n", pretty_size(result->total_bytes, size));
	printf("Block group profiles:\n");
	if (plan->mixed) {
		print_group_line("Data+Metadata:", plan->metadata_profile, result->data_bytes);
	} else {
		print_group_line("Data:", plan->data_profile, result->data_bytes);
		print_group_line("Metadata:", plan->metadata_profile, result->metadata_bytes);
	}
	print_group_line("System:", plan->metadata_profile, result->system_bytes);
	mkfs_feature_names(plan->incompat, plan->compat_ro, plan->quota, plan->simple_quota,
			   incompat, runtime, sizeof(incompat));
	printf("Incompat features:  %s\n", incompat);
	printf("Runtime features:   %s\n", runtime);
	printf("Checksum:           %s\n", btrfs_csum_type_name(plan->csum_type));
	print_devices(plan);
}

static int make(const struct cmd *cmd, struct mkfs_options *opts, struct mkfs_plan *plan,
		struct undo_writer **undo)
{
	struct mkfs_result result;
	int ret = mkfs_make_plan(cmd, opts, plan);

	if (!ret && opts->have_source)
		ret = source_load(&opts->source, &plan->source);
	if (!ret)
		ret = mkfs_open_devices(opts, plan, undo);
	if (!ret)
		ret = mkfs_check_devices(opts, plan);
	if (!ret && plan->source)
		ret = mkfs_check_content_fits(plan);
	if (!ret)
		ret = mkfs_make(plan, &result);
	if (!ret && message_verbosity() >= MSG_DEFAULT)
		print_summary(plan, &result);
	if (!ret && opts->dry_run)
		info("dry run: nothing was written");
	return ret;
}

static int cmd_mkfs_fn(const struct cmd *cmd, int argc, char **argv)
{
	unsigned long nr_errors = message_nr_errors();
	struct mkfs_plan plan = { .devices = VEC_INIT(struct mkfs_device) };
	struct undo_writer *undo = NULL;
	struct mkfs_options opts;
	int ret = mkfs_parse_options(cmd, argc, argv, &opts);

	if (ret) {
		mkfs_options_free(&opts);
		return ret == MKFS_OPTIONS_DONE ? CMD_OK : ret;
	}
	ret = make(cmd, &opts, &plan, &undo);
	mkfs_close_devices(&plan);
	if (undo)
		undo_writer_close(undo);
	if (plan.source)
		plan.source->ops->free(plan.source);
	mkfs_options_free(&opts);
	if (ret && message_nr_errors() == nr_errors)
		error("cannot make a file system: %s", errno_text(ret));
	return ret ? CMD_FAILED : CMD_OK;
}

const struct cmd cmd_mkfs = {
	.name = "mkfs",
	.fn = cmd_mkfs_fn,
	.usage = mkfs_usage,
};
