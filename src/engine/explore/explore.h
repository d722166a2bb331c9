/* SPDX-License-Identifier: MIT */
/* A scenario under the explorer: its verdict and, if it is violated, the trace. Layer: engine. */
#ifndef SL_ENGINE_EXPLORE_H
#define SL_ENGINE_EXPLORE_H

#include "base/err.h"
#include "base/stats.h"
#include "engine/explore/search.h"
#include "scenario/scenario.h"

/* One thing that happened in a step, as text. */
struct explore_row {
	u32 step;		/* from 1 */
	u32 lane;
	bool call;		/* a SEAMCALL or TDCALL that ended, or another note */
	char object[96];	/* what was touched; the call's name */
	char what[96];		/* "cas 0x0 -> 0x1"; the decoded status */
	void *pc;
};

struct explore_result {
	struct xs_result search;
	u32 lanes;
	char lane_name[XP_FIBERS_MAX][24];
	struct explore_row *row;
	u32 rows;
	struct sl_stats *stats;	/* maxima per site, over everything that was explored */
};

/* 0 and a filled *out, or a negative errno and *err. Free with explore_free(). */
int explore_scenario(const struct scenario *s, const struct xs_options *o,
		     struct explore_result *out, struct sl_err *err);
void explore_free(struct explore_result *r);

#endif
