// SPDX-License-Identifier: MIT
#include "module/leaf/leaf.h"
#include "module/vcpu.h"

/* TDR exclusive: nobody adds to the list. */
static bool x2apic_id_is_used(struct call *c, const struct tdcs *tdcs, u32 id)
{
	const struct tdvps *vp;

	for (struct hpa page = tdcs->x2apic_vcpus; page.v; page = vp->x2apic_next) {
		vp = mem_frame(c->m, page);
		if (vp->x2apic_id == id)
			return true;
	}
	return false;
}

static u64 check_tsc(const struct call *c)
{
	return c->lp->platform & SL_PLATFORM_TSC_ADJUST
		       ? with_op(TDX_INCONSISTENT_MSR, MSR_IA32_TSC_ADJUST)
		       : 0;
}

/*
 * tdh_vp_init - initialise a vCPU and associate it with the caller's LP
 *
 * Side:   host
 * Locks:  TDVPR exclusive; TDR shared (implicit), exclusive for version 1; OP_STATE shared
 * Checks: (since 1.5.09: TSC_ADJUST,) TDVPR, TD state, number of TDVPS pages, vCPU state, vCPU limit,
 *         (before 1.5.09: TSC_ADJUST,) version 1: x2APIC id, R8, is unique in the TD
 * Commit: NUM_VCPUS (published before 1.5.09: counted before the last check and not taken back),
 *         association, vCPU state := READY
 * Status: SUCCESS, BUSY, TDCX_NUM_INCORRECT, VCPU_STATE_INCORRECT, MAX_VCPUS_EXCEEDED,
 *         INCONSISTENT_MSR, X2APIC_ID_NOT_UNIQUE with the id and the TD state codes
 */
u64 tdh_vp_init(struct call *c)
{
	struct td_ref td;
	struct page_lock tdvpr;
	bool tsc_first = changed(c->m, CHANGE_TSC_BEFORE_COUNT);
	u32 id = (u32)c->args->r8;
	struct tdvps *vp;
	u32 index, state;
	u64 st;

	st = tsc_first ? check_tsc(c) : 0;
	if (st)
		return st;
	st = tdvpr_lock_exclusive(c, c->args->rcx, &tdvpr, &td);
	if (st)
		return st;
	st = td_state_check(c, &td, true);
	if (st)
		goto out;
	vp = mem_frame(c->m, tdvpr.page);
	if (vp->num_pages < TDVPS_PAGES_MIN) {
		st = TDX_TDCX_NUM_INCORRECT;
		goto out;
	}
	state = atomic_load_explicit(&vp->state, memory_order_relaxed);
	if (state != VCPU_UNINITIALIZED) {
		st = vcpu_state_incorrect(c, state);
		goto out;
	}
	index = vcpu_index_take(td.tdcs);
	if (index >= td.tdcs->max_vcpus) {
		vcpu_index_give_back(td.tdcs);
		st = TDX_MAX_VCPUS_EXCEEDED;
		goto out;
	}
	st = tsc_first ? 0 : check_tsc(c);
	if (st) {
		if (c->hardened)
			vcpu_index_give_back(td.tdcs);
		goto out;
	}
	if (c->version == 1) {
		if (x2apic_id_is_used(c, td.tdcs, id)) {
			vcpu_index_give_back(td.tdcs);
			st = with_op(TDX_X2APIC_ID_NOT_UNIQUE, id);
			goto out;
		}
		vp->x2apic_id = id;
		vp->x2apic_next = td.tdcs->x2apic_vcpus;
		td.tdcs->x2apic_vcpus = tdvpr.page;
	}
	vp->vcpu_index = index;
	vp->gpr.rcx = c->args->rdx;
	vp->gpr.r8 = c->args->rdx;
	/* TDVPR is held exclusive, so nobody races for the association. */
	atomic_store_explicit(&vp->assoc_lpid, c->lp->index, memory_order_relaxed);
	vcpu_count_up(td.tdcs);
	/* Pairs with the state read in vcpu_associate(). */
	atomic_store_explicit(&vp->state, VCPU_READY, memory_order_release);
out:
	tdvpr_unlock(c, &tdvpr, &td);
	return st;
}
