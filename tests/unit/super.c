// SPDX-License-Identifier: GPL-2.0-only
/*
 * Superblocks: each field that can be wrong, and the choice among the copies.
 */
#include "tests/unit/memdev.h"

#include "kernel-shared/disk-io.h"
#include "kernel-shared/super.h"

#define DEVICE_SIZE	(128ULL * SZ_1M)	/* holds two copies */

static void seal(struct btrfs_super_block *sb)
{
	memset(sb->csum, 0, sizeof(sb->csum));
	btrfs_csum_data(le16toh(sb->csum_type), (const u8 *)sb + BTRFS_CSUM_SIZE,
			BTRFS_SUPER_INFO_SIZE - BTRFS_CSUM_SIZE, sb->csum);
}

static void make_super(struct btrfs_super_block *sb, u64 bytenr, u64 generation)
{
	memset(sb, 0, sizeof(*sb));
	sb->magic = htole64(BTRFS_MAGIC);
	sb->bytenr = htole64(bytenr);
	sb->generation = htole64(generation);
	sb->sectorsize = htole32(SZ_4K);
	sb->nodesize = htole32(SZ_16K);
	sb->leafsize = htole32(SZ_16K);
	sb->root = htole64(SZ_1M);
	sb->chunk_root = htole64(SZ_1M);
	sb->num_devices = htole64(1);
	sb->total_bytes = htole64(DEVICE_SIZE);
	sb->dev_item.total_bytes = htole64(DEVICE_SIZE);
	sb->sys_chunk_array_size = htole32(97);
	memset(sb->fsid, 0x11, sizeof(sb->fsid));
	memset(sb->dev_item.fsid, 0x11, sizeof(sb->dev_item.fsid));
	memset(sb->dev_item.uuid, 0x22, sizeof(sb->dev_item.uuid));
	seal(sb);
}

static struct btrfs_super_block *sb_of(struct memdev *mem, int copy)
{
	return (struct btrfs_super_block *)(mem->data + btrfs_sb_offset(copy));
}

/* A device with two good copies of generation 5. */
static struct memdev *make_device(void)
{
	struct memdev *mem = memdev_new("disk", DEVICE_SIZE);

	make_super(sb_of(mem, 0), btrfs_sb_offset(0), 5);
	make_super(sb_of(mem, 1), btrfs_sb_offset(1), 5);
	return mem;
}

static int read_super(struct memdev *mem, u64 bytenr, struct btrfs_super_block *sb,
		      struct capture *capture)
{
	int ret;

	capture_begin(capture);
	ret = btrfs_read_dev_super(&mem->dev, bytenr, SBREAD_DEFAULT, sb);
	capture_end(capture);
	return ret;
}

static void copies_stand_where_the_format_has_them(void **state __unused)
{
	assert_true(btrfs_sb_offset(0) == 65536);
	assert_true(btrfs_sb_offset(1) == 64ULL << 20);
	assert_true(btrfs_sb_offset(2) == 256ULL << 30);
}

static void every_checksum_type_is_verified(void **state __unused)
{
	struct btrfs_super_block sb;

	for (u16 type = 0; type < 4; type++) {
		make_super(&sb, SZ_64K, 5);
		sb.csum_type = htole16(type);
		seal(&sb);
		assert_null(btrfs_check_super(&sb, SZ_64K));
		sb.padding[sizeof(sb.padding) - 1] ^= 1;
		assert_string_equal(btrfs_check_super(&sb, SZ_64K), "checksum mismatch");
	}
	sb.csum_type = htole16(4);
	assert_string_equal(btrfs_check_super(&sb, SZ_64K), "unknown checksum type");
}

/* Each of these alone makes a superblock bad although its checksum is right. */
static void each_bad_field_is_found(void **state __unused)
{
#define FIELD(member, val)	{ offsetof(struct btrfs_super_block, member), \
				  sizeof(((struct btrfs_super_block *)NULL)->member), (val) }
	static const struct {
		size_t offset, size;
		u64 value;
	} fields[] = {
		FIELD(magic, 0),
		FIELD(bytenr, 64 << 20),
		FIELD(sectorsize, 0), FIELD(sectorsize, 2048), FIELD(sectorsize, 5000),
		FIELD(sectorsize, 32768), FIELD(sectorsize, 0x80000000),
		FIELD(nodesize, 0), FIELD(nodesize, 2048), FIELD(nodesize, 20000),
		FIELD(nodesize, 131072),
		FIELD(leafsize, 4096),
		FIELD(sys_chunk_array_size, 0), FIELD(sys_chunk_array_size, 96),
		FIELD(sys_chunk_array_size, 2049), FIELD(sys_chunk_array_size, UINT32_MAX),
		FIELD(root_level, 8), FIELD(chunk_root_level, 8), FIELD(log_root_level, 255),
		FIELD(root, 513), FIELD(chunk_root, 2048), FIELD(log_root, 1),
		FIELD(num_devices, 0), FIELD(total_bytes, 0), FIELD(generation, 0),
		FIELD(dev_item.total_bytes, 0),
		FIELD(dev_item.fsid, 0x4444444444444444ULL),
		FIELD(fsid, 0x5555555555555555ULL),
	};
#undef FIELD
	struct btrfs_super_block sb;

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		u64 value = htole64(fields[i].value);

		make_super(&sb, SZ_64K, 5);
		memcpy((u8 *)&sb + fields[i].offset, &value, min(fields[i].size, sizeof(value)));
		seal(&sb);
		if (!btrfs_check_super(&sb, SZ_64K))
			fail_msg("field at %zu set to %llu was not noticed", fields[i].offset,
				 fields[i].value);
	}
}

static void the_device_carries_the_metadata_uuid(void **state __unused)
{
	struct btrfs_super_block sb;

	make_super(&sb, SZ_64K, 5);
	memset(sb.fsid, 0x77, sizeof(sb.fsid));
	memset(sb.metadata_uuid, 0x11, sizeof(sb.metadata_uuid));
	seal(&sb);
	assert_non_null(btrfs_check_super(&sb, SZ_64K));
	sb.incompat_flags = htole64(BTRFS_FEATURE_INCOMPAT_METADATA_UUID);
	seal(&sb);
	assert_null(btrfs_check_super(&sb, SZ_64K));
}

static void an_interrupted_change_of_fsid_is_readable_with_a_warning(void **state __unused)
{
	struct memdev *mem = make_device();
	struct btrfs_super_block sb;
	struct capture said;

	for (int i = 0; i < 2; i++) {
		memset(sb_of(mem, i)->fsid, 0x77, BTRFS_FSID_SIZE);
		sb_of(mem, i)->flags = htole64(BTRFS_SUPER_FLAG_CHANGING_FSID);
		seal(sb_of(mem, i));
	}
	assert_int_equal(read_super(mem, 0, &sb, &said), 0);
	assert_says(&said, "CHANGING_FSID");
	blockdev_close(&mem->dev);
}

static void a_good_device_is_read_in_silence(void **state __unused)
{
	struct memdev *mem = make_device();
	struct btrfs_super_block sb;
	struct capture said;

	assert_int_equal(read_super(mem, 0, &sb, &said), 0);
	assert_string_equal(said.text, "");
	/* A copy that was never written is no damage. */
	memset(sb_of(mem, 1), 0, sizeof(sb));
	assert_int_equal(read_super(mem, 0, &sb, &said), 0);
	assert_string_equal(said.text, "");
	blockdev_close(&mem->dev);
}

static void the_newest_valid_copy_wins(void **state __unused)
{
	struct memdev *mem = make_device();
	struct btrfs_super_block sb;
	struct capture said;

	make_super(sb_of(mem, 1), btrfs_sb_offset(1), 6);
	assert_int_equal(read_super(mem, 0, &sb, &said), 0);
	assert_true(le64toh(sb.generation) == 6);
	assert_int_equal(read_super(mem, SZ_64K, &sb, &said), 0);
	assert_true(le64toh(sb.generation) == 5);

	sb_of(mem, 1)->root_level ^= 1;
	assert_int_equal(read_super(mem, 0, &sb, &said), 0);
	assert_true(le64toh(sb.generation) == 5);
	assert_says(&said, "WARNING: disk: superblock copy at 67108864 is damaged: checksum");
	blockdev_close(&mem->dev);
}

static void a_lost_first_copy_is_made_up_for(void **state __unused)
{
	struct memdev *mem = make_device();
	struct btrfs_super_block sb;
	struct capture said;

	memset(sb_of(mem, 0), 0, sizeof(sb));
	assert_int_equal(read_super(mem, 0, &sb, &said), 0);
	assert_says(&said, "superblock copy at 65536 is damaged: no magic");
	assert_int_equal(read_super(mem, SZ_64K, &sb, &said), -EINVAL);
	blockdev_close(&mem->dev);
}

static void a_copy_of_another_file_system_is_passed_by(void **state __unused)
{
	struct memdev *mem = make_device();
	struct btrfs_super_block sb;
	struct capture said;

	/* An older and larger file system was here. */
	make_super(sb_of(mem, 1), btrfs_sb_offset(1), 999);
	memset(sb_of(mem, 1)->fsid, 0x66, BTRFS_FSID_SIZE);
	memset(sb_of(mem, 1)->dev_item.fsid, 0x66, BTRFS_FSID_SIZE);
	seal(sb_of(mem, 1));
	assert_int_equal(read_super(mem, 0, &sb, &said), 0);
	assert_true(le64toh(sb.generation) == 5);

	/* The same fsid, but behind the end of the file system. */
	make_super(sb_of(mem, 1), btrfs_sb_offset(1), 999);
	sb_of(mem, 0)->dev_item.total_bytes = htole64(32 * SZ_1M);
	seal(sb_of(mem, 0));
	assert_int_equal(read_super(mem, 0, &sb, &said), 0);
	assert_true(le64toh(sb.generation) == 5);
	blockdev_close(&mem->dev);
}

static void failures_say_what_they_are(void **state __unused)
{
	struct memdev *mem = make_device();
	struct memdev *tiny = memdev_new("tiny", 1000);
	struct memdev *empty = memdev_new("empty", SZ_1M);
	struct btrfs_super_block sb;
	struct capture said;

	sb_of(mem, 0)->generation ^= 1;
	sb_of(mem, 1)->generation ^= 1;
	assert_int_equal(read_super(mem, 0, &sb, &said), -EUCLEAN);
	assert_says(&said, "ERROR: disk: bad superblock at 65536: checksum mismatch");
	assert_says(&said, "at 67108864");
	mem->err = -EIO;
	assert_int_equal(read_super(mem, 0, &sb, &said), -EIO);
	assert_int_equal(read_super(tiny, 0, &sb, &said), -EINVAL);
	assert_says(&said, "ERROR: tiny: not a btrfs file system");
	assert_int_equal(read_super(empty, 0, &sb, &said), -EINVAL);
	assert_int_equal(read_super(empty, SZ_1M, &sb, &said), -EIO);
	blockdev_close(&mem->dev);
	blockdev_close(&tiny->dev);
	blockdev_close(&empty->dev);
}

static void unknown_features_are_refused_by_name(void **state __unused)
{
	static const struct {
		u64 bits;
		const char *words;
	} features[] = {
		{ BTRFS_FEATURE_INCOMPAT_EXTENT_TREE_V2, "EXTENT_TREE_V2" },
		{ BTRFS_FEATURE_INCOMPAT_RAID_STRIPE_TREE, "RAID_STRIPE_TREE" },
		{ BTRFS_FEATURE_INCOMPAT_REMAP_TREE, "REMAP_TREE" },
		{ 1ULL << 40, "unknown bit 0x10000000000" },
		{ 1ULL << 63, "unknown bit 0x8000000000000000" },
	};
	struct memdev *mem = make_device();
	struct btrfs_super_block sb;
	struct capture said;

	for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
		for (int copy = 0; copy < 2; copy++) {
			sb_of(mem, copy)->incompat_flags =
				htole64(features[i].bits | BTRFS_SUPPORTED_INCOMPAT |
					BTRFS_FEATURE_INCOMPAT_METADATA_UUID);
			memset(sb_of(mem, copy)->metadata_uuid, 0x11, BTRFS_FSID_SIZE);
			seal(sb_of(mem, copy));
		}
		assert_int_equal(read_super(mem, 0, &sb, &said), -EOPNOTSUPP);
		assert_says(&said, features[i].words);
		assert_int_equal(btrfs_read_dev_super(&mem->dev, 0,
						      SBREAD_TEMPORARY_ANY_FEATURE, &sb), 0);
	}
	/* Read-only features that nobody knows are no obstacle to reading. */
	for (int copy = 0; copy < 2; copy++) {
		sb_of(mem, copy)->incompat_flags = htole64(BTRFS_SUPPORTED_INCOMPAT);
		sb_of(mem, copy)->compat_ro_flags = htole64((u64)-1);
		seal(sb_of(mem, copy));
	}
	assert_int_equal(read_super(mem, 0, &sb, &said), 0);
	blockdev_close(&mem->dev);
}

static void a_label_always_ends(void **state __unused)
{
	struct memdev *mem = make_device();
	struct btrfs_super_block sb;
	struct capture said;

	memset(sb_of(mem, 0)->label, 'x', BTRFS_LABEL_SIZE);
	seal(sb_of(mem, 0));
	assert_int_equal(read_super(mem, 0, &sb, &said), 0);
	assert_int_equal(strnlen(sb.label, BTRFS_LABEL_SIZE), BTRFS_LABEL_SIZE - 1);
	blockdev_close(&mem->dev);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_stand_where_the_format_has_them),
		cmocka_unit_test(every_checksum_type_is_verified),
		cmocka_unit_test(each_bad_field_is_found),
		cmocka_unit_test(the_device_carries_the_metadata_uuid),
		cmocka_unit_test(an_interrupted_change_of_fsid_is_readable_with_a_warning),
		cmocka_unit_test(a_good_device_is_read_in_silence),
		cmocka_unit_test(the_newest_valid_copy_wins),
		cmocka_unit_test(a_lost_first_copy_is_made_up_for),
		cmocka_unit_test(a_copy_of_another_file_system_is_passed_by),
		cmocka_unit_test(failures_say_what_they_are),
		cmocka_unit_test(unknown_features_are_refused_by_name),
		cmocka_unit_test(a_label_always_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
