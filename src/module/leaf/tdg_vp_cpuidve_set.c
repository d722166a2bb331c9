// SPDX-License-Identifier: MIT
#include "module/leaf/leaf.h"

#define CPUIDVE_SUPERVISOR BIT_ULL(0)
#define CPUIDVE_USER       BIT_ULL(1)

/*
 * tdg_vp_cpuidve_set - let CPUID raise #VE on this vCPU, unconditionally
 *
 * Side:   guest
 * Locks:  none
 * Checks: operand
 * Commit: the vCPU's two flags. Guests of this model execute no CPUID
 * Status: SUCCESS, OPERAND_INVALID
 */
u64 tdg_vp_cpuidve_set(struct call *c)
{
	u64 flags = c->args->rcx;

	if (flags & ~(CPUIDVE_SUPERVISOR | CPUIDVE_USER))
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RCX);
	c->lp->vp->cpuid_ve[0] = flags & CPUIDVE_SUPERVISOR;
	c->lp->vp->cpuid_ve[1] = flags & CPUIDVE_USER;
	return 0;
}
