// SPDX-License-Identifier: MIT
#include "module/leaf/leaf.h"
#include "module/pamt.h"

/*
 * tdh_phymem_pamt_add - give a 2 MB range the two pages that hold the PAMT entries of its 4 KB pages
 *
 * Side:   host
 * Locks:  the range's 2 MB entry exclusive, 1 GB shared; each of the two pages shared, unless it lies
 *         in the range itself
 * Checks: dynamic PAMT, range, the pages' addresses, range within the TDMR, range free, pages free
 * Commit: the pages are marked as PAMT pages, the 512 entries zeroed, the range's type
 * Status: SUCCESS, BUSY (RCX, RDX, R8), OPERAND_INVALID (RAX, RCX, RDX, R8), OPERAND_ADDR_RANGE_ERROR,
 *         HPA_RANGE_NOT_FREE (RCX), PAGE_NOT_FREE (RDX, R8)
 */
u64 tdh_phymem_pamt_add(struct call *c)
{
	static const u32 operand[] = { TDX_OPERAND_ID_RDX, TDX_OPERAND_ID_R8 };
	struct page_lock range;
	struct pamt_pair pair;
	struct hpa hpa;
	u64 st;

	st = pamt_range_operand(c, &hpa);
	if (st)
		return st;
	pair_init(&pair, c->args->rdx, c->args->r8);
	st = pair_check(c, &pair, operand);
	if (!st)
		st = pamt_range_lock(c, hpa, &range);
	if (st)
		return st;
	if (range.level != 1 || pamt_type(range.entry) != PAMT_NDA) {
		st = with_op(TDX_HPA_RANGE_NOT_FREE, TDX_OPERAND_ID_RCX);
		goto out;
	}
	st = pair_take(c, &pair, hpa, true);
	if (st)
		goto out;

	/* All checks passed: nothing can fail from here. */
	pair_install(c, &pair, range.entry, hpa);
out:
	pair_unlock(c, &pair);
	page_unlock(c, &range);
	return st;
}
