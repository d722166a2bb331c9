/* SPDX-License-Identifier: MIT */
/* What "seamlab answers" has found out, for its reports. Layer: report. */
#ifndef SL_REPORT_ANSWERS_H
#define SL_REPORT_ANSWERS_H

#include <seamlab/module.h>
#include <seamlab/seamlab.h>

#include "base/types.h"
#include "engine/explore/search.h"
#include "host/policy.h"
#include "scenario/answers.h"

#define ANSWERS_FLAVOURS 2u
#define ANSWERS_CELLS    (SL_RELEASES * ANSWERS_FLAVOURS)

/* What one scenario has shown in one cell. */
struct answers_finding {
	const char *verdict; /* "holds", "violated", "inconclusive"; "-": not about this release */
	const char *kind;    /* of the violation, or NULL */
	const char *limit;   /* that made it inconclusive */
	bool speaks_for;     /* the claim: the verdict is the one that it names */
	bool certain;        /* livelock: no schedule escapes */
	bool lock;           /* of a lock word, which has no release */
	u64 states;
	double seconds;
	u32 steps;                              /* of the counterexample */
	struct xs_bound bound[HOST_SITE_COUNT]; /* with bounds: BUSY results in one visit */
	u64 visited; /* with bounds: sites that were called, one bit each */
	char *trace; /* file, or NULL */
};

/* One release in one flavour. */
struct answers_cell {
	struct answers_finding finding[ANSWERS_EVIDENCE_MAX];
	bool done;
};

struct answers_row {
	const struct answers_claim *claim;
	struct answers_cell cell[ANSWERS_CELLS];
};

struct sl_answers {
	struct answers *claims;
	struct answers_row *row;
	u32 rows;
	double seconds;
};

static inline enum sl_release answers_release(u32 cell)
{
	return (enum sl_release)(cell / ANSWERS_FLAVOURS);
}

static inline enum sl_flavour answers_flavour(u32 cell)
{
	return cell % ANSWERS_FLAVOURS ? SL_HARDENED : SL_PUBLISHED;
}

const char *answers_flavour_name(u32 cell);
/* "proved", "refuted", "answered", or "open" if a scenario came to no verdict. */
const char *answers_verdict(const struct answers_row *r, u32 cell);
/* The scenario that refutes the claim, or NULL. */
const struct answers_evidence *answers_against(const struct answers_row *r, u32 cell);
/* "seamlab check ...", which comes to the finding. The caller frees it; NULL without memory. */
char *answers_command(const struct answers_row *r, u32 cell, u32 evidence);
/* States of all its scenarios. */
u64 answers_states(const struct answers_row *r, u32 cell);
/* "zap-block 1, zap-track 0"; the caller frees it. */
char *answers_bounds(const struct answers_finding *f);

/* The claims alone. */
char *answers_list_text(const struct answers *a);
char *answers_report_text(const struct sl_answers *a);
char *answers_report_json(const struct sl_answers *a);
char *answers_report_html(const struct sl_answers *a);

#endif
