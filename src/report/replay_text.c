// SPDX-License-Identifier: MIT
/* The text report of a replay. Layer: report. */
#include <stdio.h>
#include <stdlib.h>

#include "report/policy_report.h"
#include "report/replay_report.h"
#include "report/table.h"

static void print_outcome(FILE *f, const struct sl_replay *r)
{
	const struct sl_text_style *style = &r->style;
	const struct explore_divergence *d = &r->result.diverged;
	const struct trace *t = &r->trace;

	fprintf(f, "%s: ", r->path);
	style_begin(f, style, d->step || r->result.played_on ? STYLE_BAD : STYLE_OPEN);
	if (d->step)
		fprintf(f, "diverged at step %u of %u", d->step, t->steps);
	else if (!r->result.played_on)
		fprintf(f, "stopped after step %u of %u", r->result.played, t->steps);
	else
		fprintf(f, "violated(%s) again, all %u steps as in the trace", t->kind, t->steps);
	style_end(f, style);
	fputc('\n', f);
	fprintf(f, "  %s\n", r->scenario->title);
	fprintf(f, "  scenario %s\n", t->scenario_path);
	policy_print_world(f, r->scenario, r->result.lanes);
	memory_print(f, t->store_buffer);
}

static void print_divergence(const struct table_out *out, const struct sl_replay *r)
{
	FILE *f = out->f;
	const struct explore_divergence *d = &r->result.diverged;

	fprintf(f, "\nstep %u", d->step);
	if (r->result.lane_name[d->lane][0])
		fprintf(f, ", %s", r->result.lane_name[d->lane]);
	fputc('\n', f);
	table_finding(out, "the trace has", d->expected);
	table_finding(out, "found", d->found);
}

static void print_build(FILE *f, const struct sl_replay *r)
{
	char a[BUILD_TEXT_MAX], b[BUILD_TEXT_MAX];

	if (replay_same_build(r))
		return;
	fprintf(f, "  the trace is from another build: version %s, build id %s\n", r->trace.version,
		build_text(r->trace.build_id, r->trace.build_id_size, a));
	fprintf(f, "  this program:                    version %s, build id %s\n", sl_version(),
		build_text(r->build_id, r->build_id_size, b));
	if (r->result.diverged.step)
		fputs("  that may be all there is to it: a trace is for the build that made it; see whether "
		      "seamlab\n  check still finds a violation in this one\n",
		      f);
}

char *replay_report_text(const struct sl_replay *r)
{
	struct table_out out;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	out = table_out(f, &r->style);
	if (r->stepped)
		fputc('\n', f);
	print_outcome(f, r);
	print_build(f, r);
	table_finding(&out, r->trace.id, r->trace.text);
	if (!r->stepped)
		table_print(&out, &r->result);
	if (r->result.diverged.step)
		print_divergence(&out, r);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}
