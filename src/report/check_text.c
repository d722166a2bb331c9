// SPDX-License-Identifier: MIT
/* The text report of an exploration. Layer: report. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "host/policy.h"
#include "report/override.h"
#include "report/policy_report.h"
#include "report/check_report.h"
#include "report/table.h"

/*
 * What a lane met at each site. Without --bounds these are maxima over the paths that the search took:
 * states that differ in such a count alone are one. Several jobs take other paths in each run.
 */
static void print_bounds(FILE *f, const struct sl_check *c)
{
	const struct sl_stats *s = c->result.stats;

	for (u32 i = 0; i < HOST_SITE_COUNT; i++) {
		const struct xs_bound *bound = c->result.search.bound[i];
		char visit[BOUND_TEXT_MAX], row[BOUND_TEXT_MAX];

		if (c->result.search.bounded && (bound[XS_ROW].most || bound[XS_ROW].endless))
			fprintf(f, "  %-18s BUSY in one visit: %s, in a row: %s\n",
				host_site_name((enum host_site)i),
				bound_text(&bound[XS_VISIT], visit),
				bound_text(&bound[XS_ROW], row));
		else if (c->result.search.bounded || !s->site[i].busy)
			continue;
		else if (c->result.search.jobs > 1)
			fprintf(f, "  %-18s BUSY seen; --bounds tells how often\n",
				host_site_name((enum host_site)i));
		else
			fprintf(f, "  %-18s BUSY seen up to %" PRIu64 " times in one visit\n",
				host_site_name((enum host_site)i), s->site[i].max_retries);
	}
}

static void print_limit(FILE *f, const struct sl_check *c)
{
	const struct xs_result *x = &c->result.search;

	switch (x->limit) {
	case XS_COMPLETE:
		return;
	case XS_LIMIT_PREEMPTIONS:
		fprintf(f, " (no violation with at most %u preemptions)", c->options.preemptions);
		return;
	case XS_LIMIT_STORES:
		fprintf(f, " (no violation with store buffers of %u stores, which were full)",
			c->scenario->store_buffer);
		return;
	case XS_LIMIT_RUNS:
		fprintf(f, " (no violation in %" PRIu64 " random runs)", x->runs);
		return;
	default:
		fprintf(f, " (limit reached: %s)", check_limit(c));
	}
}

static void print_counts(FILE *f, const struct sl_check *c)
{
	const struct xs_result *x = &c->result.search;
	double rate = x->seconds > 0 ? (double)x->all_transitions / x->seconds / 1e6 : 0.0;

	if (c->options.runs) {
		fprintf(f,
			"  %" PRIu64 " random runs from seed %" PRIu64 ", %" PRIu64
			" transitions, %.2f s, %.2f M transitions/s\n"
			"  at most %u steps, %u shared words\n",
			x->runs, c->options.run_seed, x->transitions, x->seconds, rate, x->depth,
			x->shared_words);
		return;
	}
	fprintf(f,
		"  %" PRIu64 " states, %" PRIu64 " transitions, %.2f s, %.2f M transitions/s\n  ",
		x->states, x->transitions, x->seconds, rate);
	/* What depends on who was faster is left out. */
	if (x->jobs > 1)
		fprintf(f, "%u jobs, %u shared words", x->jobs, x->shared_words);
	else
		fprintf(f, "depth %u, %u passes, %u shared words", x->depth, x->passes,
			x->shared_words);
	if (check_ends(c) != XS_ENDS_UNKNOWN)
		fprintf(f, ", %" PRIu64 " end state%s", check_ends(c),
			check_ends(c) == 1 ? "" : "s");
	if (x->symmetric)
		fprintf(f, ", %u interchangeable lanes", x->symmetric);
	/* Worth a word only where it is not next to nothing. */
	if (x->lost > 1e-6)
		fprintf(f, ", %.1g states lost to equal fingerprints (expected)", x->lost);
	if (c->options.exact)
		fprintf(f, ", states compared exactly");
	fprintf(f, "\n");
}

void check_print_options(FILE *f, const struct sl_check_options *o)
{
	if (o->hash_seed)
		fprintf(f, " --hash-seed %" PRIu64, o->hash_seed);
	if (o->no_reduction)
		fprintf(f, " --no-reduction");
	if (o->no_checkpoints)
		fprintf(f, " --no-checkpoints");
	if (o->no_memo)
		fprintf(f, " --no-memo");
	if (o->no_symmetry)
		fprintf(f, " --no-symmetry");
	if (o->audit)
		fprintf(f, " --audit");
	if (o->cycle)
		fprintf(f, " --cycle %s", o->cycle);
	else if (o->bounds)
		fprintf(f, " --bounds");
	if (o->exact)
		fprintf(f, " --exact");
	if (o->memory_model)
		fprintf(f, " --memory-model %s", o->memory_model);
	if (o->store_buffer)
		fprintf(f, " --store-buffer %u", o->store_buffer);
	if (o->depth)
		fprintf(f, " --depth %u", o->depth);
	if (o->bounded)
		fprintf(f, " --preemptions %u", o->preemptions);
	if (o->runs)
		fprintf(f, " --random %u --seed %" PRIu64, o->runs, o->run_seed);
}

/* The command that comes to the same result. */
static void print_again(FILE *f, const struct sl_check *c)
{
	const struct sl_check_options *o = &c->options;

	if (c->trace) {
		fprintf(f, "\nagain: seamlab replay %s\n", c->trace);
		return;
	}
	if (!check_kind(c) && check_as_expected(c))
		return;
	fprintf(f, "\nagain: seamlab check");
	override_print(f, c->text, c->text_size);
	check_print_options(f, o);
	if (o->runs && o->shards)
		fprintf(f, " --shard %u/%u", o->shard, o->shards);
	fprintf(f, " %s\n", c->scenario->path);
}

/* A search that a limit has ended can go on. */
static void print_resume(FILE *f, const struct sl_check *c)
{
	const struct sl_check_options *o = &c->options;

	if (c->result.search.limit == XS_COMPLETE || sl_check_checkpoint(c, NULL, 0) <= 0)
		return;
	fprintf(f, "\non: seamlab check");
	override_print(f, c->text, c->text_size);
	check_print_options(f, o);
	fprintf(f, " --resume %s %s\n", o->checkpoint, c->scenario->path);
}

char *check_report_text(const struct sl_check *c)
{
	const struct xs_result *x = &c->result.search;
	const struct scenario *s = c->scenario;
	const struct sl_text_style *style = &c->options.style;
	struct table_out out;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	out = table_out(f, style);
	fprintf(f, "%s: ", s->path);
	style_begin(f, style,
		    check_kind(c)             ? STYLE_BAD
		    : x->limit == XS_COMPLETE ? STYLE_GOOD
					      : STYLE_OPEN);
	fputs(check_verdict(c), f);
	if (check_kind(c))
		fprintf(f, "(%s)", check_kind(c));
	style_end(f, style);
	if (!check_kind(c))
		print_limit(f, c);
	fprintf(f, ", %s\n", check_as_expected(c) ? "as expected" : "NOT as expected");
	fprintf(f, "  %s\n", s->title);
	policy_print_world(f, s, c->result.lanes);
	memory_print(f, explore_store_buffer(s));
	print_counts(f, c);
	if (x->kind == XS_KIND_NONE) {
		print_bounds(f, c);
	} else {
		table_finding(&out, x->id, x->text);
		table_print(&out, &c->result);
	}
	print_again(f, c);
	print_resume(f, c);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}
