// SPDX-License-Identifier: MIT
#include "module/leaf/leaf.h"
#include "module/metadata.h"

/*
 * tdg_vm_rd - read a field of the TD
 *
 * Side:   guest
 * Locks:  none
 * Checks: VM id (0: this TD), field id, access
 * Commit: none
 * Status: SUCCESS, OPERAND_INVALID, METADATA_FIELD_ID_INCORRECT, METADATA_FIELD_NOT_READABLE. R8: the
 *         value. Version 1 gives the id of the next field in RDX as well, and for the null id the
 *         first one with METADATA_FIRST_FIELD_ID_IN_CONTEXT
 */
u64 tdg_vm_rd(struct call *c)
{
	const struct md md = {
		.context = MD_TD, .who = MD_GUEST, .c = c, .tdr = c->lp->tdr, .tdcs = c->lp->tdcs
	};
	u64 id = c->args->rdx, *next = c->version ? &c->args->rdx : NULL;

	c->args->r8 = 0;
	if (next)
		*next = MD_NULL_ID;
	if (c->args->rcx)
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RCX);
	return md_read(&md, id, &c->args->r8, next);
}
