// SPDX-License-Identifier: MIT
/* What TDH.MEM.RD and TDH.MEM.WR have in common: all but the direction. Layer: module. */
#include "module/leaf/leaf.h"

/* Finds the present leaf of whatever size behind @gpa; the tree is held. */
static u64 find_leaf(struct call *c, struct td_ref *td, struct entry_ref *e)
{
	struct sept_walk w = sept_walk(c->m, td->tdcs, e->gpa, 0);

	if (w.halt)
		return module_halt(c->lp, "S-EPT walk", "misconfigured entry 0x%llx at level %u",
				   (unsigned long long)w.copy, w.level);
	if (!sept_is_leaf(w.copy) || !(w.copy & SEPT_RWX)) {
		ext_info(c, w.copy, w.level);
		return with_op(TDX_EPT_ENTRY_NOT_PRESENT, TDX_OPERAND_ID_RCX);
	}
	e->entry = w.entry;
	e->copy = w.copy;
	e->level = w.level;
	return 0;
}

/* The 8 bytes as they were; 0 where pages have no contents. */
static u64 exchange(struct call *c, const struct entry_ref *e, const u64 *data)
{
	struct hpa at = sept_leaf_hpa(e->copy, e->level);
	u64 *word, old;

	if (!c->m->cfg.contents)
		return 0;
	at.v += e->gpa.v & (SL_LEVEL_SIZE(e->level) - 1);
	word = mem_frame(c->m, at);
	/* A running guest may use the page at the same time. */
	old = __atomic_load_n(word, __ATOMIC_RELAXED);
	if (data)
		__atomic_store_n(word, *data, __ATOMIC_RELAXED);
	return old;
}

/*
 * Published, before 1.5.13: the TDR goes first, so that the TD can be torn down while its lock words
 * are still being written (hazard H3).
 */
static void release(struct call *c, struct mem_call *mc)
{
	if (c->hardened || changed(c->m, CHANGE_MEM_DATA_TDR_LAST)) {
		mem_end(c, mc);
		return;
	}
	page_unlock(c, &mc->td.lock);
	entry_unlock(c, &mc->e);
	tree_unlock(c, &mc->td, &mc->e);
	op_state_unlock(c, &mc->td);
}

u64 mem_data(struct call *c, const u64 *data)
{
	u64 gpa = c->args->rcx, tdr = c->args->rdx;
	struct mem_call mc;
	u64 st;

	entry_begin(&mc.e);
	mc.e.gpa.v = gpa;
	c->args->rcx = 0;
	c->args->rdx = 0;
	st = tdr_lock(c, tdr, LOCK_SH, &mc.td);
	if (st)
		return st;
	st = td_state_check(c, &mc.td, true);
	if (st)
		goto out;
	if (!(mc.td.tdcs->attributes & TD_ATTR_DEBUG)) {
		st = TDX_TD_NON_DEBUG;
		goto out;
	}
	/* Before the address is looked at, other than in the leaves that map. */
	st = tree_lock(c, &mc.td, LOCK_SH, &mc.e);
	if (st)
		goto out;
	if (!sl_is_aligned(mc.e.gpa.v, sizeof(u64)) || !sept_gpa_is_private(mc.td.tdcs, mc.e.gpa)) {
		st = with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RCX);
		goto out;
	}
	st = find_leaf(c, &mc.td, &mc.e);
	if (st)
		goto out;
	st = entry_lock_host(c, &mc.e);
	if (st)
		goto out;
	st = entry_check_state(c, &mc.e);
	if (!st)
		c->args->r8 = exchange(c, &mc.e, data);
out:
	release(c, &mc);
	return st;
}
