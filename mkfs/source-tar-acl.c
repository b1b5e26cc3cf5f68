// SPDX-License-Identifier: GPL-2.0-only
/*
 * ACLs of archives, which libarchive gives as lists, as the bytes that file
 * systems keep in xattrs.
 */
#include <archive.h>
#include <archive_entry.h>
#include <endian.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>

#include "common/types.h"
#include "common/vec.h"
#include "mkfs/source-tree.h"

#define ACL_XATTR_VERSION	2U

/* Tags as the kernel numbers them, in the order that it wants them in. */
#define ACL_TAG_USER_OBJ	0x01
#define ACL_TAG_USER		0x02
#define ACL_TAG_GROUP_OBJ	0x04
#define ACL_TAG_GROUP		0x08
#define ACL_TAG_MASK		0x10
#define ACL_TAG_OTHER		0x20

struct acl_entry {
	u16 tag;
	u16 perm;
	u32 id;			/* UINT32_MAX where the tag has none */
};

struct acl_xattr_entry {
	__le16 tag;
	__le16 perm;
	__le32 id;
} __attribute__((packed));

static u16 tag_of(int tag)
{
	switch (tag) {
	case ARCHIVE_ENTRY_ACL_USER_OBJ:
		return ACL_TAG_USER_OBJ;
	case ARCHIVE_ENTRY_ACL_USER:
		return ACL_TAG_USER;
	case ARCHIVE_ENTRY_ACL_GROUP_OBJ:
		return ACL_TAG_GROUP_OBJ;
	case ARCHIVE_ENTRY_ACL_GROUP:
		return ACL_TAG_GROUP;
	case ARCHIVE_ENTRY_ACL_MASK:
		return ACL_TAG_MASK;
	case ARCHIVE_ENTRY_ACL_OTHER:
		return ACL_TAG_OTHER;
	default:
		return 0;
	}
}

/* Some archives have names only. */
static int find_id(u16 tag, int qual, const char *name, u32 *id)
{
	if (tag != ACL_TAG_USER && tag != ACL_TAG_GROUP) {
		*id = UINT32_MAX;
		return 0;
	}
	if (qual >= 0) {
		*id = (u32)qual;
		return 0;
	}
	if (!name || !*name)
		return -EINVAL;
	if (tag == ACL_TAG_USER) {
		const struct passwd *pw = getpwnam(name);

		*id = pw ? pw->pw_uid : UINT32_MAX;
	} else {
		const struct group *gr = getgrnam(name);

		*id = gr ? gr->gr_gid : UINT32_MAX;
	}
	return *id == UINT32_MAX ? -EINVAL : 0;
}

static int cmp_acl(const void *a, const void *b)
{
	const struct acl_entry *x = a, *y = b;

	if (x->tag != y->tag)
		return x->tag < y->tag ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static int collect(struct archive_entry *entry, int type, struct vec *acl)
{
	int found, perm, tag, qual, ret = 0;
	const char *name;

	archive_entry_acl_reset(entry, type);
	while (!ret && archive_entry_acl_next(entry, type, &found, &perm, &tag, &qual, &name) ==
	       ARCHIVE_OK) {
		struct acl_entry one = { .tag = tag_of(tag), .perm = (u16)(perm & 7) };

		if (!one.tag)
			return -EINVAL;
		ret = find_id(one.tag, qual, name, &one.id);
		if (!ret)
			ret = vec_push_copy(acl, &one);
	}
	vec_sort(acl, cmp_acl);
	return ret;
}

static int encode(const struct vec *acl, void **ret_bytes, size_t *len)
{
	size_t size = sizeof(__le32) + acl->nr * sizeof(struct acl_xattr_entry);
	const struct acl_entry *entry;
	struct acl_xattr_entry *out;
	__le32 *version = malloc(size);

	if (!version)
		return -ENOMEM;
	*version = htole32(ACL_XATTR_VERSION);
	out = (struct acl_xattr_entry *)(version + 1);
	vec_for_each(acl, entry) {
		out->tag = htole16(entry->tag);
		out->perm = htole16(entry->perm);
		out->id = htole32(entry->id);
		out++;
	}
	*ret_bytes = version;
	*len = size;
	return 0;
}

/*
 * With an ACL the group's bits of the mode are its mask, while libarchive puts
 * there what the group itself may do.
 */
static u32 mode_of(const struct vec *acl, u32 mode)
{
	const struct acl_entry *entry;

	vec_for_each(acl, entry)
		if (entry->tag == ACL_TAG_MASK)
			mode = (mode & ~(u32)S_IRWXG) | (u32)entry->perm << 3;
	return mode;
}

int source_tar_acl(struct archive_entry *entry, bool is_default, u32 *mode, void **bytes,
		   size_t *len)
{
	int type = is_default ? ARCHIVE_ENTRY_ACL_TYPE_DEFAULT : ARCHIVE_ENTRY_ACL_TYPE_ACCESS;
	struct vec acl = VEC_INIT(struct acl_entry);
	int ret = 0;

	*bytes = NULL;
	/* One that says no more than the mode is none. */
	if (archive_entry_acl_reset(entry, type)) {
		ret = collect(entry, type, &acl);
		if (!ret && acl.nr)
			ret = encode(&acl, bytes, len);
		if (!ret && !is_default)
			*mode = mode_of(&acl, *mode);
	}
	vec_free(&acl);
	return ret;
}
