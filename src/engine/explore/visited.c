// SPDX-License-Identifier: MIT
/* The table of visited states. Layer: engine. */
#include "engine/explore/visited.h"

#include "base/bug.h"
#include "engine/explore/region.h"

#define SLOTS_START 65536u
/* Room that is mapped behind the last slot: an insertion never wraps around. */
#define SLOTS_TAIL 4096u

static bool init(struct visited *v, u64 slots, bool values)
{
	v->key = region_map_huge((slots + SLOTS_TAIL) * sizeof(u64));
	v->value = values ? region_map_huge((slots + SLOTS_TAIL) * sizeof(u32)) : NULL;
	v->slots = slots;
	v->count = 0;
	return v->key && (v->value || !values);
}

bool visited_init(struct visited *v, bool values)
{
	return init(v, SLOTS_START, values);
}

void visited_free(struct visited *v)
{
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

static bool grow(struct visited *v)
{
	struct visited bigger;

	if (!init(&bigger, v->slots + v->slots / 2, v->value != NULL)) {
		visited_free(&bigger);
		return false;
	}
	for (u64 i = 0; i < v->slots + SLOTS_TAIL; i++) {
		u64 *slot;

		if (!v->key[i])
			continue;
		slot = slot_of(&bigger, v->key[i]);
		*slot = v->key[i];
		if (v->value)
			bigger.value[slot - bigger.key] = v->value[i];
	}
	bigger.count = v->count;
	visited_free(v);
	*v = bigger;
	return true;
}

s64 visited_insert(struct visited *v, u64 key, bool *fresh)
{
	u64 *slot;

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

u64 visited_find(const struct visited *v, u64 key)
{
	return (u64)(slot_of(v, key) - v->key);
}
