/* SPDX-License-Identifier: MIT */
/*
 * How often a site of the host can be BUSY in a row, from a finished search's graph: the longest path, or a
 * loop that proves that there is none. Nothing is counted in states, so no number is too large.
 *
 * Steps of the graph carry a code for what they did at sites: BUSY, a visit's end, a SEAMCALL that was not
 * BUSY. Between two ends the BUSY results of a lane add up. If some loop has a BUSY and no end there is no
 * largest number. Else each state has one, and it is the largest over the steps that lead to it.
 * Layer: engine.
 */
#ifndef SL_ENGINE_BOUNDS_H
#define SL_ENGINE_BOUNDS_H

#include "engine/explore/liveness.h"

struct bounds;

struct bounds *bounds_new(void) SL_WARN_UNUSED;
void bounds_free(struct bounds *b);
/* A new pass: nothing is known. */
void bounds_begin(struct bounds *b);
/* The code of what the step that was just taken has done; -1: no room for one more. 0: nothing. */
s32 bounds_code(struct bounds *b) SL_WARN_UNUSED;
/* A step from state @from that ends its path. False without memory. */
bool bounds_keep_last(struct bounds *b, u32 from, u8 fiber, u8 code) SL_WARN_UNUSED;
/* All of it to a file, and back, behind bounds_begin(). False if that was not all, or without memory. */
void bounds_save(const struct bounds *b, const struct xs_keeper *k);
bool bounds_load(struct bounds *b, const struct xs_source *from) SL_WARN_UNUSED;

/* 0, or -ENOMEM. */
int bounds_find(const struct bounds *b, const struct lv_graph *g,
		struct xs_bound bound[SL_SITE_MAX][XS_MEASURES]);
/* A way to a loop in which @site is BUSY, and the loop. 1: found; 0: there is none; -ENOMEM. */
int bounds_cycle(const struct bounds *b, const struct lv_graph *g, u32 site, enum xs_measure m,
		 enum xs_endless how, struct lv_result *out);

#endif
