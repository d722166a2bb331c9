// SPDX-License-Identifier: MIT
#include "module/leaf/leaf.h"
#include "module/pamt.h"

/* Bit 0, L2-sparse mode, says nothing about a TD without L2 VMs. */
#define DEMOTE_L2_SPARSE BIT_ULL(0)

/*
 * Fills the new S-EPT page with the leaf in 512 pieces, unblocked and unlocked. Published: a
 * HOST_PRIORITY that was set between the lock and the copy gets into each of them (finding F8).
 */
static void split(struct call *c, const struct entry_ref *e, struct hpa table)
{
	u64 value = sept_with_state(e->copy, sept_unblocked(e->state));

	value &= ~(SEPT_TDEL | SEPT_HPA_MASK | (c->hardened ? SEPT_HP : 0));
	value |= sept_leaf_hpa(e->copy, e->level).v;
	sept_page_split(c->m, table, value, e->level);
}

/*
 * tdh_mem_page_demote - split a large page into 512 of the next size
 *
 * Side:   host
 * Locks:  TDR shared; OP_STATE shared; tree shared; entry; new S-EPT page exclusive; the large page's
 *         PAMT entry exclusive, for the PAMT demote only, and meanwhile, with dynamic PAMT and to 4 KB, the
 *         two pages of the pair shared
 * Checks: flags, TDR, TD state, page info, walk, entry state, blocked, TLB tracking, new page,
 *         interrupt, large page, the pair
 * Commit: PAMT, then the entry, kept locked, then the new page's PAMT and CHLDCNT. The new page is
 *         filled before the last checks: it stays unassigned when they fail, but is overwritten
 * Status: SUCCESS, BUSY (RDX, OP_STATE, SEPT_TREE, RCX, R8, R12, R13), GPA_RANGE_NOT_BLOCKED,
 *         TLB_TRACKING_NOT_DONE, INTERRUPTED_RESTARTABLE and (since 1.5.20) INTERRUPTED_BUSY with RCX
 *         and RDX as they came in,
 *         EPT_WALK_FAILED, EPT_ENTRY_STATE_INCORRECT, OPERAND_INVALID, PAGE_METADATA_INCORRECT, for the pair
 *         OPERAND_ADDR_RANGE_ERROR and PAGE_NOT_FREE too, and the TD state codes
 *
 * R9-R11 name S-EPT pages for L2 VMs, which this model does not have: they are ignored. R12 and R13 are the
 * pair that will hold the PAMT entries of the 512 pages. One that lies in the 2 MB itself is refused
 * with BUSY, always: the walk to it meets the lock that this leaf has on the large page.
 */
u64 tdh_mem_page_demote(struct call *c)
{
	u64 rcx = c->args->rcx, rdx = c->args->rdx;
	struct page_lock page;
	struct pamt_pair pair;
	struct mem_call mc;
	struct hpa large;
	u64 st;

	c->args->rcx = 0;
	c->args->rdx = 0;
	if (rdx & (GENMASK_ULL(11, 1) | GENMASK_ULL(63, 52)))
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RDX);
	st = mem_begin(c, rcx, rdx & ~DEMOTE_L2_SPARSE, 1, 2, LOCK_SH, &mc);
	if (st)
		return st;
	st = entry_check_state(c, &mc.e);
	if (st)
		goto out;
	large = sept_leaf_hpa(mc.e.copy, mc.e.level);
	/* Before the entry is known to be blocked: an AUG may not have made the page the TD's yet. */
	if (!pamt_get(c, large, mc.e.level)) {
		st = TDX_UNINITIALIZE_ERROR;
		goto out;
	}
	st = tracking_check(c, &mc.td, &mc.e, TDX_OPERAND_ID_RCX);
	if (st)
		goto out;
	st = page_lock_explicit(c, LOCK_PAGE, c->args->r8, LOCK_EX, 0, PAMT_NDA, &page);
	if (st)
		goto out;
	split(c, &mc.e, page.page);
	st = must_give_way(c, mc.td.tdcs);
	if (st) {
		c->args->rcx = rcx;
		c->args->rdx = rdx;
		goto out_page;
	}
	pair_init(&pair, c->args->r12, c->args->r13);
	st = pamt_demote(c, large, mc.e.level, &pair);
	if (st) {
		ext_info(c, mc.e.copy, mc.e.level);
		goto out_page;
	}

	/* All checks passed: nothing can fail from here. */
	call_committed(c, .kind = COMMIT_DEMOTE, .tdr = mc.td.lock.page, .page = large,
		       .level = mc.e.level, .gpa = mc.e.gpa);
	call_committed(c, .kind = COMMIT_CONTROL, .tdr = mc.td.lock.page, .page = page.page);
	entry_commit(c, &mc.e, sept_make_table(page.page), true);
	pamt_set_owner(page.entry, mc.td.lock.page);
	pamt_set_type(page.entry, PAMT_EPT);
	pamt_count_up(c, &page);
	tdr_count_up(mc.td.tdr, 1);
out_page:
	page_unlock(c, &page);
out:
	mem_end(c, &mc);
	return st;
}
