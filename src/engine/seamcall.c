// SPDX-License-Identifier: MIT
/* SEAMCALL and TDCALL on the calling thread's LP, in the forms that kernels have. Layer: engine. */
#include <seamlab/seamcall.h>

#include <errno.h>

#include "engine/plain.h"

/* The registers that each form puts in, and that come back. */
enum form {
	FORM_PLAIN,
	FORM_RET,
	FORM_SAVED_RET,
};

struct sl_lp *sl_lp_bound(void)
{
	struct plain_thread *c = plain_self();

	return c->guest ? c->guest : c->bound;
}

int sl_lp_bind(struct sl_lp *lp)
{
	_Atomic bool *taken = lp ? plain_lp_taken(lp) : NULL;
	struct plain_thread *c = plain_self();

	if (c->guest)
		return -EPERM;
	if (lp && !taken)
		return -EINVAL;
	if (lp == c->bound)
		return 0;
	/* Acquire, and release below: the LP's own data goes from thread to thread. */
	if (taken && atomic_exchange_explicit(taken, true, memory_order_acquire))
		return -EBUSY;
	if (c->bound)
		atomic_store_explicit(plain_lp_taken(c->bound), false, memory_order_release);
	c->bound = lp;
	plain_lp_bound(lp);
	return 0;
}

/* ---- registers ----------------------------------------------------------------------------- */

static struct tdx_module_args registers_in(const struct tdx_module_args *args, enum form form)
{
	if (form == FORM_SAVED_RET)
		return *args;
	return (struct tdx_module_args){ .rcx = args->rcx,
					 .rdx = args->rdx,
					 .r8 = args->r8,
					 .r9 = args->r9,
					 .r10 = args->r10,
					 .r11 = args->r11 };
}

static void registers_out(struct tdx_module_args *args, const struct tdx_module_args *regs,
			  enum form form)
{
	if (form == FORM_SAVED_RET) {
		*args = *regs;
	} else if (form == FORM_RET) {
		args->rcx = regs->rcx;
		args->rdx = regs->rdx;
		args->r8 = regs->r8;
		args->r9 = regs->r9;
		args->r10 = regs->r10;
		args->r11 = regs->r11;
	}
}

static u64 do_seamcall(u64 fn, struct tdx_module_args *args, enum form form)
{
	struct plain_thread *c = plain_self();
	struct tdx_module_args regs;
	u64 status;

	if (c->guest)
		return TDX_SEAMCALL_UD;
	if (!c->bound)
		return TDX_SEAMCALL_VMFAILINVALID;
	regs = registers_in(args, form);
	status = seamcall(c->bound, fn, &regs);
	registers_out(args, &regs, form);
	return status;
}

static u64 do_tdcall(u64 fn, struct tdx_module_args *args, enum form form, const void *rip)
{
	struct sl_lp *lp = sl_lp_bound();
	struct tdx_module_args regs = registers_in(args, form);
	u64 status;

	if (!lp)
		return TDX_OPERAND_INVALID | TDX_OPERAND_ID_RAX;
	status = sl_guest_tdcall(lp, (u64)(uintptr_t)rip, fn, &regs);
	registers_out(args, &regs, form);
	return status;
}

/* ---- the six forms -------------------------------------------------------------------------- */

u64 __seamcall(u64 fn, struct tdx_module_args *args)
{
	return do_seamcall(fn, args, FORM_PLAIN);
}

u64 __seamcall_ret(u64 fn, struct tdx_module_args *args)
{
	return do_seamcall(fn, args, FORM_RET);
}

u64 __seamcall_saved_ret(u64 fn, struct tdx_module_args *args)
{
	return do_seamcall(fn, args, FORM_SAVED_RET);
}

u64 __tdcall(u64 fn, struct tdx_module_args *args)
{
	return do_tdcall(fn, args, FORM_PLAIN, __builtin_return_address(0));
}

u64 __tdcall_ret(u64 fn, struct tdx_module_args *args)
{
	return do_tdcall(fn, args, FORM_RET, __builtin_return_address(0));
}

u64 __tdcall_saved_ret(u64 fn, struct tdx_module_args *args)
{
	return do_tdcall(fn, args, FORM_SAVED_RET, __builtin_return_address(0));
}
