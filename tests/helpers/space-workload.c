// SPDX-License-Identifier: GPL-2.0-only
/*
 * A random workload for everything that manages space:
 *
 *	space-workload [OPTION...] IMAGE [DEVICE...]
 *
 * rewrites files that exist in the top-level subvolume: data is written,
 * cloned from file to file, punched out and preallocated, in small and large
 * pieces, in many transactions, until the devices are full and beyond.  What the files
 * must contain afterwards goes to a folder, for comparison with what the kernel reads.
 *
 *	--files=INO,COUNT   inode numbers of the files (257,4)
 *	--blocks=N          sectors in each file (4096)
 *	--seed=N --ops=N --commit=N    how much, and how often to commit
 *	--piece=N           sectors in the longest piece (64)
 *	--hot               clone the same few blocks again and again
 *	--clones            do nothing else
 *	--fill              write until nothing fits, punch, and go on
 *	--expect=DIR        write DIR/INO
 *	--chunks=N          allocate N chunks of each type, remove empty groups at the end
 *	--snapshots=N       keep up to N snapshots (sN in the top-level directory), by commits
 *	--verbose           print the state of space whenever nothing fits
 *
 * Prints what was done.  Exit status 1 with a message when something fails
 * other than for want of space.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/message.h"
#include "common/vec.h"
#include "kernel-shared/block-group.h"
#include "kernel-shared/disk-io.h"
#include "kernel-shared/extent-tree.h"
#include "kernel-shared/file-item.h"
#include "kernel-shared/inode-item.h"
#include "kernel-shared/root-tree.h"
#include "kernel-shared/subvolume.h"
#include "kernel-shared/transaction.h"
#include "kernel-shared/volumes-write.h"

struct file {
	u64 ino;
	u64 *blocks;		/* what each sector holds: a seed; 0: zeroes */
};

struct snapshot {
	u64 id, number;
	u64 *blocks;		/* of all files, one after the other */
};

struct workload {
	struct btrfs_fs_info *fs_info;
	struct btrfs_root *root;
	struct btrfs_trans_handle *trans;
	struct file *files;
	u64 first_ino;
	u64 nr_files, nr_blocks, max_piece;
	u64 nr_ops, commit_every, chunks;
	u64 max_snapshots, next_snapshot;
	struct vec snapshots;	/* struct snapshot */
	u64 rng;
	u64 next_seed;
	bool fill, hot, clones, verbose;
	const char *expect;
	u64 nr_enospc, nr_commits, nr_written, nr_cloned, nr_punched;
};

static u64 next_random(struct workload *w)
{
	w->rng ^= w->rng << 13;
	w->rng ^= w->rng >> 7;
	w->rng ^= w->rng << 17;
	return w->rng;
}

static u64 below(struct workload *w, u64 limit)
{
	return next_random(w) % limit;
}

static void fill_block(u8 *block, u32 size, u64 seed)
{
	memset(block, 0, size);
	for (u32 i = 0; seed && i < size; i += 8) {
		seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
		put_unaligned_le64(seed, block + i);
	}
}

static u64 sectors(const struct workload *w, u64 nr)
{
	return nr * w->fs_info->sectorsize;
}

/* ---- one transaction ---- */

/* After a commit every byte of a group is used or free, and memory and disk agree. */
static int check_accounts(const struct workload *w)
{
	struct btrfs_block_group *group = btrfs_lookup_first_block_group(w->fs_info, 0);
	u64 used = 0;

	for (; group; group = btrfs_lookup_first_block_group(w->fs_info, group->start + 1)) {
		used += group->used;
		if (!group->reserved && !group->pinned && group->used == group->disk_used &&
		    (!group->loaded || group->used + group->super_bytes + group->free_space.bytes ==
				       group->length))
			continue;
		error("group %llu: used %llu (%llu on disk) reserved %llu pinned %llu free %llu of "
		      "%llu", group->start, group->used, group->disk_used, group->reserved,
		      group->pinned, group->free_space.bytes, group->length);
		return -EUCLEAN;
	}
	if (used != le64toh(w->fs_info->super_copy.bytes_used)) {
		error("groups use %llu bytes, the superblock says %llu", used,
		      (u64)le64toh(w->fs_info->super_copy.bytes_used));
		return -EUCLEAN;
	}
	return 0;
}

static int commit(struct workload *w)
{
	int ret = btrfs_commit_transaction(w->trans);

	w->trans = NULL;
	w->nr_commits++;
	if (!ret)
		ret = check_accounts(w);
	return ret ? ret : btrfs_start_transaction(w->fs_info, &w->trans);
}

/* The inode's size is that of the whole file from the start. */
static int change_nbytes(struct workload *w, const struct file *file, s64 mod)
{
	struct btrfs_inode_item inode;
	int ret = btrfs_lookup_inode(w->root, file->ino, &inode);

	if (ret)
		return ret;
	inode.size = htole64(sectors(w, w->nr_blocks));
	inode.nbytes = htole64(le64toh(inode.nbytes) + (u64)mod);
	inode.transid = htole64(w->trans->transid);
	return btrfs_update_inode(w->trans, w->root, file->ino, &inode);
}

/* Without the no-holes feature a hole is an extent. */
static int insert_hole(struct workload *w, const struct file *file, u64 start, u64 nr)
{
	const struct btrfs_new_file_extent hole = { .offset = sectors(w, start),
						    .num_bytes = sectors(w, nr),
						    .ram_bytes = sectors(w, nr) };

	if (btrfs_fs_incompat(w->fs_info, BTRFS_FEATURE_INCOMPAT_NO_HOLES))
		return 0;
	return btrfs_insert_file_extent(w->trans, w->root, file->ino, &hole);
}

static int drop(struct workload *w, struct file *file, u64 start, u64 nr)
{
	u64 dropped;
	int ret = btrfs_drop_extents(w->trans, w->root, file->ino, sectors(w, start),
				     sectors(w, start + nr), &dropped);

	memset(file->blocks + start, 0, nr * sizeof(*file->blocks));
	return ret ? ret : change_nbytes(w, file, -(s64)dropped);
}

/* ---- snapshots ---- */

static size_t snapshot_name(const struct snapshot *snapshot, char *name, size_t size)
{
	return (size_t)snprintf(name, size, "s%llu", snapshot->number);
}

static struct btrfs_subvol_place snapshot_place(const struct workload *w, const char *name,
						size_t len)
{
	return (struct btrfs_subvol_place){ .parent = w->root, .dirid = BTRFS_FIRST_FREE_OBJECTID,
					    .name = name, .name_len = len };
}

static int create_snapshot(struct workload *w)
{
	struct snapshot *snapshot = vec_push(&w->snapshots);
	struct btrfs_subvol_place place;
	char name[32];
	int ret = btrfs_reserve_metadata(w->trans, 32);

	if (!snapshot)
		return -ENOMEM;
	snapshot->number = w->next_snapshot++;
	snapshot->blocks = calloc(w->nr_files * w->nr_blocks, sizeof(u64));
	for (u64 i = 0; snapshot->blocks && i < w->nr_files; i++)
		memcpy(snapshot->blocks + i * w->nr_blocks, w->files[i].blocks,
		       w->nr_blocks * sizeof(u64));
	place = snapshot_place(w, name, snapshot_name(snapshot, name, sizeof(name)));
	if (!ret)
		ret = btrfs_create_snapshot(w->trans, w->root, &place, below(w, 2), NULL,
					    &snapshot->id);
	if (ret) {
		free(snapshot->blocks);
		vec_pop(&w->snapshots);
	}
	return ret ? ret : commit(w);
}

/* The entry goes with one commit, the tree with later ones (sometimes left to the kernel). */
static int delete_snapshot(struct workload *w)
{
	size_t i = below(w, w->snapshots.nr);
	struct snapshot *snapshot = vec_at(&w->snapshots, i);
	struct btrfs_subvol_place place;
	char name[32];
	u64 id = snapshot->id;
	int ret = btrfs_reserve_metadata_to_remove(w->trans, 16);

	place = snapshot_place(w, name, snapshot_name(snapshot, name, sizeof(name)));
	if (!ret)
		ret = btrfs_delete_subvol(w->trans, &place, NULL);
	if (!ret)
		ret = btrfs_commit_transaction(w->trans);
	else
		return ret;
	w->trans = NULL;
	free(snapshot->blocks);
	vec_remove(&w->snapshots, i);
	if (!ret && below(w, 4))
		ret = btrfs_drop_snapshot(w->fs_info, id);
	if (!ret)
		ret = check_accounts(w);
	return ret ? ret : btrfs_start_transaction(w->fs_info, &w->trans);
}

static int change_snapshots(struct workload *w)
{
	if (w->snapshots.nr && below(w, w->max_snapshots) < w->snapshots.nr)
		return delete_snapshot(w);
	return create_snapshot(w);
}

/* ---- operations; @start and @nr in sectors ---- */

static int write_data(struct workload *w, struct file *file, u64 start, u64 nr, u64 bytenr)
{
	u32 sectorsize = w->fs_info->sectorsize, csum_size = w->fs_info->csum_size;
	u8 *data = malloc(sectors(w, nr)), *csums = malloc(nr * csum_size);
	int ret = data && csums ? 0 : -ENOMEM;

	for (u64 i = 0; i < nr && !ret; i++) {
		u64 seed = w->next_seed++;

		file->blocks[start + i] = seed;
		fill_block(data + i * sectorsize, sectorsize, seed);
		btrfs_csum_data(w->fs_info->csum_type, data + i * sectorsize, sectorsize,
				csums + i * csum_size);
	}
	if (!ret)
		ret = btrfs_write_logical(w->fs_info, bytenr, sectors(w, nr), data);
	if (!ret)
		ret = btrfs_insert_csums(w->trans, w->fs_info->csum_root, bytenr, sectors(w, nr),
					 csums);
	free(data);
	free(csums);
	return ret;
}

/* A new extent, as long as can be had, instead of what is there. */
static int write_extent(struct workload *w, struct file *file, u64 start, u64 nr, bool prealloc,
			u64 *done)
{
	struct btrfs_new_file_extent extent = { .prealloc = prealloc };
	u64 bytenr, len;
	int ret = btrfs_reserve_extent(w->trans, sectors(w, nr), w->fs_info->sectorsize, 0,
				       &bytenr, &len);

	if (ret)
		return ret;
	*done = len / w->fs_info->sectorsize;
	ret = drop(w, file, start, *done);
	extent.offset = sectors(w, start);
	extent.disk_bytenr = bytenr;
	extent.num_bytes = extent.disk_num_bytes = extent.ram_bytes = len;
	if (!ret && !prealloc)
		ret = write_data(w, file, start, *done, bytenr);
	if (!ret)
		ret = btrfs_insert_file_extent(w->trans, w->root, file->ino, &extent);
	if (!ret)
		ret = btrfs_alloc_reserved_file_extent(w->trans, w->root, file->ino, extent.offset,
						       bytenr, len);
	if (!ret)
		ret = change_nbytes(w, file, (s64)len);
	return ret;
}

static int op_write(struct workload *w, struct file *file, u64 start, u64 nr, bool prealloc)
{
	u64 done = 0;
	int ret = 0;

	for (; nr && !ret; start += done, nr -= done) {
		ret = btrfs_reserve_metadata(w->trans, 16);
		if (!ret)
			ret = write_extent(w, file, start, nr, prealloc, &done);
		if (!ret)
			w->nr_written += done;
	}
	return ret;
}

static int op_punch(struct workload *w, struct file *file, u64 start, u64 nr)
{
	int ret = btrfs_reserve_metadata_to_remove(w->trans, 8);

	if (!ret)
		ret = drop(w, file, start, nr);
	if (!ret)
		ret = insert_hole(w, file, start, nr);
	w->nr_punched += nr;
	return ret;
}

/* A piece of a file: what refers to one extent. */
struct piece {
	u64 offset, num_bytes;			/* in the source */
	u64 disk_bytenr, disk_num_bytes;	/* 0: a hole */
	u64 extent_offset;
	u64 ram_bytes;
	bool prealloc;
};

static int collect_pieces(struct workload *w, const struct file *file, u64 start, u64 end,
			  struct vec *pieces)
{
	const struct btrfs_key first = { file->ino, BTRFS_EXTENT_DATA_KEY, start };
	struct btrfs_path path = { .reada = READA_NONE };
	struct btrfs_key key;
	int ret = btrfs_search_slot_for_read(w->root, &first, &path, true);

	for (; ret == 0; ret = btrfs_next_item(w->root, &path)) {
		const struct extent_buffer *leaf = path.nodes[0];
		const struct btrfs_file_extent_item *fi =
			btrfs_item_ptr(leaf, path.slots[0], struct btrfs_file_extent_item);
		struct piece piece;
		u64 from, to;

		btrfs_item_key_to_cpu(leaf, &key, path.slots[0]);
		if (key.objectid < file->ino || key.type < BTRFS_EXTENT_DATA_KEY)
			continue;
		if (key.objectid > file->ino || key.type > BTRFS_EXTENT_DATA_KEY ||
		    key.offset >= end)
			break;
		from = max(key.offset, start);
		to = min(btrfs_file_extent_end(leaf, path.slots[0]), end);
		if (from >= to)
			continue;
		piece = (struct piece){
			.offset = from, .num_bytes = to - from,
			.disk_bytenr = btrfs_file_extent_disk_bytenr(leaf, fi),
			.disk_num_bytes = btrfs_file_extent_disk_num_bytes(leaf, fi),
			.extent_offset = btrfs_file_extent_offset(leaf, fi) + from - key.offset,
			.ram_bytes = btrfs_file_extent_ram_bytes(leaf, fi),
			.prealloc = btrfs_file_extent_type(leaf, fi) == BTRFS_FILE_EXTENT_PREALLOC,
		};
		if (vec_push_copy(pieces, &piece)) {
			ret = -ENOMEM;
			break;
		}
	}
	btrfs_release_path(&path);
	return ret < 0 ? ret : 0;
}

static int insert_piece(struct workload *w, struct file *dst, const struct piece *piece, u64 offset)
{
	const struct btrfs_new_file_extent extent = {
		.offset = offset, .num_bytes = piece->num_bytes,
		.disk_bytenr = piece->disk_bytenr, .disk_num_bytes = piece->disk_num_bytes,
		.extent_offset = piece->extent_offset, .ram_bytes = piece->ram_bytes,
		.prealloc = piece->prealloc,
	};
	struct btrfs_ref ref;
	int ret = btrfs_insert_file_extent(w->trans, w->root, dst->ino, &extent);

	if (ret || !piece->disk_bytenr)
		return ret;
	btrfs_init_data_ref(&ref, piece->disk_bytenr, piece->disk_num_bytes, 0,
			    btrfs_root_id(w->root), dst->ino, offset - piece->extent_offset);
	ret = btrfs_inc_extent_ref(w->trans, &ref);
	return ret ? ret : change_nbytes(w, dst, (s64)piece->num_bytes);
}

static int op_clone(struct workload *w, struct file *src, u64 from, struct file *dst, u64 to,
		    u64 nr)
{
	struct vec pieces = VEC_INIT(struct piece);
	const struct piece *piece;
	int ret;

	if (src == dst && from < to + nr && to < from + nr)
		return 0;
	ret = collect_pieces(w, src, sectors(w, from), sectors(w, from + nr), &pieces);
	if (!ret)
		ret = btrfs_reserve_metadata(w->trans, 8 + 4 * (unsigned int)pieces.nr);
	if (!ret)
		ret = drop(w, dst, to, nr);
	vec_for_each(&pieces, piece)
		if (!ret)
			ret = insert_piece(w, dst, piece,
					   sectors(w, to) + piece->offset - sectors(w, from));
	if (!ret)
		memcpy(dst->blocks + to, src->blocks + from, nr * sizeof(*dst->blocks));
	vec_free(&pieces);
	w->nr_cloned += nr;
	return ret;
}

/* ---- the workload ---- */

static int random_op(struct workload *w)
{
	/* With @hot the first file is left as it is, but for the end of it all. */
	u64 first = w->hot && w->nr_files > 1 ? 1 : 0;
	struct file *file = &w->files[first + below(w, w->nr_files - first)];
	struct file *other = &w->files[first + below(w, w->nr_files - first)];
	u64 nr = 1 + below(w, below(w, 4) ? min(w->max_piece, 8ULL) : w->max_piece);
	u64 start, other_start;

	nr = min(nr, w->nr_blocks);
	start = below(w, w->nr_blocks - nr + 1);
	other_start = below(w, w->nr_blocks - nr + 1);
	/* Many references to a few extents. */
	if (w->clones || (w->hot && below(w, 2)))
		return op_clone(w, &w->files[0], below(w, 7), other, other_start, min(nr, 2ULL));
	switch (below(w, w->fill ? 4 : 8)) {
	case 4:
		return op_punch(w, file, start, nr);
	case 5:
	case 6:
		return op_clone(w, file, start, other, other_start, nr);
	case 7:
		return op_write(w, file, start, nr, true);
	default:
		return op_write(w, file, start, nr, false);
	}
}

static void print_spaces(const struct workload *w, const char *when)
{
	const u64 types[] = { BTRFS_BLOCK_GROUP_DATA, BTRFS_BLOCK_GROUP_METADATA,
			      BTRFS_BLOCK_GROUP_SYSTEM };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		const struct btrfs_space_info *space = btrfs_find_space_info(w->fs_info, types[i]);

		if (w->verbose && space)
			printf("%s: flags 0x%llx total %llu used %llu reserved %llu pinned %llu "
			       "readonly %llu\n", when, space->flags, space->total, space->used,
			       space->reserved, space->pinned, space->readonly);
	}
}

/* Punch out half of @file, in steps that can each be reserved for. */
static int punch_half(struct workload *w, struct file *file)
{
	u64 start = below(w, w->nr_blocks / 2 + 1), end = start + w->nr_blocks / 2;
	const u64 step = 512;
	int ret = 0;

	for (; start < end && !ret; start += step) {
		ret = op_punch(w, file, start, min(step, end - start));
		if (ret != -ENOSPC || btrfs_trans_aborted(w->trans))
			continue;
		ret = commit(w);
		if (!ret)
			ret = op_punch(w, file, start, min(step, end - start));
	}
	return ret;
}

/* After a commit there may be room again; when there is not, some is made. */
static int make_room(struct workload *w)
{
	int ret;

	print_spaces(w, "full");
	ret = commit(w);
	w->nr_enospc++;
	for (u64 i = w->hot ? 1 : 0; i < w->nr_files && !ret; i++)
		ret = punch_half(w, &w->files[i]);
	return ret ? ret : commit(w);
}

/* Nothing is left of what they had; holes are holes from the first write on. */
static int begin_files(struct workload *w)
{
	int ret = 0;

	for (u64 i = 0; i < w->nr_files && !ret; i++) {
		ret = drop(w, &w->files[i], 0, w->nr_blocks);
		if (!ret)
			ret = insert_hole(w, &w->files[i], 0, w->nr_blocks);
	}
	if (!ret && w->hot)
		ret = op_write(w, &w->files[0], 0, 8, false);
	return ret;
}

static int allocate_chunks(struct workload *w)
{
	const u64 types[] = { BTRFS_BLOCK_GROUP_DATA, BTRFS_BLOCK_GROUP_METADATA,
			      BTRFS_BLOCK_GROUP_SYSTEM };
	int ret = 0;

	for (u64 i = 0; i < w->chunks * ARRAY_SIZE(types) && !ret; i++) {
		ret = btrfs_chunk_alloc(w->trans, types[i % ARRAY_SIZE(types)], NULL);
		if (ret == -ENOSPC)
			ret = 0;
	}
	return ret;
}

static int run(struct workload *w)
{
	int ret = btrfs_start_transaction(w->fs_info, &w->trans);
	unsigned int removed = 0;

	if (!ret)
		ret = begin_files(w);
	if (!ret)
		ret = allocate_chunks(w);
	for (u64 i = 0; i < w->nr_ops && !ret; i++) {
		ret = random_op(w);
		if (ret == -ENOSPC && !btrfs_trans_aborted(w->trans))
			ret = make_room(w);
		if (!ret)
			ret = btrfs_btree_balance_dirty(w->trans);
		if (!ret && w->commit_every && i % w->commit_every == w->commit_every - 1)
			ret = commit(w);
		if (!ret && w->max_snapshots && !below(w, w->commit_every ? w->commit_every : 100))
			ret = change_snapshots(w);
	}
	if (!ret && w->chunks) {
		ret = commit(w);
		if (!ret)
			ret = btrfs_delete_unused_bgs(w->trans, &removed);
	}
	if (!ret) {
		ret = btrfs_commit_transaction(w->trans);
		w->trans = NULL;
		if (!ret)
			ret = check_accounts(w);
	}
	if (w->trans)
		btrfs_end_transaction(w->trans);
	printf("written %llu cloned %llu punched %llu commits %llu full %llu removed %u\n",
	       w->nr_written, w->nr_cloned, w->nr_punched, w->nr_commits, w->nr_enospc, removed);
	return ret;
}

static int write_expected_file(const struct workload *w, const char *folder, u64 ino,
			       const u64 *blocks)
{
	u8 *block = malloc(w->fs_info->sectorsize);
	char path[4096];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%llu", folder, ino);
	out = fopen(path, "w");
	for (u64 b = 0; out && block && b < w->nr_blocks; b++) {
		fill_block(block, w->fs_info->sectorsize, blocks[b]);
		if (blocks[b])
			fwrite(block, w->fs_info->sectorsize, 1, out);
		else
			fseek(out, w->fs_info->sectorsize, SEEK_CUR);
	}
	free(block);
	if (!out || ftruncate(fileno(out), (off_t)sectors(w, w->nr_blocks)) || fclose(out))
		return -EIO;
	return 0;
}

static int write_expected(const struct workload *w)
{
	const struct snapshot *snapshot;
	char folder[2048];
	int ret = 0;

	for (u64 i = 0; i < w->nr_files && !ret; i++)
		ret = write_expected_file(w, w->expect, w->files[i].ino, w->files[i].blocks);
	vec_for_each(&w->snapshots, snapshot) {
		snprintf(folder, sizeof(folder), "%s/s%llu", w->expect, snapshot->number);
		mkdir(folder, 0777);
		for (u64 i = 0; i < w->nr_files && !ret; i++)
			ret = write_expected_file(w, folder, w->files[i].ino,
						  snapshot->blocks + i * w->nr_blocks);
	}
	return ret;
}

static int parse_options(int argc, char **argv, struct workload *w)
{
	static const struct option options[] = {
		{ "files", required_argument, NULL, 'f' },
		{ "blocks", required_argument, NULL, 'b' },
		{ "seed", required_argument, NULL, 's' },
		{ "ops", required_argument, NULL, 'o' },
		{ "commit", required_argument, NULL, 'c' },
		{ "piece", required_argument, NULL, 'p' },
		{ "snapshots", required_argument, NULL, 'S' },
		{ "chunks", required_argument, NULL, 'k' },
		{ "expect", required_argument, NULL, 'e' },
		{ "fill", no_argument, NULL, 'F' },
		{ "clones", no_argument, NULL, 'C' },
		{ "hot", no_argument, NULL, 'h' },
		{ "verbose", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		u64 value = optarg ? strtoull(optarg, NULL, 10) : 0;

		switch (c) {
		case 'f':
			if (sscanf(optarg, "%llu,%llu", &w->first_ino, &w->nr_files) != 2)
				return -EINVAL;
			break;
		case 'b': w->nr_blocks = value; break;
		case 's': w->rng = value * 0x9e3779b97f4a7c15ULL | 1; break;
		case 'o': w->nr_ops = value; break;
		case 'c': w->commit_every = value; break;
		case 'p': w->max_piece = value; break;
		case 'S': w->max_snapshots = value; break;
		case 'k': w->chunks = value; break;
		case 'e': w->expect = optarg; break;
		case 'F': w->fill = true; break;
		case 'C': w->clones = w->hot = true; break;
		case 'h': w->hot = true; break;
		case 'v': w->verbose = true; break;
		default: return -EINVAL;
		}
	}
	return optind < argc && w->nr_files && w->nr_blocks && w->max_piece ? 0 : -EINVAL;
}

static int open_fs(int argc, char **argv, struct workload *w)
{
	const struct btrfs_open_args args = {
		.writable = true, .no_scan = true,
		.devices = (const char *const *)argv + optind + 1,
		.nr_devices = (unsigned int)(argc - optind - 1),
	};
	int ret = btrfs_open_fs(argv[optind], &args, &w->fs_info);

	if (ret)
		return ret;
	w->files = calloc(w->nr_files, sizeof(*w->files));
	for (u64 i = 0; w->files && i < w->nr_files; i++) {
		w->files[i].ino = w->first_ino + i;
		w->files[i].blocks = calloc(w->nr_blocks, sizeof(u64));
		if (!w->files[i].blocks)
			return -ENOMEM;
	}
	return w->files ? btrfs_get_fs_root(w->fs_info, BTRFS_FS_TREE_OBJECTID, &w->root) : -ENOMEM;
}

int main(int argc, char **argv)
{
	struct workload w = { .first_ino = 257, .nr_files = 4, .nr_blocks = 4096, .nr_ops = 1000,
			      .commit_every = 100, .max_piece = 64, .rng = 88172645463325252ULL,
			      .next_seed = 1 };
	struct snapshot *snapshot;
	int ret = parse_options(argc, argv, &w);

	vec_init(&w.snapshots, sizeof(struct snapshot));
	if (ret) {
		fputs("usage: space-workload [OPTION...] IMAGE [DEVICE...]\n", stderr);
		return 2;
	}
	ret = open_fs(argc, argv, &w);
	if (!ret)
		ret = run(&w);
	if (!ret && w.expect)
		ret = write_expected(&w);
	if (ret)
		error("workload: %s", errno_text(ret));
	for (u64 i = 0; w.files && i < w.nr_files; i++)
		free(w.files[i].blocks);
	free(w.files);
	vec_for_each(&w.snapshots, snapshot)
		free(snapshot->blocks);
	vec_free(&w.snapshots);
	if (w.fs_info)
		btrfs_close_fs(w.fs_info);
	return ret ? 1 : 0;
}
