// SPDX-License-Identifier: GPL-2.0-only
/* The fault injector; see the header. */
#include "common/blockdev-faulty.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "common/iov.h"
#include "common/vec.h"

struct faulty_dev {
	struct blockdev dev;
	struct blockdev *lower;
	pthread_mutex_t lock;	/* all below */
	struct vec rules;	/* struct rule */
	u64 nr_faults;
};

struct rule {
	struct blockdev_fault fault;
	u64 calls;		/* that counted so far */
	u64 bytes;
	u64 failed;
};

static struct faulty_dev *faulty_dev(struct blockdev *dev)
{
	return container_of(dev, struct faulty_dev, dev);
}

/* ---- which calls fail ---- */

static u64 fault_end(const struct blockdev_fault *fault)
{
	u64 end;

	if (!fault->len || __builtin_add_overflow(fault->start, fault->len, &end))
		return UINT64_MAX;
	return end;
}

static bool has_range(enum blockdev_fault_op op)
{
	return op != BLOCKDEV_FAULT_RESIZE && op != BLOCKDEV_FAULT_FLUSH;
}

/* Count the call; whether @rule makes it fail. */
static bool rule_hits(struct rule *rule, enum blockdev_fault_op op, u64 offset, u64 len)
{
	const struct blockdev_fault *fault = &rule->fault;

	if (op != fault->op)
		return false;
	if (has_range(op) && (offset + len <= fault->start || offset >= fault_end(fault)))
		return false;
	rule->calls++;
	rule->bytes += len;
	if (rule->calls <= fault->skip_calls)
		return false;
	if (fault->skip_bytes && rule->bytes <= fault->skip_bytes)
		return false;
	if (fault->nr_calls && rule->failed >= fault->nr_calls)
		return false;
	rule->failed++;
	return true;
}

/* Whether the call fails, and by which rule. */
static bool find_fault(struct faulty_dev *faulty, enum blockdev_fault_op op, u64 offset, u64 len,
		       struct blockdev_fault *fault)
{
	struct rule *rule;
	bool found = false;

	pthread_mutex_lock(&faulty->lock);
	vec_for_each(&faulty->rules, rule) {
		if (!rule_hits(rule, op, offset, len))
			continue;
		*fault = rule->fault;
		faulty->nr_faults++;
		found = true;
		break;
	}
	pthread_mutex_unlock(&faulty->lock);
	return found;
}

/* For calls of which nothing happens when they fail: 0 or the errno. */
static int fault_of(struct faulty_dev *faulty, enum blockdev_fault_op op, u64 offset, u64 len)
{
	struct blockdev_fault fault;

	return find_fault(faulty, op, offset, len, &fault) ? fault.err : 0;
}

/* ---- the calls ---- */

static void invert_overlap(const struct blockdev_fault *fault, const struct iovec *iov, int iovcnt,
			   u64 offset)
{
	u64 bad_end = fault_end(fault);

	for (int i = 0; i < iovcnt; offset += iov[i].iov_len, i++) {
		u64 from = max(offset, fault->start);
		u64 to = min(offset + iov[i].iov_len, bad_end);

		for (u64 at = from; at < to; at++)
			((u8 *)iov[i].iov_base)[at - offset] ^= 0xff;
	}
}

static int faulty_preadv(struct blockdev *dev, const struct iovec *iov, int iovcnt, u64 offset)
{
	struct faulty_dev *faulty = faulty_dev(dev);
	struct blockdev_fault fault;
	bool hit = find_fault(faulty, BLOCKDEV_FAULT_READ, offset, iov_total(iov, iovcnt), &fault);
	int ret;

	if (hit && fault.err)
		return fault.err;
	ret = blockdev_preadv(faulty->lower, iov, iovcnt, offset);
	if (!ret && hit)
		invert_overlap(&fault, iov, iovcnt, offset);
	return ret;
}

/* The first half of what was to be written; an error of that is not the one to tell. */
static void write_half(struct faulty_dev *faulty, const struct iovec *iov, int iovcnt, u64 offset)
{
	struct iov_cursor cursor = { .iov = iov };
	u64 left = iov_total(iov, iovcnt) / 2;

	while (left > 0) {
		u64 len = left;
		const void *piece = iov_next(&cursor, &len);

		if (blockdev_pwrite(faulty->lower, piece, len, offset))
			return;
		left -= len;
		offset += len;
	}
}

static int faulty_pwritev(struct blockdev *dev, const struct iovec *iov, int iovcnt, u64 offset)
{
	struct faulty_dev *faulty = faulty_dev(dev);
	struct blockdev_fault fault;

	if (!find_fault(faulty, BLOCKDEV_FAULT_WRITE, offset, iov_total(iov, iovcnt), &fault))
		return blockdev_pwritev(faulty->lower, iov, iovcnt, offset);
	if (fault.partial)
		write_half(faulty, iov, iovcnt, offset);
	return fault.err;
}

static int faulty_zero(struct blockdev *dev, u64 offset, u64 len)
{
	struct faulty_dev *faulty = faulty_dev(dev);
	int err = fault_of(faulty, BLOCKDEV_FAULT_WRITE, offset, len);

	return err ? err : blockdev_zero(faulty->lower, offset, len);
}

static int faulty_discard(struct blockdev *dev, u64 offset, u64 len)
{
	struct faulty_dev *faulty = faulty_dev(dev);
	int err = fault_of(faulty, BLOCKDEV_FAULT_DISCARD, offset, len);

	return err ? err : blockdev_discard(faulty->lower, offset, len);
}

static int faulty_flush(struct blockdev *dev)
{
	struct faulty_dev *faulty = faulty_dev(dev);
	int err = fault_of(faulty, BLOCKDEV_FAULT_FLUSH, 0, 0);

	return err ? err : blockdev_flush(faulty->lower);
}

static int faulty_resize(struct blockdev *dev, u64 size)
{
	struct faulty_dev *faulty = faulty_dev(dev);
	int err = fault_of(faulty, BLOCKDEV_FAULT_RESIZE, 0, 0);

	return err ? err : blockdev_resize(faulty->lower, size);
}

static int faulty_commit(struct blockdev *dev)
{
	struct faulty_dev *faulty = faulty_dev(dev);
	int err = fault_of(faulty, BLOCKDEV_FAULT_FLUSH, 0, 0);

	return err ? err : blockdev_commit(faulty->lower);
}

static void faulty_readahead(struct blockdev *dev, u64 offset, u64 len)
{
	blockdev_readahead(faulty_dev(dev)->lower, offset, len);
}

static void faulty_close(struct blockdev *dev)
{
	struct faulty_dev *faulty = faulty_dev(dev);

	blockdev_close(faulty->lower);
	vec_free(&faulty->rules);
	pthread_mutex_destroy(&faulty->lock);
	free(faulty);
}

static const struct blockdev_ops faulty_readonly_ops = {
	.preadv = faulty_preadv,
	.readahead = faulty_readahead,
	.close = faulty_close,
};

static const struct blockdev_ops faulty_ops = {
	.preadv = faulty_preadv,
	.readahead = faulty_readahead,
	.close = faulty_close,
	.pwritev = faulty_pwritev,
	.flush = faulty_flush,
	.discard = faulty_discard,
	.zero = faulty_zero,
	.resize = faulty_resize,
	.commit = faulty_commit,
};

/* ---- opening ---- */

int blockdev_open_faulty_dev(struct blockdev *lower, struct blockdev **ret)
{
	struct faulty_dev *faulty = calloc(1, sizeof(*faulty));

	if (!faulty)
		return -ENOMEM;
	faulty->dev = (struct blockdev){
		.ops = blockdev_is_writable(lower) ? &faulty_ops : &faulty_readonly_ops,
		.path = lower->path,
		.size = lower->size,
		.resizable = lower->resizable,
	};
	faulty->lower = lower;
	vec_init(&faulty->rules, sizeof(struct rule));
	pthread_mutex_init(&faulty->lock, NULL);
	*ret = &faulty->dev;
	return 0;
}

int blockdev_add_fault(struct blockdev *dev, const struct blockdev_fault *fault)
{
	struct faulty_dev *faulty = faulty_dev(dev);
	struct rule rule = { .fault = *fault };
	int ret;

	pthread_mutex_lock(&faulty->lock);
	ret = vec_push_copy(&faulty->rules, &rule);
	pthread_mutex_unlock(&faulty->lock);
	return ret;
}

u64 blockdev_nr_faults(struct blockdev *dev)
{
	struct faulty_dev *faulty = faulty_dev(dev);
	u64 nr;

	pthread_mutex_lock(&faulty->lock);
	nr = faulty->nr_faults;
	pthread_mutex_unlock(&faulty->lock);
	return nr;
}

int blockdev_open_faulty(struct blockdev *lower, u64 start, u64 len, int err, struct blockdev **ret)
{
	struct blockdev_fault fault = {
		.op = BLOCKDEV_FAULT_READ,
		.err = err,
		.start = start,
		.len = len,
	};
	struct blockdev *dev;
	int res = len ? blockdev_open_faulty_dev(lower, &dev) : -EINVAL;

	if (res)
		return res;
	res = blockdev_add_fault(dev, &fault);
	if (res) {
		free(faulty_dev(dev));	/* @lower stays the caller's */
		return res;
	}
	*ret = dev;
	return 0;
}
