// SPDX-License-Identifier: MIT
#include "module/leaf/leaf.h"
#include "module/pamt.h"

/* One PAMT page holds the entries of so many 4 KB pages. */
#define ENTRIES_PER_PAGE (SL_PAGE_SIZE / sizeof(struct pamt_entry))
_Static_assert(2 * ENTRIES_PER_PAGE == SL_ENTRIES, "a pair holds the entries of 2 MB");

/*
 * Read without the children's locks. Published, that is all: a leaf that has freed the page but still counts it,
 * or still has its lock, is not waited for (finding N1).
 */
static bool is_free(struct call *c, struct hpa page)
{
	const struct pamt_entry *e = mem_pamt(c->m, page, 0);

	if (!mem_is_present(c->m, page))
		return true;
	if (pamt_type(e) != PAMT_NDA)
		return false;
	/* Acquire: pairs with the release of the lock, which comes behind the count. */
	return !c->m->hardened ||
	       !(atomic_load_explicit(&e->lock.word, memory_order_acquire) & ~SHAREX_HP_PRIORITY);
}

static u64 all_are_free(struct call *c, struct hpa range)
{
	for (u32 i = 0; i < SL_ENTRIES; i++)
		if (!is_free(c, (struct hpa){ range.v + i * SL_PAGE_SIZE }))
			return TDX_PAMT_PAGE_NOT_EMPTY + i / ENTRIES_PER_PAGE;
	return 0;
}

/*
 * tdh_phymem_pamt_remove - take the two PAMT pages of a 2 MB range back
 *
 * Side:   host
 * Locks:  the range's 2 MB entry exclusive, 1 GB shared
 * Checks: dynamic PAMT, range, range has a pair, its 512 pages are free (hardened: and not locked),
 *         the page count is 0 (or else the module halts: finding N1)
 * Commit: the pages are no PAMT pages any more, the range's type
 * Status: SUCCESS, BUSY (RCX), OPERAND_INVALID (RAX, RCX), OPERAND_ADDR_RANGE_ERROR (RCX),
 *         NO_PAMT_PAGE_PAIR (RCX), PAMT_PAGE_NOT_EMPTY with 0 or 1, the page of the pair that holds the
 *         first entry that is in use
 */
u64 tdh_phymem_pamt_remove(struct call *c)
{
	struct page_lock range;
	struct hpa hpa;
	u64 st, pair[2];

	st = pamt_range_operand(c, &hpa);
	if (!st)
		st = pamt_range_lock(c, hpa, &range);
	if (st)
		return st;
	if (range.level != 1 || pamt_type(range.entry) != PAMT_PAMT) {
		st = with_op(TDX_NO_PAMT_PAGE_PAIR, TDX_OPERAND_ID_RCX);
		goto out;
	}
	st = all_are_free(c, hpa);
	if (st)
		goto out;
	if (pamt_pages_in_use(range.entry)) {
		st = module_halt(c->lp, "TDH.PHYMEM.PAMT.REMOVE",
				 "no page of 2 MB at 0x%llx is in use, %u are counted",
				 (unsigned long long)hpa.v, pamt_pages_in_use(range.entry));
		goto out;
	}

	/* All checks passed: nothing can fail from here. */
	pair_remove(c, range.entry, hpa, pair);
	c->args->rdx = pair[0];
	c->args->r8 = pair[1];
out:
	page_unlock(c, &range);
	return st;
}
