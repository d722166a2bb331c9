/* SPDX-License-Identifier: MIT */
/*
 * The key ownership table: which HKIDs' caches are to be written back, and that a package has done so.
 * Under the KOT lock. Layer: module, private.
 */
#ifndef SL_MODULE_KOT_H
#define SL_MODULE_KOT_H

#include "module/machine.h"

/* HKIDs whose TD has been flushed and not freed yet. */
static inline u64 kot_flushed(const struct kot_entry kot[SL_HKIDS])
{
	u64 hkids = 0;

	for (u32 i = 0; i < SL_HKIDS; i++)
		hkids |= (u64)(kot[i].state == KOT_FLUSHED) << i;
	return hkids;
}

/* @package need not write the caches of @hkids back any more. */
static inline void kot_written_back(struct kot_entry kot[SL_HKIDS], u64 hkids, u32 package)
{
	for (; hkids; hkids &= hkids - 1)
		atomic_fetch_and_explicit(&kot[__builtin_ctzll(hkids)].wbinvd_bitmap,
					  ~(1u << package), memory_order_relaxed);
}

#endif
