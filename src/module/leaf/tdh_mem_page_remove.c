// SPDX-License-Identifier: MIT
#include "module/leaf/leaf.h"
#include "module/pamt.h"

/*
 * tdh_mem_page_remove - take a page back from the TD
 *
 * Side:   host
 * Locks:  TDR shared; OP_STATE shared; tree shared; entry; removed page exclusive (implicit)
 * Checks: TDR, TD state, page info, walk, entry state, page lock, blocked, TLB tracking
 * Commit: the entry, FREE and unlocked, then CHLDCNT and PAMT
 * Status: SUCCESS, BUSY, GPA_RANGE_NOT_BLOCKED, TLB_TRACKING_NOT_DONE, EPT_WALK_FAILED,
 *         EPT_ENTRY_STATE_INCORRECT, OPERAND_INVALID and the TD state codes
 */
u64 tdh_mem_page_remove(struct call *c)
{
	struct page_lock page;
	struct mem_call mc;
	u64 st;

	st = mem_begin(c, c->args->rcx, c->args->rdx, 0, 2, LOCK_SH, &mc);
	if (st)
		return st;
	st = entry_check_state(c, &mc.e);
	if (st)
		goto out;
	st = page_lock_implicit(c, LOCK_PAGE, sept_leaf_hpa(mc.e.copy, mc.e.level), LOCK_EX,
				mc.e.level, &page);
	if (st) {
		ext_info(c, mc.e.copy, mc.e.level);
		goto out;
	}
	st = tracking_check(c, &mc.td, &mc.e, TDX_OPERAND_ID_RCX);
	if (st)
		goto out_page;

	/* All checks passed: nothing can fail from here. */
	call_committed(c, .kind = COMMIT_REMOVE, .tdr = mc.td.lock.page, .page = page.page,
		       .level = mc.e.level, .gpa = mc.e.gpa);
	entry_commit(c, &mc.e, SEPT_FREE_ENTRY, false);
	tdr_count_down(mc.td.tdr, SL_LEVEL_PAGES(mc.e.level));
	pamt_set_type(page.entry, PAMT_NDA);
	c->args->rcx = page.page.v | pamt_count_down(c, &page);
out_page:
	page_unlock(c, &page);
out:
	mem_end(c, &mc);
	return st;
}
