// SPDX-License-Identifier: MIT
/* seamlab check. Layer: cli. */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <seamlab/seamlab.h>

#include "cli/cli.h"

struct check_args {
	struct sl_check_options o;
	struct cli_policy policy;
	enum sl_format format;
	const char *trace;     /* file for the counterexample, or NULL */
	const char *trace_dir; /* or folder for all of them */
	char **files;
	int count;
	struct cli_files list;
	int skipped;
};

enum {
	OPT_TIME = 256,
	OPT_MEMORY,
	OPT_DEPTH,
	OPT_HASH_SEED,
	OPT_NO_REDUCTION,
	OPT_NO_CHECKPOINTS,
	OPT_AUDIT,
	OPT_BOUNDS,
	OPT_CYCLE,
	OPT_EXACT,
	OPT_NO_SYMMETRY,
	OPT_PREEMPTIONS,
	OPT_RANDOM,
	OPT_SEED,
	OPT_FORMAT,
	OPT_TRACE,
	OPT_TRACE_DIR,
};

static const struct argp_option options[] = {
	CLI_POLICY_OPTIONS,
	{ "time", OPT_TIME, "SECONDS", 0, "stop after so long (default: no limit)", 0 },
	{ "memory", OPT_MEMORY, "MB", 0,
	  "stop when the states take more (default: half of what is free)", 0 },
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
	{ "no-symmetry", OPT_NO_SYMMETRY, NULL, 0,
	  "tell lanes of one program apart; the verdict must not change", 0 },
	{ "preemptions", OPT_PREEMPTIONS, "N", 0,
	  "leave out schedules with more than N preemptions; finds most bugs, proves nothing", 0 },
	{ "random", OPT_RANDOM, "N", 0,
	  "no search but N random runs (priorities and uniform); proves nothing", 0 },
	{ "seed", OPT_SEED, "S", 0, "of the first random run (default 0)", 0 },
	{ "trace", OPT_TRACE, "FILE", 0,
	  "write the counterexample to FILE, for seamlab replay (one scenario)", 0 },
	{ "trace-dir", OPT_TRACE_DIR, "DIR", 0,
	  "write each counterexample to DIR, as SCENARIO.trace; DIR is made if it is not there",
	  0 },
	{ "format", OPT_FORMAT, "text|json", 0, "form of the report on standard output", 0 },
	{ 0 },
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct check_args *a = state->input;

	if (cli_policy_option(state, key, arg, &a->policy, &a->o.host))
		return 0;
	switch (key) {
	case OPT_TIME:
		a->o.seconds = cli_number(state, "--time", arg, 1e7);
		return 0;
	case OPT_MEMORY:
		a->o.memory = (size_t)(cli_number(state, "--memory", arg, 1e7) * 1e6);
		return 0;
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
	case OPT_FORMAT:
		a->format = cli_format(state, arg);
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
		if (a->trace && a->trace_dir)
			argp_error(state, "found --trace and --trace-dir; expected one of them");
		if (a->trace && a->count > 1)
			argp_error(state,
				   "--trace: found %d scenarios; expected one, or --trace-dir",
				   a->count);
		return 0;
	case ARGP_KEY_ARGS:
		a->files = state->argv + state->next;
		a->count = state->argc - state->next;
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
		snprintf(path, size, "%s/%.*s-%d.trace", a->trace_dir, length, name, before + 1);
	else
		snprintf(path, size, "%s/%.*s.trace", a->trace_dir, length, name);
	return true;
}

static int check_one(struct check_args *a, int index)
{
	const char *path = a->list.file[index].path;
	char *report, err[600], trace[4096];
	struct sl_check *check;
	enum sl_exit code;
	bool saved = true;
	int rc;

	a->o.path = path;
	rc = sl_check_scenario(&a->o, &check, err, sizeof(err));
	if (rc == -ENOTSUP && a->list.file[index].from_folder) {
		a->skipped++;
		return SL_EXIT_EXPECTED;
	}
	cli_progress_end();
	if (rc)
		return cli_file_error("check", rc, path, err);
	if (trace_path(a, index, trace, sizeof(trace)))
		saved = sl_check_save(check, trace, err, sizeof(err)) >= 0;
	report = sl_check_report(check, a->format);
	code = sl_check_exit(check);
	sl_check_free(check);
	if (cli_print("check", report, a->format))
		return SL_EXIT_USAGE;
	if (!saved)
		return cli_error("check", "%s", err);
	return (int)code;
}

/* The worse of two exit codes: input errors, then surprises, then limits. */
static int worse(int a, int b)
{
	static const int order[] = { SL_EXIT_USAGE, SL_EXIT_UNEXPECTED, SL_EXIT_INCONCLUSIVE };

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if (a == order[i] || b == order[i])
			return order[i];
	return a;
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
	struct check_args a = { .format = SL_FORMAT_TEXT };
	int code = SL_EXIT_EXPECTED, count[2] = { 0 }, rc;

	cli_parse("check", &argp, argc, argv, &a);
	if (a.trace_dir && mkdir(a.trace_dir, 0777) && errno != EEXIST)
		return cli_error("check", "%s: cannot make the folder: %s", a.trace_dir,
				 strerror(errno));
	if (!a.o.memory)
		a.o.memory = cli_default_memory();
	cli_catch_signals();
	a.o.interrupted = cli_interrupted;
	a.o.style = cli_style();
	if (cli_has_progress())
		a.o.progress = show_progress;
	rc = cli_files_expand(a.files, a.count, &a.list);
	if (rc) {
		code = cli_error("check", "%s: %s", a.list.failed, strerror(-rc));
	} else {
		for (int i = 0; i < a.list.count && !cli_interrupted(NULL); i++) {
			int one = check_one(&a, i);

			count[one == SL_EXIT_EXPECTED]++;
			code = worse(code, one);
		}
		if (a.format == SL_FORMAT_TEXT && a.list.count > 1)
			printf("%d as expected, %d not, %d skipped (for seamlab run only%s)\n",
			       count[1] - a.skipped, count[0], a.skipped,
			       a.o.host.policy || a.o.host.set_count ? ", or without a host" : "");
	}
	cli_files_free(&a.list);
	return code;
}
