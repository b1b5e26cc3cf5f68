// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hashes of names against keys that kernels have written, and the walk over one
 * item's entries, well-formed and not.
 */
#include "tests/unit/common-unit.h"

#include <errno.h>
#include <stdio.h>

#include "kernel-shared/dir-item.h"

static void hashes_are_the_kernels(void **state)
{
	(void)state;
	/* The entry of the default subvolume in every root tree. */
	assert_int_equal(btrfs_name_hash("default", 7), 2378154706ULL);
	assert_int_equal(btrfs_name_hash("security.selinux", 16), 3817753667ULL);
	assert_int_equal(btrfs_name_hash("", 0), 0xfffffffeULL);
	/* Of the parent only the lower half counts. */
	assert_int_equal(btrfs_extref_hash(0xfffffffeULL, "default", 7), 2378154706ULL);
	assert_int_equal(btrfs_extref_hash(0x1fffffffeULL, "default", 7), 2378154706ULL);
}

/* ---- a leaf with one item at the end of the block ---- */

#define BLOCK	4096U

static u8 block[BLOCK];

static struct extent_buffer make_leaf(const void *item, u32 size)
{
	struct btrfs_leaf *leaf = (struct btrfs_leaf *)block;
	struct extent_buffer eb = { .len = BLOCK, .nritems = 1, .data = block };

	memset(block, 0, sizeof(block));
	leaf->items[0].offset = htole32(BLOCK - (u32)sizeof(struct btrfs_header) - size);
	leaf->items[0].size = htole32(size);
	memcpy(block + BLOCK - size, item, size);
	return eb;
}

static u32 put_entry(u8 *at, u64 ino, const char *name, const char *value)
{
	struct btrfs_dir_item di = { .type = BTRFS_FT_DIR };

	di.location.objectid = htole64(ino);
	di.location.type = BTRFS_INODE_ITEM_KEY;
	di.name_len = htole16((u16)strlen(name));
	di.data_len = htole16((u16)strlen(value));
	memcpy(at, &di, sizeof(di));
	memcpy(at + sizeof(di), name, strlen(name));
	memcpy(at + sizeof(di) + strlen(name), value, strlen(value));
	return (u32)(sizeof(di) + strlen(name) + strlen(value));
}

struct seen {
	unsigned int nr;
	unsigned int stop_at;
	char text[256];
};

static int note(const struct extent_buffer *leaf, const struct btrfs_dir_item *di,
		const char *name, u16 name_len, const void *data, u16 data_len, void *ctx)
{
	struct seen *seen = ctx;
	struct btrfs_key key;

	btrfs_dir_item_key_to_cpu(leaf, di, &key);
	snprintf(seen->text + strlen(seen->text), sizeof(seen->text) - strlen(seen->text),
		 "%llu:%.*s=%.*s ", key.objectid, name_len, name, data_len, (const char *)data);
	return ++seen->nr == seen->stop_at ? 7 : 0;
}

static void entries_are_walked(void **state)
{
	struct seen seen = { 0 };
	struct extent_buffer eb;
	u8 item[512];
	u32 size = 0;

	(void)state;
	size += put_entry(item + size, 257, "one", "");
	size += put_entry(item + size, 258, "", "value");
	size += put_entry(item + size, 259, "three", "33");
	eb = make_leaf(item, size);
	assert_int_equal(btrfs_for_each_dir_entry(&eb, 0, note, &seen), 0);
	assert_string_equal(seen.text, "257:one= 258:=value 259:three=33 ");

	seen = (struct seen){ .stop_at = 2 };
	assert_int_equal(btrfs_for_each_dir_entry(&eb, 0, note, &seen), 7);
	assert_int_equal(seen.nr, 2);
}

static void entries_that_do_not_fit_are_refused(void **state)
{
	struct extent_buffer eb;
	struct btrfs_leaf *leaf = (struct btrfs_leaf *)block;
	u8 item[512];
	u32 first, size;

	(void)state;
	first = put_entry(item, 257, "one", "");
	size = first + put_entry(item + first, 258, "two", "v");
	for (u32 cut = 1; cut < size; cut++) {
		struct seen seen = { 0 };
		int ret;

		eb = make_leaf(item, cut);
		ret = btrfs_for_each_dir_entry(&eb, 0, note, &seen);
		assert_int_equal(ret, cut == first ? 0 : -EUCLEAN);
		assert_int_equal(seen.nr, cut < first ? 0 : 1);
	}
	/* An item that starts in the block and ends outside. */
	eb = make_leaf(item, size);
	leaf->items[0].size = htole32(size + 1);
	assert_int_equal(btrfs_for_each_dir_entry(&eb, 0, note, &(struct seen){ 0 }), -EUCLEAN);
	leaf->items[0].offset = htole32(0xfffffff0U);
	assert_int_equal(btrfs_for_each_dir_entry(&eb, 0, note, &(struct seen){ 0 }), -EUCLEAN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes_are_the_kernels),
		cmocka_unit_test(entries_are_walked),
		cmocka_unit_test(entries_that_do_not_fit_are_refused),
	};

	return cmocka_run_group_tests_name("dir-item", tests, NULL, NULL);
}
