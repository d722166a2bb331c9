// SPDX-License-Identifier: MIT
/* The text report of an exploration. Layer: report. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "host/policy.h"
#include "report/check_report.h"
#include "report/table.h"

static void print_bounds(FILE *f, const struct sl_check *c)
{
	const struct sl_stats *s = c->result.stats;

	for (u32 i = 0; i < HOST_SITE_COUNT; i++)
		if (s->site[i].busy)
			fprintf(f, "  %-18s BUSY at most %" PRIu64 " times in one visit\n",
				host_site_name((enum host_site)i), s->site[i].max_retries);
}

char *check_report_text(const struct sl_check *c)
{
	const struct xs_result *x = &c->result.search;
	const struct scenario *s = c->scenario;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	fprintf(f, "%s: %s", s->path, check_verdict(c));
	if (check_kind(c))
		fprintf(f, "(%s)", check_kind(c));
	else if (x->limit != XS_COMPLETE)
		fprintf(f, " (limit reached: %s)", check_limit(c));
	fprintf(f, ", %s\n", check_as_expected(c) ? "as expected" : "NOT as expected");
	fprintf(f, "  %s\n", s->title);
	fprintf(f, "  %s %s%s%s, %u lanes\n", s->td_count ? "module 1.5.01" : "lock word",
		s->module.flavour == SL_HARDENED ? "hardened" : "published",
		s->td_count ? ", policy " : "", s->td_count ? s->policy : "", c->result.lanes);
	fprintf(f,
		"  %" PRIu64 " states, %" PRIu64 " transitions, %.2f s, %.2f M transitions/s\n"
		"  depth %u, %u passes, %u shared words\n",
		x->states, x->transitions, x->seconds,
		x->seconds > 0 ? (double)x->all_transitions / x->seconds / 1e6 : 0.0, x->depth,
		x->passes, x->shared_words);
	if (x->kind == XS_KIND_NONE) {
		print_bounds(f, c);
	} else {
		table_finding(f, x->id, x->text);
		table_print(f, &c->result);
	}
	if (c->trace)
		fprintf(f, "\nagain: seamlab replay %s\n", c->trace);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}
