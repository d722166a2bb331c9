// SPDX-License-Identifier: MIT
/* seamlab matrix. Layer: cli. */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <seamlab/explain.h>

#include "cli/cli.h"

enum {
	OPT_FORMAT = 256,
	OPT_RELEASE,
	OPT_CONFIRM,
	OPT_FLAVOUR,
};

struct matrix_args {
	struct sl_matrix_options matrix;
	bool confirm;
	bool has_flavour;
	enum sl_flavour flavour;
};

static const struct argp_option options[] = {
	{ "format", OPT_FORMAT, "text|csv|json|html", 0, "form of the report on standard output",
	  0 },
	{ "release", OPT_RELEASE, &cli_releases[1], 0, "release of the module (default: 1.5.01)",
	  0 },
	{ "confirm", OPT_CONFIRM, NULL, 0,
	  "explore worlds in which the leaves can meet, and compare what happens", 0 },
	{ "flavour", OPT_FLAVOUR, "published|hardened", 0,
	  "with --confirm: the module to explore (default: published)", 0 },
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

static enum sl_flavour flavour(struct argp_state *state, const char *arg)
{
	if (!strcmp(arg, "hardened"))
		return SL_HARDENED;
	if (strcmp(arg, "published") != 0)
		argp_error(state, "--flavour: found '%s'; expected published or hardened", arg);
	return SL_PUBLISHED;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct matrix_args *a = state->input;
	struct sl_matrix_options *o = &a->matrix;

	switch (key) {
	case OPT_CONFIRM:
		a->confirm = true;
		return 0;
	case OPT_FLAVOUR:
		a->has_flavour = true;
		a->flavour = flavour(state, arg);
		return 0;
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
	case ARGP_KEY_END:
		if (a->has_flavour && !a->confirm)
			argp_error(state, "found --flavour without --confirm; expected both: the "
					  "lock plans are those of both flavours");
		if (a->confirm && o->format != SL_MATRIX_TEXT && o->format != SL_MATRIX_JSON)
			argp_error(state, "found --confirm with --format=csv or html; expected "
					  "text or json");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void on_progress(void *ctx, uint32_t done, uint32_t all)
{
	(void)ctx;
	cli_progress("%u of %u pairs", done, all);
	if (done == all)
		cli_progress_end();
}

static int confirm(const struct matrix_args *a)
{
	struct sl_confirm_options o = { .release = a->matrix.release,
					.flavour = a->flavour,
					.format = a->matrix.format == SL_MATRIX_JSON
							  ? SL_FORMAT_JSON
							  : SL_FORMAT_TEXT,
					.leaf = { a->matrix.leaf[0], a->matrix.leaf[1] },
					.progress = cli_has_progress() ? on_progress : NULL,
					.interrupted = cli_interrupted };
	enum sl_exit exit_code;
	char *report, err[800];
	int rc;

	cli_catch_signals();
	rc = sl_confirm(&o, &report, &exit_code, err, sizeof(err));
	if (rc == -EINTR) {
		cli_error("matrix", "interrupted");
		return SL_EXIT_INCONCLUSIVE;
	}
	if (rc)
		return cli_error("matrix", "%s", err);
	if (exit_code == SL_EXIT_SKIPPED) {
		cli_error("matrix", "%s", err);
		return exit_code;
	}
	rc = cli_print("matrix", report, o.format);
	return rc ? rc : (int)exit_code;
}

int cmd_matrix(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.args_doc = "[LEAF [LEAF]]",
		.doc = "Show which leaves of the TDX module get into each other's way, on which lock "
		       "and with which status: all of them, one leaf with every other, or a pair. "
		       "Everything follows from the lock plans; --confirm tries it out.\v"
		       "Exit status: 0, or 2 for usage or an unknown leaf. With --confirm: 0 if each "
		       "refusal that is predicted was seen and no other, 1 if not, 3 if it was "
		       "interrupted, 77 if a leaf that is named cannot be explored.",
	};
	struct matrix_args a = { 0 };
	char *report, err[600];

	cli_parse("matrix", &argp, argc, argv, &a);
	if (a.confirm)
		return confirm(&a);
	if (sl_matrix(&a.matrix, &report, err, sizeof(err)))
		return cli_error("matrix", "%s", err);
	return cli_print("matrix", report,
			 a.matrix.format == SL_MATRIX_JSON ? SL_FORMAT_JSON : SL_FORMAT_TEXT);
}
