/* SPDX-License-Identifier: MIT */
/*
 * The explorer's machine room: what the instrumentation hooks, the fibers and the search share.
 *
 * Instrumented code runs on fibers, one at a time. The compiler has put a call in front of every
 * memory access (-fsanitize=thread); hooks.c answers those calls. Only the arena counts: accesses to
 * a fiber's own stack, or to memory that engines keep for themselves, are none of the explorer's
 * business.
 *
 * One explorer at a time in a process: the hooks have no argument through which to tell several
 * apart. Layer: engine.
 */
#ifndef SL_ENGINE_XP_H
#define SL_ENGINE_XP_H

#include "base/types.h"

#define XP_LANES_MAX 16
/* Fibers: the lanes, and one that ends the world when all lanes are done. */
#define XP_FIBERS_MAX (XP_LANES_MAX + 1)
/* And with store buffers one more for each lane, without a stack, that takes its stores to memory. */
#define XP_MOVERS_MAX (XP_FIBERS_MAX + XP_LANES_MAX)
/* So many lanes can have a store buffer: all fibers fit one mask. */
#define XP_STORING_MAX (XP_LANES_MAX - 1)
#define XP_STACK_SIZE  (64u << 10)
/* Plain accesses of one step that are kept one by one; a step with more is not compared exactly. */
#define XP_FOOTPRINT_MAX 192
/*
 * Hooked atomic accesses in one step after which the step ends at the next one: an endless loop over
 * words that nobody shares must not hold the search up. Early on such a loop only says that it is not known yet
 * who shares its words, so others get a turn, to show that. Once that has happened so many times a
 * word of the loop becomes a scheduling point, whichever it is; traces get longer by that.
 */
#define XP_STEP_ATOMICS_MAX 20000
#define XP_SPINS_MAX        32

/* What a fiber is about to do. */
enum xp_kind {
	XP_START,  /* its first step */
	XP_ATOMIC, /* an access to a shared word */
	XP_CHOICE, /* a choose(): as many successors as it has answers */
	XP_PAUSE,  /* one turn of a retry loop */
	XP_LOCK,   /* take a host lock, when it is free */
	XP_WAIT,   /* go on when *addr != arg */
	XP_FENCE,  /* go on when no more than n of its stores are on their way to memory */
	XP_FLUSH,  /* of the fibers that do that: take the oldest store to memory */
	XP_EXIT,   /* nothing: it has ended */
	XP_DEAD,   /* nothing: it reported a violation */
};

/*
 * How a fiber wants a host lock. In the arena a lock is two words: [0] = XP_LOCK_HELD if somebody owns
 * it or writes, plus XP_LOCK_WAITER for each writer that has come and waits; [1] = readers. No reader
 * gets in while a writer waits.
 */
enum xp_lock {
	XP_LOCK_MUTEX,
	XP_LOCK_READ,
	XP_LOCK_WRITE,  /* has come, and waits */
	XP_LOCK_ARRIVE, /* will have the lock to write if it is free, or else wait for it */
};

#define XP_LOCK_HELD   1u
#define XP_LOCK_WAITER 2u

enum xp_atomic {
	XP_LOAD,
	XP_STORE,
	XP_XCHG,
	XP_ADD,
	XP_SUB,
	XP_AND,
	XP_OR,
	XP_XOR,
	XP_NAND,
	XP_CAS,
};

struct xp_pending {
	u8 kind;       /* enum xp_kind */
	u8 op;         /* XP_ATOMIC: enum xp_atomic; XP_LOCK: enum xp_lock */
	u8 size;       /* bytes */
	bool drains;   /* not before the lane's stores have reached memory */
	bool commutes; /* XP_ATOMIC: so the lane says; a scheduling point for audits only */
	u32 n;         /* XP_CHOICE: answers; XP_FENCE */
	void *addr;
	u64 arg;  /* XP_WAIT: the old value */
	void *pc; /* where in the program */
};

struct xp_fiber {
	void *sp;
	u64 hist; /* everything seen since the last checkpoint */
	u64 base; /* what it was at the last mark; part of it, so that nobody has to tell them apart */
	/* guests.h: 1 + the guest that it is in, whose are the two above; its own meanwhile. */
	u32 guest;
	void *outer;
	u64 outer_hist;
	/* Counts that the arena has nothing of and that no checkpoint forgets. */
	u64 claims[2]; /* of claims: engine/claims.h */
	struct xp_pending pending;
};

/* One access of a step. */
struct xp_access {
	u32 granule;
	u8 mask; /* bytes of it */
	u8 write;
	u8 atomic;
	void *pc;
};

/* The accesses of one step: two Bloom words in front of a list. */
struct xp_footprint {
	u64 reads, writes; /* one bit per granule, hashed */
	u32 count;
	u32 released; /* so many came before the fiber's last release in this step */
	u32 apart;    /* those are not to be taken together with later ones */
	bool overflow;
	struct xp_access access[XP_FOOTPRINT_MAX];
};

struct xp_undo {
	u32 granule;
	u64 old;
};

/*
 * What a step has found in the arena: each granule's value when the step came upon it first, to read or
 * to write. Constants are left out.
 */
struct xp_finds {
	struct xp_undo *at;
	u32 *stamp; /* of each granule: the step that has found it last */
	u32 now;
	u32 count, most; /* as many as that: some are missing */
};

enum xp_trace_kind {
	XP_EVENT_NOTE,
	XP_EVENT_ATOMIC,
};

/*
 * Words that the world has told the explorer about. It may tell more than the hooks can see:
 *  a reader count says nothing while the word's EX bit is set (the exclusive release wipes it), so
 *    states that differ in it are one;
 *  as long as nobody does anything to such a word but add and subtract, readers come and go without
 *    seeing each other, and need no scheduling point;
 *  the same holds for a counter whose old value nobody uses.
 */
enum xp_word {
	XP_WORD_PLAIN,
	XP_WORD_SHAREX,    /* bit 0 EX, bits 15:1 readers */
	XP_WORD_SHAREX_HP, /* bit 0 EX, bit 1 HP, bits 15:2 readers */
	XP_WORD_COUNTER,   /* its first half; the rest of it likewise */
};

/* With store buffers: when a store is. */
enum xp_event_when {
	XP_EVENT_AT_ONCE,
	XP_EVENT_BUFFERED, /* it has yet to reach memory */
	XP_EVENT_FLUSHED,  /* now it does */
};

/* What a replayed step did, for the table. */
struct xp_event {
	u8 kind;
	u8 op;
	u8 size;
	u8 when; /* enum xp_event_when */
	void *addr;
	void *pc;
	u64 before, after; /* atomic; note: a, b */
	u32 note;          /* enum sl_note */
};

/* Accesses of a step that a replay shows, and notes besides: those that say where a call begins and ends. */
#define XP_ACCESSES_MAX 256
#define XP_EVENTS_MAX   (XP_ACCESSES_MAX + 256)

/* What a step did at a site of the host, SL_NOTE_BUSY, _VISIT or _THROUGH; up to so many in one step. */
#define XP_SITE_EVENTS_MAX 24

struct xp_site_event {
	u8 site;
	u8 note;
};

/* What is known of one granule. Filled as accesses are seen; what a pass learns the next one knows. */
#define XP_WRITTEN   0x01u /* since the lanes started: no constant */
#define XP_CONTESTED 0x02u /* two fibers touch it, one of them writes, one plainly: a race can be */
#define XP_CANON     0x04u /* some of its halves are lock words, see xp_canonical() */
#define XP_PLAIN     0x08u /* somebody touches it by other than atomic accesses */

struct xp_granule {
	u32 stamp;      /* step that logged it last */
	u16 touched_by; /* fibers */
	u16 pass;       /* that read_by and written_by belong to */
	u8 flags;
	/* One bit for each half-word (2 bytes). */
	u8 shared;                     /* a scheduling point */
	u8 decides;                    /* accessed otherwise than by counting up and down */
	u8 watched;                    /* an invariant looks at it, so that each write is a step */
	u8 kind[4];                    /* enum xp_word */
	u16 read_by[4], written_by[4]; /* fibers, by atomic accesses */
};

_Static_assert(sizeof(struct xp_granule) == 32, "two to a cache line");

struct xp_order;
struct xp_intern;

/*
 * All of it. Read and written by hooks.c on every access, so hot fields come first.
 */
struct xp_state {
	u8 *arena;
	size_t arena_size;
	struct xp_granule *granule;
	bool active;         /* a fiber runs: accesses count */
	bool no_yield;       /* it runs to its end in one step */
	bool no_entropy;     /* the random number generator may fail at any time */
	bool no_checkpoints; /* see struct xs_options */
	bool no_reduction;   /* the same */
	bool audit;          /* the same */
	bool bounds;         /* steps remember what they note of the host's sites */
	bool watching;       /* an invariant may look at the arena */
	bool learned;        /* a new shared word, or a contested granule, was found */
	bool recording;      /* events, in a replay only */
	u16 pass;
	const volatile void
		*commutes; /* the next access, if it is to this word, is no scheduling point */
	u32 cur;           /* which fiber */
	u32 choice;        /* answer to the pending CHOICE */
	u64 hash;          /* of the arena, less hash_start */
	u64 seed;
	u32 stamp_now;
	u32 atomics; /* in this step */
	u32 spins;   /* steps that were ended for having too many */
	struct xp_undo *undo;
	size_t undo_count, undo_max;
	struct xp_footprint *fp;    /* of the running step */
	struct xp_finds *finds;     /* of the running step, where somebody wants them */
	struct xp_order *order;     /* clocks, where somebody wants them */
	struct xp_intern *interned; /* histories as ids instead of hashes, in an exact search */
	u64 ghost_start, ghost_end; /* bytes of the arena that only oracles look at */
	u64 hash_start;             /* what the arena's hash was at the start */
	u32 shared_count;
	/* store_buffer.h */
	u32 slots;       /* of a lane's store buffer; 0: memory is sequentially consistent */
	u32 first_flush; /* fibers from here on take lanes' stores to memory */
	u32 flushed_before; /* accesses of the lane's last step that came before the store that was flushed */
	bool buffer_full; /* a lane has waited for room */
	struct xp_fiber fiber[XP_MOVERS_MAX];
	void *main_sp;
	u8 *stacks;
	/* With bounds: sites that were ever BUSY, and what the running step has done at them. */
	u64 busy_sites;
	u32 site_event_count;
	struct xp_site_event site_event[XP_SITE_EVENTS_MAX];
	u32 event_count;
	struct xp_event event[XP_EVENTS_MAX];
	/* A violation that the running fiber reported. */
	bool violated;
	u32 violation_kind;
	char violation_id[40];
	char violation_text[320];
};

extern struct xp_state xp;

/* Asymmetric in h and v: a symmetric mixer merges states without a symptom. */
static inline u64 xp_mix(u64 h, u64 v)
{
	__uint128_t p =
		(__uint128_t)(h ^ xp.seed ^ (v * 0xD6E8FEB86659FD93ull)) * 0x9E3779B97F4A7C15ull;

	return (u64)p ^ (u64)(p >> 64);
}

/* A history that goes on. Interned: the same id for the same sequence, and for no other. */
u64 xp_intern(u64 history, u64 value);
static inline u64 xp_history(u64 history, u64 value)
{
	if (__builtin_expect(xp.interned != NULL, 0))
		return xp_intern(history, value);
	return xp_mix(history, value);
}

/* The granule's value without the reader counts that nobody will look at. */
static inline u64 xp_canonical(const struct xp_granule *m, u64 value)
{
	for (u32 i = 0; i < 4; i++) {
		u8 kind = m->kind[i];
		u64 word = value >> (i * 16) & 0xFFFF;

		if (!(word & 1) || (kind != XP_WORD_SHAREX && kind != XP_WORD_SHAREX_HP))
			continue;
		word &= kind == XP_WORD_SHAREX ? 0xFFFEu : 0xFFFCu;
		value &= ~(word << (i * 16));
	}
	return value;
}

static inline u64 xp_granule_hash(u32 granule, u64 value)
{
	const struct xp_granule *m = &xp.granule[granule];

	if (__builtin_expect(m->flags & XP_CANON, 0))
		value = xp_canonical(m, value);
	return value ? xp_mix(granule + 0x10000ull, value) : 0;
}

static inline u64 *xp_granule(u32 granule)
{
	return (u64 *)(void *)(xp.arena + (size_t)granule * 8);
}

static inline size_t xp_offset(const volatile void *addr)
{
	return (size_t)((const volatile u8 *)addr - xp.arena);
}

static inline bool xp_in_arena(const volatile void *addr)
{
	return xp_offset(addr) < xp.arena_size;
}

static inline u32 xp_granule_of(const volatile void *addr)
{
	return (u32)(xp_offset(addr) >> 3);
}

/* The half-words that [addr, addr + size) touches within its granule, as bits of xp_granule.shared. */
static inline u8 xp_halves(const volatile void *addr, size_t size)
{
	u32 first = (u32)(xp_offset(addr) >> 1 & 3);
	u32 last = (u32)((xp_offset(addr) + size - 1) >> 1 & 3);

	return (u8)(size > 8 ? 0xFu : (2u << last) - (1u << first));
}

/* The lane that a fiber moves: its own, or the one whose stores it takes to memory. */
static inline u32 xp_lane_of(u32 fiber)
{
	return xp.slots && fiber >= xp.first_flush ? fiber - xp.first_flush : fiber;
}

static inline bool xp_is_flush(u32 fiber)
{
	return xp.slots && fiber >= xp.first_flush;
}

static inline void xp_saw(u64 value)
{
	struct xp_fiber *f = &xp.fiber[xp.cur];

	f->hist = xp_history(f->hist, value + 1);
}

/* Makes the half-words @halves of @m scheduling points. */
static inline void xp_share(struct xp_granule *m, u8 halves)
{
	u8 fresh = halves & (u8)~m->shared;

	if (!fresh)
		return;
	m->shared |= fresh;
	xp.shared_count += (u32)__builtin_popcount(fresh);
	xp.learned = true;
}

/* Who reads and writes is found out anew in each pass. */
static inline void xp_refresh(struct xp_granule *m)
{
	if (m->pass == xp.pass)
		return;
	m->pass = xp.pass;
	for (u32 i = 0; i < 4; i++)
		m->read_by[i] = m->written_by[i] = 0;
}

/*
 * A half-word is shared, and a scheduling point, once two fibers touch it and one of them writes;
 * a lock word or counter only once somebody does more than count.
 */
static inline void xp_learn(struct xp_granule *m, u32 half)
{
	u32 all = m->read_by[half] | m->written_by[half];

	if ((m->shared >> half & 1) || !m->written_by[half] || !(all & (all - 1)))
		return;
	if (m->kind[half] != XP_WORD_PLAIN && !(m->decides >> half & 1))
		return;
	xp_share(m, (u8)(1u << half));
}

/* A checkpoint's history: the lane depends on the arena and on these values alone. */
static inline u64 xp_checkpoint(u32 label, u64 a, u64 b)
{
	if (__builtin_expect(xp.interned != NULL, 0))
		return xp_intern(xp_intern(xp_intern(XP_LANES_MAX * 2, label), a), b);
	return xp_mix(xp_mix(label, a), b);
}

/*
 * The one explorer of this process over [arena, arena + size), size a multiple of 8; false without
 * memory.
 */
bool xp_open(void *arena, size_t size, u64 seed) SL_WARN_UNUSED;
void xp_close(void);
/* Nothing is known of any granule, as behind xp_open(). */
void xp_forget(void);
/* The arena's hash computed anew: xp.hash, unless somebody wrote unseen. */
u64 xp_arena_hash(void);

/* To the search, until it runs this fiber again. */
void xp_yield(void);

/* [addr, addr + size) as pieces that lie in one granule each. */
#define FOR_PIECES(addr, size, p, n)                                                               \
	for (u8 *p = (u8 *)(uintptr_t)(addr), *e_ = p + (size); p < e_;)                           \
		for (size_t n = 8 - ((uintptr_t)p & 7) < (size_t)(e_ - p) ? 8 - ((uintptr_t)p & 7) \
									  : (size_t)(e_ - p),      \
			    once_ = 1;                                                             \
		     once_; p += n, once_ = 0)

/* From here on steps say what they find; not before the last one's finds have been looked at. */
void xp_finds_begin(struct xp_finds *f);
/* The running step comes upon the granule @g. */
static inline void xp_found(u32 g)
{
	struct xp_finds *f = xp.finds;

	if (__builtin_expect(!f, 1) || f->stamp[g] == f->now || f->count == f->most)
		return;
	f->stamp[g] = f->now;
	f->at[f->count++] = (struct xp_undo){ .granule = g, .old = *xp_granule(g) };
}

static inline void xp_log_granule(u32 g)
{
	xp_found(g);
	if (xp.granule[g].stamp == xp.stamp_now)
		return;
	xp.granule[g].stamp = xp.stamp_now;
	if (xp.undo_count == xp.undo_max)
		__builtin_trap();
	xp.undo[xp.undo_count].granule = g;
	xp.undo[xp.undo_count++].old = *xp_granule(g);
}

/* The calling fiber is about to write [addr, addr + size) in the arena. */
static inline void xp_log_write(void *addr, size_t size)
{
	if (!xp.active || !xp_in_arena(addr))
		return;
	FOR_PIECES(addr, size, p, n)
	xp_log_granule(xp_granule_of(p));
}

/* The calling fiber looks at a word without an access of its own: it is shared all the same. */
void xp_note_read(void *addr);
/* A violation. Ends the calling fiber; outside of one it is kept for whoever looks. */
void xp_report(u32 kind, const char *id, const char *text);

/* User code: wipes what a function has left below the caller's frame. */
void xp_scrub(void);

/* The same in every run of one build, wherever the program is loaded; addr2line takes it. */
size_t xp_program_offset(const void *pc);

/* fiber.c */
void xp_switch(void **save, void *to);
/* Makes *sp a fiber on [room, room + size) that starts in @entry (which never returns). */
void xp_fiber_make(void **sp, u8 *room, size_t size, void (*entry)(void));
static inline u8 *xp_stack_top(u32 i)
{
	return xp.stacks + (size_t)(i + 1) * XP_STACK_SIZE;
}

#endif
