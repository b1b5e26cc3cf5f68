// SPDX-License-Identifier: GPL-2.0-only
/*
 * The group "subvolume", and what its commands share (subvolume-common.h).
 */
#include "cmds/subvolume-common.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>
#include <uuid/uuid.h>

#include "common/format-output.h"
#include "common/message.h"
#include "kernel-shared/ctree.h"
#include "kernel-shared/root-tree.h"

static const char *const subvolume_usage[] = {
	"btrfs subvolume <command> [options] <device> [arguments]",
	NULL
};

static const struct cmd *const subvolume_commands[] = {
	&cmd_subvolume_list,
	&cmd_subvolume_show,
	NULL
};

const struct cmd_group subvolume_cmd_group = {
	.usage = subvolume_usage,
	.info = "subvolumes and snapshots",
	.commands = subvolume_commands,
};

/* ---- the table ---- */

static int add_root_item(struct subvol_table *table, const struct extent_buffer *leaf, u32 slot,
			 const struct btrfs_key *key)
{
	struct subvol *subvol = vec_push(&table->subvols);

	if (!subvol)
		return -ENOMEM;
	subvol->id = key->objectid;
	subvol->snapshot_gen = key->offset;
	btrfs_read_root_item(leaf, slot, &subvol->item);
	return 0;
}

/* Its key comes right after that of the root item. */
static int add_root_backref(struct subvol_table *table, const struct extent_buffer *leaf, u32 slot,
			    const struct btrfs_key *key)
{
	const struct btrfs_root_ref *ref = btrfs_item_ptr(leaf, slot, struct btrfs_root_ref);
	size_t len = btrfs_root_ref_name_len(leaf, ref);
	struct subvol *subvol = vec_last(&table->subvols);

	/* Without a root item there is no subvolume, and only the first name counts. */
	if (!subvol || subvol->id != key->objectid || subvol->name)
		return 0;
	if (!eb_holds(leaf, ref, sizeof(*ref) + len))
		return -EUCLEAN;
	subvol->name = strndup((const char *)(ref + 1), len);
	if (!subvol->name)
		return -ENOMEM;
	subvol->parent = key->offset;
	return 0;
}

static int add_item(struct btrfs_root *root, const struct extent_buffer *leaf, u32 slot,
		    const struct btrfs_key *key, void *ctx)
{
	(void)root;
	if (!btrfs_is_fstree(key->objectid))
		return 0;
	if (key->type == BTRFS_ROOT_ITEM_KEY)
		return add_root_item(ctx, leaf, slot, key);
	if (key->type == BTRFS_ROOT_BACKREF_KEY)
		return add_root_backref(ctx, leaf, slot, key);
	return 0;
}

static int index_by_id(struct subvol_table *table)
{
	struct subvol *subvol;
	int ret;

	vec_for_each(&table->subvols, subvol) {
		ret = u64_map_set(&table->by_id, subvol->id, subvol);
		if (ret)
			return ret;
	}
	return 0;
}

int subvol_table_load(struct btrfs_fs_info *fs_info, struct subvol_table *table)
{
	const struct btrfs_key first = { .objectid = BTRFS_FS_TREE_OBJECTID };
	const struct btrfs_key last = {
		.objectid = BTRFS_LAST_FREE_OBJECTID,
		.type = UINT8_MAX,
		.offset = UINT64_MAX,
	};
	int ret;

	vec_init(&table->subvols, sizeof(struct subvol));
	u64_map_init(&table->by_id);
	ret = btrfs_for_each_item(fs_info->tree_root, &first, &last, add_item, table);
	if (!ret)
		ret = index_by_id(table);
	if (ret)
		subvol_error(ret, "read the subvolumes from the root tree");
	return ret;
}

void subvol_table_free(struct subvol_table *table)
{
	struct subvol *subvol;

	vec_for_each(&table->subvols, subvol)
		free(subvol->name);
	vec_free(&table->subvols);
	u64_map_free(&table->by_id);
}

const struct subvol *subvol_find(const struct subvol_table *table, u64 id)
{
	return u64_map_find(&table->by_id, id);
}

void subvol_error(int ret, const char *fmt, ...)
{
	va_list ap;
	char *what;

	if (ret == -EIO)
		return;
	va_start(ap, fmt);
	if (vasprintf(&what, fmt, ap) < 0)
		what = NULL;
	va_end(ap);
	error("cannot %s: %s", what ? what : "go on", errno_text(ret));
	free(what);
}

/* ---- fields in text and JSON ---- */

void subvol_uuid_text(const u8 *uuid, char text[SUBVOL_UUID_LEN])
{
	if (uuid_is_null(uuid))
		strcpy(text, "-");
	else
		uuid_unparse_lower(uuid, text);
}

void subvol_time_text(const struct btrfs_timespec *ts, const char *format,
		      char text[SUBVOL_TIME_LEN])
{
	time_t sec = (time_t)le64toh(ts->sec);
	struct tm tm;

	if (sec == 0 || !localtime_r(&sec, &tm) ||
	    strftime(text, SUBVOL_TIME_LEN, format, &tm) == 0)
		strcpy(text, "-");
}

void subvol_format_uuid(struct format_ctx *ctx, const char *key, const u8 *uuid)
{
	char text[SUBVOL_UUID_LEN];

	if (uuid_is_null(uuid)) {
		format_null(ctx, key);
		return;
	}
	subvol_uuid_text(uuid, text);
	format_string(ctx, key, text);
}

void subvol_format_time(struct format_ctx *ctx, const char *key, const struct btrfs_timespec *ts)
{
	char text[SUBVOL_TIME_LEN];

	subvol_time_text(ts, "%Y-%m-%d %H:%M:%S %z", text);
	if (strcmp(text, "-") == 0)
		format_null(ctx, key);
	else
		format_string(ctx, key, text);
}

int subvol_format_end(struct format_ctx *ctx)
{
	int ret = format_end(ctx, stdout);

	/* What fails in writing is told when stdout is closed. */
	if (ret == -ENOMEM)
		error("cannot write JSON: %s", errno_text(ret));
	return ret ? CMD_FAILED : CMD_OK;
}
