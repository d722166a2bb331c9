/* SPDX-License-Identifier: MIT */
/* The steps of a counterexample as a table, one column per lane. Layer: report. */
#ifndef SL_REPORT_TABLE_H
#define SL_REPORT_TABLE_H

#include <stdio.h>

#include "engine/explore/explore.h"
#include "report/style.h"

/* With more lanes than this, one row per event. */
#define TABLE_LANES_MAX 4

/* Where a table goes, and how wide it may be. */
struct table_out {
	FILE *f;
	u32 width;
};

static inline struct table_out table_out(FILE *f, const struct sl_text_style *s)
{
	return (struct table_out){ .f = f, .width = s->width ? s->width : STYLE_WIDTH };
}

/* "  id: text", on as many lines as it takes. */
void table_finding(const struct table_out *out, const char *id, const char *text);
/* A line about memory that is not sequentially consistent; nothing if @store_buffer is 0. */
void memory_print(FILE *f, uint32_t store_buffer);
/* "shortest counterexample: 9 steps, 1 preemption" */
void table_title(const struct table_out *out, const struct explore_result *r);
void table_head(const struct table_out *out, const struct explore_result *r);
/* The row @row of the result; the step's number goes in front of its first row. */
void table_row(const struct table_out *out, const struct explore_result *r, u32 row);
/* A step that has no rows. */
void table_empty(const struct table_out *out, const struct explore_result *r, u32 step, u32 lane,
		 const char *about);
/* Head and rows. */
void table_body(const struct table_out *out, const struct explore_result *r);
/* Title, head and rows. */
void table_print(const struct table_out *out, const struct explore_result *r);

#endif
