/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A growable array of equal elements.
 *
 *	struct vec v;
 *
 *	vec_init(&v, sizeof(struct item));
 *	struct item *it = vec_push(&v);		(zeroed; NULL: no memory)
 *	vec_for_each(&v, it)
 *		...
 *	it = vec_at(&v, i);
 *	vec_free(&v);
 *
 * Pushing may move the elements: keep indexes, not pointers, across a push.
 */
#ifndef BTRFS_COMMON_VEC_H
#define BTRFS_COMMON_VEC_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct vec {
	void *data;
	size_t nr;
	size_t cap;
	size_t elem; /* bytes in one element */
};

#define VEC_INIT(type) ((struct vec){ .elem = sizeof(type) })

static inline void vec_init(struct vec *v, size_t elem)
{
	*v = (struct vec){ .elem = elem };
}

static inline void vec_free(struct vec *v)
{
	free(v->data);
	vec_init(v, v->elem);
}

/* Forget the elements, keep the memory. */
static inline void vec_clear(struct vec *v)
{
	v->nr = 0;
}

/* Room for @nr elements in all.  -ENOMEM leaves the vector as it was. */
static inline int vec_reserve(struct vec *v, size_t nr)
{
	size_t cap = v->cap ? v->cap : 8;
	size_t bytes;
	void *data;

	if (nr <= v->cap)
		return 0;
	if (nr > cap && __builtin_add_overflow(cap, cap / 2, &cap))
		return -ENOMEM;
	if (cap < nr)
		cap = nr;
	if (__builtin_mul_overflow(cap, v->elem, &bytes))
		return -ENOMEM;
	data = realloc(v->data, bytes);
	if (!data)
		return -ENOMEM;
	v->data = data;
	v->cap = cap;
	return 0;
}

/* Element @i; the caller knows that i < v->nr. */
static inline void *vec_at(const struct vec *v, size_t i)
{
	return (char *)v->data + i * v->elem;
}

static inline void *vec_last(const struct vec *v)
{
	return v->nr ? vec_at(v, v->nr - 1) : NULL;
}

/* Append a zeroed element and return it, or NULL for lack of memory. */
static inline void *vec_push(struct vec *v)
{
	if (v->nr == v->cap && vec_reserve(v, v->nr + 1) < 0)
		return NULL;
	return memset(vec_at(v, v->nr++), 0, v->elem);
}

/* Append a copy of *@elem, which must not lie inside the vector. */
static inline int vec_push_copy(struct vec *v, const void *elem)
{
	if (v->nr == v->cap && vec_reserve(v, v->nr + 1) < 0)
		return -ENOMEM;
	memcpy(vec_at(v, v->nr++), elem, v->elem);
	return 0;
}

/* Append @len bytes to a vector of bytes (elem == 1): a growable buffer. */
static inline int vec_append_bytes(struct vec *v, const void *bytes, size_t len)
{
	size_t nr;

	if (__builtin_add_overflow(v->nr, len, &nr) || vec_reserve(v, nr) < 0)
		return -ENOMEM;
	if (len)
		memcpy((char *)v->data + v->nr, bytes, len);
	v->nr = nr;
	return 0;
}

/* Drop the last element. */
static inline void vec_pop(struct vec *v)
{
	if (v->nr)
		v->nr--;
}

/* Remove element @i, closing the gap. */
static inline void vec_remove(struct vec *v, size_t i)
{
	if (i >= v->nr)
		return;
	memmove(vec_at(v, i), (char *)vec_at(v, i) + v->elem, (v->nr - i - 1) * v->elem);
	v->nr--;
}

static inline void vec_sort(struct vec *v, int (*cmp)(const void *, const void *))
{
	if (v->nr > 1)
		qsort(v->data, v->nr, v->elem, cmp);
}

/* @pos is a pointer to the element's type; nothing may be pushed inside. */
#define vec_for_each(v, pos)                                                                       \
	for ((pos) = (v)->data; (size_t)((char *)(pos) - (char *)(v)->data) < (v)->nr * (v)->elem; \
	     (pos)++)

#endif
