// SPDX-License-Identifier: GPL-2.0-only
/*
 * Opening an unmounted file system for a command: the options that every such
 * command has, and the refusal of what is mounted.
 *
 * A mounted file system changes under our hands, so what we read would be a mix
 * of states.  Whether it is mounted is asked of the kernel twice: mountinfo
 * knows the place but names one device of a file system only (and only mounts
 * of our own namespace), sysfs lists every device of every btrfs in use.
 */
#include "cmds/open-fs.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/message.h"
#include "common/string-utils.h"
#include "common/vec.h"
#include "kernel-shared/volumes.h"

/* ---- options ---- */

bool open_fs_parse(struct open_fs_options *opts, int opt, const char *arg)
{
	const char **devices;

	switch (opt) {
	case GETOPT_VAL_DEVICE:
		devices = realloc(opts->devices, (opts->nr_devices + 1) * sizeof(*devices));
		/* Without memory for a pointer nothing that follows could work. */
		if (!devices) {
			error("cannot take --device %s: %s", arg, errno_text(-ENOMEM));
			return false;
		}
		opts->devices = devices;
		opts->devices[opts->nr_devices++] = arg;
		return true;
	case GETOPT_VAL_FORCE:
		opts->force = true;
		return true;
	default:
		return false;
	}
}

void open_fs_options_free(struct open_fs_options *opts)
{
	free(opts->devices);
	opts->devices = NULL;
	opts->nr_devices = 0;
}

/* ---- is it mounted? ---- */

/* mountinfo writes blanks, newlines and backslashes as \ooo; undo that in place. */
static void unescape_octal(char *str)
{
	char *out = str;

	while (*str) {
		if (str[0] == '\\' && str[1] >= '0' && str[1] <= '3' && str[2] >= '0' &&
		    str[2] <= '7' && str[3] >= '0' && str[3] <= '7') {
			*out++ = (char)((str[1] - '0') << 6 | (str[2] - '0') << 3 | (str[3] - '0'));
			str += 4;
		} else {
			*out++ = *str++;
		}
	}
	*out = '\0';
}

/* One line of mountinfo, cut into the fields that matter here. */
struct mount_line {
	dev_t dev;
	char *mount_point;
	char *source;
};

static bool parse_mount_line(char *line, struct mount_line *mount)
{
	unsigned int major_nr, minor_nr;
	char *field, *rest = line;
	int i;

	for (i = 0; (field = strsep(&rest, " \n")) != NULL; i++) {
		if (i == 2) {
			if (sscanf(field, "%u:%u", &major_nr, &minor_nr) != 2)
				return false;
			mount->dev = makedev(major_nr, minor_nr);
		} else if (i == 4) {
			mount->mount_point = field;
		} else if (i > 5 && strcmp(field, "-") == 0) {
			break;
		}
	}
	/* After the dash: type, then source. */
	if (!field || !strsep(&rest, " \n"))
		return false;
	mount->source = strsep(&rest, " \n");
	if (!mount->source)
		return false;
	unescape_octal(mount->mount_point);
	unescape_octal(mount->source);
	return true;
}

static bool is_mount_of(const struct mount_line *mount, dev_t dev)
{
	struct stat st;

	/* btrfs mounts have a device number of their own: their source tells. */
	if (mount->dev == dev)
		return true;
	return mount->source[0] == '/' && stat(mount->source, &st) == 0 &&
	       S_ISBLK(st.st_mode) && st.st_rdev == dev;
}

/* Where @dev is mounted, allocated; NULL when mountinfo does not know it. */
static char *mount_point_of(dev_t dev)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	struct mount_line mount = { 0 };
	char *line = NULL, *found = NULL;
	size_t size = 0;

	if (!file)
		return NULL;
	while (!found && getline(&line, &size, file) > 0) {
		if (parse_mount_line(line, &mount) && is_mount_of(&mount, dev))
			found = strdup(mount.mount_point);
	}
	free(line);
	fclose(file);
	return found;
}

/* A btrfs that is mounted somewhere, in whatever namespace, has @dev as a device. */
static bool used_by_btrfs(dev_t dev)
{
	char link[64], target[PATH_MAX], entry[PATH_MAX];
	const char *name;
	struct dirent *fs;
	bool used = false;
	ssize_t len;
	DIR *dir;

	snprintf(link, sizeof(link), "/sys/dev/block/%u:%u", major(dev), minor(dev));
	len = readlink(link, target, sizeof(target) - 1);
	if (len < 0)
		return false;
	target[len] = '\0';
	name = strrchr(target, '/');
	name = name ? name + 1 : target;

	dir = opendir("/sys/fs/btrfs");
	if (!dir)
		return false;
	while (!used && (fs = readdir(dir)) != NULL) {
		len = snprintf(entry, sizeof(entry), "/sys/fs/btrfs/%s/devices/%s", fs->d_name,
			       name);
		used = fs->d_name[0] != '.' && len < (ssize_t)sizeof(entry) &&
		       access(entry, F_OK) == 0;
	}
	closedir(dir);
	return used;
}

/* The first line of a small file, without its newline. */
static bool read_line(const char *path, char *buf, size_t size)
{
	FILE *file = fopen(path, "re");
	bool ok;

	if (!file)
		return false;
	ok = fgets(buf, (int)size, file) != NULL;
	if (ok)
		buf[strcspn(buf, "\n")] = '\0';
	fclose(file);
	return ok;
}

/* Add the number of loop device @name to @devs if it stands for the file @st. */
static int add_if_backed(const char *name, const struct stat *st, struct vec *devs)
{
	char path[NAME_MAX + 64], line[PATH_MAX + 16];
	unsigned int major_nr, minor_nr;
	struct stat backing;
	dev_t dev;

	snprintf(path, sizeof(path), "/sys/block/%s/loop/backing_file", name);
	if (!read_line(path, line, sizeof(line)) || stat(line, &backing) ||
	    backing.st_dev != st->st_dev || backing.st_ino != st->st_ino)
		return 0;
	snprintf(path, sizeof(path), "/sys/block/%s/dev", name);
	if (!read_line(path, line, sizeof(line)) ||
	    sscanf(line, "%u:%u", &major_nr, &minor_nr) != 2)
		return 0;
	dev = makedev(major_nr, minor_nr);
	return vec_push_copy(devs, &dev);
}

static int add_loop_devices(const struct stat *st, struct vec *devs)
{
	DIR *dir = opendir("/sys/block");
	struct dirent *block;
	int ret = 0;

	if (!dir)
		return 0;
	while (!ret && (block = readdir(dir)) != NULL) {
		if (string_has_prefix(block->d_name, "loop"))
			ret = add_if_backed(block->d_name, st, devs);
	}
	closedir(dir);
	return ret;
}

/* Collect the block devices that @path is or stands behind. */
static int collect_block_devices(const char *path, struct vec *devs)
{
	struct stat st;

	/* What cannot be seen is for the opening to complain about. */
	if (stat(path, &st))
		return 0;
	if (S_ISBLK(st.st_mode))
		return vec_push_copy(devs, &st.st_rdev);
	if (S_ISREG(st.st_mode))
		return add_loop_devices(&st, devs);
	return 0;
}

/* -EBUSY, said with @hint behind it, when @path is mounted. */
static int refuse_mounted_with(const char *path, const char *hint)
{
	struct vec devs = VEC_INIT(dev_t);
	char *where = NULL;
	bool used = false;
	dev_t *dev;
	int ret;

	ret = collect_block_devices(path, &devs);
	vec_for_each(&devs, dev) {
		where = mount_point_of(*dev);
		used = where || used_by_btrfs(*dev);
		if (used)
			break;
	}
	if (used)
		error("cannot open %s: it is mounted%s%s%s", path, where ? " at " : "",
		      where ? where : "", hint);
	free(where);
	vec_free(&devs);
	return ret ? ret : used ? -EBUSY : 0;
}

static int refuse_mounted(const char *path)
{
	return refuse_mounted_with(path, " (--force reads it nevertheless)");
}

int open_fs_refuse_mounted(const char *path)
{
	return refuse_mounted_with(path, "");
}

/* Whether writing to @path would write to @device, under whatever name. */
static bool is_same_storage(const char *path, const char *device)
{
	struct vec path_devs = VEC_INIT(dev_t), device_devs = VEC_INIT(dev_t);
	struct stat a, b;
	dev_t *x, *y;
	bool same;

	if (stat(path, &a) || stat(device, &b))
		return false;
	same = a.st_dev == b.st_dev && a.st_ino == b.st_ino;
	/* Without memory nothing can be compared: better refuse. */
	if (collect_block_devices(path, &path_devs) || collect_block_devices(device, &device_devs))
		same = true;
	vec_for_each(&path_devs, x)
		vec_for_each(&device_devs, y)
			same = same || *x == *y;
	vec_free(&path_devs);
	vec_free(&device_devs);
	return same;
}

bool open_fs_is_own_device(const struct btrfs_fs_info *fs_info, const char *path)
{
	const struct btrfs_fs_devices *devs = fs_info->fs_devices;

	for (unsigned int i = 0; i < devs->nr_devices; i++)
		if (devs->devices[i]->bdev && is_same_storage(path, devs->devices[i]->bdev->path))
			return true;
	return false;
}

/* ---- opening ---- */

static int refuse_named(const char *path, const struct open_fs_options *opts)
{
	int ret = refuse_mounted(path);

	for (unsigned int i = 0; !ret && i < opts->nr_devices; i++)
		ret = refuse_mounted(opts->devices[i]);
	return ret;
}

/* The devices that were found by their fsid. */
static int refuse_found(const struct btrfs_fs_info *fs_info)
{
	const struct btrfs_fs_devices *devs = fs_info->fs_devices;
	int ret = 0;

	for (unsigned int i = 0; !ret && i < devs->nr_devices; i++) {
		if (devs->devices[i]->bdev)
			ret = refuse_mounted(devs->devices[i]->bdev->path);
	}
	return ret;
}

int open_fs_readonly(const char *path, const struct open_fs_options *opts,
		     const struct btrfs_open_args *more, struct btrfs_fs_info **ret_fs)
{
	struct btrfs_open_args args = more ? *more : (struct btrfs_open_args){ 0 };
	int ret;

	args.devices = opts->devices;
	args.nr_devices = opts->nr_devices;
	args.ignore_lock = opts->force;
	if (opts->cache_bytes)
		args.cache_bytes = opts->cache_bytes;
	if (!opts->force) {
		ret = refuse_named(path, opts);
		if (ret)
			return ret;
	}
	ret = btrfs_open_fs(path, &args, ret_fs);
	if (ret || opts->force)
		return ret;
	ret = refuse_found(*ret_fs);
	if (ret) {
		btrfs_close_fs(*ret_fs);
		*ret_fs = NULL;
	}
	return ret;
}
