/* SPDX-License-Identifier: MIT */
/*
 * libseamlab: run scenarios and get reports. Self-contained, C and C++.
 *
 * No function here is tied to a thread, and none keeps state between calls.
 */
#ifndef SEAMLAB_SEAMLAB_H
#define SEAMLAB_SEAMLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define SL_API __attribute__((visibility("default")))
#else
#define SL_API
#endif

/* Exit codes of the program. */
enum sl_exit {
	SL_EXIT_EXPECTED = 0,	/* every verdict as expected */
	SL_EXIT_UNEXPECTED = 1,	/* a verdict not as expected */
	SL_EXIT_USAGE = 2,	/* usage or input */
	SL_EXIT_INCONCLUSIVE = 3,
	SL_EXIT_DIVERGED = 5,
	SL_EXIT_SKIPPED = 77,
};

enum sl_format {
	SL_FORMAT_TEXT,
	SL_FORMAT_JSON,
};

/* What a run has done so far. */
struct sl_run_progress {
	double seconds;
	uint64_t pages_accepted, pages_mapped, pages_zapped, guest_accesses, kicks, busy;
};

struct sl_run_options {
	const char *path;	/* scenario file */
	double seconds;		/* how long the lanes run; negative: as the scenario says */
	uint64_t seed;		/* of random operations */
	/* Called about ten times a second; NULL for none. */
	void (*progress)(void *ctx, const struct sl_run_progress *p);
	/* Polled as often; true ends the run early. NULL for none. */
	bool (*interrupted)(void *ctx);
	void *ctx;
};

struct sl_run;

/*
 * Runs a scenario in real time on threads. 0 and *run, or a negative errno and a message that names
 * the place in @err (bad scenario: -EINVAL; file: -ENOENT and so on). Free with sl_run_free().
 */
SL_API int sl_run_scenario(const struct sl_run_options *o, struct sl_run **run, char *err,
			   size_t err_size);
/* The report as text or as one JSON object; NULL without memory. The caller frees it. */
SL_API char *sl_run_report(const struct sl_run *run, enum sl_format format);
/* SL_EXIT_EXPECTED, SL_EXIT_UNEXPECTED or SL_EXIT_INCONCLUSIVE (interrupted). */
SL_API enum sl_exit sl_run_exit(const struct sl_run *run);
SL_API void sl_run_free(struct sl_run *run);

/* What an exploration has done so far. */
struct sl_check_progress {
	double seconds;
	uint64_t states, transitions;
	uint32_t depth, pass;
	size_t memory;
};

struct sl_check_options {
	const char *path;	/* scenario file */
	double seconds;		/* limit; 0 for none */
	size_t memory;		/* limit in bytes; 0 for none */
	uint32_t depth;		/* limit in steps; 0 for none */
	uint64_t hash_seed;	/* of the state hash: counts and verdict do not depend on it */
	bool no_reduction;	/* every atomic access is a scheduling point */
	void (*progress)(void *ctx, const struct sl_check_progress *p);
	bool (*interrupted)(void *ctx);
	void *ctx;
};

struct sl_check;

/*
 * Explores every interleaving of a scenario. 0 and *check, or a negative errno and a message in @err.
 * One exploration at a time in a process. Free with sl_check_free().
 */
SL_API int sl_check_scenario(const struct sl_check_options *o, struct sl_check **check, char *err,
			     size_t err_size);
SL_API char *sl_check_report(const struct sl_check *check, enum sl_format format);
/* SL_EXIT_EXPECTED, SL_EXIT_UNEXPECTED, or SL_EXIT_INCONCLUSIVE (a limit was reached). */
SL_API enum sl_exit sl_check_exit(const struct sl_check *check);
SL_API void sl_check_free(struct sl_check *check);

/* "0.1.0" */
SL_API const char *sl_version(void);

#ifdef __cplusplus
}
#endif

#endif
