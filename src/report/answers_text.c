// SPDX-License-Identifier: MIT
/* "seamlab answers" as text. Layer: report. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/answers.h"

#define WIDTH  100
#define INDENT 5

/* @text, wrapped at WIDTH, behind @indent columns of which the first line has been written. */
static void wrap(FILE *f, const char *text, int indent)
{
	int column = indent;

	while (*text) {
		int n = (int)strcspn(text, " \n");

		if (column > indent && column + 1 + n > WIDTH) {
			fprintf(f, "\n%*s", indent, "");
			column = indent;
		} else if (column > indent) {
			fputc(' ', f);
			column++;
		}
		fprintf(f, "%.*s", n, text);
		column += n;
		text += n;
		text += strspn(text, " \n");
	}
	fputc('\n', f);
}

static void print_finding(FILE *f, const struct answers_row *r, u32 cell, u32 i)
{
	const struct answers_evidence *e = &r->claim->evidence[i];
	const struct answers_finding *found = &r->cell[cell].finding[i];
	bool open = !strcmp(found->verdict, "inconclusive");
	char *command, *bounds;

	if (*found->verdict == '-')
		return;
	command = answers_command(r, cell, i);
	fprintf(f, "%*s%-4s", INDENT + 2, "", open ? "?" : found->speaks_for ? "yes" : "no");
	wrap(f, e->says, INDENT + 6);
	fprintf(f, "%*s%s", INDENT + 6, "", found->verdict);
	if (found->kind)
		fprintf(f, "(%s)%s in %u steps", found->kind,
			strcmp(found->kind, "livelock") ? ""
			: found->certain                ? ", certain,"
							: ", adversarial,",
			found->steps);
	else if (open)
		fprintf(f, " (limit reached: %s)", found->limit);
	fprintf(f, ", %" PRIu64 " states, %.2f s: %s\n", found->states, found->seconds,
		command ? command : "");
	if (e->bounds) {
		bounds = answers_bounds(found);
		fprintf(f, "%*sBUSY in one visit at most: ", INDENT + 6, "");
		wrap(f, bounds ? bounds : "", INDENT + 8);
		free(bounds);
	}
	if (found->trace)
		fprintf(f, "%*sseamlab replay %s\n", INDENT + 6, "", found->trace);
	free(command);
}

char *answers_list_text(const struct answers *a)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	for (u32 i = 0; i < a->count; i++) {
		fprintf(f, "%-*s", INDENT, a->claim[i].id);
		wrap(f, a->claim[i].text, INDENT);
	}
	return fclose(f) ? (free(text), NULL) : text;
}

char *answers_report_text(const struct sl_answers *a)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	for (u32 i = 0; i < a->rows; i++) {
		const struct answers_row *r = &a->row[i];

		fprintf(f, "%s%-*s", i ? "\n" : "", INDENT, r->claim->id);
		wrap(f, r->claim->text, INDENT);
		fprintf(f, "%*s", INDENT, "");
		wrap(f, r->claim->answer, INDENT);
		for (u32 cell = 0; cell < ANSWERS_CELLS; cell++) {
			fprintf(f, "%*s%s %s: %s\n", INDENT, "",
				sl_release_name(answers_release(cell)), answers_flavour_name(cell),
				answers_verdict(r, cell));
			for (u32 j = 0; r->cell[cell].done && j < r->claim->count; j++)
				print_finding(f, r, cell, j);
		}
	}
	fprintf(f, "\n%u claims and questions, %.1f s of exploration\n", a->rows, a->seconds);
	return fclose(f) ? (free(text), NULL) : text;
}
