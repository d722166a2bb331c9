/* SPDX-License-Identifier: MIT */
/*
 * Counters of one lane. Never part of model state: no model code may read them back.
 * One writer (the lane); the engine merges them after the lane has stopped, and reads the event
 * counters for its progress line while the lane runs (hence atomic, relaxed).
 * Layer: base.
 */
#ifndef SL_BASE_STATS_H
#define SL_BASE_STATS_H

#include <seamlab/tdx_abi.h>

#include "base/env.h"
#include "base/hist.h"

#define SL_SITE_MAX      64
#define SL_OPERAND_SLOTS 256

enum sl_counter {
#define SL_COUNTER(ident, text) SL_CTR_##ident,
#include "base/counter.def"
#undef SL_COUNTER
	SL_CTR_COUNT
};

struct sl_site_stats {
	u64 calls;            /* times the host came to this site */
	u64 busy;             /* BUSY results here */
	u64 max_retries;      /* largest number of BUSY results in one visit */
	struct sl_hist ticks; /* TSC ticks to get through, contended visits only */
};

struct sl_stats {
	_Atomic u64 counter[SL_CTR_COUNT];
	u64 seamcalls[TDX_SEAMCALL_COUNT];
	u64 tdcalls[TDX_TDCALL_COUNT];
	u64 seamcall_busy[TDX_SEAMCALL_COUNT][SL_OPERAND_SLOTS];
	u64 tdcall_busy[TDX_TDCALL_COUNT][SL_OPERAND_SLOTS];
	struct sl_site_stats site[SL_SITE_MAX];
};

static inline void sl_count_add(struct sl_env *env, enum sl_counter c, u64 n)
{
	_Atomic u64 *p;

	if (!env->stats)
		return;
	p = &env->stats->counter[c];
	/* One writer: a plain add, atomic only so that the progress line may look. */
	atomic_store_explicit(p, atomic_load_explicit(p, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

static inline void sl_count(struct sl_env *env, enum sl_counter c)
{
	sl_count_add(env, c, 1);
}

/* Text of a counter for reports. */
const char *sl_counter_text(enum sl_counter c);

/* Adds @from to @to; @from's lane must have stopped. */
void sl_stats_merge(struct sl_stats *to, const struct sl_stats *from);

#endif
