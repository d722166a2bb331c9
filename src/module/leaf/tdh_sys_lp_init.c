// SPDX-License-Identifier: MIT
#include "module/leaf/leaf.h"
#include "module/sys.h"

/*
 * tdh_sys_lp_init - initialise the caller's LP
 *
 * Side:   host
 * Locks:  global shared
 * Checks: module state, LP not initialised yet, entropy
 * Commit: LP initialised, count of initialised LPs
 * Status: SUCCESS, SYS_BUSY, SYS_LP_INIT_NOT_PENDING, SYS_LP_INIT_DONE, RND_NO_ENTROPY
 */
u64 tdh_sys_lp_init(struct call *c)
{
	struct sl_machine *m = c->m;
	u64 st;

	c->args->rcx = c->args->rdx = c->args->r8 = 0;
	st = sharex_lock(c, LOCK_SYS, &m->sys_lock, LOCK_SH);
	if (st)
		return st;
	if (sys_state(m) != SYS_INIT_DONE) {
		st = TDX_SYS_LP_INIT_NOT_PENDING;
	} else if (c->lp->initialized) {
		st = TDX_SYS_LP_INIT_DONE;
	} else if (env_choose(c->lp->env, SL_CHOICE_ENTROPY, 2)) {
		st = TDX_RND_NO_ENTROPY;
	} else {
		c->lp->initialized = true;
		atomic_fetch_add_explicit(&m->lps_initialized, 1, memory_order_relaxed);
	}
	sharex_unlock(c, &m->sys_lock, LOCK_SH);
	return st;
}
