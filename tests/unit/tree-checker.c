// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tree-checker on blocks as such and on what file trees hold: valid leaves
 * are built in memory and one field is damaged at a time.
 */
#include "tests/unit/tree-checker-leaves.h"

/* ---- the block as such ---- */

static void test_intact_blocks(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(block_builders); i++) {
		struct test_block *block = block_builders[i]();

		expect_ok(block);
		block_free(block);
	}
}

static void test_leaf_header(void **state)
{
	struct test_block *block = file_leaf();
	struct btrfs_check_report report;

	(void)state;
	bad_if(block, block_header(block)->flags, 0);
	bad_if(block, block->eb.nritems, 11);
	bad_if(block, block->eb.nritems, 653);
	bad_if(block, block->eb.nritems, UINT32_MAX);
	block->eb.level = 1;
	assert_int_equal(btrfs_check_leaf(&block->eb, &report), -EUCLEAN);
	block->eb.level = 0;
	assert_int_equal(btrfs_check_node(&block->eb, &report), -EUCLEAN);
	block_free(block);
}

static void test_item_places(void **state)
{
	struct test_block *block = file_leaf();
	struct btrfs_item *first = block_item(block, 0), *second = block_item(block, 1);

	(void)state;
	bad_if(block, first->offset, htole32(le32toh(first->offset) - 1));
	bad_if(block, first->offset, htole32(UINT32_MAX));
	bad_if(block, first->size, htole32(le32toh(first->size) + 1));
	bad_if(block, first->size, htole32(UINT32_MAX));
	bad_if(block, second->size, htole32(le32toh(second->size) - 1));
	bad_if(block, second->offset, 0);
	bad_if(block, second->key.objectid, htole64(256));
	bad_if(block, second->key.type, BTRFS_INODE_ITEM_KEY);
	block_free(block);
}

/* The sums fit, but the data of the last item covers its header. */
static void test_data_over_headers(void **state)
{
	struct test_block *block = block_create(BTRFS_FS_TREE_OBJECTID, 0);
	struct btrfs_item *item = block_item(block, 0);

	(void)state;
	add_item(block, INO, BTRFS_VERITY_MERKLE_ITEM_KEY, 0, 16000);
	expect_ok(block);
	item->size = htole32(NODESIZE - (u32)sizeof(struct btrfs_header));
	item->offset = 0;
	expect_bad(block);
	/* Right behind the header is fine. */
	item->size = htole32(le32toh(item->size) - (u32)sizeof(*item));
	item->offset = htole32(sizeof(*item));
	expect_ok(block);
	block_free(block);
}

static void test_key_of_zeros(void **state)
{
	struct test_block *block = block_create(BTRFS_FS_TREE_OBJECTID, 0);

	(void)state;
	add_item(block, 0, 0, 0, 0);
	expect_bad(block);
	block_free(block);
}

static void test_empty_leaf(void **state)
{
	static const u64 never[] = { 0, 1, 2, 3, 4, 5, BTRFS_DATA_RELOC_TREE_OBJECTID };
	static const u64 may_be[] = { 7, 8, 9, 10, 11, 12, 256, BTRFS_TREE_LOG_OBJECTID };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(never); i++) {
		struct test_block *block = block_create(never[i], 0);

		expect_bad(block);
		block_header(block)->flags |= htole64(BTRFS_HEADER_FLAG_RELOC);
		expect_ok(block);
		block_free(block);
	}
	for (size_t i = 0; i < ARRAY_SIZE(may_be); i++) {
		struct test_block *block = block_create(may_be[i], 0);

		expect_ok(block);
		block_free(block);
	}
}

static void test_unknown_items_pass(void **state)
{
	struct test_block *block = block_create(BTRFS_FS_TREE_OBJECTID, 0);

	(void)state;
	add_item(block, 1, 2, 3, 0);
	add_item(block, 1, 50, 3, 7);
	add_item(block, 1, BTRFS_TEMPORARY_ITEM_KEY, 3, 1);
	add_item(block, 1, BTRFS_PERSISTENT_ITEM_KEY, 3, 1);
	add_item(block, 1, BTRFS_STRING_ITEM_KEY, 3, 3);
	add_item(block, 1, 255, 3, 100);
	expect_ok(block);
	block_free(block);
}

static void test_node(void **state)
{
	struct test_block *block = node();
	struct btrfs_key_ptr *ptr = ((struct btrfs_node *)block->data)->ptrs;

	(void)state;
	bad_if(block, block->eb.nritems, 0);
	bad_if(block, block->eb.nritems, btrfs_max_nodeptrs(NODESIZE) + 1);
	bad_if(block, block->eb.nritems, UINT32_MAX);
	bad_if(block, block->eb.level, 8);
	bad_if(block, block_header(block)->flags, 0);
	bad_if(block, ptr[3].key.objectid, ptr[2].key.objectid);
	bad_if(block, ptr[3].key.objectid, htole64(1));
	bad_if(block, ptr[0].key.objectid, htole64(1000));
	bad_if(block, ptr[0].blockptr, 0);
	bad_if(block, ptr[5].blockptr, htole64(30408704 + 512));
	bad_if(block, ptr[9].blockptr, 0);
	bad_if(block, ptr[9].generation, 0);
	good_if(block, ptr[9].generation, htole64(1));
	block_free(block);
}

static void test_eb_owner(void **state)
{
	struct extent_buffer eb = { .owner = 5 };

	(void)state;
	assert_int_equal(btrfs_check_eb_owner(&eb, 0), 0);
	assert_int_equal(btrfs_check_eb_owner(&eb, 5), 0);
	assert_int_equal(btrfs_check_eb_owner(&eb, 300), 0);
	assert_int_equal(btrfs_check_eb_owner(&eb, BTRFS_TREE_RELOC_OBJECTID), 0);
	assert_int_equal(btrfs_check_eb_owner(&eb, BTRFS_TREE_LOG_OBJECTID), 0);
	assert_int_equal(btrfs_check_eb_owner(&eb, BTRFS_EXTENT_TREE_OBJECTID), -EUCLEAN);
	eb.owner = BTRFS_EXTENT_TREE_OBJECTID;
	assert_int_equal(btrfs_check_eb_owner(&eb, BTRFS_EXTENT_TREE_OBJECTID), 0);
	assert_int_equal(btrfs_check_eb_owner(&eb, 5), -EUCLEAN);
	assert_int_equal(btrfs_check_eb_owner(&eb, BTRFS_CSUM_TREE_OBJECTID), -EUCLEAN);
}

/* ---- files and directories ---- */

static void test_inode_item(void **state)
{
	struct test_block *block = block_create(BTRFS_FS_TREE_OBJECTID, 0);
	struct btrfs_inode_item *inode = add_inode(block, INO, S_IFREG | 0644);
	struct btrfs_item *item = block_item(block, 0);
	static const u32 types[] = { S_IFDIR, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK, S_IFLNK };

	(void)state;
	good_if(block, inode->generation, 0);
	good_if(block, inode->generation, htole64(GENERATION + 1));
	bad_if(block, inode->generation, htole64(GENERATION + 2));
	good_if(block, inode->transid, htole64(GENERATION + 1));
	bad_if(block, inode->transid, htole64(GENERATION + 2));
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		good_if(block, inode->mode, htole32(types[i] | 07777));
	bad_if(block, inode->mode, htole32(0644));
	bad_if(block, inode->mode, htole32(S_IFMT | 0644));
	bad_if(block, inode->mode, htole32(S_IFREG | 0x10000));
	good_if(block, inode->nlink, htole32(65535));
	good_if(block, inode->flags, htole64(0x80000fff));
	bad_if(block, inode->flags, htole64(1 << 12));
	good_if(block, inode->flags, htole64(0xffffffff00000000ULL));
	inode->mode = htole32(S_IFDIR);
	bad_if(block, inode->nlink, htole32(2));
	good_if(block, inode->nlink, 0);
	good_if(block, item->key.objectid, htole64(BTRFS_FREE_INO_OBJECTID));
	good_if(block, item->key.objectid, htole64(BTRFS_ROOT_TREE_DIR_OBJECTID));
	good_if(block, item->key.objectid, htole64(BTRFS_LAST_FREE_OBJECTID));
	bad_if(block, item->key.objectid, htole64(255));
	bad_if(block, item->key.objectid, htole64(BTRFS_FREE_SPACE_OBJECTID));
	bad_if(block, item->key.offset, htole64(1));
	set_size(block, 0, sizeof(*inode) - 1);
	expect_bad(block);
	set_size(block, 0, sizeof(*inode) + 1);
	expect_bad(block);
	block_free(block);
}

static void test_inode_ref(void **state)
{
	struct test_block *block = block_create(BTRFS_FS_TREE_OBJECTID, 0);
	struct btrfs_inode_ref *ref = add_inode_ref(block, "first", "second");
	struct btrfs_inode_ref *second = (void *)((u8 *)(ref + 1) + 5);

	(void)state;
	bad_if(block, ref->name_len, htole16(0));
	bad_if(block, ref->name_len, htole16(4));
	bad_if(block, ref->name_len, htole16(65535));
	bad_if(block, second->name_len, htole16(0));
	bad_if(block, second->name_len, htole16(7));
	bad_if(block, second->name_len, htole16(5));
	/* One name that takes the place of both. */
	good_if(block, ref->name_len, htole16(5 + sizeof(*ref) + 6));
	set_size(block, 0, 0);
	expect_bad(block);
	set_size(block, 0, sizeof(*ref) - 1);
	expect_bad(block);
	block_free(block);
}

static void test_name_too_long(void **state)
{
	struct test_block *block = block_create(BTRFS_FS_TREE_OBJECTID, 0);
	struct btrfs_inode_ref *ref =
		add_item(block, INO, BTRFS_INODE_REF_KEY, 256, sizeof(*ref) + 256);

	(void)state;
	ref->name_len = htole16(256);
	expect_bad(block);
	ref->name_len = htole16(255);
	set_size(block, 0, sizeof(*ref) + 255);
	ref = (void *)((u8 *)ref + 1);
	ref->name_len = htole16(255);
	expect_ok(block);
	block_free(block);
}

static void test_inode_extref(void **state)
{
	struct test_block *block = block_create(BTRFS_FS_TREE_OBJECTID, 0);
	struct btrfs_inode_extref *ref = add_inode_extref(block, "a name");

	(void)state;
	bad_if(block, ref->name_len, 0);
	bad_if(block, ref->name_len, htole16(5));
	bad_if(block, ref->name_len, htole16(7));
	bad_if(block, ref->name_len, htole16(65535));
	set_size(block, 0, sizeof(*ref) - 1);
	expect_bad(block);
	set_size(block, 0, 0);
	expect_bad(block);
	block_free(block);
}

static void test_item_without_inode(void **state)
{
	struct test_block *block = file_leaf();

	(void)state;
	/* The inode item belongs to another file; in a log tree that is nothing special. */
	bad_if(block, block_item(block, 0)->key.objectid, htole64(256));
	block->eb.owner = BTRFS_TREE_LOG_OBJECTID;
	good_if(block, block_item(block, 0)->key.objectid, htole64(256));
	block_free(block);
}

static void test_dir_item(void **state)
{
	struct test_block *block = block_create(BTRFS_FS_TREE_OBJECTID, 0);
	struct btrfs_dir_item *di = add_dir_entry(block, BTRFS_DIR_ITEM_KEY, 0, "name", "");
	struct btrfs_item *item = block_item(block, 0);
	u8 *name = (u8 *)(di + 1);

	(void)state;
	bad_if(block, item->key.offset, htole64(1));
	bad_if(block, name[0], 'N');
	bad_if(block, di->name_len, 0);
	bad_if(block, di->name_len, htole16(3));
	bad_if(block, di->name_len, htole16(5));
	bad_if(block, di->name_len, htole16(65535));
	bad_if(block, di->data_len, htole16(1));
	bad_if(block, di->data_len, htole16(65535));
	good_if(block, di->type, BTRFS_FT_UNKNOWN);
	good_if(block, di->type, BTRFS_FT_DIR | BTRFS_FT_ENCRYPTED);
	bad_if(block, di->type, BTRFS_FT_XATTR);
	bad_if(block, di->type, BTRFS_FT_MAX);
	good_if(block, di->location.type, 0);
	bad_if(block, di->location.type, BTRFS_EXTENT_DATA_KEY);
	bad_if(block, di->location.objectid, htole64(255));
	bad_if(block, di->location.offset, htole64(1));
	di->location.type = BTRFS_ROOT_ITEM_KEY;
	di->location.offset = UINT64_MAX;
	expect_ok(block);
	bad_if(block, di->location.objectid, 0);
	bad_if(block, di->location.objectid, htole64(BTRFS_EXTENT_TREE_OBJECTID));
	/* Names that btrfs-image has replaced. */
	block->fs_info.super_copy.flags = htole64(BTRFS_SUPER_FLAG_METADUMP_V2);
	good_if(block, name[0], 'N');
	set_size(block, 0, 0);
	expect_bad(block);
	set_size(block, 0, sizeof(*di));
	expect_bad(block);
	block_free(block);
}

static void test_dir_index(void **state)
{
	struct test_block *block = block_create(BTRFS_FS_TREE_OBJECTID, 0);
	struct btrfs_dir_item *di = add_dir_entry(block, BTRFS_DIR_INDEX_KEY, 2, "name", "");

	(void)state;
	good_if(block, ((u8 *)(di + 1))[0], 'N');
	bad_if(block, di->type, BTRFS_FT_XATTR);
	bad_if(block, di->name_len, htole16(5));
	bad_if(block, di->data_len, htole16(1));
	block_free(block);
}

static void test_xattr(void **state)
{
	struct test_block *block = block_create(BTRFS_FS_TREE_OBJECTID, 0);
	struct btrfs_dir_item *di = add_dir_entry(block, BTRFS_XATTR_ITEM_KEY, 0, "user.a", "val");

	(void)state;
	bad_if(block, di->type, BTRFS_FT_REG_FILE);
	bad_if(block, di->location.objectid, htole64(256));
	bad_if(block, di->location.type, BTRFS_INODE_ITEM_KEY);
	bad_if(block, di->location.type, BTRFS_ROOT_ITEM_KEY);
	bad_if(block, di->data_len, htole16(2));
	bad_if(block, di->data_len, htole16(4));
	bad_if(block, di->data_len, htole16(65535));
	good_if(block, ((u8 *)(di + 1))[6], 'V');
	bad_if(block, ((u8 *)(di + 1))[5], 'b');
	block_free(block);
}

/* Two names of one hash share an item. */
static void test_dir_hash_collision(void **state)
{
	struct test_block *block = block_create(BTRFS_FS_TREE_OBJECTID, 0);
	struct btrfs_dir_item *di, *second;
	u64 hash = crc32c(~1U, "aa", 2);

	(void)state;
	di = add_item(block, INO, BTRFS_DIR_ITEM_KEY, hash, 2 * (sizeof(*di) + 2));
	di->location.objectid = htole64(258);
	di->location.type = BTRFS_INODE_ITEM_KEY;
	di->name_len = htole16(2);
	di->type = BTRFS_FT_REG_FILE;
	memcpy(di + 1, "aa", 2);
	second = (void *)((u8 *)(di + 1) + 2);
	memcpy(second, di, sizeof(*di) + 2);
	expect_ok(block);
	bad_if(block, ((u8 *)(second + 1))[0], 'b');
	bad_if(block, second->name_len, htole16(3));
	bad_if(block, second->type, BTRFS_FT_XATTR);
	block_free(block);
}

static void test_inline_extent(void **state)
{
	struct test_block *block = block_create(BTRFS_FS_TREE_OBJECTID, 0);
	struct btrfs_file_extent_item *fe = add_inline_extent(block, 100);

	(void)state;
	bad_if(block, fe->ram_bytes, htole64(99));
	bad_if(block, fe->ram_bytes, htole64(101));
	bad_if(block, block_item(block, 0)->key.offset, htole64(4096));
	bad_if(block, fe->compression, 4);
	bad_if(block, fe->encryption, 1);
	bad_if(block, fe->type, 3);
	fe->compression = BTRFS_COMPRESS_ZSTD;
	good_if(block, fe->ram_bytes, htole64(4096));
	bad_if(block, fe->ram_bytes, htole64(BTRFS_MAX_COMPRESSED + 1));
	bad_if(block, fe->ram_bytes, UINT64_MAX);
	set_size(block, 0, BTRFS_FILE_EXTENT_INLINE_DATA_START - 1);
	expect_bad(block);
	set_size(block, 0, 0);
	expect_bad(block);
	block_free(block);
}

static void test_regular_extent(void **state)
{
	struct test_block *block = block_create(BTRFS_FS_TREE_OBJECTID, 0);
	struct btrfs_file_extent_item *fe = add_file_extent(block, 65536, 8192);
	struct btrfs_item *item = block_item(block, 0);

	(void)state;
	good_if(block, fe->type, BTRFS_FILE_EXTENT_PREALLOC);
	bad_if(block, fe->type, 3);
	bad_if(block, item->key.offset, htole64(65537));
	bad_if(block, fe->disk_bytenr, htole64(13631489));
	bad_if(block, fe->disk_num_bytes, htole64(100));
	bad_if(block, fe->offset, htole64(512));
	bad_if(block, fe->num_bytes, htole64(1));
	bad_if(block, fe->ram_bytes, htole64(1));
	bad_if(block, fe->num_bytes, htole64(-65536ULL));
	bad_if(block, fe->offset, htole64(-8192ULL));
	bad_if(block, fe->disk_bytenr, htole64(-4096ULL));
	bad_if(block, fe->disk_num_bytes, htole64(-4096ULL));
	/* Wrong, but nothing hangs on it and it has happened. */
	good_if(block, fe->ram_bytes, htole64(4096));
	good_if(block, fe->ram_bytes, htole64(1048576));
	good_if(block, fe->disk_bytenr, 0);
	good_if(block, fe->num_bytes, 0);
	set_size(block, 0, sizeof(*fe) - 1);
	expect_bad(block);
	set_size(block, 0, sizeof(*fe) + 1);
	expect_bad(block);
	block_free(block);
}

static void test_compressed_extent(void **state)
{
	struct test_block *block = block_create(BTRFS_FS_TREE_OBJECTID, 0);
	struct btrfs_file_extent_item *fe = add_file_extent(block, 0, 131072);

	(void)state;
	fe->compression = BTRFS_COMPRESS_ZLIB;
	fe->disk_num_bytes = htole64(4096);
	expect_ok(block);
	bad_if(block, fe->ram_bytes, htole64(131072 + 4096));
	bad_if(block, fe->ram_bytes, htole64(131072 - 4096));
	bad_if(block, fe->disk_num_bytes, htole64(131072 + 4096));
	bad_if(block, fe->offset, htole64(4096));
	fe->num_bytes = htole64(4096);
	good_if(block, fe->offset, htole64(131072 - 4096));
	bad_if(block, fe->offset, htole64(131072));
	block_free(block);
}

static void test_overlapping_extents(void **state)
{
	struct test_block *block = block_create(BTRFS_FS_TREE_OBJECTID, 0);
	struct btrfs_file_extent_item *fe = add_file_extent(block, 0, 8192);

	(void)state;
	add_file_extent(block, 8192, 4096);
	bad_if(block, fe->num_bytes, htole64(12288));
	good_if(block, fe->num_bytes, htole64(4096));
	block_free(block);

	block = inline_leaf();
	add_file_extent(block, 4096, 4096);
	expect_ok(block);
	block_free(block);
	block = block_create(BTRFS_FS_TREE_OBJECTID, 0);
	add_inline_extent(block, 4097);
	add_file_extent(block, 4096, 4096);
	expect_bad(block);
	block_free(block);
}

static void test_csum_item(void **state)
{
	struct test_block *block = csum_leaf();
	struct btrfs_item *first = block_item(block, 0), *second = block_item(block, 1);

	(void)state;
	bad_if(block, second->key.offset, htole64(13631488 + 61440));
	bad_if(block, second->key.offset, htole64(13631488 + 65537));
	bad_if(block, second->key.offset, htole64(-4096ULL));
	bad_if(block, first->key.objectid, htole64(1));
	set_size(block, 1, 3);
	expect_bad(block);
	set_size(block, 1, 0);
	expect_bad(block);
	set_size(block, 1, 4);
	expect_ok(block);
	block->fs_info.csum_size = 32;
	expect_bad(block);
	block_free(block);
}

static void test_verity_desc(void **state)
{
	struct test_block *block = block_create(BTRFS_FS_TREE_OBJECTID, 0);

	(void)state;
	add_item(block, INO, BTRFS_VERITY_DESC_ITEM_KEY, 0,
		 sizeof(struct btrfs_verity_descriptor_item));
	expect_ok(block);
	set_size(block, 0, sizeof(struct btrfs_verity_descriptor_item) - 1);
	expect_bad(block);
	block_free(block);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_intact_blocks),
		cmocka_unit_test(test_leaf_header),
		cmocka_unit_test(test_item_places),
		cmocka_unit_test(test_data_over_headers),
		cmocka_unit_test(test_key_of_zeros),
		cmocka_unit_test(test_empty_leaf),
		cmocka_unit_test(test_unknown_items_pass),
		cmocka_unit_test(test_node),
		cmocka_unit_test(test_eb_owner),
		cmocka_unit_test(test_inode_item),
		cmocka_unit_test(test_inode_ref),
		cmocka_unit_test(test_name_too_long),
		cmocka_unit_test(test_inode_extref),
		cmocka_unit_test(test_item_without_inode),
		cmocka_unit_test(test_dir_item),
		cmocka_unit_test(test_dir_index),
		cmocka_unit_test(test_xattr),
		cmocka_unit_test(test_dir_hash_collision),
		cmocka_unit_test(test_inline_extent),
		cmocka_unit_test(test_regular_extent),
		cmocka_unit_test(test_compressed_extent),
		cmocka_unit_test(test_overlapping_extents),
		cmocka_unit_test(test_csum_item),
		cmocka_unit_test(test_verity_desc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
