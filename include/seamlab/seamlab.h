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

#include <seamlab/api.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Exit codes of the program. */
enum sl_exit {
	SL_EXIT_EXPECTED = 0,   /* every verdict as expected */
	SL_EXIT_UNEXPECTED = 1, /* a verdict not as expected */
	SL_EXIT_USAGE = 2,      /* usage or input */
	SL_EXIT_INCONCLUSIVE = 3,
	SL_EXIT_DIVERGED = 5,
	SL_EXIT_SKIPPED = 77,
};

enum sl_format {
	SL_FORMAT_TEXT,
	SL_FORMAT_JSON,
};

/* How a text report looks. All zero: 100 columns, no colours. */
struct sl_text_style {
	uint32_t width;
	bool colour;
};

/* What a run has done so far. */
struct sl_run_progress {
	double seconds;
	uint64_t pages_accepted, pages_mapped, pages_zapped, guest_accesses, kicks, busy;
};

/* What stands in place of the scenario's host policy and module: docs/scenario.md. All zero: nothing. */
struct sl_policy_options {
	/* A policy, or a shared object ("./mine.so", seamlab/policy.h), without the scenario's switches; or NULL. */
	const char *policy;
	const char *const *set; /* "SWITCH=VALUE", in this order, on top of it */
	uint32_t set_count;
};

struct sl_run_options {
	const char *path; /* scenario file */
	struct sl_policy_options host;
	double seconds; /* how long the lanes run; negative: as the scenario says */
	uint64_t seed;  /* of random operations */
	struct sl_text_style style;
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

#define SL_JOBS_MAX 64

struct sl_check_options {
	const char *path; /* scenario file */
	struct sl_policy_options host;
	double seconds;      /* limit; 0 for none */
	size_t memory;       /* limit in bytes; 0 for none */
	uint32_t depth;      /* limit in steps; 0 for none */
	uint64_t hash_seed;  /* of the state hash: counts and verdict do not depend on it */
	bool no_reduction;   /* every atomic access is a scheduling point */
	bool no_checkpoints; /* states are merged by what was seen alone */
	bool no_memo;        /* every step is run, if it was taken before or not */
	bool no_symmetry;    /* lanes that run the same program are told apart */
	bool audit;          /* visit every state from every side and compare what comes next */
	bool bounds; /* how often each site can be BUSY, over all schedules; no finding ends it */
	/*
	 * NULL, or a site of the host ("fault-aug"): the finding is a loop in which it is BUSY for ever; expected
	 * is that there is one. With bounds.
	 */
	const char *cycle;
	bool no_slow; /* a scenario with `slow: true` is refused, with -ENOTSUP */
	bool exact;   /* compare states themselves instead of 64-bit fingerprints */
	/* NULL: as the scenario says; "sc": sequentially consistent; "tso": lanes have store buffers, as on x86 */
	const char *memory_model;
	uint32_t store_buffer; /* stores that each holds, up to 64; 0: 8 */
	bool bounded;          /* leave out schedules with more than @preemptions preemptions */
	uint32_t preemptions;
	uint32_t runs;     /* not 0: so many random runs instead of a search */
	uint64_t run_seed; /* the first of them */
	/*
	 * Shard @shard, from 1, of @shards; 0 of 0: no shards. Of random runs only those are made that
	 * fall to it; else it says which scenarios of a set do, see sl_shard_takes().
	 */
	uint32_t shard, shards;
	/*
	 * Processes that search together; 0 for one. Not with audit, exact, bounded, runs or depth: those are
	 * for one. Verdict, counts and counterexample do not depend on it.
	 */
	uint32_t jobs; /* at most SL_JOBS_MAX */
	/*
	 * A file, or NULL: every so many seconds, and at a limit or an interruption, the search is saved there; see
	 * sl_check_checkpoint(). Not with audit, exact or runs.
	 */
	const char *checkpoint;
	double checkpoint_every;
	/*
	 * NULL, or such a file: the search goes on from there. It has to be by the same build, of the same scenario,
	 * with the same options but for limits and jobs; what comes out is what would have come out without a break.
	 * Limits count from here on. -ESTALE: it is of something else.
	 */
	const char *resume;
	struct sl_text_style style;
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
/*
 * Writes the counterexample to a trace file, to be named by reports from then on. 1: written; 0:
 * nothing is violated, so there is nothing to write; or a negative errno and a message in @err.
 */
SL_API int sl_check_save(struct sl_check *check, const char *path, char *err, size_t err_size);
/*
 * 1: the search was saved, and the file is as it was left; 0: there was nothing to save; or a negative errno and a
 * message in @err: it could not be saved the last time.
 */
SL_API int sl_check_checkpoint(const struct sl_check *check, char *err, size_t err_size);
SL_API void sl_check_free(struct sl_check *check);

/* What came of several scenarios, as one document. */
enum sl_checks_format {
	SL_CHECKS_JSON,  /* an object; "results" has one for each scenario */
	SL_CHECKS_KTAP,  /* the kernel's test protocol, version 1 */
	SL_CHECKS_JUNIT, /* XML */
};

struct sl_checks;

/*
 * Each function but the first two returns text that belongs on standard output next, NULL without memory;
 * the caller frees it. sl_checks_begin() comes first, and each of the @count scenarios then has a turn:
 * explored, not read (@text says why) or not explored.
 */
SL_API struct sl_checks *sl_checks_new(enum sl_checks_format format, unsigned int count);
SL_API void sl_checks_free(struct sl_checks *c);
SL_API char *sl_checks_begin(struct sl_checks *c);
SL_API char *sl_checks_add(struct sl_checks *c, const struct sl_check *check);
SL_API char *sl_checks_error(struct sl_checks *c, const char *path, const char *text);
SL_API char *sl_checks_skip(struct sl_checks *c, const char *path, const char *text);
/* Nobody has come to it: there was an interruption before. */
SL_API char *sl_checks_left(struct sl_checks *c, const char *path);
SL_API char *sl_checks_end(struct sl_checks *c);

/*
 * Sets of scenarios cut into shards, for several processes or machines. A set is sorted; each scenario falls to
 * one shard, in turn. With random runs each shard explores every scenario, and the runs are cut.
 */

/* Does the scenario at @index of the set fall to the shard of @o? */
SL_API bool sl_shard_takes(const struct sl_check_options *o, uint32_t index);
/*
 * To be called in front of sl_checks_begin(), for JSON: the document is one that sl_merge_files() takes. The
 * set is the @count scenarios in @path, all of them; those of the shard have their turns in their order. @o: as
 * it is for each of them, besides its path. Limits that differ from machine to machine are left 0. 0, or a
 * negative errno and a message.
 */
SL_API int sl_checks_shard(struct sl_checks *c, const struct sl_check_options *o,
			   const char *const *path, uint32_t count, char *err, size_t err_size);

struct sl_merge_options {
	const char *const *path; /* documents of the shards of one set, in any order */
	uint32_t path_count;
	struct sl_text_style style;
};

/* One scenario of the set: explored, not read, or not explored. */
struct sl_merged {
	const char *path;
	const struct sl_check *check; /* or NULL */
	const char *error, *skipped;  /* one of them instead: why */
	bool left;                    /* skipped because of an interruption */
};

struct sl_merge;

/*
 * Joins shards. 0 and *merge, or a negative errno and a message that names the file: not a shard's document
 * (-EINVAL), shards of different sets, builds or options, one that is missing or there twice. Free with
 * sl_merge_free().
 */
SL_API int sl_merge_files(const struct sl_merge_options *o, struct sl_merge **merge, char *err,
			  size_t err_size);
SL_API uint32_t sl_merge_count(const struct sl_merge *m);
SL_API const struct sl_merged *sl_merge_at(const struct sl_merge *m, uint32_t index);
/* What all of them were explored with. */
SL_API const struct sl_check_options *sl_merge_options(const struct sl_merge *m);
SL_API void sl_merge_free(struct sl_merge *m);

struct sl_bounds_options {
	const char *const *path;       /* scenario files */
	uint32_t path_count;           /* 0: those that come with the library, scenarios/bounds */
	struct sl_policy_options host; /* without a policy: every preset */
	double seconds;                /* limit for all of it; 0 for none */
	size_t memory;                 /* limit in bytes of one exploration; 0 for none */
	/* Called in front of each exploration, @done of @all being over. NULL for none. */
	void (*progress)(void *ctx, uint32_t done, uint32_t all, const char *policy,
			 const char *path);
	bool (*interrupted)(void *ctx);
	void *ctx;
};

struct sl_bounds;

/*
 * The largest number of BUSY results at each site of the host, over every schedule. 0 and *bounds, or a negative
 * errno and a message in @err. One exploration at a time in a process. Free with sl_bounds_free().
 */
SL_API int sl_bounds_find(const struct sl_bounds_options *o, struct sl_bounds **bounds, char *err,
			  size_t err_size);
SL_API char *sl_bounds_report(const struct sl_bounds *bounds, enum sl_format format);
/* SL_EXIT_EXPECTED, or SL_EXIT_INCONCLUSIVE (some exploration was not finished). */
SL_API enum sl_exit sl_bounds_exit(const struct sl_bounds *bounds);
SL_API void sl_bounds_free(struct sl_bounds *bounds);

/* One step of a replay, after it was taken. */
struct sl_replay_step {
	uint32_t step, steps; /* from 1 */
	const char *lane;
	const char *lines; /* of the table; the first ones bring its head */
};

struct sl_replay_options {
	const char *path;     /* trace file */
	const char *scenario; /* NULL, or a file that has to be the trace's scenario */
	struct sl_text_style style;
	/* Called after each step; false ends the replay. NULL for none. */
	bool (*step)(void *ctx, const struct sl_replay_step *s);
	void *ctx;
};

struct sl_replay;

/*
 * Plays a trace again, on the scenario that is in it. 0 and *replay, whether or not it went as the
 * trace says; or a negative errno and a message in @err (no trace of this version, damaged, of
 * another scenario: -EINVAL). One exploration at a time in a process. Free with sl_replay_free().
 */
SL_API int sl_replay_trace(const struct sl_replay_options *o, struct sl_replay **replay, char *err,
			   size_t err_size);
/* Without the table if the steps were shown one by one. */
SL_API char *sl_replay_report(const struct sl_replay *replay, enum sl_format format);
/* SL_EXIT_EXPECTED, SL_EXIT_DIVERGED, or SL_EXIT_INCONCLUSIVE (the caller ended it). */
SL_API enum sl_exit sl_replay_exit(const struct sl_replay *replay);
SL_API void sl_replay_free(struct sl_replay *replay);
/* Does nothing: for debuggers. Called in front of each step of a replay. */
SL_API void seamlab_replay_stop(uint32_t step);

/*
 * What the policy @name does ("kvm-6.19", "blind-16", "./mine.so"), or with NULL which policies and switches there are.
 * 0 and *report (NULL without memory; the caller frees it), or -EINVAL and what was expected in @err.
 */
SL_API int sl_policies_report(const char *name, enum sl_format format, char **report, char *err,
			      size_t err_size);

enum sl_report_format {
	SL_REPORT_HTML,     /* one file that fetches nothing */
	SL_REPORT_SVG,      /* the picture in it */
	SL_REPORT_PERFETTO, /* JSON for Perfetto and Chrome's trace viewer */
	SL_REPORT_TEXT,     /* what seamlab replay prints */
	SL_REPORT_BUG,      /* text for a mail */
};

struct sl_report_options {
	const char *path; /* a trace file, or a run's JSON report: that one for HTML only */
	enum sl_report_format format;
	bool no_source; /* without functions and lines: the same for every build */
};

/*
 * Plays a trace again and draws what happens, or draws a run. 0, *report (NULL without memory; the caller
 * frees it) and *code: SL_EXIT_EXPECTED, or SL_EXIT_DIVERGED and a report up to there. Or a negative errno
 * and a message in @err. One exploration at a time in a process.
 */
SL_API int sl_report_file(const struct sl_report_options *o, char **report, enum sl_exit *code,
			  char *err, size_t err_size);

/* What has been settled so far. */
struct sl_answers_progress {
	uint32_t done, all; /* explorations */
	const char *claim, *file;
};

struct sl_answers_options {
	const char *path;      /* the claims and their scenarios: scenarios/answers/answers.yml */
	const char *const *id; /* only these claims */
	uint32_t id_count;     /* 0: all */
	double seconds;        /* limit of each exploration; 0 for none */
	size_t memory;         /* in bytes, likewise */
	const char *trace_dir; /* folder for counterexamples, or NULL */
	/* Called in front of each exploration; NULL for none. */
	void (*progress)(void *ctx, const struct sl_answers_progress *p);
	bool (*interrupted)(void *ctx);
	void *ctx;
};

enum sl_answers_format {
	SL_ANSWERS_TEXT,
	SL_ANSWERS_JSON,
	SL_ANSWERS_HTML,
};

struct sl_answers;

/*
 * Settles claims by exploring their scenarios for each release and flavour of the module. 0 and *answers,
 * or a negative errno and a message that names the place in @err. One exploration at a time in a process.
 * Free with sl_answers_free().
 */
SL_API int sl_answers_settle(const struct sl_answers_options *o, struct sl_answers **answers,
			     char *err, size_t err_size);
SL_API char *sl_answers_report(const struct sl_answers *answers, enum sl_answers_format format);
/* SL_EXIT_EXPECTED, or SL_EXIT_INCONCLUSIVE: an exploration has reached a limit. */
SL_API enum sl_exit sl_answers_exit(const struct sl_answers *answers);
/* The claims of the file @path and what they say. 0 and *report, or a negative errno and a message. */
SL_API int sl_answers_list(const char *path, char **report, char *err, size_t err_size);
SL_API void sl_answers_free(struct sl_answers *answers);

/* The one of @known that @word, which is none of them, may be meant to be; NULL if none is near. */
SL_API const char *sl_nearest(const char *word, const char *const *known, size_t count);

/* "0.1.0" */
SL_API const char *sl_version(void);

#ifdef __cplusplus
}
#endif

#endif
