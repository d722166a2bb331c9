// SPDX-License-Identifier: MIT
/* Guests that are C functions. Layer: engine. */
#include <errno.h>

#include <seamlab/seamcall.h>

#include "base/bug.h"
#include "base/env.h"
#include "base/vmcall.h"
#include "engine/plain.h"

/* TDG.VP.VMCALL<HLT>: R10 to R12 are the host's to see. */
#define HLT_REGISTERS (BIT_ULL(10) | BIT_ULL(11) | BIT_ULL(12))

struct guest_fn {
	struct sl_guest base; /* first */
	void (*fn)(void *arg);
	void *arg;
	void (*ve_handler)(void *arg);
	struct stack *stack;
	struct sl_lp *lp;    /* that it is on, while it runs */
	_Atomic bool inside; /* some thread runs it */
	bool returned;
};

static void guest_main(void *arg)
{
	struct guest_fn *g = arg;

	g->fn(g->arg);
	g->returned = true;
	for (;;) {
		/* Interrupts are off, so nothing wakes it up: R12 = 1. */
		struct tdx_module_args args = { .rcx = HLT_REGISTERS, .r11 = VMCALL_HLT, .r12 = 1 };

		__tdcall(TDCALL_tdg_vp_vmcall, &args);
	}
}

static void guest_fn_run(struct sl_guest *base, struct sl_lp *lp)
{
	struct guest_fn *g = (struct guest_fn *)base;

	/* Two vCPUs that have the same guest behind them, which one stack does not bear. */
	SL_BUG_ON(atomic_exchange_explicit(&g->inside, true, memory_order_acquire));
	g->lp = lp;
	plain_self()->guest = lp;
	stack_enter(g->stack);
	plain_self()->guest = NULL;
	atomic_store_explicit(&g->inside, false, memory_order_release);
}

static struct sl_lp *guest_fn_leave(struct sl_guest *base)
{
	struct guest_fn *g = (struct guest_fn *)base;

	stack_leave(g->stack);
	return g->lp;
}

static struct sl_lp *guest_fn_ve(struct sl_guest *base)
{
	struct guest_fn *g = (struct guest_fn *)base;

	if (!g->ve_handler)
		return NULL;
	g->ve_handler(g->arg);
	/* The handler's own TDCALLs may have moved the guest. */
	return g->lp;
}

struct sl_guest *sl_guest_create(void (*fn)(void *arg), void *arg, size_t stack_size)
{
	struct guest_fn *g;

	if (!stack_size)
		stack_size = SL_GUEST_STACK_DEFAULT;
	if (stack_size < SL_GUEST_STACK_MIN || stack_size > SIZE_MAX / 2) {
		errno = EINVAL;
		return NULL;
	}
	g = plain_alloc(sizeof(*g));
	if (!g) {
		errno = ENOMEM;
		return NULL;
	}
	g->base = (struct sl_guest){ .run = guest_fn_run,
				     .leave = guest_fn_leave,
				     .ve = guest_fn_ve };
	g->fn = fn;
	g->arg = arg;
	g->stack = stack_new((size_t)sl_align_up(stack_size, SL_PAGE_SIZE), guest_main, g);
	if (!g->stack) {
		plain_free(g);
		errno = ENOMEM;
		return NULL;
	}
	return &g->base;
}

void sl_guest_destroy(struct sl_guest *guest)
{
	struct guest_fn *g = (struct guest_fn *)guest;

	if (!g)
		return;
	stack_free(g->stack);
	plain_free(g);
}

void sl_guest_set_ve_handler(struct sl_guest *guest, void (*handler)(void *arg))
{
	((struct guest_fn *)guest)->ve_handler = handler;
}

bool sl_guest_returned(const struct sl_guest *guest)
{
	return ((const struct guest_fn *)guest)->returned;
}

void sl_guest_pause(void)
{
	struct sl_lp *lp = sl_lp_bound();

	if (!lp) {
		plain_relax();
		return;
	}
	env_pause(sl_lp_env(lp));
	sl_guest_step(lp, (u64)(uintptr_t)__builtin_return_address(0));
}
