// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tree-checker on the items of the file system's own trees (roots,
 * extents, chunks, devices and the rest), one field damaged at a time.
 */
#include "tests/unit/tree-checker-leaves.h"

/* ---- roots ---- */

static void test_root_item(void **state)
{
	struct test_block *block = block_create(BTRFS_ROOT_TREE_OBJECTID, 0);
	struct btrfs_root_item *root = add_root(block, 300, 7);
	struct btrfs_item *item = block_item(block, 0);

	(void)state;
	bad_if(block, root->level, 8);
	bad_if(block, root->drop_level, 8);
	bad_if(block, root->bytenr, htole64(30408705));
	bad_if(block, root->generation, htole64(GENERATION + 2));
	bad_if(block, root->generation_v2, htole64(GENERATION + 2));
	bad_if(block, root->last_snapshot, htole64(GENERATION + 2));
	good_if(block, root->generation, htole64(GENERATION + 1));
	good_if(block, root->flags, htole64(BTRFS_ROOT_SUBVOL_RDONLY | BTRFS_ROOT_SUBVOL_DEAD));
	bad_if(block, root->flags, htole64(2));
	bad_if(block, item->key.objectid, 0);
	item->key.offset = htole64(BTRFS_EXTENT_TREE_OBJECTID);
	bad_if(block, item->key.objectid, htole64(BTRFS_TREE_RELOC_OBJECTID));
	item->key.offset = htole64(5);
	good_if(block, item->key.objectid, htole64(BTRFS_TREE_RELOC_OBJECTID));
	set_size(block, 0, sizeof(*root) - 1);
	expect_bad(block);
	set_size(block, 0, BTRFS_LEGACY_ROOT_ITEM_SIZE - 1);
	expect_bad(block);
	block_free(block);
}

static void test_root_ref(void **state)
{
	static const u8 types[] = { BTRFS_ROOT_REF_KEY, BTRFS_ROOT_BACKREF_KEY };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		struct test_block *block = block_create(BTRFS_ROOT_TREE_OBJECTID, 0);
		struct btrfs_root_ref *ref = add_root_ref(block, types[i], "snapshot");

		bad_if(block, ref->name_len, 0);
		bad_if(block, ref->name_len, htole16(9));
		bad_if(block, ref->name_len, htole16(65535));
		set_size(block, 0, sizeof(*ref) - 1);
		expect_bad(block);
		block_free(block);
	}
}

/* ---- extents ---- */

static void test_data_extent(void **state)
{
	struct test_block *block = block_create(BTRFS_EXTENT_TREE_OBJECTID, 0);
	struct btrfs_extent_item *ei =
		add_extent(block, 1048576, BTRFS_EXTENT_ITEM_KEY, 8192, 1, 29);
	struct btrfs_extent_inline_ref *iref = (void *)(ei + 1);
	struct btrfs_extent_data_ref *ref = (void *)((u8 *)iref + 1);
	struct btrfs_item *item = block_item(block, 0);

	(void)state;
	put_inline_data_ref(iref, 5, INO, 0);
	expect_ok(block);
	bad_if(block, item->key.objectid, htole64(1048577));
	bad_if(block, item->key.offset, htole64(8193));
	bad_if(block, item->key.offset, htole64(-4096ULL));
	bad_if(block, item->key.type, BTRFS_METADATA_ITEM_KEY);
	bad_if(block, ei->refs, 0);
	good_if(block, ei->refs, htole64(2));
	good_if(block, ei->generation, 0);
	bad_if(block, ei->generation, htole64(GENERATION + 2));
	bad_if(block, ei->flags, 0);
	bad_if(block, ei->flags, htole64(3));
	bad_if(block, ei->flags, htole64(BTRFS_EXTENT_FLAG_TREE_BLOCK));
	bad_if(block, ei->flags, htole64(BTRFS_EXTENT_FLAG_DATA | BTRFS_BLOCK_FLAG_FULL_BACKREF));
	bad_if(block, iref->type, 0);
	bad_if(block, iref->type, BTRFS_EXTENT_REF_V0_KEY);
	bad_if(block, iref->type, BTRFS_SHARED_DATA_REF_KEY);
	bad_if(block, ref->count, 0);
	bad_if(block, ref->count, htole32(2));
	bad_if(block, ref->root, htole64(BTRFS_EXTENT_TREE_OBJECTID));
	good_if(block, ref->root, htole64(BTRFS_ROOT_TREE_OBJECTID));
	good_if(block, ref->root, htole64(BTRFS_DATA_RELOC_TREE_OBJECTID));
	bad_if(block, ref->objectid, htole64(255));
	bad_if(block, ref->offset, htole64(1));
	/* An extent that starts before the file does: the offset is negative. */
	good_if(block, ref->offset, htole64(-4096ULL));
	set_size(block, 0, sizeof(*ei) - 1);
	expect_bad(block);
	for (u32 size = 1; size < 29; size++) {
		set_size(block, 0, (u32)sizeof(*ei) + size);
		expect_bad(block);
	}
	set_size(block, 0, sizeof(*ei) + 29 + 1);
	expect_bad(block);
	block_free(block);
}

static void test_metadata_extent(void **state)
{
	struct test_block *block = block_create(BTRFS_EXTENT_TREE_OBJECTID, 0);
	struct btrfs_extent_item *ei =
		add_extent(block, 1048576, BTRFS_METADATA_ITEM_KEY, 1, 2, 18);
	struct btrfs_extent_inline_ref *first = (void *)(ei + 1);
	struct btrfs_extent_inline_ref *second =
		put_inline_ref(first, BTRFS_TREE_BLOCK_REF_KEY, 300);

	(void)state;
	put_inline_ref(second, BTRFS_SHARED_BLOCK_REF_KEY, 30408704);
	expect_ok(block);
	bad_if(block, block_item(block, 0)->key.offset, htole64(8));
	bad_if(block, block_item(block, 0)->key.objectid, htole64(-4096ULL));
	bad_if(block, second->offset, htole64(1));
	bad_if(block, ei->refs, htole64(1));
	bad_if(block, ei->flags, htole64(BTRFS_EXTENT_FLAG_DATA));
	bad_if(block, first->type, BTRFS_SHARED_DATA_REF_KEY);
	bad_if(block, first->type, 255);
	bad_if(block, second->type, BTRFS_EXTENT_OWNER_REF_KEY);
	/* Of one type they descend. */
	bad_if(block, second->type, BTRFS_TREE_BLOCK_REF_KEY);
	second->type = BTRFS_TREE_BLOCK_REF_KEY;
	second->offset = htole64(5);
	expect_ok(block);
	block->fs_info.incompat = 0;
	expect_bad(block);
	block_free(block);
}

static void test_fat_metadata_extent(void **state)
{
	struct test_block *block = fat_extent_leaf();
	struct btrfs_extent_item *ei =
		(void *)(block->data + sizeof(struct btrfs_header) + block->start);
	struct btrfs_tree_block_info *info = (void *)(ei + 1);

	(void)state;
	bad_if(block, info->level, 8);
	bad_if(block, block_item(block, 0)->key.offset, htole64(4096));
	set_size(block, 0, sizeof(*ei) + sizeof(*info) - 1);
	expect_bad(block);
	set_size(block, 0, sizeof(*ei));
	expect_bad(block);
	block_free(block);
}

static void test_order_of_data_refs(void **state)
{
	struct test_block *block = block_create(BTRFS_EXTENT_TREE_OBJECTID, 0);
	struct btrfs_extent_item *ei =
		add_extent(block, 1048576, BTRFS_EXTENT_ITEM_KEY, 8192, 2, 58);
	u8 *first = (u8 *)(ei + 1), *second = put_inline_data_ref(first, 5, INO, 0), swap[29];
	struct btrfs_check_report report;
	int ret;

	(void)state;
	put_inline_data_ref(second, 5, 258, 4096);
	ret = check(block, &report);
	memcpy(swap, first, 29);
	memcpy(first, second, 29);
	memcpy(second, swap, 29);
	/* One of both orders is the right one. */
	assert_int_equal(ret + check(block, &report), -EUCLEAN);
	block_free(block);
}

static void test_shared_data_ref_count(void **state)
{
	struct test_block *block = block_create(BTRFS_EXTENT_TREE_OBJECTID, 0);
	struct btrfs_extent_item *ei =
		add_extent(block, 1048576, BTRFS_EXTENT_ITEM_KEY, 8192, 1, 13);
	__le32 *count = (__le32 *)((u8 *)(ei + 1) + 9);

	(void)state;
	put_inline_ref(ei + 1, BTRFS_SHARED_DATA_REF_KEY, 30408704);
	expect_ok(block);
	put_unaligned_le32(0, count);
	expect_bad(block);
	put_unaligned_le32(2, count);
	expect_bad(block);
	block_free(block);
}

static void test_overlapping_extent_items(void **state)
{
	struct test_block *block = extent_leaf();

	(void)state;
	bad_if(block, block_item(block, 0)->key.offset, htole64(8192));
	block_free(block);
}

static void test_keyed_refs(void **state)
{
	struct test_block *block = extent_leaf();
	struct btrfs_extent_data_ref *data_ref = (void *)btrfs_item_data(&block->eb, 2);
	__le32 *count = (void *)btrfs_item_data(&block->eb, 3);
	u32 old;

	(void)state;
	bad_if(block, data_ref->count, 0);
	bad_if(block, data_ref->offset, htole64(7));
	bad_if(block, data_ref->root, 0);
	bad_if(block, block_item(block, 3)->key.offset, htole64(7));
	old = get_unaligned_le32(count);
	put_unaligned_le32(0, count);
	expect_bad(block);
	put_unaligned_le32(old, count);
	expect_ok(block);
	bad_if(block, block_item(block, 6)->key.offset, htole64(30441473));
	bad_if(block, block_item(block, 6)->key.objectid, htole64(30408705));
	bad_if(block, block_item(block, 3)->key.objectid, htole64(1052673));
	good_if(block, block_item(block, 5)->key.offset, htole64(301));
	block_free(block);
}

static void test_keyed_ref_sizes(void **state)
{
	static const struct {
		u8 type;
		u32 size;
	} refs[] = {
		{ BTRFS_TREE_BLOCK_REF_KEY, 1 },   { BTRFS_SHARED_BLOCK_REF_KEY, 1 },
		{ BTRFS_EXTENT_DATA_REF_KEY, 0 },  { BTRFS_EXTENT_DATA_REF_KEY, 27 },
		{ BTRFS_SHARED_DATA_REF_KEY, 0 },  { BTRFS_SHARED_DATA_REF_KEY, 3 },
		{ BTRFS_EXTENT_OWNER_REF_KEY, 7 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refs); i++) {
		struct test_block *block = block_create(BTRFS_EXTENT_TREE_OBJECTID, 0);

		memset(add_item(block, 1048576, refs[i].type, 4096, refs[i].size), 1, refs[i].size);
		expect_bad(block);
		block_free(block);
	}
}

static void test_block_group(void **state)
{
	struct test_block *block = block_create(BTRFS_EXTENT_TREE_OBJECTID, 0);
	struct btrfs_block_group_item *bg =
		add_block_group(block, 13631488, BTRFS_BLOCK_GROUP_DATA);
	struct btrfs_item *item = block_item(block, 0);

	(void)state;
	bad_if(block, item->key.offset, htole64(-1ULL));
	bad_if(block, bg->used, htole64(8388609));
	bad_if(block, bg->chunk_objectid, htole64(257));
	bad_if(block, bg->flags, 0);
	bad_if(block, bg->flags, htole64(BTRFS_BLOCK_GROUP_DATA | BTRFS_BLOCK_GROUP_SYSTEM));
	bad_if(block, bg->flags,
	       htole64(BTRFS_BLOCK_GROUP_DATA | BTRFS_BLOCK_GROUP_RAID0 | BTRFS_BLOCK_GROUP_RAID1));
	good_if(block, bg->flags, htole64(BTRFS_BLOCK_GROUP_DATA | BTRFS_BLOCK_GROUP_METADATA));
	bg->used = 0;
	bad_if(block, item->key.offset, 0);
	set_size(block, 0, sizeof(*bg) - 1);
	expect_bad(block);
	block_free(block);
}

/* ---- chunks and devices ---- */

static void test_chunk_item(void **state)
{
	struct test_block *block = block_create(BTRFS_CHUNK_TREE_OBJECTID, 0);
	struct btrfs_chunk *chunk =
		add_chunk(block, 13631488, BTRFS_BLOCK_GROUP_DATA | BTRFS_BLOCK_GROUP_RAID1, 2);

	(void)state;
	bad_if(block, chunk->num_stripes, 0);
	bad_if(block, chunk->num_stripes, htole16(1));
	bad_if(block, chunk->num_stripes, htole16(3));
	bad_if(block, chunk->num_stripes, htole16(65535));
	bad_if(block, chunk->length, 0);
	bad_if(block, chunk->length, htole64(8388609));
	bad_if(block, chunk->length, htole64(-4096ULL));
	bad_if(block, chunk->stripe_len, htole64(4096));
	bad_if(block, chunk->sector_size, htole32(512));
	bad_if(block, chunk->type, 0);
	bad_if(block, chunk->type, htole64(BTRFS_BLOCK_GROUP_DATA));
	bad_if(block, block_item(block, 0)->key.offset, htole64(13631489));
	set_size(block, 0, sizeof(*chunk) - 1);
	expect_bad(block);
	set_size(block, 0, 0);
	expect_bad(block);
	block_free(block);
}

static void test_dev_item(void **state)
{
	struct test_block *block = block_create(BTRFS_CHUNK_TREE_OBJECTID, 0);
	struct btrfs_dev_item *dev =
		add_item(block, BTRFS_DEV_ITEMS_OBJECTID, BTRFS_DEV_ITEM_KEY, 2, sizeof(*dev));

	(void)state;
	dev->devid = htole64(2);
	expect_ok(block);
	bad_if(block, dev->devid, htole64(1));
	bad_if(block, dev->bytes_used, htole64(1));
	bad_if(block, block_item(block, 0)->key.objectid, htole64(2));
	set_size(block, 0, sizeof(*dev) - 1);
	expect_bad(block);
	block_free(block);
}

static void test_dev_extent(void **state)
{
	struct test_block *block = block_create(BTRFS_DEV_TREE_OBJECTID, 0);
	struct btrfs_dev_extent *first = add_dev_extent(block, 1048576, 8388608);
	struct btrfs_dev_extent *second = add_dev_extent(block, 1048576 + 8388608, 4096);

	(void)state;
	bad_if(block, first->length, htole64(8388608 + 4096));
	bad_if(block, first->length, 0);
	bad_if(block, second->length, htole64(100));
	bad_if(block, second->length, htole64(-4096ULL));
	bad_if(block, second->chunk_tree, htole64(2));
	bad_if(block, second->chunk_objectid, htole64(2));
	bad_if(block, second->chunk_offset, htole64(1));
	good_if(block, block_item(block, 1)->key.objectid, htole64(2));
	set_size(block, 1, sizeof(*second) - 1);
	expect_bad(block);
	block_free(block);
}

static void test_raid_stripe(void **state)
{
	struct test_block *block = stripe_leaf();

	(void)state;
	bad_if(block, block_item(block, 0)->key.objectid, htole64(1));
	bad_if(block, block->fs_info.incompat, 0);
	set_size(block, 0, sizeof(struct btrfs_raid_stride) - 1);
	expect_bad(block);
	block_free(block);
}

/* ---- items of which only the size matters ---- */

static void test_minimum_sizes(void **state)
{
	static const struct {
		u64 objectid;
		u8 type;
		u64 offset;
		u32 size;
	} items[] = {
		{ INO, BTRFS_DIR_LOG_ITEM_KEY, 0, 8 },
		{ INO, BTRFS_DIR_LOG_INDEX_KEY, 0, 8 },
		{ 13631488, BTRFS_FREE_SPACE_INFO_KEY, 8388608, 8 },
		{ 13631488, BTRFS_FREE_SPACE_BITMAP_KEY, 8388608, 256 },
		{ BTRFS_FREE_SPACE_OBJECTID, 0, 13631488, 41 },
		{ 0, BTRFS_QGROUP_STATUS_KEY, 0, 32 },
		{ 0, BTRFS_QGROUP_INFO_KEY, 5, 40 },
		{ 0, BTRFS_QGROUP_LIMIT_KEY, 5, 40 },
		{ BTRFS_BALANCE_OBJECTID, BTRFS_TEMPORARY_ITEM_KEY, 0, 448 },
		{ 0, BTRFS_PERSISTENT_ITEM_KEY, 1, 40 },
		{ 0, BTRFS_DEV_REPLACE_KEY, 0, 72 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(items); i++) {
		struct test_block *block = block_create(BTRFS_ROOT_TREE_OBJECTID, 0);

		add_item(block, items[i].objectid, items[i].type, items[i].offset, items[i].size);
		expect_ok(block);
		set_size(block, 0, items[i].size - 1);
		expect_bad(block);
		set_size(block, 0, 0);
		expect_bad(block);
		block_free(block);
	}
}

static void test_uuid_item(void **state)
{
	struct test_block *block = uuid_leaf();

	(void)state;
	set_size(block, 1, 16);
	expect_ok(block);
	set_size(block, 1, 15);
	expect_bad(block);
	block_free(block);
}

static void test_free_space_bitmap_overflow(void **state)
{
	struct test_block *block = free_space_leaf();

	(void)state;
	bad_if(block, block_item(block, 2)->key.offset, htole64(-1ULL));
	bad_if(block, block_item(block, 2)->key.offset, htole64(2049 * SECTOR));
	bad_if(block, block_item(block, 2)->key.objectid, htole64(-4096ULL));
	block_free(block);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_root_item),
		cmocka_unit_test(test_root_ref),
		cmocka_unit_test(test_data_extent),
		cmocka_unit_test(test_metadata_extent),
		cmocka_unit_test(test_fat_metadata_extent),
		cmocka_unit_test(test_order_of_data_refs),
		cmocka_unit_test(test_shared_data_ref_count),
		cmocka_unit_test(test_overlapping_extent_items),
		cmocka_unit_test(test_keyed_refs),
		cmocka_unit_test(test_keyed_ref_sizes),
		cmocka_unit_test(test_block_group),
		cmocka_unit_test(test_chunk_item),
		cmocka_unit_test(test_dev_item),
		cmocka_unit_test(test_dev_extent),
		cmocka_unit_test(test_raid_stripe),
		cmocka_unit_test(test_minimum_sizes),
		cmocka_unit_test(test_uuid_item),
		cmocka_unit_test(test_free_space_bitmap_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
