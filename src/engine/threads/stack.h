/* SPDX-License-Identifier: MIT */
/*
 * A function on a stack of its own, which threads enter and it leaves in the middle. One thread at a
 * time; each time it may be another one. Address and thread sanitizer are told. Layer: engine.
 */
#ifndef SL_ENGINE_STACK_H
#define SL_ENGINE_STACK_H

#include "base/types.h"

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

/*
 * @size bytes, a multiple of the page size. 0 or -ENOMEM. @entry must not return: it leaves for good.
 * *@s must not move afterwards.
 */
int stack_make(struct stack *s, size_t size, void (*entry)(void *arg), void *arg);
/* Runs the function from where it stands until it leaves. */
void stack_enter(struct stack *s);
/* On the stack itself: back to who entered. Returns at the next stack_enter(). */
void stack_leave(struct stack *s);
/* While it is left. */
void stack_free(struct stack *s);

#endif
