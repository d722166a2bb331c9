/* SPDX-License-Identifier: MIT */
/*
 * A story drawn as a sequence diagram in SVG: a column for each lane, one for each object that they meet
 * on, one row for each event. Layer: report.
 */
#ifndef SL_REPORT_DIAGRAM_H
#define SL_REPORT_DIAGRAM_H

#include <stdio.h>

#include "report/story.h"

#define DIAGRAM_ROW 20

struct diagram {
	const struct story *story;
	bool source; /* functions and lines have a column */
	u32 lane_width, object_width, source_width;
	u32 *column; /* of each object, or STORY_NONE; the first one stands behind the lanes */
};

/* False without memory. */
bool diagram_open(struct diagram *d, const struct story *s, bool source);
void diagram_close(struct diagram *d);

u32 diagram_width(const struct diagram *d);
/* The inside of an svg element each. Heights in pixels; rows are DIAGRAM_ROW high. */
#define DIAGRAM_HEAD 50
void diagram_head(FILE *f, const struct diagram *d);
void diagram_rows(FILE *f, const struct diagram *d, u32 from, u32 to);
#define DIAGRAM_LEGEND 44
void diagram_legend(FILE *f, const struct diagram *d);

/* All of it as a file of its own. NULL without memory. */
char *diagram_svg(const struct story *s, bool source);

#endif
