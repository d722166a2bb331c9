// SPDX-License-Identifier: MIT
/* seamlab explain as JSON. Layer: report. */
#include <stdlib.h>

#include "module/release.h"
#include "module/sept.h"
#include "report/explain_report.h"

static json_t *text_or_null(const char *text)
{
	return text ? json_string(text) : json_null();
}

static json_t *takers(const struct lock_taker *taker, u32 count)
{
	json_t *list = json_array();

	for (u32 i = 0; i < count; i++)
		json_array_append_new(
			list, json_pack("{s:s, s:i, s:s}", "leaf", taker[i].leaf.name, "version",
					(int)taker[i].leaf.version, "mode",
					lock_mode_name((enum lock_mode)taker[i].step->mode)));
	return list;
}

static json_t *locks(enum sl_release r, const struct leaf_ref *only, u64 value)
{
	struct busy_lock *l = malloc(sizeof(*l));
	json_t *list = json_array();

	for (u32 i = 0; l && status_lock(r, value, only, i, l); i++) {
		const struct lock_object_info *o = lock_object_info(l->object);

		json_array_append_new(
			list,
			json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "object", o->name,
				  "about", o->text, "kind", lock_kind_name(lock_kind(r, l->step)),
				  "between", lock_scope_text((enum lock_scope)o->scope), "refused",
				  takers(l->refused, l->refused_count), "held_by",
				  takers(l->holder, l->holder_count), "host",
				  text_or_null(lock_advice(l->object, false)), "guest",
				  text_or_null(lock_advice(l->object, true))));
	}
	free(l);
	return list;
}

json_t *status_json(enum sl_release r, const struct leaf_ref *only, u64 value)
{
	struct status_view v;
	json_t *o = json_object();
	char since[16];

	status_look_up(r, value, &v);
	snprintf(since, sizeof(since), "1.5.%02u", v.since);
	json_object_set_new(o, "value", json_hex64(value));
	json_object_set_new(o, "name", text_or_null(v.name));
	json_object_set_new(o, "about", text_or_null(v.range));
	json_object_set_new(o, "since", v.since ? json_string(since) : json_null());
	json_object_set_new(o, "in_release", json_boolean(v.in_release));
	json_object_set_new(o, "class",
			    json_pack("{s:i, s:o}", "number", (int)v.class, "name",
				      text_or_null(v.class_name)));
	json_object_set_new(o, "flags",
			    json_pack("{s:b, s:b, s:b, s:b}", "error", (int)(value >> 63 & 1),
				      "non_recoverable", (int)(value >> 62 & 1), "fatal",
				      (int)(value >> 61 & 1), "host_recoverability_hint",
				      (int)(value >> 60 & 1)));
	json_object_set_new(o, "detail",
			    json_pack("{s:s, s:I, s:o, s:s}", "kind", detail_kind_name(v.detail),
				      "value", (json_int_t)(u32)value, "operand",
				      text_or_null(v.operand), "text", v.detail_text));
	json_object_set_new(o, "meaning", text_or_null(v.meaning));
	json_object_set_new(o, "do", text_or_null(v.advice));
	json_object_set_new(o, "locks", locks(r, only, value));
	return o;
}

static json_t *states(u32 mask, const char *(*name)(enum sl_release r, u32 i), enum sl_release r,
		      u32 count)
{
	json_t *list = json_array();

	for (u32 i = 0; i < count; i++)
		if ((mask >> i & 1) && name(r, i))
			json_array_append_new(list, json_string(name(r, i)));
	return list;
}

static const char *sept_name(enum sl_release r, u32 i)
{
	(void)r;
	return sept_state_name((enum sept_state)i);
}

static json_t *leaf_json(enum sl_release r, const struct leaf_ref *leaf)
{
	const struct lock_step *plan = leaf_plan(r, leaf);
	json_t *o = json_object(), *list = NULL;
	u32 mask;

	json_object_set_new(o, "name", json_string(leaf->name));
	json_object_set_new(o, "call", json_string(leaf->guest ? "TDCALL" : "SEAMCALL"));
	json_object_set_new(o, "number", json_integer(leaf->number));
	json_object_set_new(o, "version", json_integer(leaf->version));
	json_object_set_new(o, "about", text_or_null(leaf_about(leaf)));
	json_object_set_new(o, "modelled", json_boolean(leaf->modelled));
	if (plan || lock_free(leaf->guest, leaf->number))
		list = json_array();
	for (const struct lock_step *s = plan; s && s->object != LOCK_END; s++) {
		json_t *step = json_lock_step(r, s);

		json_object_set_new(
			step, "when",
			text_or_null(leaf_lock_note(leaf, (enum lock_object)s->object)));
		json_array_append_new(list, step);
	}
	json_object_set_new(o, "locks", list ? list : json_null());
	json_object_set_new(o, "sept_states",
			    leaf_sept_states(leaf, &mask) ? states(mask, sept_name, r, SEPT_STATES)
							  : json_null());
	json_object_set_new(o, "op_states",
			    leaf_op_states(r, leaf, &mask)
				    ? states(mask, release_op_state_name, r, OP_STATE_NUMBERS)
				    : json_null());
	return o;
}

static json_t *oracle_json(const struct oracle_info *i)
{
	json_t *o = json_object(), *when = json_array();
	const char *text;

	for (u32 bit = 0; (text = oracle_when_text(bit)); bit++)
		if (i->when >> bit & 1)
			json_array_append_new(when, json_string(text));
	json_object_set_new(o, "name", json_string(i->name));
	json_object_set_new(o, "promise", json_string(i->promise));
	json_object_set_new(o, "when", when);
	json_object_set_new(o, "condition",
			    i->condition[0] ? json_string(i->condition) : json_null());
	return o;
}

json_t *explain_json(const struct explain_context *c, const struct explain_subject *s)
{
	json_t *o = json_object(), *leaves = json_array();

	json_object_set_new(o, "input", json_string(s->text));
	json_object_set_new(o, "status",
			    s->is_status ? status_json(c->release, c->only, s->value)
					 : json_null());
	for (u32 i = 0; i < s->leaf_count; i++) {
		struct leaf_ref v1;

		json_array_append_new(leaves, leaf_json(c->release, &s->leaf[i]));
		if (!s->leaf[i].version && leaf_version_1(c->release, &s->leaf[i], &v1))
			json_array_append_new(leaves, leaf_json(c->release, &v1));
	}
	json_object_set_new(o, "leaves", leaves);
	json_object_set_new(o, "invariant", s->oracle ? oracle_json(s->oracle) : json_null());
	return o;
}
