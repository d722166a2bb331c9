// SPDX-License-Identifier: MIT
#include "module/leaf/vp_common.h"

/*
 * tdh_vp_wr - write a field of a vCPU
 *
 * Side:   host
 * Locks:  TDVPR shared; TDR shared (implicit); OP_STATE shared
 * Checks: TDVPR, TD state, vCPU state, association, field id, access
 * Commit: the association with the caller's LP, also if the field is refused; the field
 * Status: SUCCESS, BUSY, VCPU_STATE_INCORRECT, VCPU_ASSOCIATED, METADATA_FIELD_ID_INCORRECT,
 *         METADATA_FIELD_NOT_WRITABLE and the TD state codes. R8: the old value
 */
u64 tdh_vp_wr(struct call *c)
{
	struct tdx_module_args *a = c->args;
	u64 data = a->r8;
	struct vp_call v;
	u64 st;

	a->r8 = 0;
	st = vp_begin(c, a->rcx, false, &v);
	if (st)
		return st;
	st = md_write(&v.md, a->rdx, data, a->r9, &a->r8);
	vp_end(c, &v);
	return st;
}
