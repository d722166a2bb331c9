// SPDX-License-Identifier: MIT
/* Playing a counterexample. Layer: engine. */
#include "engine/explore/play.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "engine/caller.h"
#include "engine/explore/call_text.h"
#include "engine/explore/machine.h"
#include "engine/explore/store_buffer.h"

static const char *const atomic_name[] = { "load", "store", "xchg", "add",  "sub",
					   "and",  "or",    "xor",  "nand", "cas" };

const char *explore_atomic_name(u32 op)
{
	return op < ARRAY_SIZE(atomic_name) ? atomic_name[op] : "?";
}

const char *explore_access_name(u32 op, u32 when)
{
	static const char *const store[] = { [XP_EVENT_AT_ONCE] = "store",
					     [XP_EVENT_BUFFERED] = "buffered store",
					     [XP_EVENT_FLUSHED] = "flush" };

	return op == XP_STORE && when < ARRAY_SIZE(store) ? store[when] : explore_atomic_name(op);
}

/* ---- rows ------------------------------------------------------------------------------------ */

static struct explore_row *new_row(struct play *p, u32 index, const struct xs_step *step)
{
	struct explore_result *out = p->out;

	if (out->rows == p->room) {
		p->room = p->room ? p->room * 2 : 256;
		out->row = realloc(out->row, p->room * sizeof(*out->row));
		SL_BUG_ON(!out->row);
	}
	out->row[out->rows] =
		(struct explore_row){ .step = index + 1, .lane = xp_lane_of(step->fiber) };
	return &out->row[out->rows++];
}

static void word_op_name(const struct xp_event *e, char *text, size_t size)
{
	static const char *const op[] = {
		[SCN_CALLER_EXCLUSIVE] = "exclusive", [SCN_CALLER_SHARED] = "shared",
		[SCN_CALLER_PROMOTE] = "promote",     [SCN_CALLER_COMMIT] = "commit",
		[SCN_CALLER_RELEASE] = "release",
	};
	u32 code = e->before & 0xFF;
	bool sided = code == SCN_CALLER_EXCLUSIVE || code == SCN_CALLER_SHARED;
	const char *side = e->before >> 8 & 1 ? " guest" : " host";

	snprintf(text, size, "%s%s", op[code], sided ? side : "");
}

static void call_begins(struct play *p, u32 index, u32 lane, const struct xp_event *e)
{
	struct explore_result *out = p->out;
	struct explore_open_call *c;

	SL_BUG_ON(out->open_count[lane] == EXPLORE_CALLS_DEEP);
	c = &out->open[lane][out->open_count[lane]++];
	c->began = index + 1;
	c->began_row = out->rows;
	if (e->note == SL_NOTE_WORD_BEGINS)
		word_op_name(e, c->object, sizeof(c->object));
	else
		call_name(e, c->object, sizeof(c->object));
}

static void call_ends(struct explore_result *out, struct explore_row *row)
{
	const struct explore_open_call *c;

	SL_BUG_ON(!out->open_count[row->lane]);
	c = &out->open[row->lane][--out->open_count[row->lane]];
	row->call = true;
	row->began = c->began;
	row->began_row = c->began_row;
}

static void row_call(struct explore_row *row, const struct xp_event *e)
{
	row->status = e->after;
	call_text(e, row->object, sizeof(row->object), row->what, sizeof(row->what));
}

static void row_word(struct explore_row *row, const struct xp_event *e)
{
	static const char *const result[] = {
		[CALLER_GRANTED] = "granted",
		[CALLER_BUSY] = "BUSY",
		[CALLER_BUSY_HP] = "BUSY_HOST_PRIORITY",
		[CALLER_DONE] = "done",
	};

	row->status = e->after;
	word_op_name(e, row->object, sizeof(row->object));
	snprintf(row->what, sizeof(row->what), "%s", result[e->after]);
}

/* "S-EPT entry a level 0"; an address that says nothing by itself otherwise. */
static enum xworld_word describe(const struct play *p, const void *addr, char *text, size_t size)
{
	enum xworld_word kind = xworld_describe(p->world, addr, text, size);

	if (!text[0])
		snprintf(text, size, "arena+0x%zx", (size_t)((const u8 *)addr - xp.arena));
	return kind;
}

static void add_note(struct play *p, u32 index, const struct xs_step *step,
		     const struct xp_event *e)
{
	struct explore_row *row;

	switch (e->note) {
	case SL_NOTE_SEAMCALL_BEGINS:
	case SL_NOTE_TDCALL_BEGINS:
	case SL_NOTE_WORD_BEGINS:
		call_begins(p, index, step->fiber, e);
		return;
	case SL_NOTE_SEAMCALL:
	case SL_NOTE_TDCALL:
	case SL_NOTE_WORD:
		row = new_row(p, index, step);
		call_ends(p->out, row);
		if (e->note == SL_NOTE_WORD)
			row_word(row, e);
		else
			row_call(row, e);
		return;
	default:
		return;
	}
}

/* The word as everybody sees it, who has no store to it in a buffer. */
static u64 word_now(const struct xp_event *e)
{
	u64 value = 0;

	memcpy(&value, e->addr, e->size <= 8 ? e->size : 8u);
	return value;
}

static void add_rows(struct play *p, u32 index, const struct xs_step *step)
{
	for (u32 i = 0; i < xp.event_count; i++) {
		const struct xp_event *e = &xp.event[i];
		const char *op = explore_access_name(e->op, e->when);
		struct explore_row *row;

		if (e->kind == XP_EVENT_NOTE) {
			add_note(p, index, step, e);
			continue;
		}
		/* Only the words that lanes meet on. */
		if (!xs_word_is_shared(e->addr))
			continue;
		row = new_row(p, index, step);
		row->pc = e->pc;
		row->op = e->op;
		row->at = xp_offset(e->addr);
		row->before = e->before;
		row->after = e->after;
		row->when = e->when;
		row->stored = e->after;
		row->word = (u8)describe(p, e->addr, row->object, sizeof(row->object));
		if (e->when == XP_EVENT_BUFFERED)
			row->before = row->after = word_now(e);
		if (e->before == e->after || e->when == XP_EVENT_BUFFERED)
			snprintf(row->what, sizeof(row->what), "%s 0x%llx", op,
				 (unsigned long long)e->after);
		else
			snprintf(row->what, sizeof(row->what), "%s 0x%llx -> 0x%llx", op,
				 (unsigned long long)e->before, (unsigned long long)e->after);
	}
}

/* ---- checks ---------------------------------------------------------------------------------- */

/* Where the program or library that this is part of was loaded; from the linker. */
__attribute__((visibility("hidden"))) extern const char __ehdr_start[], _end[];

/*
 * The value as it would be in any process: addresses differ from one to the next. Those of the arena
 * and of the program become offsets; what else looks like an address counts as one and the same.
 */
static u64 portable(u64 v)
{
	u64 program = (u64)(uintptr_t)__ehdr_start;

	if (v - (u64)(uintptr_t)xp.arena < xp.arena_size)
		return (v - (u64)(uintptr_t)xp.arena) ^ 0xA5A5000000000000ull;
	if (v - program < (u64)(uintptr_t)_end - program)
		return (v - program) ^ 0x5A5A000000000000ull;
	return v >> 46 == 1 ? 1 : v;
}

static u64 granule_hash(u32 granule, u64 value)
{
	__uint128_t m = (__uint128_t)(granule + 1ull) * 0x9E3779B97F4A7C15ull;

	value = (portable(value) ^ (u64)m) * 0xD6E8FEB86659FD93ull;
	m = (__uint128_t)(value ^ (value >> 32)) * 0x9E3779B97F4A7C15ull;
	return (u64)m ^ (u64)(m >> 64);
}

/* Follows what the step wrote. A granule is logged once in a step. */
static void update_hash(struct play *p)
{
	for (size_t u = p->undo_mark; u < xp.undo_count; u++) {
		u32 g = xp.undo[u].granule;

		p->hash += granule_hash(g, *xp_granule(g)) - granule_hash(g, xp.undo[u].old);
	}
	p->undo_mark = xp.undo_count;
}

static struct trace_step check_before(const struct xs_step *step)
{
	const struct xp_pending q = machine_pending(step->fiber);

	return (struct trace_step){
		.fiber = step->fiber,
		.choice = step->choice,
		.kind = q.kind,
		.op = q.op,
		.size = q.size,
		.at = q.addr && xp_in_arena(q.addr) ? (u64)((u8 *)q.addr - xp.arena)
						    : TRACE_NOWHERE,
	};
}

static void about(const struct play *p, const struct trace_step *s, char *text, size_t size)
{
	static const char *const lock[] = { "take the mutex", "take for reading",
					    "take for writing" };
	char object[120] = "nothing";

	if (s->at != TRACE_NOWHERE && s->at < xp.arena_size)
		describe(p, xp.arena + s->at, object, sizeof(object));
	switch (s->kind) {
	case XP_START:
		snprintf(text, size, "start");
		return;
	case XP_ATOMIC:
		snprintf(text, size, "%s %u byte%s at %s",
			 s->op < ARRAY_SIZE(atomic_name) ? atomic_name[s->op] : "?", s->size,
			 s->size == 1 ? "" : "s", object);
		return;
	case XP_CHOICE:
		snprintf(text, size, "choose answer %u", s->choice);
		return;
	case XP_PAUSE:
		snprintf(text, size, "try again");
		return;
	case XP_LOCK:
		snprintf(text, size, "%s %s", s->op < ARRAY_SIZE(lock) ? lock[s->op] : "take",
			 object);
		return;
	case XP_WAIT:
		snprintf(text, size, "wait for a change of %s", object);
		return;
	case XP_FENCE:
		snprintf(text, size, "wait until its stores have reached memory");
		return;
	case XP_FLUSH:
		snprintf(text, size, "let a store to %s reach memory", object);
		return;
	case XP_DEAD:
		snprintf(text, size, "nothing: it has reported a violation");
		return;
	case XP_EXIT:
	default:
		snprintf(text, size, "nothing: it has ended");
		return;
	}
}

static struct explore_divergence *diverge(struct play *p, u32 index, u32 lane)
{
	struct explore_divergence *d = &p->out->diverged;

	d->step = index + 1;
	d->lane = xp_lane_of(lane);
	return d;
}

static void diverge_pending(struct play *p, u32 index, const struct trace_step *have,
			    const struct trace_step *want, const char *more)
{
	struct explore_divergence *d = diverge(p, index, want->fiber);
	char text[200];

	about(p, want, text, sizeof(text));
	snprintf(d->expected, sizeof(d->expected), "about to %s", text);
	about(p, have, text, sizeof(text));
	snprintf(d->found, sizeof(d->found), "about to %s%s", text, more);
}

static bool same_pending(const struct trace_step *a, const struct trace_step *b)
{
	return a->kind == b->kind && a->op == b->op && a->size == b->size && a->at == b->at;
}

/* ---- a livelock's loop ------------------------------------------------------------------------ */

static void loop_begins(struct play *p)
{
	p->loop_hash = xp.hash;
	memcpy(p->loop_fiber, xp.fiber, sizeof(p->loop_fiber));
	for (u32 i = 0; i < XP_LANES_MAX; i++)
		p->loop_stores[i] = sb_buffers[i].digest;
}

/*
 * Does everything stand as it stood where the loop begins? Somebody has not finished, if that is what the
 * loop is about.
 */
static bool loop_ends(const struct play *p)
{
	bool unfinished = p->out->search.kind == SL_VIOLATION_BOUND;

	if (xp.hash != p->loop_hash)
		return false;
	for (u32 i = 0; i < p->out->lanes; i++) {
		const struct xp_fiber *a = &p->loop_fiber[i], *b = &xp.fiber[i];

		if (a->hist != b->hist || p->loop_stores[i] != sb_buffers[i].digest ||
		    a->pending.kind != b->pending.kind || a->pending.op != b->pending.op ||
		    a->pending.addr != b->pending.addr)
			return false;
		if ((p->must_finish >> i & 1) && b->pending.kind != XP_EXIT)
			unfinished = true;
	}
	return unfinished;
}

/* ---- step by step ---------------------------------------------------------------------------- */

static bool before(void *ctx, u32 index, const struct xs_step *step)
{
	const struct xp_pending *q = &xp.fiber[step->fiber].pending;
	struct play *p = ctx;
	struct trace_step have = check_before(step);

	if (index == p->loop_start)
		loop_begins(p);
	if (p->want && !same_pending(&have, &p->want[index])) {
		diverge_pending(p, index, &have, &p->want[index], "");
		return false;
	}
	if (q->kind == XP_CHOICE ? step->choice >= q->n : step->choice != 0) {
		snprintf(diverge(p, index, step->fiber)->expected,
			 sizeof(p->out->diverged.expected), "answer %u to a choice", step->choice);
		snprintf(p->out->diverged.found, sizeof(p->out->diverged.found), "%u answers",
			 q->kind == XP_CHOICE ? q->n : 1);
		return false;
	}
	p->made[index] = have;
	if (p->watch && p->watch->before)
		p->watch->before(p->watch->ctx, p->out, index + 1);
	return true;
}

static bool check_after(struct play *p, u32 index, const struct xs_step *step)
{
	struct explore_divergence *d;

	if (p->want && p->want[index].hash != p->hash) {
		char text[200];

		about(p, &p->want[index], text, sizeof(text));
		d = diverge(p, index, step->fiber);
		snprintf(d->expected, sizeof(d->expected),
			 "after the step (%s) memory with hash 0x%016llx", text,
			 (unsigned long long)p->want[index].hash);
		snprintf(d->found, sizeof(d->found), "other contents, hash 0x%016llx",
			 (unsigned long long)p->hash);
		return false;
	}
	if (xp.violated && index + 1 < p->steps) {
		d = diverge(p, index, step->fiber);
		snprintf(d->expected, sizeof(d->expected), "%u more steps", p->steps - index - 1);
		snprintf(d->found, sizeof(d->found), "a violation already: %s: %s", xp.violation_id,
			 xp.violation_text);
		return false;
	}
	return true;
}

static bool after(void *ctx, u32 index, const struct xs_step *step)
{
	struct play *p = ctx;
	u32 row = p->out->rows;
	char text[200];

	update_hash(p);
	p->made[index].hash = p->hash;
	add_rows(p, index, step);
	if (index + 1 == p->steps) {
		p->loop_closed = p->loop_start < p->steps && loop_ends(p);
		if (xp.violated) {
			p->finding = xp.violation_kind;
			snprintf(p->id, sizeof(p->id), "%s", xp.violation_id);
			snprintf(p->text, sizeof(p->text), "%s", xp.violation_text);
		}
	}
	p->out->played = index + 1;
	if (p->watch && p->watch->after) {
		about(p, &p->made[index], text, sizeof(text));
		if (!p->watch->after(p->watch->ctx, p->out, index + 1, row, text)) {
			p->out->played_on = false;
			return false;
		}
	}
	return check_after(p, index, step);
}

/* The last step has been taken: did it end as it should? */
static bool ends_well(struct play *p)
{
	const struct xs_result *x = &p->out->search;
	struct explore_divergence *d;

	if (p->loop_start < p->steps ? p->loop_closed && p->finding == XS_KIND_NONE
				     : p->finding == x->kind && !strcmp(p->id, x->id))
		return true;
	d = diverge(p, p->steps - 1, x->step[p->steps - 1].fiber);
	if (p->loop_start < p->steps)
		snprintf(d->expected, sizeof(d->expected), "the state of step %u again",
			 p->loop_start);
	else
		snprintf(d->expected, sizeof(d->expected), "violated(%s): %s: %s",
			 sl_violation_name((enum sl_violation)x->kind), x->id, x->text);
	if (p->finding == XS_KIND_NONE)
		snprintf(d->found, sizeof(d->found), "%s",
			 p->loop_start < p->steps ? "another state" : "no violation");
	else
		snprintf(d->found, sizeof(d->found), "violated(%s): %s: %s",
			 sl_violation_name((enum sl_violation)p->finding), p->id, p->text);
	return false;
}

bool play(struct play *p, const struct xs_program *program, const struct xs_options *o)
{
	struct explore_result *out = p->out;
	const struct xs_result *x = &out->search;
	const struct xs_watch watch = { .before = before, .after = after, .ctx = p };
	u32 done;

	p->steps = x->steps;
	p->loop_start = x->loop_start;
	p->must_finish = program->must_finish;
	p->finding = XS_KIND_NONE;
	p->made = calloc(x->steps ? x->steps : 1, sizeof(*p->made));
	SL_BUG_ON(!p->made);
	out->rows = 0;
	memset(out->open_count, 0, sizeof(out->open_count));
	out->played = 0;
	out->played_on = true;
	out->diverged = (struct explore_divergence){ 0 };
	done = xs_replay(program, o, x->step, x->steps, &watch);
	if (!out->played_on || out->diverged.step)
		return false;
	if (done < x->steps) {
		const struct xs_step *step = &x->step[done];
		struct trace_step have = check_before(step);

		diverge_pending(p, done, &have, p->want ? &p->want[done] : &have,
				", and unable to move");
		return false;
	}
	return ends_well(p);
}
