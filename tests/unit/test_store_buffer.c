// SPDX-License-Identifier: MIT
/*
 * Store buffers: what litmus programs can end with under the explorer is what a small machine can that knows
 * nothing of the explorer: memory, and a queue of stores for each lane (x86-TSO).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/env.h"
#include "base/rng.h"
#include "engine/explore/search.h"
#include "litmus_prog.h"

#define SLOTS 8u

/* ---- sets of outcomes ------------------------------------------------------------------------ */

struct outcomes {
	struct litmus_outcome *of;
	u32 count, room;
};

static void outcomes_add(struct outcomes *s, const struct litmus_outcome *one)
{
	for (u32 i = 0; i < s->count; i++)
		if (!memcmp(&s->of[i], one, sizeof(*one)))
			return;
	if (s->count == s->room) {
		s->room = s->room ? s->room * 2 : 64;
		s->of = realloc(s->of, s->room * sizeof(*s->of));
		assert_non_null(s->of);
	}
	s->of[s->count++] = *one;
}

/* Is all of @a in @b? */
static void assert_within(const struct outcomes *a, const struct outcomes *b)
{
	for (u32 i = 0; i < a->count; i++) {
		u32 k = 0;

		while (k < b->count && memcmp(&a->of[i], &b->of[k], sizeof(a->of[i])) != 0)
			k++;
		assert_true(k < b->count);
	}
}

static void assert_same(const struct outcomes *a, const struct outcomes *b)
{
	assert_int_equal(a->count, b->count);
	assert_within(a, b);
}

/* ---- the machine to compare with ------------------------------------------------------------- */

struct lane {
	u8 next, regs, stores; /* operation, register; stores on their way */
	u8 store[LITMUS_OPS];  /* operations that made them, oldest first */
	bool ended;
};

struct x86 {
	struct litmus_outcome o;
	struct lane lane[LITMUS_LANES];
};

struct enumeration {
	const struct litmus *l;
	u32 slots; /* 0: stores reach memory at once */
	struct x86 *seen;
	u32 count, room;
	struct outcomes ends;
};

static bool is_new(struct enumeration *e, const struct x86 *m)
{
	for (u32 i = 0; i < e->count; i++)
		if (!memcmp(&e->seen[i], m, sizeof(*m)))
			return false;
	if (e->count == e->room) {
		e->room = e->room ? e->room * 2 : 256;
		e->seen = realloc(e->seen, e->room * sizeof(*e->seen));
		assert_non_null(e->seen);
	}
	e->seen[e->count++] = *m;
	return true;
}

static void write_bytes(u8 *memory, const struct litmus_op *op)
{
	for (u32 i = 0; i < op->size; i++)
		memory[op->at + i] = (u8)(op->value >> (i * 8));
}

/* What @lane reads: memory, with its own stores on top of it. */
static u64 read_bytes(const struct enumeration *e, const struct x86 *m, u32 lane,
		      const struct litmus_op *op)
{
	const struct lane *l = &m->lane[lane];
	u8 memory[LITMUS_BYTES];
	u64 v = 0;

	memcpy(memory, m->o.memory, sizeof(memory));
	for (u32 i = 0; i < l->stores; i++)
		write_bytes(memory, &e->l->op[lane][l->store[i]]);
	for (u32 i = op->size; i--;)
		v = v << 8 | memory[op->at + i];
	return v;
}

/* The lane's next operation; false if it cannot be done now. */
static bool execute(const struct enumeration *e, struct x86 *m, u32 lane)
{
	struct lane *l = &m->lane[lane];
	const struct litmus_op *op = &e->l->op[lane][l->next];
	u64 *reg = m->o.reg[lane];

	switch ((enum litmus_kind)op->kind) {
	case LITMUS_STORE:
	case LITMUS_RELAXED:
	case LITMUS_PLAIN:
		if (!e->slots)
			write_bytes(m->o.memory, op);
		else if (l->stores < e->slots)
			l->store[l->stores++] = l->next;
		else
			return false;
		break;
	case LITMUS_LOAD:
	case LITMUS_PLAIN_LOAD:
		reg[l->regs++] = read_bytes(e, m, lane, op);
		break;
	case LITMUS_SEQ_CST:
	case LITMUS_XCHG:
		if (l->stores)
			return false;
		if (op->kind == LITMUS_XCHG)
			reg[l->regs++] = read_bytes(e, m, lane, op);
		write_bytes(m->o.memory, op);
		break;
	case LITMUS_FENCE:
	case LITMUS_MINE:
		if (l->stores)
			return false;
		break;
	case LITMUS_UNLESS:
		l->ended = reg[l->regs - 1] != op->value;
		break;
	case LITMUS_ACQ_REL:
		break;
	case LITMUS_END:
	default:
		l->ended = true;
		return true;
	}
	l->next++;
	return true;
}

static void flush(const struct enumeration *e, struct x86 *m, u32 lane)
{
	struct lane *l = &m->lane[lane];

	write_bytes(m->o.memory, &e->l->op[lane][l->store[0]]);
	memmove(l->store, l->store + 1, --l->stores);
	/* What is not used compares equal. */
	l->store[l->stores] = 0;
}

static void enumerate_from(struct enumeration *e, const struct x86 *m)
{
	bool moved = false;

	if (!is_new(e, m))
		return;
	for (u32 i = 0; i < e->l->lanes; i++) {
		struct x86 next = *m;

		if (!m->lane[i].ended && execute(e, &next, i)) {
			moved = true;
			enumerate_from(e, &next);
		}
		if (m->lane[i].stores) {
			next = *m;
			flush(e, &next, i);
			moved = true;
			enumerate_from(e, &next);
		}
	}
	if (!moved)
		outcomes_add(&e->ends, &m->o);
}

static struct outcomes enumerate(const struct litmus *l, u32 slots)
{
	struct enumeration e = { .l = l, .slots = slots };
	struct x86 start;

	memset(&start, 0, sizeof(start));
	enumerate_from(&e, &start);
	free(e.seen);
	return e.ends;
}

/* ---- under the explorer ---------------------------------------------------------------------- */

static struct outcomes found;

/* Only the last pass knows which words are shared. */
static void keep_outcome(void)
{
	static u16 pass;

	if (xp.pass != pass)
		found.count = 0;
	pass = xp.pass;
	outcomes_add(&found, &litmus_arena.d.now);
}

static u64 full_hash(void)
{
	u64 hash = 0;

	for (u32 g = 0; g < xp.arena_size / 8; g++)
		hash += xp_granule_hash(g, *xp_granule(g));
	return hash;
}

/* After every step, so that each way back was taken right, too, and nothing of what a lane sees was left. */
static const char *compare_hashes(void)
{
	return xp.hash == full_hash() ? NULL : "hash";
}

static struct xs_program program(const struct litmus *l)
{
	memset(&litmus_arena, 0, sizeof(litmus_arena));
	litmus_now = l;
	return (struct xs_program){ .arena = &litmus_arena,
				    .arena_size = sizeof(litmus_arena),
				    .lanes = l->lanes,
				    .lane = litmus_lane,
				    .end = keep_outcome,
				    .invariant = compare_hashes };
}

/* With the options @o; races are looked for only if it says so. */
static struct outcomes explore_with(const struct litmus *l, const struct xs_options *o,
				    struct xs_result *out)
{
	struct xs_program p = program(l);
	struct xs_result r;

	found = (struct outcomes){ 0 };
	assert_true(xs_open(&p, o));
	assert_int_equal(xs_explore(&p, o, &r), 0);
	xs_close(&p);
	assert_int_equal(r.kind, XS_KIND_NONE);
	xs_result_free(&r);
	if (out)
		*out = r;
	return found;
}

static struct outcomes explore(const struct litmus *l, u32 slots)
{
	const struct xs_options o = { .store_buffer = slots, .races = true };

	return explore_with(l, &o, NULL);
}

/* ---- programs that everybody knows ----------------------------------------------------------- */

#define X 0
#define Y 8
#define Z 16
#define ST(var, v)                      \
	{                               \
		LITMUS_STORE, var, 4, v \
	}
#define SC(var, v)                        \
	{                                 \
		LITMUS_SEQ_CST, var, 4, v \
	}
#define LD(var)                        \
	{                              \
		LITMUS_LOAD, var, 4, 0 \
	}
#define XCHG(var, v)                   \
	{                              \
		LITMUS_XCHG, var, 4, v \
	}
#define FENCE                         \
	{                             \
		LITMUS_FENCE, 0, 0, 0 \
	}
#define WEAK_FENCE                      \
	{                               \
		LITMUS_ACQ_REL, 0, 0, 0 \
	}
#define MINE                         \
	{                            \
		LITMUS_MINE, 0, 0, 0 \
	}

/* Is there an outcome with these registers, and this in X and Y? -1: any. */
struct asked {
	s64 reg[LITMUS_LANES][3];
	s64 x, y;
};

static bool fits(s64 want, u64 is)
{
	return want < 0 || (u64)want == is;
}

static bool is_possible(const struct outcomes *s, const struct asked *a)
{
	for (u32 i = 0; i < s->count; i++) {
		const struct litmus_outcome *o = &s->of[i];
		bool all = fits(a->x, o->memory[X]) && fits(a->y, o->memory[Y]);

		for (u32 lane = 0; lane < LITMUS_LANES; lane++)
			for (u32 r = 0; r < ARRAY_SIZE(a->reg[0]); r++)
				all = all && fits(a->reg[lane][r], o->reg[lane][r]);
		if (all)
			return true;
	}
	return false;
}

#define ANY                \
	{                  \
		-1, -1, -1 \
	}

/* What x86-TSO lets be seen, and sequential consistency does not: as published. */
static const struct {
	struct litmus l;
	struct asked asked;
	bool under_sc, under_tso;
} known[] = {
	{ { "SB", 2, { { ST(X, 1), LD(Y) }, { ST(Y, 1), LD(X) } } },
	  { { { 0, -1, -1 }, { 0, -1, -1 }, ANY, ANY }, -1, -1 },
	  false,
	  true },
	{ { "SB, fences", 2, { { ST(X, 1), FENCE, LD(Y) }, { ST(Y, 1), FENCE, LD(X) } } },
	  { { { 0, -1, -1 }, { 0, -1, -1 }, ANY, ANY }, -1, -1 },
	  false,
	  false },
	{ { "SB, one fence", 2, { { ST(X, 1), FENCE, LD(Y) }, { ST(Y, 1), LD(X) } } },
	  { { { 0, -1, -1 }, { 0, -1, -1 }, ANY, ANY }, -1, -1 },
	  false,
	  true },
	{ { "SB, weak fences",
	    2,
	    { { ST(X, 1), WEAK_FENCE, LD(Y) }, { ST(Y, 1), WEAK_FENCE, LD(X) } } },
	  { { { 0, -1, -1 }, { 0, -1, -1 }, ANY, ANY }, -1, -1 },
	  false,
	  true },
	{ { "SB, seq_cst", 2, { { SC(X, 1), LD(Y) }, { SC(Y, 1), LD(X) } } },
	  { { { 0, -1, -1 }, { 0, -1, -1 }, ANY, ANY }, -1, -1 },
	  false,
	  false },
	{ { "SB, xchg", 2, { { XCHG(X, 1), LD(Y) }, { XCHG(Y, 1), LD(X) } } },
	  { { { 0, 0, -1 }, { 0, 0, -1 }, ANY, ANY }, -1, -1 },
	  false,
	  false },
	{ { "SB, a locked instruction elsewhere",
	    2,
	    { { ST(X, 1), MINE, LD(Y) }, { ST(Y, 1), MINE, LD(X) } } },
	  { { { 0, -1, -1 }, { 0, -1, -1 }, ANY, ANY }, -1, -1 },
	  false,
	  false },
	{ { "MP", 2, { { ST(X, 1), ST(Y, 1) }, { LD(Y), LD(X) } } },
	  { { ANY, { 1, 0, -1 }, ANY, ANY }, -1, -1 },
	  false,
	  false },
	{ { "LB", 2, { { LD(X), ST(Y, 1) }, { LD(Y), ST(X, 1) } } },
	  { { { 1, -1, -1 }, { 1, -1, -1 }, ANY, ANY }, -1, -1 },
	  false,
	  false },
	{ { "IRIW", 4, { { ST(X, 1) }, { ST(Y, 1) }, { LD(X), LD(Y) }, { LD(Y), LD(X) } } },
	  { { ANY, ANY, { 1, 0, -1 }, { 1, 0, -1 } }, -1, -1 },
	  false,
	  false },
	{ { "WRC", 3, { { ST(X, 1) }, { LD(X), ST(Y, 1) }, { LD(Y), LD(X) } } },
	  { { ANY, { 1, -1, -1 }, { 1, 0, -1 }, ANY }, -1, -1 },
	  false,
	  false },
	{ { "S", 2, { { ST(X, 2), ST(Y, 1) }, { LD(Y), ST(X, 1) } } },
	  { { ANY, { 1, -1, -1 }, ANY, ANY }, 2, -1 },
	  false,
	  false },
	{ { "R", 2, { { ST(X, 1), ST(Y, 1) }, { ST(Y, 2), LD(X) } } },
	  { { ANY, { 0, -1, -1 }, ANY, ANY }, -1, 2 },
	  false,
	  true },
	{ { "2+2W", 2, { { ST(X, 1), ST(Y, 2) }, { ST(Y, 1), ST(X, 2) } } },
	  { { ANY, ANY, ANY, ANY }, 1, 1 },
	  false,
	  false },
	/* A lane sees its own store before anybody else does. */
	{ { "n6", 2, { { ST(X, 1), LD(X), LD(Y) }, { ST(Y, 2), ST(X, 2) } } },
	  { { { 1, 0, -1 }, ANY, ANY, ANY }, 1, -1 },
	  false,
	  true },
	{ { "n5", 2, { { ST(X, 1), LD(X) }, { ST(X, 2), LD(X) } } },
	  { { { 2, -1, -1 }, { 1, -1, -1 }, ANY, ANY }, -1, -1 },
	  false,
	  false },
	{ { "n4b", 2, { { LD(X), ST(X, 1) }, { LD(X), ST(X, 2) } } },
	  { { { 2, -1, -1 }, { 1, -1, -1 }, ANY, ANY }, -1, -1 },
	  false,
	  false },
	{ { "forwarding on both sides",
	    2,
	    { { ST(X, 1), LD(X), LD(Y) }, { ST(Y, 1), LD(Y), LD(X) } } },
	  { { { 1, 0, -1 }, { 1, 0, -1 }, ANY, ANY }, -1, -1 },
	  false,
	  true },
};

static void test_known(void **state)
{
	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(known); i++) {
		const struct litmus *l = &known[i].l;
		struct outcomes sc = explore(l, 0), tso = explore(l, SLOTS);
		struct outcomes sc_too = enumerate(l, 0), tso_too = enumerate(l, LITMUS_OPS);

		print_message("%s: %u outcomes, %u with store buffers\n", l->name, sc.count,
			      tso.count);
		assert_int_equal(is_possible(&sc, &known[i].asked), known[i].under_sc);
		assert_int_equal(is_possible(&tso, &known[i].asked), known[i].under_tso);
		assert_same(&sc, &sc_too);
		assert_same(&tso, &tso_too);
		free(sc.of);
		free(tso.of);
		free(sc_too.of);
		free(tso_too.of);
	}
}

/* ---- programs that nobody knows -------------------------------------------------------------- */

/* Words of several sizes that overlap, each of them in one granule. */
static struct litmus_op random_op(struct sl_rng *rng, bool sizes)
{
	static const u8 kinds[] = { LITMUS_STORE, LITMUS_STORE, LITMUS_STORE,   LITMUS_RELAXED,
				    LITMUS_LOAD,  LITMUS_LOAD,  LITMUS_LOAD,    LITMUS_LOAD,
				    LITMUS_FENCE, LITMUS_XCHG,  LITMUS_SEQ_CST, LITMUS_MINE };
	u8 size = (u8)(sizes ? 1u << sl_rng_below(rng, 4) : 4u);
	u8 var = (u8)(8 * sl_rng_below(rng, 2));
	u8 within = (u8)(sizes ? sl_rng_below(rng, 8u / size) * size : 0);

	return (struct litmus_op){ .kind = kinds[sl_rng_below(rng, ARRAY_SIZE(kinds))],
				   .at = (u8)(var + within),
				   .size = size,
				   .value = 0x0101010101010101ull * (1 + sl_rng_below(rng, 200)) };
}

static struct litmus random_litmus(struct sl_rng *rng)
{
	struct litmus l = { .name = "random", .lanes = 2 + sl_rng_below(rng, 2) };
	bool sizes = !sl_rng_below(rng, 4);
	u32 most = l.lanes == 2 ? 4 : 3;

	for (u32 i = 0; i < l.lanes; i++) {
		u32 n = 1 + sl_rng_below(rng, most);
		bool shaped = n > 1 && sl_rng_below(rng, 4);

		for (u32 k = 0; k < n; k++) {
			l.op[i][k] = random_op(rng, sizes);
			/* Many store first and load in the end. */
			if (shaped && (!k || k + 1 == n))
				l.op[i][k].kind = k ? LITMUS_LOAD : LITMUS_STORE;
			/* The rest of the register is compared, too. */
			if (l.op[i][k].size < 8)
				l.op[i][k].value &= (1ull << (l.op[i][k].size * 8)) - 1;
		}
	}
	return l;
}

static void test_random(void **state)
{
	struct sl_rng rng = { .state = 7 };
	u32 more = 0;

	(void)state;
	for (u32 i = 0; i < 300; i++) {
		struct litmus l = random_litmus(&rng);
		u32 slots = i % 3 == 2 ? 1 + i % 2 : SLOTS;
		struct outcomes mine = enumerate(&l, slots), sc = enumerate(&l, 0), theirs, all;
		const struct xs_options o = { .seed = i,
					      .store_buffer = slots,
					      .races = true,
					      .no_reduction = i % 5 == 1,
					      .exact = i % 5 == 2,
					      .audit = i % 5 == 3 };
		struct xs_result r;

		theirs = explore_with(&l, &o, &r);
		/* Stores that nobody else can see take no room in a small buffer. */
		all = enumerate(&l, LITMUS_OPS);
		assert_within(&mine, &theirs);
		assert_within(&theirs, &all);
		if (r.limit == XS_COMPLETE)
			assert_same(&all, &theirs);
		assert_true(slots < LITMUS_OPS || r.limit == XS_COMPLETE);
		more += mine.count > sc.count;
		free(mine.of);
		free(sc.of);
		free(theirs.of);
		free(all.of);
	}
	/* Otherwise nothing has been compared. */
	print_message("%u of them end in more ways with store buffers\n", more);
	assert_true(more > 30);
}

/* ---- plain accesses, lengths ----------------------------------------------------------------- */

/*
 * A word that is shared, and that one lane has for itself from a locked instruction on: its plain
 * accesses see its own stores, and those do not come back over later plain ones.
 */
static void test_plain(void **state)
{
	static const struct litmus l = { "plain",
					 2,
					 { { { LITMUS_XCHG, Y, 4, 0 },
					     { LITMUS_UNLESS, 0, 0, 1 },
					     ST(X, 3),
					     { LITMUS_PLAIN_LOAD, X, 4, 0 },
					     { LITMUS_PLAIN, X, 2, 4 },
					     LD(Z) },
					   { ST(X, 5), XCHG(Y, 1), ST(Z, 1) } } };
	struct outcomes tso = explore(&l, SLOTS), mine = enumerate(&l, SLOTS);

	(void)state;
	assert_true(mine.count >= 3);
	assert_same(&mine, &tso);
	free(tso.of);
	free(mine.of);
}

/* Numbers of delayed stores that are said to be too few, and that are not. */
static void test_full(void **state)
{
	static const struct litmus l = {
		"full", 2, { { ST(X, 1), ST(X, 2), ST(Z, 1), LD(Y) }, { ST(Y, 1), LD(X), LD(Z) } }
	};

	(void)state;
	for (u32 slots = 1; slots <= 4; slots++) {
		const struct xs_options o = { .store_buffer = slots };
		struct outcomes mine = enumerate(&l, slots), theirs;
		struct xs_result r;

		theirs = explore_with(&l, &o, &r);
		assert_same(&mine, &theirs);
		assert_int_equal(r.limit, slots < 3 ? XS_LIMIT_STORES : XS_COMPLETE);
		free(mine.of);
		free(theirs.of);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
