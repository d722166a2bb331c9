// SPDX-License-Identifier: MIT
#include <string.h>

#include "module/leaf/leaf.h"
#include "module/pamt.h"
#include "module/measure.h"

/*
 * tdh_mem_page_add - add a page with contents while the TD is being built
 *
 * Side:   host
 * Locks:  TDR exclusive (excludes every other leaf of the TD); new page exclusive
 * Checks: TDR, TD state, page info, source page, walk, entry state, new page
 * Commit: contents, entry, measurement, CHLDCNT, PAMT
 * Status: SUCCESS, BUSY, OPERAND_INVALID, EPT_WALK_FAILED, EPT_ENTRY_STATE_INCORRECT,
 *         PAGE_METADATA_INCORRECT and the TD state codes
 */
u64 tdh_mem_page_add(struct call *c)
{
	u64 rcx = c->args->rcx, new_page = c->args->r8;
	struct td_ref td = { 0 };
	struct entry_ref e = { 0 };
	struct page_lock page;
	struct sept_walk w;
	const void *source;
	u64 st;

	st = tdr_lock(c, c->args->rdx, LOCK_EX, &td);
	c->args->rcx = 0;
	c->args->rdx = 0;
	if (st)
		return st;
	st = td_state_check(c, &td, false);
	if (st)
		goto out;
	st = page_info_decode(rcx, 0, 0, &e);
	if (st)
		goto out;
	if (!sept_gpa_is_private(td.tdcs, e.gpa)) {
		st = with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RCX);
		goto out;
	}
	source = shared_operand(c->m, c->args->r9, SL_PAGE_SIZE);
	if (!source) {
		st = with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_R9);
		goto out;
	}
	w = sept_walk(c->m, td.tdcs, e.gpa, 0);
	if (w.halt) {
		st = module_halt(c->lp, "TDH.MEM.PAGE.ADD", "misconfigured S-EPT entry");
		goto out;
	}
	if (!w.reached) {
		ext_info(c, w.copy, w.level);
		st = with_op(TDX_EPT_WALK_FAILED, TDX_OPERAND_ID_RCX);
		goto out;
	}
	e.copy = w.copy;
	e.state = sept_state(w.copy);
	st = entry_check_state(c, &e);
	if (st)
		goto out;
	if (w.copy & SEPT_TDEL) {
		st = module_halt(c->lp, "TDH.MEM.PAGE.ADD", "S-EPT entry is locked");
		goto out;
	}
	st = page_lock_explicit(c, LOCK_PAGE, new_page, LOCK_EX, 0, PAMT_NDA, &page);
	if (st)
		goto out;

	/* All checks passed: nothing can fail from here. */
	call_committed(c, .kind = COMMIT_ADD, .tdr = td.lock.page, .page = page.page, .gpa = e.gpa);
	if (c->m->cfg.contents)
		memcpy(mem_frame(c->m, page.page), source, SL_PAGE_SIZE);
	atomic_store_explicit(w.entry, sept_make_leaf(SEPT_MAPPED, page.page),
			      memory_order_release);
	mrtd_event(c, td.tdcs, "MEM.PAGE.ADD", e.gpa.v);
	tdr_count_up(td.tdr, 1);
	pamt_set_owner(page.entry, td.lock.page);
	pamt_set_bepoch(page.entry, 0);
	pamt_set_type(page.entry, PAMT_REG);
	pamt_count_up(c, &page);
	page_unlock(c, &page);
out:
	tdr_unlock(c, &td);
	return st;
}
