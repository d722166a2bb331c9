// SPDX-License-Identifier: MIT
#include "module/leaf/leaf.h"

/*
 * tdh_mng_vpflushdone - confirm that no LP holds state of the TD's vCPUs
 *
 * Side:   host
 * Locks:  TDR exclusive; KOT exclusive
 * Checks: TDR, KOT, lifecycle (after KOT), no vCPU associated
 * Commit: lifecycle := BLOCKED, KOT FLUSHED with every package still to write back
 * Status: SUCCESS, BUSY, LIFECYCLE_STATE_INCORRECT, FLUSHVP_NOT_DONE
 */
u64 tdh_mng_vpflushdone(struct call *c)
{
	struct td_ref td = { 0 };
	struct kot_entry *kot;
	u64 st;

	st = tdr_lock(c, c->args->rcx, LOCK_EX, &td);
	if (st)
		return st;
	st = sharex_lock(c, LOCK_KOT, &c->m->kot_lock, LOCK_EX);
	if (st)
		goto out;
	if (td.tdr->lifecycle > TD_KEYS_CONFIGURED) {
		st = TDX_LIFECYCLE_STATE_INCORRECT;
		goto out_kot;
	}
	if (td.tdr->num_tdcx >= TDCX_MIN) {
		const struct tdcs *tdcs = tdr_tdcs(c->m, td.tdr);

		if (tdcs->op_state != OP_UNINITIALIZED &&
		    atomic_load_explicit(&tdcs->num_assoc_vcpus, memory_order_relaxed)) {
			st = TDX_FLUSHVP_NOT_DONE;
			goto out_kot;
		}
	}
	kot = &c->m->kot[td.tdr->hkid];
	kot->state = KOT_FLUSHED;
	atomic_store_explicit(&kot->wbinvd_bitmap, (1u << c->m->cfg.packages) - 1,
			      memory_order_relaxed);
	td.tdr->lifecycle = TD_BLOCKED;
out_kot:
	sharex_unlock(c, &c->m->kot_lock, LOCK_EX);
out:
	tdr_unlock(c, &td);
	return st;
}
