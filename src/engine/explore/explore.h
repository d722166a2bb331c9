/* SPDX-License-Identifier: MIT */
/* A scenario under the explorer: its verdict and, if it is violated, the trace. Layer: engine. */
#ifndef SL_ENGINE_EXPLORE_H
#define SL_ENGINE_EXPLORE_H

#include "base/err.h"
#include "base/stats.h"
#include "engine/explore/search.h"
#include "engine/explore/trace.h"
#include "scenario/scenario.h"

/* One thing that happened in a step, as text. */
struct explore_row {
	u32 step; /* from 1 */
	u32 lane;
	bool call;       /* a SEAMCALL or TDCALL that ended, or another note */
	char object[96]; /* what was touched; the call's name */
	char what[96];   /* "cas 0x0 -> 0x1"; the decoded status */
	/* Of an access. */
	u8 op;   /* enum xp_atomic */
	u8 when; /* enum xp_event_when; a store that is buffered changes nothing that others see */
	u8 word; /* enum xworld_word: how to read the values */
	u64 at;  /* offset of the word in the arena */
	u64 before, after;
	u64 stored; /* by a store that is buffered */
	void *pc;   /* behind it */
	/* Of a call. */
	u64 status;
	u32 began, began_row; /* in this step, in front of this row */
};

/* A call that had not ended when the trace did. A SEAMCALL, and a TDCALL within it. */
#define EXPLORE_CALLS_DEEP 2
struct explore_open_call {
	char object[96];
	u32 began, began_row;
};

/* Where a replay stopped being what its trace says. */
struct explore_divergence {
	u32 step; /* from 1; 0: it did not diverge */
	u32 lane;
	char expected[400]; /* by the trace */
	char found[400];
};

struct explore_result {
	struct xs_result search;
	u32 lanes;
	char lane_name[XP_FIBERS_MAX][24];
	struct explore_row *row;
	u32 rows;
	struct explore_open_call open[XP_FIBERS_MAX][EXPLORE_CALLS_DEEP];
	u8 open_count[XP_FIBERS_MAX];
	struct sl_stats *stats; /* maxima per site, over everything that was explored */
	/* Of the counterexample, for a trace; NULL if it could not be played again. */
	struct trace_step *check;
	u64 *shared; /* arena offsets of scheduling points; none if all words are */
	u32 shared_count;
	size_t arena_size;
	/* Of a replay. */
	bool played_on; /* to the end, or to where it diverged: nobody ended it */
	u32 played;     /* steps */
	struct explore_divergence diverged;
};

/* Who watches a replay. Either may be NULL. */
struct explore_watch {
	/* In front of step @step (from 1). */
	void (*before)(void *ctx, const struct explore_result *r, u32 step);
	/*
	 * Behind it: its rows are r->row from @row on, what the lane was about to do is @about. False
	 * ends the replay.
	 */
	bool (*after)(void *ctx, const struct explore_result *r, u32 step, u32 row,
		      const char *about);
	void *ctx;
};

/* Hears what lanes note while they are explored: each note once for every transition that has it. */
struct explore_listener {
	/*
	 * True: this is what is looked for, which ends the search as a violated(bound) with @text, of
	 * @size bytes. The lane does not go on.
	 */
	bool (*note)(void *ctx, u32 lane, enum sl_note what, u64 a, u64 b, char *text, size_t size);
	void *ctx;
};

/* Of what a listener is looking for. */
#define EXPLORE_HEARD_ID "heard"

/* explore_scenario() with somebody who listens. */
int explore_listen(const struct scenario *s, const struct xs_options *o,
		   const struct explore_listener *listener, struct explore_result *out,
		   struct sl_err *err);

/* 0 and a filled *out, or a negative errno and *err. Free with explore_free(). */
int explore_scenario(const struct scenario *s, const struct xs_options *o,
		     struct explore_result *out, struct sl_err *err);
/* Plays a trace over its scenario. 0, whether or not it diverges, or a negative errno and *err. */
int explore_replay(const struct scenario *s, const struct trace *t, const struct explore_watch *w,
		   struct explore_result *out, struct sl_err *err);
void explore_free(struct explore_result *r);
/* The lane that a step is about: a store that reaches memory is its lane's. */
static inline u32 explore_lane_of(const struct explore_result *r, const struct xs_step *step)
{
	return step->fiber > r->lanes ? step->fiber - r->lanes - 1 : step->fiber;
}
/* Stores that the store buffer of each lane holds; 0: the scenario's memory is sequentially consistent. */
static inline u32 explore_store_buffer(const struct scenario *s)
{
	return s->memory == SCN_TSO ? s->store_buffer : 0;
}
/* "load", "cas", ...: enum xp_atomic. */
const char *explore_atomic_name(u32 op);
/* The same of an access whose effect may come later: enum xp_event_when. */
const char *explore_access_name(u32 op, u32 when);

#endif
