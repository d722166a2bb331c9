// SPDX-License-Identifier: MIT
/* seamlab: picks the command. Layer: cli. */
#include <argp.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <seamlab/seamlab.h>

#include "cli/cli.h"

static const struct command {
	const char *name;
	int (*fn)(int argc, char **argv);
	const char *help;
} commands[] = {
	{ "answers", cmd_answers,
	  "settle what engineers ask about BUSY, by proof or counterexample" },
	{ "bounds", cmd_bounds,
	  "the most BUSY results that any schedule gives, by policy and SEAMCALL site" },
	{ "check", cmd_check,
	  "explore every interleaving of a scenario: holds, violated or inconclusive" },
	{ "explain", cmd_explain,
	  "what a status or a leaf of the TDX module means; - annotates a log" },
	{ "matrix", cmd_matrix,
	  "which leaves get into each other's way, on which lock, with which status" },
	{ "policies", cmd_policies, "list what hosts can do about BUSY, or show one policy" },
	{ "replay", cmd_replay, "play a counterexample again, from the file that check wrote" },
	{ "run", cmd_run, "run a scenario in real time on threads and report contention" },
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	(void)sig;
	interrupted = 1;
}

void cli_catch_signals(void)
{
	/* A second Ctrl-C ends the program the hard way. */
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
}

_Bool cli_interrupted(void *ctx)
{
	(void)ctx;
	return interrupted;
}

int cli_error(const char *command, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "seamlab %s: ", command);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return SL_EXIT_USAGE;
}

enum sl_format cli_format(struct argp_state *state, const char *arg)
{
	if (!strcmp(arg, "json"))
		return SL_FORMAT_JSON;
	if (strcmp(arg, "text"))
		argp_error(state, "--format: found '%s'; expected text or json", arg);
	return SL_FORMAT_TEXT;
}

static void add_setting(struct argp_state *state, const char *setting, struct cli_policy *p,
			struct sl_policy_options *o)
{
	if (o->set_count == CLI_SETTINGS_MAX)
		argp_error(state, "--set: found more than %d; expected fewer", CLI_SETTINGS_MAX);
	p->set[o->set_count++] = setting;
	o->set = p->set;
}

static void add_named(struct argp_state *state, const char *name, const char *arg,
		      struct cli_policy *p, struct sl_policy_options *o)
{
	char *text = p->text[o->set_count % CLI_SETTINGS_MAX];

	snprintf(text, sizeof(p->text[0]), "%s=%s", name, arg);
	add_setting(state, text, p, o);
}

double cli_number(struct argp_state *state, const char *name, const char *arg, double max)
{
	char *end;
	double v;

	errno = 0;
	v = strtod(arg, &end);
	if (errno || end == arg || *end || !isfinite(v) || v < 0 || v > max)
		argp_error(state, "%s: found '%s'; expected a number from 0 to %g", name, arg, max);
	return v;
}

size_t cli_default_memory(void)
{
	unsigned long long kb = 0;
	char line[160];
	FILE *f = fopen("/proc/meminfo", "r");

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f) && sscanf(line, "MemAvailable: %llu kB", &kb) != 1)
		;
	fclose(f);
	return (size_t)kb * 1024 / 2;
}

_Bool cli_policy_option(struct argp_state *state, int key, const char *arg, struct cli_policy *p,
			struct sl_policy_options *o)
{
	switch (key) {
	case CLI_OPT_POLICY:
		o->policy = arg;
		return 1;
	case CLI_OPT_SET:
		add_setting(state, arg, p, o);
		return 1;
	case CLI_OPT_RELEASE:
		add_named(state, "release", arg, p, o);
		return 1;
	case CLI_OPT_FLAVOUR:
		add_named(state, "flavour", arg, p, o);
		return 1;
	default:
		return 0;
	}
}

enum sl_release cli_release(struct argp_state *state, const char *arg)
{
	enum sl_release release = SL_RELEASE_1_5_01;
	char names[200] = "";

	if (sl_release_find(arg, &release))
		return release;
	for (int i = 0; i < SL_RELEASES; i++) {
		size_t used = strlen(names);

		snprintf(names + used, sizeof(names) - used, "%s%s", i ? ", " : "",
			 sl_release_name((enum sl_release)i));
	}
	argp_error(state, "--release: found '%s'; expected one of %s", arg, names);
	return release;
}

int cli_print(const char *command, char *report, enum sl_format format)
{
	if (!report)
		return cli_error(command, "out of memory");
	fputs(report, stdout);
	if (format == SL_FORMAT_JSON)
		putchar('\n');
	free(report);
	if (fflush(stdout) || ferror(stdout))
		return cli_error(command, "cannot write the report: %s", strerror(errno));
	return 0;
}

static void usage(FILE *f)
{
	fprintf(f, "seamlab %s: a contention laboratory for confidential VMs\n\n", sl_version());
	fprintf(f, "usage: seamlab COMMAND [OPTION...] [FILE...]\n\ncommands:\n");
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(f, "  %-10s %s\n", commands[i].name, commands[i].help);
	fprintf(f,
		"\n'seamlab COMMAND --help' says more. Try: seamlab run scenarios/boot-accept.yaml\n");
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : NULL;

	if (!name) {
		usage(stderr);
		return SL_EXIT_USAGE;
	}
	if (!strcmp(name, "--help") || !strcmp(name, "-?") || !strcmp(name, "-h") ||
	    !strcmp(name, "help")) {
		usage(stdout);
		return 0;
	}
	if (!strcmp(name, "--version") || !strcmp(name, "-V")) {
		printf("seamlab %s\n", sl_version());
		return 0;
	}
	for (size_t i = 0; i < COMMANDS; i++)
		if (!strcmp(name, commands[i].name))
			return commands[i].fn(argc - 1, argv + 1);
	fprintf(stderr, "seamlab: no command '%s'\n\n", name);
	usage(stderr);
	return SL_EXIT_USAGE;
}
