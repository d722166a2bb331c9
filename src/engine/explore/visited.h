/* SPDX-License-Identifier: MIT */
/*
 * Visited states: fingerprints, and beside them, where somebody needs it, a value (number of the
 * state, best cost, digest of the successors). Layer: engine.
 */
#ifndef SL_ENGINE_VISITED_H
#define SL_ENGINE_VISITED_H

#include <stddef.h>

#include "base/types.h"

/* Open addressing; grows by half, so that it is never emptier than 0.53 once it has grown. */
struct visited {
	u64 *key;   /* 0 = empty */
	u32 *value; /* NULL: none */
	u64 slots;
	u64 count;
};

bool visited_init(struct visited *v, bool values) SL_WARN_UNUSED;
void visited_free(struct visited *v);
size_t visited_bytes(const struct visited *v);

/* Index of @key's slot; *fresh if it was not there. -1 without memory. */
s64 visited_insert(struct visited *v, u64 key, bool *fresh);
/* Index of a key that is there. */
u64 visited_find(const struct visited *v, u64 key);

static inline void visited_prefetch(const struct visited *v, u64 key)
{
	__builtin_prefetch(&v->key[(u64)(((__uint128_t)key * v->slots) >> 64)]);
}

#endif
