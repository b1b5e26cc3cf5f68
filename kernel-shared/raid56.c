// SPDX-License-Identifier: GPL-2.0-only
/*
 * Making the parity of RAID5 and RAID6, and rebuilding lost stripes from it.
 *
 * P is the sum of the data stripes and Q the sum of 2^i * data[i], in GF(2^8)
 * with the polynomial 0x11d.  Every lost stripe is therefore a linear
 * combination of those left: its coefficients are found here, one row for each
 * lost stripe, and ISA-L multiplies (ec_encode_data() alone of its functions
 * takes buffers of any alignment and length; for the common case of parity from
 * aligned buffers it has faster ones).
 */
#include "kernel-shared/raid56.h"

#include <errno.h>
#include <isa-l/erasure_code.h>
#include <isa-l/raid.h>
#include <limits.h>
#include <stdlib.h>

/* 2^i repeats after 255; Q can tell no more data stripes apart. */
#define RAID6_MAX_DATA		255
/*
 * ISA-L's fast functions ask for addresses and lengths of 32 bytes; theirs for
 * AVX-512 load and store 64 at a time.
 */
#define RAID_ALIGN		64
/* ISA-L makes a table of 32 bytes from every coefficient. */
#define GF_TABLE_SIZE		32

/* Rows are indexed as the stripes: data, then P at nr_data, Q at nr_data + 1. */
struct recovery {
	unsigned int nr_data;
	unsigned int nr_stripes;
	unsigned int bad_data[2];
	unsigned int nr_bad_data;
	bool bad_p;
	bool bad_q;
	u8 *data_row[2];	/* how bad_data[] come out of the stripes left */
};

static u8 gf_pow2(unsigned int exponent)
{
	u8 value = 1;

	for (exponent %= 255; exponent; exponent--)
		value = gf_mul(value, 2);
	return value;
}

/* Sort @bad into data, P and Q.  -EINVAL: nonsense, or more than parity can mend. */
static int sort_bad(struct recovery *rec, bool has_q, const unsigned int *bad,
		    unsigned int nr_bad)
{
	if (nr_bad > (has_q ? 2 : 1) || rec->nr_data == 0 ||
	    (has_q && rec->nr_data > RAID6_MAX_DATA))
		return -EINVAL;
	if (nr_bad == 2 && bad[0] == bad[1])
		return -EINVAL;
	for (unsigned int i = 0; i < nr_bad; i++) {
		if (bad[i] >= rec->nr_stripes)
			return -EINVAL;
		if (bad[i] < rec->nr_data)
			rec->bad_data[rec->nr_bad_data++] = bad[i];
		else if (bad[i] == rec->nr_data)
			rec->bad_p = true;
		else
			rec->bad_q = true;
	}
	return 0;
}

static bool is_bad_data(const struct recovery *rec, unsigned int i)
{
	return (rec->nr_bad_data > 0 && rec->bad_data[0] == i) ||
	       (rec->nr_bad_data > 1 && rec->bad_data[1] == i);
}

/* d[a] = P + the other data */
static void solve_from_p(struct recovery *rec)
{
	u8 *row = rec->data_row[0];

	for (unsigned int i = 0; i < rec->nr_data; i++)
		row[i] = !is_bad_data(rec, i);
	row[rec->nr_data] = 1;
}

/* d[a] = (Q + 2^i * the other data) / 2^a */
static void solve_from_q(struct recovery *rec)
{
	u8 *row = rec->data_row[0];
	u8 inv = gf_inv(gf_pow2(rec->bad_data[0]));

	for (unsigned int i = 0; i < rec->nr_data; i++)
		row[i] = is_bad_data(rec, i) ? 0 : gf_mul(inv, gf_pow2(i));
	row[rec->nr_data + 1] = inv;
}

/*
 * With P' and Q' the parities less the good data:
 *	d[a] = (2^b * P' + Q') / (2^a + 2^b),  d[b] = P' + d[a]
 */
static void solve_from_both(struct recovery *rec)
{
	u8 pow_a = gf_pow2(rec->bad_data[0]);
	u8 pow_b = gf_pow2(rec->bad_data[1]);
	u8 inv = gf_inv(pow_a ^ pow_b);
	u8 from_p = gf_mul(inv, pow_b);
	u8 *row_a = rec->data_row[0];
	u8 *row_b = rec->data_row[1];

	for (unsigned int i = 0; i < rec->nr_data; i++) {
		bool good = !is_bad_data(rec, i);

		row_a[i] = good ? from_p ^ gf_mul(inv, gf_pow2(i)) : 0;
		row_b[i] = good ? 1 ^ row_a[i] : 0;
	}
	row_a[rec->nr_data] = from_p;
	row_b[rec->nr_data] = 1 ^ from_p;
	row_a[rec->nr_data + 1] = inv;
	row_b[rec->nr_data + 1] = inv;
}

static void solve_data(struct recovery *rec)
{
	if (rec->nr_bad_data == 2)
		solve_from_both(rec);
	else if (rec->nr_bad_data == 1 && rec->bad_p)
		solve_from_q(rec);
	else if (rec->nr_bad_data == 1)
		solve_from_p(rec);
}

/* A lost parity is made of the data anew; lost data goes in through its own row. */
static void solve_parity(const struct recovery *rec, bool is_q, u8 *row)
{
	for (unsigned int i = 0; i < rec->nr_data; i++)
		row[i] = is_bad_data(rec, i) ? 0 : is_q ? gf_pow2(i) : 1;
	for (unsigned int b = 0; b < rec->nr_bad_data; b++) {
		u8 weight = is_q ? gf_pow2(rec->bad_data[b]) : 1;

		for (unsigned int i = 0; i < rec->nr_stripes; i++)
			row[i] ^= gf_mul(weight, rec->data_row[b][i]);
	}
}

/*
 * Drop the columns of lost stripes from @rows (@nr_bad of nr_stripes each) and
 * list the stripes left in @src.  Rows come out packed; returns the columns.
 */
static unsigned int pack_rows(const struct recovery *rec, void **ptrs, const u8 *rows,
			      unsigned int nr_rows, u8 *packed, unsigned char **src)
{
	unsigned int nr_src = rec->nr_stripes - nr_rows;

	for (unsigned int i = 0, col = 0; i < rec->nr_stripes; i++) {
		if (is_bad_data(rec, i) || (rec->bad_p && i == rec->nr_data) ||
		    (rec->bad_q && i == rec->nr_data + 1))
			continue;
		src[col] = ptrs[i];
		for (unsigned int r = 0; r < nr_rows; r++)
			packed[r * nr_src + col] = rows[r * rec->nr_stripes + i];
		col++;
	}
	return nr_src;
}

/* Fill @rows and, in the same order, @dst with what is to be rebuilt. */
static void solve(struct recovery *rec, void **ptrs, u8 *rows, unsigned char **dst)
{
	unsigned int r = 0;

	for (; r < rec->nr_bad_data; r++) {
		rec->data_row[r] = rows + r * rec->nr_stripes;
		dst[r] = ptrs[rec->bad_data[r]];
	}
	solve_data(rec);
	if (rec->bad_p) {
		dst[r] = ptrs[rec->nr_data];
		solve_parity(rec, false, rows + r++ * rec->nr_stripes);
	}
	if (rec->bad_q) {
		dst[r] = ptrs[rec->nr_data + 1];
		solve_parity(rec, true, rows + r * rec->nr_stripes);
	}
}

int btrfs_raid56_recover(unsigned int nr_data, bool has_q, size_t len, void **ptrs,
			 const unsigned int *bad, unsigned int nr_bad)
{
	struct recovery rec = { .nr_data = nr_data, .nr_stripes = nr_data + 1 + has_q };
	unsigned char *dst[2];
	unsigned char **src = NULL;
	u8 *rows = NULL;
	u8 *packed = NULL;
	u8 *tables = NULL;
	unsigned int nr_src;
	int ret;

	ret = sort_bad(&rec, has_q, bad, nr_bad);
	if (ret || nr_bad == 0 || len == 0)
		return ret;
	if (len > INT_MAX || nr_data > USHRT_MAX)
		return -EINVAL;

	ret = -ENOMEM;
	rows = calloc(nr_bad, rec.nr_stripes);
	packed = calloc(nr_bad, rec.nr_stripes);
	tables = malloc((size_t)nr_bad * rec.nr_stripes * GF_TABLE_SIZE);
	src = malloc(rec.nr_stripes * sizeof(*src));
	if (!rows || !packed || !tables || !src)
		goto out;
	solve(&rec, ptrs, rows, dst);
	nr_src = pack_rows(&rec, ptrs, rows, nr_bad, packed, src);
	ec_init_tables((int)nr_src, (int)nr_bad, packed, tables);
	ec_encode_data((int)len, (int)nr_src, (int)nr_bad, tables, src, dst);
	ret = 0;
out:
	free(src);
	free(tables);
	free(packed);
	free(rows);
	return ret;
}

/* ---- parity ---- */

static bool all_aligned(void **ptrs, unsigned int nr, size_t len)
{
	uintptr_t bits = len;

	for (unsigned int i = 0; i < nr; i++)
		bits |= (uintptr_t)ptrs[i];
	return bits % RAID_ALIGN == 0;
}

/* Parity is what is lost when all the data is there. */
static int parity_unaligned(unsigned int nr_data, bool has_q, size_t len, void **ptrs)
{
	const unsigned int bad[] = { nr_data, nr_data + 1 };

	return btrfs_raid56_recover(nr_data, has_q, len, ptrs, bad, has_q ? 2 : 1);
}

int btrfs_raid56_parity(unsigned int nr_data, bool has_q, size_t len, void **ptrs)
{
	unsigned int nr = nr_data + 1 + has_q;
	int ret;

	if (nr_data == 0 || nr_data > (has_q ? RAID6_MAX_DATA : USHRT_MAX))
		return -EINVAL;
	if (nr_data == 1) {
		/* P and Q of a single stripe are copies; ISA-L begins with two. */
		memcpy(ptrs[1], ptrs[0], len);
		if (has_q)
			memcpy(ptrs[2], ptrs[0], len);
		return 0;
	}
	if (len > INT_MAX || !all_aligned(ptrs, nr, len))
		return parity_unaligned(nr_data, has_q, len, ptrs);
	ret = has_q ? pq_gen((int)nr, (int)len, ptrs) : xor_gen((int)nr, (int)len, ptrs);
	return ret ? -EINVAL : 0;
}
