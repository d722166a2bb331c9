/* SPDX-License-Identifier: MIT */
/*
 * A single-threaded surrounding for unit tests of model code: values come from a seeded generator,
 * time is a counter, locks are counters that stop the test on misuse. Lanes, where a test needs
 * more than one, are coroutines that change hands only inside env calls.
 *
 * Lanes must not use cmocka's asserts (they jump off the stack): test_check() there.
 */
#ifndef SL_TESTS_UNIT_TEST_ENV_H
#define SL_TESTS_UNIT_TEST_ENV_H

#include "base/arena.h"
#include "base/env.h"
#include "base/rng.h"
#include "base/stats.h"

#define TEST_LANES_MAX 8

struct test_env {
	struct sl_env base; /* first */
	struct sl_stats stats;
	struct sl_rng rng;
	u64 clock;
	u64 clock_step; /* ticks per now() */
	u32 locks_held;
	bool interrupted; /* choose(INTERRUPT) always says "pending" */
	bool no_entropy;  /* choose(ENTROPY) always says "failed" */
	/* Findings. */
	u32 violations;
	enum sl_violation kind;
	char id[64];
	char text[256];
	/* Called on each pause(), before each read_lock(), on each note(); may be NULL. */
	void (*on_pause)(struct test_env *env, void *arg);
	void (*on_read_lock)(struct test_env *env, void *arg);
	void (*on_note)(struct test_env *env, enum sl_note what, u64 a, u64 b, void *arg);
	void *arg;
};

void test_env_init(struct test_env *env, u64 seed);

static inline u64 test_counter(const struct test_env *env, enum sl_counter c)
{
	return atomic_load_explicit(&env->stats.counter[c], memory_order_relaxed);
}

/* Zeroed, lazily populated memory; test_arena_free() gives it back. */
void test_arena_init(struct sl_arena *a, size_t size);
void test_arena_free(struct sl_arena *a);

/* A lane: body(arg) on a stack of its own. Its env belongs to it alone. */
struct test_lane {
	struct test_env *env;
	void (*body)(void *arg);
	void *arg;
};

/*
 * Runs the lanes to their ends; @seed picks who goes on whenever a lane gives way. Returns false if
 * all that are left wait for each other, or after @steps changes of hands.
 */
bool test_lanes_run(struct test_lane *lanes, u32 count, u64 seed, u64 steps);
/* Lets another lane run; nothing outside lanes. */
void test_yield(void);

/* Stops the program with the place unless @cond holds. */
#define test_check(cond) test_check_at((cond), #cond, __FILE__, __LINE__)
void test_check_at(bool cond, const char *what, const char *file, int line);

#endif
