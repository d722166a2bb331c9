// SPDX-License-Identifier: MIT
/* seamlab bounds. Layer: cli. */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <seamlab/seamlab.h>

#include "cli/cli.h"

/* Seconds for everything, unless the user says otherwise. */
#define SECONDS_DEFAULT 180.0

struct bounds_args {
	struct sl_bounds_options o;
	struct cli_policy policy;
	enum sl_format format;
	struct cli_words files;
};

enum {
	OPT_FORMAT = 256,
};

static const struct argp_option options[] = {
	CLI_POLICY_OPTIONS,
	CLI_TIME_OPTION("stop after so long in all; 0: no limit (default: 180)"),
	CLI_MEMORY_OPTION(
		"end an exploration whose states take more (default: half of what is free)"),
	{ "format", OPT_FORMAT, "text|json", 0, "form of the table on standard output", 0 },
	{ 0 },
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct bounds_args *a = state->input;

	if (cli_policy_option(state, key, arg, &a->policy, &a->o.host) ||
	    cli_limit_option(state, key, arg, &a->o.seconds, &a->o.memory) ||
	    cli_words_option(state, key, &a->files))
		return 0;
	switch (key) {
	case OPT_FORMAT:
		a->format = cli_format(state, arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void show_progress(void *ctx, uint32_t done, uint32_t all, const char *policy,
			  const char *path)
{
	(void)ctx;
	cli_progress("%u of %u  %s  %s", done + 1, all, policy, path);
}

int cmd_bounds(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.args_doc = "[FILE|FOLDER...]",
		.doc = "Find the largest number of BUSY results that any schedule of the scenarios can give "
		       "at each site of the host, for one policy or for all of them; or prove that there "
		       "is none. Without a FILE: the scenarios of scenarios/bounds.\v"
		       "Exit status: 0, 2 usage or input, 3 some exploration was not finished.",
	};
	struct bounds_args a = { .format = SL_FORMAT_TEXT, .o.seconds = SECONDS_DEFAULT };
	char err[800];
	struct cli_files list;
	struct sl_bounds *bounds;
	const char **path;
	char *report;
	int code;

	cli_parse("bounds", &argp, argc, argv, &a);
	if (!a.o.memory)
		a.o.memory = cli_default_memory();
	cli_catch_signals();
	a.o.interrupted = cli_interrupted;
	if (cli_has_progress())
		a.o.progress = show_progress;
	code = cli_files_expand(&a.files, &list);
	if (code) {
		code = cli_error("bounds", "%s: %s", list.failed, strerror(-code));
		goto out;
	}
	path = calloc((size_t)list.count + 1, sizeof(*path));
	for (int i = 0; path && i < list.count; i++)
		path[i] = list.file[i].path;
	a.o.path = path;
	a.o.path_count = (uint32_t)list.count;
	code = path ? sl_bounds_find(&a.o, &bounds, err, sizeof(err)) : -ENOMEM;
	cli_progress_end();
	if (code) {
		code = cli_error("bounds", "%s", path ? err : "out of memory");
	} else {
		report = sl_bounds_report(bounds, a.format);
		code = (int)sl_bounds_exit(bounds);
		sl_bounds_free(bounds);
		if (cli_print("bounds", report, a.format))
			code = SL_EXIT_USAGE;
	}
	free(path);
out:
	cli_files_free(&list);
	return code;
}
