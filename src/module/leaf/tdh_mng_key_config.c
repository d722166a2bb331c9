// SPDX-License-Identifier: MIT
#include "module/leaf/leaf.h"

/*
 * tdh_mng_key_config - program the TD's key on the caller's package
 *
 * Side:   host
 * Locks:  TDR exclusive; the package's key-programming engine
 * Checks: TDR, fatal, lifecycle, package not done yet, engine, entropy
 * Commit: package bit; on the last package lifecycle := KEYS_CONFIGURED
 * Status: SUCCESS, BUSY (RCX or KET), TD_FATAL, LIFECYCLE_STATE_INCORRECT, KEY_CONFIGURED,
 *         KEY_GENERATION_FAILED
 */
u64 tdh_mng_key_config(struct call *c)
{
	u32 mine = 1u << c->lp->package, all = (1u << c->m->cfg.packages) - 1, done;
	struct td_ref td = { 0 };
	u64 st;

	st = tdr_lock(c, c->args->rcx, LOCK_EX, &td);
	if (st)
		return st;
	if (atomic_load_explicit(&td.tdr->fatal, memory_order_relaxed)) {
		st = TDX_TD_FATAL;
		goto out;
	}
	if (td.tdr->lifecycle != TD_HKID_ASSIGNED) {
		st = TDX_LIFECYCLE_STATE_INCORRECT;
		goto out;
	}
	done = atomic_load_explicit(&td.tdr->pkg_config_bitmap, memory_order_relaxed);
	if (done & mine) {
		st = TDX_KEY_CONFIGURED;
		goto out;
	}
	st = mutex_lock(c, LOCK_KET, &c->m->key_engine[c->lp->package]);
	if (st)
		goto out;
	if (env_choose(c->lp->env, SL_CHOICE_ENTROPY, 2)) {
		st = TDX_KEY_GENERATION_FAILED;
		goto out_ket;
	}
	atomic_store_explicit(&td.tdr->pkg_config_bitmap, done | mine, memory_order_relaxed);
	if ((done | mine) == all)
		td.tdr->lifecycle = TD_KEYS_CONFIGURED;
out_ket:
	mutex_unlock(c, &c->m->key_engine[c->lp->package]);
out:
	tdr_unlock(c, &td);
	return st;
}
