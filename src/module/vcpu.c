// SPDX-License-Identifier: MIT
/* Association of vCPUs with LPs. Layer: module. */
#include "module/vcpu.h"

u64 vcpu_associate(struct call *c, struct tdvps *vp, struct tdcs *tdcs, bool disabled, bool *fresh)
{
	const struct lock_step *step = call_plan_step(c, LOCK_ASSOC, LOCK_EX, LOCK_WORD);
	u32 old = LPID_NONE, state;

	*fresh = false;
	/* Pairs with the stores of READY in tdh_vp_init() and at TD exit. */
	state = atomic_load_explicit(&vp->state, memory_order_acquire);
	if (state != VCPU_READY && !(disabled && state == VCPU_DISABLED))
		return vcpu_state_incorrect(c, state);
	/* Pairs with the release in tdh_vp_flush(): the vCPU's state moves with it. */
	if (atomic_compare_exchange_strong_explicit(&vp->assoc_lpid, &old, c->lp->index,
						    memory_order_acquire, memory_order_acquire)) {
		vcpu_count_up(tdcs);
		*fresh = true;
		return 0;
	}
	return old == c->lp->index ? 0 : call_refused(c, step, 0);
}
