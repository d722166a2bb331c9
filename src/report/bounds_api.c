// SPDX-License-Identifier: MIT
/* The public side of bounds: every policy in every scenario. Layer: report. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/clock.h"
#include "report/bounds_report.h"
#include "report/check_report.h"
#include "report/override.h"

/* For which N the rows with one are looked at. */
#define BLIND_TRIES 16u

static bool on_interrupted(void *ctx)
{
	const struct sl_bounds_options *o = ctx;

	return o->interrupted && o->interrupted(o->ctx);
}

static int read_scenario(const char *path, struct scenario **s, struct sl_err *err)
{
	for (u32 i = 0; i < bounds_set_count; i++)
		if (bounds_set[i].path == path)
			return scenario_read_text(path, bounds_set[i].text,
						  strlen(bounds_set[i].text), s, err);
	return scenario_read_file(path, s, err);
}

static void keep(const struct explore_result *r, struct bounds_cell *cell)
{
	const struct xs_result *x = &r->search;

	cell->complete = x->bounded;
	cell->limit = x->bounded ? NULL : limit_name(x->limit);
	memcpy(cell->bound, x->bound, sizeof(cell->bound));
	cell->kind = x->kind;
	snprintf(cell->id, sizeof(cell->id), "%s", x->id);
	snprintf(cell->text, sizeof(cell->text), "%s", x->text);
	cell->states = x->states;
	for (u32 i = 0; i < SL_SITE_MAX; i++)
		cell->visited |= (u64)(r->stats->site[i].calls != 0) << i;
}

static u64 sites_off(const struct host_policy *p)
{
	u64 off = 0;

	for (u32 i = 0; i < HOST_SITE_COUNT; i++)
		off |= (u64)!host_policy_reaches(p, (enum host_site)i) << i;
	return off;
}

static bool is_own(const char *path)
{
	for (u32 i = 0; i < bounds_set_count; i++)
		if (bounds_set[i].path == path)
			return true;
	return false;
}

static int explore_one(struct sl_bounds *b, u32 policy, u32 path, double seconds,
		       struct bounds_cell *cell, struct sl_err *err)
{
	struct sl_policy_options host = b->options.host;
	struct xs_options xo = { .bounds = true,
				 .seconds = seconds,
				 .memory = b->options.memory,
				 .interrupted = on_interrupted,
				 .ctx = (void *)(uintptr_t)&b->options };
	struct explore_result r;
	struct scenario *s = NULL;
	struct plugin *plugin = NULL;
	int rc = read_scenario(b->path[path], &s, err);

	host.policy = b->name[policy];
	if (!rc)
		rc = override_all(&host, s, &plugin, err);
	if (rc == -ENOTSUP && is_own(b->path[path])) {
		*cell = (struct bounds_cell){ .complete = true,
					      .left_out = true,
					      .kind = XS_KIND_NONE };
		snprintf(cell->text, sizeof(cell->text), "%.*s", (int)sizeof(cell->text) - 1,
			 err->text);
		rc = 0;
		goto out;
	}
	if (rc)
		goto out;
	/* Claims end schedules that others would like to know the end of. */
	s->bound_count = s->never_count = 0;
	s->all_finish = false;
	snprintf(b->policy[policy], HOST_WORD_MAX, "%s", s->rules.name);
	b->off[policy] = sites_off(&s->rules);
	if (seconds <= 0) {
		*cell = (struct bounds_cell){ .limit = limit_name(XS_LIMIT_TIME),
					      .kind = XS_KIND_NONE };
		goto out;
	}
	rc = explore_scenario(s, &xo, &r, err);
	if (rc)
		goto out;
	keep(&r, cell);
	explore_free(&r);
	rc = plugin_check(plugin, err);
out:
	scenario_free(s);
	plugin_free(plugin);
	return rc;
}

static int list_policies(struct sl_bounds *b)
{
	static const char blind[] = "blind-16";
	u32 n = 0;

	while (host_policy_name(n))
		n++;
	b->policies = b->options.host.policy ? 1 : n;
	b->name = calloc(b->policies, sizeof(*b->name));
	b->policy = calloc(b->policies, sizeof(*b->policy));
	b->off = calloc(b->policies, sizeof(*b->off));
	if (!b->name || !b->policy || !b->off)
		return -ENOMEM;
	for (u32 i = 0; i < b->policies; i++) {
		const char *name = host_policy_name(i);

		b->name[i] = host_policy_is(i, name, strlen(name)) ? name : blind;
	}
	if (b->options.host.policy)
		b->name[0] = b->options.host.policy;
	return 0;
}

static int list_paths(struct sl_bounds *b)
{
	b->paths = b->options.path_count ? b->options.path_count : bounds_set_count;
	b->path = calloc(b->paths, sizeof(*b->path));
	b->cell = calloc((size_t)b->paths * b->policies, sizeof(*b->cell));
	if (!b->path || !b->cell)
		return -ENOMEM;
	for (u32 i = 0; i < b->paths; i++)
		b->path[i] = b->options.path_count ? b->options.path[i] : bounds_set[i].path;
	return 0;
}

int sl_bounds_find(const struct sl_bounds_options *o, struct sl_bounds **bounds, char *err,
		   size_t err_size)
{
	struct sl_bounds *b = calloc(1, sizeof(*b));
	struct sl_err e = { .text = "out of memory" };
	double start = clock_seconds();
	int rc = -ENOMEM;

	if (b) {
		b->options = *o;
		rc = list_policies(b);
	}
	if (!rc)
		rc = list_paths(b);
	for (u32 i = 0; !rc && i < b->policies * b->paths; i++) {
		u32 policy = i / b->paths, path = i % b->paths;
		double left = o->seconds > 0 ? o->seconds - (clock_seconds() - start) : 1e9;

		if (o->progress)
			o->progress(o->ctx, i, b->policies * b->paths, b->name[policy],
				    b->path[path]);
		rc = explore_one(b, policy, path, left, &b->cell[i], &e);
	}
	if (rc) {
		snprintf(err, err_size, "%s", e.text);
		sl_bounds_free(b);
		return rc;
	}
	*bounds = b;
	return 0;
}

const struct bounds_cell *bounds_cell(const struct sl_bounds *b, u32 policy, u32 path)
{
	return &b->cell[policy * b->paths + path];
}

static bool is_more(const struct xs_bound *a, const struct xs_bound *b)
{
	return a->endless != b->endless ? a->endless > b->endless : a->most > b->most;
}

void bounds_sum(const struct sl_bounds *b, u32 policy, u32 site, struct bounds_sum *sum)
{
	*sum = (struct bounds_sum){ .visited = false };
	for (u32 path = 0; path < b->paths; path++) {
		const struct bounds_cell *c = bounds_cell(b, policy, path);

		sum->open |= !c->complete;
		sum->visited |= c->visited >> site & 1;
		for (u32 m = 0; m < XS_MEASURES && c->complete; m++)
			if (is_more(&c->bound[site][m], &sum->bound[m])) {
				sum->bound[m] = c->bound[site][m];
				sum->path[m] = path;
			}
	}
}

bool bounds_is_off(const struct sl_bounds *b, u32 policy, u32 site)
{
	return b->off[policy] >> site & 1;
}

bool bounds_is_busy(const struct bounds_sum *s)
{
	for (u32 m = 0; m < XS_MEASURES; m++)
		if (s->bound[m].most || s->bound[m].endless)
			return true;
	return false;
}

static void print_needs(FILE *f, enum host_site site)
{
	enum host_switch sw;
	enum host_value value;

	for (u32 i = 0; host_site_need(site, i, &sw, &value); i++)
		fprintf(f, "%s%s=%s", i ? ", " : "only with ", host_switch_name(sw),
			host_value_name(value));
}

char *bounds_unreached(const struct sl_bounds *b, u32 first, u32 count, u32 site)
{
	const char *why = host_site_endless((enum host_site)site);
	bool off = true;
	char *text = NULL;
	size_t size;
	FILE *f;

	for (u32 i = first; i < first + count; i++) {
		struct bounds_sum s;

		bounds_sum(b, i, site, &s);
		if (s.visited)
			return NULL;
		off &= bounds_is_off(b, i, site);
	}
	f = open_memstream(&text, &size);
	if (!f)
		return NULL;
	if (off)
		print_needs(f, (enum host_site)site);
	else
		fputs(why ? why : "not in these scenarios", f);
	fclose(f);
	return text;
}

enum sl_exit sl_bounds_exit(const struct sl_bounds *b)
{
	for (u32 i = 0; i < b->policies * b->paths; i++)
		if (!b->cell[i].complete)
			return SL_EXIT_INCONCLUSIVE;
	return SL_EXIT_EXPECTED;
}

char *sl_bounds_report(const struct sl_bounds *b, enum sl_format format)
{
	return format == SL_FORMAT_JSON ? bounds_report_json(b) : bounds_report_text(b);
}

void sl_bounds_free(struct sl_bounds *b)
{
	if (!b)
		return;
	free(b->policy);
	free(b->off);
	free(b->name);
	free(b->path);
	free(b->cell);
	free(b);
}
