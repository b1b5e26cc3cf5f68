/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Circular doubly linked lists threaded through the structs they hold, under
 * the names that kernel readers expect.  A head is a struct list_head of its
 * own; an empty list is a head that points to itself.
 */
#ifndef BTRFS_COMMON_LIST_H
#define BTRFS_COMMON_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include "common/types.h"

struct list_head {
	struct list_head *next, *prev;
};

#define LIST_HEAD_INIT(name) ((struct list_head){ &(name), &(name) })
#define LIST_HEAD(name)	     struct list_head name = LIST_HEAD_INIT(name)

static inline void INIT_LIST_HEAD(struct list_head *list)
{
	list->next = list->prev = list;
}

static inline void __list_join(struct list_head *a, struct list_head *b)
{
	a->next = b;
	b->prev = a;
}

static inline bool list_empty(const struct list_head *head)
{
	return head->next == head;
}

static inline bool list_is_singular(const struct list_head *head)
{
	return !list_empty(head) && head->next == head->prev;
}

static inline bool list_is_last(const struct list_head *entry, const struct list_head *head)
{
	return entry->next == head;
}

/* After @head: a stack. */
static inline void list_add(struct list_head *entry, struct list_head *head)
{
	__list_join(entry, head->next);
	__list_join(head, entry);
}

/* Before @head: a queue. */
static inline void list_add_tail(struct list_head *entry, struct list_head *head)
{
	__list_join(head->prev, entry);
	__list_join(entry, head);
}

/* The entry's pointers are cleared: a second list_del() faults instead of corrupting. */
static inline void list_del(struct list_head *entry)
{
	__list_join(entry->prev, entry->next);
	entry->next = entry->prev = NULL;
}

static inline void list_del_init(struct list_head *entry)
{
	__list_join(entry->prev, entry->next);
	INIT_LIST_HEAD(entry);
}

static inline void list_move(struct list_head *entry, struct list_head *head)
{
	list_del(entry);
	list_add(entry, head);
}

static inline void list_move_tail(struct list_head *entry, struct list_head *head)
{
	list_del(entry);
	list_add_tail(entry, head);
}

static inline void __list_insert_all(struct list_head *from, struct list_head *before,
				     struct list_head *after)
{
	__list_join(from->prev, after);
	__list_join(before, from->next);
}

/* All of @from to the front of @head; @from is to be initialised before it is used again. */
static inline void list_splice(struct list_head *from, struct list_head *head)
{
	if (!list_empty(from))
		__list_insert_all(from, head, head->next);
}

static inline void list_splice_init(struct list_head *from, struct list_head *head)
{
	list_splice(from, head);
	INIT_LIST_HEAD(from);
}

static inline void list_splice_tail_init(struct list_head *from, struct list_head *head)
{
	if (!list_empty(from))
		__list_insert_all(from, head->prev, head);
	INIT_LIST_HEAD(from);
}

#define list_entry(ptr, type, member)	     container_of(ptr, type, member)
#define list_first_entry(head, type, member) list_entry((head)->next, type, member)
#define list_last_entry(head, type, member)  list_entry((head)->prev, type, member)
#define list_next_entry(pos, member)	     list_entry((pos)->member.next, __typeof__(*(pos)), member)
#define list_prev_entry(pos, member)	     list_entry((pos)->member.prev, __typeof__(*(pos)), member)

#define list_first_entry_or_null(head, type, member) \
	(list_empty(head) ? NULL : list_first_entry(head, type, member))

#define list_for_each(pos, head) for ((pos) = (head)->next; (pos) != (head); (pos) = (pos)->next)

#define list_for_each_safe(pos, n, head)                               \
	for ((pos) = (head)->next, (n) = (pos)->next; (pos) != (head); \
	     (pos) = (n), (n) = (pos)->next)

#define list_for_each_entry(pos, head, member)                                                     \
	for ((pos) = list_first_entry(head, __typeof__(*(pos)), member); &(pos)->member != (head); \
	     (pos) = list_next_entry(pos, member))

#define list_for_each_entry_reverse(pos, head, member)                                            \
	for ((pos) = list_last_entry(head, __typeof__(*(pos)), member); &(pos)->member != (head); \
	     (pos) = list_prev_entry(pos, member))

/* @pos itself may be removed or freed inside. */
#define list_for_each_entry_safe(pos, n, head, member)                   \
	for ((pos) = list_first_entry(head, __typeof__(*(pos)), member), \
	    (n) = list_next_entry(pos, member);                          \
	     &(pos)->member != (head); (pos) = (n), (n) = list_next_entry(n, member))

#endif
