// SPDX-License-Identifier: MIT
/* The JSON report of an exploration: one object. Layer: report. */
#include <jansson.h>

#include "host/policy.h"
#include "report/policy_report.h"
#include "report/check_report.h"

static json_t *number(u64 v)
{
	return json_integer((json_int_t)v);
}

static json_t *bounds(const struct sl_check *c)
{
	const struct xs_result *x = &c->result.search;
	json_t *o = json_object();

	for (u32 i = 0; i < HOST_SITE_COUNT; i++)
		if (c->result.stats->site[i].calls)
			json_object_set_new(o, host_site_name((enum host_site)i),
					    x->bounded ? bound_json(&x->bound[i][XS_VISIT])
					    : x->jobs > 1
						    ? json_null()
						    : number(c->result.stats->site[i].max_retries));
	return o;
}

json_t *report_steps(const struct explore_result *r)
{
	json_t *list = json_array();

	for (u32 i = 0; i < r->rows; i++)
		json_array_append_new(list, json_pack("{s:o, s:s, s:s, s:s}", "step",
						      number(r->row[i].step), "lane",
						      r->lane_name[r->row[i].lane], "object",
						      r->row[i].object, "what", r->row[i].what));
	return list;
}

json_t *check_to_json(const struct sl_check *c)
{
	static const char *const expected[] = { "holds", "violated", "inconclusive" };
	const struct xs_result *x = &c->result.search;
	const struct scenario *s = c->scenario;
	const char *kind = check_kind(c);
	json_t *o = json_object();

	json_object_set_new(o, "file", json_string(s->path));
	json_object_set_new(o, "title", json_string(s->title));
	json_object_set_new(o, "verdict", json_string(check_verdict(c)));
	json_object_set_new(o, "kind", kind ? json_string(kind) : json_null());
	json_object_set_new(o, "expected", json_string(expected[s->expect]));
	json_object_set_new(o, "as_expected", json_boolean(check_as_expected(c)));
	json_object_set_new(o, "release", json_string(sl_release_name(s->module.release)));
	json_object_set_new(o, "flavour",
			    json_string(s->module.flavour == SL_HARDENED ? "hardened"
									 : "published"));
	policy_to_json(o, s);
	json_object_set_new(o, "memory_model", json_string(scenario_memory_name(s->memory)));
	json_object_set_new(o, "store_buffer",
			    s->memory == SCN_TSO ? number(s->store_buffer) : json_null());
	json_object_set_new(o, "states", number(x->states));
	json_object_set_new(o, "transitions", number(x->transitions));
	json_object_set_new(o, "end_states",
			    check_ends(c) == XS_ENDS_UNKNOWN ? json_null() : number(check_ends(c)));
	json_object_set_new(o, "seconds", json_real(x->seconds));
	json_object_set_new(o, "states_per_second",
			    json_real(x->seconds > 0 ? (double)x->all_states / x->seconds : 0));
	json_object_set_new(o, "transitions_per_second",
			    json_real(x->seconds > 0 ? (double)x->all_transitions / x->seconds
						     : 0));
	json_object_set_new(o, "peak_memory_bytes", number(x->memory));
	json_object_set_new(o, "arena_bytes", number(c->result.arena_size));
	json_object_set_new(o, "complete", json_boolean(x->limit == XS_COMPLETE));
	json_object_set_new(o, "limit", json_string(check_limit(c)));
	json_object_set_new(o, "preemption_bound",
			    c->options.bounded ? number(c->options.preemptions) : json_null());
	json_object_set_new(o, "random_runs", number(x->runs));
	json_object_set_new(o, "symmetric_lanes", number(x->symmetric));
	json_object_set_new(o, "jobs", number(x->jobs));
	json_object_set_new(o, "expected_lost_states", json_real(x->lost));
	/*
	 * Exact: over all schedules, or "unbounded" or "unfair". Else: the largest that was seen, which is
	 * another one in each run of several jobs: null.
	 */
	json_object_set_new(o, "bounds_exact", json_boolean(x->bounded));
	json_object_set_new(o, "bounds", bounds(c));
	json_object_set_new(o, "trace", c->trace ? json_string(c->trace) : json_null());
	json_object_set_new(o, "checkpoint",
			    sl_check_checkpoint(c, NULL, 0) > 0 ? json_string(c->options.checkpoint)
								: json_null());
	json_object_set_new(o, "detail", kind ? json_string(x->text) : json_null());
	json_object_set_new(o, "steps", report_steps(&c->result));
	return o;
}

char *check_report_json(const struct sl_check *c)
{
	json_t *o = check_to_json(c);
	char *text = json_dumps(o, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	json_decref(o);
	return text;
}
