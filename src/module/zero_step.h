/* SPDX-License-Identifier: MIT */
/*
 * The zero-step mitigation (spec: "Zero-step and single-step mitigation"): counts EPT violations at
 * one RIP, lists the GPAs beyond the threshold, and keeps a vCPU out while a listed GPA would fault
 * again. Layer: module, private.
 */
#ifndef SL_MODULE_ZERO_STEP_H
#define SL_MODULE_ZERO_STEP_H

#include "module/call.h"

/* On every VM exit, before it is handled: a guest that moved is not being stepped. */
static inline void zero_step_on_vm_exit(struct sl_lp *lp)
{
	if (lp->vp->rip != lp->rip_at_entry) {
		lp->vp->epf_index = 0;
		lp->vp->epf_count = 0;
	}
}

/* On an EPT violation TD exit for a private GPA. @gpa is the raw address, low bits included. */
void zero_step_log(struct sl_lp *lp, u64 gpa);

/*
 * The entry filter. With an empty list nothing happens. Otherwise the tree is taken, exclusive up to
 * release 1.5.16, shared since: BUSY|SEPT_TREE if that fails; *blocked_gpa if a listed GPA would fault
 * again (tree released); else *tree_held in *tree_mode, until just before the guest is entered.
 */
u64 zero_step_filter(struct call *c, struct tdvps *vp, struct tdcs *tdcs, bool *tree_held,
		     enum lock_mode *tree_mode, bool *would_fault,
		     struct gpa *blocked_gpa) SL_WARN_UNUSED;

#endif
