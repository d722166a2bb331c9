// SPDX-License-Identifier: MIT
/*
 * The fiber switch by ucontext, for comparison: build with -DSL_FIBER_UCONTEXT. Slow, as each switch
 * is two system calls. Layer: engine.
 *
 * The search copies a fiber's stack from its stack pointer up, so all of the context lies there:
 * alloca() puts it below everything else that the switch has on the stack.
 */
#include "engine/explore/xp.h"

#ifdef SL_FIBER_UCONTEXT

#include <alloca.h>
#include <ucontext.h>

__attribute__((noinline)) void xp_switch(void **save, void *to)
{
	ucontext_t *here = alloca(sizeof(*here));

	*save = here;
	swapcontext(here, to);
}

void xp_fiber_make(u32 i, void (*entry)(void))
{
	u8 *top = xp_stack_top(i);
	/* Below the words that makecontext() pushes. It is gone once the fiber's frames grow. */
	ucontext_t *start = (ucontext_t *)(void *)(top - 512 - sizeof(*start));

	start = (ucontext_t *)((uintptr_t)start & ~(uintptr_t)63);
	getcontext(start);
	start->uc_link = NULL;
	start->uc_stack.ss_sp = top - XP_STACK_SIZE;
	start->uc_stack.ss_size = XP_STACK_SIZE;
	makecontext(start, entry, 0);
	xp.fiber[i].sp = start;
}

#endif
