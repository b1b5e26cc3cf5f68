// SPDX-License-Identifier: GPL-2.0-only
/* Lists, vectors, the u64 map and red-black trees, each against a plain array. */
#include "tests/unit/common-unit.h"

#include <errno.h>
#include <stdlib.h>

#include "common/hashtable.h"
#include "common/list.h"
#include "common/rbtree.h"
#include "common/vec.h"

/* ---- list */

struct list_item {
	struct list_head list;
	int value;
};

static void assert_list(struct list_head *head, const int *want, size_t nr)
{
	struct list_item *item;
	size_t i = 0;

	list_for_each_entry(item, head, list) {
		assert_true(i < nr);
		assert_int_equal(item->value, want[i++]);
	}
	assert_int_equal(i, nr);
	list_for_each_entry_reverse(item, head, list)
		assert_int_equal(item->value, want[--i]);
	assert_int_equal(i, 0);
}

static void list_keeps_order(void **state)
{
	struct list_item items[5];
	struct list_item *item, *next;
	LIST_HEAD(a);
	LIST_HEAD(b);

	assert_true(list_empty(&a));
	assert_null(list_first_entry_or_null(&a, struct list_item, list));
	for (int i = 0; i < 5; i++)
		items[i].value = i;
	list_add_tail(&items[0].list, &a);
	assert_true(list_is_singular(&a));
	list_add_tail(&items[1].list, &a);
	list_add(&items[2].list, &a);
	assert_list(&a, (int[]){ 2, 0, 1 }, 3);
	assert_true(list_is_last(&items[1].list, &a));
	assert_ptr_equal(list_last_entry(&a, struct list_item, list), &items[1]);

	list_add(&items[3].list, &b);
	list_add_tail(&items[4].list, &b);
	list_splice_tail_init(&b, &a);
	assert_true(list_empty(&b));
	assert_list(&a, (int[]){ 2, 0, 1, 3, 4 }, 5);
	list_splice_init(&a, &b);
	assert_list(&b, (int[]){ 2, 0, 1, 3, 4 }, 5);
	list_move_tail(&items[2].list, &b);
	list_move(&items[1].list, &a);
	assert_list(&b, (int[]){ 0, 3, 4, 2 }, 4);
	list_for_each_entry_safe(item, next, &b, list) {
		if (item->value >= 3)
			list_del(&item->list);
	}
	assert_list(&b, (int[]){ 0, 2 }, 2);
	list_del_init(&items[0].list);
	assert_true(list_empty(&items[0].list));
}

/* ---- vec */

static int compare_ints(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void vec_grows_and_sorts(void **state)
{
	struct vec v = VEC_INIT(int);
	int i = 0;
	int *p;

	vec_for_each(&v, p)
		fail();
	assert_null(vec_last(&v));
	for (i = 0; i < 1000; i++) {
		p = vec_push(&v);
		assert_non_null(p);
		assert_int_equal(*p, 0);
		*p = (i * 7919) % 1000;
	}
	vec_sort(&v, compare_ints);
	i = 0;
	vec_for_each(&v, p)
		assert_int_equal(*p, i++);
	assert_int_equal(i, 1000);
	vec_remove(&v, 0);
	vec_remove(&v, 998);
	vec_remove(&v, 998);
	vec_pop(&v);
	assert_int_equal(v.nr, 997);
	assert_int_equal(*(int *)vec_at(&v, 0), 1);
	assert_int_equal(*(int *)vec_last(&v), 997);
	vec_clear(&v);
	assert_int_equal(v.nr, 0);
	i = 5;
	assert_int_equal(vec_push_copy(&v, &i), 0);
	assert_int_equal(*(int *)vec_last(&v), 5);
	vec_free(&v);
	assert_null(v.data);
}

static void vec_of_bytes(void **state)
{
	struct vec v = VEC_INIT(char);
	/* The compiler must not know: it refuses the call below. */
	volatile size_t too_large = (size_t)-1;

	for (int i = 0; i < 100; i++)
		assert_int_equal(vec_append_bytes(&v, "0123456789", 10), 0);
	assert_int_equal(vec_append_bytes(&v, NULL, 0), 0);
	assert_int_equal(v.nr, 1000);
	assert_memory_equal((char *)v.data + 990, "0123456789", 10);
	/* A size that overflows leaves it as it was. */
	assert_int_equal(vec_append_bytes(&v, "x", too_large), -ENOMEM);
	assert_int_equal(v.nr, 1000);
	vec_free(&v);

	vec_init(&v, 1 << 20);
	assert_int_equal(vec_reserve(&v, (size_t)-1 / 4), -ENOMEM);
	assert_null(v.data);
}

/* ---- u64_map */

static void *as_value(u64 n)
{
	return (void *)(uintptr_t)n;
}

static void map_equals_an_array(void **state)
{
	enum { NR_KEYS = 3000, NR_STEPS = 60000 };
	static bool present[NR_KEYS];
	static u64 values[NR_KEYS];
	struct u64_map map = U64_MAP_INIT;
	u64 rnd = 4;
	size_t nr = 0, pos = 0, seen = 0;
	void *value;
	u64 key;

	assert_null(u64_map_find(&map, 1));
	assert_null(u64_map_remove(&map, 1));
	for (u64 step = 1; step <= NR_STEPS; step++) {
		/* Multiples of 4096, as block addresses are, 0 among them. */
		size_t i = test_random(&rnd) % NR_KEYS;
		int ret;

		key = (u64)i << 12;
		switch (test_random(&rnd) % 4) {
		case 0:
			ret = u64_map_insert(&map, key, as_value(step));
			assert_int_equal(ret, present[i] ? -EEXIST : 0);
			if (ret == 0)
				values[i] = step;
			nr += !present[i];
			present[i] = true;
			break;
		case 1:
			assert_int_equal(u64_map_set(&map, key, as_value(step)), 0);
			values[i] = step;
			nr += !present[i];
			present[i] = true;
			break;
		case 2:
			assert_ptr_equal(u64_map_remove(&map, key),
					 present[i] ? as_value(values[i]) : NULL);
			nr -= present[i];
			present[i] = false;
			break;
		case 3:
			value = NULL;
			assert_int_equal(u64_map_lookup(&map, key, &value), present[i]);
			if (present[i])
				assert_ptr_equal(value, as_value(values[i]));
			break;
		}
		assert_int_equal(map.nr, nr);
	}
	while (u64_map_next(&map, &pos, &key, &value)) {
		assert_true(present[key >> 12]);
		assert_ptr_equal(value, as_value(values[key >> 12]));
		present[key >> 12] = false;
		seen++;
	}
	assert_int_equal(seen, nr);
	u64_map_free(&map);
	assert_int_equal(map.nr, 0);
}

static void map_takes_extreme_keys(void **state)
{
	struct u64_map map;
	int a, b;

	u64_map_init(&map);
	assert_int_equal(u64_map_insert(&map, ~0ULL, &a), 0);
	assert_int_equal(u64_map_insert(&map, 0, &b), 0);
	assert_int_equal(u64_map_insert(&map, 0, &a), -EEXIST);
	assert_ptr_equal(u64_map_find(&map, ~0ULL), &a);
	assert_ptr_equal(u64_map_find(&map, 0), &b);
	assert_ptr_equal(u64_map_remove(&map, 0), &b);
	assert_false(u64_map_lookup(&map, 0, NULL));
	assert_true(u64_map_lookup(&map, ~0ULL, NULL));
	/* A key may have no value. */
	assert_int_equal(u64_map_insert(&map, 5, NULL), 0);
	assert_true(u64_map_lookup(&map, 5, NULL));
	u64_map_free(&map);
}

/* x with x ^ (x >> 32) == h. */
static u64 undo_fold(u64 h)
{
	return h ^ (h >> 32);
}

/* The inverse of an odd number modulo 2^64, by Newton's steps. */
static u64 inverse(u64 odd)
{
	u64 x = odd;

	for (int i = 0; i < 6; i++)
		x *= 2 - odd * x;
	return x;
}

/*
 * Keys whose hashes under the first function end in the same 32 bits.  If the
 * table stayed with that function, 30000 inserts would take 450 million steps.
 */
static void map_survives_chosen_keys(void **state)
{
	const u64 inv = inverse(0xd6e8feb86659fd93ULL);
	struct u64_map map = U64_MAP_INIT;

	for (u64 i = 1; i <= 30000; i++) {
		u64 h = undo_fold(i << 32 | 0x1234);

		h = undo_fold(h * inv);
		h = undo_fold(h * inv);
		assert_int_equal(u64_map_insert(&map, h, as_value(i)), 0);
	}
	assert_int_equal(map.nr, 30000);
	assert_true(map.seed > 0);
	u64_map_free(&map);
}

/* ---- rbtree */

struct tree_item {
	struct rb_node node;
	u64 key;
	bool in_tree;
};

static void tree_insert(struct rb_root *root, struct tree_item *item)
{
	struct rb_node **p = &root->rb_node, *parent = NULL;

	while (*p) {
		parent = *p;
		p = item->key < rb_entry(parent, struct tree_item, node)->key ? &parent->rb_left :
										&parent->rb_right;
	}
	rb_link_node(&item->node, parent, p);
	rb_insert_color(&item->node, root);
}

/* The rules of the colours, and the parents; returns the black height. */
static int check_subtree(const struct rb_node *node, const struct rb_node *parent)
{
	int left, right;

	if (!node)
		return 0;
	assert_ptr_equal(node->rb_parent, parent);
	if (node->rb_red)
		assert_false(!parent || parent->rb_red);
	left = check_subtree(node->rb_left, node);
	right = check_subtree(node->rb_right, node);
	assert_int_equal(left, right);
	return left + !node->rb_red;
}

static void assert_tree(struct rb_root *root, const struct tree_item *items, size_t nr)
{
	struct rb_node *node = rb_first(root);
	size_t count = 0;

	check_subtree(root->rb_node, NULL);
	/* The items are sorted by key. */
	for (size_t i = 0; i < nr; i++) {
		if (!items[i].in_tree)
			continue;
		assert_ptr_equal(node, &items[i].node);
		node = rb_next(node);
		count++;
	}
	assert_null(node);
	for (node = rb_last(root); node; node = rb_prev(node))
		count--;
	assert_int_equal(count, 0);
}

static void rbtree_equals_a_sorted_array(void **state)
{
	enum { NR = 300, NR_STEPS = 5000 };
	static struct tree_item items[NR];
	struct tree_item replacement;
	struct rb_root root = RB_ROOT;
	struct tree_item *pos, *next;
	u64 rnd = 5;
	size_t nr = 0, freed = 0;

	assert_true(RB_EMPTY_ROOT(&root));
	assert_null(rb_first(&root));
	assert_null(rb_first_postorder(&root));
	for (size_t i = 0; i < NR; i++)
		items[i].key = i;
	for (int step = 0; step < NR_STEPS; step++) {
		/* Grow, shrink to nothing, grow again. */
		bool growing = (step / 1000) % 2 == 0;
		struct tree_item *item = &items[test_random(&rnd) % NR];

		if (!item->in_tree && (growing || test_random(&rnd) % 8 == 0)) {
			tree_insert(&root, item);
			item->in_tree = true;
			nr++;
		} else if (item->in_tree && (!growing || test_random(&rnd) % 8 == 0)) {
			rb_erase(&item->node, &root);
			item->in_tree = false;
			nr--;
		}
		assert_tree(&root, items, NR);
	}

	replacement = items[0];
	if (items[0].in_tree) {
		rb_replace_node(&items[0].node, &replacement.node, &root);
		check_subtree(root.rb_node, NULL);
		assert_ptr_equal(rb_first(&root), &replacement.node);
	}
	rbtree_postorder_for_each_entry_safe(pos, next, &root, node) {
		memset(pos, 0xee, sizeof(*pos));
		freed++;
	}
	assert_int_equal(freed, nr);
}

static void rbtree_in_order_and_backwards(void **state)
{
	static struct tree_item items[1000];

	for (int direction = 0; direction < 2; direction++) {
		struct rb_root root = RB_ROOT;

		for (size_t i = 0; i < 1000; i++) {
			size_t j = direction ? 999 - i : i;

			items[j].key = j;
			items[j].in_tree = true;
			tree_insert(&root, &items[j]);
		}
		assert_tree(&root, items, 1000);
		for (size_t i = 0; i < 1000; i++) {
			items[i].in_tree = false;
			rb_erase(&items[i].node, &root);
			if (i % 50 == 0)
				assert_tree(&root, items, 1000);
		}
		assert_true(RB_EMPTY_ROOT(&root));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(list_keeps_order),
		cmocka_unit_test(vec_grows_and_sorts),
		cmocka_unit_test(vec_of_bytes),
		cmocka_unit_test(map_equals_an_array),
		cmocka_unit_test(map_takes_extreme_keys),
		cmocka_unit_test(map_survives_chosen_keys),
		cmocka_unit_test(rbtree_equals_a_sorted_array),
		cmocka_unit_test(rbtree_in_order_and_backwards),
	};

	return cmocka_run_group_tests_name("containers", tests, NULL, NULL);
}
