/* SPDX-License-Identifier: MIT */
/*
 * test_hplock.c - unit tests of the lock words
 *
 * Method, in this order: every value a word can have against a specification written here, on
 * integers and without the code under test; the known races of the published words, replayed by
 * running one party inside another between two of its atomic steps; the same and many more
 * interleavings on the hardened words under a step checker; and threads.
 *
 * The header's atomics are routed through the shim below, so that a test can act between two steps
 * and see what each step did. Orders are passed on unchanged, which keeps the thread sanitizer
 * honest.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- shim: look before and after every atomic step ------------------------------------------- */

static _Thread_local void (*before_step)(void);
static _Thread_local void (*after_step)(uint64_t old, uint64_t now);

static void step_begins(void)
{
	if (before_step)
		before_step();
}

static void step_ended(uint64_t old, uint64_t now)
{
	if (after_step)
		after_step(old, now);
}

#define RMW(name, bits, op, expression)                                                          \
	static inline uint##bits##_t shim_##name##bits(_Atomic(uint##bits##_t) *p,               \
						       uint##bits##_t value, memory_order order) \
	{                                                                                        \
		uint##bits##_t old;                                                              \
                                                                                                 \
		step_begins();                                                                   \
		if (order == memory_order_relaxed)                                               \
			old = op(p, value, memory_order_relaxed);                                \
		else if (order == memory_order_acquire)                                          \
			old = op(p, value, memory_order_acquire);                                \
		else                                                                             \
			old = op(p, value, memory_order_release);                                \
		step_ended(old, (uint##bits##_t)(expression));                                   \
		return old;                                                                      \
	}

#define CAS(p, expected, desired, order) \
	atomic_compare_exchange_strong_explicit(p, expected, desired, order, memory_order_relaxed)

#define SHIM(bits)                                                                              \
	RMW(exchange, bits, atomic_exchange_explicit, value)                                    \
	RMW(add, bits, atomic_fetch_add_explicit, old + value)                                  \
	RMW(sub, bits, atomic_fetch_sub_explicit, old - value)                                  \
	RMW(or, bits, atomic_fetch_or_explicit, old | value)                                    \
	RMW(and, bits, atomic_fetch_and_explicit, old &value)                                   \
	RMW(xor, bits, atomic_fetch_xor_explicit, old ^ value)                                  \
	static inline uint##bits##_t shim_load##bits(_Atomic(uint##bits##_t) *p)                \
	{                                                                                       \
		uint##bits##_t old;                                                             \
                                                                                                \
		step_begins();                                                                  \
		old = atomic_load_explicit(p, memory_order_relaxed);                            \
		step_ended(old, old);                                                           \
		return old;                                                                     \
	}                                                                                       \
	static inline void shim_store##bits(_Atomic(uint##bits##_t) *p, uint##bits##_t value)   \
	{                                                                                       \
		uint##bits##_t old;                                                             \
                                                                                                \
		step_begins();                                                                  \
		old = after_step ? atomic_load_explicit(p, memory_order_relaxed) : value;       \
		atomic_store_explicit(p, value, memory_order_release);                          \
		step_ended(old, value);                                                         \
	}                                                                                       \
	static inline bool shim_cas##bits(_Atomic(uint##bits##_t) *p, uint##bits##_t *expected, \
					  uint##bits##_t desired, memory_order order)           \
	{                                                                                       \
		bool done;                                                                      \
                                                                                                \
		step_begins();                                                                  \
		if (order == memory_order_relaxed)                                              \
			done = CAS(p, expected, desired, memory_order_relaxed);                 \
		else if (order == memory_order_acquire)                                         \
			done = CAS(p, expected, desired, memory_order_acquire);                 \
		else                                                                            \
			done = CAS(p, expected, desired, memory_order_release);                 \
		step_ended(*expected, done ? desired : *expected);                              \
		return done;                                                                    \
	}

SHIM(8)
SHIM(16)
SHIM(64)

#define PICK(name, p) \
	_Generic((p), _Atomic(uint8_t) *                                                           \
		 : shim_##name##8, _Atomic(uint16_t) *                                             \
		 : shim_##name##16, _Atomic(uint64_t) *                                            \
		 : shim_##name##64)

#undef atomic_load_explicit
#undef atomic_store_explicit
#undef atomic_exchange_explicit
#undef atomic_compare_exchange_strong_explicit
#undef atomic_fetch_add_explicit
#undef atomic_fetch_sub_explicit
#undef atomic_fetch_or_explicit
#undef atomic_fetch_and_explicit
#undef atomic_fetch_xor_explicit
#define atomic_load_explicit(p, order)            PICK(load, p)(p)
#define atomic_store_explicit(p, value, order)    PICK(store, p)(p, value)
#define atomic_exchange_explicit(p, value, order) PICK(exchange, p)(p, value, order)
#define atomic_compare_exchange_strong_explicit(p, expected, desired, order, failure) \
	PICK(cas, p)(p, expected, desired, order)
#define atomic_fetch_add_explicit(p, value, order) PICK(add, p)(p, value, order)
#define atomic_fetch_sub_explicit(p, value, order) PICK(sub, p)(p, value, order)
#define atomic_fetch_or_explicit(p, value, order)  PICK(or, p)(p, value, order)
#define atomic_fetch_and_explicit(p, value, order) PICK(and, p)(p, value, order)
#define atomic_fetch_xor_explicit(p, value, order) PICK(xor, p)(p, value, order)

#include <seamlab/hplock.h>

static _Thread_local unsigned int misuse_count;

void hp_misuse(const char *what)
{
	assert_non_null(what);
	misuse_count++;
}

/* ---- one operation on one word --------------------------------------------------------------- */

enum op { TRY_SH, TRY_EX, PROMOTE, DEMOTE, REL_SH, REL_EX, WITHDRAW, OP_COUNT };

enum kind { SX_PUB, SX_HARD, HP_PUB, HP_HARD };

static const char *const op_name[] = { "try_sh", "try_ex", "promote", "demote",
				       "rel_sh", "rel_ex", "withdraw" };

/* Result of an operation that returns nothing. */
#define NONE (-1)

struct outcome {
	int result;
	bool misuse;
	uint64_t word;
};

static int do_sharex(bool published, sharex_t *l, enum op op)
{
	switch (op) {
	case TRY_SH:
		return (int)(published ? sharex_try_shared_published(l) : sharex_try_shared(l));
	case TRY_EX:
		return (int)(published ? sharex_try_exclusive_published(l)
				       : sharex_try_exclusive(l));
	case PROMOTE:
		return (int)(published ? sharex_try_promote_published(l) : sharex_try_promote(l));
	case DEMOTE:
		published ? sharex_demote_published(l) : sharex_demote(l);
		return NONE;
	case REL_SH:
		published ? sharex_release_shared_published(l) : sharex_release_shared(l);
		return NONE;
	default:
		published ? sharex_release_exclusive_published(l) : sharex_release_exclusive(l);
		return NONE;
	}
}

static int do_sharex_hp(bool published, sharex_hp_t *l, enum op op, enum hp_side side)
{
	switch (op) {
	case TRY_SH:
		return (int)(published ? sharex_hp_try_shared_published(l, side)
				       : sharex_hp_try_shared(l, side));
	case TRY_EX:
		return (int)(published ? sharex_hp_try_exclusive_published(l, side)
				       : sharex_hp_try_exclusive(l, side));
	case PROMOTE:
		return (int)(published ? sharex_hp_try_promote_published(l)
				       : sharex_hp_try_promote(l));
	case REL_SH:
		published ? sharex_hp_release_shared_published(l) : sharex_hp_release_shared(l);
		return NONE;
	case REL_EX:
		published ? sharex_hp_release_exclusive_published(l)
			  : sharex_hp_release_exclusive(l);
		return NONE;
	default:
		sharex_hp_withdraw(l);
		return NONE;
	}
}

static bool is_published(enum kind kind)
{
	return kind == SX_PUB || kind == HP_PUB;
}

static struct outcome act(enum kind kind, enum op op, enum hp_side side, uint16_t word)
{
	struct outcome out;

	misuse_count = 0;
	if (kind == SX_PUB || kind == SX_HARD) {
		sharex_t l = { word };

		out.result = do_sharex(is_published(kind), &l, op);
		out.word = l.word;
	} else {
		sharex_hp_t l = { word };

		out.result = do_sharex_hp(is_published(kind), &l, op, side);
		out.word = l.word;
	}
	assert_true(misuse_count <= 1);
	out.misuse = misuse_count == 1;
	return out;
}

/* ---- the specification, on integers ---------------------------------------------------------- */

static struct outcome outcome(int result, long word, bool misuse)
{
	return (struct outcome){ result, misuse, (uint64_t)((word + 65536) % 65536) };
}

/* Plain sharex as the published steps leave it: exclusive = odd, one reader = 2. */
static struct outcome spec_sharex_published(enum op op, long w)
{
	long ex = w % 2, n = w / 2;

	switch (op) {
	case TRY_SH:
		if (w == 65534)
			return outcome(HP_BUSY, w + 2, true);
		return outcome(ex ? HP_BUSY : HP_OK, w + 2, false);
	case TRY_EX:
		return w == 0 ? outcome(HP_OK, 1, false) : outcome(HP_BUSY, w, false);
	case PROMOTE:
		if (ex || w == 0)
			return outcome(HP_BUSY, w, true);
		return n == 1 ? outcome(HP_OK, 1, false) : outcome(HP_BUSY, w, false);
	case DEMOTE:
		return outcome(NONE, 2, !ex);
	case REL_SH:
		return outcome(NONE, w - 2, ex || n == 0);
	default:
		return outcome(NONE, 0, !ex);
	}
}

static struct outcome spec_sharex_hardened(enum op op, long w)
{
	struct outcome out = spec_sharex_published(op, w);

	if (out.misuse || (out.result == HP_BUSY))
		out.word = (uint64_t)w;
	return out;
}

/*
 * sharex_hp as the published steps leave it, one party alone: bit 0 ex, bit 1 priority, then
 * readers.
 */
static struct outcome spec_hp_published(enum op op, enum hp_side side, long w)
{
	long ex = w % 2, hp = w / 2 % 2, n = w / 4;
	bool host = side == HP_HOST;

	switch (op) {
	case TRY_SH:
		if (host && ex)
			return outcome(HP_BUSY, w + 4 + (hp ? 0 : 2), false);
		if (!host && hp)
			return outcome(HP_BUSY_HOST_PRIORITY, w, false);
		if (!host && ex)
			return outcome(HP_BUSY, w + 4, false);
		return outcome(n == 16383 ? HP_BUSY : HP_OK, w + 4 - (hp ? 2 : 0), n == 16383);
	case TRY_EX:
		if (w == 0 || (w == 2 && host))
			return outcome(HP_OK, 1, false);
		if (w == 2)
			return outcome(HP_BUSY_HOST_PRIORITY, w, false);
		return outcome(HP_BUSY, host && !hp ? w + 2 : w, false);
	case PROMOTE:
		if (ex || w == 0)
			return outcome(HP_BUSY, w, true);
		if (n == 1)
			return outcome(HP_OK, 1, false);
		return outcome(HP_BUSY, hp ? w : w + 2, false);
	case REL_SH:
		return outcome(NONE, w - 4, ex || n == 0);
	default:
		return outcome(NONE, ex ? hp * 2 : w, !ex);
	}
}

/*
 * The state table of the documentation, with the one deviation of the hardened flavour: a guest
 * that wants exclusive hears of host priority whenever it stands. First letter: Ok, Busy, Priority;
 * second: host priority afterwards kept (=), set (+) or cleared (-).
 */
enum column { FREE_0, FREE_1, READ_0, READ_1, EX_0, EX_1 };

static const char *const state_table[2][4][6] = {
	/* published: host SH, guest SH, host EX, guest EX */
	{
		{ "O=", "O-", "O=", "O-", "B+", "B=" },
		{ "O=", "P=", "O=", "P=", "B=", "P=" },
		{ "O=", "O-", "B+", "B=", "B+", "B=" },
		{ "O=", "P=", "B=", "B=", "B=", "B=" },
	},
	/* hardened */
	{
		{ "O=", "O-", "O=", "O-", "B+", "B=" },
		{ "O=", "P=", "O=", "P=", "B=", "P=" },
		{ "O=", "O-", "B+", "B=", "B+", "B=" },
		{ "O=", "P=", "B=", "P=", "B=", "P=" },
	},
};

static const char *cell(bool hardened, enum op op, enum hp_side side, long w)
{
	int row = (op == TRY_EX ? 2 : 0) + (side == HP_GUEST ? 1 : 0);
	int column = (w % 2 ? EX_0 : w / 4 ? READ_0 : FREE_0) + (int)(w / 2 % 2);

	return state_table[hardened][row][column];
}

static int letter_result(char letter)
{
	return letter == 'O' ? HP_OK : letter == 'B' ? HP_BUSY : HP_BUSY_HOST_PRIORITY;
}

static struct outcome spec_hp_hardened(enum op op, enum hp_side side, long w)
{
	long ex = w % 2, hp = w / 2 % 2, n = w / 4;
	const char *c;

	switch (op) {
	case TRY_SH:
	case TRY_EX:
		c = cell(true, op, side, w);
		if (op == TRY_SH && c[0] == 'O' && n == 16383)
			return outcome(HP_BUSY, w, true);
		hp = c[1] == '+' ? 1 : c[1] == '-' ? 0 : hp;
		if (c[0] == 'O')
			w = op == TRY_SH ? 4 * (n + 1) + 2 * hp : 1 + 2 * hp;
		else
			w = 4 * n + 2 * hp + ex;
		return outcome(letter_result(c[0]), w, false);
	case PROMOTE:
		if (ex || n == 0)
			return outcome(HP_BUSY, w, true);
		return n == 1 ? outcome(HP_OK, 1, false) : outcome(HP_BUSY, 4 * n + 2, false);
	case REL_SH:
		return ex || n == 0 ? outcome(NONE, w, true) : outcome(NONE, w - 4, false);
	case REL_EX:
		return ex ? outcome(NONE, 2 * hp, false) : outcome(NONE, w, true);
	default:
		return outcome(NONE, 4 * n + ex, false);
	}
}

static struct outcome spec(enum kind kind, enum op op, enum hp_side side, long w)
{
	switch (kind) {
	case SX_PUB:
		return spec_sharex_published(op, w);
	case SX_HARD:
		return spec_sharex_hardened(op, w);
	case HP_PUB:
		return spec_hp_published(op, side, w);
	default:
		return spec_hp_hardened(op, side, w);
	}
}

static bool has_op(enum kind kind, enum op op, enum hp_side side)
{
	switch (op) {
	case DEMOTE:
		return kind == SX_PUB || kind == SX_HARD;
	case PROMOTE:
		return side == HP_HOST;
	case WITHDRAW:
		return kind == HP_HARD && side == HP_HOST;
	default:
		return true;
	}
}

static void check_every_word(enum kind kind)
{
	for (int op = 0; op < OP_COUNT; op++) {
		for (int side = HP_HOST; side <= HP_GUEST; side++) {
			if (!has_op(kind, (enum op)op, (enum hp_side)side))
				continue;
			for (long w = 0; w <= 0xFFFF; w++) {
				struct outcome want =
					spec(kind, (enum op)op, (enum hp_side)side, w);
				struct outcome got =
					act(kind, (enum op)op, (enum hp_side)side, (uint16_t)w);

				if (got.result != want.result || got.word != want.word ||
				    got.misuse != want.misuse)
					fail_msg("kind %d %s side %d word %#lx: got %d %#lx %d, "
						 "want %d %#lx %d",
						 kind, op_name[op], side, w, got.result,
						 (unsigned long)got.word, got.misuse, want.result,
						 (unsigned long)want.word, want.misuse);
			}
		}
	}
}

static void sharex_published_every_word(void **state)
{
	(void)state;
	check_every_word(SX_PUB);
}

static void sharex_hardened_every_word(void **state)
{
	(void)state;
	check_every_word(SX_HARD);
}

static void sharex_hp_published_every_word(void **state)
{
	(void)state;
	check_every_word(HP_PUB);
}

static void sharex_hp_hardened_every_word(void **state)
{
	(void)state;
	check_every_word(HP_HARD);
}

/* The state table holds for both flavours on every word a correct history can leave. */
static void sharex_hp_state_table(void **state)
{
	(void)state;
	for (int hardened = 0; hardened < 2; hardened++) {
		for (long w = 0; w < 65536 - 4; w++) {
			if (w % 2 && w / 4)
				continue;
			for (int op = TRY_SH; op <= TRY_EX; op++) {
				for (int side = HP_HOST; side <= HP_GUEST; side++) {
					const char *c =
						cell(hardened, (enum op)op, (enum hp_side)side, w);
					struct outcome got =
						act(hardened ? HP_HARD : HP_PUB, (enum op)op,
						    (enum hp_side)side, (uint16_t)w);
					long hp = c[1] == '+' ? 1 : c[1] == '-' ? 0 : w / 2 % 2;

					assert_int_equal(got.result, letter_result(c[0]));
					assert_int_equal(got.word / 2 % 2, hp);
				}
			}
		}
	}
}

static bool is_free(long w)
{
	return w % 2 == 0 && w / 4 == 0;
}

static void sharex_hp_hardened_invariants(void **state)
{
	(void)state;
	for (int op = 0; op < OP_COUNT; op++) {
		for (int side = HP_HOST; side <= HP_GUEST; side++) {
			if (!has_op(HP_HARD, (enum op)op, (enum hp_side)side))
				continue;
			for (long w = 0; w <= 0xFFFF; w++) {
				struct outcome got =
					act(HP_HARD, (enum op)op, (enum hp_side)side, (uint16_t)w);
				bool was = w / 2 % 2, is = got.word / 2 % 2;
				bool host_won = side == HP_HOST && got.result == HP_OK;
				bool tries = op == TRY_SH || op == TRY_EX || op == PROMOTE;

				if (tries && side == HP_GUEST && got.result != HP_OK)
					assert_int_equal(got.word, w);
				if (got.misuse)
					assert_int_equal(got.word, w);
				if (was && !is)
					assert_true(host_won || op == WITHDRAW);
				if (!was && is) {
					assert_true(side == HP_HOST && got.result == HP_BUSY);
					assert_false(is_free((long)got.word));
				}
				if (tries && side == HP_GUEST && was)
					assert_int_equal(got.result, HP_BUSY_HOST_PRIORITY);
				if (tries && side == HP_HOST && got.result != HP_OK && !got.misuse)
					assert_true(is);
				if (host_won)
					assert_false(is);
			}
		}
	}
}

static void mutex_every_word(void **state)
{
	(void)state;
	for (int published = 0; published < 2; published++) {
		for (int w = 0; w < 256; w++) {
			hp_mutex_t l = { (uint8_t)w };
			enum hp_result got;

			misuse_count = 0;
			got = published ? hp_mutex_try_lock_published(&l) : hp_mutex_try_lock(&l);
			assert_int_equal(got, w == 0 ? HP_OK : HP_BUSY);
			assert_int_equal(l.word, w == 0 ? 1 : w);
			assert_int_equal(misuse_count, 0);

			l.word = (uint8_t)w;
			published ? hp_mutex_unlock_published(&l) : hp_mutex_unlock(&l);
			assert_int_equal(l.word, w == 1 ? 0 : w);
			assert_int_equal(misuse_count, w == 1 ? 0 : 1);
		}
	}
}

/* ---- the entry lock -------------------------------------------------------------------------- */

static uint64_t splitmix(uint64_t *s)
{
	uint64_t z = *s += 0x9E3779B97F4A7C15u;

	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
	return z ^ (z >> 31);
}

/*
 * Put the two lock bits into an entry, written with powers of two rather than the header's names.
 */
static uint64_t with_bits(uint64_t rest, int tdel, int hp)
{
	rest &= ~((uint64_t)2048 | 4503599627370496u);
	return rest + (tdel ? 2048u : 0) + (hp ? 4503599627370496u : 0);
}

static void check_entry(bool published, uint64_t rest, int tdel, int hp)
{
	_Atomic(uint64_t) e = with_bits(rest, tdel, hp);
	enum hp_result got;

	misuse_count = 0;
	got = published ? sept_entry_try_lock_published(&e, HP_HOST)
			: sept_entry_try_lock(&e, HP_HOST);
	assert_int_equal(got, tdel ? HP_BUSY : HP_OK);
	assert_int_equal(e, tdel ? with_bits(rest, 1, 1) : with_bits(rest, 1, 0));

	e = with_bits(rest, tdel, hp);
	got = published ? sept_entry_try_lock_published(&e, HP_GUEST)
			: sept_entry_try_lock(&e, HP_GUEST);
	if (tdel && published)
		assert_int_equal(got, HP_BUSY);
	else
		assert_int_equal(got, hp ? HP_BUSY_HOST_PRIORITY : tdel ? HP_BUSY : HP_OK);
	assert_int_equal(e, with_bits(rest, tdel || got == HP_OK, hp));
	assert_int_equal(misuse_count, 0);

	e = with_bits(rest, tdel, hp);
	published ? sept_entry_unlock_published(&e) : sept_entry_unlock(&e);
	assert_int_equal(e, with_bits(rest, 0, hp));
	assert_int_equal(misuse_count, tdel ? 0 : 1);

	e = with_bits(rest, tdel, hp);
	sept_entry_withdraw(&e);
	assert_int_equal(e, with_bits(rest, tdel, 0));
}

static void check_commit(bool published, uint64_t rest, uint64_t value, int tdel, int hp)
{
	for (int bits = 0; bits < 4; bits++) {
		for (int keep = 0; keep < 2; keep++) {
			_Atomic(uint64_t) e = with_bits(rest, tdel, hp);
			uint64_t store = with_bits(value, bits & 1, bits >> 1);

			misuse_count = 0;
			if (published)
				sept_entry_commit_published(&e, store, keep);
			else
				sept_entry_commit(&e, store, keep);
			assert_int_equal(e, with_bits(value, keep, published ? bits >> 1 : hp));
			assert_int_equal(misuse_count, 0);
			/* The published one of later releases. */
			e = with_bits(rest, tdel, hp);
			sept_entry_commit_keeping_published(&e, store, keep);
			assert_int_equal(e, with_bits(value, keep, hp));
		}
	}
}

static void entry_every_combination(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (int round = 0; round < 2048; round++) {
		uint64_t rest = round == 0 ? 0 : round == 1 ? UINT64_MAX : splitmix(&seed);
		uint64_t value = round == 0 ? UINT64_MAX : round == 1 ? 0 : splitmix(&seed);

		for (int bits = 0; bits < 4; bits++) {
			for (int published = 0; published < 2; published++) {
				check_entry(published, rest, bits & 1, bits >> 1);
				check_commit(published, rest, value, bits & 1, bits >> 1);
			}
		}
	}
}

/* ---- the races of the published words -------------------------------------------------------- */

/* Run intruder() once, right before step number intrude_at (from 0) of what is called next. */
static void (*intruder)(void);
static int intrude_at;
static int steps_seen;

static void intrude(void)
{
	if (steps_seen++ == intrude_at) {
		before_step = NULL;
		intruder();
		before_step = intrude;
	}
}

static void arrange(int at, void (*run)(void))
{
	intruder = run;
	intrude_at = at;
	steps_seen = 0;
	before_step = intrude;
}

static void calm(void)
{
	before_step = NULL;
}

static sharex_hp_t word_lock;
static bool flavour_published;
static int intruder_result;

static int on_word(enum op op, enum hp_side side)
{
	return do_sharex_hp(flavour_published, &word_lock, op, side);
}

static void word_rel_ex(void)
{
	on_word(REL_EX, HP_HOST);
}

static void word_rel_ex_host_sh(void)
{
	on_word(REL_EX, HP_HOST);
	intruder_result = on_word(TRY_SH, HP_HOST);
}

static void word_host_ex(void)
{
	intruder_result = on_word(TRY_EX, HP_HOST);
}

static void word_host_sh(void)
{
	intruder_result = on_word(TRY_SH, HP_HOST);
}

static void word_promote(void)
{
	intruder_result = on_word(PROMOTE, HP_HOST);
}

/* Run @op with @run between two of its steps, starting from @word. */
static int word_race(bool published, uint16_t word, enum op op, enum hp_side side, int at,
		     void (*run)(void))
{
	int result;

	flavour_published = published;
	word_lock.word = word;
	misuse_count = 0;
	arrange(at, run);
	result = on_word(op, side);
	calm();
	return result;
}

/* A guest's back-off meets an exclusive release: the count underflows, or a live reader is lost. */
static void f1_backoff_meets_release(void **state)
{
	(void)state;
	assert_int_equal(word_race(true, 3, TRY_SH, HP_GUEST, 1, word_rel_ex),
			 HP_BUSY_HOST_PRIORITY);
	assert_int_equal(word_lock.word, 0xFFFE);
	assert_int_equal(on_word(TRY_EX, HP_HOST), HP_BUSY);
	assert_int_equal(on_word(TRY_EX, HP_GUEST), HP_BUSY);
	assert_int_equal(on_word(TRY_SH, HP_GUEST), HP_BUSY_HOST_PRIORITY);
	assert_int_equal(misuse_count, 0);
	on_word(TRY_SH, HP_HOST);
	assert_int_equal(misuse_count, 1);

	word_race(true, 3, TRY_SH, HP_GUEST, 1, word_rel_ex_host_sh);
	assert_int_equal(intruder_result, HP_OK);
	assert_int_equal(word_lock.word, 0);
	assert_int_equal(on_word(TRY_EX, HP_HOST), HP_OK);

	for (int at = 0; at < 4; at++) {
		word_race(false, 3, TRY_SH, HP_GUEST, at, word_rel_ex);
		assert_int_equal(word_lock.word, at < steps_seen ? 2 : 3);
		word_race(false, 3, TRY_SH, HP_GUEST, at, word_rel_ex_host_sh);
		if (at < steps_seen) {
			assert_int_equal(intruder_result, HP_OK);
			assert_int_equal(word_lock.word & SHAREX_HP_READERS, at == 0 ? 4 + 4 : 4);
		}
		assert_int_equal(misuse_count, 0);
	}
}

/* A guest that is backing off because of a host makes that very host fail. */
static void f2_transient_count(void **state)
{
	(void)state;
	word_race(true, 2, TRY_SH, HP_GUEST, 1, word_host_ex);
	assert_int_equal(intruder_result, HP_BUSY);
	word_race(true, 6, TRY_SH, HP_GUEST, 1, word_promote);
	assert_int_equal(intruder_result, HP_BUSY);
	for (int at = 0; at < 4; at++) {
		intruder_result = HP_OK;
		word_race(false, 2, TRY_SH, HP_GUEST, at, word_host_ex);
		assert_int_equal(intruder_result, HP_OK);
		word_race(false, 6, TRY_SH, HP_GUEST, at, word_promote);
		assert_int_equal(intruder_result, HP_OK);
	}
}

/* A host that loses the second try to another host leaves without asking again. */
static void f3_second_try(void **state)
{
	(void)state;
	assert_int_equal(word_race(true, 2, TRY_EX, HP_HOST, 1, word_host_ex), HP_BUSY);
	assert_int_equal(intruder_result, HP_OK);
	assert_int_equal(word_lock.word, 1);
	for (int at = 0; at < 3; at++) {
		int result = word_race(false, 2, TRY_EX, HP_HOST, at, word_host_ex);
		bool beaten = at < steps_seen && intruder_result == HP_OK;

		assert_int_equal(result, beaten ? HP_BUSY : HP_OK);
		if (result == HP_BUSY)
			assert_int_equal(word_lock.word, 3);
	}

	/* The same for promotion: a second host shares, which clears the request. */
	assert_int_equal(word_race(true, 6, PROMOTE, HP_HOST, 1, word_host_sh), HP_BUSY);
	assert_int_equal(intruder_result, HP_OK);
	assert_int_equal(word_lock.word, 8);
	for (int at = 0; at < 2; at++) {
		assert_int_equal(word_race(false, 6, PROMOTE, HP_HOST, at, word_host_sh), HP_BUSY);
		assert_int_equal(intruder_result, HP_OK);
		assert_int_equal(word_lock.word, 10);
	}
}

static _Atomic(uint64_t) entry;

static int on_entry(enum hp_side side)
{
	return (int)(flavour_published ? sept_entry_try_lock_published(&entry, side)
				       : sept_entry_try_lock(&entry, side));
}

static void entry_unlock(void)
{
	flavour_published ? sept_entry_unlock_published(&entry) : sept_entry_unlock(&entry);
}

static void entry_host(void)
{
	intruder_result = on_entry(HP_HOST);
}

static int entry_race(bool published, uint64_t value, enum hp_side side, int at, void (*run)(void))
{
	int result;

	flavour_published = published;
	entry = value;
	misuse_count = 0;
	arrange(at, run);
	result = on_entry(side);
	calm();
	return result;
}

/*
 * A refused host sets priority on a lock that has become free, and guests stay out of a free lock.
 */
static void f4_stale_priority(void **state)
{
	(void)state;
	assert_int_equal(word_race(true, 1, TRY_EX, HP_HOST, 1, word_rel_ex), HP_BUSY);
	assert_int_equal(word_lock.word, 2);
	assert_int_equal(on_word(TRY_EX, HP_GUEST), HP_BUSY_HOST_PRIORITY);
	assert_int_equal(entry_race(true, SEPT_ENTRY_TDEL, HP_HOST, 1, entry_unlock), HP_BUSY);
	assert_int_equal(entry, SEPT_ENTRY_HP);
	assert_int_equal(on_entry(HP_GUEST), HP_BUSY_HOST_PRIORITY);

	for (int at = 0; at < 2; at++) {
		assert_int_equal(word_race(false, 1, TRY_EX, HP_HOST, at, word_rel_ex), HP_OK);
		assert_int_equal(word_lock.word, 1);
		assert_int_equal(word_race(false, 1, TRY_SH, HP_HOST, at, word_rel_ex), HP_OK);
		assert_int_equal(word_lock.word, 4);
		assert_int_equal(entry_race(false, SEPT_ENTRY_TDEL, HP_HOST, at, entry_unlock),
				 HP_OK);
		assert_int_equal(entry, SEPT_ENTRY_TDEL);
	}
}

/* The acquirer's separate clearing erases a request that was made after it acquired. */
static void f5_request_erased(void **state)
{
	(void)state;
	assert_int_equal(entry_race(true, 0, HP_HOST, 1, entry_host), HP_OK);
	assert_int_equal(intruder_result, HP_BUSY);
	assert_int_equal(entry, SEPT_ENTRY_TDEL);
	assert_int_equal(word_race(true, 2, TRY_SH, HP_HOST, 1, word_host_ex), HP_OK);
	assert_int_equal(intruder_result, HP_BUSY);
	assert_int_equal(word_lock.word, 4);

	/*
	 * In one step there is no such moment; a request before or after it is a request that
	 * stands.
	 */
	for (int at = 0; at < 3; at++) {
		int result = entry_race(false, 0, HP_HOST, at, entry_host);

		if (at < steps_seen) {
			assert_int_equal(intruder_result, HP_OK);
			assert_int_equal(result, HP_BUSY);
			assert_int_equal(entry, SEPT_ENTRY_TDEL | SEPT_ENTRY_HP);
		}
	}
}

/* A guest that holds the entry for the moment of its own refusal refuses a host. */
static void f6_transient_entry_lock(void **state)
{
	(void)state;
	assert_int_equal(entry_race(true, SEPT_ENTRY_HP, HP_GUEST, 1, entry_host),
			 HP_BUSY_HOST_PRIORITY);
	assert_int_equal(intruder_result, HP_BUSY);
	for (int at = 0; at < 3; at++) {
		intruder_result = HP_OK;
		entry_race(false, SEPT_ENTRY_HP, HP_GUEST, at, entry_host);
		assert_int_equal(intruder_result, HP_OK);
	}
}

/* The holder's store of a copy erases a request, or brings one back. */
static void f7_f8_commit_of_a_copy(void **state)
{
	uint64_t copy;

	(void)state;
	for (int published = 0; published < 2; published++) {
		flavour_published = published;
		entry = 0x7000;
		assert_int_equal(on_entry(HP_GUEST), HP_OK);
		copy = entry;
		assert_int_equal(on_entry(HP_HOST), HP_BUSY);
		if (published)
			sept_entry_commit_published(&entry, copy | 7, true);
		else
			sept_entry_commit(&entry, copy | 7, true);
		entry_unlock();
		assert_int_equal(entry, 0x7007 | (published ? 0 : SEPT_ENTRY_HP));
		assert_int_equal(on_entry(HP_GUEST), published ? HP_OK : HP_BUSY_HOST_PRIORITY);

		/* A new entry made from a parent's copy in which a request stands. */
		entry = 0;
		copy = SEPT_ENTRY_HP | 0x8000;
		if (published)
			sept_entry_commit_published(&entry, copy, false);
		else
			sept_entry_commit(&entry, copy, false);
		assert_int_equal(on_entry(HP_GUEST), published ? HP_BUSY_HOST_PRIORITY : HP_OK);
	}

	/* A request in the middle of the hardened commit stays, too. */
	for (int at = 0; at < 2; at++) {
		flavour_published = false;
		entry = SEPT_ENTRY_TDEL | 0x7000;
		arrange(at, entry_host);
		sept_entry_commit(&entry, 0x9007, true);
		calm();
		assert_int_equal(entry, SEPT_ENTRY_TDEL | SEPT_ENTRY_HP | 0x9007);
	}
	/* So it does in the published commit of later releases, which goes round once more for it. */
	for (int at = 0; at < 2; at++) {
		flavour_published = true;
		entry = SEPT_ENTRY_TDEL | 0x7000;
		arrange(at, entry_host);
		sept_entry_commit_keeping_published(&entry, 0x9007, at);
		calm();
		assert_int_equal(entry, (at ? SEPT_ENTRY_TDEL : 0) | SEPT_ENTRY_HP | 0x9007);
	}
}

/* ---- hardened: every way to run up to two operations inside a third -------------------------- */

/*
 * Five parties, three hosts and two guests, each with at most one hold. One runs an operation;
 * before one of the atomic steps a second party runs one of its own from end to end, and before a
 * later step (of either) a third does. The checker below judges every step and every result.
 */
#define PARTY_COUNT 5
#define HOST_COUNT  3

enum hold { HOLD_NONE, HOLD_SH, HOLD_EX };

struct frame {
	struct frame *outer;
	int party;
	enum op op;
	uint64_t last; /* what the latest step of this operation left or saw */
	unsigned int write_count;
	bool cleared;
};

static struct frame *frame;
static enum hold hold_of[PARTY_COUNT];
static bool on_entry_word; /* the object is the entry, not the sharex_hp */
static unsigned int choices[6];
static int step_index;
static unsigned long runs;

static uint64_t hp_bit(void)
{
	return on_entry_word ? SEPT_ENTRY_HP : SHAREX_HP_PRIORITY;
}

static enum hp_side side_of(int party)
{
	return party < HOST_COUNT ? HP_HOST : HP_GUEST;
}

/* Is a word held against @f's operation? */
static bool is_refused(const struct frame *f, uint64_t word)
{
	if (on_entry_word)
		return word & SEPT_ENTRY_TDEL;
	switch (f->op) {
	case TRY_SH:
		return word % 2 == 1;
	case PROMOTE:
		return word / 4 != 1;
	default:
		return word % 2 == 1 || word / 4 != 0;
	}
}

static void judge_step(uint64_t old, uint64_t now)
{
	struct frame *f = frame;

	f->last = now;
	if (old == now)
		return;
	f->write_count++;
	if (!(old & hp_bit()) && (now & hp_bit())) {
		assert_int_equal(side_of(f->party), HP_HOST);
		assert_true(is_refused(f, old));
	}
	if ((old & hp_bit()) && !(now & hp_bit()))
		f->cleared = true;
	if ((old & hp_bit()) && side_of(f->party) == HP_GUEST)
		assert_true(f->op == REL_SH || f->op == REL_EX || f->op == DEMOTE);
}

static void judge_world(void)
{
	unsigned int readers = 0, writers = 0;

	for (int p = 0; p < PARTY_COUNT; p++) {
		readers += hold_of[p] == HOLD_SH;
		writers += hold_of[p] == HOLD_EX;
	}
	assert_true(writers <= 1 && !(writers && readers));
	assert_int_equal(misuse_count, 0);
}

/* The word counts exactly the holds; only right when no operation is half-way. */
static void judge_rest(void)
{
	unsigned int want = 0;

	for (int p = 0; p < PARTY_COUNT; p++)
		want += hold_of[p] == HOLD_SH ? 4 : hold_of[p] == HOLD_EX ? 1 : 0;
	if (on_entry_word)
		assert_int_equal(entry & SEPT_ENTRY_TDEL, want ? SEPT_ENTRY_TDEL : 0);
	else
		assert_int_equal(word_lock.word & ~SHAREX_HP_PRIORITY, want);
}

static bool may(int party, enum op op)
{
	switch (op) {
	case TRY_SH:
		return !on_entry_word && hold_of[party] == HOLD_NONE;
	case TRY_EX:
		return hold_of[party] == HOLD_NONE;
	case PROMOTE:
		return !on_entry_word && side_of(party) == HP_HOST && hold_of[party] == HOLD_SH;
	case DEMOTE: /* for the entry: commit and stay locked */
		return on_entry_word && hold_of[party] == HOLD_EX;
	case REL_SH: /* for the entry: commit and unlock */
		return on_entry_word ? hold_of[party] == HOLD_EX : hold_of[party] == HOLD_SH;
	case REL_EX:
		return hold_of[party] == HOLD_EX;
	default:
		return side_of(party) == HP_HOST && hold_of[party] == HOLD_NONE;
	}
}

/* Does the object in hand have such an operation at all? */
static bool exists(enum op op)
{
	return on_entry_word ? op != TRY_SH && op != PROMOTE : op != DEMOTE;
}

static int call(int party, enum op op)
{
	uint64_t value = 0x1000u * (uint64_t)(party + 1) + (op == DEMOTE ? 1 : 0);

	if (!on_entry_word)
		return do_sharex_hp(false, &word_lock, op, side_of(party));
	switch (op) {
	case TRY_EX:
		return (int)sept_entry_try_lock(&entry, side_of(party));
	case DEMOTE:
		sept_entry_commit(&entry, value | SEPT_ENTRY_HP, true);
		assert_int_equal(entry & ~(SEPT_ENTRY_HP | SEPT_ENTRY_TDEL), value);
		return NONE;
	case REL_SH:
		sept_entry_commit(&entry, value, false);
		return NONE;
	case REL_EX:
		sept_entry_unlock(&entry);
		return NONE;
	default:
		sept_entry_withdraw(&entry);
		return NONE;
	}
}

static bool is_releasing(enum op op)
{
	return op == REL_SH || op == REL_EX;
}

static void perform(int party, enum op op)
{
	struct frame f = { .outer = frame, .party = party, .op = op };
	bool host = side_of(party) == HP_HOST;
	int result;

	/* A hold ends when its release begins and starts when its try returns. */
	if (is_releasing(op))
		hold_of[party] = HOLD_NONE;
	frame = &f;
	result = call(party, op);
	frame = f.outer;
	if (result == HP_OK)
		hold_of[party] = op == TRY_SH ? HOLD_SH : HOLD_EX;
	if (f.cleared)
		assert_true(op == WITHDRAW || (host && result == HP_OK));
	if (!host && result > HP_OK) {
		assert_int_equal(f.write_count, 0);
		assert_int_equal(result == HP_BUSY_HOST_PRIORITY, !!(f.last & hp_bit()));
	}
	if (host && result > HP_OK) {
		assert_int_equal(result, HP_BUSY);
		assert_true(f.last & hp_bit());
		assert_true(is_refused(&f, f.last));
	}
	if (host && result == HP_OK)
		assert_false(f.last & hp_bit());
	judge_world();
}

static bool is_in_call(int party)
{
	for (struct frame *f = frame; f; f = f->outer) {
		if (f->party == party)
			return true;
	}
	return false;
}

/* choices: two of (step, party, op); an intrusion that is not possible is skipped. */
static void interleave(void)
{
	int index = step_index++;

	for (int i = 0; i < 2; i++) {
		unsigned int *c = &choices[3 * i];

		if ((int)c[0] != index)
			continue;
		c[0] = UINT32_MAX >> 1;
		if (!is_in_call((int)c[1]) && may((int)c[1], (enum op)c[2]))
			perform((int)c[1], (enum op)c[2]);
	}
}

/* Start of a run: who holds what, and whether a host waits. */
static bool set_up(unsigned int start, bool hp)
{
	static const enum hold holds[][PARTY_COUNT] = {
		{ HOLD_NONE },
		{ HOLD_SH },
		{ HOLD_EX },
		{ HOLD_NONE, HOLD_NONE, HOLD_NONE, HOLD_SH },
		{ HOLD_NONE, HOLD_NONE, HOLD_NONE, HOLD_EX },
		{ HOLD_SH, HOLD_NONE, HOLD_NONE, HOLD_SH },
		{ HOLD_SH, HOLD_SH },
	};
	unsigned int word = hp ? 2 : 0;

	if (start >= sizeof(holds) / sizeof(holds[0]))
		return false;
	memcpy(hold_of, holds[start], sizeof(hold_of));
	for (int p = 0; p < PARTY_COUNT; p++)
		word += hold_of[p] == HOLD_SH ? 4 : hold_of[p] == HOLD_EX ? 1 : 0;
	word_lock.word = (uint16_t)word;
	entry = with_bits(0x5000, (int)(word & 1), hp);
	return true;
}

static void run_one(unsigned int start, bool hp, int party, enum op op, const unsigned int *script)
{
	set_up(start, hp);
	if (!may(party, op))
		return;
	memcpy(choices, script, sizeof(choices));
	misuse_count = 0;
	step_index = 0;
	frame = NULL;
	before_step = interleave;
	after_step = judge_step;
	perform(party, op);
	before_step = NULL;
	after_step = NULL;
	judge_rest();
	runs++;
}

static void run_all(bool entry_word)
{
	const unsigned int step_max = 6;

	on_entry_word = entry_word;
	runs = 0;
	for (unsigned int start = 0; set_up(start, false); start++) {
		if (entry_word && (start == 1 || start == 3 || start >= 5))
			continue;
		for (unsigned int rest = 0; rest < 2 * PARTY_COUNT * OP_COUNT; rest++) {
			bool hp = rest % 2;
			int party = (int)(rest / 2 % PARTY_COUNT);
			enum op op = (enum op)(rest / 2 / PARTY_COUNT);
			unsigned int s[6];

			set_up(start, hp);
			if (!may(party, op))
				continue;
			for (unsigned int i = 0; i < step_max * PARTY_COUNT * OP_COUNT; i++) {
				if (!exists((enum op)(i / step_max / PARTY_COUNT)))
					continue;
				s[0] = i % step_max;
				s[1] = i / step_max % PARTY_COUNT;
				s[2] = i / step_max / PARTY_COUNT;
				for (unsigned int j = 0; j < step_max * PARTY_COUNT * OP_COUNT;
				     j++) {
					if (!exists((enum op)(j / step_max / PARTY_COUNT)))
						continue;
					s[3] = s[0] + j % step_max;
					s[4] = j / step_max % PARTY_COUNT;
					s[5] = j / step_max / PARTY_COUNT;
					run_one(start, hp, party, op, s);
				}
			}
		}
	}
	on_entry_word = false;
	assert_true(runs > 100000);
}

static void sharex_hp_interleaved(void **state)
{
	(void)state;
	run_all(false);
}

static void entry_interleaved(void **state)
{
	(void)state;
	run_all(true);
}

/* ---- hardened: losing again and again -------------------------------------------------------- */

static unsigned int writes_under_priority;

/* Readers come and go before every step of a host: as many changes as the rules let guests make. */
static void guests_churn(void)
{
	before_step = NULL;
	if (sharex_hp_try_shared(&word_lock, HP_GUEST) == HP_OK)
		steps_seen++;
	else if ((word_lock.word & SHAREX_HP_READERS) > SHAREX_HP_READER)
		sharex_hp_release_shared(&word_lock);
	before_step = guests_churn;
}

static void entry_guests_churn(void)
{
	before_step = NULL;
	if (entry & SEPT_ENTRY_TDEL)
		sept_entry_unlock(&entry);
	else if (sept_entry_try_lock(&entry, HP_GUEST) == HP_OK)
		steps_seen++;
	before_step = entry_guests_churn;
}

/* However guests churn, a host is done soon: it has the lock or its request stands. */
static void guests_cannot_wear_out_a_host(void **state)
{
	enum hp_result got;

	(void)state;
	for (int op = TRY_SH; op <= PROMOTE; op++) {
		word_lock.word = op == PROMOTE ? 4 : 4 * 100;
		steps_seen = 0;
		before_step = guests_churn;
		got = (enum hp_result)do_sharex_hp(false, &word_lock, (enum op)op, HP_HOST);
		before_step = NULL;
		assert_in_range(steps_seen, 0, HP_CALM_AFTER + 2);
		/* Sharing outlasts a hundred departing readers, each of whom beats it once. */
		assert_int_equal(got, op == TRY_SH ? HP_OK : HP_BUSY);
		assert_int_equal(word_lock.word & SHAREX_HP_PRIORITY,
				 op == TRY_SH ? 0 : SHAREX_HP_PRIORITY);
	}
	entry = 0;
	steps_seen = 0;
	before_step = entry_guests_churn;
	got = sept_entry_try_lock(&entry, HP_HOST);
	before_step = NULL;
	assert_in_range(steps_seen, 0, HP_CALM_AFTER + 2);
	assert_int_equal(!!(entry & SEPT_ENTRY_HP), got == HP_BUSY);
}

static void word_flips(void)
{
	before_step = NULL;
	word_lock.word ^= 8;
	entry ^= 0x2000;
	writes_under_priority++;
	before_step = word_flips;
}

static sharex_t plain;

static void plain_flips(void)
{
	before_step = NULL;
	plain.word ^= 4;
	before_step = plain_flips;
}

/* A word that changes before every step for ever: each try comes back, with BUSY. */
static void every_try_is_bounded(void **state)
{
	(void)state;
	before_step = word_flips;
	word_lock.word = 0;
	entry = 0;
	assert_int_equal(sharex_hp_try_shared(&word_lock, HP_HOST), HP_BUSY);
	word_lock.word = 0;
	assert_int_equal(sharex_hp_try_shared(&word_lock, HP_GUEST), HP_BUSY);
	assert_int_equal(sept_entry_try_lock(&entry, HP_HOST), HP_BUSY);
	entry = 0;
	assert_int_equal(sept_entry_try_lock(&entry, HP_GUEST), HP_BUSY);
	before_step = plain_flips;
	plain.word = 0;
	assert_int_equal(sharex_try_shared(&plain), HP_BUSY);
	before_step = NULL;
	assert_in_range(writes_under_priority, 1, 5 * (HP_TRIES_MAX + 16));
}

/* ---- threads --------------------------------------------------------------------------------- */

#define THREAD_COUNT 4
#ifndef STRESS_ROUNDS
#define STRESS_ROUNDS 100000
#endif

static struct {
	sharex_hp_t hp;
	sharex_t plain;
	hp_mutex_t mutex;
	_Atomic(uint64_t) entry;
	unsigned long under_hp, under_plain, under_mutex, under_entry; /* plain on purpose */
} shared;

struct tally {
	int index;
	uint64_t seed;
	unsigned long hp_ex, plain_ex, mutex, entry, torn, misuse, guest_wrong;
};

static _Thread_local uint64_t yield_seed;

/*
 * Now and then give the CPU away between two steps: two processors make too few races by
 * themselves.
 */
static void yield_sometimes(void)
{
	if (splitmix(&yield_seed) % 64 == 0)
		sched_yield();
}

static void stress_hp(struct tally *t, enum hp_side side, uint64_t dice)
{
	enum hp_result got;
	unsigned long seen;

	if (dice % 4 == 0) {
		got = sharex_hp_try_exclusive(&shared.hp, side);
	} else {
		got = sharex_hp_try_shared(&shared.hp, side);
		if (got == HP_OK) {
			seen = shared.under_hp;
			yield_sometimes();
			t->torn += seen != shared.under_hp;
			if (side == HP_GUEST || dice % 4 != 1 ||
			    sharex_hp_try_promote(&shared.hp) != HP_OK) {
				sharex_hp_release_shared(&shared.hp);
				return;
			}
		}
	}
	if (got == HP_OK) {
		shared.under_hp++;
		t->hp_ex++;
		sharex_hp_release_exclusive(&shared.hp);
	} else if (side == HP_HOST) {
		t->guest_wrong += got != HP_BUSY;
		if (dice % 8 == 3)
			sharex_hp_withdraw(&shared.hp);
	}
}

static void stress_plain(struct tally *t, uint64_t dice)
{
	unsigned long seen;

	if (dice % 4 == 0) {
		if (sharex_try_exclusive(&shared.plain) != HP_OK)
			return;
	} else {
		if (sharex_try_shared(&shared.plain) != HP_OK)
			return;
		seen = shared.under_plain;
		yield_sometimes();
		t->torn += seen != shared.under_plain;
		if (dice % 4 != 1 || sharex_try_promote(&shared.plain) != HP_OK) {
			sharex_release_shared(&shared.plain);
			return;
		}
	}
	shared.under_plain++;
	t->plain_ex++;
	if (dice % 8 < 2) {
		sharex_demote(&shared.plain);
		sharex_release_shared(&shared.plain);
	} else {
		sharex_release_exclusive(&shared.plain);
	}
}

/* The entry's value counts the commits; @copy is deliberately stale in its lock bits. */
static void stress_entry(struct tally *t, enum hp_side side, uint64_t dice)
{
	enum hp_result got = sept_entry_try_lock(&shared.entry, side);
	uint64_t copy;

	if (got != HP_OK) {
		if (side == HP_HOST) {
			t->guest_wrong += got != HP_BUSY;
			if (dice % 8 == 3)
				sept_entry_withdraw(&shared.entry);
		}
		return;
	}
	copy = shim_load64(&shared.entry);
	yield_sometimes();
	shared.under_entry++;
	t->entry++;
	sept_entry_commit(&shared.entry, copy + (UINT64_C(1) << 12), dice % 2);
	if (dice % 2)
		sept_entry_unlock(&shared.entry);
}

static void *stress_thread(void *argument)
{
	struct tally *t = argument;
	enum hp_side side = t->index < THREAD_COUNT / 2 ? HP_HOST : HP_GUEST;

	yield_seed = t->seed;
	misuse_count = 0;
	before_step = yield_sometimes;
	for (int i = 0; i < STRESS_ROUNDS; i++) {
		uint64_t dice = splitmix(&t->seed);

		stress_hp(t, side, dice);
		stress_plain(t, dice >> 8);
		stress_entry(t, side, dice >> 16);
		if (hp_mutex_try_lock(&shared.mutex) == HP_OK) {
			shared.under_mutex++;
			t->mutex++;
			hp_mutex_unlock(&shared.mutex);
		}
	}
	before_step = NULL;
	t->misuse = misuse_count;
	return NULL;
}

static void threads_exclude_and_count(void **state)
{
	struct tally tally[THREAD_COUNT], sum = { 0 };
	pthread_t thread[THREAD_COUNT];

	(void)state;
	memset(tally, 0, sizeof(tally));
	memset(&shared, 0, sizeof(shared));
	for (int i = 0; i < THREAD_COUNT; i++) {
		tally[i].index = i;
		tally[i].seed = (uint64_t)i + 7;
		assert_int_equal(pthread_create(&thread[i], NULL, stress_thread, &tally[i]), 0);
	}
	for (int i = 0; i < THREAD_COUNT; i++) {
		assert_int_equal(pthread_join(thread[i], NULL), 0);
		sum.hp_ex += tally[i].hp_ex;
		sum.plain_ex += tally[i].plain_ex;
		sum.mutex += tally[i].mutex;
		sum.entry += tally[i].entry;
		sum.torn += tally[i].torn;
		sum.misuse += tally[i].misuse;
		sum.guest_wrong += tally[i].guest_wrong;
		assert_true(tally[i].plain_ex && tally[i].mutex && tally[i].entry);
	}
	assert_int_equal(sum.torn, 0);
	assert_int_equal(sum.misuse, 0);
	assert_int_equal(sum.guest_wrong, 0);
	assert_int_equal(shared.under_hp, sum.hp_ex);
	assert_int_equal(shared.under_plain, sum.plain_ex);
	assert_int_equal(shared.under_mutex, sum.mutex);
	assert_int_equal(shared.under_entry, sum.entry);

	/* Nobody holds anything; at most a request of a host that stopped asking is left. */
	sharex_hp_withdraw(&shared.hp);
	sept_entry_withdraw(&shared.entry);
	assert_int_equal(shared.hp.word, 0);
	assert_int_equal(shared.plain.word, 0);
	assert_int_equal(shared.mutex.word, 0);
	assert_int_equal(shared.entry & (UINT64_C(0xFFF)), 0);
	assert_int_equal(shared.entry >> 12, sum.entry);
}

/* A test that failed half-way must not leave its hooks to the next one. */
static int unhook(void **state)
{
	(void)state;
	before_step = NULL;
	after_step = NULL;
	frame = NULL;
	on_entry_word = false;
	return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, unhook)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(mutex_every_word),
		TEST(sharex_published_every_word),
		TEST(sharex_hardened_every_word),
		TEST(sharex_hp_published_every_word),
		TEST(sharex_hp_hardened_every_word),
		TEST(sharex_hp_state_table),
		TEST(sharex_hp_hardened_invariants),
		TEST(entry_every_combination),
		TEST(f1_backoff_meets_release),
		TEST(f2_transient_count),
		TEST(f3_second_try),
		TEST(f4_stale_priority),
		TEST(f5_request_erased),
		TEST(f6_transient_entry_lock),
		TEST(f7_f8_commit_of_a_copy),
		TEST(sharex_hp_interleaved),
		TEST(entry_interleaved),
		TEST(guests_cannot_wear_out_a_host),
		TEST(every_try_is_bounded),
		TEST(threads_exclude_and_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
