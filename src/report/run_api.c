// SPDX-License-Identifier: MIT
/* The public side of running a scenario. Layer: report. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/override.h"
#include "report/run_report.h"

struct glue {
	const struct sl_run_options *o;
};

static void on_progress(void *ctx, const struct threads_progress *p)
{
	const struct glue *g = ctx;
	struct sl_run_progress out = {
		.seconds = p->seconds,
		.pages_accepted = p->counter[SL_CTR_pages_accepted],
		.pages_mapped = p->counter[SL_CTR_pages_mapped],
		.pages_zapped = p->counter[SL_CTR_pages_zapped],
		.guest_accesses = p->counter[SL_CTR_guest_accesses],
		.kicks = p->counter[SL_CTR_kicks],
		.busy = p->counter[SL_CTR_guest_busy] + p->counter[SL_CTR_enter_busy] +
			p->counter[SL_CTR_local_retries] + p->counter[SL_CTR_second_attempts],
	};

	g->o->progress(g->o->ctx, &out);
}

int sl_run_scenario(const struct sl_run_options *o, struct sl_run **run, char *err, size_t err_size)
{
	struct glue glue = { .o = o };
	struct threads_options to = { .seed = o->seed };
	struct sl_err e = { .text = "" };
	struct sl_run *r = calloc(1, sizeof(*r));
	int rc = -ENOMEM;

	if (!r) {
		sl_err_set(&e, rc, "out of memory");
		goto out;
	}
	rc = scenario_read_file(o->path, &r->scenario, &e);
	if (!rc)
		rc = override_all(&o->host, r->scenario, &r->plugin, &e);
	if (rc)
		goto out;
	r->seed = o->seed;
	r->style = o->style;
	r->seconds = o->seconds < 0 ? r->scenario->seconds : o->seconds;
	to.seconds = r->seconds;
	to.progress = o->progress ? on_progress : NULL;
	to.progress_ctx = &glue;
	to.interrupted = o->interrupted;
	to.interrupted_ctx = o->ctx;
	rc = threads_run(r->scenario, &to, &r->result, &e);
	if (!rc)
		rc = plugin_check(r->plugin, &e);
out:
	if (rc) {
		snprintf(err, err_size, "%s", e.text);
		sl_run_free(r);
		return rc;
	}
	*run = r;
	return 0;
}

const char *run_verdict(const struct sl_run *run)
{
	if (run->result.findings)
		return "violated";
	return run->result.interrupted ? "inconclusive" : "holds";
}

const char *run_kind(const struct sl_run *run)
{
	return run->result.findings ? sl_violation_name(run->result.finding[0].kind) : NULL;
}

bool run_as_expected(const struct sl_run *run)
{
	const struct scenario *s = run->scenario;

	if (!run->result.findings)
		return true;
	return s->expect == SCN_VIOLATED &&
	       (!s->expect_kind || !strcmp(s->expect_kind, run_kind(run)));
}

enum sl_exit sl_run_exit(const struct sl_run *run)
{
	if (!run_as_expected(run))
		return SL_EXIT_UNEXPECTED;
	return run->result.interrupted ? SL_EXIT_INCONCLUSIVE : SL_EXIT_EXPECTED;
}

char *sl_run_report(const struct sl_run *run, enum sl_format format)
{
	return format == SL_FORMAT_JSON ? run_report_json(run) : run_report_text(run);
}

void sl_run_free(struct sl_run *run)
{
	if (!run)
		return;
	if (run->scenario)
		scenario_free(run->scenario);
	plugin_free(run->plugin);
	free(run);
}

const char *sl_version(void)
{
	return SEAMLAB_VERSION;
}
