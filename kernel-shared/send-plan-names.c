// SPDX-License-Identifier: GPL-2.0-only
/*
 * Telling apart subvolumes of the same name.  Tools that make snapshots like to
 * call them all "snapshot", each in a directory of its own.
 */
#include "kernel-shared/send-plan-names.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>

#include "kernel-shared/send-plan.h"

/* The names that are taken, none of them owned here. */
struct name_set {
	void *tree;
};

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

static bool is_taken(const struct name_set *names, const char *name)
{
	return tfind(name, &names->tree, compare_names) != NULL;
}

static int take(struct name_set *names, const char *name)
{
	return tsearch(name, &names->tree, compare_names) ? 0 : -ENOMEM;
}

static void keep_string(void *name __unused)
{
}

static int compare_step_names(const void *pa, const void *pb)
{
	const struct btrfs_send_step *const *a = pa, *const *b = pb;

	return strcmp((*a)->name, (*b)->name);
}

/* Mark those who share a name with another; take the names of the others. */
static int find_homonyms(struct vec *steps, struct name_set *names)
{
	struct vec sorted = VEC_INIT(struct btrfs_send_step *);
	struct btrfs_send_step *step, **at;
	int ret = 0;

	vec_for_each(steps, step) {
		ret = vec_push_copy(&sorted, &step);
		if (ret)
			break;
	}
	if (!ret)
		vec_sort(&sorted, compare_step_names);
	at = sorted.data;
	for (size_t i = 0; i < sorted.nr && !ret; i++) {
		at[i]->renamed = (i > 0 && strcmp(at[i - 1]->name, at[i]->name) == 0) ||
				 (i + 1 < sorted.nr && strcmp(at[i + 1]->name, at[i]->name) == 0);
		if (!at[i]->renamed)
			ret = take(names, at[i]->name);
	}
	vec_free(&sorted);
	return ret;
}

/* The path in one piece; the top level has only its name. */
static char *flat_path(const struct btrfs_send_step *step)
{
	char *flat = strdup(*step->path ? step->path : step->name);

	if (flat)
		for (char *at = flat; (at = strchr(at, '/')) != NULL;)
			*at = '-';
	return flat;
}

/* Cut so that an id fits behind it, and not in the middle of a character. */
static size_t prefix_len(const char *text, size_t max)
{
	size_t len = strnlen(text, max + 1);

	if (len <= max)
		return len;
	len = max;
	while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
		len--;
	return len;
}

static int rename_step(struct btrfs_send_step *step, struct name_set *names)
{
	char *flat = flat_path(step), *name = flat;
	unsigned int nr = 1;
	int ret = 0;

	/* The first that is free: PATH, PATH-ID, PATH-ID-2... */
	while (!ret && (!name || strlen(name) > BTRFS_NAME_LEN || is_taken(names, name))) {
		char suffix[40] = "";

		if (nr > 1)
			snprintf(suffix, sizeof(suffix), "-%u", nr);
		if (name != flat)
			free(name);
		if (!flat || asprintf(&name, "%.*s-%llu%s",
				      (int)prefix_len(flat, BTRFS_NAME_LEN - 40), flat,
				      btrfs_root_id(step->root), suffix) < 0) {
			name = NULL;
			ret = -ENOMEM;
		}
		nr++;
	}
	if (name != flat)
		free(flat);
	if (ret)
		return ret;
	free(step->name);
	step->name = name;
	return take(names, name);
}

int btrfs_send_plan_names(struct vec *steps)
{
	struct name_set names = { NULL };
	struct btrfs_send_step *step;
	int ret = find_homonyms(steps, &names);

	vec_for_each(steps, step) {
		if (!ret && step->renamed)
			ret = rename_step(step, &names);
	}
	tdestroy(names.tree, keep_string);
	return ret;
}
