// SPDX-License-Identifier: MIT
#include "module/leaf/leaf.h"

/*
 * tdg_vp_info - what the TD may know about itself
 *
 * Side:   guest
 * Locks:  none
 * Checks: none
 * Commit: none
 * Status: SUCCESS
 */
u64 tdg_vp_info(struct call *c)
{
	const struct tdcs *tdcs = c->lp->tdcs;
	struct tdx_module_args *a = c->args;

	a->rcx = tdcs->gpaw ? 52 : 48;
	a->rdx = tdcs->attributes;
	a->r8 = atomic_load_explicit(&tdcs->num_vcpus, memory_order_relaxed) | (u64)tdcs->max_vcpus
										       << 32;
	a->r9 = c->lp->vp->vcpu_index;
	a->r10 = 1;
	a->r11 = 0;
	return 0;
}
