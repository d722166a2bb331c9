// SPDX-License-Identifier: MIT
/* Guests on stacks of their own. Runs on fibers, not instrumented. Layer: engine. */
#include "engine/explore/guests.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/bug.h"
#include "engine/explore/region.h"

#define PAGE 4096u
#define LOG  (1ull << 33)
/* What one step may put into the log. */
#define STEP_LOG (64ull << 20)

struct xp_guests xp_guests;

/* Behind the bytes of a stack in the log, where it is read from. */
struct record {
	u8 *at;
	size_t size;
	u32 guest; /* that is entered or left */
	struct xp_guest_now now;
};

/* In front of a switch to the stack [sp, top) that enters or leaves guest @g. */
static void log_switch(u32 g, void *sp, u8 *top)
{
	struct record r = { .at = sp, .guest = g, .now = xp_guests.guest[g].now };
	u8 *to = xp_guests.log + xp_guests.log_used;

	/* Nothing is taken back before the lanes start. */
	if (!xp_guests.log)
		return;
	r.size = (size_t)(top - r.at);
	if (xp_guests.log_used + r.size + sizeof(r) > LOG)
		__builtin_trap();
	memcpy(to, r.at, r.size);
	memcpy(to + r.size, &r, sizeof(r));
	xp_guests.log_used += r.size + sizeof(r);
	xp_guests.moved |= 1u << g;
}

u32 xp_guests_undo(size_t mark)
{
	u32 moved = 0;

	while (xp_guests.log_used > mark) {
		u8 *end = xp_guests.log + xp_guests.log_used;
		struct record r;

		memcpy(&r, end - sizeof(r), sizeof(r));
		memcpy(r.at, end - sizeof(r) - r.size, r.size);
		xp_guests.guest[r.guest].now = r.now;
		xp_guests.log_used -= r.size + sizeof(r);
		moved |= 1u << r.guest;
	}
	return moved;
}

bool xp_guests_have_room(void)
{
	return xp_guests.log_used + STEP_LOG <= LOG;
}

static void begin(void)
{
	const struct xp_guest *guest = &xp_guests.guest[xp.fiber[xp.cur].guest - 1];

	guest->entry(guest->arg);
	__builtin_trap();
}

int xp_guest_make(size_t size, void (*entry)(void *arg), void *arg)
{
	struct xp_guest *guest = &xp_guests.guest[xp_guests.count];

	if (xp_guests.count == XP_GUESTS_MAX || size > XP_GUEST_STACK_MAX || size % PAGE)
		return -1;
	*guest = (struct xp_guest){ .size = PAGE + size, .entry = entry, .arg = arg };
	guest->room = region_map(guest->size);
	if (!guest->room)
		return -1;
	if (mprotect(guest->room, PAGE, PROT_NONE)) {
		region_unmap(guest->room, guest->size);
		return -1;
	}
	xp_fiber_make(&guest->now.sp, guest->room + PAGE, size, begin);
	guest->now.hist = 1;
	return (int)xp_guests.count++;
}

void xp_guest_enter(u32 g)
{
	struct xp_fiber *f = &xp.fiber[xp.cur];
	struct xp_guest *guest = &xp_guests.guest[g];

	log_switch(g, guest->now.sp, xp_guest_top(g));
	guest->now.on = xp.cur + 1;
	f->guest = g + 1;
	f->outer_hist = f->hist;
	f->hist = guest->now.hist;
	xp_switch(&f->outer, guest->now.sp);
}

void xp_guest_leave(void)
{
	struct xp_fiber *f = &xp.fiber[xp.cur];
	struct xp_guest *guest = &xp_guests.guest[f->guest - 1];

	log_switch(f->guest - 1, f->outer, xp_stack_top(xp.cur));
	guest->now.on = 0;
	guest->now.hist = f->hist;
	f->guest = 0;
	f->hist = f->outer_hist;
	/* Coming back tells the lane nothing; what the guest did tells the arena. */
	f->outer_hist = 0;
	xp_switch(&guest->now.sp, f->outer);
}

bool xp_guests_open(void)
{
	if (!xp_guests.count)
		return true;
	xp_guests.log = region_map(LOG);
	for (u32 g = 0; g < xp_guests.count; g++) {
		struct xp_guest *guest = &xp_guests.guest[g];
		size_t size = (size_t)(xp_guest_top(g) - (u8 *)guest->now.sp);

		SL_BUG_ON(guest->now.on);
		guest->start_sp = guest->now.sp;
		guest->start = malloc(size);
		if (!guest->start)
			return false;
		memcpy(guest->start, guest->start_sp, size);
	}
	return xp_guests.log != NULL;
}

void xp_guests_close(void)
{
	for (u32 g = 0; g < xp_guests.count; g++) {
		region_unmap(xp_guests.guest[g].room, xp_guests.guest[g].size);
		free(xp_guests.guest[g].start);
	}
	region_unmap(xp_guests.log, LOG);
	xp_guests = (struct xp_guests){ 0 };
}

void xp_guests_start(void)
{
	for (u32 g = 0; g < xp_guests.count; g++) {
		struct xp_guest *guest = &xp_guests.guest[g];

		guest->now = (struct xp_guest_now){ .sp = guest->start_sp, .hist = 1 };
		memcpy(guest->start_sp, guest->start,
		       (size_t)(xp_guest_top(g) - (u8 *)guest->start_sp));
	}
	xp_guests.log_used = 0;
}
