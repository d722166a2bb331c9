// SPDX-License-Identifier: MIT
#include "module/leaf/leaf.h"

/* 1024 4 KB entries, 4 MB, per call. */
#define TDMR_INIT_STEP (1024ull << SL_PAGE_SHIFT)

/*
 * tdh_sys_tdmr_init - initialise the next piece of a TDMR's PAMT
 *
 * Side:   host
 * Locks:  the TDMR's mutex
 * Checks: TDMR base, mutex, not finished yet
 * Commit: "last initialised" moves on; whole 1 GB blocks become usable
 * Status: SUCCESS, BUSY, OPERAND_INVALID, TDMR_ALREADY_INITIALIZED
 *
 * PAMT entries of pages that exist start out as NDA (the arena is zero), the entry that stands for
 * the rest as RSVD, so there is nothing to write here.
 */
u64 tdh_sys_tdmr_init(struct call *c)
{
	struct sl_mem *mem = &c->m->mem;
	u64 end = mem->blocks << SL_LEVEL_SHIFT(2), at;
	u64 st;

	if (c->args->rcx != SL_PRIVATE_BASE)
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RCX);
	st = mutex_lock(c, LOCK_TDMR, &mem->tdmr_lock);
	if (st)
		return st;
	at = atomic_load_explicit(&mem->initialized, memory_order_relaxed);
	if (at == end) {
		st = TDX_TDMR_ALREADY_INITIALIZED;
		goto out;
	}
	at += TDMR_INIT_STEP;
	/* Pairs with the load in private_page_check(). */
	atomic_store_explicit(&mem->initialized, at, memory_order_release);
	c->args->rdx = SL_PRIVATE_BASE + (at & ~(SL_LEVEL_SIZE(2) - 1));
out:
	mutex_unlock(c, &mem->tdmr_lock);
	return st;
}
