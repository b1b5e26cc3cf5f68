// SPDX-License-Identifier: GPL-2.0-only
/*
 * btrfs rescue undo: put back what an operation with --undo has overwritten.
 *
 * Nothing is written before all images have been found to be those of the undo file,
 * and as the operation left them.
 */
#include "cmds/cmds.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "cmds/open-fs.h"
#include "common/lockfile.h"
#include "common/message.h"
#include "common/string-utils.h"
#include "common/undo-file.h"
#include "common/units.h"
#include "kernel-shared/locking.h"
#include "kernel-shared/undo.h"

static const char *const cmd_rescue_undo_usage[] = {
	"btrfs rescue undo [options] <undo-file> <image> [<image>...]",
	"Make devices or images what they were before an operation with --undo",
	"",
	"Every device that the operation has written must be given, in any order.",
	"An image that something else has changed since is refused, and left alone.",
	"When the operation was interrupted that cannot be seen, and all that it may",
	"have changed is put back.",
	"",
	"--dry-run           compare only, and tell what would be put back",
	"--progress <WHEN>   show how far it is: auto (on a terminal, the default), always",
	"                    or never",
	NULL,
};

enum {
	OPT_DRY_RUN = OPTION_FIRST_LONG,
	OPT_PROGRESS,
};

struct undo_options {
	bool dry_run;
	enum progress_mode progress;
};

/* An image that was named. */
struct image {
	const char *name;
	char *path;		/* without symbolic links, to be compared */
	struct blockdev *dev;
	char id[BTRFS_UNDO_ID_LEN];
	u8 fsid[BTRFS_FSID_SIZE];
	bool has_super;
	struct lockfile *lock;	/* of its fsid; one image of a file system has it */
	bool matched;
	size_t index;		/* of its device in the undo file */
	struct undo_counts counts;
};

struct undo_run {
	const struct undo_options *opts;
	struct undo_file *undo;
	struct image *images;
	size_t nr_images;
};

/* ---- opening the images ---- */

static int open_error(const struct image *image, int ret)
{
	if (ret == -EWOULDBLOCK)
		error("cannot open %s: another program uses it", image->name);
	else
		error("cannot open %s: %s", image->name, ret == -ENOTBLK ?
		      "neither a block device nor a regular file" : errno_text(ret));
	return ret;
}

/* Who it is, as far as a superblock tells. */
static int identify(struct image *image)
{
	struct btrfs_super_block sb;
	struct blockdev *dev;
	int ret = blockdev_open(image->name, BLOCKDEV_NO_LOCK, &dev);

	if (ret)
		return open_error(image, ret);
	image->has_super = btrfs_undo_read_super(dev, &sb);
	blockdev_close(dev);
	if (image->has_super)
		memcpy(image->fsid, sb.fsid, BTRFS_FSID_SIZE);
	btrfs_undo_id(image->has_super ? &sb : NULL, image->id);
	image->path = realpath(image->name, NULL);
	return image->path ? 0 : open_error(image, -errno);
}

static bool fsid_is_locked(const struct undo_run *run, const u8 *fsid)
{
	for (size_t i = 0; i < run->nr_images; i++) {
		if (run->images[i].lock &&
		    memcmp(run->images[i].fsid, fsid, BTRFS_FSID_SIZE) == 0)
			return true;
	}
	return false;
}

/* The lock wants no more of a file system than its fsid, and what to call it. */
static int lock_fsid(const struct undo_run *run, struct image *image)
{
	struct btrfs_fs_info fs_info = { 0 };
	int ret;

	if (!image->has_super || fsid_is_locked(run, image->fsid))
		return 0;
	fs_info.name = image->path;
	memcpy(fs_info.fsid, image->fsid, BTRFS_FSID_SIZE);
	ret = btrfs_pin_lockfile(&fs_info, !run->opts->dry_run, "rescue undo", 0);
	image->lock = fs_info.lockfile;
	return ret;
}

static int open_image(const struct undo_run *run, struct image *image)
{
	unsigned int flags = run->opts->dry_run ? BLOCKDEV_RDONLY : BLOCKDEV_WRITE;
	int ret = open_fs_refuse_mounted(image->name);

	if (!ret)
		ret = identify(image);
	if (!ret)
		ret = lock_fsid(run, image);
	if (ret)
		return ret;
	ret = blockdev_open(image->name, flags, &image->dev);
	return ret ? open_error(image, ret) : 0;
}

static int open_images(struct undo_run *run, char **names)
{
	int ret = 0;

	run->images = calloc(run->nr_images, sizeof(*run->images));
	if (!run->images) {
		error("cannot undo: %s", errno_text(-ENOMEM));
		return -ENOMEM;
	}
	for (size_t i = 0; i < run->nr_images; i++)
		run->images[i].name = names[i];
	for (size_t i = 0; !ret && i < run->nr_images; i++)
		ret = open_image(run, &run->images[i]);
	return ret;
}

static void close_images(struct undo_run *run)
{
	for (size_t i = 0; run->images && i < run->nr_images; i++) {
		blockdev_close(run->images[i].dev);
		lockfile_release(run->images[i].lock);
		free(run->images[i].path);
	}
	free(run->images);
}

/* ---- which image is which device ---- */

/* How much speaks for it: that it is the same device, and in the same place. */
static int likeness(const struct image *image, const struct undo_device *udev)
{
	return (udev->id[0] && strcmp(image->id, udev->id) == 0 ? 2 : 0) +
	       (strcmp(image->path, udev->path) == 0 ? 1 : 0);
}

static struct image *likeliest_image(const struct undo_run *run, const struct undo_device *udev)
{
	/* The content of all will be compared with what a finished operation left. */
	int best_likeness = run->undo->finished ? -1 : 0;
	struct image *best = NULL;

	for (size_t i = 0; i < run->nr_images; i++) {
		struct image *image = &run->images[i];

		if (!image->matched && likeness(image, udev) > best_likeness) {
			best = image;
			best_likeness = likeness(image, udev);
		}
	}
	return best;
}

/* The strings of an undo file are whatever somebody wrote there. */
static int no_image_for(const struct undo_device *udev)
{
	char path[ESCAPED_SIZE(256)], id[ESCAPED_SIZE(256)];

	escape_path(udev->path, strlen(udev->path), path, sizeof(path));
	escape_path(udev->id, strlen(udev->id), id, sizeof(id));
	error("cannot undo: none of the images is the device that was %s%s%s", path,
	      id[0] ? ", " : "", id);
	return -ENODEV;
}

/* Only where nothing else can tell: an operation may have made a new file system. */
static void warn_of_stranger(const struct undo_run *run, const struct image *image,
			     const struct undo_device *udev)
{
	if (!run->undo->finished && udev->id[0] && image->has_super &&
	    strcmp(image->id, udev->id) != 0)
		warning("%s holds another file system than before the operation", image->name);
}

static int match_images(struct undo_run *run)
{
	struct image *image;

	for (size_t i = 0; i < run->undo->devices.nr; i++) {
		const struct undo_device *udev = undo_file_device(run->undo, i);

		if (!undo_device_touched(udev))
			continue;
		image = likeliest_image(run, udev);
		if (!image)
			return no_image_for(udev);
		warn_of_stranger(run, image, udev);
		image->matched = true;
		image->index = i;
	}
	for (size_t i = 0; i < run->nr_images; i++) {
		image = &run->images[i];
		if (image->matched)
			continue;
		error("cannot undo %s: %s has nothing about it", image->name, run->undo->path);
		return -EINVAL;
	}
	return 0;
}

/* ---- the work ---- */

static bool is_undone(const struct image *image)
{
	return !image->counts.bytes_different && !image->counts.resize;
}

static void report_operation(const struct undo_run *run)
{
	char when[32] = "at an unknown time", what[ESCAPED_SIZE(sizeof(run->undo->what))];
	time_t begun = (time_t)run->undo->time;
	struct tm tm;

	if (localtime_r(&begun, &tm))
		strftime(when, sizeof(when), "%F %T", &tm);
	escape_path(run->undo->what, strlen(run->undo->what), what, sizeof(what));
	info("undoing '%s', begun %s", what, when);
	if (!run->undo->finished)
		warning("%s: the operation did not end, so changes since then cannot be seen: "
			"all that it may have changed is put back", run->undo->path);
	if (run->undo->torn)
		pr_verbose(MSG_VERBOSE, "%s: the last records are not whole; nothing relied on "
			   "them", run->undo->path);
}

static void report_image(const struct undo_run *run, const struct image *image)
{
	const struct undo_device *udev = undo_file_device(run->undo, image->index);
	char different[PRETTY_SIZE_LEN], saved[PRETTY_SIZE_LEN];

	if (message_verbosity() <= MSG_QUIET)
		return;
	if (is_undone(image)) {
		printf("%s: is as it was before\n", image->name);
		return;
	}
	printf("%s: %s of the %s saved differ", image->name,
	       pretty_size(image->counts.bytes_different, different),
	       pretty_size(udev->bytes, saved));
	if (image->counts.resize)
		printf(", the size was %llu bytes", udev->old_size);
	printf("\n");
}

static u64 bytes_of_all(const struct undo_run *run)
{
	u64 bytes = 0;

	for (size_t i = 0; i < run->nr_images; i++)
		bytes += undo_file_device(run->undo, run->images[i].index)->bytes;
	return bytes;
}

static int verify_images(struct undo_run *run)
{
	struct progress *progress = progress_begin(run->opts->progress, "Comparing",
						   PROGRESS_BYTES, bytes_of_all(run));
	int ret = 0;

	for (size_t i = 0; !ret && i < run->nr_images; i++) {
		struct image *image = &run->images[i];

		ret = undo_file_verify(run->undo, image->index, image->dev, &image->counts,
				       progress);
	}
	progress_end(progress);
	return ret;
}

static int apply_images(struct undo_run *run)
{
	struct progress *progress = progress_begin(run->opts->progress, "Putting back",
						   PROGRESS_BYTES, bytes_of_all(run));
	int ret = 0;

	for (size_t i = 0; !ret && i < run->nr_images; i++) {
		struct image *image = &run->images[i];

		if (!is_undone(image))
			ret = undo_file_apply(run->undo, image->index, image->dev, progress);
	}
	progress_end(progress);
	for (size_t i = 0; !ret && i < run->nr_images; i++) {
		if (!is_undone(&run->images[i]))
			info("%s is again as it was before", run->images[i].name);
	}
	return ret;
}

static bool anything_touched(const struct undo_file *undo)
{
	for (size_t i = 0; i < undo->devices.nr; i++) {
		if (undo_device_touched(undo_file_device(undo, i)))
			return true;
	}
	return false;
}

static int undo_images(struct undo_run *run, char **names)
{
	int ret = open_images(run, names);

	if (!ret)
		ret = match_images(run);
	if (ret)
		return ret;
	report_operation(run);
	ret = verify_images(run);
	for (size_t i = 0; !ret && i < run->nr_images; i++)
		report_image(run, &run->images[i]);
	if (ret || run->opts->dry_run)
		return ret;
	return apply_images(run);
}

static int rescue_undo(const struct undo_options *opts, const char *file, char **names, size_t nr)
{
	struct undo_run run = { .opts = opts, .nr_images = nr };
	int ret = undo_file_open(file, &run.undo);

	if (ret)
		return ret;
	if (anything_touched(run.undo))
		ret = undo_images(&run, names);
	else
		info("nothing to undo: the operation had not begun to write");
	close_images(&run);
	undo_file_close(run.undo);
	return ret;
}

static int cmd_rescue_undo_fn(const struct cmd *cmd, int argc, char **argv)
{
	static const struct option longopts[] = {
		{ "dry-run", no_argument, NULL, OPT_DRY_RUN },
		{ "progress", required_argument, NULL, OPT_PROGRESS },
		{ NULL, 0, NULL, 0 },
	};
	struct undo_options opts = { .progress = PROGRESS_AUTO };
	int c;

	while ((c = options_next(argc, argv, "", longopts)) != OPTION_END) {
		switch (c) {
		case OPT_DRY_RUN:
			opts.dry_run = true;
			break;
		case OPT_PROGRESS:
			if (progress_mode_parse(optarg, &opts.progress))
				return usage_error(cmd, "unknown progress mode '%s': auto, always "
						   "or never", optarg);
			break;
		default:
			return cmd_option_exit(cmd, c);
		}
	}
	if (check_operands(cmd, argc, 2, -1))
		return CMD_USAGE;
	return rescue_undo(&opts, argv[optind], argv + optind + 1, (size_t)(argc - optind - 1)) ?
		CMD_FAILED : CMD_OK;
}

const struct cmd cmd_rescue_undo = {
	.name = "undo",
	.fn = cmd_rescue_undo_fn,
	.usage = cmd_rescue_undo_usage,
};
