// SPDX-License-Identifier: MIT
/* The table of bounds as text. Layer: report. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/policy.h"
#include "report/bounds_report.h"
#include "report/check_report.h"

#define WIDTH  100
#define INDENT 18

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

#define CELL_MAX (2 * BOUND_TEXT_MAX + 2)

static bool is_busy(const struct sl_bounds *b, u32 site)
{
	struct bounds_sum s;

	for (u32 p = 0; p < b->policies; p++) {
		bounds_sum(b, p, site, &s);
		if (s.bound[XS_ROW].most || s.bound[XS_ROW].endless || s.bound[XS_VISIT].most ||
		    s.bound[XS_VISIT].endless)
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

static size_t column_width(const struct sl_bounds *b, u32 site)
{
	size_t width = strlen(host_site_name((enum host_site)site));

	for (u32 p = 0; p < b->policies; p++) {
		struct bounds_sum s;
		char text[CELL_MAX];

		bounds_sum(b, p, site, &s);
		cell_text(&s, text, sizeof(text));
		width = strlen(text) > width ? strlen(text) : width;
	}
	return width;
}

static void print_table(FILE *f, const struct sl_bounds *b)
{
	fprintf(f, "%-*s", INDENT, "policy");
	for (u32 i = 0; i < HOST_SITE_COUNT; i++)
		if (is_busy(b, i))
			fprintf(f, " %-*s", (int)column_width(b, i),
				host_site_name((enum host_site)i));
	for (u32 p = 0; p < b->policies; p++) {
		fprintf(f, "\n%-*s", INDENT, b->policy[p]);
		for (u32 i = 0; i < HOST_SITE_COUNT; i++) {
			struct bounds_sum s;
			char text[CELL_MAX];

			if (!is_busy(b, i))
				continue;
			bounds_sum(b, p, i, &s);
			cell_text(&s, text, sizeof(text));
			fprintf(f, " %-*s", (int)column_width(b, i), text);
		}
	}
	fputs("\n\nN: BUSY results in one visit to the site; N/M: N in a visit, M in a row until a "
	      "SEAMCALL there is\nnot BUSY, however often the host gives up and comes back. "
	      "unbounded: a loop of states in which every\nlane gets its turns. unfair: a loop, but only "
	      "while a lane that could move gets no turn.\n",
	      f);
}

/* Words in a list that is broken at WIDTH. */
struct list {
	FILE *f;
	size_t at;
	const char *between;
};

static void list_add(struct list *l, const char *word)
{
	size_t n = strlen(word);

	if (l->at && l->at + n + 2 > WIDTH) {
		fprintf(l->f, ",\n%*s", INDENT, "");
		l->at = INDENT;
	} else {
		fputs(l->between, l->f);
		l->at += strlen(l->between);
	}
	fputs(word, l->f);
	l->at += n;
	l->between = ", ";
}

static void print_never(FILE *f, const struct sl_bounds *b)
{
	struct list l = { .f = f, .at = INDENT, .between = "" };

	fprintf(f, "\n%-*s", INDENT, "never BUSY here");
	for (u32 i = 0; i < HOST_SITE_COUNT; i++)
		if (is_visited(b, i) && !is_busy(b, i))
			list_add(&l, host_site_name((enum host_site)i));
	fputc('\n', f);
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
	struct list l = { .f = f, .at = INDENT, .between = "" };

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
	fprintf(f, " %s\n",
		b->path[s.path[s.bound[XS_ROW].most || s.bound[XS_ROW].endless ? XS_ROW
									       : XS_VISIT]]);
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
			if ((done >> p & 1) ||
			    (!s.bound[XS_ROW].most && !s.bound[XS_ROW].endless &&
			     !s.bound[XS_VISIT].most && !s.bound[XS_VISIT].endless))
				continue;
			print_group(f, b, i, p, &done);
		}
	}
}

/* Findings end schedules, and with them what is counted. */
static void print_findings(FILE *f, const struct sl_bounds *b)
{
	bool any = false;

	for (u32 i = 0; i < b->policies * b->paths; i++) {
		const struct bounds_cell *c = &b->cell[i];

		if (c->kind == XS_KIND_NONE)
			continue;
		if (!any)
			fprintf(f,
				"\nsome schedules end in a violation, and what is counted with them:\n");
		any = true;
		fprintf(f, "  %-*s%s\n%*s%s: %s: %s\n", INDENT - 2, b->policy[i / b->paths],
			b->path[i % b->paths], INDENT, "",
			sl_violation_name((enum sl_violation)c->kind), c->id, c->text);
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
	fprintf(f, "the most BUSY results at each site, over every schedule of %u scenario%s\n\n",
		b->paths, b->paths == 1 ? "" : "s");
	print_table(f, b);
	print_never(f, b);
	print_open(f, b);
	print_where(f, b);
	print_findings(f, b);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}
