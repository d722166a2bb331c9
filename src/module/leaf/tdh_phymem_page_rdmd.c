// SPDX-License-Identifier: MIT
#include "module/leaf/leaf.h"

/*
 * tdh_phymem_page_rdmd - read a page's metadata
 *
 * Side:   host
 * Locks:  page shared, at the level where the PAMT walk ends
 * Checks: page address
 * Commit: none
 * Status: SUCCESS, BUSY, OPERAND_INVALID, OPERAND_ADDR_RANGE_ERROR. RCX: type; RDX: owner, as it
 *         stands there even if the page is nobody's any more; R8: size; R9: BEPOCH of REG and EPT
 *         pages, which TDH.MEM.RANGE.BLOCK writes without this lock
 */
u64 tdh_phymem_page_rdmd(struct call *c)
{
	struct tdx_module_args *a = c->args;
	struct page_lock page;
	enum pamt_type type;
	u64 hpa = a->rcx;
	u64 st;

	a->rcx = a->rdx = a->r8 = a->r9 = a->r10 = a->r11 = 0;
	st = page_lock_explicit(c, LOCK_PAGE, hpa, LOCK_SH, LEVEL_ANY, PAMT_NDA, &page);
	if (st)
		return st;
	type = pamt_type(page.entry);
	a->rcx = type;
	a->rdx = pamt_owner(page.entry).v;
	a->r8 = page.level;
	if (type == PAMT_REG || type == PAMT_EPT)
		a->r9 = pamt_bepoch(page.entry);
	page_unlock(c, &page);
	return 0;
}
