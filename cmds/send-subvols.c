// SPDX-License-Identifier: GPL-2.0-only
/*
 * btrfs send: the subvolumes that were named, and their streams one after the
 * other into one output.
 */
#include <errno.h>
#include <stdlib.h>

#include "cmds/send-common.h"
#include "common/message.h"
#include "kernel-shared/namei.h"
#include "kernel-shared/root-tree.h"

/* ---- what to send ---- */

/* Look a subvolume up and see that it can be sent. */
static int find_subvol(struct btrfs_fs_info *fs_info, const struct send_options *opts,
		       const char *path, struct btrfs_root **root)
{
	unsigned long nr_errors = message_nr_errors();
	int ret = btrfs_resolve_subvol(fs_info, path, root);

	if (ret == -ENOTSUP) {
		error("cannot send %s: it is not a subvolume", path);
		return ret;
	}
	if (ret) {
		if (message_nr_errors() == nr_errors)
			error("cannot send %s: %s", path, errno_text(ret));
		return ret;
	}
	if (btrfs_root_dead(*root)) {
		error("cannot send %s: it is being deleted", path);
		return -EPERM;
	}
	if (!opts->writable && !btrfs_root_readonly(*root)) {
		error("cannot send %s: it is not read-only; send it as it is (--writable), make a "
		      "read-only snapshot of it, or set it read-only where it is mounted "
		      "('btrfs property set PATH ro true')", path);
		return -EPERM;
	}
	return 0;
}

static int add_clone_source(struct send_roots *roots, struct btrfs_root *root)
{
	struct btrfs_root **known;

	vec_for_each(&roots->clone_sources, known)
		if (*known == root)
			return 0;
	return vec_push_copy(&roots->clone_sources, &root);
}

int send_find_roots(struct btrfs_fs_info *fs_info, const struct send_options *opts, char **paths,
		    unsigned int nr, struct send_roots *roots)
{
	struct btrfs_root *root;
	const char **path;
	int ret = 0;

	*roots = (struct send_roots) {
		.clone_sources = VEC_INIT(struct btrfs_root *),
		.subvols = calloc(nr, sizeof(*roots->subvols)),
		.paths = paths, .nr = nr,
	};
	if (!roots->subvols)
		return -ENOMEM;
	if (opts->parent) {
		ret = find_subvol(fs_info, opts, opts->parent, &roots->parent);
		if (!ret)
			ret = add_clone_source(roots, roots->parent);
	}
	vec_for_each(&opts->clone_sources, path) {
		if (!ret)
			ret = find_subvol(fs_info, opts, *path, &root);
		if (!ret)
			ret = add_clone_source(roots, root);
	}
	for (unsigned int i = 0; i < nr && !ret; i++)
		ret = find_subvol(fs_info, opts, paths[i], &roots->subvols[i]);
	return ret;
}

void send_roots_free(struct send_roots *roots)
{
	vec_free(&roots->clone_sources);
	free(roots->subvols);
}

void send_common_args(const struct send_options *opts, struct btrfs_send_args *args)
{
	*args = (struct btrfs_send_args){
		.proto = opts->proto, .skip_damaged = opts->skip_damaged,
	};
	if (opts->no_data)
		args->flags |= BTRFS_SEND_FLAG_NO_FILE_DATA;
	if (opts->compressed_data)
		args->flags |= BTRFS_SEND_FLAG_COMPRESSED;
}

int send_make_args(struct btrfs_fs_info *fs_info, const struct send_options *opts,
		   const struct send_roots *roots, unsigned int index,
		   struct btrfs_send_args *args)
{
	int ret;

	send_common_args(opts, args);
	args->root = roots->subvols[index];
	args->parent = roots->parent;
	args->clone_sources = roots->clone_sources.data;
	args->nr_clone_sources = (unsigned int)roots->clone_sources.nr;
	if (!opts->parent && opts->clone_sources.nr) {
		ret = btrfs_send_choose_parent(fs_info, args->root, args->clone_sources,
					       args->nr_clone_sources, &args->parent);
		if (ret) {
			error("cannot send %s: no parent found among the clone sources: %s",
			      roots->paths[index], errno_text(ret));
			return ret;
		}
	}
	if (opts->one_stream && index > 0)
		args->flags |= BTRFS_SEND_FLAG_OMIT_STREAM_HEADER;
	if (opts->one_stream && index + 1 < roots->nr)
		args->flags |= BTRFS_SEND_FLAG_OMIT_END_CMD;
	return 0;
}

int send_add_sent(const struct send_options *opts, struct send_roots *roots, unsigned int index)
{
	/*
	 * Full sends stay full, so that each can be received on its own, and a
	 * parent that was named is the only one.  Where parents are chosen, those
	 * that went before are candidates.
	 */
	if (opts->parent || !opts->clone_sources.nr)
		return 0;
	return add_clone_source(roots, roots->subvols[index]);
}

/* ---- sending ---- */

static int write_stream(void *ctx, const void *buf, size_t len)
{
	struct send_target *target = ctx;
	int ret = output_file_write(target->file, buf, len);

	if (ret)
		target->error = ret;
	return ret;
}

int send_stream(struct btrfs_fs_info *fs_info, struct btrfs_send_args *args, const char *name,
		struct send_target *target)
{
	struct btrfs_send_left_out left_out = { 0 };
	int ret;

	args->write = write_stream;
	args->write_ctx = target;
	args->left_out = &left_out;
	info("At subvol %s", name);
	ret = btrfs_send(fs_info, args);
	if (ret || !left_out.files)
		return ret;
	error("send of %s left out %llu bytes of %llu file%s", name, left_out.bytes,
	      left_out.files, left_out.files == 1 ? "" : "s");
	target->left_out = true;
	return 0;
}

int send_write_error(const char *path, int err)
{
	error("cannot write %s: %s", path ? path : "the stream", errno_text(err));
	return err;
}

static int send_each(struct btrfs_fs_info *fs_info, const struct send_options *opts,
		     struct send_roots *roots, struct send_target *target,
		     struct progress *progress)
{
	struct btrfs_send_args args;
	int ret = 0;

	for (unsigned int i = 0; i < roots->nr && !ret; i++) {
		ret = send_make_args(fs_info, opts, roots, i, &args);
		if (ret)
			return ret;
		args.progress = progress;
		ret = send_stream(fs_info, &args, roots->paths[i], target);
		if (!ret)
			ret = send_add_sent(opts, roots, i);
	}
	return ret;
}

/* The same with a bar, which wants to know how much there will be. */
static int send_with_progress(struct btrfs_fs_info *fs_info, const struct send_options *opts,
			      struct send_roots *roots, struct send_target *target)
{
	struct progress *progress = progress_begin(opts->progress, "Estimating", PROGRESS_BYTES, 0);
	u64 bytes = 0;
	int ret = 0;

	if (progress) {
		ret = send_count(fs_info, opts, roots, progress, &bytes);
		progress_end(progress);
		progress = progress_begin(opts->progress, "Sending", PROGRESS_BYTES, bytes);
	}
	if (!ret)
		ret = send_each(fs_info, opts, roots, target, progress);
	progress_end(progress);
	return ret;
}

int send_to_output(struct btrfs_fs_info *fs_info, const struct send_options *opts,
		   struct send_roots *roots)
{
	struct send_target target = { 0 };
	int ret;

	if (opts->outfile && open_fs_is_own_device(fs_info, opts->outfile)) {
		error("cannot write %s: it is what is being sent", opts->outfile);
		return -EBUSY;
	}
	ret = output_file_open(&target.file, opts->outfile);
	if (ret)
		return send_write_error(opts->outfile, ret);
	ret = send_with_progress(fs_info, opts, roots, &target);
	if (ret) {
		if (target.error)
			send_write_error(opts->outfile, target.error);
		output_file_abort(target.file);
		return ret;
	}
	ret = output_file_commit(target.file);
	if (ret)
		return send_write_error(opts->outfile, ret);
	/* The stream is whole, but not all that was asked for. */
	return target.left_out ? -EIO : 0;
}
