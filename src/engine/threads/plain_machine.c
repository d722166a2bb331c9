// SPDX-License-Identifier: MIT
/* Machines without a scenario. Layer: engine. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>

#include "base/bug.h"
#include "base/stats.h"
#include "engine/plain.h"
#include "engine/threads/plain_env.h"

struct plain_machine;

/* The env of an LP. */
struct lp_env {
	struct plain_env plain; /* first */
	struct plain_machine *owner;
	struct sl_lp *lp;
	_Atomic bool taken; /* a thread is bound to the LP */
	struct sl_stats stats;
};

/*
 * One mapping holds this, the envs behind it, and from the next page on the arena, at the start of
 * which is the machine. What is never touched takes no memory.
 */
struct plain_machine {
	size_t size;
	struct sl_machine *machine;
	struct sl_env_ops ops;
	pthread_mutex_t lock; /* findings, one at a time */
	void (*found)(void *ctx, struct sl_lp *lp, const char *kind, const char *where,
		      const char *text);
	void *found_ctx;
	struct lp_env env[];
};

static size_t head_size(u32 lps)
{
	size_t size = sizeof(struct plain_machine) + lps * sizeof(struct lp_env);

	return (size_t)sl_align_up(size, SL_PAGE_SIZE);
}

static void op_violate(struct sl_env *env, enum sl_violation kind, const char *id, const char *text)
{
	struct lp_env *e = (struct lp_env *)env;
	struct plain_machine *pm = e->owner;

	SL_BUG_ON(pthread_mutex_lock(&pm->lock));
	if (pm->found)
		pm->found(pm->found_ctx, e->lp, sl_violation_name(kind), id, text);
	else
		fprintf(stderr, "seamlab: %s on LP %u: %s: %s\n", sl_violation_name(kind),
			sl_lp_index(e->lp), id, text);
	SL_BUG_ON(pthread_mutex_unlock(&pm->lock));
}

/* The env of @lp; NULL: of a world's lane, which has no such owner and other operations. */
static struct lp_env *env_of(struct sl_lp *lp)
{
	struct sl_env *env = sl_lp_env(lp);

	return env && env->ops->violate == op_violate ? (struct lp_env *)env : NULL;
}

_Atomic bool *plain_lp_taken(struct sl_lp *lp)
{
	struct lp_env *e = env_of(lp);

	return e ? &e->taken : NULL;
}

void plain_lp_bound(struct sl_lp *lp)
{
	plain_env_set_current(lp ? sl_lp_env(lp) : NULL);
}

static void envs_make(struct plain_machine *pm, u32 lps)
{
	u64 tsc_per_us = plain_env_calibrate();

	plain_env_ops(&pm->ops);
	pm->ops.violate = op_violate;
	for (u32 i = 0; i < lps; i++) {
		struct lp_env *e = &pm->env[i];

		e->plain.base = (struct sl_env){ .ops = &pm->ops,
						 .stats = &e->stats,
						 .tsc_per_us = tsc_per_us };
		e->plain.rng.state = i;
		e->owner = pm;
		e->lp = sl_machine_lp(pm->machine, i);
		sl_lp_set_env(e->lp, &e->plain.base);
	}
}

struct sl_machine *sl_machine_create(const struct sl_machine_config *cfg)
{
	struct plain_machine *pm;
	size_t head, arena;
	void *room;

	if (!plain_config_is_valid(cfg)) {
		errno = EINVAL;
		return NULL;
	}
	head = head_size(cfg->lps);
	arena = sl_machine_arena_size(cfg);
	room = mmap(NULL, head + arena, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (room == MAP_FAILED) {
		errno = ENOMEM;
		return NULL;
	}
	pm = room;
	pm->size = head + arena;
	SL_BUG_ON(pthread_mutex_init(&pm->lock, NULL));
	pm->machine = sl_machine_init(cfg, (u8 *)room + head, arena);
	envs_make(pm, cfg->lps);
	return pm->machine;
}

static struct plain_machine *owner(struct sl_machine *m)
{
	struct lp_env *e = env_of(sl_machine_lp(m, 0));

	SL_BUG_ON(!e);
	return e->owner;
}

void sl_machine_destroy(struct sl_machine *m)
{
	struct plain_machine *pm;

	if (!m)
		return;
	pm = owner(m);
	pthread_mutex_destroy(&pm->lock);
	munmap(pm, pm->size);
}

void sl_machine_on_finding(struct sl_machine *m,
			   void (*fn)(void *ctx, struct sl_lp *lp, const char *kind,
				      const char *where, const char *text),
			   void *ctx)
{
	struct plain_machine *pm = owner(m);

	pm->found = fn;
	pm->found_ctx = ctx;
}
