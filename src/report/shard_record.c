// SPDX-License-Identifier: MIT
/*
 * The record of an exploration: what its JSON object does not say, so that any report on it can be made somewhere
 * else. Written and read here. Layer: report.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/override.h"
#include "report/shard.h"

static json_t *count(u64 v)
{
	return json_integer((json_int_t)v);
}

/* ---- writing --------------------------------------------------------------------------------- */

static json_t *sites_write(const struct explore_result *r)
{
	json_t *o = json_object();

	for (u32 i = 0; i < HOST_SITE_COUNT; i++) {
		const struct sl_site_stats *s = &r->stats->site[i];

		if (s->calls)
			json_object_set_new(o, host_site_name((enum host_site)i),
					    json_pack("[o, o, o]", count(s->calls), count(s->busy),
						      count(s->max_retries)));
	}
	return o;
}

static json_t *measures_write(const struct explore_result *r)
{
	json_t *o = json_object();

	for (u32 i = 0; i < HOST_SITE_COUNT; i++) {
		const struct xs_bound *b = r->search.bound[i];
		json_t *list = json_array();

		for (u32 m = 0; m < XS_MEASURES; m++)
			json_array_append_new(list, json_pack("[o, i]", count(b[m].most),
							      (int)b[m].endless));
		json_object_set_new(o, host_site_name((enum host_site)i), list);
	}
	return o;
}

json_t *shard_record(const struct sl_check *c)
{
	const struct explore_result *r = &c->result;
	const struct xs_result *x = &r->search;
	json_t *o = json_object(), *lanes = json_array();

	for (u32 i = 0; i <= r->lanes; i++)
		json_array_append_new(lanes, json_string(r->lane_name[i]));
	json_object_set_new(o, "scenario", json_stringn(c->text, c->text_size));
	json_object_set_new(o, "lanes", lanes);
	json_object_set_new(o, "all_states", count(x->all_states));
	json_object_set_new(o, "all_transitions", count(x->all_transitions));
	json_object_set_new(o, "passes", count(x->passes));
	json_object_set_new(o, "shared_words", count(x->shared_words));
	json_object_set_new(o, "depth", count(x->depth));
	json_object_set_new(o, "id", json_string(x->id));
	json_object_set_new(o, "steps", count(x->steps));
	json_object_set_new(o, "loop_start", count(x->loop_start));
	json_object_set_new(o, "preemptions", count(x->preemptions));
	json_object_set_new(o, "minimal", json_boolean(x->minimal));
	json_object_set_new(o, "sites", sites_write(r));
	json_object_set_new(o, "bounds", x->bounded ? measures_write(r) : json_null());
	return o;
}

/* ---- reading --------------------------------------------------------------------------------- */

static int bad(struct sl_err *err, const char *what)
{
	return sl_err_set(err, -EINVAL, "found no '%s', or a bad one", what);
}

/* A whole number from 0 to @max. */
static bool count_read(const json_t *v, u64 max, u64 *value)
{
	*value = (u64)json_integer_value(v);
	return json_is_integer(v) && json_integer_value(v) >= 0 && *value <= max;
}

static int u32_member(const json_t *o, const char *key, u32 *to, struct sl_err *err)
{
	u64 v;

	if (!count_read(json_object_get(o, key), UINT32_MAX, &v))
		return bad(err, key);
	*to = (u32)v;
	return 0;
}

static int u64_member(const json_t *o, const char *key, u64 *to, struct sl_err *err)
{
	return count_read(json_object_get(o, key), INT64_MAX, to) ? 0 : bad(err, key);
}

/* Null: nobody knows. */
static int ends_member(const json_t *o, u64 *to, struct sl_err *err)
{
	static const char key[] = "end_states";

	*to = XS_ENDS_UNKNOWN;
	return json_is_null(json_object_get(o, key)) ? 0 : u64_member(o, key, to, err);
}

static int real_member(const json_t *o, const char *key, double *to, struct sl_err *err)
{
	const json_t *v = json_object_get(o, key);

	*to = json_number_value(v);
	return json_is_number(v) && *to >= 0 ? 0 : bad(err, key);
}

static int text_member(const json_t *o, const char *key, char *to, size_t size, struct sl_err *err)
{
	const char *text = json_string_value(json_object_get(o, key));

	if (!text)
		return bad(err, key);
	snprintf(to, size, "%s", text);
	return 0;
}

static int numbers_read(const json_t *o, const json_t *record, struct explore_result *r,
			struct sl_err *err)
{
	struct xs_result *x = &r->search;
	u64 memory = 0, arena = 0;
	int rc = u64_member(o, "states", &x->states, err);

	rc = rc ? rc : u64_member(o, "transitions", &x->transitions, err);
	rc = rc ? rc : ends_member(o, &x->ends, err);
	rc = rc ? rc : real_member(o, "seconds", &x->seconds, err);
	rc = rc ? rc : u64_member(o, "peak_memory_bytes", &memory, err);
	rc = rc ? rc : u64_member(o, "random_runs", &x->runs, err);
	rc = rc ? rc : u32_member(o, "jobs", &x->jobs, err);
	rc = rc ? rc : u32_member(o, "symmetric_lanes", &x->symmetric, err);
	rc = rc ? rc : real_member(o, "expected_lost_states", &x->lost, err);
	rc = rc ? rc : u64_member(record, "all_states", &x->all_states, err);
	rc = rc ? rc : u64_member(record, "all_transitions", &x->all_transitions, err);
	rc = rc ? rc : u32_member(record, "passes", &x->passes, err);
	rc = rc ? rc : u32_member(record, "shared_words", &x->shared_words, err);
	rc = rc ? rc : u32_member(record, "depth", &x->depth, err);
	rc = rc ? rc : u32_member(record, "steps", &x->steps, err);
	rc = rc ? rc : u32_member(record, "loop_start", &x->loop_start, err);
	rc = rc ? rc : u32_member(record, "preemptions", &x->preemptions, err);
	rc = rc ? rc : u64_member(o, "arena_bytes", &arena, err);
	r->arena_size = (size_t)arena;
	x->memory = (size_t)memory;
	x->minimal = json_is_true(json_object_get(record, "minimal"));
	return rc;
}

static int verdict_read(const json_t *o, const json_t *record, struct xs_result *x,
			struct sl_err *err)
{
	const char *kind = json_string_value(json_object_get(o, "kind"));
	const char *limit = json_string_value(json_object_get(o, "limit"));
	bool known = false;
	u32 i;

	for (i = 0; limit && i <= XS_LIMIT_LAST && !known; i++) {
		known = !strcmp(limit, limit_name((enum xs_limit)i));
		x->limit = (enum xs_limit)i;
	}
	if (!known)
		return bad(err, "limit");
	x->kind = XS_KIND_NONE;
	if (json_is_null(json_object_get(o, "kind")))
		return 0;
	for (i = 0; kind && i < SL_VIOLATION_COUNT; i++)
		if (!strcmp(kind, sl_violation_name((enum sl_violation)i)))
			x->kind = i;
	if (x->kind == XS_KIND_NONE)
		return bad(err, "kind");
	if (text_member(record, "id", x->id, sizeof(x->id), err))
		return -EINVAL;
	return text_member(o, "detail", x->text, sizeof(x->text), err);
}

static int lanes_read(const json_t *record, struct explore_result *r, struct sl_err *err)
{
	const json_t *lanes = json_object_get(record, "lanes");
	size_t n = json_array_size(lanes);

	/* The end of the world is one more. */
	if (n < 2 || n > XP_FIBERS_MAX)
		return bad(err, "lanes");
	r->lanes = (u32)n - 1;
	for (u32 i = 0; i < n; i++) {
		const char *name = json_string_value(json_array_get(lanes, i));

		if (!name)
			return bad(err, "lanes");
		snprintf(r->lane_name[i], sizeof(r->lane_name[i]), "%s", name);
	}
	return 0;
}

static int row_read(const json_t *o, const struct explore_result *r, struct explore_row *row,
		    struct sl_err *err)
{
	const char *lane = json_string_value(json_object_get(o, "lane"));

	for (row->lane = 0; lane && row->lane <= r->lanes; row->lane++)
		if (!strcmp(lane, r->lane_name[row->lane]))
			break;
	if (!lane || row->lane > r->lanes)
		return bad(err, "lane");
	if (u32_member(o, "step", &row->step, err) ||
	    text_member(o, "object", row->object, sizeof(row->object), err))
		return -EINVAL;
	return text_member(o, "what", row->what, sizeof(row->what), err);
}

static int rows_read(const json_t *o, struct explore_result *r, struct sl_err *err)
{
	const json_t *rows = json_object_get(o, "steps");
	size_t n = json_array_size(rows);

	if (!json_is_array(rows) || n > UINT32_MAX)
		return bad(err, "steps");
	r->row = calloc(n + 1, sizeof(*r->row));
	if (!r->row)
		return sl_err_set(err, -ENOMEM, "out of memory");
	for (; r->rows < n; r->rows++)
		if (row_read(json_array_get(rows, r->rows), r, &r->row[r->rows], err))
			return -EINVAL;
	return 0;
}

static int sites_read(const json_t *record, struct explore_result *r, struct sl_err *err)
{
	const json_t *sites = json_object_get(record, "sites");

	r->stats = calloc(1, sizeof(*r->stats));
	if (!r->stats)
		return sl_err_set(err, -ENOMEM, "out of memory");
	if (!json_is_object(sites))
		return bad(err, "sites");
	for (u32 i = 0; i < HOST_SITE_COUNT; i++) {
		const json_t *v = json_object_get(sites, host_site_name((enum host_site)i));
		struct sl_site_stats *s = &r->stats->site[i];

		if (v && (!count_read(json_array_get(v, 0), INT64_MAX, &s->calls) ||
			  !count_read(json_array_get(v, 1), INT64_MAX, &s->busy) ||
			  !count_read(json_array_get(v, 2), INT64_MAX, &s->max_retries)))
			return bad(err, "sites");
	}
	return 0;
}

static int measures_read(const json_t *record, struct xs_result *x, struct sl_err *err)
{
	const json_t *sites = json_object_get(record, "bounds");

	if (json_is_null(sites))
		return 0;
	x->bounded = true;
	for (u32 i = 0; i < HOST_SITE_COUNT; i++) {
		const json_t *v = json_object_get(sites, host_site_name((enum host_site)i));

		for (u32 m = 0; m < XS_MEASURES; m++) {
			const json_t *pair = json_array_get(v, m);
			u64 most, endless;

			if (!count_read(json_array_get(pair, 0), UINT32_MAX, &most) ||
			    !count_read(json_array_get(pair, 1), XS_ENDLESS, &endless))
				return bad(err, "bounds");
			x->bound[i][m] = (struct xs_bound){ .most = (u32)most,
							    .endless = (enum xs_endless)endless };
		}
	}
	return 0;
}

/* The scenario as it was, and what the command line has made of it. */
static int scenario_read(const json_t *o, const json_t *record, struct sl_check *c,
			 struct sl_err *err)
{
	const char *path = json_string_value(json_object_get(o, "file"));
	const json_t *text = json_object_get(record, "scenario");

	if (!path || !json_is_string(text))
		return bad(err, path ? "scenario" : "file");
	c->text_size = json_string_length(text);
	c->text = malloc(c->text_size + 1);
	if (!c->text)
		return sl_err_set(err, -ENOMEM, "out of memory");
	memcpy(c->text, json_string_value(text), c->text_size + 1);
	return override_read(path, c->text, c->text_size, &c->scenario, &c->plugin, err);
}

static int trace_read(const json_t *o, struct sl_check *c, struct sl_err *err)
{
	const json_t *trace = json_object_get(o, "trace");

	if (json_is_null(trace))
		return 0;
	if (!json_is_string(trace))
		return bad(err, "trace");
	c->trace = strdup(json_string_value(trace));
	return c->trace ? 0 : sl_err_set(err, -ENOMEM, "out of memory");
}

int shard_check(const json_t *result, const struct sl_check_options *o, struct sl_check **check,
		struct sl_err *err)
{
	const json_t *record = json_object_get(result, SHARD_RECORD_KEY);
	struct sl_check *c = calloc(1, sizeof(*c));
	int rc;

	if (!c)
		return sl_err_set(err, -ENOMEM, "out of memory");
	c->options = *o;
	rc = json_is_object(record) ? scenario_read(result, record, c, err)
				    : bad(err, SHARD_RECORD_KEY);
	rc = rc ? rc : numbers_read(result, record, &c->result, err);
	rc = rc ? rc : verdict_read(result, record, &c->result.search, err);
	rc = rc ? rc : lanes_read(record, &c->result, err);
	rc = rc ? rc : rows_read(result, &c->result, err);
	rc = rc ? rc : sites_read(record, &c->result, err);
	rc = rc ? rc : measures_read(record, &c->result.search, err);
	rc = rc ? rc : trace_read(result, c, err);
	if (rc)
		sl_check_free(c);
	else
		*check = c;
	return rc;
}
