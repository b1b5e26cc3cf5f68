/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Leaves built in memory, one of each kind of tree, all of them valid; and how
 * to say that a block is now good or bad.
 */
#ifndef TESTS_TREE_CHECKER_LEAVES_H
#define TESTS_TREE_CHECKER_LEAVES_H

#include "tests/unit/common-unit.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/hash.h"
#include "kernel-shared/tree-checker.h"

#define NODESIZE   16384U
#define SECTOR	   4096U
#define GENERATION 100ULL
#define INO	   257ULL

/* ---- building leaves ---- */

struct test_block {
	struct btrfs_fs_info fs_info;
	struct extent_buffer eb;
	u8 *data;  /* NODESIZE bytes, allocated to the byte */
	u32 start; /* of the data of the last item */
};

static inline struct test_block *block_create(u64 owner, u8 level)
{
	struct test_block *block = calloc(1, sizeof(*block));
	struct btrfs_header *header;

	assert_non_null(block);
	block->data = calloc(1, NODESIZE);
	assert_non_null(block->data);
	block->fs_info.generation = GENERATION;
	block->fs_info.nodesize = NODESIZE;
	block->fs_info.sectorsize = SECTOR;
	block->fs_info.sectorsize_bits = 12;
	block->fs_info.csum_size = 4;
	block->fs_info.incompat =
		BTRFS_FEATURE_INCOMPAT_SKINNY_METADATA | BTRFS_FEATURE_INCOMPAT_RAID_STRIPE_TREE;
	block->eb = (struct extent_buffer){
		.fs_info = &block->fs_info,
		.start = 1048576,
		.len = NODESIZE,
		.generation = GENERATION,
		.owner = owner,
		.level = level,
		.data = block->data,
	};
	block->start = NODESIZE - (u32)sizeof(struct btrfs_header);
	header = (struct btrfs_header *)block->data;
	header->flags = htole64(BTRFS_HEADER_FLAG_WRITTEN | 1ULL << BTRFS_BACKREF_REV_SHIFT);
	header->owner = htole64(owner);
	header->level = level;
	return block;
}

static inline void block_free(struct test_block *block)
{
	free(block->data);
	free(block);
}

static inline struct btrfs_header *block_header(struct test_block *block)
{
	return (struct btrfs_header *)block->data;
}

static inline struct btrfs_item *block_item(struct test_block *block, u32 slot)
{
	return &((struct btrfs_leaf *)block->data)->items[slot];
}

/* Add an item of zeros; the place of its data is returned. */
static inline void *add_item(struct test_block *block, u64 objectid, u8 type, u64 offset, u32 size)
{
	struct btrfs_item *item = block_item(block, block->eb.nritems);
	u8 *place;

	block->start -= size;
	place = block->data + sizeof(struct btrfs_header) + block->start;
	assert_true((u8 *)(item + 1) <= place);
	item->key.objectid = htole64(objectid);
	item->key.type = type;
	item->key.offset = htole64(offset);
	item->offset = htole32(block->start);
	item->size = htole32(size);
	block->eb.nritems++;
	block_header(block)->nritems = htole32(block->eb.nritems);
	return place;
}

static inline void set_size(struct test_block *block, u32 slot, u32 size)
{
	struct btrfs_item *item = block_item(block, slot);
	u32 delta = size - le32toh(item->size);

	/* Only for the last item: data grows towards the headers. */
	assert_int_equal(slot, block->eb.nritems - 1);
	item->size = htole32(size);
	item->offset = htole32(le32toh(item->offset) - delta);
}

static inline int check(struct test_block *block, struct btrfs_check_report *report)
{
	memset(report, 0, sizeof(*report));
	return block->eb.level ? btrfs_check_node(&block->eb, report) :
				 btrfs_check_leaf(&block->eb, report);
}

#define expect_ok(block)                                                      \
	do {                                                                  \
		struct btrfs_check_report report_;                            \
		int ret_ = check(block, &report_);                            \
                                                                              \
		if (ret_)                                                     \
			print_error("line %d: %s\n", __LINE__, report_.text); \
		assert_int_equal(ret_, 0);                                    \
	} while (0)

#define expect_bad(block)                                                \
	do {                                                             \
		struct btrfs_check_report report_;                       \
                                                                         \
		if (check(block, &report_) != -EUCLEAN)                  \
			fail_msg("line %d: damage not found", __LINE__); \
		assert_true(report_.text[0]);                            \
	} while (0)

/* With @field set to @value the block is bad (or still good); then all is as before. */
#define with_value(block, field, value, expect) \
	do {                                    \
		__typeof__(field) old_ = field; \
                                                \
		field = value;                  \
		expect(block);                  \
		field = old_;                   \
		expect_ok(block);               \
	} while (0)

#define bad_if(block, field, value)  with_value(block, field, value, expect_bad)
#define good_if(block, field, value) with_value(block, field, value, expect_ok)

/* ---- items ---- */

static inline struct btrfs_inode_item *add_inode(struct test_block *block, u64 ino, u32 mode)
{
	struct btrfs_inode_item *inode =
		add_item(block, ino, BTRFS_INODE_ITEM_KEY, 0, sizeof(*inode));

	inode->generation = htole64(GENERATION);
	inode->transid = htole64(GENERATION);
	inode->nlink = htole32(1);
	inode->mode = htole32(mode);
	return inode;
}

static inline struct btrfs_inode_ref *add_inode_ref(struct test_block *block, const char *name1,
						    const char *name2)
{
	size_t len1 = strlen(name1), len2 = strlen(name2);
	struct btrfs_inode_ref *ref = add_item(block, INO, BTRFS_INODE_REF_KEY, 256,
					       (u32)(2 * sizeof(*ref) + len1 + len2));
	struct btrfs_inode_ref *second = (void *)((u8 *)(ref + 1) + len1);

	ref->name_len = htole16(len1);
	memcpy(ref + 1, name1, len1);
	second->name_len = htole16(len2);
	memcpy(second + 1, name2, len2);
	return ref;
}

static inline struct btrfs_inode_extref *add_inode_extref(struct test_block *block,
							  const char *name)
{
	size_t len = strlen(name);
	struct btrfs_inode_extref *ref =
		add_item(block, INO, BTRFS_INODE_EXTREF_KEY, 77, (u32)(sizeof(*ref) + len));

	ref->name_len = htole16(len);
	memcpy(ref->name, name, len);
	return ref;
}

static inline struct btrfs_dir_item *add_dir_entry(struct test_block *block, u8 type, u64 offset,
						   const char *name, const char *value)
{
	size_t name_len = strlen(name), data_len = strlen(value);
	struct btrfs_dir_item *di;

	if (type != BTRFS_DIR_INDEX_KEY)
		offset = crc32c(~1U, name, name_len);
	di = add_item(block, INO, type, offset, (u32)(sizeof(*di) + name_len + data_len));
	di->name_len = htole16(name_len);
	di->data_len = htole16(data_len);
	memcpy(di + 1, name, name_len);
	memcpy((u8 *)(di + 1) + name_len, value, data_len);
	if (type == BTRFS_XATTR_ITEM_KEY) {
		di->type = BTRFS_FT_XATTR;
	} else {
		di->type = BTRFS_FT_REG_FILE;
		di->location.objectid = htole64(258);
		di->location.type = BTRFS_INODE_ITEM_KEY;
	}
	return di;
}

static inline struct btrfs_file_extent_item *add_file_extent(struct test_block *block, u64 offset,
							     u64 num_bytes)
{
	struct btrfs_file_extent_item *fe =
		add_item(block, INO, BTRFS_EXTENT_DATA_KEY, offset, sizeof(*fe));

	fe->generation = htole64(GENERATION);
	fe->type = BTRFS_FILE_EXTENT_REG;
	fe->disk_bytenr = htole64(13631488 + offset);
	fe->disk_num_bytes = htole64(num_bytes);
	fe->num_bytes = htole64(num_bytes);
	fe->ram_bytes = htole64(num_bytes);
	return fe;
}

static inline struct btrfs_file_extent_item *add_inline_extent(struct test_block *block, u32 len)
{
	struct btrfs_file_extent_item *fe;

	fe = add_item(block, INO, BTRFS_EXTENT_DATA_KEY, 0,
		      (u32)BTRFS_FILE_EXTENT_INLINE_DATA_START + len);
	fe->type = BTRFS_FILE_EXTENT_INLINE;
	fe->ram_bytes = htole64(len);
	return fe;
}

static inline struct btrfs_root_item *add_root(struct test_block *block, u64 id, u64 offset)
{
	struct btrfs_root_item *root =
		add_item(block, id, BTRFS_ROOT_ITEM_KEY, offset, sizeof(*root));

	root->generation = htole64(GENERATION);
	root->generation_v2 = htole64(GENERATION);
	root->bytenr = htole64(30408704);
	root->refs = htole32(1);
	return root;
}

static inline struct btrfs_root_ref *add_root_ref(struct test_block *block, u8 type,
						  const char *name)
{
	size_t len = strlen(name);
	struct btrfs_root_ref *ref = add_item(block, 300, type, 5, (u32)(sizeof(*ref) + len));

	ref->dirid = htole64(256);
	ref->name_len = htole16(len);
	memcpy(ref + 1, name, len);
	return ref;
}

/* An extent item of @refs references, with @inline_len bytes of room for inline ones. */
static inline struct btrfs_extent_item *add_extent(struct test_block *block, u64 bytenr, u8 type,
						   u64 offset, u64 refs, u32 inline_len)
{
	bool is_block = type == BTRFS_METADATA_ITEM_KEY;
	struct btrfs_extent_item *ei =
		add_item(block, bytenr, type, offset, (u32)sizeof(*ei) + inline_len);

	ei->refs = htole64(refs);
	ei->generation = htole64(GENERATION);
	ei->flags = htole64(is_block ? BTRFS_EXTENT_FLAG_TREE_BLOCK : BTRFS_EXTENT_FLAG_DATA);
	return ei;
}

/* Write an inline ref at @at; where the next one goes is returned. */
static inline void *put_inline_ref(void *at, u8 type, u64 offset)
{
	struct btrfs_extent_inline_ref *ref = at;

	ref->type = type;
	ref->offset = htole64(offset);
	if (type == BTRFS_SHARED_DATA_REF_KEY)
		put_unaligned_le32(1, ref + 1);
	return (u8 *)at + btrfs_extent_inline_ref_size(type);
}

static inline void *put_inline_data_ref(void *at, u64 root, u64 ino, u64 offset)
{
	struct btrfs_extent_inline_ref *ref = at;
	struct btrfs_extent_data_ref *data = (void *)((u8 *)at + 1);

	ref->type = BTRFS_EXTENT_DATA_REF_KEY;
	data->root = htole64(root);
	data->objectid = htole64(ino);
	data->offset = htole64(offset);
	data->count = htole32(1);
	return data + 1;
}

static inline struct btrfs_chunk *add_chunk(struct test_block *block, u64 logical, u64 type,
					    u16 num_stripes)
{
	struct btrfs_chunk *chunk =
		add_item(block, BTRFS_FIRST_CHUNK_TREE_OBJECTID, BTRFS_CHUNK_ITEM_KEY, logical,
			 (u32)btrfs_chunk_item_size(num_stripes));

	chunk->length = htole64(8388608);
	chunk->owner = htole64(BTRFS_EXTENT_TREE_OBJECTID);
	chunk->stripe_len = htole64(BTRFS_STRIPE_LEN);
	chunk->type = htole64(type);
	chunk->sector_size = htole32(SECTOR);
	chunk->num_stripes = htole16(num_stripes);
	chunk->sub_stripes = htole16(1);
	for (u16 i = 0; i < num_stripes; i++) {
		(&chunk->stripe)[i].devid = htole64(1);
		(&chunk->stripe)[i].offset = htole64(1048576 + i * 8388608ULL);
	}
	return chunk;
}

static inline struct btrfs_dev_extent *add_dev_extent(struct test_block *block, u64 physical,
						      u64 length)
{
	struct btrfs_dev_extent *extent =
		add_item(block, 1, BTRFS_DEV_EXTENT_KEY, physical, sizeof(*extent));

	extent->chunk_tree = htole64(BTRFS_CHUNK_TREE_OBJECTID);
	extent->chunk_objectid = htole64(BTRFS_FIRST_CHUNK_TREE_OBJECTID);
	extent->chunk_offset = htole64(13631488);
	extent->length = htole64(length);
	return extent;
}

static inline struct btrfs_block_group_item *add_block_group(struct test_block *block, u64 start,
							     u64 flags)
{
	struct btrfs_block_group_item *bg =
		add_item(block, start, BTRFS_BLOCK_GROUP_ITEM_KEY, 8388608, sizeof(*bg));

	bg->used = htole64(65536);
	bg->chunk_objectid = htole64(BTRFS_FIRST_CHUNK_TREE_OBJECTID);
	bg->flags = htole64(flags);
	return bg;
}

/* ---- whole leaves ---- */

static inline struct test_block *file_leaf(void)
{
	struct test_block *block = block_create(BTRFS_FS_TREE_OBJECTID, 0);

	add_inode(block, INO, S_IFREG | 0644);
	add_inode_ref(block, "a name", "another name");
	add_inode_extref(block, "the name of a link");
	add_dir_entry(block, BTRFS_XATTR_ITEM_KEY, 0, "user.colour", "blue");
	add_item(block, INO, BTRFS_VERITY_DESC_ITEM_KEY, 0,
		 sizeof(struct btrfs_verity_descriptor_item));
	add_item(block, INO, BTRFS_VERITY_DESC_ITEM_KEY, 1, 1);
	add_item(block, INO, BTRFS_VERITY_MERKLE_ITEM_KEY, 0, 2048);
	add_file_extent(block, 0, 65536);
	add_file_extent(block, 65536, 4096);
	add_file_extent(block, 1048576, 1048576);
	return block;
}

static inline struct test_block *dir_leaf(void)
{
	struct test_block *block = block_create(300, 0);

	add_inode(block, INO, S_IFDIR | 0755);
	add_inode_ref(block, "directory", "x");
	add_dir_entry(block, BTRFS_DIR_ITEM_KEY, 0, "file", "");
	add_dir_entry(block, BTRFS_DIR_INDEX_KEY, 2, "file", "");
	add_dir_entry(block, BTRFS_DIR_INDEX_KEY, 3, "a longer name of a file", "");
	return block;
}

static inline struct test_block *inline_leaf(void)
{
	struct test_block *block = block_create(BTRFS_FS_TREE_OBJECTID, 0);

	add_inode(block, INO, S_IFREG | 0600);
	add_inline_extent(block, 1000);
	return block;
}

static inline struct test_block *log_leaf(void)
{
	struct test_block *block = block_create(BTRFS_TREE_LOG_OBJECTID, 0);

	add_inode(block, INO, S_IFDIR | 0755)->generation = htole64(GENERATION + 1);
	add_item(block, INO, BTRFS_DIR_LOG_ITEM_KEY, 0, sizeof(struct btrfs_dir_log_item));
	add_item(block, INO, BTRFS_DIR_LOG_INDEX_KEY, 0, sizeof(struct btrfs_dir_log_item));
	add_dir_entry(block, BTRFS_DIR_INDEX_KEY, 3, "file", "");
	return block;
}

static inline struct test_block *csum_leaf(void)
{
	struct test_block *block = block_create(BTRFS_CSUM_TREE_OBJECTID, 0);

	add_item(block, BTRFS_EXTENT_CSUM_OBJECTID, BTRFS_EXTENT_CSUM_KEY, 13631488, 64);
	add_item(block, BTRFS_EXTENT_CSUM_OBJECTID, BTRFS_EXTENT_CSUM_KEY, 13631488 + 65536, 1000);
	return block;
}

static inline struct test_block *root_leaf(void)
{
	struct test_block *block = block_create(BTRFS_ROOT_TREE_OBJECTID, 0);

	add_root(block, BTRFS_EXTENT_TREE_OBJECTID, 0);
	add_item(block, 5, BTRFS_ROOT_ITEM_KEY, 0, BTRFS_LEGACY_ROOT_ITEM_SIZE);
	add_inode(block, BTRFS_ROOT_TREE_DIR_OBJECTID, S_IFDIR | 0755)->transid = 0;
	add_root(block, 300, 0);
	add_root_ref(block, BTRFS_ROOT_BACKREF_KEY, "subvolume");
	add_item(block, BTRFS_FREE_SPACE_OBJECTID, 0, 13631488,
		 sizeof(struct btrfs_free_space_header));
	add_root(block, BTRFS_TREE_RELOC_OBJECTID, 300);
	add_item(block, BTRFS_ORPHAN_OBJECTID, BTRFS_ORPHAN_ITEM_KEY, 300, 0);
	add_item(block, BTRFS_BALANCE_OBJECTID, BTRFS_TEMPORARY_ITEM_KEY, 0,
		 sizeof(struct btrfs_balance_item));
	return block;
}

static inline struct test_block *extent_leaf(void)
{
	struct test_block *block = block_create(BTRFS_EXTENT_TREE_OBJECTID, 0);
	struct btrfs_extent_item *ei;
	void *at;

	ei = add_extent(block, 1048576, BTRFS_EXTENT_ITEM_KEY, 4096, 3, 9 + 29 + 13);
	at = put_inline_ref(ei + 1, BTRFS_EXTENT_OWNER_REF_KEY, 5);
	at = put_inline_data_ref(at, 5, INO, 0);
	put_inline_ref(at, BTRFS_SHARED_DATA_REF_KEY, 30408704);
	add_extent(block, 1052672, BTRFS_EXTENT_ITEM_KEY, 8192, 5, 0);
	add_item(block, 1052672, BTRFS_EXTENT_DATA_REF_KEY, 12345,
		 sizeof(struct btrfs_extent_data_ref));
	put_inline_data_ref(block->data + sizeof(struct btrfs_header) + block->start - 1, 5, INO,
			    4096);
	put_unaligned_le32(2, add_item(block, 1052672, BTRFS_SHARED_DATA_REF_KEY, 30408704, 4));
	ei = add_extent(block, 30408704, BTRFS_METADATA_ITEM_KEY, 0, 2, 18);
	at = put_inline_ref(ei + 1, BTRFS_TREE_BLOCK_REF_KEY, 5);
	put_inline_ref(at, BTRFS_SHARED_BLOCK_REF_KEY, 30425088);
	add_item(block, 30408704, BTRFS_TREE_BLOCK_REF_KEY, 300, 0);
	add_item(block, 30408704, BTRFS_SHARED_BLOCK_REF_KEY, 30441472, 0);
	add_block_group(block, 30408704, BTRFS_BLOCK_GROUP_METADATA | BTRFS_BLOCK_GROUP_DUP);
	return block;
}

/* An extent item of a tree block as before skinny metadata. */
static inline struct test_block *fat_extent_leaf(void)
{
	struct test_block *block = block_create(BTRFS_EXTENT_TREE_OBJECTID, 0);
	u32 info = sizeof(struct btrfs_tree_block_info);
	struct btrfs_extent_item *ei =
		add_extent(block, 30408704, BTRFS_EXTENT_ITEM_KEY, NODESIZE, 1, info + 9);

	ei->flags = htole64(BTRFS_EXTENT_FLAG_TREE_BLOCK);
	put_inline_ref((u8 *)(ei + 1) + info, BTRFS_TREE_BLOCK_REF_KEY, 5);
	return block;
}

static inline struct test_block *chunk_leaf(void)
{
	struct test_block *block = block_create(BTRFS_CHUNK_TREE_OBJECTID, 0);
	struct btrfs_dev_item *dev =
		add_item(block, BTRFS_DEV_ITEMS_OBJECTID, BTRFS_DEV_ITEM_KEY, 1, sizeof(*dev));

	dev->devid = htole64(1);
	dev->total_bytes = htole64(1ULL << 30);
	dev->bytes_used = htole64(1ULL << 29);
	add_chunk(block, 13631488, BTRFS_BLOCK_GROUP_DATA, 1);
	add_chunk(block, 22020096, BTRFS_BLOCK_GROUP_SYSTEM | BTRFS_BLOCK_GROUP_DUP, 2);
	add_chunk(block, 30408704, BTRFS_BLOCK_GROUP_METADATA | BTRFS_BLOCK_GROUP_RAID6, 4);
	return block;
}

static inline struct test_block *dev_leaf(void)
{
	struct test_block *block = block_create(BTRFS_DEV_TREE_OBJECTID, 0);

	add_item(block, 0, BTRFS_PERSISTENT_ITEM_KEY, 1, sizeof(struct btrfs_dev_stats_item));
	add_item(block, 0, BTRFS_DEV_REPLACE_KEY, 0, sizeof(struct btrfs_dev_replace_item));
	add_dev_extent(block, 13631488, 8388608);
	add_dev_extent(block, 22020096, 8388608);
	return block;
}

static inline struct test_block *free_space_leaf(void)
{
	struct test_block *block = block_create(BTRFS_FREE_SPACE_TREE_OBJECTID, 0);

	add_item(block, 13631488, BTRFS_FREE_SPACE_INFO_KEY, 8388608,
		 sizeof(struct btrfs_free_space_info));
	add_item(block, 13631488, BTRFS_FREE_SPACE_EXTENT_KEY, 4096, 0);
	add_item(block, 22020096, BTRFS_FREE_SPACE_BITMAP_KEY, 2048 * SECTOR, 256);
	return block;
}

static inline struct test_block *quota_leaf(void)
{
	struct test_block *block = block_create(BTRFS_QUOTA_TREE_OBJECTID, 0);

	add_item(block, 0, BTRFS_QGROUP_STATUS_KEY, 0, 32);
	add_item(block, 0, BTRFS_QGROUP_INFO_KEY, 5, sizeof(struct btrfs_qgroup_info_item));
	add_item(block, 0, BTRFS_QGROUP_LIMIT_KEY, 5, sizeof(struct btrfs_qgroup_limit_item));
	add_item(block, 5, BTRFS_QGROUP_RELATION_KEY, 1ULL << 48, 0);
	return block;
}

static inline struct test_block *uuid_leaf(void)
{
	struct test_block *block = block_create(BTRFS_UUID_TREE_OBJECTID, 0);

	add_item(block, 0x1234567, BTRFS_UUID_KEY_SUBVOL, 0x7654321, 8);
	add_item(block, 0x1234567, BTRFS_UUID_KEY_RECEIVED_SUBVOL, 0x7654321, 24);
	return block;
}

static inline struct test_block *stripe_leaf(void)
{
	struct test_block *block = block_create(BTRFS_RAID_STRIPE_TREE_OBJECTID, 0);

	add_item(block, 13631488, BTRFS_RAID_STRIPE_KEY, 65536,
		 2 * sizeof(struct btrfs_raid_stride));
	return block;
}

static inline struct test_block *node(void)
{
	struct test_block *block = block_create(BTRFS_FS_TREE_OBJECTID, 1);
	struct btrfs_key_ptr *ptr = ((struct btrfs_node *)block->data)->ptrs;

	block->eb.nritems = 10;
	for (u32 i = 0; i < block->eb.nritems; i++) {
		ptr[i].key.objectid = htole64(256 + i);
		ptr[i].key.type = BTRFS_INODE_ITEM_KEY;
		ptr[i].blockptr = htole64(30408704 + i * NODESIZE);
		ptr[i].generation = htole64(GENERATION);
	}
	return block;
}

static struct test_block *(*const block_builders[])(void) = {
	file_leaf,	 dir_leaf,    inline_leaf,     log_leaf,    csum_leaf,
	root_leaf,	 extent_leaf, fat_extent_leaf, chunk_leaf,  dev_leaf,
	free_space_leaf, quota_leaf,  uuid_leaf,       stripe_leaf, node,
};

#endif
