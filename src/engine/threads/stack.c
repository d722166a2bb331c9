// SPDX-License-Identifier: MIT
/*
 * Functions on stacks of their own; address and thread sanitizer are told. Layer: engine.
 *
 * A switch saves what a function has to preserve for its caller: six registers, and the control words
 * of SSE and x87. The explorer's switch does without the latter, because what it runs does no floating
 * point.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "base/bug.h"
#include "engine/plain.h"

#if defined(__SANITIZE_ADDRESS__)
#define SL_STACK_ASAN
#elif defined(__SANITIZE_THREAD__)
#define SL_STACK_TSAN
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SL_STACK_ASAN
#elif __has_feature(thread_sanitizer)
#define SL_STACK_TSAN
#endif
#endif

struct stack {
	void *sp;    /* where the function stands while it is left */
	void *outer; /* where who entered stands, while the function runs */
	u8 *room;    /* guard page, then size bytes */
	size_t size;
	void (*entry)(void *arg);
	void *arg;
#if defined(SL_STACK_ASAN)
	void *fake, *outer_fake;
	const void *outer_bottom;
	size_t outer_size;
#elif defined(SL_STACK_TSAN)
	void *fiber, *outer_fiber;
#endif
};

#if defined(SL_STACK_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#elif defined(SL_STACK_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

/* Goes to @to, a stack that was left here or is new, and leaves the present one in *@save. */
void sl_stack_switch(void **save, void *to);

__asm__(".text\n"
	".globl sl_stack_switch\n"
	".hidden sl_stack_switch\n"
	".type sl_stack_switch, @function\n"
	"sl_stack_switch:\n"
	"	push %rbp\n"
	"	push %rbx\n"
	"	push %r12\n"
	"	push %r13\n"
	"	push %r14\n"
	"	push %r15\n"
	"	sub $8, %rsp\n"
	"	stmxcsr (%rsp)\n"
	"	fnstcw 4(%rsp)\n"
	"	mov %rsp, (%rdi)\n"
	"	mov %rsi, %rsp\n"
	"	ldmxcsr (%rsp)\n"
	"	fldcw 4(%rsp)\n"
	"	add $8, %rsp\n"
	"	pop %r15\n"
	"	pop %r14\n"
	"	pop %r13\n"
	"	pop %r12\n"
	"	pop %rbx\n"
	"	pop %rbp\n"
	"	pop %rcx\n"
	"	jmp *%rcx\n"
	".size sl_stack_switch, . - sl_stack_switch\n"
	/* Where a new stack begins: its struct is in R12. A backtrace ends here. */
	".type sl_stack_begin, @function\n"
	"sl_stack_begin:\n"
	"	.cfi_startproc\n"
	"	.cfi_undefined rip\n"
	"	mov %r12, %rdi\n"
	"	call sl_stack_run\n"
	"	ud2\n"
	"	.cfi_endproc\n"
	".size sl_stack_begin, . - sl_stack_begin\n");

void sl_stack_begin(void);
void sl_stack_run(struct stack *s);

/* ---- what the sanitizers want to know ---------------------------------------------------- */

/* The thread sanitizer counts calls and returns; between its switch and ours there may be none. */
#define SWITCHES    __attribute__((noinline, no_sanitize("thread")))
#define IN_SWITCHES static inline __attribute__((always_inline, no_sanitize("thread")))

IN_SWITCHES void tell_enter(struct stack *s)
{
#if defined(SL_STACK_ASAN)
	__sanitizer_start_switch_fiber(&s->outer_fake, s->room + SL_PAGE_SIZE, s->size);
#elif defined(SL_STACK_TSAN)
	s->outer_fiber = __tsan_get_current_fiber();
	__tsan_switch_to_fiber(s->fiber, 0);
#else
	(void)s;
#endif
}

IN_SWITCHES void tell_entered(struct stack *s)
{
#if defined(SL_STACK_ASAN)
	__sanitizer_finish_switch_fiber(s->fake, &s->outer_bottom, &s->outer_size);
#else
	(void)s;
#endif
}

IN_SWITCHES void tell_leave(struct stack *s)
{
#if defined(SL_STACK_ASAN)
	__sanitizer_start_switch_fiber(&s->fake, s->outer_bottom, s->outer_size);
#elif defined(SL_STACK_TSAN)
	__tsan_switch_to_fiber(s->outer_fiber, 0);
#else
	(void)s;
#endif
}

IN_SWITCHES void tell_left(struct stack *s)
{
#if defined(SL_STACK_ASAN)
	__sanitizer_finish_switch_fiber(s->outer_fake, NULL, NULL);
#else
	(void)s;
#endif
}

/* ---- stacks -------------------------------------------------------------------------------- */

__attribute__((used, visibility("hidden"))) void sl_stack_run(struct stack *s)
{
	tell_entered(s);
	s->entry(s->arg);
	SL_BUG_ON(true);
}

/* The words that a switch takes off a stack, the last pushed first. */
struct frame {
	u32 mxcsr;
	u16 x87_cw;
	u16 pad;
	u64 r15, r14, r13, r12, rbx, rbp;
	void (*rip)(void);
};
_Static_assert(sizeof(struct frame) % 16 == 0, "the stack is aligned where the function begins");

/* The guard page and @size bytes; NULL: no memory. */
static u8 *room_map(size_t size)
{
	u8 *room = mmap(NULL, SL_PAGE_SIZE + size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

	if (room == MAP_FAILED)
		return NULL;
	if (!mprotect(room, SL_PAGE_SIZE, PROT_NONE))
		return room;
	munmap(room, SL_PAGE_SIZE + size);
	return NULL;
}

struct stack *stack_new(size_t size, void (*entry)(void *arg), void *arg)
{
	struct stack *s = malloc(sizeof(*s));
	u8 *room = s ? room_map(size) : NULL;
	struct frame *f;

	if (!room) {
		free(s);
		return NULL;
	}
	*s = (struct stack){ .room = room, .size = size, .entry = entry, .arg = arg };
	f = (struct frame *)(void *)(room + SL_PAGE_SIZE + size) - 1;
	/* As a process begins: all exceptions masked, nearest, extended precision. */
	*f = (struct frame){
		.mxcsr = 0x1F80, .x87_cw = 0x37F, .r12 = (u64)(uintptr_t)s, .rip = sl_stack_begin
	};
	s->sp = f;
#if defined(SL_STACK_TSAN)
	s->fiber = __tsan_create_fiber(0);
#endif
	return s;
}

SWITCHES void stack_enter(struct stack *s)
{
	tell_enter(s);
	sl_stack_switch(&s->outer, s->sp);
	tell_left(s);
}

SWITCHES void stack_leave(struct stack *s)
{
	tell_leave(s);
	sl_stack_switch(&s->sp, s->outer);
	tell_entered(s);
}

void stack_free(struct stack *s)
{
	if (!s)
		return;
#if defined(SL_STACK_ASAN)
	/* The next mapping here knows nothing of the frames that stood here. */
	__asan_unpoison_memory_region(s->room + SL_PAGE_SIZE, s->size);
#elif defined(SL_STACK_TSAN)
	__tsan_destroy_fiber(s->fiber);
#endif
	munmap(s->room, SL_PAGE_SIZE + s->size);
	free(s);
}
