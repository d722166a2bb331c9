/* SPDX-License-Identifier: MIT */
/*
 * Between the parts of seamlab matrix --confirm: worlds in which two leaves get into each other's way,
 * what was seen in them, and the report. Layer: report.
 */
#ifndef SL_REPORT_CONFIRM_H
#define SL_REPORT_CONFIRM_H

#include "engine/explore/explore.h"
#include "report/matrix.h"

/* ---- worlds ------------------------------------------------------------------------------- */

/* Two leaves, the first on lp0, the second on lp1. */
struct confirm_pair {
	enum sl_release release;
	enum sl_flavour flavour;
	const struct leaf_ref *leaf[2];
	u32 objects; /* where they are said to meet: a bit for each enum lock_object */
};

/* Is it known how to call this leaf? */
bool confirm_knows(const struct leaf_ref *leaf);
/*
 * Calls @each with the text of one scenario after another, until it returns false. False: it did, or
 * there was no memory.
 */
bool confirm_worlds(const struct confirm_pair *p, bool (*each)(void *ctx, const char *text),
		    void *ctx);

/* ---- what comes out ------------------------------------------------------------------------ */

/* A refusal: one of the two leaves did not get a lock. */
struct confirm_refusal {
	u8 loser;   /* 0 or 1 */
	u8 object;  /* enum lock_object, of its plan */
	bool large; /* the PAMT entry of a 2 MB or 1 GB range */
	u64 status;
};

enum confirm_verdict {
	CONFIRM_SEEN,
	CONFIRM_NOT_SEEN,   /* predicted, and it does not happen */
	CONFIRM_UNEXPECTED, /* not predicted, and it happens */
	CONFIRM_ABSENT,     /* predicted of the module, not of this model */
};

struct confirm_cell {
	struct confirm_refusal refusal;
	const char *lock; /* name of the lock where they meet */
	enum confirm_verdict verdict;
	const char *why; /* CONFIRM_ABSENT */
	char *world;     /* scenario in which it was seen */
	/* One interleaving, where traces are wanted: played, so that it has rows. */
	struct explore_result *trace;
};

/* A violation that was found on the way. */
struct confirm_finding {
	u32 kind; /* enum sl_violation */
	char id[40];
	char text[320];
	const char *known; /* what it is, if the published flavour is known for it */
	char *world;
	u32 times;
};

#define CONFIRM_CELLS_MAX    64
#define CONFIRM_FINDINGS_MAX 16

/* What is known of a pair in the end. */
struct confirm_result {
	struct confirm_pair pair;
	struct confirm_cell cell[CONFIRM_CELLS_MAX];
	u32 cells;
	struct confirm_finding finding[CONFIRM_FINDINGS_MAX];
	u32 findings;
	u32 worlds;
	u64 states, transitions;
};

bool confirm_cell_good(const struct confirm_cell *c);
bool confirm_finding_good(const struct confirm_finding *f);

void confirm_text(FILE *f, const struct confirm_result *r, bool traces);
json_t *confirm_json(const struct confirm_result *r, bool traces);

#endif
