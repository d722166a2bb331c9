// SPDX-License-Identifier: MIT
/* seamlab replay. Layer: cli. */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <seamlab/seamlab.h>

#include "cli/cli.h"

struct replay_args {
	struct sl_replay_options o;
	enum sl_format format;
	bool step;
	unsigned long gdb; /* step, or 0 */
};

enum {
	OPT_STEP = 256,
	OPT_GDB,
	OPT_SCENARIO,
	OPT_FORMAT,
};

static const struct argp_option options[] = {
	{ "step", OPT_STEP, NULL, 0,
	  "show one step at a time: Enter for the next one, q to quit; all of them if standard "
	  "input is no terminal",
	  0 },
	{ "gdb", OPT_GDB, "N", 0, "run under gdb and stop there in front of step N", 0 },
	{ "scenario", OPT_SCENARIO, "FILE", 0, "refuse a trace of another scenario than FILE", 0 },
	{ "format", OPT_FORMAT, "text|json", 0, "form of the report on standard output", 0 },
	{ 0 },
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct replay_args *a = state->input;
	char *end;

	switch (key) {
	case OPT_STEP:
		a->step = true;
		return 0;
	case OPT_GDB:
		errno = 0;
		a->gdb = strtoul(arg, &end, 10);
		if (errno || end == arg || *end || strchr(arg, '-') || !a->gdb ||
		    a->gdb > 100000000)
			argp_error(state,
				   "--gdb: found '%s'; expected the number of a step, from 1", arg);
		return 0;
	case OPT_SCENARIO:
		a->o.scenario = arg;
		return 0;
	case OPT_FORMAT:
		a->format = cli_format(state, arg);
		return 0;
	case ARGP_KEY_ARG:
		if (a->o.path)
			argp_error(state, "found a second file '%s'; expected one trace", arg);
		a->o.path = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "no trace; expected a file that seamlab check --trace wrote");
		return 0;
	case ARGP_KEY_END:
		if (a->step && a->format == SL_FORMAT_JSON)
			argp_error(state, "found --step with --format json; expected one of them");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static bool show_step(void *ctx, const struct sl_replay_step *s)
{
	const bool *terminal = ctx;
	char line[64];

	fputs(s->lines, stdout);
	if (fflush(stdout))
		return false;
	if (!*terminal || s->step == s->steps)
		return true;
	fprintf(stderr, "step %u of %u; Enter, or q ", s->step, s->steps);
	if (!fgets(line, sizeof(line), stdin))
		return false;
	return line[0] != 'q';
}

/* Becomes gdb with this program in it. Returns only if that is not to be had. */
static int under_gdb(const struct replay_args *a)
{
	char self[4096], where[80];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *args[20];
	int i = 0;

	if (n < 0)
		return cli_error("replay", "cannot find this program: %s", strerror(errno));
	self[n] = '\0';
	/* edi: the first argument, of which nothing else is known without debug information. */
	snprintf(where, sizeof(where), "break seamlab_replay_stop if (unsigned int)$rdi == %lu",
		 a->gdb);
	args[i++] = (char[]){ "gdb" };
	args[i++] = (char[]){ "-q" };
	args[i++] = (char[]){ "-ex" };
	args[i++] = where;
	args[i++] = (char[]){ "-ex" };
	args[i++] = (char[]){ "run" };
	args[i++] = (char[]){ "--args" };
	args[i++] = self;
	args[i++] = (char[]){ "replay" };
	if (a->format == SL_FORMAT_JSON)
		args[i++] = (char[]){ "--format=json" };
	if (a->o.scenario) {
		args[i++] = (char[]){ "--scenario" };
		args[i++] = (char *)(uintptr_t)a->o.scenario;
	}
	args[i++] = (char[]){ "--" };
	args[i++] = (char *)(uintptr_t)a->o.path;
	args[i] = NULL;
	execvp("gdb", args);
	cli_error("replay", "--gdb: cannot run gdb: %s", strerror(errno));
	return SL_EXIT_SKIPPED;
}

int cmd_replay(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.args_doc = "TRACE",
		.doc = "Play a counterexample again: the steps in the file TRACE, on the scenario that "
		       "is in it, each checked. Such files come from 'seamlab check --trace'.\v"
		       "A trace from another build is played, too, but mostly does not fit from its first "
		       "step on; the report then names both builds.\n\n"
		       "In gdb, 'finish' and then 'step' lead into the lane whose step is next; "
		       "'continue' plays the rest.\n\n"
		       "Exit status: 0 the same violation came out, 2 usage or input (no trace of this "
		       "version, damaged, of another scenario), 3 ended with q, 5 a step was not as in "
		       "the trace (the report says which and why), 77 --gdb without gdb.",
	};
	struct replay_args a = { .format = SL_FORMAT_TEXT };
	char err[600];
	bool terminal = isatty(STDIN_FILENO);
	struct sl_replay *replay;
	enum sl_exit code;
	char *report;
	int rc;

	cli_parse("replay", &argp, argc, argv, &a);
	if (a.gdb)
		return under_gdb(&a);
	if (a.step) {
		a.o.step = show_step;
		a.o.ctx = &terminal;
	}
	a.o.style = cli_style();
	rc = sl_replay_trace(&a.o, &replay, err, sizeof(err));
	if (rc)
		return cli_file_error("replay", rc, a.o.path, err);
	report = sl_replay_report(replay, a.format);
	code = sl_replay_exit(replay);
	sl_replay_free(replay);
	if (cli_print("replay", report, a.format))
		return SL_EXIT_USAGE;
	return (int)code;
}
