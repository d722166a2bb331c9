// SPDX-License-Identifier: MIT
#include "module/guest_entry.h"
#include "module/leaf/leaf.h"
#include "module/td_exit.h"

static u32 readable_states(void)
{
	return 1u << SEPT_MAPPED | 1u << SEPT_BLOCKEDW | 1u << SEPT_EXPORTED_BLOCKEDW |
	       1u << SEPT_EXPORTED_DIRTY | 1u << SEPT_EXPORTED_DIRTY_BLOCKEDW | 1u << SEPT_PENDING |
	       1u << SEPT_PENDING_BLOCKEDW | 1u << SEPT_PENDING_EXPORTED_BLOCKEDW |
	       1u << SEPT_PENDING_EXPORTED_DIRTY | 1u << SEPT_PENDING_EXPORTED_DIRTY_BLOCKEDW;
}

/*
 * tdg_mem_page_attr_rd - read a page's mapping size and attributes
 *
 * Side:   guest
 * Locks:  the entry at which the walk ends, whatever it is
 * Checks: GPA, lock, entry state
 * Commit: none
 * Status: SUCCESS, BUSY, OPERAND_INVALID; an EPT-violation TD exit for a page that is not there
 */
SL_FLATTEN u64 tdg_mem_page_attr_rd(struct call *c)
{
	struct tdx_module_args *a = c->args;
	struct entry_ref e = { .gpa = { a->rcx } };
	struct sept_walk w;
	u64 st;

	a->rcx = 0;
	a->rdx = 0;
	if ((e.gpa.v & SL_PAGE_MASK) || !sept_gpa_is_private(c->lp->tdcs, e.gpa))
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RCX);
	w = sept_walk(c->m, c->lp->tdcs, e.gpa, 0);
	if (w.halt)
		return module_halt(c->lp, "TDG.MEM.PAGE.ATTR.RD", "misconfigured S-EPT entry");
	e.entry = w.entry;
	e.level = w.level;
	st = entry_lock_guest(c, &e);
	if (st)
		return st;
	if (!(readable_states() >> e.state & 1)) {
		entry_unlock(c, &e);
		td_exit_ept_violation(c->lp, e.gpa.v, EPT_QUAL_READ, 0);
		c->exits = true;
		return 0;
	}
	attr_info(a, &e);
	entry_unlock(c, &e);
	return 0;
}
