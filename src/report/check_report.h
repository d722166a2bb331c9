/* SPDX-License-Identifier: MIT */
/* Reports of an exploration. Layer: report. */
#ifndef SL_REPORT_CHECK_REPORT_H
#define SL_REPORT_CHECK_REPORT_H

#include <seamlab/seamlab.h>

#include "engine/explore/explore.h"

struct sl_check {
	struct scenario *scenario;
	struct explore_result result;
};

/* "holds", "violated" or "inconclusive". */
const char *check_verdict(const struct sl_check *c);
/* Kind of the violation, or NULL. */
const char *check_kind(const struct sl_check *c);
bool check_as_expected(const struct sl_check *c);
/* Which limit made it inconclusive, in words. */
const char *check_limit(const struct sl_check *c);

char *check_report_text(const struct sl_check *c);
char *check_report_json(const struct sl_check *c);

#endif
