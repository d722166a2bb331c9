// SPDX-License-Identifier: MIT
#include "module/guest_operand.h"
#include "module/leaf/leaf.h"
#include "module/measure.h"

#define RTMR_DATA_ALIGN 64

/*
 * tdg_mr_rtmr_extend - extend a run-time measurement register by 48 bytes of the guest's
 *
 * Side:   guest
 * Locks:  RTMR exclusive, after the data has been copied
 * Checks: GPA, access to it (#VE or TD exit), index
 * Commit: the register; the digest that MR.REPORT keeps is no longer good
 * Status: SUCCESS, OPERAND_INVALID (RCX, RDX), BUSY
 */
u64 tdg_mr_rtmr_extend(struct call *c)
{
	struct tdcs *tdcs = c->lp->tdcs;
	u64 gpa = c->args->rcx, index = c->args->rdx;
	u8 data[SHA384_SIZE];
	struct hpa page;
	u64 st;

	st = guest_operand_check(c, gpa, RTMR_DATA_ALIGN, TDX_OPERAND_ID_RCX);
	if (st)
		return st;
	if (!guest_operand_map(c, gpa, false, &page, &st))
		return st;
	if (index >= RTMRS)
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RDX);
	guest_operand_read(c, page, gpa, data, sizeof(data));
	st = rtmr_lock(c, LOCK_EX);
	if (st)
		return st;
	rtmr_extend(c, tdcs, (u32)index, data);
	/* Under the lock: nobody looks at the digest meanwhile. */
	atomic_store_explicit(&tdcs->tdinfo_hash_valid, false, memory_order_relaxed);
	rtmr_unlock(c, LOCK_EX);
	return 0;
}
