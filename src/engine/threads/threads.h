/* SPDX-License-Identifier: MIT */
/* The threads engine: a world in real time, one pthread per lane. Layer: engine. */
#ifndef SL_ENGINE_THREADS_H
#define SL_ENGINE_THREADS_H

#include "base/err.h"
#include "base/stats.h"
#include "scenario/scenario.h"

#define THREADS_FINDINGS_MAX 8

struct threads_finding {
	enum sl_violation kind;
	char id[32];
	char text[256];
	char lane[24];
};

struct threads_progress {
	double seconds;
	u64 counter[SL_CTR_COUNT];
};

struct threads_options {
	double seconds; /* time for the lanes; they may end by themselves before */
	u64 seed;       /* of random operations */
	/* Called about ten times a second from the calling thread; NULL for none. */
	void (*progress)(void *ctx, const struct threads_progress *p);
	void *progress_ctx;
	/* Polled as often; true ends the run early (Ctrl-C). NULL for none. */
	bool (*interrupted)(void *ctx);
	void *interrupted_ctx;
};

struct threads_result {
	double build_seconds;
	double run_seconds;
	double teardown_seconds;
	u64 tsc_per_us;
	u64 rss_peak_bytes;
	bool interrupted; /* ended before its time by interrupted() */
	bool finished;    /* every lane ended by itself */
	u32 lanes;
	u32 findings; /* all that were reported; the first ones are kept */
	struct threads_finding finding[THREADS_FINDINGS_MAX];
	struct sl_stats stats;
};

/*
 * Runs the scenario. 0 and a filled *out (findings are not errors), or a negative errno and *err:
 * the world could not be made. *out is large: allocate it.
 */
int threads_run(const struct scenario *s, const struct threads_options *o,
		struct threads_result *out, struct sl_err *err);

#endif
