// SPDX-License-Identifier: MIT
#include <string.h>

#include "module/leaf/leaf.h"
#include "module/pamt.h"

/*
 * tdh_vp_create - make a page the root (TDVPR) of a new vCPU
 *
 * Side:   host
 * Locks:  TDR shared; OP_STATE shared; new page exclusive
 * Checks: TDR, TD state, new page
 * Commit: TDVPR contents, CHLDCNT, PAMT
 * Status: SUCCESS, BUSY, OP_STATE_INCORRECT, PAGE_METADATA_INCORRECT and the TD state codes
 */
u64 tdh_vp_create(struct call *c)
{
	struct td_ref td = { 0 };
	struct page_lock page;
	struct tdvps *vp;
	u64 st;

	st = tdr_lock(c, c->args->rdx, LOCK_SH, &td);
	if (st)
		return st;
	st = td_state_check(c, &td, true);
	if (st)
		goto out;
	st = page_lock_explicit(c, LOCK_PAGE, c->args->rcx, LOCK_EX, 0, PAMT_NDA, &page);
	if (st)
		goto out;
	vp = mem_frame(c->m, page.page);
	memset(vp, 0, sizeof(*vp));
	vp->num_pages = 1;
	atomic_store_explicit(&vp->assoc_lpid, LPID_NONE, memory_order_relaxed);
	tdr_count_up(td.tdr, 1);
	call_committed(c, .kind = COMMIT_CONTROL, .tdr = td.lock.page, .page = page.page);
	pamt_set_owner(page.entry, td.lock.page);
	pamt_set_bepoch(page.entry, 0);
	pamt_set_type(page.entry, PAMT_TDVPR);
	pamt_count_up(c, &page);
	page_unlock(c, &page);
out:
	tdr_unlock(c, &td);
	return st;
}
