// SPDX-License-Identifier: MIT
#include "module/leaf/leaf.h"

/*
 * tdh_phymem_page_wbinvd - write back and invalidate the cache lines of a page, under a key id
 *
 * Side:   host
 * Locks:  page shared
 * Checks: key id in the private range, page address, 4 KB (since 1.5.20 any size) and type NDA
 * Commit: none in this model: there is no data cache
 * Status: SUCCESS, BUSY, OPERAND_INVALID, OPERAND_ADDR_RANGE_ERROR, PAGE_METADATA_INCORRECT
 */
u64 tdh_phymem_page_wbinvd(struct call *c)
{
	u64 hpa = c->args->rcx, hkid = hpa >> SL_HKID_SHIFT;
	bool any_level = changed(c->m, CHANGE_WBINVD_ANY_LEVEL);
	struct page_lock page;
	u64 st;

	if (hkid < SL_HKID_PRIVATE || hkid >= SL_HKIDS)
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RCX);
	st = page_lock_explicit(c, LOCK_PAGE, hpa & (BIT_ULL(SL_HKID_SHIFT) - 1), LOCK_SH,
				any_level ? LEVEL_ANY : 0, PAMT_NDA, &page);
	if (st)
		return st;
	/* As in the walk: nobody changes it now. */
	env_commutes(c->lp->env, &page.entry->type);
	if (pamt_type(page.entry) != PAMT_NDA)
		st = with_op(TDX_PAGE_METADATA_INCORRECT, TDX_OPERAND_ID_RCX);
	page_unlock(c, &page);
	return st;
}
