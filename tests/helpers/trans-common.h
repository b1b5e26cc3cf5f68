/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of trans-workload.c share: the state of a run, random choices,
 * transactions, and inode items as the model has them.
 */
#ifndef TESTS_HELPERS_TRANS_COMMON_H
#define TESTS_HELPERS_TRANS_COMMON_H

#include "common/message.h"
#include "kernel-shared/block-group.h"
#include "kernel-shared/inode-item.h"
#include "kernel-shared/root-tree.h"
#include "kernel-shared/transaction.h"
#include "tests/helpers/trans-model.h"

#define ROOT_INO		BTRFS_FIRST_FREE_OBJECTID
#define MAX_FILE_BYTES		(512U * 1024)
#define MAX_INLINE_BYTES	2000U
#define MAX_SUBVOLS		12U
#define RESERVE_ITEMS		64U

struct workload {
	struct btrfs_fs_info *fs_info;
	struct btrfs_trans_handle *trans;
	struct model model;
	u64 rng;
	u64 next_name;
	u64 nr_skipped;
	bool stop_commits;
	/* options */
	const char *image;
	const char *const *devices;
	unsigned int nr_devices;
	u64 nr_batches, nr_ops, commit_every, nr_files;
	const char *manifest;
	const char *hook;
	bool abort, degraded;
};

static inline u64 next_random(struct workload *w)
{
	w->rng ^= w->rng << 13;
	w->rng ^= w->rng >> 7;
	w->rng ^= w->rng << 17;
	return w->rng;
}

static inline u64 below(struct workload *w, u64 limit)
{
	return limit ? next_random(w) % limit : 0;
}

static inline void fill_random(struct workload *w, u8 *buf, u64 len)
{
	for (u64 i = 0; i < len; i += 8) {
		u64 word = next_random(w);

		memcpy(buf + i, &word, min_t(u64, 8, len - i));
	}
}

static inline void make_name(struct workload *w, const char *what, char *name, size_t size)
{
	/* Names of different lengths, so that leaves fill unevenly. */
	snprintf(name, size, "%s%llu%.*s", what, w->next_name++, (int)below(w, 30),
		 "-----------------------------");
}

/* ---- transactions ---- */

static inline int commit(struct workload *w)
{
	struct btrfs_trans_handle *trans = w->trans;

	w->trans = NULL;
	return trans ? btrfs_commit_transaction(trans) : 0;
}

/* Space for one operation.  -ENOSPC: there is none; the operation is left out. */
static inline int begin(struct workload *w)
{
	int ret = 0;

	if (!w->trans)
		ret = btrfs_start_transaction(w->fs_info, &w->trans);
	if (!ret)
		ret = btrfs_btree_balance_dirty(w->trans);
	if (!ret)
		ret = btrfs_reserve_metadata(w->trans, RESERVE_ITEMS);
	if (ret != -ENOSPC || w->stop_commits)
		return ret;
	ret = commit(w);
	if (!ret)
		ret = btrfs_start_transaction(w->fs_info, &w->trans);
	return ret ? ret : btrfs_reserve_metadata(w->trans, RESERVE_ITEMS);
}

static inline int get_root(struct workload *w, const struct m_subvol *subvol, struct btrfs_root **root)
{
	return btrfs_get_fs_root(w->fs_info, subvol->id, root);
}

/* ---- choosing ---- */

static inline struct m_subvol *pick_subvol(struct workload *w, bool writable)
{
	for (int tries = 0; tries < 20; tries++) {
		struct m_subvol *subvol = *(struct m_subvol **)
			vec_at(&w->model.subvols, below(w, w->model.subvols.nr));

		if (!subvol->gone && !(writable && subvol->readonly) &&
		    !(w->trans && subvol->born == w->trans->transid))
			return subvol;
	}
	return *(struct m_subvol **)vec_at(&w->model.subvols, 0);
}

static inline struct m_inode *pick_inode(struct workload *w, const struct m_subvol *subvol, u32 type)
{
	for (int tries = 0; tries < 20; tries++) {
		struct m_inode *inode = *(struct m_inode **)
			vec_at(&subvol->inodes, below(w, subvol->inodes.nr));

		if (inode->mode && (!type || (inode->mode & S_IFMT) == type))
			return inode;
	}
	return NULL;
}

static inline struct m_inode *pick_dir(struct workload *w, const struct m_subvol *subvol)
{
	struct m_inode *dir = pick_inode(w, subvol, S_IFDIR);

	return dir ? dir : m_find_inode(subvol, ROOT_INO);
}

/* The place in names of an entry that leads to an inode; the number of names: none. */
static inline size_t pick_name(struct workload *w, const struct m_subvol *subvol)
{
	for (int tries = 0; tries < 20 && subvol->names.nr; tries++) {
		size_t i = below(w, subvol->names.nr);
		const struct m_name *name = vec_at(&subvol->names, i);

		if (!name->gone && name->inode)
			return i;
	}
	return subvol->names.nr;
}

static inline u64 round_sector(const struct workload *w, u64 bytes)
{
	return round_up(bytes, w->fs_info->sectorsize);
}

static inline bool has_no_holes(const struct workload *w)
{
	return btrfs_fs_incompat(w->fs_info, BTRFS_FEATURE_INCOMPAT_NO_HOLES);
}

/* The item as the model has the inode. */
static inline int put_inode(struct workload *w, struct btrfs_root *root, const struct m_inode *inode,
		     bool is_new)
{
	struct btrfs_inode_item item = { 0 };
	int ret;

	if (!is_new) {
		ret = btrfs_lookup_inode(root, inode->ino, &item);
		if (ret)
			return ret;
	}
	item.transid = htole64(w->trans->transid);
	item.size = htole64(inode->size);
	item.nbytes = htole64(inode->nbytes);
	item.nlink = htole32(inode->nlink);
	item.mode = htole32(inode->mode);
	item.flags = htole64(inode->nodatasum ? BTRFS_INODE_NODATASUM : 0);
	item.ctime = item.mtime = btrfs_current_time();
	item.sequence = htole64(le64toh(item.sequence) + 1);
	if (!is_new)
		return btrfs_update_inode(w->trans, root, inode->ino, &item);
	item.generation = item.transid;
	item.atime = item.otime = item.ctime;
	return btrfs_insert_inode(w->trans, root, inode->ino, &item);
}

#endif
