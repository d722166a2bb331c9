// SPDX-License-Identifier: MIT
/* The public side of exploring a scenario. Layer: report. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/explore/order.h"
#include "engine/explore/store_buffer.h"
#include "report/check_report.h"
#include "report/override.h"
#include "report/shard.h"

/* Seconds that the search for the shortest counterexample may take. */
#define MINIMISE_SECONDS 10.0

_Static_assert(SL_JOBS_MAX == XS_JOBS_MAX, "one says to users what the other one does");

static void on_progress(void *ctx, const struct xs_progress *p)
{
	const struct sl_check_options *o = ctx;
	struct sl_check_progress out = { .seconds = p->seconds,
					 .states = p->states,
					 .transitions = p->transitions,
					 .depth = p->depth,
					 .pass = p->pass,
					 .memory = p->memory };

	o->progress(o->ctx, &out);
}

static bool on_interrupted(void *ctx)
{
	const struct sl_check_options *o = ctx;

	return o->interrupted && o->interrupted(o->ctx);
}

static int find_cycle_site(const char *name, struct xs_options *xo, struct sl_err *err)
{
	for (u32 i = 0; i < HOST_SITE_COUNT; i++)
		if (!strcmp(name, host_site_name((enum host_site)i))) {
			xo->cycle_site = i + 1;
			return 0;
		}
	return sl_err_set(
		err, -EINVAL,
		"--cycle: found '%s'; expected a site of the host, such as fault-aug or enter",
		name);
}

static int set_store_buffer(struct scenario *s, u32 stores, struct sl_err *err)
{
	if (s->memory != SCN_TSO)
		return sl_err_set(err, -EINVAL,
				  "%s: found a store buffer of %u stores and memory model sc; "
				  "expected memory model tso with it",
				  s->path, stores);
	if (stores > SB_STORES_MAX)
		return sl_err_set(err, -EINVAL,
				  "found a store buffer of %u stores; expected at most %u", stores,
				  SB_STORES_MAX);
	s->store_buffer = stores;
	return 0;
}

int sl_check_scenario(const struct sl_check_options *o, struct sl_check **check, char *err,
		      size_t err_size)
{
	struct xs_options xo = { .seed = o->hash_seed,
				 .no_reduction = o->no_reduction,
				 .no_checkpoints = o->no_checkpoints,
				 .no_memo = o->no_memo,
				 .no_symmetry = o->no_symmetry,
				 .audit = o->audit,
				 .bounds = o->bounds,
				 .exact = o->exact,
				 .bounded = o->bounded,
				 .preemptions = o->preemptions,
				 .runs = o->runs,
				 .run_seed = o->run_seed,
				 .run_block = XS_RUN_BLOCK,
				 .jobs = o->jobs,
				 .order_runs = XS_ORDER_RUNS,
				 .races = true,
				 .seconds = o->seconds,
				 .memory = o->memory,
				 .depth = o->depth,
				 .minimise_seconds = MINIMISE_SECONDS,
				 .progress = o->progress ? on_progress : NULL,
				 .interrupted = on_interrupted,
				 .ctx = (void *)(uintptr_t)o };
	struct sl_check *c = calloc(1, sizeof(*c));
	struct xs_keeper keeper;
	struct xs_source source;
	struct sl_err e = { .text = "" };
	int rc = -ENOMEM;

	shard_runs(o, &xo);
	if (!c) {
		sl_err_set(&e, rc, "out of memory");
		goto out;
	}
	c->options = *o;
	rc = scenario_read_bytes(o->path, &c->text, &c->text_size, &e);
	if (!rc)
		rc = scenario_read_text(o->path, c->text, c->text_size, &c->scenario, &e);
	if (!rc && o->no_slow && c->scenario->slow)
		rc = sl_err_set(&e, -ENOTSUP, "%s: slow: named by itself it is checked", o->path);
	if (!rc)
		rc = override_all(&o->host, c->scenario, &c->plugin, &e);
	if (!rc && o->memory_model)
		rc = scenario_set_memory(c->scenario, o->memory_model, &e);
	if (!rc && o->store_buffer)
		rc = set_store_buffer(c->scenario, o->store_buffer, &e);
	if (!rc && o->cycle)
		rc = find_cycle_site(o->cycle, &xo, &e);
	if (!rc && override_write(&o->host, c->plugin, &c->text, &c->text_size))
		rc = sl_err_set(&e, -ENOMEM, "out of memory");
	if (!rc)
		rc = check_open_saved(c, &e);
	if (!rc && c->writer) {
		keeper = save_keeper(c->writer, o->checkpoint_every);
		xo.keeper = &keeper;
	}
	if (!rc && c->reader) {
		source = save_source(c->reader);
		xo.resume = &source;
	}
	if (!rc)
		rc = explore_scenario(c->scenario, &xo, &c->result, &e);
	if (!rc)
		rc = plugin_check(c->plugin, &e);
out:
	if (rc) {
		snprintf(err, err_size, "%s", e.text);
		sl_check_free(c);
		return rc;
	}
	*check = c;
	return 0;
}

const char *check_verdict(const struct sl_check *c)
{
	if (c->result.search.kind != XS_KIND_NONE)
		return "violated";
	return c->result.search.limit == XS_COMPLETE ? "holds" : "inconclusive";
}

const char *check_kind(const struct sl_check *c)
{
	u32 kind = c->result.search.kind;

	return kind == XS_KIND_NONE ? NULL : sl_violation_name((enum sl_violation)kind);
}

u64 check_ends(const struct sl_check *c)
{
	return strcmp(check_verdict(c), "holds") != 0 ? XS_ENDS_UNKNOWN : c->result.search.ends;
}

const char *check_limit(const struct sl_check *c)
{
	return limit_name(c->result.search.limit);
}

const char *limit_name(enum xs_limit limit)
{
	switch (limit) {
	case XS_LIMIT_TIME:
		return "time";
	case XS_LIMIT_MEMORY:
		return "memory";
	case XS_LIMIT_DEPTH:
		return "depth";
	case XS_LIMIT_INTERRUPTED:
		return "interrupted";
	case XS_LIMIT_PREEMPTIONS:
		return "preemptions";
	case XS_LIMIT_RUNS:
		return "random";
	case XS_LIMIT_STORES:
		return "store-buffer";
	case XS_LIMIT_SITES:
		return "sites";
	case XS_COMPLETE:
	default:
		return "none";
	}
}

const char *bound_text(const struct xs_bound *b, char text[BOUND_TEXT_MAX])
{
	if (b->endless)
		snprintf(text, BOUND_TEXT_MAX, "%s",
			 b->endless == XS_UNFAIR ? "unfair" : "unbounded");
	else
		snprintf(text, BOUND_TEXT_MAX, "%u", b->most);
	return text;
}

json_t *bound_json(const struct xs_bound *b)
{
	char text[BOUND_TEXT_MAX];

	return b->endless ? json_string(bound_text(b, text)) : json_integer(b->most);
}

bool check_as_expected(const struct sl_check *c)
{
	const struct scenario *s = c->scenario;
	const char *verdict = check_verdict(c);

	if (c->options.cycle)
		return check_kind(c) && !strcmp(c->result.search.id, XS_CYCLE_ID);
	switch (s->expect) {
	case SCN_HOLDS:
		return !strcmp(verdict, "holds");
	case SCN_VIOLATED:
		return !strcmp(verdict, "violated") &&
		       (!s->expect_kind || !strcmp(s->expect_kind, check_kind(c)));
	case SCN_INCONCLUSIVE:
	default:
		return !strcmp(verdict, "inconclusive");
	}
}

enum sl_exit sl_check_exit(const struct sl_check *c)
{
	if (check_as_expected(c))
		return SL_EXIT_EXPECTED;
	return c->result.search.limit != XS_COMPLETE && c->result.search.kind == XS_KIND_NONE
		       ? SL_EXIT_INCONCLUSIVE
		       : SL_EXIT_UNEXPECTED;
}

char *sl_check_report(const struct sl_check *c, enum sl_format format)
{
	return format == SL_FORMAT_JSON ? check_report_json(c) : check_report_text(c);
}

static void fill_trace(const struct sl_check *c, struct trace *t)
{
	const struct xs_result *x = &c->result.search;

	*t = (struct trace){ .scenario_path = c->scenario->path,
			     .scenario = c->text,
			     .scenario_size = (u32)c->text_size,
			     .hash_seed = c->options.hash_seed,
			     .no_reduction = c->options.no_reduction,
			     .certain = x->certain,
			     .minimal = x->minimal,
			     .store_buffer = strcmp(x->id, XO_RACE_ID)
						     ? explore_store_buffer(c->scenario)
						     : 0,
			     .arena_size = c->result.arena_size,
			     .fibers = c->result.lanes + 1,
			     .preemptions = x->preemptions,
			     .loop_start = x->loop_start,
			     .steps = x->steps,
			     .shared_count = c->result.shared_count,
			     .step = c->result.check,
			     .shared = c->result.shared };
	t->build_id_size = trace_build_id(t->build_id);
	snprintf(t->version, sizeof(t->version), "%s", sl_version());
	snprintf(t->kind, sizeof(t->kind), "%s", check_kind(c));
	snprintf(t->id, sizeof(t->id), "%s", x->id);
	snprintf(t->text, sizeof(t->text), "%s", x->text);
}

int sl_check_save(struct sl_check *c, const char *path, char *err, size_t err_size)
{
	struct sl_err e = { .text = "" };
	struct trace t;
	char *copy;
	int rc;

	if (!check_kind(c))
		return 0;
	copy = strdup(path);
	if (!copy) {
		rc = sl_err_set(&e, -ENOMEM, "out of memory");
	} else if (!c->result.check) {
		rc = sl_err_set(&e, -EIO, "%s: the counterexample could not be played again", path);
	} else {
		fill_trace(c, &t);
		rc = trace_write_file(path, &t, &e);
	}
	if (rc) {
		free(copy);
		snprintf(err, err_size, "%s", e.text);
		return rc;
	}
	free(c->trace);
	c->trace = copy;
	return 1;
}

void sl_check_free(struct sl_check *c)
{
	if (!c)
		return;
	explore_free(&c->result);
	if (c->scenario)
		scenario_free(c->scenario);
	plugin_free(c->plugin);
	save_writer_free(c->writer);
	save_reader_free(c->reader);
	free(c->text);
	free(c->trace);
	free(c);
}
