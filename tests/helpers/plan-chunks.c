// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the chunk allocator would do next:
 *
 *	plan-chunks IMAGE... -- FLAGS COUNT
 *
 * prints the chunks of the file system and then, after a line "planned", up to
 * COUNT further ones with the block group flags FLAGS (a number), one line each:
 *
 *	logical length flags stripes devid:physical...
 *
 * It ends early when there is no space for another.  Nothing is written.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel-shared/chunk-alloc.h"

static void print_map(const struct btrfs_chunk_map *map)
{
	printf("%llu %llu %llu %u", map->logical, map->length, map->type, map->num_stripes);
	for (unsigned int i = 0; i < map->num_stripes; i++)
		printf(" %llu:%llu", map->stripes[i].dev->devid, map->stripes[i].physical);
	printf("\n");
}

static void print_chunks(const struct btrfs_fs_info *fs_info)
{
	const struct btrfs_chunk_map *map = NULL;

	while ((map = btrfs_next_chunk_map(fs_info, map ? map->logical + map->length : 0)))
		print_map(map);
}

static int plan_chunks(struct btrfs_fs_info *fs_info, u64 flags, unsigned long count)
{
	struct btrfs_chunk_request req = {
		.type = flags,
		.logical = btrfs_next_chunk_logical(fs_info),
	};
	struct btrfs_dev_space *space;
	int ret;

	ret = btrfs_load_dev_space(fs_info, &space);
	if (ret)
		return ret;
	printf("planned\n");
	while (!ret && count-- > 0) {
		struct btrfs_chunk_map *map;

		ret = btrfs_plan_chunk(space, &req, &map);
		if (ret)
			break;
		print_map(map);
		req.logical += map->length;
		btrfs_free_chunk_map(map);
	}
	btrfs_free_dev_space(space);
	return ret == -ENOSPC ? 0 : ret;
}

int main(int argc, char **argv)
{
	struct btrfs_open_args args = { .no_scan = true };
	struct btrfs_fs_info *fs_info;
	int ret;

	if (argc < 5 || strcmp(argv[argc - 3], "--") != 0) {
		fprintf(stderr, "usage: plan-chunks IMAGE... -- FLAGS COUNT\n");
		return 2;
	}
	args.devices = (const char *const *)argv + 2;
	args.nr_devices = (unsigned int)argc - 5;
	ret = btrfs_open_fs(argv[1], &args, &fs_info);
	if (ret)
		return 1;
	print_chunks(fs_info);
	ret = plan_chunks(fs_info, strtoull(argv[argc - 2], NULL, 0),
			  strtoul(argv[argc - 1], NULL, 0));
	btrfs_close_fs(fs_info);
	return ret ? 1 : 0;
}
