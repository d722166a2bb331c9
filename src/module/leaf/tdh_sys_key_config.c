// SPDX-License-Identifier: MIT
#include "module/leaf/leaf.h"
#include "module/sys.h"

/*
 * tdh_sys_key_config - program the module's own key on the caller's package
 *
 * Side:   host
 * Locks:  global exclusive; the package's key-programming engine
 * Checks: module state, package not done yet, engine, entropy
 * Commit: package bit; on the last package state := READY
 * Status: SUCCESS, SYS_BUSY, SYS_KEY_CONFIG_NOT_PENDING, KEY_CONFIGURED, BUSY (KET),
 *         KEY_GENERATION_FAILED
 */
u64 tdh_sys_key_config(struct call *c)
{
	struct sl_machine *m = c->m;
	u32 mine = 1u << c->lp->package, all = (1u << m->cfg.packages) - 1, done;
	u64 st;

	st = sharex_lock(c, LOCK_SYS, &m->sys_lock, LOCK_EX);
	if (st)
		return st;
	if (sys_state(m) != SYS_CONFIG_DONE) {
		st = TDX_SYS_KEY_CONFIG_NOT_PENDING;
		goto out;
	}
	done = atomic_fetch_or_explicit(&m->sys_pkg_bitmap, mine, memory_order_relaxed);
	if (done & mine) {
		st = TDX_KEY_CONFIGURED;
		goto out;
	}
	st = mutex_lock(c, LOCK_KET, &m->key_engine[c->lp->package]);
	if (st)
		goto out_bit;
	if (env_choose(c->lp->env, SL_CHOICE_ENTROPY, 2))
		st = TDX_KEY_GENERATION_FAILED;
	mutex_unlock(c, &m->key_engine[c->lp->package]);
	if (!st) {
		if ((done | mine) == all)
			sys_set_state(m, SYS_READY);
		goto out;
	}
out_bit:
	atomic_fetch_and_explicit(&m->sys_pkg_bitmap, ~mine, memory_order_relaxed);
out:
	sharex_unlock(c, &m->sys_lock, LOCK_EX);
	return st;
}
