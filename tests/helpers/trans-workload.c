// SPDX-License-Identifier: GPL-2.0-only
/*
 * A random workload for everything that changes trees:
 *
 *	trans-workload [OPTION...] IMAGE [DEVICE...]
 *
 * makes, changes and deletes files, directories, links, extended attributes,
 * subvolumes and snapshots, as the kernel would, in many transactions.  A model
 * in memory (trans-model.h) says what must be there in the end.  The image is to be
 * fresh, but for a directory "k" in its root, which is left alone: others may
 * work in it between two batches.
 *
 *	--seed=N --batches=N --ops=N   how much: ops in each batch
 *	--commit=N          ops between two commits (20)
 *	--manifest=FILE     what must be there, written after each batch
 *	--hook=COMMAND      run by the shell after each batch, while nothing is open;
 *	                    a failure ends the program
 *	--files=N           instead: N files in one transaction, in one directory
 *	--abort             at the end further changes that are never committed
 *	--degraded          though devices are missing
 *
 * Exit status 1 with a message when something fails other than for want of space.
 */
#include <errno.h>
#include <getopt.h>

#include "kernel-shared/dir-item.h"
#include "kernel-shared/subvolume.h"
#include "tests/helpers/trans-common.h"
#include "tests/helpers/trans-data.h"

/* ---- inodes and names ---- */

static int change_dir_size(struct workload *w, struct m_subvol *subvol, struct btrfs_root *root,
			   u64 dir, s64 by)
{
	struct m_inode *inode = m_find_inode(subvol, dir);

	inode->size += (u64)(2 * by);
	return put_inode(w, root, inode, false);
}

static u8 ftype(u32 mode)
{
	return S_ISDIR(mode) ? BTRFS_FT_DIR : S_ISLNK(mode) ? BTRFS_FT_SYMLINK : BTRFS_FT_REG_FILE;
}

static int add_name(struct workload *w, struct m_subvol *subvol, struct btrfs_root *root, u64 dir,
		    const char *name, struct m_inode *inode)
{
	const struct btrfs_key location = { inode->ino, BTRFS_INODE_ITEM_KEY, 0 };
	u64 index;
	int ret = btrfs_next_dir_index(root, dir, &index);

	if (!ret)
		ret = btrfs_insert_inode_ref(w->trans, root, inode->ino, dir, index, name,
					     strlen(name));
	if (!ret)
		ret = btrfs_insert_dir_entry(w->trans, root, dir, name, strlen(name), &location,
					     ftype(inode->mode), index);
	if (!ret)
		ret = change_dir_size(w, subvol, root, dir, (s64)strlen(name));
	if (!ret)
		m_new_name(subvol, dir, name, index, inode);
	return ret;
}

static int remove_name(struct workload *w, struct m_subvol *subvol, struct btrfs_root *root,
		       struct m_name *name)
{
	u64 index;
	int ret = btrfs_del_inode_ref(w->trans, root, name->inode->ino, name->dir, &index,
				      name->name, strlen(name->name));

	if (!ret && index != name->index) {
		error("%s has index %llu, not %llu", name->name, index, name->index);
		return -EUCLEAN;
	}
	if (!ret)
		ret = btrfs_delete_dir_entry(w->trans, root, name->dir, name->name,
					     strlen(name->name), index);
	if (!ret)
		ret = change_dir_size(w, subvol, root, name->dir, -(s64)strlen(name->name));
	name->gone = true;
	return ret;
}

static int op_create(struct workload *w, u32 mode)
{
	struct m_subvol *subvol = pick_subvol(w, true);
	struct m_inode *dir = pick_dir(w, subvol), *inode;
	struct btrfs_root *root;
	char name[64];
	u64 ino;
	int ret = get_root(w, subvol, &root);

	if (!ret)
		ret = btrfs_get_free_objectid(root, &ino);
	if (ret)
		return ret;
	inode = m_new_inode(subvol, ino, mode);
	inode->nodatasum = S_ISREG(mode) && below(w, 8) == 0;
	if (S_ISLNK(mode)) {
		inode->size = inode->nbytes = 1 + below(w, 200);
		inode->data = must(malloc(inode->size));
		memset(inode->data, 'l', inode->size);
	}
	make_name(w, S_ISDIR(mode) ? "dir" : S_ISLNK(mode) ? "link" : "file", name, sizeof(name));
	ret = put_inode(w, root, inode, true);
	if (!ret)
		ret = add_name(w, subvol, root, dir->ino, name, inode);
	if (!ret && S_ISLNK(mode))
		ret = btrfs_insert_inline_extent(w->trans, root, ino, inode->data,
						 (u32)inode->size, inode->size, 0);
	return ret;
}

static int op_link(struct workload *w)
{
	struct m_subvol *subvol = pick_subvol(w, true);
	struct m_inode *inode = pick_inode(w, subvol, S_IFREG), *dir = pick_dir(w, subvol);
	struct btrfs_root *root;
	char name[64];
	int ret = get_root(w, subvol, &root);

	if (ret || !inode)
		return ret;
	make_name(w, "hard", name, sizeof(name));
	inode->nlink++;
	ret = add_name(w, subvol, root, dir->ino, name, inode);
	return ret ? ret : put_inode(w, root, inode, false);
}

/* All items of the inode, leaf by leaf. */
static int delete_items(struct workload *w, struct btrfs_root *root, u64 ino)
{
	const struct btrfs_key key = { .objectid = ino };
	struct btrfs_path path = { 0 };
	struct btrfs_key found;
	int ret;

	for (;;) {
		const struct extent_buffer *leaf;
		u32 nr = 0;

		ret = btrfs_search_slot_cow(w->trans, root, &key, &path, -1);
		if (ret < 0)
			return ret;
		/* The search may end behind the last item of the leaf before. */
		leaf = path.nodes[0];
		if (path.slots[0] >= leaf->nritems) {
			ret = btrfs_next_leaf(root, &path);
			if (ret)
				break;
			btrfs_item_key_to_cpu(path.nodes[0], &found, 0);
			btrfs_release_path(&path);
			if (found.objectid != ino)
				return 0;
			ret = btrfs_search_slot_cow(w->trans, root, &found, &path, -1);
			if (ret)
				break;
			leaf = path.nodes[0];
		}
		for (u32 slot = path.slots[0]; slot < leaf->nritems; slot++, nr++) {
			btrfs_item_key_to_cpu(leaf, &found, slot);
			if (found.objectid != ino)
				break;
		}
		if (!nr)
			break;
		ret = btrfs_del_items(w->trans, root, &path, path.slots[0], nr);
		btrfs_release_path(&path);
		if (ret)
			return ret;
	}
	btrfs_release_path(&path);
	return min(ret, 0);
}

static bool dir_is_empty(const struct m_subvol *subvol, u64 dir)
{
	const struct m_name *name;

	vec_for_each(&subvol->names, name) {
		if (!name->gone && name->dir == dir)
			return false;
	}
	return true;
}

static int op_unlink(struct workload *w)
{
	struct m_subvol *subvol = pick_subvol(w, true);
	size_t i = pick_name(w, subvol);
	struct btrfs_root *root;
	struct m_inode *inode;
	int ret = get_root(w, subvol, &root);

	if (ret || i == subvol->names.nr)
		return ret;
	inode = ((struct m_name *)vec_at(&subvol->names, i))->inode;
	if (S_ISDIR(inode->mode) && !dir_is_empty(subvol, inode->ino))
		return 0;
	ret = remove_name(w, subvol, root, vec_at(&subvol->names, i));
	if (ret)
		return ret;
	if (--inode->nlink)
		return put_inode(w, root, inode, false);
	ret = btrfs_drop_extents(w->trans, root, inode->ino, 0, (u64)1 << 40, NULL);
	if (!ret)
		ret = delete_items(w, root, inode->ino);
	inode->mode = 0;
	return ret;
}

static int op_rename(struct workload *w)
{
	struct m_subvol *subvol = pick_subvol(w, true);
	size_t i = pick_name(w, subvol);
	struct btrfs_root *root;
	struct m_inode *inode;
	char name[64];
	u64 dir;
	int ret = get_root(w, subvol, &root);

	if (ret || i == subvol->names.nr)
		return ret;
	inode = ((struct m_name *)vec_at(&subvol->names, i))->inode;
	dir = S_ISDIR(inode->mode) ? ((struct m_name *)vec_at(&subvol->names, i))->dir :
				     pick_dir(w, subvol)->ino;
	make_name(w, "moved", name, sizeof(name));
	ret = remove_name(w, subvol, root, vec_at(&subvol->names, i));
	return ret ? ret : add_name(w, subvol, root, dir, name, inode);
}

static int op_xattr(struct workload *w)
{
	struct m_subvol *subvol = pick_subvol(w, true);
	struct m_inode *inode = pick_inode(w, subvol, below(w, 2) ? S_IFREG : S_IFDIR);
	u8 value[2500];
	struct m_xattr xattr = { 0 };
	struct btrfs_root *root;
	size_t i;
	int ret = get_root(w, subvol, &root);

	if (ret || !inode)
		return ret;
	snprintf(xattr.name, sizeof(xattr.name), "user.x%llu", below(w, 12));
	for (i = 0; i < inode->xattrs.nr; i++) {
		if (!strcmp(((struct m_xattr *)vec_at(&inode->xattrs, i))->name, xattr.name))
			break;
	}
	if (i < inode->xattrs.nr && below(w, 3) == 0) {
		vec_remove(&inode->xattrs, i);
		ret = btrfs_del_xattr(w->trans, root, inode->ino, xattr.name, strlen(xattr.name));
		return ret ? ret : put_inode(w, root, inode, false);
	}
	xattr.size = (u32)below(w, below(w, 5) ? 60 : sizeof(value));
	xattr.byte = (u8)next_random(w);
	memset(value, xattr.byte, sizeof(value));
	if (i < inode->xattrs.nr)
		*(struct m_xattr *)vec_at(&inode->xattrs, i) = xattr;
	else if (vec_push_copy(&inode->xattrs, &xattr))
		return -ENOMEM;
	ret = btrfs_set_xattr(w->trans, root, inode->ino, xattr.name, strlen(xattr.name), value,
			      xattr.size);
	return ret ? ret : put_inode(w, root, inode, false);
}

/* ---- subvolumes ---- */

static size_t live_subvols(const struct workload *w)
{
	struct m_subvol **subvol;
	size_t nr = 0;

	vec_for_each(&w->model.subvols, subvol)
		nr += !(*subvol)->gone;
	return nr;
}

static int op_subvol(struct workload *w, bool snapshot)
{
	struct m_subvol *parent = pick_subvol(w, true), *source = pick_subvol(w, false), *subvol;
	struct m_inode *dir = pick_dir(w, parent);
	struct btrfs_subvol_place place = { .dirid = dir->ino };
	bool readonly = below(w, 3) == 0;
	struct btrfs_root *source_root;
	struct m_name *entry;
	char name[64];
	u64 id;
	int ret = get_root(w, parent, &place.parent);

	if (!ret)
		ret = get_root(w, source, &source_root);
	if (ret || live_subvols(w) >= MAX_SUBVOLS)
		return ret;
	make_name(w, snapshot ? "snap" : "subvol", name, sizeof(name));
	place.name = name;
	place.name_len = strlen(name);
	if (snapshot)
		ret = btrfs_create_snapshot(w->trans, source_root, &place, readonly, NULL, &id);
	else
		ret = btrfs_create_subvol(w->trans, &place, NULL, &id);
	if (ret)
		return ret;
	subvol = m_new_subvol(&w->model, id, parent);
	subvol->readonly = snapshot && readonly;
	subvol->born = snapshot ? w->trans->transid : 0;
	if (snapshot)
		m_copy_subvol(source, subvol);
	else
		m_new_inode(subvol, ROOT_INO, S_IFDIR | 0755);
	entry = m_new_name(parent, dir->ino, name, 0, NULL);
	entry->subvol = subvol;
	dir->size += 2 * strlen(name);
	return 0;
}

static struct m_name *find_subvol_name(const struct m_subvol *subvol)
{
	struct m_name *name;

	vec_for_each(&subvol->parent->names, name) {
		if (!name->gone && name->subvol == subvol)
			return name;
	}
	return NULL;
}

static bool has_children(const struct workload *w, const struct m_subvol *subvol)
{
	struct m_subvol **other;

	vec_for_each(&w->model.subvols, other) {
		if (!(*other)->gone && (*other)->parent == subvol)
			return true;
	}
	return false;
}

static int op_delete_subvol(struct workload *w)
{
	struct m_subvol *subvol = pick_subvol(w, false);
	struct btrfs_subvol_place place = { 0 };
	struct m_name *name;
	u64 id;
	int ret;

	if (!subvol->parent || has_children(w, subvol) || subvol->parent->readonly)
		return 0;
	name = find_subvol_name(subvol);
	ret = get_root(w, subvol->parent, &place.parent);
	if (ret)
		return ret;
	place.dirid = name->dir;
	place.name = name->name;
	place.name_len = strlen(name->name);
	ret = btrfs_delete_subvol(w->trans, &place, &id);
	if (ret)
		return ret;
	m_find_inode(subvol->parent, name->dir)->size -= 2 * strlen(name->name);
	name->gone = subvol->gone = true;
	/* Sometimes dropped at once, sometimes left to the next one, or the kernel. */
	if (below(w, 2) || w->stop_commits)
		return 0;
	ret = commit(w);
	return ret ? ret : btrfs_drop_snapshot(w->fs_info, id);
}

/* ---- the run ---- */

static int random_op(struct workload *w)
{
	u64 dice = below(w, 100);

	if (dice < 18)
		return op_create(w, S_IFREG | 0644);
	if (dice < 23)
		return op_create(w, S_IFDIR | 0755);
	if (dice < 25)
		return op_create(w, S_IFLNK | 0777);
	if (dice < 28)
		return op_link(w);
	if (dice < 35)
		return op_unlink(w);
	if (dice < 40)
		return op_rename(w);
	if (dice < 52)
		return op_xattr(w);
	if (dice < 75)
		return op_write(w);
	if (dice < 81)
		return op_truncate(w);
	if (dice < 86)
		return op_punch(w);
	if (dice < 94)
		return op_clone(w);
	if (dice < 97)
		return op_subvol(w, below(w, 3) != 0);
	return op_delete_subvol(w);
}

static int run_ops(struct workload *w, u64 nr)
{
	for (u64 i = 0; i < nr; i++) {
		int ret = begin(w);

		if (ret == -ENOSPC) {
			w->nr_skipped++;
			ret = 0;
		} else if (!ret) {
			ret = random_op(w);
			/* Data found no room: nothing was changed, but the model knows of it. */
			if (ret == -ENOSPC)
				error("operation %llu: no space for data; use a larger image", i);
		}
		if (!ret && !w->stop_commits && below(w, w->commit_every) == 0)
			ret = commit(w);
		if (ret) {
			error("operation %llu failed: %s", i, errno_text(ret));
			return ret;
		}
	}
	return w->stop_commits ? 0 : commit(w);
}

static int make_files(struct workload *w)
{
	u64 nr = w->nr_files;
	int ret = 0;

	for (u64 i = 0; !ret && i < nr; i++) {
		ret = begin(w);
		if (!ret)
			ret = op_create(w, S_IFREG | 0600);
	}
	if (ret) {
		error("making files failed: %s", errno_text(ret));
		return ret;
	}
	return commit(w);
}

static void close_image(struct workload *w)
{
	if (w->trans)
		btrfs_end_transaction(w->trans);
	w->trans = NULL;
	btrfs_close_fs(w->fs_info);
	w->fs_info = NULL;
}

static int open_image(struct workload *w)
{
	const struct btrfs_open_args args = {
		.devices = w->devices, .nr_devices = w->nr_devices, .no_scan = true,
		.writable = true, .degraded = w->degraded, .lock_wait_seconds = 10,
	};

	const struct m_subvol *top = *(struct m_subvol **)vec_at(&w->model.subvols, 0);
	struct btrfs_inode_item item;
	struct btrfs_root *root;
	int ret = btrfs_open_fs(w->image, &args, &w->fs_info);

	if (ret)
		return ret;
	/* "k" counts in the size of the directory that it is in. */
	ret = get_root(w, top, &root);
	if (!ret)
		ret = btrfs_lookup_inode(root, ROOT_INO, &item);
	if (!ret)
		m_find_inode(top, ROOT_INO)->size = le64toh(item.size);
	else
		close_image(w);
	return ret;
}

static int run_batch(struct workload *w, u64 batch)
{
	int ret = open_image(w);

	if (ret)
		return ret;
	if (below(w, 2) == 0)
		ret = btrfs_drop_dead_roots(w->fs_info, NULL);
	if (!ret)
		ret = w->nr_files ? make_files(w) : run_ops(w, w->nr_ops);
	if (!ret && w->manifest)
		ret = m_write_manifest(&w->model, w->manifest);
	if (!ret && w->abort && batch + 1 == w->nr_batches) {
		w->stop_commits = true;
		ret = run_ops(w, w->nr_ops);
	}
	close_image(w);
	if (!ret && w->hook && system(w->hook)) {
		error("batch %llu: the hook failed", batch);
		ret = -EIO;
	}
	return ret;
}

static bool parse_options(struct workload *w, int argc, char **argv)
{
	enum { SEED = 1, BATCHES, OPS, COMMIT, MANIFEST, HOOK, FILES, ABORT, DEGRADED };
	static const struct option options[] = {
		{ "seed", required_argument, NULL, SEED },
		{ "batches", required_argument, NULL, BATCHES },
		{ "ops", required_argument, NULL, OPS },
		{ "commit", required_argument, NULL, COMMIT },
		{ "manifest", required_argument, NULL, MANIFEST },
		{ "hook", required_argument, NULL, HOOK },
		{ "files", required_argument, NULL, FILES },
		{ "abort", no_argument, NULL, ABORT },
		{ "degraded", no_argument, NULL, DEGRADED },
		{ 0 },
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (opt) {
		case SEED:
			w->rng = (strtoull(optarg, NULL, 0) + 1) * 0x9e3779b97f4a7c15ULL;
			break;
		case BATCHES:
			w->nr_batches = strtoull(optarg, NULL, 0);
			break;
		case OPS:
			w->nr_ops = strtoull(optarg, NULL, 0);
			break;
		case COMMIT:
			w->commit_every = strtoull(optarg, NULL, 0);
			break;
		case MANIFEST:
			w->manifest = optarg;
			break;
		case HOOK:
			w->hook = optarg;
			break;
		case FILES:
			w->nr_files = strtoull(optarg, NULL, 0);
			break;
		case ABORT:
			w->abort = true;
			break;
		case DEGRADED:
			w->degraded = true;
			break;
		default:
			return false;
		}
	}
	if (optind >= argc)
		return false;
	w->image = argv[optind];
	w->devices = (const char *const *)argv + optind + 1;
	w->nr_devices = (unsigned int)(argc - optind - 1);
	return true;
}

int main(int argc, char **argv)
{
	static struct workload w = {
		.rng = 0x9e3779b97f4a7c15ULL,
		.nr_batches = 1,
		.nr_ops = 200,
		.commit_every = 20,
	};
	int ret = 0;

	if (!parse_options(&w, argc, argv)) {
		fprintf(stderr, "usage: trans-workload [OPTION...] IMAGE [DEVICE...]\n");
		return 2;
	}
	vec_init(&w.model.subvols, sizeof(struct m_subvol *));
	m_new_inode(m_new_subvol(&w.model, BTRFS_FS_TREE_OBJECTID, NULL), ROOT_INO, S_IFDIR | 0755);
	for (u64 batch = 0; !ret && batch < w.nr_batches; batch++)
		ret = run_batch(&w, batch);
	printf("%llu operations left out for want of space\n", w.nr_skipped);
	return ret ? 1 : 0;
}
