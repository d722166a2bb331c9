/* SPDX-License-Identifier: MIT */
/* Reports of a run. Layer: report. */
#ifndef SL_REPORT_RUN_REPORT_H
#define SL_REPORT_RUN_REPORT_H

#include <seamlab/seamlab.h>

#include "engine/threads/threads.h"

struct sl_run {
	struct scenario *scenario;
	struct plugin *plugin; /* of its policy, or NULL */
	uint64_t seed;
	double seconds;
	struct sl_text_style style;
	struct threads_result result;
};

/* "holds" when nothing was found, "violated", or "inconclusive" when interrupted. */
const char *run_verdict(const struct sl_run *run);
/* Kind of the first finding, or NULL. */
const char *run_kind(const struct sl_run *run);
/* Did the run find what the scenario expects, or nothing? A run cannot prove, so nothing is fine. */
bool run_as_expected(const struct sl_run *run);

char *run_report_text(const struct sl_run *run);
char *run_report_json(const struct sl_run *run);

#endif
