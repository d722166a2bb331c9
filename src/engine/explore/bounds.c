// SPDX-License-Identifier: MIT
/* The largest numbers of BUSY results in a graph. Layer: engine. */
#include "engine/explore/bounds.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "engine/explore/region.h"

#define CODES 256u

struct sites {
	u32 count;
	struct xp_site_event event[XP_SITE_EVENTS_MAX];
};

struct last {
	u32 from;
	u8 fiber;
	u8 code;
};

/* In memory that forked processes have in common: a code means the same to all of them. */
struct codes {
	_Atomic u32 count; /* code 0: nothing */
	_Atomic bool adding;
	struct sites of[CODES];
};

struct bounds {
	struct codes *codes;
	struct last *last;
	u32 last_count, last_room;
};

struct bounds *bounds_new(void)
{
	struct bounds *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->codes = region_map_shared(sizeof(*b->codes));
	if (!b->codes) {
		free(b);
		return NULL;
	}
	bounds_begin(b);
	return b;
}

void bounds_free(struct bounds *b)
{
	if (!b)
		return;
	region_unmap(b->codes, sizeof(*b->codes));
	free(b->last);
	free(b);
}

void bounds_begin(struct bounds *b)
{
	atomic_store(&b->codes->count, 1);
	b->last_count = 0;
}

/* The code of the running step's @n events; 0 if it has none. */
static u32 find_code(const struct codes *c, u32 n)
{
	/* Acquire: pairs with the release in add_code(). */
	u32 count = atomic_load_explicit(&c->count, memory_order_acquire);

	for (u32 i = 1; i < count; i++)
		if (c->of[i].count == n &&
		    !memcmp(c->of[i].event, xp.site_event, n * sizeof(xp.site_event[0])))
			return i;
	return 0;
}

/* One at a time. -1: no code is left. */
static s32 add_code(struct codes *c, u32 n)
{
	u32 at = atomic_load_explicit(&c->count, memory_order_relaxed);

	if (at == CODES)
		return -1;
	c->of[at].count = n;
	memcpy(c->of[at].event, xp.site_event, n * sizeof(xp.site_event[0]));
	atomic_store_explicit(&c->count, at + 1, memory_order_release);
	return (s32)at;
}

s32 bounds_code(struct bounds *b)
{
	u32 n = xp.site_event_count;
	s32 code;

	if (!n)
		return 0;
	if (n > XP_SITE_EVENTS_MAX)
		return -1;
	code = (s32)find_code(b->codes, n);
	if (code)
		return code;
	while (atomic_exchange_explicit(&b->codes->adding, true, memory_order_acquire))
		__builtin_ia32_pause();
	code = (s32)find_code(b->codes, n);
	if (!code)
		code = add_code(b->codes, n);
	atomic_store_explicit(&b->codes->adding, false, memory_order_release);
	return code;
}

bool bounds_keep_last(struct bounds *b, u32 from, u8 fiber, u8 code)
{
	if (b->last_count == b->last_room) {
		u32 room = b->last_room ? b->last_room * 2 : 256;
		struct last *last = realloc(b->last, room * sizeof(*last));

		if (!last)
			return false;
		b->last = last;
		b->last_room = room;
	}
	b->last[b->last_count++] = (struct last){ .from = from, .fiber = fiber, .code = code };
	return true;
}

/* ---- in a file -------------------------------------------------------------------------------- */

void bounds_save(const struct bounds *b, const struct xs_keeper *k)
{
	u32 count = atomic_load(&b->codes->count);

	k->put(k->ctx, &count, sizeof(count));
	k->put(k->ctx, b->codes->of, count * sizeof(b->codes->of[0]));
	k->put(k->ctx, &b->last_count, sizeof(b->last_count));
	k->put(k->ctx, b->last, b->last_count * sizeof(*b->last));
}

bool bounds_load(struct bounds *b, const struct xs_source *from)
{
	u32 count, last;

	if (!from->get(from->ctx, &count, sizeof(count)) || !count || count > CODES ||
	    !from->get(from->ctx, b->codes->of, count * sizeof(b->codes->of[0])) ||
	    !from->get(from->ctx, &last, sizeof(last)))
		return false;
	for (u32 i = 1; i < count; i++)
		if (b->codes->of[i].count > XP_SITE_EVENTS_MAX)
			return false;
	atomic_store(&b->codes->count, count);
	for (u32 i = 0; i < last; i++) {
		struct last l;

		if (!from->get(from->ctx, &l, sizeof(l)) || l.code >= count ||
		    !bounds_keep_last(b, l.from, l.fiber, l.code))
			return false;
	}
	return true;
}

/* ---- what codes mean to one site ------------------------------------------------------------- */

struct effect {
	bool ends;  /* what was counted is over */
	u32 before; /* BUSY in front of the first end, or in all */
	u32 after;  /* and behind the last one */
	u32 peak;   /* the most between two of its own ends */
};

struct effects {
	struct effect of[CODES];
};

static void effect_of(const struct sites *s, u32 site, enum xs_measure m, struct effect *e)
{
	u32 n = 0;

	*e = (struct effect){ 0 };
	for (u32 i = 0; i < s->count; i++) {
		if (s->event[i].site != site)
			continue;
		if (s->event[i].note == SL_NOTE_BUSY) {
			n++;
		} else if (s->event[i].note == (m == XS_VISIT ? SL_NOTE_VISIT : SL_NOTE_THROUGH)) {
			if (!e->ends)
				e->before = n;
			e->ends = true;
			n = 0;
		}
		if (e->ends && n > e->peak)
			e->peak = n;
	}
	if (e->ends)
		e->after = n;
	else
		e->before = n;
}

static void effects_of(const struct bounds *b, u32 site, enum xs_measure m, struct effects *e)
{
	*e = (struct effects){ 0 };
	for (u32 i = 1; i < atomic_load(&b->codes->count); i++)
		effect_of(&b->codes->of[i], site, m, &e->of[i]);
}

static void filter_of(const struct effects *e, u32 lane, bool unfair, struct lv_filter *f)
{
	*f = (struct lv_filter){ .lane = lane, .unfair = unfair };
	for (u32 i = 0; i < CODES; i++) {
		f->cut[i] = e->of[i].ends;
		f->hit[i] = !e->of[i].ends && e->of[i].before;
	}
}

/* Lanes that are BUSY at the site somewhere. */
static u32 busy_lanes(const struct bounds *b, const struct lv_graph *g, const struct effects *e)
{
	u32 lanes = 0;

	for (u32 s = 0; s < g->states; s++)
		for (u32 k = 0; k < g->count[s]; k++) {
			const struct lv_edge *edge = &g->edge[g->first[s] + k];
			const struct effect *x = &e->of[edge->sites];

			if (x->before || x->after || x->peak)
				lanes |= 1u << edge->fiber;
		}
	for (u32 i = 0; i < b->last_count; i++)
		if (e->of[b->last[i].code].before || e->of[b->last[i].code].peak)
			lanes |= 1u << b->last[i].fiber;
	return lanes;
}

/* ---- loops ----------------------------------------------------------------------------------- */

/* Any state may be part of such a loop. 1, 0 or -ENOMEM. */
static int find_loop(const struct lv_graph *g, const struct effects *e, u32 lane, bool unfair,
		     struct lv_result *out)
{
	struct lv_filter filter;
	struct lv_graph all = *g;
	u8 *every = malloc(g->states);
	int rc;

	if (!every)
		return -ENOMEM;
	memset(every, 1, g->states);
	filter_of(e, lane, unfair, &filter);
	all.unfinished = every;
	all.filter = &filter;
	rc = lv_find(&all, out);
	free(every);
	return rc;
}

int bounds_cycle(const struct bounds *b, const struct lv_graph *g, u32 site, enum xs_measure m,
		 enum xs_endless how, struct lv_result *out)
{
	struct effects e;
	u32 lanes;

	if (how == XS_FINITE)
		return 0;
	effects_of(b, site, m, &e);
	lanes = busy_lanes(b, g, &e);
	for (u32 lane = 0; lane < g->lanes; lane++) {
		int rc = lanes >> lane & 1 ? find_loop(g, &e, lane, how == XS_UNFAIR, out) : 0;

		if (rc)
			return rc;
	}
	return 0;
}

/* ---- the largest number ---------------------------------------------------------------------- */

/* States whose number has grown since their steps were looked at, in order. */
struct work {
	u32 *count; /* per state: BUSY results that a way to it can have */
	u32 *queue;
	u8 *queued;
	u32 head, waiting;
};

/* A step from a state with @count; the number behind it. */
static u32 after_step(const struct effect *x, u32 count, u32 *most)
{
	u32 next = x->ends ? x->after : count + x->before;

	if (count + x->before > *most)
		*most = count + x->before;
	if (x->peak > *most)
		*most = x->peak;
	return next;
}

static void look_at(const struct lv_graph *g, const struct effects *e, u32 lane, struct work *w,
		    u32 s, u32 *most)
{
	static const struct effect nothing;

	for (u32 k = 0; k < g->count[s]; k++) {
		const struct lv_edge *edge = &g->edge[g->first[s] + k];
		u32 n = after_step(edge->fiber == lane ? &e->of[edge->sites] : &nothing,
				   w->count[s], most);

		if (n <= w->count[edge->to])
			continue;
		w->count[edge->to] = n;
		if (w->queued[edge->to])
			continue;
		w->queued[edge->to] = 1;
		w->queue[(w->head + w->waiting++) % g->states] = edge->to;
	}
}

/* No loop adds to a number, so they stop growing. 0 or -ENOMEM. */
static int longest(const struct bounds *b, const struct lv_graph *g, const struct effects *e,
		   u32 lane, u32 *most)
{
	struct work w = { .count = calloc(g->states, sizeof(u32)),
			  .queue = malloc(g->states * sizeof(u32)),
			  .queued = malloc(g->states) };
	int rc = w.count && w.queue && w.queued ? 0 : -ENOMEM;

	if (!rc) {
		memset(w.queued, 1, g->states);
		for (u32 s = 0; s < g->states; s++)
			w.queue[s] = s;
		w.waiting = g->states;
	}
	while (!rc && w.waiting) {
		u32 s = w.queue[w.head];

		w.head = (w.head + 1) % g->states;
		w.waiting--;
		w.queued[s] = 0;
		look_at(g, e, lane, &w, s, most);
	}
	for (u32 i = 0; !rc && i < b->last_count; i++)
		if (b->last[i].fiber == lane)
			after_step(&e->of[b->last[i].code], w.count[b->last[i].from], most);
	free(w.count);
	free(w.queue);
	free(w.queued);
	return rc;
}

/* One lane at one site: 0 or -ENOMEM. */
static int find_one(const struct bounds *b, const struct lv_graph *g, const struct effects *e,
		    u32 lane, struct xs_bound *bound)
{
	struct lv_result loop;
	int rc = find_loop(g, e, lane, true, &loop);

	free(rc > 0 ? loop.step : NULL);
	if (rc < 0)
		return rc;
	if (!rc)
		return longest(b, g, e, lane, &bound->most);
	if (bound->endless == XS_ENDLESS)
		return 0;
	rc = find_loop(g, e, lane, false, &loop);
	free(rc > 0 ? loop.step : NULL);
	if (rc >= 0)
		bound->endless = rc ? XS_ENDLESS : XS_UNFAIR;
	return rc < 0 ? rc : 0;
}

int bounds_find(const struct bounds *b, const struct lv_graph *g,
		struct xs_bound bound[SL_SITE_MAX][XS_MEASURES])
{
	int rc = 0;

	for (u32 site = 0; site < SL_SITE_MAX; site++)
		for (u32 m = 0; m < XS_MEASURES; m++) {
			struct effects e;
			u32 lanes;

			if (!(xp.busy_sites >> site & 1))
				continue;
			effects_of(b, site, (enum xs_measure)m, &e);
			lanes = busy_lanes(b, g, &e);
			for (u32 lane = 0; lane < g->lanes && !rc; lane++)
				if (lanes >> lane & 1)
					rc = find_one(b, g, &e, lane, &bound[site][m]);
		}
	return rc;
}
