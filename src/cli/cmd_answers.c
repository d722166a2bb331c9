// SPDX-License-Identifier: MIT
/* seamlab answers. Layer: cli. */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <seamlab/seamlab.h>

#include "cli/cli.h"

struct answers_args {
	struct sl_answers_options o;
	enum sl_answers_format format;
	bool list;
	struct cli_words claims;
};

enum {
	OPT_FILE = 256,
	OPT_LIST,
	OPT_FORMAT,
	OPT_TRACE_DIR,
};

static const struct argp_option options[] = {
	{ "file", OPT_FILE, "FILE", 0,
	  "the claims and their scenarios (default: those that come with seamlab)", 0 },
	{ "list", OPT_LIST, NULL, 0, "only list the claims", 0 },
	CLI_TIME_OPTION("the most for one scenario (default: 60)"),
	{ "trace-dir", OPT_TRACE_DIR, "DIR", 0,
	  "write each counterexample to DIR; DIR is made if it is not there", 0 },
	{ "format", OPT_FORMAT, "text|json|html", 0, "form of the report on standard output", 0 },
	{ 0 },
};

static enum sl_answers_format format(struct argp_state *state, const char *arg)
{
	if (!strcmp(arg, "json"))
		return SL_ANSWERS_JSON;
	if (!strcmp(arg, "html"))
		return SL_ANSWERS_HTML;
	if (strcmp(arg, "text"))
		argp_error(state, "--format: found '%s'; expected text, json or html", arg);
	return SL_ANSWERS_TEXT;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct answers_args *a = state->input;

	if (cli_limit_option(state, key, arg, &a->o.seconds, NULL) ||
	    cli_words_option(state, key, &a->claims))
		return 0;
	switch (key) {
	case OPT_FILE:
		a->o.path = arg;
		return 0;
	case OPT_LIST:
		a->list = true;
		return 0;
	case OPT_TRACE_DIR:
		a->o.trace_dir = arg;
		return 0;
	case OPT_FORMAT:
		a->format = format(state, arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void show_progress(void *ctx, const struct sl_answers_progress *p)
{
	(void)ctx;
	cli_progress("%u of %u  %s %s", p->done + 1, p->all, p->claim, p->file);
}

int cmd_answers(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.args_doc = "[CLAIM...]",
		.doc = "Settle every claim about BUSY and HOST_PRIORITY, or each CLAIM (M2, H7, ...), "
		       "by exploring its scenarios for each release and flavour of the module.\v"
		       "Exit status: 0 every claim is settled, 2 usage or input, 3 one is left open.",
	};
	struct answers_args a = { .o = { .seconds = 60 } };
	char err[600], path[4096];
	struct sl_answers *answers;
	enum sl_exit code;
	char *report;
	int rc;

	cli_parse("answers", &argp, argc, argv, &a);
	a.o.id = (const char *const *)a.claims.word;
	a.o.id_count = (uint32_t)a.claims.count;
	if (!a.o.path) {
		cli_data("scenarios/answers/answers.yml", path, sizeof(path));
		a.o.path = path;
	}
	if (a.list) {
		rc = sl_answers_list(a.o.path, &report, err, sizeof(err));
		return rc ? cli_file_error("answers", rc, a.o.path, err)
			  : cli_print("answers", report, SL_FORMAT_TEXT);
	}
	if (a.o.trace_dir && mkdir(a.o.trace_dir, 0777) && errno != EEXIST)
		return cli_error("answers", "%s: cannot make the folder: %s", a.o.trace_dir,
				 strerror(errno));
	cli_catch_signals();
	a.o.memory = cli_default_memory();
	a.o.interrupted = cli_interrupted;
	if (cli_has_progress())
		a.o.progress = show_progress;
	rc = sl_answers_settle(&a.o, &answers, err, sizeof(err));
	cli_progress_end();
	if (rc)
		return cli_file_error("answers", rc, a.o.path, err);
	code = sl_answers_exit(answers);
	rc = cli_print("answers", sl_answers_report(answers, a.format),
		       a.format == SL_ANSWERS_JSON ? SL_FORMAT_JSON : SL_FORMAT_TEXT);
	sl_answers_free(answers);
	return rc ? rc : (int)code;
}
