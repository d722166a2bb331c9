/* SPDX-License-Identifier: MIT */
/* The steps of a counterexample as a table, one column per lane. Layer: report. */
#ifndef SL_REPORT_TABLE_H
#define SL_REPORT_TABLE_H

#include <stdio.h>

#include "engine/explore/explore.h"

#define TABLE_WIDTH 100
/* With more lanes than this, one row per event. */
#define TABLE_LANES_MAX 4

/* "  id: text", on as many lines as it takes. */
void table_finding(FILE *f, const char *id, const char *text);
/* "shortest counterexample: 9 steps, 1 preemption" */
void table_title(FILE *f, const struct explore_result *r);
void table_head(FILE *f, const struct explore_result *r);
/* The row @row of the result; the step's number goes in front of its first row. */
void table_row(FILE *f, const struct explore_result *r, u32 row);
/* A step that has no rows. */
void table_empty(FILE *f, const struct explore_result *r, u32 step, u32 lane, const char *about);
/* Head and rows. */
void table_body(FILE *f, const struct explore_result *r);
/* Title, head and rows. */
void table_print(FILE *f, const struct explore_result *r);

#endif
