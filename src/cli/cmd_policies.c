// SPDX-License-Identifier: MIT
/* seamlab policies. Layer: cli. */
#include <argp.h>

#include <seamlab/seamlab.h>

#include "cli/cli.h"

struct policies_args {
	const char *name;
	enum sl_format format;
};

enum {
	OPT_FORMAT = 256,
};

static const struct argp_option options[] = {
	{ "format", OPT_FORMAT, "text|json", 0, "form of the table on standard output", 0 },
	{ 0 },
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct policies_args *a = state->input;

	switch (key) {
	case OPT_FORMAT:
		a->format = cli_format(state, arg);
		return 0;
	case ARGP_KEY_ARG:
		if (a->name)
			argp_error(state, "found a second policy '%s'; expected one, or none", arg);
		a->name = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int cmd_policies(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.args_doc = "[NAME|FILE.so]",
		.doc = "List the host policies and their switches; or say what the policy NAME does when a "
		       "SEAMCALL is BUSY.\v"
		       "Exit status: 0, or 2 usage or input.",
	};
	struct policies_args a = { .format = SL_FORMAT_TEXT };
	char err[600];
	char *report;

	cli_parse("policies", &argp, argc, argv, &a);
	if (sl_policies_report(a.name, a.format, &report, err, sizeof(err)))
		return cli_error("policies", "%s", err);
	return cli_print("policies", report, a.format);
}
