// SPDX-License-Identifier: MIT
/* seamlab run. Layer: cli. */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <seamlab/seamlab.h>

#include "cli/cli.h"

#define SECONDS_MAX 86400.0

struct run_args {
	struct sl_run_options o;
	struct cli_policy policy;
	enum sl_format format;
};

enum {
	OPT_SECONDS = 256,
	OPT_SEED,
	OPT_FORMAT,
};

static const struct argp_option options[] = {
	CLI_POLICY_OPTIONS,
	{ "seconds", OPT_SECONDS, "N", 0,
	  "let the lanes run for N seconds (default: the scenario's)", 0 },
	{ "seed", OPT_SEED, "N", 0, "seed of random operations (default 1)", 0 },
	{ "format", OPT_FORMAT, "text|json", 0, "form of the report on standard output", 0 },
	{ 0 },
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct run_args *a = state->input;
	char *end;

	if (cli_policy_option(state, key, arg, &a->policy, &a->o.host))
		return 0;
	switch (key) {
	case OPT_SECONDS:
		a->o.seconds = cli_number(state, "--seconds", arg, SECONDS_MAX);
		return 0;
	case OPT_SEED:
		errno = 0;
		a->o.seed = strtoull(arg, &end, 0);
		if (errno || end == arg || *end || strchr(arg, '-'))
			argp_error(state, "--seed: found '%s'; expected a whole number below 2^64",
				   arg);
		return 0;
	case OPT_FORMAT:
		a->format = cli_format(state, arg);
		return 0;
	case ARGP_KEY_ARG:
		if (a->o.path)
			argp_error(state, "found a second file '%s'; expected one scenario", arg);
		a->o.path = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state,
			   "no scenario; expected a file such as scenarios/boot-accept.yaml");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void show_progress(void *ctx, const struct sl_run_progress *p)
{
	(void)ctx;
	cli_progress("%5.1f s  %9llu accepted  %8llu zapped  %10llu accesses  %8llu kicks",
		     p->seconds, (unsigned long long)p->pages_accepted,
		     (unsigned long long)p->pages_zapped, (unsigned long long)p->guest_accesses,
		     (unsigned long long)p->kicks);
}

int cmd_run(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.args_doc = "FILE",
		.doc = "Run the scenario FILE in real time, one thread per vCPU and per host lane, and "
		       "report throughput, BUSY by leaf and operand, kicks and latencies.\v"
		       "Exit status: 0 nothing unexpected was found, 1 a finding that the scenario "
		       "does not expect, 2 usage or input, 3 interrupted.",
	};
	struct run_args a = { .o = { .seconds = -1, .seed = 1 } };
	char err[600];
	struct sl_run *run;
	enum sl_exit code;
	char *report;
	int rc;

	cli_parse("run", &argp, argc, argv, &a);
	cli_catch_signals();
	a.o.interrupted = cli_interrupted;
	a.o.style = cli_style();
	if (cli_has_progress())
		a.o.progress = show_progress;
	rc = sl_run_scenario(&a.o, &run, err, sizeof(err));
	cli_progress_end();
	if (rc)
		return cli_file_error("run", rc, a.o.path, err);
	report = sl_run_report(run, a.format);
	code = sl_run_exit(run);
	sl_run_free(run);
	if (cli_print("run", report, a.format))
		return SL_EXIT_USAGE;
	return (int)code;
}
