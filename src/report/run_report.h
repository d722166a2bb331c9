/* SPDX-License-Identifier: MIT */
/* Reports of a run. Layer: report. */
#ifndef SL_REPORT_RUN_REPORT_H
#define SL_REPORT_RUN_REPORT_H

#include <seamlab/seamlab.h>

#include "engine/threads/threads.h"

/* The event counters now and then while it ran; each time that there are too many, half of them go. */
#define RUN_SAMPLES_MAX 600
struct run_sample {
	double seconds;
	u64 counter[SL_CTR_COUNT];
};

struct sl_run {
	struct scenario *scenario;
	struct plugin *plugin; /* of its policy, or NULL */
	uint64_t seed;
	double seconds;
	struct sl_text_style style;
	struct threads_result result;
	struct run_sample sample[RUN_SAMPLES_MAX];
	u32 samples;
	u32 calls, stride; /* of progress; one in @stride is kept */
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
