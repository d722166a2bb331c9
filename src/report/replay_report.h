/* SPDX-License-Identifier: MIT */
/* Reports of a replay. Layer: report. */
#ifndef SL_REPORT_REPLAY_REPORT_H
#define SL_REPORT_REPLAY_REPORT_H

#include <seamlab/seamlab.h>

#include "engine/explore/explore.h"

struct sl_replay {
	char *path;
	struct trace trace;
	struct scenario *scenario;
	struct plugin *plugin; /* of its policy, or NULL */
	struct explore_result result;
	u8 build_id[TRACE_BUILD_ID_MAX]; /* of this program */
	u32 build_id_size;
	struct sl_text_style style;
	bool stepped; /* the steps were shown one by one */
};

/* "reproduced", "diverged" or "stopped". */
const char *replay_outcome(const struct sl_replay *r);
bool replay_same_build(const struct sl_replay *r);

#define BUILD_TEXT_MAX (2 * TRACE_BUILD_ID_MAX + 8)
/* In hexadecimal; "none" if there is none. Returns @text. */
const char *build_text(const u8 *id, u32 size, char text[BUILD_TEXT_MAX]);

char *replay_report_text(const struct sl_replay *r);
char *replay_report_json(const struct sl_replay *r);

#endif
