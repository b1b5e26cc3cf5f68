// SPDX-License-Identifier: GPL-2.0-only
/* Undo files for devices of a btrfs; see the header. */
#include "kernel-shared/undo.h"

#include <errno.h>
#include <stdio.h>
#include <uuid/uuid.h>

#include "kernel-shared/super.h"

bool btrfs_undo_read_super(struct blockdev *dev, struct btrfs_super_block *sb)
{
	for (int i = 0; i < BTRFS_SUPER_MIRROR_MAX; i++) {
		u64 bytenr = btrfs_sb_offset(i);

		if (!blockdev_pread(dev, sb, sizeof(*sb), bytenr) && !btrfs_check_super(sb, bytenr))
			return true;
	}
	return false;
}

void btrfs_undo_id(const struct btrfs_super_block *sb, char id[BTRFS_UNDO_ID_LEN])
{
	char uuid[UUID_STR_LEN];

	id[0] = '\0';
	if (!sb)
		return;
	uuid_unparse_lower(sb->dev_item.uuid, uuid);
	snprintf(id, BTRFS_UNDO_ID_LEN, "btrfs device %s", uuid);
}

/* One that cannot be read cannot be compared later, either. */
static int save_supers(struct blockdev *dev)
{
	int ret = 0;

	for (int i = 0; !ret && i < BTRFS_SUPER_MIRROR_MAX; i++) {
		ret = blockdev_undo_save(dev, btrfs_sb_offset(i), BTRFS_SUPER_INFO_SIZE);
		if (ret == -EIO)
			ret = 0;
	}
	return ret;
}

int btrfs_open_undo(struct blockdev *lower, struct undo_writer *writer, struct blockdev **ret_dev)
{
	struct btrfs_super_block sb;
	char id[BTRFS_UNDO_ID_LEN];
	struct blockdev *dev;
	int ret;

	btrfs_undo_id(btrfs_undo_read_super(lower, &sb) ? &sb : NULL, id);
	ret = blockdev_open_undo(lower, writer, id, &dev);
	if (ret) {
		blockdev_close(lower);
		return ret;
	}
	ret = save_supers(dev);
	if (ret)
		blockdev_close(dev);
	else
		*ret_dev = dev;
	return ret;
}
