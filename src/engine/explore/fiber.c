// SPDX-License-Identifier: MIT
/*
 * The fiber switch for x86-64: callee-saved registers and the stack pointer. Layer: engine.
 *
 * ucontext's swapcontext() does the same with a system call for the signal mask each time; that is
 * fiber_ucontext.c, with which a test compares this.
 */
#include "engine/explore/xp.h"

#ifndef SL_FIBER_UCONTEXT

__asm__(".text\n"
	".globl xp_switch\n"
	".hidden xp_switch\n"
	".type xp_switch, @function\n"
	"xp_switch:\n"
	"	push %rbp\n"
	"	push %rbx\n"
	"	push %r12\n"
	"	push %r13\n"
	"	push %r14\n"
	"	push %r15\n"
	"	mov %rsp, (%rdi)\n"
	"	mov %rsi, %rsp\n"
	"	pop %r15\n"
	"	pop %r14\n"
	"	pop %r13\n"
	"	pop %r12\n"
	"	pop %rbx\n"
	"	pop %rbp\n"
	"	pop %rcx\n"
	"	jmp *%rcx\n"
	".size xp_switch, . - xp_switch\n");

void xp_fiber_make(void **at, u8 *room, size_t size, void (*entry)(void))
{
	u64 *sp = (u64 *)(void *)(room + size);

	/* Aligned as a function expects it: 8 off a multiple of 16 at its first instruction. */
	*--sp = 0;
	*--sp = (u64)(uintptr_t)entry;
	for (u32 r = 0; r < 6; r++)
		*--sp = 0;
	*at = sp;
}

#endif
