// SPDX-License-Identifier: MIT
/* From a scenario to a search and back to words. Layer: engine. */
#include "engine/explore/explore.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/bug.h"
#include "engine/claims.h"
#include "engine/explore/order.h"
#include "engine/explore/play.h"
#include "engine/explore/xenv.h"
#include "engine/explore/xworld.h"
#include "engine/world.h"

/* A larger world would take minutes to look through and leaves no room for states. */
#define ARENA_MAX (8ull << 30)

/*
 * Where the world is put, if nothing else is there: addresses of it get into what lanes have seen, and another process
 * that goes on with a search has to come to the same states. The lanes' envs, to which the world points,
 * lie behind it for the same reason.
 */
#define HOME ((void *)0x200000000000)
#define PAGE 4096u

/* The world that the fibers run in. The search calls back without an argument. */
static struct {
	struct world *world;
	const struct scenario *scenario;
	struct sl_env *env; /* of XP_FIBERS_MAX */
	u32 lanes;
	struct sl_stats *stats;
	const struct explore_listener *listener; /* or NULL */
} running;

/* For the instrumented side, whose lock library reports misuse without saying where. */
struct sl_env *xworld_current_env(void);
struct sl_env *xworld_current_env(void)
{
	return &running.env[xp.active ? xp.cur : running.lanes];
}

static void run_lane(u32 lane)
{
	xworld_run_lane(running.world, lane);
}

static void run_end(void)
{
	xworld_finish(running.world, &running.env[running.lanes]);
}

/* ---- the search ------------------------------------------------------------------------------ */

static u32 finite_lanes(void)
{
	u32 mask = 0;

	for (u32 i = 0; i < running.lanes; i++)
		mask |= (u32)xworld_lane_is_finite(running.world, i) << i;
	return mask;
}

/* Claims about results, and listeners, look at what the lanes note. */
static struct sl_env_ops watched_ops;

static void watch_note(struct sl_env *env, enum sl_note what, u64 a, u64 b)
{
	const char *id;
	char text[160];

	xenv_ops.note(env, what, a, b);
	if (!xp.active || xp.cur >= running.lanes)
		return;
	/* Comes back before the fiber ends: nothing that a sanitizer has prepared stays on it. */
	id = claims_note(running.scenario, (struct claim_counts *)(void *)xp.fiber[xp.cur].claims,
			 what, a, b, text, sizeof(text));
	if (!id && running.listener &&
	    running.listener->note(running.listener->ctx, xp.cur, what, a, b, text, sizeof(text)))
		id = EXPLORE_HEARD_ID;
	if (id)
		xp_report(SL_VIOLATION_BOUND, id, text);
}

_Static_assert(sizeof(struct claim_counts) == sizeof(xp.fiber[0].claims),
	       "counts are a lane's ghost");

static void init_envs(const struct scenario *s, struct sl_stats *stats)
{
	running.scenario = s;
	watched_ops = xenv_ops;
	watched_ops.note = watch_note;
	for (u32 i = 0; i <= running.lanes; i++) {
		xenv_init(&running.env[i], stats);
		if ((claims_listen(s) || running.listener) && i < running.lanes)
			running.env[i].ops = &watched_ops;
	}
}

/* ---- the counterexample ---------------------------------------------------------------------- */

static void keep_shared(struct explore_result *out)
{
	free(out->shared);
	out->shared_count = 0;
	out->shared = calloc(xp.shared_count + 1u, sizeof(*out->shared));
	SL_BUG_ON(!out->shared);
	for (size_t g = 0; g < xp.arena_size / 8 && out->shared_count < xp.shared_count; g++)
		for (u32 half = 0; half < 4; half++)
			if (xp.granule[g].shared >> half & 1)
				out->shared[out->shared_count++] = g * 8 + half * 2;
}

/*
 * Plays what the search has found, for the rows and the checks. False if it does not come out again
 * with the scheduling points that are known now: some were learned on the way to it.
 */
static bool play_found(const struct xs_program *p, const struct xs_options *o,
		       struct explore_result *out)
{
	struct xs_options plain = *o;
	bool good;

	xs_replay_options(&plain, out->search.kind, out->search.id);
	do {
		struct play once = { .world = running.world, .out = out };

		free(out->row);
		out->row = NULL;
		good = play(&once, p, &plain);
		free(out->check);
		out->check = once.made;
	} while (good && xp.learned);
	if (!good) {
		free(out->check);
		out->check = NULL;
	}
	return good;
}

/* Of random runs, the block in which @x was found. */
static void narrow_to_block(struct xs_options *o, const struct xs_result *x)
{
	u32 block = o->run_block, first, next;

	if (!o->runs || !block)
		return;
	first = x->found_run - x->found_run % block;
	next = o->runs - o->run_drop - first > block ? first + block : o->runs - o->run_drop;
	o->run_skip = first;
	o->run_drop = o->runs - next;
}

/* Searches until what was found can be played again; each time more scheduling points are known. */
static int search_and_play(const struct xs_program *p, const struct xs_options *o,
			   struct explore_result *out)
{
	struct xs_result *x = &out->search;
	struct xs_options once_more = *o;
	u32 known = xp.shared_count;
	int rc = xs_explore(p, o, x);

	narrow_to_block(&once_more, x);
	/* What an audit finds does not come out by itself. */
	while (!rc && x->kind != XS_KIND_NONE && !play_found(p, o, out) &&
	       xp.shared_count != known && !o->audit) {
		struct xs_result again;

		known = xp.shared_count;
		/* What is in the file leads here again. */
		once_more.keeper = NULL;
		once_more.resume = NULL;
		rc = xs_explore(p, &once_more, &again);
		if (rc || again.kind == XS_KIND_NONE) {
			xs_result_free(&again);
			break;
		}
		again.seconds += x->seconds;
		again.all_states += x->all_states;
		again.all_transitions += x->all_transitions;
		again.passes += x->passes;
		if (o->runs) {
			again.runs = x->runs;
			again.transitions = x->transitions;
			again.depth = x->depth > again.depth ? x->depth : again.depth;
		}
		xs_result_free(x);
		*x = again;
	}
	/* For a trace. Looking for them takes longer than a short search. */
	if (!o->no_reduction && x->kind != XS_KIND_NONE)
		keep_shared(out);
	return rc;
}

/* The trace's scheduling points instead of learned ones. */
static void set_shared(const struct trace *t)
{
	for (u32 i = 0; i < t->shared_count; i++)
		xp_share(&xp.granule[t->shared[i] / 8], (u8)(1u << (t->shared[i] / 2 % 4)));
}

struct replay {
	const struct trace *trace;
	const struct explore_watch *watch;
};

static void play_trace(const struct xs_program *p, const struct xs_options *o,
		       struct explore_result *out, const struct replay *r)
{
	struct play first = { .world = running.world, .out = out, .want = r->trace->step };
	struct play once = first;

	set_shared(r->trace);
	out->search.shared_words = xp.shared_count;
	/* Once for nothing but what is to be learned about the memory on the way. */
	play(&first, p, o);
	free(first.made);
	free(out->row);
	out->row = NULL;
	once.watch = r->watch;
	play(&once, p, o);
	out->check = once.made;
}

/* ---- worlds ---------------------------------------------------------------------------------- */

static void set_ghost(struct xs_program *p)
{
	const void *start;
	size_t size;

	xworld_ghost(running.world, &start, &size);
	if (!size)
		return;
	p->ghost_start = (u64)((const u8 *)start - (const u8 *)p->arena);
	p->ghost_end = p->ghost_start + size;
}

static void add_stats(void *to, const void *from)
{
	sl_stats_merge(to, from);
}

/* Explores, or plays @r if it is given. */
static int explore_arena(const struct scenario *s, const struct xs_options *o, void *arena,
			 size_t size, const struct replay *r, struct explore_result *out,
			 struct sl_err *err)
{
	struct xs_program p = { .arena = arena,
				.arena_size = size,
				.no_entropy = s->entropy_fails,
				.foreign = s->rules.hook != NULL,
				.lanes = running.lanes,
				.lane = run_lane,
				.end = run_end,
				.tally = out->stats,
				.tally_size = sizeof(*out->stats),
				.tally_add = add_stats };
	struct xs_word_list words = { 0 };
	int rc = 0;

	init_envs(s, out->stats);
	running.world = xworld_build(s, arena, size, running.env, err);
	if (!running.world)
		return -EINVAL;
	if (s->all_finish)
		p.must_finish = finite_lanes();
	for (u32 i = 0; i <= running.lanes; i++)
		xworld_lane_name(running.world, i, out->lane_name[i], sizeof(out->lane_name[i]));
	for (u32 i = 0; i < running.lanes; i++)
		p.class[i] = xworld_lane_class(running.world, i);
	xworld_words(running.world, xs_word_add, &words);
	set_ghost(&p);
	p.word = words.word;
	p.word_count = words.count;
	if (!xs_open(&p, o))
		rc = -ENOMEM;
	else if (r)
		play_trace(&p, o, out, r);
	else
		rc = search_and_play(&p, o, out);
	xs_close(&p);
	free(words.word);
	if (rc == -ECHILD)
		return sl_err_set(err, rc, "%s: internal error: %s", s->path, out->search.text);
	if (rc == -ESTALE)
		return sl_err_set(err, rc, "%s: the search cannot be gone on with: %s", s->path,
				  out->search.text);
	return rc ? sl_err_set(err, rc, "%s: no memory for the search", s->path) : 0;
}

static int with_arena(const struct scenario *s, const struct xs_options *o, const struct replay *r,
		      struct explore_result *out, struct sl_err *err)
{
	size_t size, behind;
	u8 *arena;
	int rc;

	running.lanes = out->lanes = xworld_lanes(s);
	if (out->lanes > XP_LANES_MAX)
		return sl_err_set(err, -EINVAL, "%s: found %u lanes; the explorer takes %u",
				  s->path, out->lanes, XP_LANES_MAX);
	rc = xworld_arena_size(s, &size, err);
	if (rc)
		return rc;
	out->arena_size = size;
	if (size > ARENA_MAX)
		return sl_err_set(
			err, -E2BIG,
			"%s: found a world of %zu MB; the explorer takes up to %llu MB: expected "
			"less memory behind 'td:'",
			s->path, size >> 20, ARENA_MAX >> 20);
	if (o->store_buffer && out->lanes > XP_STORING_MAX)
		return sl_err_set(
			err, -EINVAL,
			"%s: found %u lanes and memory model tso; the explorer takes %u with it",
			s->path, out->lanes, XP_STORING_MAX);
	if (r && (r->trace->arena_size != size || r->trace->fibers != out->lanes + 1)) {
		struct explore_divergence *d = &out->diverged;

		d->step = 1;
		snprintf(d->expected, sizeof(d->expected), "a world of %u lanes and %llu bytes",
			 r->trace->fibers - 1, (unsigned long long)r->trace->arena_size);
		snprintf(d->found, sizeof(d->found), "%u lanes and %zu bytes", out->lanes, size);
		return 0;
	}
	behind = (size + PAGE - 1) / PAGE * PAGE;
	arena = mmap(HOME, behind + XP_FIBERS_MAX * sizeof(*running.env), PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	out->stats = calloc(1, sizeof(*out->stats));
	if (arena == MAP_FAILED || !out->stats) {
		free(out->stats);
		out->stats = NULL;
		return sl_err_set(err, -ENOMEM, "%s: no memory for a world of %zu bytes", s->path,
				  size);
	}
	running.env = (void *)(arena + behind);
	rc = explore_arena(s, o, arena, size, r, out, err);
	running.env = NULL;
	munmap(arena, behind + XP_FIBERS_MAX * sizeof(*running.env));
	return rc;
}

static u32 violation_of(const char *name)
{
	for (u32 i = 0; i < SL_VIOLATION_COUNT; i++)
		if (!strcmp(name, sl_violation_name((enum sl_violation)i)))
			return i;
	return XS_KIND_NONE;
}

int explore_listen(const struct scenario *s, const struct xs_options *o,
		   const struct explore_listener *listener, struct explore_result *out,
		   struct sl_err *err)
{
	int rc;

	running.listener = listener;
	rc = explore_scenario(s, o, out, err);
	running.listener = NULL;
	return rc;
}

int explore_scenario(const struct scenario *s, const struct xs_options *o,
		     struct explore_result *out, struct sl_err *err)
{
	struct xs_options mine = *o;
	int rc;

	*out = (struct explore_result){ 0 };
	if (s->threads_only)
		return sl_err_set(
			err, -ENOTSUP,
			"%s: found 'engine: threads', a scenario for seamlab run; expected "
			"one that can be explored",
			s->path);
	if (s->expect == SCN_VIOLATED && s->expect_kind)
		mine.prefer = violation_of(s->expect_kind) + 1;
	mine.store_buffer = explore_store_buffer(s);
	rc = with_arena(s, &mine, NULL, out, err);
	if (rc)
		explore_free(out);
	return rc;
}

int explore_replay(const struct scenario *s, const struct trace *t, const struct explore_watch *w,
		   struct explore_result *out, struct sl_err *err)
{
	struct xs_options o = { .seed = t->hash_seed,
				.no_reduction = t->no_reduction,
				.store_buffer = t->store_buffer };
	struct replay r = { .trace = t, .watch = w };
	struct xs_result *x = &out->search;
	int rc;

	*out = (struct explore_result){ 0 };
	x->kind = violation_of(t->kind);
	xs_replay_options(&o, x->kind, t->id);
	snprintf(x->id, sizeof(x->id), "%s", t->id);
	snprintf(x->text, sizeof(x->text), "%s", t->text);
	x->certain = t->certain;
	x->minimal = t->minimal;
	x->loop_start = t->loop_start;
	x->preemptions = t->preemptions;
	x->steps = t->steps;
	x->step = calloc(t->steps ? t->steps : 1, sizeof(*x->step));
	if (!x->step)
		return sl_err_set(err, -ENOMEM, "no memory for %u steps", t->steps);
	for (u32 i = 0; i < t->steps; i++)
		x->step[i] =
			(struct xs_step){ .fiber = t->step[i].fiber, .choice = t->step[i].choice };
	rc = with_arena(s, &o, &r, out, err);
	if (rc)
		explore_free(out);
	return rc;
}

void explore_free(struct explore_result *r)
{
	xs_result_free(&r->search);
	free(r->row);
	free(r->check);
	free(r->shared);
	free(r->stats);
	*r = (struct explore_result){ 0 };
}
