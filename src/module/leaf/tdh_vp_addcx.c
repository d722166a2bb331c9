// SPDX-License-Identifier: MIT
#include "module/leaf/leaf.h"
#include "module/pamt.h"

/*
 * tdh_vp_addcx - add a page to a vCPU's control structure (TDVPS)
 *
 * Side:   host
 * Locks:  TDVPR exclusive; TDR shared (implicit); OP_STATE shared; new page exclusive
 * Checks: TDVPR, TD state, vCPU state, number of pages, new page
 * Commit: page count, CHLDCNT, PAMT
 * Status: SUCCESS, BUSY, VCPU_STATE_INCORRECT, TDCX_NUM_INCORRECT, PAGE_METADATA_INCORRECT and the
 *         TD state codes
 */
u64 tdh_vp_addcx(struct call *c)
{
	struct page_lock tdvpr, page;
	struct td_ref td;
	struct tdvps *vp;
	u32 state;
	u64 st;

	st = tdvpr_lock_exclusive(c, c->args->rdx, &tdvpr, &td);
	if (st)
		return st;
	st = td_state_check(c, &td, true);
	if (st)
		goto out;
	vp = mem_frame(c->m, tdvpr.page);
	state = atomic_load_explicit(&vp->state, memory_order_relaxed);
	if (state != VCPU_UNINITIALIZED) {
		st = vcpu_state_incorrect(c, state);
		goto out;
	}
	if (vp->num_pages >= TDVPS_PAGES_MAX) {
		st = TDX_TDCX_NUM_INCORRECT;
		goto out;
	}
	st = page_lock_explicit(c, LOCK_PAGE, c->args->rcx, LOCK_EX, 0, PAMT_NDA, &page);
	if (st)
		goto out;
	vp->num_pages++;
	tdr_count_up(td.tdr, 1);
	call_committed(c, .kind = COMMIT_CONTROL, .tdr = td.lock.page, .page = page.page);
	pamt_set_owner(page.entry, td.lock.page);
	pamt_set_bepoch(page.entry, 0);
	pamt_set_type(page.entry, PAMT_TDCX);
	pamt_count_up(c, &page);
	page_unlock(c, &tdvpr);
	page_unlock(c, &page);
	tdr_unlock(c, &td);
	return 0;
out:
	tdvpr_unlock(c, &tdvpr, &td);
	return st;
}
