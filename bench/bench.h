/* SPDX-License-Identifier: MIT */
/*
 * seamlab-bench, the program behind `seamlab bench`: each section measures something and gives a JSON
 * object; render.c makes the text of it. docs/bench.md has the schema.
 */
#ifndef SL_BENCH_BENCH_H
#define SL_BENCH_BENCH_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/types.h"

#define BENCH_ROUNDS_MAX 101

struct bench_options {
	u32 rounds;
	bool quick;     /* a tiny set in a few seconds: whether it works, no figures */
	double seconds; /* limit of one exploration of a world that may be too large */
	bool two_cores; /* explorations on two, besides those on one */
	const char *seamlab;
	const char *work; /* a folder of its own, gone afterwards */
};

/*
 * A section: an object that the caller owns. What cannot be measured here says so in a "note" of its
 * row. NULL without memory, or after bench_interrupted().
 */
typedef json_t *bench_section(const struct bench_options *o);
bench_section bench_exploration;
bench_section bench_locks;
bench_section bench_module;
bench_section bench_growth;

/* `seamlab check` can use more than one core: it has --jobs. */
bool bench_two_cores(const char *seamlab);

/* CPU, kernel, compiler, versions of the tools. */
json_t *bench_machine(void);

/* The report of a whole run as Markdown. False: it is no report of this version. */
bool bench_render(FILE *f, const json_t *report);

bool bench_interrupted(void);
/* A line of progress on a terminal. */
__attribute__((format(printf, 1, 2))) void bench_progress(const char *fmt, ...);

/* ---- figures (figures.c) ------------------------------------------------------------------- */

double bench_seconds(void);
void bench_sleep(double seconds);
/* Sorts @v. */
double bench_median(double *v, size_t n);
double bench_percentile(double *v, size_t n, double of_1);
/* Resident memory now, bytes. */
u64 bench_rss(void);

/* ---- other programs (child.c) -------------------------------------------------------------- */

struct bench_run {
	const char *const *argv; /* argv[0] is looked up in $PATH */
	const char *folder;      /* to run it in; NULL: here */
	double limit;            /* seconds; 0: none */
	bool quiet;              /* its standard error is left out of @out */
};

struct bench_done {
	int status; /* exit status, or -1: it did not end by itself */
	double seconds;
	u64 bytes; /* the most memory that it had resident */
	char *out; /* what it printed; the caller frees it */
};

/* False: it could not be started. */
bool bench_child(const struct bench_run *r, struct bench_done *d);
/* The C compiler that there is, for models. */
const char *bench_cc(void);
/* The program @name is in $PATH. */
bool bench_has(const char *name);
/*
 * @section in a process of its own, so that what it allocates is not there when others are measured. An
 * object with "error" if that process does not end well.
 */
json_t *bench_apart(bench_section *section, const struct bench_options *o);

#endif
