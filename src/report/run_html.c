// SPDX-License-Identifier: MIT
/*
 * A run as one HTML file: who was BUSY, how long the host needed, what happened when. Out of the run's JSON
 * report, so that a run can be drawn after it has ended. Nothing is fetched, no script. Layer: report.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/stats.h"
#include "page_css.h"
#include "report/explain.h"
#include "report/markup.h"
#include "report/story_report.h"

#define CHART_WIDTH  420
#define CHART_HEIGHT 96
/* Powers of two of a microsecond, from 1/16 on. */
#define BINS     28
#define BIN_ZERO 4

static double number(const json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

static const char *string(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "";
}

/* "12.3 k", "4.56 M" */
static const char *human(double v, char text[32])
{
	if (v >= 1e6)
		snprintf(text, 32, "%.2f M", v / 1e6);
	else if (v >= 1e4)
		snprintf(text, 32, "%.1f k", v / 1e3);
	else if (v >= 100 || v == floor(v))
		snprintf(text, 32, "%.0f", v);
	else
		snprintf(text, 32, "%.2f", v);
	return text;
}

/* "3.2 us", "1.5 ms" */
static const char *human_time(double us, char text[32])
{
	if (us >= 1e6)
		snprintf(text, 32, "%.2f s", us / 1e6);
	else if (us >= 1e3)
		snprintf(text, 32, "%.1f ms", us / 1e3);
	else
		snprintf(text, 32, us >= 100 ? "%.0f \xC2\xB5s" : "%.2f \xC2\xB5s", us);
	return text;
}

/* ---- what it was ----------------------------------------------------------------------------- */

static void put_head(FILE *f, const json_t *run)
{
	const char *verdict = string(run, "verdict"), *policy = string(run, "policy");
	char text[32];

	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width\">\n<title>",
	      f);
	markup_escape(f, string(run, "title"));
	fprintf(f, "</title>\n<style>\n%s</style>\n</head>\n<body>\n<h1>", page_css);
	markup_escape(f, string(run, "title"));
	fprintf(f, "</h1>\n<p class=\"%s\">", strcmp(verdict, "violated") ? "muted" : "finding");
	markup_escape(f, verdict);
	if (*string(run, "kind")) {
		fputc('(', f);
		markup_escape(f, string(run, "kind"));
		fputc(')', f);
	}
	fprintf(f, " \xC2\xB7 ran %.2f s in %.0f lanes", number(run, "seconds"),
		number(run, "lanes"));
	fputs(" \xC2\xB7 module ", f);
	markup_escape(f, string(run, "release"));
	fputc(' ', f);
	markup_escape(f, string(run, "flavour"));
	fputs(*policy ? ", policy " : "", f);
	markup_escape(f, policy);
	fputs(" \xC2\xB7 scenario ", f);
	markup_escape(f, string(run, "file"));
	fputs(", seed ", f);
	markup_escape(f, string(run, "seed"));
	fprintf(f, " \xC2\xB7 seamlab %s, %s MB at most</p>\n", sl_version(),
		human(number(run, "peak_memory_bytes") / 1e6, text));
}

static void put_findings(FILE *f, const json_t *run)
{
	const json_t *list = json_object_get(run, "findings"), *o;
	size_t i;

	json_array_foreach (list, i, o) {
		fputs("<p class=\"finding\">", f);
		markup_escape(f, string(o, "kind"));
		fputs(", ", f);
		markup_escape(f, string(o, "lane"));
		fputs(": ", f);
		markup_escape(f, string(o, "id"));
		fputs(": ", f);
		markup_escape(f, string(o, "text"));
		fputs("</p>\n", f);
	}
}

static const struct {
	const char *name, *text;
} counter[SL_CTR_COUNT] = {
#define SL_COUNTER(ident, words) [SL_CTR_##ident] = { #ident, (words) },
#include "base/counter.def"
#undef SL_COUNTER
};

static const char *counter_text(const char *name)
{
	for (u32 i = 0; i < SL_CTR_COUNT; i++)
		if (!strcmp(counter[i].name, name))
			return counter[i].text;
	return name;
}

static void put_counters(FILE *f, const json_t *run)
{
	const json_t *counters = json_object_get(run, "counters");
	double seconds = number(run, "seconds");
	char a[32], b[32];

	fputs("<h2>Counts</h2>\n<table class=\"data\"><tr><th></th><th>in all</th><th>per second</th>"
	      "</tr>\n",
	      f);
	for (u32 i = 0; i < SL_CTR_COUNT; i++) {
		double v = number(counters, counter[i].name);

		/* A second attempt that failed is what the host promises never to see. */
		if (v > 0 || i == SL_CTR_second_attempts_failed)
			fprintf(f, "<tr><td>%s</td><td>%s</td><td>%s</td></tr>\n", counter[i].text,
				human(v, a), seconds > 0 ? human(v / seconds, b) : "");
	}
	fputs("</table>\n", f);
}

/* ---- BUSY ------------------------------------------------------------------------------------ */

static double most_busy(const json_t *leaves)
{
	const json_t *leaf, *v;
	const char *name, *operand;
	double most = 0;

	json_object_foreach((json_t *)(uintptr_t)leaves, name, leaf)
		json_object_foreach(json_object_get(leaf, "busy_by_operand"), operand,
				    v) if (json_number_value(v) > most) most = json_number_value(v);
	return most;
}

static void put_busy(FILE *f, const json_t *run)
{
	const json_t *leaves = json_object_get(run, "leaves"), *leaf, *v;
	double most = most_busy(leaves);
	const char *name, *operand;
	char a[32], b[32];

	fputs("<h2>BUSY by leaf and operand</h2>\n", f);
	if (most <= 0) {
		fputs("<p class=\"muted\">No call was BUSY.</p>\n", f);
		return;
	}
	fputs("<table class=\"data\" id=\"busy\"><tr><th>leaf</th><th>operand</th><th>calls</th>"
	      "<th>BUSY</th><th>share</th><th></th></tr>\n",
	      f);
	json_object_foreach((json_t *)(uintptr_t)leaves, name, leaf)
		json_object_foreach(json_object_get(leaf, "busy_by_operand"), operand, v)
	{
		double busy = json_number_value(v), calls = number(leaf, "calls");

		fputs("<tr><td>", f);
		markup_escape(f, name);
		fputs("</td><td>", f);
		markup_escape(f, operand);
		fprintf(f,
			"</td><td>%s</td><td>%s</td><td>%.3f %%</td><td>"
			"<svg class=\"chart\" width=\"260\" height=\"14\"><rect class=\"b1\" "
			"y=\"2\" height=\"10\" width=\"%.1f\"/></svg></td></tr>\n",
			human(calls, a), human(busy, b), calls > 0 ? busy / calls * 100 : 0,
			fmax(1, busy / most * 260));
	}
	fputs("</table>\n", f);
}

/* ---- latencies ------------------------------------------------------------------------------- */

static double bin_x(double us)
{
	double at = us > 0 ? log2(us) + BIN_ZERO : 0;

	return fmin(fmax(at, 0), BINS) / BINS * CHART_WIDTH;
}

static void put_quantile(FILE *f, const char *name, double us, u32 line)
{
	char text[32];

	fprintf(f,
		"<line class=\"q\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%u\" y2=\"%u\"/><text class=\"m\" "
		"x=\"%.1f\" y=\"%u\"%s>%s %s</text>",
		bin_x(us), bin_x(us), 16 + line * 14, 60 + CHART_HEIGHT,
		bin_x(us) + (bin_x(us) > CHART_WIDTH - 90 ? -4 : 4), 26 + line * 14,
		bin_x(us) > CHART_WIDTH - 90 ? " text-anchor=\"end\"" : "", name,
		human_time(us, text));
}

static void put_site(FILE *f, const char *name, const json_t *site)
{
	const json_t *list = json_object_get(site, "histogram"), *pair;
	double bin[BINS] = { 0 }, most = 0;
	char a[32], b[32];
	size_t i;

	json_array_foreach (list, i, pair) {
		double us = json_number_value(json_array_get(pair, 0));
		double at = us > 0 ? floor(log2(us)) + BIN_ZERO : 0;

		bin[(u32)fmin(fmax(at, 0), BINS - 1)] += json_number_value(json_array_get(pair, 1));
	}
	fputs("<div><h3>", f);
	markup_escape(f, name);
	fprintf(f,
		" <span class=\"muted\">%s visits contended, %s BUSY, at most %.0f in one visit</span>"
		"</h3>\n<svg class=\"chart\" width=\"%u\" height=\"%u\" viewBox=\"-4 0 %u %u\">\n",
		human(number(site, "contended"), a), human(number(site, "busy"), b),
		number(site, "max_retries"), CHART_WIDTH + 8, CHART_HEIGHT + 84, CHART_WIDTH + 8,
		CHART_HEIGHT + 84);
	for (i = 0; i < BINS; i++)
		most = fmax(most, bin[i]);
	for (i = 0; i < BINS; i++) {
		/* Heights by the logarithm: the few slow ones are what matters. */
		double h =
			bin[i] > 0 ? (log10(bin[i]) + .3) / (log10(most) + .3) * CHART_HEIGHT : 0;

		if (h > 0)
			fprintf(f,
				"<rect class=\"b1\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
				"height=\"%.1f\"><title>%.0f visits</title></rect>",
				(double)i / BINS * CHART_WIDTH + .5, 60 + CHART_HEIGHT - h,
				(double)CHART_WIDTH / BINS - 1, h, bin[i]);
	}
	fprintf(f, "<line class=\"axis\" x1=\"0\" x2=\"%u\" y1=\"%u\" y2=\"%u\"/>", CHART_WIDTH,
		60 + CHART_HEIGHT, 60 + CHART_HEIGHT);
	for (double us = 1; us <= 1e6; us *= 100)
		fprintf(f,
			"<text class=\"m\" x=\"%.1f\" y=\"%u\" text-anchor=\"middle\">%.0f %s</text>",
			bin_x(us), 76 + CHART_HEIGHT, us < 1e6 ? us < 1e3 ? us : us / 1e3 : 1,
			us < 1e6 ? us < 1e3 ? "\xC2\xB5s" : "ms" : "s");
	put_quantile(f, "p50", number(site, "p50_us"), 0);
	put_quantile(f, "p99", number(site, "p99_us"), 1);
	put_quantile(f, "p99.9", number(site, "p999_us"), 2);
	put_quantile(f, "max", number(site, "max_us"), 3);
	fputs("</svg></div>\n", f);
}

static void put_sites(FILE *f, const json_t *run)
{
	const json_t *site;
	const char *name;
	bool any = false;

	fputs("<h2>How long the host needed to get through</h2>\n"
	      "<p class=\"muted\">Contended visits only; both axes logarithmic.</p>\n"
	      "<div class=\"charts\">\n",
	      f);
	json_object_foreach(json_object_get(run, "sites"), name,
			    site) if (number(site, "contended") > 0)
	{
		put_site(f, name, site);
		any = true;
	}
	fputs("</div>\n", f);
	if (!any)
		fputs("<p class=\"muted\">No site was contended.</p>\n", f);
}

/* ---- time lines ------------------------------------------------------------------------------ */

static void put_line(FILE *f, const char *name, const json_t *seconds, const json_t *values)
{
	size_t n = json_array_size(values);
	double end = json_number_value(json_array_get(seconds, n - 1)), most = 0;
	char text[32];

	/* From the first sample on: it also has what was counted before the lanes started. */
	for (u32 pass = 0; pass < 2; pass++) {
		double at = json_number_value(json_array_get(seconds, 0));
		double was = json_number_value(json_array_get(values, 0));

		for (size_t i = 1; i < n; i++) {
			double t = json_number_value(json_array_get(seconds, i));
			double v = json_number_value(json_array_get(values, i));
			double rate = t > at ? (v - was) / (t - at) : 0;

			/* A step for each sample: what was counted between two of them. */
			if (pass)
				fprintf(f, "%c%.1f %.1fH%.1f", i > 1 ? 'L' : 'M',
					at / end * CHART_WIDTH,
					22 + CHART_HEIGHT - rate / most * CHART_HEIGHT,
					t / end * CHART_WIDTH);
			most = fmax(most, rate);
			was = v;
			at = t;
		}
		if (pass || most <= 0 || end <= 0)
			break;
		fputs("<div><h3>", f);
		markup_escape(f, counter_text(name));
		fprintf(f,
			" <span class=\"muted\">per second, %s at most</span></h3>\n<svg class=\"chart\" "
			"width=\"%u\" height=\"%u\" viewBox=\"-4 0 %u %u\"><line class=\"axis\" "
			"x1=\"0\" x2=\"%u\" y1=\"%u\" y2=\"%u\"/><path class=\"l1\" d=\"",
			human(most, text), CHART_WIDTH + 8, CHART_HEIGHT + 44, CHART_WIDTH + 8,
			CHART_HEIGHT + 44, CHART_WIDTH, 22 + CHART_HEIGHT, 22 + CHART_HEIGHT);
	}
	if (most > 0 && end > 0)
		fprintf(f,
			"\"/><text class=\"m\" x=\"0\" y=\"%u\">0</text><text class=\"m\" x=\"%u\" "
			"y=\"%u\" text-anchor=\"end\">%.1f s</text></svg></div>\n",
			38 + CHART_HEIGHT, CHART_WIDTH, 38 + CHART_HEIGHT, end);
}

static void put_timeline(FILE *f, const json_t *run)
{
	const json_t *t = json_object_get(run, "timeline"), *values;
	const json_t *seconds = json_object_get(t, "seconds");
	const char *name;

	fputs("<h2>Over time</h2>\n<div class=\"charts\" id=\"timeline\">\n", f);
	json_object_foreach((json_t *)(uintptr_t)t, name,
			    values) if (values != seconds && json_array_size(values) &&
					json_array_size(values) == json_array_size(seconds))
		put_line(f, name, seconds, values);
	fputs("</div>\n", f);
}

int run_html(const char *path, const char *text, size_t size, char **html, struct sl_err *err)
{
	json_error_t e;
	json_t *run = json_loadb(text, size, JSON_REJECT_DUPLICATES, &e);
	size_t length;
	FILE *f;

	if (!run)
		return sl_err_set(err, -EINVAL,
				  "%s:%d:%d: found neither a trace nor JSON (%s); expected what "
				  "seamlab check --trace or seamlab run --format json wrote",
				  path, e.line, e.column, e.text);
	if (!json_is_object(json_object_get(run, "leaves")) ||
	    !json_is_object(json_object_get(run, "sites")) ||
	    !json_is_object(json_object_get(run, "counters"))) {
		json_decref(run);
		return sl_err_set(
			err, -EINVAL,
			"%s: found JSON without 'leaves', 'sites' and 'counters'; expected "
			"what seamlab run --format json wrote",
			path);
	}
	*html = NULL;
	f = open_memstream(html, &length);
	if (f) {
		put_head(f, run);
		put_findings(f, run);
		put_busy(f, run);
		put_sites(f, run);
		put_timeline(f, run);
		put_counters(f, run);
		fputs("</body>\n</html>\n", f);
		text_finish(f, html);
	}
	json_decref(run);
	return 0;
}
