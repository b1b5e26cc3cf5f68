/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of send share:
 *
 *	send.c		walks the trees, inode by inode, and knows what comes when
 *	send-lookup.c	inodes and references in either tree
 *	send-names.c	what an inode is called at the receiver right now
 *	send-refs.c	links, renames and removals of one inode
 *	send-moves.c	directories whose rename has to wait for another
 *	send-extents.c	file data: write or clone
 *	send-holes.c	where there was data and is a hole now
 *	send-clone.c	finding a source to clone from
 *	send-xattr.c	extended attributes
 *	send-cmds.c	the commands themselves
 *	send-subvol.c	name and UUID of a subvolume in the stream
 *	send-output.c, send-data.c	the stream's way out
 *	send-damage.c	data that no copy has is left out of it
 *
 * The receiver replays the stream in order, so each command must use names as
 * they are at that point.  "The parent" is the tree that the receiver has
 * already, NULL for a full send.  Inodes are processed by ascending number;
 * those below send_progress look as in the sent tree, the others still as in
 * the parent.  An inode without a proper name at some point (not linked yet,
 * or its name was taken) has an orphan name in the top directory meanwhile.
 */
#ifndef KERNEL_SHARED_SEND_INTERNAL_H
#define KERNEL_SHARED_SEND_INTERNAL_H

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>

#include "common/list.h"
#include "common/rbtree.h"
#include "kernel-shared/ctree.h"
#include "kernel-shared/lru-cache.h"
#include "kernel-shared/send-output.h"
#include "kernel-shared/send.h"

/* A path inside the sent subvolume; not terminated, at most what a receiver can use. */
struct fs_path {
	u32 len;
	char buf[PATH_MAX];
};

static inline void fs_path_reset(struct fs_path *path)
{
	path->len = 0;
}

/* Append "/name", without the slash when @path is empty.  -ENAMETOOLONG. */
int fs_path_add(struct fs_path *path, const char *name, u32 len);
void fs_path_copy(struct fs_path *to, const struct fs_path *from);

/* The fields of an inode item that send looks at. */
struct send_inode_info {
	u64 size;
	u64 gen;
	u64 mode;
	u64 uid;
	u64 gid;
	u64 rdev;
	u64 flags;
	u64 nlink;
};

struct clone_root {
	struct btrfs_root *root;
	/* The best candidate so far for the extent at hand. */
	u64 ino;
	u64 offset;
	u64 num_bytes;
	bool found_ref;
};

struct send_lookup_cache;

struct send_ctx {
	struct btrfs_fs_info *fs_info;
	struct btrfs_root *send_root;
	struct btrfs_root *parent_root;
	const char *subvol_name;		/* NULL: its own */
	struct clone_root *clone_roots;		/* sorted by root id; the send root is one */
	u32 nr_clone_roots;
	u32 flags;
	u32 proto;
	struct send_output *out;
	struct send_damage *damage;		/* NULL: nothing is left out, or nothing is written */
	bool skip_damaged;

	/* Where the walk is. */
	struct btrfs_path *left_path;		/* in the sent tree */
	struct btrfs_path *right_path;		/* in the parent */
	const struct btrfs_key *cmp_key;

	/* The inode in hand; of a deleted one, what it was in the parent. */
	u64 cur_ino;
	u64 cur_inode_gen;
	u64 cur_inode_size;
	u64 cur_inode_mode;
	u64 cur_inode_rdev;
	u64 cur_inode_flags;
	u64 cur_inode_last_extent;		/* end of the last extent looked at; -1: none yet */
	u64 cur_inode_next_write_offset;
	bool cur_inode_new;
	bool cur_inode_new_gen;			/* another inode of the same number */
	bool cur_inode_deleted;
	bool ignore_cur_inode;
	struct fs_path cur_inode_path;		/* empty: not known yet */

	u64 send_progress;

	/* References of the inode in hand, in key order. */
	struct list_head new_refs;
	struct list_head deleted_refs;
	struct rb_root rbtree_new_refs;
	struct rb_root rbtree_deleted_refs;

	struct lru_cache name_cache;
	struct lru_cache backref_cache;
	struct lru_cache dir_utimes_cache;
	struct u64_map dirs_created_early;	/* before their turn, because a child came first */

	struct rb_root pending_dir_moves;	/* by the directory that they wait for */
	struct rb_root waiting_dir_moves;	/* by the directory that waits */
	struct rb_root orphan_dirs;		/* removed, but not empty at the receiver yet */

	struct btrfs_path extent_path;		/* in the extent tree */
	struct send_lookup_cache *lookup;
	int root_dir_has_orphan_names;		/* -1: not looked yet */
	struct btrfs_decompressor *decompressor;	/* of inline extents */
};

/* ---- send-lookup.c ---- */

int send_lookup_init(struct send_ctx *sctx);
void send_lookup_release(struct send_ctx *sctx);

/* -ENOENT: no such inode. */
int send_get_inode_info(struct send_ctx *sctx, struct btrfs_root *root, u64 ino,
			struct send_inode_info *info);
int send_get_inode_gen(struct send_ctx *sctx, struct btrfs_root *root, u64 ino, u64 *gen);

/*
 * The first reference of @ino in @root: its directory, the generation of that
 * (unless @dir_gen is NULL), and the name, which is appended to @name.
 */
int send_get_first_ref(struct send_ctx *sctx, struct btrfs_root *root, u64 ino, u64 *dir,
		       u64 *dir_gen, struct fs_path *name);
/* The inode that @name in @dir points to; -ENOENT also when it is a subvolume. */
int send_lookup_dir_item_inode(struct btrfs_root *root, u64 dir, const char *name, u32 len,
			       u64 *ino);
/* Path of @ino in @root by first references. */
int send_get_inode_path(struct send_ctx *sctx, struct btrfs_root *root, u64 ino,
			struct fs_path *path);

/* Visit every name in the INODE_REF or INODE_EXTREF item at @path. */
typedef int (*send_inode_ref_fn)(struct send_ctx *sctx, u64 dir, const char *name, u32 len);
int send_iterate_inode_ref(struct send_ctx *sctx, const struct btrfs_path *path,
			   const struct btrfs_key *key, send_inode_ref_fn fn);
/*
 * Whether @ancestor is above @ino in @root by any of its names.  1, 0 or
 * negative errno.
 */
int send_is_ancestor(struct send_ctx *sctx, struct btrfs_root *root, u64 ancestor,
		     u64 ancestor_gen, u64 ino);

/* ---- send-names.c ---- */

enum inode_state {
	INODE_NO_CHANGE,	/* in both trees */
	INODE_WILL_CREATE,
	INODE_DID_CREATE,
	INODE_WILL_DELETE,
	INODE_DID_DELETE,
};

/* An enum inode_state, or -ENOENT when neither tree has it in this generation. */
int send_get_cur_inode_state(struct send_ctx *sctx, u64 ino, u64 gen, u64 *send_gen,
			     u64 *parent_gen);
/* Append the orphan name of an inode. */
int send_gen_unique_name(struct send_ctx *sctx, u64 ino, u64 gen, struct fs_path *dest);
/* What the inode is called at the receiver now. */
int send_get_cur_path(struct send_ctx *sctx, u64 ino, u64 gen, struct fs_path *dest);
/* The same for the inode in hand, computed once.  NULL on error, which is in *@err. */
const struct fs_path *send_cur_inode_path(struct send_ctx *sctx, int *err);
/* The last component and where it lies; 1 when it is an orphan name. */
int send_get_cur_name_and_parent(struct send_ctx *sctx, u64 ino, u64 gen, u64 *parent_ino,
				 u64 *parent_gen, struct fs_path *dest);
/* Would linking @name into @dir hit a name that the receiver still has? */
int send_will_overwrite_ref(struct send_ctx *sctx, u64 dir, u64 dir_gen, const char *name,
			    u32 len, u64 *who_ino, u64 *who_gen, u64 *who_mode);
/* Has the reference of @ino been taken by an inode already processed? */
int send_did_overwrite_ref(struct send_ctx *sctx, u64 dir, u64 dir_gen, u64 ino, u64 ino_gen,
			   const char *name, u32 len);
int send_did_overwrite_first_ref(struct send_ctx *sctx, u64 ino, u64 gen);
int send_is_first_ref(struct send_ctx *sctx, struct btrfs_root *root, u64 ino, u64 dir,
		      const char *name, u32 len);
void send_name_cache_forget(struct send_ctx *sctx, u64 ino, u64 gen);

/* ---- send-refs.c ---- */

/* One name of an inode that comes or goes. */
struct recorded_ref {
	struct list_head list;
	struct rb_node node;
	struct rb_root *root;		/* the tree that @node is in; NULL: none */
	u64 dir;
	u64 dir_gen;
	struct fs_path *full_path;	/* NULL where only the directory matters */
	u32 name_len;			/* the name is the end of the path */
};

static inline const char *recorded_ref_name(const struct recorded_ref *ref)
{
	return ref->full_path->buf + ref->full_path->len - ref->name_len;
}

int send_dup_ref(const struct recorded_ref *ref, struct list_head *list);
void send_free_recorded_refs(struct list_head *head);
int send_record_new_ref(struct send_ctx *sctx, u64 dir, const char *name, u32 len);
int send_record_deleted_ref(struct send_ctx *sctx, u64 dir, const char *name, u32 len);
/* Turn what was recorded into commands; *@pending_move when the rename has to wait. */
int send_process_recorded_refs(struct send_ctx *sctx, bool *pending_move);
/* Record all references of the inode in hand and process them; @deleted: as in the parent. */
int send_process_all_refs(struct send_ctx *sctx, bool deleted);

/* ---- send-moves.c ---- */

struct waiting_dir_move {
	struct rb_node node;
	u64 ino;
	u64 rmdir_ino;		/* a directory that can go once this one has moved; 0: none */
	u64 rmdir_gen;
	bool orphanized;
};

struct waiting_dir_move *send_get_waiting_dir_move(struct send_ctx *sctx, u64 ino);
bool send_is_waiting_for_rm(struct send_ctx *sctx, u64 dir, u64 gen);
/* 1: nothing keeps the directory at the receiver any more. */
int send_can_rmdir(struct send_ctx *sctx, u64 dir, u64 gen);
/* 1: the rename of the inode in hand was put off, and will be done in time. */
int send_wait_for_dest_dir_move(struct send_ctx *sctx, const struct recorded_ref *ref,
				bool is_orphan);
int send_wait_for_parent_move(struct send_ctx *sctx, const struct recorded_ref *ref,
			      bool is_orphan);
/* Do the renames that waited for the inode in hand. */
int send_apply_children_dir_moves(struct send_ctx *sctx);
void send_free_dir_moves(struct send_ctx *sctx);

/* ---- send-extents.c, send-holes.c, send-clone.c ---- */

int send_process_extent(struct send_ctx *sctx, struct btrfs_path *path,
			const struct btrfs_key *key);
int send_process_all_extents(struct send_ctx *sctx);
/* Write commands full of zeros, for data that is not on disk. */
int send_write_zeroes(struct send_ctx *sctx, u64 offset, u64 len);
int send_maybe_hole(struct send_ctx *sctx, const struct btrfs_path *path,
		    const struct btrfs_key *key);
/* The hole between the last extent and the end of the file. */
int send_final_hole(struct send_ctx *sctx);
bool send_need_hole(const struct send_ctx *sctx);
/*
 * Find a place that the extent at @path can be cloned from.  0 and *@found;
 * -ENOENT: none.
 */
int send_find_extent_clone(struct send_ctx *sctx, const struct btrfs_path *path, u64 ino,
			   u64 file_offset, struct clone_root **found);

/* ---- send-xattr.c ---- */

int send_process_new_xattr(struct send_ctx *sctx);
int send_process_deleted_xattr(struct send_ctx *sctx);
int send_process_changed_xattr(struct send_ctx *sctx);
int send_process_all_new_xattrs(struct send_ctx *sctx);
/* Capabilities come last, since a change of owner would drop them. */
int send_capabilities(struct send_ctx *sctx);

/* ---- send-cmds.c ---- */

int send_cmd_subvol(struct send_ctx *sctx);
int send_cmd_rename(struct send_ctx *sctx, const struct fs_path *from, const struct fs_path *to);
int send_cmd_link(struct send_ctx *sctx, const struct fs_path *path, const struct fs_path *target);
int send_cmd_path(struct send_ctx *sctx, enum btrfs_send_cmd cmd, const struct fs_path *path);
int send_cmd_truncate(struct send_ctx *sctx, u64 size);
int send_cmd_chmod(struct send_ctx *sctx, u64 mode);
int send_cmd_chown(struct send_ctx *sctx, u64 uid, u64 gid);
int send_cmd_fileattr(struct send_ctx *sctx, u64 flags);
int send_cmd_utimes(struct send_ctx *sctx, u64 ino, u64 gen);
int send_cmd_create_inode(struct send_ctx *sctx, u64 ino);
int send_cmd_clone(struct send_ctx *sctx, u64 offset, u64 len, const struct clone_root *source);
int send_cmd_update_extent(struct send_ctx *sctx, u64 offset, u64 len);
int send_cmd_fallocate(struct send_ctx *sctx, u32 mode, u64 offset, u64 len);

/* Send the times of a directory later, when no more names come or go in it. */
int send_cache_dir_utimes(struct send_ctx *sctx, u64 dir, u64 gen);
int send_trim_dir_utimes_cache(struct send_ctx *sctx);
int send_flush_dir_utimes_cache(struct send_ctx *sctx);

#endif
