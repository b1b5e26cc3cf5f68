// SPDX-License-Identifier: GPL-2.0-only
/*
 * Items about trees as text: roots, the links between subvolumes, and the
 * uuid tree; and the string item, which belongs nowhere.
 */
#include "kernel-shared/print-item.h"

static const struct print_flag root_flags[] = {
	{ BTRFS_ROOT_SUBVOL_RDONLY, "RDONLY" },
};

/* What newer kernels added; a kernel that did not know it leaves generation_v2 behind. */
static void print_root_item_v2(const struct print_item *item, const struct btrfs_root_item *root)
{
	FILE *out = item->ctx->out;

	print_uuid(out, "\t\tuuid", root->uuid);
	print_uuid(out, "\t\tparent_uuid", root->parent_uuid);
	print_uuid(out, "\t\treceived_uuid", root->received_uuid);
	fprintf(out, "\t\tctransid %llu otransid %llu stransid %llu rtransid %llu\n",
		(u64)le64toh(root->ctransid), (u64)le64toh(root->otransid),
		(u64)le64toh(root->stransid), (u64)le64toh(root->rtransid));
	print_timespec(out, "ctime", &root->ctime);
	print_timespec(out, "otime", &root->otime);
	print_timespec(out, "stime", &root->stime);
	print_timespec(out, "rtime", &root->rtime);
}

void print_root_item(const struct print_item *item)
{
	struct btrfs_root_item root = { 0 };
	FILE *out = item->ctx->out;
	struct btrfs_key drop_progress;

	/* A copy, because old items are short. */
	memcpy(&root, item->data, min_t(size_t, item->size, sizeof(root)));
	fprintf(out,
		"\t\tgeneration %llu root_dirid %llu bytenr %llu byte_limit %llu"
		" bytes_used %llu\n",
		(u64)le64toh(root.generation), (u64)le64toh(root.root_dirid),
		(u64)le64toh(root.bytenr), (u64)le64toh(root.byte_limit),
		(u64)le64toh(root.bytes_used));
	fprintf(out, "\t\tlast_snapshot %llu flags 0x%llx(", (u64)le64toh(root.last_snapshot),
		(u64)le64toh(root.flags));
	print_flag_names(out, le64toh(root.flags), root_flags, ARRAY_SIZE(root_flags), "none");
	fprintf(out, ") refs %u\n", le32toh(root.refs));
	btrfs_disk_key_to_cpu(&drop_progress, &root.drop_progress);
	fputs("\t\tdrop_progress ", out);
	btrfs_print_key(out, &drop_progress);
	fprintf(out, " drop_level %u\n", root.drop_level);
	fprintf(out, "\t\tlevel %u generation_v2 %llu\n", root.level,
		(u64)le64toh(root.generation_v2));
	if (root.generation == root.generation_v2)
		print_root_item_v2(item, &root);
}

void print_root_ref_item(const struct print_item *item)
{
	const struct btrfs_root_ref *ref = item_ptr(item, struct btrfs_root_ref);
	size_t name_len = btrfs_root_ref_name_len(item->eb, ref);
	FILE *out = item->ctx->out;

	fprintf(out, "\t\troot %s key dirid %llu sequence %llu name ",
		item->key.type == BTRFS_ROOT_REF_KEY ? "ref" : "backref",
		btrfs_root_ref_dirid(item->eb, ref), btrfs_root_ref_sequence(item->eb, ref));
	/* Not hidden by --hide-names: readers know it so, and the help says it. */
	print_string(out, ref + 1, min(name_len, item_left(item, ref + 1)));
	putc('\n', out);
}

/* Several subvolumes may carry one uuid. */
void print_uuid_item(const struct print_item *item)
{
	FILE *out = item->ctx->out;

	if (!IS_ALIGNED(item->size, sizeof(u64))) {
		fprintf(out, "btrfs: uuid item with illegal size %u!\n", item->size);
		return;
	}
	for (u32 at = 0; at < item->size; at += sizeof(u64))
		fprintf(out, "\t\tsubvol_id %llu\n", get_unaligned_le64(item->data + at));
}

void print_string_item(const struct print_item *item)
{
	FILE *out = item->ctx->out;

	fputs("\t\titem data ", out);
	print_string(out, item->data, item->size);
	putc('\n', out);
}
