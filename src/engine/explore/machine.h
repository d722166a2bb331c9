/* SPDX-License-Identifier: MIT */
/*
 * Fibers that take steps: what the search, random runs and replays have in common. The machine is
 * the arena and the fibers; a step changes both, and the hash of both by what it has changed.
 * Layer: engine.
 */
#ifndef SL_ENGINE_MACHINE_H
#define SL_ENGINE_MACHINE_H

#include "engine/explore/guests.h"
#include "engine/explore/search.h"

struct machine {
	const struct xs_program *p;
	u32 fibers;     /* lanes, the end if there is one, and those that flush store buffers */
	u32 stacks;     /* without the latter */
	u64 lanes_hash; /* sum of the digests */
	u64 digest[XP_FIBERS_MAX];
	u64 guest_digest[XP_GUESTS_MAX];
	u64 base[XP_FIBERS_MAX]; /* who a fiber is in its digest: the same for interchangeable ones */
	u64 transitions;
	struct xp_footprint footprint; /* of the last step */
};

/*
 * @symmetry: lanes of one class (struct xs_program) get one base. @slots: of each lane's store buffer; 0
 * for none. False without memory.
 */
bool machine_init(struct machine *m, const struct xs_program *p, bool symmetry,
		  u32 slots) SL_WARN_UNUSED;
/* All fibers stand at their start. The arena has to be there already. */
void machine_start(struct machine *m);
/* Takes back all that has been written since the log had @mark entries; the arena's hash was @hash. */
static inline void machine_rewind(size_t mark, u64 hash)
{
	while (xp.undo_count > mark) {
		xp.undo_count--;
		*xp_granule(xp.undo[xp.undo_count].granule) = xp.undo[xp.undo_count].old;
	}
	xp.hash = hash;
}
/* Takes back switches to and from guests; the digests' sum is the caller's to restore. */
void machine_undo_guests(struct machine *m, size_t mark);

/* Runs fiber @i up to just before its next scheduling point. xp.violated tells if it found something. */
void machine_step(struct machine *m, u32 i, u32 choice);
/* After a step: the program's invariant, if it has one. */
void machine_check(const struct machine *m);

bool machine_enabled(const struct machine *m, u32 i);
/* What fiber @i is about to do; of a flush, to what. */
struct xp_pending machine_pending(u32 i);
bool machine_all_done(const struct machine *m);
/* Answers to the fiber's pending choice; 1 if it is none. */
static inline u32 machine_choices(u32 i)
{
	return xp.fiber[i].pending.kind == XP_CHOICE ? xp.fiber[i].pending.n : 1;
}

/*
 * Would running @next take the CPU from @last, who could go on and has not offered to stop? A store that reaches
 * memory takes nothing from anybody.
 */
bool machine_preempts(const struct machine *m, u32 last, u32 next);
/* Nobody can move: sets xp.violation_* and returns true, unless a lane has died of a violation. */
bool machine_deadlock(const struct machine *m);
/* Nobody can move, and not because all is done. */
bool machine_stuck(const struct machine *m);

#endif
