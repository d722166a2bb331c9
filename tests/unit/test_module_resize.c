// SPDX-License-Identifier: MIT
/*
 * TDH.MEM.*: leaves that change how memory is mapped (DEMOTE, PROMOTE, RELOCATE, SEPT.REMOVE) or look
 * into it (MEM.RD, MEM.WR): what they do, and what can get between their steps.
 */
#include "module_fixture.h"

#include <string.h>

#define GPA       0x40000000ull
#define BIG       FX_HPA(FX_AT_HIGH) /* 2 MB */
#define KEPT      0xABCDull
#define HPA_OF(e) ((e)&0x000FFFFFFFFFF000ull)

static const enum sl_flavour flavours[] = { SL_PUBLISHED, SL_HARDENED };

/* ---- calls on TD 0 ---------------------------------------------------------------------------- */

#define ON_PAGE(name, leaf)                                                               \
	static u64 name(struct fx *f, u32 lp, u64 gpa, u32 level)                         \
	{                                                                                 \
		return SC(f, lp, leaf, .rcx = PAGE_INFO(gpa, level), .rdx = f->td[0].tdr, \
			  .r9 = KEPT);                                                    \
	}
ON_PAGE(block, tdh_mem_range_block)
ON_PAGE(remove_page, tdh_mem_page_remove)
ON_PAGE(promote, tdh_mem_page_promote)
ON_PAGE(sept_remove, tdh_mem_sept_remove)
ON_PAGE(sept_rd, tdh_mem_sept_rd)
#undef ON_PAGE

static u64 aug(struct fx *f, u32 lp, u64 gpa, u32 level, u64 hpa)
{
	return SC(f, lp, tdh_mem_page_aug, .rcx = PAGE_INFO(gpa, level), .rdx = f->td[0].tdr,
		  .r8 = hpa);
}

static u64 demote(struct fx *f, u32 lp, u64 gpa, u32 level, u64 table)
{
	return SC(f, lp, tdh_mem_page_demote, .rcx = PAGE_INFO(gpa, level), .rdx = f->td[0].tdr,
		  .r8 = table, .r9 = KEPT);
}

static u64 relocate(struct fx *f, u32 lp, u64 gpa, u64 target)
{
	return SC(f, lp, tdh_mem_page_relocate, .rcx = gpa, .rdx = f->td[0].tdr, .r8 = target);
}

static void track(struct fx *f)
{
	is(SC(f, 0, tdh_mem_track, .rcx = f->td[0].tdr), ST_SUCCESS);
}

static void block_and_track(struct fx *f, u64 gpa, u32 level)
{
	is(block(f, 0, gpa, level), ST_SUCCESS);
	track(f);
}

#define info(f, rcx_, rdx_)             \
	do {                            \
		eq((f)->out.rcx, rcx_); \
		eq((f)->out.rdx, rdx_); \
	} while (0)

static u64 ask, saw;

static void accept_asked(struct fx *f, struct sl_lp *lp)
{
	saw = TC(f, lp, tdg_mem_page_accept, .rcx = ask);
}

static u64 accept(struct fx *f, u64 gpa, u32 level)
{
	ask = PAGE_INFO(gpa, level);
	is(fx_enter(f, 0, f->td[0].vcpu[0], accept_asked), EXIT_VMCALL);
	return saw;
}

static void runnable(struct fx *f)
{
	fx_td_runnable(f, &f->td[0], 1);
}

static void initialized(struct fx *f)
{
	fx_td_initialized(f, &f->td[0], 1);
}

/* A PENDING 2 MB page in 512 pieces; returns the table. The TD is not finalized. */
static u64 pieces(struct fx *f)
{
	u64 table = fx_page_sept(f);

	initialized(f);
	fx_aug(f, &f->td[0], GPA, 1, BIG);
	is(demote(f, 0, GPA, 1, table), ST_SUCCESS);
	return table;
}

static u64 piece(struct fx *f, u32 i)
{
	return fx_entry_value(f, &f->td[0], GPA + i * SL_PAGE_SIZE, 0);
}

static void halts(struct fx *f)
{
	assert_true(sl_machine_halted(f->m));
	eq(f->violations, 1);
	eq(f->kind, SL_VIOLATION_MODULE_HALT);
	f->violations_expected = 1;
}

/* ---- DEMOTE, PROMOTE -------------------------------------------------------------------------- */

/* Down and up again, from MAPPED and from PENDING. */
static void round_trip(enum sl_flavour flavour, bool mapped)
{
	struct fx *f = fx_up(flavour);
	struct fx_td *td = &f->td[0];
	u64 table = fx_page_sept(f), count;

	runnable(f);
	if (mapped)
		fx_map(f, td, GPA, 1, BIG);
	else
		fx_aug(f, td, GPA, 1, BIG);
	count = fx_chldcnt(f, td);
	block_and_track(f, GPA, 1);
	fx_pamt(f, table, 0)->bepoch = 5;
	fx_pamt(f, BIG, 0)->bepoch = 5;
	/* L2-sparse mode says nothing here, nor does R9. */
	is(SC(f, 0, tdh_mem_page_demote, .rcx = GPA | 1, .rdx = td->tdr | 1, .r8 = table,
	      .r9 = KEPT),
	   ST_SUCCESS);
	info(f, 0, 0);
	eq(fx_entry_value(f, td, GPA, 1), E_TABLE(table));
	for (u32 i = 0; i < 512; i++) {
		u64 page = BIG + i * SL_PAGE_SIZE;

		eq(piece(f, i), mapped ? E_MAPPED(page) : E_PENDING(page));
		page_is(f, page, 0, PAMT_REG, td->tdr, 0);
	}
	eq(fx_chldcnt(f, td), count + 1);
	/* BEPOCH of the new table is left as it was; it is written again before anybody asks. */
	page_is(f, table, 0, PAMT_EPT, td->tdr, 5);
	page_is(f, BIG, 1, PAMT_NDA, td->tdr, 1);
	if (!mapped) {
		is(accept(f, GPA, 1), ST_SIZE_MISMATCH(1));
		is(accept(f, GPA + 0x5000, 0), ST_SUCCESS);
		is(accept(f, GPA + 0x5000, 0), ST_ALREADY_ACCEPTED(0));
		fx_poke(f, td, GPA + 0x5000, 0, E_PENDING(BIG + 0x5000));
	}
	is(promote(f, 0, GPA, 1), ST_NOT_BLOCKED);
	info(f, 7, X_RDX(1, PUB_NL_MAPPED));
	is(block(f, 0, GPA, 1), ST_SUCCESS);
	is(promote(f, 0, GPA, 1), ST_NOT_TRACKED(R_RCX));
	info(f, 0, X_RDX(1, PUB_NL_BLOCKED));
	track(f);
	is(promote(f, 0, GPA, 1), ST_SUCCESS);
	info(f, table, 0);
	eq(f->out.r9, KEPT);
	eq(fx_entry_value(f, td, GPA, 1), mapped ? E_MAPPED(BIG) : E_PENDING(BIG));
	page_is(f, BIG, 1, PAMT_REG, td->tdr, 1);
	for (u32 i = 0; i < 512; i++)
		page_is(f, BIG + i * SL_PAGE_SIZE, 0, PAMT_NDA, td->tdr, 0);
	eq(fx_chldcnt(f, td), count);
	eq(atomic_load(&fx_pamt(f, table, 0)->type), PAMT_NDA);
	/* The table is anybody's again. */
	block_and_track(f, GPA, 1);
	is(demote(f, 0, GPA, 1, table), ST_SUCCESS);
	eq(f->out.r9, KEPT);
	fx_down(f);
}

static void test_round_trip(void **state)
{
	(void)state;
	for (u32 i = 0; i < 2; i++) {
		round_trip(flavours[i], true);
		round_trip(flavours[i], false);
	}
}

/* 1 GB: the leaf's pieces are of 2 MB, whose own PAMT entries change. */
static void test_round_trip_1g(void **state)
{
	u64 base = SL_PRIVATE_BASE + (1ull << 30);

	(void)state;
	for (u32 i = 0; i < 2; i++) {
		struct fx *f = fx_up(flavours[i]);
		struct fx_td *td = &f->td[0];
		u64 table = fx_page_sept(f);

		initialized(f);
		fx_sept(f, td, GPA, 2);
		/* Nobody can AUG a page of this size: made by hand, out of half-present memory. */
		fx_poke(f, td, GPA, 2, E_BLOCKED(base));
		pamt_set_type(fx_pamt(f, base, 2), PAMT_REG);
		pamt_set_owner(fx_pamt(f, base, 2), (struct hpa){ td->tdr });
		is(demote(f, 0, GPA, 2, table), ST_SUCCESS);
		for (u32 k = 0; k < 512; k++) {
			u64 at = k * 0x200000ull;

			eq(fx_entry_value(f, td, GPA + at, 1), E_MAPPED(base + at));
			page_is(f, base + at, 1, PAMT_REG, td->tdr, 0);
		}
		page_is(f, base, 2, PAMT_NDA, td->tdr, 0);
		is(promote(f, 0, GPA, 2), ST_SUCCESS);
		eq(f->out.rcx, table);
		eq(fx_entry_value(f, td, GPA, 2), E_MAPPED(base));
		page_is(f, base, 2, PAMT_REG, td->tdr, 0);
		page_is(f, base + 511 * 0x200000ull, 1, PAMT_NDA, td->tdr, 0);
		fx_down(f);
	}
}

/* Accept progress of a 2 MB piece: not compared; published it gets into the parent. */
static void test_accept_progress(void **state)
{
	u64 base = SL_PRIVATE_BASE + (1ull << 30), progress = 17ull << 12;

	(void)state;
	for (u32 i = 0; i < 2; i++) {
		struct fx *f = fx_up(flavours[i]);
		struct fx_td *td = &f->td[0];
		u64 table = fx_page_sept(f);

		initialized(f);
		fx_aug(f, td, GPA, 1, BIG);
		fx_poke(f, td, GPA, 1, E_PENDING(BIG | progress));
		is(demote(f, 0, GPA, 1, table), ST_SUCCESS);
		eq(piece(f, 0), E_PENDING(BIG));
		eq(piece(f, 511), E_PENDING(BIG + 511 * SL_PAGE_SIZE));
		fx_down(f);

		f = fx_up(flavours[i]);
		td = &f->td[0];
		table = fx_page_sept(f);
		initialized(f);
		fx_sept(f, td, GPA, 2);
		fx_poke(f, td, GPA, 2, E_PENDING(base));
		pamt_set_type(fx_pamt(f, base, 2), PAMT_REG);
		pamt_set_owner(fx_pamt(f, base, 2), (struct hpa){ td->tdr });
		is(demote(f, 0, GPA, 2, table), ST_SUCCESS);
		fx_poke(f, td, GPA, 1, E_PENDING(base | progress));
		is(promote(f, 0, GPA, 2), ST_SUCCESS);
		eq(fx_entry_value(f, td, GPA, 2), E_PENDING(base | (i ? 0 : progress)));
		fx_down(f);
	}
}

/* Each child at each place of the scan can be busy or wrong; what was locked so far is free again. */
static void test_promote_children(void **state)
{
	static const u32 at[] = { 0, 1, 200, 510, 511 };

	(void)state;
	for (u32 i = 0; i < 2; i++) {
		struct fx *f = fx_up(flavours[i]);
		u64 table = pieces(f);

		for (u32 k = 0; k < ARRAY_SIZE(at); k++) {
			u64 gpa = GPA + at[k] * SL_PAGE_SIZE, good = piece(f, at[k]);

			fx_hold(f, fx_w_entry(f, &f->td[0], gpa, 0), true);
			is(promote(f, 0, GPA, 1), ST_BUSY(R_RCX));
			info(f, 7, X_RDX(1, PUB_NL_MAPPED));
			fx_release_all(f);
			eq(piece(f, at[k]), good | E_HP);
			fx_poke(f, &f->td[0], gpa, 0, E_MAPPED(HPA_OF(good)));
			is(promote(f, 0, GPA, 1), ST_PROMOTE_CONDITIONS);
			info(f, 0, 0);
			fx_poke(f, &f->td[0], gpa, 0, E_PENDING_B(HPA_OF(good)));
			is(promote(f, 0, GPA, 1), ST_PROMOTE_CONDITIONS);
			fx_poke(f, &f->td[0], gpa, 0, E_PENDING(BIG + 0x200000));
			is(promote(f, 0, GPA, 1), ST_PROMOTE_CONDITIONS);
			fx_poke(f, &f->td[0], gpa, 0, E_FREE);
			is(promote(f, 0, GPA, 1), ST_PROMOTE_CONDITIONS);
			/* A request that nobody withdrew is taken away by PROMOTE's own lock. */
			fx_poke(f, &f->td[0], gpa, 0, good | E_HP);
		}
		is(promote(f, 0, GPA, 1), ST_SUCCESS);
		eq(f->out.rcx, table);
		eq(fx_entry_value(f, &f->td[0], GPA, 1), E_PENDING(BIG));
		fx_down(f);
	}
}

/* Versions: 1 says which L2 pages went, of which there are none; 0 leaves the registers alone. */
static void test_versions(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);
	struct tdx_module_args args;

	(void)state;
	pieces(f);
	args = (struct tdx_module_args){ .rcx = GPA | 1, .rdx = f->td[0].tdr, .r10 = KEPT };
	is(fx_seamcall(f, 0, SEAMCALL_tdh_mem_page_promote | 1 << 16, args), ST_SUCCESS);
	eq(f->out.r9 & f->out.r10 & f->out.r11, ~0ull);
	is(remove_page(f, 0, GPA, 1), ST_SUCCESS);
	args.rcx = GPA | 2;
	is(fx_seamcall(f, 0, SEAMCALL_tdh_mem_sept_remove | 1 << 16, args), ST_SUCCESS);
	eq(f->out.r9 & f->out.r10 & f->out.r11, ~0ull);
	/* A refused call has nothing to tell. */
	is(fx_seamcall(f, 0, SEAMCALL_tdh_mem_sept_remove | 1 << 16, args), ST_ENTRY_STATE);
	eq(f->out.r10, KEPT);
	is(fx_seamcall(f, 0, SEAMCALL_tdh_mem_page_demote | 1 << 16, args), ST_INVALID(R_RAX));
	is(fx_seamcall(f, 0, SEAMCALL_tdh_mem_page_promote | 2 << 16, args), ST_INVALID(R_RAX));
	fx_down(f);
}

/* An interrupt at the poll: nothing is done, though DEMOTE's page is overwritten by then. */
static void test_interrupted(void **state)
{
	(void)state;
	for (u32 i = 0; i < 2; i++) {
		struct fx *f = fx_up(flavours[i]);
		struct fx_td *td = &f->td[0];
		u64 table = fx_page_sept(f);
		u64 *content = (u64 *)(f->m->mem.frames + (table - SL_PRIVATE_BASE));

		initialized(f);
		fx_aug(f, td, GPA, 1, BIG);
		f->m->cfg.interrupts = true;
		fx_script(f, 2, 1, 0);
		is(demote(f, 0, GPA, 1, table), ST_INTERRUPTED_RESTARTABLE);
		info(f, GPA | 1, td->tdr);
		page_is(f, table, 0, PAMT_NDA, 0, 0);
		eq(content[7], E_PENDING(BIG + 7 * SL_PAGE_SIZE));
		eq(fx_entry_value(f, td, GPA, 1), E_PENDING(BIG));
		is(demote(f, 0, GPA, 1, table), ST_SUCCESS);
		eq(f->asked[SL_CHOICE_INTERRUPT], 2);
		fx_script(f, 2, 1, 0);
		is(promote(f, 0, GPA, 1), ST_INTERRUPTED_RESTARTABLE);
		info(f, GPA | 1, td->tdr);
		is(promote(f, 0, GPA, 1), ST_SUCCESS);
		eq(f->asked[SL_CHOICE_INTERRUPT], 4);
		/* Off, only an interrupt that is there counts. */
		f->m->cfg.interrupts = false;
		fx_script(f, 1, 1);
		is(demote(f, 0, GPA, 1, table), ST_SUCCESS);
		eq(f->asked[SL_CHOICE_INTERRUPT], 4);
		sl_lp_interrupt_raise(f->lp[0]);
		is(promote(f, 0, GPA, 1), ST_INTERRUPTED_RESTARTABLE);
		assert_true(sl_lp_interrupt_take(f->lp[0]));
		is(promote(f, 0, GPA, 1), ST_SUCCESS);
		fx_down(f);
	}
}

/* What the S-EPT says of a page has to be what the PAMT says. */
static void test_pamt_halts(void **state)
{
	(void)state;
	for (u32 i = 0; i < 4; i++) {
		struct fx *f = fx_up(SL_PUBLISHED);

		if (i < 3)
			pieces(f);
		switch (i) {
		case 0:
			pamt_set_type(fx_pamt(f, BIG, 1), PAMT_RSVD);
			break;
		case 1:
			pamt_set_type(fx_pamt(f, BIG + 0x1000, 0), PAMT_EPT);
			break;
		case 2:
			fx_pamt(f, BIG + 0x1FF000, 0)->owner_low++;
			break;
		default:
			initialized(f);
			fx_aug(f, &f->td[0], GPA, 1, BIG);
			pamt_set_type(fx_pamt(f, BIG, 1), PAMT_EPT);
			is(demote(f, 0, GPA, 1, fx_page_sept(f)), ST_HALTED);
			break;
		}
		if (i < 3)
			is(promote(f, 0, GPA, 1), ST_HALTED);
		halts(f);
		fx_down(f);
	}
}

/* ---- between the steps of others --------------------------------------------------------------- */

/*
 * AUG's first write to the TDR page is CHLDCNT. A published AUG has shown the entry by then, while
 * the page still belongs to nobody; RELOCATE and DEMOTE look at its PAMT entry before they know
 * whether the entry is blocked (hazard H1).
 */
static u64 spare;

static void relocate_meanwhile(struct fx *f, struct sl_lp *lp)
{
	(void)lp;
	saw = relocate(f, 1, GPA, spare);
}

static void demote_meanwhile(struct fx *f, struct sl_lp *lp)
{
	(void)lp;
	saw = demote(f, 1, GPA, 1, spare);
}

static void test_aug_window(void **state)
{
	(void)state;
	for (u32 i = 0; i < 4; i++) {
		struct fx *f = fx_up(flavours[i & 1]);
		u32 level = i >> 1;

		runnable(f);
		fx_sept(f, &f->td[0], GPA, level);
		spare = fx_page_sept(f);
		fx_trap(f, f->td[0].tdr, level ? demote_meanwhile : relocate_meanwhile);
		f->depth = 1;
		is(aug(f, 0, GPA, level, BIG), i & 1 ? ST_SUCCESS : ST_HALTED);
		f->depth = 0;
		eq(f->traps, 1);
		is(saw, i & 1 ? ST_BUSY(R_RCX) : ST_HALTED);
		if (!(i & 1))
			halts(f);
		fx_down(f);
	}
}

/*
 * PROMOTE of a table that is not blocked, when its children are locked and the large page's PAMT
 * entry is about to be: another host is in the table. Published: it gets BUSY, and the parent
 * inherits the request (finding F9); that the page is free afterwards it cannot know (H2).
 * Hardened: the tree is exclusive by then.
 */
static void rd_child_meanwhile(struct fx *f, struct sl_lp *lp)
{
	(void)lp;
	saw = sept_rd(f, 1, GPA, 0);
}

static void test_promote_window(void **state)
{
	(void)state;
	for (u32 i = 0; i < 2; i++) {
		struct fx *f = fx_up(flavours[i]);

		pieces(f);
		fx_trap_pamt(f, BIG, 1, rd_child_meanwhile);
		f->depth = 1;
		is(promote(f, 0, GPA, 1), ST_SUCCESS);
		f->depth = 0;
		eq(f->traps, 1);
		is(saw, i ? ST_BUSY(R_SEPT_TREE) : ST_BUSY(R_RCX));
		eq(fx_entry_value(f, &f->td[0], GPA, 1), E_PENDING(BIG) | (i ? 0 : E_HP));
		fx_check_locks(f);
		fx_down(f);
	}
}

/* Somebody shares the tree: a hardened PROMOTE waits for it, unless the parent has been blocked. */
static void test_promote_tree(void **state)
{
	(void)state;
	for (u32 i = 0; i < 4; i++) {
		struct fx *f = fx_up(flavours[i & 1]);
		bool blocked = i >> 1;

		pieces(f);
		if (blocked)
			is(block(f, 0, GPA, 1), ST_SUCCESS);
		fx_hold(f, fx_w_tree(f, &f->td[0]), false);
		is(promote(f, 0, GPA, 1), i == 1 ? ST_BUSY(R_SEPT_TREE) : ST_SUCCESS);
		if (i == 1)
			info(f, 7, X_RDX(1, PUB_NL_MAPPED));
		eq(fx_word_value(fx_w_tree(f, &f->td[0])), fx_word_held(f, 0));
		fx_release_all(f);
		fx_down(f);
	}
}

/* ---- RELOCATE ---------------------------------------------------------------------------------- */

static u64 *content_of(struct fx *f, u64 hpa)
{
	return (u64 *)(f->m->mem.frames + (hpa - SL_PRIVATE_BASE));
}

static void test_relocate(void **state)
{
	static const struct {
		u64 from, to;
		bool copied;
	} table[] = {
		{ E_MAPPED(0), E_MAPPED(0), true },
		{ E_BLOCKED(0), E_MAPPED(0), true },
		{ E_BLOCKEDW(0), E_BLOCKEDW(0), true },
		{ E_PENDING(0), E_PENDING(0), false },
		{ E_PENDING_B(0), E_PENDING(0), false },
		{ E_PENDING_BW(0), E_PENDING_BW(0), false },
	};

	(void)state;
	for (u32 i = 0; i < 2 * ARRAY_SIZE(table); i++) {
		struct fx *f = fx_up_contents(flavours[i & 1]);
		struct fx_td *td = &f->td[0];
		u64 from = fx_page_high(f), to = fx_page_high(f), count;

		initialized(f);
		fx_aug(f, td, GPA, 0, from);
		count = fx_chldcnt(f, td);
		content_of(f, from)[511] = 0x1234;
		content_of(f, to)[511] = 0x5678;
		fx_pamt(f, to, 0)->bepoch = 9;
		fx_poke(f, td, GPA, 0, table[i / 2].from | from);
		is(relocate(f, 0, GPA, from), ST_INVALID(R_R8));
		is(relocate(f, 0, GPA, to), ST_SUCCESS);
		info(f, from, 0);
		eq(fx_entry_value(f, td, GPA, 0), table[i / 2].to | to);
		eq(content_of(f, to)[511], table[i / 2].copied ? 0x1234 : 0x5678);
		page_is(f, from, 0, PAMT_NDA, td->tdr, 0);
		page_is(f, to, 0, PAMT_REG, td->tdr, 0);
		eq(fx_chldcnt(f, td), count);
		/* And back, to a page that is free again. */
		is(relocate(f, 0, GPA, from), ST_SUCCESS);
		fx_down(f);
	}
}

/* While the TD runs: exported pages that are write-blocked need no tracking, all others do. */
static void test_relocate_tracking(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);
	struct fx_td *td = &f->td[0];
	u64 a = fx_page_high(f), b = fx_page_high(f);

	(void)state;
	runnable(f);
	fx_map(f, td, GPA, 0, a);
	is(relocate(f, 0, GPA, b), ST_NOT_BLOCKED);
	info(f, X_LEAF_RWX(a), X_RDX(0, PUB_MAPPED));
	is(block(f, 0, GPA, 0), ST_SUCCESS);
	is(relocate(f, 0, GPA, b), ST_NOT_TRACKED(R_RCX));
	track(f);
	is(relocate(f, 0, GPA, b), ST_SUCCESS);
	eq(fx_entry_value(f, td, GPA, 0), E_MAPPED(b));
	/* EXPORTED_BLOCKEDW. */
	fx_poke(f, td, GPA, 0, 0x80600000000000F7ull | b);
	is(relocate(f, 0, GPA, a), ST_SUCCESS);
	eq(fx_entry_value(f, td, GPA, 0), 0x80600000000000F7ull | a);
	fx_down(f);
}

/* ---- SEPT.REMOVE ------------------------------------------------------------------------------- */

static void test_sept_remove(void **state)
{
	(void)state;
	for (u32 i = 0; i < 2; i++) {
		struct fx *f = fx_up(flavours[i]);
		struct fx_td *td = &f->td[0];
		u64 page = fx_page_high(f), table, count;

		runnable(f);
		count = fx_chldcnt(f, td);
		fx_aug(f, td, GPA + 0x1FF000, 0, page);
		table = HPA_OF(fx_entry_value(f, td, GPA, 1));
		is(sept_remove(f, 0, GPA, 1), ST_NOT_BLOCKED);
		info(f, 7, X_RDX(1, PUB_NL_MAPPED));
		is(block(f, 0, GPA + 0x1FF000, 0), ST_SUCCESS);
		is(block(f, 0, GPA, 1), ST_SUCCESS);
		is(sept_remove(f, 0, GPA, 1), ST_NOT_TRACKED(R_RCX));
		info(f, 0, X_RDX(1, PUB_NL_BLOCKED));
		track(f);
		/* The last entry is in use. */
		is(sept_remove(f, 0, GPA, 1), ST_PAGE_NOT_FREE);
		info(f, 0, 0);
		fx_poke(f, td, GPA + 0x1FF000, 0, E_REMOVED);
		is(sept_remove(f, 0, GPA, 1), ST_PAGE_NOT_FREE);
		/* Locks and requests below do not matter: the tree is exclusive. */
		fx_poke(f, td, GPA + 0x1FF000, 0, E_FREE | E_HP);
		pamt_set_type(fx_pamt(f, page, 0), PAMT_NDA);
		is(sept_remove(f, 0, GPA, 1), ST_SUCCESS);
		info(f, table, 0);
		eq(f->out.r9, KEPT);
		eq(fx_entry_value(f, td, GPA, 1), E_FREE);
		eq(atomic_load(&fx_pamt(f, table, 0)->type), PAMT_NDA);
		/* Up to the root's entry; the page is anybody's again. */
		block_and_track(f, GPA, 2);
		is(sept_remove(f, 0, GPA, 2), ST_SUCCESS);
		block_and_track(f, 0, 3);
		is(sept_remove(f, 0, 0, 3), ST_SUCCESS);
		eq(fx_chldcnt(f, td), count + 1);
		is(sept_remove(f, 0, 0, 3), ST_ENTRY_STATE);
		info(f, X_FREE, X_RDX(3, PUB_FREE));
		is(sept_remove(f, 0, 0, 0), ST_INVALID(R_RCX));
		is(SC(f, 0, tdh_mem_sept_add, .rcx = 3, .rdx = td->tdr, .r8 = table), ST_SUCCESS);
		fx_down(f);
	}
}

/* ---- MEM.RD, MEM.WR ----------------------------------------------------------------------------- */

static u64 rd(struct fx *f, u64 gpa)
{
	return SC(f, 0, tdh_mem_rd, .rcx = gpa, .rdx = f->td[0].tdr, .r8 = KEPT);
}

static u64 wr(struct fx *f, u64 gpa, u64 data)
{
	return SC(f, 0, tdh_mem_wr, .rcx = gpa, .rdx = f->td[0].tdr, .r8 = data);
}

static void test_data(void **state)
{
	(void)state;
	for (u32 i = 0; i < 4; i++) {
		struct fx *f = i >> 1 ? fx_up_contents(flavours[i & 1]) : fx_up(flavours[i & 1]);
		struct fx_td *td = &f->td[0];
		bool contents = i >> 1;
		u64 page = fx_page_high(f);

		f->attributes = 1; /* debug */
		runnable(f);
		fx_map(f, td, GPA, 0, page);
		is(rd(f, GPA + 8), ST_SUCCESS);
		info(f, 0, 0);
		eq(f->out.r8, 0);
		is(wr(f, GPA + 8, 0x1111222233334444ull), ST_SUCCESS);
		info(f, 0, 0);
		eq(f->out.r8, 0);
		is(rd(f, GPA + 8), ST_SUCCESS);
		eq(f->out.r8, contents ? 0x1111222233334444ull : 0);
		eq(content_of(f, page)[1], contents ? 0x1111222233334444ull : 0);
		is(wr(f, GPA + 8, 5), ST_SUCCESS);
		eq(f->out.r8, contents ? 0x1111222233334444ull : 0);
		/* Write-blocked pages can be read only. */
		fx_poke(f, td, GPA, 0, E_BLOCKEDW(page));
		is(rd(f, GPA + 8), ST_SUCCESS);
		is(wr(f, GPA + 8, 6), ST_ENTRY_STATE);
		info(f, X_LEAF_RWX(page), X_RDX(0, PUB_BLOCKEDW));
		/* Nothing to see: a refused call leaves R8 alone. */
		fx_poke(f, td, GPA, 0, E_PENDING(page));
		is(rd(f, GPA + 8), ST_NOT_PRESENT(R_RCX));
		info(f, X_LEAF(page), X_RDX(0, PUB_PENDING));
		eq(f->out.r8, KEPT);
		/* Large pages too, at any offset. */
		fx_map(f, td, GPA + 0x200000, 1, FX_HPA(FX_AT_HIGH_BIG));
		is(wr(f, GPA + 0x200000 + 0x12348, 0x77), ST_SUCCESS);
		eq(content_of(f, FX_HPA(FX_AT_HIGH_BIG) + 0x12348)[0], contents ? 0x77 : 0);
		fx_down(f);
	}
}

/* MEM.RD has walked to the entry and is about to lock it: the page goes, as it may before the TD runs. */
static void remove_page_meanwhile(struct fx *f, struct sl_lp *lp)
{
	(void)lp;
	saw = remove_page(f, 1, GPA, 0);
}

static void test_data_window(void **state)
{
	(void)state;
	for (u32 i = 0; i < 2; i++) {
		struct fx *f = fx_up(flavours[i]);
		u64 page = fx_page_high(f);

		f->attributes = 1;
		initialized(f);
		fx_aug(f, &f->td[0], GPA, 0, page);
		fx_poke(f, &f->td[0], GPA, 0, E_MAPPED(page));
		fx_trap(f, HPA_OF(fx_entry_value(f, &f->td[0], GPA, 1)), remove_page_meanwhile);
		f->depth = 1;
		is(rd(f, GPA), ST_ENTRY_STATE);
		f->depth = 0;
		info(f, X_FREE, X_RDX(0, PUB_FREE));
		eq(f->out.r8, KEPT);
		eq(f->traps, 1);
		is(saw, ST_SUCCESS);
		fx_check_locks(f);
		fx_down(f);
	}
}

/* MEM.RD has let go of the TDR, or not, when it gives the tree back (hazard H3). */
static void finalize_meanwhile(struct fx *f, struct sl_lp *lp)
{
	(void)lp;
	saw = SC(f, 1, tdh_mr_finalize, .rcx = f->td[0].tdr);
}

static void at_entry_lock(struct fx *f, struct sl_lp *lp)
{
	(void)lp;
	fx_trap(f, f->td[0].tdcx[0], finalize_meanwhile);
}

static void test_release_order(void **state)
{
	(void)state;
	for (u32 i = 0; i < 2; i++) {
		struct fx *f = fx_up(flavours[i]);
		u64 table;

		f->attributes = 1;
		runnable(f);
		fx_map(f, &f->td[0], GPA, 0, fx_page_high(f));
		table = HPA_OF(fx_entry_value(f, &f->td[0], GPA, 1));
		fx_trap(f, table, at_entry_lock);
		f->depth = 1;
		is(rd(f, GPA), ST_SUCCESS);
		f->depth = 0;
		eq(f->traps, 2);
		is(saw, i ? ST_BUSY(R_RCX) : ST_OP_STATE);
		fx_check_locks(f);
		fx_down(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),      cmocka_unit_test(test_round_trip_1g),
		cmocka_unit_test(test_accept_progress), cmocka_unit_test(test_promote_children),
		cmocka_unit_test(test_versions),        cmocka_unit_test(test_interrupted),
		cmocka_unit_test(test_pamt_halts),      cmocka_unit_test(test_aug_window),
		cmocka_unit_test(test_promote_window),  cmocka_unit_test(test_promote_tree),
		cmocka_unit_test(test_relocate),        cmocka_unit_test(test_relocate_tracking),
		cmocka_unit_test(test_sept_remove),     cmocka_unit_test(test_data),
		cmocka_unit_test(test_data_window),     cmocka_unit_test(test_release_order),
	};

	return cmocka_run_group_tests_name("module: MEM, sizes and contents", tests, NULL, NULL);
}
