// SPDX-License-Identifier: MIT
#include "module/leaf/leaf.h"
#include "module/track.h"

#define EPOCH_LIMIT (BIT_ULL(63) - 1)

/*
 * tdh_mem_track - advance the TD's TLB epoch
 *
 * Side:   host
 * Locks:  TDR shared; OP_STATE shared; epoch exclusive
 * Checks: TDR, TD state, no vCPU left in the epoch before the current one
 * Commit: TD_EPOCH + 1
 * Status: SUCCESS, BUSY, PREVIOUS_TLB_EPOCH_BUSY and the TD state codes
 */
u64 tdh_mem_track(struct call *c)
{
	struct td_ref td = { 0 };
	u64 st, epoch;

	st = tdr_lock(c, c->args->rcx, LOCK_SH, &td);
	if (st)
		return st;
	st = td_state_check(c, &td, true);
	if (st)
		goto out;
	st = sharex_lock(c, LOCK_EPOCH, &td.tdcs->epoch_lock, LOCK_EX);
	if (st)
		goto out;
	epoch = epoch_read(td.tdcs);
	/* Pairs with epoch_leave(): a vCPU of the older epoch that has left is seen as gone. */
	if (atomic_load_explicit(&td.tdcs->epoch.f.refcount[1 - (epoch & 1)], memory_order_seq_cst))
		st = TDX_PREVIOUS_TLB_EPOCH_BUSY;
	else if (changed(c->m, CHANGE_EPOCH_LIMIT) && epoch + 1 >= EPOCH_LIMIT)
		st = module_halt(c->lp, "TDH.MEM.TRACK", "TD_EPOCH has come to its limit");
	else
		/* Pairs with epoch_read() in tdh_mem_range_block() and td_is_tracked(). */
		atomic_store_explicit(&td.tdcs->epoch.f.epoch, epoch + 1, memory_order_seq_cst);
	sharex_unlock(c, &td.tdcs->epoch_lock, LOCK_EX);
out:
	tdr_unlock(c, &td);
	return st;
}
