/* SPDX-License-Identifier: MIT */
/*
 * The file behind "seamlab answers": claims and questions, and for each the scenarios that settle it.
 * Layer: scenario.
 */
#ifndef SL_SCENARIO_ANSWERS_H
#define SL_SCENARIO_ANSWERS_H

#include <seamlab/module.h>

#include "base/err.h"
#include "base/types.h"

#define ANSWERS_EVIDENCE_MAX 16

/* One scenario, and the verdict with which it speaks for the claim. */
struct answers_evidence {
	char *file;       /* as written: relative to the file of the claims */
	char *path;       /* to open it */
	char *says;       /* what it shows, in a few words */
	bool violated;    /* it speaks for the claim by being violated, else by holding */
	char *kind;       /* of the violation */
	bool bounds;      /* its exact maxima of BUSY are part of the answer */
	bool one_release; /* it is about @release only */
	enum sl_release release;
};

struct answers_claim {
	char *id;   /* "M2" */
	char *text; /* the claim, or the question */
	bool question;
	char *answer; /* what an engineer should take home */
	struct answers_evidence evidence[ANSWERS_EVIDENCE_MAX];
	u32 count;
};

struct answers {
	char *path;
	struct answers_claim *claim;
	u32 count;
};

/*
 * Reads and checks the file. 0, or a negative errno with err->text = "file:line:column: found ...;
 * expected ...". The scenarios are not opened. Free with answers_free().
 */
int answers_read(const char *path, struct answers **out, struct sl_err *err);
void answers_free(struct answers *a);

#endif
