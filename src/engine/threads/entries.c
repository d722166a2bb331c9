// SPDX-License-Identifier: MIT
/*
 * Programs of explore.h on threads: what the explorer runs in every order, once, in whatever order
 * comes. Layer: engine.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <seamlab/explore.h>
#include <seamlab/seamcall.h>

#include "base/rng.h"
#include "base/types.h"

/* As many as the explorer takes. */
#define THREADS_MAX 16u
/* Turns of a wait that spin, and that yield. */
#define SPINS  64u
#define YIELDS 1024u
#define NAP_NS 50000

enum {
	EXIT_HOLDS = 0,
	EXIT_VIOLATED = 1,
	EXIT_USAGE = 2,
};

struct thread {
	pthread_t pthread;
	const struct sl_entry *entry;
	u32 me, number;
};

static _Thread_local struct sl_rng rng;

/* Not inlined: a guest may go on in another thread, where thread-local data has another address. */
static __attribute__((noinline)) u32 random_below(u32 n)
{
	return sl_rng_below(&rng, n);
}

/* ---- what the user's code calls ---------------------------------------------------------------- */

void sl_assert_failed(const char *cond, const char *file, unsigned int line)
{
	fprintf(stderr, "%s: violated(assert): %s:%u: %s\n", program_invocation_short_name, file,
		line, cond);
	/* The other threads go on meanwhile: nothing of theirs is taken down. */
	_Exit(EXIT_VIOLATED);
}

uint32_t sl_choose(uint32_t n)
{
	return n < 2 ? 0 : random_below(n);
}

void sl_pause(void)
{
	sched_yield();
}

void sl_wait_while_(const volatile void *word, uint32_t value)
{
	const volatile _Atomic u32 *at = word;

	for (u32 i = 0; atomic_load_explicit(at, memory_order_seq_cst) == value; i++) {
		if (i >= YIELDS)
			nanosleep(&(struct timespec){ .tv_nsec = NAP_NS }, NULL);
		else if (i >= SPINS)
			sched_yield();
	}
}

void sl_checkpoint(uint32_t label, uint64_t a, uint64_t b)
{
	(void)label;
	(void)a;
	(void)b;
}

/* ---- the run ----------------------------------------------------------------------------------- */

static void *run_thread(void *arg)
{
	const struct thread *t = arg;

	rng.state = t->number;
	t->entry->thread(t->me);
	return NULL;
}

static bool holds(const struct sl_entry *const *first, const struct sl_entry *const *end,
		  enum sl_entry_kind kind, const char *what, const char *when)
{
	for (; first < end; first++) {
		if ((*first)->kind != kind || (*first)->holds())
			continue;
		fprintf(stderr, "%s: violated(oracle): %s %s does not hold %s\n",
			program_invocation_short_name, what, (*first)->name, when);
		return false;
	}
	return true;
}

static u32 collect(const struct sl_entry *const *first, const struct sl_entry *const *end,
		   struct thread *thread)
{
	u32 n = 0;

	for (; first < end; first++) {
		u32 count = (*first)->count ? (*first)->count : 1;

		if ((*first)->kind != SL_ENTRY_THREADS)
			continue;
		for (u32 i = 0; i < count; i++, n++) {
			if (n == THREADS_MAX)
				return n + 1;
			thread[n] = (struct thread){ .entry = *first, .me = i, .number = n };
		}
	}
	return n;
}

int sl_run_on_threads(const struct sl_entry *const *first, const struct sl_entry *const *end)
{
	struct thread thread[THREADS_MAX];
	u32 threads = collect(first, end, thread);

	if (!threads || threads > THREADS_MAX) {
		fprintf(stderr, "%s: found %s; expected 1 to %u threads\n",
			program_invocation_short_name,
			threads ? "more" : "no SL_THREAD or SL_THREADS", THREADS_MAX);
		return EXIT_USAGE;
	}
	for (const struct sl_entry *const *e = first; e < end; e++)
		if ((*e)->kind == SL_ENTRY_SETUP) {
			(*e)->thread(0);
			(void)sl_lp_bind(NULL);
		}
	if (!holds(first, end, SL_ENTRY_INVARIANT, "invariant", "before the threads start"))
		return EXIT_VIOLATED;
	for (u32 i = 0; i < threads; i++) {
		int rc = pthread_create(&thread[i].pthread, NULL, run_thread, &thread[i]);

		if (!rc)
			continue;
		fprintf(stderr, "%s: cannot start a thread: %s\n", program_invocation_short_name,
			strerror(rc));
		/* Those that run wait for the others. */
		_Exit(EXIT_USAGE);
	}
	for (u32 i = 0; i < threads; i++)
		pthread_join(thread[i].pthread, NULL);
	if (!holds(first, end, SL_ENTRY_INVARIANT, "invariant", "at the end") ||
	    !holds(first, end, SL_ENTRY_FINALLY, "finally", "when all threads have ended"))
		return EXIT_VIOLATED;
	printf("%s: %u thread%s ended, and nothing was violated\n", program_invocation_short_name,
	       threads, threads == 1 ? "" : "s");
	return EXIT_HOLDS;
}
