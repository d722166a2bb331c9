// SPDX-License-Identifier: MIT
/* The explorer's env. Runs on fibers, not instrumented. Layer: engine. */
#include "engine/explore/xenv.h"

#include <stdio.h>
#include <string.h>

#include "base/bug.h"
#include "engine/explore/order.h"
#include "engine/explore/store_buffer.h"
#include "engine/explore/xp.h"

/* Host locks in the arena: see enum xp_lock. */
static u32 *lock_words(void *room)
{
	return room;
}

static void pend(enum xp_kind kind, void *addr)
{
	xp.fiber[xp.cur].pending = (struct xp_pending){
		.kind = (u8)kind,
		.addr = addr,
		.pc = __builtin_return_address(0),
	};
}

static u32 choose_among(u32 n)
{
	if (n < 2 || !xp.active || xp.no_yield)
		return 0;
	pend(XP_CHOICE, NULL);
	xp.fiber[xp.cur].pending.n = n;
	xp_yield();
	xp_saw(xp.choice);
	return xp.choice;
}

static u32 op_choose(struct sl_env *env, enum sl_choice what, u32 n)
{
	(void)env;
	/* Who asks for an interrupt is configured to get both answers. */
	return what == SL_CHOICE_ENTROPY && !xp.no_entropy ? 0 : choose_among(n);
}

static u64 op_now(struct sl_env *env)
{
	(void)env;
	return 0;
}

/* Time is what the search wants it to be. */
static bool op_elapsed(struct sl_env *env, u64 start, u64 ticks)
{
	(void)env;
	(void)start;
	(void)ticks;
	return choose_among(2) == 1;
}

static void op_pause(struct sl_env *env)
{
	(void)env;
	if (!xp.active || xp.no_yield)
		return;
	pend(XP_PAUSE, NULL);
	xp_yield();
}

static void op_wait_while(struct sl_env *env, const _Atomic u32 *word, u32 old)
{
	(void)env;
	SL_BUG_ON(!xp.active);
	if (xp.no_yield)
		return;
	xp_note_read((void *)(uintptr_t)word);
	pend(XP_WAIT, (void *)(uintptr_t)word);
	xp.fiber[xp.cur].pending.arg = old;
	xp_yield();
	if (xp.order)
		xo_acquire((const void *)(uintptr_t)word);
}

static void want(u32 *word, enum xp_lock how)
{
	pend(XP_LOCK, word);
	xp.fiber[xp.cur].pending.op = (u8)how;
	/* Locks are taken by locked instructions. */
	xp.fiber[xp.cur].pending.drains = true;
	xp_yield();
}

/* A writer that does not get the lock at once keeps new readers out from then on. */
static void wait_to_write(u32 *word)
{
	u64 hist;

	want(word, XP_LOCK_ARRIVE);
	xp_found(xp_granule_of(word));
	if (!word[0] && !word[1])
		return;
	/* Having waited makes no difference to what it does next. */
	hist = xp.fiber[xp.cur].hist;
	xp_log_write(word, 8);
	word[0] += XP_LOCK_WAITER;
	want(word, XP_LOCK_WRITE);
	xp_log_write(word, 8);
	word[0] -= XP_LOCK_WAITER;
	xp.fiber[xp.cur].hist = hist;
}

/* Waits until the lock can be taken. */
static u32 *acquire(void *room, enum xp_lock how)
{
	u32 *word = lock_words(room);

	if (!xp.active)
		return word;
	if (!xp.no_yield && how == XP_LOCK_WRITE)
		wait_to_write(word);
	else if (!xp.no_yield)
		want(word, how);
	xp_found(xp_granule_of(word));
	/* The end of the world runs alone; a lock that is still held then is a leak. */
	if ((word[0] & XP_LOCK_HELD) || (how != XP_LOCK_READ && word[1]))
		xp_report(SL_VIOLATION_DEADLOCK, "host lock", "a host lock is held for ever");
	if (xp.order) {
		/* Readers see what writers did, writers what readers did too. */
		xo_acquire(&word[0]);
		if (how != XP_LOCK_READ)
			xo_acquire(&word[1]);
	}
	xp_log_write(word, 8);
	return word;
}

/* What the fiber did so far is ordered before whoever takes the lock next. */
static u32 *release(void *room, bool reader)
{
	u32 *word = lock_words(room);

	xp_log_write(word, 8);
	if (xp.active)
		xp.fp->released = xp.fp->apart = xp.fp->count;
	if (xp.active && xp.order)
		xo_release(&word[reader]);
	return word;
}

static void op_lock_init(struct sl_env *env, void *room)
{
	(void)env;
	memset(room, 0, 8);
}

static void op_mutex_init(struct sl_env *env, struct sl_mutex *m)
{
	op_lock_init(env, m->room);
}

static void op_mutex_lock(struct sl_env *env, struct sl_mutex *m)
{
	(void)env;
	acquire(m->room, XP_LOCK_MUTEX)[0] |= XP_LOCK_HELD;
}

/* Mutexes, and locks held to read, are given back by locked instructions as well. */
static void drain(void)
{
	if (xp.active && !xp.no_yield)
		sb_fence(__builtin_return_address(0));
}

static void op_mutex_unlock(struct sl_env *env, struct sl_mutex *m)
{
	(void)env;
	drain();
	release(m->room, false)[0] &= ~XP_LOCK_HELD;
}

static void op_rwlock_init(struct sl_env *env, struct sl_rwlock *l)
{
	op_lock_init(env, l->room);
}

static void op_read_lock(struct sl_env *env, struct sl_rwlock *l)
{
	(void)env;
	acquire(l->room, XP_LOCK_READ)[1]++;
}

static void op_read_unlock(struct sl_env *env, struct sl_rwlock *l)
{
	(void)env;
	drain();
	release(l->room, true)[1]--;
}

static void op_write_lock(struct sl_env *env, struct sl_rwlock *l)
{
	(void)env;
	acquire(l->room, XP_LOCK_WRITE)[0] |= XP_LOCK_HELD;
}

/* A plain store: it waits behind those of what the lock has protected, and nothing waits for it. */
static void op_write_unlock(struct sl_env *env, struct sl_rwlock *l)
{
	u32 *word;

	(void)env;
	if (xp.active && !xp.no_yield && xp.slots)
		sb_make_room(1, __builtin_return_address(0));
	word = release(l->room, false);
	if (xp.active && !xp.no_yield && sb_count())
		sb_unlock(word, __builtin_return_address(0));
	else
		word[0] &= ~XP_LOCK_HELD;
}

/* With store buffers the order of accesses is what is looked for. */
static void op_commutes(struct sl_env *env, const volatile void *word)
{
	(void)env;
	if (xp.active && !xp.no_reduction && !xp.slots)
		xp.commutes = word;
}

/* A scheduling point, although the lane itself sees nothing. */
static void op_observe(struct sl_env *env, const volatile void *word)
{
	void *at = (void *)(uintptr_t)word;

	(void)env;
	if (!xp.active || xp.no_yield)
		return;
	xp_note_read(at);
	if (!(xp.granule[xp_granule_of(at)].shared & xp_halves(at, 4)))
		return;
	pend(XP_ATOMIC, at);
	xp.fiber[xp.cur].pending.op = XP_LOAD;
	xp.fiber[xp.cur].pending.size = 8;
	xp_yield();
}

static void op_checkpoint(struct sl_env *env, u32 label, u64 a, u64 b)
{
	(void)env;
	if (xp.active && !xp.no_checkpoints)
		xp.fiber[xp.cur].base = xp.fiber[xp.cur].hist = xp_checkpoint(label, a, b);
}

static void op_mark(struct sl_env *env)
{
	(void)env;
	if (xp.active)
		xp.fiber[xp.cur].base = xp.fiber[xp.cur].hist;
}

static void op_settle(struct sl_env *env, u32 label, u64 a, u64 b)
{
	struct xp_fiber *f = &xp.fiber[xp.cur];

	(void)env;
	if (xp.active && !xp.no_checkpoints)
		f->hist = xp_history(xp_history(xp_history(f->base, label), a), b);
}

/*
 * Of sites that are never BUSY nobody wants to know more; that one is comes up in some pass. Twice the same
 * end of a row is one.
 */
static void keep_site_event(u32 site, enum sl_note what)
{
	u32 n = xp.site_event_count;

	if (!xp.active || !xp.bounds || n > XP_SITE_EVENTS_MAX)
		return;
	if (!(xp.busy_sites >> site & 1)) {
		if (what != SL_NOTE_BUSY)
			return;
		xp.busy_sites |= 1ull << site;
		xp.learned = true;
	}
	while (what != SL_NOTE_BUSY && n > 0) {
		const struct xp_site_event *e = &xp.site_event[--n];

		if (e->site == site && e->note == what)
			return;
		if (e->site == site && e->note == SL_NOTE_BUSY)
			break;
	}
	/* One too many is kept as such: the search sees that there was no room. */
	if (xp.site_event_count < XP_SITE_EVENTS_MAX)
		xp.site_event[xp.site_event_count] =
			(struct xp_site_event){ .site = (u8)site, .note = (u8)what };
	xp.site_event_count++;
}

static void op_note(struct sl_env *env, enum sl_note what, u64 a, u64 b)
{
	(void)env;
	if (what == SL_NOTE_BUSY || what == SL_NOTE_VISIT || what == SL_NOTE_THROUGH)
		keep_site_event((u32)a, what);
	if (!xp.recording || xp.event_count == XP_EVENTS_MAX)
		return;
	xp.event[xp.event_count++] =
		(struct xp_event){ .kind = XP_EVENT_NOTE, .note = what, .before = a, .after = b };
}

static void op_violate(struct sl_env *env, enum sl_violation kind, const char *id, const char *text)
{
	(void)env;
	xp_report(kind, id, text);
}

const struct sl_env_ops xenv_ops = {
	.choose = op_choose,
	.now = op_now,
	.elapsed = op_elapsed,
	.pause = op_pause,
	.wait_while = op_wait_while,
	.mutex_init = op_mutex_init,
	.mutex_lock = op_mutex_lock,
	.mutex_unlock = op_mutex_unlock,
	.rwlock_init = op_rwlock_init,
	.read_lock = op_read_lock,
	.read_unlock = op_read_unlock,
	.write_lock = op_write_lock,
	.write_unlock = op_write_unlock,
	.checkpoint = op_checkpoint,
	.mark = op_mark,
	.settle = op_settle,
	.commutes = op_commutes,
	.observe = op_observe,
	.note = op_note,
	.violate = op_violate,
};

void xenv_init(struct sl_env *env, struct sl_stats *stats)
{
	*env = (struct sl_env){ .ops = &xenv_ops, .stats = stats, .tsc_per_us = 1000 };
}
