// SPDX-License-Identifier: MIT
/* seamlab matrix. Layer: cli. */
#include <argp.h>
#include <string.h>

#include <seamlab/explain.h>

#include "cli/cli.h"

enum {
	OPT_FORMAT = 256,
	OPT_RELEASE,
};

static const struct argp_option options[] = {
	{ "format", OPT_FORMAT, "text|csv|json|html", 0, "form of the report on standard output",
	  0 },
	{ "release", OPT_RELEASE, "R", 0, "release of the module: 1.5.01 (default) or 1.5.25", 0 },
	{ 0 },
};

static enum sl_matrix_format format(struct argp_state *state, const char *arg)
{
	static const char *const names[] = {
		[SL_MATRIX_TEXT] = "text",
		[SL_MATRIX_CSV] = "csv",
		[SL_MATRIX_JSON] = "json",
		[SL_MATRIX_HTML] = "html",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(arg, names[i]))
			return (enum sl_matrix_format)i;
	argp_error(state, "--format: found '%s'; expected text, csv, json or html", arg);
	return SL_MATRIX_TEXT;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct sl_matrix_options *o = state->input;

	switch (key) {
	case OPT_FORMAT:
		o->format = format(state, arg);
		return 0;
	case OPT_RELEASE:
		o->release = cli_release(state, arg);
		return 0;
	case ARGP_KEY_ARG:
		if (o->leaf[1])
			argp_error(state, "found a third leaf '%s'; expected at most two", arg);
		o->leaf[o->leaf[0] != NULL] = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int cmd_matrix(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.args_doc = "[LEAF [LEAF]]",
		.doc = "Show which leaves of the TDX module get into each other's way, on which lock "
		       "and with which status: all of them, one leaf with every other, or a pair. "
		       "Everything follows from the lock plans.\v"
		       "Exit status: 0, or 2 for usage or an unknown leaf.",
	};
	struct sl_matrix_options o = { 0 };
	char name[] = "seamlab matrix", err[600];
	char *report;

	argv[0] = name;
	argp_err_exit_status = SL_EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &o);
	if (sl_matrix(&o, &report, err, sizeof(err)))
		return cli_error("matrix", "%s", err);
	return cli_print("matrix", report,
			 o.format == SL_MATRIX_JSON ? SL_FORMAT_JSON : SL_FORMAT_TEXT);
}
