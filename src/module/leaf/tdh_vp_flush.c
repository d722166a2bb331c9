// SPDX-License-Identifier: MIT
#include "module/leaf/leaf.h"
#include "module/tlb.h"
#include "module/vcpu.h"

/*
 * tdh_vp_flush - drop a vCPU's association with the caller's LP
 *
 * Side:   host
 * Locks:  TDVPR exclusive; TDR shared (implicit)
 * Checks: TDVPR, TDR, keys (neither fatal nor OP_STATE), associated with this LP
 * Commit: the LP's translations of the TD go, association none, the LP forgets its last vCPU
 * Status: SUCCESS, BUSY, TD_KEYS_NOT_CONFIGURED, VCPU_NOT_ASSOCIATED
 */
u64 tdh_vp_flush(struct call *c)
{
	struct td_ref td;
	struct page_lock tdvpr;
	struct tdvps *vp;
	u64 st;

	st = tdvpr_lock_exclusive(c, c->args->rcx, &tdvpr, &td);
	if (st)
		return st;
	if (td.tdr->lifecycle != TD_KEYS_CONFIGURED) {
		st = TDX_TD_KEYS_NOT_CONFIGURED;
		goto out;
	}
	vp = mem_frame(c->m, tdvpr.page);
	if (atomic_load_explicit(&vp->assoc_lpid, memory_order_relaxed) != c->lp->index) {
		st = TDX_VCPU_NOT_ASSOCIATED;
		goto out;
	}
	tlb_flush(c->lp);
	c->lp->last_vcpu.v = 0;
	/* Pairs with the compare-and-swap in vcpu_associate(): the next LP sees the vCPU's state. */
	atomic_store_explicit(&vp->assoc_lpid, LPID_NONE, memory_order_release);
	vcpu_count_down(tdr_tdcs(c->m, td.tdr));
out:
	tdvpr_unlock(c, &tdvpr, &td);
	return st;
}
