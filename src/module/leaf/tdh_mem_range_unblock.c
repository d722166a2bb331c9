// SPDX-License-Identifier: MIT
#include "module/leaf/leaf.h"

/*
 * tdh_mem_range_unblock - give a blocked range back to the guest
 *
 * Side:   host
 * Locks:  TDR shared; OP_STATE shared; tree exclusive; entry
 * Checks: TDR, TD state, page info, walk, entry state, TLB tracking
 * Commit: the entry, which also unlocks it
 * Status: SUCCESS, BUSY, TLB_TRACKING_NOT_DONE (operand SEPT_TREE, since 1.5.05 RCX), EPT_WALK_FAILED,
 *         EPT_ENTRY_STATE_INCORRECT, OPERAND_INVALID and the TD state codes
 */
u64 tdh_mem_range_unblock(struct call *c)
{
	struct mem_call mc;
	u64 st;

	st = mem_begin(c, c->args->rcx, c->args->rdx, 0, LEVEL_TOP, LOCK_EX, &mc);
	if (st)
		return st;
	st = entry_check_state(c, &mc.e);
	if (st)
		goto out;
	st = tracking_check(c, &mc.td, &mc.e,
			    changed(c->m, CHANGE_UNBLOCK_OPERAND_RCX) ? TDX_OPERAND_ID_RCX
								      : TDX_OPERAND_ID_SEPT_TREE);
	if (st)
		goto out;
	entry_commit(c, &mc.e, sept_with_state(mc.e.copy, sept_unblocked(mc.e.state)), false);
out:
	mem_end(c, &mc);
	return st;
}
