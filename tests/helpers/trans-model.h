/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the file system must look like: a model in memory of subvolumes, inodes
 * and names, which knows nothing of trees.  trans-workload.c does every change
 * twice, to the file system and to this.
 *
 * Nothing is ever freed but by the end of the process, and running out of memory
 * ends it: it is a test.
 */
#ifndef TESTS_HELPERS_TRANS_MODEL_H
#define TESTS_HELPERS_TRANS_MODEL_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/hash.h"
#include "common/vec.h"
#include "kernel-shared/fs.h"

struct m_xattr {
	char name[32];
	u32 size;
	u8 byte;		/* its value is this, @size times */
};

/* An inode of one subvolume. */
struct m_inode {
	u64 ino;
	u32 mode;		/* 0: deleted */
	u32 nlink;
	u64 size;
	u64 nbytes;
	bool is_inline;
	bool nodatasum;
	u8 *data;		/* of a file; the target of a symlink */
	struct vec xattrs;	/* struct m_xattr */
};

/* A name; @subvol is not NULL where it leads to another subvolume. */
struct m_name {
	u64 dir;
	char name[64];
	u64 index;
	struct m_inode *inode;
	struct m_subvol *subvol;
	bool gone;
};

struct m_subvol {
	u64 id;
	u64 born;		/* of a snapshot: the transaction, in which it cannot be changed */
	bool readonly;
	bool gone;
	struct vec inodes;	/* struct m_inode * */
	struct vec names;	/* struct m_name */
	struct m_subvol *parent;
};

struct model {
	struct vec subvols;	/* struct m_subvol * */
};

static inline void *must(void *mem)
{
	if (!mem) {
		fprintf(stderr, "out of memory\n");
		exit(1);
	}
	return mem;
}

static inline struct m_subvol *m_new_subvol(struct model *model, u64 id, struct m_subvol *parent)
{
	struct m_subvol *subvol = must(calloc(1, sizeof(*subvol)));

	subvol->id = id;
	subvol->parent = parent;
	vec_init(&subvol->inodes, sizeof(struct m_inode *));
	vec_init(&subvol->names, sizeof(struct m_name));
	if (vec_push_copy(&model->subvols, &subvol))
		must(NULL);
	return subvol;
}

static inline struct m_inode *m_new_inode(struct m_subvol *subvol, u64 ino, u32 mode)
{
	struct m_inode *inode = must(calloc(1, sizeof(*inode)));

	inode->ino = ino;
	inode->mode = mode;
	inode->nlink = 1;
	vec_init(&inode->xattrs, sizeof(struct m_xattr));
	if (vec_push_copy(&subvol->inodes, &inode))
		must(NULL);
	return inode;
}

static inline struct m_name *m_new_name(struct m_subvol *subvol, u64 dir, const char *name,
					u64 index, struct m_inode *inode)
{
	struct m_name *entry = must(vec_push(&subvol->names));

	entry->dir = dir;
	entry->index = index;
	entry->inode = inode;
	snprintf(entry->name, sizeof(entry->name), "%s", name);
	return entry;
}

static inline struct m_inode *m_find_inode(const struct m_subvol *subvol, u64 ino)
{
	struct m_inode **inode;

	vec_for_each(&subvol->inodes, inode) {
		if ((*inode)->ino == ino && (*inode)->mode)
			return *inode;
	}
	return NULL;
}

/* All that @from has, without what its nested subvolumes have. */
static inline void m_copy_subvol(const struct m_subvol *from, struct m_subvol *to)
{
	struct m_inode **inode;
	struct m_name *name;

	vec_for_each(&from->inodes, inode) {
		struct m_inode *copy;

		if (!(*inode)->mode)
			continue;
		copy = m_new_inode(to, (*inode)->ino, (*inode)->mode);
		*copy = **inode;
		if (copy->data) {
			copy->data = must(malloc((*inode)->size + 1));
			memcpy(copy->data, (*inode)->data, (*inode)->size);
		}
		vec_init(&copy->xattrs, sizeof(struct m_xattr));
		for (size_t i = 0; i < (*inode)->xattrs.nr; i++) {
			if (vec_push_copy(&copy->xattrs, vec_at(&(*inode)->xattrs, i)))
				must(NULL);
		}
	}
	vec_for_each(&from->names, name) {
		struct m_name *copy;

		if (name->gone)
			continue;
		copy = must(vec_push(&to->names));
		*copy = *name;
		if (name->inode)
			copy->inode = m_find_inode(to, name->inode->ino);
		/* In the copy the entry is there, but leads to an empty directory. */
	}
}

/* ---- the manifest: a line for each path, sorted by whoever compares ---- */

static inline void m_print_hex(FILE *out, const u8 *bytes, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		fprintf(out, "%02x", bytes[i]);
}

static inline void m_print_inode(FILE *out, const char *path, const struct m_inode *inode)
{
	u8 sum[32];
	const struct m_xattr *xattr;

	fprintf(out, "%s mode=%o ino=%llu nlink=%u size=%llu", path, inode->mode, inode->ino,
		inode->nlink, inode->size);
	if (S_ISREG(inode->mode)) {
		hash_sha256(inode->data ? inode->data : (const u8 *)"", inode->size, sum);
		fprintf(out, " sha256=");
		m_print_hex(out, sum, sizeof(sum));
	}
	if (S_ISLNK(inode->mode))
		fprintf(out, " to=%.*s", (int)inode->size, (const char *)inode->data);
	fprintf(out, "\n");
	vec_for_each(&inode->xattrs, xattr) {
		fprintf(out, "%s %s=", path, xattr->name);
		for (u32 i = 0; i < xattr->size; i++)
			m_print_hex(out, &xattr->byte, 1);
		fprintf(out, "\n");
	}
}

static inline void m_print_dir(FILE *out, const struct m_subvol *subvol, u64 dir,
			       const char *prefix)
{
	const struct m_name *name;
	char path[4096];

	vec_for_each(&subvol->names, name) {
		if (name->gone || name->dir != dir)
			continue;
		snprintf(path, sizeof(path), "%s/%s", prefix, name->name);
		if (name->inode) {
			m_print_inode(out, path, name->inode);
			if (S_ISDIR(name->inode->mode))
				m_print_dir(out, subvol, name->inode->ino, path);
		} else if (name->subvol && name->subvol->parent == subvol) {
			m_print_inode(out, path,
				      m_find_inode(name->subvol, BTRFS_FIRST_FREE_OBJECTID));
			m_print_dir(out, name->subvol, BTRFS_FIRST_FREE_OBJECTID, path);
		} else {
			fprintf(out, "%s stub\n", path);
		}
	}
}

static inline int m_write_manifest(const struct model *model, const char *file)
{
	const struct m_subvol *top = *(struct m_subvol **)vec_at(&model->subvols, 0);
	FILE *out = fopen(file, "w");

	if (!out)
		return -errno;
	m_print_inode(out, ".", m_find_inode(top, BTRFS_FIRST_FREE_OBJECTID));
	m_print_dir(out, top, BTRFS_FIRST_FREE_OBJECTID, ".");
	return fclose(out) ? -errno : 0;
}

#endif
