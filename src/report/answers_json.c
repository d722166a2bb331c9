// SPDX-License-Identifier: MIT
/* "seamlab answers" as one JSON object. Layer: report. */
#include <jansson.h>
#include <stdlib.h>

#include "report/answers.h"
#include "report/check_report.h"

static json_t *text_or_null(const char *text)
{
	return text ? json_string(text) : json_null();
}

static json_t *finding(const struct answers_row *r, u32 cell, u32 i)
{
	const struct answers_evidence *e = &r->claim->evidence[i];
	const struct answers_finding *f = &r->cell[cell].finding[i];
	char *command = answers_command(r, cell, i);
	json_t *bounds = e->bounds ? json_object() : json_null(), *o;

	for (u32 site = 0; e->bounds && site < HOST_SITE_COUNT; site++)
		if (f->visited >> site & 1)
			json_object_set_new(bounds, host_site_name((enum host_site)site),
					    bound_json(&f->bound[site]));
	o = json_pack("{s:s, s:s, s:b, s:s, s:o, s:b, s:I, s:f, s:i, s:o, s:o, s:o}", "file",
		      e->path, "says", e->says, "speaks_for", f->speaks_for, "verdict", f->verdict,
		      "kind", text_or_null(f->kind), "certain", f->certain, "states",
		      (json_int_t)f->states, "seconds", f->seconds, "steps", (int)f->steps,
		      "bounds", bounds, "trace", text_or_null(f->trace), "command",
		      text_or_null(command));
	free(command);
	return o;
}

static json_t *cell_object(const struct answers_row *r, u32 cell)
{
	const struct answers_evidence *against =
		r->claim->question ? NULL : answers_against(r, cell);
	json_t *list = json_array();

	for (u32 i = 0; r->cell[cell].done && i < r->claim->count; i++)
		json_array_append_new(list, finding(r, cell, i));
	return json_pack("{s:s, s:s, s:s, s:o, s:I, s:o}", "release",
			 sl_release_name(answers_release(cell)), "flavour",
			 answers_flavour_name(cell), "verdict", answers_verdict(r, cell),
			 "refuted_by", text_or_null(against ? against->path : NULL), "states",
			 (json_int_t)answers_states(r, cell), "evidence", list);
}

char *answers_report_json(const struct sl_answers *a)
{
	json_t *rows = json_array(), *o;
	char *text;

	for (u32 i = 0; i < a->rows; i++) {
		const struct answers_row *r = &a->row[i];
		json_t *cells = json_array();

		for (u32 cell = 0; cell < ANSWERS_CELLS; cell++)
			json_array_append_new(cells, cell_object(r, cell));
		json_array_append_new(rows, json_pack("{s:s, s:b, s:s, s:s, s:o}", "id",
						      r->claim->id, "question", r->claim->question,
						      "text", r->claim->text, "answer",
						      r->claim->answer, "cells", cells));
	}
	o = json_pack("{s:o, s:f}", "answers", rows, "seconds", a->seconds);
	text = o ? json_dumps(o, JSON_INDENT(2) | JSON_PRESERVE_ORDER) : NULL;
	json_decref(o);
	return text;
}
