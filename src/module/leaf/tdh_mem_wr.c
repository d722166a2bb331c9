// SPDX-License-Identifier: MIT
#include "module/leaf/leaf.h"

/*
 * tdh_mem_wr - write 8 bytes of a debug TD's memory
 *
 * Side:   host
 * Locks:  TDR shared; OP_STATE shared; tree shared; entry. Published: the TDR is released first
 * Checks: TDR, TD state, debug, tree, GPA, walk, entry, entry state
 * Commit: the data in R8; R8 := what was there, 0 where pages have no contents
 * Status: SUCCESS, BUSY, TD_NON_DEBUG, OPERAND_INVALID, EPT_ENTRY_NOT_PRESENT,
 *         EPT_ENTRY_STATE_INCORRECT and the TD state codes
 */
u64 tdh_mem_wr(struct call *c)
{
	u64 data = c->args->r8;

	return mem_data(c, &data);
}
