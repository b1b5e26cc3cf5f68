// SPDX-License-Identifier: GPL-2.0-only
/*
 * The text of items that no image of the other tests holds: states that last
 * for moments, old and newer kernels' items, and what nobody knows.  The
 * expected lines are those of btrfs-progs 6.2 for a block made the same way.
 */
#include "tests/unit/tree-checker-leaves.h"

#include "kernel-shared/key-names.h"
#include "kernel-shared/print-tree.h"

static char *text_of(const struct test_block *block, struct btrfs_print_ctx ctx)
{
	char *text = NULL;
	size_t size;

	ctx.out = open_memstream(&text, &size);
	assert_non_null(ctx.out);
	btrfs_print_block(&ctx, &block->eb);
	assert_int_equal(fclose(ctx.out), 0);
	return text;
}

/* What stands below the header and, of the only item, below its key. */
static void expect_below_key(const struct test_block *block, struct btrfs_print_ctx ctx,
			     const char *expected)
{
	char *text = text_of(block, ctx);
	char *below = strstr(text, "\titem 0 ");

	assert_non_null(below);
	below = strchr(below, '\n');
	assert_non_null(below);
	assert_string_equal(below + 1, expected);
	free(text);
}

/* An item of these bytes. */
static struct test_block *block_with(u64 objectid, u8 type, u64 offset, const void *data, u32 size)
{
	struct test_block *block = block_create(BTRFS_ROOT_TREE_OBJECTID, 0);

	memcpy(add_item(block, objectid, type, offset, size), data, size);
	return block;
}

static void expect_item(u64 objectid, u8 type, u64 offset, const void *data, u32 size,
			const char *expected)
{
	struct test_block *block = block_with(objectid, type, offset, data, size);

	expect_below_key(block, (struct btrfs_print_ctx){ 0 }, expected);
	block_free(block);
}

static void expect_key(u64 objectid, u8 type, u64 offset, const char *expected)
{
	struct btrfs_key key = { objectid, type, offset };
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	btrfs_print_key(out, &key);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(text, expected);
	free(text);
}

/* ---- keys ---- */

static void keys_are_named_by_their_type(void **state)
{
	(void)state;
	expect_key(5, 132, 0, "key (FS_TREE ROOT_ITEM 0)");
	expect_key(0, 0, 0, "key (0 UNKNOWN.0 0)");
	expect_key((u64)-11, 0, 5, "key (FREE_SPACE UNTYPED 5)");
	expect_key((u64)-7, 77, 5, "key (LOG_FIXUP UNKNOWN.77 5)");
	expect_key((u64)-1, 1, (u64)-1, "key (-1 INODE_ITEM -1)");
	expect_key(256, 132, (u64)-1, "key (256 ROOT_ITEM 18446744073709551615)");
	expect_key((u64)-8, 132, 256, "key (TREE_RELOC ROOT_ITEM 256)");
	expect_key((u64)-8, 132, 5, "key (TREE_RELOC ROOT_ITEM FS_TREE)");
	expect_key((u64)-6, 132, 5, "key (TREE_LOG ROOT_ITEM 5)");
	expect_key(1, 216, 1, "key (DEV_ITEMS DEV_ITEM 1)");
	expect_key(2, 216, 1, "key (EXTENT_TREE DEV_ITEM 1)");
	expect_key(256, 228, 4096, "key (FIRST_CHUNK_TREE CHUNK_ITEM 4096)");
	expect_key(1, 204, (u64)-1, "key (1 DEV_EXTENT -1)");
	expect_key((u64)-1, 204, 5, "key (18446744073709551615 DEV_EXTENT 5)");
	expect_key(0, 249, 1, "key (DEV_STATS PERSISTENT_ITEM 1)");
	expect_key(1, 249, 1, "key (1 PERSISTENT_ITEM 1)");
	expect_key(0, 242, 3ULL << 48 | 77, "key (0 QGROUP_INFO 3/77)");
	expect_key(1ULL << 48 | 5, 246, 257, "key (1/5 QGROUP_RELATION 0/257)");
	expect_key(5, 251, 6, "key (0x0000000000000005 UUID_KEY_SUBVOL 0x0000000000000006)");
}

static void trees_are_named_in_many_ways(void **state)
{
	u64 id;

	(void)state;
	assert_int_equal(btrfs_parse_tree_id("257", &id), 0);
	assert_int_equal(id, 257);
	assert_int_equal(btrfs_parse_tree_id("csum", &id), 0);
	assert_int_equal(id, BTRFS_CSUM_TREE_OBJECTID);
	assert_int_equal(btrfs_parse_tree_id("BTRFS_FREE_SPACE_TREE_OBJECTID", &id), 0);
	assert_int_equal(id, BTRFS_FREE_SPACE_TREE_OBJECTID);
	assert_int_equal(btrfs_parse_tree_id("free-space", &id), 0);
	assert_int_equal(id, BTRFS_FREE_SPACE_TREE_OBJECTID);
	assert_int_equal(btrfs_parse_tree_id("TREE_LOG", &id), 0);
	assert_true(id == BTRFS_TREE_LOG_OBJECTID);
	assert_int_equal(btrfs_parse_tree_id("log", &id), 0);
	assert_true(id == BTRFS_TREE_LOG_OBJECTID);
	assert_int_equal(btrfs_parse_tree_id("data_reloc_tree", &id), 0);
	assert_true(id == BTRFS_DATA_RELOC_TREE_OBJECTID);
	assert_int_equal(btrfs_parse_tree_id("ROOTX", &id), -EINVAL);
	assert_int_equal(btrfs_parse_tree_id("_TREE", &id), -EINVAL);
	assert_int_equal(btrfs_parse_tree_id("", &id), -EINVAL);
	assert_int_equal(btrfs_parse_tree_id("99999999999999999999", &id), -ERANGE);
}

/* ---- items ---- */

static void root_being_dropped_and_old_root(void **state)
{
	struct btrfs_root_item root = {
		.generation = htole64(5),
		.root_dirid = htole64(6),
		.bytenr = htole64(28672),
		.bytes_used = htole64(9),
		.last_snapshot = htole64(10),
		.flags = htole64(BTRFS_ROOT_SUBVOL_DEAD | BTRFS_ROOT_SUBVOL_RDONLY),
		.drop_progress = { htole64(256), BTRFS_DIR_INDEX_KEY, htole64(7) },
		.drop_level = 1,
		.level = 2,
		.generation_v2 = htole64(4),
	};
	static const char lines[] =
		"\t\tgeneration 5 root_dirid 6 bytenr 28672 byte_limit 0 bytes_used 9\n"
		"\t\tlast_snapshot 10 flags 0x1000000000001(RDONLY) refs 0\n"
		"\t\tdrop_progress key (256 DIR_INDEX 7) drop_level 1\n"
		"\t\tlevel 2 generation_v2 %d\n";
	char expected[sizeof(lines) + 16];

	(void)state;
	snprintf(expected, sizeof(expected), lines, 4);
	expect_item(257, BTRFS_ROOT_ITEM_KEY, 0, &root, sizeof(root), expected);
	snprintf(expected, sizeof(expected), lines, 0);
	expect_item(257, BTRFS_ROOT_ITEM_KEY, 0, &root, BTRFS_LEGACY_ROOT_ITEM_SIZE, expected);
}

static void extents_of_old_and_new_kernels(void **state)
{
	struct {
		struct btrfs_extent_item ei;
		struct btrfs_tree_block_info info;
		struct btrfs_extent_inline_ref ref;
	} __packed tree = {
		.ei = { htole64(1), htole64(2),
			htole64(BTRFS_EXTENT_FLAG_TREE_BLOCK | BTRFS_BLOCK_FLAG_FULL_BACKREF) },
		.info = { { htole64(256), BTRFS_INODE_REF_KEY, htole64(5) }, 1 },
		.ref = { BTRFS_SHARED_BLOCK_REF_KEY, htole64(4096) },
	};
	struct {
		struct btrfs_extent_item ei;
		struct btrfs_extent_inline_ref owner;
		struct btrfs_extent_inline_ref shared;
		struct btrfs_shared_data_ref count;
	} __packed data = {
		.ei = { htole64(1), htole64(2), htole64(BTRFS_EXTENT_FLAG_DATA) },
		.owner = { BTRFS_EXTENT_OWNER_REF_KEY, htole64(5) },
		.shared = { BTRFS_SHARED_DATA_REF_KEY, htole64(1048576) },
		.count = { htole32(7) },
	};
	u8 v0[24] = { 0 };

	(void)state;
	expect_item(2097152, BTRFS_EXTENT_ITEM_KEY, 16384, &tree, sizeof(tree),
		    "\t\trefs 1 gen 2 flags TREE_BLOCK|FULL_BACKREF\n"
		    "\t\ttree block key (256 INODE_REF 5) level 1\n"
		    "\t\tshared block backref parent 4096\n");
	expect_item(2097152, BTRFS_EXTENT_ITEM_KEY, 4096, &data, sizeof(data),
		    "\t\trefs 1 gen 2 flags DATA\n"
		    "\t\textent owner root FS_TREE\n"
		    "\t\tshared data backref parent 1048576 count 7\n");
	expect_item(2097152, BTRFS_EXTENT_REF_V0_KEY, 5, v0, sizeof(v0),
		    "\t\textent ref v0 (deprecated)\n");
}

static void device_statistics_of_any_length(void **state)
{
	u64 values[7] = { htole64(1), htole64(2), htole64(3), htole64(4),
			  htole64(5), htole64(6), htole64(7) };

	(void)state;
	expect_item(0, BTRFS_PERSISTENT_ITEM_KEY, 1, values, 56,
		    "\t\tpersistent item objectid DEV_STATS offset 1\n"
		    "\t\tdevice stats\n"
		    "\t\twrite_errs 1 read_errs 2 flush_errs 3 corruption_errs 4 generation 5\n"
		    "\t\tunknown stats item bytes 16\t\tunknown item 5 offset 40 value 6\n"
		    "\t\tunknown item 6 offset 48 value 7\n");
	/* Never what lies behind the item. */
	expect_item(0, BTRFS_PERSISTENT_ITEM_KEY, 1, values, 16,
		    "\t\tpersistent item objectid DEV_STATS offset 1\n"
		    "\t\tdevice stats\n"
		    "\t\twrite_errs 1 read_errs 2 flush_errs 0 corruption_errs 0 generation 0\n");
	expect_item(9, BTRFS_PERSISTENT_ITEM_KEY, 1, values, 8,
		    "\t\tpersistent item objectid 9 offset 1\n"
		    "\t\tunknown persistent item objectid 9\n");
}

static void quota_states(void **state)
{
	struct btrfs_qgroup_status_item status = {
		.version = htole64(1),
		.generation = htole64(2),
		.rescan = htole64(3),
	};
	struct btrfs_qgroup_limit_item limit = {
		.flags = htole64(63),
		.max_rfer = (u64)-1,
		.max_excl = htole64(1ULL << 63),
	};

	(void)state;
	status.flags = htole64(7);
	expect_item(0, BTRFS_QGROUP_STATUS_KEY, 0, &status, 32,
		    "\t\tversion 1 generation 2 flags ON|SCANNING|INCONSISTENT scan 3\n");
	status.flags = htole64(4);
	expect_item(0, BTRFS_QGROUP_STATUS_KEY, 0, &status, 32,
		    "\t\tversion 1 generation 2 flags OFF|INCONSISTENT scan 3\n");
	expect_item(0, BTRFS_QGROUP_LIMIT_KEY, 257, &limit, sizeof(limit),
		    "\t\tflags 3f\n"
		    "\t\tmax_referenced -1 max_exclusive -9223372036854775808\n"
		    "\t\trsv_referenced 0 rsv_exclusive 0\n");
}

static void items_without_lines_of_their_own(void **state)
{
	u8 bytes[16] = { 0 };

	(void)state;
	expect_item(262, BTRFS_VERITY_DESC_ITEM_KEY, 0, bytes, 16, "");
	expect_item(262, BTRFS_VERITY_MERKLE_ITEM_KEY, 0, bytes, 16, "");
	expect_item(1ULL << 48 | 5, BTRFS_QGROUP_RELATION_KEY, 257, bytes, 0, "");
	expect_item(0, BTRFS_DEV_REPLACE_KEY, 0, bytes, 16, "");
	expect_item(5, 99, 5, bytes, 16, "");
	expect_item(262, BTRFS_ORPHAN_ITEM_KEY, 0, bytes, 0, "\t\torphan item\n");
	expect_item(7, BTRFS_TEMPORARY_ITEM_KEY, 0, bytes, 4,
		    "\t\ttemporary item objectid CSUM_TREE offset 0\n"
		    "\t\tunknown temporary item objectid 7\n");
}

static void uuid_items_of_any_length(void **state)
{
	u64 ids[2] = { htole64(256), htole64(257) };

	(void)state;
	expect_item(5, BTRFS_UUID_KEY_SUBVOL, 6, ids, 16, "\t\tsubvol_id 256\n\t\tsubvol_id 257\n");
	expect_item(5, BTRFS_UUID_KEY_SUBVOL, 6, ids, 12,
		    "btrfs: uuid item with illegal size 12!\n");
}

static void names_end_at_a_nul_and_may_be_hidden(void **state)
{
	struct {
		struct btrfs_dir_item di;
		char name[6];
		char value[3];
	} __packed xattr = {
		.di = { .transid = htole64(5),
			.data_len = htole16(3),
			.name_len = htole16(6),
			.type = BTRFS_FT_XATTR },
		.name = "user.x",
		.value = "v\0w",
	};
	struct test_block *block = block_with(400, BTRFS_XATTR_ITEM_KEY, 1, &xattr, sizeof(xattr));

	(void)state;
	expect_below_key(block, (struct btrfs_print_ctx){ 0 },
			 "\t\tlocation key (0 UNKNOWN.0 0) type XATTR\n"
			 "\t\ttransid 5 data_len 3 name_len 6\n"
			 "\t\tname: user.x\n\t\tdata v\n");
	expect_below_key(block, (struct btrfs_print_ctx){ .hide_names = true },
			 "\t\tlocation key (0 UNKNOWN.0 0) type XATTR\n"
			 "\t\ttransid 5 data_len 3 name_len 6\n"
			 "\t\tname: HIDDEN\n\t\tdata HIDDEN\n");
	block_free(block);
	expect_item(5, BTRFS_STRING_ITEM_KEY, 6, "he\0llo", 6, "\t\titem data he\n");
}

/* ---- blocks ---- */

static void header_of_a_block(void **state)
{
	struct test_block *block = block_create(BTRFS_TREE_RELOC_OBJECTID, 0);
	struct btrfs_print_ctx ctx = { .csum_headers = true };
	char *text;

	(void)state;
	block_header(block)->flags = htole64(3 | 1ULL << 40 | 2ULL << BTRFS_BACKREF_REV_SHIFT);
	block_header(block)->csum[0] = 0xab;
	text = text_of(block, ctx);
	assert_string_equal(
		text, "leaf 1048576 items 0 free space 16283 generation 100 owner TREE_RELOC\n"
		      "leaf 1048576 flags 0x10000000003(WRITTEN|RELOC) backref revision 2"
		      " csum 0xab000000\n"
		      "fs uuid 00000000-0000-0000-0000-000000000000\n"
		      "chunk uuid 00000000-0000-0000-0000-000000000000\n");
	free(text);
	block_free(block);
}

static void types_of_block_groups(void **state)
{
	char text[BTRFS_BG_FLAGS_TEXT_SIZE];

	(void)state;
	btrfs_bg_flags_to_text(BTRFS_BLOCK_GROUP_DATA, text);
	assert_string_equal(text, "DATA|single");
	btrfs_bg_flags_to_text(BTRFS_BLOCK_GROUP_DATA | BTRFS_BLOCK_GROUP_METADATA |
				       BTRFS_BLOCK_GROUP_RAID10,
			       text);
	assert_string_equal(text, "DATA|METADATA|RAID10");
	btrfs_bg_flags_to_text(BTRFS_BLOCK_GROUP_SYSTEM | BTRFS_BLOCK_GROUP_RAID1C4, text);
	assert_string_equal(text, "SYSTEM|RAID1C4");
	btrfs_bg_flags_to_text(0, text);
	assert_string_equal(text, "|single");
	btrfs_bg_flags_to_text((u64)-1, text);
	assert_string_equal(text, "DATA|METADATA|SYSTEM|UNKNOWN");
}

static void chunk_whose_stripes_do_not_fit(void **state)
{
	struct btrfs_chunk chunk = {
		.length = htole64(4096),
		.type = htole64(BTRFS_BLOCK_GROUP_DATA),
		.num_stripes = htole16(60000),
		.stripe = { .devid = htole64(1) },
	};

	(void)state;
	expect_item(256, BTRFS_CHUNK_ITEM_KEY, 0, &chunk, sizeof(chunk),
		    "\t\tlength 4096 owner 0 stripe_len 0 type DATA|single\n"
		    "\t\tio_align 0 io_width 0 sector_size 0\n"
		    "\t\tnum_stripes 60000 sub_stripes 0\n"
		    "\t\t\tstripe 0 devid 1 offset 0\n"
		    "\t\t\tdev_uuid 00000000-0000-0000-0000-000000000000\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_named_by_their_type),
		cmocka_unit_test(trees_are_named_in_many_ways),
		cmocka_unit_test(root_being_dropped_and_old_root),
		cmocka_unit_test(extents_of_old_and_new_kernels),
		cmocka_unit_test(device_statistics_of_any_length),
		cmocka_unit_test(quota_states),
		cmocka_unit_test(items_without_lines_of_their_own),
		cmocka_unit_test(uuid_items_of_any_length),
		cmocka_unit_test(names_end_at_a_nul_and_may_be_hidden),
		cmocka_unit_test(header_of_a_block),
		cmocka_unit_test(types_of_block_groups),
		cmocka_unit_test(chunk_whose_stripes_do_not_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
