// SPDX-License-Identifier: MIT
#include "module/leaf/leaf.h"
#include "module/vcpu.h"

/*
 * tdh_vp_init - initialise a vCPU and associate it with the caller's LP
 *
 * Side:   host
 * Locks:  TDVPR exclusive; TDR shared (implicit); OP_STATE shared
 * Checks: TDVPR, TD state, number of TDVPS pages, vCPU state, vCPU limit, TSC_ADJUST
 * Commit: NUM_VCPUS (published: counted before the last check and not taken back), association,
 *         vCPU state := READY
 * Status: SUCCESS, BUSY, TDCX_NUM_INCORRECT, VCPU_STATE_INCORRECT, MAX_VCPUS_EXCEEDED,
 *         INCONSISTENT_MSR and the TD state codes
 */
u64 tdh_vp_init(struct call *c)
{
	struct td_ref td = { 0 };
	struct page_lock tdvpr;
	struct tdvps *vp;
	u32 index;
	u64 st;

	st = page_lock_explicit(c, LOCK_TDVPR, c->args->rcx, LOCK_EX, 0, PAMT_TDVPR, &tdvpr);
	if (st)
		return st;
	st = tdr_lock_implicit(c, &tdvpr, &td);
	if (st)
		goto out_tdvpr;
	st = td_state_check(c, &td, true);
	if (st)
		goto out;
	vp = mem_frame(c->m, tdvpr.page);
	if (vp->num_pages < TDVPS_PAGES_MIN) {
		st = TDX_TDCX_NUM_INCORRECT;
		goto out;
	}
	if (atomic_load_explicit(&vp->state, memory_order_relaxed) != VCPU_UNINITIALIZED) {
		st = TDX_VCPU_STATE_INCORRECT;
		goto out;
	}
	index = atomic_fetch_add_explicit(&td.tdcs->num_vcpus, 1, memory_order_relaxed);
	if (index >= td.tdcs->max_vcpus) {
		atomic_fetch_sub_explicit(&td.tdcs->num_vcpus, 1, memory_order_relaxed);
		st = TDX_MAX_VCPUS_EXCEEDED;
		goto out;
	}
	if (c->lp->platform & SL_PLATFORM_TSC_ADJUST) {
		if (c->m->hardened)
			atomic_fetch_sub_explicit(&td.tdcs->num_vcpus, 1, memory_order_relaxed);
		st = with_op(TDX_INCONSISTENT_MSR, MSR_IA32_TSC_ADJUST);
		goto out;
	}
	vp->vcpu_index = index;
	vp->gpr.rcx = c->args->rdx;
	vp->gpr.r8 = c->args->rdx;
	/* TDVPR is held exclusive, so nobody races for the association. */
	atomic_store_explicit(&vp->assoc_lpid, c->lp->index, memory_order_relaxed);
	atomic_fetch_add_explicit(&td.tdcs->num_assoc_vcpus, 1, memory_order_relaxed);
	/* Pairs with the state read in vcpu_associate(). */
	atomic_store_explicit(&vp->state, VCPU_READY, memory_order_release);
out:
	tdr_unlock(c, &td);
out_tdvpr:
	page_unlock(c, &tdvpr);
	return st;
}
