/* SPDX-License-Identifier: MIT */
/*
 * Data races among next steps: what a fiber did in its last step, as far as nothing has ordered it
 * since, against the step that another one has just made. Layer: engine.
 */
#ifndef SL_ENGINE_RACE_H
#define SL_ENGINE_RACE_H

#include "engine/explore/xp.h"

/* Footprints of last steps, stacked as the search goes down and up. */
struct race_log {
	u8 *store;
	u32 top;                 /* in units of 8 bytes */
	u32 last[XP_FIBERS_MAX]; /* offset + 1 of each fiber's last step; of lanes, not of flushes */
};

bool race_log_init(struct race_log *l) SL_WARN_UNUSED;
void race_log_free(struct race_log *l);
void race_log_clear(struct race_log *l);
/* Room for one more step. */
bool race_log_has_room(const struct race_log *l);
/* The step in xp.fp, of @fiber, is its last one from now on. */
void race_log_keep(struct race_log *l, u32 fiber);
/* Does the step in xp.fp race with the last one of another lane? Then xp.violated and so on are set. */
void race_check(const struct race_log *l, u32 lanes, u32 mover);

#endif
