// SPDX-License-Identifier: MIT
#include <string.h>

#include "module/leaf/leaf.h"
#include "module/pamt.h"

/* The page changes hands; nobody can use it meanwhile, its entry is blocked or no vCPU runs. The hint for RCX. */
static u64 move(struct call *c, struct mem_call *mc, struct page_lock *from, struct page_lock *to)
{
	u64 value = sept_with_state(mc->e.copy, sept_unblocked(mc->e.state));

	if (c->m->cfg.contents && !(sept_state_flags(mc->e.state) & SEPT_ANY_PENDING))
		memcpy(mem_frame(c->m, to->page), mem_frame(c->m, from->page), SL_PAGE_SIZE);
	call_committed(c, .kind = COMMIT_RELOCATE, .tdr = mc->td.lock.page, .page = to->page,
		       .from = from->page, .gpa = mc->e.gpa);
	pamt_set_type(from->entry, PAMT_NDA);
	pamt_set_owner(to->entry, mc->td.lock.page);
	pamt_set_bepoch(to->entry, 0);
	pamt_set_type(to->entry, PAMT_REG);
	pamt_count_up(c, to);
	entry_commit(c, &mc->e, (value & ~SEPT_HPA_MASK) | to->page.v, true);
	return pamt_count_down(c, from);
}

/*
 * tdh_mem_page_relocate - move a 4 KB page to another physical page
 *
 * Side:   host
 * Locks:  TDR shared; OP_STATE shared; tree shared; entry; source page exclusive (implicit); target
 *         page exclusive
 * Checks: TDR, TD state, page info, walk, entry state, target is not the source, source page lock,
 *         blocked, TLB tracking, target page
 * Commit: contents unless pending, PAMT of the source, PAMT of the target, then the entry, unblocked
 *         and kept locked
 * Status: SUCCESS, BUSY (RDX, OP_STATE, SEPT_TREE, RCX, R8), GPA_RANGE_NOT_BLOCKED,
 *         TLB_TRACKING_NOT_DONE, EPT_WALK_FAILED, EPT_ENTRY_STATE_INCORRECT, OPERAND_INVALID,
 *         PAGE_METADATA_INCORRECT and the TD state codes
 */
u64 tdh_mem_page_relocate(struct call *c)
{
	u64 target = c->args->r8;
	struct page_lock from, to;
	struct mem_call mc;
	struct hpa source;
	u64 st;

	st = mem_begin(c, c->args->rcx, c->args->rdx, 0, 0, LOCK_SH, &mc);
	if (st)
		return st;
	st = entry_check_state(c, &mc.e);
	if (st)
		goto out;
	source = sept_hpa(mc.e.copy);
	if (target == source.v) {
		st = with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_R8);
		goto out;
	}
	st = page_lock_implicit(c, LOCK_PAGE, source, LOCK_EX, 0, &from);
	if (st) {
		ext_info(c, mc.e.copy, mc.e.level);
		goto out;
	}
	st = tracking_check(c, &mc.td, &mc.e, TDX_OPERAND_ID_RCX);
	if (st)
		goto out_from;
	st = page_lock_explicit(c, LOCK_PAGE, target, LOCK_EX, 0, PAMT_NDA, &to);
	if (st)
		goto out_from;

	/* All checks passed: nothing can fail from here. */
	c->args->rcx = source.v | move(c, &mc, &from, &to);
	page_unlock(c, &to);
out_from:
	page_unlock(c, &from);
out:
	mem_end(c, &mc);
	return st;
}
