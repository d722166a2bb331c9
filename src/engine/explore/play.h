/* SPDX-License-Identifier: MIT */
/*
 * Playing a counterexample: what happens becomes rows of a table and checks of a trace, and is held
 * against the checks of a trace that there is already. Layer: engine.
 */
#ifndef SL_ENGINE_PLAY_H
#define SL_ENGINE_PLAY_H

#include "engine/explore/explore.h"
#include "engine/explore/xworld.h"

struct play {
	const struct world *world;
	struct explore_result *out;
	u32 room; /* rows that there is memory for */
	u32 steps, loop_start;
	u32 must_finish;               /* mask of lanes */
	struct trace_step *made;       /* what the steps are and leave behind */
	const struct trace_step *want; /* the same from a trace, or NULL */
	const struct explore_watch *watch;
	u64 hash;
	size_t undo_mark;
	/* A livelock's loop has to end where it began. */
	u64 loop_hash;
	struct xp_fiber loop_fiber[XP_FIBERS_MAX];
	u64 loop_stores[XP_LANES_MAX];
	bool loop_closed;
	u32 finding; /* enum sl_violation, or XS_KIND_NONE */
	char id[40];
	char text[320];
};

/*
 * Plays out->search.step. True: the violation that out->search names came out at the last step, and
 * every step was as @p->want has it. Otherwise out->diverged says where and why, unless the watch
 * ended it. Rows are in out->row. Allocates p->made; the caller frees it.
 */
bool play(struct play *p, const struct xs_program *program, const struct xs_options *o);

#endif
