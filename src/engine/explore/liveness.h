/* SPDX-License-Identifier: MIT */
/*
 * Livelocks in a finished search's graph: a component from which some lane that has to finish does
 * not, although every lane gets its turns. Layer: engine.
 *
 * Weak fairness, lane by lane: on the way round the component each lane takes a step, or is unable
 * to at some point. A lane whose attempt fails has taken its step. Strong fairness for the locks of
 * the host, which are handed out in order: a lane whose lock is free again and again gets it.
 */
#ifndef SL_ENGINE_LIVENESS_H
#define SL_ENGINE_LIVENESS_H

#include "base/types.h"
#include "engine/explore/search.h"

struct lv_edge {
	u32 to;
	u8 fiber;
	u8 sites; /* what the step did at sites of the host: bounds.h */
	u16 choice;
};

/* Looks for loops of one lane's making: by the codes of its steps at the host's sites. */
struct lv_filter {
	u32 lane;
	bool cut[256]; /* such a step is in no loop */
	bool hit[256]; /* a loop has one such step */
	bool unfair;   /* lanes that could move may stand still meanwhile */
};

struct lv_graph {
	u32 states;
	u32 lanes;
	u32 flushes; /* mask: fibers that take stores to memory; they get their turns, too */
	const struct lv_edge *edge;
	const u64 *first;               /* per state: its first edge */
	const u16 *count;               /* and how many it has */
	const u8 *unfinished;           /* per state: a lane that has to finish has not */
	const u32 *enabled;             /* per state: fibers that can move */
	const u16 *locking;             /* per state: lanes that want a lock, free or not */
	const struct lv_filter *filter; /* or NULL */
};

struct lv_result {
	struct xs_step *step; /* stem and loop; the caller frees it */
	u32 steps, loop_start;
	u32 size;     /* states of the component */
	bool certain; /* no way out of it */
};

/* State 0 is the start. 1: found; 0: none; -ENOMEM. */
int lv_find(const struct lv_graph *g, struct lv_result *out);

#endif
