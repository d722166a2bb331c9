/* SPDX-License-Identifier: MIT */
/*
 * Happens-before: vector clocks over one run, with the memory orders that the code asked for.
 *
 * The search itself goes by the order of steps: it finds data races that some interleaving of them
 * shows. What a missing release or acquire leaves unordered it cannot see, since its steps are in an
 * order anyway. Clocks can: two accesses to one byte, one of them a write and one of them plain, race
 * if no chain of synchronisation leads from one to the other. They follow a run from its start, so
 * they are kept in random runs and in the replay of one (search.h). Layer: engine.
 */
#ifndef SL_ENGINE_ORDER_H
#define SL_ENGINE_ORDER_H

#include "engine/explore/xp.h"

#define XO_RACE_ID "no happens-before"

/* Clocks for @fibers fibers over the arena; NULL without memory. xp.order is where hooks look. */
struct xp_order *xo_new(u32 fibers) SL_WARN_UNUSED;
void xo_free(struct xp_order *o);
/* As at the start: all fibers have seen what was written before. */
void xo_reset(struct xp_order *o);

/*
 * The running fiber's accesses. Reports a race (xp_report) and then does not return. Not for the last
 * fiber, which starts when all others have ended and comes after all they did.
 */
void xo_plain(u32 granule, u8 mask, bool write, void *pc);
/* @changed: it wrote; a compare-and-swap that failed did not. @mo: the compiler's memory order. */
void xo_atomic(volatile void *addr, u8 size, enum xp_atomic op, bool changed, int mo, void *pc);
void xo_fence(int mo);

/* Locks and waits of the environment: an edge from each release at @addr to each later acquire. */
void xo_acquire(const void *addr);
void xo_release(const void *addr);

#endif
