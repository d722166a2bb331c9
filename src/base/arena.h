/* SPDX-License-Identifier: MIT */
/*
 * A bump allocator over memory that an engine hands in. Used only while a world is built; once the
 * world stands nothing is allocated. Memory starts out zero, as the engine must provide it.
 * Layer: base.
 */
#ifndef SL_BASE_ARENA_H
#define SL_BASE_ARENA_H

#include "base/bug.h"
#include "base/types.h"

struct sl_arena {
	u8 *base;
	size_t size;
	size_t used;
};

/* Returns zeroed room for @size bytes aligned to @align (a power of two). Running out is a bug of
 * the size computation that the engine did, not an input error.
 */
static inline void *sl_arena_alloc(struct sl_arena *a, size_t size, size_t align)
{
	size_t at = (size_t)(sl_align_up((u64)(uintptr_t)(a->base + a->used), align) -
			     (u64)(uintptr_t)a->base);

	SL_BUG_ON(at > a->size || size > a->size - at);
	a->used = at + size;
	return a->base + at;
}

#endif
