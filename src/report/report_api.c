// SPDX-License-Identifier: MIT
/* The public side of drawing counterexamples and runs. Layer: report. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/diagram.h"
#include "report/story_report.h"

/* What each step was about to do, as it is played. */
struct abouts {
	char **text;
	u32 count;
};

static bool keep_about(void *ctx, const struct explore_result *r, u32 step, u32 row,
		       const char *about)
{
	struct abouts *a = ctx;

	(void)row;
	if (!a->text)
		a->text = calloc(r->search.steps + 1u, sizeof(*a->text));
	if (!a->text)
		return false;
	a->text[step - 1] = strdup(about);
	a->count = step;
	return a->text[step - 1];
}

static char *tell(const struct sl_report_options *o, const struct sl_replay *r,
		  const struct abouts *a)
{
	bool source = !o->no_source && (o->format == SL_REPORT_HTML || o->format == SL_REPORT_SVG ||
					o->format == SL_REPORT_PERFETTO);
	char *report = NULL;
	struct story s;

	if (!story_tell(&s, r, a->text, source))
		return NULL;
	switch (o->format) {
	case SL_REPORT_HTML:
		report = story_html(&s);
		break;
	case SL_REPORT_SVG:
		report = diagram_svg(&s, source);
		break;
	case SL_REPORT_PERFETTO:
		report = story_perfetto(&s);
		break;
	case SL_REPORT_BUG:
		report = story_bug(&s);
		break;
	case SL_REPORT_TEXT:
	default:
		report = sl_replay_report(r, SL_FORMAT_TEXT);
	}
	story_free(&s);
	return report;
}

static int report_trace(const struct sl_report_options *o, char **report, enum sl_exit *code,
			struct sl_err *err)
{
	struct sl_replay_options ro = { .path = o->path };
	struct abouts a = { 0 };
	struct explore_watch watch = { .after = keep_about, .ctx = &a };
	struct sl_replay *r;
	int rc = replay_watched(&ro, &watch, &r, err);

	if (!rc) {
		*code = sl_replay_exit(r);
		/* Nobody ends the replay but keep_about(), without memory. */
		*report = *code == SL_EXIT_INCONCLUSIVE ? NULL : tell(o, r, &a);
		sl_replay_free(r);
	}
	for (u32 i = 0; i < a.count; i++)
		free(a.text[i]);
	free(a.text);
	return rc;
}

static int report_run(const struct sl_report_options *o, char **report, struct sl_err *err)
{
	char *text;
	size_t size;
	int rc;

	if (o->format != SL_REPORT_HTML)
		return sl_err_set(err, -EINVAL, "%s: found no trace; a run is drawn as HTML only",
				  o->path);
	rc = scenario_read_bytes(o->path, &text, &size, err);
	if (rc)
		return rc;
	rc = run_html(o->path, text, size, report, err);
	free(text);
	return rc;
}

/* Does the file begin as a run's JSON does? A trace is whatever does not. */
static bool is_json(const char *path)
{
	FILE *f = fopen(path, "rb");
	int c = ' ';

	while (f && (c == ' ' || c == '\n' || c == '\t' || c == '\r'))
		c = fgetc(f);
	if (f)
		fclose(f);
	return c == '{';
}

int sl_report_file(const struct sl_report_options *o, char **report, enum sl_exit *code, char *err,
		   size_t err_size)
{
	struct sl_err e = { .text = "" };
	int rc;

	*report = NULL;
	*code = SL_EXIT_EXPECTED;
	rc = is_json(o->path) ? report_run(o, report, &e) : report_trace(o, report, code, &e);
	if (rc)
		snprintf(err, err_size, "%s", e.text);
	return rc;
}
