/* SPDX-License-Identifier: MIT */
/*
 * Store buffers, as x86 has them: a lane's stores reach memory one after another, in order, any time
 * later; until then the lane alone sees them. Only with --memory-model tso.
 *
 * What is in a buffer is a store to words that are scheduling points, as nobody could tell of others.
 * While a lane runs, what it has buffered stands in memory, so that each of its accesses finds what the lane has to
 * find there; behind the step memory is as everybody sees it. A buffer changes by steps of its lane, and by those of
 * one more fiber for each lane: each takes the oldest store to memory. They can be taken back by a log.
 *
 * Plain stores go to memory at once. Who could tell races with them, which is a finding of its own; but the lane's own
 * older stores to the same bytes must not overwrite them. A plain store that an invariant may see is buffered like any
 * other. Layer: engine.
 */
#ifndef SL_ENGINE_STORE_BUFFER_H
#define SL_ENGINE_STORE_BUFFER_H

#include "engine/explore/xp.h"

#define SB_STORES_MAX 64u
/* Of a store that came before the lane's last step. */
#define SB_EARLIER 0xFFFFFFFFu

struct sb_store {
	u32 granule;
	u8 mask;     /* bytes of it */
	bool unlock; /* of a host lock taken to write, whose first word is there */
	bool open;   /* a plain one, made right behind the hook: its value stands in memory */
	u32 before;  /* accesses of the lane's last step that came before it, or SB_EARLIER */
	u64 value;   /* in place; other bytes are 0 */
	void *pc;
};

struct sb_buffer {
	u32 count;
	u64 digest; /* of what is in it; 0 if nothing is */
	struct sb_store store[SB_STORES_MAX];
};

extern struct sb_buffer sb_buffers[XP_LANES_MAX];

/* Buffers of @slots stores for @lanes lanes, 0 for none; flushing fibers begin at @first. */
bool sb_open(u32 slots, u32 lanes, u32 first) SL_WARN_UNUSED;
void sb_close(void);
/* All empty. */
void sb_start(void);

/* ---- on a fiber ------------------------------------------------------------------------------ */

/* The running lane's stores that are still on their way. */
static inline u32 sb_count(void)
{
	return xp.slots && xp.cur < XP_LANES_MAX ? sb_buffers[xp.cur].count : 0;
}

/* Waits until the running lane's stores have reached memory. */
void sb_fence(void *pc);
/* Waits until there is room for @stores more of them, as many as there are slots at most. */
void sb_make_room(u32 stores, void *pc);
/* Buffers a store of @size bytes within one granule; the caller writes the value behind it. @open: see above. */
void sb_store(volatile void *addr, u32 size, u64 value, bool open, void *pc);
void sb_unlock(u32 *word, void *pc);
/* Bytes of a granule that are about to be written past the buffer. */
void sb_overwrite(u32 granule, u8 mask);

/* ---- around steps ---------------------------------------------------------------------------- */

/* The lane sees its stores; then everybody sees what they can again. */
void sb_step_begins(u32 lane);
void sb_step_ends(u32 lane);
/* The oldest store of @lane reaches memory. */
void sb_flush(u32 lane);
/* What @lane finds in a word, while it does not run. */
u32 sb_load(u32 lane, const u32 *word);

/* ---- the log --------------------------------------------------------------------------------- */

extern size_t sb_log_used;

void sb_undo_to(size_t mark);
bool sb_log_has_room(void);

static inline size_t sb_mark(void)
{
	return sb_log_used;
}

/* Takes back what has come since sb_mark() was @mark. */
static inline void sb_undo(size_t mark)
{
	if (xp.slots)
		sb_undo_to(mark);
}

/* Is there room in the log for one more step? */
static inline bool sb_has_room(void)
{
	return !xp.slots || sb_log_has_room();
}

#endif
