// SPDX-License-Identifier: GPL-2.0-only
/* Items of the quota tree as text. */
#include "kernel-shared/print-item.h"

/* Off is a state with a name of its own; the other bits follow it. */
void print_qgroup_status_item(const struct print_item *item)
{
	const struct btrfs_qgroup_status_item *status =
		item_ptr(item, struct btrfs_qgroup_status_item);
	u64 flags = btrfs_qgroup_status_flags(item->eb, status);

	fprintf(item->ctx->out, "\t\tversion %llu generation %llu flags %s%s%s scan %llu",
		btrfs_qgroup_status_version(item->eb, status),
		btrfs_qgroup_status_generation(item->eb, status),
		flags & BTRFS_QGROUP_STATUS_FLAG_ON ? "ON" : "OFF",
		flags & BTRFS_QGROUP_STATUS_FLAG_RESCAN ? "|SCANNING" : "",
		flags & BTRFS_QGROUP_STATUS_FLAG_INCONSISTENT ? "|INCONSISTENT" : "",
		btrfs_qgroup_status_rescan(item->eb, status));
	if (btrfs_fs_incompat(item->eb->fs_info, BTRFS_FEATURE_INCOMPAT_SIMPLE_QUOTA) &&
	    item->size >= sizeof(*status))
		fprintf(item->ctx->out, " enable_gen %llu",
			btrfs_qgroup_status_enable_gen(item->eb, status));
	putc('\n', item->ctx->out);
}

void print_qgroup_info_item(const struct print_item *item)
{
	const struct btrfs_qgroup_info_item *info = item_ptr(item, struct btrfs_qgroup_info_item);

	fprintf(item->ctx->out, "\t\tgeneration %llu\n",
		btrfs_qgroup_info_generation(item->eb, info));
	fprintf(item->ctx->out, "\t\treferenced %llu referenced_compressed %llu\n",
		btrfs_qgroup_info_rfer(item->eb, info),
		btrfs_qgroup_info_rfer_cmpr(item->eb, info));
	fprintf(item->ctx->out, "\t\texclusive %llu exclusive_compressed %llu\n",
		btrfs_qgroup_info_excl(item->eb, info),
		btrfs_qgroup_info_excl_cmpr(item->eb, info));
}

/* No limit is kept as all ones, and shown as -1. */
void print_qgroup_limit_item(const struct print_item *item)
{
	const struct btrfs_qgroup_limit_item *limit =
		item_ptr(item, struct btrfs_qgroup_limit_item);

	fprintf(item->ctx->out, "\t\tflags %llx\n", btrfs_qgroup_limit_flags(item->eb, limit));
	fprintf(item->ctx->out, "\t\tmax_referenced %lld max_exclusive %lld\n",
		(s64)btrfs_qgroup_limit_max_rfer(item->eb, limit),
		(s64)btrfs_qgroup_limit_max_excl(item->eb, limit));
	fprintf(item->ctx->out, "\t\trsv_referenced %lld rsv_exclusive %lld\n",
		(s64)btrfs_qgroup_limit_rsv_rfer(item->eb, limit),
		(s64)btrfs_qgroup_limit_rsv_excl(item->eb, limit));
}
