// SPDX-License-Identifier: MIT
/* The env of a plain thread. Layer: engine. */
#include "engine/threads/plain_env.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>
#include <x86intrin.h>

#include <seamlab/hplock.h>

#include "base/bug.h"
#include "engine/clock.h"

/* With `interrupts` on: one poll in so many finds one. */
#define POLLS_PER_INTERRUPT 16

static _Thread_local struct sl_env *current_env;

_Static_assert(sizeof(pthread_mutex_t) <= sizeof(struct sl_mutex), "sl_mutex has room");
_Static_assert(sizeof(pthread_rwlock_t) <= sizeof(struct sl_rwlock), "sl_rwlock has room");

u64 plain_env_calibrate(void)
{
	double t0 = clock_seconds(), t1;
	u64 c0 = __rdtsc();

	do
		t1 = clock_seconds();
	while (t1 - t0 < 0.01);
	return (u64)((double)(__rdtsc() - c0) / ((t1 - t0) * 1e6));
}

static struct plain_env *self(struct sl_env *env)
{
	return (struct plain_env *)env;
}

static u32 op_choose(struct sl_env *env, enum sl_choice what, u32 n)
{
	switch (what) {
	case SL_CHOICE_RANDOM_PAGE:
		return sl_rng_below(&self(env)->rng, n);
	case SL_CHOICE_INTERRUPT:
		return sl_rng_below(&self(env)->rng, POLLS_PER_INTERRUPT) == 0;
	case SL_CHOICE_ENTROPY:
	default:
		/* The platform does not fail here. */
		return 0;
	}
}

static u64 op_now(struct sl_env *env)
{
	(void)env;
	return __rdtsc();
}

static void op_pause(struct sl_env *env)
{
	/* More lanes than CPUs is the normal case: let the one that holds the lock run. */
	if ((++self(env)->pauses & 3) == 0)
		sched_yield();
	else
		_mm_pause();
}

static void op_wait_while(struct sl_env *env, const _Atomic u32 *word, u32 old)
{
	const _Atomic u32 *stop = self(env)->stop;

	for (u32 i = 0; atomic_load_explicit(word, memory_order_acquire) == old; i++) {
		if (i < 64) {
			_mm_pause();
		} else if (i < 1024) {
			sched_yield();
		} else {
			struct timespec t = { .tv_nsec = 50000 };

			/* The caller tests again; what it waits for may never come now. */
			if (stop && atomic_load_explicit(stop, memory_order_relaxed))
				return;
			nanosleep(&t, NULL);
		}
	}
}

static void must(int rc)
{
	SL_BUG_ON(rc);
}

static void op_mutex_init(struct sl_env *env, struct sl_mutex *m)
{
	(void)env;
	must(pthread_mutex_init((pthread_mutex_t *)m->room, NULL));
}

static void op_mutex_lock(struct sl_env *env, struct sl_mutex *m)
{
	(void)env;
	must(pthread_mutex_lock((pthread_mutex_t *)m->room));
}

static void op_mutex_unlock(struct sl_env *env, struct sl_mutex *m)
{
	(void)env;
	must(pthread_mutex_unlock((pthread_mutex_t *)m->room));
}

static void op_rwlock_init(struct sl_env *env, struct sl_rwlock *l)
{
	pthread_rwlockattr_t attr;

	(void)env;
	must(pthread_rwlockattr_init(&attr));
	/* A zap must not starve behind faults. */
	must(pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP));
	must(pthread_rwlock_init((pthread_rwlock_t *)l->room, &attr));
	pthread_rwlockattr_destroy(&attr);
}

static void op_read_lock(struct sl_env *env, struct sl_rwlock *l)
{
	(void)env;
	must(pthread_rwlock_rdlock((pthread_rwlock_t *)l->room));
}

static void op_read_unlock(struct sl_env *env, struct sl_rwlock *l)
{
	(void)env;
	must(pthread_rwlock_unlock((pthread_rwlock_t *)l->room));
}

static void op_write_lock(struct sl_env *env, struct sl_rwlock *l)
{
	(void)env;
	must(pthread_rwlock_wrlock((pthread_rwlock_t *)l->room));
}

void plain_env_ops(struct sl_env_ops *ops)
{
	*ops = (struct sl_env_ops){
		.choose = op_choose,
		.now = op_now,
		.pause = op_pause,
		.wait_while = op_wait_while,
		.mutex_init = op_mutex_init,
		.mutex_lock = op_mutex_lock,
		.mutex_unlock = op_mutex_unlock,
		.rwlock_init = op_rwlock_init,
		.read_lock = op_read_lock,
		.read_unlock = op_read_unlock,
		.write_lock = op_write_lock,
		.write_unlock = op_read_unlock,
	};
}

/* ---- whose thread this is ---------------------------------------------------------------- */

__attribute__((noinline)) void plain_env_set_current(struct sl_env *env)
{
	current_env = env;
}

/* The lock library's report of a misused lock word: a module check that failed. */
__attribute__((noinline)) void hp_misuse(const char *what)
{
	if (!current_env)
		sl_bug(__FILE__, __LINE__, "hp_misuse", what);
	env_violate(current_env, SL_VIOLATION_MODULE_HALT, "lock word", "%s", what);
}
