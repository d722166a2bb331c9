// SPDX-License-Identifier: MIT
/* Merging of lane counters. Layer: base. */
#include "base/stats.h"

static const char *const counter_text[SL_CTR_COUNT] = {
#define SL_COUNTER(ident, text) [SL_CTR_##ident] = (text),
#include "base/counter.def"
#undef SL_COUNTER
};

const char *sl_counter_text(enum sl_counter c)
{
	return counter_text[c];
}

static void add_all(u64 *to, const u64 *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] += from[i];
}

void sl_stats_merge(struct sl_stats *to, const struct sl_stats *from)
{
	for (u32 i = 0; i < SL_CTR_COUNT; i++)
		atomic_fetch_add_explicit(&to->counter[i],
					  atomic_load_explicit(&from->counter[i],
							       memory_order_relaxed),
					  memory_order_relaxed);
	add_all(to->seamcalls, from->seamcalls, TDX_SEAMCALL_COUNT);
	add_all(to->tdcalls, from->tdcalls, TDX_TDCALL_COUNT);
	add_all(&to->seamcall_busy[0][0], &from->seamcall_busy[0][0],
		(size_t)TDX_SEAMCALL_COUNT * SL_OPERAND_SLOTS);
	add_all(&to->tdcall_busy[0][0], &from->tdcall_busy[0][0],
		(size_t)TDX_TDCALL_COUNT * SL_OPERAND_SLOTS);
	for (u32 i = 0; i < SL_SITE_MAX; i++) {
		to->site[i].calls += from->site[i].calls;
		to->site[i].busy += from->site[i].busy;
		if (from->site[i].max_retries > to->site[i].max_retries)
			to->site[i].max_retries = from->site[i].max_retries;
		sl_hist_merge(&to->site[i].ticks, &from->site[i].ticks);
	}
}
