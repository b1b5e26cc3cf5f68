// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tree-checker: the tree of roots.
 *
 * A root item is either whole or ends where the first kernels let it end;
 * whoever reads past generation_v2 has to look at the item's size.
 */
#include "kernel-shared/tree-checker-items.h"

/* Relocation trees have the id of the subvolume they stand for as offset. */
static bool is_root_key(const struct btrfs_key *key)
{
	if (key->objectid == BTRFS_TREE_RELOC_OBJECTID)
		return btrfs_is_fstree(key->offset);
	return key->objectid != 0;
}

static int check_root_generations(const struct leaf_item *item, const struct btrfs_root_item *root)
{
	u64 max = max_generation(item);

	if (unlikely(le64toh(root->generation) > max))
		return reject_item(item, "root generation %llu is in the future",
				   (u64)le64toh(root->generation));
	if (unlikely(le64toh(root->last_snapshot) > max))
		return reject_item(item, "last snapshot %llu is in the future",
				   (u64)le64toh(root->last_snapshot));
	if (item->size > BTRFS_LEGACY_ROOT_ITEM_SIZE &&
	    unlikely(le64toh(root->generation_v2) > max))
		return reject_item(item, "second root generation %llu is in the future",
				   (u64)le64toh(root->generation_v2));
	return 0;
}

int check_root_item(const struct leaf_item *item)
{
	const struct btrfs_root_item *root = (const struct btrfs_root_item *)item->data;
	int ret;

	if (unlikely(!is_root_key(&item->key)))
		return reject_item(item, "not the key of a root");
	if (unlikely(item->size != sizeof(*root) && item->size != BTRFS_LEGACY_ROOT_ITEM_SIZE))
		return reject_item(item, "item size %u instead of %zu or %zu", item->size,
				   sizeof(*root), BTRFS_LEGACY_ROOT_ITEM_SIZE);
	ret = check_root_generations(item, root);
	if (unlikely(ret))
		return ret;
	if (unlikely(!is_sector_aligned(item, le64toh(root->bytenr))))
		return reject_item(item, "root at %llu is not aligned", (u64)le64toh(root->bytenr));
	if (unlikely(root->level >= BTRFS_MAX_LEVEL || root->drop_level >= BTRFS_MAX_LEVEL))
		return reject_item(item, "root of level %u, dropped down to %u", root->level,
				   root->drop_level);
	if (unlikely(le64toh(root->flags) & ~(BTRFS_ROOT_SUBVOL_RDONLY | BTRFS_ROOT_SUBVOL_DEAD)))
		return reject_item(item, "root flags 0x%llx", (u64)le64toh(root->flags));
	return 0;
}

int check_root_ref(const struct leaf_item *item)
{
	const struct btrfs_root_ref *ref = (const struct btrfs_root_ref *)item->data;
	size_t name_len;
	int ret = check_min_size(item, sizeof(*ref));

	if (unlikely(ret))
		return ret;
	name_len = le16toh(ref->name_len);
	if (unlikely(name_len == 0 || name_len > BTRFS_NAME_LEN ||
		     name_len > item->size - sizeof(*ref)))
		return reject_item(item, "name of %zu bytes, %zu left in the item", name_len,
				   item->size - sizeof(*ref));
	return 0;
}
