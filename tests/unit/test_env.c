// SPDX-License-Identifier: MIT
/* See test_env.h. */
#include "test_env.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#define LANE_STACK (256u << 10)

void test_check_at(bool cond, const char *what, const char *file, int line)
{
	if (cond)
		return;
	fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
	abort();
}

/* ---- lanes ---------------------------------------------------------------------------------- */

static struct {
	ucontext_t main;
	ucontext_t lane[TEST_LANES_MAX];
	struct test_lane *lanes;
	bool ended[TEST_LANES_MAX];
	bool blocked[TEST_LANES_MAX]; /* gave way because it has to wait */
	u32 current;
	u32 idle; /* turns in a row that led nowhere */
	struct sl_rng rng;
	bool active;
} sched;

static void give_way(bool blocked)
{
	if (!sched.active)
		return;
	sched.blocked[sched.current] = blocked;
	swapcontext(&sched.lane[sched.current], &sched.main);
}

void test_yield(void)
{
	give_way(false);
}

static void lane_main(int index)
{
	struct test_lane *lane = &sched.lanes[index];

	lane->body(lane->arg);
	sched.ended[index] = true;
	swapcontext(&sched.lane[index], &sched.main);
}

/* One turn of a lane that has not ended. False: all that are left have been waiting for long. */
static bool lanes_step(u32 count)
{
	u32 at = sl_rng_below(&sched.rng, count);

	while (sched.ended[at])
		at = (at + 1) % count;
	sched.current = at;
	sched.blocked[at] = false;
	swapcontext(&sched.main, &sched.lane[at]);
	at = sched.current;
	sched.idle = sched.blocked[at] && !sched.ended[at] ? sched.idle + 1 : 0;
	return sched.idle < 1000;
}

static bool lanes_left(u32 count)
{
	for (u32 i = 0; i < count; i++)
		if (!sched.ended[i])
			return true;
	return false;
}

static bool lanes_loop(u32 count, u64 steps)
{
	for (u64 n = 0; lanes_left(count); n++)
		if (n == steps || !lanes_step(count))
			return false;
	return true;
}

bool test_lanes_run(struct test_lane *lanes, u32 count, u64 seed, u64 steps)
{
	char *stacks = malloc((size_t)count * LANE_STACK);
	bool ok;

	test_check(stacks && count <= TEST_LANES_MAX && !sched.active);
	memset(&sched, 0, sizeof(sched));
	sched.lanes = lanes;
	sched.rng.state = seed;
	sched.active = true;
	for (u32 i = 0; i < count; i++) {
		test_check(getcontext(&sched.lane[i]) == 0);
		sched.lane[i].uc_stack.ss_sp = stacks + (size_t)i * LANE_STACK;
		sched.lane[i].uc_stack.ss_size = LANE_STACK;
		makecontext(&sched.lane[i], (void (*)(void))lane_main, 1, (int)i);
	}
	ok = lanes_loop(count, steps);
	sched.active = false;
	free(stacks);
	return ok;
}

/* ---- env ------------------------------------------------------------------------------------ */

static struct test_env *test_env_of(struct sl_env *env)
{
	return (struct test_env *)env;
}

static u32 env_op_choose(struct sl_env *base, enum sl_choice what, u32 n)
{
	struct test_env *env = test_env_of(base);

	test_check(n >= 1);
	if (what == SL_CHOICE_INTERRUPT && env->interrupted)
		return 1;
	if (what == SL_CHOICE_ENTROPY)
		return env->no_entropy ? n - 1 : 0;
	return sl_rng_below(&env->rng, n);
}

static u64 env_op_now(struct sl_env *base)
{
	struct test_env *env = test_env_of(base);

	return env->clock += env->clock_step;
}

static void env_op_pause(struct sl_env *base)
{
	struct test_env *env = test_env_of(base);

	if (env->on_pause)
		env->on_pause(env, env->arg);
	give_way(true);
}

static void env_op_wait_while(struct sl_env *base, const _Atomic u32 *word, u32 old)
{
	(void)base;
	if (atomic_load(word) != old)
		return;
	/* Nobody else could change it. */
	test_check(sched.active);
	give_way(true);
}

/* 0 = free, readers > 0, writer = -1. */
struct test_lock {
	s32 holders;
	bool initialized;
};
_Static_assert(sizeof(struct test_lock) <= sizeof(struct sl_mutex), "fits");

static struct test_lock *lock_of(void *room)
{
	struct test_lock *l = room;

	test_check(l->initialized);
	return l;
}

static void lock_init(void *room)
{
	*(struct test_lock *)room = (struct test_lock){ .initialized = true };
}

static void lock_write(struct sl_env *base, void *room)
{
	struct test_lock *l = lock_of(room);

	test_yield();
	while (l->holders) {
		test_check(sched.active);
		give_way(true);
	}
	l->holders = -1;
	test_env_of(base)->locks_held++;
}

static void unlock_write(struct sl_env *base, void *room)
{
	struct test_lock *l = lock_of(room);

	test_check(l->holders == -1 && test_env_of(base)->locks_held);
	l->holders = 0;
	test_env_of(base)->locks_held--;
	test_yield();
}

static void env_op_mutex_init(struct sl_env *base, struct sl_mutex *m)
{
	(void)base;
	lock_init(m);
}

static void env_op_mutex_lock(struct sl_env *base, struct sl_mutex *m)
{
	lock_write(base, m);
}

static void env_op_mutex_unlock(struct sl_env *base, struct sl_mutex *m)
{
	unlock_write(base, m);
}

static void env_op_rwlock_init(struct sl_env *base, struct sl_rwlock *l)
{
	(void)base;
	lock_init(l);
}

static void env_op_read_lock(struct sl_env *base, struct sl_rwlock *rw)
{
	struct test_env *env = test_env_of(base);
	struct test_lock *l = lock_of(rw);

	if (env->on_read_lock)
		env->on_read_lock(env, env->arg);
	test_yield();
	while (l->holders < 0) {
		test_check(sched.active);
		give_way(true);
	}
	l->holders++;
	env->locks_held++;
}

static void env_op_read_unlock(struct sl_env *base, struct sl_rwlock *rw)
{
	struct test_lock *l = lock_of(rw);

	test_check(l->holders > 0 && test_env_of(base)->locks_held);
	l->holders--;
	test_env_of(base)->locks_held--;
	test_yield();
}

static void env_op_write_lock(struct sl_env *base, struct sl_rwlock *l)
{
	lock_write(base, l);
}

static void env_op_write_unlock(struct sl_env *base, struct sl_rwlock *l)
{
	unlock_write(base, l);
}

static void env_op_note(struct sl_env *base, enum sl_note what, u64 a, u64 b)
{
	struct test_env *env = test_env_of(base);

	if (env->on_note)
		env->on_note(env, what, a, b, env->arg);
	test_yield();
}

static void env_op_violate(struct sl_env *base, enum sl_violation kind, const char *id,
			   const char *text)
{
	struct test_env *env = test_env_of(base);

	env->violations++;
	env->kind = kind;
	snprintf(env->id, sizeof(env->id), "%s", id);
	snprintf(env->text, sizeof(env->text), "%s", text);
}

static const struct sl_env_ops test_ops = {
	.choose = env_op_choose,
	.now = env_op_now,
	.pause = env_op_pause,
	.wait_while = env_op_wait_while,
	.mutex_init = env_op_mutex_init,
	.mutex_lock = env_op_mutex_lock,
	.mutex_unlock = env_op_mutex_unlock,
	.rwlock_init = env_op_rwlock_init,
	.read_lock = env_op_read_lock,
	.read_unlock = env_op_read_unlock,
	.write_lock = env_op_write_lock,
	.write_unlock = env_op_write_unlock,
	.note = env_op_note,
	.violate = env_op_violate,
};

void test_env_init(struct test_env *env, u64 seed)
{
	memset(env, 0, sizeof(*env));
	env->base.ops = &test_ops;
	env->base.stats = &env->stats;
	env->base.tsc_per_us = 1;
	env->rng.state = seed;
	env->clock_step = 1;
}

void test_arena_init(struct sl_arena *a, size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	test_check(p != MAP_FAILED);
	*a = (struct sl_arena){ .base = p, .size = size };
}

void test_arena_free(struct sl_arena *a)
{
	munmap(a->base, a->size);
}
