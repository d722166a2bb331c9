// SPDX-License-Identifier: MIT
#include "module/leaf/leaf.h"
#include "module/metadata.h"

/*
 * tdg_vp_wr - write a field of the calling vCPU
 *
 * Side:   guest
 * Locks:  none
 * Checks: RCX is 0, field id, access
 * Commit: none
 * Status: OPERAND_INVALID, METADATA_FIELD_ID_INCORRECT, METADATA_FIELD_NOT_WRITABLE: none of the
 *         modelled fields of a vCPU is a guest's to write. R8: the old value
 */
u64 tdg_vp_wr(struct call *c)
{
	const struct md md = { .context = MD_VP,
			       .who = MD_GUEST,
			       .c = c,
			       .tdr = c->lp->tdr,
			       .tdcs = c->lp->tdcs,
			       .vp = c->lp->vp };
	struct tdx_module_args *a = c->args;
	u64 data = a->r8;

	a->r8 = 0;
	if (a->rcx)
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RCX);
	return md_write(&md, a->rdx, data, a->r9, &a->r8);
}
