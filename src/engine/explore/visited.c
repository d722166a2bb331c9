// SPDX-License-Identifier: MIT
/* The table of visited states. Layer: engine. */
#include "engine/explore/visited.h"

#include <stdatomic.h>
#include <sys/mman.h>

#include "base/bug.h"
#include "engine/explore/region.h"

#define SLOTS_START 65536u
/* Below that it is growing that costs, not memory. */
#define SLOTS_SMALL (1u << 20)
/* Room that is mapped behind the last slot: an insertion never wraps around. */
#define SLOTS_TAIL   4096u
#define SHARED_START (1u << 19)
#define SHARED_ROOM  (1ull << 33)

/* Shared: what all have to agree on. Changes while they stand still. */
struct visited_now {
	u64 slots;
	u32 room;
};

static bool init(struct visited *v, u64 slots, bool values)
{
	*v = (struct visited){ .slots = slots };
	v->key = region_map_huge((slots + SLOTS_TAIL) * sizeof(u64));
	v->value = values ? region_map_huge((slots + SLOTS_TAIL) * sizeof(u32)) : NULL;
	return v->key && (v->value || !values);
}

bool visited_init(struct visited *v, bool values)
{
	return init(v, SLOTS_START, values);
}

static void free_rooms(struct visited *v)
{
	for (u32 i = 0; i < 2; i++) {
		region_unmap(v->key_room[i], SHARED_ROOM * sizeof(u64));
		region_unmap(v->value_room[i], SHARED_ROOM * sizeof(u32));
	}
	region_unmap(v->now, sizeof(*v->now));
	*v = (struct visited){ 0 };
}

void visited_free(struct visited *v)
{
	if (v->now) {
		free_rooms(v);
		return;
	}
	region_unmap(v->key, (v->slots + SLOTS_TAIL) * sizeof(u64));
	region_unmap(v->value, (v->slots + SLOTS_TAIL) * sizeof(u32));
	*v = (struct visited){ 0 };
}

size_t visited_bytes(const struct visited *v)
{
	return v->slots * (sizeof(u64) + (v->value ? sizeof(u32) : 0));
}

static u64 *slot_of(const struct visited *v, u64 key)
{
	u64 *slot = &v->key[(u64)(((__uint128_t)key * v->slots) >> 64)];

	while (*slot && *slot != key)
		slot++;
	SL_BUG_ON(slot >= v->key + v->slots + SLOTS_TAIL);
	return slot;
}

static void copy_into(struct visited *bigger, const struct visited *v)
{
	for (u64 i = 0; i < v->slots + SLOTS_TAIL; i++) {
		u64 *slot;

		if (!v->key[i])
			continue;
		slot = slot_of(bigger, v->key[i]);
		*slot = v->key[i];
		if (v->value)
			bigger->value[slot - bigger->key] = v->value[i];
	}
	bigger->count = v->count;
}

static bool grow(struct visited *v)
{
	struct visited bigger;

	if (!init(&bigger, v->slots < SLOTS_SMALL ? v->slots * 4 : v->slots + v->slots / 2,
		  v->value != NULL)) {
		visited_free(&bigger);
		return false;
	}
	copy_into(&bigger, v);
	visited_free(v);
	*v = bigger;
	return true;
}

/* ---- shared ---------------------------------------------------------------------------------- */

void visited_refresh(struct visited *v)
{
	v->key = v->key_room[v->now->room];
	v->value = v->value_room[v->now->room];
	v->slots = v->now->slots;
}

bool visited_init_shared(struct visited *v, bool values)
{
	*v = (struct visited){ .now = region_map_shared(sizeof(*v->now)) };
	if (!v->now)
		return false;
	for (u32 i = 0; i < 2; i++) {
		v->key_room[i] = region_map_shared(SHARED_ROOM * sizeof(u64));
		v->value_room[i] = values ? region_map_shared(SHARED_ROOM * sizeof(u32)) : NULL;
		if (!v->key_room[i] || (values && !v->value_room[i]))
			return false;
	}
	v->now->slots = SHARED_START;
	visited_refresh(v);
	return true;
}

/* Gives memory back that others have mapped as well. */
static bool wipe(void *room, size_t size)
{
	return !room ||
	       !madvise(room, (size + REGION_SMALL - 1) / REGION_SMALL * REGION_SMALL, MADV_REMOVE);
}

bool visited_grow_shared(struct visited *v)
{
	struct visited old = *v;
	u64 slots = v->slots + v->slots / 2;

	if (slots + SLOTS_TAIL > SHARED_ROOM)
		return false;
	v->now->room ^= 1;
	v->now->slots = slots;
	visited_refresh(v);
	copy_into(v, &old);
	return wipe(old.key, (old.slots + SLOTS_TAIL) * sizeof(u64)) &&
	       wipe(old.value, (old.slots + SLOTS_TAIL) * sizeof(u32));
}

static s64 insert_shared(struct visited *v, u64 key, bool *fresh)
{
	u64 *slot = &v->key[(u64)(((__uint128_t)key * v->slots) >> 64)];

	for (;; slot++) {
		u64 there = __atomic_load_n(slot, __ATOMIC_RELAXED);

		/* Relaxed: a key stands for itself. Values have an order of their own. */
		*fresh = !there && __atomic_compare_exchange_n(slot, &there, key, false,
							       __ATOMIC_RELAXED, __ATOMIC_RELAXED);
		if (*fresh || there == key)
			break;
	}
	SL_BUG_ON(slot >= v->key + v->slots + SLOTS_TAIL);
	v->count += *fresh;
	return slot - v->key;
}

/* ---- one insertion --------------------------------------------------------------------------- */

s64 visited_insert(struct visited *v, u64 key, bool *fresh)
{
	u64 *slot;

	if (v->now)
		return insert_shared(v, key, fresh);
	if (v->count * 10 > v->slots * 8 && !grow(v))
		return -1;
	slot = slot_of(v, key);
	*fresh = !*slot;
	if (*fresh) {
		*slot = key;
		v->count++;
	}
	return slot - v->key;
}

bool visited_has(const struct visited *v, u64 key)
{
	return *slot_of(v, key) != 0;
}

s64 visited_next(const struct visited *v, u64 slot)
{
	for (; slot < v->slots + SLOTS_TAIL; slot++)
		if (v->key[slot])
			return (s64)slot;
	return -1;
}

bool visited_reserve(struct visited *v, u64 count)
{
	bool values = v->value != NULL;
	u64 slots = v->slots;

	if (!v->now) {
		while (count * 10 > slots * 8)
			slots += slots / 2;
		visited_free(v);
		return init(v, slots, values);
	}
	while (visited_is_crowded(v, count)) {
		slots = v->slots + v->slots / 2;
		if (slots + SLOTS_TAIL > SHARED_ROOM)
			return false;
		v->now->slots = v->slots = slots;
	}
	return true;
}

u64 visited_find(const struct visited *v, u64 key)
{
	return (u64)(slot_of(v, key) - v->key);
}
