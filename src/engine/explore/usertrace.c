// SPDX-License-Identifier: MIT
/* The table of a user's program: which step changed what. Layer: engine. */
#include "engine/explore/call_text.h"
#include "engine/explore/order.h"
#include "engine/explore/usercode.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/env.h"
#include "engine/explore/symbols.h"
#include "engine/explore/xplain.h"

/* Rows of plain accesses in one step; more are only counted. */
#define PLAIN_ROWS_MAX 8

static const char *const atomic_name[] = { "load", "store", "xchg", "add",  "sub",
					   "and",  "or",    "xor",  "nand", "cas" };

/* ---- names ----------------------------------------------------------------------------------- */

/* Where the program was loaded; from the linker. */
extern const char __executable_start[];

static void variable_name(const void *addr, char *text, size_t size)
{
	const struct symbol *s = symbol_at(addr);
	bool watching = xp.watching;
	size_t at = s ? (uintptr_t)addr - s->addr : 0;

	text[0] = '\0';
	if (user_is_of_module(addr)) {
		/* That is no invariant's look. */
		xp.watching = false;
		sl_x_module.describe(addr, text, size);
		xp.watching = watching;
	}
	if (text[0])
		return;
	if (!s)
		snprintf(text, size, "shared+0x%zx", (size_t)((const u8 *)addr - xp.arena));
	else if (at)
		snprintf(text, size, "%s+%zu", s->name, at);
	else
		snprintf(text, size, "%s", s->name);
}

static void function_name(const void *pc, char *text, size_t size)
{
	static const char prefix[] = "sl_thread_", holds[] = "sl_holds_";
	/* @pc is behind the call. */
	const struct symbol *s = pc ? symbol_at((const u8 *)pc - 1) : NULL;
	const char *name = s ? s->name : "";

	if (!strncmp(name, prefix, sizeof(prefix) - 1))
		name += sizeof(prefix) - 1;
	else if (!strncmp(name, holds, sizeof(holds) - 1))
		name += sizeof(holds) - 1;
	snprintf(text, size, "%s", name);
}

static bool replace(const char **in, const char *word, unsigned long long *number, int base)
{
	size_t n = strlen(word);
	char *end;

	if (strncmp(*in, word, n) || !strchr("0123456789abcdef", (*in)[n]) || !(*in)[n])
		return false;
	*number = strtoull(*in + n, &end, base);
	*in = end;
	return true;
}

void user_names(const char *text, char *out, size_t size)
{
	size_t at = 0;

	while (*text && at + 1 < size) {
		unsigned long long v;
		char name[80];

		name[0] = '\0';
		if (replace(&text, "arena+0x", &v, 16)) {
			variable_name(xp.arena + v, name, sizeof(name));
		} else if (replace(&text, "at program+0x", &v, 16)) {
			function_name(__executable_start + v, name + 3, sizeof(name) - 3);
			memcpy(name, "in ", 3);
		} else if (replace(&text, "lanes ", &v, 10)) {
			int n = snprintf(name, sizeof(name), "%s", user_thread_name((u32)v));

			if (replace(&text, " and ", &v, 10))
				snprintf(name + n, sizeof(name) - (size_t)n, " and %s",
					 user_thread_name((u32)v));
		} else if (replace(&text, "lane ", &v, 10)) {
			snprintf(name, sizeof(name), "%s", user_thread_name((u32)v));
		} else if (!strncmp(text, "lane", 4)) {
			snprintf(name, sizeof(name), "thread");
			text += 4;
		} else {
			name[0] = *text++;
			name[1] = '\0';
		}
		at += (size_t)snprintf(out + at, size - at, "%s", name);
	}
	out[at < size ? at : size - 1] = '\0';
}

/* ---- rows ------------------------------------------------------------------------------------ */

static struct user_row *new_row(struct user_trace *t, u32 index, u32 thread)
{
	if (t->rows == t->room) {
		t->room = t->room ? t->room * 2 : 256;
		t->row = realloc(t->row, t->room * sizeof(*t->row));
		SL_BUG_ON(!t->row);
	}
	t->row[t->rows] = (struct user_row){ .step = index + 1, .thread = thread };
	return &t->row[t->rows++];
}

static void put_value(u64 v, char *text, size_t size)
{
	snprintf(text, size, v < 1000 ? "%" PRIu64 : "0x%" PRIx64, v);
}

static void row_what(struct user_row *row, const char *op, u64 before, u64 after)
{
	char from[24], to[24];

	put_value(before, from, sizeof(from));
	put_value(after, to, sizeof(to));
	if (before == after)
		snprintf(row->what, sizeof(row->what), "%s %s", op, to);
	else
		snprintf(row->what, sizeof(row->what), "%s %s -> %s", op, from, to);
}

/* Bytes of granule @g that rows of atomic accesses show already. */
static u8 shown_bytes(u32 g)
{
	u8 mask = 0;

	for (u32 i = 0; i < xp.event_count; i++) {
		const struct xp_event *e = &xp.event[i];

		if (e->kind != XP_EVENT_ATOMIC || !xs_word_is_shared(e->addr))
			continue;
		if (xp_granule_of(e->addr) == g)
			mask |= e->size >= 8
					? 0xFF
					: (u8)(((1u << e->size) - 1) << ((uintptr_t)e->addr & 7));
		else if (e->size == 16 && xp_granule_of(e->addr) + 1 == g)
			mask = 0xFF;
	}
	return mask;
}

/* Byte @i of a granule and the variable, or piece of a large one, that it belongs to. */
static u32 piece_of(const u8 *base, u32 i, u32 *first)
{
	const struct symbol *s = symbol_at(base + i);
	size_t n = s ? s->size : 1;
	u32 size = n % 4 ? 1 : 4;

	if (n == 2 || n == 8)
		size = (u32)n;
	*first = i & ~(size - 1);
	return size;
}

static u64 piece_value(u64 granule, u32 first, u32 size)
{
	granule >>= first * 8;
	return size == 8 ? granule : granule & ((1ull << (size * 8)) - 1);
}

static void plain_rows(struct user_trace *t, u32 index, u32 thread)
{
	u32 rows = 0;

	for (size_t u = t->undo_mark; u < xp.undo_count; u++) {
		u32 g = xp.undo[u].granule;
		u64 old = xp.undo[u].old, now = *xp_granule(g);
		u8 shown = shown_bytes(g);
		u32 first, size;

		/* What it did is in the words that it took and in what it returned. */
		if (user_is_of_module(xp_granule(g)))
			continue;
		for (u32 i = 0; i < 8; i = first + size) {
			struct user_row *row;
			u64 before, after, rest;

			size = piece_of((u8 *)xp_granule(g), i, &first);
			before = piece_value(old, first, size);
			after = piece_value(now, first, size);
			/* What changed, without the bytes that are shown already. */
			rest = before ^ after;
			for (u32 b = 0; b < size; b++)
				if (shown >> (first + b) & 1)
					rest &= ~(0xFFull << (b * 8));
			if (!rest || ++rows > PLAIN_ROWS_MAX)
				continue;
			row = new_row(t, index, thread);
			variable_name((u8 *)xp_granule(g) + first, row->object,
				      sizeof(row->object));
			row_what(row, "write", before, after);
		}
	}
	if (rows > PLAIN_ROWS_MAX)
		snprintf(new_row(t, index, thread)->object, sizeof(t->row->object),
			 "and %u more writes", rows - PLAIN_ROWS_MAX);
}

static void first_row(struct user_trace *t, u32 index, u32 thread)
{
	static const char *const what[] = {
		[XP_START] = "starts", [XP_PAUSE] = "goes on", [XP_WAIT] = "has waited"
	};
	struct user_row *row;

	if (t->kind == XP_CHOICE) {
		row = new_row(t, index, thread);
		snprintf(row->object, sizeof(row->object), "sl_choose");
		snprintf(row->what, sizeof(row->what), "%u", t->choice);
	} else if (t->kind == XP_START || t->kind == XP_PAUSE || t->kind == XP_WAIT) {
		snprintf(new_row(t, index, thread)->what, sizeof(row->what), "%s", what[t->kind]);
	}
}

static const char *access_name(const struct xp_event *e)
{
	if (e->when == XP_EVENT_FLUSHED)
		return "flush";
	if (e->when == XP_EVENT_BUFFERED)
		return "buffered store";
	return e->op == XP_CAS && e->before == e->after ? "failed cas" : atomic_name[e->op];
}

static void add_rows(struct user_trace *t, u32 index, u32 thread)
{
	for (u32 i = 0; i < xp.event_count; i++) {
		const struct xp_event *e = &xp.event[i];
		struct user_row *row;

		if (is_call(e)) {
			row = new_row(t, index, thread);
			call_text(e, row->object, sizeof(row->object), row->what,
				  sizeof(row->what));
			continue;
		}
		if (e->kind != XP_EVENT_ATOMIC || !xs_word_is_shared(e->addr))
			continue;
		row = new_row(t, index, thread);
		variable_name(e->addr, row->object, sizeof(row->object));
		row_what(row, access_name(e), e->before, e->after);
		function_name(e->pc, row->where, sizeof(row->where));
	}
	plain_rows(t, index, thread);
}

static bool before(void *ctx, u32 index, const struct xs_step *step)
{
	struct user_trace *t = ctx;

	t->kind = xp.fiber[step->fiber].pending.kind;
	t->choice = step->choice;
	t->undo_mark = xp.undo_count;
	(void)index;
	return true;
}

static bool after(void *ctx, u32 index, const struct xs_step *step)
{
	struct user_trace *t = ctx;
	u32 rows = t->rows, thread = xp_lane_of(step->fiber);

	first_row(t, index, thread);
	add_rows(t, index, thread);
	/* Every step has a row. */
	if (t->rows == rows)
		new_row(t, index, thread);
	t->played = index + 1;
	if (!xp.violated)
		return true;
	t->violated = index + 1 == t->steps;
	t->violation = xp.violation_kind;
	snprintf(t->id, sizeof(t->id), "%s", xp.violation_id);
	return false;
}

bool user_play(const struct xs_program *p, const struct xs_options *o, const struct xs_result *r,
	       struct user_trace *t)
{
	const struct xs_watch watch = { .before = before, .after = after, .ctx = t };
	struct xs_options plain = *o;

	xs_replay_options(&plain, r->kind, r->id);
	do {
		free(t->row);
		*t = (struct user_trace){ .steps = r->steps };
		if (xs_replay(p, &plain, r->step, r->steps, &watch) < r->steps)
			return false;
	} while (xp.learned);
	if (r->loop_start < r->steps)
		return t->played == r->steps && t->violation == 0 && !t->id[0];
	return t->violated && t->violation == r->kind && !strcmp(t->id, r->id);
}
