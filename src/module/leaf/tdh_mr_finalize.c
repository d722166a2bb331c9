// SPDX-License-Identifier: MIT
#include "module/leaf/leaf.h"
#include "module/measure.h"

/*
 * tdh_mr_finalize - close the measurement; the TD may run from here on
 *
 * Side:   host
 * Locks:  TDR exclusive
 * Checks: TDR, TD state, at least one vCPU initialised
 * Commit: MRTD, OP_STATE := RUNNABLE
 * Status: SUCCESS, BUSY, NO_VCPUS and the TD state codes
 */
u64 tdh_mr_finalize(struct call *c)
{
	struct td_ref td = { 0 };
	u64 st;

	st = tdr_lock(c, c->args->rcx, LOCK_EX, &td);
	if (st)
		return st;
	st = td_state_check(c, &td, false);
	if (st)
		goto out;
	if (!atomic_load_explicit(&td.tdcs->num_vcpus, memory_order_relaxed)) {
		st = TDX_NO_VCPUS;
		goto out;
	}
	mrtd_end(c, td.tdcs);
	call_committed(c, .kind = COMMIT_FINALIZE, .tdr = td.lock.page);
	td.tdcs->op_state = OP_RUNNABLE;
out:
	tdr_unlock(c, &td);
	return st;
}
