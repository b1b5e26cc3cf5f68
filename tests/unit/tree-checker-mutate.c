// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tree-checker's promises: bytes of valid blocks are flipped at random,
 * and whatever still passes is read as later code reads it, trusting every
 * length.  The readers below see to it that nothing outside of the item is
 * touched; a sanitizer, that nothing outside of the block is.
 */
#include "tests/unit/tree-checker-leaves.h"

#define MUTATIONS 30000

/* What the readers found goes here, so that no read is optimized away. */
static volatile u64 sink;

static void read_bytes(const void *data, size_t len)
{
	const u8 *p = data;

	for (size_t i = 0; i < len; i++)
		sink += p[i];
}

/* The item being read. */
struct reader {
	const struct extent_buffer *eb;
	struct btrfs_key key;
	const u8 *data;
	const u8 *end;
};

/* @len bytes at @p must belong to the item. */
static void must_hold(const struct reader *r, const void *p, size_t len)
{
	assert_true((const u8 *)p >= r->data && (const u8 *)p <= r->end);
	assert_true(len <= (size_t)(r->end - (const u8 *)p));
	read_bytes(p, len);
}

static void read_inode_refs(const struct reader *r)
{
	const u8 *p = r->data;

	do {
		const struct btrfs_inode_ref *ref = (const void *)p;

		must_hold(r, ref, sizeof(*ref) + btrfs_inode_ref_name_len(r->eb, ref));
		assert_in_range(btrfs_inode_ref_name_len(r->eb, ref), 1, BTRFS_NAME_LEN);
		p += sizeof(*ref) + btrfs_inode_ref_name_len(r->eb, ref);
	} while (p != r->end);
}

static void read_inode_extrefs(const struct reader *r)
{
	const u8 *p = r->data;

	do {
		const struct btrfs_inode_extref *ref = (const void *)p;

		must_hold(r, ref, sizeof(*ref) + btrfs_inode_extref_name_len(r->eb, ref));
		assert_in_range(btrfs_inode_extref_name_len(r->eb, ref), 1, BTRFS_NAME_LEN);
		p += sizeof(*ref) + btrfs_inode_extref_name_len(r->eb, ref);
	} while (p != r->end);
}

static void read_dir_items(const struct reader *r)
{
	const u8 *p = r->data;

	do {
		const struct btrfs_dir_item *di = (const void *)p;
		size_t len =
			sizeof(*di) + btrfs_dir_name_len(r->eb, di) + btrfs_dir_data_len(r->eb, di);

		must_hold(r, di, len);
		assert_in_range(btrfs_dir_name_len(r->eb, di), 1, BTRFS_NAME_LEN);
		assert_true(btrfs_dir_ftype(r->eb, di) < BTRFS_FT_MAX);
		p += len;
	} while (p != r->end);
}

static void read_file_extent(const struct reader *r)
{
	const struct btrfs_file_extent_item *fe = (const void *)r->data;
	u64 end;

	must_hold(r, fe, BTRFS_FILE_EXTENT_INLINE_DATA_START);
	assert_true(btrfs_file_extent_type(r->eb, fe) <= BTRFS_FILE_EXTENT_PREALLOC);
	assert_true(btrfs_file_extent_compression(r->eb, fe) < BTRFS_NR_COMPRESS_TYPES);
	if (btrfs_file_extent_type(r->eb, fe) == BTRFS_FILE_EXTENT_INLINE) {
		if (btrfs_file_extent_compression(r->eb, fe) == BTRFS_COMPRESS_NONE)
			must_hold(r, btrfs_file_extent_inline_data(fe),
				  btrfs_file_extent_ram_bytes(r->eb, fe));
		assert_true(btrfs_file_extent_ram_bytes(r->eb, fe) <= BTRFS_MAX_COMPRESSED);
		return;
	}
	must_hold(r, fe, sizeof(*fe));
	assert_false(__builtin_add_overflow(r->key.offset, btrfs_file_extent_num_bytes(r->eb, fe),
					    &end));
	assert_false(__builtin_add_overflow(btrfs_file_extent_offset(r->eb, fe),
					    btrfs_file_extent_num_bytes(r->eb, fe), &end));
	assert_false(__builtin_add_overflow(btrfs_file_extent_disk_bytenr(r->eb, fe), end, &end));
}

static void read_root(const struct reader *r)
{
	struct btrfs_root_item root = { 0 };

	assert_true((size_t)(r->end - r->data) <= sizeof(root));
	memcpy(&root, r->data, (size_t)(r->end - r->data));
	assert_true(root.level < BTRFS_MAX_LEVEL);
}

static void read_extent(const struct reader *r)
{
	const struct btrfs_extent_item *ei = (const void *)r->data;
	const u8 *p = (const u8 *)(ei + 1);
	u64 refs = 0;

	must_hold(r, ei, sizeof(*ei));
	if (r->key.type == BTRFS_EXTENT_ITEM_KEY &&
	    (btrfs_extent_flags(r->eb, ei) & BTRFS_EXTENT_FLAG_TREE_BLOCK)) {
		must_hold(r, p, sizeof(struct btrfs_tree_block_info));
		p += sizeof(struct btrfs_tree_block_info);
	}
	while (p != r->end) {
		const struct btrfs_extent_inline_ref *iref = (const void *)p;
		u32 len = btrfs_extent_inline_ref_size(btrfs_extent_inline_ref_type(r->eb, iref));

		assert_true(len != 0);
		must_hold(r, iref, len);
		if (iref->type == BTRFS_EXTENT_DATA_REF_KEY) {
			const struct btrfs_extent_data_ref *ref = (const void *)(p + 1);

			assert_true(btrfs_extent_data_ref_count(r->eb, ref) != 0);
			refs += btrfs_extent_data_ref_count(r->eb, ref);
		} else if (iref->type == BTRFS_SHARED_DATA_REF_KEY) {
			refs += btrfs_shared_data_ref_count(r->eb, (const void *)(iref + 1));
		}
		p += len;
	}
	assert_true(refs <= btrfs_extent_refs(r->eb, ei));
}

static void read_chunk(const struct reader *r)
{
	const struct btrfs_chunk *chunk = (const void *)r->data;
	u16 num_stripes = btrfs_chunk_num_stripes(r->eb, chunk);

	must_hold(r, chunk, btrfs_chunk_item_size(num_stripes));
	assert_true(num_stripes != 0);
	assert_true(btrfs_chunk_length(r->eb, chunk) != 0);
	for (u16 i = 0; i < num_stripes; i++)
		sink += btrfs_stripe_offset(r->eb, &(&chunk->stripe)[i]);
}

static void read_bitmap(const struct reader *r)
{
	u64 bits = r->key.offset / SECTOR;

	must_hold(r, r->data, (bits + 7) / 8);
}

static void read_root_ref(const struct reader *r)
{
	const struct btrfs_root_ref *ref = (const void *)r->data;

	must_hold(r, ref, sizeof(*ref) + btrfs_root_ref_name_len(r->eb, ref));
	assert_in_range(btrfs_root_ref_name_len(r->eb, ref), 1, BTRFS_NAME_LEN);
}

/* Types with nothing but a struct: how large it is. */
static size_t fixed_size(const struct btrfs_key *key)
{
	switch (key->type) {
	case BTRFS_INODE_ITEM_KEY:
		return sizeof(struct btrfs_inode_item);
	case BTRFS_DIR_LOG_ITEM_KEY:
	case BTRFS_DIR_LOG_INDEX_KEY:
		return sizeof(struct btrfs_dir_log_item);
	case BTRFS_EXTENT_DATA_REF_KEY:
		return sizeof(struct btrfs_extent_data_ref);
	case BTRFS_SHARED_DATA_REF_KEY:
		return sizeof(struct btrfs_shared_data_ref);
	case BTRFS_BLOCK_GROUP_ITEM_KEY:
		return sizeof(struct btrfs_block_group_item);
	case BTRFS_FREE_SPACE_INFO_KEY:
		return sizeof(struct btrfs_free_space_info);
	case BTRFS_DEV_EXTENT_KEY:
		return sizeof(struct btrfs_dev_extent);
	case BTRFS_DEV_ITEM_KEY:
		return sizeof(struct btrfs_dev_item);
	case BTRFS_RAID_STRIPE_KEY:
		return sizeof(struct btrfs_raid_stride);
	case BTRFS_QGROUP_STATUS_KEY:
		return offsetof(struct btrfs_qgroup_status_item, enable_gen);
	case BTRFS_QGROUP_INFO_KEY:
		return sizeof(struct btrfs_qgroup_info_item);
	case BTRFS_QGROUP_LIMIT_KEY:
		return sizeof(struct btrfs_qgroup_limit_item);
	case BTRFS_DEV_REPLACE_KEY:
		return sizeof(struct btrfs_dev_replace_item);
	default:
		return 0;
	}
}

static void read_item(const struct reader *r)
{
	must_hold(r, r->data, fixed_size(&r->key));
	switch (r->key.type) {
	case BTRFS_INODE_REF_KEY:
		return read_inode_refs(r);
	case BTRFS_INODE_EXTREF_KEY:
		return read_inode_extrefs(r);
	case BTRFS_DIR_ITEM_KEY:
	case BTRFS_DIR_INDEX_KEY:
	case BTRFS_XATTR_ITEM_KEY:
		return read_dir_items(r);
	case BTRFS_EXTENT_DATA_KEY:
		return read_file_extent(r);
	case BTRFS_EXTENT_CSUM_KEY:
		assert_int_equal((r->end - r->data) % 4, 0);
		return;
	case BTRFS_ROOT_ITEM_KEY:
		return read_root(r);
	case BTRFS_ROOT_REF_KEY:
	case BTRFS_ROOT_BACKREF_KEY:
		return read_root_ref(r);
	case BTRFS_EXTENT_ITEM_KEY:
	case BTRFS_METADATA_ITEM_KEY:
		return read_extent(r);
	case BTRFS_CHUNK_ITEM_KEY:
		return read_chunk(r);
	case BTRFS_FREE_SPACE_BITMAP_KEY:
		return read_bitmap(r);
	case BTRFS_UUID_KEY_SUBVOL:
	case BTRFS_UUID_KEY_RECEIVED_SUBVOL:
		assert_int_equal((r->end - r->data) % 8, 0);
		return;
	default:
		return;
	}
}

static void read_leaf(const struct extent_buffer *eb)
{
	const u8 *end = eb->data + eb->len;
	struct btrfs_key prev = { 0 };

	for (u32 slot = 0; slot < btrfs_header_nritems(eb); slot++) {
		struct reader r = { .eb = eb };
		u32 size = btrfs_item_size(eb, slot);

		btrfs_item_key_to_cpu(eb, &r.key, slot);
		assert_true(btrfs_comp_cpu_keys(&prev, &r.key) < 0);
		r.data = btrfs_item_data(eb, slot);
		r.end = r.data + size;
		assert_true(r.end == end);
		assert_true(r.data >= (const u8 *)(btrfs_item(eb, eb->nritems - 1) + 1));
		read_bytes(r.data, size);
		read_item(&r);
		prev = r.key;
		end = r.data;
	}
}

static void read_node(const struct extent_buffer *eb)
{
	struct btrfs_key prev = { 0 }, key;

	for (u32 slot = 0; slot < btrfs_header_nritems(eb); slot++) {
		btrfs_node_key_to_cpu(eb, &key, slot);
		assert_true(slot == 0 || btrfs_comp_cpu_keys(&prev, &key) < 0);
		assert_true(btrfs_node_blockptr(eb, slot) != 0);
		assert_true(btrfs_node_ptr_generation(eb, slot) != 0);
		prev = key;
	}
}

/* Flip bits of a byte, of the headers or of the data; now and then a whole field. */
static void mutate(struct test_block *block, u64 *random)
{
	const u32 headers =
		sizeof(struct btrfs_header) + block->eb.nritems * (u32)sizeof(struct btrfs_item);
	u32 at, width = test_random(random) % 4 ? 1 : 4;
	u8 with = (u8)test_random(random);

	if (block->eb.level || test_random(random) % 3 == 0)
		at = (u32)(test_random(random) % headers);
	else
		at = (u32)(sizeof(struct btrfs_header) + block->start +
			   test_random(random) % (NODESIZE - block->start));
	for (u32 i = at; i < at + width && i < NODESIZE; i++) {
		if (width == 1)
			block->data[i] ^= (u8)(1U << (with & 7));
		else
			block->data[i] = with;
	}
}

/* As disk-io does, fields of the block's struct come from its header. */
static void take_header(struct test_block *block)
{
	struct btrfs_header *header = block_header(block);

	block->eb.nritems = le32toh(header->nritems);
	block->eb.level = header->level;
	block->eb.owner = le64toh(header->owner);
}

static unsigned int mutate_one_block(struct test_block *block, u64 *random)
{
	struct extent_buffer intact = block->eb;
	u8 *copy = malloc(NODESIZE);
	unsigned int passed = 0;

	assert_non_null(copy);
	memcpy(copy, block->data, NODESIZE);
	for (int i = 0; i < MUTATIONS; i++) {
		struct btrfs_check_report report;
		unsigned int times = 1 + (unsigned int)test_random(random) % 3;

		while (times--)
			mutate(block, random);
		take_header(block);
		if (block->eb.level == 0 && btrfs_check_leaf(&block->eb, &report) == 0) {
			read_leaf(&block->eb);
			passed++;
		} else if (block->eb.level && btrfs_check_node(&block->eb, &report) == 0) {
			read_node(&block->eb);
			passed++;
		}
		memcpy(block->data, copy, NODESIZE);
		block->eb = intact;
	}
	free(copy);
	return passed;
}

static void test_what_passes_can_be_read(void **state)
{
	u64 random = 42;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(block_builders); i++) {
		struct test_block *block = block_builders[i]();

		/* As for images of btrfs-image, or hashes would hide all other damage of names. */
		block->fs_info.super_copy.flags = htole64(BTRFS_SUPER_FLAG_METADUMP_V2);
		block_header(block)->nritems = htole32(block->eb.nritems);
		assert_true(mutate_one_block(block, &random) > 0);
		block_free(block);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_passes_can_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
