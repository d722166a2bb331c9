// SPDX-License-Identifier: MIT
#include "module/leaf/leaf.h"

/*
 * tdg_vp_veinfo_get - read and release the information of the last #VE
 *
 * Side:   guest
 * Locks:  none
 * Checks: information valid
 * Commit: information no longer valid
 * Status: SUCCESS, NO_VALID_VE_INFO
 */
u64 tdg_vp_veinfo_get(struct call *c)
{
	struct tdvps *vp = c->lp->vp;
	struct tdx_module_args *a = c->args;

	a->rcx = a->rdx = a->r8 = a->r9 = a->r10 = 0;
	if (!vp->ve.valid)
		return TDX_NO_VALID_VE_INFO;
	a->rcx = vp->ve.reason;
	a->rdx = vp->ve.qualification;
	a->r8 = vp->ve.gla;
	a->r9 = vp->ve.gpa;
	a->r10 = vp->ve.info;
	vp->ve.valid = false;
	return 0;
}
