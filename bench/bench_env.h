/* SPDX-License-Identifier: MIT */
/* A single-threaded env for benchmarks: locks are free, nothing waits, findings end the program. */
#ifndef SL_BENCH_ENV_H
#define SL_BENCH_ENV_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
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
	fprintf(stderr, "finding: %s %s: %s\n", sl_violation_name(kind), id, text);
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

static struct sl_stats bench_stats;

static inline struct sl_env bench_env(void)
{
	return (struct sl_env){ .ops = &bench_env_ops, .stats = &bench_stats, .tsc_per_us = 1000 };
}

static inline double bench_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static inline void *bench_arena(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED) {
		perror("bench: mmap");
		exit(2);
	}
	return p;
}

/* Resident memory now, bytes. */
static inline unsigned long long bench_rss(void)
{
	unsigned long long size, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (!f || fscanf(f, "%llu %llu", &size, &resident) != 2)
		resident = 0;
	if (f)
		fclose(f);
	return resident * 4096;
}

static inline int bench_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static inline double bench_median(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), bench_compare);
	return n & 1 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

#endif
