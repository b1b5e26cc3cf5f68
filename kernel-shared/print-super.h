/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A superblock as text, in the words and the order that the field's tools use,
 * and as JSON.
 *
 * Nothing is expected of the superblock: damaged ones are what people look at
 * most closely.  What its system chunk array cannot mean is told on stderr.
 */
#ifndef KERNEL_SHARED_PRINT_SUPER_H
#define KERNEL_SHARED_PRINT_SUPER_H

#include <stdio.h>

#include "common/format-output.h"
#include "kernel-shared/ondisk.h"

/* @full: also the system chunk array and the backup roots. */
void btrfs_print_superblock(FILE *out, const struct btrfs_super_block *sb, bool full);

/* All fields, into the object that is open. */
void btrfs_format_superblock(struct format_ctx *ctx, const struct btrfs_super_block *sb);

/*
 * Step through the system chunk array: begin with @at = 0.  1: *@key and *@chunk
 * are the entry at @at, and *@next is where the one behind it starts.  0: the
 * end.  -EUCLEAN: from here on it makes no sense (said); @key is NULL unless
 * that much could be read.
 */
int btrfs_next_sys_chunk(const struct btrfs_super_block *sb, u32 at, u32 *next,
			 const struct btrfs_disk_key **key, const struct btrfs_chunk **chunk);

/* Call @fn with the name of each bit set in @bits, in order; returns bits without a name. */
u64 btrfs_for_each_bit_name(u64 bits, const char *(*name_of)(u64 bit),
			    void (*fn)(const char *name, void *ctx), void *ctx);

/* The fsid that tree blocks and the device item carry. */
const u8 *btrfs_super_tree_fsid(const struct btrfs_super_block *sb);

/* As mkfs names the checksum type ("blake2", not "blake2b"); NULL when it is not known. */
const char *btrfs_super_csum_name(const struct btrfs_super_block *sb);

/* Bytes of sb->csum that mean something; all of them when the type is not known. */
u16 btrfs_super_shown_csum_size(const struct btrfs_super_block *sb);

#endif
