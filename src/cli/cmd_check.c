// SPDX-License-Identifier: MIT
/* seamlab check. Layer: cli. */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <seamlab/seamlab.h>

#include "cli/cli.h"

struct check_args {
	struct sl_check_options o;
	struct cli_policy policy;
	struct cli_reports reports;
	size_t memory;         /* limit in bytes, unless the user has set one */
	const char *trace;     /* file for the counterexample, or NULL */
	const char *trace_dir; /* or folder for all of them */
	struct cli_words files;
	struct cli_files list;
};

enum {
	OPT_DEPTH = 256,
	OPT_HASH_SEED,
	OPT_NO_REDUCTION,
	OPT_NO_CHECKPOINTS,
	OPT_AUDIT,
	OPT_BOUNDS,
	OPT_CYCLE,
	OPT_EXACT,
	OPT_MEMORY_MODEL,
	OPT_NO_MEMO,
	OPT_NO_SYMMETRY,
	OPT_PREEMPTIONS,
	OPT_RANDOM,
	OPT_SEED,
	OPT_SHARD,
	OPT_STORE_BUFFER,
	OPT_JOBS,
	OPT_FORMAT,
	OPT_TRACE,
	OPT_TRACE_DIR,
	OPT_CHECKPOINT,
	OPT_CHECKPOINT_EVERY,
	OPT_RESUME,
};

/* Seconds between two checkpoints. */
#define CHECKPOINT_EVERY 300

static const struct argp_option options[] = {
	CLI_POLICY_OPTIONS,
	CLI_TIME_OPTION("stop after so long (default: no limit)"),
	CLI_MEMORY_OPTION("stop when the states take more (default: half of what is free)"),
	{ "depth", OPT_DEPTH, "N", 0, "go no deeper than N steps", 0 },
	{ "hash-seed", OPT_HASH_SEED, "N", 0, "another hash of states; counts must not change", 0 },
	{ "no-reduction", OPT_NO_REDUCTION, NULL, 0,
	  "every atomic access is a scheduling point; the verdict must not change", 0 },
	{ "no-checkpoints", OPT_NO_CHECKPOINTS, NULL, 0,
	  "merge states by what lanes have seen alone; the verdict must not change", 0 },
	{ "audit", OPT_AUDIT, NULL, 0,
	  "visit every state from every side and compare what comes next (no liveness)", 0 },
	{ "bounds", OPT_BOUNDS, NULL, 0,
	  "how often each site of the host can be BUSY, over all schedules; see seamlab bounds",
	  0 },
	{ "cycle", OPT_CYCLE, "SITE", 0,
	  "look for a loop in which SITE of the host is BUSY for ever: that is what is expected",
	  0 },
	{ "exact", OPT_EXACT, NULL, 0,
	  "compare states themselves, not 64-bit fingerprints; counts must not change", 0 },
	{ "memory-model", OPT_MEMORY_MODEL, "sc|tso", 0,
	  "sc: memory is sequentially consistent; tso: stores wait in store buffers, as on x86 "
	  "(default: what the scenario says, or sc)",
	  0 },
	{ "store-buffer", OPT_STORE_BUFFER, "N", 0,
	  "with tso: stores of one lane that can wait (default 8); where that is too few the "
	  "verdict is inconclusive",
	  0 },
	{ "no-memo", OPT_NO_MEMO, NULL, 0,
	  "run every step, if it was taken before or not; counts and verdict must not change", 0 },
	{ "no-symmetry", OPT_NO_SYMMETRY, NULL, 0,
	  "tell lanes of one program apart; the verdict must not change", 0 },
	{ "preemptions", OPT_PREEMPTIONS, "N", 0,
	  "leave out schedules with more than N preemptions; finds most bugs, proves nothing", 0 },
	{ "random", OPT_RANDOM, "N", 0,
	  "no search but N random runs (priorities and uniform); proves nothing", 0 },
	{ "seed", OPT_SEED, "S", 0, "of the first random run (default 0)", 0 },
	{ "shard", OPT_SHARD, "K/N", 0,
	  "only the K-th of N parts: of the scenarios, or with --random of the runs; see seamlab "
	  "merge",
	  0 },
	{ "jobs", OPT_JOBS, "N", 0,
	  "search with N processes, 0 for one on each CPU; verdict, counts and trace do not change",
	  0 },
	{ "checkpoint", OPT_CHECKPOINT, "CHECKPOINT", 0,
	  "save the search there now and then, and when a limit or Ctrl-C ends it (one scenario)",
	  0 },
	{ "checkpoint-every", OPT_CHECKPOINT_EVERY, "SECONDS", 0,
	  "time between two of them (default 300)", 0 },
	{ "resume", OPT_RESUME, "CHECKPOINT", 0,
	  "go on with the search that was saved there; limits count from here on", 0 },
	{ "trace", OPT_TRACE, "FILE", 0,
	  "write the counterexample to FILE, for seamlab replay (one scenario)", 0 },
	{ "trace-dir", OPT_TRACE_DIR, "DIR", 0,
	  "write each counterexample to DIR, as SCENARIO.trace; DIR is made if it is not there",
	  0 },
	{ "format", OPT_FORMAT, "text|json|ktap|junit", 0,
	  "form of the report on standard output; json is one object, of several scenarios too",
	  0 },
	{ 0 },
};

static void set_shard(struct argp_state *state, struct check_args *a, const char *arg)
{
	char rest;

	/* Digits only: sscanf() would take a sign, or blanks. */
	if (arg[strspn(arg, "0123456789/")] ||
	    sscanf(arg, "%6u/%6u%c", &a->o.shard, &a->o.shards, &rest) != 2 || !a->o.shard ||
	    a->o.shard > a->o.shards)
		argp_error(
			state,
			"--shard: found '%s'; expected K/N, the K-th of N, such as 1/4 (1 <= K <= N "
			"<= 999999)",
			arg);
	a->reports.shard = true;
}

static uint32_t jobs(struct argp_state *state, const char *arg)
{
	double n = cli_number(state, "--jobs", arg, SL_JOBS_MAX);
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (n >= 1)
		return (uint32_t)n;
	return cpus < 1 ? 1 : cpus > SL_JOBS_MAX ? SL_JOBS_MAX : (uint32_t)cpus;
}

static void check_saved_options(struct argp_state *state, const struct check_args *a)
{
	if (!a->o.checkpoint && !a->o.resume)
		return;
	if (a->o.runs || a->o.audit || a->o.exact || a->o.shards)
		argp_error(state,
			   "%s: found with --random, --audit, --exact or --shard; expected a "
			   "search that can be saved",
			   a->o.checkpoint ? "--checkpoint" : "--resume");
	if (a->files.count > 1)
		argp_error(state, "%s: found %d scenarios; expected one",
			   a->o.checkpoint ? "--checkpoint" : "--resume", a->files.count);
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct check_args *a = state->input;

	if (cli_policy_option(state, key, arg, &a->policy, &a->o.host) ||
	    cli_limit_option(state, key, arg, &a->o.seconds, &a->o.memory) ||
	    cli_words_option(state, key, &a->files))
		return 0;
	switch (key) {
	case OPT_DEPTH:
		a->o.depth = (uint32_t)cli_number(state, "--depth", arg, 1e7);
		return 0;
	case OPT_HASH_SEED:
		a->o.hash_seed = (uint64_t)cli_number(state, "--hash-seed", arg, 1e15);
		return 0;
	case OPT_NO_REDUCTION:
		a->o.no_reduction = true;
		return 0;
	case OPT_NO_CHECKPOINTS:
		a->o.no_checkpoints = true;
		return 0;
	case OPT_AUDIT:
		a->o.audit = true;
		return 0;
	case OPT_BOUNDS:
		a->o.bounds = true;
		return 0;
	case OPT_CYCLE:
		a->o.cycle = arg;
		a->o.bounds = true;
		return 0;
	case OPT_EXACT:
		a->o.exact = true;
		return 0;
	case OPT_MEMORY_MODEL:
		if (strcmp(arg, "sc") != 0 && strcmp(arg, "tso") != 0)
			argp_error(state, "--memory-model: found '%s'; expected sc or tso", arg);
		a->o.memory_model = arg;
		return 0;
	case OPT_STORE_BUFFER:
		a->o.store_buffer = (uint32_t)cli_number(state, "--store-buffer", arg, 64);
		if (!a->o.store_buffer)
			argp_error(state, "--store-buffer: found '%s'; expected 1 to 64", arg);
		return 0;
	case OPT_NO_MEMO:
		a->o.no_memo = true;
		return 0;
	case OPT_NO_SYMMETRY:
		a->o.no_symmetry = true;
		return 0;
	case OPT_PREEMPTIONS:
		a->o.bounded = true;
		a->o.preemptions = (uint32_t)cli_number(state, "--preemptions", arg, 250);
		return 0;
	case OPT_RANDOM:
		a->o.runs = (uint32_t)cli_number(state, "--random", arg, 4e9);
		return 0;
	case OPT_SEED:
		a->o.run_seed = (uint64_t)cli_number(state, "--seed", arg, 1e15);
		return 0;
	case OPT_SHARD:
		set_shard(state, a, arg);
		return 0;
	case OPT_JOBS:
		a->o.jobs = jobs(state, arg);
		return 0;
	case OPT_FORMAT:
		cli_reports_format(state, arg, &a->reports);
		return 0;
	case OPT_CHECKPOINT:
		a->o.checkpoint = arg;
		return 0;
	case OPT_CHECKPOINT_EVERY:
		a->o.checkpoint_every = cli_number(state, "--checkpoint-every", arg, 1e7);
		return 0;
	case OPT_RESUME:
		a->o.resume = arg;
		return 0;
	case OPT_TRACE:
		a->trace = arg;
		return 0;
	case OPT_TRACE_DIR:
		a->trace_dir = arg;
		return 0;
	case ARGP_KEY_END:
		if (a->o.runs && (a->o.bounded || a->o.audit || a->o.exact))
			argp_error(state, "--random: found with --preemptions, --audit or --exact; "
					  "expected random runs or a search");
		if (a->o.audit && a->o.bounded)
			argp_error(state, "found --audit and --preemptions; expected one of them");
		if (a->o.bounds && (a->o.runs || a->o.bounded || a->o.audit))
			argp_error(state,
				   "--bounds: found with --random, --preemptions or --audit; "
				   "expected a search for all of it");
		if (a->o.jobs > 1 &&
		    (a->o.runs || a->o.bounded || a->o.audit || a->o.exact || a->o.depth))
			argp_error(
				state,
				"--jobs: found with --random, --preemptions, --audit, --exact or "
				"--depth; expected a search that several can share");
		check_saved_options(state, a);
		if (a->trace && a->trace_dir)
			argp_error(state, "found --trace and --trace-dir; expected one of them");
		if (a->trace && a->files.count > 1)
			argp_error(state,
				   "--trace: found %d scenarios; expected one, or --trace-dir",
				   a->files.count);
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "no scenario; expected one or more files");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void show_progress(void *ctx, const struct sl_check_progress *p)
{
	static double last;

	(void)ctx;
	if (p->seconds < last + 0.2 && p->seconds > last)
		return;
	last = p->seconds;
	cli_progress("%6.1f s  pass %u  %llu states  %.2f M transitions/s  depth %u  %.0f MB",
		     p->seconds, p->pass, (unsigned long long)p->states,
		     p->seconds > 0 ? (double)p->transitions / p->seconds / 1e6 : 0.0, p->depth,
		     (double)p->memory / 1e6);
}

/* "dir/zap.yaml" is "zap". */
static const char *stem(const char *path, int *size)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	const char *dot = strrchr(name, '.');

	*size = dot && dot > name ? (int)(dot - name) : (int)strlen(name);
	return name;
}

/* Where the counterexample of scenario @index goes. Returns false if nobody wants it. */
static bool trace_path(const struct check_args *a, int index, char *path, size_t size)
{
	char number[16] = "", shard[24] = "";
	int length, before = 0;
	const char *name = stem(a->list.file[index].path, &length);

	if (a->trace)
		snprintf(path, size, "%s", a->trace);
	if (!a->trace_dir)
		return a->trace;
	/* Scenarios of one name in several folders are numbered. */
	for (int i = 0; i < index; i++) {
		int n;
		const char *other = stem(a->list.file[i].path, &n);

		before += n == length && !strncmp(name, other, (size_t)n);
	}
	if (before)
		snprintf(number, sizeof(number), "-%d", before + 1);
	/* With random runs each shard may find something in the same scenario. */
	if (a->o.runs && a->o.shards)
		snprintf(shard, sizeof(shard), ".shard-%u", a->o.shard);
	snprintf(path, size, "%s/%.*s%s%s.trace", a->trace_dir, length, name, number, shard);
	return true;
}

static void check_one(struct check_args *a, int index)
{
	struct sl_check_options o = a->o;
	char err[600], trace[4096];
	struct sl_check *check;
	int rc;

	o.path = a->list.file[index].path;
	o.no_slow = a->list.file[index].from_folder;
	if (!o.memory)
		o.memory = a->memory;
	rc = sl_check_scenario(&o, &check, err, sizeof(err));
	if (rc == -ENOTSUP && a->list.file[index].from_folder) {
		cli_reports_skip(&a->reports, o.path, err);
		return;
	}
	cli_progress_end();
	if (rc) {
		cli_file_error("check", rc, o.path, err);
		cli_reports_error(&a->reports, o.path, err);
		return;
	}
	if (trace_path(a, index, trace, sizeof(trace)) &&
	    sl_check_save(check, trace, err, sizeof(err)) < 0)
		a->reports.code = cli_error("check", "%s", err);
	cli_reports_check(&a->reports, check);
	if (sl_check_checkpoint(check, err, sizeof(err)) < 0)
		a->reports.code = cli_error("check", "%s", err);
	sl_check_free(check);
}

/* The shard of the set, or all of it. */
static int begin(struct check_args *a)
{
	const char **path;
	char err[600];
	int mine = 0, rc;

	for (int i = 0; i < a->list.count; i++)
		mine += sl_shard_takes(&a->o, (uint32_t)i);
	rc = cli_reports_new(&a->reports, mine);
	if (rc)
		return rc;
	if (a->reports.shard && a->reports.checks) {
		path = calloc((size_t)a->list.count + 1, sizeof(*path));
		for (int i = 0; path && i < a->list.count; i++)
			path[i] = a->list.file[i].path;
		rc = path ? sl_checks_shard(a->reports.checks, &a->o, path, (uint32_t)a->list.count,
					    err, sizeof(err))
			  : -ENOMEM;
		free(path);
		if (rc)
			return cli_error("check", "%s", path ? err : "out of memory");
	}
	return cli_reports_begin(&a->reports);
}

/* One after the other; those that an interruption leaves are named. */
static int check_files(struct check_args *a)
{
	int rc;

	if (a->reports.shard)
		cli_files_sort(&a->list);
	rc = begin(a);
	for (int i = 0; !rc && i < a->list.count; i++) {
		if (!sl_shard_takes(&a->o, (uint32_t)i))
			continue;
		if (cli_interrupted(NULL))
			cli_reports_left(&a->reports, a->list.file[i].path);
		else
			check_one(a, i);
	}
	if (rc) {
		sl_checks_free(a->reports.checks);
		return rc;
	}
	return cli_reports_end(&a->reports, &a->o);
}

int cmd_check(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.args_doc = "FILE|FOLDER...",
		.doc = "Explore every interleaving of each scenario FILE: it holds, is violated (with a "
		       "trace), or a limit was reached.\v"
		       "Exit status: 0 every verdict as expected, 1 a verdict not as expected, 2 usage or "
		       "input, 3 inconclusive.",
	};
	struct check_args a = { .o = { .checkpoint_every = CHECKPOINT_EVERY },
				.reports = { .command = "check" } };
	int code, rc;

	cli_parse("check", &argp, argc, argv, &a);
	if (a.trace_dir && mkdir(a.trace_dir, 0777) && errno != EEXIST)
		return cli_error("check", "%s: cannot make the folder: %s", a.trace_dir,
				 strerror(errno));
	a.memory = cli_default_memory();
	cli_catch_signals();
	a.o.interrupted = cli_interrupted;
	a.o.style = cli_style();
	if (cli_has_progress())
		a.o.progress = show_progress;
	rc = cli_files_expand(&a.files, &a.list);
	if (rc)
		code = cli_error("check", "%s: %s", a.list.failed, strerror(-rc));
	else if ((a.o.checkpoint || a.o.resume) && a.list.count != 1)
		code = cli_error("check",
				 "--checkpoint, --resume: found %d scenarios; expected one",
				 a.list.count);
	else
		code = check_files(&a);
	cli_files_free(&a.list);
	return code;
}
