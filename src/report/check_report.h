/* SPDX-License-Identifier: MIT */
/* Reports of an exploration. Layer: report. */
#ifndef SL_REPORT_CHECK_REPORT_H
#define SL_REPORT_CHECK_REPORT_H

#include <jansson.h>
#include <seamlab/seamlab.h>

#include "engine/explore/explore.h"
#include "engine/explore/save_file.h"
#include "engine/plugin.h"

struct sl_check {
	struct scenario *scenario;
	struct plugin *plugin; /* of its policy, or NULL */
	struct explore_result result;
	char *text; /* of the scenario file, behind what the command line changed */
	size_t text_size;
	struct sl_check_options options; /* as asked for; its pointers are the caller's */
	char *trace;                     /* file that sl_check_save() wrote, or NULL */
	/* Where the search is saved, and what it goes on from; or NULL. */
	struct save_writer *writer;
	struct save_reader *reader;
};

/*
 * Opens the files that the options name. To be called when all about the scenario is known. 0, or -errno and
 * *err.
 */
int check_open_saved(struct sl_check *c, struct sl_err *err);

/* Options that the result depends on, as they are given to seamlab check: " --exact --depth 7". */
void check_print_options(FILE *f, const struct sl_check_options *o);

/* "holds", "violated" or "inconclusive". */
const char *check_verdict(const struct sl_check *c);
/* Kind of the violation, or NULL. */
const char *check_kind(const struct sl_check *c);
/* Different contents of memory behind all interleavings, or XS_ENDS_UNKNOWN where not all were seen by one process. */
u64 check_ends(const struct sl_check *c);
bool check_as_expected(const struct sl_check *c);
/* Which limit made it inconclusive, in words. */
const char *check_limit(const struct sl_check *c);
const char *limit_name(enum xs_limit limit);

/* "3", "unbounded" or "unfair" (unbounded, but only while a lane that could move stands still). */
#define BOUND_TEXT_MAX 16
const char *bound_text(const struct xs_bound *b, char text[BOUND_TEXT_MAX]);
json_t *bound_json(const struct xs_bound *b);

char *check_report_text(const struct sl_check *c);
json_t *check_to_json(const struct sl_check *c);
char *check_report_json(const struct sl_check *c);
/* The rows of a counterexample as a list of objects. */
json_t *report_steps(const struct explore_result *r);

#endif
