/* SPDX-License-Identifier: MIT */
/* The forms that a story is told in, besides the picture, and that of a run. Layer: report. */
#ifndef SL_REPORT_STORY_REPORT_H
#define SL_REPORT_STORY_REPORT_H

#include "base/err.h"
#include "report/story.h"

/* All return text that the caller frees, or NULL without memory. */
char *story_html(const struct story *s);
char *story_perfetto(const struct story *s);
/* For a mail: 100 columns. */
char *story_bug(const struct story *s);

/*
 * One HTML file out of the JSON report of a run. 0 and *html (NULL without memory), or -EINVAL and *err:
 * it is none.
 */
int run_html(const char *path, const char *text, size_t size, char **html, struct sl_err *err);

#endif
