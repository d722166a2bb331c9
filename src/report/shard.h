/* SPDX-License-Identifier: MIT */
/*
 * What a shard's document says besides the results, for seamlab merge: which part of which set it is ("shard"), and
 * of each scenario that was explored what reports need and its JSON object does not have ("record"). docs/cluster.md
 * has the form. Layer: report.
 */
#ifndef SL_REPORT_SHARD_H
#define SL_REPORT_SHARD_H

#include <jansson.h>
#include <seamlab/seamlab.h>

#include "base/err.h"
#include "report/check_report.h"

#define SHARD_KEY        "shard"
#define SHARD_RECORD_KEY "record"
/* Why a scenario was skipped that an interruption has left. */
#define SHARD_LEFT "interrupted"
/* Of the document; another one is not read. */
#define SHARD_FORMAT 1

/* Of random runs, those that fall to the shard of @o. */
void shard_runs(const struct sl_check_options *o, struct xs_options *xo);
/* How many scenarios of a set of @of fall to the shard of @o. */
u32 shard_size(const struct sl_check_options *o, u32 of);

/* The head of a shard's document; NULL without memory. */
json_t *shard_head(const struct sl_check_options *o, const char *const *path, u32 count);
/* The options of a head, which owns what *o points to: policy, settings (@set has room for all), site. */
#define SHARD_SETTINGS_MAX 64
int shard_options(const json_t *options, struct sl_check_options *o,
		  const char *set[SHARD_SETTINGS_MAX], struct sl_err *err);

json_t *shard_record(const struct sl_check *c);
/* Makes the exploration that @result, with its record, was written from. 0, or -errno and *err. */
int shard_check(const json_t *result, const struct sl_check_options *o, struct sl_check **check,
		struct sl_err *err);

#endif
