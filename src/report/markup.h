/* SPDX-License-Identifier: MIT */
/* Text inside HTML, SVG and XML. Layer: report. */
#ifndef SL_REPORT_MARKUP_H
#define SL_REPORT_MARKUP_H

#include <stdio.h>

/*
 * @text with what the languages take for their own written so that it means itself, inside an element or
 * between double quotes. Bytes that XML cannot have come out as U+FFFD.
 */
void markup_escape(FILE *f, const char *text);

#endif
