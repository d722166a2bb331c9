/* SPDX-License-Identifier: MIT */
/*
 * The instrumented world's only doors. Everything behind them is the model, compiled a second time
 * with the hooks; its symbols are local to one object, so it lives beside the native one.
 * Layer: engine.
 */
#ifndef SL_ENGINE_XWORLD_H
#define SL_ENGINE_XWORLD_H

#include "base/err.h"
#include "base/stats.h"
#include "engine/explore/word.h"
#include "scenario/scenario.h"

struct world;

/* Arena bytes for the scenario's world. 0 or -errno. */
int xworld_arena_size(const struct scenario *s, size_t *size, struct sl_err *err);
/*
 * Builds the world up to where the lanes start. @env has one env for each lane and one for the boss
 * behind them. NULL and *err if it cannot be built.
 */
struct world *xworld_build(const struct scenario *s, void *arena, size_t size, struct sl_env *env,
			   struct sl_err *err);
u32 xworld_lanes(const struct scenario *s);
void xworld_lane_name(const struct world *w, u32 lane, char *name, size_t size);
/* Does the lane end by itself, as far as its program goes? */
bool xworld_lane_is_finite(const struct world *w, u32 lane);
/*
 * Lanes of one class, if it is not 0, run the same program, and nothing in the arena is one lane's own
 * or holds its number: swapping two of them swaps nothing but their positions.
 */
u8 xworld_lane_class(const struct world *w, u32 lane);
/* The part of the arena that only oracles look at; *size = 0 if there is none. */
void xworld_ghost(const struct world *w, const void **start, size_t *size);
/* On a fiber: a lane's life, and the end of the world. */
void xworld_run_lane(struct world *w, u32 lane);
void xworld_finish(struct world *w, struct sl_env *boss);
/*
 * Tells @add every lock word and every counter of the world (kind: enum xp_word; size in bytes).
 * Counters are those whose old value nobody uses.
 */
void xworld_words(const struct world *w, void (*add)(void *ctx, const void *addr, u8 kind, u8 size),
		  void *ctx);
/*
 * What lies at @addr, in words: "S-EPT entry of a level 0". Empty if unknown. Returns how to read its
 * value.
 */
enum xworld_word xworld_describe(const struct world *w, const void *addr, char *text, size_t size);

#endif
