// SPDX-License-Identifier: MIT
#include "module/leaf/leaf.h"
#include "module/pamt.h"

/*
 * tdh_mem_sept_remove - unlink an empty S-EPT page and give it back
 *
 * Side:   host
 * Locks:  TDR shared; OP_STATE shared; tree exclusive; parent entry; S-EPT page exclusive (implicit)
 * Checks: TDR, TD state, page info, walk, entry state, page lock, blocked, TLB tracking, children
 * Commit: the parent entry, FREE and unlocked, then CHLDCNT and PAMT
 * Status: SUCCESS, BUSY, GPA_RANGE_NOT_BLOCKED, TLB_TRACKING_NOT_DONE, EPT_PAGE_NOT_FREE,
 *         EPT_WALK_FAILED, EPT_ENTRY_STATE_INCORRECT, OPERAND_INVALID and the TD state codes
 *
 * Version 1 returns the L2 pages that went with it, of which this model has none.
 */
u64 tdh_mem_sept_remove(struct call *c)
{
	struct page_lock page;
	struct mem_call mc;
	u64 st;

	st = mem_begin(c, c->args->rcx, c->args->rdx, 1, LEVEL_TOP, LOCK_EX, &mc);
	if (st)
		return st;
	st = entry_check_state(c, &mc.e);
	if (st)
		goto out;
	st = page_lock_implicit(c, LOCK_PAGE, sept_hpa(mc.e.copy), LOCK_EX, 0, &page);
	if (st) {
		ext_info(c, mc.e.copy, mc.e.level);
		goto out;
	}
	st = tracking_check(c, &mc.td, &mc.e, TDX_OPERAND_ID_RCX);
	if (st)
		goto out_page;
	/* Without the children's locks: the tree is exclusive, and no guest can be below. */
	if (!sept_page_is_free(c->m, page.page)) {
		st = with_op(TDX_EPT_PAGE_NOT_FREE, TDX_OPERAND_ID_RCX);
		goto out_page;
	}

	/* All checks passed: nothing can fail from here. */
	call_committed(c, .kind = COMMIT_FREE, .tdr = mc.td.lock.page, .page = page.page);
	entry_commit(c, &mc.e, SEPT_FREE_ENTRY, false);
	tdr_count_down(mc.td.tdr, 1);
	pamt_set_type(page.entry, PAMT_NDA);
	c->args->rcx = page.page.v | pamt_count_down(c, &page);
	no_l2_pages(c);
out_page:
	page_unlock(c, &page);
out:
	mem_end(c, &mc);
	return st;
}
