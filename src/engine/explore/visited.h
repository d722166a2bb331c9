/* SPDX-License-Identifier: MIT */
/*
 * Visited states: fingerprints, and beside them, where somebody needs it, a value (number of the
 * state, best cost, digest of the successors). Layer: engine.
 */
#ifndef SL_ENGINE_VISITED_H
#define SL_ENGINE_VISITED_H

#include <stddef.h>

#include "base/types.h"

/*
 * Open addressing; grows by half, so that it is never emptier than 0.53 once it is large.
 *
 * A shared one lies in memory that processes have in common, at equal addresses:
 *  visited_insert() may run in all of them at once; one alone gets to know that a key is fresh;
 *  a value is the business of whoever inserted the key, and not there at once;
 *  it does not grow by itself: when it is crowded all have to stop, one calls visited_grow_shared(),
 *  and then each calls visited_refresh().
 */
struct visited {
	u64 *key;   /* 0 = empty */
	u32 *value; /* NULL: none */
	u64 slots;
	u64 count;
	struct visited_now *now; /* shared: which of the rooms is in use */
	u64 *key_room[2];
	u32 *value_room[2];
};

bool visited_init(struct visited *v, bool values) SL_WARN_UNUSED;
/* Shared with the processes that are forked from now on. */
bool visited_init_shared(struct visited *v, bool values) SL_WARN_UNUSED;
bool visited_grow_shared(struct visited *v) SL_WARN_UNUSED;
void visited_refresh(struct visited *v);
/* Would @count keys be too many for it as it is? */
static inline bool visited_is_crowded(const struct visited *v, u64 count)
{
	return count * 10 > v->slots * 7;
}
void visited_free(struct visited *v);
/* To an empty one: room for @count keys. False without memory. Shared: before anybody is forked. */
bool visited_reserve(struct visited *v, u64 count) SL_WARN_UNUSED;
/* The first slot in use from @slot on, in the order of keys but for collisions; -1 behind the last one. */
s64 visited_next(const struct visited *v, u64 slot);
bool visited_has(const struct visited *v, u64 key);
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
