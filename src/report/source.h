/* SPDX-License-Identifier: MIT */
/* Functions and lines of the running program, from its debug information. Layer: report. */
#ifndef SL_REPORT_SOURCE_H
#define SL_REPORT_SOURCE_H

#include "base/types.h"

/* The function that an instruction is in, those that it was inlined into, and the place in each. */
#define SOURCE_FRAMES_MAX 6

struct source_frame {
	const char *function; /* lives as long as the struct source */
	char file[96];        /* "src/module/sept.c"; empty: not known */
	u32 line;
};

struct source_place {
	struct source_frame frame[SOURCE_FRAMES_MAX]; /* the innermost one first */
	u32 frames;
};

struct source;

/* NULL if there is nothing to be had. */
struct source *source_open(void);
void source_close(struct source *s);
/* @pc is where a call returns to; @s may be NULL. Without debug information: one frame, or none. */
void source_find(struct source *s, const void *pc, struct source_place *out);

#endif
