// SPDX-License-Identifier: MIT
/* The threads engine. Layer: engine. */
#include "engine/threads/threads.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

#include "base/bug.h"
#include "engine/claims.h"
#include "engine/clock.h"
#include "engine/threads/plain_env.h"
#include "engine/world.h"

#define TICK_SECONDS 0.1

struct run;

/* A lane's surroundings. */
struct thread_env {
	struct plain_env plain; /* first */
	struct run *run;
	struct sl_stats *stats;
	u32 lane;
	struct claim_counts counts;
	char name[24];
	pthread_t thread;
};

struct run {
	struct world *world;
	struct threads_result *out;
	struct thread_env *env; /* one per lane, and the boss behind them */
	_Atomic u32 running;
	_Atomic u32 stop;
	pthread_mutex_t lock; /* findings, and the end of the run */
	pthread_cond_t ended;
	u64 tsc_per_us;
	struct sl_env_ops ops;
	struct sl_env_ops watched_ops; /* of lanes that a claim listens to */
};

static void must(int rc)
{
	SL_BUG_ON(rc);
}

/* ---- env ------------------------------------------------------------------------------- */

static struct thread_env *self(struct sl_env *env)
{
	return (struct thread_env *)env;
}

static void op_violate(struct sl_env *env, enum sl_violation kind, const char *id, const char *text)
{
	struct run *r = self(env)->run;
	struct threads_finding *f;

	must(pthread_mutex_lock(&r->lock));
	if (r->out->findings < THREADS_FINDINGS_MAX) {
		f = &r->out->finding[r->out->findings];
		f->kind = kind;
		snprintf(f->id, sizeof(f->id), "%s", id);
		snprintf(f->text, sizeof(f->text), "%s", text);
		snprintf(f->lane, sizeof(f->lane), "%s", self(env)->name);
	}
	r->out->findings++;
	must(pthread_cond_signal(&r->ended));
	must(pthread_mutex_unlock(&r->lock));
}

static void op_note(struct sl_env *env, enum sl_note what, u64 a, u64 b)
{
	struct thread_env *me = self(env);
	char text[160];
	const char *id =
		claims_note(me->run->world->scenario, &me->counts, what, a, b, text, sizeof(text));

	if (id)
		env_violate(env, SL_VIOLATION_BOUND, id, "%s", text);
}

/* ---- threads --------------------------------------------------------------------------- */

static void *lane_main(void *arg)
{
	struct thread_env *te = arg;
	struct run *r = te->run;

	plain_env_set_current(&te->plain.base);
	world_run_lane(r->world, te->lane);
	must(pthread_mutex_lock(&r->lock));
	if (atomic_fetch_sub_explicit(&r->running, 1, memory_order_relaxed) == 1)
		must(pthread_cond_signal(&r->ended));
	must(pthread_mutex_unlock(&r->lock));
	return NULL;
}

static int envs_make(struct run *r, const struct threads_options *o, u32 lanes)
{
	plain_env_ops(&r->ops);
	r->ops.violate = op_violate;
	r->watched_ops = r->ops;
	r->watched_ops.note = op_note;
	r->env = calloc(lanes + 1u, sizeof(*r->env));
	if (!r->env)
		return -ENOMEM;
	for (u32 i = 0; i <= lanes; i++) {
		struct thread_env *te = &r->env[i];

		te->stats = calloc(1, sizeof(*te->stats));
		if (!te->stats)
			return -ENOMEM;
		te->plain.base = (struct sl_env){ .ops = &r->ops,
						  .stats = te->stats,
						  .tsc_per_us = r->tsc_per_us };
		te->plain.stop = &r->stop;
		te->run = r;
		te->lane = i;
		te->plain.rng.state = o->seed * 0x9E3779B97F4A7C15ull + i;
	}
	snprintf(r->env[lanes].name, sizeof(r->env[lanes].name), "main");
	return 0;
}

static void envs_free(struct run *r, u32 lanes)
{
	for (u32 i = 0; r->env && i <= lanes; i++)
		free(r->env[i].stats);
	free(r->env);
}

static int start_threads(struct run *r, struct sl_err *err)
{
	struct world *w = r->world;
	int rc;

	for (u32 i = 0; i < w->lane_count; i++) {
		rc = pthread_create(&r->env[i].thread, NULL, lane_main, &r->env[i]);
		if (!rc) {
			atomic_fetch_add_explicit(&r->running, 1, memory_order_relaxed);
			continue;
		}
		sl_err_set(err, -rc, "cannot start a thread for lane %s: %s", w->lane[i].name,
			   strerror(rc));
		atomic_store_explicit(&r->stop, 1, memory_order_relaxed);
		world_stop(w);
		while (i--)
			pthread_join(r->env[i].thread, NULL);
		return -rc;
	}
	return 0;
}

static void report_progress(struct run *r, const struct threads_options *o, double seconds)
{
	struct threads_progress p = { .seconds = seconds };

	if (!o->progress)
		return;
	for (u32 i = 0; i <= r->world->lane_count; i++)
		for (u32 c = 0; c < SL_CTR_COUNT; c++)
			p.counter[c] += atomic_load_explicit(&r->env[i].stats->counter[c],
							     memory_order_relaxed);
	o->progress(o->progress_ctx, &p);
}

/* Until time is up, all lanes have ended, something was found, or somebody pressed Ctrl-C. */
static void wait_for_end(struct run *r, const struct threads_options *o)
{
	double start = clock_seconds(), at;
	struct timespec t;

	must(pthread_mutex_lock(&r->lock));
	for (;;) {
		at = clock_seconds() - start;
		if (!atomic_load_explicit(&r->running, memory_order_relaxed)) {
			r->out->finished = true;
			break;
		}
		if (r->out->findings || at >= o->seconds)
			break;
		if (o->interrupted && o->interrupted(o->interrupted_ctx)) {
			r->out->interrupted = true;
			break;
		}
		at = o->seconds - at < TICK_SECONDS ? o->seconds - at : TICK_SECONDS;
		clock_gettime(CLOCK_MONOTONIC, &t);
		t.tv_nsec += (long)(at * 1e9);
		t.tv_sec += t.tv_nsec / 1000000000;
		t.tv_nsec %= 1000000000;
		pthread_cond_timedwait(&r->ended, &r->lock, &t);
		must(pthread_mutex_unlock(&r->lock));
		report_progress(r, o, clock_seconds() - start);
		must(pthread_mutex_lock(&r->lock));
	}
	must(pthread_mutex_unlock(&r->lock));
	atomic_store_explicit(&r->stop, 1, memory_order_relaxed);
}

static int run_world(struct run *r, const struct threads_options *o, struct sl_err *err)
{
	struct world *w = r->world;
	struct thread_env *boss = &r->env[w->lane_count];
	struct threads_result *out = r->out;
	double t0 = clock_seconds(), t1, t2;
	int rc;

	for (u32 i = 0; i < w->lane_count; i++) {
		if (claims_listen(w->scenario))
			r->env[i].plain.base.ops = &r->watched_ops;
		world_set_env(w, i, &r->env[i].plain.base);
		memcpy(r->env[i].name, w->lane[i].name, sizeof(r->env[i].name));
	}
	rc = world_start(w, &boss->plain.base, err);
	if (rc)
		return rc;
	t1 = clock_seconds();
	rc = start_threads(r, err);
	if (rc)
		return rc;
	wait_for_end(r, o);
	world_stop(w);
	for (u32 i = 0; i < w->lane_count; i++)
		pthread_join(r->env[i].thread, NULL);
	t2 = clock_seconds();
	world_finish(w, &boss->plain.base);
	out->build_seconds = t1 - t0;
	out->run_seconds = t2 - t1;
	out->teardown_seconds = clock_seconds() - t2;
	out->lanes = w->lane_count;
	for (u32 i = 0; i <= w->lane_count; i++)
		sl_stats_merge(&out->stats, r->env[i].stats);
	return 0;
}

static u64 peak_rss(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (u64)u.ru_maxrss * 1024;
}

int threads_run(const struct scenario *s, const struct threads_options *o,
		struct threads_result *out, struct sl_err *err)
{
	struct run r = { .out = out };
	u32 lanes = world_lane_count(s);
	pthread_condattr_t attr;
	size_t size;
	void *arena;
	int rc;

	memset(out, 0, sizeof(*out));
	rc = world_arena_size(s, &size, err);
	if (rc)
		return rc;
	arena = mmap(NULL, size, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (arena == MAP_FAILED)
		return sl_err_set(err, -errno, "%s: cannot reserve %zu bytes of address space: %s",
				  s->path, size, strerror(errno));
	r.tsc_per_us = plain_env_calibrate();
	out->tsc_per_us = r.tsc_per_us;
	must(pthread_mutex_init(&r.lock, NULL));
	must(pthread_condattr_init(&attr));
	must(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC));
	must(pthread_cond_init(&r.ended, &attr));
	pthread_condattr_destroy(&attr);
	rc = envs_make(&r, o, lanes);
	if (rc) {
		sl_err_set(err, rc, "no memory for %u lanes", lanes);
		goto out;
	}
	plain_env_set_current(&r.env[lanes].plain.base);
	r.world = world_init(s, arena, size, &r.env[lanes].plain.base);
	rc = run_world(&r, o, err);
	out->rss_peak_bytes = peak_rss();
	plain_env_set_current(NULL);
out:
	envs_free(&r, lanes);
	pthread_cond_destroy(&r.ended);
	pthread_mutex_destroy(&r.lock);
	munmap(arena, size);
	return rc;
}
