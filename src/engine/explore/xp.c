// SPDX-License-Identifier: MIT
/* What the hooks and the search share: its one instance, and what fibers call. Layer: engine. */
#include "engine/explore/xp.h"

#include <stdio.h>
#include <sys/mman.h>

#include "engine/explore/guests.h"
#include "engine/explore/order.h"
#include "engine/explore/region.h"
#include "engine/explore/store_buffer.h"

#define UNDO_STORE (1ull << 27)
#define PAGE       4096u

struct xp_state xp;

bool xp_open(void *arena, size_t size, u64 seed)
{
	xp = (struct xp_state){ .arena = arena, .arena_size = size, .undo_max = UNDO_STORE };
	xp.seed = xp_mix(0x5EA1AB, seed) | 1;
	xp.granule = region_map(size / 8 * sizeof(*xp.granule));
	xp.undo = region_map_huge(UNDO_STORE * sizeof(*xp.undo));
	xp.stacks = region_map((size_t)XP_FIBERS_MAX * XP_STACK_SIZE);
	if (!xp.granule || !xp.undo || !xp.stacks || !xp_guests_open()) {
		xp_close();
		return false;
	}
	return true;
}

void xp_close(void)
{
	region_unmap(xp.granule, xp.arena_size / 8 * sizeof(*xp.granule));
	region_unmap(xp.undo, UNDO_STORE * sizeof(*xp.undo));
	region_unmap(xp.stacks, (size_t)XP_FIBERS_MAX * XP_STACK_SIZE);
	xp_guests_close();
	sb_close();
	xp = (struct xp_state){ 0 };
}

void xp_forget(void)
{
	region_clear(xp.granule, xp.arena_size / 8 * sizeof(*xp.granule));
	xp.shared_count = xp.spins = 0;
	xp.busy_sites = 0;
}

static u64 hash_page(u32 first, u32 count)
{
	u64 hash = 0;

	for (u32 g = first; g < first + count; g++)
		hash += xp_granule_hash(g, *xp_granule(g));
	return hash;
}

/* Most of a large arena was never touched: it is zero, which counts for nothing. */
u64 xp_arena_hash(void)
{
	unsigned char there[1024];
	u64 hash = 0 - xp.hash_start;

	for (size_t at = 0; at < xp.arena_size; at += sizeof(there) * PAGE) {
		size_t size = xp.arena_size - at;
		bool known;

		if (size > sizeof(there) * PAGE)
			size = sizeof(there) * PAGE;
		known = !mincore(xp.arena + at, size, there);
		for (size_t p = 0; p * PAGE < size; p++) {
			size_t left = size - p * PAGE;

			if (known && !(there[p] & 1))
				continue;
			hash += hash_page((u32)((at + p * PAGE) / 8),
					  (u32)((left < PAGE ? left : PAGE) / 8));
		}
	}
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

void xp_finds_begin(struct xp_finds *f)
{
	if (!++f->now) {
		region_clear(f->stamp, xp.arena_size / 8 * sizeof(*f->stamp));
		f->now = 1;
	}
	f->count = 0;
	xp.finds = f;
}

size_t xp_program_offset(const void *pc)
{
	/* From the linker: where the program or library that this is part of was loaded. */
	__attribute__((visibility("hidden"))) extern const char __ehdr_start[];

	return (size_t)((const char *)pc - __ehdr_start);
}
