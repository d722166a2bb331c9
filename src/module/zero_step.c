// SPDX-License-Identifier: MIT
/* The zero-step mitigation. Layer: module. */
#include "module/zero_step.h"

void zero_step_log(struct sl_lp *lp, u64 gpa)
{
	struct tdvps *vp = lp->vp;

	zero_step_on_vm_exit(lp);
	if (vp->epf_count < lp->machine->cfg.zero_step_threshold) {
		vp->epf_count++;
		return;
	}
	if (vp->epf_index >= EPF_LIST_MAX)
		return;
	for (u32 i = 0; i < vp->epf_index; i++)
		if (vp->epf_list[i] == gpa)
			return;
	vp->epf_list[vp->epf_index++] = gpa;
	sl_count(lp->env, SL_CTR_zero_step_listed);
}

/* Does a PENDING page satisfy the filter? */
static bool pending_passes(const struct call *c, struct tdcs *tdcs)
{
	if (c->hardened)
		return true;
	return changed(c->m, CHANGE_PENDING_PASSES) &&
	       !(atomic_load_explicit(&tdcs->td_ctls, memory_order_relaxed) & 1);
}

/* Would a read, write or fetch at @gpa fault? */
static bool epf_expected(struct call *c, struct tdcs *tdcs, struct gpa gpa)
{
	struct sept_walk w = sept_walk(c->m, tdcs, gpa, 0);

	if ((w.copy & SEPT_RWX) == SEPT_RWX && sept_is_leaf(w.copy))
		return false;
	/*
	 * A PENDING page is the guest's to accept: the host has done its part. The published module
	 * counted it as faulting at first, since every entry suppresses #VE.
	 */
	if ((sept_state_flags(sept_state(w.copy)) & SEPT_GUEST_PENDING) && pending_passes(c, tdcs))
		return false;
	return w.copy & SEPT_SVE;
}

u64 zero_step_filter(struct call *c, struct tdvps *vp, struct tdcs *tdcs, bool *tree_held,
		     enum lock_mode *tree_mode, bool *would_fault, struct gpa *blocked_gpa)
{
	enum lock_mode mode;
	u64 st;

	c->lp->rip_at_entry = vp->rip;
	if (!vp->epf_index)
		return 0;
	mode = call_plan_mode(c, LOCK_TREE);
	st = tree_word_lock(c, tdcs, mode);
	if (st)
		return st;
	*tree_mode = mode;
	*tree_held = true;
	for (u32 i = 0; i < vp->epf_index; i++) {
		struct gpa gpa = { vp->epf_list[i] };

		if (!epf_expected(c, tdcs, gpa))
			continue;
		tree_word_unlock(c, tdcs, mode);
		*tree_held = false;
		*would_fault = true;
		*blocked_gpa = gpa;
		return 0;
	}
	return 0;
}
