// SPDX-License-Identifier: MIT
/* The public side of playing a trace. Layer: report. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/override.h"
#include "report/replay_report.h"
#include "report/table.h"

struct glue {
	const struct sl_replay_options *o;
};

__attribute__((noinline)) void seamlab_replay_stop(uint32_t step)
{
	/* A debugger finds the step in the first argument's register. */
	__asm__ volatile("" ::"D"(step) : "memory");
}

static void before_step(void *ctx, const struct explore_result *r, u32 step)
{
	(void)ctx;
	(void)r;
	seamlab_replay_stop(step);
}

static bool after_step(void *ctx, const struct explore_result *r, u32 step, u32 row,
		       const char *about)
{
	const struct glue *g = ctx;
	u32 lane = explore_lane_of(r, &r->search.step[step - 1]);
	struct sl_replay_step out = { .step = step,
				      .steps = r->search.steps,
				      .lane = r->lane_name[lane] };
	struct table_out to;
	char *text = NULL;
	size_t size;
	FILE *f;
	bool go_on;

	if (!g->o->step)
		return true;
	f = open_memstream(&text, &size);
	if (!f)
		return false;
	to = table_out(f, &g->o->style);
	if (step == 1) {
		table_title(&to, r);
		table_head(&to, r);
	}
	if (row == r->rows)
		table_empty(&to, r, step, lane, about);
	for (; row < r->rows; row++)
		table_row(&to, r, row);
	if (fclose(f)) {
		free(text);
		return false;
	}
	out.lines = text;
	go_on = g->o->step(g->o->ctx, &out);
	free(text);
	return go_on;
}

/* Is the scenario in @path the one that the trace was made from? */
static int check_scenario(const struct sl_replay *r, const char *path, struct sl_err *err)
{
	char *text;
	size_t size;
	int rc = scenario_read_bytes(path, &text, &size, err);
	size_t skip = override_size(r->trace.scenario, r->trace.scenario_size);
	bool same;

	if (rc)
		return rc;
	same = size == r->trace.scenario_size - skip &&
	       !memcmp(text, r->trace.scenario + skip, size);
	free(text);
	if (same)
		return 0;
	return sl_err_set(err, -EINVAL,
			  "%s: found another text than the one that %s was made from (%s); "
			  "expected the same",
			  path, r->path, r->trace.scenario_path);
}

static int load(struct sl_replay *r, const struct sl_replay_options *o, struct sl_err *err)
{
	struct sl_err inner = { .text = "" };
	int rc = trace_read_file(o->path, &r->trace, err);

	if (rc)
		return rc;
	if (o->scenario) {
		rc = check_scenario(r, o->scenario, err);
		if (rc)
			return rc;
	}
	rc = override_read(r->trace.scenario_path, r->trace.scenario, r->trace.scenario_size,
			   &r->scenario, &r->plugin, &inner);
	if (rc)
		return sl_err_set(err, rc, "%s: in its scenario: %s", o->path, inner.text);
	return 0;
}

int replay_watched(const struct sl_replay_options *o, const struct explore_watch *watch,
		   struct sl_replay **replay, struct sl_err *err)
{
	struct sl_replay *r = calloc(1, sizeof(*r));
	int rc = -ENOMEM;

	if (r)
		r->path = strdup(o->path);
	if (!r || !r->path) {
		sl_err_set(err, rc, "out of memory");
		goto out;
	}
	r->style = o->style;
	r->stepped = o->step != NULL;
	r->build_id_size = trace_build_id(r->build_id);
	rc = load(r, o, err);
	if (!rc)
		rc = explore_replay(r->scenario, &r->trace, watch, &r->result, err);
	if (!rc)
		rc = plugin_check(r->plugin, err);
out:
	if (rc) {
		sl_replay_free(r);
		return rc;
	}
	*replay = r;
	return 0;
}

int sl_replay_trace(const struct sl_replay_options *o, struct sl_replay **replay, char *err,
		    size_t err_size)
{
	struct glue glue = { .o = o };
	struct explore_watch watch = { .before = before_step, .after = after_step, .ctx = &glue };
	struct sl_err e = { .text = "" };
	int rc = replay_watched(o, &watch, replay, &e);

	if (rc)
		snprintf(err, err_size, "%s", e.text);
	return rc;
}

const char *replay_outcome(const struct sl_replay *r)
{
	if (r->result.diverged.step)
		return "diverged";
	return r->result.played_on ? "reproduced" : "stopped";
}

bool replay_same_build(const struct sl_replay *r)
{
	return r->build_id_size == r->trace.build_id_size &&
	       !memcmp(r->build_id, r->trace.build_id, r->build_id_size);
}

const char *build_text(const u8 *id, u32 size, char text[BUILD_TEXT_MAX])
{
	snprintf(text, BUILD_TEXT_MAX, "none");
	for (u32 i = 0; i < size; i++)
		snprintf(text + i * 2, 3, "%02x", id[i]);
	return text;
}

enum sl_exit sl_replay_exit(const struct sl_replay *r)
{
	if (r->result.diverged.step)
		return SL_EXIT_DIVERGED;
	return r->result.played_on ? SL_EXIT_EXPECTED : SL_EXIT_INCONCLUSIVE;
}

char *sl_replay_report(const struct sl_replay *r, enum sl_format format)
{
	return format == SL_FORMAT_JSON ? replay_report_json(r) : replay_report_text(r);
}

void sl_replay_free(struct sl_replay *r)
{
	if (!r)
		return;
	explore_free(&r->result);
	scenario_free(r->scenario);
	plugin_free(r->plugin);
	trace_free(&r->trace);
	free(r->path);
	free(r);
}
