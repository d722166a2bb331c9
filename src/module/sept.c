// SPDX-License-Identifier: MIT
/* S-EPT states and the walk. Layer: module. */
#include "module/sept.h"

enum {
	T = SEPT_TRACKED,
	B = SEPT_ANY_BLOCKED,
	A = SEPT_GUEST_LEAF,
	P = SEPT_GUEST_PENDING,
	Y = SEPT_ANY_PENDING,
	M = SEPT_MAPPED_OR_PENDING,
};

static const struct {
	u8 public_state;
	u8 flags;
	const char *name;
} states[SEPT_STATES] = {
#define SL_SEPT(idx, name_, code, public_, flags_) \
	[idx] = { .public_state = (public_), .flags = (flags_), .name = #name_ },
#include "module/sept_state.def"
#undef SL_SEPT
};

/* Codes outside the table map to index 0, the row of FREE. */
static const u8 state_of_code[128] = {
#define SL_SEPT(idx, name, code, public_, flags) [code] = (idx),
#include "module/sept_state.def"
#undef SL_SEPT
};

enum sept_state sept_state(u64 entry)
{
	u32 code = (u32)((entry >> 9 & 1) | (entry >> 53 & 0xF) << 1 | (entry >> 6 & 3) << 5);

	return (enum sept_state)state_of_code[code];
}

u32 sept_state_flags(enum sept_state s)
{
	return states[s].flags;
}

u32 sept_state_public(enum sept_state s)
{
	return states[s].public_state;
}

const char *sept_state_name(enum sept_state s)
{
	return states[s].name;
}

u64 sept_with_state(u64 entry, enum sept_state state)
{
	bool present = state == SEPT_NL_MAPPED || (states[state].flags & SEPT_GUEST_LEAF);

	entry &= ~(SEPT_STATE_MASK | SEPT_RWX | SEPT_MT_MASK);
	entry |= sept_state_raw(state);
	if (entry & SEPT_PS)
		entry |= SEPT_MT_WB;
	if (present)
		entry |= SEPT_RWX;
	return entry;
}

enum sept_state sept_unblocked(enum sept_state state)
{
	switch (state) {
	case SEPT_NL_BLOCKED:
		return SEPT_NL_MAPPED;
	case SEPT_BLOCKED:
		return SEPT_MAPPED;
	case SEPT_PENDING_BLOCKED:
		return SEPT_PENDING;
	default:
		return state;
	}
}

struct sept_walk sept_walk(const struct sl_machine *m, const struct tdcs *tdcs, struct gpa gpa,
			   u32 level)
{
	struct sept_walk w = { .level = tdcs->page_walk };
	_Atomic u64 *table = mem_frame(m, tdcs->sept_root);

	for (;; w.level--) {
		u64 index = gpa.v >> SL_LEVEL_SHIFT(w.level) & (SL_ENTRIES - 1);

		w.entry = &table[index];
		/* Pairs with the committing store of whoever linked the table below. */
		w.copy = atomic_load_explicit(w.entry, memory_order_acquire);
		if (w.level == level) {
			w.reached = true;
			return w;
		}
		if ((w.copy & SEPT_RWX) == 0 || sept_is_leaf(w.copy))
			return w;
		/* Present entries of this version are all RWX, and point at memory that exists. */
		if (sl_unlikely((w.copy & SEPT_RWX) != SEPT_RWX ||
				!mem_is_private(m, sept_hpa(w.copy)))) {
			w.halt = true;
			return w;
		}
		table = mem_frame(m, sept_hpa(w.copy));
	}
}

void sept_page_init(const struct sl_machine *m, struct hpa page)
{
	/* Plain stores: nobody else can reach the page before it is linked. */
	u64 *table = mem_frame(m, page);

	for (u32 i = 0; i < SL_ENTRIES; i++)
		table[i] = SEPT_FREE_ENTRY;
}
