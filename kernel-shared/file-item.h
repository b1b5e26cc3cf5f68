/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * File extent items and the checksums of file data.
 */
#ifndef KERNEL_SHARED_FILE_ITEM_H
#define KERNEL_SHARED_FILE_ITEM_H

#include "kernel-shared/ctree.h"

/*
 * Where the extent item at @slot of @leaf ends in its file, bytes.  An inline
 * extent counts as a whole number of sectors, as its page does in memory.
 */
u64 btrfs_file_extent_end(const struct extent_buffer *leaf, u32 slot);

/*
 * Copy the checksums of @nr sectors from @logical on to @csums (csum_size bytes
 * each); have[i] tells whether sector i has one.  @path is the caller's, kept
 * from call to call, so that neighbouring look-ups cost little.
 * 0 or a negative errno from reading the checksum tree.
 */
int btrfs_lookup_csums(struct btrfs_fs_info *fs_info, struct btrfs_path *path, u64 logical,
		       u32 nr, u8 *csums, bool *have);

#endif
