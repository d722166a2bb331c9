// SPDX-License-Identifier: MIT
/* The report of seamlab matrix --confirm. Layer: report. */
#include <string.h>

#include "report/confirm.h"
#include "report/table.h"

static const char *const verdict_name[] = {
	[CONFIRM_SEEN] = "seen",
	[CONFIRM_NOT_SEEN] = "NOT SEEN",
	[CONFIRM_UNEXPECTED] = "NOT PREDICTED",
	[CONFIRM_ABSENT] = "not modelled",
};

static const char *loser_name(const struct confirm_result *r, const struct confirm_refusal *x,
			      char text[64])
{
	return matrix_leaf_name(r->pair.leaf[x->loser], text);
}

/* "TDX_OPERAND_BUSY|RCX" */
static void print_status(FILE *f, const struct confirm_result *r, u64 status)
{
	struct status_view v;

	status_look_up(r->pair.release, status, &v);
	fprintf(f, "%s", v.name ? v.name : "?");
	if (v.operand && (u32)status)
		fprintf(f, "|%s", v.operand);
}

static void print_world(FILE *f, const char *world)
{
	const char *run = strstr(world, "run:\n");

	for (const char *line = run ? run + strlen("run:\n") : world; *line;) {
		size_t size = strcspn(line, "\n");

		fprintf(f, "      %.*s\n", (int)size, line);
		line += size + (line[size] == '\n');
	}
}

static void print_cell(FILE *f, const struct confirm_result *r, const struct confirm_cell *c)
{
	char name[64];

	fprintf(f, "  %-11s%-24s", c->lock, loser_name(r, &c->refusal, name));
	print_status(f, r, c->refusal.status);
	fprintf(f, ": %s%s%s\n", verdict_name[c->verdict], c->why ? ", " : "",
		c->why ? c->why : "");
}

static void print_trace(FILE *f, const struct confirm_result *r, const struct confirm_cell *c)
{
	const struct table_out out = { .f = f, .width = STYLE_WIDTH };
	char name[64];

	if (!c->trace)
		return;
	fprintf(f, "\n%s: %s gets ", c->lock, loser_name(r, &c->refusal, name));
	print_status(f, r, c->refusal.status);
	fputs(" in\n", f);
	print_world(f, c->world);
	fprintf(f, "    an interleaving of %u steps, %u preemption%s:\n", c->trace->search.steps,
		c->trace->search.preemptions, c->trace->search.preemptions == 1 ? "" : "s");
	table_body(&out, c->trace);
	fprintf(f, "      -> %s\n", c->trace->search.text);
}

static void print_finding(FILE *f, const struct confirm_finding *x)
{
	const struct table_out out = { .f = f, .width = STYLE_WIDTH };

	fprintf(f, "  violated(%s)%s%s, in %u worlds, such as\n",
		sl_violation_name((enum sl_violation)x->kind), x->known ? ", known: " : "",
		x->known ? x->known : "", x->times);
	table_finding(&out, x->id, x->text);
	print_world(f, x->world);
}

void confirm_text(FILE *f, const struct confirm_result *r, bool traces)
{
	struct meeting apart[MEETINGS_MAX];
	char name[2][64];
	u32 n;

	fprintf(f, "%s and %s\n", matrix_leaf_name(r->pair.leaf[0], name[0]),
		matrix_leaf_name(r->pair.leaf[1], name[1]));
	for (u32 i = 0; i < r->cells; i++)
		print_cell(f, r, &r->cell[i]);
	if (!r->cells)
		fprintf(f, "  they meet on no lock, and none was refused in %u worlds\n",
			r->worlds);
	n = leaf_non_meetings(r->pair.release, r->pair.leaf[0], r->pair.leaf[1], apart);
	for (u32 i = 0; i < n; i++)
		if (!i || apart[i].object != apart[i - 1].object ||
		    apart[i].never != apart[i - 1].never)
			fprintf(f, "  %-11scannot meet here: %s\n",
				lock_object_info((enum lock_object)apart[i].object)->name,
				apart[i].never);
	for (u32 i = 0; i < r->findings; i++)
		print_finding(f, &r->finding[i]);
	for (u32 i = 0; traces && i < r->cells; i++)
		print_trace(f, r, &r->cell[i]);
	if (traces)
		fputc('\n', f);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static json_t *json_leaf(const struct leaf_ref *leaf)
{
	char name[64];

	return json_string(matrix_leaf_name(leaf, name));
}

static json_t *json_trace(const struct explore_result *x)
{
	json_t *list = json_array();

	for (u32 i = 0; i < x->rows; i++)
		json_array_append_new(list,
				      json_pack("{s:i, s:s, s:s, s:s}", "step", (int)x->row[i].step,
						"lane", x->lane_name[x->row[i].lane], "object",
						x->row[i].object, "what", x->row[i].what));
	return list;
}

static json_t *json_cell(const struct confirm_result *r, const struct confirm_cell *c, bool traces)
{
	static const char *const verdict[] = {
		[CONFIRM_SEEN] = "seen",
		[CONFIRM_NOT_SEEN] = "not seen",
		[CONFIRM_UNEXPECTED] = "not predicted",
		[CONFIRM_ABSENT] = "not modelled",
	};
	json_t *o = json_pack("{s:s, s:o, s:o, s:s}", "lock", c->lock, "loser",
			      json_leaf(r->pair.leaf[c->refusal.loser]), "status",
			      json_hex64(c->refusal.status), "verdict", verdict[c->verdict]);

	if (c->why)
		json_object_set_new(o, "why", json_string(c->why));
	if (traces && c->trace) {
		json_object_set_new(o, "scenario", json_string(c->world));
		json_object_set_new(o, "trace", json_trace(c->trace));
	}
	return o;
}

json_t *confirm_json(const struct confirm_result *r, bool traces)
{
	json_t *cells = json_array(), *apart = json_array(), *findings = json_array();
	struct meeting x[MEETINGS_MAX];
	u32 n = leaf_non_meetings(r->pair.release, r->pair.leaf[0], r->pair.leaf[1], x);

	for (u32 i = 0; i < r->cells; i++)
		json_array_append_new(cells, json_cell(r, &r->cell[i], traces));
	for (u32 i = 0; i < n; i++)
		json_array_append_new(
			apart, json_pack("{s:s, s:s}", "lock",
					 lock_object_info((enum lock_object)x[i].object)->name,
					 "why", x[i].never));
	for (u32 i = 0; i < r->findings; i++) {
		const struct confirm_finding *v = &r->finding[i];

		json_array_append_new(findings,
				      json_pack("{s:s, s:s, s:s, s:s?, s:s, s:i}", "kind",
						sl_violation_name((enum sl_violation)v->kind), "id",
						v->id, "text", v->text, "known", v->known,
						"scenario", v->world, "worlds", (int)v->times));
	}
	return json_pack("{s:o, s:o, s:i, s:I, s:o, s:o, s:o}", "a", json_leaf(r->pair.leaf[0]),
			 "b", json_leaf(r->pair.leaf[1]), "worlds", (int)r->worlds, "states",
			 (json_int_t)r->states, "cells", cells, "cannot_meet", apart, "findings",
			 findings);
}
