/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Parity arithmetic of RAID5 and RAID6, on buffers in memory (ISA-L).
 */
#ifndef KERNEL_SHARED_RAID56_H
#define KERNEL_SHARED_RAID56_H

#include "common/types.h"

/*
 * Rebuild one or two lost stripes of a full stripe.
 *
 * @nr_data data stripes stand in @ptrs[0..], then P, then (@has_q) Q, each of
 * @len bytes; @bad lists @nr_bad indices into @ptrs whose content is wrong and
 * is overwritten with the right one.  -EINVAL when that is more than the
 * parity can mend.  Buffers need no alignment.
 */
int btrfs_raid56_recover(unsigned int nr_data, bool has_q, size_t len, void **ptrs,
			 const unsigned int *bad, unsigned int nr_bad);

/*
 * Make P and (@has_q) Q of @nr_data data stripes: @ptrs as above.  Buffers need
 * no alignment, but are several times faster with one of 64 bytes and a @len
 * that is a multiple of it.  -EINVAL: more data stripes than Q can tell apart.
 * -ENOMEM.
 */
int btrfs_raid56_parity(unsigned int nr_data, bool has_q, size_t len, void **ptrs);

#endif
