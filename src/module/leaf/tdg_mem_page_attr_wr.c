// SPDX-License-Identifier: MIT
#include "module/guest_entry.h"
#include "module/leaf/leaf.h"
#include "module/td_exit.h"

/* Per VM 16 bits, of which these mean nothing. */
#define ATTR_RESERVED 0x7F007F007F007F00ull

static u32 writable_states(void)
{
	return 1u << SEPT_MAPPED | 1u << SEPT_EXPORTED_DIRTY | 1u << SEPT_PENDING |
	       1u << SEPT_PENDING_EXPORTED_DIRTY;
}

/* By value: an entry_ref that somebody else sees has to be in memory. */
SL_COLD static __attribute__((noinline)) u64 exit_to_host(struct call *c, struct gpa gpa, u32 level,
							  u64 entry, u32 level_stopped)
{
	u32 public_state = sept_state_public(sept_state(entry));

	td_exit_ept_violation(c->lp, gpa.v, EPT_QUAL_WRITE,
			      eeq_info(TDX_EEQ_ATTR_WR, level, level_stopped, public_state,
				       sept_is_leaf(entry)));
	c->exits = true;
	return 0;
}

static u64 operands_check(struct call *c, u64 rcx, u64 attributes, u64 flags, struct entry_ref *e)
{
	u64 st;

	if (attributes & ATTR_RESERVED)
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RDX);
	/* Those of the L1 VM are fixed, and other VMs do not exist: nothing may be selected. */
	if (flags)
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_R8);
	st = page_info_decode(rcx, 0, 2, e);
	if (!st && !sept_gpa_is_private(c->lp->tdcs, e->gpa))
		st = with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RCX);
	return st;
}

/*
 * tdg_mem_page_attr_wr - write a page's attributes for L2 VMs
 *
 * Side:   guest
 * Locks:  the entry at the requested level, after a lock-free walk
 * Checks: attributes, flags, operands, walk, lock, entry is a leaf or FREE, entry state
 * Commit: none in a TD without L2 VMs: HOST_PRIORITY stays as it is
 * Status: SUCCESS with the attributes as TDG.MEM.PAGE.ATTR.RD has them, BUSY, PAGE_SIZE_MISMATCH with
 *         the level, OPERAND_INVALID; an EPT-violation TD exit for a page that is not there
 */
SL_FLATTEN u64 tdg_mem_page_attr_wr(struct call *c)
{
	struct tdx_module_args *a = c->args;
	u64 rcx = a->rcx, attributes = a->rdx;
	struct entry_ref e = { 0 };
	struct sept_walk w;
	u64 st;

	a->rcx = 0;
	a->rdx = 0;
	st = operands_check(c, rcx, attributes, a->r8, &e);
	if (st)
		return st;
	w = sept_walk(c->m, c->lp->tdcs, e.gpa, e.level);
	if (w.halt)
		return module_halt(c->lp, "TDG.MEM.PAGE.ATTR.WR", "misconfigured S-EPT entry");
	if (!w.reached)
		return exit_to_host(c, e.gpa, e.level, w.copy, w.level);
	e.entry = w.entry;
	st = entry_lock_guest(c, &e);
	if (st)
		return st;
	if (!sept_is_leaf(e.copy) && e.state != SEPT_FREE) {
		st = with_op(TDX_PAGE_SIZE_MISMATCH, e.level);
	} else if (!(writable_states() >> e.state & 1)) {
		entry_unlock(c, &e);
		return exit_to_host(c, e.gpa, e.level, e.copy, e.level);
	} else {
		attr_info(a, &e);
	}
	entry_unlock(c, &e);
	return st;
}
