// SPDX-License-Identifier: MIT
#include "module/leaf/leaf.h"
#include "module/pamt.h"

/* Locks of the owner and what they say about a page that is not a TDR. */
static u64 reclaim_from_owner(struct call *c, struct page_lock *page)
{
	struct td_ref td = { 0 };
	u64 st = tdr_lock_implicit(c, page, &td);

	if (st)
		return st;
	if (td.tdr->lifecycle != TD_TEARDOWN) {
		st = TDX_LIFECYCLE_STATE_INCORRECT;
	} else {
		call_committed(c, .kind = COMMIT_FREE, .tdr = td.lock.page, .page = page->page,
			       .level = page->level);
		tdr_count_down(td.tdr, SL_LEVEL_PAGES(page->level));
		pamt_set_type(page->entry, PAMT_NDA);
		c->args->r9 = pamt_count_down(c, page);
	}
	tdr_unlock(c, &td);
	return st;
}

static u64 reclaim_tdr(struct call *c, struct page_lock *page)
{
	struct tdr *tdr = mem_frame(c->m, page->page);

	if (tdr->lifecycle != TD_TEARDOWN)
		return TDX_LIFECYCLE_STATE_INCORRECT;
	if (atomic_load_explicit(&tdr->chldcnt, memory_order_relaxed))
		return TDX_TD_ASSOCIATED_PAGES_EXIST;
	call_committed(c, .kind = COMMIT_FREE, .tdr = page->page, .page = page->page);
	pamt_set_type(page->entry, PAMT_NDA);
	c->args->r9 = pamt_count_down(c, page);
	return 0;
}

/*
 * tdh_phymem_page_reclaim - take a page back from a TD that is being torn down
 *
 * Side:   host
 * Locks:  page exclusive, at the level where the PAMT walk ends; TDR shared (implicit), unless the
 *         page is the TDR
 * Checks: page address, type, alignment to its size, lifecycle, no children of a TDR
 * Commit: CHLDCNT, PAMT. Outputs are filled even for the later state errors.
 * Status: SUCCESS, BUSY (RCX or TDR), OPERAND_INVALID, OPERAND_ADDR_RANGE_ERROR,
 *         PAGE_METADATA_INCORRECT, LIFECYCLE_STATE_INCORRECT, TD_ASSOCIATED_PAGES_EXIST
 */
u64 tdh_phymem_page_reclaim(struct call *c)
{
	struct tdx_module_args *a = c->args;
	struct page_lock page;
	enum pamt_type type;
	u64 hpa = a->rcx;
	u64 st;

	a->rcx = a->rdx = a->r8 = a->r9 = a->r10 = a->r11 = 0;
	st = page_lock_explicit(c, LOCK_PAGE, hpa, LOCK_EX, LEVEL_ANY, PAMT_NDA, &page);
	if (st)
		return st;
	type = pamt_type(page.entry);
	if (type == PAMT_NDA || type == PAMT_RSVD) {
		st = with_op(TDX_PAGE_METADATA_INCORRECT, TDX_OPERAND_ID_RCX);
		goto out;
	}
	if (!sl_is_aligned(hpa, SL_LEVEL_SIZE(page.level))) {
		st = with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RCX);
		goto out;
	}
	a->rcx = type;
	a->rdx = pamt_owner(page.entry).v;
	a->r8 = page.level;
	st = type == PAMT_TDR ? reclaim_tdr(c, &page) : reclaim_from_owner(c, &page);
out:
	page_unlock(c, &page);
	return st;
}
