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

void xp_fiber_make(void **sp, u8 *room, size_t size, void (*entry)(void))
{
	u8 *top = room + size;
	/* Below the words that makecontext() pushes. It is gone once the fiber's frames grow. */
	ucontext_t *start = (ucontext_t *)(void *)(top - 512 - sizeof(*start));

	start = (ucontext_t *)((uintptr_t)start & ~(uintptr_t)63);
	getcontext(start);
	start->uc_link = NULL;
	start->uc_stack.ss_sp = room;
	start->uc_stack.ss_size = size;
	makecontext(start, entry, 0);
	*sp = start;
}

#endif
