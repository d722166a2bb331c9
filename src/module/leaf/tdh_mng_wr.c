// SPDX-License-Identifier: MIT
#include "module/leaf/leaf.h"
#include "module/metadata.h"

/*
 * tdh_mng_wr - write a field of a TD
 *
 * Side:   host
 * Locks:  TDR shared; OP_STATE shared
 * Checks: TDR, TD state, field id, access, mask, value, the field has not changed meanwhile
 * Commit: the field
 * Status: SUCCESS, BUSY (METADATA_FIELD, too), METADATA_FIELD_ID_INCORRECT,
 *         METADATA_FIELD_NOT_WRITABLE, METADATA_WR_MASK_NOT_VALID, METADATA_FIELD_VALUE_NOT_VALID and
 *         the TD state codes. R8: the old value
 */
u64 tdh_mng_wr(struct call *c)
{
	struct tdx_module_args *a = c->args;
	u64 data = a->r8;
	struct td_ref td = { 0 };
	struct md md;
	u64 st;

	a->r8 = 0;
	st = tdr_lock(c, a->rcx, LOCK_SH, &td);
	if (st)
		return st;
	st = td_state_check(c, &td, true);
	if (!st) {
		md = (struct md){ .context = MD_TD,
				  .who = md_host(td.tdcs),
				  .c = c,
				  .tdr = td.tdr,
				  .tdcs = td.tdcs };
		st = md_write(&md, a->rdx, data, a->r9, &a->r8);
	}
	tdr_unlock(c, &td);
	return st;
}
