// SPDX-License-Identifier: MIT
#include "module/leaf/leaf.h"

/*
 * tdh_mng_key_freeid - give the TD's key id back
 *
 * Side:   host
 * Locks:  TDR exclusive; KOT exclusive
 * Checks: TDR, lifecycle (before KOT), KOT, every package has written back
 * Commit: KOT FREE, lifecycle := TEARDOWN
 * Status: SUCCESS, BUSY, LIFECYCLE_STATE_INCORRECT, WBCACHE_NOT_COMPLETE
 */
u64 tdh_mng_key_freeid(struct call *c)
{
	struct td_ref td = { 0 };
	struct kot_entry *kot;
	u64 st;

	st = tdr_lock(c, c->args->rcx, LOCK_EX, &td);
	if (st)
		return st;
	if (td.tdr->lifecycle != TD_BLOCKED) {
		st = TDX_LIFECYCLE_STATE_INCORRECT;
		goto out;
	}
	st = sharex_lock(c, LOCK_KOT, &c->m->kot_lock, LOCK_EX);
	if (st)
		goto out;
	kot = &c->m->kot[td.tdr->hkid];
	if (atomic_load_explicit(&kot->wbinvd_bitmap, memory_order_relaxed)) {
		st = TDX_WBCACHE_NOT_COMPLETE;
		goto out_kot;
	}
	kot->state = KOT_FREE;
	td.tdr->lifecycle = TD_TEARDOWN;
out_kot:
	sharex_unlock(c, &c->m->kot_lock, LOCK_EX);
out:
	tdr_unlock(c, &td);
	return st;
}
