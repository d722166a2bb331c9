/* SPDX-License-Identifier: MIT */
/* A single-threaded env for benchmarks: locks are free, nothing waits, findings end the program. */
#ifndef SL_BENCH_ENV_H
#define SL_BENCH_ENV_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <x86intrin.h>

#include "base/bug.h"
#include "base/stats.h"

static u32 bench_choose(struct sl_env *env, enum sl_choice what, u32 n)
{
	(void)env;
	(void)what;
	(void)n;
	return 0;
}

static u64 bench_now(struct sl_env *env)
{
	(void)env;
	return __rdtsc();
}

static void bench_nothing(struct sl_env *env)
{
	(void)env;
}

static void bench_wait(struct sl_env *env, const _Atomic u32 *word, u32 old)
{
	(void)env;
	/* Nobody else runs: a wait that is not over would never be. */
	SL_BUG_ON(atomic_load(word) == old);
}

static void bench_mutex(struct sl_env *env, struct sl_mutex *m)
{
	(void)env;
	(void)m;
}

static void bench_rwlock(struct sl_env *env, struct sl_rwlock *l)
{
	(void)env;
	(void)l;
}

static void bench_violate(struct sl_env *env, enum sl_violation kind, const char *id,
			  const char *text)
{
	(void)env;
	fprintf(stderr, "seamlab bench: finding: %s %s: %s\n", sl_violation_name(kind), id, text);
	exit(1);
}

static const struct sl_env_ops bench_env_ops = {
	.choose = bench_choose,
	.now = bench_now,
	.pause = bench_nothing,
	.wait_while = bench_wait,
	.mutex_init = bench_mutex,
	.mutex_lock = bench_mutex,
	.mutex_unlock = bench_mutex,
	.rwlock_init = bench_rwlock,
	.read_lock = bench_rwlock,
	.read_unlock = bench_rwlock,
	.write_lock = bench_rwlock,
	.write_unlock = bench_rwlock,
	.violate = bench_violate,
};

/* @stats are the caller's: one for each thread. */
static inline struct sl_env bench_env(struct sl_stats *stats)
{
	return (struct sl_env){ .ops = &bench_env_ops, .stats = stats, .tsc_per_us = 1000 };
}

static inline void *bench_arena(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED) {
		perror("seamlab bench: mmap");
		exit(2);
	}
	return p;
}

#endif
