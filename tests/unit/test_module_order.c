// SPDX-License-Identifier: MIT
/*
 * Locks and checks of every leaf, in order.
 *
 * Each leaf is written down below as a list: the locks that it takes and the conditions under which
 * it refuses, in the order in which it meets them. From such a list follow these tests, for both
 * flavours:
 *
 *   plan     the module's lock plan has exactly the locks of the list
 *   busy     each lock, held by somebody else, gives its own BUSY status, is left with
 *            HOST_PRIORITY as the lock's kind has it, and everything else as it was; once it is
 *            free the same call succeeds and takes HOST_PRIORITY away
 *   refusal  each condition gives its status, with the right registers, and changes nothing
 *   order    of any two at once the earlier one wins, and a lock after it is not touched
 */
#include "module_fixture.h"

#include <stdio.h>
#include <string.h>

#define GPA      0x40000000ull
#define FAR_GPA  0x8000000000ull /* under another root entry */
#define BIG_GPA  0x80000000ull
#define SHARED   0x800000000000ull
#define NONE     (~0ull)
#define HKID(id) ((u64)(id) << 46)

struct ctx {
	struct fx *f;
	struct fx_td *td;
	u32 lp;
	bool guest; /* a TDCALL */
	u64 rax;
	u64 ok;
	struct tdx_module_args args;
	struct tdx_module_args out;
	u64 gpa;
	u32 level;
	u64 vcpu;
	u64 page;   /* what is added or removed */
	u64 target; /* where it goes, or the S-EPT page that comes into it */
	bool table; /* @page is a S-EPT page: a small one, whatever the level */
};

/* ---- steps ---------------------------------------------------------------------------------- */

enum step_type {
	T_END,
	T_LOCK, /* a lock word of its own, or one PAMT entry */
	T_WALK, /* an explicit page: address, three PAMT entries, size and type */
	T_COND,
};

enum info {
	I_NONE,  /* RCX and RDX are 0 */
	I_WALK,  /* the free root entry */
	I_ENTRY, /* the entry of x->gpa */
	I_KEPT,  /* the operands as they came in */
	I_ANY,   /* no statement */
};

/* Steps that change the same thing are not combined. */
enum slot {
	L_RCX = 1,
	L_RDX = 2,
	L_R8 = 4,
	L_R9 = 8,
	L_ENTRY = 16,
	L_TDR = 32,
	L_VP = 64,
	L_PARAMS = 128,
	L_WBT = 256,
};

struct step {
	enum step_type type;
	const char *name;
	u64 status;
	u32 slot;
	enum info info;
	/* T_COND */
	void (*apply)(struct ctx *x, u64 arg);
	u64 arg;
	bool changes[2]; /* by flavour: refused, yet something has changed */
	/* T_LOCK, T_WALK */
	enum lock_object object;
	enum lock_path path;
	enum lock_kind kind;
	enum lock_mode mode;
	bool by_guest;
	u32 operand;
	struct fx_word (*word)(struct ctx *x);
	bool freed;     /* T_LOCK: lies in a page that is gone after success */
	u32 page_level; /* T_WALK: level wanted; LEVEL_ANY */
	bool keyed;     /* T_WALK: the address has a key id in it */
	bool any_type;  /* T_WALK: no type is refused */
};

#define LEVEL_ANY 3

#define END_STEPS             \
	{                     \
		.type = T_END \
	}
#define COND(name_, status_, slot_, info_, fn, arg_)                                            \
	{                                                                                       \
		.type = T_COND, .name = name_, .status = status_, .slot = slot_, .info = info_, \
		.apply = fn, .arg = arg_                                                        \
	}
#define LOCK(obj, path_, kind_, mode_, op, busy, fn, info_)                                        \
	{                                                                                          \
		.type = T_LOCK, .name = #obj, .status = busy, .info = info_, .object = LOCK_##obj, \
		.path = path_, .kind = LOCK_KIND_##kind_, .mode = LOCK_##mode_, .operand = op,     \
		.word = fn                                                                         \
	}
#define WALK(obj, mode_, op, slot_, fn, level_)                                               \
	{                                                                                     \
		.type = T_WALK, .name = #obj, .status = ST_BUSY(op), .slot = slot_,           \
		.info = I_NONE, .object = LOCK_##obj, .path = LOCK_WALK,                      \
		.kind = LOCK_KIND_SHAREX_HP, .mode = LOCK_##mode_, .operand = op, .word = fn, \
		.page_level = level_                                                          \
	}

/* ---- words ---------------------------------------------------------------------------------- */

static struct fx_word w_tdr(struct ctx *x)
{
	return fx_w_pamt(x->f, x->td->tdr, 0);
}

static struct fx_word w_vcpu(struct ctx *x)
{
	return fx_w_pamt(x->f, x->vcpu, 0);
}

static struct fx_word w_page(struct ctx *x)
{
	return fx_w_pamt(x->f, x->page, x->level);
}

/* For leaves whose level is that of an entry, while their page is always a small one. */
static struct fx_word w_page_4k(struct ctx *x)
{
	return fx_w_pamt(x->f, x->page, 0);
}

static struct fx_word w_target(struct ctx *x)
{
	return fx_w_pamt(x->f, x->target, 0);
}

/* The large page that the 512 small ones from x->target on become. */
static struct fx_word w_large(struct ctx *x)
{
	return fx_w_pamt(x->f, x->target, 1);
}

static _Atomic u64 *child_entry(struct ctx *x, u32 index)
{
	return (_Atomic u64 *)(x->f->m->mem.frames + (x->page - SL_PRIVATE_BASE)) + index;
}

static struct fx_word w_first_child(struct ctx *x)
{
	return (struct fx_word){ FX_TDEL, child_entry(x, 0) };
}

static struct fx_word w_op_state(struct ctx *x)
{
	return fx_w_op_state(x->f, x->td);
}

static struct fx_word w_tree(struct ctx *x)
{
	return fx_w_tree(x->f, x->td);
}

static struct fx_word w_epoch(struct ctx *x)
{
	return fx_w_epoch(x->f, x->td);
}

static struct fx_word w_rtmr(struct ctx *x)
{
	return fx_w_rtmr(x->f, x->td);
}

static struct fx_word w_entry(struct ctx *x)
{
	return fx_w_entry(x->f, x->td, x->gpa, x->level);
}

static struct fx_word w_sys(struct ctx *x)
{
	return fx_w_sharex(&x->f->m->sys_lock);
}

static struct fx_word w_kot(struct ctx *x)
{
	return fx_w_sharex(&x->f->m->kot_lock);
}

static struct fx_word w_tdmr(struct ctx *x)
{
	return fx_w_mutex(&x->f->m->mem.tdmr_lock);
}

static struct fx_word w_wbt(struct ctx *x)
{
	return fx_w_mutex(&x->f->m->wbt[x->lp % FX_PACKAGES].lock);
}

static struct fx_word w_ket(struct ctx *x)
{
	return fx_w_mutex(&x->f->m->key_engine[x->lp % FX_PACKAGES]);
}

/* ---- conditions ----------------------------------------------------------------------------- */

static u64 *reg(struct ctx *x, u32 operand)
{
	switch (operand) {
	case R_RCX:
		return &x->args.rcx;
	case R_RDX:
		return &x->args.rdx;
	case R_R8:
		return &x->args.r8;
	default:
		return &x->args.r9;
	}
}

static void c_rcx_or(struct ctx *x, u64 arg)
{
	x->args.rcx |= arg;
}

static void c_rcx(struct ctx *x, u64 arg)
{
	x->args.rcx = arg;
}

static void c_rdx_or(struct ctx *x, u64 arg)
{
	x->args.rdx |= arg;
}

static void c_rdx(struct ctx *x, u64 arg)
{
	x->args.rdx = arg;
}

static void c_r8(struct ctx *x, u64 arg)
{
	x->args.r8 = arg;
}

static void c_r9(struct ctx *x, u64 arg)
{
	x->args.r9 = arg;
}

static void c_r10(struct ctx *x, u64 arg)
{
	x->args.r10 = arg;
}

static void c_r11(struct ctx *x, u64 arg)
{
	x->args.r11 = arg;
}

static void c_level(struct ctx *x, u64 arg)
{
	x->args.rcx = (x->args.rcx & ~7ull) | arg;
}

static void c_fatal(struct ctx *x, u64 arg)
{
	atomic_store(&fx_tdr(x->f, x->td)->fatal, arg);
}

static void c_lifecycle(struct ctx *x, u64 arg)
{
	fx_tdr(x->f, x->td)->lifecycle = (u8)arg;
}

static void c_num_tdcx(struct ctx *x, u64 arg)
{
	fx_tdr(x->f, x->td)->num_tdcx = (u32)arg;
}

static void c_op_state(struct ctx *x, u64 arg)
{
	fx_tdcs(x->f, x->td)->op_state = (u8)arg;
}

static void c_chldcnt(struct ctx *x, u64 arg)
{
	atomic_store(&fx_tdr(x->f, x->td)->chldcnt, arg);
}

/* The entry becomes @arg; the lock stays as it is. */
static void c_entry(struct ctx *x, u64 arg)
{
	u64 old = fx_entry_value(x->f, x->td, x->gpa, x->level);

	fx_poke(x->f, x->td, x->gpa, x->level, arg | (old & (E_TDEL | E_HP)));
}

/* The same with the page that is there now. */
static void c_entry_state(struct ctx *x, u64 arg)
{
	u64 old = fx_entry_value(x->f, x->td, x->gpa, x->level);

	c_entry(x, arg | (old & 0x000FFFFFFFFFF000ull));
}

static void c_refcount_old(struct ctx *x, u64 arg)
{
	union td_epoch *e = &fx_tdcs(x->f, x->td)->epoch;

	atomic_store(&e->f.refcount[1 - (atomic_load(&e->f.epoch) & 1)], (u16)arg);
}

static void c_vcpu_state(struct ctx *x, u64 arg)
{
	atomic_store(&fx_tdvps(x->f, x->vcpu)->state, (u8)arg);
}

static void c_vcpu_pages(struct ctx *x, u64 arg)
{
	fx_tdvps(x->f, x->vcpu)->num_pages = (u32)arg;
}

static void c_vcpu_lp(struct ctx *x, u64 arg)
{
	atomic_store(&fx_tdvps(x->f, x->vcpu)->assoc_lpid, (u32)arg);
}

static void c_num_vcpus(struct ctx *x, u64 arg)
{
	atomic_store(&fx_tdcs(x->f, x->td)->num_vcpus, (u32)arg);
}

static void c_platform(struct ctx *x, u64 arg)
{
	sl_lp_set_platform(x->f->lp[x->lp], x->f->lp[x->lp]->platform | (u32)arg);
}

static void c_no_entropy(struct ctx *x, u64 arg)
{
	fx_script(x->f, 1, (u32)arg);
}

static void c_kot_state(struct ctx *x, u64 arg)
{
	x->f->m->kot[x->td->hkid].state = (u8)arg;
}

static void c_hkid_in_use(struct ctx *x, u64 arg)
{
	x->f->m->kot[x->args.rdx].state = (u8)arg;
}

static void c_wbinvd_bits(struct ctx *x, u64 arg)
{
	atomic_store(&x->f->m->kot[x->td->hkid].wbinvd_bitmap, (u32)arg);
}

static void c_num_assoc(struct ctx *x, u64 arg)
{
	atomic_store(&fx_tdcs(x->f, x->td)->num_assoc_vcpus, (u32)arg);
}

static void c_pkg_done(struct ctx *x, u64 arg)
{
	atomic_store(&fx_tdr(x->f, x->td)->pkg_config_bitmap, (u32)arg);
}

static void c_sys_state(struct ctx *x, u64 arg)
{
	atomic_store(&x->f->m->sys_state, (u8)arg);
}

static void c_lps_initialized(struct ctx *x, u64 arg)
{
	atomic_store(&x->f->m->lps_initialized, (u32)arg);
}

static void c_lp_done(struct ctx *x, u64 arg)
{
	x->f->lp[x->lp]->initialized = arg;
}

static void c_sys_pkg_done(struct ctx *x, u64 arg)
{
	atomic_store(&x->f->m->sys_pkg_bitmap, (u32)arg);
}

static void c_tdmr_done(struct ctx *x, u64 arg)
{
	atomic_store(&x->f->m->mem.initialized, arg);
}

static void c_tdmr_base(struct ctx *x, u64 arg)
{
	*(u64 *)sl_machine_shared(x->f->m, FX_TDMR_INFO) = arg;
}

static void c_tdmr_list(struct ctx *x, u64 arg)
{
	*(u64 *)sl_machine_shared(x->f->m, FX_TDMR_LIST) = arg;
}

/* arg: byte offset in TD_PARAMS, and the value of the byte there. */
#define PARAM(at, value) ((u64)(at) << 8 | (value))

static void c_param(struct ctx *x, u64 arg)
{
	u8 *p = sl_machine_shared(x->f->m, FX_TD_PARAMS);

	p[arg >> 8] = (u8)arg;
}

/* The child of a 2 MB page at @arg pages from its start becomes a table of another TD. */
static void c_child_used(struct ctx *x, u64 arg)
{
	atomic_store(&fx_pamt(x->f, x->page + arg * SL_PAGE_SIZE, 0)->type, PAMT_EPT);
}

static void c_attributes(struct ctx *x, u64 arg)
{
	fx_tdcs(x->f, x->td)->attributes = arg;
}

static void c_interrupt(struct ctx *x, u64 arg)
{
	(void)arg;
	sl_lp_interrupt_raise(x->f->lp[x->lp]);
}

static void c_target_is_source(struct ctx *x, u64 arg)
{
	(void)arg;
	x->args.r8 = x->page;
}

/* Children of the table x->page change by the bits of @arg. */
static void c_first_child(struct ctx *x, u64 arg)
{
	atomic_fetch_xor(child_entry(x, 0), arg);
}

static void c_second_child(struct ctx *x, u64 arg)
{
	atomic_fetch_xor(child_entry(x, 1), arg);
}

static void c_last_child(struct ctx *x, u64 arg)
{
	atomic_fetch_xor(child_entry(x, 511), arg);
}

/* ---- the leaves ----------------------------------------------------------------------------- */

#define ST_OPEN(bad)                                                                   \
	COND("fatal", ST_TD_FATAL, 0, I_NONE, c_fatal, 1),                             \
		COND("no keys", ST_TD_KEYS, 0, I_NONE, c_lifecycle, TD_HKID_ASSIGNED), \
		COND("keys gone", ST_TD_KEYS, L_TDR, I_NONE, c_lifecycle, TD_BLOCKED), \
		COND("few TDCX", ST_TDCS_NOT_ALLOCATED, 0, I_NONE, c_num_tdcx, 5)
#define OP_LOCK                                                                               \
	LOCK(OP_STATE, LOCK_WORD, SHAREX_HP, SH, R_OP_STATE, ST_BUSY(R_OP_STATE), w_op_state, \
	     I_NONE)
#define OP_BAD(state) COND("OP_STATE", ST_OP_STATE, 0, I_NONE, c_op_state, state)
#define TDR_LEAF      LOCK(TDR, LOCK_LEAF, SHAREX_HP, SH, R_TDR, ST_BUSY(R_TDR), w_tdr, I_NONE)
#define RCX_BAD(level)                                                                           \
	COND("reserved bit 3", ST_INVALID(R_RCX), L_RCX, I_NONE, c_rcx_or, 1 << 3),              \
		COND("reserved bit 11", ST_INVALID(R_RCX), L_RCX, I_NONE, c_rcx_or, 1 << 11),    \
		COND("reserved bit 52", ST_INVALID(R_RCX), L_RCX, I_NONE, c_rcx_or, 1ull << 52), \
		COND("reserved bit 63", ST_INVALID(R_RCX), L_RCX, I_NONE, c_rcx_or, 1ull << 63), \
		COND("level", ST_INVALID(R_RCX), L_RCX, I_NONE, c_level, level),                 \
		COND("shared GPA", ST_INVALID(R_RCX), L_RCX, I_NONE, c_rcx_or, SHARED),          \
		COND("48 bits", ST_INVALID(R_RCX), L_RCX, I_NONE, c_rcx_or, 1ull << 48)
#define UNALIGNED(level) \
	COND("unaligned", ST_INVALID(R_RCX), L_RCX, I_NONE, c_rcx_or, (level) ? 0x1000 : 0x10)
#define TREE(mode) \
	LOCK(TREE, LOCK_WORD, SHAREX, mode, R_SEPT_TREE, ST_BUSY(R_SEPT_TREE), w_tree, I_NONE)
#define NO_WALK(level) COND("walk", ST_WALK_FAILED, L_RCX, I_WALK, c_rcx, FAR_GPA | (level))
#define ENTRY          LOCK(ENTRY, LOCK_IN_ENTRY, TDEL, EX, R_RCX, ST_BUSY(R_RCX), w_entry, I_ENTRY)
#define MEM_HEAD(tree_mode, bad_op, bad_level, level)                               \
	WALK(TDR, SH, R_RDX, L_RDX, w_tdr, 0), ST_OPEN(0), OP_LOCK, OP_BAD(bad_op), \
		RCX_BAD(bad_level), UNALIGNED(level), TREE(tree_mode), NO_WALK(level), ENTRY
#define IN_STATE(what, status) COND(#what, status, L_ENTRY, I_ENTRY, c_entry_state, what(0))
#define FREE_STATE             COND("FREE", ST_ENTRY_STATE, L_ENTRY, I_ENTRY, c_entry, E_FREE)

/* Both TDs: [0] as the leaf needs it, [1] one that runs and owns pages of every kind. */
static void other_td(struct fx *f)
{
	fx_td_runnable(f, &f->td[1], 1);
	fx_sept(f, &f->td[1], BIG_GPA, 1);
	is(SC(f, 0, tdh_mem_page_aug, .rcx = BIG_GPA | 1, .rdx = f->td[1].tdr,
	      .r8 = FX_HPA(FX_AT_HIGH_BIG)),
	   ST_SUCCESS);
	/* LP 0 is for the TD under test. */
	is(SC(f, 0, tdh_vp_flush, .rcx = f->td[1].vcpu[0]), ST_SUCCESS);
}

static void add_page(struct ctx *x, u64 page, u32 operand)
{
	x->page = page;
	*reg(x, operand) = page;
}

static void runnable(struct ctx *x, u32 vcpus)
{
	fx_td_runnable(x->f, x->td, vcpus);
	x->vcpu = x->td->vcpu[0];
}

static void initialized(struct ctx *x)
{
	fx_td_initialized(x->f, x->td, 1);
	x->vcpu = x->td->vcpu[0];
}

static void mem_args(struct ctx *x, u64 gpa, u32 level)
{
	x->gpa = gpa;
	x->level = level;
	x->args.rcx = PAGE_INFO(gpa, level);
	x->args.rdx = x->td->tdr;
}

/* ---- SEPT.ADD */

static void up_sept_add(struct ctx *x)
{
	runnable(x, 1);
	fx_sept(x->f, x->td, GPA, 1);
	mem_args(x, GPA, 1);
	add_page(x, fx_page_high(x->f), R_R8);
}

static void up_sept_add_v1(struct ctx *x)
{
	up_sept_add(x);
	x->rax |= 1 << 16;
	x->args.r9 = x->args.r10 = x->args.r11 = NONE;
}

#define SEPT_ADD_TAIL                                                                        \
	MEM_HEAD(SH, OP_PAUSED_EXPORT, 0, 1), IN_STATE(E_PENDING, ST_ENTRY_STATE),           \
		IN_STATE(E_MAPPED, ST_ENTRY_STATE), IN_STATE(E_TABLE_BLK, ST_ENTRY_STATE),   \
		IN_STATE(E_TABLE, ST_ENTRY_STATE), WALK(PAGE, EX, R_R8, L_R8, w_page_4k, 0), \
		END_STEPS

static const struct step sept_add[] = {
	COND("flags", ST_INVALID(R_RDX), L_RDX, I_NONE, c_rdx_or, 1 << 1),
	COND("flags", ST_INVALID(R_RDX), L_RDX, I_NONE, c_rdx_or, 1ull << 63),
	COND("no page", ST_INVALID(R_R8), L_R8, I_NONE, c_r8, NONE),
	SEPT_ADD_TAIL,
};

static const struct step sept_add_v1[] = {
	COND("flags", ST_INVALID(R_RDX), L_RDX, I_NONE, c_rdx_or, 1 << 11),
	COND("L2 page", ST_INVALID(R_R9), 0, I_NONE, c_r9, 0),
	COND("L2 page", ST_INVALID(R_R10), 0, I_NONE, c_r10, 0),
	COND("L2 page", ST_INVALID(R_R11), 0, I_NONE, c_r11, 0),
	SEPT_ADD_TAIL,
};

/* ---- SEPT.RD */

static void up_sept_rd(struct ctx *x)
{
	runnable(x, 1);
	fx_aug(x->f, x->td, GPA, 0, fx_page_high(x->f));
	mem_args(x, GPA, 0);
}

static const struct step sept_rd[] = {
	WALK(TDR, SH, R_RDX, L_RDX, w_tdr, 0),
	ST_OPEN(0),
	OP_LOCK,
	OP_BAD(OP_UNINITIALIZED),
	COND("L2 attributes", ST_INVALID(R_RDX), L_RDX, I_NONE, c_rdx_or, 1),
	RCX_BAD(4),
	TREE(SH),
	NO_WALK(0),
	ENTRY,
	END_STEPS,
};

/* ---- PAGE.ADD */

static void up_page_add(struct ctx *x)
{
	initialized(x);
	fx_sept(x->f, x->td, GPA, 0);
	mem_args(x, GPA, 0);
	add_page(x, fx_page_high(x->f), R_R8);
	x->args.r9 = FX_SOURCE;
}

static const struct step page_add[] = {
	WALK(TDR, EX, R_RDX, L_RDX, w_tdr, 0),
	ST_OPEN(0),
	OP_BAD(OP_RUNNABLE),
	RCX_BAD(1),
	COND("source", ST_INVALID(R_R9), L_R9, I_NONE, c_r9, FX_SOURCE + 0x800),
	COND("source", ST_INVALID(R_R9), L_R9, I_NONE, c_r9, SL_PRIVATE_BASE),
	NO_WALK(0),
	IN_STATE(E_PENDING, ST_ENTRY_STATE),
	IN_STATE(E_MAPPED, ST_ENTRY_STATE),
	COND("REMOVED", ST_ENTRY_STATE, L_ENTRY, I_ENTRY, c_entry, E_REMOVED),
	WALK(PAGE, EX, R_R8, L_R8, w_page, 0),
	END_STEPS,
};

/* ---- PAGE.AUG */

static void up_page_aug(struct ctx *x)
{
	runnable(x, 1);
	fx_sept(x->f, x->td, GPA, 0);
	mem_args(x, GPA, 0);
	add_page(x, fx_page_high(x->f), R_R8);
}

static const struct step page_aug[] = {
	MEM_HEAD(SH, OP_PAUSED_EXPORT, 2, 0),
	IN_STATE(E_PENDING, ST_ENTRY_STATE),
	IN_STATE(E_MAPPED, ST_ENTRY_STATE),
	IN_STATE(E_BLOCKED, ST_ENTRY_STATE),
	IN_STATE(E_PENDING_B, ST_ENTRY_STATE),
	WALK(PAGE, EX, R_R8, L_R8, w_page, 0),
	END_STEPS,
};

static void up_page_aug_2m(struct ctx *x)
{
	runnable(x, 1);
	fx_sept(x->f, x->td, GPA, 1);
	mem_args(x, GPA, 1);
	/* In the block in which the other TD has the other big page. */
	add_page(x, FX_HPA(FX_AT_HIGH), R_R8);
}

static const struct step page_aug_2m[] = {
	MEM_HEAD(SH, OP_POST_EXPORT, 2, 1),
	IN_STATE(E_TABLE, ST_ENTRY_STATE),
	WALK(PAGE, EX, R_R8, L_R8, w_page, 1),
	COND("first child in use", ST_METADATA(R_R8), L_R8, I_NONE, c_child_used, 0),
	COND("last child in use", ST_METADATA(R_R8), L_R8, I_NONE, c_child_used, 511),
	END_STEPS,
};

/* ---- PAGE.REMOVE */

static void block_and_track(struct ctx *x)
{
	is(SC(x->f, 0, tdh_mem_range_block, .rcx = PAGE_INFO(x->gpa, x->level), .rdx = x->td->tdr),
	   ST_SUCCESS);
	is(SC(x->f, 0, tdh_mem_track, .rcx = x->td->tdr), ST_SUCCESS);
}

static void up_page_remove(struct ctx *x)
{
	runnable(x, 1);
	x->page = fx_page_high(x->f);
	fx_map(x->f, x->td, GPA, 0, x->page);
	mem_args(x, GPA, 0);
	block_and_track(x);
}

static void c_just_blocked(struct ctx *x, u64 arg)
{
	u64 epoch = atomic_load(&fx_tdcs(x->f, x->td)->epoch.f.epoch);

	atomic_store(&fx_pamt(x->f, x->page, x->table ? 0 : x->level)->bepoch, epoch - arg);
}

static void c_old_vcpu_inside(struct ctx *x, u64 arg)
{
	c_just_blocked(x, 1);
	c_refcount_old(x, arg);
}

static void c_migrated(struct ctx *x, u64 arg)
{
	atomic_store(&fx_pamt(x->f, x->page, x->table ? 0 : x->level)->bepoch, arg);
}

#define NOT_TRACKED                                                                              \
	COND("no TRACK", ST_NOT_TRACKED(R_RCX), L_ENTRY, I_ENTRY, c_just_blocked, 0),            \
		COND("old vCPU", ST_NOT_TRACKED(R_RCX), L_ENTRY, I_ENTRY, c_old_vcpu_inside, 1), \
		COND("migration", ST_NOT_TRACKED(R_RCX), L_ENTRY, I_ENTRY, c_migrated, 1ull << 63)
#define PAGE_LEAF(fn) LOCK(PAGE, LOCK_LEAF, SHAREX_HP, EX, R_RCX, ST_BUSY(R_RCX), fn, I_ENTRY)
#define LARGE_LEAF(fn) \
	LOCK(LARGE_PAGE, LOCK_LEAF, SHAREX_HP, EX, R_RCX, ST_BUSY(R_RCX), fn, I_ENTRY)
#define REMOVE_TAIL                                                                           \
	FREE_STATE, IN_STATE(E_TABLE_BLK, ST_ENTRY_STATE), PAGE_LEAF(w_page),                 \
		IN_STATE(E_MAPPED, ST_NOT_BLOCKED), IN_STATE(E_PENDING, ST_NOT_BLOCKED),      \
		IN_STATE(E_BLOCKEDW, ST_NOT_BLOCKED), IN_STATE(E_PENDING_BW, ST_NOT_BLOCKED), \
		NOT_TRACKED, END_STEPS

static const struct step page_remove[] = {
	MEM_HEAD(SH, OP_UNINITIALIZED, 3, 0),
	REMOVE_TAIL,
};

static void up_page_remove_2m(struct ctx *x)
{
	runnable(x, 1);
	x->page = FX_HPA(FX_AT_HIGH);
	fx_map(x->f, x->td, GPA, 1, x->page);
	mem_args(x, GPA, 1);
	block_and_track(x);
}

static const struct step page_remove_2m[] = {
	MEM_HEAD(SH, OP_MEMORY_IMPORT, 3, 1),
	REMOVE_TAIL,
};

/* ---- PAGE.RELOCATE */

static void up_page_relocate(struct ctx *x)
{
	up_page_remove(x);
	x->target = fx_page_high(x->f);
	x->args.r8 = x->target;
}

static const struct step page_relocate[] = {
	MEM_HEAD(SH, OP_MEMORY_IMPORT, 1, 0),
	FREE_STATE,
	COND("REMOVED", ST_ENTRY_STATE, L_ENTRY, I_ENTRY, c_entry, E_REMOVED),
	IN_STATE(E_TABLE_BLK, ST_ENTRY_STATE),
	COND("target is source", ST_INVALID(R_R8), L_R8, I_NONE, c_target_is_source, 0),
	PAGE_LEAF(w_page),
	IN_STATE(E_MAPPED, ST_NOT_BLOCKED),
	IN_STATE(E_PENDING, ST_NOT_BLOCKED),
	IN_STATE(E_BLOCKEDW, ST_NOT_BLOCKED),
	IN_STATE(E_PENDING_BW, ST_NOT_BLOCKED),
	NOT_TRACKED,
	WALK(PAGE, EX, R_R8, L_R8, w_target, 0),
	END_STEPS,
};

/* ---- PAGE.DEMOTE */

static void up_page_demote(struct ctx *x)
{
	runnable(x, 1);
	x->page = FX_HPA(FX_AT_BIG);
	fx_map(x->f, x->td, GPA, 1, x->page);
	mem_args(x, GPA, 1);
	block_and_track(x);
	x->target = fx_page_high(x->f);
	x->args.r8 = x->target;
}

#define INTERRUPT COND("interrupt", ST_INTERRUPTED_RESTARTABLE, 0, I_KEPT, c_interrupt, 0)

static const struct step page_demote[] = {
	COND("flags", ST_INVALID(R_RDX), L_RDX, I_NONE, c_rdx_or, 1 << 1),
	COND("flags", ST_INVALID(R_RDX), L_RDX, I_NONE, c_rdx_or, 1 << 11),
	COND("flags", ST_INVALID(R_RDX), L_RDX, I_NONE, c_rdx_or, 1ull << 52),
	MEM_HEAD(SH, OP_STATE_IMPORT, 3, 1),
	FREE_STATE,
	IN_STATE(E_TABLE, ST_ENTRY_STATE),
	IN_STATE(E_TABLE_BLK, ST_ENTRY_STATE),
	IN_STATE(E_BLOCKEDW, ST_ENTRY_STATE),
	IN_STATE(E_PENDING_BW, ST_ENTRY_STATE),
	IN_STATE(E_MAPPED, ST_NOT_BLOCKED),
	IN_STATE(E_PENDING, ST_NOT_BLOCKED),
	NOT_TRACKED,
	WALK(PAGE, EX, R_R8, L_R8, w_target, 0),
	INTERRUPT,
	LARGE_LEAF(w_page),
	END_STEPS,
};

/* ---- PAGE.PROMOTE */

/* A page in 512 pieces under a table that is blocked. x->page is the table, x->target the page. */
static void up_page_promote(struct ctx *x)
{
	up_page_demote(x);
	is(fx_seamcall(x->f, 0, SEAMCALL_tdh_mem_page_demote, x->args), ST_SUCCESS);
	x->target = x->page;
	x->page = x->args.r8;
	x->table = true;
	x->args.r8 = 0;
	block_and_track(x);
}

static void up_page_promote_v1(struct ctx *x)
{
	up_page_promote(x);
	x->rax |= 1 << 16;
}

static const struct step page_promote[] = {
	MEM_HEAD(SH, OP_MEMORY_IMPORT, 3, 1),
	FREE_STATE,
	IN_STATE(E_MAPPED, ST_ENTRY_STATE),
	IN_STATE(E_PENDING_B, ST_ENTRY_STATE),
	PAGE_LEAF(w_page_4k),
	IN_STATE(E_TABLE, ST_NOT_BLOCKED),
	NOT_TRACKED,
	{ .type = T_LOCK,
	  .name = "first child",
	  .status = ST_BUSY(R_RCX),
	  .info = I_ENTRY,
	  .object = LOCK_CHILD,
	  .path = LOCK_IN_ENTRY,
	  .kind = LOCK_KIND_TDEL,
	  .mode = LOCK_EX,
	  .operand = R_RCX,
	  .word = w_first_child,
	  .freed = true },
	COND("first blocked", ST_PROMOTE_CONDITIONS, 0, I_NONE, c_first_child, 1ull << 55 | 7),
	COND("first unaligned", ST_PROMOTE_CONDITIONS, 0, I_NONE, c_first_child, 0x1000),
	COND("second differs", ST_PROMOTE_CONDITIONS, 0, I_NONE, c_second_child, 1ull << 56),
	COND("last elsewhere", ST_PROMOTE_CONDITIONS, 0, I_NONE, c_last_child, 0x40000000),
	INTERRUPT,
	LARGE_LEAF(w_large),
	END_STEPS,
};

/* ---- SEPT.REMOVE */

static void up_sept_remove(struct ctx *x)
{
	runnable(x, 1);
	fx_sept(x->f, x->td, GPA, 0);
	mem_args(x, GPA, 1);
	x->page = fx_entry_value(x->f, x->td, GPA, 1) & 0x000FFFFFFFFFF000ull;
	x->table = true;
	block_and_track(x);
}

static void up_sept_remove_v1(struct ctx *x)
{
	up_sept_remove(x);
	x->rax |= 1 << 16;
}

static const struct step sept_remove[] = {
	MEM_HEAD(EX, OP_UNINITIALIZED, 4, 1),
	FREE_STATE,
	IN_STATE(E_MAPPED, ST_ENTRY_STATE),
	IN_STATE(E_PENDING_B, ST_ENTRY_STATE),
	PAGE_LEAF(w_page_4k),
	IN_STATE(E_TABLE, ST_NOT_BLOCKED),
	NOT_TRACKED,
	COND("first child mapped", ST_PAGE_NOT_FREE, 0, I_NONE, c_first_child,
	     E_FREE ^ E_PENDING(FX_HPA(FX_AT_HIGH))),
	COND("last child removed", ST_PAGE_NOT_FREE, 0, I_NONE, c_last_child, E_FREE ^ E_REMOVED),
	END_STEPS,
};

/* ---- MEM.RD, MEM.WR */

static void up_mem_data(struct ctx *x)
{
	x->f->attributes = 1; /* debug */
	runnable(x, 1);
	x->page = fx_page_high(x->f);
	fx_map(x->f, x->td, GPA, 0, x->page);
	mem_args(x, GPA, 0);
	x->args.rcx = GPA + 0x128;
	x->args.r8 = 7;
}

#define MEM_DATA                                                                                   \
	WALK(TDR, SH, R_RDX, L_RDX, w_tdr, 0), ST_OPEN(0), OP_LOCK, OP_BAD(OP_UNINITIALIZED),      \
		COND("not debug", ST_TD_NON_DEBUG, 0, I_NONE, c_attributes, 1ull << 28), TREE(SH), \
		COND("unaligned", ST_INVALID(R_RCX), L_RCX, I_NONE, c_rcx_or, 4),                  \
		COND("shared GPA", ST_INVALID(R_RCX), L_RCX, I_NONE, c_rcx_or, SHARED),            \
		COND("48 bits", ST_INVALID(R_RCX), L_RCX, I_NONE, c_rcx_or, 1ull << 48),           \
		COND("beyond", ST_INVALID(R_RCX), L_RCX, I_NONE, c_rcx_or, 1ull << 63),            \
		COND("walk", ST_NOT_PRESENT(R_RCX), L_RCX, I_WALK, c_rcx, FAR_GPA),                \
		COND("FREE", ST_NOT_PRESENT(R_RCX), L_ENTRY, I_ENTRY, c_entry, E_FREE),            \
		IN_STATE(E_PENDING, ST_NOT_PRESENT(R_RCX)),                                        \
		IN_STATE(E_BLOCKED, ST_NOT_PRESENT(R_RCX)), ENTRY

static const struct step mem_rd[] = {
	MEM_DATA,
	END_STEPS,
};

static const struct step mem_wr[] = {
	MEM_DATA,
	IN_STATE(E_BLOCKEDW, ST_ENTRY_STATE),
	END_STEPS,
};

/* ---- RANGE.BLOCK */

static void up_range_block(struct ctx *x)
{
	runnable(x, 1);
	x->page = fx_page_high(x->f);
	fx_map(x->f, x->td, GPA, 0, x->page);
	mem_args(x, GPA, 0);
}

static const struct step range_block[] = {
	MEM_HEAD(EX, OP_MEMORY_IMPORT, 4, 0),
	IN_STATE(E_BLOCKED, ST_ALREADY_BLOCKED),
	IN_STATE(E_PENDING_B, ST_ALREADY_BLOCKED),
	IN_STATE(E_TABLE_BLK, ST_ALREADY_BLOCKED),
	FREE_STATE,
	COND("REMOVED", ST_ENTRY_STATE, L_ENTRY, I_ENTRY, c_entry, E_REMOVED),
	END_STEPS,
};

/* ---- RANGE.UNBLOCK */

static const struct step range_unblock[] = {
	MEM_HEAD(EX, OP_STATE_IMPORT, 4, 0),
	FREE_STATE,
	IN_STATE(E_MAPPED, ST_ENTRY_STATE),
	IN_STATE(E_PENDING, ST_ENTRY_STATE),
	IN_STATE(E_BLOCKEDW, ST_ENTRY_STATE),
	COND("no TRACK", ST_NOT_TRACKED(R_SEPT_TREE), L_ENTRY, I_ENTRY, c_just_blocked, 0),
	COND("old vCPU", ST_NOT_TRACKED(R_SEPT_TREE), L_ENTRY, I_ENTRY, c_old_vcpu_inside, 1),
	END_STEPS,
};

/* ---- TRACK */

static void up_track(struct ctx *x)
{
	runnable(x, 1);
	x->args.rcx = x->td->tdr;
}

static const struct step track[] = {
	WALK(TDR, SH, R_RCX, L_RCX, w_tdr, 0),
	ST_OPEN(0),
	OP_LOCK,
	OP_BAD(OP_FAILED_IMPORT),
	OP_BAD(OP_UNINITIALIZED),
	LOCK(EPOCH, LOCK_WORD, SHAREX, EX, R_TD_EPOCH, ST_BUSY(R_TD_EPOCH), w_epoch, I_ANY),
	COND("older vCPU", ST_PREVIOUS_TLB_EPOCH_BUSY, 0, I_ANY, c_refcount_old, 1),
	END_STEPS,
};

/* ---- MR.EXTEND, MR.FINALIZE */

static void up_mr_extend(struct ctx *x)
{
	up_page_add(x);
	is(SC(x->f, 0, tdh_mem_page_add, .rcx = GPA, .rdx = x->td->tdr, .r8 = x->page,
	      .r9 = FX_SOURCE),
	   ST_SUCCESS);
	x->args.r8 = x->args.r9 = 0;
	x->args.rcx = GPA + 0x100;
}

static const struct step mr_extend[] = {
	WALK(TDR, EX, R_RDX, L_RDX, w_tdr, 0),
	ST_OPEN(0),
	OP_BAD(OP_RUNNABLE),
	COND("unaligned", ST_INVALID(R_RCX), L_RCX, I_NONE, c_rcx_or, 0x80),
	COND("shared GPA", ST_INVALID(R_RCX), L_RCX, I_NONE, c_rcx_or, SHARED),
	COND("beyond 52 bits", ST_INVALID(R_RCX), L_RCX, I_NONE, c_rcx_or, 1ull << 52),
	COND("walk", ST_NOT_PRESENT(R_RCX), L_RCX, I_WALK, c_rcx, FAR_GPA),
	COND("FREE", ST_NOT_PRESENT(0), L_ENTRY, I_ENTRY, c_entry, E_FREE),
	IN_STATE(E_PENDING, ST_NOT_PRESENT(0)),
	END_STEPS,
};

static void up_mr_finalize(struct ctx *x)
{
	initialized(x);
	x->args.rcx = x->td->tdr;
}

static const struct step mr_finalize[] = {
	WALK(TDR, EX, R_RCX, L_RCX, w_tdr, 0),
	ST_OPEN(0),
	OP_BAD(OP_RUNNABLE),
	OP_BAD(OP_UNINITIALIZED),
	COND("no vCPU", ST_NO_VCPUS, 0, I_ANY, c_num_vcpus, 0),
	END_STEPS,
};

/* ---- MNG */

static void up_mng_create(struct ctx *x)
{
	add_page(x, fx_page_high(x->f), R_RCX);
	x->args.rdx = 40;
}

static const struct step mng_create[] = {
	COND("shared HKID", ST_INVALID(R_RDX), L_RDX, I_ANY, c_rdx, 31),
	COND("HKID beyond", ST_INVALID(R_RDX), L_RDX, I_ANY, c_rdx, 64),
	COND("HKID with more", ST_INVALID(R_RDX), L_RDX, I_ANY, c_rdx, 0x10020),
	WALK(TDR, EX, R_RCX, L_RCX, w_page, 0),
	LOCK(KOT, LOCK_WORD, SHAREX, EX, R_KOT, ST_BUSY(R_KOT), w_kot, I_ANY),
	COND("HKID in use", ST_HKID_NOT_FREE, 0, I_ANY, c_hkid_in_use, KOT_ASSIGNED),
	COND("HKID of the module", ST_HKID_NOT_FREE, L_RDX, I_ANY, c_rdx, FX_MODULE_KEY),
	COND("entropy", ST_RND_NO_ENTROPY, 0, I_ANY, c_no_entropy, 1),
	END_STEPS,
};

static void up_mng_key_config(struct ctx *x)
{
	fx_td_create(x->f, x->td);
	x->args.rcx = x->td->tdr;
}

static const struct step mng_key_config[] = {
	WALK(TDR, EX, R_RCX, L_RCX, w_tdr, 0),
	COND("fatal", ST_TD_FATAL, 0, I_ANY, c_fatal, 1),
	COND("lifecycle", ST_LIFECYCLE, 0, I_ANY, c_lifecycle, TD_KEYS_CONFIGURED),
	COND("done here", ST_KEY_CONFIGURED, 0, I_ANY, c_pkg_done, 1),
	LOCK(KET, LOCK_WORD, MUTEX, EX, R_KET, ST_BUSY(R_KET), w_ket, I_ANY),
	COND("entropy", ST_KEY_GENERATION_FAILED, 0, I_ANY, c_no_entropy, 1),
	END_STEPS,
};

static void with_keys(struct ctx *x, u32 tdcx)
{
	fx_td_create(x->f, x->td);
	for (u32 i = 0; i < FX_PACKAGES; i++)
		is(SC(x->f, i, tdh_mng_key_config, .rcx = x->td->tdr), ST_SUCCESS);
	fx_td_addcx(x->f, x->td, tdcx);
}

static void up_mng_addcx(struct ctx *x)
{
	with_keys(x, 5);
	x->args.rdx = x->td->tdr;
	add_page(x, fx_page_high(x->f), R_RCX);
}

static const struct step mng_addcx[] = {
	WALK(TDR, EX, R_RDX, L_RDX, w_tdr, 0),
	COND("fatal", ST_TD_FATAL, 0, I_ANY, c_fatal, 1),
	COND("no keys", ST_TD_KEYS, 0, I_ANY, c_lifecycle, TD_BLOCKED),
	COND("nine pages", ST_TDCX_NUM, 0, I_ANY, c_num_tdcx, 9),
	WALK(PAGE, EX, R_RCX, L_RCX, w_page, 0),
	COND("entropy", ST_RND_NO_ENTROPY, 0, I_ANY, c_no_entropy, 1),
	END_STEPS,
};

static void up_mng_addcx_7(struct ctx *x)
{
	with_keys(x, 6);
	x->args.rdx = x->td->tdr;
	add_page(x, fx_page_high(x->f), R_RCX);
}

static const struct step mng_addcx_7[] = {
	WALK(TDR, EX, R_RDX, L_RDX, w_tdr, 0),
	WALK(PAGE, EX, R_RCX, L_RCX, w_page, 0),
	COND("OP_STATE", ST_OP_STATE, 0, I_ANY, c_op_state, OP_INITIALIZED),
	END_STEPS,
};

static void up_mng_init(struct ctx *x)
{
	with_keys(x, 6);
	fx_td_params(x->f);
	x->args.rcx = x->td->tdr;
	x->args.rdx = FX_TD_PARAMS;
}

#define BAD_PARAM(name, op, at, value) \
	COND(name, ST_INVALID(op), L_PARAMS, I_ANY, c_param, PARAM(at, value))

static const struct step mng_init[] = {
	WALK(TDR, EX, R_RCX, L_RCX, w_tdr, 0),
	ST_OPEN(0),
	OP_BAD(OP_INITIALIZED),
	COND("unaligned", ST_INVALID(R_RDX), L_RDX, I_ANY, c_rdx_or, 0x200),
	COND("not shared", ST_INVALID(R_RDX), L_RDX, I_ANY, c_rdx, FX_HPA(0)),
	BAD_PARAM("attributes", R_ATTRIBUTES, 0, 2),
	BAD_PARAM("migratable", R_ATTRIBUTES, 3, 0x20),
	BAD_PARAM("XFAM", R_XFAM, 8, 1),
	BAD_PARAM("XFAM", R_XFAM, 15, 0x80),
	BAD_PARAM("no vCPU", R_MAX_VCPUS, 16, 0),
	BAD_PARAM("L2 VMs", R_NUM_L2_VMS, 18, 1),
	BAD_PARAM("arch. capabilities", R_ARCH_CAPABILITIES, 224, 1),
	BAD_PARAM("MSR controls", R_ARCH_CAPABILITIES, 19, 2),
	BAD_PARAM("memory type", R_EPTP_CONTROLS, 24, 3 << 3),
	BAD_PARAM("walk length", R_EPTP_CONTROLS, 24, 2 << 3 | 6),
	BAD_PARAM("accessed flags", R_EPTP_CONTROLS, 24, 0x40 | 3 << 3 | 6),
	BAD_PARAM("52 bits with 4 levels", R_EPTP_CONTROLS, 32, 1),
	BAD_PARAM("config flags", R_EXEC_CONTROLS, 32, 8),
	BAD_PARAM("TSC too slow", R_TSC_FREQUENCY, 40, 3),
	BAD_PARAM("TSC too fast", R_TSC_FREQUENCY, 41, 0xFF),
	BAD_PARAM("reserved", R_RDX, 20, 1),
	BAD_PARAM("reserved", R_RDX, 79, 1),
	BAD_PARAM("reserved", R_RDX, 255, 1),
	BAD_PARAM("CPUID", R_CPUID_CONFIG, 256, 1),
	END_STEPS,
};

#define HP_LOCK_TIMEOUT 0x9110000300000011ull
#define NOTIFY_ENABLES  0x9110000300000010ull
#define TD_EPOCH        0x9210000300000000ull
#define VCPU_STATE      0xA020000000000000ull
#define PEND_NMI        0xA02000000000000Bull

#define BAD_FIELDS                                                                              \
	COND("unknown code", ST_FIELD_ID, L_RDX, I_ANY, c_rdx, 0x9110000300000014ull),          \
		COND("unknown class", ST_FIELD_ID, L_RDX, I_ANY, c_rdx, 0x9F10000300000011ull), \
		COND("last element", ST_FIELD_ID, L_RDX, I_ANY, c_rdx_or, 1ull << 34),          \
		COND("last field", ST_FIELD_ID, L_RDX, I_ANY, c_rdx_or, 1ull << 46),            \
		COND("reserved", ST_FIELD_ID, L_RDX, I_ANY, c_rdx_or, 1ull << 24),              \
		COND("reserved", ST_FIELD_ID, L_RDX, I_ANY, c_rdx_or, 1ull << 62)

static void up_mng_rd(struct ctx *x)
{
	runnable(x, 1);
	x->args.rcx = x->td->tdr;
	x->args.rdx = HP_LOCK_TIMEOUT;
}

static void up_mng_rd_v1(struct ctx *x)
{
	up_mng_rd(x);
	x->rax |= 1 << 16;
}

#define MNG_RD_HEAD                                                                           \
	WALK(TDR, SH, R_RCX, L_RCX, w_tdr, 0), ST_OPEN(0), OP_LOCK, OP_BAD(OP_UNINITIALIZED), \
		BAD_FIELDS, COND("a vCPU's", ST_FIELD_ID, L_RDX, I_ANY, c_rdx, VCPU_STATE),   \
		COND("the guest's", ST_FIELD_NOT_READABLE, L_RDX, I_ANY, c_rdx, NOTIFY_ENABLES)

static const struct step mng_rd[] = {
	MNG_RD_HEAD,
	COND("null id", ST_FIELD_ID, L_RDX, I_ANY, c_rdx, NONE),
	END_STEPS,
};

static const struct step mng_rd_v1[] = {
	MNG_RD_HEAD,
	COND("null id", ST_FIRST_FIELD, L_RDX, I_ANY, c_rdx, NONE),
	END_STEPS,
};

static void up_mng_wr(struct ctx *x)
{
	up_mng_rd(x);
	x->args.r8 = 20000;
	x->args.r9 = NONE;
}

static const struct step mng_wr[] = {
	WALK(TDR, SH, R_RCX, L_RCX, w_tdr, 0),
	ST_OPEN(0),
	OP_LOCK,
	OP_BAD(OP_UNINITIALIZED),
	OP_BAD(OP_PAUSED_EXPORT),
	OP_BAD(OP_POST_EXPORT),
	BAD_FIELDS,
	COND("read only", ST_FIELD_NOT_WRITABLE, L_RDX, I_ANY, c_rdx, TD_EPOCH),
	COND("the guest's", ST_FIELD_NOT_WRITABLE, L_RDX, I_ANY, c_rdx, NOTIFY_ENABLES),
	COND("null id", ST_FIELD_ID, L_RDX, I_ANY, c_rdx, NONE),
	COND("mask", ST_WR_MASK, L_R9, I_ANY, c_r9, NONE >> 1),
	COND("no mask", ST_WR_MASK, L_R9, I_ANY, c_r9, 0),
	COND("too short", ST_FIELD_VALUE, L_R8, I_ANY, c_r8, 9999),
	COND("too long", ST_FIELD_VALUE, L_R8, I_ANY, c_r8, 100000001),
	END_STEPS,
};

static void up_mng_vpflushdone(struct ctx *x)
{
	runnable(x, 1);
	is(SC(x->f, 0, tdh_vp_flush, .rcx = x->vcpu), ST_SUCCESS);
	x->args.rcx = x->td->tdr;
}

static const struct step mng_vpflushdone[] = {
	WALK(TDR, EX, R_RCX, L_RCX, w_tdr, 0),
	LOCK(KOT, LOCK_WORD, SHAREX, EX, R_KOT, ST_BUSY(R_KOT), w_kot, I_ANY),
	COND("again", ST_LIFECYCLE, 0, I_ANY, c_lifecycle, TD_BLOCKED),
	COND("torn down", ST_LIFECYCLE, L_TDR, I_ANY, c_lifecycle, TD_TEARDOWN),
	COND("associated", ST_FLUSHVP_NOT_DONE, 0, I_ANY, c_num_assoc, 1),
	END_STEPS,
};

static void up_mng_key_freeid(struct ctx *x)
{
	up_mng_vpflushdone(x);
	is(SC(x->f, 0, tdh_mng_vpflushdone, .rcx = x->td->tdr), ST_SUCCESS);
	for (u32 i = 0; i < FX_PACKAGES; i++)
		is(SC(x->f, i, tdh_phymem_cache_wb, .rcx = 0), ST_SUCCESS);
}

static const struct step mng_key_freeid[] = {
	WALK(TDR, EX, R_RCX, L_RCX, w_tdr, 0),
	COND("not flushed", ST_LIFECYCLE, 0, I_ANY, c_lifecycle, TD_KEYS_CONFIGURED),
	COND("again", ST_LIFECYCLE, L_TDR, I_ANY, c_lifecycle, TD_TEARDOWN),
	LOCK(KOT, LOCK_WORD, SHAREX, EX, R_KOT, ST_BUSY(R_KOT), w_kot, I_ANY),
	COND("one package left", ST_WBCACHE_NOT_COMPLETE, 0, I_ANY, c_wbinvd_bits, 2),
	END_STEPS,
};

/* ---- VP */

static void up_vp_create(struct ctx *x)
{
	initialized(x);
	x->args.rdx = x->td->tdr;
	add_page(x, fx_page_high(x->f), R_RCX);
}

static const struct step vp_create[] = {
	WALK(TDR, SH, R_RDX, L_RDX, w_tdr, 0),
	ST_OPEN(0),
	OP_LOCK,
	OP_BAD(OP_RUNNABLE),
	OP_BAD(OP_UNINITIALIZED),
	WALK(PAGE, EX, R_RCX, L_RCX, w_page, 0),
	END_STEPS,
};

static void up_vp_addcx(struct ctx *x)
{
	initialized(x);
	x->vcpu = fx_vcpu_create(x->f, x->td);
	x->args.rdx = x->vcpu;
	add_page(x, fx_page_high(x->f), R_RCX);
}

static const struct step vp_addcx[] = {
	WALK(TDVPR, EX, R_RDX, L_RDX, w_vcpu, 0),
	TDR_LEAF,
	ST_OPEN(0),
	OP_LOCK,
	OP_BAD(OP_RUNNABLE),
	COND("vCPU state", ST_VCPU_STATE, 0, I_ANY, c_vcpu_state, VCPU_READY),
	COND("15 pages", ST_TDCX_NUM, 0, I_ANY, c_vcpu_pages, 15),
	WALK(PAGE, EX, R_RCX, L_RCX, w_page, 0),
	END_STEPS,
};

static void up_vp_init(struct ctx *x)
{
	initialized(x);
	x->vcpu = fx_vcpu_create(x->f, x->td);
	x->args.rcx = x->vcpu;
}

static const struct step vp_init[] = {
	WALK(TDVPR, EX, R_RCX, L_RCX, w_vcpu, 0),
	TDR_LEAF,
	ST_OPEN(0),
	OP_LOCK,
	OP_BAD(OP_RUNNABLE),
	COND("pages", ST_TDCX_NUM, 0, I_ANY, c_vcpu_pages, 5),
	COND("vCPU state", ST_VCPU_STATE, 0, I_ANY, c_vcpu_state, VCPU_READY),
	COND("limit", ST_MAX_VCPUS_EXCEEDED, 0, I_ANY, c_num_vcpus, 4),
	/* H6: the published module has counted the vCPU by then. */
	{ .type = T_COND,
	  .name = "TSC_ADJUST",
	  .status = ST_INCONSISTENT_MSR(0x3B),
	  .info = I_ANY,
	  .apply = c_platform,
	  .arg = SL_PLATFORM_TSC_ADJUST,
	  .changes = { true, false } },
	END_STEPS,
};

static void up_vp_flush(struct ctx *x)
{
	runnable(x, 1);
	x->args.rcx = x->vcpu;
}

static const struct step vp_flush[] = {
	WALK(TDVPR, EX, R_RCX, L_RCX, w_vcpu, 0),
	TDR_LEAF,
	COND("no keys", ST_TD_KEYS, 0, I_ANY, c_lifecycle, TD_BLOCKED),
	COND("elsewhere", ST_VCPU_NOT_ASSOCIATED, L_VP, I_ANY, c_vcpu_lp, 2),
	COND("nowhere", ST_VCPU_NOT_ASSOCIATED, L_VP, I_ANY, c_vcpu_lp, LPID_NONE),
	END_STEPS,
};

static void up_vp_rd(struct ctx *x)
{
	runnable(x, 1);
	x->args.rcx = x->vcpu;
	x->args.rdx = VCPU_STATE;
}

#define VP_MD_HEAD                                                                \
	WALK(TDVPR, SH, R_RCX, L_RCX, w_vcpu, 0), TDR_LEAF, ST_OPEN(0), OP_LOCK,  \
		OP_BAD(OP_UNINITIALIZED),                                         \
		COND("not initialised", ST_VCPU_STATE, L_VP, I_ANY, c_vcpu_state, \
		     VCPU_UNINITIALIZED),                                         \
		COND("running", ST_VCPU_STATE, L_VP, I_ANY, c_vcpu_state, VCPU_ACTIVE)

#define VP_MD_TAIL                                                                 \
	COND("elsewhere", ST_VCPU_ASSOCIATED, 0, I_ANY, c_vcpu_lp, 3), BAD_FIELDS, \
		COND("a TD's", ST_FIELD_ID, L_RDX, I_ANY, c_rdx, TD_EPOCH)

static const struct step vp_rd[] = {
	VP_MD_HEAD,
	VP_MD_TAIL,
	COND("debug only", ST_FIELD_NOT_READABLE, L_RDX, I_ANY, c_rdx, 0xA220000300000200ull),
	COND("null id", ST_FIELD_ID, L_RDX, I_ANY, c_rdx, NONE),
	END_STEPS,
};

static void up_vp_rd_v1(struct ctx *x)
{
	up_vp_rd(x);
	x->rax |= 1 << 16;
}

static const struct step vp_rd_v1[] = {
	VP_MD_HEAD,
	VP_MD_TAIL,
	COND("null id", ST_FIRST_FIELD, L_RDX, I_ANY, c_rdx, NONE),
	END_STEPS,
};

static void up_vp_wr(struct ctx *x)
{
	up_vp_rd(x);
	x->args.rdx = PEND_NMI;
	x->args.r8 = x->args.r9 = 1;
}

static const struct step vp_wr[] = {
	VP_MD_HEAD,
	COND("disabled", ST_VCPU_STATE, L_VP, I_ANY, c_vcpu_state, VCPU_DISABLED),
	VP_MD_TAIL,
	COND("read only", ST_FIELD_NOT_WRITABLE, L_RDX, I_ANY, c_rdx, VCPU_STATE),
	COND("null id", ST_FIELD_ID, L_RDX, I_ANY, c_rdx, NONE),
	COND("no mask", ST_FIELD_NOT_WRITABLE, L_R9, I_ANY, c_r9, 2),
	END_STEPS,
};

static void touch(struct fx *f, struct sl_lp *lp)
{
	(void)f;
	sl_guest_access(lp, GPA, true, NULL);
}

/* A vCPU whose zero-step list is not empty, while the page on it is accessible. */
static void up_vp_enter(struct ctx *x)
{
	runnable(x, 2);
	fx_sept(x->f, x->td, GPA, 0);
	for (u32 i = 0; i < 7; i++)
		is(fx_enter(x->f, 0, x->vcpu, touch), EXIT_EPT_VIOLATION);
	eq(fx_tdvps(x->f, x->vcpu)->epf_index, 1);
	x->page = fx_page_high(x->f);
	mem_args(x, GPA, 0);
	is(SC(x->f, 0, tdh_mem_page_aug, .rcx = GPA, .rdx = x->td->tdr, .r8 = x->page), ST_SUCCESS);
	fx_poke(x->f, x->td, GPA, 0, E_MAPPED(x->page));
	is(fx_enter(x->f, 0, x->vcpu, NULL), EXIT_VMCALL);
	x->args.rcx = x->vcpu;
	x->args.rdx = 0;
}

static const struct step vp_enter[] = {
	COND("NT4", ST_LIMIT_CPUID, 0, I_ANY, c_platform, SL_PLATFORM_NT4),
	COND("reserved bit 0", ST_INVALID(R_RCX), L_RCX, I_ANY, c_rcx_or, 1),
	COND("reserved bit 54", ST_INVALID(R_RCX), L_RCX, I_ANY, c_rcx_or, 1ull << 54),
	WALK(TDVPR, SH, R_RCX, L_RCX, w_vcpu, 0),
	TDR_LEAF,
	ST_OPEN(0),
	OP_LOCK,
	OP_BAD(OP_INITIALIZED),
	COND("pages", ST_TDCX_NUM, 0, I_ANY, c_vcpu_pages, 5),
	COND("vCPU state", ST_VCPU_STATE, L_VP, I_ANY, c_vcpu_state, VCPU_UNINITIALIZED),
	COND("vCPU disabled", ST_VCPU_STATE, L_VP, I_ANY, c_vcpu_state, VCPU_DISABLED),
	COND("elsewhere", ST_VCPU_ASSOCIATED, 0, I_ANY, c_vcpu_lp, 3),
	COND("hint", ST_INVALID(R_RCX), 0, I_ANY, c_rcx_or, 1ull << 52),
	COND("resume L1", ST_INVALID(R_RCX), 0, I_ANY, c_rcx_or, 1ull << 53),
	COND("TSC_ADJUST", ST_INCONSISTENT_MSR(0x3B), 0, I_ANY, c_platform, SL_PLATFORM_TSC_ADJUST),
	COND("rollback", ST_TSC_ROLLBACK, 0, I_ANY, c_platform, SL_PLATFORM_TSC_ROLLBACK),
	COND("MONITOR", ST_INCORRECT_MSR(0x1A0), 0, I_ANY, c_platform, SL_PLATFORM_NO_MONITOR),
	LOCK(EPOCH, LOCK_WORD, SHAREX, SH, R_TD_EPOCH, ST_BUSY(R_TD_EPOCH), w_epoch, I_ANY),
	LOCK(TREE, LOCK_WORD, SHAREX, EX, R_SEPT_TREE, ST_BUSY(R_SEPT_TREE), w_tree, I_ANY),
	{ .type = T_COND,
	  .name = "listed page",
	  .status = EXIT_EPT_VIOLATION,
	  .info = I_ANY,
	  .apply = c_entry,
	  .arg = E_FREE,
	  .changes = { true, true } },
	END_STEPS,
};

/* ---- PHYMEM */

static void up_reclaim(struct ctx *x)
{
	runnable(x, 1);
	x->page = fx_page_high(x->f);
	fx_aug(x->f, x->td, GPA, 0, x->page);
	fx_td_teardown(x->f, x->td);
	x->args.rcx = x->page;
}

static const struct step reclaim[] = {
	WALK(PAGE, EX, R_RCX, L_RCX, w_page, LEVEL_ANY),
	COND("NDA", ST_METADATA(R_RCX), L_RCX, I_ANY, c_rcx, FX_HPA(FX_AT_SEPT + 200)),
	COND("inside 2 MB", ST_INVALID(R_RCX), L_RCX, I_ANY, c_rcx, FX_HPA(FX_AT_HIGH_BIG + 1)),
	TDR_LEAF,
	COND("lifecycle", ST_LIFECYCLE, 0, I_ANY, c_lifecycle, TD_BLOCKED),
	COND("lifecycle", ST_LIFECYCLE, L_TDR, I_ANY, c_lifecycle, TD_KEYS_CONFIGURED),
	END_STEPS,
};

/* A page whose mapping is 2 MB: the walk ends there and promotes its lock. */
static void up_reclaim_2m(struct ctx *x)
{
	runnable(x, 1);
	x->page = FX_HPA(FX_AT_HIGH);
	x->level = 1;
	fx_aug(x->f, x->td, GPA, 1, x->page);
	fx_td_teardown(x->f, x->td);
	x->args.rcx = x->page;
}

/* The TDR itself, when nothing else is left. */
static void up_reclaim_tdr(struct ctx *x)
{
	x->td->tdr = fx_page_high(x->f);
	x->td->hkid = 50;
	is(SC(x->f, 0, tdh_mng_create, .rcx = x->td->tdr, .rdx = 50), ST_SUCCESS);
	fx_td_teardown(x->f, x->td);
	x->page = x->td->tdr;
	x->args.rcx = x->page;
}

static const struct step reclaim_tdr[] = {
	WALK(PAGE, EX, R_RCX, L_RCX, w_page, LEVEL_ANY),
	COND("lifecycle", ST_LIFECYCLE, 0, I_ANY, c_lifecycle, TD_BLOCKED),
	COND("children", ST_ASSOCIATED_PAGES_EXIST, 0, I_ANY, c_chldcnt, 1),
	END_STEPS,
};

#define RDMD_WALK                                                                               \
	{                                                                                       \
		.type = T_WALK, .name = "PAGE", .status = ST_BUSY(R_RCX), .slot = L_RCX,        \
		.info = I_ANY, .object = LOCK_PAGE, .path = LOCK_WALK,                          \
		.kind = LOCK_KIND_SHAREX_HP, .mode = LOCK_SH, .operand = R_RCX, .word = w_page, \
		.page_level = LEVEL_ANY, .any_type = true                                       \
	}

static void up_rdmd(struct ctx *x)
{
	x->page = fx_page_high(x->f);
	x->args.rcx = x->page;
}

static void up_rdmd_2m(struct ctx *x)
{
	runnable(x, 1);
	x->page = FX_HPA(FX_AT_HIGH);
	x->level = 1;
	fx_aug(x->f, x->td, GPA, 1, x->page);
	x->args.rcx = x->page;
}

static const struct step rdmd[] = {
	RDMD_WALK,
	END_STEPS,
};

static void up_wbinvd(struct ctx *x)
{
	x->page = fx_page_high(x->f);
	x->args.rcx = x->page | HKID(33);
}

static const struct step wbinvd[] = {
	COND("shared HKID", ST_INVALID(R_RCX), L_RCX, I_ANY, c_rcx, FX_HPA(3) | HKID(31)),
	COND("no HKID", ST_INVALID(R_RCX), L_RCX, I_ANY, c_rcx, FX_HPA(3)),
	COND("HKID beyond", ST_INVALID(R_RCX), L_RCX, I_ANY, c_rcx, FX_HPA(3) | HKID(64)),
	{ .type = T_WALK,
	  .name = "PAGE",
	  .status = ST_BUSY(R_RCX),
	  .slot = L_RCX,
	  .info = I_ANY,
	  .object = LOCK_PAGE,
	  .path = LOCK_WALK,
	  .kind = LOCK_KIND_SHAREX_HP,
	  .mode = LOCK_SH,
	  .operand = R_RCX,
	  .word = w_page,
	  .keyed = true },
	END_STEPS,
};

static void up_cache_wb(struct ctx *x)
{
	up_mng_vpflushdone(x);
	is(SC(x->f, 0, tdh_mng_vpflushdone, .rcx = x->td->tdr), ST_SUCCESS);
	x->args.rcx = 0;
}

static const struct step cache_wb[] = {
	COND("command", ST_INVALID(R_RCX), L_RCX, I_ANY, c_rcx, 2),
	LOCK(WBT, LOCK_WORD, MUTEX, EX, R_WBCACHE, ST_BUSY(R_WBCACHE), w_wbt, I_ANY),
	LOCK(KOT, LOCK_WORD, SHAREX, SH, R_KOT, ST_BUSY(R_KOT), w_kot, I_ANY),
	COND("resume", ST_WBCACHE_RESUME, L_RCX, I_ANY, c_rcx, 1),
	COND("none flushed", ST_NO_HKID_READY, L_RCX, I_ANY, c_kot_state, KOT_ASSIGNED),
	END_STEPS,
};

/* ---- SYS */

static void up_sys_init(struct ctx *x)
{
	c_sys_state(x, SYS_INIT_PENDING);
}

static const struct step sys_init[] = {
	COND("attributes", ST_INVALID(R_RCX), L_RCX, I_NONE, c_rcx, 1),
	LOCK(SYS, LOCK_WORD, SHAREX, EX, 0, ST_SYS_BUSY, w_sys, I_NONE),
	COND("again", ST_SYS_INIT_NOT_PENDING, 0, I_NONE, c_sys_state, SYS_INIT_DONE),
	END_STEPS,
};

static void up_sys_lp_init(struct ctx *x)
{
	c_sys_state(x, SYS_INIT_DONE);
	c_lp_done(x, false);
}

static const struct step sys_lp_init[] = {
	LOCK(SYS, LOCK_WORD, SHAREX, SH, 0, ST_SYS_BUSY, w_sys, I_NONE),
	COND("too early", ST_SYS_LP_INIT_NOT_PENDING, L_TDR, I_NONE, c_sys_state, SYS_INIT_PENDING),
	COND("too late", ST_SYS_LP_INIT_NOT_PENDING, L_TDR, I_NONE, c_sys_state, SYS_CONFIG_DONE),
	COND("again", ST_SYS_LP_INIT_DONE, 0, I_NONE, c_lp_done, true),
	COND("entropy", ST_RND_NO_ENTROPY, 0, I_NONE, c_no_entropy, 1),
	END_STEPS,
};

static void up_sys_config(struct ctx *x)
{
	c_sys_state(x, SYS_INIT_DONE);
	x->args.rcx = FX_TDMR_LIST;
	x->args.rdx = 1;
	x->args.r8 = FX_MODULE_KEY;
}

static const struct step sys_config[] = {
	COND("no TDMR", ST_INVALID(R_RDX), L_RDX, I_ANY, c_rdx, 0),
	COND("65 TDMRs", ST_INVALID(R_RDX), L_RDX, I_ANY, c_rdx, 65),
	COND("shared HKID", ST_INVALID(R_R8), L_R8, I_ANY, c_r8, 31),
	COND("HKID beyond", ST_INVALID(R_R8), L_R8, I_ANY, c_r8, 64),
	COND("unaligned", ST_INVALID(R_RCX), L_RCX, I_ANY, c_rcx_or, 0x100),
	COND("not shared", ST_INVALID(R_RCX), L_RCX, I_ANY, c_rcx, FX_HPA(1)),
	LOCK(SYS, LOCK_WORD, SHAREX, EX, 0, ST_SYS_BUSY, w_sys, I_ANY),
	COND("state", ST_SYS_CONFIG_NOT_PENDING, L_TDR, I_ANY, c_sys_state, SYS_CONFIG_DONE),
	COND("one LP left", ST_SYS_CONFIG_NOT_PENDING, 0, I_ANY, c_lps_initialized, FX_LPS - 1),
	COND("TDMR_INFO unaligned", ST_INVALID(R_RCX), L_PARAMS, I_ANY, c_tdmr_list, 0x1300),
	COND("TDMR unaligned", ST_INVALID_TDMR(0), L_PARAMS, I_ANY, c_tdmr_base,
	     SL_PRIVATE_BASE + 4096),
	COND("TDMR with HKID", ST_INVALID_TDMR(0), L_PARAMS, I_ANY, c_tdmr_base, 1ull << 46),
	COND("TDMR elsewhere", ST_TDMR_OUTSIDE(0), L_PARAMS, I_ANY, c_tdmr_base, 1ull << 40),
	COND("second TDMR", ST_TDMR_OUTSIDE(1), L_RDX | L_PARAMS, I_ANY, c_rdx, 2),
	END_STEPS,
};

static void up_sys_key_config(struct ctx *x)
{
	c_sys_state(x, SYS_CONFIG_DONE);
	c_sys_pkg_done(x, 2);
}

static const struct step sys_key_config[] = {
	LOCK(SYS, LOCK_WORD, SHAREX, EX, 0, ST_SYS_BUSY, w_sys, I_ANY),
	COND("too early", ST_SYS_KEY_NOT_PENDING, L_TDR, I_ANY, c_sys_state, SYS_INIT_DONE),
	COND("too late", ST_SYS_KEY_NOT_PENDING, L_TDR, I_ANY, c_sys_state, SYS_READY),
	COND("done here", ST_KEY_CONFIGURED, 0, I_ANY, c_sys_pkg_done, 1),
	LOCK(KET, LOCK_WORD, MUTEX, EX, R_KET, ST_BUSY(R_KET), w_ket, I_ANY),
	COND("entropy", ST_KEY_GENERATION_FAILED, 0, I_ANY, c_no_entropy, 1),
	END_STEPS,
};

static void up_sys_tdmr_init(struct ctx *x)
{
	c_tdmr_done(x, 1ull << 30);
	x->args.rcx = SL_PRIVATE_BASE;
}

static const struct step sys_tdmr_init[] = {
	COND("unaligned", ST_INVALID(R_RCX), L_RCX, I_ANY, c_rcx_or, 0x1000),
	COND("no TDMR", ST_INVALID(R_RCX), L_RCX, I_ANY, c_rcx, SL_PRIVATE_BASE + (1ull << 30)),
	LOCK(TDMR, LOCK_WORD, MUTEX, EX, R_RCX, ST_BUSY(R_RCX), w_tdmr, I_ANY),
	COND("complete", ST_TDMR_ALREADY, 0, I_ANY, c_tdmr_done, 2ull << 30),
	END_STEPS,
};

static void up_sys_rd(struct ctx *x)
{
	x->args.rdx = 0x0A00000300000008ull;
}

static const struct step sys_rd[] = {
	COND("LP", ST_SYS_LP_INIT_NOT_DONE, 0, I_ANY, c_lp_done, false),
	BAD_FIELDS,
	COND("null id", ST_FIRST_FIELD, L_RDX, I_ANY, c_rdx, NONE),
	END_STEPS,
};

static void up_sys_info(struct ctx *x)
{
	x->args.rcx = FX_SOURCE;
	x->args.rdx = 1024;
	x->args.r8 = FX_SOURCE + 0x600;
	x->args.r9 = 32;
}

static const struct step sys_info[] = {
	COND("LP", ST_SYS_LP_INIT_NOT_DONE, 0, I_ANY, c_lp_done, false),
	COND("unaligned", ST_INVALID(R_RCX), L_RCX, I_ANY, c_rcx_or, 0x200),
	COND("not shared", ST_INVALID(R_RCX), L_RCX, I_ANY, c_rcx, FX_HPA(1)),
	COND("small", ST_INVALID(R_RDX), L_RDX, I_ANY, c_rdx, 1023),
	COND("CMRs unaligned", ST_INVALID(R_R8), L_R8, I_ANY, c_r8, FX_SOURCE + 0x100),
	COND("CMRs not shared", ST_INVALID(R_R8), L_R8, I_ANY, c_r8, FX_HPA(1)),
	COND("few CMRs", ST_INVALID(R_R9), L_R9, I_ANY, c_r9, 31),
	END_STEPS,
};

/* ---- the guest's */

static void up_accept(struct ctx *x)
{
	runnable(x, 1);
	x->page = fx_page_high(x->f);
	fx_aug(x->f, x->td, GPA, 0, x->page);
	mem_args(x, GPA, 0);
	x->args.rdx = 0;
}

#define GUEST_ENTRY                                                                       \
	{                                                                                 \
		.type = T_LOCK, .name = "ENTRY", .status = ST_BUSY(R_RCX), .info = I_ANY, \
		.object = LOCK_ENTRY, .path = LOCK_IN_ENTRY, .kind = LOCK_KIND_TDEL,      \
		.mode = LOCK_EX, .by_guest = true, .operand = R_RCX, .word = w_entry      \
	}

static const struct step accept_4k[] = {
	COND("reserved bit 3", ST_INVALID(R_RCX), L_RCX, I_ANY, c_rcx_or, 1 << 3),
	COND("reserved bit 52", ST_INVALID(R_RCX), L_RCX, I_ANY, c_rcx_or, 1ull << 52),
	COND("level 2", ST_INVALID(R_RCX), L_RCX, I_ANY, c_rcx_or, 2),
	COND("unaligned", ST_INVALID(R_RCX), L_RCX, I_ANY, c_rcx, GPA | 0x1000 | 1),
	COND("shared GPA", ST_INVALID(R_RCX), L_RCX, I_ANY, c_rcx_or, SHARED),
	GUEST_ENTRY,
	IN_STATE(E_MAPPED, ST_ALREADY_ACCEPTED(0)),
	IN_STATE(E_BLOCKEDW, ST_ALREADY_ACCEPTED(0)),
	COND("REMOVED", ST_SIZE_MISMATCH(0), L_ENTRY, I_ANY, c_entry, E_REMOVED),
	END_STEPS,
};

static void up_accept_2m(struct ctx *x)
{
	runnable(x, 1);
	x->page = FX_HPA(FX_AT_HIGH);
	fx_aug(x->f, x->td, GPA, 1, x->page);
	mem_args(x, GPA, 1);
	x->args.rdx = 0;
}

static const struct step accept_2m[] = {
	GUEST_ENTRY,
	IN_STATE(E_MAPPED, ST_ALREADY_ACCEPTED(1)),
	COND("table", ST_SIZE_MISMATCH(1), L_ENTRY, I_ANY, c_entry, E_TABLE(FX_HPA(FX_AT_SEPT))),
	COND("blocked table", ST_SIZE_MISMATCH(1), L_ENTRY, I_ANY, c_entry,
	     E_TABLE_BLK(FX_HPA(FX_AT_SEPT))),
	END_STEPS,
};

static const struct step attr_rd[] = {
	COND("unaligned", ST_INVALID(R_RCX), L_RCX, I_NONE, c_rcx_or, 1),
	COND("shared GPA", ST_INVALID(R_RCX), L_RCX, I_NONE, c_rcx_or, SHARED),
	{ .type = T_LOCK,
	  .name = "ENTRY",
	  .status = ST_BUSY(R_RCX),
	  .info = I_NONE,
	  .object = LOCK_ENTRY,
	  .path = LOCK_IN_ENTRY,
	  .kind = LOCK_KIND_TDEL,
	  .mode = LOCK_EX,
	  .by_guest = true,
	  .operand = R_RCX,
	  .word = w_entry },
	END_STEPS,
};

#define ATTR_WR_OPERANDS                                                                         \
	COND("reserved attribute", ST_INVALID(R_RDX), L_RDX, I_NONE, c_rdx_or, 1 << 8),          \
		COND("reserved attribute", ST_INVALID(R_RDX), L_RDX, I_NONE, c_rdx_or,           \
		     1ull << 62),                                                                \
		COND("L1 flags", ST_INVALID(R_R8), L_R8, I_NONE, c_r8, 1),                       \
		COND("L2 flags", ST_INVALID(R_R8), L_R8, I_NONE, c_r8, 1 << 16),                 \
		COND("reserved bit 3", ST_INVALID(R_RCX), L_RCX, I_NONE, c_rcx_or, 1 << 3),      \
		COND("reserved bit 52", ST_INVALID(R_RCX), L_RCX, I_NONE, c_rcx_or, 1ull << 52), \
		COND("level 3", ST_INVALID(R_RCX), L_RCX, I_NONE, c_rcx_or, 3),                  \
		COND("unaligned", ST_INVALID(R_RCX), L_RCX, I_NONE, c_rcx, GPA | 0x1000 | 1),    \
		COND("unaligned", ST_INVALID(R_RCX), L_RCX, I_NONE, c_rcx, GPA | 0x200000 | 2),  \
		COND("shared GPA", ST_INVALID(R_RCX), L_RCX, I_NONE, c_rcx_or, SHARED),          \
	{                                                                                        \
		.type = T_LOCK, .name = "ENTRY", .status = ST_BUSY(R_RCX), .info = I_NONE,       \
		.object = LOCK_ENTRY, .path = LOCK_IN_ENTRY, .kind = LOCK_KIND_TDEL,             \
		.mode = LOCK_EX, .by_guest = true, .operand = R_RCX, .word = w_entry             \
	}

static const struct step attr_wr_4k[] = {
	ATTR_WR_OPERANDS,
	COND("REMOVED", ST_SIZE_MISMATCH(0), L_ENTRY, I_NONE, c_entry, E_REMOVED),
	END_STEPS,
};

static const struct step attr_wr_2m[] = {
	ATTR_WR_OPERANDS,
	COND("table", ST_SIZE_MISMATCH(1), L_ENTRY, I_NONE, c_entry, E_TABLE(FX_HPA(FX_AT_SEPT))),
	COND("blocked table", ST_SIZE_MISMATCH(1), L_ENTRY, I_NONE, c_entry,
	     E_TABLE_BLK(FX_HPA(FX_AT_SEPT))),
	END_STEPS,
};

static void up_rtmr_extend(struct ctx *x)
{
	runnable(x, 1);
	fx_map(x->f, x->td, GPA, 0, fx_page_high(x->f));
	x->args.rcx = GPA + 0x40;
	x->args.rdx = 3;
}

#define RTMR(mode_)                                                                       \
	{                                                                                 \
		.type = T_LOCK, .name = "RTMR", .status = ST_BUSY(R_RTMR), .info = I_ANY, \
		.object = LOCK_RTMR, .path = LOCK_WORD, .kind = LOCK_KIND_SHAREX_HP,      \
		.mode = LOCK_##mode_, .by_guest = true, .operand = R_RTMR, .word = w_rtmr \
	}

static const struct step rtmr_extend[] = {
	COND("unaligned", ST_INVALID(R_RCX), L_RCX, I_ANY, c_rcx_or, 0x20),
	COND("shared GPA", ST_INVALID(R_RCX), L_RCX, I_ANY, c_rcx_or, SHARED),
	COND("beyond 52 bits", ST_INVALID(R_RCX), L_RCX, I_ANY, c_rcx_or, 1ull << 52),
	COND("index", ST_INVALID(R_RDX), L_RDX, I_ANY, c_rdx, 4),
	COND("index", ST_INVALID(R_RDX), L_RDX, I_ANY, c_rdx, 1ull << 32),
	RTMR(EX),
	END_STEPS,
};

static void up_report(struct ctx *x)
{
	up_rtmr_extend(x);
	x->args.rcx = GPA + 0x400;
	x->args.rdx = GPA + 0x40;
}

static const struct step report[] = {
	COND("unaligned", ST_INVALID(R_RCX), L_RCX, I_ANY, c_rcx_or, 0x200),
	COND("shared GPA", ST_INVALID(R_RCX), L_RCX, I_ANY, c_rcx_or, SHARED),
	COND("data unaligned", ST_INVALID(R_RDX), L_RDX, I_ANY, c_rdx_or, 0x20),
	COND("data shared", ST_INVALID(R_RDX), L_RDX, I_ANY, c_rdx_or, SHARED),
	COND("subtype", ST_INVALID(R_R8), L_R8, I_ANY, c_r8, 1),
	RTMR(SH),
	END_STEPS,
};

static void up_guest(struct ctx *x)
{
	runnable(x, 1);
	x->args.rcx = 3;
}

static const struct step cpuidve_set[] = {
	COND("reserved bit 2", ST_INVALID(R_RCX), L_RCX, I_ANY, c_rcx_or, 1 << 2),
	COND("reserved bit 63", ST_INVALID(R_RCX), L_RCX, I_ANY, c_rcx_or, 1ull << 63),
	END_STEPS,
};

static void up_vm_rd(struct ctx *x)
{
	runnable(x, 1);
	x->args.rdx = NOTIFY_ENABLES;
}

static void up_vm_rd_v1(struct ctx *x)
{
	up_vm_rd(x);
	x->rax |= 1 << 16;
}

#define VM_RD_HEAD                                                                 \
	COND("another VM", ST_INVALID(R_RCX), L_RCX, I_ANY, c_rcx, 1), BAD_FIELDS, \
		COND("a vCPU's", ST_FIELD_ID, L_RDX, I_ANY, c_rdx, VCPU_STATE),    \
		COND("the host's", ST_FIELD_NOT_READABLE, L_RDX, I_ANY, c_rdx, TD_EPOCH)

static const struct step vm_rd[] = {
	VM_RD_HEAD,
	COND("null id", ST_FIELD_ID, L_RDX, I_ANY, c_rdx, NONE),
	END_STEPS,
};

static const struct step vm_rd_v1[] = {
	VM_RD_HEAD,
	COND("null id", ST_FIRST_FIELD, L_RDX, I_ANY, c_rdx, NONE),
	END_STEPS,
};

static void up_vm_wr(struct ctx *x)
{
	up_vm_rd(x);
	x->args.r8 = x->args.r9 = 1;
}

static const struct step vm_wr[] = {
	COND("another VM", ST_INVALID(R_RCX), L_RCX, I_ANY, c_rcx, 1),
	BAD_FIELDS,
	COND("the host's", ST_FIELD_NOT_WRITABLE, L_RDX, I_ANY, c_rdx, HP_LOCK_TIMEOUT),
	COND("read only", ST_FIELD_NOT_WRITABLE, L_RDX, I_ANY, c_rdx, 0x1110000300000016ull),
	COND("fixed", ST_FIELD_VALUE, L_RDX | L_R9, I_ANY, c_rdx, 0x1110000300000017ull),
	COND("other bits", ST_FIELD_NOT_WRITABLE, L_R9, I_ANY, c_r9, NONE << 1),
	END_STEPS,
};

struct leaf_case {
	const char *name;
	u32 leaf;
	bool guest;
	u64 ok;
	void (*setup)(struct ctx *x);
	const struct step *steps;
};

#define H(leaf_, ok_, fn, steps_)                                  \
	{                                                          \
#fn, SEAMCALL_##leaf_, false, ok_, up_##fn, steps_ \
	}
#define G(leaf_, fn, steps_)                                           \
	{                                                              \
#fn, TDCALL_##leaf_, true, ST_SUCCESS, up_##fn, steps_ \
	}

static const struct leaf_case cases[] = {
	H(tdh_sys_init, 0, sys_init, sys_init),
	H(tdh_sys_lp_init, 0, sys_lp_init, sys_lp_init),
	H(tdh_sys_config, 0, sys_config, sys_config),
	H(tdh_sys_key_config, 0, sys_key_config, sys_key_config),
	H(tdh_sys_tdmr_init, 0, sys_tdmr_init, sys_tdmr_init),
	H(tdh_sys_rd, 0, sys_rd, sys_rd),
	H(tdh_sys_info, 0, sys_info, sys_info),
	H(tdh_mng_create, 0, mng_create, mng_create),
	H(tdh_mng_key_config, 0, mng_key_config, mng_key_config),
	H(tdh_mng_addcx, 0, mng_addcx, mng_addcx),
	H(tdh_mng_addcx, 0, mng_addcx_7, mng_addcx_7),
	H(tdh_mng_init, 0, mng_init, mng_init),
	H(tdh_mng_rd, 0, mng_rd, mng_rd),
	H(tdh_mng_rd, 0, mng_rd_v1, mng_rd_v1),
	H(tdh_mng_wr, 0, mng_wr, mng_wr),
	H(tdh_mng_vpflushdone, 0, mng_vpflushdone, mng_vpflushdone),
	H(tdh_mng_key_freeid, 0, mng_key_freeid, mng_key_freeid),
	H(tdh_vp_create, 0, vp_create, vp_create),
	H(tdh_vp_addcx, 0, vp_addcx, vp_addcx),
	H(tdh_vp_init, 0, vp_init, vp_init),
	H(tdh_vp_flush, 0, vp_flush, vp_flush),
	H(tdh_vp_rd, 0, vp_rd, vp_rd),
	H(tdh_vp_rd, 0, vp_rd_v1, vp_rd_v1),
	H(tdh_vp_wr, 0, vp_wr, vp_wr),
	H(tdh_vp_enter, EXIT_VMCALL, vp_enter, vp_enter),
	H(tdh_mem_sept_add, 0, sept_add, sept_add),
	H(tdh_mem_sept_add, 0, sept_add_v1, sept_add_v1),
	H(tdh_mem_sept_rd, 0, sept_rd, sept_rd),
	H(tdh_mem_page_add, 0, page_add, page_add),
	H(tdh_mem_page_aug, 0, page_aug, page_aug),
	H(tdh_mem_page_aug, 0, page_aug_2m, page_aug_2m),
	H(tdh_mem_page_remove, 0, page_remove, page_remove),
	H(tdh_mem_page_remove, 0, page_remove_2m, page_remove_2m),
	H(tdh_mem_page_relocate, 0, page_relocate, page_relocate),
	H(tdh_mem_page_demote, 0, page_demote, page_demote),
	H(tdh_mem_page_promote, 0, page_promote, page_promote),
	H(tdh_mem_page_promote, 0, page_promote_v1, page_promote),
	H(tdh_mem_sept_remove, 0, sept_remove, sept_remove),
	H(tdh_mem_sept_remove, 0, sept_remove_v1, sept_remove),
	H(tdh_mem_rd, 0, mem_data, mem_rd),
	H(tdh_mem_wr, 0, mem_data, mem_wr),
	H(tdh_mem_range_block, 0, range_block, range_block),
	H(tdh_mem_range_unblock, 0, page_remove, range_unblock),
	H(tdh_mem_track, 0, track, track),
	H(tdh_mr_extend, 0, mr_extend, mr_extend),
	H(tdh_mr_finalize, 0, mr_finalize, mr_finalize),
	H(tdh_phymem_page_reclaim, 0, reclaim, reclaim),
	H(tdh_phymem_page_reclaim, 0, reclaim_2m, reclaim),
	H(tdh_phymem_page_reclaim, 0, reclaim_tdr, reclaim_tdr),
	H(tdh_phymem_page_rdmd, 0, rdmd, rdmd),
	H(tdh_phymem_page_rdmd, 0, rdmd_2m, rdmd),
	H(tdh_phymem_page_wbinvd, 0, wbinvd, wbinvd),
	H(tdh_phymem_cache_wb, 0, cache_wb, cache_wb),
	G(tdg_mem_page_accept, accept, accept_4k),
	G(tdg_mem_page_accept, accept_2m, accept_2m),
	G(tdg_mem_page_attr_rd, accept, attr_rd),
	G(tdg_mem_page_attr_wr, accept, attr_wr_4k),
	G(tdg_mem_page_attr_wr, accept_2m, attr_wr_2m),
	G(tdg_mr_rtmr_extend, rtmr_extend, rtmr_extend),
	G(tdg_mr_report, report, report),
	G(tdg_vp_cpuidve_set, guest, cpuidve_set),
	G(tdg_vm_rd, vm_rd, vm_rd),
	G(tdg_vm_rd, vm_rd_v1, vm_rd_v1),
	G(tdg_vm_wr, vm_wr, vm_wr),
};

/* ---- running a case -------------------------------------------------------------------------- */

static struct ctx *in_guest;
static u64 guest_status;

static void guest_call(struct fx *f, struct sl_lp *lp)
{
	guest_status = fx_tdcall(f, lp, in_guest->rax, in_guest->args);
	in_guest->out = f->g;
}

static u64 call(struct ctx *x)
{
	u64 st;

	if (x->guest) {
		in_guest = x;
		is(fx_enter(x->f, 0, x->vcpu, guest_call), EXIT_VMCALL);
		return guest_status;
	}
	st = fx_seamcall(x->f, x->lp, x->rax, x->args);
	x->out = x->f->out;
	return st;
}

static void ctx_up(struct ctx *x, const struct leaf_case *lc, enum sl_flavour flavour)
{
	*x = (struct ctx){ .f = fx_up(flavour), .rax = lc->leaf, .ok = lc->ok, .guest = lc->guest };
	x->td = &x->f->td[0];
	other_td(x->f);
	lc->setup(x);
	fx_save(x->f);
}

static void ctx_reset(struct ctx *x, const struct ctx *start)
{
	*x = *start;
	fx_restore(x->f);
}

/* One way in which a step refuses. */
struct way {
	const struct step *s;
	const char *name;
	u32 rank;
	u64 status;
	void (*apply)(struct ctx *x, const struct step *s, u64 arg);
	u64 arg;
};

static u64 keyed(const struct step *s, u64 hpa)
{
	return s->keyed ? hpa | HKID(33) : hpa;
}

static void way_cond(struct ctx *x, const struct step *s, u64 arg)
{
	(void)arg;
	s->apply(x, s->arg);
}

static void way_lock(struct ctx *x, const struct step *s, u64 ex)
{
	fx_hold(x->f, s->word(x), ex);
}

static void way_parent(struct ctx *x, const struct step *s, u64 level)
{
	fx_hold(x->f, fx_w_pamt(x->f, *reg(x, s->operand) & (HKID(1) - 0x1000), (u32)level), true);
}

static void way_or(struct ctx *x, const struct step *s, u64 arg)
{
	*reg(x, s->operand) |= arg;
}

static void way_set(struct ctx *x, const struct step *s, u64 arg)
{
	*reg(x, s->operand) = keyed(s, arg);
}

/* A page of the other TD, of a type that nobody asks for, locked. */
static void way_locked_wrong(struct ctx *x, const struct step *s, u64 arg)
{
	(void)arg;
	*reg(x, s->operand) = keyed(s, x->f->td[1].tdcx[1]);
	fx_hold(x->f, fx_w_pamt(x->f, x->f->td[1].tdcx[1], 0), true);
}

static u32 ways_of_walk(const struct ctx *x, const struct step *s, struct way *w)
{
	u32 n = 0, op = s->operand, level = s->page_level == LEVEL_ANY ? x->level : s->page_level;
	bool typed = s->page_level != LEVEL_ANY;
	u64 other = level ? FX_HPA(FX_AT_VP) : x->f->td[1].tdcx[1];

#define WAY(name_, status_, fn, arg_) \
	(w[n++] = (struct way){       \
		 .s = s, .name = name_, .status = status_, .apply = fn, .arg = arg_ })
	/* SEPT.ADD and DEMOTE have flags down there, which they look at much earlier. */
	if (!(((x->rax & 0xFFFF) == SEAMCALL_tdh_mem_sept_add ||
	       x->rax == SEAMCALL_tdh_mem_page_demote) &&
	      op == R_RDX))
		WAY("misaligned", ST_INVALID(op), way_or, 0x800);
	if (s->page_level == 1)
		WAY("misaligned for its size", ST_INVALID(op), way_or, 0x1000);
	WAY("key id", ST_INVALID(op), way_or, s->keyed ? 1ull << 52 : 1ull << 51);
	if (!s->keyed)
		WAY("key id 1", ST_INVALID(op), way_or, 1ull << 46);
	WAY("below", ST_RANGE(op), way_set, 0x200000);
	WAY("beyond", ST_RANGE(op), way_set, SL_PRIVATE_BASE + (2ull << 30));
	WAY("1 GB busy", ST_BUSY(op), way_parent, 2);
	if (level == 0)
		WAY("2 MB busy", ST_BUSY(op), way_parent, 1);
	WAY("busy", ST_BUSY(op), way_lock, true);
	if (s->mode == LOCK_EX)
		WAY("busy shared", ST_BUSY(op), way_lock, false);
	if (!s->any_type)
		WAY("absent", ST_METADATA(op), way_set, FX_HPA(FX_PAGES));
	if (typed) {
		if (level == 0)
			WAY("wrong and busy", ST_BUSY(op), way_locked_wrong, 0);
		WAY("wrong type", ST_METADATA(op), way_set, other);
		WAY("inside 2 MB", ST_METADATA(op), way_set,
		    level ? FX_HPA(FX_AT_HIGH_BIG) : FX_HPA(FX_AT_HIGH_BIG + 3));
	}
#undef WAY
	return n;
}

#define WAYS_MAX 96

static u32 ways_of(const struct ctx *x, const struct step *steps, struct way *w)
{
	u32 n = 0;

	for (u32 rank = 0; steps[rank].type != T_END; rank++) {
		const struct step *s = &steps[rank];
		u32 from = n;

		if (s->type == T_WALK) {
			n += ways_of_walk(x, s, &w[n]);
		} else if (s->type == T_LOCK) {
			w[n++] = (struct way){ s, "busy", 0, s->status, way_lock, true };
			if (s->mode == LOCK_EX &&
			    (s->kind == LOCK_KIND_SHAREX || s->kind == LOCK_KIND_SHAREX_HP))
				w[n++] = (struct way){ s,         "busy shared", 0,
						       s->status, way_lock,      false };
		} else {
			w[n++] = (struct way){ s, "", 0, s->status, way_cond, 0 };
		}
		for (; from < n; from++)
			w[from].rank = rank;
		assert_true(n + 16 < WAYS_MAX);
	}
	return n;
}

/* The value that a held word has after one refused attempt. */
static u64 after_refusal(u64 held, const struct way *w, enum lock_mode mode, bool hardened)
{
	const struct step *s = w->s;

	switch (s->kind) {
	case LOCK_KIND_SHAREX_HP:
		if (s->by_guest)
			return held | (mode == LOCK_SH && held == 1 && !hardened ? 4 : 0);
		/* A refused reader of the published word leaves its count. */
		return held | 2 | (mode == LOCK_SH && held == 1 && !hardened ? 4 : 0);
	case LOCK_KIND_SHAREX:
		return held | (mode == LOCK_SH && held == 1 && !hardened ? 2 : 0);
	case LOCK_KIND_MUTEX:
		return held;
	case LOCK_KIND_TDEL:
	case LOCK_KIND_CAS:
		break;
	}
	return s->by_guest ? held : held | E_HP;
}

/* In which mode the word is tried: parents and large pages are tried shared first. */
static enum lock_mode tried(const struct ctx *x, const struct way *w)
{
	if (w->apply == way_parent)
		return LOCK_SH;
	if (w->s->type == T_WALK && w->apply == way_lock && w->arg &&
	    (w->s->page_level == 1 || (w->s->page_level == LEVEL_ANY && x->level)))
		return LOCK_SH;
	return w->s->mode;
}

static bool is_mem(const struct ctx *x)
{
	switch (x->guest ? ~0ull : x->rax & 0xFFFF) {
	case SEAMCALL_tdh_mr_extend:
	case SEAMCALL_tdh_mem_page_add:
	case SEAMCALL_tdh_mem_page_aug:
	case SEAMCALL_tdh_mem_page_demote:
	case SEAMCALL_tdh_mem_page_promote:
	case SEAMCALL_tdh_mem_page_relocate:
	case SEAMCALL_tdh_mem_page_remove:
	case SEAMCALL_tdh_mem_range_block:
	case SEAMCALL_tdh_mem_range_unblock:
	case SEAMCALL_tdh_mem_rd:
	case SEAMCALL_tdh_mem_sept_add:
	case SEAMCALL_tdh_mem_sept_rd:
	case SEAMCALL_tdh_mem_sept_remove:
	case SEAMCALL_tdh_mem_wr:
		return true;
	default:
		return false;
	}
}

/* Extended error information of an entry, by its value. */
static void info_of(u64 raw, u32 level, u64 *rcx, u64 *rdx)
{
	static const struct {
		u64 bits;
		u8 pub;
	} known[] = {
		{ E_FREE, PUB_FREE },
		{ E_REMOVED, PUB_REMOVED },
		{ E_TABLE(0), PUB_NL_MAPPED },
		{ E_TABLE_BLK(0), PUB_NL_BLOCKED },
		{ E_MAPPED(0), PUB_MAPPED },
		{ E_BLOCKED(0), PUB_BLOCKED },
		{ E_BLOCKEDW(0), PUB_BLOCKEDW },
		{ E_PENDING(0), PUB_PENDING },
		{ E_PENDING_B(0), PUB_PENDING_BLOCKED },
		{ E_PENDING_BW(0), PUB_PENDING_BLOCKEDW },
	};
	u64 bits = raw & ~(E_TDEL | E_HP | 0x000FFFFFFFFFF000ull);

	for (u32 i = 0; i < ARRAY_SIZE(known); i++) {
		if (known[i].bits != bits)
			continue;
		*rdx = X_RDX(level, known[i].pub);
		if (known[i].pub == PUB_FREE)
			*rcx = X_FREE;
		else if (raw & 0x80)
			*rcx = (raw & 7) | X_LEAF(raw & 0x000FFFFFFFFFF000ull);
		else
			*rcx = raw & 7;
		return;
	}
	fail_msg("no such entry: %llx", (unsigned long long)raw);
}

static void check_info(struct ctx *x, const struct way *w)
{
	u64 rcx = 0, rdx = 0;

	if (x->guest) {
		if (w->s->info == I_NONE) {
			eq(x->out.rcx, 0);
			eq(x->out.rdx, 0);
		}
		return;
	}
	if (!is_mem(x) || w->s->info == I_ANY)
		return;
	if (w->s->info == I_WALK) {
		rcx = X_FREE;
		rdx = X_RDX(3, PUB_FREE);
	} else if (w->s->info == I_ENTRY) {
		info_of(fx_entry_value(x->f, x->td, x->gpa, x->level), x->level, &rcx, &rdx);
	} else if (w->s->info == I_KEPT) {
		rcx = x->args.rcx;
		rdx = x->args.rdx;
	}
	eq(x->out.rcx, rcx);
	eq(x->out.rdx, rdx);
}

static void say(const struct leaf_case *lc, const struct way *a, const struct way *b,
		enum sl_flavour flavour)
{
	print_error("in %s (%s): %s %s", lc->name, flavour ? "hardened" : "published", a->s->name,
		    a->name);
	if (b)
		print_error(" against %s %s", b->s->name, b->name);
	print_error("\n");
}

/* Runs the call and complains with the case's name if the status is another. */
static void expect(struct ctx *x, const struct leaf_case *lc, const struct way *a,
		   const struct way *b, u64 want)
{
	u64 got = call(x);

	if (got == want)
		return;
	say(lc, a, b, x->f->m->hardened);
	is(got, want);
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void each_alone(const struct leaf_case *lc, enum sl_flavour flavour)
{
	struct way w[WAYS_MAX];
	struct ctx start, x;
	u32 n;

	ctx_up(&start, lc, flavour);
	n = ways_of(&start, lc->steps, w);
	for (u32 i = 0; i < n; i++) {
		u64 before;

		ctx_reset(&x, &start);
		w[i].apply(&x, w[i].s, w[i].arg);
		before = fx_digest(x.f);
		expect(&x, lc, &w[i], NULL, w[i].status);
		check_info(&x, &w[i]);
		if (!x.guest &&
		    (fx_digest(x.f) != before) != w[i].s->changes[x.f->m->hardened ? 1 : 0]) {
			say(lc, &w[i], NULL, flavour);
			fail_msg("a refused call changed something, or did not where it does");
		}
		if (!x.f->held_count)
			continue;
		if (fx_word_value(x.f->held[0].w) !=
		    after_refusal(fx_word_held(x.f, 0), &w[i], tried(&x, &w[i]), flavour)) {
			say(lc, &w[i], NULL, flavour);
			eq(fx_word_value(x.f->held[0].w),
			   after_refusal(fx_word_held(x.f, 0), &w[i], tried(&x, &w[i]), flavour));
		}
		if (w[i].apply == way_locked_wrong)
			continue;
		/* Free again: the call goes through, and the request is gone. */
		{
			struct fx_word word = x.f->held[0].w;

			fx_release_all(x.f);
			expect(&x, lc, &w[i], NULL, x.ok);
			eq(fx_word_value(word) & (word.kind == FX_TDEL ? E_HP | E_TDEL : 0xFFFF),
			   w[i].s->freed ? E_TDEL : 0);
		}
	}
	fx_restore(start.f);
	fx_down(start.f);
}

static void each_pair(const struct leaf_case *lc, enum sl_flavour flavour)
{
	struct way w[WAYS_MAX];
	struct ctx start, x;
	u32 n;

	ctx_up(&start, lc, flavour);
	n = ways_of(&start, lc->steps, w);
	for (u32 i = 0; i < n; i++)
		for (u32 j = i + 1; j < n; j++) {
			u32 held;

			if (w[i].rank == w[j].rank || (w[i].s->slot & w[j].s->slot))
				continue;
			/* These pages lie in the 1 GB block that would be busy. */
			if (w[i].apply == way_set && w[j].apply == way_parent)
				continue;
			if ((w[i].apply == way_locked_wrong || w[i].apply == way_set) &&
			    w[j].apply == way_locked_wrong)
				continue;
			/* The same field, though under different names. */
			if (w[i].s->apply && w[i].s->apply == w[j].s->apply &&
			    w[i].s->apply != c_platform && w[i].s->apply != c_rcx_or)
				continue;
			ctx_reset(&x, &start);
			/* The later one first: it needs operands that the earlier may spoil. */
			w[j].apply(&x, w[j].s, w[j].arg);
			held = x.f->held_count;
			w[i].apply(&x, w[i].s, w[i].arg);
			expect(&x, lc, &w[i], &w[j], w[i].status);
			for (u32 k = 0; k < held; k++)
				if (fx_word_value(x.f->held[k].w) != fx_word_held(x.f, k)) {
					say(lc, &w[i], &w[j], flavour);
					fail_msg("a lock was tried though an earlier check failed");
				}
		}
	fx_restore(start.f);
	fx_down(start.f);
}

static void test_refusals_published(void **state)
{
	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(cases); i++)
		each_alone(&cases[i], SL_PUBLISHED);
}

static void test_refusals_hardened(void **state)
{
	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(cases); i++)
		each_alone(&cases[i], SL_HARDENED);
}

static void test_order_published(void **state)
{
	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(cases); i++)
		each_pair(&cases[i], SL_PUBLISHED);
}

static void test_order_hardened(void **state)
{
	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(cases); i++)
		each_pair(&cases[i], SL_HARDENED);
}

/* Host priority alone, with nobody holding the lock, keeps no host out; taking it clears it. */
static void test_stale_host_priority(void **state)
{
	(void)state;
	for (u32 flavour = 0; flavour < 2; flavour++)
		for (u32 c = 0; c < ARRAY_SIZE(cases); c++) {
			const struct leaf_case *lc = &cases[c];
			struct ctx start, x;

			if (lc->guest)
				continue;
			ctx_up(&start, lc, (enum sl_flavour)flavour);
			for (const struct step *s = lc->steps; s->type != T_END; s++) {
				struct way w = { .s = s, .name = "stale" };
				struct fx_word word;

				if (s->type == T_COND)
					continue;
				ctx_reset(&x, &start);
				word = s->word(&x);
				fx_set_hp(word);
				expect(&x, lc, &w, NULL, x.ok);
				if (fx_word_hp(word)) {
					say(lc, &w, NULL, (enum sl_flavour)flavour);
					fail_msg("HOST_PRIORITY survives the host's success");
				}
			}
			fx_restore(start.f);
			fx_down(start.f);
		}
}

static bool takes_locks(const struct leaf_case *lc)
{
	for (const struct step *s = lc->steps; s->type != T_END; s++)
		if (s->type != T_COND)
			return true;
	return false;
}

/* Past the rows that no test here can hold: pages of L2 VMs, and what is no lock word. */
static const struct lock_step *modelled_step(const struct lock_step *p)
{
	while (p->object == LOCK_L2_PAGE || p->object == LOCK_ASSOC || p->object == LOCK_FIELD)
		p++;
	return p;
}

static bool holds_locks(const struct lock_step *p)
{
	return p && modelled_step(p)->object != LOCK_END;
}

/* The module's plan of a leaf is the list above without its conditions. */
static void test_plans(void **state)
{
	(void)state;
	for (u32 c = 0; c < ARRAY_SIZE(cases); c++) {
		const struct leaf_case *lc = &cases[c];
		const struct lock_step *p =
			lc->guest ? lock_plan_tdcall(lc->leaf) : lock_plan_seamcall(lc->leaf);

		eq(holds_locks(p), takes_locks(lc));
		if (!holds_locks(p))
			continue;
		for (const struct step *s = lc->steps; s->type != T_END; s++) {
			if (s->type == T_COND)
				continue;
			p = modelled_step(p);
			/* The TDR itself is reclaimed without a lock on its owner. */
			if (p->object != s->object)
				print_error("plan of %s\n", lc->name);
			eq(p->object, s->object);
			eq(p->path, s->path);
			eq(p->kind, s->kind);
			eq(p->mode, s->mode);
			eq(p->guest, s->by_guest);
			eq(p->operand, s->operand);
			is(p->busy, s->status);
			p++;
		}
		if (lc->steps != reclaim_tdr)
			eq(modelled_step(p)->object, LOCK_END);
	}
}

/* Every leaf that exists is above, and has a plan, or takes no lock. */
static void test_plans_complete(void **state)
{
	static const u32 free_host[] = { SEAMCALL_tdh_sys_rd, SEAMCALL_tdh_sys_info,
					 SEAMCALL_tdh_mng_key_reclaimid };
	static const u32 free_guest[] = { TDCALL_tdg_vp_vmcall,     TDCALL_tdg_vp_info,
					  TDCALL_tdg_vp_veinfo_get, TDCALL_tdg_vp_cpuidve_set,
					  TDCALL_tdg_vm_rd,         TDCALL_tdg_vm_wr,
					  TDCALL_tdg_vp_rd,         TDCALL_tdg_vp_wr };
	u32 host = 0, guest = 0, with_plan[2] = { 0, 0 };

	(void)state;
#define SL_SEAMCALL(ident, number, name)
#define SL_TDCALL(ident, number, name)
#define SL_SEAMCALL_IMPL(ident, number, name) host++;
#define SL_TDCALL_IMPL(ident, number, name)   guest++;
#include <seamlab/tdx_leaf.def>
#undef SL_SEAMCALL
#undef SL_TDCALL
	for (u32 leaf = 0; leaf < 64; leaf++) {
		bool listed[2] = { false, false };

		for (u32 c = 0; c < ARRAY_SIZE(cases); c++)
			if (cases[c].leaf == leaf && takes_locks(&cases[c]))
				listed[cases[c].guest] = true;
		assert_true(!listed[0] || holds_locks(lock_plan_seamcall(leaf)));
		assert_true(!listed[1] || holds_locks(lock_plan_tdcall(leaf)));
		with_plan[0] += listed[0];
		with_plan[1] += listed[1];
	}
	eq(with_plan[0] + ARRAY_SIZE(free_host), host);
	eq(with_plan[1] + ARRAY_SIZE(free_guest), guest);
	for (u32 i = 0; i < ARRAY_SIZE(free_host); i++)
		assert_false(holds_locks(lock_plan_seamcall(free_host[i])));
	for (u32 i = 0; i < ARRAY_SIZE(free_guest); i++)
		assert_false(holds_locks(lock_plan_tdcall(free_guest[i])));
}

/* OP_STATE values that each leaf accepts, all eleven of them, tried. */
static void test_op_states(void **state)
{
	static const struct {
		u32 leaf;
		u32 allowed;
	} table[] = {
		{ SEAMCALL_tdh_vp_enter, 1 << 2 | 1 << 3 | 1 << 9 },
		{ SEAMCALL_tdh_mng_init, 1 << 0 },
		{ SEAMCALL_tdh_mem_page_add, 1 << 1 },
		{ SEAMCALL_tdh_mr_extend, 1 << 1 },
		{ SEAMCALL_tdh_mr_finalize, 1 << 1 },
		{ SEAMCALL_tdh_vp_init, 1 << 1 },
		{ SEAMCALL_tdh_mem_sept_add, 0x3CE },
		{ SEAMCALL_tdh_vp_create, 1 << 1 | 1 << 7 },
		{ SEAMCALL_tdh_vp_addcx, 1 << 1 | 1 << 7 },
		{ SEAMCALL_tdh_mem_page_aug, 1 << 1 | 1 << 2 | 1 << 3 | 1 << 9 },
		{ SEAMCALL_tdh_mem_range_block, 0x33E },
		{ SEAMCALL_tdh_mem_range_unblock, 0x33E },
		{ SEAMCALL_tdh_mem_page_remove, 0x73E },
		{ SEAMCALL_tdh_mem_page_relocate, 0x33E },
		{ SEAMCALL_tdh_mem_page_demote, 0x33E },
		{ SEAMCALL_tdh_mem_page_promote, 0x33E },
		{ SEAMCALL_tdh_mem_sept_remove, 0x7FE },
		{ SEAMCALL_tdh_mem_rd, 0x7FE },
		{ SEAMCALL_tdh_mem_wr, 0x7CE },
		{ SEAMCALL_tdh_mem_sept_rd, 0x7FE },
		{ SEAMCALL_tdh_mem_track, 0x3FE },
		{ SEAMCALL_tdh_mng_rd, 0x7FE },
		{ SEAMCALL_tdh_vp_rd, 0x7FE },
		{ SEAMCALL_tdh_mng_wr, 0x7CE },
		{ SEAMCALL_tdh_vp_wr, 0x7CE },
		{ SEAMCALL_tdh_vp_flush, 0x7FF },
	};

	(void)state;
	for (u32 t = 0; t < ARRAY_SIZE(table); t++)
		for (u32 c = 0; c < ARRAY_SIZE(cases); c++) {
			struct ctx start, x;

			if (cases[c].guest || cases[c].leaf != table[t].leaf)
				continue;
			ctx_up(&start, &cases[c], SL_PUBLISHED);
			for (u32 s = 0; s <= 10; s++) {
				u64 st;

				ctx_reset(&x, &start);
				c_op_state(&x, s);
				st = call(&x);
				if (table[t].allowed >> s & 1)
					is(st, x.ok);
				else
					is(st, ST_OP_STATE);
			}
			fx_restore(start.f);
			fx_down(start.f);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plans),
		cmocka_unit_test(test_plans_complete),
		cmocka_unit_test(test_refusals_published),
		cmocka_unit_test(test_refusals_hardened),
		cmocka_unit_test(test_order_published),
		cmocka_unit_test(test_order_hardened),
		cmocka_unit_test(test_stale_host_priority),
		cmocka_unit_test(test_op_states),
	};

	return cmocka_run_group_tests_name("module: locks and checks in order", tests, NULL, NULL);
}
