// SPDX-License-Identifier: MIT
/* Instructions of guests that a TD exit leaves in the middle. Layer: module. */
#include "module/guest_leave.h"

/* The guest may come back on another LP; every wait in here hands that one on. */
static struct sl_lp *leave(struct sl_lp *lp)
{
	struct sl_guest *guest = lp->vp->guest;

	return guest->leave(guest);
}

/*
 * #VE: runs the guest's handler. Returns the LP on which the instruction begins again; NULL: there is no
 * handler.
 */
static struct sl_lp *handle_ve(struct sl_lp *lp)
{
	struct sl_guest *guest = lp->vp->guest;

	return guest->ve ? guest->ve(guest) : NULL;
}

u64 tdcall_resumed(struct sl_lp *lp, u64 rip, u64 rax, struct tdx_module_args *args)
{
	for (;;) {
		/* A TDCALL that begins again begins with the registers that it had. */
		struct tdx_module_args regs = *args;
		struct sl_lp *back;
		u64 status;

		lp->vp->rip = rip;
		if (!sl_guest_exiting(lp)) {
			status = tdcall_once_through(lp, rax, &regs);
			if (lp->ve_injected) {
				back = handle_ve(lp);
				if (!back)
					return rax;
				lp = back;
				continue;
			}
			if (!lp->exit.pending) {
				*args = regs;
				return status;
			}
		}
		lp = leave(lp);
		/* That of an earlier guest here. */
		lp->ve_injected = false;
		if (sl_guest_tdcall_completed(lp, &status, args))
			return status;
	}
}

enum sl_access guest_access_resumed(struct sl_lp *lp, u64 rip, u64 gpa, bool write, u64 *value)
{
	for (;;) {
		enum sl_access result;
		struct sl_lp *back;

		lp->vp->rip = rip;
		if (!sl_guest_exiting(lp)) {
			result = guest_access_once(lp, gpa, write, value);
			if (result == SL_ACCESS_VE) {
				back = handle_ve(lp);
				if (!back)
					return result;
				lp = back;
				continue;
			}
			if (!lp->exit.pending)
				return result;
		}
		/* From a double fault there is no way back: this call does not return. */
		lp = leave(lp);
	}
}

void sl_guest_step(struct sl_lp *lp, u64 rip)
{
	if (!guest_is_left(lp))
		return;
	lp->vp->rip = rip;
	while (sl_guest_exiting(lp))
		lp = leave(lp);
}
