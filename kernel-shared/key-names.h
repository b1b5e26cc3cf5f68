/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Keys as people read them: (FS_TREE ROOT_ITEM 0) instead of (5 132 0).
 *
 * The names and the odd cases (what an object id means depends on the key's
 * type) are those that the existing tools print, since scripts match them.
 */
#ifndef KERNEL_SHARED_KEY_NAMES_H
#define KERNEL_SHARED_KEY_NAMES_H

#include <stdio.h>

#include "kernel-shared/accessors.h"

/* Checksums of one file, as they were kept before the first release; only the name is left. */
#define BTRFS_OLD_CSUM_ITEM_KEY 120

/* Write @objectid as it stands in a key of type @type; 0 where there is no key around it. */
void btrfs_print_objectid(FILE *out, u64 objectid, u8 type);

/* "INODE_ITEM", "UNKNOWN.77".  The type 0 has a name only together with its object id. */
void btrfs_print_key_type(FILE *out, u64 objectid, u8 type);

/* "key (OBJECTID TYPE OFFSET)". */
void btrfs_print_key(FILE *out, const struct btrfs_key *key);

/*
 * What the name of a tree on a command line stands for: a number, or a name as
 * "fs", "FS_TREE" or "BTRFS_FS_TREE_OBJECTID", in either case, with '-' for '_'
 * where one likes.  -EINVAL: neither.  -ERANGE: a number that is too large.
 */
int btrfs_parse_tree_id(const char *name, u64 *objectid);

#endif
