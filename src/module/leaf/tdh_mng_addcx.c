// SPDX-License-Identifier: MIT
#include <string.h>

#include "module/leaf/leaf.h"
#include "module/pamt.h"

/*
 * tdh_mng_addcx - add a page to the TD's control structure (TDCS)
 *
 * Side:   host
 * Locks:  TDR exclusive; new page exclusive
 * Checks: TDR, fatal, keys, number of pages, new page, OP_STATE for pages 7 to 9, entropy for the
 *         sixth
 * Commit: page linked, CHLDCNT, PAMT. Releases the TDR first (since 1.5.13 last).
 * Status: SUCCESS, BUSY, TD_FATAL, TD_KEYS_NOT_CONFIGURED, TDCX_NUM_INCORRECT,
 *         PAGE_METADATA_INCORRECT, OP_STATE_INCORRECT, RND_NO_ENTROPY
 */
u64 tdh_mng_addcx(struct call *c)
{
	struct td_ref td = { 0 };
	struct page_lock page;
	u32 index;
	u64 st;

	st = tdr_lock(c, c->args->rdx, LOCK_EX, &td);
	if (st)
		return st;
	if (atomic_load_explicit(&td.tdr->fatal, memory_order_relaxed)) {
		st = TDX_TD_FATAL;
		goto out;
	}
	if (td.tdr->lifecycle != TD_KEYS_CONFIGURED) {
		st = TDX_TD_KEYS_NOT_CONFIGURED;
		goto out;
	}
	index = td.tdr->num_tdcx;
	if (index >= TDCX_MAX) {
		st = TDX_TDCX_NUM_INCORRECT;
		goto out;
	}
	st = page_lock_explicit(c, LOCK_PAGE, c->args->rcx, LOCK_EX, 0, PAMT_NDA, &page);
	if (st)
		goto out;
	/* The page is written before the last failure point, as in the module. */
	if (index == 0)
		memset(mem_frame(c->m, page.page), 0, sizeof(struct tdcs));
	else if (index == TDCX_SEPT_ROOT)
		sept_page_init(c->m, page.page);
	if (index >= TDCX_MIN && !op_state_allowed(c, tdr_tdcs(c->m, td.tdr))) {
		st = op_state_incorrect(c, tdr_tdcs(c->m, td.tdr));
		goto out_page;
	}
	if (index == TDCX_MIN - 1 && env_choose(c->lp->env, SL_CHOICE_ENTROPY, 2)) {
		st = TDX_RND_NO_ENTROPY;
		goto out_page;
	}
	td.tdr->tdcx[index] = page.page;
	td.tdr->num_tdcx = index + 1;
	tdr_count_up(td.tdr, 1);
	call_committed(c, .kind = COMMIT_CONTROL, .tdr = td.lock.page, .page = page.page);
	pamt_set_owner(page.entry, td.lock.page);
	pamt_set_bepoch(page.entry, 0);
	pamt_set_type(page.entry, PAMT_TDCX);
	pamt_count_up(c, &page);
out_page:
	if (changed(c->m, CHANGE_ADDCX_TDR_LAST)) {
		page_unlock(c, &page);
		goto out;
	}
	tdr_unlock(c, &td);
	page_unlock(c, &page);
	return st;
out:
	tdr_unlock(c, &td);
	return st;
}
