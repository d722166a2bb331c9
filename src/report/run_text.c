// SPDX-License-Identifier: MIT
/* The text report of a run. Layer: report. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "host/policy.h"
#include "report/policy_report.h"
#include "report/run_report.h"
#include "report/style.h"

static u64 counter(const struct sl_run *run, enum sl_counter c)
{
	return atomic_load_explicit(&run->result.stats.counter[c], memory_order_relaxed);
}

static double rate(const struct sl_run *run, enum sl_counter c)
{
	return run->result.run_seconds > 0 ? (double)counter(run, c) / run->result.run_seconds : 0;
}

/* 1234567 as "1,234,567". Returns @buf. */
static const char *grouped(u64 v, char buf[32])
{
	char digits[24];
	int n = snprintf(digits, sizeof(digits), "%" PRIu64, v), at = 0;

	for (int i = 0; i < n; i++) {
		if (i && (n - i) % 3 == 0)
			buf[at++] = ',';
		buf[at++] = digits[i];
	}
	buf[at] = '\0';
	return buf;
}

static void row_counter(FILE *f, const struct sl_run *run, enum sl_counter c, bool per_second)
{
	char a[32], b[32];

	fprintf(f, "  %-28s %15s", sl_counter_text(c), grouped(counter(run, c), a));
	if (per_second)
		fprintf(f, " %15s/s", grouped((u64)rate(run, c), b));
	fputc('\n', f);
}

static void print_counters(FILE *f, const struct sl_run *run)
{
	static const enum sl_counter rates[] = {
		SL_CTR_pages_accepted, SL_CTR_pages_mapped, SL_CTR_pages_zapped,
		SL_CTR_guest_accesses, SL_CTR_tlb_hits,     SL_CTR_ept_violations,
		SL_CTR_ve_injected,
	};
	static const enum sl_counter contention[] = {
		SL_CTR_guest_busy,       SL_CTR_guest_busy_hp,   SL_CTR_enter_busy,
		SL_CTR_local_retries,    SL_CTR_kicks,           SL_CTR_kicked_vcpus,
		SL_CTR_held_off,         SL_CTR_second_attempts, SL_CTR_second_attempts_failed,
		SL_CTR_zero_step_listed, SL_CTR_zero_step_exits, SL_CTR_hp_timeouts,
	};

	fprintf(f, "\nwork\n");
	for (u32 i = 0; i < ARRAY_SIZE(rates); i++)
		row_counter(f, run, rates[i], true);
	if (counter(run, SL_CTR_tds_built) > 1)
		row_counter(f, run, SL_CTR_tds_built, true);
	fprintf(f, "\ncontention\n");
	for (u32 i = 0; i < ARRAY_SIZE(contention); i++)
		row_counter(f, run, contention[i], false);
}

/* One row per operand that was busy, under the leaf's own row. */
static void print_leaf(FILE *f, const char *name, u64 calls, const u64 busy[SL_OPERAND_SLOTS])
{
	char a[32], b[32];
	u64 total = 0;

	for (u32 i = 0; i < SL_OPERAND_SLOTS; i++)
		total += busy[i];
	fprintf(f, "  %-28s %15s %12s", name, grouped(calls, a), grouped(total, b));
	for (u32 i = 0; i < SL_OPERAND_SLOTS; i++) {
		const char *operand = tdx_operand_name(i);

		if (!busy[i])
			continue;
		fprintf(f, "  %s %s", operand ? operand : "?", grouped(busy[i], a));
	}
	fputc('\n', f);
}

static void print_leaves(FILE *f, const struct sl_run *run)
{
	const struct sl_stats *s = &run->result.stats;

	fprintf(f, "\n  %-28s %15s %12s  by operand\n", "leaf", "calls", "BUSY");
	for (u32 i = 0; i < TDX_SEAMCALL_COUNT; i++)
		if (s->seamcalls[i] && tdx_seamcall_name(i))
			print_leaf(f, tdx_seamcall_name(i), s->seamcalls[i], s->seamcall_busy[i]);
	for (u32 i = 0; i < TDX_TDCALL_COUNT; i++)
		if (s->tdcalls[i] && tdx_tdcall_name(i))
			print_leaf(f, tdx_tdcall_name(i), s->tdcalls[i], s->tdcall_busy[i]);
}

static double quantile_us(const struct sl_run *run, const struct sl_hist *h, double q)
{
	return (double)sl_hist_quantile(h, q) / (double)run->result.tsc_per_us;
}

static void print_sites(FILE *f, const struct sl_run *run)
{
	const struct sl_stats *s = &run->result.stats;
	char a[32];
	bool any = false;

	for (u32 i = 0; i < HOST_SITE_COUNT; i++)
		any |= s->site[i].ticks.count != 0;
	fprintf(f, "\nhost's time to get through a contended site, microseconds\n");
	if (!any) {
		fprintf(f, "  no site was contended\n");
		return;
	}
	fprintf(f, "  %-16s %10s %12s %9s %9s %9s %9s\n", "site", "times", "most retries", "p50",
		"p99", "p99.9", "max");
	for (u32 i = 0; i < HOST_SITE_COUNT; i++) {
		const struct sl_site_stats *t = &s->site[i];

		if (!t->ticks.count)
			continue;
		fprintf(f, "  %-16s %10s %12" PRIu64 " %9.1f %9.1f %9.1f %9.1f\n",
			host_site_name((enum host_site)i), grouped(t->ticks.count, a),
			t->max_retries, quantile_us(run, &t->ticks, 0.5),
			quantile_us(run, &t->ticks, 0.99), quantile_us(run, &t->ticks, 0.999),
			(double)t->ticks.max / (double)run->result.tsc_per_us);
	}
}

static void print_findings(FILE *f, const struct sl_run *run)
{
	const struct threads_result *r = &run->result;
	u32 shown = r->findings < THREADS_FINDINGS_MAX ? r->findings : THREADS_FINDINGS_MAX;

	if (!r->findings)
		return;
	fprintf(f, "\nfindings: %u\n", r->findings);
	for (u32 i = 0; i < shown; i++)
		fprintf(f, "  %s (%s, lane %s): %s\n", sl_violation_name(r->finding[i].kind),
			r->finding[i].id, r->finding[i].lane, r->finding[i].text);
	/* Real time: the same seed gives the same random pages, not the same interleaving. */
	fprintf(f, "again: seamlab run %s --seconds %g --seed %" PRIu64 "\n", run->scenario->path,
		run->seconds, run->seed);
}

static void print_verdict(FILE *f, const struct sl_run *run)
{
	const struct scenario *s = run->scenario;

	fputs("\nverdict: ", f);
	if (run->result.findings) {
		style_begin(f, &run->style, STYLE_BAD);
		fprintf(f, "violated(%s)", run_kind(run));
		style_end(f, &run->style);
		fprintf(f, ", %s\n", run_as_expected(run) ? "as expected" : "NOT as expected");
	} else if (run->result.interrupted) {
		style_begin(f, &run->style, STYLE_OPEN);
		fputs("inconclusive", f);
		style_end(f, &run->style);
		fputs(" (interrupted); nothing was found so far\n", f);
	} else {
		style_begin(f, &run->style, STYLE_GOOD);
		fputs("nothing was found in this run", f);
		style_end(f, &run->style);
		if (s->expect == SCN_VIOLATED)
			fprintf(f, ", although violated(%s) is possible\n",
				s->expect_kind ? s->expect_kind : "any");
		else
			fputs(" (a run is no proof)\n", f);
	}
}

char *run_report_text(const struct sl_run *run)
{
	const struct threads_result *r = &run->result;
	const struct scenario *s = run->scenario;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	fprintf(f, "%s\n", s->title);
	fprintf(f, "%s%s%s%s%s, %u lanes, seed %" PRIu64 "\n",
		s->td_count ? "module " : "lock word ",
		s->td_count ? sl_release_name(s->module.release) : "", s->td_count ? " " : "",
		s->module.flavour == SL_HARDENED ? "hardened" : "published", policy_text(s).text,
		r->lanes, run->seed);
	fprintf(f, "built in %.2f s, ran %.2f s%s, torn down in %.2f s, %.0f MB at most\n",
		r->build_seconds, r->run_seconds, r->finished ? " (all lanes done)" : "",
		r->teardown_seconds, (double)r->rss_peak_bytes / 1e6);
	print_counters(f, run);
	print_leaves(f, run);
	print_sites(f, run);
	print_findings(f, run);
	print_verdict(f, run);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}
