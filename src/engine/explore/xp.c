// SPDX-License-Identifier: MIT
/* What the hooks and the search share: its one instance, and what fibers call. Layer: engine. */
#include "engine/explore/xp.h"

#include <stdio.h>

#include "engine/explore/order.h"
#include "engine/explore/region.h"

#define UNDO_STORE (1ull << 27)

struct xp_state xp;

bool xp_open(void *arena, size_t size, u64 seed)
{
	u64 hash = 0;

	xp = (struct xp_state){ .arena = arena, .arena_size = size, .undo_max = UNDO_STORE };
	xp.seed = xp_mix(0x5EA1AB, seed) | 1;
	xp.granule = region_map(size / 8 * sizeof(*xp.granule));
	xp.undo = region_map_huge(UNDO_STORE * sizeof(*xp.undo));
	xp.stacks = region_map((size_t)XP_FIBERS_MAX * XP_STACK_SIZE);
	if (!xp.granule || !xp.undo || !xp.stacks) {
		xp_close();
		return false;
	}
	for (size_t g = 0; g < size / 8; g++)
		if (*xp_granule((u32)g))
			hash += xp_granule_hash((u32)g, *xp_granule((u32)g));
	xp.hash = hash;
	return true;
}

void xp_close(void)
{
	region_unmap(xp.granule, xp.arena_size / 8 * sizeof(*xp.granule));
	region_unmap(xp.undo, UNDO_STORE * sizeof(*xp.undo));
	region_unmap(xp.stacks, (size_t)XP_FIBERS_MAX * XP_STACK_SIZE);
	xp = (struct xp_state){ 0 };
}

u64 xp_arena_hash(void)
{
	u64 hash = 0;

	for (u32 g = 0; g < xp.arena_size / 8; g++)
		hash += xp_granule_hash(g, *xp_granule(g));
	return hash;
}

void xp_yield(void)
{
	u32 me = xp.cur;

	/* Having come past a scheduling point is something seen, even where its value is not. */
	xp_saw(0);
	xp_switch(&xp.fiber[me].sp, xp.main_sp);
}

void xp_note_read(void *addr)
{
	u8 halves = xp_halves(addr, 4);
	struct xp_granule *m = &xp.granule[xp_granule_of(addr)];

	xp_refresh(m);
	for (u32 i = 0; i < 4; i++) {
		if (!(halves >> i & 1))
			continue;
		m->read_by[i] |= (u16)(1u << xp.cur);
		m->decides |= (u8)(1u << i);
		xp_learn(m, i);
	}
}

void xp_report(u32 kind, const char *id, const char *text)
{
	if (!xp.violated) {
		xp.violated = true;
		xp.violation_kind = kind;
		snprintf(xp.violation_id, sizeof(xp.violation_id), "%s", id);
		snprintf(xp.violation_text, sizeof(xp.violation_text), "%s", text);
	}
	if (!xp.active)
		return;
	xp.fiber[xp.cur].pending = (struct xp_pending){ .kind = XP_DEAD };
	for (;;)
		xp_yield();
}

size_t xp_program_offset(const void *pc)
{
	extern const char __executable_start[];

	return (size_t)((const char *)pc - __executable_start);
}
