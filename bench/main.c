// SPDX-License-Identifier: MIT
/* seamlab-bench: what `seamlab bench` runs. */
#include <argp.h>
#include <errno.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "cli/cli.h"

#define SCHEMA 1

static const struct {
	const char *name;
	bench_section *measure;
	bool apart; /* in a process of its own */
} sections[] = {
	{ "exploration", bench_exploration, false },
	{ "locks", bench_locks, true },
	{ "module", bench_module, true },
	{ "growth", bench_growth, true },
};

struct bench_args {
	struct bench_options o;
	enum sl_format format;
	const char *from;
	bool wanted[ARRAY_SIZE(sections)];
	bool some;
};

enum {
	OPT_ROUNDS = 256,
	OPT_QUICK,
	OPT_FORMAT,
	OPT_FROM,
};

static const struct argp_option options[] = {
	{ "rounds", OPT_ROUNDS, "N", 0, "how often everything has its turn (default: 5)", 0 },
	{ "quick", OPT_QUICK, NULL, 0,
	  "a tiny set in some seconds, to see that it works: no figures", 0 },
	CLI_TIME_OPTION("end the exploration of a world after so long (default: 20)"),
	{ "format", OPT_FORMAT, "text|json", 0,
	  "form of the report on standard output; text is Markdown", 0 },
	{ "from", OPT_FROM, "FILE.json", 0, "measure nothing, write the report in FILE as text",
	  0 },
	{ 0 },
};

static void want(struct argp_state *state, struct bench_args *a, const char *name)
{
	char known[200] = "";

	a->some = true;
	for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
		size_t used = strlen(known);

		if (!strcmp(name, sections[i].name)) {
			a->wanted[i] = true;
			return;
		}
		snprintf(known + used, sizeof(known) - used, "%s%s", i ? ", " : "",
			 sections[i].name);
	}
	argp_error(state, "found '%s'; expected one of %s", name, known);
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct bench_args *a = state->input;

	if (cli_limit_option(state, key, arg, &a->o.seconds, NULL))
		return 0;
	switch (key) {
	case OPT_ROUNDS:
		a->o.rounds = (u32)cli_number(state, "--rounds", arg, BENCH_ROUNDS_MAX);
		if (!a->o.rounds)
			argp_error(state, "--rounds: found '%s'; expected 1 or more", arg);
		return 0;
	case OPT_QUICK:
		a->o.quick = true;
		return 0;
	case OPT_FORMAT:
		a->format = cli_format(state, arg);
		return 0;
	case OPT_FROM:
		a->from = arg;
		return 0;
	case ARGP_KEY_ARG:
		want(state, a, arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

bool bench_interrupted(void)
{
	return cli_interrupted(NULL);
}

void bench_progress(const char *fmt, ...)
{
	char line[400];
	va_list ap;

	if (!cli_has_progress())
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	cli_progress("%s", line);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

/* The sections that are wanted, or NULL: interrupted, or a message was printed. */
static json_t *measure(const struct bench_args *a)
{
	json_t *report =
		json_pack("{s:i, s:o, s:i, s:b}", "schema", SCHEMA, "machine", bench_machine(),
			  "rounds", (int)a->o.rounds, "quick", a->o.quick);
	json_t *done = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
		json_t *result;

		if (a->some && !a->wanted[i])
			continue;
		bench_progress("%s", sections[i].name);
		result = sections[i].apart ? bench_apart(sections[i].measure, &a->o)
					   : sections[i].measure(&a->o);
		if (!result || json_object_set_new(done, sections[i].name, result)) {
			json_decref(done);
			json_decref(report);
			return NULL;
		}
	}
	json_object_set_new(report, "sections", done);
	return report;
}

static json_t *measured(struct bench_args *a)
{
	const char *tmp = getenv("TMPDIR");
	char work[400];
	json_t *report;

	snprintf(work, sizeof(work), "%s/seamlab-bench-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(work)) {
		cli_error("bench", "%s: %s", work, strerror(errno));
		return NULL;
	}
	a->o.work = work;
	report = measure(a);
	nftw(work, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return report;
}

static json_t *report_from(const char *path)
{
	json_error_t e;
	json_t *report = json_load_file(path, 0, &e);

	if (!report)
		cli_error("bench", "%s:%d:%d: %s", path, e.line, e.column, e.text);
	return report;
}

static int print(const struct bench_args *a, const json_t *report)
{
	size_t size;
	char *text;
	FILE *f;
	bool ok;

	if (a->format == SL_FORMAT_JSON)
		return cli_print("bench", json_dumps(report, JSON_INDENT(2) | JSON_PRESERVE_ORDER),
				 a->format);
	f = open_memstream(&text, &size);
	ok = f && bench_render(f, report);
	if (f)
		fclose(f);
	if (ok)
		return cli_print("bench", text, a->format);
	if (f)
		free(text);
	return cli_error("bench", "%s: found something else; expected a report of seamlab bench",
			 a->from ? a->from : "the report");
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.args_doc = "[exploration|locks|module|growth...]",
		.doc = "Measure the explorer against spin and rumur, the lock words against "
		       "pthread_rwlock and ck_rwlock, and the module's leaves, side by side in one "
		       "run. Figures are medians; every ratio is from the same run. What is not "
		       "installed is said to be so. Without a section: all of them.\v"
		       "Exit status: 0, 2 usage or input, 3 interrupted, 77 not installed.",
	};
	struct bench_args a = { .o = { .rounds = 5, .seconds = 20 } };
	const char *program = getenv("SEAMLAB_PROGRAM");
	json_t *report;
	int code;

	cli_parse("bench", &argp, argc, argv, &a);
	a.o.seamlab = program ? program : "seamlab";
	a.o.two_cores = !a.from && bench_two_cores(a.o.seamlab);
	if (a.o.quick) {
		a.o.rounds = 1;
		a.o.seconds = 1;
	}
	cli_catch_signals();
	report = a.from ? report_from(a.from) : measured(&a);
	cli_progress_end();
	if (!report)
		return bench_interrupted() ? SL_EXIT_INCONCLUSIVE : SL_EXIT_USAGE;
	code = print(&a, report);
	json_decref(report);
	return code;
}
