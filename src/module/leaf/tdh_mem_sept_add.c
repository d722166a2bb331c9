// SPDX-License-Identifier: MIT
#include "module/leaf/leaf.h"
#include "module/pamt.h"

#define SEPT_ADD_ALLOW_EXISTING BIT_ULL(0)
#define NO_PAGE                 (~0ull)

/*
 * tdh_mem_sept_add - link a new S-EPT page
 *
 * Side:   host
 * Locks:  TDR shared; OP_STATE shared; tree shared; parent entry; new page exclusive
 * Checks: version, operands, TDR, TD state, page info, walk, entry state, new page
 * Commit: page filled with FREE entries, PAMT, CHLDCNT, then the parent entry, kept locked
 * Status: SUCCESS, BUSY, OPERAND_INVALID, EPT_WALK_FAILED, EPT_ENTRY_STATE_INCORRECT,
 *         PAGE_METADATA_INCORRECT and the TD state codes
 *
 * Version 1 differs only for TDs with L2 VMs, which this model does not have: its L2 page operands
 * R9-R11 must say "none", and are returned as they came in.
 */
u64 tdh_mem_sept_add(struct call *c)
{
	u64 rcx = c->args->rcx, rdx = c->args->rdx, r8 = c->args->r8;
	const u64 *l2 = &c->args->r9;
	bool no_l1 = c->version == 1 && r8 == NO_PAGE;
	struct page_lock page;
	struct mem_call mc;
	u64 st;

	c->args->rcx = 0;
	c->args->rdx = 0;
	if (rdx & (GENMASK_ULL(11, 1) | GENMASK_ULL(63, 52)))
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RDX);
	if (c->version == 0 && r8 == NO_PAGE)
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_R8);
	for (u32 vm = 0; c->version == 1 && vm < 3; vm++)
		if (l2[vm] != NO_PAGE)
			return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_R9 + vm);
	st = mem_begin(c, rcx, rdx & ~SEPT_ADD_ALLOW_EXISTING, 1, LEVEL_TOP, LOCK_SH, &mc);
	if (st)
		return st;
	st = entry_check_state(c, &mc.e);
	if (st)
		goto out;
	if (mc.e.state == SEPT_NL_MAPPED || no_l1) {
		/* Nothing to add: fine where the caller said that it may be there already. */
		if (mc.e.state != SEPT_NL_MAPPED || !(rdx & SEPT_ADD_ALLOW_EXISTING || no_l1)) {
			ext_info(c, mc.e.copy, mc.e.level);
			st = with_op(TDX_EPT_ENTRY_STATE_INCORRECT, TDX_OPERAND_ID_RCX);
		} else if (c->version == 1 && !no_l1) {
			c->args->r8 = r8 | BIT_ULL(63);
		}
		goto out;
	}
	st = page_lock_explicit(c, LOCK_PAGE, c->version == 1 ? r8 & ~BIT_ULL(63) : r8, LOCK_EX, 0,
				PAMT_NDA, &page);
	if (st)
		goto out;

	/* All checks passed: nothing can fail from here. */
	sept_page_init(c->m, page.page);
	call_committed(c, .kind = COMMIT_CONTROL, .tdr = mc.td.lock.page, .page = page.page);
	pamt_set_owner(page.entry, mc.td.lock.page);
	pamt_set_bepoch(page.entry, 0);
	pamt_set_type(page.entry, PAMT_EPT);
	pamt_count_up(c, &page);
	tdr_count_up(mc.td.tdr, 1);
	entry_commit(c, &mc.e, sept_make_table(page.page), true);
	if (c->version == 1)
		c->args->r8 = NO_PAGE;
	page_unlock(c, &page);
out:
	mem_end(c, &mc);
	return st;
}
