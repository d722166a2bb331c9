// SPDX-License-Identifier: MIT
/* Lanes on a bare lock word. Layer: engine. */
#include "engine/caller.h"

#include "base/bug.h"

/* Labels of env_checkpoint(): a = index of the operation, b = digest of the rest. */
#define CALLER_CHECKPOINT_OP    0x4301u
#define CALLER_CHECKPOINT_PAUSE 0x4302u
#define CALLER_CHECKPOINT_COPY  0x4303u
#define CALLER_CHECKPOINT_DONE  0x4304u

enum held {
	HELD_NOT,
	HELD_SHARED,
	HELD_EXCLUSIVE,
};

/* All of a lane's own state besides its position. */
struct caller {
	struct caller_world *w;
	struct sl_env *env;
	u32 number;
	u32 left[GUEST_LOOPS_MAX];
	u32 depth;
	enum held held;
	u64 copy; /* of an S-EPT entry, as read after it was locked */
};

static u64 digest(const struct caller *c)
{
	u64 d = c->depth << 4 | (u32)c->held;

	for (u32 i = 0; i < c->depth; i++)
		d = (d ^ c->left[i]) * 0x9E3779B97F4A7C15ull;
	return (d ^ c->copy) * 0x9E3779B97F4A7C15ull;
}

static bool stopping(const struct caller_world *w)
{
	return atomic_load_explicit(&w->ghost.stop, memory_order_relaxed);
}

/*
 * The word as it is, for the oracles: no access of the lane's, so that the explorer neither stops
 * in front of it nor remembers what was seen. Only where nobody else runs.
 */
__attribute__((noinline, no_sanitize("thread"))) static u64 word_peek(const struct caller_world *w)
{
	const volatile void *at = &w->word;

	switch (w->kind) {
	case SCN_LOCK_MUTEX:
		return *(const volatile u8 *)at;
	case SCN_LOCK_SHAREX:
	case SCN_LOCK_SHAREX_HP:
		return *(const volatile u16 *)at;
	default:
		return *(const volatile u64 *)at;
	}
}

/* ---- the lock's operations ------------------------------------------------------------------- */

static enum hp_result try_exclusive(struct caller_world *w, enum hp_side side)
{
	switch (w->kind) {
	case SCN_LOCK_MUTEX:
		return w->hardened ? hp_mutex_try_lock(&w->word.mutex)
				   : hp_mutex_try_lock_published(&w->word.mutex);
	case SCN_LOCK_SHAREX:
		return w->hardened ? sharex_try_exclusive(&w->word.sharex)
				   : sharex_try_exclusive_published(&w->word.sharex);
	case SCN_LOCK_SHAREX_HP:
		return w->hardened ? sharex_hp_try_exclusive(&w->word.sharex_hp, side)
				   : sharex_hp_try_exclusive_published(&w->word.sharex_hp, side);
	default:
		return w->hardened ? sept_entry_try_lock(&w->word.entry, side)
				   : sept_entry_try_lock_published(&w->word.entry, side);
	}
}

static enum hp_result try_shared(struct caller_world *w, enum hp_side side)
{
	if (w->kind == SCN_LOCK_SHAREX)
		return w->hardened ? sharex_try_shared(&w->word.sharex)
				   : sharex_try_shared_published(&w->word.sharex);
	return w->hardened ? sharex_hp_try_shared(&w->word.sharex_hp, side)
			   : sharex_hp_try_shared_published(&w->word.sharex_hp, side);
}

static enum hp_result try_promote(struct caller_world *w)
{
	if (w->kind == SCN_LOCK_SHAREX)
		return w->hardened ? sharex_try_promote(&w->word.sharex)
				   : sharex_try_promote_published(&w->word.sharex);
	return w->hardened ? sharex_hp_try_promote(&w->word.sharex_hp)
			   : sharex_hp_try_promote_published(&w->word.sharex_hp);
}

static enum hp_result try_op(struct caller_world *w, const struct scn_caller_op *op)
{
	enum hp_side side = op->guest ? HP_GUEST : HP_HOST;

	if (op->code == SCN_CALLER_PROMOTE)
		return try_promote(w);
	return op->code == SCN_CALLER_SHARED ? try_shared(w, side) : try_exclusive(w, side);
}

static void release_exclusive(struct caller_world *w)
{
	switch (w->kind) {
	case SCN_LOCK_MUTEX:
		if (w->hardened)
			hp_mutex_unlock(&w->word.mutex);
		else
			hp_mutex_unlock_published(&w->word.mutex);
		break;
	case SCN_LOCK_SHAREX:
		if (w->hardened)
			sharex_release_exclusive(&w->word.sharex);
		else
			sharex_release_exclusive_published(&w->word.sharex);
		break;
	case SCN_LOCK_SHAREX_HP:
		if (w->hardened)
			sharex_hp_release_exclusive(&w->word.sharex_hp);
		else
			sharex_hp_release_exclusive_published(&w->word.sharex_hp);
		break;
	default:
		if (w->hardened)
			sept_entry_unlock(&w->word.entry);
		else
			sept_entry_unlock_published(&w->word.entry);
		break;
	}
}

static void release_shared(struct caller_world *w)
{
	if (w->kind == SCN_LOCK_SHAREX) {
		if (w->hardened)
			sharex_release_shared(&w->word.sharex);
		else
			sharex_release_shared_published(&w->word.sharex);
	} else {
		if (w->hardened)
			sharex_hp_release_shared(&w->word.sharex_hp);
		else
			sharex_hp_release_shared_published(&w->word.sharex_hp);
	}
}

/* ---- what a lane does with them -------------------------------------------------------------- */

static void ended(struct caller *c, enum word_end how, bool exclusive)
{
	const struct caller_world *w = c->w;

	if (w->stepwise && (w->oracle.hp_kept || w->oracle.no_stale_hp))
		oracle_word_ended(&w->oracle, c->env, c->number, how, exclusive, word_peek(w));
}

static void asks(struct caller *c)
{
	const struct caller_world *w = c->w;

	if (w->stepwise && w->oracle.hp_kept)
		oracle_word_asks(&w->oracle, c->number, word_peek(w));
}

static u64 noted_op(const struct scn_caller_op *op)
{
	return (u64)op->code | (u64)op->guest << 8;
}

static void note_begin(struct caller *c, const struct scn_caller_op *op)
{
	env_note(c->env, SL_NOTE_WORD_BEGINS, noted_op(op), 0);
}

static void note(struct caller *c, const struct scn_caller_op *op, enum caller_result result)
{
	env_note(c->env, SL_NOTE_WORD, noted_op(op), result);
}

static void granted(struct caller *c, const struct scn_caller_op *op)
{
	bool exclusive = op->code != SCN_CALLER_SHARED;
	bool guest = op->guest && op->code != SCN_CALLER_PROMOTE;

	if (op->code == SCN_CALLER_PROMOTE)
		oracle_word_leave(&c->w->oracle, false);
	c->held = exclusive ? HELD_EXCLUSIVE : HELD_SHARED;
	note(c, op, CALLER_GRANTED);
	oracle_word_enter(&c->w->oracle, c->env, exclusive);
	ended(c, guest ? WORD_GRANTED_GUEST : WORD_GRANTED_HOST, exclusive);
}

/* Every flow that locks an entry reads it then. */
static void read_copy(struct caller *c, u32 at)
{
	if (c->w->kind != SCN_LOCK_SEPT_ENTRY)
		return;
	env_checkpoint(c->env, CALLER_CHECKPOINT_COPY, at, digest(c));
	c->copy = atomic_load_explicit(&c->w->word.entry, memory_order_relaxed);
}

static void refused(struct caller *c, const struct scn_caller_op *op, enum hp_result result)
{
	bool guest = op->guest && op->code != SCN_CALLER_PROMOTE;

	note(c, op, result == HP_BUSY ? CALLER_BUSY : CALLER_BUSY_HP);
	ended(c, guest ? WORD_REFUSED_GUEST : WORD_REFUSED_HOST, op->code != SCN_CALLER_SHARED);
}

/* An acquire or a promotion; returns the index of the next operation. */
static u32 do_try(struct caller *c, const struct scn_caller_op *op, u32 at)
{
	for (;;) {
		enum hp_result result;

		env_checkpoint(c->env, CALLER_CHECKPOINT_OP, at, digest(c));
		asks(c);
		note_begin(c, op);
		result = try_op(c->w, op);
		if (result == HP_OK) {
			granted(c, op);
			read_copy(c, at);
			return at + 1;
		}
		refused(c, op, result);
		if (!op->retry || stopping(c->w))
			break;
		env_checkpoint(c->env, CALLER_CHECKPOINT_PAUSE, at, digest(c));
		env_pause(c->env);
	}
	/* A promotion that was refused leaves the share as it was. */
	return op->code == SCN_CALLER_PROMOTE ? at + 1 : op->match + 1;
}

static void do_release(struct caller *c, const struct scn_caller_op *op)
{
	bool exclusive = c->held == HELD_EXCLUSIVE;

	note_begin(c, op);
	if (!c->w->stepwise)
		oracle_word_leave(&c->w->oracle, exclusive);
	if (exclusive)
		release_exclusive(c->w);
	else
		release_shared(c->w);
	if (c->w->stepwise)
		oracle_word_leave(&c->w->oracle, exclusive);
	c->held = HELD_NOT;
	c->copy = 0;
	note(c, op, CALLER_DONE);
	ended(c, WORD_OTHER, exclusive);
}

/* The holder's 64-bit store that keeps the lock. */
static void do_commit(struct caller *c, const struct scn_caller_op *op)
{
	note_begin(c, op);
	if (c->w->hardened)
		sept_entry_commit(&c->w->word.entry, c->copy, true);
	else
		sept_entry_commit_published(&c->w->word.entry, c->copy, true);
	note(c, op, CALLER_DONE);
	ended(c, WORD_OTHER, true);
}

/* One operation; returns the index of the next. */
static u32 caller_step(struct caller *c, const struct scn_caller *program, u32 at)
{
	const struct scn_caller_op *op = &program->ops[at];
	u32 *left;

	switch (op->code) {
	case SCN_CALLER_EXCLUSIVE:
	case SCN_CALLER_SHARED:
	case SCN_CALLER_PROMOTE:
		return do_try(c, op, at);
	case SCN_CALLER_COMMIT:
		do_commit(c, op);
		break;
	case SCN_CALLER_RELEASE:
		do_release(c, op);
		break;
	case SCN_CALLER_LOOP:
		SL_BUG_ON(c->depth == GUEST_LOOPS_MAX);
		c->left[c->depth++] = op->times;
		break;
	case SCN_CALLER_END:
		left = &c->left[c->depth - 1];
		if (*left != GUEST_FOREVER)
			--*left;
		if (*left && !stopping(c->w))
			return op->match + 1;
		c->depth--;
		break;
	}
	return at + 1;
}

void caller_run(struct caller_world *w, u32 number, struct sl_env *env)
{
	struct caller c = { .w = w, .env = env, .number = number };
	const struct scn_caller *program = &w->program[number];

	for (u32 at = 0; at < program->count;) {
		env_checkpoint(env, CALLER_CHECKPOINT_OP, at, digest(&c));
		env_note(env, SL_NOTE_OP, at, 0);
		at = caller_step(&c, program, at);
	}
	/* What it has seen on its way is forgotten. */
	env_checkpoint(env, CALLER_CHECKPOINT_DONE, 0, 0);
}

/* ---- the world ------------------------------------------------------------------------------- */

static struct word_layout layout_of(enum scn_lock_kind kind)
{
	switch (kind) {
	case SCN_LOCK_MUTEX:
		return (struct word_layout){ .exclusive = HP_MUTEX_TAKEN };
	case SCN_LOCK_SHAREX:
		return (struct word_layout){ .exclusive = SHAREX_EX, .readers = SHAREX_READERS };
	case SCN_LOCK_SHAREX_HP:
		return (struct word_layout){ .exclusive = SHAREX_HP_EX,
					     .hp = SHAREX_HP_PRIORITY,
					     .readers = SHAREX_HP_READERS };
	default:
		return (struct word_layout){ .exclusive = SEPT_ENTRY_TDEL, .hp = SEPT_ENTRY_HP };
	}
}

size_t caller_arena_size(void)
{
	return sizeof(struct caller_world) + SL_CACHELINE;
}

struct caller_world *caller_init(const struct scenario *s, struct sl_arena *a)
{
	struct caller_world *w = sl_arena_alloc(a, sizeof(*w), SL_CACHELINE);

	w->kind = s->lock;
	w->hardened = s->module.flavour == SL_HARDENED;
	w->program = s->caller;
	w->oracle = (struct word_oracle){ .layout = layout_of(s->lock),
					  .ghost = &w->ghost,
					  .no_stale_hp = s->no_stale_hp,
					  .hp_kept = s->hp_kept };
	return w;
}

void caller_stop(struct caller_world *w)
{
	atomic_store_explicit(&w->ghost.stop, 1, memory_order_relaxed);
}

void caller_finish(struct caller_world *w, struct sl_env *env)
{
	oracle_word_at_rest(&w->oracle, env, word_peek(w));
}
