// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tables of names of object ids, key types and trees, and the printing of
 * keys.  Relies on nothing but the numbers of ondisk.h.
 */
#include "kernel-shared/key-names.h"

#include <ctype.h>
#include <errno.h>

#include "common/string-utils.h"

static const char *const key_type_names[256] = {
	[BTRFS_INODE_ITEM_KEY] = "INODE_ITEM",
	[BTRFS_INODE_REF_KEY] = "INODE_REF",
	[BTRFS_INODE_EXTREF_KEY] = "INODE_EXTREF",
	[BTRFS_XATTR_ITEM_KEY] = "XATTR_ITEM",
	[BTRFS_VERITY_DESC_ITEM_KEY] = "VERITY_DESC_ITEM",
	[BTRFS_VERITY_MERKLE_ITEM_KEY] = "VERITY_MERKLE_ITEM",
	[BTRFS_ORPHAN_ITEM_KEY] = "ORPHAN_ITEM",
	[BTRFS_DIR_LOG_ITEM_KEY] = "DIR_LOG_ITEM",
	[BTRFS_DIR_LOG_INDEX_KEY] = "DIR_LOG_INDEX",
	[BTRFS_DIR_ITEM_KEY] = "DIR_ITEM",
	[BTRFS_DIR_INDEX_KEY] = "DIR_INDEX",
	[BTRFS_EXTENT_DATA_KEY] = "EXTENT_DATA",
	[BTRFS_OLD_CSUM_ITEM_KEY] = "CSUM_ITEM",
	[BTRFS_EXTENT_CSUM_KEY] = "EXTENT_CSUM",
	[BTRFS_ROOT_ITEM_KEY] = "ROOT_ITEM",
	[BTRFS_ROOT_BACKREF_KEY] = "ROOT_BACKREF",
	[BTRFS_ROOT_REF_KEY] = "ROOT_REF",
	[BTRFS_EXTENT_ITEM_KEY] = "EXTENT_ITEM",
	[BTRFS_METADATA_ITEM_KEY] = "METADATA_ITEM",
	[BTRFS_EXTENT_OWNER_REF_KEY] = "EXTENT_OWNER_REF",
	[BTRFS_TREE_BLOCK_REF_KEY] = "TREE_BLOCK_REF",
	[BTRFS_EXTENT_DATA_REF_KEY] = "EXTENT_DATA_REF",
	[BTRFS_EXTENT_REF_V0_KEY] = "EXTENT_REF_V0",
	[BTRFS_SHARED_BLOCK_REF_KEY] = "SHARED_BLOCK_REF",
	[BTRFS_SHARED_DATA_REF_KEY] = "SHARED_DATA_REF",
	[BTRFS_BLOCK_GROUP_ITEM_KEY] = "BLOCK_GROUP_ITEM",
	[BTRFS_FREE_SPACE_INFO_KEY] = "FREE_SPACE_INFO",
	[BTRFS_FREE_SPACE_EXTENT_KEY] = "FREE_SPACE_EXTENT",
	[BTRFS_FREE_SPACE_BITMAP_KEY] = "FREE_SPACE_BITMAP",
	[BTRFS_DEV_EXTENT_KEY] = "DEV_EXTENT",
	[BTRFS_DEV_ITEM_KEY] = "DEV_ITEM",
	[BTRFS_CHUNK_ITEM_KEY] = "CHUNK_ITEM",
	[BTRFS_RAID_STRIPE_KEY] = "RAID_STRIPE",
	[BTRFS_QGROUP_STATUS_KEY] = "QGROUP_STATUS",
	[BTRFS_QGROUP_INFO_KEY] = "QGROUP_INFO",
	[BTRFS_QGROUP_LIMIT_KEY] = "QGROUP_LIMIT",
	[BTRFS_QGROUP_RELATION_KEY] = "QGROUP_RELATION",
	[BTRFS_TEMPORARY_ITEM_KEY] = "TEMPORARY_ITEM",
	[BTRFS_PERSISTENT_ITEM_KEY] = "PERSISTENT_ITEM",
	[BTRFS_DEV_REPLACE_KEY] = "DEV_REPLACE",
	[BTRFS_UUID_KEY_SUBVOL] = "UUID_KEY_SUBVOL",
	[BTRFS_UUID_KEY_RECEIVED_SUBVOL] = "UUID_KEY_RECEIVED_SUBVOL",
	[BTRFS_STRING_ITEM_KEY] = "STRING_ITEM",
};

static const char *const tree_names[] = {
	[BTRFS_ROOT_TREE_OBJECTID] = "ROOT_TREE",
	[BTRFS_EXTENT_TREE_OBJECTID] = "EXTENT_TREE",
	[BTRFS_CHUNK_TREE_OBJECTID] = "CHUNK_TREE",
	[BTRFS_DEV_TREE_OBJECTID] = "DEV_TREE",
	[BTRFS_FS_TREE_OBJECTID] = "FS_TREE",
	[BTRFS_ROOT_TREE_DIR_OBJECTID] = "ROOT_TREE_DIR",
	[BTRFS_CSUM_TREE_OBJECTID] = "CSUM_TREE",
	[BTRFS_QUOTA_TREE_OBJECTID] = "QUOTA_TREE",
	[BTRFS_UUID_TREE_OBJECTID] = "UUID_TREE",
	[BTRFS_FREE_SPACE_TREE_OBJECTID] = "FREE_SPACE_TREE",
	[BTRFS_BLOCK_GROUP_TREE_OBJECTID] = "BLOCK_GROUP_TREE",
	[BTRFS_RAID_STRIPE_TREE_OBJECTID] = "RAID_STRIPE_TREE",
};

static const char *objectid_name(u64 objectid)
{
	switch (objectid) {
	case BTRFS_MULTIPLE_OBJECTIDS:
		return "MULTIPLE";
	case BTRFS_FREE_INO_OBJECTID:
		return "FREE_INO";
	case BTRFS_FREE_SPACE_OBJECTID:
		return "FREE_SPACE";
	case BTRFS_EXTENT_CSUM_OBJECTID:
		return "EXTENT_CSUM";
	case BTRFS_DATA_RELOC_TREE_OBJECTID:
		return "DATA_RELOC_TREE";
	case BTRFS_TREE_RELOC_OBJECTID:
		return "TREE_RELOC";
	case BTRFS_TREE_LOG_FIXUP_OBJECTID:
		return "LOG_FIXUP";
	case BTRFS_TREE_LOG_OBJECTID:
		return "TREE_LOG";
	case BTRFS_ORPHAN_OBJECTID:
		return "ORPHAN";
	case BTRFS_BALANCE_OBJECTID:
		return "BALANCE";
	default:
		return objectid < ARRAY_SIZE(tree_names) ? tree_names[objectid] : NULL;
	}
}

static void print_qgroupid(FILE *out, u64 qgroupid)
{
	fprintf(out, "%llu/%llu", qgroupid >> BTRFS_QGROUP_LEVEL_SHIFT,
		qgroupid & ((1ULL << BTRFS_QGROUP_LEVEL_SHIFT) - 1));
}

/* A number is a device, a quota group or half of a uuid where the key's type says so. */
void btrfs_print_objectid(FILE *out, u64 objectid, u8 type)
{
	const char *name = objectid_name(objectid);

	switch (type) {
	case BTRFS_PERSISTENT_ITEM_KEY:
		if (objectid == BTRFS_DEV_STATS_OBJECTID)
			fputs("DEV_STATS", out);
		else
			fprintf(out, "%llu", objectid);
		return;
	case BTRFS_DEV_EXTENT_KEY:
		fprintf(out, "%llu", objectid);
		return;
	case BTRFS_QGROUP_RELATION_KEY:
		print_qgroupid(out, objectid);
		return;
	case BTRFS_UUID_KEY_SUBVOL:
	case BTRFS_UUID_KEY_RECEIVED_SUBVOL:
		fprintf(out, "0x%016llx", objectid);
		return;
	}
	if (type == BTRFS_DEV_ITEM_KEY && objectid == BTRFS_DEV_ITEMS_OBJECTID)
		name = "DEV_ITEMS";
	if (type == BTRFS_CHUNK_ITEM_KEY && objectid == BTRFS_FIRST_CHUNK_TREE_OBJECTID)
		name = "FIRST_CHUNK_TREE";
	if (name)
		fputs(name, out);
	else if (objectid == (u64)-1)
		fputs("-1", out);
	else
		fprintf(out, "%llu", objectid);
}

void btrfs_print_key_type(FILE *out, u64 objectid, u8 type)
{
	if (type == 0 && objectid == BTRFS_FREE_SPACE_OBJECTID)
		fputs("UNTYPED", out);
	else if (key_type_names[type])
		fputs(key_type_names[type], out);
	else
		fprintf(out, "UNKNOWN.%u", type);
}

static void print_offset(FILE *out, const struct btrfs_key *key)
{
	switch (key->type) {
	case BTRFS_QGROUP_RELATION_KEY:
	case BTRFS_QGROUP_INFO_KEY:
	case BTRFS_QGROUP_LIMIT_KEY:
		print_qgroupid(out, key->offset);
		return;
	case BTRFS_UUID_KEY_SUBVOL:
	case BTRFS_UUID_KEY_RECEIVED_SUBVOL:
		fprintf(out, "0x%016llx", key->offset);
		return;
	case BTRFS_ROOT_ITEM_KEY:
		/* A tree being relocated names the tree that it is made from. */
		if (key->objectid == BTRFS_TREE_RELOC_OBJECTID)
			btrfs_print_objectid(out, key->offset, BTRFS_ROOT_ITEM_KEY);
		else
			fprintf(out, "%llu", key->offset);
		return;
	}
	if (key->offset == (u64)-1)
		fputs("-1", out);
	else
		fprintf(out, "%llu", key->offset);
}

void btrfs_print_key(FILE *out, const struct btrfs_key *key)
{
	fputs("key (", out);
	btrfs_print_objectid(out, key->objectid, key->type);
	putc(' ', out);
	btrfs_print_key_type(out, key->objectid, key->type);
	putc(' ', out);
	print_offset(out, key);
	putc(')', out);
}

/* ---- trees on a command line ---- */

static const struct {
	const char *name;
	u64 objectid;
} tree_args[] = {
	{ "ROOT", BTRFS_ROOT_TREE_OBJECTID },
	{ "EXTENT", BTRFS_EXTENT_TREE_OBJECTID },
	{ "CHUNK", BTRFS_CHUNK_TREE_OBJECTID },
	{ "DEVICE", BTRFS_DEV_TREE_OBJECTID },
	{ "DEV", BTRFS_DEV_TREE_OBJECTID },
	{ "FS", BTRFS_FS_TREE_OBJECTID },
	{ "CHECKSUM", BTRFS_CSUM_TREE_OBJECTID },
	{ "CSUM", BTRFS_CSUM_TREE_OBJECTID },
	{ "QUOTA", BTRFS_QUOTA_TREE_OBJECTID },
	{ "UUID", BTRFS_UUID_TREE_OBJECTID },
	{ "FREE_SPACE", BTRFS_FREE_SPACE_TREE_OBJECTID },
	{ "BLOCK_GROUP", BTRFS_BLOCK_GROUP_TREE_OBJECTID },
	{ "RAID_STRIPE", BTRFS_RAID_STRIPE_TREE_OBJECTID },
	{ "LOG", BTRFS_TREE_LOG_OBJECTID },
	{ "TREE_LOG", BTRFS_TREE_LOG_OBJECTID },
	{ "TREE_LOG_FIXUP", BTRFS_TREE_LOG_FIXUP_OBJECTID },
	{ "TREE_RELOC", BTRFS_TREE_RELOC_OBJECTID },
	{ "DATA_RELOC", BTRFS_DATA_RELOC_TREE_OBJECTID },
};

/* Upper case with '_' for '-', cut off at @size. */
static void normalise(const char *name, char *out, size_t size)
{
	size_t i;

	for (i = 0; name[i] && i < size - 1; i++)
		out[i] = name[i] == '-' ? '_' : (char)toupper((unsigned char)name[i]);
	out[i] = '\0';
}

static bool cut_suffix(char *str, const char *suffix)
{
	size_t len = strlen(str), suffix_len = strlen(suffix);

	if (len <= suffix_len || strcmp(str + len - suffix_len, suffix))
		return false;
	str[len - suffix_len] = '\0';
	return true;
}

static bool find_tree_arg(const char *name, u64 *objectid)
{
	for (size_t i = 0; i < ARRAY_SIZE(tree_args); i++) {
		if (!strcmp(name, tree_args[i].name)) {
			*objectid = tree_args[i].objectid;
			return true;
		}
	}
	return false;
}

int btrfs_parse_tree_id(const char *name, u64 *objectid)
{
	char buf[64];
	char *tree = buf;
	int ret = parse_u64(name, objectid);

	if (ret == 0 || ret == -ERANGE)
		return ret;
	normalise(name, buf, sizeof(buf));
	if (string_has_prefix(tree, "BTRFS_"))
		tree += strlen("BTRFS_");
	cut_suffix(tree, "_OBJECTID");
	if (find_tree_arg(tree, objectid))
		return 0;
	return cut_suffix(tree, "_TREE") && find_tree_arg(tree, objectid) ? 0 : -EINVAL;
}
