// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writing superblocks: which copies, with what in them, in which order; and the
 * backup slots.
 */
#include "tests/unit/volumes-fixture.h"

#include "kernel-shared/disk-io.h"
#include "kernel-shared/super.h"
#include "kernel-shared/super-write.h"

#define GIB(n)		((n) * SZ_1G)
#define MAX_BLOCKS	4

/* A device of any size that remembers superblocks alone. */
struct sbdev {
	struct blockdev dev;
	u64 offsets[MAX_BLOCKS];
	u8 blocks[MAX_BLOCKS][BTRFS_SUPER_INFO_SIZE];
	unsigned int nr_blocks;
	int write_err;
	char name;
};

/* "f1 w1@65536 ..." of all devices, in the order of the calls. */
static char events[1024];

static void note(const struct sbdev *sbdev, const char *what)
{
	size_t len = strlen(events);

	snprintf(events + len, sizeof(events) - len, "%s%s%c", len ? " " : "", what, sbdev->name);
}

static u8 *find_block(struct sbdev *sbdev, u64 offset)
{
	for (unsigned int i = 0; i < sbdev->nr_blocks; i++) {
		if (sbdev->offsets[i] == offset)
			return sbdev->blocks[i];
	}
	return NULL;
}

static int sbdev_preadv(struct blockdev *dev, const struct iovec *iov, int iovcnt, u64 offset)
{
	const u8 *block = find_block(container_of(dev, struct sbdev, dev), offset);

	if (iovcnt != 1 || iov->iov_len != BTRFS_SUPER_INFO_SIZE)
		return -EINVAL;
	if (block)
		memcpy(iov->iov_base, block, BTRFS_SUPER_INFO_SIZE);
	else
		memset(iov->iov_base, 0, BTRFS_SUPER_INFO_SIZE);
	return 0;
}

static int sbdev_pwritev(struct blockdev *dev, const struct iovec *iov, int iovcnt, u64 offset)
{
	struct sbdev *sbdev = container_of(dev, struct sbdev, dev);
	u8 *block = find_block(sbdev, offset);
	char what[32];

	if (sbdev->write_err)
		return sbdev->write_err;
	if (iovcnt != 1 || iov->iov_len != BTRFS_SUPER_INFO_SIZE)
		return -EINVAL;
	if (!block) {
		if (sbdev->nr_blocks == MAX_BLOCKS)
			return -ENOSPC;
		sbdev->offsets[sbdev->nr_blocks] = offset;
		block = sbdev->blocks[sbdev->nr_blocks++];
	}
	memcpy(block, iov->iov_base, BTRFS_SUPER_INFO_SIZE);
	snprintf(what, sizeof(what), "%llu:", offset);
	note(sbdev, what);
	return 0;
}

static int sbdev_flush(struct blockdev *dev)
{
	note(container_of(dev, struct sbdev, dev), "f");
	return 0;
}

static void sbdev_close(struct blockdev *dev)
{
	free(dev->path);
	free(container_of(dev, struct sbdev, dev));
}

static const struct blockdev_ops sbdev_ops = {
	.preadv = sbdev_preadv,
	.pwritev = sbdev_pwritev,
	.flush = sbdev_flush,
	.close = sbdev_close,
};

static struct sbdev *sbdev_new(unsigned int devid, u64 size)
{
	struct sbdev *sbdev = calloc(1, sizeof(*sbdev));

	assert_non_null(sbdev);
	sbdev->dev.ops = &sbdev_ops;
	sbdev->dev.size = size;
	sbdev->dev.path = strdup("disk0");
	assert_non_null(sbdev->dev.path);
	sbdev->dev.path[4] += (char)devid;
	sbdev->name = sbdev->dev.path[4];
	return sbdev;
}

/* ---- a file system ---- */

struct fixture {
	struct btrfs_fs_info *fs_info;
	struct sbdev *devs[MAX_DEVS];
};

/* All that btrfs_check_super() wants. */
static void complete_super(struct btrfs_super_block *sb, unsigned int nr_devs)
{
	sb->root = htole64(SZ_1M);
	sb->chunk_root = htole64(SZ_1M);
	sb->num_devices = htole64(nr_devs);
	sb->total_bytes = htole64(GIB(1));
	sb->sys_chunk_array_size = htole32(97);
}

/* Device i + 1 has @sizes[i] bytes; the device itself is a little larger. */
static void fixture_init(struct fixture *fix, const u64 *sizes, unsigned int nr_devs,
			 u16 csum_type)
{
	struct btrfs_new_device devices[MAX_DEVS];
	struct btrfs_super_block sb;

	memset(fix, 0, sizeof(*fix));
	for (unsigned int i = 0; i < nr_devs; i++) {
		fix->devs[i] = sbdev_new(i + 1, sizes[i] + SZ_16K);
		devices[i] = (struct btrfs_new_device){
			.bdev = &fix->devs[i]->dev, .devid = i + 1, .total_bytes = sizes[i],
		};
		new_fs_uuid(devices[i].uuid, i + 1);
	}
	new_fs_super(&sb);
	sb.csum_type = htole16(csum_type);
	complete_super(&sb, nr_devs);
	setenv("BTRFS_CACHE_SIZE", "1M", 1);
	assert_int_equal(btrfs_new_fs_info("test", &sb, devices, nr_devs, &fix->fs_info), 0);
	events[0] = '\0';
}

static void fixture_free(struct fixture *fix)
{
	btrfs_close_fs(fix->fs_info);
}

/* ---- what is written ---- */

static void every_copy_is_good_and_of_its_own_device(void **state)
{
	const u64 sizes[] = { GIB(300), GIB(1), SZ_1M };
	const int copies[] = { 3, 2, 1 };

	for (u16 csum_type = 0; csum_type <= BTRFS_CSUM_TYPE_BLAKE2; csum_type++) {
		struct btrfs_super_block sb;
		struct fixture fix;

		fixture_init(&fix, sizes, 3, csum_type);
		btrfs_find_device(fix.fs_info, 2, NULL)->bytes_used = 12345;
		assert_int_equal(btrfs_write_supers(fix.fs_info), 0);
		for (unsigned int d = 0; d < 3; d++) {
			assert_int_equal(fix.devs[d]->nr_blocks, copies[d]);
			for (int c = 0; c < copies[d]; c++) {
				u64 bytenr = btrfs_sb_offset(c);

				assert_int_equal(btrfs_read_dev_super(&fix.devs[d]->dev, bytenr,
								      SBREAD_DEFAULT, &sb), 0);
				assert_int_equal(le64toh(sb.bytenr), bytenr);
				assert_int_equal(le64toh(sb.dev_item.devid), d + 1);
				assert_int_equal(le64toh(sb.dev_item.total_bytes), sizes[d]);
				assert_int_equal(le64toh(sb.dev_item.bytes_used),
						 d == 1 ? 12345 : 0);
				assert_int_equal(le64toh(sb.flags), BTRFS_HEADER_FLAG_WRITTEN);
			}
			assert_int_equal(btrfs_read_dev_super(&fix.devs[d]->dev, 0,
							      SBREAD_DEFAULT, &sb), 0);
		}
		assert_int_equal(le64toh(fix.fs_info->super_copy.bytenr), 0);
		fixture_free(&fix);
	}
}

static void a_copy_is_written_where_it_just_fits(void **state)
{
	const u64 second = 64ULL * SZ_1M + BTRFS_SUPER_INFO_SIZE;
	const u64 sizes[] = { second - 1, second };
	struct fixture fix;

	fixture_init(&fix, sizes, 2, 0);
	assert_int_equal(btrfs_write_supers(fix.fs_info), 0);
	assert_int_equal(fix.devs[0]->nr_blocks, 1);
	assert_int_equal(fix.devs[1]->nr_blocks, 2);
	fixture_free(&fix);
}

/*
 * A kernel that mounts after a crash goes by first copies, and may overwrite what
 * a younger second copy points to.
 */
static void first_copies_are_safe_before_the_others_are_written(void **state)
{
	const u64 sizes[] = { GIB(300), GIB(1) };
	struct fixture fix;

	fixture_init(&fix, sizes, 2, 0);
	assert_int_equal(btrfs_write_supers(fix.fs_info), 0);
	assert_string_equal(events,
			    "f1 f2 65536:1 65536:2 f1 f2 "
			    "67108864:1 274877906944:1 67108864:2 f1 f2");
	fixture_free(&fix);
}

static void missing_devices_and_seeds_are_left_alone(void **state)
{
	const u64 sizes[] = { SZ_1M, SZ_1M, SZ_1M };
	struct capture said;
	struct fixture fix;

	fixture_init(&fix, sizes, 3, 0);
	btrfs_find_device(fix.fs_info, 1, NULL)->bdev = NULL;
	memset(btrfs_find_device(fix.fs_info, 2, NULL)->fsid, 0x77, BTRFS_FSID_SIZE);
	assert_int_equal(btrfs_write_supers(fix.fs_info), 0);
	assert_string_equal(events, "f3 65536:3 f3 f3");
	btrfs_find_device(fix.fs_info, 3, NULL)->bdev = NULL;
	capture_begin(&said);
	assert_int_equal(btrfs_write_supers(fix.fs_info), -ENODEV);
	capture_end(&said);
	assert_says(&said, "no device");
	fixture_free(&fix);
}

static void what_would_be_refused_is_not_written(void **state)
{
	const u64 sizes[] = { SZ_1M, SZ_1M };

	for (unsigned int bad = 0; bad < 3; bad++) {
		struct capture said;
		struct fixture fix;

		fixture_init(&fix, sizes, 2, 0);
		if (bad == 0)
			fix.fs_info->super_copy.root = htole64(SZ_1M + 1);
		else if (bad == 1)
			memset(fix.fs_info->super_copy.fsid, 0x12, BTRFS_FSID_SIZE);
		else
			btrfs_find_device(fix.fs_info, 2, NULL)->total_bytes = SZ_64K;
		capture_begin(&said);
		assert_int_equal(btrfs_write_supers(fix.fs_info), -EUCLEAN);
		capture_end(&said);
		assert_says(&said, "superblock not written");
		assert_string_equal(events, "");
		fixture_free(&fix);
	}
}

static void writing_stops_at_the_first_error(void **state)
{
	const u64 sizes[] = { GIB(1), GIB(1), GIB(1) };
	struct capture said;
	struct fixture fix;

	fixture_init(&fix, sizes, 3, 0);
	fix.devs[1]->write_err = -EIO;
	capture_begin(&said);
	assert_int_equal(btrfs_write_supers(fix.fs_info), -EIO);
	capture_end(&said);
	assert_string_equal(events, "f1 f2 f3 65536:1");
	assert_says(&said, "disk2: cannot write the superblock at 65536");
	fixture_free(&fix);
}

/* ---- backup slots ---- */

static void commit(struct btrfs_super_block *sb, u64 generation)
{
	const struct btrfs_backup_roots roots = {
		.tree_root = { generation * SZ_1M, generation, 1 },
		.chunk_root = { SZ_64K, 3, 0 },
		.csum_root = { SZ_128K, 2, 4 },
	};

	btrfs_set_super_backup(sb, &roots);
}

static void check_generations(const struct btrfs_super_block *sb, u64 a, u64 b, u64 c, u64 d)
{
	const u64 expected[] = { a, b, c, d };

	for (unsigned int i = 0; i < BTRFS_NUM_BACKUP_ROOTS; i++)
		assert_int_equal(le64toh(sb->super_roots[i].tree_root_gen), expected[i]);
}

static void backups_go_round(void **state)
{
	struct btrfs_super_block sb = { 0 };

	sb.total_bytes = htole64(77);
	sb.bytes_used = htole64(78);
	sb.num_devices = htole64(2);
	commit(&sb, 5);
	check_generations(&sb, 5, 0, 0, 0);
	assert_int_equal(le64toh(sb.super_roots[0].tree_root), 5 * SZ_1M);
	assert_int_equal(sb.super_roots[0].tree_root_level, 1);
	assert_int_equal(le64toh(sb.super_roots[0].chunk_root_gen), 3);
	assert_int_equal(le64toh(sb.super_roots[0].csum_root), SZ_128K);
	assert_int_equal(sb.super_roots[0].csum_root_level, 4);
	assert_int_equal(le64toh(sb.super_roots[0].extent_root), 0);
	assert_int_equal(le64toh(sb.super_roots[0].total_bytes), 77);
	assert_int_equal(le64toh(sb.super_roots[0].bytes_used), 78);
	assert_int_equal(le64toh(sb.super_roots[0].num_devices), 2);
	commit(&sb, 6);
	commit(&sb, 7);
	commit(&sb, 7);
	check_generations(&sb, 5, 6, 7, 0);
	commit(&sb, 9);
	commit(&sb, 10);
	check_generations(&sb, 10, 6, 7, 9);
	/* What claims to be from the future is no reason to go elsewhere. */
	sb.super_roots[2].tree_root_gen = htole64(1000);
	commit(&sb, 11);
	check_generations(&sb, 10, 11, 1000, 9);
	commit(&sb, 12);
	check_generations(&sb, 10, 11, 12, 9);
}

static void backups_are_taken_from_the_trees_that_are_open(void **state)
{
	const u64 sizes[] = { GIB(1) };
	struct extent_buffer node = { .start = 30 * SZ_1M, .generation = 8, .level = 2 };
	struct btrfs_root root = { .node = &node };
	const struct btrfs_root_backup *slot;
	struct fixture fix;

	fixture_init(&fix, sizes, 1, 0);
	slot = &fix.fs_info->super_copy.super_roots[0];
	fix.fs_info->tree_root = &root;
	fix.fs_info->dev_root = &root;
	assert_int_equal(u64_map_insert(&fix.fs_info->fs_roots, BTRFS_FS_TREE_OBJECTID, &root), 0);
	btrfs_backup_super_roots(fix.fs_info);
	assert_int_equal(le64toh(slot->tree_root), 30 * SZ_1M);
	assert_int_equal(le64toh(slot->tree_root_gen), 8);
	assert_int_equal(le64toh(slot->fs_root), 30 * SZ_1M);
	assert_int_equal(slot->fs_root_level, 2);
	assert_int_equal(le64toh(slot->dev_root_gen), 8);
	assert_int_equal(le64toh(slot->extent_root), 0);
	assert_int_equal(le64toh(slot->total_bytes), GIB(1));
	fix.fs_info->tree_root = NULL;
	fix.fs_info->dev_root = NULL;
	u64_map_remove(&fix.fs_info->fs_roots, BTRFS_FS_TREE_OBJECTID);
	fixture_free(&fix);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_copy_is_good_and_of_its_own_device),
		cmocka_unit_test(a_copy_is_written_where_it_just_fits),
		cmocka_unit_test(first_copies_are_safe_before_the_others_are_written),
		cmocka_unit_test(missing_devices_and_seeds_are_left_alone),
		cmocka_unit_test(what_would_be_refused_is_not_written),
		cmocka_unit_test(writing_stops_at_the_first_error),
		cmocka_unit_test(backups_go_round),
		cmocka_unit_test(backups_are_taken_from_the_trees_that_are_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
