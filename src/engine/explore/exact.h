/* SPDX-License-Identifier: MIT */
/*
 * States without fingerprints: histories are numbered sequences, states are compared word by word.
 *
 * An exact search proves that a hashed one has lost nothing. Histories are numbers of (history,
 * value) pairs, so that two are the same number only if they are the same sequence; a state is the
 * vector of the granules that the lanes write, and of each lane's history and pending operation. It
 * costs what it costs: the vectors stay in memory. Layer: engine.
 */
#ifndef SL_ENGINE_EXACT_H
#define SL_ENGINE_EXACT_H

#include "engine/explore/xp.h"

struct exact;

/* NULL without memory. xp.interned is where histories look. */
struct exact *exact_new(u32 fibers) SL_WARN_UNUSED;
void exact_free(struct exact *e);
/* A new pass: which granules belong to a state is fixed by what is known to be written now. */
void exact_begin(struct exact *e);
/*
 * A number that this state has and no other; a key for the table of visited states. 0 without
 * memory. @class: lanes of one class, if not 0, are interchangeable; may be NULL.
 */
u64 exact_key(struct exact *e, const u8 *class);
size_t exact_bytes(const struct exact *e);
struct xp_intern *exact_histories(struct exact *e);

#endif
