// SPDX-License-Identifier: MIT
/* The search over interleavings. Layer: engine. */
#include "engine/explore/search.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/bug.h"
#include "base/env.h"
#include "engine/explore/liveness.h"

struct xp_state xp;

#define DEPTH_MAX        (1u << 24)
#define POLL_TRANSITIONS 0x3FFF

/* ---- memory ---------------------------------------------------------------------------------- */

/* A region of address space that fills up as it is used. */
static void *region(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	madvise(p, size, MADV_HUGEPAGE);
	return p;
}

/*
 * Visited states: fingerprints, and beside them, where somebody needs it, a value (state id, best
 * cost, digest of the successors). Open addressing; grows by half, so that it is never emptier than
 * 0.53 once it has grown.
 */
struct table {
	u64 *key;
	u32 *value; /* NULL: none */
	u64 slots;
	u64 count;
};

#define TABLE_START 65536u
/* Room that is mapped behind the last slot: an insertion never wraps around. */
#define TABLE_TAIL 4096u

static bool table_init(struct table *t, u64 slots, bool values)
{
	t->key = region((slots + TABLE_TAIL) * sizeof(u64));
	t->value = values ? region((slots + TABLE_TAIL) * sizeof(u32)) : NULL;
	t->slots = slots;
	t->count = 0;
	return t->key && (t->value || !values);
}

static void table_free(struct table *t)
{
	if (t->key)
		munmap(t->key, (t->slots + TABLE_TAIL) * sizeof(u64));
	if (t->value)
		munmap(t->value, (t->slots + TABLE_TAIL) * sizeof(u32));
	*t = (struct table){ 0 };
}

static size_t table_bytes(const struct table *t)
{
	return t->slots * (sizeof(u64) + (t->value ? sizeof(u32) : 0));
}

static u64 table_home(const struct table *t, u64 key)
{
	return (u64)(((__uint128_t)key * t->slots) >> 64);
}

static u64 *table_slot(const struct table *t, u64 key)
{
	u64 *slot = &t->key[table_home(t, key)];

	while (*slot && *slot != key)
		slot++;
	SL_BUG_ON(slot >= t->key + t->slots + TABLE_TAIL);
	return slot;
}

static bool table_grow(struct table *t)
{
	struct table bigger;

	if (!table_init(&bigger, t->slots + t->slots / 2, t->value != NULL))
		return false;
	for (u64 i = 0; i < t->slots + TABLE_TAIL; i++) {
		u64 *slot;

		if (!t->key[i])
			continue;
		slot = table_slot(&bigger, t->key[i]);
		*slot = t->key[i];
		if (t->value)
			bigger.value[slot - bigger.key] = t->value[i];
	}
	bigger.count = t->count;
	table_free(t);
	*t = bigger;
	return true;
}

/* Index of @key's slot; *fresh if it was not there. -1 without memory. */
static s64 table_insert(struct table *t, u64 key, bool *fresh)
{
	u64 *slot;

	if (t->count * 10 > t->slots * 8 && !table_grow(t))
		return -1;
	slot = table_slot(t, key);
	*fresh = !*slot;
	if (*fresh) {
		*slot = key;
		t->count++;
	}
	return slot - t->key;
}

/* ---- the search's own state ------------------------------------------------------------------ */

struct succ {
	u64 key;
	u64 next; /* audit: the arena and what the mover is about to do, without what it has seen */
	u8 fiber;
	u8 fresh;
	u16 choice;
};

/* How to get back from a state to the one before it. */
struct frame {
	u32 succ_base, succ_count, succ_next;
	u32 stack_at, stack_len; /* the mover's stack before its step */
	u32 fp_before;           /* the mover's footprint before; offset + 1 */
	u32 fp_top;              /* of the footprint store before the step */
	u32 id;                  /* liveness: number of the state */
	size_t undo_mark;
	u64 arena_hash, lanes_hash;
	struct xp_fiber saved;
	u8 mover;
	bool again; /* visited before; only audited */
	u16 choice;
	u32 preemptions;
};

struct search {
	const struct xs_program *p;
	const struct xs_options *o;
	struct xs_result *r;
	u32 fibers; /* lanes, and the end if there is one */
	struct table visited;
	struct frame *frame;
	u32 depth;
	struct succ *succ;
	u32 succ_count;
	u8 *stack_store;
	u32 stack_top;
	u8 *fp_store;
	u32 fp_top;
	u32 last_fp[XP_FIBERS_MAX]; /* offset + 1 of each fiber's last step's footprint */
	struct xp_footprint scratch;
	u64 lanes_hash;
	u64 states, transitions;
	u32 max_depth;
	double start;
	bool found, stop;
	bool auditing;   /* after the last pass, once more */
	u64 pass_states; /* a pass that has learned something ends here */
	/* Bounded search for the shortest counterexample. */
	bool bounded;
	u32 bound_preemptions, best_depth;
	u32 want_kind;
	char want_id[40];
	struct xs_step *best;
	u32 best_steps, best_preemptions;
	/* Liveness graph. */
	bool graph;
	struct lv_edge *edge;
	u64 edge_count;
	u64 *edge_first;
	u16 *edge_n;
	u8 *unfinished; /* per state: some must_finish lane has not finished */
	u16 *enabled;   /* per state: fibers that can move */
};

#define STACK_STORE (1ull << 34)
#define FP_STORE    (1ull << 33)
#define UNDO_STORE  (1ull << 27)
#define EDGE_STORE  (1ull << 31)
#define ID_STORE    (1ull << 28)

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- fibers ---------------------------------------------------------------------------------- */

static const struct xs_program *program;

void xp_yield(void)
{
	u32 me = xp.cur;

	/* Having come past a scheduling point is something seen, even where its value is not. */
	xp_saw(0);
	xp_switch(&xp.fiber[me].sp, xp.main_sp);
}

void xp_note_read(void *addr)
{
	size_t half = xp_half_of(addr);

	for (u32 i = 0; i < 2; i++) {
		xp.read_by[half + i] |= (u16)(1u << xp.cur);
		xp.decides[half + i] = 1;
		xp_learn(half + i);
	}
}

void xp_report(u32 kind, const char *id, const char *text)
{
	if (!xp.violated) {
		xp.violated = true;
		xp.violation_kind = kind;
		snprintf(xp.violation_id, sizeof(xp.violation_id), "%s", id);
		snprintf(xp.violation_text, sizeof(xp.violation_text), "%s", text);
	}
	if (!xp.active)
		return;
	xp.fiber[xp.cur].pending = (struct xp_pending){ .kind = XP_DEAD };
	for (;;)
		xp_yield();
}

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

static u64 pending_digest(u32 i)
{
	const struct xp_pending *p = &xp.fiber[i].pending;
	u64 where = p->addr ? (u64)((u8 *)p->addr - xp.arena) : 0;

	return (u64)p->kind << 56 ^ where << 8 ^ p->op;
}

static u64 lane_digest(u32 i)
{
	return xp_mix(xp_mix(i + 1, xp.fiber[i].hist), pending_digest(i));
}

static void fibers_start(struct search *s)
{
	s->lanes_hash = 0;
	for (u32 i = 0; i < s->fibers; i++) {
		xp_fiber_make(i, fiber_main);
		xp.fiber[i].hist = i;
		xp.fiber[i].pending = (struct xp_pending){ .kind = XP_START };
		s->last_fp[i] = 0;
		s->lanes_hash += lane_digest(i);
	}
}

static bool all_lanes_done(const struct search *s)
{
	for (u32 i = 0; i < s->p->lanes; i++)
		if (xp.fiber[i].pending.kind != XP_EXIT)
			return false;
	return true;
}

/* Host locks, as the explorer's env lays them out in the arena. */
static bool lock_is_free(const struct xp_pending *p)
{
	const u32 *word = p->addr;

	/* word[0]: 1 + writer, or 0; word[1]: readers. */
	return p->op == 1 ? !word[0] : !word[0] && !word[1];
}

static u32 value_of(const struct xp_pending *p)
{
	return *(const u32 *)p->addr;
}

static bool is_enabled(const struct search *s, u32 i)
{
	const struct xp_pending *p = &xp.fiber[i].pending;

	switch (p->kind) {
	case XP_EXIT:
	case XP_DEAD:
		return false;
	case XP_LOCK:
		return lock_is_free(p);
	case XP_WAIT:
		return value_of(p) != (u32)p->arg;
	default:
		return i < s->p->lanes || all_lanes_done(s);
	}
}

/* Runs fiber @i up to just before its next scheduling point. */
static void run_step(struct search *s, u32 i, u32 choice)
{
	size_t mark = xp.undo_count;

	s->lanes_hash -= lane_digest(i);
	if (++xp.stamp_now == 0) {
		memset(xp.stamp, 0, xp.arena_size / 8 * sizeof(u32));
		xp.stamp_now = 1;
	}
	xp.cur = i;
	xp.choice = choice;
	xp.atomics = 0;
	xp.violated = false;
	xp.no_yield = i >= s->p->lanes;
	xp.fp = &s->scratch;
	s->scratch.reads = s->scratch.writes = 0;
	s->scratch.count = s->scratch.released = 0;
	s->scratch.overflow = false;
	xp.active = true;
	xp_switch(&xp.main_sp, xp.fiber[i].sp);
	xp.active = false;
	if (s->p->stopped)
		s->p->stopped(i);
	for (size_t u = mark; u < xp.undo_count; u++) {
		u32 g = xp.undo[u].granule;

		xp.hash += xp_granule_hash(g, *xp_granule(g)) - xp_granule_hash(g, xp.undo[u].old);
	}
	s->lanes_hash += lane_digest(i);
	s->transitions++;
}

/* ---- steps that can be taken back ------------------------------------------------------------ */

static void save_mover(struct search *s, struct frame *f, u32 i)
{
	u32 len = (u32)(xp_stack_top(i) - (u8 *)xp.fiber[i].sp);

	f->mover = (u8)i;
	f->saved = xp.fiber[i];
	f->stack_at = s->stack_top;
	f->stack_len = len;
	SL_BUG_ON(len > XP_STACK_SIZE || (u64)s->stack_top * 16 + len > STACK_STORE);
	memcpy(s->stack_store + (u64)s->stack_top * 16, xp.fiber[i].sp, len);
	s->stack_top += (len + 15) / 16;
	f->undo_mark = xp.undo_count;
	f->arena_hash = xp.hash;
	f->lanes_hash = s->lanes_hash;
	f->fp_before = s->last_fp[i];
	f->fp_top = s->fp_top;
}

static void undo_step(struct search *s, const struct frame *f)
{
	while (xp.undo_count > f->undo_mark) {
		xp.undo_count--;
		*xp_granule(xp.undo[xp.undo_count].granule) = xp.undo[xp.undo_count].old;
	}
	xp.hash = f->arena_hash;
	s->lanes_hash = f->lanes_hash;
	xp.fiber[f->mover] = f->saved;
	memcpy(f->saved.sp, s->stack_store + (u64)f->stack_at * 16, f->stack_len);
	s->stack_top = f->stack_at;
	s->last_fp[f->mover] = f->fp_before;
	s->fp_top = f->fp_top;
}

/* ---- data races ------------------------------------------------------------------------------ */

struct stored_fp {
	u64 reads, writes;
	u32 count;
	u32 overflow;
	struct xp_access access[];
};

static struct stored_fp *fp_at(const struct search *s, u32 offset)
{
	return (struct stored_fp *)(void *)(s->fp_store + (u64)(offset - 1) * 8);
}

/* Keeps of the step's accesses those that nothing orders before the others' next steps. */
static void fp_keep(struct search *s, u32 fiber)
{
	struct stored_fp *to = (struct stored_fp *)(void *)(s->fp_store + (u64)s->fp_top * 8);
	const struct xp_footprint *from = &s->scratch;
	u32 n = from->count - from->released;
	size_t size = sizeof(*to) + n * sizeof(to->access[0]);

	SL_BUG_ON((u64)s->fp_top * 8 + size > FP_STORE);
	*to = (struct stored_fp){ .reads = n ? from->reads : 0,
				  .writes = n ? from->writes : 0,
				  .count = n,
				  .overflow = from->overflow };
	memcpy(to->access, from->access + from->released, n * sizeof(to->access[0]));
	s->last_fp[fiber] = s->fp_top + 1;
	s->fp_top += (u32)((size + 7) / 8);
}

static bool conflict(const struct xp_access *a, const struct xp_access *b)
{
	return a->granule == b->granule && (a->mask & b->mask) && (a->write || b->write) &&
	       !(a->atomic && b->atomic);
}

/* The step just run against what another fiber did last and has not ordered by anything since. */
static const struct xp_access *race_with(const struct search *s, u32 other,
					 const struct xp_access **mine)
{
	const struct stored_fp *f;

	if (!s->last_fp[other])
		return NULL;
	f = fp_at(s, s->last_fp[other]);
	if (!((f->writes & (s->scratch.reads | s->scratch.writes)) |
	      (f->reads & s->scratch.writes)))
		return NULL;
	for (u32 i = 0; i < f->count; i++)
		for (u32 k = 0; k < s->scratch.count; k++)
			if (conflict(&f->access[i], &s->scratch.access[k])) {
				*mine = &s->scratch.access[k];
				return &f->access[i];
			}
	return NULL;
}

/* The same in every run of one build, wherever the program is loaded; addr2line takes it. */
static size_t program_offset(const void *pc)
{
	extern const char __executable_start[];

	return (size_t)((const char *)pc - __executable_start);
}

static void check_races(struct search *s, u32 mover)
{
	for (u32 i = 0; i < s->p->lanes && mover < s->p->lanes; i++) {
		const struct xp_access *a, *b = NULL;

		/* A lane that ended is ordered before nothing but the end of the world. */
		if (i == mover)
			continue;
		a = race_with(s, i, &b);
		if (!a)
			continue;
		xp.violated = true;
		xp.violation_kind = SL_VIOLATION_RACE;
		snprintf(xp.violation_id, sizeof(xp.violation_id), "data race");
		snprintf(xp.violation_text, sizeof(xp.violation_text),
			 "lanes %u and %u touch arena+0x%x at once: %s%s at program+0x%zx, %s%s at "
			 "program+0x%zx",
			 i, mover, a->granule * 8, a->atomic ? "atomic " : "",
			 a->write ? "write" : "read", program_offset(a->pc),
			 b->atomic ? "atomic " : "", b->write ? "write" : "read",
			 program_offset(b->pc));
		return;
	}
}

static void check_invariant(const struct search *s)
{
	const char *id = s->p->invariant ? s->p->invariant() : NULL;

	if (!id || xp.violated)
		return;
	xp.violated = true;
	xp.violation_kind = SL_VIOLATION_ORACLE;
	snprintf(xp.violation_id, sizeof(xp.violation_id), "%s", id);
	snprintf(xp.violation_text, sizeof(xp.violation_text), "the invariant does not hold");
}

/* ---- findings -------------------------------------------------------------------------------- */

static void keep_path(struct search *s, u32 fiber, u32 choice, struct xs_step **to, u32 *steps)
{
	u32 n = s->depth;

	free(*to);
	*to = calloc(n + 1u, sizeof(**to));
	SL_BUG_ON(!*to);
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

static void found(struct search *s, u32 fiber, u32 choice, u32 preemptions)
{
	struct xs_result *r = s->r;

	if (s->bounded) {
		if (xp.violation_kind != s->want_kind || strcmp(xp.violation_id, s->want_id))
			return;
		keep_path(s, fiber, choice, &s->best, &s->best_steps);
		s->best_depth = s->best_steps;
		s->best_preemptions = preemptions;
		snprintf(r->text, sizeof(r->text), "%s", xp.violation_text);
		return;
	}
	r->kind = xp.violation_kind;
	snprintf(r->id, sizeof(r->id), "%s", xp.violation_id);
	snprintf(r->text, sizeof(r->text), "%s", xp.violation_text);
	keep_path(s, fiber, choice, &r->step, &r->steps);
	r->loop_start = r->steps;
	r->preemptions = preemptions;
	s->found = true;
	/* A race is only believed once the pass has learned nothing more: go on. */
	s->stop = r->kind != SL_VIOLATION_RACE;
}

static bool is_deadlock(const struct search *s)
{
	char waiting[200] = "";
	int at = 0;

	for (u32 i = 0; i < s->p->lanes; i++) {
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

static void check_deadlock(struct search *s)
{
	if (is_deadlock(s))
		found(s, 0xFF, 0, path_preemptions(s));
}

/* ---- expansion ------------------------------------------------------------------------------- */

static u64 state_key(const struct search *s)
{
	u64 key = xp_mix(xp.hash, s->lanes_hash);

	return key ? key : 1;
}

/* Does going from the last mover to @next take the CPU away from somebody who wants it? */
static bool is_preemption(const struct search *s, u32 next)
{
	const struct frame *f = &s->frame[s->depth - 1];

	if (s->depth == 1 || f->mover == next || !is_enabled(s, f->mover))
		return false;
	return xp.fiber[f->mover].pending.kind != XP_PAUSE &&
	       xp.fiber[f->mover].pending.kind != XP_START;
}

static void poll_limits(struct search *s)
{
	const struct xs_options *o = s->o;
	double at = now() - s->start;
	size_t memory = table_bytes(&s->visited) + s->edge_count * sizeof(struct lv_edge) +
			(s->graph ? s->states * 13 : 0);

	if (memory > s->r->memory)
		s->r->memory = memory;
	if (o->progress) {
		struct xs_progress p = { .seconds = at,
					 .states = s->states,
					 .transitions = s->transitions,
					 .depth = s->depth,
					 .pass = s->r->passes,
					 .memory = memory };
		o->progress(o->ctx, &p);
	}
	if (o->seconds > 0 && at > o->seconds && !s->bounded)
		s->r->limit = XS_LIMIT_TIME;
	else if (s->bounded && at > o->minimise_seconds)
		s->stop = true;
	else if (o->memory && memory > o->memory)
		s->r->limit = XS_LIMIT_MEMORY;
	else if (o->interrupted && o->interrupted(o->ctx))
		s->r->limit = XS_LIMIT_INTERRUPTED;
	if (s->r->limit != XS_COMPLETE)
		s->stop = true;
}

/* One successor: step, look, take back. */
static void probe(struct search *s, u32 fiber, u32 choice)
{
	struct succ *n = &s->succ[s->succ_count];
	u32 preemptions = path_preemptions(s) + is_preemption(s, fiber);
	struct frame f;

	if (s->bounded && (preemptions > s->bound_preemptions || s->depth >= s->best_depth))
		return;
	if ((s->transitions & POLL_TRANSITIONS) == POLL_TRANSITIONS)
		poll_limits(s);
	save_mover(s, &f, fiber);
	run_step(s, fiber, choice);
	if (!xp.violated)
		check_invariant(s);
	if (!xp.violated && s->o->races && !s->found)
		check_races(s, fiber);
	if (xp.violated) {
		found(s, fiber, choice, preemptions);
	} else {
		SL_BUG_ON(s->succ_count + 1 >= (u64)DEPTH_MAX * 4);
		n->key = state_key(s);
		if (s->bounded)
			n->key = xp_mix(n->key, fiber);
		n->fiber = (u8)fiber;
		n->choice = (u16)choice;
		n->next = xp_mix(xp.hash, pending_digest(fiber));
		s->succ_count++;
		__builtin_prefetch(&s->visited.key[table_home(&s->visited, n->key)]);
	}
	undo_step(s, &f);
}

/* Looks a successor up. Fresh ones will be entered. */
static void claim(struct search *s, struct succ *n)
{
	bool fresh;
	s64 slot = table_insert(&s->visited, n->key, &fresh);
	u32 *value = s->visited.value + slot;

	if (slot < 0) {
		s->r->limit = XS_LIMIT_MEMORY;
		s->stop = true;
		return;
	}
	if (s->bounded) {
		u32 depth = s->depth, pre = path_preemptions(s) + is_preemption(s, n->fiber);
		u32 old_pre = *value >> 24, old_depth = *value & 0xFFFFFF;

		n->fresh = fresh || !(old_pre <= pre && old_depth <= depth);
		if (n->fresh)
			*value = pre << 24 | (depth & 0xFFFFFF);
		return;
	}
	n->fresh = fresh;
	if (s->graph) {
		if (fresh)
			*value = (u32)s->states;
		s->edge[s->edge_count++] = (struct lv_edge){ .to = *value,
							     .fiber = n->fiber,
							     .choice = (u8)n->choice };
	}
	s->states += fresh;
}

/*
 * Audit: a state that was reached before must have the successors that it had then, or the
 * checkpoints that merged the two have lied about what a lane's future depends on.
 */
static void audit_state(struct search *s, const struct frame *f)
{
	bool fresh;
	s64 slot = table_insert(&s->visited, state_key(s), &fresh);
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
	xp.violation_kind = SL_VIOLATION_ORACLE;
	snprintf(xp.violation_id, sizeof(xp.violation_id), "checkpoint audit");
	snprintf(
		xp.violation_text, sizeof(xp.violation_text),
		"two visits of one state differ in what comes next: a checkpoint leaves something out");
	found(s, 0xFF, 0, path_preemptions(s));
}

static void expand(struct search *s)
{
	struct frame *f = &s->frame[s->depth - 1];
	u32 mask = 0;

	f->succ_base = s->succ_count;
	f->succ_next = 0;
	for (u32 i = 0; i < s->fibers && !s->stop; i++) {
		u32 n = xp.fiber[i].pending.kind == XP_CHOICE ? xp.fiber[i].pending.n : 1;

		if (!is_enabled(s, i))
			continue;
		mask |= 1u << i;
		for (u32 c = 0; c < n && !s->stop; c++)
			probe(s, i, c);
	}
	if (!mask && !all_lanes_done(s))
		check_deadlock(s);
	if (s->graph && !f->again) {
		u32 unfinished = 0;

		for (u32 i = 0; i < s->p->lanes; i++)
			if ((s->p->must_finish >> i & 1) && xp.fiber[i].pending.kind != XP_EXIT)
				unfinished = 1;
		s->edge_first[f->id] = s->edge_count;
		s->edge_n[f->id] = (u16)(s->succ_count - f->succ_base);
		s->unfinished[f->id] = (u8)unfinished;
		s->enabled[f->id] = (u16)mask;
	}
	if (s->auditing && !s->stop)
		audit_state(s, f);
	if (f->again) {
		s->succ_count = f->succ_base;
		f->succ_count = 0;
		return;
	}
	for (u32 i = f->succ_base; i < s->succ_count && !s->stop; i++)
		claim(s, &s->succ[i]);
	f->succ_count = s->succ_count - f->succ_base;
}

/* Enters the fresh successor @n. */
static void descend(struct search *s, const struct succ *n)
{
	struct frame *f = &s->frame[s->depth];
	u32 preemptions = path_preemptions(s) + is_preemption(s, n->fiber);

	save_mover(s, f, n->fiber);
	run_step(s, n->fiber, n->choice);
	/* Counted when it was probed. */
	s->transitions--;
	fp_keep(s, n->fiber);
	f->choice = n->choice;
	f->preemptions = preemptions;
	f->again = !n->fresh;
	if (s->graph)
		f->id = s->visited.value[table_slot(&s->visited, n->key) - s->visited.key];
	s->depth++;
	if (s->depth > s->max_depth)
		s->max_depth = s->depth;
}

/* Depth-first from the state that stands; back there when it returns. */
static void walk(struct search *s)
{
	u32 depth_max = s->o->depth ? s->o->depth : DEPTH_MAX - 1;
	bool fresh;

	s->depth = 1;
	s->succ_count = 0;
	s->frame[0] = (struct frame){ .mover = 0xFF };
	SL_BUG_ON(table_insert(&s->visited, state_key(s), &fresh) < 0);
	/* State 0: its value is already 0. */
	s->states++;
	expand(s);
	while (s->depth) {
		struct frame *f = &s->frame[s->depth - 1];
		struct succ *n = NULL;

		while (!s->stop && f->succ_next < f->succ_count && !n) {
			n = &s->succ[f->succ_base + f->succ_next++];
			if (!n->fresh && !s->auditing)
				n = NULL;
		}
		if (n && s->depth >= depth_max) {
			s->r->limit = XS_LIMIT_DEPTH;
			continue;
		}
		if (n) {
			descend(s, n);
			expand(s);
			if (xp.learned && !s->o->no_reduction && s->states >= s->pass_states)
				s->stop = true;
			continue;
		}
		s->succ_count = f->succ_base;
		if (--s->depth)
			undo_step(s, f);
	}
}

/* ---- passes ---------------------------------------------------------------------------------- */

static bool search_init(struct search *s)
{
	s->frame = region((size_t)DEPTH_MAX * sizeof(struct frame));
	s->succ = region((size_t)DEPTH_MAX * 4 * sizeof(struct succ));
	s->stack_store = region(STACK_STORE);
	s->fp_store = region(FP_STORE);
	if (s->graph) {
		s->edge = region(EDGE_STORE * sizeof(struct lv_edge));
		s->edge_first = region(ID_STORE * sizeof(u64));
		s->edge_n = region(ID_STORE * sizeof(u16));
		s->unfinished = region(ID_STORE);
		s->enabled = region(ID_STORE * sizeof(u16));
		if (!s->edge || !s->edge_first || !s->edge_n || !s->unfinished || !s->enabled)
			return false;
	}
	return s->frame && s->succ && s->stack_store && s->fp_store;
}

static void unmap(void *p, size_t size)
{
	if (p)
		munmap(p, size);
}

static void search_free(struct search *s)
{
	unmap(s->frame, (size_t)DEPTH_MAX * sizeof(struct frame));
	unmap(s->succ, (size_t)DEPTH_MAX * 4 * sizeof(struct succ));
	unmap(s->stack_store, STACK_STORE);
	unmap(s->fp_store, FP_STORE);
	if (s->graph) {
		unmap(s->edge, EDGE_STORE * sizeof(struct lv_edge));
		unmap(s->edge_first, ID_STORE * sizeof(u64));
		unmap(s->edge_n, ID_STORE * sizeof(u16));
		unmap(s->unfinished, ID_STORE);
		unmap(s->enabled, ID_STORE * sizeof(u16));
	}
	table_free(&s->visited);
	free(s->best);
}

static bool xp_init(const struct xs_program *p, const struct xs_options *o)
{
	size_t granules = p->arena_size / 8, halves = p->arena_size / 2;
	u64 hash = 0;

	xp = (struct xp_state){ .arena = p->arena,
				.arena_size = p->arena_size,
				.ghost_start = p->ghost_start,
				.ghost_end = p->ghost_end,
				.seed = xp_mix(0x5EA1AB, o->seed),
				.undo_max = UNDO_STORE,
				.no_checkpoints = o->no_checkpoints };
	xp.seed |= 1;
	xp.stamp = region(granules * sizeof(u32));
	xp.canon = region(granules);
	xp.kind = region(halves);
	xp.shared = region(halves);
	xp.decides = region(halves);
	xp.read_by = region(halves * sizeof(u16));
	xp.written_by = region(halves * sizeof(u16));
	xp.touched_by = region(granules * sizeof(u16));
	xp.written = region(granules);
	xp.contested = region(granules);
	xp.undo = region(UNDO_STORE * sizeof(struct xp_undo));
	xp.stacks = region((size_t)XP_FIBERS_MAX * XP_STACK_SIZE);
	if (!xp.stamp || !xp.canon || !xp.kind || !xp.shared || !xp.decides || !xp.read_by ||
	    !xp.written_by || !xp.touched_by || !xp.written || !xp.contested || !xp.undo ||
	    !xp.stacks)
		return false;
	if (o->no_reduction)
		memset(xp.shared, 1, halves);
	else
		for (u32 i = 0; i < p->word_count; i++) {
			const struct xs_word *w = &p->word[i];
			size_t half = xp_half_of(w->addr);

			for (u32 k = 0; k < w->size / 2u; k++)
				xp.kind[half + k] = w->kind;
			xp.canon[xp_granule_of(w->addr)] = w->kind != XP_WORD_COUNTER;
		}
	for (size_t g = 0; g < granules; g++)
		hash += xp_granule_hash((u32)g, *xp_granule((u32)g));
	xp.hash = hash;
	program = p;
	return true;
}

static void xp_free(const struct xs_program *p)
{
	size_t granules = p->arena_size / 8, halves = p->arena_size / 2;

	unmap(xp.stamp, granules * sizeof(u32));
	unmap(xp.canon, granules);
	unmap(xp.kind, halves);
	unmap(xp.shared, halves);
	unmap(xp.decides, halves);
	unmap(xp.read_by, halves * sizeof(u16));
	unmap(xp.written_by, halves * sizeof(u16));
	unmap(xp.touched_by, granules * sizeof(u16));
	unmap(xp.written, granules);
	unmap(xp.contested, granules);
	unmap(xp.undo, UNDO_STORE * sizeof(struct xp_undo));
	unmap(xp.stacks, (size_t)XP_FIBERS_MAX * XP_STACK_SIZE);
	xp = (struct xp_state){ 0 };
}

static void pass_begin(struct search *s)
{
	table_free(&s->visited);
	SL_BUG_ON(!table_init(&s->visited, TABLE_START, s->graph || s->bounded || s->o->audit));
	s->states = s->transitions = 0;
	s->stack_top = s->fp_top = 0;
	s->edge_count = 0;
	s->max_depth = 0;
	s->stop = false;
	xp.learned = false;
	xp.undo_count = 0;
	fibers_start(s);
}

/*
 * Passes until one learns no new shared word. In an unfinished pass whatever was found is real but
 * for data races, which need all scheduling points; the shortest trace is looked for afterwards.
 */
static void explore(struct search *s)
{
	struct xs_result *r = s->r;
	bool again;

	do {
		size_t halves = xp.arena_size / 2;

		r->passes++;
		/* Early passes only learn; let each look a little further than the one before. */
		s->pass_states = 256ull << (r->passes < 20 ? r->passes : 20);
		if (!s->o->no_reduction) {
			madvise(xp.read_by, halves * sizeof(u16), MADV_DONTNEED);
			madvise(xp.written_by, halves * sizeof(u16), MADV_DONTNEED);
		}
		pass_begin(s);
		walk(s);
		again = xp.learned && !s->found && r->limit == XS_COMPLETE;
		if (xp.learned && s->found && r->kind == SL_VIOLATION_RACE) {
			/* Not all scheduling points were known: look again before believing it. */
			s->found = false;
			r->kind = XS_KIND_NONE;
			again = r->limit == XS_COMPLETE;
		}
		r->all_states += s->states;
		r->all_transitions += s->transitions;
	} while (again);
	if (s->o->audit && !s->found && r->limit == XS_COMPLETE) {
		s->auditing = true;
		pass_begin(s);
		walk(s);
		s->auditing = false;
	}
	r->states = s->states;
	r->transitions = s->transitions;
	r->depth = s->max_depth;
}

/* ---- livelocks ------------------------------------------------------------------------------- */

static int check_liveness(struct search *s)
{
	struct lv_graph g = { .states = (u32)s->states,
			      .lanes = s->p->lanes,
			      .edge = s->edge,
			      .first = s->edge_first,
			      .count = s->edge_n,
			      .unfinished = s->unfinished,
			      .enabled = s->enabled };
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
	r->step = found.step;
	r->steps = found.steps;
	r->loop_start = found.loop_start;
	r->minimal = false;
	return 0;
}

/* ---- the shortest counterexample ------------------------------------------------------------- */

static void minimise(struct search *s)
{
	struct xs_result *r = s->r;
	u32 most = r->preemptions;

	s->bounded = true;
	s->want_kind = r->kind;
	memcpy(s->want_id, r->id, sizeof(s->want_id));
	s->best_depth = r->steps;
	s->start = now();
	for (u32 c = 0; c <= most; c++) {
		s->bound_preemptions = c;
		/* With fewer preemptions a longer trace is still better. */
		s->best_depth = c < most ? DEPTH_MAX : r->steps + 1;
		if (s->o->depth && s->best_depth > s->o->depth)
			s->best_depth = s->o->depth;
		pass_begin(s);
		walk(s);
		r->minimal = !s->stop && r->limit == XS_COMPLETE;
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

bool xs_open(const struct xs_program *p, const struct xs_options *o)
{
	SL_BUG_ON(p->lanes > XP_LANES_MAX || p->arena_size % 8);
	if (xp_init(p, o))
		return true;
	xp_free(p);
	return false;
}

void xs_close(const struct xs_program *p)
{
	xp_free(p);
}

int xs_explore(const struct xs_program *p, const struct xs_options *o, struct xs_result *r)
{
	struct search s = { .p = p,
			    .o = o,
			    .r = r,
			    .fibers = p->lanes + (p->end ? 1u : 0u),
			    .graph = p->must_finish != 0 && !o->audit };
	int rc = -ENOMEM;

	*r = (struct xs_result){ .kind = XS_KIND_NONE };
	if (!search_init(&s))
		goto out;
	s.start = now();
	explore(&s);
	r->seconds = now() - s.start;
	poll_limits(&s);
	r->shared_words = xp.shared_count;
	rc = 0;
	if (s.found && o->minimise_seconds > 0 && r->limit == XS_COMPLETE) {
		/* The bounded search needs no graph, and its states have other keys. */
		bool graph = s.graph;

		s.graph = false;
		minimise(&s);
		s.graph = graph;
	} else if (!s.found && s.graph && r->limit == XS_COMPLETE) {
		rc = check_liveness(&s);
	}
out:
	search_free(&s);
	return rc;
}

void xs_result_free(struct xs_result *r)
{
	free(r->step);
	r->step = NULL;
}

bool xs_word_is_shared(const void *addr)
{
	return xp.shared[xp_half_of(addr)];
}

static bool nobody_can_move(const struct search *s)
{
	for (u32 i = 0; i < s->fibers; i++)
		if (is_enabled(s, i))
			return false;
	return !all_lanes_done(s);
}

u32 xs_replay(const struct xs_program *p, const struct xs_options *o, const struct xs_step *step,
	      u32 steps, const struct xs_watch *w)
{
	struct search s = { .p = p, .o = o, .fibers = p->lanes + (p->end ? 1u : 0u) };
	u64 hash = xp.hash;
	u32 done;

	s.fp_store = region(FP_STORE);
	SL_BUG_ON(!s.fp_store);
	xp.learned = false;
	xp.undo_count = 0;
	xp.recording = true;
	fibers_start(&s);
	for (done = 0; done < steps; done++) {
		const struct xs_step *n = &step[done];

		if (n->fiber >= s.fibers || !is_enabled(&s, n->fiber) ||
		    (w->before && !w->before(w->ctx, done, n)))
			break;
		xp.event_count = 0;
		run_step(&s, n->fiber, n->choice);
		if (!xp.violated)
			check_invariant(&s);
		if (!xp.violated && o->races)
			check_races(&s, n->fiber);
		if (!xp.violated && done + 1 == steps && nobody_can_move(&s))
			xp.violated = is_deadlock(&s);
		fp_keep(&s, n->fiber);
		if (w->after && !w->after(w->ctx, done, n)) {
			done++;
			break;
		}
	}
	xp.recording = false;
	while (xp.undo_count) {
		xp.undo_count--;
		*xp_granule(xp.undo[xp.undo_count].granule) = xp.undo[xp.undo_count].old;
	}
	xp.hash = hash;
	unmap(s.fp_store, FP_STORE);
	return done;
}
