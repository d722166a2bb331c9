// SPDX-License-Identifier: MIT
#include "module/leaf/leaf.h"

enum {
	CACHE_WB_START = 0,
	CACHE_WB_RESUME = 1,
};

/* HKIDs whose TD has been flushed and not freed yet. */
static u64 flushed_hkids(const struct sl_machine *m)
{
	u64 hkids = 0;

	for (u32 i = 0; i < SL_HKIDS; i++)
		if (m->kot[i].state == KOT_FLUSHED)
			hkids |= BIT_ULL(i);
	return hkids;
}

/*
 * tdh_phymem_cache_wb - write the package's caches back, so that flushed key ids can be freed
 *
 * Side:   host
 * Locks:  the package's write-back mutex; KOT shared, for the whole write-back
 * Checks: command, mutex, KOT, resume only after start, some HKID waiting
 * Commit: per piece the position; at the end the package's bit of each HKID that was FLUSHED when
 *         the cycle started
 * Status: SUCCESS, BUSY (WBCACHE or KOT), OPERAND_INVALID, NO_HKID_READY_TO_WBCACHE,
 *         WBCACHE_RESUME_ERROR, INTERRUPTED_RESUMABLE
 */
u64 tdh_phymem_cache_wb(struct call *c)
{
	struct sl_machine *m = c->m;
	u32 package = c->lp->package;
	struct wbt_entry *wbt = &m->wbt[package];
	u64 command = c->args->rcx;
	u64 st;

	if (command > CACHE_WB_RESUME)
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RCX);
	st = mutex_lock(c, LOCK_WBT, &wbt->lock);
	if (st)
		return st;
	st = sharex_lock(c, LOCK_KOT, &m->kot_lock, LOCK_SH);
	if (st)
		goto out_wbt;
	if (command == CACHE_WB_RESUME && !wbt->started) {
		st = TDX_WBCACHE_RESUME_ERROR;
		goto out;
	}
	if (command == CACHE_WB_START) {
		wbt->started = false;
		wbt->hkids = flushed_hkids(m);
		if (!wbt->hkids) {
			st = TDX_NO_HKID_READY_TO_WBCACHE;
			goto out;
		}
		wbt->started = true;
		wbt->position = 0;
	}
	while (++wbt->position < WBT_PIECES)
		if (host_interrupt_pending(c)) {
			st = TDX_INTERRUPTED_RESUMABLE;
			goto out;
		}
	for (u32 i = 0; i < SL_HKIDS; i++)
		if (wbt->hkids >> i & 1)
			atomic_fetch_and_explicit(&m->kot[i].wbinvd_bitmap, ~(1u << package),
						  memory_order_relaxed);
	wbt->started = false;
out:
	sharex_unlock(c, &m->kot_lock, LOCK_SH);
out_wbt:
	mutex_unlock(c, &wbt->lock);
	return st;
}
