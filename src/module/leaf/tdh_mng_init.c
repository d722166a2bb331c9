// SPDX-License-Identifier: MIT
#include <string.h>

#include "module/leaf/leaf.h"
#include "module/td_params.h"

/*
 * tdh_mng_init - set the TD's parameters
 *
 * Side:   host
 * Locks:  TDR exclusive
 * Checks: TDR, TD state, TD_PARAMS address, TD_PARAMS contents
 * Commit: TDCS, OP_STATE := INITIALIZED
 * Status: SUCCESS, BUSY, OPERAND_INVALID (RDX or a TD_PARAMS field), TDCS_NOT_ALLOCATED,
 *         OP_STATE_INCORRECT and the other TD state codes
 */
u64 tdh_mng_init(struct call *c)
{
	u64 params_pa = c->args->rdx;
	struct td_ref td = { 0 };
	struct td_params params;
	const void *from;
	u64 st;

	st = tdr_lock(c, c->args->rcx, LOCK_EX, &td);
	c->args->rcx = 0;
	if (st)
		return st;
	st = td_state_check(c, &td, false);
	if (st)
		goto out;
	from = shared_operand(c->m, params_pa, sizeof(params));
	if (!from) {
		st = with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RDX);
		goto out;
	}
	memcpy(&params, from, sizeof(params));
	st = td_params_check(&params, &c->args->rcx);
	if (st)
		goto out;
	td_params_apply(c, td.tdr, td.tdcs, &params);
	call_committed(c, .kind = COMMIT_INIT, .tdr = td.lock.page);
out:
	tdr_unlock(c, &td);
	return st;
}
