// SPDX-License-Identifier: MIT
/*
 * The section "locks": what a pair (acquire + release) costs, alone and among others, and how long a
 * host waits among guests.
 *
 * All variants run in turn, round after round, so that a change of clock speed or a noisy neighbour
 * meets them alike. Each gets its median over the rounds and its ratio to a bare compare-and-swap
 * plus store of the same run. Nothing is judged here.
 */
#include "bench.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>
#ifdef HAVE_CK
#include <ck_rwlock.h>
#endif

#include <seamlab/hplock.h>

#define THREADS_MAX 8
/* Uncontended pairs take little time: so many rounds of them for each one of the others. */
#define ROUNDS_EACH 41

/* One cache line each, so that nothing else lives beside the word that is measured. */
static _Alignas(64) sharex_hp_t word;
static _Alignas(64) sharex_t plain;
static _Alignas(64) hp_mutex_t mutex;
static _Alignas(64) _Atomic(uint64_t) entry;
static _Alignas(64) _Atomic(uint16_t) bare;
static _Alignas(64) pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
#ifdef HAVE_CK
static _Alignas(64) ck_rwlock_t ck = CK_RWLOCK_INITIALIZER;
#endif

/*
 * Each runs @count pairs and returns how many tries were refused: none, unless something is broken.
 */
#define PAIRS(name, try_expression, release_statement)                           \
	static __attribute__((noinline)) unsigned long name(unsigned long count) \
	{                                                                        \
		unsigned long refused = 0;                                       \
                                                                                 \
		for (unsigned long i = 0; i < count; i++) {                      \
			if (try_expression)                                      \
				release_statement;                               \
			else                                                     \
				refused++;                                       \
		}                                                                \
		return refused;                                                  \
	}

static inline bool bare_take(void)
{
	uint16_t old = 0;

	/* Sequentially consistent, C11's default: pairs with itself only, it guards nothing. */
	return atomic_compare_exchange_strong(&bare, &old, (uint16_t)1);
}

PAIRS(bare_seq_cst, bare_take(), atomic_store(&bare, (uint16_t)0))
PAIRS(bare_release, bare_take(), atomic_store_explicit(&bare, (uint16_t)0, memory_order_release))
PAIRS(hard_ex_host, sharex_hp_try_exclusive(&word, HP_HOST) == HP_OK,
      sharex_hp_release_exclusive(&word))
PAIRS(hard_ex_guest, sharex_hp_try_exclusive(&word, HP_GUEST) == HP_OK,
      sharex_hp_release_exclusive(&word))
PAIRS(pub_ex_host, sharex_hp_try_exclusive_published(&word, HP_HOST) == HP_OK,
      sharex_hp_release_exclusive_published(&word))
PAIRS(hard_sh_host, sharex_hp_try_shared(&word, HP_HOST) == HP_OK, sharex_hp_release_shared(&word))
PAIRS(hard_sh_guest, sharex_hp_try_shared(&word, HP_GUEST) == HP_OK,
      sharex_hp_release_shared(&word))
PAIRS(pub_sh_host, sharex_hp_try_shared_published(&word, HP_HOST) == HP_OK,
      sharex_hp_release_shared_published(&word))
PAIRS(pub_sh_guest, sharex_hp_try_shared_published(&word, HP_GUEST) == HP_OK,
      sharex_hp_release_shared_published(&word))
PAIRS(plain_hard_ex, sharex_try_exclusive(&plain) == HP_OK, sharex_release_exclusive(&plain))
PAIRS(plain_pub_ex, sharex_try_exclusive_published(&plain) == HP_OK,
      sharex_release_exclusive_published(&plain))
PAIRS(plain_hard_sh, sharex_try_shared(&plain) == HP_OK, sharex_release_shared(&plain))
PAIRS(plain_pub_sh, sharex_try_shared_published(&plain) == HP_OK,
      sharex_release_shared_published(&plain))
PAIRS(mutex_pair, hp_mutex_try_lock(&mutex) == HP_OK, hp_mutex_unlock(&mutex))
PAIRS(entry_hard_host, sept_entry_try_lock(&entry, HP_HOST) == HP_OK, sept_entry_unlock(&entry))
PAIRS(entry_hard_guest, sept_entry_try_lock(&entry, HP_GUEST) == HP_OK, sept_entry_unlock(&entry))
PAIRS(entry_hard_commit, sept_entry_try_lock(&entry, HP_HOST) == HP_OK,
      sept_entry_commit(&entry, i << 12, false))
PAIRS(entry_pub_host, sept_entry_try_lock_published(&entry, HP_HOST) == HP_OK,
      sept_entry_unlock_published(&entry))
PAIRS(entry_pub_guest, sept_entry_try_lock_published(&entry, HP_GUEST) == HP_OK,
      sept_entry_unlock_published(&entry))
PAIRS(entry_pub_commit, sept_entry_try_lock_published(&entry, HP_HOST) == HP_OK,
      sept_entry_commit_published(&entry, i << 12, false))
PAIRS(rwlock_write, pthread_rwlock_trywrlock(&rwlock) == 0, pthread_rwlock_unlock(&rwlock))
PAIRS(rwlock_read, pthread_rwlock_tryrdlock(&rwlock) == 0, pthread_rwlock_unlock(&rwlock))
#ifdef HAVE_CK
PAIRS(ck_write, ck_rwlock_write_trylock(&ck), ck_rwlock_write_unlock(&ck))
PAIRS(ck_read, ck_rwlock_read_trylock(&ck), ck_rwlock_read_unlock(&ck))
#define CK(function) function
#else
#define CK(function) NULL
#endif

struct variant {
	const char *name, *text;
	unsigned long (*pairs)(unsigned long count); /* NULL: not installed */
	bool contended;
	double ns[BENCH_ROUNDS_MAX * ROUNDS_EACH], rate[BENCH_ROUNDS_MAX],
		granted[BENCH_ROUNDS_MAX];
};

#define VARIANT(name_, text_, pairs_, contended_)                                      \
	{                                                                              \
		.name = name_, .text = text_, .pairs = pairs_, .contended = contended_ \
	}

/* The first is what the ratios refer to. */
static struct variant variants[] = {
	VARIANT("bare_cas_store", "bare CAS + seq_cst store", bare_seq_cst, true),
	VARIANT("bare_cas_release_store", "bare CAS + release store", bare_release, true),
	VARIANT("sharex_hp_ex_host", "sharex_hp exclusive, host", hard_ex_host, true),
	VARIANT("sharex_hp_ex_guest", "sharex_hp exclusive, guest", hard_ex_guest, true),
	VARIANT("sharex_hp_ex_published", "sharex_hp exclusive, published", pub_ex_host, true),
	VARIANT("sharex_hp_sh_host", "sharex_hp shared, host", hard_sh_host, true),
	VARIANT("sharex_hp_sh_guest", "sharex_hp shared, guest", hard_sh_guest, true),
	VARIANT("sharex_hp_sh_host_published", "sharex_hp shared, host, published", pub_sh_host,
		true),
	VARIANT("sharex_hp_sh_guest_published", "sharex_hp shared, guest, published", pub_sh_guest,
		true),
	VARIANT("sharex_ex", "sharex exclusive", plain_hard_ex, true),
	VARIANT("sharex_ex_published", "sharex exclusive, published", plain_pub_ex, true),
	VARIANT("sharex_sh", "sharex shared", plain_hard_sh, true),
	VARIANT("sharex_sh_published", "sharex shared, published", plain_pub_sh, true),
	VARIANT("hp_mutex", "mutex", mutex_pair, true),
	VARIANT("sept_entry_host", "S-EPT entry, host", entry_hard_host, true),
	VARIANT("sept_entry_guest", "S-EPT entry, guest", entry_hard_guest, true),
	VARIANT("sept_entry_host_commit", "S-EPT entry, host, commit unlocks", entry_hard_commit,
		false),
	VARIANT("sept_entry_host_published", "S-EPT entry, host, published", entry_pub_host, true),
	VARIANT("sept_entry_guest_published", "S-EPT entry, guest, published", entry_pub_guest,
		true),
	VARIANT("sept_entry_host_commit_published", "S-EPT entry, host, commit unlocks, published",
		entry_pub_commit, false),
	VARIANT("pthread_rwlock_write", "pthread_rwlock trywrlock", rwlock_write, true),
	VARIANT("pthread_rwlock_read", "pthread_rwlock tryrdlock", rwlock_read, true),
	VARIANT("ck_rwlock_write", "ck_rwlock write_trylock", CK(ck_write), true),
	VARIANT("ck_rwlock_read", "ck_rwlock read_trylock", CK(ck_read), true),
};

/* Published words can be misused without any wrong call (F1): here that is counted. */
static _Atomic unsigned long misused;
static bool counting;

void hp_misuse(const char *what)
{
	if (!counting) {
		fprintf(stderr, "seamlab bench: lock misuse: %s\n", what);
		exit(1);
	}
	atomic_fetch_add_explicit(&misused, 1, memory_order_relaxed);
}

static void make_new(void)
{
	atomic_store(&word.word, (uint16_t)0);
	atomic_store(&plain.word, (uint16_t)0);
	atomic_store(&mutex.word, (uint8_t)0);
	atomic_store(&entry, 0);
	atomic_store(&bare, (uint16_t)0);
	pthread_rwlock_init(&rwlock, NULL);
#ifdef HAVE_CK
	ck_rwlock_init(&ck);
#endif
}

static json_t *row_of(const struct variant *v)
{
	return json_pack("{s:s, s:s, s:s?}", "name", v->name, "text", v->text, "note",
			 v->pairs ? NULL : "not installed when this was built");
}

static void set_ratio(json_t *row, const char *key, double v, double base)
{
	json_object_set_new(row, key, base > 0 ? json_real(v / base) : json_null());
}

/* ---- alone --------------------------------------------------------------------------------------- */

/* False: a lock that nobody holds was refused. */
static bool time_alone(u32 rounds, unsigned long pairs)
{
	/* Round 0 warms up and is overwritten by round 1. */
	for (u32 round = 0; round <= rounds; round++)
		for (size_t i = 0; i < ARRAY_SIZE(variants); i++) {
			struct variant *v = &variants[i];
			double start = bench_seconds();

			if (!v->pairs)
				continue;
			if (v->pairs(pairs) != 0) {
				fprintf(stderr, "seamlab bench: %s: refused a lock nobody holds\n",
					v->name);
				return false;
			}
			v->ns[round ? round - 1 : 0] =
				(bench_seconds() - start) * 1e9 / (double)pairs;
		}
	return true;
}

static json_t *alone(const struct bench_options *o)
{
	u32 rounds = o->quick ? 3 : o->rounds * ROUNDS_EACH;
	json_t *rows = json_array();
	double base, released;

	make_new();
	if (!time_alone(rounds, o->quick ? 2000 : 20000))
		return rows;
	base = bench_median(variants[0].ns, rounds);
	released = bench_median(variants[1].ns, rounds);
	for (size_t i = 0; i < ARRAY_SIZE(variants); i++) {
		struct variant *v = &variants[i];
		json_t *row = row_of(v);

		if (v->pairs) {
			double median = bench_median(v->ns, rounds);

			json_object_set_new(row, "ns", json_real(median));
			json_object_set_new(row, "ns_p90",
					    json_real(bench_percentile(v->ns, rounds, 0.9)));
			set_ratio(row, "ratio_cas_store", median, base);
			set_ratio(row, "ratio_cas_release_store", median, released);
		}
		json_array_append_new(rows, row);
	}
	return rows;
}

/* ---- among others -------------------------------------------------------------------------------- */

static struct {
	const struct variant *v;
	_Atomic u32 ready;
	_Atomic bool go, stop;
} hammering;

struct hammer {
	pthread_t thread;
	unsigned long tried, refused;
};

static void *hammer_thread(void *arg)
{
	struct hammer *h = arg;

	atomic_fetch_add(&hammering.ready, 1);
	while (!atomic_load(&hammering.go))
		_mm_pause();
	while (!atomic_load_explicit(&hammering.stop, memory_order_relaxed)) {
		h->refused += hammering.v->pairs(256);
		h->tried += 256;
	}
	return NULL;
}

static bool time_among(struct variant *v, u32 threads, u32 round, double seconds)
{
	struct hammer h[THREADS_MAX] = { 0 };
	unsigned long tried = 0, refused = 0;
	u32 started = 0;
	double start;

	make_new();
	hammering.v = v;
	atomic_store(&hammering.ready, 0);
	atomic_store(&hammering.go, false);
	atomic_store(&hammering.stop, false);
	while (started < threads &&
	       !pthread_create(&h[started].thread, NULL, hammer_thread, &h[started]))
		started++;
	while (atomic_load(&hammering.ready) < started)
		sched_yield();
	atomic_store(&hammering.go, true);
	start = bench_seconds();
	bench_sleep(seconds);
	atomic_store(&hammering.stop, true);
	for (u32 i = 0; i < started; i++) {
		pthread_join(h[i].thread, NULL);
		tried += h[i].tried;
		refused += h[i].refused;
	}
	v->rate[round] = (double)(tried - refused) / (bench_seconds() - start);
	v->granted[round] = tried ? 100.0 * (double)(tried - refused) / (double)tried : 0;
	return started == threads;
}

static json_t *among(const struct bench_options *o)
{
	u32 rounds = o->quick ? 1 : o->rounds, threads = 2;
	json_t *rows = json_array();
	double base;

	for (u32 round = 0; round < rounds; round++)
		for (size_t i = 0; i < ARRAY_SIZE(variants); i++)
			if (variants[i].contended && variants[i].pairs &&
			    !time_among(&variants[i], threads, round, o->quick ? 0.002 : 0.2))
				return rows;
	base = bench_median(variants[0].rate, rounds);
	for (size_t i = 0; i < ARRAY_SIZE(variants); i++) {
		struct variant *v = &variants[i];
		json_t *row;

		if (!v->contended)
			continue;
		row = row_of(v);
		json_object_set_new(row, "threads", json_integer(threads));
		if (v->pairs) {
			double median = bench_median(v->rate, rounds);

			json_object_set_new(row, "pairs_per_second", json_real(median));
			json_object_set_new(row, "granted_percent",
					    json_real(bench_median(v->granted, rounds)));
			/* Of what a pair takes, as elsewhere: more is slower. */
			set_ratio(row, "ratio", base, median);
		}
		json_array_append_new(rows, row);
	}
	return rows;
}

/* ---- a host's wait ------------------------------------------------------------------------------- */

#define WAITS_MAX (1u << 19)
/* A wait that takes longer is given up: published words can keep a host out for ever. */
#define WAIT_MAX_SECONDS 0.05

static bool hard_host(void)
{
	return sharex_hp_try_exclusive(&word, HP_HOST) == HP_OK;
}

static void hard_host_release(void)
{
	sharex_hp_release_exclusive(&word);
}

static bool pub_host(void)
{
	return sharex_hp_try_exclusive_published(&word, HP_HOST) == HP_OK;
}

static void pub_host_release(void)
{
	sharex_hp_release_exclusive_published(&word);
}

static bool rwlock_host(void)
{
	return pthread_rwlock_trywrlock(&rwlock) == 0;
}

static void rwlock_host_release(void)
{
	pthread_rwlock_unlock(&rwlock);
}

#ifdef HAVE_CK
static bool ck_host(void)
{
	return ck_rwlock_write_trylock(&ck);
}

static void ck_host_release(void)
{
	ck_rwlock_write_unlock(&ck);
}
#endif

static struct waited {
	const char *name, *text;
	bool (*host)(void);
	void (*release)(void);
	unsigned long (*guest)(unsigned long count);
	/* Of one number of guests. */
	double *us, *tries;
	size_t waits;
	unsigned long given_up, misused;
} waited[] = {
	{ .name = "sharex_hp",
	  .text = "sharex_hp, hardened",
	  .host = hard_host,
	  .release = hard_host_release,
	  .guest = hard_sh_guest },
	{ .name = "sharex_hp_published",
	  .text = "sharex_hp, published",
	  .host = pub_host,
	  .release = pub_host_release,
	  .guest = pub_sh_guest },
	{ .name = "pthread_rwlock",
	  .text = "pthread_rwlock",
	  .host = rwlock_host,
	  .release = rwlock_host_release,
	  .guest = rwlock_read },
	{ .name = "ck_rwlock",
	  .text = "ck_rwlock",
	  .host = CK(ck_host),
	  .release = CK(ck_host_release),
	  .guest = CK(ck_read) },
};

static struct {
	struct waited *w;
	_Atomic u32 resting; /* guests that have left the word alone */
	_Atomic bool rest, stop;
} visiting;

static void *guest_thread(void *arg)
{
	(void)arg;
	while (!atomic_load_explicit(&visiting.stop, memory_order_relaxed)) {
		if (atomic_load_explicit(&visiting.rest, memory_order_relaxed)) {
			atomic_fetch_add(&visiting.resting, 1);
			while (atomic_load(&visiting.rest))
				sched_yield();
			atomic_fetch_sub(&visiting.resting, 1);
		}
		visiting.w->guest(16);
	}
	return NULL;
}

/* Nobody uses the word while it is made new. */
static void make_new_among(u32 guests)
{
	atomic_store(&visiting.rest, true);
	while (atomic_load(&visiting.resting) < guests)
		sched_yield();
	make_new();
	atomic_store(&visiting.rest, false);
	while (atomic_load(&visiting.resting))
		sched_yield();
}

/* One wait; false: it was given up. */
static bool wait_once(const struct waited *w, double *us, double *tries)
{
	double start = bench_seconds(), now = start;
	unsigned long n = 1;

	while (!w->host()) {
		_mm_pause();
		if ((++n & 15) == 0 && (now = bench_seconds()) - start > WAIT_MAX_SECONDS)
			return false;
	}
	*us = (bench_seconds() - start) * 1e6;
	*tries = (double)n;
	w->release();
	return true;
}

static bool wait_for(struct waited *w, u32 guests, double seconds)
{
	pthread_t thread[THREADS_MAX];
	unsigned long before = atomic_load(&misused);
	double end = bench_seconds() + seconds;
	u32 started = 0;

	make_new();
	visiting.w = w;
	atomic_store(&visiting.stop, false);
	while (started < guests && !pthread_create(&thread[started], NULL, guest_thread, NULL))
		started++;
	while (bench_seconds() < end && w->waits < WAITS_MAX) {
		if (wait_once(w, &w->us[w->waits], &w->tries[w->waits])) {
			w->waits++;
		} else {
			w->given_up++;
			make_new_among(started);
		}
		/* Guests come in again. */
		for (int i = 0; i < 100; i++)
			_mm_pause();
	}
	atomic_store(&visiting.stop, true);
	for (u32 i = 0; i < started; i++)
		pthread_join(thread[i], NULL);
	w->misused += atomic_load(&misused) - before;
	return started == guests;
}

static void add_wait(json_t *rows, struct waited *w, u32 guests)
{
	json_t *row = json_pack("{s:s, s:s, s:i, s:s?}", "name", w->name, "text", w->text, "guests",
				(int)guests, "note",
				w->host ? NULL : "not installed when this was built");

	if (w->host) {
		json_object_set_new(row, "waits", json_integer((json_int_t)w->waits));
		json_object_set_new(row, "given_up", json_integer((json_int_t)w->given_up));
		json_object_set_new(row, "given_up_after_us", json_real(WAIT_MAX_SECONDS * 1e6));
		json_object_set_new(row, "misused", json_integer((json_int_t)w->misused));
	}
	if (w->waits) {
		json_object_set_new(row, "p50_us", json_real(bench_median(w->us, w->waits)));
		json_object_set_new(row, "p999_us",
				    json_real(bench_percentile(w->us, w->waits, 0.999)));
		json_object_set_new(row, "max_us", json_real(w->us[w->waits - 1]));
		json_object_set_new(row, "tries_p50", json_real(bench_median(w->tries, w->waits)));
		json_object_set_new(row, "tries_max", json_real(w->tries[w->waits - 1]));
	}
	json_array_append_new(rows, row);
}

static json_t *waits(const struct bench_options *o)
{
	static const u32 guests[] = { 1, 3, 7 };
	json_t *rows = json_array();

	for (size_t i = 0; i < ARRAY_SIZE(waited); i++) {
		waited[i].us = malloc(WAITS_MAX * sizeof(double));
		waited[i].tries = malloc(WAITS_MAX * sizeof(double));
		if (!waited[i].us || !waited[i].tries)
			return rows;
	}
	for (size_t g = 0; g < (o->quick ? 1 : ARRAY_SIZE(guests)); g++) {
		for (size_t i = 0; i < ARRAY_SIZE(waited); i++) {
			waited[i].waits = 0;
			waited[i].given_up = waited[i].misused = 0;
		}
		for (u32 round = 0; round < o->rounds; round++)
			for (size_t i = 0; i < ARRAY_SIZE(waited); i++)
				if (waited[i].host &&
				    !wait_for(&waited[i], guests[g], o->quick ? 0.01 : 0.5))
					return rows;
		for (size_t i = 0; i < ARRAY_SIZE(waited); i++)
			add_wait(rows, &waited[i], guests[g]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(waited); i++) {
		free(waited[i].us);
		free(waited[i].tries);
	}
	return rows;
}

json_t *bench_locks(const struct bench_options *o)
{
	json_t *uncontended, *contended;

	counting = true;
	bench_progress("locks  uncontended");
	uncontended = alone(o);
	bench_progress("locks  contended");
	contended = among(o);
	bench_progress("locks  a host's wait");
	return json_pack("{s:o, s:o, s:o}", "uncontended", uncontended, "contended", contended,
			 "wait", waits(o));
}
