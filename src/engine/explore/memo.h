/* SPDX-License-Identifier: MIT */
/*
 * Steps that have been taken before.
 *
 * What a step does follows from who the lane is (what it has seen, where it stands) and from what the
 * step finds in the arena. Of the former a world has thousands where it has millions of states, so most steps
 * have been taken before, with other lanes elsewhere. Then nothing has to run: the step's writes are
 * written, and the lane is who it was after the step before.
 *
 * Lanes are kept as *images*: a copy of the stack and of what xp.fiber[] says. A lane whose last steps were
 * taken from here stands on a stack that is not its own any more; before it really runs its image is put
 * back. What steps found and did is a tree for each image: which granule the step looks at first, for each value
 * that was found there which one it looks at next, and behind the last one what was written.
 *
 * Granules that nobody has written since the lanes started are no part of this; if one is written after
 * all the pass has learned something, and ends: search.c. Layer: engine.
 */
#ifndef SL_ENGINE_MEMO_H
#define SL_ENGINE_MEMO_H

#include "engine/explore/machine.h"

/* No image: the lane's own stack is all there is. */
#define MEMO_NONE 0u

struct memo;

/* Over a machine whose arena has been opened; NULL without memory. Nothing is known yet. */
struct memo *memo_new(void);
void memo_free(struct memo *k);
/* Nothing is known any more. */
void memo_clear(struct memo *k);
/* What it takes of memory. */
size_t memo_bytes(const struct memo *k);

/* Who lane @i is: its image, made now if there is none. MEMO_NONE: no room for more. */
u32 memo_image(struct memo *k, const struct machine *m, u32 i);
/* Lane @i is whoever stands on its stack. */
void memo_leave(struct memo *k, u32 i);

/* A step that is known. */
struct memo_leaf;
/* What lane @i, which has an image, will do; NULL: it has to be run. Good until memo_clear(). */
const struct memo_leaf *memo_find(const struct memo *k, u32 i, u32 choice);
/* What the hashes of arena and lanes would be behind the step; its accesses go to the machine's footprint. */
void memo_foresee(const struct memo *k, struct machine *m, u32 i, const struct memo_leaf *l,
		  u64 *arena_hash, u64 *lanes_hash);
/* Takes the step. */
void memo_step(struct memo *k, struct machine *m, u32 i, const struct memo_leaf *l);
/* Lane @i is who it is, or was, when it has @image. */
void memo_go_back(struct memo *k, u32 i, u32 image);
/*
 * The step run by the machine, and remembered unless it ends in a violation. False: a lane of the same image has found
 * something else, so that the image does not say all that its future depends on.
 */
bool memo_run(struct memo *k, struct machine *m, u32 i, u32 choice) SL_WARN_UNUSED;

#endif
