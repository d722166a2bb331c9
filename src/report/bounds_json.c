// SPDX-License-Identifier: MIT
/* The table of bounds as one JSON object. Layer: report. */
#include <jansson.h>
#include <stdlib.h>

#include "host/policy.h"
#include "report/bounds_report.h"
#include "report/check_report.h"

static json_t *site_json(const struct sl_bounds *b, u32 policy, u32 site)
{
	struct bounds_sum s;
	u32 from;

	bounds_sum(b, policy, site, &s);
	if (!s.visited)
		return NULL;
	from = s.path[s.bound[XS_ROW].most || s.bound[XS_ROW].endless ? XS_ROW : XS_VISIT];
	return json_pack("{s:o, s:o, s:b, s:s?}", "in_one_visit", bound_json(&s.bound[XS_VISIT]),
			 "in_a_row", bound_json(&s.bound[XS_ROW]), "exact", !s.open, "scenario",
			 bounds_is_busy(&s) ? b->path[from] : NULL);
}

/* Sites that no scenario comes to under the policy, and why. */
static json_t *unreached(const struct sl_bounds *b, u32 policy)
{
	json_t *o = json_object();

	for (u32 i = 0; i < HOST_SITE_COUNT; i++) {
		char *why = bounds_unreached(b, policy, 1, i);

		if (why)
			json_object_set_new(o, host_site_name((enum host_site)i), json_string(why));
		free(why);
	}
	return o;
}

static json_t *explorations(const struct sl_bounds *b, u32 policy)
{
	json_t *list = json_array();

	for (u32 i = 0; i < b->paths; i++) {
		const struct bounds_cell *c = bounds_cell(b, policy, i);
		bool found = c->kind != XS_KIND_NONE;

		json_array_append_new(
			list,
			json_pack("{s:s, s:b, s:s?, s:b, s:I, s:s?, s:s?}", "file", b->path[i],
				  "complete", c->complete, "limit", c->limit, "left_out",
				  c->left_out, "states", (json_int_t)c->states, "kind",
				  found ? sl_violation_name((enum sl_violation)c->kind) : NULL,
				  "detail", found || c->left_out ? c->text : NULL));
	}
	return list;
}

char *bounds_report_json(const struct sl_bounds *b)
{
	json_t *o = json_object(), *list = json_array();
	char *text;

	for (u32 p = 0; p < b->policies; p++) {
		json_t *policy = json_object(), *sites = json_object();

		for (u32 i = 0; i < HOST_SITE_COUNT; i++) {
			json_t *site = site_json(b, p, i);

			if (site)
				json_object_set_new(sites, host_site_name((enum host_site)i), site);
		}
		json_object_set_new(policy, "policy", json_string(b->policy[p]));
		json_object_set_new(policy, "sites", sites);
		json_object_set_new(policy, "not_reached", unreached(b, p));
		json_object_set_new(policy, "scenarios", explorations(b, p));
		json_array_append_new(list, policy);
	}
	json_object_set_new(o, "complete", json_boolean(sl_bounds_exit(b) == SL_EXIT_EXPECTED));
	json_object_set_new(o, "policies", list);
	text = json_dumps(o, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	json_decref(o);
	return text;
}
