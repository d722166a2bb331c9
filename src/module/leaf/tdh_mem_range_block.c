// SPDX-License-Identifier: MIT
#include "module/leaf/leaf.h"
#include "module/track.h"

static enum sept_state blocked_form(enum sept_state s)
{
	switch (s) {
	case SEPT_NL_MAPPED:
		return SEPT_NL_BLOCKED;
	case SEPT_MAPPED:
	case SEPT_BLOCKEDW:
		return SEPT_BLOCKED;
	default:
		return SEPT_PENDING_BLOCKED;
	}
}

/*
 * tdh_mem_range_block - take a range out of the guest's reach
 *
 * Side:   host
 * Locks:  TDR shared; OP_STATE shared; tree exclusive; entry
 * Checks: TDR, TD state, page info, walk, entry state
 * Commit: the entry, kept locked, then BEPOCH := TD_EPOCH without the page's PAMT lock
 * Status: SUCCESS, BUSY, GPA_RANGE_ALREADY_BLOCKED, EPT_WALK_FAILED, EPT_ENTRY_STATE_INCORRECT,
 *         OPERAND_INVALID and the TD state codes
 */
u64 tdh_mem_range_block(struct call *c)
{
	struct mem_call mc;
	u64 st, value;

	st = mem_begin(c, c->args->rcx, c->args->rdx, 0, LEVEL_TOP, LOCK_EX, &mc);
	if (st)
		return st;
	if (sept_state_flags(mc.e.state) & SEPT_ANY_BLOCKED) {
		ext_info(c, mc.e.copy, mc.e.level);
		st = with_op(TDX_GPA_RANGE_ALREADY_BLOCKED, TDX_OPERAND_ID_RCX);
		goto out;
	}
	st = entry_check_state(c, &mc.e);
	if (st)
		goto out;

	value = sept_with_state(mc.e.copy, blocked_form(mc.e.state));
	if (sept_is_leaf(value) && mc.e.level == 1)
		value &= ~SEPT_ACCEPT_MASK;
	entry_commit(c, &mc.e, value, true);
	/*
	 * The epoch is read after the blocked entry is stored: a vCPU that enters under a later
	 * epoch must see the block. Pairs with the refcount and epoch in tdh_mem_track(). A published
	 * commit of a release before 1.5.20 is no full barrier, so there the store may be seen too late:
	 * scenarios/memory-model/block-then-epoch.yaml.
	 */
	pamt_set_bepoch(entry_pamt(c->m, value, mc.e.level), epoch_read(mc.td.tdcs));
out:
	mem_end(c, &mc);
	return st;
}
