// SPDX-License-Identifier: MIT
/* Vector clocks. Runs on fibers, not instrumented. Layer: engine. */
#include "engine/explore/order.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/env.h"
#include "engine/explore/region.h"

struct clock {
	u32 at[XP_FIBERS_MAX]; /* so much of each fiber's life came before */
};

/*
 * Who touched which bytes of a granule, when by the fiber's own clock, and how. A later access of the
 * same kind by the same fiber takes its bytes over: whoever has seen the later one has seen both.
 */
struct cell {
	u32 time; /* 0 = unused */
	u32 pc;   /* offset in the program */
	u8 mask;  /* bytes */
	u8 fiber;
	bool write, atomic;
};

/* Fibers times kinds is more, but a granule that so many touch in pieces is rare: the oldest goes. */
#define CELLS 16u

struct shadow {
	bool used;
	u8 next;              /* cell to use when all are */
	struct clock sync[4]; /* of each half-word: what an acquire there will have seen */
	struct cell cell[CELLS];
};

struct xp_order {
	u32 fibers;
	u64 granules;
	struct clock now[XP_FIBERS_MAX];
	struct clock fence_release[XP_FIBERS_MAX]; /* at the fiber's last release fence */
	struct clock fence_acquire[XP_FIBERS_MAX]; /* seen by relaxed loads, for an acquire fence */
	struct shadow *shadow;                     /* per granule */
	u32 *used;                                 /* granules with a shadow */
	u32 used_count;
};

static void join(struct clock *to, const struct clock *from, u32 fibers)
{
	for (u32 i = 0; i < fibers; i++)
		if (from->at[i] > to->at[i])
			to->at[i] = from->at[i];
}

static struct shadow *shadow_of(struct xp_order *o, u32 granule)
{
	struct shadow *s = &o->shadow[granule];

	if (!s->used) {
		s->used = true;
		o->used[o->used_count++] = granule;
	}
	return s;
}

struct xp_order *xo_new(u32 fibers)
{
	struct xp_order *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->fibers = fibers;
	o->granules = xp.arena_size / 8;
	o->shadow = region_map(o->granules * sizeof(*o->shadow));
	o->used = region_map(o->granules * sizeof(*o->used));
	if (!o->shadow || !o->used) {
		xo_free(o);
		return NULL;
	}
	xo_reset(o);
	return o;
}

void xo_free(struct xp_order *o)
{
	if (!o)
		return;
	region_unmap(o->shadow, o->granules * sizeof(*o->shadow));
	region_unmap(o->used, o->granules * sizeof(*o->used));
	free(o);
}

void xo_reset(struct xp_order *o)
{
	while (o->used_count)
		memset(&o->shadow[o->used[--o->used_count]], 0, sizeof(*o->shadow));
	memset(o->now, 0, sizeof(o->now));
	memset(o->fence_release, 0, sizeof(o->fence_release));
	memset(o->fence_acquire, 0, sizeof(o->fence_acquire));
	for (u32 i = 0; i < o->fibers; i++)
		o->now[i].at[i] = 1;
}

/* ---- races ----------------------------------------------------------------------------------- */

static const char *kind_of(bool write, bool atomic)
{
	return atomic ? (write ? "atomic write" : "atomic read") : (write ? "write" : "read");
}

static void report(u32 granule, const struct cell *theirs, const struct cell *ours)
{
	char text[sizeof(xp.violation_text)];

	snprintf(text, sizeof(text),
		 "nothing orders lane %u's %s of arena+0x%x at program+0x%x before lane %u's %s at "
		 "program+0x%x",
		 theirs->fiber, kind_of(theirs->write, theirs->atomic), granule * 8, theirs->pc,
		 ours->fiber, kind_of(ours->write, ours->atomic), ours->pc);
	xp_report(SL_VIOLATION_RACE, XO_RACE_ID, text);
}

static bool races(const struct xp_order *o, const struct cell *a, const struct cell *b)
{
	return a->time && a->fiber != b->fiber && (a->mask & b->mask) && (a->write || b->write) &&
	       !(a->atomic && b->atomic) && a->time > o->now[b->fiber].at[a->fiber];
}

static void keep(struct shadow *s, const struct cell *c)
{
	struct cell *room = NULL;

	for (u32 i = 0; i < CELLS; i++) {
		struct cell *old = &s->cell[i];

		if (old->time && old->fiber == c->fiber && old->write == c->write &&
		    old->atomic == c->atomic)
			old->mask &= (u8)~c->mask;
		if (!old->mask)
			room = old;
	}
	if (!room)
		room = &s->cell[s->next++ % CELLS];
	*room = *c;
}

static void touch(struct xp_order *o, u32 granule, u8 mask, bool write, bool atomic, void *pc)
{
	struct shadow *s = shadow_of(o, granule);
	struct cell c = { .time = o->now[xp.cur].at[xp.cur],
			  .pc = (u32)xp_program_offset(pc),
			  .mask = mask,
			  .fiber = (u8)xp.cur,
			  .write = write,
			  .atomic = atomic };

	for (u32 i = 0; i < CELLS; i++)
		if (races(o, &s->cell[i], &c))
			report(granule, &s->cell[i], &c);
	keep(s, &c);
}

void xo_plain(u32 granule, u8 mask, bool write, void *pc)
{
	touch(xp.order, granule, mask, write, false, pc);
}

/* ---- synchronisation ------------------------------------------------------------------------- */

static bool acquires(int mo)
{
	return mo == __ATOMIC_CONSUME || mo == __ATOMIC_ACQUIRE || mo == __ATOMIC_ACQ_REL ||
	       mo == __ATOMIC_SEQ_CST;
}

static bool releases(int mo)
{
	return mo == __ATOMIC_RELEASE || mo == __ATOMIC_ACQ_REL || mo == __ATOMIC_SEQ_CST;
}

static void sync_word(struct xp_order *o, struct clock *sync, enum xp_atomic op, bool writes,
		      int mo)
{
	u32 me = xp.cur;
	const struct clock *published = releases(mo) ? &o->now[me] : &o->fence_release[me];

	if (op != XP_STORE)
		join(acquires(mo) ? &o->now[me] : &o->fence_acquire[me], sync, o->fibers);
	if (!writes)
		return;
	/* A store begins anew; what reads and writes in one goes on with what was there. */
	if (op == XP_STORE)
		*sync = *published;
	else
		join(sync, published, o->fibers);
}

void xo_atomic(volatile void *addr, u8 size, enum xp_atomic op, bool changed, int mo, void *pc)
{
	struct xp_order *o = xp.order;
	bool writes = op != XP_LOAD && (op != XP_CAS || changed);
	u32 me = xp.cur;

	FOR_PIECES(addr, size, p, n)
	{
		u32 g = xp_granule_of(p);
		u8 halves = xp_halves(p, n);

		touch(o, g, (u8)(((1u << n) - 1) << ((uintptr_t)p & 7)), writes, true, pc);
		for (u32 i = 0; i < 4; i++)
			if (halves >> i & 1)
				sync_word(o, &shadow_of(o, g)->sync[i], op, writes, mo);
	}
	if (writes && releases(mo))
		o->now[me].at[me]++;
}

void xo_fence(int mo)
{
	struct xp_order *o = xp.order;
	u32 me = xp.cur;

	if (acquires(mo))
		join(&o->now[me], &o->fence_acquire[me], o->fibers);
	if (releases(mo)) {
		o->fence_release[me] = o->now[me];
		o->now[me].at[me]++;
	}
}

static struct clock *sync_at(const void *addr)
{
	return &shadow_of(xp.order, xp_granule_of(addr))->sync[xp_offset(addr) >> 1 & 3];
}

void xo_acquire(const void *addr)
{
	join(&xp.order->now[xp.cur], sync_at(addr), xp.order->fibers);
}

void xo_release(const void *addr)
{
	struct xp_order *o = xp.order;

	join(sync_at(addr), &o->now[xp.cur], o->fibers);
	o->now[xp.cur].at[xp.cur]++;
}
