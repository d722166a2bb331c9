/* SPDX-License-Identifier: MIT */
/*
 * A pass by several processes. It only proves: what they find goes to a search of one, so that
 * findings do not depend on who was faster. Layer: engine.
 */
#ifndef SL_ENGINE_PARALLEL_H
#define SL_ENGINE_PARALLEL_H

#include "engine/explore/search_state.h"

/* Can the search be done by several at all? */
bool parallel_is_possible(const struct xs_program *p, const struct xs_options *o);

/*
 * The pass once more, from the start, by all jobs. The counts, the limit, the graph and what was
 * learned are as if one had done it. s->found: a job has found something, which s->spare holds;
 * s->failed is set if the jobs cannot be had, or one of them has died.
 */
void parallel_pass(struct search *s);

/* In a job, between two steps: does what the others want; @entered as in search_walk_on(). */
void parallel_attend(struct search *s, bool entered);
static inline bool parallel_is_called(const struct search *s)
{
	return s->jobs && (jobs_call(s->jobs) || s->states >= s->jobs->look_at);
}

/* Numbers a state that is new, and reads the number of one that is not. */
u32 parallel_number(struct jobs *j, u32 *value);
u32 parallel_number_of(const u32 *value);

#endif
