/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Going through a vector of buffers (struct iovec) in pieces, for what stands
 * behind the device interface.
 */
#ifndef COMMON_IOV_H
#define COMMON_IOV_H

#include <sys/uio.h>

#include "common/types.h"

/* All bytes of the buffers together. */
static inline u64 iov_total(const struct iovec *iov, int iovcnt)
{
	u64 len = 0;

	for (int i = 0; i < iovcnt; i++)
		len += iov[i].iov_len;
	return len;
}

/* A place in a vector: @at bytes into its first buffer. */
struct iov_cursor {
	const struct iovec *iov;
	size_t at;
};

/*
 * The next piece that lies in one buffer, at most *@len bytes; *@len becomes its
 * length, and the cursor stands behind it.  The caller knows that there are bytes
 * left.
 */
static inline void *iov_next(struct iov_cursor *cursor, u64 *len)
{
	void *piece;

	while (cursor->at == cursor->iov->iov_len) {
		cursor->iov++;
		cursor->at = 0;
	}
	piece = (char *)cursor->iov->iov_base + cursor->at;
	*len = min_t(u64, *len, cursor->iov->iov_len - cursor->at);
	cursor->at += *len;
	return piece;
}

/* Go on by @len bytes. */
static inline void iov_skip(struct iov_cursor *cursor, u64 len)
{
	while (len > 0) {
		u64 piece = len;

		iov_next(cursor, &piece);
		len -= piece;
	}
}

#endif
