/* SPDX-License-Identifier: MIT */
/*
 * hplock.h - try-locks with host priority: mutex, sharex, sharex_hp and the S-EPT entry lock
 *
 * Owns the lock words and every operation on them; the lowest layer, header-only, freestanding C11
 * (also C++17). Nothing here waits: each function gives its answer after a bounded number of its
 * own steps, and waiting is the caller's policy. It must never call a library or allocate.
 *
 * Two flavours of every operation work on the same bits:
 *
 *   name_published()  the steps of the published module, one atomic read-modify-write per
 *                     documented step, with the races between the steps left in
 *   name()            the hardened flavour: same words, same contract, guarantees below
 *
 * Synchronisation (hardened flavour): may the row run at the same time as the column?
 *
 *                        | try_* | release_* of | release_* of | commit by  | withdraw
 *                        |       | another hold | the same one | the holder |
 *   try_*                |  yes  |     yes      |     yes      |    yes     |   yes
 *   try_promote, demote  |  yes  |     yes      |     NO       |     -      |   yes
 *   release_*, unlock    |  yes  |     yes      |     NO       |    NO      |   yes
 *   commit by the holder |  yes  |      -       |     NO       |    NO      |   yes
 *   withdraw             |  yes  |     yes      |     yes      |    yes     |   yes
 *
 *   NO = the same hold belongs to one thread at a time; passing it on needs outside ordering.
 *   sept_entry_commit() without the entry lock needs exclusion from every other writer.
 *
 * Guarantees (hardened flavour):
 *
 *   G1  Exclusive excludes everything, shared excludes exclusive.
 *   G2  An attempt of a guest that fails leaves the word alone: the only step by which it changes
 *       the word is the compare-and-swap that makes it succeed. No host can tell that it happened.
 *   G3  Host priority is set only by a host that was refused, together with the check that the lock
 *       is still held against it; a lock found free is taken instead. (See HP_CALM_AFTER for the
 *       one case in which the bit comes first; that call then takes the lock or sees another host
 *       do so.)
 *   G4  Host priority goes away only in the atomic step by which a host acquires, or by an explicit
 *       withdraw. Guests, releases and commits never change it.
 *   G5  While host priority stands, no guest acquires.
 *   G6  A host acquires and clears host priority in one step, so a request made after that step
 *       stays.
 *   G7  The word returns to the exact number of live holders; no attempt leaves a stray count.
 *
 * Progress:
 *
 *   P1  Every release, unlock, commit and withdraw is wait-free.
 *   P2  Every try ends after at most HP_TRIES_MAX lost compare-and-swaps. Each of them is strong,
 *       so a loss means that another party finished a step on the same word in between.
 *   P3  As far as guests go, a refused host needs one more try once the holders that were there
 *       have left: from G3 to G5, only another host can come between.
 */
#ifndef SEAMLAB_HPLOCK_H
#define SEAMLAB_HPLOCK_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus

/* C++17 has no _Atomic: the same storage, reached with the compiler's builtins only. */
#define SL_HP_ATOMIC(type)              type
#define SL_HP_RELAXED                   __ATOMIC_RELAXED
#define SL_HP_ACQUIRE                   __ATOMIC_ACQUIRE
#define SL_HP_RELEASE                   __ATOMIC_RELEASE
#define SL_HP_SEQ_CST                   __ATOMIC_SEQ_CST
#define SL_HP_LOAD(p, order)            __atomic_load_n((p), (order))
#define SL_HP_STORE(p, value, order)    __atomic_store_n((p), (value), (order))
#define SL_HP_EXCHANGE(p, value, order) __atomic_exchange_n((p), (value), (order))
#define SL_HP_CAS(p, expected, desired, order) \
	__atomic_compare_exchange_n((p), (expected), (desired), false, (order), __ATOMIC_RELAXED)
#define SL_HP_ADD(p, value, order)              __atomic_fetch_add((p), (value), (order))
#define SL_HP_SUB(p, value, order)              __atomic_fetch_sub((p), (value), (order))
#define SL_HP_OR(p, value, order)               __atomic_fetch_or((p), (value), (order))
#define SL_HP_AND(p, value, order)              __atomic_fetch_and((p), (value), (order))
#define SL_HP_XOR(p, value, order)              __atomic_fetch_xor((p), (value), (order))
#define SL_HP_STATIC_ASSERT(condition, message) static_assert(condition, message)

extern "C" {

#else

#include <stdatomic.h>

#define SL_HP_ATOMIC(type)              _Atomic(type)
#define SL_HP_RELAXED                   memory_order_relaxed
#define SL_HP_ACQUIRE                   memory_order_acquire
#define SL_HP_RELEASE                   memory_order_release
#define SL_HP_SEQ_CST                   memory_order_seq_cst
#define SL_HP_LOAD(p, order)            atomic_load_explicit((p), (order))
#define SL_HP_STORE(p, value, order)    atomic_store_explicit((p), (value), (order))
#define SL_HP_EXCHANGE(p, value, order) atomic_exchange_explicit((p), (value), (order))
#define SL_HP_CAS(p, expected, desired, order)                                       \
	atomic_compare_exchange_strong_explicit((p), (expected), (desired), (order), \
						memory_order_relaxed)
#define SL_HP_ADD(p, value, order)              atomic_fetch_add_explicit((p), (value), (order))
#define SL_HP_SUB(p, value, order)              atomic_fetch_sub_explicit((p), (value), (order))
#define SL_HP_OR(p, value, order)               atomic_fetch_or_explicit((p), (value), (order))
#define SL_HP_AND(p, value, order)              atomic_fetch_and_explicit((p), (value), (order))
#define SL_HP_XOR(p, value, order)              atomic_fetch_xor_explicit((p), (value), (order))
#define SL_HP_STATIC_ASSERT(condition, message) _Static_assert(condition, message)

#endif

/* Who asks. */
enum hp_side {
	HP_HOST,
	HP_GUEST,
};

/* HP_BUSY_HOST_PRIORITY is for guests only: refused because a host waits for this lock. */
enum hp_result {
	HP_OK,
	HP_BUSY,
	HP_BUSY_HOST_PRIORITY,
};

/* A word of zero bytes is a free lock; no other initialisation is needed. */
typedef struct {
	SL_HP_ATOMIC(uint8_t) word;
} hp_mutex_t;

typedef struct {
	SL_HP_ATOMIC(uint16_t) word;
} sharex_t;

typedef struct {
	SL_HP_ATOMIC(uint16_t) word;
} sharex_hp_t;

SL_HP_STATIC_ASSERT(sizeof(hp_mutex_t) == 1, "a mutex is one byte");
SL_HP_STATIC_ASSERT(sizeof(sharex_t) == 2, "a sharex is two bytes");
SL_HP_STATIC_ASSERT(sizeof(sharex_hp_t) == 2, "a sharex_hp is two bytes");
SL_HP_STATIC_ASSERT(sizeof(SL_HP_ATOMIC(uint64_t)) == 8, "an S-EPT entry is eight bytes");

/* Layout of hp_mutex_t.word. */
#define HP_MUTEX_FREE  ((uint8_t)0)
#define HP_MUTEX_TAKEN ((uint8_t)1)

/* Layout of sharex_t.word: bit 0 exclusive, bits 15:1 readers. */
#define SHAREX_EX          ((uint16_t)0x0001)
#define SHAREX_READER      ((uint16_t)0x0002)
#define SHAREX_READERS     ((uint16_t)0xFFFE)
#define SHAREX_READERS_MAX 0x7FFF

/* Layout of sharex_hp_t.word: bit 0 exclusive, bit 1 host priority, bits 15:2 readers. */
#define SHAREX_HP_EX          ((uint16_t)0x0001)
#define SHAREX_HP_PRIORITY    ((uint16_t)0x0002)
#define SHAREX_HP_READER      ((uint16_t)0x0004)
#define SHAREX_HP_READERS     ((uint16_t)0xFFFC)
#define SHAREX_HP_READERS_MAX 0x3FFF

/* The two lock bits of an S-EPT entry; the other 62 bits belong to the holder. */
#define SEPT_ENTRY_TDEL_BIT 11
#define SEPT_ENTRY_HP_BIT   52
#define SEPT_ENTRY_TDEL     (UINT64_C(1) << SEPT_ENTRY_TDEL_BIT)
#define SEPT_ENTRY_HP       (UINT64_C(1) << SEPT_ENTRY_HP_BIT)

/*
 * Lost compare-and-swaps after which a try gives up with HP_BUSY. The answer is a true one: the
 * word changed under the caller that many times in a row. Larger than the reader limit of any word,
 * so that the departure of every reader there can be cannot use it up.
 */
#define HP_TRIES_MAX 0x10000u

/*
 * Lost compare-and-swaps after which a host stops competing with guests: it sets host priority
 * first, in one step that cannot be lost, and then decides. From there on no guest acquires, and
 * each further loss is either one of the holders leaving or another host.
 */
#define HP_CALM_AFTER 8u

SL_HP_STATIC_ASSERT(HP_TRIES_MAX > HP_CALM_AFTER + SHAREX_READERS_MAX + 1,
		    "the departure of all readers must not use up a try");

/*
 * Called on misuse: release of what is not held, promotion without a share, reader counter
 * overflow. The program may define it, and its definition may return; without a definition the
 * program traps. If it returns, the function that called it returns too: a try with HP_BUSY (the
 * caller holds nothing new), in the hardened flavour with the word unchanged, in the published
 * flavour with the word as the documented steps left it (which may be a broken count; the published
 * module halts at this point).
 */
void hp_misuse(const char *what) __attribute__((weak));

static inline void hp_report_misuse(const char *what)
{
	if (hp_misuse)
		hp_misuse(what);
	else
		__builtin_trap();
}

/* ---- mutex ----------------------------------------------------------------------------------- */

static inline enum hp_result hp_mutex_try_lock_published(hp_mutex_t *l)
{
	uint8_t old = HP_MUTEX_FREE;

	/* Acquire: pairs with the release in hp_mutex_unlock_published(). */
	return SL_HP_CAS(&l->word, &old, HP_MUTEX_TAKEN, SL_HP_ACQUIRE) ? HP_OK : HP_BUSY;
}

/* After misuse the word is unchanged. */
static inline void hp_mutex_unlock_published(hp_mutex_t *l)
{
	uint8_t old = HP_MUTEX_TAKEN;

	/* Release: pairs with the acquire in hp_mutex_try_lock_published(). */
	if (!SL_HP_CAS(&l->word, &old, HP_MUTEX_FREE, SL_HP_RELEASE))
		hp_report_misuse("hp_mutex_unlock: not locked");
}

/* The published mutex has no window between steps; the hardened one is the same code. */
static inline enum hp_result hp_mutex_try_lock(hp_mutex_t *l)
{
	return hp_mutex_try_lock_published(l);
}

static inline void hp_mutex_unlock(hp_mutex_t *l)
{
	hp_mutex_unlock_published(l);
}

/* ---- plain sharex, published ----------------------------------------------------------------- */

/* A refused reader leaves its increment behind; sharex_release_exclusive_published() wipes it. */
static inline enum hp_result sharex_try_shared_published(sharex_t *l)
{
	/* Acquire: pairs with the release in sharex_release_exclusive_published(). */
	uint16_t old = SL_HP_ADD(&l->word, SHAREX_READER, SL_HP_ACQUIRE);

	if (old == SHAREX_READERS) {
		hp_report_misuse("sharex_try_shared: reader counter overflow");
		return HP_BUSY;
	}
	return (old & SHAREX_EX) ? HP_BUSY : HP_OK;
}

static inline enum hp_result sharex_try_exclusive_published(sharex_t *l)
{
	uint16_t old = 0;

	/* Acquire: pairs with the releases in both sharex_release_*_published(). */
	return SL_HP_CAS(&l->word, &old, SHAREX_EX, SL_HP_ACQUIRE) ? HP_OK : HP_BUSY;
}

/* After misuse the word has been decremented all the same. */
static inline void sharex_release_shared_published(sharex_t *l)
{
	/* Release: pairs with the acquire in sharex_try_exclusive_published(). */
	uint16_t old = SL_HP_SUB(&l->word, SHAREX_READER, SL_HP_RELEASE);

	if ((old & SHAREX_EX) || !(old & SHAREX_READERS))
		hp_report_misuse("sharex_release_shared: not held shared");
}

/* After misuse the word is 0. */
static inline void sharex_release_exclusive_published(sharex_t *l)
{
	/* Release: pairs with the acquire in both sharex_try_*_published(). */
	uint16_t old = SL_HP_EXCHANGE(&l->word, (uint16_t)0, SL_HP_RELEASE);

	if (!(old & SHAREX_EX))
		hp_report_misuse("sharex_release_exclusive: not held exclusive");
}

/* The caller holds a share, and keeps it on HP_BUSY. */
static inline enum hp_result sharex_try_promote_published(sharex_t *l)
{
	uint16_t old = SHAREX_READER;

	/* Acquire: pairs with the release in sharex_release_shared_published(). */
	if (SL_HP_CAS(&l->word, &old, SHAREX_EX, SL_HP_ACQUIRE))
		return HP_OK;
	if ((old & SHAREX_EX) || !(old & SHAREX_READERS))
		hp_report_misuse("sharex_try_promote: not held shared");
	return HP_BUSY;
}

/* After misuse the word says one reader. */
static inline void sharex_demote_published(sharex_t *l)
{
	/* Release: pairs with the acquire in sharex_try_shared_published(). */
	uint16_t old = SL_HP_EXCHANGE(&l->word, SHAREX_READER, SL_HP_RELEASE);

	if (!(old & SHAREX_EX))
		hp_report_misuse("sharex_demote: not held exclusive");
}

/* ---- plain sharex, hardened ------------------------------------------------------------------ */

static inline enum hp_result sharex_try_shared(sharex_t *l)
{
	/* Guess a free word: right when uncontended, else the first loss serves as the load. */
	uint16_t word = 0;

	for (unsigned int lost = 0; lost < HP_TRIES_MAX; lost++) {
		if (word & SHAREX_EX)
			return HP_BUSY;
		if (word == SHAREX_READERS) {
			hp_report_misuse("sharex_try_shared: reader counter overflow");
			return HP_BUSY;
		}
		/*
		 * Acquire: pairs with the release in sharex_release_exclusive(), sharex_demote().
		 */
		if (SL_HP_CAS(&l->word, &word, (uint16_t)(word + SHAREX_READER), SL_HP_ACQUIRE))
			return HP_OK;
	}
	return HP_BUSY;
}

static inline enum hp_result sharex_try_exclusive(sharex_t *l)
{
	uint16_t old = 0;

	/* Acquire: pairs with the releases in both sharex_release_*(). */
	return SL_HP_CAS(&l->word, &old, SHAREX_EX, SL_HP_ACQUIRE) ? HP_OK : HP_BUSY;
}

/*
 * After misuse the word is unchanged, unless two wrong releases met between the check and the step.
 */
static inline void sharex_release_shared(sharex_t *l)
{
	uint16_t word = SHAREX_READER;

	/* The only reader. Release: pairs with the acquire in sharex_try_exclusive(), promote. */
	if (SL_HP_CAS(&l->word, &word, (uint16_t)0, SL_HP_RELEASE))
		return;
	if ((word & SHAREX_EX) || !(word & SHAREX_READERS)) {
		hp_report_misuse("sharex_release_shared: not held shared");
		return;
	}
	/* One step that cannot be lost. Release: pairs as above. */
	word = SL_HP_SUB(&l->word, SHAREX_READER, SL_HP_RELEASE);
	if ((word & SHAREX_EX) || !(word & SHAREX_READERS))
		hp_report_misuse("sharex_release_shared: released twice");
}

/* After misuse the word is unchanged. */
static inline void sharex_release_exclusive(sharex_t *l)
{
	uint16_t old = SHAREX_EX;

	/* Release: pairs with the acquire in sharex_try_shared(), sharex_try_exclusive(). */
	if (SL_HP_CAS(&l->word, &old, (uint16_t)0, SL_HP_RELEASE))
		return;
	if (!(old & SHAREX_EX)) {
		hp_report_misuse("sharex_release_exclusive: not held exclusive");
		return;
	}
	/* Only counts left by published readers get here. Release: pairs as above. */
	SL_HP_STORE(&l->word, (uint16_t)0, SL_HP_RELEASE);
}

/* The caller holds a share, and keeps it on HP_BUSY. After misuse the word is unchanged. */
static inline enum hp_result sharex_try_promote(sharex_t *l)
{
	return sharex_try_promote_published(l);
}

/* After misuse the word is unchanged. */
static inline void sharex_demote(sharex_t *l)
{
	uint16_t old = SHAREX_EX;

	/* Release: pairs with the acquire in sharex_try_shared(). */
	if (SL_HP_CAS(&l->word, &old, SHAREX_READER, SL_HP_RELEASE))
		return;
	if (!(old & SHAREX_EX)) {
		hp_report_misuse("sharex_demote: not held exclusive");
		return;
	}
	/* Only counts left by published readers get here. Release: pairs as above. */
	SL_HP_STORE(&l->word, SHAREX_READER, SL_HP_RELEASE);
}

/* ---- sharex with host priority, published ---------------------------------------------------- */

static inline enum hp_result sharex_hp_try_shared_published(sharex_hp_t *l, enum hp_side side)
{
	/* Acquire: pairs with the release in sharex_hp_release_exclusive_published(). */
	uint16_t old = SL_HP_ADD(&l->word, SHAREX_HP_READER, SL_HP_ACQUIRE);

	if (side == HP_GUEST) {
		/*
		 * Priority is looked at before exclusive; only this refusal takes its count back.
		 */
		if (old & SHAREX_HP_PRIORITY) {
			SL_HP_SUB(&l->word, SHAREX_HP_READER, SL_HP_RELAXED);
			return HP_BUSY_HOST_PRIORITY;
		}
		if (old & SHAREX_HP_EX)
			return HP_BUSY;
	} else {
		if (old & SHAREX_HP_EX) {
			SL_HP_OR(&l->word, SHAREX_HP_PRIORITY, SL_HP_RELAXED);
			return HP_BUSY;
		}
		if (old & SHAREX_HP_PRIORITY)
			SL_HP_AND(&l->word, (uint16_t)~SHAREX_HP_PRIORITY, SL_HP_RELAXED);
	}
	if ((old & SHAREX_HP_READERS) == SHAREX_HP_READERS) {
		hp_report_misuse("sharex_hp_try_shared: reader counter overflow");
		return HP_BUSY;
	}
	return HP_OK;
}

static inline enum hp_result sharex_hp_try_exclusive_published(sharex_hp_t *l, enum hp_side side)
{
	uint16_t old = 0;

	/* Acquire: pairs with the releases in both sharex_hp_release_*_published(). */
	if (SL_HP_CAS(&l->word, &old, SHAREX_HP_EX, SL_HP_ACQUIRE))
		return HP_OK;
	if (old == SHAREX_HP_PRIORITY) {
		if (side == HP_GUEST)
			return HP_BUSY_HOST_PRIORITY;
		/* A second loss does not set priority again. Acquire: pairs as above. */
		return SL_HP_CAS(&l->word, &old, SHAREX_HP_EX, SL_HP_ACQUIRE) ? HP_OK : HP_BUSY;
	}
	if (side == HP_HOST)
		SL_HP_OR(&l->word, SHAREX_HP_PRIORITY, SL_HP_RELAXED);
	return HP_BUSY;
}

/* Host only. The caller holds a share, and keeps it on HP_BUSY. */
static inline enum hp_result sharex_hp_try_promote_published(sharex_hp_t *l)
{
	uint16_t old = SHAREX_HP_READER;
	bool second = false;

	/* Acquire: pairs with the release in sharex_hp_release_shared_published(). */
	if (SL_HP_CAS(&l->word, &old, SHAREX_HP_EX, SL_HP_ACQUIRE))
		return HP_OK;
	if (old == (SHAREX_HP_READER | SHAREX_HP_PRIORITY)) {
		second = true;
		/* A second loss does not set priority again. Acquire: pairs as above. */
		if (SL_HP_CAS(&l->word, &old, SHAREX_HP_EX, SL_HP_ACQUIRE))
			return HP_OK;
	}
	if ((old & SHAREX_HP_EX) || old == 0) {
		hp_report_misuse("sharex_hp_try_promote: not held shared");
		return HP_BUSY;
	}
	if (!second)
		SL_HP_OR(&l->word, SHAREX_HP_PRIORITY, SL_HP_RELAXED);
	return HP_BUSY;
}

/* After misuse the word has been decremented all the same. */
static inline void sharex_hp_release_shared_published(sharex_hp_t *l)
{
	/* Release: pairs with the acquire in sharex_hp_try_exclusive_published() and promote. */
	uint16_t old = SL_HP_SUB(&l->word, SHAREX_HP_READER, SL_HP_RELEASE);

	if ((old & SHAREX_HP_EX) || !(old & SHAREX_HP_READERS))
		hp_report_misuse("sharex_hp_release_shared: not held shared");
}

/* After misuse the word is unchanged. */
static inline void sharex_hp_release_exclusive_published(sharex_hp_t *l)
{
	if (!(SL_HP_LOAD(&l->word, SL_HP_RELAXED) & SHAREX_HP_EX)) {
		hp_report_misuse("sharex_hp_release_exclusive: not held exclusive");
		return;
	}
	/* Release: pairs with the acquire in both sharex_hp_try_*_published(). */
	SL_HP_AND(&l->word, SHAREX_HP_PRIORITY, SL_HP_RELEASE);
}

/* ---- sharex with host priority, hardened ----------------------------------------------------- */

/*
 * Take a word whose only holds are the caller's own (own = 0, or one reader to promote), or else
 * leave host priority on it. @word is the value the caller saw last.
 */
static inline enum hp_result sharex_hp_host_take(sharex_hp_t *l, uint16_t word, uint16_t own)
{
	for (unsigned int lost = 0; lost < HP_TRIES_MAX; lost++) {
		uint16_t next = SHAREX_HP_EX;
		bool take;

		if (lost >= HP_CALM_AFTER && !(word & SHAREX_HP_PRIORITY))
			word = SL_HP_OR(&l->word, SHAREX_HP_PRIORITY, SL_HP_RELAXED) |
			       SHAREX_HP_PRIORITY;
		take = (word & ~SHAREX_HP_PRIORITY) == own;
		if (!take) {
			if (word & SHAREX_HP_PRIORITY)
				return HP_BUSY;
			next = word | SHAREX_HP_PRIORITY;
		}
		/* Acquire: pairs with the releases in both sharex_hp_release_*(). */
		if (SL_HP_CAS(&l->word, &word, next, SL_HP_ACQUIRE))
			return take ? HP_OK : HP_BUSY;
	}
	/* Guests cannot use up the bound after HP_CALM_AFTER: every loss since went to a host. */
	return HP_BUSY;
}

static inline enum hp_result sharex_hp_host_share(sharex_hp_t *l, uint16_t word)
{
	for (unsigned int lost = 0; lost < HP_TRIES_MAX; lost++) {
		uint16_t next;
		bool take;

		if (lost >= HP_CALM_AFTER && !(word & SHAREX_HP_PRIORITY))
			word = SL_HP_OR(&l->word, SHAREX_HP_PRIORITY, SL_HP_RELAXED) |
			       SHAREX_HP_PRIORITY;
		take = !(word & SHAREX_HP_EX);
		if (take) {
			if ((word & SHAREX_HP_READERS) == SHAREX_HP_READERS) {
				hp_report_misuse("sharex_hp_try_shared: reader counter overflow");
				return HP_BUSY;
			}
			next = (uint16_t)((word + SHAREX_HP_READER) & ~SHAREX_HP_PRIORITY);
		} else {
			if (word & SHAREX_HP_PRIORITY)
				return HP_BUSY;
			next = word | SHAREX_HP_PRIORITY;
		}
		/* Acquire: pairs with the release in sharex_hp_release_exclusive(). */
		if (SL_HP_CAS(&l->word, &word, next, SL_HP_ACQUIRE))
			return take ? HP_OK : HP_BUSY;
	}
	/*
	 * Guests cannot use up the bound: only readers that leave, and hosts, win after the calm.
	 */
	return HP_BUSY;
}

static inline enum hp_result sharex_hp_try_shared(sharex_hp_t *l, enum hp_side side)
{
	uint16_t word = 0;

	/*
	 * Guess a free word: right when uncontended, else the loss serves as the load. Acquire:
	 * pairs with the release in sharex_hp_release_exclusive().
	 */
	if (SL_HP_CAS(&l->word, &word, SHAREX_HP_READER, SL_HP_ACQUIRE))
		return HP_OK;
	if (side == HP_HOST)
		return sharex_hp_host_share(l, word);

	for (unsigned int lost = 0; lost < HP_TRIES_MAX; lost++) {
		if (word & SHAREX_HP_PRIORITY)
			return HP_BUSY_HOST_PRIORITY;
		if (word & SHAREX_HP_EX)
			return HP_BUSY;
		if (word == SHAREX_HP_READERS) {
			hp_report_misuse("sharex_hp_try_shared: reader counter overflow");
			return HP_BUSY;
		}
		/* Acquire: pairs with the release in sharex_hp_release_exclusive(). */
		if (SL_HP_CAS(&l->word, &word, (uint16_t)(word + SHAREX_HP_READER), SL_HP_ACQUIRE))
			return HP_OK;
	}
	return HP_BUSY;
}

static inline enum hp_result sharex_hp_try_exclusive(sharex_hp_t *l, enum hp_side side)
{
	uint16_t word = 0;

	/* Acquire: pairs with the releases in both sharex_hp_release_*(). */
	if (SL_HP_CAS(&l->word, &word, SHAREX_HP_EX, SL_HP_ACQUIRE))
		return HP_OK;
	if (side == HP_HOST)
		return sharex_hp_host_take(l, word, 0);
	/*
	 * The strong compare-and-swap saw a word that was not free: nothing to try again.
	 * DEVIATION: the published word tells a guest of host priority here only if nobody holds
	 * the lock.
	 */
	return (word & SHAREX_HP_PRIORITY) ? HP_BUSY_HOST_PRIORITY : HP_BUSY;
}

/*
 * Host only. The caller holds a share, and keeps it on HP_BUSY. After misuse the word is unchanged.
 */
static inline enum hp_result sharex_hp_try_promote(sharex_hp_t *l)
{
	uint16_t word = SHAREX_HP_READER;

	/* Acquire: pairs with the release in sharex_hp_release_shared(). */
	if (SL_HP_CAS(&l->word, &word, SHAREX_HP_EX, SL_HP_ACQUIRE))
		return HP_OK;
	/*
	 * DEVIATION: the published word lets the promotion of a free lock with priority pass as
	 * busy.
	 */
	if ((word & SHAREX_HP_EX) || !(word & SHAREX_HP_READERS)) {
		hp_report_misuse("sharex_hp_try_promote: not held shared");
		return HP_BUSY;
	}
	return sharex_hp_host_take(l, word, SHAREX_HP_READER);
}

/*
 * After misuse the word is unchanged, unless two wrong releases met between the check and the step.
 */
static inline void sharex_hp_release_shared(sharex_hp_t *l)
{
	uint16_t word = SHAREX_HP_READER;

	/*
	 * The only reader, and no request. Release: pairs with the acquire in
	 * sharex_hp_try_exclusive(), sharex_hp_try_promote().
	 */
	if (SL_HP_CAS(&l->word, &word, (uint16_t)0, SL_HP_RELEASE))
		return;
	if ((word & SHAREX_HP_EX) || !(word & SHAREX_HP_READERS)) {
		hp_report_misuse("sharex_hp_release_shared: not held shared");
		return;
	}
	/* One step that cannot be lost. Release: pairs as above. */
	word = SL_HP_SUB(&l->word, SHAREX_HP_READER, SL_HP_RELEASE);
	if ((word & SHAREX_HP_EX) || !(word & SHAREX_HP_READERS))
		hp_report_misuse("sharex_hp_release_shared: released twice");
}

/* Keeps host priority. After misuse the word is unchanged. */
static inline void sharex_hp_release_exclusive(sharex_hp_t *l)
{
	uint16_t word = SHAREX_HP_EX;

	/* Release: pairs with the acquire in both sharex_hp_try_*(). */
	if (SL_HP_CAS(&l->word, &word, (uint16_t)0, SL_HP_RELEASE))
		return;
	if (!(word & SHAREX_HP_EX)) {
		hp_report_misuse("sharex_hp_release_exclusive: not held exclusive");
		return;
	}
	/* A host waits. One step that cannot be lost. Release: pairs as above. */
	SL_HP_AND(&l->word, SHAREX_HP_PRIORITY, SL_HP_RELEASE);
}

/*
 * Host only: give up a request without acquiring. Host priority is one bit for all hosts, so a
 * request of another host goes with it and returns with that host's next refused try. No published
 * equivalent.
 */
static inline void sharex_hp_withdraw(sharex_hp_t *l)
{
	if (SL_HP_LOAD(&l->word, SL_HP_RELAXED) & SHAREX_HP_PRIORITY)
		SL_HP_AND(&l->word, (uint16_t)~SHAREX_HP_PRIORITY, SL_HP_RELAXED);
}

/* ---- S-EPT entry lock, published ------------------------------------------------------------- */

static inline enum hp_result sept_entry_try_lock_published(SL_HP_ATOMIC(uint64_t) * entry,
							   enum hp_side side)
{
	/* Acquire: pairs with the releases in sept_entry_unlock_published() and commit. */
	uint64_t old = SL_HP_OR(entry, SEPT_ENTRY_TDEL, SL_HP_ACQUIRE);

	if (old & SEPT_ENTRY_TDEL) {
		if (side == HP_HOST)
			SL_HP_OR(entry, SEPT_ENTRY_HP, SL_HP_RELAXED);
		return HP_BUSY;
	}
	if (side == HP_HOST) {
		SL_HP_AND(entry, ~SEPT_ENTRY_HP, SL_HP_RELAXED);
		return HP_OK;
	}
	if (SL_HP_LOAD(entry, SL_HP_RELAXED) & SEPT_ENTRY_HP) {
		SL_HP_AND(entry, ~SEPT_ENTRY_TDEL, SL_HP_RELAXED);
		return HP_BUSY_HOST_PRIORITY;
	}
	return HP_OK;
}

/* After misuse the entry is unchanged. */
static inline void sept_entry_unlock_published(SL_HP_ATOMIC(uint64_t) * entry)
{
	if (!(SL_HP_LOAD(entry, SL_HP_RELAXED) & SEPT_ENTRY_TDEL)) {
		hp_report_misuse("sept_entry_unlock: not locked");
		return;
	}
	/* Release: pairs with the acquire in sept_entry_try_lock_published(). */
	SL_HP_AND(entry, ~SEPT_ENTRY_TDEL, SL_HP_RELEASE);
}

/* The holder's whole new entry in one store; host priority becomes whatever @value carries. */
static inline void sept_entry_commit_published(SL_HP_ATOMIC(uint64_t) * entry, uint64_t value,
					       bool keep_locked)
{
	value = keep_locked ? value | SEPT_ENTRY_TDEL : value & ~SEPT_ENTRY_TDEL;
	/* Release: pairs with the acquire in sept_entry_try_lock_published(). */
	SL_HP_STORE(entry, value, SL_HP_RELEASE);
}

/*
 * The same as releases from 1.5.20 on do it: host priority is taken from memory, by compare-and-swaps
 * until one wins. Each lost one means that somebody else changed host priority, or the lock bit of an
 * entry that is committed without holding it, in between. A full fence.
 */
static inline void sept_entry_commit_keeping_published(SL_HP_ATOMIC(uint64_t) * entry,
						       uint64_t value, bool keep_locked)
{
	uint64_t old = SL_HP_LOAD(entry, SL_HP_RELAXED);
	uint64_t next;

	value = keep_locked ? value | SEPT_ENTRY_TDEL : value & ~SEPT_ENTRY_TDEL;
	do {
		next = (value & ~SEPT_ENTRY_HP) | (old & SEPT_ENTRY_HP);
		/* Pairs with the acquire in sept_entry_try_lock_published(). */
	} while (!SL_HP_CAS(entry, &old, next, SL_HP_SEQ_CST));
}

/* ---- S-EPT entry lock, hardened -------------------------------------------------------------- */

static inline enum hp_result sept_entry_host_take(SL_HP_ATOMIC(uint64_t) * entry, uint64_t word)
{
	for (unsigned int lost = 0; lost < HP_TRIES_MAX; lost++) {
		uint64_t next;
		bool take;

		if (lost >= HP_CALM_AFTER && !(word & SEPT_ENTRY_HP))
			word = SL_HP_OR(entry, SEPT_ENTRY_HP, SL_HP_RELAXED) | SEPT_ENTRY_HP;
		take = !(word & SEPT_ENTRY_TDEL);
		if (take) {
			next = (word | SEPT_ENTRY_TDEL) & ~SEPT_ENTRY_HP;
		} else {
			if (word & SEPT_ENTRY_HP)
				return HP_BUSY;
			next = word | SEPT_ENTRY_HP;
		}
		/* Acquire: pairs with the releases in sept_entry_unlock(), sept_entry_commit(). */
		if (SL_HP_CAS(entry, &word, next, SL_HP_ACQUIRE))
			return take ? HP_OK : HP_BUSY;
	}
	/* Guests cannot use up the bound after HP_CALM_AFTER: every loss since went to a host. */
	return HP_BUSY;
}

static inline enum hp_result sept_entry_try_lock(SL_HP_ATOMIC(uint64_t) * entry, enum hp_side side)
{
	uint64_t word = SL_HP_LOAD(entry, SL_HP_RELAXED);

	if (side == HP_HOST)
		return sept_entry_host_take(entry, word);

	for (unsigned int lost = 0; lost < HP_TRIES_MAX; lost++) {
		/* DEVIATION: a locked published entry does not tell a guest of host priority. */
		if (word & SEPT_ENTRY_HP)
			return HP_BUSY_HOST_PRIORITY;
		if (word & SEPT_ENTRY_TDEL)
			return HP_BUSY;
		/* Acquire: pairs with the releases in sept_entry_unlock(), sept_entry_commit(). */
		if (SL_HP_CAS(entry, &word, word | SEPT_ENTRY_TDEL, SL_HP_ACQUIRE))
			return HP_OK;
	}
	return HP_BUSY;
}

/* Keeps host priority. After misuse the entry is unchanged. */
static inline void sept_entry_unlock(SL_HP_ATOMIC(uint64_t) * entry)
{
	/* Release: pairs with the acquire in sept_entry_try_lock(). */
	if (!(SL_HP_AND(entry, ~SEPT_ENTRY_TDEL, SL_HP_RELEASE) & SEPT_ENTRY_TDEL))
		hp_report_misuse("sept_entry_unlock: not locked");
}

/*
 * The holder's whole new entry in one step. Host priority stays as it is in memory; the bit in
 * @value is ignored, so a copy taken earlier can neither erase a request nor bring one back.
 *
 * The holder is the only writer of every bit but host priority, so the difference between the old
 * and the new entry cannot go stale, and flipping exactly those bits needs no loop. Without the
 * entry lock the caller must exclude every other writer, as when it fills a page that nobody can
 * reach yet.
 */
static inline void sept_entry_commit(SL_HP_ATOMIC(uint64_t) * entry, uint64_t value,
				     bool keep_locked)
{
	uint64_t word = SL_HP_LOAD(entry, SL_HP_RELAXED);

	value = keep_locked ? value | SEPT_ENTRY_TDEL : value & ~SEPT_ENTRY_TDEL;
	/* Release: pairs with the acquire in sept_entry_try_lock(). */
	SL_HP_XOR(entry, (word ^ value) & ~SEPT_ENTRY_HP, SL_HP_RELEASE);
}

/* Host only: give up a request without acquiring; see sharex_hp_withdraw(). */
static inline void sept_entry_withdraw(SL_HP_ATOMIC(uint64_t) * entry)
{
	if (SL_HP_LOAD(entry, SL_HP_RELAXED) & SEPT_ENTRY_HP)
		SL_HP_AND(entry, ~SEPT_ENTRY_HP, SL_HP_RELAXED);
}

#ifdef __cplusplus
}
#endif

#endif /* SEAMLAB_HPLOCK_H */
