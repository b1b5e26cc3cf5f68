/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Integer names and the handful of macros that the rest of the code takes for
 * granted.  The names are the kernel's, so that a reader of fs/btrfs is at home.
 */
#ifndef COMMON_TYPES_H
#define COMMON_TYPES_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef unsigned long long u64;	/* so that %llu is always right */
typedef int32_t s32;
typedef long long s64;

/* Little endian on disk; the types only document, accessors convert. */
typedef u16 __attribute__((may_alias)) __le16;
typedef u32 __attribute__((may_alias)) __le32;
typedef u64 __attribute__((may_alias)) __le64;

#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))

#define U64_MAX			(~0ULL)
#define S64_MAX			((s64)(U64_MAX >> 1))

#define min(a, b)		({ __typeof__(a) a_ = (a); __typeof__(b) b_ = (b); \
				   a_ < b_ ? a_ : b_; })
#define max(a, b)		({ __typeof__(a) a_ = (a); __typeof__(b) b_ = (b); \
				   a_ > b_ ? a_ : b_; })
#define min_t(t, a, b)		min((t)(a), (t)(b))
#define max_t(t, a, b)		max((t)(a), (t)(b))

/* @align is a power of two. */
#define round_up(x, align)	(((x) + ((__typeof__(x))(align) - 1)) & \
				 ~((__typeof__(x))(align) - 1))
#define round_down(x, align)	((x) & ~((__typeof__(x))(align) - 1))
#define IS_ALIGNED(x, align)	(((x) & ((__typeof__(x))(align) - 1)) == 0)
#define DIV_ROUND_UP(n, d)	(((n) + (d) - 1) / (d))

#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))

#define likely(x)		__builtin_expect(!!(x), 1)
#define unlikely(x)		__builtin_expect(!!(x), 0)

#define __packed		__attribute__((packed))
#define __printf(f, a)		__attribute__((format(printf, f, a)))
#define __must_check		__attribute__((warn_unused_result))
#define __unused		__attribute__((unused))

#define SZ_4K			0x1000U
#define SZ_16K			0x4000U
#define SZ_32K			0x8000U
#define SZ_48K			0xc000U
#define SZ_64K			0x10000U
#define SZ_128K			0x20000U
#define SZ_256K			0x40000U
#define SZ_1M			0x100000U
#define SZ_1G			0x40000000ULL

static inline bool is_power_of_2(u64 n)
{
	return n != 0 && (n & (n - 1)) == 0;
}

static inline u16 get_unaligned_le16(const void *p)
{
	u16 v;

	memcpy(&v, p, sizeof(v));
	return le16toh(v);
}

static inline u32 get_unaligned_le32(const void *p)
{
	u32 v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static inline u64 get_unaligned_le64(const void *p)
{
	u64 v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

static inline void put_unaligned_le16(u16 v, void *p)
{
	v = htole16(v);
	memcpy(p, &v, sizeof(v));
}

static inline void put_unaligned_le32(u32 v, void *p)
{
	v = htole32(v);
	memcpy(p, &v, sizeof(v));
}

static inline void put_unaligned_le64(u64 v, void *p)
{
	v = htole64(v);
	memcpy(p, &v, sizeof(v));
}

#endif
