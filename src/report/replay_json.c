// SPDX-License-Identifier: MIT
/* The JSON report of a replay: one object. Layer: report. */
#include <jansson.h>

#include "report/check_report.h"
#include "report/policy_report.h"
#include "report/replay_report.h"

static json_t *divergence(const struct sl_replay *r)
{
	const struct explore_divergence *d = &r->result.diverged;

	if (!d->step)
		return json_null();
	return json_pack("{s:I, s:s, s:s, s:s}", "step", (json_int_t)d->step, "lane",
			 r->result.lane_name[d->lane], "expected", d->expected, "found", d->found);
}

static json_t *build(const char *version, const u8 *id, u32 size)
{
	char text[BUILD_TEXT_MAX];

	return json_pack("{s:s, s:s}", "version", version, "build_id", build_text(id, size, text));
}

char *replay_report_json(const struct sl_replay *r)
{
	const struct trace *t = &r->trace;
	const struct scenario *s = r->scenario;
	json_t *o = json_object();
	char seed[24], *text;

	snprintf(seed, sizeof(seed), "0x%llx", (unsigned long long)t->hash_seed);
	json_object_set_new(o, "file", json_string(r->path));
	json_object_set_new(o, "scenario", json_string(t->scenario_path));
	json_object_set_new(o, "title", json_string(s->title));
	json_object_set_new(o, "outcome", json_string(replay_outcome(r)));
	json_object_set_new(o, "kind", json_string(t->kind));
	json_object_set_new(o, "id", json_string(t->id));
	json_object_set_new(o, "detail", json_string(t->text));
	json_object_set_new(o, "release", json_string(sl_release_name(s->module.release)));
	json_object_set_new(o, "flavour",
			    json_string(s->module.flavour == SL_HARDENED ? "hardened"
									 : "published"));
	policy_to_json(o, s);
	json_object_set_new(o, "hash_seed", json_string(seed));
	json_object_set_new(o, "no_reduction", json_boolean(t->no_reduction));
	json_object_set_new(o, "memory_model", json_string(t->store_buffer ? "tso" : "sc"));
	json_object_set_new(o, "store_buffer",
			    t->store_buffer ? json_integer(t->store_buffer) : json_null());
	json_object_set_new(o, "minimal", json_boolean(t->minimal));
	json_object_set_new(o, "steps_total", json_integer(t->steps));
	json_object_set_new(o, "steps_played", json_integer(r->result.played));
	json_object_set_new(o, "loop_start",
			    t->loop_start < t->steps ? json_integer(t->loop_start + 1)
						     : json_null());
	json_object_set_new(o, "preemptions", json_integer(t->preemptions));
	json_object_set_new(o, "same_build", json_boolean(replay_same_build(r)));
	json_object_set_new(o, "made_by", build(t->version, t->build_id, t->build_id_size));
	json_object_set_new(o, "program", build(sl_version(), r->build_id, r->build_id_size));
	json_object_set_new(o, "diverged", divergence(r));
	json_object_set_new(o, "steps", report_steps(&r->result));
	text = json_dumps(o, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	json_decref(o);
	return text;
}
