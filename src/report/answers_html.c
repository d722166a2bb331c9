// SPDX-License-Identifier: MIT
/* "seamlab answers" as one HTML file: no script, nothing fetched. Layer: report. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "report/answers.h"

static const char head[] =
	"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	"<meta name=\"viewport\" content=\"width=device-width\">\n"
	"<title>seamlab answers</title>\n<style>\n"
	":root{color-scheme:light dark;--line:#8886;--good:#1a7f37;--bad:#cf222e;--ask:#9a6700}\n"
	"@media(prefers-color-scheme:dark){:root{--good:#56d364;--bad:#ff7b72;--ask:#e3b341}}\n"
	"body{font:15px/1.5 system-ui,sans-serif;max-width:70em;margin:1.5em auto;padding:0 1em}\n"
	"h2{font-size:1.1em;margin:2em 0 .3em}table{border-collapse:collapse;width:100%}\n"
	"td,th{border:1px solid var(--line);padding:.25em .6em;text-align:left;vertical-align:top}\n"
	".proved{color:var(--good)}.refuted{color:var(--bad)}.answered,.open{color:var(--ask)}\n"
	"code{font-size:.85em;overflow-wrap:anywhere}summary{cursor:pointer}\n"
	"@media print{details>*{display:block}}\n</style>\n</head>\n<body>\n"
	"<h1>seamlab answers</h1>\n";

static void escape(FILE *f, const char *text)
{
	for (; *text; text++)
		switch (*text) {
		case '<':
			fputs("&lt;", f);
			break;
		case '>':
			fputs("&gt;", f);
			break;
		case '&':
			fputs("&amp;", f);
			break;
		case '"':
			fputs("&quot;", f);
			break;
		default:
			fputc(*text, f);
		}
}

static void print_finding(FILE *f, const struct answers_row *r, u32 cell, u32 i)
{
	const struct answers_evidence *e = &r->claim->evidence[i];
	const struct answers_finding *found = &r->cell[cell].finding[i];
	char *command, *bounds;

	if (*found->verdict == '-')
		return;
	command = answers_command(r, cell, i);
	bounds = answers_bounds(found);
	fprintf(f, "<li>%s: ", found->speaks_for ? "yes" : "no");
	escape(f, e->says);
	fprintf(f, ". %s", found->verdict);
	if (found->kind)
		fprintf(f, "(%s), %u steps", found->kind, found->steps);
	fprintf(f, ", %" PRIu64 " states<br><code>", found->states);
	escape(f, command ? command : "");
	fputs("</code>", f);
	if (e->bounds && bounds)
		fprintf(f, "<br>BUSY in one visit at most: %s", bounds);
	fputs("</li>\n", f);
	free(command);
	free(bounds);
}

static void print_row(FILE *f, const struct answers_row *r)
{
	fprintf(f, "<section id=\"%s\">\n<h2>%s. ", r->claim->id, r->claim->id);
	escape(f, r->claim->text);
	fputs("</h2>\n<p>", f);
	escape(f, r->claim->answer);
	fputs("</p>\n<table>\n<tr><th>module</th><th>verdict</th><th>shown by</th></tr>\n", f);
	for (u32 cell = 0; cell < ANSWERS_CELLS; cell++) {
		const char *verdict = answers_verdict(r, cell);

		fprintf(f,
			"<tr><td>%s %s</td><td class=\"%s\">%s</td><td><details><summary>%u "
			"scenario%s, %" PRIu64 " states</summary><ul>\n",
			sl_release_name(answers_release(cell)), answers_flavour_name(cell), verdict,
			verdict, r->claim->count, r->claim->count == 1 ? "" : "s",
			answers_states(r, cell));
		for (u32 i = 0; r->cell[cell].done && i < r->claim->count; i++)
			print_finding(f, r, cell, i);
		fputs("</ul></details></td></tr>\n", f);
	}
	fputs("</table>\n</section>\n", f);
}

char *answers_report_html(const struct sl_answers *a)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	fputs(head, f);
	for (u32 i = 0; i < a->rows; i++)
		print_row(f, &a->row[i]);
	fprintf(f, "<p>%u claims and questions, %.1f s of exploration.</p>\n</body>\n</html>\n",
		a->rows, a->seconds);
	return fclose(f) ? (free(text), NULL) : text;
}
