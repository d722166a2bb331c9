// SPDX-License-Identifier: MIT
/* What the S-EPT leaves have in common. Layer: module. */
#include "module/leaf/leaf.h"

u64 mem_begin(struct call *c, u64 rcx, u64 tdr, u32 level_min, u32 level_max,
	      enum lock_mode tree_mode, struct mem_call *mc)
{
	u64 st;

	*mc = (struct mem_call){ 0 };
	c->args->rcx = 0;
	c->args->rdx = 0;
	st = tdr_lock(c, tdr, LOCK_SH, &mc->td);
	if (st)
		return st;
	st = td_state_check(c, &mc->td, true);
	if (st)
		goto out;
	if (level_max == LEVEL_TOP)
		level_max = sept_top_level(mc->td.tdcs);
	st = page_info_decode(rcx, level_min, level_max, &mc->e);
	if (st)
		goto out;
	st = tree_lock_walk(c, &mc->td, tree_mode, &mc->e);
	if (st)
		goto out;
	st = entry_lock_host(c, &mc->e);
	if (!st)
		return 0;
out:
	mem_end(c, mc);
	return st;
}

void mem_end(struct call *c, struct mem_call *mc)
{
	entry_unlock(c, &mc->e);
	tree_unlock(c, &mc->td, &mc->e);
	tdr_unlock(c, &mc->td);
}
