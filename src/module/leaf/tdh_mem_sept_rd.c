// SPDX-License-Identifier: MIT
#include "module/leaf/leaf.h"

#define SEPT_RD_L2_ATTRIBUTES BIT_ULL(0)

/*
 * tdh_mem_sept_rd - read a S-EPT entry
 *
 * Side:   host
 * Locks:  TDR shared; OP_STATE shared; tree shared; entry
 * Checks: TDR, TD state, L2 flag, page info, walk
 * Commit: none. As a side effect the entry's HOST_PRIORITY is cleared, by the host's success.
 * Status: SUCCESS, BUSY, OPERAND_INVALID, EPT_WALK_FAILED and the TD state codes
 */
u64 tdh_mem_sept_rd(struct call *c)
{
	u64 rcx = c->args->rcx, rdx = c->args->rdx;
	struct mem_call mc;
	u64 st;

	c->args->rcx = 0;
	c->args->rdx = 0;
	if (rdx & SEPT_RD_L2_ATTRIBUTES) {
		/* Only for debug TDs with L2 VMs, which this model does not have. */
		st = tdr_lock(c, rdx & ~SEPT_RD_L2_ATTRIBUTES, LOCK_SH, &mc.td);
		if (st)
			return st;
		st = td_state_check(c, &mc.td, true);
		if (!st)
			st = with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RDX);
		tdr_unlock(c, &mc.td);
		return st;
	}
	st = mem_begin(c, rcx, rdx, 0, LEVEL_TOP, LOCK_SH, &mc);
	if (st)
		return st;
	ext_info(c, mc.e.copy, mc.e.level);
	mem_end(c, &mc);
	return 0;
}
