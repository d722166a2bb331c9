// SPDX-License-Identifier: MIT
/* Fibers and their steps. Layer: engine. */
#include "engine/explore/machine.h"

#include <stdio.h>
#include <string.h>

#include "base/env.h"
#include "engine/explore/store_buffer.h"

/* Of guests, apart from those of lanes. */
#define GUEST_BASE (4u * XP_FIBERS_MAX)

static const struct xs_program *program;

static void fiber_main(void)
{
	u32 me = xp.cur;

	if (me < program->lanes)
		program->lane(me);
	else
		program->end();
	xp.fiber[me].pending = (struct xp_pending){ .kind = XP_EXIT };
	for (;;) {
		/* What it has seen no longer matters. */
		xp.fiber[me].hist = 0;
		xp_switch(&xp.fiber[me].sp, xp.main_sp);
	}
}

u64 xs_pending_digest(u32 i)
{
	const struct xp_pending *p = &xp.fiber[i].pending;
	u64 where = p->addr ? (u64)((u8 *)p->addr - xp.arena) : 0;

	return (u64)p->kind << 56 ^ where << 8 ^ p->op;
}

static void digest(struct machine *m, u32 i)
{
	const struct xp_fiber *f = &xp.fiber[i];
	u64 d = xp_mix(xp_mix(m->base[i], f->hist), xs_pending_digest(i));

	if (f->claims[0] | f->claims[1])
		d = xp_mix(xp_mix(d, f->claims[0]), f->claims[1]);
	if (f->guest)
		d = xp_mix(xp_mix(d, f->outer_hist), f->guest);
	if (xp.slots && i < program->lanes)
		d = xp_mix(d, sb_buffers[i].digest);
	m->lanes_hash += d - m->digest[i];
	m->digest[i] = d;
}

/* One that runs is a part of its lane. */
static u64 guest_digest(u32 g)
{
	const struct xp_guest_now *now = &xp_guests.guest[g].now;

	return now->on ? 0 : xp_mix(GUEST_BASE + g, now->hist);
}

static void digest_guests(struct machine *m, u32 moved)
{
	for (; moved; moved &= moved - 1) {
		u32 g = (u32)__builtin_ctz(moved);
		u64 d = guest_digest(g);

		m->lanes_hash += d - m->guest_digest[g];
		m->guest_digest[g] = d;
	}
}

void machine_undo_guests(struct machine *m, size_t mark)
{
	for (u32 moved = xp_guests_undo(mark); moved; moved &= moved - 1) {
		u32 g = (u32)__builtin_ctz(moved);

		m->guest_digest[g] = guest_digest(g);
	}
}

bool machine_init(struct machine *m, const struct xs_program *p, bool symmetry, u32 slots)
{
	u32 stacks = p->lanes + (p->end ? 1u : 0u);

	*m = (struct machine){ .p = p,
			       .fibers = stacks + (slots ? p->lanes : 0),
			       .stacks = stacks };
	for (u32 i = 0; i < stacks; i++)
		m->base[i] = symmetry && p->class[i] ? XP_FIBERS_MAX + (u32)p->class[i] : i + 1;
	return sb_open(slots, p->lanes, stacks);
}

void machine_start(struct machine *m)
{
	program = m->p;
	m->lanes_hash = m->transitions = 0;
	sb_start();
	for (u32 i = 0; i < m->stacks; i++) {
		xp_fiber_make(&xp.fiber[i].sp, xp_stack_top(i) - XP_STACK_SIZE, XP_STACK_SIZE,
			      fiber_main);
		/* Who it is says the base; what it has seen is nothing. */
		xp.fiber[i].hist = xp.fiber[i].base = 1;
		xp.fiber[i].guest = 0;
		xp.fiber[i].claims[0] = xp.fiber[i].claims[1] = 0;
		xp.fiber[i].pending = (struct xp_pending){ .kind = XP_START };
		m->digest[i] = 0;
		digest(m, i);
	}
	xp_guests_start();
	memset(m->guest_digest, 0, sizeof(m->guest_digest));
	digest_guests(m, (1u << xp_guests.count) - 1);
}

bool machine_all_done(const struct machine *m)
{
	for (u32 i = 0; i < m->p->lanes; i++)
		if (xp.fiber[i].pending.kind != XP_EXIT || (xp.slots && sb_buffers[i].count))
			return false;
	return true;
}

/* Host locks, as the explorer's env lays them out in the arena; see xp.h. */
static bool lock_is_free(const struct xp_pending *p)
{
	const u32 *word = p->addr;

	switch (p->op) {
	case XP_LOCK_MUTEX:
	case XP_LOCK_READ:
		return !word[0];
	case XP_LOCK_WRITE:
		return !(word[0] & XP_LOCK_HELD) && !word[1];
	default:
		return true;
	}
}

/* Are stores of @lane on their way to memory? */
static bool is_storing(u32 lane)
{
	return xp.slots && sb_buffers[lane].count;
}

bool machine_enabled(const struct machine *m, u32 i)
{
	const struct xp_pending *p = &xp.fiber[i].pending;

	switch (p->kind) {
	case XP_EXIT:
	case XP_DEAD:
		return false;
	case XP_LOCK:
		return lock_is_free(p) && !(p->drains && is_storing(i));
	case XP_WAIT:
		return (xp.slots ? sb_load(i, p->addr) : *(const u32 *)p->addr) != (u32)p->arg;
	case XP_FENCE:
		return sb_buffers[i].count <= p->n;
	case XP_FLUSH:
		return is_storing(xp_lane_of(i));
	default:
		return i < m->p->lanes ? !(p->drains && is_storing(i)) : machine_all_done(m);
	}
}

struct xp_pending machine_pending(u32 i)
{
	struct xp_pending p = xp.fiber[i].pending;
	const struct sb_store *s;

	if (p.kind != XP_FLUSH || !is_storing(xp_lane_of(i)))
		return p;
	s = &sb_buffers[xp_lane_of(i)].store[0];
	p.op = XP_STORE;
	p.addr = (u8 *)xp_granule(s->granule) + (s->unlock ? 0 : __builtin_ctz(s->mask));
	p.size = (u8)(s->unlock ? 4 : __builtin_popcount(s->mask));
	return p;
}

static void new_stamp(void)
{
	if (++xp.stamp_now)
		return;
	for (size_t g = 0; g < xp.arena_size / 8; g++)
		xp.granule[g].stamp = 0;
	xp.stamp_now = 1;
}

/* The fiber itself, up to where it yields. */
static void run(struct machine *m, u32 i)
{
	bool buffered = xp.slots && i < m->p->lanes;

	if (buffered)
		sb_step_begins(i);
	xp.active = true;
	xp_switch(&xp.main_sp, xp.fiber[i].sp);
	xp.active = false;
	if (buffered)
		sb_step_ends(i);
	if (m->p->stopped)
		m->p->stopped(i);
}

void machine_step(struct machine *m, u32 i, u32 choice)
{
	size_t mark = xp.undo_count;

	new_stamp();
	xp.cur = xp_lane_of(i);
	xp.choice = choice;
	xp.atomics = 0;
	xp.site_event_count = 0;
	xp.violated = false;
	xp.commutes = NULL;
	xp.no_yield = xp.cur >= m->p->lanes;
	xp_guests.moved = 0;
	xp.fp = &m->footprint;
	m->footprint.reads = m->footprint.writes = 0;
	m->footprint.count = m->footprint.released = m->footprint.apart = 0;
	m->footprint.overflow = false;
	if (xp_is_flush(i)) {
		i = xp_lane_of(i);
		sb_flush(i);
	} else {
		run(m, i);
	}
	for (size_t u = mark; u < xp.undo_count; u++) {
		u32 g = xp.undo[u].granule;
		u64 now = *xp_granule(g);

		if (now != xp.undo[u].old)
			xp.hash += xp_granule_hash(g, now) - xp_granule_hash(g, xp.undo[u].old);
	}
	digest(m, i);
	digest_guests(m, xp_guests.moved);
	m->transitions++;
}

void machine_check(const struct machine *m)
{
	const char *id = m->p->invariant ? m->p->invariant() : NULL;

	if (!id || xp.violated)
		return;
	xp.violated = true;
	xp.violation_kind = SL_VIOLATION_ORACLE;
	snprintf(xp.violation_id, sizeof(xp.violation_id), "%s", id);
	snprintf(xp.violation_text, sizeof(xp.violation_text), "the invariant does not hold");
}

bool machine_preempts(const struct machine *m, u32 last, u32 next)
{
	u8 kind;

	if (last >= m->stacks || last == next || xp_is_flush(next) || !machine_enabled(m, last))
		return false;
	kind = xp.fiber[last].pending.kind;
	return kind != XP_PAUSE && kind != XP_START;
}

bool machine_deadlock(const struct machine *m)
{
	char waiting[200] = "";
	int at = 0;

	for (u32 i = 0; i < m->p->lanes; i++) {
		const struct xp_pending *p = &xp.fiber[i].pending;

		if (p->kind == XP_DEAD)
			return false;
		if (p->kind == XP_LOCK || p->kind == XP_WAIT)
			at += snprintf(waiting + at, sizeof(waiting) - (size_t)at,
				       " lane %u waits for %s at arena+0x%zx;", i,
				       p->kind == XP_LOCK ? "a lock" : "a change",
				       (size_t)((u8 *)p->addr - xp.arena));
		if (at > 160)
			break;
	}
	xp.violation_kind = SL_VIOLATION_DEADLOCK;
	snprintf(xp.violation_id, sizeof(xp.violation_id), "deadlock");
	snprintf(xp.violation_text, sizeof(xp.violation_text), "nobody can move:%s", waiting);
	return true;
}

bool machine_stuck(const struct machine *m)
{
	for (u32 i = 0; i < m->fibers; i++)
		if (machine_enabled(m, i))
			return false;
	return !machine_all_done(m);
}
