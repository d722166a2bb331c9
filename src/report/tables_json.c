// SPDX-License-Identifier: MIT
/* seamlab explain --tables: every table of a release as one JSON object. Layer: report. */
#include <stdlib.h>

#include <seamlab/tdx_abi.h>

#include "module/release.h"
#include "module/sept.h"
#include "report/explain.h"

static json_t *statuses(enum sl_release r)
{
	json_t *o = json_object();

#define SL_STATUS(name, upper) json_object_set_new(o, "TDX_" #name, json_hex64((u64)(upper) << 32));
#include <seamlab/tdx_status.def>
#define SL_NEW_STATUS(since, name, upper, who) \
	if (release_has(r, since))             \
		SL_STATUS(name, upper)
#include <seamlab/tdx_release.def>
#undef SL_NEW_STATUS
#undef SL_STATUS
	json_object_set_new(o, "TDX_UNINITIALIZE_ERROR", json_hex64(TDX_UNINITIALIZE_ERROR));
	return o;
}

static json_t *status_ranges(void)
{
	json_t *list = json_array();

#define SL_STATUS(name, upper)
#define SL_STATUS_RANGE(first_, last_, about_)                                         \
	json_array_append_new(list, json_pack("{s:o, s:o, s:s}", "first",              \
					      json_hex64((u64)(first_) << 32), "last", \
					      json_hex64((u64)(last_) << 32), "about", (about_)));
#include <seamlab/tdx_status.def>
#undef SL_STATUS
	return list;
}

static json_t *operands(enum sl_release r)
{
	json_t *o = json_object();

#define SL_OPERAND(name, id) json_object_set_new(o, #name, json_integer(id));
#include <seamlab/tdx_operand.def>
#define SL_NEW_OPERAND(since, name, id) \
	if (release_has(r, since))      \
		SL_OPERAND(name, id)
#include <seamlab/tdx_release.def>
#undef SL_NEW_OPERAND
#undef SL_OPERAND
	return o;
}

static json_t *sept_states(void)
{
	json_t *o = json_object();

#define SL_SEPT(idx, name, code_, public_, flags) \
	json_object_set_new(o, #name,             \
			    json_pack("{s:i, s:i}", "code", (code_), "public", (public_)));
#include "module/sept_state.def"
#undef SL_SEPT
	return o;
}

static json_t *plan(enum sl_release r, const struct leaf_ref *leaf)
{
	json_t *list = json_array();

	for (const struct lock_step *s = leaf_plan(r, leaf); s && s->object != LOCK_END; s++)
		json_array_append_new(list, json_lock_step(r, s));
	return list;
}

static json_t *sept_names(u32 mask)
{
	json_t *list = json_array();

	for (u32 i = 0; i < SEPT_STATES; i++)
		if (mask >> i & 1)
			json_array_append_new(list,
					      json_string(sept_state_name((enum sept_state)i)));
	return list;
}

static json_t *op_names(enum sl_release r, u32 mask)
{
	json_t *list = json_array();

	for (u32 i = 0; i < OP_STATE_NUMBERS; i++)
		if ((mask >> i & 1) && release_op_state_name(r, i))
			json_array_append_new(list, json_string(release_op_state_name(r, i)));
	return list;
}

char *sl_tables(enum sl_release r)
{
	json_t *seamcall = json_object(), *tdcall = json_object(), *plans = json_object();
	json_t *sept_allowed = json_object(), *op_allowed = json_object(), *o;
	const struct leaf_ref *leaf;
	struct leaf_ref v1;
	char title[64], *text;
	u32 mask;

	leaf_each (r, leaf) {
		json_object_set_new(leaf->guest ? tdcall : seamcall, leaf->name,
				    json_integer(leaf->number));
		if (leaf_sept_states(leaf, &mask))
			json_object_set_new(sept_allowed, leaf->name, sept_names(mask));
		if (leaf_op_states(r, leaf, &mask))
			json_object_set_new(op_allowed, leaf->name, op_names(r, mask));
		/* A leaf without a key here is one of which nothing is known. */
		if (leaf_plan(r, leaf) || lock_free(leaf->guest, leaf->number))
			json_object_set_new(plans, leaf->name, plan(r, leaf));
		if (leaf_version_1(r, leaf, &v1))
			json_object_set_new(plans, leaf_title(&v1, title), plan(r, &v1));
	}
	o = json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "release",
		      sl_release_name(r), "status", statuses(r), "status_ranges", status_ranges(),
		      "operand", operands(r), "seamcall", seamcall, "tdcall", tdcall, "sept_states",
		      sept_states(), "sept_allowed", sept_allowed, "op_allowed", op_allowed,
		      "lock_plans", plans);
	text = o ? json_dumps(o, JSON_INDENT(2)) : NULL;
	json_decref(o);
	return text;
}
