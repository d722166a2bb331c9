// SPDX-License-Identifier: MIT
#include "module/leaf/vp_common.h"

/*
 * tdh_vp_rd - read a field of a vCPU
 *
 * Side:   host
 * Locks:  TDVPR shared; TDR shared (implicit); OP_STATE shared
 * Checks: TDVPR, TD state, vCPU state (READY or DISABLED), association, field id, access
 * Commit: the association with the caller's LP, also if the field is refused
 * Status: SUCCESS, BUSY, VCPU_STATE_INCORRECT, VCPU_ASSOCIATED, METADATA_FIELD_ID_INCORRECT,
 *         METADATA_FIELD_NOT_READABLE and the TD state codes. R8 and, in version 1, RDX as TDH.MNG.RD
 */
u64 tdh_vp_rd(struct call *c)
{
	u64 id = c->args->rdx, *next = c->version ? &c->args->rdx : NULL;
	struct vp_call v;
	u64 st;

	c->args->r8 = 0;
	if (next)
		*next = MD_NULL_ID;
	st = vp_begin(c, c->args->rcx, true, &v);
	if (st)
		return st;
	st = md_read(&v.md, id, &c->args->r8, next);
	vp_end(c, &v);
	return st;
}
