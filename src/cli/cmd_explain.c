// SPDX-License-Identifier: MIT
/* seamlab explain. Layer: cli. */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <seamlab/explain.h>

#include "cli/cli.h"

struct explain_args {
	struct sl_explain_options o;
	bool tables;
	const char **what;
	size_t count;
};

enum {
	OPT_FORMAT = 256,
	OPT_RELEASE,
	OPT_TABLES,
	OPT_LEAF,
	OPT_STATUS,
	OPT_SEAMCALL,
	OPT_TDCALL,
};

static const struct argp_option options[] = {
	{ "format", OPT_FORMAT, "text|json", 0, "form of the report on standard output", 0 },
	{ "release", OPT_RELEASE, &cli_releases[1], 0, "release of the module (default: 1.5.01)",
	  0 },
	{ "tables", OPT_TABLES, NULL, 0, "print every table as one JSON object", 0 },
	{ "leaf", OPT_LEAF, "LEAF", 0, "the leaf that returned the status: look at its locks only",
	  0 },
	{ "status", OPT_STATUS, NULL, 0, "a number is a status", 0 },
	{ "seamcall", OPT_SEAMCALL, NULL, 0, "a number is a SEAMCALL leaf", 0 },
	{ "tdcall", OPT_TDCALL, NULL, 0, "a number is a TDCALL leaf", 0 },
	{ 0 },
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct explain_args *a = state->input;

	switch (key) {
	case OPT_FORMAT:
		a->o.format = cli_format(state, arg);
		return 0;
	case OPT_RELEASE:
		a->o.release = cli_release(state, arg);
		return 0;
	case OPT_TABLES:
		a->tables = true;
		return 0;
	case OPT_LEAF:
		a->o.leaf = arg;
		return 0;
	case OPT_STATUS:
		a->o.as = SL_AS_STATUS;
		return 0;
	case OPT_SEAMCALL:
		a->o.as = SL_AS_SEAMCALL;
		return 0;
	case OPT_TDCALL:
		a->o.as = SL_AS_TDCALL;
		return 0;
	case ARGP_KEY_ARG:
		a->what[a->count++] = arg;
		return 0;
	case ARGP_KEY_END:
		if (a->tables && a->count)
			argp_error(state, "--tables: found '%s' too; expected nothing else",
				   a->what[0]);
		if (!a->tables && !a->count)
			argp_error(state, "nothing to explain; expected a status such as "
					  "0x8000020000000092, a leaf, or - for a log on standard "
					  "input");
		for (size_t i = 0; a->count > 1 && i < a->count; i++)
			if (!strcmp(a->what[i], "-"))
				argp_error(state, "found '-' among others; expected it alone");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void to_stdout(void *ctx, const char *bytes, size_t size)
{
	(void)ctx;
	fwrite(bytes, 1, size, stdout);
}

/* Line after line as they come, for dmesg --follow. */
static int explain_log(const struct sl_explain_options *o)
{
	static char buffer[1 << 16];
	struct sl_log *log = sl_log_new(o, to_stdout, NULL);
	ssize_t n;
	int error;

	if (!log)
		return cli_error("explain", "out of memory");
	do {
		n = read(STDIN_FILENO, buffer, sizeof(buffer));
		if (n > 0) {
			sl_log_feed(log, buffer, (size_t)n);
			fflush(stdout);
		}
	} while ((n > 0 || (n < 0 && errno == EINTR)) && !ferror(stdout));
	error = errno;
	sl_log_end(log);
	if (fflush(stdout) || ferror(stdout))
		return cli_error("explain", "cannot write: %s", strerror(errno));
	if (n < 0)
		return cli_error("explain", "standard input: %s", strerror(error));
	return 0;
}

static const struct argp argp = {
	.options = options,
	.parser = parse_option,
	.args_doc = "STATUS|LEAF...\n-\n--tables",
	.doc = "Explain what a status of the TDX module means, which lock it is about, who may hold "
	       "it and what to do; or which locks a leaf takes. A status is a number (hexadecimal, "
	       "decimal, negative) or a name; a leaf a name or a number; a name such as "
	       "INV-PAGE-01 is that of an invariant. With - a log is read from "
	       "standard input and lines with a status are annotated.\v"
	       "Exit status: 0, or 2 for a text that is no status, no leaf and no invariant.",
};

/*
 * A negative number is no option: all of them go behind a "--", unless there is one already. 0 or a
 * negative errno; the caller frees *out.
 */
static int guard_negative(int argc, char **argv, int *count, char ***out)
{
	static char dashes[] = "--";
	char **v = calloc((size_t)argc + 2, sizeof(*v));
	bool guarded = false;

	if (!v)
		return -ENOMEM;
	*count = 0;
	*out = v;
	for (int i = 0; i < argc; i++)
		guarded |= !strcmp(argv[i], dashes);
	if (guarded) {
		memcpy(v, argv, (size_t)argc * sizeof(*v));
		*count = argc;
		return 0;
	}
	for (int pass = 0; pass < 2; pass++)
		for (int i = 0; i < argc; i++) {
			bool negative = argv[i][0] == '-' && argv[i][1] >= '0' && argv[i][1] <= '9';

			if (negative != (pass == 1))
				continue;
			if (negative && !guarded)
				v[(*count)++] = dashes;
			guarded |= negative;
			v[(*count)++] = argv[i];
		}
	return 0;
}

int cmd_explain(int argc, char **argv)
{
	struct explain_args a = { 0 };
	char err[600];
	char *report, **guarded;
	int ret;

	a.what = calloc((size_t)argc, sizeof(*a.what));
	if (!a.what || guard_negative(argc, argv, &argc, &guarded))
		return cli_error("explain", "out of memory");
	cli_parse("explain", &argp, argc, guarded, &a);
	if (a.tables) {
		report = sl_tables(a.o.release);
		ret = cli_print("explain", report, SL_FORMAT_JSON);
	} else if (!strcmp(a.what[0], "-")) {
		ret = explain_log(&a.o);
	} else if (sl_explain(&a.o, a.what, a.count, &report, err, sizeof(err))) {
		ret = cli_error("explain", "%s", err);
	} else {
		ret = cli_print("explain", report, a.o.format);
	}
	free(guarded);
	free(a.what);
	return ret;
}
