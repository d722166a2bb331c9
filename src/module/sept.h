/* SPDX-License-Identifier: MIT */
/*
 * Secure EPT: bits of an entry, states, the walk. Entries are real 64-bit words in real 512-entry
 * tables. Layer: module, private.
 */
#ifndef SL_MODULE_SEPT_H
#define SL_MODULE_SEPT_H

#include "module/machine.h"

/* Bits of an L1 entry (spec: "L1 entry bit layout"). */
#define SEPT_R          BIT_ULL(0)
#define SEPT_W          BIT_ULL(1)
#define SEPT_X          BIT_ULL(2)
#define SEPT_RWX        (SEPT_R | SEPT_W | SEPT_X)
#define SEPT_MT_WB      (6ull << 3)
#define SEPT_MT_MASK    (7ull << 3)
#define SEPT_IPAT       BIT_ULL(6)
#define SEPT_PS         BIT_ULL(7)
#define SEPT_A          BIT_ULL(8)
#define SEPT_D          BIT_ULL(9)
#define SEPT_TDEL       BIT_ULL(11)
#define SEPT_HPA_MASK   GENMASK_ULL(51, 12)
#define SEPT_HP         BIT_ULL(52)
#define SEPT_TDEX       BIT_ULL(53)
#define SEPT_TDBW       BIT_ULL(54)
#define SEPT_TDB        BIT_ULL(55)
#define SEPT_TDP        BIT_ULL(56)
#define SEPT_SVE        BIT_ULL(63)
#define SEPT_STATE_MASK (SEPT_IPAT | SEPT_PS | SEPT_D | SEPT_TDEX | SEPT_TDBW | SEPT_TDB | SEPT_TDP)
/* Accept progress of a 2 MB PENDING entry, in 4 KB chunks. */
#define SEPT_ACCEPT_SHIFT 12
#define SEPT_ACCEPT_MASK  GENMASK_ULL(20, 12)

enum sept_state {
#define SL_SEPT(idx, name, code, public_, flags) SEPT_##name = (idx),
#include "module/sept_state.def"
#undef SL_SEPT
	SEPT_STATES
};

enum sept_flags {
	SEPT_TRACKED = 1, /* leaves that take it away require TLB tracking */
	SEPT_ANY_BLOCKED = 2,
	SEPT_GUEST_LEAF = 4,    /* guest-accessible leaf */
	SEPT_GUEST_PENDING = 8, /* a guest may accept it */
	SEPT_ANY_PENDING = 16,
	SEPT_MAPPED_OR_PENDING = 32,
};

/* The raw state bits of a 7-bit state code. */
#define SEPT_CODE_RAW(code) \
	((((u64)(code)&1) << 9) | (((u64)(code) >> 1 & 0xF) << 53) | (((u64)(code) >> 5 & 3) << 6))

/* Raw state bits of a state, and FREE as a whole entry (SVE is always 1). */
static inline u64 sept_state_raw(enum sept_state s)
{
	static const u64 raw[SEPT_STATES] = {
#define SL_SEPT(idx, name, code, public_, flags) [idx] = SEPT_CODE_RAW(code),
#include "module/sept_state.def"
#undef SL_SEPT
	};
	return raw[s];
}

#define SEPT_FREE_ENTRY (SEPT_SVE | SEPT_CODE_RAW(0x0E))

struct sept_state_row {
	u8 public_state;
	const char *name;
};

extern const struct sept_state_row sept_state_rows[SEPT_STATES];
extern const u8 sept_state_of_code[128];

/*
 * State of a raw entry. A code outside the table counts as FREE, as in the module. States that leaves
 * usually meet are compared with: what follows may go on before the comparison is done, and a lock to
 * come waits for that and not for a table.
 */
static inline enum sept_state sept_state(u64 entry)
{
	enum {
#define SL_SEPT(idx, name, code, public_, flags) CODE_##name = (code),
#include "module/sept_state.def"
#undef SL_SEPT
	};
	u64 raw = entry & SEPT_STATE_MASK;
	u32 code;

	if (raw == SEPT_CODE_RAW(CODE_MAPPED))
		return SEPT_MAPPED;
	if (raw == SEPT_CODE_RAW(CODE_FREE))
		return SEPT_FREE;
	if (raw == SEPT_CODE_RAW(CODE_PENDING))
		return SEPT_PENDING;
	if (raw == SEPT_CODE_RAW(CODE_BLOCKED))
		return SEPT_BLOCKED;
	code = (u32)((entry >> 9 & 1) | (entry >> 53 & 0xF) << 1 | (entry >> 6 & 3) << 5);
	return (enum sept_state)sept_state_of_code[code];
}

static inline u32 sept_state_flags(enum sept_state s)
{
	enum {
		T = SEPT_TRACKED,
		B = SEPT_ANY_BLOCKED,
		A = SEPT_GUEST_LEAF,
		P = SEPT_GUEST_PENDING,
		Y = SEPT_ANY_PENDING,
		M = SEPT_MAPPED_OR_PENDING,
	};
	static const u8 flags_of[SEPT_STATES] = {
#define SL_SEPT(idx, name, code, public_, flags) [idx] = (flags),
#include "module/sept_state.def"
#undef SL_SEPT
	};
	return flags_of[s];
}

static inline u32 sept_state_public(enum sept_state s)
{
	return sept_state_rows[s].public_state;
}

const char *sept_state_name(enum sept_state s);

static inline bool sept_is_leaf(u64 entry)
{
	return entry & SEPT_PS;
}

static inline struct hpa sept_hpa(u64 entry)
{
	return (struct hpa){ entry & SEPT_HPA_MASK };
}

/* HPA of a leaf at @level: without the accept counter of a 2 MB PENDING entry. */
static inline struct hpa sept_leaf_hpa(u64 entry, u32 level)
{
	return (struct hpa){ entry & SEPT_HPA_MASK & ~(SL_LEVEL_SIZE(level) - 1) };
}

/* A leaf in @state pointing at @page. RWX only if @state is accessible to the guest. */
static inline u64 sept_make_leaf(enum sept_state state, struct hpa page)
{
	return SEPT_SVE | sept_state_raw(state) | SEPT_MT_WB | page.v |
	       (sept_state_flags(state) & SEPT_GUEST_LEAF ? SEPT_RWX : 0);
}

static inline u64 sept_make_table(struct hpa table)
{
	return SEPT_SVE | sept_state_raw(SEPT_NL_MAPPED) | SEPT_RWX | table.v;
}

/* @entry with its state bits replaced and RWX and memory type as the new state has them. */
static inline u64 sept_with_state(u64 entry, enum sept_state state)
{
	bool present = state == SEPT_NL_MAPPED || (sept_state_flags(state) & SEPT_GUEST_LEAF);

	entry &= ~(SEPT_STATE_MASK | SEPT_RWX | SEPT_MT_MASK);
	entry |= sept_state_raw(state);
	if (entry & SEPT_PS)
		entry |= SEPT_MT_WB;
	if (present)
		entry |= SEPT_RWX;
	return entry;
}

/* What unblocking makes of a state; states that are not blocked stay as they are. */
enum sept_state sept_unblocked(enum sept_state state);

/* Result of a walk. */
struct sept_walk {
	_Atomic u64 *entry; /* where it ended */
	u64 copy;           /* what was there */
	u32 level;          /* at which level */
	bool reached;       /* the requested level */
	bool halt;          /* a misconfigured entry was met: the caller halts */
};

/*
 * One level of the walk: reads the entry for @gpa in @table. False: goes on in *table. What depends on
 * the entry above is kept short, since each level waits for it: only the address of the table.
 */
SL_INLINE bool sept_walk_ends(const struct sl_machine *m, uintptr_t frames, struct hpa *table,
			      struct gpa gpa, u32 level, u32 target, struct sept_walk *w)
{
	uintptr_t place =
		frames + (gpa.v >> SL_LEVEL_SHIFT(level) & (SL_ENTRIES - 1)) * sizeof(u64);

	w->entry = (_Atomic u64 *)(place + table->v);
	/* Pairs with the committing store of whoever linked the table below. */
	w->copy = atomic_load_explicit(w->entry, memory_order_acquire);
	w->level = level;
	if (level == target) {
		w->reached = true;
		return true;
	}
	if ((w->copy & SEPT_RWX) == 0 || sept_is_leaf(w->copy))
		return true;
	*table = sept_hpa(w->copy);
	/* Present entries of this version are all RWX, and point at memory that exists. */
	w->halt = (w->copy & SEPT_RWX) != SEPT_RWX || !mem_is_private(m, *table);
	return sl_unlikely(w->halt);
}

/* Lock-free walk to @target (spec: "The SEPT walk"). Ignores TDEL and HP on every level. */
static inline struct sept_walk sept_walk(const struct sl_machine *m, const struct tdcs *tdcs,
					 struct gpa gpa, u32 target)
{
	struct sept_walk w = { .reached = false };
	bool five = tdcs->page_walk == 4;
	struct hpa table = tdcs->sept_root;
	uintptr_t frames = (uintptr_t)m->mem.frames - SL_PRIVATE_BASE;

	/* Levels are constants here, so that nothing waits for the root's. */
	if (five && sept_walk_ends(m, frames, &table, gpa, 4, target, &w))
		return w;
	(void)(sept_walk_ends(m, frames, &table, gpa, 3, target, &w) ||
	       sept_walk_ends(m, frames, &table, gpa, 2, target, &w) ||
	       sept_walk_ends(m, frames, &table, gpa, 1, target, &w) ||
	       sept_walk_ends(m, frames, &table, gpa, 0, target, &w));
	return w;
}

/* Fills a S-EPT page with FREE entries. */
void sept_page_init(const struct sl_machine *m, struct hpa page);
/* Fills one with @value, a leaf of 2 MB or 1 GB at @level, in 512 pieces: from @value's own address on. */
void sept_page_split(const struct sl_machine *m, struct hpa page, u64 value, u32 level);
/* Are all of its entries FREE? */
bool sept_page_is_free(const struct sl_machine *m, struct hpa page);

/* Level field of the root's entries: 3 for 4-level, 4 for 5-level tables. */
static inline u32 sept_top_level(const struct tdcs *tdcs)
{
	return tdcs->page_walk;
}

/* Is @gpa a private address of this TD? */
static inline bool sept_gpa_is_private(const struct tdcs *tdcs, struct gpa gpa)
{
	u32 shared_bit = tdcs->gpaw ? 51 : 47;

	return !(gpa.v >> shared_bit);
}

#endif
