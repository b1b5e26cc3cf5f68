// SPDX-License-Identifier: GPL-2.0-only
/*
 * The chunk allocator: layouts that the kernel and mkfs.btrfs have been seen to
 * make, the bookkeeping of free space, and the bytes of the items.
 * (tests/kernel/chunk-alloc.t asks the running kernel.)
 */
#include "tests/unit/volumes-fixture.h"

#define DATA		BTRFS_BLOCK_GROUP_DATA
#define METADATA	BTRFS_BLOCK_GROUP_METADATA
#define SYSTEM		BTRFS_BLOCK_GROUP_SYSTEM
#define RAID0		BTRFS_BLOCK_GROUP_RAID0
#define RAID1		BTRFS_BLOCK_GROUP_RAID1
#define DUP		BTRFS_BLOCK_GROUP_DUP
#define RAID10		BTRFS_BLOCK_GROUP_RAID10
#define RAID5		BTRFS_BLOCK_GROUP_RAID5
#define RAID6		BTRFS_BLOCK_GROUP_RAID6
#define RAID1C3		BTRFS_BLOCK_GROUP_RAID1C3
#define RAID1C4		BTRFS_BLOCK_GROUP_RAID1C4

#define MIB(n)		((n) * (u64)SZ_1M)
#define GIB(n)		((n) * SZ_1G)

static u64 seed = 5;

static void init(struct new_fs *fs, const u64 *sizes)
{
	unsigned int nr = 0;

	while (nr < MAX_DEVS && sizes[nr])
		nr++;
	new_fs_init(fs, sizes, nr, SZ_64K);
}

static struct btrfs_dev_space *space_of(struct new_fs *fs)
{
	struct btrfs_dev_space *space;

	assert_int_equal(btrfs_load_dev_space(fs->fs_info, &space), 0);
	return space;
}

static struct btrfs_chunk_map *plan(struct btrfs_dev_space *space,
				    const struct btrfs_chunk_request *req)
{
	struct btrfs_chunk_map *map;
	int ret = btrfs_plan_chunk(space, req, &map);

	if (ret == -ENOSPC)
		return NULL;
	assert_int_equal(ret, 0);
	return map;
}

/* ---- layouts ---- */

struct place {
	unsigned int devid;
	u64 physical;
};

struct layout {
	u64 sizes[MAX_DEVS];		/* of the devices */
	struct place taken[MAX_DEVS];	/* 1 MiB each, before anything is planned */
	struct btrfs_chunk_request req;
	u64 length;
	u16 num_stripes;
	u16 sub_stripes;
	struct place stripes[MAX_DEVS];
};

/* Those without max_chunk_size are the kernel's, the others those of mkfs.btrfs. */
static const struct layout layouts[] = {
	{ { GIB(10) }, {}, { .type = METADATA }, MIB(256), 1, 1, { { 1, MIB(1) } } },
	{ { GIB(50) }, {}, { .type = METADATA }, MIB(256), 1, 1, { { 1, MIB(1) } } },
	{ { GIB(60) }, {}, { .type = METADATA | DUP }, GIB(1), 2, 1,
	  { { 1, MIB(1) }, { 1, MIB(1025) } } },
	{ { MIB(300) }, {}, { .type = METADATA }, MIB(32), 1, 1, { { 1, MIB(1) } } },
	{ { GIB(10) }, {}, { .type = SYSTEM | DUP }, MIB(32), 2, 1,
	  { { 1, MIB(1) }, { 1, MIB(33) } } },
	{ { GIB(20) }, {}, { .type = DATA }, GIB(1), 1, 1, { { 1, MIB(1) } } },
	/* Mixed groups go by the rules of data. */
	{ { GIB(20) }, {}, { .type = DATA | METADATA }, GIB(1), 1, 1, { { 1, MIB(1) } } },
	/* A tenth of 2524 MiB, each half rounded up to 16 MiB. */
	{ { GIB(1), MIB(800), MIB(700) }, {}, { .type = METADATA | RAID5 }, MIB(256), 3, 1,
	  { { 1, MIB(1) }, { 2, MIB(1) }, { 3, MIB(1) } } },
	{ { GIB(8), GIB(10), GIB(6) }, {}, { .type = DATA | RAID1 }, GIB(1), 2, 1,
	  { { 2, MIB(1) }, { 1, MIB(1) } } },
	/* All holes are large enough: then the sum of what is free decides. */
	{ { GIB(10), GIB(10), GIB(10) }, { { 1, MIB(5) }, { 2, MIB(5) }, { 2, MIB(7) } },
	  { .type = DATA | RAID0 }, GIB(3), 3, 1,
	  { { 3, MIB(1) }, { 1, MIB(6) }, { 2, MIB(8) } } },
	{ { GIB(10), GIB(10), GIB(10), GIB(5) }, {}, { .type = DATA | RAID10 }, GIB(2), 4, 2,
	  { { 1, MIB(1) }, { 2, MIB(1) }, { 3, MIB(1) }, { 4, MIB(1) } } },
	/* An odd number of devices: the least one is left out. */
	{ { GIB(10), GIB(4), GIB(10) }, {}, { .type = DATA | RAID10 }, GIB(1), 2, 2,
	  { { 1, MIB(1) }, { 3, MIB(1) } } },
	{ { GIB(10), GIB(10), GIB(10), GIB(10) }, {}, { .type = DATA | RAID6 }, GIB(2), 4, 1,
	  { { 1, MIB(1) }, { 2, MIB(1) }, { 3, MIB(1) }, { 4, MIB(1) } } },
	{ { GIB(9), GIB(10), GIB(7), GIB(8) }, {}, { .type = METADATA | RAID1C3 }, MIB(256), 3, 1,
	  { { 2, MIB(1) }, { 1, MIB(1) }, { 4, MIB(1) } } },
	{ { GIB(9), GIB(10), GIB(7), GIB(8) }, {}, { .type = SYSTEM | RAID1C4 }, MIB(32), 4, 1,
	  { { 2, MIB(1) }, { 1, MIB(1) }, { 4, MIB(1) }, { 3, MIB(1) } } },
	/* As many devices as there are, even if the last one has hardly any space. */
	{ { GIB(10), GIB(10), MIB(3) }, {}, { .type = DATA | RAID0 }, MIB(6), 3, 1,
	  { { 1, MIB(1) }, { 2, MIB(1) }, { 3, MIB(1) } } },
	/* The first hole that suffices, not the largest. */
	{ { GIB(10) }, { { 1, MIB(100) }, { 1, MIB(300) }, { 1, MIB(800) } },
	  { .type = METADATA }, MIB(256), 1, 1, { { 1, MIB(301) } } },
	/* If none does, the first of the largest. */
	{ { MIB(400) }, { { 1, MIB(100) }, { 1, MIB(200) }, { 1, MIB(303) } },
	  { .type = DATA }, MIB(48), 1, 1, { { 1, MIB(201) } } },
	/* mkfs.btrfs -m raid0 -d raid0 on two devices, stripes of 8 MiB for the system. */
	{ { GIB(2), GIB(2) }, {}, { SYSTEM | RAID0, 0, MIB(16), MIB(8) }, MIB(16), 2, 1,
	  { { 1, MIB(1) }, { 2, MIB(1) } } },
	{ { GIB(2), GIB(2) }, {}, { METADATA | RAID0, 0, MIB(256), 0 }, MIB(256), 2, 1,
	  { { 1, MIB(1) }, { 2, MIB(1) } } },
	/* A limit that was asked for is not rounded up: a tenth of 4 GiB. */
	{ { GIB(2), GIB(2) }, {}, { DATA | RAID0, 0, 429496729, 0 }, 429391872, 2, 1,
	  { { 1, MIB(1) }, { 2, MIB(1) } } },
	{ { GIB(10), GIB(10), GIB(10), GIB(10) }, {},
	  { DATA | RAID10, 0, GIB(4), 0 }, GIB(2), 4, 2,
	  { { 1, MIB(1) }, { 2, MIB(1) }, { 3, MIB(1) }, { 4, MIB(1) } } },
	{ { GIB(2) }, {}, { DATA, 0, 1, 0 }, SZ_64K, 1, 1, { { 1, MIB(1) } } },
};

static void check_layout(size_t number, const struct layout *l)
{
	struct btrfs_dev_space *space;
	struct btrfs_chunk_map *map;
	struct new_fs fs;

	init(&fs, l->sizes);
	space = space_of(&fs);
	for (const struct place *p = l->taken; p->devid; p++)
		assert_int_equal(btrfs_dev_space_take(space, p->devid, p->physical, SZ_1M), 0);
	map = plan(space, &l->req);
	assert_non_null(map);
	if (map->length != l->length || map->num_stripes != l->num_stripes ||
	    map->sub_stripes != l->sub_stripes || map->type != l->req.type)
		fail_msg("layout %zu: length %llu, %u stripes", number, map->length,
			 map->num_stripes);
	for (unsigned int i = 0; i < l->num_stripes; i++) {
		if (map->stripes[i].dev->devid != l->stripes[i].devid ||
		    map->stripes[i].physical != l->stripes[i].physical)
			fail_msg("layout %zu: stripe %u on %llu at %llu", number, i,
				 map->stripes[i].dev->devid, map->stripes[i].physical);
	}
	assert_int_equal(btrfs_add_chunk_map(fs.fs_info, map), 0);
	btrfs_free_dev_space(space);
	new_fs_free(&fs);
}

static void chunks_are_laid_out_as_the_kernel_does(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(layouts); i++)
		check_layout(i, &layouts[i]);
}

/* ---- limits ---- */

static const struct {
	u64 profile;
	unsigned int devs_min;
	unsigned int bears;
} profiles[] = {
	{ 0, 1, 0 }, { DUP, 1, 0 }, { RAID0, 1, 0 }, { RAID1, 2, 1 }, { RAID10, 2, 1 },
	{ RAID5, 2, 1 }, { RAID6, 3, 2 }, { RAID1C3, 3, 2 }, { RAID1C4, 4, 3 },
};

static void too_few_devices_are_no_space(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(profiles); i++) {
		const struct btrfs_chunk_request req = { .type = DATA | profiles[i].profile };

		assert_int_equal(btrfs_raid_attr(req.type)->devs_min, profiles[i].devs_min);
		assert_int_equal(btrfs_raid_attr(req.type)->tolerated_failures, profiles[i].bears);
		for (unsigned int nr = 1; nr <= 4; nr++) {
			u64 sizes[MAX_DEVS] = { 0 };
			struct btrfs_dev_space *space;
			struct btrfs_chunk_map *map;
			struct new_fs fs;

			for (unsigned int d = 0; d < nr; d++)
				sizes[d] = GIB(1);
			init(&fs, sizes);
			space = space_of(&fs);
			map = plan(space, &req);
			assert_int_equal(map != NULL, nr >= profiles[i].devs_min);
			btrfs_free_chunk_map(map);
			btrfs_free_dev_space(space);
			new_fs_free(&fs);
		}
	}
	assert_null(btrfs_raid_attr(DATA | RAID0 | RAID1));
}

static void missing_devices_and_seeds_get_nothing(void **state)
{
	const u64 sizes[MAX_DEVS] = { GIB(1), GIB(2), GIB(3), GIB(4) };
	const struct btrfs_chunk_request req = { .type = DATA | RAID0 };
	struct btrfs_dev_space *space;
	struct btrfs_chunk_map *map;
	struct new_fs fs;

	init(&fs, sizes);
	new_fs_device(&fs, 4)->bdev = NULL;
	memset(new_fs_device(&fs, 3)->fsid, 0x77, BTRFS_FSID_SIZE);
	space = space_of(&fs);
	assert_int_equal(btrfs_dev_space_nr_devices(space), 2);
	assert_int_equal(btrfs_dev_space_total_bytes(space), GIB(3));
	map = plan(space, &req);
	assert_int_equal(map->num_stripes, 2);
	assert_int_equal(map->stripes[0].dev->devid, 2);
	assert_int_equal(map->stripes[1].dev->devid, 1);
	btrfs_free_chunk_map(map);
	btrfs_free_dev_space(space);
	new_fs_free(&fs);
}

static void nonsense_is_refused(void **state)
{
	static const struct btrfs_chunk_request bad[] = {
		{ .type = 0 },
		{ .type = RAID1 },
		{ .type = DATA | SYSTEM },
		{ .type = DATA | RAID0 | RAID1 },
		{ .type = DATA | 1ULL << 40 },
		{ .type = DATA, .logical = -(u64)SZ_64K },
	};
	const u64 sizes[MAX_DEVS] = { GIB(1), GIB(1) };
	struct btrfs_dev_space *space;
	struct btrfs_chunk_map *map;
	struct new_fs fs;

	init(&fs, sizes);
	space = space_of(&fs);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(btrfs_plan_chunk(space, &bad[i], &map), -EINVAL);
	btrfs_free_dev_space(space);
	new_fs_free(&fs);
}

/* Whatever can be had until the devices are full: no overlap, nothing outside, nothing left. */
static void devices_can_be_filled_to_the_end(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(profiles); i++) {
		const u64 sizes[MAX_DEVS] = { GIB(3) + SZ_4K, GIB(2), GIB(2), GIB(1), MIB(100) };
		struct btrfs_chunk_request req = { .type = DATA | profiles[i].profile };
		struct btrfs_chunk_map *map;
		struct btrfs_dev_space *space;
		struct btrfs_dev_avail avail;
		unsigned int with_space = 0;
		struct new_fs fs;

		init(&fs, sizes);
		space = space_of(&fs);
		req.logical = btrfs_next_chunk_logical(fs.fs_info);
		assert_int_equal(req.logical, MIB(1));
		while ((map = plan(space, &req))) {
			/* Refused if it makes no sense; taking it twice fails. */
			assert_int_equal(btrfs_dev_space_take(space, map->stripes[0].dev->devid,
							      map->stripes[0].physical, SZ_64K),
					 -EEXIST);
			assert_int_equal(btrfs_add_chunk_map(fs.fs_info, map), 0);
			req.logical = btrfs_next_chunk_logical(fs.fs_info);
		}
		for (unsigned int d = 0; d < btrfs_dev_space_nr_devices(space); d++) {
			btrfs_dev_space_find_hole(space, d, SZ_64K, &avail);
			assert_int_equal(avail.total_avail,
					 avail.dev->total_bytes - avail.dev->bytes_used);
			with_space += avail.max_avail >=
				      SZ_64K * btrfs_raid_attr(req.type)->dev_stripes;
		}
		assert_true(with_space < profiles[i].devs_min);
		btrfs_free_dev_space(space);
		/* The chunk map alone says the same. */
		space = space_of(&fs);
		assert_null(plan(space, &req));
		btrfs_free_dev_space(space);
		new_fs_free(&fs);
	}
}

static void many_devices_do_not_overflow_the_item(void **state)
{
	const u64 sizes[MAX_DEVS] = { GIB(1) };
	struct btrfs_dev_space *space;
	struct new_fs fs;
	const struct {
		u64 type;
		u16 num_stripes;
	} expected[] = {
		{ SYSTEM | RAID0, 58 },
		{ SYSTEM | RAID10, 58 },
		{ METADATA | RAID0, 300 },
		{ METADATA | RAID6, 257 },
	};

	init(&fs, sizes);
	for (unsigned int devid = 2; devid <= 300; devid++) {
		struct btrfs_new_device dev = { .devid = devid, .total_bytes = GIB(1) };

		new_fs_uuid(dev.uuid, devid);
		dev.uuid[1] = (u8)(devid >> 8);
		dev.bdev = &memdev_new("disk", SZ_64K)->dev;
		assert_int_equal(btrfs_add_device(fs.fs_info, &dev, NULL), 0);
	}
	space = space_of(&fs);
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		const struct btrfs_chunk_request req = {
			.type = expected[i].type,
			.logical = btrfs_next_chunk_logical(fs.fs_info),
		};
		struct btrfs_chunk_map *map = plan(space, &req);

		assert_int_equal(map->num_stripes, expected[i].num_stripes);
		assert_int_equal(btrfs_add_chunk_map(fs.fs_info, map), 0);
	}
	btrfs_free_dev_space(space);
	new_fs_free(&fs);
}

/* ---- free space ---- */

#define UNITS		64	/* of 1 MiB on the device of the model */

static u64 model_first_hole(const bool *taken, u64 want, u64 *start)
{
	u64 best = 0, len = 0;

	*start = 0;
	for (unsigned int i = 1; i <= UNITS; i++) {
		if (i < UNITS && !taken[i]) {
			len++;
			continue;
		}
		if (len > best && best < want) {
			best = len;
			*start = i - len;
		}
		len = 0;
	}
	return min(best, want);
}

static void compare_with_model(const struct btrfs_dev_space *space, const bool *taken)
{
	unsigned int nr_taken = 0;

	for (unsigned int i = 0; i < UNITS; i++)
		nr_taken += taken[i];
	for (u64 want = 1; want <= UNITS; want += 3) {
		struct btrfs_dev_avail avail;
		u64 start, len = model_first_hole(taken, want, &start);

		btrfs_dev_space_find_hole(space, 0, want * SZ_1M, &avail);
		assert_int_equal(avail.max_avail, len * SZ_1M);
		assert_int_equal(avail.total_avail, MIB(UNITS - nr_taken));
		if (len)
			assert_int_equal(avail.start, start * SZ_1M);
	}
}

static bool all_are(const bool *taken, u64 start, u64 len, bool value)
{
	for (u64 i = start; i < start + len; i++) {
		if (i >= UNITS || taken[i] != value)
			return false;
	}
	return true;
}

static void free_space_is_kept_right(void **state)
{
	const u64 sizes[MAX_DEVS] = { MIB(UNITS) };
	struct btrfs_dev_space *space;
	bool taken[UNITS] = { false };
	struct new_fs fs;

	init(&fs, sizes);
	space = space_of(&fs);
	for (unsigned int n = 0; n < 4000; n++) {
		u64 start = test_random(&seed) % UNITS, len = 1 + test_random(&seed) % 6;
		bool give = test_random(&seed) % 2;
		bool fits = all_are(taken, start, len, give);
		int ret;

		if (give)
			ret = btrfs_dev_space_give(space, 1, start * SZ_1M, len * SZ_1M);
		else
			ret = btrfs_dev_space_take(space, 1, start * SZ_1M, len * SZ_1M);
		assert_int_equal(ret, fits ? 0 : give ? -EINVAL : -EEXIST);
		for (u64 i = start; fits && i < start + len; i++)
			taken[i] = !give;
		if (n % 16 == 0)
			compare_with_model(space, taken);
	}
	assert_int_equal(btrfs_dev_space_take(space, 2, 0, 1), -ENODEV);
	assert_int_equal(btrfs_dev_space_give(space, 2, 0, 1), -ENODEV);
	assert_int_equal(btrfs_dev_space_take(space, 1, SZ_1M, (u64)-1), -EEXIST);
	btrfs_free_dev_space(space);
	new_fs_free(&fs);
}

static void what_is_not_used_after_all_is_given_back(void **state)
{
	const u64 sizes[MAX_DEVS] = { GIB(4), GIB(4), GIB(4), GIB(4) };

	for (size_t i = 0; i < ARRAY_SIZE(profiles); i++) {
		const struct btrfs_chunk_request req = { .type = DATA | profiles[i].profile };
		struct btrfs_chunk_map *first, *second, *again;
		struct btrfs_dev_space *space;
		struct new_fs fs;

		init(&fs, sizes);
		space = space_of(&fs);
		first = plan(space, &req);
		second = plan(space, &req);
		assert_int_equal(btrfs_unplan_chunk(space, first), 0);
		assert_int_equal(btrfs_unplan_chunk(space, second), 0);
		assert_int_equal(btrfs_unplan_chunk(space, second), -EINVAL);
		again = plan(space, &req);
		assert_int_equal(again->stripes[0].dev->devid, first->stripes[0].dev->devid);
		assert_int_equal(again->stripes[0].physical, first->stripes[0].physical);
		btrfs_free_chunk_map(first);
		btrfs_free_chunk_map(second);
		btrfs_free_chunk_map(again);
		btrfs_free_dev_space(space);
		new_fs_free(&fs);
	}
}

static void devices_grow_shrink_and_are_added(void **state)
{
	const u64 sizes[MAX_DEVS] = { MIB(64) };
	struct btrfs_new_device new_dev = { .devid = 7, .total_bytes = MIB(32) };
	struct btrfs_dev_space *space;
	struct btrfs_dev_avail avail;
	struct btrfs_device *dev;
	struct new_fs fs;

	init(&fs, sizes);
	space = space_of(&fs);
	dev = new_fs_device(&fs, 1);
	assert_int_equal(btrfs_dev_space_take(space, 1, MIB(40), MIB(8)), 0);
	dev->total_bytes = MIB(100);
	assert_int_equal(btrfs_dev_space_update_device(space, dev), 0);
	btrfs_dev_space_find_hole(space, 0, GIB(1), &avail);
	assert_int_equal(avail.start, MIB(48));
	assert_int_equal(avail.max_avail, MIB(52));
	assert_int_equal(avail.total_avail, MIB(92));
	dev->total_bytes = MIB(47);
	assert_int_equal(btrfs_dev_space_update_device(space, dev), -EEXIST);
	dev->total_bytes = MIB(48);
	assert_int_equal(btrfs_dev_space_update_device(space, dev), 0);
	btrfs_dev_space_find_hole(space, 0, GIB(1), &avail);
	assert_int_equal(avail.max_avail, MIB(39));
	assert_int_equal(avail.total_avail, MIB(40));

	new_fs_uuid(new_dev.uuid, 7);
	new_dev.bdev = &memdev_new("disk7", SZ_64K)->dev;
	assert_int_equal(btrfs_add_device(fs.fs_info, &new_dev, &dev), 0);
	assert_int_equal(btrfs_dev_space_update_device(space, dev), 0);
	assert_int_equal(btrfs_dev_space_total_bytes(space), MIB(80));
	btrfs_free_dev_space(space);
	new_fs_free(&fs);
}

/* ---- items ---- */

static void items_say_what_the_map_says(void **state)
{
	const u64 sizes[MAX_DEVS] = { GIB(2), GIB(1) };
	const struct btrfs_chunk_request req = { .type = SYSTEM | RAID1, .logical = MIB(22) };
	struct btrfs_dev_extent extent;
	struct btrfs_dev_space *space;
	struct btrfs_chunk_map *map;
	struct btrfs_dev_item item;
	struct new_fs fs;
	u8 bytes[200];
	struct btrfs_chunk *chunk = (void *)bytes;

	init(&fs, sizes);
	memset(fs.fs_info->chunk_tree_uuid, 0x33, BTRFS_UUID_SIZE);
	space = space_of(&fs);
	map = plan(space, &req);
	btrfs_chunk_item_from_map(fs.fs_info, map, chunk);
	assert_null(btrfs_chunk_problem(fs.fs_info, map->logical, chunk,
					btrfs_chunk_item_size(2)));
	assert_int_equal(le64toh(chunk->length), MIB(32));
	assert_int_equal(le64toh(chunk->owner), BTRFS_EXTENT_TREE_OBJECTID);
	assert_int_equal(le32toh(chunk->io_align), SZ_64K);
	assert_int_equal(le32toh(chunk->io_width), SZ_64K);
	assert_int_equal(le32toh(chunk->sector_size), SZ_4K);
	assert_int_equal(le64toh((&chunk->stripe)[1].devid), 2);
	assert_int_equal(le64toh((&chunk->stripe)[1].offset), MIB(1));
	assert_memory_equal((&chunk->stripe)[1].dev_uuid, new_fs_device(&fs, 2)->uuid,
			    BTRFS_UUID_SIZE);

	btrfs_dev_extent_from_map(fs.fs_info, map, &extent);
	assert_int_equal(le64toh(extent.chunk_tree), BTRFS_CHUNK_TREE_OBJECTID);
	assert_int_equal(le64toh(extent.chunk_objectid), BTRFS_FIRST_CHUNK_TREE_OBJECTID);
	assert_int_equal(le64toh(extent.chunk_offset), MIB(22));
	assert_int_equal(le64toh(extent.length), MIB(32));
	assert_memory_equal(extent.chunk_tree_uuid, fs.fs_info->chunk_tree_uuid, BTRFS_UUID_SIZE);

	assert_int_equal(btrfs_add_chunk_map(fs.fs_info, map), 0);
	btrfs_set_dev_item(new_fs_device(&fs, 1), &item);
	assert_int_equal(le64toh(item.devid), 1);
	assert_int_equal(le64toh(item.total_bytes), GIB(2));
	assert_int_equal(le64toh(item.bytes_used), MIB(32));
	assert_int_equal(le32toh(item.sector_size), SZ_4K);
	assert_memory_equal(item.fsid, fs.fs_info->metadata_uuid, BTRFS_FSID_SIZE);
	btrfs_free_dev_space(space);
	new_fs_free(&fs);
}

/* Chunks of 58 stripes are too many for two of them, and more than enough for one. */
static void the_array_of_the_superblock_takes_what_it_has_room_for(void **state)
{
	const u64 sizes[MAX_DEVS] = { GIB(1) };
	struct btrfs_super_block *sb;
	struct btrfs_chunk_map *map;
	u8 before[BTRFS_SYSTEM_CHUNK_ARRAY_SIZE];
	unsigned int nr = 0;
	struct new_fs fs;
	u64 size;

	init(&fs, sizes);
	sb = &fs.fs_info->super_copy;
	map = btrfs_alloc_chunk_map(2);
	assert_non_null(map);
	map->stripes[0].dev = map->stripes[1].dev = new_fs_device(&fs, 1);
	map->type = SYSTEM | DUP;
	map->length = map->stripe_size = MIB(1);
	map->sub_stripes = 1;
	while (map->logical += MIB(1), btrfs_add_system_chunk(fs.fs_info, sb, map) == 0)
		nr++;
	assert_int_equal(nr, BTRFS_SYSTEM_CHUNK_ARRAY_SIZE / (17 + 48 + 2 * 32));
	assert_int_equal(btrfs_add_system_chunk(fs.fs_info, sb, map), -EFBIG);
	map->logical = MIB(3);
	assert_int_equal(btrfs_add_system_chunk(fs.fs_info, sb, map), -EEXIST);
	assert_int_equal(btrfs_del_system_chunk(sb, MIB(99)), -ENOENT);

	size = le32toh(sb->sys_chunk_array_size);
	memcpy(before, sb->sys_chunk_array, sizeof(before));
	assert_int_equal(btrfs_del_system_chunk(sb, MIB(3)), 0);
	assert_int_equal(le32toh(sb->sys_chunk_array_size), size - 129);
	assert_memory_equal(sb->sys_chunk_array, before, 2 * 129);
	assert_memory_equal(sb->sys_chunk_array + 2 * 129, before + 3 * 129, size - 3 * 129);
	assert_int_equal(btrfs_read_sys_array(fs.fs_info), 0);
	assert_null(btrfs_find_chunk_map(fs.fs_info, MIB(3)));
	assert_non_null(btrfs_find_chunk_map(fs.fs_info, MIB(4)));

	sb->sys_chunk_array_size = htole32(BTRFS_SYSTEM_CHUNK_ARRAY_SIZE + 1);
	assert_int_equal(btrfs_del_system_chunk(sb, MIB(4)), -EUCLEAN);
	sb->sys_chunk_array_size = htole32(200);
	assert_int_equal(btrfs_del_system_chunk(sb, MIB(2)), -EUCLEAN);
	assert_int_equal(btrfs_add_system_chunk(fs.fs_info, sb, map), -EUCLEAN);
	btrfs_free_chunk_map(map);
	new_fs_free(&fs);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(chunks_are_laid_out_as_the_kernel_does),
		cmocka_unit_test(too_few_devices_are_no_space),
		cmocka_unit_test(missing_devices_and_seeds_get_nothing),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(devices_can_be_filled_to_the_end),
		cmocka_unit_test(many_devices_do_not_overflow_the_item),
		cmocka_unit_test(free_space_is_kept_right),
		cmocka_unit_test(what_is_not_used_after_all_is_given_back),
		cmocka_unit_test(devices_grow_shrink_and_are_added),
		cmocka_unit_test(items_say_what_the_map_says),
		cmocka_unit_test(the_array_of_the_superblock_takes_what_it_has_room_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
