// SPDX-License-Identifier: MIT
#include "module/leaf/leaf.h"
#include "module/metadata.h"

/*
 * tdh_mng_rd - read a field of a TD
 *
 * Side:   host
 * Locks:  TDR shared; OP_STATE shared
 * Checks: TDR, TD state, field id, access
 * Commit: none
 * Status: SUCCESS, BUSY, METADATA_FIELD_ID_INCORRECT, METADATA_FIELD_NOT_READABLE and the TD state
 *         codes. R8: the value. Version 1 gives the id of the next field in RDX as well, and for the
 *         null id the first one with METADATA_FIRST_FIELD_ID_IN_CONTEXT
 */
u64 tdh_mng_rd(struct call *c)
{
	u64 id = c->args->rdx, *next = c->version ? &c->args->rdx : NULL;
	struct td_ref td = { 0 };
	struct md md;
	u64 st;

	c->args->r8 = 0;
	if (next)
		*next = MD_NULL_ID;
	st = tdr_lock(c, c->args->rcx, LOCK_SH, &td);
	if (st)
		return st;
	st = td_state_check(c, &td, true);
	if (!st) {
		md = (struct md){ .context = MD_TD,
				  .who = md_host(td.tdcs),
				  .c = c,
				  .tdr = td.tdr,
				  .tdcs = td.tdcs };
		st = md_read(&md, id, &c->args->r8, next);
	}
	tdr_unlock(c, &td);
	return st;
}
