/* SPDX-License-Identifier: MIT */
/*
 * Log-linear histogram: 16 linear steps per power of two, so a quantile is off by at most 1/16.
 * One owner; merge copies when the owner has stopped. Layer: base.
 */
#ifndef SL_BASE_HIST_H
#define SL_BASE_HIST_H

#include "base/types.h"

#define SL_HIST_SUB_BITS 4
#define SL_HIST_SUB      (1u << SL_HIST_SUB_BITS)
#define SL_HIST_BUCKETS  ((64 - SL_HIST_SUB_BITS + 1) * SL_HIST_SUB)

struct sl_hist {
	u64 count;
	u64 max;
	u64 bucket[SL_HIST_BUCKETS];
};

static inline u32 sl_hist_index(u64 v)
{
	u32 top;

	if (v < SL_HIST_SUB)
		return (u32)v;
	top = 63u - (u32)__builtin_clzll(v);
	return ((top - SL_HIST_SUB_BITS + 1) << SL_HIST_SUB_BITS) +
	       (u32)((v >> (top - SL_HIST_SUB_BITS)) & (SL_HIST_SUB - 1));
}

static inline void sl_hist_add(struct sl_hist *h, u64 v)
{
	h->count++;
	if (v > h->max)
		h->max = v;
	h->bucket[sl_hist_index(v)]++;
}

/* Adds @from to @to. */
void sl_hist_merge(struct sl_hist *to, const struct sl_hist *from);

/* Largest value that falls into bucket @i. */
u64 sl_hist_bucket_top(u32 i);

/* Upper edge of the bucket that holds quantile @q (0..1), never above max; 0 for an empty one. */
u64 sl_hist_quantile(const struct sl_hist *h, double q);

#endif
