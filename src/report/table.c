// SPDX-License-Identifier: MIT
/* The table of a counterexample. Layer: report. */
#include "report/table.h"

#include <string.h>

#define STEP_WIDTH 6 /* "  123 " */
#define GAP        2

static bool has_columns(const struct explore_result *r)
{
	return r->lanes <= TABLE_LANES_MAX;
}

static u32 column_width(const struct table_out *out, const struct explore_result *r)
{
	return (out->width - STEP_WIDTH - GAP * (r->lanes - 1)) / r->lanes;
}

static const char *plural(u32 n)
{
	return n == 1 ? "" : "s";
}

void memory_print(FILE *f, u32 store_buffer)
{
	if (store_buffer)
		fprintf(f, "  memory model tso: store buffers of %u store%s\n", store_buffer,
			plural(store_buffer));
}

void table_title(const struct table_out *out, const struct explore_result *r)
{
	FILE *f = out->f;
	const struct xs_result *x = &r->search;

	fprintf(f, "\n%s counterexample: %u step%s, %u preemption%s", x->minimal ? "shortest" : "a",
		x->steps, plural(x->steps), x->preemptions, plural(x->preemptions));
	if (x->loop_start < x->steps)
		fprintf(f, "; steps %u to %u are the loop", x->loop_start + 1, x->steps);
	fputc('\n', f);
}

void table_head(const struct table_out *out, const struct explore_result *r)
{
	FILE *f = out->f;

	if (!has_columns(r)) {
		fprintf(f, " step %-12s %-34s %s\n", "lane", "object", "what");
		return;
	}
	fputs(" step ", f);
	for (u32 i = 0; i < r->lanes; i++) {
		if (i + 1 == r->lanes)
			fprintf(f, "%s\n", r->lane_name[i]);
		else
			fprintf(f, "%-*s", (int)column_width(out, r) + GAP, r->lane_name[i]);
	}
}

/*
 * As much of @text as goes on a line of @width: all of its line, or up to a space if there is one,
 * "-> 0x1" being one word.
 */
static size_t piece(const char *text, size_t width)
{
	size_t n = strcspn(text, "\n"), at;

	if (n <= width)
		return n;
	for (at = width; at; at--)
		if (text[at] == ' ' && (at < 2 || strncmp(text + at - 2, "->", 2)))
			return at;
	/* One long name: behind an underscore, else anywhere. */
	for (at = width; at > width / 2; at--)
		if (text[at - 1] == '_' || text[at] == '(')
			return at;
	return width;
}

/* @text in the column that begins at @column, @width wide, on as many lines as it takes. */
static void cell(FILE *f, u32 step, u32 column, u32 width, const char *text)
{
	bool first = true;

	while (*text || first) {
		size_t indent = first ? 0 : 1, n = piece(text, width - indent);

		if (first && step)
			fprintf(f, "%5u ", step);
		else
			fprintf(f, "%*s", STEP_WIDTH, "");
		fprintf(f, "%*s%.*s\n", (int)(column - STEP_WIDTH + indent), "", (int)n, text);
		text += n;
		while (*text == ' ' || *text == '\n')
			text++;
		first = false;
	}
}

void table_finding(const struct table_out *out, const char *id, const char *text)
{
	FILE *f = out->f;
	char all[400];
	const char *rest = all;
	u32 indent = 2;

	snprintf(all, sizeof(all), "%s: %s", id, text);
	while (*rest) {
		size_t n = piece(rest, out->width - indent);

		fprintf(f, "%*s%.*s\n", (int)indent, "", (int)n, rest);
		rest += n;
		while (*rest == ' ' || *rest == '\n')
			rest++;
		indent = 4;
	}
}

static void put(const struct table_out *out, const struct explore_result *r, u32 step, u32 lane,
		const char *object, const char *what)
{
	u32 width = column_width(out, r), column = STEP_WIDTH + lane * (width + GAP);
	char text[320];
	int n;

	/* What ends the world has no column of its own. */
	if (lane >= r->lanes) {
		column = STEP_WIDTH;
		width = out->width - STEP_WIDTH;
		n = snprintf(text, sizeof(text), "%s: %s", r->lane_name[lane], object);
	} else {
		n = snprintf(text, sizeof(text), "%s", object);
	}
	if (what) {
		bool fits = (size_t)n + 2 + strlen(what) <= width;

		snprintf(text + n, sizeof(text) - (size_t)n, ":%c%s", fits ? ' ' : '\n', what);
	}
	cell(out->f, step, column, width, text);
}

void table_row(const struct table_out *out, const struct explore_result *r, u32 row)
{
	FILE *f = out->f;
	const struct explore_row *e = &r->row[row];
	bool first = !row || r->row[row - 1].step != e->step;

	if (has_columns(r)) {
		put(out, r, first ? e->step : 0, e->lane, e->object, e->what);
		return;
	}
	if (first)
		fprintf(f, "%5u %-12s", e->step, r->lane_name[e->lane]);
	else
		fprintf(f, "%5s %-12s", "", "");
	fprintf(f, " %-34s %s\n", e->object, e->what);
}

void table_empty(const struct table_out *out, const struct explore_result *r, u32 step, u32 lane,
		 const char *about)
{
	FILE *f = out->f;

	if (has_columns(r))
		put(out, r, step, lane, about, NULL);
	else
		fprintf(f, "%5u %-12s %s\n", step, r->lane_name[lane], about);
}

void table_print(const struct table_out *out, const struct explore_result *r)
{
	table_title(out, r);
	table_body(out, r);
}

void table_body(const struct table_out *out, const struct explore_result *r)
{
	FILE *f = out->f;
	const struct xs_result *x = &r->search;
	bool looped = x->loop_start >= x->steps;

	table_head(out, r);
	for (u32 i = 0; i < r->rows; i++) {
		if (!looped && r->row[i].step > x->loop_start) {
			fprintf(f, "%*s-- from here on, again and again --\n", STEP_WIDTH, "");
			looped = true;
		}
		table_row(out, r, i);
	}
}
