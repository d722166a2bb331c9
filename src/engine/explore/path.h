/* SPDX-License-Identifier: MIT */
/*
 * A search's path as bytes: the steps from the start, and beside each state the successors that are still
 * to be looked at. Whoever takes the steps again can go on from there; so a part of a search can be
 * given to another process. Layer: engine.
 */
#ifndef SL_ENGINE_PATH_H
#define SL_ENGINE_PATH_H

#include "engine/explore/search_state.h"

struct path_head {
	u32 frames, succs; /* so many of each come behind it, the frames first */
	u64 entered;       /* as in search_walk_on(); never in what was given */
};

struct path_frame {
	u8 fiber; /* the step to this state, but for the first one */
	u16 choice;
	u32 succs;
};

struct path_succ {
	u64 key;
	u8 fiber;
	u16 choice;
};

/* Successors that are to be looked at; @entered as in search_walk_on(). */
u64 path_left(const struct search *s, bool entered);
/*
 * Writes the path to @to and hands over @most of those successors, the ones that are nearest to the start: they
 * are no longer this search's. Returns the size, or 0 if @room is too small.
 */
size_t path_give(struct search *s, bool entered, u64 most, void *to, size_t room);
/* Bytes that path_leave() writes. */
size_t path_size(const struct search *s, bool entered);
/* The whole path; all of it remains this search's. Returns the size, or 0 if @room is too small. */
size_t path_leave(struct search *s, bool entered, void *to, size_t room);
/*
 * From the start, where the world stands: takes the steps, and owns the successors. False, and somewhere on the
 * way, if they do not lead from one visited state to the next.
 */
bool path_take(struct search *s, const void *from) SL_WARN_UNUSED;
/* Is it one, in @size bytes? */
bool path_is_whole(const void *from, size_t size) SL_WARN_UNUSED;

#endif
