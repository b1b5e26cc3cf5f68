// SPDX-License-Identifier: GPL-2.0-only
/* Names for many subvolumes in one folder: no two alike, none too long, as few new as can be. */
#include "tests/unit/common-unit.h"

#include <stdlib.h>
#include <string.h>

#include "common/string-utils.h"
#include "kernel-shared/send-plan-names.h"
#include "kernel-shared/send-plan.h"

struct given {
	const char *path;
	const char *name;	/* what it should get */
};

/* The steps of subvolumes 256, 257... at these paths. */
static void make_steps(struct vec *steps, struct btrfs_root *roots, const char *const *paths,
		       size_t nr)
{
	vec_init(steps, sizeof(struct btrfs_send_step));
	for (size_t i = 0; i < nr; i++) {
		struct btrfs_send_step *step = vec_push(steps);
		const char *slash = strrchr(paths[i], '/');

		assert_non_null(step);
		roots[i].root_key.objectid = 256 + i;
		step->root = &roots[i];
		step->path = strdup(paths[i]);
		step->name = strdup(slash ? slash + 1 : paths[i]);
		assert_true(step->path && step->name);
	}
}

static void free_steps(struct vec *steps)
{
	struct btrfs_send_plan plan = { .steps = *steps };

	btrfs_send_plan_free(&plan);
}

static void check_names(const struct given *given, size_t nr)
{
	struct btrfs_root *roots = calloc(nr, sizeof(*roots));
	const char **paths = calloc(nr, sizeof(*paths));
	struct vec steps;

	assert_true(roots && paths);
	for (size_t i = 0; i < nr; i++)
		paths[i] = given[i].path;
	make_steps(&steps, roots, paths, nr);
	assert_int_equal(btrfs_send_plan_names(&steps), 0);
	for (size_t i = 0; i < nr; i++) {
		const struct btrfs_send_step *step = vec_at(&steps, i);
		const char *slash = strrchr(given[i].path, '/');

		assert_string_equal(step->name, given[i].name);
		assert_int_equal(step->renamed,
				 strcmp(slash ? slash + 1 : given[i].path, given[i].name) != 0);
	}
	free_steps(&steps);
	free(paths);
	free(roots);
}

static void different_names_stay(void **state)
{
	static const struct given given[] = {
		{ "a", "a" }, { "b/c", "c" }, { "b/d", "d" }, { "b", "b" },
	};

	check_names(given, 0);
	check_names(given, 1);
	check_names(given, ARRAY_SIZE(given));
}

static void equal_names_become_paths(void **state)
{
	static const struct given given[] = {
		{ "1/snapshot", "1-snapshot" },
		{ "other", "other" },
		{ "2/snapshot", "2-snapshot" },
		{ "a/b/2/snapshot", "a-b-2-snapshot" },
	};

	check_names(given, ARRAY_SIZE(given));
}

/* What the path would become may be the name of somebody, or the path of another. */
static void paths_that_look_alike_get_the_id(void **state)
{
	static const struct given given[] = {
		{ "1-snapshot", "1-snapshot" },
		{ "1/snapshot", "1-snapshot-257" },
		{ "a/b-c/x", "a-b-c-x" },
		{ "a-b/c/x", "a-b-c-x-259" },
		{ "2/snapshot", "2-snapshot" },
	};

	check_names(given, ARRAY_SIZE(given));
}

static void even_the_id_may_be_taken(void **state)
{
	static const struct given given[] = {
		{ "1-s", "1-s" },
		{ "1-s-258", "1-s-258" },
		{ "1/s", "1-s-258-2" },
		{ "2/s", "2-s" },
	};

	check_names(given, ARRAY_SIZE(given));
}

/* The top level has no path, and perhaps the name of another by its label. */
static void the_top_level_has_only_a_name(void **state)
{
	struct btrfs_root roots[2] = { 0 };
	static const char *const paths[] = { "data", "x/data" };
	const struct btrfs_send_step *step;
	struct vec steps;

	make_steps(&steps, roots, paths, 2);
	((struct btrfs_send_step *)vec_at(&steps, 0))->path[0] = '\0';
	assert_int_equal(btrfs_send_plan_names(&steps), 0);
	step = vec_at(&steps, 0);
	assert_string_equal(step->name, "data");
	step = vec_at(&steps, 1);
	assert_string_equal(step->name, "x-data");
	free_steps(&steps);
}

#define NR_LONG 300

/* Long paths that differ at their end alone, of characters of three bytes. */
static void long_paths_are_cut(void **state)
{
	static struct btrfs_root roots[NR_LONG];
	const char **paths = calloc(NR_LONG, sizeof(*paths));
	struct vec steps;

	assert_non_null(paths);
	for (int i = 0; i < NR_LONG; i++) {
		char *path = calloc(1, 4096);

		assert_non_null(path);
		for (int j = 0; j < i % 150 + 50; j++)
			strcat(path, j % 10 ? "\xe2\x82\xac" : "/");
		strcat(path, "/snapshot");
		paths[i] = path;
	}
	make_steps(&steps, roots, paths, NR_LONG);
	assert_int_equal(btrfs_send_plan_names(&steps), 0);
	for (size_t i = 0; i < NR_LONG; i++) {
		const struct btrfs_send_step *step = vec_at(&steps, i);

		assert_true(strlen(step->name) <= BTRFS_NAME_LEN);
		assert_true(is_utf8(step->name, strlen(step->name)));
		assert_null(strchr(step->name, '/'));
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(step->name,
				((const struct btrfs_send_step *)vec_at(&steps, j))->name);
	}
	free_steps(&steps);
	for (int i = 0; i < NR_LONG; i++)
		free((void *)paths[i]);
	free(paths);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(different_names_stay),
		cmocka_unit_test(equal_names_become_paths),
		cmocka_unit_test(paths_that_look_alike_get_the_id),
		cmocka_unit_test(even_the_id_may_be_taken),
		cmocka_unit_test(the_top_level_has_only_a_name),
		cmocka_unit_test(long_paths_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
