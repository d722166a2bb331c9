/* SPDX-License-Identifier: MIT */
/*
 * Guests that are functions, on stacks of their own that no lane owns.
 *
 * A lane that enters a guest goes on on the guest's stack; it is still the lane that takes the steps,
 * so scheduling points, races and fairness know of lanes only. In xp.fiber[] such a lane's stack
 * pointer, history and pending operation are the guest's; its own wait in `outer` and `outer_hist`. A
 * guest that has left stands by itself, and is a part of the state like a lane: any lane may enter it.
 *
 * A step may switch several times. What it may change of a stack is copied to a log in front of each
 * switch, from which the step is taken back; the mover's own copy (search.c) is of the stack on which
 * the step begins. Layer: engine.
 */
#ifndef SL_ENGINE_GUESTS_H
#define SL_ENGINE_GUESTS_H

#include "engine/explore/xp.h"

#define XP_GUESTS_MAX      16u
#define XP_GUEST_STACK_MAX (1u << 20)

struct xp_guest {
	/* Changes as it runs. */
	struct xp_guest_now {
		void *sp; /* these two while it is left */
		u64 hist; /* what it has seen */
		u32 on;   /* 1 + the lane that runs it; 0: it is left */
	} now;
	u8 *room; /* guard page, then the stack */
	size_t size;
	void (*entry)(void *arg);
	void *arg;
	/* Where it stands when the lanes start. */
	void *start_sp;
	u8 *start;
};

struct xp_guests {
	u32 count;
	u32 moved; /* mask: entered or left in this step */
	struct xp_guest guest[XP_GUESTS_MAX];
	u8 *log;
	size_t log_used;
};

extern struct xp_guests xp_guests;

/*
 * Before the lanes start: a guest that is @entry(@arg), which must not return. Its index, or -1
 * without memory or with too many of them.
 */
int xp_guest_make(size_t size, void (*entry)(void *arg), void *arg);
/* On the calling lane: runs guest @g from where it stands until it leaves. */
void xp_guest_enter(u32 g);
/* On the guest's stack: back to the lane. Returns at the next entry, on whichever lane that is. */
void xp_guest_leave(void);

/* Guests as they are now are how they begin; false without memory. */
bool xp_guests_open(void) SL_WARN_UNUSED;
/* There are none any more. */
void xp_guests_close(void);
/* Back to how they began. */
void xp_guests_start(void);
/* Takes switches back until the log is @mark long; returns the mask of guests that it was about. */
u32 xp_guests_undo(size_t mark);
/* Is there room in the log for one more step? */
bool xp_guests_have_room(void);

static inline u8 *xp_guest_top(u32 g)
{
	const struct xp_guest *guest = &xp_guests.guest[g];

	return guest->room + guest->size;
}

/* The end of the stack on which lane @i stands. */
static inline u8 *xp_context_top(u32 i)
{
	u32 g = xp.fiber[i].guest;

	return g ? xp_guest_top(g - 1) : xp_stack_top(i);
}

#endif
