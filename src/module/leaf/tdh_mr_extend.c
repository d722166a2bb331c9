// SPDX-License-Identifier: MIT
#include "module/leaf/leaf.h"
#include "module/measure.h"

/*
 * tdh_mr_extend - extend the TD's measurement by 256 bytes of a page
 *
 * Side:   host
 * Locks:  TDR exclusive
 * Checks: TDR, TD state, GPA, walk, entry state
 * Commit: MRTD, by the GPA and by the contents
 * Status: SUCCESS, BUSY, OPERAND_INVALID, EPT_ENTRY_NOT_PRESENT (with operand RCX when the walk
 *         fails, without when the state is wrong) and the TD state codes
 */
u64 tdh_mr_extend(struct call *c)
{
	u64 gpa = c->args->rcx;
	struct td_ref td = { 0 };
	struct sept_walk w;
	const u8 *data = NULL;
	u64 st;

	st = tdr_lock(c, c->args->rdx, LOCK_EX, &td);
	c->args->rcx = 0;
	c->args->rdx = 0;
	if (st)
		return st;
	st = td_state_check(c, &td, false);
	if (st)
		goto out;
	if (!sl_is_aligned(gpa, MR_CHUNK) || !sept_gpa_is_private(td.tdcs, (struct gpa){ gpa })) {
		st = with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RCX);
		goto out;
	}
	w = sept_walk(c->m, td.tdcs, (struct gpa){ gpa }, 0);
	if (w.halt) {
		st = module_halt(c->lp, "TDH.MR.EXTEND", "misconfigured S-EPT entry");
		goto out;
	}
	if (!w.reached) {
		ext_info(c, w.copy, w.level);
		st = with_op(TDX_EPT_ENTRY_NOT_PRESENT, TDX_OPERAND_ID_RCX);
		goto out;
	}
	if (!(c->leaf->entry_states >> sept_state(w.copy) & 1)) {
		ext_info(c, w.copy, w.level);
		st = TDX_EPT_ENTRY_NOT_PRESENT;
		goto out;
	}
	if (c->m->cfg.contents)
		data = (const u8 *)mem_frame(c->m, sept_hpa(w.copy)) + (gpa & SL_PAGE_MASK);
	call_committed(c, .kind = COMMIT_EXTEND, .tdr = td.lock.page, .gpa = { gpa }, .data = data);
	mrtd_event(c, td.tdcs, "MR.EXTEND", gpa);
	mrtd_data(c, td.tdcs, data);
out:
	tdr_unlock(c, &td);
	return st;
}
