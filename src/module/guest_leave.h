/* SPDX-License-Identifier: MIT */
/*
 * Guests that a TD exit leaves in the middle of an instruction, and that TDH.VP.ENTER takes up
 * there: those with leave() in struct sl_guest. Layer: module, private.
 */
#ifndef SL_MODULE_GUEST_LEAVE_H
#define SL_MODULE_GUEST_LEAVE_H

#include "module/machine.h"

/* tdcall() and sl_guest_access() for every other guest: a TD exit is left pending. */
u64 tdcall_once_through(struct sl_lp *lp, u64 rax, struct tdx_module_args *args);
enum sl_access guest_access_once(struct sl_lp *lp, u64 gpa, bool write, u64 *value);

/* For a guest that can be left; each stands at @rip and returns when the instruction is over. */
u64 tdcall_resumed(struct sl_lp *lp, u64 rip, u64 rax, struct tdx_module_args *args);
enum sl_access guest_access_resumed(struct sl_lp *lp, u64 rip, u64 gpa, bool write, u64 *value);

static inline bool guest_is_left(const struct sl_lp *lp)
{
	return lp->vp && lp->vp->guest && lp->vp->guest->leave;
}

#endif
