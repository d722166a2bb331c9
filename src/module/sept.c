// SPDX-License-Identifier: MIT
/* S-EPT states. Layer: module. */
#include "module/sept.h"

const struct sept_state_row sept_state_rows[SEPT_STATES] = {
#define SL_SEPT(idx, name_, code, public_, flags) \
	[idx] = { .public_state = (public_), .name = #name_ },
#include "module/sept_state.def"
#undef SL_SEPT
};

/* Codes outside the table map to index 0, the row of FREE. */
const u8 sept_state_of_code[128] = {
#define SL_SEPT(idx, name, code, public_, flags) [code] = (idx),
#include "module/sept_state.def"
#undef SL_SEPT
};

const char *sept_state_name(enum sept_state s)
{
	return sept_state_rows[s].name;
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

void sept_page_init(const struct sl_machine *m, struct hpa page)
{
	/* Plain stores: nobody else can reach the page before it is linked. */
	u64 *table = mem_frame(m, page);

	for (u32 i = 0; i < SL_ENTRIES; i++)
		table[i] = SEPT_FREE_ENTRY;
}

void sept_page_split(const struct sl_machine *m, struct hpa page, u64 value, u32 level)
{
	/* As above. */
	u64 *table = mem_frame(m, page);
	u64 size = SL_LEVEL_SIZE(level - 1);

	for (u32 i = 0; i < SL_ENTRIES; i++)
		table[i] = value + i * size;
}

bool sept_page_is_free(const struct sl_machine *m, struct hpa page)
{
	_Atomic u64 *table = mem_frame(m, page);

	for (u32 i = 0; i < SL_ENTRIES; i++) {
		u64 entry = atomic_load_explicit(&table[i], memory_order_relaxed);

		/* As it was filled, most often. */
		if (sl_unlikely(entry != SEPT_FREE_ENTRY) && sept_state(entry) != SEPT_FREE)
			return false;
	}
	return true;
}
