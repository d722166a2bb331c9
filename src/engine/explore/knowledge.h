/* SPDX-License-Identifier: MIT */
/*
 * What a search has learned of the arena's words, as a list: to go back to it, to put together what
 * several processes have learned, to keep it in a file. Layer: engine.
 */
#ifndef SL_ENGINE_KNOWLEDGE_H
#define SL_ENGINE_KNOWLEDGE_H

#include <stddef.h>

#include "engine/explore/xp.h"

struct known {
	u32 granule;
	struct xp_granule is;
};

struct knowledge {
	struct known *known; /* whoever collects gives room */
	u64 count;
	u32 shared_count, spins;
	u64 busy_sites;
	bool learned;
};

/* How many granules there is anything to be said of. */
u64 knowledge_size(void);
/* All that this process knows; k->known has room for @room of them. False: that is not enough. */
bool knowledge_collect(struct knowledge *k, u64 room) SL_WARN_UNUSED;
/* To a search that has forgotten all (xs_forget()): what was known when @k was collected. */
void knowledge_restore(const struct knowledge *k);
/*
 * Adds what @count processes have learned in one and the same pass, each having begun with what this
 * one knows. xp.learned is set if one of them has learned something, or if all that they know together
 * says more than each of them could know.
 */
void knowledge_merge(const struct knowledge *const *k, u32 count);

#endif
