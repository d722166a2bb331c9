// SPDX-License-Identifier: MIT
#include "module/leaf/leaf.h"
#include "module/pamt.h"

static void take_page(struct call *c, struct td_ref *td, struct page_lock *page)
{
	tdr_count_up(td->tdr, SL_LEVEL_PAGES(page->level));
	pamt_set_owner(page->entry, td->lock.page);
	pamt_set_bepoch(page->entry, 0);
	pamt_set_type(page->entry, PAMT_REG);
	pamt_count_up(c, page);
}

/*
 * tdh_mem_page_aug - map a page that the guest has to accept
 *
 * Side:   host
 * Locks:  TDR shared; OP_STATE shared; tree shared; entry; new page exclusive
 * Checks: TDR, TD state, page info, walk, entry state, new page
 * Commit: published: the entry first, unlocked, then the PAMT; hardened: the PAMT first
 * Status: SUCCESS, BUSY, OPERAND_INVALID, EPT_WALK_FAILED, EPT_ENTRY_STATE_INCORRECT,
 *         PAGE_METADATA_INCORRECT, OP_STATE_INCORRECT and the other TD state codes
 */
u64 tdh_mem_page_aug(struct call *c)
{
	u64 new_page = c->args->r8;
	struct page_lock page;
	struct mem_call mc;
	u64 st, leaf;

	st = mem_begin(c, c->args->rcx, c->args->rdx, 0, 1, LOCK_SH, &mc);
	if (st)
		return st;
	st = entry_check_state(c, &mc.e);
	if (st)
		goto out;
	st = page_lock_explicit(c, LOCK_PAGE, new_page, LOCK_EX, mc.e.level, PAMT_NDA, &page);
	if (st)
		goto out;
	if (mc.e.level == 1 && !pamt_range_is_free(c->m, page.page)) {
		st = with_op(TDX_PAGE_METADATA_INCORRECT, TDX_OPERAND_ID_R8);
		goto out_page;
	}

	/* All checks passed: nothing can fail from here. */
	call_committed(c, .kind = COMMIT_AUG, .tdr = mc.td.lock.page, .page = page.page,
		       .level = mc.e.level, .gpa = mc.e.gpa);
	leaf = sept_make_leaf(SEPT_PENDING, page.page);
	if (c->hardened) {
		take_page(c, &mc.td, &page);
		entry_commit(c, &mc.e, leaf, false);
	} else {
		entry_commit(c, &mc.e, leaf, false);
		take_page(c, &mc.td, &page);
	}
out_page:
	page_unlock(c, &page);
out:
	mem_end(c, &mc);
	return st;
}
