// SPDX-License-Identifier: MIT
/* TDH.MEM.*: what the S-EPT leaves do, TLB tracking, and what can get between their steps. */
#include "module_fixture.h"

#define GPA  0x40000000ull
#define NONE (~0ull)

static const enum sl_flavour flavours[] = { SL_PUBLISHED, SL_HARDENED };

static u64 epoch_of(struct fx *f)
{
	return atomic_load(&fx_tdcs(f, &f->td[0])->epoch.f.epoch);
}

static u32 refcount_of(struct fx *f, u32 which)
{
	return atomic_load(&fx_tdcs(f, &f->td[0])->epoch.f.refcount[which]);
}

static u64 block(struct fx *f, u32 lp, u64 gpa, u32 level)
{
	return SC(f, lp, tdh_mem_range_block, .rcx = PAGE_INFO(gpa, level), .rdx = f->td[0].tdr);
}

static u64 unblock(struct fx *f, u32 lp, u64 gpa, u32 level)
{
	return SC(f, lp, tdh_mem_range_unblock, .rcx = PAGE_INFO(gpa, level), .rdx = f->td[0].tdr);
}

static u64 remove_page(struct fx *f, u32 lp, u64 gpa, u32 level)
{
	return SC(f, lp, tdh_mem_page_remove, .rcx = PAGE_INFO(gpa, level), .rdx = f->td[0].tdr);
}

static u64 track(struct fx *f, u32 lp)
{
	return SC(f, lp, tdh_mem_track, .rcx = f->td[0].tdr);
}

static u64 sept_rd(struct fx *f, u64 gpa, u32 level)
{
	return SC(f, 0, tdh_mem_sept_rd, .rcx = PAGE_INFO(gpa, level), .rdx = f->td[0].tdr);
}

static u64 aug(struct fx *f, u32 lp, u64 gpa, u32 level, u64 hpa)
{
	return SC(f, lp, tdh_mem_page_aug, .rcx = PAGE_INFO(gpa, level), .rdx = f->td[0].tdr,
		  .r8 = hpa);
}

/* RCX and RDX of extended information. */
#define info(f, rcx_, rdx_)             \
	do {                            \
		eq((f)->out.rcx, rcx_); \
		eq((f)->out.rdx, rdx_); \
	} while (0)

/* ---- SEPT.ADD, SEPT.RD ------------------------------------------------------------------------ */

static void test_sept_add(void **state)
{
	(void)state;
	for (u32 i = 0; i < 2; i++) {
		struct fx *f = fx_up(flavours[i]);
		struct fx_td *td = &f->td[0];
		u64 page = fx_page_sept(f), other = fx_page_sept(f);
		_Atomic u64 *entry;

		fx_td_runnable(f, td, 1);
		eq(fx_chldcnt(f, td), 12);
		fx_pamt(f, page, 0)->bepoch = 5;
		is(SC(f, 0, tdh_mem_sept_add, .rcx = 3, .rdx = td->tdr, .r8 = page), ST_SUCCESS);
		info(f, 0, 0);
		eq(f->out.r8, page);
		eq(fx_entry_value(f, td, 0, 3), E_TABLE(page));
		page_is(f, page, 0, PAMT_EPT, td->tdr, 0);
		eq(fx_chldcnt(f, td), 13);
		entry = fx_entry(f, td, 0, 2);
		for (u32 k = 0; k < 512; k++)
			eq(atomic_load(&entry[k]), E_FREE);
		/* A table is there already. */
		is(SC(f, 0, tdh_mem_sept_add, .rcx = 3, .rdx = td->tdr, .r8 = other),
		   ST_ENTRY_STATE);
		info(f, 7, X_RDX(3, PUB_NL_MAPPED));
		page_is(f, other, 0, PAMT_NDA, 0, 0);
		/* The caller may say that this is fine; then R8 is not even looked at. */
		is(SC(f, 0, tdh_mem_sept_add, .rcx = 3, .rdx = td->tdr | 1, .r8 = 123), ST_SUCCESS);
		info(f, 0, 0);
		eq(f->out.r8, 123);
		eq(fx_chldcnt(f, td), 13);
		/* The level above has to be there. */
		is(SC(f, 0, tdh_mem_sept_add, .rcx = GPA | 1, .rdx = td->tdr, .r8 = other),
		   ST_WALK_FAILED);
		info(f, X_FREE, X_RDX(2, PUB_FREE));
		/* A table cannot be put under a page. */
		fx_aug(f, td, GPA, 1, FX_HPA(FX_AT_HIGH_BIG));
		is(SC(f, 0, tdh_mem_sept_add, .rcx = GPA | 1, .rdx = td->tdr, .r8 = other),
		   ST_ENTRY_STATE);
		info(f, X_LEAF(FX_HPA(FX_AT_HIGH_BIG)), X_RDX(1, PUB_PENDING));
		/* The TDR itself as the new page conflicts with the caller's own lock. */
		is(SC(f, 0, tdh_mem_sept_add, .rcx = GPA + 0x200000 + 1, .rdx = td->tdr,
		      .r8 = td->tdr),
		   ST_BUSY(R_R8));
		assert_true(fx_word_hp(fx_w_pamt(f, td->tdr, 0)));
		fx_down(f);
	}
}

static u64 sept_add_v1(struct fx *f, u64 rcx, u64 rdx, u64 r8)
{
	return fx_seamcall(
		f, 0, SEAMCALL_tdh_mem_sept_add | 1 << 16,
		(struct tdx_module_args){
			.rcx = rcx, .rdx = rdx, .r8 = r8, .r9 = NONE, .r10 = NONE, .r11 = NONE });
}

static void test_sept_add_v1(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);
	struct fx_td *td = &f->td[0];
	u64 page = fx_page_sept(f);

	(void)state;
	fx_td_runnable(f, td, 1);
	/* No page for L1: only where a table is already. */
	is(sept_add_v1(f, 3, td->tdr, NONE), ST_ENTRY_STATE);
	info(f, X_FREE, X_RDX(3, PUB_FREE));
	/* Bit 63 is ignored on the way in; a used page comes back as all ones. */
	is(sept_add_v1(f, 3, td->tdr, page | 1ull << 63), ST_SUCCESS);
	eq(f->out.r8, NONE);
	eq(fx_entry_value(f, td, 0, 3), E_TABLE(page));
	is(sept_add_v1(f, 3, td->tdr, NONE), ST_SUCCESS);
	eq(f->out.r8, NONE);
	/* A page that was not needed comes back with bit 63. */
	page = fx_page_sept(f);
	is(sept_add_v1(f, 3, td->tdr | 1, page), ST_SUCCESS);
	eq(f->out.r8, page | 1ull << 63);
	page_is(f, page, 0, PAMT_NDA, 0, 0);
	is(sept_add_v1(f, 3, td->tdr, page), ST_ENTRY_STATE);
	fx_down(f);
}

static void test_sept_rd(void **state)
{
	(void)state;
	for (u32 i = 0; i < 2; i++) {
		struct fx *f = fx_up(flavours[i]);
		struct fx_td *td = &f->td[0];
		u64 page = fx_page_high(f), before;

		fx_td_runnable(f, td, 1);
		is(sept_rd(f, GPA, 0), ST_WALK_FAILED);
		info(f, X_FREE, X_RDX(3, PUB_FREE));
		is(sept_rd(f, 0, 3), ST_SUCCESS);
		info(f, X_FREE, X_RDX(3, PUB_FREE));
		fx_sept(f, td, GPA, 0);
		is(sept_rd(f, 0, 3), ST_SUCCESS);
		info(f, 7, X_RDX(3, PUB_NL_MAPPED));
		is(sept_rd(f, GPA, 0), ST_SUCCESS);
		info(f, X_FREE, X_RDX(0, PUB_FREE));
		is(aug(f, 0, GPA, 0, page), ST_SUCCESS);
		is(sept_rd(f, GPA, 0), ST_SUCCESS);
		info(f, X_LEAF(page), X_RDX(0, PUB_PENDING));
		fx_poke(f, td, GPA, 0, E_MAPPED(page));
		is(sept_rd(f, GPA, 0), ST_SUCCESS);
		info(f, X_LEAF_RWX(page), X_RDX(0, PUB_MAPPED));
		fx_poke(f, td, GPA, 0, E_BLOCKEDW(page));
		is(sept_rd(f, GPA, 0), ST_SUCCESS);
		info(f, X_LEAF_RWX(page), X_RDX(0, PUB_BLOCKEDW));
		fx_poke(f, td, GPA, 0, E_REMOVED);
		is(sept_rd(f, GPA, 0), ST_SUCCESS);
		info(f, 0, X_RDX(0, PUB_REMOVED));
		/* The cheapest way to take HOST_PRIORITY off an entry: nothing else changes. */
		fx_poke(f, td, GPA, 0, E_PENDING(page));
		before = fx_digest(f);
		fx_set_hp(fx_w_entry(f, td, GPA, 0));
		is(sept_rd(f, GPA, 0), ST_SUCCESS);
		eq(fx_entry_value(f, td, GPA, 0), E_PENDING(page));
		eq(fx_digest(f), before);
		/* Half accepted: the counter shows in bits 20:12. */
		fx_sept(f, td, GPA + 0x200000, 1);
		fx_poke(f, td, GPA + 0x200000, 1, E_PENDING(FX_HPA(FX_AT_HIGH_BIG)) | 0x5000);
		is(sept_rd(f, GPA + 0x200000, 1), ST_SUCCESS);
		info(f, X_LEAF(FX_HPA(FX_AT_HIGH_BIG)) | 0x5000, X_RDX(1, PUB_PENDING));
		/* BLOCK forgets how far the guest had come. */
		fx_pamt(f, FX_HPA(FX_AT_HIGH_BIG), 1)->type = PAMT_REG;
		is(block(f, 0, GPA + 0x200000, 1), ST_SUCCESS);
		eq(fx_entry_value(f, td, GPA + 0x200000, 1), E_PENDING_B(FX_HPA(FX_AT_HIGH_BIG)));
		fx_down(f);
	}
}

/* ---- AUG -------------------------------------------------------------------------------------- */

static void test_aug(void **state)
{
	(void)state;
	for (u32 i = 0; i < 2; i++) {
		struct fx *f = fx_up(flavours[i]);
		struct fx_td *td = &f->td[0];
		u64 page = fx_page_high(f), big = FX_HPA(FX_AT_HIGH_BIG);
		u64 count;

		fx_td_runnable(f, td, 1);
		fx_sept(f, td, GPA, 0);
		count = fx_chldcnt(f, td);
		fx_pamt(f, page, 0)->bepoch = 99;
		is(aug(f, 0, GPA, 0, page), ST_SUCCESS);
		info(f, 0, 0);
		eq(fx_entry_value(f, td, GPA, 0), E_PENDING(page));
		page_is(f, page, 0, PAMT_REG, td->tdr, 0);
		eq(fx_chldcnt(f, td), count + 1);
		is(aug(f, 0, GPA, 0, fx_page_high(f)), ST_ENTRY_STATE);
		info(f, X_LEAF(page), X_RDX(0, PUB_PENDING));
		is(aug(f, 0, GPA + 0x1000, 0, page), ST_METADATA(R_R8));
		info(f, 0, 0);
		/* REMOVED is as good as FREE. */
		fx_poke(f, td, GPA + 0x1000, 0, E_REMOVED);
		is(aug(f, 0, GPA + 0x1000, 0, fx_page_high(f)), ST_SUCCESS);

		fx_sept(f, td, GPA + 0x200000, 1);
		count = fx_chldcnt(f, td);
		fx_pamt(f, big, 1)->bepoch = 99;
		is(aug(f, 0, GPA + 0x200000, 1, big), ST_SUCCESS);
		eq(fx_entry_value(f, td, GPA + 0x200000, 1), E_PENDING(big));
		page_is(f, big, 1, PAMT_REG, td->tdr, 0);
		page_is(f, big, 0, PAMT_NDA, 0, 0);
		eq(fx_chldcnt(f, td), count + 512);
		/* Two of its small pages are in use. */
		is(aug(f, 0, GPA + 0x400000, 1, FX_HPA(FX_AT_HIGH)), ST_METADATA(R_R8));
		info(f, 0, 0);
		/* Partly absent memory is not NDA. */
		is(aug(f, 0, GPA + 0x400000, 1, FX_HPA(FX_PAGES)), ST_METADATA(R_R8));
		/* A range with the TDR in it conflicts with the caller's own lock on its parent. */
		is(aug(f, 0, GPA + 0x400000, 1, FX_HPA(0)), ST_BUSY(R_R8));
		assert_true(fx_word_hp(fx_w_pamt(f, td->tdr, 1)));
		fx_down(f);
	}
}

/* While a TD is built, pages may already be added as PENDING. */
static void test_aug_initialized(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);

	(void)state;
	fx_td_initialized(f, &f->td[0], 1);
	fx_aug(f, &f->td[0], GPA, 0, fx_page_high(f));
	/* And taken away without a block: no vCPU can have seen them. */
	is(remove_page(f, 0, GPA, 0), ST_SUCCESS);
	fx_down(f);
}

/*
 * Between the steps of AUG. Its first write to the TDR page is CHLDCNT; at that point a published
 * module has shown the entry already, unlocked, while the page still belongs to nobody.
 */
static void remove_meanwhile(struct fx *f, struct sl_lp *lp)
{
	(void)lp;
	f->g.rcx = remove_page(f, 1, GPA, 0);
}

static void test_aug_window_published(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);
	struct fx_td *td = &f->td[0];

	(void)state;
	fx_td_runnable(f, td, 1);
	fx_sept(f, td, GPA, 0);
	fx_trap(f, td->tdr, remove_meanwhile);
	f->depth = 1; /* the locks of AUG are held while REMOVE runs */
	is(aug(f, 0, GPA, 0, fx_page_high(f)), ST_HALTED);
	f->depth = 0;
	eq(f->traps, 1);
	is(f->g.rcx, ST_HALTED);
	assert_true(sl_machine_halted(f->m));
	eq(f->violations, 1);
	eq(f->kind, SL_VIOLATION_MODULE_HALT);
	f->violations_expected = 1;
	fx_down(f);
}

static void test_aug_window_hardened(void **state)
{
	struct fx *f = fx_up(SL_HARDENED);
	struct fx_td *td = &f->td[0];

	(void)state;
	fx_td_runnable(f, td, 1);
	fx_sept(f, td, GPA, 0);
	fx_trap(f, td->tdr, remove_meanwhile);
	f->depth = 1;
	is(aug(f, 0, GPA, 0, fx_page_high(f)), ST_SUCCESS);
	f->depth = 0;
	eq(f->traps, 1);
	/* The entry is still locked, and the request of the other LP survives the commit. */
	is(f->g.rcx, ST_BUSY(R_RCX));
	eq(fx_entry_value(f, td, GPA, 0), E_PENDING(FX_HPA(FX_AT_HIGH)) | E_HP);
	fx_check_locks(f);
	fx_down(f);
}

/*
 * The same entry from two hosts while AUG or SEPT.ADD holds it: the published commit stores over
 * the request, the hardened one keeps it. The trap is at the new S-EPT page, which SEPT.ADD fills
 * while it holds the parent entry.
 */
static void rd_meanwhile(struct fx *f, struct sl_lp *lp)
{
	(void)lp;
	f->g.rcx = SC(f, 1, tdh_mem_sept_rd, .rcx = 3, .rdx = f->td[0].tdr);
	f->g.r8 = fx_entry_value(f, &f->td[0], 0, 3);
}

static void test_commit_and_host_priority(void **state)
{
	(void)state;
	for (u32 i = 0; i < 2; i++) {
		struct fx *f = fx_up(flavours[i]);
		struct fx_td *td = &f->td[0];
		u64 page = fx_page_sept(f);

		fx_td_runnable(f, td, 1);
		fx_trap(f, page, rd_meanwhile);
		f->depth = 1;
		is(SC(f, 0, tdh_mem_sept_add, .rcx = 3, .rdx = td->tdr, .r8 = page), ST_SUCCESS);
		f->depth = 0;
		eq(f->traps, 1);
		is(f->g.rcx, ST_BUSY(R_RCX));
		eq(f->g.r8, E_FREE | E_TDEL | E_HP);
		eq(fx_entry_value(f, td, 0, 3), E_TABLE(page) | (i ? E_HP : 0));
		fx_check_locks(f);
		fx_down(f);
	}
}

/* ---- REMOVE ----------------------------------------------------------------------------------- */

static void test_remove(void **state)
{
	(void)state;
	for (u32 i = 0; i < 2; i++) {
		struct fx *f = fx_up(flavours[i]);
		struct fx_td *td = &f->td[0];
		u64 page = fx_page_high(f), big = FX_HPA(FX_AT_HIGH_BIG), count;

		fx_td_runnable(f, td, 1);
		fx_map(f, td, GPA, 0, page);
		fx_map(f, td, GPA + 0x200000, 1, big);
		count = fx_chldcnt(f, td);
		is(block(f, 0, GPA, 0), ST_SUCCESS);
		is(block(f, 0, GPA + 0x200000, 1), ST_SUCCESS);
		page_is(f, big, 1, PAMT_REG, td->tdr, 1);
		is(track(f, 0), ST_SUCCESS);
		/* Only the removed page's own PAMT entry is locked, none above it. */
		fx_hold(f, fx_w_pamt(f, page, 1), true);
		fx_hold(f, fx_w_pamt(f, page, 2), true);
		is(remove_page(f, 0, GPA, 0), ST_SUCCESS);
		fx_release_all(f);
		eq(f->out.rcx, page);
		eq(f->out.rdx, 0);
		eq(fx_entry_value(f, td, GPA, 0), E_FREE);
		page_is(f, page, 0, PAMT_NDA, td->tdr, 1);
		eq(fx_chldcnt(f, td), count - 1);
		fx_hold(f, fx_w_pamt(f, big, 0), true);
		is(remove_page(f, 0, GPA + 0x200000, 1), ST_SUCCESS);
		fx_release_all(f);
		eq(f->out.rcx, big);
		eq(fx_chldcnt(f, td), count - 1 - 512);
		eq(fx_entry_value(f, td, GPA + 0x200000, 1), E_FREE);
		page_is(f, big, 1, PAMT_NDA, td->tdr, 1);
		is(remove_page(f, 0, GPA, 0), ST_ENTRY_STATE);
		info(f, X_FREE, X_RDX(0, PUB_FREE));
		/* The page is anybody's again. */
		is(aug(f, 0, GPA, 0, page), ST_SUCCESS);
		fx_down(f);
	}
}

/* PENDING pages need the same care: a vCPU may be about to accept one. */
static void test_remove_pending(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);
	u64 page = fx_page_high(f);

	(void)state;
	fx_td_runnable(f, &f->td[0], 1);
	fx_aug(f, &f->td[0], GPA, 0, page);
	is(remove_page(f, 0, GPA, 0), ST_NOT_BLOCKED);
	info(f, X_LEAF(page), X_RDX(0, PUB_PENDING));
	is(block(f, 0, GPA, 0), ST_SUCCESS);
	eq(fx_entry_value(f, &f->td[0], GPA, 0), E_PENDING_B(page));
	is(remove_page(f, 0, GPA, 0), ST_NOT_TRACKED(R_RCX));
	info(f, X_LEAF(page), X_RDX(0, PUB_PENDING_BLOCKED));
	is(track(f, 0), ST_SUCCESS);
	is(remove_page(f, 0, GPA, 0), ST_SUCCESS);
	eq(f->out.rcx, page);
	fx_down(f);
}

/* ---- BLOCK, UNBLOCK --------------------------------------------------------------------------- */

static void test_block(void **state)
{
	(void)state;
	for (u32 i = 0; i < 2; i++) {
		struct fx *f = fx_up(flavours[i]);
		struct fx_td *td = &f->td[0];
		u64 page = fx_page_high(f), table;

		fx_td_runnable(f, td, 1);
		fx_map(f, td, GPA, 0, page);
		for (u32 k = 0; k < 6; k++)
			is(track(f, 0), ST_SUCCESS);
		eq(epoch_of(f), 7);
		/* BEPOCH is written without the page's lock. */
		fx_hold(f, fx_w_pamt(f, page, 0), true);
		is(block(f, 0, GPA, 0), ST_SUCCESS);
		fx_release_all(f);
		info(f, 0, 0);
		eq(fx_entry_value(f, td, GPA, 0), E_BLOCKED(page));
		page_is(f, page, 0, PAMT_REG, td->tdr, 7);
		is(block(f, 0, GPA, 0), ST_ALREADY_BLOCKED);
		info(f, X_LEAF(page), X_RDX(0, PUB_BLOCKED));
		/* A whole table, up to the root's entry; its BEPOCH is in the table's own page. */
		table = fx_entry_value(f, td, GPA, 1) & 0x000FFFFFFFFFF000ull;
		is(block(f, 0, GPA, 1), ST_SUCCESS);
		eq(fx_entry_value(f, td, GPA, 1), E_TABLE_BLK(table));
		page_is(f, table, 0, PAMT_EPT, td->tdr, 7);
		is(sept_rd(f, GPA, 0), ST_WALK_FAILED);
		info(f, 0, X_RDX(1, PUB_NL_BLOCKED));
		is(block(f, 0, GPA, 1), ST_ALREADY_BLOCKED);
		is(block(f, 0, 0, 3), ST_SUCCESS);
		is(block(f, 0, 0, 4), ST_INVALID(R_RCX));
		is(track(f, 0), ST_SUCCESS);
		is(unblock(f, 0, 0, 3), ST_SUCCESS);
		is(unblock(f, 0, GPA, 1), ST_SUCCESS);
		eq(fx_entry_value(f, td, GPA, 1), E_TABLE(table));
		is(unblock(f, 0, GPA, 1), ST_ENTRY_STATE);
		info(f, 7, X_RDX(1, PUB_NL_MAPPED));
		is(unblock(f, 0, GPA, 0), ST_SUCCESS);
		info(f, 0, 0);
		eq(fx_entry_value(f, td, GPA, 0), E_MAPPED(page));
		/* BLOCKEDW loses its write block. */
		fx_poke(f, td, GPA, 0, E_BLOCKEDW(page));
		is(block(f, 0, GPA, 0), ST_SUCCESS);
		eq(fx_entry_value(f, td, GPA, 0), E_BLOCKED(page));
		fx_poke(f, td, GPA, 0, E_PENDING_BW(page));
		is(block(f, 0, GPA, 0), ST_SUCCESS);
		eq(fx_entry_value(f, td, GPA, 0), E_PENDING_B(page));
		is(unblock(f, 0, GPA, 0), ST_NOT_TRACKED(R_SEPT_TREE));
		info(f, X_LEAF(page), X_RDX(0, PUB_PENDING_BLOCKED));
		is(track(f, 0), ST_SUCCESS);
		is(unblock(f, 0, GPA, 0), ST_SUCCESS);
		eq(fx_entry_value(f, td, GPA, 0), E_PENDING(page));
		fx_down(f);
	}
}

/* Outside of OP_STATEs that track, UNBLOCK and REMOVE ask for nothing. */
static void test_no_tracking(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);
	u64 page = fx_page_high(f);

	(void)state;
	fx_td_initialized(f, &f->td[0], 1);
	fx_aug(f, &f->td[0], GPA, 0, page);
	is(block(f, 0, GPA, 0), ST_SUCCESS);
	is(unblock(f, 0, GPA, 0), ST_SUCCESS);
	eq(fx_entry_value(f, &f->td[0], GPA, 0), E_PENDING(page));
	for (u32 s = 0; s <= 10; s++) {
		bool tracks = s == 2 || s == 3 || s == 9;

		if (!(0x73E >> s & 1))
			continue;
		fx_tdcs(f, &f->td[0])->op_state = (u8)s;
		is(remove_page(f, 0, GPA, 0), tracks ? ST_NOT_BLOCKED : ST_SUCCESS);
		if (!tracks) {
			fx_tdcs(f, &f->td[0])->op_state = OP_RUNNABLE;
			is(aug(f, 0, GPA, 0, page), ST_SUCCESS);
		}
	}
	fx_down(f);
}

/* ---- TLB tracking ----------------------------------------------------------------------------- */

static void old_epoch_inside(struct fx *f, struct sl_lp *lp)
{
	(void)lp;
	eq(refcount_of(f, 1), 1);
	/* Mapped, then blocked, then tracked, with this vCPU inside all the time. */
	is(remove_page(f, 1, GPA, 0), 0xC0000B0600000001ull);
	is(block(f, 1, GPA, 0), ST_SUCCESS);
	is(remove_page(f, 1, GPA, 0), 0xC0000B0800000001ull);
	is(unblock(f, 1, GPA, 0), 0xC0000B0800000092ull);
	is(track(f, 1), ST_SUCCESS);
	eq(epoch_of(f), 2);
	is(remove_page(f, 1, GPA, 0), 0xC0000B0800000001ull);
	is(unblock(f, 1, GPA, 0), 0xC0000B0800000092ull);
	/* The next one waits for this vCPU. */
	is(track(f, 1), 0x8000020100000000ull);
	eq(epoch_of(f), 2);
}

static void test_tracking(void **state)
{
	(void)state;
	for (u32 i = 0; i < 2; i++) {
		struct fx *f = fx_up(flavours[i]);
		u64 page = fx_page_high(f);

		fx_td_runnable(f, &f->td[0], 1);
		fx_map(f, &f->td[0], GPA, 0, page);
		eq(epoch_of(f), 1);
		is(fx_enter(f, 0, f->td[0].vcpu[0], old_epoch_inside), EXIT_VMCALL);
		eq(refcount_of(f, 0) + refcount_of(f, 1), 0);
		is(remove_page(f, 1, GPA, 0), ST_SUCCESS);
		eq(f->out.rcx, page);
		fx_down(f);
	}
}

/* A vCPU that entered after the TRACK does not hold the page back. */
static void new_epoch_inside(struct fx *f, struct sl_lp *lp)
{
	(void)lp;
	eq(refcount_of(f, 0), 1);
	eq(refcount_of(f, 1), 0);
	is(remove_page(f, 1, GPA, 0), ST_SUCCESS);
	/* One more TRACK goes through, the second does not. */
	is(track(f, 1), ST_SUCCESS);
	is(track(f, 1), ST_PREVIOUS_TLB_EPOCH_BUSY);
}

static void test_tracking_new_epoch(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);

	(void)state;
	fx_td_runnable(f, &f->td[0], 1);
	fx_map(f, &f->td[0], GPA, 0, fx_page_high(f));
	is(block(f, 1, GPA, 0), ST_SUCCESS);
	is(track(f, 1), ST_SUCCESS);
	is(fx_enter(f, 0, f->td[0].vcpu[0], new_epoch_inside), EXIT_VMCALL);
	is(track(f, 1), ST_SUCCESS);
	fx_down(f);
}

/* Two vCPUs of different epochs, each counted under its own. */
static void second_inside(struct fx *f, struct sl_lp *lp)
{
	(void)lp;
	eq(refcount_of(f, 1), 1);
	eq(refcount_of(f, 0), 1);
	is(track(f, 2), ST_PREVIOUS_TLB_EPOCH_BUSY);
	is(remove_page(f, 2, GPA, 0), ST_NOT_TRACKED(R_RCX));
}

static void first_inside(struct fx *f, struct sl_lp *lp)
{
	(void)lp;
	is(block(f, 2, GPA, 0), ST_SUCCESS);
	is(track(f, 2), ST_SUCCESS);
	is(fx_enter(f, 1, f->td[0].vcpu[1], second_inside), EXIT_VMCALL);
	eq(refcount_of(f, 0), 0);
	eq(refcount_of(f, 1), 1);
	is(remove_page(f, 2, GPA, 0), ST_NOT_TRACKED(R_RCX));
}

static void test_tracking_two_vcpus(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);

	(void)state;
	fx_td_runnable(f, &f->td[0], 2);
	fx_map(f, &f->td[0], GPA, 0, fx_page_high(f));
	is(fx_enter(f, 0, f->td[0].vcpu[0], first_inside), EXIT_VMCALL);
	is(remove_page(f, 2, GPA, 0), ST_SUCCESS);
	fx_down(f);
}

/* The predicate itself, for every distance between block and now. */
static void test_tracked_predicate(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);
	struct tdcs *t;
	u64 page = fx_page_high(f);

	(void)state;
	fx_td_runnable(f, &f->td[0], 1);
	fx_map(f, &f->td[0], GPA, 0, page);
	is(block(f, 0, GPA, 0), ST_SUCCESS);
	t = fx_tdcs(f, &f->td[0]);
	fx_save(f);
	for (u64 now = 1; now < 6; now++)
		for (u64 then = 0; then < 7; then++)
			for (u32 refs = 0; refs < 4; refs++) {
				bool tracked = then + 1 < now ||
					       (then + 1 == now && !(refs >> (then & 1) & 1));

				fx_restore(f);
				atomic_store(&t->epoch.f.epoch, now);
				atomic_store(&t->epoch.f.refcount[0], refs & 1);
				atomic_store(&t->epoch.f.refcount[1], (u16)(refs >> 1));
				fx_pamt(f, page, 0)->bepoch = then;
				is(remove_page(f, 0, GPA, 0),
				   tracked ? ST_SUCCESS : ST_NOT_TRACKED(R_RCX));
				fx_restore(f);
				/* A migration epoch never counts as tracked. */
				atomic_store(&t->epoch.f.epoch, now);
				fx_pamt(f, page, 0)->bepoch = then | 1ull << 63;
				is(remove_page(f, 0, GPA, 0), ST_NOT_TRACKED(R_RCX));
			}
	fx_restore(f);
	fx_down(f);
}

static void test_track(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);
	struct tdcs *t;

	(void)state;
	fx_td_runnable(f, &f->td[0], 1);
	t = fx_tdcs(f, &f->td[0]);
	/* Only the count of the older epoch matters. */
	atomic_store(&t->epoch.f.refcount[1], 3);
	is(track(f, 0), ST_SUCCESS);
	is(track(f, 0), ST_PREVIOUS_TLB_EPOCH_BUSY);
	atomic_store(&t->epoch.f.refcount[1], 0);
	atomic_store(&t->epoch.f.refcount[0], 3);
	is(track(f, 0), ST_SUCCESS);
	eq(epoch_of(f), 3);
	is(track(f, 0), ST_PREVIOUS_TLB_EPOCH_BUSY);
	eq(epoch_of(f), 3);
	atomic_store(&t->epoch.f.refcount[0], 0);
	fx_down(f);
}

/* ---- a wrong tree --------------------------------------------------------------------------- */

/* An entry on the way that no code could have written kills the module; it is not followed. */
static void test_misconfigured(void **state)
{
	static const u64 wrong[] = {
		E_TABLE(0x5000) | 0,                        /* no private page */
		0x8000000000000001ull | FX_HPA(FX_AT_SEPT), /* readable only */
		0x8000000000000006ull | FX_HPA(FX_AT_SEPT), /* writable, not readable */
	};

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct fx *f = fx_up(SL_PUBLISHED);

		fx_td_runnable(f, &f->td[0], 1);
		fx_sept(f, &f->td[0], GPA, 0);
		fx_poke(f, &f->td[0], GPA, 2, wrong[i]);
		is(sept_rd(f, GPA, 0), ST_HALTED);
		eq(f->violations, 1);
		eq(f->kind, SL_VIOLATION_MODULE_HALT);
		f->violations_expected = 1;
		is(sept_rd(f, GPA, 3), ST_HALTED);
		fx_down(f);
	}
}

static void test_misconfigured_add(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);

	(void)state;
	fx_td_initialized(f, &f->td[0], 1);
	fx_sept(f, &f->td[0], GPA, 0);
	/* PAGE.ADD holds the TDR exclusive: an entry that is locked then is beyond repair. */
	fx_hold(f, fx_w_entry(f, &f->td[0], GPA, 0), true);
	is(SC(f, 0, tdh_mem_page_add, .rcx = GPA, .rdx = f->td[0].tdr, .r8 = fx_page_high(f),
	      .r9 = FX_SOURCE),
	   ST_HALTED);
	f->violations_expected = 1;
	fx_down(f);

	f = fx_up(SL_PUBLISHED);
	fx_td_initialized(f, &f->td[0], 1);
	fx_sept(f, &f->td[0], GPA, 0);
	fx_poke(f, &f->td[0], GPA, 1, 0x8000000000000001ull | FX_HPA(FX_AT_SEPT));
	is(SC(f, 0, tdh_mr_extend, .rcx = GPA, .rdx = f->td[0].tdr), ST_HALTED);
	f->violations_expected = 1;
	fx_down(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sept_add),
		cmocka_unit_test(test_sept_add_v1),
		cmocka_unit_test(test_sept_rd),
		cmocka_unit_test(test_aug),
		cmocka_unit_test(test_aug_initialized),
		cmocka_unit_test(test_aug_window_published),
		cmocka_unit_test(test_aug_window_hardened),
		cmocka_unit_test(test_commit_and_host_priority),
		cmocka_unit_test(test_remove),
		cmocka_unit_test(test_remove_pending),
		cmocka_unit_test(test_block),
		cmocka_unit_test(test_no_tracking),
		cmocka_unit_test(test_tracking),
		cmocka_unit_test(test_tracking_new_epoch),
		cmocka_unit_test(test_tracking_two_vcpus),
		cmocka_unit_test(test_tracked_predicate),
		cmocka_unit_test(test_track),
		cmocka_unit_test(test_misconfigured),
		cmocka_unit_test(test_misconfigured_add),
	};

	return cmocka_run_group_tests_name("module: MEM", tests, NULL, NULL);
}
