// SPDX-License-Identifier: MIT
#include "module/leaf/leaf.h"

#define VMCALL_MASK_RESERVED (BIT_ULL(0) | BIT_ULL(1) | BIT_ULL(4) | GENMASK_ULL(63, 32))

/*
 * tdg_vp_vmcall - leave to the host with selected registers
 *
 * Side:   guest
 * Locks:  none
 * Checks: register mask
 * Commit: TD exit; RIP moves past the TDCALL
 * Status: SUCCESS (at the next entry), OPERAND_INVALID
 */
u64 tdg_vp_vmcall(struct call *c)
{
	const struct tdx_module_args *g = c->args;
	u64 mask = g->rcx;
	struct td_exit *x = &c->lp->exit;

	if (mask & VMCALL_MASK_RESERVED)
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RCX);
	*x = (struct td_exit){ .pending = true,
			       .completed = true,
			       .last_exit = LAST_EXIT_TDVMCALL,
			       .rax = EXIT_REASON_TDCALL };
	x->args.rcx = mask;
#define TO_HOST(bit, reg) (x->args.reg = (mask >> (bit)&1) ? g->reg : 0)
	TO_HOST(2, rdx);
	TO_HOST(3, rbx);
	TO_HOST(6, rsi);
	TO_HOST(7, rdi);
	TO_HOST(8, r8);
	TO_HOST(9, r9);
	TO_HOST(10, r10);
	TO_HOST(11, r11);
	TO_HOST(12, r12);
	TO_HOST(13, r13);
	TO_HOST(14, r14);
	TO_HOST(15, r15);
#undef TO_HOST
	c->lp->vp->vmcall_mask = mask;
	c->lp->vp->gpr = *g;
	c->exits = true;
	return 0;
}
