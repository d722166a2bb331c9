// SPDX-License-Identifier: MIT
#include "module/leaf/leaf.h"
#include "module/sys.h"

/*
 * tdh_sys_init - first step of bringing the module up
 *
 * Side:   host
 * Locks:  global exclusive
 * Checks: attributes, module state
 * Commit: state := INIT_DONE
 * Status: SUCCESS, SYS_BUSY, OPERAND_INVALID, SYS_INIT_NOT_PENDING
 */
u64 tdh_sys_init(struct call *c)
{
	struct sl_machine *m = c->m;
	u64 attributes = c->args->rcx;
	u64 st;

	c->args->rcx = c->args->rdx = c->args->r8 = c->args->r9 = c->args->r10 = 0;
	if (attributes)
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RCX);
	st = sharex_lock(c, LOCK_SYS, &m->sys_lock, LOCK_EX);
	if (st)
		return st;
	if (sys_state(m) != SYS_INIT_PENDING)
		st = TDX_SYS_INIT_NOT_PENDING;
	else
		sys_set_state(m, SYS_INIT_DONE);
	sharex_unlock(c, &m->sys_lock, LOCK_EX);
	return st;
}
