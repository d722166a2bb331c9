// SPDX-License-Identifier: MIT
/* Processes at one pass. Layer: engine. */
#include "engine/explore/parallel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "engine/clock.h"
#include "engine/explore/path.h"
#include "engine/explore/region.h"
#include "engine/explore/save.h"

/* What is given away at once, and looks to go by when there was nothing to give. */
#define GIVE_MOST 4096u
#define REFUSE    16u
/* Seconds between two looks of the process that waits for the jobs, and until it ends them itself. */
#define LOOK      1e-3
#define STOP_TIME 20.0

bool parallel_is_possible(const struct xs_program *p, const struct xs_options *o)
{
	/* What a user's thread is known by is in no memory that processes share. */
	return o->jobs > 1 && !o->audit && !o->exact && !o->bounded && !o->depth && !o->runs &&
	       !p->stopped;
}

/* ---- in a job -------------------------------------------------------------------------------- */

u32 parallel_number(struct jobs *j, u32 *value)
{
	u32 id = (u32)atomic_fetch_add_explicit(&j->shared->next_state, 1, memory_order_relaxed);

	__atomic_store_n(value, id + 1, __ATOMIC_RELAXED);
	return id;
}

u32 parallel_number_of(const u32 *value)
{
	u32 id;

	/* Whoever has inserted it is about to number it. */
	while (!(id = __atomic_load_n(value, __ATOMIC_RELAXED)))
		__builtin_ia32_pause();
	return id - 1;
}

static void publish(struct search *s)
{
	struct job *me = &s->jobs->shared->job[s->jobs->me];

	atomic_store_explicit(&me->states, s->states, memory_order_relaxed);
	atomic_store_explicit(&me->transitions, s->m.transitions, memory_order_relaxed);
	if (s->memo)
		atomic_store_explicit(&me->own_memory, memo_bytes(s->memo), memory_order_relaxed);
	atomic_store_explicit(&me->depth, s->depth, memory_order_relaxed);
	if (xp.learned)
		atomic_store_explicit(&me->learned, true, memory_order_relaxed);
	s->jobs->look_at = s->states + JOBS_LOOK;
}

static void limit(struct search *s, enum xs_limit which)
{
	s->r->limit = which;
	s->stop = true;
	jobs_stop(s->jobs);
}

static void leave_behind(struct search *s)
{
	struct jobs *j = s->jobs;
	const struct xs_result *r = s->r;
	struct job *me = &j->shared->job[j->me];
	struct job_end *end = &me->end;

	publish(s);
	*end = (struct job_end){ .knowledge = { .known = j->known[j->me] },
				 .depth = s->max_depth,
				 .limit = r->limit,
				 .buffer_full = xp.buffer_full,
				 .next_saved = s->resumed ? s->resumed->next : 0,
				 .kind = s->found ? r->kind : XS_KIND_NONE };
	SL_BUG_ON(!knowledge_collect(&end->knowledge, JOBS_KNOWN));
	if (s->p->tally)
		memcpy(j->tally + j->me * s->p->tally_size, s->p->tally, s->p->tally_size);
	if (end->kind == XS_KIND_NONE)
		return;
	memcpy(end->id, r->id, sizeof(end->id));
	memcpy(end->text, r->text, sizeof(end->text));
	end->steps = r->steps;
	end->preemptions = r->preemptions;
	SL_BUG_ON(r->steps * sizeof(*r->step) > JOBS_STEPS);
	memcpy(j->step[j->me], r->step, r->steps * sizeof(*r->step));
}

/* What there is to be saved of this job. With nothing to do, its inbox may hold what was given to it. */
static void leave_for_saving(struct search *s, bool entered)
{
	struct jobs *j = s->jobs;

	leave_behind(s);
	if (jobs_is_busy(j, j->me))
		SL_BUG_ON(!path_leave(s, entered, j->inbox[j->me], JOBS_INBOX));
}

static void stand_still(struct search *s, bool entered)
{
	struct jobs *j = s->jobs;

	if (jobs_why(j) == JOBS_SAVE)
		leave_for_saving(s, entered);
	if (jobs_stand(j)) {
		if (jobs_why(j) == JOBS_GROW && !visited_grow_shared(&s->visited))
			limit(s, XS_LIMIT_MEMORY);
		jobs_resume(j);
	}
	visited_refresh(&s->visited);
}

/* Half of what is left, to each that has nothing. */
static void give(struct search *s, bool entered)
{
	struct jobs *j = s->jobs;

	if (j->refused) {
		j->refused--;
		return;
	}
	for (;;) {
		u64 left = path_left(s, entered), most = (left + 1) / 2;
		int who = left ? jobs_claim(j) : -1;

		if (!left)
			j->refused = REFUSE;
		if (who < 0)
			return;
		if (!path_give(s, entered, most < GIVE_MOST ? most : GIVE_MOST, j->inbox[who],
			       JOBS_INBOX))
			SL_BUG_ON("a path does not fit into an inbox");
		jobs_feed(j, (u32)who);
	}
}

void parallel_attend(struct search *s, bool entered)
{
	struct jobs *j = s->jobs;
	u32 calls;

	if (s->states >= j->look_at) {
		publish(s);
		if (visited_is_crowded(&s->visited, jobs_states(j)))
			jobs_ask(j, JOBS_GROW);
	}
	calls = jobs_call(j);
	if (calls & JOBS_STOP)
		s->stop = true;
	else if (calls & JOBS_PAUSE)
		stand_still(s, entered);
	else if (calls)
		give(s, entered);
}

static bool next_path(struct search *s)
{
	bool paused;

	publish(s);
	for (;;) {
		if (jobs_wait(s->jobs, &paused))
			return true;
		if (!paused)
			return false;
		stand_still(s, false);
	}
}

static void work(void *ctx)
{
	struct search *s = ctx;

	if (s->p->tally)
		memset(s->p->tally, 0, s->p->tally_size);
	/* When the pass is over is for the process to say that waits for the jobs. */
	s->widen_at = s->pass_states = ~0ull;
	/* What others have counted before counts once. */
	if (s->jobs->me)
		s->states = s->m.transitions = 0;
	s->jobs->look_at = s->states + JOBS_LOOK;
	/* That has been told. */
	s->found = false;
	if (s->resumed)
		save_walk(s, s->jobs->me, s->jobs->count);
	else if (!s->jobs->me)
		search_walk(s);
	while (!s->stop && next_path(s)) {
		/* Who has learned more than the giver takes other steps: that takes another pass. */
		if (path_take(s, s->jobs->inbox[s->jobs->me]))
			search_walk_on(s, false);
		else
			xp.learned = true;
		search_go_back(s);
	}
	/* Whatever it was, a finding or no more room: nobody has to wait for this one. */
	if (s->stop)
		jobs_stop(s->jobs);
	if (!s->found)
		search_is_intact(s);
	leave_behind(s);
}

/* ---- in the process that waits for them ------------------------------------------------------ */

static size_t memory_of(const struct search *s)
{
	struct visited v = s->visited;
	u64 edges = s->graph ? jobs_transitions(s->jobs) : 0;

	visited_refresh(&v);
	return jobs_own_memory(s->jobs) + visited_bytes(&v) + edges * sizeof(struct lv_edge) +
	       (s->graph ? jobs_states(s->jobs) * 15 : 0);
}

static u32 depth_of(const struct jobs *j)
{
	u32 depth = 0;

	for (u32 i = 0; i < j->count; i++) {
		u32 d = atomic_load_explicit(&j->shared->job[i].depth, memory_order_relaxed);

		depth = d > depth ? d : depth;
	}
	return depth;
}

/* One of them, or what they have known together when they were saved. */
static bool has_learned(const struct jobs *j)
{
	if (xp.learned)
		return true;
	for (u32 i = 0; i < j->count; i++)
		if (atomic_load_explicit(&j->shared->job[i].learned, memory_order_relaxed))
			return true;
	return false;
}

static enum xs_limit limit_reached(const struct search *s, double at, size_t memory)
{
	const struct xs_options *o = s->o;

	if (o->seconds > 0 && at > o->seconds)
		return XS_LIMIT_TIME;
	if (o->memory && memory > o->memory)
		return XS_LIMIT_MEMORY;
	if (o->interrupted && o->interrupted(o->ctx))
		return XS_LIMIT_INTERRUPTED;
	return XS_COMPLETE;
}

/* Of the findings one of the kind that is looked for, if there is one. */
static void keep_finding(struct search *s)
{
	struct xs_result *r = &s->spare;

	for (u32 i = 0; i < s->jobs->count; i++) {
		const struct job_end *end = &s->jobs->shared->job[i].end;

		if (end->kind == XS_KIND_NONE || (s->found && end->kind + 1 != s->o->prefer))
			continue;
		s->found = true;
		free(r->step);
		*r = (struct xs_result){ .kind = end->kind,
					 .steps = end->steps,
					 .loop_start = end->steps,
					 .preemptions = end->preemptions };
		memcpy(r->id, end->id, sizeof(r->id));
		memcpy(r->text, end->text, sizeof(r->text));
		r->step = calloc(r->steps + 1u, sizeof(*r->step));
		SL_BUG_ON(!r->step);
		memcpy(r->step, s->jobs->step[i], r->steps * sizeof(*r->step));
	}
}

/* While all stand still. What they know together may be more than each of them could know. */
static void save_all(struct search *s)
{
	const struct jobs *j = s->jobs;
	const struct knowledge *known[XS_JOBS_MAX];
	const void *path[2 * XS_JOBS_MAX];
	u8 *tally = malloc(s->p->tally_size + 1);
	struct save_pass p = { .several = true,
			       .buffer_full = xp.buffer_full,
			       .depth = s->max_depth,
			       .states = jobs_states(j),
			       .transitions = jobs_transitions(j),
			       .edges = atomic_load(&j->shared->next_edge),
			       .path = path,
			       .tally = tally };
	u32 spins = xp.spins;
	bool broken = false;

	SL_BUG_ON(!tally);
	if (s->p->tally)
		memcpy(tally, s->p->tally, s->p->tally_size);
	for (u32 i = 0; i < j->count; i++) {
		const struct job_end *end = &j->shared->job[i].end;

		known[i] = &end->knowledge;
		/* It has run out of room in the middle of a state. */
		broken |= end->limit != XS_COMPLETE;
		p.depth = end->depth > p.depth ? end->depth : p.depth;
		p.buffer_full |= end->buffer_full;
		if (s->p->tally)
			s->p->tally_add(tally, j->tally + i * j->tally_size);
		if (jobs_is_busy(j, i) || jobs_is_fed(j, i))
			path[p.paths++] = j->inbox[i];
		for (u32 n = end->next_saved; s->resumed && n < s->resumed->pass.paths;
		     n += j->count)
			path[p.paths++] = s->resumed->path[n];
	}
	keep_finding(s);
	knowledge_merge(known, j->count);
	visited_refresh(&s->visited);
	if (!broken)
		save_write(s, xp.learned ? NULL : &p);
	/* They will tell once more what they have counted. */
	xp.spins = spins;
	free(tally);
}

/* Is the search to be saved, and can that be waited for? A step may be without an end. */
static bool is_to_be_saved(const struct search *s)
{
	if (!s->keeper || (jobs_call(s->jobs) & JOBS_STOP))
		return false;
	return s->wanted == XS_COMPLETE ? save_is_due(s)
					: clock_seconds() - s->wanted_at < STOP_TIME;
}

/* False: not yet. */
static bool save_several(struct search *s)
{
	struct jobs *j = s->jobs;

	if (has_learned(j)) {
		save_write(s, NULL);
		return true;
	}
	if (!jobs_all_stand(j)) {
		jobs_ask(j, JOBS_SAVE);
		return false;
	}
	save_all(s);
	if (s->wanted == XS_COMPLETE)
		jobs_resume(j);
	return true;
}

/* Ends the pass at a limit, or once it has learned something and gone on for a while. */
static void supervise(struct search *s)
{
	const struct xs_options *o = s->o;
	double at = clock_seconds() - s->start;
	size_t memory = memory_of(s);
	u64 states = jobs_states(s->jobs);
	struct xs_result *r = s->r;

	if (memory > r->memory)
		r->memory = memory;
	if (o->progress) {
		struct xs_progress p = { .seconds = s->earlier + at,
					 .states = states,
					 .transitions = jobs_transitions(s->jobs),
					 .depth = depth_of(s->jobs),
					 .pass = r->passes,
					 .memory = memory };

		o->progress(o->ctx, &p);
	}
	if (s->wanted == XS_COMPLETE) {
		s->wanted = limit_reached(s, at, memory);
		s->wanted_at = clock_seconds();
	}
	if (is_to_be_saved(s) && !save_several(s))
		return;
	if (s->wanted != XS_COMPLETE)
		r->limit = s->wanted;
	if (r->limit != XS_COMPLETE ||
	    (!o->no_reduction && states >= s->pass_states && has_learned(s->jobs)))
		jobs_stop(s->jobs);
}

/* 0, or -ECHILD. */
static int wait_for_all(struct search *s)
{
	double stopped = 0;
	int left;

	while ((left = jobs_look(s->jobs, s->r->text, sizeof(s->r->text))) > 0) {
		supervise(s);
		if (jobs_call(s->jobs) & JOBS_STOP) {
			double now = clock_seconds();

			stopped = stopped > 0 ? stopped : now;
			/* A step without an end. Of a search that is over anyway nothing is lost. */
			if (now - stopped > STOP_TIME)
				jobs_kill(s->jobs);
		}
		clock_nap(LOOK);
	}
	return left;
}

static void gather(struct search *s)
{
	const struct jobs *j = s->jobs;
	const struct knowledge *all[XS_JOBS_MAX];

	for (u32 i = 0; i < j->count; i++) {
		const struct job_end *end = &j->shared->job[i].end;

		all[i] = &end->knowledge;
		if (end->depth > s->max_depth)
			s->max_depth = end->depth;
		if (s->r->limit == XS_COMPLETE)
			s->r->limit = (enum xs_limit)end->limit;
		xp.buffer_full |= end->buffer_full;
		if (s->p->tally)
			s->p->tally_add(s->p->tally, j->tally + i * j->tally_size);
	}
	knowledge_merge(all, j->count);
	s->states = jobs_states(j);
	s->m.transitions = jobs_transitions(j);
	keep_finding(s);
}

/* ---- the graph ------------------------------------------------------------------------------- */

struct renumbering {
	u32 *number;  /* by the jobs' numbers: 1 + what one would have given */
	u32 *waiting; /* states to go to, the next one last */
	u32 count, waits;
};

static void meet(struct renumbering *n, u32 state)
{
	if (n->number[state])
		return;
	n->number[state] = ++n->count;
	n->waiting[n->waits++] = state;
}

/*
 * Goes through the graph as a search of one would have, and writes it down as that would have left it:
 * then what is found in it does not depend on the jobs. @to has arrays of its own.
 */
static bool renumber(struct search *to, const struct search *from)
{
	struct renumbering n = { .number = calloc(from->states, sizeof(u32)),
				 .waiting = malloc(from->states * sizeof(u32)) };
	bool good = n.number && n.waiting;

	to->edge_count = 0;
	if (good)
		meet(&n, 0);
	while (good && n.waits) {
		u32 state = n.waiting[--n.waits], id = n.number[state] - 1;
		const struct lv_edge *e = &from->edge[from->edge_first[state]];

		to->edge_first[id] = to->edge_count;
		to->edge_n[id] = from->edge_n[state];
		to->unfinished[id] = from->unfinished[state];
		to->enabled[id] = from->enabled[state];
		to->locking[id] = from->locking[state];
		for (u32 k = 0; k < from->edge_n[state]; k++) {
			meet(&n, e[k].to);
			to->edge[to->edge_count] = e[k];
			to->edge[to->edge_count++].to = n.number[e[k].to] - 1;
		}
	}
	free(n.number);
	free(n.waiting);
	return good;
}

/* ---- the pass -------------------------------------------------------------------------------- */

/* @s is a copy of the search with arrays that all have in common. */
static void run(struct search *s)
{
	for (u32 i = 0; i < s->jobs->count; i++)
		s->jobs->shared->job[i].end.kind = XS_KIND_NONE;
	if (s->resumed) {
		s->failed = save_load(s);
		jobs_go_on(s->jobs, s->states, s->edge_count);
		s->edge_count = 0;
	}
	if (!s->failed)
		s->failed = jobs_start(s->jobs, work, s);
	if (!s->failed)
		s->failed = wait_for_all(s);
	if (!s->failed)
		gather(s);
}

static bool shared_init(struct search *s)
{
	/* One alone may go on with what several have begun. */
	s->jobs = jobs_new(s->o->jobs > 1 ? s->o->jobs : 1, s->p->tally_size);
	return s->jobs && visited_init_shared(&s->visited, s->graph) &&
	       (!s->graph || search_graph_map(s, region_map_shared));
}

void parallel_pass(struct search *s)
{
	struct search all;

	search_pass_begin(s);
	s->widen = s->found = false;
	s->r->kind = XS_KIND_NONE;
	all = *s;
	if (!shared_init(&all))
		all.failed = -ENOMEM;
	else
		run(&all);
	s->failed = all.failed;
	s->states = all.states;
	s->m.transitions = all.m.transitions;
	s->max_depth = all.max_depth;
	s->found = all.found;
	s->spare = all.spare;
	s->save_at = all.save_at;
	s->start = all.start;
	s->earlier = all.earlier;
	s->several = true;
	s->r->jobs = s->o->jobs > 1 ? s->o->jobs : 1;
	if (!s->failed && s->graph && s->r->limit == XS_COMPLETE && !s->found && !xp.learned &&
	    !renumber(s, &all))
		s->failed = -ENOMEM;
	if (all.graph)
		search_graph_unmap(&all);
	visited_free(&all.visited);
	jobs_free(all.jobs);
}
