/* SPDX-License-Identifier: MIT */
/*
 * Guest memory that a TDCALL names as its operand, and the lock that guests share (spec: "What a
 * guest access meeting a non-accessible entry does", module access on behalf of the guest).
 * Layer: module, private.
 */
#ifndef SL_MODULE_GUEST_OPERAND_H
#define SL_MODULE_GUEST_OPERAND_H

#include "module/call.h"

/* Alignment, and a private address of this TD: else OPERAND_INVALID|@operand. */
u64 guest_operand_check(struct call *c, u64 gpa, u64 align, u32 operand) SL_WARN_UNUSED;

/*
 * The page behind @gpa. False when the guest cannot access it: a TD exit is pending (c->exits) or #VE
 * was injected (c->ve), and the leaf returns *st. The page stays the TD's as long as the vCPU is
 * counted in REFCOUNT, which it is during any TDCALL.
 */
bool guest_operand_map(struct call *c, u64 gpa, bool write, struct hpa *page,
		       u64 *st) SL_WARN_UNUSED;

/*
 * Copies within one page, words of 8 bytes at a time; @gpa and @size are multiples of 8. Without page
 * contents a read gives zeros and a write does nothing.
 */
void guest_operand_read(struct call *c, struct hpa page, u64 gpa, void *to, size_t size);
void guest_operand_write(struct call *c, struct hpa page, u64 gpa, const void *from, size_t size);

/* The TD's RTMR lock, guest side: BUSY|RTMR or BUSY_HOST_PRIORITY|RTMR. */
u64 rtmr_lock(struct call *c, enum lock_mode mode) SL_WARN_UNUSED;
void rtmr_unlock(struct call *c, enum lock_mode mode);

#endif
