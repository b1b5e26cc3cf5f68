// SPDX-License-Identifier: GPL-2.0-only
/*
 * The chunk map and reading through it: every profile against a model that
 * lays the bytes out one stripe after the other, damaged and missing devices,
 * and chunk items as a hostile image might have them.
 */
#include "tests/unit/memdev.h"

#include "kernel-shared/device-scan.h"
#include "kernel-shared/volumes.h"

#define MAX_DEVS	8
#define DEV_SIZE	(8ULL * SZ_1M)
#define ROWS		5U	/* of 64 KiB stripes in a chunk, on each device */
#define CHUNK_START	(16ULL * SZ_1M)

static u64 seed = 7;

struct fixture {
	struct btrfs_fs_info fs_info;
	struct memdev *mem[MAX_DEVS];
	unsigned int nr_devs;
};

static u8 content(u64 logical)
{
	u64 word = (logical >> 3) * 0x9e3779b97f4a7c15ULL;

	return (u8)(word >> (8 * (logical & 7)));
}

static void set_uuid(u8 *uuid, unsigned int devid)
{
	memset(uuid, 0x40, BTRFS_UUID_SIZE);
	uuid[0] = (u8)devid;
}

static void pool_push(struct fixture *fix, struct memdev *mem, unsigned int devid, u8 fsid_byte,
		      u64 generation)
{
	struct btrfs_pool_device entry = {
		.bdev = &mem->dev, .devid = devid, .generation = generation,
	};

	set_uuid(entry.uuid, devid);
	memset(entry.fsid, fsid_byte, sizeof(entry.fsid));
	assert_int_equal(vec_push_copy(&fix->fs_info.fs_devices->pool->devices, &entry), 0);
}

static void fixture_init(struct fixture *fix, unsigned int nr_devs)
{
	struct btrfs_fs_info *fs_info = &fix->fs_info;

	memset(fix, 0, sizeof(*fix));
	fix->nr_devs = nr_devs;
	fs_info->sectorsize = SZ_4K;
	fs_info->nodesize = SZ_16K;
	fs_info->super_copy.generation = htole64(10);
	memset(fs_info->fsid, 0x11, BTRFS_FSID_SIZE);
	memset(fs_info->metadata_uuid, 0x11, BTRFS_FSID_SIZE);
	fs_info->fs_devices = calloc(1, sizeof(*fs_info->fs_devices));
	assert_non_null(fs_info->fs_devices);
	fs_info->fs_devices->pool = calloc(1, sizeof(*fs_info->fs_devices->pool));
	assert_non_null(fs_info->fs_devices->pool);
	vec_init(&fs_info->fs_devices->pool->devices, sizeof(struct btrfs_pool_device));
	for (unsigned int i = 0; i < nr_devs; i++) {
		char path[16];

		snprintf(path, sizeof(path), "disk%u", i + 1);
		fix->mem[i] = memdev_new(path, DEV_SIZE);
		pool_push(fix, fix->mem[i], i + 1, 0x11, 10);
	}
}

static void fixture_free(struct fixture *fix)
{
	btrfs_free_volumes(&fix->fs_info);
}

/* ---- chunk items ---- */

static u64 stripe_physical(unsigned int devid, u64 logical)
{
	/* Somewhere else on each device, and apart for neighbouring chunks. */
	return SZ_1M + devid * (u64)SZ_64K + devid * (u64)SZ_4K + logical % (4 * SZ_1M);
}

/* Append to the superblock's array; stripe i is on device i + 1. */
static struct btrfs_chunk *add_chunk(struct fixture *fix, u64 logical, u64 length, u64 profile,
				     u16 num_stripes, u16 sub_stripes)
{
	struct btrfs_super_block *sb = &fix->fs_info.super_copy;
	u32 at = le32toh(sb->sys_chunk_array_size);
	struct btrfs_disk_key *key = (void *)(sb->sys_chunk_array + at);
	struct btrfs_chunk *chunk = (void *)(key + 1);
	struct btrfs_stripe *stripes = &chunk->stripe;

	key->objectid = htole64(BTRFS_FIRST_CHUNK_TREE_OBJECTID);
	key->type = BTRFS_CHUNK_ITEM_KEY;
	key->offset = htole64(logical);
	chunk->length = htole64(length);
	chunk->owner = htole64(BTRFS_EXTENT_TREE_OBJECTID);
	chunk->stripe_len = htole64(BTRFS_STRIPE_LEN);
	chunk->type = htole64(profile | BTRFS_BLOCK_GROUP_SYSTEM);
	chunk->sector_size = htole32(SZ_4K);
	chunk->num_stripes = htole16(num_stripes);
	chunk->sub_stripes = htole16(sub_stripes);
	for (unsigned int i = 0; i < num_stripes; i++) {
		unsigned int devid = profile == BTRFS_BLOCK_GROUP_DUP ? 1 : i + 1;

		stripes[i].devid = htole64(devid);
		/* The copies of DUP stand on one device. */
		stripes[i].offset = htole64(stripe_physical(i + 1, logical) +
					    (devid != i + 1 ? 2 * SZ_1M : 0));
		set_uuid(stripes[i].dev_uuid, devid);
	}
	at += (u32)(sizeof(*key) + btrfs_chunk_item_size(num_stripes));
	sb->sys_chunk_array_size = htole32(at);
	return chunk;
}

static int map_chunks(struct fixture *fix, struct capture *said)
{
	int ret;

	capture_begin(said);
	ret = btrfs_read_sys_array(&fix->fs_info);
	capture_end(said);
	return ret;
}

/* ---- the model: where the bytes of a chunk stand ---- */

static u8 *on_disk(struct fixture *fix, const struct btrfs_chunk *chunk, unsigned int stripe,
		   u64 offset)
{
	const struct btrfs_stripe *s = &chunk->stripe + stripe;

	return fix->mem[le64toh(s->devid) - 1]->data + le64toh(s->offset) + offset;
}

static void put_content(u8 *to, u64 logical, size_t len)
{
	for (size_t i = 0; i < len; i++)
		to[i] = content(logical + i);
}

static u8 mul2(u8 value)
{
	return (u8)(value << 1) ^ (value & 0x80 ? 0x1d : 0);
}

/* One row of RAID5/6 from @logical on; it starts with the device @first. */
static void put_parity_row(struct fixture *fix, const struct btrfs_chunk *chunk, u64 logical,
			   u64 row, unsigned int first, unsigned int nr_parity)
{
	unsigned int n = le16toh(chunk->num_stripes), nr_data = n - nr_parity;
	u8 *cells[MAX_DEVS];

	for (unsigned int i = 0; i < n; i++)
		cells[i] = on_disk(fix, chunk, (first + i) % n, row * SZ_64K);
	for (unsigned int i = 0; i < nr_data; i++)
		put_content(cells[i], logical + i * (u64)SZ_64K, SZ_64K);
	for (size_t at = 0; at < SZ_64K; at++) {
		u8 p = 0, q = 0;

		for (unsigned int i = nr_data; i-- > 0;) {
			p ^= cells[i][at];
			q = mul2(q) ^ cells[i][at];
		}
		cells[nr_data][at] = p;
		if (nr_parity == 2)
			cells[nr_data + 1][at] = q;
	}
}

/* Deal 64 KiB pieces out like cards to groups of @group devices with the same content. */
static void deal_pieces(struct fixture *fix, const struct btrfs_chunk *chunk, u64 logical,
			unsigned int group)
{
	unsigned int n = le16toh(chunk->num_stripes), hand = 0;
	u64 filled[MAX_DEVS] = { 0 };

	for (u64 at = 0; at < le64toh(chunk->length); at += SZ_64K) {
		for (unsigned int i = hand; i < hand + group; i++) {
			put_content(on_disk(fix, chunk, i, filled[i]), logical + at, SZ_64K);
			filled[i] += SZ_64K;
		}
		hand = (hand + group) % n;
	}
}

static void lay_out(struct fixture *fix, const struct btrfs_chunk *chunk, u64 logical)
{
	u64 profile = le64toh(chunk->type) & BTRFS_BLOCK_GROUP_PROFILE_MASK;
	unsigned int n = le16toh(chunk->num_stripes);
	unsigned int nr_parity = profile == BTRFS_BLOCK_GROUP_RAID5 ? 1 :
				 profile == BTRFS_BLOCK_GROUP_RAID6 ? 2 : 0;

	if (nr_parity) {
		for (u64 row = 0; row < ROWS; row++)
			put_parity_row(fix, chunk, logical + row * (n - nr_parity) * SZ_64K, row,
				       (unsigned int)row % n, nr_parity);
	} else if (profile == BTRFS_BLOCK_GROUP_RAID0) {
		deal_pieces(fix, chunk, logical, 1);
	} else if (profile == BTRFS_BLOCK_GROUP_RAID10) {
		deal_pieces(fix, chunk, logical, 2);
	} else {
		for (unsigned int i = 0; i < n; i++)
			put_content(on_disk(fix, chunk, i, 0), logical, le64toh(chunk->length));
	}
}

/* ---- profiles ---- */

struct profile {
	u64 profile;
	u16 num_stripes;
	u16 sub_stripes;
	unsigned int nr_data;
	int copies;
	const char *name;
};

static const struct profile profiles[] = {
	{ 0, 1, 1, 1, 1, "single" },
	{ BTRFS_BLOCK_GROUP_DUP, 2, 1, 1, 2, "DUP" },
	{ BTRFS_BLOCK_GROUP_RAID0, 1, 1, 1, 1, "RAID0" },
	{ BTRFS_BLOCK_GROUP_RAID0, 2, 1, 2, 1, "RAID0" },
	{ BTRFS_BLOCK_GROUP_RAID0, 5, 1, 5, 1, "RAID0" },
	{ BTRFS_BLOCK_GROUP_RAID1, 2, 1, 1, 2, "RAID1" },
	{ BTRFS_BLOCK_GROUP_RAID1C3, 3, 1, 1, 3, "RAID1C3" },
	{ BTRFS_BLOCK_GROUP_RAID1C4, 4, 1, 1, 4, "RAID1C4" },
	{ BTRFS_BLOCK_GROUP_RAID10, 2, 2, 1, 2, "RAID10" },
	{ BTRFS_BLOCK_GROUP_RAID10, 6, 2, 3, 2, "RAID10" },
	{ BTRFS_BLOCK_GROUP_RAID5, 2, 1, 1, 2, "RAID5" },
	{ BTRFS_BLOCK_GROUP_RAID5, 4, 1, 3, 2, "RAID5" },
	{ BTRFS_BLOCK_GROUP_RAID6, 3, 1, 1, 3, "RAID6" },
	{ BTRFS_BLOCK_GROUP_RAID6, 6, 1, 4, 6, "RAID6" },
};

/* One chunk of the profile at CHUNK_START, with its content; its length. */
static u64 make_chunk(struct fixture *fix, const struct profile *p)
{
	u64 length = (u64)ROWS * SZ_64K * p->nr_data;
	struct btrfs_chunk *chunk;
	struct capture said;

	chunk = add_chunk(fix, CHUNK_START, length, p->profile, p->num_stripes, p->sub_stripes);
	lay_out(fix, chunk, CHUNK_START);
	assert_int_equal(map_chunks(fix, &said), 0);
	return length;
}

static bool content_is_right(u64 logical, const u8 *buf, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (buf[i] != content(logical + i))
			return false;
	}
	return true;
}

/* Read from one mirror: true if it worked and the bytes are right. */
static bool mirror_is_right(struct fixture *fix, u64 logical, size_t len, int mirror)
{
	u8 *buf = malloc(len);
	bool right;

	assert_non_null(buf);
	right = btrfs_read_logical(&fix->fs_info, logical, len, mirror, buf) == 0 &&
		content_is_right(logical, buf, len);
	free(buf);
	return right;
}

static void check_ranges(struct fixture *fix, const struct profile *p, u64 length, int mirror)
{
	static const struct {
		u64 offset, len;
	} ranges[] = {
		{ 0, 1 }, { 0, SZ_4K }, { SZ_64K - 1, 2 }, { SZ_64K, SZ_64K }, { 4097, 3 * SZ_64K },
		{ 2 * SZ_64K + 5, SZ_64K - 5 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		if (!mirror_is_right(fix, CHUNK_START + ranges[i].offset, ranges[i].len, mirror))
			fail_msg("%s of %u, mirror %d: wrong at %llu+%llu", p->name,
				 p->num_stripes, mirror, ranges[i].offset, ranges[i].len);
	}
	if (!mirror_is_right(fix, CHUNK_START, length, mirror))
		fail_msg("%s of %u, mirror %d: wrong as a whole", p->name, p->num_stripes, mirror);
}

static void every_mirror_of_every_profile_has_the_bytes(void **state __unused)
{
	for (size_t i = 0; i < ARRAY_SIZE(profiles); i++) {
		const struct profile *p = &profiles[i];
		struct fixture fix;
		u64 length;

		fixture_init(&fix, MAX_DEVS);
		length = make_chunk(&fix, p);
		assert_int_equal(btrfs_num_copies(&fix.fs_info, CHUNK_START), p->copies);
		assert_string_equal(btrfs_bg_type_to_raid_name(p->profile), p->name);
		for (int mirror = 1; mirror <= p->copies; mirror++)
			check_ranges(&fix, p, length, mirror);
		assert_false(mirror_is_right(&fix, CHUNK_START, 1, 0));
		assert_false(mirror_is_right(&fix, CHUNK_START, 1, p->copies + 1));
		fixture_free(&fix);
	}
}

static void mapping_says_where_the_bytes_are(void **state __unused)
{
	for (size_t i = 0; i < ARRAY_SIZE(profiles); i++) {
		const struct profile *p = &profiles[i];
		bool raid56 = (p->profile & BTRFS_BLOCK_GROUP_RAID56_MASK) != 0;
		struct btrfs_io_stripe io;
		struct fixture fix;
		u64 length;

		fixture_init(&fix, MAX_DEVS);
		length = make_chunk(&fix, p);
		for (u64 at = 1000; at < length; at += io.length) {
			struct memdev *mem;

			assert_int_equal(btrfs_map_block(&fix.fs_info, CHUNK_START + at, SZ_1M, 1,
							 &io), 0);
			assert_true(io.length > 0 && io.length <= SZ_1M);
			mem = container_of(io.dev->bdev, struct memdev, dev);
			assert_true(content_is_right(CHUNK_START + at, mem->data + io.physical,
						     io.length));
		}
		if (raid56)
			assert_int_equal(btrfs_map_block(&fix.fs_info, CHUNK_START, 1, 2, &io),
					 -EOPNOTSUPP);
		fixture_free(&fix);
	}
}

/* ---- damage ---- */

static void spoil_device(struct fixture *fix, unsigned int devid)
{
	u64 *words = (u64 *)fix->mem[devid - 1]->data;

	for (size_t i = 0; i < DEV_SIZE / sizeof(*words); i++)
		words[i] ^= 0x5a5a5a5a5a5a5a5aULL;
}

static void remove_device(struct fixture *fix, unsigned int devid)
{
	struct btrfs_device *dev = btrfs_find_device(&fix->fs_info, devid, NULL);

	assert_non_null(dev);
	dev->bdev = NULL;
}

/* As a reader with checksums does: any mirror that is right will do, sector by sector. */
static bool all_can_be_read(struct fixture *fix, u64 length)
{
	for (u64 at = 0; at < length; at += SZ_4K * 5) {
		bool found = false;

		for (int mirror = 1; !found && mirror <= btrfs_num_copies(&fix->fs_info,
									 CHUNK_START); mirror++)
			found = mirror_is_right(fix, CHUNK_START + at, SZ_4K, mirror);
		if (!found)
			return false;
	}
	return true;
}

enum harm { SPOIL, REMOVE, NR_HARMS };

static void do_harm(struct fixture *fix, enum harm harm, unsigned int devid)
{
	if (harm == SPOIL)
		spoil_device(fix, devid);
	else
		remove_device(fix, devid);
}

static bool survives(const struct profile *p, enum harm harm_a, unsigned int a,
		     enum harm harm_b, unsigned int b)
{
	struct fixture fix;
	u64 length;
	bool right;

	fixture_init(&fix, MAX_DEVS);
	length = make_chunk(&fix, p);
	do_harm(&fix, harm_a, a);
	if (b)
		do_harm(&fix, harm_b, b);
	right = all_can_be_read(&fix, length);
	fixture_free(&fix);
	return right;
}

static void raid6_mends_any_two_devices_spoiled_or_missing(void **state __unused)
{
	const struct profile raid6 = { BTRFS_BLOCK_GROUP_RAID6, 5, 1, 3, 5, "RAID6" };

	for (unsigned int a = 1; a <= raid6.num_stripes; a++) {
		for (unsigned int b = 1; b <= raid6.num_stripes; b++) {
			for (int harms = 0; a != b && harms < NR_HARMS * NR_HARMS; harms++) {
				enum harm harm_a = harms / NR_HARMS, harm_b = harms % NR_HARMS;

				if (!survives(&raid6, harm_a, a, harm_b, b))
					fail_msg("devices %u (%d) and %u (%d)", a, harm_a, b,
						 harm_b);
			}
		}
	}
}

static void redundancy_is_what_the_profile_promises(void **state __unused)
{
	for (size_t i = 0; i < ARRAY_SIZE(profiles); i++) {
		const struct profile *p = &profiles[i];
		bool one = p->copies > 1 && p->profile != BTRFS_BLOCK_GROUP_DUP;
		bool two = p->profile == BTRFS_BLOCK_GROUP_RAID6 ||
			   p->profile == BTRFS_BLOCK_GROUP_RAID1C3 ||
			   p->profile == BTRFS_BLOCK_GROUP_RAID1C4;

		assert_int_equal(survives(p, REMOVE, 1, REMOVE, 0), one);
		assert_int_equal(survives(p, SPOIL, 1, SPOIL, 0), one);
		if (p->num_stripes > 1 && p->profile != BTRFS_BLOCK_GROUP_DUP)
			assert_int_equal(survives(p, REMOVE, 1, REMOVE, 2), two);
	}
}

static void errors_tell_what_is_missing(void **state __unused)
{
	const struct profile raid5 = { BTRFS_BLOCK_GROUP_RAID5, 3, 1, 2, 2, "RAID5" };
	struct fixture fix;
	u8 buf[2];

	fixture_init(&fix, 3);
	make_chunk(&fix, &raid5);
	assert_int_equal(btrfs_first_mirror(&fix.fs_info, CHUNK_START), 1);
	remove_device(&fix, 1);
	assert_int_equal(btrfs_first_mirror(&fix.fs_info, CHUNK_START), 2);
	assert_int_equal(btrfs_read_logical(&fix.fs_info, CHUNK_START, 1, 1, buf), -ENODEV);
	assert_true(mirror_is_right(&fix, CHUNK_START, 100, 2));
	fix.mem[2]->err = -EILSEQ;
	assert_int_equal(btrfs_read_logical(&fix.fs_info, CHUNK_START, 1, 2, buf), -EILSEQ);
	fix.mem[2]->err = 0;
	remove_device(&fix, 2);
	assert_int_equal(btrfs_read_logical(&fix.fs_info, CHUNK_START, 1, 2, buf), -ENODEV);
	assert_int_equal(btrfs_read_logical(&fix.fs_info, CHUNK_START - 1, 2, 1, buf), -ENOENT);
	assert_int_equal(btrfs_read_logical(&fix.fs_info, CHUNK_START, 2, 3, buf), -EINVAL);
	fixture_free(&fix);
}

static void a_device_cut_short_counts_as_bad(void **state __unused)
{
	const struct profile raid1 = { BTRFS_BLOCK_GROUP_RAID1, 2, 1, 1, 2, "RAID1" };
	struct fixture fix;
	u8 byte;

	fixture_init(&fix, 2);
	make_chunk(&fix, &raid1);
	fix.mem[0]->dev.size = SZ_1M;
	assert_int_equal(btrfs_read_logical(&fix.fs_info, CHUNK_START, 1, 1, &byte), -EIO);
	assert_true(mirror_is_right(&fix, CHUNK_START, SZ_64K, 2));
	fix.mem[0]->dev.size = DEV_SIZE;
	fixture_free(&fix);
}

/* ---- ranges over chunks, buffers in pieces ---- */

static void reads_go_on_into_the_next_chunk_and_any_buffers(void **state __unused)
{
	const u64 lengths[] = { 5 * SZ_64K, 6 * SZ_64K, 4 * SZ_64K };
	const u64 total = 15 * SZ_64K;
	u8 *memory = malloc(total);
	struct fixture fix;
	struct capture said;
	u64 at = CHUNK_START;

	assert_non_null(memory);
	fixture_init(&fix, 4);
	lay_out(&fix, add_chunk(&fix, at, lengths[0], BTRFS_BLOCK_GROUP_DUP, 2, 1), at);
	at += lengths[0];
	lay_out(&fix, add_chunk(&fix, at, lengths[1], BTRFS_BLOCK_GROUP_RAID0, 2, 1), at);
	at += lengths[1];
	lay_out(&fix, add_chunk(&fix, at, lengths[2], BTRFS_BLOCK_GROUP_RAID1, 2, 1), at);
	assert_int_equal(map_chunks(&fix, &said), 0);

	for (int round = 0; round < 50; round++) {
		struct iovec iov[300];
		u64 offset = test_random(&seed) % total;
		u64 len = test_random(&seed) % (total - offset);
		u64 left = len;
		int nr = 0;

		while (left > 0 && nr < 299) {
			u64 part = min(left, test_random(&seed) % 9000);

			iov[nr].iov_base = memory + (len - left);
			iov[nr++].iov_len = part;
			left -= part;
		}
		iov[nr].iov_base = memory + (len - left);
		iov[nr++].iov_len = left;
		memset(memory, 0, total);
		assert_int_equal(btrfs_read_logical_iov(&fix.fs_info, CHUNK_START + offset, len, 1,
							iov, nr), 0);
		assert_true(content_is_right(CHUNK_START + offset, memory, len));
		if (len > 0)
			assert_int_equal(btrfs_read_logical_iov(&fix.fs_info, CHUNK_START + offset,
								len + 1, 1, iov, nr), -EINVAL);
	}
	/* The chunk in the middle has one mirror only; behind the last there is nothing. */
	assert_int_equal(btrfs_read_logical(&fix.fs_info, CHUNK_START, total, 2, memory), -EINVAL);
	assert_int_equal(btrfs_read_logical(&fix.fs_info, CHUNK_START + total - 1, 2, 1, memory),
			 -ENOENT);
	fixture_free(&fix);
	free(memory);
}

static void chunks_are_found_by_address(void **state __unused)
{
	const u64 second = CHUNK_START + SZ_1M;
	struct fixture fix;
	struct capture said;

	fixture_init(&fix, 2);
	/* Not in order, and a gap between them. */
	add_chunk(&fix, second, SZ_64K, 0, 1, 1);
	add_chunk(&fix, CHUNK_START, SZ_64K, 0, 1, 1);
	assert_null(btrfs_find_chunk_map(&fix.fs_info, CHUNK_START));
	assert_int_equal(map_chunks(&fix, &said), 0);
	assert_null(btrfs_find_chunk_map(&fix.fs_info, CHUNK_START - 1));
	assert_true(btrfs_find_chunk_map(&fix.fs_info, CHUNK_START)->logical == CHUNK_START);
	assert_true(btrfs_find_chunk_map(&fix.fs_info, CHUNK_START + SZ_64K - 1)->logical ==
		    CHUNK_START);
	assert_null(btrfs_find_chunk_map(&fix.fs_info, CHUNK_START + SZ_64K));
	assert_true(btrfs_next_chunk_map(&fix.fs_info, 0)->logical == CHUNK_START);
	assert_true(btrfs_next_chunk_map(&fix.fs_info, CHUNK_START)->logical == CHUNK_START);
	assert_true(btrfs_next_chunk_map(&fix.fs_info, CHUNK_START + 1)->logical == second);
	assert_null(btrfs_next_chunk_map(&fix.fs_info, second + 1));
	assert_null(btrfs_find_chunk_map(&fix.fs_info, (u64)-1));
	assert_int_equal(btrfs_num_copies(&fix.fs_info, 0), 0);
	fixture_free(&fix);
}

/* ---- devices ---- */

static void a_missing_device_is_named_once(void **state __unused)
{
	struct fixture fix;
	struct capture said;

	fixture_init(&fix, 1);
	add_chunk(&fix, CHUNK_START, SZ_64K, BTRFS_BLOCK_GROUP_RAID1, 2, 1);
	add_chunk(&fix, CHUNK_START + SZ_64K, SZ_64K, BTRFS_BLOCK_GROUP_RAID1, 2, 1);
	assert_int_equal(map_chunks(&fix, &said), 0);
	assert_says(&said, "WARNING: device missing: devid 2 uuid 02404040-");
	assert_null(strstr(strstr(said.text, "missing") + 1, "missing"));
	assert_int_equal(fix.fs_info.fs_devices->nr_devices, 2);
	assert_int_equal(fix.fs_info.fs_devices->nr_missing, 1);
	assert_null(btrfs_find_device(&fix.fs_info, 2, NULL)->bdev);
	fixture_free(&fix);
}

static void a_device_of_another_file_system_is_not_taken(void **state __unused)
{
	struct fixture fix;
	struct capture said;
	u8 uuid[BTRFS_UUID_SIZE];
	u8 fsid[BTRFS_FSID_SIZE];

	fixture_init(&fix, 1);
	fix.mem[1] = memdev_new("clone", DEV_SIZE);
	/* The same device uuid, as clones with a new fsid have it. */
	pool_push(&fix, fix.mem[1], 1, 0x99, 10);
	add_chunk(&fix, CHUNK_START, SZ_64K, 0, 1, 1);
	assert_int_equal(map_chunks(&fix, &said), 0);
	assert_ptr_equal(btrfs_find_device(&fix.fs_info, 1, NULL)->bdev, &fix.mem[0]->dev);

	set_uuid(uuid, 1);
	memset(fsid, 0x99, sizeof(fsid));
	assert_ptr_equal(btrfs_pool_take(&fix.fs_info, uuid, fsid)->bdev, &fix.mem[1]->dev);
	memset(fsid, 0x98, sizeof(fsid));
	assert_null(btrfs_pool_take(&fix.fs_info, uuid, fsid));
	fixture_free(&fix);
}

static void a_device_that_is_behind_is_used_with_a_warning(void **state __unused)
{
	struct fixture fix;
	struct capture said;

	fixture_init(&fix, 1);
	((struct btrfs_pool_device *)vec_at(&fix.fs_info.fs_devices->pool->devices, 0))
		->generation = 9;
	add_chunk(&fix, CHUNK_START, SZ_64K, 0, 1, 1);
	assert_int_equal(map_chunks(&fix, &said), 0);
	assert_says(&said, "disk1: device is behind");
	assert_true(mirror_is_right(&fix, CHUNK_START, 0, 1));
	assert_non_null(btrfs_find_device(&fix.fs_info, 1, NULL)->bdev);
	fixture_free(&fix);
}

static void many_devices_keep_their_places(void **state __unused)
{
	struct fixture fix;
	struct capture said;
	struct btrfs_chunk *chunk;

	/* The array of devices grows, and moves, while chunks already point into it. */
	fixture_init(&fix, MAX_DEVS);
	for (unsigned int i = 0; i < 12; i++) {
		chunk = add_chunk(&fix, CHUNK_START + i * SZ_64K, SZ_64K, 0, 1, 1);
		chunk->stripe.devid = htole64(i + 1);
		set_uuid(chunk->stripe.dev_uuid, i + 1);
	}
	assert_int_equal(map_chunks(&fix, &said), 0);
	for (unsigned int i = 0; i < 12; i++)
		assert_true(btrfs_find_chunk_map(&fix.fs_info, CHUNK_START + i * SZ_64K)
				    ->stripes[0].dev->devid == i + 1);
	assert_int_equal(fix.fs_info.fs_devices->nr_missing, 12 - MAX_DEVS);
	fixture_free(&fix);
}

/* ---- hostile chunk items ---- */

#define FIELD(member, val)	{ offsetof(struct btrfs_chunk, member), \
				  sizeof(((struct btrfs_chunk *)NULL)->member), (val) }

/* Each alone spoils a RAID10 chunk of four stripes. */
static const struct {
	size_t offset, size;
	u64 value;
} bad_fields[] = {
	FIELD(length, 0), FIELD(length, 4097), FIELD(length, 4096 * 3), FIELD(length, (u64)-4096),
	FIELD(stripe_len, 0), FIELD(stripe_len, 4096), FIELD(stripe_len, 131072),
	FIELD(type, 0), FIELD(type, BTRFS_BLOCK_GROUP_RAID10),
	FIELD(type, BTRFS_BLOCK_GROUP_SYSTEM | BTRFS_BLOCK_GROUP_DATA | BTRFS_BLOCK_GROUP_RAID10),
	FIELD(type, BTRFS_BLOCK_GROUP_SYSTEM | BTRFS_BLOCK_GROUP_RAID10 | BTRFS_BLOCK_GROUP_RAID0),
	FIELD(type, BTRFS_BLOCK_GROUP_SYSTEM | BTRFS_BLOCK_GROUP_RAID10 | 1ULL << 20),
	FIELD(type, BTRFS_BLOCK_GROUP_SYSTEM), FIELD(type, BTRFS_BLOCK_GROUP_SYSTEM |
						      BTRFS_BLOCK_GROUP_DUP),
	FIELD(type, BTRFS_BLOCK_GROUP_SYSTEM | BTRFS_BLOCK_GROUP_RAID1),
	FIELD(type, BTRFS_BLOCK_GROUP_SYSTEM | BTRFS_BLOCK_GROUP_RAID1C3),
	FIELD(sector_size, 512), FIELD(sector_size, 0),
	FIELD(num_stripes, 0), FIELD(num_stripes, 3), FIELD(num_stripes, 5),
	FIELD(num_stripes, 65535),
	FIELD(sub_stripes, 0), FIELD(sub_stripes, 1), FIELD(sub_stripes, 4),
	FIELD(stripe.offset, 1), FIELD(stripe.offset, (u64)-4096),
	FIELD(stripe.offset, -(u64)SZ_64K),
};

static void every_bad_chunk_field_is_refused(void **state __unused)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad_fields); i++) {
		u64 value = htole64(bad_fields[i].value);
		struct btrfs_chunk *chunk;
		struct fixture fix;
		struct capture said;

		fixture_init(&fix, 4);
		chunk = add_chunk(&fix, CHUNK_START, SZ_1M, BTRFS_BLOCK_GROUP_RAID10, 4, 2);
		memcpy((u8 *)chunk + bad_fields[i].offset, &value, bad_fields[i].size);
		if (map_chunks(&fix, &said) != -EUCLEAN)
			fail_msg("field at %zu set to %llu was taken", bad_fields[i].offset,
				 bad_fields[i].value);
		assert_says(&said, "ERROR: ");
		assert_null(btrfs_find_chunk_map(&fix.fs_info, CHUNK_START));
		fixture_free(&fix);
	}
}

static void every_bad_key_or_size_of_the_array_is_refused(void **state __unused)
{
	struct fixture fix;
	struct capture said;
	struct btrfs_disk_key *key;
	u32 size;

	fixture_init(&fix, 2);
	add_chunk(&fix, CHUNK_START, SZ_64K, BTRFS_BLOCK_GROUP_RAID1, 2, 1);
	key = (void *)fix.fs_info.super_copy.sys_chunk_array;
	size = le32toh(fix.fs_info.super_copy.sys_chunk_array_size);

	for (u32 cut = 1; cut < 400; cut++) {
		if (cut == size)
			continue;
		fix.fs_info.super_copy.sys_chunk_array_size = htole32(cut);
		assert_int_equal(map_chunks(&fix, &said), -EUCLEAN);
	}
	fix.fs_info.super_copy.sys_chunk_array_size = htole32(2049);
	assert_int_equal(map_chunks(&fix, &said), -EUCLEAN);
	fix.fs_info.super_copy.sys_chunk_array_size = htole32(UINT32_MAX);
	assert_int_equal(map_chunks(&fix, &said), -EUCLEAN);

	fix.fs_info.super_copy.sys_chunk_array_size = htole32(size);
	key->type = BTRFS_DEV_ITEM_KEY;
	assert_int_equal(map_chunks(&fix, &said), -EUCLEAN);
	key->type = BTRFS_CHUNK_ITEM_KEY;
	key->objectid = htole64(1);
	assert_int_equal(map_chunks(&fix, &said), -EUCLEAN);
	key->objectid = htole64(BTRFS_FIRST_CHUNK_TREE_OBJECTID);
	key->offset = htole64(CHUNK_START + 1);
	assert_int_equal(map_chunks(&fix, &said), -EUCLEAN);
	key->offset = htole64((u64)-4096);
	assert_int_equal(map_chunks(&fix, &said), -EUCLEAN);
	fixture_free(&fix);
}

static void overlapping_chunks_are_refused(void **state __unused)
{
	static const struct {
		u64 start, length;
		int ret;
	} second[] = {
		{ CHUNK_START + SZ_1M, SZ_1M, 0 },
		{ CHUNK_START - SZ_1M, SZ_1M, 0 },
		{ CHUNK_START, SZ_1M, 0 },		/* the same again */
		{ CHUNK_START, SZ_64K, -EUCLEAN },
		{ CHUNK_START + SZ_4K, SZ_4K, -EUCLEAN },
		{ CHUNK_START - SZ_4K, SZ_64K, -EUCLEAN },
		{ CHUNK_START - SZ_1M, 8 * SZ_1M, -EUCLEAN },
		{ CHUNK_START + SZ_1M - SZ_4K, SZ_1M, -EUCLEAN },
	};

	for (size_t i = 0; i < ARRAY_SIZE(second); i++) {
		struct fixture fix;
		struct capture said;

		fixture_init(&fix, 2);
		add_chunk(&fix, CHUNK_START, SZ_1M, 0, 1, 1);
		add_chunk(&fix, second[i].start, second[i].length, 0, 1, 1);
		assert_int_equal(map_chunks(&fix, &said), second[i].ret);
		if (second[i].ret)
			assert_says(&said, "overlaps");
		fixture_free(&fix);
	}
}

/* What passes the checks must also be safe to read through. */
static void random_arrays_do_no_harm(void **state __unused)
{
	u8 buf[SZ_4K];

	for (int round = 0; round < 4000; round++) {
		const struct profile *p = &profiles[test_random(&seed) % ARRAY_SIZE(profiles)];
		const struct btrfs_chunk_map *map;
		struct fixture fix;
		struct capture said;
		u32 size;

		fixture_init(&fix, 0);
		add_chunk(&fix, CHUNK_START, (u64)SZ_64K * p->nr_data, p->profile, p->num_stripes,
			  p->sub_stripes);
		size = le32toh(fix.fs_info.super_copy.sys_chunk_array_size);
		for (u64 n = test_random(&seed) % 4; n > 0; n--) {
			u64 at = test_random(&seed) % size;

			/* Bit flips find values near the good ones. */
			fix.fs_info.super_copy.sys_chunk_array[at] ^=
				(u8)(1U << test_random(&seed) % 8);
		}
		map_chunks(&fix, &said);
		for (u64 at = 0; (map = btrfs_next_chunk_map(&fix.fs_info, at));
		     at = map->logical + map->length) {
			int copies = btrfs_num_copies(&fix.fs_info, map->logical);
			u64 last = map->logical + map->length - 1;

			for (int mirror = 0; mirror <= copies + 1; mirror++)
				assert_true(btrfs_read_logical(&fix.fs_info, last, 1, mirror,
							       buf) < 0);
		}
		fixture_free(&fix);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_mirror_of_every_profile_has_the_bytes),
		cmocka_unit_test(mapping_says_where_the_bytes_are),
		cmocka_unit_test(raid6_mends_any_two_devices_spoiled_or_missing),
		cmocka_unit_test(redundancy_is_what_the_profile_promises),
		cmocka_unit_test(errors_tell_what_is_missing),
		cmocka_unit_test(a_device_cut_short_counts_as_bad),
		cmocka_unit_test(reads_go_on_into_the_next_chunk_and_any_buffers),
		cmocka_unit_test(chunks_are_found_by_address),
		cmocka_unit_test(a_missing_device_is_named_once),
		cmocka_unit_test(a_device_of_another_file_system_is_not_taken),
		cmocka_unit_test(a_device_that_is_behind_is_used_with_a_warning),
		cmocka_unit_test(many_devices_keep_their_places),
		cmocka_unit_test(every_bad_chunk_field_is_refused),
		cmocka_unit_test(every_bad_key_or_size_of_the_array_is_refused),
		cmocka_unit_test(overlapping_chunks_are_refused),
		cmocka_unit_test(random_arrays_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
