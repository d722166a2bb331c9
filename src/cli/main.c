// SPDX-License-Identifier: MIT
/* seamlab: picks the command. Layer: cli. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <seamlab/seamlab.h>

#include "cli/cli.h"

static const struct command {
	const char *name;
	int (*fn)(int argc, char **argv);
	const char *help;
} commands[] = {
	{ "answers", cmd_answers,
	  "settle what engineers ask about BUSY, by proof or counterexample" },
	{ "bench", cmd_bench, "measure explorer, lock words and module next to spin, libck, ..." },
	{ "bounds", cmd_bounds,
	  "the most BUSY results of any schedule, by policy and SEAMCALL site" },
	{ "check", cmd_check, "explore every interleaving: holds, violated or inconclusive" },
	{ "explain", cmd_explain,
	  "what a status or a leaf of the TDX module means; - annotates a log" },
	{ "matrix", cmd_matrix,
	  "which leaves get into each other's way, where, with which status" },
	{ "merge", cmd_merge, "join what machines have made of shards of a check" },
	{ "policies", cmd_policies, "list what hosts can do about BUSY, or show one policy" },
	{ "replay", cmd_replay, "play a counterexample again, from the file that check wrote" },
	{ "report", cmd_report, "draw a counterexample or a run: HTML, SVG, Perfetto, mail text" },
	{ "run", cmd_run, "run a scenario in real time on threads and report contention" },
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void usage(FILE *f)
{
	char first[4096];

	cli_data("scenarios/boot-accept.yaml", first, sizeof(first));
	fprintf(f, "seamlab %s: a contention laboratory for confidential VMs\n\n", sl_version());
	fprintf(f, "usage: seamlab COMMAND [OPTION...] [FILE...]\n\ncommands:\n");
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(f, "  %-10s %s\n", commands[i].name, commands[i].help);
	fprintf(f, "\n'seamlab help COMMAND' says more. Try: seamlab run %s\n", first);
}

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (!strcmp(name, commands[i].name))
			return &commands[i];
	return NULL;
}

/* @name is no command: what else may be meant. */
static int no_command(const char *name)
{
	const char *known[COMMANDS], *near, *dot = strrchr(name, '.');

	for (size_t i = 0; i < COMMANDS; i++)
		known[i] = commands[i].name;
	near = sl_nearest(name, known, COMMANDS);
	if (near)
		fprintf(stderr, "seamlab: no command '%s'; did you mean '%s'?\n", name, near);
	else if (!access(name, F_OK))
		fprintf(stderr,
			"seamlab: found the file '%s'; expected a command in front of it, as in "
			"'seamlab %s %s'\n",
			name, dot && !strcmp(dot, ".trace") ? "replay" : "check", name);
	else
		fprintf(stderr, "seamlab: no command '%s'\n", name);
	fprintf(stderr, "'seamlab help' lists the commands.\n");
	return SL_EXIT_USAGE;
}

static int help(int argc, char **argv)
{
	char option[] = "--help", *args[] = { argv[0], option, NULL };
	const struct command *c;

	if (argc < 2) {
		usage(stdout);
		return 0;
	}
	c = find(argv[1]);
	return c ? c->fn(2, args) : no_command(argv[1]);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : NULL;
	const struct command *c;

	if (!name) {
		usage(stderr);
		return SL_EXIT_USAGE;
	}
	if (!strcmp(name, "--help") || !strcmp(name, "-?") || !strcmp(name, "-h") ||
	    !strcmp(name, "help"))
		return help(argc - 1, argv + 1);
	if (!strcmp(name, "--version") || !strcmp(name, "-V")) {
		printf("seamlab %s\n", sl_version());
		return 0;
	}
	c = find(name);
	return c ? c->fn(argc - 1, argv + 1) : no_command(name);
}
