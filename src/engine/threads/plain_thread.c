// SPDX-License-Identifier: MIT
/* What a thread of a plain program has. Layer: engine. */
#include <stdlib.h>
#include <x86intrin.h>

#include "engine/plain.h"

static _Thread_local struct plain_thread self;

/* Not inlined: a fiber may go on in another thread, where thread-local data has another address. */
__attribute__((noinline)) struct plain_thread *plain_self(void)
{
	struct plain_thread *t = &self;

	/* Without it the compiler knows that nobody has side effects here and asks once. */
	__asm__ volatile("" : "+r"(t));
	return t;
}

void *plain_alloc(size_t size)
{
	return calloc(1, size);
}

void plain_free(void *p)
{
	free(p);
}

void plain_relax(void)
{
	_mm_pause();
}
