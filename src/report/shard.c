// SPDX-License-Identifier: MIT
/* How a set of scenarios, or random runs, are cut into shards. Layer: report. */
#include "report/shard.h"

bool sl_shard_takes(const struct sl_check_options *o, uint32_t index)
{
	return !o->shards || o->runs || index % o->shards == o->shard - 1;
}

u32 shard_size(const struct sl_check_options *o, u32 of)
{
	if (!o->shards || o->runs)
		return of;
	return of / o->shards + (of % o->shards >= o->shard);
}

void shard_runs(const struct sl_check_options *o, struct xs_options *xo)
{
	u64 blocks = ((u64)o->runs + XS_RUN_BLOCK - 1) / XS_RUN_BLOCK, from, to;

	if (!o->shards)
		return;
	from = blocks * (o->shard - 1) / o->shards * XS_RUN_BLOCK;
	to = blocks * o->shard / o->shards * XS_RUN_BLOCK;
	if (to > o->runs)
		to = o->runs;
	xo->run_skip = (u32)from;
	xo->run_drop = o->runs - (u32)to;
}
