/* SPDX-License-Identifier: MIT */
/*
 * What model code may ask of its surroundings, and nothing else. One struct sl_env per lane (a
 * thread of execution: a vCPU thread, a host thread, a raw caller); the engine owns it.
 *
 * Model code calls no pthread, clock, rand or malloc at run time: a value that could differ
 * between two runs comes from choose() or now(), a wait goes through a lock or wait_while().
 * Layer: env.
 */
#ifndef SL_BASE_ENV_H
#define SL_BASE_ENV_H

#include "base/types.h"

struct sl_env;
struct sl_stats;

/* What a choose() decides; reports and traces print the name. */
enum sl_choice {
	SL_CHOICE_INTERRUPT,   /* is an interrupt pending at this poll? */
	SL_CHOICE_RANDOM_PAGE, /* which page of a range does a random operation take? */
	SL_CHOICE_ENTROPY,     /* does the random number generator fail? */
};

/* Kinds of finding; the names are those of scenario verdicts. */
enum sl_violation {
	SL_VIOLATION_ORACLE,
	SL_VIOLATION_HOST_ASSERT,
	SL_VIOLATION_MODULE_HALT,
	SL_VIOLATION_RACE,
	SL_VIOLATION_DEADLOCK,
	SL_VIOLATION_LIVELOCK,
	SL_VIOLATION_BOUND,
	SL_VIOLATION_TD_KILLED,
	SL_VIOLATION_COUNT
};

/* "oracle", "host-assert", ... as written in scenario files. */
const char *sl_violation_name(enum sl_violation kind);

/* What note() records. */
enum sl_note {
	SL_NOTE_SEAMCALL, /* a = RAX in, b = status */
	SL_NOTE_TDCALL,   /* a = RAX in, b = status */
	SL_NOTE_KICK,     /* a = number of vCPUs that got an IPI */
	SL_NOTE_OP,       /* a = index of the lane operation */
	SL_NOTE_BUSY,     /* a = host site: BUSY once more in this visit to it */
	SL_NOTE_VISIT,    /* a = host site: a visit that was BUSY has ended */
	SL_NOTE_THROUGH,  /* a = host site: a SEAMCALL there was not BUSY */
	SL_NOTE_WORD,     /* an operation on a bare lock word has ended; see engine/caller.h */
	SL_NOTE_REFUSED, /* a = SL_REFUSED_...: a leaf did not get a lock; b = status in its plan */
	/* The same a, in front of it. */
	SL_NOTE_SEAMCALL_BEGINS,
	SL_NOTE_TDCALL_BEGINS,
	SL_NOTE_WORD_BEGINS,
};

/* Of SL_NOTE_REFUSED: which of the module's locks, and who asked. */
#define SL_REFUSED_OBJECT 0xFFu  /* enum lock_object */
#define SL_REFUSED_LARGE  0x100u /* the PAMT entry of a 2 MB or 1 GB range */
#define SL_REFUSED_GUEST  0x200u /* a TDCALL */

/*
 * Host-side sleeping locks. They live in the arena; what is in them belongs to the engine.
 *
 * operation      | needs outside exclusion
 * ---------------|------------------------
 * lock/unlock    | no
 * init           | yes, before any lane runs
 *
 * G1: a writer excludes readers and writers. G2: neither is recursive. P1: a waiting writer is not
 * overtaken for ever by readers.
 */
struct sl_mutex {
	_Alignas(8) u8 room[64];
};

struct sl_rwlock {
	_Alignas(8) u8 room[64];
};

struct sl_env_ops {
	/* A value in [0, n), n >= 1. */
	u32 (*choose)(struct sl_env *env, enum sl_choice what, u32 n);
	/* Ticks of the model's TSC; see struct sl_env for its frequency. */
	u64 (*now)(struct sl_env *env);
	/*
	 * Have @ticks passed since @start, a value of now()? NULL: now() tells. An engine without
	 * time of its own decides it freely, which is what a timeout means to a program.
	 */
	bool (*elapsed)(struct sl_env *env, u64 start, u64 ticks);
	/* Once per turn of a retry loop: lets somebody else run. */
	void (*pause)(struct sl_env *env);
	/* Returns once *word != old; may return early. The caller tests again. */
	void (*wait_while)(struct sl_env *env, const _Atomic u32 *word, u32 old);
	void (*mutex_init)(struct sl_env *env, struct sl_mutex *m);
	void (*mutex_lock)(struct sl_env *env, struct sl_mutex *m);
	void (*mutex_unlock)(struct sl_env *env, struct sl_mutex *m);
	void (*rwlock_init)(struct sl_env *env, struct sl_rwlock *l);
	void (*read_lock)(struct sl_env *env, struct sl_rwlock *l);
	void (*read_unlock)(struct sl_env *env, struct sl_rwlock *l);
	void (*write_lock)(struct sl_env *env, struct sl_rwlock *l);
	void (*write_unlock)(struct sl_env *env, struct sl_rwlock *l);
	/* The lane's future depends only on the arena and on (label, a, b). NULL where unused. */
	void (*checkpoint)(struct sl_env *env, u32 label, u64 a, u64 b);
	/*
	 * The same for code that does not know its callers: what has come since the last mark (or
	 * checkpoint) matters only as far as it is in the arena or in (label, a, b). What came before
	 * the mark is remembered. NULL where unused.
	 */
	void (*mark)(struct sl_env *env);
	void (*settle)(struct sl_env *env, u32 label, u64 a, u64 b);
	/*
	 * What the lane does next, to @word, commutes with all that others may do in front of it: nobody
	 * needs a turn there. It says so next to the reason. NULL where unused.
	 */
	void (*commutes)(struct sl_env *env, const volatile void *word);
	/*
	 * An oracle is about to look at @word, which the model itself does not read here: others may
	 * change it first. NULL where unused.
	 */
	void (*observe)(struct sl_env *env, const volatile void *word);
	/* Trace. NULL where unused. */
	void (*note)(struct sl_env *env, enum sl_note what, u64 a, u64 b);
	/* A finding. May not return (explorer); returns in the threads engine. */
	void (*violate)(struct sl_env *env, enum sl_violation kind, const char *id,
			const char *text);
};

struct sl_env {
	const struct sl_env_ops *ops;
	/*
	 * Counters of this lane, outside the arena: growing numbers are not model state. NULL: nobody
	 * counts. Only lanes without a host have that.
	 */
	struct sl_stats *stats;
	/* Ticks of now() per microsecond. */
	u64 tsc_per_us;
};

static inline u32 env_choose(struct sl_env *env, enum sl_choice what, u32 n)
{
	return env->ops->choose(env, what, n);
}

static inline u64 env_now(struct sl_env *env)
{
	return env->ops->now(env);
}

static inline bool env_elapsed(struct sl_env *env, u64 start, u64 ticks)
{
	if (env->ops->elapsed)
		return env->ops->elapsed(env, start, ticks);
	return env->ops->now(env) - start >= ticks;
}

static inline void env_pause(struct sl_env *env)
{
	env->ops->pause(env);
}

static inline void env_wait_while(struct sl_env *env, const _Atomic u32 *word, u32 old)
{
	env->ops->wait_while(env, word, old);
}

static inline void env_checkpoint(struct sl_env *env, u32 label, u64 a, u64 b)
{
	if (env->ops->checkpoint)
		env->ops->checkpoint(env, label, a, b);
}

/* In a build that nobody explores, nobody asks: these stand where a few loads count. */
#ifdef SL_HOOKED
static inline bool env_settles(const struct sl_env *env)
{
	return env->ops->settle != NULL;
}

static inline void env_mark(struct sl_env *env)
{
	if (env->ops->mark)
		env->ops->mark(env);
}

static inline void env_settle(struct sl_env *env, u32 label, u64 a, u64 b)
{
	if (env_settles(env))
		env->ops->settle(env, label, a, b);
}

static inline void env_commutes(struct sl_env *env, const volatile void *word)
{
	if (env->ops->commutes)
		env->ops->commutes(env, word);
}
#else
static inline bool env_settles(const struct sl_env *env)
{
	(void)env;
	return false;
}

static inline void env_mark(struct sl_env *env)
{
	(void)env;
}

static inline void env_settle(struct sl_env *env, u32 label, u64 a, u64 b)
{
	(void)env;
	(void)label;
	(void)a;
	(void)b;
}

static inline void env_commutes(struct sl_env *env, const volatile void *word)
{
	(void)env;
	(void)word;
}
#endif

static inline void env_observe(struct sl_env *env, const volatile void *word)
{
	if (env->ops->observe)
		env->ops->observe(env, word);
}

static inline void env_note(struct sl_env *env, enum sl_note what, u64 a, u64 b)
{
	if (env->ops->note)
		env->ops->note(env, what, a, b);
}

/* Formats @fmt into a local buffer and reports the finding. @id is an invariant's or site's name. */
SL_PRINTF(4, 5)
void env_violate(struct sl_env *env, enum sl_violation kind, const char *id, const char *fmt, ...);

#endif
