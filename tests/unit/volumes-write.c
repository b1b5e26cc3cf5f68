// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writing through the chunk map: random pieces in every profile, with and
 * without missing devices, read back by every mirror and compared with a copy
 * of what should be there; and many threads in the same full stripes.
 */
#include "tests/unit/volumes-fixture.h"

#include "kernel-shared/volumes-write.h"

#define DEV_SIZE	((u64)SZ_1M)
#define ROWS		3U	/* of 64 KiB stripes in a chunk, on each device */
#define CHUNK_START	(16ULL * SZ_1M)
#define GARBAGE		0x5a

static u64 seed = 11;

struct profile {
	u64 profile;
	u16 num_stripes;
	int copies;		/* mirrors, ways to rebuild included */
	unsigned int bears;	/* devices that may be missing, whichever they are */
};

static const struct profile profiles[] = {
	{ 0, 1, 1, 0 },
	{ BTRFS_BLOCK_GROUP_DUP, 2, 2, 0 },
	{ BTRFS_BLOCK_GROUP_RAID0, 1, 1, 0 },
	{ BTRFS_BLOCK_GROUP_RAID0, 3, 1, 0 },
	{ BTRFS_BLOCK_GROUP_RAID1, 2, 2, 1 },
	{ BTRFS_BLOCK_GROUP_RAID1C3, 3, 3, 2 },
	{ BTRFS_BLOCK_GROUP_RAID1C4, 4, 4, 3 },
	{ BTRFS_BLOCK_GROUP_RAID10, 2, 2, 1 },
	{ BTRFS_BLOCK_GROUP_RAID10, 6, 2, 1 },
	{ BTRFS_BLOCK_GROUP_RAID5, 2, 2, 1 },
	{ BTRFS_BLOCK_GROUP_RAID5, 3, 2, 1 },
	{ BTRFS_BLOCK_GROUP_RAID5, 5, 2, 1 },
	{ BTRFS_BLOCK_GROUP_RAID6, 3, 3, 2 },
	{ BTRFS_BLOCK_GROUP_RAID6, 4, 4, 2 },
	{ BTRFS_BLOCK_GROUP_RAID6, 6, 6, 2 },
};

/* A chunk, and what should be read from it. */
struct fixture {
	struct new_fs fs;
	const struct profile *profile;
	u64 length;
	u8 *expected;
};

/* ---- chunks ---- */

static u64 stripe_physical(const struct profile *p, unsigned int stripe)
{
	/* Elsewhere on each device; the copies of DUP stand on one. */
	if (p->profile == BTRFS_BLOCK_GROUP_DUP)
		return SZ_64K + stripe * (u64)SZ_256K;
	return SZ_64K + stripe * (u64)(SZ_64K + SZ_4K);
}

static struct btrfs_chunk_map *make_map(const struct new_fs *fs, const struct profile *p,
					u64 logical, unsigned int rows)
{
	struct btrfs_chunk_map *map = btrfs_alloc_chunk_map(p->num_stripes);

	assert_non_null(map);
	map->logical = logical;
	map->type = p->profile | BTRFS_BLOCK_GROUP_DATA;
	map->stripe_len = BTRFS_STRIPE_LEN;
	map->sub_stripes = p->profile == BTRFS_BLOCK_GROUP_RAID10 ? 2 : 1;
	map->stripe_size = rows * (u64)BTRFS_STRIPE_LEN;
	map->length = map->stripe_size *
		      btrfs_chunk_data_stripes(map->type, map->num_stripes, map->sub_stripes);
	for (unsigned int i = 0; i < p->num_stripes; i++) {
		bool dup = p->profile == BTRFS_BLOCK_GROUP_DUP;

		map->stripes[i].dev = new_fs_device(fs, dup ? 1 : i + 1);
		map->stripes[i].physical = stripe_physical(p, i);
	}
	return map;
}

/* Devices hold garbage at first, as those do that had another life. */
static void fixture_init(struct fixture *fix, const struct profile *p)
{
	static const u64 sizes[MAX_DEVS] = { DEV_SIZE, DEV_SIZE, DEV_SIZE, DEV_SIZE,
					     DEV_SIZE, DEV_SIZE, DEV_SIZE, DEV_SIZE };
	struct btrfs_chunk_map *map;

	memset(fix, 0, sizeof(*fix));
	fix->profile = p;
	new_fs_init(&fix->fs, sizes, p->profile == BTRFS_BLOCK_GROUP_DUP ? 1 : p->num_stripes,
		    DEV_SIZE);
	for (unsigned int i = 0; i < fix->fs.nr_devs; i++)
		memset(fix->fs.mem[i]->data, GARBAGE, DEV_SIZE);
	map = make_map(&fix->fs, p, CHUNK_START, ROWS);
	fix->length = map->length;
	assert_int_equal(btrfs_add_chunk_map(fix->fs.fs_info, map), 0);
	fix->expected = malloc(fix->length);
	assert_non_null(fix->expected);
}

static void fixture_free(struct fixture *fix)
{
	free(fix->expected);
	new_fs_free(&fix->fs);
}

static void remove_device(struct fixture *fix, unsigned int devid)
{
	struct btrfs_device *dev = new_fs_device(&fix->fs, devid);

	assert_non_null(dev);
	dev->bdev = NULL;
}

/* ---- writing ---- */

static void fill_random(u8 *buf, size_t len)
{
	u64 word;

	for (size_t i = 0; i < len; i += sizeof(word)) {
		word = test_random(&seed);
		memcpy(buf + i, &word, min(sizeof(word), len - i));
	}
}

/* Cut [buf, buf + len) into up to @max buffers, some of them empty. */
static int cut_buffers(u8 *buf, u64 len, struct iovec *iov, int max)
{
	int nr = 1 + (int)(test_random(&seed) % (u64)max);

	for (int i = 0; i < nr; i++) {
		u64 part = i == nr - 1 ? len : test_random(&seed) % (len + 1);

		iov[i] = (struct iovec){ .iov_base = buf, .iov_len = (size_t)part };
		buf += part;
		len -= part;
	}
	return nr;
}

static int write_range(struct fixture *fix, u64 offset, u64 len)
{
	struct iovec iov[5];
	int nr;

	fill_random(fix->expected + offset, (size_t)len);
	nr = cut_buffers(fix->expected + offset, len, iov, ARRAY_SIZE(iov));
	return btrfs_write_logical_iov(fix->fs.fs_info, CHUNK_START + offset, len, iov, nr);
}

/* A range like those that come up: any bytes, sectors, stripes, or all. */
static void choose_range(const struct fixture *fix, u64 *offset, u64 *len)
{
	static const u32 units[] = { 1, SZ_4K, SZ_16K, SZ_64K };
	u64 unit = units[test_random(&seed) % ARRAY_SIZE(units)];
	u64 longest = test_random(&seed) % 2 ? 2 * SZ_64K : fix->length;

	*offset = test_random(&seed) % (fix->length / unit) * unit;
	*len = unit * (1 + test_random(&seed) % DIV_ROUND_UP(longest, unit));
	*len = min(*len, fix->length - *offset);
}

static void write_randomly(struct fixture *fix, unsigned int times)
{
	for (unsigned int i = 0; i < times; i++) {
		u64 offset, len;
		int ret;

		choose_range(fix, &offset, &len);
		ret = write_range(fix, offset, len);
		if (ret)
			fail_msg("%s of %u: writing %llu+%llu fails: %d",
				 btrfs_bg_type_to_raid_name(fix->profile->profile),
				 fix->profile->num_stripes, offset, len, ret);
	}
}

/* ---- looking ---- */

/* 1: right.  0: cannot be read.  -1: wrong. */
static int mirror_state(const struct fixture *fix, u64 offset, u64 len, int mirror)
{
	u8 *buf = malloc(len);
	int state = 0;

	assert_non_null(buf);
	if (btrfs_read_logical(fix->fs.fs_info, CHUNK_START + offset, len, mirror, buf) == 0)
		state = memcmp(buf, fix->expected + offset, len) == 0 ? 1 : -1;
	free(buf);
	return state;
}

/* No mirror may be wrong, and with all devices there none may fail. */
static void check_all_mirrors(const struct fixture *fix, bool complete)
{
	for (u64 offset = 0; offset < fix->length; offset += SZ_64K) {
		int right = 0;

		for (int mirror = 1; mirror <= fix->profile->copies; mirror++) {
			int state = mirror_state(fix, offset, SZ_64K, mirror);

			if (state < 0)
				fail_msg("%s of %u: mirror %d is wrong at %llu",
					 btrfs_bg_type_to_raid_name(fix->profile->profile),
					 fix->profile->num_stripes, mirror, offset);
			right += state;
		}
		assert_true(right >= (complete ? fix->profile->copies : 1));
	}
}

/* Whatever does not belong to the chunk is still garbage; what does is made so now. */
static void check_outside(const struct fixture *fix)
{
	const struct btrfs_chunk_map *map = btrfs_find_chunk_map(fix->fs.fs_info, CHUNK_START);
	u8 *garbage = malloc(DEV_SIZE);

	assert_non_null(garbage);
	memset(garbage, GARBAGE, DEV_SIZE);
	for (u16 i = 0; i < map->num_stripes; i++)
		memset(fix->fs.mem[map->stripes[i].dev->devid - 1]->data + map->stripes[i].physical,
		       GARBAGE, map->stripe_size);
	for (unsigned int d = 0; d < fix->fs.nr_devs; d++)
		assert_memory_equal(fix->fs.mem[d]->data, garbage, DEV_SIZE);
	free(garbage);
}

/* ---- every profile ---- */

static void random_pieces_are_read_back_by_every_mirror(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(profiles); i++) {
		struct fixture fix;

		fixture_init(&fix, &profiles[i]);
		assert_int_equal(write_range(&fix, 0, fix.length), 0);
		check_all_mirrors(&fix, true);
		for (unsigned int round = 0; round < 2; round++) {
			write_randomly(&fix, 12);
			check_all_mirrors(&fix, true);
		}
		check_outside(&fix);
		fixture_free(&fix);
	}
}

static void a_piece_amid_garbage_is_safe_at_once(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(profiles); i++) {
		for (unsigned int n = 0; n < 3; n++) {
			struct fixture fix;
			u64 offset, len;

			fixture_init(&fix, &profiles[i]);
			choose_range(&fix, &offset, &len);
			assert_int_equal(write_range(&fix, offset, len), 0);
			for (int mirror = 1; mirror <= fix.profile->copies; mirror++)
				assert_int_equal(mirror_state(&fix, offset, len, mirror), 1);
			fixture_free(&fix);
		}
	}
}

/* Devices @first and @first + @nr - 1 are lost; the rest goes on. */
static void write_without(const struct profile *p, unsigned int first, unsigned int nr)
{
	struct fixture fix;

	fixture_init(&fix, p);
	assert_int_equal(write_range(&fix, 0, fix.length), 0);
	for (unsigned int i = 0; i < nr; i++)
		remove_device(&fix, (first + i) % p->num_stripes + 1);
	write_randomly(&fix, 6);
	check_all_mirrors(&fix, false);
	check_outside(&fix);
	fixture_free(&fix);
}

static void writing_goes_on_without_missing_devices(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(profiles); i++) {
		for (unsigned int nr = 1; nr <= profiles[i].bears; nr++) {
			for (unsigned int first = 0; first < profiles[i].num_stripes; first++)
				write_without(&profiles[i], first, nr);
		}
	}
}

static void too_many_missing_devices_are_an_error(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(profiles); i++) {
		unsigned int nr = profiles[i].bears + 1;
		struct capture said;
		struct fixture fix;
		int ret;

		fixture_init(&fix, &profiles[i]);
		/* Of RAID10 the second pair. */
		for (unsigned int d = 0; d < nr; d++)
			remove_device(&fix, fix.fs.nr_devs - d);
		capture_begin(&said);
		ret = write_range(&fix, 0, fix.length);
		capture_end(&said);
		assert_int_equal(ret, -ENODEV);
		assert_says(&said, "missing");
		assert_says(&said, "16777216");
		fixture_free(&fix);
	}
}

static const struct profile raid5_of_4 = { BTRFS_BLOCK_GROUP_RAID5, 4, 2, 1 };
static const struct profile raid6_of_5 = { BTRFS_BLOCK_GROUP_RAID6, 5, 5, 2 };
static const struct profile raid0_of_3 = { BTRFS_BLOCK_GROUP_RAID0, 3, 1, 0 };
static const struct profile raid1_of_2 = { BTRFS_BLOCK_GROUP_RAID1, 2, 2, 1 };

static void what_cannot_be_read_is_rebuilt_before_parity_is_made_anew(void **state)
{
	const struct profile *ps[] = { &raid5_of_4, &raid6_of_5 };

	for (size_t i = 0; i < ARRAY_SIZE(ps); i++) {
		for (unsigned int bad = 0; bad < ps[i]->num_stripes; bad++) {
			struct fixture fix;

			fixture_init(&fix, ps[i]);
			assert_int_equal(write_range(&fix, 0, fix.length), 0);
			fix.fs.mem[bad]->err = -EIO;
			write_randomly(&fix, 6);
			check_all_mirrors(&fix, false);
			fix.fs.mem[bad]->err = 0;
			check_all_mirrors(&fix, true);
			fixture_free(&fix);
		}
	}
}

static void what_neither_device_nor_parity_has_is_an_error(void **state)
{
	struct capture said;
	struct fixture fix;

	fixture_init(&fix, &raid5_of_4);
	fix.fs.mem[1]->err = -EIO;
	fix.fs.mem[2]->err = -EIO;
	capture_begin(&said);
	assert_int_equal(write_range(&fix, 0, SZ_4K), -EIO);
	capture_end(&said);
	assert_says(&said, "logical 16777216");
	/* A whole full stripe needs nothing of what was there. */
	assert_int_equal(write_range(&fix, 0, 3 * SZ_64K), 0);
	fixture_free(&fix);
}

/* ---- requests ---- */

static void reset_counts(struct fixture *fix)
{
	for (unsigned int i = 0; i < fix->fs.nr_devs; i++)
		fix->fs.mem[i]->nr_reads = fix->fs.mem[i]->nr_writes = 0;
}

static void check_counts(const struct fixture *fix, unsigned int reads, unsigned int writes)
{
	for (unsigned int i = 0; i < fix->fs.nr_devs; i++) {
		assert_int_equal(fix->fs.mem[i]->nr_reads, reads);
		assert_int_equal(fix->fs.mem[i]->nr_writes, writes);
	}
}

static void neighbours_on_a_device_go_there_in_one_request(void **state)
{
	const struct profile *ps[] = { &raid0_of_3, &raid1_of_2, &raid5_of_4, &raid6_of_5 };

	for (size_t i = 0; i < ARRAY_SIZE(ps); i++) {
		struct fixture fix;

		fixture_init(&fix, ps[i]);
		reset_counts(&fix);
		assert_int_equal(write_range(&fix, 0, fix.length), 0);
		check_counts(&fix, 0, 1);
		fixture_free(&fix);
	}
}

static void a_small_piece_touches_only_its_stripe_and_the_parity(void **state)
{
	struct fixture fix;

	fixture_init(&fix, &raid5_of_4);
	assert_int_equal(write_range(&fix, 0, fix.length), 0);
	reset_counts(&fix);
	assert_int_equal(write_range(&fix, SZ_4K, SZ_4K), 0);
	assert_int_equal(fix.fs.mem[0]->nr_writes, 1);
	assert_int_equal(fix.fs.mem[1]->nr_writes, 0);
	assert_int_equal(fix.fs.mem[2]->nr_writes, 0);
	assert_int_equal(fix.fs.mem[3]->nr_writes, 1);
	assert_int_equal(fix.fs.mem[0]->nr_reads, 0);
	assert_int_equal(fix.fs.mem[3]->nr_reads, 0);
	fixture_free(&fix);
}

/* ---- several chunks ---- */

static void writes_go_on_into_the_next_chunk(void **state)
{
	const struct profile next = { BTRFS_BLOCK_GROUP_RAID1, 2, 2, 1 };
	struct btrfs_chunk_map *map;
	u64 start, len = 2 * SZ_64K;
	struct fixture fix;
	u8 *buf, *back;

	fixture_init(&fix, &raid5_of_4);
	map = make_map(&fix.fs, &next, CHUNK_START + fix.length, 2);
	map->stripes[0].physical = map->stripes[1].physical = DEV_SIZE - SZ_128K;
	assert_int_equal(btrfs_add_chunk_map(fix.fs.fs_info, map), 0);
	start = CHUNK_START + fix.length - SZ_64K;
	buf = malloc(len);
	back = malloc(len);
	assert_non_null(buf);
	assert_non_null(back);
	fill_random(buf, len);
	assert_int_equal(btrfs_write_logical(fix.fs.fs_info, start, len, buf), 0);
	for (int mirror = 1; mirror <= 2; mirror++) {
		assert_int_equal(btrfs_read_logical(fix.fs.fs_info, start, len, mirror, back), 0);
		assert_memory_equal(buf, back, len);
	}
	free(buf);
	free(back);
	fixture_free(&fix);
}

static void errors_name_device_or_address(void **state)
{
	static u8 buf[2 * SZ_64K];
	struct iovec iov = { .iov_base = buf, .iov_len = 100 };
	struct capture said;
	struct fixture fix;

	fixture_init(&fix, &raid1_of_2);
	capture_begin(&said);
	assert_int_equal(btrfs_write_logical(fix.fs.fs_info, CHUNK_START - 1, 2, buf), -ENOENT);
	capture_end(&said);
	assert_says(&said, "logical 16777215");
	capture_begin(&said);
	assert_int_equal(btrfs_write_logical(fix.fs.fs_info, CHUNK_START + fix.length - 1, 2, buf),
			 -ENOENT);
	capture_end(&said);
	assert_says(&said, "no chunk");
	assert_int_equal(btrfs_write_logical_iov(fix.fs.fs_info, CHUNK_START, 101, &iov, 1),
			 -EINVAL);
	/* One copy is not enough while the other's device is there. */
	fix.fs.mem[1]->write_err = -EIO;
	capture_begin(&said);
	assert_int_equal(btrfs_write_logical(fix.fs.fs_info, CHUNK_START, SZ_4K, buf), -EIO);
	assert_int_equal(btrfs_flush_devices(fix.fs.fs_info), -EIO);
	capture_end(&said);
	assert_says(&said, "disk2: cannot write 4096 bytes at");
	assert_says(&said, "disk2: cannot flush");
	fixture_free(&fix);
}

static void a_seed_is_never_written(void **state)
{
	struct btrfs_device *dev;
	struct capture said;
	struct fixture fix;

	fixture_init(&fix, &raid1_of_2);
	dev = new_fs_device(&fix.fs, 1);
	memset(dev->fsid, 0x77, sizeof(dev->fsid));
	fix.fs.mem[0]->write_err = -EBADF;
	capture_begin(&said);
	assert_int_equal(write_range(&fix, 0, SZ_4K), -EROFS);
	capture_end(&said);
	assert_int_equal(btrfs_flush_devices(fix.fs.fs_info), 0);
	assert_int_equal(fix.fs.mem[0]->nr_writes, 0);
	fixture_free(&fix);
}

static void stripes_that_end_amid_a_row_are_not_written(void **state)
{
	struct btrfs_chunk_map *map;
	struct capture said;
	struct fixture fix;
	u64 start;

	fixture_init(&fix, &raid0_of_3);
	start = CHUNK_START + fix.length;
	map = make_map(&fix.fs, &raid0_of_3, start, 1);
	map->stripe_size += SZ_4K;
	map->length += 3 * SZ_4K;
	for (unsigned int i = 0; i < 3; i++)
		map->stripes[i].physical = DEV_SIZE - SZ_128K;
	assert_int_equal(btrfs_add_chunk_map(fix.fs.fs_info, map), 0);
	capture_begin(&said);
	assert_int_equal(btrfs_write_logical(fix.fs.fs_info, start, SZ_4K, fix.expected),
			 -EUCLEAN);
	capture_end(&said);
	assert_says(&said, "64 KiB");
	fixture_free(&fix);
}

/* ---- chunks that come and go ---- */

static void chunks_are_added_and_removed(void **state)
{
	struct btrfs_chunk_map *map;
	struct fixture fix;
	u64 used, start;

	fixture_init(&fix, &raid1_of_2);
	used = ROWS * (u64)SZ_64K;
	start = CHUNK_START + fix.length;
	assert_int_equal(new_fs_device(&fix.fs, 2)->bytes_used, used);
	assert_int_equal(btrfs_add_chunk_map(fix.fs.fs_info,
					     make_map(&fix.fs, &raid1_of_2, start - SZ_64K, 1)),
			 -EEXIST);
	assert_int_equal(btrfs_add_chunk_map(fix.fs.fs_info,
					     make_map(&fix.fs, &raid1_of_2, start, 1)), 0);
	assert_int_equal(new_fs_device(&fix.fs, 2)->bytes_used, used + SZ_64K);
	assert_int_equal(btrfs_last_chunk_map(fix.fs.fs_info)->logical, start);
	assert_int_equal(btrfs_next_chunk_logical(fix.fs.fs_info), start + SZ_64K);
	assert_int_equal(btrfs_remove_chunk_map(fix.fs.fs_info, start + 1), -ENOENT);
	assert_int_equal(btrfs_remove_chunk_map(fix.fs.fs_info, CHUNK_START), 0);
	assert_null(btrfs_find_chunk_map(fix.fs.fs_info, CHUNK_START));
	assert_int_equal(btrfs_next_chunk_map(fix.fs.fs_info, 0)->logical, start);
	assert_int_equal(new_fs_device(&fix.fs, 2)->bytes_used, SZ_64K);
	assert_int_equal(btrfs_remove_chunk_map(fix.fs.fs_info, start), 0);
	assert_null(btrfs_last_chunk_map(fix.fs.fs_info));

	map = make_map(&fix.fs, &raid1_of_2, start, 1);
	map->length += SZ_4K;
	assert_int_equal(btrfs_add_chunk_map(fix.fs.fs_info, map), -EINVAL);
	map = make_map(&fix.fs, &raid1_of_2, start, 1);
	map->type |= BTRFS_BLOCK_GROUP_RAID10;
	assert_int_equal(btrfs_add_chunk_map(fix.fs.fs_info, map), -EINVAL);
	map = make_map(&fix.fs, &raid1_of_2, start, 1);
	map->stripes[1].dev = NULL;
	assert_int_equal(btrfs_add_chunk_map(fix.fs.fs_info, map), -EINVAL);
	fixture_free(&fix);
}

static void a_new_fs_info_refuses_nonsense(void **state)
{
	struct btrfs_new_device devices[2] = { { .devid = 1 }, { .devid = 1 } };
	struct btrfs_fs_info *fs_info;
	struct btrfs_super_block sb;

	for (unsigned int bad = 0; bad < 4; bad++) {
		new_fs_super(&sb);
		for (unsigned int i = 0; i < 2; i++) {
			devices[i].bdev = &memdev_new("disk", SZ_1M)->dev;
			devices[i].total_bytes = SZ_1M;
			new_fs_uuid(devices[i].uuid, i + 1);
		}
		if (bad == 0)
			sb.nodesize = 0;
		else if (bad == 1)
			sb.sectorsize = htole32(1000);
		else if (bad == 2)
			sb.csum_type = htole16(77);
		assert_int_equal(btrfs_new_fs_info("test", &sb, devices, 2, &fs_info),
				 bad == 3 ? -EEXIST : -EINVAL);
	}
}

/* ---- threads ---- */

#define NR_THREADS	4
#define BLOCK		SZ_4K

/*
 * Every thread owns one block of every stripe.  In the next stripe its place is
 * another, so that in each row it shares the parity with all the others.
 */
struct worker {
	pthread_t thread;
	struct fixture *fix;
	u64 number;
	u64 seed;
	bool failed;
};

static void *write_own_blocks(void *arg)
{
	struct worker *worker = arg;
	struct fixture *fix = worker->fix;
	u8 back[BLOCK];

	for (unsigned int n = 0; n < 100 && !worker->failed; n++) {
		u64 stripe = test_random(&worker->seed) % (fix->length / SZ_64K);
		u64 offset = stripe * SZ_64K + (stripe + worker->number) % NR_THREADS * BLOCK;
		int mirror = 1 + (int)(test_random(&worker->seed) % (u64)fix->profile->copies);
		u8 *block = fix->expected + offset;
		u64 logical = CHUNK_START + offset;

		memset(block, (int)test_random(&worker->seed), BLOCK);
		worker->failed =
			btrfs_write_logical(fix->fs.fs_info, logical, BLOCK, block) ||
			btrfs_read_logical(fix->fs.fs_info, logical, BLOCK, mirror, back) ||
			memcmp(block, back, BLOCK) != 0;
	}
	return NULL;
}

static void run_workers(struct fixture *fix)
{
	struct worker workers[NR_THREADS];

	for (unsigned int i = 0; i < NR_THREADS; i++) {
		workers[i] = (struct worker){ .fix = fix, .number = i, .seed = i + 1 };
		assert_int_equal(pthread_create(&workers[i].thread, NULL, write_own_blocks,
						&workers[i]), 0);
	}
	for (unsigned int i = 0; i < NR_THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		assert_false(workers[i].failed);
	}
}

static void threads_share_full_stripes(void **state)
{
	const struct profile *ps[] = { &raid1_of_2, &raid5_of_4, &raid6_of_5 };

	for (size_t i = 0; i < ARRAY_SIZE(ps); i++) {
		struct fixture fix;

		fixture_init(&fix, ps[i]);
		assert_int_equal(write_range(&fix, 0, fix.length), 0);
		for (unsigned int d = 0; d < fix.fs.nr_devs; d++)
			fix.fs.mem[d]->yields = true;
		run_workers(&fix);
		check_all_mirrors(&fix, true);
		fixture_free(&fix);
	}
}

static void *look_chunks_up(void *arg)
{
	const struct fixture *fix = arg;
	static u8 buf[SZ_4K];

	for (unsigned int n = 0; n < 3000; n++) {
		const struct btrfs_chunk_map *map;

		map = btrfs_find_chunk_map(fix->fs.fs_info, CHUNK_START + fix->length);
		if (map && map->num_stripes != 2)
			return arg;
		if (btrfs_read_logical(fix->fs.fs_info, CHUNK_START, SZ_4K, 1, buf))
			return arg;
	}
	return NULL;
}

static void chunks_are_looked_up_while_others_come_and_go(void **state)
{
	struct fixture fix;
	pthread_t thread;
	void *failed;

	fixture_init(&fix, &raid1_of_2);
	assert_int_equal(pthread_create(&thread, NULL, look_chunks_up, &fix), 0);
	for (unsigned int n = 0; n < 200; n++) {
		u64 start = CHUNK_START + fix.length;

		for (unsigned int i = 0; i < 20; i++)
			assert_int_equal(btrfs_add_chunk_map(fix.fs.fs_info,
					make_map(&fix.fs, &raid1_of_2, start + i * SZ_64K, 1)), 0);
		for (unsigned int i = 0; i < 20; i++)
			assert_int_equal(btrfs_remove_chunk_map(fix.fs.fs_info,
								start + i * SZ_64K), 0);
	}
	pthread_join(thread, &failed);
	assert_null(failed);
	fixture_free(&fix);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_pieces_are_read_back_by_every_mirror),
		cmocka_unit_test(a_piece_amid_garbage_is_safe_at_once),
		cmocka_unit_test(writing_goes_on_without_missing_devices),
		cmocka_unit_test(too_many_missing_devices_are_an_error),
		cmocka_unit_test(what_cannot_be_read_is_rebuilt_before_parity_is_made_anew),
		cmocka_unit_test(what_neither_device_nor_parity_has_is_an_error),
		cmocka_unit_test(neighbours_on_a_device_go_there_in_one_request),
		cmocka_unit_test(a_small_piece_touches_only_its_stripe_and_the_parity),
		cmocka_unit_test(writes_go_on_into_the_next_chunk),
		cmocka_unit_test(errors_name_device_or_address),
		cmocka_unit_test(a_seed_is_never_written),
		cmocka_unit_test(stripes_that_end_amid_a_row_are_not_written),
		cmocka_unit_test(chunks_are_added_and_removed),
		cmocka_unit_test(a_new_fs_info_refuses_nonsense),
		cmocka_unit_test(threads_share_full_stripes),
		cmocka_unit_test(chunks_are_looked_up_while_others_come_and_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
