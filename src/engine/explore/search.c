// SPDX-License-Identifier: MIT
/* The search over interleavings. Layer: engine. */
#include "engine/explore/search.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/env.h"
#include "engine/clock.h"
#include "engine/explore/order.h"
#include "engine/explore/parallel.h"
#include "engine/explore/random.h"
#include "engine/explore/region.h"
#include "engine/explore/save.h"
#include "engine/explore/search_state.h"
#include "engine/explore/store_buffer.h"

#define POLL_TRANSITIONS 0x3FFF
/* Passes that may go by until what was found comes out of one that learns nothing. */
#define FOUND_PASSES 64u
/* States of a pass by which it is not worth the while to have several at it. */
#define JOBS_FROM 8192u
/* And by which it is not, to remember steps. */
#define MEMO_FROM 4096u
#define NEVER     (~0ull)
/* Transitions of an audit between two looks at the whole arena. */
#define AUDIT_TRANSITIONS 0x3FF
/* Steps behind two whose order should make no difference, for it to show. */
#define AUDIT_AHEAD 16
#define STACK_STORE (1ull << 34)
/* What one step may write, in granules, and how many successors one state may have. */
#define STEP_UNDO   (1u << 22)
#define STATE_SUCCS (1u << 20)
/* Edges of one state. */
#define EDGES_MAX (1u << 16)

/* ---- steps that can be taken back ------------------------------------------------------------ */

/* Who lane @i is, in the memo; fibers that are no lanes, and all of them where nothing is remembered, are nobody. */
static u32 image_of(struct search *s, u32 i)
{
	return s->remembers && i < s->p->lanes ? memo_image(s->memo, &s->m, i) : MEMO_NONE;
}

/* The mover's own copy of what no image has. */
static void save_stack(struct search *s, struct frame *f, u32 fiber, u32 i)
{
	u32 len = i == fiber ? (u32)(xp_context_top(i) - (u8 *)xp.fiber[i].sp) : 0;

	SL_BUG_ON(len > XP_GUEST_STACK_MAX || (u64)s->stack_top * 16 + len > STACK_STORE);
	s->saved[f - s->frame] = xp.fiber[i];
	memcpy(s->stack_store + (u64)s->stack_top * 16, xp.fiber[i].sp, len);
	s->stack_top += (len + 15) / 16;
	f->stack_len = len;
}

static void save_mover(struct search *s, struct frame *f, u32 fiber)
{
	u32 i = xp_lane_of(fiber);

	f->mover = (u8)fiber;
	f->stack_at = s->stack_top;
	f->image = image_of(s, i);
	if (f->image == MEMO_NONE)
		save_stack(s, f, fiber, i);
	f->undo_mark = xp.undo_count;
	f->guest_mark = xp_guests.log_used;
	f->store_mark = sb_mark();
	f->arena_hash = xp.hash;
	f->lanes_hash = s->m.lanes_hash;
	f->digest = s->m.digest[i];
	f->race_last = s->races.last[i];
	f->race_top = s->races.top;
}

static void put_stack_back(struct search *s, const struct frame *f, u32 lane)
{
	xp.fiber[lane] = s->saved[f - s->frame];
	memcpy(xp.fiber[lane].sp, s->stack_store + (u64)f->stack_at * 16, f->stack_len);
	s->stack_top = f->stack_at;
	if (s->remembers && lane < s->p->lanes)
		memo_leave(s->memo, lane);
}

static void undo_step(struct search *s, const struct frame *f)
{
	u32 lane = xp_lane_of(f->mover);

	machine_rewind(f->undo_mark, f->arena_hash);
	if (f->image == MEMO_NONE) {
		machine_undo_guests(&s->m, f->guest_mark);
		sb_undo(f->store_mark);
		put_stack_back(s, f, lane);
	} else {
		memo_go_back(s->memo, lane, f->image);
	}
	s->m.lanes_hash = f->lanes_hash;
	s->m.digest[lane] = f->digest;
	s->races.last[lane] = f->race_last;
	s->races.top = f->race_top;
}

/* Two visits of one state go on in different ways. */
static void set_unlike(void)
{
	xp.violated = true;
	xp.violation_kind = SL_VIOLATION_ORACLE;
	snprintf(xp.violation_id, sizeof(xp.violation_id), "checkpoint audit");
	snprintf(
		xp.violation_text, sizeof(xp.violation_text),
		"two visits of one state differ in what comes next: a checkpoint leaves something out");
}

/*
 * The step of the frame above the state that stands; @leaf if it has been found already. What is remembered
 * holds as long as nothing is learned.
 */
static void take_step(struct search *s, u32 fiber, u32 choice, const struct memo_leaf *leaf)
{
	if (s->frame[s->depth].image == MEMO_NONE) {
		machine_step(&s->m, fiber, choice);
	} else {
		leaf = leaf ? leaf : memo_find(s->memo, fiber, choice);
		if (leaf)
			memo_step(s->memo, &s->m, fiber, leaf);
		else if (!memo_run(s->memo, &s->m, fiber, choice))
			set_unlike();
	}
	if (s->remembers && xp.learned)
		s->stop = true;
}

/* ---- findings -------------------------------------------------------------------------------- */

static void keep_path(struct search *s, u32 fiber, u32 choice, struct xs_step **to, u32 *steps)
{
	u32 n = s->depth;

	free(*to);
	*to = calloc(n + 1u, sizeof(**to));
	SL_BUG_ON(!*to);
	*steps = 0;
	if (!n)
		return;
	/* frame[0] is the initial state: it has no mover. */
	for (u32 i = 1; i < n; i++)
		(*to)[i - 1] = (struct xs_step){ .fiber = s->frame[i].mover,
						 .choice = s->frame[i].choice };
	(*to)[n - 1] = (struct xs_step){ .fiber = (u8)fiber, .choice = (u16)choice };
	*steps = fiber == 0xFF ? n - 1 : n;
}

static u32 path_preemptions(const struct search *s)
{
	return s->depth ? s->frame[s->depth - 1].preemptions : 0;
}

/* Does going from the last mover to @next take the CPU away from somebody who wants it? */
static bool is_preemption(const struct search *s, u32 next)
{
	return s->depth > 1 && machine_preempts(&s->m, s->frame[s->depth - 1].ran, next);
}

static bool is_preferred(const struct search *s, u32 kind)
{
	return !s->o->prefer || kind + 1 == s->o->prefer;
}

/* A race is only believed once the pass has learned nothing more, so the search goes on. */
static bool is_final(const struct search *s)
{
	return s->found && is_preferred(s, s->r->kind) && s->r->kind != SL_VIOLATION_RACE;
}

/*
 * With store buffers nor is anything else: a store to a word that is not known to be shared overtakes those that
 * are buffered, and somebody may come upon it before it is known.
 */
static bool is_believed(const struct search *s)
{
	return !s->o->store_buffer || !xp.learned;
}

/* Of a pass the first finding counts, and one of the kind that is expected more than any other. */
static bool is_news(const struct search *s, u32 kind)
{
	if (s->r->kind == XS_KIND_NONE)
		return true;
	if (is_preferred(s, kind) != is_preferred(s, s->r->kind))
		return is_preferred(s, kind);
	return !s->found;
}

static void found(struct search *s, u32 fiber, u32 choice, u32 preemptions)
{
	struct xs_result *r = s->r;

	if (s->shortest) {
		if (xp.violation_kind != s->want_kind || strcmp(xp.violation_id, s->want_id))
			return;
		keep_path(s, fiber, choice, &s->best, &s->best_steps);
		s->best_depth = s->best_steps;
		s->best_preemptions = preemptions;
		snprintf(r->text, sizeof(r->text), "%s", xp.violation_text);
		return;
	}
	if (!is_news(s, xp.violation_kind))
		return;
	r->kind = xp.violation_kind;
	snprintf(r->id, sizeof(r->id), "%s", xp.violation_id);
	snprintf(r->text, sizeof(r->text), "%s", xp.violation_text);
	keep_path(s, fiber, choice, &r->step, &r->steps);
	r->loop_start = r->steps;
	r->preemptions = preemptions;
	s->found = true;
	s->stop = is_final(s) && !s->bounds;
}

static void check_deadlock(struct search *s)
{
	if (machine_deadlock(&s->m))
		found(s, 0xFF, 0, path_preemptions(s));
}

/* ---- expansion ------------------------------------------------------------------------------- */

static const u8 *classes(const struct search *s)
{
	return s->r->symmetric ? s->p->class : NULL;
}

static void no_room(struct search *s)
{
	s->r->limit = XS_LIMIT_MEMORY;
	s->stop = true;
}

static u64 key_of(u64 arena_hash, u64 lanes_hash)
{
	u64 key = xp_mix(arena_hash, lanes_hash);

	return key ? key : 1;
}

static u64 state_key(struct search *s)
{
	u64 key;

	if (s->exact) {
		key = exact_key(s->exact, classes(s));
		if (!key) {
			no_room(s);
			key = 1;
		}
	} else {
		key = key_of(xp.hash, s->m.lanes_hash);
	}
	return key;
}

/* Did nothing but what the user has asked for end the search? */
static bool is_unlimited(const struct xs_result *r)
{
	return r->limit == XS_COMPLETE || r->limit == XS_LIMIT_PREEMPTIONS ||
	       r->limit == XS_LIMIT_RUNS || r->limit == XS_LIMIT_STORES;
}

/* What the search takes; the limit that is reached by that, or XS_COMPLETE. */
static enum xs_limit poll(struct search *s)
{
	const struct xs_options *o = s->o;
	double at = clock_seconds() - s->start;
	size_t memory = (s->memo ? memo_bytes(s->memo) : 0) + visited_bytes(&s->visited) +
			s->edge_count * sizeof(struct lv_edge) + (s->graph ? s->states * 17 : 0) +
			(s->exact ? exact_bytes(s->exact) : 0);

	if (memory > s->r->memory)
		s->r->memory = memory;
	if (o->progress) {
		struct xs_progress p = { .seconds = s->earlier + at,
					 .states = s->states,
					 .transitions = s->m.transitions,
					 .depth = s->depth,
					 .pass = s->r->passes,
					 .memory = memory };
		o->progress(o->ctx, &p);
	}
	if (o->seconds > 0 && at > o->seconds && !s->shortest)
		return XS_LIMIT_TIME;
	if (s->shortest && at > o->minimise_seconds)
		s->stop = true;
	else if (o->memory && memory > o->memory)
		return XS_LIMIT_MEMORY;
	else if (o->interrupted && o->interrupted(o->ctx))
		return XS_LIMIT_INTERRUPTED;
	return XS_COMPLETE;
}

/* Between two steps: limits, and whether it is time to save the search. */
static void look_around(struct search *s, bool entered)
{
	enum xs_limit limit;

	s->poll_at = (s->m.transitions | POLL_TRANSITIONS) + 1;
	/* The process that waits for the jobs looks at the limits of all of them. */
	if (s->jobs)
		return;
	limit = poll(s);
	if (s->keeper && (limit != XS_COMPLETE || save_is_due(s)))
		save_now(s, entered);
	if (limit != XS_COMPLETE)
		s->r->limit = limit;
	if (!is_unlimited(s->r))
		s->stop = true;
}

/* Somebody wrote without being seen: then states are not what they seem, and nothing is proved. */
static void audit_arena(void)
{
	if (xp_arena_hash() == xp.hash)
		return;
	xp.violated = true;
	xp.violation_kind = SL_VIOLATION_ORACLE;
	snprintf(xp.violation_id, sizeof(xp.violation_id), "arena audit");
	snprintf(xp.violation_text, sizeof(xp.violation_text),
		 "the arena has changed without a write that the explorer saw");
}

bool search_is_intact(struct search *s)
{
	xp.violated = false;
	audit_arena();
	if (xp.violated)
		found(s, 0xFF, 0, 0);
	return !xp.violated;
}

static u64 states_of_all(const struct search *s)
{
	return s->jobs ? atomic_load_explicit(&s->jobs->shared->next_state, memory_order_relaxed)
		       : s->states;
}

/* Is there room for one more step, however much it writes, in what leads back from here? */
static bool has_room(const struct search *s)
{
	return (u64)s->stack_top * 16 + XP_GUEST_STACK_MAX <= STACK_STORE &&
	       xp_guests_have_room() && sb_has_room() && xp.undo_count + STEP_UNDO <= xp.undo_max &&
	       race_log_has_room(&s->races) &&
	       (!s->graph || (states_of_all(s) + STATE_SUCCS < ID_STORE &&
			      s->edge_count + STATE_SUCCS < EDGE_STORE));
}

/* Is the step within the bounds of a bounded search? */
static bool within_bounds(struct search *s, u32 preempts)
{
	if (path_preemptions(s) + preempts > s->most_preemptions) {
		/* A schedule is left out; the shortest trace is looked for without this. */
		if (!s->shortest)
			s->r->limit = XS_LIMIT_PREEMPTIONS;
		return false;
	}
	return !s->shortest || s->depth < s->best_depth;
}

static void no_room_for_sites(struct search *s)
{
	s->r->limit = XS_LIMIT_SITES;
	s->stop = true;
}

/* The code of what the step did at sites of the host. */
static u8 keep_sites(struct search *s)
{
	s32 code = s->bounds ? bounds_code(s->bounds) : 0;

	if (code < 0)
		no_room_for_sites(s);
	return code < 0 ? 0 : (u8)code;
}

/* A step behind which nothing comes: no edge, but what it did counts. */
static void keep_last(struct search *s, u32 fiber, u8 sites)
{
	if (sites && !bounds_keep_last(s->bounds, s->frame[s->depth - 1].id, (u8)fiber, sites))
		no_room_for_sites(s);
}

/* The last mover behind a step of @fiber. */
static u32 ran_by(const struct search *s, u32 fiber)
{
	return xp_is_flush(fiber) ? s->frame[s->depth - 1].ran : fiber;
}

/* Of the state behind a step of @fiber, where the path ends in front of it. */
static u64 succ_key(struct search *s, u32 fiber)
{
	u64 key = state_key(s);

	return s->bounded ? xp_mix(key, ran_by(s, fiber)) | 1 : key;
}

static void check_races(struct search *s, u32 fiber)
{
	if (!xp.violated && s->o->races && !s->found)
		race_check(&s->races, s->p->lanes, fiber);
}

/*
 * A successor whose step is known: what it would be says the step itself. False: it has to be taken.
 */
static bool foresee(struct search *s, struct succ *n, u32 fiber, u32 choice)
{
	u64 arena_hash, lanes_hash;

	n->leaf = image_of(s, fiber) ? memo_find(s->memo, fiber, choice) : NULL;
	if (!n->leaf)
		return false;
	memo_foresee(s->memo, &s->m, fiber, n->leaf, &arena_hash, &lanes_hash);
	check_races(s, fiber);
	n->key = key_of(arena_hash, lanes_hash);
	n->sites = 0;
	return true;
}

/* A successor: takes the step and looks. */
static void go_and_look(struct search *s, struct succ *n, u32 fiber, u32 choice)
{
	save_mover(s, &s->frame[s->depth], fiber);
	take_step(s, fiber, choice, NULL);
	n->sites = keep_sites(s);
	if (!xp.violated)
		machine_check(&s->m);
	check_races(s, fiber);
	if (s->auditing && (s->m.transitions & AUDIT_TRANSITIONS) == 0 && !xp.violated)
		audit_arena();
	if (xp.violated)
		return;
	n->key = state_key(s);
	n->leaf = NULL;
	if (s->o->audit)
		n->next = s->p->stopped ? xp_mix(xp.hash, xs_pending_digest(fiber)) : n->key;
}

/*
 * One successor: step, look, take back. With @keep the step is not taken back, unless it ends in a
 * violation; the frame above the state's own says how. Returns true if the successor stands.
 */
static bool probe(struct search *s, u32 fiber, u32 choice, bool keep)
{
	struct succ *n = &s->succ[s->succ_count];
	/* Only the state in front of the step can tell, and mostly nobody wants to know. */
	u32 preempts = (s->bounded || keep) && is_preemption(s, fiber);
	bool foreseen;

	if (s->bounded && !within_bounds(s, preempts))
		return false;
	if (s->succ_count + 2 >= SUCC_STORE) {
		no_room(s);
		return false;
	}
	foreseen = !keep && foresee(s, n, fiber, choice);
	if (!foreseen)
		go_and_look(s, n, fiber, choice);
	if (xp.violated) {
		if (!foreseen)
			undo_step(s, &s->frame[s->depth]);
		if (s->bounds)
			keep_last(s, fiber, n->sites);
		found(s, fiber, choice, path_preemptions(s) + is_preemption(s, fiber));
		return false;
	}
	if (s->bounded)
		n->key = xp_mix(n->key, ran_by(s, fiber)) | 1;
	n->fiber = (u8)fiber;
	n->choice = (u16)choice;
	n->preempts = (u8)preempts;
	s->succ_count++;
	visited_prefetch(&s->visited, n->key);
	if (!keep && !foreseen)
		undo_step(s, &s->frame[s->depth]);
	return keep;
}

/* The number of a state; in the table stands one more, as nothing does where there is none yet. */
static void number_state(struct search *s, u32 *value)
{
	if (s->jobs)
		parallel_number(s->jobs, value);
	else
		*value = (u32)s->states + 1;
}

static u32 number_of(const struct search *s, const u32 *value)
{
	return s->jobs ? parallel_number_of(value) : *value - 1;
}

/* Looks a successor up. Fresh ones will be entered. */
static void claim(struct search *s, struct succ *n)
{
	bool fresh;
	s64 slot = visited_insert(&s->visited, n->key, &fresh);
	u32 *value = s->visited.value + slot;

	if (slot < 0) {
		s->r->limit = XS_LIMIT_MEMORY;
		s->stop = true;
		return;
	}
	n->fresh = fresh;
	if (s->bounded) {
		u32 depth = s->by_steps ? s->depth : 0;
		u32 pre = path_preemptions(s) + n->preempts;
		u32 old_pre = *value >> 24, old_depth = *value & 0xFFFFFF;

		n->fresh = fresh || !(old_pre <= pre && old_depth <= depth);
		if (n->fresh)
			*value = pre << 24 | (depth & 0xFFFFFF);
	} else if (s->graph) {
		if (fresh)
			number_state(s, value);
		s->edge[s->edge_count++] = (struct lv_edge){ .to = number_of(s, value),
							     .fiber = n->fiber,
							     .sites = n->sites,
							     .choice = n->choice };
	}
	s->states += fresh;
}

/*
 * Audit: a state that was reached before must have the successors that it had then, or the
 * checkpoints that merged the two have lied about what a lane's future depends on; or, where lanes are known
 * by what they have seen alone, they see something that does not: then the number of states would
 * depend on the order in which they are visited.
 */
static void audit_state(struct search *s, const struct frame *f)
{
	bool fresh;
	s64 slot = visited_insert(&s->visited, state_key(s), &fresh);
	u64 digest = 1;
	u32 *value = s->visited.value + slot;

	SL_BUG_ON(slot < 0);
	for (u32 i = f->succ_base; i < s->succ_count; i++)
		digest = xp_mix(xp_mix(digest, s->succ[i].next),
				(u64)s->succ[i].fiber << 16 | s->succ[i].choice);
	digest |= 1;
	if (!*value)
		*value = (u32)digest;
	s->r->audited++;
	if (*value == (u32)digest)
		return;
	set_unlike();
	found(s, 0xFF, 0, path_preemptions(s));
}

/* What is to be seen of a state: the arena, and where everybody stands. A violation is the same whenever it comes. */
static u64 view_digest(const struct search *s)
{
	u64 digest = xp.hash;

	if (xp.violated)
		return 0;
	for (u32 i = 0; i < s->m.fibers; i++)
		digest = xp_mix(digest, xs_pending_digest(i));
	return digest;
}

/*
 * The two steps, @other's first if so said, and then some more of the two lanes, who take turns: what is to be seen in
 * the end.
 */
static u64 look_ahead(struct search *s, const struct xs_step *access, const struct xs_step *other,
		      bool other_first)
{
	const struct xs_step *lane[] = { access, other };
	u32 depth = s->depth;
	u64 digest;

	for (u32 n = 0; n < 2 + AUDIT_AHEAD && !xp.violated; n++) {
		const struct xs_step *step = lane[n < 2 ? n ^ other_first : n & 1];

		if (!machine_enabled(&s->m, step->fiber))
			continue;
		save_mover(s, &s->frame[s->depth], step->fiber);
		take_step(s, step->fiber, n < 2 ? step->choice : 0, NULL);
		s->depth++;
	}
	digest = view_digest(s);
	while (s->depth > depth)
		undo_step(s, &s->frame[--s->depth]);
	xp.violated = false;
	return digest;
}

/* Audit: does it make a difference if the access that is said to commute comes before @other or behind it? */
static void audit_order(struct search *s, const struct xs_step *access, const struct xs_step *other)
{
	if (look_ahead(s, access, other, false) == look_ahead(s, access, other, true))
		return;
	xp.violation_kind = SL_VIOLATION_ORACLE;
	snprintf(xp.violation_id, sizeof(xp.violation_id), "order audit");
	snprintf(
		xp.violation_text, sizeof(xp.violation_text),
		"an access of lane %u is said to commute with whatever others do, and does not with a step of lane %u",
		access->fiber, other->fiber);
	found(s, access->fiber, access->choice, path_preemptions(s));
}

/* Audit: what is said to commute is tried with each step that another lane could take now. */
static void audit_orders(struct search *s, u32 mask)
{
	for (u32 i = 0; i < s->p->lanes && !s->stop; i++) {
		const struct xp_pending *p = &xp.fiber[i].pending;

		if (p->kind != XP_ATOMIC || !p->commutes)
			continue;
		for (u32 left = mask & ~(1u << i); left && !s->stop; left &= left - 1) {
			u32 j = (u32)__builtin_ctz(left);

			for (u32 c = 0; c < machine_choices(j); c++)
				audit_order(s, &(struct xs_step){ .fiber = (u8)i },
					    &(struct xs_step){ .fiber = (u8)j, .choice = (u16)c });
		}
	}
}

/* What liveness needs to know of the state that stands. */
static void keep_state(struct search *s, const struct frame *f, u32 mask)
{
	u32 unfinished = 0, locking = 0;

	for (u32 i = 0; i < s->p->lanes; i++) {
		if ((s->p->must_finish >> i & 1) && xp.fiber[i].pending.kind != XP_EXIT)
			unfinished = 1;
		locking |= (u32)(xp.fiber[i].pending.kind == XP_LOCK) << i;
	}
	if (s->jobs)
		s->edge_count = jobs_edges(s->jobs, s->edge_count, EDGES_MAX);
	s->locking[f->id] = (u16)locking;
	s->edge_first[f->id] = s->edge_count;
	s->unfinished[f->id] = (u8)unfinished;
	s->enabled[f->id] = mask;
}

/* The frame of the successor @n that stands, from the state below it. */
static void enter(struct search *s, const struct succ *n)
{
	struct frame *f = &s->frame[s->depth];

	race_log_keep(&s->races, n->fiber);
	f->ran = (u8)ran_by(s, n->fiber);
	f->choice = n->choice;
	f->preemptions = path_preemptions(s) + n->preempts;
	f->again = !n->fresh;
	if (s->graph)
		f->id = number_of(s, s->visited.value + visited_find(&s->visited, n->key));
	s->depth++;
	if (s->depth > s->max_depth)
		s->max_depth = s->depth;
}

/* Goes to a successor that was taken back. */
static void descend(struct search *s, struct succ *n)
{
	n->preempts = is_preemption(s, n->fiber);
	save_mover(s, &s->frame[s->depth], n->fiber);
	take_step(s, n->fiber, n->choice, s->o->audit ? NULL : n->leaf);
	/* Counted when it was probed. */
	s->m.transitions--;
	enter(s, n);
}

static u32 enabled_mask(const struct search *s)
{
	u32 mask = 0;

	for (u32 i = 0; i < s->m.fibers; i++)
		mask |= (u32)machine_enabled(&s->m, i) << i;
	return mask;
}

/* Nobody will do anything any more. Their histories differ where the arena does not. */
static void keep_end(struct search *s)
{
	bool fresh;

	if (!s->ends.slots && !visited_init(&s->ends, false)) {
		no_room(s);
		return;
	}
	if (visited_insert(&s->ends, xp_mix(xp.hash, 1) | 1, &fresh) < 0)
		no_room(s);
}

/*
 * Finds the successors of the state that stands. The last one is not taken back if it turns out to
 * be fresh: then it has been entered, and true is returned.
 */
static bool expand(struct search *s, u32 depth_max)
{
	struct frame *f = &s->frame[s->depth - 1];
	u32 mask = enabled_mask(s);
	bool stands = false;

	f->succ_base = s->succ_count;
	if (s->graph && !f->again)
		keep_state(s, f, mask);
	if (!mask) {
		if (machine_all_done(&s->m))
			keep_end(s);
		else
			check_deadlock(s);
	}
	if (!has_room(s))
		no_room(s);
	/* From the last lane to the first, as the last successor found is the first to be entered. */
	for (u32 left = mask; left && !s->stop;) {
		u32 i = 31u - (u32)__builtin_clz(left);

		left &= ~(1u << i);
		for (u32 c = machine_choices(i); c-- && !s->stop;)
			stands =
				probe(s, i, c, !left && !c && !s->auditing && s->depth < depth_max);
	}
	if (s->auditing && !s->stop)
		audit_state(s, f);
	if (s->auditing && !s->stop)
		audit_orders(s, mask);
	if (f->again) {
		s->succ_count = f->succ_base;
		f->succ_left = 0;
		return false;
	}
	if (s->graph)
		s->edge_n[f->id] = (u16)(s->succ_count - f->succ_base);
	for (u32 i = f->succ_base; i < s->succ_count && !s->stop; i++)
		claim(s, &s->succ[i]);
	f->succ_left = s->succ_count - f->succ_base;
	if (!stands)
		return false;
	if (s->stop || !s->succ[s->succ_count - 1].fresh) {
		undo_step(s, &s->frame[s->depth]);
		return false;
	}
	enter(s, &s->succ[s->succ_count - 1]);
	s->succ[s->succ_count - 1].fresh = false;
	return true;
}

/* The next successor to go to from the top of the path, or NULL. */
static struct succ *next_succ(struct search *s, struct frame *f)
{
	while (!s->stop && f->succ_left) {
		struct succ *n = &s->succ[f->succ_base + --f->succ_left];

		if (n->fresh || s->auditing)
			return n;
	}
	return NULL;
}

static u32 depth_limit(const struct search *s)
{
	return s->o->depth ? s->o->depth : DEPTH_MAX - 1;
}

bool search_begin(struct search *s)
{
	s->depth = 1;
	s->succ_count = 0;
	s->frame[0] = (struct frame){ .mover = 0xFF, .ran = 0xFF };
	return visited_has(&s->visited, state_key(s));
}

bool search_go(struct search *s, u32 fiber, u32 choice)
{
	struct succ n = { .fiber = (u8)fiber, .choice = (u16)choice, .fresh = true };

	if (fiber >= s->m.fibers || !machine_enabled(&s->m, fiber) ||
	    choice >= machine_choices(fiber))
		return false;
	n.preempts = is_preemption(s, n.fiber);
	save_mover(s, &s->frame[s->depth], n.fiber);
	take_step(s, n.fiber, n.choice, NULL);
	s->m.transitions--;
	n.key = succ_key(s, fiber);
	if (!visited_has(&s->visited, n.key)) {
		undo_step(s, &s->frame[s->depth]);
		return false;
	}
	enter(s, &n);
	return true;
}

void search_go_back(struct search *s)
{
	while (s->depth && --s->depth)
		undo_step(s, &s->frame[s->depth]);
	s->succ_count = 0;
}

/* Steps that come again and again are worth remembering; one that teaches nothing, that is. */
static void begin_to_remember(struct search *s)
{
	if (s->memo && !s->remembers && s->states >= MEMO_FROM && !xp.learned)
		s->remembers = true;
}

/* Has the pass gone on for long enough? */
static bool is_over(struct search *s)
{
	if (s->states >= s->widen_at && !s->stop)
		s->widen = true;
	return s->widen || (xp.learned && !s->o->no_reduction && s->states >= s->pass_states);
}

void search_walk_on(struct search *s, bool entered)
{
	u32 depth_max = depth_limit(s);

	while (s->depth) {
		struct frame *f = &s->frame[s->depth - 1];
		struct succ *n;

		if (parallel_is_called(s))
			parallel_attend(s, entered);
		if (s->m.transitions >= s->poll_at && !s->stop)
			look_around(s, entered);
		n = entered ? NULL : next_succ(s, f);
		if (n && s->depth >= depth_max) {
			s->r->limit = XS_LIMIT_DEPTH;
			continue;
		}
		if (n)
			descend(s, n);
		if (n || entered) {
			entered = expand(s, depth_max);
			begin_to_remember(s);
			if (is_over(s))
				s->stop = true;
			continue;
		}
		s->succ_count = f->succ_base;
		if (--s->depth)
			undo_step(s, f);
	}
}

void search_walk(struct search *s)
{
	bool fresh;
	s64 slot = visited_insert(&s->visited, state_key(s), &fresh);

	SL_BUG_ON(slot < 0 || !search_begin(s));
	/* State 0. */
	if (s->graph)
		number_state(s, s->visited.value + slot);
	s->states++;
	search_walk_on(s, expand(s, depth_limit(s)));
}

/* ---- passes ---------------------------------------------------------------------------------- */

bool search_graph_map(struct search *s, void *(*map)(size_t size))
{
	s->edge = map(EDGE_STORE * sizeof(struct lv_edge));
	s->edge_first = map(ID_STORE * sizeof(u64));
	s->edge_n = map(ID_STORE * sizeof(u16));
	s->unfinished = map(ID_STORE);
	s->enabled = map(ID_STORE * sizeof(u32));
	s->locking = map(ID_STORE * sizeof(u16));
	return s->edge && s->edge_first && s->edge_n && s->unfinished && s->enabled && s->locking;
}

void search_graph_unmap(struct search *s)
{
	region_unmap(s->edge, EDGE_STORE * sizeof(struct lv_edge));
	region_unmap(s->edge_first, ID_STORE * sizeof(u64));
	region_unmap(s->edge_n, ID_STORE * sizeof(u16));
	region_unmap(s->unfinished, ID_STORE);
	region_unmap(s->enabled, ID_STORE * sizeof(u32));
	region_unmap(s->locking, ID_STORE * sizeof(u16));
}

/*
 * Steps are remembered where all that they depend on goes through the hooks and all that they do is in the arena and
 * in xp.fiber[]. Where everything is a scheduling point, or is looked at from every side, each is run.
 */
static bool wants_memo(const struct search *s)
{
	const struct xs_options *o = s->o;

	return !o->no_memo && !o->no_reduction && !o->audit && !o->exact && !o->bounds &&
	       !o->store_buffer && !s->p->foreign && !s->p->stopped && !s->p->invariant &&
	       !xp_guests.count;
}

static bool search_init(struct search *s)
{
	s->frame = region_map_huge((size_t)DEPTH_MAX * sizeof(struct frame));
	s->saved = region_map_huge((size_t)DEPTH_MAX * sizeof(*s->saved));
	s->succ = region_map_huge(SUCC_STORE * sizeof(struct succ));
	s->stack_store = region_map_huge(STACK_STORE);
	if (s->graph && !search_graph_map(s, region_map_huge))
		return false;
	if (s->graph && s->o->bounds) {
		s->bounds = bounds_new();
		if (!s->bounds)
			return false;
	}
	if (s->o->exact) {
		s->exact = exact_new(s->m.stacks);
		if (!s->exact)
			return false;
		xp.interned = exact_histories(s->exact);
	}
	if (wants_memo(s)) {
		s->memo = memo_new();
		if (!s->memo)
			return false;
	}
	return race_log_init(&s->races) && s->frame && s->saved && s->succ && s->stack_store;
}

static void search_free(struct search *s)
{
	region_unmap(s->frame, (size_t)DEPTH_MAX * sizeof(struct frame));
	region_unmap(s->saved, (size_t)DEPTH_MAX * sizeof(*s->saved));
	region_unmap(s->succ, SUCC_STORE * sizeof(struct succ));
	region_unmap(s->stack_store, STACK_STORE);
	if (s->graph)
		search_graph_unmap(s);
	visited_free(&s->visited);
	visited_free(&s->ends);
	race_log_free(&s->races);
	exact_free(s->exact);
	memo_free(s->memo);
	bounds_free(s->bounds);
	xp.interned = NULL;
	free(s->best);
	free(s->before.known);
	free(s->tally_before);
	free(s->spare.step);
	free(s->pass_start);
	save_close(s);
}

void search_pass_begin(struct search *s)
{
	visited_free(&s->visited);
	visited_free(&s->ends);
	s->partly = false;
	SL_BUG_ON(!visited_init(&s->visited, s->graph || s->bounded || s->o->audit));
	if (s->exact)
		exact_begin(s->exact);
	if (s->bounds)
		bounds_begin(s->bounds);
	s->states = 0;
	s->poll_at = POLL_TRANSITIONS;
	s->stack_top = 0;
	s->edge_count = 0;
	s->max_depth = 0;
	s->stop = false;
	xp.learned = xp.buffer_full = false;
	xp.undo_count = 0;
	xp.pass++;
	race_log_clear(&s->races);
	s->remembers = false;
	if (s->memo)
		memo_clear(s->memo);
	machine_start(&s->m);
}

/*
 * Several have found something. What is reported has to be what one finds, so one begins anew, knowing as
 * little as at first; if it is stopped on the way, what several have found stands.
 */
static void start_over(struct search *s)
{
	xs_forget(s->p, s->o);
	knowledge_restore(&s->before);
	if (s->p->tally)
		memcpy(s->p->tally, s->tally_before, s->p->tally_size);
	s->widen_at = NEVER;
	s->alone = true;
	s->r->passes = 0;
	s->r->limit = XS_COMPLETE;
}

/* Behind a pass in which several have found something. */
static void look_alone(struct search *s)
{
	s->found = false;
	/* A race of a pass that has learned something says nothing yet. */
	if (s->spare.kind != SL_VIOLATION_RACE || !xp.learned || !is_unlimited(s->r)) {
		start_over(s);
		return;
	}
	free(s->spare.step);
	s->spare.step = NULL;
}

static void use_spare(struct search *s)
{
	struct xs_result *r = s->r, *from = &s->spare;

	if (r->kind != XS_KIND_NONE || !from->step)
		return;
	r->kind = from->kind;
	memcpy(r->id, from->id, sizeof(r->id));
	memcpy(r->text, from->text, sizeof(r->text));
	r->step = from->step;
	r->steps = r->loop_start = from->steps;
	r->preemptions = from->preemptions;
	from->step = NULL;
}

/* From here on a pass may be left to several. False without memory. */
static bool widen(struct search *s)
{
	u64 room = knowledge_size();

	s->before.known = malloc((room + 1) * sizeof(*s->before.known));
	s->tally_before = malloc(s->p->tally_size + 1);
	if (!s->before.known || !s->tally_before || !knowledge_collect(&s->before, room))
		return false;
	if (s->p->tally)
		memcpy(s->tally_before, s->p->tally, s->p->tally_size);
	if (parallel_is_possible(s->p, s->o))
		s->widen_at = s->o->jobs_from ? s->o->jobs_from : JOBS_FROM;
	return true;
}

/* The pass, as far as one does it. */
static void walk_pass(struct search *s)
{
	if (!s->resumed) {
		search_walk(s);
		return;
	}
	/* Several have left it, or will go on with it. */
	s->widen = s->resumed->pass.several;
	if (s->widen)
		return;
	s->failed = save_load(s);
	if (!s->failed)
		save_walk(s, 0, 1);
	s->partly = true;
	/* Several may take the pass over from here, from its start. */
	save_close(s);
}

/*
 * Passes until one learns no new shared word. In an unfinished pass whatever was found is real but
 * for data races, which need all scheduling points; the shortest trace is looked for afterwards. What
 * is found on the way is kept in case a limit ends the passes.
 */
static void explore(struct search *s)
{
	struct xs_result *r = s->r;
	bool again, final;

	do {
		if (s->keeper)
			save_pass_begins(s);
		r->passes++;
		/* Early passes only learn; let each look a little further than the one before. */
		s->pass_states = 256ull << (r->passes < 20 ? r->passes : 20);
		r->jobs = 1;
		s->several = false;
		search_pass_begin(s);
		walk_pass(s);
		if (s->widen && !s->failed)
			parallel_pass(s);
		save_close(s);
		if (s->failed)
			break;
		if (s->several && s->found) {
			again = true;
			look_alone(s);
			continue;
		}
		/* Back at the start: whatever is not as it was has been written past the hooks. */
		if (!s->found && !search_is_intact(s))
			break;
		/* A trace can be played again only with the scheduling points it was found with. */
		final = is_final(s) && !s->bounds && is_believed(s);
		again = xp.learned && is_unlimited(r) && (!final || r->passes < FOUND_PASSES);
		if (again) {
			s->found = false;
			r->kind = final ? r->kind : XS_KIND_NONE;
		}
		if (xp.buffer_full && r->limit == XS_COMPLETE)
			r->limit = XS_LIMIT_STORES;
		r->all_states += s->states;
		r->all_transitions += s->m.transitions;
		if (again)
			r->limit = XS_COMPLETE;
	} while (again);
	s->widen_at = NEVER;
	s->keeper = NULL;
	use_spare(s);
	if (!is_believed(s))
		r->kind = XS_KIND_NONE;
	s->found = r->kind != XS_KIND_NONE;
	if (s->o->audit && !s->found && r->limit == XS_COMPLETE) {
		s->auditing = true;
		search_pass_begin(s);
		search_walk(s);
		s->auditing = false;
	}
	r->states = s->states;
	r->transitions = s->m.transitions;
	r->depth = s->max_depth;
	r->ends = s->several || s->partly ? XS_ENDS_UNKNOWN : s->ends.count;
	/* Pairs of states that share 64 bits, by chance. */
	r->lost = s->exact ? 0 : (double)r->states * (double)r->states / 0x1p65;
}

/* ---- livelocks ------------------------------------------------------------------------------- */

static struct lv_graph graph_of(const struct search *s)
{
	return (struct lv_graph){ .states = (u32)s->states,
				  .lanes = s->p->lanes,
				  .flushes = ((1u << (s->m.fibers - s->m.stacks)) - 1)
					     << s->m.stacks,
				  .edge = s->edge,
				  .first = s->edge_first,
				  .count = s->edge_n,
				  .unfinished = s->unfinished,
				  .enabled = s->enabled,
				  .locking = s->locking };
}

static int check_liveness(struct search *s)
{
	const struct lv_graph g = graph_of(s);
	struct xs_result *r = s->r;
	struct lv_result found;
	int rc = lv_find(&g, &found);

	if (rc <= 0)
		return rc;
	r->kind = SL_VIOLATION_LIVELOCK;
	r->certain = found.certain;
	snprintf(r->id, sizeof(r->id), "all-finish");
	snprintf(
		r->text, sizeof(r->text),
		"%s livelock: %u states among which every lane gets its turns for ever and not all "
		"finish%s",
		found.certain ? "certain" : "adversarial", found.size,
		found.certain ? "; no schedule escapes" : "; another schedule escapes");
	free(r->step);
	r->step = found.step;
	r->steps = found.steps;
	r->loop_start = found.loop_start;
	r->minimal = false;
	return 0;
}

/* ---- bounds ---------------------------------------------------------------------------------- */

/* The loop in which a site is BUSY for ever as the finding, if somebody asks for it and there is one. */
static int find_cycle(struct search *s, const struct lv_graph *g)
{
	struct xs_result *r = s->r;
	u32 site = s->o->cycle_site - 1;
	enum xs_measure m = r->bound[site][XS_ROW].endless ? XS_ROW : XS_VISIT;
	struct lv_result found;
	int rc = bounds_cycle(s->bounds, g, site, m, r->bound[site][m].endless, &found);

	if (rc <= 0)
		return rc;
	s->found = false;
	r->kind = SL_VIOLATION_BOUND;
	r->certain = false;
	snprintf(r->id, sizeof(r->id), XS_CYCLE_ID);
	snprintf(r->text, sizeof(r->text), "BUSY at one site again and again: %s",
		 r->bound[site][m].endless == XS_ENDLESS
			 ? "every lane gets its turns in the loop"
			 : "while some lane that could move stands still");
	free(r->step);
	r->step = found.step;
	r->steps = found.steps;
	r->loop_start = found.loop_start;
	r->minimal = false;
	return 0;
}

static int check_bounds(struct search *s)
{
	const struct lv_graph g = graph_of(s);
	int rc = bounds_find(s->bounds, &g, s->r->bound);

	s->r->bounded = !rc;
	return rc || !s->o->cycle_site ? rc : find_cycle(s, &g);
}

/* ---- the shortest counterexample ------------------------------------------------------------- */

/* One bounded search for it, again while that comes upon scheduling points that nobody knew. */
static void minimise_within(struct search *s, u32 depth)
{
	bool again;

	do {
		free(s->best);
		s->best = NULL;
		s->best_depth = depth;
		search_pass_begin(s);
		search_walk(s);
		again = s->stop && xp.learned && is_unlimited(s->r) &&
			clock_seconds() - s->start < s->o->minimise_seconds;
		/* With more of them the way takes more steps. */
		depth = DEPTH_MAX;
		if (s->o->depth && depth > s->o->depth)
			depth = s->o->depth;
	} while (again);
}

/* Another way with no more preemptions, but fewer steps. */
static void shorten_best(struct search *s)
{
	struct xs_step *any = s->best;
	u32 steps = s->best_steps, preemptions = s->best_preemptions;

	s->best = NULL;
	s->by_steps = true;
	minimise_within(s, steps + 1);
	if (s->best) {
		free(any);
		return;
	}
	/* There was no time. */
	s->best = any;
	s->best_steps = steps;
	s->best_preemptions = preemptions;
}

static void minimise(struct search *s)
{
	struct xs_result *r = s->r;
	u32 most = r->preemptions, depth;

	s->bounded = s->shortest = true;
	s->want_kind = r->kind;
	memcpy(s->want_id, r->id, sizeof(s->want_id));
	s->start = clock_seconds();
	for (u32 c = 0; c <= most; c++) {
		s->most_preemptions = c;
		/* With fewer preemptions a longer trace is still better. */
		depth = c < most ? DEPTH_MAX : r->steps + 1;
		if (s->o->depth && depth > s->o->depth)
			depth = s->o->depth;
		/* Is there any? Only then the shortest: that takes many times as long. */
		s->by_steps = false;
		minimise_within(s, depth);
		if (s->best && !s->stop)
			shorten_best(s);
		r->minimal = s->by_steps && !s->stop && is_unlimited(r);
		if (s->best || s->stop)
			break;
	}
	if (!s->best)
		return;
	free(r->step);
	r->step = s->best;
	r->steps = s->best_steps;
	r->loop_start = r->steps;
	r->preemptions = s->best_preemptions;
	s->best = NULL;
}

void xs_word_add(void *ctx, const void *addr, u8 kind, u8 size)
{
	struct xs_word_list *l = ctx;

	if (l->count == l->room) {
		l->room = l->room ? l->room * 2 : 1024;
		l->word = realloc(l->word, l->room * sizeof(*l->word));
		SL_BUG_ON(!l->word);
	}
	l->word[l->count++] = (struct xs_word){ .addr = addr, .kind = kind, .size = size };
}

/* What holds before anything is learned. */
static void know_words(const struct xs_program *p, const struct xs_options *o)
{
	for (size_t g = 0; o->no_reduction && g < p->arena_size / 8; g++)
		xp.granule[g].shared = 0xF;
	for (u32 i = 0; !o->no_reduction && i < p->word_count; i++) {
		const struct xs_word *w = &p->word[i];

		FOR_PIECES(w->addr, w->size, at, n)
		{
			struct xp_granule *m = &xp.granule[xp_granule_of(at)];

			for (u32 half = 0; half < 4; half++)
				if (xp_halves(at, n) >> half & 1)
					m->kind[half] = w->kind;
			if (w->kind != XP_WORD_COUNTER)
				m->flags |= XP_CANON;
		}
	}
	/*
	 * Words of known kinds are hashed without what does not matter in them. Addresses that lie in the arena from
	 * the start differ from process to process, so what it starts with counts for nothing.
	 */
	xp.hash_start = 0;
	xp.hash_start = xp_arena_hash();
	xp.hash = 0;
}

bool xs_open(const struct xs_program *p, const struct xs_options *o)
{
	SL_BUG_ON(p->lanes > XP_LANES_MAX || p->arena_size % 8);
	if (!xp_open(p->arena, p->arena_size, o->seed))
		return false;
	xp.ghost_start = p->ghost_start;
	xp.ghost_end = p->ghost_end;
	xp.no_entropy = p->no_entropy;
	xp.no_checkpoints = o->no_checkpoints;
	xp.no_reduction = o->no_reduction;
	xp.audit = o->audit;
	xp.bounds = o->bounds;
	know_words(p, o);
	return true;
}

void xs_forget(const struct xs_program *p, const struct xs_options *o)
{
	xp_forget();
	know_words(p, o);
}

void xs_close(const struct xs_program *p)
{
	(void)p;
	xp_close();
}

/* Liveness needs to know who takes a step; a bound leaves out what could be a livelock's way out. */
static bool wants_graph(const struct xs_program *p, const struct xs_options *o)
{
	return (p->must_finish != 0 || o->bounds) && !o->audit && !o->bounded;
}

static u32 count_symmetric(const struct xs_program *p, const struct xs_options *o)
{
	u32 n = 0;

	if (o->no_symmetry || o->no_reduction || o->audit || wants_graph(p, o))
		return 0;
	for (u32 i = 0; i < p->lanes; i++)
		n += p->class[i] != 0;
	return n;
}

/* What comes behind the search: the shortest trace, livelocks, the order of accesses. */
static int look_on(struct search *s)
{
	const struct xs_options *o = s->o;
	struct xs_result *r = s->r;
	bool graph = s->graph;
	int rc = 0;

	if (s->bounds && r->limit == XS_COMPLETE)
		rc = check_bounds(s);
	if (!rc && graph && s->p->must_finish && r->limit == XS_COMPLETE &&
	    r->kind != SL_VIOLATION_BOUND &&
	    (!s->found || s->o->prefer == SL_VIOLATION_LIVELOCK + 1))
		rc = check_liveness(s);
	if (!rc && r->kind == XS_KIND_NONE && r->limit == XS_COMPLETE && o->order_runs &&
	    o->races) {
		u32 depth = r->depth;

		rc = xs_random(s->p, o, o->order_runs, true, r);
		r->depth = depth;
	}
	if (!rc && s->found && r->kind != SL_VIOLATION_LIVELOCK && o->minimise_seconds > 0 &&
	    is_unlimited(r)) {
		struct bounds *bounds = s->bounds;

		/* The bounded search needs no graph, and its states have other keys. */
		s->graph = false;
		s->bounds = NULL;
		minimise(s);
		s->graph = graph;
		s->bounds = bounds;
	}
	return rc;
}

static int search(const struct xs_program *p, const struct xs_options *o, struct xs_result *r)
{
	struct search s = { .p = p,
			    .o = o,
			    .r = r,
			    .bounded = o->bounded,
			    .most_preemptions = o->preemptions,
			    .widen_at = NEVER,
			    .keeper = o->keeper,
			    .graph = wants_graph(p, o) };
	int rc = -ENOMEM;

	/* What one goes on with several may have begun. */
	if (machine_init(&s.m, p, r->symmetric != 0, o->store_buffer) && search_init(&s) &&
	    (!(parallel_is_possible(p, o) || o->resume) || widen(&s))) {
		s.start = clock_seconds();
		s.save_at = s.start + (o->keeper ? o->keeper->every : 0);
		rc = o->resume ? save_open(&s) : 0;
		if (!rc) {
			explore(&s);
			rc = s.failed;
		}
		r->seconds = s.earlier + clock_seconds() - s.start;
		if (!rc) {
			poll(&s);
			rc = look_on(&s);
		}
	}
	search_free(&s);
	return rc;
}

/* The shortest way to what a random run has found, by a search for it. */
static int shorten(const struct xs_program *p, const struct xs_options *o, struct xs_result *r)
{
	struct search s = { .p = p, .o = o, .r = r, .widen_at = NEVER };
	enum xs_limit limit = r->limit;
	int rc = -ENOMEM;

	if (machine_init(&s.m, p, r->symmetric != 0, o->store_buffer) && search_init(&s)) {
		r->limit = XS_COMPLETE;
		minimise(&s);
		r->limit = limit;
		rc = 0;
	}
	search_free(&s);
	return rc;
}

static int run_randomly(const struct xs_program *p, const struct xs_options *o, struct xs_result *r)
{
	double start = clock_seconds();
	int rc;

	r->limit = XS_LIMIT_RUNS;
	r->passes = 1;
	rc = xs_random(p, o, o->runs, false, r);
	r->seconds = clock_seconds() - start;
	if (rc || r->kind == XS_KIND_NONE || o->minimise_seconds <= 0 || !strcmp(r->id, XO_RACE_ID))
		return rc;
	return shorten(p, o, r);
}

int xs_explore(const struct xs_program *p, const struct xs_options *o, struct xs_result *r)
{
	int rc;

	*r = (struct xs_result){ .kind = XS_KIND_NONE,
				 .jobs = 1,
				 .symmetric = count_symmetric(p, o) };
	rc = o->runs ? run_randomly(p, o, r) : search(p, o, r);
	if (xp.shared_count > r->shared_words)
		r->shared_words = xp.shared_count;
	return rc;
}

void xs_result_free(struct xs_result *r)
{
	free(r->step);
	r->step = NULL;
}

bool xs_word_is_shared(const void *addr)
{
	return xp.granule[xp_granule_of(addr)].shared >> (xp_offset(addr) >> 1 & 3) & 1;
}

void xs_replay_options(struct xs_options *o, u32 kind, const char *id)
{
	o->races = kind == SL_VIOLATION_RACE;
	o->order_runs = o->races && !strcmp(id, XO_RACE_ID);
	/* Clocks go with memory that is sequentially consistent. */
	if (o->order_runs)
		o->store_buffer = 0;
}

u32 xs_replay(const struct xs_program *p, const struct xs_options *o, const struct xs_step *step,
	      u32 steps, const struct xs_watch *w)
{
	struct machine m;
	struct race_log races;
	u64 hash = xp.hash;
	u32 done;

	SL_BUG_ON(!machine_init(&m, p, false, o->store_buffer));
	SL_BUG_ON(!race_log_init(&races));
	if (o->order_runs) {
		xp.order = xo_new(m.fibers);
		SL_BUG_ON(!xp.order);
	}
	xp.learned = false;
	xp.undo_count = 0;
	xp.recording = true;
	xp.pass++;
	race_log_clear(&races);
	machine_start(&m);
	for (done = 0; done < steps; done++) {
		const struct xs_step *n = &step[done];

		if (n->fiber >= m.fibers || !machine_enabled(&m, n->fiber) ||
		    (w->before && !w->before(w->ctx, done, n)))
			break;
		xp.event_count = 0;
		machine_step(&m, n->fiber, n->choice);
		if (!xp.violated)
			machine_check(&m);
		if (!xp.violated && o->races && !xp.order)
			race_check(&races, p->lanes, n->fiber);
		if (!xp.violated && done + 1 == steps && machine_stuck(&m))
			xp.violated = machine_deadlock(&m);
		race_log_keep(&races, n->fiber);
		if (w->after && !w->after(w->ctx, done, n)) {
			done++;
			break;
		}
	}
	xp.recording = false;
	machine_rewind(0, hash);
	xo_free(xp.order);
	xp.order = NULL;
	race_log_free(&races);
	return done;
}
