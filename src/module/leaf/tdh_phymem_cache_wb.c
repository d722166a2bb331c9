// SPDX-License-Identifier: MIT
#include "module/kot.h"
#include "module/leaf/leaf.h"

enum {
	CACHE_WB_START = 0,
	CACHE_WB_RESUME = 1,
};

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
		wbt->hkids = kot_flushed(m->kot);
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
	kot_written_back(m->kot, wbt->hkids, package);
	wbt->started = false;
out:
	sharex_unlock(c, &m->kot_lock, LOCK_SH);
out_wbt:
	mutex_unlock(c, &wbt->lock);
	return st;
}
