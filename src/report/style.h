/* SPDX-License-Identifier: MIT */
/* How text reports look. Layer: report. */
#ifndef SL_REPORT_STYLE_H
#define SL_REPORT_STYLE_H

#include <stdio.h>

#include <seamlab/seamlab.h>

#define STYLE_WIDTH 100 /* unless asked for otherwise */

enum style_colour {
	STYLE_BAD = 31,  /* red */
	STYLE_GOOD = 32, /* green */
	STYLE_OPEN = 33, /* yellow */
};

/* What is written in between is in this colour, or plain. */
void style_begin(FILE *f, const struct sl_text_style *s, enum style_colour colour);
void style_end(FILE *f, const struct sl_text_style *s);

#endif
