// SPDX-License-Identifier: MIT
/* The JSON report of a run: one object. 64-bit values with all bits in use are strings. */
#include <jansson.h>
#include <stdio.h>

#include "host/policy.h"
#include "report/policy_report.h"
#include "report/run_report.h"

static json_t *number(u64 v)
{
	return json_integer((json_int_t)v);
}

static json_t *hex(u64 v)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)v);
	return json_string(text);
}

static const char *const counter_name[SL_CTR_COUNT] = {
#define SL_COUNTER(ident, text) [SL_CTR_##ident] = #ident,
#include "base/counter.def"
#undef SL_COUNTER
};

static json_t *counters(const struct sl_run *run)
{
	json_t *o = json_object();

	for (u32 i = 0; i < SL_CTR_COUNT; i++)
		json_object_set_new(o, counter_name[i],
				    number(atomic_load_explicit(&run->result.stats.counter[i],
								memory_order_relaxed)));
	return o;
}

static void add_leaf(json_t *list, const char *name, u64 calls, const u64 busy[SL_OPERAND_SLOTS])
{
	json_t *by = json_object();
	u64 total = 0;

	for (u32 i = 0; i < SL_OPERAND_SLOTS; i++) {
		const char *operand = tdx_operand_name(i);

		if (!busy[i])
			continue;
		total += busy[i];
		json_object_set_new(by, operand ? operand : "?", number(busy[i]));
	}
	json_object_set_new(list, name,
			    json_pack("{s:o, s:o, s:o}", "calls", number(calls), "busy",
				      number(total), "busy_by_operand", by));
}

static json_t *leaves(const struct sl_run *run)
{
	const struct sl_stats *s = &run->result.stats;
	json_t *o = json_object();

	for (u32 i = 0; i < TDX_SEAMCALL_COUNT; i++)
		if (s->seamcalls[i] && tdx_seamcall_name(i))
			add_leaf(o, tdx_seamcall_name(i), s->seamcalls[i], s->seamcall_busy[i]);
	for (u32 i = 0; i < TDX_TDCALL_COUNT; i++)
		if (s->tdcalls[i] && tdx_tdcall_name(i))
			add_leaf(o, tdx_tdcall_name(i), s->tdcalls[i], s->tdcall_busy[i]);
	return o;
}

/* What has been counted by when, for each counter that counted something. */
static json_t *timeline(const struct sl_run *run)
{
	json_t *o = json_object(), *seconds = json_array();

	for (u32 i = 0; i < run->samples; i++)
		json_array_append_new(seconds, json_real(run->sample[i].seconds));
	json_object_set_new(o, "seconds", seconds);
	for (u32 c = 0; run->samples && c < SL_CTR_COUNT; c++) {
		json_t *values;

		if (!run->sample[run->samples - 1].counter[c])
			continue;
		values = json_array();
		for (u32 i = 0; i < run->samples; i++)
			json_array_append_new(values, number(run->sample[i].counter[c]));
		json_object_set_new(o, counter_name[c], values);
	}
	return o;
}

/* [microseconds, visits that took no longer, and longer than those in front] */
static json_t *histogram(const struct sl_hist *h, double ticks_per_us)
{
	json_t *list = json_array();

	for (u32 i = 0; i < SL_HIST_BUCKETS; i++)
		if (h->bucket[i])
			json_array_append_new(
				list,
				json_pack("[f, o]", (double)sl_hist_bucket_top(i) / ticks_per_us,
					  number(h->bucket[i])));
	return list;
}

static json_t *sites(const struct sl_run *run)
{
	double us = (double)run->result.tsc_per_us;
	json_t *o = json_object();

	for (u32 i = 0; i < HOST_SITE_COUNT; i++) {
		const struct sl_site_stats *t = &run->result.stats.site[i];

		if (!t->calls)
			continue;
		json_object_set_new(
			o, host_site_name((enum host_site)i),
			json_pack("{s:o, s:o, s:o, s:o, s:f, s:f, s:f, s:f, s:o}", "calls",
				  number(t->calls), "busy", number(t->busy), "max_retries",
				  number(t->max_retries), "contended", number(t->ticks.count),
				  "p50_us", (double)sl_hist_quantile(&t->ticks, 0.5) / us, "p99_us",
				  (double)sl_hist_quantile(&t->ticks, 0.99) / us, "p999_us",
				  (double)sl_hist_quantile(&t->ticks, 0.999) / us, "max_us",
				  (double)t->ticks.max / us, "histogram",
				  histogram(&t->ticks, us)));
	}
	return o;
}

static json_t *findings(const struct sl_run *run)
{
	const struct threads_result *r = &run->result;
	json_t *list = json_array();

	for (u32 i = 0; i < r->findings && i < THREADS_FINDINGS_MAX; i++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "kind",
						      sl_violation_name(r->finding[i].kind), "id",
						      r->finding[i].id, "lane", r->finding[i].lane,
						      "text", r->finding[i].text));
	return list;
}

char *run_report_json(const struct sl_run *run)
{
	const struct threads_result *r = &run->result;
	const struct scenario *s = run->scenario;
	static const char *const expected[] = { "holds", "violated", "inconclusive" };
	const char *kind = run_kind(run);
	json_t *o = json_object();
	char *text;

	json_object_set_new(o, "file", json_string(s->path));
	json_object_set_new(o, "title", json_string(s->title));
	json_object_set_new(o, "verdict", json_string(run_verdict(run)));
	json_object_set_new(o, "kind", kind ? json_string(kind) : json_null());
	json_object_set_new(o, "expected", json_string(expected[s->expect]));
	json_object_set_new(o, "as_expected", json_boolean(run_as_expected(run)));
	json_object_set_new(o, "release", json_string(sl_release_name(s->module.release)));
	json_object_set_new(o, "flavour",
			    json_string(s->module.flavour == SL_HARDENED ? "hardened"
									 : "published"));
	policy_to_json(o, s);
	json_object_set_new(o, "seed", hex(run->seed));
	json_object_set_new(o, "lanes", number(r->lanes));
	json_object_set_new(o, "complete", json_boolean(!r->interrupted));
	json_object_set_new(o, "build_seconds", json_real(r->build_seconds));
	json_object_set_new(o, "seconds", json_real(r->run_seconds));
	json_object_set_new(o, "teardown_seconds", json_real(r->teardown_seconds));
	json_object_set_new(o, "peak_memory_bytes", number(r->rss_peak_bytes));
	json_object_set_new(o, "counters", counters(run));
	json_object_set_new(o, "leaves", leaves(run));
	json_object_set_new(o, "sites", sites(run));
	json_object_set_new(o, "timeline", timeline(run));
	json_object_set_new(o, "findings", findings(run));
	text = json_dumps(o, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	json_decref(o);
	return text;
}
