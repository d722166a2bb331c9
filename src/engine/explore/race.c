// SPDX-License-Identifier: MIT
/* Races by footprints. Layer: engine. */
#include "engine/explore/race.h"

#include <stdio.h>
#include <string.h>

#include "base/bug.h"
#include "base/env.h"
#include "engine/explore/region.h"
#include "engine/explore/store_buffer.h"

#define STORE (1ull << 33)

struct footprint {
	u64 reads, writes;
	u32 count;
	u32 overflow;
	struct xp_access access[];
};

static struct footprint *at_offset(const struct race_log *l, u32 offset)
{
	return (struct footprint *)(void *)(l->store + (u64)(offset - 1) * 8);
}

bool race_log_init(struct race_log *l)
{
	*l = (struct race_log){ .store = region_map_huge(STORE) };
	return l->store != NULL;
}

void race_log_free(struct race_log *l)
{
	region_unmap(l->store, STORE);
	l->store = NULL;
}

void race_log_clear(struct race_log *l)
{
	l->top = 0;
	memset(l->last, 0, sizeof(l->last));
}

bool race_log_has_room(const struct race_log *l)
{
	return (u64)l->top * 8 + sizeof(struct footprint) +
		       XP_FOOTPRINT_MAX * sizeof(struct xp_access) <=
	       STORE;
}

static void keep(struct race_log *l, u32 lane, const struct footprint *head,
		 const struct xp_access *access)
{
	struct footprint *to;
	size_t size;

	if (!head->count) {
		l->last[lane] = 0;
		return;
	}
	to = at_offset(l, l->top + 1);
	size = sizeof(*to) + head->count * sizeof(to->access[0]);
	SL_BUG_ON((u64)l->top * 8 + size > STORE);
	*to = *head;
	memcpy(to->access, access, head->count * sizeof(to->access[0]));
	l->last[lane] = l->top + 1;
	l->top += (u32)((size + 7) / 8);
}

/* Whoever sees a store that has reached memory is behind all that its lane did before it. */
static void keep_rest(struct race_log *l, u32 lane)
{
	const struct footprint *old = l->last[lane] ? at_offset(l, l->last[lane]) : NULL;
	struct footprint head;

	if (!old || xp.flushed_before == SB_EARLIER)
		return;
	head = *old;
	head.count -= xp.flushed_before;
	keep(l, lane, &head, old->access + xp.flushed_before);
}

/* Keeps of the step's accesses those that nothing orders before the others' next steps. */
void race_log_keep(struct race_log *l, u32 fiber)
{
	const struct xp_footprint *from = xp.fp;
	const struct footprint head = { .reads = from->reads,
					.writes = from->writes,
					.count = from->count - from->released,
					.overflow = from->overflow };

	if (xp_is_flush(fiber))
		keep_rest(l, xp_lane_of(fiber));
	else
		keep(l, fiber, &head, from->access + from->released);
}

static bool conflict(const struct xp_access *a, const struct xp_access *b)
{
	return a->granule == b->granule && (a->mask & b->mask) && (a->write || b->write) &&
	       !(a->atomic && b->atomic);
}

/* What of the other's last step the step just run conflicts with; *mine is the step's own access. */
static const struct xp_access *race_with(const struct race_log *l, u32 other,
					 const struct xp_access **mine)
{
	const struct xp_footprint *now = xp.fp;
	const struct footprint *f;

	if (!l->last[other])
		return NULL;
	f = at_offset(l, l->last[other]);
	if (!((f->writes & (now->reads | now->writes)) | (f->reads & now->writes)))
		return NULL;
	for (u32 i = 0; i < f->count; i++)
		for (u32 k = 0; k < now->count; k++)
			if (conflict(&f->access[i], &now->access[k])) {
				*mine = &now->access[k];
				return &f->access[i];
			}
	return NULL;
}

void race_check(const struct race_log *l, u32 lanes, u32 mover)
{
	if (!xp.fp->count)
		return;
	for (u32 i = 0; i < lanes && mover < lanes; i++) {
		const struct xp_access *a, *b = NULL;

		/* A lane that ended is ordered before nothing but the end of the world. */
		if (i == mover)
			continue;
		a = race_with(l, i, &b);
		if (!a)
			continue;
		xp.violated = true;
		xp.violation_kind = SL_VIOLATION_RACE;
		snprintf(xp.violation_id, sizeof(xp.violation_id), "data race");
		snprintf(xp.violation_text, sizeof(xp.violation_text),
			 "lanes %u and %u touch arena+0x%x at once: %s%s at program+0x%zx, %s%s at "
			 "program+0x%zx",
			 i, mover, a->granule * 8, a->atomic ? "atomic " : "",
			 a->write ? "write" : "read", xp_program_offset(a->pc),
			 b->atomic ? "atomic " : "", b->write ? "write" : "read",
			 xp_program_offset(b->pc));
		return;
	}
}
