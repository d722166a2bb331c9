// SPDX-License-Identifier: MIT
/* Histogram merge and quantiles. Layer: base. */
#include "base/hist.h"

void sl_hist_merge(struct sl_hist *to, const struct sl_hist *from)
{
	to->count += from->count;
	if (from->max > to->max)
		to->max = from->max;
	for (u32 i = 0; i < SL_HIST_BUCKETS; i++)
		to->bucket[i] += from->bucket[i];
}

u64 sl_hist_bucket_top(u32 i)
{
	u32 group = i >> SL_HIST_SUB_BITS;
	u32 shift;

	if (group == 0)
		return i;
	shift = group - 1;
	return (((u64)(SL_HIST_SUB + (i & (SL_HIST_SUB - 1))) + 1) << shift) - 1;
}

u64 sl_hist_quantile(const struct sl_hist *h, double q)
{
	u64 rank, seen = 0;

	if (!h->count)
		return 0;
	rank = (u64)(q * (double)h->count);
	if (rank >= h->count)
		rank = h->count - 1;
	for (u32 i = 0; i < SL_HIST_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen > rank)
			return sl_hist_bucket_top(i) < h->max ? sl_hist_bucket_top(i) : h->max;
	}
	return h->max;
}
