// SPDX-License-Identifier: MIT
/* The table of bounds as text. Layer: report. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/policy.h"
#include "report/bounds_report.h"
#include "report/check_report.h"

/* One policy fits on one screen. */
#define WIDTH_ONE 80
#define WIDTH_ALL 100
#define INDENT    18

static size_t width(const struct sl_bounds *b)
{
	return b->policies == 1 ? WIDTH_ONE : WIDTH_ALL;
}

#define CELL_MAX (2 * BOUND_TEXT_MAX + 2)

/* "1", "16/unbounded": in one visit, in a row. "?": there may be more. */
static void cell_text(const struct bounds_sum *s, char *text, size_t size)
{
	char visit[BOUND_TEXT_MAX], row[BOUND_TEXT_MAX];
	const char *open = s->open && s->bound[XS_ROW].endless != XS_ENDLESS ? "?" : "";

	bound_text(&s->bound[XS_VISIT], visit);
	bound_text(&s->bound[XS_ROW], row);
	if (!strcmp(visit, row))
		snprintf(text, size, "%s%s", visit, open);
	else
		snprintf(text, size, "%s/%s%s", visit, row, open);
}

static bool is_busy(const struct sl_bounds *b, u32 site)
{
	struct bounds_sum s;

	for (u32 p = 0; p < b->policies; p++) {
		bounds_sum(b, p, site, &s);
		if (bounds_is_busy(&s))
			return true;
	}
	return false;
}

static bool is_visited(const struct sl_bounds *b, u32 site)
{
	for (u32 i = 0; i < b->policies * b->paths; i++)
		if (b->cell[i].visited >> site & 1)
			return true;
	return false;
}

/* A line of the table: what is 0 for every policy has none, unless some policies never come there. */
static bool has_row(const struct sl_bounds *b, u32 site)
{
	bool off = false;

	for (u32 p = 0; p < b->policies; p++)
		off |= bounds_is_off(b, p, site);
	return is_busy(b, site) || (off && is_visited(b, site));
}

static void policy_cell_text(const struct sl_bounds *b, u32 policy, u32 site, char *text,
			     size_t size)
{
	struct bounds_sum s;

	bounds_sum(b, policy, site, &s);
	if (bounds_is_off(b, policy, site))
		snprintf(text, size, "-");
	else
		cell_text(&s, text, size);
}

/* ---- every policy, site by site -------------------------------------------------------------- */

/* Where a policy's name goes on in the second line of the head. */
static size_t name_break(const char *name, size_t room)
{
	const char *dash = strrchr(name, '-');

	return strlen(name) > room && dash ? (size_t)(dash - name) + 1 : strlen(name);
}

static size_t column_width(const struct sl_bounds *b, u32 policy)
{
	size_t most = 0, head, rest;

	for (u32 i = 0; i < HOST_SITE_COUNT; i++) {
		char text[CELL_MAX];

		policy_cell_text(b, policy, i, text, sizeof(text));
		if (has_row(b, i) && strlen(text) > most)
			most = strlen(text);
	}
	head = name_break(b->policy[policy], most);
	rest = strlen(b->policy[policy]) - head;
	most = head > most ? head : most;
	return rest > most ? rest : most;
}

/* A line of cells; none has blanks at its end. */
struct line {
	FILE *f;
	size_t missing;
};

static void line_add(struct line *l, const char *text, size_t size, size_t room)
{
	fprintf(l->f, "%*s%.*s", size ? (int)l->missing : 0, "", (int)size, text);
	l->missing = (size ? 0 : l->missing) + room - size + 1;
}

static void print_head(FILE *f, const struct sl_bounds *b, u32 from, u32 to)
{
	for (u32 n = 0; n < 2; n++) {
		struct line l = { .f = f, .missing = INDENT };

		for (u32 p = from; p < to; p++) {
			const char *name = b->policy[p];
			size_t room = column_width(b, p), head = name_break(name, room);

			if (n)
				line_add(&l, name + head, strlen(name) - head, room);
			else
				line_add(&l, name, head, room);
		}
		fputc('\n', f);
	}
}

static void print_row(FILE *f, const struct sl_bounds *b, u32 site, u32 from, u32 to)
{
	struct line l = { .f = f };

	line_add(&l, host_site_name((enum host_site)site),
		 strlen(host_site_name((enum host_site)site)), INDENT - 1);
	for (u32 p = from; p < to; p++) {
		char text[CELL_MAX];

		policy_cell_text(b, p, site, text, sizeof(text));
		line_add(&l, text, strlen(text), column_width(b, p));
	}
	fputc('\n', f);
}

/* The policies from @from on that fit beside each other: up to the one returned. */
static u32 last_beside(const struct sl_bounds *b, u32 from)
{
	size_t at = INDENT + column_width(b, from);
	u32 to = from + 1;

	while (to < b->policies && at + 1 + column_width(b, to) <= width(b))
		at += 1 + column_width(b, to++);
	return to;
}

static void print_all(FILE *f, const struct sl_bounds *b)
{
	for (u32 from = 0, to; from < b->policies; from = to) {
		to = last_beside(b, from);
		print_head(f, b, from, to);
		for (u32 i = 0; i < HOST_SITE_COUNT; i++)
			if (has_row(b, i))
				print_row(f, b, i, from, to);
		fputc('\n', f);
	}
}

/* ---- one policy ------------------------------------------------------------------------------ */

static enum xs_measure measure_shown(const struct bounds_sum *s)
{
	return s->bound[XS_ROW].most || s->bound[XS_ROW].endless ? XS_ROW : XS_VISIT;
}

static void print_one(FILE *f, const struct sl_bounds *b)
{
	fprintf(f, "%-*s%-*s%s\n", INDENT, "site", INDENT, "BUSY", "seen in");
	for (u32 i = 0; i < HOST_SITE_COUNT; i++) {
		struct bounds_sum s;
		char text[CELL_MAX];

		if (!has_row(b, i))
			continue;
		bounds_sum(b, 0, i, &s);
		cell_text(&s, text, sizeof(text));
		fprintf(f, "%-*s%-*s%s\n", INDENT, host_site_name((enum host_site)i), INDENT, text,
			b->path[s.path[measure_shown(&s)]]);
	}
	fputc('\n', f);
}

/* ---- lists and sentences --------------------------------------------------------------------- */

/* Words in a list that is broken at @width. */
struct list {
	FILE *f;
	size_t width, at;
	const char *between;
	const char *comma; /* between two words, if not ", " */
};

static void list_add(struct list *l, const char *word)
{
	size_t n = strlen(word);

	const char *comma = l->comma ? l->comma : ", ";

	if (l->at > INDENT && l->at + n + 2 * strlen(comma) - 1 > l->width) {
		fprintf(l->f, "%.*s\n%*s", (int)strlen(comma) - 1, comma, INDENT, "");
		l->at = INDENT;
	} else {
		fputs(l->between, l->f);
		l->at += strlen(l->between);
	}
	fputs(word, l->f);
	l->at += n;
	l->between = comma;
}

/* A sentence, broken between words, behind what stands in the first INDENT columns. */
static void print_text(FILE *f, const struct sl_bounds *b, const char *text)
{
	struct list l = { .f = f, .width = width(b), .at = INDENT, .between = "", .comma = " " };
	char word[200];

	while (*text) {
		size_t n = strcspn(text, " ");

		snprintf(word, sizeof(word), "%.*s", (int)n, text);
		list_add(&l, word);
		text += n + (text[n] == ' ');
	}
	fputc('\n', f);
}

static void print_legend(FILE *f, const struct sl_bounds *b)
{
	static const char *const rows[][2] = {
		{ "N, N/M",
		  "N BUSY results in one visit to the site, M in a row until a SEAMCALL there is not BUSY, "
		  "however often the host gives up and comes back" },
		{ "unbounded", "a loop of states in which every lane gets its turns" },
		{ "unfair", "a loop, but only while a lane that could move gets no turn" },
		{ "-", "the policy never comes here" },
	};

	for (u32 i = 0; i < ARRAY_SIZE(rows) - (b->policies == 1); i++) {
		fprintf(f, "%-*s", INDENT, rows[i][0]);
		print_text(f, b, rows[i][1]);
	}
}

static void print_never(FILE *f, const struct sl_bounds *b)
{
	struct list l = { .f = f, .width = width(b), .at = INDENT, .between = "" };

	fprintf(f, "\n%-*s", INDENT, "never BUSY here");
	for (u32 i = 0; i < HOST_SITE_COUNT; i++)
		if (is_visited(b, i) && !has_row(b, i))
			list_add(&l, host_site_name((enum host_site)i));
	fputc('\n', f);
}

/* Sites from @first on that are not reached for the reason @why. */
static void print_unreached_group(FILE *f, const struct sl_bounds *b, u32 first, const char *why,
				  u64 *done)
{
	struct list l = { .f = f, .width = width(b), .at = INDENT, .between = "" };

	for (u32 i = first; i < HOST_SITE_COUNT; i++) {
		char *other = bounds_unreached(b, 0, b->policies, i);

		if (other && !strcmp(other, why)) {
			list_add(&l, host_site_name((enum host_site)i));
			*done |= 1ull << i;
		}
		free(other);
	}
	fprintf(f, ":\n%*s", INDENT, "");
	print_text(f, b, why);
}

static void print_unreached(FILE *f, const struct sl_bounds *b)
{
	const char *head = "not reached";
	u64 done = 0;

	for (u32 i = 0; i < HOST_SITE_COUNT; i++) {
		char *why = bounds_unreached(b, 0, b->policies, i);

		if (why && !(done >> i & 1)) {
			fprintf(f, "%-*s", INDENT, head);
			print_unreached_group(f, b, i, why, &done);
			head = "";
		}
		free(why);
	}
}

static void print_options(FILE *f, const struct sl_bounds *b, u32 policy)
{
	const struct sl_policy_options *o = &b->options.host;

	fprintf(f, " --policy %s", b->name[policy]);
	for (u32 i = 0; i < o->set_count; i++)
		fprintf(f, " --set %s", o->set[i]);
}

/* Policies from @first on with the same text and scenario at the site, and the command that shows it. */
static void print_group(FILE *f, const struct sl_bounds *b, u32 site, u32 first, u64 *done)
{
	struct bounds_sum s, other;
	char text[CELL_MAX], again[CELL_MAX];
	struct list l = { .f = f, .width = width(b), .at = INDENT, .between = "" };

	bounds_sum(b, first, site, &s);
	cell_text(&s, text, sizeof(text));
	fprintf(f, "  %-*s", INDENT - 2, text);
	for (u32 p = first; p < b->policies; p++) {
		bounds_sum(b, p, site, &other);
		cell_text(&other, again, sizeof(again));
		if (strcmp(text, again) != 0 || other.path[XS_ROW] != s.path[XS_ROW])
			continue;
		*done |= 1ull << p;
		list_add(&l, b->policy[p]);
	}
	fprintf(f, "\n%*sseamlab check", INDENT, "");
	print_options(f, b, first);
	if (s.bound[XS_ROW].endless || s.bound[XS_VISIT].endless)
		fprintf(f, " --cycle %s", host_site_name((enum host_site)site));
	else
		fprintf(f, " --bounds");
	fprintf(f, " %s\n", b->path[s.path[measure_shown(&s)]]);
}

static void print_where(FILE *f, const struct sl_bounds *b)
{
	for (u32 i = 0; i < HOST_SITE_COUNT; i++) {
		u64 done = 0;

		if (!is_busy(b, i))
			continue;
		fprintf(f, "\n%s\n", host_site_name((enum host_site)i));
		for (u32 p = 0; p < b->policies; p++) {
			struct bounds_sum s;

			bounds_sum(b, p, i, &s);
			if ((done >> p & 1) || !bounds_is_busy(&s))
				continue;
			print_group(f, b, i, p, &done);
		}
	}
}

/* For one policy the table has the scenarios, and this how to look at them. */
static void print_how(FILE *f, const struct sl_bounds *b)
{
	fprintf(f, "\n%-*sseamlab check", INDENT, "a number");
	print_options(f, b, 0);
	fprintf(f, " --bounds SCENARIO\n%-*sseamlab check", INDENT, "a loop");
	print_options(f, b, 0);
	fputs(" --cycle SITE SCENARIO\n", f);
}

static bool is_same_finding(const struct bounds_cell *x, const struct bounds_cell *y)
{
	return x->kind == y->kind && !strcmp(x->id, y->id) && !strcmp(x->text, y->text);
}

/* What ends schedules of @policy in @path, and other scenarios with the same; unless an earlier one has it. */
static void print_finding(FILE *f, const struct sl_bounds *b, u32 policy, u32 path)
{
	const struct bounds_cell *c = bounds_cell(b, policy, path);
	struct list l = { .f = f, .width = width(b), .at = INDENT, .between = "" };
	char text[400];

	for (u32 i = 0; i < path; i++)
		if (is_same_finding(bounds_cell(b, policy, i), c))
			return;
	snprintf(text, sizeof(text), "%s: %s: %s", sl_violation_name((enum sl_violation)c->kind),
		 c->id, c->text);
	fprintf(f, "%-*s ", INDENT - 1, b->policy[policy]);
	print_text(f, b, text);
	fprintf(f, "%*s", INDENT, "");
	for (u32 i = path; i < b->paths; i++)
		if (is_same_finding(bounds_cell(b, policy, i), c))
			list_add(&l, b->path[i]);
	fputc('\n', f);
}

/* Findings end schedules, and with them what is counted. */
static void print_findings(FILE *f, const struct sl_bounds *b)
{
	bool any = false;

	for (u32 i = 0; i < b->policies * b->paths; i++) {
		if (b->cell[i].kind == XS_KIND_NONE)
			continue;
		if (!any)
			fputs("\nsome schedules end in a violation, and what is counted with them:\n",
			      f);
		any = true;
		print_finding(f, b, i / b->paths, i % b->paths);
	}
}

/* The same for every policy: what is left out is the module's doing. */
static void print_left_out(FILE *f, const struct sl_bounds *b)
{
	for (u32 i = 0; i < b->paths; i++) {
		if (!b->cell[i].left_out)
			continue;
		fprintf(f, "%-*s", INDENT, "left out");
		print_text(f, b, b->cell[i].text);
	}
}

static void print_open(FILE *f, const struct sl_bounds *b)
{
	bool any = false;

	for (u32 i = 0; i < b->policies * b->paths; i++) {
		const struct bounds_cell *c = &b->cell[i];

		if (c->complete)
			continue;
		if (!any)
			fprintf(f,
				"\ninconclusive (?): these were not looked through to the end\n");
		any = true;
		fprintf(f, "  %-*s%s (limit reached: %s)\n", INDENT - 2, b->policy[i / b->paths],
			b->path[i % b->paths], c->limit);
	}
}

char *bounds_report_text(const struct sl_bounds *b)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	fprintf(f, "the most BUSY results at each site, over every schedule of %u scenario%s\n",
		b->paths, b->paths == 1 ? "" : "s");
	if (b->policies == 1) {
		fprintf(f, "policy %s\n\n", b->name[0]);
		print_one(f, b);
	} else {
		fputc('\n', f);
		print_all(f, b);
	}
	print_legend(f, b);
	print_never(f, b);
	print_unreached(f, b);
	print_left_out(f, b);
	print_open(f, b);
	if (b->policies == 1)
		print_how(f, b);
	else
		print_where(f, b);
	print_findings(f, b);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}
