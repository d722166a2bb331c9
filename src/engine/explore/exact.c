// SPDX-License-Identifier: MIT
/* Exact histories and states. Layer: engine. */
#include "engine/explore/exact.h"

#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "engine/explore/guests.h"
#include "engine/explore/region.h"
#include "engine/explore/search.h"
#include "engine/explore/store_buffer.h"

/* Histories below this number are beginnings; see fiber_start() and xp_checkpoint(). */
#define FIRST_HISTORY 256u
#define ROOM          (1ull << 36) /* address space of each store */
#define SLOTS_START   65536u
/* Of each lane: history, pending operation, counts; its own history outside a guest, which guest; stores. */
#define LANE_WORDS 7

/* Numbers of records in a hash table that compares the records themselves. */
struct index {
	u32 *slot; /* number + 1 */
	u64 slots;
};

struct xp_intern {
	u64 (*pair)[2]; /* of history FIRST_HISTORY + i: the one before, and the value */
	u64 count;
	struct index index;
};

struct exact {
	struct xp_intern histories;
	u32 fibers;
	u32 *granule; /* of a state */
	u32 granules;
	u64 *vector; /* words of all states, end to end */
	u64 words;   /* of one */
	u64 count;
	struct index index;
};

static u64 hash_words(const u64 *w, u64 n)
{
	u64 h = n;

	for (u64 i = 0; i < n; i++)
		h = xp_mix(h, w[i]);
	return h;
}

/* Slot of the record @w among the @count ones at @store, or an empty one. */
static u32 *find(const struct index *x, const u64 *store, const u64 *w, u64 words)
{
	u64 at = hash_words(w, words) & (x->slots - 1);

	while (x->slot[at] && memcmp(store + (u64)(x->slot[at] - 1) * words, w, words * 8))
		at = (at + 1) & (x->slots - 1);
	return &x->slot[at];
}

static bool index_init(struct index *x, u64 slots)
{
	x->slots = slots;
	x->slot = region_map_huge(slots * sizeof(u32));
	return x->slot != NULL;
}

static void index_free(struct index *x)
{
	region_unmap(x->slot, x->slots * sizeof(u32));
	*x = (struct index){ 0 };
}

static bool index_grow(struct index *x, const u64 *store, u64 count, u64 words)
{
	struct index bigger;

	if (!index_init(&bigger, x->slots * 2))
		return false;
	for (u64 i = 0; i < count; i++)
		*find(&bigger, store, store + i * words, words) = (u32)i + 1;
	index_free(x);
	*x = bigger;
	return true;
}

/* Number of the record that stands at the end of @store; *count goes up if there was none like it. */
static u64 number_of(struct index *x, const u64 *store, u64 *count, u64 words)
{
	u32 *slot;

	SL_BUG_ON(*count >= 0xFFFFFFFEu || (*count + 2) * words * 8 > ROOM);
	if (*count * 10 > x->slots * 7 && !index_grow(x, store, *count, words))
		return (u64)-1;
	slot = find(x, store, store + *count * words, words);
	if (!*slot)
		*slot = (u32)++ * count;
	return *slot - 1u;
}

u64 xp_intern(u64 history, u64 value)
{
	struct xp_intern *t = xp.interned;
	u64 n;

	t->pair[t->count][0] = history;
	t->pair[t->count][1] = value;
	n = number_of(&t->index, &t->pair[0][0], &t->count, 2);
	SL_BUG_ON(n == (u64)-1);
	return FIRST_HISTORY + n;
}

struct exact *exact_new(u32 fibers)
{
	struct exact *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->fibers = fibers;
	e->granule = region_map(xp.arena_size / 8 * sizeof(u32));
	e->vector = region_map_huge(ROOM);
	e->histories.pair = region_map_huge(ROOM);
	if (e->granule && e->vector && e->histories.pair && index_init(&e->index, SLOTS_START) &&
	    index_init(&e->histories.index, SLOTS_START))
		return e;
	exact_free(e);
	return NULL;
}

void exact_free(struct exact *e)
{
	if (!e)
		return;
	region_unmap(e->granule, xp.arena_size / 8 * sizeof(u32));
	region_unmap(e->vector, ROOM);
	region_unmap(e->histories.pair, ROOM);
	index_free(&e->index);
	index_free(&e->histories.index);
	free(e);
}

void exact_begin(struct exact *e)
{
	index_free(&e->index);
	SL_BUG_ON(!index_init(&e->index, SLOTS_START));
	e->count = 0;
	e->granules = 0;
	for (u32 g = 0; g < xp.arena_size / 8; g++)
		if (xp.granule[g].flags & XP_WRITTEN)
			e->granule[e->granules++] = g;
	e->words = e->granules + LANE_WORDS * e->fibers + xp_guests.count;
}

static int compare_lanes(const void *a, const void *b)
{
	return memcmp(a, b, LANE_WORDS * 8);
}

u64 exact_key(struct exact *e, const u8 *class)
{
	u64 *w = e->vector + e->count * e->words, *lane = w + e->granules;
	u64 sorted[XP_FIBERS_MAX][LANE_WORDS], n;

	for (u32 i = 0; i < e->granules; i++) {
		u32 g = e->granule[i];

		w[i] = xp_canonical(&xp.granule[g], *xp_granule(g));
	}
	for (u32 i = 0; i < e->fibers; i++) {
		u64 *l = &lane[LANE_WORDS * i];

		l[0] = xp.fiber[i].hist;
		l[1] = xs_pending_digest(i);
		l[2] = xp.fiber[i].claims[0];
		l[3] = xp.fiber[i].claims[1];
		l[4] = xp.fiber[i].guest ? xp.fiber[i].outer_hist : 0;
		l[5] = xp.fiber[i].guest;
		l[6] = xp.slots && i < XP_LANES_MAX ? sb_buffers[i].digest : 0;
	}
	for (u32 g = 0; g < xp_guests.count; g++) {
		const struct xp_guest_now *now = &xp_guests.guest[g].now;

		w[e->words - 1 - g] = now->on ? 0 : now->hist;
	}
	for (u32 i = 0; class && i < e->fibers; i++) {
		u32 k = 0;

		if (!class[i] || memchr(class, class[i], i))
			continue;
		for (u32 j = i; j < e->fibers; j++)
			if (class[j] == class[i])
				memcpy(sorted[k++], &lane[LANE_WORDS * j], LANE_WORDS * 8);
		qsort(sorted, k, LANE_WORDS * 8, compare_lanes);
		k = 0;
		for (u32 j = i; j < e->fibers; j++)
			if (class[j] == class[i])
				memcpy(&lane[LANE_WORDS * j], sorted[k++], LANE_WORDS * 8);
	}
	n = number_of(&e->index, e->vector, &e->count, e->words);
	/* An odd factor: as different as the numbers, and spread over the table. */
	return n == (u64)-1 ? 0 : (n + 1) * 0x9E3779B97F4A7C15ull;
}

size_t exact_bytes(const struct exact *e)
{
	return (e->count * e->words + e->histories.count * 2) * 8 +
	       (e->index.slots + e->histories.index.slots) * 4;
}

struct xp_intern *exact_histories(struct exact *e)
{
	return &e->histories;
}
