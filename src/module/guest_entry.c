// SPDX-License-Identifier: MIT
/* Guest side of S-EPT entry locks. Layer: module. */
#include "module/guest_entry.h"

#define ATTR_PENDING BIT_ULL(62)
/* Attributes of the L1 VM: valid, R, W, Xs, Xu. */
#define ATTR_L1_RWX 0x8007ull

void attr_info(struct call *c, const struct entry_ref *e)
{
	c->args->rcx = (e->gpa.v & ~(SL_LEVEL_SIZE(e->level) - 1)) | e->level;
	if (sept_state_flags(e->state) & SEPT_ANY_PENDING)
		c->args->rcx |= ATTR_PENDING;
	c->args->rdx = ATTR_L1_RWX;
}

u64 entry_lock_guest(struct call *c, struct entry_ref *e)
{
	const struct lock_step *step = call_plan_step(c, LOCK_ENTRY, LOCK_EX, LOCK_IN_ENTRY);
	enum hp_result r = take_entry(c, e->entry, HP_GUEST);

	if (r != HP_OK)
		return call_refused_guest(c, step, r);
	e->locked = true;
	e->copy = atomic_load_explicit(e->entry, memory_order_relaxed);
	e->state = sept_state(e->copy);
	return 0;
}
