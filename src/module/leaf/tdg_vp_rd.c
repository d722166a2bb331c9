// SPDX-License-Identifier: MIT
#include "module/leaf/leaf.h"
#include "module/metadata.h"

/*
 * tdg_vp_rd - read a field of the calling vCPU
 *
 * Side:   guest
 * Locks:  none
 * Checks: RCX is 0, field id, access
 * Commit: none
 * Status: METADATA_FIRST_FIELD_ID_IN_CONTEXT for the null id, OPERAND_INVALID,
 *         METADATA_FIELD_ID_INCORRECT, METADATA_FIELD_NOT_READABLE: none of the modelled fields of a
 *         vCPU is a guest's to read. RDX: id of the next field; R8: the value
 */
u64 tdg_vp_rd(struct call *c)
{
	const struct md md = { .context = MD_VP,
			       .who = MD_GUEST,
			       .c = c,
			       .tdr = c->lp->tdr,
			       .tdcs = c->lp->tdcs,
			       .vp = c->lp->vp };
	u64 id = c->args->rdx;

	c->args->rdx = MD_NULL_ID;
	c->args->r8 = 0;
	if (c->args->rcx)
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RCX);
	return md_read(&md, id, &c->args->r8, &c->args->rdx);
}
