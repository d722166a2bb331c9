/* SPDX-License-Identifier: MIT */
/* Claims about what a lane's calls return, looked at as the lane notes them. Layer: engine. */
#ifndef SL_ENGINE_CLAIMS_H
#define SL_ENGINE_CLAIMS_H

#include "base/env.h"
#include "scenario/scenario.h"

/*
 * One lane's BUSY results in a row, for each bound of the scenario. Counted up to what breaks the
 * bound, so that they never grow beyond it: they are part of a lane's state in the explorer.
 */
struct claim_counts {
	u8 n[SCN_BOUNDS_MAX];
};

_Static_assert(SCN_BOUND_MAX < 0xFF, "a broken bound fits its counter");

/* Has @s claims that want to hear of notes? */
static inline bool claims_listen(const struct scenario *s)
{
	return s->never_count || s->bound_count;
}

/*
 * A lane with @c noted something. The id of the claim that is broken by it ("never", "bound"), with
 * its story in @text, or NULL.
 */
const char *claims_note(const struct scenario *s, struct claim_counts *c, enum sl_note what, u64 a,
			u64 b, char *text, size_t size);

#endif
