/* SPDX-License-Identifier: MIT */
/*
 * bench_hplock.c - what an uncontended pair (acquire + release) costs, per flavour
 *
 * All variants run in turn, round after round, so that a change of clock speed or a noisy neighbour
 * meets them alike. Each gets its median over the rounds and its ratio to a bare compare-and-swap
 * plus store of the same run. Nothing is judged here.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <seamlab/hplock.h>

#define EXIT_USAGE 2
#define ROUNDS_MAX 100000
#define PAIRS_MAX  100000000

/* One cache line each, so that nothing else lives beside the word that is measured. */
static _Alignas(64) sharex_hp_t word;
static _Alignas(64) sharex_t plain;
static _Alignas(64) hp_mutex_t mutex;
static _Alignas(64) _Atomic(uint64_t) entry;
static _Alignas(64) _Atomic(uint16_t) bare;
static _Alignas(64) pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;

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
PAIRS(rwlock_pair, pthread_rwlock_trywrlock(&rwlock) == 0, pthread_rwlock_unlock(&rwlock))

struct variant {
	const char *name;
	const char *text;
	unsigned long (*pairs)(unsigned long count);
	double *ns;
};

/* The first is what the ratios refer to. */
static struct variant variants[] = {
	{ "bare_cas_store", "bare CAS + seq_cst store", bare_seq_cst, NULL },
	{ "bare_cas_release_store", "bare CAS + release store", bare_release, NULL },
	{ "sharex_hp_ex_host", "sharex_hp exclusive, host", hard_ex_host, NULL },
	{ "sharex_hp_ex_guest", "sharex_hp exclusive, guest", hard_ex_guest, NULL },
	{ "sharex_hp_ex_published", "sharex_hp exclusive, published", pub_ex_host, NULL },
	{ "sharex_hp_sh_host", "sharex_hp shared, host", hard_sh_host, NULL },
	{ "sharex_hp_sh_guest", "sharex_hp shared, guest", hard_sh_guest, NULL },
	{ "sharex_hp_sh_host_published", "sharex_hp shared, host, published", pub_sh_host, NULL },
	{ "sharex_hp_sh_guest_published", "sharex_hp shared, guest, published", pub_sh_guest,
	  NULL },
	{ "sharex_ex", "sharex exclusive", plain_hard_ex, NULL },
	{ "sharex_ex_published", "sharex exclusive, published", plain_pub_ex, NULL },
	{ "sharex_sh", "sharex shared", plain_hard_sh, NULL },
	{ "sharex_sh_published", "sharex shared, published", plain_pub_sh, NULL },
	{ "hp_mutex", "mutex", mutex_pair, NULL },
	{ "sept_entry_host", "S-EPT entry, host", entry_hard_host, NULL },
	{ "sept_entry_guest", "S-EPT entry, guest", entry_hard_guest, NULL },
	{ "sept_entry_host_commit", "S-EPT entry, host, commit unlocks", entry_hard_commit, NULL },
	{ "sept_entry_host_published", "S-EPT entry, host, published", entry_pub_host, NULL },
	{ "sept_entry_guest_published", "S-EPT entry, guest, published", entry_pub_guest, NULL },
	{ "sept_entry_host_commit_published", "S-EPT entry, host, commit unlocks, published",
	  entry_pub_commit, NULL },
	{ "pthread_rwlock", "pthread_rwlock trywrlock + unlock", rwlock_pair, NULL },
};

#define VARIANT_COUNT (sizeof(variants) / sizeof(variants[0]))

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static bool measure(unsigned long rounds, unsigned long pairs)
{
	/* Round 0 warms up and is overwritten by round 1. */
	for (unsigned long round = 0; round <= rounds; round++) {
		for (size_t i = 0; i < VARIANT_COUNT; i++) {
			double start = now_ns();

			if (variants[i].pairs(pairs) != 0) {
				fprintf(stderr, "bench_hplock: %s: refused a lock nobody holds\n",
					variants[i].name);
				return false;
			}
			variants[i].ns[round ? round - 1 : 0] = (now_ns() - start) / (double)pairs;
		}
	}
	for (size_t i = 0; i < VARIANT_COUNT; i++)
		qsort(variants[i].ns, rounds, sizeof(double), by_value);
	return true;
}

static void print_text(unsigned long rounds, unsigned long pairs)
{
	double base = variants[0].ns[rounds / 2], released = variants[1].ns[rounds / 2];

	printf("uncontended, 1 thread, median of %lu rounds of %lu pairs\n\n", rounds, pairs);
	printf("%-46s %9s %9s %14s %15s\n", "pair", "ns", "ns (p90)", "x CAS+seq_cst",
	       "x CAS+release");
	for (size_t i = 0; i < VARIANT_COUNT; i++) {
		double median = variants[i].ns[rounds / 2];

		printf("%-46s %9.2f %9.2f %14.2f %15.2f\n", variants[i].text, median,
		       variants[i].ns[rounds * 9 / 10], median / base, median / released);
	}
}

static void print_json(unsigned long rounds, unsigned long pairs)
{
	double base = variants[0].ns[rounds / 2], released = variants[1].ns[rounds / 2];

	printf("{\"bench\": \"hplock\", \"threads\": 1, \"rounds\": %lu, \"pairs\": %lu, "
	       "\"base\": \"%s\", \"variants\": {",
	       rounds, pairs, variants[0].name);
	for (size_t i = 0; i < VARIANT_COUNT; i++) {
		double median = variants[i].ns[rounds / 2];

		printf("%s\"%s\": {\"ns_per_pair\": %.3f, \"ns_per_pair_p90\": %.3f, "
		       "\"ratio_cas_store\": %.4f, \"ratio_cas_release_store\": %.4f}",
		       i ? ", " : "", variants[i].name, median, variants[i].ns[rounds * 9 / 10],
		       median / base, median / released);
	}
	printf("}}\n");
}

static bool parse_count(const char *text, unsigned long max, unsigned long *count)
{
	char *end;

	if (!text || *text < '0' || *text > '9')
		return false;
	errno = 0;
	*count = strtoul(text, &end, 10);
	return errno == 0 && *end == '\0' && *count >= 1 && *count <= max;
}

static int usage(FILE *out, int status)
{
	fprintf(out, "usage: bench_hplock [--json] [--rounds N] [--pairs N]\n");
	return status;
}

int main(int argc, char **argv)
{
	unsigned long rounds = 201, pairs = 20000;
	bool json = false, measured;

	for (int i = 1; i < argc; i++) {
		const char *next = i + 1 < argc ? argv[i + 1] : NULL;

		if (!strcmp(argv[i], "--json")) {
			json = true;
		} else if (!strcmp(argv[i], "--help")) {
			return usage(stdout, EXIT_SUCCESS);
		} else if (!strcmp(argv[i], "--rounds") && parse_count(next, ROUNDS_MAX, &rounds)) {
			i++;
		} else if (!strcmp(argv[i], "--pairs") && parse_count(next, PAIRS_MAX, &pairs)) {
			i++;
		} else {
			return usage(stderr, EXIT_USAGE);
		}
	}
	for (size_t i = 0; i < VARIANT_COUNT; i++) {
		variants[i].ns = calloc(rounds, sizeof(double));
		if (!variants[i].ns) {
			fprintf(stderr, "bench_hplock: out of memory\n");
			return EXIT_FAILURE;
		}
	}
	measured = measure(rounds, pairs);
	if (measured && json)
		print_json(rounds, pairs);
	else if (measured)
		print_text(rounds, pairs);
	for (size_t i = 0; i < VARIANT_COUNT; i++)
		free(variants[i].ns);
	return measured && fflush(stdout) == 0 && !ferror(stdout) ? EXIT_SUCCESS : EXIT_FAILURE;
}
