/* SPDX-License-Identifier: MIT */
/* The guest side of S-EPT entries, which ACCEPT and ATTR.* share. Layer: module, private. */
#ifndef SL_MODULE_GUEST_ENTRY_H
#define SL_MODULE_GUEST_ENTRY_H

#include "module/call.h"

/* BUSY|RCX or BUSY_HOST_PRIORITY|RCX; on success e->copy and e->state are as read under the lock. */
SL_INLINE SL_WARN_UNUSED u64 entry_lock_guest(struct call *c, struct entry_ref *e)
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

#define ATTR_PENDING BIT_ULL(62)
/* Attributes of the L1 VM: valid, R, W, Xs, Xu. */
#define ATTR_L1_RWX 0x8007ull

/* RCX and RDX of ATTR.*: where @e, a leaf, is mapped, and the attributes. */
SL_INLINE void attr_info(struct tdx_module_args *a, const struct entry_ref *e)
{
	u64 pending = sept_state_flags(e->state) & SEPT_ANY_PENDING ? ATTR_PENDING : 0;

	a->rcx = (e->gpa.v & ~(SL_LEVEL_SIZE(e->level) - 1)) | e->level | pending;
	a->rdx = ATTR_L1_RWX;
}

#endif
