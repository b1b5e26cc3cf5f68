// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tree-checker: inode items, the back references of names, and the items of
 * directories and extended attributes, which share a format.
 *
 * Promises that names are of 1 to 255 bytes and that walking an item by the
 * lengths in it ends exactly where the item ends.
 */
#include <sys/stat.h>

#include "common/hash.h"
#include "kernel-shared/tree-checker-items.h"

/* Flags in the lower half of the word; one that is not known could mean anything. */
#define INODE_FLAGS_KNOWN                                                                        \
	(BTRFS_INODE_NODATASUM | BTRFS_INODE_NODATACOW | BTRFS_INODE_READONLY |                  \
	 BTRFS_INODE_NOCOMPRESS | BTRFS_INODE_PREALLOC | BTRFS_INODE_SYNC |                      \
	 BTRFS_INODE_IMMUTABLE | BTRFS_INODE_APPEND | BTRFS_INODE_NODUMP | BTRFS_INODE_NOATIME | \
	 BTRFS_INODE_DIRSYNC | BTRFS_INODE_COMPRESS | BTRFS_INODE_ROOT_ITEM_INIT)

/* Besides files there are the directory of the tree of roots and the cache of free inodes. */
static bool is_inode_key(u64 objectid, u64 offset)
{
	return offset == 0 &&
	       (is_inode_objectid(objectid) || objectid == BTRFS_ROOT_TREE_DIR_OBJECTID ||
		objectid == BTRFS_FREE_INO_OBJECTID);
}

static bool is_valid_mode(u32 mode)
{
	if (mode & ~(u32)(S_IFMT | 07777))
		return false;
	switch (mode & S_IFMT) {
	case S_IFREG:
	case S_IFDIR:
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
	case S_IFLNK:
		return true;
	default:
		return false;
	}
}

int check_inode_item(const struct leaf_item *item)
{
	const struct btrfs_inode_item *inode = (const struct btrfs_inode_item *)item->data;
	u32 mode, flags;
	int ret;

	if (unlikely(!is_inode_key(item->key.objectid, item->key.offset)))
		return reject_item(item, "not the key of an inode");
	ret = check_exact_size(item, sizeof(*inode));
	if (unlikely(ret))
		return ret;
	if (unlikely(le64toh(inode->generation) > max_generation(item)))
		return reject_item(item, "inode generation %llu is in the future",
				   (u64)le64toh(inode->generation));
	if (unlikely(le64toh(inode->transid) > max_generation(item)))
		return reject_item(item, "inode transid %llu is in the future",
				   (u64)le64toh(inode->transid));
	mode = le32toh(inode->mode);
	if (unlikely(!is_valid_mode(mode)))
		return reject_item(item, "invalid mode 0%o", mode);
	if (unlikely(S_ISDIR(mode) && le32toh(inode->nlink) > 1))
		return reject_item(item, "directory with %u links", le32toh(inode->nlink));
	flags = (u32)le64toh(inode->flags);
	if (unlikely(flags & ~(u32)INODE_FLAGS_KNOWN))
		return reject_item(item, "unknown inode flags 0x%x", flags);
	return 0;
}

static bool is_name_len(size_t len)
{
	return len >= 1 && len <= BTRFS_NAME_LEN;
}

/*
 * Names one behind the other, each with @head_size bytes in front of it whose
 * last two are its length.
 */
static int check_name_list(const struct leaf_item *item, size_t head_size)
{
	const u8 *pos = item->data;
	size_t left = item->size;
	int ret = check_inode_precedes(item);

	if (unlikely(ret))
		return ret;
	if (unlikely(left == 0))
		return reject_item(item, "no name in it");
	while (left) {
		size_t name_len;

		if (unlikely(left < head_size))
			return reject_item(item, "%zu bytes behind the last name", left);
		name_len = get_unaligned_le16(pos + head_size - sizeof(__le16));
		if (unlikely(!is_name_len(name_len) || name_len > left - head_size))
			return reject_item(item, "name of %zu bytes, %zu left in the item",
					   name_len, left - head_size);
		pos += head_size + name_len;
		left -= head_size + name_len;
	}
	return 0;
}

int check_inode_ref(const struct leaf_item *item)
{
	_Static_assert(offsetof(struct btrfs_inode_ref, name_len) + sizeof(__le16) ==
			       sizeof(struct btrfs_inode_ref),
		       "the name follows its length");

	return check_name_list(item, sizeof(struct btrfs_inode_ref));
}

int check_inode_extref(const struct leaf_item *item)
{
	_Static_assert(offsetof(struct btrfs_inode_extref, name_len) + sizeof(__le16) ==
			       sizeof(struct btrfs_inode_extref),
		       "the name follows its length");

	return check_name_list(item, sizeof(struct btrfs_inode_extref));
}

/* What an entry points to: nothing (an attribute), an inode or a subvolume. */
static bool is_valid_location(const struct leaf_item *item, const struct btrfs_key *location)
{
	switch (location->type) {
	case BTRFS_ROOT_ITEM_KEY:
		return item->key.type != BTRFS_XATTR_ITEM_KEY &&
		       btrfs_is_fstree(location->objectid);
	case 0:
	case BTRFS_INODE_ITEM_KEY:
		if (item->key.type == BTRFS_XATTR_ITEM_KEY)
			return location->objectid == 0 && location->type == 0 &&
			       location->offset == 0;
		return is_inode_key(location->objectid, location->offset);
	default:
		return false;
	}
}

static bool is_valid_dir_type(const struct leaf_item *item, u8 type)
{
	u8 ftype = type & (u8)~BTRFS_FT_ENCRYPTED;

	if (item->key.type == BTRFS_XATTR_ITEM_KEY)
		return ftype == BTRFS_FT_XATTR;
	return ftype < BTRFS_FT_MAX && ftype != BTRFS_FT_XATTR;
}

/*
 * btrfs-image can replace names by others, whose hash is then another.  The
 * keys stay, and the superblock says that this is such an image.
 */
static bool names_match_hashes(const struct btrfs_fs_info *fs_info)
{
	return !(le64toh(fs_info->super_copy.flags) &
		 (BTRFS_SUPER_FLAG_METADUMP | BTRFS_SUPER_FLAG_METADUMP_V2));
}

static int check_dir_entry_head(const struct leaf_item *item, const struct btrfs_dir_item *di)
{
	struct btrfs_key location;

	btrfs_disk_key_to_cpu(&location, &di->location);
	if (unlikely(!is_valid_location(item, &location)))
		return reject_item(item, "entry points to " BTRFS_KEY_FMT,
				   BTRFS_KEY_ARGS(&location));
	if (unlikely(!is_valid_dir_type(item, di->type)))
		return reject_item(item, "entry of type %u", di->type);
	return 0;
}

/* Name and value of an entry; @left: bytes of the item behind the entry's struct. */
static int check_dir_entry_body(const struct leaf_item *item, const struct btrfs_dir_item *di,
				size_t left)
{
	size_t name_len = le16toh(di->name_len), data_len = le16toh(di->data_len);

	if (unlikely(!is_name_len(name_len)))
		return reject_item(item, "name of %zu bytes", name_len);
	if (unlikely(data_len && item->key.type != BTRFS_XATTR_ITEM_KEY))
		return reject_item(item, "directory entry with %zu bytes of data", data_len);
	if (unlikely(name_len + data_len > left))
		return reject_item(item, "name and data of %zu bytes, %zu left in the item",
				   name_len + data_len, left);
	if (item->key.type != BTRFS_DIR_INDEX_KEY && names_match_hashes(item->fs_info)) {
		u32 hash = crc32c(~1U, di + 1, name_len);

		if (unlikely(hash != item->key.offset))
			return reject_item(item, "hash of the name is %u", hash);
	}
	return 0;
}

int check_dir_item(const struct leaf_item *item)
{
	const u8 *pos = item->data;
	size_t left = item->size;
	int ret = check_inode_precedes(item);

	if (unlikely(ret))
		return ret;
	if (unlikely(left == 0))
		return reject_item(item, "no entry in it");
	while (left) {
		const struct btrfs_dir_item *di = (const struct btrfs_dir_item *)pos;
		size_t entry_len;

		if (unlikely(left < sizeof(*di)))
			return reject_item(item, "%zu bytes behind the last entry", left);
		ret = check_dir_entry_head(item, di);
		if (unlikely(ret))
			return ret;
		ret = check_dir_entry_body(item, di, left - sizeof(*di));
		if (unlikely(ret))
			return ret;
		entry_len = sizeof(*di) + le16toh(di->name_len) + le16toh(di->data_len);
		pos += entry_len;
		left -= entry_len;
	}
	return 0;
}
