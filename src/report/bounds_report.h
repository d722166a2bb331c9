/* SPDX-License-Identifier: MIT */
/* Bounds on BUSY over policies and scenarios. Layer: report. */
#ifndef SL_REPORT_BOUNDS_REPORT_H
#define SL_REPORT_BOUNDS_REPORT_H

#include <seamlab/seamlab.h>

#include "engine/explore/explore.h"

/* The scenarios that are looked through if nobody names others; made from scenarios/bounds by the build. */
struct bounds_scenario {
	const char *path;
	const char *text;
};

extern const struct bounds_scenario bounds_set[];
extern const u32 bounds_set_count;

/* One policy in one scenario. */
struct bounds_cell {
	bool complete;
	const char *limit; /* if not: which */
	bool left_out; /* the module that was asked for has not got what the scenario is about: @text says so */
	u64 visited; /* sites that the host came to, one bit each */
	struct xs_bound bound[SL_SITE_MAX][XS_MEASURES];
	u32 kind; /* enum sl_violation of a finding that ends some schedule, or XS_KIND_NONE */
	char id[40];
	char text[320];
	u64 states;
};

struct sl_bounds {
	struct sl_bounds_options options; /* as asked for; its pointers are the caller's */
	u32 policies, paths;
	char (*policy)[HOST_WORD_MAX]; /* as they call themselves */
	const char **name;             /* as --policy takes them */
	const char **path;
	u64 *off;                 /* [policy]: sites that the policy never comes to, one bit each */
	struct bounds_cell *cell; /* [policy * paths + path] */
};

/* What is known of one policy at one site, over all scenarios. */
struct bounds_sum {
	struct xs_bound bound[XS_MEASURES];
	u32 path[XS_MEASURES]; /* the first scenario that has it */
	bool visited;
	bool open; /* some scenario was not looked through: there may be more */
};

/* Is the policy one that never comes to the site? */
bool bounds_is_off(const struct sl_bounds *b, u32 policy, u32 site);
bool bounds_is_busy(const struct bounds_sum *s);
/*
 * Why none of @count policies from @first on comes to the site, in the scenarios looked at; NULL if one does. The
 * caller frees it.
 */
char *bounds_unreached(const struct sl_bounds *b, u32 first, u32 count, u32 site);

const struct bounds_cell *bounds_cell(const struct sl_bounds *b, u32 policy, u32 path);
void bounds_sum(const struct sl_bounds *b, u32 policy, u32 site, struct bounds_sum *sum);

char *bounds_report_text(const struct sl_bounds *b);
char *bounds_report_json(const struct sl_bounds *b);

#endif
