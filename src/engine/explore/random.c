// SPDX-License-Identifier: MIT
/* Random runs. Layer: engine. */
#include "engine/explore/random.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/env.h"
#include "base/rng.h"
#include "engine/clock.h"
#include "engine/explore/order.h"
#include "engine/explore/race.h"

#define STEPS_MAX      10000u /* of a run, unless the user says otherwise */
#define CHANGES        3u     /* of priority in a run: bugs of depth 4 */
#define REPEATS        16u    /* of a run that has found a scheduling point on its way */
#define ORDERED_ENOUGH 8u     /* findings about the order of accesses to choose the best from */
#define POLL_RUNS      15u

struct walk {
	const struct xs_options *o;
	struct machine m;
	struct race_log races;
	struct sl_rng rng;
	struct xs_step *step;
	u32 steps, room;
	u32 longest; /* steps of a run, so far */
	u32 preemptions;
	bool uniform;
	s64 priority[XP_MOVERS_MAX];
	s64 lowest;
	u32 change[CHANGES]; /* steps at which the mover falls behind */
};

static void walk_begin(struct walk *w, u64 seed, u64 run)
{
	u32 order[XP_MOVERS_MAX];

	w->rng.state = seed * 0x9E3779B97F4A7C15ull + run;
	w->uniform = run & 1;
	w->steps = w->preemptions = 0;
	w->lowest = 0;
	for (u32 i = 0; i < w->m.fibers; i++)
		order[i] = i;
	for (u32 i = w->m.fibers; i > 1; i--) {
		u32 k = sl_rng_below(&w->rng, i), t = order[k];

		order[k] = order[i - 1];
		order[i - 1] = t;
	}
	for (u32 i = 0; i < w->m.fibers; i++)
		w->priority[order[i]] = i + 1;
	for (u32 i = 0; i < CHANGES; i++)
		w->change[i] = sl_rng_below(&w->rng, w->longest + 1);
	machine_start(&w->m);
	race_log_clear(&w->races);
	if (xp.order)
		xo_reset(xp.order);
}

/* Who moves next; the number of fibers if nobody can. */
static u32 pick(struct walk *w)
{
	u32 best = w->m.fibers, enabled = 0;

	for (u32 i = 0; i < w->m.fibers; i++) {
		if (!machine_enabled(&w->m, i))
			continue;
		enabled++;
		/* The n-th candidate replaces the one before with a chance of 1/n. */
		if (best == w->m.fibers || (w->uniform ? !sl_rng_below(&w->rng, enabled)
						       : w->priority[i] > w->priority[best]))
			best = i;
	}
	return best;
}

static void fall_behind(struct walk *w, u32 fiber)
{
	w->priority[fiber] = --w->lowest;
}

static void keep_step(struct walk *w, u32 fiber, u32 choice)
{
	if (w->steps == w->room) {
		w->room = w->room ? w->room * 2 : 1024;
		w->step = realloc(w->step, w->room * sizeof(*w->step));
		SL_BUG_ON(!w->step);
	}
	w->step[w->steps++] = (struct xs_step){ .fiber = (u8)fiber, .choice = (u16)choice };
}

/* One run from the start to a violation, the end, or the limit. */
static void walk_on(struct walk *w)
{
	u32 most = w->o->depth ? w->o->depth : STEPS_MAX, last = w->m.fibers;

	xp.violated = false;
	while (w->steps < most && !xp.violated) {
		u32 next = pick(w), choices, choice;

		if (next == w->m.fibers) {
			if (!machine_all_done(&w->m))
				xp.violated = machine_deadlock(&w->m);
			break;
		}
		if (xp.fiber[next].pending.kind == XP_PAUSE)
			fall_behind(w, next);
		for (u32 i = 0; i < CHANGES; i++)
			if (w->change[i] == w->steps)
				fall_behind(w, next);
		w->preemptions += machine_preempts(&w->m, last, next);
		choices = machine_choices(next);
		choice = choices > 1 ? sl_rng_below(&w->rng, choices) : 0;
		machine_step(&w->m, next, choice);
		machine_check(&w->m);
		if (!xp.violated && w->o->races && !xp.order)
			race_check(&w->races, w->m.p->lanes, next);
		race_log_keep(&w->races, next);
		keep_step(w, next, choice);
		if (!xp_is_flush(next))
			last = next;
	}
	if (w->steps > w->longest)
		w->longest = w->steps;
}

/* Is this run's finding better than the one that is kept? */
static bool is_better(const struct walk *w, const struct xs_result *r)
{
	return r->kind == XS_KIND_NONE || w->preemptions < r->preemptions ||
	       (w->preemptions == r->preemptions && w->steps < r->steps);
}

static void keep_finding(struct walk *w, u32 run, struct xs_result *r)
{
	r->found_run = run;
	r->kind = xp.violation_kind;
	memcpy(r->id, xp.violation_id, sizeof(r->id));
	memcpy(r->text, xp.violation_text, sizeof(r->text));
	r->preemptions = w->preemptions;
	free(r->step);
	r->step = calloc(w->steps + 1u, sizeof(*r->step));
	SL_BUG_ON(!r->step);
	memcpy(r->step, w->step, w->steps * sizeof(*r->step));
	r->steps = r->loop_start = w->steps;
}

/* Run @run, again as long as it finds scheduling points that its beginning did not know. */
static void walk_run(struct walk *w, u64 run)
{
	u64 hash = xp.hash;

	for (u32 i = 0; i < REPEATS; i++) {
		xp.learned = false;
		walk_begin(w, w->o->run_seed, run);
		walk_on(w);
		machine_rewind(0, hash);
		if (!xp.learned)
			return;
		/* What it has found by then cannot be played again as it was. */
		xp.violated = false;
		/* Constants that are none, lock words that decide something: another hash. */
		xp.hash = hash = xp_arena_hash();
	}
}

/* The next run is the first of a block. */
static void walk_forget(struct walk *w)
{
	xs_forget(w->m.p, w->o);
	w->longest = 0;
}

static bool goes_on(const struct xs_options *o, double start, struct xs_result *r)
{
	if (o->progress) {
		struct xs_progress p = { .seconds = clock_seconds() - start,
					 .transitions = r->all_transitions,
					 .runs = r->runs };
		o->progress(o->ctx, &p);
	}
	if (o->seconds > 0 && clock_seconds() - start > o->seconds)
		r->limit = XS_LIMIT_TIME;
	else if (o->interrupted && o->interrupted(o->ctx))
		r->limit = XS_LIMIT_INTERRUPTED;
	else
		return true;
	return false;
}

int xs_random(const struct xs_program *p, const struct xs_options *o, u32 runs, bool ordered,
	      struct xs_result *r)
{
	struct walk w = { .o = o };
	double start = clock_seconds();
	u32 from = ordered ? 0 : o->run_skip, to = runs - (ordered ? 0 : o->run_drop);
	u32 findings = 0;
	bool clocks;

	if (!race_log_init(&w.races))
		return -ENOMEM;
	/* Clocks go with memory that is sequentially consistent. */
	clocks = o->races && (ordered || !o->store_buffer);
	xp.order = clocks ? xo_new(p->lanes + 1) : NULL;
	if (!machine_init(&w.m, p, false, clocks ? 0 : o->store_buffer) || (clocks && !xp.order)) {
		xo_free(xp.order);
		xp.order = NULL;
		race_log_free(&w.races);
		return -ENOMEM;
	}
	for (u32 i = from; i < to; i++) {
		/* What is known in front of the first one, that one may know. */
		if (!ordered && i != from && o->run_block && !(i % o->run_block)) {
			if (findings)
				break;
			walk_forget(&w);
		}
		walk_run(&w, i);
		r->runs++;
		if (xp.shared_count > r->shared_words)
			r->shared_words = xp.shared_count;
		if (!ordered) {
			r->all_transitions += w.m.transitions;
			r->transitions += w.m.transitions;
			if (w.steps > r->depth)
				r->depth = w.steps;
		}
		if (xp.violated && is_better(&w, r))
			keep_finding(&w, i, r);
		findings += xp.violated;
		/* A search will shorten what it can find itself; clocks it has none. */
		if (findings && (strcmp(r->id, XO_RACE_ID) || findings >= ORDERED_ENOUGH))
			break;
		if (((i - from) & POLL_RUNS) == POLL_RUNS && !goes_on(o, start, r))
			break;
	}
	xo_free(xp.order);
	xp.order = NULL;
	race_log_free(&w.races);
	free(w.step);
	return 0;
}
