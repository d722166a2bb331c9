// SPDX-License-Identifier: MIT
#include "module/leaf/leaf.h"
#include "module/metadata.h"

/*
 * tdg_vm_wr - write a field of the TD
 *
 * Side:   guest
 * Locks:  none; the field is written by one compare-and-swap
 * Checks: VM id (0: this TD), field id, access, value, the field has not changed meanwhile
 * Commit: the field
 * Status: SUCCESS, OPERAND_INVALID, METADATA_FIELD_ID_INCORRECT, METADATA_FIELD_NOT_WRITABLE,
 *         METADATA_FIELD_VALUE_NOT_VALID, BUSY (METADATA_FIELD). R8: the old value
 */
u64 tdg_vm_wr(struct call *c)
{
	const struct md md = {
		.context = MD_TD, .who = MD_GUEST, .c = c, .tdr = c->lp->tdr, .tdcs = c->lp->tdcs
	};
	struct tdx_module_args *a = c->args;
	u64 data = a->r8;

	a->r8 = 0;
	if (a->rcx)
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RCX);
	return md_write(&md, a->rdx, data, a->r9, &a->r8);
}
