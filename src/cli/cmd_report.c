// SPDX-License-Identifier: MIT
/* seamlab report. Layer: cli. */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <seamlab/seamlab.h>

#include "cli/cli.h"

struct report_args {
	struct sl_report_options o;
	_Bool format_given, bug;
	const char *out; /* NULL: standard output */
};

enum {
	OPT_FORMAT = 256,
	OPT_BUG,
	OPT_NO_SOURCE,
};

static const struct argp_option options[] = {
	{ "output", 'o', "OUT", 0, "write to OUT; '-' is standard output (default)", 0 },
	{ "format", OPT_FORMAT, "html|svg|perfetto|text", 0,
	  "form of the report (default: what OUT ends in, .html, .svg, .json or .txt; else text)",
	  0 },
	{ "bug", OPT_BUG, NULL, 0, "text to be pasted into a mail: what happens and how to see it",
	  0 },
	{ "no-source", OPT_NO_SOURCE, NULL, 0,
	  "leave out functions and lines, so that every build draws the same", 0 },
	{ 0 },
};

static const struct {
	const char *name, *suffix;
	enum sl_report_format format;
} formats[] = {
	{ "html", ".html", SL_REPORT_HTML },
	{ "svg", ".svg", SL_REPORT_SVG },
	{ "perfetto", ".json", SL_REPORT_PERFETTO },
	{ "text", ".txt", SL_REPORT_TEXT },
};

#define FORMATS (sizeof(formats) / sizeof(formats[0]))

static _Bool ends_in(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n > m && !strcmp(text + n - m, end);
}

static void set_format(struct argp_state *state, struct report_args *a, const char *arg)
{
	for (size_t i = 0; i < FORMATS; i++)
		if (!strcmp(arg, formats[i].name)) {
			a->o.format = formats[i].format;
			a->format_given = 1;
			return;
		}
	argp_error(state, "--format: found '%s'; expected html, svg, perfetto or text", arg);
}

static void settle_format(struct argp_state *state, struct report_args *a)
{
	if (a->bug && a->format_given && a->o.format != SL_REPORT_TEXT)
		argp_error(state, "found --bug with another format; expected one of them");
	if (a->bug)
		a->o.format = SL_REPORT_BUG;
	if (a->bug || a->format_given)
		return;
	a->o.format = SL_REPORT_TEXT;
	if (!a->out)
		return;
	for (size_t i = 0; i < FORMATS; i++)
		if (ends_in(a->out, formats[i].suffix)) {
			a->o.format = formats[i].format;
			return;
		}
	argp_error(state,
		   "-o: found '%s'; expected a name in .html, .svg, .json or .txt, or --format",
		   a->out);
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct report_args *a = state->input;

	switch (key) {
	case 'o':
		a->out = strcmp(arg, "-") ? arg : NULL;
		return 0;
	case OPT_FORMAT:
		set_format(state, a, arg);
		return 0;
	case OPT_BUG:
		a->bug = 1;
		return 0;
	case OPT_NO_SOURCE:
		a->o.no_source = 1;
		return 0;
	case ARGP_KEY_ARG:
		if (a->o.path)
			argp_error(state, "found a second file '%s'; expected one", arg);
		a->o.path = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "no file; expected what seamlab check --trace or seamlab run "
				  "--format json wrote");
		return 0;
	case ARGP_KEY_END:
		settle_format(state, a);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	_Bool bad = !f || fputs(text, f) == EOF;
	int error = errno;

	if (f && fclose(f)) {
		error = errno;
		bad = 1;
	}
	return bad ? cli_error("report", "%s: cannot write: %s", path, strerror(error)) : 0;
}

int cmd_report(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.args_doc = "TRACE|FILE.json",
		.doc = "Draw the counterexample in the file TRACE, from 'seamlab check --trace', or the "
		       "run in FILE.json, from 'seamlab run --format json': as a page for a browser, "
		       "a picture, a trace for Perfetto, or text.\v"
		       "Exit status: 0 drawn, 2 usage or input, 5 the trace did not come out again; what "
		       "did is drawn.",
	};
	struct report_args a = { 0 };
	char err[600];
	enum sl_exit code;
	char *report;
	int rc;

	cli_parse("report", &argp, argc, argv, &a);
	rc = sl_report_file(&a.o, &report, &code, err, sizeof(err));
	if (rc)
		return cli_file_error("report", rc, a.o.path, err);
	if (code == SL_EXIT_DIVERGED)
		cli_error("report", "%s: did not come out again; see seamlab replay", a.o.path);
	if (a.out && report) {
		rc = write_file(a.out, report);
		free(report);
	} else {
		rc = cli_print("report", report,
			       a.o.format == SL_REPORT_PERFETTO ? SL_FORMAT_JSON : SL_FORMAT_TEXT);
	}
	return rc ? rc : (int)code;
}
