/* SPDX-License-Identifier: MIT */
/*
 * Random runs, for worlds that are too large to exhaust and for what only a whole run can show.
 *
 * Every second run is by priorities (probabilistic concurrency testing, Burckhardt et al., ASPLOS
 * 2010): each lane has one, the highest that can move does, and at a few steps of the run, picked
 * beforehand, the one that moves falls behind all others. A bug of depth d shows in one run with
 * a probability of at least 1/(n k^(d-1)), for n lanes and k steps. The other runs pick uniformly.
 * A lane that pauses in a retry loop falls behind too, or the loop would never end. Layer: engine.
 */
#ifndef SL_ENGINE_RANDOM_H
#define SL_ENGINE_RANDOM_H

#include "engine/explore/machine.h"

/*
 * @runs runs from @o->run_seed on; ends with the first that finds something, or, with @ordered,
 * with the best of a few that do. What is found is in *r as a search would leave it. @ordered:
 * only the order of memory accesses is looked at; else @o says how they are cut into blocks, and which
 * ones are left out. 0 or -ENOMEM.
 */
int xs_random(const struct xs_program *p, const struct xs_options *o, u32 runs, bool ordered,
	      struct xs_result *r) SL_WARN_UNUSED;

#endif
