// SPDX-License-Identifier: GPL-2.0-only
/*
 * Extended attributes, ACLs and capabilities.
 */
#include "kernel-shared/dir-item.h"
#include "kernel-shared/send-internal.h"

#define XATTR_NAME_CAPS			"security.capability"
#define XATTR_NAME_POSIX_ACL_ACCESS	"system.posix_acl_access"
#define XATTR_NAME_POSIX_ACL_DEFAULT	"system.posix_acl_default"

/* An ACL without entries, as setxattr() wants it: the version alone. */
static const u8 empty_acl[4] = { 2, 0, 0, 0 };

/*
 * The kernel compares as many bytes as the name has, so that a name which is
 * the beginning of @special counts as well; the stream has to agree.
 */
static bool is_special_name(const char *name, u16 len, const char *special)
{
	return len <= strlen(special) && !memcmp(name, special, len);
}

static int set_xattr(struct send_ctx *sctx, const char *name, u16 name_len, const void *data,
		     u16 data_len)
{
	const struct fs_path *path;
	int ret;

	path = send_cur_inode_path(sctx, &ret);
	if (!ret)
		ret = send_cmd_begin(sctx->out, BTRFS_SEND_C_SET_XATTR);
	if (!ret)
		ret = send_put(sctx->out, BTRFS_SEND_A_PATH, path->buf, path->len);
	if (!ret)
		ret = send_put(sctx->out, BTRFS_SEND_A_XATTR_NAME, name, name_len);
	if (!ret)
		ret = send_put(sctx->out, BTRFS_SEND_A_XATTR_DATA, data, data_len);
	return ret ? ret : send_cmd_end(sctx->out);
}

static int remove_xattr(struct send_ctx *sctx, const char *name, u16 name_len)
{
	const struct fs_path *path;
	int ret;

	path = send_cur_inode_path(sctx, &ret);
	if (!ret)
		ret = send_cmd_begin(sctx->out, BTRFS_SEND_C_REMOVE_XATTR);
	if (!ret)
		ret = send_put(sctx->out, BTRFS_SEND_A_PATH, path->buf, path->len);
	if (!ret)
		ret = send_put(sctx->out, BTRFS_SEND_A_XATTR_NAME, name, name_len);
	return ret ? ret : send_cmd_end(sctx->out);
}

static int new_xattr(const struct extent_buffer *leaf __unused,
		     const struct btrfs_dir_item *di __unused, const char *name, u16 name_len,
		     const void *data, u16 data_len, void *ctx)
{
	if (is_special_name(name, name_len, XATTR_NAME_CAPS))
		return 0;	/* send_capabilities() */
	if (data_len == 0 && (is_special_name(name, name_len, XATTR_NAME_POSIX_ACL_ACCESS) ||
			      is_special_name(name, name_len, XATTR_NAME_POSIX_ACL_DEFAULT))) {
		data = empty_acl;
		data_len = sizeof(empty_acl);
	}
	return set_xattr(ctx, name, name_len, data, data_len);
}

static int deleted_xattr(const struct extent_buffer *leaf __unused,
			 const struct btrfs_dir_item *di __unused, const char *name, u16 name_len,
			 const void *data __unused, u16 data_len __unused, void *ctx)
{
	return remove_xattr(ctx, name, name_len);
}

int send_process_new_xattr(struct send_ctx *sctx)
{
	return btrfs_for_each_dir_entry(sctx->left_path->nodes[0], sctx->left_path->slots[0],
					new_xattr, sctx);
}

int send_process_deleted_xattr(struct send_ctx *sctx)
{
	return btrfs_for_each_dir_entry(sctx->right_path->nodes[0], sctx->right_path->slots[0],
					deleted_xattr, sctx);
}

/* ---- changed items, where names with one hash share an item ---- */

struct find_xattr {
	const char *name;
	u16 name_len;
	const void *data;
	u16 data_len;
};

static int match_xattr(const struct extent_buffer *leaf __unused,
		       const struct btrfs_dir_item *di __unused, const char *name, u16 name_len,
		       const void *data, u16 data_len, void *ctx)
{
	struct find_xattr *find = ctx;

	if (name_len != find->name_len || memcmp(name, find->name, name_len))
		return 0;
	find->data = data;
	find->data_len = data_len;
	return 1;
}

static bool find_xattr(const struct btrfs_path *path, struct find_xattr *find)
{
	return btrfs_for_each_dir_entry(path->nodes[0], path->slots[0], match_xattr, find) == 1;
}

static int new_if_changed(const struct extent_buffer *leaf, const struct btrfs_dir_item *di,
			  const char *name, u16 name_len, const void *data, u16 data_len,
			  void *ctx)
{
	struct find_xattr old = { .name = name, .name_len = name_len };
	struct send_ctx *sctx = ctx;

	if (find_xattr(sctx->right_path, &old) && old.data_len == data_len &&
	    !memcmp(old.data, data, data_len))
		return 0;
	return new_xattr(leaf, di, name, name_len, data, data_len, ctx);
}

static int deleted_if_gone(const struct extent_buffer *leaf, const struct btrfs_dir_item *di,
			   const char *name, u16 name_len, const void *data, u16 data_len,
			   void *ctx)
{
	struct find_xattr now = { .name = name, .name_len = name_len };
	struct send_ctx *sctx = ctx;

	if (find_xattr(sctx->left_path, &now))
		return 0;
	return deleted_xattr(leaf, di, name, name_len, data, data_len, ctx);
}

int send_process_changed_xattr(struct send_ctx *sctx)
{
	int ret = btrfs_for_each_dir_entry(sctx->left_path->nodes[0], sctx->left_path->slots[0],
					   new_if_changed, sctx);

	return ret ? ret : btrfs_for_each_dir_entry(sctx->right_path->nodes[0],
						    sctx->right_path->slots[0],
						    deleted_if_gone, sctx);
}

static int all_new_xattrs(struct btrfs_root *root __unused, const struct extent_buffer *leaf,
			  u32 slot, const struct btrfs_key *key __unused, void *ctx)
{
	return btrfs_for_each_dir_entry(leaf, slot, new_xattr, ctx);
}

int send_process_all_new_xattrs(struct send_ctx *sctx)
{
	struct btrfs_key from = { sctx->cur_ino, BTRFS_XATTR_ITEM_KEY, 0 };
	struct btrfs_key to = { sctx->cur_ino, BTRFS_XATTR_ITEM_KEY, (u64)-1 };

	return btrfs_for_each_item(sctx->send_root, &from, &to, all_new_xattrs, sctx);
}

int send_capabilities(struct send_ctx *sctx)
{
	struct find_xattr caps = { .name = XATTR_NAME_CAPS, .name_len = sizeof(XATTR_NAME_CAPS) - 1 };
	struct btrfs_key key = { sctx->cur_ino, BTRFS_XATTR_ITEM_KEY, 0 };
	struct btrfs_path path = { 0 };
	int ret;

	key.offset = btrfs_name_hash(caps.name, caps.name_len);
	ret = btrfs_search_slot(sctx->send_root, &key, &path);
	if (ret == 0 && find_xattr(&path, &caps))
		ret = set_xattr(sctx, caps.name, caps.name_len, caps.data, caps.data_len);
	btrfs_release_path(&path);
	return min(ret, 0);
}
