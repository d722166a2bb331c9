// SPDX-License-Identifier: MIT
/*
 * A hostile host on four LPs cannot break an oracle: see hostile.h for what it does.
 *
 * By default each LP has a thread of its own, and all of them stop now and then for what is looked at at
 * rest. With --turns one thread takes the steps of all LPs in an order that the seed decides, guests
 * being interrupted by other LPs in the middle: the same seed finds the same thing. With libFuzzer
 * (SL_LIBFUZZER defined) the bytes are the draws, in turns.
 *
 * fuzz_hostile [--seed S] [--machines N] [--steps N] [--time SECONDS] [--turns] [--stats] [--all]
 * --all demands that every leaf has succeeded. A finding ends the program with the line that repeats it.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hostile.h"

/* Steps between two looks at the machine at rest. */
#define STEPS_THREADS 2000
#define STEPS_TURNS   256
#define GUEST_DEPTH   3

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * What is known of the published module with LPs in parallel, and ends a machine there: its own check
 * has failed, and the module is dead.
 */
static const struct {
	const char *where;
	const char *why;
} halts[] = {
	{ "implicit PAMT get", "H1: TDH.MEM.PAGE.AUG links a page before it is the TD's" },
};

static struct hostile host;
static struct {
	u64 seed, machine, steps;
	bool turns;
	enum sl_flavour flavour;
	_Atomic bool over; /* a published machine has halted as it is known to */
	u64 halts;
} now;

void hp_misuse(const char *what)
{
	host.finding(&host, SL_VIOLATION_MODULE_HALT, "lock word", what);
	abort();
}

static void on_finding(struct hostile *h, enum sl_violation kind, const char *id, const char *text)
{
	(void)h;
	for (u32 i = 0; i < ARRAY_SIZE(halts); i++)
		if (kind == SL_VIOLATION_MODULE_HALT && now.flavour == SL_PUBLISHED && !now.turns &&
		    !strcmp(id, halts[i].where)) {
			atomic_store(&now.over, true);
			return;
		}
	fprintf(stderr,
		"fuzz_hostile: %s: %s: %s\n"
		"fuzz_hostile: failed; to repeat: fuzz_hostile --seed %llu --machines 1 --steps %llu%s\n",
		sl_violation_name(kind), id, text, (unsigned long long)(now.seed + now.machine),
		(unsigned long long)now.steps, now.turns ? " --turns" : "");
	abort();
}

static void machine_up(u64 seed)
{
	struct sl_machine_config cfg;

	hostile_config(seed, &cfg);
	now.flavour = cfg.flavour;
	atomic_store(&now.over, false);
	host.finding = on_finding;
	host.depth_max = now.turns ? GUEST_DEPTH : 0;
	hostile_up(&host, &cfg, seed);
}

/* ---- in turns ---------------------------------------------------------------------------------- */

static void take_turns(struct sl_rng *order, u64 steps)
{
	for (u64 i = 0; i < steps; i++) {
		hostile_step(&host.lp[sl_rng_below(order, HOSTILE_LPS)]);
		if (i % STEPS_TURNS == STEPS_TURNS - 1)
			hostile_at_rest(&host);
	}
	hostile_at_rest(&host);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sl_rng order = { .state = size ? data[0] : 0 };

	now.turns = true;
	machine_up(order.state);
	/* Some begin with TDs that stand. */
	take_turns(&order, STEPS_TURNS * (order.state >> 6));
	/* The rest in one piece for each LP: its draws. */
	for (u32 i = 0; size > HOSTILE_LPS && i < HOSTILE_LPS; i++) {
		host.lp[i].data = data + 1 + i * ((size - 1) / HOSTILE_LPS);
		host.lp[i].left = (size - 1) / HOSTILE_LPS;
	}
	for (u64 i = 0; host.lp[i % HOSTILE_LPS].left; i++) {
		hostile_step(&host.lp[i % HOSTILE_LPS]);
		if (i % STEPS_TURNS == STEPS_TURNS - 1)
			hostile_at_rest(&host);
	}
	hostile_at_rest(&host);
	return 0;
}

#ifndef SL_LIBFUZZER

/* ---- in parallel ------------------------------------------------------------------------------- */

static pthread_barrier_t gate;

static void *lp_thread(void *arg)
{
	struct hostile_lp *l = arg;

	for (u64 done = 0; done < now.steps; done += STEPS_THREADS) {
		for (u64 i = 0; i < STEPS_THREADS && i < now.steps - done; i++)
			hostile_step(l);
		pthread_barrier_wait(&gate);
		if (l->index == 0 && !atomic_load(&now.over))
			hostile_at_rest(&host);
		pthread_barrier_wait(&gate);
		if (atomic_load(&now.over))
			break;
	}
	return NULL;
}

static void run_threads(void)
{
	pthread_t thread[HOSTILE_LPS];

	for (u32 i = 0; i < HOSTILE_LPS; i++)
		if (pthread_create(&thread[i], NULL, lp_thread, &host.lp[i]))
			abort();
	for (u32 i = 0; i < HOSTILE_LPS; i++)
		pthread_join(thread[i], NULL);
	now.halts += atomic_load(&now.over);
}

/* ---- what succeeded ---------------------------------------------------------------------------- */

/* Leaves that cannot. */
static const struct {
	const char *name;
	const char *why;
} never[] = {
	{ "TDG.VP.RD", "no modelled field of a vCPU is a guest's to read" },
	{ "TDG.VP.WR", "no modelled field of a vCPU is a guest's to write" },
};

static const char *why_never(const char *name)
{
	for (u32 i = 0; i < ARRAY_SIZE(never); i++)
		if (!strcmp(never[i].name, name))
			return never[i].why;
	return NULL;
}

static u32 print_leaf(const char *name, u64 calls, u64 ok, bool print)
{
	const char *why = why_never(name);

	if (print)
		printf("  %-28s %10llu calls %10llu succeeded%s%s\n", name,
		       (unsigned long long)calls, (unsigned long long)ok, why ? ": " : "",
		       why ? why : "");
	if (!ok == !!why)
		return 0;
	printf("fuzz_hostile: %s %s\n", name,
	       why ? "has succeeded, which it cannot" : "has never succeeded");
	return 1;
}

/* Every leaf that the model has must have had its way at least once. Returns how many had not. */
static u32 print_counts(const struct hostile_count *n, bool print)
{
	u32 wrong = 0;

#define SL_SEAMCALL(ident, number, text)
#define SL_TDCALL(ident, number, text)
#define SL_SEAMCALL_IMPL(ident, number, text) \
	wrong += print_leaf(text, n->seamcall[number], n->seamcall_ok[number], print);
#define SL_TDCALL_IMPL(ident, number, text) \
	wrong += print_leaf(text, n->tdcall[number], n->tdcall_ok[number], print);
#include <seamlab/tdx_leaf.def>
#undef SL_SEAMCALL
#undef SL_TDCALL
#define SL_NEW_SEAMCALL(since, ident, number, text) \
	wrong += print_leaf(text, n->seamcall[number], n->seamcall_ok[number], print);
#include <seamlab/tdx_release.def>
#undef SL_NEW_SEAMCALL
	return wrong;
}

static bool read_options(int argc, char **argv, u64 *machines, u64 *seconds, bool *stats, bool *all)
{
	for (int i = 1; i < argc; i++) {
		u64 *to = !strcmp(argv[i], "--seed")       ? &now.seed
			  : !strcmp(argv[i], "--machines") ? machines
			  : !strcmp(argv[i], "--steps")    ? &now.steps
			  : !strcmp(argv[i], "--time")     ? seconds
							   : NULL;
		char *end = NULL;

		if (!strcmp(argv[i], "--turns"))
			now.turns = true;
		else if (!strcmp(argv[i], "--stats"))
			*stats = true;
		else if (!strcmp(argv[i], "--all"))
			*all = true;
		else if (!to || ++i >= argc)
			return false;
		else if (*to = strtoull(argv[i], &end, 0), !*argv[i] || *end)
			return false;
	}
	return true;
}

static double seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int main(int argc, char **argv)
{
	struct hostile_count total = { 0 };
	u64 machines = 8, seconds = 0;
	bool stats = false, all = false;
	double start = seconds_now();
	u32 wrong;

	now.steps = 20000;
	if (!read_options(argc, argv, &machines, &seconds, &stats, &all)) {
		fprintf(stderr, "usage: fuzz_hostile [--seed S] [--machines N] [--steps N] "
				"[--time SECONDS] [--turns] [--stats] [--all]\n");
		return 2;
	}
	pthread_barrier_init(&gate, NULL, HOSTILE_LPS);
	for (now.machine = 0; now.machine < machines; now.machine++) {
		struct sl_rng order = { .state = now.seed + now.machine };

		if (seconds && seconds_now() - start >= (double)seconds)
			break;
		machine_up(now.seed + now.machine);
		if (now.turns)
			take_turns(&order, now.steps);
		else
			run_threads();
		for (u32 i = 0; i < HOSTILE_LPS; i++) {
			hostile_count_add(&total, &host.lp[i].count);
			host.lp[i].count = (struct hostile_count){ 0 };
		}
	}
	wrong = print_counts(&total, stats);
	printf("fuzz_hostile: seed %llu, %llu machines, %llu calls, %llu halted as known\n",
	       (unsigned long long)now.seed, (unsigned long long)now.machine,
	       (unsigned long long)total.calls, (unsigned long long)now.halts);
	if (stats)
		printf("fuzz_hostile: %.2f million calls per second\n",
		       (double)total.calls / (seconds_now() - start) / 1e6);
	return all && wrong ? 1 : 0;
}

#endif
